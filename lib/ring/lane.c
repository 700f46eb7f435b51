// SPDX-License-Identifier: LGPL-2.1-or-later
/* One publisher as a subscriber reads it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "reader.h"
#include "slot.h"

/* No honest publisher comes this far; below it no position overflows. */
#define POSITION_END	(1ULL << 62)

/* Looks at one slot while its publisher overtakes, before others have a turn. */
#define OVERTAKEN_MAX	16

/* Go on at @position; of what was published before it joined no loss counts. */
static void lane_lose(struct sl_reader *reader, struct sl_lane *lane,
		      uint64_t position)
{
	uint64_t from = lane->position;

	if (from < lane->joined)
		from = lane->joined;
	if (from < position) {
		lane->lost += position - from;
		reader->stats.lost += position - from;
	}
	lane->position = position;
}

/* Go on after what is gone: false if @seq cannot be. */
static bool lane_skip(struct sl_reader *reader, struct sl_lane *lane,
		      uint64_t seq)
{
	uint64_t mask = lane->view.slots - 1;
	uint64_t newer;

	if (seq == (SLUICE_SEQ(lane->position) | SLUICE_SEQ_DROPPED)) {
		lane_lose(reader, lane, lane->position + 1);
		return true;
	}
	newer = (seq >> 1) - 1;
	if (newer >= POSITION_END || ((newer - lane->position) & mask))
		return false;
	lane_lose(reader, lane, newer - mask);
	return true;
}

enum sl_look sl_lane_look(struct sl_reader *reader, struct sl_lane *lane,
			  struct sluice_slot *slot)
{
	uint32_t looks = lane->view.slots + OVERTAKEN_MAX;

	while (looks--) {
		uint64_t seq = sl_load_acquire(
			&sl_slot(&lane->view, lane->position)->seq); /* A1 */

		if (seq < SLUICE_SEQ(lane->position))
			return SL_LOOK_EMPTY;
		if (seq > SLUICE_SEQ(lane->position)) {
			if (!lane_skip(reader, lane, seq))
				return SL_LOOK_LIE;
			continue;
		}
		if (sl_slot_copy(&lane->view, lane->position, slot))
			return SL_LOOK_READY;
	}
	return SL_LOOK_BUSY;
}

int sl_lane_check(struct sl_reader *reader, struct sl_lane *lane,
		  const struct sluice_slot *slot)
{
	int err;

	if (slot->flags || slot->fds > SLUICE_FDS_MAX)
		return -EPROTO;
	if (!slot->length)
		return 0;
	if (slot->segment >= SLUICE_SEGMENTS_MAX)
		return -EPROTO;
	while (slot->segment >= lane->view.segments) {
		err = reader->ops->segment(reader->context, lane->index,
					   lane->who.generation, &lane->view);
		/* An honest one stays attached until those who lose nothing read it. */
		if (err == -ESTALE &&
		    (reader->policy == SLUICE_BLOCK ||
		     reader->config.pattern == SLUICE_QUEUE))
			return -EPROTO;
		if (err)
			return err;
	}
	return sl_slot_bytes(&lane->view, slot->segment, slot->offset,
			     slot->length) ? 0 : -EPROTO;
}

/* Where to begin: doc/memory-model.md, "Joining". */
static bool lane_start(struct sl_reader *reader, struct sl_lane *lane)
{
	const struct sluice_lane *head = sl_lane_head(&lane->view);
	uint64_t published, tail, history = reader->config.history;

	if (lane->who.generation > reader->generation)
		return true;
	/* JOIN left it here; the publisher says it, so it may be anything. */
	published = sl_load_relaxed(&lane->cursor->head);
	tail = sl_load_acquire(&head->tail);
	if (published >= POSITION_END)
		return false;
	lane->joined = published;
	if (history > lane->view.slots)
		history = lane->view.slots;
	lane->position = published > history ? published - history : 0;
	if (tail > lane->position)
		lane->position = tail < published ? tail : published;
	return true;
}

static void lane_add(struct sl_reader *reader, struct sl_lane *lane)
{
	reader->places[lane->index].lane = lane;
	reader->active[reader->actives++] = lane;
	if (reader->config.pattern == SLUICE_QUEUE)
		return;
	lane->shown = lane->position;
	sl_store_relaxed(&lane->cursor->head, lane->position);
	sl_store_release(&lane->cursor->generation,
			 lane->who.generation);			/* R4, with A2 */
	/* Its publisher may have waited for just that. */
	lane->dirty = true;
}

int sl_lane_begin(struct sl_reader *reader, uint32_t index,
		  const struct sl_who *who)
{
	struct sl_lane *lane = calloc(1, sizeof(*lane));
	int err;

	if (!lane)
		return -ENOMEM;
	lane->index = index;
	lane->who = *who;
	lane->sender[0] = (uint64_t)who->uid << 32 | (uint32_t)who->pid;
	lane->sender[1] = who->gid;
	lane->armed = &sl_member(reader->members, SLUICE_PUBLISHER,
				 index)->armed;
	lane->cursor = sl_cursor_lane(&reader->cursor, index);
	lane->pin = SLUICE_PIN(index, 0);
	err = reader->ops->attach(reader->context, index, who->generation,
				  &lane->view);
	if (err) {
		free(lane);
		if (err != -ESTALE && err != -ENOENT)
			return err;
		reader->places[index].finished = who->generation;
		return 0;
	}
	if (who->state != SLUICE_ACTIVE)
		sl_lane_left(lane);
	if (lane_start(reader, lane)) {
		lane_add(reader, lane);
	} else {
		lane_add(reader, lane);
		sl_lane_corrupt(reader, lane);
	}
	return 0;
}

void sl_lane_left(struct sl_lane *lane)
{
	if (lane->left)
		return;
	lane->left = true;
	lane->rest = lane->view.slots;
}

void sl_lane_free(struct sl_reader *reader, struct sl_lane *lane)
{
	reader->ops->unmap(reader->context, &lane->view);
	free(lane);
}

static void active_remove(struct sl_reader *reader, struct sl_lane *lane)
{
	uint32_t i = 0;

	while (reader->active[i] != lane)
		i++;
	reader->actives--;
	memmove(&reader->active[i], &reader->active[i + 1],
		(reader->actives - i) * sizeof(*reader->active));
	if (reader->turn > i)
		reader->turn--;
}

/*
 * A pin names a place, not a generation: who comes there next must not be
 * bothered by what is held of this one, whose memory nobody will reuse.
 */
static void pins_clear(struct sl_reader *reader, const struct sl_lane *lane)
{
	for (uint32_t i = 0; i < reader->cursor.pins; i++)
		if (reader->held[i].lane == lane)
			sl_store_release(sl_pin(&reader->cursor, i), 0);
}

/* No more is read of it. */
static void lane_retire(struct sl_reader *reader, struct sl_lane *lane)
{
	struct sl_place *place = &reader->places[lane->index];

	lane->ended = true;
	reader->again |= lane->gone;
	place->lane = NULL;
	place->finished = lane->who.generation;
	active_remove(reader, lane);
	if (reader->config.pattern == SLUICE_QUEUE)
		return;
	pins_clear(reader, lane);
	/* Whatever is written there now is nothing to wake this one for. */
	if (sl_load_relaxed(&lane->cursor->generation) == lane->who.generation)
		sl_store_release(&lane->cursor->generation,
				 SLUICE_LANE_ENDED(lane->who.generation));
}

static void lane_detach(struct sl_reader *reader, struct sl_lane *lane)
{
	if (lane->detached)
		return;
	lane->detached = true;
	if (sl_load_relaxed(&lane->cursor->generation) ==
	    SLUICE_LANE_ENDED(lane->who.generation))
		sl_store_release(&lane->cursor->generation, 0);
	reader->ops->detach(reader->context, lane->index,
			    lane->who.generation);
}

/* Descriptors can be taken only from who is attached: not before all is released. */
void sl_lane_unused(struct sl_reader *reader, struct sl_lane *lane)
{
	if (!lane->ended || lane->held)
		return;
	lane_detach(reader, lane);
	sl_lane_free(reader, lane);
}

void sl_lane_end(struct sl_reader *reader, struct sl_lane *lane)
{
	sl_roster_ended(&reader->roster, lane->index, &lane->who, lane->lost);
	lane_retire(reader, lane);
	sl_lane_unused(reader, lane);
	sl_reader_awake(reader);
}

void sl_lane_lost(struct sl_reader *reader, struct sl_lane *lane)
{
	uint64_t head = sl_load_relaxed(&sl_lane_head(&lane->view)->head);
	/* It is stored after the messages, and not at all by who died before. */
	uint64_t unread = head > lane->position ? head - lane->position : 1;

	if (unread > lane->view.slots)
		unread = lane->view.slots;
	lane_lose(reader, lane, lane->position + unread);
	sl_lane_end(reader, lane);
}

void sl_lane_corrupt(struct sl_reader *reader, struct sl_lane *lane)
{
	reader->lies++;
	reader->places[lane->index].corrupt = lane->who.generation;
	sl_roster_corrupt(&reader->roster, lane->index, &lane->who);
	lane_retire(reader, lane);
	lane_detach(reader, lane);
	sl_lane_unused(reader, lane);
	sl_reader_awake(reader);
}
