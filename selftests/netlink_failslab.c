// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps and events without memory: a dump says that it failed, or is whole; an
 * event that could not be told fails nothing, and is known to be lost.
 *
 * Needs a kernel with fault injection; elsewhere it is skipped.
 *
 * timeout: 120
 */
#include "inject.h"
#include "netlink.h"

#define STEPS_MAX	500
#define CHANNELS	100

/* Raw, so that nothing but the kernel's memory is asked for. Returns messages. */
static int dump_raw(struct nl_sock *sock, struct nl_msg *request)
{
	static char buf[65536];
	struct nlmsghdr *head;
	int fd = nl_socket_get_fd(sock), len, n = 0;

	nl_complete_msg(sock, request);
	head = nlmsg_hdr(request);
	if (send(fd, head, head->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		len = recv(fd, buf, sizeof(buf), 0);
		if (len < 0)
			return -errno;
		for (head = (void *)buf; nlmsg_ok(head, len);
		     head = nlmsg_next(head, &len)) {
			if (head->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)nlmsg_data(head))->error;
			if (head->nlmsg_type == NLMSG_DONE)
				return *(int *)nlmsg_data(head) ?: n;
			n++;
		}
	}
}

/* Until nothing fails any more, it fails or is whole. */
static void dump_starved(struct __test_metadata *_metadata, int cmd)
{
	unsigned int nth;
	int n, failed = 0, whole = 0;
	bool fired = true;

	for (nth = 1; fired && nth < STEPS_MAX; nth++) {
		struct nl_sock *sock = netlink_open();
		struct nl_msg *request = nlmsg_alloc();

		check(genlmsg_put(request, NL_AUTO_PORT, NL_AUTO_SEQ,
				  netlink_family(sock), 0, NLM_F_DUMP, cmd, 1));
		arm(nth);
		n = dump_raw(sock, request);
		fired = disarm();
		if (n < 0)
			failed++;
		else
			whole++;
		EXPECT_TRUE(n < 0 || n >= CHANNELS) TH_LOG("%u: %d", nth, n);
		EXPECT_TRUE(fired || n >= CHANNELS);
		nlmsg_free(request);
		nl_socket_free(sock);
	}
	EXPECT_FALSE(fired);
	EXPECT_LT(0, failed);
	EXPECT_LT(0, whole);
}

TEST(dumps)
{
	struct cast c;
	char key[8];
	int i;

	if (!injection_set_up())
		SKIP(return, "the kernel has no fault injection");
	cast_make(&c, 2);
	for (i = 0; i < CHANNELS; i++) {
		must(join_role(must(make_channel(NULL, NULL)), SLUICE_PUBLISHER));
		snprintf(key, sizeof(key), "%d", i);
		ASSERT_EQ(0, take(c.h[0], whole(c.space, key, SLUICE_EX)));
	}
	dump_starved(_metadata, SLUICE_NL_CHANNELS);
	dump_starved(_metadata, SLUICE_NL_ENDPOINTS);
	dump_starved(_metadata, SLUICE_NL_RESOURCES);
	dump_starved(_metadata, SLUICE_NL_LOCKS);
}

TEST(events)
{
	struct nl_sock *sock = listen_to(SLUICE_NL_LIFECYCLE);
	int channel, event, lost = 0, heard = 0;
	struct tale tale = { };
	bool fired = true;
	unsigned int nth;

	if (!injection_set_up())
		SKIP(return, "the kernel has no fault injection");
	device();
	for (nth = 1; fired && nth < STEPS_MAX; nth++) {
		arm(nth);
		channel = make_channel(NULL, NULL);
		fired = disarm();
		event = event_heard(sock, &tale);
		lost += channel >= 0 && event == -ENOBUFS;
		heard += event == SLUICE_NL_EVENT_CHANNEL_MADE;
		/* What was made was told, or is known to be missing. */
		EXPECT_TRUE(channel < 0 || event);
		close(channel);
		while (event_heard(sock, &tale))
			;
	}
	EXPECT_FALSE(fired);
	EXPECT_LT(0, lost);
	EXPECT_LT(0, heard);
}

TEST_HARNESS_MAIN
