// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * JSON for other programs.
 */
#include <stdio.h>

#include "cmd.h"

void json_add_number(struct json_object *object, const char *key,
		     uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_string(struct json_object *object, const char *key,
		     const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void json_add_seconds(struct json_object *object, const char *key,
		      int64_t nanoseconds)
{
	char text[32];

	/* As a double it would be printed with 17 digits. */
	snprintf(text, sizeof(text), "%lld.%06lld",
		 (long long)(nanoseconds / NSEC_PER_SEC),
		 (long long)(nanoseconds % NSEC_PER_SEC / 1000));
	json_object_object_add(object, key,
			       json_object_new_double_s(nanoseconds / 1e9, text));
}

static struct json_object *json_of_config(const struct sluice_config *config)
{
	struct json_object *object = json_object_new_object();

	json_add_number(object, "slots", config->slots);
	json_add_number(object, "publishers", config->publishers);
	json_add_number(object, "subscribers", config->subscribers);
	json_add_number(object, "held", config->held);
	json_add_number(object, "history", config->history);
	json_add_number(object, "pool", config->pool);
	json_add_number(object, "pool_limit", config->pool_limit);
	return object;
}

struct json_object *json_of_channel(const struct sluice_stat *stat)
{
	struct json_object *object = json_object_new_object();
	char text[PRINTABLE_NAME_SIZE];

	json_add_string(object, "name",
			printable_name(stat->name, stat->name_len, text));
	json_add_number(object, "id", stat->id);
	json_add_string(object, "pattern", pattern_name(stat->config.pattern));
	json_add_string(object, "policy", policy_name(stat->config.policy));
	json_add_number(object, "publishers", stat->publishers);
	json_add_number(object, "subscribers", stat->subscribers);
	json_add_number(object, "left", stat->left);
	json_add_number(object, "messages", stat->messages);
	json_add_number(object, "pool", stat->pool);
	json_add_number(object, "fds", stat->fds);
	json_add_number(object, "uid", stat->uid);
	json_add_number(object, "gid", stat->gid);
	snprintf(text, sizeof(text), "%04o", stat->mode);
	json_add_string(object, "mode", text);
	json_add_seconds(object, "age", now() - (int64_t)stat->created);
	json_object_object_add(object, "limits", json_of_config(&stat->config));
	return object;
}

static int json_print(struct json_object *object, FILE *stream, int flags)
{
	const char *text = json_object_to_json_string_ext(object,
				flags | JSON_C_TO_STRING_NOSLASHESCAPE);
	int written = fprintf(stream, "%s\n", text);

	json_object_put(object);
	return written < 0 ? STATUS_FAILURE : STATUS_OK;
}

int json_write(struct json_object *object, FILE *stream)
{
	return json_print(object, stream, JSON_C_TO_STRING_PRETTY |
					  JSON_C_TO_STRING_SPACED);
}

int json_write_line(struct json_object *object, FILE *stream)
{
	return json_print(object, stream, JSON_C_TO_STRING_PLAIN);
}
