// SPDX-License-Identifier: GPL-2.0-only
/*
 * nng over ipc.
 *
 * needs: nng/nng.h nng/protocol/pipeline0/push.h
 * libs: -lnng
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "../bench.h"

struct link {
	char address[64];
	nng_socket socket;
	void *room, *buffer;
};

static void *open_link(const struct bench_shape *shape)
{
	static unsigned int serial;
	struct link *link = calloc(1, sizeof(*link));

	link->room = calloc(1, shape->size);
	link->buffer = calloc(1, shape->size);
	snprintf(link->address, sizeof(link->address),
		 "ipc:///tmp/sluice-bench-nng-%d-%u", (int)getpid(), serial++);
	return link;
}

static void check(int error, const char *what)
{
	if (error)
		bench_die("%s: %s", what, nng_strerror(error));
}

static void join_sender(void *data, unsigned int index)
{
	struct link *link = data;

	(void)index;
	check(nng_push0_open(&link->socket), "nng_push0_open");
	check(nng_dial(link->socket, link->address, NULL, NNG_FLAG_NONBLOCK),
	      "nng_dial");
}

static void join_receiver(void *data, unsigned int index)
{
	struct link *link = data;

	(void)index;
	check(nng_pull0_open(&link->socket), "nng_pull0_open");
	check(nng_socket_set_size(link->socket, NNG_OPT_RECVMAXSZ, 0),
	      "NNG_OPT_RECVMAXSZ");
	check(nng_listen(link->socket, link->address, NULL, 0), "nng_listen");
}

static void *room(void *data, size_t size)
{
	(void)size;
	return ((struct link *)data)->room;
}

static void push(void *data, void *where, size_t size)
{
	check(nng_send(((struct link *)data)->socket, where, size, 0),
	      "nng_send");
}

static void flush(void *link)
{
	(void)link;
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;
	size_t n = size;

	check(nng_recv(link->socket, link->buffer, &n, 0), "nng_recv");
	bench_check(n == size);
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

static struct bench_link nng = {
	.name = "nng",
	.title = "nng, ipc",
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
BENCH_LINK(nng);
