// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A program of somebody else: what it needs to be compiled and linked, and to
 * find its libraries, must be where pkg-config and CMake say. With MONITOR it
 * uses libsluice-monitor, too. Says which library it found and whether there
 * is a module.
 */
#include <sluice/sluice.h>
#include <stdio.h>
#include <string.h>
#ifdef MONITOR
#include <sluice/monitor.h>

static int query_monitor(void)
{
	struct sluice_monitor *monitor;
	int ret = sluice_monitor_open(&monitor);

	if (!ret)
		sluice_monitor_close(monitor);
	return ret;
}
#else
static int query_monitor(void) { return 0; }
#endif

int main(void)
{
	struct sluice_info info;
	int ret = sluice_query_info(&info, sizeof(info));

	if (!ret)
		ret = query_monitor();
	printf("libsluice %s: %s\n", sluice_version(),
	       ret ? strerror(-ret) : "there is a module");
	return 0;
}
