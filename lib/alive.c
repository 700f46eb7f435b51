// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is this still the process that made an object, or a child of fork()? */
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"

/* All zero in a child of fork(), until something is made there. */
uint32_t *sl_alive_page;

/* The last number given, by this process or by those it was forked from. */
static uint32_t numbers;

static uint32_t *page_map(void)
{
	long size = sysconf(_SC_PAGESIZE);
	uint32_t *page, *theirs = NULL;

	page = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, size, MADV_WIPEONFORK)) {
		munmap(page, size);
		return NULL;
	}
	if (__atomic_compare_exchange_n(&sl_alive_page, &theirs, page, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return page;
	munmap(page, size);
	return theirs;
}

uint32_t sl_alive_number(void)
{
	uint32_t *page = __atomic_load_n(&sl_alive_page, __ATOMIC_ACQUIRE);
	uint32_t number, first = 0;

	if (!page)
		page = page_map();
	if (!page)
		return 0;
	number = __atomic_load_n(page, __ATOMIC_RELAXED);
	if (number)
		return number;
	number = __atomic_add_fetch(&numbers, 1, __ATOMIC_RELAXED);
	if (__atomic_compare_exchange_n(page, &first, number, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return number;
	return first;
}
