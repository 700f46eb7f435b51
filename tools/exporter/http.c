// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who asks, and what for: a small part of HTTP, by libmicrohttpd. Whoever reads
 * its answer slowly keeps nobody waiting; who does nothing is hung up on.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/exporter.h"

/* The kernel is asked in these, so that one long answer does not delay others. */
#define THREADS		4
#define CONNECTIONS	128
#define IDLE_SECONDS	20

#define TEXT_PLAIN	"text/plain; charset=utf-8"
#define TEXT_METRICS	"text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS	"application/openmetrics-text"

static const char front_page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head><meta charset=\"utf-8\"><title>Sluice exporter</title></head>\n"
	"<body><h1>Sluice exporter</h1><p><a href=\"/metrics\">Metrics</a></p></body>\n"
	"</html>\n";

static enum MHD_Result reply(struct MHD_Connection *connection,
			     struct MHD_Response *response, unsigned int status,
			     const char *type)
{
	enum MHD_Result ret = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
				     MHD_HTTP_METHOD_GET ", " MHD_HTTP_METHOD_HEAD)))
		ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result reply_text(struct MHD_Connection *connection,
				  unsigned int status, const char *type,
				  const char *text)
{
	return reply(connection,
		     MHD_create_response_from_buffer(strlen(text), (void *)text,
						     MHD_RESPMEM_PERSISTENT),
		     status, type);
}

static bool wants_openmetrics(struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection,
				MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

	return accept && strstr(accept, OPENMETRICS);
}

static enum MHD_Result reply_metrics(struct exporter *exporter,
				     struct MHD_Connection *connection)
{
	bool openmetrics = wants_openmetrics(connection);
	struct MHD_Response *response;
	size_t len;
	char *text = metrics_text(exporter, openmetrics, &len);

	if (!text)
		return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				  TEXT_PLAIN, "Out of memory.\n");
	response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return reply(connection, response, MHD_HTTP_OK, openmetrics ?
		     OPENMETRICS "; version=1.0.0; charset=utf-8" : TEXT_METRICS);
}

static enum MHD_Result reply_to_get(struct exporter *exporter,
				    struct MHD_Connection *connection,
				    const char *path)
{
	if (!strcmp(path, "/metrics"))
		return reply_metrics(exporter, connection);
	if (!strcmp(path, "/"))
		return reply_text(connection, MHD_HTTP_OK,
				  "text/html; charset=utf-8", front_page);
	return reply_text(connection, MHD_HTTP_NOT_FOUND, TEXT_PLAIN,
			  "There is only /metrics.\n");
}

/*
 * Called when the headers are there, for each piece of the body, and in the end.
 * Who is replied to before the end is hung up on.
 */
static enum MHD_Result answer(void *arg, struct MHD_Connection *connection,
			      const char *path, const char *method,
			      const char *version, const char *data,
			      size_t *data_len, void **state)
{
	bool first = !*state;

	(void)version;
	(void)data;
	*state = connection;
	if (strcmp(method, MHD_HTTP_METHOD_GET) &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD))
		return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				  TEXT_PLAIN, "Only GET and HEAD.\n");
	if (!first && !*data_len)
		return reply_to_get(arg, connection, path);
	*data_len = 0;
	return MHD_YES;
}

/* What clients do wrong is told to them, and nothing that concerns us. */
static void no_log(void *arg, const char *format, va_list args)
{
	(void)arg;
	(void)format;
	(void)args;
}

struct MHD_Daemon *http_start(struct exporter *exporter, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG,
				0, NULL, NULL, answer, exporter,
				MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
				MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_THREAD_POOL_SIZE, THREADS,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				MHD_OPTION_END);
}

void http_stop(struct MHD_Daemon *daemon)
{
	MHD_stop_daemon(daemon);
}
