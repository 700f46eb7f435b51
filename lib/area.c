// SPDX-License-Identifier: LGPL-2.1-or-later
/* Mapping what the kernel describes. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "area.h"
#include "call.h"

int sl_area_map(int fd, uint64_t offset, uint64_t size, bool write,
		struct sl_area *area)
{
	void *base;
	int err;

	if (!size || size > SIZE_MAX / 2)
		return -ENOMEM;
	err = sl_map(fd, offset, size, write, &base);
	if (err)
		return err;
	area->base = base;
	area->size = size;
	return 0;
}

void sl_area_unmap(struct sl_area *area)
{
	if (area->base)
		munmap(area->base, area->size);
	memset(area, 0, sizeof(*area));
}

/* Do so many things of a size, from an offset on, lie in an area? */
static bool fits(uint64_t size, uint64_t offset, uint64_t count,
		 uint64_t each)
{
	return offset % 8 == 0 && each % 8 == 0 && offset <= size &&
		(!count || each <= (size - offset) / count);
}

int sl_lane_map(int fd, const struct sluice_lane_layout *layout, bool write,
		struct sl_lane_view *view)
{
	uint32_t slots = layout->slots;
	int err;

	if (!slots || slots & (slots - 1) ||
	    layout->slots_offset < sizeof(struct sluice_lane) ||
	    layout->slot_size < sizeof(struct sluice_slot) ||
	    !fits(layout->size, layout->slots_offset, slots,
		  layout->slot_size))
		return -EPROTO;
	memset(view, 0, sizeof(*view));
	err = sl_area_map(fd, layout->offset, layout->size, write,
			  &view->ring);
	if (err)
		return err;
	view->slot = (char *)view->ring.base + layout->slots_offset;
	view->slot_size = layout->slot_size;
	view->slots = slots;
	return 0;
}

int sl_cursor_map(int fd, const struct sluice_cursor_layout *layout, bool write,
		  struct sl_cursor_view *view)
{
	char *base;
	int err;

	if (!layout->lanes || !layout->pins ||
	    layout->lanes_offset < sizeof(struct sluice_cursor) ||
	    layout->pins_offset < sizeof(struct sluice_cursor) ||
	    !fits(layout->size, layout->lanes_offset, layout->lanes,
		  sizeof(struct sluice_cursor_lane)) ||
	    !fits(layout->size, layout->pins_offset, layout->pins,
		  sizeof(__u64)))
		return -EPROTO;
	memset(view, 0, sizeof(*view));
	err = sl_area_map(fd, layout->offset, layout->size, write,
			  &view->area);
	if (err)
		return err;
	base = view->area.base;
	view->lane = (void *)(base + layout->lanes_offset);
	view->pin = (void *)(base + layout->pins_offset);
	view->lanes = layout->lanes;
	view->pins = layout->pins;
	return 0;
}

int sl_members_map(int fd, const struct sluice_members_layout *layout,
		   const struct sluice_config *config,
		   struct sl_members_view *view)
{
	if (layout->member_size < sizeof(struct sluice_member) ||
	    layout->publishers_offset < sizeof(struct sluice_members) ||
	    layout->subscribers_offset < sizeof(struct sluice_members) ||
	    !fits(layout->size, layout->publishers_offset, config->publishers,
		  layout->member_size) ||
	    !fits(layout->size, layout->subscribers_offset,
		  config->subscribers, layout->member_size))
		return -EPROTO;
	memset(view, 0, sizeof(*view));
	view->offset[SLUICE_PUBLISHER] = layout->publishers_offset;
	view->offset[SLUICE_SUBSCRIBER] = layout->subscribers_offset;
	view->places[SLUICE_PUBLISHER] = config->publishers;
	view->places[SLUICE_SUBSCRIBER] = config->subscribers;
	view->member_size = layout->member_size;
	return sl_area_map(fd, layout->offset, layout->size, false,
			   &view->area);
}

int sl_segment_map(int fd, uint32_t index, uint64_t generation, bool write,
		   uint32_t segment, struct sl_area *area)
{
	struct sluice_segment call = {
		.index = index,
		.segment = segment,
		.generation = generation,
	};
	int err = sl_call(fd, SLUICE_IOC_SEGMENT, &call);

	if (err)
		return err;
	return sl_area_map(fd, call.offset, call.size, write, area);
}

void sl_lane_unmap(struct sl_lane_view *view)
{
	for (uint32_t i = 0; i < view->segments; i++)
		sl_area_unmap(&view->segment[i]);
	view->segments = 0;
	sl_area_unmap(&view->ring);
}
