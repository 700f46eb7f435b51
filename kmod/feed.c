// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feeds: a queue's messages go into a stream socket, each whole.
 *
 * A feed is a subscriber whose process is the kernel: it claims a message when
 * the socket has room, writes it, and acknowledges it when the socket has taken
 * all of it. So however many write, die, or are killed, what is in the stream
 * is whole messages. A feed that ends in the middle of one shuts the socket
 * down: the stream may end early, but nothing follows half a message.
 *
 * The work of a feed looks at both sides and never waits. It is queued by
 * whoever wakes one of the two wait queues the feed is in, all the time it
 * lives. Neither wake-up is lost: the work looks after it has armed (a
 * subscriber's ->poll arms and then looks, F2 of doc/memory-model.md, a
 * socket's likewise), whoever changes something afterwards wakes, and work that
 * is queued while it runs, runs again.
 *
 * A feed holds a socket, and a unix socket's queue can hold a feed's descriptor:
 * a cycle that nobody could break, had the feed to live on there. It lives only
 * as long as the process that made it has it open: whoever holds other
 * references holds an ended feed.
 *
 * A socket can make whoever writes to it wait after all, for another who has it
 * locked and waits himself. So each feed has a queue of its own: as many works as
 * a shared one would let sleep, one user could put to sleep for all.
 *
 * Locks: feed->lock, outside channel->lock and the socket's.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fdtable.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "area.h"
#include "call.h"
#include "channel.h"
#include "feed.h"
#include "publisher.h"
#include "stream.h"
#include "subscriber.h"

/* How much one run of the work may write before others have their turn. */
#define FEED_TURN_BYTES		(1U << 20)
#define FEED_TURN_STEPS	1024U

/* How long to wait for memory, in milliseconds. */
#define FEED_MEMORY_WAIT	10U

/**
 * struct sluice_feed_side - where a feed is woken from
 * @pt: tells ->poll to call us
 * @entry: in the queue
 * @queue: that it gave us
 * @feed: to be woken
 * @several: it gave us more than one, of which we are in the first
 */
struct sluice_feed_side {
	poll_table pt;
	wait_queue_entry_t entry;
	wait_queue_head_t *queue;
	struct sluice_feed *feed;
	bool several;
};

/**
 * struct sluice_feed_message - the message on its way
 * @taken: from the queue; @taken.pub is NULL if there is none
 * @area: it lies in
 * @offset: there
 * @length: bytes
 * @prefix: its length as it goes before it
 * @prefix_length: bytes of that
 * @suffix_length: bytes of what goes behind it
 * @sent: of all together
 */
struct sluice_feed_message {
	struct sluice_taken taken;
	struct sluice_area *area;
	u64 offset;
	u64 length;
	__be32 prefix;
	u32 prefix_length;
	u32 suffix_length;
	u64 sent;
};

/**
 * struct sluice_feed - a feed
 * @lock: guards all below but what says otherwise
 * @queue: of @work alone
 * @work: does everything
 * @owner: descriptor table it was made in, compared only
 * @flags: SLUICE_FEED_*
 * @sub_file: the subscriber, while it has not ended
 * @sub: the same
 * @index: its place
 * @generation: likewise
 * @stream: the socket
 * @messages: woken when there may be one
 * @room: woken when there may be room
 * @message: on its way
 * @stopping: callers that want it to end behind this message; changed by who
 *	has @lock, or is killed
 * @draining: callers that want it to end when there is none; likewise
 * @unroomy: the socket took nothing though it said that it had room
 * @spent: the socket, when it has ended, to be let go of without @lock
 * @state: enum sluice_feed_state; of one that has ended, the release of
 *	feed_end() is what feed_over() acquires
 * @error: of one that failed, negative
 * @cut: it ended in the middle of a message
 * @sent_messages: in the socket, whole
 * @sent_bytes: likewise, with their prefixes
 * @sent_payload: likewise, without
 * @refused: messages that could not be sent
 * @wait: for its end
 */
struct sluice_feed {
	struct mutex lock;
	struct workqueue_struct *queue;
	struct delayed_work work;
	fl_owner_t owner;
	u32 flags;
	struct file *sub_file;
	struct sluice_subscriber *sub;
	u32 index;
	u64 generation;
	struct sluice_stream stream;
	struct sluice_feed_side messages;
	struct sluice_feed_side room;
	struct sluice_feed_message message;
	atomic_t stopping;
	atomic_t draining;
	bool unroomy;
	struct file *spent;
	u32 state;
	int error;
	bool cut;
	u64 sent_messages;
	u64 sent_bytes;
	u64 sent_payload;
	u64 refused;
	wait_queue_head_t wait;
};

/* Work that waits for memory is not hurried. */
static void feed_kick(struct sluice_feed *feed)
{
	queue_delayed_work(feed->queue, &feed->work, 0);
}

/*
 * Being woken.
 */
static int side_wake(wait_queue_entry_t *entry, unsigned int mode, int flags,
		     void *key)
{
	struct sluice_feed_side *side =
		container_of(entry, struct sluice_feed_side, entry);

	feed_kick(side->feed);
	return 0;
}

static void side_queue(struct file *file, wait_queue_head_t *queue,
		       poll_table *pt)
{
	struct sluice_feed_side *side =
		container_of(pt, struct sluice_feed_side, pt);

	if (side->queue) {
		side->several = true;
		return;
	}
	side->queue = queue;
	/*
	 * Not exclusive: who is woken for a message may not have room for it,
	 * and then the others must have been woken too.
	 */
	add_wait_queue(queue, &side->entry);
}

static void side_init(struct sluice_feed_side *side, struct sluice_feed *feed)
{
	side->feed = feed;
	init_poll_funcptr(&side->pt, side_queue);
	init_waitqueue_func_entry(&side->entry, side_wake);
}

static void side_leave(struct sluice_feed_side *side)
{
	if (side->queue)
		remove_wait_queue(side->queue, &side->entry);
	side->queue = NULL;
}

/*
 * Ending.
 */
static void message_end(struct sluice_feed *feed, enum sluice_settle how)
{
	sluice_subscriber_settle(feed->sub, &feed->message.taken, how);
	memset(&feed->message, 0, sizeof(feed->message));
}

static void feed_end(struct sluice_feed *feed, u32 state, int error)
{
	u32 reason = current->flags & PF_KTHREAD ? SLUICE_LEFT_CLOSED : 0;

	lockdep_assert_held(&feed->lock);
	if (feed->state > SLUICE_FEED_ACTIVE)
		return;
	side_leave(&feed->messages);
	side_leave(&feed->room);
	feed->cut = feed->message.sent;
	if (feed->message.taken.pub)
		message_end(feed, feed->cut ? SLUICE_SETTLE_MAYBE :
					      SLUICE_SETTLE_UNSEEN);
	feed->spent = sluice_stream_close(&feed->stream, feed->cut);
	if (feed->sub_file) {
		sluice_endpoint_leave(&feed->sub->ep, reason);
		fput(feed->sub_file);
	}
	feed->error = error;
	/* Pairs with feed_over(): who sees the state sees the error. */
	smp_store_release(&feed->state, state);
	wake_up_all(&feed->wait);
}

static void feed_unlock(struct sluice_feed *feed)
{
	struct file *spent = feed->spent;

	feed->spent = NULL;
	mutex_unlock(&feed->lock);
	if (spent)
		sluice_stream_put(spent);
}

/*
 * Sending.
 */

/* Return: whether the descriptor is one that can be. */
static bool message_find(struct sluice_feed_message *message)
{
	struct sluice_publisher *pub = message->taken.pub;
	u32 slots = pub->ep.channel->config.slots;
	const struct sluice_slot *slot =
		&pub->slots[message->taken.position & (slots - 1)];
	u32 segment = READ_ONCE(slot->segment), segments;

	message->offset = READ_ONCE(slot->offset);
	message->length = READ_ONCE(slot->length);
	if (READ_ONCE(slot->flags))
		return false;
	if (!message->length)
		return true;
	/* Pairs with the release in GROW: what it counts is there. */
	segments = smp_load_acquire(&pub->segment_count);
	if (segment >= segments)
		return false;
	segment = array_index_nospec(segment, segments);
	message->area = pub->segments[segment];
	return message->offset <= message->area->size &&
		message->length <= message->area->size - message->offset;
}

/* Return: whether it can be framed so. */
static bool message_frame(struct sluice_feed_message *message, u32 flags)
{
	if (flags & SLUICE_FEED_LINES)
		message->suffix_length = 1;
	if (!(flags & SLUICE_FEED_LENGTH))
		return true;
	message->prefix = cpu_to_be32(message->length);
	message->prefix_length = sizeof(message->prefix);
	return message->length <= U32_MAX;
}

static u64 message_size(const struct sluice_feed_message *message)
{
	return message->prefix_length + message->length +
		message->suffix_length;
}

/* Return: 1: there is one; 0: that was none, look again; -EAGAIN; an error. */
static int message_take(struct sluice_feed *feed)
{
	struct sluice_feed_message *message = &feed->message;
	int ret = sluice_subscriber_take(feed->sub, &message->taken);

	if (ret)
		return ret;
	if (!message_find(message)) {
		/*
		 * Unless the message was not its own any more, as with R2: the
		 * fields, then its place, which is lost before its claims are.
		 */
		smp_rmb();
		if (READ_ONCE(feed->sub->ep.state) != SLUICE_ACTIVE)
			return -ECONNABORTED;
		/* What the kernel itself has read is no rumour. */
		sluice_endpoint_leave(&message->taken.pub->ep,
				      SLUICE_LEFT_EVICTED);
	} else if (message_frame(message, feed->flags)) {
		return 1;
	}
	feed->refused++;
	message_end(feed, SLUICE_SETTLE_DONE);
	return 0;
}

static void message_sent(struct sluice_feed *feed)
{
	feed->sent_messages++;
	feed->sent_bytes += feed->message.sent;
	feed->sent_payload += feed->message.length;
	WRITE_ONCE(feed->sub->cursor->received, feed->sent_messages);
	WRITE_ONCE(feed->sub->cursor->bytes, feed->sent_payload);
	message_end(feed, SLUICE_SETTLE_DONE);
}

/* Return: bytes written, not 0; -EAGAIN; an error. */
static ssize_t message_send(struct sluice_feed *feed)
{
	struct sluice_feed_message *message = &feed->message;
	struct sluice_stream *stream = &feed->stream;
	u64 at = message->sent;

	if (at < message->prefix_length)
		return sluice_stream_write(stream, (u8 *)&message->prefix + at,
					   message->prefix_length - at,
					   message->length);
	at -= message->prefix_length;
	if (at < message->length)
		return sluice_stream_write_area(stream, message->area,
						message->offset + at,
						message->length - at,
						message->suffix_length);
	return sluice_stream_write(stream, "\n", 1, false);
}

/*
 * Room may have come before a socket armed, and then nobody is told. But where
 * sockets have no memory, a socket with room takes nothing either, and looking
 * again would never end.
 */
static int feed_look_again(struct sluice_feed *feed)
{
	if (!(sluice_stream_poll(&feed->stream, NULL) & EPOLLOUT))
		return -EAGAIN;
	if (feed->unroomy)
		return -ENOBUFS;
	feed->unroomy = true;
	return 1;
}

/* Return: 1: go on; -EAGAIN: when woken; an error. */
static int feed_send(struct sluice_feed *feed, u64 *bytes)
{
	struct sluice_feed_message *message = &feed->message;
	u64 size = message_size(message);
	ssize_t ret;

	if (message->sent < size) {
		ret = message_send(feed);
		if (ret == -EAGAIN)
			return feed_look_again(feed);
		if (ret < 0)
			return ret;
		feed->unroomy = false;
		message->sent += ret;
		*bytes += ret;
	}
	/* At once: whoever ends the feed now does not end it within a message. */
	if (message->sent < size)
		return 1;
	/* Whoever was evicted meanwhile may have sent what was being written. */
	if (READ_ONCE(feed->sub->ep.state) != SLUICE_ACTIVE)
		return -ECONNABORTED;
	message_sent(feed);
	return 1;
}

/* Nothing to be had: because that was all? Return as above, or 0: it ended. */
static int feed_idle(struct sluice_feed *feed)
{
	/* Arms, and looks. */
	__poll_t mask = vfs_poll(feed->sub_file, NULL);

	if (mask & EPOLLIN)
		return 1;
	if (mask & EPOLLHUP)
		feed_end(feed, SLUICE_FEED_FINISHED, 0);
	else if (atomic_read(&feed->draining))
		feed_end(feed, SLUICE_FEED_STOPPED, 0);
	else
		return -EAGAIN;
	return 0;
}

/* Between messages. */
static int feed_next(struct sluice_feed *feed)
{
	__poll_t mask = sluice_stream_poll(&feed->stream, NULL);
	int ret = sluice_stream_error(&feed->stream, mask);

	if (ret)
		return ret;
	if (atomic_read(&feed->stopping)) {
		feed_end(feed, SLUICE_FEED_STOPPED, 0);
		return 0;
	}
	/* What it cannot write now, another may. */
	if (!(mask & EPOLLOUT))
		return -EAGAIN;
	ret = message_take(feed);
	if (ret == -EAGAIN)
		return feed_idle(feed);
	return ret < 0 ? ret : 1;
}

static int feed_turn(struct sluice_feed *feed)
{
	u64 bytes = 0;
	u32 steps = 0;
	int ret = 1;

	while (ret > 0 && bytes < FEED_TURN_BYTES && steps < FEED_TURN_STEPS) {
		/* What it has claimed is another's now. */
		if (READ_ONCE(feed->sub->ep.state) != SLUICE_ACTIVE)
			return -ECONNABORTED;
		ret = feed->message.taken.pub ? feed_send(feed, &bytes) :
						feed_next(feed);
		steps++;
		cond_resched();
	}
	return ret;
}

static void feed_work(struct work_struct *work)
{
	struct sluice_feed *feed =
		container_of(to_delayed_work(work), struct sluice_feed, work);
	int ret = 0;

	mutex_lock(&feed->lock);
	if (feed->state == SLUICE_FEED_ACTIVE)
		ret = feed_turn(feed);
	if (ret > 0)
		feed_kick(feed);
	else if (ret == -ENOMEM || ret == -ENOBUFS)
		queue_delayed_work(feed->queue, &feed->work,
				   msecs_to_jiffies(FEED_MEMORY_WAIT));
	else if (ret && ret != -EAGAIN)
		feed_end(feed, SLUICE_FEED_FAILED, ret);
	feed_unlock(feed);
}

/*
 * Waiting for the end.
 */
static bool feed_over(const struct sluice_feed *feed)
{
	return smp_load_acquire(&feed->state) > SLUICE_FEED_ACTIVE;
}

/* Return: how it ended, or why it was not waited for any longer. */
static long feed_await(struct sluice_feed *feed, s64 deadline)
{
	ktime_t expires = deadline;
	ktime_t *timeout = deadline == SLUICE_NO_DEADLINE ? NULL : &expires;
	DEFINE_WAIT(wait);
	long ret = 0;

	while (!ret) {
		/* Pairs with wake_up_all() after the state has changed. */
		prepare_to_wait(&feed->wait, &wait, TASK_INTERRUPTIBLE);
		if (feed_over(feed))
			break;
		if (signal_pending(current))
			ret = -ERESTARTSYS;
		else if (!schedule_hrtimeout_range(timeout,
						   current->timer_slack_ns,
						   HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	finish_wait(&feed->wait, &wait);
	return feed_over(feed) ? READ_ONCE(feed->error) : ret;
}

static long feed_wait(struct sluice_call *call)
{
	struct sluice_wait *wait = &call->arg.wait;

	if (wait->flags || wait->resv || wait->room || wait->deadline < 0)
		return -EINVAL;
	return feed_await(call->file->private_data, wait->deadline);
}

/*
 * Under the lock the work looks whether somebody wants it to end: who is told
 * that it goes on can rely on that. But for who is killed, and told nothing.
 */
static long feed_stop_end(struct sluice_feed *feed, atomic_t *callers, long ret)
{
	int killed = mutex_lock_killable(&feed->lock);

	atomic_dec(callers);
	if (feed_over(feed))
		ret = feed->error;
	if (!killed)
		feed_unlock(feed);
	return ret;
}

static long feed_stop(struct sluice_call *call)
{
	struct sluice_feed_stop *stop = &call->arg.feed_stop;
	struct sluice_feed *feed = call->file->private_data;
	atomic_t *callers = stop->flags & SLUICE_FEED_DRAIN ?
		&feed->draining : &feed->stopping;
	long ret;

	if (stop->flags & ~SLUICE_FEED_DRAIN || stop->resv ||
	    stop->deadline < 0)
		return -EINVAL;
	ret = mutex_lock_interruptible(&feed->lock);
	if (ret)
		return ret;
	atomic_inc(callers);
	if (!feed->message.taken.pub && !(stop->flags & SLUICE_FEED_DRAIN))
		feed_end(feed, SLUICE_FEED_STOPPED, 0);
	feed_unlock(feed);
	feed_kick(feed);
	ret = feed_await(feed, stop->deadline);
	return feed_stop_end(feed, callers, ret);
}

/*
 * Telling.
 */
static long feed_stat(struct sluice_call *call)
{
	struct sluice_feed_stat *stat = &call->arg.feed_stat;
	struct sluice_feed *feed = call->file->private_data;
	int ret = mutex_lock_interruptible(&feed->lock);

	if (ret)
		return ret;
	*stat = (struct sluice_feed_stat) {
		.state = feed->state,
		.error = -feed->error,
		.flags = feed->flags | (feed->cut ? SLUICE_FEED_CUT : 0),
		.index = feed->index,
		.generation = feed->generation,
		.messages = feed->sent_messages,
		.bytes = feed->sent_bytes,
		.refused = feed->refused,
		.length = message_size(&feed->message),
		.sent = feed->message.sent,
	};
	mutex_unlock(&feed->lock);
	return 0;
}

static __poll_t feed_poll(struct file *file, poll_table *pt)
{
	struct sluice_feed *feed = file->private_data;

	poll_wait(file, &feed->wait, pt);
	if (!feed_over(feed))
		return 0;
	return EPOLLIN | EPOLLRDNORM | EPOLLHUP |
		(READ_ONCE(feed->error) ? EPOLLERR : 0);
}

static void feed_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sluice_feed *feed = file->private_data;

	seq_printf(m, "sluice-index:\t%u\n", feed->index);
	seq_printf(m, "sluice-generation:\t%llu\n", feed->generation);
	seq_printf(m, "sluice-state:\t%u\n", READ_ONCE(feed->state));
}

/*
 * The file.
 */
static int feed_flush(struct file *file, fl_owner_t id)
{
	struct sluice_feed *feed = file->private_data;

	if (id != feed->owner)
		return 0;
	mutex_lock(&feed->lock);
	feed_end(feed, SLUICE_FEED_STOPPED, 0);
	feed_unlock(feed);
	return 0;
}

static void feed_free(struct sluice_feed *feed)
{
	mutex_lock(&feed->lock);
	feed_end(feed, SLUICE_FEED_STOPPED, 0);
	feed_unlock(feed);
	cancel_delayed_work_sync(&feed->work);
	destroy_workqueue(feed->queue);
	mutex_destroy(&feed->lock);
	kfree(feed);
}

static int feed_release(struct inode *inode, struct file *file)
{
	feed_free(file->private_data);
	return 0;
}

static const struct sluice_ioctl feed_ioctls[] = {
	{ SLUICE_IOC_WAIT, feed_wait, .silent = true },
	{ SLUICE_IOC_FEED_STAT, feed_stat },
	{ SLUICE_IOC_FEED_STOP, feed_stop, .silent = true },
};

static long feed_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return sluice_call_run(feed_ioctls, ARRAY_SIZE(feed_ioctls), file, cmd,
			       arg);
}

static const struct file_operations feed_fops = {
	.owner = THIS_MODULE,
	.flush = feed_flush,
	.release = feed_release,
	.poll = feed_poll,
	.unlocked_ioctl = feed_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = feed_show_fdinfo,
	.llseek = noop_llseek,
};

bool sluice_is_feed(struct file *file)
{
	return file->f_op == &feed_fops;
}

/*
 * Making one.
 */
static int feed_subscribe(struct sluice_feed *feed,
			  struct sluice_channel *channel,
			  const struct sluice_feed_open *open)
{
	u32 flags = open->flags & SLUICE_FEED_STAY ? SLUICE_JOIN_STAY : 0;
	struct file *file;

	file = sluice_subscriber_file(channel, flags, open->policy);
	if (IS_ERR(file))
		return PTR_ERR(file);
	feed->sub_file = file;
	feed->sub = sluice_subscriber(file->private_data);
	feed->index = feed->sub->ep.index;
	feed->generation = feed->sub->ep.generation;
	vfs_poll(file, &feed->messages.pt);
	sluice_stream_poll(&feed->stream, &feed->room.pt);
	/* Sockets that socket_check() lets pass have one. */
	return feed->room.several ? -EPROTONOSUPPORT : 0;
}

static struct sluice_feed *feed_new(struct sluice_channel *channel,
				    const struct sluice_feed_open *open)
{
	struct sluice_feed *feed;
	int ret;

	feed = kzalloc(sizeof(*feed), GFP_KERNEL_ACCOUNT);
	if (!feed)
		return ERR_PTR(-ENOMEM);
	/* Ordered: others keep something for each CPU. */
	feed->queue = alloc_ordered_workqueue("sluice-feed", 0);
	if (!feed->queue) {
		kfree(feed);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&feed->lock);
	INIT_DELAYED_WORK(&feed->work, feed_work);
	init_waitqueue_head(&feed->wait);
	side_init(&feed->messages, feed);
	side_init(&feed->room, feed);
	feed->owner = current->files;
	feed->flags = open->flags;
	ret = sluice_stream_open(&feed->stream, open->socket);
	if (!ret)
		ret = feed_subscribe(feed, channel, open);
	if (ret) {
		feed_free(feed);
		return ERR_PTR(ret);
	}
	return feed;
}

/* Not before the caller has it, whom it might fail to reach. */
static void feed_begin(struct sluice_feed *feed)
{
	mutex_lock(&feed->lock);
	if (!feed->state)
		feed->state = SLUICE_FEED_ACTIVE;
	mutex_unlock(&feed->lock);
	feed_kick(feed);
}

long sluice_feed_open(struct sluice_call *call, struct sluice_channel *channel)
{
	const u32 framing = SLUICE_FEED_LENGTH | SLUICE_FEED_LINES;
	struct sluice_feed_open *open = &call->arg.feed;
	struct sluice_feed *feed;
	struct file *file;
	long fd;

	if (open->flags & ~(SLUICE_FEED_STAY | framing) || open->resv ||
	    (open->flags & framing) == framing || !sluice_is_queue(channel))
		return -EINVAL;
	feed = feed_new(channel, open);
	if (IS_ERR(feed))
		return PTR_ERR(feed);
	open->index = feed->index;
	open->generation = feed->generation;
	file = anon_inode_getfile("[sluice-feed]", &feed_fops, feed, O_RDWR);
	if (IS_ERR(file)) {
		feed_free(feed);
		return PTR_ERR(file);
	}
	get_file(file);
	fd = sluice_call_fd(call, file);
	if (fd >= 0)
		feed_begin(feed);
	fput(file);
	return fd;
}
