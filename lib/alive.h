/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is this still the process that made an object, or a child of fork()?
 *
 * A process has a number, in a page that a child of fork() does not inherit; an
 * object has that of the process that made it.
 */
#ifndef SLUICE_ALIVE_H
#define SLUICE_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

/* Hidden, so that a look at it is one load. */
extern uint32_t *sl_alive_page __attribute__((visibility("hidden")));

/* The number of this process, not 0; or 0: no memory. */
uint32_t sl_alive_number(void);

/* Was something with this number, which was given here once, made by this process? */
static inline bool sl_alive(uint32_t number)
{
	return __atomic_load_n(sl_alive_page, __ATOMIC_RELAXED) == number;
}

#endif /* SLUICE_ALIVE_H */
