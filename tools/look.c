// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Looking from outside, through libsluice-monitor.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

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

double quota_percent(const struct sluice_monitor_quota *quota)
{
	return quota->limit ? 100.0 * quota->used / quota->limit : 100;
}

const char *name_of(const char *name, uint64_t id, char *buf)
{
	if (*name)
		return printable_name((const uint8_t *)name, strlen(name), buf);
	snprintf(buf, PRINTABLE_NAME_SIZE, "#%llu", (unsigned long long)id);
	return buf;
}

const char *command_of(const struct sluice_monitor_process *process, char *buf)
{
	return printable_name((const uint8_t *)process->comm,
			      strlen(process->comm), buf);
}

const char *key_of(const struct sluice_monitor_place *place, char *buf)
{
	if (place->kind == SLUICE_KIND_NAME)
		return printable_name(place->key, place->key_len, buf);
	snprintf(buf, PRINTABLE_NAME_SIZE, "file %u:%u:%llu", place->file.major,
		 place->file.minor, (unsigned long long)place->file.ino);
	return buf;
}

int64_t wall_time(uint64_t monotonic)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return wall.tv_sec * NSEC_PER_SEC + wall.tv_nsec - now() +
		(int64_t)monotonic;
}
