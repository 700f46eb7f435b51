/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of what is refused: a good structure with one thing spoilt, memory
 * that cannot be written, descriptors left behind.
 */
#ifndef SELFTESTS_REFUSAL_H
#define SELFTESTS_REFUSAL_H

#include "util.h"

/* What is open of the process: a call that failed should leave it alone. */
static inline int open_fds(void)
{
	int n = 0, fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A read-only page that ends in @size bytes copied from @data. */
static inline void *read_only(const void *data, size_t size)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	memcpy(p + page - size, data, size);
	must(mprotect(p, page, PROT_READ));
	return p + page - size;
}

/*
 * REFUSED() starts from a structure that is good, spoils it with the
 * statements given, and expects the error.
 */
#define REFUSED(err, fd, cmd, type, good, ...) do {			\
	type x = good;							\
									\
	__VA_ARGS__;							\
	EXPECT_EQ(-(err), call(fd, cmd, &x))				\
		TH_LOG("%s with %s", #cmd, #__VA_ARGS__);		\
} while (0)

#endif /* SELFTESTS_REFUSAL_H */
