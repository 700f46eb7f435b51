// SPDX-License-Identifier: LGPL-2.1-or-later
/* A subscriber: receive from many lanes, hold, release. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "reader.h"
#include "slot.h"

/* What the library keeps in sluice_message.priv. */
enum { HELD_ENTRY, HELD_SERIAL, SENDER, SENDER_GID };

/* The entry of a message that needs nothing held: it has neither bytes nor fds. */
#define NOT_HELD	UINT64_MAX
#define NONE		UINT32_MAX

/* Rounds in which every message found was gone again, before it is -EAGAIN. */
#define OVERTAKEN_MAX	16

static int tables_alloc(struct sl_reader *reader)
{
	uint32_t places = reader->members->places[SLUICE_PUBLISHER];
	uint32_t pins = reader->cursor.pins;

	reader->places = calloc(places, sizeof(*reader->places));
	reader->active = calloc(places + 1, sizeof(*reader->active));
	reader->held = calloc(pins, sizeof(*reader->held));
	reader->claims = calloc(pins, sizeof(*reader->claims));
	if (!reader->places || !reader->active || !reader->held ||
	    !reader->claims)
		return -ENOMEM;
	return 0;
}

int sl_reader_init(struct sl_reader *reader,
		   const struct sl_reader_setup *setup)
{
	static uint64_t readers;
	int err;

	memset(reader, 0, sizeof(*reader));
	reader->cursor = setup->cursor;
	reader->members = setup->members;
	reader->ops = setup->ops;
	reader->context = setup->context;
	reader->config = setup->config;
	reader->policy = setup->policy;
	reader->flags = setup->flags;
	reader->index = setup->index;
	reader->generation = setup->generation;
	reader->prefetch = setup->prefetch;
	/* A message of another reader must not pass for one of this. */
	reader->serial = __atomic_add_fetch(&readers, 1, __ATOMIC_RELAXED) <<
		SL_SERIAL_SHIFT;
	if (reader->cursor.lanes < reader->members->places[SLUICE_PUBLISHER])
		return -EPROTO;
	err = tables_alloc(reader);
	if (!err)
		err = sl_roster_init(&reader->roster, reader->members,
				     SLUICE_PUBLISHER);
	if (err) {
		sl_reader_deinit(reader);
		return err;
	}
	for (uint32_t i = 0; i < reader->cursor.pins; i++)
		reader->held[i].next = i + 1;
	reader->held[reader->cursor.pins - 1].next = NONE;
	return 0;
}

/*
 * Lanes are found by what is held of them, or else among the active ones. No
 * shared memory is touched: in a child of fork() there is none.
 */
static void lanes_free(struct sl_reader *reader)
{
	for (uint32_t i = 0; i < reader->cursor.pins; i++) {
		struct sl_lane *lane = reader->held[i].lane;

		if (lane && !--lane->held && lane->ended)
			sl_lane_free(reader, lane);
	}
	for (uint32_t i = 0; i < reader->actives; i++)
		sl_lane_free(reader, reader->active[i]);
}

void sl_reader_deinit(struct sl_reader *reader)
{
	if (reader->held && reader->active)
		lanes_free(reader);
	sl_roster_deinit(&reader->roster);
	free(reader->places);
	free(reader->active);
	free(reader->held);
	free(reader->claims);
	memset(reader, 0, sizeof(*reader));
}

/* Evicted? If the kernel is changing the place, the next look tells. */
static void self_update(struct sl_reader *reader)
{
	struct sl_who self;

	if (!sl_member_read(reader->members, SLUICE_SUBSCRIBER, reader->index,
			    &self) &&
	    (!sl_who_is(&self, reader->generation) ||
	     self.state == SLUICE_EVICTED)) {
		reader->evicted = true;
		reader->sole = NULL;
	}
}

static int place_update(struct sl_reader *reader, uint32_t index)
{
	struct sl_place *place = &reader->places[index];
	struct sl_lane *lane = place->lane;
	struct sl_who now;
	int err;

	err = sl_member_read(reader->members, SLUICE_PUBLISHER, index, &now);
	if (err)
		return err;
	if (lane) {
		lane->gone = !sl_who_is(&now, lane->who.generation);
		if (now.state != SLUICE_ACTIVE || lane->gone)
			sl_lane_left(lane);
		return 0;
	}
	if (now.generation > reader->generation)
		reader->seen = true;
	if (now.state == SLUICE_FREE || now.generation == place->finished)
		return 0;
	reader->seen = true;
	return sl_lane_begin(reader, index, &now);
}

static struct sluice_member *publisher_of(const struct sl_reader *reader,
					  uint32_t index)
{
	return sl_member(reader->members, SLUICE_PUBLISHER, index);
}

/* After a full fence that followed what gave the publisher room. */
static inline void wake_if_armed(struct sl_reader *reader, uint32_t index)
{
	if (sl_likely(!sl_load_relaxed(&publisher_of(reader, index)->armed)))
		return;
	reader->stats.wakes++;
	reader->ops->wake(reader->context, index);
}

/* After the fence: those who were shown that there is room in their rings. */
static void wake_shown(struct sl_reader *reader)
{
	for (uint32_t i = 0; i < reader->actives; i++) {
		struct sl_lane *lane = reader->active[i];

		if (!lane->dirty)
			continue;
		lane->dirty = false;
		wake_if_armed(reader, lane->index);
	}
}

void sl_reader_flush(struct sl_reader *reader)
{
	bool any = false;

	for (uint32_t i = 0; i < reader->actives; i++)
		any |= reader->active[i]->dirty;
	if (!any)
		return;
	sl_full_fence();				/* F4, with F7 */
	wake_shown(reader);
}

static int places_update(struct sl_reader *reader, uint64_t seq)
{
	int err;

	reader->seq = seq;
	reader->again = false;
	reader->trouble = 0;
	self_update(reader);
	if (reader->evicted)
		return 0;
	for (uint32_t i = 0; i < reader->members->places[SLUICE_PUBLISHER];
	     i++) {
		err = place_update(reader, i);
		if (err)
			reader->trouble = err;
	}
	sl_reader_flush(reader);
	return reader->trouble;
}

int sl_reader_update(struct sl_reader *reader)
{
	uint64_t seq = sl_load_acquire(&sl_members_head(reader->members)->seq);

	if (sl_likely(seq == reader->seq && !reader->trouble &&
		      !reader->again))
		return 0;
	return places_update(reader, seq);
}

static inline void cursor_show(struct sl_reader *reader)
{
	struct sluice_cursor *head = sl_cursor_head(&reader->cursor);

	sl_store_relaxed(&head->received, reader->stats.received);
	sl_store_relaxed(&head->lost, reader->stats.lost);
	sl_store_relaxed(&head->held, reader->helds);
	sl_store_relaxed(&head->bytes, reader->bytes);
}

static void received(struct sl_reader *reader,
		     const struct sluice_message *messages, size_t n)
{
	reader->stats.received += n;
	for (size_t i = 0; i < n; i++)
		reader->bytes += messages[i].length;
	cursor_show(reader);
}

/* The message is the application's from now on. */
static void held_set(struct sl_reader *reader, struct sl_lane *lane,
		     const struct sluice_slot *slot, struct sl_held *entry)
{
	entry->lane = lane;
	entry->serial = ++reader->serial;
	entry->token = slot->token;
	entry->nfds = slot->fds;
	lane->held++;
	reader->helds++;
}

/* One by one: compilers clear a whole structure with a slow instruction. */
static inline void message_fill(struct sluice_message *message,
				const struct sl_lane *lane, uint64_t position,
				uint64_t length, uint32_t type, uint32_t nfds,
				const void *data, uint64_t entry,
				uint64_t serial)
{
	message->data = data;
	message->length = length;
	message->type = type;
	message->flags = 0;
	message->publisher = lane->index;
	message->nfds = nfds;
	message->generation = lane->who.generation;
	message->position = position;
	message->lost = 0;
	message->priv[HELD_ENTRY] = entry;
	message->priv[HELD_SERIAL] = serial;
	message->priv[SENDER] = lane->sender[0];
	message->priv[SENDER_GID] = lane->sender[1];
}

static const void *slot_data(const struct sl_lane *lane,
				    const struct sluice_slot *slot)
{
	return (char *)lane->view.segment[slot->segment].base + slot->offset;
}

void sl_message_fill(struct sl_reader *reader, struct sl_lane *lane,
		     uint64_t position, const struct sluice_slot *slot,
		     struct sl_held *entry, struct sluice_message *message)
{
	const void *data = slot->length ? slot_data(lane, slot) : NULL;

	held_set(reader, lane, slot, entry);
	message_fill(message, lane, position, slot->length, slot->type,
		     slot->fds, data, entry - reader->held, entry->serial);
}

void sl_message_sender(const struct sluice_message *message,
		       struct sluice_identity *identity)
{
	identity->pid = (int32_t)message->priv[SENDER];
	identity->uid = message->priv[SENDER] >> 32;
	identity->gid = message->priv[SENDER_GID];
	identity->resv = 0;
}

static inline void held_free(struct sl_reader *reader, struct sl_held *entry,
			     uint32_t index)
{
	struct sl_lane *lane = entry->lane;

	entry->lane = NULL;
	reader->helds--;
	if (reader->config.pattern == SLUICE_BROADCAST) {
		entry->next = reader->held_free;
		reader->held_free = index;
	}
	lane->held--;
	if (sl_unlikely(lane->ended))
		sl_lane_unused(reader, lane);
}

static inline struct sl_held *held_find(const struct sl_reader *reader,
					const struct sluice_message *message)
{
	uint64_t index = message->priv[HELD_ENTRY];
	struct sl_held *entry;

	if (sl_unlikely(index >= reader->cursor.pins))
		return NULL;
	entry = &reader->held[index];
	if (sl_unlikely(!entry->lane ||
			entry->serial != message->priv[HELD_SERIAL]))
		return NULL;
	return entry;
}

struct sl_held *sl_reader_find(const struct sl_reader *reader,
			       const struct sluice_message *message)
{
	return held_find(reader, message);
}

/* Hold what is there. Release: the pin's former message was read before, too. */
static inline void pin_set(struct sl_reader *reader, uint32_t index,
			   const struct sl_lane *lane, uint64_t position)
{
	sl_store_release(sl_pin(&reader->cursor, index), lane->pin |
			 (position & SLUICE_PIN_POSITION));
}

/* What trying a lane came to. */
enum took {
	TOOK_ONE,
	TOOK_NONE,
	TOOK_BUSY,	/* none, but it is worth trying again at once */
	TOOK_FULL,	/* there is one, but too many are held */
	TOOK_GONE,	/* the lane is not active any more */
};

/* Pin what the slot says, and take it; the pin is confirmed later. */
static enum took lane_hold(struct sl_reader *reader, struct sl_lane *lane,
			   const struct sluice_slot *slot,
			   struct sluice_message *message)
{
	uint32_t index = reader->held_free;

	if (!slot->length && !slot->fds) {
		message_fill(message, lane, lane->position, 0, slot->type, 0,
			     NULL, NOT_HELD, 0);
	} else if (index == NONE) {
		return TOOK_FULL;
	} else {
		reader->held_free = reader->held[index].next;
		pin_set(reader, index, lane, lane->position);
		sl_message_fill(reader, lane, lane->position, slot,
				&reader->held[index], message);
	}
	message->lost = lane->lost;
	lane->lost = 0;
	lane->position++;
	lane->rest -= lane->left;
	return TOOK_ONE;
}

static inline void lane_advance(struct sl_lane *lane)
{
	lane->shown = lane->position;
	lane->dirty = true;
	sl_store_release(&lane->cursor->head, lane->position);	/* R2, with A2 */
}

static void lane_show(struct sl_lane *lane)
{
	if (!lane->ended && lane->shown != lane->position)
		lane_advance(lane);
}

/*
 * Was it evicted while it read? What it read may not be what was sent. The own
 * entry is looked at each time: it says so before the table's count does, and
 * publishers need not wait for that. With their F5, the fence before it.
 */
bool sl_reader_evicted(struct sl_reader *reader)
{
	if (reader->policy != SLUICE_EVICT || reader->evicted)
		return reader->evicted;
	sl_acquire_fence();
	self_update(reader);
	return reader->evicted;
}

static enum took lane_take(struct sl_reader *reader, struct sl_lane *lane,
			   struct sluice_message *message)
{
	enum sl_look look;
	struct sluice_slot slot;
	int err;

	look = sl_lane_look(reader, lane, &slot);
	/* Who left, but can still write: what there was fits in its ring. */
	if (look != SL_LOOK_EMPTY && lane->left && !lane->rest)
		look = SL_LOOK_LIE;
	if (look == SL_LOOK_READY) {
		err = sl_lane_check(reader, lane, &slot);
		if (!err)
			return lane_hold(reader, lane, &slot, message);
		if (err == -ESTALE && sl_reader_evicted(reader))
			return TOOK_NONE;
		if (err == -ESTALE) {
			sl_lane_lost(reader, lane);
			return TOOK_GONE;
		}
		if (err == -EPROTO)
			look = SL_LOOK_LIE;
		else
			reader->trouble = err;
	}
	/* Who is evicted reads what is being written: that is no lie. */
	if (look == SL_LOOK_LIE && sl_reader_evicted(reader))
		return TOOK_NONE;
	if (look == SL_LOOK_LIE) {
		sl_lane_corrupt(reader, lane);
		return TOOK_GONE;
	}
	if (look == SL_LOOK_EMPTY && lane->left) {
		sl_lane_end(reader, lane);
		return TOOK_GONE;
	}
	lane_show(lane);
	if (look != SL_LOOK_BUSY)
		return TOOK_NONE;
	lane->rest -= lane->left;
	return TOOK_BUSY;
}

/**
 * collect() - take what there is, lane after lane
 * @reader: whose
 * @messages: out
 * @count: at most so many
 * @last: out: what ended it, if there were less
 *
 * Return: how many.
 */
static size_t collect(struct sl_reader *reader,
		      struct sluice_message *messages, size_t count,
		      enum took *last)
{
	uint32_t idle = 0;
	size_t n = 0;

	*last = TOOK_NONE;
	while (n < count && idle < reader->actives) {
		enum took took;

		if (reader->turn >= reader->actives)
			reader->turn = 0;
		took = lane_take(reader, reader->active[reader->turn],
				 &messages[n]);
		if (sl_likely(took == TOOK_ONE)) {
			idle = 0;
			n++;
			reader->turn++;
			continue;
		}
		if (took == TOOK_GONE)
			continue;
		if (took == TOOK_FULL) {
			*last = took;
			break;
		}
		if (took == TOOK_BUSY)
			*last = took;
		idle++;
		reader->turn++;
	}
	return n;
}

/* The lane of a message just taken, if it is still read. */
static inline struct sl_lane *lane_of(struct sl_reader *reader,
			       const struct sluice_message *message)
{
	struct sl_lane *lane = reader->places[message->publisher].lane;

	if (!lane || lane->who.generation != message->generation)
		return NULL;
	return lane;
}

/*
 * A message was gone before it was pinned: the next of its lane tells so. One of
 * before it joined was history, and is no loss, as in lane_lose(); those lost
 * before it are nevertheless.
 */
static void lose(struct sl_reader *reader, struct sluice_message *messages,
		 size_t i, size_t n, struct sl_lane *lane)
{
	bool counts = messages[i].position >= lane->joined;
	uint64_t lost = messages[i].lost + counts;

	reader->stats.lost += counts;
	for (size_t next = i + 1; next < n; next++) {
		if (messages[next].publisher == messages[i].publisher &&
		    messages[next].generation == messages[i].generation) {
			messages[next].lost += lost;
			return;
		}
	}
	lane->lost += lost;
}

/*
 * The second half of the hazard pointer, for all pins at once: what is still
 * there after the fence stays until it is unpinned. Where publishers wait for
 * this subscriber nothing goes, and no fence is needed.
 */
static size_t confirm(struct sl_reader *reader,
		      struct sluice_message *messages, size_t n)
{
	size_t out = 0;

	if (reader->policy == SLUICE_BLOCK)
		return n;
	sl_full_fence();				/* F3, with F5 */
	for (size_t i = 0; i < n; i++) {
		struct sl_lane *lane = lane_of(reader, &messages[i]);
		struct sl_held *entry = held_find(reader, &messages[i]);
		uint64_t position = messages[i].position;

		if (lane && entry &&
		    sl_load_acquire(&sl_slot(&lane->view, position)->seq) !=
		    SLUICE_SEQ(position)) {
			sl_store_release(sl_pin(&reader->cursor,
						entry - reader->held), 0);
			lose(reader, messages, i, n, lane);
			held_free(reader, entry, entry - reader->held);
		} else {
			if (out != i)
				messages[out] = messages[i];
			out++;
		}
	}
	return out;
}

/* Show the publishers what was received; those without bytes release at once. */
static inline void show(struct sl_reader *reader,
			const struct sluice_message *messages, size_t n)
{
	bool flush = false;

	for (size_t i = 0; i < n; i++) {
		struct sl_lane *lane = lane_of(reader, &messages[i]);

		if (lane)
			lane_show(lane);
		flush |= messages[i].priv[HELD_ENTRY] == NOT_HELD;
	}
	if (flush)
		sl_reader_flush(reader);
}

static void lanes_show(struct sl_reader *reader)
{
	for (uint32_t i = 0; i < reader->actives; i++)
		lane_show(reader->active[i]);
}

static ssize_t broadcast_receive(struct sl_reader *reader,
				 struct sluice_message *messages, size_t count)
{
	enum took last = TOOK_NONE;

	for (int i = 0; i < OVERTAKEN_MAX; i++) {
		size_t n = collect(reader, messages, count, &last);
		size_t sure = confirm(reader, messages, n);

		/* A pin that was given up is room of which no release tells. */
		if (sure < n) {
			lanes_show(reader);
			sl_reader_flush(reader);
		}
		if (sure) {
			show(reader, messages, sure);
			return sure;
		}
		if (last == TOOK_FULL && !n) {
			sl_reader_flush(reader);
			return -ENOBUFS;
		}
		if (!n && last == TOOK_NONE)
			break;
	}
	lanes_show(reader);
	return 0;
}

/*
 * Does nobody publish, and is all read of those who did? One may have come and
 * gone since its place was looked at, or while another's lane was still read
 * there, and have left messages. The kernel writes @publishers between the fence
 * after the last change (F6) and the count of this one (E3): who sees 0, with
 * acquire, then sees all counts but that of the change that it is of. That one
 * only took somebody away who was there before, so if the count is that of the
 * last look at the table, nobody was overlooked. If it is not, it is -EAGAIN, and
 * the next call looks. Who waits first does not sleep: member_seen is not the
 * table's count then.
 */
static bool is_alone(const struct sl_reader *reader)
{
	const struct sluice_members *head = sl_members_head(reader->members);

	return reader->seen && !reader->actives && !reader->again &&
		!(reader->flags & SLUICE_JOIN_STAY) &&
		!sl_load_acquire(&head->publishers) &&		/* with F6 */
		sl_load_acquire(&head->seq) == reader->seq;
}

/* Nothing was received: why? */
static int nothing(struct sl_reader *reader)
{
	sl_reader_flush(reader);
	if (reader->lies) {
		reader->lies--;
		return -EPROTO;
	}
	if (reader->trouble)
		return reader->trouble;
	return is_alone(reader) ? -EPIPE : -EAGAIN;
}

/*
 * Where a message's bytes are is known only once its slot is here, and then they
 * would be waited for, too. So they are asked for together with the slot, where a
 * publisher that goes through its memory in steps would have put them.
 */
static inline void lane_expect(struct sl_lane *lane, const void *data)
{
	uintptr_t last = lane->last;

	lane->last = (uintptr_t)data;
	lane->expected = 2 * lane->last - last;
	__builtin_prefetch((const void *)lane->expected);
}

/*
 * The usual case: one publisher, who waits for this subscriber, and has
 * nothing but ordinary messages. Zero says only that the long way is to be gone.
 */
static sl_specialized size_t sole_take(struct sl_reader *reader,
				       struct sl_lane *lane,
				       struct sluice_message *messages,
				       size_t count)
{
	uint64_t position = lane->position, serial = reader->serial;
	uint32_t index = reader->held_free;
	uint64_t bytes = 0;
	size_t n;

	__builtin_prefetch((const void *)lane->expected);
	for (n = 0; n < count && index != NONE; n++) {
		const struct sluice_slot *slot = sl_slot(&lane->view, position);
		struct sl_held *entry = &reader->held[index];
		uint64_t length;
		const void *data;

		if (!sl_slot_has(slot, position) ||
		    (sl_load_relaxed(&slot->flags) |
		     sl_load_relaxed(&slot->fds)))
			break;
		length = sl_load_relaxed(&slot->length);
		data = sl_slot_bytes(&lane->view,
				     sl_load_relaxed(&slot->segment),
				     sl_load_relaxed(&slot->offset), length);
		if (!data || !length)
			break;
		pin_set(reader, index, lane, position);
		entry->lane = lane;
		entry->serial = ++serial;
		entry->nfds = 0;
		message_fill(&messages[n], lane, position++, length,
			     sl_load_relaxed(&slot->type), 0, data, index,
			     serial);
		index = entry->next;
		bytes += length;
		lane_expect(lane, data);
	}
	if (sl_unlikely(!n))
		return 0;
	messages[0].lost = lane->lost;
	lane->lost = 0;
	lane->position = position;
	lane->held += n;
	reader->helds += n;
	reader->serial = serial;
	reader->held_free = index;
	reader->bytes += bytes;
	reader->stats.received += n;
	return n;
}

/* Nothing yet, and nobody waits for what was shown? */
static inline bool sole_idle(const struct sl_lane *lane)
{
	uint64_t seq = sl_load_relaxed(
		&sl_slot(&lane->view, lane->position)->seq);

	return seq < SLUICE_SEQ(lane->position) && !lane->dirty &&
		lane->shown == lane->position;
}

/* Queues have no cursor, and a policy but BLOCK needs fences. */
static void sole_choose(struct sl_reader *reader)
{
	reader->sole = NULL;
	if (reader->actives == 1 && !reader->active[0]->left &&
	    reader->policy == SLUICE_BLOCK &&
	    reader->config.pattern == SLUICE_BROADCAST && !reader->lies &&
	    !reader->trouble && !reader->again && !reader->evicted)
		reader->sole = reader->active[0];
}

/* With nobody left to read, whoever has come meanwhile: DETACH, too, is a change. */
static bool is_overtaken(const struct sl_reader *reader)
{
	return reader->again ||
		(!reader->actives &&
		 sl_load_acquire(&sl_members_head(reader->members)->seq) !=
		 reader->seq);
}

/*
 * One who left is read to his end before who has his place now is begun. That may
 * be in the same call, and has to: whoever waits for a change, or for the next
 * edge of poll(), was told of the new one already.
 */
static ssize_t take_any(struct sl_reader *reader,
			struct sluice_message *messages, size_t count)
{
	ssize_t n = 0;

	for (int i = 0; i < OVERTAKEN_MAX && !n; i++) {
		sl_reader_update(reader);
		if (reader->evicted)
			return -ECONNABORTED;
		if (reader->config.pattern == SLUICE_QUEUE)
			n = sl_queue_receive(reader, messages, count);
		else
			n = broadcast_receive(reader, messages, count);
		if (!is_overtaken(reader))
			break;
	}
	return n;
}

static sl_cold ssize_t receive_any(struct sl_reader *reader,
			   struct sluice_message *messages, size_t count)
{
	ssize_t n;

	if (reader->lies) {
		reader->lies--;
		sl_reader_flush(reader);
		sole_choose(reader);
		return -EPROTO;
	}
	reader->sole = NULL;
	n = take_any(reader, messages, count);
	if (!n && reader->evicted)
		return -ECONNABORTED;
	if (!n)
		n = nothing(reader);
	received(reader, messages, n > 0 ? n : 0);
	sole_choose(reader);
	return n;
}

static sl_specialized ssize_t sole_receive(struct sl_reader *reader,
					   struct sl_lane *lane,
					   struct sluice_message *messages,
					   size_t count)
{
	size_t n = sole_take(reader, lane, messages, count);

	if (sl_unlikely(!n))
		return sole_idle(lane) ? -EAGAIN :
			receive_any(reader, messages, count);
	lane_advance(lane);
	cursor_show(reader);
	return n;
}

static sl_apart ssize_t sole_receive_many(struct sl_reader *reader,
					  struct sl_lane *lane,
					  struct sluice_message *messages,
					  size_t count)
{
	return sole_receive(reader, lane, messages, count);
}

ssize_t sl_reader_receive(struct sl_reader *reader,
			  struct sluice_message *messages, size_t count)
{
	struct sl_lane *lane = reader->sole;

	if (sl_unlikely(!lane || sl_load_acquire(
			&sl_members_head(reader->members)->seq) != reader->seq))
		return receive_any(reader, messages, count);
	if (count != 1)
		return sole_receive_many(reader, lane, messages, count);
	return sole_receive(reader, lane, messages, 1);
}

/* It is no message, or one of which nothing is held. */
static int let_nothing_go(struct sluice_message *message)
{
	if (message->priv[HELD_ENTRY] != NOT_HELD)
		return -EINVAL;
	memset(message, 0, sizeof(*message));
	return 0;
}

/* Store what ends the holding of a message: 0, or its tag. */
static inline int let_go(struct sl_reader *reader,
			 struct sluice_message *message, uint64_t reject)
{
	struct sl_held *entry = held_find(reader, message);
	bool queue = reader->config.pattern == SLUICE_QUEUE;
	uint32_t index = message->priv[HELD_ENTRY];

	if (sl_unlikely(!entry))
		return let_nothing_go(message);
	sl_store_release(sl_pin(&reader->cursor, index),
			 queue ? entry->tag | reject : 0);	/* R3, with A3 */
	held_free(reader, entry, index);
	message->data = NULL;
	return 0;
}

/* After the fence: wake the publisher for the pin, and for its head. */
static inline void released(struct sl_reader *reader, uint32_t index)
{
	struct sl_lane *lane;

	if (index >= reader->members->places[SLUICE_PUBLISHER])
		return;
	lane = reader->places[index].lane;
	if (lane)
		lane->dirty = false;
	wake_if_armed(reader, index);
}

static sl_cold int let_all_go(struct sl_reader *reader,
		      struct sluice_message *messages, size_t count,
		      uint64_t reject)
{
	bool evicted = sl_reader_evicted(reader);
	int err, first = 0;

	for (size_t i = 0; i < count; i++) {
		err = let_go(reader, &messages[i], reject);
		if (err && !first)
			first = err;
	}
	sl_full_fence();				/* F4, with F7 */
	for (size_t i = 0; i < count; i++)
		if (!i || messages[i].publisher != messages[i - 1].publisher)
			released(reader, messages[i].publisher);
	wake_shown(reader);
	sl_store_relaxed(&sl_cursor_head(&reader->cursor)->held,
			 reader->helds);
	if (!first && evicted)
		first = -ECONNABORTED;
	return first;
}

/* Let those go that are of the sole lane: how many, up to the first other. */
static sl_specialized size_t sole_let_go(struct sl_reader *reader,
					 struct sl_lane *lane,
					 struct sluice_message *messages,
					 size_t count)
{
	uint32_t next = reader->held_free;
	size_t n;

	for (n = 0; n < count; n++) {
		struct sl_held *entry = held_find(reader, &messages[n]);

		if (sl_unlikely(!entry || entry->lane != lane))
			break;
		entry->lane = NULL;
		entry->next = next;
		next = messages[n].priv[HELD_ENTRY];
		sl_store_release(sl_pin(&reader->cursor, next),
				 0);				/* R3, with A3 */
		messages[n].data = NULL;
	}
	reader->held_free = next;
	reader->helds -= n;
	lane->held -= n;
	return n;
}

static sl_specialized int sole_release(struct sl_reader *reader,
				       struct sl_lane *lane,
				       struct sluice_message *messages,
				       size_t count)
{
	size_t n = sole_let_go(reader, lane, messages, count);

	lane->dirty = false;
	sl_store_relaxed(&sl_cursor_head(&reader->cursor)->held,
			 reader->helds);
	sl_full_fence();				/* F4, with F7 */
	if (sl_unlikely(sl_load_relaxed(lane->armed)))
		wake_if_armed(reader, lane->index);
	if (sl_likely(n == count))
		return 0;
	return let_all_go(reader, messages + n, count - n, 0);
}

static sl_apart int sole_release_many(struct sl_reader *reader,
				      struct sl_lane *lane,
				      struct sluice_message *messages,
				      size_t count)
{
	return sole_release(reader, lane, messages, count);
}

int sl_reader_release(struct sl_reader *reader,
		      struct sluice_message *messages, size_t count)
{
	struct sl_lane *lane = reader->sole;

	if (sl_unlikely(!lane))
		return let_all_go(reader, messages, count, 0);
	if (count != 1)
		return sole_release_many(reader, lane, messages, count);
	return sole_release(reader, lane, messages, 1);
}

int sl_reader_reject(struct sl_reader *reader, struct sluice_message *message)
{
	int err;

	if (reader->config.pattern != SLUICE_QUEUE)
		return -EOPNOTSUPP;
	err = let_all_go(reader, message, 1, SLUICE_ACK_REJECT);
	/* Nobody else can claim it before the kernel has read the pin. */
	if (err != -EINVAL)
		reader->ops->wake(reader->context, message->publisher);
	return err;
}

/*
 * A place that the kernel was changing is worth no look before that change is
 * counted, which comes after its entry (E3): who kept looking could keep the one
 * who is changing it off the CPU.
 */
void sl_reader_sleep(struct sl_reader *reader)
{
	sl_store_relaxed(&sl_cursor_head(&reader->cursor)->member_seen,
			 reader->again ? reader->seq - 1 : reader->seq);
}

void sl_reader_awake(struct sl_reader *reader)
{
	sl_store_relaxed(&sl_cursor_head(&reader->cursor)->member_seen,
			 sl_roster_seen(&reader->roster));
}

int sl_reader_next_event(struct sl_reader *reader, struct sluice_event *event)
{
	bool some = true;

	self_update(reader);
	if (reader->evicted && !reader->evicted_told) {
		reader->evicted_told = true;
		memset(event, 0, sizeof(*event));
		event->type = SLUICE_EVENT_EVICTED;
		event->role = SLUICE_SUBSCRIBER;
		event->index = reader->index;
		event->generation = reader->generation;
		event->reason = SLUICE_LEFT_EVICTED;
	} else {
		some = sl_roster_next(&reader->roster, event);
	}
	sl_reader_awake(reader);
	return some ? 0 : -EAGAIN;
}

uint64_t sl_reader_heads(const struct sl_reader *reader)
{
	uint64_t sum = sl_load_acquire(
		&sl_members_head(reader->members)->seq);

	for (uint32_t i = 0; i < reader->actives; i++)
		sum = 31 * sum + sl_load_relaxed(
			&sl_lane_head(&reader->active[i]->view)->head);
	return sum;
}

static uint64_t lane_lag(const struct sl_reader *reader,
			 const struct sl_lane *lane)
{
	uint64_t head = sl_load_relaxed(&sl_lane_head(&lane->view)->head);
	uint64_t read = lane->position;

	if (reader->config.pattern == SLUICE_QUEUE)
		read = sl_load_relaxed(
			&publisher_of(reader, lane->index)->done);
	return head > read ? head - read : 0;
}

void sl_reader_stats(const struct sl_reader *reader,
		     struct sluice_subscriber_stats *stats)
{
	*stats = reader->stats;
	stats->held = reader->helds;
	stats->publishers = reader->actives;
	for (uint32_t i = 0; i < reader->actives; i++)
		stats->lag += lane_lag(reader, reader->active[i]);
}
