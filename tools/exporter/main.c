// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice-exporter, which "sluice exporter" runs. It is a program of its own, so
 * that the command does not load libraries for HTTP.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "exporter/exporter.h"

#define LISTEN_ADDRESS	"127.0.0.1"
#define LISTEN_PORT	"17584"		/* SLUIC on the keys of a telephone */
#define LIMIT		1000

enum { KEY_LISTEN = 'l', KEY_NO_ENDPOINTS = 'E', KEY_LIMIT = 'L' };

static const struct argp_option options[] = {
	{ "listen", KEY_LISTEN, "ADDRESS[:PORT]", 0,
	  "where to be asked (" LISTEN_ADDRESS ":" LISTEN_PORT
	  "); a port of 0 is any", 0 },
	{ "no-endpoints", KEY_NO_ENDPOINTS, NULL, 0,
	  "no series for each publisher and subscriber", 0 },
	{ "limit", KEY_LIMIT, "N", 0,
	  "series for the N oldest channels, lockspaces and so on (1000); the others are counted",
	  0 },
	{ 0 }
};

/**
 * struct settings - what the user said
 * @exporter: what to tell
 * @host: where to listen
 * @port: and on which port
 */
struct settings {
	struct exporter exporter;
	char *host;
	char *port;
};

/* ADDRESS, ADDRESS:PORT, [ADDRESS] or [ADDRESS]:PORT; more colons are IPv6's. */
static void parse_listen(const struct argp_state *state,
			 struct settings *settings, char *arg)
{
	char *colon = strchr(arg, ':');

	settings->host = arg;
	settings->port = LISTEN_PORT;
	if (*arg == '[') {
		char *end = strchr(arg, ']');

		if (!end || (end[1] && end[1] != ':'))
			argp_error(state, "--listen: what is '%s'?", arg);
		settings->host = arg + 1;
		*end = '\0';
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(colon + 1, ':')) {
		colon = NULL;
	}
	if (colon) {
		parse_number(state, "--listen: port", colon + 1, 0, 65535);
		settings->port = colon + 1;
		*colon = '\0';
	}
	if (!*settings->host)
		argp_error(state, "--listen: an address is needed");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct settings *settings = state->input;

	switch (key) {
	case KEY_LISTEN:
		parse_listen(state, settings, arg);
		return 0;
	case KEY_NO_ENDPOINTS:
		settings->exporter.endpoints = false;
		return 0;
	case KEY_LIMIT:
		settings->exporter.limit = parse_number(state, "--limit", arg, 0,
							UINT32_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Return: a socket, or a negative errno value. */
static int listen_on(const struct addrinfo *where)
{
	int fd = socket(where->ai_family, where->ai_socktype | SOCK_CLOEXEC |
			SOCK_NONBLOCK, where->ai_protocol), one = 1, error;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (where->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (!bind(fd, where->ai_addr, where->ai_addrlen) && !listen(fd, SOMAXCONN))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* Return: a socket, or -1 after saying why not. */
static int open_socket(const struct settings *settings)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *where;
	int ret = getaddrinfo(settings->host, settings->port, &hints, &where);

	if (ret) {
		complain(NULL, 0, "%s: no address to listen on: %s", settings->host,
			 gai_strerror(ret));
		return -1;
	}
	ret = listen_on(where);
	freeaddrinfo(where);
	if (ret >= 0)
		return ret;
	complain(NULL, ret, "cannot listen on %s, port %s", settings->host,
		 settings->port);
	return -1;
}

/* The port may be the kernel's choice. */
static void say_where(int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[64], port[16];
	bool brackets;

	if (getsockname(fd, (void *)&address, &len) ||
	    getnameinfo((void *)&address, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	brackets = strchr(host, ':');
	printf("http://%s%s%s:%s/metrics\n", brackets ? "[" : "", host,
	       brackets ? "]" : "", port);
	fflush(stdout);
}

static int serve(struct settings *settings, const sigset_t *ends)
{
	struct MHD_Daemon *daemon;
	int fd = open_socket(settings), sig;

	if (fd < 0)
		return STATUS_FAILURE;
	daemon = http_start(&settings->exporter, fd);
	if (!daemon) {
		complain(NULL, 0, "cannot serve HTTP");
		close(fd);
		return STATUS_FAILURE;
	}
	say_where(fd);
	while (sigwait(ends, &sig))
		;
	http_stop(daemon);
	die_by(sig);
	return STATUS_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, NULL,
		"Tell Prometheus of channels, lockspaces and limits.\v"
		"What is told are those that the caller may see: with CAP_IPC_OWNER, all.",
		NULL, NULL, NULL,
	};
	struct settings settings = {
		.exporter = { .endpoints = true, .limit = LIMIT },
		.host = LISTEN_ADDRESS, .port = LISTEN_PORT,
	};
	sigset_t ends;

	program_begin();
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	/* Before there are threads, which inherit it. */
	sigprocmask(SIG_BLOCK, &ends, NULL);
	return serve(&settings, &ends);
}
