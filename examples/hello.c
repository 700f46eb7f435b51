/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sluice/sluice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *what, int error)
{
	if (error) {
		fprintf(stderr, "hello: cannot %s: %s\n", what, strerror(-error));
		exit(1);
	}
}

int main(void)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;
	struct sluice_loan loan;
	struct sluice_message message;
	int64_t deadline = sluice_deadline_after(5000000000);

	options.flags = SLUICE_OPEN_CREATE;
	check("open", sluice_channel_open("hello", &options, &channel));
	check("subscribe", sluice_subscriber_join(channel, NULL, &subscriber));
	check("publish", sluice_publisher_join(channel, NULL, &publisher));

	/* Write in place: this is the memory that the subscriber reads. */
	check("loan", sluice_publisher_loan(publisher, 64, &loan, deadline));
	loan.length = snprintf(loan.data, loan.length, "hello, world");
	check("send", sluice_publisher_publish(publisher, &loan));

	check("receive", sluice_subscriber_receive(subscriber, &message, deadline));
	printf("%.*s\n", (int)message.length, (const char *)message.data);
	check("release", sluice_subscriber_release(subscriber, &message));
	return 0;	/* what is open, the kernel closes */
}
