/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_TABLE_H
#define SLUICE_TABLE_H

#include <linux/sluice.h>

struct sluice_channel;
struct sluice_endpoint;

/* The role on the other side. */
u32 sluice_table_other(u32 role);

/* How many places there are, and who has one. channel->lock or RCU. */
u32 sluice_table_places(const struct sluice_channel *channel, u32 role);
/* Return: the first place that is free, or -1. channel->lock. */
int sluice_table_free(struct sluice_channel *channel, u32 role);
struct sluice_endpoint *sluice_table_at(struct sluice_channel *channel,
					u32 role, u32 index);

/*
 * Return: @index, of which the caller has just seen that there is such a place; 0
 * where the processor goes on as if it had.
 */
u32 sluice_table_index(const struct sluice_channel *channel, u32 role,
		       u32 index);

/* Give a place to @ep, whose reference it takes. channel->lock. */
void sluice_table_set(struct sluice_channel *channel, u32 role, u32 index,
		      struct sluice_endpoint *ep);

/* Give up the place, and what peers attached of it. channel->lock. */
void sluice_table_vacate(struct sluice_endpoint *ep);

/* The entry of its place in the page. */
struct sluice_member *sluice_table_entry(const struct sluice_endpoint *ep);

/* Write that entry. channel->lock. */
void sluice_table_write(struct sluice_endpoint *ep);

/* Count a change of the table and wake everybody. channel->lock. */
void sluice_table_changed(struct sluice_channel *channel);

#endif
