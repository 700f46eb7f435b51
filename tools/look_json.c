// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is seen from outside, as JSON.
 */
#include "look.h"

struct json_object *json_of_process(const struct sluice_monitor_process *process)
{
	struct json_object *object = json_object_new_object();
	char command[PRINTABLE_NAME_SIZE];

	json_add_number(object, "pid", process->pid);
	json_add_number(object, "uid", process->uid);
	json_add_string(object, "command", command_of(process, command));
	return object;
}

void json_add_wait(struct json_object *object,
		   const struct sluice_monitor_wait *seen)
{
	struct json_object *blockers = json_object_new_array(), *blocker;
	char text[PRINTABLE_NAME_SIZE];

	json_add_number(object, "lockspace", seen->place.lockspace);
	json_add_string(object, "resource", key_of(&seen->place, text));
	json_add_string(object, "mode", mode_name(seen->mode));
	json_add_number(object, "holder", seen->holder);
	json_object_object_add(object, "process", json_of_process(&seen->process));
	json_add_bool(object, "any", seen->any);
	for (uint32_t i = 0; i < seen->blocker_count; i++) {
		blocker = json_object_new_object();
		json_add_number(blocker, "holder", seen->blockers[i].holder);
		json_object_object_add(blocker, "process",
				json_of_process(&seen->blockers[i].process));
		json_add_bool(blocker, "queued", seen->blockers[i].queued);
		json_object_array_add(blockers, blocker);
	}
	json_object_object_add(object, "blockers", blockers);
	json_add_bool(object, "more", seen->more);
	json_add_number(object, "found", seen->found);
}

void json_add_quota(struct json_object *object,
		    const struct sluice_monitor_quota *quota)
{
	json_add_number(object, "uid", quota->uid);
	json_add_number(object, "userns", quota->userns);
	json_add_string(object, "of", limited_name(quota->limited));
	json_add_number(object, "used", quota->used);
	json_add_number(object, "limit", quota->limit);
}
