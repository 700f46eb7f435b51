/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the module answers to calls of lockspaces and holders, without a module:
 * open() of the device and ioctl() end here. It decides nothing, it says what
 * the test wants and keeps what the library asked. Other calls are the test's to
 * answer.
 */
#ifndef SLUICE_TESTS_FAKE_LOCKS_H
#define SLUICE_TESTS_FAKE_LOCKS_H

#include <pthread.h>
#include <sluice/sluice.h>

#define FAKE_CALLS	64

/**
 * struct fake_locks - the module, as far as locks go
 * @lock: of all of it
 * @major: of the ABI, 0 takes the library's
 * @features: that INFO tells
 * @error: if not 0, what the next call but INFO fails with
 * @fail_after: calls but INFO that still succeed before @error strikes
 * @calls: numbers of the ioctls but INFO, in order
 * @fds: on which descriptors
 * @count: how many
 * @open: argument of the last LOCKSPACE
 * @created: what LOCKSPACE says
 * @names: how many lockspaces there are, "0000" and so on
 * @resources: for LOCKS: how many resources, of which
 * @each: how many entries each has
 * @deadlocks: for DEADLOCK: how many there are, numbered from 10 in tens
 * @length: of each
 * @kept: holders kept of each
 * @request: argument of the last LOCK
 * @items: the first bytes of the items of the last LOCK, UNLOCK, RENEW, RECOVER
 * @status: that LOCK writes to the items
 * @index: that LOCK says
 * @acted: argument of the last UNLOCK, RENEW, RECOVER
 * @value: argument of the last VALUE
 * @value_status: that VALUE says
 * @event: argument of the last EVENT
 * @block: argument of the last BLOCK
 * @limit: that BLOCK says; of 0 bytes nothing can be mapped
 * @block_size: argument of the last BLOCK_SIZE
 * @block_free: argument of the last BLOCK_FREE
 * @other: if not NULL, answers calls that have nothing to do with locks
 */
struct fake_locks {
	pthread_mutex_t lock;
	uint32_t major;
	uint64_t features;
	int error;
	int fail_after;
	unsigned int calls[FAKE_CALLS];
	int fds[FAKE_CALLS];
	int count;
	struct sluice_lockspace_open open;
	bool created;
	unsigned int names;
	unsigned int resources;
	unsigned int each;
	unsigned int deadlocks;
	unsigned int length;
	unsigned int kept;
	struct sluice_lock request;
	struct sluice_item items[SLUICE_ITEMS_MAX];
	uint32_t status[SLUICE_ITEMS_MAX];
	uint32_t index;
	struct sluice_items acted;
	struct sluice_value value;
	uint32_t value_status;
	struct sluice_lock_event event;
	struct sluice_block_open block;
	uint64_t limit;
	struct sluice_block_size block_size;
	struct sluice_block_free block_free;
	int (*other)(unsigned long request, void *argument);
};

extern struct fake_locks fake_locks;

/* From here on, or with NULL no more, instead of a real module. */
void fake_locks_reset(void);
void fake_locks_off(void);

/* Whether the last calls on @fd were these, in this order; 0 ends the list. */
bool fake_locks_called(int fd, const unsigned int *requests);

#endif /* SLUICE_TESTS_FAKE_LOCKS_H */
