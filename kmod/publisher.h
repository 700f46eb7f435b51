/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_PUBLISHER_H
#define SLUICE_PUBLISHER_H

#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "claim.h"
#include "endpoint.h"
#include "fds.h"

/**
 * struct sluice_publisher - one lane, and whoever writes it
 * @ep: first, so that one is the other
 * @lane: head of the ring, untrusted
 * @slots: the ring, untrusted
 * @segments: of the pool; channel->lock
 * @segment_count: likewise
 * @pool: bytes of all segments; likewise
 * @due: subscribers that may still read it though it left; likewise
 * @grow_lock: serialises growth; outside channel->lock
 * @room_lock: guards the entry's @armed and @room
 * @room: count of wake-ups
 * @room_wait: where it sleeps for room
 * @lag_told: when it was last announced that it does
 * @claims: of a queue; channel->claims_lock
 * @end: nothing is published from this position on; set when it leaves a queue
 * @fds: sent along; @fds_lock
 * @fds_lock: serialises attach and release
 */
struct sluice_publisher {
	struct sluice_endpoint ep;
	struct sluice_lane *lane;
	struct sluice_slot *slots;
	struct sluice_area *segments[SLUICE_SEGMENTS_MAX];
	u32 segment_count;
	u64 pool;
	u32 due;
	struct mutex grow_lock;
	spinlock_t room_lock;
	u64 room;
	wait_queue_head_t room_wait;
	u64 lag_told;
	struct sluice_claims_lane claims;
	u64 end;
	struct sluice_fds_lane *fds;
	struct mutex fds_lock;
};

static inline struct sluice_publisher *
sluice_publisher(struct sluice_endpoint *ep)
{
	return container_of(ep, struct sluice_publisher, ep);
}

extern const struct sluice_ioctl sluice_publisher_ioctls[];
extern const size_t sluice_publisher_ioctl_count;

/* A new publisher of @channel as a file, or an ERR_PTR. */
struct file *sluice_publisher_file(struct sluice_channel *channel, u32 flags);

long sluice_publisher_join(struct sluice_call *call,
			   struct sluice_channel *channel);
void sluice_publisher_free(struct sluice_publisher *pub);
__poll_t sluice_publisher_poll(struct sluice_publisher *pub, struct file *file,
			       poll_table *pt);

/* Its part of leaving. channel->lock. */
void sluice_publisher_left(struct sluice_publisher *pub);

/*
 * One subscriber less that may read what it left. channel->lock. Return: whether
 * its place is free now, which the caller tells all: once, for all that it frees.
 */
bool sluice_publisher_due_done(struct sluice_publisher *pub);

/**
 * sluice_publisher_make_place - for one who joins, where all places are taken
 * @channel: with its lock
 *
 * Given up are those that left and were read since, or else the oldest that is
 * only history, or else the oldest that nobody must read to whom policy BLOCK
 * promises it.
 *
 * Return: a free place, or -1.
 */
int sluice_publisher_make_place(struct sluice_channel *channel);

/* Give up the places of those that left and whose queue is done. */
void sluice_publisher_sweep(struct sluice_channel *channel);
void sluice_publisher_sweep_locked(struct sluice_channel *channel);

/* Give up the places of all that left, read or not. */
void sluice_publisher_abandon_all(struct sluice_channel *channel);

/* There may be room: count it, wake it. */
void sluice_publisher_wake_room(struct sluice_publisher *pub);

/* Whether anything was ever published. RCU. */
bool sluice_publisher_has_any(const struct sluice_publisher *pub);

/* Whether the message at @position is published. RCU. */
bool sluice_publisher_has(const struct sluice_publisher *pub, u64 position);

void sluice_publisher_layout(const struct sluice_publisher *pub,
			     struct sluice_lane_layout *layout, u64 offset);

#endif
