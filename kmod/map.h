/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_MAP_H
#define SLUICE_MAP_H

#include <linux/types.h>

struct file;
struct sluice_area;
struct sluice_endpoint;
struct vm_area_struct;

/**
 * sluice_map - map an area
 * @vma: from ->mmap
 * @area: what; the mapping takes a reference
 * @file: keeps the module loaded, and stands in for kernel pages' file
 * @writer: the endpoint that may write it, or NULL for a read-only mapping
 * @binds: the end of this mapping is the end of @writer
 *
 * Return: 0; -EINVAL unless shared, whole and not executable; -EACCES for a
 * writable mapping of what is not the caller's, or before the binding one; -EBUSY for a second writable one.
 */
int sluice_map(struct vm_area_struct *vma, struct sluice_area *area,
	       struct file *file, struct sluice_endpoint *writer, bool binds);

#endif
