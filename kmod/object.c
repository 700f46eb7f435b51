// SPDX-License-Identifier: GPL-2.0-only
/*
 * What channels and lockspaces have in common: a name, an owner, permission
 * bits, descriptors with rights; opening, making, listing.
 *
 * An object is in use as long as there is a descriptor of it or of something
 * made from it. With the last one goes its name.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "notify.h"
#include "object.h"
#include "quota.h"

static atomic64_t object_ids;

/* Only what chown() would let one do. */
static int object_owner(struct sluice_object *object,
			const struct sluice_open *open)
{
	bool may_chown = ns_capable(object->user_ns, CAP_CHOWN);

	object->uid = current_euid();
	object->gid = current_egid();
	if (open->uid != SLUICE_ID_DEFAULT) {
		object->uid = make_kuid(current_user_ns(), open->uid);
		if (!uid_valid(object->uid))
			return -EINVAL;
		if (!uid_eq(object->uid, current_euid()) && !may_chown)
			return -EPERM;
	}
	if (open->gid != SLUICE_ID_DEFAULT) {
		object->gid = make_kgid(current_user_ns(), open->gid);
		if (!gid_valid(object->gid))
			return -EINVAL;
		if (!in_egroup_p(object->gid) && !may_chown)
			return -EPERM;
	}
	return 0;
}

int sluice_object_init(struct sluice_object *object,
		       const struct sluice_object_type *type,
		       const struct sluice_open *open)
{
	struct sluice_user *user;
	int ret;

	user = sluice_user_get(current_user_ns(), current_uid());
	if (IS_ERR(user))
		return PTR_ERR(user);
	ret = sluice_charge(user, type->res, 1);
	if (ret) {
		sluice_user_put(user);
		return ret;
	}
	object->type = type;
	object->user = user;
	object->user_ns = get_user_ns(current_user_ns());
	object->pid_ns = get_pid_ns(task_active_pid_ns(current));
	ret = object_owner(object, open);
	if (ret) {
		sluice_object_exit(object);
		return ret;
	}
	object->mode = open->mode;
	object->name.len = open->name_len;
	memcpy(object->name.bytes, open->name, open->name_len);
	object->id = atomic64_inc_return(&object_ids);
	object->created = ktime_get_ns();
	atomic_set(&object->files, 1);
	return 0;
}

void sluice_object_uncharge(struct sluice_object *object)
{
	if (!object->user)
		return;
	sluice_uncharge(object->user, object->type->res, 1);
	sluice_user_put(object->user);
	object->user = NULL;
}

void sluice_object_exit(struct sluice_object *object)
{
	sluice_object_uncharge(object);
	put_user_ns(object->user_ns);
	put_pid_ns(object->pid_ns);
}

void sluice_object_unuse(struct sluice_object *object)
{
	if (!atomic_dec_and_test(&object->files))
		return;
	sluice_name_remove(object);
	sluice_notify_object(object, object->type->gone);
	object->type->unused(object);
}

/* Without the reference. */
static struct sluice_rights object_rights(const struct sluice_object *object)
{
	return (struct sluice_rights) {
		.uid = object->uid,
		.gid = object->gid,
		.mode = object->mode,
		.user_ns = object->user_ns,
	};
}

void sluice_rights_get(struct sluice_rights *rights,
		       const struct sluice_object *object)
{
	*rights = object_rights(object);
	get_user_ns(rights->user_ns);
}

void sluice_rights_put(struct sluice_rights *rights)
{
	put_user_ns(rights->user_ns);
}

static bool rights_permit(const struct sluice_rights *rights, u32 access)
{
	umode_t mode = rights->mode;
	umode_t want = (access & SLUICE_READ ? 4 : 0) |
		(access & SLUICE_WRITE ? 2 : 0);

	if (uid_eq(current_euid(), rights->uid))
		mode >>= 6;
	else if (in_egroup_p(rights->gid))
		mode >>= 3;
	return !(want & ~mode) ||
		ns_capable(rights->user_ns, CAP_IPC_OWNER);
}

static bool object_permits(struct sluice_object *object, u32 access)
{
	struct sluice_rights rights = object_rights(object);

	return rights_permit(&rights, access);
}

bool sluice_rights_visible(const struct sluice_rights *rights)
{
	return rights_permit(rights, SLUICE_READ) ||
		rights_permit(rights, SLUICE_WRITE);
}

bool sluice_object_visible(struct sluice_object *object)
{
	struct sluice_rights rights = object_rights(object);

	return sluice_rights_visible(&rights);
}

static struct file *object_file(struct sluice_object *object, u32 access)
{
	struct sluice_object_file *of;
	struct file *file;

	of = kmalloc(sizeof(*of), GFP_KERNEL_ACCOUNT);
	if (!of)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&object->files);
	of->object = object;
	of->access = access;
	file = anon_inode_getfile(object->type->file, object->type->fops, of,
				  O_RDWR);
	if (IS_ERR(file)) {
		kfree(of);
		sluice_object_unuse(object);
	}
	return file;
}

/* It is made, and has its name: let it be seen. */
static struct sluice_object *object_made(struct net *net,
					 struct sluice_object *object)
{
	const struct sluice_object_type *type = object->type;

	sluice_registry_add(net, &object->entry, type->registry, object->id,
			    type->ref(object));
	sluice_notify_object(object, type->made);
	return object;
}

static int open_check(const struct sluice_open *open)
{
	bool create = open->flags & SLUICE_OPEN_CREATE;

	if (open->flags & ~(SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL) ||
	    open->resv || open->mode & ~0666 ||
	    !open->access || open->access & ~(SLUICE_READ | SLUICE_WRITE))
		return -EINVAL;
	if (open->flags & SLUICE_OPEN_EXCL && !create)
		return -EINVAL;
	if (!open->name_len)
		return create ? 0 : -EINVAL;
	if (open->name_len > SLUICE_NAME_MAX)
		return -ENAMETOOLONG;
	return sluice_name_valid(open->name, open->name_len) ? 0 : -EINVAL;
}

/*
 * Find the object, or make it; another may do either at the same time. The
 * caller has its use of it.
 */
static struct sluice_object *
object_find_or_make(struct sluice_call *call,
		    const struct sluice_object_type *type)
{
	struct net *net = current->nsproxy->net_ns;
	struct sluice_open *open = &call->arg.open;
	struct sluice_object *object = NULL;

	for (;;) {
		if (open->name_len)
			object = sluice_name_find(net, type->names, open->name,
						  open->name_len);
		if (object && open->flags & SLUICE_OPEN_EXCL) {
			sluice_object_unuse(object);
			return ERR_PTR(-EEXIST);
		}
		if (object)
			return object;
		if (!(open->flags & SLUICE_OPEN_CREATE))
			return ERR_PTR(-ENOENT);
		object = type->make(call);
		if (IS_ERR(object))
			return object;
		open->created = 1;
		if (!open->name_len || !sluice_name_add(net, object))
			return object_made(net, object);
		open->created = 0;
		sluice_object_unuse(object);
		if (signal_pending(current))
			return ERR_PTR(-ERESTARTSYS);
	}
}

long sluice_object_open(struct sluice_call *call,
			const struct sluice_object_type *type)
{
	struct sluice_open *open = &call->arg.open;
	struct sluice_object *object;
	struct file *file;
	int ret = open_check(open);

	/* All structures that open something begin as struct sluice_open. */
	BUILD_BUG_ON(offsetof(struct sluice_lockspace_open, config) !=
		     offsetof(struct sluice_open, config));
	if (!ret && open->flags & SLUICE_OPEN_CREATE)
		ret = type->check(call);
	if (ret)
		return ret;
	open->created = 0;
	object = object_find_or_make(call, type);
	if (IS_ERR(object))
		return PTR_ERR(object);
	if (!open->created && !object_permits(object, open->access)) {
		sluice_object_unuse(object);
		return -EACCES;
	}
	type->config(object, call);
	file = object_file(object, open->access);
	sluice_object_unuse(object);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return sluice_call_fd(call, file);
}

static long list_one(struct sluice_list *list, struct sluice_object *object,
		     u32 stride, u32 written)
{
	const struct sluice_object_type *type = object->type;
	union sluice_object_stat stat;
	int ret;

	if (!sluice_object_visible(object))
		return 0;
	list->after_len = object->name.len;
	memcpy(list->after, object->name.bytes, SLUICE_NAME_MAX);
	ret = type->stat(object, &stat);
	if (ret)
		return ret;
	return sluice_call_entry(list->entries, written, stride, &stat,
				 type->stat_size) ?: 1;
}

long sluice_object_list(struct sluice_call *call,
			const struct sluice_object_type *type)
{
	struct net *net = current->nsproxy->net_ns;
	struct sluice_list *list = &call->arg.list;
	u32 stride = sluice_call_stride(list->entry_size, type->stat_size_1);
	struct sluice_object *object;
	struct sluice_name seen = {};
	u32 written = 0;
	long ret;

	if (!list->count || list->after_len > SLUICE_NAME_MAX || !stride ||
	    list->resv)
		return -EINVAL;
	/* The caller is not told of names it may not see, so not list->after. */
	seen.len = list->after_len;
	memcpy(seen.bytes, list->after, SLUICE_NAME_MAX);
	while (written < list->count) {
		object = sluice_name_next(net, type->names, seen.bytes,
					  seen.len);
		if (!object)
			break;
		seen.len = object->name.len;
		memcpy(seen.bytes, object->name.bytes, SLUICE_NAME_MAX);
		ret = list_one(list, object, stride, written);
		sluice_object_unuse(object);
		if (ret < 0)
			return ret;
		written += ret;
		if (fatal_signal_pending(current) ||
		    (signal_pending(current) && !written))
			return -ERESTARTSYS;
		cond_resched();
	}
	list->count = written;
	return 0;
}

long sluice_object_stat(struct sluice_call *call)
{
	struct sluice_object_file *of = call->file->private_data;

	return of->object->type->stat(of->object,
				      (union sluice_object_stat *)&call->arg);
}

long sluice_object_restrict(struct sluice_call *call)
{
	struct sluice_object_file *of = call->file->private_data;
	u32 access = call->arg.restrict_.access;
	struct file *file;

	if (call->arg.restrict_.resv || !access)
		return -EINVAL;
	if (access & ~of->access)
		return access & ~(SLUICE_READ | SLUICE_WRITE) ? -EINVAL :
								-EACCES;
	file = object_file(of->object, access);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return sluice_call_fd(call, file);
}

int sluice_object_release(struct inode *inode, struct file *file)
{
	struct sluice_object_file *of = file->private_data;

	sluice_object_unuse(of->object);
	kfree(of);
	return 0;
}
