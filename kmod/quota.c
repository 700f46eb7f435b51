// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: what each user has, so that one cannot take it all.
 *
 * An account is keyed by user namespace and user id and points to the account
 * of the namespace's owner one level up, as the kernel's own ucounts do
 * (kernel/ucount.c), which modules cannot use. A charge goes to each level or
 * to none.
 *
 * Locks: users_lock guards the table; counters are atomic. users_lock is a
 * leaf: nothing is taken inside it.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "deferred.h"
#include "notify.h"
#include "quota.h"
#include "trace.h"

struct sluice_user {
	struct hlist_node node;
	struct rb_node by_number;
	u64 number;
	struct user_namespace *ns;
	kuid_t uid;
	refcount_t refs;	/* the last goes under users_lock */
	struct sluice_user *parent;
	struct sluice_share share;	/* of the top one */
	atomic64_t used[SLUICE_RES_COUNT];
};

static DEFINE_MUTEX(users_lock);
static DEFINE_HASHTABLE(users, 8);
static struct rb_root users_by_number = RB_ROOT;
static u64 users_made, users_gone;

static u32 user_key(struct user_namespace *ns, kuid_t uid)
{
	return hash_ptr(ns, 32) ^ __kuid_val(uid);
}

static struct sluice_user *user_find(struct user_namespace *ns, kuid_t uid)
{
	struct sluice_user *user;

	lockdep_assert_held(&users_lock);
	hash_for_each_possible(users, user, node, user_key(ns, uid))
		if (user->ns == ns && uid_eq(user->uid, uid))
			return user;
	return NULL;
}

static bool user_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct sluice_user, by_number)->number <
		rb_entry(b, struct sluice_user, by_number)->number;
}

static void user_add(struct sluice_user *user, struct user_namespace *ns,
		     kuid_t uid)
{
	lockdep_assert_held(&users_lock);
	refcount_set(&user->refs, 1);
	user->ns = get_user_ns(ns);
	user->uid = uid;
	hash_add(users, &user->node, user_key(ns, uid));
	user->number = ++users_made;
	rb_add(&user->by_number, &users_by_number, user_before);
}

/* Return: its parent, whose reference is left to the caller. */
static struct sluice_user *user_forget(struct sluice_user *user)
{
	struct sluice_user *parent = user->parent;

	lockdep_assert_held(&users_lock);
	hash_del(&user->node);
	rb_erase(&user->by_number, &users_by_number);
	users_gone++;
	put_user_ns(user->ns);
	kfree(user);
	return parent;
}

static void user_put_locked(struct sluice_user *user)
{
	struct sluice_user *parent;

	lockdep_assert_held(&users_lock);
	for (; user && refcount_dec_and_test(&user->refs); user = parent)
		parent = user_forget(user);
}

static void users_free(struct sluice_user *user)
{
	struct sluice_user *parent;

	for (; user; user = parent) {
		parent = user->parent;
		kfree(user);
	}
}

/* Room for one at each level; without the lock, for it may take long. */
static struct sluice_user *users_alloc(int levels)
{
	struct sluice_user *first = NULL, *user;

	while (levels--) {
		user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
		if (!user) {
			users_free(first);
			return NULL;
		}
		sluice_share_init(&user->share);
		user->parent = first;
		first = user;
	}
	return first;
}

/* Return: what is left of @spares. */
static struct sluice_user *users_add(struct sluice_user **link,
				     struct sluice_user *spares,
				     struct user_namespace *ns, kuid_t uid)
{
	struct sluice_user *user;

	lockdep_assert_held(&users_lock);
	while (!(user = user_find(ns, uid))) {
		user = spares;
		spares = user->parent;
		user->parent = NULL;
		user_add(user, ns, uid);
		*link = user;
		link = &user->parent;
		if (!ns->parent)
			return spares;
		uid = ns->owner;
		ns = ns->parent;
	}
	*link = sluice_user_hold(user);
	return spares;
}

struct sluice_user *sluice_user_get(struct user_namespace *ns, kuid_t uid)
{
	struct sluice_user *user, *spares;

	mutex_lock(&users_lock);
	user = user_find(ns, uid);
	if (user)
		sluice_user_hold(user);
	mutex_unlock(&users_lock);
	if (user)
		return user;
	spares = users_alloc(ns->level + 1);
	if (!spares)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&users_lock);
	spares = users_add(&user, spares, ns, uid);
	mutex_unlock(&users_lock);
	users_free(spares);
	return user;
}

struct sluice_user *sluice_user_hold(struct sluice_user *user)
{
	refcount_inc(&user->refs);
	return user;
}

void sluice_user_put(struct sluice_user *user)
{
	if (!refcount_dec_and_mutex_lock(&user->refs, &users_lock))
		return;
	user_put_locked(user_forget(user));
	mutex_unlock(&users_lock);
}

struct user_namespace *sluice_user_ns(const struct sluice_user *user)
{
	return user->ns;
}

kuid_t sluice_user_uid(const struct sluice_user *user)
{
	return user->uid;
}

struct sluice_share *sluice_user_share(struct sluice_user *user)
{
	while (user->parent)
		user = user->parent;
	return &user->share;
}

struct sluice_user *sluice_user_next(u64 number)
{
	struct sluice_user *user, *next = NULL;
	struct rb_node *node;

	mutex_lock(&users_lock);
	node = users_by_number.rb_node;
	while (node) {
		user = rb_entry(node, struct sluice_user, by_number);
		if (user->number > number) {
			next = user;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	if (next)
		sluice_user_hold(next);
	mutex_unlock(&users_lock);
	return next;
}

u64 sluice_user_number(const struct sluice_user *user)
{
	return user->number;
}

u64 sluice_user_changes(void)
{
	u64 changes;

	mutex_lock(&users_lock);
	changes = users_made + users_gone;
	mutex_unlock(&users_lock);
	return changes;
}

static bool charge_one(struct sluice_user *user, enum sluice_res res,
		       u64 n)
{
	u64 limit = sluice_user_limit(res);
	s64 used = atomic64_read(&user->used[res]);

	do {
		if (n > limit || (u64)used > limit - n)
			return false;
	} while (!atomic64_try_cmpxchg(&user->used[res], &used, used + n));
	return true;
}

int sluice_charge(struct sluice_user *user, enum sluice_res res, u64 n)
{
	struct sluice_user *level, *undo;

	for (level = user; level; level = level->parent)
		if (!charge_one(level, res, n))
			goto over;
	return 0;
over:
	trace_sluice_quota(level->uid, res, n, sluice_charged(level, res),
			   sluice_user_limit(res));
	sluice_notify_quota(level, res, n);
	for (undo = user; undo != level; undo = undo->parent)
		atomic64_sub(n, &undo->used[res]);
	return res == SLUICE_RES_FDS ? -ETOOMANYREFS : -EDQUOT;
}

void sluice_charge_over(struct sluice_user *user, enum sluice_res res,
			u64 n)
{
	for (; user; user = user->parent)
		atomic64_add(n, &user->used[res]);
}

void sluice_uncharge(struct sluice_user *user, enum sluice_res res, u64 n)
{
	for (; user; user = user->parent)
		atomic64_sub(n, &user->used[res]);
}

u64 sluice_charged(struct sluice_user *user, enum sluice_res res)
{
	return atomic64_read(&user->used[res]);
}
