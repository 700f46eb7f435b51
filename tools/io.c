// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading and writing to the end.
 */
#include <errno.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"

int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

ssize_t read_full(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)buf + done, size - done);

		if (n == 0)
			break;
		if (n > 0)
			done += n;
		else if (errno != EINTR || caught_signal())
			return -errno;
	}
	return done;
}

/* Take what was written off the front. */
static void advance(struct iovec **iov, int *count, size_t n)
{
	while (*count && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int write_full(int fd, struct iovec *iov, int count)
{
	advance(&iov, &count, 0);
	while (count) {
		ssize_t n = writev(fd, iov, count);

		if (n >= 0)
			advance(&iov, &count, n);
		else if (errno != EINTR || caught_signal())
			return -errno;
	}
	return 0;
}

void put_length(uint8_t *buf, unsigned int width, uint64_t length)
{
	for (unsigned int i = 0; i < width; i++)
		buf[i] = length >> (8 * i);
}

uint64_t get_length(const uint8_t *buf, unsigned int width)
{
	uint64_t length = 0;

	for (unsigned int i = 0; i < width; i++)
		length |= (uint64_t)buf[i] << (8 * i);
	return length;
}
