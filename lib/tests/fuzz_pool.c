// SPDX-License-Identifier: LGPL-2.1-or-later
/* The allocator: blocks are painted, so that two that overlap show. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ring/pool.h"

#define SEGMENT	(64 * 1024)
#define LIVE	128

static struct { uint32_t id; uint64_t length; } live[LIVE];
static uint32_t lives;
static struct sl_pool pool;
static unsigned char *memory[SLUICE_SEGMENTS_MAX];

static void grow(struct input *input)
{
	uint64_t size = SL_GRANULE * (1 + input_byte(input) * 4);

	if (pool.segments == 4 || size > SEGMENT)
		return;
	memory[pool.segments] = aligned_alloc(SL_GRANULE, size);
	if (!memory[pool.segments] ||
	    sl_pool_add(&pool, memory[pool.segments], size))
		abort();
}

static void alloc(struct input *input)
{
	uint64_t length = 1 + input_byte(input) * (1 + input_byte(input));
	uint32_t id;

	if (lives == LIVE)
		return;
	id = sl_pool_alloc(&pool, length);
	if (id == SL_POOL_NONE)
		return;
	if (sl_pool_length(&pool, id) < length)
		abort();
	memset(sl_pool_data(&pool, id), lives, length);
	live[lives].id = id;
	live[lives++].length = length;
}

static void check(uint32_t n)
{
	const unsigned char *bytes = sl_pool_data(&pool, live[n].id);

	for (uint64_t i = 0; i < live[n].length; i++)
		if (bytes[i] != n)
			abort();
}

static void shrink(struct input *input)
{
	uint32_t n = input_byte(input);

	if (!lives)
		return;
	n %= lives;
	check(n);
	live[n].length = 1 + live[n].length * input_byte(input) / 256;
	sl_pool_shrink(&pool, live[n].id, live[n].length);
}

static void release(struct input *input)
{
	uint32_t n = input_byte(input);

	if (!lives)
		return;
	n %= lives;
	check(n);
	sl_pool_free(&pool, live[n].id);
	if (n == --lives)
		return;
	live[n] = live[lives];
	memset(sl_pool_data(&pool, live[n].id), n, live[n].length);
}

/* With everything released, each segment is one block again. */
static void finish(void)
{
	struct input none = { NULL, 0 };

	while (lives)
		release(&none);
	if (pool.used)
		abort();
	for (uint32_t i = 0; i < pool.segments; i++)
		if (sl_pool_alloc(&pool, pool.greatest) == SL_POOL_NONE && !i)
			abort();
	for (uint32_t i = 0; i < pool.segments; i++)
		free(memory[i]);
	sl_pool_deinit(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	sl_pool_init(&pool);
	grow(&input);
	while (input.size) {
		switch (input_byte(&input) % 8) {
		case 0:
			grow(&input);
			break;
		case 1:
			shrink(&input);
			break;
		case 2:
		case 3:
		case 4:
			release(&input);
			break;
		default:
			alloc(&input);
		}
	}
	finish();
	return 0;
}
