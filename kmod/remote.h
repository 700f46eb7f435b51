/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_REMOTE_H
#define SLUICE_REMOTE_H

#include <linux/types.h>

struct file;
struct sluice_backing;
struct sluice_kernel_lock;
struct sluice_remote;
struct sluice_want;

/* What there is to do, the first first. */
#define SLUICE_REMOTE_TRY	0x1	/* take a lock */
#define SLUICE_REMOTE_FOLLOW	0x2	/* what the holder has */
#define SLUICE_REMOTE_CHECK	0x4	/* that no lock was lost */
#define SLUICE_REMOTE_CLOSE	0x8	/* a file whose locks were lost */
#define SLUICE_REMOTE_END	0x10	/* close it, and be gone */

int sluice_remotes_init(void);
void sluice_remotes_exit(void);

/* Are the locks of @file those of a file server that is asked in here? */
bool sluice_remote_serves(const struct file *file);

/**
 * sluice_remote_new - ask a file server for locks
 * @backing: for that; only its holder is set
 * @file: as the caller has it open
 *
 * It ends by itself, and @backing with it, when that is not needed any more.
 *
 * Return: that, or ERR_PTR(-ENOMEM).
 */
struct sluice_remote *sluice_remote_new(struct sluice_backing *backing,
					struct file *file);
struct sluice_remote *sluice_remote_get(struct sluice_remote *remote);
void sluice_remote_put(struct sluice_remote *remote);

/* As sluice_backing_try(). Of each holder one at a time. */
int sluice_remote_try(struct sluice_want *want,
		      const struct sluice_kernel_lock *lock, s64 deadline);

/* holder->backing_lock: there may be something to do, as no lock is tried. */
void sluice_remote_settle(struct sluice_remote *remote);

/* holder->backing_lock: have the server be asked what became of the locks. */
void sluice_remote_check(struct sluice_remote *remote);

/* Is one of @jobs to be done, or being done? */
bool sluice_remote_busy(const struct sluice_remote *remote, u32 jobs);

/**
 * sluice_remote_wait - wait until none is
 * @remote: a reference
 * @jobs: SLUICE_REMOTE_*
 * @deadline: monotonic nanoseconds
 *
 * Return: whether that is over before, by a signal or the deadline.
 */
bool sluice_remote_wait(struct sluice_remote *remote, u32 jobs, s64 deadline);

#endif
