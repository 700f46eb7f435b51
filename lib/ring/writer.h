/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A publisher's side of the protocol in doc/memory-model.md: loans, publishing,
 * reclaim. It makes no system calls; what needs one goes through struct
 * sl_writer_ops.
 */
#ifndef SLUICE_RING_WRITER_H
#define SLUICE_RING_WRITER_H

#include <sluice/sluice.h>

#include "atomic.h"
#include "pool.h"
#include "roster.h"
#include "view.h"

/**
 * struct sl_writer_ops - what the surroundings do for a writer
 * @attach: fill in a view of a subscriber's cursor; -ESTALE or -ENOENT: it is
 *	gone. The view's bounds are true
 * @unmap: the view is not used any more
 * @arm: SLUICE_IOC_ARM
 * @wake: SLUICE_IOC_WAKE for so many messages
 * @evict: SLUICE_IOC_EVICT
 * @drop: SLUICE_IOC_DROP; returns how many
 * @grow: add at least so many bytes to the pool by sl_writer_add()
 * @fds_attach: SLUICE_IOC_FDS_ATTACH
 * @fds_release: SLUICE_IOC_FDS_RELEASE
 *
 * All return 0 or a negative errno value.
 */
struct sl_writer_ops {
	int (*attach)(void *context, uint32_t index, uint64_t generation,
		      struct sl_cursor_view *view);
	void (*unmap)(void *context, struct sl_cursor_view *view);
	int (*arm)(void *context);
	void (*wake)(void *context, uint32_t count);
	int (*evict)(void *context, uint32_t index, uint64_t generation);
	int (*drop)(void *context, uint32_t count);
	int (*grow)(void *context, uint64_t bytes);
	int (*fds_attach)(void *context, const int *fds, uint32_t count,
			  uint64_t *token);
	void (*fds_release)(void *context, uint64_t token, uint32_t count);
};

/**
 * struct sl_record - what a message in flight, or set aside, has
 * @position: set aside: of the message
 * @token: of its first descriptor, if it has some
 * @block: in the pool, or SL_POOL_NONE
 * @fds: how many descriptors
 * @granules: of @block, if that is all there is to it; else 0
 * @pinned: somebody holds it: the scan's mark
 */
struct sl_record {
	uint64_t position;
	uint64_t token;
	uint32_t block;
	uint32_t fds;
	uint32_t granules;
	uint32_t pinned;
};

/**
 * struct sl_lent - a loan
 * @length: asked for
 * @serial: of this use of the entry; 0 while it is free
 * @block: in the pool, or SL_POOL_NONE
 * @next: free ones: the next one
 */
struct sl_lent {
	uint64_t length;
	uint64_t serial;
	uint32_t block;
	uint32_t next;
};

/**
 * struct sl_peer - a subscriber as the publisher knows it
 * @who: from the member table
 * @cursor: mapped, or base is NULL
 * @liar: it is ignored
 */
struct sl_peer {
	struct sl_who who;
	struct sl_cursor_view cursor;
	bool liar;
};

/**
 * struct sl_writer - a publisher
 * @lane: its memory
 * @members: the kernel's table
 * @ops: what the surroundings do
 * @context: for them
 * @config: the channel's
 * @index: its place
 * @generation: which one it is
 * @may_grow: the pool may grow by itself
 * @pool: the allocator
 * @head: next position
 * @tail: everything before it is reclaimed
 * @safe: everything before it can be: nobody reads it any more, and what is held
 *	of it is marked
 * @records: one for each slot
 * @aside: reclaimed messages that are still held, oldest first
 * @asides: how many
 * @aside_room: for how many there is memory: as many as there can be
 * @lent: one for each slot
 * @lent_free: the first free one
 * @serial: of the last loan
 * @loans: outstanding
 * @peers: one for each place for a subscriber
 * @peers_end: no peer at or after it
 * @seq: the table's sequence when @peers was brought up to date
 * @trouble: why not all of @peers could be mapped, 0 if they could
 * @stuck: queue: one more than the tail at which giving up made no room
 * @room_seen: what lane.room_seen holds
 * @roster: events
 * @bytes: of all messages published
 * @stats: counters
 */
struct sl_writer {
	struct sl_lane_view lane;
	const struct sl_members_view *members;
	const struct sl_writer_ops *ops;
	void *context;
	struct sluice_config config;
	uint32_t index;
	uint64_t generation;
	bool may_grow;
	struct sl_pool pool;
	uint64_t head;
	uint64_t tail;
	uint64_t safe;
	struct sl_record *records;
	struct sl_record *aside;
	uint32_t asides;
	uint32_t aside_room;
	struct sl_lent *lent;
	uint32_t lent_free;
	uint64_t serial;
	uint32_t loans;
	struct sl_peer *peers;
	uint32_t peers_end;
	uint64_t seq;
	int trouble;
	uint64_t stuck;
	uint64_t room_seen;
	struct sl_roster roster;
	uint64_t bytes;
	struct sluice_publisher_stats stats;
};

/**
 * struct sl_writer_setup - what a writer is made of
 * @lane: its memory; segments are added by sl_writer_add()
 * @members: outlives the writer
 * @ops: what the surroundings do
 * @context: for them
 * @config: the channel's, valid
 * @index: its place
 * @generation: which one it is
 * @may_grow: the pool may grow by itself
 */
struct sl_writer_setup {
	struct sl_lane_view lane;
	const struct sl_members_view *members;
	const struct sl_writer_ops *ops;
	void *context;
	struct sluice_config config;
	uint32_t index;
	uint64_t generation;
	bool may_grow;
};

int sl_writer_init(struct sl_writer *writer,
		   const struct sl_writer_setup *setup);
void sl_writer_deinit(struct sl_writer *writer);

/* Add a mapped segment to the pool: 0 or a negative errno value. */
int sl_writer_add(struct sl_writer *writer, const struct sl_area *segment);

/**
 * sl_writer_loan() - sluice_publisher_try_loan() without arming
 * @writer: whose
 * @length: bytes
 * @loan: out
 *
 * Return: 0, -EAGAIN, -EMSGSIZE, or what ops->grow or ops->attach gave.
 */
int sl_writer_loan(struct sl_writer *writer, uint64_t length,
		   struct sluice_loan *loan);

/**
 * sl_writer_loan_or_arm() - a loan, or a promise to be woken
 * @writer: whose
 * @length: bytes
 * @loan: out
 * @room: out: with -EAGAIN, the room count to wait with
 *
 * Return: as sl_writer_loan(), or what ops->arm gave. After -EAGAIN nothing
 * that makes room will go without SLUICE_IOC_WAKE.
 */
int sl_writer_loan_or_arm(struct sl_writer *writer, uint64_t length,
			  struct sluice_loan *loan, uint64_t *room);

/**
 * sl_writer_finished_or_arm() - is all that was published to a queue finished?
 * @writer: whose
 * @room: out: with -EAGAIN, the room count to wait with
 *
 * Return: 0; -EAGAIN: not yet, and what finishes will not go without
 * SLUICE_IOC_WAKE; -EINVAL: not a queue; or what ops->arm gave.
 */
int sl_writer_finished_or_arm(struct sl_writer *writer, uint64_t *room);

/* Evict the consumer of a queue that holds up all, if its policy is so. */
void sl_writer_evict_claimant(struct sl_writer *writer);

int sl_writer_discard(struct sl_writer *writer, struct sluice_loan *loan);

/* As sluice_publisher_publish_batch(). */
ssize_t sl_writer_publish(struct sl_writer *writer, struct sluice_loan *loans,
			  size_t count);

/* As sluice_publisher_next_event(), and keeps lane.member_seen. */
int sl_writer_next_event(struct sl_writer *writer, struct sluice_event *event);

/* Current counters. */
void sl_writer_stats(const struct sl_writer *writer,
		     struct sluice_publisher_stats *stats);

/*
 * Between writer.c and room.c.
 */

/* Take room if there is some: 0 or -EAGAIN. */
int sl_writer_take(struct sl_writer *writer, uint64_t length,
		   struct sluice_loan *loan);

/* Reclaim the oldest message that is safe: false if there is none. */
bool sl_writer_retire(struct sl_writer *writer);

/* When there is none: make room and take it: as sl_writer_loan(). */
int sl_writer_make_room(struct sl_writer *writer, uint64_t length,
			struct sluice_loan *loan);

/* Queue: every message before it is finished. 0 if the place is another's. */
uint64_t sl_writer_done(const struct sl_writer *writer);

/* Bytes of the greatest message that can ever be lent. */
uint64_t sl_writer_greatest(const struct sl_writer *writer);

/* No free slot but for those which loans have. */
static inline bool sl_writer_full(const struct sl_writer *writer)
{
	return writer->head - writer->tail + writer->loans >=
		writer->lane.slots;
}

/*
 * The way of nearly all loans, to be inlined where it begins.
 */

/* What the library keeps in sluice_loan.priv. */
enum { SL_LENT_INDEX, SL_LENT_SERIAL, SL_LENT_UNUSED };

/* One by one: compilers clear a whole structure with a slow instruction. */
static inline void sl_writer_lend(struct sl_writer *writer, uint64_t length,
				  uint32_t block, void *data,
				  struct sluice_loan *loan)
{
	uint32_t index = writer->lent_free;
	struct sl_lent *lent = &writer->lent[index];
	uint64_t serial = ++writer->serial;

	writer->lent_free = lent->next;
	writer->loans++;
	lent->length = length;
	lent->block = block;
	lent->serial = serial;
	loan->data = data;
	loan->length = length;
	loan->type = 0;
	loan->nfds = 0;
	loan->fds = NULL;
	loan->priv[SL_LENT_INDEX] = index;
	loan->priv[SL_LENT_SERIAL] = serial;
	loan->priv[SL_LENT_UNUSED] = 0;
}

/**
 * sl_writer_reuse() - loans in the place of the oldest messages
 * @writer: whose
 * @length: bytes
 * @loans: out
 * @count: how many are wanted
 *
 * A stream of messages of one size needs no allocator: the memory and the slot
 * of the oldest are what the next one wants.
 *
 * Return: how many there are; sl_writer_loan() may have more.
 */
static inline size_t sl_writer_reuse(struct sl_writer *writer, uint64_t length,
				     struct sluice_loan *loans, size_t count)
{
	uint64_t granules = sl_pool_granules(length);
	uint32_t mask = writer->lane.slots - 1;
	size_t n = 0;

	/* No granules: no bytes, or more than there can be. */
	if (sl_unlikely(writer->room_seen || !granules))
		return 0;
	while (n < count && writer->tail != writer->safe) {
		const struct sl_record *record =
			&writer->records[writer->tail & mask];

		if (sl_unlikely(record->granules != granules ||
				record->pinned))
			break;
		writer->tail++;
		sl_writer_lend(writer, length, record->block,
			       sl_pool_data(&writer->pool, record->block),
			       &loans[n++]);
	}
	return n;
}

#endif /* SLUICE_RING_WRITER_H */
