// SPDX-License-Identifier: GPL-2.0-only
/* What taking a lock costs: when it is free, and when others wait for it. */
#include <sched.h>

#include "bench.h"

/**
 * struct match - one run
 * @peer: the kind of lock
 * @lock: the lock
 * @rounds: how often it is taken, by each
 * @pause: ticks until who waits may be taken to be asleep
 */
struct match {
	const struct bench_lock *peer;
	void *lock;
	unsigned int rounds;
	uint64_t pause;
};

/* --- free ------------------------------------------------------------------------ */

static void take(const struct match *match, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		match->peer->lock(match->lock);
		match->peer->unlock(match->lock);
	}
}

static void alone(struct crew *crew, unsigned int self, void *data)
{
	const struct match *match = data;
	unsigned int block = match->rounds / BLOCKS;
	uint64_t times[BLOCKS];

	match->peer->join(match->lock);
	take(match, match->rounds / 8);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		uint64_t start = bench_ticks();

		take(match, block);
		times[i] = bench_ticks() - start;
	}
	crew->value[self] = bench_ns(bench_median(times, BLOCKS)) / block;
}

static void free_run(unsigned int rep)
{
	(void)rep;
	for (struct bench_lock *peer = bench_locks(); peer; peer = peer->next) {
		struct match match = { .peer = peer };
		const struct crew *crew;

		if (!bench_wanted(peer->name, peer->missing))
			continue;
		match.rounds = 40000 / bench_run.scale;
		match.lock = peer->open();
		crew = crew_run(1, CREW_APART, alone, &match);
		if (crew)
			bench_emit(&(struct bench_record){
				.peer = peer->name, .value = crew->value[0],
				.unit = "ns" });
		else
			bench_emit_failure(peer->name, NULL, 0, crew_failure());
		peer->close(match.lock);
	}
}

static struct bench_measure unlocked = {
	.name = "lock_free",
	.title = "lock and unlock when nobody else wants it",
	.run = free_run,
};
BENCH_MEASURE(unlocked);

/* --- handed over -------------------------------------------------------------------- */

/*
 * The holder lets go only when all the others have been waiting for a while,
 * and does not come back before somebody else has had it, so every turn is a
 * hand-off to one that sleeps, whatever the kind of lock would rather do.
 * Measured is from just before unlock() to just after lock() has returned to
 * the next one. All are on one CPU: how long an idle one takes to wake up is not
 * the lock's doing.
 */
enum { WAITING, TURN, LET_GO };

static void pause_for(uint64_t ticks)
{
	uint64_t start = bench_ticks();

	while (bench_ticks() - start < ticks)
		sched_yield();
}

static bool over(const struct crew *crew, const struct match *match)
{
	return __atomic_load_n(&crew->word[TURN], __ATOMIC_SEQ_CST) >=
		(uint64_t)match->rounds * crew->count;
}

/* At the end some are done, and nobody need wait for them to wait. */
static void turn(struct crew *crew, const struct match *match)
{
	uint64_t before, taken, mine;

	__atomic_add_fetch(&crew->word[WAITING], 1, __ATOMIC_SEQ_CST);
	match->peer->lock(match->lock);
	taken = bench_ticks();
	before = crew->word[LET_GO];
	__atomic_sub_fetch(&crew->word[WAITING], 1, __ATOMIC_SEQ_CST);
	mine = __atomic_add_fetch(&crew->word[TURN], 1, __ATOMIC_SEQ_CST);
	if (before && crew->sampled < CREW_SAMPLES)
		crew->samples[crew->sampled++] = taken > before ?
			taken - before : 0;
	while (__atomic_load_n(&crew->word[WAITING], __ATOMIC_SEQ_CST) <
	       crew->count - 1 && !over(crew, match))
		sched_yield();
	pause_for(match->pause);
	crew->word[LET_GO] = over(crew, match) ? 0 : bench_ticks();
	match->peer->unlock(match->lock);
	while (__atomic_load_n(&crew->word[TURN], __ATOMIC_SEQ_CST) == mine &&
	       !over(crew, match))
		sched_yield();
}

static void in_turns(struct crew *crew, unsigned int self, void *data)
{
	const struct match *match = data;

	(void)self;
	match->peer->join(match->lock);
	crew_meet(crew);
	while (!over(crew, match))
		turn(crew, match);
	crew_meet(crew);
}

static void handoff_run(unsigned int rep)
{
	static const unsigned int crews[] = { 2, 8 };

	(void)rep;
	for (struct bench_lock *peer = bench_locks(); peer; peer = peer->next) {
		struct match match = { .peer = peer };
		struct crew *crew;

		if (!(peer->can & LOCK_WAITS) ||
		    !bench_wanted(peer->name, peer->missing))
			continue;
		match.pause = 100e3 / bench_ns(1000) * 1000;
		for (unsigned int i = 0; i < 2; i++) {
			match.rounds = 400 / crews[i] / bench_run.scale;
			match.lock = peer->open();
			crew = crew_run(crews[i], CREW_TOGETHER, in_turns,
					&match);
			if (crew)
				bench_emit(&(struct bench_record){
					.peer = peer->name, .param = crews[i],
					.value = bench_ns(bench_median(
						crew->samples, crew->sampled)),
					.unit = "ns",
					.samples = crew->samples,
					.sampled = crew->sampled });
			else
				bench_emit_failure(peer->name, NULL, crews[i],
						   crew_failure());
			peer->close(match.lock);
		}
	}
}

static struct bench_measure handed_over = {
	.name = "lock_handoff",
	.title = "from unlock to who has slept waiting for it",
	.run = handoff_run,
};
BENCH_MEASURE(handed_over);

/* --- fought for ----------------------------------------------------------------------- */

static void fight(struct crew *crew, unsigned int self, void *data)
{
	const struct match *match = data;
	uint64_t length = match->pause, start, taken = 0;

	match->peer->join(match->lock);
	crew_meet(crew);
	start = bench_ticks();
	while (bench_ticks() - start < length) {
		match->peer->lock(match->lock);
		crew->word[0]++;	/* not atomic: the lock's to protect */
		match->peer->unlock(match->lock);
		taken++;
	}
	crew->value[self] = taken;
	crew_meet(crew);
}

static void emit_fight(const struct bench_lock *peer, const struct crew *crew,
		       uint64_t length)
{
	double all = 0, least = crew->value[0];

	for (unsigned int i = 0; i < crew->count; i++) {
		all += crew->value[i];
		if (crew->value[i] < least)
			least = crew->value[i];
	}
	if (all != crew->word[0]) {
		bench_emit_failure(peer->name, "share", crew->count,
				   "two had it at the same time");
		return;
	}
	bench_emit(&(struct bench_record){
		.peer = peer->name, .key = "share", .param = crew->count,
		.value = least * crew->count / all, .unit = "" });
	bench_emit(&(struct bench_record){
		.peer = peer->name, .key = "time", .param = crew->count,
		.value = bench_ns(length) / all, .unit = "ns" });
}

static void contended_run(unsigned int rep)
{
	static const unsigned int crews[] = { 2, 8 };

	(void)rep;
	for (struct bench_lock *peer = bench_locks(); peer; peer = peer->next) {
		struct match match = { .peer = peer };
		const struct crew *crew;

		if (!(peer->can & LOCK_WAITS) ||
		    !bench_wanted(peer->name, peer->missing))
			continue;
		match.pause = 400e6 / bench_run.scale / bench_ns(1000) * 1000;
		for (unsigned int i = 0; i < 2; i++) {
			match.lock = peer->open();
			crew = crew_run(crews[i], CREW_SPREAD, fight, &match);
			if (crew)
				emit_fight(peer, crew, match.pause);
			else
				bench_emit_failure(peer->name, "share",
						   crews[i], crew_failure());
			peer->close(match.lock);
		}
	}
}

static struct bench_measure contended = {
	.name = "lock_contended",
	.title = "all take it again at once: the least share, and the time of each",
	.run = contended_run,
};
BENCH_MEASURE(contended);
