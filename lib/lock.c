// SPDX-License-Identifier: LGPL-2.1-or-later
/* One call each: the holder is the calling thread's own. */
#include <errno.h>
#include <pthread.h>

#include <sluice/sluice.h>

#include "alive.h"
#include "holder.h"
#include "lockspace.h"
#include "words.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

/*
 * Nobody has unlocked what the thread still has: whoever waits for it must be
 * told, as if the process had died. To close the descriptor is not enough: a
 * child of fork() may have another, and this process goes on.
 */
static void thread_ends(void *holder)
{
	sluice_holder_cancel(holder);
	sluice_holder_abandon(holder);
	sl_holder_drop(holder);
}

/* All keys being taken is EAGAIN there, but here that is said of a lock. */
static void key_make(void)
{
	key_error = -pthread_key_create(&key, thread_ends);
	if (key_error == -EAGAIN)
		key_error = -ENOMEM;
}

/* The thread's holder, or NULL if it has none that can be used. */
static int holder_find(struct sluice_holder **out)
{
	struct sluice_holder *holder;

	pthread_once(&once, key_make);
	if (key_error)
		return key_error;
	holder = pthread_getspecific(key);
	if (holder && !sl_alive(holder->alive)) {
		pthread_setspecific(key, NULL);
		sl_holder_drop(holder);
		holder = NULL;
	}
	*out = holder;
	return 0;
}

static int holder_make(struct sluice_holder **out)
{
	struct sluice_holder *holder;
	int err = sluice_holder_open(NULL, &holder);

	if (err)
		return err;
	holder->is_threads = true;
	err = -pthread_setspecific(key, holder);
	if (err)
		sl_holder_drop(holder);
	else
		*out = holder;
	return err;
}

int sluice_thread_holder(struct sluice_holder **holder)
{
	struct sluice_holder *found;
	int err = holder_find(&found);

	if (!err && !found)
		err = holder_make(&found);
	if (!err)
		*holder = found;
	return err;
}

static int item_lock(struct sluice_item item, int64_t deadline)
{
	struct sluice_lock_options options = SLUICE_LOCK_OPTIONS_INIT;
	struct sluice_holder *holder;
	int err = sluice_thread_holder(&holder);

	if (err)
		return err;
	options.deadline = deadline;
	return sluice_holder_lock(holder, &item, 1, sizeof(item), &options,
				  NULL);
}

static int item_unlock(struct sluice_item item)
{
	struct sluice_holder *holder;
	int err = holder_find(&holder);

	if (err || !holder)
		return err;
	return sluice_holder_unlock(holder, &item, 1, sizeof(item));
}

static int item_consistent(struct sluice_item item)
{
	struct sluice_holder *holder;
	int err = sluice_thread_holder(&holder);

	if (err)
		return err;
	return sluice_holder_recover(holder, &item, 1, sizeof(item),
				     SLUICE_RECOVER_CONSISTENT);
}

/* Without a call, if it can be had so. */
static bool word_lock(const struct sluice_lockspace *lockspace,
		      const char *name)
{
	struct sluice_holder *holder;
	uint64_t *word;

	if (sluice_thread_holder(&holder))
		return false;
	word = sl_word(lockspace, holder, name);
	return word && sl_word_lock(word, holder->id);
}

static bool word_unlock(const struct sluice_lockspace *lockspace,
			const char *name)
{
	struct sluice_holder *holder;
	uint64_t *word;

	if (holder_find(&holder) || !holder)
		return false;
	word = sl_word(lockspace, holder, name);
	return word && sl_word_unlock(word, holder->id);
}

int sluice_lock(const struct sluice_lockspace *lockspace, const char *name,
		enum sluice_mode mode, int64_t deadline)
{
	if (lockspace->words && mode == SLUICE_EX && word_lock(lockspace, name))
		return 0;
	return item_lock(sluice_item_name(lockspace, name, mode), deadline);
}

int sluice_trylock(const struct sluice_lockspace *lockspace, const char *name,
		   enum sluice_mode mode)
{
	return sluice_lock(lockspace, name, mode, 0);
}

int sluice_unlock(const struct sluice_lockspace *lockspace, const char *name)
{
	if (lockspace->words && word_unlock(lockspace, name))
		return 0;
	return item_unlock(sluice_item_name(lockspace, name, SLUICE_UNLOCKED));
}

int sluice_consistent(const struct sluice_lockspace *lockspace,
		      const char *name)
{
	return item_consistent(sluice_item_name(lockspace, name,
						SLUICE_UNLOCKED));
}

int sluice_file_lock(const struct sluice_lockspace *lockspace, int fd,
		     enum sluice_mode mode, int64_t deadline)
{
	return item_lock(sluice_item_file(lockspace, fd, mode), deadline);
}

int sluice_file_trylock(const struct sluice_lockspace *lockspace, int fd,
			enum sluice_mode mode)
{
	return sluice_file_lock(lockspace, fd, mode, 0);
}

int sluice_file_unlock(const struct sluice_lockspace *lockspace, int fd)
{
	return item_unlock(sluice_item_file(lockspace, fd, SLUICE_UNLOCKED));
}

int sluice_file_consistent(const struct sluice_lockspace *lockspace, int fd)
{
	return item_consistent(sluice_item_file(lockspace, fd,
						SLUICE_UNLOCKED));
}
