// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice monitor - what happens, a line for each event.
 *
 * Events have numbers only; what is behind them is asked for, and told if the
 * caller may see it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "look.h"

enum { KEY_JSON = 'J', KEY_COUNT = 'c' };

static const struct argp_option options[] = {
	{ "count", KEY_COUNT, "N", 0, "end after so many events", 0 },
	{ "json", KEY_JSON, NULL, 0, "write JSON, an object a line", 0 },
	{ 0 }
};

/**
 * struct watching - what is listened to
 * @groups: SLUICE_MONITOR_*
 * @json: write JSON
 * @count: events to go, 0 for all
 * @monitor: that is told
 */
struct watching {
	uint32_t groups;
	bool json;
	uint64_t count;
	struct sluice_monitor *monitor;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const struct {
		const char *name;
		uint32_t group;
	} groups[] = {
		{ SLUICE_NL_LIFECYCLE, SLUICE_MONITOR_LIFECYCLE },
		{ SLUICE_NL_DEADLOCK, SLUICE_MONITOR_DEADLOCK },
		{ SLUICE_NL_PRESSURE, SLUICE_MONITOR_PRESSURE },
	};
	struct watching *watching = state->input;

	switch (key) {
	case KEY_JSON:
		watching->json = true;
		return 0;
	case KEY_COUNT:
		watching->count = parse_number(state, "count", arg, 1, UINT64_MAX);
		return 0;
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
			if (strcmp(arg, groups[i].name))
				continue;
			watching->groups |= groups[i].group;
			return 0;
		}
		argp_error(state, "no such group of events: '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *event_name(uint32_t event)
{
	switch (event) {
	case SLUICE_NL_EVENT_CHANNEL_MADE:
		return "channel-made";
	case SLUICE_NL_EVENT_CHANNEL_GONE:
		return "channel-gone";
	case SLUICE_NL_EVENT_JOINED:
		return "joined";
	case SLUICE_NL_EVENT_LEFT:
		return "left";
	case SLUICE_NL_EVENT_LOCKSPACE_MADE:
		return "lockspace-made";
	case SLUICE_NL_EVENT_LOCKSPACE_GONE:
		return "lockspace-gone";
	case SLUICE_NL_EVENT_OWNER_DIED:
		return "owner-died";
	case SLUICE_NL_EVENT_DEADLOCK:
		return "deadlock";
	case SLUICE_NL_EVENT_QUOTA:
		return "quota";
	case SLUICE_NL_EVENT_LAG:
		return "lag";
	case SLUICE_NL_EVENT_EVICTED:
		return "evicted";
	case SLUICE_NL_EVENT_DROPPED:
		return "dropped";
	default:
		return NULL;
	}
}

/*
 * What is behind a number.
 */
static int keep_channel(const struct sluice_monitor_channel *seen, void *arg)
{
	printable_name((const uint8_t *)seen->object.name,
		       strlen(seen->object.name), arg);
	return 0;
}

static int keep_lockspace(const struct sluice_monitor_lockspace *seen, void *arg)
{
	printable_name((const uint8_t *)seen->object.name,
		       strlen(seen->object.name), arg);
	return 0;
}

/**
 * struct sought - an endpoint that is looked for
 * @event: of it
 * @process: out: who it is
 */
struct sought {
	const struct sluice_monitor_event *event;
	struct sluice_monitor_process process;
};

static int keep_process(const struct sluice_monitor_endpoint *seen, void *arg)
{
	struct sought *sought = arg;

	if (seen->generation == sought->event->generation)
		sought->process = seen->process;
	return 0;
}

/* It may be gone by now, or not to be seen: then it has no name. */
static void look_up(struct sluice_monitor *monitor,
		    const struct sluice_monitor_event *event, char *name,
		    struct sluice_monitor_process *process)
{
	struct sluice_monitor_filter filter = {
		.channel = event->channel, .lockspace = event->lockspace,
		.role = event->role,
	};
	struct sought sought = { .event = event };

	filter.by = SLUICE_MONITOR_CHANNEL;
	if (event->channel)
		sluice_monitor_channels(monitor, &filter, keep_channel, name);
	filter.by |= SLUICE_MONITOR_ROLE;
	if (event->role)
		sluice_monitor_endpoints(monitor, &filter, keep_process, &sought);
	filter.by = SLUICE_MONITOR_LOCKSPACE;
	if (event->lockspace)
		sluice_monitor_lockspaces(monitor, &filter, keep_lockspace, name);
	*process = sought.process;
}

/*
 * Telling. All events have the same members, of which each has some.
 */
static struct json_object *event_object(struct sluice_monitor *monitor,
					const struct sluice_monitor_event *event)
{
	struct json_object *object = json_object_new_object();
	struct sluice_monitor_process process = { 0 };
	char name[PRINTABLE_NAME_SIZE] = "", command[PRINTABLE_NAME_SIZE];
	bool publisher = event->role == SLUICE_PUBLISHER;
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ "generation", event->generation },
		{ "resource", event->resource }, { "holder", event->holder },
		{ "number", event->deadlock }, { "length", event->length },
		{ "lag", event->lag }, { "count", event->count },
	};

	look_up(monitor, event, name, &process);
	if (event->channel)
		json_add_number(object, "channel", event->channel);
	if (event->lockspace)
		json_add_number(object, "lockspace", event->lockspace);
	if (*name)
		json_add_string(object, "name", name);
	if (event->role)
		json_add_number(object, publisher ? "publisher" : "subscriber",
				event->index);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i].value)
			json_add_number(object, numbers[i].key, numbers[i].value);
	if (event->reason)
		json_add_string(object, "reason", reason_name(event->reason));
	if (process.pid) {
		json_add_number(object, "pid", process.pid);
		json_add_string(object, "command", command_of(&process, command));
	}
	if (event->event == SLUICE_NL_EVENT_QUOTA) {
		json_add_number(object, "uid", event->uid);
		json_add_string(object, "of", limited_name(event->limited));
		json_add_number(object, "asked", event->asked);
		json_add_number(object, "limit", event->limit);
	}
	return object;
}

static void print_line(const char *what, int64_t when, struct json_object *object)
{
	time_t seconds = when / NSEC_PER_SEC;
	struct tm tm;
	char text[16];

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03d %s", text, (int)(when % NSEC_PER_SEC / 1000000), what);
	json_object_object_foreach(object, key, value)
		printf(" %s=%s", key, json_object_get_string(value));
	putchar('\n');
}

static void print_json(const char *what, int64_t when, struct json_object *object)
{
	json_add_string(object, "event", what);
	json_add_seconds(object, "time", when);
	json_write_line(json_object_get(object), stdout);
}

static void print_event(struct watching *watching, const char *what,
			int64_t when, struct json_object *object)
{
	if (watching->json)
		print_json(what, when, object);
	else
		print_line(what, when, object);
	json_object_put(object);
}

/* Return: 0 to go on, or a negative errno value. */
static int tell_next(struct watching *watching)
{
	struct sluice_monitor_event event;
	int ret = sluice_monitor_next(watching->monitor, &event);
	const char *what;

	if (ret == -ENOBUFS) {
		print_event(watching, "lost", wall_time(now()),
			    json_object_new_object());
		return 0;
	}
	if (ret)
		return ret == -EINTR ? 0 : ret;
	what = event_name(event.event);
	if (!what)
		return 0;
	print_event(watching, what, wall_time(event.time),
		    event_object(watching->monitor, &event));
	if (watching->count && !--watching->count)
		return -ECANCELED;
	return 0;
}

static int watch(struct watching *watching)
{
	struct pollfd poll_fd = {
		.fd = sluice_monitor_fd(watching->monitor), .events = POLLIN,
	};
	int ret = 0;

	while (!caught_signal() && (!ret || ret == -EAGAIN)) {
		fflush(stdout);
		if (poll(&poll_fd, 1, -1) < 0)
			continue;
		do {
			ret = tell_next(watching);
		} while (!ret && !caught_signal());
	}
	return ret == -EAGAIN || ret == -ECANCELED ? 0 : ret;
}

int monitor_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[GROUP...]",
		"Tell what happens: lifecycle, deadlock, pressure, or all of it.",
		NULL, NULL, NULL,
	};
	struct watching watching = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &watching);
	if (!watching.groups)
		watching.groups = SLUICE_MONITOR_LIFECYCLE |
			SLUICE_MONITOR_DEADLOCK | SLUICE_MONITOR_PRESSURE;
	watching.monitor = open_monitor();
	if (!watching.monitor)
		return STATUS_FAILURE;
	catch_signals();
	status = complain_monitor(sluice_monitor_listen(watching.monitor,
							watching.groups));
	if (!status)
		status = complain_monitor(watch(&watching));
	sluice_monitor_close(watching.monitor);
	fflush(stdout);
	die_by_signal();
	return status;
}
