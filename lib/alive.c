// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is this still the process that made an object, or a child of fork()? */
#include <sys/mman.h>
#include <unistd.h>

#include "alive.h"

uint32_t *sl_alive_new(void)
{
	long size = sysconf(_SC_PAGESIZE);
	uint32_t *alive;

	alive = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alive == MAP_FAILED)
		return NULL;
	if (madvise(alive, size, MADV_WIPEONFORK)) {
		munmap(alive, size);
		return NULL;
	}
	*alive = 1;
	return alive;
}

void sl_alive_free(uint32_t *alive)
{
	if (alive)
		munmap(alive, sysconf(_SC_PAGESIZE));
}
