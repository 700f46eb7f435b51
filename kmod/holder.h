/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_HOLDER_H
#define SLUICE_HOLDER_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/sluice.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "call.h"
#include "deferred.h"
#include "domain.h"
#include "registry.h"
#include "request.h"

struct pid;
struct sluice_domain;
struct sluice_grant;
struct sluice_lockspace;
struct sluice_revoked;
struct sluice_user;

/* What poll() is told, see @news of struct sluice_holder. */
#define SLUICE_NEWS_DONE	0x1
#define SLUICE_NEWS_NOTICE	0x2
#define SLUICE_NEWS_REVOKED	0x4
#define SLUICE_NEWS_DEAD	0x8

/**
 * struct sluice_holder - who holds, and waits for, resources
 * @ref: of the file, and of views of blocks
 * @entry: see registry.c
 * @id: unique while the module is loaded
 * @user: charged for what it has
 * @domain: where it began; the lock guards what is not said to be otherwise
 * @tgid: process that made it
 * @tid: thread that made it
 * @uid: of that
 * @comm: of that
 * @call: serialises SLUICE_IOC_EVENT, outside the domain's lock
 * @backing_lock: guards @backings; inside @call, outside the domain's lock
 * @backings: the kernel's own locks it has
 * @busy: atomic: @request is being made, waits, or has not been read
 * @spare_grant: memory for the next grant, or NULL; exchanged
 * @spare_resource: and for a resource that it may need; who made it @busy
 * @dead: it has no more, and gets nothing
 * @request: the one it may have; its wants exist while @busy
 * @held: its grants by resource and start, see grant.c
 * @held_count: of them; read without the lock
 * @notices: grants that others wait for, to be told
 * @notice_numbers: the last one given
 * @revoked: grants that were taken back, to be told
 * @revoked_lost: of them, with an error; read without the lock
 * @leased: grants with a lease, by their ends
 * @parties: lockspaces whose words it may write, see word.c
 * @party_numbers: the last one given
 * @alarm: when the next lease runs out, or the deadline of @request does
 * @follow: has @backings follow what @alarm has taken back, and does @later
 * @later: put off by @alarm, which must not wait for a file system
 * @news: SLUICE_NEWS_*; read without the lock
 * @wait: whoever waits for @request or @news
 */
struct sluice_holder {
	struct kref ref;
	struct sluice_entry entry;
	u64 id;
	struct sluice_user *user;
	struct sluice_domain *domain;
	struct pid *tgid;
	struct pid *tid;
	kuid_t uid;
	char comm[TASK_COMM_LEN];
	struct mutex call;
	struct mutex backing_lock;
	struct list_head backings;
	atomic_t busy;
	struct sluice_grant *spare_grant;
	struct sluice_resource *spare_resource;

	bool dead;
	struct sluice_request request;
	struct rb_root held;
	u64 held_count;
	struct list_head notices;
	u64 notice_numbers;
	struct list_head revoked;
	u32 revoked_lost;
	struct rb_root_cached leased;
	struct list_head parties;
	u64 party_numbers;
	struct sluice_alarm alarm;
	struct sluice_deferred follow;
	struct sluice_later *later;
	u32 news;
	wait_queue_head_t wait;
};

/* Return: a holder of the caller's, or an ERR_PTR. */
struct sluice_holder *sluice_holder_new(void);

/* Everything it has is left, and its request fails; one reference is put. */
void sluice_holder_end(struct sluice_holder *holder);

struct sluice_holder *sluice_holder_get(struct sluice_holder *holder);
void sluice_holder_put(struct sluice_holder *holder);

/**
 * sluice_holder_revoke - take a grant back, and tell its holder
 * @holder: who has it, in its tree; the domain's lock
 * @grant: consumed
 * @error: why: 0 if a lease ran out, or an errno
 * @dirty: for sluice_request_pass()
 */
void sluice_holder_revoke(struct sluice_holder *holder,
			  struct sluice_grant *grant, int error,
			  struct list_head *dirty);

/* It was told, or never will be. */
void sluice_revoked_free(struct sluice_holder *holder,
			 struct sluice_revoked *revoked);

/**
 * sluice_holder_lost - was it revoked with an error, and not told yet?
 * @holder: who had it
 * @space: the lockspace, NULL for anything the holder had
 * @key: of the resource
 * @start: first byte
 * @last: last byte
 */
bool sluice_holder_lost(struct sluice_holder *holder,
			const struct sluice_lockspace *space,
			const struct sluice_key *key, u64 start, u64 last);

/* Let go of everything; @died: and mark it as left by one who died. */
void sluice_holder_leave(struct sluice_holder *holder, bool died);

/* SLUICE_IOC_HOLDER, on the device. */
long sluice_holder_open(struct sluice_call *call);

/* Tell who polls. The domain's lock. */
void sluice_holder_tell(struct sluice_holder *holder, u32 news);

#endif
