// SPDX-License-Identifier: LGPL-2.1-or-later
/* Lockspaces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "call.h"
#include "lockspace.h"
#include "words.h"

#define LIST_ROOM	32	/* entries fetched at once */
#define LOCKS_ROOM	256
#define CYCLE_ROOM	64

static int lockspace_new(int fd, bool created,
			 const struct sluice_lockspace_config *config,
			 struct sluice_lockspace **out)
{
	struct sluice_lockspace *lockspace = calloc(1, sizeof(*lockspace));

	if (!lockspace)
		return -ENOMEM;
	lockspace->fd = fd;
	lockspace->created = created;
	lockspace->config = *config;
	*out = lockspace;
	return 0;
}

static int call_fill(struct sluice_lockspace_open *call, const char *name,
		     const struct sluice_lockspace_options *options)
{
	struct sluice_lockspace_options known = SLUICE_LOCKSPACE_OPTIONS_INIT;
	size_t length = strlen(name);
	int err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	if (known.resv)
		return -EINVAL;
	if (length > SLUICE_NAME_MAX)
		return -ENAMETOOLONG;
	call->flags = known.flags;
	call->access = known.access;
	call->mode = known.mode;
	call->uid = known.uid;
	call->gid = known.gid;
	call->config = known.config;
	call->name_len = length;
	memcpy(call->name, name, length);
	return 0;
}

static int lockspace_open(const char *name,
			  const struct sluice_lockspace_options *options,
			  uint32_t flags, struct sluice_lockspace **lockspace)
{
	struct sluice_lockspace_open call = { 0 };
	int device, fd, err;

	err = call_fill(&call, name, options);
	if (err)
		return err;
	call.flags |= flags;
	device = sl_device_open(SLUICE_FEATURE_LOCKS);
	if (device < 0)
		return device;
	fd = sl_call(device, SLUICE_IOC_LOCKSPACE, &call);
	close(device);
	if (fd < 0)
		return fd;
	err = lockspace_new(fd, call.created, &call.config, lockspace);
	if (err)
		close(fd);
	return err;
}

int sluice_lockspace_open(const char *name,
			  const struct sluice_lockspace_options *options,
			  struct sluice_lockspace **lockspace)
{
	if (!name || !*name)
		return -EINVAL;
	return lockspace_open(name, options, 0, lockspace);
}

int
sluice_lockspace_open_anonymous(const struct sluice_lockspace_options *options,
				struct sluice_lockspace **lockspace)
{
	return lockspace_open("", options, SLUICE_OPEN_CREATE, lockspace);
}

int sluice_lockspace_from_fd(int fd, struct sluice_lockspace **lockspace)
{
	struct sluice_lockspace_stat stat = { 0 };
	int err = sl_abi_check();

	if (!err)
		err = sl_call(fd, SLUICE_IOC_LOCKSPACE_STAT, &stat);
	if (!err)
		err = lockspace_new(fd, false, &stat.config, lockspace);
	if (!err)
		sl_close_on_exec(fd);
	return err;
}

void sluice_lockspace_close(struct sluice_lockspace *lockspace)
{
	if (!lockspace)
		return;
	sl_words_free(lockspace->words);
	close(lockspace->fd);
	free(lockspace);
}

int sluice_lockspace_trust(struct sluice_lockspace *lockspace)
{
	if (!(lockspace->config.flags & SLUICE_LOCKSPACE_TRUSTED))
		return -EOPNOTSUPP;
	if (!lockspace->words)
		lockspace->words = sl_words_new();
	return lockspace->words ? 0 : -ENOMEM;
}

int sluice_lockspace_fd(const struct sluice_lockspace *lockspace)
{
	return lockspace->fd;
}

bool sluice_lockspace_created(const struct sluice_lockspace *lockspace)
{
	return lockspace->created;
}

const struct sluice_lockspace_config *
sluice_lockspace_config(const struct sluice_lockspace *lockspace)
{
	return &lockspace->config;
}

int sluice_lockspace_restrict(const struct sluice_lockspace *lockspace,
			      unsigned int access)
{
	struct sluice_restrict call = { .access = access };

	return sl_call(lockspace->fd, SLUICE_IOC_RESTRICT, &call);
}

int sluice_lockspace_stat(const struct sluice_lockspace *lockspace,
			  struct sluice_lockspace_stat *stat, size_t size)
{
	memset(stat, 0, size);
	return sl_call_sized(lockspace->fd, SLUICE_IOC_LOCKSPACE_STAT, stat,
			     size);
}

static int list_visit(int fd, struct sluice_lockspace_stat *entries,
		      int (*visit)(const struct sluice_lockspace_stat *stat,
				   void *data), void *data)
{
	struct sluice_list list = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
	};
	int ret;

	do {
		list.count = LIST_ROOM;
		ret = sl_call(fd, SLUICE_IOC_LOCKSPACES, &list);
		for (uint32_t i = 0; !ret && i < list.count; i++)
			ret = visit(&entries[i], data);
	} while (!ret && list.count);
	return ret;
}

int sluice_lockspace_list(int (*visit)(const struct sluice_lockspace_stat *stat,
				       void *data), void *data)
{
	struct sluice_lockspace_stat *entries;
	int fd, ret;

	fd = sl_device_open(SLUICE_FEATURE_LOCKS);
	if (fd < 0)
		return fd;
	entries = calloc(LIST_ROOM, sizeof(*entries));
	ret = entries ? list_visit(fd, entries, visit, data) : -ENOMEM;
	free(entries);
	close(fd);
	return ret;
}

static int locks_visit(int fd, struct sluice_lock_entry *entries,
		       int (*visit)(const struct sluice_lock_entry *entry,
				    void *data), void *data)
{
	struct sluice_locks locks = {
		.entries = (uintptr_t)entries,
		.entry_size = sizeof(*entries),
	};
	int ret;

	do {
		locks.count = LOCKS_ROOM;
		ret = sl_call(fd, SLUICE_IOC_LOCKS, &locks);
		for (uint32_t i = 0; !ret && i < locks.count; i++)
			ret = visit(&entries[i], data);
	} while (!ret && locks.count);
	return ret;
}

int sluice_lockspace_locks(const struct sluice_lockspace *lockspace,
			   int (*visit)(const struct sluice_lock_entry *entry,
					void *data), void *data)
{
	struct sluice_lock_entry *entries;
	int ret;

	entries = calloc(LOCKS_ROOM, sizeof(*entries));
	ret = entries ? locks_visit(lockspace->fd, entries, visit, data) :
			-ENOMEM;
	free(entries);
	return ret;
}

/* Each of an array, for a caller that knows another size of them. */
static int cycle_visit(const struct sluice_deadlock *deadlock,
		       int (*visit)(const struct sluice_deadlock *deadlock,
				    const struct sluice_waits *const *cycle,
				    void *data), void *data)
{
	const struct sluice_waits *waits = (void *)(uintptr_t)deadlock->waits;
	const struct sluice_waits *cycle[CYCLE_ROOM];

	for (uint32_t i = 0; i < deadlock->count; i++)
		cycle[i] = &waits[i];
	return visit(deadlock, cycle, data);
}

static int deadlocks_visit(int fd, struct sluice_waits *waits,
			   int (*visit)(const struct sluice_deadlock *deadlock,
					const struct sluice_waits *const *cycle,
					void *data), void *data)
{
	struct sluice_deadlock deadlock = {
		.waits = (uintptr_t)waits,
		.entry_size = sizeof(*waits),
	};
	int ret;

	for (;;) {
		deadlock.count = CYCLE_ROOM;
		ret = sl_call(fd, SLUICE_IOC_DEADLOCK, &deadlock);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		ret = cycle_visit(&deadlock, visit, data);
		if (ret)
			return ret;
		deadlock.after = deadlock.id;
	}
}

int sluice_lockspace_deadlocks(const struct sluice_lockspace *lockspace,
			       int (*visit)(const struct sluice_deadlock *deadlock,
					    const struct sluice_waits *const *cycle,
					    void *data), void *data)
{
	struct sluice_waits *waits = calloc(CYCLE_ROOM, sizeof(*waits));
	int ret;

	ret = waits ? deadlocks_visit(lockspace->fd, waits, visit, data) :
		      -ENOMEM;
	free(waits);
	return ret;
}
