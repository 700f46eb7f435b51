/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_FEED_H
#define SLUICE_FEED_H

#include <linux/types.h>

struct file;
struct sluice_call;
struct sluice_channel;

bool sluice_is_feed(struct file *file);

/* SLUICE_IOC_FEED of a channel that the caller may read. */
long sluice_feed_open(struct sluice_call *call, struct sluice_channel *channel);

#endif
