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
 * sluice_block_disown - somebody has a range no more, or in a weaker mode
 * @resource: whose block it is, if it has one; the domain's lock
 * @start: first byte
 * @last: last byte
 *
 * It has to be revoked before anybody is granted any of the resource, and before
 * the domain is unlocked. sluice_grant_publish() and sluice_resource_settle() do.
 */
void sluice_block_disown(struct sluice_resource *resource, u64 start, u64 last);

/**
 * sluice_block_revoke - take what was disowned out of all mappings
 * @resource: whose block it is, if it has one; the domain's lock
 *
 * Who still may touch it finds it again by a page fault.
 */
void sluice_block_revoke(struct sluice_resource *resource);

#endif
