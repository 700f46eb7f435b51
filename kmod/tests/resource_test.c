// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: resources that pin files. A file system of their own tells when the
 * last one lets go of an inode, and whether the domain was locked then. And that
 * no lease that runs out waits for another's file system.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/workqueue.h>

#include "scene.h"

#define SPY_MAGIC	0x51ce5b1

static struct {
	struct sluice_domain *domain;
	bool evicted, locked;
} spy;

static void spy_evict(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!spy.domain)
		return;
	spy.locked = mutex_is_locked(&sluice_domain_root(spy.domain)->lock);
	spy.evicted = true;
}

static const struct super_operations spy_ops = {
	.evict_inode = spy_evict,
};

static int spy_init(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, SPY_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &spy_ops;
	return 0;
}

static struct file_system_type spy_type = {
	.name = "sluice_spy",
	.init_fs_context = spy_init,
	.kill_sb = kill_anon_super,
	.owner = THIS_MODULE,
};

static const struct file_operations spy_fops = {};

/* Return: the pin of a file that nobody else has. */
static struct sluice_pin *spy_pin(struct vfsmount *mnt)
{
	struct inode *inode = new_inode(mnt->mnt_sb);
	struct sluice_pin *pin;
	struct file *file;

	if (!inode)
		return NULL;
	file = alloc_file_pseudo(inode, mnt, "spy", O_RDONLY, &spy_fops);
	if (IS_ERR(file)) {
		iput(inode);
		return NULL;
	}
	pin = sluice_pin_new(&file->f_path);
	__fput_sync(file);
	return pin;
}

/* The last reference to @pin goes with the resource. Return: what went wrong. */
static const char *pin_last(struct sluice_lockspace *space,
			    struct sluice_user *user, struct sluice_pin *pin)
{
	struct sluice_resource *spare = sluice_resource_new(), *resource;
	struct sluice_domain *domain = sluice_domain_lock(space->domain);
	const char *wrong = NULL;
	struct sluice_key key;

	scene_key(&key, 1);
	resource = sluice_resource_add(space, &key, pin, user, &spare);
	sluice_domain_unlock(domain);
	sluice_pin_put(pin);
	if (IS_ERR(resource))
		return "no resource";
	if (spy.evicted)
		return "the resource pins nothing";
	domain = sluice_domain_lock(space->domain);
	sluice_resource_settle(resource);
	if (spy.evicted)
		wrong = "it went with the domain locked";
	sluice_domain_unlock(domain);
	return wrong;
}

static void resource_lets_go(struct kunit *test)
{
	struct sluice_lockspace *space = scene_space(SLUICE_VICTIM_REQUESTER);
	struct vfsmount *mnt = kern_mount(&spy_type);
	struct sluice_holder *holder;
	struct sluice_pin *pin;

	KUNIT_ASSERT_FALSE(test, IS_ERR(space));
	KUNIT_ASSERT_FALSE(test, IS_ERR(mnt));
	holder = scene_holder(space);
	KUNIT_ASSERT_FALSE(test, IS_ERR(holder));
	spy.domain = space->domain;
	spy.evicted = false;
	pin = spy_pin(mnt);
	KUNIT_ASSERT_NOT_NULL(test, pin);
	KUNIT_EXPECT_STREQ(test, "", pin_last(space, holder->user, pin) ?: "");
	KUNIT_EXPECT_TRUE(test, spy.evicted);
	KUNIT_EXPECT_FALSE(test, spy.locked);
	sluice_holder_end(holder);
	spy.domain = NULL;	/* the root goes, too */
	sluice_object_unuse(&space->object);
	kern_unmount(mnt);
}

struct probe {
	struct sluice_later later;
	struct completion done;
	struct work_struct *by;
};

static void probe_run(struct sluice_later *later)
{
	struct probe *probe = container_of(later, struct probe, later);

	probe->by = current_work();
	complete(&probe->done);
}

/* What an alarm finds put off, as what it takes back puts it off. */
static void alarm_waits_for_none(struct kunit *test)
{
	struct sluice_holder *holder = sluice_holder_new();
	struct probe probe = { .later.fn = probe_run };
	struct sluice_domain *domain;

	KUNIT_ASSERT_FALSE(test, IS_ERR(holder));
	init_completion(&probe.done);
	domain = sluice_domain_lock(holder->domain);
	sluice_domain_later(domain, &probe.later);
	KUNIT_EXPECT_FALSE(test, holder->alarm.ring(&holder->alarm));
	sluice_domain_unlock(domain);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&probe.done,
							    60 * HZ));
	KUNIT_EXPECT_PTR_EQ(test, probe.by, &holder->follow.work);
	sluice_holder_end(holder);
}

static struct kunit_case resource_cases[] = {
	KUNIT_CASE(resource_lets_go),
	KUNIT_CASE(alarm_waits_for_none),
	{}
};

static struct kunit_suite resource_suite = {
	.name = "sluice_resource",
	.test_cases = resource_cases,
};

kunit_test_suite(resource_suite);
