// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opening a channel, and the options that say how to make one.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

enum {
	KEY_PATTERN = 0x100,
	KEY_POLICY,
	KEY_SLOTS,
	KEY_PUBLISHERS,
	KEY_SUBSCRIBERS,
	KEY_HELD,
	KEY_HISTORY,
	KEY_POOL,
	KEY_POOL_LIMIT,
	KEY_MODE,
	KEY_OWNER,
	KEY_GROUP,
	KEY_EXCL,
};

#define GIVEN(key) (1U << ((key) - KEY_PATTERN))
_Static_assert(GIVEN(KEY_POLICY) == CHANNEL_GIVEN_POLICY, "as cmd.h says");

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "A channel that is made:", 10 },
	{ "pattern", KEY_PATTERN, "PATTERN", 0,
	  "broadcast: each message to all subscribers (default); queue: to one" },
	{ "policy", KEY_POLICY, "POLICY", 0,
	  "what to do with a subscriber that lags: block: wait for it (default);"
	  " drop-oldest: it loses messages; evict: it is detached" },
	{ "slots", KEY_SLOTS, "N", 0,
	  "messages in flight of a publisher, a power of two" },
	{ "pool", KEY_POOL, "SIZE", 0, "memory of a publisher at first" },
	{ "pool-limit", KEY_POOL_LIMIT, "SIZE", 0, "...and at most" },
	{ "history", KEY_HISTORY, "N", 0,
	  "messages of each publisher kept for late subscribers" },
	{ "publishers", KEY_PUBLISHERS, "N", 0, "most publishers" },
	{ "subscribers", KEY_SUBSCRIBERS, "N", 0, "most subscribers" },
	{ "held", KEY_HELD, "N", 0, "most messages a subscriber may hold" },
	{ "mode", KEY_MODE, "MODE", 0,
	  "permission bits: r to subscribe, w to publish (default 0600)" },
	{ "owner", KEY_OWNER, "USER", 0, "name or number of its owner" },
	{ "group", KEY_GROUP, "GROUP", 0, "name or number of its group" },
	{ "exclusive", KEY_EXCL, NULL, 0, "fail if there is one already" },
	{ 0 }
};

static uint32_t parse_pattern(const struct argp_state *state, const char *arg)
{
	for (uint32_t p = SLUICE_BROADCAST; p <= SLUICE_QUEUE; p++) {
		if (!strcmp(arg, pattern_name(p)))
			return p;
	}
	argp_error(state, "--pattern: must be broadcast or queue, not '%s'", arg);
	return 0;
}

static uint32_t parse_slots(const struct argp_state *state, const char *arg)
{
	uint32_t slots = parse_number(state, "--slots", arg, 1, 1U << 31);

	if (slots & (slots - 1))
		argp_error(state, "--slots: must be a power of two, not %s", arg);
	return slots;
}

static uint32_t parse_user(const struct argp_state *state, const char *arg)
{
	const struct passwd *pw = getpwnam(arg);

	if (pw)
		return pw->pw_uid;
	if (*arg < '0' || *arg > '9')
		argp_error(state, "--owner: no such user: '%s'", arg);
	return parse_number(state, "--owner", arg, 0, SLUICE_ID_DEFAULT - 1);
}

static uint32_t parse_count(const struct argp_state *state, const char *what,
			    const char *arg)
{
	return parse_number(state, what, arg, 1, UINT32_MAX);
}

static error_t parse_config(int key, char *arg, struct argp_state *state)
{
	struct channel_arguments *args = state->input;
	struct sluice_config *config = &args->options.config;

	switch (key) {
	case KEY_PATTERN:
		config->pattern = parse_pattern(state, arg);
		break;
	case KEY_POLICY:
		config->policy = parse_policy(state, arg);
		break;
	case KEY_SLOTS:
		config->slots = parse_slots(state, arg);
		break;
	case KEY_PUBLISHERS:
		config->publishers = parse_count(state, "--publishers", arg);
		break;
	case KEY_SUBSCRIBERS:
		config->subscribers = parse_count(state, "--subscribers", arg);
		break;
	case KEY_HELD:
		config->held = parse_count(state, "--held", arg);
		break;
	case KEY_HISTORY:
		config->history = parse_number(state, "--history", arg, 0, UINT32_MAX);
		break;
	case KEY_POOL:
		config->pool = parse_size(state, "--pool", arg);
		break;
	case KEY_POOL_LIMIT:
		config->pool_limit = parse_size(state, "--pool-limit", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	args->given |= GIVEN(key);
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct channel_arguments *args = state->input;

	switch (key) {
	case KEY_MODE:
		args->options.mode = parse_permissions(state, "--mode", arg);
		return 0;
	case KEY_OWNER:
		args->options.uid = parse_user(state, arg);
		return 0;
	case KEY_GROUP:
		args->options.gid = parse_group(state, "--group", arg);
		return 0;
	case KEY_EXCL:
		args->options.flags |= SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL;
		return 0;
	default:
		return parse_config(key, arg, state);
	}
}

const struct argp channel_argp = { options, parse_option, NULL, NULL, NULL, NULL, NULL };

char *take_name(const struct argp_state *state, char *arg)
{
	size_t len = strlen(arg);

	if (!len || len > SLUICE_NAME_MAX)
		argp_error(state, "a channel's name has 1 to %d bytes", SLUICE_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)arg[i] < 0x20 || arg[i] == 0x7f)
			argp_error(state, "a channel's name has no control characters");
	}
	return arg;
}

static uint64_t config_value(const struct sluice_config *config, int key)
{
	switch (key) {
	case KEY_PATTERN:
		return config->pattern;
	case KEY_POLICY:
		return config->policy;
	case KEY_SLOTS:
		return config->slots;
	case KEY_PUBLISHERS:
		return config->publishers;
	case KEY_SUBSCRIBERS:
		return config->subscribers;
	case KEY_HELD:
		return config->held;
	case KEY_HISTORY:
		return config->history;
	case KEY_POOL:
		return config->pool;
	default:
		return config->pool_limit;
	}
}

static uint64_t round_to_page(uint64_t size)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

static void complain_config(const char *name, int key, uint64_t is,
			    uint64_t wanted)
{
	const char *option = options[0].name;

	for (const struct argp_option *o = options + 1; o->name; o++) {
		if (o->key == key)
			option = o->name;
	}
	if (key == KEY_PATTERN)
		complain(name, 0, "the channel exists with --%s %s, not %s", option,
			 pattern_name(is), pattern_name(wanted));
	else if (key == KEY_POLICY)
		complain(name, 0, "the channel exists with --%s %s, not %s", option,
			 policy_name(is), policy_name(wanted));
	else
		complain(name, 0, "the channel exists with --%s %llu, not %llu", option,
			 (unsigned long long)is, (unsigned long long)wanted);
}

/* Options that a channel made by somebody else cannot fulfil are no detail. */
static int check_config(const struct channel_arguments *args,
			const struct sluice_config *is)
{
	int status = STATUS_OK;

	for (int key = KEY_PATTERN; key <= KEY_POOL_LIMIT; key++) {
		uint64_t wanted = config_value(&args->options.config, key);

		if (!(args->given & GIVEN(key)))
			continue;
		if (key == KEY_POOL || key == KEY_POOL_LIMIT)
			wanted = round_to_page(wanted);
		if (wanted && config_value(is, key) != wanted) {
			complain_config(args->name, key, config_value(is, key), wanted);
			status = STATUS_FAILURE;
		}
	}
	return status;
}

static void complain_limits(const char *name)
{
	struct sluice_info info;

	if (sluice_query_info(&info, sizeof(info)))
		return;
	complain(name, 0, "the module's limits: slots %u, publishers %u, subscribers %u, held %u, pool %llu",
		 info.slots_max, info.publishers_max, info.subscribers_max,
		 info.held_max, (unsigned long long)info.pool_max);
	complain(name, 0, "the history must be less than the slots, and a queue has none");
}

int open_channel(struct channel_arguments *args,
		 struct sluice_channel **channel)
{
	int error = sluice_channel_open(args->name, &args->options, channel);
	int status;

	if (error) {
		complain_open(args->name, error,
			      args->options.flags & SLUICE_OPEN_CREATE);
		if (error == -EINVAL)
			complain_limits(args->name);
		return STATUS_FAILURE;
	}
	if (sluice_channel_created(*channel))
		return STATUS_OK;
	status = check_config(args, sluice_channel_config(*channel));
	if (status)
		sluice_channel_close(*channel);
	return status;
}
