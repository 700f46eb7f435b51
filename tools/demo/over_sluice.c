// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handing over through a channel of Sluice: the publisher reads the file into
 * memory that the readers map. Nothing here copies a byte.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "demo.h"

/*
 * As much history as there is room for: all that the slowest reader has not
 * got yet is there for one that comes back.
 */
#define SLOTS	256
#define HISTORY	(SLOTS - 1)

struct sluice_way {
	struct way way;
	struct sluice_channel *channel;
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;
	struct sluice_loan loan;
};

static struct sluice_way *sluice_way(struct way *way)
{
	return (struct sluice_way *)way;
}

static struct way *make(void)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_way *sw = calloc(1, sizeof(*sw));
	int error;

	if (!sw)
		die("no memory");
	options.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL;
	options.config.policy = SLUICE_BLOCK;
	options.config.slots = SLOTS;
	options.config.history = HISTORY;
	options.config.pool = (uint64_t)SLOTS * CHUNK;
	error = sluice_channel_open(CHANNEL_NAME, &options, &sw->channel);
	if (error)
		die("cannot make a channel: %s", strerror(-error));
	sw->way.ops = &over_sluice;
	return &sw->way;
}

static void free_way(struct way *way)
{
	struct sluice_way *sw = sluice_way(way);

	sluice_channel_close(sw->channel);
	free(sw);
}

static void join_publisher(struct way *way)
{
	struct sluice_way *sw = sluice_way(way);
	int error = sluice_publisher_join(sw->channel, NULL, &sw->publisher);

	if (error)
		die("publisher cannot join: %s", strerror(-error));
}

static void *room(struct way *way)
{
	struct sluice_way *sw = sluice_way(way);
	int error = sluice_publisher_loan(sw->publisher, CHUNK, &sw->loan,
					  SLUICE_NO_DEADLINE);

	if (error)
		die("publisher gets no room: %s", strerror(-error));
	return sw->loan.data;
}

static void send_chunk(struct way *way, size_t length)
{
	struct sluice_way *sw = sluice_way(way);
	int error;

	sw->loan.length = length;
	error = sluice_publisher_publish(sw->publisher, &sw->loan);
	if (error)
		die("publisher cannot publish: %s", strerror(-error));
}

static void finish(struct way *way)
{
	sluice_publisher_close(sluice_way(way)->publisher);
}

static void join_reader(struct way *way, enum role reader)
{
	struct sluice_way *sw = sluice_way(way);
	int error = sluice_subscriber_join(sw->channel, NULL, &sw->subscriber);

	if (error)
		die("%s cannot join: %s", role_name(reader), strerror(-error));
}

static bool next(struct way *way, struct chunk *chunk)
{
	struct sluice_way *sw = sluice_way(way);
	int error;

	do {
		error = sluice_subscriber_receive(sw->subscriber, &chunk->message,
						  SLUICE_NO_DEADLINE);
	} while (error == -EINTR);
	if (error == -EPIPE) {
		sluice_subscriber_close(sw->subscriber);
		return false;
	}
	if (error)
		die("cannot receive: %s", strerror(-error));
	/* Nobody may lose anything while it lives: the policy is to wait. */
	if (chunk->message.lost)
		die("lost %llu messages", (unsigned long long)chunk->message.lost);
	chunk->data = chunk->message.data;
	chunk->length = chunk->message.length;
	chunk->position = chunk->message.position;
	return true;
}

static void release(struct way *way, struct chunk *chunk)
{
	int error = sluice_subscriber_release(sluice_way(way)->subscriber,
					      &chunk->message);

	if (error)
		die("cannot release: %s", strerror(-error));
}

const struct way_ops over_sluice = {
	.name = "sluice",
	.make = make,
	.free = free_way,
	.join_publisher = join_publisher,
	.room = room,
	.send = send_chunk,
	.finish = finish,
	.join_reader = join_reader,
	.next = next,
	.release = release,
};
