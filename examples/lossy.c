// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lossy - a publisher that waits for nobody, and a subscriber that is too slow:
 * it loses the oldest messages, and is told how many. None is lost silently.
 *
 *	lossy watch ticker 1000 &	a thousandth of a second each
 *	lossy publish ticker 100000	as fast as it can
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

static int publish(struct sluice_channel *channel, uint64_t count)
{
	struct sluice_publisher *publisher;
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	for (uint64_t tick = 0; !ret && tick < count; tick++)
		ret = sluice_publisher_send(publisher, &tick, sizeof(tick), 0,
					    SLUICE_NO_DEADLINE);
	return ret;
}

static int watch(struct sluice_channel *channel, unsigned int microseconds)
{
	struct sluice_subscriber *subscriber;
	struct sluice_subscriber_stats stats;
	struct sluice_message message;
	int ret = sluice_subscriber_join(channel, NULL, &subscriber);

	while (!ret && !(ret = sluice_subscriber_receive(subscriber, &message,
							 SLUICE_NO_DEADLINE))) {
		if (message.lost)
			printf("lost %" PRIu64 " before %" PRIu64 "\n",
			       message.lost, message.position);
		usleep(microseconds);		/* what a slow reader does */
		ret = sluice_subscriber_release(subscriber, &message);
	}
	if (ret != -EPIPE)
		return ret;
	ret = sluice_subscriber_stats(subscriber, &stats, sizeof(stats));
	printf("received %" PRIu64 ", lost %" PRIu64 "\n", stats.received, stats.lost);
	return ret;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc != 4 || (strcmp(argv[1], "publish") && strcmp(argv[1], "watch")))
		error(2, 0, "usage: lossy publish NAME COUNT | watch NAME MICROSECONDS");
	options.flags = SLUICE_OPEN_CREATE;
	options.config.policy = SLUICE_DROP_OLDEST;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = *argv[1] == 'p' ? publish(channel, strtoull(argv[3], NULL, 10)) :
					watch(channel, strtoul(argv[3], NULL, 10));
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
