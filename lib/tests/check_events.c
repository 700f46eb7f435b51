// SPDX-License-Identifier: LGPL-2.1-or-later
/* What an endpoint's user is told about the peers. */
#include "ring/atomic.h"
#include "suites.h"

static struct fake *fake;
static struct fake_subscriber *sub;
static struct sluice_event event;

static void setup(void)
{
	struct sluice_config config = { 0 };

	fake = fake_new(&config);
	sub = fake_subscribe(fake, 0, 0);
}

static void teardown(void)
{
	fake_free(fake);
}

static int next(void)
{
	int err = sl_reader_next_event(&sub->reader, &event);

	return err ? err : (int)event.type;
}

static uint64_t seen(void)
{
	return sl_cursor_head(&sub->cursor)->member_seen;
}

static uint64_t seq(void)
{
	return sl_members_head(&fake->members)->seq;
}

START_TEST(join_and_leave)
{
	struct fake_publisher *pub = fake_publish(fake);

	ck_assert_uint_ne(seen(), seq());
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.role, SLUICE_PUBLISHER);
	ck_assert_uint_eq(event.index, 0);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(event.pid, pub->writer.generation + 1000);
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_uint_eq(seen(), seq());
	fake_publisher_leave(pub, SLUICE_LEFT_KILLED);
	ck_assert_uint_ne(seen(), seq());
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.reason, SLUICE_LEFT_KILLED);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

/* Noted while receiving: poll() must tell, though the table is unchanged. */
START_TEST(the_end_is_an_event)
{
	struct fake_publisher *pub = fake_publish(fake);

	ck_assert_int_eq(put(pub, 1), 0);
	fake_publisher_leave(pub, SLUICE_LEFT_EXITED);
	while (next() != -EAGAIN)
		;
	ck_assert_uint_eq(seen(), seq());
	ck_assert_int_eq(take(sub), 1);
	ck_assert_uint_eq(seen(), seq());
	ck_assert_int_eq(take(sub), -EPIPE);
	ck_assert_uint_ne(seen(), seq());
	ck_assert_int_eq(next(), SLUICE_EVENT_ENDED);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_uint_eq(seen(), seq());
}
END_TEST

/* Came, was read, left, and nobody asked meanwhile: the whole story is told. */
START_TEST(all_at_once)
{
	struct fake_publisher *pub = fake_publish(fake);

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(sub), 1);
	fake_publisher_leave(pub, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(take(sub), -EPIPE);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.reason, SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(next(), SLUICE_EVENT_ENDED);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

START_TEST(a_liar_is_named)
{
	struct fake_publisher *pub = fake_publish(fake);

	ck_assert_int_eq(put(pub, 1), 0);
	sl_slot(&pub->lane, 0)->flags = 1;
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_int_eq(next(), SLUICE_EVENT_CORRUPT);
	ck_assert_int_eq(next(), -EAGAIN);
	fake_publisher_leave(pub, SLUICE_LEFT_EXITED);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

/* Another has the place already: how the first one left is not known. */
START_TEST(place_is_taken_again)
{
	struct fake_publisher *pub = fake_publish(fake);
	struct sluice_member *entry =
		sl_member(&fake->members, SLUICE_PUBLISHER, 0);
	uint64_t generation = pub->writer.generation;

	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	entry->generation = generation + 10;
	sl_members_head(&fake->members)->seq++;
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.generation, generation);
	ck_assert_uint_eq(event.reason, 0);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.generation, generation + 10);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

/* Somebody else has the place of one of whom not all is read. */
static struct fake_publisher *successor_of(struct fake_publisher *pub)
{
	fake_publisher_leave(pub, SLUICE_LEFT_CLOSED);
	sl_member(&fake->members, SLUICE_PUBLISHER, 0)->state = SLUICE_FREE;
	fake->publishers[0] = NULL;
	fake->publishers[FAKE_PLACES - 1] = pub;
	return fake_publish(fake);
}

START_TEST(the_end_after_a_successor)
{
	struct fake_publisher *pub = fake_publish(fake), *successor;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(take(sub), 1);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_int_eq(next(), -EAGAIN);
	successor = successor_of(pub);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.generation, successor->writer.generation);
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_int_eq(put(successor, 3), 0);
	ck_assert_int_eq(take(sub), 2);
	ck_assert_int_eq(take(sub), 3);
	ck_assert_int_eq(next(), SLUICE_EVENT_ENDED);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(next(), -EAGAIN);
	fake_publisher_leave(successor, SLUICE_LEFT_EXITED);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.generation, successor->writer.generation);
	ck_assert_uint_eq(event.reason, SLUICE_LEFT_EXITED);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

START_TEST(a_liar_after_a_successor)
{
	struct fake_publisher *pub = fake_publish(fake);

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(put(pub, 2), 0);
	ck_assert_int_eq(take(sub), 1);
	successor_of(pub);
	while (next() != -EAGAIN)
		;
	sl_slot(&pub->lane, 1)->flags = 1;
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(next(), SLUICE_EVENT_CORRUPT);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

/* Read to its end, and the next at its place lied, before anybody asked. */
START_TEST(an_end_before_a_liar)
{
	struct fake_publisher *pub = fake_publish(fake), *liar;

	ck_assert_int_eq(put(pub, 1), 0);
	ck_assert_int_eq(take(sub), 1);
	liar = successor_of(pub);
	ck_assert_int_eq(put(liar, 2), 0);
	sl_slot(&liar->lane, 0)->flags = 1;
	ck_assert_int_eq(take(sub), -EPROTO);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_int_eq(next(), SLUICE_EVENT_ENDED);
	ck_assert_uint_eq(event.generation, pub->writer.generation);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.generation, liar->writer.generation);
	ck_assert_int_eq(next(), SLUICE_EVENT_CORRUPT);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

START_TEST(table_changes_while_it_is_read)
{
	struct fake_publisher *pubs[3];

	for (int i = 0; i < 3; i++)
		pubs[i] = fake_publish(fake);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	fake_publisher_leave(pubs[0], SLUICE_LEFT_CLOSED);
	ck_assert_int_eq(next(), SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.index, 0);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.index, 2);
	ck_assert_int_eq(next(), -EAGAIN);
}
END_TEST

START_TEST(entry_in_motion)
{
	fake_publish(fake);
	fake_in_motion(fake, SLUICE_PUBLISHER, 0, true);
	ck_assert_int_eq(next(), -EAGAIN);
	ck_assert_uint_ne(seen(), seq());
	fake_in_motion(fake, SLUICE_PUBLISHER, 0, false);
	ck_assert_int_eq(next(), SLUICE_EVENT_JOINED);
}
END_TEST

START_TEST(a_publisher_is_told_too)
{
	struct fake_publisher *pub = fake_publish(fake);
	struct sl_writer *writer = &pub->writer;

	ck_assert_int_eq(sl_writer_next_event(writer, &event), 0);
	ck_assert_uint_eq(event.type, SLUICE_EVENT_JOINED);
	ck_assert_uint_eq(event.role, SLUICE_SUBSCRIBER);
	ck_assert_int_eq(sl_writer_next_event(writer, &event), -EAGAIN);
	ck_assert_uint_eq(sl_lane_head(&pub->lane)->member_seen, seq());
	fake_subscriber_leave(sub, SLUICE_LEFT_EXITED);
	ck_assert_int_eq(sl_writer_next_event(writer, &event), 0);
	ck_assert_uint_eq(event.type, SLUICE_EVENT_LEFT);
	ck_assert_uint_eq(event.reason, SLUICE_LEFT_EXITED);
}
END_TEST

/* While it sleeps the kernel must compare with what the reader knows. */
START_TEST(sleep_and_awake)
{
	fake_publish(fake);
	ck_assert_int_eq(take(sub), -EAGAIN);
	ck_assert_uint_ne(seen(), seq());
	sl_reader_sleep(&sub->reader);
	ck_assert_uint_eq(seen(), seq());
	sl_reader_awake(&sub->reader);
	ck_assert_uint_ne(seen(), seq());
}
END_TEST

Suite *suite_events(void)
{
	Suite *suite = suite_create("events");
	TCase *tc = tcase_create("events");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, join_and_leave);
	tcase_add_test(tc, the_end_is_an_event);
	tcase_add_test(tc, all_at_once);
	tcase_add_test(tc, a_liar_is_named);
	tcase_add_test(tc, place_is_taken_again);
	tcase_add_test(tc, the_end_after_a_successor);
	tcase_add_test(tc, a_liar_after_a_successor);
	tcase_add_test(tc, an_end_before_a_liar);
	tcase_add_test(tc, table_changes_while_it_is_read);
	tcase_add_test(tc, entry_in_motion);
	tcase_add_test(tc, a_publisher_is_told_too);
	tcase_add_test(tc, sleep_and_awake);
	suite_add_tcase(suite, tc);
	return suite;
}
