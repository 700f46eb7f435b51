// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Running a command while something is held for it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"

static void signals_of_interest(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGCHLD);
}

/*
 * What is held goes with this process, however it ends. A command that went on
 * without it would meet the next one that has it.
 */
static void child(char **command, pid_t parent, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(LOCK_FAILURE);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	complain(command[0], -errno, "cannot run");
	_exit(errno == ENOENT ? LOCK_NO_COMMAND : LOCK_NO_EXEC);
}

/* What the terminal sends it sends to the command, too. */
static void hand_on(pid_t pid, const struct signalfd_siginfo *info)
{
	if (info->ssi_code <= 0)
		kill(pid, info->ssi_signo);
}

static int wait_for(pid_t pid, int signals, int *sig, const struct watch *watch)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = watch->fd, .events = POLLPRI },
	};
	struct signalfd_siginfo info;
	int status;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & POLLPRI)
			watch->tell(watch->data);
		else if (fds[1].revents)
			fds[1].fd = -1;
		if (!fds[0].revents ||
		    read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGCHLD) {
			*sig = info.ssi_signo;
			hand_on(pid, &info);
		} else if (waitpid(pid, &status, WNOHANG) == pid) {
			return status;
		}
	}
}

int run_under_lock(char **command, int *sig, const struct watch *watch)
{
	pid_t parent = getpid(), pid;
	int signals, status;
	sigset_t set, mask;

	signal(SIGCHLD, SIG_DFL);
	signals_of_interest(&set);
	sigprocmask(SIG_BLOCK, &set, &mask);
	/* From here on they wait, but one may have come just before. */
	*sig = caught_signal();
	if (*sig)
		return -1;
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	pid = signals < 0 ? -1 : fork();
	if (!pid)
		child(command, parent, &mask);
	if (pid < 0) {
		complain(command[0], -errno, "cannot run");
		return -1;
	}
	status = wait_for(pid, signals, sig, watch);
	close(signals);
	return status;
}
