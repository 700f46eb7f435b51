// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl of the ABI, field by field, and what else is done to its
 * descriptors and mappings. Fields that the kernel only writes are left out.
 */
#include <linux/sluice.h>

#include "actor.h"

const __u64 picks[PICKS][PICK_MAX] = {
	[OPENS] = { SLUICE_OPEN_CREATE, 0, SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		    SLUICE_OPEN_EXCL, SLUICE_OPEN_CREATE, 0, 4, SLUICE_OPEN_CREATE },
	[ACCESS] = { SLUICE_READ | SLUICE_WRITE, SLUICE_READ, SLUICE_WRITE, 0, 4, 3, 3, 3 },
	[MODES] = { 0666, 0600, 0, 0777, 0444, 0222, 0640, 0666 },
	[IDS] = { SLUICE_ID_DEFAULT, 0, 1000, 1001, 65534, 1 << 30, SLUICE_ID_DEFAULT - 1, 2000 },
	[PATTERNS] = { 0, SLUICE_QUEUE, SLUICE_BROADCAST, SLUICE_QUEUE, 3, 0, 0, 0 },
	[POLICIES] = { 0, SLUICE_DROP_OLDEST, SLUICE_EVICT, SLUICE_BLOCK, 4, 0, 1, 2 },
	[SLOT_COUNTS] = { 4, 2, 0, 1, 16, 3, 64, 65536 },
	[FEW] = { 2, 1, 3, 0, 4, 16, 1024, 1025 },
	[SIZES] = { 4096, 8192, 0, 1, 65536, 1 << 20, 4097, 1ULL << 40 },
	[ROLES] = { SLUICE_PUBLISHER, SLUICE_SUBSCRIBER, 0, 3, 1, 2, 1, 2 },
	[MANY] = { 1, 2, 3, 0, 4, 16, 64, 65 },
	[STRIDES] = { 0, 256, 176, 40, 192, 128, 168, 8 },
	[VICTIMS] = { 0, SLUICE_VICTIM_REQUESTER, SLUICE_VICTIM_YOUNGEST,
		      SLUICE_VICTIM_PRIORITY, 4, 0, 0, 0 },
	[LOCKSPACE_FLAGS] = { 0, SLUICE_LOCKSPACE_TRUSTED, 2, 0, 1, 1, 0, 1 },
	[WORDS] = { 0, 1, 2, 64, SLUICE_WORDS_MAX, SLUICE_WORDS_MAX + 1, 1, 0 },
	[KINDS] = { SLUICE_KIND_NAME, SLUICE_KIND_FILE, 0, 3, 1, 1, 2, 2 },
	[LOCK_MODES] = { SLUICE_EX, SLUICE_PR, SLUICE_NL, SLUICE_CR, SLUICE_CW,
			 SLUICE_UP, SLUICE_PW, SLUICE_UNLOCKED },
	[STARTS] = { 0, 1, 10, 4096, 8192, 100, SLUICE_END, 1ULL << 63 },
	[ENDS] = { SLUICE_END, 0, 9, 10, 4095, 8191, 100, SLUICE_END - 1 },
	[LEASES] = { 0, 1, 1000000, 3000000, 1000000000, 1ULL << 63, 100000, 0 },
	[PRIORITIES] = { 0, 1, -1, SLUICE_PRIORITY_MAX, -SLUICE_PRIORITY_MAX, 128, -129, 5 },
	[RECOVERIES] = { SLUICE_RECOVER_CONSISTENT, SLUICE_RECOVER_LOST, 0, 3, 1, 2, 1, 4 },
	[INDEXES] = { 0, 1, SLUICE_EVICT_CLAIMANT, 2, 3, 0, 0, 1 },
};

#define SIZEOF(st, m)	sizeof(((struct st *)0)->m)
#define F(st, m, type, arg) { offsetof(struct st, m), SIZEOF(st, m), type, arg }
#define TEXT_OF(st, len, bytes) \
	{ offsetof(struct st, len), SIZEOF(st, len), TEXT, offsetof(struct st, bytes) }

static const struct field info_fields[] = {
	F(sluice_info, resv[1], NUMBER, 0),
};

static const struct field open_fields[] = {
	TEXT_OF(sluice_open, name_len, name),
	F(sluice_open, flags, PICK, OPENS),
	F(sluice_open, config.pattern, PICK, PATTERNS),
	F(sluice_open, config.policy, PICK, POLICIES),
	F(sluice_open, config.slots, PICK, SLOT_COUNTS),
	F(sluice_open, config.history, NUMBER, 0),
	F(sluice_open, config.publishers, PICK, FEW),
	F(sluice_open, config.subscribers, PICK, FEW),
	F(sluice_open, config.held, PICK, FEW),
	F(sluice_open, config.pool, PICK, SIZES),
	F(sluice_open, config.pool_limit, PICK, SIZES),
	F(sluice_open, access, PICK, ACCESS),
	F(sluice_open, mode, PICK, MODES),
	F(sluice_open, uid, PICK, IDS),
	F(sluice_open, gid, PICK, IDS),
	F(sluice_open, resv, NUMBER, 0),
	F(sluice_open, config.flags, NUMBER, 0),
};

static const struct field list_fields[] = {
	F(sluice_list, entries, POINTER, 0),
	F(sluice_list, count, PICK, MANY),
	F(sluice_list, entry_size, PICK, STRIDES),
	TEXT_OF(sluice_list, after_len, after),
	F(sluice_list, resv, NUMBER, 0),
};

static const struct field lockspace_fields[] = {
	TEXT_OF(sluice_lockspace_open, name_len, name),
	F(sluice_lockspace_open, flags, PICK, OPENS),
	F(sluice_lockspace_open, config.flags, PICK, LOCKSPACE_FLAGS),
	F(sluice_lockspace_open, config.victim, PICK, VICTIMS),
	F(sluice_lockspace_open, config.words, PICK, WORDS),
	F(sluice_lockspace_open, access, PICK, ACCESS),
	F(sluice_lockspace_open, mode, PICK, MODES),
	F(sluice_lockspace_open, uid, PICK, IDS),
	F(sluice_lockspace_open, gid, PICK, IDS),
	F(sluice_lockspace_open, resv, NUMBER, 0),
	F(sluice_lockspace_open, config.resv, NUMBER, 0),
	F(sluice_lockspace_open, config.resv2[1], NUMBER, 0),
};

static const struct field holder_fields[] = {
	F(sluice_holder_new, flags, NUMBER, 0),
	F(sluice_holder_new, resv, NUMBER, 0),
};

static const struct field peer_fields[] = {
	F(sluice_peer, role, PICK, ROLES),
	F(sluice_peer, index, PICK, INDEXES),
	F(sluice_peer, generation, RECENT, GENERATION),
};

static const struct field restrict_fields[] = {
	F(sluice_restrict, access, PICK, ACCESS),
	F(sluice_restrict, resv, NUMBER, 0),
};

static const struct field join_fields[] = {
	F(sluice_join, role, PICK, ROLES),
	F(sluice_join, flags, BITS, SLUICE_JOIN_STAY | 2),
	F(sluice_join, policy, PICK, POLICIES),
};

static const struct field feed_fields[] = {
	F(sluice_feed_open, socket, SLOT, SOCKET),
	F(sluice_feed_open, flags, BITS, 0xf),
	F(sluice_feed_open, policy, PICK, POLICIES),
	F(sluice_feed_open, resv, NUMBER, 0),
};

static const struct field attach_fields[] = {
	F(sluice_attach, index, PICK, INDEXES),
	F(sluice_attach, generation, RECENT, GENERATION),
	F(sluice_attach, resv, NUMBER, 0),
};

static const struct field detach_fields[] = {
	F(sluice_detach, index, PICK, INDEXES),
	F(sluice_detach, generation, RECENT, GENERATION),
	F(sluice_detach, resv, NUMBER, 0),
};

static const struct field segment_fields[] = {
	F(sluice_segment, index, PICK, INDEXES),
	F(sluice_segment, generation, RECENT, GENERATION),
	F(sluice_segment, segment, NUMBER, 0),
};

static const struct field grow_fields[] = {
	F(sluice_segment, size, PICK, SIZES),
	F(sluice_segment, index, PICK, INDEXES),
	F(sluice_segment, generation, RECENT, GENERATION),
};

static const struct field wait_fields[] = {
	F(sluice_wait, deadline, TIME, 0),
	F(sluice_wait, room, RECENT, ROOM),
	F(sluice_wait, flags, NUMBER, 0),
	F(sluice_wait, resv, NUMBER, 0),
};

static const struct field wake_fields[] = {
	F(sluice_wake, index, PICK, INDEXES),
	F(sluice_wake, count, PICK, MANY),
};

static const struct field evict_fields[] = {
	F(sluice_evict, index, PICK, INDEXES),
	F(sluice_evict, generation, RECENT, GENERATION),
	F(sluice_evict, resv, NUMBER, 0),
};

static const struct field drop_fields[] = {
	F(sluice_drop, count, PICK, MANY),
	F(sluice_drop, resv, NUMBER, 0),
};

static const struct field fds_attach_fields[] = {
	F(sluice_fds, fds, POINTER, 0),
	F(sluice_fds, count, PICK, MANY),
	F(sluice_fds, resv, NUMBER, 0),
};

static const struct field fd_element[] = {
	{ 0, sizeof(__s32), SLOT, PLAIN | SOCKET | MANY_SLOTS },
};

static const struct field fds_release_fields[] = {
	F(sluice_fds, token, RECENT, TOKEN),
	F(sluice_fds, count, PICK, MANY),
	F(sluice_fds, resv, NUMBER, 0),
};

static const struct field claim_fields[] = {
	F(sluice_claims, claims, POINTER, 0),
	F(sluice_claims, count, PICK, MANY),
	F(sluice_claims, entry_size, PICK, STRIDES),
};

static const struct field fd_take_fields[] = {
	F(sluice_fd_take, index, PICK, INDEXES),
	F(sluice_fd_take, generation, RECENT, GENERATION),
	F(sluice_fd_take, token, RECENT, TOKEN),
	F(sluice_fd_take, resv, NUMBER, 0),
};

static const struct field feed_stop_fields[] = {
	F(sluice_feed_stop, flags, BITS, SLUICE_FEED_DRAIN | 2),
	F(sluice_feed_stop, deadline, TIME, 0),
	F(sluice_feed_stop, resv, NUMBER, 0),
};

static const struct field locks_fields[] = {
	F(sluice_locks, entries, POINTER, 0),
	F(sluice_locks, count, PICK, MANY),
	F(sluice_locks, entry_size, PICK, STRIDES),
	F(sluice_locks, after, NUMBER, 0),
	F(sluice_locks, skip, NUMBER, 0),
	F(sluice_locks, resv, NUMBER, 0),
};

static const struct field deadlock_fields[] = {
	F(sluice_deadlock, waits, POINTER, 0),
	F(sluice_deadlock, count, PICK, MANY),
	F(sluice_deadlock, entry_size, PICK, STRIDES),
	F(sluice_deadlock, after, NUMBER, 0),
	F(sluice_deadlock, resv, NUMBER, 0),
};

static const struct field lock_fields[] = {
	F(sluice_lock, items, POINTER, 0),
	F(sluice_lock, count, PICK, MANY),
	F(sluice_lock, flags, BITS, 0xf),
	F(sluice_lock, deadline, TIME, 0),
	F(sluice_lock, priority, PICK, PRIORITIES),
	F(sluice_lock, entry_size, PICK, STRIDES),
	F(sluice_lock, resv, NUMBER, 0),
};

static const struct field item_fields[] = {
	F(sluice_item, lockspace, SLOT, LOCKSPACE),
	TEXT_OF(sluice_item, key_len, key),
	F(sluice_item, mode, PICK, LOCK_MODES),
	F(sluice_item, start, PICK, STARTS),
	F(sluice_item, end, PICK, ENDS),
	F(sluice_item, kind, PICK, KINDS),
	F(sluice_item, fd, SLOT, PLAIN),
	F(sluice_item, flags, BITS, 0xf),
	F(sluice_item, lease, PICK, LEASES),
	F(sluice_item, resv, NUMBER, 0),
};

static const struct field unlock_fields[] = {
	F(sluice_items, items, POINTER, 0),
	F(sluice_items, count, PICK, MANY),
	F(sluice_items, flags, BITS, 7),
	F(sluice_items, entry_size, PICK, STRIDES),
	F(sluice_items, resv, NUMBER, 0),
};

static const struct field recover_fields[] = {
	F(sluice_items, items, POINTER, 0),
	F(sluice_items, count, PICK, MANY),
	F(sluice_items, flags, PICK, RECOVERIES),
	F(sluice_items, entry_size, PICK, STRIDES),
	F(sluice_items, resv, NUMBER, 0),
};

static const struct field event_fields[] = {
	F(sluice_lock_event, items, POINTER, 0),
	F(sluice_lock_event, count, PICK, MANY),
	F(sluice_lock_event, entry_size, PICK, STRIDES),
};

static const struct field value_fields[] = {
	F(sluice_value, lockspace, SLOT, LOCKSPACE),
	TEXT_OF(sluice_value, key_len, key),
	F(sluice_value, flags, BITS, SLUICE_VALUE_SET | 2),
	F(sluice_value, kind, PICK, KINDS),
	F(sluice_value, fd, SLOT, PLAIN),
	F(sluice_value, value[3], NUMBER, 0),
};

static const struct field block_fields[] = {
	F(sluice_block_open, lockspace, SLOT, LOCKSPACE),
	TEXT_OF(sluice_block_open, key_len, key),
	F(sluice_block_open, flags, PICK, OPENS),
	F(sluice_block_open, size, PICK, SIZES),
	F(sluice_block_open, limit, PICK, SIZES),
};

static const struct field word_fields[] = {
	F(sluice_word_open, lockspace, SLOT, LOCKSPACE),
	TEXT_OF(sluice_word_open, key_len, key),
	F(sluice_word_open, flags, NUMBER, 0),
	F(sluice_word_open, resv, NUMBER, 0),
};

static const struct field block_size_fields[] = {
	F(sluice_block_size, size, PICK, SIZES),
};

static const struct field block_free_fields[] = {
	F(sluice_block_free, start, PICK, STARTS),
	F(sluice_block_free, end, PICK, ENDS),
};

/*
 * What the kernel told.
 */
static void lane_told(struct thread *t, const struct sluice_lane_layout *l)
{
	struct area a = {
		.offset = l->offset, .size = l->size,
		.slots_offset = l->slots_offset, .slot_size = l->slot_size,
		.slots = l->slots,
	};

	if (l->size)
		told_area(t, &a);
}

static void cursor_told(struct thread *t, const struct sluice_cursor_layout *l)
{
	struct area a = {
		.offset = l->offset, .size = l->size,
		.lanes_offset = l->lanes_offset, .lanes = l->lanes,
		.pins_offset = l->pins_offset, .pins = l->pins,
	};

	if (l->size)
		told_area(t, &a);
}

static void join_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_join *j = arg;
	struct area members = { .offset = j->members.offset, .size = j->members.size };

	told_value(t, GENERATION, j->generation);
	told_area(t, &members);
	lane_told(t, &j->lane);
	cursor_told(t, &j->cursor);
}

static void attach_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_attach *a = arg;

	told_value(t, GENERATION, a->generation);
	lane_told(t, &a->lane);
	cursor_told(t, &a->cursor);
}

static void segment_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_segment *seg = arg;
	struct area a = { .offset = seg->offset, .size = seg->size };

	told_area(t, &a);
}

static void feed_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_feed_open *f = arg;

	told_value(t, GENERATION, f->generation);
}

static void peer_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_peer *p = arg;

	told_value(t, GENERATION, p->generation);
}

static void fds_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_fds *f = arg;

	told_value(t, TOKEN, f->token);
}

static void claim_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_claims *c = arg;
	struct sluice_claim claim;

	if (!c->count || !copy_safely(&claim, (void *)(uintptr_t)c->claims, sizeof(claim)))
		return;
	told_value(t, TAG, claim.tag);
	told_value(t, GENERATION, claim.generation);
}

static void block_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_block_open *b = arg;
	struct area a = { .offset = 0, .size = b->limit };

	told_area(t, &a);
}

static void word_done(struct thread *t, const struct step *s, const void *arg, int ret)
{
	const struct sluice_word_open *w = arg;
	struct area a = { .offset = 0, .size = w->size };

	told_value(t, OWNER, w->owner);
	told_area(t, &a);
}

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define IOCTL(_name, _cmd, _fields, _takes, _gives, ...)		\
	{ .name = _name, .cmd = _cmd, .size = _IOC_SIZE(_cmd),		\
	  .fields = _fields, .n = COUNT(_fields), .takes = _takes,	\
	  .gives = _gives, .run = run_ioctl, __VA_ARGS__ }
#define ASKS(_name, _cmd, _takes)					\
	{ .name = _name, .cmd = _cmd, .size = _IOC_SIZE(_cmd),		\
	  .takes = _takes, .run = run_ioctl }
#define ELEMENT(_fields, st)						\
	.element = _fields, .n_element = COUNT(_fields), .stride = sizeof(st)
#define ROOM_FOR(st)	.stride = sizeof(struct st)
#define OTHER(_name, _run, _takes, _gives, _params, ...)		\
	{ .name = _name, .run = _run, .takes = _takes, .gives = _gives,	\
	  .params = _params, __VA_ARGS__ }
#define ITEMS		ELEMENT(item_fields, struct sluice_item)

const struct call calls[] = {
	IOCTL("info", SLUICE_IOC_INFO, info_fields, DEVICE, NOTHING),
	IOCTL("open", SLUICE_IOC_OPEN, open_fields, DEVICE, CHANNEL),
	IOCTL("list", SLUICE_IOC_LIST, list_fields, DEVICE, NOTHING,
	      ROOM_FOR(sluice_stat)),
	IOCTL("lockspace", SLUICE_IOC_LOCKSPACE, lockspace_fields, DEVICE, LOCKSPACE),
	IOCTL("lockspaces", SLUICE_IOC_LOCKSPACES, list_fields, DEVICE, NOTHING,
	      ROOM_FOR(sluice_lockspace_stat)),
	IOCTL("holder", SLUICE_IOC_HOLDER, holder_fields, DEVICE, HOLDER),
	ASKS("stat", SLUICE_IOC_STAT, CHANNEL | ENDPOINT),
	IOCTL("peer", SLUICE_IOC_PEER, peer_fields, CHANNEL | ENDPOINT, NOTHING,
	      .done = peer_done),
	IOCTL("restrict", SLUICE_IOC_RESTRICT, restrict_fields, CHANNEL | LOCKSPACE, CHANNEL),
	IOCTL("join", SLUICE_IOC_JOIN, join_fields, CHANNEL, ENDPOINT, .done = join_done),
	IOCTL("feed", SLUICE_IOC_FEED, feed_fields, CHANNEL, FEED, .done = feed_done),
	IOCTL("attach", SLUICE_IOC_ATTACH, attach_fields, ENDPOINT, NOTHING,
	      .done = attach_done),
	IOCTL("detach", SLUICE_IOC_DETACH, detach_fields, ENDPOINT, NOTHING),
	IOCTL("segment", SLUICE_IOC_SEGMENT, segment_fields, ENDPOINT, NOTHING,
	      .done = segment_done),
	IOCTL("wait", SLUICE_IOC_WAIT, wait_fields, ENDPOINT | FEED, NOTHING),
	IOCTL("wake", SLUICE_IOC_WAKE, wake_fields, ENDPOINT, NOTHING),
	IOCTL("grow", SLUICE_IOC_GROW, grow_fields, PUBLISHER, NOTHING,
	      .done = segment_done),
	ASKS("arm", SLUICE_IOC_ARM, PUBLISHER),
	IOCTL("evict", SLUICE_IOC_EVICT, evict_fields, PUBLISHER, NOTHING),
	IOCTL("drop", SLUICE_IOC_DROP, drop_fields, PUBLISHER, NOTHING),
	IOCTL("fds_attach", SLUICE_IOC_FDS_ATTACH, fds_attach_fields, PUBLISHER, NOTHING,
	      ELEMENT(fd_element, __s32), .done = fds_done),
	IOCTL("fds_release", SLUICE_IOC_FDS_RELEASE, fds_release_fields, PUBLISHER, NOTHING),
	IOCTL("claim", SLUICE_IOC_CLAIM, claim_fields, SUBSCRIBER, NOTHING,
	      ROOM_FOR(sluice_claim), .done = claim_done),
	IOCTL("fd_take", SLUICE_IOC_FD_TAKE, fd_take_fields, SUBSCRIBER, PLAIN),
	ASKS("feed_stat", SLUICE_IOC_FEED_STAT, FEED),
	IOCTL("feed_stop", SLUICE_IOC_FEED_STOP, feed_stop_fields, FEED, NOTHING),
	ASKS("lockspace_stat", SLUICE_IOC_LOCKSPACE_STAT, LOCKSPACE),
	IOCTL("locks", SLUICE_IOC_LOCKS, locks_fields, LOCKSPACE, NOTHING,
	      ROOM_FOR(sluice_lock_entry)),
	IOCTL("deadlock", SLUICE_IOC_DEADLOCK, deadlock_fields, LOCKSPACE, NOTHING,
	      ROOM_FOR(sluice_waits)),
	IOCTL("lock", SLUICE_IOC_LOCK, lock_fields, HOLDER, NOTHING, ITEMS),
	IOCTL("unlock", SLUICE_IOC_UNLOCK, unlock_fields, HOLDER, NOTHING, ITEMS),
	ASKS("cancel", SLUICE_IOC_CANCEL, HOLDER),
	IOCTL("event", SLUICE_IOC_EVENT, event_fields, HOLDER, NOTHING, ITEMS),
	IOCTL("renew", SLUICE_IOC_RENEW, unlock_fields, HOLDER, NOTHING, ITEMS),
	IOCTL("recover", SLUICE_IOC_RECOVER, recover_fields, HOLDER, NOTHING, ITEMS),
	IOCTL("value", SLUICE_IOC_VALUE, value_fields, HOLDER, NOTHING),
	IOCTL("block", SLUICE_IOC_BLOCK, block_fields, HOLDER, BLOCK, .done = block_done),
	IOCTL("word", SLUICE_IOC_WORD, word_fields, HOLDER, NOTHING, .done = word_done),
	IOCTL("block_size", SLUICE_IOC_BLOCK_SIZE, block_size_fields, BLOCK, NOTHING),
	IOCTL("block_free", SLUICE_IOC_BLOCK_FREE, block_free_fields, BLOCK, NOTHING),

	OTHER("device", run_device, NOTHING, DEVICE, 0),
	OTHER("mmap", run_mmap, ENDPOINT | BLOCK | LOCKSPACE, MAPPING, 5),
	OTHER("munmap", run_munmap, MAPPING, NOTHING, 1),
	OTHER("mremap", run_mremap, MAPPING, NOTHING, 1),
	OTHER("mprotect", run_mprotect, MAPPING, NOTHING, 1),
	OTHER("madvise", run_madvise, MAPPING, NOTHING, 1),
	OTHER("remap_file_pages", run_remap, MAPPING, NOTHING, 1),
	OTHER("publish", run_publish, MAPPING, NOTHING, 7),
	OTHER("begin", run_begin, MAPPING, NOTHING, 3),
	OTHER("pin", run_pin, MAPPING, NOTHING, 4),
	OTHER("word_swap", run_word, MAPPING, NOTHING, 3),
	OTHER("poke", run_poke, MAPPING, NOTHING, 4),
	OTHER("peek", run_peek, MAPPING, NOTHING, 2),
	OTHER("fork", run_fork, NOTHING, NOTHING, 2, .rare = true),
	OTHER("exec", run_exec, NOTHING, NOTHING, 0, .rare = true),
	OTHER("kill", run_kill, NOTHING, NOTHING, 2, .rare = true),
	OTHER("send", run_send, SLUICE, IN_FLIGHT, 1),
	OTHER("receive", run_receive, NOTHING, IN_FLIGHT, 0),
	OTHER("close", run_close, ANY, NOTHING, 0),
	OTHER("dup", run_dup, SLUICE, ANY, 1),
	OTHER("poll", run_poll, SLUICE, NOTHING, 2),
	OTHER("epoll", run_epoll, SLUICE, NOTHING, 3),
	OTHER("read", run_read, ANY, NOTHING, 1),
	OTHER("write", run_write, ANY, NOTHING, 1),
	OTHER("fdinfo", run_fdinfo, SLUICE, NOTHING, 0),
	OTHER("flags", run_flags, SLUICE, NOTHING, 1),
	OTHER("sockets", run_sockets, NOTHING, SOCKET, 1),
	OTHER("tcp", run_tcp, NOTHING, SOCKET, 1),
	OTHER("file", run_file, NOTHING, PLAIN, 1),
	OTHER("eventfd", run_eventfd, NOTHING, PLAIN, 0),
	OTHER("flock", run_flock, PLAIN, NOTHING, 1),
	OTHER("netlink", run_netlink, NOTHING, NETLINK, 2),
	OTHER("dump", run_dump, NETLINK, NOTHING, 7),
	OTHER("sleep", run_sleep, NOTHING, NOTHING, 1),
};

const unsigned int n_calls = COUNT(calls);

unsigned int step_gives(const struct step *s)
{
	const struct call *c = step_call(s);

	if (c->done == join_done)
		return s->param[0] % 2 ? SUBSCRIBER : PUBLISHER;
	return c->gives;
}

unsigned int call_params(const struct call *c)
{
	unsigned int n = c->cmd ? c->n + c->n_element : c->params;

	return n < PARAMS ? n : PARAMS;
}
