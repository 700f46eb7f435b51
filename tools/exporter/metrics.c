// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel tells, as metrics.
 *
 * Endpoints come first: what is told of a channel sums up what its publishers
 * and subscribers say. Anybody who may open the device can make thousands of
 * channels, so only the oldest ones, up to a limit, have series of their own;
 * the others are counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/monitor.h>

#include "exporter/exporter.h"
#include "exporter/exposition.h"
#include "look.h"

/**
 * struct sum - of the endpoints of a channel
 * @channel: number
 * @lag: of the slowest subscriber
 * @lost: messages
 * @held: messages
 * @publishers: that sleep
 * @subscribers: that sleep
 * @evicted: subscribers
 */
struct sum {
	uint64_t channel;
	uint64_t lag;
	uint64_t lost;
	uint64_t held;
	uint64_t publishers;
	uint64_t subscribers;
	uint64_t evicted;
};

/**
 * struct scrape - one answer on its way
 * @exporter: what is asked for
 * @out: what is written
 * @monitor: who is asked
 * @now: CLOCK_MONOTONIC nanoseconds
 * @gone: the module went meanwhile
 * @told: how many of what is being told were seen
 * @sums: of endpoints, by number of the channel
 * @sums_count: of them
 * @sums_room: for so many
 * @sums_known: all endpoints were told
 * @waiting: holders
 * @wait: nanoseconds, the longest
 */
struct scrape {
	struct exporter *exporter;
	struct exposition *out;
	struct sluice_monitor *monitor;
	int64_t now;
	bool gone;
	uint64_t told[QUESTIONS];
	struct sum *sums;
	size_t sums_count;
	size_t sums_room;
	bool sums_known;
	uint64_t waiting;
	int64_t wait;
};

static const char *const question_names[QUESTIONS] = {
	[OPEN] = "open", [ENDPOINTS] = "endpoints", [CHANNELS] = "channels",
	[LOCKSPACES] = "lockspaces", [HOLDERS] = "holders", [QUOTAS] = "quotas",
};

/* One more was seen. Return: whether it has series of its own. */
static bool within_limit(struct scrape *scrape, enum question question)
{
	return scrape->told[question]++ < scrape->exporter->limit;
}

static void add(struct scrape *scrape, enum family family,
		const struct labels *labels, uint64_t value)
{
	exposition_add(scrape->out, family, labels, value);
}

/* 0 is never. What began after the scrape did has lasted no time. */
static int64_t lasted(const struct scrape *scrape, uint64_t since)
{
	int64_t time = scrape->now - (int64_t)since;

	return since && time > 0 ? time : 0;
}

static void labels_add_name(struct labels *labels, const char *label,
			    const char *name)
{
	char text[PRINTABLE_NAME_SIZE];

	labels_add(labels, label,
		   printable_name((const uint8_t *)name, strlen(name), text));
}

/*
 * Endpoints.
 */
static struct sum *sum_next(struct scrape *scrape, uint64_t channel)
{
	size_t room = scrape->sums_room ? 2 * scrape->sums_room : 64;
	struct sum *sums = scrape->sums;

	if (scrape->sums_count && sums[scrape->sums_count - 1].channel == channel)
		return &sums[scrape->sums_count - 1];
	if (scrape->sums_count == scrape->sums_room) {
		sums = realloc(sums, room * sizeof(*sums));
		if (!sums)
			return NULL;
		scrape->sums = sums;
		scrape->sums_room = room;
	}
	sums[scrape->sums_count] = (struct sum) { .channel = channel };
	return &sums[scrape->sums_count++];
}

static void sum_add(struct sum *sum, const struct sluice_monitor_endpoint *seen)
{
	if (seen->role == SLUICE_PUBLISHER) {
		sum->publishers += seen->sleeping != 0;
		return;
	}
	sum->subscribers += seen->sleeping != 0;
	sum->evicted += seen->state == SLUICE_EVICTED;
	sum->lost += seen->lost;
	sum->held += seen->held;
	if (seen->lag > sum->lag)
		sum->lag = seen->lag;
}

static void endpoint_labels(struct labels *labels,
			    const struct sluice_monitor_endpoint *seen)
{
	labels_add_name(labels, "channel", seen->name);
	labels_add_number(labels, "id", seen->channel);
	labels_add_number(labels, "generation", seen->generation);
	labels_add_number(labels, "pid", seen->process.pid);
	labels_add_name(labels, "command", seen->process.comm);
}

static void tell_publisher(struct scrape *scrape, const struct labels *labels,
			   const struct sluice_monitor_endpoint *seen)
{
	add(scrape, PUBLISHER_ACTIVE, labels, seen->state == SLUICE_ACTIVE);
	add(scrape, PUBLISHER_MESSAGES, labels, seen->messages);
	add(scrape, PUBLISHER_PAYLOAD, labels, seen->payload);
	add(scrape, PUBLISHER_POOL, labels, seen->bytes);
	add(scrape, PUBLISHER_FDS, labels, seen->fds);
	exposition_add_seconds(scrape->out, PUBLISHER_SLEEPING, labels,
			       lasted(scrape, seen->sleeping));
}

static void tell_subscriber(struct scrape *scrape, const struct labels *labels,
			    const struct sluice_monitor_endpoint *seen)
{
	add(scrape, SUBSCRIBER_ACTIVE, labels, seen->state == SLUICE_ACTIVE);
	add(scrape, SUBSCRIBER_MESSAGES, labels, seen->messages);
	add(scrape, SUBSCRIBER_PAYLOAD, labels, seen->payload);
	add(scrape, SUBSCRIBER_LOST, labels, seen->lost);
	add(scrape, SUBSCRIBER_LAG, labels, seen->lag);
	add(scrape, SUBSCRIBER_HELD, labels, seen->held);
	exposition_add_seconds(scrape->out, SUBSCRIBER_SLEEPING, labels,
			       lasted(scrape, seen->sleeping));
}

static int see_endpoint(const struct sluice_monitor_endpoint *seen, void *arg)
{
	struct scrape *scrape = arg;
	struct sum *sum = sum_next(scrape, seen->channel);
	struct labels labels = { 0 };

	if (!sum)
		return -ENOMEM;
	sum_add(sum, seen);
	if (!scrape->exporter->endpoints || !within_limit(scrape, ENDPOINTS))
		return 0;
	endpoint_labels(&labels, seen);
	if (seen->role == SLUICE_PUBLISHER)
		tell_publisher(scrape, &labels, seen);
	else
		tell_subscriber(scrape, &labels, seen);
	return 0;
}

static int ask_endpoints(struct scrape *scrape)
{
	int ret = sluice_monitor_endpoints(scrape->monitor, NULL, see_endpoint,
					   scrape);

	scrape->sums_known = ret >= 0;
	return ret;
}

/*
 * Channels.
 */
static int sum_compare(const void *key, const void *element)
{
	const uint64_t *channel = key;
	const struct sum *sum = element;

	return *channel < sum->channel ? -1 : *channel > sum->channel;
}

static void tell_sum(struct scrape *scrape, const struct labels *labels,
		     uint64_t channel)
{
	static const struct sum none;
	const struct sum *sum = NULL;

	if (scrape->sums_count)
		sum = bsearch(&channel, scrape->sums, scrape->sums_count,
			      sizeof(*sum), sum_compare);
	if (!sum)
		sum = &none;
	add(scrape, CHANNEL_LAG, labels, sum->lag);
	add(scrape, CHANNEL_LOST, labels, sum->lost);
	add(scrape, CHANNEL_HELD, labels, sum->held);
	add(scrape, CHANNEL_SLEEPING_PUBLISHERS, labels, sum->publishers);
	add(scrape, CHANNEL_SLEEPING_SUBSCRIBERS, labels, sum->subscribers);
	add(scrape, CHANNEL_EVICTED_SUBSCRIBERS, labels, sum->evicted);
}

static void tell_channel_info(struct scrape *scrape, const struct labels *labels,
			      const struct sluice_monitor_channel *seen)
{
	struct labels info = *labels;
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", seen->object.mode);
	labels_add(&info, "pattern", pattern_name(seen->pattern));
	labels_add(&info, "policy", policy_name(seen->policy));
	labels_add_number(&info, "uid", seen->object.uid);
	labels_add_number(&info, "gid", seen->object.gid);
	labels_add(&info, "mode", mode);
	add(scrape, CHANNEL_INFO, &info, 1);
}

static int see_channel(const struct sluice_monitor_channel *seen, void *arg)
{
	struct labels labels = { 0 };
	struct scrape *scrape = arg;

	if (!within_limit(scrape, CHANNELS))
		return 0;
	labels_add_name(&labels, "channel", seen->object.name);
	labels_add_number(&labels, "id", seen->object.id);
	tell_channel_info(scrape, &labels, seen);
	add(scrape, CHANNEL_MESSAGES, &labels, seen->messages);
	add(scrape, CHANNEL_PAYLOAD, &labels, seen->payload);
	add(scrape, CHANNEL_POOL, &labels, seen->bytes);
	add(scrape, CHANNEL_FDS, &labels, seen->fds);
	add(scrape, CHANNEL_PUBLISHERS, &labels, seen->publishers);
	add(scrape, CHANNEL_PUBLISHERS_LIMIT, &labels, seen->publishers_max);
	add(scrape, CHANNEL_LEFT_PUBLISHERS, &labels, seen->left);
	add(scrape, CHANNEL_SUBSCRIBERS, &labels, seen->subscribers);
	add(scrape, CHANNEL_SUBSCRIBERS_LIMIT, &labels, seen->subscribers_max);
	add(scrape, CHANNEL_SLOTS, &labels, seen->slots);
	add(scrape, CHANNEL_HISTORY, &labels, seen->history);
	add(scrape, CHANNEL_HELD_LIMIT, &labels, seen->held_max);
	if (scrape->sums_known)
		tell_sum(scrape, &labels, seen->object.id);
	return 0;
}

static int ask_channels(struct scrape *scrape)
{
	int ret = sluice_monitor_channels(scrape->monitor, NULL, see_channel,
					  scrape);

	if (ret >= 0)
		add(scrape, CHANNELS_NOW, NULL, scrape->told[CHANNELS]);
	return ret;
}

/*
 * Lockspaces and holders.
 */
static int see_lockspace(const struct sluice_monitor_lockspace *seen, void *arg)
{
	struct labels labels = { 0 };
	struct scrape *scrape = arg;

	if (!within_limit(scrape, LOCKSPACES))
		return 0;
	labels_add_name(&labels, "lockspace", seen->object.name);
	labels_add_number(&labels, "id", seen->object.id);
	add(scrape, LOCKSPACE_RESOURCES, &labels, seen->resources);
	add(scrape, LOCKSPACE_LOCKS, &labels, seen->grants);
	add(scrape, LOCKSPACE_WAITING, &labels, seen->waiting);
	add(scrape, LOCKSPACE_GRANTED, &labels, seen->granted);
	add(scrape, LOCKSPACE_BLOCKED, &labels, seen->blocked);
	add(scrape, LOCKSPACE_DEADLOCKS, &labels, seen->deadlocks);
	add(scrape, LOCKSPACE_DIED, &labels, seen->died);
	add(scrape, LOCKSPACE_TOKENS, &labels, seen->token);
	add(scrape, LOCKSPACE_CLOSED, &labels, seen->closed);
	return 0;
}

static int ask_lockspaces(struct scrape *scrape)
{
	int ret = sluice_monitor_lockspaces(scrape->monitor, NULL, see_lockspace,
					    scrape);

	if (ret >= 0)
		add(scrape, LOCKSPACES_NOW, NULL, scrape->told[LOCKSPACES]);
	return ret;
}

/* There may be one for each thread of the machine: none has its own series. */
static int see_holder(const struct sluice_monitor_holder *seen, void *arg)
{
	struct scrape *scrape = arg;
	int64_t wait = lasted(scrape, seen->since);

	scrape->told[HOLDERS]++;
	scrape->waiting += seen->waiting != 0;
	if (wait > scrape->wait)
		scrape->wait = wait;
	return 0;
}

static int ask_holders(struct scrape *scrape)
{
	int ret = sluice_monitor_holders(scrape->monitor, NULL, see_holder,
					 scrape);

	if (ret < 0)
		return ret;
	add(scrape, HOLDERS_NOW, NULL, scrape->told[HOLDERS]);
	add(scrape, HOLDERS_WAITING, NULL, scrape->waiting);
	exposition_add_seconds(scrape->out, HOLDERS_LONGEST_WAIT, NULL,
			       scrape->wait);
	return ret;
}

/*
 * Limits.
 */
static int see_quota(const struct sluice_monitor_quota *seen, void *arg)
{
	struct labels labels = { 0 };
	struct scrape *scrape = arg;

	if (!within_limit(scrape, QUOTAS))
		return 0;
	labels_add_number(&labels, "uid", seen->uid);
	labels_add_number(&labels, "userns", seen->userns);
	labels_add(&labels, "of", limited_name(seen->limited));
	add(scrape, QUOTA_USED, &labels, seen->used);
	add(scrape, QUOTA_LIMIT, &labels, seen->limit);
	return 0;
}

static int ask_quotas(struct scrape *scrape)
{
	return sluice_monitor_quotas(scrape->monitor, NULL, see_quota, scrape);
}

/*
 * The whole.
 */
static int ask_open(struct scrape *scrape)
{
	int ret = sluice_monitor_open(&scrape->monitor);

	if (ret)
		scrape->monitor = NULL;
	return ret;
}

static void ask(struct scrape *scrape)
{
	static int (*const ask_for[QUESTIONS])(struct scrape *scrape) = {
		[OPEN] = ask_open, [ENDPOINTS] = ask_endpoints,
		[CHANNELS] = ask_channels, [LOCKSPACES] = ask_lockspaces,
		[HOLDERS] = ask_holders, [QUOTAS] = ask_quotas,
	};
	int ret;

	for (int i = OPEN; i < QUESTIONS && (i == OPEN || scrape->monitor); i++) {
		ret = ask_for[i](scrape);
		/* It may go between two questions. */
		if (ret == -ENODEV)
			scrape->gone = true;
		else if (ret < 0)
			scrape->exporter->errors[i]++;
		else if (ret == SLUICE_MONITOR_INTERRUPTED)
			scrape->exporter->interrupted[i]++;
	}
}

static void tell_question(struct scrape *scrape, enum question question)
{
	const struct exporter *exporter = scrape->exporter;
	struct labels labels = { 0 };

	labels_add(&labels, "question", question_names[question]);
	add(scrape, ERRORS, &labels, exporter->errors[question]);
	if (question != OPEN)
		add(scrape, INTERRUPTED, &labels, exporter->interrupted[question]);
}

static void tell_omitted(struct scrape *scrape, enum question question)
{
	uint64_t told = scrape->told[question], limit = scrape->exporter->limit;
	struct labels labels = { 0 };

	labels_add(&labels, "of", question_names[question]);
	add(scrape, OMITTED, &labels, told > limit ? told - limit : 0);
}

static void tell_self(struct scrape *scrape, uint64_t scrapes)
{
	struct labels version = { 0 };

	add(scrape, UP, NULL, scrape->monitor && !scrape->gone);
	add(scrape, SCRAPES, NULL, scrapes);
	exposition_add_seconds(scrape->out, SCRAPE_DURATION, NULL,
			       now() - scrape->now);
	for (int i = 0; i < QUESTIONS; i++)
		tell_question(scrape, i);
	tell_omitted(scrape, CHANNELS);
	tell_omitted(scrape, ENDPOINTS);
	tell_omitted(scrape, LOCKSPACES);
	tell_omitted(scrape, QUOTAS);
	labels_add(&version, "version", sluice_version());
	add(scrape, BUILD, &version, 1);
}

char *metrics_text(struct exporter *exporter, bool openmetrics, size_t *len)
{
	struct scrape scrape = { .exporter = exporter, .now = now() };
	uint64_t scrapes = ++exporter->scrapes;
	char *text;

	scrape.out = exposition_new();
	if (!scrape.out)
		return NULL;
	ask(&scrape);
	sluice_monitor_close(scrape.monitor);
	tell_self(&scrape, scrapes);
	text = exposition_text(scrape.out, openmetrics, len);
	exposition_free(scrape.out);
	free(scrape.sums);
	return text;
}
