/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holders that ask and let go at random, through what lock.c calls, and what
 * is there written down for the oracle.
 *
 * Locks: what begins with crowd_ locks the domain itself.
 */
#ifndef SLUICE_TESTS_CROWD_H
#define SLUICE_TESTS_CROWD_H

#include <linux/slab.h>

#include "../deadlock.h"
#include "../lock.h"
#include "../request.h"
#include "oracle.h"
#include "scene.h"

#define CROWD_SPACES	3
#define CROWD_ITEMS	4

/**
 * struct crowd - holders, and what they fight for
 * @spaces: resource number n is of number n % CROWD_SPACES
 * @holders: by number
 * @count: of them, ORACLE_HOLDERS at most if the oracle is asked
 * @resources: that are used
 * @rnd: what decides
 */
struct crowd {
	struct sluice_lockspace *spaces[CROWD_SPACES];
	struct sluice_holder **holders;
	u32 count;
	u32 resources;
	struct rnd_state rnd;
};

/**
 * struct crowd_ask - a request
 * @flags: SLUICE_LOCK_*
 * @priority: of it
 * @count: wants
 * @item: resource, mode, start and last of each
 */
struct crowd_ask {
	u32 flags;
	s32 priority;
	u32 count;
	struct oracle_range item[CROWD_ITEMS];
};

static inline struct sluice_lockspace *crowd_space(struct crowd *crowd, u32 r)
{
	return crowd->spaces[r % CROWD_SPACES];
}

static inline struct sluice_domain *crowd_lock(struct crowd *crowd)
{
	return sluice_domain_lock(crowd->spaces[0]->domain);
}

static inline void crowd_exit(struct crowd *crowd)
{
	u32 i;

	for (i = 0; crowd->holders && i < crowd->count; i++)
		if (!IS_ERR_OR_NULL(crowd->holders[i]))
			sluice_holder_end(crowd->holders[i]);
	kvfree(crowd->holders);
	crowd->holders = NULL;
	for (i = 0; i < CROWD_SPACES; i++) {
		if (!IS_ERR_OR_NULL(crowd->spaces[i]))
			sluice_object_unuse(&crowd->spaces[i]->object);
		crowd->spaces[i] = NULL;
	}
}

/*
 * @victim: of all lockspaces, or 0 for a different policy in each.
 * Return: 0 or -ENOMEM; crowd_exit() in either case.
 */
static inline int crowd_init(struct crowd *crowd, u32 count, u32 resources,
			     u32 victim)
{
	u32 i;

	crowd->count = count;
	crowd->resources = resources;
	crowd->holders = kvcalloc(count, sizeof(*crowd->holders), GFP_KERNEL);
	if (!crowd->holders)
		return -ENOMEM;
	for (i = 0; i < CROWD_SPACES; i++) {
		crowd->spaces[i] = scene_space(victim ?: 1 + i);
		if (IS_ERR(crowd->spaces[i]))
			return -ENOMEM;
		sluice_domain_join(crowd->spaces[0]->domain,
				   crowd->spaces[i]->domain);
	}
	for (i = 0; i < count; i++) {
		crowd->holders[i] = scene_holder(crowd->spaces[0]);
		if (IS_ERR(crowd->holders[i]))
			return -ENOMEM;
	}
	return 0;
}

/* A request that nobody has heard the end of. */
static inline bool crowd_busy(const struct crowd *crowd, u32 h)
{
	return crowd->holders[h]->request.wants;
}

static inline bool crowd_waits(const struct crowd *crowd, u32 h)
{
	return sluice_request_waits(&crowd->holders[h]->request);
}

/* Mostly one who can do something. */
static inline u32 crowd_somebody(struct crowd *crowd)
{
	u32 h = scene_pick(&crowd->rnd, crowd->count), i;

	if (!scene_pick(&crowd->rnd, 16))
		return h;
	for (i = 0; i < crowd->count && crowd_waits(crowd, h); i++)
		h = (h + 1) % crowd->count;
	return h;
}

static inline struct sluice_want *crowd_wants(struct crowd *crowd, u32 h,
					      const struct crowd_ask *ask)
{
	struct sluice_want *wants, *want;
	struct sluice_lockspace *space;
	u32 i;

	wants = kvcalloc(ask->count, sizeof(*wants), GFP_KERNEL);
	for (i = 0; wants && i < ask->count; i++) {
		want = &wants[i];
		want->holder = crowd->holders[h];
		space = crowd_space(crowd, ask->item[i].resource);
		want->space = sluice_lockspace_get(space);
		scene_key(&want->key, ask->item[i].resource);
		want->start = ask->item[i].start;
		want->last = ask->item[i].last;
		want->mode = ask->item[i].mode;
		if (sluice_want_prepare(want))
			WARN_ON_ONCE(1);
	}
	return wants;
}

/* Return: as sluice_request_start(); crowd_hear() if not -EINPROGRESS. */
static inline int crowd_start(struct crowd *crowd, u32 h,
			      const struct crowd_ask *ask)
{
	struct sluice_request *request = &crowd->holders[h]->request;
	struct sluice_want *wants = crowd_wants(crowd, h, ask);
	struct sluice_domain *domain;
	int ret;

	if (!wants)
		return -ENOMEM;
	domain = crowd_lock(crowd);
	request->wants = wants;
	request->count = ask->count;
	request->flags = ask->flags;
	request->priority = ask->priority;
	request->deadline = SLUICE_NO_DEADLINE;
	request->error = 0;
	ret = sluice_request_start(request);
	sluice_domain_unlock(domain);
	return ret;
}

/* Be done with a request that waits no more. */
static inline void crowd_hear(struct crowd *crowd, u32 h, bool keep)
{
	struct sluice_holder *holder = crowd->holders[h];
	struct sluice_domain *domain = crowd_lock(crowd);

	sluice_request_finish(&holder->request, keep);
	holder->news = 0;
	sluice_domain_unlock(domain);
	sluice_lock_forget(holder);
}

static inline bool crowd_weaker(struct sluice_holder *holder,
				struct sluice_resource *resource,
				const struct oracle_range *to)
{
	struct sluice_grant *grant;

	for (grant = sluice_grant_own(holder, resource, to->start, to->last);
	     grant; grant = sluice_grant_own_next(grant, to->last))
		if (!sluice_mode_covers(grant->mode, to->mode))
			return false;
	return true;
}

/* Return: whether there are all. */
static inline bool crowd_spares(const struct sluice_holder *holder,
				struct sluice_grant **spares)
{
	bool all = true;
	u32 i;

	for (i = 0; i < SLUICE_SPARES; i++) {
		spares[i] = sluice_grant_new(holder->user);
		if (IS_ERR(spares[i])) {
			spares[i] = NULL;
			all = false;
		}
	}
	return all;
}

static inline void crowd_spares_free(struct sluice_grant **spares)
{
	u32 i;

	for (i = 0; i < SLUICE_SPARES; i++)
		sluice_grant_free(spares[i]);
}

/* Let go of a range, or weaken it where that is what it would be. */
static inline void crowd_unlock(struct crowd *crowd, u32 h,
				const struct oracle_range *to)
{
	struct sluice_holder *holder = crowd->holders[h];
	struct sluice_grant *spares[SLUICE_SPARES];
	struct sluice_resource *resource;
	struct sluice_domain *domain;
	struct sluice_key key;
	LIST_HEAD(dirty);

	WARN_ON_ONCE(!crowd_spares(holder, spares));
	scene_key(&key, to->resource);
	domain = crowd_lock(crowd);
	resource = sluice_resource_find(crowd_space(crowd, to->resource), &key);
	if (resource && crowd_weaker(holder, resource, to) &&
	    sluice_grant_set(holder, resource, to->start, to->last, to->mode,
			     spares))
		sluice_resource_dirty(resource, &dirty);
	sluice_request_pass(&dirty);
	sluice_deadlock_resolve(&holder->request);
	sluice_domain_unlock(domain);
	crowd_spares_free(spares);
}

static inline void crowd_unlock_all(struct crowd *crowd, u32 h)
{
	sluice_holder_leave(crowd->holders[h], false);
}

static inline void crowd_cancel(struct crowd *crowd, u32 h)
{
	struct sluice_domain *domain = crowd_lock(crowd);
	LIST_HEAD(dirty);

	if (crowd_waits(crowd, h)) {
		sluice_request_fail(&crowd->holders[h]->request, -ECANCELED,
				    &dirty);
		sluice_request_pass(&dirty);
	}
	sluice_domain_unlock(domain);
}

/* Return: whether there is another in its place. */
static inline bool crowd_die(struct crowd *crowd, u32 h)
{
	sluice_holder_end(crowd->holders[h]);
	crowd->holders[h] = scene_holder(crowd->spaces[0]);
	return !IS_ERR(crowd->holders[h]);
}

/*
 * Writing it down. The domain is locked.
 */
static inline u32 crowd_number(const struct crowd *crowd,
			       const struct sluice_holder *holder)
{
	u32 h;

	for (h = 0; h < crowd->count; h++)
		if (crowd->holders[h] == holder)
			break;
	return h;
}

static inline void crowd_write_grant(const struct crowd *crowd,
				     struct oracle *o, u32 r,
				     const struct sluice_grant *grant)
{
	o->grant[o->grants++] = (struct oracle_range) {
		.holder = crowd_number(crowd, grant->holder),
		.resource = r,
		.mode = grant->mode,
		.start = grant->start,
		.last = grant->last,
		.fresh = grant->fresh,
	};
}

static inline void crowd_write_want(const struct crowd *crowd,
				    struct oracle *o, u32 r,
				    const struct sluice_want *want)
{
	o->want[o->wants++] = (struct oracle_range) {
		.holder = crowd_number(crowd, want->holder),
		.resource = r,
		.mode = want->mode,
		.start = want->start,
		.last = want->last,
		.jumps = want->jumps,
		.lost = sluice_want_lost(want),
		.item = want - want->holder->request.wants,
		.priority = want->holder->request.priority,
		.passed = want->passed,
	};
}

static inline struct sluice_resource *crowd_resource(struct crowd *crowd, u32 r)
{
	struct sluice_key key;

	scene_key(&key, r);
	return sluice_resource_find(crowd_space(crowd, r), &key);
}

/* Return: whether there was room for it. */
static inline bool crowd_write(struct crowd *crowd, struct oracle *o)
{
	struct sluice_resource *resource;
	struct sluice_grant *grant;
	struct sluice_want *want;
	u32 r, h;

	o->grants = 0;
	o->wants = 0;
	o->waits = 0;
	o->any = 0;
	for (h = 0; h < crowd->count; h++) {
		if (!crowd_waits(crowd, h))
			continue;
		o->waits |= BIT(h);
		if (sluice_request_any(&crowd->holders[h]->request))
			o->any |= BIT(h);
	}
	for (r = 0; r < crowd->resources; r++) {
		resource = crowd_resource(crowd, r);
		if (!resource)
			continue;
		for (grant = sluice_grant_any(resource, NULL);
		     grant && o->grants < ORACLE_GRANTS;
		     grant = sluice_grant_any(resource, grant))
			crowd_write_grant(crowd, o, r, grant);
		list_for_each_entry(want, &resource->waiters, queued)
			if (o->wants < ORACLE_WANTS)
				crowd_write_want(crowd, o, r, want);
	}
	return o->grants < ORACLE_GRANTS && o->wants < ORACLE_WANTS;
}

#define CROWD_PASSED_MAX	64

/* The oracle's idea of @h beginning to wait for what it asks for. */
static inline void crowd_suppose(struct oracle *o, u32 h,
				 const struct crowd_ask *ask)
{
	const struct oracle_range *ahead;
	struct oracle_range want;
	bool follows;
	u32 i, at;

	o->waits |= BIT(h);
	o->any &= ~BIT(h);
	if (ask->flags & SLUICE_LOCK_ANY)
		o->any |= BIT(h);
	for (i = 0; i < ask->count; i++) {
		want = ask->item[i];
		want.holder = h;
		want.item = i;
		want.priority = ask->priority;
		follows = false;
		for (at = 0; at < o->wants; at++)
			follows |= o->want[at].holder == h &&
				o->want[at].resource == want.resource;
		for (; at > 0; at--) {
			ahead = &o->want[at - 1];
			if (ahead->resource != want.resource)
				continue;
			if (follows ? ahead->holder == h :
			    ahead->priority >= want.priority ||
			    ahead->passed >= CROWD_PASSED_MAX)
				break;
		}
		memmove(&o->want[at + 1], &o->want[at],
			(o->wants++ - at) * sizeof(want));
		o->want[at] = want;
	}
}

/* Two items may be of one resource if they are apart. */
static inline void crowd_beside(struct oracle_range *item,
				const struct oracle_range *before)
{
	if (before->last == SLUICE_END)
		return;
	item->resource = before->resource;
	item->start = before->last + 1;
	if (item->last < item->start)
		item->last = item->start;
}

/* A random request; few resources and modes, so that they meet. */
static inline void crowd_ask_random(struct crowd *crowd, struct crowd_ask *ask,
				    u32 items)
{
	struct rnd_state *rnd = &crowd->rnd;
	struct oracle_range *item;
	u32 i, from;

	memset(ask, 0, sizeof(*ask));
	ask->flags = scene_pick(rnd, 3) ? SLUICE_LOCK_ASYNC : 0;
	ask->flags |= scene_pick(rnd, 3) ? 0 : SLUICE_LOCK_ANY;
	ask->priority = scene_pick(rnd, 4) ? 0 : (s32)scene_pick(rnd, 3) - 1;
	ask->count = 1 + scene_pick(rnd, items);
	from = scene_pick(rnd, crowd->resources);
	for (i = 0; i < ask->count; i++) {
		item = &ask->item[i];
		item->resource = (from + i) % crowd->resources;
		item->mode = scene_pick(rnd, 2) ? scene_mode(rnd) :
			scene_pick(rnd, 2) ? SLUICE_PR : SLUICE_EX;
		item->start = scene_pick(rnd, 2) ? 0 : scene_pick(rnd, 4) * 10;
		item->last = scene_pick(rnd, 2) ? SLUICE_END :
			item->start + scene_pick(rnd, 20);
		if (i && !scene_pick(rnd, 4))
			crowd_beside(item, item - 1);
	}
}

#endif
