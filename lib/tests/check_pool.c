// SPDX-License-Identifier: LGPL-2.1-or-later
/* The allocator, against a map of which granule is whose. */
#include <stdlib.h>

#include "ring/pool.h"
#include "suites.h"

#define SEGMENT		(64 * 1024)
#define GRANULES	(SEGMENT / SL_GRANULE)
#define BLOCKS_MAX	4096

static struct sl_pool pool;
static _Alignas(64) unsigned char memory[SLUICE_SEGMENTS_MAX][SEGMENT];

/* The oracle: which live block has each granule, 0 if none. */
static uint32_t owner[SLUICE_SEGMENTS_MAX][GRANULES];
static struct { uint32_t id; uint64_t length; } live[BLOCKS_MAX];
static uint32_t lives;

static void setup(void)
{
	sl_pool_init(&pool);
	memset(owner, 0, sizeof(owner));
	lives = 0;
	ck_assert_int_eq(sl_pool_add(&pool, memory[0], SEGMENT), 0);
}

static void teardown(void)
{
	sl_pool_deinit(&pool);
}

static uint64_t granules(uint64_t length)
{
	return (length + SL_GRANULE - 1) / SL_GRANULE;
}

static void own(uint32_t id, uint64_t from, uint64_t to, uint32_t old,
		uint32_t new)
{
	uint32_t *map = owner[sl_pool_segment(&pool, id)];
	uint64_t start = sl_pool_offset(&pool, id) / SL_GRANULE;

	for (uint64_t i = start + from; i < start + to; i++) {
		ck_assert_uint_lt(i, pool.granules[sl_pool_segment(&pool, id)]);
		ck_assert_uint_eq(map[i], old);
		map[i] = new;
	}
}

static bool oracle_alloc(uint64_t length)
{
	uint32_t id = sl_pool_alloc(&pool, length);

	if (id == SL_POOL_NONE)
		return false;
	ck_assert_uint_eq(sl_pool_offset(&pool, id) % SL_GRANULE, 0);
	ck_assert_ptr_eq(sl_pool_data(&pool, id),
			 memory[sl_pool_segment(&pool, id)] +
			 sl_pool_offset(&pool, id));
	own(id, 0, granules(length), 0, id + 1);
	live[lives].id = id;
	live[lives++].length = length;
	return true;
}

static void oracle_free(uint32_t n)
{
	own(live[n].id, 0, granules(live[n].length), live[n].id + 1, 0);
	sl_pool_free(&pool, live[n].id);
	live[n] = live[--lives];
}

static void oracle_shrink(uint32_t n, uint64_t length)
{
	own(live[n].id, granules(length), granules(live[n].length),
	    live[n].id + 1, 0);
	sl_pool_shrink(&pool, live[n].id, length);
	live[n].length = length;
}

static uint64_t oracle_used(void)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < lives; i++)
		used += granules(live[i].length) * SL_GRANULE;
	return used;
}

/* Is there a free run this long? Then allocation must not fail. */
static bool oracle_fits(uint64_t count)
{
	for (uint32_t s = 0; s < pool.segments; s++) {
		uint64_t run = 0;

		for (uint32_t i = 0; i < pool.granules[s]; i++) {
			run = owner[s][i] ? 0 : run + 1;
			if (run >= count)
				return true;
		}
	}
	return false;
}

static uint64_t random_length(void)
{
	uint64_t shift = random() % 14;

	return 1 + random() % (8ULL << shift);
}

static void random_step(void)
{
	uint64_t length = random_length();
	uint32_t n = lives ? random() % lives : 0;
	int what = random() % 8;

	if (what < 4 && lives < BLOCKS_MAX) {
		bool fits = oracle_fits(granules(length));

		ck_assert_int_eq(oracle_alloc(length), fits);
	} else if (what == 4 && lives) {
		oracle_shrink(n, 1 + random() % live[n].length);
	} else if (lives) {
		oracle_free(n);
	}
	ck_assert_uint_eq(pool.used, oracle_used());
}

START_TEST(random_against_oracle)
{
	srandom(_i + 1);
	for (int step = 0; step < 20000; step++) {
		if (step % 4000 == 3999 && pool.segments < 4)
			ck_assert_int_eq(sl_pool_add(&pool,
						     memory[pool.segments],
						     SEGMENT), 0);
		random_step();
	}
	while (lives)
		oracle_free(random() % lives);
	for (uint32_t s = 0; s < pool.segments; s++)
		ck_assert(oracle_alloc(SEGMENT));
	ck_assert(!oracle_alloc(1));
}
END_TEST

START_TEST(whole_segment)
{
	ck_assert(oracle_alloc(SEGMENT));
	ck_assert(!oracle_alloc(1));
	oracle_free(0);
	ck_assert(!oracle_alloc(SEGMENT + 1));
	ck_assert(oracle_alloc(SEGMENT - 1));
	ck_assert(!oracle_alloc(1));
}
END_TEST

START_TEST(every_granule_then_none)
{
	for (int i = 0; i < GRANULES; i++)
		ck_assert(oracle_alloc(1));
	ck_assert(!oracle_alloc(1));
	ck_assert_uint_eq(pool.used, SEGMENT);
}
END_TEST

/* Every other one is freed, then the rest: no hole may remain. */
START_TEST(coalesces)
{
	for (int i = 0; i < GRANULES; i++)
		ck_assert(oracle_alloc(SL_GRANULE));
	for (int i = GRANULES - 2; i >= 0; i -= 2)
		oracle_free(i);
	ck_assert(!oracle_alloc(2 * SL_GRANULE));
	while (lives)
		oracle_free(lives - 1);
	ck_assert(oracle_alloc(SEGMENT));
}
END_TEST

START_TEST(segments_do_not_coalesce)
{
	ck_assert_int_eq(sl_pool_add(&pool, memory[1], SEGMENT), 0);
	ck_assert_uint_eq(pool.greatest, SEGMENT);
	ck_assert_uint_eq(pool.size, 2 * SEGMENT);
	ck_assert(!oracle_alloc(SEGMENT + 64));
	ck_assert(oracle_alloc(SEGMENT));
	ck_assert(oracle_alloc(SEGMENT));
	ck_assert(!oracle_alloc(1));
}
END_TEST

START_TEST(segment_bounds)
{
	struct sl_pool none;

	sl_pool_init(&none);
	ck_assert_uint_eq(sl_pool_alloc(&none, 1), SL_POOL_NONE);
	ck_assert_int_eq(sl_pool_add(&none, memory[0], 63), -EINVAL);
	ck_assert_int_eq(sl_pool_add(&none, memory[0], 1ULL << 50), -EINVAL);
	for (int i = 0; i < SLUICE_SEGMENTS_MAX; i++)
		ck_assert_int_eq(sl_pool_add(&none, memory[i], 127), 0);
	ck_assert_int_eq(sl_pool_add(&none, memory[0], 64), -ENOSPC);
	ck_assert_uint_eq(none.size, SLUICE_SEGMENTS_MAX * SL_GRANULE);
	sl_pool_deinit(&none);
	sl_pool_deinit(&none);
}
END_TEST

/* The greatest segment there can be: no list index may leave the tables. */
START_TEST(huge_segment)
{
	uint64_t size = (uint64_t)INT32_MAX * SL_GRANULE;
	struct sl_pool huge;
	uint32_t id;

	sl_pool_init(&huge);
	ck_assert_int_eq(sl_pool_add(&huge, memory[0], size), 0);
	id = sl_pool_alloc(&huge, size);
	ck_assert_uint_ne(id, SL_POOL_NONE);
	ck_assert_uint_eq(sl_pool_length(&huge, id), size);
	sl_pool_shrink(&huge, id, size / 2);
	ck_assert_uint_ne(sl_pool_alloc(&huge, size / 2 - 4096), SL_POOL_NONE);
	sl_pool_deinit(&huge);
}
END_TEST

START_TEST(shrink)
{
	ck_assert(oracle_alloc(SEGMENT));
	oracle_shrink(0, 1);
	ck_assert_uint_eq(pool.used, SL_GRANULE);
	ck_assert(oracle_alloc(SEGMENT - SL_GRANULE));
	ck_assert(!oracle_alloc(1));
	oracle_free(1);
	ck_assert(oracle_alloc(100));
	oracle_shrink(1, 100);
	oracle_shrink(1, 64);
	ck_assert(oracle_alloc(SEGMENT - 2 * SL_GRANULE));
}
END_TEST

Suite *suite_pool(void)
{
	Suite *suite = suite_create("pool");
	TCase *tc = tcase_create("pool");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_against_oracle, 0, 4);
	tcase_add_test(tc, whole_segment);
	tcase_add_test(tc, every_granule_then_none);
	tcase_add_test(tc, coalesces);
	tcase_add_test(tc, segments_do_not_coalesce);
	tcase_add_test(tc, segment_bounds);
	tcase_add_test(tc, huge_segment);
	tcase_add_test(tc, shrink);
	suite_add_tcase(suite, tc);
	return suite;
}
