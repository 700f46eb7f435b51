/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who waits for whom, in the plainest words: arrays, and loops over all of them.
 * It shares the table of modes with the module, which mode_test.c is about, and
 * nothing else.
 */
#ifndef SLUICE_TESTS_ORACLE_H
#define SLUICE_TESTS_ORACLE_H

#include <kunit/test.h>
#include <linux/bits.h>

#include "../mode.h"

#define ORACLE_HOLDERS	16
#define ORACLE_GRANTS	256
#define ORACLE_WANTS	80

/**
 * struct oracle_range - what somebody has or wants
 * @holder: by number
 * @resource: by number
 * @mode: enum sluice_mode
 * @start: first byte
 * @last: last byte
 * @fresh: a grant that is not taken notice of yet
 * @jumps: a want that does not queue
 * @lost: a want that cannot be had, but another of its request may be
 * @item: number of the want in its request
 * @priority: of the want's request
 * @passed: so many went ahead of the want
 */
struct oracle_range {
	u32 holder;
	u32 resource;
	u8 mode;
	u64 start;
	u64 last;
	bool fresh;
	bool jumps;
	bool lost;
	u32 item;
	s32 priority;
	u32 passed;
};

/**
 * struct oracle - all there is
 * @grant: in any order
 * @grants: of them
 * @want: those of one resource in the order of its queue
 * @wants: of them
 * @waits: set of holders whose request waits
 * @any: set of those of which one want is enough
 */
struct oracle {
	struct oracle_range grant[ORACLE_GRANTS];
	u32 grants;
	struct oracle_range want[ORACLE_WANTS];
	u32 wants;
	u32 waits;
	u32 any;
};

static inline bool oracle_against(const struct oracle_range *a,
				  const struct oracle_range *b)
{
	return a->resource == b->resource && a->start <= b->last &&
		b->start <= a->last && sluice_mode_conflict(a->mode, b->mode);
}

/* Has the holder of @want what @ahead waits for? */
static inline bool oracle_exempt(const struct oracle *o,
				 const struct oracle_range *want,
				 const struct oracle_range *ahead)
{
	u32 i;

	for (i = 0; i < o->grants; i++)
		if (o->grant[i].holder == want->holder &&
		    !o->grant[i].fresh && oracle_against(&o->grant[i], ahead))
			return true;
	return false;
}

/* Return: the set of holders that want number @at waits for. */
static inline u32 oracle_blockers(const struct oracle *o, u32 at,
				  bool held_only)
{
	const struct oracle_range *want = &o->want[at], *other;
	u32 set = 0, i;

	for (i = 0; i < o->grants; i++) {
		other = &o->grant[i];
		if (other->holder != want->holder &&
		    oracle_against(other, want))
			set |= BIT(other->holder);
	}
	for (i = 0; i < at && !held_only && !want->jumps; i++) {
		other = &o->want[i];
		if (other->holder != want->holder && !other->lost &&
		    oracle_against(other, want) &&
		    !oracle_exempt(o, want, other))
			set |= BIT(other->holder);
	}
	return set;
}

/* Of each want, who is in its way. */
struct oracle_ways {
	u32 set[ORACLE_WANTS];
};

static inline void oracle_look(const struct oracle *o, bool held_only,
			       struct oracle_ways *ways)
{
	u32 i;

	for (i = 0; i < o->wants; i++)
		ways->set[i] = oracle_blockers(o, i, held_only);
}

/* Would @holder get what it wants if all of @gone were out of the way? */
static inline bool oracle_served(const struct oracle *o,
				 const struct oracle_ways *ways, u32 holder,
				 u32 gone)
{
	bool any = o->any & BIT(holder), blocked;
	u32 i;

	for (i = 0; i < o->wants; i++) {
		if (o->want[i].holder != holder)
			continue;
		blocked = o->want[i].lost || ways->set[i] & ~gone;
		if (blocked != any)
			return any;
	}
	return !any;
}

/* Return: the set of holders who wait though they need not. */
static inline u32 oracle_idle(const struct oracle *o)
{
	struct oracle_ways ways;
	u32 idle = 0, h;

	oracle_look(o, false, &ways);
	for (h = 0; h < ORACLE_HOLDERS; h++)
		if (o->waits & BIT(h) && oracle_served(o, &ways, h, 0))
			idle |= BIT(h);
	return idle;
}

/* Return: the set of holders who wait for ever. */
static inline u32 oracle_stuck(const struct oracle *o, bool held_only)
{
	u32 stuck = o->waits, before, h;
	struct oracle_ways ways;

	oracle_look(o, held_only, &ways);
	do {
		before = stuck;
		for (h = 0; h < ORACLE_HOLDERS; h++)
			if (stuck & BIT(h) &&
			    oracle_served(o, &ways, h, ~stuck))
				stuck &= ~BIT(h);
	} while (stuck != before);
	return stuck;
}

/* For a message: what a state is like. */
static inline void oracle_show(struct kunit *test, const struct oracle *o)
{
	const struct oracle_range *range;
	u32 i;

	for (i = 0; i < o->grants + o->wants; i++) {
		range = i < o->grants ? &o->grant[i] :
					&o->want[i - o->grants];
		kunit_err(test, "%u %s%s %u mode %u [%llu, %llu]\n",
			  range->holder, i < o->grants ? "has" :
			  o->any & BIT(range->holder) ? "may want" : "wants",
			  range->jumps ? ", jumping," : "", range->resource,
			  range->mode, range->start, range->last);
	}
}

#endif
