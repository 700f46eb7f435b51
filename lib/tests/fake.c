// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the kernel does, in plain memory; see fake.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake.h"
#include "ring/atomic.h"

#define LOST_WAKE_UP	10	/* seconds */

static void *zalloc(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

	if (!memory)
		abort();
	return memset(memory, 0, size);
}

static struct sluice_member *publisher_entry(struct fake *fake, uint32_t index)
{
	return sl_member(&fake->members, SLUICE_PUBLISHER, index);
}

static void config_complete(struct sluice_config *config)
{
	if (!config->pattern)
		config->pattern = SLUICE_BROADCAST;
	if (!config->policy)
		config->policy = SLUICE_BLOCK;
	if (!config->slots)
		config->slots = 8;
	if (!config->publishers)
		config->publishers = FAKE_PLACES;
	if (!config->subscribers)
		config->subscribers = FAKE_PLACES;
	if (!config->held)
		config->held = 4;
	if (!config->pool)
		config->pool = 4096;
	if (!config->pool_limit)
		config->pool_limit = config->pool;
}

struct fake *fake_new(const struct sluice_config *config)
{
	struct fake *fake = zalloc(sizeof(*fake));
	struct sl_members_view *members = &fake->members;

	fake->config = *config;
	config_complete(&fake->config);
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->readers, NULL);
	members->member_size = sizeof(struct sluice_member);
	members->places[SLUICE_PUBLISHER] = fake->config.publishers;
	members->places[SLUICE_SUBSCRIBER] = fake->config.subscribers;
	members->offset[SLUICE_PUBLISHER] = sizeof(struct sluice_members);
	members->offset[SLUICE_SUBSCRIBER] = sizeof(struct sluice_members) +
		fake->config.publishers * sizeof(struct sluice_member);
	members->area.size = sizeof(struct sluice_members) +
		(fake->config.publishers + fake->config.subscribers) *
		sizeof(struct sluice_member);
	members->area.base = zalloc(members->area.size);
	return fake;
}

static void subscriber_free(struct fake_subscriber *subscriber)
{
	if (!subscriber)
		return;
	sl_reader_deinit(&subscriber->reader);
	free(subscriber->cursor.area.base);
	free(subscriber);
}

static void publisher_free(struct fake_publisher *publisher)
{
	if (!publisher)
		return;
	sl_writer_deinit(&publisher->writer);
	for (uint32_t i = 0; i < publisher->lane.segments; i++)
		free(publisher->lane.segment[i].base);
	free(publisher->lane.ring.base);
	free(publisher->finished);
	free(publisher->returned);
	pthread_cond_destroy(&publisher->room);
	free(publisher);
}

void fake_free(struct fake *fake)
{
	struct fake_subscriber *next;

	for (uint32_t i = 0; i < FAKE_PLACES; i++)
		subscriber_free(fake->subscribers[i]);
	for (; fake->dismissed; fake->dismissed = next) {
		next = fake->dismissed->next;
		subscriber_free(fake->dismissed);
	}
	for (uint32_t i = 0; i < FAKE_PLACES; i++)
		publisher_free(fake->publishers[i]);
	free(fake->members.area.base);
	pthread_cond_destroy(&fake->readers);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
}

/*
 * The member table.
 */
static void room_up(struct fake *fake, uint32_t index)
{
	struct sluice_member *entry = publisher_entry(fake, index);

	if (!fake->publishers[index])
		return;
	if (entry->state == SLUICE_ACTIVE)
		sl_store_relaxed(&entry->armed, 0);
	sl_store_release(&entry->room, entry->room + 1);
	sl_full_fence();
	pthread_cond_broadcast(&fake->publishers[index]->room);
}

static void changed(struct fake *fake)
{
	struct sluice_members *head = sl_members_head(&fake->members);

	sl_store_release(&head->seq, head->seq + 1);
	sl_full_fence();				/* F6 */
	pthread_cond_broadcast(&fake->readers);
	for (uint32_t i = 0; i < fake->config.publishers; i++)
		room_up(fake, i);
}

static void entry_write(struct fake *fake, enum sluice_role role,
			uint32_t index, uint64_t generation, uint32_t state,
			uint32_t reason, uint32_t policy)
{
	struct sluice_member *entry = sl_member(&fake->members, role, index);

	sl_store_relaxed(&entry->generation, 0);
	sl_full_fence();
	sl_store_relaxed(&entry->state, state);
	sl_store_relaxed(&entry->reason, reason);
	sl_store_relaxed(&entry->pid, (int32_t)generation + 1000);
	sl_store_relaxed(&entry->uid, (uint32_t)generation + 2000);
	sl_store_relaxed(&entry->gid, (uint32_t)generation + 3000);
	sl_store_relaxed(&entry->policy, policy);
	sl_store_release(&entry->generation, generation);
}

void fake_in_motion(struct fake *fake, enum sluice_role role, uint32_t index,
		    bool begin)
{
	struct sluice_member *entry = sl_member(&fake->members, role, index);
	static uint64_t generation;

	if (begin) {
		generation = entry->generation;
		sl_store_relaxed(&entry->generation, 0);
	} else {
		sl_store_release(&entry->generation, generation);
	}
}

static uint32_t place_find(struct fake *fake, enum sluice_role role)
{
	for (uint32_t i = 0; i < fake->members.places[role]; i++)
		if (sl_member(&fake->members, role, i)->state == SLUICE_FREE &&
		    !(role == SLUICE_PUBLISHER ?
		      (void *)fake->publishers[i] :
		      (void *)fake->subscribers[i]))
			return i;
	abort();
}

/*
 * Writer operations.
 */
static int w_attach(void *context, uint32_t index, uint64_t generation,
		    struct sl_cursor_view *view)
{
	struct fake_publisher *publisher = context;
	struct fake *fake = publisher->fake;
	struct fake_subscriber *subscriber;
	int err = -ESTALE;

	pthread_mutex_lock(&fake->lock);
	subscriber = fake->subscribers[index];
	if (subscriber && subscriber->no_attach) {
		err = subscriber->no_attach;
	} else if (subscriber && sl_member(&fake->members, SLUICE_SUBSCRIBER,
					   index)->generation == generation) {
		*view = subscriber->cursor;
		err = 0;
	}
	pthread_mutex_unlock(&fake->lock);
	return err;
}

static void w_unmap(void *context, struct sl_cursor_view *view)
{
	(void)context;
	memset(view, 0, sizeof(*view));
}

/* Queue: what the pins say. */
static void reap(struct fake *fake, struct fake_subscriber *subscriber);

static void reap_all(struct fake *fake)
{
	if (fake->config.pattern != SLUICE_QUEUE)
		return;
	for (uint32_t i = 0; i < fake->config.subscribers; i++)
		if (fake->subscribers[i])
			reap(fake, fake->subscribers[i]);
}

static int w_arm(void *context)
{
	struct fake_publisher *publisher = context;
	struct fake *fake = publisher->fake;
	struct sluice_member *entry =
		publisher_entry(fake, publisher->writer.index);
	int err = -ESHUTDOWN;

	pthread_mutex_lock(&fake->lock);
	fake->arms++;
	if (entry->generation == publisher->writer.generation &&
	    entry->state == SLUICE_ACTIVE) {
		sl_store_relaxed(&entry->armed, 1);
		sl_full_fence();			/* F7 */
		reap_all(fake);
		err = 0;
	}
	pthread_mutex_unlock(&fake->lock);
	return err;
}

static void w_wake(void *context, uint32_t count)
{
	struct fake *fake = ((struct fake_publisher *)context)->fake;

	(void)count;
	pthread_mutex_lock(&fake->lock);
	fake->wakes++;
	__atomic_and_fetch(&sl_members_head(&fake->members)->armed, ~1u,
			   __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&fake->readers);
	pthread_mutex_unlock(&fake->lock);
}

static int w_evict(void *context, uint32_t index, uint64_t generation)
{
	struct fake *fake = ((struct fake_publisher *)context)->fake;
	struct sluice_member *entry;

	if (index >= fake->config.subscribers)
		return -ENOENT;
	entry = sl_member(&fake->members, SLUICE_SUBSCRIBER, index);
	if (entry->generation != generation)
		return -ESTALE;
	if (entry->policy != SLUICE_EVICT)
		return -EPERM;
	pthread_mutex_lock(&fake->lock);
	fake->evictions++;
	entry_write(fake, SLUICE_SUBSCRIBER, index, generation, SLUICE_EVICTED,
		    SLUICE_LEFT_EVICTED, SLUICE_EVICT);
	changed(fake);
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static void done_advance(struct fake_publisher *publisher)
{
	struct sluice_member *entry =
		publisher_entry(publisher->fake, publisher->writer.index);
	uint64_t mask = publisher->lane.slots - 1, done = entry->done;

	while (done < publisher->next && publisher->finished[done & mask])
		publisher->finished[done++ & mask] = false;
	if (done == entry->done)
		return;
	sl_store_release(&entry->done, done);
	if (entry->armed)
		room_up(publisher->fake, publisher->writer.index);
}

static bool is_published(const struct fake_publisher *publisher, uint64_t position)
{
	return sl_load_acquire(&sl_slot(&publisher->lane, position)->seq) ==
		SLUICE_SEQ(position);
}

static bool claimable(struct fake_publisher *publisher, uint64_t *position,
		      bool *again)
{
	uint64_t mask = publisher->lane.slots - 1;
	uint64_t done = publisher_entry(publisher->fake,
					publisher->writer.index)->done;

	*again = true;
	for (*position = done; *position < publisher->next; ++*position)
		if (publisher->returned[*position & mask])
			return true;
	*again = false;
	return publisher->next - done <= mask &&
		is_published(publisher, publisher->next);
}

static int w_drop(void *context, uint32_t count)
{
	struct fake_publisher *publisher = context;
	uint64_t position, mask = publisher->lane.slots - 1;
	int dropped = 0;
	bool again;

	pthread_mutex_lock(&publisher->fake->lock);
	while (count-- && claimable(publisher, &position, &again) &&
	       position == publisher_entry(publisher->fake,
					   publisher->writer.index)->done) {
		publisher->returned[position & mask] = false;
		publisher->finished[position & mask] = true;
		publisher->next += !again;
		done_advance(publisher);
		dropped++;
	}
	pthread_mutex_unlock(&publisher->fake->lock);
	return dropped;
}

static int segment_add(struct fake_publisher *publisher, uint64_t size)
{
	struct sl_area area = { .base = zalloc(size), .size = size };

	pthread_mutex_lock(&publisher->fake->lock);
	publisher->lane.segment[publisher->lane.segments++] = area;
	pthread_mutex_unlock(&publisher->fake->lock);
	return sl_writer_add(&publisher->writer, &area);
}

static int w_grow(void *context, uint64_t bytes)
{
	struct fake_publisher *publisher = context;
	uint64_t left = publisher->left;
	int err = 0;

	publisher->left = 0;
	if (left)
		err = segment_add(publisher, left);
	if (err || publisher->no_segments)
		return err ? err : publisher->no_segments;
	bytes = (bytes + 4095) / 4096 * 4096;
	if (bytes > publisher->fake->config.pool_limit -
	    publisher->writer.pool.size)
		return -ENOSPC;
	return segment_add(publisher, bytes);
}

static int w_fds_attach(void *context, const int *fds, uint32_t count,
			uint64_t *token)
{
	struct fake_publisher *publisher = context;

	if (fds[0] < 0)
		return -EBADF;
	*token = publisher->token + 1;
	publisher->token += count;
	publisher->fds += count;
	return 0;
}

static void w_fds_release(void *context, uint64_t token, uint32_t count)
{
	struct fake_publisher *publisher = context;

	if (!token || token + count > publisher->token + 1)
		abort();
	publisher->fds -= count;
}

static const struct sl_writer_ops writer_ops = {
	.attach = w_attach,
	.unmap = w_unmap,
	.arm = w_arm,
	.wake = w_wake,
	.evict = w_evict,
	.drop = w_drop,
	.grow = w_grow,
	.fds_attach = w_fds_attach,
	.fds_release = w_fds_release,
};

/*
 * Reader operations.
 */
static int r_attach(void *context, uint32_t index, uint64_t generation,
		    struct sl_lane_view *view)
{
	struct fake_subscriber *subscriber = context;
	struct fake *fake = subscriber->fake;
	int err = -ESTALE;

	pthread_mutex_lock(&fake->lock);
	if (subscriber->no_attach) {
		err = subscriber->no_attach;
	} else if (fake->publishers[index] &&
		   publisher_entry(fake, index)->generation == generation) {
		*view = fake->publishers[index]->lane;
		view->segments = 0;
		err = 0;
	}
	pthread_mutex_unlock(&fake->lock);
	return err;
}

static int r_segment(void *context, uint32_t index, uint64_t generation,
		     struct sl_lane_view *view)
{
	struct fake_subscriber *subscriber = context;
	struct fake_publisher *publisher = subscriber->fake->publishers[index];
	int err = -EPROTO;

	if (!publisher || publisher->writer.generation != generation)
		return -ESTALE;
	if (publisher->mapping)
		publisher->mapping();
	pthread_mutex_lock(&subscriber->fake->lock);
	if (publisher->no_segments) {
		err = publisher->no_segments;
	} else if (view->segments < publisher->lane.segments) {
		view->segment[view->segments] =
			publisher->lane.segment[view->segments];
		view->segments++;
		err = 0;
	}
	pthread_mutex_unlock(&subscriber->fake->lock);
	return err;
}

static void r_unmap(void *context, struct sl_lane_view *view)
{
	(void)context;
	memset(view, 0, sizeof(*view));
}

static void r_detach(void *context, uint32_t index, uint64_t generation)
{
	struct fake_subscriber *subscriber = context;

	subscriber->detached[index] = generation;
	if (subscriber->detaching)
		subscriber->detaching();
}

static void r_wake(void *context, uint32_t index)
{
	struct fake_subscriber *subscriber = context;

	pthread_mutex_lock(&subscriber->fake->lock);
	subscriber->fake->room_wakes++;
	if (subscriber->fake->config.pattern == SLUICE_QUEUE)
		reap(subscriber->fake, subscriber);
	room_up(subscriber->fake, index);
	pthread_mutex_unlock(&subscriber->fake->lock);
}

static void reap(struct fake *fake, struct fake_subscriber *subscriber)
{
	for (uint32_t i = 0; i < subscriber->cursor.pins; i++) {
		struct fake_claim *claim = &subscriber->claims[i];
		uint64_t said = sl_load_acquire(sl_pin(&subscriber->cursor, i));
		struct fake_publisher *publisher;
		uint64_t mask;

		if (!claim->tag || (said & ~SLUICE_ACK_REJECT) != claim->tag)
			continue;
		publisher = fake->publishers[claim->lane];
		mask = publisher->lane.slots - 1;
		if (said & SLUICE_ACK_REJECT)
			publisher->returned[claim->position & mask] = true;
		else
			publisher->finished[claim->position & mask] = true;
		claim->tag = 0;
		done_advance(publisher);
	}
}

static void claim_make(struct fake_subscriber *subscriber, uint32_t lane,
		       uint32_t pin, uint64_t position, bool again,
		       struct sluice_claim *out)
{
	struct fake *fake = subscriber->fake;
	struct fake_publisher *publisher = fake->publishers[lane];

	if (again)
		publisher->returned[position & (publisher->lane.slots - 1)] =
			false;
	else
		publisher->next++;
	subscriber->claims[pin] = (struct fake_claim){
		.tag = ++fake->tag,
		.position = position,
		.lane = lane,
	};
	*out = (struct sluice_claim){
		.lane = lane,
		.pin = pin,
		.generation = publisher_entry(fake, lane)->generation,
		.position = position,
		.tag = fake->tag,
		.flags = again ? SLUICE_CLAIM_REDELIVERED : 0,
	};
}

static int r_claim(void *context, struct sluice_claim *claims, uint32_t count)
{
	struct fake_subscriber *subscriber = context;
	struct fake *fake = subscriber->fake;
	uint32_t n = 0, pin = 0, lane = 0;
	uint64_t position;
	bool again;

	pthread_mutex_lock(&fake->lock);
	reap(fake, subscriber);
	while (n < count && lane < fake->config.publishers) {
		while (pin < subscriber->cursor.pins &&
		       subscriber->claims[pin].tag)
			pin++;
		if (pin == subscriber->cursor.pins)
			break;
		if (fake->publishers[lane] &&
		    claimable(fake->publishers[lane], &position, &again))
			claim_make(subscriber, lane, pin, position, again,
				   &claims[n++]);
		else
			lane++;
	}
	pthread_mutex_unlock(&fake->lock);
	if (n)
		return n;
	return pin == subscriber->cursor.pins ? -ENOBUFS : -EAGAIN;
}

static const struct sl_reader_ops reader_ops = {
	.attach = r_attach,
	.segment = r_segment,
	.unmap = r_unmap,
	.detach = r_detach,
	.wake = r_wake,
	.claim = r_claim,
};

/*
 * Joining and leaving.
 */
static void lane_make(struct fake_publisher *publisher)
{
	struct sl_lane_view *lane = &publisher->lane;
	uint32_t slots = publisher->fake->config.slots;

	lane->slots = slots;
	lane->slot_size = sizeof(struct sluice_slot);
	lane->ring.size = sizeof(struct sluice_lane) + slots * lane->slot_size;
	lane->ring.base = zalloc(lane->ring.size);
	lane->slot = (char *)lane->ring.base + sizeof(struct sluice_lane);
	publisher->finished = zalloc(slots);
	publisher->returned = zalloc(slots);
	pthread_cond_init(&publisher->room, NULL);
}

struct fake_publisher *fake_publish(struct fake *fake)
{
	struct fake_publisher *publisher = zalloc(sizeof(*publisher));
	struct sluice_members *head = sl_members_head(&fake->members);
	struct sl_writer_setup setup = {
		.members = &fake->members,
		.ops = &writer_ops,
		.context = publisher,
		.config = fake->config,
		.may_grow = true,
	};

	publisher->fake = fake;
	lane_make(publisher);
	pthread_mutex_lock(&fake->lock);
	setup.index = place_find(fake, SLUICE_PUBLISHER);
	setup.generation = ++fake->generation;
	setup.lane = publisher->lane;
	if (sl_writer_init(&publisher->writer, &setup))
		abort();
	pthread_mutex_unlock(&fake->lock);
	segment_add(publisher, fake->config.pool);
	pthread_mutex_lock(&fake->lock);
	fake->publishers[setup.index] = publisher;
	sl_store_relaxed(&head->publishers, head->publishers + 1);
	sl_store_relaxed(&publisher_entry(fake, setup.index)->room, 1);
	entry_write(fake, SLUICE_PUBLISHER, setup.index, setup.generation,
		    SLUICE_ACTIVE, 0, 0);
	changed(fake);
	pthread_mutex_unlock(&fake->lock);
	return publisher;
}

static void cursor_make(struct fake_subscriber *subscriber)
{
	struct sl_cursor_view *cursor = &subscriber->cursor;

	cursor->lanes = subscriber->fake->config.publishers;
	cursor->pins = subscriber->fake->config.held;
	cursor->area.size = sizeof(struct sluice_cursor) +
		cursor->lanes * sizeof(*cursor->lane) +
		cursor->pins * sizeof(*cursor->pin);
	cursor->area.base = zalloc(cursor->area.size);
	cursor->lane = (void *)(sl_cursor_head(cursor) + 1);
	cursor->pin = (void *)(cursor->lane + cursor->lanes);
}

struct fake_subscriber *fake_subscribe(struct fake *fake, uint32_t policy,
				       uint32_t flags)
{
	struct fake_subscriber *subscriber = zalloc(sizeof(*subscriber));
	struct sl_reader_setup setup = {
		.members = &fake->members,
		.ops = &reader_ops,
		.context = subscriber,
		.config = fake->config,
		.policy = policy ? policy : fake->config.policy,
		.flags = flags,
		.prefetch = 1,
	};

	subscriber->fake = fake;
	cursor_make(subscriber);
	setup.cursor = subscriber->cursor;
	subscriber->no_attach = fake->fail_attach;
	pthread_mutex_lock(&fake->lock);
	setup.index = place_find(fake, SLUICE_SUBSCRIBER);
	setup.generation = ++fake->generation;
	fake->subscribers[setup.index] = subscriber;
	entry_write(fake, SLUICE_SUBSCRIBER, setup.index, setup.generation,
		    SLUICE_ACTIVE, 0, setup.policy);
	changed(fake);
	/* After F6: what a publisher who misses the change reuses is before. */
	for (uint32_t i = 0; i < fake->config.publishers; i++)
		if (fake->publishers[i])
			sl_cursor_lane(&subscriber->cursor, i)->head =
				sl_load_relaxed(&sl_lane_head(
					&fake->publishers[i]->lane)->head);
	pthread_mutex_unlock(&fake->lock);
	if (sl_reader_init(&subscriber->reader, &setup))
		abort();
	sl_reader_update(&subscriber->reader);
	return subscriber;
}

void fake_publisher_leave(struct fake_publisher *publisher,
			  enum sluice_reason reason)
{
	struct fake *fake = publisher->fake;
	struct sluice_members *head = sl_members_head(&fake->members);

	pthread_mutex_lock(&fake->lock);
	sl_store_relaxed(&head->publishers, head->publishers - 1);
	entry_write(fake, SLUICE_PUBLISHER, publisher->writer.index,
		    publisher->writer.generation, SLUICE_LEFT, reason, 0);
	changed(fake);
	/* For good: whoever acknowledges its last message is to say so. */
	if (fake->config.pattern == SLUICE_QUEUE)
		sl_store_relaxed(&publisher_entry(
			fake, publisher->writer.index)->armed, 1);
	pthread_mutex_unlock(&fake->lock);
}

/* The last place is for those that are gone: no test has so many. */
void fake_publisher_vanish(struct fake_publisher *publisher)
{
	struct fake *fake = publisher->fake;
	uint32_t index = publisher->writer.index;

	fake_publisher_leave(publisher, SLUICE_LEFT_CLOSED);
	publisher_entry(fake, index)->state = SLUICE_FREE;
	publisher_entry(fake, index)->armed = 0;
	publisher_entry(fake, index)->done = 0;
	fake->publishers[index] = NULL;
	fake->publishers[FAKE_PLACES - 1] = publisher;
}

void fake_subscriber_leave(struct fake_subscriber *subscriber,
			   enum sluice_reason reason)
{
	struct fake *fake = subscriber->fake;
	struct fake_claim *claim;
	uint32_t index = subscriber->reader.index;

	pthread_mutex_lock(&fake->lock);
	reap(fake, subscriber);
	for (uint32_t i = 0; i < subscriber->cursor.pins; i++) {
		claim = &subscriber->claims[i];
		if (!claim->tag)
			continue;
		fake->publishers[claim->lane]->returned[
			claim->position & (fake->config.slots - 1)] = true;
		claim->tag = 0;
	}
	entry_write(fake, SLUICE_SUBSCRIBER, index,
		    subscriber->reader.generation, SLUICE_FREE, reason, 0);
	changed(fake);
	pthread_mutex_unlock(&fake->lock);
}

void fake_subscriber_dismiss(struct fake_subscriber *subscriber)
{
	struct fake *fake = subscriber->fake;

	fake_subscriber_leave(subscriber, SLUICE_LEFT_CLOSED);
	pthread_mutex_lock(&fake->lock);
	fake->subscribers[subscriber->reader.index] = NULL;
	subscriber->next = fake->dismissed;
	fake->dismissed = subscriber;
	pthread_mutex_unlock(&fake->lock);
}

/*
 * Sleeping.
 */
static bool lane_readable(struct fake_subscriber *subscriber, uint32_t index)
{
	struct fake_publisher *publisher = subscriber->fake->publishers[index];
	struct sluice_cursor_lane *lane =
		sl_cursor_lane(&subscriber->cursor, index);
	uint64_t position;
	bool again;

	if (!publisher ||
	    subscriber->detached[index] == publisher->writer.generation)
		return false;
	if (subscriber->fake->config.pattern == SLUICE_QUEUE)
		return claimable(publisher, &position, &again);
	if (lane->generation != publisher->writer.generation)
		return true;
	return sl_load_acquire(&sl_slot(&publisher->lane, lane->head)->seq) >=
		SLUICE_SEQ(lane->head);				/* A1 */
}

static bool readable(struct fake_subscriber *subscriber)
{
	const struct sluice_members *head =
		sl_members_head(&subscriber->fake->members);

	if (sl_cursor_head(&subscriber->cursor)->member_seen != head->seq)
		return true;
	for (uint32_t i = 0; i < subscriber->fake->config.publishers; i++)
		if (lane_readable(subscriber, i))
			return true;
	return false;
}

static void patience(struct timespec *until)
{
	clock_gettime(CLOCK_REALTIME, until);
	until->tv_sec += LOST_WAKE_UP;
}

int fake_wait_message(struct fake_subscriber *subscriber)
{
	struct fake *fake = subscriber->fake;
	struct sluice_members *head = sl_members_head(&fake->members);
	struct timespec until;
	int err = 0;

	patience(&until);
	pthread_mutex_lock(&fake->lock);
	__atomic_add_fetch(&head->armed, 2, __ATOMIC_SEQ_CST);
	sl_full_fence();				/* F2 */
	while (!err && !readable(subscriber)) {
		if (!head->publishers &&
		    !(subscriber->reader.flags & SLUICE_JOIN_STAY))
			err = EPIPE;
		else
			err = pthread_cond_timedwait(&fake->readers,
						     &fake->lock, &until);
	}
	__atomic_sub_fetch(&head->armed, 2, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&fake->lock);
	return -err;
}

int fake_wait_room(struct fake_publisher *publisher, uint64_t room)
{
	struct fake *fake = publisher->fake;
	struct sluice_member *entry =
		publisher_entry(fake, publisher->writer.index);
	struct timespec until;
	int err = 0;

	patience(&until);
	pthread_mutex_lock(&fake->lock);
	while (!err && entry->room == room)
		err = pthread_cond_timedwait(&publisher->room, &fake->lock,
					     &until);
	pthread_mutex_unlock(&fake->lock);
	return -err;
}

int fake_loan(struct fake_publisher *publisher, uint64_t length,
	      struct sluice_loan *loan)
{
	uint64_t room;
	int err;

	err = sl_writer_loan(&publisher->writer, length, loan);
	while (err == -EAGAIN) {
		err = sl_writer_loan_or_arm(&publisher->writer, length, loan,
					    &room);
		if (err != -EAGAIN)
			break;
		err = fake_wait_room(publisher, room);
		err = err ? err : -EAGAIN;
	}
	return err;
}

ssize_t fake_receive(struct fake_subscriber *subscriber,
		     struct sluice_message *messages, size_t count)
{
	ssize_t n;
	int err;

	do {
		n = sl_reader_receive(&subscriber->reader, messages, count);
		if (n != -EAGAIN)
			return n;
		sl_reader_sleep(&subscriber->reader);
		err = fake_wait_message(subscriber);
		sl_reader_awake(&subscriber->reader);
	} while (!err);
	n = sl_reader_receive(&subscriber->reader, messages, count);
	return n == -EAGAIN ? err : n;
}
