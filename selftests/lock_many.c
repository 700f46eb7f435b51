// SPDX-License-Identifier: GPL-2.0-only
/*
 * Thousands that wait: what is found takes bounded time, and who has nothing
 * to do with it is not disturbed.
 *
 * timeout: 600
 */
#include "lock.h"

#define BYSTANDER_US	200

/* An unrelated lockspace, used again and again: what took longest. */
struct bystander {
	pid_t pid;
	struct bystander_log {
		unsigned long rounds, worst_us;
		bool stop;
	} *log;
};

static void bystander_run(struct bystander_log *log)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL));
	struct sluice_item item = whole(space, "x", SLUICE_EX);

	while (!__atomic_load_n(&log->stop, __ATOMIC_SEQ_CST)) {
		__s64 start = now_ns();
		unsigned long us;

		must(try(h, item));
		must(unlock_all(h));
		us = (now_ns() - start) / 1000;
		log->worst_us = us > log->worst_us ? us : log->worst_us;
		__atomic_add_fetch(&log->rounds, 1, __ATOMIC_SEQ_CST);
		sleep_us(BYSTANDER_US);
	}
	_exit(0);
}

static void bystander_start(struct bystander *b)
{
	b->log = shared(4096);
	b->pid = child();
	if (!b->pid)
		bystander_run(b->log);
	check(until(b->log->rounds > 10));
	b->log->rounds = 0;
	b->log->worst_us = 0;
}

static void bystander_end(struct bystander *b)
{
	__atomic_store_n(&b->log->stop, true, __ATOMIC_SEQ_CST);
	check(reap(b->pid) == 0);
}

/* However busy the machine is, nobody is kept from a free lock for so long. */
#define WORST_US	(500000 * (slowness() > 1 ? 10 : 1))

/* How long the whole may take, in seconds. */
#define BOUND_S		150

FIXTURE(many) {
	struct bystander b;
	unsigned long n;
	__s64 start;
};

FIXTURE_SETUP(many)
{
	device();
	bystander_start(&self->b);
	self->n = scaled(10000, 500);
	self->start = now_ns();
}

FIXTURE_TEARDOWN(many)
{
	bystander_end(&self->b);
	EXPECT_GT(BOUND_S * NSEC_PER_SEC, now_ns() - self->start);
	EXPECT_LT(0, self->b.log->rounds);
	EXPECT_GT(WORST_US, self->b.log->worst_us);
}

/* One long chain: each new link is a question to the whole of it. */
TEST_F(many, one_chain)
{
	struct crew c;

	crew_make(&c, self->n, 1, 0);
	chain(&c, c.n - 1);
	EXPECT_EQ(c.n - 1, waiting_of(&c));
	EXPECT_EQ(-EDEADLK, take(c.h[c.n - 1], own(&c, 0, SLUICE_EX)));
	EXPECT_EQ(-EDEADLK, take(c.h[c.n - 1], own(&c, c.n / 2, SLUICE_EX)));
	unwind(&c);
	crew_close(&c);
}

/* The chain made from its end: every new one walks all that is there. */
TEST_F(many, one_chain_from_its_end)
{
	unsigned long i, n = scaled(4000, 300);
	struct crew c;

	crew_make(&c, n, 4, 0);
	chain(&c, 0);
	for (i = n - 1; i-- > 0;)
		ASSERT_EQ(-EINPROGRESS, ask(c.h[i], own(&c, i + 1, SLUICE_EX)));
	EXPECT_EQ(-EDEADLK, take(c.h[n - 1], own(&c, 0, SLUICE_EX)));
	unwind(&c);
	crew_close(&c);
}

/* All of them for one thing, which goes from hand to hand. */
TEST_F(many, one_queue)
{
	unsigned long i;
	struct crew c;

	crew_make(&c, scaled(10000, 500), 1, 0);
	for (i = 0; i < c.n; i++)
		ASSERT_EQ(i ? -EINPROGRESS : 0, ask(c.h[i], own(&c, 0, SLUICE_EX)));
	EXPECT_EQ(c.n - 1, waiting_of(&c));
	for (i = 0; i + 1 < c.n; i++) {
		ASSERT_EQ(0, unlock_all(c.h[i]));
		ASSERT_TRUE(is_done(c.h[i + 1])) TH_LOG("%lu", i);
	}
	EXPECT_EQ(0, waiting_of(&c));
	crew_close(&c);
}

/* All of them for ranges of their own, behind one who lets go byte by byte. */
TEST_F(many, ranges_of_one)
{
	unsigned long i, n = scaled(2000, 300), looks = scaled(20, 3);
	int one_more = must(make_holder(NULL));
	__s64 start, of_unlock, of_try;
	struct sluice_item all;
	struct crew c;

	crew_make(&c, n, 1, 0);
	all = own(&c, 0, SLUICE_EX);
	ASSERT_EQ(0, take(c.h[0], all));
	for (i = 1; i < n; i++) {
		struct sluice_item part = all;

		part.start = part.end = 2 * i;
		ASSERT_EQ(-EINPROGRESS, ask(c.h[i], part));
	}
	start = now_ns();
	for (i = 0; i < looks; i++) {
		struct sluice_item part = all;

		part.mode = SLUICE_UNLOCKED;
		part.start = part.end = SLUICE_END - i;
		ASSERT_EQ(0, unlock(c.h[0], part));
	}
	of_unlock = (now_ns() - start) / looks;
	figure(of_unlock / 1000, "us to look at all");
	/* Who tries in vain gives nobody reason to look: see cost.c, too. */
	all.end = 1;
	start = now_ns();
	for (i = 0; i < looks; i++)
		ASSERT_EQ(-EAGAIN, try(one_more, all));
	of_try = (now_ns() - start) / looks;
	figure(of_try / 1000, "us to try");
	EXPECT_EQ(n - 1, waiting_of(&c));
	ASSERT_EQ(0, unlock_all(c.h[0]));
	for (i = 1; i < n; i++)
		ASSERT_TRUE(is_done(c.h[i])) TH_LOG("%lu", i);
	close(one_more);
	crew_close(&c);
}

/* Bytes that do not touch, from @first on. */
static void take_bytes(int h, struct sluice_item item, __u64 first, unsigned long n)
{
	struct sluice_item items[64];
	unsigned long i;
	int k;

	for (i = 0; i < n; i += k) {
		for (k = 0; k < ARRAY(items) && i + k < n; k++) {
			items[k] = item;
			items[k].start = items[k].end = first + 2 * (i + k);
		}
		must(lock_items(h, items, k, 0));
	}
}

/* Many wait for one who has much: it does not matter how much, or that it has more. */
TEST_F(many, much_of_one)
{
	unsigned long i, n = scaled(500, 50), m = scaled(20000, 500);
	struct sluice_item item, all;
	struct crew c;
	__s64 start;

	crew_make(&c, n + 2, 1, 0);
	item = all = own(&c, 0, SLUICE_NL);
	take_bytes(c.h[0], item, 0, m);
	item.mode = SLUICE_PR;
	item.start = item.end = 2 * m;
	ASSERT_EQ(0, take(c.h[0], item));
	ASSERT_EQ(0, take(c.h[1], item));
	all.mode = SLUICE_EX;
	all.end = 4 * m;
	for (i = 0; i < n; i++)
		ASSERT_EQ(-EINPROGRESS, ask(c.h[2 + i], all));
	item.mode = SLUICE_EX;
	start = now_ns();
	ASSERT_EQ(-EINPROGRESS, ask(c.h[0], item));
	figure((now_ns() - start) / 1000, "us to ask, with much of one's own");
	ASSERT_EQ(0, unlock_all(c.h[1]));
	ASSERT_EQ(0, outcome(c.h[0]));
	/* What comes now is in everybody's way. */
	item.mode = SLUICE_PR;
	take_bytes(c.h[0], item, 2 * m + 2, m - 1);
	item.mode = SLUICE_UNLOCKED;
	item.start = item.end = 4 * m - 2;
	start = now_ns();
	ASSERT_EQ(0, unlock(c.h[0], item));
	figure((now_ns() - start) / 1000, "us to unlock, with much more");
	EXPECT_EQ(n, waiting_of(&c));
	crew_close(&c);
}

/* Readers, all let in by one unlock. */
TEST_F(many, all_let_in_at_once)
{
	unsigned long i;
	struct crew c;

	crew_make(&c, self->n, 1, 0);
	ASSERT_EQ(0, take(c.h[0], own(&c, 0, SLUICE_EX)));
	for (i = 1; i < c.n; i++)
		ASSERT_EQ(-EINPROGRESS, ask(c.h[i], own(&c, 0, SLUICE_PR)));
	ASSERT_EQ(0, unlock_all(c.h[0]));
	for (i = 1; i < c.n; i++)
		ASSERT_TRUE(is_done(c.h[i])) TH_LOG("%lu", i);
	EXPECT_EQ(c.n - 1, lockspace_stat(c.space[0]).grants);
	crew_close(&c);
}

/* All of them gone at once, with all they hold and wait for. */
TEST_F(many, all_die_at_once)
{
	unsigned long n = self->n;
	int space = make_lockspace(NULL, 0);
	pid_t pid;

	ASSERT_LE(0, space);
	pid = child();
	if (!pid) {
		struct crew c;

		crew_make(&c, n, 1, 0);
		c.space[0] = space;
		chain(&c, n - 1);
		pause();
	}
	/* In the child making so many takes its time. */
	while (waiting_in(space) < n - 1)
		sleep_us(20000);
	kill_and_reap(pid);
	EXPECT_TRUE(until(!lockspace_stat(space).grants));
	EXPECT_EQ(0, waiting_in(space));
	EXPECT_EQ(n, lockspace_stat(space).died);
}

/*
 * One request closes a ring with each of them, and would have all of them fail,
 * one after the other: not for longer than 64 times.
 */
TEST_F(many, rings_closed_at_once)
{
	struct sluice_item y;
	unsigned long i;
	struct crew c;
	__s64 start;

	crew_make(&c, self->n, 1, SLUICE_VICTIM_YOUNGEST);
	y = own(&c, 1, SLUICE_PR);
	ASSERT_EQ(0, take(c.h[0], own(&c, 0, SLUICE_EX)));
	for (i = 1; i < c.n; i++) {
		ASSERT_EQ(0, take(c.h[i], y));
		ASSERT_EQ(-EINPROGRESS, ask(c.h[i], own(&c, 0, SLUICE_PR)));
	}
	y.mode = SLUICE_EX;
	start = now_ns();
	EXPECT_EQ(-EDEADLK, lock_until(c.h[0], &y, 1, 0, in_ms(1000)));
	figure((now_ns() - start) / 1000, "us to be told");
	EXPECT_EQ(c.n - 1 - 64, waiting_of(&c));
	EXPECT_EQ(65, lockspace_stat(c.space[0]).deadlocks);
	EXPECT_EQ(0, unlock_all(c.h[0]));
	EXPECT_EQ(0, waiting_of(&c));
	crew_close(&c);
}

/* What was the way out of a ring for each of them is lost. */
TEST_F(many, ways_out_lost_at_once)
{
	unsigned long i, failed = 0;
	struct sluice_item item[2];
	struct crew c;
	__s64 start;

	crew_make(&c, self->n, 1, 0);
	ASSERT_EQ(0, take(c.h[0], own(&c, 0, SLUICE_EX)));
	ASSERT_EQ(0, take(c.h[1], own(&c, 1, SLUICE_EX)));
	for (i = 2; i < c.n; i++)
		ASSERT_EQ(0, take(c.h[i], own(&c, 2, SLUICE_PR)));
	item[0] = own(&c, 0, SLUICE_PR);
	item[1] = own(&c, 1, SLUICE_PR);
	for (i = 2; i < c.n; i++)
		ASSERT_EQ(-EINPROGRESS, lock_items(c.h[i], item, 2,
						   SLUICE_LOCK_ANY |
						   SLUICE_LOCK_ASYNC));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], own(&c, 2, SLUICE_EX)));
	start = now_ns();
	EXPECT_EQ(0, recover(c.h[0], own(&c, 0, SLUICE_EX), SLUICE_RECOVER_LOST));
	figure((now_ns() - start) / 1000, "us to tell all");
	for (i = 2; i < c.n; i++)
		failed += is_done(c.h[i]) && outcome(c.h[i]) == -EDEADLK;
	EXPECT_EQ(c.n - 2, failed);
	EXPECT_EQ(1, waiting_of(&c));
	crew_close(&c);
}

TEST_HARNESS_MAIN
