// SPDX-License-Identifier: GPL-2.0-only
/*
 * What root may do wrong, and whom a number might be mistaken for: strange
 * parameters, unloading under way, process numbers that come again.
 *
 * timeout: 300
 */
#include "lock.h"
#include "parameters.h"
#include "users.h"

#include <dirent.h>
#include <linux/sched.h>

#define MODULE	"/sluice/sluice.ko"

/*
 * Parameters.
 */
static const char *const nonsense[] = {
	"-1", "x", "1x", "", "\n", "1 2", "18446744073709551616", "0x", "1.5",
	"99999999999999999999999999999999999999999999999999999999999999999999",
};

/* Each of them, with its value. */
struct all_parameters {
	struct {
		char path[300];
		char value[64];
	} p[32];
	int n;
};

static void parameters_read(struct all_parameters *all)
{
	DIR *dir = opendir(PARAMETERS);
	struct dirent *entry;

	check(dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check(all->n < (int)ARRAY(all->p));
		snprintf(all->p[all->n].path, sizeof(all->p[0].path),
			 PARAMETERS "%s", entry->d_name);
		snprintf(all->p[all->n].value, sizeof(all->p[0].value), "%llu",
			 (unsigned long long)read_number(all->p[all->n].path, 0));
		all->n++;
	}
	closedir(dir);
}

static void parameters_back(struct all_parameters *all)
{
	int i;

	for (i = 0; i < all->n; i++)
		write_file(all->p[i].path, all->p[i].value);
}

FIXTURE(parameters) {
	struct all_parameters all;
};

FIXTURE_SETUP(parameters)
{
	if (geteuid())
		SKIP(return, "needs root");
	parameters_read(&self->all);
	ASSERT_LE(10, self->all.n);
}

FIXTURE_TEARDOWN_PARENT(parameters)
{
	parameters_back(&self->all);
}

static int try_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

TEST_F(parameters, nonsense_changes_nothing)
{
	int i, k;

	for (i = 0; i < self->all.n; i++) {
		const char *path = self->all.p[i].path;
		long long before = read_number(path, -1);

		for (k = 0; k < (int)ARRAY(nonsense); k++) {
			EXPECT_GE(0, try_write(path, nonsense[k]))
				TH_LOG("%s takes '%s'", path, nonsense[k]);
			EXPECT_EQ(before, read_number(path, -1))
				TH_LOG("%s after '%s'", path, nonsense[k]);
		}
	}
}

static int write_any(void *data)
{
	struct all_parameters *all = data;
	int i;

	for (i = 0; i < all->n; i++)
		if (try_write(all->p[i].path, all->p[i].value) != -EACCES)
			return -EPERM;
	return 0;
}

TEST_F(parameters, are_roots)
{
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, 0, write_any, &self->all));
}

/* Whatever can be had is had and given back; what cannot is an error. */
static void use_everything(void)
{
	int ch = make_channel(NULL, NULL), space = make_lockspace(NULL, 0), h;

	if (ch >= 0) {
		int pub = join_role(ch, SLUICE_PUBLISHER);
		int sub = join_role(ch, SLUICE_SUBSCRIBER);

		check(pub >= 0 || pub != -EFAULT);
		close(pub);
		close(sub);
		close(ch);
	}
	h = make_holder(NULL);
	if (space >= 0 && h >= 0) {
		int ret = try(h, whole(space, "x", SLUICE_EX));

		check(!ret || ret == -EDQUOT);
	}
	close(h);
	close(space);
}

/* A limit of none: there is no channel then, rather than one of nothing. */
TEST_F(parameters, none_at_all)
{
	static const char *const most[] = {
		"channel_slots", "channel_publishers", "channel_subscribers",
		"channel_held", "channel_pool",
	};
	struct sluice_config cfg = { };
	char path[96];
	int i;

	for (i = 0; i < (int)ARRAY(most); i++) {
		parameter_path(path, sizeof(path), most[i]);
		ASSERT_EQ(1, try_write(path, "0"));
		for (cfg.pattern = 0; cfg.pattern <= SLUICE_QUEUE; cfg.pattern++)
			EXPECT_EQ(-EINVAL, make_channel(NULL, &cfg))
				TH_LOG("%s, pattern %u", most[i], cfg.pattern);
		parameters_back(&self->all);
	}
}

TEST_F(parameters, extremes)
{
	static const char *const extremes[] = {
		"0", "1", "2", "4095", "4096", "4097", "2147483647",
		"4294967295", "9223372036854775807", "18446744073709551615",
	};
	int i, k;

	for (i = 0; i < self->all.n; i++) {
		for (k = 0; k < (int)ARRAY(extremes); k++) {
			/* Some are too large for a number of 32 bits. */
			try_write(self->all.p[i].path, extremes[k]);
			use_everything();
		}
		write_file(self->all.p[i].path, self->all.p[i].value);
	}
	/* All at once, and as before again. */
	for (k = 0; k < (int)ARRAY(extremes); k++) {
		for (i = 0; i < self->all.n; i++)
			try_write(self->all.p[i].path, extremes[k]);
		use_everything();
	}
	parameters_back(&self->all);
	EXPECT_LE(0, make_channel(NULL, NULL));
	EXPECT_LE(0, make_lockspace(NULL, 0));
	EXPECT_LE(0, make_holder(NULL));
}

/*
 * Unloading.
 */
static void load_module(void)
{
	int fd = must(open(MODULE, O_RDONLY | O_CLOEXEC));

	must(syscall(__NR_finit_module, fd, "", 0));
	close(fd);
}

/* Lives of all that there is, with pauses in which the module may go. */
static void live(unsigned long *lives, __u64 seed)
{
	for (;; sleep_us(random_next(&seed) % 3000)) {
		struct sluice_holder_new h = { };
		struct sluice_open o = good_open(NULL);
		struct sluice_join j = { .role = SLUICE_PUBLISHER };
		int dev = open("/dev/sluice", O_RDWR | O_CLOEXEC), ch, holder;
		int pub;

		if (dev < 0)
			continue;
		ch = call(dev, SLUICE_IOC_OPEN, &o);
		holder = call(dev, SLUICE_IOC_HOLDER, &h);
		close(dev);
		check(ch >= 0 && holder >= 0);
		pub = must(call(ch, SLUICE_IOC_JOIN, &j));
		close(ch);
		close(pub);
		close(holder);
		__atomic_add_fetch(lives, 1, __ATOMIC_RELAXED);
	}
}

/* Which of the module's unit tests are run whenever it is loaded. */
static void choose_unit_tests(const char *glob)
{
	const char *path = "/sys/module/kunit/parameters/filter_glob";

	if (!access(path, W_OK))
		write_file(path, glob);
}

FIXTURE(unloading) {
	int unused;
};

FIXTURE_SETUP(unloading)
{
	if (geteuid() || access(MODULE, R_OK))
		SKIP(return, "needs root, and " MODULE);
	choose_unit_tests("none");
}

/* Other tests want it. */
FIXTURE_TEARDOWN_PARENT(unloading)
{
	if (!geteuid())
		choose_unit_tests("*");
	if (access("/dev/sluice", F_OK) && !access(MODULE, R_OK))
		load_module();
}

TEST_F(unloading, races_with_lives)
{
	unsigned long *lives = shared(sizeof(*lives)), before;
	unsigned long refused = 0, unloaded = 0;
	unsigned long rounds = scaled(30, 2);
	pid_t pids[3];
	int i, ret;

	for (i = 0; i < (int)ARRAY(pids); i++) {
		pids[i] = child();
		if (!pids[i])
			live(lives, i + 1);
	}
	while (unloaded < rounds) {
		before = *lives;
		ret = unload_module();
		if (ret) {
			ASSERT_TRUE(ret == -EWOULDBLOCK || ret == -EBUSY)
				TH_LOG("%d", ret);
			refused++;
			sleep_us(50);
			continue;
		}
		unloaded++;
		load_module();
		ASSERT_TRUE(until(__atomic_load_n(lives, __ATOMIC_RELAXED) >
				  before));
	}
	TH_LOG("unloaded %lu times, refused %lu times, %lu lives", unloaded,
	       refused, *lives);
	EXPECT_LT(0, refused);
	for (i = 0; i < (int)ARRAY(pids); i++)
		kill_and_reap(pids[i]);
}

/*
 * Process numbers.
 */
static pid_t child_numbered(pid_t number)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&number,
		.set_tid_size = 1,
	};
	pid_t pid;

	fflush(NULL);
	pid = syscall(__NR_clone3, &args, sizeof(args));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid < 0 ? -errno : pid;
}

/* Who comes to a dead owner's number has nothing of his, and can do nothing for him. */
TEST(number_of_a_dead_owner)
{
	int space = make_lockspace(NULL, 0), socks[2], leaked;
	struct sluice_item x = whole(space, "x", SLUICE_EX);
	pid_t first, second;

	if (geteuid())
		SKIP(return, "needs root");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	first = child();
	if (!first) {
		int h = must(make_holder(NULL));

		must(take(h, x));
		send_fd(socks[0], h);
		pause();
	}
	/* So that the first one's holder is still there when the second comes. */
	leaked = recv_fd(socks[1]);
	kill_and_reap(first);
	second = child_numbered(first);
	if (!second) {
		int h = must(make_holder(NULL));

		check(lock_items(h, &x, 1, SLUICE_LOCK_TRY) >= 0);
		check(x.status & SLUICE_OWNER_DIED);
		_exit(0);
	}
	ASSERT_EQ(first, second);
	EXPECT_EQ(0, reap(second));
	/* What the second one left is his, and marked as such. */
	EXPECT_EQ(0, count_state(space, 0, SLUICE_LOCK_HELD));
	EXPECT_EQ(1, count_state(space, 0, SLUICE_LOCK_DIED));
	close(leaked);
	close(space);
}

/* An endpoint of one who is gone is not that of the next one with his number. */
TEST(number_of_a_dead_publisher)
{
	struct sluice_peer before, after;
	int ch = make_channel(NULL, NULL);
	struct step joined = step_make();
	pid_t first, second;

	if (geteuid())
		SKIP(return, "needs root");
	must(join_role(ch, SLUICE_SUBSCRIBER));
	first = child();
	if (!first) {
		must(join_role(ch, SLUICE_PUBLISHER));
		step_say(&joined);
		pause();
	}
	step_hear(&joined);
	ASSERT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, 0, &before));
	EXPECT_EQ(first, before.pid);
	kill_and_reap(first);
	second = child_numbered(first);
	if (!second) {
		must(join_role(ch, SLUICE_PUBLISHER));
		step_say(&joined);
		pause();
	}
	ASSERT_EQ(first, second);
	step_hear(&joined);
	memset(&after, 0, sizeof(after));
	after.role = SLUICE_PUBLISHER;
	after.index = before.index;
	after.generation = before.generation;
	EXPECT_EQ(-ESTALE, call(ch, SLUICE_IOC_PEER, &after));
	EXPECT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, before.index, &after));
	EXPECT_EQ(first, after.pid);
	EXPECT_LT(before.generation, after.generation);
	kill_and_reap(second);
	close(ch);
}

TEST_HARNESS_MAIN
