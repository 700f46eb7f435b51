// SPDX-License-Identifier: LGPL-2.1-or-later
/* Publishers: the writer of ring/ on what the kernel maps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/sluice.h>

#include "area.h"
#include "call.h"
#include "endpoint.h"
#include "ring/atomic.h"
#include "ring/writer.h"

/**
 * struct sluice_publisher - a publisher
 * @endpoint: descriptor and member table
 * @lane: its ring; the segments are the writer's to count, and this one's to unmap
 * @writer: everything else
 * @pending: the kernel has a segment that the writer has not; it is mapped if it
 *	could be
 * @waits: times it slept
 */
struct sluice_publisher {
	struct sl_endpoint endpoint;
	struct sl_lane_view lane;
	struct sl_writer writer;
	bool pending;
	uint64_t waits;
};

static int op_attach(void *context, uint32_t index, uint64_t generation,
		     struct sl_cursor_view *view)
{
	struct sluice_publisher *publisher = context;
	struct sluice_attach call = {
		.index = index,
		.generation = generation,
	};
	int err = sl_endpoint_attach(&publisher->endpoint, &call);

	if (err)
		return err;
	err = sl_cursor_map(publisher->endpoint.fd, &call.cursor, false, view);
	return sl_endpoint_gone(&publisher->endpoint, &call, err);
}

static void op_unmap(void *context, struct sl_cursor_view *view)
{
	struct sluice_publisher *publisher = context;

	if (sl_endpoint_alive(&publisher->endpoint))
		sl_area_unmap(&view->area);
}

static int op_arm(void *context)
{
	struct sluice_publisher *publisher = context;

	return sl_call(publisher->endpoint.fd, SLUICE_IOC_ARM, NULL);
}

static void op_wake(void *context, uint32_t count)
{
	struct sluice_publisher *publisher = context;

	sl_endpoint_wake(&publisher->endpoint, 0, count);
}

static int op_evict(void *context, uint32_t index, uint64_t generation)
{
	struct sluice_publisher *publisher = context;
	struct sluice_evict call = {
		.index = index,
		.generation = generation,
	};

	return sl_call(publisher->endpoint.fd, SLUICE_IOC_EVICT, &call);
}

static int op_drop(void *context, uint32_t count)
{
	struct sluice_publisher *publisher = context;
	struct sluice_drop call = { .count = count };
	int err = sl_call(publisher->endpoint.fd, SLUICE_IOC_DROP, &call);

	return err ? err : (int)call.count;
}

/*
 * The kernel's number of a segment and the writer's are the same. It can be
 * mapped for writing only once: if the writer has no memory for it now, it stays.
 */
static int segment_add(struct sluice_publisher *publisher)
{
	struct sl_lane_view *lane = &publisher->lane;
	struct sl_area *area = &lane->segment[lane->segments];
	int err = 0;

	publisher->pending = true;
	if (!area->base)
		err = sl_segment_map(publisher->endpoint.fd,
				     publisher->endpoint.join.index,
				     publisher->endpoint.join.generation, true,
				     lane->segments, area);
	if (!err)
		err = sl_writer_add(&publisher->writer, area);
	if (err)
		return err;
	lane->segments++;
	publisher->pending = false;
	return 0;
}

static int grow(struct sluice_publisher *publisher, uint64_t bytes)
{
	struct sluice_segment call = { .size = bytes };
	struct sl_lane_view *lane = &publisher->lane;
	int err;

	/* One that is left from before may be smaller than what is wanted now. */
	if (publisher->pending) {
		err = segment_add(publisher);
		if (err || lane->segment[lane->segments - 1].size >= bytes)
			return err;
	}
	err = sl_call(publisher->endpoint.fd, SLUICE_IOC_GROW, &call);
	return err ? err : segment_add(publisher);
}

/* Twice as much as before, as far as the limit lets. */
static int op_grow(void *context, uint64_t bytes)
{
	struct sluice_publisher *publisher = context;
	uint64_t size = publisher->writer.pool.size;
	uint64_t more = publisher->endpoint.join.config.pool_limit - size;

	if (more > SL_SEGMENT_MAX)
		more = SL_SEGMENT_MAX;
	if (bytes > more)
		return -ENOSPC;
	if (bytes < size)
		bytes = size < more ? size : more;
	return grow(publisher, bytes);
}

static int op_fds_attach(void *context, const int *fds, uint32_t count,
			 uint64_t *token)
{
	struct sluice_publisher *publisher = context;
	struct sluice_fds call = { .fds = (uintptr_t)fds, .count = count };
	int err = sl_call(publisher->endpoint.fd, SLUICE_IOC_FDS_ATTACH, &call);

	*token = call.token;
	return err;
}

static void op_fds_release(void *context, uint64_t token, uint32_t count)
{
	struct sluice_publisher *publisher = context;
	struct sluice_fds call = { .token = token, .count = count };

	/* A signal handler may have interrupted it: nothing was released then. */
	while (sl_call(publisher->endpoint.fd, SLUICE_IOC_FDS_RELEASE,
		       &call) == -EINTR)
		;
}

static const struct sl_writer_ops ops = {
	.attach = op_attach,
	.unmap = op_unmap,
	.arm = op_arm,
	.wake = op_wake,
	.evict = op_evict,
	.drop = op_drop,
	.grow = op_grow,
	.fds_attach = op_fds_attach,
	.fds_release = op_fds_release,
};

static int publisher_init(struct sluice_publisher *publisher, uint32_t flags)
{
	const struct sluice_join *join = &publisher->endpoint.join;
	struct sl_writer_setup setup = {
		.members = &publisher->endpoint.members,
		.ops = &ops,
		.context = publisher,
		.config = join->config,
		.index = join->index,
		.generation = join->generation,
		.may_grow = !(flags & SLUICE_PUBLISHER_NO_GROW),
	};
	int err;

	err = sl_lane_map(publisher->endpoint.fd, &join->lane, true,
			  &publisher->lane);
	if (err)
		return err;
	setup.lane = publisher->lane;
	err = sl_writer_init(&publisher->writer, &setup);
	while (!err && publisher->lane.segments < join->lane.segments &&
	       publisher->lane.segments < SLUICE_SEGMENTS_MAX)
		err = segment_add(publisher);
	return err;
}

int sluice_publisher_join(const struct sluice_channel *channel,
			  const struct sluice_publisher_options *options,
			  struct sluice_publisher **out)
{
	struct sluice_publisher_options known = SLUICE_PUBLISHER_OPTIONS_INIT;
	struct sluice_join join = { .role = SLUICE_PUBLISHER };
	struct sluice_publisher *publisher;
	int err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	if (known.flags & ~(SLUICE_PUBLISHER_NO_GROW | SLUICE_PUBLISHER_STAY))
		return -EINVAL;
	if (known.flags & SLUICE_PUBLISHER_STAY)
		join.flags = SLUICE_JOIN_STAY;
	publisher = calloc(1, sizeof(*publisher));
	if (!publisher)
		return -ENOMEM;
	err = sl_endpoint_open(&publisher->endpoint, channel, &join,
			       known.spin);
	if (err) {
		free(publisher);
		return err;
	}
	err = publisher_init(publisher, known.flags);
	if (err) {
		sluice_publisher_close(publisher);
		return err;
	}
	*out = publisher;
	return 0;
}

void sluice_publisher_close(struct sluice_publisher *publisher)
{
	struct sl_lane_view *lane;

	if (!publisher)
		return;
	lane = &publisher->lane;
	sl_writer_deinit(&publisher->writer);
	if (sl_endpoint_alive(&publisher->endpoint)) {
		if (publisher->pending)
			sl_area_unmap(&lane->segment[lane->segments]);
		sl_lane_unmap(lane);
	}
	sl_endpoint_close(&publisher->endpoint);
	free(publisher);
}

int sluice_publisher_fd(const struct sluice_publisher *publisher)
{
	return publisher->endpoint.fd;
}

uint32_t sluice_publisher_index(const struct sluice_publisher *publisher)
{
	return publisher->endpoint.join.index;
}

uint64_t sluice_publisher_generation(const struct sluice_publisher *publisher)
{
	return publisher->endpoint.join.generation;
}

static int loan_spin(struct sluice_publisher *publisher, size_t length,
		     struct sluice_loan *loan, int64_t deadline)
{
	int64_t end = sl_endpoint_spin_end(&publisher->endpoint, deadline);
	int err = -EAGAIN;

	while (end && err == -EAGAIN && sl_now() < end) {
		sl_relax();
		err = sl_writer_loan(&publisher->writer, length, loan);
	}
	return err;
}

static int loan_wait(struct sluice_publisher *publisher, size_t length,
		     struct sluice_loan *loan, int64_t deadline)
{
	uint64_t room;
	int err;

	for (;;) {
		err = sl_writer_loan_or_arm(&publisher->writer, length, loan,
					    &room);
		if (err != -EAGAIN || deadline <= 0)
			return err;
		publisher->waits++;
		err = sl_endpoint_wait(&publisher->endpoint, deadline, room);
		if (!err)
			continue;
		if (sl_writer_loan(&publisher->writer, length, loan))
			return err;
		return 0;
	}
}

/* When nothing could simply be used again. */
static int loan_any(struct sluice_publisher *publisher, size_t length,
		    struct sluice_loan *loan, int64_t deadline)
{
	int err = sl_writer_loan(&publisher->writer, length, loan);

	if (err != -EAGAIN)
		return err;
	sl_writer_evict_claimant(&publisher->writer);
	if (deadline > 0)
		err = loan_spin(publisher, length, loan, deadline);
	if (err != -EAGAIN)
		return err;
	return loan_wait(publisher, length, loan, deadline);
}

int sluice_publisher_loan(struct sluice_publisher *publisher, size_t length,
			  struct sluice_loan *loan, int64_t deadline)
{
	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	if (sl_writer_reuse(&publisher->writer, length, loan, 1))
		return 0;
	return loan_any(publisher, length, loan, deadline);
}

int sluice_publisher_try_loan(struct sluice_publisher *publisher,
			      size_t length, struct sluice_loan *loan)
{
	return sluice_publisher_loan(publisher, length, loan, 0);
}

/* @n are there already. */
static ssize_t loan_more(struct sluice_publisher *publisher, size_t length,
			 struct sluice_loan *loans, size_t n, size_t count,
			 int64_t deadline)
{
	int err;

	if (!n) {
		err = loan_any(publisher, length, &loans[n++], deadline);
		if (err)
			return err;
	}
	while (n < count &&
	       !sl_writer_loan(&publisher->writer, length, &loans[n]))
		n++;
	return n;
}

ssize_t sluice_publisher_loan_batch(struct sluice_publisher *publisher,
				    size_t length, struct sluice_loan *loans,
				    size_t count, int64_t deadline)
{
	size_t n;

	if (!count)
		return -EINVAL;
	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	n = sl_writer_reuse(&publisher->writer, length, loans, count);
	if (sl_likely(n == count))
		return n;
	return loan_more(publisher, length, loans, n, count, deadline);
}

int sluice_publisher_discard(struct sluice_publisher *publisher,
			     struct sluice_loan *loan)
{
	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	return sl_writer_discard(&publisher->writer, loan);
}

ssize_t sluice_publisher_publish_batch(struct sluice_publisher *publisher,
				       struct sluice_loan *loans, size_t count)
{
	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	return sl_writer_publish(&publisher->writer, loans, count);
}

int sluice_publisher_publish(struct sluice_publisher *publisher,
			     struct sluice_loan *loan)
{
	ssize_t n = sluice_publisher_publish_batch(publisher, loan, 1);

	return n < 0 ? n : 0;
}

int sluice_publisher_send(struct sluice_publisher *publisher, const void *data,
			  size_t length, uint32_t type, int64_t deadline)
{
	struct sluice_loan loan;
	int err;

	err = sluice_publisher_loan(publisher, length, &loan, deadline);
	if (err)
		return err;
	if (length)
		memcpy(loan.data, data, length);
	loan.type = type;
	return sluice_publisher_publish(publisher, &loan);
}

int sluice_publisher_flush(struct sluice_publisher *publisher, int64_t deadline)
{
	uint64_t room;
	int err, late = 0;

	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	for (;;) {
		err = sl_writer_finished_or_arm(&publisher->writer, &room);
		if (err != -EAGAIN || deadline <= 0)
			return err;
		if (late)
			return late;
		late = sl_endpoint_wait(&publisher->endpoint, deadline, room);
	}
}

int sluice_publisher_grow(struct sluice_publisher *publisher, size_t bytes)
{
	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	if (!bytes)
		return -EINVAL;
	if (bytes > SL_SEGMENT_MAX)
		return -ENOSPC;
	return grow(publisher, bytes);
}

int sluice_publisher_next_event(struct sluice_publisher *publisher,
				struct sluice_event *event, size_t size)
{
	struct sluice_event known;
	int err;

	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	err = sl_writer_next_event(&publisher->writer, &known);
	if (!err)
		sl_result_give(event, size, &known, sizeof(known));
	return err;
}

int sluice_publisher_stats(const struct sluice_publisher *publisher,
			   struct sluice_publisher_stats *stats, size_t size)
{
	struct sluice_publisher_stats known;

	if (!sl_endpoint_alive(&publisher->endpoint))
		return -ECHILD;
	sl_writer_stats(&publisher->writer, &known);
	known.waits = publisher->waits;
	sl_result_give(stats, size, &known, sizeof(known));
	return 0;
}
