// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Samples of sluice top for other programs: an object a line.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "top.h"

/* Three digits behind the point; null if it is not known. */
static void add_rate(struct json_object *object, const char *key, double rate)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", rate);
	json_object_object_add(object, key, isnan(rate) ? NULL :
			       json_object_new_double_s(rate, text));
}

static void add_since(struct json_object *object, const char *key, uint64_t since)
{
	if (since)
		json_add_seconds(object, key, now() - (int64_t)since);
	else
		json_object_object_add(object, key, NULL);
}

static void add_name(struct json_object *object, const char *name)
{
	char text[PRINTABLE_NAME_SIZE];

	json_add_string(object, "name",
			printable_name((const uint8_t *)name, strlen(name), text));
}

static void json_of_top_channel(struct json_object *object, const void *item)
{
	const struct top_channel *channel = item;
	const struct sluice_monitor_channel *seen = &channel->seen;

	json_add_number(object, "id", seen->object.id);
	add_name(object, seen->object.name);
	json_add_string(object, "pattern", pattern_name(seen->pattern));
	json_add_string(object, "policy", policy_name(seen->policy));
	json_add_number(object, "publishers", seen->publishers);
	json_add_number(object, "subscribers", seen->subscribers);
	json_add_number(object, "messages", seen->messages);
	add_rate(object, "messages_rate", channel->messages);
	json_add_number(object, "bytes", seen->payload);
	add_rate(object, "bytes_rate", channel->bytes);
	json_add_number(object, "slots", seen->slots);
	json_add_number(object, "lag", channel->lag);
	json_add_number(object, "held", channel->held);
	json_add_number(object, "lost", channel->lost);
	add_rate(object, "lost_rate", channel->lost_rate);
	json_add_number(object, "blocked", channel->blocked);
	json_add_number(object, "asleep", channel->asleep);
	json_add_number(object, "pool", seen->bytes);
}

static void json_of_top_endpoint(struct json_object *object, const void *item)
{
	const struct top_endpoint *endpoint = item;
	const struct sluice_monitor_endpoint *seen = &endpoint->seen;
	bool publisher = seen->role == SLUICE_PUBLISHER;

	json_add_number(object, "channel", seen->channel);
	add_name(object, seen->name);
	json_add_string(object, "role", publisher ? "publisher" : "subscriber");
	json_add_number(object, "index", seen->index);
	json_add_number(object, "generation", seen->generation);
	json_object_object_add(object, "process", json_of_process(&seen->process));
	json_add_string(object, "state", state_name(seen->state));
	json_add_number(object, "messages", seen->messages);
	add_rate(object, "messages_rate", endpoint->messages);
	json_add_number(object, "bytes", seen->payload);
	add_rate(object, "bytes_rate", endpoint->bytes);
	add_since(object, "sleeping", seen->sleeping);
	if (publisher) {
		json_add_number(object, "pool", seen->bytes);
		return;
	}
	json_add_number(object, "lag", seen->lag);
	json_add_number(object, "held", seen->held);
	json_add_number(object, "lost", seen->lost);
	add_rate(object, "lost_rate", endpoint->lost);
}

static void json_of_top_lockspace(struct json_object *object, const void *item)
{
	const struct top_lockspace *space = item;
	const struct sluice_monitor_lockspace *seen = &space->seen;

	json_add_number(object, "id", seen->object.id);
	add_name(object, seen->object.name);
	json_add_number(object, "resources", seen->resources);
	json_add_number(object, "held", seen->grants);
	json_add_number(object, "waiting", seen->waiting);
	json_add_number(object, "granted", seen->granted);
	add_rate(object, "granted_rate", space->granted);
	json_add_number(object, "blocked", seen->blocked);
	add_rate(object, "blocked_rate", space->blocked);
	json_add_number(object, "deadlocks", seen->deadlocks);
	json_add_number(object, "died", seen->died);
}

static void json_of_top_wait(struct json_object *object, const void *item)
{
	const struct sluice_monitor_wait *seen = item;

	json_add_wait(object, seen);
	json_add_range(object, seen->start, seen->end);
	add_since(object, "since", seen->since);
	json_object_object_add(object, "priority",
			       json_object_new_int(seen->priority));
}

static void json_of_top_quota(struct json_object *object, const void *item)
{
	json_add_quota(object, item);
}

static const struct {
	const char *key;
	void (*fill)(struct json_object *object, const void *item);
} kinds[TOP_KINDS] = {
	[TOP_CHANNELS] = { "channels", json_of_top_channel },
	[TOP_ENDPOINTS] = { "endpoints", json_of_top_endpoint },
	[TOP_LOCKSPACES] = { "lockspaces", json_of_top_lockspace },
	[TOP_WAITS] = { "waits", json_of_top_wait },
	[TOP_QUOTAS] = { "quotas", json_of_top_quota },
};

static int add_view(struct json_object *object, int at, const struct top *top,
		    const struct top_sample *sample)
{
	const struct top_view *view = top_views[at];
	struct json_object *array = json_object_new_array(), *one;
	struct top_rows rows;
	int ret = top_rows_choose(&rows, view, sample, &top->order[at], top->filter);

	json_object_object_add(object, kinds[view->kind].key, array);
	for (size_t i = 0; i < rows.count; i++) {
		one = json_object_new_object();
		kinds[view->kind].fill(one, rows.items[i]);
		json_object_array_add(array, one);
	}
	top_rows_free(&rows);
	return ret;
}

int top_write_json(const struct top *top, const struct top_sample *sample)
{
	struct json_object *object = json_object_new_object();
	int ret = 0;

	json_add_seconds(object, "time", wall_time(top_time(sample)));
	json_add_seconds(object, "interval", top_time(sample) - sample->since);
	json_add_bool(object, "interrupted", sample->interrupted);
	for (int i = 0; !ret && i < TOP_VIEWS; i++)
		ret = add_view(object, i, top, sample);
	if (ret) {
		complain(NULL, ret, "cannot write");
		json_object_put(object);
		return STATUS_FAILURE;
	}
	return json_write_line(object, stdout);
}
