/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's fault injection: one step of what this thread does next fails, or
 * each does with some probability.
 */
#ifndef SELFTESTS_INJECT_H
#define SELFTESTS_INJECT_H

#include "util.h"

static const char *const injected[] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

static int nth_fd = -1, unlucky_fd = -1;

/* Return: whether there is such an attribute. */
static inline bool inject_set(const char *kind, const char *attribute,
			      const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, attribute);
	if (access(path, W_OK))
		return false;
	write_file(path, text);
	return true;
}

/* Return: whether the kernel can. */
static inline bool injection_set_up(void)
{
	size_t i;

	for (i = 0; i < ARRAY(injected); i++) {
		if (!inject_set(injected[i], "verbose", "0"))
			return false;
		inject_set(injected[i], "ignore-gfp-wait", "N");
		inject_set(injected[i], "task-filter", "Y");
		inject_set(injected[i], "times", "-1");
	}
	inject_set("fail_page_alloc", "min-order", "0");
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	unlucky_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	return nth_fd >= 0 && unlucky_fd >= 0;
}

/* In how many of a hundred cases a step fails of who is unlucky(). */
static inline void inject_chance(unsigned int percent)
{
	char text[16];
	size_t i;

	snprintf(text, sizeof(text), "%u", percent);
	for (i = 0; i < ARRAY(injected); i++)
		inject_set(injected[i], "probability", text);
}

/* To have no luck any more may fail, too. */
static inline void unlucky(bool yes)
{
	while (pwrite(unlucky_fd, yes ? "1" : "0", 1, 0) != 1)
		;
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
