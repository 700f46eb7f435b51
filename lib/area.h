/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping what the kernel describes. The layouts come from the kernel, and are
 * checked nevertheless: everything after relies on the bounds of a view.
 */
#ifndef SLUICE_AREA_H
#define SLUICE_AREA_H

#include "ring/view.h"

int sl_area_map(int fd, uint64_t offset, uint64_t size, bool write,
		struct sl_area *area);
void sl_area_unmap(struct sl_area *area);

/*
 * Return: 0; -EPROTO: the layout is nonsense; or mmap()'s error.
 */
int sl_lane_map(int fd, const struct sluice_lane_layout *layout, bool write,
		struct sl_lane_view *view);
int sl_cursor_map(int fd, const struct sluice_cursor_layout *layout, bool write,
		  struct sl_cursor_view *view);
int sl_members_map(int fd, const struct sluice_members_layout *layout,
		   const struct sluice_config *config,
		   struct sl_members_view *view);

/**
 * sl_segment_map() - map the next pool segment of a lane
 * @fd: of an endpoint
 * @index: of the publisher
 * @generation: of the publisher
 * @write: it is the own one
 * @segment: which
 * @area: out
 *
 * Return: 0; -ENOENT: there is no such one; or another error.
 */
int sl_segment_map(int fd, uint32_t index, uint64_t generation, bool write,
		   uint32_t segment, struct sl_area *area);

/* Unmap a lane with all its segments. */
void sl_lane_unmap(struct sl_lane_view *view);

#endif /* SLUICE_AREA_H */
