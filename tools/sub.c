// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice sub - receive messages.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sub.h"

/* How long to sleep when something may happen that nothing tells. */
#define LOOK_AGAIN_MS	100
/* Losses are told at most so often. */
#define TELL_NS		NSEC_PER_SEC

enum {
	KEY_TIMEOUT = 't', KEY_COUNT = 'n', KEY_CREATE = 'c', KEY_NUL = 'z',
	KEY_RAW = 'r', KEY_STAY = 's', KEY_VERBOSE = 'v', KEY_JSON = 'J',
	KEY_FRAMED = 0x200, KEY_ON_FAILURE, KEY_PROGRESS,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Messages are written as lines, or:", 1 },
	{ "null", KEY_NUL, NULL, 0, "with a zero byte after each" },
	{ "raw", KEY_RAW, NULL, 0, "with nothing in between" },
	{ "framed", KEY_FRAMED, "BYTES", OPTION_ARG_OPTIONAL,
	  "after their length, little-endian in 1, 2, 4 or 8 bytes (4)" },
	{ NULL, 0, NULL, 0, "Receiving:", 2 },
	{ "create", KEY_CREATE, NULL, 0, "make the channel if there is none" },
	{ "count", KEY_COUNT, "N", 0, "end after N messages" },
	{ "stay", KEY_STAY, NULL, 0, "do not end when the last publisher left" },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0, "end when nothing came for so long" },
	{ "on-failure", KEY_ON_FAILURE, "WHAT", 0,
	  "when COMMAND fails: reject: the message goes to another subscriber or comes"
	  " again (default in a queue); accept: it is done with (default otherwise);"
	  " stop: reject it and end" },
	{ "verbose", KEY_VERBOSE, NULL, 0, "tell which publishers come and go" },
	{ "progress", KEY_PROGRESS, NULL, 0, "show how much has come" },
	{ "json", KEY_JSON, NULL, 0, "write a summary to standard error" },
	{ 0 }
};

static void set_form(const struct argp_state *state, struct sub *sub, enum form form)
{
	if (sub->form != FORM_LINES && sub->form != form)
		argp_error(state, "only one of --null, --raw and --framed");
	sub->form = form;
}

static enum on_failure parse_on_failure(const struct argp_state *state,
					const char *arg)
{
	if (!strcmp(arg, "reject"))
		return FAILURE_REJECT;
	if (!strcmp(arg, "accept"))
		return FAILURE_ACCEPT;
	if (strcmp(arg, "stop"))
		argp_error(state, "--on-failure: must be reject, accept or stop, not '%s'", arg);
	return FAILURE_STOP;
}

static error_t parse_argument(struct sub *sub, char *arg, struct argp_state *state)
{
	bool quoted = state->quoted && state->next > state->quoted;

	if (!sub->channel.name) {
		sub->channel.name = take_name(state, arg);
		return 0;
	}
	if (!quoted)
		argp_error(state, "what is '%s'? A command comes after --", arg);
	sub->command = state->argv + state->next - 1;
	state->next = state->argc;
	return 0;
}

static void check_arguments(const struct argp_state *state, const struct sub *sub)
{
	if (sub->command && sub->form != FORM_LINES)
		argp_error(state, "a command gets the bare message: no --null, --raw or --framed");
	if (!sub->command && sub->on_failure)
		argp_error(state, "--on-failure needs a command");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sub *sub = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &sub->channel;
		return 0;
	case KEY_NUL:
		set_form(state, sub, FORM_NUL);
		return 0;
	case KEY_RAW:
		set_form(state, sub, FORM_RAW);
		return 0;
	case KEY_FRAMED:
		set_form(state, sub, FORM_FRAMED);
		sub->width = parse_prefix(state, arg);
		return 0;
	case KEY_CREATE:
		sub->channel.options.flags |= SLUICE_OPEN_CREATE;
		return 0;
	case KEY_COUNT:
		sub->count = parse_number(state, "--count", arg, 1, UINT64_MAX);
		return 0;
	case KEY_STAY:
		sub->stay = true;
		return 0;
	case KEY_TIMEOUT:
		sub->timeout = parse_seconds(state, "--timeout", arg);
		return 0;
	case KEY_ON_FAILURE:
		sub->on_failure = parse_on_failure(state, arg);
		return 0;
	case KEY_VERBOSE:
		sub->verbose = true;
		return 0;
	case KEY_PROGRESS:
		sub->progress = true;
		return 0;
	case KEY_JSON:
		sub->json = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(sub, arg, state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the name of a channel is needed");
		return 0;
	case ARGP_KEY_END:
		check_arguments(state, sub);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Telling ------------------------------------------------------------------- */

static uint64_t lost(const struct sub *sub)
{
	struct sluice_subscriber_stats stats;

	if (sluice_subscriber_stats(sub->subscriber, &stats, sizeof(stats)))
		return sub->lost_told;
	return stats.lost;
}

static void tell_losses(struct sub *sub, bool final)
{
	uint64_t count = lost(sub), more = count - sub->lost_told;
	int64_t time = now();

	if (!more || (!final && sub->told && time < sub->told + TELL_NS))
		return;
	progress_clear(&sub->bar);
	complain(sub->channel.name, 0, "lost %llu messages (%llu in all)",
		 (unsigned long long)more, (unsigned long long)count);
	sub->lost_told = count;
	sub->told = time;
}

static void tell_event(struct sub *sub, const struct sluice_event *event)
{
	const char *name = sub->channel.name;

	switch (event->type) {
	case SLUICE_EVENT_JOINED:
		if (sub->verbose)
			complain(name, 0, "publisher %d joined (uid %u)", event->pid,
				 event->uid);
		break;
	case SLUICE_EVENT_LEFT:
		if (sub->verbose)
			complain(name, 0, "publisher %d left (%s)", event->pid,
				 reason_name(event->reason));
		break;
	case SLUICE_EVENT_CORRUPT:
		sub->corrupt++;
		complain(name, 0, "publisher %d (uid %u) wrote nonsense and is left aside",
			 event->pid, event->uid);
		break;
	}
}

static void take_events(struct sub *sub)
{
	struct sluice_event event;

	while (!sluice_subscriber_next_event(sub->subscriber, &event, sizeof(event))) {
		sub->seen = true;
		progress_clear(&sub->bar);
		tell_event(sub, &event);
	}
}

static int write_summary(const struct sub *sub, int status)
{
	struct json_object *object = json_object_new_object();
	char name[PRINTABLE_NAME_SIZE];

	json_add_string(object, "name",
			printable_name((const uint8_t *)sub->channel.name,
				       strlen(sub->channel.name), name));
	json_add_number(object, "messages", sub->taken);
	json_add_number(object, "bytes", sub->bytes);
	json_add_seconds(object, "seconds", now() - sub->started);
	json_add_number(object, "lost", lost(sub));
	json_add_number(object, "redelivered", sub->redelivered);
	json_add_number(object, "failed", sub->failed);
	json_add_number(object, "corrupt", sub->corrupt);
	json_add_number(object, "signal", caught_signal());
	json_add_number(object, "status", status);
	return json_write(object, stderr);
}

/* Receiving ----------------------------------------------------------------- */

/* What has no exit status: the loop goes on. */
#define GO_ON (-1)

/*
 * Whether nothing can come any more. A queue is not over before the last
 * message is acknowledged: who has it may die.
 */
static bool is_over(const struct sub *sub, bool *alone)
{
	struct sluice_stat st;

	*alone = false;
	if (sub->stay || sluice_channel_stat(sub->opened, &st, sizeof(st)))
		return false;
	*alone = !st.publishers && sub->seen;
	return *alone && (!sub->queue || !st.left);
}

/* In milliseconds for poll(), or GO_ON if there is no limit. */
static int time_left(const struct sub *sub)
{
	int64_t left;

	if (sub->timeout < 0)
		return -1;
	left = sub->active + sub->timeout - now();
	if (left <= 0)
		return 0;
	left = (left + 999999) / 1000000;
	return left > 1000000 ? 1000000 : left;
}

static bool output_is_pipe(void)
{
	struct stat st;

	return !fstat(STDOUT_FILENO, &st) &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Return: GO_ON, or a status if nobody reads our output any more. */
static int sleep_until_something(struct sub *sub, int timeout)
{
	struct pollfd pfd[] = {
		{ .fd = sluice_subscriber_fd(sub->subscriber),
		  .events = POLLIN | POLLPRI },
		/* No event but an error: its reader went away. */
		{ .fd = !sub->command && output_is_pipe() ? STDOUT_FILENO : -1 },
	};

	if (poll(pfd, 2, timeout) <= 0 || !(pfd[1].revents & (POLLERR | POLLHUP)))
		return GO_ON;
	die_by_pipe();
	complain("standard output", -EPIPE, "cannot write");
	return STATUS_FAILURE;
}

/* Nothing to receive: end, or wait. */
static int idle(struct sub *sub)
{
	int timeout;
	bool alone;

	take_events(sub);
	tell_losses(sub, false);
	if (is_over(sub, &alone)) {
		/* A message may have come before the publisher went. */
		if (sub->ending)
			return STATUS_OK;
		sub->ending = true;
		return GO_ON;
	}
	sub->ending = false;
	timeout = time_left(sub);
	if (timeout == 0) {
		complain(sub->channel.name, 0, "timed out: no message came");
		return STATUS_TIMEOUT;
	}
	if (alone && (timeout < 0 || timeout > LOOK_AGAIN_MS))
		timeout = LOOK_AGAIN_MS;
	return sleep_until_something(sub, timeout);
}

static int receive_failed(struct sub *sub, int error)
{
	switch (error) {
	case -EAGAIN:
		return idle(sub);
	case -EPROTO:
		take_events(sub);
		return GO_ON;
	case -ECONNABORTED:
		complain(sub->channel.name, 0, "evicted: it did not keep up");
		return STATUS_FAILURE;
	case -EPIPE:
		return STATUS_OK;
	case -EINTR:
		return GO_ON;
	default:
		complain(sub->channel.name, error, "cannot receive");
		return STATUS_FAILURE;
	}
}

static size_t batch_size(const struct sub *sub)
{
	uint64_t left = sub->count ? sub->count - sub->taken : SUB_BATCH;
	uint32_t held = sluice_channel_config(sub->opened)->held;
	size_t size = sub->command ? 1 : SUB_BATCH;

	if (size > held)
		size = held;
	return size > left ? left : size;
}

static int receive(struct sub *sub)
{
	struct sluice_message messages[SUB_BATCH];
	ssize_t n = sluice_subscriber_receive_batch(sub->subscriber, messages,
						    batch_size(sub), 0);
	uint64_t gap = 0;
	int status;

	if (n < 0)
		return receive_failed(sub, n);
	sub->seen = true;
	sub->ending = false;
	for (ssize_t i = 0; i < n; i++)
		gap += messages[i].lost;
	if (gap)
		tell_losses(sub, false);
	status = deliver(sub, messages, n);
	if (sub->timeout >= 0)
		sub->active = now();
	progress_update(&sub->bar, sub->bytes);
	return status ? status : GO_ON;
}

static int run(struct sub *sub)
{
	int status = GO_ON;

	sub->started = sub->active = now();
	progress_start(&sub->bar, sub->progress, 0);
	while (status == GO_ON && !caught_signal()) {
		if (sub->count && sub->taken >= sub->count)
			status = STATUS_OK;
		else
			status = receive(sub);
	}
	if (status == GO_ON)
		status = STATUS_OK;
	progress_end(&sub->bar, sub->bytes);
	take_events(sub);
	tell_losses(sub, true);
	if (status == STATUS_OK && (sub->failed || sub->corrupt))
		status = STATUS_FAILURE;
	if (status == STATUS_OK && lost(sub))
		status = STATUS_LOST;
	return status;
}

static int join(struct sub *sub)
{
	struct sluice_subscriber_options how = SLUICE_SUBSCRIBER_OPTIONS_INIT;
	const struct sluice_config *config = sluice_channel_config(sub->opened);
	struct sluice_stat st;
	int error;

	/* Else it would end before the first publisher came. */
	how.flags = SLUICE_JOIN_STAY;
	how.policy = sub->channel.options.config.policy;
	error = sluice_subscriber_join(sub->opened, &how, &sub->subscriber);
	switch (error) {
	case 0:
		break;
	case -EUSERS:
		complain(sub->channel.name, 0, "all %u places for subscribers are taken",
			 config->subscribers);
		return STATUS_FAILURE;
	case -EPERM:
	case -EINVAL:
		complain(sub->channel.name, 0, "the channel's policy is %s: a subscriber cannot have %s",
			 policy_name(config->policy), policy_name(how.policy));
		return STATUS_FAILURE;
	default:
		complain(sub->channel.name, error, "cannot join");
		return STATUS_FAILURE;
	}
	sub->queue = config->pattern == SLUICE_QUEUE;
	error = sluice_channel_stat(sub->opened, &st, sizeof(st));
	if (!error)
		sub->seen = st.publishers || st.left;
	return STATUS_OK;
}

static int join_and_run(struct sub *sub)
{
	int status = open_channel(&sub->channel, &sub->opened);

	if (status)
		return status;
	status = join(sub);
	if (!status) {
		status = run(sub);
		if (sub->json && write_summary(sub, status) && !status)
			status = STATUS_FAILURE;
		sluice_subscriber_close(sub->subscriber);
	}
	sluice_channel_close(sub->opened);
	return status;
}

int sub_main(int argc, char **argv)
{
	static const struct argp_child children[] = { { &channel_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, "NAME [-- COMMAND [ARGUMENT...]]",
		"Write the messages of the channel NAME to standard output, or run COMMAND for each, with the message as its standard input.\v"
		"--policy is also that of this very subscriber, if there is a channel already.",
		children, NULL, NULL,
	};
	struct sub sub = {
		.channel.options = SLUICE_CHANNEL_OPTIONS_INIT,
		.timeout = -1,
	};
	int status;

	sub.channel.options.access = SLUICE_READ;
	argp_parse(&argp, argc, argv, 0, NULL, &sub);
	/* Here it need not be the channel's. */
	sub.channel.given &= ~CHANNEL_GIVEN_POLICY;
	/* Whoever ignores it does not get the status of a command. */
	signal(SIGCHLD, SIG_DFL);
	catch_signals();
	status = join_and_run(&sub);
	die_by_signal();
	return status;
}
