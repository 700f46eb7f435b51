// SPDX-License-Identifier: LGPL-2.1-or-later
/* Publishers and subscribers that are honest and quick: order, sizes, holding. */
#include <stdlib.h>

#include "suites.h"

static struct fake *fake;
static struct fake_publisher *pub;
static struct fake_subscriber *sub;

static void setup_with(const struct sluice_config *config)
{
	fake = fake_new(config);
	sub = fake_subscribe(fake, 0, 0);
	pub = fake_publish(fake);
}

static void setup(void)
{
	struct sluice_config config = { 0 };

	setup_with(&config);
}

static void teardown(void)
{
	fake_free(fake);
}

START_TEST(nothing_yet)
{
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(take(sub), -EAGAIN);
}
END_TEST

/* No system call is to be made while nobody sleeps. */
START_TEST(quiet)
{
	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_int_eq(fake->wakes + fake->room_wakes + fake->arms, 0);
}
END_TEST

START_TEST(order_and_wrap)
{
	struct sluice_message message;

	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(put(pub, 2 * i), 0);
		ck_assert_int_eq(put(pub, 2 * i + 1), 0);
		ck_assert_int_eq(get(sub, &message), 2 * i);
		ck_assert_uint_eq(message.position, 2 * i);
		ck_assert_uint_eq(message.lost, 0);
		ck_assert_uint_eq(message.publisher, 0);
		ck_assert_uint_eq(message.generation,
				  pub->writer.generation);
		ck_assert_int_eq(release(sub, &message), 0);
		ck_assert_int_eq(take(sub), 2 * i + 1);
	}
}
END_TEST

START_TEST(sizes)
{
	struct sluice_message message;
	struct sluice_loan loan;

	for (size_t length = 0; length <= 4096; length++) {
		ck_assert_int_eq(put_long(pub, length, length), 0);
		ck_assert_int_eq(get(sub, &message), length);
		ck_assert_uint_eq(message.length, length);
		ck_assert_int_eq(!message.data, !length);
		ck_assert_int_eq(release(sub, &message), 0);
	}
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 4097, &loan), -EMSGSIZE);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, SIZE_MAX, &loan),
			 -EMSGSIZE);
}
END_TEST

/* A length of which there can be no memory is not that of an empty message. */
START_TEST(sizes_beyond_all)
{
	struct sluice_loan loan;
	int fd = 1;

	for (uint32_t fds = 0; fds < 2; fds++) {
		for (uint32_t i = 0; i <= fake->config.slots; i++) {
			ck_assert_int_eq(sl_writer_loan(&pub->writer, 0, &loan),
					 0);
			loan.type = i;
			loan.nfds = fds;
			loan.fds = &fd;
			ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan,
							   1), 1);
			ck_assert_int_eq(take(sub), i);
		}
		ck_assert_uint_ne(pub->writer.tail, pub->writer.safe);
		for (uint64_t less = 0; less < 70; less++)
			ck_assert_uint_eq(sl_writer_reuse(&pub->writer,
							  UINT64_MAX - less,
							  &loan, 1), 0);
	}
}
END_TEST

START_TEST(loans_in_any_order)
{
	struct sluice_loan loans[4];

	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(sl_writer_loan(&pub->writer, 8, &loans[i]), 0);
		memset(loans[i].data, i, 8);
		loans[i].type = i;
	}
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loans[2], 1), 1);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loans[0], 1), 1);
	ck_assert_int_eq(sl_writer_discard(&pub->writer, &loans[1]), 0);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loans[3], 1), 1);
	ck_assert_int_eq(take(sub), 2);
	ck_assert_int_eq(take(sub), 0);
	ck_assert_int_eq(take(sub), 3);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_uint_eq(pub->writer.loans, 0);
}
END_TEST

START_TEST(loan_is_used_once)
{
	struct sluice_loan loan, copy, nonsense = { .priv = { 99, 1 } };

	ck_assert_int_eq(sl_writer_loan(&pub->writer, 8, &loan), 0);
	copy = loan;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), 1);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), -EINVAL);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &copy, 1), -EINVAL);
	ck_assert_int_eq(sl_writer_discard(&pub->writer, &copy), -EINVAL);
	ck_assert_int_eq(sl_writer_discard(&pub->writer, &nonsense), -EINVAL);
}
END_TEST

START_TEST(loan_of_another)
{
	struct fake_publisher *other = fake_publish(fake);
	struct sluice_loan loan, theirs, copy;

	ck_assert_int_eq(sl_writer_loan(&pub->writer, 8, &loan), 0);
	ck_assert_int_eq(sl_writer_loan(&other->writer, 8, &theirs), 0);
	copy = theirs;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &theirs, 1), -EINVAL);
	ck_assert_int_eq(sl_writer_discard(&pub->writer, &theirs), -EINVAL);
	ck_assert_mem_eq(&theirs, &copy, sizeof(copy));
	ck_assert_uint_eq(pub->writer.loans, 1);
	ck_assert_uint_eq(pub->writer.head, 0);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(sl_writer_discard(&pub->writer, &loan), 0);
	ck_assert_int_eq(sl_writer_discard(&other->writer, &theirs), 0);
}
END_TEST

START_TEST(message_of_another)
{
	struct fake_subscriber *other = fake_subscribe(fake, 0, 0);
	struct sluice_message message, theirs, copy;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	ck_assert_int_eq(get(other, &theirs), 1);
	copy = theirs;
	ck_assert_int_eq(release(sub, &theirs), -EINVAL);
	ck_assert_ptr_null(sl_reader_find(&sub->reader, &theirs));
	ck_assert_mem_eq(&theirs, &copy, sizeof(copy));
	ck_assert_uint_eq(sub->reader.helds, 1);
	ck_assert_int_eq(release(sub, &message), 0);
	ck_assert_int_eq(release(other, &theirs), 0);
}
END_TEST

START_TEST(loan_shrinks_and_does_not_grow)
{
	struct sluice_message message;
	struct sluice_loan loan;

	ck_assert_int_eq(sl_writer_loan(&pub->writer, 4096, &loan), 0);
	loan.length = 4097;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), -EINVAL);
	loan.length = 10;
	memset(loan.data, 7, 10);
	loan.type = 7;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), 1);
	ck_assert_uint_eq(pub->writer.pool.used, 64);
	ck_assert_int_eq(get(sub, &message), 7);
	ck_assert_uint_eq(message.length, 10);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 64, &loan), 0);
	loan.length = 0;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), 1);
	ck_assert_uint_eq(pub->writer.pool.used, 64);
}
END_TEST

/* A loan has its slot: publishing it cannot fail for want of one. */
START_TEST(loans_keep_their_slots)
{
	struct sluice_loan loans[8], more;

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(sl_writer_loan(&pub->writer, 8, &loans[i]), 0);
	ck_assert_int_eq(sl_writer_loan(&pub->writer, 0, &more), -EAGAIN);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, loans, 8), 8);
	ck_assert_int_eq(put(pub, 1), -EAGAIN);
	ck_assert_int_ge(take(sub), 0);
	ck_assert_int_eq(put(pub, 1), 0);
}
END_TEST

START_TEST(batches)
{
	struct sluice_message messages[8];
	struct sluice_loan loans[4];
	uint32_t next = 0;

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 4; i++) {
			ck_assert_int_eq(sl_writer_loan(&pub->writer, 4,
							&loans[i]), 0);
			loans[i].type = 4 * round + i;
		}
		ck_assert_int_eq(sl_writer_publish(&pub->writer, loans, 4), 4);
		ck_assert_int_eq(sl_reader_receive(&sub->reader, messages, 8),
				 4);
		for (int i = 0; i < 4; i++)
			ck_assert_uint_eq(messages[i].type, next++);
		ck_assert_int_eq(sl_reader_release(&sub->reader, messages, 4),
				 0);
	}
}
END_TEST

/* The bad one ends the batch: what was before it is published. */
START_TEST(batch_with_a_bad_loan)
{
	struct sluice_loan loans[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(sl_writer_loan(&pub->writer, 4, &loans[i]), 0);
	loans[1].length = 5;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, loans, 3), 1);
	ck_assert_int_eq(sl_writer_publish(&pub->writer, loans + 1, 2),
			 -EINVAL);
	loans[1].length = 4;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, loans + 1, 2), 2);
}
END_TEST

/* A held message stays as it is whatever is published after it. */
START_TEST(held_out_of_order)
{
	struct sluice_message held[4];
	unsigned char *bytes;
	uint32_t next = 0;

	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(get(sub, &held[i]), i);
	}
	ck_assert_int_eq(put(pub, 4), 0);
	ck_assert_int_eq(get(sub, &held[0]), -ENOBUFS);
	ck_assert_int_eq(release(sub, &held[2]), 0);
	ck_assert_int_eq(take(sub), 4);
	for (next = 5; next < 1000; next++) {
		ck_assert_int_eq(put(pub, next), 0);
		ck_assert_int_eq(take(sub), next);
	}
	bytes = (unsigned char *)held[3].data;
	ck_assert_uint_eq(bytes[0], 3);
	ck_assert_uint_ge(pub->writer.asides, 3);
	ck_assert_int_eq(release(sub, &held[3]), 0);
	ck_assert_int_eq(release(sub, &held[3]), -EINVAL);
	ck_assert_int_eq(release(sub, &held[1]), 0);
	for (; next < 1020; next++) {
		ck_assert_int_eq(put(pub, next), 0);
		ck_assert_int_eq(take(sub), next);
	}
	ck_assert_uint_eq(pub->writer.asides, 1);
	bytes = (unsigned char *)held[0].data;
	ck_assert_uint_eq(bytes[0], 0);
}
END_TEST

START_TEST(release_what_is_not_held)
{
	struct sluice_message none = { 0 };

	ck_assert_int_eq(release(sub, &none), -EINVAL);
	none.priv[0] = 77;
	none.priv[1] = 1;
	ck_assert_int_eq(release(sub, &none), -EINVAL);
	ck_assert_int_eq(sl_reader_reject(&sub->reader, &none), -EOPNOTSUPP);
}
END_TEST

/* Without bytes nothing is held, so there is no end to them. */
START_TEST(empty_messages)
{
	struct sluice_message message;

	for (uint32_t i = 0; i < 100; i++) {
		ck_assert_int_eq(put_long(pub, i, 0), 0);
		ck_assert_int_eq(get(sub, &message), i);
		ck_assert_ptr_null(message.data);
		ck_assert_uint_eq(sub->reader.helds, 0);
	}
	ck_assert_int_eq(release(sub, &message), 0);
	ck_assert_int_eq(release(sub, &message), -EINVAL);
}
END_TEST

START_TEST(takes_turns)
{
	struct fake_publisher *second = fake_publish(fake);
	struct fake_publisher *third = fake_publish(fake);

	for (uint32_t i = 0; i < 4; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(put(second, 10 + i), 0);
		ck_assert_int_eq(put(third, 20 + i), 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t sum = 0;

		for (int n = 0; n < 3; n++)
			sum += take(sub);
		ck_assert_uint_eq(sum, 30 + 3 * i);
	}
}
END_TEST

START_TEST(every_subscriber_gets_all)
{
	struct fake_subscriber *subs[4] = { sub };

	for (int s = 1; s < 4; s++)
		subs[s] = fake_subscribe(fake, 0, 0);
	for (uint32_t i = 0; i < 50; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		for (int s = 0; s < 4; s++)
			ck_assert_int_eq(take(subs[s]), i);
	}
}
END_TEST

START_TEST(descriptors)
{
	int fds[2] = { 5, 6 }, bad[1] = { -1 };
	struct sluice_message message;
	const struct sl_held *held;
	struct sluice_loan loan;

	ck_assert_int_eq(sl_writer_loan(&pub->writer, 0, &loan), 0);
	loan.fds = bad;
	loan.nfds = 1;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), -EBADF);
	loan.nfds = SLUICE_FDS_MAX + 1;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), -EINVAL);
	loan.fds = fds;
	loan.nfds = 2;
	ck_assert_int_eq(sl_writer_publish(&pub->writer, &loan, 1), 1);
	ck_assert_int_eq(pub->fds, 2);
	ck_assert_int_eq(get(sub, &message), 0);
	ck_assert_uint_eq(message.nfds, 2);
	held = sl_reader_find(&sub->reader, &message);
	ck_assert_ptr_nonnull(held);
	ck_assert_uint_eq(held->token, 1);
	for (uint32_t i = 0; i < 20; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_int_eq(pub->fds, 2);
	ck_assert_int_eq(release(sub, &message), 0);
	for (uint32_t i = 0; i < 20; i++) {
		ck_assert_int_eq(put(pub, i), 0);
		ck_assert_int_eq(take(sub), i);
	}
	ck_assert_int_eq(pub->fds, 0);
}
END_TEST

START_TEST(sender)
{
	struct sluice_identity identity;
	struct sluice_message message;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(get(sub, &message), 1);
	sl_message_sender(&message, &identity);
	ck_assert_int_eq(identity.pid, pub->writer.generation + 1000);
	ck_assert_uint_eq(identity.uid, pub->writer.generation + 2000);
	ck_assert_uint_eq(identity.gid, pub->writer.generation + 3000);
}
END_TEST

START_TEST(publisher_leaves)
{
	struct sluice_message message;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	fake_publisher_leave(pub, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(get(sub, &message), 2);
	ck_assert_int_eq(take(sub), -EPIPE);
	ck_assert_uint_eq(sub->detached[0], 0);
	ck_assert_uint_eq(*(unsigned char *)message.data, 2);
	ck_assert_int_eq(release(sub, &message), 0);
	ck_assert_uint_eq(sub->detached[0], pub->writer.generation);
	ck_assert_int_eq(take(sub), -EPIPE);
	pub = fake_publish(fake);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_int_eq(put(pub, 3), 0);
	ck_assert_int_eq(take(sub), 3);
}
END_TEST

/*
 * Another has the place before the subscriber has seen that the first one left:
 * what it says is there at once, for nothing will tell of it again.
 */
START_TEST(place_of_one_who_left)
{
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(sub), 1);
	fake_publisher_vanish(pub);
	pub = fake_publish(fake);
	ck_assert_uint_eq(pub->writer.index, 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(take(sub), 2);
	ck_assert_int_eq(put(pub, 3), 0);
	ck_assert_int_eq(take(sub), 3);
}
END_TEST

static void come_and_go(void)
{
	struct fake_publisher *brief = fake_publish(fake);

	sub->detaching = NULL;
	ck_assert_int_eq(put(brief, 2), 0);
	fake_publisher_leave(brief, SLUICE_LEFT_EXITED);
}

/*
 * The last publisher came and went after the subscriber had looked at its place.
 * What it left is there, though there is no publisher.
 */
START_TEST(came_and_went_meanwhile)
{
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(sub), 1);
	fake_publisher_leave(pub, SLUICE_LEFT_EXITED);
	sub->detaching = come_and_go;
	ck_assert_int_eq(take(sub), 2);
	ck_assert_int_eq(take(sub), -EPIPE);
}
END_TEST

START_TEST(staying_without_publishers)
{
	struct fake_subscriber *stays = fake_subscribe(fake, 0,
						       SLUICE_JOIN_STAY);

	fake_publisher_leave(pub, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(take(stays), -EAGAIN);
	ck_assert_int_eq(take(sub), -EPIPE);
}
END_TEST

START_TEST(waits_for_a_first_publisher)
{
	struct sluice_config config = { 0 };
	struct fake *empty = fake_new(&config);
	struct fake_subscriber *early = fake_subscribe(empty, 0, 0);

	ck_assert_int_eq(take(early), -EAGAIN);
	fake_publisher_leave(fake_publish(empty), SLUICE_LEFT_EXITED);
	ck_assert_int_eq(take(early), -EPIPE);
	fake_free(empty);
}
END_TEST

/* One whose memory cannot be mapped just now is tried again. */
START_TEST(attach_fails_for_a_while)
{
	struct fake_publisher *late;

	ck_assert_int_eq(take(sub), -EAGAIN);
	sub->no_attach = -ENOMEM;
	late = fake_publish(fake);
	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(late, 2), 0);
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(take(sub), -ENOMEM);
	sub->no_attach = 0;
	ck_assert_int_eq(take(sub), 2);
}
END_TEST

START_TEST(grown_segments_are_found)
{
	struct sluice_config config = { .pool_limit = 65536 };
	struct sluice_message message;

	fake_free(fake);
	setup_with(&config);
	ck_assert_int_eq(put_long(pub, 1, 4096), 0);
	ck_assert_int_eq(put_long(pub, 2, 9000), 0);
	ck_assert_uint_eq(pub->writer.pool.segments, 2);
	ck_assert_int_eq(take(sub), 1);
	pub->no_segments = -EMFILE;
	ck_assert_int_eq(take(sub), -EMFILE);
	pub->no_segments = 0;
	ck_assert_int_eq(get(sub, &message), 2);
	ck_assert_uint_eq(message.length, 9000);
}
END_TEST

START_TEST(statistics)
{
	struct sluice_publisher_stats of_pub;
	struct sluice_subscriber_stats of_sub;
	struct sluice_message message;

	for (uint32_t i = 0; i < 5; i++)
		ck_assert_int_eq(put(pub, i), 0);
	ck_assert_int_eq(get(sub, &message), 0);
	ck_assert_uint_eq(sl_lane_head(&pub->lane)->bytes, 5 * message.length);
	ck_assert_uint_eq(sl_cursor_head(&sub->cursor)->bytes, message.length);
	sl_reader_stats(&sub->reader, &of_sub);
	ck_assert_uint_eq(of_sub.received, 1);
	ck_assert_uint_eq(of_sub.lag, 4);
	ck_assert_uint_eq(of_sub.held, 1);
	ck_assert_uint_eq(of_sub.publishers, 1);
	sl_writer_stats(&pub->writer, &of_pub);
	ck_assert_uint_eq(of_pub.published, 5);
	ck_assert_uint_eq(of_pub.reclaimed, 0);
	ck_assert_uint_eq(of_pub.pool, 4096);
	ck_assert_uint_eq(of_pub.pool_used, 5 * 64);
	ck_assert_uint_eq(of_pub.segments, 1);
	ck_assert_int_eq(get(sub, &message), 1);
	ck_assert_uint_eq(sl_cursor_head(&sub->cursor)->bytes,
			  2 * message.length);
}
END_TEST

Suite *suite_ring(void)
{
	Suite *suite = suite_create("ring");
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nothing_yet);
	tcase_add_test(tc, quiet);
	tcase_add_test(tc, order_and_wrap);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, sizes_beyond_all);
	tcase_add_test(tc, loans_in_any_order);
	tcase_add_test(tc, loan_is_used_once);
	tcase_add_test(tc, loan_of_another);
	tcase_add_test(tc, message_of_another);
	tcase_add_test(tc, loan_shrinks_and_does_not_grow);
	tcase_add_test(tc, loans_keep_their_slots);
	tcase_add_test(tc, batches);
	tcase_add_test(tc, batch_with_a_bad_loan);
	tcase_add_test(tc, held_out_of_order);
	tcase_add_test(tc, release_what_is_not_held);
	tcase_add_test(tc, empty_messages);
	tcase_add_test(tc, takes_turns);
	tcase_add_test(tc, every_subscriber_gets_all);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, sender);
	tcase_add_test(tc, publisher_leaves);
	tcase_add_test(tc, place_of_one_who_left);
	tcase_add_test(tc, came_and_went_meanwhile);
	tcase_add_test(tc, staying_without_publishers);
	tcase_add_test(tc, waits_for_a_first_publisher);
	tcase_add_test(tc, attach_fails_for_a_while);
	tcase_add_test(tc, grown_segments_are_found);
	tcase_add_test(tc, statistics);
	suite_add_tcase(suite, tc);
	return suite;
}
