// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of trace.h, and what they need to make text.
 */
#include <linux/ctype.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/user_namespace.h>

#include "endpoint.h"
#include "grant.h"
#include "holder.h"
#include "lockspace.h"
#include "publisher.h"
#include "request.h"
#include "subscriber.h"
#include "tunables.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void sluice_trace_name(char *to, const struct sluice_object *object)
{
	BUILD_BUG_ON(SLUICE_TRACE_NAME <= SLUICE_NAME_MAX);
	memcpy(to, object->name.bytes, SLUICE_NAME_MAX);
	to[object->name.len] = 0;
}

static void trace_file(char *to, const struct sluice_key *key)
{
	struct sluice_file_key file;

	memcpy(&file, key->bytes, sizeof(file));
	snprintf(to, SLUICE_TRACE_KEY, "file:%u:%u:%llu", file.major,
		 file.minor, file.ino);
}

void sluice_trace_key(char *to, const struct sluice_key *key)
{
	u32 i;

	BUILD_BUG_ON(SLUICE_TRACE_KEY <= SLUICE_KEY_MAX);
	BUILD_BUG_ON(SLUICE_TRACE_COMM != TASK_COMM_LEN);
	if (key->kind == SLUICE_KIND_FILE)
		return trace_file(to, key);
	for (i = 0; i < key->len; i++)
		to[i] = isascii(key->bytes[i]) && isgraph(key->bytes[i]) ?
			key->bytes[i] : '.';
	to[i] = 0;
}

/* Right after a look at who stands in the way. */
u64 sluice_trace_blocker(const struct sluice_want *want)
{
	if (want->standing)
		return want->standing->holder->id;
	return want->ahead == want ? 0 : want->ahead->holder->id;
}
