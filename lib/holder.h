/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holders. */
#ifndef SLUICE_HOLDER_H
#define SLUICE_HOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/sluice.h>

/* Lockspaces whose words a holder has asked for; others it asks for anew. */
#define SL_PARTIES	4

/**
 * struct sl_last_word - the lock word that a thread used last
 * @serial: of the lockspace's words, see words.h; 0: none
 * @word: NULL never, if there is one
 * @name: of the resource
 */
struct sl_last_word {
	uint64_t serial;
	uint64_t *word;
	char name[SLUICE_KEY_MAX + 1];
};

/**
 * struct sluice_holder - a holder, or what a child of fork() has of it
 * @fd: of it
 * @is_threads: a thread's own: it ends with the thread
 * @id: its number
 * @alive: see alive.h
 * @last: of a thread's own
 * @parties: likewise: serials of words, 0 for none
 * @party_next: likewise: where the next one goes
 */
struct sluice_holder {
	int fd;
	bool is_threads;
	uint64_t id;
	uint32_t alive;
	struct sl_last_word last;
	uint64_t parties[SL_PARTIES];
	unsigned int party_next;
};

/* An ioctl on it; -ECHILD in a child of fork(). */
int sl_holder_call(const struct sluice_holder *holder, unsigned long request,
		   void *argument);

/* Close and free it, and unlock nothing: what it has, its owner died with. */
void sl_holder_drop(struct sluice_holder *holder);

#endif /* SLUICE_HOLDER_H */
