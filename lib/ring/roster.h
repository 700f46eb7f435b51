/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an endpoint's user has been told about the peers.
 *
 * Events are not queued: they are the difference between the member table and
 * a private copy of it, so no burst of joins can overflow anything. What the
 * table does not say (a lane is read to its end, a peer lied) is noted at the
 * place concerned.
 */
#ifndef SLUICE_RING_ROSTER_H
#define SLUICE_RING_ROSTER_H

#include <sluice/sluice.h>

#include "view.h"

/**
 * struct sl_entry - what is known of a place
 * @told: the peer that was told of last, as it was then
 * @here: it was told of as joined, and not yet as left
 * @ended: generation of a lane that has been read to its end, 0 if none
 * @ended_lost: messages lost at that end
 * @ended_was: who it was
 * @corrupt: generation of a peer that lied, 0 if none
 * @corrupt_was: who it was
 */
struct sl_entry {
	struct sl_who told;
	bool here;
	uint64_t ended;
	uint64_t ended_lost;
	struct sl_who ended_was;
	uint64_t corrupt;
	struct sl_who corrupt_was;
};

/**
 * struct sl_roster - what is known of all places of one role
 * @members: the table
 * @role: of the peers
 * @entries: one for each place
 * @places: how many
 * @next: where to go on looking
 * @seq: the table's sequence when nothing was left to tell
 * @looking: the sequence when this look at the table began
 * @notes: how many entries have a note
 */
struct sl_roster {
	const struct sl_members_view *members;
	enum sluice_role role;
	struct sl_entry *entries;
	uint32_t places;
	uint32_t next;
	uint64_t seq;
	uint64_t looking;
	uint32_t notes;
};

int sl_roster_init(struct sl_roster *roster,
		   const struct sl_members_view *members,
		   enum sluice_role role);
void sl_roster_deinit(struct sl_roster *roster);

/* Note that all that a publisher left has been read. */
void sl_roster_ended(struct sl_roster *roster, uint32_t index,
		     const struct sl_who *who, uint64_t lost);

/* Note that a peer lied. */
void sl_roster_corrupt(struct sl_roster *roster, uint32_t index,
		       const struct sl_who *who);

/**
 * sl_roster_next() - the next event
 * @roster: whose
 * @event: out
 *
 * Return: true if there is one; else @roster->seq is up to date, or the kernel is
 * changing the table at this moment.
 */
bool sl_roster_next(struct sl_roster *roster, struct sluice_event *event);

/* The membership sequence to show poll(): not the table's while a note waits. */
static inline uint64_t sl_roster_seen(const struct sl_roster *roster)
{
	return roster->notes ? roster->seq - 1 : roster->seq;
}

#endif /* SLUICE_RING_ROSTER_H */
