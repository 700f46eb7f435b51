// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to block, when the one that is waited for waits itself, and so
 * on: the search for deadlocks follows all of them. A request is made
 * asynchronously and cancelled again; the two together are timed. Somebody
 * waits for what the requester has: otherwise it closes no ring, and there is
 * nothing to be searched. In a chain of 1, who is waited for does not wait.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/sluice.h>

#include "bench.h"

#define GRAPH		10000u
#define WIDTH		100u	/* of the graph's layers */
#define TRIES		40u

struct crowd {
	struct sluice_lockspace *lockspace;
	struct sluice_holder **holders;
	unsigned int count;
};

static struct sluice_item item(const struct crowd *crowd, unsigned int i)
{
	char name[32];

	snprintf(name, sizeof(name), "r%u", i);
	return sluice_item_name(crowd->lockspace, name, SLUICE_EX);
}

static int ask(struct sluice_holder *holder, struct sluice_item *items,
	       unsigned int count)
{
	struct sluice_lock_options options = SLUICE_LOCK_OPTIONS_INIT;

	options.flags = SLUICE_LOCK_ASYNC;
	return sluice_holder_lock(holder, items, count, sizeof(*items),
				  &options, NULL);
}

static void crowd_open(struct crowd *crowd, unsigned int count)
{
	bench_try(sluice_lockspace_open_anonymous(NULL, &crowd->lockspace));
	crowd->count = count;
	crowd->holders = calloc(count, sizeof(*crowd->holders));
	for (unsigned int i = 0; i < count; i++) {
		struct sluice_item own = item(crowd, i);

		bench_try(sluice_holder_open(NULL, &crowd->holders[i]));
		bench_try(sluice_holder_lock(crowd->holders[i], &own, 1,
					     sizeof(own), NULL, NULL));
	}
}

/*
 * Each holder but the last waits for the next one's resource. It begins at the
 * front, when nobody behind waits yet and there is nothing to be searched.
 */
static void chain(struct crowd *crowd)
{
	for (unsigned int i = 0; i + 1 < crowd->count; i++) {
		struct sluice_item next = item(crowd, i + 1);

		bench_check(ask(crowd->holders[i], &next, 1) == -EINPROGRESS);
	}
}

/* Each of a layer waits for two of the next one, so all can be reached. */
static void graph(struct crowd *crowd)
{
	for (unsigned int i = 0; i + WIDTH < crowd->count; i++) {
		unsigned int layer = i / WIDTH + 1, place = i % WIDTH;
		struct sluice_item next[2] = {
			item(crowd, layer * WIDTH + place),
			item(crowd, layer * WIDTH + (place + 1) % WIDTH),
		};

		bench_check(ask(crowd->holders[i], next, 2) == -EINPROGRESS);
	}
}

/* Ticks of a request that has to wait, and of its cancellation. */
static uint64_t block_once(struct sluice_holder *holder,
			   const struct sluice_item *wanted)
{
	struct sluice_item items[1] = { *wanted };
	struct sluice_lock_event event;
	uint64_t start = bench_ticks(), spent;

	bench_check(ask(holder, items, 1) == -EINPROGRESS);
	bench_try(sluice_holder_cancel(holder));
	spent = bench_ticks() - start;
	bench_try(sluice_holder_next_event(holder, &event, sizeof(event),
					   items, 1, sizeof(items[0])));
	return spent;
}

/* A holder that has something which another one waits for. */
static struct sluice_holder *wanted_holder(const struct crowd *crowd)
{
	struct sluice_item own = sluice_item_name(crowd->lockspace, "own",
						  SLUICE_EX);
	struct sluice_holder *holder, *other;

	bench_try(sluice_holder_open(NULL, &holder));
	bench_try(sluice_holder_open(NULL, &other));
	bench_try(sluice_holder_lock(holder, &own, 1, sizeof(own), NULL, NULL));
	bench_check(ask(other, &own, 1) == -EINPROGRESS);
	return holder;
}

static void block(struct crew *crew, unsigned int self, void *data)
{
	struct sluice_item first;
	struct sluice_holder *holder;
	struct crowd crowd;
	unsigned int count = *(unsigned int *)data;

	(void)self;
	crowd_open(&crowd, count);
	if (count >= GRAPH)
		graph(&crowd);
	else
		chain(&crowd);
	holder = wanted_holder(&crowd);
	first = item(&crowd, 0);
	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t spent = block_once(holder, &first);

		/* What a first time costs is not what is asked for. */
		if (i >= TRIES / 8)
			crew->samples[crew->sampled++] = spent;
	}
	crew->value[0] = bench_ns(bench_median(crew->samples, crew->sampled));
}

static const char *missing(void)
{
	struct sluice_info info;

	if (sluice_query_info(&info, sizeof(info)))
		return "the module is not loaded";
	return info.features & SLUICE_FEATURE_LOCKS ? NULL :
		"this module has no lockspaces";
}

static double length_run(unsigned int length, const char *key, double scale,
			 const char *unit)
{
	const struct crew *crew = crew_run(1, CREW_APART, block, &length);

	if (!crew) {
		bench_emit_failure("sluice", key, length, crew_failure());
		return 0;
	}
	bench_emit(&(struct bench_record){
		.peer = "sluice", .key = key, .param = length,
		.value = crew->value[0] * scale, .unit = unit });
	return crew->value[0];
}

static void deadlock_run(unsigned int rep)
{
	double alone, each;

	(void)rep;
	if (!bench_wanted("sluice", missing))
		return;
	alone = length_run(1, "chain", 1, "ns");
	for (unsigned int length = 10; length <= 1000; length *= 10) {
		each = length_run(length, "chain", 1, "ns") - alone;
		bench_emit(&(struct bench_record){
			.peer = "sluice", .key = "each", .param = length,
			.value = each / (length - 1), .unit = "ns" });
	}
	length_run(GRAPH, "graph", 1e-6, "ms");
}

static struct bench_measure deadlock = {
	.name = "deadlock",
	.title = "block behind a chain, or a graph, of others that wait",
	.run = deadlock_run,
};
BENCH_MEASURE(deadlock);
