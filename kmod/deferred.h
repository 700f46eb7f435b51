/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DEFERRED_H
#define SLUICE_DEFERRED_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct sluice_user;

/**
 * struct sluice_share - a user's part of the workers
 * @lock: leaf
 * @waiting: what has found no worker yet
 * @given: workers that are at it, or about to
 */
struct sluice_share {
	spinlock_t lock;
	struct list_head waiting;
	u32 given;
};

void sluice_share_init(struct sluice_share *share);

/**
 * struct sluice_deferred - what a work does, as it may take as long as a user likes
 * @work: does it
 * @waiting: for a worker
 * @user: to whose account it goes; whoever has this one keeps that
 * @run: does it, may sleep, and may free this one
 */
struct sluice_deferred {
	struct work_struct work;
	struct list_head waiting;
	struct sluice_user *user;
	void (*run)(struct sluice_deferred *deferred);
};

int sluice_deferred_init(void);
/* Waits for all that was queued. */
void sluice_deferred_exit(void);

void sluice_defer_init(struct sluice_deferred *deferred,
		       struct sluice_user *user,
		       void (*run)(struct sluice_deferred *deferred));

/**
 * sluice_defer - have it run once more, soon
 * @deferred: what
 *
 * It is not run twice at the same time. Any context that may sleep.
 */
void sluice_defer(struct sluice_deferred *deferred);

/* It does not run when this returns, nor later. The caller queues it no more. */
void sluice_defer_cancel(struct sluice_deferred *deferred);

#endif
