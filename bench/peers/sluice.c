// SPDX-License-Identifier: GPL-2.0-only
/* Sluice itself, through libsluice as any program uses it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/sluice.h>

#include "../bench.h"

#define BATCH_MAX	64
#define POOL_MIN	(64u << 10)

struct link {
	struct bench_shape shape;
	struct sluice_channel *channel;
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;
	/* Loaned or received together, and how far that is used. */
	struct sluice_loan loans[BATCH_MAX];
	struct sluice_message messages[BATCH_MAX];
	unsigned int batch;
	unsigned int loaned, pushed;
	unsigned int received, released;
};

static const char *missing(void)
{
	struct sluice_info info;

	return sluice_query_info(&info, sizeof(info)) ?
		"the module is not loaded" : NULL;
}

static unsigned int power_of_two(unsigned int n)
{
	unsigned int power = 16;

	while (power < n)
		power *= 2;
	return power;
}

static void *open_link(const struct bench_shape *shape)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct link *link = calloc(1, sizeof(*link));
	size_t cell = (shape->size + 63) / 64 * 64;

	link->shape = *shape;
	link->batch = shape->batch < BATCH_MAX ? shape->batch : BATCH_MAX;
	options.config.pattern = shape->queue ? SLUICE_QUEUE : SLUICE_BROADCAST;
	options.config.publishers = shape->senders;
	options.config.subscribers = shape->receivers;
	options.config.slots = power_of_two(shape->depth);
	options.config.held = 2 * BATCH_MAX;
	options.config.pool = cell * (shape->depth + 2);
	if (options.config.pool < POOL_MIN)
		options.config.pool = POOL_MIN;
	bench_try(sluice_channel_open_anonymous(&options, &link->channel));
	return link;
}

static void join_sender(void *data, unsigned int index)
{
	struct sluice_publisher_options options = SLUICE_PUBLISHER_OPTIONS_INIT;
	struct link *link = data;

	(void)index;
	if (link->shape.sleep)
		options.spin = 0;
	bench_try(sluice_publisher_join(link->channel, &options,
					&link->publisher));
}

static void join_receiver(void *data, unsigned int index)
{
	struct sluice_subscriber_options options =
		SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct link *link = data;

	(void)index;
	if (link->shape.sleep)
		options.spin = 0;
	options.prefetch = link->shape.queue ? BATCH_MAX : 1;
	bench_try(sluice_subscriber_join(link->channel, &options,
					 &link->subscriber));
}

static void borrow(struct link *link, size_t size)
{
	int64_t deadline = link->shape.sleep ? SLUICE_NO_DEADLINE : 0;
	ssize_t n;

	do {
		n = sluice_publisher_loan_batch(link->publisher, size,
						link->loans, link->batch,
						deadline);
	} while (n == -EAGAIN);
	link->loaned = bench_sys(n, "sluice_publisher_loan_batch");
	link->pushed = 0;
}

static void *room(void *data, size_t size)
{
	struct link *link = data;

	if (link->pushed == link->loaned)
		borrow(link, size);
	return link->loans[link->pushed].data;
}

static void flush(void *data)
{
	struct link *link = data;

	if (!link->pushed)
		return;
	bench_try(sluice_publisher_publish_batch(link->publisher, link->loans,
						 link->pushed));
	link->loaned -= link->pushed;
	memmove(link->loans, link->loans + link->pushed,
		link->loaned * sizeof(link->loans[0]));
	link->pushed = 0;
}

/* What was borrowed together goes together, even if it was less than asked. */
static void push(void *data, void *where, size_t size)
{
	struct link *link = data;

	(void)where;
	(void)size;
	link->pushed++;
	if (link->pushed == link->loaned)
		flush(link);
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;
	int64_t deadline = link->shape.sleep ? SLUICE_NO_DEADLINE : 0;
	ssize_t n;

	if (link->released == link->received) {
		while ((n = sluice_subscriber_receive_batch(
				link->subscriber, link->messages,
				link->shape.queue ? BATCH_MAX : link->batch,
				deadline)) == -EAGAIN)
			bench_relax();
		link->received = bench_sys(n, "sluice_subscriber_receive_batch");
		link->released = 0;
	}
	bench_check(link->messages[link->released].length == size);
	bench_check(!link->messages[link->released].lost);
	return link->messages[link->released].data;
}

static void release(void *data)
{
	struct link *link = data;

	if (++link->released < link->received)
		return;
	bench_try(sluice_subscriber_release_batch(link->subscriber,
						  link->messages,
						  link->received));
}

static void close_link(void *data)
{
	struct link *link = data;

	sluice_channel_close(link->channel);
	free(link);
}

static struct bench_link sluice = {
	.name = "sluice",
	.title = "Sluice channel",
	.can = LINK_BUSY | LINK_SLEEP | LINK_STREAM | LINK_FANOUT |
		LINK_FUNNEL | LINK_IN_PLACE,
	.missing = missing,
	.open = open_link,
	.join_sender = join_sender,
	.join_receiver = join_receiver,
	.room = room,
	.push = push,
	.flush = flush,
	.receive = receive,
	.release = release,
	.close = close_link,
};
BENCH_LINK(sluice);

/* --- locks ------------------------------------------------------------------- */

struct own {
	struct sluice_lockspace *lockspace;
	struct sluice_holder *holder;
	struct sluice_item item;
};

static void *open_lock(void)
{
	struct own *own = calloc(1, sizeof(*own));

	bench_try(sluice_lockspace_open_anonymous(NULL, &own->lockspace));
	return own;
}

static void join_lock(void *data)
{
	struct own *own = data;

	bench_try(sluice_holder_open(NULL, &own->holder));
	own->item = sluice_item_name(own->lockspace, "bench", SLUICE_EX);
}

static void lock(void *data)
{
	struct own *own = data;

	bench_try(sluice_holder_lock(own->holder, &own->item, 1,
				     sizeof(own->item), NULL, NULL));
}

static void unlock(void *data)
{
	struct own *own = data;

	bench_try(sluice_holder_unlock(own->holder, &own->item, 1,
				       sizeof(own->item)));
}

static void close_lock(void *data)
{
	struct own *own = data;

	sluice_lockspace_close(own->lockspace);
	free(own);
}

static struct bench_lock strict = {
	.name = "sluice",
	.title = "Sluice lockspace, strict: through the kernel",
	.can = LOCK_WAITS,
	.missing = missing,
	.open = open_lock,
	.join = join_lock,
	.lock = lock,
	.unlock = unlock,
	.close = close_lock,
};
BENCH_LOCK(strict);

static void *open_trusted(void)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct own *own = calloc(1, sizeof(*own));

	options.config.flags = SLUICE_LOCKSPACE_TRUSTED;
	bench_try(sluice_lockspace_open_anonymous(&options, &own->lockspace));
	bench_try(sluice_lockspace_trust(own->lockspace));
	return own;
}

/* The holder is the thread's own. */
static void join_trusted(void *data)
{
	(void)data;
}

static void lock_trusted(void *data)
{
	struct own *own = data;

	bench_try(sluice_lock(own->lockspace, "bench", SLUICE_EX,
			      SLUICE_NO_DEADLINE));
}

static void unlock_trusted(void *data)
{
	struct own *own = data;

	bench_try(sluice_unlock(own->lockspace, "bench"));
}

static struct bench_lock trusted = {
	.name = "sluice_trusted",
	.title = "Sluice lockspace, trusted: by a word that is shared",
	.can = LOCK_WAITS,
	.missing = missing,
	.open = open_trusted,
	.join = join_trusted,
	.lock = lock_trusted,
	.unlock = unlock_trusted,
	.close = close_lock,
};
BENCH_LOCK(trusted);
