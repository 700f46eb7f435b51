// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a holder is told of what it has: that somebody waits for it, and that
 * its time is over.
 */
#include "events.h"
#include "lock.h"

#define KEY	"lease"

FIXTURE(told) {
	struct cast c;
};

FIXTURE_SETUP(told)
{
	cast_make(&self->c, 4);
}

FIXTURE_TEARDOWN(told)
{
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define D		(self->c.h[3])
#define SPACE		(self->c.space)
#define I(mode)		whole(SPACE, KEY, SLUICE_##mode)
#define R(mode, s, e)	range(SPACE, KEY, SLUICE_##mode, s, e)
#define GRANTS		lockspace_stat(SPACE).grants
#define ANY_EVENT	(POLLIN | POLLPRI)

/*
 * Contention.
 */
TEST_F(told, somebody_waits)
{
	struct sluice_item i = R(EX, 100, 199);
	struct sluice_lock_event ev;

	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	EXPECT_EQ(0, events_of(A, ANY_EVENT));
	EXPECT_EQ(-EAGAIN, try(B, R(PR, 150, 150)));
	EXPECT_EQ(0, events_of(A, ANY_EVENT)) TH_LOG("TRY waits for nothing");
	ASSERT_EQ(-EINPROGRESS, ask(B, R(PR, 150, 150)));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT));
	ASSERT_EQ(0, event_now(A, &ev));
	EXPECT_EQ(SLUICE_EVENT_CONTENDED, ev.type);
	EXPECT_EQ(SLUICE_PR, ev.mode);
	EXPECT_EQ(lockspace_stat(SPACE).id, ev.lockspace);
	EXPECT_EQ(100, ev.start);
	EXPECT_EQ(199, ev.end);
	EXPECT_EQ(i.token, ev.token);
	EXPECT_EQ(SLUICE_KIND_NAME, ev.kind);
	EXPECT_EQ(strlen(KEY), ev.key_len);
	EXPECT_EQ(0, memcmp(KEY, ev.key, ev.key_len));
	EXPECT_EQ(0, events_of(A, ANY_EVENT)) TH_LOG("read once");
	EXPECT_EQ(-EAGAIN, event_now(A, &ev));
	EXPECT_EQ(0, events_of(B, ANY_EVENT));
}

/* Once for each grant until it is read; something stronger is new. */
TEST_F(told, once)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(CR)));
	ASSERT_EQ(-EINPROGRESS, ask(C, I(CR)));
	ASSERT_EQ(0, event_now(A, &ev));
	EXPECT_EQ(SLUICE_CR, ev.mode);
	EXPECT_EQ(-EAGAIN, event_now(A, &ev)) TH_LOG("two alike are one");
	ASSERT_EQ(-EINPROGRESS, ask(D, I(PR)));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT)) TH_LOG("a stronger one");
	ASSERT_EQ(0, event_now(A, &ev));
	EXPECT_EQ(SLUICE_PR, ev.mode);
	EXPECT_EQ(-EAGAIN, event_now(A, &ev));
}

/* Who is behind others tells when these are gone, if not before. */
TEST_F(told, by_one_behind_others)
{
	struct sluice_lock_event ev;
	__u32 told = 0;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(CR)));
	ASSERT_EQ(-EINPROGRESS, ask(C, I(EX)));
	while (!event_now(A, &ev))
		told = ev.mode > told ? ev.mode : told;
	EXPECT_LE(SLUICE_CR, told);
	ASSERT_EQ(0, unlock(A, I(CR)));
	EXPECT_EQ(0, outcome(B));
	while (!event_now(A, &ev))
		told = ev.mode > told ? ev.mode : told;
	EXPECT_EQ(SLUICE_EX, told);
}

/* All that are in the way are told, and nobody else. */
TEST_F(told, those_in_the_way)
{
	ASSERT_EQ(0, take(A, R(PR, 0, 9)));
	ASSERT_EQ(0, take(B, R(PR, 5, 14)));
	ASSERT_EQ(0, take(C, R(CR, 0, 99)));
	ASSERT_EQ(-EINPROGRESS, ask(D, R(CW, 8, 20)));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT));
	EXPECT_EQ(POLLPRI, events_of(B, ANY_EVENT));
	EXPECT_EQ(0, events_of(C, ANY_EVENT)) TH_LOG("it is in nobody's way");
}

/* The one in the way is another now: it is told as well. */
TEST_F(told, whoever_comes_between)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(PW)));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT));
	ASSERT_EQ(-EINPROGRESS, ask_urgently(C, I(EX), 1));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, event_of(C, SLUICE_EVENT_DONE, &ev));
	ASSERT_EQ(0, event_of(C, SLUICE_EVENT_CONTENDED, &ev));
	EXPECT_EQ(SLUICE_PW, ev.mode);
	ASSERT_EQ(0, unlock_all(C));
	EXPECT_EQ(0, outcome(B));
}

/* It gives way: what it keeps goes with the one that waited. */
TEST_F(told, gives_way)
{
	int ep = epoll_on(A, EPOLLPRI);
	struct sluice_lock_event ev;
	struct waiter *w;

	ASSERT_EQ(0, take(A, I(EX)));
	w = waiter_for(B, I(PR));
	EXPECT_EQ(EPOLLPRI, epoll_events(ep, LOCK_PATIENCE_MS));
	ASSERT_EQ(0, event_of(A, SLUICE_EVENT_CONTENDED, &ev));
	EXPECT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(0, waiter_end(w));
	close(ep);
}

/* What comes of one that is told of is not told of any more, nor does it harm. */
TEST_F(told, of_what_is_gone)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(PR)));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	while (!event_now(A, &ev))
		EXPECT_EQ(SLUICE_EVENT_CONTENDED, ev.type);
	ASSERT_EQ(-EINPROGRESS, ask(C, I(EX)));
	EXPECT_EQ(0, events_of(A, ANY_EVENT));
	EXPECT_EQ(POLLPRI, events_of(B, ANY_EVENT));
}

/* What it has become instead is in the way of those who still wait, too. */
TEST_F(told, again_once_converted)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(EX)));
	ASSERT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT)) TH_LOG("it was not read");
	ASSERT_EQ(0, event_now(A, &ev));
	EXPECT_EQ(SLUICE_EX, ev.mode);
	EXPECT_EQ(-EAGAIN, event_now(A, &ev));
	ASSERT_EQ(0, unlock(A, I(CR)));
	ASSERT_EQ(0, event_now(A, &ev)) TH_LOG("it was read");
	EXPECT_EQ(SLUICE_EX, ev.mode);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
}

/* Whether @h is told that this range is wanted, and of nothing else. */
static bool told_once_of(int h, __u32 mode, __u64 start, __u64 end)
{
	struct sluice_lock_event ev;

	return events_of(h, ANY_EVENT) == POLLPRI && !event_now(h, &ev) &&
		ev.mode == mode && ev.start == start && ev.end == end &&
		event_now(h, &ev) == -EAGAIN;
}

TEST_F(told, again_once_merged)
{
	ASSERT_EQ(0, take(A, R(EX, 0, 9)));
	ASSERT_EQ(0, take(A, R(PW, 10, 19)));
	ASSERT_EQ(-EINPROGRESS, ask(B, R(EX, 15, 15)));
	ASSERT_EQ(0, unlock(A, R(PW, 0, 9)));
	EXPECT_EQ(1, GRANTS);
	EXPECT_TRUE(told_once_of(A, SLUICE_EX, 0, 19));
}

/* Of one that became two: of the one that is in the way. */
TEST_F(told, again_once_split)
{
	ASSERT_EQ(0, take(A, R(EX, 0, 99)));
	ASSERT_EQ(-EINPROGRESS, ask(B, R(EX, 60, 60)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 40, 49)));
	EXPECT_TRUE(told_once_of(A, SLUICE_EX, 50, 99));
}

/* Of very many in the way some are told of, and the next when these have gone. */
TEST_F(told, of_very_many)
{
	struct sluice_lock_event ev;
	int n = 300, told = 0, i;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, take(A, R(EX, 2 * i, 2 * i)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(EX)));
	for (; !event_now(A, &ev); told++)
		EXPECT_EQ(2 * told, ev.start);
	EXPECT_EQ(256, told);
	for (i = 0; i < n; i++) {
		EXPECT_LT(i, told);
		ASSERT_EQ(0, unlock(A, R(UNLOCKED, 2 * i, 2 * i)));
		for (; !event_now(A, &ev); told++)
			EXPECT_EQ(2 * told, ev.start);
	}
	EXPECT_EQ(n, told) TH_LOG("each once");
	EXPECT_EQ(0, outcome(B));
}

/* It was in the way before its holder, who slept, knew of it. */
TEST_F(told, once_it_is_known)
{
	struct sluice_lock_event ev;
	struct waiter *w;

	ASSERT_EQ(0, take(A, I(PR)));
	ASSERT_EQ(0, take(C, I(PR)));
	w = waiter_for(A, I(EX));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(PR)));
	ASSERT_EQ(0, unlock_all(C));
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(POLLPRI, events_of(A, ANY_EVENT));
	ASSERT_EQ(0, event_now(A, &ev));
	EXPECT_EQ(SLUICE_PR, ev.mode);
	EXPECT_EQ(-EAGAIN, event_now(A, &ev));
}

/* Both kinds together: IN and PRI. */
TEST_F(told, done_and_contended)
{
	struct sluice_lock_event ev;
	__u32 seen = 0;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(B, whole(SPACE, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(C, whole(SPACE, "b", SLUICE_EX)));
	EXPECT_EQ(POLLPRI, events_of(B, ANY_EVENT));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(POLLIN | POLLPRI, events_of(B, ANY_EVENT));
	while (!event_now(B, &ev))
		seen |= 1U << ev.type;
	EXPECT_EQ(1U << SLUICE_EVENT_DONE | 1U << SLUICE_EVENT_CONTENDED, seen);
	EXPECT_EQ(0, events_of(B, ANY_EVENT));
}

/*
 * Leases.
 */
static struct sluice_item leased(struct sluice_item i, __u64 ms)
{
	i.lease = ms * NSEC_PER_MSEC;
	return i;
}

TEST_F(told, lease_runs_out)
{
	struct sluice_item i = leased(R(EX, 5, 9), 500), got = { };
	struct sluice_lock_event ev;
	__s64 start = now_ns();

	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	ASSERT_EQ(-EINPROGRESS, ask(B, R(EX, 9, 9)));
	ASSERT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_LE(start + 500 * NSEC_PER_MSEC, now_ns()) TH_LOG("too early");
	EXPECT_EQ(SLUICE_EX, ev.mode);
	EXPECT_EQ(5, ev.start);
	EXPECT_EQ(9, ev.end);
	EXPECT_EQ(i.token, ev.token);
	EXPECT_EQ(lockspace_stat(SPACE).id, ev.lockspace);
	EXPECT_EQ(0, memcmp(KEY, ev.key, strlen(KEY)));
	EXPECT_EQ(0, held_by(SPACE, self->c.id[0]));
	ASSERT_TRUE(events_within(B, POLLIN, LOCK_PATIENCE_MS));
	ASSERT_EQ(0, event_with(B, &ev, &got, 1));
	EXPECT_EQ(0, ev.error);
	EXPECT_EQ(SLUICE_OWNER_DIED, got.status);
	EXPECT_LT(i.token, got.token);
	EXPECT_EQ(-ESTALE, renew(A, leased(R(EX, 5, 9), 1000)));
	EXPECT_EQ(1, GRANTS);
}

/* A reader's leaves no mark. */
TEST_F(told, lease_of_a_reader)
{
	struct sluice_item i = I(EX);
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, leased(I(PR), 50)));
	ASSERT_EQ(0, lock_items(B, &i, 1, 0)) TH_LOG("it is waited for");
	EXPECT_EQ(0, i.status);
	ASSERT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(SLUICE_PR, ev.mode);
}

/* Nobody has to wait for it, or to look, for it to end. */
TEST_F(told, lease_without_contention)
{
	struct sluice_lock_entry e;
	__s64 before = now_ns(), after;

	ASSERT_EQ(0, take(A, leased(I(PR), 1000)));
	after = now_ns();
	ASSERT_EQ(1, locks_of(SPACE, &e, 1));
	EXPECT_LE(before + 1000 * NSEC_PER_MSEC, e.expires);
	EXPECT_GE(after + 1000 * NSEC_PER_MSEC, e.expires);
	EXPECT_EQ(POLLPRI, events_within(A, ANY_EVENT, LOCK_PATIENCE_MS));
	EXPECT_LE(before + 1000 * NSEC_PER_MSEC, now_ns());
	EXPECT_EQ(0, GRANTS);
}

TEST_F(told, lease_renewed)
{
	struct sluice_lock_entry e;
	__s64 before;
	int i;

	ASSERT_EQ(0, take(A, leased(I(EX), 60000)));
	ASSERT_EQ(1, locks_of(SPACE, &e, 1));
	for (i = 1; i <= 3; i++) {
		before = now_ns();
		ASSERT_EQ(0, renew(A, leased(I(EX), 100000 * i)));
		ASSERT_EQ(1, locks_of(SPACE, &e, 1));
		EXPECT_LE(before + 100000 * i * NSEC_PER_MSEC, e.expires);
		EXPECT_GE(now_ns() + 100000 * i * NSEC_PER_MSEC, e.expires);
	}
	ASSERT_EQ(0, renew(A, leased(I(EX), 0)));
	ASSERT_EQ(1, locks_of(SPACE, &e, 1));
	EXPECT_EQ(0, e.expires) TH_LOG("for ever");
	ASSERT_EQ(0, renew(A, leased(I(EX), 30)));
	EXPECT_EQ(POLLPRI, events_within(A, ANY_EVENT, LOCK_PATIENCE_MS));
}

/* A part of a grant is renewed with all of it; what is apart is not. */
TEST_F(told, lease_renewed_in_part)
{
	struct sluice_lock_entry e[3];

	ASSERT_EQ(0, take(A, leased(R(EX, 0, 9), 60000)));
	ASSERT_EQ(0, take(A, leased(R(EX, 20, 29), 70000)));
	ASSERT_EQ(0, renew(A, leased(R(EX, 5, 5), 900000)));
	ASSERT_EQ(2, locks_of(SPACE, e, 3));
	EXPECT_LT(e[1].expires + 800000 * NSEC_PER_MSEC, e[0].expires);
}

/* Renewed in time it goes on, far beyond its first end. */
TEST_F(told, lease_kept_by_renewing)
{
	__s64 end = in_ms(4000);

	ASSERT_EQ(0, take(A, leased(I(EX), 3000)));
	while (now_ns() < end) {
		ASSERT_EQ(0, renew(A, leased(I(EX), 3000)));
		sleep_us(20000);
	}
	EXPECT_EQ(1, GRANTS);
	EXPECT_EQ(0, events_of(A, ANY_EVENT));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
}

/* Of several, only the one whose time is over. */
TEST_F(told, lease_of_a_part)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, R(EX, 0, 29)));
	ASSERT_EQ(0, take(A, leased(R(EX, 10, 19), 50)));
	ASSERT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(10, ev.start);
	EXPECT_EQ(19, ev.end);
	EXPECT_EQ(2, GRANTS);
	EXPECT_EQ(0, try(B, R(EX, 10, 19)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 9, 9)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 20, 20)));
}

/* Unlocked, or taken again for ever: nothing is left that could run out. */
TEST_F(told, lease_ended_before)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, leased(R(EX, 0, 9), 1500)));
	ASSERT_EQ(0, take(A, leased(R(EX, 10, 19), 1500)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, 9)));
	ASSERT_EQ(0, take(A, R(EX, 10, 19)));
	ASSERT_EQ(0, take(B, leased(R(EX, 20, 20), 2000)));
	ASSERT_EQ(0, event_of(B, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(0, events_of(A, ANY_EVENT)) TH_LOG("its own would be over, too");
	EXPECT_EQ(1, GRANTS);
}

/* Its holder waits for something else meanwhile. */
TEST_F(told, lease_of_one_that_waits)
{
	struct sluice_lock_event ev;

	ASSERT_EQ(0, take(A, leased(I(EX), 100)));
	ASSERT_EQ(0, take(B, whole(SPACE, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(A, whole(SPACE, "b", SLUICE_EX)));
	ASSERT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(1, waiting_in(SPACE)) TH_LOG("the request goes on");
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
}

TEST_F(told, lease_counts_from_the_grant)
{
	struct sluice_lock_entry e;
	__s64 before;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, leased(I(EX), 5000)));
	sleep_us(20000);
	before = now_ns();
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, outcome(B));
	ASSERT_EQ(1, locks_of(SPACE, &e, 1));
	EXPECT_LE(before + 5000 * NSEC_PER_MSEC, e.expires);
}

/* A process that is stopped past its lease finds that out when it goes on. */
TEST_F(told, lease_of_a_stopped_process)
{
	struct sluice_item i = I(EX);
	pid_t pid = child();

	if (!pid) {
		struct sluice_lock_event ev;
		int h = must(make_holder(NULL));

		must(take(h, leased(i, 200)));
		raise(SIGSTOP);
		check(!event_of(h, SLUICE_EVENT_REVOKED, &ev));
		check(renew(h, leased(i, 200)) == -ESTALE);
		_exit(0);
	}
	ASSERT_TRUE(until(lockspace_stat(SPACE).granted == 1));
	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	EXPECT_EQ(SLUICE_OWNER_DIED, i.status);
	EXPECT_TRUE(until(waitpid(pid, NULL, WNOHANG | WUNTRACED) == pid));
	kill(pid, SIGCONT);
	EXPECT_EQ(0, reap(pid));
}

/*
 * Many leases. They are of bytes that lie side by side, in two modes by turns, so
 * that each is a grant of its own.
 */
#define ITEMS_MAX	64

static void take_bytes(int h, int space, unsigned long n)
{
	struct sluice_item item[ITEMS_MAX];
	unsigned long i;
	int k;

	for (i = 0; i < n; i += k) {
		for (k = 0; k < ITEMS_MAX && i + k < n; k++)
			item[k] = range(space, KEY, k % 2 ? SLUICE_CR : SLUICE_NL,
					i + k, i + k);
		must(lock_items(h, item, k, 0));
	}
}

/* All at once: whoever has to do with the same lockspace gets in between. */
TEST_F(told, leases_end_some_at_a_time)
{
	unsigned long n = scaled(20000, 2000), between = 0, left;

	take_bytes(A, SPACE, n);
	ASSERT_EQ(n, GRANTS);
	ASSERT_EQ(0, renew(A, leased(R(NL, 0, n - 1), 1)));
	while ((left = GRANTS))
		between += left < n;
	EXPECT_LT(0, between);
}

/* One after the other: each is found without looking at those that stay. */
TEST_F(told, leases_end_one_by_one)
{
	unsigned long n = scaled(40000, 2000), i, rounds = 0;
	__s64 start, now, worst = 0;

	take_bytes(A, SPACE, n);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, renew(A, leased(R(NL, i, i), 3000)));
	start = now_ns();
	while (GRANTS) {
		now = now_ns();
		ASSERT_EQ(0, take(B, I(NL)));
		ASSERT_EQ(0, unlock_all(B));
		if (GRANTS < n) {
			worst = now_ns() - now > worst ? now_ns() - now : worst;
			rounds++;
		} else {
			start = now_ns();
		}
	}
	EXPECT_LT(0, rounds);
	figure((now_ns() - start) / 1000 / rounds, "us for a lock beside it");
	figure(worst / 1000, "us at worst");
}

/*
 * Whoever waits for a file system keeps nobody's lease: not even where more do
 * than there can be of anything that is one for all. What keeps them waiting is
 * a lease of fcntl(), which is given up at the end.
 */
#define MANY_STUCK	1200
#define BREAK_TIME	"/proc/sys/fs/lease-break-time"

struct stuck {
	pthread_t thread;
	int h, ret;
	struct sluice_item key, file;
	bool goes;
};

static void *stuck_run(void *arg)
{
	struct stuck *s = arg;

	store(&s->goes, true);
	s->ret = lock_until(s->h, &s->file, 1, 0, SLUICE_NO_DEADLINE);
	return NULL;
}

static void stuck_start(struct stuck *s, pthread_attr_t *attr, int space, int n,
			int fd)
{
	s->h = must(make_holder(NULL));
	s->key = leased(range(space, "stuck", SLUICE_PR, n, n), 3600000);
	must(take(s->h, s->key));
	s->file = file_item(space, fd, SLUICE_PR);
	s->file.flags = SLUICE_ITEM_FCNTL;
	check(!pthread_create(&s->thread, attr, stuck_run, s));
}

static void many_start(struct stuck *s, int space, int fd)
{
	struct rlimit many = { MANY_STUCK + 256, MANY_STUCK + 256 };
	pthread_attr_t attr;
	int i;

	must(setrlimit(RLIMIT_NOFILE, &many));
	check(!pthread_attr_init(&attr));
	check(!pthread_attr_setstacksize(&attr, 1 << 20));
	for (i = 0; i < MANY_STUCK; i++)
		stuck_start(&s[i], &attr, space, i, fd);
	for (i = 0; i < MANY_STUCK; i++)
		check(until(load(&s[i].goes)));
	sleep_us(200000);
}

static void many_end(struct stuck *s)
{
	int i;

	for (i = 0; i < MANY_STUCK; i++) {
		check(!pthread_join(s[i].thread, NULL));
		check(!s[i].ret);
		close(s[i].h);
	}
	free(s);
}

/* A file that nobody can open while it is open, for hours if need be. */
static int leased_file(void)
{
	int memory = must(memfd_create("lock_lease", MFD_CLOEXEC)), fd;
	char path[32];

	/* What was not opened cannot have one. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	fd = must(open(path, O_RDWR | O_CLOEXEC));
	close(memory);
	signal(SIGIO, SIG_IGN);
	return fcntl(fd, F_SETLEASE, F_WRLCK) ? -errno : fd;
}

TEST_F(told, lease_beside_those_stuck)
{
	struct stuck *s = calloc(MANY_STUCK, sizeof(*s));
	int space = must(make_lockspace(NULL, 0)), fd = -1, i;
	long before = read_number(BREAK_TIME, -1);
	struct sluice_lock_event ev;
	char text[16];

	if (in_company() || access(BREAK_TIME, W_OK) ||
	    (fd = leased_file()) < 0)
		SKIP(return, "no leases of files (errno %d), or not ours", errno);
	write_file(BREAK_TIME, "100000");
	many_start(s, space, fd);
	for (i = 0; i < MANY_STUCK; i++)
		EXPECT_EQ(0, renew(s[i].h, leased(s[i].key, 1)));
	EXPECT_TRUE(until(!lockspace_stat(space).grants));
	EXPECT_EQ(0, take(A, leased(I(PR), 50)));
	EXPECT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(0, fcntl(fd, F_SETLEASE, F_UNLCK));
	many_end(s);
	snprintf(text, sizeof(text), "%ld", before);
	write_file(BREAK_TIME, text);
	close(space);
	close(fd);
}

TEST_HARNESS_MAIN
