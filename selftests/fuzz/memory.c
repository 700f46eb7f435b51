// SPDX-License-Identifier: GPL-2.0-only
/* Good and bad memory. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory.h"

#define SLOW_US		300

static __thread sigjmp_buf caught;
static __thread volatile bool catching;

static void on_fault(int signal)
{
	if (catching)
		siglongjmp(caught, 1);
	_exit(128 + signal);
}

void memory_catch(void)
{
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

/* Byte for byte or in words: the areas' are read and written whole. */
bool copy_safely(void *to, const void *from, size_t n)
{
	if (sigsetjmp(caught, 0)) {
		catching = false;
		return false;
	}
	catching = true;
	if (n == sizeof(uint64_t) && !((uintptr_t)to % n | (uintptr_t)from % n))
		__atomic_store_n((uint64_t *)to,
				 __atomic_load_n((const uint64_t *)from, __ATOMIC_ACQUIRE),
				 __ATOMIC_RELEASE);
	else
		memcpy(to, from, n);
	catching = false;
	return true;
}

static unsigned char *pages(size_t n, int prot)
{
	unsigned char *p = mmap(NULL, n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void arena_make(struct arena *a)
{
	unsigned char *p = pages(ARENA_GOOD + 6, PROT_NONE);
	int fd = memfd_create("fixed", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE))
		abort();
	a->good = p;
	a->slow = p + (ARENA_GOOD + 2) * PAGE;
	a->fixed = a->slow + 2 * PAGE;
	mprotect(a->good, ARENA_GOOD * PAGE, PROT_READ | PROT_WRITE);
	mprotect(a->slow - PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
	a->source = pages(1, PROT_READ | PROT_WRITE);
	if (mmap(a->fixed, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort();
	a->alias = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
}

void slow_make(struct slow *slow)
{
	struct uffdio_api api = { .api = UFFD_API };

	slow->n = 0;
	slow->fd = syscall(__NR_userfaultfd, O_CLOEXEC);
	if (slow->fd >= 0 && ioctl(slow->fd, UFFDIO_API, &api)) {
		close(slow->fd);
		slow->fd = -1;
	}
}

void slow_add(struct slow *slow, struct arena *a)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)a->slow, .len = PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (slow->fd >= 0 && !ioctl(slow->fd, UFFDIO_REGISTER, &reg))
		slow->arena[slow->n++] = a;
}

static void slow_bring(struct slow *slow, uintptr_t address)
{
	struct uffdio_copy copy = { .dst = address & ~(PAGE - 1), .len = PAGE };
	unsigned int i;

	for (i = 0; i < slow->n; i++)
		if ((uintptr_t)slow->arena[i]->slow == copy.dst)
			copy.src = (uintptr_t)slow->arena[i]->source;
	if (!copy.src || ioctl(slow->fd, UFFDIO_COPY, &copy)) {
		struct uffdio_range range = { .start = copy.dst, .len = PAGE };

		ioctl(slow->fd, UFFDIO_WAKE, &range);
	}
}

void slow_serve(struct slow *slow)
{
	struct uffd_msg msg;

	while (slow->fd >= 0 && read(slow->fd, &msg, sizeof(msg)) == sizeof(msg)) {
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		usleep(SLOW_US);
		slow_bring(slow, msg.arg.pagefault.address);
	}
}

/* What goes into the slow page waits beside it. */
static void *put_slow(struct arena *a, unsigned char *at, const void *data, size_t n)
{
	size_t before = at < a->slow ? a->slow - at : 0, i;

	madvise(a->slow, PAGE, MADV_DONTNEED);
	for (i = 0; i < n && at + i < a->slow + PAGE; i++) {
		if (i < before)
			at[i] = ((const unsigned char *)data)[i];
		else
			a->source[at + i - a->slow] = ((const unsigned char *)data)[i];
	}
	return at;
}

void *arena_put(struct arena *a, unsigned int where, const void *data, size_t n,
		void *mapped)
{
	size_t half = n / 2 & ~7UL;
	unsigned char *at;

	switch (where) {
	case WHERE_HALF:
		at = a->good + ARENA_GOOD * PAGE - half;
		memcpy(at, data, half);
		return at;
	case WHERE_SLOW:
		return put_slow(a, a->slow, data, n);
	case WHERE_HALF_SLOW:
		return put_slow(a, a->slow - half, data, n);
	case WHERE_SLOW_HALF:
		return put_slow(a, a->slow + PAGE - half, data, n);
	case WHERE_FIXED:
		memcpy(a->alias, data, n < PAGE ? n : PAGE);
		return a->fixed;
	case WHERE_NULL:
		return NULL;
	case WHERE_NOWHERE:
		return a->good + ARENA_GOOD * PAGE;
	case WHERE_KERNEL:
		return (void *)(uintptr_t)0xffff888000001000ULL;
	case WHERE_GOOD:
	case WHERE_GOOD + 1:
		memcpy(a->good, data, n);
		return a->good;
	default:
		copy_safely(mapped, data, n);
		return mapped;
	}
}
