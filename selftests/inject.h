/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's fault injection: one step of what this thread does next fails.
 */
#ifndef SELFTESTS_INJECT_H
#define SELFTESTS_INJECT_H

#include "util.h"

static int nth_fd = -1;

/* Return: whether the kernel can. */
static inline bool injection_set_up(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	char path[96];
	size_t i;

	for (i = 0; i < ARRAY(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose", kinds[i]);
		if (access(path, W_OK))
			return false;
		write_file(path, "0");
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/ignore-gfp-wait",
			 kinds[i]);
		if (!access(path, W_OK))
			write_file(path, "N");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_fd >= 0;
}

static inline void arm(unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth);

	check(pwrite(nth_fd, text, n, 0) == n);
}

/* Whether what was armed has gone off; if not, there were not so many steps. */
static inline bool disarm(void)
{
	char text[16] = "";
	bool fired = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);

	while (pwrite(nth_fd, "0", 1, 0) != 1)
		;
	return fired;
}

#endif /* SELFTESTS_INJECT_H */
