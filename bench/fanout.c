// SPDX-License-Identifier: GPL-2.0-only
/*
 * What publishing costs the publisher, by the number of subscribers that are
 * awake. Process 1 has them all, and empties one after the other, so that the
 * publisher has its CPU for itself. Room is made within the time that is
 * measured; waiting until everybody has read is not.
 */
#include <stdlib.h>

#include <sluice/sluice.h>

#include "bench.h"

#define SUBSCRIBERS_MAX	64u
#define BURST		64u
#define SLOTS		256u
/* Room is made once in a while: whole rounds of the ring are compared. */
#define BURSTS		(2 * SLOTS / BURST)

struct crowd {
	struct sluice_channel *channel;
	unsigned int subscribers;
	unsigned int rounds;
};

enum { PUBLISHED, READ };

/* Return: the ticks that it took. */
static uint64_t burst(struct sluice_publisher *publisher, uint64_t *sequence)
{
	uint64_t start = bench_ticks();
	struct sluice_loan loan;

	for (unsigned int i = 0; i < BURST; i++) {
		bench_try(sluice_publisher_loan(publisher, 64, &loan, 0));
		payload_write(loan.data, 64, ++*sequence * 16);
		bench_try(sluice_publisher_publish(publisher, &loan));
	}
	return bench_ticks() - start;
}

static uint64_t round_of_bursts(struct crew *crew,
				struct sluice_publisher *publisher,
				uint64_t *sequence)
{
	uint64_t spent = 0;

	for (unsigned int i = 0; i < BURSTS; i++) {
		spent += burst(publisher, sequence);
		__atomic_store_n(&crew->word[PUBLISHED], *sequence,
				 __ATOMIC_RELEASE);
		while (__atomic_load_n(&crew->word[READ], __ATOMIC_ACQUIRE) !=
		       *sequence)
			bench_relax();
	}
	return spent;
}

static void publish(struct crew *crew, const struct crowd *crowd)
{
	struct sluice_publisher *publisher;
	uint64_t times[BLOCKS], sequence = 0;

	bench_try(sluice_publisher_join(crowd->channel, NULL, &publisher));
	crew_meet(crew);
	for (unsigned int i = 0; i < crowd->rounds / 4; i++)
		round_of_bursts(crew, publisher, &sequence);
	for (unsigned int i = 0; i < crowd->rounds; i++)
		times[i] = round_of_bursts(crew, publisher, &sequence);
	crew->value[0] = bench_ns(bench_median(times, crowd->rounds)) /
		(BURSTS * BURST);
	crew_meet(crew);
}

static void drain(struct sluice_subscriber *subscriber, uint64_t from)
{
	struct sluice_message message;
	int ret;

	for (unsigned int i = 1; i <= BURST; i++) {
		do {
			ret = sluice_subscriber_receive(subscriber, &message, 0);
		} while (ret == -11);
		bench_try(ret);
		bench_check(message.length == 64 && !message.lost);
		bench_check(payload_is(message.data, 64, (from + i) * 16));
		bench_try(sluice_subscriber_release(subscriber, &message));
	}
}

static void subscribe(struct crew *crew, const struct crowd *crowd)
{
	struct sluice_subscriber *all[SUBSCRIBERS_MAX];
	unsigned int bursts = (crowd->rounds + crowd->rounds / 4) * BURSTS;
	uint64_t sequence = 0;

	for (unsigned int i = 0; i < crowd->subscribers; i++)
		bench_try(sluice_subscriber_join(crowd->channel, NULL,
						 &all[i]));
	crew_meet(crew);
	for (unsigned int i = 0; i < bursts; i++) {
		while (__atomic_load_n(&crew->word[PUBLISHED],
				       __ATOMIC_ACQUIRE) == sequence)
			bench_relax();
		for (unsigned int k = 0; k < crowd->subscribers; k++)
			drain(all[k], sequence);
		sequence += BURST;
		__atomic_store_n(&crew->word[READ], sequence,
				 __ATOMIC_RELEASE);
	}
	crew_meet(crew);
}

static void crowd(struct crew *crew, unsigned int self, void *data)
{
	if (self)
		subscribe(crew, data);
	else
		publish(crew, data);
}

static const char *missing(void)
{
	struct sluice_info info;

	return sluice_query_info(&info, sizeof(info)) ?
		"the module is not loaded" : NULL;
}

static void crowd_run(unsigned int subscribers)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct crowd one = { .subscribers = subscribers };
	const struct crew *crew;

	options.config.publishers = 1;
	options.config.subscribers = SUBSCRIBERS_MAX;
	options.config.slots = SLOTS;
	options.config.pool = 64 << 10;
	bench_try(sluice_channel_open_anonymous(&options, &one.channel));
	one.rounds = BLOCKS / bench_run.scale;
	crew = crew_run(2, CREW_APART, crowd, &one);
	if (crew)
		bench_emit(&(struct bench_record){
			.peer = "sluice", .param = subscribers,
			.value = crew->value[0], .unit = "ns" });
	else
		bench_emit_failure("sluice", NULL, subscribers,
				   crew_failure());
	sluice_channel_close(one.channel);
}

static void fanout_run(unsigned int rep)
{
	(void)rep;
	if (!bench_wanted("sluice", missing))
		return;
	for (unsigned int n = 1; n <= SUBSCRIBERS_MAX; n *= 2)
		crowd_run(n);
}

static struct bench_measure fanout = {
	.name = "fanout",
	.title = "publish to N busy subscribers: what the publisher pays",
	.run = fanout_run,
};
BENCH_MEASURE(fanout);
