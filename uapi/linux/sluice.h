/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Sluice: zero-copy message channels between processes of one host.
 *
 * This is the whole ABI: the ioctls of /dev/sluice and of the file
 * descriptors they make, and the layout of the memory that is mapped from
 * them. doc/abi.md tells each call's errors and what is atomic;
 * doc/memory-model.md tells who may write which page, in which order.
 *
 * Every structure may grow at its end. The kernel takes the size from the
 * ioctl number: it reads the missing tail of a shorter structure as zero, and
 * refuses a longer one whose tail is not zero with E2BIG. Unknown flags and
 * non-zero resv fields are EINVAL. A call that makes a file descriptor
 * returns it; it is close-on-exec.
 */
#ifndef _UAPI_LINUX_SLUICE_H
#define _UAPI_LINUX_SLUICE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SLUICE_ABI_MAJOR	1
#define SLUICE_ABI_MINOR	4

#define SLUICE_NAME_MAX		64	/* bytes, not terminated */
#define SLUICE_SEGMENTS_MAX	16	/* of one publisher's pool */
#define SLUICE_FDS_MAX		16	/* in one message */

/* Rights to a channel or lockspace, held by its file descriptor. */
#define SLUICE_READ		0x1	/* may subscribe; take NL, CR, PR */
#define SLUICE_WRITE		0x2	/* may publish; take CW, UP, PW, EX */

#define SLUICE_FEATURE_LOCKS	0x1	/* lockspaces and holders */
#define SLUICE_FEATURE_BACKED	0x2	/* SLUICE_ITEM_FCNTL, SLUICE_ITEM_FLOCK */
#define SLUICE_FEATURE_BLOCKS	0x4	/* SLUICE_IOC_BLOCK */
#define SLUICE_FEATURE_FEEDS	0x8	/* SLUICE_IOC_FEED */
#define SLUICE_FEATURE_TRUSTED	0x10	/* SLUICE_LOCKSPACE_TRUSTED, SLUICE_IOC_WORD */

enum sluice_pattern {
	SLUICE_BROADCAST	= 1,	/* every message to every subscriber */
	SLUICE_QUEUE		= 2,	/* every message to one subscriber */
};

/* What happens when a publisher has no room because a subscriber lags. */
enum sluice_policy {
	SLUICE_BLOCK		= 1,	/* the publisher waits */
	SLUICE_DROP_OLDEST	= 2,	/* the subscriber loses, and counts */
	SLUICE_EVICT		= 3,	/* the subscriber is detached */
};

/**
 * struct sluice_info - what this module is (SLUICE_IOC_INFO)
 * @abi_major: another major is another ABI
 * @abi_minor: grows with every compatible addition
 * @features: SLUICE_FEATURE_* bits
 * @slots_max: most ring slots of a channel
 * @publishers_max: most publishers of a channel
 * @subscribers_max: most subscribers of a channel
 * @held_max: most messages one subscriber may hold
 * @pool_max: most pool bytes of one publisher
 * @resv: zero
 */
struct sluice_info {
	__u32 abi_major;
	__u32 abi_minor;
	__aligned_u64 features;
	__u32 slots_max;
	__u32 publishers_max;
	__u32 subscribers_max;
	__u32 held_max;
	__aligned_u64 pool_max;
	__aligned_u64 resv[3];
};

/**
 * struct sluice_config - what is fixed when a channel is made
 * @pattern: enum sluice_pattern; 0 takes SLUICE_BROADCAST
 * @policy: enum sluice_policy; 0 takes SLUICE_BLOCK
 * @slots: descriptors in each publisher's ring, a power of two; 0 takes 256
 * @publishers: how many at once; 0 takes 16
 * @subscribers: how many at once; 0 takes 16
 * @held: messages one subscriber may hold at once; 0 takes 16
 * @history: messages of each publisher kept for late joiners; less than
 *	@slots, and 0 with SLUICE_QUEUE
 * @flags: 0
 * @pool: bytes of a publisher's first pool segment, rounded up to whole
 *	pages; 0 takes 1 MiB
 * @pool_limit: bytes that a publisher's pool may grow to; 0 takes @pool
 */
struct sluice_config {
	__u32 pattern;
	__u32 policy;
	__u32 slots;
	__u32 publishers;
	__u32 subscribers;
	__u32 held;
	__u32 history;
	__u32 flags;
	__aligned_u64 pool;
	__aligned_u64 pool_limit;
};

#define SLUICE_OPEN_CREATE	0x1	/* make it if there is none */
#define SLUICE_OPEN_EXCL	0x2	/* with CREATE: EEXIST if there is one */

#define SLUICE_ID_DEFAULT	(~0U)	/* uid, gid: the caller's effective one */

/**
 * struct sluice_open - open or make a channel (SLUICE_IOC_OPEN)
 * @flags: SLUICE_OPEN_*
 * @access: rights the descriptor shall have, SLUICE_READ | SLUICE_WRITE
 * @name_len: bytes of @name; 0 makes an anonymous channel (CREATE needed)
 * @mode: permission bits as of a file (0666 at most), used when made
 * @uid: owner when made, or SLUICE_ID_DEFAULT
 * @gid: group when made, or SLUICE_ID_DEFAULT
 * @created: out: 1 if this call made it
 * @resv: zero
 * @name: any bytes but control characters; scoped to the network namespace
 * @config: in: used when made; out: the channel's own
 */
struct sluice_open {
	__u32 flags;
	__u32 access;
	__u32 name_len;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 created;
	__u32 resv;
	__u8 name[SLUICE_NAME_MAX];
	struct sluice_config config;
};

/**
 * struct sluice_stat - one channel (SLUICE_IOC_STAT, SLUICE_IOC_LIST)
 * @id: unique while the module is loaded
 * @created: CLOCK_MONOTONIC nanoseconds
 * @pool: pool bytes of all publishers, whether touched or not
 * @messages: published since it was made, as the publishers say
 * @uid: owner, in the caller's user namespace
 * @gid: group, likewise
 * @mode: permission bits
 * @publishers: now joined
 * @subscribers: now joined
 * @left: publishers that left and whose messages are still kept
 * @fds: file descriptors in flight
 * @name_len: 0 if anonymous
 * @name: bytes beyond @name_len are zero
 * @config: as it was made
 */
struct sluice_stat {
	__aligned_u64 id;
	__aligned_u64 created;
	__aligned_u64 pool;
	__aligned_u64 messages;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 publishers;
	__u32 subscribers;
	__u32 left;
	__u32 fds;
	__u32 name_len;
	__u8 name[SLUICE_NAME_MAX];
	struct sluice_config config;
};

/*
 * Arrays of structures that may grow: the caller says how far its entries are
 * apart, 0 for the size they had in the first edition of this ABI. What is
 * beyond the kernel's structure is zeroed.
 */
#define SLUICE_STAT_SIZE_1	176
#define SLUICE_CLAIM_SIZE_1	40
#define SLUICE_LOCKSPACE_STAT_SIZE_1	192

/**
 * struct sluice_list - names the caller may open (SLUICE_IOC_LIST of channels,
 *	SLUICE_IOC_LOCKSPACES)
 * @entries: struct sluice_stat[@count] or struct sluice_lockspace_stat[@count]
 * @count: in: room there; out: entries written, 0 at the end
 * @after_len: bytes of @after; 0 starts from the beginning
 * @after: in: list names beyond this one, in byte order; out: the last one
 * @entry_size: bytes from one entry to the next
 * @resv: zero
 *
 * Names that exist during all of a listing are listed once.
 */
struct sluice_list {
	__aligned_u64 entries;
	__u32 count;
	__u32 after_len;
	__u8 after[SLUICE_NAME_MAX];
	__u32 entry_size;
	__u32 resv;
};

/**
 * struct sluice_restrict - a new descriptor with fewer rights
 * @access: a subset of the descriptor's own (SLUICE_IOC_RESTRICT)
 * @resv: zero
 */
struct sluice_restrict {
	__u32 access;
	__u32 resv;
};

enum sluice_role {
	SLUICE_PUBLISHER	= 1,
	SLUICE_SUBSCRIBER	= 2,
};

/**
 * struct sluice_lane_layout - a publisher's ring as it is mapped
 * @offset: to pass to mmap()
 * @size: bytes to map
 * @slots_offset: of the first struct sluice_slot
 * @slot_size: bytes from one slot to the next
 * @slots: how many, a power of two
 * @segments: pool segments there are now; more may follow
 */
struct sluice_lane_layout {
	__aligned_u64 offset;
	__aligned_u64 size;
	__u32 slots_offset;
	__u32 slot_size;
	__u32 slots;
	__u32 segments;
};

/**
 * struct sluice_cursor_layout - a subscriber's cursor as it is mapped
 * @offset: to pass to mmap()
 * @size: bytes to map
 * @lanes_offset: of the first struct sluice_cursor_lane
 * @lanes: how many, one for each place for a publisher
 * @pins_offset: of the first pin, a __u64
 * @pins: how many
 */
struct sluice_cursor_layout {
	__aligned_u64 offset;
	__aligned_u64 size;
	__u32 lanes_offset;
	__u32 lanes;
	__u32 pins_offset;
	__u32 pins;
};

/**
 * struct sluice_members_layout - the kernel's page as it is mapped
 * @offset: to pass to mmap()
 * @size: bytes to map
 * @publishers_offset: of the first publisher's struct sluice_member
 * @subscribers_offset: of the first subscriber's
 * @member_size: bytes from one to the next
 * @resv: zero
 */
struct sluice_members_layout {
	__aligned_u64 offset;
	__aligned_u64 size;
	__u32 publishers_offset;
	__u32 subscribers_offset;
	__u32 member_size;
	__u32 resv;
};

/* One that outlives its peers: no EPOLLHUP or EPIPE when the last one left. */
#define SLUICE_JOIN_STAY	0x1

/**
 * struct sluice_join - become a publisher or subscriber (SLUICE_IOC_JOIN)
 * @role: enum sluice_role
 * @flags: SLUICE_JOIN_*
 * @policy: subscribers: how to treat this one; 0 takes the channel's.
 *	SLUICE_BLOCK only if that is the channel's
 * @index: out: place in the member table
 * @generation: out: unique in this channel, growing
 * @members: out: kernel-written page, mapped read-only
 * @lane: out: publishers: the ring, mapped read-write
 * @cursor: out: subscribers: the cursor, mapped read-write
 * @config: out: the channel's
 *
 * The endpoint ends when its last descriptor is closed, or when the process
 * that mapped its ring or cursor no longer maps any of it, whichever is first.
 */
struct sluice_join {
	__u32 role;
	__u32 flags;
	__u32 policy;
	__u32 index;
	__aligned_u64 generation;
	struct sluice_members_layout members;
	struct sluice_lane_layout lane;
	struct sluice_cursor_layout cursor;
	struct sluice_config config;
};

/**
 * struct sluice_attach - make a peer's memory mappable (SLUICE_IOC_ATTACH)
 * @index: the peer's place: a subscriber names a publisher, and vice versa
 * @resv: zero
 * @generation: in: the peer's, ESTALE if another has its place; 0 takes any;
 *	out: the peer's
 * @lane: out: a publisher's ring, mapped read-only
 * @cursor: out: a subscriber's cursor, mapped read-only
 *
 * A publisher that left can be attached while its messages are kept.
 */
struct sluice_attach {
	__u32 index;
	__u32 resv;
	__aligned_u64 generation;
	struct sluice_lane_layout lane;
	struct sluice_cursor_layout cursor;
};

/**
 * struct sluice_detach - be done with a peer (SLUICE_IOC_DETACH)
 * @index: the peer's place
 * @resv: zero
 * @generation: the peer's
 *
 * When every subscriber has detached a publisher that left, its memory and
 * place are free again. Mappings stay until they are unmapped.
 */
struct sluice_detach {
	__u32 index;
	__u32 resv;
	__aligned_u64 generation;
};

/**
 * struct sluice_segment - where a pool segment is (SLUICE_IOC_SEGMENT,
 *	SLUICE_IOC_GROW)
 * @index: the publisher's place; a publisher names itself
 * @segment: SEGMENT: in: 0 is the first; GROW: out
 * @generation: the publisher's; ESTALE if it is not attached
 * @offset: out: to pass to mmap()
 * @size: SEGMENT: out; GROW: in: bytes wanted, rounded up to pages, out: had
 */
struct sluice_segment {
	__u32 index;
	__u32 segment;
	__aligned_u64 generation;
	__aligned_u64 offset;
	__aligned_u64 size;
};

#define SLUICE_NO_DEADLINE	0x7fffffffffffffffLL

/**
 * struct sluice_wait - sleep (SLUICE_IOC_WAIT)
 * @flags: 0
 * @resv: zero
 * @deadline: CLOCK_MONOTONIC nanoseconds; SLUICE_NO_DEADLINE for none
 * @room: publishers: sleep while the member's room count is this one
 *
 * A subscriber sleeps until a message can be received (or claimed), or the
 * membership differs from the cursor's member_seen; EPIPE if, without
 * SLUICE_JOIN_STAY, there has been a publisher since it joined, none is left,
 * and there is nothing to receive. A lane that is not begun counts as soon as
 * something was published in it, one that was detached never. A publisher must
 * have called SLUICE_IOC_ARM and looked again before it sleeps.
 */
struct sluice_wait {
	__u32 flags;
	__u32 resv;
	__s64 deadline;
	__aligned_u64 room;
};

/**
 * struct sluice_wake - wake who sleeps (SLUICE_IOC_WAKE)
 * @index: subscribers: the publisher whose room has grown; publishers: 0
 * @count: publishers: messages published, so many queue subscribers are woken
 */
struct sluice_wake {
	__u32 index;
	__u32 count;
};

/**
 * struct sluice_peer - who a member is (SLUICE_IOC_PEER)
 * @role: in
 * @index: in
 * @generation: in: ESTALE if another has its place; 0 takes any; out
 * @state: out: enum sluice_state
 * @reason: out: enum sluice_reason, if not SLUICE_ACTIVE
 * @pid: out: in the caller's pid namespace, 0 if it cannot be seen there
 * @uid: out: in the caller's user namespace
 * @gid: out: likewise
 * @policy: out: subscribers: enum sluice_policy
 * @joined: out: CLOCK_MONOTONIC nanoseconds
 * @head: out: publishers: messages published; subscribers: received
 * @lag: out: subscribers: messages not yet received
 * @lost: out: subscribers: messages lost
 * @pool: out: publishers: bytes
 * @held: out: subscribers: messages held
 * @fds: out: publishers: descriptors in flight
 * @comm: out: command name, zero-terminated
 *
 * @head, @lag, @lost and @held are what the member itself says.
 */
struct sluice_peer {
	__u32 role;
	__u32 index;
	__aligned_u64 generation;
	__u32 state;
	__u32 reason;
	__s32 pid;
	__u32 uid;
	__u32 gid;
	__u32 policy;
	__aligned_u64 joined;
	__aligned_u64 head;
	__aligned_u64 lag;
	__aligned_u64 lost;
	__aligned_u64 pool;
	__u32 held;
	__u32 fds;
	__u8 comm[16];
};

/* Of a queue: whoever has claimed the publisher's oldest unfinished message. */
#define SLUICE_EVICT_CLAIMANT	(~0U)

/**
 * struct sluice_evict - detach a laggard (SLUICE_IOC_EVICT)
 * @index: the subscriber's place, or SLUICE_EVICT_CLAIMANT
 * @resv: zero
 * @generation: the subscriber's, 0 with SLUICE_EVICT_CLAIMANT
 *
 * For publishers, of subscribers whose policy is SLUICE_EVICT.
 */
struct sluice_evict {
	__u32 index;
	__u32 resv;
	__aligned_u64 generation;
};

#define SLUICE_CLAIM_REDELIVERED	0x1	/* another had it, and died */

/**
 * struct sluice_claim - one message that is now the caller's
 * @lane: the publisher's place
 * @pin: which pin acknowledges it
 * @generation: the publisher's
 * @position: of the message in that lane
 * @tag: what to store in the pin to acknowledge
 * @flags: SLUICE_CLAIM_*
 * @resv: zero
 */
struct sluice_claim {
	__u32 lane;
	__u32 pin;
	__aligned_u64 generation;
	__aligned_u64 position;
	__aligned_u64 tag;
	__u32 flags;
	__u32 resv;
};

/* With a tag: the message is not acknowledged but goes to another. */
#define SLUICE_ACK_REJECT	(1ULL << 63)

/**
 * struct sluice_claims - take messages from a queue (SLUICE_IOC_CLAIM)
 * @claims: struct sluice_claim[@count]
 * @count: in: at most so many; out: how many
 * @entry_size: bytes from one entry to the next
 *
 * First reads the pins for what was acknowledged. EAGAIN if there is nothing
 * to claim, ENOBUFS if the subscriber holds all it may.
 */
struct sluice_claims {
	__aligned_u64 claims;
	__u32 count;
	__u32 entry_size;
};

/**
 * struct sluice_drop - give up the oldest messages of a queue
 * @count: in: at most so many; out: how many (SLUICE_IOC_DROP)
 * @resv: zero
 *
 * Stops at one that is claimed: no room can be had before that is finished.
 * For publishers of a channel with SLUICE_DROP_OLDEST; of their own lane.
 */
struct sluice_drop {
	__u32 count;
	__u32 resv;
};

/**
 * struct sluice_fds - file descriptors for a message (SLUICE_IOC_FDS_ATTACH,
 *	SLUICE_IOC_FDS_RELEASE)
 * @fds: ATTACH: __s32[@count]
 * @token: ATTACH: out: the first one's; the others follow. RELEASE: in
 * @count: 1 to SLUICE_FDS_MAX
 * @resv: zero
 *
 * For publishers. ELOOP for a file that could form a reference cycle. What a
 * publisher that is gone has not released, the kernel closes by itself, soon
 * after its last message is done with; it counts for its user until then.
 */
struct sluice_fds {
	__aligned_u64 fds;
	__aligned_u64 token;
	__u32 count;
	__u32 resv;
};

/**
 * struct sluice_fd_take - a new descriptor of a file in a message
 *	(SLUICE_IOC_FD_TAKE)
 * @index: the publisher's place
 * @resv: zero
 * @generation: the publisher's
 * @token: which; ENOENT if the publisher has released it
 */
struct sluice_fd_take {
	__u32 index;
	__u32 resv;
	__aligned_u64 generation;
	__aligned_u64 token;
};

#define SLUICE_FEED_STAY	0x1	/* as SLUICE_JOIN_STAY */
#define SLUICE_FEED_LENGTH	0x2	/* before each its length: 32 bits, big-endian */
#define SLUICE_FEED_LINES	0x4	/* behind each a newline; not with LENGTH */
#define SLUICE_FEED_CUT		0x100	/* out: it ended in the middle of one */

/**
 * struct sluice_feed_open - write a queue's messages into a socket
 *	(SLUICE_IOC_FEED)
 * @socket: TCP or unix, SOCK_STREAM, connected; EBUSY if it has a feed
 * @flags: SLUICE_FEED_STAY, SLUICE_FEED_LENGTH, SLUICE_FEED_LINES
 * @policy: as a subscriber's: enum sluice_policy; 0 takes the channel's
 * @index: out: place in the member table
 * @generation: out: as of SLUICE_IOC_JOIN
 * @resv: zero
 *
 * The kernel is the subscriber, and each message goes out whole. It needs the
 * right to subscribe, not to publish.
 *
 * A feed ends when the process that made it closes a descriptor of it, exits
 * or executes; when it is stopped; when it is evicted; when the socket fails;
 * without SLUICE_FEED_STAY, when no publisher is left and all is sent. If it
 * ends in the middle of a message the socket is shut down, in both directions,
 * and the message returns to the queue, marked as redelivered.
 */
struct sluice_feed_open {
	__s32 socket;
	__u32 flags;
	__u32 policy;
	__u32 index;
	__aligned_u64 generation;
	__aligned_u64 resv;
};

enum sluice_feed_state {
	SLUICE_FEED_ACTIVE	= 1,
	SLUICE_FEED_STOPPED	= 2,	/* by STOP, or closed */
	SLUICE_FEED_FINISHED	= 3,	/* no publisher is left */
	SLUICE_FEED_FAILED	= 4,
};

/**
 * struct sluice_feed_stat - how a feed fares (SLUICE_IOC_FEED_STAT)
 * @state: enum sluice_feed_state
 * @error: SLUICE_FEED_FAILED: errno of the socket; ECONNABORTED if evicted
 * @flags: as it was made, and SLUICE_FEED_CUT
 * @index: place in the member table
 * @generation: likewise
 * @messages: that the socket has taken whole
 * @bytes: of those, with what frames them
 * @refused: messages that could not be sent: lies, for which their publishers
 *	were evicted, and with SLUICE_FEED_LENGTH those of 4 GiB and more
 * @length: bytes of the message on its way, 0 if there is none
 * @sent: of these
 */
struct sluice_feed_stat {
	__u32 state;
	__u32 error;
	__u32 flags;
	__u32 index;
	__aligned_u64 generation;
	__aligned_u64 messages;
	__aligned_u64 bytes;
	__aligned_u64 refused;
	__aligned_u64 length;
	__aligned_u64 sent;
};

#define SLUICE_FEED_DRAIN	0x1	/* not before the queue is empty */

/**
 * struct sluice_feed_stop - end a feed between two messages
 *	(SLUICE_IOC_FEED_STOP)
 * @flags: SLUICE_FEED_DRAIN
 * @resv: zero
 * @deadline: CLOCK_MONOTONIC nanoseconds; SLUICE_NO_DEADLINE for none
 *
 * Waits for that; ETIMEDOUT or EINTR, and it goes on. As SLUICE_IOC_WAIT, which
 * waits until it ends by itself, it returns 0, or the socket's error.
 */
struct sluice_feed_stop {
	__u32 flags;
	__u32 resv;
	__s64 deadline;
};

/*
 * Arbitration: a lockspace is a set of resources; a holder, made on the
 * device, takes them in one of these modes. Each line tells which other
 * holders' modes a mode goes with; UP is a PR whose holder means to write
 * later, and there is one at a time.
 */
enum sluice_mode {
	SLUICE_UNLOCKED		= 0,
	SLUICE_NL		= 1,	/* null: with all */
	SLUICE_CR		= 2,	/* concurrent read: all but EX */
	SLUICE_CW		= 3,	/* concurrent write: NL CR CW */
	SLUICE_PR		= 4,	/* protected read, shared: NL CR PR UP */
	SLUICE_UP		= 5,	/* update: NL CR PR */
	SLUICE_PW		= 6,	/* protected write: NL CR */
	SLUICE_EX		= 7,	/* exclusive: NL */
};

/* Who fails with EDEADLK when a request would close a cycle. */
enum sluice_victim {
	SLUICE_VICTIM_REQUESTER	= 1,
	SLUICE_VICTIM_YOUNGEST	= 2,	/* whose holder was made last */
	SLUICE_VICTIM_PRIORITY	= 3,	/* whose request has the lowest */
};

/*
 * Who may take exclusively may also write memory that tells who has what: each
 * of them can make any other lose what it has, or keep what it let go.
 */
#define SLUICE_LOCKSPACE_TRUSTED	0x1	/* SLUICE_IOC_WORD */

#define SLUICE_WORDS_DEFAULT	1024
#define SLUICE_WORDS_MAX	16384

/**
 * struct sluice_lockspace_config - what is fixed when a lockspace is made
 * @victim: enum sluice_victim; 0 takes SLUICE_VICTIM_REQUESTER. Of a cycle
 *	over several lockspaces, that of the resource whose request closed it
 * @flags: SLUICE_LOCKSPACE_*
 * @words: SLUICE_LOCKSPACE_TRUSTED: resources that may have one; 0 takes
 *	SLUICE_WORDS_DEFAULT
 * @resv: zero
 * @resv2: zero
 */
struct sluice_lockspace_config {
	__u32 victim;
	__u32 flags;
	__u32 words;
	__u32 resv;
	__aligned_u64 resv2[2];
};

/**
 * struct sluice_lockspace_open - open or make a lockspace (SLUICE_IOC_LOCKSPACE)
 * @flags: SLUICE_OPEN_*
 * @access: rights the descriptor shall have, SLUICE_READ | SLUICE_WRITE
 * @name_len: bytes of @name; 0 makes an anonymous lockspace (CREATE needed)
 * @mode: permission bits as of a file (0666 at most), used when made
 * @uid: owner when made, or SLUICE_ID_DEFAULT
 * @gid: group when made, or SLUICE_ID_DEFAULT
 * @created: out: 1 if this call made it
 * @resv: zero
 * @name: as a channel's, but lockspaces and channels do not meet
 * @config: in: used when made; out: the lockspace's own
 */
struct sluice_lockspace_open {
	__u32 flags;
	__u32 access;
	__u32 name_len;
	__u32 mode;
	__u32 uid;
	__u32 gid;
	__u32 created;
	__u32 resv;
	__u8 name[SLUICE_NAME_MAX];
	struct sluice_lockspace_config config;
};

/**
 * struct sluice_lockspace_stat - one lockspace (SLUICE_IOC_LOCKSPACE_STAT,
 *	SLUICE_IOC_LOCKSPACES)
 * @id: unique while the module is loaded
 * @created: CLOCK_MONOTONIC nanoseconds
 * @resources: that are held, waited for or remembered
 * @grants: held
 * @waiting: items that wait
 * @granted: since it was made
 * @blocked: items that had to wait, since it was made
 * @deadlocks: found since it was made
 * @died: ranges whose owners died with them, since it was made
 * @token: the last one given
 * @uid: owner, in the caller's user namespace
 * @gid: group, likewise
 * @mode: permission bits
 * @name_len: 0 if anonymous
 * @name: bytes beyond @name_len are zero
 * @config: as it was made
 */
struct sluice_lockspace_stat {
	__aligned_u64 id;
	__aligned_u64 created;
	__aligned_u64 resources;
	__aligned_u64 grants;
	__aligned_u64 waiting;
	__aligned_u64 granted;
	__aligned_u64 blocked;
	__aligned_u64 deadlocks;
	__aligned_u64 died;
	__aligned_u64 token;
	__u32 uid;
	__u32 gid;
	__u32 mode;
	__u32 name_len;
	__u8 name[SLUICE_NAME_MAX];
	struct sluice_lockspace_config config;
};

/**
 * struct sluice_holder_new - make a holder (SLUICE_IOC_HOLDER)
 * @flags: 0
 * @resv: zero
 * @id: out: unique while the module is loaded
 *
 * It dies with its last descriptor, or when the process that made it ends and
 * still has one, even if a child has inherited another.
 */
struct sluice_holder_new {
	__u32 flags;
	__u32 resv;
	__aligned_u64 id;
};

#define SLUICE_KEY_MAX		64	/* bytes */
#define SLUICE_ITEMS_MAX	64	/* of one request */
#define SLUICE_END		(~0ULL)	/* @end: to the end, however it grows */

enum sluice_kind {
	SLUICE_KIND_NAME	= 1,	/* any bytes, 1 to SLUICE_KEY_MAX */
	SLUICE_KIND_FILE	= 2,	/* the inode of an open file */
};

/**
 * struct sluice_file_key - the key of a SLUICE_KIND_FILE where it is told
 * @major: of the device stat() tells
 * @minor: likewise
 * @ino: inode number
 * @generation: tells one inode from the next of that number
 * @resv: zero
 */
struct sluice_file_key {
	__u32 major;
	__u32 minor;
	__aligned_u64 ino;
	__u32 generation;
	__u32 resv;
};

/* In an item's @flags. */
#define SLUICE_ITEM_REPAIR	0x1	/* also if it was declared unrecoverable */
/*
 * Of a SLUICE_KIND_FILE, a regular file or directory, in mode PR, UP, PW or EX:
 * take the kernel's own lock on it, too, and wait for it, so that programs that
 * know no other are kept out. FLOCK is for the whole file only, and an EX or PW
 * must not follow a PR or UP, as flock() cannot convert without letting go. Not
 * with SLUICE_LOCK_ASYNC.
 */
#define SLUICE_ITEM_FCNTL	0x2	/* fcntl(), of any kind */
#define SLUICE_ITEM_FLOCK	0x4	/* flock() */

/* In an item's @status. */
#define SLUICE_OWNER_DIED	0x1	/* holding it CW, PW or EX; see RECOVER */
#define SLUICE_UNRECOVERABLE	0x2	/* with SLUICE_ITEM_REPAIR */

/**
 * struct sluice_item - a range of a resource, and what is wanted of it
 * @lockspace: its descriptor
 * @kind: enum sluice_kind
 * @mode: enum sluice_mode
 * @flags: SLUICE_ITEM_*
 * @start: first byte
 * @end: last byte; SLUICE_END with @start 0 is the whole resource
 * @lease: nanoseconds after which the grant is taken back; 0 for never
 * @token: out: a grant of UP, PW or EX: greater than of any grant before it
 * @status: out: SLUICE_OWNER_DIED, SLUICE_UNRECOVERABLE
 * @fd: SLUICE_KIND_FILE: open for reading to share; for writing (a directory:
 *	permitted to write) to take CW, UP, PW or EX
 * @key_len: SLUICE_KIND_NAME: bytes of @key
 * @resv: zero
 * @key: SLUICE_KIND_NAME: bytes beyond @key_len are ignored
 *
 * A holder has each byte of a resource in one mode: a grant replaces what the
 * same holder had of those bytes, as with fcntl().
 */
struct sluice_item {
	__s32 lockspace;
	__u32 kind;
	__u32 mode;
	__u32 flags;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 lease;
	__aligned_u64 token;
	__u32 status;
	__s32 fd;
	__u32 key_len;
	__u32 resv;
	__u8 key[SLUICE_KEY_MAX];
};

#define SLUICE_ITEM_SIZE_1	128

#define SLUICE_LOCK_ANY		0x1	/* the first item that can be granted */
#define SLUICE_LOCK_TRY		0x2	/* EAGAIN instead of waiting */
#define SLUICE_LOCK_ASYNC	0x4	/* EINPROGRESS, and an event when done */

#define SLUICE_PRIORITY_MAX	127	/* and at least its negative */

/**
 * struct sluice_lock - take all items, or any one of them (SLUICE_IOC_LOCK)
 * @items: struct sluice_item[@count]; @token and @status are written
 * @count: 1 to SLUICE_ITEMS_MAX
 * @entry_size: bytes from one entry to the next
 * @flags: SLUICE_LOCK_*
 * @priority: a higher one goes first
 * @deadline: CLOCK_MONOTONIC nanoseconds; SLUICE_NO_DEADLINE for none
 * @index: out: SLUICE_LOCK_ANY: the item that was granted
 * @resv: zero
 *
 * Until everything can be taken nothing is, and what the holder had stays.
 * Items of one request must not overlap, except with SLUICE_LOCK_ANY.
 */
struct sluice_lock {
	__aligned_u64 items;
	__u32 count;
	__u32 entry_size;
	__u32 flags;
	__s32 priority;
	__s64 deadline;
	__u32 index;
	__u32 resv;
};

#define SLUICE_UNLOCK_ALL	0x1	/* everything the holder has; no items */
#define SLUICE_UNLOCK_DIED	0x2	/* with ALL: as if the holder had died */

#define SLUICE_RECOVER_CONSISTENT	0x1	/* the data is in order again */
#define SLUICE_RECOVER_LOST		0x2	/* it cannot be: nobody shall have it */

/**
 * struct sluice_items - act on what the holder has (SLUICE_IOC_UNLOCK,
 *	SLUICE_IOC_RENEW, SLUICE_IOC_RECOVER)
 * @items: struct sluice_item[@count]
 * @count: up to SLUICE_ITEMS_MAX
 * @entry_size: bytes from one entry to the next
 * @flags: UNLOCK: SLUICE_UNLOCK_*; RECOVER: one of SLUICE_RECOVER_*
 * @resv: zero
 *
 * UNLOCK leaves the holder @mode on what it has of each range, which must not
 * be stronger than what it had; SLUICE_UNLOCKED leaves nothing. Its items may
 * overlap if they are of one mode. ESTALE: done, but a file server had lost some
 * of it, and the event is not read yet. RENEW counts @lease from now for all
 * grants that overlap the range; ESTALE if something of it has been taken back,
 * and nothing is renewed. RECOVER needs CW, PW or EX of the whole range; EDQUOT
 * also if what died would be left in too many pieces.
 */
struct sluice_items {
	__aligned_u64 items;
	__u32 count;
	__u32 entry_size;
	__u32 flags;
	__u32 resv;
};

#define SLUICE_VALUE_SIZE	64
#define SLUICE_VALUE_SET	0x1

/**
 * struct sluice_value - a resource's value block (SLUICE_IOC_VALUE)
 * @flags: SLUICE_VALUE_SET
 * @status: out, if not set: SLUICE_OWNER_DIED, SLUICE_UNRECOVERABLE of any part
 * @lockspace: as in an item
 * @kind: likewise
 * @fd: likewise
 * @key_len: likewise
 * @key: likewise
 * @value: in with SLUICE_VALUE_SET, else out; zero at first
 *
 * Reading needs a grant of CR or stronger of any part of the resource, setting
 * one of PW or EX. A value that is not zero is kept with the lockspace.
 */
struct sluice_value {
	__u32 flags;
	__u32 status;
	__s32 lockspace;
	__u32 kind;
	__s32 fd;
	__u32 key_len;
	__u8 key[SLUICE_KEY_MAX];
	__u8 value[SLUICE_VALUE_SIZE];
};

/**
 * struct sluice_block_open - memory behind a resource (SLUICE_IOC_BLOCK)
 * @lockspace: its descriptor
 * @flags: SLUICE_OPEN_CREATE, SLUICE_OPEN_EXCL
 * @key_len: bytes of @key
 * @created: out: 1 if this call made it
 * @size: in: bytes it has when made; out: it has
 * @limit: in: bytes it may grow to when made, 0 for @size; out: likewise
 * @key: of a SLUICE_KIND_NAME
 *
 * The descriptor is for mmap(), MAP_SHARED. What is mapped can only be touched
 * as far as this holder has the bytes: all of a page for reading in any mode
 * but NL, for writing in CW, PW or EX; anything else is SIGBUS, also by a
 * system call (EFAULT). Letting go takes the pages out of the mapping. To make
 * or write one takes SLUICE_WRITE. It lives as long as its lockspace. EBUSY if
 * the resource has a word.
 */
struct sluice_block_open {
	__s32 lockspace;
	__u32 flags;
	__u32 key_len;
	__u32 created;
	__aligned_u64 size;
	__aligned_u64 limit;
	__u8 key[SLUICE_KEY_MAX];
};

/**
 * struct sluice_block_size - grow or shrink (SLUICE_IOC_BLOCK_SIZE)
 * @size: in: bytes, 0 only asks; then out: bytes it has
 * @used: out, if only asked: bytes of pages that were touched
 *
 * Takes PW or EX of the whole resource. What is beyond the new size is gone.
 */
struct sluice_block_size {
	__aligned_u64 size;
	__aligned_u64 used;
};

/**
 * struct sluice_block_free - give memory back (SLUICE_IOC_BLOCK_FREE)
 * @start: first byte
 * @end: last byte
 *
 * Takes CW, PW or EX of the range. Whole pages in it read as zero afterwards.
 */
struct sluice_block_free {
	__aligned_u64 start;
	__aligned_u64 end;
};

#define SLUICE_WORD_FREE	0
#define SLUICE_WORD_KERNEL	(~0ULL)

/**
 * struct sluice_word - who has a resource, as it is mapped
 * @owner: SLUICE_WORD_FREE; a holder's own, who has all of it SLUICE_EX; or
 *	SLUICE_WORD_KERNEL: SLUICE_IOC_LOCK and SLUICE_IOC_UNLOCK tell
 * @resv: zero; a cache line for each
 *
 * To take it, exchange FREE for one's own, acquire; to let it go, one's own for
 * FREE, release. What was there is compared with in the same atomic step; if it
 * was anything else, nothing is written, and the kernel is asked.
 */
struct sluice_word {
	__aligned_u64 owner;
	__aligned_u64 resv[7];
};

/**
 * struct sluice_word_open - where the word of a resource is (SLUICE_IOC_WORD)
 * @lockspace: descriptor of one that is SLUICE_LOCKSPACE_TRUSTED, with
 *	SLUICE_WRITE
 * @flags: 0
 * @offset: out: bytes from the beginning of the mapping to struct sluice_word
 * @size: out: bytes to map of @lockspace, MAP_SHARED, at offset 0
 * @owner: out: what this holder writes, its id
 * @key_len: bytes of @key
 * @resv: zero
 * @key: of a SLUICE_KIND_NAME
 *
 * Made if there is none yet, and stays as long as the lockspace. ENOSPC if there
 * are as many as there may be, EBUSY if the resource has a block: such a
 * resource is had by SLUICE_IOC_LOCK alone. What a holder has by words, it lets
 * go of with everything else: by SLUICE_UNLOCK_ALL, or by its death, which
 * whoever has it next is told. Only a holder that has called this for any
 * resource of a lockspace may write there.
 */
struct sluice_word_open {
	__s32 lockspace;
	__u32 flags;
	__aligned_u64 offset;
	__aligned_u64 size;
	__aligned_u64 owner;
	__u32 key_len;
	__u32 resv;
	__u8 key[SLUICE_KEY_MAX];
};

enum sluice_lock_event_type {
	SLUICE_EVENT_NONE	= 0,
	SLUICE_EVENT_DONE	= 1,	/* an asynchronous request is finished */
	SLUICE_EVENT_CONTENDED	= 2,	/* somebody waits for what one has */
	SLUICE_EVENT_REVOKED	= 3,	/* a grant was taken back */
};

/**
 * struct sluice_lock_event - what a holder is told (SLUICE_IOC_EVENT)
 * @type: out: enum sluice_lock_event_type; EAGAIN if there is none
 * @error: out: DONE: 0 or an errno; REVOKED: 0 if a lease ran out, EIO if a file
 *	server has lost the kernel's own lock
 * @index: out: DONE: of SLUICE_LOCK_ANY, the item that was granted
 * @mode: out: CONTENDED: that is wanted; REVOKED: that was had
 * @items: in: DONE: struct sluice_item[@count] to write @token and @status
 *	to; 0 for none
 * @count: in: entries there
 * @entry_size: in: bytes from one entry to the next
 * @lockspace: out: CONTENDED, REVOKED: id
 * @start: out: CONTENDED, REVOKED: of the grant
 * @end: out: likewise
 * @token: out: likewise
 * @kind: out: likewise
 * @key_len: out: likewise
 * @key: out: likewise; of a SLUICE_KIND_FILE a struct sluice_file_key
 *
 * poll() says EPOLLIN for DONE and EPOLLPRI for the others.
 */
struct sluice_lock_event {
	__u32 type;
	__u32 error;
	__u32 index;
	__u32 mode;
	__aligned_u64 items;
	__u32 count;
	__u32 entry_size;
	__aligned_u64 lockspace;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 token;
	__u32 kind;
	__u32 key_len;
	__u8 key[SLUICE_KEY_MAX];
};

enum sluice_lock_state {
	SLUICE_LOCK_HELD	= 1,
	SLUICE_LOCK_WAITING	= 2,
	SLUICE_LOCK_DIED	= 3,	/* its owner died; nobody holds it */
	SLUICE_LOCK_LOST	= 4,	/* declared unrecoverable */
};

/**
 * struct sluice_lock_entry - who has, or waits for, what (SLUICE_IOC_LOCKS)
 * @resource: number of the resource, growing in its lockspace
 * @holder: id, 0 if it is gone
 * @since: CLOCK_MONOTONIC nanoseconds
 * @start: first byte
 * @end: last byte
 * @token: HELD: of the grant
 * @expires: HELD: CLOCK_MONOTONIC nanoseconds, 0 for never
 * @state: enum sluice_lock_state
 * @mode: held or wanted
 * @pid: of the process that made the holder, in the caller's pid namespace
 * @tid: of the thread that made it, likewise
 * @uid: of who made it, in the caller's user namespace
 * @priority: WAITING
 * @kind: enum sluice_kind
 * @key_len: bytes of @key
 * @key: of a SLUICE_KIND_FILE a struct sluice_file_key
 * @comm: command name of the holder, zero-terminated
 */
struct sluice_lock_entry {
	__aligned_u64 resource;
	__aligned_u64 holder;
	__aligned_u64 since;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 token;
	__aligned_u64 expires;
	__u32 state;
	__u32 mode;
	__s32 pid;
	__s32 tid;
	__u32 uid;
	__s32 priority;
	__u32 kind;
	__u32 key_len;
	__u8 key[SLUICE_KEY_MAX];
	__u8 comm[16];
};

#define SLUICE_LOCK_ENTRY_SIZE_1	168

/**
 * struct sluice_locks - what is held and waited for (SLUICE_IOC_LOCKS)
 * @entries: struct sluice_lock_entry[@count]
 * @count: in: room there; out: entries written, 0 at the end
 * @entry_size: bytes from one entry to the next
 * @after: in: list resources from this one on, 0 for all; out: to go on with
 * @skip: in: of that one leave out so many; out: to go on with
 * @resv: zero
 *
 * Each call is one moment; what is listed by several is not. Those that wait
 * for a resource come after those that hold it, in the order of the queue.
 */
struct sluice_locks {
	__aligned_u64 entries;
	__u32 count;
	__u32 entry_size;
	__aligned_u64 after;
	__u32 skip;
	__u32 resv;
};

#define SLUICE_WAITS_VICTIM	0x1	/* who got EDEADLK */

/**
 * struct sluice_waits - one step of a cycle (SLUICE_IOC_DEADLOCK)
 *
 * Of a lockspace that the reader may not open nothing is told: what is said of
 * the resource is zero then, and of the holder, too, unless it is also seen in
 * another one: no lockspace and no holder has the id 0.
 *
 * @holder: id
 * @since: it waits, CLOCK_MONOTONIC nanoseconds
 * @start: first byte wanted
 * @end: last byte wanted
 * @lockspace: id of the resource's
 * @mode: wanted
 * @blocked_by: mode in which the next of the cycle has it
 * @flags: SLUICE_WAITS_*
 * @pid: as in struct sluice_lock_entry
 * @tid: likewise
 * @uid: likewise
 * @kind: likewise
 * @key_len: likewise
 * @key: likewise
 * @comm: likewise
 */
struct sluice_waits {
	__aligned_u64 holder;
	__aligned_u64 since;
	__aligned_u64 start;
	__aligned_u64 end;
	__aligned_u64 lockspace;
	__u32 mode;
	__u32 blocked_by;
	__u32 flags;
	__s32 pid;
	__s32 tid;
	__u32 uid;
	__u32 kind;
	__u32 key_len;
	__u8 key[SLUICE_KEY_MAX];
	__u8 comm[16];
};

#define SLUICE_WAITS_SIZE_1	152

/**
 * struct sluice_deadlock - read a deadlock back (SLUICE_IOC_DEADLOCK)
 * @after: in: the first one after this number, 0 for the oldest kept
 * @id: out: its number, growing in the lockspace; ENOENT if there is none
 * @when: out: CLOCK_MONOTONIC nanoseconds
 * @waits: struct sluice_waits[@count]: each waits for the next, the last for
 *	the first
 * @count: in: room there; out: entries written
 * @entry_size: bytes from one entry to the next
 * @length: out: holders in the cycle; long ones are kept in part
 * @resv: zero
 */
struct sluice_deadlock {
	__aligned_u64 after;
	__aligned_u64 id;
	__aligned_u64 when;
	__aligned_u64 waits;
	__u32 count;
	__u32 entry_size;
	__u32 length;
	__u32 resv;
};

/*
 * On /dev/sluice.
 */
#define SLUICE_IOC_INFO		_IOWR(0xB5, 0x80, struct sluice_info)
#define SLUICE_IOC_OPEN		_IOWR(0xB5, 0x81, struct sluice_open)
#define SLUICE_IOC_LIST		_IOWR(0xB5, 0x82, struct sluice_list)
#define SLUICE_IOC_LOCKSPACE	_IOWR(0xB5, 0x83, struct sluice_lockspace_open)
#define SLUICE_IOC_LOCKSPACES	_IOWR(0xB5, 0x84, struct sluice_list)
#define SLUICE_IOC_HOLDER	_IOWR(0xB5, 0x85, struct sluice_holder_new)
/*
 * On a channel; STAT and PEER also on an endpoint.
 */
#define SLUICE_IOC_STAT		_IOWR(0xB5, 0x90, struct sluice_stat)
#define SLUICE_IOC_PEER		_IOWR(0xB5, 0x91, struct sluice_peer)
#define SLUICE_IOC_RESTRICT	_IOWR(0xB5, 0x92, struct sluice_restrict)
#define SLUICE_IOC_JOIN		_IOWR(0xB5, 0x93, struct sluice_join)
#define SLUICE_IOC_FEED		_IOWR(0xB5, 0x94, struct sluice_feed_open)
/*
 * On an endpoint.
 */
#define SLUICE_IOC_ATTACH	_IOWR(0xB5, 0xA0, struct sluice_attach)
#define SLUICE_IOC_DETACH	_IOWR(0xB5, 0xA1, struct sluice_detach)
#define SLUICE_IOC_SEGMENT	_IOWR(0xB5, 0xA2, struct sluice_segment)
#define SLUICE_IOC_WAIT		_IOWR(0xB5, 0xA3, struct sluice_wait)
#define SLUICE_IOC_WAKE		_IOWR(0xB5, 0xA4, struct sluice_wake)
/*
 * On a publisher.
 */
#define SLUICE_IOC_GROW		_IOWR(0xB5, 0xB0, struct sluice_segment)
#define SLUICE_IOC_ARM		_IO(0xB5, 0xB1)
#define SLUICE_IOC_EVICT	_IOWR(0xB5, 0xB2, struct sluice_evict)
#define SLUICE_IOC_DROP		_IOWR(0xB5, 0xB3, struct sluice_drop)
#define SLUICE_IOC_FDS_ATTACH	_IOWR(0xB5, 0xB4, struct sluice_fds)
#define SLUICE_IOC_FDS_RELEASE	_IOWR(0xB5, 0xB5, struct sluice_fds)
/*
 * On a subscriber.
 */
#define SLUICE_IOC_CLAIM	_IOWR(0xB5, 0xC0, struct sluice_claims)
#define SLUICE_IOC_FD_TAKE	_IOWR(0xB5, 0xC1, struct sluice_fd_take)
/*
 * On a feed; SLUICE_IOC_WAIT too.
 */
#define SLUICE_IOC_FEED_STAT	_IOWR(0xB5, 0xC8, struct sluice_feed_stat)
#define SLUICE_IOC_FEED_STOP	_IOWR(0xB5, 0xC9, struct sluice_feed_stop)
/*
 * On a lockspace; SLUICE_IOC_RESTRICT too.
 */
#define SLUICE_IOC_LOCKSPACE_STAT _IOWR(0xB5, 0xD0, struct sluice_lockspace_stat)
#define SLUICE_IOC_LOCKS	_IOWR(0xB5, 0xD1, struct sluice_locks)
#define SLUICE_IOC_DEADLOCK	_IOWR(0xB5, 0xD2, struct sluice_deadlock)
/*
 * On a holder.
 */
#define SLUICE_IOC_LOCK		_IOWR(0xB5, 0xE0, struct sluice_lock)
#define SLUICE_IOC_UNLOCK	_IOWR(0xB5, 0xE1, struct sluice_items)
#define SLUICE_IOC_CANCEL	_IO(0xB5, 0xE2)
#define SLUICE_IOC_EVENT	_IOWR(0xB5, 0xE3, struct sluice_lock_event)
#define SLUICE_IOC_RENEW	_IOWR(0xB5, 0xE4, struct sluice_items)
#define SLUICE_IOC_RECOVER	_IOWR(0xB5, 0xE5, struct sluice_items)
#define SLUICE_IOC_VALUE	_IOWR(0xB5, 0xE6, struct sluice_value)
#define SLUICE_IOC_BLOCK	_IOWR(0xB5, 0xE7, struct sluice_block_open)
#define SLUICE_IOC_WORD		_IOWR(0xB5, 0xE8, struct sluice_word_open)
/*
 * On a block.
 */
#define SLUICE_IOC_BLOCK_SIZE	_IOWR(0xB5, 0xF0, struct sluice_block_size)
#define SLUICE_IOC_BLOCK_FREE	_IOWR(0xB5, 0xF1, struct sluice_block_free)

/*
 * Mapped memory. Everything below is shared between processes: whoever reads
 * what a peer wrote reads it once, checks it, and uses the copy.
 */

/*
 * The sequence a slot holds once the message at @position is published. With
 * SLUICE_SEQ_DROPPED it is gone, and its memory may be used again. Slots
 * start as zero, which is no message's.
 */
#define SLUICE_SEQ(position)	(((__u64)(position) + 1) << 1)
#define SLUICE_SEQ_DROPPED	1ULL

/**
 * struct sluice_slot - one message's descriptor, written by the publisher
 * @seq: SLUICE_SEQ() of its position, stored last, with release
 * @offset: of the payload in its segment
 * @length: payload bytes
 * @segment: of the pool
 * @type: the application's
 * @flags: 0
 * @fds: file descriptors sent along
 * @token: the first one's
 * @resv: zero
 */
struct sluice_slot {
	__aligned_u64 seq;
	__aligned_u64 offset;
	__aligned_u64 length;
	__u32 segment;
	__u32 type;
	__u32 flags;
	__u32 fds;
	__aligned_u64 token;
	__aligned_u64 resv[2];
};

/**
 * struct sluice_lane - the head of a ring, written by the publisher
 * @head: messages published: the next one's position
 * @tail: everything before it has been reclaimed
 * @room_seen: the member's room count when the publisher last looked for room
 *	and found none, 0 if it found some; tells poll() whether to report
 *	EPOLLOUT
 * @member_seen: membership sequence it has taken notice of; tells poll()
 *	whether to report EPOLLPRI
 * @bytes: payload of all messages published; it may be behind @head
 * @resv: zero
 */
struct sluice_lane {
	__aligned_u64 head;
	__aligned_u64 tail;
	__aligned_u64 room_seen;
	__aligned_u64 member_seen;
	__aligned_u64 bytes;
	__aligned_u64 resv[11];
};

/**
 * struct sluice_cursor_lane - how far one lane is read
 * @generation: the publisher's, 0 if this lane is not read; stored after @head
 *	when a lane is begun. SLUICE_LANE_ENDED of it: no more is read, though it
 *	is not detached yet, for the descriptors of messages that are held
 * @head: every position before it is released, pinned or lost. JOIN leaves
 *	here what the publisher that then had this place had published
 */
struct sluice_cursor_lane {
	__aligned_u64 generation;
	__aligned_u64 head;
};

#define SLUICE_LANE_ENDED(generation)	(~(__u64)(generation))

/**
 * struct sluice_cursor - the head of a cursor, written by the subscriber
 * @member_seen: membership sequence it has taken notice of
 * @received: messages
 * @lost: messages
 * @held: messages
 * @bytes: payload of all messages received
 * @resv: zero
 *
 * The pins follow. Broadcast: SLUICE_PIN() of a held message, or 0. Queue: the
 * tag of a claim that is acknowledged.
 */
struct sluice_cursor {
	__aligned_u64 member_seen;
	__aligned_u64 received;
	__aligned_u64 lost;
	__u32 held;
	__u32 resv32;
	__aligned_u64 bytes;
	__aligned_u64 resv[3];
};

#define SLUICE_PIN_POSITION	((1ULL << 48) - 1)
#define SLUICE_PIN(lane, position) \
	(((__u64)(lane) + 1) << 48 | ((position) & SLUICE_PIN_POSITION))

enum sluice_state {
	SLUICE_FREE		= 0,
	SLUICE_ACTIVE		= 1,
	SLUICE_LEFT		= 2,	/* a publisher whose messages are kept */
	SLUICE_EVICTED		= 3,	/* a subscriber that was detached */
};

enum sluice_reason {
	SLUICE_LEFT_CLOSED	= 1,	/* the descriptor or mapping was closed */
	SLUICE_LEFT_EXITED	= 2,	/* the process ended */
	SLUICE_LEFT_KILLED	= 3,	/* the process was killed by a signal */
	SLUICE_LEFT_EVICTED	= 4,
};

/**
 * struct sluice_member - one endpoint, written by the kernel
 * @generation: 0 while the rest changes: read it before and after
 * @state: enum sluice_state; if SLUICE_FREE, @generation and @reason are of the
 *	one that had this place last
 * @reason: enum sluice_reason
 * @pid: as the pid and user namespaces of the channel's maker see it
 * @uid: likewise
 * @gid: likewise
 * @policy: subscribers: enum sluice_policy
 * @armed: publishers: not 0 if it may sleep for room: SLUICE_IOC_WAKE it
 * @resv: zero
 * @room: publishers: counts wake-ups
 * @done: publishers of a queue: every message before it is finished
 */
struct sluice_member {
	__aligned_u64 generation;
	__u32 state;
	__u32 reason;
	__s32 pid;
	__u32 uid;
	__u32 gid;
	__u32 policy;
	__u32 armed;
	__u32 resv;
	__aligned_u64 room;
	__aligned_u64 done;
	__aligned_u64 resv2;
};

/**
 * struct sluice_members - the head of the member table, written by the kernel
 * @publishers: active ones
 * @subscribers: active ones
 * @resv: zero
 * @seq: counts changes of the table
 * @armed: not 0 if a subscriber may sleep: SLUICE_IOC_WAKE after publishing
 * @resv2: zero
 */
struct sluice_members {
	__u32 publishers;
	__u32 subscribers;
	__aligned_u64 resv[7];
	__aligned_u64 seq;
	__u32 armed;
	__u32 resv32;
	__aligned_u64 resv2[6];
};

#endif /* _UAPI_LINUX_SLUICE_H */
