// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: sockets that hear what is announced, and dumps that
 * are read to the end, in part, or not at all.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sluice_netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actor.h"

#define GROUPS_MAX	8
#define HEAD		((ssize_t)NLMSG_LENGTH(GENL_HDRLEN))

struct request {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	unsigned char attributes[256];
};

static __u16 family;
static __u32 groups[GROUPS_MAX];
static unsigned int n_groups;

static void put(struct request *r, __u16 type, const void *value, size_t len)
{
	struct nlattr a = { .nla_type = type, .nla_len = NLA_HDRLEN + len };
	unsigned char *at = (unsigned char *)r + r->head.nlmsg_len;

	memcpy(at, &a, sizeof(a));
	memcpy(at + NLA_HDRLEN, value, len);
	r->head.nlmsg_len += NLA_ALIGN(a.nla_len);
}

static void begin(struct request *r, __u16 type, __u16 flags, __u8 cmd)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = HEAD;
	r->head.nlmsg_type = type;
	r->head.nlmsg_flags = NLM_F_REQUEST | flags;
	r->genl.cmd = cmd;
	r->genl.version = SLUICE_NL_VERSION;
}

/* Calls @each with what is between @at and @end. */
static void attributes(const unsigned char *at, const unsigned char *end, void *context,
		       void (*each)(void *context, const struct nlattr *a))
{
	while (end - at >= (long)sizeof(struct nlattr)) {
		const struct nlattr *a = (const void *)at;

		if (a->nla_len < sizeof(*a) || a->nla_len > end - at)
			return;
		each(context, a);
		at += NLA_ALIGN(a->nla_len);
	}
}

static const unsigned char *value(const struct nlattr *a)
{
	return (const unsigned char *)a + NLA_HDRLEN;
}

static const unsigned char *end_of(const struct nlattr *a)
{
	return (const unsigned char *)a + a->nla_len;
}

static void group_told(void *context, const struct nlattr *a)
{
	if (a->nla_type == CTRL_ATTR_MCAST_GRP_ID && n_groups < GROUPS_MAX)
		memcpy(&groups[n_groups++], value(a), sizeof(groups[0]));
}

static void groups_told(void *context, const struct nlattr *a)
{
	attributes(value(a), end_of(a), NULL, group_told);
}

static void family_told(void *context, const struct nlattr *a)
{
	if (a->nla_type == CTRL_ATTR_FAMILY_ID)
		memcpy(&family, value(a), sizeof(family));
	if ((a->nla_type & NLA_TYPE_MASK) == CTRL_ATTR_MCAST_GROUPS)
		attributes(value(a), end_of(a), NULL, groups_told);
}

static int netlink_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
}

void netlink_learn(void)
{
	unsigned char buf[4096] __attribute__((aligned(8)));
	struct request r;
	int fd = netlink_socket();
	ssize_t n;

	begin(&r, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY);
	put(&r, CTRL_ATTR_FAMILY_NAME, SLUICE_NL_FAMILY, sizeof(SLUICE_NL_FAMILY));
	if (send(fd, &r, r.head.nlmsg_len, 0) < 0)
		perror("fuzz: netlink");
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > HEAD)
		attributes(buf + HEAD, buf + n, NULL, family_told);
	close(fd);
}

long run_netlink(struct thread *t, const struct step *s)
{
	int fd = netlink_socket(), small = 2048;
	unsigned int i;

	for (i = 0; i < n_groups; i++)
		if (s->param[0] & 1 << i)
			setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
				   sizeof(groups[i]));
	if (s->param[1] & 1)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	thread_keep(t, s->out, fd);
	return fd;
}

/* A filter that could be meant, unless its size is odd. */
static void put_filter(struct thread *t, struct request *r, unsigned int type, unsigned int b)
{
	static const unsigned char sizes[] = { 0, 1, 2, 4, 8, 16, 33, 200 };
	const unsigned char text[64] = { 'a' + b % 5 };
	__u64 number = b & 64 ? b & 63 : t->told->recent[NUMBER_OF][b % RECENT_MAX];

	if (b & 128)
		put(r, type, text, sizes[b % 8]);
	else if (type == SLUICE_NL_A_NAME)
		put(r, type, text, 2);
	else if (type == SLUICE_NL_A_PID)
		put(r, type, &t->told->pid[b % PROCESSES], sizeof(__u32));
	else if (type == SLUICE_NL_A_UID)
		put(r, type, b & 1 ? &(__u32){ 1000 } : &(__u32){ 0 }, sizeof(__u32));
	else if (type == SLUICE_NL_A_ROLE)
		put(r, type, &(__u32){ b % 4 }, sizeof(__u32));
	else
		put(r, type, &number, sizeof(number));
}

static void number_told(void *context, const struct nlattr *a)
{
	__u64 number;

	if (a->nla_len != NLA_HDRLEN + sizeof(number))
		return;
	switch (a->nla_type) {
	case SLUICE_NL_A_CHANNEL:
	case SLUICE_NL_A_LOCKSPACE:
	case SLUICE_NL_A_RESOURCE:
	case SLUICE_NL_A_HOLDER:
		memcpy(&number, value(a), sizeof(number));
		told_value(context, NUMBER_OF, number);
	}
}

/* Messages as long as there are any: what they count. */
static long hear(struct thread *t, int fd, unsigned int times, size_t room)
{
	unsigned char buf[16 << 10] __attribute__((aligned(8)));
	const struct nlmsghdr *head = (const void *)buf;
	long bytes = 0;

	while (times--) {
		ssize_t n = recv(fd, buf, room, MSG_DONTWAIT);

		if (n < HEAD)
			break;
		bytes += n;
		if (head->nlmsg_len <= n)
			attributes(buf + HEAD, buf + head->nlmsg_len, t, number_told);
	}
	return bytes;
}

long run_dump(struct thread *t, const struct step *s)
{
	static const __u8 commands[] = {
		SLUICE_NL_CHANNELS, SLUICE_NL_ENDPOINTS, SLUICE_NL_LOCKSPACES,
		SLUICE_NL_RESOURCES, SLUICE_NL_LOCKS, SLUICE_NL_WAITS, SLUICE_NL_HOLDERS,
		SLUICE_NL_QUOTAS, SLUICE_NL_EVENT, 0, SLUICE_NL_QUOTAS + 1, 255,
	};
	static const __u16 flags[] = {
		NLM_F_DUMP, NLM_F_DUMP, NLM_F_DUMP | NLM_F_ACK, 0, NLM_F_ACK, NLM_F_ROOT,
		NLM_F_DUMP | NLM_F_ECHO, NLM_F_DUMP,
	};
	int fd = thread_fd(t, s->fd);
	struct request r;
	unsigned int i;

	begin(&r, family, flags[s->param[1] % 8], commands[s->param[0] % sizeof(commands)]);
	for (i = 2; i < 6; i += 2)
		if (s->param[i])
			put_filter(t, &r, s->param[i] % 16, s->param[i + 1]);
	if (fd < t->process->first_fd || send(fd, &r, r.head.nlmsg_len, MSG_DONTWAIT) < 0)
		return -errno;
	return hear(t, fd, s->param[6] % 4, s->param[6] & 4 ? 512 : 16 << 10);
}
