// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single paths through the library and the kernel, one process, no waiting:
 * for a processor whose clock counts instructions, where each figure is the
 * same in every run. The shortest of several times counts: that is the path
 * without a timer's interrupt in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "bench.h"

/* More than a ring has slots: what is usual is to use them again. */
#define TRIES	600u

/**
 * struct path - something to be counted
 * @peer: of whom
 * @key: which
 * @open: prepares it, in its process; NULL: nothing to be done
 * @before: what has to be so each time, not counted; may be NULL
 * @step: counted
 * @missing: as of struct bench_link
 */
struct path {
	const char *peer;
	const char *key;
	void (*open)(void);
	void (*before)(void);
	void (*step)(void);
	const char *(*missing)(void);
};

static const char *no_module(void)
{
	struct sluice_info info;

	return sluice_query_info(&info, sizeof(info)) ?
		"the module is not loaded" : NULL;
}

/* --- channels ------------------------------------------------------------------- */

static struct sluice_channel *channel;
static struct sluice_publisher *publisher;
static struct sluice_subscriber *subscriber;
static struct sluice_message message;
static int epoll;

static void open_channel(enum sluice_pattern pattern)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;

	options.config.pattern = pattern;
	bench_try(sluice_channel_open_anonymous(&options, &channel));
	bench_try(sluice_publisher_join(channel, NULL, &publisher));
	bench_try(sluice_subscriber_join(channel, NULL, &subscriber));
}

static void open_broadcast(void)
{
	open_channel(SLUICE_BROADCAST);
}

static void open_queue(void)
{
	open_channel(SLUICE_QUEUE);
}

static void publish(void)
{
	struct sluice_loan loan;

	bench_try(sluice_publisher_loan(publisher, 64, &loan, 0));
	bench_try(sluice_publisher_publish(publisher, &loan));
}

static void receive(void)
{
	bench_try(sluice_subscriber_receive(subscriber, &message, 0));
	bench_try(sluice_subscriber_release(subscriber, &message));
}

static void pass(void)
{
	publish();
	receive();
}

/* Who polls is armed as a sleeper is, and is here, too. */
static void open_polled(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	open_broadcast();
	epoll = bench_try(epoll_create1(EPOLL_CLOEXEC));
	bench_try(epoll_ctl(epoll, EPOLL_CTL_ADD,
			    sluice_subscriber_fd(subscriber), &event));
}

static void arm(void)
{
	struct epoll_event event;

	while (epoll_wait(epoll, &event, 1, 0) > 0)
		receive();
}

static void open_only(void)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;

	bench_try(sluice_channel_open_anonymous(&options, &channel));
}

static void join(void)
{
	bench_try(sluice_subscriber_join(channel, NULL, &subscriber));
	sluice_subscriber_close(subscriber);
}

/* --- locks ------------------------------------------------------------------------ */

static struct sluice_holder *holder;
static struct sluice_item item;
static const struct bench_lock *ofd;
static void *ofd_file;

static void open_lockspace(void)
{
	struct sluice_lockspace *lockspace;

	bench_try(sluice_lockspace_open_anonymous(NULL, &lockspace));
	bench_try(sluice_holder_open(NULL, &holder));
	item = sluice_item_name(lockspace, "bench", SLUICE_EX);
}

static void lock(void)
{
	bench_try(sluice_holder_lock(holder, &item, 1, sizeof(item), NULL,
				     NULL));
	bench_try(sluice_holder_unlock(holder, &item, 1, sizeof(item)));
}

static void open_ofd(void)
{
	ofd = bench_lock_find("ofd");
	ofd_file = ofd->open();
	ofd->join(ofd_file);
}

static void lock_ofd(void)
{
	ofd->lock(ofd_file);
	ofd->unlock(ofd_file);
}

static void call(void)
{
	syscall(SYS_getppid);
}

static const struct path paths[] = {
	{ "sluice", "pass", open_broadcast, NULL, pass, no_module },
	{ "sluice", "wake", open_polled, arm, publish, no_module },
	{ "sluice", "claim", open_queue, publish, receive, no_module },
	{ "sluice", "join", open_only, NULL, join, no_module },
	{ "sluice", "lock", open_lockspace, NULL, lock, no_module },
	{ "ofd", "lock", open_ofd, NULL, lock_ofd, NULL },
	{ "getppid", "call", NULL, NULL, call, NULL },
};

static void walk(struct crew *crew, unsigned int self, void *data)
{
	const struct path *path = data;
	uint64_t best = UINT64_MAX;

	(void)self;
	if (path->open)
		path->open();
	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t start;

		if (path->before)
			path->before();
		start = bench_ticks();
		path->step();
		start = bench_ticks() - start;
		/* The first ones touch memory for the first time. */
		if (start < best && i >= TRIES / 4)
			best = start;
	}
	crew->value[0] = bench_ns(best);
}

static void paths_run(unsigned int rep)
{
	(void)rep;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct path *path = &paths[i];
		const struct crew *crew;

		if (!bench_wanted(path->peer, path->missing))
			continue;
		crew = crew_run(1, CREW_TOGETHER, walk, (void *)path);
		if (crew)
			bench_emit(&(struct bench_record){
				.peer = path->peer, .key = path->key,
				.value = crew->value[0],
				.unit = "instructions" });
		else
			bench_emit_failure(path->peer, path->key, 0,
					   crew_failure());
	}
}

static struct bench_measure measure = {
	.name = "paths",
	.title = "single paths, for a processor that counts instructions",
	.run = paths_run,
};
BENCH_MEASURE(measure);
