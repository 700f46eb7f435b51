// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call refused for every reason that it has, with nothing lost, made or
 * left open by a call that failed.
 */
#include "refusal.h"
#include "traffic.h"

enum on { CHANNEL, PUBLISHER, SUBSCRIBER };

FIXTURE(refused) {
	int channel;
	int fd[3];
	struct sluice_join pub, sub;
	int fds;
};

FIXTURE_SETUP(refused)
{
	device();
	self->channel = make_channel(NULL, NULL);
	ASSERT_LE(0, self->channel);
	self->fd[CHANNEL] = self->channel;
	self->fd[PUBLISHER] = join_full(self->channel, SLUICE_PUBLISHER, 0, 0,
					&self->pub);
	ASSERT_LE(0, self->fd[PUBLISHER]);
	self->fd[SUBSCRIBER] = join_full(self->channel, SLUICE_SUBSCRIBER, 0, 0,
					 &self->sub);
	ASSERT_LE(0, self->fd[SUBSCRIBER]);
	self->fds = open_fds();
}

FIXTURE_TEARDOWN(refused)
{
	EXPECT_EQ(self->fds, open_fds())
		TH_LOG("a refused call left a descriptor");
	close(self->fd[SUBSCRIBER]);
	close(self->fd[PUBLISHER]);
	close(self->channel);
}

#define OPEN_REFUSED(err, ...)						\
	REFUSED(err, device(), SLUICE_IOC_OPEN, struct sluice_open,	\
		good_open("refused"), ##__VA_ARGS__)

TEST_F(refused, open_fields)
{
	OPEN_REFUSED(EINVAL, x.flags |= 0x4);
	OPEN_REFUSED(EINVAL, x.flags |= 1U << 31);
	OPEN_REFUSED(EINVAL, x.flags = SLUICE_OPEN_EXCL);
	OPEN_REFUSED(EINVAL, x.access = 0);
	OPEN_REFUSED(EINVAL, x.access |= 0x4);
	OPEN_REFUSED(EINVAL, x.resv = 1);
	OPEN_REFUSED(EINVAL, x.mode = 0700);
	OPEN_REFUSED(EINVAL, x.mode = 01600);
	OPEN_REFUSED(ENAMETOOLONG, x.name_len = SLUICE_NAME_MAX + 1);
	OPEN_REFUSED(EINVAL, x.name[3] = '\n');
	OPEN_REFUSED(EINVAL, x.name[0] = 0);
	OPEN_REFUSED(EINVAL, x.name[6] = 0x7f);
	OPEN_REFUSED(EINVAL, x.flags = 0, x.name_len = 0);
	OPEN_REFUSED(ENOENT, x.flags = 0);
}

TEST_F(refused, open_config)
{
	struct sluice_info info = { };

	ASSERT_EQ(0, call(device(), SLUICE_IOC_INFO, &info));
	OPEN_REFUSED(EINVAL, x.config.flags = 1);
	OPEN_REFUSED(EINVAL, x.config.pattern = 3);
	OPEN_REFUSED(EINVAL, x.config.policy = 4);
	OPEN_REFUSED(EINVAL, x.config.slots = 255);
	OPEN_REFUSED(EINVAL, x.config.slots = info.slots_max * 2);
	OPEN_REFUSED(EINVAL, x.config.publishers = info.publishers_max + 1);
	OPEN_REFUSED(EINVAL, x.config.subscribers = info.subscribers_max + 1);
	OPEN_REFUSED(EINVAL, x.config.held = info.held_max + 1);
	OPEN_REFUSED(EINVAL, x.config.history = 256);
	OPEN_REFUSED(EINVAL, x.config.slots = 16, x.config.history = 16);
	OPEN_REFUSED(EINVAL, x.config.pattern = SLUICE_QUEUE,
		     x.config.history = 1);
	OPEN_REFUSED(EINVAL, x.config.pool = info.pool_max + 1);
	OPEN_REFUSED(EINVAL, x.config.pool = ~0ULL);
	OPEN_REFUSED(EINVAL, x.config.pool_limit = info.pool_max + 1);
	OPEN_REFUSED(EINVAL, x.config.pool = 1 << 20,
		     x.config.pool_limit = 1 << 19);
}

TEST_F(refused, open_good_and_twice)
{
	struct sluice_open o = good_open("refused");
	int fd = call(device(), SLUICE_IOC_OPEN, &o);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(1, o.created);
	OPEN_REFUSED(EEXIST);
	close(fd);
	OPEN_REFUSED(ENOENT, x.flags = 0);
}

/* What cannot be told to the caller is not made. */
TEST_F(refused, open_fault)
{
	struct sluice_open o = good_open("refused");

	EXPECT_EQ(-EFAULT, call(device(), SLUICE_IOC_OPEN,
				read_only(&o, sizeof(o))));
	EXPECT_FALSE(name_listed("refused"));
	OPEN_REFUSED(ENOENT, x.flags = 0);
}

TEST_F(refused, list_fields)
{
	struct sluice_stat st;
	struct sluice_list good = { .entries = (uintptr_t)&st, .count = 1 };
	int fd = make_channel("refused-list", NULL);

	ASSERT_LE(0, fd);
	REFUSED(EINVAL, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.after_len = SLUICE_NAME_MAX + 1);
	REFUSED(EINVAL, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.count = 0);
	REFUSED(EINVAL, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.resv = 1);
	REFUSED(EINVAL, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.entry_size = SLUICE_STAT_SIZE_1 - 1);
	REFUSED(EINVAL, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.entry_size = 1 << 20);
	REFUSED(EFAULT, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.entries = 16);
	REFUSED(EFAULT, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.entries = ~0ULL - 100);
	REFUSED(0, device(), SLUICE_IOC_LIST, struct sluice_list, good,
		x.after_len = 1, x.after[0] = 0xff);
	close(fd);
}

#define JOIN_REFUSED(err, ...)						\
	REFUSED(err, self->channel, SLUICE_IOC_JOIN, struct sluice_join, \
		{ .role = SLUICE_SUBSCRIBER }, ##__VA_ARGS__)

TEST_F(refused, join_fields)
{
	JOIN_REFUSED(EINVAL, x.role = 0);
	JOIN_REFUSED(EINVAL, x.role = 3);
	JOIN_REFUSED(EINVAL, x.flags = 0x2);
	JOIN_REFUSED(EINVAL, x.flags = 1U << 31);
	JOIN_REFUSED(EINVAL, x.policy = 4);
	JOIN_REFUSED(EINVAL, x.role = SLUICE_PUBLISHER, x.policy = SLUICE_BLOCK);
	EXPECT_EQ(1, stat_of(self->channel).subscribers);
	EXPECT_EQ(1, stat_of(self->channel).publishers);
}

TEST_F(refused, join_policy_of_channel)
{
	struct sluice_config cfg = { .policy = SLUICE_DROP_OLDEST };
	int fd = make_channel(NULL, &cfg);
	struct sluice_join j;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, join_full(fd, SLUICE_SUBSCRIBER, 0, SLUICE_BLOCK, &j));
	close(fd);
}

TEST_F(refused, join_fault)
{
	struct sluice_join j = { .role = SLUICE_SUBSCRIBER };
	struct sluice_stat before = stat_of(self->channel), after;

	EXPECT_EQ(-EFAULT, call(self->channel, SLUICE_IOC_JOIN,
				read_only(&j, sizeof(j))));
	after = stat_of(self->channel);
	EXPECT_EQ(before.subscribers, after.subscribers);
	EXPECT_EQ(before.pool, after.pool);
}

TEST_F(refused, join_rights)
{
	struct sluice_restrict r = { .access = SLUICE_READ };
	int fd = call(self->channel, SLUICE_IOC_RESTRICT, &r);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, join_role(fd, SLUICE_PUBLISHER));
	close(fd);
	r.access = SLUICE_WRITE;
	fd = call(self->channel, SLUICE_IOC_RESTRICT, &r);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, join_role(fd, SLUICE_SUBSCRIBER));
	close(fd);
}

TEST_F(refused, join_full)
{
	struct sluice_config cfg = { .publishers = 1, .subscribers = 2 };
	int fd = make_channel(NULL, &cfg), p, s1, s2;

	ASSERT_LE(0, fd);
	p = join_role(fd, SLUICE_PUBLISHER);
	s1 = join_role(fd, SLUICE_SUBSCRIBER);
	s2 = join_role(fd, SLUICE_SUBSCRIBER);
	EXPECT_LE(0, p);
	EXPECT_LE(0, s1);
	EXPECT_LE(0, s2);
	EXPECT_EQ(-EUSERS, join_role(fd, SLUICE_PUBLISHER));
	EXPECT_EQ(-EUSERS, join_role(fd, SLUICE_SUBSCRIBER));
	close(s1);
	s1 = join_role(fd, SLUICE_SUBSCRIBER);
	EXPECT_LE(0, s1);
	close(p);
	close(s1);
	close(s2);
	close(fd);
}

TEST_F(refused, restrict_fields)
{
	struct sluice_restrict r = { .access = SLUICE_READ };
	int fd = call(self->channel, SLUICE_IOC_RESTRICT, &r);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	REFUSED(EINVAL, fd, SLUICE_IOC_RESTRICT, struct sluice_restrict,
		{ .access = 0 });
	REFUSED(EINVAL, fd, SLUICE_IOC_RESTRICT, struct sluice_restrict,
		{ .access = 4 });
	REFUSED(EINVAL, fd, SLUICE_IOC_RESTRICT, struct sluice_restrict,
		{ .access = SLUICE_READ }, x.resv = 1);
	REFUSED(EACCES, fd, SLUICE_IOC_RESTRICT, struct sluice_restrict,
		{ .access = RW });
	REFUSED(EACCES, fd, SLUICE_IOC_RESTRICT, struct sluice_restrict,
		{ .access = SLUICE_WRITE });
	close(fd);
}

#define PEER_REFUSED(err, ...)						\
	REFUSED(err, self->channel, SLUICE_IOC_PEER, struct sluice_peer, \
		{ .role = SLUICE_PUBLISHER }, ##__VA_ARGS__)

TEST_F(refused, peer_fields)
{
	struct sluice_peer p;

	PEER_REFUSED(EINVAL, x.role = 0);
	PEER_REFUSED(EINVAL, x.role = 3);
	PEER_REFUSED(EINVAL, x.index = 16);
	PEER_REFUSED(EINVAL, x.index = ~0U);
	PEER_REFUSED(ENOENT, x.index = 15);
	PEER_REFUSED(ESTALE, x.generation = self->pub.generation + 7);
	ASSERT_EQ(0, peer_of(self->channel, SLUICE_PUBLISHER, 0, &p));
	EXPECT_EQ(self->pub.generation, p.generation);
	EXPECT_EQ(SLUICE_ACTIVE, p.state);
	EXPECT_EQ(getpid(), p.pid);
	EXPECT_EQ(1 << 20, p.pool);
}

#define ENDPOINT_REFUSED(err, on, cmd, type, good, ...)			\
	REFUSED(err, self->fd[on], SLUICE_IOC_##cmd, struct type,	\
		good, ##__VA_ARGS__)

TEST_F(refused, attach_fields)
{
	struct sluice_attach good = { .generation = self->pub.generation };

	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, ATTACH, sluice_attach, good,
			 x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, ATTACH, sluice_attach, good,
			 x.index = 16);
	ENDPOINT_REFUSED(ENOENT, SUBSCRIBER, ATTACH, sluice_attach, good,
			 x.index = 15, x.generation = 0);
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, ATTACH, sluice_attach, good,
			 x.generation += 99);
	ENDPOINT_REFUSED(ESTALE, PUBLISHER, ATTACH, sluice_attach, good,
			 x.generation = self->sub.generation + 99);
	ENDPOINT_REFUSED(0, SUBSCRIBER, ATTACH, sluice_attach, good);
	ENDPOINT_REFUSED(0, PUBLISHER, ATTACH, sluice_attach, good,
			 x.generation = 0);
}

TEST_F(refused, detach_fields)
{
	struct sluice_attach a = { };
	struct sluice_detach good = { .generation = self->pub.generation };

	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, DETACH, sluice_detach, good,
			 x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, DETACH, sluice_detach, good,
			 x.index = 16);
	ASSERT_EQ(0, call(self->fd[SUBSCRIBER], SLUICE_IOC_ATTACH, &a));
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, DETACH, sluice_detach, good,
			 x.generation += 99);
	ENDPOINT_REFUSED(0, SUBSCRIBER, DETACH, sluice_detach, good);
}

TEST_F(refused, segment_fields)
{
	struct sluice_segment good = { .generation = self->pub.generation };
	struct sluice_attach a = { };

	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, SEGMENT, sluice_segment, good);
	ASSERT_EQ(0, call(self->fd[SUBSCRIBER], SLUICE_IOC_ATTACH, &a));
	ENDPOINT_REFUSED(0, SUBSCRIBER, SEGMENT, sluice_segment, good);
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, SEGMENT, sluice_segment, good,
			 x.index = 16);
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, SEGMENT, sluice_segment, good,
			 x.generation += 99);
	ENDPOINT_REFUSED(ENOENT, SUBSCRIBER, SEGMENT, sluice_segment, good,
			 x.segment = 1);
	ENDPOINT_REFUSED(ENOENT, SUBSCRIBER, SEGMENT, sluice_segment, good,
			 x.segment = SLUICE_SEGMENTS_MAX);
	ENDPOINT_REFUSED(0, PUBLISHER, SEGMENT, sluice_segment, good);
}

TEST_F(refused, wait_fields)
{
	struct sluice_wait good = { };

	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAIT, sluice_wait, good, x.flags = 1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAIT, sluice_wait, good, x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAIT, sluice_wait, good,
			 x.deadline = -1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAIT, sluice_wait, good, x.room = 1);
}

TEST_F(refused, wake_fields)
{
	struct sluice_wake good = { };

	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAKE, sluice_wake, good, x.index = 16);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, WAKE, sluice_wake, good, x.index = 1);
	ENDPOINT_REFUSED(0, PUBLISHER, WAKE, sluice_wake, good, x.count = 1);
	ENDPOINT_REFUSED(0, SUBSCRIBER, WAKE, sluice_wake, good);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, WAKE, sluice_wake, good, x.count = 1);
}

TEST_F(refused, grow_fields)
{
	struct sluice_segment good = {
		.index = self->pub.index,
		.generation = self->pub.generation,
		.size = 4096,
	};

	ENDPOINT_REFUSED(EINVAL, PUBLISHER, GROW, sluice_segment, good, x.size = 0);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, GROW, sluice_segment, good, x.segment = 1);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, GROW, sluice_segment, good, x.offset = 1);
	/* pool_limit is pool: there is no room to grow. */
	ENDPOINT_REFUSED(ENOSPC, PUBLISHER, GROW, sluice_segment, good);
	ENDPOINT_REFUSED(ENOSPC, PUBLISHER, GROW, sluice_segment, good,
			 x.size = ~0ULL);
}

TEST_F(refused, evict_fields)
{
	struct sluice_evict good = { .generation = self->sub.generation };

	ENDPOINT_REFUSED(EINVAL, PUBLISHER, EVICT, sluice_evict, good, x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, EVICT, sluice_evict, good, x.index = 16);
	ENDPOINT_REFUSED(ESTALE, PUBLISHER, EVICT, sluice_evict, good,
			 x.generation += 99);
	/* Nobody claims anything of a broadcast. */
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, EVICT, sluice_evict, good,
			 x.index = SLUICE_EVICT_CLAIMANT, x.generation = 0);
	/* Its policy is not SLUICE_EVICT. */
	ENDPOINT_REFUSED(EPERM, PUBLISHER, EVICT, sluice_evict, good);
}

TEST_F(refused, drop_and_claim_are_of_queues)
{
	struct sluice_claim c;
	struct sluice_claims claims = { .claims = (uintptr_t)&c, .count = 1 };
	struct sluice_drop drop = { .count = 1 };

	ENDPOINT_REFUSED(EINVAL, PUBLISHER, DROP, sluice_drop, drop);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, CLAIM, sluice_claims, claims);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, DROP, sluice_drop, drop, x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, CLAIM, sluice_claims, claims,
			 x.entry_size = 1);
}

TEST_F(refused, fds_fields)
{
	__s32 one[1] = { 0 }, bad[2] = { 0, 999 };
	struct sluice_fds good = { .fds = (uintptr_t)one, .count = 1 };

	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.resv = 1);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.count = 0);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.count = SLUICE_FDS_MAX + 1);
	ENDPOINT_REFUSED(EFAULT, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.fds = 16);
	ENDPOINT_REFUSED(EBADF, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.fds = (uintptr_t)bad, x.count = 2);
	EXPECT_EQ(-EFAULT, call(self->fd[PUBLISHER], SLUICE_IOC_FDS_ATTACH,
				read_only(&good, sizeof(good))));
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_ATTACH, sluice_fds, good,
			 x.token = 1);
	good.fds = 0;
	ENDPOINT_REFUSED(ENOENT, PUBLISHER, FDS_RELEASE, sluice_fds, good,
			 x.token = 12345);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_RELEASE, sluice_fds, good,
			 x.token = ~0ULL);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_RELEASE, sluice_fds, good,
			 x.token = 1, x.count = 0);
	ENDPOINT_REFUSED(EINVAL, PUBLISHER, FDS_RELEASE, sluice_fds, good,
			 x.token = 1, x.fds = 1);
	EXPECT_EQ(0, stat_of(self->channel).fds)
		TH_LOG("a refused call left files in flight");
}

TEST_F(refused, fd_take_fields)
{
	struct sluice_fd_take good = { .generation = self->pub.generation };
	struct sluice_attach a = { };

	ASSERT_EQ(0, call(self->fd[SUBSCRIBER], SLUICE_IOC_ATTACH, &a));
	ENDPOINT_REFUSED(EINVAL, SUBSCRIBER, FD_TAKE, sluice_fd_take, good,
			 x.resv = 1);
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, FD_TAKE, sluice_fd_take, good,
			 x.index = 16);
	ENDPOINT_REFUSED(ESTALE, SUBSCRIBER, FD_TAKE, sluice_fd_take, good,
			 x.generation += 99);
	ENDPOINT_REFUSED(ENOENT, SUBSCRIBER, FD_TAKE, sluice_fd_take, good,
			 x.token = 77);
}

/* What one may do after it left: nothing but ask. */
TEST_F(refused, after_it_left)
{
	struct sluice_attach a = { };
	struct sluice_segment grow = { .size = 4096 };
	__s32 fds[1] = { 0 };
	struct sluice_fds f = { .fds = (uintptr_t)fds, .count = 1 };
	struct sub s, bystander;
	struct sluice_evict e;
	struct pub p;

	pub_join(&p, self->channel);
	sub_join(&s, self->channel);
	sub_join_full(&bystander, self->channel, 0, SLUICE_EVICT);
	e = (struct sluice_evict) {
		.index = bystander.j.index, .generation = bystander.j.generation,
	};
	must(munmap(p.ring, p.j.lane.size));
	must(munmap(s.cursor, s.j.cursor.size));
	REFUSED(ESHUTDOWN, s.fd, SLUICE_IOC_ATTACH, struct sluice_attach, a);
	REFUSED(ESHUTDOWN, p.fd, SLUICE_IOC_ATTACH, struct sluice_attach, a);
	EXPECT_EQ(-ESHUTDOWN, wait_until(s.fd, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, wait_until(p.fd, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, call(p.fd, SLUICE_IOC_ARM, NULL));
	REFUSED(ESHUTDOWN, p.fd, SLUICE_IOC_GROW, struct sluice_segment, grow);
	REFUSED(ESHUTDOWN, p.fd, SLUICE_IOC_FDS_ATTACH, struct sluice_fds, f);
	REFUSED(ESHUTDOWN, p.fd, SLUICE_IOC_EVICT, struct sluice_evict, e);
	EXPECT_EQ(-ESHUTDOWN, wake(p.fd, 0, 1));
	EXPECT_EQ(1, stat_of(p.fd).publishers);
	EXPECT_EQ(2, stat_of(s.fd).subscribers);
	sub_close(&bystander);
	EXPECT_EQ(0, stat_of(s.fd).fds);
	close(p.fd);
	close(s.fd);
}

/*
 * Queues.
 */
FIXTURE(queue) {
	int channel;
	struct pub p;
	struct sub s;
};

FIXTURE_SETUP(queue)
{
	struct sluice_config cfg = {
		.pattern = SLUICE_QUEUE,
		.policy = SLUICE_DROP_OLDEST,
		.held = 2,
	};

	self->channel = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->channel);
	pub_join(&self->p, self->channel);
	sub_join(&self->s, self->channel);
}

FIXTURE_TEARDOWN(queue)
{
	sub_close(&self->s);
	pub_close(&self->p);
	close(self->channel);
}

TEST_F(queue, claim_fields)
{
	struct sluice_claim c[4];
	struct sluice_claims good = { .claims = (uintptr_t)c, .count = 4 };
	int fd = self->s.fd;

	REFUSED(EAGAIN, fd, SLUICE_IOC_CLAIM, struct sluice_claims, good);
	REFUSED(EINVAL, fd, SLUICE_IOC_CLAIM, struct sluice_claims, good,
		x.count = 0);
	REFUSED(EINVAL, fd, SLUICE_IOC_CLAIM, struct sluice_claims, good,
		x.entry_size = SLUICE_CLAIM_SIZE_1 - 1);
	ASSERT_TRUE(pub_try(&self->p, "a", 1, 0));
	ASSERT_TRUE(pub_try(&self->p, "b", 1, 0));
	ASSERT_TRUE(pub_try(&self->p, "c", 1, 0));
	REFUSED(EFAULT, fd, SLUICE_IOC_CLAIM, struct sluice_claims, good,
		x.claims = 16);
	EXPECT_EQ(-EFAULT, call(fd, SLUICE_IOC_CLAIM,
				read_only(&good, sizeof(good))));
	ASSERT_EQ(0, call(fd, SLUICE_IOC_CLAIM, &good));
	ASSERT_EQ(2, good.count);
	EXPECT_EQ(0, c[0].position) TH_LOG("a fault lost a message");
	EXPECT_EQ(1, c[1].position);
	EXPECT_EQ(0, c[0].flags) TH_LOG("a fault counts as a delivery");
	REFUSED(ENOBUFS, fd, SLUICE_IOC_CLAIM, struct sluice_claims, good,
		x.count = 1);
}

TEST_F(queue, drop_fields)
{
	const struct sluice_member *me =
		table_at(&self->p.table, SLUICE_PUBLISHER, self->p.j.index);
	struct sluice_drop good = { .count = 1 };
	int fd = self->p.fd;

	REFUSED(EINVAL, fd, SLUICE_IOC_DROP, struct sluice_drop, good,
		x.resv = 1);
	ASSERT_EQ(0, call(fd, SLUICE_IOC_DROP, &good));
	EXPECT_EQ(0, good.count);
	ASSERT_TRUE(pub_try(&self->p, "a", 1, 0));
	good.count = 1;
	EXPECT_EQ(-EFAULT, call(fd, SLUICE_IOC_DROP,
				read_only(&good, sizeof(good))));
	EXPECT_EQ(0, load(&me->done)) TH_LOG("a fault lost a message");
	good.count = 9;
	ASSERT_EQ(0, call(fd, SLUICE_IOC_DROP, &good));
	EXPECT_EQ(1, good.count);
	EXPECT_EQ(1, load(&me->done));
}

TEST(drop_needs_its_policy)
{
	struct sluice_config cfg = { .pattern = SLUICE_QUEUE };
	struct sluice_drop d = { .count = 1 };
	int ch = make_channel(NULL, &cfg), p;

	ASSERT_LE(0, ch);
	p = join_role(ch, SLUICE_PUBLISHER);
	ASSERT_LE(0, p);
	EXPECT_EQ(-EPERM, call(p, SLUICE_IOC_DROP, &d));
}

TEST_HARNESS_MAIN
