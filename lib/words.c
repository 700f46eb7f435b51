// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the lock words of a trusted lockspace are.
 *
 * The kernel is asked once for each name, and once by each holder: so that it
 * knows whose number it may find there. Names are kept for the life of the
 * lockspace in a hash table whose chains only grow, so that reading takes no
 * lock. So they must not grow without end, and a program may well lock names
 * without end: those that have a word the kernel has counted, of those that have
 * none only some are kept. Of the others it is asked whenever they are locked or
 * unlocked, one call more each time.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "call.h"
#include "words.h"

#define CHAINS	1024

/**
 * struct name - a name that was asked for
 * @next: of the chain
 * @word: of it; NULL if it has none
 * @bytes: terminated
 */
struct name {
	struct name *next;
	uint64_t *word;
	char bytes[];
};

/**
 * struct sl_words - what is known of the words of a lockspace
 * @serial: no other of this process has, or had, the same
 * @lock: guards what follows; chains are also read without
 * @map: the words
 * @size: bytes of @map; 0: not mapped yet
 * @wordless: names in @chains that have no word
 * @chains: names by their hashes
 */
struct sl_words {
	uint64_t serial;
	pthread_mutex_t lock;
	unsigned char *map;
	size_t size;
	uint64_t wordless;
	struct name *chains[CHAINS];
};

struct sl_words *sl_words_new(void)
{
	static uint64_t serials;
	struct sl_words *words = calloc(1, sizeof(*words));

	if (!words)
		return NULL;
	words->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
	pthread_mutex_init(&words->lock, NULL);
	return words;
}

void sl_words_free(struct sl_words *words)
{
	struct name *name, *next;

	if (!words)
		return;
	for (size_t i = 0; i < CHAINS; i++) {
		for (name = words->chains[i]; name; name = next) {
			next = name->next;
			free(name);
		}
	}
	if (words->size)
		munmap(words->map, words->size);
	pthread_mutex_destroy(&words->lock);
	free(words);
}

uint64_t sl_words_serial(const struct sl_words *words)
{
	return words->serial;
}

/* FNV-1a, by Fowler, Noll and Vo. */
static struct name **chain_of(struct sl_words *words, const char *bytes)
{
	uint32_t hash = 2166136261;

	while (*bytes)
		hash = (hash ^ (unsigned char)*bytes++) * 16777619;
	return &words->chains[hash % CHAINS];
}

static struct name *name_find(struct sl_words *words, const char *bytes)
{
	struct name *name = sl_load_acquire(chain_of(words, bytes));

	while (name && strcmp(name->bytes, bytes))
		name = name->next;
	return name;
}

/* With words->lock. A name that is not added is asked for again, that is all. */
static void name_add(const struct sluice_lockspace *space, const char *bytes,
		     uint64_t *word)
{
	struct sl_words *words = space->words;
	struct name **chain = chain_of(words, bytes);
	uint64_t most = (uint64_t)space->config.words * SL_WORDLESS;
	struct name *name;

	if (!word && words->wordless >= most)
		return;
	name = malloc(sizeof(*name) + strlen(bytes) + 1);
	if (!name)
		return;
	words->wordless += !word;
	name->next = *chain;
	name->word = word;
	strcpy(name->bytes, bytes);
	sl_store_release(chain, name);
}

static int words_map(struct sl_words *words, int fd, size_t size)
{
	void *map;
	int err;

	if (words->size)
		return 0;
	err = sl_map(fd, 0, size, true, &map);
	if (err)
		return err;
	words->map = map;
	words->size = size;
	return 0;
}

static int word_open(const struct sluice_lockspace *space,
		     struct sluice_holder *holder, const char *bytes,
		     uint64_t **word)
{
	struct sluice_word_open call = {
		.lockspace = space->fd,
		.key_len = strlen(bytes),
	};
	int err;

	memcpy(call.key, bytes, call.key_len);
	err = sl_holder_call(holder, SLUICE_IOC_WORD, &call);
	if (!err)
		err = words_map(space->words, space->fd, call.size);
	if (!err)
		*word = (uint64_t *)(space->words->map + call.offset);
	return err;
}

static bool is_party(const struct sluice_holder *holder, uint64_t serial)
{
	for (size_t i = 0; i < SL_PARTIES; i++)
		if (holder->parties[i] == serial)
			return true;
	return false;
}

static void party_add(struct sluice_holder *holder, uint64_t serial)
{
	holder->parties[holder->party_next++ % SL_PARTIES] = serial;
}

/* There is none, and there will be none: that is worth to be known. */
static bool is_final(int err)
{
	return err == -ENOSPC || err == -EBUSY;
}

static uint64_t *word_ask(const struct sluice_lockspace *space,
			  struct sluice_holder *holder, const char *bytes)
{
	struct sl_words *words = space->words;
	uint64_t *word = NULL;
	int err;

	/*
	 * The thread that has it may have stayed behind in a parent, for ever:
	 * then it is locked through the kernel.
	 */
	if (pthread_mutex_trylock(&words->lock))
		return NULL;
	err = word_open(space, holder, bytes, &word);
	if ((!err || is_final(err)) && !name_find(words, bytes))
		name_add(space, bytes, word);
	pthread_mutex_unlock(&words->lock);
	if (!err)
		party_add(holder, words->serial);
	return word;
}

uint64_t *sl_word_find(const struct sluice_lockspace *space,
		       struct sluice_holder *holder, const char *bytes)
{
	struct sl_words *words = space->words;
	struct sl_last_word *last = &holder->last;
	size_t length = strnlen(bytes, sizeof(last->name));
	struct name *name;
	uint64_t *word;

	if (!length || length == sizeof(last->name))
		return NULL;
	name = name_find(words, bytes);
	if (name && !name->word)
		return NULL;
	word = name && is_party(holder, words->serial) ? name->word :
		word_ask(space, holder, bytes);
	if (!word)
		return NULL;
	last->serial = words->serial;
	last->word = word;
	memcpy(last->name, bytes, length + 1);
	return word;
}
