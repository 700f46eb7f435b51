// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may what: modes, groups, capabilities, user and network namespaces; and
 * who a member is said to be, as seen from where.
 */
#include "traffic.h"
#include "users.h"

#define NAME	"perm"

static int open_as_made(__u32 mode, __u32 uid, __u32 gid)
{
	struct sluice_open o = {
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.access = RW, .mode = mode, .uid = uid, .gid = gid,
	};

	return open_full(&o, NAME);
}

static int try_open(void *access)
{
	int ret = open_channel(NAME, (uintptr_t)access);

	return ret < 0 ? ret : 0;
}

static int opens(uid_t uid, gid_t gid, gid_t more, __u32 access)
{
	return as_user(uid, gid, more, try_open, (void *)(uintptr_t)access);
}

FIXTURE(mode) {
	int fd;
};

FIXTURE_VARIANT(mode) {
	__u32 mode;
};

FIXTURE_VARIANT_ADD(mode, m0600) { 0600 };
FIXTURE_VARIANT_ADD(mode, m0640) { 0640 };
FIXTURE_VARIANT_ADD(mode, m0420) { 0420 };
FIXTURE_VARIANT_ADD(mode, m0066) { 0066 };
FIXTURE_VARIANT_ADD(mode, m0604) { 0604 };
FIXTURE_VARIANT_ADD(mode, m0662) { 0662 };
FIXTURE_VARIANT_ADD(mode, m0000) { 0000 };

FIXTURE_SETUP(mode)
{
	if (geteuid())
		SKIP(return, "needs root");
	device();
	self->fd = open_as_made(variant->mode, OWNER, GROUP);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(mode)
{
	close(self->fd);
}

/* What the bits of one class allow. */
static int allowed(__u32 bits, __u32 access)
{
	if (access & SLUICE_READ && !(bits & 4))
		return -EACCES;
	if (access & SLUICE_WRITE && !(bits & 2))
		return -EACCES;
	return 0;
}

TEST_F(mode, each_class)
{
	__u32 m = variant->mode, access;

	for (access = 1; access <= RW; access++) {
		EXPECT_EQ(allowed(m >> 6, access), opens(OWNER, OTHER_GROUP, 0, access))
			TH_LOG("owner, %u", access);
		EXPECT_EQ(allowed(m >> 6, access), opens(OWNER, GROUP, 0, access))
			TH_LOG("owner in the group, %u", access);
		EXPECT_EQ(allowed(m >> 3, access), opens(FRIEND, GROUP, 0, access))
			TH_LOG("group, %u", access);
		EXPECT_EQ(allowed(m >> 3, access),
			  opens(STRANGER, OTHER_GROUP, GROUP, access))
			TH_LOG("supplementary group, %u", access);
		EXPECT_EQ(allowed(m, access), opens(STRANGER, OTHER_GROUP, 0, access))
			TH_LOG("others, %u", access);
	}
}

static int count_visible(void *unused)
{
	(void)unused;
	return name_listed(NAME) ? 0 : -ENOENT;
}

/* LIST shows what one may open for one thing or the other. */
TEST_F(mode, listed_to_whom)
{
	static const struct { uid_t uid; gid_t gid; int shift; } who[] = {
		{ OWNER, OTHER_GROUP, 6 },
		{ FRIEND, GROUP, 3 },
		{ STRANGER, OTHER_GROUP, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY(who); i++)
		EXPECT_EQ(variant->mode >> who[i].shift & 6 ? 0 : -ENOENT,
			  as_user(who[i].uid, who[i].gid, 0, count_visible, NULL))
			TH_LOG("uid %u", who[i].uid);
	EXPECT_TRUE(name_listed(NAME)) TH_LOG("root sees all");
}

/* A listing tells nothing of names that are hidden, not even where it ended. */
static int look_for_name(void *unused)
{
	struct sluice_stat st[4];
	struct sluice_list l = { .entries = (uintptr_t)st, .count = 4 };

	(void)unused;
	must(call(device(), SLUICE_IOC_LIST, &l));
	return memmem(l.after, sizeof(l.after), NAME, strlen(NAME)) ? -EEXIST : 0;
}

TEST(hidden_names_stay_hidden)
{
	int fd;

	if (geteuid())
		SKIP(return, "needs root");
	fd = open_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, 0, look_for_name, NULL));
}

/*
 * Capabilities.
 */
static int root_without(int cap)
{
	pid_t pid = child();

	if (!pid) {
		drop_cap(cap);
		_exit(-try_open((void *)(uintptr_t)RW));
	}
	return -reap(pid);
}

TEST(ipc_owner_overrides)
{
	int fd;

	if (geteuid())
		SKIP(return, "needs root");
	fd = open_as_made(0000, OWNER, GROUP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, try_open((void *)(uintptr_t)RW));
	EXPECT_EQ(-EACCES, root_without(CAP_IPC_OWNER));
	EXPECT_EQ(0, root_without(CAP_DAC_OVERRIDE));
}

/* CREATE of a name that exists opens it, or does not; EXCL tells it exists. */
static int create_again(void *flags)
{
	struct sluice_open o = {
		.flags = (uintptr_t)flags, .access = SLUICE_READ, .mode = 0666,
		.uid = SLUICE_ID_DEFAULT, .gid = SLUICE_ID_DEFAULT,
	};
	int ret = open_full(&o, NAME);

	return ret < 0 ? ret : 0;
}

TEST(create_is_no_way_round)
{
	int fd;

	if (geteuid())
		SKIP(return, "needs root");
	fd = open_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, as_user(STRANGER, OTHER_GROUP, 0, create_again,
				   (void *)SLUICE_OPEN_CREATE));
	EXPECT_EQ(-EEXIST, as_user(STRANGER, OTHER_GROUP, 0, create_again,
				   (void *)(SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL)));
	EXPECT_EQ(0, as_user(OWNER, OTHER_GROUP, 0, create_again,
			     (void *)SLUICE_OPEN_CREATE));
}

struct ids {
	__u32 uid, gid;
};

static int make_with(void *arg)
{
	struct ids *ids = arg;
	int fd = open_as_made(0600, ids->uid, ids->gid);

	if (fd < 0)
		return fd;
	if (ids->uid != SLUICE_ID_DEFAULT)
		check(stat_of(fd).uid == ids->uid);
	if (ids->gid != SLUICE_ID_DEFAULT)
		check(stat_of(fd).gid == ids->gid);
	return 0;
}

TEST(owner_as_chown_allows)
{
	struct ids own = { STRANGER, OTHER_GROUP }, more = { STRANGER, GROUP };
	struct ids uid = { OWNER, OTHER_GROUP }, none = { ~1U, ~1U };

	if (geteuid())
		SKIP(return, "needs root");
	device();
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, 0, make_with, &own));
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, GROUP, make_with, &more));
	EXPECT_EQ(-EPERM, as_user(STRANGER, OTHER_GROUP, 0, make_with, &more));
	EXPECT_EQ(-EPERM, as_user(STRANGER, OTHER_GROUP, GROUP, make_with, &uid));
	EXPECT_EQ(-EPERM, as_user(STRANGER, OTHER_GROUP, 0, make_with, &none));
	EXPECT_EQ(0, make_with(&uid)) TH_LOG("root may");
}

/* A descriptor keeps the rights it was opened with, whoever has it. */
TEST(descriptors_are_rights)
{
	struct sluice_restrict r = { .access = SLUICE_READ };
	int fd, reader;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	fd = open_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	reader = call(fd, SLUICE_IOC_RESTRICT, &r);
	ASSERT_LE(0, reader);
	pid = child();
	if (!pid) {
		become(STRANGER, OTHER_GROUP, NULL, 0);
		check(open_channel(NAME, SLUICE_READ) == -EACCES);
		check(join_role(fd, SLUICE_PUBLISHER) >= 0);
		check(join_role(reader, SLUICE_SUBSCRIBER) >= 0);
		check(join_role(reader, SLUICE_PUBLISHER) == -EACCES);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/*
 * User namespaces: root in one of his own is root of nothing outside.
 */
TEST(fake_root_has_no_power)
{
	int fd;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	fd = open_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	pid = child();
	if (!pid) {
		int ret;

		become(STRANGER, OTHER_GROUP, NULL, 0);
		ret = enter_userns(0);
		if (ret)
			_exit(KSFT_SKIP);
		check(geteuid() == 0);
		check(open_channel(NAME, SLUICE_READ) == -EACCES);
		check(!name_listed(NAME));
		/* The owner of what it can open is nobody it knows. */
		check(stat_of(fd).uid == 65534);
		_exit(0);
	}
	switch (reap(pid)) {
	case KSFT_SKIP:
		SKIP(return, "no user namespaces for users here");
	case 0:
		break;
	default:
		EXPECT_TRUE(false);
	}
}

/* What it makes is its own, as far as its namespace goes. */
TEST(fake_root_owns_his_own)
{
	struct step made = step_make(), go = step_make();
	struct sluice_stat st;
	pid_t pid;
	int fd;

	if (geteuid())
		SKIP(return, "needs root");
	device();
	pid = child();
	if (!pid) {
		become(OWNER, GROUP, NULL, 0);
		if (enter_userns(0))
			_exit(KSFT_SKIP);
		fd = must(open_as_made(0600, SLUICE_ID_DEFAULT, SLUICE_ID_DEFAULT));
		check(stat_of(fd).uid == 0);
		step_say(&made);
		step_hear(&go);
		_exit(0);
	}
	if (!until(name_listed(NAME))) {
		EXPECT_EQ(KSFT_SKIP, reap(pid));
		SKIP(return, "no user namespaces for users here");
	}
	step_hear(&made);
	fd = open_channel(NAME, RW);
	ASSERT_LE(0, fd) TH_LOG("root outside is root inside");
	st = stat_of(fd);
	EXPECT_EQ(OWNER, st.uid);
	EXPECT_EQ(GROUP, st.gid);
	EXPECT_EQ(0, opens(OWNER, OTHER_GROUP, 0, RW)) TH_LOG("the same user outside");
	EXPECT_EQ(-EACCES, opens(STRANGER, OTHER_GROUP, 0, SLUICE_READ));
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

/*
 * Network namespaces: a name is one in each.
 */
TEST(names_are_of_a_netns)
{
	int fd, socks[2];
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	fd = make_channel(NAME, NULL);
	ASSERT_LE(0, fd);
	pid = child();
	if (!pid) {
		int other;

		must(unshare(CLONE_NEWNET));
		check(open_channel(NAME, RW) == -ENOENT);
		check(count_names() == 0);
		other = must(make_channel(NAME, NULL));
		check(stat_of(other).id != stat_of(fd).id);
		check(count_names() == 1);
		/* What one has keeps working. */
		check(join_role(fd, SLUICE_PUBLISHER) >= 0);
		send_fd(socks[1], other);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	/* Its namespace has gone, or will soon; the channel has not. */
	EXPECT_EQ(strlen(NAME), stat_of(recv_fd(socks[0])).name_len);
	EXPECT_EQ(1, count_names());
	usleep(100000);
	EXPECT_EQ(stat_of(fd).id, stat_of(open_channel(NAME, RW)).id);
}

/* Namespaces that go while channels are made in them. */
TEST(netns_races)
{
	unsigned long rounds = scaled(20, 3), i;

	if (geteuid())
		SKIP(return, "needs root");
	device();
	for (i = 0; i < rounds; i++) {
		pid_t pid = child();

		if (!pid) {
			must(unshare(CLONE_NEWNET));
			must(make_channel(NAME, NULL));
			must(make_channel("another", NULL));
			_exit(0);
		}
		EXPECT_EQ(0, reap(pid));
	}
	EXPECT_FALSE(name_listed(NAME));
}

/*
 * Identity.
 */
static void publish_as(int ch, uid_t uid, gid_t gid, struct step *joined,
		       struct step *go)
{
	struct pub p;

	become(uid, gid, NULL, 0);
	pub_join(&p, ch);
	step_say(joined);
	step_hear(go);
	_exit(0);
}

TEST(sender_is_who_he_is)
{
	struct step joined = step_make(), go = step_make();
	int ch = make_channel(NULL, NULL);
	struct sluice_member m;
	struct sluice_peer p;
	struct sub s;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pid = child();
	if (!pid)
		publish_as(ch, STRANGER, OTHER_GROUP, &joined, &go);
	step_hear(&joined);
	m = table_read(&s.table, SLUICE_PUBLISHER, 0);
	EXPECT_EQ(pid, m.pid);
	EXPECT_EQ(STRANGER, m.uid);
	EXPECT_EQ(OTHER_GROUP, m.gid);
	ASSERT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, 0, &p));
	EXPECT_EQ(pid, p.pid);
	EXPECT_EQ(STRANGER, p.uid);
	EXPECT_EQ(OTHER_GROUP, p.gid);
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

/* In a pid namespace of its own: seen from outside, and seeing outside. */
TEST(pids_are_translated)
{
	struct step joined = step_make(), go = step_make();
	int ch = make_channel(NULL, NULL), status;
	struct sluice_member m;
	struct sluice_peer p;
	struct sub s;
	pid_t pid, inner;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pid = child();
	if (!pid) {
		must(unshare(CLONE_NEWPID));
		inner = must(fork());
		if (inner)
			_exit(waitpid(inner, &status, 0) == inner ?
			      WEXITSTATUS(status) : 1);
		check(getpid() == 1);
		must(join_role(ch, SLUICE_PUBLISHER));
		must(peer_of(ch, SLUICE_PUBLISHER, 0, &p));
		check(p.pid == 1);
		must(peer_of(ch, SLUICE_SUBSCRIBER, 0, &p));
		check(p.pid == 0);	/* cannot be seen from here */
		step_say(&joined);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&joined);
	m = table_read(&s.table, SLUICE_PUBLISHER, 0);
	ASSERT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, 0, &p));
	EXPECT_LT(1, m.pid);
	EXPECT_NE(pid, m.pid);
	EXPECT_EQ(m.pid, p.pid);
	EXPECT_EQ(0, kill(m.pid, 0));
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

/* The table speaks the maker's language, PEER the caller's. */
TEST(uids_are_translated)
{
	struct step joined = step_make(), go = step_make();
	struct sluice_member m;
	struct sluice_peer p;
	int socks[2], ch;
	struct sub s;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	device();
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	pid = child();
	if (!pid) {
		become(OWNER, GROUP, NULL, 0);
		if (enter_userns(0))
			_exit(KSFT_SKIP);
		ch = must(make_channel(NULL, NULL));
		send_fd(socks[1], ch);
		must(join_role(ch, SLUICE_PUBLISHER));
		must(peer_of(ch, SLUICE_PUBLISHER, 0, &p));
		check(p.uid == 0 && p.gid == 0);
		step_say(&joined);
		step_hear(&go);
		must(peer_of(ch, SLUICE_SUBSCRIBER, 0, &p));
		check(p.uid == 65534);	/* root outside */
		_exit(0);
	}
	if (!(events_within(socks[0], POLLIN, PATIENCE_MS) & POLLIN))
		SKIP(return, "no user namespaces for users here");
	ch = recv_fd(socks[0]);
	step_hear(&joined);
	sub_join(&s, ch);
	m = table_read(&s.table, SLUICE_PUBLISHER, 0);
	EXPECT_EQ(0, m.uid) TH_LOG("as the maker's namespace sees it");
	EXPECT_EQ(0, m.gid);
	m = table_read(&s.table, SLUICE_SUBSCRIBER, 0);
	EXPECT_EQ(65534, m.uid);
	ASSERT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, 0, &p));
	EXPECT_EQ(OWNER, p.uid) TH_LOG("as the caller's sees it");
	EXPECT_EQ(GROUP, p.gid);
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

TEST_HARNESS_MAIN
