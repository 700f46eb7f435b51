// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: who waits for a resource, in the order in which they are served.
 *
 * A queue is a list. It is a tree, too, in the same order, in which each knows
 * the modes of those below: who looks for the next one ahead that may be in his
 * way does not have to look at all others. Where somebody has his place is for
 * the caller to say, so the tree needs no keys.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/rbtree_augmented.h>

#include "domain.h"
#include "lockspace.h"
#include "queue.h"
#include "request.h"
#include "resource.h"

static struct sluice_want *place_want(struct rb_node *node)
{
	return rb_entry(node, struct sluice_want, place);
}

static u8 place_modes_of(struct rb_node *node)
{
	return node ? place_want(node)->place_modes : 0;
}

static bool place_compute(struct sluice_want *want, bool exit)
{
	u8 modes = BIT(want->mode) | place_modes_of(want->place.rb_left) |
		place_modes_of(want->place.rb_right);

	if (exit && want->place_modes == modes)
		return true;
	want->place_modes = modes;
	return false;
}

RB_DECLARE_CALLBACKS(static, place_callbacks, struct sluice_want, place,
		     place_modes, place_compute)

/* @next: the one behind it, or NULL. */
static void place_insert(struct sluice_want *want, struct rb_node *next)
{
	struct rb_root *root = &want->resource->places;
	struct rb_node *parent = next && next->rb_left ? rb_prev(next) : next;
	struct rb_node **link = &root->rb_node;

	if (!next)
		parent = rb_last(root);
	if (parent)
		link = parent == next ? &parent->rb_left : &parent->rb_right;
	rb_link_node(&want->place, parent, link);
	place_compute(want, false);
	place_callbacks_propagate(parent, NULL);
	rb_insert_augmented(&want->place, root, &place_callbacks);
}

/* The last one at or below @node of one of @modes, of which there is one. */
static struct sluice_want *place_last(struct rb_node *node, u8 modes)
{
	for (;;) {
		if (place_modes_of(node->rb_right) & modes)
			node = node->rb_right;
		else if (BIT(place_want(node)->mode) & modes)
			return place_want(node);
		else
			node = node->rb_left;
	}
}

struct sluice_want *sluice_queue_ahead(const struct sluice_want *want, u8 modes)
{
	const struct rb_node *node = &want->place, *below;

	for (;;) {
		if (place_modes_of(node->rb_left) & modes)
			return place_last(node->rb_left, modes);
		do {
			below = node;
			node = rb_parent(node);
		} while (node && below == node->rb_left);
		if (!node)
			return NULL;
		if (BIT(rb_entry(node, struct sluice_want, place)->mode) & modes)
			return rb_entry(node, struct sluice_want, place);
	}
}

void sluice_queue_add(struct sluice_want *want, struct list_head *behind)
{
	struct sluice_resource *resource = want->resource;

	sluice_domain_assert(resource->space->domain);
	place_insert(want, list_is_last(behind, &resource->waiters) ? NULL :
		     &list_entry(behind->next, struct sluice_want,
				 queued)->place);
	list_add(&want->queued, behind);
	if (!resource->waiting[want->mode]++)
		resource->waiting_modes |= BIT(want->mode);
}

void sluice_queue_remove(struct sluice_want *want)
{
	struct sluice_resource *resource = want->resource;

	sluice_domain_assert(resource->space->domain);
	list_del_init(&want->queued);
	rb_erase_augmented(&want->place, &resource->places, &place_callbacks);
	if (!--resource->waiting[want->mode])
		resource->waiting_modes &= ~BIT(want->mode);
}
