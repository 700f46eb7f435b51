/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_QUEUE_H
#define SLUICE_QUEUE_H

#include <linux/types.h>

struct list_head;
struct sluice_want;

/**
 * sluice_queue_add - give a want a place in the queue of its resource
 * @want: in none
 * @behind: @queued of the one ahead of it; or @waiters of the resource, for the
 *	first place
 */
void sluice_queue_add(struct sluice_want *want, struct list_head *behind);
void sluice_queue_remove(struct sluice_want *want);

/* Return: the next one ahead of @want that is of one of BIT(mode), or NULL. */
struct sluice_want *sluice_queue_ahead(const struct sluice_want *want, u8 modes);

#endif
