// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: all items or any, tried, awaited, asynchronous, given up; deadlines
 * and signals; every way to be told. Who goes first is in lock_queue.c.
 */
#include "events.h"
#include "lock.h"

#include <sys/select.h>

FIXTURE(request) {
	struct cast c;
};

FIXTURE_SETUP(request)
{
	cast_make(&self->c, 4);
}

FIXTURE_TEARDOWN(request)
{
	int i;

	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	EXPECT_EQ(0, waiting_in(self->c.space));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define D		(self->c.h[3])
#define I(key, mode)	whole(self->c.space, key, SLUICE_##mode)
#define HELD(i)		held_by(self->c.space, self->c.id[i])
#define WAITING		waiting_in(self->c.space)

/*
 * All.
 */
TEST_F(request, all_or_nothing)
{
	struct sluice_item i[3] = { I("a", EX), I("b", EX), I("c", PR) };

	ASSERT_EQ(0, take(A, I("a", EX)));
	ASSERT_EQ(0, take(B, I("c", EX)));
	ASSERT_EQ(-EINPROGRESS, lock_items(C, i, 3, SLUICE_LOCK_ASYNC));
	EXPECT_EQ(0, HELD(2)) TH_LOG("nothing is taken before everything can be");
	EXPECT_EQ(3, awaited_by(self->c.space, self->c.id[2]));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_FALSE(is_done(C));
	EXPECT_EQ(0, HELD(2));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(C));
	EXPECT_EQ(3, HELD(2));
	EXPECT_EQ(0, WAITING);
}

/* What it waits for comes free and is taken again: it needs both at once. */
TEST_F(request, all_needs_them_at_once)
{
	struct sluice_item i[2] = { I("a", PR), I("b", PR) };

	ASSERT_EQ(0, take(A, I("a", CW)));
	ASSERT_EQ(0, take(B, I("b", CW)));
	ASSERT_EQ(-EINPROGRESS, lock_items(C, i, 2, SLUICE_LOCK_ASYNC));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_FALSE(is_done(C));
	ASSERT_EQ(0, try(A, I("a", PR))) TH_LOG("goes with what is waiting");
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(C));
	EXPECT_EQ(2, HELD(2));
}

TEST_F(request, all_tried)
{
	struct sluice_item i[3] = { I("a", EX), I("b", EX), I("c", EX) };

	ASSERT_EQ(0, take(A, I("c", CR)));
	EXPECT_EQ(-EAGAIN, lock_items(B, i, 3, SLUICE_LOCK_TRY));
	EXPECT_EQ(0, HELD(1));
	EXPECT_EQ(0, WAITING);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lock_items(B, i, 3, SLUICE_LOCK_TRY));
	EXPECT_EQ(3, HELD(1));
	EXPECT_LT(i[0].token, i[1].token);
	EXPECT_LT(i[1].token, i[2].token);
}

TEST_F(request, as_many_as_there_may_be)
{
	struct sluice_item i[SLUICE_ITEMS_MAX];
	char key[8];
	int k;

	for (k = 0; k < SLUICE_ITEMS_MAX; k++) {
		snprintf(key, sizeof(key), "%d", k);
		i[k] = I(key, EX);
	}
	ASSERT_EQ(0, take(A, i[63]));
	ASSERT_EQ(-EINPROGRESS, lock_items(B, i, SLUICE_ITEMS_MAX,
					   SLUICE_LOCK_ASYNC));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(64, HELD(1));
	EXPECT_EQ(0, unlock(B, I("0", UNLOCKED)));
	EXPECT_EQ(63, HELD(1));
}

TEST_F(request, all_of_two_lockspaces)
{
	int other = make_lockspace(NULL, 0);
	struct sluice_item i[2];

	ASSERT_LE(0, other);
	i[0] = I("a", EX);
	i[1] = whole(other, "a", SLUICE_EX);
	ASSERT_EQ(0, take(A, i[1]));
	ASSERT_EQ(-EINPROGRESS, lock_items(B, i, 2, SLUICE_LOCK_ASYNC));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(1, waiting_in(self->c.space));
	EXPECT_EQ(1, waiting_in(other));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(1, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(1, lockspace_stat(other).grants);
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, lockspace_stat(other).grants);
}

/* New items and conversions together: the old modes stay until all is there. */
TEST_F(request, all_with_a_conversion)
{
	struct sluice_item i[2] = { I("a", EX), I("b", EX) };

	ASSERT_EQ(0, take(A, I("a", PR)));
	ASSERT_EQ(0, take(B, I("b", PR)));
	EXPECT_EQ(-EAGAIN, lock_items(A, i, 2, SLUICE_LOCK_TRY));
	EXPECT_EQ(SLUICE_PR, mode_at(self->c.space, self->c.id[0], "a", 0));
	ASSERT_EQ(-EINPROGRESS, lock_items(A, i, 2, SLUICE_LOCK_ASYNC));
	EXPECT_EQ(SLUICE_PR, mode_at(self->c.space, self->c.id[0], "a", 0));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_EQ(SLUICE_EX, mode_at(self->c.space, self->c.id[0], "a", 0));
	EXPECT_EQ(2, HELD(0));
}

/*
 * Any.
 */
TEST_F(request, any_takes_the_first)
{
	struct sluice_item i[3] = { I("a", EX), I("b", EX), I("c", EX) };
	struct sluice_lock l = { .flags = SLUICE_LOCK_ANY, .index = 99 };

	l.deadline = in_ms(LOCK_PATIENCE_MS);
	EXPECT_EQ(0, lock_full(A, &l, i, 3));
	EXPECT_EQ(0, l.index);
	EXPECT_EQ(0, lock_full(B, &l, i, 3));
	EXPECT_EQ(1, l.index);
	EXPECT_LT(0, i[1].token);
	l.flags |= SLUICE_LOCK_TRY;
	EXPECT_EQ(0, lock_full(C, &l, i, 3));
	EXPECT_EQ(2, l.index);
	EXPECT_EQ(-EAGAIN, lock_full(D, &l, i, 3));
	EXPECT_EQ(1, HELD(0));
	EXPECT_EQ(1, HELD(1));
	EXPECT_EQ(1, HELD(2));
}

TEST_F(request, any_waits_for_whichever)
{
	struct sluice_item i[2] = { I("a", EX), I("b", EX) }, got[2] = { };
	struct sluice_lock_event ev;
	int first;

	for (first = 0; first < 2; first++) {
		ASSERT_EQ(0, take(A, i[0]));
		ASSERT_EQ(0, take(B, i[1]));
		ASSERT_EQ(-EINPROGRESS,
			  lock_items(C, i, 2, SLUICE_LOCK_ASYNC | SLUICE_LOCK_ANY));
		EXPECT_EQ(2, WAITING);
		ASSERT_EQ(0, unlock_all(first ? B : A));
		EXPECT_EQ(0, event_with(C, &ev, got, 2));
		EXPECT_EQ(SLUICE_EVENT_DONE, ev.type);
		EXPECT_EQ(0, ev.error);
		EXPECT_EQ(first, ev.index);
		EXPECT_LT(0, got[first].token);
		EXPECT_EQ(0, WAITING) TH_LOG("the other one waits no more");
		EXPECT_EQ(1, HELD(2));
		ASSERT_EQ(0, unlock_all(first ? A : B));
		EXPECT_EQ(1, HELD(2)) TH_LOG("only one is taken");
		ASSERT_EQ(0, unlock_all(C));
	}
}

/* Alternatives may overlap: alone, or else shared. */
TEST_F(request, any_of_the_same)
{
	struct sluice_item i[2] = { I("a", EX), I("a", PR) };
	struct sluice_lock l = { .flags = SLUICE_LOCK_ANY | SLUICE_LOCK_TRY };

	ASSERT_EQ(0, take(A, I("a", PR)));
	EXPECT_EQ(0, lock_full(B, &l, i, 2));
	EXPECT_EQ(1, l.index);
	EXPECT_EQ(SLUICE_PR, mode_at(self->c.space, self->c.id[1], "a", 0));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lock_full(B, &l, i, 2));
	EXPECT_EQ(0, l.index);
	EXPECT_EQ(SLUICE_EX, mode_at(self->c.space, self->c.id[1], "a", 0));
}

/* A blocked one wakes for the one that it can have, in item order. */
TEST_F(request, any_of_two_freed_at_once)
{
	struct sluice_item i[2] = { I("b", EX), I("a", EX) };
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, I("a", EX)));
	ASSERT_EQ(0, take(A, I("b", EX)));
	ASSERT_EQ(-EINPROGRESS,
		  lock_items(B, i, 2, SLUICE_LOCK_ASYNC | SLUICE_LOCK_ANY));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, event_of(B, SLUICE_EVENT_DONE, &ev));
	EXPECT_GT(2, ev.index);
	EXPECT_EQ(1, HELD(1));
	EXPECT_EQ(SLUICE_EX, mode_at(self->c.space, self->c.id[1],
				     ev.index ? "a" : "b", 0));
}

/*
 * Deadlines.
 */
TEST_F(request, deadline)
{
	struct sluice_item i = I("a", EX);
	__s64 start = now_ns(), end = start + 50 * NSEC_PER_MSEC;

	ASSERT_EQ(0, take(A, i));
	EXPECT_EQ(-ETIMEDOUT, lock_until(B, &i, 1, 0, end));
	EXPECT_LE(end, now_ns()) TH_LOG("too early");
	EXPECT_GT(start + 2000 * NSEC_PER_MSEC, now_ns()) TH_LOG("too late");
	EXPECT_EQ(-ETIMEDOUT, lock_until(B, &i, 1, 0, start));
	EXPECT_EQ(-ETIMEDOUT, lock_until(B, &i, 1, 0, 0));
	EXPECT_EQ(0, HELD(1));
	EXPECT_EQ(0, WAITING);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lock_until(B, &i, 1, 0, 0)) TH_LOG("it need not wait");
}

TEST_F(request, deadline_of_asynchronous)
{
	struct sluice_item i = I("a", EX);
	__s64 end = in_ms(50);

	ASSERT_EQ(0, take(A, i));
	ASSERT_EQ(-EINPROGRESS, lock_until(B, &i, 1, SLUICE_LOCK_ASYNC, end));
	EXPECT_EQ(-ETIMEDOUT, outcome(B));
	EXPECT_LE(end, now_ns());
	EXPECT_EQ(0, WAITING);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, HELD(1)) TH_LOG("it is not granted later");
	EXPECT_EQ(0, try(B, i)) TH_LOG("and may ask again");
}

/* Whoever gives up takes what was tentative with it: others go on. */
TEST_F(request, those_behind_one_that_gave_up)
{
	struct sluice_item both[2] = { I("a", EX), I("b", EX) };

	ASSERT_EQ(0, take(A, I("a", PR)));
	ASSERT_EQ(-EINPROGRESS, lock_until(B, both, 2, SLUICE_LOCK_ASYNC,
					   in_ms(1500)));
	ASSERT_EQ(-EINPROGRESS, ask(C, I("a", PR)));
	EXPECT_FALSE(is_done(C)) TH_LOG("it waits behind B");
	EXPECT_EQ(-ETIMEDOUT, outcome(B));
	EXPECT_EQ(0, outcome(C));
	EXPECT_EQ(0, try(D, I("b", EX)));
	EXPECT_EQ(0, HELD(1));
}

/*
 * Asynchronous ones.
 */
TEST_F(request, asynchronous)
{
	struct sluice_item i = I("a", UP), got = { };
	struct sluice_lock_event ev;

	EXPECT_EQ(0, ask(A, i)) TH_LOG("granted at once");
	EXPECT_EQ(0, events_of(A, POLLIN | POLLPRI));
	EXPECT_EQ(-EAGAIN, event_now(A, &ev)) TH_LOG("no event then");
	EXPECT_EQ(SLUICE_EVENT_NONE, ev.type);
	ASSERT_EQ(-EINPROGRESS, ask(B, i));
	EXPECT_EQ(0, events_of(B, POLLIN | POLLPRI));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(POLLIN, events_of(B, POLLIN | POLLPRI));
	EXPECT_EQ(1, HELD(1)) TH_LOG("granted whether it looks or not");
	EXPECT_EQ(0, event_with(B, &ev, &got, 1));
	EXPECT_EQ(SLUICE_EVENT_DONE, ev.type);
	EXPECT_EQ(0, ev.error);
	EXPECT_EQ(lockspace_stat(self->c.space).token, got.token);
	EXPECT_EQ(-EAGAIN, event_now(B, &ev)) TH_LOG("once");
	EXPECT_EQ(0, events_of(B, POLLIN));
}

TEST_F(request, one_at_a_time)
{
	ASSERT_EQ(0, take(A, I("a", EX)));
	ASSERT_EQ(0, take(B, I("b", EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I("a", EX)));
	EXPECT_EQ(-EBUSY, ask(B, I("c", EX)));
	EXPECT_EQ(-EBUSY, take(B, I("c", EX)));
	EXPECT_EQ(-EBUSY, try(B, I("c", EX)));
	EXPECT_EQ(0, unlock(B, I("b", UNLOCKED))) TH_LOG("UNLOCK goes on");
	EXPECT_EQ(0, HELD(1));
	EXPECT_EQ(1, WAITING);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, try(B, I("c", EX)));
}

TEST_F(request, one_at_a_time_of_threads)
{
	struct waiter *w;

	ASSERT_EQ(0, take(A, I("a", EX)));
	ASSERT_EQ(0, take(B, I("b", PR)));
	w = waiter_for(B, I("a", EX));
	EXPECT_EQ(-EBUSY, try(B, I("c", EX)));
	EXPECT_EQ(-EBUSY, ask(B, I("c", EX)));
	EXPECT_EQ(0, unlock(B, I("b", UNLOCKED)));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(1, HELD(1));
}

TEST_F(request, cancel)
{
	EXPECT_EQ(-ENOENT, cancel(A));
	ASSERT_EQ(0, take(A, I("a", EX)));
	EXPECT_EQ(-ENOENT, cancel(A)) TH_LOG("nothing waits");
	ASSERT_EQ(-EINPROGRESS, ask(B, I("a", PR)));
	ASSERT_EQ(-EINPROGRESS, ask(C, I("a", PR)));
	EXPECT_EQ(0, cancel(B));
	EXPECT_EQ(-ECANCELED, outcome(B));
	EXPECT_EQ(-ENOENT, cancel(B));
	EXPECT_EQ(1, WAITING) TH_LOG("C's is another");
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, HELD(1));
	EXPECT_EQ(0, outcome(C));
	EXPECT_EQ(-ENOENT, cancel(C)) TH_LOG("too late");
	EXPECT_EQ(1, HELD(2));
}

TEST_F(request, cancel_of_a_sleeper)
{
	struct waiter *w;

	ASSERT_EQ(0, take(A, I("a", EX)));
	w = waiter_for(B, I("a", EX));
	EXPECT_EQ(0, cancel(B));
	EXPECT_EQ(-ECANCELED, waiter_end(w));
	EXPECT_EQ(0, WAITING);
	EXPECT_EQ(0, try(B, I("b", EX)));
}

/* Granted or cancelled: never both are told, never neither. */
static void *unlock_thread(void *h)
{
	check(!unlock_all((intptr_t)h));
	return NULL;
}

TEST_F(request, cancel_races_with_grant)
{
	unsigned long n = scaled(2000, 200), i;

	for (i = 0; i < n; i++) {
		struct waiter w = { .items[0] = I("a", EX) };
		pthread_t thread;
		int ret;

		ASSERT_EQ(0, take(A, I("a", EX)));
		waiter_start(&w, B);
		ASSERT_TRUE(until(WAITING == 1));
		check(!pthread_create(&thread, NULL, unlock_thread,
				      (void *)(intptr_t)A));
		if (i & 1)
			sched_yield();
		ret = cancel(B);
		pthread_join(thread, NULL);
		waiter_end(&w);
		ASSERT_EQ(ret ? -ENOENT : 0, ret);
		ASSERT_EQ(ret ? 0 : -ECANCELED, w.ret) TH_LOG("CANCEL: %d", ret);
		ASSERT_EQ(w.ret ? 0 : 1, HELD(1));
		ASSERT_EQ(0, unlock_all(B));
	}
}

/*
 * Signals.
 */
static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

/* A child that asks for @i and waits; its exit status is LOCK's, negated. */
static pid_t sleeper(struct sluice_item i, int sa_flags, __s64 deadline)
{
	struct sigaction sa = { .sa_handler = catch, .sa_flags = sa_flags };
	__u64 before = waiting_in(i.lockspace);
	pid_t pid = child();

	if (!pid) {
		must(sigaction(SIGUSR1, &sa, NULL));
		_exit(-lock_until(must(make_holder(NULL)), &i, 1, 0, deadline));
	}
	check(until(waiting_in(i.lockspace) == before + 1));
	check(until(sleeps(pid)));
	return pid;
}

TEST_F(request, signal_interrupts)
{
	pid_t pid;

	ASSERT_EQ(0, take(A, I("a", PR)));
	pid = sleeper(I("a", EX), 0, in_ms(LOCK_PATIENCE_MS));
	ASSERT_EQ(-EINPROGRESS, ask(B, I("a", PR)));
	kill(pid, SIGUSR1);
	EXPECT_EQ(EINTR, reap(pid));
	EXPECT_EQ(0, outcome(B)) TH_LOG("whoever was behind goes on");
	EXPECT_EQ(0, WAITING);
	EXPECT_EQ(2, lockspace_stat(self->c.space).grants);
}

TEST_F(request, signal_restarts)
{
	pid_t pid;
	int i;

	ASSERT_EQ(0, take(A, I("a", EX)));
	pid = sleeper(I("a", EX), SA_RESTART, in_ms(LOCK_PATIENCE_MS));
	for (i = 0; i < 5; i++) {
		kill(pid, SIGUSR1);
		sleep_us(5000);
		ASSERT_TRUE(until(WAITING == 1 && sleeps(pid)));
	}
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, reap(pid));
}

TEST_F(request, restart_keeps_deadline)
{
	__s64 end = in_ms(slowness() > 1 ? 5000 : 1000);
	int status;
	pid_t pid;

	ASSERT_EQ(0, take(A, I("a", EX)));
	pid = sleeper(I("a", EX), SA_RESTART, end);
	while (!waitpid(pid, &status, WNOHANG)) {
		ASSERT_GT(end + 4000 * NSEC_PER_MSEC, now_ns());
		kill(pid, SIGUSR1);
		sleep_us(3000);
	}
	EXPECT_EQ(ETIMEDOUT, WEXITSTATUS(status));
	EXPECT_LE(end, now_ns());
}

TEST_F(request, stopped_and_continued)
{
	pid_t pid;

	ASSERT_EQ(0, take(A, I("a", EX)));
	pid = sleeper(I("a", EX), 0, in_ms(LOCK_PATIENCE_MS));
	kill(pid, SIGSTOP);
	sleep_us(20000);
	ASSERT_EQ(0, unlock_all(A));
	sleep_us(20000);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, reap(pid));
}

/* A signal changes nothing of an asynchronous request. */
TEST_F(request, signal_beside_asynchronous)
{
	struct sigaction sa = { .sa_handler = catch };

	must(sigaction(SIGUSR1, &sa, NULL));
	ASSERT_EQ(0, take(A, I("a", EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I("a", EX)));
	raise(SIGUSR1);
	EXPECT_EQ(SIGUSR1, caught);
	EXPECT_EQ(1, WAITING);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
}

/*
 * Being told.
 */

/* B's request waits for A's lock, which a child inherits and gives back. */
static pid_t unlock_later(FIXTURE_DATA(request) *self)
{
	pid_t pid;

	check(!take(A, I("a", EX)));
	check(ask(B, I("a", EX)) == -EINPROGRESS);
	pid = child();
	if (!pid) {
		sleep_us(50000);
		_exit(unlock_all(A) ? 1 : 0);
	}
	return pid;
}

TEST_F(request, poll_wakes)
{
	pid_t pid = unlock_later(self);

	EXPECT_EQ(POLLIN, events_within(B, POLLIN | POLLPRI, LOCK_PATIENCE_MS));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, events_within(B, POLLIN, 20));
	EXPECT_EQ(0, reap(pid));
}

TEST_F(request, select_wakes)
{
	struct timeval tv = { .tv_sec = LOCK_PATIENCE_MS / 1000 };
	pid_t pid = unlock_later(self);
	fd_set in, pri;

	FD_ZERO(&in);
	FD_ZERO(&pri);
	FD_SET(B, &in);
	FD_SET(B, &pri);
	EXPECT_EQ(1, select(B + 1, &in, NULL, &pri, &tv));
	EXPECT_TRUE(FD_ISSET(B, &in));
	EXPECT_FALSE(FD_ISSET(B, &pri));
	EXPECT_EQ(0, reap(pid));
}

TEST_F(request, epoll_level)
{
	int ep = epoll_on(B, EPOLLIN | EPOLLPRI);
	pid_t pid = unlock_later(self);

	EXPECT_EQ(EPOLLIN, epoll_events(ep, LOCK_PATIENCE_MS));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 0)) TH_LOG("level: told again");
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, epoll_events(ep, 20));
	EXPECT_EQ(0, reap(pid));
	close(ep);
}

TEST_F(request, epoll_edge)
{
	int ep = epoll_on(B, EPOLLIN | EPOLLET);
	pid_t pid = unlock_later(self);

	EXPECT_EQ(EPOLLIN, epoll_events(ep, LOCK_PATIENCE_MS));
	EXPECT_EQ(0, epoll_events(ep, 20)) TH_LOG("edge: told once");
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, unlock_all(B));
	pid = unlock_later(self);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, LOCK_PATIENCE_MS)) TH_LOG("a new edge");
	EXPECT_EQ(0, reap(pid));
	close(ep);
}

/* Two processes hand a lock to and fro, and only look when they are told. */
static void play(int space, unsigned long rounds)
{
	struct sluice_item i = whole(space, "ball", SLUICE_EX);
	int h = must(make_holder(NULL));
	int ep = epoll_on(h, EPOLLIN | EPOLLET);
	unsigned long k;

	for (k = 0; k < rounds; k++) {
		int ret = ask(h, i);

		if (ret == -EINPROGRESS) {
			check(epoll_events(ep, LOCK_PATIENCE_MS));
			check(!outcome(h));
		} else {
			check(!ret);
		}
		if (k % 16 == 0)
			sched_yield();
		check(!unlock(h, whole(space, "ball", SLUICE_UNLOCKED)));
	}
	_exit(0);
}

TEST_F(request, epoll_edge_loses_nothing)
{
	pid_t pid[3];
	int i;

	for (i = 0; i < 3; i++) {
		pid[i] = child();
		if (!pid[i])
			play(self->c.space, scaled(4000, 200));
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, reap_slowly(pid[i]));
}

TEST_F(request, io_uring_poll)
{
	struct uring u;
	pid_t pid;

	if (!uring_open(&u))
		SKIP(return, "no io_uring here (errno %d)", errno);
	pid = unlock_later(self);
	uring_poll(&u, B, POLLIN, false);
	EXPECT_TRUE(uring_result(&u, LOCK_PATIENCE_MS) & POLLIN);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, outcome(B));
	uring_poll(&u, B, POLLIN, false);
	EXPECT_EQ(-ETIME, uring_result(&u, 20));
	/* A poll that never comes true is no reason to live. */
	close(B);
	B = -1;
	uring_close(&u);
	EXPECT_TRUE(until(HELD(1) == 0));
	B = make_holder(&self->c.id[1]);
}

TEST_HARNESS_MAIN
