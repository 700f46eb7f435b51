// SPDX-License-Identifier: LGPL-2.1-or-later
/* Events: what the member table says and the user has not been told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"
#include "roster.h"

int sl_roster_init(struct sl_roster *roster,
		   const struct sl_members_view *members,
		   enum sluice_role role)
{
	memset(roster, 0, sizeof(*roster));
	roster->members = members;
	roster->role = role;
	roster->places = members->places[role];
	roster->entries = calloc(roster->places, sizeof(*roster->entries));
	return roster->entries ? 0 : -ENOMEM;
}

void sl_roster_deinit(struct sl_roster *roster)
{
	free(roster->entries);
	memset(roster, 0, sizeof(*roster));
}

void sl_roster_ended(struct sl_roster *roster, uint32_t index,
		     const struct sl_who *who, uint64_t lost)
{
	struct sl_entry *entry = &roster->entries[index];

	if (!entry->ended)
		roster->notes++;
	roster->next = 0;
	entry->ended = who->generation;
	entry->ended_lost = lost;
	entry->ended_was = *who;
}

void sl_roster_corrupt(struct sl_roster *roster, uint32_t index,
		       const struct sl_who *who)
{
	struct sl_entry *entry = &roster->entries[index];

	if (!entry->corrupt)
		roster->notes++;
	roster->next = 0;
	entry->corrupt = who->generation;
	entry->corrupt_was = *who;
}

static bool tell(const struct sl_roster *roster, struct sluice_event *event,
		 enum sluice_event_type type, const struct sl_who *who)
{
	memset(event, 0, sizeof(*event));
	event->type = type;
	event->role = roster->role;
	event->index = roster->next;
	event->generation = who->generation;
	event->pid = who->pid;
	event->uid = who->uid;
	event->gid = who->gid;
	return true;
}

static bool tell_joined(struct sl_roster *roster, struct sl_entry *entry,
			const struct sl_who *now, struct sluice_event *event)
{
	entry->told = *now;
	entry->here = true;
	return tell(roster, event, SLUICE_EVENT_JOINED, now);
}

/* How one left is known as long as nobody else has its place. */
static bool tell_left(struct sl_roster *roster, struct sl_entry *entry,
		      const struct sl_who *now, struct sluice_event *event)
{
	entry->here = false;
	tell(roster, event, SLUICE_EVENT_LEFT, &entry->told);
	if (now->generation == entry->told.generation)
		event->reason = now->reason;
	return true;
}

static bool tell_corrupt(struct sl_roster *roster, struct sl_entry *entry,
			 struct sluice_event *event)
{
	roster->notes--;
	entry->corrupt = 0;
	return tell(roster, event, SLUICE_EVENT_CORRUPT, &entry->corrupt_was);
}

static bool tell_ended(struct sl_roster *roster, struct sl_entry *entry,
		       struct sluice_event *event)
{
	roster->notes--;
	entry->ended = 0;
	tell(roster, event, SLUICE_EVENT_ENDED, &entry->ended_was);
	event->lost = entry->ended_lost;
	return true;
}

/* Of those who came and went unseen, and have a note, the older one. */
static const struct sl_who *unseen(const struct sl_entry *entry)
{
	if (entry->corrupt && (!entry->ended || entry->corrupt < entry->ended))
		return &entry->corrupt_was;
	return entry->ended ? &entry->ended_was : NULL;
}

/*
 * One peer's story in its order: joined, lied, left, ended. Of one that came
 * and went unseen only the notes tell. Generations only grow: a note of an
 * older one than was told of is the rest of a story whose place has changed
 * hands already, and needs no beginning.
 */
static bool entry_next(struct sl_roster *roster, const struct sl_who *now,
		       struct sluice_event *event)
{
	struct sl_entry *entry = &roster->entries[roster->next];
	uint64_t told = entry->told.generation;
	bool active = now->state == SLUICE_ACTIVE && now->generation == told;
	const struct sl_who *who;

	if (entry->corrupt && entry->corrupt <= told)
		return tell_corrupt(roster, entry, event);
	if (entry->here && !active)
		return tell_left(roster, entry, now, event);
	if (entry->ended && entry->ended <= told)
		return tell_ended(roster, entry, event);
	who = unseen(entry);
	if (who)
		return tell_joined(roster, entry, who, event);
	return now->state != SLUICE_FREE && now->generation != told &&
		tell_joined(roster, entry, now, event);
}

bool sl_roster_next(struct sl_roster *roster, struct sluice_event *event)
{
	uint64_t seq = sl_load_acquire(&sl_members_head(roster->members)->seq);
	struct sl_who now;

	if (seq == roster->seq && !roster->notes)
		return false;
	if (seq != roster->looking)
		roster->next = 0;
	roster->looking = seq;
	for (; roster->next < roster->places; roster->next++) {
		if (sl_member_read(roster->members, roster->role, roster->next,
				   &now))
			return false;
		if (entry_next(roster, &now, event))
			return true;
	}
	roster->next = 0;
	roster->seq = roster->looking;
	return false;
}
