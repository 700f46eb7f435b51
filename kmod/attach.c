// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching peers, and mapping memory: one's own, that of attached peers, and
 * the member table.
 *
 * Lock order: see channel.c.
 */
#include <linux/mm.h>
#include <linux/nospec.h>

#include "area.h"
#include "attach.h"
#include "map.h"
#include "publisher.h"
#include "subscriber.h"
#include "table.h"

/*
 * What an mmap offset means: kind, place and segment, in units of pages, in
 * few enough bits for mmap2() of 32-bit callers.
 */
enum map_kind {
	MAP_MEMBERS = 1,
	MAP_OWN,
	MAP_PEER,
	MAP_OWN_SEGMENT,
	MAP_PEER_SEGMENT,
};

static u64 map_offset(enum map_kind kind, u32 index, u32 segment)
{
	return ((u64)kind << 24 | index << 8 | segment) << PAGE_SHIFT;
}

void sluice_attach_join(struct sluice_endpoint *ep,
			       struct sluice_join *join)
{
	struct sluice_channel *channel = ep->channel;
	u64 own = map_offset(MAP_OWN, 0, 0);

	memset(join, 0, sizeof(*join));
	join->role = ep->role;
	join->flags = ep->flags;
	join->index = ep->index;
	join->generation = ep->generation;
	join->config = channel->config;
	join->members.offset = map_offset(MAP_MEMBERS, 0, 0);
	join->members.size = channel->area->size;
	join->members.member_size = sizeof(struct sluice_member);
	join->members.publishers_offset = sizeof(struct sluice_members);
	join->members.subscribers_offset = sizeof(struct sluice_members) +
		channel->config.publishers * sizeof(struct sluice_member);
	if (ep->role == SLUICE_PUBLISHER) {
		sluice_publisher_layout(sluice_publisher(ep), &join->lane, own);
	} else {
		join->policy = sluice_subscriber(ep)->policy;
		sluice_subscriber_layout(sluice_subscriber(ep), &join->cursor,
					 own);
	}
}

u64 sluice_attach_segment_offset(const struct sluice_endpoint *ep,
				   u32 segment)
{
	return map_offset(MAP_OWN_SEGMENT, ep->index, segment);
}

void sluice_attach_drop_all(struct sluice_endpoint *ep)
{
	u32 other = sluice_table_other(ep->role), i;

	lockdep_assert_held(&ep->channel->lock);
	for (i = 0; i < sluice_table_places(ep->channel, other); i++) {
		sluice_endpoint_put(ep->peers[i]);
		ep->peers[i] = NULL;
	}
}

struct sluice_endpoint *sluice_attach_peer(struct sluice_endpoint *ep,
					     u32 index, u64 generation)
{
	u32 other = sluice_table_other(ep->role);
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (index >= sluice_table_places(ep->channel, other))
		return NULL;
	peer = ep->peers[sluice_table_index(ep->channel, other, index)];
	return peer && peer->generation == generation ? peer : NULL;
}

static long attach_locked(struct sluice_endpoint *ep,
			  struct sluice_attach *attach)
{
	u32 other = sluice_table_other(ep->role);
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (attach->index >= sluice_table_places(ep->channel, other))
		return -EINVAL;
	attach->index = sluice_table_index(ep->channel, other, attach->index);
	/* An endpoint that left holds on to nobody's memory. */
	if (ep->state != SLUICE_ACTIVE)
		return ep->state == SLUICE_EVICTED ? -ECONNABORTED : -ESHUTDOWN;
	peer = sluice_table_at(ep->channel, other, attach->index);
	if (!peer || peer->state == SLUICE_EVICTED)
		return attach->generation ? -ESTALE : -ENOENT;
	if (attach->generation && attach->generation != peer->generation)
		return -ESTALE;
	if (ep->peers[attach->index] != peer) {
		sluice_endpoint_put(ep->peers[attach->index]);
		ep->peers[attach->index] = sluice_endpoint_get(peer);
	}
	attach->generation = peer->generation;
	if (other == SLUICE_PUBLISHER)
		sluice_publisher_layout(sluice_publisher(peer), &attach->lane,
					map_offset(MAP_PEER, peer->index, 0));
	else
		sluice_subscriber_layout(sluice_subscriber(peer),
					 &attach->cursor,
					 map_offset(MAP_PEER, peer->index, 0));
	return 0;
}

static long attach_peer(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_attach *attach = &call->arg.attach;
	long ret;

	if (attach->resv)
		return -EINVAL;
	memset(&attach->lane, 0, sizeof(attach->lane));
	memset(&attach->cursor, 0, sizeof(attach->cursor));
	mutex_lock(&ep->channel->lock);
	ret = attach_locked(ep, attach);
	mutex_unlock(&ep->channel->lock);
	return ret;
}

static long attach_end(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_channel *channel = ep->channel;
	struct sluice_detach *detach = &call->arg.detach;
	u32 other = sluice_table_other(ep->role);
	struct sluice_endpoint *peer;
	long ret = -ESTALE;

	if (detach->resv ||
	    detach->index >= sluice_table_places(channel, other))
		return -EINVAL;
	detach->index = sluice_table_index(channel, other, detach->index);
	mutex_lock(&channel->lock);
	peer = sluice_attach_peer(ep, detach->index, detach->generation);
	if (peer) {
		ep->peers[detach->index] = NULL;
		sluice_endpoint_put(peer);
		ret = 0;
	}
	peer = sluice_table_at(channel, other, detach->index);
	if (peer && peer->generation == detach->generation) {
		if (ep->role == SLUICE_SUBSCRIBER)
			sluice_subscriber_detached(sluice_subscriber(ep),
						   sluice_publisher(peer));
		ret = 0;
	}
	mutex_unlock(&channel->lock);
	return ret;
}

static struct sluice_publisher *segment_publisher(struct sluice_endpoint *ep,
						  struct sluice_segment *segment)
{
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (ep->role == SLUICE_PUBLISHER)
		return segment->index == ep->index &&
			segment->generation == ep->generation ?
			sluice_publisher(ep) : NULL;
	peer = sluice_attach_peer(ep, segment->index, segment->generation);
	return peer ? sluice_publisher(peer) : NULL;
}

static long attach_segment(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_segment *segment = &call->arg.segment;
	struct sluice_publisher *pub;
	long ret = 0;
	u32 i;

	mutex_lock(&ep->channel->lock);
	pub = segment_publisher(ep, segment);
	if (!pub) {
		ret = -ESTALE;
	} else if (segment->segment >= pub->segment_count) {
		ret = -ENOENT;
	} else {
		segment->offset = ep->role == SLUICE_PUBLISHER ?
			sluice_attach_segment_offset(ep, segment->segment) :
			map_offset(MAP_PEER_SEGMENT, segment->index,
				   segment->segment);
		i = array_index_nospec(segment->segment, pub->segment_count);
		segment->size = pub->segments[i]->size;
	}
	mutex_unlock(&ep->channel->lock);
	return ret;
}

static struct sluice_endpoint *map_peer(struct sluice_endpoint *ep, u32 index)
{
	u32 other = sluice_table_other(ep->role);

	lockdep_assert_held(&ep->channel->lock);
	return index < sluice_table_places(ep->channel, other) ?
		ep->peers[sluice_table_index(ep->channel, other, index)] : NULL;
}

static struct sluice_area *map_segment(struct sluice_endpoint *ep, u32 segment)
{
	struct sluice_publisher *pub;

	if (!ep || ep->role != SLUICE_PUBLISHER)
		return NULL;
	pub = sluice_publisher(ep);
	if (segment >= pub->segment_count)
		return NULL;
	return pub->segments[array_index_nospec(segment, pub->segment_count)];
}

static struct sluice_area *map_area(struct sluice_endpoint *ep, u64 pgoff)
{
	u32 segment = pgoff & 0xff, index = pgoff >> 8 & 0xffff;
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	switch (pgoff >> 24) {
	case MAP_MEMBERS:
		return index || segment ? NULL : ep->channel->area;
	case MAP_OWN:
		return index || segment ? NULL : ep->area;
	case MAP_PEER:
		peer = map_peer(ep, index);
		return segment || !peer ? NULL : peer->area;
	case MAP_OWN_SEGMENT:
		return index == ep->index ? map_segment(ep, segment) : NULL;
	case MAP_PEER_SEGMENT:
		return map_segment(map_peer(ep, index), segment);
	default:
		return NULL;
	}
}

/* The ring or cursor is mapped: the endpoint is this process's from now on. */
static void attach_bind(struct sluice_endpoint *ep, struct mm_struct *mm)
{
	lockdep_assert_held(&ep->channel->lock);
	ep->mm = mm;
	if (ep->pid == task_tgid(current))
		return;
	sluice_endpoint_identify(ep);
	sluice_table_write(ep);
	sluice_table_changed(ep->channel);
}

int sluice_attach_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sluice_endpoint *ep = file->private_data;
	struct sluice_channel *channel = ep->channel;
	u32 kind = vma->vm_pgoff >> 24;
	bool own = kind == MAP_OWN || kind == MAP_OWN_SEGMENT;
	struct sluice_mapping *map = sluice_mapping_new();
	struct sluice_area *area;
	int ret;

	if (IS_ERR(map))
		return PTR_ERR(map);
	mutex_lock(&channel->lock);
	area = map_area(ep, vma->vm_pgoff);
	if (!area)
		ret = -EINVAL;
	else if (ep->state != SLUICE_ACTIVE)
		ret = -ESHUTDOWN;
	else
		ret = sluice_map(map, vma, area, ep, own, kind == MAP_OWN);
	if (!ret && vma->vm_flags & VM_WRITE && kind == MAP_OWN)
		attach_bind(ep, vma->vm_mm);
	mutex_unlock(&channel->lock);
	if (ret)
		sluice_mapping_free(map);
	return ret;
}

const struct sluice_ioctl sluice_attach_ioctls[] = {
	{ SLUICE_IOC_ATTACH, attach_peer },
	{ SLUICE_IOC_DETACH, attach_end, .silent = true },
	{ SLUICE_IOC_SEGMENT, attach_segment },
};

const size_t sluice_attach_ioctl_count = ARRAY_SIZE(sluice_attach_ioctls);
