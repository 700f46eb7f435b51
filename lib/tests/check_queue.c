// SPDX-License-Identifier: LGPL-2.1-or-later
/* Queues: each message to one, and again if that one fails. */
#include <stdlib.h>

#include "ring/atomic.h"
#include "suites.h"

static struct fake *fake;
static struct fake_publisher *pub;
static struct fake_subscriber *one, *two;

static void setup_with(uint32_t policy)
{
	struct sluice_config config = {
		.pattern = SLUICE_QUEUE,
		.policy = policy,
	};

	fake = fake_new(&config);
	pub = fake_publish(fake);
	one = fake_subscribe(fake, 0, 0);
	two = fake_subscribe(fake, 0, 0);
}

static void setup(void)
{
	setup_with(SLUICE_BLOCK);
}

static void teardown(void)
{
	fake_free(fake);
}

START_TEST(each_to_one)
{
	struct sluice_message a, b;

	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(get(one, &a), 1);
	ck_assert_int_eq(get(two, &b), 2);
	ck_assert_uint_eq(a.flags, 0);
	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_int_eq(release(one, &a), 0);
	ck_assert_int_eq(release(one, &a), -EINVAL);
	ck_assert_int_eq(release(two, &b), 0);
}
END_TEST

START_TEST(many)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 1000; i += 2) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(put(pub, i + 1), 0);
		sum += take(one) + take(two);
	}
	ck_assert_uint_eq(sum, 999 * 1000 / 2);
	ck_assert_int_eq(take(one), -EAGAIN);
}
END_TEST

START_TEST(full_until_acknowledged)
{
	struct sluice_message messages[4];
	struct sluice_loan loan;
	uint64_t room;

	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_int_eq(sl_reader_receive(&one->reader, messages, 4), 4);
	ck_assert_int_eq(sl_reader_receive(&one->reader, messages, 1),
			 -ENOBUFS);
	ck_assert_int_eq(put(pub, 8), -EAGAIN);
	ck_assert_int_eq(sl_reader_release(&one->reader, messages + 1, 3), 0);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -EAGAIN);
	ck_assert_int_eq(release(one, messages), 0);
	ck_assert_int_eq(fake->room_wakes, 1);
	ck_assert_int_eq(fake_wait_room(pub, room), 0);
	ck_assert_int_eq(put(pub, 8), 0);
}
END_TEST

/* All that was published is finished, or the last of it will wake. */
START_TEST(flush)
{
	struct sluice_message messages[2];
	uint64_t room;

	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room), 0);
	ck_assert_int_eq(put(pub, 0), 0);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room),
			 -EAGAIN);
	ck_assert_int_eq(sl_reader_receive(&one->reader, messages, 2), 2);
	ck_assert_int_eq(release(one, &messages[1]), 0);
	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room),
			 -EAGAIN);
	ck_assert_int_eq(release(one, &messages[0]), 0);
	ck_assert_int_eq(fake_wait_room(pub, room), 0);
	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room), 0);
}
END_TEST

START_TEST(consumer_dies)
{
	struct sluice_message message;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(get(one, &message), 1);
	fake_subscriber_leave(one, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(get(two, &message), 1);
	ck_assert_uint_eq(message.flags, SLUICE_MESSAGE_REDELIVERED);
	ck_assert_uint_eq(two->reader.stats.redelivered, 1);
	ck_assert_int_eq(release(two, &message), 0);
	ck_assert_int_eq(get(two, &message), 2);
	ck_assert_uint_eq(message.flags, 0);
}
END_TEST

START_TEST(reject)
{
	struct sluice_message message, none = { 0 };

	ck_assert_int_eq(put_long(pub, 1, 0), 0);
	ck_assert_int_eq(get(one, &message), 1);
	ck_assert_uint_eq(one->reader.helds, 1);
	ck_assert_int_eq(sl_reader_reject(&one->reader, &message), 0);
	ck_assert_int_eq(sl_reader_reject(&one->reader, &none), -EINVAL);
	ck_assert_int_eq(take(two), 1);
	ck_assert_uint_eq(two->reader.stats.redelivered, 1);
	ck_assert_int_eq(take(one), -EAGAIN);
}
END_TEST

START_TEST(prefetch)
{
	struct sluice_message messages[2];

	one->reader.prefetch = 3;
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_int_eq(get(one, &messages[0]), 0);
	ck_assert_int_eq(take(two), 3);
	ck_assert_int_eq(sl_reader_receive(&one->reader, messages, 2), 2);
	ck_assert_uint_eq(messages[1].type, 2);
}
END_TEST

START_TEST(drop_oldest)
{
	struct sluice_message message;

	teardown();
	setup_with(SLUICE_DROP_OLDEST);
	ck_assert_int_eq(put(pub, 0), 0);
	for (uint32_t i = 1; i < 20; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_uint_eq(pub->writer.stats.dropped, 12);
	ck_assert_int_eq(get(one, &message), 12);
	ck_assert_uint_eq(message.position, 12);
	for (uint32_t i = 0; i < 7; i++)
		ck_assert_int_eq(put(pub, i), -EAGAIN);
	ck_assert_int_eq(release(one, &message), 0);
	ck_assert_int_eq(take(one), 13);
}
END_TEST

static uint32_t evicted_index;

static int evict_any(void *context, uint32_t index, uint64_t generation)
{
	(void)context;
	ck_assert_uint_eq(generation, 0);
	evicted_index = index;
	return 0;
}

START_TEST(evict_claimant)
{
	struct sl_writer_ops ops = *pub->writer.ops;

	sl_writer_evict_claimant(&pub->writer);
	ck_assert_uint_eq(pub->writer.stats.evicted, 0);
	ops.evict = evict_any;
	pub->writer.ops = &ops;
	sl_writer_evict_claimant(&pub->writer);
	ck_assert_uint_eq(pub->writer.stats.evicted, 1);
	ck_assert_uint_eq(evicted_index, SLUICE_EVICT_CLAIMANT);
	teardown();
	fake = fake_new(&(struct sluice_config){ 0 });
	pub = fake_publish(fake);
	pub->writer.ops = &ops;
	sl_writer_evict_claimant(&pub->writer);
	ck_assert_uint_eq(pub->writer.stats.evicted, 0);
}
END_TEST

/* What a publisher left is consumed; only then is there nobody. */
START_TEST(publisher_leaves)
{
	struct sluice_message message;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	fake_publisher_leave(pub, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(get(one, &message), 1);
	ck_assert_int_eq(take(two), 2);
	ck_assert_int_eq(take(two), -EAGAIN);
	fake_subscriber_leave(one, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(take(two), 1);
	ck_assert_int_eq(take(two), -EPIPE);
	ck_assert_uint_eq(two->detached[0], pub->writer.generation);
}
END_TEST

/* It left, and its place is free already: nothing more will tell of it. */
START_TEST(place_is_free)
{
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(one), 1);
	ck_assert_int_eq(take(one), -EAGAIN);
	fake_publisher_vanish(pub);
	ck_assert_int_eq(take(one), -EPIPE);
}
END_TEST

/*
 * The place of one who left is another's, who left, too. What that one left has
 * been claimed, but whoever did so may die.
 */
START_TEST(successor_leaves)
{
	struct sluice_message message;

	fake_publisher_vanish(pub);
	pub = fake_publish(fake);
	ck_assert_uint_eq(pub->writer.index, 0);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(get(two, &message), 1);
	fake_publisher_leave(pub, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_int_eq(take(one), -EAGAIN);
	fake_subscriber_leave(two, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(take(one), 1);
	ck_assert_int_eq(take(one), -EPIPE);
}
END_TEST

/* It is armed for good, and nobody wakes it: it is not to wait. */
START_TEST(evicted_publisher)
{
	struct sluice_loan loan;
	uint64_t room;

	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(put(pub, i), 0);
	fake_publisher_leave(pub, SLUICE_LEFT_EVICTED);
	ck_assert_int_eq(sl_writer_loan_or_arm(&pub->writer, 8, &loan, &room),
			 -ESHUTDOWN);
	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room),
			 -ESHUTDOWN);
	for (uint32_t i = 0; i < 8; i++)
		ck_assert_int_eq(take(one), i);
	ck_assert_int_eq(take(one), -EPIPE);
	ck_assert_int_eq(sl_writer_finished_or_arm(&pub->writer, &room), 0);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 8, &loan), 0);
}
END_TEST

/* What a successor in the place has finished is nothing of one's own. */
START_TEST(place_is_anothers)
{
	struct fake_publisher *old = pub;
	struct sluice_loan loan;
	uint64_t room;

	fake_publisher_vanish(old);
	pub = fake_publish(fake);
	ck_assert_uint_eq(pub->writer.index, old->writer.index);
	for (uint32_t i = 0; i < 8; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(one), i);
	}
	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_int_eq(put(old, 0), 0);
	ck_assert_int_eq(sl_writer_finished_or_arm(&old->writer, &room),
			 -ESHUTDOWN);
	for (uint32_t i = 1; i < 8; i++)
		ck_assert_int_eq(put(old, i), 0);
	ck_assert_int_eq(sl_writer_loan(&old->writer, 8, &loan), -EAGAIN);
	ck_assert_int_eq(sl_writer_loan_or_arm(&old->writer, 8, &loan, &room),
			 -ESHUTDOWN);
}
END_TEST

START_TEST(heads_move)
{
	uint64_t heads = sl_reader_heads(&one->reader);
	struct sluice_subscriber_stats stats;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_uint_ne(sl_reader_heads(&one->reader), heads);
	heads = sl_reader_heads(&one->reader);
	fake_publish(fake);
	ck_assert_uint_ne(sl_reader_heads(&one->reader), heads);
	sl_reader_stats(&one->reader, &stats);
	ck_assert_uint_eq(stats.lag, 1);
}
END_TEST

/* A corrupt lane's claims are settled, and the others go on. */
START_TEST(corrupt_message)
{
	struct fake_publisher *honest = fake_publish(fake);

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(put(honest, 3), 0);
	sl_slot(&pub->lane, 0)->length = UINT64_MAX;
	ck_assert_int_eq(take(one), -EPROTO);
	ck_assert_int_eq(take(one), 3);
	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_uint_eq(one->reader.places[0].corrupt,
			  pub->writer.generation);
}
END_TEST

START_TEST(claim_of_a_lane_not_attached)
{
	struct sluice_message message;

	ck_assert_int_eq(put(pub, 1), 0);
	sl_lane_end(&one->reader, one->reader.places[0].lane);
	ck_assert_int_eq(get(one, &message), 1);
	ck_assert_int_eq(release(one, &message), 0);
	one->no_attach = -ENOMEM;
	ck_assert_int_eq(put(pub, 2), 0);
	sl_lane_end(&one->reader, one->reader.places[0].lane);
	ck_assert_int_eq(get(one, &message), -ENOMEM);
	one->no_attach = 0;
	ck_assert_int_eq(get(one, &message), 2);
	one->no_attach = -ESTALE;
	ck_assert_int_eq(put(pub, 3), 0);
	ck_assert_int_eq(release(one, &message), 0);
	sl_lane_end(&one->reader, one->reader.places[0].lane);
	ck_assert_int_eq(get(one, &message), -EAGAIN);
	ck_assert_int_eq(take(one), -EAGAIN);
	ck_assert_int_eq(take(two), 3);
}
END_TEST

Suite *suite_queue(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_to_one);
	tcase_add_test(tc, many);
	tcase_add_test(tc, full_until_acknowledged);
	tcase_add_test(tc, flush);
	tcase_add_test(tc, consumer_dies);
	tcase_add_test(tc, reject);
	tcase_add_test(tc, prefetch);
	tcase_add_test(tc, drop_oldest);
	tcase_add_test(tc, evict_claimant);
	tcase_add_test(tc, publisher_leaves);
	tcase_add_test(tc, place_is_free);
	tcase_add_test(tc, successor_leaves);
	tcase_add_test(tc, evicted_publisher);
	tcase_add_test(tc, place_is_anothers);
	tcase_add_test(tc, heads_move);
	tcase_add_test(tc, corrupt_message);
	tcase_add_test(tc, claim_of_a_lane_not_attached);
	suite_add_tcase(suite, tc);
	return suite;
}
