// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice quota - what users have of what they may have.
 */
#include <errno.h>
#include <stdio.h>

#include "look.h"

enum { KEY_JSON = 'J', KEY_NO_HEADINGS = 'n', KEY_UID = 'u', KEY_ALL = 'a' };

static const struct argp_option options[] = {
	{ "uid", KEY_UID, "UID", 0, "of this user only", 0 },
	{ "all", KEY_ALL, NULL, 0, "also what nothing is used of", 0 },
	{ "json", KEY_JSON, NULL, 0, "write JSON", 0 },
	{ "noheadings", KEY_NO_HEADINGS, NULL, 0, "write no headings", 0 },
	{ 0 }
};

enum { UID, USERNS, RESOURCE, USED, LIMIT, PERCENT, COLUMNS };

static const struct column columns[COLUMNS] = {
	[UID] = { .title = "UID", .right = true },
	[USERNS] = { .title = "USERNS", .right = true },
	[RESOURCE] = { .title = "OF" },
	[USED] = { .title = "USED", .right = true },
	[LIMIT] = { .title = "LIMIT", .right = true },
	[PERCENT] = { .title = "%", .right = true },
};

/**
 * struct quotas - one listing
 * @json: write JSON
 * @no_headings: write no headings
 * @all: also what nothing is used of
 * @filter: of one user
 * @table: what to write, if not JSON
 * @array: what to write, if JSON
 */
struct quotas {
	bool json;
	bool no_headings;
	bool all;
	struct sluice_monitor_filter filter;
	struct table *table;
	struct json_object *array;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct quotas *quotas = state->input;

	switch (key) {
	case KEY_JSON:
		quotas->json = true;
		return 0;
	case KEY_NO_HEADINGS:
		quotas->no_headings = true;
		return 0;
	case KEY_ALL:
		quotas->all = true;
		return 0;
	case KEY_UID:
		quotas->filter.by = SLUICE_MONITOR_UID;
		quotas->filter.uid = parse_number(state, "user id", arg, 0,
						  UINT32_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int add_row(const struct sluice_monitor_quota *quota, void *data)
{
	struct quotas *quotas = data;
	char uid[16], userns[16], used[24], limit[24], percent[16];
	const char *texts[COLUMNS] = {
		uid, userns, limited_name(quota->limited), used, limit, percent,
	};

	if (!quotas->all && !quota->used)
		return 0;
	snprintf(uid, sizeof(uid), "%u", quota->uid);
	snprintf(userns, sizeof(userns), "%u", quota->userns);
	snprintf(used, sizeof(used), "%llu", (unsigned long long)quota->used);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)quota->limit);
	snprintf(percent, sizeof(percent), "%.0f", quota_percent(quota));
	return table_add(quotas->table, texts);
}

static int add_object(const struct sluice_monitor_quota *quota, void *data)
{
	struct json_object *object = json_object_new_object();
	struct quotas *quotas = data;

	json_add_quota(object, quota);
	return json_object_array_add(quotas->array, object) ? -ENOMEM : 0;
}

static int quotas_json(struct quotas *quotas, struct sluice_monitor *monitor)
{
	struct json_object *object = json_object_new_object();
	int error;

	quotas->array = json_object_new_array();
	json_object_object_add(object, "quotas", quotas->array);
	error = sluice_monitor_quotas(monitor, &quotas->filter, add_object, quotas);
	if (complain_monitor(error)) {
		json_object_put(object);
		return STATUS_FAILURE;
	}
	return json_write(object, stdout);
}

static int quotas_table(struct quotas *quotas, struct sluice_monitor *monitor)
{
	int error = -ENOMEM, status;

	quotas->table = table_new(columns, COLUMNS);
	if (quotas->table)
		error = sluice_monitor_quotas(monitor, &quotas->filter, add_row,
					      quotas);
	status = complain_monitor(error);
	if (!status)
		table_print(quotas->table, !quotas->no_headings);
	table_free(quotas->table);
	return status;
}

int quota_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Show what users have of what they may have.", NULL, NULL, NULL,
	};
	struct quotas quotas = { 0 };
	struct sluice_monitor *monitor;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &quotas);
	monitor = open_monitor();
	if (!monitor)
		return STATUS_FAILURE;
	status = quotas.json ? quotas_json(&quotas, monitor) :
			       quotas_table(&quotas, monitor);
	sluice_monitor_close(monitor);
	return status;
}
