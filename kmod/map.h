/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_MAP_H
#define SLUICE_MAP_H

#include <linux/types.h>

struct sluice_area;
struct sluice_endpoint;
struct sluice_mapping;
struct vm_area_struct;

/**
 * sluice_mapping_new - what a mapping takes, before any lock is held
 *
 * Return: it, to be passed to sluice_map() or sluice_mapping_free(); or an
 * ERR_PTR.
 */
struct sluice_mapping *sluice_mapping_new(void);
void sluice_mapping_free(struct sluice_mapping *map);

/**
 * sluice_map - map an area
 * @map: for it; still the caller's if it fails
 * @vma: from ->mmap
 * @area: what; the mapping takes a reference, and keeps it
 * @ep: the endpoint that maps it. Its channel's file keeps the module loaded,
 *	and stands in for kernel pages' file
 * @own: @ep may write it
 * @binds: the end of a writable mapping of it is the end of @ep
 *
 * Return: 0; -EINVAL unless shared, whole and not executable; -EACCES for a
 * writable mapping of what is not the caller's, or before the binding one;
 * -EBUSY for a second writable one.
 */
int sluice_map(struct sluice_mapping *map, struct vm_area_struct *vma,
	       struct sluice_area *area, struct sluice_endpoint *ep, bool own,
	       bool binds);

#endif
