// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * broadcast - every subscriber gets every sample of every publisher, and is
 * told by the kernel who sent it.
 *
 *	broadcast subscribe load &	as many as you like
 *	broadcast publish load 5	five samples; as many as you like
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sluice/sluice.h>

struct sample {
	uint64_t number;
	double load;
};

static int publish(struct sluice_channel *channel, uint64_t count)
{
	struct sluice_publisher *publisher;
	struct sluice_loan loan;
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	for (uint64_t number = 0; !ret && number < count; number++) {
		ret = sluice_publisher_loan(publisher, sizeof(struct sample),
					    &loan, SLUICE_NO_DEADLINE);
		if (ret)
			break;
		struct sample *sample = loan.data;

		sample->number = number;
		if (getloadavg(&sample->load, 1) != 1)
			sample->load = 0;
		ret = sluice_publisher_publish(publisher, &loan);
		usleep(100000);
	}
	return ret;
}

static int subscribe(struct sluice_channel *channel)
{
	struct sluice_subscriber *subscriber;
	struct sluice_message message;
	struct sluice_identity sender;
	int ret = sluice_subscriber_join(channel, NULL, &subscriber);

	while (!ret && !(ret = sluice_subscriber_receive(subscriber, &message,
							 SLUICE_NO_DEADLINE))) {
		const struct sample *sample = message.data;

		if (message.length == sizeof(*sample) &&
		    !sluice_subscriber_sender(subscriber, &message, &sender, sizeof(sender)))
			printf("%" PRIu64 ": load %.2f, from process %d of user %u\n",
			       sample->number, sample->load, sender.pid, sender.uid);
		ret = sluice_subscriber_release(subscriber, &message);
	}
	return ret == -EPIPE ? 0 : ret;		/* the last publisher has left */
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc < 3)
		error(2, 0, "usage: broadcast subscribe NAME | publish NAME COUNT");
	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = argc > 3 ? publish(channel, strtoull(argv[3], NULL, 10)) : subscribe(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
