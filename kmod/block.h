/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_BLOCK_H
#define SLUICE_BLOCK_H

#include <linux/types.h>

#include "call.h"

struct sluice_resource;

/* SLUICE_IOC_BLOCK, on a holder. */
long sluice_block_open(struct sluice_call *call);

/* Nobody can ask for the block of @resource any more. The domain's lock. */
void sluice_block_forget(struct sluice_resource *resource);

/**
 * sluice_block_revoke - take pages out of all mappings
 * @resource: whose block it is, if it has one; the domain's lock
 * @start: first byte
 * @last: last byte
 *
 * Who still may touch them finds them again by a page fault.
 */
void sluice_block_revoke(struct sluice_resource *resource, u64 start, u64 last);

#endif
