// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: being made, being told, dying. What can be asked of one is in lock.c,
 * held.c, event.c and block.c.
 *
 * A holder dies with its last descriptor, or with the process that made it if
 * that still has one: a child that inherited a descriptor and never heard of it
 * must not keep for ever what its parent died with. What a dead holder had for
 * writing leaves a mark on the resource. What a file server is still to be asked
 * for or told keeps the dead holder's memory until it answers.
 *
 * Locks: holder->call; holder->backing_lock; the domain's, see domain.c; wait
 * queues' own.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "backing.h"
#include "block.h"
#include "deadlock.h"
#include "domain.h"
#include "event.h"
#include "grant.h"
#include "held.h"
#include "holder.h"
#include "lock.h"
#include "lockspace.h"
#include "notify.h"
#include "quota.h"
#include "resource.h"
#include "trace.h"
#include "word.h"

/* Grants that are let go of while the lock is held once. */
#define LEAVE_BATCH	256

static atomic64_t holder_ids;

void sluice_holder_tell(struct sluice_holder *holder, u32 news)
{
	sluice_domain_assert(holder->domain);
	WRITE_ONCE(holder->news, holder->news | news);
	/* The queue's lock orders it with a poll() that looks at the same time. */
	wake_up(&holder->wait);
}

/*
 * Leases, and deadlines of requests for which nobody sleeps.
 */

/* It is nobody's now; remember what its holder may have left half done. */
static void grant_leave(struct sluice_grant *grant, bool died,
			struct list_head *dirty)
{
	struct sluice_resource *resource = grant->resource;
	struct sluice_holder *holder = grant->holder;

	sluice_grant_withdraw(grant);
	sluice_resource_dirty(resource, dirty);
	if (!died || !sluice_mode_writes(grant->mode))
		return sluice_grant_free(grant);
	trace_sluice_owner_died(grant, holder);
	sluice_notify_died(resource, holder);
	grant->since = ktime_get_ns();
	resource->space->died++;
	sluice_resource_mark(resource, grant, false);
}

void sluice_holder_revoke(struct sluice_holder *holder,
			  struct sluice_grant *grant, int error,
			  struct list_head *dirty)
{
	struct sluice_revoked *revoked = grant->revoked;

	sluice_domain_assert(holder->domain);
	grant->revoked = NULL;
	if (!WARN_ON_ONCE(!revoked)) {
		revoked->space = grant->resource->space->object.id;
		revoked->start = grant->start;
		revoked->last = grant->last;
		revoked->token = grant->token;
		revoked->error = error;
		revoked->mode = grant->mode;
		revoked->key = grant->resource->key;
		list_add_tail(&revoked->news, &holder->revoked);
		WRITE_ONCE(holder->revoked_lost,
			   holder->revoked_lost + !!error);
		/* In place of the grant, until it is read. */
		sluice_charge_over(holder->user, SLUICE_RES_LOCKS, 1);
	}
	sluice_holder_tell(holder, SLUICE_NEWS_REVOKED);
	grant_leave(grant, true, dirty);
}

void sluice_revoked_free(struct sluice_holder *holder,
			 struct sluice_revoked *revoked)
{
	list_del(&revoked->news);
	WRITE_ONCE(holder->revoked_lost,
		   holder->revoked_lost - !!revoked->error);
	kfree(revoked);
	sluice_uncharge(holder->user, SLUICE_RES_LOCKS, 1);
}

bool sluice_holder_lost(struct sluice_holder *holder,
			const struct sluice_lockspace *space,
			const struct sluice_key *key, u64 start, u64 last)
{
	struct sluice_revoked *revoked;
	struct sluice_domain *domain;
	bool lost = false;

	if (!READ_ONCE(holder->revoked_lost))
		return false;
	domain = sluice_domain_lock(holder->domain);
	list_for_each_entry(revoked, &holder->revoked, news) {
		cond_resched();
		if (!revoked->error)
			continue;
		lost = !space || (revoked->space == space->object.id &&
				  sluice_ranges_overlap(revoked->start,
							revoked->last, start,
							last) &&
				  sluice_key_same(&revoked->key, key));
		if (lost)
			break;
	}
	sluice_domain_unlock(domain);
	return lost;
}

/* Truncating a deleted file, say: this may take as long as a file system likes. */
static void holder_catch_up(struct sluice_holder *holder)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct sluice_later *later = holder->later;

	holder->later = NULL;
	sluice_domain_unlock(domain);
	sluice_domain_catch_up(later);
}

/* What leases have ended with, the kernel's own locks end with. */
static void holder_follow(struct sluice_deferred *deferred)
{
	struct sluice_holder *holder =
		container_of(deferred, struct sluice_holder, follow);

	mutex_lock(&holder->backing_lock);
	sluice_backing_sync_all(holder);
	mutex_unlock(&holder->backing_lock);
	holder_catch_up(holder);
}

/* For @follow. Return: whether there is anything. */
static bool holder_put_off(struct sluice_holder *holder)
{
	struct sluice_domain *domain = sluice_domain_root(holder->domain);
	struct sluice_later *later = sluice_domain_take_later(domain), *next;

	for (; later; later = next) {
		next = later->next;
		later->next = holder->later;
		holder->later = later;
	}
	return holder->later;
}

static bool holder_ring(struct sluice_alarm *alarm)
{
	struct sluice_holder *holder =
		container_of(alarm, struct sluice_holder, alarm);
	struct sluice_request *request = &holder->request;
	u64 now = ktime_get_ns();
	struct sluice_grant *grant;
	LIST_HEAD(dirty);
	u32 n = 0;

	sluice_domain_assert(holder->domain);
	if (sluice_request_waits(request) &&
	    request->flags & SLUICE_LOCK_ASYNC) {
		if (request->deadline <= (s64)now)
			sluice_request_fail(request, -ETIMEDOUT, &dirty);
		else if (request->deadline != SLUICE_NO_DEADLINE)
			sluice_alarm_set(alarm, request->deadline);
	}
	while ((grant = sluice_grant_leased(holder)) && grant->expires <= now &&
	       n < LEAVE_BATCH) {
		sluice_holder_revoke(holder, grant, 0, &dirty);
		n++;
	}
	if (grant && n < LEAVE_BATCH)
		sluice_alarm_set(alarm, grant->expires);
	sluice_request_pass(&dirty);
	sluice_deadlock_resolve(request);
	/* A backing that goes with a grant was there before it. */
	if (holder_put_off(holder) || !list_empty_careful(&holder->backings))
		sluice_defer(&holder->follow);
	return grant && n == LEAVE_BATCH;
}

/*
 * Coming and going.
 */
struct sluice_holder *sluice_holder_new(void)
{
	struct sluice_holder *holder;
	struct sluice_user *user;
	int ret;

	user = sluice_user_get(current_user_ns(), current_uid());
	if (IS_ERR(user))
		return ERR_CAST(user);
	ret = sluice_charge(user, SLUICE_RES_HOLDERS, 1);
	if (ret)
		goto put_user;
	ret = -ENOMEM;
	holder = kzalloc(sizeof(*holder), GFP_KERNEL_ACCOUNT);
	if (!holder)
		goto uncharge;
	holder->domain = sluice_domain_new();
	if (!holder->domain)
		goto free;
	kref_init(&holder->ref);
	holder->id = atomic64_inc_return(&holder_ids);
	holder->user = user;
	holder->tgid = get_pid(task_tgid(current));
	holder->tid = get_pid(task_pid(current));
	holder->uid = current_euid();
	get_task_comm(holder->comm, current);
	mutex_init(&holder->call);
	mutex_init(&holder->backing_lock);
	INIT_LIST_HEAD(&holder->backings);
	holder->held = RB_ROOT;
	INIT_LIST_HEAD(&holder->notices);
	INIT_LIST_HEAD(&holder->revoked);
	holder->leased = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&holder->parties);
	sluice_alarm_init(&holder->alarm, holder->domain, holder_ring);
	sluice_defer_init(&holder->follow, user, holder_follow);
	init_waitqueue_head(&holder->wait);
	sluice_registry_add(current->nsproxy->net_ns, &holder->entry,
			    SLUICE_REGISTRY_HOLDERS, holder->id, &holder->ref);
	return holder;
free:
	kfree(holder);
uncharge:
	sluice_uncharge(user, SLUICE_RES_HOLDERS, 1);
put_user:
	sluice_user_put(user);
	return ERR_PTR(ret);
}

/* Return: whether there is more. */
static bool holder_leave_some(struct sluice_holder *holder, bool died)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	struct rb_node *node;
	LIST_HEAD(dirty);
	u32 n = 0;

	while ((node = rb_first(&holder->held)) && n++ < LEAVE_BATCH)
		grant_leave(rb_entry(node, struct sluice_grant, held), died,
			    &dirty);
	sluice_request_pass(&dirty);
	sluice_deadlock_resolve(&holder->request);
	sluice_domain_unlock(domain);
	return node;
}

void sluice_holder_leave(struct sluice_holder *holder, bool died)
{
	sluice_words_gather(holder);
	while (holder_leave_some(holder, died))
		cond_resched();
	mutex_lock(&holder->backing_lock);
	sluice_backing_sync_all(holder);
	mutex_unlock(&holder->backing_lock);
}

static void holder_die(struct sluice_holder *holder)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);

	WRITE_ONCE(holder->dead, true);
	if (sluice_request_waits(request)) {
		sluice_request_fail(request, -EOWNERDEAD, &dirty);
		sluice_request_pass(&dirty);
	} else {
		/* What it had before is left below. */
		sluice_request_refuse(request, -EOWNERDEAD);
	}
	sluice_holder_tell(holder, SLUICE_NEWS_DEAD);
	sluice_domain_unlock(domain);
	sluice_holder_leave(holder, true);
}

static void holder_free(struct kref *ref)
{
	struct sluice_holder *holder =
		container_of(ref, struct sluice_holder, ref);
	struct sluice_revoked *revoked, *next;

	sluice_registry_remove(&holder->entry);
	list_for_each_entry_safe(revoked, next, &holder->revoked, news)
		sluice_revoked_free(holder, revoked);
	mutex_destroy(&holder->call);
	mutex_destroy(&holder->backing_lock);
	sluice_grant_forget(holder);
	sluice_resource_free(holder->spare_resource);
	put_pid(holder->tgid);
	put_pid(holder->tid);
	sluice_domain_put(holder->domain);
	sluice_uncharge(holder->user, SLUICE_RES_HOLDERS, 1);
	sluice_user_put(holder->user);
	kfree(holder);
}

struct sluice_holder *sluice_holder_get(struct sluice_holder *holder)
{
	kref_get(&holder->ref);
	return holder;
}

void sluice_holder_put(struct sluice_holder *holder)
{
	kref_put(&holder->ref, holder_free);
}

void sluice_holder_end(struct sluice_holder *holder)
{
	holder_die(holder);
	/* It has nothing any more that would set it. */
	sluice_alarm_cancel(&holder->alarm);
	sluice_defer_cancel(&holder->follow);
	holder_catch_up(holder);
	sluice_lock_forget(holder);
	sluice_holder_put(holder);
}

static int holder_flush(struct file *file, fl_owner_t id)
{
	struct sluice_holder *holder = file->private_data;

	/* The process is ending, and not just a thread with files of its own. */
	if (task_tgid(current) == holder->tgid &&
	    !atomic_read(&current->signal->live))
		holder_die(holder);
	return 0;
}

static int holder_release(struct inode *inode, struct file *file)
{
	sluice_holder_end(file->private_data);
	return 0;
}

static __poll_t holder_poll(struct file *file, poll_table *pt)
{
	struct sluice_holder *holder = file->private_data;
	__poll_t mask = 0;
	u32 news;

	poll_wait(file, &holder->wait, pt);
	news = READ_ONCE(holder->news);
	if (news & SLUICE_NEWS_DONE)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (news & (SLUICE_NEWS_NOTICE | SLUICE_NEWS_REVOKED))
		mask |= EPOLLPRI;
	if (news & SLUICE_NEWS_DEAD)
		mask |= EPOLLHUP | EPOLLERR;
	return mask;
}

static void holder_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sluice_holder *holder = file->private_data;

	seq_printf(m, "sluice-holder:\t%llu\n", holder->id);
	seq_printf(m, "sluice-held:\t%llu\n", READ_ONCE(holder->held_count));
	seq_printf(m, "sluice-waits:\t%u\n",
		   READ_ONCE(holder->request.state) == SLUICE_REQUEST_WAITING ||
		   READ_ONCE(holder->request.stranger));
}

static const struct sluice_ioctl holder_ioctls[] = {
	{ SLUICE_IOC_LOCK, sluice_lock_lock },
	{ SLUICE_IOC_UNLOCK, sluice_held_unlock, .silent = true },
	{ SLUICE_IOC_CANCEL, sluice_lock_cancel },
	{ SLUICE_IOC_EVENT, sluice_event_next },
	{ SLUICE_IOC_RENEW, sluice_held_renew, .silent = true },
	{ SLUICE_IOC_RECOVER, sluice_held_recover, .silent = true },
	{ SLUICE_IOC_VALUE, sluice_held_value },
	{ SLUICE_IOC_BLOCK, sluice_block_open },
	{ SLUICE_IOC_WORD, sluice_word_open },
};

static long holder_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return sluice_call_run(holder_ioctls, ARRAY_SIZE(holder_ioctls), file,
			       cmd, arg);
}

static const struct file_operations holder_fops = {
	.owner = THIS_MODULE,
	.flush = holder_flush,
	.release = holder_release,
	.poll = holder_poll,
	.unlocked_ioctl = holder_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = holder_show_fdinfo,
	.llseek = noop_llseek,
};

long sluice_holder_open(struct sluice_call *call)
{
	struct sluice_holder_new *new = &call->arg.holder;
	struct sluice_holder *holder;
	struct file *file;

	if (new->flags || new->resv)
		return -EINVAL;
	holder = sluice_holder_new();
	if (IS_ERR(holder))
		return PTR_ERR(holder);
	new->id = holder->id;
	file = anon_inode_getfile("[sluice-holder]", &holder_fops, holder,
				  O_RDWR);
	if (IS_ERR(file)) {
		sluice_holder_end(holder);
		return PTR_ERR(file);
	}
	return sluice_call_fd(call, file);
}
