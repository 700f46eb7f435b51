// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Ending by a signal in order: the loop that was interrupted writes its
 * summary, then the program dies by that very signal.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd.h"

static volatile sig_atomic_t caught;
static void (*volatile undo_first)(void);

/*
 * A signal can come between the check of caught_signal() and the call that
 * then blocks. So from the first one on a timer goes off ten times a second,
 * and its handler interrupts whatever blocks.
 */
static void on_signal(int sig)
{
	const struct itimerval again = {
		.it_interval = { .tv_usec = 100000 },
		.it_value = { .tv_usec = 100000 },
	};

	if (sig == SIGALRM)
		return;
	/* Whoever asks twice does not want to wait for the summary. */
	if (caught) {
		if (undo_first)
			undo_first();
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	caught = sig;
	setitimer(ITIMER_REAL, &again, NULL);
}

void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal }, old;

	sigaction(SIGALRM, &action, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		/* nohup and background jobs of a plain shell ignore some. */
		sigaction(signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

void undo_at_once(void (*undo)(void))
{
	undo_first = undo;
}

int caught_signal(void)
{
	return caught;
}

void die_by(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
}

void die_by_signal(void)
{
	if (caught)
		die_by(caught);
}
