/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a publisher says in a slot: copied once, and then checked. */
#ifndef SLUICE_RING_SLOT_H
#define SLUICE_RING_SLOT_H

#include "atomic.h"
#include "view.h"

/* Does it hold @position? Then the rest may be read. */
static inline bool sl_slot_has(const struct sluice_slot *shared,
			       uint64_t position)
{
	return sl_load_acquire(&shared->seq) ==
		SLUICE_SEQ(position);				/* A1, with R1 */
}

/* Copy the slot if it holds @position, and did so all the time. */
static inline bool sl_slot_copy(const struct sl_lane_view *view,
				uint64_t position, struct sluice_slot *slot)
{
	const struct sluice_slot *shared = sl_slot(view, position);

	if (!sl_slot_has(shared, position))
		return false;
	slot->offset = sl_load_relaxed(&shared->offset);
	slot->length = sl_load_relaxed(&shared->length);
	slot->segment = sl_load_relaxed(&shared->segment);
	slot->type = sl_load_relaxed(&shared->type);
	slot->flags = sl_load_relaxed(&shared->flags);
	slot->fds = sl_load_relaxed(&shared->fds);
	slot->token = sl_load_relaxed(&shared->token);
	sl_acquire_fence();
	return sl_load_relaxed(&shared->seq) == SLUICE_SEQ(position);
}

/* Where are the bytes, if they all lie in a segment that is mapped? Or NULL. */
static inline const void *sl_slot_bytes(const struct sl_lane_view *view,
					uint32_t segment, uint64_t offset,
					uint64_t length)
{
	const struct sl_area *area;

	if (segment >= view->segments)
		return NULL;
	area = &view->segment[segment];
	if (offset > area->size || length > area->size - offset)
		return NULL;
	return (const char *)area->base + offset;
}

#endif /* SLUICE_RING_SLOT_H */
