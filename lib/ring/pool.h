/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The allocator of a publisher's pool.
 *
 * TLSF, the two-level segregated fit of M. Masmano, I. Ripoll, A. Crespo and
 * J. Real, "TLSF: a New Dynamic Memory Allocator for Real-Time Systems",
 * ECRTS 2004: constant time for allocation and release, immediate
 * coalescing, good fit. It differs from the paper in two ways. The block
 * headers are not in the pool, which others can read, but in private memory.
 * And when the rounded-up search finds nothing, the one list that may
 * hold a block which fits nevertheless is walked, so that a message of
 * the very size of a segment can be had; this step is not constant time.
 *
 * Sizes are counted in granules of 64 bytes: no two messages share a cache line.
 */
#ifndef SLUICE_RING_POOL_H
#define SLUICE_RING_POOL_H

#include <linux/sluice.h>
#include <stddef.h>
#include <stdint.h>

#define SL_GRANULE	64

/* The most bytes of one segment: whole pages of any size there is. */
#define SL_SEGMENT_MAX	((uint64_t)SL_GRANULE << 30)
#define SL_POOL_NONE	UINT32_MAX

#define SL_POOL_SL_BITS	4
#define SL_POOL_SL	(1 << SL_POOL_SL_BITS)
#define SL_POOL_FL	(33 - SL_POOL_SL_BITS)

/**
 * struct sl_block - a part of a segment
 * @start: first granule
 * @count: granules
 * @before: the block before it in the segment, or SL_POOL_NONE
 * @after: the block after it in the segment, or SL_POOL_NONE
 * @prev: free blocks: the one before in its list, or SL_POOL_NONE
 * @next: free blocks: the one after in its list; spare headers: the next one
 * @segment: which
 * @free: is it
 */
struct sl_block {
	uint32_t start;
	uint32_t count;
	uint32_t before;
	uint32_t after;
	uint32_t prev;
	uint32_t next;
	uint32_t segment;
	uint32_t free;
};

/**
 * struct sl_pool - blocks of all segments
 * @base: of each segment
 * @granules: of each segment
 * @segments: how many
 * @size: bytes of all segments
 * @used: bytes allocated
 * @greatest: bytes of the greatest segment
 * @blocks: headers
 * @room: how many headers there is memory for
 * @spare: first header that is not in use, or SL_POOL_NONE
 * @fl_map: which rows of @heads have a block
 * @sl_map: which lists of a row have one
 * @heads: first block of each list
 */
struct sl_pool {
	unsigned char *base[SLUICE_SEGMENTS_MAX];
	uint32_t granules[SLUICE_SEGMENTS_MAX];
	uint32_t segments;
	uint64_t size;
	uint64_t used;
	uint64_t greatest;
	struct sl_block *blocks;
	uint32_t room;
	uint32_t spare;
	uint32_t fl_map;
	uint32_t sl_map[SL_POOL_FL];
	uint32_t heads[SL_POOL_FL][SL_POOL_SL];
};

void sl_pool_init(struct sl_pool *pool);
void sl_pool_deinit(struct sl_pool *pool);

/**
 * sl_pool_add() - add a segment
 * @pool: to which
 * @base: aligned to SL_GRANULE; never touched
 * @size: bytes, a tail of less than a granule is not used
 *
 * Return: 0; -ENOSPC: too many segments; -EINVAL: too small or too big;
 * -ENOMEM.
 */
int sl_pool_add(struct sl_pool *pool, void *base, uint64_t size);

/**
 * sl_pool_alloc() - allocate a block
 * @pool: from which
 * @length: bytes, not 0
 *
 * Return: the block, or SL_POOL_NONE.
 */
uint32_t sl_pool_alloc(struct sl_pool *pool, uint64_t length);

/**
 * sl_pool_shrink() - give back the end of a block
 * @pool: that it is of
 * @block: allocated
 * @length: bytes still needed, not 0 and not more than it has
 */
void sl_pool_shrink(struct sl_pool *pool, uint32_t block, uint64_t length);

void sl_pool_free(struct sl_pool *pool, uint32_t block);

/* Granules that so many bytes take. */
static inline uint64_t sl_pool_granules(uint64_t length)
{
	return (length + SL_GRANULE - 1) / SL_GRANULE;
}

static inline uint32_t sl_pool_segment(const struct sl_pool *pool,
				       uint32_t block)
{
	return pool->blocks[block].segment;
}

static inline uint64_t sl_pool_offset(const struct sl_pool *pool,
				      uint32_t block)
{
	return (uint64_t)pool->blocks[block].start * SL_GRANULE;
}

static inline uint64_t sl_pool_length(const struct sl_pool *pool,
				      uint32_t block)
{
	return (uint64_t)pool->blocks[block].count * SL_GRANULE;
}

static inline void *sl_pool_data(const struct sl_pool *pool, uint32_t block)
{
	return pool->base[sl_pool_segment(pool, block)] +
		sl_pool_offset(pool, block);
}

#endif /* SLUICE_RING_POOL_H */
