// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * workers - a queue: each job goes to one worker. What a worker had in hand when
 * it was killed, or what failed, goes to another one, once.
 *
 *	workers work jobs &		as many as you like
 *	printf '%s\n' 'gzip a' 'gzip b' | workers put jobs
 *
 * A job is a shell command. "put" ends when all its jobs are done.
 */
#include <errno.h>
#include <error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

static int put(struct sluice_channel *channel)
{
	struct sluice_publisher *publisher;
	char line[4096];
	int ret = sluice_publisher_join(channel, NULL, &publisher);

	while (!ret && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		ret = sluice_publisher_send(publisher, line, strlen(line), 0, SLUICE_NO_DEADLINE);
	}
	return ret ?: sluice_publisher_flush(publisher, SLUICE_NO_DEADLINE);
}

/* Shall another try? The text is copied, as its publisher could change it. */
static bool try_job(const struct sluice_message *message)
{
	bool again = message->flags & SLUICE_MESSAGE_REDELIVERED;
	char *job = strndup(message->data, message->length);
	int status;

	if (!job)
		return true;
	status = system(job);
	printf("%s: status %d%s\n", job, status, again ? ", again" : "");
	fflush(stdout);
	free(job);
	return status && !again;
}

static int work(struct sluice_channel *channel)
{
	struct sluice_subscriber_options options = SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_subscriber *subscriber;
	struct sluice_message message;
	int ret;

	options.flags = SLUICE_JOIN_STAY;	/* more jobs may come */
	ret = sluice_subscriber_join(channel, &options, &subscriber);
	while (!ret && !(ret = sluice_subscriber_receive(subscriber, &message,
							 SLUICE_NO_DEADLINE)))
		ret = try_job(&message) ? sluice_subscriber_reject(subscriber, &message) :
					  sluice_subscriber_release(subscriber, &message);
	return ret;
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc != 3)
		error(2, 0, "usage: workers put|work NAME");
	options.flags = SLUICE_OPEN_CREATE;
	options.config.pattern = SLUICE_QUEUE;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = !strcmp(argv[1], "put") ? put(channel) : work(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
