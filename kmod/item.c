// SPDX-License-Identifier: GPL-2.0-only
/*
 * Items: finding what those of a call name, and telling what became of them.
 *
 * Nothing is locked here. Whatever an item names, its lockspace's domain is
 * joined to the holder's, so that afterwards one lock guards all.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/uaccess.h>

#include "backing.h"
#include "call.h"
#include "compat.h"
#include "domain.h"
#include "holder.h"
#include "item.h"
#include "lockspace.h"

static int key_of_file(struct sluice_key *key, struct file *file)
{
	struct sluice_file_key *id = (struct sluice_file_key *)key->bytes;
	struct kstat stat;
	int ret;

	BUILD_BUG_ON(sizeof(*id) > SLUICE_KEY_MAX);
	/* All files without a name of their own share one inode. */
	if (file_inode(file)->i_sb->s_magic == ANON_INODE_FS_MAGIC)
		return -EINVAL;
	/* As stat() says: subvolumes of btrfs differ there, and not elsewhere. */
	ret = vfs_getattr(&file->f_path, &stat, STATX_INO,
			  AT_STATX_DONT_SYNC);
	if (ret)
		return ret;
	id->major = MAJOR(stat.dev);
	id->minor = MINOR(stat.dev);
	id->ino = stat.ino;
	id->generation = file_inode(file)->i_generation;
	key->len = sizeof(*id);
	return 0;
}

/* May who opened @file so have it in @mode? As with fcntl(). */
static bool file_permits(struct file *file, u8 mode)
{
	if (!mode || mode == SLUICE_NL)
		return true;
	if (sluice_mode_access(mode) == SLUICE_READ)
		return file->f_mode & FMODE_READ;
	if (S_ISDIR(file_inode(file)->i_mode))
		return !file_permission(file, MAY_WRITE);
	return file->f_mode & FMODE_WRITE;
}

static int find_file(struct sluice_key *key, int fd, u8 mode)
{
	struct file *file = fget(fd);
	int ret;

	if (!file)
		return -EBADF;
	ret = file_permits(file, mode) ? key_of_file(key, file) : -EBADF;
	fput(file);
	return ret;
}

int sluice_key_find(struct sluice_key *key, u32 kind, const u8 *bytes, u32 len,
		    int fd)
{
	key->kind = kind;
	switch (kind) {
	case SLUICE_KIND_NAME:
		if (!len || len > SLUICE_KEY_MAX)
			return -EINVAL;
		key->len = len;
		memcpy(key->bytes, bytes, len);
		return 0;
	case SLUICE_KIND_FILE:
		return find_file(key, fd, SLUICE_UNLOCKED);
	default:
		return -EINVAL;
	}
}

#define ITEM_BACKED	(SLUICE_ITEM_FCNTL | SLUICE_ITEM_FLOCK)

/* What is wrong with an item, whatever it is for? */
static int item_check(const struct sluice_item *item)
{
	u32 known = SLUICE_ITEM_REPAIR | ITEM_BACKED;

	if (item->mode > SLUICE_EX || item->flags & ~known ||
	    item->start > item->end || item->lease > S64_MAX || item->resv)
		return -EINVAL;
	return 0;
}

void sluice_wants_free(struct sluice_wants *items)
{
	u32 i;

	for (i = 0; i < items->count; i++)
		sluice_want_release(&items->wants[i]);
	if (items->wants != &items->one)
		kvfree(items->wants);
	items->wants = NULL;
	items->count = 0;
}

static int item_find_file(struct sluice_want *want,
			  const struct sluice_item *item)
{
	struct file *file = fget(item->fd);
	int ret = -EBADF;

	if (!file)
		return -EBADF;
	want->key.kind = SLUICE_KIND_FILE;
	if (file_permits(file, want->mode))
		ret = key_of_file(&want->key, file);
	if (!ret && item->flags & ITEM_BACKED)
		ret = sluice_backing_get(want, file, item->flags & ITEM_BACKED);
	if (!ret) {
		want->pin = sluice_pin_new(&file->f_path);
		ret = want->pin ? 0 : -ENOMEM;
	}
	fput(file);
	return ret;
}

/* To lock takes a right to the lockspace, to change what one has does not. */
static int item_find(struct sluice_want *want, const struct sluice_item *item,
		     bool lock)
{
	u32 access;
	int ret = item_check(item);

	if (ret || (lock && !item->mode))
		return -EINVAL;
	want->mode = item->mode;
	want->repair = item->flags & SLUICE_ITEM_REPAIR;
	want->start = item->start;
	want->last = item->end;
	want->lease = item->lease;
	want->space = sluice_lockspace_fget(item->lockspace, &access);
	if (IS_ERR(want->space)) {
		ret = PTR_ERR(want->space);
		want->space = NULL;
		return ret;
	}
	if (lock && !(access & sluice_mode_access(want->mode)))
		return -EACCES;
	/* Whoever looks for a resource of the holder's locks its domain. */
	sluice_domain_join(want->holder->domain, want->space->domain);
	if (lock && item->kind == SLUICE_KIND_FILE)
		return item_find_file(want, item);
	if (lock && item->flags & ITEM_BACKED)
		return -EINVAL;
	return sluice_key_find(&want->key, item->kind, item->key, item->key_len,
			       item->fd);
}

/* The head of an item says how much of the key there is. */
static int item_copy(struct sluice_item *item, const void __user *from,
		     u32 stride)
{
	const size_t head = offsetof(struct sluice_item, key);
	int ret;

	if (stride != sizeof(*item))
		return copy_struct_from_user(item, sizeof(*item), from, stride);
	ret = sluice_call_words(item, from, head);
	if (ret || item->kind != SLUICE_KIND_NAME ||
	    item->key_len > SLUICE_KEY_MAX)
		return ret;
	return sluice_call_words(item->key, from + head,
				 round_up(item->key_len, sizeof(u64)));
}

static int items_copy(struct sluice_wants *items, struct sluice_holder *holder,
		      bool lock)
{
	struct sluice_want *want = items->wants;
	struct sluice_item item sluice_unset;
	u32 i;
	int ret;

	for (i = 0; i < items->count; i++, want++) {
		ret = item_copy(&item, u64_to_user_ptr(items->user +
						       i * items->stride),
				items->stride);
		want->holder = holder;
		want->space = NULL;
		if (!ret)
			ret = item_find(want, &item, lock);
		if (ret)
			return ret;
	}
	return 0;
}

/* What nothing else sets. */
static void want_init(struct sluice_want *want)
{
	memset(&want->key, 0, sizeof(want->key));
	want->pin = NULL;
	want->backing = NULL;
	want->backed = 0;
	want->spare = NULL;
	want->grant = NULL;
	memset(want->spares, 0, sizeof(want->spares));
	want->granted = false;
	want->strange = false;
}

int sluice_wants_get(struct sluice_wants *items, struct sluice_holder *holder,
		     u64 user, u32 count, u32 entry_size,
		     enum sluice_purpose purpose)
{
	int ret;

	items->user = user;
	items->later = false;
	items->stride = sluice_call_stride(entry_size, SLUICE_ITEM_SIZE_1);
	if (!items->stride || !count || count > SLUICE_ITEMS_MAX)
		return -EINVAL;
	items->wants = &items->one;
	if (count == 1 && purpose != SLUICE_TO_LOCK_LATER)
		want_init(&items->one);
	else
		items->wants = kvcalloc(count, sizeof(*items->wants),
					GFP_KERNEL_ACCOUNT);
	if (!items->wants)
		return -ENOMEM;
	items->count = count;
	items->backed = false;
	ret = items_copy(items, holder, purpose != SLUICE_TO_CHANGE);
	if (ret)
		sluice_wants_free(items);
	return ret;
}

bool sluice_wants_same(const struct sluice_want *a, const struct sluice_want *b)
{
	return a->space == b->space && sluice_key_same(&a->key, &b->key);
}

static bool wants_overlap(const struct sluice_want *a,
			  const struct sluice_want *b)
{
	return sluice_ranges_overlap(a->start, a->last, b->start, b->last) &&
		sluice_wants_same(a, b);
}

bool sluice_wants_apart(const struct sluice_wants *items, bool alike)
{
	const struct sluice_want *a, *b;
	u32 i, j;

	for (i = 0; i < items->count; i++) {
		for (j = 0; j < i; j++) {
			a = &items->wants[i];
			b = &items->wants[j];
			if (!(alike && a->mode == b->mode) &&
			    wants_overlap(a, b))
				return false;
		}
	}
	return true;
}

void sluice_wants_unite(struct sluice_wants *items)
{
	struct sluice_want *a, *b;
	u32 i, j;

	for (i = 0; i < items->count; i++) {
		for (j = i + 1; j < items->count; j++) {
			a = &items->wants[i];
			b = &items->wants[j];
			if (!wants_overlap(a, b))
				continue;
			a->start = min(a->start, b->start);
			a->last = max(a->last, b->last);
			sluice_want_release(b);
			*b = items->wants[--items->count];
			/* Now it may overlap what it did not before. */
			j = i;
		}
	}
}

static int want_tell(const struct sluice_want *want, u64 user, u32 stride,
		     u32 index)
{
	struct sluice_item __user *item =
		u64_to_user_ptr(user + (u64)index * stride);

	if (!user_write_access_begin(item, sizeof(*item)))
		return -EFAULT;
	unsafe_put_user(want->token, &item->token, fault);
	unsafe_put_user(want->status, &item->status, fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

int sluice_wants_tell(const struct sluice_request *request, u64 user, u32 count,
		      u32 stride)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < request->count && i < count && !ret; i++)
		if (!sluice_request_any(request) || i == request->index)
			ret = want_tell(&request->wants[i], user, stride, i);
	return ret;
}

static void want_sync(const struct sluice_want *want)
{
	sluice_backing_sync(want->holder, want->space, &want->key, want->start,
			    want->last);
}

/* Nobody else adds to the list while a request is being made. */
void sluice_wants_follow(struct sluice_holder *holder,
			 const struct sluice_wants *items)
{
	u32 i;

	if (list_empty_careful(&holder->backings))
		return;
	mutex_lock(&holder->backing_lock);
	for (i = 0; i < items->count; i++)
		want_sync(&items->wants[i]);
	mutex_unlock(&holder->backing_lock);
}

/* Is what was tried all that the kernel's lock has to be? */
static bool want_is_all(const struct sluice_want *want)
{
	const struct sluice_backing *backing = want->backing;

	return backing && backing->trying && !READ_ONCE(backing->stronger) &&
		want->backed == backing->flags;
}

void sluice_wants_settle(struct sluice_holder *holder,
			 const struct sluice_wants *items, bool kept)
{
	u32 i;

	mutex_lock(&holder->backing_lock);
	for (i = 0; i < items->count; i++) {
		if (!kept || !want_is_all(&items->wants[i]))
			want_sync(&items->wants[i]);
	}
	for (i = 0; i < items->count; i++)
		sluice_backing_settle(&items->wants[i]);
	mutex_unlock(&holder->backing_lock);
}
