/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_NETLINK_H
#define SLUICE_NETLINK_H

#include <net/genetlink.h>

struct sluice_dump_type;

extern struct genl_family sluice_netlink_family;

/* Indices of the multicast groups. */
enum sluice_netlink_group {
	SLUICE_GROUP_LIFECYCLE,
	SLUICE_GROUP_DEADLOCK,
	SLUICE_GROUP_PRESSURE,
	SLUICE_GROUP_COUNT,
};

int sluice_netlink_init(void);
void sluice_netlink_exit(void);

/* Of a dump that begins. */
const struct sluice_dump_type *
sluice_netlink_dump_type(const struct netlink_callback *cb);

#endif
