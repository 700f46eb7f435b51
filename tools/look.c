// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Looking from outside, through libsluice-monitor.
 */
#include "look.h"

struct sluice_monitor *open_monitor(void)
{
	struct sluice_monitor *monitor;
	int error = sluice_monitor_open(&monitor);

	if (!error)
		return monitor;
	if (!complain_device())
		complain(NULL, error, "cannot ask the kernel");
	return NULL;
}

int complain_monitor(int error)
{
	if (error == SLUICE_MONITOR_INTERRUPTED) {
		complain(NULL, 0, "things changed meanwhile: this is not one moment");
		return STATUS_OK;
	}
	if (!error)
		return STATUS_OK;
	complain(NULL, error, "cannot ask the kernel");
	return STATUS_FAILURE;
}

const char *limited_name(uint32_t limited)
{
	static const char *const names[] = {
		[SLUICE_NL_LIMITED_CHANNELS]	= "channels",
		[SLUICE_NL_LIMITED_ENDPOINTS]	= "endpoints",
		[SLUICE_NL_LIMITED_BYTES]	= "bytes",
		[SLUICE_NL_LIMITED_FDS]		= "fds",
		[SLUICE_NL_LIMITED_LOCKSPACES]	= "lockspaces",
		[SLUICE_NL_LIMITED_HOLDERS]	= "holders",
		[SLUICE_NL_LIMITED_RESOURCES]	= "resources",
		[SLUICE_NL_LIMITED_LOCKS]	= "locks",
	};

	if (limited >= sizeof(names) / sizeof(*names) || !names[limited])
		return "unknown";
	return names[limited];
}
