// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The text formats of Prometheus and OpenMetrics. In both all samples of a
 * family stand together, so each family is written into memory of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "exporter/exposition.h"

static const struct {
	const char *name;
	const char *help;
	bool counts;	/* "_total" follows the name of its samples */
} families[FAMILIES] = {
	[UP] = { "sluice_up",
		"Whether the kernel module is there and answers." },
	[CHANNELS_NOW] = { "sluice_channels",
		"Channels that can be seen." },
	[CHANNEL_INFO] = { "sluice_channel_info",
		"What was decided when the channel was made; always 1." },
	[CHANNEL_MESSAGES] = { "sluice_channel_messages",
		"Messages published.", true },
	[CHANNEL_PAYLOAD] = { "sluice_channel_payload_bytes",
		"Bytes of the messages published, as the publishers say.", true },
	[CHANNEL_POOL] = { "sluice_channel_pool_bytes",
		"Memory of the publishers' pools." },
	[CHANNEL_FDS] = { "sluice_channel_fds",
		"File descriptors in flight." },
	[CHANNEL_PUBLISHERS] = { "sluice_channel_publishers",
		"Publishers that are there." },
	[CHANNEL_PUBLISHERS_LIMIT] = { "sluice_channel_publishers_limit",
		"Places for publishers." },
	[CHANNEL_LEFT_PUBLISHERS] = { "sluice_channel_left_publishers",
		"Publishers that are gone, and whose messages are kept." },
	[CHANNEL_SUBSCRIBERS] = { "sluice_channel_subscribers",
		"Subscribers that are there." },
	[CHANNEL_SUBSCRIBERS_LIMIT] = { "sluice_channel_subscribers_limit",
		"Places for subscribers." },
	[CHANNEL_SLOTS] = { "sluice_channel_slots",
		"Messages in flight that each publisher may have." },
	[CHANNEL_HISTORY] = { "sluice_channel_history_messages",
		"Messages that late subscribers get." },
	[CHANNEL_HELD_LIMIT] = { "sluice_channel_held_limit",
		"Messages that a subscriber may hold." },
	[CHANNEL_LAG] = { "sluice_channel_lag_messages",
		"Messages that the slowest subscriber has not read." },
	[CHANNEL_LOST] = { "sluice_channel_lost_messages",
		"Messages lost by the subscribers that are there now." },
	[CHANNEL_HELD] = { "sluice_channel_held_messages",
		"Messages held by subscribers." },
	[CHANNEL_SLEEPING_PUBLISHERS] = { "sluice_channel_sleeping_publishers",
		"Publishers that sleep until there is room." },
	[CHANNEL_SLEEPING_SUBSCRIBERS] = { "sluice_channel_sleeping_subscribers",
		"Subscribers that sleep until there is a message." },
	[CHANNEL_EVICTED_SUBSCRIBERS] = { "sluice_channel_evicted_subscribers",
		"Subscribers that were detached, and have not closed yet." },
	[PUBLISHER_ACTIVE] = { "sluice_publisher_active",
		"1, or 0 if it has left and its messages are kept." },
	[PUBLISHER_MESSAGES] = { "sluice_publisher_messages",
		"Messages published, as it says itself.", true },
	[PUBLISHER_PAYLOAD] = { "sluice_publisher_payload_bytes",
		"Bytes of the messages published, as it says itself.", true },
	[PUBLISHER_POOL] = { "sluice_publisher_pool_bytes",
		"Memory of its pool." },
	[PUBLISHER_FDS] = { "sluice_publisher_fds",
		"File descriptors in flight." },
	[PUBLISHER_SLEEPING] = { "sluice_publisher_sleeping_seconds",
		"How long it has been asleep; 0 if it is awake." },
	[SUBSCRIBER_ACTIVE] = { "sluice_subscriber_active",
		"1, or 0 if it was detached." },
	[SUBSCRIBER_MESSAGES] = { "sluice_subscriber_messages",
		"Messages received, as it says itself.", true },
	[SUBSCRIBER_PAYLOAD] = { "sluice_subscriber_payload_bytes",
		"Bytes of the messages received, as it says itself.", true },
	[SUBSCRIBER_LOST] = { "sluice_subscriber_lost_messages",
		"Messages lost, as it says itself.", true },
	[SUBSCRIBER_LAG] = { "sluice_subscriber_lag_messages",
		"Messages it has not read." },
	[SUBSCRIBER_HELD] = { "sluice_subscriber_held_messages",
		"Messages it holds, as it says itself." },
	[SUBSCRIBER_SLEEPING] = { "sluice_subscriber_sleeping_seconds",
		"How long it has been asleep; 0 if it is awake." },
	[LOCKSPACES_NOW] = { "sluice_lockspaces",
		"Lockspaces that can be seen." },
	[LOCKSPACE_RESOURCES] = { "sluice_lockspace_resources",
		"Resources that are held, waited for, or remembered." },
	[LOCKSPACE_LOCKS] = { "sluice_lockspace_locks",
		"Ranges that are held." },
	[LOCKSPACE_WAITING] = { "sluice_lockspace_waiting",
		"Items that are waited for." },
	[LOCKSPACE_GRANTED] = { "sluice_lockspace_granted",
		"Items granted.", true },
	[LOCKSPACE_BLOCKED] = { "sluice_lockspace_blocked",
		"Items that had to wait.", true },
	[LOCKSPACE_DEADLOCKS] = { "sluice_lockspace_deadlocks",
		"Deadlocks found.", true },
	[LOCKSPACE_DIED] = { "sluice_lockspace_owners_died",
		"Owners that died.", true },
	[LOCKSPACE_TOKENS] = { "sluice_lockspace_tokens",
		"Fencing tokens given.", true },
	[LOCKSPACE_CLOSED] = { "sluice_lockspace_closed",
		"Whether nobody can open it any more." },
	[HOLDERS_NOW] = { "sluice_holders",
		"Holders that can be seen." },
	[HOLDERS_WAITING] = { "sluice_holders_waiting",
		"Holders that wait." },
	[HOLDERS_LONGEST_WAIT] = { "sluice_holders_longest_wait_seconds",
		"How long the one has waited that has waited longest." },
	[QUOTA_USED] = { "sluice_quota_used",
		"What the user has." },
	[QUOTA_LIMIT] = { "sluice_quota_limit",
		"What the user may have." },
	[OMITTED] = { "sluice_exporter_omitted",
		"Those that have no series of their own, beyond --limit." },
	[SCRAPES] = { "sluice_exporter_scrapes",
		"Scrapes begun, this one included.", true },
	[SCRAPE_DURATION] = { "sluice_exporter_scrape_duration_seconds",
		"How long it took to ask the kernel for this scrape." },
	[ERRORS] = { "sluice_exporter_errors",
		"Questions to the kernel that failed, while the module was there.",
		true },
	[INTERRUPTED] = { "sluice_exporter_interrupted",
		"Answers of the kernel that were not of one moment, in spite of "
		"several tries.", true },
	[BUILD] = { "sluice_exporter_build_info",
		"The exporter's version; always 1." },
};

/**
 * struct exposition - samples of this scrape
 * @stream: for each family, NULL if there is no sample yet
 * @text: what was written there
 * @len: bytes of it
 * @failed: there was no memory
 */
struct exposition {
	FILE *stream[FAMILIES];
	char *text[FAMILIES];
	size_t len[FAMILIES];
	bool failed;
};

/*
 * Labels.
 */
static void labels_put(struct labels *labels, const char *bytes, size_t len)
{
	if (labels->len + len >= sizeof(labels->text))
		return;
	memcpy(labels->text + labels->len, bytes, len);
	labels->len += len;
	labels->text[labels->len] = '\0';
}

static void labels_puts(struct labels *labels, const char *text)
{
	labels_put(labels, text, strlen(text));
}

void labels_add(struct labels *labels, const char *name, const char *value)
{
	if (labels->len)
		labels_puts(labels, ",");
	labels_puts(labels, name);
	labels_puts(labels, "=\"");
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			labels_puts(labels, "\\");
		labels_put(labels, value, 1);
	}
	labels_puts(labels, "\"");
}

void labels_add_number(struct labels *labels, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	labels_add(labels, name, text);
}

/*
 * Samples.
 */
struct exposition *exposition_new(void)
{
	return calloc(1, sizeof(struct exposition));
}

static void family_close(struct exposition *exposition, enum family family)
{
	FILE *stream = exposition->stream[family];

	if (!stream)
		return;
	exposition->stream[family] = NULL;
	if (ferror(stream) | fclose(stream))
		exposition->failed = true;
}

void exposition_free(struct exposition *exposition)
{
	if (!exposition)
		return;
	for (int i = 0; i < FAMILIES; i++) {
		family_close(exposition, i);
		free(exposition->text[i]);
	}
	free(exposition);
}

/* Write a sample up to its value. Return: NULL without memory. */
static FILE *sample_begin(struct exposition *exposition, enum family family,
			  const struct labels *labels)
{
	FILE **stream = &exposition->stream[family];

	if (!*stream)
		*stream = open_memstream(&exposition->text[family],
					 &exposition->len[family]);
	if (!*stream) {
		exposition->failed = true;
		return NULL;
	}
	fprintf(*stream, "%s%s", families[family].name,
		families[family].counts ? "_total" : "");
	if (labels && labels->len)
		fprintf(*stream, "{%s}", labels->text);
	return *stream;
}

void exposition_add(struct exposition *exposition, enum family family,
		    const struct labels *labels, uint64_t value)
{
	FILE *stream = sample_begin(exposition, family, labels);

	if (stream)
		fprintf(stream, " %llu\n", (unsigned long long)value);
}

void exposition_add_seconds(struct exposition *exposition, enum family family,
			    const struct labels *labels, int64_t nanoseconds)
{
	FILE *stream = sample_begin(exposition, family, labels);

	if (stream)
		fprintf(stream, " %lld.%09lld\n",
			(long long)(nanoseconds / NSEC_PER_SEC),
			(long long)(nanoseconds % NSEC_PER_SEC));
}

static void family_write(const struct exposition *exposition, FILE *stream,
			 enum family family, bool openmetrics)
{
	bool counts = families[family].counts;
	/* To OpenMetrics "_total" is no part of the family's name. */
	const char *suffix = counts && !openmetrics ? "_total" : "";
	const char *name = families[family].name;

	fprintf(stream, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix,
		families[family].help, name, suffix,
		counts ? "counter" : "gauge");
	fwrite(exposition->text[family], 1, exposition->len[family], stream);
}

char *exposition_text(struct exposition *exposition, bool openmetrics,
		      size_t *len)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, len);

	for (int i = 0; stream && i < FAMILIES; i++) {
		family_close(exposition, i);
		if (!exposition->failed && exposition->text[i])
			family_write(exposition, stream, i, openmetrics);
	}
	if (stream && openmetrics)
		fputs("# EOF\n", stream);
	if (!stream || ferror(stream) | fclose(stream) || exposition->failed) {
		free(text);
		return NULL;
	}
	return text;
}
