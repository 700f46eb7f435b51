// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much arbitration a user may have: lockspaces, holders, resources, locks.
 * Beyond it EDQUOT, nothing half done, and all of it back afterwards.
 */
#include "lock.h"
#include "parameters.h"
#include "users.h"

#define LIMIT	6

FIXTURE(quota) {
	struct parameters set;
};

FIXTURE_SETUP(quota)
{
	if (geteuid() || access(PARAMETERS, X_OK))
		SKIP(return, "needs root and " PARAMETERS);
	device();
}

FIXTURE_TEARDOWN_PARENT(quota)
{
	parameters_restore(&self->set);
}

/* Twice the same user, one after the other: nothing may be left. Then another. */
static bool each_time(void (*fn)(void))
{
	uid_t uid[] = { OWNER, OWNER, STRANGER };
	size_t i;

	for (i = 0; i < ARRAY(uid); i++) {
		pid_t pid = user(uid[i]);

		if (!pid) {
			fn();
			_exit(0);
		}
		if (reap(pid))
			return false;
	}
	return true;
}

static void lockspaces_to_the_limit(void)
{
	int fd[LIMIT], i;

	for (i = 0; i < LIMIT; i++)
		fd[i] = must(make_lockspace(NULL, 0));
	check(make_lockspace(NULL, 0) == -EDQUOT);
	check(make_lockspace("over", 0) == -EDQUOT);
	check(open_lockspace("over", RW) == -ENOENT);
	close(fd[0]);
	fd[0] = must(make_lockspace("in time", 0));
	check(make_lockspace(NULL, 0) == -EDQUOT);
	must(open_lockspace("in time", RW));
}

TEST_F(quota, lockspaces)
{
	parameter_set(&self->set, "user_lockspaces", LIMIT);
	EXPECT_TRUE(each_time(lockspaces_to_the_limit));
}

static int keeper;	/* of another user */

static void lockspaces_that_are_kept(void)
{
	int i, space;

	for (i = 0; i < 2 * LIMIT; i++) {
		space = must(make_lockspace(NULL, 0));
		must(try(keeper, whole(space, "r", SLUICE_PR)));
		close(space);
	}
}

/* Whoever has a lock there keeps it, and its maker cannot help that. */
TEST_F(quota, lockspaces_kept_by_another)
{
	keeper = must(make_holder(NULL));
	parameter_set(&self->set, "user_lockspaces", LIMIT);
	EXPECT_TRUE(each_time(lockspaces_that_are_kept));
}

static void holders_to_the_limit(void)
{
	int fd[LIMIT], i;
	pid_t pid;

	for (i = 0; i < LIMIT; i++)
		fd[i] = must(make_holder(NULL));
	check(make_holder(NULL) == -EDQUOT);
	close(fd[0]);
	fd[0] = must(make_holder(NULL));
	check(make_holder(NULL) == -EDQUOT);
	pid = child();
	if (!pid)	/* one account for all his processes */
		_exit(make_holder(NULL) != -EDQUOT);
	check(reap(pid) == 0);
}

TEST_F(quota, holders)
{
	parameter_set(&self->set, "user_holders", LIMIT);
	EXPECT_TRUE(each_time(holders_to_the_limit));
}

static struct sluice_item nth(int space, int n, __u32 mode)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", n);
	return whole(space, key, mode);
}

static void resources_to_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL)), i;

	for (i = 0; i < LIMIT; i++)
		must(try(h, nth(space, i, SLUICE_PR)));
	check(try(h, nth(space, i, SLUICE_PR)) == -EDQUOT);
	check(ask(h, nth(space, i, SLUICE_PR)) == -EDQUOT);
	check(lockspace_stat(space).resources == LIMIT);
	check(lockspace_stat(space).grants == LIMIT);
	must(unlock(h, nth(space, 0, SLUICE_UNLOCKED)));
	must(try(h, nth(space, i, SLUICE_PR)));
	check(try(h, nth(space, 0, SLUICE_PR)) == -EDQUOT);
}

TEST_F(quota, resources)
{
	parameter_set(&self->set, "user_resources", LIMIT);
	EXPECT_TRUE(each_time(resources_to_the_limit));
}

/* Those that there are already cost nothing more. */
static void share_at_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), i;
	int h[2] = { must(make_holder(NULL)), must(make_holder(NULL)) };

	for (i = 0; i < LIMIT; i++)
		must(try(h[0], nth(space, i, SLUICE_PR)));
	must(try(h[1], nth(space, 0, SLUICE_PR)));
	must(try(h[0], nth(space, 1, SLUICE_EX)));
}

TEST_F(quota, resources_that_there_are)
{
	parameter_set(&self->set, "user_resources", LIMIT);
	EXPECT_TRUE(each_time(share_at_the_limit));
}

/*
 * A request from one that holds something may have to split what it has, and
 * needs one to spare for that.
 */
static void locks_to_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL));
	int n = 0, ret;

	while (!(ret = try(h, range(space, "r", SLUICE_EX, 2 * n, 2 * n))))
		n++;
	check(ret == -EDQUOT);
	check(n == LIMIT || n == LIMIT - 1);
	check(lockspace_stat(space).grants == n);
	must(unlock_all(h));
	must(try(h, range(space, "r", SLUICE_EX, 0, 0)));
}

TEST_F(quota, locks)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(locks_to_the_limit));
}

/* Those that wait count, and give back whatever becomes of them. */
static void waiters_to_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), h[LIMIT + 2], n, round;

	for (n = 0; n < ARRAY(h); n++)
		h[n] = must(make_holder(NULL));
	for (round = 0; round < 3; round++) {
		must(try(h[0], whole(space, "r", SLUICE_EX)));
		for (n = 1; n < LIMIT; n++)
			check(ask(h[n], whole(space, "r", SLUICE_EX)) ==
			      -EINPROGRESS);
		check(ask(h[n], whole(space, "r", SLUICE_EX)) == -EDQUOT);
		check(try(h[n], whole(space, "other", SLUICE_PR)) == -EDQUOT);
		for (n = 1; n < LIMIT; n++) {
			must(cancel(h[n]));
			check(outcome(h[n]) == -ECANCELED);
		}
		must(unlock_all(h[0]));
	}
}

TEST_F(quota, waiters)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(waiters_to_the_limit));
}

/* A request for all that is too much takes nothing. */
static void all_beyond_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL)), i;
	struct sluice_item item[LIMIT + 1];

	for (i = 0; i < LIMIT + 1; i++)
		item[i] = nth(space, i, SLUICE_EX);
	check(lock_items(h, item, LIMIT + 1, SLUICE_LOCK_TRY) == -EDQUOT);
	check(!lockspace_stat(space).grants);
	must(lock_items(h, item, LIMIT, SLUICE_LOCK_TRY));
}

TEST_F(quota, all_at_once)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(all_beyond_the_limit));
}

TEST_F(quota, all_resources_at_once)
{
	parameter_set(&self->set, "user_resources", LIMIT);
	EXPECT_TRUE(each_time(all_beyond_the_limit));
}

/* Each lockspace in which a holder has words is one, and each word. */
static void words_to_the_limit(void)
{
	int h = must(make_holder(NULL)), other = must(make_holder(NULL)), space[4], i;
	struct sluice_word_open w = { };

	for (i = 0; i < ARRAY(space); i++)
		space[i] = must(make_trusted(4));
	for (i = 0; i < LIMIT / 2; i++)
		must(word_full(h, &w, space[i], "w"));
	check(word_full(h, &w, space[i], "w") == -EDQUOT);
	check(word_full(other, &w, space[0], "w") == -EDQUOT);
	close(space[0]);
	must(word_full(other, &w, space[1], "w"));
	must(word_full(h, &w, space[1], "w"));
	/* It asks for both before it looks. */
	check(word_full(other, &w, space[2], "w") == -EDQUOT);
	must(close(other));
	must(word_full(h, &w, space[3], "w"));
}

TEST_F(quota, words)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(words_to_the_limit));
}

static void deadlock_at_the_limit(void)
{
	struct sluice_deadlock d = { .entry_size = sizeof(struct sluice_waits) };
	int i;

	for (i = 0; i < 2; i++) {
		struct crew c;

		/* With room for all but what is to be told. */
		crew_make(&c, 2, 1, 0);
		chain(&c, 1);
		check(take(c.h[1], own(&c, 0, SLUICE_EX)) == -EDEADLK);
		check(lockspace_stat(c.space[0]).deadlocks == 1);
		check(call(c.space[0], SLUICE_IOC_DEADLOCK, &d) == -ENOENT);
		crew_close(&c);
	}
}

TEST_F(quota, deadlocks)
{
	parameter_set(&self->set, "user_locks", 5);
	EXPECT_TRUE(each_time(deadlock_at_the_limit));
}

/* UNLOCK in the middle makes two of one; it tells if it cannot. */
static void split_at_the_limit(void)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL)), ret;
	struct sluice_item middle = range(space, "r", SLUICE_UNLOCKED, 10, 19);

	must(try(h, whole(space, "r", SLUICE_EX)));
	ret = unlock(h, middle);
	if (ret) {
		check(ret == -EDQUOT || ret == -ENOMEM);
		check(lockspace_stat(space).grants == 1);
	} else {
		check(lockspace_stat(space).grants == 2);
	}
	must(unlock(h, range(space, "r", SLUICE_UNLOCKED, 0, 99)));
	must(unlock_all(h));
}

TEST_F(quota, split)
{
	parameter_set(&self->set, "user_locks", 1);
	EXPECT_TRUE(each_time(split_at_the_limit));
}

/* Marks of the dead are the lockspace's, not a way to have more. */
static void die_often(void)
{
	int space = must(make_lockspace(NULL, 0)), i;

	for (i = 0; i < 4 * LIMIT; i++) {
		int h = must(make_holder(NULL)), ret;

		ret = try(h, range(space, "r", SLUICE_EX, 4 * i, 4 * i));
		check(!ret || ret == -EDQUOT);
		close(h);
	}
}

TEST_F(quota, marks)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	parameter_set(&self->set, "user_resources", LIMIT);
	EXPECT_TRUE(each_time(die_often));
}

/*
 * What was taken back counts until that is read, so who never reads cannot have
 * more and more of it. A part that was split off is no way around.
 */
static struct sluice_item leased(struct sluice_item i)
{
	i.lease = 50 * NSEC_PER_MSEC;
	return i;
}

static void lose_to_the_limit(bool split)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL)), i;
	struct sluice_item other = whole(space, "other", SLUICE_PR);
	struct sluice_lock_event ev;

	if (split) {
		/* To split it takes some to spare. */
		must(try(h, range(space, "r", SLUICE_PR, 0, 2 * LIMIT)));
		for (i = 0; i < LIMIT - 3; i++)
			must(unlock(h, range(space, "r", SLUICE_UNLOCKED,
					     2 * i + 1, 2 * i + 1)));
		for (i = 0; i < LIMIT - 2; i++)
			must(renew(h, leased(range(space, "r", SLUICE_PR, 2 * i,
						   2 * i))));
		for (; i < LIMIT; i++)
			must(try(h, leased(nth(space, i, SLUICE_PR))));
	} else {
		for (i = 0; i < LIMIT; i++)
			must(try(h, leased(nth(space, i, SLUICE_PR))));
	}
	check(until(!lockspace_stat(space).grants));
	check(try(h, other) == -EDQUOT);
	check(try(must(make_holder(NULL)), other) == -EDQUOT);
	for (i = 0; i < LIMIT; i++) {
		must(event_of(h, SLUICE_EVENT_REVOKED, &ev));
		must(try(h, other));
		must(unlock_all(h));
	}
	check(event_now(h, &ev) == -EAGAIN);
}

static void lose_unread(void)
{
	lose_to_the_limit(false);
}

static void lose_parts_unread(void)
{
	lose_to_the_limit(true);
}

TEST_F(quota, lost_unread)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(lose_unread));
}

TEST_F(quota, parts_lost_unread)
{
	parameter_set(&self->set, "user_locks", LIMIT);
	EXPECT_TRUE(each_time(lose_parts_unread));
}

TEST_HARNESS_MAIN
