// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Monitors: opening and closing.
 */
#include <errno.h>
#include <stdlib.h>

#include "monitor.h"

static int monitor_connect(struct sluice_monitor *monitor)
{
	int ret;

	monitor->ask = nl_socket_alloc();
	if (!monitor->ask)
		return -ENOMEM;
	ret = genl_connect(monitor->ask);
	if (ret)
		return error_of_libnl(ret);
	ret = genl_ctrl_resolve(monitor->ask, SLUICE_NL_FAMILY);
	if (ret < 0)
		return error_of_libnl(ret);
	monitor->family = ret;
	return 0;
}

PUBLIC int sluice_monitor_open(struct sluice_monitor **out)
{
	struct sluice_monitor *monitor = calloc(1, sizeof(*monitor));
	int ret;

	if (!monitor)
		return -ENOMEM;
	ret = monitor_connect(monitor);
	if (ret) {
		sluice_monitor_close(monitor);
		return ret;
	}
	*out = monitor;
	return 0;
}

PUBLIC void sluice_monitor_close(struct sluice_monitor *monitor)
{
	if (!monitor)
		return;
	nl_socket_free(monitor->ask);
	nl_socket_free(monitor->hear);
	free(monitor);
}
