// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that processes share, of two kinds. What the kernel itself reads
 * (rings, cursors) or writes (the member table) is kernel pages: always
 * there, so that it can be read under a spinlock or RCU. Pools, which the
 * kernel never looks into, are shmem: allocated on touch, swappable.
 *
 * Both are charged to whoever asked for them: to the user's quota in full, to
 * the memory cgroup as allocated, if it can have that much.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "area.h"
#include "compat.h"
#include "quota.h"

/*
 * What a mapping shows as its file: nothing can be done with it. Were it the
 * shmem file as it comes, remap_file_pages() would map it anew past our ->mmap,
 * and a reader become a writer.
 */
static const struct file_operations area_fops = {
	.owner = THIS_MODULE,
};

struct file *sluice_area_file(loff_t size)
{
	struct file *file = sluice_shmem_file("sluice", size);

	if (IS_ERR(file))	/* it says ENOSPC when there is no inode */
		return ERR_PTR(-ENOMEM);
	__module_get(THIS_MODULE);
	file->f_op = &area_fops;
	return file;
}

static struct sluice_area *area_new(struct sluice_user *user, size_t size)
{
	struct sluice_area *area;
	int ret;

	area = kzalloc(sizeof(*area), GFP_KERNEL_ACCOUNT);
	if (!area)
		return ERR_PTR(-ENOMEM);
	ret = sluice_charge(user, SLUICE_RES_BYTES, size);
	if (ret) {
		kfree(area);
		return ERR_PTR(ret);
	}
	kref_init(&area->ref);
	mutex_init(&area->lock);
	INIT_LIST_HEAD(&area->keepers);
	area->size = size;
	area->user = sluice_user_hold(user);
	return area;
}

static void area_free_rcu(struct rcu_head *rcu)
{
	struct sluice_area *area = container_of(rcu, struct sluice_area, rcu);

	vfree(area->kaddr);
	kfree(area);
}

/* Charge @user instead of who was, who may both be nobody. */
static void area_charge(struct sluice_area *area, struct sluice_user *user)
{
	struct sluice_user *old = area->user;

	if (user == old)
		return;
	area->user = user;
	if (user)
		sluice_charge_over(sluice_user_hold(user), SLUICE_RES_BYTES,
				   area->size);
	if (old) {
		sluice_uncharge(old, SLUICE_RES_BYTES, area->size);
		sluice_user_put(old);
	}
}

static void area_free(struct kref *ref)
{
	struct sluice_area *area = container_of(ref, struct sluice_area, ref);

	area_charge(area, NULL);
	if (area->shmem)
		fput(area->shmem);
	mem_cgroup_put(area->memcg);
	mutex_destroy(&area->lock);
	call_rcu(&area->rcu, area_free_rcu);
}

struct sluice_area *sluice_area_new(struct sluice_user *user, size_t size)
{
	struct sluice_area *area = area_new(user, PAGE_ALIGN(size));

	if (IS_ERR(area))
		return area;
	area->kaddr = __vmalloc(area->size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!area->kaddr) {
		sluice_area_put(area);
		return ERR_PTR(-ENOMEM);
	}
	return area;
}

struct sluice_area *sluice_area_new_shmem(struct sluice_user *user,
					  size_t size)
{
	struct sluice_area *area = area_new(user, PAGE_ALIGN(size));
	struct file *shmem;

	if (IS_ERR(area))
		return area;
	shmem = sluice_area_file(area->size);
	if (IS_ERR(shmem)) {
		sluice_area_put(area);
		return ERR_CAST(shmem);
	}
	area->shmem = shmem;
	area->memcg = get_mem_cgroup_from_mm(current->mm);
	return area;
}

struct sluice_area *sluice_area_get(struct sluice_area *area)
{
	kref_get(&area->ref);
	return area;
}

void sluice_area_put(struct sluice_area *area)
{
	if (area)
		kref_put(&area->ref, area_free);
}

/* Once the owner is gone, whoever came last pays, of those who are left. */
static void area_settle(struct sluice_area *area)
{
	struct sluice_keeper *keeper;

	lockdep_assert_held(&area->lock);
	if (!area->disowned)
		return;
	keeper = list_first_entry_or_null(&area->keepers, struct sluice_keeper,
					  link);
	area_charge(area, keeper ? keeper->user : NULL);
}

void sluice_area_keep(struct sluice_area *area, struct sluice_keeper *keeper)
{
	mutex_lock(&area->lock);
	list_add(&keeper->link, &area->keepers);
	area_settle(area);
	mutex_unlock(&area->lock);
}

void sluice_area_unkeep(struct sluice_area *area, struct sluice_keeper *keeper)
{
	mutex_lock(&area->lock);
	list_del(&keeper->link);
	area_settle(area);
	mutex_unlock(&area->lock);
	sluice_user_put(keeper->user);
}

void sluice_area_disown(struct sluice_area *area)
{
	if (!area)
		return;
	mutex_lock(&area->lock);
	area->disowned = true;
	area_settle(area);
	mutex_unlock(&area->lock);
}

static struct page *shmem_page(struct sluice_area *area, pgoff_t index,
			       struct mem_cgroup *payer, gfp_t more)
{
	struct address_space *mapping = area->shmem->f_mapping;
	struct mem_cgroup *old = set_active_memcg(payer);
	struct page *page;

	page = shmem_read_mapping_page_gfp(mapping, index,
					   mapping_gfp_mask(mapping) | more);
	set_active_memcg(old);
	return page;
}

/*
 * A page that was never touched is the owner's expense, whoever touches it
 * first. But a fault that finds no memory is tried again for ever: if the
 * owner's cgroup has no more, a reader in another one takes it from its own.
 */
static struct page *shmem_page_charged(struct sluice_area *area, pgoff_t index)
{
	struct mem_cgroup *mine = get_mem_cgroup_from_mm(current->mm);
	struct page *page = ERR_PTR(-ENOMEM);

	if (mine != area->memcg)
		page = shmem_page(area, index, area->memcg,
				  __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (page == ERR_PTR(-ENOMEM))
		page = shmem_page(area, index, mine, 0);
	mem_cgroup_put(mine);
	return page;
}

struct page *sluice_area_page(struct sluice_area *area, pgoff_t index)
{
	struct page *page;

	if (index >= area->size >> PAGE_SHIFT)
		return ERR_PTR(-EINVAL);
	if (area->kaddr) {
		page = vmalloc_to_page(area->kaddr + (index << PAGE_SHIFT));
		get_page(page);
		return page;
	}
	return shmem_page_charged(area, index);
}
