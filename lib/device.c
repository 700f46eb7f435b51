// SPDX-License-Identifier: LGPL-2.1-or-later
/* What concerns no channel in particular. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "call.h"
#include "endpoint.h"

#define LIST_ROOM	32	/* entries fetched at once */

const char *sluice_version(void)
{
	return SLUICE_VERSION;
}

int sluice_query_info(struct sluice_info *info, size_t size)
{
	struct sluice_info known = { 0 };
	int fd, err;

	fd = open(SL_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = sl_call(fd, SLUICE_IOC_INFO, &known);
	close(fd);
	if (err)
		return err;
	sl_result_give(info, size, &known, sizeof(known));
	return known.abi_major == SLUICE_ABI_MAJOR ? 0 : -EPROTONOSUPPORT;
}

int64_t sluice_deadline_after(int64_t nanoseconds)
{
	int64_t now = sl_now();

	if (nanoseconds < 0)
		nanoseconds = 0;
	if (nanoseconds > SLUICE_NO_DEADLINE - now)
		return SLUICE_NO_DEADLINE;
	return now + nanoseconds;
}

static int list_visit(int fd, struct sluice_stat *entries,
		      int (*visit)(const struct sluice_stat *stat, void *data),
		      void *data)
{
	struct sluice_list list = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
	};
	int ret;

	do {
		list.count = LIST_ROOM;
		ret = sl_call(fd, SLUICE_IOC_LIST, &list);
		for (uint32_t i = 0; !ret && i < list.count; i++)
			ret = visit(&entries[i], data);
	} while (!ret && list.count);
	return ret;
}

int sluice_channel_list(int (*visit)(const struct sluice_stat *stat,
				     void *data), void *data)
{
	struct sluice_stat *entries;
	int fd, ret;

	fd = sl_device_open(0);
	if (fd < 0)
		return fd;
	entries = calloc(LIST_ROOM, sizeof(*entries));
	ret = entries ? list_visit(fd, entries, visit, data) : -ENOMEM;
	free(entries);
	close(fd);
	return ret;
}
