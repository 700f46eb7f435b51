// SPDX-License-Identifier: GPL-2.0-only
/*
 * All tunables: module parameters, writable at run time by root under
 * /sys/module/sluice/parameters. A lower limit binds what is made from then
 * on and takes nothing away from those who have it.
 */
#include <linux/mm.h>
#include <linux/module.h>

#include "tunables.h"

static unsigned int user_channels = 16384;
module_param(user_channels, uint, 0644);
MODULE_PARM_DESC(user_channels, "channels a user may have made");

static unsigned int user_endpoints = 65536;
module_param(user_endpoints, uint, 0644);
MODULE_PARM_DESC(user_endpoints, "publishers and subscribers a user may have");

static unsigned long user_bytes;
module_param(user_bytes, ulong, 0644);
MODULE_PARM_DESC(user_bytes,
		 "bytes of pools, rings and cursors a user may have (0: a quarter of memory)");

static unsigned int user_fds = 2048;
module_param(user_fds, uint, 0644);
MODULE_PARM_DESC(user_fds, "file descriptors a user may have in flight");

static unsigned int user_lockspaces = 16384;
module_param(user_lockspaces, uint, 0644);
MODULE_PARM_DESC(user_lockspaces, "lockspaces a user may have made");

static unsigned int user_holders = 65536;
module_param(user_holders, uint, 0644);
MODULE_PARM_DESC(user_holders, "holders a user may have");

static unsigned int user_resources = 1U << 20;
module_param(user_resources, uint, 0644);
MODULE_PARM_DESC(user_resources, "resources a user may have brought into being");

static unsigned int user_locks = 1U << 20;
module_param(user_locks, uint, 0644);
MODULE_PARM_DESC(user_locks,
		 "ranges a user may hold, wait for, have died with, or have lost unread");

static unsigned int channel_slots = 65536;
module_param(channel_slots, uint, 0644);
MODULE_PARM_DESC(channel_slots, "most ring slots of a channel");

static unsigned int channel_publishers = 1024;
module_param(channel_publishers, uint, 0644);
MODULE_PARM_DESC(channel_publishers, "most publishers of a channel");

static unsigned int channel_subscribers = 1024;
module_param(channel_subscribers, uint, 0644);
MODULE_PARM_DESC(channel_subscribers, "most subscribers of a channel");

static unsigned int channel_held = 1024;
module_param(channel_held, uint, 0644);
MODULE_PARM_DESC(channel_held, "most messages a subscriber may hold");

static unsigned long channel_pool = 1UL << 40;
module_param(channel_pool, ulong, 0644);
MODULE_PARM_DESC(channel_pool, "most pool bytes of one publisher");

static unsigned int file_check = 5;
module_param(file_check, uint, 0644);
MODULE_PARM_DESC(file_check,
		 "seconds between two looks whether a file server still has a lock (0: never)");

/*
 * The member table's indices and a pin's lane number are 16 bits wide; slots
 * and positions of one ring must stay apart in a pin's 48 bits. These bounds
 * hold whatever root writes.
 */
#define SLUICE_SLOTS_BOUND	(1U << 20)
#define SLUICE_MEMBERS_BOUND	4096U

u64 sluice_user_limit(enum sluice_res res)
{
	u64 bytes;

	switch (res) {
	case SLUICE_RES_CHANNELS:
		return READ_ONCE(user_channels);
	case SLUICE_RES_ENDPOINTS:
		return READ_ONCE(user_endpoints);
	case SLUICE_RES_FDS:
		return READ_ONCE(user_fds);
	case SLUICE_RES_LOCKSPACES:
		return READ_ONCE(user_lockspaces);
	case SLUICE_RES_HOLDERS:
		return READ_ONCE(user_holders);
	case SLUICE_RES_RESOURCES:
		return READ_ONCE(user_resources);
	case SLUICE_RES_LOCKS:
		return READ_ONCE(user_locks);
	default:
		bytes = READ_ONCE(user_bytes);
		return bytes ?: ((u64)totalram_pages() << PAGE_SHIFT) / 4;
	}
}

u32 sluice_slots_max(void)
{
	return min(READ_ONCE(channel_slots), SLUICE_SLOTS_BOUND);
}

u32 sluice_publishers_max(void)
{
	return min(READ_ONCE(channel_publishers), SLUICE_MEMBERS_BOUND);
}

u32 sluice_subscribers_max(void)
{
	return min(READ_ONCE(channel_subscribers), SLUICE_MEMBERS_BOUND);
}

u32 sluice_held_max(void)
{
	return min(READ_ONCE(channel_held), SLUICE_MEMBERS_BOUND);
}

u32 sluice_file_check(void)
{
	return min(READ_ONCE(file_check), 86400U);
}

u64 sluice_pool_max(void)
{
	return min(READ_ONCE(channel_pool), 1UL << 46);
}
