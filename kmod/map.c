// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: the MMU enforces who may write.
 *
 * A read-only mapping has neither VM_WRITE nor VM_MAYWRITE. A writable one is
 * made once in an area's life. No mapping can be enlarged, and none reaches a
 * child: VM_DONTCOPY keeps fork() from copying it, and a process that undoes
 * that with MADV_DOFORK hands its child a mapping without memory (->open sees
 * another mm and leaves the vma empty; shared page tables are not copied, they
 * are filled by ->fault).
 *
 * The mapping of a ring or cursor binds its endpoint to the process: when the
 * last piece of it goes, by munmap, exec or the process's death, the endpoint
 * leaves, whoever else holds a descriptor of it.
 *
 * What is mapped stays when its owner is gone, and is charged to one of those
 * who still map it: to whom, area.c sees to, which is told when the last piece
 * of a mapping goes.
 *
 * vma->vm_file is not the endpoint's file, or a mapping would keep that from
 * being released: it is the area's shmem file, or the channel's own file for
 * kernel pages. The latter is held in both cases, for it pins this module.
 *
 * Locks: called with mmap_lock held; ->close takes the channel's lock inside
 * it (see endpoint.c).
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "area.h"
#include "compat.h"
#include "endpoint.h"
#include "map.h"

/**
 * struct mapping - what one mmap() call made, however it is split later
 * @pieces: vmas
 * @area: what is mapped
 * @keeper: of @area, for as long as there is a piece
 * @mm: by whom; compared only
 * @file: the channel's
 * @bound: the endpoint that ends with this mapping, or NULL
 */
struct mapping {
	refcount_t pieces;
	struct sluice_area *area;
	struct sluice_keeper keeper;
	struct mm_struct *mm;
	struct file *file;
	struct sluice_endpoint *bound;
};

static void map_open(struct vm_area_struct *vma)
{
	struct mapping *map = vma->vm_private_data;

	if (map && map->mm == vma->vm_mm)
		refcount_inc(&map->pieces);
	else
		vma->vm_private_data = NULL;
}

static void map_close(struct vm_area_struct *vma)
{
	struct mapping *map = vma->vm_private_data;

	if (!map || !refcount_dec_and_test(&map->pieces))
		return;
	sluice_area_unkeep(map->area, &map->keeper);
	if (map->bound) {
		sluice_endpoint_leave(map->bound, 0);
		sluice_endpoint_put(map->bound);
	}
	sluice_area_put(map->area);
	fput(map->file);
	kfree(map);
}

static vm_fault_t map_fault(struct vm_fault *vmf)
{
	struct mapping *map = vmf->vma->vm_private_data;
	struct page *page;

	if (!map)
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

int sluice_map(struct vm_area_struct *vma, struct sluice_area *area,
	       struct sluice_endpoint *ep, bool own, bool binds)
{
	struct file *file = ep->channel->map_file;
	unsigned long clear = VM_MAYEXEC;
	struct mapping *map;
	int ret;

	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	ret = map_check(vma, area, ep, own, binds);
	if (ret) {
		kfree(map);
		return ret;
	}
	refcount_set(&map->pieces, 1);
	map->area = sluice_area_get(area);
	sluice_area_keep(area, &map->keeper, ep->user);
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
