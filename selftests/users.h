/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Users that tests play, and what root is without a capability.
 */
#ifndef SELFTESTS_USERS_H
#define SELFTESTS_USERS_H

#include <linux/capability.h>

#include "util.h"

/* Three users; OWNER and FRIEND share a group, STRANGER is in another. */
#define OWNER		3001
#define FRIEND		3002
#define STRANGER	3003
#define GROUP		3100
#define OTHER_GROUP	3200

/* A child that is user @uid. */
static inline pid_t user(uid_t uid)
{
	pid_t pid = child();

	if (!pid)
		become(uid, uid, NULL, 0);
	return pid;
}

/* As @uid, with @gid and @more (0 for none), what @fn returns, negated. */
static inline int as_user(uid_t uid, gid_t gid, gid_t more, int (*fn)(void *),
		   void *arg)
{
	pid_t pid = child();

	if (!pid) {
		become(uid, gid, &more, more != 0);
		_exit(-fn(arg));
	}
	return -reap(pid);
}

static inline void drop_cap(int cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	must(syscall(__NR_capget, &h, d));
	d[cap / 32].effective &= ~(1U << cap % 32);
	d[cap / 32].permitted &= ~(1U << cap % 32);
	must(syscall(__NR_capset, &h, d));
}

#endif /* SELFTESTS_USERS_H */
