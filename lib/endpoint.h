/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What publishers and subscribers have in common. */
#ifndef SLUICE_ENDPOINT_H
#define SLUICE_ENDPOINT_H

#include <sluice/sluice.h>

#include "alive.h"
#include "ring/view.h"

/**
 * struct sl_endpoint - a descriptor and what belongs to it
 * @fd: of the endpoint
 * @spin: nanoseconds to look before sleeping, 0 if only one CPU may run
 * @alive: see alive.h
 * @join: what the kernel said
 * @members: its table
 */
struct sl_endpoint {
	int fd;
	uint32_t spin;
	uint32_t alive;
	struct sluice_join join;
	struct sl_members_view members;
};

/* Join, and map the member table: 0 or a negative errno value. */
int sl_endpoint_open(struct sl_endpoint *endpoint,
		     const struct sluice_channel *channel,
		     const struct sluice_join *join, uint32_t spin);

/* Close the descriptor, and unmap if this is not a child. */
void sl_endpoint_close(struct sl_endpoint *endpoint);

/* May its memory be touched? In a child of fork() there is none. */
static inline bool sl_endpoint_alive(const struct sl_endpoint *endpoint)
{
	return sl_alive(endpoint->alive);
}

/* CLOCK_MONOTONIC now, in nanoseconds. */
int64_t sl_now(void);

/* SLUICE_IOC_ATTACH: 0 or a negative errno value. */
int sl_endpoint_attach(const struct sl_endpoint *endpoint,
		       struct sluice_attach *call);

/*
 * Why could who was attached by @call not be mapped, which failed with @err? If it
 * left in between there is nothing to map, and ATTACH says so.
 */
int sl_endpoint_gone(const struct sl_endpoint *endpoint,
		     struct sluice_attach *call, int err);

/* Until when to spin before sleeping until @deadline. */
int64_t sl_endpoint_spin_end(const struct sl_endpoint *endpoint,
			     int64_t deadline);

/*
 * SLUICE_IOC_WAIT: 0: look again; or a negative errno value, after which one look
 * more is due: -ETIMEDOUT may be said though there is something now.
 */
int sl_endpoint_wait(const struct sl_endpoint *endpoint, int64_t deadline,
		     uint64_t room);

/* SLUICE_IOC_WAKE */
void sl_endpoint_wake(const struct sl_endpoint *endpoint, uint32_t index,
		      uint32_t count);

#endif /* SLUICE_ENDPOINT_H */
