// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user may have, and who pays: limits per user and per channel give
 * clear errors and are given back; memory is charged to the publisher's cgroup,
 * and who exceeds what his cgroup has is the one to suffer.
 */
#define CGROUPS		"/tmp/sluice-quota-cgroups"

#include "memcg.h"
#include "parameters.h"
#include "traffic.h"
#include "users.h"

#include <sys/eventfd.h>

#define USER		3300
#define OTHER		3301
#define THIRD		3302

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

static void set(FIXTURE_DATA(quota) *self, const char *name, long long value)
{
	parameter_set(&self->set, name, value);
}

static void channels_to_the_limit(int limit)
{
	int fd[16], i;

	for (i = 0; i < limit; i++)
		fd[i] = must(make_channel(NULL, NULL));
	check(make_channel(NULL, NULL) == -EDQUOT);
	check(make_channel("over", NULL) == -EDQUOT);
	check(open_channel("over", RW) == -ENOENT);
	close(fd[0]);
	fd[0] = must(make_channel(NULL, NULL));
	check(make_channel(NULL, NULL) == -EDQUOT);
}

TEST_F(quota, channels)
{
	pid_t pid, other;

	set(self, "user_channels", 5);
	pid = user(USER);
	if (!pid) {
		channels_to_the_limit(5);
		other = must(fork());
		if (!other) {
			check(make_channel(NULL, NULL) == -EDQUOT);
			_exit(0);	/* one account for all his processes */
		}
		_exit(reap(other));
	}
	EXPECT_EQ(0, reap(pid));
	/* His processes are gone: all of it is his again. Others never paid. */
	pid = user(USER);
	if (!pid) {
		channels_to_the_limit(5);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	pid = user(OTHER);
	if (!pid)
		_exit(make_channel(NULL, NULL) < 0);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(quota, accounts_are_apart)
{
	struct step full = step_make(), go = step_make();
	pid_t pid, other;

	set(self, "user_channels", 3);
	pid = user(USER);
	if (!pid) {
		channels_to_the_limit(3);
		step_say(&full);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&full);
	other = user(OTHER);
	if (!other) {
		channels_to_the_limit(3);
		_exit(0);
	}
	EXPECT_EQ(0, reap(other));
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

/* A user namespace is no way to have more. */
TEST_F(quota, not_by_user_namespaces)
{
	pid_t pid;
	int ret;

	set(self, "user_channels", 4);
	pid = user(USER);
	if (!pid) {
		must(make_channel(NULL, NULL));
		must(make_channel(NULL, NULL));
		if (enter_userns(0))
			_exit(KSFT_SKIP);
		must(make_channel(NULL, NULL));
		must(make_channel(NULL, NULL));
		check(make_channel(NULL, NULL) == -EDQUOT);
		_exit(0);
	}
	ret = reap(pid);
	if (ret == KSFT_SKIP)
		SKIP(return, "no user namespaces for users here");
	EXPECT_EQ(0, ret);
}

TEST_F(quota, endpoints)
{
	pid_t pid;

	set(self, "user_endpoints", 3);
	pid = user(USER);
	if (!pid) {
		int ch = must(make_channel(NULL, NULL));
		int a = must(join_role(ch, SLUICE_PUBLISHER));

		must(join_role(ch, SLUICE_SUBSCRIBER));
		must(join_role(ch, SLUICE_SUBSCRIBER));
		check(join_role(ch, SLUICE_SUBSCRIBER) == -EDQUOT);
		check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
		check(stat_of(ch).publishers == 1);
		close(a);
		must(join_role(ch, SLUICE_PUBLISHER));
		check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(quota, bytes)
{
	pid_t pid;

	set(self, "user_bytes", 4 << 20);
	pid = user(USER);
	if (!pid) {
		struct sluice_config cfg = {
			.pool = 1 << 20, .pool_limit = 16 << 20,
		};
		struct sluice_segment grow = { .size = 2 << 20 };
		int ch = must(make_channel(NULL, &cfg)), a, b;

		a = must(join_role(ch, SLUICE_PUBLISHER));
		must(call(a, SLUICE_IOC_GROW, &grow));
		grow = (struct sluice_segment){ .size = 1 << 20 };
		check(call(a, SLUICE_IOC_GROW, &grow) == -EDQUOT);
		b = join_role(ch, SLUICE_PUBLISHER);
		check(b == -EDQUOT);
		check(stat_of(ch).pool == 3 << 20);
		close(a);
		a = must(join_role(ch, SLUICE_PUBLISHER));
		b = must(join_role(ch, SLUICE_PUBLISHER));
		must(join_role(ch, SLUICE_PUBLISHER));
		check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/*
 * Who keeps the memory of one that is gone pays for it, not the one gone: a
 * reader cannot use up the publisher's quota.
 */
TEST_F(quota, kept_by_a_reader)
{
	struct step kept = step_make(), go = step_make();
	struct sluice_config cfg = { .pool = 1 << 20 };
	pid_t pid, reader;
	int ch, i;

	set(self, "user_bytes", 3 << 20);
	ch = must(make_channel(NULL, &cfg));
	reader = user(OTHER);
	if (!reader) {
		for (i = 0; i < 2; i++) {
			struct sluice_attach a = { };
			struct sluice_segment seg = { };
			struct sub s;

			step_hear(&go);
			sub_join(&s, ch);
			must(call(s.fd, SLUICE_IOC_ATTACH, &a));
			seg.generation = a.generation;
			must(call(s.fd, SLUICE_IOC_SEGMENT, &seg));
			map_area(s.fd, seg.offset, seg.size, PROT_READ);
			/* The mapping stays; so does this descriptor, over. */
			must(munmap(s.cursor, s.j.cursor.size));
			step_say(&kept);
		}
		pause();
	}
	for (i = 0; i < 2; i++) {
		pid = user(USER);
		if (!pid) {
			must(join_role(ch, SLUICE_PUBLISHER));
			step_say(&go);
			step_hear(&kept);
			_exit(0);
		}
		ASSERT_EQ(0, reap(pid));
	}
	/* 2 MiB are kept; the publisher can have his 2 MiB and more all the same. */
	pid = user(USER);
	if (!pid) {
		must(join_role(ch, SLUICE_PUBLISHER));
		must(join_role(ch, SLUICE_PUBLISHER));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid)) TH_LOG("he pays for what another keeps");
	kill_and_reap(reader);
}

/* A subscriber of the publisher in place 0 who maps its lane, and its pool. */
static void reader_maps(struct sub *s, int ch)
{
	sub_join(s, ch);
	check(s->in[0].generation);
	check(sub_segment(s, 0, 0));
}

/* His mappings stay; the endpoint is over, and nobody has a descriptor of it. */
static void reader_keeps(struct sub *s)
{
	must(munmap(s->cursor, s->j.cursor.size));
	close(s->fd);
}

struct keeping {
	struct step done, publisher, keeper, reader;
};

static void publisher_goes(int ch, struct keeping *k)
{
	int fd = must(join_role(ch, SLUICE_PUBLISHER));

	step_say(&k->done);
	step_hear(&k->publisher);
	close(fd);
	step_say(&k->done);
	pause();
}

static void keeper_pays(int ch, struct keeping *k)
{
	struct sub s;

	reader_maps(&s, ch);
	step_say(&k->done);
	step_hear(&k->keeper);
	reader_keeps(&s);
	check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
	step_say(&k->done);
	pause();
}

static void reader_is_done(int ch, struct keeping *k)
{
	struct sub s;

	reader_maps(&s, ch);
	step_say(&k->done);
	step_hear(&k->reader);
	sub_unmap_lane(&s.in[0]);
	step_say(&k->done);
	step_hear(&k->reader);
	must(join_role(ch, SLUICE_PUBLISHER));
	_exit(0);
}

/*
 * Nor can two who keep it make a third one pay, who mapped it last, and has
 * unmapped it, before (@early) or after the publisher was gone.
 */
static int third_one(bool early)
{
	struct sluice_config cfg = { .pool = 2 << 20 };
	struct keeping k = {
		step_make(), step_make(), step_make(), step_make(),
	};
	int ch = must(make_channel(NULL, &cfg)), i;
	void (*play[])(int ch, struct keeping *k) = {
		publisher_goes, keeper_pays, reader_is_done,
	};
	static const uid_t uids[] = { USER, OTHER, THIRD };
	struct step *first = early ? &k.reader : &k.publisher;
	struct step *second = early ? &k.publisher : &k.reader;
	pid_t pid[3];
	int ret;

	for (i = 0; i < 3; i++) {
		pid[i] = user(uids[i]);
		if (!pid[i])
			play[i](ch, &k);
		step_hear(&k.done);
	}
	step_say(first);
	step_hear(&k.done);
	step_say(second);
	step_hear(&k.done);
	step_say(&k.keeper);
	step_hear(&k.done);
	step_say(&k.reader);
	ret = reap(pid[2]);
	kill_and_reap(pid[0]);
	kill_and_reap(pid[1]);
	close(ch);
	return ret;
}

TEST_F(quota, not_of_who_has_read)
{
	set(self, "user_bytes", 3 << 20);
	EXPECT_EQ(0, third_one(false)) TH_LOG("unmapped after it was gone");
	EXPECT_EQ(0, third_one(true)) TH_LOG("unmapped before");
}

static void maps_by_anothers(int ch, int sock, struct step *kept)
{
	struct sluice_join j;
	int own = must(join_full(ch, SLUICE_PUBLISHER, 0, 0, &j));
	int fd = recv_fd(sock);
	struct sluice_attach a = {
		.index = j.index, .generation = j.generation,
	};
	struct sluice_segment seg = {
		.index = j.index, .generation = j.generation,
	};

	must(call(fd, SLUICE_IOC_ATTACH, &a));
	must(call(fd, SLUICE_IOC_SEGMENT, &seg));
	map_area(fd, seg.offset, seg.size, PROT_READ);
	close(own);
	check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
	step_say(kept);
	pause();
}

/* Who maps it pays, not who made the descriptor by which he does. */
TEST_F(quota, mapped_by_anothers_descriptor)
{
	struct sluice_config cfg = { .pool = 2 << 20 };
	struct step kept = step_make();
	pid_t mapper, maker;
	int ch, socks[2];

	set(self, "user_bytes", 3 << 20);
	ch = must(make_channel(NULL, &cfg));
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	mapper = user(OTHER);
	if (!mapper)
		maps_by_anothers(ch, socks[1], &kept);
	maker = user(USER);
	if (!maker) {
		send_fd(socks[0], must(join_role(ch, SLUICE_SUBSCRIBER)));
		step_hear(&kept);
		must(join_role(ch, SLUICE_PUBLISHER));
		_exit(0);
	}
	EXPECT_EQ(0, reap(maker));
	kill_and_reap(mapper);
	close(ch);
}

/* A child's mapping that has no memory (see mapping.c) keeps it all the same. */
static void empty_mapping(int ch)
{
	struct sluice_segment seg = { };
	struct sluice_join j;
	int fd = must(join_full(ch, SLUICE_PUBLISHER, 0, 0, &j));
	pid_t pid;
	void *p;

	seg.generation = j.generation;
	must(call(fd, SLUICE_IOC_SEGMENT, &seg));
	p = map_area(fd, seg.offset, seg.size, PROT_READ);
	if (madvise(p, seg.size, MADV_DOFORK))
		_exit(KSFT_SKIP);
	pid = child();
	if (!pid) {
		close(fd);
		pause();
	}
	must(munmap(p, seg.size));
	close(fd);
	/* The child may have to close its descriptor yet. */
	check(until(!stat_of(ch).publishers));
	check(join_role(ch, SLUICE_PUBLISHER) == -EDQUOT);
	kill_and_reap(pid);
	must(join_role(ch, SLUICE_PUBLISHER));
	_exit(0);
}

TEST_F(quota, kept_by_an_empty_mapping)
{
	struct sluice_config cfg = { .pool = 2 << 20 };
	pid_t pid;
	int ch, ret;

	set(self, "user_bytes", 3 << 20);
	ch = must(make_channel(NULL, &cfg));
	pid = user(USER);
	if (!pid)
		empty_mapping(ch);
	ret = reap(pid);
	if (ret == KSFT_SKIP)
		SKIP(return, "MADV_DOFORK is refused here");
	EXPECT_EQ(0, ret);
}

/*
 * What is left of a channel when its descriptors are gone is not its maker's,
 * but his who keeps it: a cursor, and the member table with it, or that alone.
 */
enum left_of { CURSOR, TABLE };

#define CHANNELS	4

static void channels_keeper(int sock, struct step *kept, struct step *go,
			    enum left_of left)
{
	struct sub s;
	int i, ch;

	for (i = 0; i < CHANNELS; i++) {
		ch = recv_fd(sock);
		sub_join(&s, ch);
		if (left == TABLE)
			must(munmap(s.cursor, s.j.cursor.size));
		else
			must(munmap((void *)s.table.page, s.table.l.size));
		close(s.fd);
		close(ch);
	}
	step_say(kept);
	step_hear(go);
	/* Their tables are his: there is room for one more. */
	if (left == TABLE)
		must(make_channel(NULL, NULL));
	check(make_channel(NULL, NULL) == -EDQUOT);
	step_say(kept);
	pause();
}

static void channels_maker(int sock, struct step *kept)
{
	int ch[CHANNELS], i;

	for (i = 0; i < CHANNELS; i++) {
		ch[i] = must(make_channel(NULL, NULL));
		send_fd(sock, ch[i]);
	}
	step_hear(kept);
	for (i = 0; i < CHANNELS; i++)
		close(ch[i]);
	channels_to_the_limit(CHANNELS);
	_exit(0);
}

static int channels_kept(enum left_of left)
{
	struct step kept = step_make(), go = step_make();
	pid_t keeper, maker;
	int socks[2], ret;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	keeper = user(OTHER);
	if (!keeper)
		channels_keeper(socks[1], &kept, &go, left);
	maker = user(USER);
	if (!maker)
		channels_maker(socks[0], &kept);
	ret = reap(maker);
	step_say(&go);
	step_hear(&kept);
	kill_and_reap(keeper);
	return ret;
}

TEST_F(quota, channels_kept_by_another)
{
	set(self, "user_channels", CHANNELS);
	set(self, "user_bytes", (CHANNELS + 1) * sysconf(_SC_PAGESIZE));
	EXPECT_EQ(0, channels_kept(CURSOR)) TH_LOG("by cursors");
	EXPECT_EQ(0, channels_kept(TABLE)) TH_LOG("by member tables");
}

TEST_F(quota, files_in_flight)
{
	pid_t pid;

	set(self, "user_fds", 3);
	pid = user(USER);
	if (!pid) {
		int ch = must(make_channel(NULL, NULL));
		int p = must(join_role(ch, SLUICE_PUBLISHER));
		__s32 fds[4] = { p, p, p, p }, i;
		struct sluice_fds f = { .fds = (uintptr_t)fds, .count = 2 };
		__u64 first;

		for (i = 0; i < 4; i++)
			fds[i] = must(eventfd(0, EFD_CLOEXEC));
		must(call(p, SLUICE_IOC_FDS_ATTACH, &f));
		first = f.token;
		f.token = 0;
		check(call(p, SLUICE_IOC_FDS_ATTACH, &f) == -ETOOMANYREFS);
		check(stat_of(ch).fds == 2);
		f = (struct sluice_fds){ .token = first, .count = 1 };
		must(call(p, SLUICE_IOC_FDS_RELEASE, &f));
		f = (struct sluice_fds){ .fds = (uintptr_t)fds, .count = 2 };
		must(call(p, SLUICE_IOC_FDS_ATTACH, &f));
		check(stat_of(ch).fds == 3);
		close(p);
		p = must(join_role(ch, SLUICE_PUBLISHER));
		f = (struct sluice_fds){ .fds = (uintptr_t)fds, .count = 3 };
		must(call(p, SLUICE_IOC_FDS_ATTACH, &f));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/* What one channel may be made with; INFO tells the limits in force. */
TEST_F(quota, of_a_channel)
{
	struct sluice_info info = { };
	struct sluice_config cfg;

	set(self, "channel_slots", 512);
	set(self, "channel_publishers", 8);
	set(self, "channel_held", 4);
	set(self, "channel_pool", 1 << 16);
	ASSERT_EQ(0, call(device(), SLUICE_IOC_INFO, &info));
	EXPECT_EQ(512, info.slots_max);
	EXPECT_EQ(8, info.publishers_max);
	EXPECT_EQ(4, info.held_max);
	EXPECT_EQ(1 << 16, info.pool_max);
	cfg = (struct sluice_config){ .pool = 1 << 16, .slots = 512 };
	EXPECT_LE(0, make_channel(NULL, &cfg)) TH_LOG("defaults shrink with limits");
	cfg.slots = 1024;
	EXPECT_EQ(-EINVAL, make_channel(NULL, &cfg));
	cfg = (struct sluice_config){ .pool = 1 << 16, .publishers = 9 };
	EXPECT_EQ(-EINVAL, make_channel(NULL, &cfg));
	cfg = (struct sluice_config){ .pool = 1 << 16, .held = 5 };
	EXPECT_EQ(-EINVAL, make_channel(NULL, &cfg));
	cfg = (struct sluice_config){ .pool = 1 << 17 };
	EXPECT_EQ(-EINVAL, make_channel(NULL, &cfg));
}

/*
 * Memory cgroups (v2).
 */
FIXTURE(memcg) {
	bool mounted;
};

FIXTURE_SETUP(memcg)
{
	device();
	self->mounted = memcg_mount("publisher", "subscriber");
	if (!self->mounted)
		SKIP(return, "no memory controller of cgroup v2 (errno %d)", errno);
}

FIXTURE_TEARDOWN_PARENT(memcg)
{
	if (self->mounted)
		memcg_unmount("publisher", "subscriber");
}

#define POOL	(4LL << 20)

/* A publisher that touches nothing of its pool, and its subscriber all of it. */
TEST_F(memcg, publisher_pays)
{
	struct step joined = step_make(), touched = step_make(), go = step_make();
	struct sluice_config cfg = { .pool = POOL, .slots = 1 << 12 };
	long long shmem, ring;
	int ch = make_channel(NULL, &cfg);
	pid_t pub, sub;

	ASSERT_LE(0, ch);
	ring = memcg_stat("publisher", "vmalloc");
	pub = child();
	if (!pub) {
		struct pub p;

		memcg_enter("publisher");
		pub_join(&p, ch);
		step_say(&joined);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&joined);
	shmem = memcg_stat("publisher", "shmem");
	/* The counters are kept per CPU and summed up every two seconds. */
	if (ring >= 0)
		EXPECT_TRUE(until(memcg_stat("publisher", "vmalloc") >=
				  ring + (64 << 12)))
			TH_LOG("the ring is the publisher's");
	sub = child();
	if (!sub) {
		const volatile unsigned char *pool;
		struct sub s;
		long i;

		memcg_enter("subscriber");
		sub_join(&s, ch);
		pool = sub_segment(&s, 0, 0);
		for (i = 0; i < POOL; i += 4096)
			(void)pool[i];
		step_say(&touched);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&touched);
	EXPECT_TRUE(until(memcg_stat("publisher", "shmem") >= shmem + POOL))
		TH_LOG("shmem %lld -> %lld", shmem,
		       memcg_stat("publisher", "shmem"));
	EXPECT_GT(POOL / 2, memcg_stat("subscriber", "shmem"))
		TH_LOG("who only reads pays");
	step_say(&go);
	step_say(&go);
	EXPECT_EQ(0, reap(pub));
	EXPECT_EQ(0, reap(sub));
	EXPECT_TRUE(until(memcg_stat("publisher", "shmem") <= shmem))
		TH_LOG("not given back");
}

/*
 * The limit reached. What a group is allowed is little more than what a process
 * needs to live; what its publisher has is twice that.
 */
#define ALLOWED		(4LL << 20)
#define ALLOWED_TEXT	"4194304"
#define MUCH		(2 * ALLOWED)
#define HOLE		1	/* type of a message that was never written */

struct news {
	unsigned long received, holes;
	int stop, step;
	int told[3];
};

static void limit_publisher(const char *max)
{
	memcg_limit("publisher", max);
}

static void innocent_publisher(int ch, struct news *news)
{
	unsigned char buf[64];
	struct pub p;

	memcg_enter("subscriber");
	pub_join(&p, ch);
	while (!load(&news->stop)) {
		fill(buf, sizeof(buf), p.head);
		must(pub_send(&p, buf, sizeof(buf), 0, in_ms(6 * PATIENCE_MS)));
	}
	_exit(0);
}

static void read_hole(const struct msg *m, struct news *news)
{
	__u64 i;

	for (i = 0; i < m->length; i += 4096)
		check(!m->data[i]);
	store(&news->holes, news->holes + 1);
}

static void innocent_subscriber(int ch, struct step *ready, struct news *news)
{
	struct sub s;
	struct msg m;
	int ret;

	memcg_enter("subscriber");
	sub_join(&s, ch);
	step_say(ready);
	while ((ret = sub_recv(&s, &m, in_ms(6 * PATIENCE_MS))) > 0) {
		if (m.type == HOLE)
			read_hole(&m, news);
		else
			check(filled(m.data, m.length, m.position));
		sub_release(&s, &m);
		store(&news->received, news->received + 1);
	}
	check(ret == -EPIPE);
	_exit(0);
}

/*
 * What becomes of @victim, in a group that is allowed little, beside two others
 * on the same channel who must not notice.
 */
static int fate_of(void (*victim)(int ch, struct news *news))
{
	struct sluice_config cfg = { .pool = MUCH, .pool_limit = 2 * MUCH };
	struct news *news = shared(sizeof(*news));
	struct step ready = step_make();
	int ch = must(make_channel(NULL, &cfg)), fate;
	pid_t pub, sub, pid;
	unsigned long seen, more;

	limit_publisher(ALLOWED_TEXT);
	sub = child();
	if (!sub)
		innocent_subscriber(ch, &ready, news);
	step_hear(&ready);
	pub = child();
	if (!pub)
		innocent_publisher(ch, news);
	check(until(load(&news->received) > 100));
	pid = child();
	if (!pid) {
		memcg_enter("publisher");
		victim(ch, news);
	}
	fate = reap_slowly(pid);
	/* Each on its own: a hole that cannot be filled is looked for long. */
	for (seen = load(&news->received), more = 1; more <= 100; more++)
		check(until(load(&news->received) >= seen + more));
	check(stat_of(ch).publishers == 1);
	store(&news->stop, 1);
	check(!reap(pub));
	/* Holes are left to it, too; it gives up by itself if nothing comes. */
	check(!reap_slowly(sub));
	close(ch);
	check(until(memcg_current("publisher") < ALLOWED / 2));
	return fate;
}

static void publish_much(int ch, struct news *news)
{
	unsigned char *buf;
	struct pub p;

	(void)news;
	pub_join(&p, ch);
	buf = malloc(p.block);
	check(buf);
	for (;;) {
		fill(buf, p.block, p.head);
		must(pub_send(&p, buf, p.block, 0, in_ms(6 * PATIENCE_MS)));
	}
}

TEST_F(memcg, killed_while_publishing)
{
	EXPECT_EQ(-SIGKILL, fate_of(publish_much));
	EXPECT_EQ(1, memcg_value("publisher", "memory.events", "oom_kill"));
	EXPECT_EQ(0, memcg_value("subscriber", "memory.events", "oom_kill"));
}

static void grow_much(int ch, struct news *news)
{
	struct sluice_segment grow = { .size = MUCH };
	struct pub p;

	(void)news;
	pub_join(&p, ch);
	must(call(p.fd, SLUICE_IOC_GROW, &grow));
	memset(map_area(p.fd, grow.offset, grow.size, PROT_READ | PROT_WRITE), 1,
	       grow.size);
	_exit(0);
}

TEST_F(memcg, killed_in_what_it_grew_by)
{
	EXPECT_EQ(-SIGKILL, fate_of(grow_much));
	EXPECT_EQ(1, memcg_value("publisher", "memory.events", "oom_kill"));
}

/*
 * A ring is memory at once. Returns the error, if it lives. What failed before
 * is given back a little later, so that even a channel may have to wait.
 */
static int join_much(void)
{
	struct sluice_config cfg = {
		.slots = ALLOWED / sizeof(struct sluice_slot),
	};
	int ch;

	check(until((ch = make_channel(NULL, &cfg)) != -ENOMEM));
	return join_role(must(ch), SLUICE_PUBLISHER);
}

static void join_and_die(int ch, struct news *news)
{
	(void)news;
	must(join_role(ch, SLUICE_PUBLISHER));
	join_much();
	_exit(0);
}

TEST_F(memcg, killed_while_joining)
{
	EXPECT_EQ(-SIGKILL, fate_of(join_and_die));
	EXPECT_EQ(1, memcg_value("publisher", "memory.events", "oom_kill"));
}

/* Whom the kernel must not kill is told. */
static void join_and_live(int ch, struct news *news)
{
	(void)news;
	memcg_be_spared();
	check(join_much() == -ENOMEM);
	check(join_much() == -ENOMEM);
	check(until(join_role(ch, SLUICE_PUBLISHER) >= 0));
	_exit(0);
}

TEST_F(memcg, told_while_joining)
{
	EXPECT_EQ(0, fate_of(join_and_live));
	EXPECT_EQ(0, memcg_value("publisher", "memory.events", "oom_kill"));
}

/*
 * Without any memory at all. Nothing here may need a page of its own then, not
 * even a pipe's; hence the steps in shared memory.
 */
static void ask_for_everything(int ch, int pub, struct news *news)
{
	struct sluice_segment grow = { .size = 4096 };

	news->told[0] = call(pub, SLUICE_IOC_GROW, &grow);
	news->told[1] = join_role(ch, SLUICE_SUBSCRIBER);
	news->told[2] = make_channel(NULL, NULL);
}

/* A page that was charged before may have room for one or two. */
static void be_refused_everything(int ch, int pub, struct news *news)
{
	int tries = 8;

	do {
		ask_for_everything(ch, pub, news);
	} while (--tries && (news->told[0] >= 0 || news->told[1] >= 0 ||
			     news->told[2] >= 0));
}

static void have_nothing(int ch, struct news *news)
{
	int pub = must(join_role(ch, SLUICE_PUBLISHER)), i;

	memcg_be_spared();
	ask_for_everything(ch, pub, news);
	for (i = 0; i < 3; i++)
		must(news->told[i]);
	must(mlockall(MCL_CURRENT));
	store_release(&news->step, 1);
	while (load_acquire(&news->step) != 2)
		sched_yield();
	be_refused_everything(ch, pub, news);
	store_release(&news->step, 3);
	while (load_acquire(&news->step) != 4)
		sched_yield();
	for (i = 0; i < 3; i++)
		check(news->told[i] == -ENOMEM);
	ask_for_everything(ch, pub, news);
	for (i = 0; i < 3; i++)
		must(news->told[i]);
	_exit(0);
}

TEST_F(memcg, told_without_any)
{
	struct sluice_config cfg = { .pool_limit = MUCH };
	struct news *news = shared(sizeof(*news));
	int ch = make_channel(NULL, &cfg);
	pid_t pid;

	ASSERT_LE(0, ch);
	pid = child();
	if (!pid) {
		memcg_enter("publisher");
		have_nothing(ch, news);
	}
	ASSERT_TRUE(until(load_acquire(&news->step) == 1));
	limit_publisher("0");
	store_release(&news->step, 2);
	EXPECT_TRUE(until(load_acquire(&news->step) == 3));
	limit_publisher("max");
	store_release(&news->step, 4);
	EXPECT_EQ(0, reap(pid)) TH_LOG("told %d, %d, %d", news->told[0],
				       news->told[1], news->told[2]);
	EXPECT_EQ(0, stat_of(ch).publishers);
	EXPECT_EQ(0, stat_of(ch).subscribers);
}

/*
 * Messages for which the publisher has not yet had the memory: the reader's
 * look at them is what takes it, from a group that has no more.
 */
static void publish_holes(int ch, struct news *news)
{
	unsigned long n;
	struct pub p;

	pub_join(&p, ch);
	for (n = 0; n < MUCH / p.block; n++) {
		check(pub_room(&p));
		pub_commit(&p, p.free[--p.n_free], p.block, HOLE);
	}
	check(until(load(&news->holes) == n));
	_exit(0);
}

TEST_F(memcg, holes_do_not_stop_the_reader)
{
	int fate = fate_of(publish_holes);

	EXPECT_TRUE(!fate || fate == -SIGKILL) TH_LOG("%d", fate);
	EXPECT_EQ(0, memcg_value("subscriber", "memory.events", "oom_kill"));
}

TEST_HARNESS_MAIN
