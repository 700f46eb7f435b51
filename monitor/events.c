// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events: a socket of their own, that dumps do not get into.
 */
#include <errno.h>
#include <string.h>

#include "monitor.h"

static const struct {
	uint32_t group;
	const char *name;
} groups[] = {
	{ SLUICE_MONITOR_LIFECYCLE, SLUICE_NL_LIFECYCLE },
	{ SLUICE_MONITOR_DEADLOCK, SLUICE_NL_DEADLOCK },
	{ SLUICE_MONITOR_PRESSURE, SLUICE_NL_PRESSURE },
};

#define GROUPS	(sizeof(groups) / sizeof(groups[0]))

static int hear_open(struct sluice_monitor *monitor)
{
	struct nl_sock *hear = nl_socket_alloc();
	int ret;

	if (!hear)
		return -ENOMEM;
	ret = genl_connect(hear);
	if (!ret)
		ret = nl_socket_set_nonblocking(hear);
	if (ret) {
		nl_socket_free(hear);
		return error_of_libnl(ret);
	}
	nl_socket_disable_seq_check(hear);
	monitor->hear = hear;
	return 0;
}

static int group_join(struct sluice_monitor *monitor, const char *name)
{
	int ret = genl_ctrl_resolve_grp(monitor->ask, SLUICE_NL_FAMILY, name);

	if (ret >= 0)
		ret = nl_socket_add_membership(monitor->hear, ret);
	return error_of_libnl(ret < 0 ? ret : 0);
}

PUBLIC int sluice_monitor_listen(struct sluice_monitor *monitor, uint32_t wanted)
{
	uint32_t known = 0;
	int ret = 0;
	size_t i;

	for (i = 0; i < GROUPS; i++)
		known |= groups[i].group;
	if (!wanted || wanted & ~known)
		return -EINVAL;
	if (!monitor->hear)
		ret = hear_open(monitor);
	for (i = 0; !ret && i < GROUPS; i++)
		if (wanted & groups[i].group)
			ret = group_join(monitor, groups[i].name);
	return ret;
}

PUBLIC int sluice_monitor_fd(const struct sluice_monitor *monitor)
{
	return monitor->hear ? nl_socket_get_fd(monitor->hear) : -EINVAL;
}

#define NUMBER(which)	attribute_number(&a, SLUICE_NL_A_##which)

static int event_read(struct nl_msg *msg, void *arg)
{
	struct sluice_monitor_event *event = arg;
	struct attributes a;

	if (attributes_parse(&a, nlmsg_hdr(msg)))
		return NL_SKIP;
	event->event = NUMBER(EVENT);
	event->time = NUMBER(TIME);
	event->channel = NUMBER(CHANNEL);
	event->lockspace = NUMBER(LOCKSPACE);
	event->role = NUMBER(ROLE);
	event->index = NUMBER(INDEX);
	event->generation = NUMBER(GENERATION);
	event->reason = NUMBER(REASON);
	event->resource = NUMBER(RESOURCE);
	event->holder = NUMBER(HOLDER);
	event->deadlock = NUMBER(DEADLOCKS);
	event->length = NUMBER(LENGTH);
	event->lag = NUMBER(LAG);
	event->count = NUMBER(COUNT);
	event->uid = NUMBER(UID);
	event->limited = NUMBER(LIMITED);
	event->asked = NUMBER(ASKED);
	event->limit = NUMBER(LIMIT);
	return NL_OK;
}

static int any_sequence(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

PUBLIC int sluice_monitor_next(struct sluice_monitor *monitor,
			       struct sluice_monitor_event *event)
{
	struct nl_cb *cb;
	int ret;

	if (!monitor->hear)
		return -EINVAL;
	cb = nl_cb_alloc(NL_CB_DEFAULT);
	if (!cb)
		return -ENOMEM;
	memset(event, 0, sizeof(*event));
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, event_read, event);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, any_sequence, NULL);
	ret = nl_recvmsgs(monitor->hear, cb);
	nl_cb_put(cb);
	/* libnl's word for the socket's ENOBUFS. */
	if (ret == -NLE_NOMEM)
		return -ENOBUFS;
	if (ret < 0)
		return error_of_libnl(ret);
	return event->event ? 0 : -EAGAIN;
}
