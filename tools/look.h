/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands that look from outside share.
 */
#ifndef SLUICE_LOOK_H
#define SLUICE_LOOK_H

#include <sluice/monitor.h>

#include "lock.h"

/* Open a monitor, or say why not. Return: NULL then. */
struct sluice_monitor *open_monitor(void);

/* Say why it does not tell; what was not one moment is told as a warning. */
int complain_monitor(int error);

const char *limited_name(uint32_t limited);
/* How much of it is used; a limit of nothing is used up. */
double quota_percent(const struct sluice_monitor_quota *quota);

/*
 * Texts for people; @buf has PRINTABLE_NAME_SIZE bytes, and what is returned is
 * it.
 */

/* Of a channel or lockspace: its name, or # and its number. */
const char *name_of(const char *name, uint64_t id, char *buf);
const char *command_of(const struct sluice_monitor_process *process, char *buf);
/* Of a resource: its name, or the numbers of a file. */
const char *key_of(const struct sluice_monitor_place *place, char *buf);

/* A time of the kernel's by the clock on the wall: nanoseconds since 1970. */
int64_t wall_time(uint64_t monotonic);

/* look_json.c */
struct json_object *json_of_process(const struct sluice_monitor_process *process);
void json_add_wait(struct json_object *object,
		   const struct sluice_monitor_wait *seen);
void json_add_quota(struct json_object *object,
		    const struct sluice_monitor_quota *quota);

#endif
