/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_MAP_H
#define SLUICE_MAP_H

#include <linux/types.h>

struct sluice_area;
struct sluice_endpoint;
struct vm_area_struct;

/**
 * sluice_map - map an area
 * @vma: from ->mmap
 * @area: what; the mapping takes a reference, and keeps it
 * @ep: the endpoint that maps it. Its channel's file keeps the module loaded,
 *	and stands in for kernel pages' file
 * @own: @ep may write it
 * @binds: the end of a writable mapping of it is the end of @ep
 *
 * Return: 0; -EINVAL unless shared, whole and not executable; -EACCES for a
 * writable mapping of what is not the caller's, or before the binding one;
 * -EBUSY for a second writable one; -ENOMEM.
 */
int sluice_map(struct vm_area_struct *vma, struct sluice_area *area,
	       struct sluice_endpoint *ep, bool own, bool binds);

#endif
