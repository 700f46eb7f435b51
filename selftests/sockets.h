/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP sockets in pairs, and what makes closing one take its time.
 */
#ifndef SELFTESTS_SOCKETS_H
#define SELFTESTS_SOCKETS_H

#include "util.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static inline void small_buffers(const int *pair)
{
	int size = 16384, i;

	for (i = 0; i < 2; i++) {
		must(setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size,
				sizeof(size)));
		must(setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
	}
}

static inline void tcp_pair(int *pair)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int one = 1, segment = 1400;

	/* As over a wire; loopback's segments are larger than small_buffers(). */
	must(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)));
	must(bind(fd, (void *)&addr, sizeof(addr)));
	must(listen(fd, 1));
	must(getsockname(fd, (void *)&addr, &len));
	pair[0] = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	must(setsockopt(pair[0], IPPROTO_TCP, TCP_MAXSEG, &segment,
			sizeof(segment)));
	must(connect(pair[0], (void *)&addr, sizeof(addr)));
	pair[1] = must(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	close(fd);
	/* Or each small message waits for the last one's acknowledgement. */
	must(setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)));
}

/*
 * Whoever closes the last of it waits, until the peer has read what there is;
 * longer than PATIENCE_MS, but a test that failed ends some day.
 */
static inline void set_linger(int sock)
{
	struct linger linger = { 1, 3 * PATIENCE_MS / 1000 };

	must(setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
}

/* More than the peer takes without reading. */
static inline void stuff(int sock)
{
	static const char bytes[4096];

	/* Some may still be on its way to where there is room. */
	do {
		while (send(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
		check(errno == EAGAIN);
	} while (events_within(sock, POLLOUT, 200));
}

/* pair[0] is one whose last close takes long. */
static inline void lingering_pair(int *pair)
{
	tcp_pair(pair);
	small_buffers(pair);
	stuff(pair[0]);
	set_linger(pair[0]);
}

#endif /* SELFTESTS_SOCKETS_H */
