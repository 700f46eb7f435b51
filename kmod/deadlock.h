/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DEADLOCK_H
#define SLUICE_DEADLOCK_H

#include <linux/list.h>
#include <linux/sluice.h>
#include <linux/uidgid.h>
#include <linux/sched.h>

#include "compat.h"
#include "object.h"
#include "resource.h"

struct pid;
struct sluice_lockspace;
struct sluice_request;

/**
 * struct sluice_cycle_step - a holder that waited for the next one's
 * @holder: id
 * @since: monotonic nanoseconds
 * @start: first byte wanted
 * @last: last byte wanted
 * @space: id of the lockspace
 * @rights: to that
 * @elsewhere: that is of another network namespace than the one that keeps this
 * @mode: wanted
 * @blocked_by: mode the next one had
 * @flags: SLUICE_WAITS_*
 * @tgid: process that made the holder
 * @tid: thread
 * @uid: of that
 * @key: of the resource
 * @comm: of the thread
 */
struct sluice_cycle_step {
	u64 holder;
	u64 since;
	u64 start;
	u64 last;
	u64 space;
	struct sluice_rights rights;
	bool elsewhere;
	u8 mode;
	u8 blocked_by;
	u32 flags;
	struct pid *tgid;
	struct pid *tid;
	kuid_t uid;
	struct sluice_key key;
	char comm[TASK_COMM_LEN];
};

/**
 * struct sluice_cycle - a deadlock that was found
 * @link: in the lockspace's list
 * @number: growing in the lockspace
 * @when: monotonic nanoseconds
 * @length: holders
 * @kept: of their steps
 * @steps: each waits for the next, the last for the first
 */
struct sluice_cycle {
	struct list_head link;
	u64 number;
	u64 when;
	u32 length;
	u32 kept;
	struct sluice_cycle_step steps[] __counted_by(kept);
};

/**
 * sluice_deadlock_resolve - see that a request does not wait for ever
 * @request: has just begun to wait, or waits and its holder let go of something
 *	that let it go past others in a queue
 *
 * If it can never be granted, somebody fails with -EDEADLK; or, if only queues
 * keep it so, somebody queues no more. Nothing if it does not wait. The
 * domain's lock.
 */
void sluice_deadlock_resolve(struct sluice_request *request);

/**
 * sluice_deadlock_lost - see that a choice less makes nobody wait for ever
 * @resource: of which something was declared lost; the domain's lock
 * @found: or rather consistent, what was lost before: who waits for it stands
 *	ahead of others again
 * @turns: that were taken in this call, 0 at first
 */
void sluice_deadlock_lost(struct sluice_resource *resource, bool found,
			  u32 *turns);

/* Would @request, which waits, wait for ever? The domain's lock. */
bool sluice_deadlock_stuck(struct sluice_request *request);

/* Nobody can ask for them any more. The domain's lock. */
void sluice_deadlocks_forget(struct sluice_lockspace *space);

#endif
