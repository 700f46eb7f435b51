// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last of a file that a process had, closed by the kernel in its place.
 *
 * Closing can take as long as the file's owner likes: SO_LINGER. What is closed
 * by fput() in a kernel thread is closed by one work that all kernel threads
 * share, so that one such socket would keep everybody's files open.
 *
 * Whether a reference is the last is not known before it is gone. So every one
 * is put with a signal pending, which ends what is waited for interruptibly: for
 * SO_LINGER, of whatever family, and for a terminal to have written all. A
 * release must bear that, for a process that closes a file may have a signal
 * pending as well: what it would have waited for goes on by itself (TCP sends
 * what there is) or is lost. The signal itself is none, and nothing is there to
 * be dequeued; waits that only a fatal one ends, as for a file server, are as
 * long as ever.
 */
#include <linux/file.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "release.h"

void sluice_release(struct file *file)
{
	lockdep_assert(current->flags & PF_KTHREAD);
	set_thread_flag(TIF_SIGPENDING);
	__fput_sync(file);
	clear_thread_flag(TIF_SIGPENDING);
}
