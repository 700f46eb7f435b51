// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared memory for the payload and the kernel for waking up: with a futex, and
 * with eventfd. One message at a time, the receiver sleeps at once. And plain
 * memory: frames that are written once and read once by each, where the
 * processes wait for each other only after several frames.
 */
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

#include "../bench.h"

#define FRAMES	8u	/* between two waits of plain memory */

struct shared {
	_Alignas(64) uint32_t sent;
	_Alignas(64) uint32_t read;	/* by all receivers together */
	_Alignas(64) char payload[];
};

struct link {
	struct shared *shared;
	size_t cell, bytes;
	unsigned int receivers;
	uint32_t own;
	int event;
};

static void futex_wait(uint32_t *word, uint32_t seen)
{
	if (syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0) < 0 &&
	    errno != EAGAIN && errno != EINTR)
		bench_die("FUTEX_WAIT: %d", errno);
}

static void futex_wake(uint32_t *word)
{
	bench_try(syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
}

static struct link *link_new(const struct bench_shape *shape, uint32_t cells)
{
	struct link *link = calloc(1, sizeof(*link));

	link->receivers = shape->receivers;
	link->cell = (shape->size + 63) / 64 * 64;
	link->bytes = sizeof(*link->shared) + cells * link->cell;
	link->shared = bench_shared(link->bytes);
	link->event = -1;
	return link;
}

static void *futex_open(const struct bench_shape *shape)
{
	return link_new(shape, 1);
}

static void *event_open(const struct bench_shape *shape)
{
	struct link *link = link_new(shape, 1);

	link->event = bench_try(eventfd(0, EFD_CLOEXEC));
	return link;
}

static void *memory_open(const struct bench_shape *shape)
{
	return link_new(shape, FRAMES);
}

static void join(void *link, unsigned int index)
{
	(void)link;
	(void)index;
}

static void *room(void *data, size_t size)
{
	(void)size;
	return ((struct link *)data)->shared->payload;
}

static void flush(void *link)
{
	(void)link;
}

static void futex_push(void *data, void *where, size_t size)
{
	struct link *link = data;

	(void)where;
	(void)size;
	__atomic_store_n(&link->shared->sent, ++link->own, __ATOMIC_RELEASE);
	futex_wake(&link->shared->sent);
}

static const void *futex_receive(void *data, size_t size)
{
	struct link *link = data;
	uint32_t *sent = &link->shared->sent;

	(void)size;
	while (__atomic_load_n(sent, __ATOMIC_ACQUIRE) == link->own)
		futex_wait(sent, link->own);
	link->own++;
	return link->shared->payload;
}

static void event_push(void *data, void *where, size_t size)
{
	struct link *link = data;
	uint64_t one = 1;

	(void)where;
	(void)size;
	bench_try(write(link->event, &one, sizeof(one)));
}

static const void *event_receive(void *data, size_t size)
{
	struct link *link = data;
	uint64_t count;

	(void)size;
	bench_try(read(link->event, &count, sizeof(count)));
	bench_check(count == 1);
	return link->shared->payload;
}

static void release(void *link)
{
	(void)link;
}

static char *frame(const struct link *link)
{
	return link->shared->payload + link->own % FRAMES * link->cell;
}

/* The sender waits until everybody has read the frames of the last time. */
static void *memory_room(void *data, size_t size)
{
	struct link *link = data;
	uint32_t *word = &link->shared->read;
	uint32_t seen;

	(void)size;
	while (link->own % FRAMES == 0 &&
	       (seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) !=
	       link->own * link->receivers)
		futex_wait(word, seen);
	return frame(link);
}

static void memory_push(void *data, void *where, size_t size)
{
	struct link *link = data;

	(void)where;
	(void)size;
	if (++link->own % FRAMES)
		return;
	__atomic_store_n(&link->shared->sent, link->own, __ATOMIC_RELEASE);
	futex_wake(&link->shared->sent);
}

static const void *memory_receive(void *data, size_t size)
{
	struct link *link = data;
	uint32_t *word = &link->shared->sent;
	uint32_t seen;

	(void)size;
	while ((seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == link->own)
		futex_wait(word, seen);
	return frame(link);
}

static void memory_release(void *data)
{
	struct link *link = data;

	if (++link->own % FRAMES)
		return;
	__atomic_add_fetch(&link->shared->read, FRAMES, __ATOMIC_ACQ_REL);
	futex_wake(&link->shared->read);
}

static void close_link(void *data)
{
	struct link *link = data;

	munmap(link->shared, link->bytes);
	if (link->event >= 0)
		close(link->event);
	free(link);
}

static struct bench_link futex_link = {
	.name = "futex",
	.title = "futex over shared memory",
	.can = LINK_SLEEP,
	.open = futex_open,
	.join_sender = join,
	.join_receiver = join,
	.room = room,
	.push = futex_push,
	.flush = flush,
	.receive = futex_receive,
	.release = release,
	.close = close_link,
};
BENCH_LINK(futex_link);

static struct bench_link event_link = {
	.name = "eventfd",
	.title = "eventfd and shared memory",
	.can = LINK_SLEEP,
	.open = event_open,
	.join_sender = join,
	.join_receiver = join,
	.room = room,
	.push = event_push,
	.flush = flush,
	.receive = event_receive,
	.release = release,
	.close = close_link,
};
BENCH_LINK(event_link);

static struct bench_link memory_link = {
	.name = "memory",
	.title = "plain memory traffic",
	.can = LINK_FANOUT | LINK_IN_PLACE,
	.open = memory_open,
	.join_sender = join,
	.join_receiver = join,
	.room = memory_room,
	.push = memory_push,
	.flush = flush,
	.receive = memory_receive,
	.release = memory_release,
	.close = close_link,
};
BENCH_LINK(memory_link);
