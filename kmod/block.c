// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks: memory that only the holder of its lock can touch.
 *
 * A block is pages behind a resource. A view of it belongs to one holder; its
 * mapping begins empty, and a page fault puts a page there if the holder has
 * all of its bytes in a mode for that access. When anybody's grant goes or gets
 * weaker, the pages are taken out of all mappings again, before others can be
 * granted them: a fault inserts what it found permitted with the domain still
 * locked, so none can come late.
 *
 * The mappings are of page frames (VM_PFNMAP): nothing can get hold of a page
 * past its entry in the page table, be it direct I/O, ptrace or a futex, and
 * what is read-only is asked for before it becomes writable (->pfn_mkwrite).
 * So the pages cannot be swapped; they are charged to the memory cgroup of who
 * touched them first, and the size to the quota of who made the block. VM_IO
 * keeps a child from getting a mapping by MADV_DOFORK.
 *
 * Locks: block->sizing; mmap_lock; the domain's, inside either; inside that,
 * i_mmap_rwsem.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "area.h"
#include "block.h"
#include "compat.h"
#include "domain.h"
#include "grant.h"
#include "holder.h"
#include "lockspace.h"
#include "quota.h"
#include "resource.h"

/**
 * struct sluice_block - memory behind a resource
 * @ref: of the resource, and of views
 * @later: its end, when the resource was the last
 * @user: charged for @size
 * @file: stands behind the mappings
 * @limit: bytes it may grow to
 * @sizing: one who changes its size, until he is through; outside the domain's lock
 * @size: bytes; the domain's lock
 * @pages: that were touched; the domain's lock
 * @used: of them
 * @stale: bytes to be revoked, see sluice_block_disown(); the domain's lock
 * @stale_start: where they begin
 * @stale_last: and end
 * @apart: ranges that were revoked by themselves, with the domain locked once
 */
struct sluice_block {
	struct kref ref;
	struct sluice_later later;
	struct sluice_user *user;
	struct file *file;
	u64 limit;
	struct mutex sizing;
	u64 size;
	struct xarray pages;
	u64 used;
	u64 stale;
	u64 stale_start;
	u64 stale_last;
	u32 apart;
};

/**
 * struct view - a descriptor of a block, of one holder
 * @block: reference
 * @holder: reference
 * @space: reference
 * @key: of the resource
 * @access: rights to the lockspace
 */
struct view {
	struct sluice_block *block;
	struct sluice_holder *holder;
	struct sluice_lockspace *space;
	struct sluice_key key;
	u32 access;
};

/**
 * struct view_map - what one mmap() made, however it is split later
 * @pieces: vmas; each is one of the locks of the holder's user
 * @mm: by whom; compared only
 * @file: the view's
 */
struct view_map {
	refcount_t pieces;
	struct mm_struct *mm;
	struct file *file;
};

static const struct file_operations view_fops;

/* Ranges that are revoked one by one, before all between them is revoked, too. */
#define APART_MAX	16

/* Pages that are let go of while the domain is locked once. */
#define DROP_BATCH	256

static pgoff_t batch_last(struct sluice_block *block, pgoff_t first,
			  pgoff_t last)
{
	struct page *page;
	unsigned long at;
	u32 n = 0;

	xa_for_each_range(&block->pages, at, page, first, last)
		if (++n == DROP_BATCH)
			return at;
	return last;
}

static void block_drop_pages(struct sluice_block *block, pgoff_t first,
			     pgoff_t last)
{
	struct page *page;
	unsigned long at;

	xa_for_each_range(&block->pages, at, page, first, last) {
		xa_erase(&block->pages, at);
		__free_page(page);
		block->used--;
	}
}

/* To the end. Return: whether there are more, which begin at @first then. */
static bool block_drop_some(struct sluice_block *block, pgoff_t *first)
{
	pgoff_t last = batch_last(block, *first, ULONG_MAX);

	block_drop_pages(block, *first, last);
	*first = last + 1;
	return last != ULONG_MAX;
}

static void block_end(struct sluice_later *later)
{
	struct sluice_block *block =
		container_of(later, struct sluice_block, later);
	pgoff_t first = 0;

	while (block_drop_some(block, &first))
		cond_resched();
	mutex_destroy(&block->sizing);
	xa_destroy(&block->pages);
	fput(block->file);
	sluice_uncharge(block->user, SLUICE_RES_BYTES, PAGE_ALIGN(block->size));
	sluice_user_put(block->user);
	kfree(block);
}

static void block_release(struct kref *ref)
{
	block_end(&container_of(ref, struct sluice_block, ref)->later);
}

static void block_put(struct sluice_block *block)
{
	kref_put(&block->ref, block_release);
}

static void block_release_later(struct kref *ref)
{
	container_of(ref, struct sluice_block, ref)->later.fn = block_end;
}

void sluice_block_forget(struct sluice_resource *resource)
{
	struct sluice_block *block = resource->block;

	sluice_domain_assert(resource->space->domain);
	resource->block = NULL;
	/* It may be much memory. */
	if (block && kref_put(&block->ref, block_release_later))
		sluice_domain_later(resource->space->domain, &block->later);
}

static struct sluice_block *block_new(struct sluice_user *user, u64 size,
				      u64 limit)
{
	struct sluice_block *block;
	int ret;

	block = kzalloc(sizeof(*block), GFP_KERNEL_ACCOUNT);
	if (!block)
		return ERR_PTR(-ENOMEM);
	ret = sluice_charge(user, SLUICE_RES_BYTES, PAGE_ALIGN(size));
	if (ret)
		goto free;
	block->file = sluice_area_file(0);
	if (IS_ERR(block->file)) {
		ret = PTR_ERR(block->file);
		goto uncharge;
	}
	kref_init(&block->ref);
	mutex_init(&block->sizing);
	xa_init_flags(&block->pages, XA_FLAGS_ACCOUNT);
	block->user = sluice_user_hold(user);
	block->size = size;
	block->limit = limit;
	return block;
uncharge:
	sluice_uncharge(user, SLUICE_RES_BYTES, PAGE_ALIGN(size));
free:
	kfree(block);
	return ERR_PTR(ret);
}

/* Out of all mappings. The domain's lock. */
static void block_unmap(struct sluice_block *block, u64 start, u64 last)
{
	u64 end;

	if (start >= block->limit)
		return;
	end = min(last, block->limit - 1) | ~PAGE_MASK;
	start &= PAGE_MASK;
	unmap_mapping_range(block->file->f_mapping, start, end - start + 1, 1);
}

void sluice_block_revoke(struct sluice_resource *resource)
{
	struct sluice_block *block = resource->block;

	sluice_domain_assert(resource->space->domain);
	if (!block || !block->stale)
		return;
	block_unmap(block, block->stale_start, block->stale_last);
	block->stale = 0;
	block->apart = 0;
}

/*
 * Mostly one range follows the other. What lies between others may still use, and
 * would have to touch again; but to look at all mappings for each of very many
 * would keep others waiting for the domain.
 */
void sluice_block_disown(struct sluice_resource *resource, u64 start, u64 last)
{
	struct sluice_block *block = resource->block;
	u32 apart;

	sluice_domain_assert(resource->space->domain);
	if (!block || start >= block->limit)
		return;
	last = min(last, block->limit - 1);
	if (block->stale && block->apart < APART_MAX &&
	    max(last, block->stale_last) - min(start, block->stale_start) >
	    2 * (block->stale + (last - start))) {
		apart = block->apart + 1;
		sluice_block_revoke(resource);
		block->apart = apart;
	}
	if (!block->stale) {
		block->stale_start = start;
		block->stale_last = last;
	}
	block->stale_start = min(start, block->stale_start);
	block->stale_last = max(last, block->stale_last);
	block->stale = min(block->stale + (last - start + 1),
			   block->stale_last - block->stale_start + 1);
}

/*
 * Touching.
 */

/*
 * Return: what has the view's block; or NULL, as once the lockspace is closed
 * and nobody has it any more. Whoever has another of its name has not this one.
 * The domain's lock.
 */
static struct sluice_resource *view_resource(const struct view *view)
{
	struct sluice_resource *resource;

	resource = sluice_resource_find(view->space, &view->key);
	return resource && resource->block == view->block ? resource : NULL;
}

static bool mode_reads(u8 mode)
{
	return mode > SLUICE_NL;
}

/* The domain's lock. */
static bool view_permits(struct view *view, pgoff_t index, bool write)
{
	struct sluice_resource *resource;
	u64 start = (u64)index << PAGE_SHIFT, last;

	if (start >= view->block->size)
		return false;
	last = min(start + PAGE_SIZE, view->block->size) - 1;
	resource = view_resource(view);
	return resource &&
		sluice_grant_covers(view->holder, resource, start, last,
				    write ? sluice_mode_writes : mode_reads);
}

/*
 * Return: the page at @index, or @spare, which it then is; NULL if that would
 * have been needed, or its place is not to be had now.
 */
static struct page *block_page(struct sluice_block *block, pgoff_t index,
			       struct page **spare)
{
	struct page *page = xa_load(&block->pages, index);

	if (page || !*spare)
		return page;
	/*
	 * Its place was reserved; but if somebody else's failed touch has given
	 * that back, and there is no memory at once, it is touched again.
	 */
	if (xa_err(xa_store(&block->pages, index, *spare,
			    GFP_NOWAIT | __GFP_NOWARN)))
		return NULL;
	swap(page, *spare);
	block->used++;
	return page;
}

/* @mapped: it is, read-only; else whoever was quicker has done it. */
static vm_fault_t view_insert(struct vm_fault *vmf, struct view *view,
			      bool write, bool mapped, struct page **spare)
{
	struct vm_area_struct *vma = vmf->vma;
	vm_flags_t flags = write ? vma->vm_flags : vma->vm_flags & ~VM_WRITE;
	u64 start = (u64)vmf->pgoff << PAGE_SHIFT;
	struct page *page;

	if (!view_permits(view, vmf->pgoff, write))
		return VM_FAULT_SIGBUS;
	page = block_page(view->block, vmf->pgoff, spare);
	if (!page)	/* such as freed since it was seen: fault again */
		return VM_FAULT_NOPAGE;
	/* An entry that is there can be replaced, but not changed. */
	if (mapped)
		block_unmap(view->block, start, start);
	return vmf_insert_pfn_prot(vma, vmf->address & PAGE_MASK,
				   page_to_pfn(page), vm_get_page_prot(flags));
}

static int table_there(pte_t *pte, unsigned long address, void *data)
{
	return 0;
}

/* What it takes is got before, so that nobody has to wait for memory of others. */
static vm_fault_t view_touch(struct vm_fault *vmf, bool write, bool mapped)
{
	struct view_map *map = vmf->vma->vm_private_data;
	struct sluice_domain *domain;
	struct page *spare = NULL;
	struct view *view;
	vm_fault_t ret;

	if (!map)
		return VM_FAULT_SIGBUS;
	view = map->file->private_data;
	if (!mapped && apply_to_page_range(vmf->vma->vm_mm,
					   vmf->address & PAGE_MASK, PAGE_SIZE,
					   table_there, NULL))
		return VM_FAULT_OOM;
	/* A guess, made without the lock, of whether one will be needed. */
	if (!xa_load(&view->block->pages, vmf->pgoff)) {
		spare = alloc_page(GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT);
		if (!spare)
			return VM_FAULT_OOM;
		if (xa_reserve(&view->block->pages, vmf->pgoff, GFP_KERNEL)) {
			__free_page(spare);
			return VM_FAULT_OOM;
		}
	}
	domain = sluice_domain_lock(view->holder->domain);
	ret = view_insert(vmf, view, write, mapped, &spare);
	sluice_domain_unlock(domain);
	if (spare) {
		xa_release(&view->block->pages, vmf->pgoff);
		__free_page(spare);
	}
	return ret;
}

static vm_fault_t view_fault(struct vm_fault *vmf)
{
	return view_touch(vmf, vmf->flags & FAULT_FLAG_WRITE, false);
}

static vm_fault_t view_mkwrite(struct vm_fault *vmf)
{
	return view_touch(vmf, true, true);
}

static struct sluice_user *view_map_user(const struct view_map *map)
{
	const struct view *view = map->file->private_data;

	return view->holder->user;
}

static void view_map_open(struct vm_area_struct *vma)
{
	struct view_map *map = vma->vm_private_data;

	if (!map || map->mm != vma->vm_mm) {
		vma->vm_private_data = NULL;
		return;
	}
	refcount_inc(&map->pieces);
	sluice_charge_over(view_map_user(map), SLUICE_RES_LOCKS, 1);
}

static void view_map_close(struct vm_area_struct *vma)
{
	struct view_map *map = vma->vm_private_data;

	if (!map)
		return;
	sluice_uncharge(view_map_user(map), SLUICE_RES_LOCKS, 1);
	if (!refcount_dec_and_test(&map->pieces))
		return;
	fput(map->file);
	kfree(map);
}

static const struct vm_operations_struct view_vm_ops = {
	.open = view_map_open,
	.close = view_map_close,
	.fault = view_fault,
	.pfn_mkwrite = view_mkwrite,
};

static int view_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct view *view = file->private_data;
	u64 bytes = vma->vm_end - vma->vm_start;
	u64 limit = PAGE_ALIGN(view->block->limit);
	unsigned long clear = VM_MAYEXEC;
	struct view_map *map;
	int ret;

	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (vma->vm_pgoff > limit >> PAGE_SHIFT ||
	    bytes > limit - ((u64)vma->vm_pgoff << PAGE_SHIFT))
		return -ENXIO;
	if (!(view->access & SLUICE_WRITE)) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		clear |= VM_MAYWRITE;
	}
	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	/* Whoever lets go of what it shows looks at each. */
	ret = sluice_charge(view->holder->user, SLUICE_RES_LOCKS, 1);
	if (ret) {
		kfree(map);
		return ret;
	}
	refcount_set(&map->pieces, 1);
	map->mm = vma->vm_mm;
	map->file = get_file(file);
	vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND |
		     VM_DONTDUMP, clear);
	vma_set_file(vma, view->block->file);
	vma->vm_private_data = map;
	vma->vm_ops = &view_vm_ops;
	return 0;
}

/*
 * Growing, shrinking, giving back.
 */
static int block_resize(struct sluice_block *block, u64 size)
{
	u64 old = PAGE_ALIGN(block->size), new = PAGE_ALIGN(size);
	int ret = 0;

	if (size > block->limit)
		return -EFBIG;
	if (new > old)
		ret = sluice_charge(block->user, SLUICE_RES_BYTES, new - old);
	if (ret)
		return ret;
	block->size = size;
	return 0;
}

/*
 * What is beyond the size nobody can touch any more, and as long as @sizing is
 * held it will not be less than that.
 */
static void view_trim(struct view *view, u64 old)
{
	struct sluice_block *block = view->block;
	u64 new = PAGE_ALIGN(block->size);
	pgoff_t first = new >> PAGE_SHIFT;
	struct sluice_domain *domain;
	bool more = old > new;

	lockdep_assert_held(&block->sizing);
	while (more) {
		domain = sluice_domain_lock(view->holder->domain);
		more = block_drop_some(block, &first);
		sluice_domain_unlock(domain);
		cond_resched();
	}
	if (old > new)
		sluice_uncharge(block->user, SLUICE_RES_BYTES, old - new);
}

/* The domain's lock. What is revoked is only the caller's, who has it all. */
static int view_resize(struct view *view, u64 size)
{
	struct sluice_resource *resource = view_resource(view);
	struct sluice_block *block = view->block;
	u64 end = min(size, block->size), tail = end & ~PAGE_MASK;
	struct page *page;

	if (!resource || !sluice_grant_covers(view->holder, resource, 0,
					      SLUICE_END,
					      sluice_mode_exclusive) ||
	    !sluice_grant_covers(view->holder, resource, 0, SLUICE_END,
				 sluice_mode_writes))
		return -EPERM;
	block_unmap(block, 0, SLUICE_END);
	/* What it grows by has to be zero: who has the end can write beyond it. */
	page = tail ? xa_load(&block->pages, end >> PAGE_SHIFT) : NULL;
	if (page)
		memset(page_address(page) + tail, 0, PAGE_SIZE - tail);
	return block_resize(block, size);
}

static int view_size_set(struct view *view, u64 size)
{
	struct sluice_domain *domain = sluice_domain_lock(view->holder->domain);
	u64 old = PAGE_ALIGN(view->block->size);
	int ret = view_resize(view, size);

	sluice_domain_unlock(domain);
	if (!ret)
		view_trim(view, old);
	return ret;
}

static void view_size_tell(struct view *view, struct sluice_block_size *arg)
{
	struct sluice_domain *domain = sluice_domain_lock(view->holder->domain);

	arg->size = view->block->size;
	arg->used = view->block->used << PAGE_SHIFT;
	sluice_domain_unlock(domain);
}

static long view_size(struct sluice_call *call)
{
	struct view *view = call->file->private_data;
	struct sluice_block_size *arg = &call->arg.block_size;
	int ret;

	if (!arg->size) {
		view_size_tell(view, arg);
		return 0;
	}
	if (!(view->access & SLUICE_WRITE))
		return -EACCES;
	if (mutex_lock_killable(&view->block->sizing))
		return -EINTR;
	ret = view_size_set(view, arg->size);
	/* Once it is done, there must be nothing that can fail. */
	call->replied = true;
	view_size_tell(view, arg);
	mutex_unlock(&view->block->sizing);
	return ret;
}

/*
 * Only whole pages in the range; what is beyond the limit is nothing. Return:
 * whether there are more, which begin at @start then.
 */
static bool block_free_some(struct sluice_block *block, u64 *start, u64 last)
{
	u64 limit = PAGE_ALIGN(block->limit);
	pgoff_t first, end, batch;

	if (*start >= limit)
		return false;
	last = min(last, limit - 1);
	first = DIV_ROUND_UP_ULL(*start, PAGE_SIZE);
	end = (last + 1) >> PAGE_SHIFT;
	if (first >= end)
		return false;
	batch = batch_last(block, first, end - 1) + 1;
	block_unmap(block, (u64)first << PAGE_SHIFT,
		    ((u64)batch << PAGE_SHIFT) - 1);
	block_drop_pages(block, first, batch - 1);
	*start = (u64)batch << PAGE_SHIFT;
	return batch < end;
}

/* Return: whether there are more, or -EPERM. */
static int view_free_some(struct view *view, u64 *start, u64 last)
{
	struct sluice_domain *domain = sluice_domain_lock(view->holder->domain);
	struct sluice_resource *resource = view_resource(view);
	int ret = -EPERM;

	if (resource && sluice_grant_covers(view->holder, resource, *start, last,
					    sluice_mode_writes))
		ret = block_free_some(view->block, start, last);
	sluice_domain_unlock(domain);
	return ret;
}

static long view_free(struct sluice_call *call)
{
	struct view *view = call->file->private_data;
	u64 start = call->arg.block_free.start, last = call->arg.block_free.end;
	int ret;

	if (start > last)
		return -EINVAL;
	if (!(view->access & SLUICE_WRITE))
		return -EACCES;
	do {
		ret = view_free_some(view, &start, last);
		cond_resched();
	} while (ret > 0);
	return ret;
}

/*
 * Opening.
 */
static const struct sluice_ioctl view_ioctls[] = {
	{ SLUICE_IOC_BLOCK_SIZE, view_size },
	{ SLUICE_IOC_BLOCK_FREE, view_free, .silent = true },
};

static long view_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return sluice_call_run(view_ioctls, ARRAY_SIZE(view_ioctls), file, cmd,
			       arg);
}

static void view_put(struct view *view)
{
	if (view->block)
		block_put(view->block);
	sluice_holder_put(view->holder);
	sluice_lockspace_put(view->space);
	kfree(view);
}

static int view_release(struct inode *inode, struct file *file)
{
	view_put(file->private_data);
	return 0;
}

static const struct file_operations view_fops = {
	.owner = THIS_MODULE,
	.release = view_release,
	.mmap = view_mmap,
	.unlocked_ioctl = view_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/**
 * struct making - what a block may have to be made of
 * @resource: new, NULL once it is used
 * @block: likewise
 */
struct making {
	struct sluice_resource *resource;
	struct sluice_block *block;
};

/* The domain's lock. -ENOENT if there is none and nothing to make it of. */
static int view_attach(struct view *view, struct sluice_block_open *open,
		       struct making *new)
{
	struct sluice_resource *resource;

	resource = sluice_resource_find(view->space, &view->key);
	if (resource && resource->block && open->flags & SLUICE_OPEN_EXCL)
		return -EEXIST;
	/* Its pages follow grants, and those who have it by a word have none. */
	if (resource && resource->word)
		return -EBUSY;
	if (!resource || !resource->block) {
		if (!new->block)
			return -ENOENT;
		resource = sluice_resource_add(view->space, &view->key, NULL,
					       view->holder->user,
					       &new->resource);
		if (IS_ERR(resource))
			return PTR_ERR(resource);
		swap(resource->block, new->block);
		open->created = 1;
	}
	view->block = resource->block;
	kref_get(&view->block->ref);
	open->size = view->block->size;
	open->limit = view->block->limit;
	return 0;
}

static int view_try(struct view *view, struct sluice_block_open *open,
		    struct making *new)
{
	struct sluice_domain *domain = sluice_domain_lock(view->holder->domain);
	int ret = view_attach(view, open, new);

	sluice_domain_unlock(domain);
	return ret;
}

static int view_find(struct view *view, struct sluice_block_open *open)
{
	struct sluice_user *user = view->holder->user;
	struct making new = {};
	int ret;

	sluice_domain_join(view->holder->domain, view->space->domain);
	ret = view_try(view, open, &new);
	if (ret != -ENOENT || !(open->flags & SLUICE_OPEN_CREATE))
		return ret;
	if (!(view->access & SLUICE_WRITE))
		return -EACCES;
	new.resource = sluice_resource_new();
	if (!new.resource)
		return -ENOMEM;
	new.block = block_new(user, open->size, open->limit);
	if (IS_ERR(new.block)) {
		sluice_resource_free(new.resource);
		return PTR_ERR(new.block);
	}
	ret = view_try(view, open, &new);
	sluice_resource_free(new.resource);
	if (new.block)
		block_put(new.block);
	return ret;
}

/* What was made for a call that failed: unless another has found it already. */
static void view_unmake(struct view *view)
{
	struct sluice_domain *domain = sluice_domain_lock(view->holder->domain);
	struct sluice_resource *resource;

	resource = sluice_resource_find(view->space, &view->key);
	if (resource && resource->block == view->block &&
	    kref_read(&view->block->ref) == 2) {
		sluice_block_forget(resource);
		sluice_resource_settle(resource);
	}
	sluice_domain_unlock(domain);
}

static long view_install(struct sluice_call *call, struct view *view,
			 struct file *file)
{
	long fd;

	get_file(file);
	fd = sluice_call_fd(call, file);
	if (fd < 0 && call->arg.block.created)
		view_unmake(view);
	fput(file);
	return fd;
}

static int open_check(struct sluice_block_open *open)
{
	bool create = open->flags & SLUICE_OPEN_CREATE;

	open->created = 0;
	if (open->flags & ~(SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL) ||
	    (open->flags & SLUICE_OPEN_EXCL && !create) ||
	    !open->key_len || open->key_len > SLUICE_KEY_MAX)
		return -EINVAL;
	if (!create)
		return 0;
	open->limit = open->limit ?: open->size;
	if (!open->size || open->size > open->limit ||
	    open->limit > sluice_pool_max())
		return -EINVAL;
	return 0;
}

long sluice_block_open(struct sluice_call *call)
{
	struct sluice_block_open *open = &call->arg.block;
	struct view *view;
	struct file *file;
	int ret = open_check(open);

	if (ret)
		return ret;
	view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	if (!view)
		return -ENOMEM;
	view->space = sluice_lockspace_fget(open->lockspace, &view->access);
	if (IS_ERR(view->space)) {
		ret = PTR_ERR(view->space);
		kfree(view);
		return ret;
	}
	view->holder = sluice_holder_get(call->file->private_data);
	view->key.kind = SLUICE_KIND_NAME;
	view->key.len = open->key_len;
	memcpy(view->key.bytes, open->key, open->key_len);
	ret = view_find(view, open);
	if (ret) {
		view_put(view);
		return ret;
	}
	file = anon_inode_getfile("[sluice-block]", &view_fops, view, O_RDWR);
	if (IS_ERR(file)) {
		if (open->created)
			view_unmake(view);
		view_put(view);
		return PTR_ERR(file);
	}
	return view_install(call, view, file);
}
