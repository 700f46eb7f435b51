// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice deadlocks - the last ones that were found: who waited for whom.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lock.h"

enum { KEY_JSON = 'J' };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "write JSON" },
	{ 0 }
};

/**
 * struct show - one listing
 * @name: of the lockspace, or NULL for all
 * @json: write JSON
 * @shown: deadlocks written so far
 * @array: of deadlocks, if JSON
 * @space: name of the lockspace that is looked at
 * @space_id: its id
 */
struct show {
	char *name;
	bool json;
	unsigned int shown;
	struct json_object *array;
	char space[PRINTABLE_NAME_SIZE];
	uint64_t space_id;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show *show = state->input;

	switch (key) {
	case KEY_JSON:
		show->json = true;
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

/* A lockspace of that id. */
struct wanted {
	uint64_t id;
	char *name;
};

static int find_id(const struct sluice_lockspace_stat *stat, void *data)
{
	struct wanted *wanted = data;

	if (stat->id != wanted->id)
		return 0;
	printable_name(stat->name, stat->name_len, wanted->name);
	return 1;
}

/* Of a cycle over several lockspaces. */
static const char *space_name(const struct show *show, uint64_t id, char *buf)
{
	struct wanted wanted = { id, buf };

	if (id == show->space_id)
		return show->space;
	if (sluice_lockspace_list(find_id, &wanted) != 1)
		sprintf(buf, "number %llu", (unsigned long long)id);
	return buf;
}

/* Text ---------------------------------------------------------------------- */

static void print_who(const struct sluice_waits *who)
{
	char comm[COMM_TEXT_SIZE];

	comm_text(who->comm, comm);
	if (!who->holder)
		printf("somebody");
	else if (who->pid)
		printf("process %d (%s)", who->pid, comm);
	else
		printf("a process (%s)", comm);
	if (who->tid && who->tid != who->pid)
		printf(", thread %d,", who->tid);
}

static void print_resource(const struct show *show, const struct sluice_waits *w)
{
	char text[RESOURCE_TEXT_SIZE], range[RANGE_TEXT_SIZE],
	     name[PRINTABLE_NAME_SIZE];

	printf("'%s'", resource_text(w->kind, w->key, w->key_len, w->pid, text));
	if (*range_text(w->start, w->end, range))
		printf(" %s", range);
	if (w->lockspace != show->space_id)
		printf(" in lockspace '%s'", space_name(show, w->lockspace, name));
}

/* What is in a lockspace that one may not open is not told. */
static bool is_told(const struct sluice_waits *w)
{
	return w->lockspace;
}

static void print_step(const struct show *show,
		       const struct sluice_deadlock *deadlock,
		       const struct sluice_waits *w,
		       const struct sluice_waits *next)
{
	double waited = ((int64_t)deadlock->when - (int64_t)w->since) / 1e9;

	printf("  ");
	print_who(w);
	if (w->flags & SLUICE_WAITS_VICTIM)
		printf(" asked for ");
	else if (w->holder)
		printf(" had waited %.1f s for ", waited > 0 ? waited : 0);
	else
		printf(" had waited for ");
	if (is_told(w)) {
		print_resource(show, w);
		printf(" in mode %s", mode_name(w->mode));
	} else {
		printf("something in a lockspace that you may not open");
	}
	printf(", which ");
	if (next)
		print_who(next);
	else
		printf("somebody else");
	printf(" has");
	if (is_told(w))
		printf(" in mode %s", mode_name(w->blocked_by));
	printf("%s\n", w->flags & SLUICE_WAITS_VICTIM ? ", and got EDEADLK" : "");
}

static void print_deadlock(struct show *show,
			   const struct sluice_deadlock *deadlock,
			   const struct sluice_waits *const *cycle)
{
	bool whole = deadlock->count == deadlock->length;
	char age[AGE_TEXT_SIZE];

	printf("%sDeadlock %llu in lockspace '%s', %s ago: %u waited for each other\n",
	       show->shown++ ? "\n" : "", (unsigned long long)deadlock->id, show->space,
	       age_text(deadlock->when, age), deadlock->length);
	for (uint32_t i = 0; i < deadlock->count; i++) {
		const struct sluice_waits *next = i + 1 < deadlock->count ?
			cycle[i + 1] : whole ? cycle[0] : NULL;

		print_step(show, deadlock, cycle[i], next);
	}
	if (!whole)
		printf("  ...and %u more\n", deadlock->length - deadlock->count);
}

/* JSON ---------------------------------------------------------------------- */

static struct json_object *json_of_step(const struct show *show,
					const struct sluice_deadlock *deadlock,
					const struct sluice_waits *w)
{
	struct json_object *object = json_object_new_object();
	char text[PRINTABLE_NAME_SIZE];

	if (w->holder) {
		json_add_number(object, "holder", w->holder);
		json_add_number(object, "pid", w->pid);
		json_add_number(object, "tid", w->tid);
		json_add_number(object, "uid", w->uid);
		json_add_string(object, "command", comm_text(w->comm, text));
	}
	if (is_told(w)) {
		json_add_string(object, "lockspace",
				space_name(show, w->lockspace, text));
		json_object_object_add(object, "resource",
				       json_of_resource(w->kind, w->key,
							w->key_len, w->pid));
		json_add_range(object, w->start, w->end);
		json_add_string(object, "mode", mode_name(w->mode));
		json_add_string(object, "blocked_by", mode_name(w->blocked_by));
	}
	json_add_bool(object, "victim", w->flags & SLUICE_WAITS_VICTIM);
	if (w->holder)
		json_add_seconds(object, "waited",
				 (int64_t)deadlock->when - (int64_t)w->since);
	return object;
}

static int add_deadlock(struct show *show, const struct sluice_deadlock *deadlock,
			const struct sluice_waits *const *cycle)
{
	struct json_object *object = json_object_new_object();
	struct json_object *steps = json_object_new_array();

	json_add_string(object, "lockspace", show->space);
	json_add_number(object, "id", deadlock->id);
	json_add_seconds(object, "age", now() - (int64_t)deadlock->when);
	json_add_number(object, "length", deadlock->length);
	json_object_object_add(object, "cycle", steps);
	for (uint32_t i = 0; i < deadlock->count; i++)
		json_object_array_add(steps, json_of_step(show, deadlock, cycle[i]));
	return json_object_array_add(show->array, object) ? -ENOMEM : 0;
}

static int show_deadlock(const struct sluice_deadlock *deadlock,
			 const struct sluice_waits *const *cycle, void *data)
{
	struct show *show = data;

	if (show->json)
		return add_deadlock(show, deadlock, cycle);
	print_deadlock(show, deadlock, cycle);
	return 0;
}

static int show_lockspace(struct sluice_lockspace *lockspace,
			  const struct sluice_lockspace_stat *stat, void *data)
{
	struct show *show = data;

	printable_name(stat->name, stat->name_len, show->space);
	show->space_id = stat->id;
	return sluice_lockspace_deadlocks(lockspace, show_deadlock, show);
}

int deadlocks_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[LOCKSPACE]",
		"Tell of the last deadlocks in LOCKSPACE, or in all you may open.",
		NULL, NULL, NULL,
	};
	struct json_object *object;
	struct show show = { 0 };
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &show);
	show.array = json_object_new_array();
	status = look_at_lockspaces(show.name, show_lockspace, &show);
	if (!status && show.json) {
		object = json_object_new_object();
		json_object_object_add(object, "deadlocks", json_object_get(show.array));
		status = json_write(object, stdout);
	}
	json_object_put(show.array);
	return status;
}
