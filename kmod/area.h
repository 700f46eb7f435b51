/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_AREA_H
#define SLUICE_AREA_H

#include <linux/kref.h>
#include <linux/rcupdate.h>

struct file;
struct mem_cgroup;
struct page;
struct sluice_user;

/**
 * struct sluice_area - memory that processes map
 * @ref: counted by the object it belongs to and by every mapping
 * @rcu: for readers of @kaddr that hold no reference
 * @size: bytes, whole pages
 * @kaddr: kernel pages, or NULL
 * @shmem: swappable pages, if @kaddr is NULL
 * @memcg: charged for @shmem pages, whoever touches them first
 * @user: charged for @size
 * @heir: charged instead once the owner is gone: whoever mapped it last
 * @written: a writable mapping exists, or has existed
 */
struct sluice_area {
	struct kref ref;
	struct rcu_head rcu;
	size_t size;
	void *kaddr;
	struct file *shmem;
	struct mem_cgroup *memcg;
	struct sluice_user *user;
	struct sluice_user *heir;
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

/*
 * Whoever it belongs to gives it up. If others still map it they are charged
 * from now on, or keeping their mappings would use up the owner's quota.
 */
void sluice_area_disown(struct sluice_area *area);

/* @user maps it. The owner, who may still disown it, serialises this. */
void sluice_area_inherit(struct sluice_area *area, struct sluice_user *user);

/* Return: the page at @index with a reference, or an ERR_PTR. May sleep. */
struct page *sluice_area_page(struct sluice_area *area, pgoff_t index);

#endif
