/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text that Prometheus reads: families of metrics, and their samples.
 */
#ifndef EXPORTER_EXPOSITION_H
#define EXPORTER_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum family {
	UP,
	CHANNELS_NOW,
	CHANNEL_INFO,
	CHANNEL_MESSAGES,
	CHANNEL_PAYLOAD,
	CHANNEL_POOL,
	CHANNEL_FDS,
	CHANNEL_PUBLISHERS,
	CHANNEL_PUBLISHERS_LIMIT,
	CHANNEL_LEFT_PUBLISHERS,
	CHANNEL_SUBSCRIBERS,
	CHANNEL_SUBSCRIBERS_LIMIT,
	CHANNEL_SLOTS,
	CHANNEL_HISTORY,
	CHANNEL_HELD_LIMIT,
	CHANNEL_LAG,
	CHANNEL_LOST,
	CHANNEL_HELD,
	CHANNEL_SLEEPING_PUBLISHERS,
	CHANNEL_SLEEPING_SUBSCRIBERS,
	CHANNEL_EVICTED_SUBSCRIBERS,
	PUBLISHER_ACTIVE,
	PUBLISHER_MESSAGES,
	PUBLISHER_PAYLOAD,
	PUBLISHER_POOL,
	PUBLISHER_FDS,
	PUBLISHER_SLEEPING,
	SUBSCRIBER_ACTIVE,
	SUBSCRIBER_MESSAGES,
	SUBSCRIBER_PAYLOAD,
	SUBSCRIBER_LOST,
	SUBSCRIBER_LAG,
	SUBSCRIBER_HELD,
	SUBSCRIBER_SLEEPING,
	LOCKSPACES_NOW,
	LOCKSPACE_RESOURCES,
	LOCKSPACE_LOCKS,
	LOCKSPACE_WAITING,
	LOCKSPACE_GRANTED,
	LOCKSPACE_BLOCKED,
	LOCKSPACE_DEADLOCKS,
	LOCKSPACE_DIED,
	LOCKSPACE_TOKENS,
	LOCKSPACE_CLOSED,
	HOLDERS_NOW,
	HOLDERS_WAITING,
	HOLDERS_LONGEST_WAIT,
	QUOTA_USED,
	QUOTA_LIMIT,
	OMITTED,
	SCRAPES,
	SCRAPE_DURATION,
	ERRORS,
	INTERRUPTED,
	BUILD,
	FAMILIES
};

/**
 * struct labels - those of a sample, as they are written
 * @text: name="value",...; a name of a channel and one of a command, each byte
 *	written as five, and some numbers and words
 * @len: bytes of it
 */
struct labels {
	char text[1024];
	size_t len;
};

/* @value is UTF-8; what is special in it is escaped. */
void labels_add(struct labels *labels, const char *name, const char *value);
void labels_add_number(struct labels *labels, const char *name, uint64_t value);

struct exposition;

/* Return: NULL without memory. */
struct exposition *exposition_new(void);
void exposition_free(struct exposition *exposition);

/* Add a sample; @labels may be NULL. Without memory exposition_text() fails. */
void exposition_add(struct exposition *exposition, enum family family,
		    const struct labels *labels, uint64_t value);
void exposition_add_seconds(struct exposition *exposition, enum family family,
			    const struct labels *labels, int64_t nanoseconds);

/**
 * exposition_text() - all that was added
 * @exposition: of this moment; nothing can be added any more
 * @openmetrics: OpenMetrics 1.0.0, instead of version 0.0.4 of the text format
 * @len: out: bytes
 *
 * Return: what to free(), or NULL without memory.
 */
char *exposition_text(struct exposition *exposition, bool openmetrics,
		      size_t *len);

#endif
