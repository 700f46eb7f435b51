// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call of lockspaces and holders refused for every reason that it has,
 * and results that cannot be told: what was granted is undone.
 */
#include "lock.h"
#include "refusal.h"

#include <limits.h>

#define KEY	"key"

FIXTURE(refused) {
	struct cast c;
	int fds;
};

FIXTURE_SETUP(refused)
{
	device();
	cast_make(&self->c, 2);
	self->fds = open_fds();
}

FIXTURE_TEARDOWN(refused)
{
	EXPECT_EQ(self->fds, open_fds())
		TH_LOG("a refused call left a descriptor");
	unlock_all(self->c.h[0]);
	unlock_all(self->c.h[1]);
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(0, waiting_in(self->c.space));
	cast_close(&self->c);
}

#define A	(self->c.h[0])
#define B	(self->c.h[1])
#define SPACE	(self->c.space)
#define GRANTS	lockspace_stat(SPACE).grants

/*
 * The device's.
 */
static struct sluice_lockspace_open good_lockspace(void)
{
	struct sluice_lockspace_open o = {
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.access = RW,
		.name_len = 7,
		.mode = 0600,
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
		.name = "refused",
	};

	return o;
}

#define SPACE_REFUSED(err, ...)						\
	REFUSED(err, device(), SLUICE_IOC_LOCKSPACE,			\
		struct sluice_lockspace_open, good_lockspace(), ##__VA_ARGS__)

TEST_F(refused, lockspace)
{
	int i, fd;

	SPACE_REFUSED(EINVAL, x.flags |= 0x4);
	SPACE_REFUSED(EINVAL, x.flags |= 1U << 31);
	SPACE_REFUSED(EINVAL, x.flags = SLUICE_OPEN_EXCL);
	SPACE_REFUSED(EINVAL, x.access = 0);
	SPACE_REFUSED(EINVAL, x.access |= 0x4);
	SPACE_REFUSED(EINVAL, x.resv = 1);
	SPACE_REFUSED(EINVAL, x.mode = 0700);
	SPACE_REFUSED(EINVAL, x.mode = 01600);
	SPACE_REFUSED(ENAMETOOLONG, x.name_len = SLUICE_NAME_MAX + 1);
	SPACE_REFUSED(EINVAL, x.name[3] = '\n');
	SPACE_REFUSED(EINVAL, x.name[0] = 0);
	SPACE_REFUSED(EINVAL, x.flags = 0, x.name_len = 0);
	SPACE_REFUSED(ENOENT, x.flags = 0);
	SPACE_REFUSED(EINVAL, x.config.flags = ~SLUICE_LOCKSPACE_TRUSTED);
	SPACE_REFUSED(EINVAL, x.config.words = 1);
	SPACE_REFUSED(EINVAL, x.config.resv = 1);
	SPACE_REFUSED(EINVAL, x.config.victim = SLUICE_VICTIM_PRIORITY + 1);
	for (i = 0; i < ARRAY(good_lockspace().config.resv2); i++)
		SPACE_REFUSED(EINVAL, x.config.resv2[i] = 1);
	fd = make_lockspace("refused", 0);
	ASSERT_LE(0, fd);
	SPACE_REFUSED(EEXIST);
	close(fd);
	SPACE_REFUSED(ENOENT, x.flags = 0);
}

TEST_F(refused, lockspace_fault)
{
	struct sluice_lockspace_open o = good_lockspace();

	EXPECT_EQ(-EFAULT, call(device(), SLUICE_IOC_LOCKSPACE,
				read_only(&o, sizeof(o))));
	EXPECT_EQ(-ENOENT, open_lockspace("refused", RW));
}

static struct sluice_list good_list(void)
{
	static struct sluice_lockspace_stat st;
	struct sluice_list l = { .entries = (uintptr_t)&st, .count = 1 };

	return l;
}

#define LIST_REFUSED(err, ...)						\
	REFUSED(err, device(), SLUICE_IOC_LOCKSPACES, struct sluice_list, \
		good_list(), ##__VA_ARGS__)

TEST_F(refused, lockspaces)
{
	struct sluice_lockspace_stat st;
	int fd = make_lockspace("listed", 0);

	ASSERT_LE(0, fd);
	LIST_REFUSED(EINVAL, x.resv = 1);
	LIST_REFUSED(EINVAL, x.after_len = SLUICE_NAME_MAX + 1);
	LIST_REFUSED(EINVAL, x.entry_size = SLUICE_LOCKSPACE_STAT_SIZE_1 - 1);
	LIST_REFUSED(0);
	LIST_REFUSED(EFAULT, x.entries = 16);
	LIST_REFUSED(EFAULT, x.entries = (uintptr_t)read_only(&st, sizeof(st)));
	close(fd);
}

#define HOLDER_REFUSED(err, ...)					\
	REFUSED(err, device(), SLUICE_IOC_HOLDER, struct sluice_holder_new, \
		{ }, ##__VA_ARGS__)

TEST_F(refused, holder)
{
	struct sluice_holder_new h = { };
	int fd;

	HOLDER_REFUSED(EINVAL, x.flags = 1);
	HOLDER_REFUSED(EINVAL, x.flags = 1U << 31);
	HOLDER_REFUSED(EINVAL, x.resv = 1);
	EXPECT_EQ(-EFAULT, call(device(), SLUICE_IOC_HOLDER,
				read_only(&h, sizeof(h))));
	fd = make_holder(&h.id);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_LT(self->c.id[1], h.id);
	close(fd);
}

/*
 * LOCK.
 */
static struct sluice_item item[2];

static struct sluice_lock good_lock(int space)
{
	struct sluice_lock l = {
		.items = (uintptr_t)item,
		.count = 1,
		.flags = SLUICE_LOCK_TRY,
	};

	item[0] = whole(space, KEY, SLUICE_EX);
	item[1] = whole(space, "other", SLUICE_EX);
	return l;
}

#define LOCK_REFUSED(err, ...)						\
	REFUSED(err, A, SLUICE_IOC_LOCK, struct sluice_lock,		\
		good_lock(SPACE), ##__VA_ARGS__)

TEST_F(refused, lock)
{
	LOCK_REFUSED(EINVAL, x.flags |= 0x8);
	LOCK_REFUSED(EINVAL, x.flags |= 1U << 31);
	LOCK_REFUSED(EINVAL, x.resv = 1);
	LOCK_REFUSED(EINVAL, x.count = 0);
	LOCK_REFUSED(EINVAL, x.count = SLUICE_ITEMS_MAX + 1);
	LOCK_REFUSED(EINVAL, x.count = ~0U);
	LOCK_REFUSED(EINVAL, x.entry_size = SLUICE_ITEM_SIZE_1 - 1);
	LOCK_REFUSED(EINVAL, x.entry_size = 1);
	LOCK_REFUSED(EINVAL, x.priority = SLUICE_PRIORITY_MAX + 1);
	LOCK_REFUSED(EINVAL, x.priority = INT_MAX);
	LOCK_REFUSED(EINVAL, x.priority = INT_MIN);
	LOCK_REFUSED(EFAULT, x.items = 0);
	LOCK_REFUSED(EFAULT, x.items = 16);
	LOCK_REFUSED(EFAULT, x.items = ~0ULL - 64);
	LOCK_REFUSED(EFAULT, x.items += sysconf(_SC_PAGESIZE) * 1000000L);
}

TEST_F(refused, lock_item)
{
	LOCK_REFUSED(EINVAL, item[0].kind = 0);
	LOCK_REFUSED(EINVAL, item[0].kind = SLUICE_KIND_FILE + 1);
	LOCK_REFUSED(EINVAL, item[0].mode = SLUICE_UNLOCKED);
	LOCK_REFUSED(EINVAL, item[0].mode = SLUICE_EX + 1);
	LOCK_REFUSED(EINVAL, item[0].mode = ~0U);
	LOCK_REFUSED(EINVAL, item[0].flags = 0x8);
	LOCK_REFUSED(EINVAL, item[0].flags = SLUICE_ITEM_FCNTL);
	LOCK_REFUSED(EINVAL, item[0].flags = SLUICE_ITEM_FLOCK);
	LOCK_REFUSED(EINVAL, item[0].flags = 1U << 31);
	LOCK_REFUSED(EINVAL, item[0].resv = 1);
	LOCK_REFUSED(EINVAL, item[0].start = 8, item[0].end = 7);
	LOCK_REFUSED(EINVAL, item[0].start = SLUICE_END, item[0].end = 0);
	LOCK_REFUSED(EINVAL, item[0].key_len = 0);
	LOCK_REFUSED(EINVAL, item[0].key_len = SLUICE_KEY_MAX + 1);
	/* The first is good, and is not taken. */
	LOCK_REFUSED(EINVAL, x.count = 2, item[1].mode = 0);
	LOCK_REFUSED(EINVAL, x.count = 2, x.flags |= SLUICE_LOCK_ANY,
		     item[1].mode = 0);
}

TEST_F(refused, lock_item_descriptors)
{
	int ch = make_channel(NULL, NULL), pipes[2];

	ASSERT_LE(0, ch);
	must(pipe2(pipes, O_CLOEXEC));
	LOCK_REFUSED(EBADF, item[0].lockspace = -1);
	LOCK_REFUSED(EBADF, item[0].lockspace = 4711);
	LOCK_REFUSED(EINVAL, item[0].lockspace = device());
	LOCK_REFUSED(EINVAL, item[0].lockspace = ch);
	LOCK_REFUSED(EINVAL, item[0].lockspace = A);
	LOCK_REFUSED(EINVAL, item[0].lockspace = pipes[0]);
	LOCK_REFUSED(EBADF, x.count = 2, item[1].lockspace = -1);
	LOCK_REFUSED(EBADF, item[0].kind = SLUICE_KIND_FILE, item[0].fd = -1);
	LOCK_REFUSED(EBADF, item[0].kind = SLUICE_KIND_FILE, item[0].fd = 4711);
	close(ch);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(refused, lock_items_that_overlap)
{
	LOCK_REFUSED(EINVAL, x.count = 2, item[1] = item[0]);
	LOCK_REFUSED(EINVAL, x.count = 2, item[1] = item[0],
		     item[0].mode = SLUICE_NL, item[1].mode = SLUICE_CR);
	LOCK_REFUSED(EINVAL, x.count = 2, item[1] = item[0], item[0].end = 7,
		     item[1].start = 7);
	LOCK_REFUSED(EINVAL, x.count = 2, item[1] = item[0], item[1].key[10] = 1);
	LOCK_REFUSED(0, x.count = 2, item[1] = item[0], item[0].end = 7,
		     item[1].start = 8);
	LOCK_REFUSED(0, x.count = 2, item[1] = item[0],
		     x.flags |= SLUICE_LOCK_ANY);
}

TEST_F(refused, lock_items_of_one_file)
{
	char path[] = "/tmp/refused.XXXXXX", link[] = "/tmp/refused.link";
	int fd = mkstemp(path), other;

	ASSERT_LE(0, fd);
	must(unlink(link) && errno != ENOENT ? -1 : 0);
	must(symlink(path, link));
	other = must(open(link, O_RDWR | O_CLOEXEC));
	LOCK_REFUSED(EINVAL, x.count = 2, item[0] = file_item(SPACE, fd, SLUICE_PR),
		     item[1] = file_item(SPACE, other, SLUICE_PR));
	close(fd);
	close(other);
	unlink(link);
	unlink(path);
}

/* A deadline long over is one. */
TEST_F(refused, lock_deadlines)
{
	ASSERT_EQ(0, take(B, whole(SPACE, KEY, SLUICE_PR)));
	LOCK_REFUSED(EAGAIN);
	LOCK_REFUSED(EAGAIN, x.deadline = SLUICE_NO_DEADLINE);
	LOCK_REFUSED(ETIMEDOUT, x.flags = 0, x.deadline = -1);
	LOCK_REFUSED(ETIMEDOUT, x.flags = 0, x.deadline = LLONG_MIN);
	LOCK_REFUSED(ETIMEDOUT, x.flags = 0, x.deadline = 1);
}

/*
 * Arrays whose entries are further apart, or are longer than the kernel knows.
 */
struct wide_item {
	struct sluice_item item;
	__u8 more[72];
};

TEST_F(refused, wide_items)
{
	struct wide_item w[2] = {
		{ whole(SPACE, KEY, SLUICE_EX) },
		{ whole(SPACE, "other", SLUICE_PW) },
	};
	struct sluice_lock l = {
		.items = (uintptr_t)w, .count = 2, .entry_size = sizeof(w[0]),
		.flags = SLUICE_LOCK_TRY,
	};
	struct sluice_items u = {
		.items = (uintptr_t)w, .count = 2, .entry_size = sizeof(w[0]),
	};

	w[1].more[sizeof(w[1].more) - 1] = 1;
	EXPECT_EQ(-E2BIG, call(A, SLUICE_IOC_LOCK, &l));
	w[1].more[sizeof(w[1].more) - 1] = 0;
	EXPECT_EQ(0, call(A, SLUICE_IOC_LOCK, &l));
	EXPECT_LT(0, w[0].item.token);
	EXPECT_LT(w[0].item.token, w[1].item.token);
	w[0].item.mode = SLUICE_UNLOCKED;
	w[1].item.mode = SLUICE_PR;
	w[0].more[0] = 1;
	EXPECT_EQ(-E2BIG, call(A, SLUICE_IOC_UNLOCK, &u));
	EXPECT_EQ(2, GRANTS);
	w[0].more[0] = 0;
	EXPECT_EQ(0, call(A, SLUICE_IOC_UNLOCK, &u));
	EXPECT_EQ(SLUICE_PR, mode_at(SPACE, self->c.id[0], "other", 0));
	EXPECT_EQ(1, GRANTS);
}

/* 0 is the first edition's size. */
TEST_F(refused, items_of_the_first_edition)
{
	LOCK_REFUSED(0, x.count = 2, x.entry_size = 0);
	EXPECT_EQ(2, GRANTS);
	EXPECT_LT(0, item[1].token);
}

TEST_F(refused, shorter_lock)
{
	struct sluice_item i = whole(SPACE, KEY, SLUICE_EX);
	struct sluice_lock l = {
		.items = (uintptr_t)&i, .count = 1,
		.flags = ~0U, .resv = ~0U, .deadline = 77,
	};
	unsigned int cmd = _IOC(3U, 0xB5, 0xE0, offsetof(struct sluice_lock, flags));

	/* No flags, and a deadline that is over: waits for nothing. */
	EXPECT_EQ(0, call(A, cmd, &l));
	EXPECT_EQ(-ETIMEDOUT, call(B, cmd, &l));
	EXPECT_EQ(~0U, l.flags & l.resv);
	EXPECT_EQ(77, l.deadline);
}

/*
 * Results that cannot be written.
 */
static struct sluice_item *unwritable(struct sluice_item *items, int n)
{
	return read_only(items, n * sizeof(*items));
}

TEST_F(refused, grant_that_cannot_be_told)
{
	struct sluice_item i = whole(SPACE, KEY, SLUICE_EX);

	EXPECT_EQ(-EFAULT, lock_items(A, unwritable(&i, 1), 1, SLUICE_LOCK_TRY));
	EXPECT_EQ(-EFAULT, lock_items(A, unwritable(&i, 1), 1, 0));
	EXPECT_EQ(0, GRANTS);
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
	EXPECT_EQ(0, try(B, i));
	EXPECT_EQ(0, unlock_all(B));
	i.mode = SLUICE_PR;
	EXPECT_EQ(-EFAULT, lock_items(A, unwritable(&i, 1), 1, SLUICE_LOCK_TRY));
	EXPECT_EQ(0, GRANTS);
}

/* The first item's page can be written, the second one's cannot. */
TEST_F(refused, second_item_that_cannot_be_told)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sluice_item *i = (void *)(p + page - sizeof(*i));

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, take(A, whole(SPACE, "other", SLUICE_PR)));
	i[0] = whole(SPACE, KEY, SLUICE_EX);
	i[1] = whole(SPACE, "other", SLUICE_EX);
	must(mprotect(p + page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, lock_items(A, i, 2, SLUICE_LOCK_TRY));
	EXPECT_EQ(1, GRANTS);
	EXPECT_EQ(SLUICE_PR, mode_at(SPACE, self->c.id[0], "other", 0));
	EXPECT_EQ(0, try(B, whole(SPACE, KEY, SLUICE_EX)));
	EXPECT_EQ(0, try(B, whole(SPACE, "other", SLUICE_PR)));
	must(munmap(p + page, page));
	EXPECT_EQ(-EFAULT, lock_items(A, i, 2, SLUICE_LOCK_TRY)) TH_LOG("unread");
	munmap(p, page);
}

/* The old mode, its token and its neighbours are as they were. */
TEST_F(refused, conversion_that_cannot_be_told)
{
	struct sluice_item i = range(SPACE, KEY, SLUICE_PW, 10, 19), up;
	struct sluice_lock_entry before[8], after[8];
	size_t n;

	ASSERT_EQ(0, take(A, range(SPACE, KEY, SLUICE_PR, 0, 29)));
	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	up = range(SPACE, KEY, SLUICE_EX, 5, 40);
	n = locks_of(SPACE, before, 8);
	EXPECT_EQ(3, n);
	EXPECT_EQ(-EFAULT, lock_items(A, unwritable(&up, 1), 1, SLUICE_LOCK_TRY));
	up.mode = SLUICE_NL;
	EXPECT_EQ(-EFAULT, lock_items(A, unwritable(&up, 1), 1, SLUICE_LOCK_TRY));
	ASSERT_EQ(n, locks_of(SPACE, after, 8));
	EXPECT_EQ(0, memcmp(before, after, n * sizeof(before[0])));
	EXPECT_EQ(-EAGAIN, try(B, range(SPACE, KEY, SLUICE_PR, 10, 10)));
}

/* Granted after a wait; who was behind goes on. */
TEST_F(refused, awaited_grant_that_cannot_be_told)
{
	struct sluice_item i = whole(SPACE, KEY, SLUICE_EX);
	pid_t pid;

	ASSERT_EQ(0, take(A, i));
	pid = child();
	if (!pid)
		_exit(-lock_items(must(make_holder(NULL)), unwritable(&i, 1), 1, 0));
	ASSERT_TRUE(until(waiting_in(SPACE) == 1));
	ASSERT_EQ(-EINPROGRESS, ask(B, i));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(EFAULT, reap(pid));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(1, GRANTS);
}

/* The structure itself: INDEX of any. */
TEST_F(refused, index_that_cannot_be_told)
{
	struct sluice_lock l = good_lock(SPACE);

	l.flags |= SLUICE_LOCK_ANY;
	l.count = 2;
	EXPECT_EQ(-EFAULT, call(A, SLUICE_IOC_LOCK, read_only(&l, sizeof(l))));
	EXPECT_EQ(0, GRANTS);
}

/* An event that cannot be written is there still. */
TEST_F(refused, event_that_cannot_be_told)
{
	struct sluice_item i = whole(SPACE, KEY, SLUICE_EX), got = { };
	struct sluice_lock_event ev = { };

	ASSERT_EQ(0, take(A, i));
	ASSERT_EQ(-EINPROGRESS, ask(B, i));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-EFAULT, call(B, SLUICE_IOC_EVENT, read_only(&ev, sizeof(ev))));
	EXPECT_EQ(-EFAULT, event_with(B, &ev, unwritable(&got, 1), 1));
	EXPECT_EQ(1, GRANTS);
	EXPECT_TRUE(is_done(B));
	EXPECT_EQ(0, event_with(B, &ev, &got, 1));
	EXPECT_EQ(0, ev.error);
	EXPECT_LT(0, got.token);
}

/*
 * UNLOCK, RENEW, RECOVER.
 */
static struct sluice_items good_items(int space)
{
	struct sluice_items u = { .items = (uintptr_t)item, .count = 1 };

	item[0] = whole(space, KEY, SLUICE_UNLOCKED);
	item[1] = whole(space, "other", SLUICE_UNLOCKED);
	return u;
}

#define ITEMS_REFUSED(err, CMD, ...)					\
	REFUSED(err, A, SLUICE_IOC_##CMD, struct sluice_items,		\
		good_items(SPACE), ##__VA_ARGS__)

/* What all three have in common; @ok is the flag with which it is good. */
#define COMMON_REFUSED(CMD, ok) do {					\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = (ok) | 0x4);		\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = (ok) | 1U << 31);		\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, x.resv = 1);		\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok,			\
		      x.count = SLUICE_ITEMS_MAX + 1);			\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok,			\
		      x.entry_size = SLUICE_ITEM_SIZE_1 - 1);		\
	ITEMS_REFUSED(EFAULT, CMD, x.flags = ok, x.items = 16);		\
	ITEMS_REFUSED(EBADF, CMD, x.flags = ok, item[0].lockspace = -1); \
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].lockspace = B); \
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].kind = 0);	\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].key_len = 0);	\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].key_len = 65);	\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].start = 1,	\
		      item[0].end = 0);					\
	ITEMS_REFUSED(EINVAL, CMD, x.flags = ok, item[0].resv = 1);	\
} while (0)

TEST_F(refused, unlock)
{
	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_PR)));
	ASSERT_EQ(0, take(A, whole(SPACE, "other", SLUICE_PR)));
	COMMON_REFUSED(UNLOCK, 0);
	ITEMS_REFUSED(EINVAL, UNLOCK, x.flags = 0x2);
	ITEMS_REFUSED(EINVAL, UNLOCK, x.flags = SLUICE_UNLOCK_ALL);
	ITEMS_REFUSED(EINVAL, UNLOCK, item[0].mode = SLUICE_EX + 1);
	ITEMS_REFUSED(EINVAL, UNLOCK, item[0].mode = SLUICE_EX);
	ITEMS_REFUSED(EINVAL, UNLOCK, x.count = 2, item[1].mode = SLUICE_CW);
	EXPECT_EQ(2, GRANTS);
	ITEMS_REFUSED(0, UNLOCK, x.count = 2);
	EXPECT_EQ(0, GRANTS);
	ITEMS_REFUSED(0, UNLOCK, x.count = 2);
}

TEST_F(refused, renew)
{
	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_PR)));
	COMMON_REFUSED(RENEW, 0);
	ITEMS_REFUSED(EINVAL, RENEW, x.flags = 0x1);
	ITEMS_REFUSED(0, RENEW, item[0].lease = 100 * NSEC_PER_SEC);
}

TEST_F(refused, recover)
{
	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_EX)));
	COMMON_REFUSED(RECOVER, SLUICE_RECOVER_CONSISTENT);
	ITEMS_REFUSED(EINVAL, RECOVER, x.flags = 0);
	ITEMS_REFUSED(EINVAL, RECOVER, x.flags = SLUICE_RECOVER_CONSISTENT |
		      SLUICE_RECOVER_LOST);
	ITEMS_REFUSED(0, RECOVER, x.flags = SLUICE_RECOVER_LOST);
	ITEMS_REFUSED(0, RECOVER, x.flags = SLUICE_RECOVER_CONSISTENT);
}

/*
 * VALUE.
 */
static struct sluice_value good_value(int space)
{
	struct sluice_value v = {
		.lockspace = space, .kind = SLUICE_KIND_NAME,
		.key_len = strlen(KEY), .key = KEY,
	};

	return v;
}

#define VALUE_REFUSED(err, ...)						\
	REFUSED(err, A, SLUICE_IOC_VALUE, struct sluice_value,		\
		good_value(SPACE), ##__VA_ARGS__)

TEST_F(refused, value)
{
	struct sluice_value v = good_value(SPACE);

	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_EX)));
	VALUE_REFUSED(0);
	VALUE_REFUSED(EINVAL, x.flags = 0x2);
	VALUE_REFUSED(EINVAL, x.kind = 0);
	VALUE_REFUSED(EINVAL, x.key_len = 0);
	VALUE_REFUSED(EINVAL, x.key_len = SLUICE_KEY_MAX + 1);
	VALUE_REFUSED(EBADF, x.lockspace = -1);
	VALUE_REFUSED(EINVAL, x.lockspace = B);
	VALUE_REFUSED(EBADF, x.kind = SLUICE_KIND_FILE, x.fd = -1);
	EXPECT_EQ(-EFAULT, call(A, SLUICE_IOC_VALUE, read_only(&v, sizeof(v))));
}

/*
 * The lockspace's.
 */
static struct sluice_locks good_locks(void)
{
	static struct sluice_lock_entry e;
	struct sluice_locks l = { .entries = (uintptr_t)&e, .count = 1 };

	return l;
}

#define LOCKS_REFUSED(err, ...)						\
	REFUSED(err, SPACE, SLUICE_IOC_LOCKS, struct sluice_locks,	\
		good_locks(), ##__VA_ARGS__)

TEST_F(refused, locks)
{
	struct sluice_lock_entry e[2];

	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_EX)));
	LOCKS_REFUSED(0);
	LOCKS_REFUSED(EINVAL, x.resv = 1);
	LOCKS_REFUSED(EINVAL, x.entry_size = SLUICE_LOCK_ENTRY_SIZE_1 - 1);
	LOCKS_REFUSED(EINVAL, x.count = 0);
	LOCKS_REFUSED(EFAULT, x.entries = 16);
	LOCKS_REFUSED(EFAULT, x.entries = (uintptr_t)read_only(e, sizeof(e)));
}

/* Entries further apart than ours: the rest of each is zeroed. */
TEST_F(refused, wide_lock_entries)
{
	struct { struct sluice_lock_entry e; __u8 more[24]; } w[2];
	struct sluice_locks l = {
		.entries = (uintptr_t)w, .count = 2, .entry_size = sizeof(w[0]),
	};
	__u8 zero[24] = { };

	ASSERT_EQ(0, take(A, whole(SPACE, KEY, SLUICE_PR)));
	ASSERT_EQ(0, take(B, whole(SPACE, KEY, SLUICE_PR)));
	memset(w, 0xa5, sizeof(w));
	ASSERT_EQ(0, call(SPACE, SLUICE_IOC_LOCKS, &l));
	ASSERT_EQ(2, l.count);
	EXPECT_EQ(0, memcmp(w[0].more, zero, sizeof(zero)));
	EXPECT_EQ(0, memcmp(w[1].more, zero, sizeof(zero)));
	EXPECT_EQ(SLUICE_PR, w[1].e.mode);
}

/* In small bites it is the same list; what goes meanwhile does no harm. */
TEST_F(refused, locks_in_pieces)
{
	struct sluice_lock_entry all[64], e;
	struct sluice_locks l = { .entries = (uintptr_t)&e };
	char key[8];
	size_t n, i;

	for (i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "%zu", i / 3);
		ASSERT_EQ(0, take(A, range(SPACE, key, SLUICE_PR, 10 * (i % 3),
					   10 * (i % 3) + 5)));
	}
	n = locks_of(SPACE, all, 64);
	ASSERT_EQ(30, n);
	for (i = 0; i < n; i++) {
		l.count = 1;
		ASSERT_EQ(0, call(SPACE, SLUICE_IOC_LOCKS, &l));
		ASSERT_EQ(1, l.count);
		EXPECT_EQ(0, memcmp(&all[i], &e, sizeof(e)));
	}
	l.count = 1;
	ASSERT_EQ(0, call(SPACE, SLUICE_IOC_LOCKS, &l));
	EXPECT_EQ(0, l.count);
}

#define DEADLOCK_REFUSED(err, ...)					\
	REFUSED(err, SPACE, SLUICE_IOC_DEADLOCK, struct sluice_deadlock, \
		{ }, ##__VA_ARGS__)

TEST_F(refused, deadlock)
{
	struct sluice_item a = whole(SPACE, KEY, SLUICE_PR), up = a;

	DEADLOCK_REFUSED(ENOENT);
	up.mode = SLUICE_EX;
	ASSERT_EQ(0, take(A, a));
	ASSERT_EQ(0, take(B, a));
	ASSERT_EQ(-EINPROGRESS, ask(A, up));
	ASSERT_EQ(-EDEADLK, take(B, up));
	DEADLOCK_REFUSED(0);
	DEADLOCK_REFUSED(EINVAL, x.resv = 1);
	DEADLOCK_REFUSED(EINVAL, x.entry_size = SLUICE_WAITS_SIZE_1 - 1);
	DEADLOCK_REFUSED(EFAULT, x.count = 1, x.waits = 16);
	DEADLOCK_REFUSED(EFAULT, x.count = 1,
			 x.waits = (uintptr_t)read_only(&a, sizeof(a)));
	DEADLOCK_REFUSED(ENOENT, x.after = ~0ULL);
	ASSERT_EQ(0, cancel(A));
}

TEST_F(refused, lockspace_stat)
{
	struct sluice_lockspace_stat st = { };

	EXPECT_EQ(-EFAULT, call(SPACE, SLUICE_IOC_LOCKSPACE_STAT,
				read_only(&st, sizeof(st))));
}

TEST_HARNESS_MAIN
