// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How a publisher comes by room: reclaim, growth, and the policies for those
 * who lag. doc/memory-model.md, "Reclaim", says why it is safe.
 */
#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "writer.h"

/* Cursors that are asked for before they are read: each has to come from afar. */
#define CURSORS_AHEAD	8

/* Who lags loses this part of the ring at once: one full fence for all of it. */
#define BATCH_PART	16

/* How often others may change the table while one looks for room. */
#define CHANGES_MAX	8

/* What a step towards room came to; or it is an error. */
enum step {
	STEP_NOTHING,
	STEP_SOME,	/* something became free */
	STEP_CHANGED,	/* the table did: everything has to be looked at again */
	STEP_EVICTED,	/* somebody is, and so everything is */
};

/**
 * struct limits - up to where the messages are consumed
 * @all: by every subscriber
 * @block: by those whom the channel promises every message
 * @begun: there is nobody who may begin before that
 */
struct limits {
	uint64_t all;
	uint64_t block;
	bool begun;
};

static void peer_forget(struct sl_writer *writer, struct sl_peer *peer)
{
	if (peer->cursor.area.base)
		writer->ops->unmap(writer->context, &peer->cursor);
	memset(peer, 0, sizeof(*peer));
}

/* A cursor that the publisher could not use without leaving its bounds is none. */
static bool cursor_fits(const struct sl_writer *writer,
			const struct sl_cursor_view *cursor)
{
	return cursor->lanes > writer->index &&
		cursor->pins <= writer->config.held;
}

static int peer_update(struct sl_writer *writer, uint32_t index)
{
	struct sl_peer *peer = &writer->peers[index];
	struct sl_who now;
	int err;

	err = sl_member_read(writer->members, SLUICE_SUBSCRIBER, index, &now);
	if (err)
		return err;
	if (now.state != SLUICE_ACTIVE ||
	    peer->who.generation != now.generation)
		peer_forget(writer, peer);
	if (now.state != SLUICE_ACTIVE)
		return 0;
	peer->who = now;
	if (peer->cursor.area.base || writer->config.pattern == SLUICE_QUEUE)
		return 0;
	err = writer->ops->attach(writer->context, index, now.generation,
				  &peer->cursor);
	if (err == -ESTALE || err == -ENOENT) {
		peer_forget(writer, peer);
		return 0;
	}
	if (!err && !cursor_fits(writer, &peer->cursor)) {
		writer->ops->unmap(writer->context, &peer->cursor);
		peer->cursor.area.base = NULL;
		err = -EPROTO;
	}
	return err;
}

/*
 * Bring the peers up to date with the table. One whose cursor cannot be mapped
 * just now may hold anything: nothing is reclaimed until it can.
 */
static void peers_update(struct sl_writer *writer)
{
	uint64_t seq = sl_load_acquire(&sl_members_head(writer->members)->seq);
	uint32_t places = writer->members->places[SLUICE_SUBSCRIBER];
	int err;

	if (seq == writer->seq && !writer->trouble)
		return;
	writer->seq = seq;
	writer->trouble = 0;
	writer->peers_end = 0;
	for (uint32_t i = 0; i < places; i++) {
		err = peer_update(writer, i);
		if (err)
			writer->trouble = err;
		if (writer->peers[i].who.generation)
			writer->peers_end = i + 1;
	}
}

static bool peer_counts(const struct sl_peer *peer)
{
	return peer->who.generation && !peer->liar;
}

static void peer_lied(struct sl_writer *writer, uint32_t index)
{
	struct sl_peer *peer = &writer->peers[index];

	peer->liar = true;
	sl_roster_corrupt(&writer->roster, index, &peer->who);
	sl_store_relaxed(&sl_lane_head(&writer->lane)->member_seen,
			 sl_roster_seen(&writer->roster));
}

/*
 * How far a subscriber has read: false if it has not begun this lane. Then it is
 * where JOIN left its head (J): what was published since is its, too, and it may
 * begin before that, at history. But one that was there before this publisher
 * will begin at its first message.
 */
static bool peer_head(struct sl_writer *writer, uint32_t index, uint64_t *head)
{
	struct sl_peer *peer = &writer->peers[index];
	const struct sluice_cursor_lane *lane;
	bool begun;

	*head = writer->tail;
	if (!peer->cursor.area.base)
		return false;
	lane = sl_cursor_lane(&peer->cursor, writer->index);
	begun = sl_load_acquire(&lane->generation) ==
		writer->generation;				/* A2 */
	if (!begun && peer->who.generation < writer->generation)
		return true;
	*head = sl_load_acquire(&lane->head);			/* A2 */
	if (*head > writer->head) {
		peer_lied(writer, index);
		*head = writer->head;
	}
	if (*head < writer->tail)
		*head = writer->tail;
	return begun;
}

static void peer_prefetch(const struct sl_writer *writer, uint32_t index)
{
	const struct sl_peer *peer = &writer->peers[index];

	if (index < writer->peers_end && peer->cursor.area.base)
		__builtin_prefetch(sl_cursor_lane(&peer->cursor,
						  writer->index));
}

static void limits_find(struct sl_writer *writer, struct limits *limits)
{
	uint64_t head;
	bool block;

	writer->stats.scans++;
	limits->all = limits->block = writer->trouble ? writer->tail :
		writer->head;
	limits->begun = true;
	for (uint32_t i = 0; i < CURSORS_AHEAD; i++)
		peer_prefetch(writer, i);
	for (uint32_t i = 0; i < writer->peers_end; i++) {
		peer_prefetch(writer, i + CURSORS_AHEAD);
		if (!peer_counts(&writer->peers[i]))
			continue;
		block = writer->peers[i].who.policy == SLUICE_BLOCK;
		if (!peer_head(writer, i, &head)) {
			limits->begun &= block;
			if (block)
				head = writer->tail;
		}
		if (head < limits->all)
			limits->all = head;
		if (block && head < limits->block)
			limits->block = head;
	}
}

static uint64_t before_history(const struct sl_writer *writer)
{
	uint64_t history = writer->config.history;

	return writer->head > history ? writer->head - history : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void record_free(struct sl_writer *writer, struct sl_record *record)
{
	if (record->fds)
		writer->ops->fds_release(writer->context, record->token,
					 record->fds);
	if (record->block != SL_POOL_NONE)
		sl_pool_free(&writer->pool, record->block);
}

/* The message set aside with this (shortened) position; they are in order. */
static struct sl_record *aside_find(struct sl_writer *writer, uint64_t position)
{
	uint32_t low = 0, high = writer->asides;
	uint64_t base, want;

	if (!high)
		return NULL;
	base = writer->aside[0].position;
	want = (position - base) & SLUICE_PIN_POSITION;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (writer->aside[mid].position - base < want)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == writer->asides ||
	    writer->aside[low].position - base != want)
		return NULL;
	return &writer->aside[low];
}

/* Mark what a pin holds: of the candidates before @limit, or set aside. */
static void pin_mark(struct sl_writer *writer, uint64_t pin, uint64_t limit)
{
	uint64_t position = pin & SLUICE_PIN_POSITION;
	uint64_t ahead = (position - writer->tail) & SLUICE_PIN_POSITION;
	struct sl_record *record;

	if (pin >> 48 != (uint64_t)writer->index + 1)
		return;
	if (ahead < limit - writer->tail)
		record = &writer->records[position & (writer->lane.slots - 1)];
	else
		record = aside_find(writer, position);
	if (record)
		record->pinned = true;
}

static void pins_mark(struct sl_writer *writer, uint64_t limit)
{
	for (uint32_t i = 0; i < writer->peers_end; i++) {
		const struct sl_peer *peer = &writer->peers[i];

		if (!peer_counts(peer) || !peer->cursor.area.base)
			continue;
		for (uint32_t n = 0; n < peer->cursor.pins; n++) {
			uint64_t pin = sl_load_acquire(
				sl_pin(&peer->cursor, n));	/* A3 */

			if (pin)
				pin_mark(writer, pin, limit);
		}
	}
}

/* Free what is set aside and not held any more: was there some? */
static bool asides_sweep(struct sl_writer *writer)
{
	uint32_t kept = 0;
	bool some;

	for (uint32_t i = 0; i < writer->asides; i++) {
		struct sl_record *record = &writer->aside[i];

		if (!record->pinned) {
			record_free(writer, record);
			continue;
		}
		record->pinned = false;
		writer->aside[kept++] = *record;
	}
	some = kept < writer->asides;
	writer->asides = kept;
	return some;
}

/*
 * There is a place aside for every pin there can be. A look at the pins reads
 * each once, so it marks no more messages than that, whatever a hostile
 * subscriber does meanwhile; what it did not mark has just been swept; and all
 * that it marked is set aside before the next look.
 */
bool sl_writer_retire(struct sl_writer *writer)
{
	struct sl_record *record =
		&writer->records[writer->tail & (writer->lane.slots - 1)];

	if (writer->tail == writer->safe)
		return false;
	if (record->pinned) {
		record->pinned = false;
		record->position = writer->tail;
		writer->aside[writer->asides++] = *record;
	} else {
		record_free(writer, record);
	}
	writer->tail++;
	return true;
}

static void candidates_drop(struct sl_writer *writer, uint64_t limit)
{
	for (uint64_t position = writer->tail; position < limit; position++)
		sl_store_relaxed(&sl_slot(&writer->lane, position)->seq,
				 SLUICE_SEQ(position) | SLUICE_SEQ_DROPPED);
}

/* The sequence changed meanwhile: somebody may be reading these who counts. */
static void candidates_restore(struct sl_writer *writer, uint64_t limit)
{
	for (uint64_t position = limit; position-- > writer->tail;)
		sl_store_release(&sl_slot(&writer->lane, position)->seq,
				 SLUICE_SEQ(position));
	if (limit == writer->tail)
		return;
	sl_full_fence();				/* F1, with F2 */
	if (sl_load_relaxed(&sl_members_head(writer->members)->armed))
		writer->ops->wake(writer->context, limit - writer->tail);
}

/*
 * Make everything before @limit safe, and look at what was set aside. If it is
 * all @passed, no slot needs to tell.
 */
static enum step reclaim(struct sl_writer *writer, uint64_t limit, bool passed)
{
	bool some;

	if (limit <= writer->tail && !writer->asides)
		return STEP_NOTHING;
	if (limit < writer->tail)
		limit = writer->tail;
	if (!passed)
		candidates_drop(writer, limit);
	sl_full_fence();				/* F5, with F3 and F6 */
	if (sl_load_acquire(&sl_members_head(writer->members)->seq) !=
	    writer->seq) {
		if (!passed)
			candidates_restore(writer, limit);
		peers_update(writer);
		return STEP_CHANGED;
	}
	pins_mark(writer, limit);
	some = asides_sweep(writer);
	if (limit == writer->tail)
		return some ? STEP_SOME : STEP_NOTHING;
	writer->safe = limit;
	sl_store_release(&sl_lane_head(&writer->lane)->tail, writer->safe);
	return STEP_SOME;
}

/* A step towards room: enum step, or an error. */
typedef int step_fn(struct sl_writer *writer, uint64_t length);

static int take_consumed(struct sl_writer *writer, uint64_t length)
{
	struct limits limits;

	(void)length;
	peers_update(writer);
	limits_find(writer, &limits);
	return reclaim(writer, min(limits.all, before_history(writer)),
		       limits.begun);
}

static int take_more_pool(struct sl_writer *writer, uint64_t length)
{
	uint32_t segments = writer->pool.segments;
	int err;

	/* What was added since that was looked at may be all that could be. */
	if (length > sl_writer_greatest(writer))
		return -EMSGSIZE;
	if (!writer->may_grow || sl_writer_full(writer) ||
	    writer->pool.segments == SLUICE_SEGMENTS_MAX ||
	    writer->pool.size >= writer->config.pool_limit)
		return STEP_NOTHING;
	err = writer->ops->grow(writer->context, length);
	/* One left from before is added even if no more can be. */
	if (!err || writer->pool.segments > segments)
		return STEP_SOME;
	/* One that fits if the others make room can do without. */
	return length > writer->pool.greatest ? err : STEP_NOTHING;
}

/* Detach one subscriber whose policy says so and that @holds says is in the way. */
static enum step evict_one(struct sl_writer *writer, uint64_t limit,
			   bool (*holds)(struct sl_writer *writer,
					 uint32_t index, uint64_t limit))
{
	for (uint32_t i = 0; i < writer->peers_end; i++) {
		struct sl_peer *peer = &writer->peers[i];
		int err;

		if (!peer_counts(peer) || peer->who.policy != SLUICE_EVICT ||
		    !holds(writer, i, limit))
			continue;
		err = writer->ops->evict(writer->context, i,
					 peer->who.generation);
		if (err && err != -ESTALE && err != -ENOENT)
			return STEP_NOTHING;
		writer->stats.evicted += !err;
		peer_forget(writer, peer);
		return STEP_EVICTED;
	}
	return STEP_NOTHING;
}

static bool holds_unread(struct sl_writer *writer, uint32_t index,
			 uint64_t limit)
{
	uint64_t head;

	peer_head(writer, index, &head);
	return head < limit;
}

static bool holds_aside(struct sl_writer *writer, uint32_t index,
			uint64_t limit)
{
	const struct sl_cursor_view *cursor = &writer->peers[index].cursor;

	(void)limit;
	for (uint32_t n = 0; cursor->area.base && n < cursor->pins; n++) {
		uint64_t pin = sl_load_acquire(sl_pin(cursor, n));

		if (pin >> 48 == (uint64_t)writer->index + 1 &&
		    aside_find(writer, pin & SLUICE_PIN_POSITION))
			return true;
	}
	return false;
}

/* Up to @bound, but no more at once than makes the fence worth it. */
static int take_unread(struct sl_writer *writer, uint64_t bound)
{
	uint64_t batch = writer->lane.slots / BATCH_PART;
	struct limits limits;
	enum step step;
	uint64_t limit;

	peers_update(writer);
	limits_find(writer, &limits);
	limit = min(bound, writer->tail + (batch ? batch : 1));
	limit = min(limit, limits.block);
	if (limit <= writer->tail)
		return STEP_NOTHING;
	step = evict_one(writer, limit, holds_unread);
	if (step)
		return step;
	step = reclaim(writer, limit, false);
	if (writer->safe > limits.all)
		writer->stats.dropped += writer->safe - limits.all;
	return step;
}

static int take_from_laggards(struct sl_writer *writer, uint64_t length)
{
	(void)length;
	return take_unread(writer, before_history(writer));
}

static int take_from_holders(struct sl_writer *writer, uint64_t length)
{
	enum step step;

	(void)length;
	if (!writer->asides || sl_writer_full(writer))
		return STEP_NOTHING;
	peers_update(writer);
	step = reclaim(writer, 0, true);
	return step ? step : evict_one(writer, 0, holds_aside);
}

static int take_history(struct sl_writer *writer, uint64_t length)
{
	(void)length;
	return take_unread(writer, writer->head);
}

/* Queue: the kernel says what is finished, and nobody reads that any more. */
static int take_finished(struct sl_writer *writer, uint64_t length)
{
	uint64_t done = sl_writer_done(writer);

	(void)length;
	writer->stats.scans++;
	if (done <= writer->safe)
		return STEP_NOTHING;
	writer->safe = done;
	sl_store_release(&sl_lane_head(&writer->lane)->tail, writer->safe);
	return STEP_SOME;
}

/*
 * What is given up makes room only if nobody has claimed an older one. That
 * is not known before, so it is tried with one, and once for each oldest.
 */
static int take_unclaimed(struct sl_writer *writer, uint64_t length)
{
	uint32_t batch = writer->lane.slots / BATCH_PART;
	int dropped, more = 0;

	if (writer->config.policy != SLUICE_DROP_OLDEST ||
	    writer->stuck == writer->tail + 1)
		return STEP_NOTHING;
	dropped = writer->ops->drop(writer->context, 1);
	if (dropped <= 0)
		return STEP_NOTHING;
	writer->stats.dropped += dropped;
	writer->stuck = writer->tail + 1;
	if (!take_finished(writer, length))
		return STEP_NOTHING;
	if (batch > 1)
		more = writer->ops->drop(writer->context, batch - 1);
	if (more > 0) {
		writer->stats.dropped += more;
		take_finished(writer, length);
	}
	return STEP_SOME;
}

/* Dear ones last. */
static step_fn *const broadcast_steps[] = {
	take_consumed, take_more_pool, take_from_laggards, take_from_holders,
	take_history, NULL
};

static step_fn *const queue_steps[] = {
	take_finished, take_more_pool, take_unclaimed, NULL
};

/*
 * Others can join and leave for as long as they like: what becomes free has an end,
 * but not what they do. To give up then loses no wake-up: each change that was
 * seen here counts room up after the table's sequence, so after the count that the
 * caller has read before this look, and the wait for that one is over at once.
 */
int sl_writer_make_room(struct sl_writer *writer, uint64_t length,
			struct sluice_loan *loan)
{
	step_fn *const *step = writer->config.pattern == SLUICE_QUEUE ?
		queue_steps : broadcast_steps;
	uint32_t evictions = writer->members->places[SLUICE_SUBSCRIBER] + 1;
	uint32_t changes = CHANGES_MAX;

	while (*step && changes && evictions) {
		int came = (*step)(writer, length);

		if (came < 0)
			return came;
		changes -= came == STEP_CHANGED;
		evictions -= came == STEP_EVICTED;
		if (came == STEP_NOTHING)
			step++;
		else if (!sl_writer_take(writer, length, loan))
			return 0;
	}
	return writer->trouble ? writer->trouble : -EAGAIN;
}

/*
 * Evicting a consumer makes no room by itself: what it held goes to another
 * one, who may be no quicker. So this is no step, but the caller's to do once.
 */
void sl_writer_evict_claimant(struct sl_writer *writer)
{
	if (writer->config.pattern != SLUICE_QUEUE)
		return;
	if (!writer->ops->evict(writer->context, SLUICE_EVICT_CLAIMANT, 0))
		writer->stats.evicted++;
}
