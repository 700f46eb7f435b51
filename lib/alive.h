/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is this still the process that made an object, or a child of fork()? */
#ifndef SLUICE_ALIVE_H
#define SLUICE_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

/* A page that reads 1, and 0 in a child of fork(); or NULL: no memory. */
uint32_t *sl_alive_new(void);

/* NULL is allowed. */
void sl_alive_free(uint32_t *alive);

static inline bool sl_alive(const uint32_t *alive)
{
	return *(volatile const uint32_t *)alive == 1;
}

#endif /* SLUICE_ALIVE_H */
