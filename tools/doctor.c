// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice doctor - why things do not work, and what to do.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

enum { KEY_JSON = 'J' };

/* Only warnings: something may fail later. */
#define STATUS_WARNINGS 3

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "write JSON", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case KEY_JSON:
		doctor->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (doctor->channel)
			argp_error(state, "one channel at a time");
		doctor->channel = take_name(state, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const char *level_name(enum level level)
{
	static const char *const names[] = {
		[LEVEL_OK]	= "ok",
		[LEVEL_WARNING]	= "warning",
		[LEVEL_PROBLEM]	= "problem",
	};

	return names[level];
}

static void add_object(struct doctor *doctor, enum level level,
		       const char *check, const char *text, const char *advice)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "check", check);
	json_add_string(object, "level", level_name(level));
	json_add_string(object, "found", text);
	if (advice)
		json_add_string(object, "advice", advice);
	json_object_array_add(doctor->found, object);
}

void found(struct doctor *doctor, enum level level, const char *check,
	   const char *advice, const char *format, ...)
{
	char text[FOUND_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (level > doctor->worst)
		doctor->worst = level;
	if (doctor->json) {
		add_object(doctor, level, check, text, advice);
		return;
	}
	printf("%-8s %-10s %s\n", level_name(level), check, text);
	if (advice)
		printf("%20s%s\n", "what to do: ", advice);
}

char *first_line(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");

	buf[0] = '\0';
	if (!file)
		return buf;
	if (!fgets(buf, size, file))
		buf[0] = '\0';
	fclose(file);
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

/* What is behind the device can only be looked at if it can be used. */
static void examine(struct doctor *doctor)
{
	check_kernel(doctor);
	check_module(doctor);
	check_device(doctor);
	if (doctor->usable)
		check_abi(doctor);
	check_namespaces(doctor);
	if (doctor->module)
		check_netlink(doctor);
	if (doctor->monitor)
		check_quotas(doctor);
	check_limits(doctor);
	check_memory(doctor);
	if (doctor->channel && doctor->usable)
		check_channel(doctor);
}

static int write_json(struct doctor *doctor)
{
	struct json_object *object = json_object_new_object();

	json_add_string(object, "worst", level_name(doctor->worst));
	json_object_object_add(object, "checks", doctor->found);
	return json_write(object, stdout);
}

int doctor_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[CHANNEL]",
		"Tell why things do not work, and what to do.", NULL, NULL, NULL,
	};
	static const int statuses[] = {
		[LEVEL_OK]	= STATUS_OK,
		[LEVEL_WARNING]	= STATUS_WARNINGS,
		[LEVEL_PROBLEM]	= STATUS_FAILURE,
	};
	struct doctor doctor = { 0 };

	argp_parse(&argp, argc, argv, 0, NULL, &doctor);
	doctor.found = json_object_new_array();
	examine(&doctor);
	sluice_monitor_close(doctor.monitor);
	if (!doctor.json)
		json_object_put(doctor.found);
	else if (write_json(&doctor))
		return STATUS_FAILURE;
	return statuses[doctor.worst];
}
