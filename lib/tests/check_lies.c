// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Peers that write nonsense into the memory that is theirs. Whatever it is, the
 * liar alone is left aside, it is named, and the others go on.
 */
#include <stdlib.h>

#include "ring/atomic.h"
#include "suites.h"

static struct fake *fake;
static struct fake_publisher *liar, *honest;
static struct fake_subscriber *sub;

static void setup(void)
{
	struct sluice_config config = { .policy = SLUICE_DROP_OLDEST };

	fake = fake_new(&config);
	sub = fake_subscribe(fake, 0, 0);
	liar = fake_publish(fake);
	honest = fake_publish(fake);
}

static void teardown(void)
{
	fake_free(fake);
}

/* One report of the liar, and the honest one's messages as if nothing was. */
static void expect_left_aside(void)
{
	struct sluice_event event;
	bool named = false;

	ck_assert_int_eq(put(honest, 5), 0);
	ck_assert_int_eq(take(sub), 5);
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(put(honest, 6), 0);
	ck_assert_int_eq(take(sub), 6);
	ck_assert_uint_eq(sub->detached[0], liar->writer.generation);
	ck_assert_uint_eq(sl_cursor_lane(&sub->cursor, 0)->generation, 0);
	while (!sl_reader_next_event(&sub->reader, &event)) {
		if (event.type != SLUICE_EVENT_CORRUPT)
			continue;
		ck_assert(!named);
		ck_assert_uint_eq(event.index, 0);
		ck_assert_uint_eq(event.generation, liar->writer.generation);
		ck_assert_int_eq(event.pid, liar->writer.generation + 1000);
		named = true;
	}
	ck_assert(named);
}

/* A way to spoil the slot of position 0. */
static const struct lie {
	uint64_t seq;
	uint64_t offset;
	uint64_t length;
	uint32_t segment;
	uint32_t flags;
	uint32_t fds;
} lies[] = {
	{ .offset = 4096, .length = 1 },
	{ .offset = 4095, .length = 2 },
	{ .offset = 0, .length = 4097 },
	{ .offset = UINT64_MAX, .length = 2 },
	{ .offset = 2, .length = UINT64_MAX },
	{ .offset = 1ULL << 63, .length = 1ULL << 63 },
	{ .segment = 1, .length = 1 },
	{ .segment = SLUICE_SEGMENTS_MAX, .length = 1 },
	{ .segment = UINT32_MAX, .length = 1 },
	{ .flags = 1 },
	{ .fds = SLUICE_FDS_MAX + 1 },
	{ .fds = UINT32_MAX },
	{ .seq = SLUICE_SEQ(1) },
	{ .seq = SLUICE_SEQ(1) | SLUICE_SEQ_DROPPED },
	{ .seq = SLUICE_SEQ(9) },
	{ .seq = UINT64_MAX },
	{ .seq = UINT64_MAX - 1 },
	{ .seq = SLUICE_SEQ(1ULL << 62) },
};

START_TEST(slot_lies)
{
	const struct lie *lie = &lies[_i];
	struct sluice_slot *slot = sl_slot(&liar->lane, 0);

	ck_assert_int_eq(put(liar, 1), 0);
	slot->offset = lie->offset;
	slot->length = lie->length;
	slot->segment = lie->segment;
	slot->flags = lie->flags;
	slot->fds = lie->fds;
	if (lie->seq)
		slot->seq = lie->seq;
	expect_left_aside();
}
END_TEST

/* Not a lie that can be told from a loss: it loses, and counts. */
START_TEST(a_jump_far_ahead)
{
	uint64_t far = 1ULL << 40;
	struct sluice_message message;

	sl_slot(&liar->lane, 0)->seq = SLUICE_SEQ(far);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_uint_eq(sub->reader.stats.lost, far - 7);
	ck_assert_int_eq(put(honest, 5), 0);
	ck_assert_int_eq(get(sub, &message), 5);
	ck_assert_uint_eq(message.lost, 0);
}
END_TEST

/* Back to an old value: nothing to read, for ever. */
START_TEST(a_step_back)
{
	ck_assert_int_eq(put(liar, 1), 0);
	ck_assert_int_eq(put(liar, 2), 0);
	ck_assert_int_eq(take(sub), 1);
	sl_slot(&liar->lane, 1)->seq = 1;
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(put(honest, 3), 0);
	ck_assert_int_eq(take(sub), 3);
}
END_TEST

/*
 * What it publishes without being there any more: nothing of it is mapped. For
 * one who may lose messages it could have been an honest one's.
 */
START_TEST(segment_of_one_who_is_gone)
{
	struct sluice_slot *slot = sl_slot(&liar->lane, 0);
	struct fake_subscriber *strict = fake_subscribe(fake, SLUICE_BLOCK, 0);
	struct fake_publisher *successor;

	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(take(strict), -EAGAIN);
	fake_publisher_vanish(liar);
	slot->segment = 1;
	slot->length = 1;
	slot->seq = SLUICE_SEQ(0);
	successor = fake_publish(fake);
	ck_assert_uint_eq(successor->writer.index, 0);
	ck_assert_int_eq(put(successor, 4), 0);
	ck_assert_int_eq(take(strict), 4);
	ck_assert_int_eq(take(strict), -EPROTO);
	ck_assert_int_eq(take(strict), -EAGAIN);
	ck_assert_int_eq(take(sub), 4);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_uint_eq(sub->reader.stats.lost, 1);
}
END_TEST

/* Read to its end, while a message of it is held: that it writes on is nothing. */
START_TEST(writes_where_it_was_read)
{
	struct sluice_cursor_lane *lane = sl_cursor_lane(&sub->cursor, 0);
	uint64_t generation = liar->writer.generation;
	struct sluice_message message;

	ck_assert_int_eq(put(liar, 1), 0);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, &message, 1), 1);
	ck_assert_uint_eq(lane->generation, generation);
	fake_publisher_leave(liar, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_uint_eq(lane->generation, SLUICE_LANE_ENDED(generation));
	ck_assert_uint_ne(sub->detached[0], generation);
	ck_assert_int_eq(sl_reader_release(&sub->reader, &message, 1), 0);
	ck_assert_uint_eq(sub->detached[0], generation);
	ck_assert_uint_eq(lane->generation, 0);
}
END_TEST

/* It left, and goes on: who has its place now is received all the same. */
START_TEST(publishes_for_ever)
{
	struct fake_publisher *successor;
	uint64_t position = 0;
	int received;

	ck_assert_int_eq(take(sub), -EAGAIN);
	fake_publisher_vanish(liar);
	successor = fake_publish(fake);
	ck_assert_int_eq(put(successor, 4), 0);
	do {
		sl_slot(&liar->lane, position)->seq = SLUICE_SEQ(position);
		received = take(sub);
		ck_assert_uint_le(++position, 2 * liar->lane.slots);
	} while (!received);
	ck_assert_int_eq(received, 4);
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(take(sub), -EAGAIN);
}
END_TEST

/* What was there when it left is read to the end, be the ring full. */
START_TEST(full_when_it_left)
{
	ck_assert_int_eq(take(sub), -EAGAIN);
	for (uint32_t i = 0; i < liar->lane.slots; i++)
		ck_assert_int_eq(put(liar, i), 0);
	fake_publisher_leave(liar, SLUICE_LEFT_CLOSED);
	for (uint32_t i = 0; i < liar->lane.slots; i++)
		ck_assert_int_eq(take(sub), i);
	ck_assert_int_eq(take(sub), -EAGAIN);
}
END_TEST

START_TEST(lies_with_messages_held)
{
	struct sluice_message held;
	struct sluice_message messages[4];

	ck_assert_int_eq(put(liar, 1), 0);
	ck_assert_int_eq(get(sub, &held), 1);
	ck_assert_int_eq(put(liar, 2), 0);
	ck_assert_int_eq(put(liar, 3), 0);
	sl_slot(&liar->lane, 2)->flags = 1;
	ck_assert_int_eq(sl_reader_receive(&sub->reader, messages, 4), 1);
	ck_assert_uint_eq(messages[0].type, 2);
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(release(sub, &messages[0]), 0);
	ck_assert_uint_eq(*(unsigned char *)held.data, 1);
	ck_assert_int_eq(release(sub, &held), 0);
	ck_assert_uint_eq(sub->reader.helds, 0);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_uint_eq(*sl_pin(&sub->cursor, i), 0);
}
END_TEST

START_TEST(nonsense_when_joining)
{
	struct fake_subscriber *late;

	sl_lane_head(&liar->lane)->head = UINT64_MAX;
	late = fake_subscribe(fake, 0, 0);
	ck_assert_int_eq(take(late), -EPROTO);
	ck_assert_int_eq(take(late), -EAGAIN);
	ck_assert_int_eq(put(honest, 1), 0);
	ck_assert_int_eq(take(late), 1);
}
END_TEST

START_TEST(tail_beyond_head)
{
	struct fake_subscriber *late;

	ck_assert_int_eq(put(liar, 0), 0);
	sl_lane_head(&liar->lane)->tail = UINT64_MAX;
	late = fake_subscribe(fake, 0, 0);
	ck_assert_uint_eq(sl_cursor_lane(&late->cursor, 0)->head, 1);
	ck_assert_int_eq(put(liar, 1), 0);
	ck_assert_int_eq(take(late), 1);
}
END_TEST

/*
 * The other side: cursors that lie to a publisher.
 */
static void setup_block(void)
{
	struct sluice_config config = { 0 };

	fake = fake_new(&config);
	honest = fake_publish(fake);
	sub = fake_subscribe(fake, 0, 0);
	fake_subscribe(fake, 0, 0);
}

static struct fake_subscriber *innocent(void)
{
	return fake->subscribers[1];
}

START_TEST(head_beyond_the_lane)
{
	struct sluice_event event;
	int named = 0;

	ck_assert_int_eq(put(honest, 0), 0);
	sl_cursor_lane(&sub->cursor, 0)->head = 2 + _i * (UINT64_MAX - 2);
	for (uint32_t i = 1; i < 8; i++)
		ck_assert_int_eq(put(honest, i), 0);
	if (!_i)
		sl_cursor_lane(&sub->cursor, 0)->head = 9;
	ck_assert_int_eq(put(honest, 8), -EAGAIN);
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(take(innocent()), i);
		ck_assert_int_eq(put(honest, i + 8), 0);
	}
	while (!sl_writer_next_event(&honest->writer, &event)) {
		if (event.type != SLUICE_EVENT_CORRUPT)
			continue;
		named++;
		ck_assert_uint_eq(event.role, SLUICE_SUBSCRIBER);
		ck_assert_uint_eq(event.generation, sub->reader.generation);
	}
	ck_assert_int_eq(named, 1);
}
END_TEST

/* Pins of what is not there hold nothing back but their own. */
START_TEST(pins_of_nonsense)
{
	static const uint64_t pins[] = {
		UINT64_MAX, 1, SLUICE_PIN(0, UINT64_MAX), SLUICE_PIN(0, 1 << 20),
		SLUICE_PIN(1, 0), SLUICE_PIN(65534, 3), SLUICE_ACK_REJECT,
	};

	for (uint32_t i = 0; i < 4; i++)
		*sl_pin(&sub->cursor, i) = pins[(_i + i) % 7];
	for (uint32_t i = 0; i < 200; i++) {
		ck_assert_int_eq(put(honest, i), 0);
		ck_assert_int_eq(take(innocent()), i);
		sl_cursor_lane(&sub->cursor, 0)->head = i + 1;
	}
	ck_assert_uint_eq(sub->reader.stats.lost, 0);
	ck_assert_uint_le(honest->writer.asides, 4);
}
END_TEST

/* However the pins move, no more is set aside than there are pins. */
START_TEST(pins_that_move)
{
	srandom(_i + 1);
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t head = honest->writer.head;
		uint32_t pin = random() % 4;

		*sl_pin(&sub->cursor, pin) =
			SLUICE_PIN(0, head - random() % 16);
		if (put_long(honest, i, random() % 300) == -EAGAIN)
			for (uint32_t n = 0; n < 4; n++)
				*sl_pin(&sub->cursor, n) = 0;
		take(innocent());
		sl_cursor_lane(&sub->cursor, 0)->head = honest->writer.head;
		ck_assert_uint_le(honest->writer.asides, 8);
	}
	ck_assert_uint_gt(honest->writer.head, 4000);
}
END_TEST

/* A head that goes back holds back, which is what a slow reader does, too. */
START_TEST(head_goes_back)
{
	for (uint32_t i = 0; i < 20; i++) {
		ck_assert_int_eq(put(honest, i), 0);
		ck_assert_int_eq(take(innocent()), i);
		sl_cursor_lane(&sub->cursor, 0)->head = i + 1;
	}
	sl_cursor_lane(&sub->cursor, 0)->head = 0;
	for (uint32_t i = 0; i < 8 && !put(honest, i); i++)
		take(innocent());
	ck_assert_int_eq(put(honest, 9), -EAGAIN);
	fake_subscriber_leave(sub, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(put(honest, 9), 0);
}
END_TEST

/* To say that there is a liar is to say no more for now: as if there was nothing. */
START_TEST(room_before_a_liar)
{
	struct sluice_message messages[2];
	struct sluice_loan loan;
	uint64_t room;

	fake_subscriber_leave(innocent(), SLUICE_LEFT_CLOSED);
	liar = fake_publish(fake);
	ck_assert_int_eq(take(sub), -EAGAIN);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(honest, i), 0);
	ck_assert_int_eq(put(liar, 8), 0);
	sl_slot(&liar->lane, 0)->flags = 1;
	ck_assert_int_eq(sl_writer_loan_or_arm(&honest->writer, 8, &loan,
					       &room), -EAGAIN);
	ck_assert_int_eq(sl_reader_receive(&sub->reader, messages, 2), 2);
	ck_assert_int_eq(fake->room_wakes, 0);
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(fake_wait_room(honest, room), 0);
	ck_assert_int_eq(put(honest, 9), 0);
}
END_TEST

static const struct sl_writer_ops *real_ops;

static int attach_short(void *context, uint32_t index, uint64_t generation,
			struct sl_cursor_view *view)
{
	int err = real_ops->attach(context, index, generation, view);

	if (!err && index == 0)
		view->lanes = 0;
	return err;
}

START_TEST(cursor_too_short)
{
	struct sl_writer_ops ops;

	real_ops = honest->writer.ops;
	ops = *real_ops;
	ops.attach = attach_short;
	honest->writer.ops = &ops;
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(honest, i), 0);
	ck_assert_int_eq(put(honest, 8), -EPROTO);
	honest->writer.ops = real_ops;
}
END_TEST

Suite *suite_lies(void)
{
	Suite *suite = suite_create("lies");
	TCase *lane = tcase_create("lane"), *cursor = tcase_create("cursor");

	tcase_add_checked_fixture(lane, setup, teardown);
	tcase_add_loop_test(lane, slot_lies, 0,
			    sizeof(lies) / sizeof(lies[0]));
	tcase_add_test(lane, a_jump_far_ahead);
	tcase_add_test(lane, a_step_back);
	tcase_add_test(lane, segment_of_one_who_is_gone);
	tcase_add_test(lane, writes_where_it_was_read);
	tcase_add_test(lane, publishes_for_ever);
	tcase_add_test(lane, full_when_it_left);
	tcase_add_test(lane, lies_with_messages_held);
	tcase_add_test(lane, nonsense_when_joining);
	tcase_add_test(lane, tail_beyond_head);
	suite_add_tcase(suite, lane);
	tcase_add_checked_fixture(cursor, setup_block, teardown);
	tcase_add_loop_test(cursor, head_beyond_the_lane, 0, 2);
	tcase_add_loop_test(cursor, pins_of_nonsense, 0, 7);
	tcase_add_loop_test(cursor, pins_that_move, 0, 3);
	tcase_add_test(cursor, head_goes_back);
	tcase_add_test(cursor, room_before_a_liar);
	tcase_add_test(cursor, cursor_too_short);
	suite_add_tcase(suite, cursor);
	return suite;
}
