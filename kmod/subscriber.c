// SPDX-License-Identifier: GPL-2.0-only
/*
 * Subscribers: a cursor each, and in a queue the messages they have claimed.
 *
 * What a cursor says is read once and only ever harms its writer: where it
 * reads decides whether it is woken, what it acknowledges must carry the tag
 * of a claim that is its own.
 *
 * A queue's claims are made here, under claims_lock, by reading the slots of
 * each lane. Acknowledgements are stores to the subscriber's pins; they take
 * effect when the kernel next reads them: at its next claim, when a publisher
 * wants room, when it is woken about it, when the subscriber leaves. What it
 * had not acknowledged then is returned, to be claimed again by another.
 *
 * Lock order: see channel.c.
 */
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "area.h"
#include "attach.h"
#include "compat.h"
#include "notify.h"
#include "publisher.h"
#include "subscriber.h"
#include "table.h"
#include "trace.h"

/*
 * Joining.
 */
static int subscriber_cursor(struct sluice_subscriber *sub)
{
	struct sluice_config *config = &sub->ep.channel->config;
	struct sluice_area *area;

	area = sluice_area_new(sub->ep.user, sizeof(struct sluice_cursor) +
			       config->publishers *
			       sizeof(struct sluice_cursor_lane) +
			       config->held * sizeof(u64));
	if (IS_ERR(area))
		return PTR_ERR(area);
	sub->ep.area = area;
	sub->cursor = area->kaddr;
	sub->lanes = (void *)(sub->cursor + 1);
	sub->pins = (void *)(sub->lanes + config->publishers);
	return 0;
}

static int subscriber_books(struct sluice_subscriber *sub)
{
	struct sluice_config *config = &sub->ep.channel->config;

	size_t words = BITS_TO_LONGS(config->publishers);

	sub->due = kvcalloc(2 * words, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!sub->due)
		return -ENOMEM;
	sub->detached = sub->due + words;
	if (!sluice_is_queue(sub->ep.channel))
		return 0;
	sub->claimed = kvcalloc(config->held, sizeof(*sub->claimed),
				GFP_KERNEL_ACCOUNT);
	return sub->claimed ? 0 : -ENOMEM;
}

static struct sluice_subscriber *
subscriber_new(struct sluice_channel *channel, u32 flags, u32 policy)
{
	struct sluice_subscriber *sub;
	int ret;

	sub = kzalloc(sizeof(*sub), GFP_KERNEL_ACCOUNT);
	if (!sub)
		return ERR_PTR(-ENOMEM);
	sub->policy = policy;
	ret = sluice_endpoint_init(&sub->ep, channel, SLUICE_SUBSCRIBER, flags);
	if (!ret)
		ret = subscriber_cursor(sub);
	if (!ret)
		ret = subscriber_books(sub);
	if (ret) {
		sluice_endpoint_put(&sub->ep);
		return ERR_PTR(ret);
	}
	return sub;
}

void sluice_subscriber_free(struct sluice_subscriber *sub)
{
	kvfree(sub->due);
	kvfree(sub->claimed);
}

void sluice_subscriber_layout(const struct sluice_subscriber *sub,
			      struct sluice_cursor_layout *layout, u64 offset)
{
	BUILD_BUG_ON(sizeof(struct sluice_cursor) != 64);
	BUILD_BUG_ON(sizeof(struct sluice_cursor_lane) != 16);
	layout->offset = offset;
	layout->size = sub->ep.area->size;
	layout->lanes_offset = sizeof(struct sluice_cursor);
	layout->lanes = sub->ep.channel->config.publishers;
	layout->pins_offset = (void *)sub->pins - (void *)sub->cursor;
	layout->pins = sub->ep.channel->config.held;
}

struct file *sluice_subscriber_file(struct sluice_channel *channel, u32 flags,
				    u32 policy)
{
	struct sluice_subscriber *sub;

	policy = policy ?: channel->config.policy;
	if (policy > SLUICE_EVICT)
		return ERR_PTR(-EINVAL);
	/* Who may only read shall not stop those who may write. */
	if (policy == SLUICE_BLOCK && channel->config.policy != SLUICE_BLOCK)
		return ERR_PTR(-EPERM);
	sub = subscriber_new(channel, flags, policy);
	return IS_ERR(sub) ? ERR_CAST(sub) : sluice_endpoint_enter(&sub->ep);
}

long sluice_subscriber_join(struct sluice_call *call,
			    struct sluice_channel *channel)
{
	struct sluice_join *join = &call->arg.join;
	struct file *file;

	file = sluice_subscriber_file(channel, join->flags, join->policy);
	if (IS_ERR(file))
		return PTR_ERR(file);
	sluice_attach_join(file->private_data, join);
	return sluice_call_fd(call, file);
}

/*
 * What is there to read. A lane that the subscriber has not begun is readable
 * as soon as something was published there: it shall begin it. One that it has
 * read to its end is not, whatever is written there.
 */
static bool lane_is_over(const struct sluice_subscriber *sub,
			 const struct sluice_publisher *pub)
{
	u32 index = pub->ep.index;

	return test_bit(index, sub->detached) ||
		READ_ONCE(sub->lanes[index].generation) ==
		SLUICE_LANE_ENDED(pub->ep.generation);
}

static bool lane_readable(const struct sluice_subscriber *sub,
			  const struct sluice_publisher *pub)
{
	const struct sluice_cursor_lane *lane = &sub->lanes[pub->ep.index];
	/* A2, pairs with R4: otherwise the head may be of who was here before. */
	u64 generation = smp_load_acquire(&lane->generation);
	u64 position = READ_ONCE(lane->head);
	u32 slot = position & (sub->ep.channel->config.slots - 1);

	if (lane_is_over(sub, pub))
		return false;
	if (generation != pub->ep.generation)
		return sluice_publisher_has_any(pub);
	/* A1, pairs with R1. Overwritten is readable too: as a loss. */
	return smp_load_acquire(&pub->slots[slot].seq) >= SLUICE_SEQ(position);
}

static bool lane_claimable(const struct sluice_publisher *pub)
{
	const struct sluice_claims_lane *claims = &pub->claims;
	bool published;
	u64 next;

	if (READ_ONCE(claims->returned_count))
		return true;
	/* Without the lock: a claim that moved next meanwhile means look again. */
	do {
		next = READ_ONCE(claims->next);
		published = sluice_publisher_has(pub, next);
		smp_rmb();	/* pairs with claims_lock's release */
	} while (next != READ_ONCE(claims->next));
	/* By now others may have claimed and finished more: signed. */
	return published && (s64)(next - READ_ONCE(claims->done)) <
		(s64)claims->slots;
}

static bool subscriber_readable(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	bool queue = sluice_is_queue(channel);
	struct sluice_publisher *pub;
	u32 i;

	for (i = 0; i < channel->config.publishers; i++) {
		pub = rcu_dereference(channel->publishers[i]);
		if (pub && (queue ? lane_claimable(pub) :
				    lane_readable(sub, pub)))
			return true;
	}
	return false;
}

/*
 * Nobody is left of whom a message may come. In a queue what others have claimed
 * may come back.
 */
static bool subscriber_alone(const struct sluice_subscriber *sub)
{
	const struct sluice_channel *channel = sub->ep.channel;

	return sluice_endpoint_alone(&sub->ep) &&
		(!sluice_is_queue(channel) ||
		 READ_ONCE(channel->claimed_count) ==
		 READ_ONCE(sub->claimed_count));
}

/* Nobody is left, and nothing to read. */
static bool subscriber_over(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	bool over;

	if (!subscriber_alone(sub))
		return false;
	/* What is claimed, or given back, now is neither. */
	if (sluice_is_queue(channel))
		mutex_lock(&channel->claims_lock);
	/* In this order: who is gone has published before. */
	over = subscriber_alone(sub);
	rcu_read_lock();
	over = over && !subscriber_readable(sub);
	rcu_read_unlock();
	if (sluice_is_queue(channel))
		mutex_unlock(&channel->claims_lock);
	return over;
}

static bool subscriber_notices(struct sluice_subscriber *sub)
{
	return READ_ONCE(sub->cursor->member_seen) !=
		READ_ONCE(sub->ep.channel->seq);
}

static bool subscriber_ready(struct sluice_endpoint *ep, u64 unused)
{
	struct sluice_subscriber *sub = sluice_subscriber(ep);

	return subscriber_notices(sub) || subscriber_alone(sub) ||
		subscriber_readable(sub);
}

static long subscriber_state(struct sluice_subscriber *sub)
{
	switch (READ_ONCE(sub->ep.state)) {
	case SLUICE_ACTIVE:
		return 0;
	case SLUICE_EVICTED:
		return -ECONNABORTED;
	default:
		return -ESHUTDOWN;
	}
}

static long subscriber_wait(struct sluice_call *call)
{
	struct sluice_subscriber *sub =
		sluice_subscriber(call->file->private_data);
	struct sluice_wait *wait = &call->arg.wait;
	long ret;

	if (wait->flags || wait->resv || wait->room || wait->deadline < 0)
		return -EINVAL;
	ret = sluice_endpoint_sleep(&sub->ep, wait->deadline, subscriber_ready,
				    0);
	if (!ret && subscriber_over(sub) && !subscriber_notices(sub))
		ret = -EPIPE;
	return subscriber_state(sub) ?: ret;
}

/* It may have made room since publishers armed, and sleeps now. */
static void wake_armed(struct sluice_channel *channel)
{
	struct sluice_publisher *pub;
	u32 i;

	for (i = 0; i < channel->config.publishers; i++) {
		pub = rcu_dereference(channel->publishers[i]);
		if (pub && READ_ONCE(sluice_table_entry(&pub->ep)->armed))
			sluice_publisher_wake_room(pub);
	}
}

__poll_t sluice_subscriber_poll(struct sluice_subscriber *sub,
				struct file *file, poll_table *pt)
{
	struct sluice_channel *channel = sub->ep.channel;
	__poll_t mask = 0;
	bool alone;

	poll_wait(file, &channel->readers, pt);
	/* Who ends it after this look wakes it, and is seen by the next one. */
	if (subscriber_state(sub))
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP;
	atomic_or(1, (atomic_t *)&channel->table->armed);
	/* F2, pairs with a publisher's F1; and F4, with its F7. */
	smp_mb__after_atomic();
	if (subscriber_state(sub))
		return EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP;
	alone = subscriber_alone(sub);
	rcu_read_lock();
	if (subscriber_readable(sub))
		mask |= EPOLLIN | EPOLLRDNORM;
	else if (!sluice_is_queue(channel))
		wake_armed(channel);
	rcu_read_unlock();
	if (subscriber_notices(sub))
		mask |= EPOLLPRI;
	if (alone && (mask & EPOLLIN || subscriber_over(sub)))
		mask |= EPOLLHUP | EPOLLRDHUP;
	return mask;
}

void sluice_subscriber_wake(struct sluice_channel *channel, u32 count)
{
	/* A full fence, pairs with F2: who armed is in the queue. */
	bool polled = atomic_fetch_andnot(1, (atomic_t *)&channel->table->armed) & 1;

	/*
	 * Of a queue only so many need to look. But one bit stands for all
	 * who poll: those who are not woken now, being exclusive, would not be
	 * for the next message either.
	 * Without a key: io_uring's multishot poll would take a key for the
	 * answer and not call ->poll, which arms.
	 */
	__wake_up(&channel->readers, TASK_INTERRUPTIBLE,
		  sluice_is_queue(channel) && !polled ? max(count, 1U) : 0, NULL);
}

void sluice_subscriber_rouse(struct sluice_publisher *pub)
{
	if (lane_claimable(pub))
		wake_up_interruptible_all(&pub->ep.channel->readers);
}

static u64 lane_lag(const struct sluice_subscriber *sub,
		    const struct sluice_publisher *pub)
{
	const struct sluice_cursor_lane *lane = &sub->lanes[pub->ep.index];
	u64 head = READ_ONCE(pub->lane->head), read;

	if (lane_is_over(sub, pub))
		return 0;
	if (READ_ONCE(lane->generation) == pub->ep.generation) {
		read = READ_ONCE(lane->head);
		return head > read ? head - read : 0;
	}
	/* Not begun: it will begin here. */
	if (pub->ep.generation > sub->ep.generation)
		return head;
	return min_t(u64, head, sub->ep.channel->config.history);
}

u64 sluice_subscriber_lag(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_publisher *pub;
	u64 lag = 0;
	u32 i;

	lockdep_assert_held(&channel->lock);
	if (sluice_is_queue(channel))
		return 0;
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			lag += lane_lag(sub, pub);
	}
	return lag;
}

/* Whether it says that it holds a message: of that it may want descriptors. */
static bool lane_held(const struct sluice_subscriber *sub,
		      const struct sluice_publisher *pub)
{
	u32 pin;

	for (pin = 0; pin < sub->ep.channel->config.held; pin++)
		if (READ_ONCE(sub->pins[pin]) >> 48 == pub->ep.index + 1)
			return true;
	return false;
}

/*
 * A publisher that left is due to those who have not read it to its end, or
 * hold something of it.
 */
void sluice_subscriber_peer_left(struct sluice_subscriber *sub,
				 struct sluice_publisher *pub)
{
	u32 index = pub->ep.index;

	lockdep_assert_held(&sub->ep.channel->lock);
	if (sluice_is_queue(sub->ep.channel) ||
	    sub->ep.state != SLUICE_ACTIVE || test_bit(index, sub->detached))
		return;
	if (!lane_readable(sub, pub) && !lane_held(sub, pub))
		return;
	__set_bit(index, sub->due);
	pub->due++;
}

static bool due_done(struct sluice_subscriber *sub,
		     struct sluice_publisher *pub)
{
	lockdep_assert_held(&sub->ep.channel->lock);
	return __test_and_clear_bit(pub->ep.index, sub->due) &&
		sluice_publisher_due_done(pub);
}

void sluice_subscriber_detached(struct sluice_subscriber *sub,
				struct sluice_publisher *pub)
{
	lockdep_assert_held(&sub->ep.channel->lock);
	set_bit(pub->ep.index, sub->detached);
	if (due_done(sub, pub))
		sluice_table_changed(sub->ep.channel);
}

bool sluice_subscriber_is_due(const struct sluice_subscriber *sub,
			      const struct sluice_publisher *pub)
{
	lockdep_assert_held(&sub->ep.channel->lock);
	return test_bit(pub->ep.index, sub->due);
}

void sluice_subscriber_look_again(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	/* Descriptors of what is held can be taken until it is detached. */
	if (READ_ONCE(pub->fds->count))
		return;
	sluice_endpoint_get(&pub->ep);
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub && !lane_readable(sub, pub))
			due_done(sub, pub);
	}
	sluice_endpoint_put(&pub->ep);
}

void sluice_subscriber_forget(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub && __test_and_clear_bit(pub->ep.index, sub->due))
			pub->due--;
	}
}

void sluice_subscriber_note_heads(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			sub->lanes[i].head = READ_ONCE(pub->lane->head);
	}
}

void sluice_subscriber_place_taken(struct sluice_channel *channel, u32 index)
{
	struct sluice_subscriber *sub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub)
			clear_bit(index, sub->detached);
	}
}

/*
 * Claims.
 */
static void claimed_count(struct sluice_subscriber *sub, int change)
{
	struct sluice_channel *channel = sub->ep.channel;

	lockdep_assert_held(&channel->claims_lock);
	WRITE_ONCE(sub->claimed_count, sub->claimed_count + change);
	WRITE_ONCE(channel->claimed_count, channel->claimed_count + change);
}

static void claimed_end(struct sluice_subscriber *sub, u32 pin)
{
	struct sluice_claimed *claimed = &sub->claimed[pin];

	sluice_endpoint_put(&claimed->pub->ep);
	claimed->pub = NULL;
	claimed->tag = 0;
	claimed_count(sub, -1);
}

static void claimed_finish(struct sluice_subscriber *sub, u32 pin)
{
	struct sluice_claimed *claimed = &sub->claimed[pin];
	struct sluice_publisher *pub = claimed->pub;
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_endpoint *there = sluice_table_at(channel, SLUICE_PUBLISHER,
							pub->ep.index);

	/* The place of one who went on writing when it was done may be another's. */
	if (sluice_claims_finish(&pub->claims, claimed->position) &&
	    there == &pub->ep) {
		/* Pairs with the publisher's acquire before it reuses memory. */
		smp_store_release(&sluice_table_entry(&pub->ep)->done,
				  pub->claims.done);
		/* Of one that left it stays set, for who acknowledges: nobody waits. */
		if (READ_ONCE(pub->ep.state) == SLUICE_ACTIVE &&
		    READ_ONCE(sluice_table_entry(&pub->ep)->armed))
			sluice_publisher_wake_room(pub);
	}
	claimed_end(sub, pin);
}

/*
 * Then wakes those who have nothing to wait for but what others might return:
 * once, however much was finished. A last publisher that leaves after this has
 * looked takes the lock after this, sees what is claimed, and wakes all itself.
 * @before: how many were claimed
 */
static void claims_unlock(struct sluice_channel *channel, u32 before)
{
	bool fewer = channel->claimed_count < before;

	mutex_unlock(&channel->claims_lock);
	if (fewer && !READ_ONCE(channel->publisher_count))
		wake_up_interruptible_all(&channel->readers);
}

static void claimed_return(struct sluice_subscriber *sub, u32 pin, bool mark)
{
	struct sluice_claimed *claimed = &sub->claimed[pin];

	sluice_claims_return(&claimed->pub->claims, claimed->position, mark);
	claimed_end(sub, pin);
}

/* Return: how many were rejected, and can be claimed by others. */
static u32 reap_locked(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 pin, rejected = 0, left = sub->claimed_count;
	u64 tag, said;

	lockdep_assert_held(&channel->claims_lock);
	/* As a claim takes the first free pin, few claims are few pins. */
	for (pin = 0; left && pin < channel->config.held; pin++) {
		tag = sub->claimed[pin].tag;
		if (!tag)
			continue;
		left--;
		said = smp_load_acquire(&sub->pins[pin]);	/* R3 */
		if ((said & ~SLUICE_ACK_REJECT) != tag)
			continue;
		if (said == tag) {
			claimed_finish(sub, pin);
		} else {
			claimed_return(sub, pin, true);
			rejected++;
		}
	}
	return rejected;
}

static void reaped(struct sluice_channel *channel, u32 returned)
{
	if (returned)
		sluice_subscriber_wake(channel, returned);
	if (READ_ONCE(channel->left_count))
		sluice_publisher_sweep(channel);
}

static void subscriber_reap(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 before, rejected;

	mutex_lock(&channel->claims_lock);
	before = channel->claimed_count;
	rejected = reap_locked(sub);
	claims_unlock(channel, before);
	reaped(channel, rejected);
}

static u32 reap_all(struct sluice_channel *channel)
{
	struct sluice_subscriber *sub;
	u32 i, before, rejected = 0;

	mutex_lock(&channel->claims_lock);
	before = channel->claimed_count;
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub)
			rejected += reap_locked(sub);
		cond_resched();
	}
	claims_unlock(channel, before);
	return rejected;
}

void sluice_subscriber_reap_all(struct sluice_channel *channel)
{
	reaped(channel, reap_all(channel));
}

void sluice_subscriber_reap_acks(struct sluice_channel *channel)
{
	u32 rejected = reap_all(channel);

	lockdep_assert_held(&channel->lock);
	if (rejected)
		sluice_subscriber_wake(channel, rejected);
}

static bool has_claimed(const struct sluice_subscriber *sub,
			const struct sluice_publisher *pub, u64 position)
{
	u32 pin;

	for (pin = 0; pin < sub->ep.channel->config.held; pin++)
		if (sub->claimed[pin].tag && sub->claimed[pin].pub == pub &&
		    sub->claimed[pin].position == position)
			return true;
	return false;
}

struct sluice_subscriber *
sluice_subscriber_claimant(struct sluice_publisher *pub)
{
	struct sluice_channel *channel = pub->ep.channel;
	struct sluice_subscriber *sub, *found = NULL;
	u32 i;

	lockdep_assert_held(&channel->lock);
	mutex_lock(&channel->claims_lock);
	for (i = 0; i < channel->config.subscribers && !found; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub && has_claimed(sub, pub, pub->claims.done))
			found = sub;
	}
	mutex_unlock(&channel->claims_lock);
	return found;
}

static u32 free_pin(const struct sluice_subscriber *sub, u32 from)
{
	while (from < sub->ep.channel->config.held && sub->claimed[from].tag)
		from++;
	return from;
}

/* Claim what one lane has, up to @count. */
static u32 claim_lane(struct sluice_subscriber *sub,
		      struct sluice_publisher *pub, struct sluice_claim *out,
		      u32 count, u32 *pin)
{
	struct sluice_claims_lane *claims = &pub->claims;
	bool redelivered;
	u64 position;
	u32 n;

	for (n = 0; n < count; n++) {
		if (!sluice_claims_take(claims,
					sluice_publisher_has(pub, claims->next),
					&position, &redelivered))
			break;
		*pin = free_pin(sub, *pin);
		sub->claimed[*pin].pub = pub;
		sub->claimed[*pin].position = position;
		sub->claimed[*pin].tag = ++sub->last_tag;
		claimed_count(sub, 1);
		sluice_endpoint_get(&pub->ep);
		out[n] = (struct sluice_claim) {
			.lane = pub->ep.index,
			.pin = *pin,
			.generation = pub->ep.generation,
			.position = position,
			.tag = sub->last_tag,
			.flags = redelivered ? SLUICE_CLAIM_REDELIVERED : 0,
		};
	}
	return n;
}

/* Return: how many, -EAGAIN if there is nothing. */
static int claim_locked(struct sluice_subscriber *sub,
			struct sluice_claim *out, u32 count)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 i, place, places = channel->config.publishers, pin = 0, n = 0;
	struct sluice_publisher *pub;

	lockdep_assert_held(&channel->claims_lock);
	for (i = 0; i < places && n < count; i++) {
		place = (channel->claims_turn + i) % places;
		pub = sluice_deref(channel, channel->publishers[place]);
		if (pub)
			n += claim_lane(sub, pub, out + n, count - n, &pin);
	}
	channel->claims_turn = (channel->claims_turn + i) % places;
	return n ? n : -EAGAIN;
}

static long claim(struct sluice_subscriber *sub, struct sluice_claim *out,
		  u32 count)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 before, rejected;
	long ret;

	mutex_lock(&channel->claims_lock);
	before = channel->claimed_count;
	rejected = reap_locked(sub);
	count = min(count, channel->config.held - sub->claimed_count);
	if (!count)
		ret = -ENOBUFS;
	else
		ret = subscriber_state(sub) ?:
			claim_locked(sub, out, count);
	claims_unlock(channel, before);
	reaped(channel, rejected);
	return ret;
}

static void unclaim(struct sluice_subscriber *sub,
		    const struct sluice_claim *claims, u32 count)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 i;

	mutex_lock(&channel->claims_lock);
	for (i = 0; i < count; i++)
		if (sub->claimed[claims[i].pin].tag == claims[i].tag)
			claimed_return(sub, claims[i].pin, false);
	mutex_unlock(&channel->claims_lock);
	sluice_subscriber_wake(channel, count);
}

static int claims_reply(struct sluice_call *call,
			const struct sluice_claim *list, u32 stride)
{
	struct sluice_claims *claims = &call->arg.claims;
	u32 i;

	for (i = 0; i < claims->count; i++)
		if (sluice_call_entry(claims->claims, i, stride, &list[i],
				      sizeof(*list)))
			return -EFAULT;
	return sluice_call_reply(call);
}

static long subscriber_claim(struct sluice_call *call)
{
	struct sluice_subscriber *sub =
		sluice_subscriber(call->file->private_data);
	struct sluice_claims *claims = &call->arg.claims;
	u32 stride = sluice_call_stride(claims->entry_size,
					SLUICE_CLAIM_SIZE_1);
	struct sluice_claim *list;
	long ret;
	u32 count;

	BUILD_BUG_ON(sizeof(struct sluice_claim) < SLUICE_CLAIM_SIZE_1);
	if (!stride || !claims->count || !sluice_is_queue(sub->ep.channel))
		return -EINVAL;
	count = min(claims->count, sub->ep.channel->config.held);
	list = kvmalloc_array(count, sizeof(*list), GFP_KERNEL_ACCOUNT);
	if (!list)
		return -ENOMEM;
	ret = claim(sub, list, count);
	if (ret > 0) {
		claims->count = ret;
		ret = claims_reply(call, list, stride);
		if (ret)
			unclaim(sub, list, claims->count);
	}
	kvfree(list);
	return ret;
}

int sluice_subscriber_take(struct sluice_subscriber *sub,
			   struct sluice_taken *taken)
{
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_claim claim;
	long ret;

	mutex_lock(&channel->claims_lock);
	ret = subscriber_state(sub) ?: claim_locked(sub, &claim, 1);
	if (ret > 0) {
		*taken = (struct sluice_taken) {
			.pub = sub->claimed[claim.pin].pub,
			.position = claim.position,
			.tag = claim.tag,
			.pin = claim.pin,
		};
		sluice_endpoint_get(&taken->pub->ep);
	}
	mutex_unlock(&channel->claims_lock);
	return min(ret, 0L);
}

void sluice_subscriber_settle(struct sluice_subscriber *sub,
			      const struct sluice_taken *taken,
			      enum sluice_settle how)
{
	struct sluice_channel *channel = sub->ep.channel;
	bool back = how != SLUICE_SETTLE_DONE;
	u32 before;

	mutex_lock(&channel->claims_lock);
	before = channel->claimed_count;
	if (sub->claimed[taken->pin].tag != taken->tag)
		back = false;
	else if (back)
		claimed_return(sub, taken->pin, how == SLUICE_SETTLE_MAYBE);
	else
		claimed_finish(sub, taken->pin);
	claims_unlock(channel, before);
	reaped(channel, back);
	sluice_endpoint_put(&taken->pub->ep);
}

/*
 * Leaving.
 */
static void leave_claims(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	u32 pin;

	lockdep_assert_held(&channel->lock);
	mutex_lock(&channel->claims_lock);
	reap_locked(sub);
	for (pin = 0; sub->claimed_count && pin < channel->config.held; pin++)
		if (sub->claimed[pin].tag)
			claimed_return(sub, pin, true);
	mutex_unlock(&channel->claims_lock);
}

static void leave_due(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for_each_set_bit(i, sub->due, channel->config.publishers) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			due_done(sub, pub);
		cond_resched();
	}
}

void sluice_subscriber_left(struct sluice_subscriber *sub)
{
	struct sluice_channel *channel = sub->ep.channel;
	bool evicted = sub->ep.reason == SLUICE_LEFT_EVICTED;

	lockdep_assert_held(&channel->lock);
	if (evicted) {
		trace_sluice_evict(sub);
		sluice_notify_endpoint(&sub->ep, SLUICE_NL_EVENT_EVICTED);
	}
	WRITE_ONCE(channel->subscriber_count, channel->subscriber_count - 1);
	mutex_lock(&channel->claims_lock);
	WRITE_ONCE(sub->ep.state, evicted ? SLUICE_EVICTED : SLUICE_FREE);
	mutex_unlock(&channel->claims_lock);
	/* Before anybody can have, and free for reuse, what it claimed or read. */
	if (evicted)
		sluice_table_write(&sub->ep);
	if (sluice_is_queue(channel)) {
		leave_claims(sub);
		sluice_publisher_sweep_locked(channel);
	} else {
		leave_due(sub);
	}
	if (!evicted)
		sluice_table_vacate(&sub->ep);
}

static long subscriber_wake(struct sluice_call *call)
{
	struct sluice_subscriber *sub =
		sluice_subscriber(call->file->private_data);
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_publisher *pub;
	long ret = subscriber_state(sub);
	u32 index = call->arg.wake.index;

	if (index >= channel->config.publishers || call->arg.wake.count)
		return -EINVAL;
	index = sluice_table_index(channel, SLUICE_PUBLISHER, index);
	/* Eviction is no remedy if who is evicted goes on waking. */
	if (ret)
		return ret;
	trace_sluice_room_wake(&sub->ep, index);
	if (sluice_is_queue(channel))
		subscriber_reap(sub);
	rcu_read_lock();
	pub = rcu_dereference(channel->publishers[index]);
	if (pub)
		sluice_publisher_wake_room(pub);
	rcu_read_unlock();
	return 0;
}

static long subscriber_fd_take(struct sluice_call *call)
{
	struct sluice_subscriber *sub =
		sluice_subscriber(call->file->private_data);
	struct sluice_channel *channel = sub->ep.channel;
	struct sluice_fd_take *take = &call->arg.fd_take;
	struct sluice_endpoint *peer;
	struct file *file;
	long ret;

	if (take->resv)
		return -EINVAL;
	mutex_lock(&channel->lock);
	peer = sluice_attach_peer(&sub->ep, take->index, take->generation);
	if (peer)
		sluice_endpoint_get(peer);
	mutex_unlock(&channel->lock);
	if (!peer)
		return -ESTALE;
	file = sluice_fds_get(sluice_publisher(peer)->fds, take->token);
	sluice_endpoint_put(peer);
	if (!file)
		return -ENOENT;
	ret = sluice_call_reply(call);
	if (!ret)
		ret = sluice_receive_fd(file, O_CLOEXEC);
	fput(file);
	return ret;
}

const struct sluice_ioctl sluice_subscriber_ioctls[] = {
	{ SLUICE_IOC_WAIT, subscriber_wait, .silent = true },
	{ SLUICE_IOC_WAKE, subscriber_wake, .silent = true },
	{ SLUICE_IOC_CLAIM, subscriber_claim },
	{ SLUICE_IOC_FD_TAKE, subscriber_fd_take },
};

const size_t sluice_subscriber_ioctl_count =
	ARRAY_SIZE(sluice_subscriber_ioctls);
