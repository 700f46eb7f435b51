// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice graph - who publishes to whom, and who waits for whose locks: as text,
 * for graphviz, or drawn by it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "look.h"

enum { KEY_JSON = 'J', KEY_DOT = 'd', KEY_SVG = 's' };

static const struct argp_option options[] = {
	{ "dot", KEY_DOT, NULL, 0, "write what graphviz reads", 0 },
	{ "svg", KEY_SVG, NULL, 0, "write a picture; needs graphviz's dot", 0 },
	{ "json", KEY_JSON, NULL, 0, "write JSON", 0 },
	{ 0 }
};

/**
 * struct graph - one graph on its way
 * @format: KEY_*, or 0 for text
 * @out: where to
 * @array: that is filled, if JSON
 */
struct graph {
	int format;
	FILE *out;
	struct json_object *array;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct graph *graph = state->input;

	(void)arg;
	switch (key) {
	case KEY_JSON:
	case KEY_DOT:
	case KEY_SVG:
		graph->format = key;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool is_dot(const struct graph *graph)
{
	return graph->format == KEY_DOT || graph->format == KEY_SVG;
}

/* A string between quotes, as DOT has them. */
static void put_dot(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
}

/* A process is a node of its number, also if it is told several times. */
static void put_process(FILE *out, const struct sluice_monitor_process *process)
{
	char command[PRINTABLE_NAME_SIZE];

	fprintf(out, "\tp%u [shape=box, label=\"", process->pid);
	put_dot(out, command_of(process, command));
	fprintf(out, "\\n%u\"];\n", process->pid);
}

/*
 * Channels, and who is in them.
 */
static int see_channel(const struct sluice_monitor_channel *seen, void *arg)
{
	char name[PRINTABLE_NAME_SIZE];
	struct graph *graph = arg;

	name_of(seen->object.name, seen->object.id, name);
	fprintf(graph->out, "\tc%llu [shape=cds, label=\"",
		(unsigned long long)seen->object.id);
	put_dot(graph->out, name);
	fprintf(graph->out, "\\n%s\"];\n", pattern_name(seen->pattern));
	return 0;
}

static void endpoint_dot(FILE *out, const struct sluice_monitor_endpoint *seen)
{
	unsigned long long channel = seen->channel;
	unsigned int pid = seen->process.pid;

	put_process(out, &seen->process);
	if (seen->role == SLUICE_PUBLISHER)
		fprintf(out, "\tp%u -> c%llu;\n", pid, channel);
	else if (seen->lag)
		fprintf(out, "\tc%llu -> p%u [label=\"%llu behind\"];\n", channel,
			pid, (unsigned long long)seen->lag);
	else
		fprintf(out, "\tc%llu -> p%u;\n", channel, pid);
}

static void endpoint_text(FILE *out, const struct sluice_monitor_endpoint *seen)
{
	char name[PRINTABLE_NAME_SIZE], command[PRINTABLE_NAME_SIZE];

	name_of(seen->name, seen->channel, name);
	command_of(&seen->process, command);
	if (seen->role == SLUICE_PUBLISHER)
		fprintf(out, "%s (%u) -> %s\n", command, seen->process.pid, name);
	else
		fprintf(out, "%s -> %s (%u)", name, command, seen->process.pid);
	if (seen->role != SLUICE_PUBLISHER && seen->lag)
		fprintf(out, ", %llu behind", (unsigned long long)seen->lag);
	if (seen->role != SLUICE_PUBLISHER)
		putc('\n', out);
}

static struct json_object *endpoint_json(const struct sluice_monitor_endpoint *seen)
{
	struct json_object *object = json_object_new_object();
	char name[PRINTABLE_NAME_SIZE];

	json_add_number(object, "channel", seen->channel);
	json_add_string(object, "name", name_of(seen->name, seen->channel, name));
	json_add_string(object, "role", seen->role == SLUICE_PUBLISHER ?
					"publisher" : "subscriber");
	json_object_object_add(object, "process", json_of_process(&seen->process));
	json_add_number(object, "messages", seen->messages);
	json_add_number(object, "lag", seen->lag);
	return object;
}

static int see_endpoint(const struct sluice_monitor_endpoint *seen, void *arg)
{
	struct graph *graph = arg;

	if (seen->state != SLUICE_ACTIVE)
		return 0;
	if (graph->array)
		return json_object_array_add(graph->array, endpoint_json(seen)) ?
			-ENOMEM : 0;
	if (is_dot(graph))
		endpoint_dot(graph->out, seen);
	else
		endpoint_text(graph->out, seen);
	return 0;
}

/*
 * Who waits for whom.
 */
static void wait_dot(FILE *out, const struct sluice_monitor_wait *seen)
{
	char key[PRINTABLE_NAME_SIZE];

	put_process(out, &seen->process);
	for (uint32_t i = 0; i < seen->blocker_count; i++) {
		put_process(out, &seen->blockers[i].process);
		fprintf(out, "\tp%u -> p%u [style=%s, color=red, label=\"",
			seen->process.pid, seen->blockers[i].process.pid,
			seen->blockers[i].queued ? "dotted" : "dashed");
		put_dot(out, key_of(&seen->place, key));
		fprintf(out, " %s\"];\n", mode_name(seen->mode));
	}
}

static void wait_text(FILE *out, const struct sluice_monitor_wait *seen)
{
	char key[PRINTABLE_NAME_SIZE], command[PRINTABLE_NAME_SIZE];

	fprintf(out, "%s (%u) waits for %s, %s", command_of(&seen->process, command),
		seen->process.pid, key_of(&seen->place, key),
		mode_name(seen->mode));
	for (uint32_t i = 0; i < seen->blocker_count; i++)
		fprintf(out, "%s %s%s (%u)", i ? "," : ":",
			seen->blockers[i].queued ? "behind " : "",
			command_of(&seen->blockers[i].process, command),
			seen->blockers[i].process.pid);
	if (seen->found > seen->blocker_count)
		fprintf(out, ", and %u others", seen->found - seen->blocker_count);
	else if (seen->more)
		fputs(", and others", out);
	putc('\n', out);
}

static int see_wait(const struct sluice_monitor_wait *seen, void *arg)
{
	struct json_object *object;
	struct graph *graph = arg;

	if (graph->array) {
		object = json_object_new_object();
		json_add_wait(object, seen);
		return json_object_array_add(graph->array, object) ? -ENOMEM : 0;
	}
	if (is_dot(graph))
		wait_dot(graph->out, seen);
	else
		wait_text(graph->out, seen);
	return 0;
}

static int draw(struct graph *graph, struct sluice_monitor *monitor)
{
	int status = STATUS_OK;

	if (is_dot(graph)) {
		fputs("digraph sluice {\n\trankdir=LR;\n", graph->out);
		status = complain_monitor(sluice_monitor_channels(monitor, NULL,
							see_channel, graph));
	}
	if (!status)
		status = complain_monitor(sluice_monitor_endpoints(monitor, NULL,
							see_endpoint, graph));
	if (!status)
		status = complain_monitor(sluice_monitor_waits(monitor, NULL,
							see_wait, graph));
	if (is_dot(graph))
		fputs("}\n", graph->out);
	return status;
}

static int draw_json(struct graph *graph, struct sluice_monitor *monitor)
{
	struct json_object *object = json_object_new_object();
	int status;

	graph->array = json_object_new_array();
	json_object_object_add(object, "endpoints", graph->array);
	status = complain_monitor(sluice_monitor_endpoints(monitor, NULL,
							   see_endpoint, graph));
	graph->array = json_object_new_array();
	json_object_object_add(object, "waits", graph->array);
	if (!status)
		status = complain_monitor(sluice_monitor_waits(monitor, NULL,
							see_wait, graph));
	if (!status)
		return json_write(object, stdout);
	json_object_put(object);
	return status;
}

static int draw_svg(struct graph *graph, struct sluice_monitor *monitor)
{
	int status;

	fflush(stdout);
	/* If it ends early, its status says so. */
	signal(SIGPIPE, SIG_IGN);
	graph->out = popen("dot -Tsvg", "w");
	if (!graph->out) {
		complain(NULL, -errno, "cannot start dot");
		return STATUS_FAILURE;
	}
	status = draw(graph, monitor);
	if (pclose(graph->out)) {
		complain(NULL, 0, "dot did not draw it: is graphviz installed?");
		status = STATUS_FAILURE;
	}
	return status;
}

int graph_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Show who publishes to whom, and who waits for whose locks.",
		NULL, NULL, NULL,
	};
	struct graph graph = { .out = stdout };
	struct sluice_monitor *monitor;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &graph);
	monitor = open_monitor();
	if (!monitor)
		return STATUS_FAILURE;
	if (graph.format == KEY_JSON)
		status = draw_json(&graph, monitor);
	else if (graph.format == KEY_SVG)
		status = draw_svg(&graph, monitor);
	else
		status = draw(&graph, monitor);
	sluice_monitor_close(monitor);
	return status;
}
