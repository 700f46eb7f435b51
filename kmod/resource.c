// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resources: a lockspace's table of what is held, waited for, or remembered.
 *
 * A resource comes into being when somebody asks for it. It stays while it is
 * held or waited for and, as long as the lockspace can be found, while there is
 * something for the next one who comes: a dead owner's mark, a value, a block.
 * Once it cannot be found, a call that had found it before gets nothing: what
 * was forgotten must not come again as something else.
 *
 * Who takes something mostly takes it again. So the memory of the last few that
 * nobody needed any more stays in the table, idle: such a resource is as good as
 * gone. It is charged to nobody, not counted, not told of and pins no file.
 *
 * Marks are ranges that were held for writing by who died, and ranges that were
 * declared lost; those of a kind are apart from each other. A resource keeps so
 * many that honest users will not notice, and beyond that the last one grows
 * over what lies between: too much is marked, not too little. Nor can they be
 * cut into more than twice as many: who declares something consistent in their
 * midst is refused, then, and may do it to more of them at once.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/err.h>
#include <linux/jhash.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "block.h"
#include "domain.h"
#include "grant.h"
#include "lockspace.h"
#include "quota.h"
#include "resource.h"
#include "word.h"

#define MARKS_MAX	256
#define MARKS_CUT_MAX	(2 * MARKS_MAX)
#define IDLE_MAX	16	/* of a lockspace */
#define FORGET_BATCH	256	/* looked at while the lock is held once */

static u32 key_hash(const void *data, u32 len, u32 seed)
{
	const struct sluice_key *key = data;

	return jhash(key, offsetof(struct sluice_key, bytes) + key->len, seed);
}

static struct sluice_resource *resource_at(struct rb_node *node)
{
	return rb_entry(node, struct sluice_resource, by_number);
}

static int key_differs(struct rhashtable_compare_arg *arg, const void *object)
{
	const struct sluice_resource *resource = object;

	return !sluice_key_same(&resource->key, arg->key);
}

static const struct rhashtable_params resource_params = {
	.head_offset = offsetof(struct sluice_resource, node),
	.key_offset = offsetof(struct sluice_resource, key),
	.key_len = sizeof(struct sluice_key),
	.hashfn = key_hash,
	.obj_cmpfn = key_differs,
	.automatic_shrinking = true,
};

int sluice_resources_init(struct sluice_lockspace *space)
{
	space->by_number = RB_ROOT;
	INIT_LIST_HEAD(&space->idle);
	return rhashtable_init(&space->by_key, &resource_params);
}

void sluice_resources_exit(struct sluice_lockspace *space)
{
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&space->by_number));
	rhashtable_destroy(&space->by_key);
}

struct sluice_resource *sluice_resource_new(void)
{
	struct sluice_resource *resource;

	resource = kzalloc(sizeof(*resource), GFP_KERNEL_ACCOUNT);
	if (!resource)
		return NULL;
	INIT_LIST_HEAD(&resource->idle);
	resource->grants = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&resource->waiters);
	INIT_LIST_HEAD(&resource->died);
	INIT_LIST_HEAD(&resource->dirty);
	return resource;
}

void sluice_resource_free(struct sluice_resource *resource)
{
	if (!resource)
		return;
	if (resource->stand_in) {
		resource->stand_in->stands_in = false;
		sluice_grant_free(resource->stand_in);
	}
	if (resource->user)
		sluice_user_put(resource->user);
	kfree(resource);
}

struct sluice_pin *sluice_pin_new(const struct path *path)
{
	struct sluice_pin *pin = kmalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);

	if (!pin)
		return NULL;
	refcount_set(&pin->refs, 1);
	pin->path = *path;
	path_get(&pin->path);
	return pin;
}

static void pin_free(struct sluice_later *later)
{
	struct sluice_pin *pin = container_of(later, struct sluice_pin, later);

	path_put(&pin->path);
	kfree(pin);
}

void sluice_pin_put(struct sluice_pin *pin)
{
	if (refcount_dec_and_test(&pin->refs))
		pin_free(&pin->later);
}

/* With the file may go all that is in it. */
static void resource_unpin(struct sluice_resource *resource)
{
	struct sluice_pin *pin = resource->pin;

	resource->pin = NULL;
	if (!pin || !refcount_dec_and_test(&pin->refs))
		return;
	pin->later.fn = pin_free;
	sluice_domain_later(resource->space->domain, &pin->later);
}

static bool resource_is_idle(const struct sluice_resource *resource)
{
	return !list_empty(&resource->idle);
}

/* Idle ones, too. */
static struct sluice_resource *resource_lookup(struct sluice_lockspace *space,
					       const struct sluice_key *key)
{
	struct sluice_resource *resource = space->recent;

	sluice_domain_assert(space->domain);
	if (resource && sluice_key_same(&resource->key, key))
		return resource;
	resource = rhashtable_lookup_fast(&space->by_key, key, resource_params);
	if (resource)
		space->recent = resource;
	return resource;
}

struct sluice_resource *sluice_resource_find(struct sluice_lockspace *space,
					     const struct sluice_key *key)
{
	struct sluice_resource *resource = resource_lookup(space, key);

	return resource && !resource_is_idle(resource) ? resource : NULL;
}

struct sluice_resource *sluice_resource_from(struct sluice_lockspace *space,
					     u64 number)
{
	struct rb_node *node = space->by_number.rb_node, *from = NULL;

	sluice_domain_assert(space->domain);
	while (node) {
		if (resource_at(node)->number < number) {
			node = node->rb_right;
		} else {
			from = node;
			node = node->rb_left;
		}
	}
	while (from && resource_is_idle(resource_at(from)))
		from = rb_next(from);
	return from ? resource_at(from) : NULL;
}

/* From now on it is somebody's. Return: 0 or -EDQUOT. */
static int resource_begin(struct sluice_resource *resource,
			  struct sluice_user *user)
{
	struct sluice_lockspace *space = resource->space;
	int ret = sluice_charge(user, SLUICE_RES_RESOURCES, 1);

	if (ret)
		return ret;
	if (resource->user != user) {
		if (resource->user)
			sluice_user_put(resource->user);
		resource->user = sluice_user_hold(user);
	}
	list_del_init(&resource->idle);
	space->idle_count--;
	space->resource_count++;
	return 0;
}

static void resource_end(struct sluice_resource *resource)
{
	struct sluice_lockspace *space = resource->space;

	resource_unpin(resource);
	sluice_uncharge(resource->user, SLUICE_RES_RESOURCES, 1);
	list_add_tail(&resource->idle, &space->idle);
	if (!list_empty(&resource->dirty))
		list_del_init(&resource->dirty);
	space->resource_count--;
	space->idle_count++;
	space->changes++;
}

static void resource_remove(struct sluice_resource *resource)
{
	struct sluice_lockspace *space = resource->space;

	if (space->recent == resource)
		space->recent = NULL;
	rhashtable_remove_fast(&space->by_key, &resource->node,
			       resource_params);
	rb_erase(&resource->by_number, &space->by_number);
	list_del(&resource->idle);
	space->idle_count--;
	sluice_resource_free(resource);
	sluice_lockspace_put(space);
}

/* The oldest go first. */
static void idle_trim(struct sluice_lockspace *space)
{
	u32 most = space->closed ? 0 : IDLE_MAX;

	if (space->idle_count <= most)
		return;
	sluice_lockspace_get(space);
	while (space->idle_count > most)
		resource_remove(list_first_entry(&space->idle,
						 struct sluice_resource, idle));
	sluice_lockspace_put(space);
}

/* It has the greatest number yet. */
static void resource_number(struct sluice_resource *resource)
{
	struct rb_root *root = &resource->space->by_number;
	struct rb_node **link = &root->rb_node, *parent = NULL;

	resource->number = ++resource->space->resource_numbers;
	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	rb_link_node(&resource->by_number, parent, link);
	rb_insert_color(&resource->by_number, root);
}

/* A new one, idle. */
static struct sluice_resource *resource_insert(struct sluice_lockspace *space,
					       const struct sluice_key *key,
					       struct sluice_resource **spare)
{
	struct sluice_resource *resource = *spare;

	if (!resource)
		return ERR_PTR(-ENOMEM);
	resource->key = *key;
	/* It says EBUSY when it cannot grow. */
	if (rhashtable_insert_fast(&space->by_key, &resource->node,
				   resource_params))
		return ERR_PTR(-ENOMEM);
	*spare = NULL;
	resource->space = sluice_lockspace_get(space);
	resource_number(resource);
	list_add_tail(&resource->idle, &space->idle);
	space->idle_count++;
	space->recent = resource;
	return resource;
}

struct sluice_resource *sluice_resource_add(struct sluice_lockspace *space,
					    const struct sluice_key *key,
					    struct sluice_pin *pin,
					    struct sluice_user *user,
					    struct sluice_resource **spare)
{
	struct sluice_resource *resource;
	int ret;

	if (space->closed)
		return ERR_PTR(-EBADF);
	resource = resource_lookup(space, key);
	if (!resource)
		resource = resource_insert(space, key, spare);
	if (IS_ERR(resource))
		return resource;
	if (resource_is_idle(resource)) {
		ret = resource_begin(resource, user);
		if (ret) {
			idle_trim(space);
			return ERR_PTR(ret);
		}
	}
	if (pin && !resource->pin) {
		refcount_inc(&pin->refs);
		resource->pin = pin;
	}
	return resource;
}

static void marks_forget(struct sluice_resource *resource)
{
	struct sluice_grant *mark, *next;

	list_for_each_entry_safe(mark, next, &resource->died, news) {
		list_del_init(&mark->news);
		sluice_grant_free(mark);
	}
	resource->died_count = 0;
}

static void resource_keep(struct sluice_resource *resource)
{
	resource_unpin(resource);
	sluice_word_yield(resource);
}

/* Nobody can ask for it any more. */
static void resource_forget(struct sluice_resource *resource)
{
	marks_forget(resource);
	sluice_block_forget(resource);
}

void sluice_resource_settle(struct sluice_resource *resource)
{
	sluice_domain_assert(resource->space->domain);
	sluice_block_revoke(resource);
	if (!RB_EMPTY_ROOT(&resource->grants.rb_root) ||
	    !list_empty(&resource->waiters))
		return;
	if (resource->space->closed)
		resource_forget(resource);
	else if (!list_empty(&resource->died) || resource->has_value ||
		 resource->block || resource->word)
		return resource_keep(resource);
	resource_end(resource);
	idle_trim(resource->space);
}

bool sluice_resources_forget(struct sluice_lockspace *space, u64 *number)
{
	struct sluice_resource *resource;
	u32 i;

	for (i = 0; i < FORGET_BATCH; i++) {
		resource = sluice_resource_from(space, *number);
		if (!resource)
			break;
		*number = resource->number + 1;
		sluice_resource_settle(resource);
		cond_resched();
	}
	idle_trim(space);
	return i == FORGET_BATCH;
}

/*
 * Marks.
 */
static struct sluice_grant *mark_overlapping(const struct sluice_resource *resource,
					     u64 start, u64 last)
{
	struct sluice_grant *mark;

	list_for_each_entry(mark, &resource->died, news)
		if (sluice_ranges_overlap(mark->start, mark->last, start, last))
			return mark;
	return NULL;
}

static void mark_drop(struct sluice_resource *resource,
		      struct sluice_grant *mark)
{
	list_del_init(&mark->news);
	resource->space->changes++;
	resource->died_count--;
	sluice_grant_free(mark);
}

/* What @grant is to become one with: alike, and overlapping or one too many. */
static struct sluice_grant *mark_alike(const struct sluice_resource *resource,
				       const struct sluice_grant *grant)
{
	bool full = resource->died_count >= MARKS_MAX;
	struct sluice_grant *mark;

	list_for_each_entry_reverse(mark, &resource->died, news)
		if (mark->lost == grant->lost &&
		    (full || sluice_ranges_overlap(mark->start, mark->last,
						   grant->start, grant->last)))
			return mark;
	return NULL;
}

void sluice_resource_mark(struct sluice_resource *resource,
			  struct sluice_grant *grant, bool lost)
{
	struct sluice_grant *mark;

	sluice_domain_assert(resource->space->domain);
	grant->holder = NULL;
	grant->lost = lost;
	sluice_grant_unmind(grant);
	while ((mark = mark_alike(resource, grant))) {
		grant->start = min(grant->start, mark->start);
		grant->last = max(grant->last, mark->last);
		mark_drop(resource, mark);
	}
	grant->serial = ++resource->space->changes;
	list_add_tail(&grant->news, &resource->died);
	resource->died_count++;
}

/* What is left of @mark behind @last. Return: false without a spare. */
static bool mark_split(struct sluice_resource *resource,
		       struct sluice_grant *mark, u64 last,
		       struct sluice_grant **spares)
{
	struct sluice_grant *behind = sluice_spare_take(spares);

	if (!behind)
		return false;
	behind->start = last + 1;
	behind->last = mark->last;
	behind->mode = mark->mode;
	behind->since = mark->since;
	behind->lost = mark->lost;
	behind->serial = ++resource->space->changes;
	behind->resource = resource;
	sluice_grant_unmind(behind);
	list_add_tail(&behind->news, &resource->died);
	resource->died_count++;
	return true;
}

bool sluice_resource_unmark(struct sluice_resource *resource, u64 start,
			    u64 last, struct sluice_grant **spares)
{
	struct sluice_grant *mark;
	bool lost = false;

	sluice_domain_assert(resource->space->domain);
	while ((mark = mark_overlapping(resource, start, last))) {
		lost |= mark->lost;
		if (mark->start < start && mark->last > last &&
		    !mark_split(resource, mark, last, spares))
			break;
		if (mark->start < start)
			mark->last = start - 1;
		else if (mark->last > last)
			mark->start = last + 1;
		else
			mark_drop(resource, mark);
	}
	return lost;
}

static u32 mark_cuts(const struct sluice_resource *resource, u64 start, u64 last)
{
	struct sluice_grant *mark;
	u32 cuts = 0;

	list_for_each_entry(mark, &resource->died, news)
		cuts += mark->start < start && mark->last > last;
	return cuts;
}

bool sluice_resource_may_unmark(const struct sluice_resource *resource,
				u64 start, u64 last, u32 *cuts)
{
	u32 more = mark_cuts(resource, start, last);

	sluice_domain_assert(resource->space->domain);
	*cuts += more;
	return !more || resource->died_count + *cuts <= MARKS_CUT_MAX;
}

u32 sluice_resource_status(const struct sluice_resource *resource, u64 start,
			   u64 last)
{
	struct sluice_grant *mark;
	u32 status = 0;

	list_for_each_entry(mark, &resource->died, news)
		if (sluice_ranges_overlap(mark->start, mark->last, start, last))
			status |= mark->lost ? SLUICE_UNRECOVERABLE :
					       SLUICE_OWNER_DIED;
	return status;
}
