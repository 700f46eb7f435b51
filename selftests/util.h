/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every selftest needs: the calls, processes that end with their test,
 * users, time. The data path, by hand, is in traffic.h.
 *
 * EXPECT and ASSERT only work in the test's own process and need its metadata.
 * Helpers and children use check() and must(), which work anywhere: they say
 * what failed and end the process with status 1.
 */
#ifndef SELFTESTS_UTIL_H
#define SELFTESTS_UTIL_H

#include "kselftest_harness.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include <linux/sluice.h>

/*
 * The debug kernel under emulation, in company, needs far more than the default
 * 30 s; what a suite may take alone, the guest's "check" sees to.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1200

#define NSEC_PER_SEC		1000000000LL
#define NSEC_PER_MSEC		1000000LL

#define RW			(SLUICE_READ | SLUICE_WRITE)
#define ARRAY(a)		(sizeof(a) / sizeof((a)[0]))

#define fail(fmt, ...) do {						\
	fprintf(stderr, "# %s:%d:%s: " fmt "\n", __FILE__, __LINE__,	\
		__func__, ##__VA_ARGS__);				\
	fflush(NULL);							\
	_exit(KSFT_FAIL);						\
} while (0)

#define check(cond) do {						\
	if (!(cond))							\
		fail("not so: %s (errno %d)", #cond, errno);		\
} while (0)

/* For calls of libc (-1 and errno) and for those below (-errno). */
#define must(expr) ({							\
	__typeof__(expr) must_ret = (expr);				\
									\
	if (must_ret < 0)						\
		fail("%s: %lld (errno %d)", #expr, (long long)must_ret,	\
		     errno);						\
	must_ret;							\
})

static inline __s64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline __s64 in_ms(__s64 ms)
{
	return now_ns() + ms * NSEC_PER_MSEC;
}

static inline void sleep_us(unsigned int us)
{
	struct timespec ts = {
		.tv_sec = us / 1000000,
		.tv_nsec = us % 1000000 * 1000,
	};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* How slow the machine is, by the environment's SLUICE_SCALE; 1 is normal. */
static inline double slowness(void)
{
	const char *env = getenv("SLUICE_SCALE");
	double scale = env ? strtod(env, NULL) : 1;

	return scale > 0 ? scale : 1;
}

static inline long environment_number(const char *name)
{
	const char *env = getenv(name);

	return env ? strtol(env, NULL, 10) : 0;
}

/*
 * Whether other suites run beside this one, as in a soak: then things take
 * longer, and what the whole machine has is not this one's doing.
 */
static inline bool in_company(void)
{
	return environment_number("SLUICE_COMPANY") > 0;
}

/* How long anything that should happen at once may take. */
#define PATIENCE_MS	((slowness() > 1 ? 20000 : 5000) * (in_company() ? 4 : 1))

/* Whether @cond comes true within PATIENCE_MS. */
#define until(cond) ({							\
	__s64 until_end = in_ms(PATIENCE_MS);				\
	bool until_ok;							\
									\
	while (!(until_ok = (cond)) && now_ns() < until_end)		\
		sleep_us(500);						\
	until_ok;							\
})

/* The timeout of a test that repeats something scaled() times. */
#define TEST_TIMEOUT_SCALED						\
	(int)(TEST_TIMEOUT_DEFAULT / (slowness() < 1 ? slowness() : 1))

/*
 * How often to repeat: @normal divided by SLUICE_SCALE (20 with every checker
 * on; 0.2 makes a long run), at least @least.
 */
static inline unsigned long scaled(unsigned long normal, unsigned long least)
{
	unsigned long n = normal / slowness();

	return n > least ? n : least;
}

/* Where random numbers begin: elsewhere in each run that says so. */
static inline __u64 seeded(__u64 seed)
{
	return seed + environment_number("SLUICE_SEED") * 0x9e3779b97f4a7c15ULL;
}

/* What was done, for whoever adds up several runs; @what in the plural. */
static inline void figure(unsigned long long n, const char *what)
{
	printf("# figure: %llu %s\n", n, what);
	fflush(stdout);
}

/* xorshift64*: repeatable, and the same in every process. */
static inline __u64 random_next(__u64 *state)
{
	__u64 x = *state ?: 0x9e3779b97f4a7c15ULL;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/*
 * Calls. All return a value or -errno.
 */

static inline int call(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

/* One descriptor of the device for the process; tests do not close it. */
static inline int device(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = must(open("/dev/sluice", O_RDWR | O_CLOEXEC));
	return fd;
}

static inline void open_name(struct sluice_open *o, const char *name)
{
	if (name) {
		o->name_len = strlen(name);
		memcpy(o->name, name, o->name_len);
	}
}

static inline int open_full(struct sluice_open *o, const char *name)
{
	open_name(o, name);
	return call(device(), SLUICE_IOC_OPEN, o);
}

/* Makes, or fails if @name exists; NULL makes an anonymous one. */
static inline struct sluice_open good_open(const char *name)
{
	struct sluice_open o = {
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.access = RW,
		.mode = 0600,
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
	};

	open_name(&o, name);
	return o;
}

/* @cfg may be NULL for the defaults. */
static inline int make_channel(const char *name, const struct sluice_config *cfg)
{
	struct sluice_open o = good_open(name);

	if (cfg)
		o.config = *cfg;
	return call(device(), SLUICE_IOC_OPEN, &o);
}

static inline int open_channel(const char *name, __u32 access)
{
	struct sluice_open o = {
		.access = access,
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
	};

	return open_full(&o, name);
}

static inline int join_full(int channel, __u32 role, __u32 flags, __u32 policy,
			    struct sluice_join *j)
{
	memset(j, 0, sizeof(*j));
	j->role = role;
	j->flags = flags;
	j->policy = policy;
	return call(channel, SLUICE_IOC_JOIN, j);
}

static inline int join_role(int channel, __u32 role)
{
	struct sluice_join j;

	return join_full(channel, role, 0, 0, &j);
}

static inline struct sluice_stat stat_of(int fd)
{
	struct sluice_stat st = { };

	must(call(fd, SLUICE_IOC_STAT, &st));
	return st;
}

static inline int peer_of(int fd, __u32 role, __u32 index,
			  struct sluice_peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	peer->role = role;
	peer->index = index;
	return call(fd, SLUICE_IOC_PEER, peer);
}

static inline int wait_until(int fd, __s64 deadline, __u64 room)
{
	struct sluice_wait w = { .deadline = deadline, .room = room };

	return call(fd, SLUICE_IOC_WAIT, &w);
}

static inline int wake(int fd, __u32 index, __u32 count)
{
	struct sluice_wake w = { .index = index, .count = count };

	return call(fd, SLUICE_IOC_WAKE, &w);
}

/* How many named channels the caller may see, or -errno. */
static inline int count_names(void)
{
	static struct sluice_stat entries[16];
	struct sluice_list l = { .entries = (uintptr_t)entries };
	int total = 0, ret;

	do {
		l.count = ARRAY(entries);
		ret = call(device(), SLUICE_IOC_LIST, &l);
		if (ret < 0)
			return ret;
		total += l.count;
	} while (l.count);
	return total;
}

/* Whether LIST shows @name to the caller. */
static inline bool name_listed(const char *name)
{
	struct sluice_stat st = { };
	struct sluice_list l = { .entries = (uintptr_t)&st };

	for (l.count = 1; !call(device(), SLUICE_IOC_LIST, &l) && l.count; l.count = 1)
		if (st.name_len == strlen(name) &&
		    !memcmp(st.name, name, st.name_len))
			return true;
	return false;
}

/* The poll events that are there now. */
static inline int events_of(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	must(poll(&p, 1, 0));
	return p.revents;
}

static inline int events_within(int fd, short events, int ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	must(poll(&p, 1, ms));
	return p.revents;
}

/*
 * Processes.
 */

static inline pid_t child_of(pid_t parent)
{
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(KSFT_FAIL);
	}
	return pid;
}

/* fork(); the child is killed when its parent goes. */
#define child()	child_of(getpid())

/* The exit status of @pid, minus the signal that killed it, -1000 if it hangs. */
static inline int reap(pid_t pid)
{
	int status;

	if (!until(must(waitpid(pid, &status, WNOHANG)) == pid)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1000;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* As reap(), for children that do long work. */
static inline int reap_slowly(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void kill_and_reap(pid_t pid)
{
	int fate;

	must(kill(pid, SIGKILL));
	fate = reap(pid);
	if (fate != -SIGKILL)
		fail("%d: %d, not killed", pid, fate);
}

/* The state of @pid, as /proc says; 0 if there is none. */
static inline char process_state(pid_t pid)
{
	char path[32], line[256], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	line[n] = 0;
	p = strrchr(line, ')');
	return p && p[1] == ' ' ? p[2] : 0;
}

/* Whether @pid sleeps in the kernel, for a signal to wake it. */
static inline bool sleeps(pid_t pid)
{
	return process_state(pid) == 'S';
}

/* One step said by one process and heard by another. */
struct step {
	int fd[2];
};

static inline struct step step_make(void)
{
	struct step s;

	must(pipe2(s.fd, O_CLOEXEC));
	return s;
}

static inline void step_say(struct step *s)
{
	check(write(s->fd[1], "x", 1) == 1);
}

static inline void step_hear(struct step *s)
{
	char c;

	check(events_within(s->fd[0], POLLIN, 6 * PATIENCE_MS) & POLLIN);
	check(read(s->fd[0], &c, 1) == 1);
}

/* Memory shared with every child forked later. */
static inline void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	return p;
}

static inline void send_fd(int sock, int fd)
{
	char buf[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	check(sendmsg(sock, &m, 0) == 1);
}

static inline int recv_fd(int sock)
{
	char buf[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = buf, .msg_controllen = sizeof(buf),
	};
	struct cmsghdr *c;
	int fd;

	check(events_within(sock, POLLIN, 6 * PATIENCE_MS) & POLLIN);
	check(recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1);
	c = CMSG_FIRSTHDR(&m);
	check(c && c->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

/*
 * Users.
 */

/* Drops root for good; supplementary groups are @groups[@n]. */
static inline void become(uid_t uid, gid_t gid, const gid_t *groups, size_t n)
{
	must(setgroups(n, groups));
	must(setresgid(gid, gid, gid));
	must(setresuid(uid, uid, uid));
	prctl(PR_SET_DUMPABLE, 1);
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("cannot write '%s' to %s (errno %d)", text, path, errno);
	close(fd);
}

/* Take the module out, if nothing of it is left: 0 or -errno. */
static inline int unload_module(void)
{
	return syscall(__NR_delete_module, "sluice", O_NONBLOCK) ? -errno : 0;
}

/* The number in a one-line file, or @none if it cannot be read. */
static inline long long read_number(const char *path, long long none)
{
	char buf[64];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return none;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return none;
	buf[n] = 0;
	return strtoll(buf, NULL, 0);
}

/* Enters a new user namespace where the caller's ids are root's. */
static inline int enter_userns(int more_flags)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | more_flags))
		return -errno;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return 0;
}

#endif /* SELFTESTS_UTIL_H */
