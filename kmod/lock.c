// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locking: a request from the call to its end.
 *
 * The call copies its items in, finds what they name, gets the memory it may
 * need, and only then locks the domain: nothing there can sleep for long or
 * fail halfway. Then come the kernel's own locks, where they are asked for.
 * Results are copied out with no domain locked; a grant that the caller cannot
 * be told of is undone.
 *
 * Locks: holder->backing_lock; the domain's, see domain.c.
 */
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "backing.h"
#include "compat.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "item.h"
#include "lock.h"
#include "request.h"
#include "resource.h"

static int lock_prepare(struct sluice_wants *items, const struct sluice_lock *lock)
{
	u32 i;
	int ret = 0;

	if (!(lock->flags & SLUICE_LOCK_ANY) && !sluice_wants_apart(items, false))
		return -EINVAL;
	for (i = 0; i < items->count && !ret; i++)
		ret = sluice_want_prepare(&items->wants[i]);
	return ret;
}

/* Sleep until the request waits no more. Return: 0, or why that is over. */
static int lock_sleep(struct sluice_holder *holder)
{
	struct sluice_request *request = &holder->request;
	ktime_t expires = request->deadline;
	ktime_t *timeout = request->deadline == SLUICE_NO_DEADLINE ? NULL :
								     &expires;
	DEFINE_WAIT(wait);
	int ret = 0;

	while (!ret) {
		/* Pairs with wake_up() after the state has changed. */
		prepare_to_wait(&holder->wait, &wait, TASK_INTERRUPTIBLE);
		if (READ_ONCE(request->state) != SLUICE_REQUEST_WAITING)
			break;
		if (signal_pending(current))
			ret = -ERESTARTSYS;
		else if (!schedule_hrtimeout_range(timeout,
						   current->timer_slack_ns,
						   HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	finish_wait(&holder->wait, &wait);
	return ret;
}

/* Be done with it. The domain's lock. */
static void lock_over(struct sluice_holder *holder, bool keep)
{
	struct sluice_request *request = &holder->request;

	sluice_request_finish(request, keep);
	request->wants = NULL;
	request->count = 0;
}

/* Tell the caller what was granted. */
static int lock_tell(struct sluice_call *call, const struct sluice_wants *items)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;
	struct sluice_lock __user *user = call->user;
	int ret;

	ret = sluice_wants_tell(request, items->user, items->count,
				items->stride);
	if (!ret && call->size >= offsetofend(struct sluice_lock, index))
		ret = put_user(request->index, &user->index);
	call->replied = !ret;
	return ret;
}

/*
 * The request waits no more. Mostly the caller can be told at once, and it is
 * over; but not if a page must be got for that, nor if the kernel's own locks
 * have to be had first. The domain's lock.
 */
static void lock_conclude(struct sluice_call *call,
			  const struct sluice_wants *items, int ret)
{
	bool told;

	if (!ret && items->backed)
		return;
	if (!ret) {
		pagefault_disable();
		told = !lock_tell(call, items);
		pagefault_enable();
		if (!told)
			return;
	}
	lock_over(call->file->private_data, !ret);
}

/* Who woke up looks what became of it; if nothing yet, then nothing will. */
static int lock_awake(struct sluice_call *call, const struct sluice_wants *items,
		      int ret)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);

	if (sluice_request_waits(request)) {
		sluice_request_fail(request, ret, &dirty);
		sluice_request_pass(&dirty);
	}
	ret = request->error;
	lock_conclude(call, items, ret);
	sluice_domain_unlock(domain);
	return ret;
}

static int lock_start(struct sluice_call *call, const struct sluice_wants *items,
		      const struct sluice_lock *lock)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	int ret = -EOWNERDEAD;

	request->wants = items->wants;
	request->count = items->count;
	request->flags = lock->flags;
	request->priority = lock->priority;
	request->deadline = lock->deadline;
	request->error = 0;
	/* From now on, through all rounds, CANCEL finds it. */
	WRITE_ONCE(request->stranger, items->backed);
	if (request->cancelled)
		ret = -ECANCELED;
	else if (!holder->dead)
		ret = sluice_request_start(request);
	if (ret != -EINPROGRESS)
		lock_conclude(call, items, ret);
	sluice_domain_unlock(domain);
	return ret;
}

/*
 * What is not fresh is the holder's like all that it has: leases end it, and
 * other threads let go of it, or weaken it. The lease of what is fresh nobody
 * looks at yet, and if it ends it the holder keeps what it had.
 */
static bool want_in_hand(const struct sluice_want *want)
{
	struct sluice_grant *grant = NULL;
	struct sluice_resource *resource;

	sluice_domain_assert(want->holder->domain);
	if (!want->backed || !want->granted)
		return true;
	if (want->grant)
		return !want->grant->expires ||
			want->grant->expires > ktime_get_ns();
	resource = sluice_resource_find(want->space, &want->key);
	if (resource)
		grant = sluice_grant_own(want->holder, resource, want->start,
					 want->last);
	return grant && grant->start <= want->start &&
		grant->last >= want->last && grant->mode == want->mode;
}

static bool request_in_hand(const struct sluice_request *request)
{
	u32 i;

	for (i = 0; i < request->count; i++)
		if (!want_in_hand(&request->wants[i]))
			return false;
	return true;
}

/* Return: 0, or why what was granted cannot be kept. */
static int lock_finish(struct sluice_holder *holder, int ret)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);

	if (!ret && request->state != SLUICE_REQUEST_GRANTED)
		ret = request->error;	/* the holder died */
	/*
	 * What was taken back while it waited for a stranger the kernel's lock
	 * has followed already, when there was nothing of it to let go yet.
	 */
	if (!ret && !request_in_hand(request))
		ret = -ESTALE;
	if (!ret && request->cancelled)
		ret = -ECANCELED;
	/* What is kept can be cancelled no more. */
	if (!ret)
		WRITE_ONCE(request->stranger, false);
	lock_over(holder, !ret);
	sluice_domain_unlock(domain);
	return ret;
}

/* Return: @ret, or -ECANCELED: who cancelled it was told that it is. */
static int request_clear_stranger(struct sluice_holder *holder, int ret)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);

	WRITE_ONCE(request->stranger, false);
	if (request->cancelled)
		ret = -ECANCELED;
	WRITE_ONCE(request->cancelled, false);
	sluice_domain_unlock(domain);
	return ret;
}

/*
 * The kernel's own locks, once ours are granted. Return: 0, or why not, and
 * @stuck is what could not be had.
 */
static int backings_try(struct sluice_holder *holder,
			const struct sluice_lock *lock,
			struct sluice_want **stuck)
{
	struct sluice_request *request = &holder->request;
	s64 deadline = lock->flags & SLUICE_LOCK_TRY ? SLUICE_NO_DEADLINE :
						       lock->deadline;
	int ret = 0;
	u32 i;

	for (i = 0; i < request->count && !ret; i++) {
		*stuck = &request->wants[i];
		if ((*stuck)->backed &&
		    (!sluice_request_any(request) || i == request->index))
			ret = sluice_backing_try(*stuck, deadline);
	}
	return ret;
}

/*
 * What is the only one waits for strangers with our grant in hand: those behind
 * it in our queue would have to wait for them, too. Where there are several,
 * all is given back first, so that nothing is held while waiting. Return: with
 * -EAGAIN, @stuck is what a stranger has.
 */
static int lock_backed(struct sluice_call *call, struct sluice_wants *items,
		       struct sluice_want **stuck)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	bool wait = items->count == 1 && !(lock->flags & SLUICE_LOCK_TRY);
	u32 round = 0;
	int ret = backings_try(holder, lock, stuck);

	while (ret == -EAGAIN && wait) {
		sluice_wants_settle(holder, items, true);
		ret = sluice_backing_wait(holder, *stuck, lock->deadline,
					  round++);
		if (!ret)
			ret = backings_try(holder, lock, stuck);
	}
	if (!ret)
		ret = lock_tell(call, items);
	ret = lock_finish(holder, ret);
	sluice_wants_settle(holder, items, !ret);
	return ret;
}

/* Return: whether it is granted, the caller told, and that is all. */
static bool lock_accept(struct sluice_call *call, const struct sluice_wants *items)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;

	if (items->backed || !sluice_request_acceptable(request) ||
	    lock_tell(call, items) || !sluice_request_accept(request))
		return false;
	request->wants = NULL;
	request->count = 0;
	return true;
}

static int lock_wait(struct sluice_call *call, const struct sluice_wants *items)
{
	int ret = lock_sleep(call->file->private_data);

	if (!ret && lock_accept(call, items))
		return 0;
	return lock_awake(call, items, ret);
}

/* Return: 0 if it is granted, -EINPROGRESS if somebody else sees to it. */
static int lock_grant(struct sluice_call *call, struct sluice_wants *items,
		      const struct sluice_lock *lock)
{
	int ret = lock_start(call, items, lock);

	if (ret == -EINPROGRESS && lock->flags & SLUICE_LOCK_ASYNC) {
		items->wants = NULL;
		items->count = 0;
		items->later = true;
		return ret;
	}
	if (ret == -EINPROGRESS)
		ret = lock_wait(call, items);
	return ret;
}

static int lock_plain(struct sluice_call *call, struct sluice_wants *items)
{
	struct sluice_holder *holder = call->file->private_data;
	int ret = lock_prepare(items, &call->arg.lock);

	if (ret)
		return ret;
	ret = lock_grant(call, items, &call->arg.lock);
	if (items->later)
		return ret;
	if (!ret && !call->replied)
		ret = lock_finish(holder, lock_tell(call, items));
	sluice_wants_follow(holder, items);
	return ret;
}

/* Wait a little for strangers, with nothing in hand. */
static int strangers_wait(struct sluice_holder *holder, struct sluice_wants *items,
			  s64 deadline, u32 round)
{
	u32 i;

	for (i = 0; i < items->count; i++)
		items->wants[i].strange = false;
	return sluice_backing_wait(holder, NULL, deadline, round);
}

/*
 * With the kernel's own locks. A choice is made again and again while strangers
 * have some of it, for a place in our queues would not tell when they let go.
 */
static int lock_rounds(struct sluice_call *call, struct sluice_wants *items)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	struct sluice_lock attempt = *lock;
	bool any = lock->flags & SLUICE_LOCK_ANY;
	struct sluice_want *stuck;
	u32 round = 0;
	int ret;

	if (any)
		attempt.flags |= SLUICE_LOCK_TRY;
	for (;;) {
		ret = lock_prepare(items, lock);
		if (ret)
			return ret;
		ret = lock_grant(call, items, &attempt);
		if (!ret) {
			ret = lock_backed(call, items, &stuck);
			if (ret == -EAGAIN && any) {
				stuck->strange = true;
				continue;
			}
		}
		if (ret != -EAGAIN || lock->flags & SLUICE_LOCK_TRY)
			return ret;
		ret = strangers_wait(holder, items, lock->deadline, round++);
		if (ret)
			return ret;
	}
}

static int lock_strange(struct sluice_call *call, struct sluice_wants *items)
{
	int ret = lock_rounds(call, items);

	return request_clear_stranger(call->file->private_data, ret);
}

static long lock_items(struct sluice_call *call, struct sluice_wants *items)
{
	u32 i;

	for (i = 0; i < items->count; i++)
		items->backed |= items->wants[i].backed;
	if (!items->backed)
		return lock_plain(call, items);
	if (call->arg.lock.flags & SLUICE_LOCK_ASYNC)
		return -EOPNOTSUPP;
	return lock_strange(call, items);
}

long sluice_lock_lock(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	struct sluice_wants items sluice_unset;
	long ret;

	if (lock->flags & ~(SLUICE_LOCK_ANY | SLUICE_LOCK_TRY |
			    SLUICE_LOCK_ASYNC) || lock->resv ||
	    abs((s64)lock->priority) > SLUICE_PRIORITY_MAX)
		return -EINVAL;
	if (atomic_cmpxchg(&holder->busy, 0, 1))
		return -EBUSY;
	ret = sluice_wants_get(&items, holder, lock->items, lock->count,
			       lock->entry_size,
			       lock->flags & SLUICE_LOCK_ASYNC ?
			       SLUICE_TO_LOCK_LATER : SLUICE_TO_LOCK);
	if (!ret) {
		ret = lock_items(call, &items);
		sluice_wants_free(&items);
	}
	if (items.later)
		return ret;
	atomic_set_release(&holder->busy, 0);
	/* A file system's word for something else: no event will come. */
	return ret == -EINPROGRESS ? -EIO : ret;
}

void sluice_lock_detach(struct sluice_holder *holder, struct sluice_wants *items)
{
	items->wants = holder->request.wants;
	items->count = holder->request.count;
	holder->request.wants = NULL;
	holder->request.count = 0;
}

void sluice_lock_forget(struct sluice_holder *holder)
{
	struct sluice_wants items sluice_unset;

	sluice_lock_detach(holder, &items);
	sluice_wants_free(&items);
}

long sluice_lock_cancel(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);
	long ret = -ENOENT;

	if (sluice_request_waits(request)) {
		sluice_request_fail(request, -ECANCELED, &dirty);
		sluice_request_pass(&dirty);
		ret = 0;
	} else if (request->stranger) {
		WRITE_ONCE(request->cancelled, true);
		ret = 0;
	}
	sluice_domain_unlock(domain);
	return ret;
}
