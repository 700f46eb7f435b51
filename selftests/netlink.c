// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: what is told of channels, endpoints, lockspaces, resources, locks,
 * waits, holders and quotas; to whom; and that nothing is left out of it, or
 * told twice, while things come and go.
 */
#include "netlink.h"
#include "users.h"

static __u64 channel_id(int fd)
{
	return stat_of(fd).id;
}

static __u64 space_id(int fd)
{
	return lockspace_stat(fd).id;
}

/*
 * Channels and endpoints.
 */
TEST(channels)
{
	struct sluice_config cfg = {
		.pattern = SLUICE_QUEUE, .policy = SLUICE_EVICT,
		.slots = 64, .publishers = 3, .subscribers = 5, .held = 7,
	};
	int named = must(make_channel("netlink one", &cfg));
	int anonymous = must(make_channel(NULL, NULL));
	struct sluice_stat st;
	struct told *t;
	struct tale tale;

	must(join_role(named, SLUICE_PUBLISHER));
	must(join_role(named, SLUICE_SUBSCRIBER));
	st = stat_of(named);
	tale = dump_all(SLUICE_NL_CHANNELS);
	EXPECT_FALSE(tale.interrupted);
	EXPECT_EQ(1, count_of(&tale, SLUICE_NL_A_CHANNEL, channel_id(anonymous)));
	t = told_of(&tale, SLUICE_NL_A_CHANNEL, st.id);
	ASSERT_NE(NULL, t);
	EXPECT_STREQ("netlink one", text(t, SLUICE_NL_A_NAME));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_UID));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_GID));
	EXPECT_EQ(0600, number(t, SLUICE_NL_A_MODE));
	EXPECT_EQ(st.created, number(t, SLUICE_NL_A_CREATED));
	EXPECT_EQ(SLUICE_QUEUE, number(t, SLUICE_NL_A_PATTERN));
	EXPECT_EQ(SLUICE_EVICT, number(t, SLUICE_NL_A_POLICY));
	EXPECT_EQ(64, number(t, SLUICE_NL_A_SLOTS));
	EXPECT_EQ(3, number(t, SLUICE_NL_A_PUBLISHERS_MAX));
	EXPECT_EQ(5, number(t, SLUICE_NL_A_SUBSCRIBERS_MAX));
	EXPECT_EQ(7, number(t, SLUICE_NL_A_HELD_MAX));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_HISTORY));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_PUBLISHERS));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_SUBSCRIBERS));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_LEFT));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_MESSAGES));
	EXPECT_EQ(st.pool, number(t, SLUICE_NL_A_BYTES));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_FDS));
	tale_free(&tale);

	tale = dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL,
			  channel_id(anonymous));
	ASSERT_EQ(1, tale.n);
	EXPECT_STREQ("", text(&tale.list[0], SLUICE_NL_A_NAME));
	tale_free(&tale);
	tale = dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_NAME,
			  (uintptr_t)"netlink one");
	EXPECT_EQ(1, tale.n);
	tale_free(&tale);
	EXPECT_EQ(0, dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_NAME,
				(uintptr_t)"netlink").n);
	EXPECT_EQ(0, dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_UID, 4711).n);
	close(anonymous);
	EXPECT_EQ(0, dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL,
				st.id + 1).n);
}

TEST(endpoints)
{
	int channel = must(make_channel(NULL, NULL));
	int other = must(make_channel(NULL, NULL));
	__u64 id = channel_id(channel), before = now_ns();
	struct sluice_join pub, sub;
	struct step joined = step_make();
	struct tale tale = { };
	struct told *t;
	pid_t pid;

	must(join_full(channel, SLUICE_PUBLISHER, 0, 0, &pub));
	must(join_role(other, SLUICE_SUBSCRIBER));
	pid = child();
	if (!pid) {
		prctl(PR_SET_NAME, "reader");
		must(join_full(channel, SLUICE_SUBSCRIBER, 0, 0, &sub));
		step_say(&joined);
		pause();
	}
	step_hear(&joined);
	tale = dump_where(SLUICE_NL_ENDPOINTS, SLUICE_NL_A_CHANNEL, id);
	ASSERT_EQ(2, tale.n);
	t = &tale.list[0];
	EXPECT_EQ(id, number(t, SLUICE_NL_A_CHANNEL));
	EXPECT_EQ(SLUICE_PUBLISHER, number(t, SLUICE_NL_A_ROLE));
	EXPECT_EQ(pub.generation, number(t, SLUICE_NL_A_GENERATION));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_INDEX));
	EXPECT_EQ(SLUICE_ACTIVE, number(t, SLUICE_NL_A_STATE));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_REASON));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_SLEEPING));
	EXPECT_EQ(getpid(), number(t, SLUICE_NL_A_PID));
	EXPECT_STREQ("netlink", text(t, SLUICE_NL_A_COMM));
	EXPECT_LT(before, number(t, SLUICE_NL_A_CREATED));
	EXPECT_EQ(1 << 20, number(t, SLUICE_NL_A_BYTES));
	t = &tale.list[1];
	EXPECT_EQ(SLUICE_SUBSCRIBER, number(t, SLUICE_NL_A_ROLE));
	EXPECT_EQ(pid, number(t, SLUICE_NL_A_PID));
	EXPECT_STREQ("reader", text(t, SLUICE_NL_A_COMM));
	EXPECT_EQ(SLUICE_BLOCK, number(t, SLUICE_NL_A_POLICY));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_LAG));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_LOST));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_HELD));
	tale_free(&tale);

	tale = dump_where(SLUICE_NL_ENDPOINTS, SLUICE_NL_A_PID, pid);
	EXPECT_EQ(1, tale.n);
	EXPECT_EQ(1, count_of(&tale, SLUICE_NL_A_PID, pid));
	tale_free(&tale);
	ASSERT_EQ(0, dump_filtered(&tale, SLUICE_NL_ENDPOINTS, SLUICE_NL_A_ROLE,
				   SLUICE_PUBLISHER, SLUICE_NL_A_CHANNEL, id));
	EXPECT_EQ(1, tale.n);
	tale_free(&tale);
	ASSERT_EQ(0, dump_filtered(&tale, SLUICE_NL_ENDPOINTS, SLUICE_NL_A_UID,
				   4711, SLUICE_NL_A_CHANNEL, id));
	EXPECT_EQ(0, tale.n);
	kill_and_reap(pid);
}

static bool endpoint_sleeps(__u64 id)
{
	struct tale tale = dump_where(SLUICE_NL_ENDPOINTS, SLUICE_NL_A_CHANNEL, id);
	bool sleeps = tale.n && flag(&tale.list[0], SLUICE_NL_A_SLEEPING);

	tale_free(&tale);
	return sleeps;
}

TEST(sleeping)
{
	int channel = must(make_channel(NULL, NULL));
	int pub = must(join_role(channel, SLUICE_PUBLISHER));
	__u64 id = channel_id(channel), room = 0;
	pid_t pid;

	/* What it was woken for before, it need not sleep for. */
	do {
		room++;
	} while (wait_until(pub, in_ms(20), room) != -ETIMEDOUT);
	EXPECT_FALSE(endpoint_sleeps(id));
	pid = child();
	if (!pid)
		_exit(-wait_until(pub, SLUICE_NO_DEADLINE, room));
	EXPECT_TRUE(until(endpoint_sleeps(id)));
	kill_and_reap(pid);
	EXPECT_TRUE(until(!endpoint_sleeps(id)));
}

/*
 * Lockspaces and what is in them.
 */
TEST(lockspaces)
{
	int space = must(make_lockspace("netlink", SLUICE_VICTIM_YOUNGEST));
	int h = must(make_holder(NULL));
	__u64 id = space_id(space);
	struct tale tale;
	struct told *t;

	ASSERT_EQ(0, take(h, whole(space, "a", SLUICE_EX)));
	tale = dump_all(SLUICE_NL_LOCKSPACES);
	EXPECT_FALSE(tale.interrupted);
	t = told_of(&tale, SLUICE_NL_A_LOCKSPACE, id);
	ASSERT_NE(NULL, t);
	EXPECT_STREQ("netlink", text(t, SLUICE_NL_A_NAME));
	EXPECT_EQ(0600, number(t, SLUICE_NL_A_MODE));
	EXPECT_EQ(SLUICE_VICTIM_YOUNGEST, number(t, SLUICE_NL_A_VICTIM));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_RESOURCES));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_GRANTS));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_WAITING));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_GRANTED));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_BLOCKED));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_DEADLOCKS));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_DIED));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_TOKEN));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_CLOSED));
	tale_free(&tale);

	/* Nobody can open it any more, but something of it is held. */
	close(space);
	tale = dump_where(SLUICE_NL_LOCKSPACES, SLUICE_NL_A_LOCKSPACE, id);
	ASSERT_EQ(1, tale.n);
	EXPECT_TRUE(flag(&tale.list[0], SLUICE_NL_A_CLOSED));
	tale_free(&tale);
	close(h);
	EXPECT_EQ(0, dump_where(SLUICE_NL_LOCKSPACES, SLUICE_NL_A_LOCKSPACE,
				id).n);
}

TEST(resources)
{
	struct cast c;
	struct tale tale;
	struct told *t;
	struct stat st;
	int fd;

	cast_make(&c, 3);
	fd = must(open("/tmp/netlink", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	must(fstat(fd, &st));
	ASSERT_EQ(0, take(c.h[0], range(c.space, "a", SLUICE_PR, 0, 9)));
	ASSERT_EQ(0, take(c.h[1], range(c.space, "a", SLUICE_PW, 20, 29)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[2], whole(c.space, "a", SLUICE_EX)));
	ASSERT_EQ(0, take(c.h[0], file_item(c.space, fd, SLUICE_EX)));
	tale = dump_where(SLUICE_NL_RESOURCES, SLUICE_NL_A_LOCKSPACE,
			  space_id(c.space));
	ASSERT_EQ(2, tale.n);
	t = &tale.list[0];
	EXPECT_EQ(1, number(t, SLUICE_NL_A_RESOURCE));
	EXPECT_EQ(SLUICE_KIND_NAME, number(t, SLUICE_NL_A_KIND));
	EXPECT_EQ(1, nla_len(t->attr[SLUICE_NL_A_KEY]));
	EXPECT_EQ('a', *(char *)nla_data(t->attr[SLUICE_NL_A_KEY]));
	EXPECT_EQ(2, number(t, SLUICE_NL_A_GRANTS));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_WAITING));
	EXPECT_EQ(SLUICE_PW, number(t, SLUICE_NL_A_LOCK_MODE));
	t = &tale.list[1];
	EXPECT_EQ(SLUICE_KIND_FILE, number(t, SLUICE_NL_A_KIND));
	EXPECT_EQ(st.st_ino, number(t, SLUICE_NL_A_FILE_INO));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_KEY));
	tale_free(&tale);
	unlink("/tmp/netlink");
}

TEST(locks)
{
	struct tale tale = { };
	struct told *t;
	struct cast c;
	__u64 id;

	cast_make(&c, 3);
	id = space_id(c.space);
	ASSERT_EQ(0, take(c.h[0], range(c.space, "a", SLUICE_EX, 10, 19)));
	ASSERT_EQ(0, take(c.h[1], range(c.space, "a", SLUICE_PR, 0, 5)));
	ASSERT_EQ(0, take(c.h[2], range(c.space, "b", SLUICE_EX, 3, 4)));
	close(c.h[2]);
	c.h[2] = -1;
	tale = dump_where(SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE, id);
	ASSERT_EQ(3, tale.n);
	t = &tale.list[0];
	EXPECT_EQ(SLUICE_PR, number(t, SLUICE_NL_A_LOCK_MODE));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_TOKEN));
	t = &tale.list[1];
	EXPECT_EQ(SLUICE_LOCK_HELD, number(t, SLUICE_NL_A_LOCK_STATE));
	EXPECT_EQ(SLUICE_EX, number(t, SLUICE_NL_A_LOCK_MODE));
	EXPECT_EQ(10, number(t, SLUICE_NL_A_START));
	EXPECT_EQ(19, number(t, SLUICE_NL_A_END));
	EXPECT_EQ(1, number(t, SLUICE_NL_A_TOKEN));
	EXPECT_EQ(c.id[0], number(t, SLUICE_NL_A_HOLDER));
	EXPECT_EQ(getpid(), number(t, SLUICE_NL_A_PID));
	EXPECT_EQ(gettid(), number(t, SLUICE_NL_A_TID));
	EXPECT_STREQ("netlink", text(t, SLUICE_NL_A_COMM));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_EXPIRES));
	t = &tale.list[2];
	EXPECT_EQ(SLUICE_LOCK_DIED, number(t, SLUICE_NL_A_LOCK_STATE));
	EXPECT_EQ(3, number(t, SLUICE_NL_A_START));
	EXPECT_EQ(2, number(t, SLUICE_NL_A_RESOURCE));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_HOLDER));
	tale_free(&tale);

	tale = dump_where(SLUICE_NL_LOCKS, SLUICE_NL_A_HOLDER, c.id[1]);
	EXPECT_EQ(1, tale.n);
	tale_free(&tale);
	ASSERT_EQ(0, dump_filtered(&tale, SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE,
				   id, SLUICE_NL_A_RESOURCE, 2));
	EXPECT_EQ(1, tale.n);
	tale_free(&tale);
	ASSERT_EQ(0, dump_filtered(&tale, SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE,
				   id, SLUICE_NL_A_PID, getpid()));
	EXPECT_EQ(2, tale.n);
}

/* The blockers of a wait, in @of; returns how many there are. */
static int blockers_of(const struct told *wait, struct told *of, int max)
{
	struct nlattr *a;
	int left, n = 0;

	nla_for_each_attr(a, wait->memory, wait->len, left) {
		if (nla_type(a) != SLUICE_NL_A_BLOCKER)
			continue;
		if (n < max)
			check(!nla_parse_nested(of[n].attr, SLUICE_NL_A_MAX, a,
						NULL));
		n++;
	}
	return n;
}

TEST(waits)
{
	struct told by[4], *t;
	struct tale tale;
	struct cast c;

	cast_make(&c, 3);
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], range(c.space, "a", SLUICE_EX, 5, 6)));
	ASSERT_EQ(-EINPROGRESS,
		  ask_urgently(c.h[2], whole(c.space, "a", SLUICE_PW), -3));
	tale = dump_where(SLUICE_NL_WAITS, SLUICE_NL_A_LOCKSPACE,
			  space_id(c.space));
	ASSERT_EQ(2, tale.n);
	t = &tale.list[0];
	EXPECT_EQ(c.id[1], number(t, SLUICE_NL_A_HOLDER));
	EXPECT_EQ(SLUICE_EX, number(t, SLUICE_NL_A_LOCK_MODE));
	EXPECT_EQ(5, number(t, SLUICE_NL_A_START));
	EXPECT_LT(0, number(t, SLUICE_NL_A_SINCE));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_ANY));
	ASSERT_EQ(1, blockers_of(t, by, 4));
	EXPECT_EQ(c.id[0], number(&by[0], SLUICE_NL_A_HOLDER));
	EXPECT_EQ(SLUICE_PR, number(&by[0], SLUICE_NL_A_LOCK_MODE));
	EXPECT_FALSE(flag(&by[0], SLUICE_NL_A_QUEUED));
	t = &tale.list[1];
	EXPECT_EQ(-3, (__s32)number(t, SLUICE_NL_A_PRIORITY));
	ASSERT_EQ(2, blockers_of(t, by, 4));
	EXPECT_EQ(c.id[0], number(&by[0], SLUICE_NL_A_HOLDER));
	EXPECT_EQ(c.id[1], number(&by[1], SLUICE_NL_A_HOLDER));
	EXPECT_TRUE(flag(&by[1], SLUICE_NL_A_QUEUED));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_MORE));
	tale_free(&tale);
	tale = dump_where(SLUICE_NL_WAITS, SLUICE_NL_A_HOLDER, c.id[2]);
	EXPECT_EQ(1, tale.n);
	tale_free(&tale);

	/* Not any more. */
	ASSERT_EQ(0, cancel(c.h[1]));
	ASSERT_EQ(0, unlock_all(c.h[0]));
	EXPECT_EQ(0, dump_where(SLUICE_NL_WAITS, SLUICE_NL_A_LOCKSPACE,
				space_id(c.space)).n);
}

TEST(waits_for_many)
{
	struct crew readers;
	struct sluice_item items[2];
	struct told by[20];
	struct tale tale;
	unsigned long i;
	int writer;

	crew_make(&readers, 20, 1, 0);
	writer = must(make_holder(NULL));
	for (i = 0; i < readers.n; i++)
		ASSERT_EQ(0, take(readers.h[i],
				  whole(readers.space[0], "book", SLUICE_PR)));
	ASSERT_EQ(0, take(readers.h[0], whole(readers.space[0], "pen", SLUICE_PR)));
	items[0] = whole(readers.space[0], "book", SLUICE_EX);
	items[1] = whole(readers.space[0], "pen", SLUICE_EX);
	ASSERT_EQ(-EINPROGRESS, lock_items(writer, items, 2, SLUICE_LOCK_ASYNC |
					   SLUICE_LOCK_ANY));
	tale = dump_where(SLUICE_NL_WAITS, SLUICE_NL_A_LOCKSPACE,
			  space_id(readers.space[0]));
	ASSERT_EQ(2, tale.n);
	EXPECT_TRUE(flag(&tale.list[0], SLUICE_NL_A_ANY));
	EXPECT_EQ(16, blockers_of(&tale.list[0], by, 20));
	EXPECT_EQ(20, number(&tale.list[0], SLUICE_NL_A_BLOCKERS));
	EXPECT_TRUE(flag(&tale.list[0], SLUICE_NL_A_MORE));
	EXPECT_EQ(1, blockers_of(&tale.list[1], by, 20));
	EXPECT_EQ(1, number(&tale.list[1], SLUICE_NL_A_BLOCKERS));
	EXPECT_FALSE(flag(&tale.list[1], SLUICE_NL_A_MORE));
	tale_free(&tale);
	crew_close(&readers);
}

TEST(holders)
{
	struct tale tale;
	struct told *t;
	struct cast c;

	cast_make(&c, 2);
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], whole(c.space, "a", SLUICE_EX)));
	tale = dump_where(SLUICE_NL_HOLDERS, SLUICE_NL_A_PID, getpid());
	ASSERT_EQ(2, tale.n);
	t = told_of(&tale, SLUICE_NL_A_HOLDER, c.id[0]);
	ASSERT_NE(NULL, t);
	EXPECT_EQ(1, number(t, SLUICE_NL_A_GRANTS));
	EXPECT_EQ(0, number(t, SLUICE_NL_A_WAITING));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_SINCE));
	EXPECT_EQ(gettid(), number(t, SLUICE_NL_A_TID));
	EXPECT_STREQ("netlink", text(t, SLUICE_NL_A_COMM));
	t = told_of(&tale, SLUICE_NL_A_HOLDER, c.id[1]);
	ASSERT_NE(NULL, t);
	EXPECT_EQ(1, number(t, SLUICE_NL_A_WAITING));
	EXPECT_TRUE(flag(t, SLUICE_NL_A_SINCE));
	EXPECT_FALSE(flag(t, SLUICE_NL_A_DEAD));
	tale_free(&tale);
	close(c.h[0]);
	EXPECT_EQ(0, dump_where(SLUICE_NL_HOLDERS, SLUICE_NL_A_HOLDER, c.id[0]).n);
}

/* What the caller has of @limited, or -1. */
static long long used_of(uid_t uid, __u32 limited)
{
	struct tale tale = dump_where(SLUICE_NL_QUOTAS, SLUICE_NL_A_UID, uid);
	struct told *t = told_of(&tale, SLUICE_NL_A_LIMITED, limited);
	long long used = t ? number(t, SLUICE_NL_A_USED) : -1;

	check(!t || number(t, SLUICE_NL_A_LIMIT) > 0);
	tale_free(&tale);
	return used;
}

TEST(quotas)
{
	long long channels, holders;

	must(make_channel(NULL, NULL));
	channels = used_of(0, SLUICE_NL_LIMITED_CHANNELS);
	holders = used_of(0, SLUICE_NL_LIMITED_HOLDERS);
	ASSERT_LT(0, channels);
	must(make_channel(NULL, NULL));
	must(make_holder(NULL));
	EXPECT_EQ(channels + 1, used_of(0, SLUICE_NL_LIMITED_CHANNELS));
	EXPECT_EQ(holders + 1, used_of(0, SLUICE_NL_LIMITED_HOLDERS));
	EXPECT_LT(0, used_of(0, SLUICE_NL_LIMITED_BYTES));
	EXPECT_EQ(-1, used_of(4711, SLUICE_NL_LIMITED_BYTES));
}

/*
 * Who may see it.
 */
struct sight {
	__u64 open, closed, space, holder;
};

static int sees_what_it_may(void *arg)
{
	struct tale tale = dump_all(SLUICE_NL_CHANNELS);
	struct sight *s = arg;
	size_t i;

	check(count_of(&tale, SLUICE_NL_A_CHANNEL, s->open) == 1);
	check(count_of(&tale, SLUICE_NL_A_CHANNEL, s->closed) == 0);
	tale_free(&tale);
	check(dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL, s->closed).n == 0);
	check(dump_where(SLUICE_NL_ENDPOINTS, SLUICE_NL_A_CHANNEL, s->open).n == 1);
	check(dump_where(SLUICE_NL_ENDPOINTS, SLUICE_NL_A_CHANNEL, s->closed).n == 0);
	check(dump_where(SLUICE_NL_LOCKSPACES, SLUICE_NL_A_LOCKSPACE, s->space).n == 0);
	check(dump_where(SLUICE_NL_RESOURCES, SLUICE_NL_A_LOCKSPACE, s->space).n == 0);
	check(dump_where(SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE, s->space).n == 0);
	check(dump_where(SLUICE_NL_LOCKS, SLUICE_NL_A_HOLDER, s->holder).n == 0);
	check(dump_where(SLUICE_NL_WAITS, SLUICE_NL_A_LOCKSPACE, s->space).n == 0);
	check(dump_where(SLUICE_NL_HOLDERS, SLUICE_NL_A_HOLDER, s->holder).n == 0);

	/* Its own it sees, and no other's. */
	must(make_holder(NULL));
	check(dump_all(SLUICE_NL_HOLDERS).n == 1);
	tale = dump_all(SLUICE_NL_QUOTAS);
	check(tale.n > 0);
	for (i = 0; i < tale.n; i++)
		check(number(&tale.list[i], SLUICE_NL_A_UID) == STRANGER);
	return 0;
}

FIXTURE(sight) {
	struct sight s;
	struct cast c;
};

FIXTURE_SETUP(sight)
{
	struct sluice_open o = good_open("netlink open");
	int channel;

	o.mode = 0604;
	channel = must(call(device(), SLUICE_IOC_OPEN, &o));
	must(join_role(channel, SLUICE_PUBLISHER));
	self->s.open = channel_id(channel);
	channel = must(make_channel("netlink closed", NULL));
	must(join_role(channel, SLUICE_PUBLISHER));
	self->s.closed = channel_id(channel);
	cast_make(&self->c, 2);
	self->s.space = space_id(self->c.space);
	self->s.holder = self->c.id[0];
	check(!take(self->c.h[0], whole(self->c.space, "a", SLUICE_EX)));
	check(ask(self->c.h[1], whole(self->c.space, "a", SLUICE_EX)) == -EINPROGRESS);
}

FIXTURE_TEARDOWN(sight)
{
}

TEST_F(sight, stranger)
{
	EXPECT_EQ(0, as_user(STRANGER, STRANGER, 0, sees_what_it_may, &self->s));
}

/* What counts is who opened the socket, not who has it now. */
TEST_F(sight, socket_of_another)
{
	struct nl_sock *sock = netlink_open();
	struct tale tale = { };
	pid_t pid;

	netlink_family(sock);
	pid = user(STRANGER);
	if (!pid) {
		check(!dump_on(sock, &tale, SLUICE_NL_CHANNELS,
			       SLUICE_NL_A_CHANNEL, self->s.closed, NO_FILTER, 0));
		check(tale.n == 1);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));

	/* And the other way round: root lends a stranger nothing. */
	pid = child();
	if (!pid) {
		must(setresuid(STRANGER, STRANGER, 0));
		sock = netlink_open();
		must(setresuid(0, 0, 0));
		check(!dump_on(sock, &tale, SLUICE_NL_CHANNELS,
			       SLUICE_NL_A_CHANNEL, self->s.closed, NO_FILTER, 0));
		check(tale.n == 0);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(sight, network_namespace)
{
	pid_t pid = child();

	if (!pid) {
		int channel;

		must(unshare(CLONE_NEWNET));
		check(dump_all(SLUICE_NL_CHANNELS).n == 0);
		check(dump_all(SLUICE_NL_LOCKSPACES).n == 0);
		check(dump_all(SLUICE_NL_HOLDERS).n == 0);
		channel = must(make_channel("netlink closed", NULL));
		check(dump_all(SLUICE_NL_CHANNELS).n == 1);
		check(channel_id(channel) != self->s.closed);
		_exit(dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL,
				 channel_id(channel)).n != 1);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_NAME,
				(uintptr_t)"netlink closed").n);
}

/* Ids are told as they are where it is asked from. */
TEST_F(sight, user_namespace)
{
	pid_t pid = child();

	if (!pid) {
		struct tale tale;
		struct told *t;

		become(OWNER, OWNER, NULL, 0);
		must(enter_userns(0));
		must(make_channel("netlink userns", NULL));
		tale = dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_UID, 0);
		check(tale.n == 1);
		check(!strcmp(text(&tale.list[0], SLUICE_NL_A_NAME), "netlink userns"));
		tale_free(&tale);
		tale = dump_all(SLUICE_NL_CHANNELS);
		t = told_of(&tale, SLUICE_NL_A_CHANNEL, self->s.open);
		check(t && number(t, SLUICE_NL_A_UID) == 65534);
		check(!told_of(&tale, SLUICE_NL_A_CHANNEL, self->s.closed));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/*
 * While things come and go.
 */
#define MANY	((int)scaled(1500, 300))

struct crowd {
	int fd[1500];
	int n;
	int made;
};

static void crowd_make(struct crowd *crowd)
{
	struct rlimit lim = { MANY + 256, MANY + 256 };
	struct sluice_config cfg = { .publishers = 1, .subscribers = 1 };

	must(setrlimit(RLIMIT_NOFILE, &lim));
	for (crowd->n = 0; crowd->n < MANY; crowd->n++)
		crowd->fd[crowd->n] = must(make_channel(NULL, &cfg));
}

static void crowd_add(void *arg)
{
	struct crowd *crowd = arg;

	crowd->made = must(make_channel(NULL, NULL));
}

static void crowd_join(void *arg)
{
	struct crowd *crowd = arg;

	must(join_role(crowd->fd[0], SLUICE_PUBLISHER));
}

/* Every other one, those that were told and those that were not. */
static void crowd_thin(void *arg)
{
	struct crowd *crowd = arg;
	int i;

	for (i = 0; i < crowd->n; i += 2)
		close(crowd->fd[i]);
}

/* Numbers only grow, so nothing is told twice. */
static bool grows(const struct tale *tale, int attr)
{
	size_t i;

	for (i = 1; i < tale->n; i++)
		if (number(&tale->list[i - 1], attr) >= number(&tale->list[i], attr))
			return false;
	return true;
}

static struct tale dump_disturbed(int cmd, int filter, __u64 value,
				  void (*disturb)(void *), void *arg)
{
	struct tale tale = { .disturb = disturb, .arg = arg };

	check(!dump_filtered(&tale, cmd, filter, value, NO_FILTER, 0));
	return tale;
}

TEST(undisturbed)
{
	struct crowd crowd;
	struct tale tale;

	crowd_make(&crowd);
	tale = dump_all(SLUICE_NL_CHANNELS);
	EXPECT_FALSE(tale.interrupted);
	EXPECT_EQ(MANY, tale.n);
	EXPECT_TRUE(grows(&tale, SLUICE_NL_A_CHANNEL));
	tale_free(&tale);
}

TEST(one_comes)
{
	struct crowd crowd;
	struct tale tale;

	crowd_make(&crowd);
	tale = dump_disturbed(SLUICE_NL_CHANNELS, NO_FILTER, 0, crowd_add, &crowd);
	EXPECT_TRUE(tale.interrupted);
	EXPECT_EQ(MANY + 1, tale.n);
	EXPECT_TRUE(grows(&tale, SLUICE_NL_A_CHANNEL));
	tale_free(&tale);
	tale = dump_disturbed(SLUICE_NL_CHANNELS, NO_FILTER, 0, crowd_join, &crowd);
	EXPECT_TRUE(tale.interrupted);
	tale_free(&tale);
}

TEST(many_go)
{
	__u64 stay[1500];
	struct crowd crowd;
	struct tale tale;
	int i;

	crowd_make(&crowd);
	for (i = 1; i < MANY; i += 2)
		stay[i] = channel_id(crowd.fd[i]);
	tale = dump_disturbed(SLUICE_NL_CHANNELS, NO_FILTER, 0, crowd_thin, &crowd);
	EXPECT_TRUE(tale.interrupted);
	EXPECT_TRUE(grows(&tale, SLUICE_NL_A_CHANNEL));
	EXPECT_GT(MANY, tale.n);
	for (i = 1; i < MANY; i += 2)
		ASSERT_EQ(1, count_of(&tale, SLUICE_NL_A_CHANNEL, stay[i]));
	tale_free(&tale);
}

/* A thousand locks of one lockspace, of which some are let go meanwhile. */
struct locker {
	struct cast c;
	bool ranges;
};

static struct sluice_item locker_item(struct locker *l, int i)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", i);
	return l->ranges ? range(l->c.space, "one", SLUICE_EX, i * 10, i * 10 + 5) :
		whole(l->c.space, key, SLUICE_EX);
}

static void locker_make(struct locker *l)
{
	int i;

	cast_make(&l->c, 2);
	for (i = 0; i < MANY; i++)
		check(!take(l->c.h[i & 1], locker_item(l, i)));
}

static void locker_thin(void *arg)
{
	struct locker *l = arg;

	check(!unlock_all(l->c.h[1]));
}

static void locker_check(struct __test_metadata *_metadata, struct locker *l)
{
	__u64 id = space_id(l->c.space);
	struct tale tale = dump_where(SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE, id);

	EXPECT_FALSE(tale.interrupted);
	EXPECT_EQ(MANY, tale.n);
	tale_free(&tale);
	tale = dump_disturbed(SLUICE_NL_LOCKS, SLUICE_NL_A_LOCKSPACE, id,
			      locker_thin, l);
	EXPECT_TRUE(tale.interrupted);
	EXPECT_EQ((MANY + 1) / 2,
		  count_of(&tale, SLUICE_NL_A_HOLDER, l->c.id[0]));
	EXPECT_GT(MANY / 2, count_of(&tale, SLUICE_NL_A_HOLDER, l->c.id[1]));
	EXPECT_TRUE(grows(&tale, l->ranges ? SLUICE_NL_A_START :
					     SLUICE_NL_A_RESOURCE));
	tale_free(&tale);
}

TEST(locks_go)
{
	struct locker l = { };

	locker_make(&l);
	locker_check(_metadata, &l);
}

TEST(ranges_go)
{
	struct locker l = { .ranges = true };

	locker_make(&l);
	locker_check(_metadata, &l);
}

/* Who waits lets others wait behind it, and gives up. */
static void queue_thin(void *arg)
{
	struct crew *crew = arg;
	unsigned long i;

	for (i = 2; i < crew->n; i += 2)
		check(!cancel(crew->h[i]));
}

TEST(waits_go)
{
	struct crew crew;
	struct tale tale;
	unsigned long i;

	crew_make(&crew, scaled(600, 200), 1, 0);
	for (i = 0; i < crew.n; i++)
		check(ask(crew.h[i], whole(crew.space[0], "q", SLUICE_EX)) ==
		      (i ? -EINPROGRESS : 0));
	tale = dump_disturbed(SLUICE_NL_WAITS, SLUICE_NL_A_LOCKSPACE,
			      space_id(crew.space[0]), queue_thin, &crew);
	EXPECT_TRUE(tale.interrupted);
	for (i = 1; i < crew.n; i += 2)
		ASSERT_EQ(1, count_of(&tale, SLUICE_NL_A_HOLDER, crew.id[i]));
	tale_free(&tale);
	crew_close(&crew);
}

/*
 * Ten thousand channels, lockspaces, holders and subscribers come and go all the
 * time, in several processes, and others stay.
 */
#define CHURNERS	8
#define CHURN_EACH	((int)scaled(1250, 60))
#define STAY_EACH	((int)scaled(300, 60))

FIXTURE(churn) {
	pid_t pid[CHURNERS];
	struct step begun;
	unsigned long *changes;
	__u64 stay[3][300];
};

static int churn_make(int channel, __u64 random)
{
	struct sluice_config cfg = { .publishers = 1, .subscribers = 1 };

	switch (random % 4) {
	case 0:
		return must(make_channel(NULL, &cfg));
	case 1:
		return must(make_lockspace(NULL, 0));
	case 2:
		return must(make_holder(NULL));
	default:
		return must(join_role(channel, SLUICE_SUBSCRIBER));
	}
}

static void come_and_go(FIXTURE_DATA(churn) *churn)
{
	rlim_t fds = CHURN_EACH + 3 * STAY_EACH + 256;
	struct rlimit lim = { fds, fds };
	struct sluice_config cfg = { .publishers = 1, .subscribers = 1024 };
	int channel, fd[1250], i;
	__u64 seed = getpid();

	must(setrlimit(RLIMIT_NOFILE, &lim));
	/* The processors are few, and who looks shall get on, too. */
	check(nice(19) == 19);
	channel = must(make_channel(NULL, &cfg));
	for (i = 0; i < CHURN_EACH; i++)
		fd[i] = churn_make(channel, random_next(&seed));
	step_say(&churn->begun);
	for (;;) {
		i = random_next(&seed) % CHURN_EACH;
		close(fd[i]);
		fd[i] = churn_make(channel, random_next(&seed));
		__atomic_add_fetch(churn->changes, 1, __ATOMIC_SEQ_CST);
	}
}

FIXTURE_SETUP(churn)
{
	struct rlimit lim = { 3 * STAY_EACH + 256, 3 * STAY_EACH + 256 };
	int i;

	must(setrlimit(RLIMIT_NOFILE, &lim));
	for (i = 0; i < STAY_EACH; i++) {
		self->stay[0][i] = channel_id(must(make_channel(NULL, NULL)));
		self->stay[1][i] = space_id(must(make_lockspace(NULL, 0)));
		must(make_holder(&self->stay[2][i]));
	}
	self->begun = step_make();
	self->changes = shared(sizeof(*self->changes));
	for (i = 0; i < CHURNERS; i++) {
		self->pid[i] = child();
		if (!self->pid[i])
			come_and_go(self);
	}
	for (i = 0; i < CHURNERS; i++)
		step_hear(&self->begun);
}

FIXTURE_TEARDOWN(churn)
{
	int i;

	for (i = 0; i < CHURNERS; i++)
		kill(self->pid[i], SIGKILL);
	/* Each has a thousand descriptors to close, and the rest of a processor. */
	for (i = 0; i < CHURNERS; i++)
		EXPECT_EQ(-SIGKILL, reap_slowly(self->pid[i]));
}

/* Those that stay are older than those that churn: they are told first. */
static bool all_stay(const struct tale *tale, int attr, const __u64 *stay)
{
	size_t i;

	for (i = 0; i < STAY_EACH; i++)
		if (i >= tale->n || number(&tale->list[i], attr) != stay[i])
			return false;
	return grows(tale, attr);
}

/* A place of a channel is told once. */
static bool endpoints_once(const struct tale *tale)
{
	const struct told *a, *b;
	size_t i;

	for (i = 1; i < tale->n; i++) {
		a = &tale->list[i - 1];
		b = &tale->list[i];
		if (number(a, SLUICE_NL_A_CHANNEL) > number(b, SLUICE_NL_A_CHANNEL) ||
		    (number(a, SLUICE_NL_A_CHANNEL) == number(b, SLUICE_NL_A_CHANNEL) &&
		     number(a, SLUICE_NL_A_INDEX) >= number(b, SLUICE_NL_A_INDEX)))
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(churn, dumps, TEST_TIMEOUT_SCALED)
{
	static const struct {
		int cmd, attr;
	} kinds[3] = {
		{ SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL },
		{ SLUICE_NL_LOCKSPACES, SLUICE_NL_A_LOCKSPACE },
		{ SLUICE_NL_HOLDERS, SLUICE_NL_A_HOLDER },
	};
	int rounds = scaled(12, 6), interrupted = 0, i;
	struct tale tale;

	for (i = 0; i < rounds ||
	     *self->changes < CHURNERS * CHURN_EACH; i++) {
		tale = dump_all(kinds[i % 3].cmd);
		interrupted += tale.interrupted;
		ASSERT_TRUE(all_stay(&tale, kinds[i % 3].attr,
				     self->stay[i % 3]));
		tale_free(&tale);
		tale = dump_all(SLUICE_NL_ENDPOINTS);
		EXPECT_TRUE(endpoints_once(&tale));
		tale_free(&tale);
	}
	/* In company, it may be that nobody got to run in the midst of a dump. */
	if (!in_company())
		EXPECT_LT(0, interrupted);
}

/*
 * Who looks while a stranger has the domain, and is killed, does not wait for
 * the stranger to be done. That one hardly runs: another keeps his processor, and
 * goes before him. The domain is his for nearly all of the time.
 */
#define STRANGER_CPU	0

struct busy {
	int space;
	pid_t stranger, hog;
	struct busy_log {
		unsigned long looks;
		__s64 cost;
	} *log;
};

static void be_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static __s64 cpu_time(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	check(!clock_getcpuclockid(pid, &clock));
	must(clock_gettime(clock, &ts));
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void stranger_run(const struct busy *b)
{
	unsigned long n = scaled(20000, 4000);
	struct sluice_item all = range(b->space, "busy", SLUICE_EX, 0, n - 1);
	struct sched_param none = { };
	int h = must(make_holder(NULL));
	__s64 start;

	be_on(STRANGER_CPU);
	take_bytes_apart(h, b->space, "busy", n);
	all.lease = 3600 * NSEC_PER_SEC;
	must(renew(h, all));
	start = cpu_time(getpid());
	must(renew(h, all));
	__atomic_store_n(&b->log->cost, cpu_time(getpid()) - start,
			 __ATOMIC_SEQ_CST);
	must(sched_setscheduler(0, SCHED_IDLE, &none));
	for (;;)
		must(renew(h, all));
}

static void hog_run(void)
{
	be_on(STRANGER_CPU);
	for (;;)
		;
}

FIXTURE(busy) {
	struct busy b;
};

FIXTURE_SETUP(busy)
{
	self->b.log = shared(4096);
	self->b.space = must(make_lockspace("netlink busy", 0));
	self->b.stranger = child();
	if (!self->b.stranger)
		stranger_run(&self->b);
	check(until(self->b.log->cost));
	self->b.hog = child();
	if (!self->b.hog)
		hog_run();
}

FIXTURE_TEARDOWN(busy)
{
	kill_and_reap(self->b.hog);
	kill_and_reap(self->b.stranger);
	close(self->b.space);
	munmap(self->b.log, 4096);
}

static void look_locks(int space)
{
	struct sluice_lock_entry e;
	struct sluice_locks l = { .entries = (uintptr_t)&e, .count = 1 };

	must(call(space, SLUICE_IOC_LOCKS, &l));
}

static void look_deadlock(int space)
{
	struct sluice_deadlock d = { };

	check(call(space, SLUICE_IOC_DEADLOCK, &d) == -ENOENT);
}

static void look_stat(int space)
{
	lockspace_stat(space);
}

static void look_list(int space)
{
	struct sluice_lockspace_stat st;
	struct sluice_list l = { .entries = (uintptr_t)&st, .count = 1 };

	(void)space;
	must(call(device(), SLUICE_IOC_LOCKSPACES, &l));
}

#define LOOK_DUMP(name, cmd)						\
static void name(int space)						\
{									\
	struct tale tale = dump_all(cmd);				\
									\
	(void)space;							\
	tale_free(&tale);						\
}

LOOK_DUMP(look_lockspaces, SLUICE_NL_LOCKSPACES)
LOOK_DUMP(look_resources, SLUICE_NL_RESOURCES)
LOOK_DUMP(look_waits, SLUICE_NL_WAITS)
LOOK_DUMP(look_holders, SLUICE_NL_HOLDERS)

/* It makes no progress. */
static bool stuck(const struct busy *b, pid_t pid)
{
	unsigned long looks = __atomic_load_n(&b->log->looks, __ATOMIC_SEQ_CST);
	int i;

	for (i = 0; i < 4; i++) {
		if (process_state(pid) != 'D')
			return false;
		sleep_us(2000);
	}
	return looks == __atomic_load_n(&b->log->looks, __ATOMIC_SEQ_CST);
}

/* Return: of what the stranger does at once, the share he did meanwhile. */
static double killed_after(const struct busy *b, void (*look)(int space))
{
	pid_t pid = child();
	__s64 before;

	if (!pid) {
		for (;;) {
			look(b->space);
			__atomic_add_fetch(&b->log->looks, 1, __ATOMIC_SEQ_CST);
		}
	}
	check(until(stuck(b, pid)));
	before = cpu_time(b->stranger);
	kill_and_reap(pid);
	return (double)(cpu_time(b->stranger) - before) / b->log->cost;
}

#define KILLED(look)							\
TEST_F_TIMEOUT(busy, look, TEST_TIMEOUT_SCALED)				\
{									\
	EXPECT_GT(0.2, killed_after(&self->b, look_##look));		\
}

KILLED(locks)
KILLED(deadlock)
KILLED(stat)
KILLED(list)
KILLED(lockspaces)
KILLED(resources)
KILLED(waits)
KILLED(holders)

/*
 * Requests that are not as they should be.
 */
TEST(refused)
{
	struct tale tale = { };

	/* No channel has a holder. */
	EXPECT_EQ(-NLE_INVAL, dump_filtered(&tale, SLUICE_NL_CHANNELS,
					    SLUICE_NL_A_HOLDER, 1, NO_FILTER, 0));
	EXPECT_EQ(-NLE_INVAL, dump_filtered(&tale, SLUICE_NL_QUOTAS,
					    SLUICE_NL_A_PID, 1, NO_FILTER, 0));
	EXPECT_GT(0, dump_filtered(&tale, SLUICE_NL_QUOTAS + 1, NO_FILTER, 0,
				   NO_FILTER, 0));
	EXPECT_GT(0, dump_filtered(&tale, SLUICE_NL_CHANNELS, SLUICE_NL_A_NAME,
				   (uintptr_t)"0123456789012345678901234567890123"
				   "4567890123456789012345678901234", NO_FILTER, 0));
	/* What is not known is ignored. */
	EXPECT_EQ(0, dump_filtered(&tale, SLUICE_NL_CHANNELS, 1000, 1, NO_FILTER,
				   0));
	tale_free(&tale);
}

TEST_HARNESS_MAIN
