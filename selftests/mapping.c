// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks on mappings: nobody writes what is not his, nobody has two writable
 * mappings of one area, no mapping reaches another process, and nothing that
 * is tried on one brings the kernel down.
 */
#include "traffic.h"

#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* One area as one endpoint may map it. */
struct target {
	const char *name;
	int fd;
	__u64 offset, size;
	bool own;
};

/* Where setup puts them. */
enum { PEER_LANE = 2, PEER_POOL, PEER_CURSOR, OWN_LANE, OWN_POOL, OWN_CURSOR, TARGETS };

FIXTURE(mapping) {
	int channel, pub, sub;
	struct sluice_join pj, sj;
	struct target t[TARGETS];
	int n;
	long page;
};

static void add(FIXTURE_DATA(mapping) *self, const char *name, int fd,
		__u64 offset, __u64 size, bool own)
{
	check(self->n < TARGETS);
	self->t[self->n++] = (struct target){ name, fd, offset, size, own };
}

static void add_segment(FIXTURE_DATA(mapping) *self, const char *name, int fd,
			bool own)
{
	struct sluice_segment seg = { .generation = self->pj.generation };

	must(call(fd, SLUICE_IOC_SEGMENT, &seg));
	add(self, name, fd, seg.offset, seg.size, own);
}

FIXTURE_SETUP(mapping)
{
	struct sluice_config cfg = { .slots = 256, .pool = 1 << 16 };
	struct sluice_attach a = { };

	self->page = sysconf(_SC_PAGESIZE);
	self->channel = must(make_channel(NULL, &cfg));
	self->pub = must(join_full(self->channel, SLUICE_PUBLISHER, 0, 0, &self->pj));
	self->sub = must(join_full(self->channel, SLUICE_SUBSCRIBER, 0, 0, &self->sj));
	add(self, "members by publisher", self->pub, self->pj.members.offset,
	    self->pj.members.size, false);
	add(self, "members by subscriber", self->sub, self->sj.members.offset,
	    self->sj.members.size, false);
	must(call(self->sub, SLUICE_IOC_ATTACH, &a));
	add(self, "publisher's lane", self->sub, a.lane.offset, a.lane.size, false);
	add_segment(self, "publisher's pool", self->sub, false);
	memset(&a, 0, sizeof(a));
	must(call(self->pub, SLUICE_IOC_ATTACH, &a));
	add(self, "subscriber's cursor", self->pub, a.cursor.offset,
	    a.cursor.size, false);
	add(self, "own lane", self->pub, self->pj.lane.offset,
	    self->pj.lane.size, true);
	add_segment(self, "own pool", self->pub, true);
	add(self, "own cursor", self->sub, self->sj.cursor.offset,
	    self->sj.cursor.size, true);
}

FIXTURE_TEARDOWN(mapping)
{
	close(self->sub);
	close(self->pub);
	close(self->channel);
}

#define for_targets(t)							\
	for (struct target *t = self->t; t < self->t + self->n; t++)

/* mmap() that returns the address or -errno. */
static intptr_t try_map(const struct target *t, __u64 size, int prot, int flags,
			__u64 offset)
{
	void *p = mmap(NULL, size, prot, flags, t->fd, offset);

	return p == MAP_FAILED ? -errno : (intptr_t)p;
}

static unsigned char *map_target(const struct target *t, int prot)
{
	return map_area(t->fd, t->offset, t->size, prot);
}

/* The pool, writable; a publisher maps its ring first, to be bound by it. */
static unsigned char *map_own_pool(FIXTURE_DATA(mapping) *self)
{
	map_target(&self->t[OWN_LANE], PROT_READ | PROT_WRITE);
	return map_target(&self->t[OWN_POOL], PROT_READ | PROT_WRITE);
}

/* What becomes of a child that stores to @p (or loads, if not @write). */
static int fate(volatile unsigned char *p, bool write)
{
	pid_t pid = child();

	if (!pid) {
		struct rlimit none = { };

		setrlimit(RLIMIT_CORE, &none);
		if (write)
			*p = 1;
		else
			(void)*p;
		_exit(0);
	}
	return reap(pid);
}

TEST_F(mapping, write_is_the_owners)
{
	for_targets(t) {
		int want = t->own ? 0 : EACCES;
		intptr_t p = try_map(t, t->size, PROT_READ | PROT_WRITE,
				     MAP_SHARED, t->offset);

		if (want) {
			EXPECT_EQ(-want, p) TH_LOG("%s", t->name);
			EXPECT_EQ(-want, try_map(t, t->size, PROT_WRITE,
						 MAP_SHARED, t->offset))
				TH_LOG("%s", t->name);
		} else {
			ASSERT_FALSE(p < 0 && p > -4096)
				TH_LOG("%s: %d", t->name, (int)p);
			*(volatile unsigned char *)p = 0;
		}
	}
}

TEST_F(mapping, mprotect_write_refused)
{
	for_targets(t) {
		unsigned char *p = map_target(t, PROT_READ);

		EXPECT_EQ(-1, mprotect(p, t->size, PROT_READ | PROT_WRITE))
			TH_LOG("%s, mapped read-only", t->name);
		EXPECT_EQ(EACCES, errno) TH_LOG("%s", t->name);
		EXPECT_EQ(-1, mprotect(p, self->page, PROT_WRITE))
			TH_LOG("%s", t->name);
		must(munmap(p, t->size));
	}
}

/* The owner may take his right away and get it back, in parts. */
TEST_F(mapping, mprotect_by_owner)
{
	for_targets(t) {
		unsigned char *p;

		if (!t->own)
			continue;
		p = map_target(t, PROT_READ | PROT_WRITE);
		EXPECT_EQ(0, mprotect(p, self->page, PROT_READ));
		EXPECT_EQ(0, mprotect(p, self->page, PROT_NONE));
		EXPECT_EQ(0, mprotect(p, t->size, PROT_READ | PROT_WRITE));
		p[0] = p[t->size - 1] = 0;
	}
	EXPECT_EQ(1, stat_of(self->channel).publishers);
	EXPECT_EQ(1, stat_of(self->channel).subscribers);
}

TEST_F(mapping, private_refused)
{
	for_targets(t) {
		EXPECT_EQ(-EINVAL, try_map(t, t->size, PROT_READ, MAP_PRIVATE,
					   t->offset))
			TH_LOG("%s", t->name);
		EXPECT_GT(0, try_map(t, t->size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE, t->offset))
			TH_LOG("%s", t->name);
	}
}

TEST_F(mapping, exec_refused)
{
	for_targets(t) {
		unsigned char *p;

		EXPECT_GT(0, try_map(t, t->size, PROT_READ | PROT_EXEC,
				     MAP_SHARED, t->offset))
			TH_LOG("%s", t->name);
		p = map_target(t, PROT_READ);
		EXPECT_EQ(-1, mprotect(p, t->size, PROT_READ | PROT_EXEC))
			TH_LOG("%s", t->name);
	}
}

TEST_F(mapping, only_whole)
{
	for_targets(t) {
		__u64 page = self->page;

		EXPECT_GT(0, try_map(t, t->size + page, PROT_READ, MAP_SHARED,
				     t->offset)) TH_LOG("%s longer", t->name);
		EXPECT_GT(0, try_map(t, t->size * 2, PROT_READ, MAP_SHARED,
				     t->offset)) TH_LOG("%s twice", t->name);
		if (t->size == page)
			continue;
		EXPECT_GT(0, try_map(t, t->size - page, PROT_READ, MAP_SHARED,
				     t->offset)) TH_LOG("%s shorter", t->name);
		EXPECT_GT(0, try_map(t, t->size, PROT_READ, MAP_SHARED,
				     t->offset + page)) TH_LOG("%s off", t->name);
		EXPECT_GT(0, try_map(t, t->size - page, PROT_READ, MAP_SHARED,
				     t->offset + page)) TH_LOG("%s tail", t->name);
	}
}

/* Offsets that mean nothing, to fds of every kind. */
TEST_F(mapping, made_up_offsets)
{
	int fds[] = { self->pub, self->sub, self->channel, device() };
	__u64 seed = 1, offset;
	size_t i, k;

	for (i = 0; i < 2000; i++) {
		int bits = random_next(&seed) % 63;

		offset = random_next(&seed) >> (63 - bits) >> 1;
		offset &= ~(self->page - 1ULL);
		for (k = 0; k < ARRAY(fds); k++) {
			struct target t = { .fd = fds[k] };
			intptr_t p = try_map(&t, self->page, PROT_READ,
					     MAP_SHARED, offset);

			if (p > 0 || p < -4095)
				must(munmap((void *)p, self->page));
		}
	}
	/* Nothing is where nothing was said to be. */
	for (k = 0; k < ARRAY(fds); k++)
		for_targets(t) {
			struct target o = { .fd = fds[k] };

			EXPECT_GT(0, try_map(&o, t->size, PROT_READ, MAP_SHARED, 0));
		}
	/* Those without memory have none at any offset. */
	for_targets(t) {
		t->fd = self->channel;
		EXPECT_GT(0, try_map(t, t->size, PROT_READ, MAP_SHARED, t->offset));
		t->fd = device();
		EXPECT_GT(0, try_map(t, t->size, PROT_READ, MAP_SHARED, t->offset));
	}
}

/* An endpoint maps what it attached, not all that there is. */
TEST_F(mapping, only_attached)
{
	struct sluice_detach d = { .generation = self->pj.generation };
	int other = join_role(self->channel, SLUICE_SUBSCRIBER);

	ASSERT_LE(0, other);
	for_targets(t) {
		struct target o = *t;

		if (o.fd != self->sub || !strncmp(o.name, "members", 7) || o.own)
			continue;
		o.fd = other;
		EXPECT_GT(0, try_map(&o, o.size, PROT_READ, MAP_SHARED, o.offset))
			TH_LOG("%s, not attached", o.name);
	}
	ASSERT_EQ(0, call(self->sub, SLUICE_IOC_DETACH, &d));
	for_targets(t) {
		if (t->fd != self->sub || strncmp(t->name, "publisher's", 11))
			continue;
		EXPECT_GT(0, try_map(t, t->size, PROT_READ, MAP_SHARED, t->offset))
			TH_LOG("%s, detached", t->name);
	}
}

/* Mappings that were made stay when the peer is detached, and when it is gone. */
TEST_F(mapping, outlives_peer)
{
	struct sluice_detach d = { .generation = self->pj.generation };
	unsigned char *lane = map_target(&self->t[PEER_LANE], PROT_READ);
	unsigned char *pool = map_target(&self->t[PEER_POOL], PROT_READ);
	unsigned char *own = map_own_pool(self);
	int i;

	memset(own, 0x5a, self->t[OWN_POOL].size);
	must(munmap(own, self->t[OWN_POOL].size));
	close(self->pub);
	call(self->sub, SLUICE_IOC_DETACH, &d);
	close(self->sub);
	close(self->channel);
	for (i = 0; i < self->t[PEER_POOL].size; i += 512)
		EXPECT_EQ(0x5a, pool[i]);
	EXPECT_EQ(0, lane[0]);
	self->pub = self->sub = self->channel = -1;
}

TEST_F(mapping, second_writable_refused)
{
	for_targets(t) {
		/* The pool belongs to the process that mapped the ring. */
		int want = t == &self->t[OWN_POOL] ? EACCES : EBUSY;
		pid_t pid;

		if (!t->own)
			continue;
		map_target(t, PROT_READ | PROT_WRITE);
		EXPECT_EQ(-EBUSY, try_map(t, t->size, PROT_READ | PROT_WRITE,
					  MAP_SHARED, t->offset))
			TH_LOG("%s", t->name);
		pid = child();
		if (!pid)
			_exit(-try_map(t, t->size, PROT_READ | PROT_WRITE,
				       MAP_SHARED, t->offset));
		EXPECT_EQ(want, reap(pid)) TH_LOG("%s, in a child", t->name);
	}
}

/* Not even after the first one is gone: a stale reader may still be there. */
TEST_F(mapping, writable_once_in_a_life)
{
	const struct target *t = &self->t[OWN_POOL];
	unsigned char *p = map_own_pool(self);

	must(munmap(p, t->size));
	EXPECT_GT(0, try_map(t, t->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     t->offset));
}

TEST_F(mapping, mremap)
{
	for_targets(t) {
		int prot = t->own ? PROT_READ | PROT_WRITE : PROT_READ;
		unsigned char *p = map_target(t, prot), *q;

		EXPECT_EQ(MAP_FAILED, mremap(p, t->size, t->size + self->page,
					     MREMAP_MAYMOVE))
			TH_LOG("%s enlarged", t->name);
		EXPECT_EQ(MAP_FAILED, mremap(p, 0, t->size, MREMAP_MAYMOVE))
			TH_LOG("%s duplicated", t->name);
		EXPECT_EQ(MAP_FAILED, mremap(p, 0, self->page, MREMAP_MAYMOVE))
			TH_LOG("%s duplicated in part", t->name);
		EXPECT_EQ(MAP_FAILED, mremap(p, t->size, t->size, MREMAP_MAYMOVE |
					     4 /* MREMAP_DONTUNMAP */, NULL))
			TH_LOG("%s duplicated, left empty", t->name);
		q = mmap(NULL, t->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
		ASSERT_NE(MAP_FAILED, q);
		EXPECT_EQ(q, mremap(p, t->size, t->size,
				    MREMAP_MAYMOVE | MREMAP_FIXED, q))
			TH_LOG("%s moved", t->name);
		if (t->own)
			q[0] = 0;
		EXPECT_EQ(0, q[t->size - 1]);
	}
	EXPECT_EQ(1, stat_of(self->channel).publishers)
		TH_LOG("a move counts as a leave");
	EXPECT_EQ(1, stat_of(self->channel).subscribers);
}

TEST_F(mapping, not_inherited)
{
	for_targets(t) {
		int prot = t->own ? PROT_READ | PROT_WRITE : PROT_READ;
		unsigned char *p = map_target(t, prot);

		EXPECT_EQ(-SIGSEGV, fate(p, false)) TH_LOG("%s", t->name);
	}
}

/* MADV_DOFORK undoes VM_DONTCOPY; what the child gets must be empty. */
TEST_F(mapping, dofork)
{
	int others = 0;

	for_targets(t) {
		int prot = t->own ? PROT_READ | PROT_WRITE : PROT_READ, ret;
		unsigned char *p = map_target(t, prot);

		*(volatile unsigned char *)p;
		if (madvise(p, t->size, MADV_DOFORK))
			others++;
		ret = fate(p, false);
		EXPECT_TRUE(ret == -SIGBUS || ret == -SIGSEGV)
			TH_LOG("%s read by a child: %d", t->name, ret);
		ret = fate(p, true);
		EXPECT_TRUE(ret == -SIGBUS || ret == -SIGSEGV)
			TH_LOG("%s written by a child: %d", t->name, ret);
	}
	/* The children's ends were not the endpoints'. */
	EXPECT_EQ(1, stat_of(self->channel).publishers);
	EXPECT_EQ(1, stat_of(self->channel).subscribers);
}

static void dofork_grandchild(unsigned char *p, size_t size, long page)
{
	pid_t pid = child();

	if (pid) {
		check(!reap(pid));
		return;
	}
	mprotect(p, page, PROT_READ);
	mremap(p, size, size - page, 0);
	pid = child();
	if (!pid)
		_exit(munmap(p, size - page));
	check(!reap(pid));
	_exit(munmap(p, size - page));
}

/* Splitting, shrinking and unmapping the empty one in children of children. */
TEST_F(mapping, dofork_pieces)
{
	for_targets(t) {
		unsigned char *p;

		if (!t->own || t->size < 3 * self->page)
			continue;
		p = map_target(t, PROT_READ | PROT_WRITE);
		if (madvise(p, t->size, MADV_DOFORK))
			continue;
		must(mprotect(p + self->page, self->page, PROT_READ));
		dofork_grandchild(p, t->size, self->page);
		must(mprotect(p, t->size, PROT_READ | PROT_WRITE));
		memset(p, 0, t->size);
	}
	EXPECT_EQ(1, stat_of(self->channel).publishers);
}

/* Whatever madvise() does, content and kernel stay. */
TEST_F(mapping, madvise_all)
{
	int advice;

	for_targets(t) {
		int prot = t->own ? PROT_READ | PROT_WRITE : PROT_READ;
		unsigned char *p = map_target(t, prot);
		unsigned char last = p[t->size - 1];

		for (advice = 0; advice < 128; advice++) {
			if (advice == MADV_HWPOISON || advice == MADV_SOFT_OFFLINE)
				continue;	/* root's, and of the machine */
			madvise(p, t->size, advice);
		}
		must(mprotect(p, t->size, prot));
		EXPECT_EQ(last, p[t->size - 1]) TH_LOG("%s", t->name);
	}
	EXPECT_EQ(1, stat_of(self->channel).publishers);
}

typedef void attack_fn(unsigned char *p, size_t size);

static void withstands(unsigned char *own, const struct target *peer,
		       const char *what, attack_fn *attack)
{
	unsigned char *p = map_target(peer, PROT_READ);
	size_t i;

	memset(own, 0x77, peer->size);
	attack(p, peer->size);
	for (i = 0; i < peer->size; i++)
		if (own[i] != 0x77)
			fail("%s changed byte %zu of %s", what, i, peer->name);
}

/* Reads what the publisher wrote, and finds it so after @attack. */
static void keeps_content(FIXTURE_DATA(mapping) *self, const char *what,
			  attack_fn *attack)
{
	withstands(map_own_pool(self), &self->t[PEER_POOL], what, attack);
}

static void attack_remove(unsigned char *p, size_t size)
{
	madvise(p, size, MADV_REMOVE);
	madvise(p, size, MADV_DONTNEED);
	madvise(p, size, MADV_FREE);
	madvise(p, size, MADV_POPULATE_WRITE);
}

TEST_F(mapping, remove)
{
	keeps_content(self, "MADV_REMOVE", attack_remove);
}

static void attack_proc_mem(unsigned char *p, size_t size)
{
	int fd = must(open("/proc/self/mem", O_RDWR));

	check(size > 4);
	check(pwrite(fd, "evil", 4, (uintptr_t)p) < 0);
	close(fd);
}

TEST_F(mapping, proc_self_mem)
{
	keeps_content(self, "/proc/self/mem", attack_proc_mem);
}

static void attack_vm_write(unsigned char *p, size_t size)
{
	struct iovec from = { "evil", 4 }, to = { p, 4 };

	check(size > 4);
	check(process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0);
}

TEST_F(mapping, process_vm_writev)
{
	keeps_content(self, "process_vm_writev", attack_vm_write);
}

/* A tracer may write what the traced process itself cannot. */
static void trace_and_write(pid_t tracee, unsigned char *p)
{
	struct iovec from = { "evil", 4 }, to = { p, 4 };
	char path[32];
	int status, fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", tracee);
	must(ptrace(PTRACE_SEIZE, tracee, NULL, NULL));
	must(ptrace(PTRACE_INTERRUPT, tracee, NULL, NULL));
	check(waitpid(tracee, &status, __WALL) == tracee && WIFSTOPPED(status));
	check(ptrace(PTRACE_POKEDATA, tracee, p, 0xbad) == -1);
	check(ptrace(PTRACE_POKETEXT, tracee, p, 0xbad) == -1);
	fd = must(open(path, O_RDWR | O_CLOEXEC));
	check(pwrite(fd, "evil", 4, (uintptr_t)p) < 0);
	check(process_vm_writev(tracee, &from, 1, &to, 1, 0) < 0);
	must(ptrace(PTRACE_DETACH, tracee, NULL, NULL));
	_exit(0);
}

static void attack_by_tracer(unsigned char *p, size_t size)
{
	pid_t tracee = getpid(), tracer = child();

	if (!tracer)
		trace_and_write(tracee, p + size / 2);
	check(!reap(tracer));
}

TEST_F(mapping, tracer)
{
	keeps_content(self, "a tracer", attack_by_tracer);
}

TEST_F(mapping, tracer_in_a_lane)
{
	withstands(map_target(&self->t[OWN_LANE], PROT_READ | PROT_WRITE),
		   &self->t[PEER_LANE], "a tracer", attack_by_tracer);
}

static void attack_remap_pages(unsigned char *p, size_t size)
{
	if (syscall(__NR_remap_file_pages, p, size, 0, 0, 0))
		return;
	if (!mprotect(p, size, PROT_READ | PROT_WRITE))
		memset(p, 0xee, size);
}

TEST_F(mapping, remap_file_pages)
{
	keeps_content(self, "remap_file_pages", attack_remap_pages);
}

/* The same for every area; and for the owner's, who must not lose the binding. */
TEST_F(mapping, remap_file_pages_all)
{
	for_targets(t) {
		unsigned char *p = map_target(t, t->own ? PROT_READ | PROT_WRITE :
							  PROT_READ);

		EXPECT_NE(0, syscall(__NR_remap_file_pages, p, t->size, 0, 0, 0))
			TH_LOG("%s", t->name);
		EXPECT_NE(0, syscall(__NR_remap_file_pages, p, self->page, 0, 1, 0))
			TH_LOG("%s, a page", t->name);
	}
}

/* A read() into memory makes the kernel write it. */
static void attack_read_into(unsigned char *p, size_t size)
{
	int fd = must(open("/dev/zero", O_RDONLY));

	check(read(fd, p, size) < 0 && errno == EFAULT);
	close(fd);
}

TEST_F(mapping, read_into)
{
	keeps_content(self, "read()", attack_read_into);
}

static int uring_setup(struct io_uring_params *params)
{
	memset(params, 0, sizeof(*params));
	return syscall(__NR_io_uring_setup, 4, params);
}

/* Registered buffers are pinned for writing, and outlast mapping and endpoint. */
TEST_F(mapping, io_uring_buffers)
{
	struct io_uring_params params;
	struct iovec iov[TARGETS];
	int ring[TARGETS], i;

	for (i = 0; i < self->n; i++) {
		const struct target *t = &self->t[i];
		int prot = t->own ? PROT_READ | PROT_WRITE : PROT_READ, ret;

		ring[i] = uring_setup(&params);
		if (ring[i] < 0)
			SKIP(return, "no io_uring here (errno %d)", errno);
		iov[i].iov_base = map_target(t, prot);
		iov[i].iov_len = t->size;
		ret = syscall(__NR_io_uring_register, ring[i],
			      IORING_REGISTER_BUFFERS, &iov[i], 1);
		if (!t->own) {
			EXPECT_NE(0, ret) TH_LOG("%s pinned", t->name);
		}
	}
	for (i = 0; i < self->n; i++)
		must(munmap(iov[i].iov_base, iov[i].iov_len));
	close(self->sub);
	close(self->pub);
	close(self->channel);
	for (i = 0; i < self->n; i++)
		close(ring[i]);
	self->sub = self->pub = self->channel = -1;
}

TEST_F(mapping, userfaultfd)
{
	int fd = syscall(__NR_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd here (errno %d)", errno);
	for_targets(t) {
		unsigned char *p = map_target(t, PROT_READ);
		struct uffdio_register r = {
			.range = { (uintptr_t)p, t->size },
			.mode = UFFDIO_REGISTER_MODE_MISSING,
		};

		EXPECT_NE(0, ioctl(fd, UFFDIO_REGISTER, &r)) TH_LOG("%s", t->name);
		*(volatile unsigned char *)p;
		if (t->own)
			munmap(p, t->size);
	}
	close(fd);
}

TEST_F(mapping, mlock)
{
	for_targets(t) {
		unsigned char *p = map_target(t, PROT_READ);

		EXPECT_EQ(0, mlock(p, t->size)) TH_LOG("%s", t->name);
		EXPECT_EQ(0, p[t->size - 1]);
		EXPECT_EQ(0, munlock(p, t->size)) TH_LOG("%s", t->name);
	}
	EXPECT_EQ(0, mlockall(MCL_CURRENT));
	EXPECT_EQ(0, munlockall());
}

TEST_F(mapping, populate_and_locked)
{
	for_targets(t) {
		void *p = mmap(NULL, t->size, PROT_READ, MAP_SHARED | MAP_POPULATE |
			       MAP_LOCKED, t->fd, t->offset);

		EXPECT_NE(MAP_FAILED, p) TH_LOG("%s", t->name);
	}
}

/* The byte after the last one belongs to nobody. */
TEST_F(mapping, ends_where_it_ends)
{
	for_targets(t) {
		unsigned char *hole = mmap(NULL, t->size + self->page, PROT_NONE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		unsigned char *p;

		ASSERT_NE(MAP_FAILED, hole);
		p = mmap(hole, t->size, PROT_READ, MAP_SHARED | MAP_FIXED, t->fd,
			 t->offset);
		ASSERT_EQ(hole, p) TH_LOG("%s", t->name);
		madvise(p, t->size, MADV_DOFORK);
		EXPECT_EQ(-SIGSEGV, fate(p + t->size, false));
		*(volatile unsigned char *)(p + t->size - 1);
	}
}

/* None of the files can be read, written, sized or spliced. */
TEST_F(mapping, no_file_operations)
{
	int fds[] = { self->pub, self->sub, self->channel, device() };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), pipes[2];
	char buf[16] = { };
	size_t i;

	ASSERT_EQ(0, pipe(pipes));
	for (i = 0; i < ARRAY(fds); i++) {
		EXPECT_GT(0, read(fds[i], buf, sizeof(buf)));
		EXPECT_GT(0, write(fds[i], buf, sizeof(buf)));
		EXPECT_GT(0, pread(fds[i], buf, sizeof(buf), 0));
		EXPECT_GT(0, pwrite(fds[i], buf, sizeof(buf), 0));
		EXPECT_GT(0, ftruncate(fds[i], 0));
		EXPECT_GT(0, ftruncate(fds[i], 1 << 20));
		EXPECT_GT(0, posix_fallocate(fds[i], 0, 4096) ? -1 : 0);
		EXPECT_GT(0, sendfile(null, fds[i], NULL, 16));
		EXPECT_GT(0, splice(fds[i], NULL, pipes[1], NULL, 16, 0));
		EXPECT_GT(0, splice(pipes[0], NULL, fds[i], NULL, 16,
				    SPLICE_F_NONBLOCK));
	}
}

/* A core dump reads every mapping. */
TEST_F(mapping, core_dump)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pid_t pid = child();

	if (!pid) {
		for_targets(t)
			if (!t->own)
				map_target(t, PROT_READ);
		must(chdir("/tmp"));
		setrlimit(RLIMIT_CORE, &all);
		write_file("/proc/self/coredump_filter", "0xff");
		for_targets(t)
			if (t->own)
				map_target(t, PROT_READ | PROT_WRITE);
		abort();
	}
	EXPECT_EQ(-SIGABRT, reap(pid));
	unlink("/tmp/core");
}

/* Every area mapped many times over, and all of it gone in one exit. */
TEST_F(mapping, many_mappings)
{
	unsigned long n = scaled(200, 20), i;
	pid_t pid = child();

	if (!pid) {
		for (i = 0; i < n; i++)
			for_targets(t)
				*(volatile unsigned char *)map_target(t, PROT_READ);
		_exit(0);
	}
	EXPECT_EQ(0, reap_slowly(pid));
	EXPECT_EQ(1, stat_of(self->channel).publishers);
}

TEST_HARNESS_MAIN
