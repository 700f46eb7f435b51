// SPDX-License-Identifier: LGPL-2.1-or-later
/* Subscribers that lag, history, growth, and the handshakes around joining. */
#include <stdlib.h>

#include "ring/atomic.h"
#include "suites.h"

static struct fake *fake;
static struct fake_publisher *pub;
static struct fake_subscriber *sub;

static void setup_with(const struct sluice_config *config)
{
	fake = fake_new(config);
	pub = fake_publish(fake);
	sub = fake_subscribe(fake, 0, 0);
}

static void teardown(void)
{
	fake_free(fake);
}

START_TEST(block_holds_the_publisher)
{
	struct sluice_config config = { 0 };
	struct sluice_loan loan;
	uint64_t room;

	setup_with(&config);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(fake->arms, 1);
	ck_assert_uint_eq(sl_lane_head(&pub->lane)->room_seen, room);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(fake->arms, 1);
	ck_assert_int_eq(take(sub), 0);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(fake_wait_room(pub, room), 0);
	ck_assert_int_eq(put(pub, 8), 0);
	ck_assert_uint_eq(sl_lane_head(&pub->lane)->room_seen, 0);
	for (uint32_t i = 1; i <= 8; i++)
		ck_assert_int_eq(take(sub), i);
	ck_assert_uint_eq(sub->reader.stats.lost, 0);
	teardown();
}
END_TEST

/* Out of slots, not of memory: to receive is enough, even if it is held. */
START_TEST(receiving_gives_slots)
{
	struct sluice_config config = { .slots = 2 };
	struct sluice_message held, none;
	struct sluice_loan loan;
	uint64_t room;

	setup_with(&config);
	ck_assert_int_eq(put(pub, 0), 0);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(get(sub, &held), 0);
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 0);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), 1);
	ck_assert_int_eq(put(pub, 0), 0);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, &none, 1), 1);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, &none, 1), 1);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, &none, 1), -EAGAIN);
	ck_assert_int_eq(fake->room_wakes, 2);
	teardown();
}
END_TEST

START_TEST(empty_messages_give_slots_at_once)
{
	struct sluice_config config = { .slots = 2 };
	struct sluice_loan loan;
	struct sluice_message message;
	uint64_t room;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 0, 0), 0);
	ck_assert_int_eq(put_long(pub, 1, 0), 0);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 0, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(get(sub, &message), 0);
	ck_assert_int_eq(fake->room_wakes, 1);
	teardown();
}
END_TEST

/* A held message keeps its memory, and nothing but its memory. */
START_TEST(block_waits_for_memory)
{
	struct sluice_config config = { .pool = 4096 };
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	ck_assert_int_eq(put_long(pub, 2, 4096), -EAGAIN);
	ck_assert_int_eq(put_long(pub, 2, 0), 0);
	ck_assert_int_eq(release(sub, &message), 0);
	ck_assert_int_eq(put_long(pub, 3, 4096), 0);
	teardown();
}
END_TEST

START_TEST(drop_oldest_counts)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct sluice_message message;
	uint64_t lost = 0, got = 0;
	int last = -1;

	setup_with(&config);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(put(pub, i), 0);
	while (get(sub, &message) >= 0) {
		ck_assert_int_gt(message.type, last);
		ck_assert_uint_eq(message.type - last - 1, message.lost);
		last = message.type;
		lost += message.lost;
		got++;
		ck_assert_int_eq(release(sub, &message), 0);
	}
	ck_assert_int_eq(last, 99);
	ck_assert_uint_eq(got + lost, 100);
	ck_assert_uint_ge(got, 7);
	ck_assert_uint_eq(sub->reader.stats.lost, lost);
	ck_assert_uint_eq(pub->writer.stats.dropped, lost);
	ck_assert_uint_eq(sl_cursor_head(&sub->cursor)->lost, lost);
	teardown();
}
END_TEST

START_TEST(drop_oldest_leaves_what_is_pinned)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put(pub, 42), 0);
	ck_assert_int_eq(get(sub, &message), 42);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_uint_eq(*(unsigned char *)message.data, 42);
	ck_assert_uint_eq(pub->writer.asides, 1);
	ck_assert_int_eq(release(sub, &message), 0);
	for (uint32_t i = 0; i < 16; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_uint_eq(pub->writer.asides, 0);
	teardown();
}
END_TEST

/* Lost at the end is not lost silently. */
START_TEST(ended_tells_of_the_last_losses)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct sluice_event event;
	uint64_t position;

	setup_with(&config);
	ck_assert_int_eq(put(pub, 0), 0);
	ck_assert_int_eq(take(sub), 0);
	ck_assert_int_eq(put(pub, 1), 0);
	position = pub->writer.head - 1;
	sl_store_release(&sl_slot(&pub->lane, position)->seq,
			 SLUICE_SEQ(position) | SLUICE_SEQ_DROPPED);
	fake_publisher_leave(pub, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(take(sub), -EPIPE);
	do
		ck_assert_int_eq(sl_reader_next_event(&sub->reader, &event), 0);
	while (event.type != SLUICE_EVENT_ENDED);
	ck_assert_uint_eq(event.lost, 1);
	teardown();
}
END_TEST

START_TEST(block_among_droppers)
{
	struct sluice_config config = { 0 };
	struct fake_subscriber *dropper;

	setup_with(&config);
	dropper = fake_subscribe(fake, SLUICE_DROP_OLDEST, 0);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_uint_eq(sub->reader.stats.lost, 0);
	ck_assert_int_gt(take(dropper), 80);
	ck_assert_uint_gt(dropper->reader.stats.lost, 80);
	for (uint32_t i = 0; i < 8; i++)
		put(pub, i);
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	teardown();
}
END_TEST

START_TEST(evict_the_unread)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct fake_subscriber *quick;
	struct sluice_event event;

	setup_with(&config);
	quick = fake_subscribe(fake, 0, 0);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(quick), i);
	}
	ck_assert_int_eq(fake->evictions, 1);
	ck_assert_uint_eq(pub->writer.stats.evicted, 1);
	ck_assert_int_eq(take(sub), -ECONNABORTED);
	ck_assert_int_eq(sl_reader_next_event(&sub->reader, &event), 0);
	ck_assert_uint_eq(event.type, SLUICE_EVENT_EVICTED);
	ck_assert_uint_eq(event.generation, sub->reader.generation);
	ck_assert_int_eq(take(quick), -EAGAIN);
	ck_assert_uint_eq(quick->reader.stats.lost, 0);
	teardown();
}
END_TEST

/* It was there before the publisher, and has not looked since. */
START_TEST(laggards_that_never_began)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct fake_publisher *late;
	struct fake_subscriber *dropper;

	setup_with(&config);
	dropper = fake_subscribe(fake, SLUICE_DROP_OLDEST, 0);
	late = fake_publish(fake);
	for (uint32_t i = 0; i < 20; i++)
		ck_assert_int_eq(put(late, i), 0);
	ck_assert_int_eq(fake->evictions, 1);
	ck_assert_int_eq(take(sub), -ECONNABORTED);
	ck_assert_uint_eq(late->writer.stats.dropped, 12);
	ck_assert_int_eq(take(dropper), 12);
	ck_assert_uint_eq(dropper->reader.stats.lost, 12);
	teardown();
}
END_TEST

/* What it holds may be overwritten: it is told when it releases. */
START_TEST(evict_the_holder)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	ck_assert_int_eq(put_long(pub, 2, 4096), 0);
	ck_assert_int_eq(fake->evictions, 1);
	ck_assert_int_eq(release(sub, &message), -ECONNABORTED);
	ck_assert_int_eq(release(sub, &message), -EINVAL);
	teardown();
}
END_TEST

/* Its entry says so; that the table has changed is about to be said. */
static void evict_silently(struct fake_subscriber *subscriber)
{
	struct sluice_member *entry = sl_member(&fake->members,
						SLUICE_SUBSCRIBER,
						subscriber->reader.index);

	sl_store_release(&entry->state, SLUICE_EVICTED);
}

START_TEST(evicted_before_it_is_said)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	evict_silently(sub);
	ck_assert_int_eq(release(sub, &message), -ECONNABORTED);
	teardown();
}
END_TEST

/* Nothing is kept for it: what is being written there is nobody's lie. */
START_TEST(evicted_reads_no_lies)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct sluice_event event;

	setup_with(&config);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(put_long(pub, 1, 2048), 0);
	sl_store_relaxed(&sl_slot(&pub->lane, 0)->length, UINT64_MAX);
	evict_silently(sub);
	ck_assert_int_eq(take(sub), -ECONNABORTED);
	ck_assert_int_eq(sl_reader_next_event(&sub->reader, &event), 0);
	ck_assert_uint_eq(event.type, SLUICE_EVENT_EVICTED);
	while (!sl_reader_next_event(&sub->reader, &event))
		ck_assert_uint_ne(event.type, SLUICE_EVENT_CORRUPT);
	teardown();
}
END_TEST

static int refuse(void *context, uint32_t index, uint64_t generation)
{
	(void)context;
	(void)index;
	(void)generation;
	return -EPERM;
}

START_TEST(evict_is_refused)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct sl_writer_ops ops;

	setup_with(&config);
	ops = *pub->writer.ops;
	ops.evict = refuse;
	pub->writer.ops = &ops;
	for (uint32_t i = 0; i < 10; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_uint_eq(pub->writer.stats.evicted, 0);
	ck_assert_uint_gt(pub->writer.stats.dropped, 0);
	teardown();
}
END_TEST

START_TEST(history_for_a_late_joiner)
{
	struct sluice_config config = { .slots = 16, .history = 4 };
	struct fake_subscriber *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 10; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	late = fake_subscribe(fake, 0, 0);
	for (uint32_t i = 6; i < 10; i++)
		ck_assert_int_eq(take(late), i);
	ck_assert_int_eq(take(late), -EAGAIN);
	ck_assert_uint_eq(late->reader.stats.lost, 0);
	teardown();
}
END_TEST

START_TEST(history_survives_reclaim)
{
	struct sluice_config config = { .slots = 16, .history = 4 };
	struct fake_subscriber *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
		if (i < 4 || i % 7)
			continue;
		late = fake_subscribe(fake, 0, 0);
		for (uint32_t n = i - 3; n <= i; n++)
			ck_assert_int_eq(take(late), n);
		ck_assert_int_eq(take(late), -EAGAIN);
		fake_subscriber_dismiss(late);
	}
	teardown();
}
END_TEST

START_TEST(history_goes_last)
{
	struct sluice_config config = { .history = 4, .pool = 4096 };
	struct fake_subscriber *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_int_eq(put_long(pub, i, 1024), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_int_eq(put_long(pub, 4, 2048), 0);
	ck_assert_int_eq(take(sub), 4);
	late = fake_subscribe(fake, 0, 0);
	ck_assert_int_eq(take(late), 2);
	ck_assert_int_eq(take(late), 3);
	ck_assert_int_eq(take(late), 4);
	ck_assert_int_eq(take(late), -EAGAIN);
	teardown();
}
END_TEST

START_TEST(history_of_one_that_left)
{
	struct sluice_config config = { .history = 4 };
	struct fake_subscriber *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_int_eq(put(pub, i), 0);
	fake_publisher_leave(pub, SLUICE_LEFT_EXITED);
	late = fake_subscribe(fake, 0, 0);
	for (uint32_t i = 2; i < 6; i++)
		ck_assert_int_eq(take(late), i);
	ck_assert_int_eq(take(late), -EPIPE);
	teardown();
}
END_TEST

START_TEST(no_subscriber_holds_nothing)
{
	struct sluice_config config = { 0 };

	setup_with(&config);
	fake_subscriber_leave(sub, SLUICE_LEFT_EXITED);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(put(pub, i), 0);
	teardown();
}
END_TEST

START_TEST(leaving_frees_what_was_held)
{
	struct sluice_config config = { 0 };
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	ck_assert_int_eq(put_long(pub, 2, 4096), -EAGAIN);
	fake_subscriber_leave(sub, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(put_long(pub, 2, 4096), 0);
	teardown();
}
END_TEST

START_TEST(grows_before_it_blocks)
{
	struct sluice_config config = { .pool_limit = 16384 };
	struct sluice_loan loan;

	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(put_long(pub, 2, 100), 0);
	ck_assert_uint_eq(pub->writer.pool.size, 8192);
	ck_assert_int_eq(put_long(pub, 3, 8192), 0);
	ck_assert_uint_eq(pub->writer.pool.size, 16384);
	ck_assert_int_eq(put_long(pub, 4, 8192), -EAGAIN);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 8193, &loan), -EMSGSIZE);
	for (uint32_t i = 1; i <= 3; i++)
		ck_assert_int_eq(take(sub), i);
	ck_assert_int_eq(put_long(pub, 4, 8192), 0);
	teardown();
}
END_TEST

START_TEST(growth_fails)
{
	struct sluice_config config = { .pool_limit = 16384 };
	struct sluice_loan loan;

	setup_with(&config);
	pub->no_segments = -EDQUOT;
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(put_long(pub, 2, 4096), -EAGAIN);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 4097, &loan), -EDQUOT);
	pub->writer.may_grow = false;
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 4097, &loan), -EMSGSIZE);
	teardown();
}
END_TEST

START_TEST(growth_by_what_was_left)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST,
					.pool_limit = 16384 };
	struct sluice_loan loan;

	setup_with(&config);
	pub->no_segments = -EDQUOT;
	pub->left = 4096;
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(put_long(pub, 2, 4096), 0);
	ck_assert_uint_eq(pub->writer.stats.dropped, 0);
	pub->left = 4096;
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 8192, &loan), -EMSGSIZE);
	ck_assert_uint_eq(pub->writer.pool.size, 12288);
	ck_assert_uint_eq(pub->writer.stats.dropped, 0);
	pub->no_segments = 0;
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(take(sub), 2);
	teardown();
}
END_TEST

/* However far the pool may grow, one segment is not longer than that. */
START_TEST(greatest_segment)
{
	struct sluice_config config = { .pool_limit = 4 * SL_SEGMENT_MAX };
	struct sluice_loan loan;

	setup_with(&config);
	pub->no_segments = -ENOSPC;
	ck_assert_int_eq(sl_writer_loan(&pub->writer, SL_SEGMENT_MAX + 1, &loan),
			 -EMSGSIZE);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, SL_SEGMENT_MAX, &loan),
			 -ENOSPC);
	teardown();
}
END_TEST

/* A BLOCK subscriber that has not begun the lane holds back everything. */
START_TEST(not_begun_holds)
{
	struct sluice_config config = { 0 };

	setup_with(&config);
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	sl_cursor_lane(&sub->cursor, 0)->generation = 0;
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	sl_cursor_lane(&sub->cursor, 0)->generation = pub->writer.generation;
	ck_assert_int_eq(put(pub, 8), 0);
	teardown();
}
END_TEST

/* It may be the only one that is waited for, and have nothing to release. */
START_TEST(begun_with_nothing_to_read)
{
	struct sluice_config config = { .slots = 2 };
	struct fake_subscriber *late;
	struct sluice_loan loan;
	uint64_t room;

	setup_with(&config);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	fake->fail_attach = -ENOMEM;
	late = fake_subscribe(fake, 0, 0);
	fake->fail_attach = late->no_attach = 0;
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(take(late), -EAGAIN);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(fake_wait_room(pub, room), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(take(late), 2);
	teardown();
}
END_TEST

static int pool_wanted;
static uint64_t room_waited;

static void want_pool(void)
{
	struct sluice_loan loan;

	pool_wanted = sl_writer_loan_or_arm(&pub->writer, 4096, &loan,
					    &room_waited);
}

/*
 * A publisher wants its pool back while a subscriber, who has just pinned it, is
 * at another's message. That is held for longer than the pin that is given up.
 */
START_TEST(pin_given_up)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct fake_publisher *other;
	struct sluice_message messages[2];

	setup_with(&config);
	other = fake_publish(fake);
	other->mapping = want_pool;
	ck_assert_int_eq(put_long(pub, 0, 4096), 0);
	ck_assert_int_eq(put(other, 1), 0);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, messages, 2), 1);
	ck_assert_int_eq(messages[0].type, 1);
	ck_assert_int_eq(pool_wanted, -EAGAIN);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(fake_wait_room(pub, room_waited), 0);
	ck_assert_int_eq(put_long(pub, 2, 4096), 0);
	ck_assert_int_eq(release(sub, &messages[0]), 0);
	ck_assert_int_eq(get(sub, &messages[0]), 2);
	ck_assert_uint_eq(messages[0].lost, 1);
	teardown();
}
END_TEST

/* The same with a message of before it joined: that was history, and is no loss. */
START_TEST(history_given_up)
{
	struct sluice_config config = {
		.policy = SLUICE_DROP_OLDEST,
		.history = 1,
	};
	struct fake_publisher *other;
	struct sluice_message messages[2];

	fake = fake_new(&config);
	pub = fake_publish(fake);
	other = fake_publish(fake);
	other->mapping = want_pool;
	ck_assert_int_eq(put_long(pub, 0, 4096), 0);
	sub = fake_subscribe(fake, 0, 0);
	ck_assert_int_eq(put(other, 1), 0);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, messages, 2), 1);
	ck_assert_int_eq(messages[0].type, 1);
	ck_assert_int_eq(pool_wanted, -EAGAIN);
	ck_assert_int_eq(put_long(pub, 2, 4096), 0);
	ck_assert_int_eq(get(sub, &messages[1]), 2);
	ck_assert_uint_eq(messages[1].lost, 0);
	ck_assert_uint_eq(sub->reader.stats.lost, 0);
	teardown();
}
END_TEST

/* A cursor that cannot be mapped may hold anything. */
START_TEST(cursor_cannot_be_attached)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct fake_subscriber *second;

	setup_with(&config);
	second = fake_subscribe(fake, 0, 0);
	second->no_attach = -ENOMEM;
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_int_eq(put(pub, 8), -ENOMEM);
	second->no_attach = -ESTALE;
	ck_assert_int_eq(put(pub, 8), 0);
	teardown();
}
END_TEST

START_TEST(entry_in_motion)
{
	struct sluice_config config = { 0 };
	struct fake_publisher *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	fake_in_motion(fake, SLUICE_SUBSCRIBER, 0, true);
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	fake_in_motion(fake, SLUICE_SUBSCRIBER, 0, false);
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(take(sub), i);
	late = fake_publish(fake);
	ck_assert_int_eq(put(late, 9), 0);
	fake_in_motion(fake, SLUICE_PUBLISHER, 1, true);
	ck_assert_int_eq(take(sub), -EAGAIN);
	/* The change will be counted: until then there is nothing to look at. */
	sl_reader_sleep(&sub->reader);
	ck_assert_uint_eq(sl_cursor_head(&sub->cursor)->member_seen,
			  sl_members_head(&fake->members)->seq);
	fake_in_motion(fake, SLUICE_PUBLISHER, 1, false);
	ck_assert_int_eq(take(sub), 9);
	teardown();
}
END_TEST

static struct fake_subscriber *joiner;
static struct sluice_message joiners;
static const struct sl_writer_ops *real_ops;
static uint32_t turn;

/*
 * While the publisher looks at the table, others come to places that it has
 * looked at already: each look finds the one who came during the last. The third
 * of them is promised every message, and has one before the fence.
 */
static int attach_and_join(void *context, uint32_t index, uint64_t generation,
			   struct sl_cursor_view *view)
{
	int err = real_ops->attach(context, index, generation, view);

	if (index != turn || joiner)
		return err;
	turn--;
	fake_subscriber_dismiss(fake->subscribers[turn]);
	if (turn > 2) {
		fake_subscribe(fake, SLUICE_DROP_OLDEST, 0);
		return err;
	}
	joiner = fake_subscribe(fake, SLUICE_BLOCK, 0);
	ck_assert_uint_eq(joiner->reader.index, turn);
	ck_assert_int_eq(get(joiner, &joiners), 0);
	return err;
}

START_TEST(join_between_look_and_fence)
{
	struct sluice_config config = { .history = 7 };
	struct sl_writer_ops ops;
	int wakes;

	setup_with(&config);
	fake_subscriber_dismiss(sub);
	for (int i = 0; i < 6; i++)
		fake_subscribe(fake, SLUICE_DROP_OLDEST, 0);
	for (uint32_t i = 0; i < 7; i++)
		ck_assert_int_eq(put_long(pub, i, 576), 0);
	real_ops = pub->writer.ops;
	ops = *real_ops;
	ops.attach = attach_and_join;
	pub->writer.ops = &ops;
	turn = 5;
	joiner = NULL;
	sl_members_head(&fake->members)->armed = 1;
	wakes = fake->wakes;
	ck_assert_int_eq(put_long(pub, 7, 4096), -EAGAIN);
	pub->writer.ops = real_ops;
	ck_assert_ptr_nonnull(joiner);
	ck_assert_int_gt(fake->wakes, wakes);
	ck_assert_uint_eq(*(unsigned char *)joiners.data, 0);
	for (uint32_t i = 1; i < 7; i++)
		ck_assert_int_eq(take(joiner), i);
	ck_assert_uint_eq(joiner->reader.stats.lost, 0);
	ck_assert_int_eq(put_long(pub, 7, 2048), 0);
	ck_assert_uint_eq(*(unsigned char *)joiners.data, 0);
	teardown();
}
END_TEST

static int calls;

/* Whoever is attached, another's place has just been taken by somebody new. */
static int attach_and_replace(void *context, uint32_t index,
			      uint64_t generation, struct sl_cursor_view *view)
{
	int err = real_ops->attach(context, index, generation, view);

	if (++calls > 1000)
		return err;
	fake_subscriber_dismiss(fake->subscribers[!index]);
	fake_subscribe(fake, SLUICE_DROP_OLDEST, 0);
	return err;
}

/* Whoever is evicted, another is there at once and says that it lags. */
static int evict_and_replace(void *context, uint32_t index, uint64_t generation)
{
	int err = real_ops->evict(context, index, generation);
	struct fake_subscriber *next;

	if (++calls > 1000)
		return err;
	fake_subscriber_dismiss(fake->subscribers[index]);
	next = fake_subscribe(fake, SLUICE_EVICT, 0);
	sl_cursor_lane(&next->cursor, 0)->head = 0;
	return err;
}

/* The publisher does not go on for as long as they like, and loses nothing by it. */
START_TEST(table_that_never_rests)
{
	struct sluice_config config = {
		.policy = _i ? SLUICE_EVICT : SLUICE_DROP_OLDEST,
	};
	struct sl_writer_ops ops;
	struct sluice_loan loan;
	uint64_t room;

	setup_with(&config);
	fake_subscribe(fake, 0, 0);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	real_ops = pub->writer.ops;
	ops = *real_ops;
	if (_i)
		ops.evict = evict_and_replace;
	else
		ops.attach = attach_and_replace;
	pub->writer.ops = &ops;
	calls = 0;
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_lt(calls, 50);
	ck_assert_int_eq(fake_wait_room(pub, room), 0);
	pub->writer.ops = real_ops;
	ck_assert_int_eq(put(pub, 8), 0);
	teardown();
}
END_TEST

static void drop(uint64_t position)
{
	sl_store_release(&sl_slot(&pub->lane, position)->seq,
			 SLUICE_SEQ(position) | SLUICE_SEQ_DROPPED);
}

/* Of what was published before it joined no loss counts, of the rest each. */
START_TEST(joins_among_dropped_ones)
{
	struct sluice_config config = { .history = 6, .slots = 16,
					.policy = SLUICE_DROP_OLDEST };
	struct fake_subscriber *late;
	struct sluice_message message;

	setup_with(&config);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	late = fake_subscribe(fake, 0, 0);
	for (uint32_t i = 8; i < 12; i++)
		ck_assert_int_eq(put(pub, i), 0);
	for (uint64_t i = 0; i < 4; i++)
		drop(i);
	ck_assert_int_eq(get(late, &message), 4);
	ck_assert_uint_eq(message.lost, 0);
	for (uint64_t i = 5; i < 10; i++)
		drop(i);
	ck_assert_int_eq(get(late, &message), 10);
	ck_assert_uint_eq(message.lost, 2);
	ck_assert_uint_eq(late->reader.stats.lost, 2);
	ck_assert_int_eq(get(sub, &message), 4);
	ck_assert_uint_eq(message.lost, 4);
	teardown();
}
END_TEST

/* It begins a lane late: what was published since it joined is its own. */
START_TEST(begins_late)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };
	struct fake_subscriber *late;
	struct sluice_message message;

	setup_with(&config);
	ck_assert_int_eq(put(pub, 0), 0);
	fake->fail_attach = -ENOMEM;
	late = fake_subscribe(fake, 0, 0);
	ck_assert_int_eq(take(late), -ENOMEM);
	for (uint32_t i = 1; i < 12; i++)
		ck_assert_int_eq(put(pub, i), i < 8 ? 0 : -ENOMEM);
	fake->fail_attach = late->no_attach = 0;
	ck_assert_int_eq(get(late, &message), 1);
	teardown();
}
END_TEST

/* It has joined, and not yet looked at anything. */
static struct fake_subscriber *not_begun(void)
{
	struct fake_subscriber *subscriber;

	fake->fail_attach = -ENOMEM;
	subscriber = fake_subscribe(fake, 0, 0);
	fake->fail_attach = subscriber->no_attach = 0;
	return subscriber;
}

/* What was there before is not its own, but what is published since. */
START_TEST(evict_before_it_begins)
{
	struct sluice_config config = { .policy = SLUICE_EVICT };
	struct fake_subscriber *late;

	setup_with(&config);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	late = not_begun();
	for (uint32_t i = 3; i < 11; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_int_eq(fake->evictions, 0);
	ck_assert_int_eq(put(pub, 11), 0);
	ck_assert_int_eq(fake->evictions, 1);
	ck_assert_int_eq(take(late), -ECONNABORTED);
	ck_assert_int_eq(take(sub), 11);
	teardown();
}
END_TEST

START_TEST(drop_before_it_begins)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST,
					.pool_limit = 8192 };
	struct fake_subscriber *late;
	struct sluice_message message;

	setup_with(&config);
	late = not_begun();
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert_int_eq(put_long(pub, i, 1024), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_uint_eq(pub->writer.pool.size, 8192);
	ck_assert_uint_eq(pub->writer.stats.dropped, 0);
	ck_assert_int_eq(put(pub, 8), 0);
	ck_assert_uint_eq(pub->writer.stats.dropped, 1);
	ck_assert_int_eq(get(late, &message), 1);
	ck_assert_uint_eq(message.lost, 1);
	teardown();
}
END_TEST

Suite *suite_policy(void)
{
	Suite *suite = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, block_holds_the_publisher);
	tcase_add_test(tc, receiving_gives_slots);
	tcase_add_test(tc, empty_messages_give_slots_at_once);
	tcase_add_test(tc, block_waits_for_memory);
	tcase_add_test(tc, drop_oldest_counts);
	tcase_add_test(tc, drop_oldest_leaves_what_is_pinned);
	tcase_add_test(tc, ended_tells_of_the_last_losses);
	tcase_add_test(tc, block_among_droppers);
	tcase_add_test(tc, evict_the_unread);
	tcase_add_test(tc, laggards_that_never_began);
	tcase_add_test(tc, evict_the_holder);
	tcase_add_test(tc, evicted_before_it_is_said);
	tcase_add_test(tc, evicted_reads_no_lies);
	tcase_add_test(tc, evict_is_refused);
	tcase_add_test(tc, history_for_a_late_joiner);
	tcase_add_test(tc, history_survives_reclaim);
	tcase_add_test(tc, history_goes_last);
	tcase_add_test(tc, history_of_one_that_left);
	tcase_add_test(tc, no_subscriber_holds_nothing);
	tcase_add_test(tc, leaving_frees_what_was_held);
	tcase_add_test(tc, grows_before_it_blocks);
	tcase_add_test(tc, growth_fails);
	tcase_add_test(tc, growth_by_what_was_left);
	tcase_add_test(tc, greatest_segment);
	tcase_add_test(tc, not_begun_holds);
	tcase_add_test(tc, begun_with_nothing_to_read);
	tcase_add_test(tc, pin_given_up);
	tcase_add_test(tc, history_given_up);
	tcase_add_test(tc, cursor_cannot_be_attached);
	tcase_add_test(tc, entry_in_motion);
	tcase_add_test(tc, join_between_look_and_fence);
	tcase_add_loop_test(tc, table_that_never_rests, 0, 2);
	tcase_add_test(tc, joins_among_dropped_ones);
	tcase_add_test(tc, begins_late);
	tcase_add_test(tc, evict_before_it_begins);
	tcase_add_test(tc, drop_before_it_begins);
	suite_add_tcase(suite, tc);
	return suite;
}
