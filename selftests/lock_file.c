// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: which descriptors are one file, and the kernel's own locks taken along
 * with ours: programs that know fcntl() or flock() only are kept out, keep us
 * out, and wait as we do. Who may lock a file is in lock_perm.c.
 */
#include "lock.h"
#include "refusal.h"

#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

/*
 * Strangers: by fcntl(), of a process or of an open file, and by flock().
 */
enum stranger { POSIX, OFD, FLOCK };

static int fcntl_range(int fd, int cmd, short type, __u64 start, __u64 end)
{
	struct flock fl = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start,
		.l_len = end == SLUICE_END ? 0 : end - start + 1,
	};

	return fcntl(fd, cmd, &fl) ? -errno : 0;
}

/* @type is F_RDLCK, F_WRLCK or F_UNLCK. */
static int strange(enum stranger who, int fd, short type, bool wait,
		   __u64 start, __u64 end)
{
	int op = type == F_UNLCK ? LOCK_UN : type == F_RDLCK ? LOCK_SH : LOCK_EX;

	if (who == POSIX)
		return fcntl_range(fd, wait ? F_SETLKW : F_SETLK, type, start, end);
	if (who == OFD)
		return fcntl_range(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, type,
				   start, end);
	return flock(fd, wait ? op : op | LOCK_NB) ? -errno : 0;
}

/* Two files, of a file system of their own, and who is a stranger there. */
struct setting {
	struct cast c;
	enum stranger who;
	char dir[40], path[2][48];
	int fd[2];		/* ours */
	int theirs[2];		/* a stranger's */
	__u32 flag;
};

/* A mount namespace of its own, as mounts would outlive the test. */
static bool mounted(const char *fs, const char *dir)
{
	return !geteuid() && !unshare(CLONE_NEWNS) &&
		!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		!mount(fs, dir, fs, 0, NULL);
}

static void open_both(struct setting *s)
{
	int i, flags = O_CREAT | O_RDWR | O_CLOEXEC;

	for (i = 0; i < 2; i++) {
		snprintf(s->path[i], sizeof(s->path[i]), "%s/%d", s->dir, i);
		s->fd[i] = must(open(s->path[i], flags, 0600));
		s->theirs[i] = must(open(s->path[i], flags, 0600));
	}
}

static bool setting_make(struct setting *s, enum stranger who, const char *fs)
{
	strcpy(s->dir, "/tmp/lock_file.XXXXXX");
	check(mkdtemp(s->dir));
	if (!mounted(fs, s->dir)) {
		rmdir(s->dir);
		return false;
	}
	open_both(s);
	cast_make(&s->c, 2);
	s->who = who;
	s->flag = who == FLOCK ? SLUICE_ITEM_FLOCK : SLUICE_ITEM_FCNTL;
	return true;
}

static void setting_end(struct setting *s)
{
	cast_close(&s->c);
	umount2(s->dir, MNT_DETACH);
	rmdir(s->dir);
}

#define SETTING(name)							\
FIXTURE(name) {								\
	struct setting s;						\
};									\
									\
FIXTURE_VARIANT(name) {							\
	enum stranger who;						\
	const char *fs;							\
};									\
									\
FIXTURE_SETUP(name)							\
{									\
	if (!setting_make(&self->s, variant->who, variant->fs))		\
		SKIP(return, "cannot mount %s (errno %d)", variant->fs,	\
		     errno);						\
}									\
									\
FIXTURE_TEARDOWN(name)							\
{									\
	setting_end(&self->s);						\
}

#define VARIANT(name, by, fs)	FIXTURE_VARIANT_ADD(name, by) { by, fs }
#define ON_RAMFS(name, by)	FIXTURE_VARIANT_ADD(name, by##_ramfs) { by, "ramfs" }

/* What all do in the same way, what takes fcntl(), and what is of flock(). */
SETTING(file)
VARIANT(file, POSIX, "tmpfs");
VARIANT(file, OFD, "tmpfs");
VARIANT(file, FLOCK, "tmpfs");
ON_RAMFS(file, OFD);
ON_RAMFS(file, FLOCK);

SETTING(ranges)
VARIANT(ranges, POSIX, "tmpfs");
VARIANT(ranges, OFD, "tmpfs");
ON_RAMFS(ranges, OFD);

SETTING(flocked)
VARIANT(flocked, FLOCK, "tmpfs");
ON_RAMFS(flocked, FLOCK);

#define A		(self->s.c.h[0])
#define B		(self->s.c.h[1])
#define SPACE		(self->s.c.space)

/* An item of file @n with the kernel's own lock. */
static struct sluice_item along(struct setting *s, int n, __u32 mode,
				__u64 start, __u64 end)
{
	struct sluice_item i = file_item(s->c.space, s->fd[n], mode);

	i.flags = mode ? s->flag : 0;
	i.start = start;
	i.end = end;
	return i;
}

#define R(mode, from, to)	along(&self->s, 0, SLUICE_##mode, from, to)
#define I(mode)			R(mode, 0, SLUICE_END)
#define J(mode)			along(&self->s, 1, SLUICE_##mode, 0, SLUICE_END)

/* What the stranger tries, of bytes of file @n: taken and given back. */
static int looks(struct setting *s, enum stranger who, int n, short type,
		 __u64 start, __u64 end)
{
	int ret = strange(who, s->theirs[n], type, false, start, end);

	if (!ret)
		must(strange(who, s->theirs[n], F_UNLCK, false, start, end));
	return ret;
}

/* What shows of our lock at byte @at of the first file, to fcntl(). */
static short shown_at(struct setting *s, __u64 at, __u64 *start, __u64 *end)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1,
	};

	must(fcntl(s->theirs[0], F_OFD_GETLK, &fl));
	if (start)
		*start = fl.l_start;
	if (end)
		*end = fl.l_len ? fl.l_start + fl.l_len - 1 : SLUICE_END;
	return fl.l_type;
}

/* How many lines of /proc/locks are of our first file, and of @what. */
static int lines_of(struct setting *s, const char *what)
{
	FILE *f = fopen("/proc/locks", "r");
	char line[256], file[64];
	struct stat st;
	int n = 0;

	check(f && !fstat(s->fd[0], &st));
	snprintf(file, sizeof(file), " %02x:%02x:%llu ", major(st.st_dev),
		 minor(st.st_dev), (unsigned long long)st.st_ino);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, file) && strstr(line, what);
	fclose(f);
	return n;
}

#define THEY_TRY(type)	looks(&self->s, self->s.who, 0, type, 0, SLUICE_END)

/* A stranger's lock on all of file @n, until it is let go. */
static void they_take(struct setting *s, enum stranger who, int n, short type)
{
	must(strange(who, s->theirs[n], type, false, 0, SLUICE_END));
}

#define THEY_HAVE(n, type)	they_take(&self->s, self->s.who, n, type)
#define THEY_LET_GO(n)		they_take(&self->s, self->s.who, n, F_UNLCK)

/*
 * Keeping out, and being kept out.
 */
TEST_F(file, keeps_them_out)
{
	__u32 mode;

	for (mode = SLUICE_PR; mode < MODES; mode++) {
		bool shares = mode == SLUICE_PR || mode == SLUICE_UP;

		ASSERT_EQ(0, try(A, along(&self->s, 0, mode, 0, SLUICE_END)));
		EXPECT_EQ(shares ? 0 : -EAGAIN, THEY_TRY(F_RDLCK))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK)) TH_LOG("mode %u", mode);
		EXPECT_EQ(0, looks(&self->s, self->s.who, 1, F_WRLCK, 0, SLUICE_END))
			TH_LOG("another file");
		ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
		EXPECT_EQ(0, THEY_TRY(F_WRLCK)) TH_LOG("after mode %u", mode);
		EXPECT_EQ(0, lines_of(&self->s, ""));
	}
}

TEST_F(file, kept_out)
{
	__u32 mode;

	for (mode = SLUICE_PR; mode < MODES; mode++) {
		bool shares = mode == SLUICE_PR || mode == SLUICE_UP;
		struct sluice_item i = along(&self->s, 0, mode, 0, SLUICE_END);

		THEY_HAVE(0, F_RDLCK);
		EXPECT_EQ(shares ? 0 : -EAGAIN, try(A, i)) TH_LOG("mode %u", mode);
		ASSERT_EQ(0, unlock_all(A));
		THEY_HAVE(0, F_WRLCK);
		EXPECT_EQ(-EAGAIN, try(A, i)) TH_LOG("mode %u", mode);
		EXPECT_EQ(0, lockspace_stat(SPACE).grants);
		THEY_LET_GO(0);
		EXPECT_EQ(0, try(A, i)) TH_LOG("mode %u", mode);
		ASSERT_EQ(0, unlock_all(A));
	}
}

TEST_F(file, without_the_flag)
{
	ASSERT_EQ(0, try(A, file_item(SPACE, self->s.fd[0], SLUICE_EX)));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
	EXPECT_EQ(-EAGAIN, try(B, I(EX))) TH_LOG("ours do meet");
	EXPECT_EQ(0, THEY_TRY(F_WRLCK)) TH_LOG("who got nothing took nothing");
	ASSERT_EQ(0, unlock_all(A));
	THEY_HAVE(0, F_WRLCK);
	EXPECT_EQ(0, try(A, file_item(SPACE, self->s.fd[0], SLUICE_EX)));
}

/* Lockspaces do not meet, but the kernel's locks do. */
TEST_F(file, in_two_lockspaces)
{
	struct sluice_item i = I(EX);

	i.lockspace = must(make_lockspace(NULL, 0));
	ASSERT_EQ(0, try(A, I(EX)));
	EXPECT_EQ(-EAGAIN, try(B, i));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, try(B, i));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
}

TEST_F(file, readers_share)
{
	ASSERT_EQ(0, try(A, I(PR)));
	THEY_HAVE(0, F_RDLCK);
	ASSERT_EQ(0, try(B, I(PR)));
	THEY_LET_GO(0);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK)) TH_LOG("B still has it");
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
}

/* Both of the kernel's locks, which do not know each other. */
TEST_F(file, both)
{
	struct sluice_item i = I(EX);

	i.flags = SLUICE_ITEM_FCNTL | SLUICE_ITEM_FLOCK;
	they_take(&self->s, FLOCK, 0, F_RDLCK);
	EXPECT_EQ(-EAGAIN, try(A, i));
	EXPECT_EQ(0, looks(&self->s, OFD, 0, F_WRLCK, 0, SLUICE_END))
		TH_LOG("the other is not kept");
	they_take(&self->s, FLOCK, 0, F_UNLCK);
	ASSERT_EQ(0, try(A, i));
	EXPECT_EQ(-EAGAIN, looks(&self->s, FLOCK, 0, F_RDLCK, 0, SLUICE_END));
	EXPECT_EQ(-EAGAIN, looks(&self->s, OFD, 0, F_RDLCK, 0, SLUICE_END));
	EXPECT_EQ(-EAGAIN, looks(&self->s, POSIX, 0, F_RDLCK, 0, SLUICE_END));
	EXPECT_EQ(2, lines_of(&self->s, "WRITE"));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, lines_of(&self->s, ""));
}

/* Closing any descriptor is not letting go, as it is with fcntl(). */
TEST_F(file, closed)
{
	int other = must(open(self->s.path[0], O_RDONLY | O_CLOEXEC));

	ASSERT_EQ(0, try(A, I(EX)));
	close(other);
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
	close(self->s.fd[0]);
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
	self->s.fd[0] = must(open(self->s.path[0], O_RDWR | O_CLOEXEC));
	ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
}

/* Nothing keeps the file system busy once nothing is held. */
TEST_F(file, unmounted)
{
	ASSERT_EQ(0, try(A, I(EX)));
	ASSERT_EQ(0, try(A, J(PR)));
	ASSERT_EQ(0, try(B, J(PR)));
	ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	ASSERT_EQ(0, unlock_all(A));
	THEY_HAVE(0, F_WRLCK);
	EXPECT_EQ(-EAGAIN, try(A, I(EX)));
	THEY_LET_GO(0);
	close(self->s.fd[0]);
	close(self->s.fd[1]);
	close(self->s.theirs[0]);
	close(self->s.theirs[1]);
	EXPECT_EQ(-1, umount2(self->s.dir, 0)) TH_LOG("B has one");
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_TRUE(until(!umount2(self->s.dir, 0)));
}

/*
 * Waiting for them.
 */

static __u64 granted_or_waiting(int space)
{
	struct sluice_lockspace_stat st = lockspace_stat(space);

	return st.grants + st.waiting;
}

/* A thread in LOCK; who waits for a stranger has our grant in hand. */
static struct waiter *awaits(int h, struct sluice_item i, __s64 deadline)
{
	struct waiter *w = calloc(1, sizeof(*w));
	__u64 before = granted_or_waiting(i.lockspace);

	w->items[0] = i;
	w->l.deadline = deadline;
	waiter_start(w, h);
	check(until(granted_or_waiting(i.lockspace) == before + 1));
	sleep_us(20000);
	return w;
}

TEST_F(file, waits_for_them)
{
	__u32 mode[] = { SLUICE_PR, SLUICE_EX };
	struct waiter *w;
	size_t i;

	for (i = 0; i < ARRAY(mode); i++) {
		THEY_HAVE(0, F_WRLCK);
		w = awaits(A, along(&self->s, 0, mode[i], 0, SLUICE_END), 0);
		EXPECT_EQ(-EBUSY, try(A, I(PR))) TH_LOG("it still waits");
		THEY_LET_GO(0);
		EXPECT_EQ(0, waiter_end(w)) TH_LOG("mode %u", mode[i]);
		EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK));
		ASSERT_EQ(0, unlock_all(A));
	}
}

TEST_F(file, until_the_deadline)
{
	struct sluice_item i = I(EX);
	__s64 start = now_ns();

	THEY_HAVE(0, F_RDLCK);
	EXPECT_EQ(-ETIMEDOUT, lock_until(A, &i, 1, 0, in_ms(150)));
	EXPECT_LE(150 * NSEC_PER_MSEC, now_ns() - start);
	EXPECT_GT(PATIENCE_MS * NSEC_PER_MSEC, now_ns() - start);
	EXPECT_EQ(-ETIMEDOUT, lock_until(A, &i, 1, 0, 1)) TH_LOG("in the past");
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	EXPECT_EQ(1, lines_of(&self->s, "")) TH_LOG("theirs alone");
	EXPECT_EQ(0, try(B, I(PR)));
}

TEST_F(file, deadlines_long_over)
{
	struct sluice_item i[] = { I(EX), J(EX) };

	THEY_HAVE(0, F_RDLCK);
	EXPECT_EQ(-ETIMEDOUT, lock_until(A, i, 1, 0, -1));
	EXPECT_EQ(-ETIMEDOUT, lock_until(A, i, 1, 0, LLONG_MIN));
	EXPECT_EQ(-ETIMEDOUT, lock_until(A, i, 2, 0, LLONG_MIN));
	EXPECT_EQ(1, lines_of(&self->s, "")) TH_LOG("theirs alone");
}

/* Later ones of ours wait behind the one that waits for a stranger. */
TEST_F(file, queue_behind)
{
	struct waiter *a, *b;

	THEY_HAVE(0, F_WRLCK);
	a = awaits(A, I(EX), 0);
	b = awaits(B, I(EX), 0);
	THEY_LET_GO(0);
	EXPECT_EQ(0, waiter_end(a));
	EXPECT_EQ(-EBUSY, try(B, J(EX))) TH_LOG("B waits for A");
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, waiter_end(b));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK));
}

static void no_handler(int sig)
{
	(void)sig;
}

/* A child that waits for a stranger, in LOCK. */
static pid_t waiting_child(struct sluice_item i)
{
	struct sigaction sa = { .sa_handler = no_handler };
	pid_t pid = child();

	if (!pid) {
		must(sigaction(SIGUSR1, &sa, NULL));
		_exit(-take(must(make_holder(NULL)), i));
	}
	/* It waits with our grant in hand. */
	check(until(lockspace_stat(i.lockspace).grants == 1));
	check(until(sleeps(pid)));
	return pid;
}

TEST_F(file, interrupted)
{
	pid_t pid;

	THEY_HAVE(0, F_WRLCK);
	pid = waiting_child(I(EX));
	must(kill(pid, SIGUSR1));
	EXPECT_EQ(EINTR, reap(pid));
	EXPECT_TRUE(until(!lockspace_stat(SPACE).grants));
	THEY_LET_GO(0);
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
}

TEST_F(file, killed_while_it_waits)
{
	pid_t pid;

	THEY_HAVE(0, F_WRLCK);
	pid = waiting_child(I(EX));
	kill_and_reap(pid);
	EXPECT_TRUE(until(!lockspace_stat(SPACE).grants));
	THEY_LET_GO(0);
	EXPECT_TRUE(until(!THEY_TRY(F_WRLCK)));
	EXPECT_EQ(0, try(A, I(EX)));
}

TEST_F(file, cancelled)
{
	struct waiter *w;

	THEY_HAVE(0, F_WRLCK);
	w = awaits(A, I(EX), 0);
	EXPECT_EQ(0, cancel(A));
	EXPECT_EQ(-ECANCELED, waiter_end(w));
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	EXPECT_EQ(-ENOENT, cancel(A));
}

/*
 * Their waiting for us; their deaths, and ours.
 */

/* A child that locks the first file as strangers do, and says so. */
static pid_t strange_child(struct setting *s, enum stranger who, short type,
			   struct step *got)
{
	pid_t pid = child();

	if (!pid) {
		int fd = must(open(s->path[0], O_RDWR | O_CLOEXEC));

		must(strange(who, fd, type, true, 0, SLUICE_END));
		step_say(got);
		for (;;)
			pause();
	}
	return pid;
}

static bool heard(struct step *s)
{
	return events_of(s->fd[0], POLLIN) & POLLIN;
}

TEST_F(file, they_wait)
{
	struct step got = step_make();
	pid_t pid;

	ASSERT_EQ(0, take(A, I(EX)));
	pid = strange_child(&self->s, self->s.who, F_WRLCK, &got);
	sleep_us(100000);
	EXPECT_TRUE(until(sleeps(pid)));
	EXPECT_FALSE(heard(&got));
	ASSERT_EQ(0, unlock(A, I(PR)));
	sleep_us(50000);
	EXPECT_FALSE(heard(&got)) TH_LOG("it wants all");
	ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	step_hear(&got);
	EXPECT_EQ(-EAGAIN, try(A, I(PR)));
	kill_and_reap(pid);
}

TEST_F(file, they_are_killed)
{
	struct step got = step_make();
	pid_t pid = strange_child(&self->s, self->s.who, F_WRLCK, &got);
	struct waiter *w;

	step_hear(&got);
	w = awaits(A, I(EX), 0);
	kill_and_reap(pid);
	EXPECT_EQ(0, waiter_end(w));
	/* Waiting, and not having it. */
	pid = strange_child(&self->s, self->s.who, F_WRLCK, &got);
	EXPECT_TRUE(until(sleeps(pid)));
	kill_and_reap(pid);
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
}

TEST_F(file, our_owner_is_killed)
{
	struct step ready = step_make(), got = step_make();
	struct sluice_item i = I(EX);
	pid_t pid = child(), stranger;

	if (!pid) {
		must(take(must(make_holder(NULL)), i));
		step_say(&ready);
		for (;;)
			pause();
	}
	step_hear(&ready);
	stranger = strange_child(&self->s, self->s.who, F_WRLCK, &got);
	sleep_us(100000);
	EXPECT_FALSE(heard(&got));
	kill_and_reap(pid);
	step_hear(&got);
	kill_and_reap(stranger);
	EXPECT_TRUE(until(!lines_of(&self->s, "")));
	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	EXPECT_EQ(SLUICE_OWNER_DIED, i.status);
}

TEST_F(file, our_holder_is_closed)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(A, J(PR)));
	close(A);
	A = -1;
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
	EXPECT_EQ(0, looks(&self->s, self->s.who, 1, F_WRLCK, 0, SLUICE_END));
}

TEST_F(file, our_lease_runs_out)
{
	struct sluice_lock_event ev;
	struct sluice_item i = I(EX);

	i.lease = 300 * NSEC_PER_MSEC;
	ASSERT_EQ(0, take(A, i));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
	EXPECT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_TRUE(until(!THEY_TRY(F_WRLCK)));
	EXPECT_EQ(0, try(A, I(EX))) TH_LOG("and again");
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
}

/*
 * Several.
 */

/* Of several it has nothing while it waits, by which it could be seen. */
static void starts_to_wait(struct waiter *w, int h)
{
	waiter_start(w, h);
	sleep_us(slowness() > 1 ? 1000000 : 100000);
}

/* Until both are free, neither is kept from anybody. */
TEST_F(file, all_or_nothing)
{
	struct waiter w = { .items = { I(EX), J(EX) }, .l.count = 2 };
	enum stranger who = self->s.who;

	THEY_HAVE(1, F_RDLCK);
	EXPECT_EQ(-EAGAIN, lock_items(A, w.items, 2, SLUICE_LOCK_TRY));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	starts_to_wait(&w, A);
	/* It may just be looking: so wait. */
	EXPECT_EQ(0, strange(who, self->s.theirs[0], F_WRLCK, true, 0, SLUICE_END));
	THEY_LET_GO(1);
	EXPECT_EQ(0, looks(&self->s, who, 1, F_RDLCK, 0, SLUICE_END))
		TH_LOG("the first is not free");
	EXPECT_EQ(-EBUSY, try(A, I(PR)));
	THEY_LET_GO(0);
	EXPECT_EQ(0, waiter_end(&w));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK));
	EXPECT_EQ(-EAGAIN, looks(&self->s, who, 1, F_RDLCK, 0, SLUICE_END));
}

TEST_F(file, any)
{
	struct sluice_item i[] = { I(EX), J(EX) };
	struct sluice_lock l = {
		.flags = SLUICE_LOCK_ANY | SLUICE_LOCK_TRY, .deadline = 1,
	};

	THEY_HAVE(0, F_WRLCK);
	ASSERT_EQ(0, lock_full(A, &l, i, 2));
	EXPECT_EQ(1, l.index);
	EXPECT_EQ(-EAGAIN, looks(&self->s, self->s.who, 1, F_RDLCK, 0, SLUICE_END));
	ASSERT_EQ(0, unlock_all(A));
	THEY_LET_GO(0);
	ASSERT_EQ(0, lock_full(A, &l, i, 2));
	EXPECT_EQ(0, l.index);
	EXPECT_EQ(0, looks(&self->s, self->s.who, 1, F_WRLCK, 0, SLUICE_END));
}

TEST_F(file, any_that_waits)
{
	struct waiter w = {
		.items = { I(EX), J(EX) }, .l.count = 2,
		.l.flags = SLUICE_LOCK_ANY,
	};

	THEY_HAVE(0, F_WRLCK);
	THEY_HAVE(1, F_WRLCK);
	EXPECT_EQ(-EAGAIN, lock_items(A, w.items, 2, SLUICE_LOCK_ANY |
				      SLUICE_LOCK_TRY));
	starts_to_wait(&w, A);
	EXPECT_EQ(-EBUSY, try(A, I(PR)));
	THEY_LET_GO(1);
	EXPECT_EQ(0, waiter_end(&w));
	EXPECT_EQ(1, w.l.index);
	EXPECT_EQ(1, lines_of(&self->s, "")) TH_LOG("theirs alone");
}

/*
 * A counter in the file, which ours and strangers read and write in turns.
 */
static void count_up(int fd)
{
	__u64 n = 0;

	check(pread(fd, &n, sizeof(n), 0) >= 0);
	sched_yield();
	n++;
	check(pwrite(fd, &n, sizeof(n), 0) == sizeof(n));
}

static void ours_count(struct setting *s, unsigned long n)
{
	struct sluice_item i = along(s, 0, SLUICE_EX, 0, SLUICE_END), none = i;
	int h = must(make_holder(NULL));

	none.mode = SLUICE_UNLOCKED;
	none.flags = 0;
	while (n--) {
		must(lock_until(h, &i, 1, 0, SLUICE_NO_DEADLINE));
		count_up(s->fd[0]);
		must(unlock(h, none));
	}
	_exit(0);
}

static void theirs_count(struct setting *s, unsigned long n)
{
	int fd = must(open(s->path[0], O_RDWR | O_CLOEXEC));

	while (n--) {
		must(strange(s->who, fd, F_WRLCK, true, 0, SLUICE_END));
		count_up(fd);
		must(strange(s->who, fd, F_UNLCK, false, 0, SLUICE_END));
		/* Who asks again and again needs a moment when it is free. */
		sleep_us(1000);
	}
	_exit(0);
}

TEST_F_TIMEOUT(file, counted_together, TEST_TIMEOUT_SCALED)
{
	unsigned long n = scaled(200, 20);
	pid_t pid[4];
	__u64 sum;
	int i;

	for (i = 0; i < 4; i++) {
		pid[i] = child();
		if (pid[i])
			continue;
		if (i % 2)
			ours_count(&self->s, n);
		theirs_count(&self->s, n);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, reap_slowly(pid[i]));
	ASSERT_EQ(sizeof(sum), pread(self->s.fd[0], &sum, sizeof(sum), 0));
	EXPECT_EQ(4 * n, sum);
	EXPECT_EQ(0, lines_of(&self->s, ""));
}

/*
 * Undone, refused.
 */
TEST_F(file, cannot_be_told)
{
	struct sluice_item i = I(EX), j = I(PR);
	struct sluice_item *bad = read_only(&i, sizeof(i));

	EXPECT_EQ(-EFAULT, lock_items(A, bad, 1, 0));
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	EXPECT_EQ(0, lines_of(&self->s, ""));
	if (self->s.flag == SLUICE_ITEM_FLOCK)
		return;
	/* As it was before. */
	ASSERT_EQ(0, take(A, j));
	EXPECT_EQ(-EFAULT, lock_items(A, bad, 1, 0));
	EXPECT_EQ(1, lines_of(&self->s, ""));
	EXPECT_EQ(1, lines_of(&self->s, "READ"));
	EXPECT_EQ(0, THEY_TRY(F_RDLCK));
	EXPECT_EQ(0, try(B, I(PR)));
}

TEST_F(file, refused)
{
	struct sluice_item name = whole(SPACE, "name", SLUICE_EX), pipe_end = I(EX);
	int pipes[2];
	__u32 mode;

	must(pipe2(pipes, O_CLOEXEC));
	EXPECT_EQ(-EOPNOTSUPP, ask(A, I(EX)));
	for (mode = SLUICE_NL; mode <= SLUICE_CW; mode++)
		EXPECT_EQ(-EINVAL, try(A, along(&self->s, 0, mode, 0, SLUICE_END)))
			TH_LOG("mode %u", mode);
	name.flags = self->s.flag;
	EXPECT_EQ(-EINVAL, try(A, name));
	pipe_end.fd = pipes[1];
	EXPECT_EQ(-EINVAL, try(A, pipe_end));
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	EXPECT_EQ(0, lines_of(&self->s, ""));
	close(pipes[0]);
	close(pipes[1]);
}

/* Beyond what the kernel's locks can be of. */
TEST_F(file, ranges_refused)
{
	EXPECT_EQ(-EINVAL, try(A, R(EX, 1ULL << 63, SLUICE_END)));
	EXPECT_EQ(-EINVAL, try(A, R(EX, 0, 1ULL << 63)));
	if (self->s.who == FLOCK) {
		EXPECT_EQ(-EINVAL, try(A, R(EX, 1, SLUICE_END)));
		EXPECT_EQ(-EINVAL, try(A, R(EX, 0, ~0ULL >> 1)));
	} else {
		EXPECT_EQ(0, try(A, R(EX, 0, ~0ULL >> 1)));
		ASSERT_EQ(0, unlock_all(A));
	}
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	EXPECT_EQ(0, lines_of(&self->s, ""));
}

/* By a descriptor that is for reading alone, one can share. */
TEST_F(file, for_reading)
{
	int r = must(open(self->s.path[0], O_RDONLY | O_CLOEXEC));
	struct sluice_item i = I(PR);

	i.fd = r;
	EXPECT_EQ(0, try(A, i));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK));
	i.mode = SLUICE_EX;
	EXPECT_EQ(-EBADF, try(A, i));
	close(r);
}

/*
 * Ranges, and what is left of them: fcntl() only.
 */
#define THEY_TRY_AT(type, from, to)					\
	looks(&self->s, self->s.who, 0, type, from, to)

TEST_F(ranges, apart)
{
	__u64 start, end;

	ASSERT_EQ(0, take(A, R(EX, 10, 19)));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 0, 9));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 0, 10));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 19, 19));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 20, SLUICE_END));
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 15, &start, &end));
	EXPECT_EQ(10, start);
	EXPECT_EQ(19, end);
	must(strange(self->s.who, self->s.theirs[0], F_WRLCK, false, 30, 30));
	EXPECT_EQ(-EAGAIN, try(A, R(PR, 20, 30)));
	EXPECT_EQ(0, try(A, R(PR, 31, SLUICE_END)));
	EXPECT_EQ(0, try(A, R(PR, 20, 29)));
	EXPECT_EQ(F_RDLCK, shown_at(&self->s, 1ULL << 62, NULL, &end));
	EXPECT_EQ(SLUICE_END, end);
}

TEST_F(ranges, parts_let_go)
{
	__u64 start, end;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 100, 199)));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 100, 199));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 99, 99));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 200, 200));
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 50, &start, &end));
	EXPECT_EQ(0, start);
	EXPECT_EQ(99, end);
	EXPECT_EQ(2, lines_of(&self->s, "WRITE"));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, 149)));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 0, 199));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 1000, 1000));
	ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	EXPECT_EQ(0, lines_of(&self->s, ""));
}

TEST_F(ranges, parts_weakened)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, unlock(A, R(PR, 100, 199)));
	EXPECT_EQ(0, THEY_TRY_AT(F_RDLCK, 100, 199));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 100, 199));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 99, 99));
	EXPECT_EQ(2, lines_of(&self->s, "WRITE"));
	EXPECT_EQ(1, lines_of(&self->s, "READ"));
	ASSERT_EQ(0, unlock(A, R(CR, 100, 199)));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 100, 199)) TH_LOG("fcntl() has no CR");
	ASSERT_EQ(0, unlock(A, I(NL)));
	EXPECT_EQ(0, lines_of(&self->s, ""));
}

TEST_F(ranges, converted)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(A, R(PR, 0, 99)));
	EXPECT_EQ(0, THEY_TRY_AT(F_RDLCK, 0, 99));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 100, 100));
	must(strange(self->s.who, self->s.theirs[0], F_RDLCK, false, 50, 50));
	EXPECT_EQ(-EAGAIN, try(A, I(EX))) TH_LOG("a stranger reads");
	EXPECT_EQ(F_RDLCK, shown_at(&self->s, 10, NULL, NULL)) TH_LOG("what it had");
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 100, NULL, NULL));
	THEY_LET_GO(0);
	EXPECT_EQ(0, try(A, I(EX)));
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 10, NULL, NULL));
	EXPECT_EQ(1, lines_of(&self->s, "")) TH_LOG("one again");
}

/* To wait in a conversion is to keep what one has. */
TEST_F(ranges, converted_in_time)
{
	struct waiter *w;

	ASSERT_EQ(0, take(A, I(PR)));
	THEY_HAVE(0, F_RDLCK);
	w = awaits(A, I(EX), in_ms(200));
	EXPECT_EQ(F_RDLCK, shown_at(&self->s, 0, NULL, NULL));
	EXPECT_EQ(-ETIMEDOUT, waiter_end(w));
	EXPECT_EQ(F_RDLCK, shown_at(&self->s, 0, NULL, NULL));
	w = awaits(A, I(EX), 0);
	THEY_LET_GO(0);
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 0, NULL, NULL));
}

/* What waits for a stranger is taken back, or made less, as all that one has. */
TEST_F(ranges, taken_back_while_it_waits)
{
	struct sluice_lock_event ev;
	struct sluice_item i = R(EX, 100, 109);
	struct waiter *w;

	/* The file is needed for this, whatever becomes of the rest. */
	ASSERT_EQ(0, take(A, R(EX, 0, 9)));
	must(strange(self->s.who, self->s.theirs[0], F_WRLCK, false, 100, 129));
	i.lease = 500 * NSEC_PER_MSEC;
	w = awaits(A, i, 0);
	EXPECT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(100, ev.start);
	sleep_us(100000);	/* the kernel's lock follows, too */
	must(strange(self->s.who, self->s.theirs[0], F_UNLCK, false, 100, 109));
	EXPECT_EQ(-ESTALE, waiter_end(w)) TH_LOG("its lease ran out");
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 100, 109));
	w = awaits(A, R(EX, 110, 119), 0);
	EXPECT_EQ(0, unlock(A, R(UNLOCKED, 110, 119)));
	must(strange(self->s.who, self->s.theirs[0], F_UNLCK, false, 110, 119));
	EXPECT_EQ(-ESTALE, waiter_end(w)) TH_LOG("let go");
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 110, 119));
	w = awaits(A, R(EX, 120, 129), 0);
	EXPECT_EQ(0, unlock(A, R(PR, 120, 129)));
	must(strange(self->s.who, self->s.theirs[0], F_UNLCK, false, 120, 129));
	EXPECT_EQ(-ESTALE, waiter_end(w)) TH_LOG("weakened");
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 120, 129));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 0, 9)) TH_LOG("what it had");
	EXPECT_EQ(1, lockspace_stat(SPACE).grants);
	EXPECT_EQ(0, try(A, R(EX, 100, 129))) TH_LOG("and again");
}

/* The lease of what one does not have yet: it ends the asking, and nothing else. */
TEST_F(ranges, conversion_ends_while_it_waits)
{
	struct sluice_item i = R(EX, 0, 9);
	struct waiter *w;

	ASSERT_EQ(0, take(A, R(PR, 0, 9)));
	THEY_HAVE(0, F_RDLCK);
	i.lease = 50 * NSEC_PER_MSEC;
	w = awaits(A, i, 0);
	sleep_us(200000);
	THEY_LET_GO(0);
	EXPECT_EQ(-ESTALE, waiter_end(w));
	EXPECT_EQ(1, lockspace_stat(SPACE).grants);
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
	EXPECT_EQ(F_RDLCK, shown_at(&self->s, 5, NULL, NULL)) TH_LOG("what it had");
	EXPECT_EQ(0, try(B, R(PR, 0, 9)));
}

/*
 * Who has it as a writer, and asks to be a reader, lets no stranger in before
 * he is told that he is one: there would be no way back.
 */
TEST_F(ranges, not_weakened_before_it_is_kept)
{
	struct sluice_item items[] = { R(PR, 0, 99), J(EX) }, part = R(PR, 0, 49);
	struct sluice_item *bad = read_only(&part, sizeof(part));
	struct step got = step_make();
	unsigned long n = scaled(300, 50), i;
	pid_t pid;

	ASSERT_EQ(0, take(A, R(EX, 0, 99)));
	THEY_HAVE(1, F_WRLCK);
	pid = strange_child(&self->s, self->s.who, F_RDLCK, &got);
	EXPECT_TRUE(until(sleeps(pid)));
	for (i = 0; i < n && !heard(&got); i++) {
		ASSERT_EQ(-EAGAIN, lock_items(A, items, 2, SLUICE_LOCK_TRY));
		ASSERT_EQ(-EFAULT, lock_items(A, bad, 1, 0));
	}
	EXPECT_FALSE(heard(&got)) TH_LOG("after %lu", i);
	EXPECT_EQ(F_WRLCK, shown_at(&self->s, 50, NULL, NULL));
	THEY_LET_GO(1);
	EXPECT_EQ(0, lock_items(A, items, 2, SLUICE_LOCK_TRY));
	step_hear(&got);
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 0, 99));
	kill_and_reap(pid);
}

/* Nor while it waits for the rest of what it asks for. */
TEST_F(ranges, not_weakened_while_it_waits)
{
	struct waiter *w;

	ASSERT_EQ(0, take(A, R(EX, 10, 19)));
	must(strange(self->s.who, self->s.theirs[0], F_WRLCK, false, 25, 29));
	w = awaits(A, R(PR, 0, 29), in_ms(300));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 10, 19));
	EXPECT_EQ(-ETIMEDOUT, waiter_end(w));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_RDLCK, 10, 19));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 0, 9));
	w = awaits(A, R(PR, 0, 29), 0);
	must(strange(self->s.who, self->s.theirs[0], F_UNLCK, false, 25, 29));
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(0, THEY_TRY_AT(F_RDLCK, 0, 29));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 0, 0));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 29, 29));
	EXPECT_EQ(1, lines_of(&self->s, "READ")) TH_LOG("it is one");
}

/* A conversion without the flag is one also if it comes later. */
TEST_F(ranges, converted_later_without_the_flag)
{
	struct sluice_item i = file_item(SPACE, self->s.fd[0], SLUICE_EX);

	ASSERT_EQ(0, take(A, R(PR, 0, 9)));
	ASSERT_EQ(0, take(A, R(PR, 30, 39)));
	i.start = 10;
	i.end = 19;
	ASSERT_EQ(0, take(B, i));
	i.start = 0;
	ASSERT_EQ(-EINPROGRESS, ask(A, i));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 0, 9)) TH_LOG("not yet");
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_EQ(0, THEY_TRY_AT(F_WRLCK, 0, 9));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 30, 39)) TH_LOG("what it had");
	EXPECT_EQ(-EAGAIN, try(B, i)) TH_LOG("ours do meet");
	/* One that fails leaves all as it was. */
	i.start = 50;
	i.end = 59;
	ASSERT_EQ(0, take(B, i));
	i.start = 30;
	ASSERT_EQ(-EINPROGRESS, ask(A, i));
	ASSERT_EQ(0, cancel(A));
	EXPECT_EQ(-ECANCELED, outcome(A));
	EXPECT_EQ(-EAGAIN, THEY_TRY_AT(F_WRLCK, 30, 39));
}

/* flock() lets go of what it converts: so it is not asked to. */
TEST_F(flocked, converted)
{
	ASSERT_EQ(0, take(A, I(PR)));
	EXPECT_EQ(-EOPNOTSUPP, try(A, I(EX)));
	EXPECT_EQ(-EOPNOTSUPP, take(A, I(PW)));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_WRLCK)) TH_LOG("it has what it had");
	EXPECT_EQ(0, THEY_TRY(F_RDLCK));
	ASSERT_EQ(0, unlock_all(A));
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(A, I(PR)));
	EXPECT_EQ(-EAGAIN, THEY_TRY(F_RDLCK)) TH_LOG("kept as it was");
	EXPECT_EQ(0, try(A, I(EX)));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, THEY_TRY(F_WRLCK));
}

TEST_F(flocked, directory)
{
	int dir = must(open(self->s.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int theirs = must(open(self->s.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct sluice_item i = I(EX);

	i.fd = dir;
	ASSERT_EQ(0, try(A, i));
	EXPECT_EQ(-EAGAIN, strange(FLOCK, theirs, F_RDLCK, false, 0, 0));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, strange(FLOCK, theirs, F_RDLCK, false, 0, 0));
	EXPECT_EQ(-EAGAIN, try(A, i));
}

/*
 * Which file it is.
 */
FIXTURE(one) {
	struct setting s;
	char second[40];
};

FIXTURE_SETUP(one)
{
	if (!setting_make(&self->s, OFD, "tmpfs"))
		SKIP(return, "cannot mount tmpfs (errno %d)", errno);
	strcpy(self->second, "/tmp/lock_file.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->second));
}

FIXTURE_TEARDOWN(one)
{
	setting_end(&self->s);
	umount2(self->second, MNT_DETACH);
	rmdir(self->second);
}

static int open_in_second(FIXTURE_DATA(one) *self, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/0", self->second);
	return must(open(path, flags | O_CLOEXEC, 0600));
}

TEST_F(one, through_two_mounts)
{
	struct sluice_item i;
	int fd;

	must(mount(self->s.dir, self->second, NULL, MS_BIND, NULL));
	fd = open_in_second(self, O_RDWR);
	ASSERT_EQ(0, try(A, file_item(SPACE, self->s.fd[0], SLUICE_EX)));
	EXPECT_EQ(-EAGAIN, try(B, file_item(SPACE, fd, SLUICE_PR)));
	EXPECT_EQ(0, unlock(A, file_item(SPACE, fd, SLUICE_UNLOCKED)));
	i = file_item(SPACE, fd, SLUICE_EX);
	i.flags = SLUICE_ITEM_FCNTL;
	EXPECT_EQ(0, try(B, i));
	EXPECT_EQ(-EAGAIN, fcntl_range(self->s.fd[0], F_OFD_SETLK, F_RDLCK, 0, 0));
	close(fd);
}

/* Of the same number, in two file systems. */
TEST_F(one, of_two_file_systems)
{
	struct stat a, b;
	int fd;

	must(mount("tmpfs", self->second, "tmpfs", 0, NULL));
	fd = open_in_second(self, O_RDWR | O_CREAT);
	must(fstat(self->s.fd[0], &a));
	must(fstat(fd, &b));
	if (a.st_ino != b.st_ino)
		SKIP(return, "this kernel's numbers are of all of them");
	ASSERT_EQ(0, try(A, file_item(SPACE, self->s.fd[0], SLUICE_EX)));
	EXPECT_EQ(0, try(B, file_item(SPACE, fd, SLUICE_EX)));
	close(fd);
}

TEST_F(one, unlinked)
{
	char proc[48];
	int fd;

	ASSERT_EQ(0, try(A, file_item(SPACE, self->s.fd[0], SLUICE_EX)));
	must(unlink(self->s.path[0]));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", self->s.fd[0]);
	fd = must(open(proc, O_RDWR | O_CLOEXEC));
	EXPECT_EQ(-EAGAIN, try(B, file_item(SPACE, fd, SLUICE_EX)));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, try(B, file_item(SPACE, fd, SLUICE_EX)));
	close(fd);
}

/* All descriptors without a file share one inode; a pipe has its own. */
TEST_F(one, without_a_file)
{
	int anon[] = {
		eventfd(0, EFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC), A, SPACE,
	};
	int pipes[2], others[2];
	size_t i;

	for (i = 0; i < ARRAY(anon); i++)
		EXPECT_EQ(-EINVAL, try(A, file_item(SPACE, anon[i], SLUICE_PR)))
			TH_LOG("%zu", i);
	must(pipe2(pipes, O_CLOEXEC));
	must(pipe2(others, O_CLOEXEC));
	EXPECT_EQ(0, try(A, file_item(SPACE, pipes[1], SLUICE_EX)));
	EXPECT_EQ(-EAGAIN, try(B, file_item(SPACE, pipes[0], SLUICE_PR)));
	EXPECT_EQ(0, try(B, file_item(SPACE, others[1], SLUICE_EX)));
	for (i = 0; i < 2; i++) {
		close(pipes[i]);
		close(others[i]);
		close(anon[i]);
	}
}

TEST_HARNESS_MAIN
