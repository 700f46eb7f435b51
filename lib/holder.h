/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holders. */
#ifndef SLUICE_HOLDER_H
#define SLUICE_HOLDER_H

#include <sluice/sluice.h>

/**
 * struct sluice_holder - a holder, or what a child of fork() has of it
 * @fd: of it
 * @is_threads: a thread's own: it ends with the thread
 * @id: its number
 * @alive: see alive.h
 */
struct sluice_holder {
	int fd;
	bool is_threads;
	uint64_t id;
	uint32_t *alive;
};

/* An ioctl on it; -ECHILD in a child of fork(). */
int sl_holder_call(const struct sluice_holder *holder, unsigned long request,
		   void *argument);

/* Close and free it, and unlock nothing: what it has, its owner died with. */
void sl_holder_drop(struct sluice_holder *holder);

#endif /* SLUICE_HOLDER_H */
