// SPDX-License-Identifier: LGPL-2.1-or-later
/* The allocator of a publisher's pool; see pool.h for what it is. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"

#define FIRST_ROOM	64	/* headers */

/* The list for blocks of a size, or with blocks of at least a size. */
struct list {
	uint32_t fl;
	uint32_t sl;
};

static inline uint32_t log2_of(uint32_t n)
{
	return 31 - __builtin_clz(n);
}

/* Row 0 has a list for each count; a row above halves in SL_POOL_SL parts. */
static inline struct list list_of(uint32_t count)
{
	uint32_t log;

	if (count < SL_POOL_SL)
		return (struct list){ 0, count };
	log = log2_of(count);
	return (struct list){
		log - SL_POOL_SL_BITS + 1,
		(count >> (log - SL_POOL_SL_BITS)) & (SL_POOL_SL - 1),
	};
}

/* The first list of which every block has at least @count granules. */
static inline struct list list_above(uint32_t count)
{
	if (count >= SL_POOL_SL)
		count += (1u << (log2_of(count) - SL_POOL_SL_BITS)) - 1;
	return list_of(count);
}

static void list_push(struct sl_pool *pool, uint32_t id)
{
	struct sl_block *block = &pool->blocks[id];
	struct list list = list_of(block->count);
	uint32_t *head = &pool->heads[list.fl][list.sl];

	block->free = true;
	block->prev = SL_POOL_NONE;
	block->next = *head;
	if (*head != SL_POOL_NONE)
		pool->blocks[*head].prev = id;
	*head = id;
	pool->sl_map[list.fl] |= 1u << list.sl;
	pool->fl_map |= 1u << list.fl;
}

static void list_remove(struct sl_pool *pool, uint32_t id)
{
	struct sl_block *block = &pool->blocks[id];
	struct list list = list_of(block->count);

	block->free = false;
	if (block->next != SL_POOL_NONE)
		pool->blocks[block->next].prev = block->prev;
	if (block->prev != SL_POOL_NONE) {
		pool->blocks[block->prev].next = block->next;
		return;
	}
	pool->heads[list.fl][list.sl] = block->next;
	if (block->next != SL_POOL_NONE)
		return;
	pool->sl_map[list.fl] &= ~(1u << list.sl);
	if (!pool->sl_map[list.fl])
		pool->fl_map &= ~(1u << list.fl);
}

/* The first list at or above @list that has a block; its head. */
static uint32_t list_find(const struct sl_pool *pool, struct list list)
{
	uint32_t map = pool->sl_map[list.fl] & (~0u << list.sl);

	if (!map) {
		map = pool->fl_map & (~1u << list.fl);
		if (!map)
			return SL_POOL_NONE;
		list.fl = __builtin_ctz(map);
		map = pool->sl_map[list.fl];
	}
	return pool->heads[list.fl][__builtin_ctz(map)];
}

/* A block of the list in which not every block is big enough. */
static uint32_t list_walk(const struct sl_pool *pool, uint32_t count)
{
	struct list list = list_of(count);
	uint32_t id = pool->heads[list.fl][list.sl];

	while (id != SL_POOL_NONE && pool->blocks[id].count < count)
		id = pool->blocks[id].next;
	return id;
}

static void spare_put(struct sl_pool *pool, uint32_t id)
{
	pool->blocks[id].next = pool->spare;
	pool->spare = id;
}

static bool spare_grow(struct sl_pool *pool)
{
	uint32_t room = pool->room ? 2 * pool->room : FIRST_ROOM;
	struct sl_block *blocks;

	if (room >= SL_POOL_NONE / 2)
		return false;
	blocks = realloc(pool->blocks, room * sizeof(*blocks));
	if (!blocks)
		return false;
	pool->blocks = blocks;
	while (pool->room < room)
		spare_put(pool, pool->room++);
	return true;
}

static uint32_t spare_get(struct sl_pool *pool)
{
	uint32_t id;

	if (pool->spare == SL_POOL_NONE && !spare_grow(pool))
		return SL_POOL_NONE;
	id = pool->spare;
	pool->spare = pool->blocks[id].next;
	return id;
}

/*
 * Cut a block that is in no list, and put its end into one. Without memory for
 * another header it stays as it is: nobody needs to fail for that.
 */
static void split(struct sl_pool *pool, uint32_t id, uint32_t count)
{
	struct sl_block *block, *rest;
	uint32_t new;

	if (pool->blocks[id].count == count)
		return;
	new = spare_get(pool);
	if (new == SL_POOL_NONE)
		return;
	block = &pool->blocks[id];
	rest = &pool->blocks[new];
	rest->segment = block->segment;
	rest->start = block->start + count;
	rest->count = block->count - count;
	rest->before = id;
	rest->after = block->after;
	if (rest->after != SL_POOL_NONE)
		pool->blocks[rest->after].before = new;
	block->count = count;
	block->after = new;
	list_push(pool, new);
}

/* Make one block of two neighbours that are in no list. */
static void join(struct sl_pool *pool, uint32_t id, uint32_t after)
{
	struct sl_block *block = &pool->blocks[id];

	block->count += pool->blocks[after].count;
	block->after = pool->blocks[after].after;
	if (block->after != SL_POOL_NONE)
		pool->blocks[block->after].before = id;
	spare_put(pool, after);
}

static void join_after(struct sl_pool *pool, uint32_t id)
{
	uint32_t after = pool->blocks[id].after;

	if (after == SL_POOL_NONE || !pool->blocks[after].free)
		return;
	list_remove(pool, after);
	join(pool, id, after);
}

static uint32_t join_before(struct sl_pool *pool, uint32_t id)
{
	uint32_t before = pool->blocks[id].before;

	if (before == SL_POOL_NONE || !pool->blocks[before].free)
		return id;
	list_remove(pool, before);
	join(pool, before, id);
	return before;
}

void sl_pool_init(struct sl_pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	memset(pool->heads, 0xff, sizeof(pool->heads));
	pool->spare = SL_POOL_NONE;
}

void sl_pool_deinit(struct sl_pool *pool)
{
	free(pool->blocks);
	sl_pool_init(pool);
}

int sl_pool_add(struct sl_pool *pool, void *base, uint64_t size)
{
	uint64_t granules = size / SL_GRANULE;
	struct sl_block *block;
	uint32_t id;

	if (pool->segments == SLUICE_SEGMENTS_MAX)
		return -ENOSPC;
	if (!granules || granules > INT32_MAX)
		return -EINVAL;
	id = spare_get(pool);
	if (id == SL_POOL_NONE)
		return -ENOMEM;
	block = &pool->blocks[id];
	block->segment = pool->segments;
	block->start = 0;
	block->count = granules;
	block->before = SL_POOL_NONE;
	block->after = SL_POOL_NONE;
	list_push(pool, id);
	pool->base[pool->segments] = base;
	pool->granules[pool->segments] = granules;
	pool->segments++;
	size = granules * SL_GRANULE;
	pool->size += size;
	if (size > pool->greatest)
		pool->greatest = size;
	return 0;
}

uint32_t sl_pool_alloc(struct sl_pool *pool, uint64_t length)
{
	uint32_t count, id;

	if (length > pool->greatest)
		return SL_POOL_NONE;
	count = sl_pool_granules(length);
	id = list_find(pool, list_above(count));
	if (id == SL_POOL_NONE)
		id = list_walk(pool, count);
	if (id == SL_POOL_NONE)
		return SL_POOL_NONE;
	list_remove(pool, id);
	split(pool, id, count);
	pool->used += sl_pool_length(pool, id);
	return id;
}

void sl_pool_shrink(struct sl_pool *pool, uint32_t id, uint64_t length)
{
	uint32_t count = sl_pool_granules(length);

	if (pool->blocks[id].count == count)
		return;
	pool->used -= sl_pool_length(pool, id);
	join_after(pool, id);
	split(pool, id, count);
	pool->used += sl_pool_length(pool, id);
}

void sl_pool_free(struct sl_pool *pool, uint32_t id)
{
	pool->used -= sl_pool_length(pool, id);
	join_after(pool, id);
	list_push(pool, join_before(pool, id));
}
