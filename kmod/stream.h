/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_STREAM_H
#define SLUICE_STREAM_H

#include <linux/list.h>
#include <linux/poll.h>

struct cred;
struct file;
struct mem_cgroup;
struct sluice_area;
struct socket;

/**
 * struct sluice_stream - a stream socket that is being written to
 * @link: in the table of those that are
 * @file: keeps it
 * @sock: the same
 * @cred: whoever opened it, in whose name is written
 * @memcg: theirs, for memory on the way
 */
struct sluice_stream {
	struct hlist_node link;
	struct file *file;
	struct socket *sock;
	const struct cred *cred;
	struct mem_cgroup *memcg;
};

/**
 * sluice_stream_open - take a socket to write to
 * @stream: zeroed
 * @fd: of the caller: TCP or unix, of type SOCK_STREAM, connected
 *
 * Until it is closed the stream is nobody else's.
 *
 * Return: 0, -EBADF, -ENOTSOCK, -EPROTONOSUPPORT, -ENOTCONN, -EPIPE for one
 * that was shut down, -EBUSY for one that is open already.
 */
int sluice_stream_open(struct sluice_stream *stream, int fd);

/**
 * sluice_stream_close - give it back
 * @stream: the stream; again is harmless
 * @cut: it ends in the middle of something: nobody shall write behind that
 *
 * Return: what is to be given to sluice_stream_put(); or NULL.
 */
struct file *sluice_stream_close(struct sluice_stream *stream, bool cut);

/**
 * sluice_stream_put - let go of the socket
 * @file: from sluice_stream_close()
 *
 * The last to do so may have to wait as SO_LINGER says, which a process does
 * before it returns to where it was. A work does not: nobody waits for it.
 */
void sluice_stream_put(struct file *file);

/**
 * sluice_stream_write - write from the kernel's memory
 * @stream: the stream
 * @data: bytes
 * @length: how many, not 0
 * @more: more is to follow
 *
 * Never waits, as the next one.
 *
 * Return: how many, not 0, or an error: -EAGAIN until EPOLLOUT.
 */
ssize_t sluice_stream_write(struct sluice_stream *stream, const void *data,
			    size_t length, bool more);

/**
 * sluice_stream_write_area - write from shared memory
 * @stream: the stream
 * @area: holds the bytes
 * @offset: of the first; the caller has checked that they are in there
 * @length: how many, not 0
 * @more: more is to follow
 *
 * They are copied: what is done to the area later changes nothing.
 *
 * Return: as above; fewer than asked for if there are very many.
 */
ssize_t sluice_stream_write_area(struct sluice_stream *stream,
				 struct sluice_area *area, u64 offset,
				 u64 length, bool more);

/* What poll() would say, and with @pt whom to wake. */
__poll_t sluice_stream_poll(struct sluice_stream *stream, poll_table *pt);

/* Given what poll() said: why nothing can be written any more, or 0. */
int sluice_stream_error(const struct sluice_stream *stream, __poll_t mask);

#endif
