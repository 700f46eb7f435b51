// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice attach - feed a connection with the messages of a queue.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd.h"

/* How long a message on its way may take when a signal has come. */
#define STOP_NS		(5 * NSEC_PER_SEC)

enum {
	KEY_CREATE = 'c', KEY_LENGTH = 'L', KEY_RAW = 'r', KEY_STAY = 's',
	KEY_JSON = 'J',
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Messages are written as lines, or:", 1 },
	{ "raw", KEY_RAW, NULL, 0, "with nothing in between" },
	{ "length", KEY_LENGTH, NULL, 0, "after their length, big-endian in 4 bytes" },
	{ NULL, 0, NULL, 0, "Other options:", 2 },
	{ "create", KEY_CREATE, NULL, 0, "make the channel, a queue, if there is none" },
	{ "stay", KEY_STAY, NULL, 0, "do not end when the last publisher left" },
	{ "json", KEY_JSON, NULL, 0, "write a summary to standard error" },
	{ 0 }
};

/**
 * struct attach - one run of sluice attach
 * @channel: where from
 * @where: to what, as the user said it
 * @flags: SLUICE_FEED_*
 * @framed: --raw or --length was given
 * @json: write a summary to standard error
 * @socket: connected
 * @feed: attached
 */
struct attach {
	struct channel_arguments channel;
	char *where;
	uint32_t flags;
	bool framed;
	bool json;
	int socket;
	struct sluice_feed *feed;
};

static void set_framing(const struct argp_state *state, struct attach *attach,
			uint32_t flag)
{
	if (attach->framed)
		argp_error(state, "only one of --raw and --length");
	attach->framed = true;
	attach->flags &= ~SLUICE_FEED_LINES;
	attach->flags |= flag;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct attach *attach = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &attach->channel;
		return 0;
	case KEY_CREATE:
		attach->channel.options.flags |= SLUICE_OPEN_CREATE;
		return 0;
	case KEY_LENGTH:
		set_framing(state, attach, SLUICE_FEED_LENGTH);
		return 0;
	case KEY_RAW:
		set_framing(state, attach, 0);
		return 0;
	case KEY_STAY:
		attach->flags |= SLUICE_FEED_STAY;
		return 0;
	case KEY_JSON:
		attach->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!attach->channel.name)
			attach->channel.name = take_name(state, arg);
		else if (!attach->where)
			attach->where = arg;
		else
			argp_error(state, "what is '%s'?", arg);
		return 0;
	case ARGP_KEY_END:
		if (!attach->where)
			argp_error(state, "a channel and what to connect to are needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Connecting ---------------------------------------------------------------- */

static int connect_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		complain(path, -ENAMETOOLONG, "cannot connect");
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (void *)&addr, sizeof(addr))) {
		complain(path, -errno, "cannot connect");
		return -1;
	}
	return fd;
}

static int connect_any(const struct addrinfo *list)
{
	int fd = -1, one = 1;

	for (; list; list = list->ai_next) {
		fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC,
			    list->ai_protocol);
		if (fd < 0)
			continue;
		if (!connect(fd, list->ai_addr, list->ai_addrlen)) {
			/* The kernel writes whole messages: none shall wait. */
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		close(fd);
	}
	return -1;
}

/* HOST:PORT, where a HOST with colons is in brackets. */
static int connect_tcp(const char *where)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	const char *colon = strrchr(where, ':');
	char *host;
	int fd, err;

	if (!colon) {
		complain(where, 0, "neither HOST:PORT nor the path of a socket nor fd:N");
		return -1;
	}
	if (*where == '[' && colon > where + 1 && colon[-1] == ']')
		host = strndup(where + 1, colon - where - 2);
	else
		host = strndup(where, colon - where);
	err = host ? getaddrinfo(host, colon + 1, &hints, &list) : EAI_MEMORY;
	free(host);
	if (err) {
		complain(where, 0, "cannot connect: %s", gai_strerror(err));
		return -1;
	}
	fd = connect_any(list);
	if (fd < 0)
		complain(where, -errno, "cannot connect");
	freeaddrinfo(list);
	return fd;
}

static int connect_to(const char *where)
{
	char *end;
	long fd;

	if (strchr(where, '/'))
		return connect_unix(where);
	if (strncmp(where, "fd:", 3))
		return connect_tcp(where);
	fd = strtol(where + 3, &end, 10);
	if (end == where + 3 || *end || fd < 0 || fd > INT32_MAX) {
		complain(where, 0, "no number of a descriptor");
		return -1;
	}
	return fd;
}

/* Feeding ------------------------------------------------------------------- */

static void complain_attach(const struct attach *attach, int error)
{
	switch (error) {
	case -EINVAL:
		complain(attach->channel.name, 0, "not a queue, or its policy is not as given");
		break;
	case -EUSERS:
		complain(attach->channel.name, 0, "all places for subscribers are taken");
		break;
	case -EBUSY:
		complain(attach->where, 0, "something feeds that socket already");
		break;
	case -ENOTSOCK:
	case -EPROTONOSUPPORT:
		complain(attach->where, 0, "not a TCP connection or unix stream socket");
		break;
	case -EOPNOTSUPP:
		complain(NULL, 0, "the kernel module is too old for that");
		break;
	default:
		complain(attach->where, error, "cannot attach");
	}
}

/* A signal has come: end behind the message on its way, if that goes quickly. */
static int stop(struct attach *attach)
{
	int64_t deadline = sluice_deadline_after(STOP_NS);
	int error;

	do {
		error = sluice_feed_stop(attach->feed, 0, deadline);
	} while (error == -EINTR && now() < deadline);
	if (!error)
		return STATUS_OK;
	complain(attach->where, 0, "the peer does not read: closed in the middle of a message");
	return STATUS_FAILURE;
}

static int run(struct attach *attach)
{
	int error;

	do {
		error = sluice_feed_wait(attach->feed, SLUICE_NO_DEADLINE);
	} while (error == -EINTR && !caught_signal());
	switch (error) {
	case 0:
		return STATUS_OK;
	case -EINTR:
		return stop(attach);
	case -ECONNABORTED:
		complain(attach->channel.name, 0, "evicted: it did not keep up");
		return STATUS_FAILURE;
	default:
		complain(attach->where, error, "the connection ended");
		return STATUS_FAILURE;
	}
}

static int write_summary(const struct attach *attach, int status)
{
	struct json_object *object = json_object_new_object();
	struct sluice_feed_stat stat = { 0 };
	char name[PRINTABLE_NAME_SIZE];

	sluice_feed_stat(attach->feed, &stat, sizeof(stat));
	json_add_string(object, "name",
			printable_name((const uint8_t *)attach->channel.name,
				       strlen(attach->channel.name), name));
	json_add_number(object, "messages", stat.messages);
	json_add_number(object, "bytes", stat.bytes);
	json_add_number(object, "refused", stat.refused);
	json_add_bool(object, "cut", stat.flags & SLUICE_FEED_CUT);
	json_add_number(object, "signal", caught_signal());
	json_add_number(object, "status", status);
	return json_write(object, stderr);
}

static int attach_and_run(struct attach *attach)
{
	struct sluice_feed_options how = SLUICE_FEED_OPTIONS_INIT;
	struct sluice_channel *channel;
	int status, error;

	status = open_channel(&attach->channel, &channel);
	if (status)
		return status;
	attach->socket = connect_to(attach->where);
	error = attach->socket;
	if (error >= 0) {
		how.flags = attach->flags;
		error = sluice_feed_attach(channel, attach->socket, &how,
					   &attach->feed);
		if (error)
			complain_attach(attach, error);
	}
	sluice_channel_close(channel);
	if (error)
		return STATUS_FAILURE;
	status = run(attach);
	if (attach->json && write_summary(attach, status) && !status)
		status = STATUS_FAILURE;
	sluice_feed_close(attach->feed);
	return status;
}

int attach_main(int argc, char **argv)
{
	static const struct argp_child children[] = { { &channel_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		options, parse, "NAME HOST:PORT|PATH|fd:N",
		"Connect, and write the messages of the queue NAME there, each whole, until the last publisher has left.",
		children, NULL, NULL,
	};
	struct attach attach = {
		.channel.options = SLUICE_CHANNEL_OPTIONS_INIT,
		.flags = SLUICE_FEED_LINES,
	};
	int status;

	attach.channel.options.access = SLUICE_READ;
	attach.channel.options.config.pattern = SLUICE_QUEUE;
	argp_parse(&argp, argc, argv, 0, NULL, &attach);
	catch_signals();
	status = attach_and_run(&attach);
	die_by_signal();
	return status;
}
