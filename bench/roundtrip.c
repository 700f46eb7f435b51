// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processes hand one message back and forth. What is written and checked in
 * each is the same for everybody: all of a small message, and of a large one
 * (where the question is what handing it over costs) the first 64 bytes.
 */
#include <string.h>

#include "bench.h"

#define STAMP		64u
#define POOL_MIN	(64u << 10)

/**
 * struct trip - one run
 * @peer: the way of moving messages
 * @link: there, and back
 * @size: of the message
 * @rounds: to be timed
 * @sampled: to be timed one by one afterwards
 * @whole: before that, with the whole payload written and checked
 */
struct trip {
	const struct bench_link *peer;
	void *link[2];
	size_t size;
	unsigned int rounds;
	unsigned int sampled;
	unsigned int whole;
};

static void trip_send(const struct trip *trip, unsigned int way, size_t stamp,
		      uint64_t sequence)
{
	void *room = trip->peer->room(trip->link[way], trip->size);

	if (stamp)
		payload_write(room, stamp, sequence);
	trip->peer->push(trip->link[way], room, trip->size);
	trip->peer->flush(trip->link[way]);
}

static void trip_receive(const struct trip *trip, unsigned int way,
			 size_t stamp, uint64_t sequence)
{
	const void *data = trip->peer->receive(trip->link[way], trip->size);

	if (stamp)
		bench_check(payload_is(data, stamp, sequence));
	trip->peer->release(trip->link[way]);
}

static void rounds(const struct trip *trip, unsigned int self,
		   unsigned int count, size_t stamp, uint64_t *sequence,
		   uint64_t *samples)
{
	uint64_t before = bench_ticks();

	for (unsigned int i = 0; i < count; i++) {
		uint64_t number = ++*sequence * 16;

		if (self == 1)
			trip_receive(trip, 0, stamp, number);
		trip_send(trip, self, stamp, number);
		if (self == 0)
			trip_receive(trip, 1, stamp, number);
		if (samples) {
			uint64_t now = bench_ticks();

			samples[i] = now - before;
			before = now;
		}
	}
}

/* Nanoseconds of one round trip. */
static double rounds_timed(const struct trip *trip, unsigned int self,
			   size_t stamp, uint64_t *sequence)
{
	unsigned int block = trip->rounds / BLOCKS;
	uint64_t times[BLOCKS];

	for (unsigned int i = 0; i < BLOCKS; i++) {
		uint64_t start = bench_ticks();

		rounds(trip, self, block, stamp, sequence, NULL);
		times[i] = bench_ticks() - start;
	}
	return bench_ns(bench_median(times, BLOCKS)) / block;
}

static void both(struct crew *crew, unsigned int self, void *data)
{
	const struct trip *trip = data;
	bool bare = trip->peer->can & LINK_BARE;
	size_t stamp = trip->size < STAMP ? trip->size : STAMP;
	uint64_t sequence = 0;

	trip->peer->join_sender(trip->link[self], 0);
	crew_meet(crew);
	trip->peer->join_receiver(trip->link[!self], 0);
	crew_meet(crew);
	rounds(trip, self, trip->whole, bare ? 0 : trip->size, &sequence, NULL);
	rounds(trip, self, trip->rounds / 8, bare ? 0 : stamp, &sequence, NULL);
	crew_meet(crew);
	crew->value[self] = rounds_timed(trip, self, bare ? 0 : stamp,
					 &sequence);
	crew_meet(crew);
	rounds(trip, self, trip->sampled, bare ? 0 : stamp, &sequence,
	       self ? NULL : crew->samples);
	if (!self)
		crew->sampled = trip->sampled;
	crew_meet(crew);
}

static void trip_run(const struct bench_link *peer, const char *key,
		     const struct bench_shape *shape, enum crew_place place,
		     unsigned int count)
{
	struct trip trip = { .peer = peer, .size = shape->size };
	const struct crew *crew;

	if (shape->size > peer->size_max && peer->size_max)
		return;
	if (!bench_wanted(peer->name, peer->missing))
		return;
	trip.rounds = count / bench_run.scale;
	trip.sampled = trip.rounds / 2 < CREW_SAMPLES ?
		trip.rounds / 2 : CREW_SAMPLES;
	/* Twice around any memory there is, so that no page is new. */
	trip.whole = shape->size < POOL_MIN ? 2 * POOL_MIN / shape->size : 4;
	if (!(peer->can & LINK_IN_PLACE))
		trip.whole = 10;
	trip.link[0] = peer->open(shape);
	trip.link[1] = peer->open(shape);
	crew = crew_run(2, place, both, &trip);
	if (crew)
		bench_emit(&(struct bench_record){
			.peer = peer->name, .key = key, .param = shape->size,
			.value = crew->value[0], .unit = "ns",
			.samples = crew->samples, .sampled = crew->sampled });
	else
		bench_emit_failure(peer->name, key, shape->size,
				   crew_failure());
	peer->close(trip.link[0]);
	peer->close(trip.link[1]);
}

static void busy_run(unsigned int rep)
{
	struct bench_shape shape = { .size = 64, .senders = 1, .receivers = 1,
				     .depth = 1, .batch = 1 };

	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next)
		if (peer->can & LINK_BUSY)
			trip_run(peer, NULL, &shape, CREW_APART, 100000);
}

static struct bench_measure busy = {
	.name = "roundtrip_busy",
	.title = "round trip of 64 B between two busy processes",
	.run = busy_run,
};
BENCH_MEASURE(busy);

/*
 * On one CPU, where the other one can only run once this one sleeps. On two,
 * what is measured is mostly how long an idle processor takes to wake up.
 */
static void sleep_run(unsigned int rep)
{
	struct bench_shape shape = { .size = 64, .senders = 1, .receivers = 1,
				     .depth = 1, .batch = 1, .sleep = true };

	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next)
		if (peer->can & LINK_SLEEP)
			trip_run(peer, NULL, &shape, CREW_TOGETHER, 2000);
}

static struct bench_measure asleep = {
	.name = "roundtrip_sleep",
	.title = "round trip of 64 B when both sides sleep each time",
	.run = sleep_run,
};
BENCH_MEASURE(asleep);

/* Those that copy would take minutes for 64 MiB, and prove what is known. */
static void handoff_run(unsigned int rep)
{
	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next) {
		struct bench_shape shape = { .senders = 1, .receivers = 1,
					     .depth = 1, .batch = 1 };

		if (!(peer->can & LINK_IN_PLACE) || !(peer->can & LINK_BUSY))
			continue;
		for (shape.size = 64; shape.size <= 64u << 20; shape.size *= 16)
			trip_run(peer, NULL, &shape, CREW_APART, 10000);
	}
}

static struct bench_measure handoff = {
	.name = "handoff",
	.title = "round trip of a payload that nobody reads whole",
	.run = handoff_run,
};
BENCH_MEASURE(handoff);
