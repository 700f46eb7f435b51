/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path by hand: publishers and subscribers that follow
 * doc/memory-model.md word for word, and nothing more. The labels R1, A1, F1
 * are the ones used there.
 */
#ifndef SELFTESTS_TRAFFIC_H
#define SELFTESTS_TRAFFIC_H

#include "publish.h"
#include "receive.h"

/*
 * Payload that tells what it is: every byte follows from @seed.
 */
static inline void fill(void *buf, size_t len, __u64 seed)
{
	unsigned char *p = buf;
	__u64 x = 0;
	size_t i;

	for (i = 0; i < len; i++, x >>= 8) {
		if (i % 8 == 0)
			x = random_next(&seed);
		p[i] = x;
	}
}

static inline bool filled(const void *buf, size_t len, __u64 seed)
{
	const unsigned char *p = buf;
	__u64 x = 0;
	size_t i;

	for (i = 0; i < len; i++, x >>= 8) {
		if (i % 8 == 0)
			x = random_next(&seed);
		if (p[i] != (unsigned char)x)
			return false;
	}
	return true;
}

#endif /* SELFTESTS_TRAFFIC_H */
