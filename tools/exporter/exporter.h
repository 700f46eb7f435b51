/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sluice-exporter: counters of channels, lockspaces and limits for Prometheus.
 *
 * main.c	the command line, the listening socket, the end
 * http.c	who asks, and what for
 * metrics.c	what the kernel tells, as metrics
 * exposition.c	metrics as text
 */
#ifndef EXPORTER_EXPORTER_H
#define EXPORTER_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel is asked, in this order. */
enum question { OPEN, ENDPOINTS, CHANNELS, LOCKSPACES, HOLDERS, QUOTAS, QUESTIONS };

/**
 * struct exporter - the program
 * @endpoints: publishers and subscribers have series of their own
 * @limit: so many of a kind have
 * @scrapes: begun
 * @errors: answers that did not come
 * @interrupted: answers that were not of one moment
 *
 * Scrapes go on at the same time, in several threads.
 */
struct exporter {
	bool endpoints;
	uint64_t limit;
	atomic_uint_fast64_t scrapes;
	atomic_uint_fast64_t errors[QUESTIONS];
	atomic_uint_fast64_t interrupted[QUESTIONS];
};

/**
 * metrics_text() - ask the kernel, and write down what it says
 * @exporter: what of it
 * @openmetrics: as exposition_text()
 * @len: out: bytes
 *
 * What the kernel does not tell is left out, and counted. Any thread may call it.
 *
 * Return: what to free(), or NULL without memory.
 */
char *metrics_text(struct exporter *exporter, bool openmetrics, size_t *len);

struct MHD_Daemon;

/**
 * http_start() - answer who connects, from now on
 * @exporter: what to tell
 * @fd: that listens; it is closed in the end
 *
 * Return: NULL if that is impossible.
 */
struct MHD_Daemon *http_start(struct exporter *exporter, int fd);

/* Hang up on all, but not in the midst of asking the kernel. */
void http_stop(struct MHD_Daemon *daemon);

#endif
