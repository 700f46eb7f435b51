// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling what is in a lockspace: who has what, who waits, which deadlocks
 * there were. Copied with the domain locked, and told with nothing locked.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "deadlock.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "inspect.h"
#include "lockspace.h"
#include "request.h"
#include "resource.h"
#include "word.h"

/* So much is copied while the lock is held. */
#define ENTRIES_MAX	1024U

static struct sluice_lockspace *space_of_file(struct file *file)
{
	struct sluice_object_file *of = file->private_data;

	return sluice_lockspace_of(of->object);
}

/**
 * struct listing - a listing on its way
 * @entries: kernel's copy
 * @room: for so many
 * @written: so many are
 * @skip: so many more are left out
 * @index: of the next one, of its resource
 */
struct listing {
	struct sluice_lock_entry *entries;
	u32 room;
	u32 written;
	u32 skip;
	u32 index;
};

/* Return: where to write the next one, zeroed, or NULL to leave it out. */
static struct sluice_lock_entry *listing_next(struct listing *listing)
{
	if (listing->written == listing->room)
		return NULL;
	if (listing->index++ < listing->skip)
		return NULL;
	return &listing->entries[listing->written++];
}

static void entry_holder(struct sluice_lock_entry *entry,
			 const struct sluice_holder *holder)
{
	if (!holder)
		return;
	entry->holder = holder->id;
	entry->pid = pid_vnr(holder->tgid);
	entry->tid = pid_vnr(holder->tid);
	entry->uid = from_kuid_munged(current_user_ns(), holder->uid);
	BUILD_BUG_ON(sizeof(entry->comm) != sizeof(holder->comm));
	memcpy(entry->comm, holder->comm, sizeof(entry->comm));
}

static void entry_resource(struct sluice_lock_entry *entry,
			   const struct sluice_resource *resource)
{
	entry->resource = resource->number;
	entry->kind = resource->key.kind;
	entry->key_len = resource->key.len;
	memcpy(entry->key, resource->key.bytes, SLUICE_KEY_MAX);
}

static void list_grant(struct listing *listing,
		       const struct sluice_resource *resource,
		       const struct sluice_grant *grant)
{
	struct sluice_lock_entry *entry = listing_next(listing);

	if (!entry)
		return;
	entry_resource(entry, resource);
	entry_holder(entry, grant->holder);
	entry->state = grant->holder ? SLUICE_LOCK_HELD :
		grant->lost ? SLUICE_LOCK_LOST : SLUICE_LOCK_DIED;
	entry->since = grant->since;
	entry->start = grant->start;
	entry->end = grant->last;
	entry->mode = grant->mode;
	if (!grant->holder)
		return;
	entry->token = grant->token;
	entry->expires = grant->expires;
}

static void list_want(struct listing *listing,
		      const struct sluice_resource *resource,
		      const struct sluice_want *want)
{
	struct sluice_lock_entry *entry = listing_next(listing);

	if (!entry)
		return;
	entry_resource(entry, resource);
	entry_holder(entry, want->holder);
	entry->state = SLUICE_LOCK_WAITING;
	entry->since = want->holder->request.since;
	entry->start = want->start;
	entry->end = want->last;
	entry->mode = want->mode;
	entry->priority = want->holder->request.priority;
}

static void list_resource(struct listing *listing,
			  const struct sluice_resource *resource)
{
	struct sluice_grant *grant;
	struct sluice_want *want;

	list_for_each_entry(grant, &resource->died, news) {
		list_grant(listing, resource, grant);
		cond_resched();
	}
	for (grant = sluice_grant_any(resource, NULL);
	     grant && listing->written < listing->room;
	     grant = sluice_grant_any(resource, grant)) {
		list_grant(listing, resource, grant);
		cond_resched();
	}
	list_for_each_entry(want, &resource->waiters, queued) {
		if (listing->written == listing->room)
			break;
		list_want(listing, resource, want);
		cond_resched();
	}
}

/* Fill in the listing, and where to go on. Return: 0 or -EINTR. */
static int list_space(struct listing *listing, struct sluice_lockspace *space,
		      struct sluice_locks *locks)
{
	struct sluice_domain *domain = sluice_domain_lock_killable(space->domain);
	struct sluice_resource *resource;
	u32 seen = 0;

	if (!domain)
		return -EINTR;
	while ((resource = sluice_resource_from(space, locks->after))) {
		listing->skip = resource->number == locks->after ? locks->skip :
								   0;
		listing->index = 0;
		sluice_word_look(resource);
		list_resource(listing, resource);
		if (listing->written == listing->room) {
			locks->after = resource->number;
			locks->skip = listing->index;
			break;
		}
		locks->after = resource->number + 1;
		locks->skip = 0;
		/* There may be very many with nothing to tell of. */
		if (++seen % ENTRIES_MAX == 0) {
			sluice_domain_unlock(domain);
			domain = sluice_domain_lock_killable(space->domain);
			if (!domain)
				return -EINTR;
		}
		cond_resched();
	}
	sluice_domain_unlock(domain);
	return 0;
}

long sluice_inspect_locks(struct sluice_call *call)
{
	struct sluice_lockspace *space = space_of_file(call->file);
	struct sluice_locks *locks = &call->arg.locks;
	u32 stride = sluice_call_stride(locks->entry_size,
					SLUICE_LOCK_ENTRY_SIZE_1);
	struct listing listing = {
		.room = min(locks->count, ENTRIES_MAX),
	};
	long ret;
	u32 i;

	if (!stride || !locks->count || locks->resv)
		return -EINVAL;
	listing.entries = kvcalloc(listing.room, sizeof(*listing.entries),
				   GFP_KERNEL_ACCOUNT);
	if (!listing.entries)
		return -ENOMEM;
	ret = list_space(&listing, space, locks);
	for (i = 0; i < listing.written && !ret; i++)
		ret = sluice_call_entry(locks->entries, i, stride,
					&listing.entries[i],
					sizeof(*listing.entries));
	kvfree(listing.entries);
	locks->count = listing.written;
	return ret;
}

static void waits_tell_holder(struct sluice_waits *waits,
			      const struct sluice_cycle_step *step)
{
	waits->holder = step->holder;
	waits->since = step->since;
	waits->pid = pid_vnr(step->tgid);
	waits->tid = pid_vnr(step->tid);
	waits->uid = from_kuid_munged(current_user_ns(), step->uid);
	memcpy(waits->comm, step->comm, sizeof(waits->comm));
}

static void waits_tell_resource(struct sluice_waits *waits,
				const struct sluice_cycle_step *step)
{
	waits->start = step->start;
	waits->end = step->last;
	waits->lockspace = step->space;
	waits->mode = step->mode;
	waits->blocked_by = step->blocked_by;
	waits->kind = step->key.kind;
	waits->key_len = step->key.len;
	memcpy(waits->key, step->key.bytes, SLUICE_KEY_MAX);
}

/* Who reads it has this lockspace open; may he know of the step's? */
static bool step_visible(const struct sluice_lockspace *space,
			 const struct sluice_cycle_step *step)
{
	return step->space == space->object.id ||
		(!step->elsewhere && sluice_rights_visible(&step->rights));
}

/*
 * A cycle may lead through lockspaces that the reader may not open. What is in
 * there he is not told, nor who is: but for those whom he can see as they wait,
 * or have what the one before them waits for.
 */
static void waits_tell(struct sluice_waits *waits, u32 room,
		       const struct sluice_lockspace *space,
		       const struct sluice_cycle *cycle)
{
	bool before = cycle->kept == cycle->length &&
		step_visible(space, &cycle->steps[cycle->kept - 1]), visible;
	u32 i;

	memset(waits, 0, array_size(room, sizeof(*waits)));
	for (i = 0; i < room; i++, before = visible) {
		visible = step_visible(space, &cycle->steps[i]);
		waits[i].flags = cycle->steps[i].flags;
		if (visible || before)
			waits_tell_holder(&waits[i], &cycle->steps[i]);
		if (visible)
			waits_tell_resource(&waits[i], &cycle->steps[i]);
	}
}

static struct sluice_cycle *cycle_after(struct sluice_lockspace *space,
					u64 number)
{
	struct sluice_cycle *cycle;

	list_for_each_entry(cycle, &space->deadlocks, link)
		if (cycle->number > number)
			return cycle;
	return NULL;
}

/* Return: steps that were written, -ENOENT or -EINTR. */
static int deadlock_copy(struct sluice_lockspace *space,
			 struct sluice_deadlock *deadlock,
			 struct sluice_waits *waits, u32 room)
{
	struct sluice_domain *domain = sluice_domain_lock_killable(space->domain);
	struct sluice_cycle *cycle;
	int written = -ENOENT;

	if (!domain)
		return -EINTR;
	cycle = cycle_after(space, deadlock->after);
	if (cycle) {
		deadlock->id = cycle->number;
		deadlock->when = cycle->when;
		deadlock->length = cycle->length;
		written = min(cycle->kept, room);
		waits_tell(waits, written, space, cycle);
	}
	sluice_domain_unlock(domain);
	return written;
}

long sluice_inspect_deadlock(struct sluice_call *call)
{
	struct sluice_lockspace *space = space_of_file(call->file);
	struct sluice_deadlock *deadlock = &call->arg.deadlock;
	u32 stride = sluice_call_stride(deadlock->entry_size,
					SLUICE_WAITS_SIZE_1);
	u32 room = min(deadlock->count, ENTRIES_MAX);
	struct sluice_waits *waits;
	int i, written;
	long ret = 0;

	if (!stride || deadlock->resv)
		return -EINVAL;
	waits = kvcalloc(room ?: 1, sizeof(*waits), GFP_KERNEL_ACCOUNT);
	if (!waits)
		return -ENOMEM;
	written = deadlock_copy(space, deadlock, waits, room);
	for (i = 0; i < written && !ret; i++)
		ret = sluice_call_entry(deadlock->waits, i, stride, &waits[i],
					sizeof(*waits));
	kvfree(waits);
	if (written < 0)
		return written;
	deadlock->count = written;
	return ret;
}
