// SPDX-License-Identifier: GPL-2.0-only
/*
 * What publishers and subscribers have in common: joining, leaving, sleeping,
 * and being told of. Their memory is in attach.c, their places in table.c.
 *
 * An endpoint is active from SLUICE_IOC_JOIN until it leaves, by release of its
 * file or the end of the mapping that binds it to a process. It stays in the
 * table for as long as others need its memory (a publisher's unread messages)
 * or itself must be told (an evicted subscriber), and is freed with the last
 * reference.
 *
 * Lock order: see channel.c.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "area.h"
#include "attach.h"
#include "endpoint.h"
#include "notify.h"
#include "publisher.h"
#include "quota.h"
#include "subscriber.h"
#include "table.h"
#include "trace.h"

static const struct file_operations endpoint_fops;

bool sluice_is_endpoint(struct file *file)
{
	return file->f_op == &endpoint_fops;
}

struct sluice_endpoint *sluice_endpoint_get(struct sluice_endpoint *ep)
{
	kref_get(&ep->ref);
	return ep;
}

static void endpoint_free(struct kref *ref)
{
	struct sluice_endpoint *ep =
		container_of(ref, struct sluice_endpoint, ref);

	if (ep->role == SLUICE_PUBLISHER)
		sluice_publisher_free(sluice_publisher(ep));
	else
		sluice_subscriber_free(sluice_subscriber(ep));
	sluice_area_disown(ep->area);
	sluice_area_put(ep->area);
	put_pid(ep->pid);
	kvfree(ep->peers);
	if (ep->user) {
		sluice_area_unkeep(ep->channel->area, &ep->keeper);
		sluice_uncharge(ep->user, SLUICE_RES_ENDPOINTS, 1);
		sluice_user_put(ep->user);
	}
	sluice_channel_put(ep->channel);
	kfree_rcu(ep, rcu);
}

void sluice_endpoint_put(struct sluice_endpoint *ep)
{
	if (ep)
		kref_put(&ep->ref, endpoint_free);
}

void sluice_endpoint_identify(struct sluice_endpoint *ep)
{
	put_pid(ep->pid);
	ep->pid = get_pid(task_tgid(current));
	ep->uid = current_euid();
	ep->gid = current_egid();
	get_task_comm(ep->comm, current);
}

int sluice_endpoint_init(struct sluice_endpoint *ep,
			 struct sluice_channel *channel, u32 role, u32 flags)
{
	u32 places = sluice_table_places(channel,
					    sluice_table_other(role));
	struct sluice_user *user;
	int ret;

	kref_init(&ep->ref);
	ep->channel = sluice_channel_get(channel);
	ep->role = role;
	ep->flags = flags;
	ep->joined = ktime_get_ns();
	sluice_endpoint_identify(ep);
	user = sluice_user_get(current_user_ns(), current_uid());
	if (IS_ERR(user))
		return PTR_ERR(user);
	ret = sluice_charge(user, SLUICE_RES_ENDPOINTS, 1);
	if (ret) {
		sluice_user_put(user);
		return ret;
	}
	ep->user = user;
	ep->keeper.user = sluice_user_hold(user);
	sluice_area_keep(channel->area, &ep->keeper);
	ep->peers = kvcalloc(places, sizeof(*ep->peers), GFP_KERNEL_ACCOUNT);
	return ep->peers ? 0 : -ENOMEM;
}

bool sluice_endpoint_alone(const struct sluice_endpoint *ep)
{
	const struct sluice_channel *channel = ep->channel;
	bool pub = ep->role == SLUICE_PUBLISHER;
	/* In this order: who sees that one has come, and none is there, saw it go. */
	u64 last = pub ? smp_load_acquire(&channel->last_subscriber) :
			 smp_load_acquire(&channel->last_publisher);
	/* And whoever sees that it went sees what it had done before. */
	u32 peers = pub ? smp_load_acquire(&channel->subscriber_count) :
			  smp_load_acquire(&channel->publisher_count);

	return !(ep->flags & SLUICE_JOIN_STAY) && !peers &&
		(ep->had_peer || last > ep->generation);
}

/*
 * Joining.
 */
static int place_find(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	int index = sluice_table_free(channel, ep->role);

	return index < 0 && ep->role == SLUICE_PUBLISHER ?
		sluice_publisher_make_place(channel) : index;
}

static int endpoint_enter_table(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	int index;

	mutex_lock(&channel->lock);
	index = place_find(ep);
	if (index < 0) {
		mutex_unlock(&channel->lock);
		return -EUSERS;
	}
	ep->index = index;
	ep->generation = ++channel->generation;
	ep->state = SLUICE_ACTIVE;
	if (ep->role == SLUICE_PUBLISHER) {
		ep->had_peer = channel->subscriber_count;
		WRITE_ONCE(channel->publisher_count, channel->publisher_count + 1);
		/* Release, with sluice_endpoint_alone(). */
		smp_store_release(&channel->last_publisher, ep->generation);
		sluice_table_entry(ep)->room = sluice_publisher(ep)->room;
		sluice_subscriber_place_taken(channel, index);
	} else {
		ep->had_peer = channel->publisher_count || channel->left_count;
		WRITE_ONCE(channel->subscriber_count, channel->subscriber_count + 1);
		smp_store_release(&channel->last_subscriber, ep->generation);
	}
	sluice_table_write(ep);
	sluice_table_set(channel, ep->role, index,
			       sluice_endpoint_get(ep));
	sluice_table_changed(channel);
	/* After F6: what a publisher who misses this change may reuse is before. */
	if (ep->role == SLUICE_SUBSCRIBER)
		sluice_subscriber_note_heads(sluice_subscriber(ep));
	trace_sluice_join(ep);
	sluice_notify_endpoint(ep, SLUICE_NL_EVENT_JOINED);
	mutex_unlock(&channel->lock);
	return 0;
}

struct file *sluice_endpoint_enter(struct sluice_endpoint *ep)
{
	const char *name = ep->role == SLUICE_PUBLISHER ?
		"[sluice-publisher]" : "[sluice-subscriber]";
	struct file *file;
	int ret;

	atomic_inc(&ep->channel->object.files);
	file = anon_inode_getfile(name, &endpoint_fops, ep, O_RDWR);
	if (IS_ERR(file)) {
		sluice_object_unuse(&ep->channel->object);
		sluice_endpoint_put(ep);
		return file;
	}
	ret = endpoint_enter_table(ep);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	return file;
}

/*
 * Leaving.
 */
static u32 leave_reason(void)
{
	if (current->flags & PF_KTHREAD)
		return SLUICE_LEFT_EXITED;
	if (!(current->flags & PF_EXITING))
		return SLUICE_LEFT_CLOSED;
	return current->signal->group_exit_code & 0x7f ? SLUICE_LEFT_KILLED :
							 SLUICE_LEFT_EXITED;
}

void sluice_endpoint_leave(struct sluice_endpoint *ep, u32 reason)
{
	struct sluice_channel *channel = ep->channel;

	mutex_lock(&channel->lock);
	if (ep->state == SLUICE_ACTIVE) {
		ep->reason = reason ?: leave_reason();
		trace_sluice_leave(ep);
		sluice_notify_endpoint(ep, SLUICE_NL_EVENT_LEFT);
		if (ep->role == SLUICE_PUBLISHER)
			sluice_publisher_left(sluice_publisher(ep));
		else
			sluice_subscriber_left(sluice_subscriber(ep));
		sluice_attach_drop_all(ep);
		sluice_table_changed(channel);
	}
	mutex_unlock(&channel->lock);
}

static int endpoint_release(struct inode *inode, struct file *file)
{
	struct sluice_endpoint *ep = file->private_data;
	struct sluice_channel *channel = ep->channel;

	if (ep->generation) {
		sluice_endpoint_leave(ep, 0);
		mutex_lock(&channel->lock);
		if (ep->state == SLUICE_EVICTED) {
			WRITE_ONCE(ep->state, SLUICE_FREE);
			sluice_table_vacate(ep);
			sluice_table_changed(channel);
		}
		mutex_unlock(&channel->lock);
	}
	/* In this order: it shall not even for a moment pay for the table. */
	sluice_endpoint_put(ep);
	sluice_object_unuse(&channel->object);
	return 0;
}

/*
 * Sleeping. The order is F2 of doc/memory-model.md: into the queue, arm, full
 * fence, look. schedule() comes only if the look found nothing, and whoever
 * makes @ready true after that finds the sleeper in the queue.
 */
static wait_queue_head_t *endpoint_queue(struct sluice_endpoint *ep)
{
	return ep->role == SLUICE_PUBLISHER ?
		&sluice_publisher(ep)->room_wait : &ep->channel->readers;
}

static bool sleep_over(struct sluice_endpoint *ep,
		       bool (*ready)(struct sluice_endpoint *ep, u64 arg),
		       u64 arg)
{
	bool over;

	rcu_read_lock();
	over = READ_ONCE(ep->state) != SLUICE_ACTIVE || ready(ep, arg);
	rcu_read_unlock();
	return over;
}

/* Return: whether it was woken since it was put into the queue last. */
static bool sleep_end(wait_queue_head_t *queue, wait_queue_entry_t *wait)
{
	bool woken;

	__set_current_state(TASK_RUNNING);
	spin_lock_irq(&queue->lock);
	woken = list_empty(&wait->entry);
	list_del_init(&wait->entry);
	spin_unlock_irq(&queue->lock);
	return woken;
}

static long endpoint_sleep(struct sluice_endpoint *ep, s64 deadline,
			   bool (*ready)(struct sluice_endpoint *ep, u64 arg),
			   u64 arg)
{
	atomic_t *armed = (atomic_t *)&ep->channel->table->armed;
	bool reader = ep->role == SLUICE_SUBSCRIBER;
	bool exclusive = reader && sluice_is_queue(ep->channel);
	wait_queue_head_t *queue = endpoint_queue(ep);
	ktime_t expires = deadline, *timeout = &expires;
	bool counted = false, over, woken;
	DEFINE_WAIT(wait);
	long ret = 0;

	if (deadline == SLUICE_NO_DEADLINE)
		timeout = NULL;
	for (;;) {
		if (exclusive)
			prepare_to_wait_exclusive(queue, &wait,
						  TASK_INTERRUPTIBLE);
		else
			prepare_to_wait(queue, &wait, TASK_INTERRUPTIBLE);
		if (reader && !counted) {
			atomic_add(2, armed);
			counted = true;
		}
		smp_mb();	/* F2, pairs with a publisher's F1 */
		over = sleep_over(ep, ready, arg);
		/* First of all, for who is made to look again and again by others. */
		ret = signal_pending(current) ? -ERESTARTSYS : ret;
		if (over || ret)
			break;
		if (!schedule_hrtimeout_range(timeout, current->timer_slack_ns,
					      HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	woken = sleep_end(queue, &wait);
	if (counted)
		atomic_sub(2, armed);
	if (ret != -ERESTARTSYS && (over || sleep_over(ep, ready, arg)))
		ret = 0;
	/*
	 * It may have been woken for a message that it now leaves to others, or,
	 * after it had seen one, for the next.
	 */
	if (exclusive && (ret || (woken && over)))
		wake_up_interruptible(queue);
	return ret;
}

long sluice_endpoint_sleep(struct sluice_endpoint *ep, s64 deadline,
			   bool (*ready)(struct sluice_endpoint *ep, u64 arg),
			   u64 arg)
{
	u64 since = ktime_get_ns();
	long ret;

	trace_sluice_sleep(ep, deadline == SLUICE_NO_DEADLINE ?
			       -1 : deadline - (s64)since);
	WRITE_ONCE(ep->asleep, since);
	ret = endpoint_sleep(ep, deadline, ready, arg);
	WRITE_ONCE(ep->asleep, 0);
	if (trace_sluice_wake_enabled())
		trace_sluice_wake(ep, ktime_get_ns() - since, ret);
	return ret;
}

/*
 * Telling.
 */
void sluice_endpoint_tell(struct sluice_endpoint *ep, struct sluice_peer *peer)
{
	struct sluice_publisher *pub;
	struct sluice_subscriber *sub;

	lockdep_assert_held(&ep->channel->lock);
	memset(peer, 0, sizeof(*peer));
	peer->role = ep->role;
	peer->index = ep->index;
	peer->generation = ep->generation;
	peer->state = ep->state;
	peer->reason = ep->reason;
	peer->pid = pid_vnr(ep->pid);
	peer->uid = from_kuid_munged(current_user_ns(), ep->uid);
	peer->gid = from_kgid_munged(current_user_ns(), ep->gid);
	peer->joined = ep->joined;
	BUILD_BUG_ON(sizeof(peer->comm) != sizeof(ep->comm));
	memcpy(peer->comm, ep->comm, sizeof(peer->comm));
	if (ep->role == SLUICE_PUBLISHER) {
		pub = sluice_publisher(ep);
		peer->head = READ_ONCE(pub->lane->head);
		peer->pool = pub->pool;
		peer->fds = READ_ONCE(pub->fds->count);
	} else {
		sub = sluice_subscriber(ep);
		peer->policy = sub->policy;
		peer->head = READ_ONCE(sub->cursor->received);
		peer->lost = READ_ONCE(sub->cursor->lost);
		peer->held = READ_ONCE(sub->cursor->held);
		peer->lag = sluice_subscriber_lag(sub);
	}
}

static long endpoint_stat(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;

	return sluice_channel_stat(&ep->channel->object,
				   (union sluice_object_stat *)&call->arg);
}

static long endpoint_peer(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;

	return sluice_channel_peer(ep->channel, &call->arg.peer);
}

static const struct sluice_ioctl endpoint_ioctls[] = {
	{ SLUICE_IOC_STAT, endpoint_stat },
	{ SLUICE_IOC_PEER, endpoint_peer },
};

/* Sleeping and waking first: the others are rare. */
static long endpoint_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct sluice_endpoint *ep = file->private_data;
	long ret;

	ret = ep->role == SLUICE_PUBLISHER ?
		sluice_call_run(sluice_publisher_ioctls,
				sluice_publisher_ioctl_count, file, cmd, arg) :
		sluice_call_run(sluice_subscriber_ioctls,
				sluice_subscriber_ioctl_count, file, cmd, arg);
	if (ret == -ENOTTY)
		ret = sluice_call_run(sluice_attach_ioctls,
				      sluice_attach_ioctl_count, file, cmd,
				      arg);
	if (ret != -ENOTTY)
		return ret;
	return sluice_call_run(endpoint_ioctls, ARRAY_SIZE(endpoint_ioctls),
			       file, cmd, arg);
}

static __poll_t endpoint_poll(struct file *file, poll_table *pt)
{
	struct sluice_endpoint *ep = file->private_data;

	return ep->role == SLUICE_PUBLISHER ?
		sluice_publisher_poll(sluice_publisher(ep), file, pt) :
		sluice_subscriber_poll(sluice_subscriber(ep), file, pt);
}

static void endpoint_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sluice_endpoint *ep = file->private_data;

	seq_printf(m, "sluice-channel:\t%llu\n", ep->channel->object.id);
	seq_printf(m, "sluice-role:\t%s\n",
		   ep->role == SLUICE_PUBLISHER ? "publisher" : "subscriber");
	seq_printf(m, "sluice-index:\t%u\n", ep->index);
	seq_printf(m, "sluice-generation:\t%llu\n", ep->generation);
	seq_printf(m, "sluice-state:\t%u\n", READ_ONCE(ep->state));
}

static const struct file_operations endpoint_fops = {
	.owner = THIS_MODULE,
	.release = endpoint_release,
	.poll = endpoint_poll,
	.unlocked_ioctl = endpoint_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = sluice_attach_mmap,
	.show_fdinfo = endpoint_show_fdinfo,
	.llseek = noop_llseek,
};
