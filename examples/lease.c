// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * lease - one of several leads: it renews its lease while it works, gives way
 * when it learns that somebody waits, and knows when it has been taken for dead.
 *
 *	lease anna & lease berta &
 *
 * Stop the one that leads with SIGSTOP: a second later the other one leads.
 */
#include <errno.h>
#include <error.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <sluice/sluice.h>

#define LEASE 1000000000ULL	/* nanoseconds */

static struct sluice_holder *holder;
static struct sluice_item item;

static void say(const char *who, const char *what)
{
	printf("%s %s\n", who, what);
	fflush(stdout);
}

/* The reason why it does not lead any more. */
static const char *lead(void)
{
	struct pollfd pollfd = { .fd = sluice_holder_fd(holder), .events = POLLPRI };
	struct sluice_lock_event event;

	for (;;) {
		if (poll(&pollfd, 1, LEASE / 1000000 / 4) < 0 && errno != EINTR)
			error(1, errno, "poll");
		while (!sluice_holder_next_event(holder, &event, sizeof(event), NULL, 0, 0)) {
			if (event.type == SLUICE_EVENT_REVOKED)
				return "was too slow";
			if (event.type == SLUICE_EVENT_CONTENDED)
				return "gives way";
		}
		if (sluice_holder_renew(holder, &item, 1, sizeof(item)))
			return "was too slow";
	}
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	int ret;

	if (argc != 2)
		error(2, 0, "usage: lease NAME");
	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open("cluster", &options, &lockspace);
	if (!ret)
		ret = sluice_holder_open(NULL, &holder);
	if (ret)
		error(1, -ret, "cannot take part");
	item = sluice_item_name(lockspace, "leader", SLUICE_EX);
	item = sluice_item_lease(item, LEASE);
	for (;;) {
		ret = sluice_holder_lock(holder, &item, 1, sizeof(item), NULL, NULL);
		if (ret < 0)
			error(1, -ret, "cannot lead");
		say(argv[1], ret & SLUICE_OWNER_DIED ? "leads: the last one died" :
						       "leads");
		if (ret & SLUICE_OWNER_DIED)	/* here it would look after things */
			sluice_holder_recover(holder, &item, 1, sizeof(item),
					      SLUICE_RECOVER_CONSISTENT);
		say(argv[1], lead());
		sluice_holder_unlock(holder, &item, 1, sizeof(item));
		sleep(1);			/* others come first */
	}
}
