/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the netlink family tells, by libnl: dumps as arrays of attributes.
 */
#ifndef SELFTESTS_NETLINK_H
#define SELFTESTS_NETLINK_H

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <linux/sluice_netlink.h>

#include "lock.h"

struct told {
	struct nlattr *attr[SLUICE_NL_A_MAX + 1];
	void *memory;
	int len;
};

/* One dump; in the middle of it, after the first message, @disturb is called. */
struct tale {
	size_t n, room;
	struct told *list;
	void (*disturb)(void *arg);
	void *arg;
	bool interrupted;
};

static inline struct nl_sock *netlink_open(void)
{
	struct nl_sock *sock = nl_socket_alloc();

	check(sock);
	check(!genl_connect(sock));
	return sock;
}

static inline int netlink_family(struct nl_sock *sock)
{
	return must(genl_ctrl_resolve(sock, SLUICE_NL_FAMILY));
}

static inline int tale_add(struct nl_msg *msg, void *arg)
{
	struct genlmsghdr *head = genlmsg_hdr(nlmsg_hdr(msg));
	int len = genlmsg_attrlen(head, 0);
	struct tale *tale = arg;
	struct told *told;

	if (tale->n == tale->room) {
		tale->room = tale->room * 2 ?: 64;
		tale->list = realloc(tale->list, tale->room * sizeof(*tale->list));
	}
	told = &tale->list[tale->n++];
	told->memory = malloc(len + 1);
	told->len = len;
	memcpy(told->memory, genlmsg_attrdata(head, 0), len);
	check(!nla_parse(told->attr, SLUICE_NL_A_MAX, told->memory, len, NULL));
	if (tale->n == 1 && tale->disturb)
		tale->disturb(tale->arg);
	return NL_OK;
}

static inline void filter_put(struct nl_msg *msg, int attr, __u64 value)
{
	switch (attr) {
	case SLUICE_NL_A_NAME:
		check(!nla_put_string(msg, attr, (const char *)(uintptr_t)value));
		break;
	case SLUICE_NL_A_UID:
	case SLUICE_NL_A_PID:
	case SLUICE_NL_A_ROLE:
		check(!nla_put_u32(msg, attr, value));
		break;
	default:
		check(!nla_put_u64(msg, attr, value));
	}
}

/* A filter that is not there. */
#define NO_FILTER	0

/* Dumps on @sock, and adds to @tale. Returns 0 or libnl's error, negative. */
static inline int dump_on(struct nl_sock *sock, struct tale *tale, int cmd,
			  int filter, __u64 value, int filter2, __u64 value2)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	struct nl_msg *msg = nlmsg_alloc();
	int ret;

	check(genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, netlink_family(sock), 0,
			  NLM_F_DUMP, cmd, SLUICE_NL_VERSION));
	if (filter)
		filter_put(msg, filter, value);
	if (filter2)
		filter_put(msg, filter2, value2);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, tale_add, tale);
	ret = nl_send_auto(sock, msg);
	if (ret >= 0)
		ret = nl_recvmsgs(sock, cb);
	nlmsg_free(msg);
	nl_cb_put(cb);
	tale->interrupted = ret == -NLE_DUMP_INTR;
	return tale->interrupted || ret > 0 ? 0 : ret;
}

static inline int dump_filtered(struct tale *tale, int cmd, int filter,
				__u64 value, int filter2, __u64 value2)
{
	struct nl_sock *sock = netlink_open();
	int ret = dump_on(sock, tale, cmd, filter, value, filter2, value2);

	nl_socket_free(sock);
	return ret;
}

static inline struct tale dump_where(int cmd, int filter, __u64 value)
{
	struct tale tale = { };

	check(!dump_filtered(&tale, cmd, filter, value, NO_FILTER, 0));
	return tale;
}

static inline struct tale dump_all(int cmd)
{
	return dump_where(cmd, NO_FILTER, 0);
}

static inline void tale_free(struct tale *tale)
{
	while (tale->n)
		free(tale->list[--tale->n].memory);
	free(tale->list);
	memset(tale, 0, sizeof(*tale));
}

static inline __u64 number(const struct told *told, int attr)
{
	const struct nlattr *a = told->attr[attr];

	check(a);
	return nla_len(a) == sizeof(__u32) ? nla_get_u32(a) : nla_get_u64(a);
}

static inline const char *text(const struct told *told, int attr)
{
	return told->attr[attr] ? nla_get_string(told->attr[attr]) : "";
}

static inline bool flag(const struct told *told, int attr)
{
	return told->attr[attr];
}

/* The first one in which @attr is @value, or NULL. */
static inline struct told *told_of(const struct tale *tale, int attr, __u64 value)
{
	size_t i;

	for (i = 0; i < tale->n; i++)
		if (tale->list[i].attr[attr] &&
		    number(&tale->list[i], attr) == value)
			return &tale->list[i];
	return NULL;
}

static inline size_t count_of(const struct tale *tale, int attr, __u64 value)
{
	size_t i, n = 0;

	for (i = 0; i < tale->n; i++)
		n += tale->list[i].attr[attr] &&
			number(&tale->list[i], attr) == value;
	return n;
}

/*
 * Events.
 */
static inline struct nl_sock *listen_to(const char *group)
{
	struct nl_sock *sock = netlink_open();

	nl_socket_disable_seq_check(sock);
	check(!nl_socket_add_membership(sock,
			must(genl_ctrl_resolve_grp(sock, SLUICE_NL_FAMILY, group))));
	check(!nl_socket_set_nonblocking(sock));
	return sock;
}

static inline int event_any_seq(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

/*
 * The next event, or one that is there within PATIENCE_MS. Returns which one, 0
 * if there is none, -ENOBUFS if some were lost.
 */
static inline int event_heard(struct nl_sock *sock, struct tale *tale)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	tale_free(tale);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, tale_add, tale);
	nl_cb_set(cb, NL_CB_SEQ_CHECK, NL_CB_CUSTOM, event_any_seq, NULL);
	ret = nl_recvmsgs(sock, cb);
	nl_cb_put(cb);
	if (ret == -NLE_AGAIN)
		return 0;
	if (ret < 0)
		return ret == -NLE_NOMEM ? -ENOBUFS : -EIO;
	check(tale->n == 1);
	return number(&tale->list[0], SLUICE_NL_A_EVENT);
}

static inline int event_awaited(struct nl_sock *sock, struct tale *tale)
{
	if (!events_within(nl_socket_get_fd(sock), POLLIN, PATIENCE_MS))
		return 0;
	return event_heard(sock, tale);
}

#endif /* SELFTESTS_NETLINK_H */
