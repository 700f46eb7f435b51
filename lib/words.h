/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lock words of trusted lockspaces: locking without a call. */
#ifndef SLUICE_WORDS_H
#define SLUICE_WORDS_H

#include <stdbool.h>
#include <string.h>

#include "holder.h"
#include "lockspace.h"
#include "ring/atomic.h"

/*
 * So many times as many names as there are words are remembered to have none. Of
 * any other the kernel is asked each time: it may have one, that another process
 * asked for first.
 */
#define SL_WORDLESS	4

/* Return: what has no words yet, or NULL: no memory. */
struct sl_words *sl_words_new(void);

/* NULL is allowed. Nobody else may be using it. */
void sl_words_free(struct sl_words *words);

/* Of which lockspace, of all that this process ever opened? */
uint64_t sl_words_serial(const struct sl_words *words);

/**
 * sl_word_find() - the word of a resource
 * @space: has words
 * @holder: of the calling thread; may write it afterwards
 * @name: of the resource
 *
 * Remembers it in @holder, as the last one. May be called by several threads.
 *
 * Return: the word; NULL if it has none, or none can be had now.
 */
uint64_t *sl_word_find(const struct sluice_lockspace *space,
		       struct sluice_holder *holder, const char *name);

/* sl_word_find() of the same one again, as it is in loops, costs next to nothing. */
static inline uint64_t *sl_word(const struct sluice_lockspace *space,
				struct sluice_holder *holder, const char *name)
{
	struct sl_last_word *last = &holder->last;

	if (last->serial == sl_words_serial(space->words) &&
	    !strcmp(last->name, name))
		return last->word;
	return sl_word_find(space, holder, name);
}

/* W2: what who let it go had written, by W1, is seen from here on. */
static inline bool sl_word_lock(uint64_t *word, uint64_t holder)
{
	uint64_t owner = SLUICE_WORD_FREE;

	return __atomic_compare_exchange_n(word, &owner, holder, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) ||
		owner == holder;
}

/* W1: what was written until here is seen by who takes it next, by W2. */
static inline bool sl_word_unlock(uint64_t *word, uint64_t holder)
{
	return __atomic_compare_exchange_n(word, &holder, SLUICE_WORD_FREE,
					   false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

#endif /* SLUICE_WORDS_H */
