// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice pub - publish lines, blocks or files.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pub.h"

#define DEFAULT_POOL (1 << 20)

enum {
	KEY_TIMEOUT = 't', KEY_WAIT = 'w', KEY_BLOCK = 'b', KEY_NUL = 'z',
	KEY_JSON = 'J',
	KEY_FRAMED = 0x200, KEY_WHOLE, KEY_TYPE, KEY_LINGER, KEY_NO_LINGER,
	KEY_PROGRESS, KEY_NO_PROGRESS,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Messages are lines, without their ends, or:", 1 },
	{ "null", KEY_NUL, NULL, 0, "what ends with a zero byte" },
	{ "block", KEY_BLOCK, "SIZE", 0, "blocks of SIZE bytes; the last one may be shorter" },
	{ "framed", KEY_FRAMED, "BYTES", OPTION_ARG_OPTIONAL,
	  "what follows its length, little-endian in 1, 2, 4 or 8 bytes (4)" },
	{ "whole", KEY_WHOLE, NULL, 0, "each file" },
	{ NULL, 0, NULL, 0, "Sending:", 2 },
	{ "wait", KEY_WAIT, "N", 0, "start when there are N subscribers" },
	{ "linger", KEY_LINGER, NULL, 0,
	  "end when everything is read (default for a queue)" },
	{ "no-linger", KEY_NO_LINGER, NULL, 0, "end when everything is sent" },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "give up a wait for subscribers or room after so long" },
	{ "type", KEY_TYPE, "N", 0, "a number for the receiver in each message" },
	{ "progress", KEY_PROGRESS, NULL, 0,
	  "show progress, even if standard error is no terminal" },
	{ "no-progress", KEY_NO_PROGRESS, NULL, 0, "do not" },
	{ "json", KEY_JSON, NULL, 0, "write a summary to standard output" },
	{ 0 }
};

static void set_framing(const struct argp_state *state, struct pub *pub,
			enum framing framing)
{
	if (pub->framing != FRAMING_LINES && pub->framing != framing)
		argp_error(state, "only one of --null, --block, --framed and --whole");
	pub->framing = framing;
}

static error_t parse_argument(struct pub *pub, char *arg, struct argp_state *state)
{
	if (!pub->channel.name) {
		pub->channel.name = take_name(state, arg);
		return 0;
	}
	pub->files = state->argv + state->next - 1;
	pub->file_count = state->argc - state->next + 1;
	state->next = state->argc;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct pub *pub = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &pub->channel;
		return 0;
	case KEY_NUL:
		set_framing(state, pub, FRAMING_NUL);
		return 0;
	case KEY_BLOCK:
		set_framing(state, pub, FRAMING_BLOCKS);
		pub->block = parse_size(state, "--block", arg);
		if (!pub->block)
			argp_error(state, "--block: must not be 0");
		return 0;
	case KEY_FRAMED:
		set_framing(state, pub, FRAMING_FRAMED);
		pub->width = parse_prefix(state, arg);
		return 0;
	case KEY_WHOLE:
		set_framing(state, pub, FRAMING_WHOLE);
		return 0;
	case KEY_WAIT:
		pub->wait = parse_number(state, "--wait", arg, 0, UINT32_MAX);
		return 0;
	case KEY_LINGER:
	case KEY_NO_LINGER:
		pub->linger = key == KEY_LINGER;
		return 0;
	case KEY_TIMEOUT:
		pub->timeout = parse_seconds(state, "--timeout", arg);
		return 0;
	case KEY_TYPE:
		pub->type = parse_number(state, "--type", arg, 0, UINT32_MAX);
		return 0;
	case KEY_PROGRESS:
	case KEY_NO_PROGRESS:
		pub->progress = key == KEY_PROGRESS;
		return 0;
	case KEY_JSON:
		pub->json = true;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(pub, arg, state);
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "the name of a channel is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What is to be read in all, 0 if that is not known; @largest of one file. */
static uint64_t input_size(const struct pub *pub, uint64_t *largest)
{
	uint64_t total = 0;
	bool known = true;

	*largest = 0;
	for (int i = 0; i < pub->file_count; i++) {
		bool input = !strcmp(pub->files[i], "-");
		struct stat st;

		if ((input ? fstat(STDIN_FILENO, &st) : stat(pub->files[i], &st)) ||
		    !S_ISREG(st.st_mode)) {
			known = false;
			continue;
		}
		total += st.st_size;
		if ((uint64_t)st.st_size > *largest)
			*largest = st.st_size;
	}
	return known ? total : 0;
}

/* Without --pool, one that holds some of the messages to come. */
static void choose_pool(struct pub *pub, uint64_t largest)
{
	struct sluice_config *config = &pub->channel.options.config;
	uint64_t pool = DEFAULT_POOL, want = 0;

	if (pub->framing == FRAMING_BLOCKS &&
	    __builtin_mul_overflow(pub->block, 4, &want))
		want = pub->block;
	if (pub->framing == FRAMING_WHOLE &&
	    __builtin_mul_overflow(largest, 2, &want))
		want = largest;
	if (config->pool)
		return;
	if (want > pool)
		pool = want;
	if (config->pool_limit && pool > config->pool_limit)
		pool = config->pool_limit;
	config->pool = pool;
}

/* Forget what happened, so that poll() waits for what comes. */
static void drain_events(struct sluice_publisher *publisher)
{
	struct sluice_event event;

	while (!sluice_publisher_next_event(publisher, &event, sizeof(event)))
		;
}

static int poll_timeout(int64_t deadline)
{
	int64_t left = deadline - now();

	if (deadline == SLUICE_NO_DEADLINE)
		return -1;
	if (left <= 0)
		return 0;
	left = (left + 999999) / 1000000;
	return left > 1000000 ? 1000000 : left;
}

static int wait_for_subscribers(struct pub *pub, struct sluice_channel *channel)
{
	struct pollfd pfd = {
		.fd = sluice_publisher_fd(pub->publisher), .events = POLLPRI,
	};
	int64_t deadline = pub_deadline(pub);
	struct sluice_stat st;
	int error;

	while (!caught_signal()) {
		drain_events(pub->publisher);
		error = sluice_channel_stat(channel, &st, sizeof(st));
		if (error) {
			complain(pub->channel.name, error, "cannot look at the channel");
			return STATUS_FAILURE;
		}
		if (st.subscribers >= pub->wait)
			return STATUS_OK;
		if (now() >= deadline) {
			complain(pub->channel.name, 0, "timed out: %u of %u subscribers came",
				 st.subscribers, pub->wait);
			return STATUS_TIMEOUT;
		}
		poll(&pfd, 1, poll_timeout(deadline));
	}
	return STATUS_OK;
}

static int feed_name(struct pub *pub, const char *name)
{
	bool input = !strcmp(name, "-");
	int fd = input ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	int status;

	if (fd < 0) {
		complain(name, -errno, "cannot open");
		return STATUS_FAILURE;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	status = feed(pub, fd, input ? "standard input" : name);
	if (!input)
		close(fd);
	return status;
}

static int feed_all(struct pub *pub)
{
	int status = STATUS_OK;

	for (int i = 0; i < pub->file_count && !caught_signal(); i++) {
		int one = feed_name(pub, pub->files[i]);

		/* As cat does: what can be read is sent. But nobody is waited for twice. */
		if (one)
			status = one;
		if (one == STATUS_TIMEOUT)
			break;
	}
	return status;
}

static int has_unread(const struct sluice_peer *peer, void *data)
{
	(void)data;
	return peer->state == SLUICE_ACTIVE && (peer->lag || peer->held);
}

/*
 * The kernel keeps the place of a publisher that left until its messages are
 * read; but history is kept for those to come, too, so then it is asked who
 * lags.
 */
static bool is_read(struct sluice_channel *channel, uint32_t index,
		    uint64_t generation)
{
	struct sluice_peer peer;

	if (sluice_channel_config(channel)->history)
		return sluice_channel_peers(channel, SLUICE_SUBSCRIBER,
					    has_unread, NULL) <= 0;
	return sluice_channel_peer(channel, SLUICE_PUBLISHER, index, generation,
				   &peer, sizeof(peer)) < 0;
}

/* Nothing tells when everything is read: look now and then. */
static int linger(struct pub *pub, struct sluice_channel *channel)
{
	uint32_t index = sluice_publisher_index(pub->publisher);
	uint64_t generation = sluice_publisher_generation(pub->publisher);
	int64_t deadline = pub_deadline(pub);
	struct timespec pause = { .tv_nsec = 1000000 };

	sluice_publisher_close(pub->publisher);
	pub->publisher = NULL;
	while (!caught_signal() && !is_read(channel, index, generation)) {
		if (now() >= deadline) {
			complain(pub->channel.name, 0, "timed out: not everything was read");
			return STATUS_TIMEOUT;
		}
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 64000000)
			pause.tv_nsec *= 2;
	}
	return STATUS_OK;
}

static int write_summary(const struct pub *pub,
			 const struct sluice_publisher_stats *stats, int status)
{
	struct json_object *object = json_object_new_object();
	char name[PRINTABLE_NAME_SIZE];

	json_add_string(object, "name",
			printable_name((const uint8_t *)pub->channel.name,
				       strlen(pub->channel.name), name));
	json_add_number(object, "messages", pub->messages);
	json_add_number(object, "bytes", pub->bytes);
	json_add_seconds(object, "seconds", now() - pub->bar.start);
	json_add_number(object, "dropped", stats->dropped);
	json_add_number(object, "evicted", stats->evicted);
	json_add_number(object, "waits", stats->waits);
	json_add_number(object, "wakes", stats->wakes);
	json_add_number(object, "pool", stats->pool);
	json_add_number(object, "signal", caught_signal());
	json_add_number(object, "status", status);
	return json_write(object, stdout);
}

static void complain_drops(const struct pub *pub,
			   const struct sluice_publisher_stats *stats)
{
	if (stats->dropped)
		complain(pub->channel.name, 0, "%llu messages were dropped before every subscriber had them",
			 (unsigned long long)stats->dropped);
	if (stats->evicted)
		complain(pub->channel.name, 0, "%llu subscribers were evicted because they lagged",
			 (unsigned long long)stats->evicted);
}

/* With a publisher joined: send everything, and see it off. */
static int run(struct pub *pub, struct sluice_channel *channel, uint64_t total)
{
	bool queue = sluice_channel_config(channel)->pattern == SLUICE_QUEUE;
	struct sluice_publisher_stats stats;
	int status = STATUS_OK;

	if (pub->wait)
		status = wait_for_subscribers(pub, channel);
	progress_start(&pub->bar, pub->progress, total);
	if (!status)
		status = feed_all(pub);
	progress_end(&pub->bar, pub->bytes);
	sluice_publisher_stats(pub->publisher, &stats, sizeof(stats));
	if (status != STATUS_TIMEOUT && (pub->linger < 0 ? queue : pub->linger)) {
		int lingered = linger(pub, channel);

		if (!status)
			status = lingered;
	}
	complain_drops(pub, &stats);
	if (pub->json && write_summary(pub, &stats, status) && !status)
		status = STATUS_FAILURE;
	return status;
}

static int join_and_run(struct pub *pub, uint64_t total)
{
	struct sluice_channel *channel;
	int status, error;

	status = open_channel(&pub->channel, &channel);
	if (status)
		return status;
	pub->channel.options.config = *sluice_channel_config(channel);
	error = sluice_publisher_join(channel, NULL, &pub->publisher);
	if (error == -EUSERS) {
		complain(pub->channel.name, 0, "all %u places for publishers are taken",
			 pub->channel.options.config.publishers);
		status = STATUS_FAILURE;
	} else if (error) {
		complain(pub->channel.name, error, "cannot join");
		status = STATUS_FAILURE;
	} else {
		status = run(pub, channel, total);
		sluice_publisher_close(pub->publisher);
	}
	sluice_channel_close(channel);
	return status;
}

int pub_main(int argc, char **argv)
{
	static const struct argp_child children[] = { { &channel_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, "NAME [FILE...]",
		"Publish standard input, or FILEs, in the channel NAME, which is made if there is none.",
		children, NULL, NULL,
	};
	static char *input[] = { "-" };
	struct pub pub = {
		.channel.options = SLUICE_CHANNEL_OPTIONS_INIT,
		.files = input, .file_count = 1,
		.timeout = -1, .linger = -1, .progress = -1,
	};
	uint64_t largest, total;
	int status;

	pub.channel.options.access = SLUICE_WRITE;
	pub.channel.options.flags = SLUICE_OPEN_CREATE;
	argp_parse(&argp, argc, argv, 0, NULL, &pub);
	if (pub.progress < 0)
		pub.progress = isatty(STDERR_FILENO);
	total = input_size(&pub, &largest);
	choose_pool(&pub, largest);
	catch_signals();
	status = join_and_run(&pub, total);
	if (fflush(stdout) == EOF)
		status = STATUS_FAILURE;
	die_by_signal();
	return status;
}
