// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * frames - pictures of 2 MB each, as of a camera, drawn where the readers see
 * them: nobody copies a byte. A reader holds two at once to tell what moved.
 *
 *	frames watch lens &		as many as you like
 *	frames shoot lens 30		thirty pictures
 */
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

enum { WIDTH = 1920, HEIGHT = 1080, BAR = 40 };	/* a bright bar moves */

static int shoot(struct sluice_channel *channel, int count)
{
	struct sluice_publisher *publisher;
	struct sluice_loan loan;
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	for (int number = 0; !ret && number < count; number++) {
		ret = sluice_publisher_loan(publisher, WIDTH * HEIGHT, &loan, SLUICE_NO_DEADLINE);
		if (ret)
			break;
		memset(loan.data, 16, WIDTH * HEIGHT);
		for (int row = 0; row < HEIGHT; row++)
			memset(loan.data + row * WIDTH + number * BAR % WIDTH, 235, BAR);
		ret = sluice_publisher_publish(publisher, &loan);
	}
	return ret;
}

static void compare(int number, const char *old, const char *new)
{
	int pixels = 0;

	for (int i = 0; i < WIDTH * HEIGHT; i++)
		pixels += old[i] != new[i];
	printf("picture %d: %d pixels changed\n", number, pixels);
}

static int watch(struct sluice_channel *channel)
{
	struct sluice_message message, previous = { 0 };
	struct sluice_subscriber *subscriber;
	int ret = sluice_subscriber_join(channel, NULL, &subscriber);

	while (!ret && !(ret = sluice_subscriber_receive(subscriber, &message,
							 SLUICE_NO_DEADLINE))) {
		if (message.length != WIDTH * HEIGHT)
			return -EPROTO;
		if (previous.data) {
			compare(message.position, previous.data, message.data);
			ret = sluice_subscriber_release(subscriber, &previous);
		}
		previous = message;
	}
	return ret == -EPIPE ? 0 : ret;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc < 3)
		error(2, 0, "usage: frames watch NAME | shoot NAME COUNT");
	options.flags = SLUICE_OPEN_CREATE;
	options.config.pool = 8 * WIDTH * HEIGHT;	/* under way at once */
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = argc > 3 ? shoot(channel, atoi(argv[3])) : watch(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
