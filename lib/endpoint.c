// SPDX-License-Identifier: LGPL-2.1-or-later
/* What publishers and subscribers have in common. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "area.h"
#include "call.h"
#include "endpoint.h"

#define NS_PER_S	1000000000LL

int64_t sl_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Spinning keeps the one that is waited for from running on an only CPU. */
static bool many_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return errno == EINVAL;	/* more CPUs than a cpu_set_t has */
	return CPU_COUNT(&set) > 1;
}

int sl_endpoint_open(struct sl_endpoint *endpoint,
		     const struct sluice_channel *channel,
		     const struct sluice_join *join, uint32_t spin)
{
	int err;

	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->fd = -1;
	endpoint->spin = many_cpus() ? spin : 0;
	endpoint->join = *join;
	endpoint->alive = sl_alive_number();
	if (!endpoint->alive)
		return -ENOMEM;
	err = sl_call(sluice_channel_fd(channel), SLUICE_IOC_JOIN,
		      &endpoint->join);
	if (err >= 0) {
		endpoint->fd = err;
		err = sl_members_map(endpoint->fd, &endpoint->join.members,
				     &endpoint->join.config,
				     &endpoint->members);
	}
	if (err)
		sl_endpoint_close(endpoint);
	return err;
}

void sl_endpoint_close(struct sl_endpoint *endpoint)
{
	if (sl_endpoint_alive(endpoint))
		sl_area_unmap(&endpoint->members.area);
	if (endpoint->fd >= 0)
		close(endpoint->fd);
	endpoint->fd = -1;
}

int sl_endpoint_attach(const struct sl_endpoint *endpoint,
		       struct sluice_attach *call)
{
	return sl_call(endpoint->fd, SLUICE_IOC_ATTACH, call);
}

int sl_endpoint_gone(const struct sl_endpoint *endpoint,
		     struct sluice_attach *call, int err)
{
	int now = err == -EINVAL ? sl_endpoint_attach(endpoint, call) : 0;

	return now ? now : err;
}

int64_t sl_endpoint_spin_end(const struct sl_endpoint *endpoint,
			     int64_t deadline)
{
	int64_t end;

	if (!endpoint->spin)
		return 0;
	end = sl_now() + endpoint->spin;
	return end < deadline ? end : deadline;
}

int sl_endpoint_wait(const struct sl_endpoint *endpoint, int64_t deadline,
		     uint64_t room)
{
	struct sluice_wait wait = { .deadline = deadline, .room = room };
	int err = sl_call(endpoint->fd, SLUICE_IOC_WAIT, &wait);

	/* What it compares can be moved by others for as long as they like. */
	if (!err && deadline != SLUICE_NO_DEADLINE && sl_now() >= deadline)
		return -ETIMEDOUT;
	return err;
}

void sl_endpoint_wake(const struct sl_endpoint *endpoint, uint32_t index,
		      uint32_t count)
{
	struct sluice_wake wake = { .index = index, .count = count };

	sl_call(endpoint->fd, SLUICE_IOC_WAKE, &wake);
}
