/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_TUNABLES_H
#define SLUICE_TUNABLES_H

#include <linux/types.h>

/* What one user may have, over all channels. */
enum sluice_res {
	SLUICE_RES_CHANNELS,
	SLUICE_RES_ENDPOINTS,
	SLUICE_RES_BYTES,
	SLUICE_RES_FDS,
	SLUICE_RES_LOCKSPACES,
	SLUICE_RES_HOLDERS,
	SLUICE_RES_RESOURCES,
	SLUICE_RES_LOCKS,
	SLUICE_RES_COUNT,
};

u64 sluice_user_limit(enum sluice_res res);

/* What one channel may ask for. */
u32 sluice_slots_max(void);
u32 sluice_publishers_max(void);
u32 sluice_subscribers_max(void);
u32 sluice_held_max(void);
u64 sluice_pool_max(void);

/* Seconds between two looks at the locks of a file server, 0 for never. */
u32 sluice_file_check(void);

#endif
