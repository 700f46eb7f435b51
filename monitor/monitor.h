/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MONITOR_MONITOR_H
#define MONITOR_MONITOR_H

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <sluice/monitor.h>

#define PUBLIC __attribute__((visibility("default")))

/**
 * struct sluice_monitor - a monitor
 * @ask: socket for dumps
 * @hear: socket for events, NULL unless it listens
 * @family: number of the netlink family
 */
struct sluice_monitor {
	struct nl_sock *ask;
	struct nl_sock *hear;
	int family;
};

/**
 * struct attributes - of one message
 * @at: the last one of each type, or NULL
 * @first: all of them, for those that may be there several times
 * @len: bytes of that
 */
struct attributes {
	struct nlattr *at[SLUICE_NL_A_MAX + 1];
	struct nlattr *first;
	int len;
};

/* Return: 0, or -EBADMSG. */
int attributes_parse(struct attributes *attributes, struct nlmsghdr *head);

/* What is not there is 0, or empty. */
uint64_t attribute_number(const struct attributes *attributes, int which);
bool attribute_flag(const struct attributes *attributes, int which);
void attribute_text(const struct attributes *attributes, int which, char *to,
		    size_t size);

/* A negative errno for an error of libnl's. */
int error_of_libnl(int error);

#endif
