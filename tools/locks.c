// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice locks - who has what, who waits for it, and since when.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lock.h"

enum { KEY_JSON = 'J', KEY_NO_HEADINGS = 'n' };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "write JSON" },
	{ "noheadings", KEY_NO_HEADINGS, NULL, 0, "write no headings" },
	{ 0 }
};

/* In this order in each row. */
enum { LOCKSPACE, RESOURCE, RANGE, STATE, MODE, PID, UID, SINCE, COMMAND, COLUMNS };

static const struct column columns[COLUMNS] = {
	[LOCKSPACE] = { .title = "LOCKSPACE", .least = 9, .optional = true },
	[RESOURCE] = { .title = "RESOURCE", .least = 10 },
	[RANGE] = { .title = "RANGE", .optional = true },
	[STATE] = { .title = "STATE" },
	[MODE] = { .title = "MODE" },
	[PID] = { .title = "PID", .right = true },
	[UID] = { .title = "UID", .right = true },
	[SINCE] = { .title = "SINCE", .right = true },
	[COMMAND] = { .title = "COMMAND", .least = 7 },
};

/**
 * struct show - one listing
 * @name: of the lockspace, or NULL for all
 * @json: write JSON
 * @no_headings: write no headings
 * @table: what to write, if not JSON
 * @array: of lockspaces, if JSON
 * @space: name of the one that is looked at
 * @locks: of it, if JSON
 */
struct show {
	char *name;
	bool json;
	bool no_headings;
	struct table *table;
	struct json_object *array;
	char space[PRINTABLE_NAME_SIZE];
	struct json_object *locks;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show *show = state->input;

	switch (key) {
	case KEY_JSON:
		show->json = true;
		return 0;
	case KEY_NO_HEADINGS:
		show->no_headings = true;
		return 0;
	case ARGP_KEY_ARG:
		if (show->name)
			argp_error(state, "one lockspace at a time, or all");
		show->name = take_lockspace(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *lock_state_name(uint32_t state)
{
	switch (state) {
	case SLUICE_LOCK_HELD:
		return "held";
	case SLUICE_LOCK_WAITING:
		return "waiting";
	case SLUICE_LOCK_DIED:
		return "died";
	case SLUICE_LOCK_LOST:
		return "lost";
	default:
		return "unknown";
	}
}

static bool has_holder(const struct sluice_lock_entry *entry)
{
	return entry->state == SLUICE_LOCK_HELD ||
	       entry->state == SLUICE_LOCK_WAITING;
}

/* Text ---------------------------------------------------------------------- */

static int add_row(const struct sluice_lock_entry *entry, void *data)
{
	struct show *show = data;
	char resource[RESOURCE_TEXT_SIZE], range[RANGE_TEXT_SIZE], pid[16] = "",
	     uid[16] = "", age[AGE_TEXT_SIZE] = "", comm[COMM_TEXT_SIZE] = "";
	const char *texts[COLUMNS] = {
		[LOCKSPACE] = show->name ? "" : show->space,
		[RESOURCE] = resource_text(entry->kind, entry->key, entry->key_len,
					   entry->pid, resource),
		[RANGE] = range_text(entry->start, entry->end, range),
		[STATE] = lock_state_name(entry->state),
		[MODE] = has_holder(entry) ? mode_name(entry->mode) : "",
		[PID] = pid, [UID] = uid, [SINCE] = age, [COMMAND] = comm,
	};

	if (entry->pid)
		snprintf(pid, sizeof(pid), "%d", entry->pid);
	if (has_holder(entry))
		snprintf(uid, sizeof(uid), "%u", entry->uid);
	if (entry->since)
		age_text(entry->since, age);
	comm_text(entry->comm, comm);
	return table_add(show->table, texts);
}

/* JSON ---------------------------------------------------------------------- */

static void json_add_holder(struct json_object *object,
			    const struct sluice_lock_entry *entry)
{
	char comm[COMM_TEXT_SIZE];

	json_add_string(object, "mode", mode_name(entry->mode));
	json_add_number(object, "holder", entry->holder);
	json_add_number(object, "pid", entry->pid);
	json_add_number(object, "tid", entry->tid);
	json_add_number(object, "uid", entry->uid);
	json_add_string(object, "command", comm_text(entry->comm, comm));
	if (entry->state == SLUICE_LOCK_WAITING)
		json_object_object_add(object, "priority",
				       json_object_new_int(entry->priority));
	if (entry->token)
		json_add_number(object, "token", entry->token);
	if (entry->expires)
		json_add_seconds(object, "lease", (int64_t)entry->expires - now());
}

static int add_object(const struct sluice_lock_entry *entry, void *data)
{
	struct json_object *object = json_object_new_object();
	struct show *show = data;

	json_object_object_add(object, "resource",
			       json_of_resource(entry->kind, entry->key,
						entry->key_len, entry->pid));
	json_add_range(object, entry->start, entry->end);
	json_add_string(object, "state", lock_state_name(entry->state));
	if (has_holder(entry))
		json_add_holder(object, entry);
	if (entry->since)
		json_add_seconds(object, "since", now() - (int64_t)entry->since);
	return json_object_array_add(show->locks, object) ? -ENOMEM : 0;
}

static int show_lockspace(struct sluice_lockspace *lockspace,
			  const struct sluice_lockspace_stat *stat, void *data)
{
	struct json_object *object;
	struct show *show = data;

	printable_name(stat->name, stat->name_len, show->space);
	if (!show->json)
		return sluice_lockspace_locks(lockspace, add_row, show);
	object = json_object_new_object();
	show->locks = json_object_new_array();
	json_add_string(object, "name", show->space);
	json_add_number(object, "id", stat->id);
	json_object_object_add(object, "locks", show->locks);
	json_object_array_add(show->array, object);
	return sluice_lockspace_locks(lockspace, add_object, show);
}

static int write_all(struct show *show)
{
	struct json_object *object;

	if (!show->json) {
		table_print(show->table, !show->no_headings);
		return STATUS_OK;
	}
	object = json_object_new_object();
	json_object_object_add(object, "lockspaces", json_object_get(show->array));
	return json_write(object, stdout);
}

int locks_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[LOCKSPACE]",
		"Show what is locked in LOCKSPACE, or in all you may open, and who waits.",
		NULL, NULL, NULL,
	};
	struct show show = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &show);
	show.table = table_new(columns, COLUMNS);
	show.array = json_object_new_array();
	status = look_at_lockspaces(show.name, show_lockspace, &show);
	if (!status)
		status = write_all(&show);
	table_free(show.table);
	json_object_put(show.array);
	return status;
}
