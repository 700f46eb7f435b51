/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_NOTIFY_H
#define SLUICE_NOTIFY_H

#include <linux/sluice_netlink.h>
#include <linux/types.h>

#include "tunables.h"

struct sluice_endpoint;
struct sluice_holder;
struct sluice_lockspace;
struct sluice_object;
struct sluice_publisher;
struct sluice_resource;
struct sluice_user;

/*
 * Events, for whoever listens; nothing happens if nobody does, and nothing fails
 * if there is no memory. May sleep; mutexes may be held.
 */
void sluice_notify_object(const struct sluice_object *object,
			  enum sluice_nl_event event);
void sluice_notify_endpoint(const struct sluice_endpoint *ep,
			    enum sluice_nl_event event);

/* It has to wait for room. Not with channel->lock. */
void sluice_notify_lag(struct sluice_publisher *pub);
void sluice_notify_dropped(struct sluice_publisher *pub, u32 count);

/* The domain's lock. */
void sluice_notify_died(const struct sluice_resource *resource,
			const struct sluice_holder *holder);
void sluice_notify_deadlock(const struct sluice_lockspace *space, u32 length,
			    const struct sluice_holder *victim);

/* @n more of @res are refused to @user; told where the caller is. */
void sluice_notify_quota(const struct sluice_user *user, enum sluice_res res,
			 u64 n);

#endif
