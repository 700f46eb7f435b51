// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libsluice-monitor as the exporter's tests want it, by FAKE_MONITOR:
 *
 *	few	one of everything, with bytes in names that are hard to write down
 *	many	thousands of channels
 *	busy	nothing is of one moment, and lockspaces cannot be asked for
 *	leaving	the module goes between two questions
 *	absent	there is no module
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sluice/monitor.h>

#define MANY	3000

/* All there is of it is that it is there. */
struct sluice_monitor {
	char mode[16];
};

static int is(const struct sluice_monitor *monitor, const char *mode)
{
	return !strcmp(monitor->mode, mode);
}

static int ending(const struct sluice_monitor *monitor)
{
	return is(monitor, "busy") ? SLUICE_MONITOR_INTERRUPTED : 0;
}

/* And half a second, so that it is whole seconds for as long. */
static uint64_t seconds_ago(int seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - seconds) * 1000000000ULL + now.tv_nsec - 500000000;
}

int sluice_monitor_open(struct sluice_monitor **out)
{
	const char *mode = getenv("FAKE_MONITOR");
	struct sluice_monitor *monitor;

	if (!mode || !strcmp(mode, "absent"))
		return -ENODEV;
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return -ENOMEM;
	strncpy(monitor->mode, mode, sizeof(monitor->mode) - 1);
	*out = monitor;
	return 0;
}

void sluice_monitor_close(struct sluice_monitor *monitor)
{
	free(monitor);
}

static const struct sluice_monitor_channel channel = {
	.object = { .id = 7, .name = "a\"b\\c\xff größe", .uid = 1000, .gid = 2000,
		    .mode = 0640 },
	.pattern = SLUICE_QUEUE, .policy = SLUICE_DROP_OLDEST, .slots = 64,
	.publishers_max = 3, .subscribers_max = 5, .held_max = 9, .history = 2,
	.publishers = 1, .subscribers = 2, .left = 1,
	.messages = 18446744073709551615ULL, .payload = 1ULL << 40,
	.bytes = 1 << 20, .fds = 4,
};

int sluice_monitor_channels(struct sluice_monitor *monitor,
			    const struct sluice_monitor_filter *filter,
			    int (*see)(const struct sluice_monitor_channel *seen,
				       void *arg),
			    void *arg)
{
	struct sluice_monitor_channel seen = channel;
	int ret, many = is(monitor, "many") ? MANY : 1;

	(void)filter;
	ret = see(&seen, arg);
	/* Without a name, and nobody in it. */
	memset(&seen, 0, sizeof(seen));
	for (int i = 0; !ret && i < many; i++) {
		seen.object.id = 8 + i;
		ret = see(&seen, arg);
	}
	return ret ? ret : ending(monitor);
}

int sluice_monitor_endpoints(struct sluice_monitor *monitor,
			     const struct sluice_monitor_filter *filter,
			     int (*see)(const struct sluice_monitor_endpoint *seen,
					void *arg),
			     void *arg)
{
	struct sluice_monitor_endpoint seen = {
		.channel = 7, .generation = 1, .role = SLUICE_PUBLISHER,
		.process = { .pid = 41, .comm = "sh\"\\" },
		.state = SLUICE_ACTIVE, .sleeping = seconds_ago(100),
		.messages = 12, .payload = 1234, .bytes = 1 << 19, .fds = 3,
	};
	int ret;

	(void)filter;
	strcpy(seen.name, channel.object.name);
	ret = see(&seen, arg);
	seen = (struct sluice_monitor_endpoint) {
		.channel = 7, .generation = 2, .role = SLUICE_SUBSCRIBER,
		.process = { .pid = 42, .comm = "reader" },
		.state = SLUICE_ACTIVE, .messages = 10, .payload = 1030,
		.lost = 1, .held = 2, .lag = 30,
	};
	strcpy(seen.name, channel.object.name);
	ret = ret ? ret : see(&seen, arg);
	seen.generation = 3;
	seen.state = SLUICE_EVICTED;
	seen.lag = 20;
	/* From the future: its clock was read later. */
	seen.sleeping = seconds_ago(-100);
	ret = ret ? ret : see(&seen, arg);
	return ret ? ret : ending(monitor);
}

int sluice_monitor_lockspaces(struct sluice_monitor *monitor,
			      const struct sluice_monitor_filter *filter,
			      int (*see)(const struct sluice_monitor_lockspace *seen,
					 void *arg),
			      void *arg)
{
	const struct sluice_monitor_lockspace seen = {
		.object = { .id = 3, .name = "jobs" },
		.resources = 11, .grants = 12, .waiting = 13, .granted = 14,
		.blocked = 15, .deadlocks = 16, .died = 17, .token = 18,
		.closed = true,
	};
	int ret;

	(void)filter;
	if (is(monitor, "busy"))
		return -ENOMEM;
	if (is(monitor, "leaving"))
		return -ENODEV;
	ret = see(&seen, arg);
	return ret ? ret : ending(monitor);
}

int sluice_monitor_holders(struct sluice_monitor *monitor,
			   const struct sluice_monitor_filter *filter,
			   int (*see)(const struct sluice_monitor_holder *seen,
				      void *arg),
			   void *arg)
{
	struct sluice_monitor_holder seen = { .id = 1, .grants = 1 };
	int ret;

	(void)filter;
	if (is(monitor, "leaving"))
		return -ENODEV;
	ret = see(&seen, arg);
	seen = (struct sluice_monitor_holder) {
		.id = 2, .waiting = 2, .since = seconds_ago(50),
	};
	ret = ret ? ret : see(&seen, arg);
	seen.since = seconds_ago(1);
	ret = ret ? ret : see(&seen, arg);
	return ret ? ret : ending(monitor);
}

int sluice_monitor_quotas(struct sluice_monitor *monitor,
			  const struct sluice_monitor_filter *filter,
			  int (*see)(const struct sluice_monitor_quota *seen,
				     void *arg),
			  void *arg)
{
	struct sluice_monitor_quota seen = {
		.uid = 1000, .userns = 4026531837, .used = 5, .limit = 100,
	};
	int ret = 0;

	(void)filter;
	if (is(monitor, "leaving"))
		return -ENODEV;
	for (seen.limited = SLUICE_NL_LIMITED_CHANNELS;
	     !ret && seen.limited <= SLUICE_NL_LIMITED_LOCKS; seen.limited++)
		ret = see(&seen, arg);
	return ret ? ret : ending(monitor);
}
