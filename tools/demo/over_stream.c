// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handing over through a pipe or a unix socket for each reader: the kernel
 * copies every byte in for each of them, and out again.
 *
 * Both get as much room as they can have, so that none is slow for want of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo.h"

#define ROOM (1 << 20)

struct stream_way {
	struct way way;
	int fds[READERS][2];	/* to read from, to write to */
	enum role reader;
	uint64_t position;
	char *buf;
};

static struct stream_way *stream_way(struct way *way)
{
	return (struct stream_way *)way;
}

static struct stream_way *make(const struct way_ops *ops)
{
	struct stream_way *sw = calloc(1, sizeof(*sw));

	if (!sw)
		die("no memory");
	sw->buf = malloc(CHUNK);
	if (!sw->buf)
		die("no memory");
	sw->way.ops = ops;
	return sw;
}

static struct way *make_pipes(void)
{
	struct stream_way *sw = make(&over_pipes);

	for (int i = 0; i < READERS; i++) {
		if (pipe2(sw->fds[i], O_CLOEXEC) < 0)
			die("cannot make a pipe: %s", strerror(errno));
		fcntl(sw->fds[i][1], F_SETPIPE_SZ, ROOM);
	}
	return &sw->way;
}

static struct way *make_sockets(void)
{
	struct stream_way *sw = make(&over_sockets);
	int room = ROOM;

	for (int i = 0; i < READERS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sw->fds[i]) < 0)
			die("cannot make a socket: %s", strerror(errno));
		/* Root may have more than the system's limit. */
		if (setsockopt(sw->fds[i][1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
			setsockopt(sw->fds[i][1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	}
	return &sw->way;
}

static void free_way(struct way *way)
{
	struct stream_way *sw = stream_way(way);

	for (int i = 0; i < READERS; i++) {
		close(sw->fds[i][0]);
		close(sw->fds[i][1]);
	}
	free(sw->buf);
	free(sw);
}

static void join_publisher(struct way *way)
{
	for (int i = 0; i < READERS; i++)
		close(stream_way(way)->fds[i][0]);
}

static void *room(struct way *way)
{
	return stream_way(way)->buf;
}

static void send_chunk(struct way *way, size_t length)
{
	struct stream_way *sw = stream_way(way);

	for (int i = 0; i < READERS; i++) {
		write_whole(sw->fds[i][1], sw->buf, length, way->ops->name);
		way->copied += length;
	}
}

static void finish(struct way *way)
{
	for (int i = 0; i < READERS; i++)
		close(stream_way(way)->fds[i][1]);
}

static void join_reader(struct way *way, enum role reader)
{
	struct stream_way *sw = stream_way(way);

	sw->reader = reader;
	for (int i = 0; i < READERS; i++) {
		close(sw->fds[i][1]);
		if (i != (int)reader)
			close(sw->fds[i][0]);
	}
}

static bool next(struct way *way, struct chunk *chunk)
{
	struct stream_way *sw = stream_way(way);
	ssize_t n = read_whole(sw->fds[sw->reader][0], sw->buf, CHUNK);

	if (n < 0)
		die("%s: cannot read: %s", way->ops->name, strerror(errno));
	way->copied += n;
	chunk->data = sw->buf;
	chunk->length = n;
	chunk->position = sw->position++;
	return n > 0;
}

static void release(struct way *way, struct chunk *chunk)
{
	(void)way;
	(void)chunk;
}

#define STREAM_OPS(title, maker)		\
	.name = title,				\
	.make = maker,				\
	.free = free_way,			\
	.join_publisher = join_publisher,	\
	.room = room,				\
	.send = send_chunk,			\
	.finish = finish,			\
	.join_reader = join_reader,		\
	.next = next,				\
	.release = release

const struct way_ops over_pipes = { STREAM_OPS("pipes", make_pipes) };
const struct way_ops over_sockets = { STREAM_OPS("unix sockets", make_sockets) };
