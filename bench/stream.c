// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages in one direction, as fast as they go: one sender to one receiver,
 * many senders to one, one sender to many as the sender sees it.
 */
#include "bench.h"

#define DEPTH	1024u

/**
 * struct flow - one run
 * @peer: the way of moving messages
 * @link: what they go through
 * @shape: of it
 * @count: messages of each sender
 */
struct flow {
	const struct bench_link *peer;
	void *link;
	struct bench_shape shape;
	uint64_t count;
};

/* The high half of a sequence number says whose it is. */
static uint64_t number(unsigned int sender, uint64_t i)
{
	return ((uint64_t)(sender + 1) << 48) + i * 16;
}

static void flow_send(const struct flow *flow, unsigned int self,
		      uint64_t from, uint64_t count)
{
	const struct bench_link *peer = flow->peer;
	unsigned int batch = flow->shape.batch;
	size_t size = flow->shape.size;

	for (uint64_t i = 0; i < count; i++) {
		void *room = peer->room(flow->link, size);

		payload_write(room, size, number(self, from + i));
		peer->push(flow->link, room, size);
		if (batch == 1 || (i + 1) % batch == 0 || i + 1 == count)
			peer->flush(flow->link);
	}
}

/* Of each sender everything has to come, in order. */
static void flow_receive(const struct flow *flow, uint64_t *next,
			 uint64_t count)
{
	const struct bench_link *peer = flow->peer;
	size_t size = flow->shape.size;

	for (uint64_t i = 0; i < count; i++) {
		const void *data = peer->receive(flow->link, size);
		uint64_t sender = (*(const uint64_t *)data >> 48) - 1;

		bench_check(sender < flow->shape.senders);
		bench_check(payload_is(data, size,
				       number(sender, next[sender])));
		next[sender]++;
		peer->release(flow->link);
	}
}

/* Nanoseconds of a message. Whoever sleeps does nothing regularly. */
static double flow_timed(const struct flow *flow, uint64_t *next, uint64_t all)
{
	uint64_t times[BLOCKS];
	unsigned int blocks = flow->shape.sleep ? 1 : BLOCKS;

	for (unsigned int i = 0; i < blocks; i++) {
		uint64_t start = bench_ticks();

		flow_receive(flow, next, all / blocks);
		times[i] = bench_ticks() - start;
	}
	flow_receive(flow, next, all % blocks);
	return bench_ns(bench_median(times, blocks)) / (all / blocks);
}

/* --- one to one, and many to one ----------------------------------------------- */

/* The receiver is process 0, so that in a crew apart it has a CPU for itself. */
static void funnel(struct crew *crew, unsigned int self, void *data)
{
	const struct flow *flow = data;
	uint64_t next[CREW_MAX] = { 0 };
	uint64_t all = flow->count * flow->shape.senders;

	if (!self)
		flow->peer->join_receiver(flow->link, 0);
	crew_meet(crew);
	if (self)
		flow->peer->join_sender(flow->link, self - 1);
	crew_meet(crew);
	if (self) {
		flow_send(flow, self - 1, 0, flow->count / 4);
		crew_meet(crew);
		flow_send(flow, self - 1, flow->count / 4, flow->count);
	} else {
		flow_receive(flow, next, flow->count / 4 * flow->shape.senders);
		crew_meet(crew);
		crew->value[0] = flow_timed(flow, next, all);
	}
	crew_meet(crew);
}

static void flow_run(const struct bench_link *peer, const char *key,
		     const struct bench_shape *shape, enum crew_place place,
		     uint64_t count, uint64_t param)
{
	struct flow flow = { .peer = peer, .shape = *shape };
	const struct crew *crew;

	if (shape->size > peer->size_max && peer->size_max)
		return;
	if (!bench_wanted(peer->name, peer->missing))
		return;
	flow.count = count / bench_run.scale / 4 * 4;
	flow.link = peer->open(shape);
	crew = crew_run(1 + shape->senders, place, funnel, &flow);
	if (crew)
		bench_emit(&(struct bench_record){
			.peer = peer->name, .key = key, .param = param,
			.value = 1e3 / crew->value[0], .unit = "million/s" });
	else
		bench_emit_failure(peer->name, key, param, crew_failure());
	peer->close(flow.link);
}

static void stream_run(unsigned int rep)
{
	struct bench_shape shape = { .size = 64, .senders = 1, .receivers = 1,
				     .depth = DEPTH };

	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next) {
		if (!(peer->can & LINK_STREAM) || !(peer->can & LINK_BUSY))
			continue;
		shape.batch = 1;
		flow_run(peer, "single", &shape, CREW_APART, 1000000, 1);
		shape.batch = 32;
		flow_run(peer, "batched", &shape, CREW_APART, 2000000, 32);
	}
}

static struct bench_measure stream = {
	.name = "stream",
	.title = "one-way stream of 64 B messages between two busy processes",
	.run = stream_run,
};
BENCH_MEASURE(stream);

/* For a plot: some repetitions will do. On one CPU nobody waits for another. */
static void sizes_run(unsigned int rep)
{
	struct bench_shape shape = { .senders = 1, .receivers = 1, .depth = 8,
				     .batch = 1, .sleep = true };

	if (rep >= 3)
		return;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next) {
		if (!(peer->can & LINK_STREAM) || !(peer->can & LINK_SLEEP))
			continue;
		for (shape.size = 64; shape.size <= 4 << 20; shape.size *= 16)
			flow_run(peer, NULL, &shape, CREW_TOGETHER,
				 shape.size > 65536 ? 64 : 2000, shape.size);
	}
}

static struct bench_measure sizes = {
	.name = "sizes",
	.title = "one-way stream by size, all written and all read",
	.run = sizes_run,
};
BENCH_MEASURE(sizes);

static void funnel_run(unsigned int rep)
{
	struct bench_shape shape = { .size = 64, .senders = 16, .receivers = 1,
				     .depth = 256, .batch = 1, .sleep = true,
				     .queue = true };

	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next)
		if (peer->can & LINK_FUNNEL)
			flow_run(peer, NULL, &shape, CREW_APART, 1000, 16);
}

static struct bench_measure funnel_measure = {
	.name = "funnel",
	.title = "64 B messages of 16 publishers to one queue consumer",
	.run = funnel_run,
};
BENCH_MEASURE(funnel_measure);
