// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lookout - see it from outside, with libsluice-monitor: who lags, who waits for
 * whose lock, and then what goes wrong from now on.
 *
 *	lookout 100		subscribers with 100 unread messages and more
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sluice/monitor.h>

static int see_endpoint(const struct sluice_monitor_endpoint *seen, void *arg)
{
	const uint64_t *most = arg;

	if (seen->role == SLUICE_SUBSCRIBER && seen->lag >= *most)
		printf("%s: %s (process %u) has %" PRIu64 " messages to read\n",
		       seen->name, seen->process.comm, seen->process.pid, seen->lag);
	return 0;
}

static int see_wait(const struct sluice_monitor_wait *seen, void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < seen->blocker_count; i++)
		printf("%s: process %u waits for process %u\n", seen->place.name,
		       seen->process.pid, seen->blockers[i].process.pid);
	return 0;
}

static void tell(const struct sluice_monitor_event *event)
{
	switch (event->event) {
	case SLUICE_NL_EVENT_DEADLOCK:
		printf("deadlock of %u in lockspace %" PRIu64 "\n", event->length,
		       event->lockspace);
		break;
	case SLUICE_NL_EVENT_LAG:
		printf("a publisher of channel %" PRIu64 " waits for room: %" PRIu64
		       " messages unread\n", event->channel, event->lag);
		break;
	case SLUICE_NL_EVENT_QUOTA:
		printf("user %u reached a limit of %" PRIu64 "\n", event->uid, event->limit);
		break;
	}
}

int main(int argc, char **argv)
{
	uint64_t most = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	struct pollfd pollfd = { .events = POLLIN };
	struct sluice_monitor_event event;
	struct sluice_monitor *monitor;
	int ret = sluice_monitor_open(&monitor);

	/* Listens before it looks, so that nothing falls in between. */
	if (!ret)
		ret = sluice_monitor_listen(monitor, SLUICE_MONITOR_DEADLOCK |
						     SLUICE_MONITOR_PRESSURE);
	if (!ret)
		ret = sluice_monitor_endpoints(monitor, NULL, see_endpoint, &most);
	if (ret >= 0)
		ret = sluice_monitor_waits(monitor, NULL, see_wait, NULL);
	pollfd.fd = ret < 0 ? -1 : sluice_monitor_fd(monitor);
	while (ret >= 0 || ret == -EAGAIN || ret == -ENOBUFS) {
		fflush(stdout);
		if (ret == -EAGAIN && poll(&pollfd, 1, -1) < 0)
			error(1, errno, "poll");
		ret = sluice_monitor_next(monitor, &event);
		if (!ret)
			tell(&event);
	}
	error(1, -ret, "cannot look");
}
