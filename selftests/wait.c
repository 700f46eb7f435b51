// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting: deadlines, signals, and every way to be told: WAIT, select, poll,
 * epoll level and edge, io_uring poll. At the end the hunt for lost wake-ups.
 */
#include "events.h"
#include "traffic.h"

#include <sys/select.h>

static struct sluice_config small(__u32 pattern)
{
	struct sluice_config cfg = {
		.pattern = pattern, .slots = 4, .pool = 1 << 14,
	};

	return cfg;
}

FIXTURE(wait) {
	int ch;
	struct pub p;
	struct sub s;
};

FIXTURE_VARIANT(wait) {
	__u32 pattern;
};

FIXTURE_VARIANT_ADD(wait, broadcast) { SLUICE_BROADCAST };
FIXTURE_VARIANT_ADD(wait, queue) { SLUICE_QUEUE };

FIXTURE_SETUP(wait)
{
	struct sluice_config cfg = small(variant->pattern);

	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	pub_join(&self->p, self->ch);
	sub_join(&self->s, self->ch);
}

FIXTURE_TEARDOWN(wait)
{
	sub_close(&self->s);
	if (self->p.fd >= 0)
		pub_close(&self->p);
	close(self->ch);
}

static void put(struct pub *p)
{
	check(!pub_send(p, "x", 1, 0, in_ms(9000)));
}

static void get(struct sub *s)
{
	struct msg m;

	check(sub_try(s, &m) == 1);
	sub_release(s, &m);
}

static void fill_up(struct pub *p)
{
	while (!pub_send(p, "x", 1, 0, 0))
		;
}

/* The publisher's side of a wait for room, with nothing looked at. */
static __u64 room_of(const struct pub *p)
{
	return load_acquire(&table_at(&p->table, SLUICE_PUBLISHER,
				      p->j.index)->room);
}

/*
 * Deadlines.
 */
TEST_F(wait, deadline)
{
	__s64 start = now_ns();

	EXPECT_EQ(-ETIMEDOUT, wait_until(self->s.fd, start + 50 * NSEC_PER_MSEC, 0));
	EXPECT_LE(start + 50 * NSEC_PER_MSEC, now_ns()) TH_LOG("too early");
	EXPECT_GT(start + 2000 * NSEC_PER_MSEC, now_ns()) TH_LOG("too late");
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->s.fd, 0, 0));
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->s.fd, start, 0));
}

TEST_F(wait, deadline_of_publisher)
{
	__s64 start;

	fill_up(&self->p);
	start = now_ns();
	EXPECT_EQ(-ETIMEDOUT, pub_send(&self->p, "x", 1, 0,
				       start + 50 * NSEC_PER_MSEC));
	EXPECT_LE(start + 50 * NSEC_PER_MSEC, now_ns());
	EXPECT_GT(start + 2000 * NSEC_PER_MSEC, now_ns());
}

TEST_F(wait, no_wait_for_what_is_there)
{
	put(&self->p);
	EXPECT_EQ(0, wait_until(self->s.fd, 0, 0));
	EXPECT_EQ(0, wait_until(self->s.fd, SLUICE_NO_DEADLINE, 0));
	get(&self->s);
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->s.fd, 0, 0));
	EXPECT_EQ(0, wait_until(self->p.fd, SLUICE_NO_DEADLINE,
				room_of(&self->p) + 1))
		TH_LOG("the room count is another");
}

TEST_F(wait, membership_wakes)
{
	pid_t pid = child();

	if (!pid) {
		struct sub s;

		sub_join_full(&s, self->ch, SLUICE_JOIN_STAY, 0);
		check(!wait_until(s.fd, in_ms(20000), 0));
		check(load(&table_head(&s.table)->seq) != s.seen);
		_exit(0);
	}
	ASSERT_TRUE(until(sleeps(pid)));
	close(join_role(self->ch, SLUICE_PUBLISHER));
	EXPECT_EQ(0, reap(pid));
}

/* EPIPE: a publisher there was, none is left, nothing is to be received. */
TEST_F(wait, nobody_left)
{
	put(&self->p);
	pub_close(&self->p);
	sub_look(&self->s);
	EXPECT_EQ(0, wait_until(self->s.fd, in_ms(20000), 0));
	get(&self->s);
	sub_look(&self->s);
	EXPECT_EQ(-EPIPE, wait_until(self->s.fd, in_ms(20000), 0));
}

TEST_F(wait, nobody_left_wakes)
{
	struct step ready = step_make();
	pid_t pid = child();
	struct msg m;

	if (!pid) {
		struct pub p;

		pub_join(&p, self->ch);
		step_say(&ready);
		sleep_us(50000);
		_exit(0);
	}
	step_hear(&ready);
	pub_close(&self->p);
	EXPECT_EQ(-EPIPE, sub_recv(&self->s, &m, in_ms(20000)));
	EXPECT_EQ(0, reap(pid));
}

/* Before the first publisher, and with STAY, it waits. */
TEST_F(wait, stays_waiting)
{
	struct sub stay;
	int ch = make_channel(NULL, NULL);
	struct sub first;

	ASSERT_LE(0, ch);
	sub_join(&first, ch);
	EXPECT_EQ(-ETIMEDOUT, wait_until(first.fd, in_ms(20), 0));
	EXPECT_EQ(0, events_of(first.fd, POLLIN | POLLRDHUP));
	sub_join_full(&stay, self->ch, SLUICE_JOIN_STAY, 0);
	pub_close(&self->p);
	sub_look(&stay);
	EXPECT_EQ(-ETIMEDOUT, wait_until(stay.fd, in_ms(20), 0));
	EXPECT_EQ(0, events_of(stay.fd, POLLIN | POLLRDHUP));
}

/*
 * Signals.
 */
static volatile sig_atomic_t caught;

static void catch(int sig)
{
	caught = sig;
}

static void handle(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = catch, .sa_flags = flags };

	must(sigaction(sig, &sa, NULL));
}

/* A child that waits; its exit status is that of WAIT, negated. */
static pid_t waiter(int ch, int sa_flags, __s64 deadline, bool publisher)
{
	struct step ready = step_make();
	pid_t pid = child();
	struct sub s;
	struct pub p;

	if (pid) {
		step_hear(&ready);
		return pid;
	}
	handle(SIGUSR1, sa_flags);
	if (publisher) {
		pub_join(&p, ch);
		fill_up(&p);
		step_say(&ready);
		_exit(-wait_until(p.fd, deadline, room_of(&p)));
	}
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	step_say(&ready);
	_exit(-wait_until(s.fd, deadline, 0));
}

TEST_F(wait, signal_interrupts)
{
	int publisher;

	for (publisher = 0; publisher < 2; publisher++) {
		pid_t pid = waiter(self->ch, 0, in_ms(20000), publisher);

		ASSERT_TRUE(until(sleeps(pid)));
		kill(pid, SIGUSR1);
		EXPECT_EQ(EINTR, reap(pid)) TH_LOG("publisher: %d", publisher);
	}
}

/* There always is something to look at; that does not keep signals from being told. */
TEST_F(wait, signal_interrupts_who_is_kept_busy)
{
	__u64 room = room_of(&self->p);
	struct step ready = step_make();
	int status, ret;
	pid_t pid;

	must(wake(self->s.fd, self->p.j.index, 0));
	pid = child();
	if (!pid) {
		handle(SIGUSR1, 0);
		step_say(&ready);
		do
			ret = wait_until(self->p.fd, in_ms(9000), room);
		while (!ret);
		_exit(-ret);
	}
	step_hear(&ready);
	EXPECT_TRUE(until(!kill(pid, SIGUSR1) &&
			  waitpid(pid, &status, WNOHANG) == pid));
	EXPECT_EQ(EINTR, WEXITSTATUS(status));
	kill(pid, SIGKILL);
}

TEST_F(wait, signal_restarts)
{
	pid_t pid = waiter(self->ch, SA_RESTART, in_ms(20000), false);
	int i;

	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(until(sleeps(pid)));
		kill(pid, SIGUSR1);
		sleep_us(5000);
	}
	ASSERT_TRUE(until(sleeps(pid))) TH_LOG("it should sleep on");
	put(&self->p);
	EXPECT_EQ(0, reap(pid));
}

/* Signals do not move the deadline, which is a point in time. */
TEST_F(wait, restart_keeps_deadline)
{
	__s64 end = in_ms(400);
	pid_t pid = waiter(self->ch, SA_RESTART, end, false);
	int status;

	while (!waitpid(pid, &status, WNOHANG)) {
		ASSERT_GT(end + 4000 * NSEC_PER_MSEC, now_ns());
		kill(pid, SIGUSR1);
		sleep_us(3000);
	}
	EXPECT_EQ(ETIMEDOUT, WEXITSTATUS(status));
	EXPECT_LE(end, now_ns());
}

TEST_F(wait, stopped_and_continued)
{
	pid_t pid = waiter(self->ch, 0, in_ms(20000), false);

	ASSERT_TRUE(until(sleeps(pid)));
	kill(pid, SIGSTOP);
	sleep_us(20000);
	put(&self->p);
	sleep_us(20000);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(wait, kill_of_sleeper)
{
	int publisher, i;

	for (publisher = 0; publisher < 2; publisher++)
		for (i = 0; i < 10; i++) {
			pid_t pid = waiter(self->ch, 0, SLUICE_NO_DEADLINE,
					   publisher);

			ASSERT_TRUE(until(sleeps(pid)));
			kill_and_reap(pid);
			must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
			if (variant->pattern == SLUICE_BROADCAST)
				continue;
			while (sub_try(&self->s, &(struct msg){ }) > 0)
				memset(self->s.pins, 0, 8);
		}
	EXPECT_TRUE(until(stat_of(self->ch).subscribers == 1));
	EXPECT_EQ(0, load(&table_head(&self->p.table)->armed) >> 1)
		TH_LOG("a dead sleeper is still counted");
}

/*
 * Events.
 */
TEST_F(wait, events_of_subscriber)
{
	int fd = self->s.fd, more;

	sub_look(&self->s);
	EXPECT_EQ(0, events_of(fd, POLLIN | POLLPRI | POLLOUT));
	put(&self->p);
	EXPECT_EQ(POLLIN, events_of(fd, POLLIN | POLLPRI | POLLOUT));
	more = join_role(self->ch, SLUICE_PUBLISHER);
	EXPECT_EQ(POLLIN | POLLPRI, events_of(fd, POLLIN | POLLPRI));
	sub_look(&self->s);
	EXPECT_EQ(POLLIN, events_of(fd, POLLIN | POLLPRI));
	close(more);
	sub_look(&self->s);
	get(&self->s);
	EXPECT_EQ(0, events_of(fd, POLLIN | POLLPRI));
	pub_close(&self->p);
	sub_look(&self->s);
	EXPECT_TRUE(events_of(fd, POLLIN) & POLLHUP);
	EXPECT_FALSE(events_of(fd, POLLIN) & POLLERR);
}

TEST_F(wait, hup_goes_when_one_comes)
{
	pub_close(&self->p);
	sub_look(&self->s);
	EXPECT_EQ(POLLHUP, events_of(self->s.fd, POLLIN));
	pub_join(&self->p, self->ch);
	sub_look(&self->s);
	EXPECT_EQ(0, events_of(self->s.fd, POLLIN));
	put(&self->p);
	EXPECT_EQ(POLLIN, events_of(self->s.fd, POLLIN));
}

TEST_F(wait, events_of_publisher)
{
	struct sluice_lane *lane = self->p.lane;
	int fd = self->p.fd;

	store(&lane->member_seen, load(&table_head(&self->p.table)->seq));
	EXPECT_EQ(POLLOUT, events_of(fd, POLLOUT | POLLPRI | POLLIN));
	fill_up(&self->p);
	store(&lane->room_seen, room_of(&self->p));
	EXPECT_EQ(0, events_of(fd, POLLOUT | POLLPRI | POLLIN));
	get(&self->s);
	EXPECT_EQ(POLLOUT, events_of(fd, POLLOUT | POLLPRI));
	close(join_role(self->ch, SLUICE_SUBSCRIBER));
	EXPECT_EQ(POLLOUT | POLLPRI, events_of(fd, POLLOUT | POLLPRI));
	sub_close(&self->s);
	EXPECT_TRUE(events_of(fd, POLLOUT) & POLLHUP)
		TH_LOG("the last subscriber left");
	sub_join(&self->s, self->ch);
	EXPECT_FALSE(events_of(fd, POLLOUT) & POLLHUP);
}

/* One child publishes after a while; the way of waiting is what differs. */
static pid_t publish_later(int ch, unsigned int us)
{
	struct step ready = step_make();
	pid_t pid = child();
	struct pub p;

	if (pid) {
		step_hear(&ready);
		return pid;
	}
	pub_join(&p, ch);
	step_say(&ready);
	sleep_us(us);
	put(&p);
	pause();
	return 0;
}

TEST_F(wait, select_wakes)
{
	pid_t pid = publish_later(self->ch, 50000);
	struct timeval tv = { .tv_sec = 20 };
	fd_set in, pri;

	sub_look(&self->s);
	FD_ZERO(&in);
	FD_ZERO(&pri);
	FD_SET(self->s.fd, &in);
	FD_SET(self->s.fd, &pri);
	EXPECT_EQ(1, select(self->s.fd + 1, &in, NULL, &pri, &tv));
	EXPECT_TRUE(FD_ISSET(self->s.fd, &in));
	EXPECT_FALSE(FD_ISSET(self->s.fd, &pri));
	get(&self->s);
	kill_and_reap(pid);
}

TEST_F(wait, poll_wakes)
{
	pid_t pid = publish_later(self->ch, 50000);

	sub_look(&self->s);
	EXPECT_EQ(POLLIN, events_within(self->s.fd, POLLIN, 20000));
	get(&self->s);
	EXPECT_EQ(0, events_within(self->s.fd, POLLIN, 20));
	kill_and_reap(pid);
	EXPECT_EQ(POLLPRI, events_within(self->s.fd, POLLPRI, 20000))
		TH_LOG("the table changed");
}

TEST_F(wait, poll_for_room_wakes)
{
	pid_t pid;

	fill_up(&self->p);
	must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
	store(&self->p.lane->room_seen, room_of(&self->p));
	pid = child();
	if (!pid) {
		sleep_us(50000);
		_exit(wake(must(join_role(self->ch, SLUICE_SUBSCRIBER)), 0, 0) ? 1 : 0);
	}
	EXPECT_EQ(POLLOUT, events_within(self->p.fd, POLLOUT, 20000));
	EXPECT_EQ(0, reap(pid));
}

/*
 * Whoever reads without ever asking in vain, as poll() says when there is more,
 * may free all there is: that wakes its publisher, too.
 */
TEST_F(wait, poll_says_that_there_is_room)
{
	struct msg m[4];
	__u64 room;
	int i;

	if (variant->pattern == SLUICE_QUEUE)
		SKIP(return, "what is claimed is not free");
	fill_up(&self->p);
	must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
	room = room_of(&self->p);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(POLLIN, events_of(self->s.fd, POLLIN));
		ASSERT_EQ(1, sub_try(&self->s, &m[i]));
	}
	EXPECT_EQ(0, events_of(self->s.fd, POLLIN));
	EXPECT_EQ(0, wait_until(self->p.fd, in_ms(100), room));
}

TEST_F(wait, epoll_level)
{
	int ep = epoll_on(self->s.fd, EPOLLIN);

	EXPECT_EQ(0, epoll_events(ep, 0));
	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000)) TH_LOG("level: told again");
	get(&self->s);
	EXPECT_EQ(0, epoll_events(ep, 20));
	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
}

TEST_F(wait, epoll_edge)
{
	int ep = epoll_on(self->s.fd, EPOLLIN | EPOLLET);

	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
	EXPECT_EQ(0, epoll_events(ep, 20)) TH_LOG("edge: told once");
	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000)) TH_LOG("a new edge");
	get(&self->s);
	get(&self->s);
	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
}

/* Edge-triggered for long: each message drained, then the next awaited. */
TEST_F(wait, epoll_edge_loses_nothing)
{
	unsigned long n = scaled(3000, 300), got = 0;
	int ep = epoll_on(self->s.fd, EPOLLIN | EPOLLET);
	struct msg m;
	pid_t pid = child();

	if (!pid) {
		__u64 seed = 11, i;
		struct pub p;

		pub_join(&p, self->ch);
		for (i = 0; i < n; i++) {
			put(&p);
			if (random_next(&seed) % 4 == 0)
				sleep_us(random_next(&seed) % 200);
		}
		pause();
	}
	while (got < n) {
		ASSERT_NE(0, epoll_events(ep, PATIENCE_MS))
			TH_LOG("lost after %lu", got);
		while (sub_try(&self->s, &m) == 1) {
			sub_release(&self->s, &m);
			got++;
		}
	}
	kill_and_reap(pid);
}

TEST_F(wait, epoll_oneshot_and_hup)
{
	int ep = epoll_on(self->s.fd, EPOLLIN | EPOLLONESHOT);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };

	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
	put(&self->p);
	EXPECT_EQ(0, epoll_events(ep, 20));
	must(epoll_ctl(ep, EPOLL_CTL_MOD, self->s.fd, &ev));
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
	get(&self->s);
	get(&self->s);
	pub_close(&self->p);
	sub_look(&self->s);
	must(epoll_ctl(ep, EPOLL_CTL_MOD, self->s.fd, &ev));
	EXPECT_EQ(EPOLLHUP, epoll_events(ep, 9000));
}

/* An epoll item outlives nothing: the endpoint closes under it. */
TEST_F(wait, closed_under_epoll)
{
	int ep = epoll_on(self->s.fd, EPOLLIN), fd;

	fd = join_role(self->ch, SLUICE_SUBSCRIBER);
	ASSERT_LE(0, fd);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd,
		       &(struct epoll_event){ .events = EPOLLIN }));
	close(fd);
	EXPECT_EQ(1, stat_of(self->ch).subscribers);
	put(&self->p);
	EXPECT_EQ(EPOLLIN, epoll_events(ep, 9000));
}

/*
 * io_uring poll.
 */
TEST_F(wait, io_uring_poll)
{
	struct uring u;
	pid_t pid;

	if (!uring_open(&u))
		SKIP(return, "no io_uring here (errno %d)", errno);
	uring_poll(&u, self->s.fd, POLLIN, false);
	EXPECT_EQ(-ETIME, uring_result(&u, 20));
	pid = publish_later(self->ch, 50000);
	EXPECT_TRUE(uring_result(&u, 9000) & POLLIN);
	sub_look(&self->s);
	get(&self->s);
	uring_poll(&u, self->s.fd, POLLIN, false);
	EXPECT_EQ(-ETIME, uring_result(&u, 20));
	put(&self->p);
	EXPECT_TRUE(uring_result(&u, 9000) & POLLIN);
	kill_and_reap(pid);
	/* A poll that never comes true is no reason to live. */
	uring_poll(&u, join_role(self->ch, SLUICE_SUBSCRIBER), POLLIN, false);
	uring_close(&u);
}

TEST_F(wait, io_uring_poll_multi)
{
	unsigned long n = scaled(300, 50), i;
	struct uring u;

	if (!uring_open(&u))
		SKIP(return, "no io_uring here (errno %d)", errno);
	uring_poll(&u, self->s.fd, POLLIN, true);
	for (i = 0; i < n; i++) {
		put(&self->p);
		ASSERT_TRUE(uring_result(&u, PATIENCE_MS) & POLLIN)
			TH_LOG("lost after %lu", i);
		get(&self->s);
	}
	uring_close(&u);
}

TEST_HARNESS_MAIN
