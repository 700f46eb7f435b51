// SPDX-License-Identifier: GPL-2.0-only
/* POSIX message queues. */
#include <errno.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench.h"

struct link {
	mqd_t queue;
	char room[8192], buffer[8192];
};

/* As many messages as an unprivileged user may have. */
static mqd_t make(size_t size)
{
	struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = size };
	static unsigned int serial;
	char name[64];
	mqd_t queue;

	snprintf(name, sizeof(name), "/sluice-bench-%d-%u", (int)getpid(),
		 serial++);
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (queue != (mqd_t)-1)
		mq_unlink(name);
	return queue;
}

static const char *missing(void)
{
	mqd_t queue = make(64);

	if (queue == (mqd_t)-1)
		return strerror(errno);
	mq_close(queue);
	return NULL;
}

static void *open_link(const struct bench_shape *shape)
{
	struct link *link = calloc(1, sizeof(*link));

	link->queue = make(shape->size);
	if (link->queue == (mqd_t)-1)
		bench_die("mq_open: %s", strerror(errno));
	return link;
}

static void join(void *link, unsigned int index)
{
	(void)link;
	(void)index;
}

static void *room(void *data, size_t size)
{
	(void)size;
	return ((struct link *)data)->room;
}

static void push(void *data, void *where, size_t size)
{
	bench_try(mq_send(((struct link *)data)->queue, where, size, 0));
}

static void flush(void *link)
{
	(void)link;
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;
	long n = bench_try(mq_receive(link->queue, link->buffer, size, NULL));

	bench_check((size_t)n == size);
	return link->buffer;
}

static void release(void *link)
{
	(void)link;
}

static void close_link(void *data)
{
	mq_close(((struct link *)data)->queue);
	free(data);
}

static struct bench_link mq = {
	.name = "mq",
	.title = "POSIX message queue",
	.can = LINK_SLEEP | LINK_STREAM | LINK_FUNNEL,
	.size_max = 8192,
	.missing = missing,
	.open = open_link,
	.join_sender = join,
	.join_receiver = join,
	.room = room,
	.push = push,
	.flush = flush,
	.receive = receive,
	.release = release,
	.close = close_link,
};
BENCH_LINK(mq);
