// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the library makes of a call before it is the kernel's, and afterwards. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block.h"
#include "fake_locks.h"
#include "holder.h"
#include "suites.h"
#include "words.h"

static struct sluice_lockspace *lockspace;
static struct sluice_holder *holder;

static void setup(void)
{
	fake_locks_reset();
	ck_assert_int_eq(sluice_lockspace_open_anonymous(NULL, &lockspace), 0);
	ck_assert_int_eq(sluice_holder_open(NULL, &holder), 0);
	fake_locks.count = 0;
}

static void teardown(void)
{
	fake_locks.error = 0;
	sluice_holder_close(holder);
	sluice_lockspace_close(lockspace);
	fake_locks_off();
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* Modules that are too old, or too new. */

static int visit_none(const struct sluice_lockspace_stat *stat, void *data)
{
	(void)stat;
	(void)data;
	return -EUCLEAN;
}

static void expect_module_error(int error)
{
	struct sluice_lockspace *ls;
	struct sluice_holder *h;

	fake_locks.names = 1;
	ck_assert_int_eq(sluice_lockspace_open("x", NULL, &ls), error);
	ck_assert_int_eq(sluice_lockspace_open_anonymous(NULL, &ls), error);
	ck_assert_int_eq(sluice_lockspace_list(visit_none, NULL), error);
	ck_assert_int_eq(sluice_holder_open(NULL, &h), error);
	ck_assert_int_eq(fake_locks.count, 0);
}

static int visit_no_channel(const struct sluice_stat *stat, void *data)
{
	(void)stat;
	(void)data;
	return -EUCLEAN;
}

/* Channels are refused likewise, and it is told which version it is. */
static void expect_other_major(void)
{
	struct sluice_channel *channel;
	struct sluice_info info;

	ck_assert_int_eq(sluice_channel_open("x", NULL, &channel),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(sluice_channel_open_anonymous(NULL, &channel),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(sluice_channel_list(visit_no_channel, NULL),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(fake_locks.count, 0);
	ck_assert_int_eq(sluice_query_info(&info, sizeof(info)),
			 -EPROTONOSUPPORT);
	ck_assert_uint_eq(info.abi_major, SLUICE_ABI_MAJOR + 1);
}

START_TEST(other_modules)
{
	fake_locks.features = ~SLUICE_FEATURE_LOCKS;
	expect_module_error(-EOPNOTSUPP);
	fake_locks.features = ~0ULL;
	fake_locks.major = SLUICE_ABI_MAJOR + 1;
	expect_module_error(-EPROTONOSUPPORT);
	expect_other_major();
}
END_TEST

/* Lockspaces. */

START_TEST(opening)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	const struct sluice_lockspace_open *open = &fake_locks.open;
	struct sluice_lockspace *ls;

	ck_assert_uint_eq(open->flags, SLUICE_OPEN_CREATE);
	ck_assert_uint_eq(open->name_len, 0);
	options.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL;
	options.access = SLUICE_READ;
	options.mode = 0640;
	options.gid = 5;
	options.config.victim = SLUICE_VICTIM_PRIORITY;
	fake_locks.created = true;
	ck_assert_int_eq(sluice_lockspace_open("stock", &options, &ls), 0);
	ck_assert_uint_eq(open->flags, options.flags);
	ck_assert_uint_eq(open->access, SLUICE_READ);
	ck_assert_uint_eq(open->mode, 0640);
	ck_assert_uint_eq(open->uid, SLUICE_ID_DEFAULT);
	ck_assert_uint_eq(open->gid, 5);
	ck_assert_uint_eq(open->config.victim, SLUICE_VICTIM_PRIORITY);
	ck_assert_uint_eq(open->name_len, 5);
	ck_assert_mem_eq(open->name, "stock\0\0", 7);
	ck_assert(sluice_lockspace_created(ls));
	ck_assert(!sluice_lockspace_created(lockspace));
	ck_assert_uint_eq(sluice_lockspace_config(ls)->victim,
			  SLUICE_VICTIM_YOUNGEST);
	sluice_lockspace_close(ls);
	sluice_lockspace_close(NULL);
}
END_TEST

START_TEST(opening_nonsense)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_holder_options how = SLUICE_HOLDER_OPTIONS_INIT;
	char long_name[SLUICE_NAME_MAX + 2] = "";
	struct sluice_lockspace *ls;
	struct sluice_holder *h;

	memset(long_name, 'x', SLUICE_NAME_MAX + 1);
	ck_assert_int_eq(sluice_lockspace_open(NULL, NULL, &ls), -EINVAL);
	ck_assert_int_eq(sluice_lockspace_open("", NULL, &ls), -EINVAL);
	ck_assert_int_eq(sluice_lockspace_open(long_name, NULL, &ls),
			 -ENAMETOOLONG);
	options.resv = 1;
	ck_assert_int_eq(sluice_lockspace_open("x", &options, &ls), -EINVAL);
	how.resv = 1;
	ck_assert_int_eq(sluice_holder_open(&how, &h), -EINVAL);
	ck_assert_int_eq(fake_locks.count, 0);
	how.resv = 0;
	how.flags = 1;
	ck_assert_int_eq(sluice_holder_open(&how, &h), -EINVAL);
	fake_locks.error = -EDQUOT;
	ck_assert_int_eq(sluice_lockspace_open("x", NULL, &ls), -EDQUOT);
	ck_assert_int_eq(sluice_holder_open(NULL, &h), -EDQUOT);
}
END_TEST

START_TEST(from_descriptor)
{
	int fd = open("/dev/null", O_RDWR);
	struct sluice_lockspace *ls;

	fake_locks.error = -ENOTTY;
	ck_assert_int_eq(sluice_lockspace_from_fd(fd, &ls), -ENOTTY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	fake_locks.error = 0;
	ck_assert_int_eq(sluice_lockspace_from_fd(fd, &ls), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(sluice_lockspace_fd(ls), fd);
	ck_assert_uint_eq(sluice_lockspace_config(ls)->victim,
			  SLUICE_VICTIM_PRIORITY);
	sluice_lockspace_close(ls);
	ck_assert(!is_open(fd));
	ck_assert_int_eq(sluice_lockspace_from_fd(fd, &ls), -EBADF);
}
END_TEST

/* What comes in pages: each once, in order. */

static int count_names(const struct sluice_lockspace_stat *stat, void *data)
{
	unsigned int *next = data;
	char text[8];

	ck_assert_int_eq(snprintf(text, sizeof(text), "%04u", *next),
			 stat->name_len);
	ck_assert_mem_eq(stat->name, text, 4);
	return ++*next == 70 ? -EUCLEAN : 0;
}

START_TEST(listing)
{
	static const unsigned int numbers[] = { 0, 1, 31, 32, 33, 64, 69 };
	unsigned int next;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		fake_locks.names = numbers[i];
		next = 0;
		ck_assert_int_eq(sluice_lockspace_list(count_names, &next), 0);
		ck_assert_uint_eq(next, numbers[i]);
	}
	fake_locks.names = 100;
	next = 0;
	ck_assert_int_eq(sluice_lockspace_list(count_names, &next), -EUCLEAN);
	ck_assert_uint_eq(next, 70);
	fake_locks.error = -EIO;
	fake_locks.fail_after = 1;
	next = 0;
	ck_assert_int_eq(sluice_lockspace_list(count_names, &next), -EIO);
	ck_assert_uint_eq(next, 32);
}
END_TEST

struct seen {
	uint64_t resource;
	uint64_t holder;
	unsigned int count;
	unsigned int stop;
};

static int count_locks(const struct sluice_lock_entry *entry, void *data)
{
	struct seen *seen = data;

	if (entry->resource == seen->resource) {
		ck_assert_uint_eq(entry->holder, seen->holder + 1);
	} else {
		ck_assert_uint_gt(entry->resource, seen->resource);
		ck_assert_uint_eq(entry->holder, 1);
	}
	seen->resource = entry->resource;
	seen->holder = entry->holder;
	return ++seen->count == seen->stop ? 5 : 0;
}

START_TEST(walking)
{
	static const unsigned int shapes[][2] = {
		{ 0, 1 }, { 1, 1 }, { 255, 1 }, { 256, 1 }, { 257, 1 },
		{ 1, 1000 }, { 3, 300 }, { 128, 4 }, { 100, 7 },
	};
	struct seen seen;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		fake_locks.resources = shapes[i][0];
		fake_locks.each = shapes[i][1];
		seen = (struct seen){ 0 };
		ck_assert_int_eq(sluice_lockspace_locks(lockspace, count_locks,
							&seen), 0);
		ck_assert_uint_eq(seen.count, shapes[i][0] * shapes[i][1]);
	}
	seen = (struct seen){ .stop = 400 };
	ck_assert_int_eq(sluice_lockspace_locks(lockspace, count_locks, &seen),
			 5);
	ck_assert_uint_eq(seen.count, 400);
	fake_locks.error = -EIO;
	ck_assert_int_eq(sluice_lockspace_locks(lockspace, count_locks, &seen),
			 -EIO);
}
END_TEST

static int count_deadlocks(const struct sluice_deadlock *deadlock,
			   const struct sluice_waits *const *cycle, void *data)
{
	struct seen *seen = data;

	ck_assert_uint_eq(deadlock->id, seen->resource + 10);
	ck_assert_uint_eq(deadlock->length, fake_locks.length);
	for (uint32_t i = 0; i < deadlock->count; i++)
		ck_assert_uint_eq(cycle[i]->holder, deadlock->id + i);
	seen->resource = deadlock->id;
	seen->holder = deadlock->count;
	return ++seen->count == seen->stop ? 5 : 0;
}

START_TEST(deadlocks)
{
	struct seen seen = { 0 };

	ck_assert_int_eq(sluice_lockspace_deadlocks(lockspace, count_deadlocks,
						    &seen), 0);
	ck_assert_uint_eq(seen.count, 0);
	fake_locks.deadlocks = 16;
	fake_locks.length = 1000;
	fake_locks.kept = 32;
	ck_assert_int_eq(sluice_lockspace_deadlocks(lockspace, count_deadlocks,
						    &seen), 0);
	ck_assert_uint_eq(seen.count, 16);
	ck_assert_uint_eq(seen.holder, 32);
	fake_locks.kept = 500;
	seen = (struct seen){ .stop = 3 };
	ck_assert_int_eq(sluice_lockspace_deadlocks(lockspace, count_deadlocks,
						    &seen), 5);
	ck_assert_uint_eq(seen.count, 3);
	ck_assert_uint_le(seen.holder, 500);
	fake_locks.error = -EIO;
	ck_assert_int_eq(sluice_lockspace_deadlocks(lockspace, count_deadlocks,
						    &seen), -EIO);
}
END_TEST

/* Items. */

START_TEST(building)
{
	char longest[SLUICE_KEY_MAX + 2] = "";
	struct sluice_item item, other;

	item = sluice_item_name(lockspace, "a b", SLUICE_PR);
	ck_assert_int_eq(item.lockspace, sluice_lockspace_fd(lockspace));
	ck_assert_uint_eq(item.kind, SLUICE_KIND_NAME);
	ck_assert_uint_eq(item.mode, SLUICE_PR);
	ck_assert_uint_eq(item.key_len, 3);
	ck_assert_mem_eq(item.key, "a b\0", 4);
	ck_assert_uint_eq(item.start, 0);
	ck_assert_uint_eq(item.end, SLUICE_END);
	ck_assert_uint_eq(item.flags | item.lease | item.resv | item.token |
			  item.status, 0);
	other = sluice_item_bytes(lockspace, "a\0b", 3, SLUICE_PR);
	ck_assert_uint_eq(other.key_len, 3);
	ck_assert_mem_eq(other.key, "a\0b\0", 4);
	item = sluice_item_repair(sluice_item_lease(
			sluice_item_range(item, 5, 9), 1000));
	ck_assert_uint_eq(item.start, 5);
	ck_assert_uint_eq(item.end, 9);
	ck_assert_uint_eq(item.lease, 1000);
	ck_assert_uint_eq(item.flags, SLUICE_ITEM_REPAIR);
	item = sluice_item_flock(sluice_item_fcntl(item));
	ck_assert_uint_eq(item.flags, SLUICE_ITEM_REPAIR | SLUICE_ITEM_FCNTL |
				      SLUICE_ITEM_FLOCK);
	item = sluice_item_file(lockspace, 42, SLUICE_EX);
	ck_assert_uint_eq(item.kind, SLUICE_KIND_FILE);
	ck_assert_int_eq(item.fd, 42);
	ck_assert_uint_eq(item.key_len, 0);
	ck_assert_uint_eq(item.end, SLUICE_END);
	memset(longest, 'x', SLUICE_KEY_MAX);
	item = sluice_item_name(lockspace, longest, SLUICE_EX);
	ck_assert_uint_eq(item.key_len, SLUICE_KEY_MAX);
	ck_assert_mem_eq(item.key, longest, SLUICE_KEY_MAX);
	/* The kernel shall see that it is too long, and read nothing. */
	memset(longest, 'x', SLUICE_KEY_MAX + 1);
	item = sluice_item_name(lockspace, longest, SLUICE_EX);
	ck_assert_uint_gt(item.key_len, SLUICE_KEY_MAX);
	item = sluice_item_bytes(lockspace, longest, SIZE_MAX, SLUICE_EX);
	ck_assert_uint_gt(item.key_len, SLUICE_KEY_MAX);
}
END_TEST

/* Requests. */

/* An item of a later edition. */
struct newer_item {
	struct sluice_item known;
	uint64_t unknown[3];
};

START_TEST(locking)
{
	struct sluice_lock_options options = SLUICE_LOCK_OPTIONS_INIT;
	const struct sluice_lock *request = &fake_locks.request;
	struct sluice_item items[3];
	uint32_t index = 9;

	for (int i = 0; i < 3; i++)
		items[i] = sluice_item_bytes(lockspace, &i, 1, SLUICE_EX);
	ck_assert_int_eq(sluice_holder_lock(holder, items, 3, sizeof(*items),
					    NULL, NULL), 0);
	ck_assert_uint_eq(request->count, 3);
	ck_assert_uint_eq(request->entry_size, sizeof(struct sluice_item));
	ck_assert_uint_eq(request->flags, 0);
	ck_assert_int_eq(request->priority, 0);
	ck_assert_int_eq(request->deadline, SLUICE_NO_DEADLINE);
	ck_assert_uint_eq(items[2].token, 102);
	options.flags = SLUICE_LOCK_ANY | SLUICE_LOCK_ASYNC;
	options.priority = -7;
	options.deadline = 123;
	fake_locks.index = 2;
	ck_assert_int_eq(sluice_holder_lock(holder, items, 3, sizeof(*items),
					    &options, &index), 0);
	ck_assert_uint_eq(request->flags, SLUICE_LOCK_ANY | SLUICE_LOCK_ASYNC);
	ck_assert_int_eq(request->priority, -7);
	ck_assert_int_eq(request->deadline, 123);
	ck_assert_uint_eq(index, 2);
	options.deadline = 0;
	ck_assert_int_eq(sluice_holder_lock(holder, items, 3, sizeof(*items),
					    &options, &index), 0);
	ck_assert_uint_eq(request->flags, SLUICE_LOCK_ANY | SLUICE_LOCK_TRY);
	ck_assert_int_gt(request->deadline, 0);
	fake_locks.error = -EDEADLK;
	index = 9;
	ck_assert_int_eq(sluice_holder_lock(holder, items, 3, sizeof(*items),
					    NULL, &index), -EDEADLK);
	ck_assert_uint_eq(index, 9);
}
END_TEST

START_TEST(owners_that_died)
{
	struct sluice_lock_options any = SLUICE_LOCK_OPTIONS_INIT;
	struct newer_item items[3];

	any.flags = SLUICE_LOCK_ANY;
	memset(items, 0, sizeof(items));
	for (int i = 0; i < 3; i++)
		items[i].known = sluice_item_bytes(lockspace, &i, 1, SLUICE_EX);
	fake_locks.status[2] = SLUICE_OWNER_DIED;
	ck_assert_int_eq(sluice_holder_lock(holder, &items[0].known, 3,
					    sizeof(*items), NULL, NULL),
			 SLUICE_OWNER_DIED);
	ck_assert_uint_eq(items[2].known.status, SLUICE_OWNER_DIED);
	ck_assert_uint_eq(items[1].known.status, 0);
	ck_assert_uint_eq(fake_locks.items[2].key[0], 2);
	fake_locks.status[0] = SLUICE_UNRECOVERABLE;
	ck_assert_int_eq(sluice_holder_lock(holder, &items[0].known, 3,
					    sizeof(*items), NULL, NULL),
			 SLUICE_OWNER_DIED | SLUICE_UNRECOVERABLE);
	/* What was not granted is not told. */
	fake_locks.index = 1;
	ck_assert_int_eq(sluice_holder_lock(holder, &items[0].known, 3,
					    sizeof(*items), &any, NULL), 0);
	fake_locks.index = 2;
	ck_assert_int_eq(sluice_holder_lock(holder, &items[0].known, 3,
					    sizeof(*items), &any, NULL),
			 SLUICE_OWNER_DIED);
}
END_TEST

START_TEST(requests_that_cannot_be)
{
	struct sluice_item items[SLUICE_ITEMS_MAX + 1];
	struct sluice_lock_options options = { .size = 1 };
	struct sluice_item one = sluice_item_name(lockspace, "x", SLUICE_EX);

	for (int i = 0; i <= SLUICE_ITEMS_MAX; i++)
		items[i] = sluice_item_bytes(lockspace, &i, 1, SLUICE_EX);
	ck_assert_int_eq(sluice_holder_lock(holder, NULL, 1, sizeof(one), NULL,
					    NULL), -EINVAL);
	ck_assert_int_eq(sluice_holder_lock(holder, &one, 0, sizeof(one), NULL,
					    NULL), -EINVAL);
	ck_assert_int_eq(sluice_holder_lock(holder, items, SLUICE_ITEMS_MAX + 1,
					    sizeof(one), NULL, NULL), -EINVAL);
	ck_assert_int_eq(sluice_holder_lock(holder, &one, 1,
					    SLUICE_ITEM_SIZE_1 - 8, NULL, NULL),
			 -EINVAL);
	ck_assert_int_eq(sluice_holder_lock(holder, &one, 1, SIZE_MAX, NULL,
					    NULL), -EINVAL);
	ck_assert_int_eq(sluice_holder_lock(holder, &one, 1, sizeof(one),
					    &options, NULL), -EINVAL);
	ck_assert_int_eq(sluice_holder_unlock(holder, items,
					      SLUICE_ITEMS_MAX + 1,
					      sizeof(one)), -EINVAL);
	ck_assert_int_eq(sluice_holder_renew(holder, &one, 0, sizeof(one)),
			 -EINVAL);
	ck_assert_int_eq(fake_locks.count, 0);
	ck_assert_int_eq(sluice_holder_lock(holder, items, SLUICE_ITEMS_MAX,
					    sizeof(one), NULL, NULL), 0);
}
END_TEST

START_TEST(unlocking)
{
	struct newer_item items[2], before[2];
	const struct sluice_items *acted = &fake_locks.acted;

	memset(items, 0, sizeof(items));
	items[0].known = sluice_item_name(lockspace, "a", SLUICE_EX);
	items[1].known = sluice_item_repair(sluice_item_lease(
		sluice_item_range(sluice_item_name(lockspace, "bc", SLUICE_PR),
				  7, 8), 9));
	memcpy(before, items, sizeof(items));
	ck_assert_int_eq(sluice_holder_unlock(holder, &items[0].known, 2,
					      sizeof(*items)), 0);
	ck_assert_mem_eq(items, before, sizeof(items));
	ck_assert_uint_eq(acted->count, 2);
	ck_assert_uint_eq(acted->flags, 0);
	ck_assert_uint_eq(fake_locks.items[0].mode, SLUICE_UNLOCKED);
	ck_assert_uint_eq(fake_locks.items[1].mode, SLUICE_UNLOCKED);
	ck_assert_uint_eq(fake_locks.items[1].start, 7);
	ck_assert_uint_eq(fake_locks.items[1].end, 8);
	ck_assert_uint_eq(fake_locks.items[1].key_len, 2);
	ck_assert_uint_eq(fake_locks.items[1].flags, 0);
	ck_assert_int_eq(sluice_holder_downgrade(holder, &items[0].known, 2,
						 sizeof(*items)), 0);
	ck_assert_uint_eq(fake_locks.items[1].mode, SLUICE_PR);
	ck_assert_uint_eq(fake_locks.items[1].flags, 0);
	items[1].unknown[2] = 1;
	ck_assert_int_eq(sluice_holder_unlock(holder, &items[0].known, 2,
					      sizeof(*items)), -E2BIG);
	ck_assert_int_eq(sluice_holder_downgrade(holder, &items[0].known, 2,
						 sizeof(*items)), -E2BIG);
	ck_assert_int_eq(sluice_holder_unlock_all(holder), 0);
	ck_assert_uint_eq(acted->flags, SLUICE_UNLOCK_ALL);
	ck_assert_uint_eq(acted->count | acted->items, 0);
	ck_assert_int_eq(sluice_holder_abandon(holder), 0);
	ck_assert_uint_eq(acted->flags, SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED);
}
END_TEST

START_TEST(recovering)
{
	struct sluice_item item = sluice_item_lease(sluice_item_flock(
		sluice_item_file(lockspace, 5, SLUICE_EX)), 77);

	ck_assert_int_eq(sluice_holder_recover(holder, &item, 1, sizeof(item),
					       SLUICE_RECOVER_LOST), 0);
	ck_assert_uint_eq(fake_locks.acted.flags, SLUICE_RECOVER_LOST);
	ck_assert_int_eq(sluice_holder_renew(holder, &item, 1, sizeof(item)),
			 0);
	ck_assert_uint_eq(fake_locks.acted.flags, 0);
	ck_assert_uint_eq(fake_locks.items[0].flags, 0);
	ck_assert_uint_eq(fake_locks.items[0].lease, 77);
	ck_assert_uint_eq(item.flags, SLUICE_ITEM_FLOCK);
	ck_assert_uint_eq(fake_locks.calls[1], (unsigned int)SLUICE_IOC_RENEW);
	fake_locks.error = -ESTALE;
	ck_assert_int_eq(sluice_holder_renew(holder, &item, 1, sizeof(item)),
			 -ESTALE);
}
END_TEST

START_TEST(values)
{
	struct sluice_item item = sluice_item_name(lockspace, "a", SLUICE_EX);
	unsigned char value[SLUICE_VALUE_SIZE], expected[SLUICE_VALUE_SIZE];

	memset(value, 1, sizeof(value));
	ck_assert_int_eq(sluice_holder_value_set(holder, &item, value), 0);
	ck_assert_uint_eq(fake_locks.value.flags, SLUICE_VALUE_SET);
	ck_assert_uint_eq(fake_locks.value.kind, SLUICE_KIND_NAME);
	ck_assert_uint_eq(fake_locks.value.key_len, 1);
	ck_assert_uint_eq(fake_locks.value.key[0], 'a');
	ck_assert_int_eq(fake_locks.value.lockspace, item.lockspace);
	ck_assert_mem_eq(fake_locks.value.value, value, sizeof(value));
	memset(expected, 0x5a, sizeof(expected));
	fake_locks.value_status = SLUICE_OWNER_DIED;
	ck_assert_int_eq(sluice_holder_value_get(holder, &item, value),
			 SLUICE_OWNER_DIED);
	ck_assert_uint_eq(fake_locks.value.flags, 0);
	ck_assert_mem_eq(value, expected, sizeof(value));
	fake_locks.error = -EPERM;
	memset(expected, 0, sizeof(expected));
	memset(value, 0, sizeof(value));
	ck_assert_int_eq(sluice_holder_value_get(holder, &item, value), -EPERM);
	ck_assert_mem_eq(value, expected, sizeof(value));
}
END_TEST

START_TEST(events)
{
	struct sluice_item items[2];
	struct sluice_lock_event event;

	memset(&event, 0xff, sizeof(event));
	ck_assert_int_eq(sluice_holder_next_event(holder, &event, sizeof(event),
						  NULL, 0, 0), 0);
	ck_assert_uint_eq(event.type, SLUICE_EVENT_DONE);
	ck_assert_uint_eq(event.error, EDEADLK);
	ck_assert_uint_eq(event.key_len, 0);
	ck_assert_uint_eq(fake_locks.event.items | fake_locks.event.count, 0);
	ck_assert_int_eq(sluice_holder_next_event(holder, &event, 4, items, 2,
						  sizeof(*items)), 0);
	ck_assert_uint_eq(fake_locks.event.count, 2);
	ck_assert_uint_eq(fake_locks.event.entry_size, sizeof(*items));
	ck_assert_uint_eq(fake_locks.event.items, (uintptr_t)items);
	ck_assert_int_eq(sluice_holder_next_event(holder, &event, 4, items,
						  2, 8), -EINVAL);
	fake_locks.error = -EAGAIN;
	ck_assert_int_eq(sluice_holder_next_event(holder, &event, sizeof(event),
						  NULL, 0, 0), -EAGAIN);
}
END_TEST

/* The end of a holder. */

START_TEST(closing)
{
	static const unsigned int clean[] = {
		SLUICE_IOC_CANCEL, SLUICE_IOC_UNLOCK, 0,
	};
	struct sluice_holder *h;
	int fd;

	ck_assert_int_eq(sluice_holder_open(NULL, &h), 0);
	ck_assert_uint_ne(sluice_holder_id(h), sluice_holder_id(holder));
	fd = sluice_holder_fd(h);
	fake_locks.count = 0;
	sluice_holder_close(h);
	ck_assert(fake_locks_called(fd, clean));
	ck_assert_uint_eq(fake_locks.acted.flags, SLUICE_UNLOCK_ALL);
	ck_assert(!is_open(fd));
	sluice_holder_close(NULL);
}
END_TEST

/* As fork() leaves it in a child: the page reads 0. */
START_TEST(in_a_child)
{
	struct sluice_item item = sluice_item_name(lockspace, "a", SLUICE_EX);
	struct sluice_lock_event event;
	char value[SLUICE_VALUE_SIZE];
	struct sluice_holder *h;
	int fd;

	ck_assert_int_eq(sluice_holder_open(NULL, &h), 0);
	fd = sluice_holder_fd(h);
	fake_locks.count = 0;
	h->alive = 0;
	ck_assert_int_eq(sluice_holder_lock(h, &item, 1, sizeof(item), NULL,
					    NULL), -ECHILD);
	ck_assert_int_eq(sluice_holder_unlock(h, &item, 1, sizeof(item)),
			 -ECHILD);
	ck_assert_int_eq(sluice_holder_downgrade(h, &item, 1, sizeof(item)),
			 -ECHILD);
	ck_assert_int_eq(sluice_holder_unlock_all(h), -ECHILD);
	ck_assert_int_eq(sluice_holder_abandon(h), -ECHILD);
	ck_assert_int_eq(sluice_holder_cancel(h), -ECHILD);
	ck_assert_int_eq(sluice_holder_renew(h, &item, 1, sizeof(item)),
			 -ECHILD);
	ck_assert_int_eq(sluice_holder_recover(h, &item, 1, sizeof(item), 1),
			 -ECHILD);
	ck_assert_int_eq(sluice_holder_value_get(h, &item, value), -ECHILD);
	ck_assert_int_eq(sluice_holder_value_set(h, &item, value), -ECHILD);
	ck_assert_int_eq(sluice_holder_next_event(h, &event, sizeof(event),
						  NULL, 0, 0), -ECHILD);
	sluice_holder_close(h);
	ck_assert_int_eq(fake_locks.count, 0);
	ck_assert(!is_open(fd));
}
END_TEST

/* Blocks. */

START_TEST(blocks)
{
	struct sluice_block_options options = SLUICE_BLOCK_OPTIONS_INIT;
	const struct sluice_block_open *open = &fake_locks.block;
	struct sluice_block_size stat;
	struct sluice_block *block;
	char *bytes;

	fake_locks.limit = 10000;
	fake_locks.created = true;
	options.flags = SLUICE_OPEN_CREATE;
	options.bytes = 4000;
	options.limit = 9000;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "mem", &options,
					   &block), 0);
	ck_assert_int_eq(open->lockspace, sluice_lockspace_fd(lockspace));
	ck_assert_uint_eq(open->flags, SLUICE_OPEN_CREATE);
	ck_assert_uint_eq(open->size, 4000);
	ck_assert_uint_eq(open->limit, 9000);
	ck_assert_uint_eq(open->key_len, 3);
	ck_assert_mem_eq(open->key, "mem\0", 4);
	/* What was made by another may be larger than what was asked for. */
	ck_assert_uint_eq(sluice_block_limit(block), 10000);
	ck_assert(sluice_block_created(block));
	bytes = sluice_block_address(block);
	bytes[9999] = 1;
	ck_assert_int_eq(sluice_block_stat(block, &stat, sizeof(stat)), 0);
	ck_assert_uint_eq(fake_locks.block_size.size, 0);
	ck_assert_uint_eq(stat.size, 5);
	ck_assert_uint_eq(stat.used, 4096);
	ck_assert_int_eq(sluice_block_resize(block, 0), -EINVAL);
	ck_assert_int_eq(sluice_block_resize(block, 8000), 0);
	ck_assert_uint_eq(fake_locks.block_size.size, 8000);
	ck_assert_int_eq(sluice_block_free_range(block, 7, 9), 0);
	ck_assert_uint_eq(fake_locks.block_free.start, 7);
	ck_assert_uint_eq(fake_locks.block_free.end, 9);
	sluice_block_close(block);
	sluice_block_close(NULL);
}
END_TEST

START_TEST(blocks_that_cannot_be)
{
	struct sluice_block_options options = SLUICE_BLOCK_OPTIONS_INIT;
	char long_name[SLUICE_KEY_MAX + 2] = "";
	struct sluice_block *block;
	int lowest = dup(0);

	close(lowest);
	memset(long_name, 'x', SLUICE_KEY_MAX + 1);
	ck_assert_int_eq(sluice_block_open(holder, lockspace, long_name, NULL,
					   &block), -ENAMETOOLONG);
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "", NULL, &block),
			 -EINVAL);
	options.access = SLUICE_WRITE;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", &options,
					   &block), -EINVAL);
	/* What there is no room for is not made. */
	options = (struct sluice_block_options)SLUICE_BLOCK_OPTIONS_INIT;
	options.flags = SLUICE_OPEN_CREATE;
	options.bytes = SIZE_MAX / 4;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", &options,
					   &block), -ENOMEM);
	options.bytes = 1;
	options.limit = SIZE_MAX / 4;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", &options,
					   &block), -ENOMEM);
	ck_assert_int_eq(fake_locks.count, 0);
	/* What cannot be mapped is closed again. */
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", NULL,
					   &block), -EINVAL);
	ck_assert_int_eq(fake_locks.count, 1);
	ck_assert(!is_open(lowest));
	fake_locks.error = -ENOTTY;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", NULL,
					   &block), -EOPNOTSUPP);
	fake_locks.error = -ENOENT;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", NULL,
					   &block), -ENOENT);
}
END_TEST

START_TEST(blocks_in_a_child)
{
	struct sluice_block_size stat;
	struct sluice_block *block;
	volatile char *bytes;

	fake_locks.limit = 4096;
	ck_assert_int_eq(sluice_block_open(holder, lockspace, "x", NULL,
					   &block), 0);
	bytes = sluice_block_address(block);
	bytes[5] = 'x';
	block->alive = 0;
	ck_assert_ptr_null(sluice_block_address(block));
	ck_assert_int_eq(sluice_block_resize(block, 5), -ECHILD);
	ck_assert_int_eq(sluice_block_free_range(block, 0, 5), -ECHILD);
	ck_assert_int_eq(sluice_block_stat(block, &stat, sizeof(stat)),
			 -ECHILD);
	sluice_block_close(block);
	/* By now something else may be there, which is not to be unmapped. */
	ck_assert_int_eq(bytes[5], 'x');
	munmap((void *)bytes, 4096);
}
END_TEST

/* A thread's own. */

struct thread_result {
	uint64_t id;
	int fd;
	int ret;
	bool same;
	bool stays;
};

static void *use_and_end(void *data)
{
	struct thread_result *result = data;
	struct sluice_holder *own, *again;

	result->ret = sluice_unlock(lockspace, "a");
	result->stays = !fake_locks.count;
	result->ret |= sluice_lock(lockspace, "a", SLUICE_EX, 5);
	result->ret |= sluice_thread_holder(&own);
	result->id = sluice_holder_id(own);
	result->fd = sluice_holder_fd(own);
	sluice_holder_close(own);
	result->stays &= is_open(result->fd);
	result->ret |= sluice_trylock(lockspace, "b", SLUICE_PR);
	result->ret |= sluice_thread_holder(&again);
	result->same = own == again;
	return NULL;
}

START_TEST(threads)
{
	static const unsigned int calls[] = {
		SLUICE_IOC_LOCK, SLUICE_IOC_CANCEL, SLUICE_IOC_UNLOCK,
		SLUICE_IOC_LOCK, SLUICE_IOC_CANCEL, SLUICE_IOC_UNLOCK, 0,
	};
	struct thread_result results[3];
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		fake_locks.count = 0;
		ck_assert_int_eq(pthread_create(&thread, NULL, use_and_end,
						&results[i]), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(results[i].ret, 0);
		ck_assert(results[i].same);
		ck_assert(results[i].stays);
		ck_assert(!is_open(results[i].fd));
		ck_assert(fake_locks_called(results[i].fd, calls));
		/* A clean unlock at its end would hide a death. */
		ck_assert_uint_eq(fake_locks.acted.flags,
				  SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED);
		ck_assert_uint_eq(fake_locks.request.flags, SLUICE_LOCK_TRY);
		ck_assert(i == 0 || results[i].id != results[i - 1].id);
	}
}
END_TEST

static void *one_call_each(void *data)
{
	struct sluice_holder *own, *other;

	(void)data;
	ck_assert_int_eq(sluice_file_lock(lockspace, 7, SLUICE_PR, 5), 0);
	ck_assert_uint_eq(fake_locks.items[0].kind, SLUICE_KIND_FILE);
	ck_assert_int_eq(fake_locks.items[0].fd, 7);
	ck_assert_int_eq(fake_locks.request.deadline, 5);
	fake_locks.status[0] = SLUICE_OWNER_DIED;
	ck_assert_int_eq(sluice_file_trylock(lockspace, 8, SLUICE_EX),
			 SLUICE_OWNER_DIED);
	ck_assert_uint_eq(fake_locks.request.flags, SLUICE_LOCK_TRY);
	ck_assert_int_eq(sluice_file_consistent(lockspace, 8), 0);
	ck_assert_uint_eq(fake_locks.acted.flags, SLUICE_RECOVER_CONSISTENT);
	ck_assert_int_eq(sluice_file_unlock(lockspace, 8), 0);
	ck_assert_uint_eq(fake_locks.items[0].mode, SLUICE_UNLOCKED);
	ck_assert_int_eq(sluice_lock(lockspace, "n", SLUICE_PW, 5),
			 SLUICE_OWNER_DIED);
	ck_assert_int_eq(sluice_consistent(lockspace, "n"), 0);
	ck_assert_uint_eq(fake_locks.items[0].kind, SLUICE_KIND_NAME);
	ck_assert_int_eq(sluice_unlock(lockspace, "n"), 0);
	/* A child of fork() has one of its own. */
	ck_assert_int_eq(sluice_thread_holder(&own), 0);
	own->alive = 0;
	ck_assert_int_eq(sluice_unlock(lockspace, "n"), 0);
	ck_assert_int_eq(sluice_thread_holder(&other), 0);
	ck_assert_int_eq(sluice_holder_unlock_all(other), 0);
	return NULL;
}

START_TEST(simple)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, one_call_each, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/* That is no -EAGAIN: others would have it. */
START_TEST(no_key_is_left)
{
	const char *forks = getenv("CK_FORK");
	pthread_key_t key;

	/* The others are in the same process, and want one, too. */
	if (forks && !strcmp(forks, "no"))
		return;
	while (!pthread_key_create(&key, NULL))
		;
	ck_assert_int_eq(sluice_trylock(lockspace, "n", SLUICE_EX), -ENOMEM);
	ck_assert_int_eq(sluice_unlock(lockspace, "n"), -ENOMEM);
}
END_TEST

#define TRUSTED_WORDS	2
#define REMEMBERED	(TRUSTED_WORDS * SL_WORDLESS)

/* Whether the module is asked for a word when this name is locked. */
static bool asks_for_word(const struct sluice_lockspace *trusted, int number)
{
	bool asked = false;
	char name[12];

	snprintf(name, sizeof(name), "%d", number);
	fake_locks.count = 0;
	ck_assert_int_eq(sluice_lock(trusted, name, SLUICE_EX, 5), 0);
	for (int i = 0; i < fake_locks.count; i++)
		asked |= fake_locks.calls[i] == SLUICE_IOC_WORD;
	return asked;
}

static void *lock_names_twice(void *data)
{
	struct sluice_lockspace *trusted = data;

	for (int i = 0; i < REMEMBERED + 2; i++)
		ck_assert(asks_for_word(trusted, i));
	for (int i = 0; i < REMEMBERED; i++)
		ck_assert(!asks_for_word(trusted, i));
	for (int i = 0; i < 2; i++)
		ck_assert(asks_for_word(trusted, REMEMBERED + i));
	return NULL;
}

/* Names may come without end: no more are kept than the lockspace is made for. */
START_TEST(names_without_words)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *trusted;
	pthread_t thread;

	options.config.flags = SLUICE_LOCKSPACE_TRUSTED;
	options.config.words = TRUSTED_WORDS;
	ck_assert_int_eq(sluice_lockspace_open_anonymous(&options, &trusted), 0);
	ck_assert_int_eq(sluice_lockspace_trust(trusted), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, lock_names_twice,
					trusted), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	sluice_lockspace_close(trusted);
}
END_TEST

Suite *suite_locks(void)
{
	Suite *suite = suite_create("locks");
	TCase *tc = tcase_create("locks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, other_modules);
	tcase_add_test(tc, opening);
	tcase_add_test(tc, opening_nonsense);
	tcase_add_test(tc, from_descriptor);
	tcase_add_test(tc, listing);
	tcase_add_test(tc, walking);
	tcase_add_test(tc, deadlocks);
	tcase_add_test(tc, building);
	tcase_add_test(tc, locking);
	tcase_add_test(tc, owners_that_died);
	tcase_add_test(tc, requests_that_cannot_be);
	tcase_add_test(tc, unlocking);
	tcase_add_test(tc, recovering);
	tcase_add_test(tc, values);
	tcase_add_test(tc, events);
	tcase_add_test(tc, closing);
	tcase_add_test(tc, in_a_child);
	tcase_add_test(tc, blocks);
	tcase_add_test(tc, blocks_that_cannot_be);
	tcase_add_test(tc, blocks_in_a_child);
	tcase_add_test(tc, threads);
	tcase_add_test(tc, simple);
	tcase_add_test(tc, no_key_is_left);
	tcase_add_test(tc, names_without_words);
	suite_add_tcase(suite, tc);
	return suite;
}
