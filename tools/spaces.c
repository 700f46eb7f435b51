// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice ls --lockspaces - list the lockspaces that the caller may open.
 */
#include <errno.h>
#include <stdio.h>

#include "lock.h"

enum {
	NAME, VICTIM, RESOURCES, HELD, WAITING, GRANTED, DEADLOCKS, DIED, MODE,
	OWNER, COLUMNS
};

static const struct column columns[COLUMNS] = {
	[NAME] = { .title = "NAME", .least = 10 },
	[VICTIM] = { .title = "VICTIM" },
	[RESOURCES] = { .title = "RESOURCES", .right = true },
	[HELD] = { .title = "HELD", .right = true },
	[WAITING] = { .title = "WAITING", .right = true },
	[GRANTED] = { .title = "GRANTED", .right = true },
	[DEADLOCKS] = { .title = "DEADLOCKS", .right = true },
	[DIED] = { .title = "DIED", .right = true },
	[MODE] = { .title = "MODE" },
	[OWNER] = { .title = "OWNER" },
};

static const char *victim_name(uint32_t victim)
{
	switch (victim) {
	case SLUICE_VICTIM_REQUESTER:
		return "requester";
	case SLUICE_VICTIM_YOUNGEST:
		return "youngest";
	case SLUICE_VICTIM_PRIORITY:
		return "priority";
	default:
		return "unknown";
	}
}

static int add_row(const struct sluice_lockspace_stat *stat, void *data)
{
	const uint64_t numbers[] = { stat->resources, stat->grants, stat->waiting,
				     stat->granted, stat->deadlocks, stat->died };
	char name[PRINTABLE_NAME_SIZE], mode[16], owner[32], text[6][24];
	const char *texts[COLUMNS] = {
		[NAME] = printable_name(stat->name, stat->name_len, name),
		[VICTIM] = victim_name(stat->config.victim),
		[MODE] = mode, [OWNER] = owner,
	};

	for (int i = 0; i < 6; i++) {
		snprintf(text[i], sizeof(text[i]), "%llu",
			 (unsigned long long)numbers[i]);
		texts[RESOURCES + i] = text[i];
	}
	snprintf(mode, sizeof(mode), "%04o", stat->mode);
	snprintf(owner, sizeof(owner), "%u:%u", stat->uid, stat->gid);
	return table_add(data, texts);
}

static int add_object(const struct sluice_lockspace_stat *stat, void *data)
{
	struct json_object *object = json_object_new_object();
	char text[PRINTABLE_NAME_SIZE];

	json_add_string(object, "name",
			printable_name(stat->name, stat->name_len, text));
	json_add_number(object, "id", stat->id);
	json_add_string(object, "victim", victim_name(stat->config.victim));
	json_add_number(object, "resources", stat->resources);
	json_add_number(object, "held", stat->grants);
	json_add_number(object, "waiting", stat->waiting);
	json_add_number(object, "granted", stat->granted);
	json_add_number(object, "blocked", stat->blocked);
	json_add_number(object, "deadlocks", stat->deadlocks);
	json_add_number(object, "died", stat->died);
	json_add_number(object, "token", stat->token);
	json_add_number(object, "uid", stat->uid);
	json_add_number(object, "gid", stat->gid);
	snprintf(text, sizeof(text), "%04o", stat->mode);
	json_add_string(object, "mode", text);
	json_add_seconds(object, "age", now() - (int64_t)stat->created);
	return json_object_array_add(data, object) ? -ENOMEM : 0;
}

static int list_json(void)
{
	struct json_object *array = json_object_new_array(), *object;
	int error = sluice_lockspace_list(add_object, array);

	if (error) {
		json_object_put(array);
		return error;
	}
	object = json_object_new_object();
	json_object_object_add(object, "lockspaces", array);
	return json_write(object, stdout) ? -EIO : 0;
}

static int list_table(bool headings)
{
	struct table *table = table_new(columns, COLUMNS);
	int error = table ? sluice_lockspace_list(add_row, table) : -ENOMEM;

	if (!error)
		table_print(table, headings);
	table_free(table);
	return error;
}

int ls_lockspaces(bool json, bool headings)
{
	int error = json ? list_json() : list_table(headings);

	if (!error)
		return STATUS_OK;
	complain_lockspace(NULL, error);
	return STATUS_FAILURE;
}
