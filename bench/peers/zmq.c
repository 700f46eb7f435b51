// SPDX-License-Identifier: GPL-2.0-only
/*
 * ZeroMQ over ipc.
 *
 * needs: zmq.h
 * libs: -lzmq
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <zmq.h>

#include "../bench.h"

struct link {
	struct bench_shape shape;
	char address[64];
	void *socket;
	void *room, *buffer;
};

static void *open_link(const struct bench_shape *shape)
{
	static unsigned int serial;
	struct link *link = calloc(1, sizeof(*link));

	link->shape = *shape;
	link->room = calloc(1, shape->size);
	link->buffer = calloc(1, shape->size);
	snprintf(link->address, sizeof(link->address),
		 "ipc:///tmp/sluice-bench-zmq-%d-%u", (int)getpid(), serial++);
	return link;
}

/* A context has threads, which fork() would not take along: one a process. */
static void *context(void)
{
	static void *own;

	if (!own)
		own = zmq_ctx_new();
	bench_check(own);
	return own;
}

static void join(struct link *link, int type, bool bind)
{
	link->socket = zmq_socket(context(), type);
	bench_check(link->socket);
	if (bind)
		bench_try(zmq_bind(link->socket, link->address));
	else
		bench_try(zmq_connect(link->socket, link->address));
}

/* There is one receiver; connecting may come before it is there. */
static void join_sender(void *data, unsigned int index)
{
	(void)index;
	join(data, ZMQ_PUSH, false);
}

static void join_receiver(void *data, unsigned int index)
{
	(void)index;
	join(data, ZMQ_PULL, true);
}

static void *room(void *data, size_t size)
{
	(void)size;
	return ((struct link *)data)->room;
}

static void push(void *data, void *where, size_t size)
{
	bench_try(zmq_send(((struct link *)data)->socket, where, size, 0));
}

static void flush(void *link)
{
	(void)link;
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;
	long n = bench_try(zmq_recv(link->socket, link->buffer, size, 0));

	bench_check((size_t)n == size);
	return link->buffer;
}

static void release(void *link)
{
	(void)link;
}

static void close_link(void *data)
{
	struct link *link = data;

	unlink(link->address + sizeof("ipc://") - 1);
	free(link->room);
	free(link->buffer);
	free(link);
}

static struct bench_link zmq = {
	.name = "zmq",
	.title = "ZeroMQ, ipc",
	.can = LINK_SLEEP | LINK_STREAM | LINK_FUNNEL,
	.open = open_link,
	.join_sender = join_sender,
	.join_receiver = join_receiver,
	.room = room,
	.push = push,
	.flush = flush,
	.receive = receive,
	.release = release,
	.close = close_link,
};
BENCH_LINK(zmq);
