// SPDX-License-Identifier: GPL-2.0-only
/*
 * libsluice-monitor: what it makes of dumps and events. Those themselves are
 * looked at in netlink*.c.
 */
#include <sluice/monitor.h>

#include "lock.h"

FIXTURE(monitor) {
	struct sluice_monitor *monitor;
	struct cast c;
	int channel;
	__u64 id, space;
};

FIXTURE_SETUP(monitor)
{
	check(!sluice_monitor_open(&self->monitor));
	self->channel = must(make_channel("monitored", NULL));
	self->id = stat_of(self->channel).id;
	cast_make(&self->c, 3);
	self->space = lockspace_stat(self->c.space).id;
}

FIXTURE_TEARDOWN(monitor)
{
	sluice_monitor_close(self->monitor);
	sluice_monitor_close(NULL);
}

/* Keeps the last one that was seen, and counts; stops when @stop is reached. */
#define DEFINE_SEEN(one)						\
struct one##_seen {							\
	struct sluice_monitor_##one last;				\
	int n, stop;							\
};									\
									\
static int see_##one(const struct sluice_monitor_##one *seen, void *arg)	\
{									\
	struct one##_seen *to = arg;					\
									\
	to->last = *seen;						\
	return ++to->n == to->stop ? -ENOTNAM : 0;			\
}

DEFINE_SEEN(channel)
DEFINE_SEEN(endpoint)
DEFINE_SEEN(lockspace)
DEFINE_SEEN(resource)
DEFINE_SEEN(lock)
DEFINE_SEEN(wait)
DEFINE_SEEN(holder)
DEFINE_SEEN(quota)

TEST_F(monitor, channels)
{
	struct sluice_monitor_filter filter = {
		.by = SLUICE_MONITOR_NAME, .name = "monitored",
	};
	struct channel_seen seen = { };
	int all;

	ASSERT_EQ(0, sluice_monitor_channels(self->monitor, &filter, see_channel,
					     &seen));
	ASSERT_EQ(1, seen.n);
	EXPECT_EQ(self->id, seen.last.object.id);
	EXPECT_STREQ("monitored", seen.last.object.name);
	EXPECT_EQ(0600, seen.last.object.mode);
	EXPECT_EQ(SLUICE_BROADCAST, seen.last.pattern);
	EXPECT_EQ(SLUICE_BLOCK, seen.last.policy);
	EXPECT_EQ(256, seen.last.slots);
	EXPECT_EQ(16, seen.last.publishers_max);
	EXPECT_EQ(0, seen.last.publishers);

	/* Who has seen enough says so, and the next dump is whole again. */
	must(make_channel(NULL, NULL));
	must(make_channel(NULL, NULL));
	seen = (struct channel_seen){ .stop = 2 };
	EXPECT_EQ(-ENOTNAM, sluice_monitor_channels(self->monitor, NULL,
						    see_channel, &seen));
	EXPECT_EQ(2, seen.n);
	seen = (struct channel_seen){ };
	ASSERT_EQ(0, sluice_monitor_channels(self->monitor, NULL, see_channel,
					     &seen));
	all = seen.n;
	EXPECT_LE(3, all);

	filter.by |= SLUICE_MONITOR_HOLDER;
	EXPECT_EQ(-EINVAL, sluice_monitor_channels(self->monitor, &filter,
						   see_channel, &seen));
	filter.by = 0x80000000;
	EXPECT_EQ(-EINVAL, sluice_monitor_channels(self->monitor, &filter,
						   see_channel, &seen));
}

TEST_F(monitor, endpoints)
{
	struct sluice_monitor_filter filter = {
		.by = SLUICE_MONITOR_CHANNEL | SLUICE_MONITOR_ROLE |
		      SLUICE_MONITOR_PID | SLUICE_MONITOR_UID,
		.channel = self->id, .role = SLUICE_SUBSCRIBER,
		.pid = getpid(),
	};
	struct endpoint_seen seen = { };
	struct sluice_join j;

	must(join_role(self->channel, SLUICE_PUBLISHER));
	must(join_full(self->channel, SLUICE_SUBSCRIBER, 0, 0, &j));
	ASSERT_EQ(0, sluice_monitor_endpoints(self->monitor, &filter,
					      see_endpoint, &seen));
	ASSERT_EQ(1, seen.n);
	EXPECT_EQ(self->id, seen.last.channel);
	EXPECT_STREQ("monitored", seen.last.name);
	EXPECT_EQ(j.generation, seen.last.generation);
	EXPECT_EQ(getpid(), seen.last.process.pid);
	EXPECT_STREQ("monitor_lib", seen.last.process.comm);
	EXPECT_EQ(SLUICE_ACTIVE, seen.last.state);
	EXPECT_EQ(SLUICE_BLOCK, seen.last.policy);
	EXPECT_EQ(0, seen.last.sleeping);
}

TEST_F(monitor, lockspaces_and_holders)
{
	struct sluice_monitor_filter filter = {
		.by = SLUICE_MONITOR_LOCKSPACE, .lockspace = self->space,
	};
	struct lockspace_seen space = { };
	struct resource_seen resource = { };
	struct holder_seen holder = { };

	ASSERT_EQ(0, take(self->c.h[0], whole(self->c.space, "a", SLUICE_PR)));
	ASSERT_EQ(0, sluice_monitor_lockspaces(self->monitor, &filter,
					       see_lockspace, &space));
	ASSERT_EQ(1, space.n);
	EXPECT_EQ(1, space.last.grants);
	EXPECT_FALSE(space.last.closed);
	ASSERT_EQ(0, sluice_monitor_resources(self->monitor, &filter,
					      see_resource, &resource));
	ASSERT_EQ(1, resource.n);
	EXPECT_EQ(self->space, resource.last.place.lockspace);
	EXPECT_EQ(1, resource.last.place.resource);
	EXPECT_EQ(1, resource.last.place.key_len);
	EXPECT_EQ(SLUICE_PR, resource.last.mode);
	filter.by = SLUICE_MONITOR_HOLDER;
	filter.holder = self->c.id[0];
	ASSERT_EQ(0, sluice_monitor_holders(self->monitor, &filter, see_holder,
					    &holder));
	ASSERT_EQ(1, holder.n);
	EXPECT_EQ(self->c.id[0], holder.last.id);
	EXPECT_EQ(1, holder.last.grants);
	EXPECT_EQ(gettid(), holder.last.process.tid);
}

TEST_F(monitor, locks_and_waits)
{
	struct sluice_monitor_filter filter = {
		.by = SLUICE_MONITOR_LOCKSPACE, .lockspace = self->space,
	};
	struct lock_seen lock = { };
	struct wait_seen wait = { };

	ASSERT_EQ(0, take(self->c.h[0], range(self->c.space, "a", SLUICE_EX, 5, 9)));
	ASSERT_EQ(-EINPROGRESS,
		  ask(self->c.h[1], whole(self->c.space, "a", SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS,
		  ask_urgently(self->c.h[2], whole(self->c.space, "a", SLUICE_EX), -1));
	ASSERT_EQ(0, sluice_monitor_locks(self->monitor, &filter, see_lock, &lock));
	ASSERT_EQ(1, lock.n);
	EXPECT_EQ(SLUICE_LOCK_HELD, lock.last.state);
	EXPECT_EQ(SLUICE_EX, lock.last.mode);
	EXPECT_EQ(5, lock.last.start);
	EXPECT_EQ(9, lock.last.end);
	EXPECT_EQ(1, lock.last.token);
	EXPECT_EQ(self->c.id[0], lock.last.holder);
	ASSERT_EQ(0, sluice_monitor_waits(self->monitor, &filter, see_wait, &wait));
	ASSERT_EQ(2, wait.n);
	EXPECT_EQ(self->c.id[2], wait.last.holder);
	EXPECT_EQ(-1, wait.last.priority);
	ASSERT_EQ(2, wait.last.blocker_count);
	EXPECT_EQ(self->c.id[0], wait.last.blockers[0].holder);
	EXPECT_FALSE(wait.last.blockers[0].queued);
	EXPECT_EQ(self->c.id[1], wait.last.blockers[1].holder);
	EXPECT_TRUE(wait.last.blockers[1].queued);
	EXPECT_EQ(SLUICE_PR, wait.last.blockers[1].mode);
	EXPECT_FALSE(wait.last.more);
	EXPECT_EQ(2, wait.last.found);
}

TEST_F(monitor, quotas)
{
	struct sluice_monitor_filter filter = { .by = SLUICE_MONITOR_UID };
	struct quota_seen seen = { };

	ASSERT_EQ(0, sluice_monitor_quotas(self->monitor, &filter, see_quota, &seen));
	ASSERT_EQ(SLUICE_NL_LIMITED_LOCKS, seen.n);
	EXPECT_EQ(SLUICE_NL_LIMITED_LOCKS, seen.last.limited);
	EXPECT_LT(0, seen.last.limit);
}

TEST_F(monitor, events)
{
	struct sluice_monitor_event event;
	struct channel_seen seen = { };
	int fd, channel;

	EXPECT_EQ(-EINVAL, sluice_monitor_fd(self->monitor));
	EXPECT_EQ(-EINVAL, sluice_monitor_next(self->monitor, &event));
	EXPECT_EQ(-EINVAL, sluice_monitor_listen(self->monitor, 0));
	EXPECT_EQ(-EINVAL, sluice_monitor_listen(self->monitor, 8));
	ASSERT_EQ(0, sluice_monitor_listen(self->monitor, SLUICE_MONITOR_PRESSURE));
	ASSERT_EQ(0, sluice_monitor_listen(self->monitor,
					   SLUICE_MONITOR_LIFECYCLE));
	fd = must(sluice_monitor_fd(self->monitor));
	EXPECT_EQ(-EAGAIN, sluice_monitor_next(self->monitor, &event));
	channel = must(make_channel(NULL, NULL));
	EXPECT_TRUE(events_within(fd, POLLIN, PATIENCE_MS) & POLLIN);
	/* A dump in between does not take what was heard. */
	EXPECT_EQ(0, sluice_monitor_channels(self->monitor, NULL, see_channel,
					     &seen));
	ASSERT_EQ(0, sluice_monitor_next(self->monitor, &event));
	EXPECT_EQ(SLUICE_NL_EVENT_CHANNEL_MADE, event.event);
	EXPECT_EQ(stat_of(channel).id, event.channel);
	EXPECT_LT(0, event.time);
	EXPECT_EQ(0, event.lockspace);
	EXPECT_EQ(-EAGAIN, sluice_monitor_next(self->monitor, &event));
}

TEST_F(monitor, losses)
{
	struct sluice_monitor_event event;
	int i, ret, lost = 0, heard = 0, small = 4096;

	ASSERT_EQ(0, sluice_monitor_listen(self->monitor, SLUICE_MONITOR_LIFECYCLE));
	must(setsockopt(sluice_monitor_fd(self->monitor), SOL_SOCKET, SO_RCVBUF,
			&small, sizeof(small)));
	for (i = 0; i < 300; i++)
		close(must(make_channel(NULL, NULL)));
	while ((ret = sluice_monitor_next(self->monitor, &event)) != -EAGAIN) {
		ASSERT_TRUE(!ret || ret == -ENOBUFS);
		lost += ret == -ENOBUFS;
		heard += !ret;
	}
	EXPECT_EQ(1, lost);
	EXPECT_LT(0, heard);
}

TEST_HARNESS_MAIN
