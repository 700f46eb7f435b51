/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_BACKING_H
#define SLUICE_BACKING_H

#include <linux/list.h>

#include "resource.h"

struct file;
struct sluice_holder;
struct sluice_want;

/**
 * struct sluice_backing - the kernel's own locks on a file that a holder has;
 *	holder->backing_lock
 * @link: on the holder's list
 * @space: with @key: of which resource; reference
 * @key: likewise
 * @file: opened for this alone, so that its locks are nobody else's
 * @flags: SLUICE_ITEM_FCNTL and SLUICE_ITEM_FLOCK, what has ever been taken
 * @flock: how flock() has it: F_UNLCK, F_RDLCK or F_WRLCK
 * @users: wants that are being locked
 */
struct sluice_backing {
	struct list_head link;
	struct sluice_lockspace *space;
	struct sluice_key key;
	struct file *file;
	u32 flags;
	int flock;
	u32 users;
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
 * @want: granted; holder->backing_lock
 *
 * Return: 0, -EAGAIN if another has it, or an error of the file system's.
 */
int sluice_backing_try(struct sluice_want *want);

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

/**
 * sluice_backing_sync - have the kernel's locks follow what the holder has
 * @holder: whose grants have changed; nothing locked but holder->backing_lock
 * @space: the lockspace
 * @key: of the resource
 * @start: first byte that has changed
 * @last: last byte
 */
void sluice_backing_sync(struct sluice_holder *holder,
			 const struct sluice_lockspace *space,
			 const struct sluice_key *key, u64 start, u64 last);

/* The same for all that it has. */
void sluice_backing_sync_all(struct sluice_holder *holder);

#endif
