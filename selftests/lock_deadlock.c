// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlocks: found whatever their length, over lockspaces, for all and for any;
 * nobody is accused falsely; who fails, and what is told of it afterwards.
 *
 * timeout: 240
 */
#include "lock.h"

/*
 * Rings.
 */
FIXTURE(ring) {
	struct crew c;
};

FIXTURE_VARIANT(ring) {
	unsigned long n;
	int spaces;
};

FIXTURE_VARIANT_ADD(ring, of_2) { 2, 1 };
FIXTURE_VARIANT_ADD(ring, of_2_in_2_spaces) { 2, 2 };
FIXTURE_VARIANT_ADD(ring, of_3_in_3_spaces) { 3, 3 };
FIXTURE_VARIANT_ADD(ring, of_13) { 13, 1 };
FIXTURE_VARIANT_ADD(ring, of_16) { 16, 2 };
FIXTURE_VARIANT_ADD(ring, of_100) { 100, 4 };
FIXTURE_VARIANT_ADD(ring, of_1000) { 1000, 1 };
FIXTURE_VARIANT_ADD(ring, of_1000_in_4_spaces) { 1000, 4 };

FIXTURE_SETUP(ring)
{
	crew_make(&self->c, variant->n, variant->spaces, 0);
}

FIXTURE_TEARDOWN(ring)
{
	crew_close(&self->c);
}

TEST_F(ring, is_found)
{
	struct crew *c = &self->c;
	unsigned long last = c->n - 1;

	chain(c, last);
	EXPECT_EQ(-EAGAIN, try(c->h[last], own(c, 0, SLUICE_EX)))
		TH_LOG("TRY waits for nothing");
	EXPECT_EQ(-EDEADLK, take(c->h[last], own(c, 0, SLUICE_EX)));
	EXPECT_EQ(last, waiting_of(c)) TH_LOG("the others wait on");
	EXPECT_EQ(1, lockspace_stat(c->space[0]).deadlocks);
	EXPECT_EQ(-EDEADLK, take(c->h[last], own(c, 0, SLUICE_PR)))
		TH_LOG("once more, in another mode");
	unwind(c);
}

/* The same without the last request is none, however long. */
TEST_F(ring, open_one_is_none)
{
	struct crew *c = &self->c;

	chain(c, c->n - 1);
	EXPECT_EQ(c->n - 1, waiting_of(c));
	EXPECT_EQ(0, lockspace_stat(c->space[0]).deadlocks);
	unwind(c);
}

/* Closed somewhere in the middle. */
TEST_F(ring, closed_in_the_middle)
{
	struct crew *c = &self->c;
	unsigned long i, mid = c->n / 2;

	for (i = 0; i < c->n; i++)
		ASSERT_EQ(0, take(c->h[i], own(c, i, SLUICE_PR)));
	for (i = 0; i < c->n; i++)
		if (i != mid)
			ASSERT_EQ(-EINPROGRESS, ask(c->h[i], own(c, (i + 1) % c->n,
								 SLUICE_PW)));
	EXPECT_EQ(-EDEADLK, take(c->h[mid], own(c, (mid + 1) % c->n, SLUICE_CW)));
	EXPECT_EQ(0, try(c->h[mid], own(c, (mid + 1) % c->n, SLUICE_CR)))
		TH_LOG("in a mode that goes with it");
}

/* One that is in the ring and waits for somebody outside, too. */
TEST_F(ring, found_with_bystanders)
{
	struct crew *c = &self->c;
	struct sluice_item i[2];
	__u64 id;
	int h = make_holder(&id);

	ASSERT_LE(0, h);
	chain(c, c->n - 1);
	ASSERT_EQ(0, take(h, whole(c->space[0], "bystander", SLUICE_EX)));
	i[0] = whole(c->space[0], "bystander", SLUICE_EX);
	i[1] = own(c, 0, SLUICE_EX);
	EXPECT_EQ(-EDEADLK, lock_items(c->h[c->n - 1], i, 2, 0))
		TH_LOG("ALL needs the one that never comes");
	EXPECT_EQ(-EINPROGRESS, lock_items(c->h[c->n - 1], i, 2,
					   SLUICE_LOCK_ASYNC | SLUICE_LOCK_ANY))
		TH_LOG("ANY has a way out");
	ASSERT_EQ(0, unlock_all(h));
	EXPECT_EQ(0, outcome(c->h[c->n - 1]));
	close(h);
}

/*
 * Requests of more than one item.
 */
FIXTURE(graph) {
	struct cast c;
};

FIXTURE_SETUP(graph)
{
	int i;

	cast_make(&self->c, 6);
	for (i = 0; i < self->c.n; i++)
		must(take(self->c.h[i], whole(self->c.space, (char []){ 'a' + i, 0 },
					      SLUICE_EX)));
}

FIXTURE_TEARDOWN(graph)
{
	int i;

	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	EXPECT_EQ(0, waiting_in(self->c.space));
	cast_close(&self->c);
}

#define H(i)	(self->c.h[i])

/* Holder @h asks for those of which the keys are the letters of @keys. */
static int wants(FIXTURE_DATA(graph) *self, int h, const char *keys, __u32 flags)
{
	struct sluice_item i[8];
	int n;

	for (n = 0; keys[n]; n++)
		i[n] = whole(self->c.space, (char []){ keys[n], 0 }, SLUICE_EX);
	return lock_items(H(h), i, n, flags);
}

#define ALL(h, keys)	wants(self, h, keys, SLUICE_LOCK_ASYNC)
#define ANY(h, keys)	wants(self, h, keys, SLUICE_LOCK_ASYNC | SLUICE_LOCK_ANY)
#define WAIT(h, keys)	wants(self, h, keys, 0)
#define WAITS_ANY(h, keys) wants(self, h, keys, SLUICE_LOCK_ANY)

TEST_F(graph, all_waits_for_each)
{
	ASSERT_EQ(-EINPROGRESS, ALL(0, "bcd"));
	EXPECT_EQ(-EDEADLK, WAIT(1, "a"));
	EXPECT_EQ(-EDEADLK, WAIT(2, "a"));
	EXPECT_EQ(-EDEADLK, WAIT(3, "fa"));
	ASSERT_EQ(-EINPROGRESS, ALL(4, "a")) TH_LOG("nobody waits for e");
	EXPECT_EQ(-EDEADLK, WAIT(1, "e")) TH_LOG("over two steps");
}

TEST_F(graph, any_waits_for_one)
{
	ASSERT_EQ(-EINPROGRESS, ANY(0, "bc"));
	ASSERT_EQ(-EINPROGRESS, ALL(1, "a")) TH_LOG("c may still come free");
	EXPECT_EQ(-EDEADLK, WAIT(2, "a")) TH_LOG("now none would");
	EXPECT_EQ(-EDEADLK, WAIT(2, "b"));
	EXPECT_EQ(-EDEADLK, WAITS_ANY(2, "ab"));
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(0)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(1)));
}

TEST_F(graph, any_with_a_live_alternative)
{
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b"));
	ASSERT_EQ(-EINPROGRESS, ANY(1, "af")) TH_LOG("f's holder runs");
	ASSERT_EQ(-EINPROGRESS, ANY(2, "ab")) TH_LOG("both wait for one that lives");
	EXPECT_EQ(-EDEADLK, WAIT(5, "c"));
	EXPECT_EQ(-EDEADLK, WAIT(5, "a"));
	EXPECT_EQ(-EDEADLK, WAITS_ANY(5, "abc"));
	ASSERT_EQ(-EINPROGRESS, ANY(5, "abcd")) TH_LOG("d's holder runs");
	ASSERT_EQ(0, unlock_all(H(3)));
	EXPECT_EQ(0, outcome(H(5)));
	ASSERT_EQ(0, unlock_all(H(5)));
	EXPECT_EQ(0, outcome(H(1)));
}

/* Two are lost at once: of one somebody waits behind what the other one makes. */
TEST_F(graph, made_by_what_is_lost)
{
	struct sluice_item lost[] = {
		whole(self->c.space, "a", 0), whole(self->c.space, "b", 0),
	};

	ASSERT_EQ(0, unlock_all(H(1)));
	ASSERT_EQ(0, WAIT(0, "b"));
	ASSERT_EQ(-EINPROGRESS, ANY(2, "bd"));
	ASSERT_EQ(-EINPROGRESS, ALL(3, "c"));
	ASSERT_EQ(-EINPROGRESS, ANY(1, "ac"));
	EXPECT_EQ(0, act_on(H(0), SLUICE_IOC_RECOVER, lost, 2,
			    SLUICE_RECOVER_LOST));
	EXPECT_EQ(1, lockspace_stat(self->c.space).deadlocks);
	EXPECT_EQ(-EDEADLK, outcome(H(2)));
}

/*
 * What is lost nobody queues behind. Found again, 4 is ahead of 2 once more, who
 * only waited for 1; but 4 waits for 3 or what 2 has, and 3 for that, too.
 */
TEST_F(graph, fairness_gives_way_to_what_is_found)
{
#define X(s, e)	range(self->c.space, "x", SLUICE_EX, s, e)
	struct sluice_item all[] = {
		X(10, 14), whole(self->c.space, "c", SLUICE_EX),
	}, any[] = { X(0, 19), all[1] };
	int n, i;

	ASSERT_EQ(0, take(H(0), X(0, 0)));
	ASSERT_EQ(0, recover(H(0), X(0, 0), SLUICE_RECOVER_LOST));
	ASSERT_EQ(0, take(H(1), X(15, 19)));
	ASSERT_EQ(-EINPROGRESS, lock_items(H(3), all, 2, SLUICE_LOCK_ASYNC));
	ASSERT_EQ(-EINPROGRESS, lock_items(H(4), any, 2, SLUICE_LOCK_ASYNC |
					   SLUICE_LOCK_ANY));
	ASSERT_EQ(-EINPROGRESS, ask(H(2), X(15, 19)));
	ASSERT_EQ(0, recover(H(0), X(0, 0), SLUICE_RECOVER_CONSISTENT));
	ASSERT_EQ(0, unlock_all(H(0)));
	ASSERT_EQ(0, unlock_all(H(1)));
	/* Whoever of them was let past: he goes on, and then the others do. */
	for (n = 0; n < 3; n++) {
		for (i = 2; i < 5 && !is_done(H(i)); i++)
			;
		ASSERT_GT(5, i) TH_LOG("%d went on", n);
		EXPECT_EQ(0, outcome(H(i)));
		ASSERT_EQ(0, unlock_all(H(i)));
	}
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
#undef X
}

/* Plain cycle search would see one here: 0 -> 1 -> 0. */
TEST_F(graph, cycle_that_is_none)
{
	ASSERT_EQ(-EINPROGRESS, ANY(0, "bc"));
	ASSERT_EQ(-EINPROGRESS, ANY(1, "ac"));
	ASSERT_EQ(-EINPROGRESS, ANY(3, "abe"));
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(0)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(1)));
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(3)));
}

/* All of any: 0 needs 1 and 2; 2 has a way out, 1 has none. */
TEST_F(graph, all_and_any_together)
{
	ASSERT_EQ(-EINPROGRESS, ALL(0, "bc"));
	ASSERT_EQ(-EINPROGRESS, ANY(2, "ad"));
	ASSERT_EQ(-EINPROGRESS, ANY(1, "ae"));
	EXPECT_EQ(-EDEADLK, WAIT(4, "b"));
	ASSERT_EQ(-EINPROGRESS, ALL(4, "d")) TH_LOG("3 runs");
	EXPECT_EQ(-EDEADLK, WAIT(3, "e")) TH_LOG("3 was what all lived on");
	EXPECT_EQ(-EINPROGRESS, ALL(3, "f"));
}

/* Somebody else, who runs, would let it go: no deadlock. */
TEST_F(graph, shared_holders_all_count)
{
	struct sluice_item g = whole(self->c.space, "g", SLUICE_PR);

	ASSERT_EQ(0, take(H(0), g));
	ASSERT_EQ(0, take(H(1), g));
	ASSERT_EQ(-EINPROGRESS, ALL(2, "g"));
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b")) TH_LOG("1 runs, and has both");
	EXPECT_EQ(-EDEADLK, WAIT(1, "c")) TH_LOG("2 needs g of both");
	EXPECT_EQ(-EDEADLK, WAIT(1, "a"));
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(0)));
}

/* Waiting for bytes that others have is nothing to those of other bytes. */
TEST_F(graph, ranges_apart)
{
	struct sluice_item r[2] = {
		range(self->c.space, "r", SLUICE_EX, 0, 9),
		range(self->c.space, "r", SLUICE_EX, 10, 19),
	};
	struct sluice_item all = range(self->c.space, "r", SLUICE_EX, 9, 10);

	ASSERT_EQ(0, take(H(0), r[0]));
	ASSERT_EQ(0, take(H(1), r[1]));
	ASSERT_EQ(-EINPROGRESS, ask(H(2), r[1]));
	ASSERT_EQ(-EINPROGRESS, ALL(1, "d"));
	EXPECT_EQ(-EDEADLK, WAIT(3, "c")) TH_LOG("3 -> 2 -> 1 -> 3");
	ASSERT_EQ(-EINPROGRESS, ALL(0, "f")) TH_LOG("0 is not of it");
	EXPECT_EQ(-EDEADLK, lock_items(H(3), &all, 1, 0));
	EXPECT_EQ(-EINPROGRESS, ask(H(3), r[0]));
}

/* What is taken meanwhile by others' UNLOCK or death is no deadlock any more. */
TEST_F(graph, forgotten_when_it_is_over)
{
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b"));
	ASSERT_EQ(-EINPROGRESS, ALL(1, "c"));
	ASSERT_EQ(0, cancel(H(1)));
	EXPECT_EQ(-ECANCELED, outcome(H(1)));
	ASSERT_EQ(-EINPROGRESS, ALL(2, "a")) TH_LOG("1 runs again");
	EXPECT_EQ(-EDEADLK, WAIT(1, "c"));
	close(H(2));
	H(2) = -1;
	EXPECT_EQ(0, WAIT(1, "c"));
	H(2) = make_holder(&self->c.id[2]);
}

/*
 * Edges that are only there because the queue is fair.
 */

/* 1 would wait behind 2, who waits for 0, who waits for 1: it goes before. */
TEST_F(graph, fairness_gives_way)
{
	struct sluice_item pr = whole(self->c.space, "q", SLUICE_PR);
	struct sluice_item ex = whole(self->c.space, "q", SLUICE_EX);

	ASSERT_EQ(0, take(H(0), pr));
	ASSERT_EQ(-EINPROGRESS, ask(H(2), ex));
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b"));
	EXPECT_EQ(-EAGAIN, try(H(3), pr)) TH_LOG("others do queue");
	EXPECT_EQ(0, take(H(1), pr));
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(0)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(2)));
}

/* The same, but the edge that closes it is another: 1 waits already. */
TEST_F(graph, fairness_gives_way_later)
{
	struct sluice_item pr = whole(self->c.space, "q", SLUICE_PR);
	struct sluice_item ex = whole(self->c.space, "q", SLUICE_EX);

	ASSERT_EQ(0, take(H(0), pr));
	ASSERT_EQ(-EINPROGRESS, ask(H(2), ex));
	ASSERT_EQ(-EINPROGRESS, ask(H(1), pr)) TH_LOG("behind 2");
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b"));
	EXPECT_EQ(0, outcome(H(1))) TH_LOG("it need not wait behind 2");
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(0)));
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(2)));
}

/* 0 waits for b and c, and is ahead of 1 at c; but only 1 can give it b. */
TEST_F(graph, fairness_gives_way_when_freed)
{
	ASSERT_EQ(-EINPROGRESS, ALL(0, "bc"));
	ASSERT_EQ(-EINPROGRESS, ALL(1, "c"));
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(1)));
	EXPECT_FALSE(is_done(H(0)));
	ASSERT_EQ(0, unlock_all(H(1)));
	EXPECT_EQ(0, outcome(H(0)));
}

/*
 * 0 need not queue behind 1, who waits for what 0 has of q; when 0 gives that
 * back while it waits, it must not be left behind 1, who waits for 2, for 0.
 */
TEST_F(graph, fairness_gives_way_to_who_gave_up)
{
	struct sluice_item i[2] = {
		range(self->c.space, "q", SLUICE_PR, 0, 29),
		whole(self->c.space, "c", SLUICE_EX),
	};

	ASSERT_EQ(0, take(H(0), range(self->c.space, "q", SLUICE_EX, 0, 9)));
	ASSERT_EQ(0, take(H(3), range(self->c.space, "q", SLUICE_EX, 20, 29)));
	ASSERT_EQ(-EINPROGRESS, ALL(2, "a"));
	ASSERT_EQ(-EINPROGRESS, lock_items(H(1), i, 2, SLUICE_LOCK_ASYNC));
	ASSERT_EQ(-EINPROGRESS, ask(H(0), range(self->c.space, "q", SLUICE_EX,
						20, 29)));
	ASSERT_EQ(0, unlock(H(0), range(self->c.space, "q", SLUICE_UNLOCKED,
					0, 9)));
	ASSERT_EQ(0, unlock_all(H(3)));
	EXPECT_EQ(0, outcome(H(0)));
	ASSERT_EQ(0, unlock_all(H(0)));
	EXPECT_EQ(0, outcome(H(2)));
	ASSERT_EQ(0, unlock_all(H(2)));
	EXPECT_EQ(0, outcome(H(1)));
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
}

/* A cycle of real edges stays one, whatever fairness could do. */
TEST_F(graph, fairness_does_not_help)
{
	struct sluice_item pr = whole(self->c.space, "q", SLUICE_PR);
	struct sluice_item ex = whole(self->c.space, "q", SLUICE_EX);

	ASSERT_EQ(0, take(H(0), ex));
	ASSERT_EQ(-EINPROGRESS, ask(H(2), ex));
	ASSERT_EQ(-EINPROGRESS, ALL(0, "b"));
	EXPECT_EQ(-EDEADLK, lock_items(H(1), &pr, 1, 0));
}

/*
 * Who fails.
 */

/* Three in a ring, made in the order 0, 1, 2; @closer asks last. */
static void triangle(struct crew *c, __u32 victim, int closer,
		     const __s32 *priority, int *ret)
{
	int i;

	crew_make(c, 3, 1, victim);
	for (i = 0; i < 3; i++)
		check(!take(c->h[i], own(c, i, SLUICE_EX)));
	for (i = 1; i <= 3; i++) {
		int h = (closer + i) % 3;

		ret[h] = ask_urgently(c->h[h], own(c, (h + 1) % 3, SLUICE_EX),
				      priority[h]);
		check(ret[h] == -EINPROGRESS || (h == closer && ret[h] == -EDEADLK));
	}
}

/* Only @victim fails, and keeps what it has; the others wait for it. */
static void only_fails(struct crew *c, const int *ret, int victim)
{
	int i, before = (victim + 2) % 3;

	check(waiting_in(c->space[0]) == 2);
	for (i = 0; i < 3; i++)
		check(held_by(c->space[0], c->id[i]) == 1);
	if (ret[victim] == -EINPROGRESS)
		check(outcome(c->h[victim]) == -EDEADLK);
	for (i = 0; i < 3; i++)
		check(!is_done(c->h[i]));
	check(!unlock_all(c->h[victim]));
	check(!outcome(c->h[before]));
	crew_close(c);
}

static const __s32 ranked[3] = { 3, -2, 1 };

TEST(victim_is_who_asks)
{
	struct crew c;
	int closer, ret[3];

	for (closer = 0; closer < 3; closer++) {
		triangle(&c, SLUICE_VICTIM_REQUESTER, closer, ranked, ret);
		only_fails(&c, ret, closer);
	}
}

TEST(victim_is_the_youngest)
{
	struct crew c;
	int closer, ret[3];

	for (closer = 0; closer < 3; closer++) {
		triangle(&c, SLUICE_VICTIM_YOUNGEST, closer, ranked, ret);
		only_fails(&c, ret, 2);
	}
}

TEST(victim_is_the_least_urgent)
{
	struct crew c;
	int closer, ret[3];

	for (closer = 0; closer < 3; closer++) {
		triangle(&c, SLUICE_VICTIM_PRIORITY, closer, ranked, ret);
		only_fails(&c, ret, 1);
	}
}

/* One that sleeps in LOCK is woken with it. */
TEST(victim_that_sleeps)
{
	struct waiter *w;
	struct crew c;

	crew_make(&c, 2, 1, SLUICE_VICTIM_YOUNGEST);
	ASSERT_EQ(0, take(c.h[0], own(&c, 0, SLUICE_EX)));
	ASSERT_EQ(0, take(c.h[1], own(&c, 1, SLUICE_EX)));
	w = waiter_for(c.h[1], own(&c, 0, SLUICE_EX));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[0], own(&c, 1, SLUICE_EX)));
	EXPECT_EQ(-EDEADLK, waiter_end(w));
	ASSERT_EQ(0, unlock_all(c.h[1]));
	EXPECT_EQ(0, outcome(c.h[0]));
	crew_close(&c);
}

/* A request that breaks two cycles needs one victim of each, if need be. */
TEST(two_cycles_at_once)
{
	struct sluice_item both[2];
	struct crew c;

	crew_make(&c, 3, 1, SLUICE_VICTIM_YOUNGEST);
	chain(&c, 0);
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], own(&c, 0, SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[2], own(&c, 0, SLUICE_EX)));
	both[0] = own(&c, 1, SLUICE_EX);
	both[1] = own(&c, 2, SLUICE_EX);
	ASSERT_EQ(-EINPROGRESS, lock_items(c.h[0], both, 2, SLUICE_LOCK_ASYNC));
	EXPECT_EQ(-EDEADLK, outcome(c.h[2]));
	EXPECT_EQ(-EDEADLK, outcome(c.h[1]));
	EXPECT_FALSE(is_done(c.h[0]));
	ASSERT_EQ(0, unlock_all(c.h[1]));
	ASSERT_EQ(0, unlock_all(c.h[2]));
	EXPECT_EQ(0, outcome(c.h[0]));
	crew_close(&c);
}

/* An asynchronous request that closes a ring is told so as an event. */
TEST(asynchronous_requester)
{
	struct sluice_lock_event ev;
	struct crew c;

	crew_make(&c, 2, 1, 0);
	chain(&c, 1);
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], own(&c, 0, SLUICE_EX)));
	EXPECT_TRUE(is_done(c.h[1]));
	EXPECT_EQ(0, event_of(c.h[1], SLUICE_EVENT_DONE, &ev));
	EXPECT_EQ(EDEADLK, ev.error);
	EXPECT_EQ(1, held_by(c.space[0], c.id[1]));
	EXPECT_EQ(1, waiting_in(c.space[0]));
	crew_close(&c);
}

/*
 * As people do it: processes that sleep.
 */
TEST(processes_in_a_ring)
{
	enum { N = 13 };
	int space = make_lockspace("ring", 0), refused = 0, i;
	pid_t pid[N];
	char key[8];

	ASSERT_LE(0, space);
	for (i = 0; i < N; i++) {
		pid[i] = child();
		if (!pid[i]) {
			int h = must(make_holder(NULL)), ret;

			snprintf(key, sizeof(key), "%d", i);
			must(take(h, whole(space, key, SLUICE_EX)));
			while (lockspace_stat(space).granted < N)
				sleep_us(1000);
			snprintf(key, sizeof(key), "%d", (i + 1) % N);
			ret = take(h, whole(space, key, SLUICE_EX));
			_exit(!ret ? 0 : ret == -EDEADLK ? 100 : 1);
		}
	}
	for (i = 0; i < N; i++) {
		int status = reap_slowly(pid[i]);

		EXPECT_TRUE(status == 0 || status == 100) TH_LOG("%d", status);
		refused += status == 100;
	}
	EXPECT_EQ(1, refused);
	EXPECT_EQ(1, lockspace_stat(space).deadlocks);
}

TEST_HARNESS_MAIN
