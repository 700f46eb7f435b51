// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claim bookkeeping of a queue: each position of a lane is, in this order,
 * unclaimed (from next on), claimed, perhaps returned and claimed again, and
 * finished. Pure bookkeeping on private memory; the caller locks.
 *
 * Between done and next there are at most slots positions, so a bit for each
 * slot says all there is to say of them.
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/slab.h>

#include "claim.h"

static u32 claims_bit(const struct sluice_claims_lane *lane, u64 position)
{
	return position & (lane->slots - 1);
}

int sluice_claims_lane_init(struct sluice_claims_lane *lane, u32 slots)
{
	size_t words = BITS_TO_LONGS(slots);

	lane->finished = kvcalloc(3 * words, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!lane->finished)
		return -ENOMEM;
	lane->returned = lane->finished + words;
	lane->marked = lane->returned + words;
	lane->slots = slots;
	return 0;
}

void sluice_claims_lane_free(struct sluice_claims_lane *lane)
{
	kvfree(lane->finished);
	lane->finished = NULL;
}

static u64 claims_first_returned(const struct sluice_claims_lane *lane)
{
	u32 from = claims_bit(lane, lane->done), bit;

	bit = find_next_bit(lane->returned, lane->slots, from);
	if (bit == lane->slots)
		bit = find_first_bit(lane->returned, lane->slots);
	return lane->done + claims_bit(lane, bit - from);
}

bool sluice_claims_take(struct sluice_claims_lane *lane, bool published,
			u64 *position, bool *redelivered)
{
	if (lane->returned_count) {
		*position = claims_first_returned(lane);
		__clear_bit(claims_bit(lane, *position), lane->returned);
		WRITE_ONCE(lane->returned_count, lane->returned_count - 1);
	} else if (published && lane->next - lane->done < lane->slots) {
		*position = lane->next;
		WRITE_ONCE(lane->next, lane->next + 1);
	} else {
		return false;
	}
	*redelivered = test_bit(claims_bit(lane, *position), lane->marked);
	return true;
}

bool sluice_claims_finish(struct sluice_claims_lane *lane, u64 position)
{
	u64 done = lane->done;

	__set_bit(claims_bit(lane, position), lane->finished);
	__clear_bit(claims_bit(lane, position), lane->marked);
	while (done < lane->next &&
	       __test_and_clear_bit(claims_bit(lane, done), lane->finished))
		done++;
	if (done == lane->done)
		return false;
	WRITE_ONCE(lane->done, done);
	return true;
}

bool sluice_claims_drop(struct sluice_claims_lane *lane, bool published)
{
	u32 bit = claims_bit(lane, lane->done);

	if (__test_and_clear_bit(bit, lane->returned))
		WRITE_ONCE(lane->returned_count, lane->returned_count - 1);
	else if (published && lane->next == lane->done)
		WRITE_ONCE(lane->next, lane->next + 1);
	else
		return false;
	return sluice_claims_finish(lane, lane->done);
}

void sluice_claims_return(struct sluice_claims_lane *lane, u64 position,
			  bool mark)
{
	__set_bit(claims_bit(lane, position), lane->returned);
	if (mark)
		__set_bit(claims_bit(lane, position), lane->marked);
	WRITE_ONCE(lane->returned_count, lane->returned_count + 1);
}

bool sluice_claims_idle(const struct sluice_claims_lane *lane)
{
	return lane->done == lane->next;
}
