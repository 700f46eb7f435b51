/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_REQUEST_H
#define SLUICE_REQUEST_H

#include <linux/list.h>
#include <linux/path.h>
#include <linux/sluice.h>

#include "grant.h"
#include "resource.h"

struct sluice_backing;
struct sluice_holder;
struct sluice_lockspace;

/**
 * struct sluice_want - one item of a request
 * @holder: who wants it
 * @space: reference
 * @key: of the resource
 * @pin: of a file, reference; or NULL
 * @start: first byte
 * @last: last byte
 * @lease: nanoseconds, 0 for ever
 * @mode: enum sluice_mode
 * @repair: also if it was declared unrecoverable
 * @backing: the kernel's own lock on it, or NULL
 * @backed: SLUICE_ITEM_FCNTL and SLUICE_ITEM_FLOCK; it may be revoked, then
 * @losses: @losses of @backing when it was asked for
 * @status: of the resource when it was granted
 * @token: of the grant
 * @resource: while it is queued
 * @spare: becomes @resource, if there is no memory of it; or NULL
 * @grant: becomes the grant; afterwards only if that is fresh
 * @spares: for sluice_grant_settle()
 * @granted: and the caller does not know yet
 * @queued: in the resource's queue
 * @place: and in its tree, in the same order
 * @place_modes: of those below it there, and its own
 * @stays: and in that of a pass that left it waiting
 * @stays_last: as that tree needs it
 * @listed: and among all of the lockspace's
 * @serial: growing in that
 * @converter: it may go on when one ahead cannot: the holder had something of
 *	the resource when it was queued, or it jumps
 * @jumps: it does not wait for those ahead
 * @strange: of an any-request: a stranger has the kernel's own lock on it
 * @passed: later ones that went ahead
 * @noticed: @published of the resource when those who stand in the way were told
 * @ahead: see want_blocker(): where the last look ended
 * @standing: likewise
 * @queue_seen: likewise: nobody ahead stands in the way
 * @clear: likewise: nobody at all does
 * @watch: see deadlock.c: on the list of who stands in the way
 * @watched: likewise: who that is
 */
struct sluice_want {
	struct sluice_holder *holder;
	struct sluice_lockspace *space;
	struct sluice_key key;
	struct sluice_pin *pin;
	u64 start;
	u64 last;
	u64 lease;
	u8 mode;
	bool repair;
	struct sluice_backing *backing;
	u32 backed;
	u32 losses;
	u32 status;
	u64 token;
	struct sluice_resource *resource;
	struct sluice_resource *spare;
	struct sluice_grant *grant;
	struct sluice_grant *spares[SLUICE_SPARES];
	bool granted;
	struct list_head queued;
	struct rb_node place;
	u8 place_modes;
	struct rb_node stays;
	u64 stays_last;
	struct rb_node listed;
	u64 serial;
	bool converter;
	bool jumps;
	bool strange;
	u32 passed;
	u64 noticed;

	struct sluice_want *ahead;
	struct sluice_grant *standing;
	bool queue_seen;
	bool clear;
	struct list_head watch;
	struct sluice_holder *watched;
};

enum sluice_request_state {
	SLUICE_REQUEST_IDLE,
	SLUICE_REQUEST_WAITING,
	SLUICE_REQUEST_GRANTED,	/* until who asked says that he knows */
	SLUICE_REQUEST_FAILED,
};

/**
 * struct sluice_request - what a holder asks for; the domain's lock
 * @wants: its items
 * @count: of them
 * @flags: SLUICE_LOCK_*
 * @priority: the higher the sooner
 * @deadline: monotonic nanoseconds
 * @state: enum sluice_request_state; read without the lock by who sleeps, see
 *	sluice_request_accept()
 * @error: why it failed
 * @index: of SLUICE_LOCK_ANY: what was granted
 * @since: it waits, monotonic nanoseconds
 * @stranger: LOCK is at it with the kernel's own locks, for which it may wait,
 *	queued or not; read without the lock
 * @cancelled: meanwhile it was cancelled; read without the lock
 * @pass: the last one that left it waiting
 * @mark: see deadlock.c: the last graph it was part of
 * @live: likewise: it can be granted some day
 * @next: likewise: of an all-request, the want that is looked at
 * @watchers: likewise: wants that wait for its holder
 * @node: likewise: of the graph
 * @todo: likewise: to be looked at
 * @via: likewise: how it was reached
 */
struct sluice_request {
	struct sluice_want *wants;
	u32 count;
	u32 flags;
	s32 priority;
	s64 deadline;
	u32 state;
	int error;
	u32 index;
	u64 since;
	bool stranger;
	bool cancelled;
	u64 pass;

	u64 mark;
	bool live;
	u32 next;
	struct list_head watchers;
	struct list_head node;
	struct list_head todo;
	struct sluice_want *via;
};

static inline bool sluice_request_any(const struct sluice_request *request)
{
	return request->flags & SLUICE_LOCK_ANY;
}

static inline bool sluice_request_waits(const struct sluice_request *request)
{
	/* What was granted may be accepted meanwhile, with nothing locked. */
	return READ_ONCE(request->state) == SLUICE_REQUEST_WAITING;
}

struct sluice_holder *sluice_request_holder(struct sluice_request *request);

/**
 * sluice_want_prepare - get what a want may need once the lock is held
 * @want: holder, space, key, path, range and mode are set; it may have been
 *	granted and taken back before
 *
 * Return: 0, -ENOMEM or -EDQUOT. sluice_want_release() in either case.
 */
int sluice_want_prepare(struct sluice_want *want);
void sluice_want_release(struct sluice_want *want);

/**
 * sluice_request_start - ask
 * @request: wants, count, flags, priority and deadline are set; the lockspaces'
 *	domains are joined to the holder's, which is locked
 *
 * Return: 0 if it is granted; -EINPROGRESS if it waits; else why it is refused,
 * and nothing is left of it.
 */
int sluice_request_start(struct sluice_request *request);

/**
 * sluice_request_finish - be done with a request that was granted
 * @request: granted, or not: then nothing happens
 * @keep: what was granted replaces what was held; if not, it is taken back
 */
void sluice_request_finish(struct sluice_request *request, bool keep);

/**
 * sluice_request_accept - be done with a request that was granted, and kept
 * @request: waited
 *
 * Whoever granted it may still have the domain's lock, so this does without.
 *
 * Return: false if it was taken back, or the lock is needed: finish it then.
 */
bool sluice_request_accept(struct sluice_request *request);

/* Can it be accepted? It was granted, if the caller saw that. */
bool sluice_request_acceptable(const struct sluice_request *request);

/* Take back what was granted, if whoever asked does not know yet. */
void sluice_request_refuse(struct sluice_request *request, int error);

/* End a request that waits. */
void sluice_request_fail(struct sluice_request *request, int error,
			 struct list_head *dirty);

/* Grant a request that waits: @index of an any-request, else all. */
void sluice_request_grant(struct sluice_request *request, u32 index,
			  struct list_head *dirty);

void sluice_request_pass_dirty(struct list_head *dirty);

/* Grant what can be granted now, and remove what is not needed. */
static inline void sluice_request_pass(struct list_head *dirty)
{
	if (!list_empty(dirty))
		sluice_request_pass_dirty(dirty);
}

/* How a want's look at what stands in its way begins. */
void sluice_want_rewind(struct sluice_want *want);

/* Who stands in a want's way, if that is one, and is seen at once; or NULL. */
struct sluice_holder *sluice_want_sole_blocker(const struct sluice_want *want);

/**
 * sluice_want_blocker - who stands in a want's way
 * @want: queued, and rewound before the first look
 * @live: who does not count, as he will get out of the way; NULL for nobody
 * @arg: for @live
 *
 * Every look goes on where the last one ended, so whoever is live must stay so.
 *
 * Return: one who does, or NULL.
 */
struct sluice_holder *
sluice_want_blocker(struct sluice_want *want,
		    bool (*live)(struct sluice_holder *holder, u64 arg),
		    u64 arg);

/* Can it not be granted, as nobody shall have it but to repair it? */
bool sluice_want_lost(const struct sluice_want *want);

/* Of one ahead in the queue: does it have to be served before @want? */
bool sluice_want_stands_ahead(const struct sluice_want *ahead,
			      const struct sluice_want *want);

/* Return: the first want of @space that is queued, beyond @serial, or NULL. */
struct sluice_want *sluice_want_after(const struct sluice_lockspace *space,
				      u64 serial);

/* Let it wait no more for those who are ahead in the queue. */
void sluice_want_jump(struct sluice_want *want, struct list_head *dirty);

#endif
