/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Check suites, and what they share. */
#ifndef SLUICE_TESTS_SUITES_H
#define SLUICE_TESTS_SUITES_H

#include <check.h>
#include <errno.h>
#include <string.h>

#include "fake.h"

Suite *suite_pool(void);
Suite *suite_ring(void);
Suite *suite_policy(void);
Suite *suite_queue(void);
Suite *suite_lies(void);
Suite *suite_events(void);
Suite *suite_structs(void);
Suite *suite_endpoint(void);
Suite *suite_locks(void);
Suite *suite_stress(void);

/* Publish one number, as a message of @length bytes that repeat it. */
static inline int put_long(struct fake_publisher *publisher, uint32_t number,
			   size_t length)
{
	struct sluice_loan loan;
	int err = sl_writer_loan(&publisher->writer, length, &loan);

	if (err)
		return err;
	if (length)
		memset(loan.data, number, length);
	loan.type = number;
	ck_assert_int_eq(sl_writer_publish(&publisher->writer, &loan, 1), 1);
	return 0;
}

static inline int put(struct fake_publisher *publisher, uint32_t number)
{
	return put_long(publisher, number, 8);
}

/* Receive one message without waiting: its number, or an error. */
static inline int get(struct fake_subscriber *subscriber,
		      struct sluice_message *message)
{
	ssize_t n = sl_reader_receive(&subscriber->reader, message, 1);
	const unsigned char *bytes = message->data;
	size_t same = 0;

	if (n < 0)
		return n;
	ck_assert_int_eq(n, 1);
	while (same < message->length && bytes[same] == (message->type & 0xff))
		same++;
	ck_assert_uint_eq(same, message->length);
	return message->type;
}

static inline int release(struct fake_subscriber *subscriber,
			  struct sluice_message *message)
{
	return sl_reader_release(&subscriber->reader, message, 1);
}

/* Receive and release at once. */
static inline int take(struct fake_subscriber *subscriber)
{
	struct sluice_message message;
	int number = get(subscriber, &message);

	if (number >= 0)
		ck_assert_int_eq(release(subscriber, &message), 0);
	return number;
}

#endif /* SLUICE_TESTS_SUITES_H */
