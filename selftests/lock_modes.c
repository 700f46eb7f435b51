// SPDX-License-Identifier: GPL-2.0-only
/*
 * The modes: which go together, how one becomes another, and how update locks
 * make reading and then writing free of deadlock.
 */
#include "lock.h"

#define KEY	"modes"

static const char *const mode_name[MODES] = {
	"-", "NL", "CR", "CW", "PR", "UP", "PW", "EX",
};

FIXTURE(modes) {
	struct cast c;
};

FIXTURE_SETUP(modes)
{
	cast_make(&self->c, 4);
}

FIXTURE_TEARDOWN(modes)
{
	int i;

	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(0, waiting_in(self->c.space));
	cast_close(&self->c);
}

#define ITEM(mode)	whole(self->c.space, KEY, mode)
#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define D		(self->c.h[3])
#define MODE_OF(i)	mode_at(self->c.space, self->c.id[i], KEY, 0)

#define FOR_EACH_MODE(m)	for (m = SLUICE_NL; m < MODES; m++)

TEST_F(modes, matrix_by_try)
{
	__u32 a, b;

	FOR_EACH_MODE(a)
		FOR_EACH_MODE(b) {
			ASSERT_EQ(0, try(A, ITEM(a)));
			EXPECT_EQ(goes_with(a, b) ? 0 : -EAGAIN, try(B, ITEM(b)))
				TH_LOG("%s beside %s", mode_name[b], mode_name[a]);
			EXPECT_EQ(goes_with(a, b) ? b : 0, MODE_OF(1));
			ASSERT_EQ(0, unlock_all(A));
			ASSERT_EQ(0, unlock_all(B));
		}
}

TEST_F(modes, matrix_by_waiting)
{
	__u32 a, b;

	FOR_EACH_MODE(a)
		FOR_EACH_MODE(b) {
			ASSERT_EQ(0, take(A, ITEM(a)));
			if (goes_with(a, b)) {
				ASSERT_EQ(0, take(B, ITEM(b)))
					TH_LOG("%s, %s", mode_name[a], mode_name[b]);
			} else {
				ASSERT_EQ(-EINPROGRESS, ask(B, ITEM(b)))
					TH_LOG("%s, %s", mode_name[a], mode_name[b]);
				EXPECT_FALSE(is_done(B));
			}
			ASSERT_EQ(0, unlock_all(A));
			if (!goes_with(a, b))
				ASSERT_EQ(0, outcome(B));
			EXPECT_EQ(b, MODE_OF(1));
			ASSERT_EQ(0, unlock_all(B));
		}
}

/* Keys, kinds of keys and lockspaces are apart. */
TEST_F(modes, resources_are_apart)
{
	struct sluice_item other = ITEM(SLUICE_EX);
	int space = make_lockspace(NULL, 0);

	ASSERT_LE(0, space);
	ASSERT_EQ(0, try(A, ITEM(SLUICE_EX)));
	other.key_len--;
	EXPECT_EQ(0, try(B, other)) TH_LOG("a shorter name");
	other.key_len += 2;
	EXPECT_EQ(0, try(B, other)) TH_LOG("a longer one, by a zero byte");
	other = ITEM(SLUICE_EX);
	other.lockspace = space;
	EXPECT_EQ(0, try(B, other)) TH_LOG("another lockspace");
	EXPECT_EQ(-EAGAIN, try(B, ITEM(SLUICE_EX)));
	EXPECT_EQ(3, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(1, lockspace_stat(space).grants);
}

/*
 * Conversions.
 */
TEST_F(modes, own_grants_never_conflict)
{
	__u32 from, to;

	FOR_EACH_MODE(from)
		FOR_EACH_MODE(to) {
			ASSERT_EQ(0, try(A, ITEM(from)));
			EXPECT_EQ(0, try(A, ITEM(to)))
				TH_LOG("%s to %s", mode_name[from], mode_name[to]);
			EXPECT_EQ(to, MODE_OF(0));
			EXPECT_EQ(1, lockspace_stat(self->c.space).grants);
			EXPECT_EQ(0, take(A, ITEM(to))) TH_LOG("once more");
			EXPECT_EQ(1, lockspace_stat(self->c.space).grants);
			ASSERT_EQ(0, unlock_all(A));
		}
}

static void convert_beside(struct __test_metadata *_metadata,
			   FIXTURE_DATA(modes) *self, __u32 from, __u32 to,
			   __u32 other)
{
	bool can = goes_with(to, other);

	ASSERT_EQ(0, try(A, ITEM(from)));
	ASSERT_EQ(0, try(B, ITEM(other)));
	EXPECT_EQ(can ? 0 : -EAGAIN, try(A, ITEM(to)))
		TH_LOG("%s to %s beside %s", mode_name[from], mode_name[to],
		       mode_name[other]);
	EXPECT_EQ(can ? to : from, MODE_OF(0));
	EXPECT_EQ(other, MODE_OF(1));
	ASSERT_EQ(0, unlock_all(A));
	ASSERT_EQ(0, unlock_all(B));
}

TEST_F(modes, conversions_beside_another)
{
	__u32 from, to, other;

	FOR_EACH_MODE(from)
		FOR_EACH_MODE(to)
			FOR_EACH_MODE(other)
				if (goes_with(from, other))
					convert_beside(_metadata, self, from, to, other);
}

/* The old mode keeps others out until the new one is there. */
TEST_F(modes, conversion_keeps_old_mode_meanwhile)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_PR)));
	ASSERT_EQ(0, take(B, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(A, ITEM(SLUICE_EX)));
	EXPECT_EQ(SLUICE_PR, MODE_OF(0));
	EXPECT_EQ(-EAGAIN, try(C, ITEM(SLUICE_CW)));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_EQ(SLUICE_EX, MODE_OF(0));
	EXPECT_EQ(1, lockspace_stat(self->c.space).grants);
}

/* A conversion given up leaves what there was. */
TEST_F(modes, conversion_cancelled)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_PR)));
	ASSERT_EQ(0, take(B, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(A, ITEM(SLUICE_EX)));
	ASSERT_EQ(0, cancel(A));
	EXPECT_EQ(-ECANCELED, outcome(A));
	EXPECT_EQ(SLUICE_PR, MODE_OF(0));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(SLUICE_PR, MODE_OF(0));
	EXPECT_EQ(0, try(B, ITEM(SLUICE_PR)));
}

/* Whoever waits for any mode: to weaken is granted at once, in both ways. */
static void weaken_before(struct __test_metadata *_metadata,
			  FIXTURE_DATA(modes) *self, __u32 from, __u32 to,
			  __u32 wanted)
{
	int by_lock;

	for (by_lock = 0; by_lock < 2; by_lock++) {
		ASSERT_EQ(0, try(A, ITEM(from)));
		ASSERT_EQ(-EINPROGRESS, ask(B, ITEM(wanted)));
		EXPECT_EQ(0, by_lock ? try(A, ITEM(to)) : unlock(A, ITEM(to)))
			TH_LOG("%s to %s, %s waits", mode_name[from],
			       mode_name[to], mode_name[wanted]);
		EXPECT_EQ(to, MODE_OF(0));
		EXPECT_EQ(goes_with(to, wanted), is_done(B));
		ASSERT_EQ(0, unlock_all(A));
		EXPECT_EQ(0, outcome(B));
		ASSERT_EQ(0, unlock_all(B));
	}
}

TEST_F(modes, weakening_never_waits)
{
	__u32 from, to, wanted;

	FOR_EACH_MODE(from)
		FOR_EACH_MODE(to)
			FOR_EACH_MODE(wanted)
				if (may_weaken(from, to) &&
				    !goes_with(from, wanted))
					weaken_before(_metadata, self, from, to,
						      wanted);
}

TEST_F(modes, unlock_only_weakens)
{
	__u32 from, to;

	FOR_EACH_MODE(from)
		for (to = SLUICE_UNLOCKED; to < MODES; to++) {
			bool can = may_weaken(from, to);

			ASSERT_EQ(0, try(A, ITEM(from)));
			EXPECT_EQ(can ? 0 : -EINVAL, unlock(A, ITEM(to)))
				TH_LOG("%s to %s", mode_name[from], mode_name[to]);
			EXPECT_EQ(can ? to : from, MODE_OF(0));
			ASSERT_EQ(0, unlock_all(A));
		}
}

TEST_F(modes, unlock_of_what_one_has_not)
{
	EXPECT_EQ(0, unlock(A, ITEM(SLUICE_UNLOCKED)));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	ASSERT_EQ(0, try(B, ITEM(SLUICE_EX)));
	EXPECT_EQ(0, unlock(A, ITEM(SLUICE_UNLOCKED)));
	EXPECT_EQ(SLUICE_EX, MODE_OF(1)) TH_LOG("what another has stays");
	EXPECT_EQ(0, unlock(A, ITEM(SLUICE_PR)));
	EXPECT_EQ(0, MODE_OF(0)) TH_LOG("UNLOCK never gives anything");
}

/* Tokens are for those who may write, and only grow. */
TEST_F(modes, tokens)
{
	__u64 last = 0;
	__u32 m;

	FOR_EACH_MODE(m) {
		struct sluice_item i = ITEM(m);

		i.token = ~0ULL;
		ASSERT_EQ(0, lock_items(A, &i, 1, 0));
		if (has_token(m)) {
			EXPECT_LT(last, i.token) TH_LOG("%s", mode_name[m]);
			last = i.token;
			EXPECT_EQ(last, lockspace_stat(self->c.space).token);
		} else {
			EXPECT_EQ(0, i.token) TH_LOG("%s", mode_name[m]);
		}
		EXPECT_EQ(0, i.status);
		ASSERT_EQ(0, unlock_all(A));
	}
}

/*
 * Reading, then writing.
 */

/* Two that share, and both want it alone: one of them has to give way. */
TEST_F(modes, two_readers_that_upgrade)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_PR)));
	ASSERT_EQ(0, take(B, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(A, ITEM(SLUICE_EX)));
	EXPECT_EQ(-EDEADLK, take(B, ITEM(SLUICE_EX)));
	EXPECT_EQ(SLUICE_PR, MODE_OF(1)) TH_LOG("EDEADLK loses nothing");
	EXPECT_EQ(SLUICE_PR, MODE_OF(0));
	EXPECT_FALSE(is_done(A));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_EQ(SLUICE_EX, MODE_OF(0));
}

/* With UP the second waits before it has read; readers go on meanwhile. */
TEST_F(modes, two_updaters)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_UP)));
	ASSERT_EQ(-EINPROGRESS, ask(B, ITEM(SLUICE_UP)));
	EXPECT_EQ(0, MODE_OF(1));
	EXPECT_EQ(0, try(A, ITEM(SLUICE_EX))) TH_LOG("nobody is in the way");
	EXPECT_EQ(0, unlock(A, ITEM(SLUICE_UP)));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, try(C, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(B, ITEM(SLUICE_EX)));
	EXPECT_EQ(0, unlock_all(C));
	EXPECT_EQ(0, outcome(B));
}

/* Readers that come while an update waits for the old ones wait behind it. */
TEST_F(modes, update_is_not_starved)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_UP)));
	ASSERT_EQ(0, take(B, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(A, ITEM(SLUICE_EX)));
	EXPECT_EQ(-EAGAIN, try(C, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(C, ITEM(SLUICE_PR)));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_FALSE(is_done(C));
	EXPECT_EQ(0, unlock(A, ITEM(SLUICE_UP)));
	EXPECT_EQ(0, outcome(C));
}

/* Two conversions from UP and PR: not a deadlock while PR only reads. */
TEST_F(modes, reader_beside_updater_may_end)
{
	ASSERT_EQ(0, take(A, ITEM(SLUICE_UP)));
	ASSERT_EQ(0, take(B, ITEM(SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(A, ITEM(SLUICE_EX)));
	EXPECT_EQ(0, take(B, ITEM(SLUICE_PR))) TH_LOG("what it has already");
	EXPECT_EQ(-EDEADLK, take(B, ITEM(SLUICE_UP)));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
}

/*
 * Many processes that read a number, and write it back with one more.
 */
static void count_up(int space, volatile __u64 *n, unsigned long rounds)
{
	int h = must(make_holder(NULL));
	unsigned long i;

	for (i = 0; i < rounds; i++) {
		__u64 was;

		must(take(h, whole(space, KEY, SLUICE_UP)));
		was = *n;
		if (i % 8 == 0)
			sched_yield();
		check(*n == was);
		must(take(h, whole(space, KEY, SLUICE_EX)));
		check(*n == was);
		*n = was + 1;
		must(unlock(h, whole(space, KEY, SLUICE_UNLOCKED)));
	}
	_exit(0);
}

static void look_on(int space, volatile __u64 *n, unsigned long rounds)
{
	int h = must(make_holder(NULL));
	unsigned long i;

	for (i = 0; i < rounds; i++) {
		__u64 was;

		must(take(h, whole(space, KEY, SLUICE_PR)));
		was = *n;
		if (i % 8 == 0)
			sched_yield();
		check(*n == was);
		must(unlock(h, whole(space, KEY, SLUICE_UNLOCKED)));
	}
	_exit(0);
}

TEST_F(modes, updates_are_not_lost)
{
	unsigned long rounds = scaled(4000, 200);
	__u64 *n = shared(4096);
	pid_t pid[6];
	int i;

	for (i = 0; i < 6; i++) {
		pid[i] = child();
		if (!pid[i] && i < 4)
			count_up(self->c.space, n, rounds);
		else if (!pid[i])
			look_on(self->c.space, n, rounds);
	}
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, reap_slowly(pid[i]));
	EXPECT_EQ(4 * rounds, *n);
	EXPECT_EQ(0, lockspace_stat(self->c.space).deadlocks);
}

TEST_HARNESS_MAIN
