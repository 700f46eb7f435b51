// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice ls - list the channels, or lockspaces, that the caller may open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lock.h"

enum { KEY_JSON = 'J', KEY_NO_HEADINGS = 'n', KEY_LOCKSPACES = 'l' };

static const struct argp_option options[] = {
	{ "lockspaces", KEY_LOCKSPACES, NULL, 0, "lockspaces instead of channels" },
	{ "json", KEY_JSON, NULL, 0, "write JSON" },
	{ "noheadings", KEY_NO_HEADINGS, NULL, 0, "write no headings" },
	{ 0 }
};

/**
 * struct ls - one listing
 * @lockspaces: list these instead
 * @json: write JSON
 * @no_headings: write no headings
 * @channels: what there is
 * @count: how many
 */
struct ls {
	bool lockspaces;
	bool json;
	bool no_headings;
	struct sluice_stat *channels;
	size_t count;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ls *ls = state->input;

	(void)arg;
	switch (key) {
	case KEY_LOCKSPACES:
		ls->lockspaces = true;
		return 0;
	case KEY_JSON:
		ls->json = true;
		return 0;
	case KEY_NO_HEADINGS:
		ls->no_headings = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int collect(const struct sluice_stat *stat, void *data)
{
	struct ls *ls = data;

	/* Doubled when the count is a power of two, 0 included. */
	if (!(ls->count & (ls->count - 1))) {
		size_t room = ls->count ? 2 * ls->count : 1;
		void *more = reallocarray(ls->channels, room, sizeof(*stat));

		if (!more)
			return -ENOMEM;
		ls->channels = more;
	}
	ls->channels[ls->count++] = *stat;
	return 0;
}

static void print_row(const struct sluice_stat *stat, int width)
{
	char name[PRINTABLE_NAME_SIZE], pool[FORMAT_SIZE];

	printable_name(stat->name, stat->name_len, name);
	printf("%s%*s  %-9s  %-11s  %4u  %4u  %8llu  %6s  %04o  %u:%u\n", name,
	       width - text_width(name), "", pattern_name(stat->config.pattern),
	       policy_name(stat->config.policy), stat->publishers,
	       stat->subscribers, (unsigned long long)stat->messages,
	       format_size(stat->pool, pool), stat->mode, stat->uid, stat->gid);
}

static void print_table(const struct ls *ls)
{
	int width = 4;

	for (size_t i = 0; i < ls->count; i++) {
		const struct sluice_stat *stat = &ls->channels[i];
		char name[PRINTABLE_NAME_SIZE];
		int w = text_width(printable_name(stat->name, stat->name_len, name));

		if (w > width)
			width = w;
	}
	if (!ls->no_headings && ls->count)
		printf("%-*s  %-9s  %-11s  %4s  %4s  %8s  %6s  %4s  %s\n", width,
		       "NAME", "PATTERN", "POLICY", "PUBS", "SUBS", "MESSAGES",
		       "POOL", "MODE", "OWNER");
	for (size_t i = 0; i < ls->count; i++)
		print_row(&ls->channels[i], width);
}

static int print_json(const struct ls *ls)
{
	struct json_object *object = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < ls->count; i++)
		json_object_array_add(array, json_of_channel(&ls->channels[i]));
	json_object_object_add(object, "channels", array);
	return json_write(object, stdout);
}

int ls_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL, "List the channels, or lockspaces, you may open.",
		NULL, NULL, NULL,
	};
	struct ls ls = { 0 };
	int error, status = STATUS_OK;

	argp_parse(&argp, argc, argv, 0, NULL, &ls);
	if (ls.lockspaces)
		return ls_lockspaces(ls.json, !ls.no_headings);
	error = sluice_channel_list(collect, &ls);
	if (error) {
		complain_open(NULL, error, true);
		status = STATUS_FAILURE;
	} else if (ls.json) {
		status = print_json(&ls);
	} else {
		print_table(&ls);
	}
	free(ls.channels);
	return status;
}
