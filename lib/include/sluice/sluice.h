/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libsluice: zero-copy message channels between processes of one host, and
 * locks (which <sluice/lock.h> declares, included from here).
 *
 * A channel is a place where messages move. A publisher borrows room in its
 * own memory (a loan), writes the message there, and publishes it; every
 * subscriber (or, in a queue, one of them) receives a pointer to the same
 * memory, read-only, and releases it when done. No byte is copied, and no
 * system call is made while both sides are busy.
 *
 * Conventions
 * -----------
 * Functions return 0 or a count, or a negative errno value; errno itself is
 * not touched on purpose. The library prints nothing, starts no thread,
 * installs no signal handler, never aborts, and keeps nothing by itself but a
 * holder for each thread that calls sluice_lock() or one of its kin.
 *
 * Deadlines are absolute CLOCK_MONOTONIC nanoseconds; SLUICE_NO_DEADLINE waits
 * for ever, and 0 only tries. A call that could do nothing gives -EAGAIN if it
 * was only to try, and -ETIMEDOUT once another deadline has passed.
 * -EINTR is returned when a signal handler without SA_RESTART ran while the
 * call slept; nothing is lost, call again.
 * -ENOMEM is also given to who locks all its memory, mlockall(MCL_FUTURE), and
 * may not lock so much more as would have to be mapped.
 *
 * Options structures begin with their own size, set by the matching _INIT
 * macro. A NULL options pointer means that macro's values. A structure that is
 * longer than the library knows is refused with -E2BIG unless the unknown part
 * is zero. Structures which the library fills take their size as an argument,
 * so that they can grow, too.
 *
 * Threads
 * -------
 * A publisher or subscriber belongs to one thread at a time: calls on the same
 * object must not overlap, unless said otherwise. Different objects are independent,
 * be they of the same channel or not. A channel object may be used by any
 * number of threads at once, but for sluice_channel_close().
 *
 * fork(2)
 * -------
 * A child does not inherit the mapped memory. Every call on an endpoint that
 * was made before the fork gives -ECHILD in the child, except closing it, which
 * frees what the child has and leaves the parent's endpoint alone.
 *
 * What a peer can do
 * ------------------
 * Everything that a peer writes is read once, checked, and used from the copy.
 * A publisher or subscriber that lies is left aside and named by an event (of
 * several at one place between two looks at the events, the last one is); the
 * others go on. What a message says is the sender's word: a hostile publisher
 * may change it while you read, so copy what you check.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <linux/sluice.h>
#include <sluice/feed.h>
#include <sluice/lock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct sluice_channel;
struct sluice_publisher;
struct sluice_subscriber;

/* How long to look before going to sleep, when more than one CPU may run. */
#define SLUICE_SPIN_DEFAULT	20000	/* nanoseconds */

/* The library and the module ---------------------------------------------- */

/**
 * sluice_version() - version of the library
 *
 * May be called from any thread.
 *
 * Return: "MAJOR.MINOR.PATCH", never to be freed.
 */
const char *sluice_version(void);

/**
 * sluice_query_info() - version, features and limits of the module
 * @info: filled in; what the module does not know of is zero
 * @size: sizeof(*@info)
 *
 * May be called from any thread.
 *
 * Return: 0; -ENOENT or -ENODEV: the module is not loaded; -EACCES;
 * -EPROTONOSUPPORT: its ABI has another major number than the library's
 * (@info is filled in nevertheless).
 */
int sluice_query_info(struct sluice_info *info, size_t size);

/**
 * sluice_deadline_after() - a deadline from now
 * @nanoseconds: from now; negative counts as 0
 *
 * May be called from any thread.
 *
 * Return: CLOCK_MONOTONIC now plus @nanoseconds, at most SLUICE_NO_DEADLINE.
 */
int64_t sluice_deadline_after(int64_t nanoseconds);

/* Channels ------------------------------------------------------------------ */

/**
 * struct sluice_channel_options - how to open a channel
 * @size: of this structure
 * @flags: SLUICE_OPEN_CREATE, SLUICE_OPEN_EXCL
 * @access: SLUICE_READ (may subscribe), SLUICE_WRITE (may publish)
 * @mode: permission bits if it is made: r to subscribe, w to publish
 * @uid: owner if it is made; SLUICE_ID_DEFAULT: the effective user
 * @gid: group if it is made; SLUICE_ID_DEFAULT: the effective group
 * @config: pattern, policy, limits if it is made; zeros take the defaults
 */
struct sluice_channel_options {
	size_t size;
	uint32_t flags;
	uint32_t access;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t resv;
	struct sluice_config config;
};

#define SLUICE_CHANNEL_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_channel_options),			\
	.flags = 0,							\
	.access = SLUICE_READ | SLUICE_WRITE,				\
	.mode = 0600,							\
	.uid = SLUICE_ID_DEFAULT,					\
	.gid = SLUICE_ID_DEFAULT,					\
}

/**
 * sluice_channel_open() - open a named channel, or make it
 * @name: 1 to SLUICE_NAME_MAX bytes, no control characters
 * @options: NULL opens an existing one for reading and writing
 * @channel: out
 *
 * A name lives as long as a file descriptor of the channel or of one of its
 * endpoints; names are scoped to the network namespace.
 *
 * Return: 0; -ENOENT: no such channel (or the module is not loaded:
 * sluice_query_info() tells); -EEXIST: SLUICE_OPEN_EXCL and there is one;
 * -EACCES: its mode does not permit @access; -EPERM: the owner or group is not
 * the caller's to give; -EINVAL: options or name are nonsense; -ENAMETOOLONG;
 * -E2BIG: options this library does not know; -EDQUOT: beyond the user's quota;
 * -EINTR: a signal came just as somebody else made one of that name; -EMFILE,
 * -ENFILE, -ENOMEM; -EPROTONOSUPPORT.
 */
int sluice_channel_open(const char *name,
			const struct sluice_channel_options *options,
			struct sluice_channel **channel);

/**
 * sluice_channel_open_anonymous() - make a channel without a name
 * @options: NULL takes the defaults; SLUICE_OPEN_CREATE is implied
 * @channel: out
 *
 * Others get it by inheritance or over a unix socket, see
 * sluice_channel_fd() and sluice_channel_from_fd().
 *
 * Return: as sluice_channel_open().
 */
int sluice_channel_open_anonymous(const struct sluice_channel_options *options,
				  struct sluice_channel **channel);

/**
 * sluice_channel_from_fd() - a channel from a file descriptor got elsewhere
 * @fd: of a channel; belongs to the library on success, and is close-on-exec
 *	then; stays the caller's, as it is, on error
 * @channel: out
 *
 * Return: 0; -EBADF; -ENOTTY: no descriptor of Sluice; -EINVAL: not a
 * channel; -ENOMEM; -EPROTONOSUPPORT.
 */
int sluice_channel_from_fd(int fd, struct sluice_channel **channel);

/**
 * sluice_channel_close() - be done with a channel
 * @channel: NULL is allowed
 *
 * Endpoints that were joined through it go on. No other thread may be using
 * @channel.
 */
void sluice_channel_close(struct sluice_channel *channel);

/**
 * sluice_channel_fd() - the file descriptor, to be passed or inherited
 * @channel: keeps it, and closes it
 *
 * It is close-on-exec. Return: the descriptor.
 */
int sluice_channel_fd(const struct sluice_channel *channel);

/**
 * sluice_channel_created() - was it made by this very open?
 * @channel: as opened
 *
 * Return: true if it was.
 */
bool sluice_channel_created(const struct sluice_channel *channel);

/**
 * sluice_channel_config() - what was fixed when the channel was made
 * @channel: as opened
 *
 * Return: valid until the channel is closed.
 */
const struct sluice_config *
sluice_channel_config(const struct sluice_channel *channel);

/**
 * sluice_channel_restrict() - a descriptor of the channel with fewer rights
 * @channel: as opened
 * @access: SLUICE_READ, SLUICE_WRITE or both; a subset of the own rights
 *
 * Return: a new descriptor, close-on-exec, the caller's to close; -EACCES: not
 * a subset; -EINVAL; -EMFILE, -ENFILE, -ENOMEM.
 */
int sluice_channel_restrict(const struct sluice_channel *channel,
			    unsigned int access);

/**
 * sluice_channel_stat() - the channel as it is now
 * @channel: as opened
 * @stat: filled in; ids are translated for the caller's namespaces
 * @size: sizeof(*@stat)
 *
 * Return: 0 or a negative errno value.
 */
int sluice_channel_stat(const struct sluice_channel *channel,
			struct sluice_stat *stat, size_t size);

/**
 * sluice_channel_list() - visit the named channels the caller may open
 * @visit: called for each in byte order of the names; anything but 0 ends the
 *	listing
 * @data: handed to @visit
 *
 * Channels that exist during all of the listing are visited once. May be
 * called from any thread.
 *
 * Return: 0; what @visit returned if that was not 0; or a negative errno value
 * as sluice_channel_open(); -EINTR: a signal came, and the list is not complete.
 */
int sluice_channel_list(int (*visit)(const struct sluice_stat *stat,
				     void *data), void *data);

/**
 * sluice_channel_peer() - who has a place in the channel
 * @channel: as opened
 * @role: SLUICE_PUBLISHER or SLUICE_SUBSCRIBER
 * @index: the place
 * @generation: of the one meant, 0 for whoever has it
 * @peer: filled in; ids are translated for the caller's namespaces
 * @size: sizeof(*@peer)
 *
 * Return: 0; -ESTALE: another has the place; -ENOENT: nobody has it; -EINVAL:
 * no such place.
 */
int sluice_channel_peer(const struct sluice_channel *channel,
			enum sluice_role role, uint32_t index,
			uint64_t generation, struct sluice_peer *peer,
			size_t size);

/**
 * sluice_channel_peers() - visit everyone who has a place in the channel
 * @channel: as opened
 * @role: SLUICE_PUBLISHER or SLUICE_SUBSCRIBER
 * @visit: called for each in order of the places; anything but 0 ends it
 * @data: handed to @visit
 *
 * Return: 0; what @visit returned if that was not 0; or a negative errno.
 */
int sluice_channel_peers(const struct sluice_channel *channel,
			 enum sluice_role role,
			 int (*visit)(const struct sluice_peer *peer,
				      void *data), void *data);

/* Events -------------------------------------------------------------------- */

enum sluice_event_type {
	SLUICE_EVENT_JOINED	= 1,	/* a peer joined */
	SLUICE_EVENT_LEFT	= 2,	/* a peer left: @reason says how */
	SLUICE_EVENT_ENDED	= 3,	/* all that a publisher left is read */
	SLUICE_EVENT_CORRUPT	= 4,	/* a peer lied, and is left aside */
	SLUICE_EVENT_EVICTED	= 5,	/* this subscriber was evicted */
};

/**
 * struct sluice_event - something that happened to a peer
 * @type: enum sluice_event_type
 * @role: of the peer: SLUICE_PUBLISHER for subscribers, and vice versa
 * @index: its place
 * @reason: LEFT: enum sluice_reason, or 0 if it is not known any more
 * @generation: which peer it is
 * @lost: ENDED: messages lost at the end, after the last one received
 * @pid: the peer's, as the namespaces of the channel's maker see it
 * @uid: likewise
 * @gid: likewise
 * @resv: zero
 *
 * Of each place one ENDED and one CORRUPT is kept until it is asked for: of
 * several peers that came and went there meanwhile, the last one's. What was
 * lost of the others is in the statistics only. Either may come after the
 * JOINED of who has the place now, and without a JOINED of its own.
 */
struct sluice_event {
	uint32_t type;
	uint32_t role;
	uint32_t index;
	uint32_t reason;
	uint64_t generation;
	uint64_t lost;
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t resv[5];
};

/* Publishers ---------------------------------------------------------------- */

/* Do not let the pool grow by itself when it is full. */
#define SLUICE_PUBLISHER_NO_GROW	0x1
/* Go on when no subscriber is left: no EPOLLHUP then. */
#define SLUICE_PUBLISHER_STAY		0x2

/**
 * struct sluice_publisher_options - how to publish
 * @size: of this structure
 * @flags: SLUICE_PUBLISHER_*
 * @spin: nanoseconds to look for room before sleeping; 0: none
 */
struct sluice_publisher_options {
	size_t size;
	uint32_t flags;
	uint32_t spin;
};

#define SLUICE_PUBLISHER_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_publisher_options),		\
	.flags = 0,							\
	.spin = SLUICE_SPIN_DEFAULT,					\
}

/**
 * struct sluice_loan - room for one message
 * @data: to write the message to; aligned to 64 bytes; NULL if @length is 0
 * @length: as asked for; may be made smaller before it is published
 * @type: 0; may be set before it is published: any number, for the receiver
 * @nfds: 0; may be set: file descriptors to send along, at most
 *	SLUICE_FDS_MAX
 * @fds: NULL; may be set: @nfds of them; they stay the caller's
 * @priv: the library's, not to be touched
 *
 * Several loans may be outstanding. Each holds room in the pool and a slot of
 * the ring until it is published or discarded, so publishing never blocks.
 * Memory of a loan is not zeroed: it holds an older message's bytes.
 */
struct sluice_loan {
	void *data;
	size_t length;
	uint32_t type;
	uint32_t nfds;
	const int *fds;
	uint64_t priv[3];
};

/**
 * struct sluice_publisher_stats - counters of one publisher
 * @published: messages
 * @reclaimed: messages whose slot is free again
 * @dropped: of those, messages reclaimed before every subscriber had them
 * @pool: bytes of all segments
 * @pool_used: bytes in flight or loaned, rounded up to 64 each
 * @loans: outstanding
 * @aside: messages whose slot is free, but which a subscriber still holds
 * @segments: of the pool
 * @waits: times it went to sleep
 * @wakes: times it had to wake subscribers
 * @scans: times it looked at all cursors
 * @evicted: subscribers it evicted
 */
struct sluice_publisher_stats {
	uint64_t published;
	uint64_t reclaimed;
	uint64_t dropped;
	uint64_t pool;
	uint64_t pool_used;
	uint32_t loans;
	uint32_t aside;
	uint32_t segments;
	uint32_t resv;
	uint64_t waits;
	uint64_t wakes;
	uint64_t scans;
	uint64_t evicted;
};

/**
 * sluice_publisher_join() - become a publisher of a channel
 * @channel: opened with SLUICE_WRITE; may be closed afterwards
 * @options: NULL takes the defaults
 * @publisher: out
 *
 * Return: 0; -EACCES: no right to publish; -EUSERS: all places are
 * taken; -EDQUOT; -ENOMEM, -EMFILE, -ENFILE; -EINVAL; -E2BIG; -EBUSY, -ESHUTDOWN:
 * another thread, or a child of fork(2), found the new descriptor before this
 * returned, and mapped what is there, or mapped it and left the channel.
 */
int sluice_publisher_join(const struct sluice_channel *channel,
			  const struct sluice_publisher_options *options,
			  struct sluice_publisher **publisher);

/**
 * sluice_publisher_close() - leave the channel
 * @publisher: NULL is allowed
 *
 * What is published stays readable for the subscribers there are. Loans are
 * void. When the process ends in whatever way, the kernel does the same.
 */
void sluice_publisher_close(struct sluice_publisher *publisher);

/**
 * sluice_publisher_fd() - for select, poll, epoll, io_uring
 * @publisher: keeps it, and closes it
 *
 * EPOLLOUT: after a loan gave -EAGAIN, it is worth trying again. EPOLLPRI:
 * there are events. EPOLLHUP: there were subscribers and none is left (not with
 * SLUICE_PUBLISHER_STAY), until one joins; EPOLLERR, and EPOLLHUP with it: this
 * publisher was evicted. poll() tells these two unasked.
 * May be called from any thread. Return: the descriptor.
 */
int sluice_publisher_fd(const struct sluice_publisher *publisher);

/**
 * sluice_publisher_index() - the place in the channel
 * @publisher: as joined
 *
 * May be called from any thread. Return: the index of struct sluice_peer.
 */
uint32_t sluice_publisher_index(const struct sluice_publisher *publisher);

/**
 * sluice_publisher_generation() - who it is
 * @publisher: as joined
 *
 * May be called from any thread. Return: unique in the channel.
 */
uint64_t sluice_publisher_generation(const struct sluice_publisher *publisher);

/**
 * sluice_publisher_loan() - borrow room for a message
 * @publisher: as joined
 * @length: bytes, 0 up to the channel's pool_limit
 * @loan: out
 * @deadline: until when to wait for room
 *
 * When there is no room, what every subscriber is done with is reclaimed; then
 * the pool grows, if it may and that helps; then laggards whose policy is
 * DROP_OLDEST or EVICT lose messages or their place; then history is given up;
 * only then is it waited for subscribers to release.
 *
 * In a queue the consumer that has the oldest message is evicted, if its policy
 * is EVICT, once by each call that finds no room. Who has it next is waited for: one
 * that has only just claimed it is no laggard. So a call that is not to wait for
 * ever for one that stalls needs a deadline; the next one evicts again.
 *
 * Return: 0; -EAGAIN, -ETIMEDOUT: no room; -EINTR; -EMSGSIZE: it will never
 * fit, not even into a pool grown to its limit (if it may grow by itself);
 * -ESHUTDOWN: this publisher was evicted, and there is no room that could be had
 * without the kernel; -ECHILD; -ENOMEM; -EDQUOT.
 */
int sluice_publisher_loan(struct sluice_publisher *publisher, size_t length,
			  struct sluice_loan *loan, int64_t deadline);

/**
 * sluice_publisher_try_loan() - sluice_publisher_loan() that never sleeps
 * @publisher: as joined
 * @length: bytes
 * @loan: out
 *
 * Return: as sluice_publisher_loan(), but for -ETIMEDOUT and -EINTR.
 */
int sluice_publisher_try_loan(struct sluice_publisher *publisher,
			      size_t length, struct sluice_loan *loan);

/**
 * sluice_publisher_loan_batch() - borrow room for several messages
 * @publisher: as joined
 * @length: bytes of each
 * @loans: out
 * @count: how many are wanted
 * @deadline: until when to wait for the first; the others are taken if there
 *	is room
 *
 * Return: how many there are, 1 to @count; or as sluice_publisher_loan();
 * -EINVAL: @count is 0.
 */
ssize_t sluice_publisher_loan_batch(struct sluice_publisher *publisher,
				    size_t length, struct sluice_loan *loans,
				    size_t count, int64_t deadline);

/**
 * sluice_publisher_discard() - give a loan back, unpublished
 * @publisher: that lent it
 * @loan: void afterwards
 *
 * Return: 0; -EINVAL: not a loan of this publisher; -ECHILD.
 */
int sluice_publisher_discard(struct sluice_publisher *publisher,
			     struct sluice_loan *loan);

/**
 * sluice_publisher_publish() - publish a loan
 * @publisher: that lent it
 * @loan: void afterwards, unless it fails
 *
 * Loans may be published in any order; a message's position is given here.
 * With descriptors, or when a subscriber sleeps, one system call is made;
 * otherwise none. So a publisher that was evicted is not told by this, unless
 * there are descriptors: it returns 0, and the message may reach nobody.
 *
 * Return: 0; -EINVAL: not a loan of this publisher, or its length was
 * increased; -EBADF: one of the descriptors; -ELOOP: one that could form a
 * cycle of references (Sluice's own, unix sockets, epoll and io_uring);
 * -ETOOMANYREFS: too many descriptors in flight; -ESHUTDOWN: it has descriptors,
 * and this publisher was evicted; -ECHILD; -ENOMEM.
 */
int sluice_publisher_publish(struct sluice_publisher *publisher,
			     struct sluice_loan *loan);

/**
 * sluice_publisher_publish_batch() - publish several loans
 * @publisher: that lent them
 * @loans: published in this order
 * @count: how many
 *
 * Cheaper than one by one: one fence and at most one wake-up for all.
 *
 * Return: how many were published, less than @count only if the next one
 * failed; or, if the first one failed, as sluice_publisher_publish().
 */
ssize_t sluice_publisher_publish_batch(struct sluice_publisher *publisher,
				       struct sluice_loan *loans,
				       size_t count);

/**
 * sluice_publisher_send() - loan, copy, publish
 * @publisher: as joined
 * @data: the message
 * @length: bytes
 * @type: for the receiver
 * @deadline: until when to wait for room
 *
 * Return: as sluice_publisher_loan().
 */
int sluice_publisher_send(struct sluice_publisher *publisher, const void *data,
			  size_t length, uint32_t type, int64_t deadline);

/**
 * sluice_publisher_flush() - wait until a queue's consumers are done
 * @publisher: as joined
 * @deadline: until when to wait
 *
 * With all that this publisher has published: each message was released by
 * whoever received it, taken whole by the socket of a feed, or given up by
 * SLUICE_DROP_OLDEST.
 *
 * Return: 0; -EAGAIN: @deadline is 0, and they are not; -ETIMEDOUT; -EINTR;
 * -EINVAL: not a queue; -ESHUTDOWN: this publisher was evicted; -ECHILD.
 */
int sluice_publisher_flush(struct sluice_publisher *publisher,
			   int64_t deadline);

/**
 * sluice_publisher_grow() - add a segment to the pool
 * @publisher: as joined
 * @bytes: how much more, rounded up to whole pages
 *
 * One message lies in one segment, so the greatest message that
 * fits is as long as the greatest segment.
 *
 * Return: 0; -ENOSPC: beyond the channel's pool_limit, more than 64 GiB at once,
 * or SLUICE_SEGMENTS_MAX reached; -EDQUOT: beyond the user's quota; -EINVAL: 0
 * bytes; -ESHUTDOWN: this publisher was evicted; -ENOMEM; -ECHILD.
 */
int sluice_publisher_grow(struct sluice_publisher *publisher, size_t bytes);

/**
 * sluice_publisher_next_event() - what happened to the subscribers
 * @publisher: as joined
 * @event: filled in
 * @size: sizeof(*@event)
 *
 * Call until -EAGAIN; then EPOLLPRI is off until something happens. A peer that
 * came and went between two calls may be left out.
 *
 * Return: 0; -EAGAIN: nothing happened; -ECHILD.
 */
int sluice_publisher_next_event(struct sluice_publisher *publisher,
				struct sluice_event *event, size_t size);

/**
 * sluice_publisher_stats() - counters
 * @publisher: as joined
 * @stats: filled in
 * @size: sizeof(*@stats)
 *
 * Return: 0; -ECHILD.
 */
int sluice_publisher_stats(const struct sluice_publisher *publisher,
			   struct sluice_publisher_stats *stats, size_t size);

/* Subscribers --------------------------------------------------------------- */

/**
 * struct sluice_subscriber_options - how to subscribe
 * @size: of this structure
 * @flags: SLUICE_JOIN_STAY: go on when no publisher is left
 * @policy: enum sluice_policy for this one; 0 takes the channel's.
 *	SLUICE_BLOCK only where it is the channel's
 * @spin: nanoseconds to look for a message before sleeping; 0: none. In a queue
 *	what is published is seen, and who comes and goes, but what another
 *	rejects only when it sleeps
 * @prefetch: queue: messages claimed at once by one system call; 0 takes 1.
 *	More is quicker, but what is claimed ahead waits for this subscriber, and
 *	its descriptor does not tell of it: see sluice_subscriber_fd()
 */
struct sluice_subscriber_options {
	size_t size;
	uint32_t flags;
	uint32_t policy;
	uint32_t spin;
	uint32_t prefetch;
};

#define SLUICE_SUBSCRIBER_OPTIONS_INIT {				\
	.size = sizeof(struct sluice_subscriber_options),		\
	.flags = 0,							\
	.policy = 0,							\
	.spin = SLUICE_SPIN_DEFAULT,					\
	.prefetch = 1,							\
}

/* Queue: somebody had it before, and neither acknowledged nor kept it. */
#define SLUICE_MESSAGE_REDELIVERED	0x1

/**
 * struct sluice_message - a message that is held
 * @data: the publisher's memory, read-only; NULL if @length is 0
 * @length: bytes
 * @type: as the publisher says
 * @flags: SLUICE_MESSAGE_*
 * @publisher: its place
 * @nfds: descriptors it carries, see sluice_subscriber_receive_fd()
 * @generation: of the publisher: who it is
 * @position: counts the publisher's messages from 0
 * @lost: this publisher's messages that were lost since the last one received
 * @priv: the library's, not to be touched
 */
struct sluice_message {
	const void *data;
	size_t length;
	uint32_t type;
	uint32_t flags;
	uint32_t publisher;
	uint32_t nfds;
	uint64_t generation;
	uint64_t position;
	uint64_t lost;
	uint64_t priv[4];
};

/**
 * struct sluice_identity - who sent a message
 * @pid: process id, as the pid namespace of the channel's maker sees it
 * @uid: effective user id when it joined, as the user namespace of the
 *	channel's maker sees it
 * @gid: effective group id, likewise
 * @resv: zero
 */
struct sluice_identity {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t resv;
};

/**
 * struct sluice_subscriber_stats - counters of one subscriber
 * @received: messages
 * @lost: messages
 * @redelivered: of those received, messages somebody had before
 * @lag: published and not yet received, as the publishers say
 * @held: messages not yet released
 * @publishers: whose messages are being read
 * @waits: times it went to sleep
 * @wakes: times it had to wake a publisher
 */
struct sluice_subscriber_stats {
	uint64_t received;
	uint64_t lost;
	uint64_t redelivered;
	uint64_t lag;
	uint32_t held;
	uint32_t publishers;
	uint64_t waits;
	uint64_t wakes;
};

/**
 * sluice_subscriber_join() - become a subscriber of a channel
 * @channel: opened with SLUICE_READ; may be closed afterwards
 * @options: NULL takes the defaults
 * @subscriber: out
 *
 * Nothing that is published after this returned is missed (but see the
 * policies); before that, the channel's history is received.
 *
 * Return: 0; -EACCES: no right to subscribe; -EUSERS: all places are
 * taken; -EPERM: SLUICE_BLOCK where the channel is not so; -ECONNABORTED: it was
 * evicted before it had begun, join again; -EINVAL; -EDQUOT; -ENOMEM, -EMFILE,
 * -ENFILE; -E2BIG.
 */
int sluice_subscriber_join(const struct sluice_channel *channel,
			   const struct sluice_subscriber_options *options,
			   struct sluice_subscriber **subscriber);

/**
 * sluice_subscriber_close() - leave the channel
 * @subscriber: NULL is allowed
 *
 * Held messages are void: broadcast releases them, and in a queue they go to
 * another subscriber. When the process ends in whatever way, the kernel does
 * the same.
 */
void sluice_subscriber_close(struct sluice_subscriber *subscriber);

/**
 * sluice_subscriber_fd() - for select, poll, epoll, io_uring
 * @subscriber: keeps it, and closes it
 *
 * EPOLLIN: it is worth trying to receive. EPOLLPRI: there are events.
 * EPOLLHUP: no publisher is left (not with SLUICE_JOIN_STAY), or it was evicted.
 * With edge-triggered epoll, or claims ahead (@prefetch above 1), receive until
 * -EAGAIN before waiting: EPOLLIN is not for messages that are claimed already.
 * May be called from any thread. Return: the descriptor.
 */
int sluice_subscriber_fd(const struct sluice_subscriber *subscriber);

/**
 * sluice_subscriber_index() - the place in the channel
 * @subscriber: as joined
 *
 * May be called from any thread. Return: the index of struct sluice_peer.
 */
uint32_t sluice_subscriber_index(const struct sluice_subscriber *subscriber);

/**
 * sluice_subscriber_generation() - who it is
 * @subscriber: as joined
 *
 * May be called from any thread. Return: unique in the channel.
 */
uint64_t
sluice_subscriber_generation(const struct sluice_subscriber *subscriber);

/**
 * sluice_subscriber_receive() - get a message
 * @subscriber: as joined
 * @message: filled in; valid until it is released
 * @deadline: until when to wait for one
 *
 * Messages of one publisher come in the order they were published; the
 * publishers take turns.
 *
 * Return: 0; -EAGAIN, -ETIMEDOUT: there is none; -EINTR; -EPIPE: no publisher
 * is left and everything is received (not with SLUICE_JOIN_STAY; a publisher
 * that joins later ends this); -ENOBUFS: it holds as many as it may;
 * -ECONNABORTED: it was evicted; -EPROTO: a publisher lied and is left aside
 * (given once for each; an event names it, or the last of several at one place;
 * call again for the others);
 * -ECHILD; -ENOMEM: a new publisher's memory could not be mapped (call again).
 */
int sluice_subscriber_receive(struct sluice_subscriber *subscriber,
			      struct sluice_message *message,
			      int64_t deadline);

/**
 * sluice_subscriber_try_receive() - receive without sleeping
 * @subscriber: as joined
 * @message: filled in
 *
 * Return: as sluice_subscriber_receive(), but for -ETIMEDOUT and -EINTR.
 */
int sluice_subscriber_try_receive(struct sluice_subscriber *subscriber,
				  struct sluice_message *message);

/**
 * sluice_subscriber_receive_batch() - get several messages
 * @subscriber: as joined
 * @messages: filled in
 * @count: at most so many
 * @deadline: until when to wait for the first one
 *
 * Return: how many there are, 1 to @count; or as
 * sluice_subscriber_receive(); -EINVAL: @count is 0.
 */
ssize_t sluice_subscriber_receive_batch(struct sluice_subscriber *subscriber,
					struct sluice_message *messages,
					size_t count, int64_t deadline);

/**
 * sluice_subscriber_release() - be done with a message
 * @subscriber: that received it
 * @message: void afterwards
 *
 * Messages may be released in any order. In a queue this acknowledges the
 * message: it will not be delivered to another.
 *
 * Return: 0; -EINVAL: it does not hold this message; -ECONNABORTED: it was
 * evicted meanwhile: what was read from the message may have been
 * overwritten while it was read (released nevertheless); -ECHILD.
 */
int sluice_subscriber_release(struct sluice_subscriber *subscriber,
			      struct sluice_message *message);

/**
 * sluice_subscriber_release_batch() - be done with several messages
 * @subscriber: that received them
 * @messages: void afterwards
 * @count: how many
 *
 * Cheaper than one by one: one fence for all.
 *
 * Return: 0, or the first error as sluice_subscriber_release(); all that can be
 * released are.
 */
int sluice_subscriber_release_batch(struct sluice_subscriber *subscriber,
				    struct sluice_message *messages,
				    size_t count);

/**
 * sluice_subscriber_reject() - hand a message of a queue to another
 * @subscriber: that received it
 * @message: void afterwards
 *
 * It is delivered again, marked SLUICE_MESSAGE_REDELIVERED, to whoever asks first.
 *
 * Return: 0; -EOPNOTSUPP: not a queue; -EINVAL: it does not hold this
 * message; -ECONNABORTED: it was evicted, as sluice_subscriber_release();
 * -ECHILD.
 */
int sluice_subscriber_reject(struct sluice_subscriber *subscriber,
			     struct sluice_message *message);

/**
 * sluice_subscriber_receive_fd() - take a descriptor out of a message
 * @subscriber: that holds the message
 * @message: not yet released
 * @index: which, less than @message->nfds
 *
 * May be called several times: each makes a new descriptor of the same file.
 *
 * Return: a descriptor, close-on-exec, the caller's to close; -EINVAL: no such
 * one; -ENOENT: the publisher has taken it back; -ESTALE: the publisher has left,
 * and its place is free or another's; or it was found lying; or this subscriber
 * was evicted; -EMFILE, -ENFILE; -ECHILD.
 */
int sluice_subscriber_receive_fd(struct sluice_subscriber *subscriber,
				 const struct sluice_message *message,
				 unsigned int index);

/**
 * sluice_subscriber_sender() - who sent a message, without a system call
 * @subscriber: that holds the message
 * @message: not yet released
 * @identity: filled in, as the kernel has written it
 * @size: sizeof(*@identity)
 *
 * For ids of the caller's own namespaces use sluice_subscriber_peer(). It is
 * read from @message alone, and not checked that this is held: of another the
 * answer means nothing.
 *
 * Return: 0; -ECHILD.
 */
int sluice_subscriber_sender(const struct sluice_subscriber *subscriber,
			     const struct sluice_message *message,
			     struct sluice_identity *identity, size_t size);

/**
 * sluice_subscriber_peer() - who sent a message, translated for the caller
 * @subscriber: that holds the message
 * @message: its @publisher and @generation say who is meant
 * @peer: filled in
 * @size: sizeof(*@peer)
 *
 * Makes a system call. Return: 0; -ESTALE or -ENOENT: the publisher has left and its
 * place is free or taken by another; -ECHILD.
 */
int sluice_subscriber_peer(const struct sluice_subscriber *subscriber,
			   const struct sluice_message *message,
			   struct sluice_peer *peer, size_t size);

/**
 * sluice_subscriber_next_event() - what happened to the publishers
 * @subscriber: as joined
 * @event: filled in
 * @size: sizeof(*@event)
 *
 * Call until -EAGAIN; then EPOLLPRI is off until something happens. A peer that
 * came and went between two calls may be left out, unless messages of it were
 * received; of several such at one place only the last is sure to be told of.
 *
 * Return: 0; -EAGAIN: nothing happened; -ECHILD.
 */
int sluice_subscriber_next_event(struct sluice_subscriber *subscriber,
				 struct sluice_event *event, size_t size);

/**
 * sluice_subscriber_stats() - counters
 * @subscriber: as joined
 * @stats: filled in
 * @size: sizeof(*@stats)
 *
 * Return: 0; -ECHILD.
 */
int sluice_subscriber_stats(const struct sluice_subscriber *subscriber,
			    struct sluice_subscriber_stats *stats, size_t size);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_SLUICE_H */
