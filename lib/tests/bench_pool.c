// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the pool's allocator costs, next to others that could have been taken:
 * a first-fit list, a ring that frees in order only, and malloc().
 *
 * Loads: "fifo" is a publisher whose readers keep up: 256 messages in flight,
 * the oldest freed for each new one. "held" is the same with one in sixteen set
 * aside and freed at random much later, which is what held messages do. "full"
 * allocates until nothing fits, frees a random half, and so on: how much of the
 * pool can be used tells of fragmentation.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring/pool.h"

#define POOL		(4u << 20)
#define IN_FLIGHT	256
#define ASIDE		64
#define ROUNDS		1000000
#define REPEATS		7
#define LIVE_MAX	65536

/* An allocator under test; a block is any number but NONE. */
#define NONE		UINT64_MAX

struct allocator {
	const char *name;
	void (*init)(void);
	uint64_t (*alloc)(uint64_t length);
	void (*free)(uint64_t block);
	bool in_order;		/* can free in order only */
	bool bounded;		/* lives in the pool */
};

static unsigned char *memory;
static struct sl_pool pool;

static void tlsf_init(void)
{
	sl_pool_deinit(&pool);
	sl_pool_add(&pool, memory, POOL);
}

static uint64_t tlsf_alloc(uint64_t length)
{
	uint32_t id = sl_pool_alloc(&pool, length);

	return id == SL_POOL_NONE ? NONE : id;
}

static void tlsf_free(uint64_t block)
{
	sl_pool_free(&pool, block);
}

/*
 * First fit: an address-ordered list of holes in granules, each in an array by
 * its first granule, so that neighbours are found without a search.
 */
#define GRANULES	(POOL / SL_GRANULE)

static struct hole { uint32_t count, prev, next; } holes[GRANULES + 2];
static uint32_t sizes[GRANULES + 1];
#define LIST		(GRANULES + 1)

static void fit_init(void)
{
	holes[LIST] = (struct hole){ 0, 0, 0 };
	holes[0] = (struct hole){ GRANULES, LIST, LIST };
}

static uint64_t fit_alloc(uint64_t length)
{
	uint32_t count = (length + SL_GRANULE - 1) / SL_GRANULE;
	uint32_t at = holes[LIST].next;

	while (at != LIST && holes[at].count < count)
		at = holes[at].next;
	if (at == LIST)
		return NONE;
	if (holes[at].count > count) {
		uint32_t rest = at + count;

		holes[rest] = holes[at];
		holes[rest].count -= count;
		holes[holes[rest].prev].next = rest;
		holes[holes[rest].next].prev = rest;
	} else {
		holes[holes[at].prev].next = holes[at].next;
		holes[holes[at].next].prev = holes[at].prev;
	}
	sizes[at] = count;
	return at;
}

static void fit_free(uint64_t block)
{
	uint32_t at = block, after = holes[LIST].next, before;

	while (after != LIST && after < at)
		after = holes[after].next;
	before = holes[after].prev;
	holes[at] = (struct hole){ sizes[at], before, after };
	holes[before].next = at;
	holes[after].prev = at;
	if (after != LIST && at + holes[at].count == after) {
		holes[at].count += holes[after].count;
		holes[at].next = holes[after].next;
		holes[holes[at].next].prev = at;
	}
	if (before != LIST && before + holes[before].count == at) {
		holes[before].count += holes[at].count;
		holes[before].next = holes[at].next;
		holes[holes[before].next].prev = before;
	}
}

/* A ring: allocate at the head, free at the tail; a block does not wrap. */
static uint64_t ring_head, ring_tail;
static uint32_t ring_sizes[GRANULES];

static void ring_init(void)
{
	ring_head = ring_tail = 0;
}

static uint64_t ring_alloc(uint64_t length)
{
	uint64_t count = (length + SL_GRANULE - 1) / SL_GRANULE;
	uint64_t at = ring_head % GRANULES, skip = 0;

	if (at + count > GRANULES)
		skip = GRANULES - at;
	if (ring_head + skip + count - ring_tail > GRANULES)
		return NONE;
	ring_sizes[(ring_head + skip) % GRANULES] = count + skip;
	ring_head += skip + count;
	return (ring_head - count) % GRANULES;
}

static void ring_free(uint64_t block)
{
	ring_tail += ring_sizes[block];
}

static void malloc_init(void)
{
}

static uint64_t malloc_alloc(uint64_t length)
{
	void *block = aligned_alloc(SL_GRANULE,
				    (length + SL_GRANULE - 1) / SL_GRANULE *
				    SL_GRANULE);

	return block ? (uintptr_t)block : NONE;
}

static void malloc_free(uint64_t block)
{
	free((void *)(uintptr_t)block);
}

static const struct allocator allocators[] = {
	{ "TLSF (the library's)", tlsf_init, tlsf_alloc, tlsf_free, false, true },
	{ "first fit", fit_init, fit_alloc, fit_free, false, true },
	{ "ring, in order only", ring_init, ring_alloc, ring_free, true, true },
	{ "malloc of glibc", malloc_init, malloc_alloc, malloc_free, false, false },
};

static uint64_t seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return seed >> 33;
}

static uint64_t fixed_64(void)
{
	return 64;
}

/* Between 1 byte and 16 KiB, small ones much more often. */
static uint64_t mixed(void)
{
	return 1 + rnd() % (64u << (rnd() % 9));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Nanoseconds for one allocation and one release; < 0 if it ran out of room. */
static double flight(const struct allocator *a, uint64_t (*length)(void),
		     bool hold)
{
	static uint64_t live[IN_FLIGHT], aside[ASIDE];
	double start, spent;

	seed = 1;
	a->init();
	for (int i = 0; i < IN_FLIGHT; i++)
		live[i] = a->alloc(length());
	for (int i = 0; i < ASIDE; i++)
		aside[i] = hold ? a->alloc(length()) : NONE;
	start = now();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint64_t *oldest = &live[i % IN_FLIGHT], block = *oldest;

		if (hold && i % 16 == 0) {
			uint64_t *held = &aside[rnd() % ASIDE];

			block = *held;
			*held = *oldest;
		}
		a->free(block);
		*oldest = a->alloc(length());
		if (*oldest == NONE)
			return -1;
	}
	spent = now() - start;
	for (int i = 0; i < IN_FLIGHT; i++)
		a->free(live[i]);
	for (int i = 0; i < ASIDE && hold; i++)
		a->free(aside[i]);
	return spent / ROUNDS;
}

/* Part of the pool in use when the first allocation fails, after many rounds. */
static double usable(const struct allocator *a)
{
	static uint64_t live[LIVE_MAX], sizes_of[LIVE_MAX];
	uint64_t used = 0, sum = 0;
	uint32_t n = 0;

	seed = 1;
	a->init();
	for (int round = 0; round < 200; round++) {
		for (;;) {
			uint64_t length = mixed();

			live[n] = a->alloc(length);
			if (live[n] == NONE)
				break;
			sizes_of[n] = (length + SL_GRANULE - 1) / SL_GRANULE *
				SL_GRANULE;
			used += sizes_of[n++];
		}
		sum += used;
		for (uint32_t i = n / 2; i; i--) {
			uint32_t victim = rnd() % n;

			a->free(live[victim]);
			used -= sizes_of[victim];
			live[victim] = live[--n];
			sizes_of[victim] = sizes_of[n];
		}
	}
	return 100.0 * sum / 200 / POOL;
}

/* The best of several: whatever else the machine does only adds. */
static double best(const struct allocator *a, uint64_t (*length)(void),
		   bool hold)
{
	double least = flight(a, length, hold);

	for (int i = 1; i < REPEATS && least >= 0; i++) {
		double ns = flight(a, length, hold);

		if (ns < least)
			least = ns;
	}
	return least;
}

static void print_ns(double ns)
{
	if (ns < 0)
		printf("%12s", "no room");
	else
		printf("%9.1f ns", ns);
}

int main(void)
{
	memory = aligned_alloc(4096, POOL);
	sl_pool_init(&pool);
	if (!memory)
		return EXIT_FAILURE;
	printf("%-22s%12s%12s%12s%12s\n", "", "fifo 64 B", "fifo mixed",
	       "held mixed", "full");
	for (size_t i = 0; i < sizeof(allocators) / sizeof(*allocators); i++) {
		const struct allocator *a = &allocators[i];

		printf("%-22s", a->name);
		print_ns(best(a, fixed_64, false));
		print_ns(best(a, mixed, false));
		if (a->in_order)
			printf("%12s", "cannot");
		else
			print_ns(best(a, mixed, true));
		if (a->bounded && !a->in_order)
			printf("%11.1f%%", usable(a));
		printf("\n");
	}
	sl_pool_deinit(&pool);
	free(memory);
	return EXIT_SUCCESS;
}
