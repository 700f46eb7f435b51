// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice top - what goes on in channels and locks, and how fast.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "top.h"

enum {
	KEY_JSON = 'J', KEY_BATCH = 'b', KEY_COUNT = 'n', KEY_DELAY = 'd',
	KEY_VIEW = 'v', KEY_SORT = 's', KEY_REVERSED = 'r', KEY_FILTER = 'f',
};

static const struct argp_option options[] = {
	{ "batch", KEY_BATCH, NULL, 0, "write tables, without a terminal", 0 },
	{ "count", KEY_COUNT, "N", 0, "with --batch: end after so many", 0 },
	{ "delay", KEY_DELAY, "SECONDS", 0, "from one look to the next (2)", 0 },
	{ "filter", KEY_FILTER, "TEXT", 0, "only what has it in its line", 0 },
	{ "json", KEY_JSON, NULL, 0, "write JSON, an object a line", 0 },
	{ "reverse", KEY_REVERSED, NULL, 0, "turn the order round", 0 },
	{ "sort", KEY_SORT, "COLUMN", 0, "by its title, or how that begins", 0 },
	{ "view", KEY_VIEW, "VIEW", 0,
	  "channels, endpoints, lockspaces, waits or quotas", 0 },
	{ 0 }
};

/**
 * struct arguments - the command line
 * @top: what is wanted
 * @sort: title of a column, or NULL
 * @reverse: turn the order round
 * @batch: write tables
 * @json: write JSON
 * @count: samples to write, 0 for no end
 */
struct arguments {
	struct top top;
	const char *sort;
	bool reverse;
	bool batch;
	bool json;
	uint64_t count;
};

static int parse_view(struct argp_state *state, const char *arg)
{
	for (int i = 0; i < TOP_VIEWS; i++)
		if (!strcmp(arg, top_views[i]->name))
			return i;
	argp_error(state, "--view: must be channels, endpoints, lockspaces, waits or quotas, not '%s'",
		   arg);
	return 0;
}

static int64_t parse_delay(struct argp_state *state, const char *arg)
{
	int64_t delay = parse_seconds(state, "--delay", arg);

	if (delay < TOP_DELAY_MIN || delay > TOP_DELAY_MAX)
		argp_error(state, "--delay: must be 0.1 to 3600 seconds, not %s", arg);
	return delay;
}

static void finish(struct arguments *args, struct argp_state *state)
{
	const struct top_view *view = top_views[args->top.view];

	for (int i = 0; i < TOP_VIEWS; i++)
		args->top.order[i].sort = top_views[i]->sort;
	args->top.order[args->top.view].reverse = args->reverse;
	if (args->sort)
		args->top.order[args->top.view].sort = top_column(view, args->sort);
	if (args->top.order[args->top.view].sort < 0)
		argp_error(state, "--sort: %s have no column '%s'", view->name,
			   args->sort);
	if (args->count && !args->batch)
		argp_error(state, "--count needs --batch or --json");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case KEY_JSON:
		args->json = true;
		/* fallthrough */
	case KEY_BATCH:
		args->batch = true;
		return 0;
	case KEY_COUNT:
		args->count = parse_number(state, "--count", arg, 1, UINT64_MAX);
		return 0;
	case KEY_DELAY:
		args->top.delay = parse_delay(state, arg);
		return 0;
	case KEY_VIEW:
		args->top.view = parse_view(state, arg);
		return 0;
	case KEY_SORT:
		args->sort = arg;
		return 0;
	case KEY_REVERSED:
		args->reverse = true;
		return 0;
	case KEY_FILTER:
		if (strlen(arg) >= sizeof(args->top.filter))
			argp_error(state, "--filter: no more than %zu bytes",
				   sizeof(args->top.filter) - 1);
		strcpy(args->top.filter, arg);
		return 0;
	case ARGP_KEY_END:
		finish(args, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Batch --------------------------------------------------------------------- */

static int write_table(const struct top *top, const struct top_sample *sample)
{
	const struct top_view *view = top_views[top->view];
	char summary[TOP_SUMMARY_SIZE], clock[TOP_CLOCK_SIZE];
	struct table *table = NULL;
	struct top_rows rows;
	int ret = top_rows_choose(&rows, view, sample, &top->order[top->view],
				  top->filter);

	if (!ret)
		table = top_table(view, &rows, 0, rows.count);
	top_rows_free(&rows);
	if (!table) {
		complain(NULL, ret, "no memory for a table");
		return STATUS_FAILURE;
	}
	printf("%s  %s\n", top_clock(sample, clock), top_summary(sample, summary));
	if (sample->interrupted)
		puts(TOP_INTERRUPTED);
	table_print(table, true);
	putchar('\n');
	table_free(table);
	return STATUS_OK;
}

static void sleep_until(int64_t time)
{
	const struct timespec until = {
		time / NSEC_PER_SEC, time % NSEC_PER_SEC,
	};

	while (!caught_signal() &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		continue;
}

static int take(struct top_sample *sample, const struct top_sample *before,
		struct sluice_monitor *monitor)
{
	int error = top_sample_take(sample, before, monitor);

	if (!error)
		return STATUS_OK;
	if (!complain_device())
		complain(NULL, error, "cannot ask the kernel");
	return STATUS_FAILURE;
}

/* What there is now takes the place of what was before. */
static int write_next(const struct arguments *args, struct top_sample *before,
		      struct sluice_monitor *monitor)
{
	struct top_sample sample;
	int status = take(&sample, before, monitor);

	if (status)
		return status;
	status = args->json ? top_write_json(&args->top, &sample) :
			      write_table(&args->top, &sample);
	top_sample_free(before);
	*before = sample;
	if (fflush(stdout) == EOF && !status) {
		complain("standard output", -errno, "cannot write");
		status = STATUS_FAILURE;
	}
	return status;
}

/* Rates take two samples: the first one is not written. */
static int batch(const struct arguments *args, struct sluice_monitor *monitor)
{
	struct top_sample before;
	uint64_t written = 0;
	int64_t next;
	int status = take(&before, NULL, monitor);

	if (status)
		return status;
	next = now();
	while (!status && (!args->count || written < args->count)) {
		next += args->top.delay;
		sleep_until(next);
		if (caught_signal())
			break;
		status = write_next(args, &before, monitor);
		written++;
		/* Who is late does not hurry afterwards. */
		if (next < now() - args->top.delay)
			next = now();
	}
	top_sample_free(&before);
	return status;
}

int top_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Show what goes on in channels and locks, and how fast.",
		NULL, NULL, NULL,
	};
	struct arguments args = { .top.delay = 2 * NSEC_PER_SEC };
	struct sluice_monitor *monitor;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (!args.batch && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		complain(NULL, 0, "there is no terminal: use --batch or --json");
		return STATUS_USAGE;
	}
	monitor = open_monitor();
	if (!monitor)
		return STATUS_FAILURE;
	catch_signals();
	status = args.batch ? batch(&args, monitor) :
			      top_screen(&args.top, &monitor);
	sluice_monitor_close(monitor);
	die_by_signal();
	return status;
}
