/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_BACKING_H
#define SLUICE_BACKING_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/path.h>

#include "resource.h"

struct cred;
struct file;
struct sluice_holder;
struct sluice_remote;
struct sluice_want;

/**
 * struct sluice_backing - the kernel's own locks on a file that a holder has;
 *	holder->backing_lock
 * @link: on the holder's list
 * @holder: whose; a reference if @remote
 * @space: with @key: of which resource; reference
 * @key: likewise
 * @file: opened for this alone, so that its locks are nobody else's. With
 *	@remote it, @flags and @flock are the work's, and it may be NULL
 * @flags: SLUICE_ITEM_FCNTL and SLUICE_ITEM_FLOCK, what has ever been taken
 * @flock: how flock() has it: F_UNLCK, F_RDLCK or F_WRLCK
 * @users: wants that are being locked
 * @trying: a lock was tried, and it is not settled yet whether it is kept
 * @stronger: of what was tried the holder has some as a writer, and it is left
 *	so until that is settled; read and written with nothing locked
 * @behind: it has yet to follow what the holder has, from @behind_start to
 *	@behind_last
 * @behind_start: likewise
 * @behind_last: likewise
 * @losses: how often a file server has lost what the holder had
 * @ending: nobody may use it any more
 * @remote: asks the file server for it; NULL on other file systems
 */
struct sluice_backing {
	struct list_head link;
	struct sluice_holder *holder;
	struct sluice_lockspace *space;
	struct sluice_key key;
	struct file *file;
	u32 flags;
	int flock;
	u32 users;
	bool trying;
	bool stronger;
	bool behind;
	u64 behind_start;
	u64 behind_last;
	u32 losses;
	bool ending;
	struct sluice_remote *remote;
};

/**
 * struct sluice_kernel_lock - a lock as fcntl() and flock() know it
 * @type: F_RDLCK or F_WRLCK
 * @flags: SLUICE_ITEM_FCNTL, SLUICE_ITEM_FLOCK
 * @start: first byte
 * @last: last byte
 */
struct sluice_kernel_lock {
	int type;
	u32 flags;
	u64 start;
	u64 last;
};

/**
 * sluice_backing_get - be ready to lock a file as the kernel does
 * @want: of a file; its @backing is set
 * @file: as the caller has it open
 * @flags: SLUICE_ITEM_FCNTL, SLUICE_ITEM_FLOCK
 *
 * Return: 0; -EINVAL for a file, mode or range that cannot be, -EOPNOTSUPP for
 * a conversion that flock() does not know, or why the file cannot be opened.
 */
int sluice_backing_get(struct sluice_want *want, struct file *file, u32 flags);
void sluice_backing_put(struct sluice_want *want);

/**
 * sluice_backing_try - lock a file as it was granted
 * @want: granted; nothing is locked
 * @deadline: monotonic nanoseconds, until when to wait for a file server
 *
 * Whatever comes of it, the kernel's lock does not follow what the holder has
 * until sluice_backing_settle().
 *
 * Return: 0, -EAGAIN if another has it, an error of the file system's, or for
 * a file server: -ESTALE if it has lost what the holder had; -ERESTARTSYS,
 * -ETIMEDOUT, -ECANCELED, -EOWNERDEAD, and what comes of it later is undone.
 */
int sluice_backing_try(struct sluice_want *want, s64 deadline);

/* It is kept, or given back: from now on the kernel's lock follows again. */
void sluice_backing_settle(struct sluice_want *want);

/**
 * sluice_backing_wait - wait until sluice_backing_try() is worth while
 * @holder: whose
 * @want: granted; NULL if it was given back
 * @deadline: monotonic nanoseconds
 * @round: how often this was done before
 *
 * Return: 0, -ERESTARTSYS, -ETIMEDOUT, -ECANCELED, -EOWNERDEAD, or an error of
 * the file system's.
 */
int sluice_backing_wait(struct sluice_holder *holder, struct sluice_want *want,
			s64 deadline, u32 round);

/* No wait for a stranger or a file server is longer at a time. */
#define SLUICE_WAIT_SLICE	(50 * NSEC_PER_MSEC)

/* Return: nanoseconds, KTIME_MAX for ever; 0 if it has passed. */
ktime_t sluice_time_left(s64 deadline);

/* Return: whether a wait in LOCK is over, and @why. */
bool sluice_wait_over(struct sluice_holder *holder, s64 deadline, int *why);

/**
 * sluice_backing_sync - have the kernel's locks follow what the holder has
 * @holder: whose grants have changed; nothing locked but holder->backing_lock
 * @space: the lockspace
 * @key: of the resource
 * @start: first byte that has changed
 * @last: last byte
 *
 * Those of a file server follow later, see sluice_backings_await().
 */
void sluice_backing_sync(struct sluice_holder *holder,
			 const struct sluice_lockspace *space,
			 const struct sluice_key *key, u64 start, u64 last);

/* The same for all that it has. */
void sluice_backing_sync_all(struct sluice_holder *holder);

/**
 * sluice_backings_check - ask file servers whether they still have the locks
 * @holder: whose
 * @space: the lockspace, NULL for all that it has
 * @key: of the resource
 * @deadline: monotonic nanoseconds, until when to wait for the answer
 *
 * What is lost is revoked when this returns.
 */
void sluice_backings_check(struct sluice_holder *holder,
			   const struct sluice_lockspace *space,
			   const struct sluice_key *key, s64 deadline);

/* Wait, but for a signal, until file servers have followed. Likewise. */
void sluice_backings_await(struct sluice_holder *holder,
			   const struct sluice_lockspace *space,
			   const struct sluice_key *key);

/*
 * For remote.c: what is done with a file, by its work and with nothing locked.
 */
struct file *sluice_backing_open(const struct path *path, int flags,
				 const struct cred *cred);
int sluice_backing_lock(struct sluice_backing *backing,
			const struct sluice_kernel_lock *lock);
void sluice_backing_follow(struct sluice_backing *backing, u64 start, u64 last);

/* With holder->backing_lock: is anything of the resource left to the holder? */
bool sluice_backing_needed(const struct sluice_backing *backing);

/* Likewise: take back what the holder had with it. */
void sluice_backing_lose(struct sluice_backing *backing);

#endif
