// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lock words: how those who trust each other lock without a call.
 *
 * Resources of a trusted lockspace may have a word in memory that all of its
 * holders map for writing. Who finds 0 there, and puts its own number in with
 * one atomic step, has the resource EX; the same way back lets it go. There is
 * no state in between, so whoever dies either had it or had not.
 *
 * The kernel knows nothing of that, and need not, until somebody comes who
 * cannot go on: because another has it, or because it wants something else than
 * the whole of it EX. Then, with one atomic step of its own, the kernel takes
 * the word for itself, and grants the resource to whose number was there; from
 * now on it decides as in any lockspace, and all that locks can do here, they
 * can do there: queues, ranges, conversions, deadlocks, notices. He who has it
 * finds his number gone when he lets go, and calls. When nobody has or wants it
 * any more, the kernel writes 0 again.
 *
 * So as long as the kernel has a grant, a want or a mark of a resource, its word
 * is the kernel's. Whoever writes there nevertheless breaks the promise made by
 * trusting: others may get what he has, or he what they have. Nothing else comes
 * of it: of the kernel's own state nothing is taken from a word but who had a
 * resource that by the kernel's books nobody had. A number that is none of the
 * lockspace's holders is taken for one of a holder that died.
 *
 * The grant that will stand for what the word says is got together with it:
 * there must be nothing that can fail when somebody dies.
 *
 * W1, W2 are in doc/memory-model.md.
 *
 * Locks: mmap_lock or the domain's, see domain.c; never both.
 */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "area.h"
#include "compat.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "item.h"
#include "lockspace.h"
#include "quota.h"
#include "resource.h"
#include "word.h"

/**
 * struct sluice_party - a holder that may write the words of a lockspace; one of
 *	its user's locks
 * @node: among those of the lockspace, by id of the holder
 * @link: among those of the holder, by @number
 * @holder: it has this; none of the two outlives the other
 * @space: the lockspace, likewise
 * @number: growing in the holder
 */
struct sluice_party {
	struct rb_node node;
	struct list_head link;
	struct sluice_holder *holder;
	struct sluice_lockspace *space;
	u64 number;
};

/*
 * Parties.
 */
static struct sluice_party *party_of(struct rb_node *node)
{
	return rb_entry(node, struct sluice_party, node);
}

static bool party_before(struct rb_node *a, const struct rb_node *b)
{
	return party_of(a)->holder->id <
		rb_entry(b, struct sluice_party, node)->holder->id;
}

static int party_compare(const void *id, const struct rb_node *node)
{
	u64 other = rb_entry(node, struct sluice_party, node)->holder->id;

	return *(const u64 *)id < other ? -1 : *(const u64 *)id > other;
}

static struct sluice_party *party_find(struct sluice_lockspace *space, u64 id)
{
	struct rb_node *node = rb_find(&id, &space->words->parties,
				       party_compare);

	return node ? party_of(node) : NULL;
}

/* Return: memory for one, or ERR_PTR(-EDQUOT) or ERR_PTR(-ENOMEM). */
static struct sluice_party *party_new(struct sluice_user *user)
{
	struct sluice_party *party;
	int ret = sluice_charge(user, SLUICE_RES_LOCKS, 1);

	if (ret)
		return ERR_PTR(ret);
	party = kzalloc(sizeof(*party), GFP_KERNEL_ACCOUNT);
	if (party)
		return party;
	sluice_uncharge(user, SLUICE_RES_LOCKS, 1);
	return ERR_PTR(-ENOMEM);
}

static void party_free(struct sluice_party *party, struct sluice_user *user)
{
	if (IS_ERR_OR_NULL(party))
		return;
	sluice_uncharge(user, SLUICE_RES_LOCKS, 1);
	kfree(party);
}

static void party_begin(struct sluice_party *party, struct sluice_holder *holder,
			struct sluice_lockspace *space)
{
	party->holder = holder;
	party->space = space;
	party->number = ++holder->party_numbers;
	rb_add(&party->node, &space->words->parties, party_before);
	list_add_tail(&party->link, &holder->parties);
}

static void party_end(struct sluice_party *party)
{
	rb_erase(&party->node, &party->space->words->parties);
	list_del(&party->link);
	party_free(party, party->holder->user);
}

/*
 * Coming and going of a lockspace.
 */
int sluice_words_init(struct sluice_lockspace *space)
{
	u32 room = space->config.words;
	struct sluice_words *words;
	int ret = -ENOMEM;

	if (!(space->config.flags & SLUICE_LOCKSPACE_TRUSTED))
		return 0;
	words = kzalloc(sizeof(*words), GFP_KERNEL_ACCOUNT);
	if (!words)
		return -ENOMEM;
	words->room = room;
	words->parties = RB_ROOT;
	words->resources = kvcalloc(room, sizeof(*words->resources),
				    GFP_KERNEL_ACCOUNT);
	if (!words->resources)
		goto free;
	words->area = sluice_area_new(space->object.user,
				      room * sizeof(struct sluice_word));
	ret = PTR_ERR_OR_ZERO(words->area);
	if (ret)
		goto free;
	space->words = words;
	return 0;
free:
	kvfree(words->resources);
	kfree(words);
	return ret;
}

void sluice_words_exit(struct sluice_lockspace *space)
{
	if (!space->words)
		return;
	sluice_area_put(space->words->area);
	kvfree(space->words->resources);
	kfree(space->words);
}

void sluice_words_close(struct sluice_lockspace *space)
{
	struct rb_node *node;

	sluice_domain_assert(space->domain);
	while (space->words && (node = rb_first(&space->words->parties))) {
		party_end(party_of(node));
		cond_resched();
	}
}

static vm_fault_t words_fault(struct vm_fault *vmf)
{
	struct sluice_object_file *of = vmf->vma->vm_file->private_data;
	struct page *page;

	page = sluice_area_page(sluice_lockspace_of(of->object)->words->area,
				vmf->pgoff);
	if (IS_ERR(page))
		return VM_FAULT_SIGBUS;
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct words_ops = {
	.fault = words_fault,
};

/* A child of fork() may use its parent's mapping, with holders of its own. */
int sluice_words_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sluice_object_file *of = file->private_data;
	struct sluice_words *words = sluice_lockspace_of(of->object)->words;

	if (!words)
		return -ENODEV;
	if (!(of->access & SLUICE_WRITE))
		return -EACCES;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    vma->vm_pgoff || vma->vm_end - vma->vm_start != words->area->size)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYEXEC);
	vma->vm_ops = &words_ops;
	return 0;
}

/*
 * What a word says.
 */
static void stand_in_for(struct sluice_resource *resource, u64 owner)
{
	struct sluice_grant *grant = resource->stand_in;
	struct sluice_lockspace *space = resource->space;
	struct sluice_party *party = party_find(space, owner);

	resource->stand_in = NULL;
	grant->resource = resource;
	grant->start = 0;
	grant->last = SLUICE_END;
	grant->mode = SLUICE_EX;
	grant->since = ktime_get_ns();
	if (party) {
		grant->holder = party->holder;
		grant->token = ++space->token;
		sluice_grant_publish(grant);
	} else {
		space->died++;
		sluice_resource_mark(resource, grant, false);
	}
}

static bool resource_idle(const struct sluice_resource *resource)
{
	return RB_EMPTY_ROOT(&resource->grants.rb_root) &&
		list_empty(&resource->waiters) && list_empty(&resource->died);
}

static void word_said(struct sluice_resource *resource, u64 owner)
{
	if (owner != SLUICE_WORD_FREE && owner != SLUICE_WORD_KERNEL &&
	    resource_idle(resource))
		stand_in_for(resource, owner);
}

void sluice_word_take(struct sluice_resource *resource)
{
	sluice_domain_assert(resource->space->domain);
	/* W2: a full barrier; pairs with W1, the release of who let it go. */
	if (resource->word)
		word_said(resource, xchg(&resource->word->owner,
					 SLUICE_WORD_KERNEL));
}

void sluice_word_look(struct sluice_resource *resource)
{
	u64 owner;

	sluice_domain_assert(resource->space->domain);
	if (!resource->word)
		return;
	owner = READ_ONCE(resource->word->owner);
	if (owner == SLUICE_WORD_FREE || owner == SLUICE_WORD_KERNEL)
		return;
	/* Once: if it has changed, what was there is over. */
	if (cmpxchg(&resource->word->owner, owner, SLUICE_WORD_KERNEL) == owner)
		word_said(resource, owner);
}

void sluice_word_yield(struct sluice_resource *resource)
{
	sluice_domain_assert(resource->space->domain);
	if (!resource->word || !resource_idle(resource) ||
	    READ_ONCE(resource->word->owner) != SLUICE_WORD_KERNEL)
		return;
	/* W1: after all that was done with it; pairs with who takes it next. */
	smp_store_release(&resource->word->owner, SLUICE_WORD_FREE);
}

void sluice_word_keep(struct sluice_grant *grant)
{
	struct sluice_resource *resource = grant->resource;

	sluice_domain_assert(resource->space->domain);
	sluice_grant_reset(grant);
	resource->stand_in = grant;
}

/*
 * A holder that lets go of everything.
 */
static void party_gather(struct sluice_party *party)
{
	struct sluice_words *words = party->space->words;
	struct sluice_word *word = words->area->kaddr;
	u32 i;

	for (i = 0; i < words->used; i++, word++) {
		if (READ_ONCE(word->owner) == party->holder->id)
			sluice_word_look(words->resources[i]);
		cond_resched();
	}
}

/* To the end, so that whoever goes on finds the next one at once. */
static void party_renumber(struct sluice_party *party)
{
	party->number = ++party->holder->party_numbers;
	list_move_tail(&party->link, &party->holder->parties);
}

/*
 * @until: the last number there was when it began, 0 if it begins now. What is
 * beyond has been looked at since then, or has come since then.
 * Return: whether there may be more.
 */
static bool gather_next(struct sluice_holder *holder, u64 *until)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct sluice_party *party;
	bool found;

	*until = *until ?: holder->party_numbers;
	party = list_first_entry_or_null(&holder->parties, struct sluice_party,
					 link);
	found = party && party->number <= *until;
	if (found) {
		party_gather(party);
		if (holder->dead)
			party_end(party);
		else
			party_renumber(party);
	}
	sluice_domain_unlock(domain);
	return found;
}

void sluice_words_gather(struct sluice_holder *holder)
{
	u64 until = 0;

	while (gather_next(holder, &until))
		cond_resched();
}

/*
 * Getting a word.
 */

/**
 * struct word_memory - what it takes, got without the lock
 * @resource: if there is none of that name; or NULL
 * @stand_in: if it has no word; or why it cannot be
 * @party: if the holder is none; or why it cannot be
 */
struct word_memory {
	struct sluice_resource *resource;
	struct sluice_grant *stand_in;
	struct sluice_party *party;
};

static void memory_get(struct word_memory *memory, struct sluice_user *user)
{
	memory->resource = sluice_resource_new();
	memory->stand_in = sluice_grant_new(user);
	memory->party = party_new(user);
}

static void memory_put(struct word_memory *memory, struct sluice_user *user)
{
	sluice_resource_free(memory->resource);
	sluice_grant_free(memory->stand_in);
	party_free(memory->party, user);
}

static int word_add(struct sluice_resource *resource, struct word_memory *memory)
{
	struct sluice_words *words = resource->space->words;

	if (resource->word)
		return 0;
	/* As view_attach() in block.c. */
	if (resource->block)
		return -EBUSY;
	if (words->used == words->room)
		return -ENOSPC;
	if (IS_ERR(memory->stand_in))
		return PTR_ERR(memory->stand_in);
	resource->stand_in = memory->stand_in;
	resource->stand_in->stands_in = true;
	memory->stand_in = NULL;
	words->resources[words->used] = resource;
	resource->word = words->area->kaddr;
	resource->word += words->used++;
	WRITE_ONCE(resource->word->owner, SLUICE_WORD_KERNEL);
	return 0;
}

static int word_get(struct sluice_holder *holder, struct sluice_lockspace *space,
		    const struct sluice_key *key, struct word_memory *memory,
		    struct sluice_word_open *open)
{
	bool party = party_find(space, holder->id);
	struct sluice_resource *resource;
	int ret;

	if (holder->dead)
		return -EOWNERDEAD;
	if (!party && IS_ERR(memory->party))
		return PTR_ERR(memory->party);
	resource = sluice_resource_add(space, key, NULL, holder->user,
				       &memory->resource);
	if (IS_ERR(resource))
		return PTR_ERR(resource);
	ret = word_add(resource, memory);
	if (!ret) {
		open->offset = (void *)resource->word - space->words->area->kaddr;
		open->size = space->words->area->size;
		open->owner = holder->id;
		if (!party) {
			party_begin(memory->party, holder, space);
			memory->party = NULL;
		}
	}
	sluice_resource_settle(resource);
	return ret;
}

static long word_open(struct sluice_holder *holder,
		      struct sluice_lockspace *space, u32 access,
		      struct sluice_word_open *open)
{
	struct word_memory memory = {};
	struct sluice_domain *domain;
	struct sluice_key key = {};
	int ret;

	if (!space->words)
		return -EOPNOTSUPP;
	if (!(access & SLUICE_WRITE))
		return -EACCES;
	ret = sluice_key_find(&key, SLUICE_KIND_NAME, open->key, open->key_len,
			      -1);
	if (ret)
		return ret;
	memory_get(&memory, holder->user);
	sluice_domain_join(holder->domain, space->domain);
	domain = sluice_domain_lock(holder->domain);
	ret = word_get(holder, space, &key, &memory, open);
	sluice_domain_unlock(domain);
	memory_put(&memory, holder->user);
	return ret;
}

long sluice_word_open(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_word_open *open = &call->arg.word;
	struct sluice_lockspace *space;
	u32 access;
	long ret;

	if (open->flags || open->resv)
		return -EINVAL;
	space = sluice_lockspace_fget(open->lockspace, &access);
	if (IS_ERR(space))
		return PTR_ERR(space);
	ret = word_open(holder, space, access, open);
	sluice_lockspace_put(space);
	return ret;
}
