// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of a file system whose answers are somebody's own choice: what FUSE may
 * say to open() and fcntl() must not be taken for what LOCK says itself.
 *
 * modules: fuse
 */
#include "lock.h"

#include <linux/fuse.h>

/* A file system that is one file. */
struct server {
	int device;
	pthread_t thread;
	char path[40];
	_Atomic int open_error, lock_error;
	_Atomic __u64 error_from;	/* of locks: those that start there or later */
	_Atomic bool holds, held;	/* nothing is unlocked: somebody wants to */
};

static const struct fuse_attr attr = {
	.ino = FUSE_ROOT_ID, .mode = S_IFREG | 0666, .nlink = 1,
};

static int unlocked(struct server *s)
{
	for (s->held = s->holds; s->holds;)
		sleep_us(1000);
	return 0;
}

/* What is answered, at @out: its size, or an error. */
static int answer(struct server *s, const struct fuse_in_header *in,
		  const void *arg, void *out)
{
	const struct fuse_lk_in *lock = arg;

	switch (in->opcode) {
	case FUSE_INIT:
		*(struct fuse_init_out *)out = (struct fuse_init_out) {
			.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.flags = FUSE_POSIX_LOCKS,
			.max_write = 4096,
		};
		return sizeof(struct fuse_init_out);
	case FUSE_GETATTR:
		*(struct fuse_attr_out *)out = (struct fuse_attr_out) {
			.attr_valid = 1000, .attr = attr,
		};
		return sizeof(struct fuse_attr_out);
	case FUSE_OPEN:
		*(struct fuse_open_out *)out = (struct fuse_open_out) { };
		return s->open_error ?: (int)sizeof(struct fuse_open_out);
	case FUSE_SETLK:
		if (lock->lk.type == F_UNLCK)
			return unlocked(s);
		return lock->lk.start < s->error_from ? 0 : s->lock_error;
	case FUSE_RELEASE:
	case FUSE_FLUSH:
		return 0;
	default:
		return -ENOSYS;
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	_Alignas(8) char request[FUSE_MIN_READ_BUFFER + 4096];
	struct {
		struct fuse_out_header head;
		_Alignas(8) char body[256];
	} reply;
	const struct fuse_in_header *in = (void *)request;
	int size;

	while (read(s->device, request, sizeof(request)) > 0) {
		if (in->opcode == FUSE_FORGET)
			continue;
		size = answer(s, in, in + 1, reply.body);
		reply.head.unique = in->unique;
		reply.head.error = size < 0 ? size : 0;
		reply.head.len = sizeof(reply.head) + (size < 0 ? 0 : size);
		/* Who asked may be gone. */
		if (write(s->device, &reply, reply.head.len) < 0)
			check(errno == ENOENT);
	}
	check(errno == ENODEV);
	return NULL;
}

/* In a mount namespace of its own, as mounts would outlive the test. */
static bool server_start(struct server *s)
{
	char options[80];

	if (system("modprobe fuse 2>/dev/null"))
		errno = 0;	/* it may be built in */
	s->device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (s->device < 0 || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return false;
	strcpy(s->path, "/tmp/lock_fuse.XXXXXX");
	close(must(mkstemp(s->path)));
	snprintf(options, sizeof(options), "fd=%d,rootmode=100666,user_id=0,group_id=0",
		 s->device);
	must(mount("fuse", s->path, "fuse", MS_NOSUID | MS_NODEV, options));
	check(!pthread_create(&s->thread, NULL, serve, s));
	return true;
}

static void server_end(struct server *s)
{
	must(umount2(s->path, MNT_DETACH));
	check(!pthread_join(s->thread, NULL));
	close(s->device);
	unlink(s->path);
}

FIXTURE(fuse) {
	struct server server;
	struct cast c;
	int fd;
};

FIXTURE_SETUP(fuse)
{
	if (geteuid() || !server_start(&self->server))
		SKIP(return, "no FUSE (errno %d)", errno);
	cast_make(&self->c, 2);
	self->fd = must(open(self->server.path, O_RDWR | O_CLOEXEC));
}

FIXTURE_TEARDOWN(fuse)
{
	cast_close(&self->c);
	close(self->fd);
	server_end(&self->server);
}

#define A	(self->c.h[0])
#define B	(self->c.h[1])

static struct sluice_item along(FIXTURE_DATA(fuse) *self, __u32 mode)
{
	struct sluice_item i = file_item(self->c.space, self->fd, mode);

	i.flags = SLUICE_ITEM_FCNTL;
	return i;
}

TEST_F(fuse, locks)
{
	ASSERT_EQ(0, try(A, along(self, SLUICE_EX)));
	EXPECT_EQ(-EAGAIN, try(B, along(self, SLUICE_PR)));
	ASSERT_EQ(0, unlock_all(A));
	self->server.lock_error = -EAGAIN;
	EXPECT_EQ(-EAGAIN, try(B, along(self, SLUICE_PR))) TH_LOG("a stranger");
	self->server.lock_error = 0;
	EXPECT_EQ(0, try(B, along(self, SLUICE_PR)));
}

/* EINPROGRESS says of LOCK that an event will come. */
TEST_F(fuse, open_in_progress)
{
	self->server.open_error = -EINPROGRESS;
	EXPECT_EQ(-EIO, take(A, along(self, SLUICE_EX)));
	self->server.open_error = 0;
	EXPECT_EQ(0, take(A, along(self, SLUICE_EX))) TH_LOG("nothing is left of it");
	EXPECT_FALSE(is_done(A));
}

TEST_F(fuse, lock_in_progress)
{
	struct sluice_item i = whole(self->c.space, "name", SLUICE_EX);

	self->server.lock_error = -EINPROGRESS;
	EXPECT_EQ(-EIO, take(A, along(self, SLUICE_EX)));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	self->server.lock_error = 0;
	EXPECT_EQ(0, take(A, along(self, SLUICE_EX))) TH_LOG("nothing is left of it");
	/* What is in progress really is so. */
	ASSERT_EQ(0, take(B, i));
	ASSERT_EQ(-EINPROGRESS, ask(A, i));
	EXPECT_EQ(-EBUSY, try(A, i));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(A));
	EXPECT_EQ(0, try(A, i));
}

/* Between two looks at what a stranger has of it, all is given back. */
TEST_F(fuse, cancelled_between_two_looks)
{
	struct waiter w = {
		.items = { along(self, SLUICE_EX), along(self, SLUICE_EX) },
		.l.count = 2,
	};
	__s64 start;

	w.items[0].end = 9;
	w.items[1].start = 10;
	self->server.error_from = 10;
	self->server.lock_error = -EAGAIN;
	self->server.holds = true;
	waiter_start(&w, A);
	EXPECT_TRUE(until(self->server.held));
	EXPECT_EQ(0, cancel(A));
	self->server.holds = false;
	start = now_ns();
	EXPECT_EQ(-ECANCELED, waiter_end(&w));
	EXPECT_GT(PATIENCE_MS * NSEC_PER_MSEC, now_ns() - start);
	EXPECT_EQ(-ENOENT, cancel(A));
	self->server.lock_error = 0;
	EXPECT_EQ(0, lock_items(A, w.items, 2, 0)) TH_LOG("and again");
}

TEST_HARNESS_MAIN
