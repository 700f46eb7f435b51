// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may take as long as a user likes: letting go of his files, asking the
 * server of a file system that may be he himself.
 *
 * Works of one queue share as many workers as a queue can have (WQ_MAX_ACTIVE).
 * Whoever could have them all asleep would keep everybody else's works waiting.
 * So each user has a share of them, and what is beyond it waits until one of his
 * own is done. A share is that of the account at the top (quota.c), as is what
 * user namespaces can be charged with.
 *
 * Locks: a share's, which is a leaf but for those of workqueues.
 */
#include <linux/slab.h>

#include "deferred.h"
#include "quota.h"

#define SHARE	(WQ_MAX_ACTIVE / 32)

static struct workqueue_struct *workers;

int sluice_deferred_init(void)
{
	workers = alloc_workqueue("sluice_deferred", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return workers ? 0 : -ENOMEM;
}

void sluice_deferred_exit(void)
{
	destroy_workqueue(workers);
}

void sluice_share_init(struct sluice_share *share)
{
	spin_lock_init(&share->lock);
	INIT_LIST_HEAD(&share->waiting);
}

static void share_give(struct sluice_share *share,
		       struct sluice_deferred *deferred)
{
	lockdep_assert_held(&share->lock);
	/* One that is about to run has its worker. */
	if (queue_work(workers, &deferred->work))
		share->given++;
}

static void share_take_back(struct sluice_share *share)
{
	struct sluice_deferred *next;

	spin_lock(&share->lock);
	share->given--;
	while (share->given < SHARE &&
	       (next = list_first_entry_or_null(&share->waiting,
						struct sluice_deferred,
						waiting))) {
		list_del_init(&next->waiting);
		share_give(share, next);
	}
	spin_unlock(&share->lock);
}

static void deferred_work(struct work_struct *work)
{
	struct sluice_deferred *deferred =
		container_of(work, struct sluice_deferred, work);
	struct sluice_user *user = sluice_user_hold(deferred->user);

	deferred->run(deferred);
	share_take_back(sluice_user_share(user));
	sluice_user_put(user);
}

void sluice_defer_init(struct sluice_deferred *deferred,
		       struct sluice_user *user,
		       void (*run)(struct sluice_deferred *deferred))
{
	INIT_WORK(&deferred->work, deferred_work);
	INIT_LIST_HEAD(&deferred->waiting);
	deferred->user = user;
	deferred->run = run;
}

void sluice_defer(struct sluice_deferred *deferred)
{
	struct sluice_share *share = sluice_user_share(deferred->user);

	spin_lock(&share->lock);
	if (!list_empty(&deferred->waiting))
		goto unlock;
	if (share->given < SHARE)
		share_give(share, deferred);
	else
		list_add_tail(&deferred->waiting, &share->waiting);
unlock:
	spin_unlock(&share->lock);
}

void sluice_defer_cancel(struct sluice_deferred *deferred)
{
	struct sluice_share *share = sluice_user_share(deferred->user);

	spin_lock(&share->lock);
	list_del_init(&deferred->waiting);
	spin_unlock(&share->lock);
	if (cancel_work_sync(&deferred->work))
		share_take_back(share);
}
