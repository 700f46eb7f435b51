// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * funnel - several writers, one connection: the kernel writes each message
 * whole, also when writers are killed and the peer is slow.
 *
 *	nc -l -p 5140 >log &
 *	funnel 127.0.0.1 5140 4 100	four writers with a hundred lines each
 */
#include <errno.h>
#include <error.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sluice/sluice.h>

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int fd, ret = getaddrinfo(host, port, &hints, &found);

	if (ret)
		error(1, 0, "%s: %s", host, gai_strerror(ret));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		error(1, errno, "%s:%s", host, port);
	freeaddrinfo(found);
	return fd;
}

/* A process of its own; any program that opens the channel could do it. */
static int write_lines(struct sluice_channel *channel, int writer, int lines)
{
	struct sluice_publisher *publisher;
	char line[256];
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	for (int i = 0; !ret && i < lines; i++) {
		int length = snprintf(line, sizeof(line), "writer %d: line %d", writer, i);

		ret = sluice_publisher_send(publisher, line, length, 0, SLUICE_NO_DEADLINE);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_feed_options feed_options = SLUICE_FEED_OPTIONS_INIT;
	struct sluice_channel *channel;
	struct sluice_feed *feed;
	int ret;

	if (argc != 5)
		error(2, 0, "usage: funnel HOST PORT WRITERS LINES");
	options.config.pattern = SLUICE_QUEUE;
	/* It does not end because the first writer is done before the last one begins. */
	feed_options.flags = SLUICE_FEED_LINES | SLUICE_FEED_STAY;
	ret = sluice_channel_open_anonymous(&options, &channel);
	if (!ret)
		ret = sluice_feed_attach(channel, connect_to(argv[1], argv[2]),
					 &feed_options, &feed);
	if (ret)
		error(1, -ret, "cannot feed the connection");
	for (int writer = 0; writer < atoi(argv[3]); writer++)
		if (!fork())
			_exit(write_lines(channel, writer, atoi(argv[4])) != 0);
	while (wait(NULL) > 0)
		;
	ret = sluice_feed_stop(feed, SLUICE_FEED_DRAIN, SLUICE_NO_DEADLINE);
	if (ret)
		error(1, -ret, "the connection");
	sluice_feed_close(feed);
	return 0;
}
