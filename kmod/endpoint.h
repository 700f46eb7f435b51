/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_ENDPOINT_H
#define SLUICE_ENDPOINT_H

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sluice.h>

#include "area.h"
#include "channel.h"

struct pid;

/**
 * struct sluice_endpoint - what publishers and subscribers have in common
 * @ref: of the file, the table, peers that attached it, claims and the mapping
 *	that binds it
 * @rcu: the table is read under RCU
 * @channel: it belongs to
 * @user: charged for it
 * @keeper: of the channel's member table
 * @area: its ring or cursor
 * @role: which of the two
 * @flags: SLUICE_JOIN_*
 * @index: place in the table
 * @generation: unique in the channel
 * @joined: monotonic nanoseconds
 * @state: enum sluice_state; channel->lock to change, READ_ONCE to look
 * @reason: enum sluice_reason, once not active
 * @pid: who it is; channel->lock
 * @uid: likewise
 * @gid: likewise
 * @comm: likewise
 * @mm: whose mapping binds it, compared only; NULL until there is one
 * @asleep: since when somebody sleeps in SLUICE_IOC_WAIT, 0 if nobody does
 * @had_peer: there was one on the other side when it joined
 * @peers: those it has attached, by place; channel->lock
 */
struct sluice_endpoint {
	struct kref ref;
	struct rcu_head rcu;
	struct sluice_channel *channel;
	struct sluice_user *user;
	struct sluice_keeper keeper;
	struct sluice_area *area;
	u32 role;
	u32 flags;
	u32 index;
	u64 generation;
	u64 joined;
	u32 state;
	u32 reason;
	struct pid *pid;
	kuid_t uid;
	kgid_t gid;
	char comm[TASK_COMM_LEN];
	struct mm_struct *mm;
	u64 asleep;
	bool had_peer;
	struct sluice_endpoint **peers;
};

bool sluice_is_endpoint(struct file *file);

/* Set up what publisher.c or subscriber.c allocated, zeroed. */
int sluice_endpoint_init(struct sluice_endpoint *ep,
			 struct sluice_channel *channel, u32 role, u32 flags);

/**
 * sluice_endpoint_enter - take a place in the table, and make the file
 * @ep: initialised; consumed: on failure its reference is put
 *
 * Return: the file; ERR_PTR(-EUSERS) if there is no place, -ENOMEM, -EMFILE.
 */
struct file *sluice_endpoint_enter(struct sluice_endpoint *ep);

/* Note who the caller is. channel->lock, once it is in the table. */
void sluice_endpoint_identify(struct sluice_endpoint *ep);

struct sluice_endpoint *sluice_endpoint_get(struct sluice_endpoint *ep);
void sluice_endpoint_put(struct sluice_endpoint *ep);

/**
 * sluice_endpoint_leave - end an endpoint, tell the others; again is harmless
 * @ep: the endpoint
 * @reason: enum sluice_reason, or 0 to derive it from the caller
 */
void sluice_endpoint_leave(struct sluice_endpoint *ep, u32 reason);

/* There was one on the other side, and now is none (unless it stays). */
bool sluice_endpoint_alone(const struct sluice_endpoint *ep);

/* Fill in SLUICE_IOC_PEER. channel->lock. */
void sluice_endpoint_tell(struct sluice_endpoint *ep, struct sluice_peer *peer);

/* Sleep until @ready(@ep), which is called without a lock, in RCU. */
long sluice_endpoint_sleep(struct sluice_endpoint *ep, s64 deadline,
			   bool (*ready)(struct sluice_endpoint *ep, u64 arg),
			   u64 arg);

#endif
