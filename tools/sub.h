/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sluice sub: what its two halves share. sub.c is the command and waits for
 * messages, deliver.c hands them on.
 */
#ifndef SLUICE_SUB_H
#define SLUICE_SUB_H

#include "cmd.h"

enum form {
	FORM_LINES,
	FORM_NUL,
	FORM_RAW,
	FORM_FRAMED,
};

/* What becomes of a message whose command failed. */
enum on_failure {
	FAILURE_DEFAULT,	/* reject in a queue, accept otherwise */
	FAILURE_REJECT,		/* it goes to another subscriber, or comes again */
	FAILURE_ACCEPT,		/* it is done with */
	FAILURE_STOP,		/* reject it and end */
};

/**
 * struct sub - one run of sluice sub
 * @channel: where from
 * @form: how to write messages
 * @width: bytes of a length prefix
 * @command: to run for each message, or NULL
 * @on_failure: of the command
 * @count: end after so many messages, 0 for no limit
 * @timeout: nanoseconds to wait for a message, or -1
 * @stay: go on when the last publisher left
 * @verbose: tell who comes and goes
 * @json: write a summary to standard error
 * @progress: show how much came: -1 if not said
 * @subscriber: joined
 * @opened: the channel
 * @queue: each message is for one subscriber
 * @seen: there has been a publisher
 * @ending: there is none any more; one last look
 * @taken: messages received
 * @bytes: in them
 * @redelivered: of the messages, those that somebody had before
 * @failed: messages whose command failed
 * @row: of them, without a success in between
 * @corrupt: publishers that lied
 * @lost_told: losses that the user knows of
 * @told: when that was
 * @started: when it joined
 * @active: when the last message came
 * @bar: the progress
 */
struct sub {
	struct channel_arguments channel;
	enum form form;
	unsigned int width;
	char **command;
	enum on_failure on_failure;
	uint64_t count;
	int64_t timeout;
	bool stay;
	bool verbose;
	bool json;
	int progress;
	struct sluice_subscriber *subscriber;
	struct sluice_channel *opened;
	bool queue;
	bool seen;
	bool ending;
	uint64_t taken;
	uint64_t bytes;
	uint64_t redelivered;
	uint64_t failed;
	unsigned int row;
	unsigned int corrupt;
	uint64_t lost_told;
	int64_t told;
	int64_t started;
	int64_t active;
	struct progress bar;
};

#define SUB_BATCH 16

/**
 * deliver() - hand messages on, and release or reject them
 * @sub: that received them
 * @messages: 1 to SUB_BATCH of them
 * @count: how many
 *
 * Return: STATUS_OK to go on, or an exit status; what went wrong has been said.
 */
int deliver(struct sub *sub, struct sluice_message *messages, size_t count);

/* The reader of our standard output went away: end as a filter does, if SIGPIPE may. */
void die_by_pipe(void);

#endif
