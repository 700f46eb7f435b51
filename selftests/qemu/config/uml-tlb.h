/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * For tlb.c of User Mode Linux, whose flush_tlb_mm() walks a process's mappings,
 * though not everybody who calls it keeps them from changing: who takes pages from
 * whoever has mapped a file does not, and may read a tree that is being freed. All
 * it does with each is to have it looked at again, as may be done with all at once.
 */
#include <linux/mm.h>

#undef for_each_vma
#define for_each_vma(iterator, vma)						\
	for ((void)&(iterator),							\
	     vma = &(struct vm_area_struct){ .vm_start = 0, .vm_end = TASK_SIZE }; \
	     vma; vma = NULL)
