// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lives: of names, of descriptors that are duplicated, inherited, passed and
 * closed, of endpoints bound to a process by their mapping, and of the module
 * while any of them is there.
 */
#include "traffic.h"

#define NAME	"lifecycle"

/* The state of a member, as the kernel tells it now. */
static int state_of(int fd, __u32 role, __u32 index, int *reason)
{
	struct sluice_peer p;
	int ret = peer_of(fd, role, index, &p);

	if (reason)
		*reason = ret ? 0 : p.reason;
	return ret == -ENOENT ? SLUICE_FREE : ret ?: p.state;
}

/*
 * Names.
 */
TEST(name_goes_with_last_channel_fd)
{
	int fd = make_channel(NAME, NULL), two, three;
	__u64 id;

	ASSERT_LE(0, fd);
	id = stat_of(fd).id;
	EXPECT_TRUE(name_listed(NAME));
	two = dup(fd);
	three = open_channel(NAME, RW);
	ASSERT_LE(0, three);
	close(fd);
	EXPECT_EQ(id, stat_of(two).id);
	close(two);
	EXPECT_TRUE(name_listed(NAME));
	EXPECT_EQ(-EEXIST, make_channel(NAME, NULL));
	close(three);
	EXPECT_FALSE(name_listed(NAME));
	EXPECT_EQ(-ENOENT, open_channel(NAME, RW));
	fd = make_channel(NAME, NULL);
	ASSERT_LE(0, fd);
	EXPECT_NE(id, stat_of(fd).id);
}

TEST(name_goes_with_last_endpoint)
{
	int fd = make_channel(NAME, NULL), pub, sub;

	ASSERT_LE(0, fd);
	pub = join_role(fd, SLUICE_PUBLISHER);
	sub = join_role(fd, SLUICE_SUBSCRIBER);
	close(fd);
	EXPECT_TRUE(name_listed(NAME));
	close(pub);
	EXPECT_TRUE(name_listed(NAME));
	close(sub);
	EXPECT_FALSE(name_listed(NAME));
}

/* A mapping keeps the memory, but not the name. */
TEST(name_is_not_kept_by_memory)
{
	int fd = make_channel(NAME, NULL), pub;
	struct sluice_members_layout *l;
	struct sluice_join j;
	unsigned char *p;

	ASSERT_LE(0, fd);
	pub = join_full(fd, SLUICE_PUBLISHER, 0, 0, &j);
	ASSERT_LE(0, pub);
	l = &j.members;
	p = map_area(pub, l->offset, l->size, PROT_READ);
	close(fd);
	close(pub);
	EXPECT_EQ(-ENOENT, open_channel(NAME, RW));
	EXPECT_EQ(0, ((struct sluice_members *)p)->publishers);
	munmap(p, l->size);
}

TEST(anonymous_is_not_listed)
{
	int before = count_names(), fd = make_channel(NULL, NULL);

	ASSERT_LE(0, fd);
	EXPECT_EQ(before, count_names());
	EXPECT_EQ(0, stat_of(fd).name_len);
}

TEST(name_at_its_longest)
{
	char name[SLUICE_NAME_MAX + 1], other[SLUICE_NAME_MAX + 1];
	int a, b;

	memset(name, 'n', SLUICE_NAME_MAX);
	name[SLUICE_NAME_MAX] = 0;
	strcpy(other, name);
	other[SLUICE_NAME_MAX - 1] = 'o';
	a = make_channel(name, NULL);
	b = make_channel(other, NULL);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_NE(stat_of(a).id, stat_of(b).id);
	EXPECT_TRUE(name_listed(name));
	other[SLUICE_NAME_MAX - 1] = 0;
	EXPECT_EQ(-ENOENT, open_channel(other, RW));
	EXPECT_LE(0, make_channel("\xff\x80 any bytes/..", NULL));
}

/* Many at once make, use and drop one name: each maker made a new one. */
TEST(name_races)
{
	unsigned long rounds = scaled(400, 40), i;
	pid_t pid[4];
	int k, made;

	for (k = 0; k < ARRAY(pid); k++) {
		pid[k] = child();
		if (pid[k])
			continue;
		for (i = 0; i < rounds; i++) {
			struct sluice_open o = {
				.flags = SLUICE_OPEN_CREATE, .access = RW,
				.uid = SLUICE_ID_DEFAULT,
				.gid = SLUICE_ID_DEFAULT, .mode = 0600,
			};
			int fd = must(open_full(&o, NAME));

			check(stat_of(fd).name_len == strlen(NAME));
			made = open_channel(NAME, SLUICE_READ);
			check(stat_of(must(made)).id == stat_of(fd).id);
			close(made);
			close(fd);
		}
		_exit(0);
	}
	for (k = 0; k < ARRAY(pid); k++)
		EXPECT_EQ(0, reap_slowly(pid[k]));
	EXPECT_FALSE(name_listed(NAME));
}

/*
 * Endpoints.
 */
FIXTURE(endpoint) {
	int ch;
	struct sub s;
};

FIXTURE_SETUP(endpoint)
{
	self->ch = make_channel(NULL, NULL);
	ASSERT_LE(0, self->ch);
	sub_join_full(&self->s, self->ch, SLUICE_JOIN_STAY, 0);
}

FIXTURE_TEARDOWN(endpoint)
{
	sub_close(&self->s);
	close(self->ch);
}

static bool publishers_are(int fd, __u32 n)
{
	return stat_of(fd).publishers == n;
}

static bool subscribers_are(int fd, __u32 n)
{
	return stat_of(fd).subscribers == n;
}

/* What a subscriber sees of the publisher in place 0. */
static struct sluice_member seen(const struct sub *s)
{
	return table_read(&s->table, SLUICE_PUBLISHER, 0);
}

TEST_F(endpoint, dup_is_one_endpoint)
{
	int fd = join_role(self->ch, SLUICE_PUBLISHER), two;

	ASSERT_LE(0, fd);
	two = dup(fd);
	close(fd);
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	EXPECT_EQ(SLUICE_ACTIVE, seen(&self->s).state);
	close(two);
	EXPECT_EQ(0, stat_of(self->ch).publishers);
}

TEST_F(endpoint, places_and_generations)
{
	struct sluice_join a, b, c;
	int pa = join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &a);
	int pb = join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &b), pc;

	ASSERT_LE(0, pa);
	ASSERT_LE(0, pb);
	EXPECT_NE(a.index, b.index);
	EXPECT_LT(a.generation, b.generation);
	EXPECT_LT(self->s.j.generation, a.generation);
	close(pa);
	pc = join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &c);
	ASSERT_LE(0, pc);
	EXPECT_LT(b.generation, c.generation);
	close(pb);
	close(pc);
}

/* What the table says is what the kernel says. */
TEST_F(endpoint, table_tells)
{
	const struct sluice_members *m = table_head(&self->s.table);
	__u64 seq = load(&m->seq);
	struct sluice_join j;
	struct sluice_member e;
	int fd = join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &j);

	ASSERT_LE(0, fd);
	EXPECT_LT(seq, load(&m->seq));
	EXPECT_EQ(1, load(&m->publishers));
	EXPECT_EQ(1, load(&m->subscribers));
	e = seen(&self->s);
	EXPECT_EQ(j.generation, e.generation);
	EXPECT_EQ(SLUICE_ACTIVE, e.state);
	EXPECT_EQ(getpid(), e.pid);
	EXPECT_EQ(geteuid(), e.uid);
	EXPECT_EQ(getegid(), e.gid);
	e = table_read(&self->s.table, SLUICE_SUBSCRIBER, 0);
	EXPECT_EQ(self->s.j.generation, e.generation);
	EXPECT_EQ(SLUICE_BLOCK, e.policy);
	seq = load(&m->seq);
	close(fd);
	EXPECT_LT(seq, load(&m->seq));
	EXPECT_EQ(0, load(&m->publishers));
}

/* After it left, an endpoint can do nothing, and says so. */
static void is_over(int fd)
{
	struct sluice_attach a = { };

	check(call(fd, SLUICE_IOC_ATTACH, &a) == -ESHUTDOWN);
	check(wait_until(fd, in_ms(20000), 0) == -ESHUTDOWN);
	check(events_of(fd, POLLIN | POLLOUT) & POLLHUP);
}

TEST_F(endpoint, munmap_of_ring_leaves)
{
	struct pub p;

	pub_join(&p, self->ch);
	check(pub_try(&p, "x", 1, 0));
	must(munmap(p.ring, p.j.lane.size));
	EXPECT_EQ(0, stat_of(self->ch).publishers);
	EXPECT_EQ(SLUICE_LEFT, seen(&self->s).state);
	EXPECT_EQ(SLUICE_LEFT_CLOSED, seen(&self->s).reason);
	is_over(p.fd);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, p.j.lane.size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, p.fd, p.j.lane.offset));
}

TEST_F(endpoint, munmap_of_cursor_leaves)
{
	struct sub s;

	sub_join(&s, self->ch);
	EXPECT_EQ(2, stat_of(self->ch).subscribers);
	must(munmap(s.cursor, s.j.cursor.size));
	EXPECT_EQ(1, stat_of(self->ch).subscribers);
	is_over(s.fd);
}

TEST_F(endpoint, partial_munmap_stays)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t size, rest;
	struct pub p;

	pub_join(&p, self->ch);
	size = p.j.lane.size;
	ASSERT_LT(4 * page, size);
	must(munmap(p.ring + page, page));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	must(munmap(p.ring, page));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	must(mprotect(p.ring + 3 * page, page, PROT_NONE));
	must(munmap(p.ring + 3 * page, size - 3 * page));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	rest = 2 * page;
	must(mmap(p.ring + rest, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
	EXPECT_EQ(0, stat_of(self->ch).publishers)
		TH_LOG("overmapping the last piece");
	is_over(p.fd);
}

TEST_F(endpoint, munmap_of_other_areas_stays)
{
	struct pub p;

	pub_join(&p, self->ch);
	must(munmap(p.pool, p.pool_size));
	must(munmap((void *)p.table.page, p.table.l.size));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	must(munmap(map_area(p.fd, p.j.lane.offset, p.j.lane.size, PROT_READ),
		    p.j.lane.size));
	EXPECT_EQ(1, stat_of(self->ch).publishers)
		TH_LOG("a read-only look at the ring binds nobody");
}

/* The mapping says whose it is: the child that maps, not who joined. */
TEST_F(endpoint, bound_to_who_maps)
{
	struct step mapped = step_make(), go = step_make();
	struct pub p = { };
	int reason;
	pid_t pid;

	p.fd = must(join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &p.j));
	EXPECT_EQ(getpid(), seen(&self->s).pid);
	pid = child();
	if (!pid) {
		pub_map(&p, 0);
		check(pub_try(&p, "hello", 5, 0));
		step_say(&mapped);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&mapped);
	EXPECT_EQ(pid, seen(&self->s).pid);
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SLUICE_LEFT, state_of(self->ch, SLUICE_PUBLISHER, 0, &reason))
		TH_LOG("its process is gone, though a descriptor is not");
	EXPECT_EQ(SLUICE_LEFT_EXITED, reason);
	is_over(p.fd);
	close(p.fd);
}

/* One that nobody mapped ends with its last descriptor, whoever has it. */
TEST_F(endpoint, unmapped_ends_with_descriptor)
{
	struct step go = step_make();
	int fd = join_role(self->ch, SLUICE_PUBLISHER);
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = child();
	if (!pid) {
		step_hear(&go);
		_exit(0);
	}
	close(fd);
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(until(publishers_are(self->ch, 0)));
}

/* A process joins, forks, and dies; the child has the descriptor still. */
static pid_t parent_that_dies(int ch, struct step *ready, struct step *go,
			      int how)
{
	pid_t pid = child();
	struct pub p;

	if (pid)
		return pid;
	pub_join(&p, ch);
	check(pub_try(&p, "last words", 10, 7));
	if (!fork()) {
		step_say(ready);
		step_hear(go);
		is_over(p.fd);
		_exit(0);
	}
	if (how < 0)
		raise(-how);
	_exit(how);
}

TEST_F(endpoint, parents_death_ends_it)
{
	static const struct { int how, reason; } deaths[] = {
		{ 0, SLUICE_LEFT_EXITED },
		{ 3, SLUICE_LEFT_EXITED },
		{ -SIGKILL, SLUICE_LEFT_KILLED },
		{ -SIGTERM, SLUICE_LEFT_KILLED },
	};
	size_t i;

	for (i = 0; i < ARRAY(deaths); i++) {
		struct step ready = step_make(), go = step_make();
		pid_t pid = parent_that_dies(self->ch, &ready, &go, deaths[i].how);
		struct msg m;

		step_hear(&ready);
		EXPECT_EQ(deaths[i].how, reap(pid));
		EXPECT_TRUE(until(publishers_are(self->ch, 0)));
		EXPECT_EQ(deaths[i].reason, seen(&self->s).reason);
		EXPECT_EQ(1, stat_of(self->ch).left);
		ASSERT_EQ(1, sub_try(&self->s, &m)) TH_LOG("its message is lost");
		EXPECT_EQ(0, memcmp(m.data, "last words", 10));
		sub_release(&self->s, &m);
		step_say(&go);
		EXPECT_EQ(0, sub_try(&self->s, &m));
		EXPECT_TRUE(until(stat_of(self->ch).left == 0));
		EXPECT_EQ(0, stat_of(self->ch).pool);
	}
}

/* Of two that share the descriptor, the child's end is not the parent's. */
TEST_F(endpoint, childs_death_does_not)
{
	struct pub p;
	pid_t pid;

	pub_join(&p, self->ch);
	pid = child();
	if (!pid) {
		/* The areas are not there, so neither is the pointer's target. */
		check(msync(p.ring, p.j.lane.size, MS_ASYNC) && errno == ENOMEM);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	EXPECT_TRUE(pub_try(&p, "x", 1, 0));
	pub_close(&p);
}

/* This program run again, as one that was exec()ed, does nothing but live. */
static void exec_self(void)
{
	execl("/proc/self/exe", "lifecycle", "--live", NULL);
	fail("exec: errno %d", errno);
}

static int live(void)
{
	char c;

	check(read(0, &c, 1) >= 0);
	return 0;
}

static pid_t joiner_that_execs(int ch, struct step *go, bool keep)
{
	pid_t pid = child();
	struct pub p;

	if (pid)
		return pid;
	pub_join(&p, ch);
	check(pub_try(&p, "x", 1, 0));
	must(dup2(go->fd[0], 0));
	if (keep)
		must(fcntl(p.fd, F_SETFD, 0));
	exec_self();
	return 0;
}

TEST_F(endpoint, exec_ends_it)
{
	int keep;

	for (keep = 0; keep < 2; keep++) {
		struct step go = step_make();
		pid_t pid = joiner_that_execs(self->ch, &go, keep);
		struct msg m;

		EXPECT_TRUE(until(stat_of(self->ch).left == 1))
			TH_LOG("descriptor kept: %d", keep);
		EXPECT_EQ(SLUICE_LEFT_CLOSED, seen(&self->s).reason);
		EXPECT_EQ(pid, seen(&self->s).pid);
		EXPECT_EQ(0, kill(pid, 0)) TH_LOG("it should live on");
		ASSERT_EQ(1, sub_try(&self->s, &m));
		sub_release(&self->s, &m);
		EXPECT_EQ(0, sub_try(&self->s, &m));
		step_say(&go);
		EXPECT_EQ(0, reap(pid));
	}
}

/* vfork() shares the memory: neither its end nor its exec is the parent's. */
TEST_F(endpoint, vfork_is_harmless)
{
	struct pub p;
	pid_t pid;

	pub_join(&p, self->ch);
	pid = vfork();
	if (!pid) {
		execl("/proc/self/exe", "lifecycle", "--nothing", NULL);
		_exit(1);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, stat_of(self->ch).publishers);
	EXPECT_TRUE(pub_try(&p, "x", 1, 0));
	pub_close(&p);
}

/*
 * Passing over a unix socket.
 */
TEST_F(endpoint, channel_passed)
{
	int socks[2];
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	pid = child();
	if (!pid) {
		struct pub p;

		close(self->ch);
		pub_join(&p, recv_fd(socks[1]));
		check(pub_try(&p, "from a child", 12, 0));
		recv_fd(socks[1]);
		_exit(0);
	}
	send_fd(socks[0], self->ch);
	EXPECT_TRUE(until(publishers_are(self->ch, 1)));
	EXPECT_EQ(pid, seen(&self->s).pid);
	send_fd(socks[0], self->ch);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(endpoint, endpoint_passed)
{
	struct sluice_join j;
	int socks[2], fd;
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	fd = must(join_full(self->ch, SLUICE_PUBLISHER, 0, 0, &j));
	pid = child();
	if (!pid) {
		struct pub p = { .j = j };

		close(fd);
		p.fd = recv_fd(socks[1]);
		pub_map(&p, 0);
		check(pub_try(&p, "x", 1, 0));
		_exit(0);
	}
	send_fd(socks[0], fd);
	close(fd);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(until(stat_of(self->ch).left == 1));
	EXPECT_EQ(pid, seen(&self->s).pid);
}

/* A descriptor on its way keeps what it refers to. */
TEST(in_flight_is_alive)
{
	int fd = make_channel(NAME, NULL), socks[2];

	ASSERT_LE(0, fd);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	send_fd(socks[0], fd);
	close(fd);
	EXPECT_TRUE(name_listed(NAME));
	fd = recv_fd(socks[1]);
	EXPECT_EQ(strlen(NAME), stat_of(fd).name_len);
	send_fd(socks[0], fd);
	close(fd);
	close(socks[0]);
	close(socks[1]);
	EXPECT_FALSE(name_listed(NAME)) TH_LOG("dropped unread");
}

/*
 * Publishers that left.
 */
static void publish_and_leave(int ch, const char *text)
{
	struct pub p;

	pub_join(&p, ch);
	check(pub_try(&p, text, strlen(text), 0));
	pub_close(&p);
}

TEST_F(endpoint, left_is_kept_for_each_reader)
{
	struct sub two;
	struct msg m;

	sub_join_full(&two, self->ch, SLUICE_JOIN_STAY, 0);
	publish_and_leave(self->ch, "kept");
	EXPECT_EQ(1, stat_of(self->ch).left);
	ASSERT_EQ(1, sub_try(&self->s, &m));
	sub_release(&self->s, &m);
	EXPECT_EQ(0, sub_try(&self->s, &m));
	EXPECT_EQ(1, stat_of(self->ch).left) TH_LOG("the other has not read it");
	ASSERT_EQ(1, sub_try(&two, &m));
	EXPECT_EQ(0, memcmp(m.data, "kept", 4));
	sub_release(&two, &m);
	EXPECT_EQ(0, sub_try(&two, &m));
	EXPECT_EQ(0, stat_of(self->ch).left);
	EXPECT_EQ(1, stat_of(self->ch).messages);
	sub_close(&two);
}

TEST_F(endpoint, left_goes_with_its_last_reader)
{
	publish_and_leave(self->ch, "unread");
	EXPECT_EQ(1, stat_of(self->ch).left);
	sub_close(&self->s);
	EXPECT_TRUE(until(stat_of(self->ch).left == 0));
	EXPECT_EQ(0, stat_of(self->ch).pool);
	sub_join(&self->s, self->ch);
}

TEST(left_without_readers_is_gone)
{
	int ch = make_channel(NULL, NULL);

	ASSERT_LE(0, ch);
	publish_and_leave(ch, "to nobody");
	EXPECT_EQ(0, stat_of(ch).left);
	EXPECT_EQ(0, stat_of(ch).pool);
}

/*
 * What is kept for those who may come is kept by a descriptor, too: with the
 * last one, channel, name and memory are gone.
 */
TEST(abandoned_history_is_gone)
{
	struct sluice_config cfg = { .history = 8 };
	int ch = make_channel(NAME, &cfg);

	ASSERT_LE(0, ch);
	publish_and_leave(ch, "history");
	EXPECT_EQ(1, stat_of(ch).left) TH_LOG("nothing is kept for late joiners");
	close(ch);
	EXPECT_FALSE(name_listed(NAME));
}

TEST(abandoned_queue_is_gone)
{
	struct sluice_config cfg = { .pattern = SLUICE_QUEUE };
	int ch = make_channel(NAME, &cfg), sub;

	ASSERT_LE(0, ch);
	sub = join_role(ch, SLUICE_SUBSCRIBER);
	ASSERT_LE(0, sub);
	publish_and_leave(ch, "never claimed");
	EXPECT_EQ(1, stat_of(ch).left);
	close(ch);
	EXPECT_TRUE(name_listed(NAME));
	close(sub);
	EXPECT_FALSE(name_listed(NAME));
}

/* The acknowledgement may be the last thing a subscriber does. */
TEST(acknowledged_queue_is_gone)
{
	struct sluice_config cfg = { .pattern = SLUICE_QUEUE };
	int ch = make_channel(NULL, &cfg);
	struct sub s;
	struct msg m;

	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	publish_and_leave(ch, "done");
	ASSERT_EQ(1, sub_try(&s, &m));
	EXPECT_EQ(0, memcmp(m.data, "done", 4));
	sub_release(&s, &m);
	sub_close(&s);
	EXPECT_EQ(0, stat_of(ch).left);
	EXPECT_EQ(0, stat_of(ch).pool);
}

/* Its place is taken while its messages are there. */
TEST(left_takes_a_place)
{
	struct sluice_config cfg = { .publishers = 1 };
	int ch = make_channel(NULL, &cfg), fd;
	struct sub s;
	struct msg m;

	ASSERT_LE(0, ch);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	publish_and_leave(ch, "here");
	EXPECT_EQ(-EUSERS, join_role(ch, SLUICE_PUBLISHER));
	ASSERT_EQ(1, sub_try(&s, &m));
	sub_release(&s, &m);
	EXPECT_EQ(0, sub_try(&s, &m));
	fd = join_role(ch, SLUICE_PUBLISHER);
	EXPECT_LE(0, fd);
}

/* ...and no longer: nothing wakes whoever has read it to say so. */
TEST(left_and_read_takes_none)
{
	struct sluice_config cfg = { .publishers = 1 };
	int ch = make_channel(NULL, &cfg), i, fd;
	struct sub s;
	struct msg m;

	ASSERT_LE(0, ch);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	for (i = 0; i < 3; i++) {
		publish_and_leave(ch, "here");
		EXPECT_EQ(-EUSERS, join_role(ch, SLUICE_PUBLISHER));
		ASSERT_EQ(1, sub_try(&s, &m));
		if (i != 1)
			sub_release(&s, &m);
		fd = join_role(ch, SLUICE_PUBLISHER);
		EXPECT_LE(0, fd) TH_LOG("%d", i);
		EXPECT_EQ(0, memcmp(m.data, "here", 4));
		close(fd);
	}
	sub_close(&s);
	close(ch);
}

/* Whoever may lose messages does not keep others from publishing. */
TEST(unread_by_those_who_lose)
{
	static const __u32 policies[] = { SLUICE_DROP_OLDEST, SLUICE_EVICT };
	struct sluice_config cfg = { .publishers = 2 };
	int ch = make_channel(NULL, &cfg), i;
	struct sub s, strict;
	struct msg m;

	ASSERT_LE(0, ch);
	for (i = 0; i < 2; i++) {
		sub_join_full(&s, ch, SLUICE_JOIN_STAY, policies[i]);
		publish_and_leave(ch, "oldest");
		publish_and_leave(ch, "older");
		publish_and_leave(ch, "newer");
		publish_and_leave(ch, "newest");
		EXPECT_EQ(2, stat_of(ch).left);
		ASSERT_EQ(1, sub_try(&s, &m));
		EXPECT_EQ(0, memcmp(m.data, "newe", 4));
		sub_release(&s, &m);
		sub_join_full(&strict, ch, SLUICE_JOIN_STAY, SLUICE_BLOCK);
		close(must(join_role(ch, SLUICE_PUBLISHER)));
		publish_and_leave(ch, "1");
		publish_and_leave(ch, "2");
		EXPECT_EQ(-EUSERS, join_role(ch, SLUICE_PUBLISHER))
			TH_LOG("one is promised them");
		sub_close(&strict);
		sub_close(&s);
	}
	close(ch);
}

/* Those who read a dead publisher need not tell it of the room they make. */
TEST(left_waits_for_nobody)
{
	int ch = make_channel(NULL, NULL);
	const struct sluice_member *place;
	struct sub s;
	struct pub p;

	ASSERT_LE(0, ch);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	pub_join(&p, ch);
	place = table_at(&s.table, SLUICE_PUBLISHER, p.j.index);
	check(pub_try(&p, "x", 1, 0));
	must(call(p.fd, SLUICE_IOC_ARM, NULL));
	EXPECT_EQ(1, load(&place->armed));
	pub_close(&p);
	EXPECT_EQ(1, stat_of(ch).left);
	EXPECT_EQ(0, load(&place->armed));
	sub_close(&s);
	close(ch);
}

/* What has nothing to tell does not fail once it is done. */
TEST_F(endpoint, told_in_memory_for_reading)
{
	struct sluice_detach *d;
	struct pub p;
	struct msg m;

	pub_join(&p, self->ch);
	check(pub_try(&p, "x", 1, 0));
	ASSERT_EQ(1, sub_try(&self->s, &m));
	d = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, d);
	*d = (struct sluice_detach){
		.index = p.j.index,
		.generation = p.j.generation,
	};
	must(mprotect(d, getpagesize(), PROT_READ));
	EXPECT_EQ(0, call(self->s.fd, SLUICE_IOC_DETACH, d));
	munmap(d, getpagesize());
	pub_close(&p);
}

/* Eviction is a remedy: who is evicted wakes nobody, nor has others wake it. */
TEST(evicted_wakes_nobody)
{
	int ch = make_channel(NULL, NULL);
	struct sluice_evict e;
	struct sub s;
	struct pub p;

	ASSERT_LE(0, ch);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, SLUICE_EVICT);
	pub_join(&p, ch);
	e = (struct sluice_evict){
		.index = s.j.index,
		.generation = s.j.generation,
	};
	must(call(p.fd, SLUICE_IOC_EVICT, &e));
	EXPECT_EQ(-ECONNABORTED, wake(s.fd, p.j.index, 0));
	must(wake(p.fd, 0, 1));
	EXPECT_TRUE(events_of(s.fd, POLLIN) & POLLHUP);
	EXPECT_EQ(0, load(&table_head(&p.table)->armed));
	pub_close(&p);
	sub_close(&s);
	close(ch);
}

/* A queue's is acknowledged by a store; that is seen when it is needed. */
TEST(left_and_acknowledged_takes_none)
{
	struct sluice_config cfg = { .pattern = SLUICE_QUEUE, .publishers = 1 };
	int ch = make_channel(NULL, &cfg), i, fd;
	struct sub s;
	struct pub p;
	struct msg m;

	ASSERT_LE(0, ch);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	for (i = 0; i < 2; i++) {
		pub_join(&p, ch);
		check(pub_try(&p, "x", 1, 0));
		ASSERT_EQ(1, sub_try(&s, &m));
		if (i)
			sub_release(&s, &m);
		pub_close(&p);
		EXPECT_EQ(!i, stat_of(ch).left);
		if (!i)
			sub_release(&s, &m);
		EXPECT_EQ(0, stat_of(ch).left) TH_LOG("acknowledged %d", i);
		fd = join_role(ch, SLUICE_PUBLISHER);
		EXPECT_LE(0, fd);
		close(fd);
	}
	sub_close(&s);
	close(ch);
}

/* Read to its end, as its reader says: what is written there later is nothing. */
TEST_F(endpoint, writes_where_it_was_read)
{
	struct sluice_slot *slot;
	struct pub p;
	struct msg m;
	int leaver;

	pub_join(&p, self->ch);
	leaver = must(join_role(self->ch, SLUICE_PUBLISHER));
	slot = pub_slot(&p, 1);
	check(pub_try(&p, "x", 1, 0));
	ASSERT_EQ(1, sub_try(&self->s, &m));
	close(p.fd);
	store_release(&slot->seq, SLUICE_SEQ(1));
	sub_look(&self->s);
	EXPECT_EQ(POLLIN, events_of(self->s.fd, POLLIN) & POLLIN);
	store_release(&self->s.lanes[p.j.index].generation,
		      SLUICE_LANE_ENDED(p.j.generation));
	EXPECT_EQ(0, events_of(self->s.fd, POLLIN) & POLLIN);
	store_release(&self->s.lanes[p.j.index].generation, p.j.generation);
	sub_release(&self->s, &m);
	close(leaver);
}

/*
 * The module: it stays while anything of it is there.
 */
#define UNLOAD_REFUSED(what)						\
	EXPECT_EQ(-EWOULDBLOCK, unload_module()) TH_LOG("with %s", what)

TEST(unload_refused)
{
	int ch, pub, socks[2], dev = device();
	struct sluice_join j;
	unsigned char *p;

	if (geteuid())
		SKIP(return, "needs root");
	UNLOAD_REFUSED("the device open");
	ch = make_channel(NULL, NULL);
	ASSERT_LE(0, ch);
	pub = join_full(ch, SLUICE_PUBLISHER, 0, 0, &j);
	ASSERT_LE(0, pub);
	close(dev);
	UNLOAD_REFUSED("a channel and a publisher");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	send_fd(socks[0], ch);
	p = map_area(pub, j.members.offset, j.members.size, PROT_READ);
	close(ch);
	UNLOAD_REFUSED("a publisher");
	close(pub);
	UNLOAD_REFUSED("a descriptor in flight");
	close(recv_fd(socks[1]));
	UNLOAD_REFUSED("nothing but a mapping");
	EXPECT_EQ(0, load(&((struct sluice_members *)p)->publishers));
	/* Open again, or the last munmap would let another test unload it. */
	dev = must(open("/dev/sluice", O_RDWR));
	munmap(p, j.members.size);
	close(dev);
}

static long references(void)
{
	return read_number("/sys/module/sluice/refcnt", -1);
}

/* A life of everything leaves no reference to the module. */
TEST(references_return)
{
	int ch, i;
	long before;

	device();
	before = references();
	if (before < 0)
		SKIP(return, "no /sys/module/sluice/refcnt");
	for (i = 0; i < 20; i++) {
		struct sub s;
		struct pub p;
		struct msg m;

		ch = must(make_channel(NAME, NULL));
		sub_join(&s, ch);
		pub_join(&p, ch);
		check(pub_try(&p, "x", 1, 0));
		check(sub_try(&s, &m) == 1);
		pub_close(&p);
		sub_close(&s);
		close(ch);
	}
	EXPECT_TRUE(until(references() == before))
		TH_LOG("%ld before, %ld now", before, references());
}

/* As pub_join(), if need be when those who left have been read. */
static void pub_join_patiently(struct pub *p, int ch)
{
	memset(p, 0, sizeof(*p));
	for (;;) {
		p->fd = join_full(ch, SLUICE_PUBLISHER, 0, 0, &p->j);
		if (p->fd != -EUSERS)
			break;
		sched_yield();
	}
	must(p->fd);
	pub_map(p, 0);
}

/* Joining and leaving on all sides at once, while one looks on. */
TEST_F(endpoint, join_races)
{
	unsigned long rounds = scaled(150, 15), i;
	pid_t pid[4];
	int k;

	for (k = 0; k < ARRAY(pid); k++) {
		pid[k] = child();
		if (pid[k])
			continue;
		for (i = 0; i < rounds; i++) {
			struct sub s;
			struct pub p;

			if (k & 1) {
				sub_join(&s, self->ch);
				sub_close(&s);
				continue;
			}
			pub_join_patiently(&p, self->ch);
			check(pub_try(&p, "x", 1, 0));
			pub_close(&p);
		}
		_exit(0);
	}
	for (k = 0; k < ARRAY(pid); k++) {
		struct msg m;
		int status;

		while (must(waitpid(pid[k], &status, WNOHANG)) == 0)
			if (sub_try(&self->s, &m) > 0)
				sub_release(&self->s, &m);
		EXPECT_EQ(0, status);
	}
	EXPECT_TRUE(until(publishers_are(self->ch, 0) &&
			  subscribers_are(self->ch, 1)));
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--live"))
		return live();
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	return test_harness_run(argc, argv);
}
