// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: the MMU enforces who may write.
 *
 * A read-only mapping has neither VM_WRITE nor VM_MAYWRITE. A writable one is
 * made once in an area's life. No mapping can be enlarged, and none reaches a
 * child: VM_DONTCOPY keeps fork() from copying it, and a process that undoes
 * that with MADV_DOFORK hands its child a mapping without memory (->fault sees
 * another mm; shared page tables are not copied, they are filled by ->fault).
 * Empty as it is, it keeps the area, as its vm_file keeps the memory: or that
 * would be nobody's expense.
 *
 * The mapping of a ring or cursor binds its endpoint to the process: when the
 * last piece of it goes, by munmap, exec or the process's death, the endpoint
 * leaves, whoever else holds a descriptor of it.
 *
 * What is mapped stays when its owner is gone, and is charged to one of those
 * who still map it: to whom, area.c sees to, which is told when the last vma of a
 * mapping goes.
 *
 * vma->vm_file is not the endpoint's file, or a mapping would keep that from
 * being released: it is the area's shmem file, or the channel's own file for
 * kernel pages. The latter is held in both cases, for it pins this module.
 *
 * Locks: called with mmap_lock held; ->close takes the channel's lock inside
 * it (see endpoint.c).
 */
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "area.h"
#include "compat.h"
#include "endpoint.h"
#include "map.h"
#include "quota.h"

/**
 * struct sluice_mapping - what one mmap() call made, however it is split later
 * @vmas: all of them, for as long as which it is there
 * @pieces: those of @mm
 * @area: what is mapped
 * @keeper: of @area
 * @mm: by whom; compared only. NULL when the last piece is gone: another may be
 *	at that address then
 * @file: the channel's
 * @bound: the endpoint that ends with this mapping, or NULL
 */
struct sluice_mapping {
	refcount_t vmas;
	refcount_t pieces;
	struct sluice_area *area;
	struct sluice_keeper keeper;
	struct mm_struct *mm;
	struct file *file;
	struct sluice_endpoint *bound;
};

static bool map_is_of(const struct sluice_mapping *map,
		      const struct vm_area_struct *vma)
{
	return READ_ONCE(map->mm) == vma->vm_mm;
}

static void map_open(struct vm_area_struct *vma)
{
	struct sluice_mapping *map = vma->vm_private_data;

	refcount_inc(&map->vmas);
	if (map_is_of(map, vma))
		refcount_inc(&map->pieces);
}

static void map_end(struct sluice_mapping *map)
{
	WRITE_ONCE(map->mm, NULL);
	if (!map->bound)
		return;
	sluice_endpoint_leave(map->bound, 0);
	sluice_endpoint_put(map->bound);
}

static void map_close(struct vm_area_struct *vma)
{
	struct sluice_mapping *map = vma->vm_private_data;

	if (map_is_of(map, vma) && refcount_dec_and_test(&map->pieces))
		map_end(map);
	if (!refcount_dec_and_test(&map->vmas))
		return;
	sluice_area_unkeep(map->area, &map->keeper);
	sluice_area_put(map->area);
	fput(map->file);
	kfree(map);
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct sluice_mapping *map = vmf->vma->vm_private_data;
	struct page *page;

	if (!map_is_of(map, vmf->vma))
		return VM_FAULT_SIGBUS;
	page = sluice_area_page(map->area, vmf->pgoff);
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	vmf->page = page;
	if (map->area->kaddr)
		return 0;
	lock_page(page);
	if (unlikely(page_folio(page)->mapping != map->area->shmem->f_mapping)) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_NOPAGE;
	}
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct map_ops = {
	.open = map_open,
	.close = map_close,
	.fault = map_fault,
};

static int map_check(struct vm_area_struct *vma, struct sluice_area *area,
		     struct sluice_endpoint *ep, bool own, bool binds)
{
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (vma->vm_end - vma->vm_start != area->size)
		return -EINVAL;
	if (!(vma->vm_flags & VM_WRITE))
		return 0;
	if (!own || (!binds && ep->mm != vma->vm_mm))
		return -EACCES;
	return atomic_cmpxchg(&area->written, 0, 1) ? -EBUSY : 0;
}

struct sluice_mapping *sluice_mapping_new(void)
{
	struct sluice_user *user = sluice_user_get(current_user_ns(),
						   current_uid());
	struct sluice_mapping *map;

	if (IS_ERR(user))
		return ERR_CAST(user);
	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map) {
		sluice_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	map->keeper.user = user;
	return map;
}

void sluice_mapping_free(struct sluice_mapping *map)
{
	sluice_user_put(map->keeper.user);
	kfree(map);
}

int sluice_map(struct sluice_mapping *map, struct vm_area_struct *vma,
	       struct sluice_area *area, struct sluice_endpoint *ep, bool own,
	       bool binds)
{
	struct file *file = ep->channel->map_file;
	unsigned long clear = VM_MAYEXEC;
	int ret = map_check(vma, area, ep, own, binds);

	if (ret)
		return ret;
	refcount_set(&map->vmas, 1);
	refcount_set(&map->pieces, 1);
	map->area = sluice_area_get(area);
	sluice_area_keep(area, &map->keeper);
	map->mm = vma->vm_mm;
	map->file = get_file(file);
	if (vma->vm_flags & VM_WRITE) {
		if (binds)
			map->bound = sluice_endpoint_get(ep);
	} else {
		clear |= VM_MAYWRITE;
	}
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND, clear);
	vma_set_file(vma, area->kaddr ? file : area->shmem);
	vma->vm_pgoff = 0;
	vma->vm_private_data = map;
	vma->vm_ops = &map_ops;
	return 0;
}
