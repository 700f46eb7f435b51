// SPDX-License-Identifier: LGPL-2.1-or-later
/* The module's answers, without a module; see fake_locks.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "fake_locks.h"

struct fake_locks fake_locks = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool on;

void fake_locks_reset(void)
{
	memset(&fake_locks.major, 0, sizeof(fake_locks) -
	       offsetof(struct fake_locks, major));
	fake_locks.features = SLUICE_FEATURE_LOCKS;
	on = true;
}

void fake_locks_off(void)
{
	on = false;
}

bool fake_locks_called(int fd, const unsigned int *requests)
{
	int n = 0, wanted = 0;

	for (int i = 0; i < fake_locks.count; i++) {
		if (fake_locks.fds[i] != fd)
			continue;
		if (requests[n] != fake_locks.calls[i])
			return false;
		n++;
	}
	while (requests[wanted])
		wanted++;
	return n == wanted;
}

/* Any descriptor that can be closed will do. */
static int descriptor(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static int do_info(struct sluice_info *info)
{
	info->abi_major = fake_locks.major ? fake_locks.major :
					     SLUICE_ABI_MAJOR;
	info->features = fake_locks.features;
	return 0;
}

static int do_lockspace(struct sluice_lockspace_open *open)
{
	fake_locks.open = *open;
	open->created = fake_locks.created;
	open->config.victim = SLUICE_VICTIM_YOUNGEST;
	return descriptor();
}

static int do_stat(struct sluice_lockspace_stat *stat)
{
	stat->id = 77;
	stat->config.victim = SLUICE_VICTIM_PRIORITY;
	return 0;
}

static void *entry(uint64_t entries, uint32_t size, uint32_t i)
{
	return (void *)(uintptr_t)(entries + (uint64_t)i * size);
}

static int do_lockspaces(struct sluice_list *list)
{
	char text[SLUICE_NAME_MAX] = "";
	unsigned int next = 0, n = 0;

	if (list->after_len) {
		memcpy(text, list->after, list->after_len);
		sscanf(text, "%u", &next);
		next++;
	}
	for (; n < list->count && next < fake_locks.names; n++, next++) {
		struct sluice_lockspace_stat *stat =
			entry(list->entries, list->entry_size, n);

		memset(stat, 0, list->entry_size);
		stat->name_len = sprintf((char *)stat->name, "%04u", next);
		list->after_len = stat->name_len;
		memcpy(list->after, stat->name, stat->name_len);
	}
	list->count = n;
	return 0;
}

/* Resources are 1, 3, 5...; a page may end within one. */
static int do_locks(struct sluice_locks *locks)
{
	uint64_t resource = locks->after | 1;
	uint32_t skip = locks->skip, n = 0;

	while (n < locks->count && resource < 2 * fake_locks.resources) {
		struct sluice_lock_entry *e =
			entry(locks->entries, locks->entry_size, n);

		if (skip >= fake_locks.each) {
			resource += 2;
			skip = 0;
			continue;
		}
		memset(e, 0, locks->entry_size);
		e->resource = resource;
		e->holder = ++skip;
		n++;
	}
	locks->after = resource;
	locks->skip = skip;
	locks->count = n;
	return 0;
}

static int do_deadlock(struct sluice_deadlock *deadlock)
{
	uint64_t id = deadlock->after < 10 ? 10 : deadlock->after / 10 * 10 + 10;
	uint32_t n = fake_locks.kept < deadlock->count ? fake_locks.kept :
							 deadlock->count;

	if (id > 10 * fake_locks.deadlocks)
		return -ENOENT;
	deadlock->id = id;
	deadlock->length = fake_locks.length;
	for (uint32_t i = 0; i < n; i++) {
		struct sluice_waits *waits =
			entry(deadlock->waits, deadlock->entry_size, i);

		memset(waits, 0, deadlock->entry_size);
		waits->holder = id + i;
	}
	deadlock->count = n;
	return 0;
}

static int do_holder(struct sluice_holder_new *holder)
{
	static uint64_t id;

	if (holder->flags || holder->resv)
		return -EINVAL;
	holder->id = ++id;
	return descriptor();
}

static void items_keep(uint64_t items, uint32_t size, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		memcpy(&fake_locks.items[i], entry(items, size, i),
		       SLUICE_ITEM_SIZE_1);
}

static int do_lock(struct sluice_lock *lock)
{
	fake_locks.request = *lock;
	items_keep(lock->items, lock->entry_size, lock->count);
	for (uint32_t i = 0; i < lock->count; i++) {
		struct sluice_item *item =
			entry(lock->items, lock->entry_size, i);

		item->token = 100 + i;
		item->status = fake_locks.status[i];
	}
	lock->index = fake_locks.index;
	return 0;
}

static int do_items(struct sluice_items *items)
{
	fake_locks.acted = *items;
	if (items->items)
		items_keep(items->items, items->entry_size, items->count);
	return 0;
}

static int do_value(struct sluice_value *value)
{
	fake_locks.value = *value;
	value->status = fake_locks.value_status;
	if (!(value->flags & SLUICE_VALUE_SET))
		memset(value->value, 0x5a, sizeof(value->value));
	return 0;
}

static int do_event(struct sluice_lock_event *event)
{
	fake_locks.event = *event;
	event->type = SLUICE_EVENT_DONE;
	event->error = EDEADLK;
	return 0;
}

static int do_block(struct sluice_block_open *block)
{
	int fd;

	fake_locks.block = *block;
	block->created = fake_locks.created;
	block->limit = fake_locks.limit;
	if (!fake_locks.limit)
		return descriptor();
	fd = memfd_create("block", MFD_CLOEXEC);
	return ftruncate(fd, fake_locks.limit) ? -EIO : fd;
}

static int do_block_size(struct sluice_block_size *size)
{
	fake_locks.block_size = *size;
	size->size = 5;
	size->used = 4096;
	return 0;
}

static int do_block_free(struct sluice_block_free *range)
{
	fake_locks.block_free = *range;
	return 0;
}

static int answer(unsigned long request, void *argument)
{
	switch (request) {
	case SLUICE_IOC_LOCKSPACE:
		return do_lockspace(argument);
	case SLUICE_IOC_LOCKSPACE_STAT:
		return do_stat(argument);
	case SLUICE_IOC_LOCKSPACES:
		return do_lockspaces(argument);
	case SLUICE_IOC_LOCKS:
		return do_locks(argument);
	case SLUICE_IOC_DEADLOCK:
		return do_deadlock(argument);
	case SLUICE_IOC_HOLDER:
		return do_holder(argument);
	case SLUICE_IOC_LOCK:
		return do_lock(argument);
	case SLUICE_IOC_UNLOCK:
	case SLUICE_IOC_RENEW:
	case SLUICE_IOC_RECOVER:
		return do_items(argument);
	case SLUICE_IOC_VALUE:
		return do_value(argument);
	case SLUICE_IOC_EVENT:
		return do_event(argument);
	case SLUICE_IOC_BLOCK:
		return do_block(argument);
	case SLUICE_IOC_BLOCK_SIZE:
		return do_block_size(argument);
	case SLUICE_IOC_BLOCK_FREE:
		return do_block_free(argument);
	case SLUICE_IOC_WORD:
		return -ENOSPC;
	case SLUICE_IOC_CANCEL:
		return 0;
	default:
		return fake_locks.other ? fake_locks.other(request, argument) :
					  -ENOTTY;
	}
}

static int fake_call(int fd, unsigned long request, void *argument)
{
	int ret;

	if (request == SLUICE_IOC_INFO)
		return do_info(argument);
	pthread_mutex_lock(&fake_locks.lock);
	if (fake_locks.count < FAKE_CALLS) {
		fake_locks.fds[fake_locks.count] = fd;
		fake_locks.calls[fake_locks.count++] = request;
	}
	if (fake_locks.error && fake_locks.fail_after-- <= 0)
		ret = fake_locks.error;
	else
		ret = answer(request, argument);
	pthread_mutex_unlock(&fake_locks.lock);
	return ret;
}

/* The linker leads calls of ioctl(), open() and open64() here. */
int __real_ioctl(int fd, unsigned long request, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	void *argument;
	va_list args;
	int ret;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (!on || fcntl(fd, F_GETFD) < 0)
		return __real_ioctl(fd, request, argument);
	ret = fake_call(fd, request, argument);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

/* The tests make no files: there is no mode to hand on. */
int __wrap_open(const char *path, int flags, ...)
{
	if (on && !strcmp(path, SL_DEVICE))
		return descriptor();
	return __real_open(path, flags);
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags);
}
