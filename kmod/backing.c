// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backings: the kernel's own locks on files, for programs that know no other.
 *
 * A holder that wants them opens the file once more, so that the locks belong
 * to a file of its own: closing others loses nothing (what POSIX locks are
 * known for), and nobody who shares a descriptor shares the lock. They are open
 * file description locks, seen by fcntl() of either kind, and flock()'s.
 *
 * First comes the grant, then the kernel's lock, so among holders the order is
 * that of our queues, and only strangers are met there. Letting go, the kernel's
 * locks follow what the holder still has. A lock of flock() is kept as strong as
 * it was, for flock() lets go of what it converts.
 *
 * While LOCK is at it the kernel's lock is not followed: it may have been had
 * for a grant that the caller has yet to be told of. What changes meanwhile is
 * remembered, and followed once that is settled. Nor is it made weaker before:
 * a stranger would be let in, and it could not be given back as it was.
 *
 * On a local file system who waits is woken; where locks are a server's, the
 * kernel cannot be asked to wait until a deadline, and is asked again and again.
 * What blocks until a file server answers is done in remote.c.
 *
 * Locks: holder->backing_lock, outside the domain's.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "backing.h"
#include "compat.h"
#include "deadlock.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "lockspace.h"
#include "remote.h"
#include "request.h"

/* How long to wait between two tries, in milliseconds. */
#define WAIT_FIRST	1U
#define WAIT_MOST	128U

static struct sluice_backing *backing_find(struct sluice_holder *holder,
					   const struct sluice_lockspace *space,
					   const struct sluice_key *key)
{
	struct sluice_backing *backing;

	lockdep_assert_held(&holder->backing_lock);
	list_for_each_entry(backing, &holder->backings, link)
		if (backing->space == space && !backing->ending &&
		    sluice_key_same(&backing->key, key))
			return backing;
	return NULL;
}

/* What fcntl() and flock() call the mode. */
static int backing_type(u8 mode)
{
	switch (mode) {
	case SLUICE_PR:
	case SLUICE_UP:
		return F_RDLCK;
	case SLUICE_PW:
	case SLUICE_EX:
		return F_WRLCK;
	default:
		return F_UNLCK;
	}
}

static void backing_free(struct sluice_backing *backing)
{
	list_del(&backing->link);
	sluice_lockspace_put(backing->space);
	/* Its locks go with it. */
	fput(backing->file);
	kfree(backing);
}

struct file *sluice_backing_open(const struct path *path, int flags,
				 const struct cred *cred)
{
	return dentry_open(path, flags & (O_ACCMODE | O_DIRECTORY | O_LARGEFILE),
			   cred);
}

/* With the rights that who opened it had. */
static int backing_open(struct sluice_backing *backing, struct file *file)
{
	if (sluice_remote_serves(file)) {
		backing->remote = sluice_remote_new(backing, file);
		return PTR_ERR_OR_ZERO(backing->remote);
	}
	backing->file = sluice_backing_open(&file->f_path, file->f_flags,
					    file->f_cred);
	return PTR_ERR_OR_ZERO(backing->file);
}

static struct sluice_backing *backing_new(struct sluice_want *want,
					  struct file *file)
{
	struct sluice_backing *backing;
	int ret;

	backing = kzalloc(sizeof(*backing), GFP_KERNEL_ACCOUNT);
	if (!backing)
		return ERR_PTR(-ENOMEM);
	backing->holder = want->holder;
	ret = backing_open(backing, file);
	if (ret) {
		kfree(backing);
		return ERR_PTR(ret);
	}
	backing->space = sluice_lockspace_get(want->space);
	backing->key = want->key;
	backing->flock = F_UNLCK;
	list_add(&backing->link, &want->holder->backings);
	return backing;
}

static int backing_check(const struct sluice_want *want,
			 const struct sluice_backing *backing, u32 flags)
{
	/* Ranges are loff_t there; to the end is to the end of them. */
	if (want->start > OFFSET_MAX ||
	    (want->last > OFFSET_MAX && want->last != SLUICE_END))
		return -EINVAL;
	if (!(flags & SLUICE_ITEM_FLOCK))
		return 0;
	if (want->start || want->last != SLUICE_END)
		return -EINVAL;
	if (backing && READ_ONCE(backing->flock) == F_RDLCK &&
	    backing_type(want->mode) == F_WRLCK)
		return -EOPNOTSUPP;
	return 0;
}

int sluice_backing_get(struct sluice_want *want, struct file *file, u32 flags)
{
	struct sluice_holder *holder = want->holder;
	umode_t mode = file_inode(file)->i_mode;
	struct sluice_backing *backing;
	int ret;

	if ((!S_ISREG(mode) && !S_ISDIR(mode)) ||
	    backing_type(want->mode) == F_UNLCK)
		return -EINVAL;
	mutex_lock(&holder->backing_lock);
	backing = backing_find(holder, want->space, &want->key);
	ret = backing_check(want, backing, flags);
	if (!ret && !backing) {
		backing = backing_new(want, file);
		ret = PTR_ERR_OR_ZERO(backing);
	}
	if (!ret) {
		backing->users++;
		want->backing = backing;
		want->backed = flags;
		want->losses = backing->losses;
	}
	mutex_unlock(&holder->backing_lock);
	return ret;
}

bool sluice_backing_needed(const struct sluice_backing *backing)
{
	struct sluice_holder *holder = backing->holder;
	struct sluice_resource *resource;
	struct sluice_domain *domain;
	bool needed;

	lockdep_assert_held(&holder->backing_lock);
	if (backing->users)
		return true;
	domain = sluice_domain_lock(holder->domain);
	resource = sluice_resource_find(backing->space, &backing->key);
	needed = resource && sluice_grant_own(holder, resource, 0, SLUICE_END);
	sluice_domain_unlock(domain);
	return needed;
}

/* Do what was put off, unless it has to be put off still. */
static void backing_catch_up(struct sluice_backing *backing)
{
	if (backing->trying)
		return;
	if (backing->remote) {
		sluice_remote_settle(backing->remote);
		return;
	}
	if (backing->behind) {
		backing->behind = false;
		sluice_backing_follow(backing, backing->behind_start,
				      backing->behind_last);
	}
	if (!sluice_backing_needed(backing))
		backing_free(backing);
}

void sluice_backing_put(struct sluice_want *want)
{
	struct sluice_holder *holder = want->holder;
	struct sluice_backing *backing = want->backing;

	if (!backing)
		return;
	want->backing = NULL;
	mutex_lock(&holder->backing_lock);
	backing->users--;
	backing_catch_up(backing);
	mutex_unlock(&holder->backing_lock);
}

void sluice_backing_settle(struct sluice_want *want)
{
	struct sluice_backing *backing = want->backing;

	lockdep_assert_held(&want->holder->backing_lock);
	if (!backing || !backing->trying)
		return;
	backing->trying = false;
	WRITE_ONCE(backing->stronger, false);
	backing_catch_up(backing);
}

static void lock_init(struct file_lock *lock,
		      const struct sluice_backing *backing, int type, u32 flags,
		      u64 start, u64 last)
{
	locks_init_lock(lock);
	sluice_flc(lock, file) = backing->file;
	sluice_flc(lock, owner) = backing->file;
	/* Not who runs: that may be a work. */
	sluice_flc(lock, pid) = pid_nr(backing->holder->tgid);
	sluice_flc(lock, type) = type;
	sluice_flc(lock, flags) = flags;
	lock->fl_start = start;
	lock->fl_end = min_t(u64, last, OFFSET_MAX);
}

static int backing_fcntl(struct sluice_backing *backing, int type, u64 start,
			 u64 last)
{
	struct file_lock lock;
	int ret;

	lock_init(&lock, backing, type, FL_POSIX | FL_OFDLCK, start, last);
	ret = vfs_lock_file(backing->file, F_SETLK, &lock, NULL);
	locks_release_private(&lock);
	return ret;
}

static int backing_flock(struct sluice_backing *backing, int type)
{
	struct file *file = backing->file;
	struct file_lock lock;
	int ret;

	if (backing->flock == type ||
	    (backing->flock == F_WRLCK && type != F_UNLCK))
		return 0;
	lock_init(&lock, backing, type, FL_FLOCK, 0, SLUICE_END);
	if (file->f_op->flock)
		ret = file->f_op->flock(file, F_SETLK, &lock);
	else
		ret = locks_lock_inode_wait(file_inode(file), &lock);
	locks_release_private(&lock);
	if (!ret)
		WRITE_ONCE(backing->flock, type);
	return ret;
}

/* How the holder has the byte @at, and until which it is the same. */
static int backing_wanted(const struct sluice_backing *backing, u64 at,
			  u64 *last)
{
	struct sluice_holder *holder = backing->holder;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct sluice_grant *grant = NULL;
	struct sluice_resource *resource;
	int type = F_UNLCK;

	resource = sluice_resource_find(backing->space, &backing->key);
	if (resource)
		grant = sluice_grant_own(holder, resource, at, *last);
	if (grant && grant->start > at) {
		*last = min(*last, grant->start - 1);
	} else if (grant) {
		*last = min(*last, grant->last);
		if (grant->backed & SLUICE_ITEM_FCNTL)
			type = backing_type(grant->mode);
	}
	sluice_domain_unlock(domain);
	return type;
}

/* To read what the holder does not have as a writer: that stays as it is. */
static int backing_fcntl_read(struct sluice_backing *backing, u64 start,
			      u64 last)
{
	u64 at, until = min_t(u64, last, OFFSET_MAX);
	int ret = 0;

	last = until;
	for (at = start; at <= last && !ret; at = until + 1) {
		until = last;
		if (backing_wanted(backing, at, &until) != F_WRLCK)
			continue;
		WRITE_ONCE(backing->stronger, true);
		if (start < at)
			ret = backing_fcntl(backing, F_RDLCK, start, at - 1);
		start = until + 1;
		cond_resched();
	}
	if (!ret && start <= last)
		ret = backing_fcntl(backing, F_RDLCK, start, last);
	return ret;
}

int sluice_backing_lock(struct sluice_backing *backing,
			const struct sluice_kernel_lock *lock)
{
	int ret = 0;

	if (lock->flags & SLUICE_ITEM_FCNTL) {
		if (lock->type == F_RDLCK)
			ret = backing_fcntl_read(backing, lock->start,
						 lock->last);
		else
			ret = backing_fcntl(backing, lock->type, lock->start,
					    lock->last);
		backing->flags |= SLUICE_ITEM_FCNTL;
	}
	if (!ret && lock->flags & SLUICE_ITEM_FLOCK) {
		ret = backing_flock(backing, lock->type);
		backing->flags |= SLUICE_ITEM_FLOCK;
	}
	return ret;
}

int sluice_backing_try(struct sluice_want *want, s64 deadline)
{
	struct sluice_kernel_lock lock = {
		.type = backing_type(want->mode),
		.flags = want->backed,
		.start = want->start,
		.last = want->last,
	};
	struct sluice_backing *backing = want->backing;
	int ret;

	if (backing->remote)
		return sluice_remote_try(want, &lock, deadline);
	mutex_lock(&want->holder->backing_lock);
	backing->trying = true;
	ret = sluice_backing_lock(backing, &lock);
	mutex_unlock(&want->holder->backing_lock);
	return ret;
}

ktime_t sluice_time_left(s64 deadline)
{
	ktime_t now = ktime_get();

	if (deadline == SLUICE_NO_DEADLINE)
		return KTIME_MAX;
	/* It may have been over before the clock began. */
	return deadline > now ? deadline - now : 0;
}

bool sluice_wait_over(struct sluice_holder *holder, s64 deadline, int *why)
{
	if (READ_ONCE(holder->request.cancelled))
		*why = -ECANCELED;
	else if (READ_ONCE(holder->dead))
		*why = -EOWNERDEAD;
	else if (signal_pending(current))
		*why = -ERESTARTSYS;
	else if (sluice_time_left(deadline) <= 0)
		*why = -ETIMEDOUT;
	return *why;
}

/* Has its holder some of it as a writer, and is to be a reader? */
static bool want_weakens(const struct sluice_want *want)
{
	u64 at = want->start, until;

	if (backing_type(want->mode) != F_RDLCK)
		return false;
	for (;; at = until + 1) {
		until = want->last;
		if (backing_wanted(want->backing, at, &until) == F_WRLCK)
			return true;
		if (until >= want->last)
			return false;
		cond_resched();
	}
}

/* As do_lock_file_wait() of fs/locks.c, but with a deadline. */
static int wait_local(struct sluice_want *want, s64 deadline)
{
	struct file *file = want->backing->file;
	struct file_lock lock;
	int ret, why = 0;

	lock_init(&lock, want->backing, backing_type(want->mode),
		  FL_POSIX | FL_OFDLCK | FL_SLEEP, want->start, want->last);
	for (;;) {
		ret = posix_lock_file(file, &lock, NULL);
		if (ret != FILE_LOCK_DEFERRED)
			break;
		while (!list_empty(&sluice_flc(&lock, blocked_member)) &&
		       !sluice_wait_over(want->holder, deadline, &why))
			wait_event_interruptible_hrtimeout(
				sluice_flc(&lock, wait),
				list_empty(&sluice_flc(&lock, blocked_member)),
				clamp_t(s64, sluice_time_left(deadline), 1,
					SLUICE_WAIT_SLICE));
		if (why)
			break;
	}
	locks_delete_block(&lock);
	locks_release_private(&lock);
	return why ?: ret;
}

int sluice_backing_wait(struct sluice_holder *holder, struct sluice_want *want,
			s64 deadline, u32 round)
{
	u64 most = min(WAIT_FIRST << min(round, 16U), WAIT_MOST) * NSEC_PER_MSEC;
	ktime_t slice;
	int why = 0;

	if (want && want->backed == SLUICE_ITEM_FCNTL &&
	    !want->backing->remote && !want->backing->file->f_op->lock &&
	    !want_weakens(want))
		return wait_local(want, deadline);
	slice = clamp_t(s64, sluice_time_left(deadline), 1, most);
	set_current_state(TASK_INTERRUPTIBLE);
	schedule_hrtimeout(&slice, HRTIMER_MODE_REL);
	sluice_wait_over(holder, deadline, &why);
	return why;
}

/*
 * Following what the holder has.
 */
/* Does anything that the holder has of the resource go with a flock()? */
static bool backing_flocked(const struct sluice_backing *backing)
{
	struct sluice_holder *holder = backing->holder;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct sluice_grant *grant = NULL;
	struct sluice_resource *resource;

	resource = sluice_resource_find(backing->space, &backing->key);
	if (resource)
		grant = sluice_grant_own(holder, resource, 0, SLUICE_END);
	while (grant && !(grant->backed & SLUICE_ITEM_FLOCK))
		grant = sluice_grant_own_next(grant, SLUICE_END);
	sluice_domain_unlock(domain);
	return grant;
}

/* Weakening cannot fail, but for want of memory: the lock stays too strong. */
void sluice_backing_follow(struct sluice_backing *backing, u64 start, u64 last)
{
	u64 until;
	int type;

	if (backing->flags & SLUICE_ITEM_FCNTL) {
		for (;; start = until + 1) {
			until = last;
			type = backing_wanted(backing, start, &until);
			if (start <= OFFSET_MAX)
				backing_fcntl(backing, type, start, until);
			if (until >= last)
				break;
			cond_resched();
		}
	}
	if (backing->flock != F_UNLCK && !backing_flocked(backing))
		backing_flock(backing, F_UNLCK);
}

static void backing_sync(struct sluice_backing *backing, u64 start, u64 last)
{
	if (backing->behind) {
		start = min(start, backing->behind_start);
		last = max(last, backing->behind_last);
	}
	backing->behind = true;
	backing->behind_start = start;
	backing->behind_last = last;
	backing_catch_up(backing);
}

void sluice_backing_sync(struct sluice_holder *holder,
			 const struct sluice_lockspace *space,
			 const struct sluice_key *key, u64 start, u64 last)
{
	struct sluice_backing *backing;

	lockdep_assert_held(&holder->backing_lock);
	backing = backing_find(holder, space, key);
	if (backing)
		backing_sync(backing, start, last);
}

void sluice_backing_sync_all(struct sluice_holder *holder)
{
	struct sluice_backing *backing, *next;

	lockdep_assert_held(&holder->backing_lock);
	list_for_each_entry_safe(backing, next, &holder->backings, link)
		if (!backing->ending)
			backing_sync(backing, 0, SLUICE_END);
}

/*
 * File servers.
 */
void sluice_backing_lose(struct sluice_backing *backing)
{
	struct sluice_holder *holder = backing->holder;
	struct sluice_grant *grant = NULL, *next;
	struct sluice_resource *resource;
	struct sluice_domain *domain;
	LIST_HEAD(dirty);

	lockdep_assert_held(&holder->backing_lock);
	backing->losses++;
	domain = sluice_domain_lock(holder->domain);
	resource = sluice_resource_find(backing->space, &backing->key);
	if (resource)
		grant = sluice_grant_own(holder, resource, 0, SLUICE_END);
	for (; grant; grant = next) {
		next = sluice_grant_own_next(grant, SLUICE_END);
		if (grant->backed)
			sluice_holder_revoke(holder, grant, EIO, &dirty);
		cond_resched();
	}
	sluice_request_pass(&dirty);
	sluice_deadlock_resolve(&holder->request);
	sluice_domain_unlock(domain);
}

static bool backing_is_of(const struct sluice_backing *backing,
			  const struct sluice_lockspace *space,
			  const struct sluice_key *key)
{
	return backing->remote &&
		(!space || (backing->space == space &&
			    sluice_key_same(&backing->key, key)));
}

/* Return: the first of which any of @jobs is not done, a reference; or NULL. */
static struct sluice_remote *remote_at(struct sluice_holder *holder,
				       const struct sluice_lockspace *space,
				       const struct sluice_key *key, u32 jobs)
{
	struct sluice_remote *remote = NULL;
	struct sluice_backing *backing;

	mutex_lock(&holder->backing_lock);
	list_for_each_entry(backing, &holder->backings, link) {
		if (backing_is_of(backing, space, key) &&
		    sluice_remote_busy(backing->remote, jobs)) {
			remote = sluice_remote_get(backing->remote);
			break;
		}
	}
	mutex_unlock(&holder->backing_lock);
	return remote;
}

static void backings_wait(struct sluice_holder *holder,
			  const struct sluice_lockspace *space,
			  const struct sluice_key *key, u32 jobs, s64 deadline)
{
	struct sluice_remote *remote;
	bool over = false;

	while (!over && (remote = remote_at(holder, space, key, jobs))) {
		over = sluice_remote_wait(remote, jobs, deadline);
		sluice_remote_put(remote);
	}
}

void sluice_backings_check(struct sluice_holder *holder,
			   const struct sluice_lockspace *space,
			   const struct sluice_key *key, s64 deadline)
{
	struct sluice_backing *backing;

	if (list_empty_careful(&holder->backings))
		return;
	mutex_lock(&holder->backing_lock);
	list_for_each_entry(backing, &holder->backings, link)
		if (backing_is_of(backing, space, key) && !backing->ending)
			sluice_remote_check(backing->remote);
	mutex_unlock(&holder->backing_lock);
	backings_wait(holder, space, key, SLUICE_REMOTE_CHECK, deadline);
}

void sluice_backings_await(struct sluice_holder *holder,
			   const struct sluice_lockspace *space,
			   const struct sluice_key *key)
{
	if (list_empty_careful(&holder->backings))
		return;
	backings_wait(holder, space, key,
		      SLUICE_REMOTE_FOLLOW | SLUICE_REMOTE_END,
		      SLUICE_NO_DEADLINE);
}
