/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sluice pub: what its two halves share. pub.c is the command, feed.c cuts
 * what is read into messages.
 */
#ifndef SLUICE_PUB_H
#define SLUICE_PUB_H

#include "cmd.h"

enum framing {
	FRAMING_LINES,
	FRAMING_NUL,
	FRAMING_BLOCKS,
	FRAMING_FRAMED,
	FRAMING_WHOLE,
};

/**
 * struct pub - one run of sluice pub
 * @channel: where to
 * @files: to read; "-" is standard input
 * @file_count: how many
 * @framing: how to cut them into messages
 * @block: bytes of a block
 * @width: bytes of a length prefix
 * @type: of every message
 * @wait: subscribers to wait for before starting
 * @timeout: nanoseconds to wait for anything, or -1
 * @linger: wait until everything is read: -1 if not said
 * @progress: show the bar: -1 if not said
 * @json: write a summary to standard output
 * @publisher: joined
 * @messages: published
 * @bytes: in them
 * @bar: the progress
 */
struct pub {
	struct channel_arguments channel;
	char **files;
	int file_count;
	enum framing framing;
	size_t block;
	unsigned int width;
	uint32_t type;
	uint32_t wait;
	int64_t timeout;
	int linger;
	int progress;
	bool json;
	struct sluice_publisher *publisher;
	uint64_t messages;
	uint64_t bytes;
	struct progress bar;
};

/* The deadline for a wait that starts now. */
static inline int64_t pub_deadline(const struct pub *pub)
{
	return pub->timeout < 0 ? SLUICE_NO_DEADLINE :
				  sluice_deadline_after(pub->timeout);
}

/**
 * feed() - publish what can be read from a file
 * @pub: joined
 * @fd: to read from
 * @name: of the file, for messages
 *
 * Return: an exit status; what went wrong has been said. STATUS_OK when a
 * signal came.
 */
int feed(struct pub *pub, int fd, const char *name);

#endif
