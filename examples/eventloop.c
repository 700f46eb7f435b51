// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * eventloop - one thread, one epoll(7), any number of channels, and whatever
 * else has a file descriptor: here signals, which end it.
 *
 *	eventloop news weather &
 *	echo rain | sluice pub weather
 */
#include <errno.h>
#include <error.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sluice/sluice.h>

static struct source {
	const char *name;
	struct sluice_subscriber *subscriber;
} sources[16];

static void watch(int epoll, int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		error(1, errno, "epoll_ctl");
}

static void open_source(int epoll, struct source *source, const char *name)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_subscriber_options join = SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	options.flags = SLUICE_OPEN_CREATE;
	join.flags = SLUICE_JOIN_STAY;
	ret = sluice_channel_open(name, &options, &channel) ?:
	      sluice_subscriber_join(channel, &join, &source->subscriber);
	if (ret)
		error(1, -ret, "%s", name);
	source->name = name;
	watch(epoll, sluice_subscriber_fd(source->subscriber), EPOLLIN | EPOLLET, source);
}

/* Edge-triggered: until there is no more. */
static void drain(struct source *source)
{
	struct sluice_message message;
	int ret;

	while (!(ret = sluice_subscriber_try_receive(source->subscriber, &message))) {
		printf("%s: %.*s\n", source->name, (int)message.length, (const char *)message.data);
		sluice_subscriber_release(source->subscriber, &message);
	}
	fflush(stdout);
	if (ret != -EAGAIN)
		error(1, -ret, "%s", source->name);
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;
	sigset_t signals;

	if (argc < 2 || argc > 17)
		error(2, 0, "usage: eventloop NAME... (up to 16)");
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	watch(epoll, signalfd(-1, &signals, SFD_CLOEXEC), EPOLLIN, NULL);
	for (int i = 1; i < argc; i++)
		open_source(epoll, &sources[i - 1], argv[i]);
	while (epoll_wait(epoll, &event, 1, -1) == 1 && event.data.ptr)
		drain(event.data.ptr);
	return 0;
}
