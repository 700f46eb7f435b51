// SPDX-License-Identifier: LGPL-2.1-or-later
/* A publisher's loans, and their way into the ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "writer.h"

static int tables_alloc(struct sl_writer *writer)
{
	uint32_t slots = writer->lane.slots;
	uint32_t places = writer->members->places[SLUICE_SUBSCRIBER];

	writer->aside_room = places * writer->config.held;
	writer->records = calloc(slots, sizeof(*writer->records));
	writer->aside = calloc(writer->aside_room, sizeof(*writer->aside));
	writer->lent = calloc(slots, sizeof(*writer->lent));
	writer->peers = calloc(places, sizeof(*writer->peers));
	if (!writer->records || !writer->aside || !writer->lent ||
	    !writer->peers)
		return -ENOMEM;
	return 0;
}

int sl_writer_init(struct sl_writer *writer,
		   const struct sl_writer_setup *setup)
{
	static uint64_t writers;
	int err;

	memset(writer, 0, sizeof(*writer));
	sl_pool_init(&writer->pool);
	writer->lane = setup->lane;
	writer->lane.segments = 0;
	writer->members = setup->members;
	writer->ops = setup->ops;
	writer->context = setup->context;
	writer->config = setup->config;
	writer->index = setup->index;
	writer->generation = setup->generation;
	writer->may_grow = setup->may_grow;
	/* A loan of another writer must not pass for one of this. */
	writer->serial = __atomic_add_fetch(&writers, 1, __ATOMIC_RELAXED) <<
		SL_SERIAL_SHIFT;
	err = tables_alloc(writer);
	if (!err)
		err = sl_roster_init(&writer->roster, writer->members,
				     SLUICE_SUBSCRIBER);
	if (err) {
		sl_writer_deinit(writer);
		return err;
	}
	for (uint32_t i = 0; i < writer->lane.slots; i++)
		writer->lent[i].next = i + 1;
	return 0;
}

void sl_writer_deinit(struct sl_writer *writer)
{
	for (uint32_t i = 0; writer->peers && i < writer->peers_end; i++)
		if (writer->peers[i].cursor.area.base)
			writer->ops->unmap(writer->context,
					   &writer->peers[i].cursor);
	sl_pool_deinit(&writer->pool);
	sl_roster_deinit(&writer->roster);
	free(writer->records);
	free(writer->aside);
	free(writer->lent);
	free(writer->peers);
	memset(writer, 0, sizeof(*writer));
}

int sl_writer_add(struct sl_writer *writer, const struct sl_area *segment)
{
	int err = sl_pool_add(&writer->pool, segment->base, segment->size);

	if (!err)
		writer->lane.segment[writer->lane.segments++] = *segment;
	return err;
}

/* What may still be added goes into one segment, so that is as good as it gets. */
uint64_t sl_writer_greatest(const struct sl_writer *writer)
{
	const struct sl_pool *pool = &writer->pool;
	uint64_t more = 0;

	if (writer->may_grow && pool->segments < SLUICE_SEGMENTS_MAX &&
	    writer->config.pool_limit > pool->size)
		more = writer->config.pool_limit - pool->size;
	if (more > SL_SEGMENT_MAX)
		more = SL_SEGMENT_MAX;
	return more > pool->greatest ? more : pool->greatest;
}

int sl_writer_take(struct sl_writer *writer, uint64_t length,
		   struct sluice_loan *loan)
{
	uint32_t block = SL_POOL_NONE;

	while (sl_writer_full(writer))
		if (!sl_writer_retire(writer))
			return -EAGAIN;
	while (length) {
		block = sl_pool_alloc(&writer->pool, length);
		if (block != SL_POOL_NONE)
			break;
		if (!sl_writer_retire(writer))
			return -EAGAIN;
	}
	sl_writer_lend(writer, length, block,
		       length ? sl_pool_data(&writer->pool, block) : NULL,
		       loan);
	return 0;
}

static void room_seen(struct sl_writer *writer, uint64_t room)
{
	if (writer->room_seen == room)
		return;
	writer->room_seen = room;
	sl_store_relaxed(&sl_lane_head(&writer->lane)->room_seen, room);
}

int sl_writer_loan(struct sl_writer *writer, uint64_t length,
		   struct sluice_loan *loan)
{
	int err = sl_writer_take(writer, length, loan);

	if (err) {
		if (length > sl_writer_greatest(writer))
			return -EMSGSIZE;
		err = sl_writer_make_room(writer, length, loan);
	}
	if (!err)
		room_seen(writer, 0);
	return err;
}

/* Has it not left? If the kernel is changing the place, it is to be asked. */
static bool is_member(const struct sl_writer *writer)
{
	struct sl_who self;

	return !sl_member_read(writer->members, SLUICE_PUBLISHER,
			       writer->index, &self) &&
		sl_who_is(&self, writer->generation) &&
		self.state == SLUICE_ACTIVE;
}

/*
 * An eventcount: read the count, arm, look again, and only then believe that
 * there is no room. Whatever makes some after that look finds the writer
 * armed, and changes the count. A queue's publisher that left is armed for good,
 * and the place may be another's meanwhile: the kernel tells whoever asks.
 */
static int room_arm(struct sl_writer *writer, uint64_t *room)
{
	const struct sluice_member *self =
		sl_member(writer->members, SLUICE_PUBLISHER, writer->index);

	*room = sl_load_acquire(&self->room);
	if (!sl_load_relaxed(&self->armed) || !is_member(writer))
		return writer->ops->arm(writer->context);
	sl_full_fence();				/* F7, with F4 */
	return 0;
}

int sl_writer_loan_or_arm(struct sl_writer *writer, uint64_t length,
			  struct sluice_loan *loan, uint64_t *room)
{
	int err = room_arm(writer, room);

	if (!err)
		err = sl_writer_loan(writer, length, loan);
	if (err == -EAGAIN)
		room_seen(writer, *room);
	return err;
}

/*
 * Whoever has the place next changes the generation before it has something
 * done: if it is still the own one afterwards, so is what was read before.
 */
uint64_t sl_writer_done(const struct sl_writer *writer)
{
	const struct sluice_member *self =
		sl_member(writer->members, SLUICE_PUBLISHER, writer->index);
	uint64_t done = sl_load_acquire(&self->done);

	if (sl_load_relaxed(&self->generation) != writer->generation)
		return 0;
	return done < writer->head ? done : writer->head;
}

static bool writer_finished(const struct sl_writer *writer)
{
	return sl_writer_done(writer) == writer->head;
}

int sl_writer_finished_or_arm(struct sl_writer *writer, uint64_t *room)
{
	int err;

	if (writer->config.pattern != SLUICE_QUEUE)
		return -EINVAL;
	if (writer_finished(writer))
		return 0;
	err = room_arm(writer, room);
	if (err)
		return err;
	return writer_finished(writer) ? 0 : -EAGAIN;
}

/* The table's entry of a loan, or NULL if there is no such loan. */
static inline struct sl_lent *lent_of(struct sl_writer *writer,
			       const struct sluice_loan *loan)
{
	uint64_t index = loan->priv[SL_LENT_INDEX];

	if (index >= writer->lane.slots || !loan->priv[SL_LENT_SERIAL] ||
	    writer->lent[index].serial != loan->priv[SL_LENT_SERIAL])
		return NULL;
	return &writer->lent[index];
}

static inline void lent_end(struct sl_writer *writer, struct sl_lent *lent,
		     struct sluice_loan *loan)
{
	lent->serial = 0;
	lent->next = writer->lent_free;
	writer->lent_free = loan->priv[SL_LENT_INDEX];
	writer->loans--;
	loan->data = NULL;
	loan->length = 0;
	loan->priv[SL_LENT_SERIAL] = 0;
}

int sl_writer_discard(struct sl_writer *writer, struct sluice_loan *loan)
{
	struct sl_lent *lent = lent_of(writer, loan);

	if (!lent)
		return -EINVAL;
	if (lent->block != SL_POOL_NONE)
		sl_pool_free(&writer->pool, lent->block);
	lent_end(writer, lent, loan);
	return 0;
}

/* Give back what a message shorter than its loan does not need. */
static void trim(struct sl_writer *writer, struct sl_lent *lent,
		 uint64_t length)
{
	if (length) {
		sl_pool_shrink(&writer->pool, lent->block, length);
	} else {
		sl_pool_free(&writer->pool, lent->block);
		lent->block = SL_POOL_NONE;
	}
}

/* Where the bytes are: in the slot for others, in the record for later. */
static inline void block_show(const struct sl_pool *pool, uint32_t block,
			      uint32_t fds, struct sl_record *record,
			      struct sluice_slot *slot)
{
	const struct sl_block *bytes = &pool->blocks[block];

	if (sl_likely(block != SL_POOL_NONE)) {
		record->granules = fds ? 0 : bytes->count;
		sl_store_relaxed(&slot->segment, bytes->segment);
		sl_store_relaxed(&slot->offset,
				 (uint64_t)bytes->start * SL_GRANULE);
	} else {
		record->granules = 0;
		sl_store_relaxed(&slot->segment, 0);
		sl_store_relaxed(&slot->offset, 0);
	}
}

/* @token: of its first descriptor, if it has some. */
static sl_specialized void slot_fill(struct sl_writer *writer,
				     struct sl_lent *lent,
				     struct sluice_loan *loan, uint64_t token)
{
	uint64_t position = writer->head, length = loan->length;
	struct sluice_slot *slot = sl_slot(&writer->lane, position);
	struct sl_record *record =
		&writer->records[position & (writer->lane.slots - 1)];
	uint32_t fds = loan->nfds;

	record->block = lent->block;
	record->fds = fds;
	record->pinned = false;
	if (fds) {
		record->token = token;
		sl_store_relaxed(&slot->token, token);
	}
	block_show(&writer->pool, lent->block, fds, record, slot);
	sl_store_relaxed(&slot->length, length);
	sl_store_relaxed(&slot->type, loan->type);
	sl_store_relaxed(&slot->fds, fds);
	sl_store_release(&slot->seq, SLUICE_SEQ(position));	/* R1 */
	writer->head = position + 1;
	writer->bytes += length;
	lent_end(writer, lent, loan);
}

/* What is not only bytes as many as were lent. */
static sl_cold int publish_other(struct sl_writer *writer, struct sl_lent *lent,
				 struct sluice_loan *loan)
{
	uint64_t token = 0;
	int err;

	if (loan->length > lent->length || loan->nfds > SLUICE_FDS_MAX)
		return -EINVAL;
	if (loan->nfds) {
		err = writer->ops->fds_attach(writer->context, loan->fds,
					      loan->nfds, &token);
		if (err)
			return err;
	}
	if (loan->length != lent->length)
		trim(writer, lent, loan->length);
	slot_fill(writer, lent, loan, token);
	return 0;
}

static sl_specialized int publish_one(struct sl_writer *writer,
				      struct sluice_loan *loan)
{
	struct sl_lent *lent = lent_of(writer, loan);

	if (sl_unlikely(!lent))
		return -EINVAL;
	if (sl_unlikely(loan->nfds || loan->length != lent->length))
		return publish_other(writer, lent, loan);
	slot_fill(writer, lent, loan, 0);
	return 0;
}

static sl_cold void publish_wake(struct sl_writer *writer, size_t count)
{
	writer->stats.wakes++;
	writer->ops->wake(writer->context, count);
}

static sl_specialized ssize_t publish_all(struct sl_writer *writer,
					  struct sluice_loan *loans,
					  size_t count)
{
	size_t done;
	int err = 0;

	for (done = 0; done < count; done++) {
		err = publish_one(writer, &loans[done]);
		if (sl_unlikely(err))
			break;
	}
	if (sl_unlikely(!done))
		return err;
	sl_store_relaxed(&sl_lane_head(&writer->lane)->head, writer->head);
	sl_store_relaxed(&sl_lane_head(&writer->lane)->bytes, writer->bytes);
	sl_full_fence();				/* F1, with F2 */
	if (sl_unlikely(sl_load_relaxed(
			&sl_members_head(writer->members)->armed)))
		publish_wake(writer, done);
	return done;
}

static sl_apart ssize_t publish_many(struct sl_writer *writer,
				     struct sluice_loan *loans, size_t count)
{
	return publish_all(writer, loans, count);
}

ssize_t sl_writer_publish(struct sl_writer *writer, struct sluice_loan *loans,
			  size_t count)
{
	if (count != 1)
		return publish_many(writer, loans, count);
	return publish_all(writer, loans, 1);
}

int sl_writer_next_event(struct sl_writer *writer, struct sluice_event *event)
{
	bool some = sl_roster_next(&writer->roster, event);

	sl_store_relaxed(&sl_lane_head(&writer->lane)->member_seen,
			 sl_roster_seen(&writer->roster));
	return some ? 0 : -EAGAIN;
}

void sl_writer_stats(const struct sl_writer *writer,
		     struct sluice_publisher_stats *stats)
{
	*stats = writer->stats;
	stats->published = writer->head;
	stats->reclaimed = writer->safe;
	stats->pool = writer->pool.size;
	stats->pool_used = writer->pool.used;
	stats->segments = writer->pool.segments;
	stats->loans = writer->loans;
	stats->aside = writer->asides;
}
