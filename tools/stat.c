// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice stat - one channel, and who is in it.
 */
#include <errno.h>
#include <stdio.h>

#include "cmd.h"

enum { KEY_JSON = 'J' };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, NULL, 0, "write JSON" },
	{ 0 }
};

struct show {
	char *name;
	bool json;
	struct json_object *array;	/* of the members, when writing JSON */
	bool headed;			/* a table's head is written */
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
			argp_error(state, "one channel at a time");
		show->name = take_name(state, arg);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the name of a channel is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static double age(uint64_t since)
{
	return (now() - (int64_t)since) / 1e9;
}

/* A command's name may hold anything but a zero byte. */
static char *printable_comm(const struct sluice_peer *peer, char *buf)
{
	size_t len = 0;

	while (len < sizeof(peer->comm) && peer->comm[len])
		len++;
	return printable_name(peer->comm, len, buf);
}

/* "active", or how it went. */
static const char *peer_state(const struct sluice_peer *peer)
{
	if (peer->state == SLUICE_LEFT)
		return reason_name(peer->reason);
	return state_name(peer->state);
}

/* Text ---------------------------------------------------------------------- */

static void print_channel(const struct sluice_stat *stat)
{
	const struct sluice_config *config = &stat->config;
	char name[PRINTABLE_NAME_SIZE], pool[FORMAT_SIZE], first[FORMAT_SIZE],
	     limit[FORMAT_SIZE];

	printf("Name:        %s\n", printable_name(stat->name, stat->name_len, name));
	printf("Id:          %llu\n", (unsigned long long)stat->id);
	printf("Pattern:     %s\n", pattern_name(config->pattern));
	printf("Policy:      %s\n", policy_name(config->policy));
	printf("Owner:       %u:%u, mode %04o\n", stat->uid, stat->gid, stat->mode);
	printf("Age:         %.1f s\n", age(stat->created));
	printf("Messages:    %llu\n", (unsigned long long)stat->messages);
	printf("Publishers:  %u of %u, %u that left and are still read\n",
	       stat->publishers, config->publishers, stat->left);
	printf("Subscribers: %u of %u\n", stat->subscribers, config->subscribers);
	printf("Pool:        %s; of each publisher %s at first, %s at most\n",
	       format_size(stat->pool, pool), format_size(config->pool, first),
	       format_size(config->pool_limit, limit));
	printf("Limits:      %u slots, %u held, %u of history\n", config->slots,
	       config->held, config->history);
	printf("Descriptors: %u in flight\n", stat->fds);
}

static int print_publisher(const struct sluice_peer *peer, void *data)
{
	struct show *show = data;
	char comm[PRINTABLE_NAME_SIZE], pool[FORMAT_SIZE];

	if (!show->headed)
		printf("\n%-3s  %7s  %9s  %-8s  %12s  %6s  %7s  %s\n", "PUB", "PID",
		       "UID:GID", "STATE", "PUBLISHED", "POOL", "AGE", "COMMAND");
	show->headed = true;
	printf("%3u  %7d  %4u:%-4u  %-8s  %12llu  %6s  %6.0fs  %s\n", peer->index,
	       peer->pid, peer->uid, peer->gid, peer_state(peer),
	       (unsigned long long)peer->head, format_size(peer->pool, pool),
	       age(peer->joined), printable_comm(peer, comm));
	return 0;
}

static int print_subscriber(const struct sluice_peer *peer, void *data)
{
	struct show *show = data;
	char comm[PRINTABLE_NAME_SIZE];

	if (!show->headed)
		printf("\n%-3s  %7s  %9s  %-8s  %12s  %8s  %4s  %8s  %-11s  %7s  %s\n",
		       "SUB", "PID", "UID:GID", "STATE", "RECEIVED", "LAG", "HELD",
		       "LOST", "POLICY", "AGE", "COMMAND");
	show->headed = true;
	printf("%3u  %7d  %4u:%-4u  %-8s  %12llu  %8llu  %4u  %8llu  %-11s  %6.0fs  %s\n",
	       peer->index, peer->pid, peer->uid, peer->gid, peer_state(peer),
	       (unsigned long long)peer->head, (unsigned long long)peer->lag,
	       peer->held, (unsigned long long)peer->lost,
	       policy_name(peer->policy), age(peer->joined),
	       printable_comm(peer, comm));
	return 0;
}

static int show_text(struct show *show, struct sluice_channel *channel,
		     const struct sluice_stat *stat)
{
	int error;

	print_channel(stat);
	error = sluice_channel_peers(channel, SLUICE_PUBLISHER, print_publisher, show);
	show->headed = false;
	if (!error)
		error = sluice_channel_peers(channel, SLUICE_SUBSCRIBER,
					     print_subscriber, show);
	return error;
}

/* JSON ---------------------------------------------------------------------- */

static struct json_object *json_of_peer(const struct sluice_peer *peer)
{
	struct json_object *object = json_object_new_object();
	char comm[PRINTABLE_NAME_SIZE];

	json_add_number(object, "index", peer->index);
	json_add_number(object, "generation", peer->generation);
	json_add_string(object, "state", state_name(peer->state));
	if (peer->state != SLUICE_ACTIVE)
		json_add_string(object, "reason", reason_name(peer->reason));
	json_add_number(object, "pid", peer->pid);
	json_add_number(object, "uid", peer->uid);
	json_add_number(object, "gid", peer->gid);
	json_add_string(object, "command", printable_comm(peer, comm));
	json_add_seconds(object, "age", now() - (int64_t)peer->joined);
	return object;
}

static int add_publisher(const struct sluice_peer *peer, void *data)
{
	struct json_object *object = json_of_peer(peer);
	struct show *show = data;

	json_add_number(object, "published", peer->head);
	json_add_number(object, "pool", peer->pool);
	json_add_number(object, "fds", peer->fds);
	return json_object_array_add(show->array, object) ? -ENOMEM : 0;
}

static int add_subscriber(const struct sluice_peer *peer, void *data)
{
	struct json_object *object = json_of_peer(peer);
	struct show *show = data;

	json_add_string(object, "policy", policy_name(peer->policy));
	json_add_number(object, "received", peer->head);
	json_add_number(object, "lag", peer->lag);
	json_add_number(object, "held", peer->held);
	json_add_number(object, "lost", peer->lost);
	return json_object_array_add(show->array, object) ? -ENOMEM : 0;
}

static int add_members(struct show *show, struct sluice_channel *channel,
		       struct json_object *object)
{
	int error;

	show->array = json_object_new_array();
	json_object_object_add(object, "publishers", show->array);
	error = sluice_channel_peers(channel, SLUICE_PUBLISHER, add_publisher, show);
	if (error)
		return error;
	show->array = json_object_new_array();
	json_object_object_add(object, "subscribers", show->array);
	return sluice_channel_peers(channel, SLUICE_SUBSCRIBER, add_subscriber, show);
}

static int show_json(struct show *show, struct sluice_channel *channel,
		     const struct sluice_stat *stat)
{
	struct json_object *object = json_of_channel(stat);
	struct json_object *members = json_object_new_object();
	int error;

	json_object_object_add(object, "members", members);
	error = add_members(show, channel, members);
	if (error) {
		json_object_put(object);
		return error;
	}
	return json_write(object, stdout) ? -EIO : 0;
}

/*
 * To look at a channel, any right to it will do; but one is needed, and users
 * may have only the other.
 */
static int open_any(const char *name, struct sluice_channel **channel)
{
	struct sluice_channel_options how = SLUICE_CHANNEL_OPTIONS_INIT;
	int error;

	how.access = SLUICE_READ;
	error = sluice_channel_open(name, &how, channel);
	if (error == -EACCES) {
		how.access = SLUICE_WRITE;
		error = sluice_channel_open(name, &how, channel);
	}
	return error;
}

static int show_channel(struct show *show, struct sluice_channel *channel)
{
	struct sluice_stat stat;
	int error = sluice_channel_stat(channel, &stat, sizeof(stat));

	if (!error)
		error = (show->json ? show_json : show_text)(show, channel, &stat);
	if (!error)
		return STATUS_OK;
	complain(show->name, error, "cannot look at the channel");
	return STATUS_FAILURE;
}

int stat_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "NAME", "Show the channel NAME and who is in it.",
		NULL, NULL, NULL,
	};
	struct show show = { 0 };
	struct sluice_channel *channel;
	int error, status;

	argp_parse(&argp, argc, argv, 0, NULL, &show);
	error = open_any(show.name, &channel);
	if (error) {
		complain_open(show.name, error, true);
		return STATUS_FAILURE;
	}
	status = show_channel(&show, channel);
	sluice_channel_close(channel);
	return status;
}
