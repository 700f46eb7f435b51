/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libsluice-monitor: what there is of Sluice in this network namespace, as far
 * as the caller may see it, and what happens there. It speaks generic netlink,
 * through libnl; programs that only move messages or take locks do without it.
 *
 * Functions return 0 or more, or a negative errno. A monitor is for one thread at
 * a time; several monitors do not know of each other. Enumerations are those of
 * <linux/sluice.h> and <linux/sluice_netlink.h>; times are CLOCK_MONOTONIC
 * nanoseconds. Structures may grow at their end in later versions: they are
 * made by the library, and only pointed to.
 */
#ifndef SLUICE_MONITOR_H
#define SLUICE_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/sluice.h>
#include <linux/sluice_netlink.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_monitor;

/**
 * sluice_monitor_open - begin to look
 * @monitor: out
 *
 * What can be seen is decided by who the caller is now.
 *
 * Return: 0; -ENODEV if the module is not there, or is too old for this;
 * -ENOMEM; or another error of netlink's.
 */
int sluice_monitor_open(struct sluice_monitor **monitor);

/**
 * sluice_monitor_close - look no more
 * @monitor: or NULL
 */
void sluice_monitor_close(struct sluice_monitor *monitor);

/* What a struct sluice_monitor_filter asks for. */
#define SLUICE_MONITOR_CHANNEL		0x01
#define SLUICE_MONITOR_LOCKSPACE	0x02
#define SLUICE_MONITOR_NAME		0x04
#define SLUICE_MONITOR_UID		0x08
#define SLUICE_MONITOR_PID		0x10
#define SLUICE_MONITOR_ROLE		0x20
#define SLUICE_MONITOR_RESOURCE		0x40
#define SLUICE_MONITOR_HOLDER		0x80

/**
 * struct sluice_monitor_filter - less than all there is; the kernel sees to it
 * @by: SLUICE_MONITOR_*, of the fields below; all of them have to be so. Which of
 *	them go with which function is told there
 * @channel: number
 * @lockspace: number
 * @resource: number in its lockspace
 * @holder: number
 * @name: of a channel or lockspace
 * @uid: of its owner, or of a process
 * @pid: of a process
 * @role: enum sluice_role
 */
struct sluice_monitor_filter {
	uint32_t by;
	uint64_t channel;
	uint64_t lockspace;
	uint64_t resource;
	uint64_t holder;
	const char *name;
	uint32_t uid;
	uint32_t pid;
	uint32_t role;
};

/**
 * struct sluice_monitor_process - who it is
 * @pid: process, 0 if it is not in this pid namespace
 * @tid: thread, of holders
 * @uid: user
 * @comm: command name
 */
struct sluice_monitor_process {
	uint32_t pid;
	uint32_t tid;
	uint32_t uid;
	char comm[17];
};

/**
 * struct sluice_monitor_object - what channels and lockspaces have in common
 * @id: number
 * @name: empty if it has none
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @created: when it was made
 */
struct sluice_monitor_object {
	uint64_t id;
	char name[SLUICE_NAME_MAX + 1];
	uint32_t uid;
	uint32_t gid;
	uint32_t mode;
	uint64_t created;
};

/**
 * struct sluice_monitor_channel - a channel
 * @object: name, owner, mode
 * @pattern: enum sluice_pattern
 * @policy: enum sluice_policy
 * @slots: messages in flight, of each publisher
 * @publishers_max: places
 * @subscribers_max: places
 * @held_max: messages that a subscriber may hold
 * @history: messages that late subscribers get
 * @publishers: that are there
 * @subscribers: that are there
 * @left: publishers that are gone, and whose messages are kept
 * @messages: published, ever
 * @bytes: of all pools
 * @fds: file descriptors in flight
 * @payload: bytes of @messages, as the publishers say
 */
struct sluice_monitor_channel {
	struct sluice_monitor_object object;
	uint32_t pattern;
	uint32_t policy;
	uint32_t slots;
	uint32_t publishers_max;
	uint32_t subscribers_max;
	uint32_t held_max;
	uint32_t history;
	uint32_t publishers;
	uint32_t subscribers;
	uint32_t left;
	uint64_t messages;
	uint64_t bytes;
	uint32_t fds;
	uint64_t payload;
};

/**
 * struct sluice_monitor_endpoint - a publisher or subscriber
 * @channel: number of its channel
 * @name: of that, empty if it has none
 * @process: who it is
 * @role: enum sluice_role
 * @index: its place
 * @generation: its own in the channel
 * @state: enum sluice_state
 * @reason: enum sluice_reason, if it is not active
 * @joined: when
 * @sleeping: since when somebody sleeps in a wait, 0 if nobody does
 * @messages: published, or received
 * @bytes: publisher: of its pool
 * @fds: publisher: in flight
 * @policy: subscriber: enum sluice_policy
 * @lost: subscriber: messages, as it says itself
 * @held: subscriber: messages, as it says itself
 * @lag: subscriber: messages it has not read
 * @payload: bytes of @messages, as it says itself
 */
struct sluice_monitor_endpoint {
	uint64_t channel;
	char name[SLUICE_NAME_MAX + 1];
	struct sluice_monitor_process process;
	uint32_t role;
	uint32_t index;
	uint64_t generation;
	uint32_t state;
	uint32_t reason;
	uint64_t joined;
	uint64_t sleeping;
	uint64_t messages;
	uint64_t bytes;
	uint32_t fds;
	uint32_t policy;
	uint64_t lost;
	uint32_t held;
	uint64_t lag;
	uint64_t payload;
};

/**
 * struct sluice_monitor_lockspace - a lockspace
 * @object: name, owner, mode
 * @victim: enum sluice_victim
 * @resources: how many
 * @grants: ranges that are held
 * @waiting: items that are waited for
 * @granted: items, ever
 * @blocked: items that had to wait, ever
 * @deadlocks: ever
 * @died: owners, ever
 * @token: the last one given
 * @closed: nobody can open it any more
 */
struct sluice_monitor_lockspace {
	struct sluice_monitor_object object;
	uint32_t victim;
	uint64_t resources;
	uint64_t grants;
	uint64_t waiting;
	uint64_t granted;
	uint64_t blocked;
	uint64_t deadlocks;
	uint64_t died;
	uint64_t token;
	bool closed;
};

/**
 * struct sluice_monitor_place - which resource of which lockspace
 * @lockspace: number
 * @name: of that, empty if it has none
 * @resource: number in it
 * @kind: enum sluice_kind
 * @key: of SLUICE_KIND_NAME, any bytes
 * @key_len: of them
 * @file: of SLUICE_KIND_FILE
 */
struct sluice_monitor_place {
	uint64_t lockspace;
	char name[SLUICE_NAME_MAX + 1];
	uint64_t resource;
	uint32_t kind;
	uint8_t key[SLUICE_KEY_MAX];
	uint32_t key_len;
	struct sluice_file_key file;
};

/**
 * struct sluice_monitor_resource - a resource
 * @place: which
 * @grants: ranges that are held
 * @waiting: items that are waited for
 * @died: marks of owners that died
 * @mode: enum sluice_mode: the strongest that is held
 */
struct sluice_monitor_resource {
	struct sluice_monitor_place place;
	uint64_t grants;
	uint64_t waiting;
	uint64_t died;
	uint32_t mode;
};

/**
 * struct sluice_monitor_lock - a range that is held, or was
 * @place: of which resource
 * @state: enum sluice_lock_state
 * @mode: enum sluice_mode
 * @start: first byte
 * @end: last byte
 * @since: when
 * @token: HELD: fencing token
 * @expires: HELD: end of the lease, 0 without one
 * @holder: HELD: number
 * @process: HELD: who it is
 */
struct sluice_monitor_lock {
	struct sluice_monitor_place place;
	uint32_t state;
	uint32_t mode;
	uint64_t start;
	uint64_t end;
	uint64_t since;
	uint64_t token;
	uint64_t expires;
	uint64_t holder;
	struct sluice_monitor_process process;
};

/**
 * struct sluice_monitor_blocker - who stands in somebody's way
 * @holder: number
 * @process: who it is
 * @mode: enum sluice_mode: that it has, or wants
 * @queued: it waits itself, and is ahead
 */
struct sluice_monitor_blocker {
	uint64_t holder;
	struct sluice_monitor_process process;
	uint32_t mode;
	bool queued;
};

#define SLUICE_MONITOR_BLOCKERS_MAX	16

/**
 * struct sluice_monitor_wait - an item that is waited for
 * @place: which resource
 * @mode: enum sluice_mode
 * @start: first byte
 * @end: last byte
 * @since: when
 * @priority: of the request
 * @any: the request waits for any one of its items, not for all
 * @holder: number
 * @process: who it is
 * @blockers: who stands in the way
 * @blocker_count: of them
 * @more: there are others
 * @found: how many stand in the way, told or not; of 1,024 that are looked at
 */
struct sluice_monitor_wait {
	struct sluice_monitor_place place;
	uint32_t mode;
	uint64_t start;
	uint64_t end;
	uint64_t since;
	int32_t priority;
	bool any;
	uint64_t holder;
	struct sluice_monitor_process process;
	struct sluice_monitor_blocker blockers[SLUICE_MONITOR_BLOCKERS_MAX];
	uint32_t blocker_count;
	bool more;
	uint32_t found;
};

/**
 * struct sluice_monitor_holder - a holder
 * @id: number
 * @process: who it is
 * @grants: ranges it has
 * @waiting: items it waits for
 * @since: when it began to
 * @any: any one of them will do
 * @dead: it has nothing more, and gets nothing
 */
struct sluice_monitor_holder {
	uint64_t id;
	struct sluice_monitor_process process;
	uint64_t grants;
	uint64_t waiting;
	uint64_t since;
	bool any;
	bool dead;
};

/**
 * struct sluice_monitor_quota - one limit of one user
 * @uid: user
 * @userns: inode number of the user namespace
 * @limited: enum sluice_nl_limited
 * @used: of it
 * @limit: most of it
 */
struct sluice_monitor_quota {
	uint32_t uid;
	uint32_t userns;
	uint32_t limited;
	uint64_t used;
	uint64_t limit;
};

/* They changed while they were told, again and again. */
#define SLUICE_MONITOR_INTERRUPTED	1

/**
 * sluice_monitor_channels - what there is, at one moment
 * @monitor: the monitor
 * @filter: or NULL for all. For channels: CHANNEL, NAME, UID; for endpoints also
 *	ROLE, PID; for lockspaces: LOCKSPACE, NAME, UID; for resources: LOCKSPACE,
 *	NAME, RESOURCE; for locks and waits also HOLDER, UID, PID; for holders:
 *	HOLDER, UID, PID; for quotas: UID
 * @see: called for each in the order of their numbers, after all were told; it
 *	returns 0 to go on. What it is given is gone when it returns
 * @arg: for @see
 *
 * Return: 0; SLUICE_MONITOR_INTERRUPTED if they were not all there at one moment;
 * what @see returned if it was not 0; -EINVAL for a filter that does not go with
 * this; -ENOMEM; or another error of netlink's.
 */
int sluice_monitor_channels(struct sluice_monitor *monitor,
			    const struct sluice_monitor_filter *filter,
			    int (*see)(const struct sluice_monitor_channel *seen,
				       void *arg),
			    void *arg);

/* Likewise. */
int sluice_monitor_endpoints(struct sluice_monitor *monitor,
			     const struct sluice_monitor_filter *filter,
			     int (*see)(const struct sluice_monitor_endpoint *seen,
					void *arg),
			     void *arg);
int sluice_monitor_lockspaces(struct sluice_monitor *monitor,
			      const struct sluice_monitor_filter *filter,
			      int (*see)(const struct sluice_monitor_lockspace *seen,
					 void *arg),
			      void *arg);
int sluice_monitor_resources(struct sluice_monitor *monitor,
			     const struct sluice_monitor_filter *filter,
			     int (*see)(const struct sluice_monitor_resource *seen,
					void *arg),
			     void *arg);
int sluice_monitor_locks(struct sluice_monitor *monitor,
			 const struct sluice_monitor_filter *filter,
			 int (*see)(const struct sluice_monitor_lock *seen,
				    void *arg),
			 void *arg);
int sluice_monitor_waits(struct sluice_monitor *monitor,
			 const struct sluice_monitor_filter *filter,
			 int (*see)(const struct sluice_monitor_wait *seen,
				    void *arg),
			 void *arg);
int sluice_monitor_holders(struct sluice_monitor *monitor,
			   const struct sluice_monitor_filter *filter,
			   int (*see)(const struct sluice_monitor_holder *seen,
				      void *arg),
			   void *arg);
int sluice_monitor_quotas(struct sluice_monitor *monitor,
			  const struct sluice_monitor_filter *filter,
			  int (*see)(const struct sluice_monitor_quota *seen,
				     void *arg),
			  void *arg);

/* Groups of events. */
#define SLUICE_MONITOR_LIFECYCLE	0x1
#define SLUICE_MONITOR_DEADLOCK		0x2
#define SLUICE_MONITOR_PRESSURE		0x4

/**
 * struct sluice_monitor_event - something that happened
 * @event: enum sluice_nl_event; those that are not known are to be ignored
 * @time: when
 * @channel: number
 * @lockspace: number
 * @role: enum sluice_role
 * @index: place
 * @generation: of the endpoint
 * @reason: LEFT: enum sluice_reason
 * @resource: OWNER_DIED: number
 * @holder: OWNER_DIED: who died; DEADLOCK: who failed
 * @deadlock: DEADLOCK: its number in the lockspace
 * @length: DEADLOCK: holders
 * @lag: LAG: messages that the slowest subscriber has not read
 * @count: DROPPED: messages
 * @uid: QUOTA: whose limit it was
 * @limited: QUOTA: enum sluice_nl_limited
 * @asked: QUOTA: so much more was
 * @limit: QUOTA: most that is allowed
 *
 * What an event does not have is 0.
 */
struct sluice_monitor_event {
	uint32_t event;
	uint64_t time;
	uint64_t channel;
	uint64_t lockspace;
	uint32_t role;
	uint32_t index;
	uint64_t generation;
	uint32_t reason;
	uint64_t resource;
	uint64_t holder;
	uint64_t deadlock;
	uint32_t length;
	uint64_t lag;
	uint64_t count;
	uint32_t uid;
	uint32_t limited;
	uint64_t asked;
	uint64_t limit;
};

/**
 * sluice_monitor_listen - be told of events from now on
 * @monitor: the monitor
 * @groups: SLUICE_MONITOR_LIFECYCLE and so on; those of calls before stay
 *
 * Return: 0; -EINVAL for an unknown group; -ENODEV if the module is not there.
 */
int sluice_monitor_listen(struct sluice_monitor *monitor, uint32_t groups);

/**
 * sluice_monitor_fd - what to poll for events
 * @monitor: the monitor, that listens
 *
 * It belongs to the monitor; it is readable when there is an event.
 *
 * Return: a file descriptor, or -EINVAL if it does not listen.
 */
int sluice_monitor_fd(const struct sluice_monitor *monitor);

/**
 * sluice_monitor_next - the next event
 * @monitor: the monitor, that listens
 * @event: out
 *
 * Does not wait.
 *
 * Return: 0; -EAGAIN if there is none; -ENOBUFS if some were lost, and those that
 * come are told again; -EINVAL if it does not listen.
 */
int sluice_monitor_next(struct sluice_monitor *monitor,
			struct sluice_monitor_event *event);

#ifdef __cplusplus
}
#endif

#endif
