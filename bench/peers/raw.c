// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory and nothing else: what the hardware allows. One sender, one
 * receiver, both trusted, both for ever looking.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../bench.h"

/* --- a cache line that carries a number ------------------------------------------ */

struct line {
	_Alignas(64) uint64_t number;
	_Alignas(64) char end[1];
};

struct line_end {
	struct line *line;
	uint64_t number;
};

static void *line_open(const struct bench_shape *shape)
{
	struct line_end *end = calloc(1, sizeof(*end));

	(void)shape;
	end->line = bench_shared(4096);
	return end;
}

static void join(void *link, unsigned int index)
{
	(void)link;
	(void)index;
}

static void *line_room(void *link, size_t size)
{
	(void)size;
	return link;
}

static void line_push(void *link, void *room, size_t size)
{
	struct line_end *end = link;

	(void)room;
	(void)size;
	__atomic_store_n(&end->line->number, ++end->number, __ATOMIC_RELEASE);
}

static void flush(void *link)
{
	(void)link;
}

static const void *line_receive(void *link, size_t size)
{
	struct line_end *end = link;

	(void)size;
	end->number++;
	while (__atomic_load_n(&end->line->number, __ATOMIC_ACQUIRE) !=
	       end->number)
		bench_relax();
	return end->line;
}

static void line_release(void *link)
{
	(void)link;
}

static void line_close(void *link)
{
	struct line_end *end = link;

	munmap(end->line, 4096);
	free(end);
}

static struct bench_link line = {
	.name = "line",
	.title = "raw cache line (carries nothing)",
	.can = LINK_BUSY | LINK_BARE,
	.open = line_open,
	.join_sender = join,
	.join_receiver = join,
	.room = line_room,
	.push = line_push,
	.flush = flush,
	.receive = line_receive,
	.release = line_release,
	.close = line_close,
};
BENCH_LINK(line);

/* --- a ring with the payload in it ------------------------------------------------- */

/*
 * The head is stored once a batch, and each side looks at the other's index
 * only when its copy of it says that there is nothing, or no room.
 */
struct ring {
	_Alignas(64) uint64_t head;
	_Alignas(64) uint64_t tail;
	_Alignas(64) char cells[];
};

struct ring_end {
	struct ring *ring;
	size_t cell, bytes;
	uint64_t mask, batch;
	uint64_t own, shown, other;
};

/* @apart: bytes of a message that are not in its cell. */
static void *ring_make(const struct bench_shape *shape, size_t apart)
{
	struct ring_end *end = calloc(1, sizeof(*end));
	uint64_t cells = 16;

	while (cells < shape->depth)
		cells *= 2;
	end->mask = cells - 1;
	end->batch = shape->batch;
	end->cell = (shape->size + 63) / 64 * 64;
	end->bytes = sizeof(*end->ring) + cells * (end->cell + apart);
	end->ring = bench_shared(end->bytes);
	return end;
}

static void *ring_open(const struct bench_shape *shape)
{
	return ring_make(shape, 0);
}

static void *ring_cell(const struct ring_end *end)
{
	return end->ring->cells + (end->own & end->mask) * end->cell;
}

static void *ring_room(void *link, size_t size)
{
	struct ring_end *end = link;

	(void)size;
	while (end->own - end->other > end->mask) {
		end->other = __atomic_load_n(&end->ring->tail,
					     __ATOMIC_ACQUIRE);
		if (end->own - end->other > end->mask)
			bench_relax();
	}
	return ring_cell(end);
}

static void ring_flush(void *link)
{
	struct ring_end *end = link;

	__atomic_store_n(&end->ring->head, end->own, __ATOMIC_RELEASE);
}

static void ring_push(void *link, void *room, size_t size)
{
	struct ring_end *end = link;

	(void)room;
	(void)size;
	end->own++;
}

static const void *ring_receive(void *link, size_t size)
{
	struct ring_end *end = link;

	(void)size;
	while (end->own == end->other) {
		end->other = __atomic_load_n(&end->ring->head,
					     __ATOMIC_ACQUIRE);
		if (end->own == end->other)
			bench_relax();
	}
	return ring_cell(end);
}

static void ring_release(void *link)
{
	struct ring_end *end = link;

	end->own++;
	if (end->own - end->shown < end->batch && end->own != end->other)
		return;
	end->shown = end->own;
	__atomic_store_n(&end->ring->tail, end->own, __ATOMIC_RELEASE);
}

static void ring_close(void *link)
{
	struct ring_end *end = link;

	munmap(end->ring, end->bytes);
	free(end);
}

static struct bench_link ring = {
	.name = "ring",
	.title = "raw shared-memory ring, payload in its cells",
	.can = LINK_BUSY | LINK_STREAM,
	.size_max = 4096,
	.open = ring_open,
	.join_sender = join,
	.join_receiver = join,
	.room = ring_room,
	.push = ring_push,
	.flush = ring_flush,
	.receive = ring_receive,
	.release = ring_release,
	.close = ring_close,
};
BENCH_LINK(ring);

/* --- the same, with the payload apart from what tells of it ------------------------- */

/*
 * Sluice's layout, and nothing else of it: a slot, whose number the receiver looks
 * at, says where the payload is. What this costs is not the cost of checks, fences
 * and calls.
 */
struct slot {
	_Alignas(64) uint64_t number;
	uint64_t offset;
	uint64_t length;
};

static struct slot *slots_slot(const struct ring_end *end)
{
	char *cells = end->ring->cells;

	return (struct slot *)(cells + (end->mask + 1) * end->cell) +
		(end->own & end->mask);
}

static void *slots_open(const struct bench_shape *shape)
{
	return ring_make(shape, sizeof(struct slot));
}

static void slots_push(void *link, void *room, size_t size)
{
	struct ring_end *end = link;
	struct slot *slot = slots_slot(end);

	slot->offset = (char *)room - end->ring->cells;
	slot->length = size;
	__atomic_store_n(&slot->number, ++end->own, __ATOMIC_RELEASE);
}

static const void *slots_receive(void *link, size_t size)
{
	struct ring_end *end = link;
	const struct slot *slot = slots_slot(end);

	while (__atomic_load_n(&slot->number, __ATOMIC_ACQUIRE) !=
	       end->own + 1)
		bench_relax();
	bench_check(slot->length == size);
	return end->ring->cells + slot->offset;
}

static void slots_release(void *link)
{
	struct ring_end *end = link;

	if (++end->own - end->shown < end->batch)
		return;
	end->shown = end->own;
	__atomic_store_n(&end->ring->tail, end->own, __ATOMIC_RELEASE);
}

static struct bench_link slots = {
	.name = "slots",
	.title = "raw shared-memory ring of slots, payload apart",
	.can = LINK_BUSY | LINK_STREAM,
	.size_max = 4096,
	.open = slots_open,
	.join_sender = join,
	.join_receiver = join,
	.room = ring_room,
	.push = slots_push,
	.flush = flush,
	.receive = slots_receive,
	.release = slots_release,
	.close = ring_close,
};
BENCH_LINK(slots);
