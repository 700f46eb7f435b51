// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is called on a holder: locking, unlocking, and what has to do with it.
 *
 * Each call copies its items in, finds what they name, gets the memory it may
 * need, and only then locks the domain: nothing there can sleep for long or
 * fail halfway. Results are copied out with nothing locked; a grant that the
 * caller cannot be told of is undone.
 *
 * Locks: holder->call; holder->backing_lock; the domain's, see domain.c.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "backing.h"
#include "block.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "lock.h"
#include "lockspace.h"
#include "request.h"
#include "resource.h"

/*
 * Finding what an item names.
 */
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

static int find_key(struct sluice_key *key, u32 kind, const u8 *bytes, u32 len,
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

/**
 * struct items - the items of one call
 * @user: struct sluice_item[@count]
 * @stride: bytes from one to the next
 * @count: of them
 * @backed: some of them with the kernel's own lock
 * @wants: what they name
 */
struct items {
	u64 user;
	u32 stride;
	u32 count;
	bool backed;
	struct sluice_want *wants;
};

static void items_free(struct items *items)
{
	u32 i;

	for (i = 0; i < items->count; i++)
		sluice_want_release(&items->wants[i]);
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
		want->path = file->f_path;
		path_get(&want->path);
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
	if (lock && item->kind == SLUICE_KIND_FILE)
		return item_find_file(want, item);
	if (lock && item->flags & ITEM_BACKED)
		return -EINVAL;
	return find_key(&want->key, item->kind, item->key, item->key_len,
			item->fd);
}

static int items_copy(struct items *items, struct sluice_holder *holder,
		      bool lock)
{
	struct sluice_item item;
	u32 i;
	int ret;

	for (i = 0; i < items->count; i++) {
		ret = copy_struct_from_user(&item, sizeof(item),
					    u64_to_user_ptr(items->user +
							    i * items->stride),
					    items->stride);
		items->wants[i].holder = holder;
		if (!ret)
			ret = item_find(&items->wants[i], &item, lock);
		if (ret)
			return ret;
		sluice_domain_join(holder->domain,
				   items->wants[i].space->domain);
	}
	return 0;
}

/**
 * items_get - copy the items of a call in, and find what they name
 * @items: filled in; items_free() if this returns 0
 * @holder: called on; the lockspaces' domains are joined to its
 * @user: as called
 * @count: as called
 * @entry_size: as called
 * @lock: they are to be locked
 */
static int items_get(struct items *items, struct sluice_holder *holder,
		     u64 user, u32 count, u32 entry_size, bool lock)
{
	int ret;

	items->user = user;
	items->stride = sluice_call_stride(entry_size, SLUICE_ITEM_SIZE_1);
	if (!items->stride || !count || count > SLUICE_ITEMS_MAX)
		return -EINVAL;
	items->wants = kvcalloc(count, sizeof(*items->wants),
				GFP_KERNEL_ACCOUNT);
	if (!items->wants)
		return -ENOMEM;
	items->count = count;
	ret = items_copy(items, holder, lock);
	if (ret)
		items_free(items);
	return ret;
}

static int items_tell(const struct sluice_want *want, u64 user, u32 stride,
		      u32 index)
{
	struct sluice_item __user *item =
		u64_to_user_ptr(user + (u64)index * stride);

	return put_user(want->token, &item->token) ||
		put_user(want->status, &item->status) ? -EFAULT : 0;
}

/* Write to the caller's items what was granted. */
static int request_tell(const struct sluice_request *request, u64 user,
			u32 count, u32 stride)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < request->count && i < count && !ret; i++)
		if (!sluice_request_any(request) || i == request->index)
			ret = items_tell(&request->wants[i], user, stride, i);
	return ret;
}

/*
 * Locking.
 */
static bool wants_apart(const struct items *items)
{
	struct sluice_want *a, *b;
	u32 i, j;

	for (i = 0; i < items->count; i++) {
		for (j = 0; j < i; j++) {
			a = &items->wants[i];
			b = &items->wants[j];
			if (a->space == b->space &&
			    sluice_ranges_overlap(a->start, a->last, b->start,
						  b->last) &&
			    !memcmp(&a->key, &b->key, sizeof(a->key)))
				return false;
		}
	}
	return true;
}

static int lock_prepare(struct items *items, const struct sluice_lock *lock)
{
	u32 i;
	int ret = 0;

	if (!(lock->flags & SLUICE_LOCK_ANY) && !wants_apart(items))
		return -EINVAL;
	for (i = 0; i < items->count && !ret; i++)
		ret = sluice_want_prepare(&items->wants[i]);
	return ret;
}

/* Sleep until the request waits no more. Return: 0, or why that is over. */
static int lock_sleep(struct sluice_holder *holder)
{
	struct sluice_request *request = &holder->request;
	ktime_t expires = request->deadline;
	ktime_t *timeout = request->deadline == SLUICE_NO_DEADLINE ? NULL :
								     &expires;
	DEFINE_WAIT(wait);
	int ret = 0;

	while (!ret) {
		/* Pairs with wake_up() after the state has changed. */
		prepare_to_wait(&holder->wait, &wait, TASK_INTERRUPTIBLE);
		if (READ_ONCE(request->state) != SLUICE_REQUEST_WAITING)
			break;
		if (signal_pending(current))
			ret = -ERESTARTSYS;
		else if (!schedule_hrtimeout_range(timeout,
						   current->timer_slack_ns,
						   HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	finish_wait(&holder->wait, &wait);
	return ret;
}

/* Who woke up looks what became of it; if nothing yet, then nothing will. */
static int lock_awake(struct sluice_holder *holder, int ret)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);

	if (sluice_request_waits(request)) {
		sluice_request_fail(request, ret, &dirty);
		sluice_request_pass(&dirty);
	}
	ret = request->error;
	sluice_domain_unlock(domain);
	return ret;
}

static int lock_start(struct sluice_holder *holder, const struct items *items,
		      const struct sluice_lock *lock)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	int ret = -EOWNERDEAD;

	request->wants = items->wants;
	request->count = items->count;
	request->flags = lock->flags;
	request->priority = lock->priority;
	request->deadline = lock->deadline;
	request->error = 0;
	request->cancelled = false;
	if (!holder->dead)
		ret = sluice_request_start(request);
	sluice_domain_unlock(domain);
	return ret;
}

/* Return: 0, or why what was granted cannot be kept. */
static int lock_finish(struct sluice_holder *holder, int ret)
{
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);

	if (!ret && request->state != SLUICE_REQUEST_GRANTED)
		ret = request->error;	/* the holder died */
	sluice_request_finish(request, !ret);
	request->wants = NULL;
	request->count = 0;
	sluice_domain_unlock(domain);
	return ret;
}

/* Tell the caller what was granted. */
static int lock_tell(struct sluice_call *call, const struct items *items)
{
	struct sluice_holder *holder = call->file->private_data;
	int ret;

	call->arg.lock.index = holder->request.index;
	ret = request_tell(&holder->request, items->user, items->count,
			   items->stride);
	return ret ?: sluice_call_reply(call);
}

/*
 * The kernel's own locks, once ours are granted. Return: 0, or why not, and
 * @stuck is what could not be had.
 */
static int backings_try(const struct sluice_request *request,
			struct sluice_want **stuck)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < request->count && !ret; i++) {
		*stuck = &request->wants[i];
		if ((*stuck)->backed &&
		    (!sluice_request_any(request) || i == request->index))
			ret = sluice_backing_try(*stuck);
	}
	return ret;
}

/* What it has without the kernel's own lock now, it may have had with it. */
static void backings_sync(struct sluice_holder *holder,
			  const struct items *items)
{
	struct sluice_want *want;
	u32 i;

	for (i = 0; i < items->count; i++) {
		want = &items->wants[i];
		sluice_backing_sync(holder, want->space, &want->key,
				    want->start, want->last);
	}
}

/* Nobody else adds to the list while a request is being made. */
static void backings_follow(struct sluice_holder *holder,
			    const struct items *items)
{
	if (list_empty_careful(&holder->backings))
		return;
	mutex_lock(&holder->backing_lock);
	backings_sync(holder, items);
	mutex_unlock(&holder->backing_lock);
}

static void request_set_stranger(struct sluice_holder *holder, bool stranger)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);

	holder->request.stranger = stranger;
	sluice_domain_unlock(domain);
}

/*
 * What is the only one waits for strangers with our grant in hand: those behind
 * it in our queue would have to wait for them, too. Where there are several,
 * all is given back first, so that nothing is held while waiting. Return: with
 * -EAGAIN, @stuck is what a stranger has.
 */
static int lock_backed(struct sluice_call *call, struct items *items,
		       struct sluice_want **stuck)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	bool wait = items->count == 1 && !(lock->flags & SLUICE_LOCK_TRY);
	u32 round = 0;
	int ret;

	mutex_lock(&holder->backing_lock);
	ret = backings_try(&holder->request, stuck);
	while (ret == -EAGAIN && wait) {
		mutex_unlock(&holder->backing_lock);
		request_set_stranger(holder, true);
		ret = sluice_backing_wait(holder, *stuck, lock->deadline,
					  round++);
		request_set_stranger(holder, false);
		mutex_lock(&holder->backing_lock);
		if (!ret)
			ret = backings_try(&holder->request, stuck);
	}
	if (!ret)
		ret = lock_tell(call, items);
	ret = lock_finish(holder, ret);
	backings_sync(holder, items);
	mutex_unlock(&holder->backing_lock);
	return ret;
}

/* Return: 0 if it is granted, -EINPROGRESS if somebody else sees to it. */
static int lock_grant(struct sluice_holder *holder, struct items *items,
		      const struct sluice_lock *lock)
{
	int ret = lock_start(holder, items, lock);

	if (ret == -EINPROGRESS && lock->flags & SLUICE_LOCK_ASYNC) {
		items->wants = NULL;	/* the request's now */
		items->count = 0;
		return ret;
	}
	if (ret == -EINPROGRESS)
		ret = lock_awake(holder, lock_sleep(holder));
	return ret;
}

static int lock_plain(struct sluice_call *call, struct items *items)
{
	struct sluice_holder *holder = call->file->private_data;
	int ret = lock_prepare(items, &call->arg.lock);

	if (ret)
		return ret;
	ret = lock_grant(holder, items, &call->arg.lock);
	if (ret == -EINPROGRESS)
		return ret;
	ret = lock_finish(holder, ret ?: lock_tell(call, items));
	backings_follow(holder, items);
	return ret;
}

/* Wait a little for strangers, with nothing in hand. */
static int strangers_wait(struct sluice_holder *holder, struct items *items,
			  s64 deadline, u32 round)
{
	int ret;
	u32 i;

	for (i = 0; i < items->count; i++)
		items->wants[i].strange = false;
	request_set_stranger(holder, true);
	ret = sluice_backing_wait(holder, NULL, deadline, round);
	request_set_stranger(holder, false);
	return ret;
}

/*
 * With the kernel's own locks. A choice is made again and again while strangers
 * have some of it, for a place in our queues would not tell when they let go.
 */
static int lock_strange(struct sluice_call *call, struct items *items)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	struct sluice_lock attempt = *lock;
	bool any = lock->flags & SLUICE_LOCK_ANY;
	struct sluice_want *stuck;
	u32 round = 0;
	int ret;

	if (any)
		attempt.flags |= SLUICE_LOCK_TRY;
	for (;;) {
		ret = lock_prepare(items, lock);
		if (ret)
			return ret;
		ret = lock_grant(holder, items, &attempt);
		if (!ret) {
			ret = lock_backed(call, items, &stuck);
			if (ret == -EAGAIN && any) {
				stuck->strange = true;
				continue;
			}
		} else {
			lock_finish(holder, ret);
		}
		if (ret != -EAGAIN || lock->flags & SLUICE_LOCK_TRY)
			return ret;
		ret = strangers_wait(holder, items, lock->deadline, round++);
		if (ret)
			return ret;
	}
}

static long lock_items(struct sluice_call *call, struct items *items)
{
	u32 i;

	for (i = 0; i < items->count; i++)
		items->backed |= items->wants[i].backed;
	if (!items->backed)
		return lock_plain(call, items);
	if (call->arg.lock.flags & SLUICE_LOCK_ASYNC)
		return -EOPNOTSUPP;
	return lock_strange(call, items);
}

static long lock_lock(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock *lock = &call->arg.lock;
	struct items items = {};
	long ret;

	if (lock->flags & ~(SLUICE_LOCK_ANY | SLUICE_LOCK_TRY |
			    SLUICE_LOCK_ASYNC) || lock->resv ||
	    abs((s64)lock->priority) > SLUICE_PRIORITY_MAX)
		return -EINVAL;
	if (atomic_cmpxchg(&holder->busy, 0, 1))
		return -EBUSY;
	lock->index = 0;
	ret = items_get(&items, holder, lock->items, lock->count,
			lock->entry_size, true);
	if (!ret) {
		ret = lock_items(call, &items);
		items_free(&items);
	}
	if (ret != -EINPROGRESS)
		atomic_set_release(&holder->busy, 0);
	return ret;
}

void sluice_lock_forget(struct sluice_holder *holder)
{
	struct items items = {
		.wants = holder->request.wants,
		.count = holder->request.count,
	};

	holder->request.wants = NULL;
	holder->request.count = 0;
	items_free(&items);
}

static long lock_cancel(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_request *request = &holder->request;
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);
	long ret = -ENOENT;

	if (sluice_request_waits(request)) {
		sluice_request_fail(request, -ECANCELED, &dirty);
		sluice_request_pass(&dirty);
		ret = 0;
	} else if (request->stranger) {
		WRITE_ONCE(request->cancelled, true);
		ret = 0;
	}
	sluice_domain_unlock(domain);
	return ret;
}

/*
 * What is done to what the holder has. Each first looks whether it can be, of
 * all items, and then does it.
 */
static struct sluice_resource *want_resource(struct sluice_want *want)
{
	return sluice_resource_find(want->space, &want->key);
}

static bool want_held(struct sluice_want *want, bool (*fits)(u8 mode))
{
	struct sluice_resource *resource = want_resource(want);

	return resource && sluice_grant_covers(want->holder, resource,
					       want->start, want->last, fits);
}

/* Return: spares that it takes, or -EINVAL. */
static int unlock_check(struct sluice_want *want)
{
	struct sluice_resource *resource = want_resource(want);
	struct sluice_grant *grant;

	if (!resource)
		return 0;
	for (grant = sluice_grant_own(want->holder, resource, want->start,
				      want->last);
	     grant; grant = sluice_grant_own_next(grant, want->last))
		if (!sluice_mode_covers(grant->mode, want->mode))
			return -EINVAL;
	return sluice_grant_set_needs(want->holder, resource, want->start,
				      want->last, want->mode);
}

static void unlock_do(struct sluice_want *want, struct list_head *dirty)
{
	struct sluice_resource *resource = want_resource(want);

	if (resource && sluice_grant_set(want->holder, resource, want->start,
					 want->last, want->mode, want->spares))
		sluice_resource_dirty(resource, dirty);
}

static int spares_get(struct items *items)
{
	struct sluice_grant **spare;
	u32 i, j;

	for (i = 0; i < items->count; i++) {
		for (j = 0; j < SLUICE_SPARES; j++) {
			spare = &items->wants[i].spares[j];
			if (!*spare)
				*spare = sluice_grant_new(items->wants[i].holder->user);
			if (IS_ERR(*spare))
				return PTR_ERR(*spare);
		}
	}
	return 0;
}

/* Return: 0, an error, or more than 0 if it takes spares. */
static int unlock_try(struct sluice_holder *holder, struct items *items,
		      bool have_spares)
{
	struct sluice_domain *domain = sluice_domain_lock(holder->domain);
	LIST_HEAD(dirty);
	int ret = 0;
	u32 i;

	for (i = 0; i < items->count && ret >= 0; i++) {
		ret = unlock_check(&items->wants[i]);
		if (ret > 0 && !have_spares)
			goto unlock;
	}
	if (ret < 0)
		goto unlock;
	ret = 0;
	for (i = 0; i < items->count; i++)
		unlock_do(&items->wants[i], &dirty);
	sluice_request_pass(&dirty);
unlock:
	sluice_domain_unlock(domain);
	return ret;
}

static long lock_unlock(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	struct items items = {};
	int ret;

	if (arg->flags & ~(SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED) || arg->resv ||
	    arg->flags == SLUICE_UNLOCK_DIED)
		return -EINVAL;
	call->replied = true;	/* there is nothing to tell */
	if (arg->flags & SLUICE_UNLOCK_ALL) {
		if (arg->count || arg->items)
			return -EINVAL;
		sluice_holder_leave(holder, arg->flags & SLUICE_UNLOCK_DIED);
		return 0;
	}
	ret = items_get(&items, holder, arg->items, arg->count,
			arg->entry_size, false);
	if (ret)
		return ret;
	ret = unlock_try(holder, &items, false);
	if (ret > 0) {
		ret = spares_get(&items);
		if (!ret)
			ret = unlock_try(holder, &items, true);
	}
	if (!ret)
		backings_follow(holder, &items);
	items_free(&items);
	return ret;
}

static void renew_do(struct sluice_want *want, u64 now)
{
	struct sluice_resource *resource = want_resource(want);
	struct sluice_holder *holder = want->holder;
	struct sluice_grant *grant;

	for (grant = sluice_grant_own(holder, resource, want->start, want->last);
	     grant; grant = sluice_grant_own_next(grant, want->last)) {
		list_del_init(&grant->leased);
		grant->expires = want->lease ? now + want->lease : 0;
		if (!grant->expires)
			continue;
		list_add_tail(&grant->leased, &holder->leased);
		sluice_holder_set_alarm(holder, grant->expires);
	}
}

static long lock_renew(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	struct sluice_domain *domain;
	struct items items = {};
	u64 now;
	int ret;
	u32 i;

	if (arg->flags || arg->resv)
		return -EINVAL;
	call->replied = true;	/* there is nothing to tell */
	ret = items_get(&items, holder, arg->items, arg->count,
			arg->entry_size, false);
	if (ret)
		return ret;
	domain = sluice_domain_lock(holder->domain);
	for (i = 0; i < items.count && !ret; i++)
		if (!want_held(&items.wants[i], NULL))
			ret = -ESTALE;
	now = ktime_get_ns();
	for (i = 0; i < items.count && !ret; i++)
		renew_do(&items.wants[i], now);
	sluice_domain_unlock(domain);
	items_free(&items);
	return ret;
}

static void recover_do(struct sluice_want *want, bool lost,
		       struct list_head *dirty)
{
	struct sluice_resource *resource = want_resource(want);
	struct sluice_grant *mark;

	sluice_resource_unmark(resource, want->start, want->last,
			       &want->spares[0]);
	if (lost) {
		mark = want->spares[1];
		want->spares[1] = NULL;
		mark->start = want->start;
		mark->last = want->last;
		mark->since = ktime_get_ns();
		mark->resource = resource;
		sluice_resource_mark(resource, mark, true);
	}
	sluice_resource_dirty(resource, dirty);
}

static long lock_recover(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_items *arg = &call->arg.items;
	struct sluice_domain *domain;
	struct items items = {};
	LIST_HEAD(dirty);
	int ret;
	u32 i;

	if ((arg->flags != SLUICE_RECOVER_CONSISTENT &&
	     arg->flags != SLUICE_RECOVER_LOST) || arg->resv)
		return -EINVAL;
	call->replied = true;	/* there is nothing to tell */
	ret = items_get(&items, holder, arg->items, arg->count,
			arg->entry_size, false);
	if (ret)
		return ret;
	ret = spares_get(&items);
	domain = sluice_domain_lock(holder->domain);
	for (i = 0; i < items.count && !ret; i++)
		if (!want_held(&items.wants[i], sluice_mode_writes))
			ret = -EPERM;
	for (i = 0; i < items.count && !ret; i++)
		recover_do(&items.wants[i], arg->flags == SLUICE_RECOVER_LOST,
			   &dirty);
	sluice_request_pass(&dirty);
	for (i = 0; i < items.count && !ret; i++)
		sluice_request_lost(want_resource(&items.wants[i]));
	sluice_domain_unlock(domain);
	items_free(&items);
	return ret;
}

/*
 * The value block.
 */
static bool holds_some(struct sluice_holder *holder,
		       struct sluice_resource *resource, bool to_set)
{
	struct sluice_grant *grant;

	for (grant = sluice_grant_own(holder, resource, 0, SLUICE_END); grant;
	     grant = sluice_grant_own_next(grant, SLUICE_END))
		if (to_set ? sluice_mode_covers(grant->mode, SLUICE_PW) :
			     grant->mode != SLUICE_NL)
			return true;
	return false;
}

static int value_do(struct sluice_holder *holder, struct sluice_value *value,
		    struct sluice_resource *resource)
{
	bool set = value->flags & SLUICE_VALUE_SET;

	if (!resource || !holds_some(holder, resource, set))
		return -EPERM;
	if (set) {
		memcpy(resource->value, value->value, SLUICE_VALUE_SIZE);
		resource->has_value = memchr_inv(value->value, 0,
						 SLUICE_VALUE_SIZE);
		return 0;
	}
	memcpy(value->value, resource->value, SLUICE_VALUE_SIZE);
	value->status = sluice_resource_status(resource, 0, SLUICE_END);
	return 0;
}

static long lock_value(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_value *value = &call->arg.value;
	struct sluice_lockspace *space;
	struct sluice_domain *domain;
	struct sluice_key key = {};
	u32 access;
	int ret;

	if (value->flags & ~SLUICE_VALUE_SET)
		return -EINVAL;
	/* Once it is set, there must be nothing that can fail. */
	call->replied = value->flags & SLUICE_VALUE_SET;
	ret = find_key(&key, value->kind, value->key, value->key_len,
		       value->fd);
	if (ret)
		return ret;
	space = sluice_lockspace_fget(value->lockspace, &access);
	if (IS_ERR(space))
		return PTR_ERR(space);
	sluice_domain_join(holder->domain, space->domain);
	domain = sluice_domain_lock(holder->domain);
	ret = value_do(holder, value, sluice_resource_find(space, &key));
	sluice_domain_unlock(domain);
	sluice_lockspace_put(space);
	return ret;
}

/*
 * Events: looked at, told, and only then forgotten.
 */
static void event_key(struct sluice_lock_event *event, const struct sluice_key *key)
{
	event->kind = key->kind;
	event->key_len = key->len;
	memcpy(event->key, key->bytes, SLUICE_KEY_MAX);
}

/* Return: what is told, for event_forget(). */
static u64 event_look(struct sluice_holder *holder, struct sluice_lock_event *event)
{
	struct sluice_request *request = &holder->request;
	struct sluice_revoked *revoked;
	struct sluice_grant *grant;

	if (holder->news & SLUICE_NEWS_DONE) {
		event->type = SLUICE_EVENT_DONE;
		event->error = -request->error;
		event->index = request->index;
	} else if (!list_empty(&holder->revoked)) {
		revoked = list_first_entry(&holder->revoked,
					   struct sluice_revoked, news);
		event->type = SLUICE_EVENT_REVOKED;
		event->mode = revoked->mode;
		event->lockspace = revoked->space;
		event->start = revoked->start;
		event->end = revoked->last;
		event->token = revoked->token;
		event_key(event, &revoked->key);
	} else if (!list_empty(&holder->notices)) {
		grant = list_first_entry(&holder->notices, struct sluice_grant,
					 news);
		event->type = SLUICE_EVENT_CONTENDED;
		event->mode = grant->wanted;
		event->lockspace = grant->resource->space->object.id;
		event->start = grant->start;
		event->end = grant->last;
		event->token = grant->token;
		event_key(event, &grant->resource->key);
		return grant->notice;
	}
	return 0;
}

static void event_forget(struct sluice_holder *holder, u32 type, u64 notice)
{
	struct sluice_revoked *revoked;
	struct sluice_grant *grant;
	u32 news = holder->news;

	switch (type) {
	case SLUICE_EVENT_DONE:
		sluice_request_finish(&holder->request, true);
		sluice_lock_forget(holder);
		atomic_set_release(&holder->busy, 0);
		news &= ~SLUICE_NEWS_DONE;
		break;
	case SLUICE_EVENT_REVOKED:
		revoked = list_first_entry(&holder->revoked,
					   struct sluice_revoked, news);
		list_del(&revoked->news);
		kfree(revoked);
		break;
	case SLUICE_EVENT_CONTENDED:
		grant = list_first_entry_or_null(&holder->notices,
						 struct sluice_grant, news);
		if (grant && grant->notice == notice)
			list_del_init(&grant->news);
		break;
	}
	if (list_empty(&holder->revoked))
		news &= ~SLUICE_NEWS_REVOKED;
	if (list_empty(&holder->notices))
		news &= ~SLUICE_NEWS_NOTICE;
	WRITE_ONCE(holder->news, news);
}

static int event_tell(struct sluice_call *call, struct sluice_holder *holder)
{
	struct sluice_lock_event *event = &call->arg.event;
	u32 stride = sluice_call_stride(event->entry_size, SLUICE_ITEM_SIZE_1);
	int ret = 0;

	/* A request that is done changes no more until it is forgotten. */
	if (event->type == SLUICE_EVENT_DONE && !event->error && event->items)
		ret = request_tell(&holder->request, event->items, event->count,
				   stride);
	return ret ?: sluice_call_reply(call);
}

static long lock_event(struct sluice_call *call)
{
	struct sluice_holder *holder = call->file->private_data;
	struct sluice_lock_event *event = &call->arg.event;
	struct sluice_lock_event told = {
		.items = event->items,
		.count = event->count,
		.entry_size = event->entry_size,
	};
	struct sluice_domain *domain;
	u64 notice;
	int ret;

	if (!sluice_call_stride(event->entry_size, SLUICE_ITEM_SIZE_1))
		return -EINVAL;
	*event = told;
	if (mutex_lock_interruptible(&holder->call))
		return -ERESTARTSYS;
	domain = sluice_domain_lock(holder->domain);
	notice = event_look(holder, event);
	/* Those whose notice was given up by others are none any more. */
	if (event->type == SLUICE_EVENT_NONE)
		event_forget(holder, event->type, 0);
	sluice_domain_unlock(domain);
	ret = event->type == SLUICE_EVENT_NONE ? -EAGAIN :
						 event_tell(call, holder);
	if (!ret) {
		domain = sluice_domain_lock(holder->domain);
		event_forget(holder, event->type, notice);
		sluice_domain_unlock(domain);
	}
	mutex_unlock(&holder->call);
	return ret;
}

const struct sluice_ioctl sluice_lock_ioctls[] = {
	{ SLUICE_IOC_LOCK, lock_lock },
	{ SLUICE_IOC_UNLOCK, lock_unlock },
	{ SLUICE_IOC_CANCEL, lock_cancel },
	{ SLUICE_IOC_EVENT, lock_event },
	{ SLUICE_IOC_RENEW, lock_renew },
	{ SLUICE_IOC_RECOVER, lock_recover },
	{ SLUICE_IOC_VALUE, lock_value },
	{ SLUICE_IOC_BLOCK, sluice_block_open },
};

const size_t sluice_lock_ioctl_count = ARRAY_SIZE(sluice_lock_ioctls);
