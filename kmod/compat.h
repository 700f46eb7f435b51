/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything that differs between the supported kernels. Where a kernel can
 * be asked (a macro, a header that exists), it is; a version is compared only
 * where nothing else tells.
 */
#ifndef SLUICE_COMPAT_H
#define SLUICE_COMPAT_H

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>
#include <net/genetlink.h>

/* It was a part of fs.h, and sparse cannot ask for it by __has_include(). */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <linux/filelock.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "sluice needs Linux 6.1 or newer"
#endif

/* 7.2 is the newest that was tried; who is a version ahead is to see if it builds. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(8, 0, 0) && !defined(SLUICE_UNTRIED_KERNEL)
#error "nobody tried sluice with Linux 8 yet; KCFLAGS=-DSLUICE_UNTRIED_KERNEL does"
#endif

#ifndef CONFIG_64BIT
#error "sluice needs a 64-bit kernel"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, unsigned long set,
				unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/*
 * What is large, and written before it is read: kernels that zero all that is
 * on the stack need not zero this.
 */
#if __has_attribute(__uninitialized__)
#define sluice_unset	__attribute__((__uninitialized__))
#else
#define sluice_unset
#endif

/* The oldest of 6.1 lack it. */
#ifndef __counted_by
#define __counted_by(member)
#endif

#ifndef fd_file
#define fd_file(fd)	((fd).file)
#endif

/* What struct file_lock has in common with leases became a part of it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define sluice_flc(lock, field)	((lock)->fl_##field)
#else
#define sluice_flc(lock, field)	((lock)->c.flc_##field)
#endif

static inline struct file *sluice_shmem_file(const char *name, loff_t size)
{
#ifdef EMPTY_VMA_FLAGS
	return shmem_file_setup(name, size,
				       mk_vma_flags(VMA_NORESERVE_BIT));
#else
	return shmem_file_setup(name, size, VM_NORESERVE);
#endif
}

/* The attributes of a request for a dump, by type. */
static inline struct nlattr **sluice_dump_attrs(struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	return genl_dumpit_info(cb)->attrs;
#else
	return genl_info_dump(cb)->attrs;
#endif
}

static inline int sluice_receive_fd(struct file *file, unsigned int flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	return receive_fd(file, flags);
#else
	return receive_fd(file, NULL, flags);
#endif
}

#endif
