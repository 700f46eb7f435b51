// SPDX-License-Identifier: LGPL-2.1-or-later
/* Subscribers: the reader of ring/ on what the kernel maps. */
#include <errno.h>
#include <stdlib.h>

#include <sluice/sluice.h>

#include "area.h"
#include "call.h"
#include "endpoint.h"
#include "ring/atomic.h"
#include "ring/reader.h"

/**
 * struct sluice_subscriber - a subscriber
 * @endpoint: descriptor and member table
 * @cursor: its memory
 * @reader: everything else
 * @waits: times it slept
 */
struct sluice_subscriber {
	struct sl_endpoint endpoint;
	struct sl_cursor_view cursor;
	struct sl_reader reader;
	uint64_t waits;
};

/* Between being told of it and mapping it, it may go: the second time says so. */
static int op_segment(void *context, uint32_t index, uint64_t generation,
		      struct sl_lane_view *view)
{
	struct sluice_subscriber *subscriber = context;
	int tries = 2, err;

	do {
		err = sl_segment_map(subscriber->endpoint.fd, index, generation,
				     false, view->segments,
				     &view->segment[view->segments]);
	} while (err == -EINVAL && --tries);
	if (err)
		return err == -ENOENT ? -EPROTO : err;
	view->segments++;
	return 0;
}

static int op_attach(void *context, uint32_t index, uint64_t generation,
		     struct sl_lane_view *view)
{
	struct sluice_subscriber *subscriber = context;
	struct sluice_attach call = {
		.index = index,
		.generation = generation,
	};
	int err;

	err = sl_endpoint_attach(&subscriber->endpoint, &call);
	if (err)
		return err;
	err = sl_lane_map(subscriber->endpoint.fd, &call.lane, false, view);
	while (!err && view->segments < call.lane.segments &&
	       view->segments < SLUICE_SEGMENTS_MAX) {
		err = op_segment(context, index, generation, view);
		if (err)
			sl_lane_unmap(view);
	}
	return sl_endpoint_gone(&subscriber->endpoint, &call, err);
}

static void op_unmap(void *context, struct sl_lane_view *view)
{
	struct sluice_subscriber *subscriber = context;

	if (sl_endpoint_alive(&subscriber->endpoint))
		sl_lane_unmap(view);
}

static void op_detach(void *context, uint32_t index, uint64_t generation)
{
	struct sluice_subscriber *subscriber = context;
	struct sluice_detach call = {
		.index = index,
		.generation = generation,
	};

	sl_call(subscriber->endpoint.fd, SLUICE_IOC_DETACH, &call);
}

static void op_wake(void *context, uint32_t index)
{
	struct sluice_subscriber *subscriber = context;

	sl_endpoint_wake(&subscriber->endpoint, index, 0);
}

static int op_claim(void *context, struct sluice_claim *claims,
		    uint32_t count)
{
	struct sluice_subscriber *subscriber = context;
	struct sluice_claims call = {
		.claims = (uintptr_t)claims,
		.count = count,
		.entry_size = sizeof(*claims),
	};
	int err = sl_call(subscriber->endpoint.fd, SLUICE_IOC_CLAIM, &call);

	return err ? err : (int)call.count;
}

static const struct sl_reader_ops ops = {
	.attach = op_attach,
	.segment = op_segment,
	.unmap = op_unmap,
	.detach = op_detach,
	.wake = op_wake,
	.claim = op_claim,
};

static int subscriber_init(struct sluice_subscriber *subscriber,
			   uint32_t prefetch)
{
	const struct sluice_join *join = &subscriber->endpoint.join;
	struct sl_reader_setup setup = {
		.members = &subscriber->endpoint.members,
		.ops = &ops,
		.context = subscriber,
		.config = join->config,
		.policy = join->policy,
		.flags = join->flags,
		.index = join->index,
		.generation = join->generation,
		.prefetch = prefetch ? prefetch : 1,
	};
	int err;

	err = sl_cursor_map(subscriber->endpoint.fd, &join->cursor, true,
			    &subscriber->cursor);
	if (err)
		return err;
	setup.cursor = subscriber->cursor;
	err = sl_reader_init(&subscriber->reader, &setup);
	if (err)
		return err;
	err = sl_reader_update(&subscriber->reader);
	return err == -EAGAIN ? 0 : err;
}

/* That is what mapping says to one who is evicted already. */
static int join_error(int err)
{
	return err == -ESHUTDOWN ? -ECONNABORTED : err;
}

int sluice_subscriber_join(const struct sluice_channel *channel,
			   const struct sluice_subscriber_options *options,
			   struct sluice_subscriber **out)
{
	struct sluice_subscriber_options known = SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_join join = { .role = SLUICE_SUBSCRIBER };
	struct sluice_subscriber *subscriber;
	int err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	join.flags = known.flags;
	join.policy = known.policy;
	subscriber = calloc(1, sizeof(*subscriber));
	if (!subscriber)
		return -ENOMEM;
	err = sl_endpoint_open(&subscriber->endpoint, channel, &join,
			       known.spin);
	if (err) {
		free(subscriber);
		return join_error(err);
	}
	err = subscriber_init(subscriber, known.prefetch);
	if (err) {
		sluice_subscriber_close(subscriber);
		return join_error(err);
	}
	*out = subscriber;
	return 0;
}

void sluice_subscriber_close(struct sluice_subscriber *subscriber)
{
	if (!subscriber)
		return;
	sl_reader_deinit(&subscriber->reader);
	if (sl_endpoint_alive(&subscriber->endpoint))
		sl_area_unmap(&subscriber->cursor.area);
	sl_endpoint_close(&subscriber->endpoint);
	free(subscriber);
}

int sluice_subscriber_fd(const struct sluice_subscriber *subscriber)
{
	return subscriber->endpoint.fd;
}

uint32_t sluice_subscriber_index(const struct sluice_subscriber *subscriber)
{
	return subscriber->endpoint.join.index;
}

uint64_t
sluice_subscriber_generation(const struct sluice_subscriber *subscriber)
{
	return subscriber->endpoint.join.generation;
}

/*
 * In a queue every try is a system call, so it is made when there is a reason, and
 * at first: the last one was before the heads were looked at.
 */
static ssize_t receive_spin(struct sluice_subscriber *subscriber,
			    struct sluice_message *messages, size_t count,
			    int64_t deadline)
{
	int64_t end = sl_endpoint_spin_end(&subscriber->endpoint, deadline);
	struct sl_reader *reader = &subscriber->reader;
	bool queue = reader->config.pattern == SLUICE_QUEUE;
	uint64_t heads, tried = 0;
	ssize_t n = -EAGAIN;

	while (end && n == -EAGAIN && sl_now() < end) {
		sl_relax();
		heads = queue ? sl_reader_heads(reader) : 0;
		if (queue && heads == tried)
			continue;
		tried = heads;
		n = sl_reader_receive(reader, messages, count);
	}
	return n;
}

static ssize_t receive_wait(struct sluice_subscriber *subscriber,
			    struct sluice_message *messages, size_t count,
			    int64_t deadline)
{
	struct sl_reader *reader = &subscriber->reader;
	ssize_t n;
	int err;

	do {
		subscriber->waits++;
		sl_reader_sleep(reader);
		err = sl_endpoint_wait(&subscriber->endpoint, deadline, 0);
		sl_reader_awake(reader);
		n = sl_reader_receive(reader, messages, count);
	} while (n == -EAGAIN && !err);
	return n == -EAGAIN ? err : n;
}

static ssize_t receive_later(struct sluice_subscriber *subscriber,
			     struct sluice_message *messages, size_t count,
			     int64_t deadline)
{
	ssize_t n = receive_spin(subscriber, messages, count, deadline);

	if (n != -EAGAIN)
		return n;
	return receive_wait(subscriber, messages, count, deadline);
}

ssize_t sluice_subscriber_receive_batch(struct sluice_subscriber *subscriber,
					struct sluice_message *messages,
					size_t count, int64_t deadline)
{
	ssize_t n;

	if (!count)
		return -EINVAL;
	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	n = sl_reader_receive(&subscriber->reader, messages, count);
	if (sl_likely(n != -EAGAIN) || deadline <= 0)
		return n;
	return receive_later(subscriber, messages, count, deadline);
}

int sluice_subscriber_receive(struct sluice_subscriber *subscriber,
			      struct sluice_message *message, int64_t deadline)
{
	ssize_t n = sluice_subscriber_receive_batch(subscriber, message, 1,
						    deadline);

	return n < 0 ? n : 0;
}

int sluice_subscriber_try_receive(struct sluice_subscriber *subscriber,
				  struct sluice_message *message)
{
	return sluice_subscriber_receive(subscriber, message, 0);
}

int sluice_subscriber_release_batch(struct sluice_subscriber *subscriber,
				    struct sluice_message *messages,
				    size_t count)
{
	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	return sl_reader_release(&subscriber->reader, messages, count);
}

int sluice_subscriber_release(struct sluice_subscriber *subscriber,
			      struct sluice_message *message)
{
	return sluice_subscriber_release_batch(subscriber, message, 1);
}

int sluice_subscriber_reject(struct sluice_subscriber *subscriber,
			     struct sluice_message *message)
{
	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	return sl_reader_reject(&subscriber->reader, message);
}

int sluice_subscriber_receive_fd(struct sluice_subscriber *subscriber,
				 const struct sluice_message *message,
				 unsigned int index)
{
	struct sluice_fd_take call = { 0 };
	const struct sl_held *held;

	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	held = sl_reader_find(&subscriber->reader, message);
	if (!held || index >= held->nfds)
		return -EINVAL;
	call.index = held->lane->index;
	call.generation = held->lane->who.generation;
	call.token = held->token + index;
	return sl_call(subscriber->endpoint.fd, SLUICE_IOC_FD_TAKE, &call);
}

int sluice_subscriber_sender(const struct sluice_subscriber *subscriber,
			     const struct sluice_message *message,
			     struct sluice_identity *identity, size_t size)
{
	struct sluice_identity known;

	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	sl_message_sender(message, &known);
	sl_result_give(identity, size, &known, sizeof(known));
	return 0;
}

int sluice_subscriber_peer(const struct sluice_subscriber *subscriber,
			   const struct sluice_message *message,
			   struct sluice_peer *peer, size_t size)
{
	struct sluice_peer known = {
		.role = SLUICE_PUBLISHER,
		.index = message->publisher,
		.generation = message->generation,
	};
	int err;

	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	err = sl_call(subscriber->endpoint.fd, SLUICE_IOC_PEER, &known);
	if (!err)
		sl_result_give(peer, size, &known, sizeof(known));
	return err;
}

int sluice_subscriber_next_event(struct sluice_subscriber *subscriber,
				 struct sluice_event *event, size_t size)
{
	struct sluice_event known;
	int err;

	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	err = sl_reader_next_event(&subscriber->reader, &known);
	if (!err)
		sl_result_give(event, size, &known, sizeof(known));
	return err;
}

int sluice_subscriber_stats(const struct sluice_subscriber *subscriber,
			    struct sluice_subscriber_stats *stats, size_t size)
{
	struct sluice_subscriber_stats known;

	if (!sl_endpoint_alive(&subscriber->endpoint))
		return -ECHILD;
	sl_reader_stats(&subscriber->reader, &known);
	known.waits = subscriber->waits;
	sl_result_give(stats, size, &known, sizeof(known));
	return 0;
}
