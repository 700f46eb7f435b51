/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapped memory as the ring code sees it: plain pointers and bounds that the
 * owner of the view has checked. Nothing here knows where the memory is from,
 * so the same code runs on what the kernel maps and on malloc().
 */
#ifndef SLUICE_RING_VIEW_H
#define SLUICE_RING_VIEW_H

#include <linux/sluice.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Serials of loans and of messages are unique in the process: each writer and
 * each reader begins at its own number, and counts on from there.
 */
#define SL_SERIAL_SHIFT	40

/**
 * struct sl_area - one mapping
 * @base: where it is, NULL if it is not
 * @size: bytes
 */
struct sl_area {
	void *base;
	uint64_t size;
};

/**
 * struct sl_lane_view - a publisher's memory
 * @ring: header and slots
 * @slot: the first slot in @ring
 * @slot_size: bytes from one slot to the next
 * @slots: how many, a power of two
 * @segments: how many of @segment are there
 * @segment: of the pool
 */
struct sl_lane_view {
	struct sl_area ring;
	char *slot;
	uint32_t slot_size;
	uint32_t slots;
	uint32_t segments;
	struct sl_area segment[SLUICE_SEGMENTS_MAX];
};

/**
 * struct sl_cursor_view - a subscriber's memory
 * @area: header, lanes and pins
 * @lane: the first
 * @pin: the first
 * @lanes: how many
 * @pins: how many
 */
struct sl_cursor_view {
	struct sl_area area;
	struct sluice_cursor_lane *lane;
	__u64 *pin;
	uint32_t lanes;
	uint32_t pins;
};

/**
 * struct sl_members_view - the kernel's member table
 * @area: header and members
 * @offset: of the first member, by enum sluice_role (0 is not used)
 * @places: how many, by enum sluice_role
 * @member_size: bytes from one to the next
 */
struct sl_members_view {
	struct sl_area area;
	uint32_t offset[3];
	uint32_t places[3];
	uint32_t member_size;
};

static inline struct sluice_lane *sl_lane_head(const struct sl_lane_view *view)
{
	return view->ring.base;
}

static inline struct sluice_slot *sl_slot(const struct sl_lane_view *view,
					  uint64_t position)
{
	size_t index = position & (view->slots - 1);

	return (void *)(view->slot + index * view->slot_size);
}

static inline struct sluice_cursor *
sl_cursor_head(const struct sl_cursor_view *view)
{
	return view->area.base;
}

static inline struct sluice_cursor_lane *
sl_cursor_lane(const struct sl_cursor_view *view, uint32_t index)
{
	return &view->lane[index];
}

static inline __u64 *sl_pin(const struct sl_cursor_view *view, uint32_t index)
{
	return &view->pin[index];
}

static inline struct sluice_members *
sl_members_head(const struct sl_members_view *view)
{
	return view->area.base;
}

static inline struct sluice_member *
sl_member(const struct sl_members_view *view, enum sluice_role role,
	  uint32_t index)
{
	return (void *)((char *)view->area.base + view->offset[role] +
			(size_t)index * view->member_size);
}

/**
 * struct sl_who - a member as it was at one instant
 * @generation: a free place may have that of the last one there
 * @state: enum sluice_state
 * @reason: enum sluice_reason
 * @pid: as the channel's maker sees it
 * @uid: likewise
 * @gid: likewise
 * @policy: subscribers: enum sluice_policy
 */
struct sl_who {
	uint64_t generation;
	uint32_t state;
	uint32_t reason;
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t policy;
};

/**
 * sl_member_read() - who has a place
 * @view: the member table
 * @role: of the place
 * @index: of the place
 * @who: out; @who->state is SLUICE_FREE if nobody has it
 *
 * Return: 0; -EAGAIN: the kernel is changing the place, look again.
 */
int sl_member_read(const struct sl_members_view *view, enum sluice_role role,
		   uint32_t index, struct sl_who *who);

static inline bool sl_who_is(const struct sl_who *who, uint64_t generation)
{
	return who->state != SLUICE_FREE && who->generation == generation;
}

#endif /* SLUICE_RING_VIEW_H */
