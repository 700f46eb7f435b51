// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * latest - history: who comes late gets the last messages first.
 *
 *	latest publish settings <settings.conf &	stays, until it is killed
 *	latest show settings				the last eight lines
 */
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

static int publish(struct sluice_channel *channel)
{
	struct sluice_publisher *publisher;
	char line[256];
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	while (!ret && fgets(line, sizeof(line), stdin))
		ret = sluice_publisher_send(publisher, line, strlen(line), 0,
					    SLUICE_NO_DEADLINE);
	if (!ret) {
		puts("published");
		fflush(stdout);
		pause();	/* what a publisher has said goes when it does */
	}
	return ret;
}

static int show(struct sluice_channel *channel)
{
	struct sluice_subscriber *subscriber;
	struct sluice_message message;
	int ret = sluice_subscriber_join(channel, NULL, &subscriber);

	/* What is there when one joins can be received at once. */
	while (!ret) {
		ret = sluice_subscriber_try_receive(subscriber, &message);
		if (ret)
			break;
		fwrite(message.data, 1, message.length, stdout);
		ret = sluice_subscriber_release(subscriber, &message);
	}
	return ret == -EAGAIN ? 0 : ret;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc != 3 || (strcmp(argv[1], "publish") && strcmp(argv[1], "show")))
		error(2, 0, "usage: latest publish|show NAME");
	if (!strcmp(argv[1], "publish"))
		options.flags = SLUICE_OPEN_CREATE;
	options.config.history = 8;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = options.flags ? publish(channel) : show(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
