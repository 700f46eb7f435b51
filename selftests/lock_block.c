// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: memory that only the holder of its lock can touch, whatever a
 * program tries; and what is taken away is taken away from all at once.
 *
 * timeout: 400
 */
#include "lock.h"
#include "parameters.h"
#include "users.h"

#include <linux/io_uring.h>
#include <setjmp.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define KEY		"block"
#define PAGES		4

/*
 * Touching, in any thread: the signal it takes, negated, or what was read.
 */
static __thread sigjmp_buf touch_end;

static void touch_failed(int sig)
{
	siglongjmp(touch_end, sig);
}

static void catch_touches(void)
{
	struct sigaction sa = { .sa_handler = touch_failed, .sa_flags = SA_NODEFER };

	must(sigaction(SIGBUS, &sa, NULL));
	must(sigaction(SIGSEGV, &sa, NULL));
}

static int load(const volatile unsigned char *p)
{
	int sig = sigsetjmp(touch_end, 0);

	return sig ? -sig : *p;
}

static int store(volatile unsigned char *p, int value)
{
	int sig = sigsetjmp(touch_end, 0);

	if (sig)
		return -sig;
	*p = value;
	return 0;
}

/*
 * Views.
 */
static struct sluice_block_open open_of(int space, const char *key, __u32 flags,
					__u64 size, __u64 limit)
{
	struct sluice_block_open o = {
		.lockspace = space, .flags = flags, .size = size, .limit = limit,
		.key_len = strlen(key),
	};

	memcpy(o.key, key, o.key_len);
	return o;
}

static int open_block(int h, int space, __u32 flags, __u64 size, __u64 limit)
{
	struct sluice_block_open o = open_of(space, KEY, flags, size, limit);

	return call(h, SLUICE_IOC_BLOCK, &o);
}

static unsigned char *map_view(int view, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, view, 0);

	check(p != MAP_FAILED);
	return p;
}

static int resize(int view, __u64 size)
{
	struct sluice_block_size s = { .size = size };

	return call(view, SLUICE_IOC_BLOCK_SIZE, &s);
}

static struct sluice_block_size size_of(int view)
{
	struct sluice_block_size s = { };

	must(call(view, SLUICE_IOC_BLOCK_SIZE, &s));
	return s;
}

static int give_back(int view, __u64 start, __u64 end)
{
	struct sluice_block_free f = { start, end };

	return call(view, SLUICE_IOC_BLOCK_FREE, &f);
}

/* Two holders, A and B, with a view each of one block. */
FIXTURE(block) {
	struct cast c;
	int view[2];
	unsigned char *p[2];
	long page;
	size_t size;
};

FIXTURE_SETUP(block)
{
	int i;

	catch_touches();
	cast_make(&self->c, 2);
	self->page = sysconf(_SC_PAGESIZE);
	self->size = PAGES * self->page;
	for (i = 0; i < 2; i++) {
		self->view[i] = must(open_block(self->c.h[i], self->c.space,
						SLUICE_OPEN_CREATE, self->size, 0));
		self->p[i] = map_view(self->view[i], self->size);
	}
}

FIXTURE_TEARDOWN(block)
{
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define SPACE		(self->c.space)
#define PAGE		(self->page)
#define I(mode)		whole(SPACE, KEY, SLUICE_##mode)
#define R(mode, s, e)	range(SPACE, KEY, SLUICE_##mode, s, e)

/* What A takes, stores and lets go; for what comes after. */
static void fill(FIXTURE_DATA(block) *self, int value)
{
	must(take(A, I(EX)));
	memset(self->p[0], value, self->size);
	must(unlock(A, I(UNLOCKED)));
}

/*
 * What each mode permits.
 */
TEST_F(block, without_the_lock)
{
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 1));
	fill(self, 0x5a);
	EXPECT_EQ(-SIGBUS, load(self->p[0])) TH_LOG("it was there just now");
	EXPECT_EQ(-SIGBUS, store(self->p[0], 1));
	EXPECT_EQ(-SIGBUS, load(self->p[1]));
	ASSERT_EQ(0, take(A, whole(SPACE, "other", SLUICE_EX)));
	EXPECT_EQ(-SIGBUS, load(self->p[0])) TH_LOG("another resource");
}

TEST_F(block, mode_by_mode)
{
	__u32 mode;

	fill(self, 0x5a);
	for (mode = SLUICE_NL; mode < MODES; mode++) {
		bool reads = mode != SLUICE_NL;
		bool writes = leaves_mark(mode);

		ASSERT_EQ(0, take(A, whole(SPACE, KEY, mode)));
		/* In either order: a page that is there may be read-only. */
		EXPECT_EQ(reads ? 0x5a : -SIGBUS, load(self->p[0]))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(writes ? 0 : -SIGBUS, store(self->p[0], 0x5a))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(writes ? 0 : -SIGBUS, store(self->p[0] + PAGE, 0x5a))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(reads ? 0x5a : -SIGBUS, load(self->p[0] + PAGE))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(-SIGBUS, load(self->p[1])) TH_LOG("mode %u", mode);
		ASSERT_EQ(0, unlock_all(A));
	}
}

TEST_F(block, readers_share)
{
	fill(self, 0x21);
	ASSERT_EQ(0, take(A, I(PR)));
	ASSERT_EQ(0, take(B, I(PR)));
	EXPECT_EQ(0x21, load(self->p[0]));
	EXPECT_EQ(0x21, load(self->p[1]));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 1));
	EXPECT_EQ(-SIGBUS, store(self->p[1], 1));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(-SIGBUS, load(self->p[1]));
	EXPECT_EQ(0x21, load(self->p[0]));
}

/* What one has written the next one reads, in turns. */
TEST_F(block, handed_over)
{
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, take(self->c.h[i % 2], I(EX)));
		ASSERT_EQ(i, load(self->p[i % 2] + PAGE));
		ASSERT_EQ(0, store(self->p[i % 2] + PAGE, i + 1));
		ASSERT_EQ(-SIGBUS, load(self->p[!(i % 2)] + PAGE));
		ASSERT_EQ(0, unlock(self->c.h[i % 2], I(UNLOCKED)));
	}
}

TEST_F(block, converted)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, store(self->p[0], 7));
	ASSERT_EQ(0, take(A, I(PR)));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 8)) TH_LOG("by a conversion");
	EXPECT_EQ(7, load(self->p[0]));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(0, store(self->p[0], 8));
	ASSERT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 9)) TH_LOG("weakened");
	EXPECT_EQ(8, load(self->p[0]));
	ASSERT_EQ(0, unlock(A, I(NL)));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(8, load(self->p[0]));
}

/*
 * Ranges: a page is had if all of it is.
 */
TEST_F(block, parts_of_pages)
{
	unsigned char *p = self->p[0];

	ASSERT_EQ(0, take(A, R(EX, 0, PAGE - 2)));
	EXPECT_EQ(-SIGBUS, load(p)) TH_LOG("a byte is missing");
	ASSERT_EQ(0, take(A, R(PR, PAGE - 1, PAGE)));
	EXPECT_EQ(0, load(p));
	EXPECT_EQ(-SIGBUS, store(p, 1)) TH_LOG("a byte is read-only");
	EXPECT_EQ(-SIGBUS, load(p + PAGE)) TH_LOG("a byte of it");
	ASSERT_EQ(0, take(A, R(CW, PAGE - 1, PAGE - 1)));
	EXPECT_EQ(0, store(p, 1)) TH_LOG("EX and CW");
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 100, 100)));
	EXPECT_EQ(-SIGBUS, load(p)) TH_LOG("a hole");
	EXPECT_EQ(0, take(B, R(EX, 100, 100)));
	EXPECT_EQ(-SIGBUS, load(self->p[1]));
}

TEST_F(block, pages_of_two)
{
	ASSERT_EQ(0, take(A, R(EX, 0, 2 * PAGE - 1)));
	ASSERT_EQ(0, take(B, R(EX, 2 * PAGE, SLUICE_END)));
	EXPECT_EQ(0, store(self->p[0] + 2 * PAGE - 1, 1));
	EXPECT_EQ(-SIGBUS, store(self->p[0] + 2 * PAGE, 1));
	EXPECT_EQ(0, store(self->p[1] + 2 * PAGE, 2));
	EXPECT_EQ(0, store(self->p[1] + self->size - 1, 2));
	EXPECT_EQ(-SIGBUS, load(self->p[1] + 2 * PAGE - 1));
	/* What is taken from one page leaves the others there. */
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, 0)));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	EXPECT_EQ(1, load(self->p[0] + 2 * PAGE - 1));
	EXPECT_EQ(0, take(B, R(PR, 0, 0)));
	EXPECT_EQ(0, store(self->p[0] + PAGE, 3));
}

/*
 * Growing, shrinking, giving back.
 */
FIXTURE(size) {
	struct cast c;
	int view;
	unsigned char *p;
	long page;
};

/* Three quarters of a second page; it may grow to PAGES. */
FIXTURE_SETUP(size)
{
	catch_touches();
	cast_make(&self->c, 2);
	self->page = sysconf(_SC_PAGESIZE);
	self->view = must(open_block(A, SPACE, SLUICE_OPEN_CREATE,
				     PAGE + PAGE * 3 / 4, PAGES * PAGE));
	self->p = map_view(self->view, PAGES * PAGE);
}

FIXTURE_TEARDOWN(size)
{
	cast_close(&self->c);
}

TEST_F(size, beyond_the_end)
{
	ASSERT_EQ(0, take(A, R(EX, 0, PAGE + PAGE * 3 / 4 - 1)));
	EXPECT_EQ(0, store(self->p + PAGE, 1)) TH_LOG("all there is of it");
	EXPECT_EQ(-SIGBUS, store(self->p + 2 * PAGE, 1));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(-SIGBUS, store(self->p + 2 * PAGE, 1));
	EXPECT_EQ(-SIGBUS, load(self->p + 3 * PAGE));
}

TEST_F(size, grows)
{
	ASSERT_EQ(0, take(A, I(EX)));
	memset(self->p, 0xee, 2 * PAGE);
	EXPECT_EQ(2 * PAGE, size_of(self->view).used);
	EXPECT_EQ(0, resize(self->view, 3 * PAGE + 1));
	EXPECT_EQ(3 * PAGE + 1, size_of(self->view).size);
	EXPECT_EQ(2 * PAGE, size_of(self->view).used) TH_LOG("until it is touched");
	EXPECT_EQ(0xee, load(self->p + PAGE));
	EXPECT_EQ(0, load(self->p + 3 * PAGE));
	EXPECT_EQ(3 * PAGE, size_of(self->view).used);
	EXPECT_EQ(0, resize(self->view, PAGES * PAGE));
	EXPECT_EQ(-EFBIG, resize(self->view, PAGES * PAGE + 1));
	EXPECT_EQ(-EFBIG, resize(self->view, ~0ULL));
	EXPECT_EQ(PAGES * PAGE, size_of(self->view).size);
}

/* Who has the end can write what is beyond it in the last page. */
TEST_F(size, grows_by_zeros)
{
	const __u64 end = PAGE + PAGE * 3 / 4;

	ASSERT_EQ(0, take(A, R(EX, 0, end - 1)));
	ASSERT_EQ(0, store(self->p + end, 0xee));
	ASSERT_EQ(0, store(self->p + end - 1, 0xee));
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, resize(self->view, end + 1));
	EXPECT_EQ(0, load(self->p + end));
	EXPECT_EQ(0xee, load(self->p + end - 1));
}

TEST_F(size, shrinks)
{
	ASSERT_EQ(0, take(A, I(PW)));
	ASSERT_EQ(0, resize(self->view, PAGES * PAGE));
	memset(self->p, 0xee, PAGES * PAGE);
	ASSERT_EQ(0, resize(self->view, PAGE + 10));
	EXPECT_EQ(2 * PAGE, size_of(self->view).used);
	EXPECT_EQ(-SIGBUS, load(self->p + 2 * PAGE));
	EXPECT_EQ(0xee, load(self->p + PAGE + 9));
	ASSERT_EQ(0, resize(self->view, PAGES * PAGE));
	EXPECT_EQ(0xee, load(self->p + PAGE + 9));
	EXPECT_EQ(0, load(self->p + PAGE + 10)) TH_LOG("what was cut off is gone");
	EXPECT_EQ(0, load(self->p + 2 * PAGE - 1));
	EXPECT_EQ(0, load(self->p + 2 * PAGE));
}

/* With the whole of it, PW or EX; to ask takes nothing. */
TEST_F(size, who_may)
{
	__u32 mode;

	EXPECT_EQ(-EPERM, resize(self->view, PAGE));
	for (mode = SLUICE_NL; mode < MODES; mode++) {
		bool may = mode == SLUICE_PW || mode == SLUICE_EX;

		ASSERT_EQ(0, take(A, whole(SPACE, KEY, mode)));
		EXPECT_EQ(may ? 0 : -EPERM, resize(self->view, PAGE * 2))
			TH_LOG("mode %u", mode);
		ASSERT_EQ(0, unlock_all(A));
	}
	ASSERT_EQ(0, take(A, R(EX, 0, PAGES * PAGE)));
	EXPECT_EQ(-EPERM, resize(self->view, PAGE)) TH_LOG("not to the end");
	ASSERT_EQ(0, unlock_all(A));
	ASSERT_EQ(0, take(B, I(EX)));
	EXPECT_EQ(-EPERM, resize(self->view, PAGE)) TH_LOG("another has it");
	EXPECT_EQ(2 * PAGE, size_of(self->view).size);
}

TEST_F(size, given_back)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, resize(self->view, PAGES * PAGE));
	memset(self->p, 0xee, PAGES * PAGE);
	EXPECT_EQ(0, give_back(self->view, PAGE - 1, 3 * PAGE - 2));
	EXPECT_EQ(3 * PAGE, size_of(self->view).used) TH_LOG("whole pages");
	EXPECT_EQ(0xee, load(self->p + PAGE - 1));
	EXPECT_EQ(0, load(self->p + PAGE));
	EXPECT_EQ(0xee, load(self->p + 2 * PAGE));
	EXPECT_EQ(0, give_back(self->view, 0, SLUICE_END));
	EXPECT_EQ(0, size_of(self->view).used);
	EXPECT_EQ(0, load(self->p));
	EXPECT_EQ(-EINVAL, give_back(self->view, 2, 1));
}

/* What lies beyond the end, or wraps when it is rounded, is no page of it. */
TEST_F(size, nothing_to_give_back)
{
	static const __u64 start[] = {
		SLUICE_END, SLUICE_END - 4095, SLUICE_END - 4096, 1ULL << 63,
		1ULL << 44,
	};
	size_t i;

	ASSERT_EQ(0, take(A, R(EX, 0, PAGE - 1)));
	ASSERT_EQ(0, take(A, R(EX, 1ULL << 44, SLUICE_END)));
	memset(self->p, 0xee, PAGE);
	for (i = 0; i < ARRAY(start); i++) {
		EXPECT_EQ(0, give_back(self->view, start[i], SLUICE_END));
		EXPECT_EQ(PAGE, size_of(self->view).used) TH_LOG("%llx", start[i]);
		EXPECT_EQ(0xee, load(self->p));
	}
}

TEST_F(size, who_may_give_back)
{
	__u32 mode;

	EXPECT_EQ(-EPERM, give_back(self->view, 0, PAGE - 1));
	for (mode = SLUICE_NL; mode < MODES; mode++) {
		ASSERT_EQ(0, take(A, range(SPACE, KEY, mode, 0, PAGE - 1)));
		EXPECT_EQ(leaves_mark(mode) ? 0 : -EPERM,
			  give_back(self->view, 0, PAGE - 1)) TH_LOG("mode %u", mode);
		EXPECT_EQ(-EPERM, give_back(self->view, 0, PAGE));
		ASSERT_EQ(0, unlock_all(A));
	}
}

/*
 * Making and opening.
 */
#define OPEN(flags, size, limit)	open_block(A, SPACE, flags, size, limit)

TEST_F(block, opened)
{
	__u32 create = SLUICE_OPEN_CREATE, excl = create | SLUICE_OPEN_EXCL;
	struct sluice_block_open o = open_of(SPACE, "new", create, 5, 3 * PAGE);

	EXPECT_EQ(-EEXIST, OPEN(excl, PAGE, 0));
	EXPECT_EQ(-EINVAL, OPEN(SLUICE_OPEN_EXCL, PAGE, 0));
	EXPECT_EQ(-EINVAL, OPEN(create, 0, 0));
	EXPECT_EQ(-EINVAL, OPEN(create, PAGE, PAGE - 1));
	EXPECT_EQ(-EINVAL, OPEN(create, 1, ~0ULL));
	EXPECT_EQ(-EINVAL, OPEN(1 << 2, PAGE, 0));
	EXPECT_EQ(-EINVAL, open_block(A, A, create, PAGE, 0));
	EXPECT_EQ(-EBADF, open_block(A, -1, create, PAGE, 0));
	ASSERT_LE(0, call(A, SLUICE_IOC_BLOCK, &o));
	EXPECT_EQ(1, o.created);
	EXPECT_EQ(5, o.size);
	o.flags = 0;
	o.size = o.limit = 0;
	ASSERT_LE(0, call(B, SLUICE_IOC_BLOCK, &o));
	EXPECT_EQ(0, o.created);
	EXPECT_EQ(5, o.size);
	EXPECT_EQ(3 * PAGE, o.limit);
	o.key[0] = 'x';
	EXPECT_EQ(-ENOENT, call(A, SLUICE_IOC_BLOCK, &o));
	o.key_len = 0;
	EXPECT_EQ(-EINVAL, call(A, SLUICE_IOC_BLOCK, &o));
	o.key_len = SLUICE_KEY_MAX + 1;
	EXPECT_EQ(-EINVAL, call(A, SLUICE_IOC_BLOCK, &o));
}

/* Who cannot be given a view has not made a block, either. */
TEST_F(block, no_descriptor_left)
{
	struct sluice_block_open o = open_of(SPACE, "new", SLUICE_OPEN_CREATE |
					     SLUICE_OPEN_EXCL, PAGE, 0);
	struct rlimit lim, none = { };
	__u64 resources = lockspace_stat(SPACE).resources;

	must(getrlimit(RLIMIT_NOFILE, &lim));
	none.rlim_max = lim.rlim_max;
	must(setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, call(A, SLUICE_IOC_BLOCK, &o));
	EXPECT_EQ(-EMFILE, open_block(A, SPACE, 0, 0, 0));
	must(setrlimit(RLIMIT_NOFILE, &lim));
	EXPECT_EQ(resources, lockspace_stat(SPACE).resources);
	ASSERT_LE(0, open_block(A, SPACE, 0, 0, 0)) TH_LOG("one that was there");
	EXPECT_LE(0, call(A, SLUICE_IOC_BLOCK, &o));
	EXPECT_EQ(1, o.created);
}

static int try_map(int view, size_t size, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, size, prot, flags, view, offset);

	if (p == MAP_FAILED)
		return -errno;
	must(munmap(p, size));
	return 0;
}

TEST_F(block, mapped)
{
	int v = self->view[0], both = PROT_READ | PROT_WRITE;

	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(-EINVAL, try_map(v, PAGE, PROT_READ, MAP_PRIVATE, 0));
	EXPECT_EQ(-EINVAL, try_map(v, PAGE, both, MAP_PRIVATE, 0));
	EXPECT_GT(0, try_map(v, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_EQ(-ENXIO, try_map(v, self->size + PAGE, both, MAP_SHARED, 0));
	EXPECT_EQ(-ENXIO, try_map(v, PAGE, both, MAP_SHARED, self->size));
	EXPECT_EQ(0, try_map(v, PAGE, both, MAP_SHARED, self->size - PAGE));
	EXPECT_EQ(-1, mprotect(self->p[0], PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	/* A part is where it should be. */
	ASSERT_EQ(0, store(self->p[0] + 2 * PAGE, 9));
	EXPECT_EQ(9, load(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, v, 2 * PAGE)));
}

/* Content outlives views and holders, and goes with the lockspace. */
TEST_F(block, as_long_as_its_lockspace)
{
	int i, h, view;

	fill(self, 0x77);
	for (i = 0; i < 2; i++) {
		munmap(self->p[i], self->size);
		close(self->view[i]);
		close(self->c.h[i]);
		self->c.h[i] = -1;
	}
	h = must(make_holder(NULL));
	view = must(open_block(h, SPACE, 0, 0, 0));
	ASSERT_EQ(0, take(h, I(PR)));
	EXPECT_EQ(0x77, load(map_view(view, self->size) + self->size - 1));
}

TEST_F(block, lockspace_closed)
{
	ASSERT_EQ(0, take(A, I(EX)));
	close(SPACE);
	EXPECT_EQ(0, store(self->p[0], 3)) TH_LOG("what is held stays");
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	SPACE = must(make_lockspace(NULL, 0));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(-SIGBUS, load(self->p[0])) TH_LOG("another lockspace's");
	EXPECT_EQ(-ENOENT, open_block(A, SPACE, 0, 0, 0));
}

/* A thread in LOCK of the block and of a file, of which a stranger has a lock. */
static void waits_for_stranger(FIXTURE_DATA(block) *self, struct waiter *w, int fd)
{
	__u64 granted = lockspace_stat(SPACE).granted;

	w->items[0] = I(EX);
	w->items[1] = file_item(SPACE, fd, SLUICE_EX);
	w->items[1].flags = SLUICE_ITEM_FCNTL;
	w->l.count = 2;
	waiter_start(w, A);
	/* Both, and given back, as the file cannot be had. */
	check(until(lockspace_stat(SPACE).granted >= granted + 2));
	check(until(!lockspace_stat(SPACE).grants));
}

/* Who asked before, and got nothing yet, gets nothing that is new. */
TEST_F(block, lockspace_closed_during_lock)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = must(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	struct waiter w = { };
	int i;

	fill(self, 0x55);
	must(fcntl(fd, F_OFD_SETLK, &fl));
	waits_for_stranger(self, &w, fd);
	close(SPACE);
	fl.l_type = F_UNLCK;
	must(fcntl(fd, F_OFD_SETLK, &fl));
	EXPECT_EQ(-EBADF, waiter_end(&w));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(-SIGBUS, store(self->p[0] + i * PAGE, i));
	EXPECT_EQ(-EPERM, resize(self->view[0], 1));
	EXPECT_EQ(-SIGBUS, store(self->p[0] + PAGE, 1)) TH_LOG("a freed page");
	EXPECT_EQ(-EPERM, give_back(self->view[0], 0, SLUICE_END));
	EXPECT_EQ(0, unlock_all(A));
	SPACE = must(make_lockspace(NULL, 0));
	close(fd);
}

/* A mapping needs no descriptor. */
TEST_F(block, view_closed)
{
	close(self->view[0]);
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(0, store(self->p[0], 3));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
}

/*
 * Rights and quotas.
 */
TEST_F(block, reader)
{
	struct sluice_restrict r = { .access = SLUICE_READ };
	int space = must(call(SPACE, SLUICE_IOC_RESTRICT, &r));
	struct sluice_block_open o = open_of(space, "new", SLUICE_OPEN_CREATE, 1, 0);
	int view = must(open_block(B, space, 0, 0, 0));
	unsigned char *p;

	EXPECT_EQ(-EACCES, call(B, SLUICE_IOC_BLOCK, &o));
	EXPECT_EQ(-EACCES, try_map(view, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 0));
	EXPECT_EQ(-EACCES, try_map(view, PAGE, PROT_WRITE, MAP_SHARED, 0));
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, view, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	fill(self, 0x12);
	ASSERT_EQ(0, take(B, whole(space, KEY, SLUICE_PR)));
	EXPECT_EQ(0x12, load(p));
	EXPECT_EQ(-SIGSEGV, store(p, 1));
	ASSERT_EQ(0, unlock_all(B));
	/* What B may do by another descriptor, it may not by this one. */
	ASSERT_EQ(0, take(B, I(EX)));
	EXPECT_EQ(-SIGSEGV, store(p, 1));
	EXPECT_EQ(-EACCES, resize(view, PAGE));
	EXPECT_EQ(-EACCES, give_back(view, 0, SLUICE_END));
	EXPECT_EQ(0x12, load(p));
	EXPECT_EQ(self->size, size_of(view).size) TH_LOG("to ask is to read");
	close(space);
}

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

static void blocks_to_the_limit(long page)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL));
	struct sluice_block_open o = open_of(space, "more", SLUICE_OPEN_CREATE,
					     page, 0);
	int view;

	check(open_block(h, space, SLUICE_OPEN_CREATE, 5 * page, 0) == -EDQUOT);
	check(open_block(h, space, 0, 0, 0) == -ENOENT);
	view = must(open_block(h, space, SLUICE_OPEN_CREATE, 3 * page - 1, 9 * page));
	must(take(h, whole(space, KEY, SLUICE_EX)));
	must(resize(view, 4 * page));
	check(resize(view, 4 * page + 1) == -EDQUOT);
	check(size_of(view).size == 4 * page);
	check(call(h, SLUICE_IOC_BLOCK, &o) == -EDQUOT);
	must(resize(view, 3 * page));
	must(call(h, SLUICE_IOC_BLOCK, &o));
	check(resize(view, 4 * page) == -EDQUOT);
}

TEST_F(quota, bytes)
{
	uid_t uid[] = { OWNER, OWNER, STRANGER };
	long page = sysconf(_SC_PAGESIZE);
	size_t i;

	parameter_set(&self->set, "user_bytes", 4 * page);
	/* Twice the same one: what he had is his again. */
	for (i = 0; i < ARRAY(uid); i++) {
		pid_t pid = user(uid[i]);

		if (!pid) {
			blocks_to_the_limit(page);
			_exit(0);
		}
		EXPECT_EQ(0, reap(pid)) TH_LOG("%zu", i);
	}
}

/* Each mapping is one of the user's locks, and so are the parts it is split into. */
static void mappings_to_the_limit(long page)
{
	int space = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL));
	int view = must(open_block(h, space, SLUICE_OPEN_CREATE, 4 * page, 0)), i;
	void *p[4];

	for (i = 0; i < ARRAY(p); i++)
		p[i] = map_view(view, 4 * page);
	check(mmap(NULL, page, PROT_READ, MAP_SHARED, view, 0) == MAP_FAILED);
	check(errno == EDQUOT);
	must(munmap(p[0], 4 * page));
	must(take(h, whole(space, KEY, SLUICE_EX)));
	must(unlock_all(h));
	/* In the middle: two are left. */
	must(munmap(p[1] + page, page));
	check(take(h, whole(space, KEY, SLUICE_EX)) == -EDQUOT);
	must(munmap(p[1], page));
	must(take(h, whole(space, KEY, SLUICE_EX)));
}

TEST_F(quota, mappings)
{
	uid_t uid[] = { OWNER, OWNER, STRANGER };
	long page = sysconf(_SC_PAGESIZE);
	size_t i;

	parameter_set(&self->set, "user_locks", 4);
	for (i = 0; i < ARRAY(uid); i++) {
		pid_t pid = user(uid[i]);

		if (!pid) {
			mappings_to_the_limit(page);
			_exit(0);
		}
		EXPECT_EQ(0, reap(pid)) TH_LOG("%zu", i);
	}
}

/*
 * Ends.
 */

/* In the child: has all of the block, writes @value, and waits to be killed. */
static pid_t dying_owner(FIXTURE_DATA(block) *self, int value, int sock)
{
	struct step ready = step_make();
	pid_t pid = child();
	int h, view;

	if (!pid) {
		h = must(make_holder(NULL));
		view = must(open_block(h, SPACE, 0, 0, 0));
		must(take(h, I(EX)));
		memset(map_view(view, self->size), value, self->size);
		if (sock >= 0)
			send_fd(sock, view);
		step_say(&ready);
		for (;;)
			pause();
	}
	step_hear(&ready);
	return pid;
}

TEST_F(block, owner_killed)
{
	pid_t pid = dying_owner(self, 0x66, -1);
	struct sluice_item i = I(EX);

	EXPECT_EQ(-EAGAIN, try(A, i));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	kill_and_reap(pid);
	ASSERT_EQ(0, lock_items(A, &i, 1, 0));
	EXPECT_EQ(SLUICE_OWNER_DIED, i.status);
	EXPECT_EQ(0x66, load(self->p[0])) TH_LOG("what it left");
}

/* A view is its holder's, whoever maps it. */
TEST_F(block, view_of_one_killed)
{
	int sock[2], view;
	unsigned char *p;
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	pid = dying_owner(self, 0x66, sock[1]);
	view = recv_fd(sock[0]);
	p = map_view(view, self->size);
	EXPECT_EQ(0x66, load(p));
	EXPECT_EQ(0, store(p, 0x67));
	kill_and_reap(pid);
	EXPECT_TRUE(until(load(p) == -SIGBUS));
	EXPECT_EQ(-SIGBUS, store(p, 0x68));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(0x67, load(self->p[0]));
	EXPECT_EQ(-SIGBUS, load(p)) TH_LOG("A is another");
	EXPECT_EQ(-EPERM, resize(view, PAGE));
}

static void receives_view(FIXTURE_DATA(block) *self, int sock, struct step *lost)
{
	int view = recv_fd(sock), h = must(make_holder(NULL));
	unsigned char *p = map_view(view, self->size);

	check(load(p) == 0x31 && !store(p, 0x32));
	step_say(&lost[0]);
	step_hear(&lost[1]);
	check(load(p) == -SIGBUS && store(p, 1) == -SIGBUS);
	must(take(h, I(EX)));	/* its own holder is not the view's */
	check(load(p) == -SIGBUS);
	_exit(0);
}

TEST_F(block, view_passed_on)
{
	struct step lost[2] = { step_make(), step_make() };
	int sock[2];
	pid_t pid;

	fill(self, 0x31);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	pid = child();
	if (!pid)
		receives_view(self, sock[0], lost);
	ASSERT_EQ(0, take(A, I(EX)));
	send_fd(sock[1], self->view[0]);
	step_hear(&lost[0]);
	EXPECT_EQ(0x32, load(self->p[0]));
	ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	step_say(&lost[1]);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(block, holder_closed)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, store(self->p[0], 1));
	close(A);
	A = -1;
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
	EXPECT_EQ(-EPERM, resize(self->view[0], PAGE));
	EXPECT_EQ(0, try(B, I(EX)));
	EXPECT_EQ(1, load(self->p[1]));
}

TEST_F(block, lease_runs_out)
{
	struct sluice_lock_event ev;
	struct sluice_item i = I(EX);

	i.lease = 300 * NSEC_PER_MSEC;
	ASSERT_EQ(0, take(A, i));
	ASSERT_EQ(0, store(self->p[0], 1)) TH_LOG("before it ran out");
	EXPECT_TRUE(until(load(self->p[0]) == -SIGBUS));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 2));
	EXPECT_EQ(0, event_of(A, SLUICE_EVENT_REVOKED, &ev));
	EXPECT_EQ(0, try(B, I(EX)));
	EXPECT_EQ(1, load(self->p[1]));
}

/*
 * Threads.
 */
struct hammer {
	pthread_t thread;
	volatile unsigned char *p;
	unsigned long stores, refused;
	bool once, end;
};

/* Stores what changes with each store, to the first and last byte of a page. */
static void *hammer_run(void *arg)
{
	struct hammer *m = arg;
	long page = sysconf(_SC_PAGESIZE);

	while (!__atomic_load_n(&m->end, __ATOMIC_RELAXED)) {
		unsigned long n = m->stores + 1;

		if (store(m->p + (n % 2 ? page - 1 : 0), n)) {
			m->refused++;
			if (m->once)
				break;
		} else {
			__atomic_store_n(&m->stores, n, __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

static void hammer_start(struct hammer *m, unsigned char *p)
{
	m->p = p;
	check(!pthread_create(&m->thread, NULL, hammer_run, m));
}

/*
 * Whether this is User Mode Linux, which only notes what is taken from a process
 * (um_tlb_mark_sync()): one that runs on another processor has it until it enters
 * the kernel.
 */
static bool in_user_mode(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[128];
	bool found = false;

	check(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, "User Mode Linux");
	fclose(f);
	return found;
}

/*
 * A processor for the hammer alone: whoever waits for it does so in vain else. In
 * User Mode Linux the same one, so that it has entered the kernel.
 */
static void hammer_apart(struct hammer *m)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2 ||
	    sched_setaffinity(0, sizeof(one), &one))
		return;
	CPU_ZERO(&one);
	CPU_SET(in_user_mode() ? 0 : 1, &one);
	pthread_setaffinity_np(m->thread, sizeof(one), &one);
}

#define stores_of(m)	__atomic_load_n(&(m)->stores, __ATOMIC_RELAXED)

/* Waits for one more store. */
static bool hammers(struct hammer *m)
{
	unsigned long n = stores_of(m);

	return until(stores_of(m) != n);
}

#define HAMMERS		4

/* Threads that store until it is refused: how many went on after @less. */
static int go_on_after(FIXTURE_DATA(block) *self, struct sluice_item less)
{
	struct hammer m[HAMMERS] = { };
	unsigned long n[HAMMERS];
	int i, too_many = 0;

	must(take(A, I(EX)));
	for (i = 0; i < HAMMERS; i++) {
		m[i].once = true;
		hammer_start(&m[i], self->p[0] + i * PAGE);
		check(hammers(&m[i]));
	}
	must(unlock(A, less));
	for (i = 0; i < HAMMERS; i++)
		n[i] = stores_of(&m[i]);
	for (i = 0; i < HAMMERS; i++) {
		check(!pthread_join(m[i].thread, NULL));
		/* One may have been done before, and counted after. */
		too_many += m[i].refused != 1 || m[i].stores - n[i] > 1;
	}
	return too_many;
}

TEST_F(block, taken_from_all_threads)
{
	EXPECT_EQ(0, go_on_after(self, I(PR)));
	EXPECT_EQ(0, go_on_after(self, I(UNLOCKED)));
	EXPECT_EQ(0, go_on_after(self, R(UNLOCKED, PAGE - 1, self->size - PAGE)));
}

/*
 * The race: stores that go on without end, while the lock comes and goes.
 * Whoever has PR sees nothing change.
 */
struct race {
	__u64 round;		/* of the writer, under EX */
	__u64 seen;		/* of them, by the reader, under PR */
	__u64 changed;
};

#define RACE_LOOKS	20

static bool changes(const volatile __u64 *p, long page)
{
	__u64 first = p[0], last = p[page / 8 - 1];
	int i;

	for (i = 0; i < RACE_LOOKS; i++)
		if (p[0] != first || p[page / 8 - 1] != last)
			return true;
	return false;
}

static void race_reader(FIXTURE_DATA(block) *self, struct race *race, __u64 rounds)
{
	int h = must(make_holder(NULL));
	int view = must(open_block(h, SPACE, 0, 0, 0));
	void *p = map_view(view, self->size);
	__u64 last = 0, round;

	while (race->seen < rounds) {
		must(take(h, I(PR)));
		round = __atomic_load_n(&race->round, __ATOMIC_ACQUIRE);
		race->changed += changes(p, PAGE);
		must(unlock(h, I(UNLOCKED)));
		__atomic_store_n(&race->seen, race->seen + (round != last),
				 __ATOMIC_RELEASE);
		last = round;
	}
	_exit(0);
}

#define seen_of(race)	__atomic_load_n(&(race)->seen, __ATOMIC_ACQUIRE)

/* One round: EX, a store or more, PR, and sometimes nothing; as it comes. */
static void race_round(FIXTURE_DATA(block) *self, struct race *race,
		       struct hammer *m)
{
	unsigned long n = stores_of(m);
	int spin;

	must(take(A, I(EX)));
	__atomic_store_n(&race->round, race->round + 1, __ATOMIC_RELEASE);
	for (spin = 0; spin < 2000 && stores_of(m) == n; spin++)
		sched_yield();
	if (race->round % 8)
		must(unlock(A, I(PR)));
	else
		must(unlock(A, I(UNLOCKED)));
}

TEST_F_TIMEOUT(block, race, TEST_TIMEOUT_SCALED)
{
	struct race *race = shared(sizeof(*race));
	__u64 rounds = scaled(10000, 500);
	struct hammer m = { };
	pid_t pid;

	hammer_start(&m, self->p[0]);
	hammer_apart(&m);
	pid = child();
	if (!pid)
		race_reader(self, race, rounds);
	while (seen_of(race) < rounds)
		race_round(self, race, &m);
	m.end = true;
	check(!pthread_join(m.thread, NULL));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, race->changed);
	/* Else this was no race. */
	EXPECT_LT(rounds / 2, m.stores);
	EXPECT_LT(rounds / 2, m.refused);
}

static void counts(FIXTURE_DATA(block) *self, unsigned long n)
{
	int h = must(make_holder(NULL));
	int view = must(open_block(h, SPACE, 0, 0, 0));
	volatile __u64 *p = (void *)map_view(view, self->size);
	unsigned long i;

	for (i = 0; i < n; i++) {
		must(take(h, R(EX, 0, PAGE - 1)));
		(*p)++;
		must(unlock(h, R(UNLOCKED, 0, PAGE - 1)));
	}
	_exit(0);
}

TEST_F_TIMEOUT(block, no_update_is_lost, TEST_TIMEOUT_SCALED)
{
	unsigned long n = scaled(5000, 200);
	pid_t pid[2];
	__u64 sum;
	int i;

	for (i = 0; i < 2; i++) {
		pid[i] = child();
		if (!pid[i])
			counts(self, n);
	}
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, reap_slowly(pid[i]));
	ASSERT_EQ(0, take(A, I(PR)));
	memcpy(&sum, self->p[0], sizeof(sum));
	EXPECT_EQ(2 * n, sum);
}

/* Taken back from who stores without end: then it is somebody else's alone. */
TEST_F(block, lease_runs_out_in_use)
{
	unsigned long rounds = scaled(20, 3), i;
	struct sluice_item leased = I(EX);
	struct hammer m = { };

	hammer_start(&m, self->p[0]);
	for (i = 0; i < rounds; i++) {
		leased.lease = 20 * NSEC_PER_MSEC;
		ASSERT_EQ(0, take(A, leased));
		ASSERT_EQ(0, take(B, I(PR)));
		EXPECT_FALSE(changes((void *)self->p[1], PAGE));
		sched_yield();
		EXPECT_FALSE(changes((void *)self->p[1], PAGE));
		ASSERT_EQ(0, unlock_all(B));
	}
	m.end = true;
	check(!pthread_join(m.thread, NULL));
	EXPECT_LT(0, m.refused);
}

/* Is a page that was never written zero, and does it stay so? */
static bool is_fresh(const volatile unsigned char *p, long page)
{
	int i;

	for (i = 0; i < RACE_LOOKS; i++)
		if (p[0] || p[page - 1])
			return false;
	return true;
}

/* Pages given back while B stores to them: they may be another block's next. */
TEST_F_TIMEOUT(block, given_back_in_use, TEST_TIMEOUT_SCALED)
{
	struct sluice_block_open o = open_of(SPACE, "other", SLUICE_OPEN_CREATE,
					     PAGE, 0);
	int other = must(call(A, SLUICE_IOC_BLOCK, &o));
	unsigned char *p = map_view(other, PAGE);
	unsigned long rounds = scaled(300, 50), i;
	struct hammer m = { };

	ASSERT_EQ(0, take(A, whole(SPACE, "other", SLUICE_EX)));
	ASSERT_EQ(0, take(A, I(CW)));
	ASSERT_EQ(0, take(B, I(CW)));
	hammer_start(&m, self->p[1]);
	for (i = 0; i < rounds; i++) {
		ASSERT_TRUE(hammers(&m));
		ASSERT_EQ(0, give_back(self->view[0], 0, PAGE - 1));
		ASSERT_TRUE(is_fresh(p, PAGE)) TH_LOG("round %lu", i);
		ASSERT_EQ(0, give_back(other, 0, PAGE - 1));
	}
	m.end = true;
	check(!pthread_join(m.thread, NULL));
	EXPECT_EQ(0, m.refused);
	EXPECT_GE(PAGE, size_of(self->view[0]).used);
}

/* The same by cutting it off: what B had is gone, and comes as zero. */
TEST_F_TIMEOUT(block, cut_off_in_use, TEST_TIMEOUT_SCALED)
{
	unsigned long rounds = scaled(200, 30), i;
	struct hammer m = { };

	hammer_start(&m, self->p[0] + PAGE);
	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, take(A, I(EX)));
		ASSERT_TRUE(hammers(&m));
		ASSERT_EQ(0, resize(self->view[0], PAGE));
		ASSERT_EQ(0, take(A, I(PR)));
		ASSERT_EQ(0, size_of(self->view[0]).used) TH_LOG("round %lu", i);
		ASSERT_EQ(0, take(A, I(PW)));
		ASSERT_EQ(0, resize(self->view[0], self->size));
		ASSERT_EQ(0, unlock(A, I(UNLOCKED)));
	}
	m.end = true;
	check(!pthread_join(m.thread, NULL));
	EXPECT_LT(0, m.refused);
}

/*
 * Attacks, by who has it in mode PR, or had it EX a moment ago.
 */

/* Had EX, wrote, and has PR. */
static void had_more(FIXTURE_DATA(block) *self)
{
	must(take(A, I(EX)));
	memset(self->p[0], 0x44, self->size);
	must(unlock(A, I(PR)));
}

TEST_F(block, mprotect)
{
	int both = PROT_READ | PROT_WRITE, i;
	unsigned char *p = self->p[0];

	had_more(self);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0x44, load(p));
		EXPECT_EQ(0, mprotect(p, self->size, PROT_READ));
		EXPECT_EQ(0x44, load(p + PAGE));
		EXPECT_EQ(0, mprotect(p, self->size, both));
		EXPECT_EQ(-SIGBUS, store(p, 1)) TH_LOG("made writable again");
		EXPECT_EQ(-SIGBUS, store(p + PAGE, 1));
		EXPECT_EQ(0, mprotect(p, self->size, PROT_NONE));
		EXPECT_EQ(0, mprotect(p, self->size, both));
		EXPECT_EQ(-SIGBUS, store(p, 1)) TH_LOG("was not there");
		/* A page that was written, and then only protected. */
		ASSERT_EQ(0, take(A, I(EX)));
		ASSERT_EQ(0, store(p, 0x44));
		EXPECT_EQ(0, mprotect(p, self->size, PROT_READ));
		ASSERT_EQ(0, take(A, I(PR)));
	}
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, mprotect(p, PAGE, both));
	EXPECT_EQ(-SIGBUS, load(p));
}

/* What becomes of a child that stores to @p (or loads, if not @write). */
static int fate(volatile unsigned char *p, bool write)
{
	pid_t pid = child();

	if (!pid) {
		int ret = write ? store(p, 1) : load(p);

		_exit(ret < 0 ? -ret : 0);
	}
	return reap(pid);
}

TEST_F(block, dofork)
{
	int ret;

	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, store(self->p[0], 1));
	EXPECT_EQ(SIGSEGV, fate(self->p[0], false));
	madvise(self->p[0], self->size, MADV_DOFORK);
	ret = fate(self->p[0], false);
	EXPECT_TRUE(ret == SIGBUS || ret == SIGSEGV);
	ret = fate(self->p[0], true);
	EXPECT_TRUE(ret == SIGBUS || ret == SIGSEGV);
	EXPECT_EQ(1, load(self->p[0]));
}

TEST_F(block, remap_file_pages)
{
	had_more(self);
	EXPECT_NE(0, syscall(__NR_remap_file_pages, self->p[0], self->size, 0, 0, 0));
	EXPECT_NE(0, syscall(__NR_remap_file_pages, self->p[0], PAGE, 0, 1, 0));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 1));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-SIGBUS, load(self->p[0]));
}

TEST_F(block, mremap)
{
	unsigned char *p = self->p[0], *q;

	ASSERT_EQ(0, take(A, I(EX)));
	memset(p, 0x44, self->size);
	EXPECT_EQ(MAP_FAILED, mremap(p, self->size, self->size + PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(p, 0, self->size, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(p, PAGE, PAGE, MREMAP_MAYMOVE |
				     4 /* MREMAP_DONTUNMAP */, NULL));
	q = mmap(NULL, self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(q, mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q));
	EXPECT_EQ(0, store(q, 1)) TH_LOG("moved, and still A's");
	ASSERT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(-SIGBUS, store(q, 2));
	EXPECT_EQ(1, load(q));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-SIGBUS, load(q));
	EXPECT_EQ(-SIGBUS, load(p + PAGE)) TH_LOG("what stayed");
}

/* The file behind a mapping, which root can open: it has not the content. */
TEST_F(block, map_files)
{
	char path[96], c = 0;
	unsigned char *p;
	int fd;

	had_more(self);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (long)self->p[0], (long)self->p[0] + self->size);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		SKIP(return, "cannot be opened (errno %d)", errno);
	EXPECT_TRUE(pread(fd, &c, 1, 0) <= 0 || !c);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED) {
		EXPECT_NE(0x44, load(p));
		store(p, 1);
		if (!ftruncate(fd, self->size))
			store(p, 1);
	}
	EXPECT_NE(0, pwrite(fd, "evil", 4, 0));
	ftruncate(fd, 0);
	EXPECT_EQ(0x44, load(self->p[0]));
	EXPECT_EQ(-SIGBUS, store(self->p[0], 1));
	ASSERT_EQ(0, take(B, I(PR)));
	EXPECT_EQ(0x44, load(self->p[1]));
	close(fd);
}

/* Whatever madvise() does, who has PR cannot write, who has nothing not read. */
TEST_F(block, madvise_all)
{
	int advice;

	had_more(self);
	for (advice = 0; advice < 100; advice++) {
		if (advice == MADV_HWPOISON)
			continue;	/* the machine's */
		madvise(self->p[0], self->size, advice);
		EXPECT_EQ(-SIGBUS, store(self->p[0], 1)) TH_LOG("%d", advice);
		EXPECT_EQ(0x44, load(self->p[0])) TH_LOG("%d", advice);
	}
	ASSERT_EQ(0, unlock_all(A));
	for (advice = 0; advice < 100; advice++) {
		if (advice == MADV_HWPOISON)
			continue;
		madvise(self->p[0], self->size, advice);
		EXPECT_EQ(-SIGBUS, load(self->p[0])) TH_LOG("%d", advice);
	}
}

static void trace_and_touch(pid_t tracee, unsigned char *p)
{
	char path[32], buf[4] = "evil";
	struct iovec from = { buf, 4 }, to = { p, 4 };
	int status, fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", tracee);
	must(ptrace(PTRACE_SEIZE, tracee, NULL, NULL));
	must(ptrace(PTRACE_INTERRUPT, tracee, NULL, NULL));
	check(waitpid(tracee, &status, __WALL) == tracee && WIFSTOPPED(status));
	check(ptrace(PTRACE_POKEDATA, tracee, p, 0xbad) == -1);
	fd = must(open(path, O_RDWR | O_CLOEXEC));
	check(pwrite(fd, "evil", 4, (uintptr_t)p) < 0);
	check(process_vm_writev(tracee, &from, 1, &to, 1, 0) < 0);
	check(process_vm_readv(tracee, &from, 1, &to, 1, 0) < 0);
	check(pread(fd, buf, 4, (uintptr_t)p) <= 0);
	must(ptrace(PTRACE_DETACH, tracee, NULL, NULL));
	_exit(0);
}

/* Not even of who has it: such a write could come later than the lock is lost. */
TEST_F(block, tracer)
{
	pid_t tracee = getpid(), tracer;
	int round;

	had_more(self);
	for (round = 0; round < 2; round++) {
		fflush(NULL);
		tracer = child();
		if (!tracer)
			trace_and_touch(tracee, self->p[0]);
		EXPECT_EQ(0, reap(tracer));
		EXPECT_EQ(0x44, load(self->p[0]));
		ASSERT_EQ(0, take(A, I(EX)));
		ASSERT_EQ(0, store(self->p[0], 0x44));
	}
}

/* Nobody may keep a page, for whom the lock is nothing. */
TEST_F(block, pages_kept)
{
	struct io_uring_params params = { };
	struct iovec iov = { self->p[0], self->size };
	int ring = syscall(__NR_io_uring_setup, 4, &params), pipes[2];

	ASSERT_EQ(0, take(A, I(EX)));
	memset(self->p[0], 0x44, self->size);
	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	EXPECT_EQ(-1, vmsplice(pipes[1], &iov, 1, SPLICE_F_GIFT));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, process_vm_readv(getpid(), &iov, 1, &iov, 1, 0));
	EXPECT_EQ(-1, syscall(__NR_futex, self->p[0], 0 /* FUTEX_WAIT */, 1, NULL));
	EXPECT_EQ(EFAULT, errno);
	if (ring < 0)
		SKIP(return, "no io_uring here (errno %d)", errno);
	EXPECT_EQ(-1, syscall(__NR_io_uring_register, ring,
			      IORING_REGISTER_BUFFERS, &iov, 1));
	EXPECT_EQ(EFAULT, errno);
	close(ring);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(block, direct_io)
{
	char path[] = "/tmp/lock_block.XXXXXX";
	int plain = mkstemp(path), fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	int why = errno;

	unlink(path);
	close(plain);
	if (fd < 0)
		SKIP(return, "no direct I/O in /tmp (errno %d)", why);
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(PAGE, pwrite(fd, self->p[0], PAGE, 0) < 0 ? PAGE :
		  pread(fd, self->p[0], PAGE, 0));
	ASSERT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(-1, pread(fd, self->p[0], PAGE, 0));
	close(fd);
}

/*
 * System calls touch as the program does: with the lock, or EFAULT.
 */
TEST_F(block, read_and_write)
{
	int zero = must(open("/dev/zero", O_RDONLY | O_CLOEXEC)), pipes[2];
	unsigned char *p = self->p[0];

	must(pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	EXPECT_EQ(-1, read(zero, p, PAGE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, write(pipes[1], p, 16));
	EXPECT_EQ(EFAULT, errno);
	had_more(self);
	EXPECT_EQ(-1, read(zero, p, PAGE)) TH_LOG("with PR");
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(16, write(pipes[1], p, 16));
	EXPECT_EQ(0x44, load(p));
	ASSERT_EQ(0, take(A, R(EX, 0, 2 * PAGE - 1)));
	EXPECT_EQ(2 * PAGE, read(zero, p, 2 * PAGE));
	EXPECT_EQ(0, load(p));
	EXPECT_EQ(PAGE, read(zero, p + PAGE, 2 * PAGE)) TH_LOG("as far as it may");
	EXPECT_EQ(0x44, load(p + 2 * PAGE));
	close(zero);
	close(pipes[0]);
	close(pipes[1]);
}

/* The structures of our own calls in a block, too. */
TEST_F(block, own_calls)
{
	struct sluice_lock l = {
		.count = 1, .entry_size = sizeof(struct sluice_item),
		.deadline = in_ms(LOCK_PATIENCE_MS),
		.items = (uintptr_t)self->p[0],
	};
	struct sluice_item *i = (void *)self->p[0];

	EXPECT_EQ(-EFAULT, call(A, SLUICE_IOC_LOCK, &l));
	ASSERT_EQ(0, take(A, I(EX)));
	*i = I(PR);
	/* Told while it still has EX; the next cannot be told, and is undone. */
	EXPECT_EQ(0, call(A, SLUICE_IOC_LOCK, &l));
	EXPECT_EQ(SLUICE_PR, mode_at(SPACE, self->c.id[0], KEY, 0));
	ASSERT_EQ(0, take(A, I(EX)));
	*i = I(EX);
	ASSERT_EQ(0, unlock(A, I(PR)));
	EXPECT_EQ(-EFAULT, call(A, SLUICE_IOC_LOCK, &l));
	EXPECT_EQ(SLUICE_PR, mode_at(SPACE, self->c.id[0], KEY, 0));
	EXPECT_EQ(0, try(B, I(PR)));
	EXPECT_EQ(0, try(A, I(PR)));
}

TEST_HARNESS_MAIN
