/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_CLAIM_H
#define SLUICE_CLAIM_H

#include <linux/types.h>

/**
 * struct sluice_claims_lane - who has got how far with one publisher's queue
 * @done: every position before it is finished
 * @next: the first position never claimed; at most @slots beyond @done
 * @slots: of the ring, a power of two
 * @returned_count: positions in @returned
 * @finished: by slot: positions from @done on that are finished
 * @returned: by slot: claimed once, and free to be claimed again
 * @marked: by slot: its next claim is a redelivery
 */
struct sluice_claims_lane {
	u64 done;
	u64 next;
	u32 slots;
	u32 returned_count;
	unsigned long *finished;
	unsigned long *returned;
	unsigned long *marked;
};

int sluice_claims_lane_init(struct sluice_claims_lane *lane, u32 slots);
void sluice_claims_lane_free(struct sluice_claims_lane *lane);

/**
 * sluice_claims_take - claim one position
 * @lane: the queue
 * @published: the position @lane->next is published
 * @position: out
 * @redelivered: out: somebody had it before
 *
 * What was returned goes first, oldest first.
 *
 * Return: false if there is nothing to claim.
 */
bool sluice_claims_take(struct sluice_claims_lane *lane, bool published,
			u64 *position, bool *redelivered);

/**
 * sluice_claims_finish - a claimed position is done with
 *
 * Return: true if @lane->done has moved.
 */
bool sluice_claims_finish(struct sluice_claims_lane *lane, u64 position);

/**
 * sluice_claims_return - a claimed position was not finished
 * @mark: whether somebody may have seen it
 */
void sluice_claims_return(struct sluice_claims_lane *lane, u64 position,
			  bool mark);

/**
 * sluice_claims_drop - finish the oldest position, if nobody has claimed it
 * @published: the position @lane->next is published
 *
 * What is claimed holds up all that is behind it: dropping that instead would
 * lose messages and make no room.
 *
 * Return: true if @lane->done has moved.
 */
bool sluice_claims_drop(struct sluice_claims_lane *lane, bool published);

/* Return: whether no position is claimed or returned. */
bool sluice_claims_idle(const struct sluice_claims_lane *lane);

#endif
