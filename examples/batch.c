// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * batch - many small messages, up to 32 with one call: cheaper than one by one,
 * because there is one fence, and at most one wake-up, for all of them.
 *
 *	batch sum numbers &
 *	batch publish numbers 1000000		the numbers 1 to 1000000
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sluice/sluice.h>

#define MOST 32

static int publish(struct sluice_channel *channel, uint64_t count)
{
	struct sluice_publisher *publisher;
	struct sluice_loan loans[MOST];
	uint64_t number = 0;
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	while (!ret && number < count) {
		size_t wanted = count - number < MOST ? count - number : MOST;
		ssize_t sent, lent = sluice_publisher_loan_batch(publisher,
			sizeof(number), loans, wanted, SLUICE_NO_DEADLINE);

		if (lent < 0)
			return lent;
		for (ssize_t i = 0; i < lent; i++)
			*(uint64_t *)loans[i].data = ++number;
		for (ssize_t i = 0; i < lent; i += sent) {
			sent = sluice_publisher_publish_batch(publisher, loans + i, lent - i);
			if (sent < 0)
				return sent;
		}
	}
	return ret;
}

static int sum(struct sluice_channel *channel)
{
	struct sluice_subscriber *subscriber;
	struct sluice_message messages[MOST];
	uint64_t total = 0, count = 0, calls = 0;
	ssize_t got = 0;
	int ret = sluice_subscriber_join(channel, NULL, &subscriber);

	while (!ret && (got = sluice_subscriber_receive_batch(subscriber, messages,
						MOST, SLUICE_NO_DEADLINE)) > 0) {
		for (ssize_t i = 0; i < got; i++)
			if (messages[i].length == sizeof(total))
				total += *(const uint64_t *)messages[i].data;
		count += got;
		calls++;
		ret = sluice_subscriber_release_batch(subscriber, messages, got);
	}
	printf("%" PRIu64 " messages, %" PRIu64 " calls, sum %" PRIu64 "\n", count, calls, total);
	return got == -EPIPE ? ret : got;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc < 3)
		error(2, 0, "usage: batch sum NAME | publish NAME COUNT");
	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = argc > 3 ? publish(channel, strtoull(argv[3], NULL, 10)) : sum(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
