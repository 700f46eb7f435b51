// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may lock what: rights to a lockspace, users, groups, capabilities,
 * namespaces; what it takes to lock a file, and which file it is.
 */
#include "lock.h"
#include "users.h"

#include <sys/sysmacros.h>

#define NAME	"lock-perm"

static int space_as_made(__u32 mode, __u32 uid, __u32 gid)
{
	struct sluice_lockspace_open o = {
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.access = RW, .mode = mode, .uid = uid, .gid = gid,
	};

	return lockspace_full(&o, NAME);
}

static int try_open(void *access)
{
	int ret = open_lockspace(NAME, (uintptr_t)access);

	return ret < 0 ? ret : 0;
}

static int opens(uid_t uid, gid_t gid, gid_t more, __u32 access)
{
	return as_user(uid, gid, more, try_open, (void *)(uintptr_t)access);
}

static int allowed(__u32 bits, __u32 access)
{
	if (access & SLUICE_READ && !(bits & 4))
		return -EACCES;
	if (access & SLUICE_WRITE && !(bits & 2))
		return -EACCES;
	return 0;
}

TEST(modes_of_lockspaces)
{
	static const __u32 mode[] = { 0600, 0640, 0420, 0066, 0604, 0662, 0 };
	__u32 access;
	size_t i;

	if (geteuid())
		SKIP(return, "needs root");
	device();
	for (i = 0; i < ARRAY(mode); i++) {
		int fd = space_as_made(mode[i], OWNER, GROUP);

		ASSERT_LE(0, fd);
		for (access = 1; access <= RW; access++) {
			EXPECT_EQ(allowed(mode[i] >> 6, access),
				  opens(OWNER, GROUP, 0, access))
				TH_LOG("owner, %o, %u", mode[i], access);
			EXPECT_EQ(allowed(mode[i] >> 3, access),
				  opens(FRIEND, OTHER_GROUP, GROUP, access))
				TH_LOG("group, %o, %u", mode[i], access);
			EXPECT_EQ(allowed(mode[i], access),
				  opens(STRANGER, OTHER_GROUP, 0, access))
				TH_LOG("others, %o, %u", mode[i], access);
		}
		close(fd);
	}
}

static bool space_listed(const char *name)
{
	struct sluice_lockspace_stat st = { };
	struct sluice_list l = { .entries = (uintptr_t)&st };

	for (l.count = 1; !call(device(), SLUICE_IOC_LOCKSPACES, &l) && l.count;
	     l.count = 1)
		if (st.name_len == strlen(name) &&
		    !memcmp(st.name, name, st.name_len))
			return true;
	return false;
}

static int count_listed(void *unused)
{
	(void)unused;
	return space_listed(NAME) ? 0 : -ENOENT;
}

TEST(listed_to_whom)
{
	int fd;

	if (geteuid())
		SKIP(return, "needs root");
	device();
	fd = space_as_made(0640, OWNER, GROUP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, as_user(OWNER, OTHER_GROUP, 0, count_listed, NULL));
	EXPECT_EQ(0, as_user(FRIEND, GROUP, 0, count_listed, NULL));
	EXPECT_EQ(-ENOENT, as_user(STRANGER, OTHER_GROUP, 0, count_listed, NULL));
	EXPECT_TRUE(space_listed(NAME)) TH_LOG("root sees all");
	EXPECT_FALSE(name_listed(NAME)) TH_LOG("it is no channel");
}

/*
 * A ring over a lockspace that all may look at, and one that only root may.
 */
static int reads_ring(void *arg)
{
	struct sluice_waits *hidden = NULL, *shown = NULL, w[3] = { };
	static const char key[SLUICE_KEY_MAX];
	struct sluice_deadlock d = {
		.waits = (uintptr_t)w, .count = 3, .entry_size = sizeof(w[0]),
	};
	const __u64 *ids = arg;
	int i, told = 0;

	if (call(must(open_lockspace(NAME, SLUICE_READ)), SLUICE_IOC_DEADLOCK, &d))
		return -ESRCH;
	check(d.count == 3 && d.length == 3);
	for (i = 0; i < 3; i++) {
		told += !!w[i].lockspace;
		if (w[i].lockspace)
			shown = &w[i];
		else if (!w[i].holder)
			hidden = &w[i];
	}
	if (told == 3)
		return 0;
	check(told == 1 && shown && hidden);
	check(shown->holder == ids[0] && shown->pid && shown->key_len == 1);
	/* Who has it is seen in there; who waits for him is not. */
	i = shown + 1 - w;
	check(w[i % 3].holder == ids[1] && w[i % 3].pid && hidden == &w[(i + 1) % 3]);
	for (i = 0; i < 3; i++) {
		if (&w[i] == shown)
			continue;
		check(!w[i].kind && !w[i].key_len && !w[i].mode);
		check(!w[i].start && !w[i].end && !w[i].blocked_by);
		check(!memcmp(w[i].key, key, sizeof(key)));
	}
	check(!hidden->since && !hidden->pid && !hidden->tid && !hidden->uid);
	check(!memcmp(hidden->comm, key, sizeof(hidden->comm)));
	return -ENOENT;
}

/* 0 waits for what 1 has in the one; 1 for 2 and 2 for 0 in the other. */
TEST(deadlock_through_a_hidden_one)
{
	int space, hidden, h[3], i;
	__u64 ids[3];

	if (geteuid())
		SKIP(return, "needs root");
	device();
	space = space_as_made(0644, OWNER, GROUP);
	hidden = must(make_lockspace("private", 0));
	for (i = 0; i < 3; i++)
		h[i] = must(make_holder(&ids[i]));
	ASSERT_EQ(0, take(h[1], whole(space, "a", SLUICE_EX)));
	ASSERT_EQ(0, take(h[2], whole(hidden, "b", SLUICE_EX)));
	ASSERT_EQ(0, take(h[0], whole(hidden, "c", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(h[1], whole(hidden, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(h[2], whole(hidden, "c", SLUICE_EX)));
	ASSERT_EQ(-EDEADLK, take(h[0], whole(space, "a", SLUICE_EX)));
	EXPECT_EQ(0, reads_ring(ids)) TH_LOG("root sees all");
	EXPECT_EQ(-ENOENT, as_user(OWNER, GROUP, 0, reads_ring, ids));
	EXPECT_EQ(-ENOENT, as_user(STRANGER, OTHER_GROUP, 0, reads_ring, ids));
	for (i = 0; i < 3; i++)
		close(h[i]);
	close(space);
	close(hidden);
}

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
	device();
	fd = space_as_made(0, OWNER, GROUP);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, try_open((void *)(uintptr_t)RW));
	EXPECT_EQ(-EACCES, root_without(CAP_IPC_OWNER));
	EXPECT_EQ(0, root_without(CAP_DAC_OVERRIDE));
}

/* Channels and lockspaces of one name do not meet. */
TEST(two_kinds_of_names)
{
	int ch = make_channel(NAME, NULL), space;

	ASSERT_LE(0, ch);
	EXPECT_EQ(-ENOENT, open_lockspace(NAME, RW));
	space = make_lockspace(NAME, 0);
	ASSERT_LE(0, space);
	close(ch);
	EXPECT_EQ(-ENOENT, open_channel(NAME, RW));
	EXPECT_EQ(lockspace_stat(space).id,
		  lockspace_stat(open_lockspace(NAME, RW)).id);
}

/*
 * What the rights are for.
 */
static int may_take_item(struct sluice_item i)
{
	int h = must(make_holder(NULL));
	int ret = try(h, i);

	must(unlock_all(h));
	close(h);
	return ret;
}

static int may_take(int space, __u32 mode)
{
	return may_take_item(whole(space, "x", mode));
}

TEST(rights_by_mode)
{
	__u32 access, mode;
	int full = make_lockspace(NAME, 0);

	ASSERT_LE(0, full);
	for (access = 1; access <= RW; access++) {
		struct sluice_restrict r = { .access = access };
		int fd = open_lockspace(NAME, access);
		int narrow = call(full, SLUICE_IOC_RESTRICT, &r);

		ASSERT_LE(0, fd);
		ASSERT_LE(0, narrow);
		for (mode = SLUICE_NL; mode < MODES; mode++) {
			bool reads = mode == SLUICE_NL || mode == SLUICE_CR ||
				mode == SLUICE_PR;
			__u32 needs = reads ? SLUICE_READ : SLUICE_WRITE;
			int want = access & needs ? 0 : -EACCES;

			EXPECT_EQ(want, may_take(fd, mode))
				TH_LOG("access %u, mode %u", access, mode);
			EXPECT_EQ(want, may_take(narrow, mode))
				TH_LOG("restricted to %u, mode %u", access, mode);
		}
		close(fd);
		close(narrow);
	}
}

TEST(restrict_only_narrows)
{
	struct sluice_restrict r = { .access = SLUICE_READ };
	int full = make_lockspace(NULL, 0), reader;

	ASSERT_LE(0, full);
	reader = call(full, SLUICE_IOC_RESTRICT, &r);
	ASSERT_LE(0, reader);
	EXPECT_EQ(FD_CLOEXEC, fcntl(reader, F_GETFD));
	EXPECT_EQ(lockspace_stat(full).id, lockspace_stat(reader).id);
	r.access = RW;
	EXPECT_EQ(-EACCES, call(reader, SLUICE_IOC_RESTRICT, &r));
	r.access = 4;
	EXPECT_EQ(-EINVAL, call(full, SLUICE_IOC_RESTRICT, &r));
}

/* A descriptor is the right, whoever has it; one request may need two. */
TEST(descriptors_are_rights)
{
	struct sluice_item i[2];
	int fd, reader;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	fd = space_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	reader = open_lockspace(NAME, SLUICE_READ);
	ASSERT_LE(0, reader);
	i[0] = whole(reader, "r", SLUICE_PR);
	i[1] = whole(reader, "w", SLUICE_EX);
	pid = child();
	if (!pid) {
		int h;

		become(STRANGER, OTHER_GROUP, NULL, 0);
		check(open_lockspace(NAME, SLUICE_READ) == -EACCES);
		h = must(make_holder(NULL));
		check(lock_items(h, i, 2, SLUICE_LOCK_TRY) == -EACCES);
		check(!lockspace_stat(fd).grants);
		i[1].lockspace = fd;
		must(lock_items(h, i, 2, SLUICE_LOCK_TRY));
		check(lockspace_stat(fd).grants == 2);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
}

/*
 * Names, and namespaces.
 */

/* Grants keep the lockspace but not its name. */
TEST(name_goes_with_the_last_descriptor)
{
	int fd = make_lockspace(NAME, 0), h = make_holder(NULL);
	__u64 id = lockspace_stat(fd).id;

	ASSERT_EQ(0, take(h, whole(fd, "x", SLUICE_EX)));
	close(fd);
	EXPECT_EQ(-ENOENT, open_lockspace(NAME, RW));
	EXPECT_FALSE(space_listed(NAME));
	fd = make_lockspace(NAME, 0);
	ASSERT_LE(0, fd);
	EXPECT_NE(id, lockspace_stat(fd).id);
	EXPECT_EQ(0, try(h, whole(fd, "x", SLUICE_EX))) TH_LOG("another lockspace");
	EXPECT_EQ(0, unlock_all(h));
	EXPECT_EQ(0, lockspace_stat(fd).grants);
}

TEST(names_are_of_a_netns)
{
	int fd;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	fd = make_lockspace(NAME, 0);
	ASSERT_LE(0, fd);
	pid = child();
	if (!pid) {
		int other;

		must(unshare(CLONE_NEWNET));
		check(open_lockspace(NAME, RW) == -ENOENT);
		check(!space_listed(NAME));
		other = must(make_lockspace(NAME, 0));
		check(lockspace_stat(other).id != lockspace_stat(fd).id);
		/* What one has keeps working. */
		must(take(must(make_holder(NULL)), whole(fd, "x", SLUICE_EX)));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, lockspace_stat(fd).died);
}

TEST(fake_root_has_no_power)
{
	int fd;
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root");
	fd = space_as_made(0600, OWNER, GROUP);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, take(make_holder(NULL), whole(fd, "x", SLUICE_EX)));
	pid = child();
	if (!pid) {
		struct sluice_lock_entry e;

		become(STRANGER, OTHER_GROUP, NULL, 0);
		if (enter_userns(0))
			_exit(KSFT_SKIP);
		check(geteuid() == 0);
		check(open_lockspace(NAME, SLUICE_READ) == -EACCES);
		check(!space_listed(NAME));
		check(lockspace_stat(fd).uid == 65534);
		check(locks_of(fd, &e, 1) == 1);
		check(e.uid == 65534);
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

/* Who holds and waits is told in the words of who asks. */
TEST(ids_are_translated)
{
	struct step ready = step_make(), go = step_make();
	int space = make_lockspace(NULL, 0), status;
	struct sluice_lock_entry e[2];
	pid_t pid, inner;

	if (geteuid())
		SKIP(return, "needs root");
	ASSERT_LE(0, space);
	ASSERT_EQ(0, take(make_holder(NULL), whole(space, "x", SLUICE_PR)));
	pid = child();
	if (!pid) {
		must(unshare(CLONE_NEWPID));
		inner = must(fork());
		if (inner)
			_exit(waitpid(inner, &status, 0) == inner ?
			      WEXITSTATUS(status) : 1);
		become(STRANGER, OTHER_GROUP, NULL, 0);
		must(take(must(make_holder(NULL)), whole(space, "x", SLUICE_CR)));
		check(locks_of(space, e, 2) == 2);
		check(e[0].pid == 0 && e[0].tid == 0);	/* cannot be seen */
		check(e[1].pid == 1 && e[1].tid == 1);
		step_say(&ready);
		step_hear(&go);
		_exit(0);
	}
	step_hear(&ready);
	ASSERT_EQ(2, locks_of(space, e, 2));
	EXPECT_EQ(getpid(), e[0].pid);
	EXPECT_EQ(0, e[0].uid);
	EXPECT_LT(1, e[1].pid);
	EXPECT_NE(pid, e[1].pid);
	EXPECT_EQ(0, kill(e[1].pid, 0));
	EXPECT_EQ(STRANGER, e[1].uid);
	step_say(&go);
	EXPECT_EQ(0, reap(pid));
}

/*
 * Files.
 */
FIXTURE(file) {
	struct cast c;
	char dir[32], path[48];
	int rw, r, w;
};

FIXTURE_SETUP(file)
{
	cast_make(&self->c, 2);
	strcpy(self->dir, "/tmp/lock_perm.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	chmod(self->dir, 0755);
	snprintf(self->path, sizeof(self->path), "%s/file", self->dir);
	self->rw = must(open(self->path, O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	self->r = must(open(self->path, O_RDONLY | O_CLOEXEC));
	self->w = must(open(self->path, O_WRONLY | O_CLOEXEC));
}

FIXTURE_TEARDOWN(file)
{
	unlink(self->path);
	rmdir(self->dir);
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define F(fd, mode)	file_item(self->c.space, fd, SLUICE_##mode)

TEST_F(file, needs_the_open_mode)
{
	int path = must(open(self->path, O_PATH | O_CLOEXEC));
	__u32 mode;

	for (mode = SLUICE_NL; mode < MODES; mode++) {
		bool reads = mode == SLUICE_NL || mode == SLUICE_CR ||
			mode == SLUICE_PR;

		EXPECT_EQ(0, try(A, file_item(self->c.space, self->rw, mode)));
		EXPECT_EQ(reads ? 0 : -EBADF,
			  try(A, file_item(self->c.space, self->r, mode)))
			TH_LOG("mode %u", mode);
		if (mode != SLUICE_NL)
			EXPECT_EQ(reads ? -EBADF : 0,
				  try(A, file_item(self->c.space, self->w, mode)))
				TH_LOG("mode %u", mode);
		EXPECT_EQ(-EBADF, try(A, file_item(self->c.space, path, mode)));
		EXPECT_EQ(0, unlock(A, F(self->r, UNLOCKED)))
			TH_LOG("to let go needs nothing");
		EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	}
	close(path);
}

static int lock_directory(void *arg)
{
	struct sluice_item *i = arg;

	return may_take_item(*i);
}

TEST_F(file, directory_needs_permission_to_write)
{
	int dir = must(open(self->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct sluice_item ex = F(dir, EX), pr = F(dir, PR);

	if (geteuid())
		SKIP(return, "needs root");
	EXPECT_EQ(0, lock_directory(&ex));
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, 0, lock_directory, &pr));
	EXPECT_GT(0, as_user(STRANGER, OTHER_GROUP, 0, lock_directory, &ex));
	must(chmod(self->dir, 0777));
	EXPECT_EQ(0, as_user(STRANGER, OTHER_GROUP, 0, lock_directory, &ex));
	close(dir);
}

/* By whatever path and descriptor, it is one file. */
TEST_F(file, is_its_inode)
{
	char link_path[64], other_path[64];
	int linked, other, space = make_lockspace(NULL, 0);

	snprintf(link_path, sizeof(link_path), "%s/link", self->dir);
	snprintf(other_path, sizeof(other_path), "%s/other", self->dir);
	must(link(self->path, link_path));
	linked = must(open(link_path, O_RDWR | O_CLOEXEC));
	other = must(open(other_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_EQ(0, try(A, F(self->rw, EX)));
	EXPECT_EQ(-EAGAIN, try(B, F(linked, EX))) TH_LOG("a hard link");
	EXPECT_EQ(-EAGAIN, try(B, F(self->r, PR))) TH_LOG("another descriptor");
	EXPECT_EQ(0, try(B, F(other, EX)));
	EXPECT_EQ(0, try(B, file_item(space, self->rw, SLUICE_EX)))
		TH_LOG("lockspaces do not meet");
	must(rename(link_path, other_path));
	EXPECT_EQ(-EAGAIN, try(B, F(linked, EX))) TH_LOG("renamed");
	EXPECT_EQ(0, unlock(A, F(linked, UNLOCKED)));
	EXPECT_EQ(0, try(B, F(self->rw, EX)));
	unlink(other_path);
	close(other);
	close(linked);
}

/* A new file of the same name, even of the same number, is another. */
TEST_F(file, replaced)
{
	int i, fd;

	ASSERT_EQ(0, try(A, F(self->rw, EX)));
	close(self->rw);
	close(self->r);
	close(self->w);
	EXPECT_EQ(1, lockspace_stat(self->c.space).grants)
		TH_LOG("closing the file is not letting go");
	for (i = 0; i < 50; i++) {
		must(unlink(self->path));
		fd = must(open(self->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
		EXPECT_EQ(0, try(B, F(fd, EX)));
		close(fd);
		ASSERT_EQ(0, unlock_all(B));
	}
	EXPECT_EQ(1, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(0, unlock_all(A));
}

TEST_F(file, ranges)
{
	struct sluice_item a = F(self->rw, EX), b = F(self->rw, EX);

	a.end = 9;
	b.start = 10;
	EXPECT_EQ(0, try(A, a));
	EXPECT_EQ(0, try(B, b));
	b.start = 9;
	EXPECT_EQ(-EAGAIN, try(B, b));
}

TEST_F(file, key_is_told)
{
	struct sluice_lock_entry e;
	struct sluice_file_key k;
	struct stat st;

	ASSERT_EQ(0, try(A, F(self->rw, PR)));
	ASSERT_EQ(0, fstat(self->rw, &st));
	ASSERT_EQ(1, locks_of(self->c.space, &e, 1));
	EXPECT_EQ(SLUICE_KIND_FILE, e.kind);
	EXPECT_EQ(sizeof(k), e.key_len);
	memcpy(&k, e.key, sizeof(k));
	EXPECT_EQ(major(st.st_dev), k.major);
	EXPECT_EQ(minor(st.st_dev), k.minor);
	EXPECT_EQ(st.st_ino, k.ino);
	EXPECT_EQ(0, k.resv);
}

/* Whoever has a name of the very bytes of a file's key has not the file. */
TEST_F(file, is_no_name)
{
	struct sluice_item name = whole(self->c.space, "", SLUICE_EX);
	struct sluice_lock_entry e;

	ASSERT_EQ(0, try(A, F(self->rw, EX)));
	ASSERT_EQ(1, locks_of(self->c.space, &e, 1));
	name.key_len = e.key_len;
	memcpy(name.key, e.key, sizeof(name.key));
	EXPECT_EQ(0, try(B, name));
}

TEST_HARNESS_MAIN
