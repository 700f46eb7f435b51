/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MONITOR_DUMP_H
#define MONITOR_DUMP_H

#include "monitor.h"

/**
 * dump - ask for all of a kind, and see each
 * @monitor: the monitor
 * @cmd: enum sluice_nl_cmd
 * @filter: or NULL
 * @tell: called for each; it returns 0 to go on
 * @arg: for @tell
 *
 * Return: as sluice_monitor_channels().
 */
int dump(struct sluice_monitor *monitor, int cmd,
	 const struct sluice_monitor_filter *filter,
	 int (*tell)(const struct attributes *attributes, void *arg), void *arg);

#endif
