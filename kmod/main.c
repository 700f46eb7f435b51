// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/sluice, and the order in which the module comes and goes. Anybody may
 * open the device: what it gives access to is decided by the modes of channels
 * and lockspaces.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "call.h"
#include "channel.h"
#include "deferred.h"
#include "domain.h"
#include "holder.h"
#include "lockspace.h"
#include "name.h"
#include "netlink.h"
#include "registry.h"
#include "remote.h"
#include "tunables.h"

static long device_info(struct sluice_call *call)
{
	call->arg.info = (struct sluice_info) {
		.abi_major = SLUICE_ABI_MAJOR,
		.abi_minor = SLUICE_ABI_MINOR,
		.features = SLUICE_FEATURE_LOCKS | SLUICE_FEATURE_BACKED |
			    SLUICE_FEATURE_BLOCKS | SLUICE_FEATURE_FEEDS |
			    SLUICE_FEATURE_TRUSTED,
		.slots_max = sluice_slots_max(),
		.publishers_max = sluice_publishers_max(),
		.subscribers_max = sluice_subscribers_max(),
		.held_max = sluice_held_max(),
		.pool_max = sluice_pool_max(),
	};
	return 0;
}

static long device_open_channel(struct sluice_call *call)
{
	return sluice_object_open(call, &sluice_channel_type);
}

static long device_list_channels(struct sluice_call *call)
{
	return sluice_object_list(call, &sluice_channel_type);
}

static long device_open_lockspace(struct sluice_call *call)
{
	return sluice_object_open(call, &sluice_lockspace_type);
}

static long device_list_lockspaces(struct sluice_call *call)
{
	return sluice_object_list(call, &sluice_lockspace_type);
}

static const struct sluice_ioctl device_ioctls[] = {
	{ SLUICE_IOC_INFO, device_info },
	{ SLUICE_IOC_OPEN, device_open_channel },
	{ SLUICE_IOC_LIST, device_list_channels },
	{ SLUICE_IOC_LOCKSPACE, device_open_lockspace },
	{ SLUICE_IOC_LOCKSPACES, device_list_lockspaces },
	{ SLUICE_IOC_HOLDER, sluice_holder_open },
};

static long device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	return sluice_call_run(device_ioctls, ARRAY_SIZE(device_ioctls), file,
			       cmd, arg);
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = nonseekable_open,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "sluice",
	.fops = &device_fops,
	.mode = 0666,
};

static int __init sluice_init(void)
{
	int ret;

	ret = sluice_names_init();
	if (ret)
		return ret;
	ret = sluice_registry_init();
	if (ret)
		goto names;
	ret = sluice_deferred_init();
	if (ret)
		goto registry;
	ret = sluice_domains_init();
	if (ret)
		goto deferred;
	ret = sluice_remotes_init();
	if (ret)
		goto domains;
	ret = sluice_netlink_init();
	if (ret)
		goto remotes;
	ret = misc_register(&device);
	if (ret)
		goto netlink;
	return 0;
netlink:
	sluice_netlink_exit();
remotes:
	sluice_remotes_exit();
domains:
	sluice_domains_exit();
deferred:
	sluice_deferred_exit();
registry:
	sluice_registry_exit();
names:
	sluice_names_exit();
	return ret;
}

static void __exit sluice_exit(void)
{
	misc_deregister(&device);
	sluice_netlink_exit();
	sluice_remotes_exit();
	sluice_domains_exit();
	sluice_deferred_exit();
	sluice_registry_exit();
	sluice_names_exit();
	/* Areas and endpoints are freed by RCU callbacks that are in here. */
	rcu_barrier();
}

module_init(sluice_init);
module_exit(sluice_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Zero-copy message channels and arbitration between processes");
MODULE_VERSION("0.1.0");
