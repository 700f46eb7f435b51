// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who goes first: the order of arrival, priorities, bounded bypass, and that
 * nobody starves.
 */
#include "lock.h"

#define PLAYERS	8
#define PASSED_MAX	64	/* later ones that may go before one that waits */

FIXTURE(queue) {
	struct cast c;
};

FIXTURE_SETUP(queue)
{
	cast_make(&self->c, PLAYERS);
}

FIXTURE_TEARDOWN(queue)
{
	int i;

	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	EXPECT_EQ(0, waiting_in(self->c.space));
	cast_close(&self->c);
}

#define H(i)		(self->c.h[i])
#define I(mode)		whole(self->c.space, "queue", SLUICE_##mode)
#define R(mode, s, e)	range(self->c.space, "queue", SLUICE_##mode, s, e)
#define WAITS(i, item)	ASSERT_EQ(-EINPROGRESS, ask(H(i), item))

TEST_F(queue, first_come_first_served)
{
	int i;

	ASSERT_EQ(0, take(H(0), I(EX)));
	for (i = 1; i < PLAYERS; i++)
		WAITS(i, I(EX));
	for (i = 1; i < PLAYERS; i++) {
		EXPECT_FALSE(is_done(H(i)));
		ASSERT_EQ(0, unlock_all(H(i - 1)));
		EXPECT_EQ(0, outcome(H(i)));
		if (i + 1 < PLAYERS)
			EXPECT_FALSE(is_done(H(i + 1)));
	}
}

/* LOCKS tells the queue in its order. */
TEST_F(queue, order_is_told)
{
	struct sluice_lock_entry e[PLAYERS + 1];
	int i;

	ASSERT_EQ(0, take(H(0), I(EX)));
	for (i = 1; i < PLAYERS; i++)
		ASSERT_EQ(-EINPROGRESS, ask_urgently(H(i), I(PR), i % 2));
	ASSERT_EQ(PLAYERS, locks_of(self->c.space, e, PLAYERS + 1));
	EXPECT_EQ(SLUICE_LOCK_HELD, e[0].state);
	EXPECT_EQ(self->c.id[0], e[0].holder);
	for (i = 1; i < PLAYERS; i++) {
		int who = i <= PLAYERS / 2 ? 2 * i - 1 : 2 * (i - PLAYERS / 2);

		EXPECT_EQ(SLUICE_LOCK_WAITING, e[i].state);
		EXPECT_EQ(self->c.id[who], e[i].holder) TH_LOG("place %d", i);
		EXPECT_EQ(who % 2, e[i].priority);
		EXPECT_EQ(SLUICE_PR, e[i].mode);
		EXPECT_LE(e[i].since, now_ns());
	}
}

/* Readers share their turn; who comes after a writer waits behind it. */
TEST_F(queue, readers_behind_a_writer)
{
	ASSERT_EQ(0, take(H(0), I(EX)));
	WAITS(1, I(PR));
	WAITS(2, I(PR));
	WAITS(3, I(EX));
	WAITS(4, I(PR));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(1)));
	EXPECT_EQ(0, outcome(H(2)));
	EXPECT_FALSE(is_done(H(3)));
	EXPECT_FALSE(is_done(H(4)));
	EXPECT_EQ(-EAGAIN, try(H(5), I(PR)));
	EXPECT_EQ(0, try(H(5), I(NL))) TH_LOG("NL is in nobody's way");
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_FALSE(is_done(H(3)));
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(3)));
	EXPECT_FALSE(is_done(H(4)));
	ASSERT_EQ(0, unlock_all(H(3)));
	EXPECT_EQ(0, outcome(H(4)));
}

/* Only those that overlap and do not go together queue behind each other. */
TEST_F(queue, ranges_apart_do_not_queue)
{
	ASSERT_EQ(0, take(H(0), R(EX, 0, 9)));
	WAITS(1, R(EX, 5, 14));
	EXPECT_EQ(-EAGAIN, try(H(2), R(PR, 14, 20)));
	EXPECT_EQ(0, try(H(2), R(PR, 15, 20)));
	EXPECT_EQ(0, try(H(3), R(EX, 21, SLUICE_END)));
	WAITS(4, R(EX, 14, 14));
	EXPECT_EQ(-EAGAIN, try(H(5), R(CR, 14, 14)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(1)));
	EXPECT_FALSE(is_done(H(4)));
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(4)));
}

/* Who is in the way of one that waits need not queue behind it. */
TEST_F(queue, holder_goes_on)
{
	ASSERT_EQ(0, take(H(0), R(PR, 0, 9)));
	WAITS(1, R(EX, 0, 19));
	EXPECT_EQ(0, try(H(0), R(PR, 0, 9))) TH_LOG("what it has");
	EXPECT_EQ(0, try(H(0), R(PR, 0, 19))) TH_LOG("and more");
	EXPECT_EQ(0, try(H(0), R(EX, 3, 4))) TH_LOG("and stronger");
	EXPECT_EQ(-EAGAIN, try(H(2), R(PR, 12, 12)));
	EXPECT_FALSE(is_done(H(1)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(1)));
}

TEST_F(queue, priority)
{
	static const int order[] = { 3, 5, 1, 4, 2 };	/* by what follows */
	static const int priority[] = {
		0, 0, -SLUICE_PRIORITY_MAX, SLUICE_PRIORITY_MAX, 0, 1,
	};
	int last = 0;
	size_t i;

	ASSERT_EQ(0, take(H(0), I(EX)));
	for (i = 1; i <= ARRAY(order); i++)
		ASSERT_EQ(-EINPROGRESS, ask_urgently(H(i), I(EX), priority[i]));
	for (i = 0; i < ARRAY(order); i++) {
		ASSERT_EQ(0, unlock_all(H(last)));
		last = order[i];
		EXPECT_EQ(0, outcome(H(last))) TH_LOG("place %zu", i);
	}
}

/* A higher one need not wait behind a lower one, whatever that waits for. */
TEST_F(queue, priority_goes_ahead_of_waiters)
{
	ASSERT_EQ(0, take(H(0), I(PR)));
	WAITS(1, I(EX));
	EXPECT_EQ(-EAGAIN, try(H(2), I(PR)));
	EXPECT_EQ(0, ask_urgently(H(2), I(PR), 1));
	EXPECT_EQ(-EINPROGRESS, ask_urgently(H(3), I(PR), -1));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_FALSE(is_done(H(1)));
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(1)));
	EXPECT_FALSE(is_done(H(3)));
}

/* How often two that are more urgent hand it to each other before H(2) has it. */
static int passes(FIXTURE_DATA(queue) *self, struct sluice_item wanted,
		  struct sluice_item urgent)
{
	int n, has = 0;

	check(!take(H(0), urgent));
	check(ask(H(2), wanted) == -EINPROGRESS);
	for (n = 0; n < 4 * PASSED_MAX && !is_done(H(2)); n++) {
		int ret = ask_urgently(H(!has), urgent, 10);

		check(!unlock_all(H(has)));
		if (is_done(H(2)))
			break;
		check(!ret || (ret == -EINPROGRESS && !outcome(H(!has))));
		has = !has;
	}
	check(!outcome(H(2)));
	return n;
}

TEST_F(queue, bypass_is_bounded)
{
	int n = passes(self, I(EX), I(EX));

	EXPECT_LE(n, PASSED_MAX);
	EXPECT_LE(PASSED_MAX / 2, n) TH_LOG("urgent ones do go first");
}

TEST_F(queue, bypass_by_readers_is_bounded)
{
	int n = passes(self, I(EX), I(PR));

	EXPECT_LE(n, PASSED_MAX);
	EXPECT_LE(PASSED_MAX / 2, n);
}

TEST_F(queue, bypass_of_a_reader_is_bounded)
{
	int n = passes(self, I(PR), I(EX));

	EXPECT_LE(n, PASSED_MAX);
	EXPECT_LE(PASSED_MAX / 2, n);
}

/* Who only tries has passed nobody, however often and however urgent. */
TEST_F(queue, tries_are_no_bypass)
{
	struct sluice_lock l = { .flags = SLUICE_LOCK_TRY, .priority = 10 };
	struct sluice_item i = I(EX);
	int n;

	ASSERT_EQ(0, take(H(0), I(EX)));
	WAITS(1, I(EX));
	for (n = 0; n < 2 * PASSED_MAX; n++)
		ASSERT_EQ(-EAGAIN, lock_full(H(2), &l, &i, 1));
	ASSERT_EQ(-EINPROGRESS, ask_urgently(H(3), I(EX), 10));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(3)));
	EXPECT_FALSE(is_done(H(1)));
	ASSERT_EQ(0, unlock_all(H(3)));
	EXPECT_EQ(0, outcome(H(1)));
}

/*
 * Crowds that leave no gap as far as they can, each process with its holder.
 */
#define CROWD	4

struct crowd {
	pid_t pid[CROWD];
	unsigned long *taken;		/* how often all of them were granted */
};

static void crowd_member(struct sluice_item i, unsigned long *taken)
{
	int h = must(make_holder(NULL));
	struct sluice_item none = i;

	none.mode = SLUICE_UNLOCKED;
	for (;;) {
		must(take(h, i));
		__atomic_add_fetch(taken, 1, __ATOMIC_SEQ_CST);
		if (i.mode == SLUICE_PR)
			sleep_us(2000);
		must(unlock(h, none));
	}
}

static void crowd_start(struct crowd *c, struct sluice_item i)
{
	int k;

	c->taken = shared(4096);
	for (k = 0; k < CROWD; k++) {
		c->pid[k] = child();
		if (!c->pid[k])
			crowd_member(i, c->taken);
	}
	check(until(__atomic_load_n(c->taken, __ATOMIC_SEQ_CST) > 20));
}

static void crowd_end(struct crowd *c)
{
	int k;

	for (k = 0; k < CROWD; k++)
		kill_and_reap(c->pid[k]);
}

/* What H(0) is granted while a crowd is about: how many went before, at most. */
static unsigned long most_passed(FIXTURE_DATA(queue) *self, struct sluice_item i,
				 struct crowd *c, unsigned long rounds)
{
	unsigned long most = 0, k;

	for (k = 0; k < rounds; k++) {
		unsigned long before, n;

		before = __atomic_load_n(c->taken, __ATOMIC_SEQ_CST);
		check(!take(H(0), i));
		n = __atomic_load_n(c->taken, __ATOMIC_SEQ_CST) - before;
		most = n > most ? n : most;
		check(!unlock_all(H(0)));
		sched_yield();
	}
	return most;
}

/*
 * Between reading the count and being in the queue, and between a grant and
 * being counted, the crowd may be anywhere: the machine's doing, not ours. A
 * starved one would not come back before LOCK_PATIENCE_MS.
 */
#define CROWD_SLACK	1000

TEST_F(queue, readers_do_not_starve_a_writer)
{
	struct crowd c;

	crowd_start(&c, I(PR));
	EXPECT_GT(PASSED_MAX + CROWD_SLACK,
		  most_passed(self, I(EX), &c, scaled(50, 5)));
	crowd_end(&c);
}

TEST_F(queue, writers_do_not_starve_a_reader)
{
	struct crowd c;

	crowd_start(&c, I(EX));
	EXPECT_GT(PASSED_MAX + CROWD_SLACK,
		  most_passed(self, I(PR), &c, scaled(200, 20)));
	crowd_end(&c);
}

/* Nor does a wide request starve among narrow ones, nor the other way. */
TEST_F(queue, narrow_ones_do_not_starve_a_wide_one)
{
	struct sluice_item both[2] = { I(EX), whole(self->c.space, "b", SLUICE_EX) };
	struct crowd c, d;
	unsigned long i;

	crowd_start(&c, R(EX, 5, 9));
	crowd_start(&d, whole(self->c.space, "b", SLUICE_PR));
	for (i = 0; i < scaled(40, 4); i++) {
		EXPECT_EQ(0, lock_items(H(0), both, 2, 0));
		EXPECT_EQ(0, unlock_all(H(0)));
	}
	crowd_end(&c);
	crowd_end(&d);
}

/*
 * A stream of readers and one writer that waits: exactly those that held it
 * already are before it.
 */
TEST_F(queue, stream_of_readers)
{
	int i;

	ASSERT_EQ(0, take(H(0), I(PR)));
	ASSERT_EQ(0, take(H(1), I(PR)));
	WAITS(2, I(EX));
	for (i = 3; i < PLAYERS; i++)
		WAITS(i, I(PR));
	ASSERT_EQ(0, unlock_all(H(0)));
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(2)));
	for (i = 3; i < PLAYERS; i++)
		EXPECT_FALSE(is_done(H(i)));
	ASSERT_EQ(0, unlock_all(H(2)));
	for (i = 3; i < PLAYERS; i++)
		EXPECT_EQ(0, outcome(H(i)));
}

TEST_HARNESS_MAIN
