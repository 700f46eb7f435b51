/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_AREA_H
#define SLUICE_AREA_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

struct file;
struct mem_cgroup;
struct page;
struct sluice_user;

/**
 * struct sluice_keeper - a mapping, or an endpoint, that keeps an area
 * @link: in the area's list
 * @user: charged for the area, if need be; a reference
 */
struct sluice_keeper {
	struct list_head link;
	struct sluice_user *user;
};

/**
 * struct sluice_area - memory that processes map
 * @ref: counted by the object it belongs to and by every mapping
 * @rcu: for readers of @kaddr that hold no reference
 * @size: bytes, whole pages
 * @kaddr: kernel pages, or NULL
 * @shmem: swappable pages, if @kaddr is NULL
 * @memcg: charged for @shmem pages, whoever touches them first
 * @lock: guards those up to @keepers; a leaf but for accounts
 * @user: charged for @size: the owner, then the first of @keepers, if any
 * @disowned: the owner is gone
 * @keepers: the last to come first
 * @written: a writable mapping exists, or has existed
 */
struct sluice_area {
	struct kref ref;
	struct rcu_head rcu;
	size_t size;
	void *kaddr;
	struct file *shmem;
	struct mem_cgroup *memcg;
	struct mutex lock;
	struct sluice_user *user;
	bool disowned;
	struct list_head keepers;
	atomic_t written;
};

/**
 * sluice_area_file - a file to stand behind mappings
 * @size: bytes of shmem
 *
 * It pins the module, and nothing can be done with it.
 */
struct file *sluice_area_file(loff_t size);

/**
 * sluice_area_new - zeroed memory
 * @user: charged for it
 * @size: bytes, rounded up to whole pages
 *
 * sluice_area_new() makes kernel pages, which the kernel reads and writes at
 * @kaddr; sluice_area_new_shmem() pages that are allocated on touch.
 *
 * Return: the area, ERR_PTR(-ENOMEM), ERR_PTR(-EDQUOT).
 */
struct sluice_area *sluice_area_new(struct sluice_user *user, size_t size);
struct sluice_area *sluice_area_new_shmem(struct sluice_user *user,
					  size_t size);
struct sluice_area *sluice_area_get(struct sluice_area *area);
void sluice_area_put(struct sluice_area *area);

/**
 * sluice_area_keep - be one of those who keep an area
 * @area: the area; its reference is the caller's own affair
 * @keeper: its @user, who is charged for the area when the owner is gone, is
 *	put by sluice_area_unkeep()
 *
 * Whoever came last pays, of those who are still there. So nobody pays for what
 * only others keep: neither the owner nor who was here once.
 */
void sluice_area_keep(struct sluice_area *area, struct sluice_keeper *keeper);
void sluice_area_unkeep(struct sluice_area *area, struct sluice_keeper *keeper);

/* The owner pays no longer. His reference he puts himself; NULL is fine. */
void sluice_area_disown(struct sluice_area *area);

/* Return: the page at @index with a reference, or an ERR_PTR. May sleep. */
struct page *sluice_area_page(struct sluice_area *area, pgoff_t index);

#endif
