// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Samples of sluice top, over a monitor that tells what it is told to. TAP.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "top.h"

/**
 * struct told - what the monitor tells
 * @clock: what now() says
 * @channel: channels
 * @channels: of them
 * @endpoint: publishers and subscribers
 * @endpoints: of them
 * @waits: what that dump returns
 */
static struct told {
	int64_t clock;
	struct sluice_monitor_channel channel[3];
	int channels;
	struct sluice_monitor_endpoint endpoint[3];
	int endpoints;
	int waits;
} told;

int64_t now(void)
{
	return told.clock;
}

#define TELL(all, one, list, count)					\
int sluice_monitor_##all(struct sluice_monitor *monitor,		\
		const struct sluice_monitor_filter *filter,		\
		int (*see)(const struct sluice_monitor_##one *seen, void *arg), \
		void *arg)						\
{									\
	int ret = 0;							\
									\
	(void)monitor;							\
	(void)filter;							\
	for (int i = 0; !ret && i < (count); i++)			\
		ret = see(&(list)[i], arg);				\
	return ret;							\
}

TELL(channels, channel, told.channel, told.channels)
TELL(endpoints, endpoint, told.endpoint, told.endpoints)
TELL(lockspaces, lockspace, (struct sluice_monitor_lockspace *)NULL, 0)
TELL(quotas, quota, (struct sluice_monitor_quota *)NULL, 0)

int sluice_monitor_waits(struct sluice_monitor *monitor,
			 const struct sluice_monitor_filter *filter,
			 int (*see)(const struct sluice_monitor_wait *seen,
				    void *arg), void *arg)
{
	(void)monitor;
	(void)filter;
	(void)see;
	(void)arg;
	return told.waits;
}

static int count, failed;
static struct top_sample before, after;

static void ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, name);
	failed += !good;
}

/* Two looks, two seconds apart. */
static void look_twice(const struct told *first, const struct told *then)
{
	top_sample_free(&before);
	top_sample_free(&after);
	told = *first;
	told.clock = 10 * NSEC_PER_SEC;
	ok(!top_sample_take(&before, NULL, NULL), "a first look");
	told = *then;
	told.clock = 12 * NSEC_PER_SEC;
	ok(!top_sample_take(&after, &before, NULL), "a second look");
}

static const struct top_channel *channel(const struct top_sample *sample, int i)
{
	return top_item(&sample->lists[TOP_CHANNELS], i);
}

static const struct top_endpoint *endpoint(const struct top_sample *sample, int i)
{
	return top_item(&sample->lists[TOP_ENDPOINTS], i);
}

static struct sluice_monitor_channel a_channel(uint64_t id, int64_t made,
					       uint64_t messages)
{
	return (struct sluice_monitor_channel){
		.object = { .id = id, .created = made * NSEC_PER_SEC },
		.messages = messages, .payload = 10 * messages,
	};
}

static struct sluice_monitor_endpoint an_endpoint(uint64_t channel, uint32_t role,
						  uint64_t generation,
						  uint64_t messages)
{
	return (struct sluice_monitor_endpoint){
		.channel = channel, .role = role, .generation = generation,
		.joined = NSEC_PER_SEC, .messages = messages, .lost = messages,
		.held = 1, .lag = messages, .sleeping = 5,
	};
}

static void test_rates(void)
{
	struct told first = { .channels = 2, .channel = {
		a_channel(7, 1, 100), a_channel(3, 1, 50) } };
	struct told then = { .channels = 2, .channel = {
		a_channel(3, 1, 50), a_channel(7, 1, 300) } };

	look_twice(&first, &then);
	ok(isnan(channel(&before, 0)->messages), "nothing is known of the first");
	ok(channel(&after, 1)->seen.object.id == 7 &&
	   channel(&after, 1)->messages == 100 &&
	   channel(&after, 1)->bytes == 1000, "so many more in two seconds");
	ok(channel(&after, 0)->messages == 0, "none");
	ok(after.since == 10 * NSEC_PER_SEC && !after.interrupted, "since when");
}

static void test_coming_and_going(void)
{
	struct told first = { .channels = 2, .channel = {
		a_channel(1, 1, 100), a_channel(2, 1, 100) } };
	struct told then = { .channels = 3, .channel = {
		a_channel(2, 1, 102), a_channel(4, 1, 1000),
		a_channel(5, 11, 30) } };

	look_twice(&first, &then);
	ok(after.lists[TOP_CHANNELS].count == 3 &&
	   channel(&after, 0)->messages == 1, "others go and come beside it");
	ok(isnan(channel(&after, 1)->messages),
	   "what was there, and was not seen, is not known");
	ok(channel(&after, 2)->messages == 15, "what is new began with nothing");
}

static void test_backwards(void)
{
	struct told first = { .channels = 2, .channel = {
		a_channel(1, 1, 100), a_channel(2, 1, UINT64_MAX - 5) } };
	struct told then = { .channels = 2, .channel = {
		a_channel(1, 1, 99), a_channel(2, 1, 5) } };

	look_twice(&first, &then);
	ok(isnan(channel(&after, 0)->messages), "it counts backwards");
	ok(isnan(channel(&after, 1)->messages), "it goes beyond 64 bits");
	/* Numbers begin anew when the module is loaded again. */
	then.channel[0] = a_channel(1, 11, 200);
	look_twice(&first, &then);
	ok(channel(&after, 0)->messages == 100, "another one of the same number");
}

static void test_endpoints(void)
{
	struct told first = { .channels = 1, .channel = { a_channel(1, 1, 0) },
		.endpoints = 2, .endpoint = {
		an_endpoint(1, SLUICE_PUBLISHER, 1, 10),
		an_endpoint(1, SLUICE_SUBSCRIBER, 2, 10) } };
	struct told then = { .channels = 1, .channel = { a_channel(1, 1, 0) },
		.endpoints = 3, .endpoint = {
		an_endpoint(1, SLUICE_SUBSCRIBER, 9, 40),
		an_endpoint(1, SLUICE_SUBSCRIBER, 2, 30),
		an_endpoint(8, SLUICE_SUBSCRIBER, 3, 30) } };

	look_twice(&first, &then);
	ok(endpoint(&after, 0)->seen.generation == 2 &&
	   endpoint(&after, 0)->messages == 10, "an endpoint's rate");
	ok(isnan(endpoint(&after, 1)->messages), "another one in its place");
	ok(channel(&after, 0)->lag == 40 && channel(&after, 0)->held == 2 &&
	   channel(&after, 0)->lost == 70 && channel(&after, 0)->lost_rate == 10 &&
	   channel(&after, 0)->asleep == 2 && channel(&after, 0)->blocked == 0,
	   "a channel's subscribers together");
	ok(channel(&before, 0)->blocked == 1 && isnan(channel(&before, 0)->lost_rate),
	   "and its publishers");
}

static void test_trouble(void)
{
	struct told first = { .waits = SLUICE_MONITOR_INTERRUPTED };
	struct told then = { .waits = 0 };

	look_twice(&first, &then);
	ok(before.interrupted && !after.interrupted, "not one moment");
	top_sample_free(&after);
	told.waits = -19;
	ok(top_sample_take(&after, &before, NULL) == -19 &&
	   !after.lists[TOP_CHANNELS].items, "a dump that fails");
}

int main(void)
{
	test_rates();
	test_coming_and_going();
	test_backwards();
	test_endpoints();
	test_trouble();
	top_sample_free(&before);
	top_sample_free(&after);
	printf("1..%d\n", count);
	return failed;
}
