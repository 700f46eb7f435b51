// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: who listens is told what happens in its network namespace, by numbers
 * alone, or that it missed something; who does something never fails for it.
 */
#include "netlink.h"
#include "parameters.h"
#include "publish.h"
#include "users.h"

FIXTURE(events) {
	struct nl_sock *lifecycle, *deadlock, *pressure;
	struct tale tale;
	struct parameters ps;
};

FIXTURE_SETUP(events)
{
	self->lifecycle = listen_to(SLUICE_NL_LIFECYCLE);
	self->deadlock = listen_to(SLUICE_NL_DEADLOCK);
	self->pressure = listen_to(SLUICE_NL_PRESSURE);
}

FIXTURE_TEARDOWN_PARENT(events)
{
	parameters_restore(&self->ps);
}

/* The event that comes next, of which it is told no more than may be. */
#define EXPECT_EVENT(event, sock) do {					\
	ASSERT_EQ(event, event_awaited(sock, &self->tale));		\
	EXPECT_LT(0, number(heard(self), SLUICE_NL_A_TIME));		\
	EXPECT_FALSE(flag(heard(self), SLUICE_NL_A_NAME));		\
	EXPECT_FALSE(flag(heard(self), SLUICE_NL_A_PID));		\
	EXPECT_FALSE(flag(heard(self), SLUICE_NL_A_COMM));		\
	EXPECT_FALSE(flag(heard(self), SLUICE_NL_A_KEY));		\
} while (0)

#define heard(self)	(&(self)->tale.list[0])

TEST_F(events, channel)
{
	int channel = must(make_channel("netlink events", NULL));
	__u64 id = stat_of(channel).id;
	struct sluice_join j;
	pid_t pid;
	int pub;

	EXPECT_EVENT(SLUICE_NL_EVENT_CHANNEL_MADE, self->lifecycle);
	EXPECT_EQ(id, number(heard(self), SLUICE_NL_A_CHANNEL));
	pub = must(join_full(channel, SLUICE_PUBLISHER, 0, 0, &j));
	EXPECT_EVENT(SLUICE_NL_EVENT_JOINED, self->lifecycle);
	EXPECT_EQ(id, number(heard(self), SLUICE_NL_A_CHANNEL));
	EXPECT_EQ(SLUICE_PUBLISHER, number(heard(self), SLUICE_NL_A_ROLE));
	EXPECT_EQ(0, number(heard(self), SLUICE_NL_A_INDEX));
	EXPECT_EQ(j.generation, number(heard(self), SLUICE_NL_A_GENERATION));
	EXPECT_FALSE(flag(heard(self), SLUICE_NL_A_REASON));
	close(pub);
	EXPECT_EVENT(SLUICE_NL_EVENT_LEFT, self->lifecycle);
	EXPECT_EQ(j.generation, number(heard(self), SLUICE_NL_A_GENERATION));
	EXPECT_EQ(SLUICE_LEFT_CLOSED, number(heard(self), SLUICE_NL_A_REASON));

	pid = child();
	if (!pid) {
		must(join_role(channel, SLUICE_SUBSCRIBER));
		raise(SIGKILL);
	}
	reap(pid);
	EXPECT_EVENT(SLUICE_NL_EVENT_JOINED, self->lifecycle);
	EXPECT_EVENT(SLUICE_NL_EVENT_LEFT, self->lifecycle);
	EXPECT_EQ(SLUICE_SUBSCRIBER, number(heard(self), SLUICE_NL_A_ROLE));
	EXPECT_EQ(SLUICE_LEFT_KILLED, number(heard(self), SLUICE_NL_A_REASON));
	close(channel);
	EXPECT_EVENT(SLUICE_NL_EVENT_CHANNEL_GONE, self->lifecycle);
	EXPECT_EQ(id, number(heard(self), SLUICE_NL_A_CHANNEL));
	EXPECT_EQ(0, event_heard(self->lifecycle, &self->tale));
	EXPECT_EQ(0, event_heard(self->deadlock, &self->tale));
	EXPECT_EQ(0, event_heard(self->pressure, &self->tale));
}

TEST_F(events, lockspace)
{
	struct cast c;
	__u64 id;

	cast_make(&c, 2);
	id = lockspace_stat(c.space).id;
	EXPECT_EVENT(SLUICE_NL_EVENT_LOCKSPACE_MADE, self->lifecycle);
	EXPECT_EQ(id, number(heard(self), SLUICE_NL_A_LOCKSPACE));
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_PR)));
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "b", SLUICE_EX)));
	EXPECT_EQ(0, event_heard(self->lifecycle, &self->tale));
	close(c.h[0]);
	EXPECT_EVENT(SLUICE_NL_EVENT_OWNER_DIED, self->lifecycle);
	EXPECT_EQ(id, number(heard(self), SLUICE_NL_A_LOCKSPACE));
	EXPECT_EQ(2, number(heard(self), SLUICE_NL_A_RESOURCE));
	EXPECT_EQ(c.id[0], number(heard(self), SLUICE_NL_A_HOLDER));
	close(c.space);
	EXPECT_EVENT(SLUICE_NL_EVENT_LOCKSPACE_GONE, self->lifecycle);
}

TEST_F(events, deadlock)
{
	struct cast c;

	cast_make(&c, 2);
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_EX)));
	ASSERT_EQ(0, take(c.h[1], whole(c.space, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[0], whole(c.space, "b", SLUICE_EX)));
	EXPECT_EQ(0, event_heard(self->deadlock, &self->tale));
	ASSERT_EQ(-EDEADLK, take(c.h[1], whole(c.space, "a", SLUICE_EX)));
	EXPECT_EVENT(SLUICE_NL_EVENT_DEADLOCK, self->deadlock);
	EXPECT_EQ(lockspace_stat(c.space).id,
		  number(heard(self), SLUICE_NL_A_LOCKSPACE));
	EXPECT_EQ(1, number(heard(self), SLUICE_NL_A_DEADLOCKS));
	EXPECT_EQ(2, number(heard(self), SLUICE_NL_A_LENGTH));
	EXPECT_EQ(c.id[1], number(heard(self), SLUICE_NL_A_HOLDER));
}

TEST_F(events, quota)
{
	parameter_set(&self->ps, "user_lockspaces", 0);
	EXPECT_EQ(-EDQUOT, make_lockspace(NULL, 0));
	EXPECT_EVENT(SLUICE_NL_EVENT_QUOTA, self->pressure);
	EXPECT_EQ(0, number(heard(self), SLUICE_NL_A_UID));
	EXPECT_EQ(SLUICE_NL_LIMITED_LOCKSPACES,
		  number(heard(self), SLUICE_NL_A_LIMITED));
	EXPECT_EQ(1, number(heard(self), SLUICE_NL_A_ASKED));
	EXPECT_EQ(0, number(heard(self), SLUICE_NL_A_LIMIT));
}

TEST_F(events, eviction)
{
	struct sluice_config cfg = { .policy = SLUICE_EVICT };
	int channel = must(make_channel(NULL, &cfg));
	int pub = must(join_role(channel, SLUICE_PUBLISHER));
	struct sluice_evict evict = { };
	struct sluice_join j;

	must(join_full(channel, SLUICE_SUBSCRIBER, 0, 0, &j));
	evict.generation = j.generation;
	ASSERT_EQ(0, call(pub, SLUICE_IOC_EVICT, &evict));
	EXPECT_EVENT(SLUICE_NL_EVENT_EVICTED, self->pressure);
	EXPECT_EQ(SLUICE_SUBSCRIBER, number(heard(self), SLUICE_NL_A_ROLE));
	EXPECT_EQ(j.generation, number(heard(self), SLUICE_NL_A_GENERATION));
}

/* A publisher that waits for room is told of once, not at every try. */
TEST_F(events, lag)
{
	int channel = must(make_channel(NULL, NULL));
	int pub = must(join_role(channel, SLUICE_PUBLISHER));
	__u64 room = 0;

	do {
		room++;
	} while (wait_until(pub, in_ms(1), room) != -ETIMEDOUT);
	EXPECT_EVENT(SLUICE_NL_EVENT_LAG, self->pressure);
	EXPECT_EQ(stat_of(channel).id, number(heard(self), SLUICE_NL_A_CHANNEL));
	EXPECT_EQ(SLUICE_PUBLISHER, number(heard(self), SLUICE_NL_A_ROLE));
	EXPECT_EQ(0, number(heard(self), SLUICE_NL_A_LAG));
	EXPECT_EQ(-ETIMEDOUT, wait_until(pub, now_ns(), room));
	if (slowness() == 1)
		EXPECT_EQ(0, event_heard(self->pressure, &self->tale));
}

/* What a publisher takes back unread, in a queue that keeps only the newest. */
TEST_F(events, dropped)
{
	struct sluice_config cfg = {
		.pattern = SLUICE_QUEUE, .policy = SLUICE_DROP_OLDEST,
	};
	int channel = must(make_channel(NULL, &cfg));
	struct sluice_drop drop = { .count = 2 };
	struct pub pub;
	int i;

	pub_join(&pub, channel);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pub_send(&pub, "x", 1, 0, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, event_heard(self->pressure, &self->tale));
	ASSERT_EQ(0, call(pub.fd, SLUICE_IOC_DROP, &drop));
	EXPECT_EQ(2, drop.count);
	EXPECT_EVENT(SLUICE_NL_EVENT_DROPPED, self->pressure);
	EXPECT_EQ(stat_of(channel).id, number(heard(self), SLUICE_NL_A_CHANNEL));
	EXPECT_EQ(SLUICE_PUBLISHER, number(heard(self), SLUICE_NL_A_ROLE));
	EXPECT_EQ(2, number(heard(self), SLUICE_NL_A_COUNT));
}

TEST_F(events, network_namespace)
{
	struct step listening = step_make(), done = step_make();
	pid_t pid = child();

	if (!pid) {
		struct tale tale = { };
		struct nl_sock *sock;

		must(unshare(CLONE_NEWNET));
		sock = listen_to(SLUICE_NL_LIFECYCLE);
		step_say(&listening);
		step_hear(&done);
		check(event_heard(sock, &tale) == 0);
		must(make_channel(NULL, NULL));
		check(event_awaited(sock, &tale) == SLUICE_NL_EVENT_CHANNEL_MADE);
		_exit(0);
	}
	step_hear(&listening);
	must(make_channel(NULL, NULL));
	step_say(&done);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EVENT(SLUICE_NL_EVENT_CHANNEL_MADE, self->lifecycle);
	EXPECT_EQ(0, event_heard(self->lifecycle, &self->tale));
}

TEST_F(events, stranger)
{
	struct step listening = step_make(), done = step_make();
	pid_t pid = user(STRANGER);

	if (!pid) {
		struct nl_sock *sock = listen_to(SLUICE_NL_LIFECYCLE);
		struct tale tale = { };
		struct told *t;

		step_say(&listening);
		step_hear(&done);
		check(event_heard(sock, &tale) == SLUICE_NL_EVENT_CHANNEL_MADE);
		t = &tale.list[0];
		check(!flag(t, SLUICE_NL_A_NAME) && !flag(t, SLUICE_NL_A_UID));
		check(!dump_where(SLUICE_NL_CHANNELS, SLUICE_NL_A_CHANNEL,
				  number(t, SLUICE_NL_A_CHANNEL)).n);
		_exit(0);
	}
	step_hear(&listening);
	must(make_channel("netlink secret", NULL));
	step_say(&done);
	EXPECT_EQ(0, reap(pid));
}

/* Who does not keep up is told so, and hears what comes after. */
TEST_F(events, losses)
{
	int channel = -1, i, event, lost = 0, seen = 0;

	must(nl_socket_set_buffer_size(self->lifecycle, 4096, 0));
	for (i = 0; i < 500; i++) {
		close(channel);
		channel = make_channel(NULL, NULL);
		ASSERT_LE(0, channel);
	}
	while ((event = event_heard(self->lifecycle, &self->tale))) {
		lost += event == -ENOBUFS;
		seen += event > 0;
		ASSERT_NE(-EIO, event);
	}
	EXPECT_LT(0, lost);
	EXPECT_LT(0, seen);
	EXPECT_GT(500, seen);
	must(make_channel(NULL, NULL));
	EXPECT_EVENT(SLUICE_NL_EVENT_CHANNEL_MADE, self->lifecycle);
}

TEST_HARNESS_MAIN
