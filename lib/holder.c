// SPDX-License-Identifier: LGPL-2.1-or-later
/* Holders, and what they take. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "alive.h"
#include "call.h"
#include "holder.h"

static int holder_make(struct sluice_holder *holder, uint32_t flags)
{
	struct sluice_holder_new call = { .flags = flags };
	int device = sl_device_open(SLUICE_FEATURE_LOCKS);

	if (device < 0)
		return device;
	holder->fd = sl_call(device, SLUICE_IOC_HOLDER, &call);
	holder->id = call.id;
	close(device);
	return holder->fd < 0 ? holder->fd : 0;
}

static int holder_new(uint32_t flags, struct sluice_holder **out)
{
	struct sluice_holder *holder = calloc(1, sizeof(*holder));
	int err = -ENOMEM;

	if (!holder)
		return err;
	holder->alive = sl_alive_number();
	if (holder->alive)
		err = holder_make(holder, flags);
	if (err) {
		free(holder);
		return err;
	}
	*out = holder;
	return 0;
}

int sluice_holder_open(const struct sluice_holder_options *options,
		       struct sluice_holder **holder)
{
	struct sluice_holder_options known = SLUICE_HOLDER_OPTIONS_INIT;
	int err = sl_options_take(&known, sizeof(known), options);

	if (err)
		return err;
	if (known.resv)
		return -EINVAL;
	return holder_new(known.flags, holder);
}

void sl_holder_drop(struct sluice_holder *holder)
{
	close(holder->fd);
	free(holder);
}

void sluice_holder_close(struct sluice_holder *holder)
{
	if (!holder)
		return;
	/* What is granted between the two calls would be an owner's death. */
	sluice_holder_cancel(holder);
	sluice_holder_unlock_all(holder);
	if (!holder->is_threads)
		sl_holder_drop(holder);
}

int sluice_holder_fd(const struct sluice_holder *holder)
{
	return holder->fd;
}

uint64_t sluice_holder_id(const struct sluice_holder *holder)
{
	return holder->id;
}

int sl_holder_call(const struct sluice_holder *holder, unsigned long request,
		   void *argument)
{
	if (!sl_alive(holder->alive))
		return -ECHILD;
	return sl_call(holder->fd, request, argument);
}

/* Whether a call may get these. The kernel looks at what is in them. */
static int items_check(const void *items, size_t count, size_t size)
{
	if (!items || !count || count > SLUICE_ITEMS_MAX)
		return -EINVAL;
	if (size < SLUICE_ITEM_SIZE_1 || size > UINT32_MAX)
		return -EINVAL;
	return 0;
}

static struct sluice_item *item_at(const void *items, size_t size, size_t i)
{
	return (struct sluice_item *)((uintptr_t)items + i * size);
}

/* Greater than 0 if something of what was granted is not in order. */
static int status_of(const struct sluice_lock *lock)
{
	const void *items = (void *)(uintptr_t)lock->items;
	uint32_t status = 0;

	if (lock->flags & SLUICE_LOCK_ANY)
		return item_at(items, lock->entry_size, lock->index)->status;
	for (uint32_t i = 0; i < lock->count; i++)
		status |= item_at(items, lock->entry_size, i)->status;
	return status;
}

static int options_take(struct sluice_lock *lock,
			const struct sluice_lock_options *options)
{
	struct sluice_lock_options known = SLUICE_LOCK_OPTIONS_INIT;
	int err = sl_options_take(&known, sizeof(known), options);

	if (err)
		return err;
	lock->flags = known.flags;
	lock->priority = known.priority;
	lock->deadline = known.deadline;
	if (known.deadline <= 0) {
		lock->deadline = SLUICE_NO_DEADLINE;
		lock->flags |= SLUICE_LOCK_TRY;
	}
	if (lock->flags & SLUICE_LOCK_TRY)
		lock->flags &= ~SLUICE_LOCK_ASYNC;
	return 0;
}

int sluice_holder_lock(struct sluice_holder *holder, struct sluice_item *items,
		       size_t count, size_t size,
		       const struct sluice_lock_options *options,
		       uint32_t *index)
{
	struct sluice_lock lock = {
		.items = (uintptr_t)items,
		.count = count,
		.entry_size = size,
	};
	int err = items_check(items, count, size);

	if (!err)
		err = options_take(&lock, options);
	if (!err)
		err = sl_holder_call(holder, SLUICE_IOC_LOCK, &lock);
	if (err)
		return err;
	if (index)
		*index = lock.index;
	return status_of(&lock);
}

/*
 * A copy of @count items as they were taken. What only LOCK has a use for is
 * left out, so that it is no error to hand in the very items.
 */
static int items_copy(struct sluice_item *copy, const void *items,
		      size_t count, size_t size)
{
	size_t known = size < sizeof(*copy) ? size : sizeof(*copy);
	const unsigned char *item;

	for (size_t i = 0; i < count; i++) {
		item = (const unsigned char *)item_at(items, size, i);
		for (size_t j = known; j < size; j++)
			if (item[j])
				return -E2BIG;
		if (known < sizeof(*copy))
			memset(&copy[i], 0, sizeof(*copy));
		memcpy(&copy[i], item, known);
		copy[i].flags = 0;
	}
	return 0;
}

enum { KEEP_MODES, NO_MODES };

static int items_call(const struct sluice_holder *holder, unsigned long request,
		      const void *items, size_t count, size_t size,
		      int modes, uint32_t flags)
{
	struct sluice_item copy[SLUICE_ITEMS_MAX];
	struct sluice_items call = {
		.items = (uintptr_t)copy,
		.count = count,
		.entry_size = sizeof(*copy),
		.flags = flags,
	};
	int err = items_check(items, count, size);

	if (!err)
		err = items_copy(copy, items, count, size);
	if (err)
		return err;
	for (size_t i = 0; i < count && modes == NO_MODES; i++)
		copy[i].mode = SLUICE_UNLOCKED;
	return sl_holder_call(holder, request, &call);
}

/*
 * A mode in an item means that this much is to be left. Who hands in the items
 * as they were taken does not mean that: all of it would still be held.
 */
int sluice_holder_unlock(struct sluice_holder *holder,
			 const struct sluice_item *items, size_t count,
			 size_t size)
{
	return items_call(holder, SLUICE_IOC_UNLOCK, items, count, size,
			  NO_MODES, 0);
}

int sluice_holder_downgrade(struct sluice_holder *holder,
			    const struct sluice_item *items, size_t count,
			    size_t size)
{
	return items_call(holder, SLUICE_IOC_UNLOCK, items, count, size,
			  KEEP_MODES, 0);
}

static int unlock_all(struct sluice_holder *holder, uint32_t flags)
{
	struct sluice_items call = { .flags = SLUICE_UNLOCK_ALL | flags };

	return sl_holder_call(holder, SLUICE_IOC_UNLOCK, &call);
}

int sluice_holder_unlock_all(struct sluice_holder *holder)
{
	return unlock_all(holder, 0);
}

int sluice_holder_abandon(struct sluice_holder *holder)
{
	return unlock_all(holder, SLUICE_UNLOCK_DIED);
}

int sluice_holder_cancel(struct sluice_holder *holder)
{
	return sl_holder_call(holder, SLUICE_IOC_CANCEL, NULL);
}

int sluice_holder_next_event(struct sluice_holder *holder,
			     struct sluice_lock_event *event, size_t size,
			     struct sluice_item *items, size_t count,
			     size_t item_size)
{
	struct sluice_lock_event known = {
		.items = (uintptr_t)items,
		.count = items ? count : 0,
		.entry_size = item_size,
	};
	int err = items ? items_check(items, count, item_size) : 0;

	if (!err)
		err = sl_holder_call(holder, SLUICE_IOC_EVENT, &known);
	if (!err)
		sl_result_give(event, size, &known, sizeof(known));
	return err;
}

int sluice_holder_renew(struct sluice_holder *holder,
			const struct sluice_item *items, size_t count,
			size_t size)
{
	return items_call(holder, SLUICE_IOC_RENEW, items, count, size,
			  KEEP_MODES, 0);
}

int sluice_holder_recover(struct sluice_holder *holder,
			  const struct sluice_item *items, size_t count,
			  size_t size, uint32_t what)
{
	return items_call(holder, SLUICE_IOC_RECOVER, items, count, size,
			  KEEP_MODES, what);
}

static struct sluice_value value_of(const struct sluice_item *item)
{
	struct sluice_value call = {
		.lockspace = item->lockspace,
		.kind = item->kind,
		.fd = item->fd,
		.key_len = item->key_len,
	};

	memcpy(call.key, item->key, sizeof(call.key));
	return call;
}

int sluice_holder_value_get(struct sluice_holder *holder,
			    const struct sluice_item *item, void *value)
{
	struct sluice_value call = value_of(item);
	int err = sl_holder_call(holder, SLUICE_IOC_VALUE, &call);

	if (err)
		return err;
	memcpy(value, call.value, sizeof(call.value));
	return call.status;
}

int sluice_holder_value_set(struct sluice_holder *holder,
			    const struct sluice_item *item, const void *value)
{
	struct sluice_value call = value_of(item);

	call.flags = SLUICE_VALUE_SET;
	memcpy(call.value, value, sizeof(call.value));
	return sl_holder_call(holder, SLUICE_IOC_VALUE, &call);
}
