/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * For stacktrace.c of User Mode Linux, which asks of every word on the stack if it
 * is an address of code. The exact answer takes a lock of RCU, of which lockdep
 * must know, and whatever lockdep does masks signals: by system calls of the host,
 * some thousand for each allocation that is traced. What it takes for code here,
 * and is none, it drops, as only what is next to a frame pointer counts.
 */
#include <linux/kernel.h>
#include <linux/pgtable.h>

static inline bool may_be_code(unsigned long address)
{
	return core_kernel_text(address) ||
		(address >= MODULES_VADDR && address < MODULES_END);
}

#define __kernel_text_address	may_be_code
