// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Dumps: asking, and asking again when things changed meanwhile. All messages
 * are kept until the dump is whole, so nobody sees half of one.
 */
#include <errno.h>
#include <stdlib.h>

#include "dump.h"

/* So often it is asked; on a busy machine no dump is of one moment. */
#define TRIES	3

/**
 * struct answers - the messages of a dump
 * @list: references
 * @count: of them
 * @room: for so many
 * @error: why it is not whole
 */
struct answers {
	struct nl_msg **list;
	size_t count;
	size_t room;
	int error;
};

static void answers_clear(struct answers *answers)
{
	while (answers->count)
		nlmsg_free(answers->list[--answers->count]);
	answers->error = 0;
}

static int answers_grow(struct answers *answers)
{
	size_t room = answers->room ? 2 * answers->room : 64;
	struct nl_msg **list;

	list = realloc(answers->list, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	answers->list = list;
	answers->room = room;
	return 0;
}

/* Without memory the rest is read, too, so that the next dump begins anew. */
static int answer(struct nl_msg *msg, void *arg)
{
	struct answers *answers = arg;

	if (!answers->error && answers->count == answers->room)
		answers->error = answers_grow(answers);
	if (!answers->error) {
		nlmsg_get(msg);
		answers->list[answers->count++] = msg;
	}
	return NL_OK;
}

static const struct {
	uint32_t by;
	int attr;
} filters[] = {
	{ SLUICE_MONITOR_CHANNEL, SLUICE_NL_A_CHANNEL },
	{ SLUICE_MONITOR_LOCKSPACE, SLUICE_NL_A_LOCKSPACE },
	{ SLUICE_MONITOR_NAME, SLUICE_NL_A_NAME },
	{ SLUICE_MONITOR_UID, SLUICE_NL_A_UID },
	{ SLUICE_MONITOR_PID, SLUICE_NL_A_PID },
	{ SLUICE_MONITOR_ROLE, SLUICE_NL_A_ROLE },
	{ SLUICE_MONITOR_RESOURCE, SLUICE_NL_A_RESOURCE },
	{ SLUICE_MONITOR_HOLDER, SLUICE_NL_A_HOLDER },
};

#define FILTERS	(sizeof(filters) / sizeof(filters[0]))

static int filter_put(struct nl_msg *msg, int attr,
		      const struct sluice_monitor_filter *filter)
{
	switch (attr) {
	case SLUICE_NL_A_CHANNEL:
		return nla_put_u64(msg, attr, filter->channel);
	case SLUICE_NL_A_LOCKSPACE:
		return nla_put_u64(msg, attr, filter->lockspace);
	case SLUICE_NL_A_RESOURCE:
		return nla_put_u64(msg, attr, filter->resource);
	case SLUICE_NL_A_HOLDER:
		return nla_put_u64(msg, attr, filter->holder);
	case SLUICE_NL_A_NAME:
		return nla_put_string(msg, attr, filter->name);
	case SLUICE_NL_A_UID:
		return nla_put_u32(msg, attr, filter->uid);
	case SLUICE_NL_A_PID:
		return nla_put_u32(msg, attr, filter->pid);
	default:
		return nla_put_u32(msg, attr, filter->role);
	}
}

static int filters_put(struct nl_msg *msg,
		       const struct sluice_monitor_filter *filter)
{
	uint32_t known = 0;
	size_t i;

	for (i = 0; filter && i < FILTERS; i++) {
		known |= filters[i].by;
		if (filter->by & filters[i].by &&
		    filter_put(msg, filters[i].attr, filter))
			return -ENOMEM;
	}
	return filter && filter->by & ~known ? -EINVAL : 0;
}

static int ask(struct sluice_monitor *monitor, int cmd,
	       const struct sluice_monitor_filter *filter)
{
	struct nl_msg *msg = nlmsg_alloc();
	int ret = -ENOMEM;

	if (!msg)
		return -ENOMEM;
	if (genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, monitor->family, 0,
			NLM_F_DUMP, cmd, SLUICE_NL_VERSION))
		ret = filters_put(msg, filter);
	if (!ret) {
		ret = nl_send_auto(monitor->ask, msg);
		ret = error_of_libnl(ret < 0 ? ret : 0);
	}
	nlmsg_free(msg);
	return ret;
}

static int ask_once(struct sluice_monitor *monitor, int cmd,
		    const struct sluice_monitor_filter *filter,
		    struct answers *answers)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (!cb)
		return -ENOMEM;
	answers_clear(answers);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, answer, answers);
	ret = ask(monitor, cmd, filter);
	if (!ret) {
		ret = nl_recvmsgs(monitor->ask, cb);
		if (ret == -NLE_DUMP_INTR)
			ret = SLUICE_MONITOR_INTERRUPTED;
		else
			ret = error_of_libnl(ret < 0 ? ret : 0);
	}
	nl_cb_put(cb);
	return answers->error ? answers->error : ret;
}

int dump(struct sluice_monitor *monitor, int cmd,
	 const struct sluice_monitor_filter *filter,
	 int (*tell)(const struct attributes *attributes, void *arg), void *arg)
{
	struct attributes attributes;
	struct answers answers = { 0 };
	int ret, tries = TRIES, told = 0;
	size_t i;

	do {
		ret = ask_once(monitor, cmd, filter, &answers);
	} while (ret == SLUICE_MONITOR_INTERRUPTED && --tries);
	for (i = 0; ret >= 0 && !told && i < answers.count; i++) {
		told = attributes_parse(&attributes,
					nlmsg_hdr(answers.list[i]));
		if (!told)
			told = tell(&attributes, arg);
	}
	answers_clear(&answers);
	free(answers.list);
	return told ? told : ret;
}
