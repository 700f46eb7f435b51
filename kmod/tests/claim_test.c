// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: claim bookkeeping, against an oracle that keeps a state for every
 * position there ever was.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../claim.h"

#define SLOTS		8
#define POSITIONS	4096
#define SEEDS		16

enum oracle_state {
	UNCLAIMED,
	CLAIMED,
	RETURNED,
	FINISHED,
};

struct oracle {
	u8 state[POSITIONS];
	bool marked[POSITIONS];
	u64 done;	/* all before it are finished, and stay so */
	u64 next;
};

struct claim_fixture {
	struct sluice_claims_lane lane;
	struct oracle *oracle;
	struct rnd_state rnd;
};

static int claim_init(struct kunit *test)
{
	struct claim_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->oracle = kunit_kzalloc(test, sizeof(*f->oracle), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->oracle);
	KUNIT_ASSERT_EQ(test, 0, sluice_claims_lane_init(&f->lane, SLOTS));
	test->priv = f;
	return 0;
}

static void claim_exit(struct kunit *test)
{
	struct claim_fixture *f = test->priv;

	if (f)
		sluice_claims_lane_free(&f->lane);
}

static u64 oracle_done(struct oracle *o)
{
	while (o->done < o->next && o->state[o->done] == FINISHED)
		o->done++;
	return o->done;
}

/* What a claim must give: the oldest returned, or the next, or nothing. */
static bool oracle_take(struct oracle *o, bool published, u64 *position)
{
	u64 done = oracle_done(o), p;

	for (p = done; p < o->next; p++)
		if (o->state[p] == RETURNED)
			goto found;
	if (!published || o->next - done == SLOTS)
		return false;
	p = o->next++;
found:
	o->state[p] = CLAIMED;
	*position = p;
	return true;
}

/* A random claimed position at or after a random one, or -1. */
static s64 oracle_claimed(struct oracle *o, u32 random)
{
	u64 done = oracle_done(o), span = o->next - done, i, p;

	for (i = 0; i < span; i++) {
		p = done + (random + i) % span;
		if (o->state[p] == CLAIMED)
			return p;
	}
	return -1;
}

static void check_take(struct kunit *test, struct claim_fixture *f)
{
	bool published = prandom_u32_state(&f->rnd) & 3, redelivered;
	u64 position = 0, expected = 0;
	bool want = oracle_take(f->oracle, published, &expected);

	KUNIT_ASSERT_EQ(test, want,
			sluice_claims_take(&f->lane, published, &position,
					   &redelivered));
	if (!want)
		return;
	KUNIT_ASSERT_EQ(test, expected, position);
	KUNIT_ASSERT_EQ(test, f->oracle->marked[position], redelivered);
}

static void check_end(struct kunit *test, struct claim_fixture *f)
{
	u32 random = prandom_u32_state(&f->rnd);
	struct oracle *o = f->oracle;
	s64 p = oracle_claimed(o, random >> 8);
	u64 before = oracle_done(o);
	bool mark = random & 4;

	if (p < 0)
		return;
	if (random & 3) {
		o->state[p] = FINISHED;
		KUNIT_ASSERT_EQ(test, oracle_done(o) != before,
				sluice_claims_finish(&f->lane, p));
	} else {
		o->state[p] = RETURNED;
		o->marked[p] |= mark;
		sluice_claims_return(&f->lane, p, mark);
	}
}

static void claim_random(struct kunit *test)
{
	struct claim_fixture *f = test->priv;
	u32 seed;

	for (seed = 0; seed < SEEDS; seed++) {
		sluice_claims_lane_free(&f->lane);
		memset(&f->lane, 0, sizeof(f->lane));
		memset(f->oracle, 0, sizeof(*f->oracle));
		KUNIT_ASSERT_EQ(test, 0,
				sluice_claims_lane_init(&f->lane, SLOTS));
		prandom_seed_state(&f->rnd, seed);
		while (f->oracle->next < POSITIONS) {
			check_take(test, f);
			check_end(test, f);
			KUNIT_ASSERT_EQ(test, oracle_done(f->oracle),
					f->lane.done);
			KUNIT_ASSERT_EQ(test, f->oracle->next, f->lane.next);
		}
	}
}

static void claim_window(struct kunit *test)
{
	struct claim_fixture *f = test->priv;
	bool redelivered;
	u64 p, i;

	for (i = 0; i < SLOTS; i++)
		KUNIT_EXPECT_TRUE(test, sluice_claims_take(&f->lane, true, &p,
							   &redelivered));
	KUNIT_EXPECT_FALSE(test, sluice_claims_take(&f->lane, true, &p,
						    &redelivered));
	KUNIT_EXPECT_FALSE(test, sluice_claims_finish(&f->lane, 1));
	KUNIT_EXPECT_FALSE(test, sluice_claims_take(&f->lane, true, &p,
						    &redelivered));
	KUNIT_EXPECT_TRUE(test, sluice_claims_finish(&f->lane, 0));
	KUNIT_EXPECT_EQ(test, 2ULL, f->lane.done);
	KUNIT_EXPECT_TRUE(test, sluice_claims_take(&f->lane, true, &p,
						   &redelivered));
	KUNIT_EXPECT_EQ(test, (u64)SLOTS, p);
	KUNIT_EXPECT_FALSE(test, redelivered);
}

static void claim_returned_first(struct kunit *test)
{
	struct claim_fixture *f = test->priv;
	bool redelivered;
	u64 p, i;

	for (i = 0; i < 3; i++)
		sluice_claims_take(&f->lane, true, &p, &redelivered);
	sluice_claims_return(&f->lane, 2, true);
	sluice_claims_return(&f->lane, 1, false);
	sluice_claims_take(&f->lane, true, &p, &redelivered);
	KUNIT_EXPECT_EQ(test, 1ULL, p);
	KUNIT_EXPECT_FALSE(test, redelivered);
	sluice_claims_take(&f->lane, false, &p, &redelivered);
	KUNIT_EXPECT_EQ(test, 2ULL, p);
	KUNIT_EXPECT_TRUE(test, redelivered);
	KUNIT_EXPECT_FALSE(test, sluice_claims_idle(&f->lane));
	for (i = 0; i < 3; i++)
		sluice_claims_finish(&f->lane, i);
	KUNIT_EXPECT_TRUE(test, sluice_claims_idle(&f->lane));
}

/* A mark is the position's, not the slot's: it goes when that is finished. */
static void claim_mark_ends(struct kunit *test)
{
	struct claim_fixture *f = test->priv;
	bool redelivered;
	u64 p, i;

	sluice_claims_take(&f->lane, true, &p, &redelivered);
	sluice_claims_return(&f->lane, p, true);
	for (i = 0; i <= SLOTS; i++) {
		sluice_claims_take(&f->lane, true, &p, &redelivered);
		KUNIT_EXPECT_EQ(test, i, p);
		KUNIT_EXPECT_EQ(test, i == 0, redelivered);
		sluice_claims_finish(&f->lane, p);
	}
}

static void claim_drop(struct kunit *test)
{
	struct claim_fixture *f = test->priv;
	bool redelivered;
	u64 p;

	KUNIT_EXPECT_FALSE(test, sluice_claims_drop(&f->lane, false));
	KUNIT_EXPECT_TRUE(test, sluice_claims_drop(&f->lane, true));
	KUNIT_EXPECT_EQ(test, 1ULL, f->lane.done);
	sluice_claims_take(&f->lane, true, &p, &redelivered);
	sluice_claims_take(&f->lane, true, &p, &redelivered);
	KUNIT_EXPECT_FALSE(test, sluice_claims_drop(&f->lane, true));
	sluice_claims_return(&f->lane, 2, true);
	KUNIT_EXPECT_FALSE(test, sluice_claims_drop(&f->lane, true));
	sluice_claims_finish(&f->lane, 1);
	KUNIT_EXPECT_TRUE(test, sluice_claims_drop(&f->lane, true));
	KUNIT_EXPECT_EQ(test, 3ULL, f->lane.done);
	KUNIT_EXPECT_EQ(test, 0U, f->lane.returned_count);
	KUNIT_EXPECT_TRUE(test, sluice_claims_drop(&f->lane, true));
	sluice_claims_take(&f->lane, true, &p, &redelivered);
	KUNIT_EXPECT_EQ(test, 4ULL, p);
	KUNIT_EXPECT_FALSE(test, redelivered);
}

static struct kunit_case claim_cases[] = {
	KUNIT_CASE(claim_random),
	KUNIT_CASE(claim_window),
	KUNIT_CASE(claim_returned_first),
	KUNIT_CASE(claim_mark_ends),
	KUNIT_CASE(claim_drop),
	{}
};

static struct kunit_suite claim_suite = {
	.name = "sluice_claim",
	.init = claim_init,
	.exit = claim_exit,
	.test_cases = claim_cases,
};

kunit_test_suite(claim_suite);
