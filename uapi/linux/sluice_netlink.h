/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Sluice, seen from outside: the generic netlink family "sluice". It tells what
 * there is in the caller's network namespace, as far as the caller may open it,
 * and announces what happens. doc/netlink.md tells which messages have which
 * attributes, and what is consistent.
 *
 * Enumerations are those of <linux/sluice.h>. Times are CLOCK_MONOTONIC
 * nanoseconds, processes are of the pid namespace and users of the user
 * namespace of who asks. Attributes may be added; unknown ones are to be ignored,
 * by those who are told as by the kernel.
 */
#ifndef _UAPI_LINUX_SLUICE_NETLINK_H
#define _UAPI_LINUX_SLUICE_NETLINK_H

#include <linux/types.h>

#define SLUICE_NL_FAMILY	"sluice"
#define SLUICE_NL_VERSION	1

/* Multicast groups. */
#define SLUICE_NL_LIFECYCLE	"lifecycle"	/* who comes and goes */
#define SLUICE_NL_DEADLOCK	"deadlock"
#define SLUICE_NL_PRESSURE	"pressure"	/* limits, laggards, evictions */

/* Requests, all dumps, and what each message of the answer is one of. */
enum sluice_nl_cmd {
	SLUICE_NL_CHANNELS	= 1,
	SLUICE_NL_ENDPOINTS	= 2,
	SLUICE_NL_LOCKSPACES	= 3,
	SLUICE_NL_RESOURCES	= 4,
	SLUICE_NL_LOCKS		= 5,	/* what is held, or was by the dead */
	SLUICE_NL_WAITS		= 6,	/* who waits, for whom */
	SLUICE_NL_HOLDERS	= 7,
	SLUICE_NL_QUOTAS	= 8,

	SLUICE_NL_EVENT		= 64,	/* of a multicast group */
};

enum sluice_nl_event {
	/* lifecycle */
	SLUICE_NL_EVENT_CHANNEL_MADE	= 1,
	SLUICE_NL_EVENT_CHANNEL_GONE	= 2,
	SLUICE_NL_EVENT_JOINED		= 3,
	SLUICE_NL_EVENT_LEFT		= 4,
	SLUICE_NL_EVENT_LOCKSPACE_MADE	= 5,
	SLUICE_NL_EVENT_LOCKSPACE_GONE	= 6,
	SLUICE_NL_EVENT_OWNER_DIED	= 7,
	/* deadlock */
	SLUICE_NL_EVENT_DEADLOCK	= 32,
	/* pressure */
	SLUICE_NL_EVENT_QUOTA		= 64,
	SLUICE_NL_EVENT_LAG		= 65,	/* a publisher waits for room */
	SLUICE_NL_EVENT_EVICTED		= 66,
	SLUICE_NL_EVENT_DROPPED		= 67,	/* of a queue, by a publisher */
};

/* What a user's limits are on: SLUICE_NL_A_LIMITED. */
enum sluice_nl_limited {
	SLUICE_NL_LIMITED_CHANNELS	= 1,
	SLUICE_NL_LIMITED_ENDPOINTS	= 2,
	SLUICE_NL_LIMITED_BYTES		= 3,
	SLUICE_NL_LIMITED_FDS		= 4,
	SLUICE_NL_LIMITED_LOCKSPACES	= 5,
	SLUICE_NL_LIMITED_HOLDERS	= 6,
	SLUICE_NL_LIMITED_RESOURCES	= 7,
	SLUICE_NL_LIMITED_LOCKS		= 8,
};

/* In all messages. Those up to SLUICE_NL_A_FILTER_MAX can be asked for, too. */
enum sluice_nl_attr {
	SLUICE_NL_A_UNSPEC,
	SLUICE_NL_A_PAD,

	SLUICE_NL_A_CHANNEL,		/* u64: number */
	SLUICE_NL_A_LOCKSPACE,		/* u64: number */
	SLUICE_NL_A_NAME,		/* string: of either */
	SLUICE_NL_A_UID,		/* u32 */
	SLUICE_NL_A_PID,		/* u32: process, 0 if not of that namespace */
	SLUICE_NL_A_ROLE,		/* u32: enum sluice_role */
	SLUICE_NL_A_RESOURCE,		/* u64: number in its lockspace */
	SLUICE_NL_A_HOLDER,		/* u64: number */

	SLUICE_NL_A_GID,		/* u32 */
	SLUICE_NL_A_MODE,		/* u32: permission bits */
	SLUICE_NL_A_CREATED,		/* u64: since when it is there */
	SLUICE_NL_A_COMM,		/* string: command name */
	SLUICE_NL_A_TID,		/* u32: thread, likewise */

	/* Channels. */
	SLUICE_NL_A_PATTERN,		/* u32: enum sluice_pattern */
	SLUICE_NL_A_POLICY,		/* u32: enum sluice_policy */
	SLUICE_NL_A_SLOTS,		/* u32 */
	SLUICE_NL_A_PUBLISHERS_MAX,	/* u32 */
	SLUICE_NL_A_SUBSCRIBERS_MAX,	/* u32 */
	SLUICE_NL_A_HELD_MAX,		/* u32 */
	SLUICE_NL_A_HISTORY,		/* u32 */
	SLUICE_NL_A_PUBLISHERS,		/* u32 */
	SLUICE_NL_A_SUBSCRIBERS,	/* u32 */
	SLUICE_NL_A_LEFT,		/* u32: publishers gone whose messages stay */
	SLUICE_NL_A_MESSAGES,		/* u64: published, received */
	SLUICE_NL_A_BYTES,		/* u64: of pools */
	SLUICE_NL_A_FDS,		/* u32: in flight */

	/* Endpoints. */
	SLUICE_NL_A_INDEX,		/* u32: place */
	SLUICE_NL_A_GENERATION,		/* u64 */
	SLUICE_NL_A_STATE,		/* u32: enum sluice_state */
	SLUICE_NL_A_REASON,		/* u32: enum sluice_reason */
	SLUICE_NL_A_LOST,		/* u64: messages, as it says itself */
	SLUICE_NL_A_HELD,		/* u32: messages, as it says itself */
	SLUICE_NL_A_LAG,		/* u64: messages it has not read */
	SLUICE_NL_A_SLEEPING,		/* u64: since when, in SLUICE_IOC_WAIT */

	/* Lockspaces. */
	SLUICE_NL_A_VICTIM,		/* u32: enum sluice_victim */
	SLUICE_NL_A_RESOURCES,		/* u64: how many */
	SLUICE_NL_A_GRANTS,		/* u64: held */
	SLUICE_NL_A_WAITING,		/* u64: items that are waited for */
	SLUICE_NL_A_GRANTED,		/* u64: ever */
	SLUICE_NL_A_BLOCKED,		/* u64: ever */
	SLUICE_NL_A_DEADLOCKS,		/* u64: ever; of an event, its number */
	SLUICE_NL_A_DIED,		/* u64: owners, ever; of a resource, marks */
	SLUICE_NL_A_CLOSED,		/* flag: nobody can open it any more */

	/* Resources, locks, waits, holders. */
	SLUICE_NL_A_KIND,		/* u32: enum sluice_kind */
	SLUICE_NL_A_KEY,		/* binary: of SLUICE_KIND_NAME */
	SLUICE_NL_A_FILE_MAJOR,		/* u32: of SLUICE_KIND_FILE */
	SLUICE_NL_A_FILE_MINOR,		/* u32 */
	SLUICE_NL_A_FILE_INO,		/* u64 */
	SLUICE_NL_A_FILE_GENERATION,	/* u32 */
	SLUICE_NL_A_LOCK_STATE,		/* u32: enum sluice_lock_state */
	SLUICE_NL_A_LOCK_MODE,		/* u32: enum sluice_mode */
	SLUICE_NL_A_START,		/* u64: first byte */
	SLUICE_NL_A_END,		/* u64: last byte */
	SLUICE_NL_A_SINCE,		/* u64 */
	SLUICE_NL_A_TOKEN,		/* u64 */
	SLUICE_NL_A_EXPIRES,		/* u64: only of a lease */
	SLUICE_NL_A_PRIORITY,		/* s32 */
	SLUICE_NL_A_ANY,		/* flag: any item of the request will do */
	SLUICE_NL_A_BLOCKER,		/* nest, several: who stands in the way */
	SLUICE_NL_A_QUEUED,		/* flag: waits itself, and is ahead */
	SLUICE_NL_A_MORE,		/* flag: there are more than are told */
	SLUICE_NL_A_DEAD,		/* flag */

	/* Quotas. */
	SLUICE_NL_A_USERNS,		/* u32: inode number of the user namespace */
	SLUICE_NL_A_LIMITED,		/* u32: enum sluice_nl_limited */
	SLUICE_NL_A_USED,		/* u64 */
	SLUICE_NL_A_LIMIT,		/* u64 */
	SLUICE_NL_A_ASKED,		/* u64: what was refused */

	/* Events. */
	SLUICE_NL_A_EVENT,		/* u32: enum sluice_nl_event */
	SLUICE_NL_A_TIME,		/* u64 */
	SLUICE_NL_A_LENGTH,		/* u32: of a deadlock */
	SLUICE_NL_A_COUNT,		/* u64: messages */

	/* Channels and endpoints. */
	SLUICE_NL_A_PAYLOAD,		/* u64: bytes of messages, as MESSAGES */

	/* Waits. */
	SLUICE_NL_A_BLOCKERS,		/* u32: found to stand in the way */

	__SLUICE_NL_A_MAX,
};

#define SLUICE_NL_A_MAX		(__SLUICE_NL_A_MAX - 1)
#define SLUICE_NL_A_FILTER_MAX	SLUICE_NL_A_HOLDER

#endif
