// SPDX-License-Identifier: GPL-2.0-only
/*
 * File descriptors that travel with messages: who has them when, what may not
 * travel, and that none is left behind.
 */
#include "sockets.h"
#include "traffic.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

FIXTURE(fds) {
	int ch;
	struct pub p;
	struct sub s;
};

FIXTURE_SETUP(fds)
{
	self->ch = make_channel(NULL, NULL);
	ASSERT_LE(0, self->ch);
	pub_join(&self->p, self->ch);
	sub_join_full(&self->s, self->ch, SLUICE_JOIN_STAY, 0);
}

FIXTURE_TEARDOWN(fds)
{
	if (self->s.fd >= 0)
		sub_close(&self->s);
	if (self->p.fd >= 0)
		pub_close(&self->p);
	close(self->ch);
}

static int attach(struct pub *p, const __s32 *fds, __u32 n, __u64 *token)
{
	struct sluice_fds f = { .fds = (uintptr_t)fds, .count = n };
	int ret = call(p->fd, SLUICE_IOC_FDS_ATTACH, &f);

	*token = f.token;
	return ret;
}

static int release(struct pub *p, __u64 token, __u32 n)
{
	struct sluice_fds f = { .token = token, .count = n };

	return call(p->fd, SLUICE_IOC_FDS_RELEASE, &f);
}

static int take(struct sub *s, const struct msg *m, __u32 which)
{
	struct sluice_fd_take t = {
		.index = m->lane,
		.generation = m->generation,
		.token = m->token + which,
	};

	check(which < m->fds);
	return call(s->fd, SLUICE_IOC_FD_TAKE, &t);
}

/* Publishes a message of no bytes that carries @n files. */
static void send_token(struct pub *p, __u64 token, __u32 n)
{
	struct sluice_slot *slot = pub_slot(p, p->head);
	__u32 block;

	check(pub_room(p));
	block = p->free[--p->n_free];
	store(&slot->fds, n);
	store(&slot->token, token);
	pub_commit(p, block, 0, 0);
}

static void send_fds(struct pub *p, const __s32 *fds, __u32 n)
{
	__u64 token;

	must(attach(p, fds, n, &token));
	send_token(p, token, n);
}

/* Whether the read end of a pipe sees that nobody can write any more. */
static bool ended(int fd)
{
	return events_of(fd, POLLIN) & POLLHUP;
}

TEST_F(fds, there_and_back)
{
	int pipes[2], fd, again;
	struct msg m;
	char buf[8];

	must(pipe(pipes));
	send_fds(&self->p, &pipes[1], 1);
	close(pipes[1]);
	EXPECT_FALSE(ended(pipes[0])) TH_LOG("the message should hold it");
	EXPECT_EQ(1, stat_of(self->ch).fds);
	ASSERT_EQ(1, sub_try(&self->s, &m));
	ASSERT_EQ(1, m.fds);
	fd = take(&self->s, &m, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	again = take(&self->s, &m, 0);
	ASSERT_LE(0, again);
	EXPECT_NE(fd, again);
	EXPECT_EQ(5, write(fd, "hello", 5));
	EXPECT_EQ(5, read(pipes[0], buf, sizeof(buf)));
	sub_release(&self->s, &m);
	must(release(&self->p, m.token, 1));
	EXPECT_EQ(0, stat_of(self->ch).fds);
	EXPECT_EQ(-ENOENT, take(&self->s, &m, 0));
	EXPECT_EQ(-ENOENT, release(&self->p, m.token, 1));
	close(fd);
	EXPECT_FALSE(ended(pipes[0]));
	close(again);
	EXPECT_TRUE(ended(pipes[0])) TH_LOG("somebody still has it");
}

TEST_F(fds, several_at_once)
{
	__s32 fds[SLUICE_FDS_MAX];
	struct sluice_peer peer;
	struct msg m;
	__u64 value;
	int i, fd;

	for (i = 0; i < SLUICE_FDS_MAX; i++)
		fds[i] = must(eventfd(100 + i, EFD_CLOEXEC));
	send_fds(&self->p, fds, SLUICE_FDS_MAX);
	EXPECT_EQ(SLUICE_FDS_MAX, stat_of(self->ch).fds);
	ASSERT_EQ(0, peer_of(self->ch, SLUICE_PUBLISHER, 0, &peer));
	EXPECT_EQ(SLUICE_FDS_MAX, peer.fds);
	ASSERT_EQ(1, sub_try(&self->s, &m));
	ASSERT_EQ(SLUICE_FDS_MAX, m.fds);
	for (i = SLUICE_FDS_MAX; i-- > 0;) {
		fd = take(&self->s, &m, i);
		ASSERT_LE(0, fd);
		EXPECT_EQ(8, read(fd, &value, 8));
		EXPECT_EQ(100 + i, value) TH_LOG("file %d is another", i);
		close(fd);
	}
	must(release(&self->p, m.token, SLUICE_FDS_MAX));
	EXPECT_EQ(0, stat_of(self->ch).fds);
}

/* In another process. */
TEST_F(fds, to_another_process)
{
	struct step ready = step_make();
	int pipes[2];
	char buf[8];
	pid_t pid;

	must(pipe2(pipes, O_CLOEXEC));
	pid = child();
	if (!pid) {
		struct sub s;
		struct msg m;
		int fd;

		close(pipes[0]);
		close(pipes[1]);
		sub_join(&s, self->ch);
		step_say(&ready);
		check(sub_recv(&s, &m, in_ms(9000)) == 1);
		fd = must(take(&s, &m, 0));
		check(write(fd, "child", 5) == 5);
		_exit(0);
	}
	step_hear(&ready);
	send_fds(&self->p, &pipes[1], 1);
	close(pipes[1]);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(5, read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "child", 5));
}

/* What could come to hold the channel that it travels in. */
TEST_F(fds, loops_refused)
{
	struct io_uring_params params = { };
	int other = make_channel(NULL, NULL), socks[2], ring;
	__s32 bad[10], n = 0, i;
	__u64 token;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks));
	bad[n++] = self->ch;
	bad[n++] = self->p.fd;
	bad[n++] = self->s.fd;
	bad[n++] = other;
	bad[n++] = join_role(other, SLUICE_SUBSCRIBER);
	bad[n++] = socks[0];
	bad[n++] = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	ring = syscall(__NR_io_uring_setup, 4, &params);
	if (ring >= 0)
		bad[n++] = ring;
	for (i = 0; i < n; i++)
		EXPECT_EQ(-ELOOP, attach(&self->p, &bad[i], 1, &token))
			TH_LOG("file %d", i);
	EXPECT_EQ(0, stat_of(self->ch).fds);
}

TEST_F(fds, ordinary_ones_travel)
{
	__s32 good[8], n = 0, i;
	__u64 token;

	good[n++] = must(open("/dev/null", O_RDWR | O_CLOEXEC));
	good[n++] = must(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	good[n++] = must(eventfd(0, EFD_CLOEXEC));
	good[n++] = must(epoll_create1(EPOLL_CLOEXEC));
	good[n++] = must(memfd_create("selftest", MFD_CLOEXEC));
	good[n++] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (good[n - 1] < 0)
		n--;
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, attach(&self->p, &good[i], 1, &token))
			TH_LOG("file %d", i);
	EXPECT_EQ(n, stat_of(self->ch).fds);
}

/* All or nothing: one that is refused takes the others with it. */
TEST_F(fds, all_or_nothing)
{
	int pipes[2], path;
	__s32 mixed[3];
	__u64 token;

	must(pipe2(pipes, O_CLOEXEC));
	mixed[0] = mixed[1] = pipes[1];
	mixed[2] = self->ch;
	EXPECT_EQ(-ELOOP, attach(&self->p, mixed, 3, &token));
	mixed[2] = 999;
	EXPECT_EQ(-EBADF, attach(&self->p, mixed, 3, &token));
	path = must(open("/", O_PATH | O_CLOEXEC));
	mixed[2] = path;
	EXPECT_EQ(-EBADF, attach(&self->p, mixed, 3, &token));
	mixed[2] = -1;
	EXPECT_EQ(-EBADF, attach(&self->p, mixed, 3, &token));
	EXPECT_EQ(0, stat_of(self->ch).fds);
	close(pipes[1]);
	EXPECT_TRUE(ended(pipes[0])) TH_LOG("a refused call holds a file");
}

/* Nobody takes them: publisher, subscriber and channel go, and so do they. */
TEST_F(fds, none_left_behind)
{
	int pipes[2];

	must(pipe2(pipes, O_CLOEXEC));
	send_fds(&self->p, &pipes[1], 1);
	close(pipes[1]);
	pub_close(&self->p);
	EXPECT_FALSE(ended(pipes[0])) TH_LOG("a subscriber may yet take it");
	EXPECT_EQ(1, stat_of(self->ch).fds);
	sub_close(&self->s);
	EXPECT_TRUE(until(ended(pipes[0])));
	EXPECT_EQ(0, stat_of(self->ch).fds);
}

/* Of a publisher that died, while its message is there. */
TEST_F(fds, taken_after_death)
{
	struct step ready = step_make();
	struct msg m;
	int pipes[2], fd;
	pid_t pid;

	must(pipe2(pipes, O_CLOEXEC));
	pid = child();
	if (!pid) {
		struct pub p;

		pub_join(&p, self->ch);
		send_fds(&p, &pipes[1], 1);
		step_say(&ready);
		pause();
	}
	close(pipes[1]);
	step_hear(&ready);
	kill_and_reap(pid);
	ASSERT_EQ(1, sub_recv(&self->s, &m, in_ms(9000)));
	fd = take(&self->s, &m, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, write(fd, "x", 1));
	close(fd);
	EXPECT_EQ(0, events_of(pipes[0], POLLIN) & POLLHUP);
	sub_release(&self->s, &m);
	EXPECT_EQ(0, sub_try(&self->s, &m));
	EXPECT_TRUE(until(ended(pipes[0])))
		TH_LOG("read to its end, the dead one's files should go");
}

/* Who loses messages where places are short keeps files as long as can be. */
TEST(place_without_files_first)
{
	struct sluice_config cfg = { .publishers = 2 };
	int ch = make_channel(NULL, &cfg), pipes[2];
	struct msg m;
	struct sub s;
	struct pub p;

	ASSERT_LE(0, ch);
	must(pipe2(pipes, O_CLOEXEC));
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, SLUICE_DROP_OLDEST);
	pub_join(&p, ch);
	send_fds(&p, &pipes[1], 1);
	pub_close(&p);
	close(pipes[1]);
	ASSERT_EQ(1, sub_try(&s, &m));

	pub_join(&p, ch);
	check(pub_try(&p, "x", 1, 0));
	pub_close(&p);
	EXPECT_EQ(2, stat_of(ch).left);

	pub_join(&p, ch);
	close(must(take(&s, &m, 0)));
	close(must(join_role(ch, SLUICE_PUBLISHER)));
	EXPECT_TRUE(until(ended(pipes[0]))) TH_LOG("there is no other place");
	EXPECT_EQ(-ESTALE, take(&s, &m, 0));

	pub_close(&p);
	sub_close(&s);
	close(pipes[0]);
	close(ch);
}

/*
 * A dead publisher's message has the last of a socket that lingers: whoever is
 * done with that message does not wait for it.
 */
TEST_F(fds, lingers_for_nobody)
{
	struct step ready = step_make();
	struct msg m;
	__s64 before;
	int pair[2];
	pid_t pid;

	lingering_pair(pair);
	pid = child();
	if (!pid) {
		struct pub p;

		pub_join(&p, self->ch);
		send_fds(&p, &pair[0], 1);
		step_say(&ready);
		pause();
	}
	close(pair[0]);
	step_hear(&ready);
	kill_and_reap(pid);
	ASSERT_EQ(1, sub_recv(&self->s, &m, in_ms(9000)));
	EXPECT_EQ(1, stat_of(self->ch).fds);
	sub_release(&self->s, &m);
	before = now_ns();
	EXPECT_EQ(0, sub_try(&self->s, &m));
	EXPECT_GT(PATIENCE_MS * NSEC_PER_MSEC, now_ns() - before);
	EXPECT_EQ(0, stat_of(self->ch).fds) TH_LOG("that was not its end");
	close(pair[1]);
}

/* No room for a descriptor: it can be taken when there is. */
TEST_F(fds, take_without_room)
{
	struct rlimit old, none;
	struct msg m;
	__s32 fd = must(eventfd(1, EFD_CLOEXEC));
	int got;

	send_fds(&self->p, &fd, 1);
	ASSERT_EQ(1, sub_try(&self->s, &m));
	must(getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 3;
	must(setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, take(&self->s, &m, 0));
	must(setrlimit(RLIMIT_NOFILE, &old));
	got = take(&self->s, &m, 0);
	EXPECT_LE(0, got);
	close(got);
}

/* Tokens are the publisher's: another's mean nothing. */
TEST_F(fds, tokens_of_others)
{
	__s32 fd = must(eventfd(1, EFD_CLOEXEC));
	struct sluice_fd_take t = { };
	struct pub other;
	__u64 token, guess;

	pub_join(&other, self->ch);
	must(attach(&self->p, &fd, 1, &token));
	sub_look(&self->s);
	t.index = other.j.index;
	t.generation = other.j.generation;
	for (guess = 0; guess < 300; guess++) {
		t.token = guess;
		ASSERT_EQ(-ENOENT, call(self->s.fd, SLUICE_IOC_FD_TAKE, &t));
		ASSERT_EQ(-ENOENT, release(&other, guess, 1));
	}
	EXPECT_EQ(1, stat_of(self->ch).fds);
	pub_close(&other);
}

/* Attached, released and taken at once from both sides: nothing is lost. */
TEST_F(fds, races)
{
	unsigned long rounds = scaled(20000, 1000), i, taken = 0;
	__u64 *token = shared(4096);
	struct sluice_fd_take t = {
		.index = self->p.j.index,
		.generation = self->p.j.generation,
	};
	int pipes[2];
	pid_t pid;

	must(pipe2(pipes, O_CLOEXEC));
	sub_look(&self->s);
	pid = child();
	if (!pid) {
		for (i = 0; i < rounds; i++) {
			__u64 mine;

			must(attach(&self->p, &pipes[1], 1, &mine));
			__atomic_store_n(token, mine, __ATOMIC_RELEASE);
			must(release(&self->p, mine, 1));
		}
		__atomic_store_n(token, ~0ULL, __ATOMIC_RELEASE);
		_exit(0);
	}
	close(pipes[1]);
	while ((t.token = __atomic_load_n(token, __ATOMIC_ACQUIRE)) != ~0ULL) {
		int fd = call(self->s.fd, SLUICE_IOC_FD_TAKE, &t);

		if (fd < 0) {
			ASSERT_EQ(-ENOENT, fd);
			continue;
		}
		taken++;
		close(fd);
	}
	EXPECT_EQ(0, reap(pid));
	TH_LOG("%lu taken in %lu rounds", taken, rounds);
	EXPECT_TRUE(ended(pipes[0]));
	EXPECT_EQ(0, stat_of(self->ch).fds);
}

TEST_HARNESS_MAIN
