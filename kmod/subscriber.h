/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_SUBSCRIBER_H
#define SLUICE_SUBSCRIBER_H

#include <linux/poll.h>

#include "endpoint.h"

struct sluice_publisher;

/**
 * struct sluice_claimed - a message that a subscriber has claimed
 * @pub: whose; holds a reference
 * @position: of the message
 * @tag: what acknowledges it, 0 if this place is free
 */
struct sluice_claimed {
	struct sluice_publisher *pub;
	u64 position;
	u64 tag;
};

/**
 * struct sluice_subscriber - one cursor, and whoever writes it
 * @ep: first, so that one is the other
 * @cursor: head of the cursor, untrusted
 * @lanes: how far it says it is, untrusted
 * @pins: what it says it holds or has acknowledged, untrusted
 * @policy: enum sluice_policy
 * @due: broadcast: places of left publishers it may still read; channel->lock
 * @detached: places of publishers it wants no more of; likewise
 * @claimed: queue: by pin; channel->claims_lock
 * @claimed_count: likewise
 * @last_tag: likewise
 */
struct sluice_subscriber {
	struct sluice_endpoint ep;
	struct sluice_cursor *cursor;
	struct sluice_cursor_lane *lanes;
	u64 *pins;
	u32 policy;
	unsigned long *due;
	unsigned long *detached;
	struct sluice_claimed *claimed;
	u32 claimed_count;
	u64 last_tag;
};

/**
 * struct sluice_taken - a message that a consumer in the kernel has claimed
 * @pub: whose; holds a reference
 * @position: of the message
 * @tag: of the claim
 * @pin: likewise
 */
struct sluice_taken {
	struct sluice_publisher *pub;
	u64 position;
	u64 tag;
	u32 pin;
};

enum sluice_settle {
	SLUICE_SETTLE_DONE,	/* acknowledge */
	SLUICE_SETTLE_UNSEEN,	/* for another, as if never claimed */
	SLUICE_SETTLE_MAYBE,	/* for another, marked as redelivered */
};

static inline struct sluice_subscriber *
sluice_subscriber(struct sluice_endpoint *ep)
{
	return container_of(ep, struct sluice_subscriber, ep);
}

extern const struct sluice_ioctl sluice_subscriber_ioctls[];
extern const size_t sluice_subscriber_ioctl_count;

/* A new subscriber to @channel as a file, or an ERR_PTR. @policy as in JOIN. */
struct file *sluice_subscriber_file(struct sluice_channel *channel, u32 flags,
				    u32 policy);

long sluice_subscriber_join(struct sluice_call *call,
			    struct sluice_channel *channel);
void sluice_subscriber_free(struct sluice_subscriber *sub);
__poll_t sluice_subscriber_poll(struct sluice_subscriber *sub,
				struct file *file, poll_table *pt);

/* Its part of leaving. channel->lock. */
void sluice_subscriber_left(struct sluice_subscriber *sub);

/* @pub has left: @sub may have to read it yet. channel->lock. */
void sluice_subscriber_peer_left(struct sluice_subscriber *sub,
				 struct sluice_publisher *pub);

/* Whether it may. channel->lock. */
bool sluice_subscriber_is_due(const struct sluice_subscriber *sub,
			      const struct sluice_publisher *pub);

/* See who has read @pub meanwhile, which may give up its place. channel->lock. */
void sluice_subscriber_look_again(struct sluice_publisher *pub);

/* Nobody is to read @pub any more; its place is given up. channel->lock. */
void sluice_subscriber_forget(struct sluice_publisher *pub);

/* @sub wants no more of @pub. channel->lock. */
void sluice_subscriber_detached(struct sluice_subscriber *sub,
				struct sluice_publisher *pub);

/* Note in the cursor, which nobody has mapped yet, where each lane is. */
void sluice_subscriber_note_heads(struct sluice_subscriber *sub);

/* A new publisher has this place. channel->lock. */
void sluice_subscriber_place_taken(struct sluice_channel *channel, u32 index);

/* Wake those that sleep for messages; of a queue as many as there are. */
void sluice_subscriber_wake(struct sluice_channel *channel, u32 count);

/* Wake all, if @pub has messages that those who were woken have not claimed. */
void sluice_subscriber_rouse(struct sluice_publisher *pub);

/* Take notice of what subscribers have acknowledged. */
void sluice_subscriber_reap_all(struct sluice_channel *channel);
/* Without what that means for those who left. channel->lock. */
void sluice_subscriber_reap_acks(struct sluice_channel *channel);

/**
 * sluice_subscriber_take - claim one message, and settle it
 * @sub: of a queue, mapped by nobody
 * @taken: out; settling consumes it. Its claim may be gone by then, if @sub was
 *	evicted
 *
 * Return: 0, -EAGAIN if there is none, -ECONNABORTED, -ESHUTDOWN.
 */
int sluice_subscriber_take(struct sluice_subscriber *sub,
			   struct sluice_taken *taken);
void sluice_subscriber_settle(struct sluice_subscriber *sub,
			      const struct sluice_taken *taken,
			      enum sluice_settle how);

/* Who has claimed the oldest unfinished message of @pub. channel->lock. */
struct sluice_subscriber *
sluice_subscriber_claimant(struct sluice_publisher *pub);

u64 sluice_subscriber_lag(struct sluice_subscriber *sub);

void sluice_subscriber_layout(const struct sluice_subscriber *sub,
			      struct sluice_cursor_layout *layout, u64 offset);

#endif
