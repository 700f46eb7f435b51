// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grants: who has which range of a resource in which mode.
 *
 * The grants of all holders of a resource are an interval tree (Cormen et al.,
 * Introduction to Algorithms, 14.3), asked for what stands in somebody's way: so
 * each knows, too, the modes of those below, and whether all are one holder's. Of
 * all that begins in what is asked for, nothing is looked at then that does not
 * lead to something. Of what begins before, that may take a walk, if there is
 * much that ends too early and much that goes with what is wanted. Those of one holder are a tree by resource and
 * start; of one resource they are apart from each other, and what touches what
 * has changed and is like it becomes one with it: sluice_grant_set() and
 * sluice_grant_settle() see to that. Only a fresh grant lies over what its
 * holder had, and is in no holder's tree: until the caller knows of it, it has
 * both, and either can be dropped without asking anybody. In that tree each knows
 * the modes of those below, too.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/err.h>
#include <linux/rbtree_augmented.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "block.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "lockspace.h"
#include "quota.h"
#include "resource.h"
#include "word.h"

static void grant_init(struct sluice_grant *grant)
{
	RB_CLEAR_NODE(&grant->held);
	INIT_LIST_HEAD(&grant->news);
	RB_CLEAR_NODE(&grant->leased);
}

static struct sluice_grant *grant_alloc(struct sluice_user *user)
{
	struct sluice_grant *grant;

	grant = kzalloc(sizeof(*grant), GFP_KERNEL_ACCOUNT);
	if (!grant)
		return NULL;
	grant->user = sluice_user_hold(user);
	grant_init(grant);
	return grant;
}

static void grant_dealloc(struct sluice_grant *grant)
{
	sluice_user_put(grant->user);
	kfree(grant);
}

/* @kept: nobody's, with the user's reference; or NULL. */
static struct sluice_grant *grant_charge(struct sluice_user *user,
					 struct sluice_grant *kept)
{
	struct sluice_grant *grant = kept ?: grant_alloc(user);
	int ret;

	if (!grant)
		return ERR_PTR(-ENOMEM);
	ret = sluice_charge(user, SLUICE_RES_LOCKS, 1);
	if (!ret)
		return grant;
	grant_dealloc(grant);
	return ERR_PTR(ret);
}

void sluice_grant_unmind(struct sluice_grant *grant)
{
	kfree(grant->revoked);
	grant->revoked = NULL;
}

static void grant_uncharge(struct sluice_grant *grant)
{
	sluice_grant_unmind(grant);
	sluice_uncharge(grant->user, SLUICE_RES_LOCKS, 1);
}

struct sluice_grant *sluice_grant_new(struct sluice_user *user)
{
	return grant_charge(user, NULL);
}

struct sluice_grant *sluice_spare_new(struct sluice_user *user)
{
	struct sluice_grant *spare = sluice_grant_new(user);

	if (IS_ERR(spare))
		return spare;
	spare->revoked = kzalloc(sizeof(*spare->revoked), GFP_KERNEL_ACCOUNT);
	if (spare->revoked)
		return spare;
	sluice_grant_free(spare);
	return ERR_PTR(-ENOMEM);
}

void sluice_grant_reset(struct sluice_grant *grant)
{
	struct sluice_grant kept = *grant;

	memset(grant, 0, sizeof(*grant));
	grant->user = kept.user;
	grant->stands_in = kept.stands_in;
	kfree(kept.revoked);
	grant_init(grant);
}

void sluice_grant_free(struct sluice_grant *grant)
{
	if (IS_ERR_OR_NULL(grant))
		return;
	if (grant->stands_in)
		return sluice_word_keep(grant);
	grant_uncharge(grant);
	grant_dealloc(grant);
}

struct sluice_grant *sluice_grant_take(struct sluice_holder *holder)
{
	return grant_charge(holder->user, xchg(&holder->spare_grant, NULL));
}

void sluice_grant_keep(struct sluice_holder *holder, struct sluice_grant *grant)
{
	if (IS_ERR_OR_NULL(grant))
		return;
	if (grant->stands_in)
		return sluice_word_keep(grant);
	grant_uncharge(grant);
	grant = xchg(&holder->spare_grant, grant);
	if (grant)
		grant_dealloc(grant);
}

void sluice_grant_forget(struct sluice_holder *holder)
{
	if (holder->spare_grant)
		grant_dealloc(holder->spare_grant);
}

/*
 * The interval tree.
 */

/* In @below, of grants of several holders: none is of that mode. */
#define BELOW_MIXED	BIT(SLUICE_UNLOCKED)

static struct sluice_grant *grant_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct sluice_grant, rb);
}

static void below_add(const struct sluice_grant *grant, struct rb_node *child,
		      u64 *last, u8 *below)
{
	const struct sluice_grant *other = grant_entry(child);

	if (!other)
		return;
	*last = max(*last, other->below_last);
	*below |= other->below;
	if (other->holder != grant->holder)
		*below |= BELOW_MIXED;
}

static bool below_compute(struct sluice_grant *grant, bool exit)
{
	u64 last = grant->last;
	u8 below = BIT(grant->mode);

	below_add(grant, grant->rb.rb_left, &last, &below);
	below_add(grant, grant->rb.rb_right, &last, &below);
	if (exit && grant->below_last == last && grant->below == below)
		return true;
	grant->below_last = last;
	grant->below = below;
	return false;
}

static void below_propagate(struct rb_node *node, struct rb_node *stop)
{
	while (node != stop && !below_compute(grant_entry(node), true))
		node = rb_parent(node);
}

static void below_copy(struct rb_node *old, struct rb_node *new)
{
	grant_entry(new)->below_last = grant_entry(old)->below_last;
	grant_entry(new)->below = grant_entry(old)->below;
}

static void below_rotate(struct rb_node *old, struct rb_node *new)
{
	below_copy(old, new);
	below_compute(grant_entry(old), false);
}

static const struct rb_augment_callbacks below_callbacks = {
	.propagate = below_propagate,
	.copy = below_copy,
	.rotate = below_rotate,
};

static void tree_insert(struct sluice_grant *grant, struct rb_root_cached *tree)
{
	struct rb_node **link = &tree->rb_root.rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (grant->start < grant_entry(parent)->start) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	rb_link_node(&grant->rb, parent, link);
	below_compute(grant, false);
	below_propagate(parent, NULL);
	rb_insert_augmented_cached(&grant->rb, tree, leftmost,
				   &below_callbacks);
}

/* What stands in the way: all but @holder's of @modes, in a range. */
struct obstacles {
	const struct sluice_holder *holder;
	u8 modes;
	u64 start;
	u64 last;
};

static bool obstacle_is(const struct sluice_grant *grant,
			const struct obstacles *what)
{
	return BIT(grant->mode) & what->modes &&
		grant->holder != what->holder && grant->last >= what->start;
}

static bool obstacle_below(struct rb_node *node, const struct obstacles *what)
{
	const struct sluice_grant *grant = grant_entry(node);

	return grant && grant->below & what->modes &&
		grant->below_last >= what->start &&
		(grant->below & BELOW_MIXED || grant->holder != what->holder);
}

/* The first one at or below @node that may lead to some. */
static struct rb_node *obstacle_descend(struct rb_node *node,
					const struct obstacles *what)
{
	while (obstacle_below(node->rb_left, what))
		node = node->rb_left;
	return node;
}

/* The next one: on the right of @node, or above it. */
static struct rb_node *obstacle_next(struct rb_node *node,
				     const struct obstacles *what)
{
	struct rb_node *from;

	if (obstacle_below(node->rb_right, what))
		return obstacle_descend(node->rb_right, what);
	do {
		from = node;
		node = rb_parent(node);
	} while (node && from == node->rb_right);
	return node;
}

static void grant_insert(struct sluice_grant *grant)
{
	struct sluice_resource *resource = grant->resource;

	/* Behind those that start there, too, so serials keep the order. */
	grant->serial = ++resource->space->changes;
	tree_insert(grant, &resource->grants);
	if (!resource->held[grant->mode]++)
		resource->held_modes |= BIT(grant->mode);
	resource->space->grants++;
}

static void grant_remove(struct sluice_grant *grant)
{
	struct sluice_resource *resource = grant->resource;

	resource->space->changes++;
	rb_erase_augmented_cached(&grant->rb, &resource->grants,
				  &below_callbacks);
	if (!--resource->held[grant->mode])
		resource->held_modes &= ~BIT(grant->mode);
	resource->space->grants--;
}

/*
 * A holder's own.
 */
static struct sluice_grant *held_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct sluice_grant, held);
}

static u8 held_modes_of(struct rb_node *node)
{
	return node ? held_entry(node)->held_modes : 0;
}

static bool held_compute(struct sluice_grant *grant, bool exit)
{
	u8 modes = BIT(grant->mode) | held_modes_of(grant->held.rb_left) |
		held_modes_of(grant->held.rb_right);

	if (exit && grant->held_modes == modes)
		return true;
	grant->held_modes = modes;
	return false;
}

RB_DECLARE_CALLBACKS(static, held_callbacks, struct sluice_grant, held,
		     held_modes, held_compute)

static bool held_before(const struct sluice_grant *grant,
			const struct sluice_resource *resource, u64 start)
{
	if (grant->resource != resource)
		return grant->resource < resource;
	return grant->start < start;
}

static void held_insert(struct sluice_grant *grant)
{
	struct sluice_holder *holder = grant->holder;
	struct rb_node **link = &holder->held.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		held_entry(parent)->held_modes |= BIT(grant->mode);
		link = held_before(held_entry(parent), grant->resource,
				   grant->start) ?
			&parent->rb_right : &parent->rb_left;
	}
	grant->held_modes = BIT(grant->mode);
	rb_link_node(&grant->held, parent, link);
	rb_insert_augmented(&grant->held, &holder->held, &held_callbacks);
	WRITE_ONCE(holder->held_count, holder->held_count + 1);
}

static void held_remove(struct sluice_grant *grant)
{
	struct sluice_holder *holder = grant->holder;

	rb_erase_augmented(&grant->held, &holder->held, &held_callbacks);
	RB_CLEAR_NODE(&grant->held);
	WRITE_ONCE(holder->held_count, holder->held_count - 1);
}

static struct sluice_grant *leased_entry(struct rb_node *node)
{
	return rb_entry_safe(node, struct sluice_grant, leased);
}

static bool leased_before(struct rb_node *a, const struct rb_node *b)
{
	return leased_entry(a)->expires <
		rb_entry(b, struct sluice_grant, leased)->expires;
}

static void grant_unlease(struct sluice_grant *grant)
{
	if (RB_EMPTY_NODE(&grant->leased))
		return;
	rb_erase_cached(&grant->leased, &grant->holder->leased);
	RB_CLEAR_NODE(&grant->leased);
}

void sluice_grant_lease(struct sluice_grant *grant, u64 expires)
{
	struct sluice_holder *holder = grant->holder;

	sluice_domain_assert(holder->domain);
	grant_unlease(grant);
	grant->expires = expires;
	if (!expires)
		return;
	rb_add_cached(&grant->leased, &holder->leased, leased_before);
	sluice_alarm_set(&holder->alarm, expires);
}

struct sluice_grant *sluice_grant_leased(const struct sluice_holder *holder)
{
	sluice_domain_assert(holder->domain);
	return leased_entry(rb_first_cached(&holder->leased));
}

static void grant_hold(struct sluice_grant *grant)
{
	held_insert(grant);
	if (grant->expires)
		sluice_grant_lease(grant, grant->expires);
}

struct sluice_grant *sluice_grant_own(const struct sluice_holder *holder,
				      const struct sluice_resource *resource,
				      u64 start, u64 last)
{
	struct rb_node *node = holder->held.rb_node;
	struct sluice_grant *grant, *before = NULL, *first = NULL;

	sluice_domain_assert(holder->domain);
	while (node) {
		grant = held_entry(node);
		if (held_before(grant, resource, start)) {
			before = grant;
			node = node->rb_right;
		} else {
			first = grant;
			node = node->rb_left;
		}
	}
	if (before && before->resource == resource && before->last >= start)
		return before;
	return first && first->resource == resource && first->start <= last ?
		first : NULL;
}

struct sluice_grant *sluice_grant_own_next(struct sluice_grant *grant, u64 last)
{
	struct sluice_grant *next = held_entry(rb_next(&grant->held));

	/* There may be as many as the quota allows. */
	cond_resched();
	return next && next->resource == grant->resource &&
		next->start <= last ? next : NULL;
}

static bool held_behind(const struct sluice_grant *grant,
			const struct sluice_resource *resource, u64 last)
{
	if (grant->resource != resource)
		return grant->resource > resource;
	return grant->start > last;
}

/* Of what begins in [start, last]: all of it is below the topmost of them. */
static u8 held_modes_within(const struct sluice_holder *holder,
			    const struct sluice_resource *resource, u64 start,
			    u64 last)
{
	struct rb_node *top = holder->held.rb_node, *node;
	u8 modes;

	for (; top; top = held_behind(held_entry(top), resource, last) ?
	     top->rb_left : top->rb_right)
		if (!held_before(held_entry(top), resource, start) &&
		    !held_behind(held_entry(top), resource, last))
			break;
	if (!top)
		return 0;
	modes = BIT(held_entry(top)->mode);
	for (node = top->rb_left; node;) {
		if (held_before(held_entry(node), resource, start)) {
			node = node->rb_right;
			continue;
		}
		modes |= BIT(held_entry(node)->mode) |
			held_modes_of(node->rb_right);
		node = node->rb_left;
	}
	for (node = top->rb_right; node;) {
		if (held_behind(held_entry(node), resource, last)) {
			node = node->rb_left;
			continue;
		}
		modes |= BIT(held_entry(node)->mode) |
			held_modes_of(node->rb_left);
		node = node->rb_right;
	}
	return modes;
}

bool sluice_grant_blocks(const struct sluice_holder *holder,
			 const struct sluice_resource *resource, u8 mode,
			 u64 start, u64 last)
{
	u8 modes = sluice_mode_conflicts[mode];
	struct sluice_grant *grant;

	if (!(resource->held_modes & modes))
		return false;
	/* The first one may begin before. */
	grant = sluice_grant_own(holder, resource, start, last);
	return grant && (BIT(grant->mode) & modes ||
			 held_modes_within(holder, resource, start, last) &
			 modes);
}

u8 sluice_grant_modes(const struct sluice_holder *holder,
		      const struct sluice_resource *resource)
{
	sluice_domain_assert(holder->domain);
	return held_modes_within(holder, resource, 0, SLUICE_END);
}

bool sluice_grant_covers(const struct sluice_holder *holder,
			 const struct sluice_resource *resource, u64 start,
			 u64 last, bool (*fits)(u8 mode))
{
	struct sluice_grant *grant;

	for (grant = sluice_grant_own(holder, resource, start, last);
	     grant && grant->start <= start && (!fits || fits(grant->mode));
	     grant = sluice_grant_own_next(grant, last)) {
		if (grant->last >= last)
			return true;
		start = grant->last + 1;
	}
	return false;
}

/*
 * Everybody's.
 */
void sluice_grant_publish(struct sluice_grant *grant)
{
	struct sluice_holder *holder = grant->holder;
	u64 before = grant->start ? grant->start - 1 : 0;
	u64 behind = grant->last == SLUICE_END ? SLUICE_END : grant->last + 1;

	sluice_domain_assert(holder->domain);
	sluice_block_revoke(grant->resource);
	grant_insert(grant);
	grant->resource->published++;
	grant->fresh = sluice_grant_own(holder, grant->resource, before, behind);
	if (!grant->fresh)
		grant_hold(grant);
}

/* What others were seen waiting for is no longer news. */
static void grant_unnotice(struct sluice_grant *grant)
{
	struct sluice_holder *holder = grant->holder;

	grant->wanted = SLUICE_UNLOCKED;
	if (list_empty(&grant->news))
		return;
	list_del_init(&grant->news);
	if (list_empty(&holder->notices))
		WRITE_ONCE(holder->news, holder->news & ~SLUICE_NEWS_NOTICE);
}

/*
 * It has become another: who still waits for it tells its holder once more. Of
 * what nobody was seen waiting for, nobody has to.
 */
static void grant_tell_anew(struct sluice_grant *grant)
{
	if (!grant->wanted)
		return;
	grant_unnotice(grant);
	grant->resource->published++;
}

static void grant_detach(struct sluice_grant *grant)
{
	grant_remove(grant);
	if (!RB_EMPTY_NODE(&grant->held))
		held_remove(grant);
	grant_unnotice(grant);
	grant_unlease(grant);
	grant->fresh = false;
}

void sluice_grant_withdraw(struct sluice_grant *grant)
{
	sluice_domain_assert(grant->holder->domain);
	if (!RB_EMPTY_NODE(&grant->held))
		sluice_block_disown(grant->resource, grant->start, grant->last);
	grant_detach(grant);
}

struct sluice_grant *sluice_grant_any(const struct sluice_resource *resource,
				      struct sluice_grant *after)
{
	return grant_entry(after ? rb_next(&after->rb) :
				   rb_first_cached(&resource->grants));
}

struct sluice_grant *sluice_grant_after(const struct sluice_resource *resource,
					u64 start, u64 serial)
{
	struct rb_node *node = resource->grants.rb_root.rb_node;
	struct sluice_grant *grant, *next = NULL;

	sluice_domain_assert(resource->space->domain);
	while (node) {
		grant = rb_entry(node, struct sluice_grant, rb);
		if (grant->start > start ||
		    (grant->start == start && grant->serial > serial)) {
			next = grant;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return next;
}

struct sluice_grant *sluice_grant_only(const struct sluice_resource *resource)
{
	struct rb_node *node = resource->grants.rb_root.rb_node;

	return node && !node->rb_left && !node->rb_right ?
		rb_entry(node, struct sluice_grant, rb) : NULL;
}

struct sluice_grant *sluice_grant_conflict(const struct sluice_resource *resource,
					   const struct sluice_holder *holder,
					   u8 mode, u64 start, u64 last,
					   struct sluice_grant *after)
{
	const struct obstacles what = {
		.holder = holder,
		.modes = sluice_mode_conflicts[mode],
		.start = start,
		.last = last,
	};
	struct rb_node *node;

	if (!(resource->held_modes & what.modes))
		return NULL;
	node = resource->grants.rb_root.rb_node;
	if (after)
		node = obstacle_next(&after->rb, &what);
	else
		node = obstacle_below(node, &what) ?
			obstacle_descend(node, &what) : NULL;
	for (; node; node = obstacle_next(node, &what)) {
		if (grant_entry(node)->start > last)
			return NULL;
		if (obstacle_is(grant_entry(node), &what))
			return grant_entry(node);
		cond_resched();
	}
	return NULL;
}

/*
 * Changing ranges. The trees are sorted by what is changed, so a grant leaves
 * the interval tree meanwhile; its place among its holder's stays the same.
 */
static void grant_trim(struct sluice_grant *grant, u64 start, u64 last)
{
	grant_remove(grant);
	grant->start = start;
	grant->last = last;
	grant_insert(grant);
}

static void grant_change(struct sluice_grant *grant, u8 mode)
{
	grant_remove(grant);
	grant->mode = mode;
	if (!RB_EMPTY_NODE(&grant->held))
		held_callbacks_propagate(&grant->held, NULL);
	grant_tell_anew(grant);
	grant_insert(grant);
}

struct sluice_grant *sluice_spare_take(struct sluice_grant **spares)
{
	struct sluice_grant *spare = NULL;
	u32 i;

	for (i = 0; i < SLUICE_SPARES && !spare; i++)
		swap(spare, spares[i]);
	WARN_ON_ONCE(!spare);
	return spare;
}

/* The part of @grant from @start on becomes a grant of its own. */
static struct sluice_grant *grant_split(struct sluice_grant *grant, u64 start,
					struct sluice_grant **spares)
{
	struct sluice_grant *tail = sluice_spare_take(spares);

	if (!tail)
		return NULL;
	tail->resource = grant->resource;
	tail->holder = grant->holder;
	tail->mode = grant->mode;
	tail->backed = grant->backed;
	tail->token = grant->token;
	tail->since = grant->since;
	tail->expires = grant->expires;
	tail->start = start;
	tail->last = grant->last;
	if (!sluice_grant_revocable(tail))
		sluice_grant_unmind(tail);
	grant_tell_anew(grant);
	grant_trim(grant, grant->start, start - 1);
	grant_insert(tail);
	grant_hold(tail);
	return tail;
}

/* What its holder may do to a block is for the caller to see to. */
static void grant_drop(struct sluice_grant *grant)
{
	struct sluice_holder *holder = grant->holder;

	grant_detach(grant);
	sluice_grant_keep(holder, grant);
}

static bool grant_alike(const struct sluice_grant *a,
			const struct sluice_grant *b)
{
	return a->last != SLUICE_END && a->last + 1 == b->start &&
		a->mode == b->mode && a->expires == b->expires &&
		a->backed == b->backed;
}

/* Two that touch and are alike are one, with the newer one's token. */
static void grant_merge(struct sluice_grant *a, struct sluice_grant *b)
{
	u64 last = b->last;

	a->token = max(a->token, b->token);
	a->since = max(a->since, b->since);
	grant_tell_anew(a);
	grant_tell_anew(b);
	grant_drop(b);
	grant_trim(a, a->start, last);
}

void sluice_grant_join(struct sluice_holder *holder,
		       struct sluice_resource *resource, u64 start, u64 last)
{
	u64 behind = last == SLUICE_END ? SLUICE_END : last + 1;
	struct sluice_grant *grant, *next;

	grant = sluice_grant_own(holder, resource, start ? start - 1 : 0,
				 behind);
	while (grant) {
		next = sluice_grant_own_next(grant, behind);
		if (next && grant_alike(grant, next))
			grant_merge(grant, next);
		else
			grant = next;
	}
}

bool sluice_grant_set_apart(struct sluice_holder *holder,
			    struct sluice_resource *resource, u64 start,
			    u64 last, u8 mode, struct sluice_grant **spares)
{
	struct sluice_grant *grant, *next;
	u64 from = 0, to = 0;
	bool changed = false;

	for (grant = sluice_grant_own(holder, resource, start, last); grant;
	     grant = next) {
		next = sluice_grant_own_next(grant, last);
		if (grant->mode == mode)
			continue;
		if (grant->start < start && (mode || grant->last > last)) {
			/* The middle is looked at next. */
			next = grant_split(grant, start, spares);
			continue;
		}
		if (!changed)
			from = max(start, grant->start);
		to = min(last, grant->last);
		changed = true;
		if (grant->start < start)
			grant_trim(grant, grant->start, start - 1);
		else if (grant->last <= last && mode)
			grant_change(grant, mode);
		else if (grant->last <= last)
			grant_drop(grant);
		else if (!mode)
			grant_trim(grant, last + 1, grant->last);
		else if (grant_split(grant, last + 1, spares))
			grant_change(grant, mode);
	}
	if (changed)
		sluice_block_disown(resource, from, to);
	return changed;
}

bool sluice_grant_set(struct sluice_holder *holder,
		      struct sluice_resource *resource, u64 start, u64 last,
		      u8 mode, struct sluice_grant **spares)
{
	bool changed = sluice_grant_set_apart(holder, resource, start, last,
					      mode, spares);

	if (changed && mode)
		sluice_grant_join(holder, resource, start, last);
	return changed;
}

u32 sluice_grant_set_needs(const struct sluice_holder *holder,
			   const struct sluice_resource *resource, u64 start,
			   u64 last, u8 mode)
{
	struct sluice_grant *grant;
	u32 needs = 0;

	for (grant = sluice_grant_own(holder, resource, start, last); grant;
	     grant = sluice_grant_own_next(grant, last)) {
		if (grant->mode == mode)
			continue;
		if (mode)
			needs += (grant->start < start) + (grant->last > last);
		else
			needs += grant->start < start && grant->last > last;
	}
	return needs;
}

void sluice_grant_settle(struct sluice_grant *grant,
			 struct sluice_grant **spares)
{
	struct sluice_holder *holder = grant->holder;
	u64 start = grant->start, last = grant->last;

	sluice_domain_assert(holder->domain);
	if (!grant->fresh)
		return;
	sluice_grant_set(holder, grant->resource, start, last, SLUICE_UNLOCKED,
			 spares);
	grant->fresh = false;
	grant_tell_anew(grant);
	grant_hold(grant);
	sluice_grant_join(holder, grant->resource, start, last);
}
