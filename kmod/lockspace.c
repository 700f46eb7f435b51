// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lockspaces: making them, and telling about them. What is in them is in
 * resource.c; who holds it and who waits in inspect.c.
 *
 * A lockspace can be found as long as there is a descriptor of it. Without one,
 * what was remembered for those to come (dead owners, values) is forgotten, and
 * what is held or waited for stays until it is let go.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "compat.h"
#include "deadlock.h"
#include "domain.h"
#include "inspect.h"
#include "lockspace.h"
#include "resource.h"
#include "word.h"

static const struct file_operations lockspace_fops;

static void lockspace_free(struct kref *ref)
{
	struct sluice_lockspace *space =
		container_of(ref, struct sluice_lockspace, ref);

	sluice_registry_remove(&space->object.entry);
	sluice_resources_exit(space);
	sluice_words_exit(space);
	sluice_domain_put(space->domain);
	sluice_object_exit(&space->object);
	kfree(space);
}

void sluice_lockspace_put(struct sluice_lockspace *space)
{
	kref_put(&space->ref, lockspace_free);
}

struct sluice_lockspace *
sluice_lockspace_new(const struct sluice_open *open,
		     const struct sluice_lockspace_config *config)
{
	struct sluice_lockspace *space;
	int ret = -ENOMEM;

	space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);
	if (!space)
		return ERR_PTR(-ENOMEM);
	kref_init(&space->ref);
	space->config = *config;
	INIT_LIST_HEAD(&space->deadlocks);
	space->wants = RB_ROOT;
	space->domain = sluice_domain_new();
	if (!space->domain)
		goto free;
	ret = sluice_resources_init(space);
	if (ret)
		goto put_domain;
	ret = sluice_object_init(&space->object, &sluice_lockspace_type, open);
	if (ret)
		goto exit_resources;
	ret = sluice_words_init(space);
	if (ret)
		goto exit_object;
	return space;
exit_object:
	sluice_object_exit(&space->object);
exit_resources:
	sluice_resources_exit(space);
put_domain:
	sluice_domain_put(space->domain);
free:
	kfree(space);
	return ERR_PTR(ret);
}

struct sluice_lockspace *sluice_lockspace_fget(int fd, u32 *access)
{
	struct sluice_lockspace *space = ERR_PTR(-EINVAL);
	struct fd found = fdget(fd);
	struct file *file = fd_file(found);
	struct sluice_object_file *of;

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &lockspace_fops) {
		of = file->private_data;
		*access = of->access;
		space = sluice_lockspace_get(sluice_lockspace_of(of->object));
	}
	fdput(found);
	return space;
}

static void lockspace_unused(struct sluice_object *object)
{
	struct sluice_lockspace *space = sluice_lockspace_of(object);
	struct sluice_domain *domain = sluice_domain_lock(space->domain);
	u64 number = 0;

	space->closed = true;
	sluice_deadlocks_forget(space);
	sluice_words_close(space);
	/* What is not forgotten yet nobody can come to any more. */
	while (sluice_resources_forget(space, &number)) {
		sluice_domain_unlock(domain);
		cond_resched();
		domain = sluice_domain_lock(space->domain);
	}
	sluice_domain_unlock(domain);
	/* Who still holds something there keeps it, and pays for what he holds. */
	sluice_object_uncharge(object);
	sluice_lockspace_put(space);
}

static int lockspace_stat(struct sluice_object *object,
			  union sluice_object_stat *to)
{
	struct sluice_lockspace *space = sluice_lockspace_of(object);
	struct sluice_lockspace_stat *stat = &to->lockspace;
	struct sluice_domain *domain;

	memset(stat, 0, sizeof(*stat));
	stat->id = object->id;
	stat->created = object->created;
	stat->uid = from_kuid_munged(current_user_ns(), object->uid);
	stat->gid = from_kgid_munged(current_user_ns(), object->gid);
	stat->mode = object->mode;
	stat->name_len = object->name.len;
	memcpy(stat->name, object->name.bytes, SLUICE_NAME_MAX);
	stat->config = space->config;
	domain = sluice_domain_lock_killable(space->domain);
	if (!domain)
		return -EINTR;
	stat->resources = space->resource_count;
	stat->grants = space->grants;
	stat->waiting = space->waiting;
	stat->granted = space->granted;
	stat->blocked = space->blocked;
	stat->deadlocks = space->deadlock_numbers;
	stat->died = space->died;
	stat->token = space->token;
	sluice_domain_unlock(domain);
	return 0;
}

static const struct sluice_ioctl lockspace_ioctls[] = {
	{ SLUICE_IOC_LOCKSPACE_STAT, sluice_object_stat },
	{ SLUICE_IOC_RESTRICT, sluice_object_restrict },
	{ SLUICE_IOC_LOCKS, sluice_inspect_locks },
	{ SLUICE_IOC_DEADLOCK, sluice_inspect_deadlock },
};

static long lockspace_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	return sluice_call_run(lockspace_ioctls, ARRAY_SIZE(lockspace_ioctls),
			       file, cmd, arg);
}

static const struct file_operations lockspace_fops = {
	.owner = THIS_MODULE,
	.release = sluice_object_release,
	.unlocked_ioctl = lockspace_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = sluice_words_mmap,
	.llseek = noop_llseek,
};

static int words_check(struct sluice_lockspace_config *config)
{
	if (config->flags & ~SLUICE_LOCKSPACE_TRUSTED ||
	    config->words > SLUICE_WORDS_MAX)
		return -EINVAL;
	if (!(config->flags & SLUICE_LOCKSPACE_TRUSTED))
		return config->words ? -EINVAL : 0;
	config->words = config->words ?: SLUICE_WORDS_DEFAULT;
	return 0;
}

static int lockspace_check(struct sluice_call *call)
{
	struct sluice_lockspace_config *config = &call->arg.lockspace.config;

	config->victim = config->victim ?: SLUICE_VICTIM_REQUESTER;
	if (config->victim > SLUICE_VICTIM_PRIORITY || config->resv ||
	    memchr_inv(config->resv2, 0, sizeof(config->resv2)))
		return -EINVAL;
	return words_check(config);
}

static struct sluice_object *lockspace_make(const struct sluice_call *call)
{
	struct sluice_lockspace *space;

	space = sluice_lockspace_new(&call->arg.open,
				     &call->arg.lockspace.config);
	return IS_ERR(space) ? ERR_CAST(space) : &space->object;
}

static struct kref *lockspace_ref(struct sluice_object *object)
{
	return &sluice_lockspace_of(object)->ref;
}

static void lockspace_config(const struct sluice_object *object,
			     struct sluice_call *call)
{
	call->arg.lockspace.config =
		container_of(object, struct sluice_lockspace, object)->config;
}

const struct sluice_object_type sluice_lockspace_type = {
	.names = SLUICE_NAMES_LOCKSPACES,
	.registry = SLUICE_REGISTRY_LOCKSPACES,
	.made = SLUICE_NL_EVENT_LOCKSPACE_MADE,
	.gone = SLUICE_NL_EVENT_LOCKSPACE_GONE,
	.res = SLUICE_RES_LOCKSPACES,
	.file = "[sluice-lockspace]",
	.fops = &lockspace_fops,
	.check = lockspace_check,
	.make = lockspace_make,
	.config = lockspace_config,
	.ref = lockspace_ref,
	.unused = lockspace_unused,
	.stat = lockspace_stat,
	.stat_size = sizeof(struct sluice_lockspace_stat),
	.stat_size_1 = SLUICE_LOCKSPACE_STAT_SIZE_1,
};
