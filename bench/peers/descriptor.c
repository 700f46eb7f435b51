// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel copies through a descriptor: pipes and unix sockets. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../bench.h"

#define RECEIVERS_MAX	64
#define SPARE		(64u << 10)

struct link {
	struct bench_shape shape;
	bool whole;	/* a message at a time */
	int out[RECEIVERS_MAX], in[RECEIVERS_MAX];
	unsigned int self;
	void *buffer;
};

static void *link_new(const struct bench_shape *shape, bool whole)
{
	struct link *link = calloc(1, sizeof(*link));

	link->shape = *shape;
	link->whole = whole;
	link->buffer = aligned_alloc(4096, (shape->size + 4095) / 4096 * 4096);
	if (shape->receivers > RECEIVERS_MAX)
		bench_die("at most %d receivers", RECEIVERS_MAX);
	return link;
}

static void *pipe_open(const struct bench_shape *shape)
{
	struct link *link = link_new(shape, false);

	for (unsigned int i = 0; i < shape->receivers; i++) {
		int ends[2];

		bench_try(pipe2(ends, O_CLOEXEC));
		link->in[i] = ends[0];
		link->out[i] = ends[1];
		/* Where that is allowed; it is 64 KiB at first. */
		if (shape->size > SPARE)
			fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
	}
	return link;
}

static void *sockets_open(const struct bench_shape *shape, int type)
{
	struct link *link = link_new(shape, type != SOCK_STREAM);
	int room = 4 * shape->size + SPARE;

	for (unsigned int i = 0; i < shape->receivers; i++) {
		int ends[2];

		bench_try(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends));
		link->in[i] = ends[0];
		link->out[i] = ends[1];
		if (shape->size <= SPARE)
			continue;
		if (setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &room,
			       sizeof(room)))
			setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room,
				   sizeof(room));
	}
	return link;
}

static void *stream_open(const struct bench_shape *shape)
{
	return sockets_open(shape, SOCK_STREAM);
}

static void *seqpacket_open(const struct bench_shape *shape)
{
	return sockets_open(shape, SOCK_SEQPACKET);
}

static void *dgram_open(const struct bench_shape *shape)
{
	return sockets_open(shape, SOCK_DGRAM);
}

static void join(void *data, unsigned int index)
{
	struct link *link = data;

	link->self = index;
}

static void *room(void *data, size_t size)
{
	struct link *link = data;

	(void)size;
	return link->buffer;
}

static void push(void *data, void *where, size_t size)
{
	struct link *link = data;

	for (unsigned int i = 0; i < link->shape.receivers; i++)
		for (size_t done = 0; done < size;)
			done += bench_try(write(link->out[i],
						(char *)where + done,
						size - done));
}

static void flush(void *link)
{
	(void)link;
}

static const void *receive(void *data, size_t size)
{
	struct link *link = data;
	int fd = link->in[link->self];
	size_t done = 0;

	do {
		long n = bench_try(read(fd, (char *)link->buffer + done,
					size - done));

		bench_check(n > 0);
		done += n;
	} while (done < size && !link->whole);
	bench_check(done == size);
	return link->buffer;
}

static void release(void *link)
{
	(void)link;
}

static void close_link(void *data)
{
	struct link *link = data;

	for (unsigned int i = 0; i < link->shape.receivers; i++) {
		close(link->in[i]);
		close(link->out[i]);
	}
	free(link->buffer);
	free(link);
}

#define DESCRIPTOR_LINK(variable, NAME, TITLE, OPEN, CAN, MAX)		\
	static struct bench_link variable = {				\
		.name = NAME,						\
		.title = TITLE,						\
		.can = LINK_SLEEP | LINK_STREAM | (CAN),		\
		.size_max = MAX,					\
		.open = OPEN,						\
		.join_sender = join,					\
		.join_receiver = join,					\
		.room = room,						\
		.push = push,						\
		.flush = flush,						\
		.receive = receive,					\
		.release = release,					\
		.close = close_link,					\
	};								\
	BENCH_LINK(variable)

DESCRIPTOR_LINK(pipe_link, "pipe", "pipe", pipe_open, LINK_FANOUT, 0);
DESCRIPTOR_LINK(stream_link, "unix_stream", "unix socket, stream", stream_open,
		LINK_FANOUT, 0);
DESCRIPTOR_LINK(seqpacket_link, "unix_seqpacket", "unix socket, seqpacket",
		seqpacket_open, LINK_FANOUT, 128u << 10);
DESCRIPTOR_LINK(dgram_link, "unix_dgram", "unix socket, datagram", dgram_open,
		LINK_FANOUT | LINK_FUNNEL, 128u << 10);
