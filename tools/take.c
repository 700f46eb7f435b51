// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice lock: taking what the command shall have, and saying why not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lock.h"

/* As flock(1): a file that is not there is made. A fifo must not block us. */
static int open_file(const char *path, uint32_t mode)
{
	int flags = (is_exclusive(mode) ? O_RDWR : O_RDONLY) | O_NOCTTY |
		    O_NONBLOCK | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT)
		fd = open(path, flags | O_CREAT, 0666);
	if (fd < 0 && errno == EISDIR)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		complain(path, -errno, is_exclusive(mode) ?
			 "cannot open for writing, as an exclusive lock needs" :
			 "cannot open");
	return fd;
}

int build_item(struct lock *lock, unsigned int i)
{
	struct sluice_item *item = &lock->items[i];
	int fd;

	if (lock->is_file[i]) {
		fd = open_file(lock->names[i], lock->mode);
		if (fd < 0)
			return -1;
		*item = sluice_item_file(lock->lockspace, fd, lock->mode);
		item->flags |= lock->backing;
	} else {
		*item = sluice_item_name(lock->lockspace, lock->names[i], lock->mode);
	}
	*item = sluice_item_range(*item, lock->start, lock->end);
	if (lock->repair)
		*item = sluice_item_repair(*item);
	return 0;
}

/* The one name to put before a message, NULL if there are several. */
static const char *only_name(const struct lock *lock)
{
	return lock->count == 1 ? lock->names[0] : NULL;
}

static void complain_lock(const struct lock *lock, int error)
{
	const char *name = only_name(lock);

	switch (error) {
	case -EDEADLK:
		complain(name, 0,
			 "deadlock: others wait for each other and for this; see 'sluice deadlocks'");
		break;
	case -ENOTRECOVERABLE:
		complain(name, 0, "declared unrecoverable after an owner died (--repair locks it all the same)");
		break;
	case -EACCES:
		complain(name, 0, "the lockspace does not permit mode %s",
			 mode_name(lock->mode));
		break;
	case -EINVAL:
		complain(name, 0, "cannot lock: is something named twice?");
		break;
	default:
		complain(name, error, "cannot lock");
	}
}

static bool is_item(const struct sluice_item *item, uint64_t start, uint64_t end,
		    uint32_t kind, const uint8_t *key, uint32_t key_len)
{
	struct sluice_file_key file;
	struct stat st;

	if (kind != item->kind || start > item->end || end < item->start)
		return false;
	if (item->kind == SLUICE_KIND_NAME)
		return key_len == item->key_len &&
		       !memcmp(key, item->key, item->key_len);
	memcpy(&file, key, sizeof(file));
	return !fstat(item->fd, &st) && st.st_ino == file.ino &&
	       major(st.st_dev) == file.major && minor(st.st_dev) == file.minor;
}

static int tell_owner(const struct sluice_lock_entry *entry, void *data)
{
	const struct lock *lock = data;
	char comm[COMM_TEXT_SIZE], age[AGE_TEXT_SIZE];

	if (entry->state != SLUICE_LOCK_HELD || entry->mode == SLUICE_NL)
		return 0;
	for (unsigned int i = 0; i < lock->count; i++) {
		if (is_item(&lock->items[i], entry->start, entry->end, entry->kind,
			    entry->key, entry->key_len))
			complain(lock->names[i], 0, "process %d (%s) has had it %s for %s",
				 entry->pid, comm_text(entry->comm, comm),
				 mode_name(entry->mode), age_text(entry->since, age));
	}
	return 0;
}

static int give_up(const struct lock *lock)
{
	if (lock->verbose) {
		complain(only_name(lock), 0, lock->timeout ? "timed out" : "not free");
		sluice_lockspace_locks(lock->lockspace, tell_owner, (void *)lock);
	}
	return lock->conflict;
}

bool is_taken(const struct lock *lock, unsigned int i)
{
	return !(lock->how.flags & SLUICE_LOCK_ANY) || i == lock->index;
}

static void tell_loss(struct lock *lock, const struct sluice_lock_event *event)
{
	for (unsigned int i = 0; i < lock->count; i++) {
		if (is_item(&lock->items[i], event->start, event->end, event->kind,
			    event->key, event->key_len))
			complain(lock->names[i], 0,
				 "lost: the file server has forgotten this lock, and others may have had it since");
	}
	lock->lost = true;
}

void tell_losses(struct lock *lock)
{
	struct sluice_lock_event event;

	while (!sluice_holder_next_event(lock->holder, &event, sizeof(event), NULL,
					 0, 0)) {
		if (event.type == SLUICE_EVENT_REVOKED && event.error)
			tell_loss(lock, &event);
	}
}

static void tell_deaths(const struct lock *lock)
{
	for (unsigned int i = 0; i < lock->count; i++) {
		if (!is_taken(lock, i))
			continue;
		if (lock->items[i].status & SLUICE_UNRECOVERABLE)
			complain(lock->names[i], 0, "locked though it was declared unrecoverable");
		else if (lock->items[i].status & SLUICE_OWNER_DIED)
			complain(lock->names[i], 0, lock->consistent ?
				 "an owner died: what it protects may be half written" :
				 "an owner died: what it protects may be half written (--consistent declares it in order)");
	}
}

int take_items(struct lock *lock)
{
	int64_t start = now();
	int ret;

	lock->how.deadline = lock->timeout < 0 ? SLUICE_NO_DEADLINE :
			     lock->timeout ? sluice_deadline_after(lock->timeout) : 0;
	do {
		ret = sluice_holder_lock(lock->holder, lock->items, lock->count,
					 sizeof(*lock->items), &lock->how, &lock->index);
	} while (ret == -EINTR && !caught_signal());
	if (ret == -EAGAIN || ret == -ETIMEDOUT)
		return give_up(lock);
	if (ret == -EINTR)
		return LOCK_FAILURE;
	if (ret < 0) {
		complain_lock(lock, ret);
		return LOCK_FAILURE;
	}
	if (lock->verbose)
		complain(only_name(lock), 0, "locked after %.6f seconds",
			 (now() - start) / 1e9);
	tell_deaths(lock);
	return 0;
}
