/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libsluice: a queue's messages into a stream socket.
 *
 * Several processes that write to one TCP connection or unix stream tear each
 * other's messages: a write may be short, a writer may be killed in the middle
 * of one. Let them publish to a queue instead, and attach the socket to that:
 * the kernel writes each message whole, and when the peer is slow the
 * publishers feel the channel's policy. Nobody but who attaches it needs the
 * socket.
 *
 *	ret = sluice_feed_attach(channel, socket, NULL, &feed);
 *	...
 *	ret = sluice_feed_stop(feed, SLUICE_FEED_DRAIN, deadline);
 *	sluice_feed_close(feed);
 *
 * Several feeds of one queue share its messages, each message going into one
 * of the sockets. While a socket has a feed nobody should write to it; reading
 * from it is nobody's business but the program's.
 *
 * The conventions of <sluice/sluice.h> hold. All calls on a feed but
 * sluice_feed_close() may be made from any thread, at the same time. A feed
 * belongs to the process that made it: all calls but that give -ECHILD in a
 * child of fork(2).
 */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <linux/sluice.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct sluice_channel;
struct sluice_feed;

/**
 * struct sluice_feed_options - how to feed a socket
 * @size: of this structure
 * @flags: SLUICE_FEED_STAY: go on when no publisher is left;
 *	SLUICE_FEED_LENGTH: before each message write its length, 32 bits,
 *	big-endian; or SLUICE_FEED_LINES: behind each a newline
 * @policy: enum sluice_policy, as for a subscriber; 0 takes the channel's
 * @resv: zero
 */
struct sluice_feed_options {
	size_t size;
	uint32_t flags;
	uint32_t policy;
	uint64_t resv;
};

#define SLUICE_FEED_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_feed_options),			\
	.flags = 0,							\
}

/**
 * sluice_feed_attach() - let a queue feed a socket
 * @channel: a queue, opened with SLUICE_READ; may be closed afterwards
 * @socket: of type SOCK_STREAM, TCP or unix, connected. May be closed
 *	afterwards; whether it is non-blocking does not matter
 * @options: NULL takes the defaults
 * @feed: out
 *
 * The kernel writes a message when the socket has room, as the calling user,
 * and copies it: when it is acknowledged, the socket has all of it. (What a
 * peer that is reset had not read is lost, as after any write().) File
 * descriptors in messages do not go along.
 *
 * The feed ends by itself when the socket fails, when it is evicted, and,
 * without SLUICE_FEED_STAY, when the last publisher has left and all is
 * written. What is not written then stays in the queue. If the feed ends in the
 * middle of a message, the socket is shut down: nothing can follow half a
 * message.
 *
 * Return: 0; -EBADF, -ENOTSOCK; -EPROTONOSUPPORT: no such socket; -ENOTCONN;
 * -EPIPE: it is shut down; -EBUSY: it has a feed; -EACCES: no right to
 * subscribe; -EUSERS: all places for subscribers are taken; -EPERM: policy;
 * -EINVAL: not a queue, or options are nonsense; -E2BIG; -EDQUOT; -ENOMEM,
 * -EMFILE, -ENFILE; -EOPNOTSUPP: the module is too old.
 */
int sluice_feed_attach(const struct sluice_channel *channel, int socket,
		       const struct sluice_feed_options *options,
		       struct sluice_feed **feed);

/**
 * sluice_feed_close() - end a feed at once
 * @feed: NULL is allowed
 *
 * In the middle of a message, too: see sluice_feed_stop(). The end of the
 * process does the same. No other thread may be using @feed.
 */
void sluice_feed_close(struct sluice_feed *feed);

/**
 * sluice_feed_fd() - the file descriptor, to be polled
 * @feed: keeps it, and closes it
 *
 * It is close-on-exec. When the feed has ended it says EPOLLIN and EPOLLHUP, if
 * the socket failed EPOLLERR too. The feed ends when any descriptor of it is
 * closed in the process that made it. Return: the descriptor.
 */
int sluice_feed_fd(const struct sluice_feed *feed);

/**
 * sluice_feed_wait() - wait until a feed ends by itself
 * @feed: as attached
 * @deadline: until when to wait
 *
 * Return: 0: it has ended, between two messages; -ETIMEDOUT: it has not, even
 * if @deadline is 0 (never -EAGAIN); -EINTR; or why it failed: -EPIPE,
 * -ECONNRESET and the like: the socket's error; -ECONNRESET: also of a connection
 * that timed out, sluice_feed_stat() tells; -ECONNABORTED: it was evicted;
 * -ECHILD.
 */
int sluice_feed_wait(struct sluice_feed *feed, int64_t deadline);

/**
 * sluice_feed_stop() - end a feed between two messages
 * @feed: as attached
 * @flags: SLUICE_FEED_DRAIN: not before the queue is empty
 * @deadline: until when to wait for that
 *
 * The socket is the program's again. With -ETIMEDOUT or -EINTR the feed goes
 * on.
 *
 * Return: as sluice_feed_wait(); -EINVAL.
 */
int sluice_feed_stop(struct sluice_feed *feed, uint32_t flags,
		     int64_t deadline);

/**
 * sluice_feed_stat() - how it fares, or how it ended
 * @feed: as attached
 * @stat: filled in
 * @size: sizeof(*@stat)
 *
 * Return: 0; -EINTR; -ECHILD.
 */
int sluice_feed_stat(const struct sluice_feed *feed,
		     struct sluice_feed_stat *stat, size_t size);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_FEED_H */
