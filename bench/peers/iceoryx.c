// SPDX-License-Identifier: GPL-2.0-only
/*
 * iceoryx 2, through its C binding. Its daemon must run.
 *
 * needs: iceoryx_binding_c/publisher.h
 * cflags: -I/usr/include/iceoryx/v2.0.3
 * libs: -liceoryx_binding_c
 */
#include <stdlib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>

#include "../bench.h"

struct link {
	struct bench_shape shape;
	char name[32];
	iox_pub_storage_t publisher_room;
	iox_pub_t publisher;
	iox_sub_storage_t subscriber_room;
	iox_sub_t subscriber;
	const void *chunk;
};

static const char *missing(void)
{
	return access("/tmp/roudi", F_OK) ? "its daemon does not run" : NULL;
}

static void *open_link(const struct bench_shape *shape)
{
	static unsigned int serial;
	struct link *link = calloc(1, sizeof(*link));

	link->shape = *shape;
	snprintf(link->name, sizeof(link->name), "%d-%u", (int)getpid(),
		 serial++);
	return link;
}

/* Once in each process; it must not exist in the parent. */
static void runtime(void)
{
	static bool there;
	char name[32];

	if (there)
		return;
	there = true;
	iox_set_loglevel(Iceoryx_LogLevel_Error);
	snprintf(name, sizeof(name), "bench-%d", (int)getpid());
	iox_runtime_init(name);
}

static void join_sender(void *data, unsigned int index)
{
	struct link *link = data;
	iox_pub_options_t options;

	(void)index;
	runtime();
	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy =
		ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
	link->publisher = iox_pub_init(&link->publisher_room, "sluice-bench",
				       link->name, "message", &options);
	bench_check(link->publisher);
	iox_pub_offer(link->publisher);
}

static void join_receiver(void *data, unsigned int index)
{
	struct link *link = data;
	iox_sub_options_t options;

	(void)index;
	runtime();
	iox_sub_options_init(&options);
	options.queueCapacity = 128;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
	link->subscriber = iox_sub_init(&link->subscriber_room, "sluice-bench",
					link->name, "message", &options);
	bench_check(link->subscriber);
	iox_sub_subscribe(link->subscriber);
	while (iox_sub_get_subscription_state(link->subscriber) !=
	       SubscribeState_SUBSCRIBED)
		usleep(1000);
}

static void *room(void *data, size_t size)
{
	struct link *link = data;
	void *chunk = NULL;

	while (!iox_pub_has_subscribers(link->publisher))
		usleep(1000);
	while (iox_pub_loan_chunk(link->publisher, &chunk, size) !=
	       AllocationResult_SUCCESS)
		bench_relax();
	return chunk;
}

static void push(void *data, void *chunk, size_t size)
{
	(void)size;
	iox_pub_publish_chunk(((struct link *)data)->publisher, chunk);
}

static void flush(void *link)
{
	(void)link;
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;

	(void)size;
	while (iox_sub_take_chunk(link->subscriber, &link->chunk) !=
	       ChunkReceiveResult_SUCCESS)
		bench_relax();
	return link->chunk;
}

static void release(void *data)
{
	struct link *link = data;

	iox_sub_release_chunk(link->subscriber, link->chunk);
}

static void close_link(void *data)
{
	free(data);
}

static struct bench_link iceoryx = {
	.name = "iceoryx",
	.title = "iceoryx 2",
	.can = LINK_BUSY | LINK_STREAM | LINK_IN_PLACE,
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
BENCH_LINK(iceoryx);
