// SPDX-License-Identifier: LGPL-2.1-or-later
/* Feeds: a queue's messages into a stream socket, written by the kernel. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "alive.h"
#include "call.h"

/**
 * struct sluice_feed - a feed
 * @fd: of it
 * @alive: see alive.h
 */
struct sluice_feed {
	int fd;
	uint32_t alive;
};

int sluice_feed_attach(const struct sluice_channel *channel, int socket,
		       const struct sluice_feed_options *options,
		       struct sluice_feed **out)
{
	struct sluice_feed_options known = SLUICE_FEED_OPTIONS_INIT;
	struct sluice_feed_open call = { .socket = socket };
	struct sluice_feed *feed;
	int err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	call.flags = known.flags;
	call.policy = known.policy;
	call.resv = known.resv;
	feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	feed->alive = sl_alive_number();
	if (!feed->alive) {
		free(feed);
		return -ENOMEM;
	}
	feed->fd = sl_call(sluice_channel_fd(channel), SLUICE_IOC_FEED, &call);
	if (feed->fd < 0) {
		err = feed->fd == -ENOTTY ? -EOPNOTSUPP : feed->fd;
		free(feed);
		return err;
	}
	*out = feed;
	return 0;
}

void sluice_feed_close(struct sluice_feed *feed)
{
	if (!feed)
		return;
	close(feed->fd);
	free(feed);
}

int sluice_feed_fd(const struct sluice_feed *feed)
{
	return feed->fd;
}

static int feed_call(const struct sluice_feed *feed, unsigned long request,
		     void *argument)
{
	if (!sl_alive(feed->alive))
		return -ECHILD;
	return sl_call(feed->fd, request, argument);
}

/*
 * -ETIMEDOUT is the deadline's, and what a socket says whose peer no longer
 * answers: then the feed has ended, and says so again at once.
 */
static int feed_result(const struct sluice_feed *feed, int result)
{
	struct pollfd ended = { .fd = feed->fd };
	struct sluice_wait call = { 0 };

	if (result != -ETIMEDOUT || poll(&ended, 1, 0) <= 0)
		return result;
	result = feed_call(feed, SLUICE_IOC_WAIT, &call);
	return result == -ETIMEDOUT ? -ECONNRESET : result;
}

int sluice_feed_wait(struct sluice_feed *feed, int64_t deadline)
{
	struct sluice_wait call = { .deadline = deadline < 0 ? 0 : deadline };

	return feed_result(feed, feed_call(feed, SLUICE_IOC_WAIT, &call));
}

int sluice_feed_stop(struct sluice_feed *feed, uint32_t flags,
		     int64_t deadline)
{
	struct sluice_feed_stop call = {
		.flags = flags,
		.deadline = deadline < 0 ? 0 : deadline,
	};

	return feed_result(feed, feed_call(feed, SLUICE_IOC_FEED_STOP, &call));
}

int sluice_feed_stat(const struct sluice_feed *feed,
		     struct sluice_feed_stat *stat, size_t size)
{
	struct sluice_feed_stat known = { 0 };
	int err = feed_call(feed, SLUICE_IOC_FEED_STAT, &known);

	if (!err)
		sl_result_give(stat, size, &known, sizeof(known));
	return err;
}
