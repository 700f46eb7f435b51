/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways to wait for a descriptor besides poll(): epoll and io_uring.
 */
#ifndef SELFTESTS_EVENTS_H
#define SELFTESTS_EVENTS_H

#include <linux/io_uring.h>
#include <sys/epoll.h>

#include "shared.h"

static inline int epoll_on(int fd, __u32 events)
{
	struct epoll_event ev = { .events = events };
	int ep = must(epoll_create1(EPOLL_CLOEXEC));

	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

static inline int epoll_events(int ep, int ms)
{
	struct epoll_event ev = { };
	int n = must(epoll_wait(ep, &ev, 1, ms));

	return n ? ev.events : 0;
}

/*
 * io_uring, without liburing.
 */
struct uring {
	int fd;
	struct io_uring_params params;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static inline bool uring_open(struct uring *u)
{
	memset(u, 0, sizeof(*u));
	u->fd = syscall(__NR_io_uring_setup, 8, &u->params);
	if (u->fd < 0)
		return false;
	u->sq = map_area(u->fd, IORING_OFF_SQ_RING, u->params.sq_off.array +
			 8 * sizeof(__u32), PROT_READ | PROT_WRITE);
	u->cq = map_area(u->fd, IORING_OFF_CQ_RING, u->params.cq_off.cqes +
			 16 * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE);
	u->sqes = map_area(u->fd, IORING_OFF_SQES,
			   8 * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE);
	return true;
}

static inline void uring_close(struct uring *u)
{
	unmap(u->sq, u->params.sq_off.array + 8 * sizeof(__u32));
	unmap(u->cq, u->params.cq_off.cqes + 16 * sizeof(struct io_uring_cqe));
	unmap(u->sqes, 8 * sizeof(struct io_uring_sqe));
	close(u->fd);
}

/* Asks once to be told of @events (@multi: again and again). */
static inline void uring_poll(struct uring *u, int fd, __u32 events, bool multi)
{
	__u32 *tail = (void *)(u->sq + u->params.sq_off.tail);
	__u32 *array = (void *)(u->sq + u->params.sq_off.array);
	struct io_uring_sqe *sqe = u->sqes;

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->fd = fd;
	sqe->poll32_events = events;
	sqe->len = multi ? IORING_POLL_ADD_MULTI : 0;
	array[*tail & 7] = 0;
	store_release(tail, *tail + 1);
	check(syscall(__NR_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) == 1);
}

/* The result of a completion, or -ETIME if there is none. */
static inline int uring_result(struct uring *u, int ms)
{
	__u32 *head = (void *)(u->cq + u->params.cq_off.head);
	__u32 *tail = (void *)(u->cq + u->params.cq_off.tail);
	struct io_uring_cqe *cqes = (void *)(u->cq + u->params.cq_off.cqes);
	__s64 end = in_ms(ms);
	int res;

	while (load_acquire(tail) == *head) {
		if (now_ns() > end)
			return -ETIME;
		events_within(u->fd, POLLIN, 1);
	}
	res = cqes[*head & 15].res;
	store_release(head, *head + 1);
	return res;
}

#endif /* SELFTESTS_EVENTS_H */
