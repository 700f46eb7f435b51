/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_ATTACH_H
#define SLUICE_ATTACH_H

#include "endpoint.h"

extern const struct sluice_ioctl sluice_attach_ioctls[];
extern const size_t sluice_attach_ioctl_count;

/* Fill in the reply to SLUICE_IOC_JOIN. */
void sluice_attach_join(struct sluice_endpoint *ep, struct sluice_join *join);

/* Where a publisher maps a segment of its own pool. */
u64 sluice_attach_segment_offset(const struct sluice_endpoint *ep, u32 segment);

/* The peer at @index that @ep has attached, or NULL. channel->lock. */
struct sluice_endpoint *sluice_attach_peer(struct sluice_endpoint *ep,
					   u32 index, u64 generation);

/* Let go of all that @ep has attached. channel->lock. */
void sluice_attach_drop_all(struct sluice_endpoint *ep);

/* ->mmap of an endpoint. */
int sluice_attach_mmap(struct file *file, struct vm_area_struct *vma);

#endif
