// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One channel: can it be opened, is there a place in it, who holds it up?
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"

/* Names that there are, as far as there is room. */
struct names {
	char text[512];
	size_t len;
};

static int keep_name(const struct sluice_stat *stat, void *data)
{
	char name[PRINTABLE_NAME_SIZE];
	struct names *names = data;

	printable_name(stat->name, stat->name_len, name);
	if (names->len + strlen(name) + 8 > sizeof(names->text)) {
		strcpy(names->text + names->len, ", ...");
		return -ECANCELED;
	}
	names->len += sprintf(names->text + names->len, "%s%s",
			      names->len ? ", " : "", name);
	return 0;
}

static void tell_absent(struct doctor *doctor, const char *name)
{
	struct names names = { 0 };

	sluice_channel_list(keep_name, &names);
	found(doctor, LEVEL_PROBLEM, "channel",
	      "start who makes it, in this network namespace, or make it with --create: it lasts as long as somebody has it open",
	      "there is no '%s'; %s%s", name, names.len ? "there are: " :
	      "no channel can be opened", names.text);
}

static void tell_refused(struct doctor *doctor, const char *name, int error)
{
	switch (error) {
	case -ENOENT:
		tell_absent(doctor, name);
		break;
	case -EACCES:
		found(doctor, LEVEL_PROBLEM, "channel",
		      "let who makes it give rights: --mode 0660 --group GROUP; r is to subscribe, w to publish",
		      "'%s' is there, but its owner, group and mode let us neither subscribe nor publish",
		      name);
		break;
	case -EMFILE:
	case -ENFILE:
		found(doctor, LEVEL_PROBLEM, "channel",
		      "raise the limit of open files: ulimit -n, fs.file-max",
		      "'%s' cannot be opened: %s", name, strerror(-error));
		break;
	default:
		found(doctor, LEVEL_PROBLEM, "channel", "see dmesg",
		      "'%s' cannot be opened: %s", name, strerror(-error));
	}
}

static int try_open(const char *name, uint32_t access,
		    struct sluice_channel **channel)
{
	struct sluice_channel_options how = SLUICE_CHANNEL_OPTIONS_INIT;

	how.access = access;
	return sluice_channel_open(name, &how, channel);
}

static void tell_rights(struct doctor *doctor, const char *name, bool readable,
			bool writable, const struct sluice_stat *stat)
{
	if (readable && writable)
		found(doctor, LEVEL_OK, "channel", NULL,
		      "'%s' can be opened to subscribe and to publish: %s, %s",
		      name, pattern_name(stat->config.pattern),
		      policy_name(stat->config.policy));
	else
		found(doctor, LEVEL_WARNING, "channel",
		      "if that is not meant so, let who makes it give rights: --mode 0660 --group GROUP",
		      "'%s' can be opened to %s only: owner %u, group %u, mode %04o",
		      name, readable ? "subscribe" : "publish", stat->uid,
		      stat->gid, stat->mode);
}

/* Publishers that left keep their places until all have read what they left. */
static void tell_places(struct doctor *doctor, const struct sluice_stat *stat)
{
	const struct sluice_config *config = &stat->config;

	if (stat->publishers + stat->left >= config->publishers)
		found(doctor, stat->publishers >= config->publishers ?
		      LEVEL_PROBLEM : LEVEL_WARNING, "places",
		      "make the channel with more --publishers, or let subscribers read on",
		      "all %u places for publishers are taken, %u by those that left and are still read",
		      config->publishers, stat->left);
	if (stat->subscribers >= config->subscribers)
		found(doctor, LEVEL_PROBLEM, "places",
		      "make the channel with more --subscribers",
		      "all %u places for subscribers are taken",
		      config->subscribers);
	if (stat->publishers + stat->left < config->publishers &&
	    stat->subscribers < config->subscribers)
		found(doctor, LEVEL_OK, "places", NULL,
		      "%u of %u for publishers, %u of %u for subscribers are taken",
		      stat->publishers + stat->left, config->publishers,
		      stat->subscribers, config->subscribers);
}

/**
 * struct traffic - who holds up whom
 * @sleeping: since when a publisher has slept longest, 0 if none does
 * @publisher: who that is
 * @slowest: the subscriber that has most to read
 */
struct traffic {
	uint64_t sleeping;
	struct sluice_monitor_process publisher;
	struct sluice_monitor_endpoint slowest;
};

static int see_endpoint(const struct sluice_monitor_endpoint *seen, void *arg)
{
	struct traffic *traffic = arg;

	if (seen->state != SLUICE_ACTIVE)
		return 0;
	if (seen->role == SLUICE_SUBSCRIBER) {
		if (seen->lag >= traffic->slowest.lag)
			traffic->slowest = *seen;
	} else if (seen->sleeping && (!traffic->sleeping ||
				      seen->sleeping < traffic->sleeping)) {
		traffic->sleeping = seen->sleeping;
		traffic->publisher = seen->process;
	}
	return 0;
}

static void tell_traffic(struct doctor *doctor, const struct sluice_stat *stat)
{
	struct sluice_monitor_filter filter = {
		.by = SLUICE_MONITOR_CHANNEL, .channel = stat->id,
	};
	char command[PRINTABLE_NAME_SIZE], advice[FOUND_SIZE], age[AGE_TEXT_SIZE];
	const struct sluice_monitor_endpoint *slowest;
	struct traffic traffic = { 0 };

	if (sluice_monitor_endpoints(doctor->monitor, &filter, see_endpoint,
				     &traffic) < 0)
		return;
	slowest = &traffic.slowest;
	if (!traffic.sleeping || !slowest->lag) {
		found(doctor, LEVEL_OK, "traffic", NULL,
		      "no publisher waits for a subscriber");
		return;
	}
	snprintf(advice, sizeof(advice),
		 "see why %s (%u) does not read; or use the policy drop-oldest or evict",
		 command_of(&slowest->process, command), slowest->process.pid);
	found(doctor, LEVEL_WARNING, "traffic", advice,
	      "publisher %u has waited for room for %s: subscriber %u has %llu messages to read, and holds %u",
	      traffic.publisher.pid, age_text(traffic.sleeping, age),
	      slowest->process.pid, (unsigned long long)slowest->lag,
	      slowest->held);
}

static void look_at(struct doctor *doctor, const char *name,
		    struct sluice_channel *readable,
		    struct sluice_channel *writable)
{
	struct sluice_stat stat;
	int error = sluice_channel_stat(readable ? readable : writable, &stat,
					sizeof(stat));

	if (error) {
		tell_refused(doctor, name, error);
		return;
	}
	tell_rights(doctor, name, readable, writable, &stat);
	tell_places(doctor, &stat);
	if (doctor->monitor)
		tell_traffic(doctor, &stat);
}

void check_channel(struct doctor *doctor)
{
	struct sluice_channel *readable = NULL, *writable = NULL;
	char name[PRINTABLE_NAME_SIZE];
	int error, other;

	printable_name((const uint8_t *)doctor->channel, strlen(doctor->channel),
		       name);
	error = try_open(doctor->channel, SLUICE_READ, &readable);
	other = try_open(doctor->channel, SLUICE_WRITE, &writable);
	if (error && other)
		tell_refused(doctor, name, error);
	else
		look_at(doctor, name, error ? NULL : readable,
			other ? NULL : writable);
	if (!error)
		sluice_channel_close(readable);
	if (!other)
		sluice_channel_close(writable);
}
