// SPDX-License-Identifier: LGPL-2.1-or-later
/* Receiving from a queue: the kernel says which messages are the caller's. */
#include <errno.h>

#include "atomic.h"
#include "reader.h"
#include "slot.h"

static ssize_t claims_fetch(struct sl_reader *reader, size_t count)
{
	uint32_t pins = reader->cursor.pins;
	int n;

	if (count < reader->prefetch)
		count = reader->prefetch;
	n = reader->ops->claim(reader->context, reader->claims,
			       count < pins ? count : pins);
	if (n > 0) {
		reader->claims_first = 0;
		reader->claims_end = n;
	}
	return n;
}

/* Give a claim back unread; what is rejected is for others to claim at once. */
static void claim_return(struct sl_reader *reader,
			 const struct sluice_claim *claim, uint64_t reject)
{
	sl_store_release(sl_pin(&reader->cursor, claim->pin),
			 claim->tag | reject);			/* R3 */
	if (reject)
		reader->ops->wake(reader->context, claim->lane);
}

/* The lane of a claim, attached now if need be; NULL if it cannot be read. */
static int claim_lane(struct sl_reader *reader,
		      const struct sluice_claim *claim, struct sl_lane **lane)
{
	struct sl_place *place = &reader->places[claim->lane];
	struct sl_who who;
	int err;

	*lane = place->lane;
	if (*lane && (*lane)->who.generation == claim->generation)
		return 0;
	*lane = NULL;
	if (place->corrupt == claim->generation)
		return 0;
	if (place->lane)
		sl_lane_end(reader, place->lane);
	err = sl_member_read(reader->members, SLUICE_PUBLISHER, claim->lane,
			     &who);
	if (!err && sl_who_is(&who, claim->generation))
		err = sl_lane_begin(reader, claim->lane, &who);
	*lane = place->lane;
	return err;
}

/* Return: 1: a message; 0: none, the claim is settled; or an error to try again. */
static int claim_deliver(struct sl_reader *reader,
			 const struct sluice_claim *claim,
			 struct sluice_message *message)
{
	struct sl_held *entry = &reader->held[claim->pin];
	struct sluice_slot slot;
	struct sl_lane *lane;
	int err;

	err = claim_lane(reader, claim, &lane);
	if (err)
		return err;
	if (!lane) {
		bool lied = reader->places[claim->lane].corrupt ==
			claim->generation;

		claim_return(reader, claim, lied ? 0 : SLUICE_ACK_REJECT);
		return 0;
	}
	err = -EPROTO;
	if (sl_slot_copy(&lane->view, claim->position, &slot))
		err = sl_lane_check(reader, lane, &slot);
	if (err == -EPROTO && sl_reader_evicted(reader))
		return 0;
	if (err == -EPROTO) {
		claim_return(reader, claim, 0);
		sl_lane_corrupt(reader, lane);
		return 0;
	}
	if (err)
		return err;
	sl_message_fill(reader, lane, claim->position, &slot, entry, message);
	entry->tag = claim->tag;
	if (claim->flags & SLUICE_CLAIM_REDELIVERED) {
		message->flags |= SLUICE_MESSAGE_REDELIVERED;
		reader->stats.redelivered++;
	}
	return 1;
}

/* Return: how many messages, 0 if there is none among what is claimed. */
static ssize_t claims_deliver(struct sl_reader *reader,
			      struct sluice_message *messages, size_t count)
{
	ssize_t n = 0;
	int r;

	while ((size_t)n < count &&
	       reader->claims_first < reader->claims_end) {
		const struct sluice_claim *claim =
			&reader->claims[reader->claims_first];

		if (claim->pin >= reader->cursor.pins ||
		    claim->lane >= reader->members->places[SLUICE_PUBLISHER])
			return n ? n : -EPROTO;
		r = claim_deliver(reader, claim, &messages[n]);
		if (r < 0)
			return n ? n : r;
		reader->claims_first++;
		n += r;
	}
	return n;
}

/* Has everything been acknowledged that a publisher left? */
static bool lane_finished(const struct sl_reader *reader,
			  const struct sl_lane *lane)
{
	const struct sluice_member *member =
		sl_member(reader->members, SLUICE_PUBLISHER, lane->index);
	uint64_t done = sl_load_acquire(&member->done);

	if (sl_load_relaxed(&member->generation) != lane->who.generation)
		return false;
	return sl_load_acquire(&sl_slot(&lane->view, done)->seq) <
		SLUICE_SEQ(done);
}

/*
 * A publisher that left is done with when the kernel has given its place away,
 * or when the first message that is not acknowledged is not there either. Until
 * then a consumer may die, and what it had claimed may come here.
 */
static void queue_idle(struct sl_reader *reader)
{
	uint32_t i = 0;

	while (i < reader->actives) {
		struct sl_lane *lane = reader->active[i];

		if (lane->gone || (lane->left && lane_finished(reader, lane)))
			sl_lane_end(reader, lane);
		else
			i++;
	}
}

/*
 * If no claim came to a message, as none of one who has lied does, the next one
 * may be of another publisher: each has its turn.
 */
ssize_t sl_queue_receive(struct sl_reader *reader,
			 struct sluice_message *messages, size_t count)
{
	uint32_t tries = reader->members->places[SLUICE_PUBLISHER] + 1;
	ssize_t n = 0;

	while (!n && tries-- && !reader->lies && !reader->evicted) {
		if (reader->claims_first == reader->claims_end)
			n = claims_fetch(reader, count);
		if (n >= 0)
			n = claims_deliver(reader, messages, count);
	}
	if (n == -EAGAIN)
		n = 0;
	if (!n)
		queue_idle(reader);
	return n;
}
