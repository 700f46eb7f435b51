// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done to what a holder has: letting go, weakening, renewing leases,
 * declaring consistent or lost, and the value block.
 *
 * Each call first looks whether it can be done to all of its items, and then
 * does it.
 *
 * Locks: holder->backing_lock; the domain's, see domain.c.
 */
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "backing.h"
#include "compat.h"
#include "deadlock.h"
#include "domain.h"
#include "grant.h"
#include "held.h"
#include "holder.h"
#include "item.h"
#include "lockspace.h"
#include "request.h"
#include "resource.h"
#include "word.h"

static struct sluice_resource *resource_seen(struct sluice_lockspace *space,
					     const struct sluice_key *key)
{
	struct sluice_resource *resource = sluice_resource_find(space, key);

	if (resource)
		sluice_word_look(resource);
	return resource;
}

static struct sluice_resource *want_resource(struct sluice_want *want)
{
	return resource_seen(want->space, &want->key);
}

static bool want_held(struct sluice_want *want, bool (*fits)(u8 mode))
{
	struct sluice_resource *resource = want_resource(want);

	return resource && sluice_grant_covers(want->holder, resource,
					       want->start, want->last, fits);
}

/* Return: spares that it takes, or -EINVAL. */
static int unlock_check(struct sluice_want *want)
{
	struct sluice_resource *resource = sluice_resource_find(want->space,
								&want->key);
	struct sluice_grant *grant;

	/* Of nothing anything is left. */
	if (!resource ||
	    (!want->mode && !want->start && want->last == SLUICE_END))
		return 0;
	for (grant = sluice_grant_own(want->holder, resource, want->start,
				      want->last);
	     grant; grant = sluice_grant_own_next(grant, want->last))
		if (!sluice_mode_covers(grant->mode, want->mode))
			return -EINVAL;
	return sluice_grant_set_needs(want->holder, resource, want->start,
				      want->last, want->mode);
}

static void unlock_do(struct sluice_want *want, struct list_head *dirty)
{
	/* As it was checked: what was taken by the word since then stays so. */
	struct sluice_resource *resource = sluice_resource_find(want->space,
								&want->key);

	if (!resource ||
	    !sluice_grant_set_apart(want->holder, resource, want->start,
				    want->last, want->mode, want->spares))
		return;
	if (list_empty(&resource->waiters) && list_empty(&resource->dirty))
		sluice_resource_settle(resource);
	else
		sluice_resource_dirty(resource, dirty);
}

/* Not before all is done: what one item joins another may have to divide. */
static void unlock_join(struct sluice_want *want)
{
	struct sluice_resource *resource = sluice_resource_find(want->space,
								&want->key);

	if (resource && want->mode)
		sluice_grant_join(want->holder, resource, want->start,
				  want->last);
}

static int spares_get(struct sluice_wants *items)
{
	struct sluice_grant **spare;
	u32 i, j;

	for (i = 0; i < items->count; i++) {
		for (j = 0; j < SLUICE_SPARES; j++) {
			spare = &items->wants[i].spares[j];
			if (!*spare)
				*spare = sluice_spare_new(items->wants[i].holder->user);
			if (IS_ERR(*spare))
				return PTR_ERR(*spare);
		}
	}
	return 0;
}

/* Return: 0, an error, or more than 0 if it takes spares. */
static int unlock_try(struct sluice_holder *holder, struct sluice_wants *items,
		      bool have_spares)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);
	int ret = 0;
	u32 i;

	/* First, as each word may be taken at any time, and spares are counted. */
	for (i = 0; i < items->count; i++)
		want_resource(&items->wants[i]);
	for (i = 0; i < items->count && ret >= 0; i++) {
		ret = unlock_check(&items->wants[i]);
		if (ret > 0 && !have_spares)
			goto unlock;
	}
	if (ret < 0)
		goto unlock;
	ret = 0;
	for (i = 0; i < items->count; i++)
		unlock_do(&items->wants[i], &dirty);
	for (i = 0; i < items->count; i++)
		unlock_join(&items->wants[i]);
	sluice_request_pass(&dirty);
	if (sluice_request_waits(&holder->request))
		sluice_deadlock_resolve(&holder->request);
unlock:
	sluice_domain_unlock(domain);
	return ret;
}

/* How long letting go may wait for a file server to say what it lets go of. */
#define CHECK_PATIENCE	(2 * NSEC_PER_SEC)

static long unlock_all(struct sluice_holder *holder, bool died)
{
	bool lost;

	if (!died)
		sluice_backings_check(holder, NULL, NULL,
				      ktime_get_ns() + CHECK_PATIENCE);
	lost = sluice_holder_lost(holder, NULL, NULL, 0, SLUICE_END);
	sluice_holder_leave(holder, died);
	sluice_backings_await(holder, NULL, NULL);
	return lost ? -ESTALE : 0;
}

/* Return: whether a file server had lost any of it. */
static bool unlock_prepare(struct sluice_holder *holder,
			   const struct sluice_wants *items)
{
	const struct sluice_want *want;
	bool lost = false;
	s64 deadline;
	u32 i;

	if (list_empty_careful(&holder->backings) &&
	    list_empty_careful(&holder->revoked))
		return false;
	deadline = ktime_get_ns() + CHECK_PATIENCE;
	for (i = 0; i < items->count; i++) {
		want = &items->wants[i];
		sluice_backings_check(holder, want->space, &want->key, deadline);
		lost |= sluice_holder_lost(holder, want->space, &want->key,
					   want->start, want->last);
	}
	return lost;
}

static void unlock_follow(struct sluice_holder *holder,
			  const struct sluice_wants *items)
{
	u32 i;

	if (list_empty_careful(&holder->backings))
		return;
	sluice_wants_follow(holder, items);
	for (i = 0; i < items->count; i++)
		sluice_backings_await(holder, items->wants[i].space,
				      &items->wants[i].key);
}

/*
 * What one item leaves, the next would find, and not what was checked: only
 * those of one mode may overlap, and are one then.
 */
static int unlock_items(struct sluice_holder *holder, struct sluice_wants *items)
{
	bool lost;
	int ret;

	if (!sluice_wants_apart(items, true))
		return -EINVAL;
	sluice_wants_unite(items);
	lost = unlock_prepare(holder, items);
	ret = unlock_try(holder, items, false);
	if (ret > 0) {
		ret = spares_get(items);
		if (!ret)
			ret = unlock_try(holder, items, true);
	}
	if (!ret)
		unlock_follow(holder, items);
	return !ret && lost ? -ESTALE : ret;
}

long sluice_held_unlock(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	struct sluice_wants items sluice_unset;
	int ret;

	if (arg->flags & ~(SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED) || arg->resv ||
	    arg->flags == SLUICE_UNLOCK_DIED)
		return -EINVAL;
	if (arg->flags & SLUICE_UNLOCK_ALL) {
		if (arg->count || arg->items)
			return -EINVAL;
		return unlock_all(holder, arg->flags & SLUICE_UNLOCK_DIED);
	}
	ret = sluice_wants_get(&items, holder, arg->items, arg->count,
			       arg->entry_size, SLUICE_TO_CHANGE);
	if (ret)
		return ret;
	ret = unlock_items(holder, &items);
	sluice_wants_free(&items);
	return ret;
}

/*
 * What tells of the end of leases, for grants that had none before. It is got
 * without the lock, and what is too much of it given back.
 */
struct tellings {
	struct list_head list;
	u32 count;
};

static int tellings_get(struct tellings *tellings, u32 count)
{
	struct sluice_revoked *revoked;

	for (; tellings->count < count; tellings->count++) {
		revoked = kzalloc(sizeof(*revoked), GFP_KERNEL_ACCOUNT);
		if (!revoked)
			return -ENOMEM;
		list_add(&revoked->news, &tellings->list);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static struct sluice_revoked *tellings_take(struct tellings *tellings)
{
	struct sluice_revoked *revoked =
		list_first_entry(&tellings->list, struct sluice_revoked, news);

	list_del(&revoked->news);
	tellings->count--;
	return revoked;
}

static void tellings_free(struct tellings *tellings)
{
	struct sluice_revoked *revoked, *next;

	list_for_each_entry_safe(revoked, next, &tellings->list, news)
		kfree(revoked);
}

/**
 * struct piece - what an item names, and none of those after it does
 * @want: the item
 * @start: first byte
 * @last: last byte
 *
 * Where items overlap it is the last of them that counts; so nothing is gone
 * through twice, but for a grant that is in several pieces. Those come in the
 * order of their items: the last one that names any of a grant is its lease.
 */
struct piece {
	struct sluice_want *want;
	u64 start;
	u64 last;
};

/* Return: false if nothing is left of the item from @piece->start on. */
static bool piece_trim(const struct sluice_wants *items, struct piece *piece)
{
	const struct sluice_want *end = items->wants + items->count, *later;

	piece->last = piece->want->last;
	for (later = piece->want + 1; later < end; later++) {
		if (!sluice_ranges_overlap(later->start, later->last,
					   piece->start, piece->last) ||
		    !sluice_wants_same(later, piece->want))
			continue;
		if (later->start > piece->start) {
			piece->last = later->start - 1;
			continue;
		}
		if (later->last >= piece->want->last)
			return false;
		piece->start = later->last + 1;
		piece->last = piece->want->last;
		/* Those before may name what begins there. */
		later = piece->want;
	}
	return true;
}

/* Find the next one; @piece is zeroed before the first. */
static bool piece_next(const struct sluice_wants *items, struct piece *piece)
{
	struct sluice_want *end = items->wants + items->count;

	if (piece->want && piece->last != piece->want->last) {
		piece->start = piece->last + 1;
		if (piece_trim(items, piece))
			return true;
	}
	piece->want = piece->want ? piece->want + 1 : items->wants;
	for (; piece->want < end; piece->want++) {
		piece->start = piece->want->start;
		if (piece_trim(items, piece))
			return true;
	}
	return false;
}

static bool renew_check(const struct sluice_wants *items)
{
	struct sluice_resource *resource;
	struct piece piece = {};

	while (piece_next(items, &piece)) {
		resource = want_resource(piece.want);
		if (!resource ||
		    !sluice_grant_covers(piece.want->holder, resource,
					 piece.start, piece.last, NULL))
			return false;
	}
	return true;
}

static u32 renew_needs(const struct piece *piece)
{
	struct sluice_resource *resource = want_resource(piece->want);
	struct sluice_grant *grant;
	u32 needs = 0;

	if (!piece->want->lease)
		return 0;
	for (grant = sluice_grant_own(piece->want->holder, resource,
				      piece->start, piece->last);
	     grant; grant = sluice_grant_own_next(grant, piece->last))
		needs += !grant->revoked;
	return needs;
}

static void renew_do(const struct piece *piece, u64 now,
		     struct tellings *tellings)
{
	struct sluice_resource *resource = want_resource(piece->want);
	struct sluice_holder *holder = piece->want->holder;
	u64 lease = piece->want->lease;
	struct sluice_grant *grant;

	for (grant = sluice_grant_own(holder, resource, piece->start,
				      piece->last);
	     grant; grant = sluice_grant_own_next(grant, piece->last)) {
		if (lease && !grant->revoked)
			grant->revoked = tellings_take(tellings);
		sluice_grant_lease(grant, lease ? now + lease : 0);
	}
}

/* Return: 0, -ESTALE, or how many tellings it takes. */
static int renew_try(struct sluice_holder *holder, struct sluice_wants *items,
		     struct tellings *tellings)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	u64 now = ktime_get_ns();
	struct piece piece = {};
	u32 needs = 0;
	int ret = 0;

	if (!renew_check(items))
		ret = -ESTALE;
	while (!ret && piece_next(items, &piece))
		needs += renew_needs(&piece);
	/* Each grant takes one, in however many pieces it is. */
	needs = min_t(u64, needs, holder->held_count);
	if (!ret && needs > tellings->count)
		ret = needs;
	memset(&piece, 0, sizeof(piece));
	while (!ret && piece_next(items, &piece))
		renew_do(&piece, now, tellings);
	sluice_domain_unlock(domain);
	return ret;
}

long sluice_held_renew(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	struct sluice_wants items sluice_unset;
	struct tellings tellings = { LIST_HEAD_INIT(tellings.list) };
	int ret;

	if (arg->flags || arg->resv)
		return -EINVAL;
	ret = sluice_wants_get(&items, holder, arg->items, arg->count,
			       arg->entry_size, SLUICE_TO_CHANGE);
	if (ret)
		return ret;
	do {
		ret = renew_try(holder, &items, &tellings);
		if (ret > 0)
			ret = tellings_get(&tellings, ret) ?: -EAGAIN;
	} while (ret == -EAGAIN);
	tellings_free(&tellings);
	sluice_wants_free(&items);
	return ret;
}

static int recover_check(const struct sluice_wants *items)
{
	struct sluice_want *want;
	u32 i, cuts = 0;

	for (i = 0; i < items->count; i++)
		if (!want_held(&items->wants[i], sluice_mode_writes))
			return -EPERM;
	for (i = 0; i < items->count; i++) {
		want = &items->wants[i];
		if (!sluice_resource_may_unmark(want_resource(want), want->start,
						want->last, &cuts))
			return -EDQUOT;
	}
	return 0;
}

/* Is @i the first item of its resource? */
static bool want_is_first(const struct sluice_wants *items, u32 i)
{
	u32 j;

	for (j = 0; j < i; j++)
		if (sluice_wants_same(&items->wants[j], &items->wants[i]))
			return false;
	return true;
}

/* Return: whether anything was lost, and is no more. */
static bool recover_do(struct sluice_want *want, bool lost,
		       struct list_head *dirty)
{
	struct sluice_resource *resource = want_resource(want);
	struct sluice_grant *mark;
	bool found = sluice_resource_unmark(resource, want->start, want->last,
					    want->spares);

	mark = lost ? sluice_spare_take(want->spares) : NULL;
	if (mark) {
		mark->start = want->start;
		mark->last = want->last;
		mark->since = ktime_get_ns();
		mark->resource = resource;
		sluice_resource_mark(resource, mark, true);
	}
	sluice_resource_dirty(resource, dirty);
	return found && !lost;
}

long sluice_held_recover(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	bool lost = arg->flags == SLUICE_RECOVER_LOST, found = false;
	struct sluice_domain *domain;
	struct sluice_wants items sluice_unset;
	LIST_HEAD(dirty);
	u32 i, turns = 0;
	int ret;

	if ((arg->flags != SLUICE_RECOVER_CONSISTENT &&
	     arg->flags != SLUICE_RECOVER_LOST) || arg->resv)
		return -EINVAL;
	ret = sluice_wants_get(&items, holder, arg->items, arg->count,
			       arg->entry_size, SLUICE_TO_CHANGE);
	if (ret)
		return ret;
	sluice_wants_unite(&items);
	ret = spares_get(&items);
	domain = sluice_domain_lock(holder->domain);
	if (!ret)
		ret = recover_check(&items);
	for (i = 0; i < items.count && !ret; i++)
		found |= recover_do(&items.wants[i], lost, &dirty);
	sluice_request_pass(&dirty);
	for (i = 0; i < items.count && !ret && (lost || found); i++)
		if (want_is_first(&items, i))
			sluice_deadlock_lost(want_resource(&items.wants[i]),
					     found, &turns);
	sluice_domain_unlock(domain);
	sluice_wants_free(&items);
	return ret;
}

/*
 * The value block.
 */
static bool holds_some(struct sluice_holder *holder,
		       struct sluice_resource *resource, bool to_set)
{
	u32 fit = to_set ? BIT(SLUICE_PW) | BIT(SLUICE_EX) :
			   ~(u32)BIT(SLUICE_NL);

	return sluice_grant_modes(holder, resource) & fit;
}

static int value_do(struct sluice_holder *holder, struct sluice_value *value,
		    struct sluice_resource *resource)
{
	bool set = value->flags & SLUICE_VALUE_SET;

	if (!resource || !holds_some(holder, resource, set))
		return -EPERM;
	if (set) {
		memcpy(resource->value, value->value, SLUICE_VALUE_SIZE);
		resource->has_value = memchr_inv(value->value, 0,
						 SLUICE_VALUE_SIZE);
		return 0;
	}
	memcpy(value->value, resource->value, SLUICE_VALUE_SIZE);
	value->status = sluice_resource_status(resource, 0, SLUICE_END);
	return 0;
}

long sluice_held_value(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_value *value = &call->arg.value;
	struct sluice_lockspace *space;
	struct sluice_domain *domain;
	struct sluice_key key = {};
	u32 access;
	int ret;

	if (value->flags & ~SLUICE_VALUE_SET)
		return -EINVAL;
	/* Once it is set, there must be nothing that can fail. */
	call->replied = value->flags & SLUICE_VALUE_SET;
	ret = sluice_key_find(&key, value->kind, value->key, value->key_len,
			      value->fd);
	if (ret)
		return ret;
	space = sluice_lockspace_fget(value->lockspace, &access);
	if (IS_ERR(space))
		return PTR_ERR(space);
	sluice_domain_join(holder->domain, space->domain);
	domain = sluice_domain_lock(holder->domain);
	ret = value_do(holder, value, resource_seen(space, &key));
	sluice_domain_unlock(domain);
	sluice_lockspace_put(space);
	return ret;
}
