// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Samples of sluice top: all that the monitor tells, and rates since the sample
 * before.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

/*
 * What is told is kept at the beginning of an item; the rest of that is zero.
 */
static int keep(struct top_list *list, const void *seen, size_t size)
{
	char *item;

	/* Doubled when the count is a power of two, 0 included. */
	if (!(list->count & (list->count - 1))) {
		size_t room = list->count ? 2 * list->count : 1;
		void *more = reallocarray(list->items, room, list->size);

		if (!more)
			return -ENOMEM;
		list->items = more;
	}
	item = list->items + list->count++ * list->size;
	memset(item, 0, list->size);
	memcpy(item, seen, size);
	return 0;
}

#define DEFINE_LOOK(one, all)						\
static int keep_##one(const struct sluice_monitor_##one *seen, void *list) \
{									\
	return keep(list, seen, sizeof(*seen));				\
}									\
									\
static int ask_for_##all(struct sluice_monitor *monitor,		\
			 struct top_list *list)				\
{									\
	return sluice_monitor_##all(monitor, NULL, keep_##one, list);	\
}

DEFINE_LOOK(channel, channels)
DEFINE_LOOK(endpoint, endpoints)
DEFINE_LOOK(lockspace, lockspaces)
DEFINE_LOOK(wait, waits)

/* What nothing is used of cannot run out. */
static int keep_quota(const struct sluice_monitor_quota *seen, void *list)
{
	return seen->used ? keep(list, seen, sizeof(*seen)) : 0;
}

static int ask_for_quotas(struct sluice_monitor *monitor, struct top_list *list)
{
	return sluice_monitor_quotas(monitor, NULL, keep_quota, list);
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_channels(const void *a, const void *b)
{
	const struct top_channel *x = a, *y = b;

	return compare(x->seen.object.id, y->seen.object.id);
}

static int compare_lockspaces(const void *a, const void *b)
{
	const struct top_lockspace *x = a, *y = b;

	return compare(x->seen.object.id, y->seen.object.id);
}

static int compare_endpoints(const void *a, const void *b)
{
	const struct sluice_monitor_endpoint *x = &((struct top_endpoint *)a)->seen;
	const struct sluice_monitor_endpoint *y = &((struct top_endpoint *)b)->seen;
	int order = compare(x->channel, y->channel);

	if (!order)
		order = compare(x->role, y->role);
	if (!order)
		order = compare(x->index, y->index);
	return order ? order : compare(x->generation, y->generation);
}

static const struct {
	size_t size;
	int (*look)(struct sluice_monitor *monitor, struct top_list *list);
	int (*compare)(const void *a, const void *b);
} kinds[TOP_KINDS] = {
	[TOP_CHANNELS] = { sizeof(struct top_channel), ask_for_channels,
			   compare_channels },
	[TOP_ENDPOINTS] = { sizeof(struct top_endpoint), ask_for_endpoints,
			    compare_endpoints },
	[TOP_LOCKSPACES] = { sizeof(struct top_lockspace), ask_for_lockspaces,
			     compare_lockspaces },
	[TOP_WAITS] = { sizeof(struct sluice_monitor_wait), ask_for_waits, NULL },
	[TOP_QUOTAS] = { sizeof(struct sluice_monitor_quota), ask_for_quotas, NULL },
};

/**
 * struct past - what something is compared with
 * @before: the list before, or NULL
 * @seconds: since then
 */
struct past {
	const struct top_list *before;
	double seconds;
};

/* The same thing in the list before; the module may have begun anew since. */
static const void *find(const struct past *past, enum top_kind kind,
			const void *item)
{
	const struct top_list *before = past->before;

	if (!before || !before->count)
		return NULL;
	return bsearch(item, before->items, before->count, before->size,
		       kinds[kind].compare);
}

/*
 * Of a thing that is older than the sample before, and was not in it, nothing is
 * known; one that was made since has counted from 0. What publishers and
 * subscribers count is in memory that they write: it may go backwards.
 */
static double rate(const struct past *past, uint64_t made, uint64_t count,
		   const uint64_t *count_before)
{
	uint64_t from = count_before ? *count_before : 0;

	if (!past->before || past->seconds <= 0 || count < from)
		return NAN;
	if (!count_before && (int64_t)made < past->before->at)
		return NAN;
	return (count - from) / past->seconds;
}

static void rate_channel(struct top_channel *channel, const struct past *past)
{
	const struct top_channel *was = find(past, TOP_CHANNELS, channel);
	uint64_t made = channel->seen.object.created;

	if (was && was->seen.object.created != made)
		was = NULL;
	channel->messages = rate(past, made, channel->seen.messages,
				 was ? &was->seen.messages : NULL);
	channel->bytes = rate(past, made, channel->seen.payload,
			      was ? &was->seen.payload : NULL);
	channel->lost_rate = past->before ? 0 : NAN;
}

static void rate_endpoint(struct top_endpoint *endpoint, const struct past *past)
{
	const struct top_endpoint *was = find(past, TOP_ENDPOINTS, endpoint);
	uint64_t made = endpoint->seen.joined;

	if (was && was->seen.joined != made)
		was = NULL;
	endpoint->messages = rate(past, made, endpoint->seen.messages,
				  was ? &was->seen.messages : NULL);
	endpoint->bytes = rate(past, made, endpoint->seen.payload,
			       was ? &was->seen.payload : NULL);
	endpoint->lost = rate(past, made, endpoint->seen.lost,
			      was ? &was->seen.lost : NULL);
}

static void rate_lockspace(struct top_lockspace *space, const struct past *past)
{
	const struct top_lockspace *was = find(past, TOP_LOCKSPACES, space);
	uint64_t made = space->seen.object.created;

	if (was && was->seen.object.created != made)
		was = NULL;
	space->granted = rate(past, made, space->seen.granted,
			      was ? &was->seen.granted : NULL);
	space->blocked = rate(past, made, space->seen.blocked,
			      was ? &was->seen.blocked : NULL);
}

static void rate_item(enum top_kind kind, void *item, const struct past *past)
{
	switch (kind) {
	case TOP_CHANNELS:
		rate_channel(item, past);
		break;
	case TOP_ENDPOINTS:
		rate_endpoint(item, past);
		break;
	case TOP_LOCKSPACES:
		rate_lockspace(item, past);
		break;
	default:
		break;
	}
}

static void rate_all(struct top_sample *sample, const struct top_sample *before)
{
	for (int kind = 0; kind < TOP_KINDS; kind++) {
		struct top_list *list = &sample->lists[kind];
		struct past past = { 0 };

		if (before) {
			past.before = &before->lists[kind];
			past.seconds = (list->at - past.before->at) / 1e9;
		}
		for (size_t i = 0; i < list->count; i++)
			rate_item(kind, list->items + i * list->size, &past);
	}
}

/* To its channel, unless that came meanwhile. */
static void add_endpoint(struct top_list *channels,
			 const struct top_endpoint *endpoint)
{
	struct top_channel key = { .seen.object.id = endpoint->seen.channel };
	struct top_channel *channel = NULL;

	if (channels->count)
		channel = bsearch(&key, channels->items, channels->count,
				  channels->size, compare_channels);
	if (!channel)
		return;
	if (endpoint->seen.role == SLUICE_PUBLISHER) {
		channel->blocked += endpoint->seen.sleeping != 0;
		return;
	}
	channel->asleep += endpoint->seen.sleeping != 0;
	channel->held += endpoint->seen.held;
	channel->lost += endpoint->seen.lost;
	if (endpoint->seen.lag > channel->lag)
		channel->lag = endpoint->seen.lag;
	if (!isnan(endpoint->lost))
		channel->lost_rate += endpoint->lost;
}

static int look(struct top_sample *sample, enum top_kind kind,
		struct sluice_monitor *monitor)
{
	struct top_list *list = &sample->lists[kind];
	int ret;

	list->size = kinds[kind].size;
	ret = kinds[kind].look(monitor, list);
	/* What it told last is what was then. */
	list->at = now();
	if (ret == SLUICE_MONITOR_INTERRUPTED) {
		sample->interrupted = true;
		ret = 0;
	}
	if (!ret && kinds[kind].compare && list->count)
		qsort(list->items, list->count, list->size, kinds[kind].compare);
	return ret;
}

int top_sample_take(struct top_sample *sample, const struct top_sample *before,
		    struct sluice_monitor *monitor)
{
	const struct top_list *endpoints = &sample->lists[TOP_ENDPOINTS];
	int ret = 0;

	memset(sample, 0, sizeof(*sample));
	for (int kind = 0; !ret && kind < TOP_KINDS; kind++)
		ret = look(sample, kind, monitor);
	if (ret) {
		top_sample_free(sample);
		return ret;
	}
	sample->since = before ? top_time(before) : 0;
	rate_all(sample, before);
	for (size_t i = 0; i < endpoints->count; i++)
		add_endpoint(&sample->lists[TOP_CHANNELS], top_item(endpoints, i));
	return 0;
}

void top_sample_free(struct top_sample *sample)
{
	for (int kind = 0; kind < TOP_KINDS; kind++)
		free(sample->lists[kind].items);
	memset(sample, 0, sizeof(*sample));
}
