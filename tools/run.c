// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Running a command while something is held for it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
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
static void hand_on(pid_t pid, const siginfo_t *info)
{
	if (info->si_code <= 0)
		kill(pid, info->si_signo);
}

static int wait_for(pid_t pid, const sigset_t *set, int *sig)
{
	siginfo_t info;
	int status;

	for (;;) {
		if (sigwaitinfo(set, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD) {
			*sig = info.si_signo;
			hand_on(pid, &info);
		} else if (waitpid(pid, &status, WNOHANG) == pid) {
			return status;
		}
	}
}

int run_under_lock(char **command, int *sig)
{
	pid_t parent = getpid(), pid;
	sigset_t set, mask;

	signal(SIGCHLD, SIG_DFL);
	signals_of_interest(&set);
	sigprocmask(SIG_BLOCK, &set, &mask);
	/* From here on they wait, but one may have come just before. */
	*sig = caught_signal();
	if (*sig)
		return -1;
	pid = fork();
	if (!pid)
		child(command, parent, &mask);
	if (pid < 0) {
		complain(command[0], -errno, "cannot run");
		return -1;
	}
	return wait_for(pid, &set, sig);
}
