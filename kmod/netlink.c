// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: which requests there are, and groups. What they
 * tell is in dump*.c, what is announced in notify.c; doc/netlink.md is for those
 * who ask.
 */
#include <linux/module.h>

#include "dump.h"
#include "dump_channel.h"
#include "dump_holder.h"
#include "dump_lock.h"
#include "netlink.h"

static const struct sluice_dump_type *const dump_types[] = {
	[SLUICE_NL_CHANNELS]	= &sluice_dump_channels,
	[SLUICE_NL_ENDPOINTS]	= &sluice_dump_endpoints,
	[SLUICE_NL_LOCKSPACES]	= &sluice_dump_lockspaces,
	[SLUICE_NL_RESOURCES]	= &sluice_dump_resources,
	[SLUICE_NL_LOCKS]	= &sluice_dump_locks,
	[SLUICE_NL_WAITS]	= &sluice_dump_waits,
	[SLUICE_NL_HOLDERS]	= &sluice_dump_holders,
	[SLUICE_NL_QUOTAS]	= &sluice_dump_quotas,
};

const struct sluice_dump_type *
sluice_netlink_dump_type(const struct netlink_callback *cb)
{
	const struct genlmsghdr *head = nlmsg_data(cb->nlh);

	return dump_types[head->cmd];
}

/* Attributes that are not known are ignored, by both sides. */
#define DUMP_OP(which) {						\
	.cmd = which,							\
	.validate = GENL_DONT_VALIDATE_DUMP_STRICT,			\
	.start = sluice_dump_start,					\
	.dumpit = sluice_dump_run,					\
	.done = sluice_dump_done,					\
}

static const struct genl_ops netlink_ops[] = {
	DUMP_OP(SLUICE_NL_CHANNELS),
	DUMP_OP(SLUICE_NL_ENDPOINTS),
	DUMP_OP(SLUICE_NL_LOCKSPACES),
	DUMP_OP(SLUICE_NL_RESOURCES),
	DUMP_OP(SLUICE_NL_LOCKS),
	DUMP_OP(SLUICE_NL_WAITS),
	DUMP_OP(SLUICE_NL_HOLDERS),
	DUMP_OP(SLUICE_NL_QUOTAS),
};

static const struct genl_multicast_group netlink_groups[] = {
	[SLUICE_GROUP_LIFECYCLE]	= { .name = SLUICE_NL_LIFECYCLE },
	[SLUICE_GROUP_DEADLOCK]		= { .name = SLUICE_NL_DEADLOCK },
	[SLUICE_GROUP_PRESSURE]		= { .name = SLUICE_NL_PRESSURE },
};

/*
 * Who ignores attributes has to ignore the reserved part of the header, too.
 * Every dump has a state of its own: those of others need not be waited for.
 */
struct genl_family sluice_netlink_family = {
	.name = SLUICE_NL_FAMILY,
	.version = SLUICE_NL_VERSION,
	.maxattr = SLUICE_NL_A_FILTER_MAX,
	.policy = sluice_dump_policy,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = netlink_ops,
	.n_ops = ARRAY_SIZE(netlink_ops),
	.resv_start_op = SLUICE_NL_QUOTAS + 1,
	.mcgrps = netlink_groups,
	.n_mcgrps = ARRAY_SIZE(netlink_groups),
};

int sluice_netlink_init(void)
{
	return genl_register_family(&sluice_netlink_family);
}

void sluice_netlink_exit(void)
{
	genl_unregister_family(&sluice_netlink_family);
}
