// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the library makes of libnl's errors, without a module: libnl's functions
 * are here, and fail as they are told.
 */
#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <sluice/monitor.h>
#include <stdio.h>

static int sent;

int genl_connect(struct nl_sock *sock)
{
	(void)sock;
	return 0;
}

int genl_ctrl_resolve(struct nl_sock *sock, const char *name)
{
	(void)sock;
	(void)name;
	return 77;
}

int nl_send_auto(struct nl_sock *sock, struct nl_msg *msg)
{
	(void)sock;
	(void)msg;
	return sent;
}

static int see(const struct sluice_monitor_channel *seen, void *arg)
{
	(void)seen;
	(void)arg;
	return 0;
}

int main(void)
{
	static const struct {
		int nl, error;
	} errors[] = {
		{ NLE_NOMEM, -ENOMEM }, { NLE_INTR, -EINTR },
		{ NLE_AGAIN, -EAGAIN }, { NLE_BAD_SOCK, -EIO },
	};
	struct sluice_monitor *monitor;
	int failed = 0, ret;

	if (sluice_monitor_open(&monitor))
		return 1;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		sent = -errors[i].nl;
		ret = sluice_monitor_channels(monitor, NULL, see, NULL);
		if (ret == errors[i].error)
			continue;
		fprintf(stderr, "sending fails with %d of libnl's: %d, not %d\n",
			errors[i].nl, ret, errors[i].error);
		failed = 1;
	}
	sluice_monitor_close(monitor);
	return failed;
}
