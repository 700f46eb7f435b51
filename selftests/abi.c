// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ABI: layouts and numbers, structures that grow, and what the calls tell.
 * Built for 64 and 32 bits: same numbers. Refusals are in refused.c.
 */
#include "lock.h"
#include "traffic.h"

struct extent {
	const char *name;
	size_t offset, size, want_offset, want_size;
};

#define FIELD(s, f, off, len)						\
	{ #s "." #f, offsetof(struct s, f), sizeof(((struct s *)0)->f), off, len }
#define WHOLE(s, len)	{ #s, 0, sizeof(struct s), 0, len }

static const struct extent extents[] = {
	WHOLE(sluice_info, 64),
	FIELD(sluice_info, abi_major, 0, 4),
	FIELD(sluice_info, abi_minor, 4, 4),
	FIELD(sluice_info, features, 8, 8),
	FIELD(sluice_info, slots_max, 16, 4),
	FIELD(sluice_info, publishers_max, 20, 4),
	FIELD(sluice_info, subscribers_max, 24, 4),
	FIELD(sluice_info, held_max, 28, 4),
	FIELD(sluice_info, pool_max, 32, 8),
	FIELD(sluice_info, resv, 40, 24),
	WHOLE(sluice_config, 48),
	FIELD(sluice_config, pattern, 0, 4),
	FIELD(sluice_config, policy, 4, 4),
	FIELD(sluice_config, slots, 8, 4),
	FIELD(sluice_config, publishers, 12, 4),
	FIELD(sluice_config, subscribers, 16, 4),
	FIELD(sluice_config, held, 20, 4),
	FIELD(sluice_config, history, 24, 4),
	FIELD(sluice_config, flags, 28, 4),
	FIELD(sluice_config, pool, 32, 8),
	FIELD(sluice_config, pool_limit, 40, 8),
	WHOLE(sluice_open, 144),
	FIELD(sluice_open, flags, 0, 4),
	FIELD(sluice_open, access, 4, 4),
	FIELD(sluice_open, name_len, 8, 4),
	FIELD(sluice_open, mode, 12, 4),
	FIELD(sluice_open, uid, 16, 4),
	FIELD(sluice_open, gid, 20, 4),
	FIELD(sluice_open, created, 24, 4),
	FIELD(sluice_open, resv, 28, 4),
	FIELD(sluice_open, name, 32, 64),
	FIELD(sluice_open, config, 96, 48),
	WHOLE(sluice_stat, 176),
	FIELD(sluice_stat, id, 0, 8),
	FIELD(sluice_stat, created, 8, 8),
	FIELD(sluice_stat, pool, 16, 8),
	FIELD(sluice_stat, messages, 24, 8),
	FIELD(sluice_stat, uid, 32, 4),
	FIELD(sluice_stat, gid, 36, 4),
	FIELD(sluice_stat, mode, 40, 4),
	FIELD(sluice_stat, publishers, 44, 4),
	FIELD(sluice_stat, subscribers, 48, 4),
	FIELD(sluice_stat, left, 52, 4),
	FIELD(sluice_stat, fds, 56, 4),
	FIELD(sluice_stat, name_len, 60, 4),
	FIELD(sluice_stat, name, 64, 64),
	FIELD(sluice_stat, config, 128, 48),
	WHOLE(sluice_list, 88),
	FIELD(sluice_list, entries, 0, 8),
	FIELD(sluice_list, count, 8, 4),
	FIELD(sluice_list, after_len, 12, 4),
	FIELD(sluice_list, after, 16, 64),
	FIELD(sluice_list, entry_size, 80, 4),
	FIELD(sluice_list, resv, 84, 4),
	WHOLE(sluice_restrict, 8),
	FIELD(sluice_restrict, access, 0, 4),
	FIELD(sluice_restrict, resv, 4, 4),
	WHOLE(sluice_lane_layout, 32),
	FIELD(sluice_lane_layout, offset, 0, 8),
	FIELD(sluice_lane_layout, size, 8, 8),
	FIELD(sluice_lane_layout, slots_offset, 16, 4),
	FIELD(sluice_lane_layout, slot_size, 20, 4),
	FIELD(sluice_lane_layout, slots, 24, 4),
	FIELD(sluice_lane_layout, segments, 28, 4),
	WHOLE(sluice_cursor_layout, 32),
	FIELD(sluice_cursor_layout, offset, 0, 8),
	FIELD(sluice_cursor_layout, size, 8, 8),
	FIELD(sluice_cursor_layout, lanes_offset, 16, 4),
	FIELD(sluice_cursor_layout, lanes, 20, 4),
	FIELD(sluice_cursor_layout, pins_offset, 24, 4),
	FIELD(sluice_cursor_layout, pins, 28, 4),
	WHOLE(sluice_members_layout, 32),
	FIELD(sluice_members_layout, offset, 0, 8),
	FIELD(sluice_members_layout, size, 8, 8),
	FIELD(sluice_members_layout, publishers_offset, 16, 4),
	FIELD(sluice_members_layout, subscribers_offset, 20, 4),
	FIELD(sluice_members_layout, member_size, 24, 4),
	FIELD(sluice_members_layout, resv, 28, 4),
	WHOLE(sluice_join, 168),
	FIELD(sluice_join, role, 0, 4),
	FIELD(sluice_join, flags, 4, 4),
	FIELD(sluice_join, policy, 8, 4),
	FIELD(sluice_join, index, 12, 4),
	FIELD(sluice_join, generation, 16, 8),
	FIELD(sluice_join, members, 24, 32),
	FIELD(sluice_join, lane, 56, 32),
	FIELD(sluice_join, cursor, 88, 32),
	FIELD(sluice_join, config, 120, 48),
	WHOLE(sluice_attach, 80),
	FIELD(sluice_attach, index, 0, 4),
	FIELD(sluice_attach, resv, 4, 4),
	FIELD(sluice_attach, generation, 8, 8),
	FIELD(sluice_attach, lane, 16, 32),
	FIELD(sluice_attach, cursor, 48, 32),
	WHOLE(sluice_detach, 16),
	FIELD(sluice_detach, index, 0, 4),
	FIELD(sluice_detach, resv, 4, 4),
	FIELD(sluice_detach, generation, 8, 8),
	WHOLE(sluice_segment, 32),
	FIELD(sluice_segment, index, 0, 4),
	FIELD(sluice_segment, segment, 4, 4),
	FIELD(sluice_segment, generation, 8, 8),
	FIELD(sluice_segment, offset, 16, 8),
	FIELD(sluice_segment, size, 24, 8),
	WHOLE(sluice_wait, 24),
	FIELD(sluice_wait, flags, 0, 4),
	FIELD(sluice_wait, resv, 4, 4),
	FIELD(sluice_wait, deadline, 8, 8),
	FIELD(sluice_wait, room, 16, 8),
	WHOLE(sluice_wake, 8),
	FIELD(sluice_wake, index, 0, 4),
	FIELD(sluice_wake, count, 4, 4),
	WHOLE(sluice_peer, 104),
	FIELD(sluice_peer, role, 0, 4),
	FIELD(sluice_peer, index, 4, 4),
	FIELD(sluice_peer, generation, 8, 8),
	FIELD(sluice_peer, state, 16, 4),
	FIELD(sluice_peer, reason, 20, 4),
	FIELD(sluice_peer, pid, 24, 4),
	FIELD(sluice_peer, uid, 28, 4),
	FIELD(sluice_peer, gid, 32, 4),
	FIELD(sluice_peer, policy, 36, 4),
	FIELD(sluice_peer, joined, 40, 8),
	FIELD(sluice_peer, head, 48, 8),
	FIELD(sluice_peer, lag, 56, 8),
	FIELD(sluice_peer, lost, 64, 8),
	FIELD(sluice_peer, pool, 72, 8),
	FIELD(sluice_peer, held, 80, 4),
	FIELD(sluice_peer, fds, 84, 4),
	FIELD(sluice_peer, comm, 88, 16),
	WHOLE(sluice_evict, 16),
	FIELD(sluice_evict, index, 0, 4),
	FIELD(sluice_evict, resv, 4, 4),
	FIELD(sluice_evict, generation, 8, 8),
	WHOLE(sluice_claim, 40),
	FIELD(sluice_claim, lane, 0, 4),
	FIELD(sluice_claim, pin, 4, 4),
	FIELD(sluice_claim, generation, 8, 8),
	FIELD(sluice_claim, position, 16, 8),
	FIELD(sluice_claim, tag, 24, 8),
	FIELD(sluice_claim, flags, 32, 4),
	FIELD(sluice_claim, resv, 36, 4),
	WHOLE(sluice_claims, 16),
	FIELD(sluice_claims, claims, 0, 8),
	FIELD(sluice_claims, count, 8, 4),
	FIELD(sluice_claims, entry_size, 12, 4),
	WHOLE(sluice_drop, 8),
	FIELD(sluice_drop, count, 0, 4),
	FIELD(sluice_drop, resv, 4, 4),
	WHOLE(sluice_fds, 24),
	FIELD(sluice_fds, fds, 0, 8),
	FIELD(sluice_fds, token, 8, 8),
	FIELD(sluice_fds, count, 16, 4),
	FIELD(sluice_fds, resv, 20, 4),
	WHOLE(sluice_fd_take, 24),
	FIELD(sluice_fd_take, index, 0, 4),
	FIELD(sluice_fd_take, resv, 4, 4),
	FIELD(sluice_fd_take, generation, 8, 8),
	FIELD(sluice_fd_take, token, 16, 8),
	WHOLE(sluice_feed_open, 32),
	FIELD(sluice_feed_open, socket, 0, 4),
	FIELD(sluice_feed_open, flags, 4, 4),
	FIELD(sluice_feed_open, policy, 8, 4),
	FIELD(sluice_feed_open, index, 12, 4),
	FIELD(sluice_feed_open, generation, 16, 8),
	FIELD(sluice_feed_open, resv, 24, 8),
	WHOLE(sluice_feed_stat, 64),
	FIELD(sluice_feed_stat, state, 0, 4),
	FIELD(sluice_feed_stat, error, 4, 4),
	FIELD(sluice_feed_stat, flags, 8, 4),
	FIELD(sluice_feed_stat, index, 12, 4),
	FIELD(sluice_feed_stat, generation, 16, 8),
	FIELD(sluice_feed_stat, messages, 24, 8),
	FIELD(sluice_feed_stat, bytes, 32, 8),
	FIELD(sluice_feed_stat, refused, 40, 8),
	FIELD(sluice_feed_stat, length, 48, 8),
	FIELD(sluice_feed_stat, sent, 56, 8),
	WHOLE(sluice_feed_stop, 16),
	FIELD(sluice_feed_stop, flags, 0, 4),
	FIELD(sluice_feed_stop, resv, 4, 4),
	FIELD(sluice_feed_stop, deadline, 8, 8),
	WHOLE(sluice_lockspace_config, 32),
	FIELD(sluice_lockspace_config, victim, 0, 4),
	FIELD(sluice_lockspace_config, flags, 4, 4),
	FIELD(sluice_lockspace_config, words, 8, 4),
	FIELD(sluice_lockspace_config, resv, 12, 4),
	FIELD(sluice_lockspace_config, resv2, 16, 16),
	WHOLE(sluice_lockspace_open, 128),
	FIELD(sluice_lockspace_open, flags, 0, 4),
	FIELD(sluice_lockspace_open, access, 4, 4),
	FIELD(sluice_lockspace_open, name_len, 8, 4),
	FIELD(sluice_lockspace_open, mode, 12, 4),
	FIELD(sluice_lockspace_open, uid, 16, 4),
	FIELD(sluice_lockspace_open, gid, 20, 4),
	FIELD(sluice_lockspace_open, created, 24, 4),
	FIELD(sluice_lockspace_open, resv, 28, 4),
	FIELD(sluice_lockspace_open, name, 32, 64),
	FIELD(sluice_lockspace_open, config, 96, 32),
	WHOLE(sluice_lockspace_stat, 192),
	FIELD(sluice_lockspace_stat, id, 0, 8),
	FIELD(sluice_lockspace_stat, created, 8, 8),
	FIELD(sluice_lockspace_stat, resources, 16, 8),
	FIELD(sluice_lockspace_stat, grants, 24, 8),
	FIELD(sluice_lockspace_stat, waiting, 32, 8),
	FIELD(sluice_lockspace_stat, granted, 40, 8),
	FIELD(sluice_lockspace_stat, blocked, 48, 8),
	FIELD(sluice_lockspace_stat, deadlocks, 56, 8),
	FIELD(sluice_lockspace_stat, died, 64, 8),
	FIELD(sluice_lockspace_stat, token, 72, 8),
	FIELD(sluice_lockspace_stat, uid, 80, 4),
	FIELD(sluice_lockspace_stat, gid, 84, 4),
	FIELD(sluice_lockspace_stat, mode, 88, 4),
	FIELD(sluice_lockspace_stat, name_len, 92, 4),
	FIELD(sluice_lockspace_stat, name, 96, 64),
	FIELD(sluice_lockspace_stat, config, 160, 32),
	WHOLE(sluice_holder_new, 16),
	FIELD(sluice_holder_new, flags, 0, 4),
	FIELD(sluice_holder_new, resv, 4, 4),
	FIELD(sluice_holder_new, id, 8, 8),
	WHOLE(sluice_file_key, 24),
	FIELD(sluice_file_key, major, 0, 4),
	FIELD(sluice_file_key, minor, 4, 4),
	FIELD(sluice_file_key, ino, 8, 8),
	FIELD(sluice_file_key, generation, 16, 4),
	FIELD(sluice_file_key, resv, 20, 4),
	WHOLE(sluice_item, 128),
	FIELD(sluice_item, lockspace, 0, 4),
	FIELD(sluice_item, kind, 4, 4),
	FIELD(sluice_item, mode, 8, 4),
	FIELD(sluice_item, flags, 12, 4),
	FIELD(sluice_item, start, 16, 8),
	FIELD(sluice_item, end, 24, 8),
	FIELD(sluice_item, lease, 32, 8),
	FIELD(sluice_item, token, 40, 8),
	FIELD(sluice_item, status, 48, 4),
	FIELD(sluice_item, fd, 52, 4),
	FIELD(sluice_item, key_len, 56, 4),
	FIELD(sluice_item, resv, 60, 4),
	FIELD(sluice_item, key, 64, 64),
	WHOLE(sluice_lock, 40),
	FIELD(sluice_lock, items, 0, 8),
	FIELD(sluice_lock, count, 8, 4),
	FIELD(sluice_lock, entry_size, 12, 4),
	FIELD(sluice_lock, flags, 16, 4),
	FIELD(sluice_lock, priority, 20, 4),
	FIELD(sluice_lock, deadline, 24, 8),
	FIELD(sluice_lock, index, 32, 4),
	FIELD(sluice_lock, resv, 36, 4),
	WHOLE(sluice_items, 24),
	FIELD(sluice_items, items, 0, 8),
	FIELD(sluice_items, count, 8, 4),
	FIELD(sluice_items, entry_size, 12, 4),
	FIELD(sluice_items, flags, 16, 4),
	FIELD(sluice_items, resv, 20, 4),
	WHOLE(sluice_value, 152),
	FIELD(sluice_value, flags, 0, 4),
	FIELD(sluice_value, status, 4, 4),
	FIELD(sluice_value, lockspace, 8, 4),
	FIELD(sluice_value, kind, 12, 4),
	FIELD(sluice_value, fd, 16, 4),
	FIELD(sluice_value, key_len, 20, 4),
	FIELD(sluice_value, key, 24, 64),
	FIELD(sluice_value, value, 88, 64),
	WHOLE(sluice_lock_event, 136),
	FIELD(sluice_lock_event, type, 0, 4),
	FIELD(sluice_lock_event, error, 4, 4),
	FIELD(sluice_lock_event, index, 8, 4),
	FIELD(sluice_lock_event, mode, 12, 4),
	FIELD(sluice_lock_event, items, 16, 8),
	FIELD(sluice_lock_event, count, 24, 4),
	FIELD(sluice_lock_event, entry_size, 28, 4),
	FIELD(sluice_lock_event, lockspace, 32, 8),
	FIELD(sluice_lock_event, start, 40, 8),
	FIELD(sluice_lock_event, end, 48, 8),
	FIELD(sluice_lock_event, token, 56, 8),
	FIELD(sluice_lock_event, kind, 64, 4),
	FIELD(sluice_lock_event, key_len, 68, 4),
	FIELD(sluice_lock_event, key, 72, 64),
	WHOLE(sluice_lock_entry, 168),
	FIELD(sluice_lock_entry, resource, 0, 8),
	FIELD(sluice_lock_entry, holder, 8, 8),
	FIELD(sluice_lock_entry, since, 16, 8),
	FIELD(sluice_lock_entry, start, 24, 8),
	FIELD(sluice_lock_entry, end, 32, 8),
	FIELD(sluice_lock_entry, token, 40, 8),
	FIELD(sluice_lock_entry, expires, 48, 8),
	FIELD(sluice_lock_entry, state, 56, 4),
	FIELD(sluice_lock_entry, mode, 60, 4),
	FIELD(sluice_lock_entry, pid, 64, 4),
	FIELD(sluice_lock_entry, tid, 68, 4),
	FIELD(sluice_lock_entry, uid, 72, 4),
	FIELD(sluice_lock_entry, priority, 76, 4),
	FIELD(sluice_lock_entry, kind, 80, 4),
	FIELD(sluice_lock_entry, key_len, 84, 4),
	FIELD(sluice_lock_entry, key, 88, 64),
	FIELD(sluice_lock_entry, comm, 152, 16),
	WHOLE(sluice_locks, 32),
	FIELD(sluice_locks, entries, 0, 8),
	FIELD(sluice_locks, count, 8, 4),
	FIELD(sluice_locks, entry_size, 12, 4),
	FIELD(sluice_locks, after, 16, 8),
	FIELD(sluice_locks, skip, 24, 4),
	FIELD(sluice_locks, resv, 28, 4),
	WHOLE(sluice_waits, 152),
	FIELD(sluice_waits, holder, 0, 8),
	FIELD(sluice_waits, since, 8, 8),
	FIELD(sluice_waits, start, 16, 8),
	FIELD(sluice_waits, end, 24, 8),
	FIELD(sluice_waits, lockspace, 32, 8),
	FIELD(sluice_waits, mode, 40, 4),
	FIELD(sluice_waits, blocked_by, 44, 4),
	FIELD(sluice_waits, flags, 48, 4),
	FIELD(sluice_waits, pid, 52, 4),
	FIELD(sluice_waits, tid, 56, 4),
	FIELD(sluice_waits, uid, 60, 4),
	FIELD(sluice_waits, kind, 64, 4),
	FIELD(sluice_waits, key_len, 68, 4),
	FIELD(sluice_waits, key, 72, 64),
	FIELD(sluice_waits, comm, 136, 16),
	WHOLE(sluice_deadlock, 48),
	FIELD(sluice_deadlock, after, 0, 8),
	FIELD(sluice_deadlock, id, 8, 8),
	FIELD(sluice_deadlock, when, 16, 8),
	FIELD(sluice_deadlock, waits, 24, 8),
	FIELD(sluice_deadlock, count, 32, 4),
	FIELD(sluice_deadlock, entry_size, 36, 4),
	FIELD(sluice_deadlock, length, 40, 4),
	FIELD(sluice_deadlock, resv, 44, 4),
	WHOLE(sluice_block_open, 96),
	FIELD(sluice_block_open, lockspace, 0, 4),
	FIELD(sluice_block_open, flags, 4, 4),
	FIELD(sluice_block_open, key_len, 8, 4),
	FIELD(sluice_block_open, created, 12, 4),
	FIELD(sluice_block_open, size, 16, 8),
	FIELD(sluice_block_open, limit, 24, 8),
	FIELD(sluice_block_open, key, 32, 64),
	WHOLE(sluice_block_size, 16),
	FIELD(sluice_block_size, size, 0, 8),
	FIELD(sluice_block_size, used, 8, 8),
	WHOLE(sluice_block_free, 16),
	FIELD(sluice_block_free, start, 0, 8),
	FIELD(sluice_block_free, end, 8, 8),
	WHOLE(sluice_word, 64),
	FIELD(sluice_word, owner, 0, 8),
	FIELD(sluice_word, resv, 8, 56),
	WHOLE(sluice_word_open, 104),
	FIELD(sluice_word_open, lockspace, 0, 4),
	FIELD(sluice_word_open, flags, 4, 4),
	FIELD(sluice_word_open, offset, 8, 8),
	FIELD(sluice_word_open, size, 16, 8),
	FIELD(sluice_word_open, owner, 24, 8),
	FIELD(sluice_word_open, key_len, 32, 4),
	FIELD(sluice_word_open, resv, 36, 4),
	FIELD(sluice_word_open, key, 40, 64),
	WHOLE(sluice_slot, 64),
	FIELD(sluice_slot, seq, 0, 8),
	FIELD(sluice_slot, offset, 8, 8),
	FIELD(sluice_slot, length, 16, 8),
	FIELD(sluice_slot, segment, 24, 4),
	FIELD(sluice_slot, type, 28, 4),
	FIELD(sluice_slot, flags, 32, 4),
	FIELD(sluice_slot, fds, 36, 4),
	FIELD(sluice_slot, token, 40, 8),
	FIELD(sluice_slot, resv, 48, 16),
	WHOLE(sluice_lane, 128),
	FIELD(sluice_lane, head, 0, 8),
	FIELD(sluice_lane, tail, 8, 8),
	FIELD(sluice_lane, room_seen, 16, 8),
	FIELD(sluice_lane, member_seen, 24, 8),
	FIELD(sluice_lane, bytes, 32, 8),
	FIELD(sluice_lane, resv, 40, 88),
	WHOLE(sluice_cursor_lane, 16),
	FIELD(sluice_cursor_lane, generation, 0, 8),
	FIELD(sluice_cursor_lane, head, 8, 8),
	WHOLE(sluice_cursor, 64),
	FIELD(sluice_cursor, member_seen, 0, 8),
	FIELD(sluice_cursor, received, 8, 8),
	FIELD(sluice_cursor, lost, 16, 8),
	FIELD(sluice_cursor, held, 24, 4),
	FIELD(sluice_cursor, resv32, 28, 4),
	FIELD(sluice_cursor, bytes, 32, 8),
	FIELD(sluice_cursor, resv, 40, 24),
	WHOLE(sluice_member, 64),
	FIELD(sluice_member, generation, 0, 8),
	FIELD(sluice_member, state, 8, 4),
	FIELD(sluice_member, reason, 12, 4),
	FIELD(sluice_member, pid, 16, 4),
	FIELD(sluice_member, uid, 20, 4),
	FIELD(sluice_member, gid, 24, 4),
	FIELD(sluice_member, policy, 28, 4),
	FIELD(sluice_member, armed, 32, 4),
	FIELD(sluice_member, resv, 36, 4),
	FIELD(sluice_member, room, 40, 8),
	FIELD(sluice_member, done, 48, 8),
	FIELD(sluice_member, resv2, 56, 8),
	WHOLE(sluice_members, 128),
	FIELD(sluice_members, publishers, 0, 4),
	FIELD(sluice_members, subscribers, 4, 4),
	FIELD(sluice_members, resv, 8, 56),
	FIELD(sluice_members, seq, 64, 8),
	FIELD(sluice_members, armed, 72, 4),
	FIELD(sluice_members, resv32, 76, 4),
	FIELD(sluice_members, resv2, 80, 48),
};

TEST(layout)
{
	size_t i;

	for (i = 0; i < ARRAY(extents); i++) {
		const struct extent *e = &extents[i];

		EXPECT_EQ(e->want_offset, e->offset)
			TH_LOG("offset of %s", e->name);
		EXPECT_EQ(e->want_size, e->size)
			TH_LOG("size of %s", e->name);
	}
}

/*
 * Every call: its number as it is on the wire, and whose it is.
 */
enum on {
	DEVICE		= 1,
	CHANNEL		= 2,
	PUBLISHER	= 4,
	SUBSCRIBER	= 8,
	ENDPOINT	= PUBLISHER | SUBSCRIBER,
	LOCKSPACE	= 16,
	HOLDER		= 32,
	BLOCK		= 64,
	FEED		= 128,
};

struct ioc {
	const char *name;
	unsigned int cmd, wire;
	int on;
};

#define IOC(c, wire, on)	{ #c, SLUICE_IOC_##c, wire, on }

static const struct ioc iocs[] = {
	IOC(INFO,	 0xc040b580, DEVICE),
	IOC(OPEN,	 0xc090b581, DEVICE),
	IOC(LIST,	 0xc058b582, DEVICE),
	IOC(LOCKSPACE,	 0xc080b583, DEVICE),
	IOC(LOCKSPACES,	 0xc058b584, DEVICE),
	IOC(HOLDER,	 0xc010b585, DEVICE),
	IOC(STAT,	 0xc0b0b590, CHANNEL | ENDPOINT),
	IOC(PEER,	 0xc068b591, CHANNEL | ENDPOINT),
	IOC(RESTRICT,	 0xc008b592, CHANNEL | LOCKSPACE),
	IOC(JOIN,	 0xc0a8b593, CHANNEL),
	IOC(FEED,	 0xc020b594, CHANNEL),
	IOC(ATTACH,	 0xc050b5a0, ENDPOINT),
	IOC(DETACH,	 0xc010b5a1, ENDPOINT),
	IOC(SEGMENT,	 0xc020b5a2, ENDPOINT),
	IOC(WAIT,	 0xc018b5a3, ENDPOINT | FEED),
	IOC(WAKE,	 0xc008b5a4, ENDPOINT),
	IOC(GROW,	 0xc020b5b0, PUBLISHER),
	IOC(ARM,	 0x0000b5b1, PUBLISHER),
	IOC(EVICT,	 0xc010b5b2, PUBLISHER),
	IOC(DROP,	 0xc008b5b3, PUBLISHER),
	IOC(FDS_ATTACH,	 0xc018b5b4, PUBLISHER),
	IOC(FDS_RELEASE, 0xc018b5b5, PUBLISHER),
	IOC(CLAIM,	 0xc010b5c0, SUBSCRIBER),
	IOC(FD_TAKE,	 0xc018b5c1, SUBSCRIBER),
	IOC(FEED_STAT,	 0xc040b5c8, FEED),
	IOC(FEED_STOP,	 0xc010b5c9, FEED),
	IOC(LOCKSPACE_STAT, 0xc0c0b5d0, LOCKSPACE),
	IOC(LOCKS,	 0xc020b5d1, LOCKSPACE),
	IOC(DEADLOCK,	 0xc030b5d2, LOCKSPACE),
	IOC(LOCK,	 0xc028b5e0, HOLDER),
	IOC(UNLOCK,	 0xc018b5e1, HOLDER),
	IOC(CANCEL,	 0x0000b5e2, HOLDER),
	IOC(EVENT,	 0xc088b5e3, HOLDER),
	IOC(RENEW,	 0xc018b5e4, HOLDER),
	IOC(RECOVER,	 0xc018b5e5, HOLDER),
	IOC(VALUE,	 0xc098b5e6, HOLDER),
	IOC(BLOCK,	 0xc060b5e7, HOLDER),
	IOC(WORD,	 0xc068b5e8, HOLDER),
	IOC(BLOCK_SIZE,	 0xc010b5f0, BLOCK),
	IOC(BLOCK_FREE,	 0xc010b5f1, BLOCK),
};

TEST(numbers)
{
	size_t i;

	for (i = 0; i < ARRAY(iocs); i++)
		EXPECT_EQ(iocs[i].wire, iocs[i].cmd)
			TH_LOG("number 0x%02x", _IOC_NR(iocs[i].cmd));
}

TEST(sequence_macros)
{
	EXPECT_EQ(2, SLUICE_SEQ(0));
	EXPECT_EQ(0x200000000ULL, SLUICE_SEQ(0xffffffff));
	EXPECT_EQ(1ULL << 48, SLUICE_PIN(0, 0));
	EXPECT_EQ((64ULL << 48) + 5, SLUICE_PIN(63, (1ULL << 48) + 5));
}

/* Of a queue of its own, into a socket that nobody reads. */
static int make_feed(void)
{
	struct sluice_config queue = { .pattern = SLUICE_QUEUE };
	struct sluice_feed_open f = { .flags = SLUICE_FEED_STAY };
	int channel = must(make_channel(NULL, &queue)), pair[2], fd;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	f.socket = pair[0];
	fd = call(channel, SLUICE_IOC_FEED, &f);
	close(pair[0]);
	close(channel);
	return fd;
}

FIXTURE(abi) {
	int channel;
	int fd[129];		/* by enum on */
	struct sluice_join pub, sub;
};

FIXTURE_SETUP(abi)
{
	self->channel = make_channel(NULL, NULL);
	ASSERT_LE(0, self->channel);
	self->fd[DEVICE] = device();
	self->fd[CHANNEL] = self->channel;
	self->fd[PUBLISHER] = join_full(self->channel, SLUICE_PUBLISHER, 0, 0,
					&self->pub);
	ASSERT_LE(0, self->fd[PUBLISHER]);
	self->fd[SUBSCRIBER] = join_full(self->channel, SLUICE_SUBSCRIBER, 0, 0,
					 &self->sub);
	ASSERT_LE(0, self->fd[SUBSCRIBER]);
	self->fd[LOCKSPACE] = make_lockspace(NULL, 0);
	ASSERT_LE(0, self->fd[LOCKSPACE]);
	self->fd[HOLDER] = make_holder(NULL);
	ASSERT_LE(0, self->fd[HOLDER]);
	self->fd[BLOCK] = make_block(self->fd[HOLDER], self->fd[LOCKSPACE],
				     "abi", 4096);
	ASSERT_LE(0, self->fd[BLOCK]);
	self->fd[FEED] = make_feed();
	ASSERT_LE(0, self->fd[FEED]);
}

FIXTURE_TEARDOWN(abi)
{
	close(self->fd[FEED]);
	close(self->fd[BLOCK]);
	close(self->fd[HOLDER]);
	close(self->fd[LOCKSPACE]);
	close(self->fd[SUBSCRIBER]);
	close(self->fd[PUBLISHER]);
	close(self->channel);
}

#define FAULTY	((void *)16)

static const unsigned int kinds[] = {
	DEVICE, CHANNEL, PUBLISHER, SUBSCRIBER, LOCKSPACE, HOLDER, BLOCK, FEED,
};

TEST_F(abi, whose_calls)
{
	size_t i, k;

	for (i = 0; i < ARRAY(iocs); i++)
		for (k = 0; k < ARRAY(kinds); k++) {
			int ret = call(self->fd[kinds[k]], iocs[i].cmd, FAULTY);
			int want = -EFAULT;

			if (!(iocs[i].on & kinds[k]))
				want = -ENOTTY;
			else if (!_IOC_SIZE(iocs[i].cmd))
				want = iocs[i].cmd == SLUICE_IOC_CANCEL ?
					-ENOENT : 0;
			EXPECT_EQ(want, ret)
				TH_LOG("SLUICE_IOC_%s on %d", iocs[i].name, kinds[k]);
		}
}

TEST_F(abi, unknown_calls)
{
	static __u64 zero[64];
	unsigned int nr, k, i;

	for (nr = 0x80; nr < 0x100; nr++) {
		for (i = 0; i < ARRAY(iocs); i++)
			if (_IOC_NR(iocs[i].cmd) == nr)
				break;
		if (i < ARRAY(iocs))
			continue;
		for (k = 0; k < ARRAY(kinds); k++)
			EXPECT_EQ(-ENOTTY, call(self->fd[kinds[k]],
						_IOC(3, 0xB5, nr, 64), zero))
				TH_LOG("0x%x on %d", nr, kinds[k]);
	}
	/* Another driver's calls. */
	for (k = 0; k < ARRAY(kinds); k++)
		EXPECT_EQ(-ENOTTY, call(self->fd[kinds[k]],
					_IOC(3, 0xB6, 0x80, 64), zero));
}

/*
 * Growth. A tail that is not zero is refused before anything else is looked
 * at, and one that is zero changes nothing; both are tried on every call with
 * a first part of zeros, which most refuse.
 */
static int call_and_close(int fd, unsigned long cmd, void *arg)
{
	int ret = call(fd, cmd, arg);

	return ret > 0 ? close(ret) : ret;
}

TEST_F(abi, longer_structures)
{
	unsigned char buf[512];
	size_t i;

	for (i = 0; i < ARRAY(iocs); i++) {
		unsigned int cmd = iocs[i].cmd, size = _IOC_SIZE(cmd), k;
		int fd = self->fd[iocs[i].on & -iocs[i].on], ret;
		unsigned int longer = _IOC(3, 0xB5, _IOC_NR(cmd), sizeof(buf));

		if (!size)
			continue;
		memset(buf, 0, sizeof(buf));
		ret = call_and_close(fd, cmd, buf);
		memset(buf, 0, sizeof(buf));
		EXPECT_EQ(ret, call_and_close(fd, longer, buf))
			TH_LOG("%s with a zero tail", iocs[i].name);
		for (k = size; k < sizeof(buf); k++)
			if (buf[k])
				break;
		EXPECT_EQ(sizeof(buf), k)
			TH_LOG("%s wrote its tail", iocs[i].name);
		memset(buf, 0, sizeof(buf));
		buf[sizeof(buf) - 1] = 1;
		EXPECT_EQ(-E2BIG, call(fd, longer, buf))
			TH_LOG("%s with a tail", iocs[i].name);
		memset(buf, 0, sizeof(buf));
		buf[size] = 1;
		EXPECT_EQ(-E2BIG, call(fd, longer, buf))
			TH_LOG("%s with one byte more", iocs[i].name);
	}
}

/* The longest that can be encoded, at the end of a mapping. */
TEST_F(abi, longest_structure)
{
	size_t size = 0x3fff;
	unsigned char *p = mmap(NULL, 0x5000, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int cmd = _IOC(3, 0xB5, 0x80, 0x3fff);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, mprotect(p + 0x4000, 0x1000, PROT_NONE));
	EXPECT_EQ(0, call(device(), cmd, p + 1));
	EXPECT_EQ(SLUICE_ABI_MAJOR, *(__u32 *)(p + 1));
	p[size] = 1;
	EXPECT_EQ(-E2BIG, call(device(), cmd, p + 1));
	p[size] = 0;
	EXPECT_EQ(-EFAULT, call(device(), cmd, p + 2));
}

TEST_F(abi, shorter_info)
{
	unsigned char buf[sizeof(struct sluice_info)];
	struct sluice_info *info = (void *)buf;
	size_t i;

	memset(buf, 0xa5, sizeof(buf));
	memset(buf, 0, 8);
	ASSERT_EQ(0, call(device(), _IOC(3, 0xB5, 0x80, 8), buf));
	EXPECT_EQ(SLUICE_ABI_MAJOR, info->abi_major);
	EXPECT_EQ(SLUICE_ABI_MINOR, info->abi_minor);
	for (i = 8; i < sizeof(buf); i++)
		EXPECT_EQ(0xa5, buf[i]);
}

TEST_F(abi, shorter_list)
{
	struct sluice_list l = { .count = 1, .entry_size = ~0U, .resv = ~0U };
	size_t size = offsetof(struct sluice_list, entry_size);
	int fd = make_channel("abi-shorter", NULL);
	struct sluice_stat st = { };

	ASSERT_LE(0, fd);
	l.entries = (uintptr_t)&st;
	ASSERT_EQ(0, call(device(), _IOC(3, 0xB5, 0x82, size), &l));
	EXPECT_EQ(1, l.count);
	EXPECT_LT(0, st.name_len);
	EXPECT_EQ(~0U, l.entry_size & l.resv);
	close(fd);
}

TEST_F(abi, shorter_open)
{
	unsigned char buf[sizeof(struct sluice_open)] = { };
	struct sluice_open *o = (void *)buf;
	size_t size = offsetof(struct sluice_open, config), i;
	int fd;

	memset(buf + size, 0xa5, sizeof(buf) - size);
	o->flags = SLUICE_OPEN_CREATE;
	o->access = RW;
	fd = call(device(), _IOC(3, 0xB5, 0x81, size), buf);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, o->created);
	EXPECT_EQ(256, stat_of(fd).config.slots);
	for (i = size; i < sizeof(buf); i++)
		EXPECT_EQ(0xa5, buf[i]);
	close(fd);
}

TEST_F(abi, shorter_join)
{
	unsigned char buf[sizeof(struct sluice_join)] = { };
	struct sluice_join *j = (void *)buf;
	size_t size = offsetof(struct sluice_join, members), i;
	int fd;

	memset(buf + size, 0xa5, sizeof(buf) - size);
	j->role = SLUICE_SUBSCRIBER;
	fd = call(self->channel, _IOC(3, 0xB5, 0x93, size), buf);
	ASSERT_LE(0, fd);
	EXPECT_LT(self->sub.generation, j->generation);
	for (i = size; i < sizeof(buf); i++)
		EXPECT_EQ(0xa5, buf[i]);
	close(fd);
}

TEST_F(abi, shorter_wait)
{
	struct { __u32 flags, resv; } w = { };
	unsigned int cmd = _IOC(3U, 0xB5, 0xA3, sizeof(w));
	struct sub s;

	sub_join(&s, self->channel);
	/* No deadline given is deadline 0: long over. */
	EXPECT_EQ(-ETIMEDOUT, call(s.fd, cmd, &w));
	w.flags = 1;
	EXPECT_EQ(-EINVAL, call(s.fd, cmd, &w));
	sub_close(&s);
}

/*
 * What INFO, OPEN and JOIN tell.
 */
TEST(info)
{
	struct sluice_info info = { };

	ASSERT_EQ(0, call(device(), SLUICE_IOC_INFO, &info));
	EXPECT_EQ(SLUICE_ABI_MAJOR, info.abi_major);
	EXPECT_EQ(SLUICE_ABI_MINOR, info.abi_minor);
	EXPECT_EQ(SLUICE_FEATURE_LOCKS | SLUICE_FEATURE_BACKED |
		  SLUICE_FEATURE_BLOCKS | SLUICE_FEATURE_FEEDS |
		  SLUICE_FEATURE_TRUSTED, info.features);
	EXPECT_LE(64, info.publishers_max);
	EXPECT_LE(64, info.subscribers_max);
	EXPECT_LE(16, info.held_max);
	EXPECT_LE(256, info.slots_max);
	EXPECT_EQ(0, info.slots_max & (info.slots_max - 1));
	EXPECT_LE(1 << 20, info.pool_max);
	EXPECT_EQ(0, info.resv[0] | info.resv[1] | info.resv[2]);
}

TEST(defaults)
{
	struct sluice_open o = good_open("abi-open");
	__u64 start = now_ns();
	struct sluice_stat st;
	int fd = call(device(), SLUICE_IOC_OPEN, &o);

	ASSERT_LE(0, fd);
	EXPECT_EQ(SLUICE_BROADCAST, o.config.pattern);
	EXPECT_EQ(SLUICE_BLOCK, o.config.policy);
	EXPECT_EQ(256, o.config.slots);
	EXPECT_EQ(16, o.config.publishers);
	EXPECT_EQ(16, o.config.subscribers);
	EXPECT_EQ(16, o.config.held);
	EXPECT_EQ(0, o.config.history);
	EXPECT_EQ(1 << 20, o.config.pool);
	EXPECT_EQ(1 << 20, o.config.pool_limit);
	st = stat_of(fd);
	EXPECT_EQ(0, memcmp(&st.config, &o.config, sizeof(st.config)));
	EXPECT_EQ(0600, st.mode);
	EXPECT_EQ(geteuid(), st.uid);
	EXPECT_EQ(getegid(), st.gid);
	EXPECT_EQ(8, st.name_len);
	EXPECT_EQ(0, memcmp(st.name, o.name, sizeof(st.name)));
	EXPECT_GE(now_ns(), st.created);
	EXPECT_LE(start, st.created);
	EXPECT_EQ(0, st.publishers + st.subscribers + st.left + st.fds);
	EXPECT_EQ(0, st.messages + st.pool);
}

TEST(config_is_the_makers)
{
	struct sluice_open o = good_open("abi-open");
	struct sluice_config cfg = {
		.pattern = SLUICE_BROADCAST, .policy = SLUICE_EVICT,
		.slots = 32, .publishers = 3, .subscribers = 5, .held = 7,
		.history = 9, .pool = 8192, .pool_limit = 5 * 4096,
	};
	int fd, again;

	o.config = cfg;
	fd = call(device(), SLUICE_IOC_OPEN, &o);
	ASSERT_LE(0, fd);
	o = good_open("abi-open");
	o.flags = SLUICE_OPEN_CREATE;
	o.config.slots = 64;
	again = call(device(), SLUICE_IOC_OPEN, &o);
	ASSERT_LE(0, again);
	EXPECT_EQ(0, o.created);
	EXPECT_EQ(0, memcmp(&cfg, &o.config, sizeof(cfg)));
	EXPECT_EQ(stat_of(fd).id, stat_of(again).id);
}

/* The areas are where the layouts say, large enough for what is in them. */
TEST(join_layouts)
{
	struct sluice_config cfg = {
		.slots = 64, .publishers = 3, .subscribers = 5, .held = 7,
	};
	int ch = make_channel(NULL, &cfg), fd;
	struct sluice_join j;

	ASSERT_LE(0, ch);
	fd = join_full(ch, SLUICE_PUBLISHER, 0, 0, &j);
	ASSERT_LE(0, fd);
	EXPECT_EQ(64, j.lane.slots);
	EXPECT_LE(sizeof(struct sluice_slot), j.lane.slot_size);
	EXPECT_LE(sizeof(struct sluice_lane), j.lane.slots_offset);
	EXPECT_LE(j.lane.slots_offset + 64 * j.lane.slot_size, j.lane.size);
	EXPECT_EQ(1, j.lane.segments);
	EXPECT_EQ(0, j.cursor.size);
	EXPECT_EQ(64, j.config.slots);
	EXPECT_EQ(0, j.members.resv);
	EXPECT_LE(sizeof(struct sluice_member), j.members.member_size);
	EXPECT_LE(sizeof(struct sluice_members), j.members.publishers_offset);
	EXPECT_LE(j.members.publishers_offset + 3 * j.members.member_size,
		  j.members.subscribers_offset);
	EXPECT_LE(j.members.subscribers_offset + 5 * j.members.member_size,
		  j.members.size);
	fd = join_full(ch, SLUICE_SUBSCRIBER, 0, 0, &j);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, j.lane.size);
	EXPECT_EQ(3, j.cursor.lanes);
	EXPECT_LE(7, j.cursor.pins);
	EXPECT_LE(sizeof(struct sluice_cursor), j.cursor.lanes_offset);
	EXPECT_LE(j.cursor.lanes_offset + 3 * sizeof(struct sluice_cursor_lane),
		  j.cursor.pins_offset);
	EXPECT_LE(j.cursor.pins_offset + j.cursor.pins * 8, j.cursor.size);
}

/* Entries of a future, longer structure: what is unknown is zero. */
TEST(list_of_longer_entries)
{
	struct { struct sluice_stat st; unsigned char more[24]; } e[3];
	struct sluice_list l = { .entries = (uintptr_t)e, .count = 3 };
	int a = make_channel("abi-entry-a", NULL), i;
	int b = make_channel("abi-entry-b", NULL);
	size_t k;

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	memset(e, 0xa5, sizeof(e));
	memcpy(l.after, "abi-entry", l.after_len = 9);
	l.entry_size = sizeof(e[0]);
	ASSERT_EQ(0, call(device(), SLUICE_IOC_LIST, &l));
	ASSERT_LE(2, l.count);
	EXPECT_EQ(stat_of(a).id, e[0].st.id);
	EXPECT_EQ(stat_of(b).id, e[1].st.id);
	for (i = 0; i < 2; i++)
		for (k = 0; k < sizeof(e[i].more); k++)
			EXPECT_EQ(0, e[i].more[k]);
	if (l.count == 2)
		EXPECT_EQ(0xa5, *(unsigned char *)&e[2]);
}

/* LIST pages through the names in byte order, each once. */
TEST(list_pages)
{
	int n = 40, i, seen = 0, before = count_names();
	struct sluice_stat st[7] = { };
	struct sluice_list l = { .entries = (uintptr_t)st };
	char name[16], last[16] = "";

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "page-%03d", (i * 17) % n);
		ASSERT_LE(0, make_channel(name, NULL));
	}
	EXPECT_EQ(before + n, count_names());
	do {
		l.count = ARRAY(st);
		ASSERT_EQ(0, call(device(), SLUICE_IOC_LIST, &l));
		for (i = 0; i < l.count; i++) {
			if (st[i].name_len != 8 || memcmp(st[i].name, "page-", 5))
				continue;
			memcpy(name, st[i].name, 8);
			name[8] = 0;
			EXPECT_LT(0, strcmp(name, last));
			strcpy(last, name);
			seen++;
		}
	} while (l.count);
	EXPECT_EQ(n, seen);
}

TEST_HARNESS_MAIN
