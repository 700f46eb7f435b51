// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes wrong with the locks that there are, and what ours do instead, on
 * the same kernel. If a kernel does better some day, that half is skipped with
 * a word about it; ours has to be right always.
 */
#include "lock.h"

#include <sys/file.h>
#include <sys/time.h>

#define GIVE_UP_MS	(slowness() > 1 ? 3000 : 700)

FIXTURE(peers) {
	int space;
	char path[32];
	int fd;
};

FIXTURE_SETUP(peers)
{
	device();
	self->space = make_lockspace(NULL, 0);
	ASSERT_LE(0, self->space);
	strcpy(self->path, "/tmp/lock_peers.XXXXXX");
	self->fd = mkstemp(self->path);
	ASSERT_LE(0, self->fd);
	fcntl(self->fd, F_SETFD, FD_CLOEXEC);
}

FIXTURE_TEARDOWN(peers)
{
	close(self->fd);
	unlink(self->path);
	close(self->space);
}

/* The exit status of @pid; the deadlock it is in is ended by SIGALRM. */
#define HUNG	(-SIGALRM)

static int fcntl_lock(int fd, int cmd, short type, int start, int len)
{
	struct flock fl = {
		.l_type = type, .l_whence = SEEK_SET,
		.l_start = start, .l_len = len,
	};

	return fcntl(fd, cmd, &fl) ? -errno : 0;
}

static struct sluice_item byte_of(int space, int i, __u32 mode)
{
	return range(space, "bytes", mode, i, i);
}

/* A barrier for @n processes, in shared memory. */
static void meet(int *here, int n)
{
	__atomic_add_fetch(here, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(here, __ATOMIC_SEQ_CST) < n)
		sleep_us(500);
}

static void alarm_in_ms(int ms)
{
	struct itimerval it = {
		.it_value = { ms / 1000, ms % 1000 * 1000 },
	};

	signal(SIGALRM, SIG_DFL);
	must(setitimer(ITIMER_REAL, &it, NULL));
}

/*
 * Rings of processes, each with byte i, that want byte i + 1.
 */
enum how { POSIX, OFD, OURS };

static int ring_take(FIXTURE_DATA(peers) *self, enum how how, int fd, int h,
		     int i)
{
	if (how == OURS)
		return take(h, byte_of(self->space, i, SLUICE_EX));
	return fcntl_lock(fd, how == OFD ? F_OFD_SETLKW : F_SETLKW, F_WRLCK, i, 1);
}

static void ring_member(FIXTURE_DATA(peers) *self, enum how how, int i, int n,
			int *here)
{
	int fd = must(open(self->path, O_RDWR | O_CLOEXEC));
	int h = must(make_holder(NULL));

	must(ring_take(self, how, fd, h, i));
	meet(here, n);
	/* A short ring of fcntl() ends by itself. */
	if (how != OURS)
		alarm_in_ms(how == POSIX && n < 12 ? LOCK_PATIENCE_MS : GIVE_UP_MS);
	_exit(-ring_take(self, how, fd, h, (i + 1) % n));
}

/* How many of the ring were told EDEADLK, and how many hung. */
struct ring_end {
	int refused, hung, granted;
};

static struct ring_end ring_of(FIXTURE_DATA(peers) *self, enum how how, int n)
{
	struct ring_end end = { };
	int *here = shared(4096), i, status;
	pid_t pid[16];

	for (i = 0; i < n; i++) {
		pid[i] = child();
		if (!pid[i])
			ring_member(self, how, i, n, here);
	}
	for (i = 0; i < n; i++) {
		status = reap_slowly(pid[i]);
		end.refused += status == EDEADLK;
		end.hung += status == HUNG;
		end.granted += status == 0;
	}
	return end;
}

TEST_F(peers, ring_of_13)
{
	struct ring_end ours = ring_of(self, OURS, 13);
	struct ring_end short_one, theirs;

	EXPECT_EQ(1, ours.refused);
	EXPECT_EQ(12, ours.granted);
	short_one = ring_of(self, POSIX, 4);
	EXPECT_EQ(1, short_one.refused) TH_LOG("fcntl does find short ones");
	theirs = ring_of(self, POSIX, 13);
	if (theirs.refused)
		SKIP(return, "this kernel's fcntl finds a ring of 13");
	EXPECT_LT(0, theirs.hung);
}

TEST_F(peers, open_file_locks_of_two)
{
	struct ring_end ours = ring_of(self, OURS, 2);
	struct ring_end theirs;

	EXPECT_EQ(1, ours.refused);
	EXPECT_EQ(1, ours.granted);
	theirs = ring_of(self, OFD, 2);
	if (theirs.refused)
		SKIP(return, "this kernel's OFD locks find deadlocks");
	EXPECT_LT(0, theirs.hung);
}

/*
 * A process of two threads: one waits, the other would let go. No deadlock.
 */
struct two_threads {
	FIXTURE_DATA(peers) *self;
	bool ours;
	int h[2];
	struct step wait;
};

static void *second_thread(void *arg)
{
	struct two_threads *t = arg;

	step_hear(&t->wait);
	sleep_us(300000);
	if (t->ours)
		check(!unlock_all(t->h[1]));
	else
		check(!fcntl_lock(t->self->fd, F_SETLKW, F_UNLCK, 1, 1));
	return NULL;
}

/* Waits for byte 0 with its first thread; byte 1 its second one gives back. */
static void blocker(struct two_threads *t)
{
	pthread_t thread;
	int ret;

	t->h[0] = must(make_holder(NULL));
	t->h[1] = must(make_holder(NULL));
	if (t->ours)
		must(take(t->h[1], byte_of(t->self->space, 1, SLUICE_EX)));
	else
		must(fcntl_lock(t->self->fd, F_SETLKW, F_WRLCK, 1, 1));
	check(!pthread_create(&thread, NULL, second_thread, t));
	step_say(&t->wait);
	alarm_in_ms(LOCK_PATIENCE_MS);
	if (t->ours)
		ret = take(t->h[0], byte_of(t->self->space, 0, SLUICE_EX));
	else
		ret = fcntl_lock(t->self->fd, F_SETLKW, F_WRLCK, 0, 1);
	pthread_join(thread, NULL);
	_exit(-ret);
}

static bool waits_in_fcntl(pid_t pid)
{
	char path[48], line[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", pid, pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		line[0] = 0;
	close(fd);
	return strstr(line, "lock") || sleeps(pid);
}

static int ask_blocker(FIXTURE_DATA(peers) *self, bool ours)
{
	struct two_threads t = { .self = self, .ours = ours, .wait = step_make() };
	int h = must(make_holder(NULL)), ret;
	pid_t pid;

	if (ours)
		must(take(h, byte_of(self->space, 0, SLUICE_EX)));
	else
		must(fcntl_lock(self->fd, F_SETLKW, F_WRLCK, 0, 1));
	pid = child();
	if (!pid)
		blocker(&t);
	if (ours)
		check(until(waiting_in(self->space) == 1));
	else
		check(until(waits_in_fcntl(pid)) && !usleep(50000));
	if (ours)
		ret = take(h, byte_of(self->space, 1, SLUICE_EX));
	else
		ret = fcntl_lock(self->fd, F_SETLKW, F_WRLCK, 1, 1);
	unlock_all(h);
	if (!ours)
		must(fcntl_lock(self->fd, F_SETLK, F_UNLCK, 0, 0));
	check(reap_slowly(pid) == 0);
	return ret;
}

TEST_F(peers, deadlock_that_is_none)
{
	EXPECT_EQ(0, ask_blocker(self, true));
	EXPECT_EQ(0, lockspace_stat(self->space).deadlocks);
	if (ask_blocker(self, false) != -EDEADLK)
		SKIP(return, "this kernel's fcntl gives no false EDEADLK here");
}

/*
 * Two that share and both want it alone, with flock.
 */
static void flock_upgrader(const char *path, int *here, struct step *other)
{
	int fd = must(open(path, O_RDWR | O_CLOEXEC));

	must(flock(fd, LOCK_SH));
	meet(here, 2);
	alarm_in_ms(GIVE_UP_MS * 4);
	if (flock(fd, LOCK_EX))
		_exit(errno);
	/* Alone now; what one read before is what it was, one should think. */
	step_say(other);
	_exit(0);
}

TEST_F(peers, two_upgraders)
{
	struct step done = step_make();
	int *here = shared(4096), h[2], i, status[2];
	struct sluice_item pr = byte_of(self->space, 0, SLUICE_PR);
	struct sluice_item ex = byte_of(self->space, 0, SLUICE_EX);
	pid_t pid[2];

	for (i = 0; i < 2; i++) {
		h[i] = make_holder(NULL);
		ASSERT_EQ(0, take(h[i], pr));
	}
	ASSERT_EQ(-EINPROGRESS, ask(h[0], ex));
	EXPECT_EQ(-EDEADLK, take(h[1], ex));
	EXPECT_FALSE(is_done(h[0])) TH_LOG("the other still shares it");
	ASSERT_EQ(0, unlock_all(h[1]));
	EXPECT_EQ(0, outcome(h[0]));
	for (i = 0; i < 2; i++) {
		pid[i] = child();
		if (!pid[i])
			flock_upgrader(self->path, here, &done);
	}
	for (i = 0; i < 2; i++)
		status[i] = reap_slowly(pid[i]);
	if (status[0] || status[1])
		SKIP(return, "this kernel's flock tells upgraders: %d, %d",
		     status[0], status[1]);
	/* Both had it alone: one of them had lost its share without a word. */
}

/*
 * Readers that overlap, and one that wants to write.
 */
#define READERS	3

static void reader(FIXTURE_DATA(peers) *self, enum how how, int which)
{
	int fd = must(open(self->path, O_RDWR | O_CLOEXEC));
	int h = must(make_holder(NULL));

	sleep_us(which * 7000);
	for (;;) {
		if (how == OURS)
			must(take(h, byte_of(self->space, 0, SLUICE_PR)));
		else if (how == POSIX)
			must(fcntl_lock(fd, F_SETLKW, F_RDLCK, 0, 1));
		else
			must(flock(fd, LOCK_SH));
		sleep_us(20000);
		if (how == OURS)
			must(unlock_all(h));
		else if (how == POSIX)
			must(fcntl_lock(fd, F_SETLK, F_UNLCK, 0, 1));
		else
			must(flock(fd, LOCK_UN));
	}
}

/* Whether a writer gets in within a second. */
static int writer(FIXTURE_DATA(peers) *self, enum how how)
{
	pid_t pid = child();

	if (!pid) {
		int fd = must(open(self->path, O_RDWR | O_CLOEXEC));

		if (how == OURS)
			_exit(-take(must(make_holder(NULL)),
				    byte_of(self->space, 0, SLUICE_EX)));
		alarm_in_ms(1000);
		if (how == POSIX)
			_exit(-fcntl_lock(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(flock(fd, LOCK_EX) ? errno : 0);
	}
	return reap_slowly(pid);
}

static int writer_among_readers(FIXTURE_DATA(peers) *self, enum how how)
{
	pid_t pid[READERS];
	int i, ret;

	for (i = 0; i < READERS; i++) {
		pid[i] = child();
		if (!pid[i])
			reader(self, how, i);
	}
	sleep_us(100000);
	ret = writer(self, how);
	for (i = 0; i < READERS; i++)
		kill_and_reap(pid[i]);
	return ret;
}

/* Three runs: on a busy machine the readers may leave a gap. */
static bool starves(FIXTURE_DATA(peers) *self, enum how how)
{
	int i;

	for (i = 0; i < 3; i++)
		if (writer_among_readers(self, how) == HUNG)
			return true;
	return false;
}

TEST_F(peers, writer_among_readers)
{
	bool posix, bsd;
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, writer_among_readers(self, OURS));
	posix = starves(self, POSIX);
	bsd = starves(self, OFD);
	if (!posix || !bsd)
		SKIP(return, "no starvation seen under%s%s", posix ? "" : " fcntl",
		     bsd ? "" : " flock");
}

/*
 * A library opens and closes the same file.
 */
static int other_can_write(FIXTURE_DATA(peers) *self, bool ours)
{
	pid_t pid = child();

	if (!pid) {
		int fd = must(open(self->path, O_RDWR | O_CLOEXEC));

		if (ours)
			_exit(-try(must(make_holder(NULL)),
				   file_item(self->space, fd, SLUICE_EX)));
		_exit(-fcntl_lock(fd, F_SETLK, F_WRLCK, 0, 0));
	}
	return -reap(pid);
}

TEST_F(peers, any_close_drops_all)
{
	int h = make_holder(NULL);

	ASSERT_EQ(0, take(h, file_item(self->space, self->fd, SLUICE_EX)));
	close(must(open(self->path, O_RDONLY | O_CLOEXEC)));
	EXPECT_EQ(-EAGAIN, other_can_write(self, true));
	close(dup(h));
	EXPECT_EQ(-EAGAIN, other_can_write(self, true));
	ASSERT_EQ(0, fcntl_lock(self->fd, F_SETLK, F_WRLCK, 0, 0));
	EXPECT_EQ(-EAGAIN, other_can_write(self, false));
	close(must(open(self->path, O_RDONLY | O_CLOEXEC)));
	if (other_can_write(self, false))
		SKIP(return, "this kernel keeps POSIX locks over close()");
}

/* A writer that dies in the middle: the next one should know. */
TEST_F(peers, death_of_a_writer)
{
	struct sluice_item ex = byte_of(self->space, 0, SLUICE_EX);
	pid_t pid = child();

	if (!pid) {
		must(take(must(make_holder(NULL)), ex));
		must(fcntl_lock(self->fd, F_SETLK, F_WRLCK, 0, 0));
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_EQ(0, fcntl_lock(self->fd, F_SETLKW, F_WRLCK, 0, 0))
		TH_LOG("which is all that fcntl tells");
	ASSERT_EQ(0, lock_items(make_holder(NULL), &ex, 1, 0));
	EXPECT_EQ(SLUICE_OWNER_DIED, ex.status);
}

TEST_HARNESS_MAIN
