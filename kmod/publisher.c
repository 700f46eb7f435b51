// SPDX-License-Identifier: GPL-2.0-only
/*
 * Publishers: a lane each, of a ring and a pool, that outlives its publisher
 * until nobody can still read it.
 *
 * A broadcast lane whose publisher left is *due* to every subscriber that has
 * not read it to its end; each is done when it detaches or leaves. With
 * history, it is then kept for late joiners until its place is wanted. A
 * queue's lane is kept until its last message is acknowledged.
 *
 * Waiting for room is an eventcount: only the publisher can tell whether there
 * is room for what it wants, so the kernel counts occasions to look again. See
 * doc/memory-model.md, "Sleeping: publishers". The entry's armed and room are
 * written under room_lock and only while the publisher is active: afterwards
 * the place may be another's.
 *
 * Lock order: see channel.c; grow_lock and fds_lock are outermost.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "area.h"
#include "attach.h"
#include "notify.h"
#include "publisher.h"
#include "quota.h"
#include "subscriber.h"
#include "table.h"
#include "trace.h"

/*
 * Joining.
 */
static int publisher_ring(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_area *area;

	area = sluice_area_new(pub->ep.user, sizeof(struct sluice_lane) +
			       channel->config.slots *
			       sizeof(struct sluice_slot));
	if (IS_ERR(area))
		return PTR_ERR(area);
	pub->ep.area = area;
	pub->lane = area->kaddr;
	pub->slots = (void *)(pub->lane + 1);
	if (sluice_is_queue(channel))
		return sluice_claims_lane_init(&pub->claims,
					       channel->config.slots);
	return 0;
}

static int publisher_pool(struct sluice_publisher *pub)
{
	struct sluice_area *area;

	area = sluice_area_new_shmem(pub->ep.user,
				     pub->ep.channel->config.pool);
	if (IS_ERR(area))
		return PTR_ERR(area);
	pub->segments[0] = area;
	pub->segment_count = 1;
	pub->pool = area->size;
	return 0;
}

static int publisher_fds(struct sluice_publisher *pub)
{
	pub->fds = sluice_fds_new(pub->ep.user);
	return pub->fds ? 0 : -ENOMEM;
}

static struct sluice_publisher *publisher_new(struct sluice_channel *channel,
					      u32 flags)
{
	struct sluice_publisher *pub;
	int ret;

	pub = kzalloc(sizeof(*pub), GFP_KERNEL_ACCOUNT);
	if (!pub)
		return ERR_PTR(-ENOMEM);
	mutex_init(&pub->grow_lock);
	mutex_init(&pub->fds_lock);
	spin_lock_init(&pub->room_lock);
	init_waitqueue_head(&pub->room_wait);
	pub->room = 1;
	pub->end = U64_MAX;
	ret = sluice_endpoint_init(&pub->ep, channel, SLUICE_PUBLISHER, flags);
	if (!ret)
		ret = publisher_fds(pub);
	if (!ret)
		ret = publisher_ring(pub);
	if (!ret)
		ret = publisher_pool(pub);
	if (ret) {
		sluice_endpoint_put(&pub->ep);
		return ERR_PTR(ret);
	}
	return pub;
}

void sluice_publisher_free(struct sluice_publisher *pub)
{
	u32 i;

	for (i = 0; i < pub->segment_count; i++) {
		sluice_area_disown(pub->segments[i]);
		sluice_area_put(pub->segments[i]);
	}
	sluice_fds_free(pub->fds, pub->ep.pid == task_tgid(current));
	sluice_claims_lane_free(&pub->claims);
	mutex_destroy(&pub->grow_lock);
	mutex_destroy(&pub->fds_lock);
}

void sluice_publisher_layout(const struct sluice_publisher *pub,
			     struct sluice_lane_layout *layout, u64 offset)
{
	BUILD_BUG_ON(sizeof(struct sluice_lane) != 128);
	BUILD_BUG_ON(sizeof(struct sluice_slot) != 64);
	layout->offset = offset;
	layout->size = pub->ep.area->size;
	layout->slots_offset = sizeof(struct sluice_lane);
	layout->slot_size = sizeof(struct sluice_slot);
	layout->slots = pub->ep.channel->config.slots;
	layout->segments = pub->segment_count;
}

struct file *sluice_publisher_file(struct sluice_channel *channel, u32 flags)
{
	struct sluice_publisher *pub = publisher_new(channel, flags);

	return IS_ERR(pub) ? ERR_CAST(pub) : sluice_endpoint_enter(&pub->ep);
}

long sluice_publisher_join(struct sluice_call *call,
			   struct sluice_channel *channel)
{
	struct sluice_join *join = &call->arg.join;
	struct file *file;

	if (join->policy)
		return -EINVAL;
	file = sluice_publisher_file(channel, join->flags);
	if (IS_ERR(file))
		return PTR_ERR(file);
	sluice_attach_join(file->private_data, join);
	return sluice_call_fd(call, file);
}

/*
 * Leaving.
 */

/* Puts the table's reference: of one that left, that may be the last. */
static void publisher_vacate(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;

	lockdep_assert_held(&channel->lock);
	WRITE_ONCE(channel->left_count, channel->left_count - 1);
	channel->past_messages += READ_ONCE(pub->lane->head);
	channel->past_payload += READ_ONCE(pub->lane->bytes);
	sluice_table_vacate(&pub->ep);
}

/*
 * Whoever left may have kept the ring mapped, and write it for ever. What was
 * published until now had room.
 */
static void queue_end(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;

	mutex_lock(&channel->claims_lock);
	WRITE_ONCE(pub->end, pub->claims.done + channel->config.slots);
	mutex_unlock(&channel->claims_lock);
}

/* Whether every message was claimed and acknowledged. Then there are no more. */
static bool queue_is_done(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	bool done;

	mutex_lock(&channel->claims_lock);
	done = sluice_claims_idle(&pub->claims) &&
		!sluice_publisher_has(pub, pub->claims.next);
	if (done)
		WRITE_ONCE(pub->end, pub->claims.next);
	mutex_unlock(&channel->claims_lock);
	return done;
}

static bool publisher_is_done(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;

	lockdep_assert_held(&channel->lock);
	if (sluice_is_queue(channel))
		return queue_is_done(pub);
	return !pub->due && (!channel->config.history ||
			     !sluice_publisher_has_any(pub));
}

void sluice_publisher_left(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	spin_lock(&pub->room_lock);
	WRITE_ONCE(pub->ep.state, SLUICE_LEFT);
	/* Of a queue, for good: whoever acknowledges its last message says so. */
	WRITE_ONCE(sluice_table_entry(&pub->ep)->armed, sluice_is_queue(channel));
	spin_unlock(&pub->room_lock);
	wake_up_interruptible_all(&pub->room_wait);
	WRITE_ONCE(channel->left_count, channel->left_count + 1);
	/* Release, with sluice_endpoint_alone(): all that it published is before. */
	smp_store_release(&channel->publisher_count,
			  channel->publisher_count - 1);
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub)
			sluice_subscriber_peer_left(sub, pub);
	}
	if (sluice_is_queue(channel)) {
		queue_end(pub);
		smp_mb();	/* F7, pairs with a subscriber's F4 */
		sluice_subscriber_reap_acks(channel);
	}
	if (publisher_is_done(pub))
		publisher_vacate(pub);
	else
		sluice_table_write(&pub->ep);
}

bool sluice_publisher_due_done(struct sluice_publisher *pub)
{
	lockdep_assert_held(&pub->ep.channel->lock);
	pub->due--;
	if (!publisher_is_done(pub))
		return false;
	publisher_vacate(pub);
	return true;
}

static bool is_due_to_nobody(const struct sluice_publisher *pub)
{
	return !pub->due;
}

/* Whoever has yet to read it is one who loses messages where room is short. */
static bool may_be_lost(const struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub;
	u32 i;

	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub && sub->policy == SLUICE_BLOCK &&
		    sluice_subscriber_is_due(sub, pub))
			return false;
	}
	return true;
}

/* Messages stay readable to whoever has mapped them, but files do not. */
static bool may_be_lost_unfiled(const struct sluice_publisher *pub)
{
	return !READ_ONCE(pub->fds->count) && may_be_lost(pub);
}

static struct sluice_publisher *
oldest_left(struct sluice_channel *channel,
	    bool (*test)(const struct sluice_publisher *pub))
{
	struct sluice_publisher *pub, *oldest = NULL;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub && pub->ep.state == SLUICE_LEFT && test(pub) &&
		    (!oldest || pub->ep.generation < oldest->ep.generation))
			oldest = pub;
	}
	return oldest;
}

/* Look once more who of those who left is still needed. */
static void refresh_left(struct sluice_channel *channel)
{
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	if (sluice_is_queue(channel)) {
		sluice_subscriber_reap_acks(channel);
		sluice_publisher_sweep_locked(channel);
		return;
	}
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (!pub || pub->ep.state != SLUICE_LEFT || !pub->due)
			continue;
		sluice_subscriber_look_again(pub);
		cond_resched();
	}
}

int sluice_publisher_make_place(struct sluice_channel *channel)
{
	struct sluice_publisher *pub;
	int index;

	lockdep_assert_held(&channel->lock);
	refresh_left(channel);
	index = sluice_table_free(channel, SLUICE_PUBLISHER);
	if (index >= 0 || sluice_is_queue(channel))
		return index;
	pub = oldest_left(channel, is_due_to_nobody) ?:
		oldest_left(channel, may_be_lost_unfiled) ?:
		oldest_left(channel, may_be_lost);
	if (!pub)
		return -1;
	index = pub->ep.index;
	sluice_subscriber_forget(pub);
	publisher_vacate(pub);
	return index;
}

static void sweep(struct sluice_channel *channel,
		  bool (*over)(struct sluice_publisher *pub))
{
	struct sluice_publisher *pub;
	bool changed = false;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (!pub || pub->ep.state != SLUICE_LEFT || !over(pub))
			continue;
		publisher_vacate(pub);
		changed = true;
	}
	if (changed)
		sluice_table_changed(channel);
}

void sluice_publisher_sweep_locked(struct sluice_channel *channel)
{
	sweep(channel, publisher_is_done);
}

void sluice_publisher_sweep(struct sluice_channel *channel)
{
	mutex_lock(&channel->lock);
	sweep(channel, publisher_is_done);
	mutex_unlock(&channel->lock);
}

static bool publisher_is_nobodys(struct sluice_publisher *pub)
{
	return true;
}

void sluice_publisher_abandon_all(struct sluice_channel *channel)
{
	mutex_lock(&channel->lock);
	sweep(channel, publisher_is_nobodys);
	mutex_unlock(&channel->lock);
}

/*
 * Messages and room.
 */
bool sluice_publisher_has_any(const struct sluice_publisher *pub)
{
	/* Not lane->head, which is stored later: it may have died in between. */
	return smp_load_acquire(&pub->slots[0].seq);
}

bool sluice_publisher_has(const struct sluice_publisher *pub, u64 position)
{
	u32 slot = position & (pub->ep.channel->config.slots - 1);

	/* A1, pairs with R1 */
	return smp_load_acquire(&pub->slots[slot].seq) == SLUICE_SEQ(position) &&
		position < READ_ONCE(pub->end);
}

void sluice_publisher_wake_room(struct sluice_publisher *pub)
{
	struct sluice_member *entry = sluice_table_entry(&pub->ep);

	spin_lock(&pub->room_lock);
	WRITE_ONCE(pub->room, pub->room + 1);
	if (pub->ep.state == SLUICE_ACTIVE) {
		WRITE_ONCE(entry->armed, 0);
		/* Pairs with the acquire of room before armed is looked at. */
		smp_store_release(&entry->room, pub->room);
	}
	spin_unlock(&pub->room_lock);
	smp_mb();	/* pairs with F2: who sees the old count is in the queue */
	wake_up_interruptible_all(&pub->room_wait);
}

static long publisher_state(struct sluice_publisher *pub)
{
	return READ_ONCE(pub->ep.state) == SLUICE_ACTIVE ? 0 : -ESHUTDOWN;
}

static long publisher_arm(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);

	if (publisher_state(pub))
		return -ESHUTDOWN;
	spin_lock(&pub->room_lock);
	if (pub->ep.state == SLUICE_ACTIVE)
		WRITE_ONCE(sluice_table_entry(&pub->ep)->armed, 1);
	spin_unlock(&pub->room_lock);
	smp_mb();	/* F7, pairs with a subscriber's F4 */
	if (sluice_is_queue(pub->ep.channel)) {
		sluice_subscriber_reap_all(pub->ep.channel);
		sluice_subscriber_rouse(pub);
	}
	return 0;
}

static bool room_differs(struct sluice_endpoint *ep, u64 room)
{
	return READ_ONCE(sluice_publisher(ep)->room) != room;
}

static long publisher_wait(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_wait *wait = &call->arg.wait;
	long ret;

	if (wait->flags || wait->resv || wait->deadline < 0)
		return -EINVAL;
	if (!room_differs(&pub->ep, wait->room))
		sluice_notify_lag(pub);
	ret = sluice_endpoint_sleep(&pub->ep, wait->deadline, room_differs,
				    wait->room);
	return publisher_state(pub) ?: ret;
}

static long publisher_wake(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);

	if (call->arg.wake.index)
		return -EINVAL;
	if (publisher_state(pub))
		return -ESHUTDOWN;
	trace_sluice_publish_wake(&pub->ep, call->arg.wake.count);
	sluice_subscriber_wake(pub->ep.channel, call->arg.wake.count);
	return 0;
}

__poll_t sluice_publisher_poll(struct sluice_publisher *pub, struct file *file,
			       poll_table *pt)
{
	struct sluice_channel *channel = pub->ep.channel;
	__poll_t mask = 0;

	poll_wait(file, &pub->room_wait, pt);
	smp_mb();	/* F2: in the queue before room is looked at */
	if (publisher_state(pub))
		return EPOLLERR | EPOLLHUP;
	if (READ_ONCE(pub->lane->room_seen) != READ_ONCE(pub->room))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (READ_ONCE(pub->lane->member_seen) != READ_ONCE(channel->seq))
		mask |= EPOLLPRI;
	if (sluice_endpoint_alone(&pub->ep))
		mask |= EPOLLHUP;
	return mask;
}

/*
 * The pool, laggards, file descriptors.
 */
static int grow_add(struct sluice_publisher *pub, struct sluice_area *area)
{
	struct sluice_channel *channel = pub->ep.channel;
	int ret;

	mutex_lock(&channel->lock);
	ret = publisher_state(pub);
	if (!ret) {
		pub->segments[pub->segment_count] = area;
		pub->pool += area->size;
		/* A reader looks at no segment beyond the count. */
		smp_store_release(&pub->segment_count, pub->segment_count + 1);
	}
	mutex_unlock(&channel->lock);
	return ret;
}

static long grow_locked(struct sluice_publisher *pub, struct sluice_call *call)
{
	u64 limit = pub->ep.channel->config.pool_limit;
	struct sluice_segment *segment = &call->arg.segment;
	struct sluice_area *area;
	long ret;

	lockdep_assert_held(&pub->grow_lock);
	if (pub->segment_count == SLUICE_SEGMENTS_MAX ||
	    segment->size > limit - pub->pool)
		return -ENOSPC;
	area = sluice_area_new_shmem(pub->ep.user, segment->size);
	if (IS_ERR(area))
		return PTR_ERR(area);
	segment->segment = pub->segment_count;
	segment->size = area->size;
	segment->index = pub->ep.index;
	segment->generation = pub->ep.generation;
	segment->offset = sluice_attach_segment_offset(&pub->ep,
							 segment->segment);
	ret = sluice_call_reply(call);
	if (!ret)
		ret = grow_add(pub, area);
	if (ret)
		sluice_area_put(area);
	return ret;
}

static long publisher_grow(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_segment *segment = &call->arg.segment;
	long ret;

	if (!segment->size || segment->segment || segment->offset)
		return -EINVAL;
	if (segment->size > pub->ep.channel->config.pool_limit)
		return -ENOSPC;
	segment->size = PAGE_ALIGN(segment->size);
	ret = mutex_lock_interruptible(&pub->grow_lock);
	if (ret)
		return ret;
	ret = publisher_state(pub) ?: grow_locked(pub, call);
	mutex_unlock(&pub->grow_lock);
	return ret;
}

static struct sluice_subscriber *
laggard_find(struct sluice_publisher *pub, const struct sluice_evict *evict)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub;
	u32 index;

	lockdep_assert_held(&channel->lock);
	if (evict->index == SLUICE_EVICT_CLAIMANT) {
		sub = sluice_subscriber_claimant(pub);
		if (!sub)
			return ERR_PTR(-ENOENT);
	} else {
		index = sluice_table_index(channel, SLUICE_SUBSCRIBER,
					   evict->index);
		sub = sluice_deref(channel, channel->subscribers[index]);
		if (!sub || sub->ep.generation != evict->generation)
			return ERR_PTR(-ESTALE);
	}
	if (sub->policy != SLUICE_EVICT)
		return ERR_PTR(-EPERM);
	sluice_endpoint_get(&sub->ep);
	return sub;
}

static long publisher_evict(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_evict *evict = &call->arg.evict;
	struct sluice_subscriber *sub;

	if (evict->resv)
		return -EINVAL;
	if (evict->index == SLUICE_EVICT_CLAIMANT) {
		if (!sluice_is_queue(channel) || evict->generation)
			return -EINVAL;
		sluice_subscriber_reap_all(channel);
	} else if (evict->index >= channel->config.subscribers) {
		return -EINVAL;
	}
	mutex_lock(&channel->lock);
	sub = publisher_state(pub) ? ERR_PTR(-ESHUTDOWN) :
				     laggard_find(pub, evict);
	mutex_unlock(&channel->lock);
	if (IS_ERR(sub))
		return PTR_ERR(sub);
	sluice_endpoint_leave(&sub->ep, SLUICE_LEFT_EVICTED);
	sluice_endpoint_put(&sub->ep);
	return 0;
}

static u32 drop_locked(struct sluice_publisher *pub, u32 count)
{
	u32 dropped = 0;

	lockdep_assert_held(&pub->ep.channel->claims_lock);
	while (dropped < count &&
	       sluice_claims_drop(&pub->claims,
				  sluice_publisher_has(pub, pub->claims.next)))
		dropped++;
	/* Pairs with the publisher's acquire of done before it reuses memory. */
	smp_store_release(&sluice_table_entry(&pub->ep)->done,
			  pub->claims.done);
	return dropped;
}

static long publisher_drop(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_drop *drop = &call->arg.drop;
	u32 count = min(drop->count, channel->config.slots);

	if (drop->resv || !sluice_is_queue(channel))
		return -EINVAL;
	if (channel->config.policy != SLUICE_DROP_OLDEST)
		return -EPERM;
	/* What is dropped stays dropped: see first that the caller can be told. */
	drop->count = 0;
	if (copy_to_user(call->user, drop, call->size))
		return -EFAULT;
	mutex_lock(&channel->lock);
	if (publisher_state(pub)) {
		mutex_unlock(&channel->lock);
		return -ESHUTDOWN;
	}
	mutex_lock(&channel->claims_lock);
	drop->count = drop_locked(pub, count);
	mutex_unlock(&channel->claims_lock);
	mutex_unlock(&channel->lock);
	sluice_notify_dropped(pub, drop->count);
	return 0;
}

static long publisher_fds_attach(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_fds *fds = &call->arg.fds;
	s32 list[SLUICE_FDS_MAX];
	long ret;

	if (!fds->count || fds->count > SLUICE_FDS_MAX || fds->resv ||
	    fds->token)
		return -EINVAL;
	if (copy_from_user(list, u64_to_user_ptr(fds->fds),
			   fds->count * sizeof(*list)))
		return -EFAULT;
	ret = mutex_lock_interruptible(&pub->fds_lock);
	if (ret)
		return ret;
	ret = publisher_state(pub) ?:
		sluice_fds_attach(pub->fds, list, fds->count, &fds->token);
	if (!ret && sluice_call_reply(call)) {
		sluice_fds_release(pub->fds, fds->token, fds->count);
		ret = -EFAULT;
	}
	mutex_unlock(&pub->fds_lock);
	return ret;
}

static long publisher_fds_release(struct sluice_call *call)
{
	struct sluice_publisher *pub =
		sluice_publisher(call->file->private_data);
	struct sluice_fds *fds = &call->arg.fds;
	long ret;

	if (!fds->count || fds->count > SLUICE_FDS_MAX || fds->resv ||
	    fds->fds || fds->token + fds->count < fds->token)
		return -EINVAL;
	ret = mutex_lock_interruptible(&pub->fds_lock);
	if (ret)
		return ret;
	if (!sluice_fds_release(pub->fds, fds->token, fds->count))
		ret = -ENOENT;
	mutex_unlock(&pub->fds_lock);
	return ret;
}

const struct sluice_ioctl sluice_publisher_ioctls[] = {
	{ SLUICE_IOC_WAIT, publisher_wait, .silent = true },
	{ SLUICE_IOC_WAKE, publisher_wake, .silent = true },
	{ SLUICE_IOC_ARM, publisher_arm },
	{ SLUICE_IOC_GROW, publisher_grow },
	{ SLUICE_IOC_EVICT, publisher_evict, .silent = true },
	{ SLUICE_IOC_DROP, publisher_drop },
	{ SLUICE_IOC_FDS_ATTACH, publisher_fds_attach },
	{ SLUICE_IOC_FDS_RELEASE, publisher_fds_release, .silent = true },
};

const size_t sluice_publisher_ioctl_count = ARRAY_SIZE(sluice_publisher_ioctls);
