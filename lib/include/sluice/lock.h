/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libsluice: who may hold what.
 *
 * A lockspace is a set of resources: names, and files that somebody has open.
 * A holder takes them, whole or byte ranges of them, in one of six modes, one
 * or many at once; SLUICE_PR is shared, SLUICE_EX exclusive. Requests that wait
 * for each other in a ring are found before they do. An owner that dies is told
 * to whoever has the resource next.
 *
 * For most programs the calls at the end are all that is needed:
 *
 *	ret = sluice_lock(lockspace, "accounts", SLUICE_EX, deadline);
 *	if (ret < 0)
 *		return ret;
 *	if (ret & SLUICE_OWNER_DIED)
 *		repair();	(and then sluice_consistent())
 *	...
 *	sluice_unlock(lockspace, "accounts");
 *
 * The conventions of <sluice/sluice.h> hold.
 *
 * A lock whose owner died
 * -----------------------
 * Every call that takes a lock returns 0 if all is well, a negative errno
 * value if it was not taken, and SLUICE_OWNER_DIED, which is greater than 0, if
 * it WAS taken, but somebody who had it CW, PW or EX ended without unlocking
 * it: what it protects may be half written. Every grant says so until a holder
 * that has it CW, PW or EX repairs the data and declares it consistent. A
 * program that takes any value but 0 for a failure must unlock before it gives
 * up. Which owners die? Those whose process ends in whatever way, by exit(),
 * too; those whose thread ends (see sluice_lock()); those who say so with
 * sluice_holder_abandon(). Who calls sluice_holder_close() does not.
 *
 * Threads
 * -------
 * A lockspace may be used by any number of threads at once, but for
 * sluice_lockspace_close(). A holder has one request at a time, another gives
 * -EBUSY; all other calls may be made meanwhile, from any thread, but for
 * sluice_holder_close(). What a holder has, all threads that use it have:
 * threads that shall keep each other out need holders of their own.
 *
 * fork(2)
 * -------
 * A holder belongs to the process that made it. Every call on it gives -ECHILD
 * in a child, except closing it, which leaves what the parent has alone. A
 * lockspace may be used by a child.
 */
#ifndef SLUICE_LOCK_H
#define SLUICE_LOCK_H

#include <linux/sluice.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct sluice_block;
struct sluice_holder;
struct sluice_lockspace;

/* Whose value must not be thrown away: it tells whether one has the lock. */
#define SLUICE_MUST_CHECK	__attribute__((warn_unused_result))

/* Lockspaces ---------------------------------------------------------------- */

/**
 * struct sluice_lockspace_options - how to open a lockspace
 * @size: of this structure
 * @flags: SLUICE_OPEN_CREATE, SLUICE_OPEN_EXCL
 * @access: SLUICE_READ (may take NL, CR, PR), SLUICE_WRITE (CW, UP, PW, EX)
 * @mode: permission bits if it is made: r to share, w to take exclusively
 * @uid: owner if it is made; SLUICE_ID_DEFAULT: the effective user
 * @gid: group if it is made; SLUICE_ID_DEFAULT: the effective group
 * @resv: zero
 * @config: whom a deadlock hits if it is made, and whether it can be trusted,
 *	see sluice_lockspace_trust(); zeros take the defaults
 */
struct sluice_lockspace_options {
	size_t size;
	uint32_t flags;
	uint32_t access;
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t resv;
	struct sluice_lockspace_config config;
};

#define SLUICE_LOCKSPACE_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_lockspace_options),		\
	.flags = 0,							\
	.access = SLUICE_READ | SLUICE_WRITE,				\
	.mode = 0600,							\
	.uid = SLUICE_ID_DEFAULT,					\
	.gid = SLUICE_ID_DEFAULT,					\
}

/**
 * sluice_lockspace_open() - open a named lockspace, or make it
 * @name: 1 to SLUICE_NAME_MAX bytes, no control characters
 * @options: NULL opens an existing one to share and to take exclusively
 * @lockspace: out
 *
 * A name lives as long as a file descriptor of the lockspace; names are scoped
 * to the network namespace, and are not those of channels. With the last
 * descriptor go value blocks, tokens and the memory of owners that died.
 *
 * Return: 0; -ENOENT: no such lockspace (or the module is not loaded:
 * sluice_query_info() tells); -EEXIST: SLUICE_OPEN_EXCL and there is one;
 * -EACCES: its mode does not permit @access; -EPERM: the owner or group is not
 * the caller's to give; -EINVAL: options or name are nonsense; -ENAMETOOLONG;
 * -E2BIG: options this library does not know; -EDQUOT: beyond the user's quota;
 * -EINTR: a signal came just as somebody else made one of that name;
 * -EOPNOTSUPP: the module is too old to have lockspaces; -EMFILE, -ENFILE,
 * -ENOMEM; -EPROTONOSUPPORT.
 */
int sluice_lockspace_open(const char *name,
			  const struct sluice_lockspace_options *options,
			  struct sluice_lockspace **lockspace);

/**
 * sluice_lockspace_open_anonymous() - make a lockspace without a name
 * @options: NULL takes the defaults; SLUICE_OPEN_CREATE is implied
 * @lockspace: out
 *
 * Others get it by inheritance or over a unix socket, see
 * sluice_lockspace_fd() and sluice_lockspace_from_fd().
 *
 * Return: as sluice_lockspace_open().
 */
int
sluice_lockspace_open_anonymous(const struct sluice_lockspace_options *options,
				struct sluice_lockspace **lockspace);

/**
 * sluice_lockspace_from_fd() - a lockspace from a descriptor got elsewhere
 * @fd: of a lockspace; belongs to the library on success, and is close-on-exec
 *	then; stays the caller's, as it is, on error
 * @lockspace: out
 *
 * Return: 0; -EBADF; -ENOTTY: not a lockspace; -ENOMEM; -EPROTONOSUPPORT.
 */
int sluice_lockspace_from_fd(int fd, struct sluice_lockspace **lockspace);

/**
 * sluice_lockspace_close() - be done with a lockspace
 * @lockspace: NULL is allowed
 *
 * What holders have in it they keep. No other thread may be using @lockspace.
 */
void sluice_lockspace_close(struct sluice_lockspace *lockspace);

/**
 * sluice_lockspace_fd() - the file descriptor, to be passed or inherited
 * @lockspace: keeps it, and closes it
 *
 * It is close-on-exec. Return: the descriptor.
 */
int sluice_lockspace_fd(const struct sluice_lockspace *lockspace);

/**
 * sluice_lockspace_created() - was it made by this very open?
 * @lockspace: as opened
 *
 * Return: true if it was.
 */
bool sluice_lockspace_created(const struct sluice_lockspace *lockspace);

/**
 * sluice_lockspace_config() - what was fixed when the lockspace was made
 * @lockspace: as opened
 *
 * Return: valid until the lockspace is closed.
 */
const struct sluice_lockspace_config *
sluice_lockspace_config(const struct sluice_lockspace *lockspace);

/**
 * sluice_lockspace_restrict() - a descriptor with fewer rights
 * @lockspace: as opened
 * @access: SLUICE_READ, SLUICE_WRITE or both; a subset of the own rights
 *
 * Return: a new descriptor, close-on-exec, the caller's to close; -EACCES: not
 * a subset; -EINVAL; -EMFILE, -ENFILE, -ENOMEM.
 */
int sluice_lockspace_restrict(const struct sluice_lockspace *lockspace,
			      unsigned int access);

/**
 * sluice_lockspace_trust() - lock without system calls
 * @lockspace: made with SLUICE_LOCKSPACE_TRUSTED in @flags of its configuration
 *
 * From now on sluice_lock() of a whole name in mode SLUICE_EX, and its
 * sluice_unlock(), do without the kernel as long as nobody else has or wants
 * the name. Everything else is as before, also for others that do not call
 * this: all that holders of the lockspace want keeps each other out.
 *
 * The price is trust. All who may take exclusively in this lockspace can then
 * write the memory that tells who has what, by mistake or on purpose, and so
 * make anybody lose a lock of this lockspace, or never get it. They can do
 * nothing else by it; a process that dies, at whatever moment, leaves no trace
 * but SLUICE_OWNER_DIED.
 *
 * Only the first names that are locked so, as many as @words of the configuration
 * says, can do without the kernel; others are locked as before. Of four times as
 * many the library remembers that; to lock or unlock one beyond these takes
 * one system call more than without trust, that asks, so that it needs no
 * memory for each name that ever was.
 *
 * What is taken so has no token, and does not count in the statistics. To be
 * called before other threads use @lockspace.
 *
 * Return: 0; -EOPNOTSUPP: it was not made so; -ENOMEM.
 */
int sluice_lockspace_trust(struct sluice_lockspace *lockspace);

/**
 * sluice_lockspace_stat() - the lockspace as it is now
 * @lockspace: as opened
 * @stat: filled in; ids are translated for the caller's namespaces
 * @size: sizeof(*@stat)
 *
 * Return: 0 or a negative errno value.
 */
int sluice_lockspace_stat(const struct sluice_lockspace *lockspace,
			  struct sluice_lockspace_stat *stat, size_t size);

/**
 * sluice_lockspace_list() - visit the named lockspaces the caller may open
 * @visit: called for each in byte order of the names; anything but 0 ends the
 *	listing
 * @data: handed to @visit
 *
 * Lockspaces that exist during all of the listing are visited once. May be
 * called from any thread.
 *
 * Return: 0; what @visit returned if that was not 0; or a negative errno value
 * as sluice_lockspace_open(); -EINTR: a signal came, and the list is not
 * complete.
 */
int sluice_lockspace_list(int (*visit)(const struct sluice_lockspace_stat *stat,
				       void *data), void *data);

/**
 * sluice_lockspace_locks() - visit what is held and waited for
 * @lockspace: as opened
 * @visit: called for each: by resource, first what owners left that died, then
 *	those that hold it, then those that wait, in the order of the queue;
 *	anything but 0 ends it
 * @data: handed to @visit
 *
 * Some hundred are fetched at a time; each such part is one moment, what is
 * longer is not.
 *
 * Return: 0; what @visit returned if that was not 0; or a negative errno.
 */
int sluice_lockspace_locks(const struct sluice_lockspace *lockspace,
			   int (*visit)(const struct sluice_lock_entry *entry,
					void *data), void *data);

/**
 * sluice_lockspace_deadlocks() - visit the last deadlocks that were found
 * @lockspace: as opened
 * @visit: called for each from the oldest kept on, with @deadlock->count steps
 *	of the cycle: each waits for the next one, and the last for the first
 *	if @deadlock->length is @deadlock->count, otherwise the rest was not
 *	kept; anything but 0 ends it
 * @data: handed to @visit
 *
 * Return: 0; what @visit returned if that was not 0; or a negative errno.
 */
int sluice_lockspace_deadlocks(const struct sluice_lockspace *lockspace,
			       int (*visit)(const struct sluice_deadlock *deadlock,
					    const struct sluice_waits *const *cycle,
					    void *data), void *data);

/* Items --------------------------------------------------------------------- */

/**
 * sluice_item_bytes() - an item: a resource whose name is any bytes
 * @lockspace: which must stay open until the item has been used
 * @key: the name
 * @length: bytes of it, 1 to SLUICE_KEY_MAX
 * @mode: that is wanted
 *
 * Another length makes the call that gets the item fail with -EINVAL.
 *
 * Return: the item, of the whole resource, without a lease.
 */
static inline struct sluice_item
sluice_item_bytes(const struct sluice_lockspace *lockspace, const void *key,
		  size_t length, enum sluice_mode mode)
{
	struct sluice_item item;

	memset(&item, 0, sizeof(item));
	item.lockspace = sluice_lockspace_fd(lockspace);
	item.kind = SLUICE_KIND_NAME;
	item.mode = mode;
	item.end = SLUICE_END;
	item.fd = -1;
	item.key_len = length < SLUICE_KEY_MAX + 1 ? length : SLUICE_KEY_MAX + 1;
	if (length <= SLUICE_KEY_MAX)
		memcpy(item.key, key, length);
	return item;
}

/**
 * sluice_item_name() - an item: a resource that has a name
 * @lockspace: which must stay open until the item has been used
 * @name: 1 to SLUICE_KEY_MAX bytes
 * @mode: that is wanted
 *
 * Return: as sluice_item_bytes().
 */
static inline struct sluice_item
sluice_item_name(const struct sluice_lockspace *lockspace, const char *name,
		 enum sluice_mode mode)
{
	return sluice_item_bytes(lockspace, name, strlen(name), mode);
}

/**
 * sluice_item_file() - an item: a file, by whatever path it was opened
 * @lockspace: which must stay open until the item has been used
 * @fd: open for reading to share, for writing to take CW, UP, PW or EX; must
 *	stay open until the item has been used, and no longer
 * @mode: that is wanted
 *
 * Return: the item, of the whole file, without a lease.
 */
static inline struct sluice_item
sluice_item_file(const struct sluice_lockspace *lockspace, int fd,
		 enum sluice_mode mode)
{
	struct sluice_item item;

	memset(&item, 0, sizeof(item));
	item.lockspace = sluice_lockspace_fd(lockspace);
	item.kind = SLUICE_KIND_FILE;
	item.mode = mode;
	item.end = SLUICE_END;
	item.fd = fd;
	return item;
}

/**
 * sluice_item_range() - the same item, but of some bytes only
 * @item: as built
 * @start: first byte
 * @end: last byte, or SLUICE_END
 *
 * Return: the item.
 */
static inline struct sluice_item
sluice_item_range(struct sluice_item item, uint64_t start, uint64_t end)
{
	item.start = start;
	item.end = end;
	return item;
}

/**
 * sluice_item_lease() - the same item, but taken back after some time
 * @item: as built
 * @nanoseconds: after which it is taken back, unless it is renewed; 0: never
 *
 * Return: the item.
 */
static inline struct sluice_item
sluice_item_lease(struct sluice_item item, uint64_t nanoseconds)
{
	item.lease = nanoseconds;
	return item;
}

/**
 * sluice_item_repair() - the same item, even if it was declared unrecoverable
 * @item: as built
 *
 * Return: the item.
 */
static inline struct sluice_item sluice_item_repair(struct sluice_item item)
{
	item.flags |= SLUICE_ITEM_REPAIR;
	return item;
}

/**
 * sluice_item_fcntl() - the same item, and the kernel's own lock along with it
 * @item: of a regular file or directory; in PR, UP, PW or EX
 *
 * Keeps out, and waits for, programs that lock the file with fcntl(), be it by
 * process or by open file description. A module that does not know it, which
 * SLUICE_FEATURE_BACKED of sluice_query_info() tells, makes the call that gets
 * the item fail with -EINVAL.
 *
 * On NFS the lock is the server's, which may lose it: see
 * sluice_holder_next_event() and sluice_holder_unlock().
 *
 * Return: the item.
 */
static inline struct sluice_item sluice_item_fcntl(struct sluice_item item)
{
	item.flags |= SLUICE_ITEM_FCNTL;
	return item;
}

/**
 * sluice_item_flock() - the same item, and the kernel's own lock along with it
 * @item: of a whole regular file or directory; in PR, UP, PW or EX
 *
 * Keeps out, and waits for, programs that lock the file with flock(). As
 * sluice_item_fcntl().
 *
 * Return: the item.
 */
static inline struct sluice_item sluice_item_flock(struct sluice_item item)
{
	item.flags |= SLUICE_ITEM_FLOCK;
	return item;
}

/* Holders ------------------------------------------------------------------- */

/**
 * struct sluice_holder_options - how to make a holder
 * @size: of this structure
 * @flags: 0
 * @resv: zero
 */
struct sluice_holder_options {
	size_t size;
	uint32_t flags;
	uint32_t resv;
};

#define SLUICE_HOLDER_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_holder_options),			\
	.flags = 0,							\
}

/**
 * struct sluice_lock_options - how to take items
 * @size: of this structure
 * @flags: SLUICE_LOCK_ANY: the first item that can be granted instead of all;
 *	SLUICE_LOCK_TRY: do not wait; SLUICE_LOCK_ASYNC: do not wait here, an
 *	event tells
 * @priority: a higher one goes first, at most SLUICE_PRIORITY_MAX, at least
 *	its negative
 * @deadline: until when to wait; 0 is SLUICE_LOCK_TRY
 */
struct sluice_lock_options {
	size_t size;
	uint32_t flags;
	int32_t priority;
	int64_t deadline;
};

#define SLUICE_LOCK_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_lock_options),			\
	.flags = 0,							\
	.priority = 0,							\
	.deadline = SLUICE_NO_DEADLINE,					\
}

/**
 * sluice_holder_open() - make a holder
 * @options: NULL takes the defaults
 * @holder: out
 *
 * It may take items of any lockspaces. When it is not closed but its process
 * ends, what it had is free, and what it had CW, PW or EX is marked.
 *
 * Return: 0; -ENOENT, -ENODEV: the module is not loaded; -EACCES; -EINVAL;
 * -E2BIG; -EDQUOT: beyond the user's quota; -EOPNOTSUPP: the module is too old
 * to have holders; -EMFILE, -ENFILE, -ENOMEM; -EPROTONOSUPPORT.
 */
int sluice_holder_open(const struct sluice_holder_options *options,
		       struct sluice_holder **holder);

/**
 * sluice_holder_close() - unlock everything, and be done with a holder
 * @holder: NULL is allowed
 *
 * A request that waits is cancelled. Nothing is marked as its owner's death.
 * No other thread may be using @holder. In a child of fork() nothing is
 * unlocked. The holder of sluice_thread_holder() lets everything go but stays
 * with its thread.
 */
void sluice_holder_close(struct sluice_holder *holder);

/**
 * sluice_holder_fd() - for select, poll, epoll, io_uring
 * @holder: keeps it, and closes it
 *
 * EPOLLIN: an asynchronous request is finished. EPOLLPRI: somebody waits for
 * what it has, or some of it was taken back. See sluice_holder_next_event().
 *
 * Return: the descriptor.
 */
int sluice_holder_fd(const struct sluice_holder *holder);

/**
 * sluice_holder_id() - what it is called by sluice_lockspace_locks()
 * @holder: as made
 *
 * Return: unique while the module is loaded.
 */
uint64_t sluice_holder_id(const struct sluice_holder *holder);

/**
 * sluice_holder_lock() - take all items, or one of them
 * @holder: as made
 * @items: what is wanted; in those granted @token and @status are set
 * @count: 1 to SLUICE_ITEMS_MAX
 * @size: sizeof(*@items)
 * @options: NULL takes the defaults: all, and wait for ever
 * @index: out: with SLUICE_LOCK_ANY the item that was granted; may be NULL
 *
 * Until everything can be taken nothing is, and whenever this fails the holder
 * has what it had before. Bytes that it has already are converted to the mode
 * that is wanted, up or down; none of its own is in its way.
 *
 * With SLUICE_LOCK_ASYNC it may return -EINPROGRESS: sluice_holder_next_event()
 * tells when it is done, and then fills in @items.
 *
 * Return: 0: taken; greater than 0: taken, and one of the items has these
 * @status bits: SLUICE_OWNER_DIED, SLUICE_UNRECOVERABLE (only those with
 * SLUICE_ITEM_REPAIR); -EDEADLK: it would have waited for ever, because
 * others wait for what it has; -EAGAIN, -ETIMEDOUT, -EINTR: not taken;
 * -EINPROGRESS; -ECANCELED: by sluice_holder_cancel(); -ENOTRECOVERABLE: it was
 * declared so; -EACCES: no right to that mode; -EBUSY: a request is waiting;
 * -EINVAL: items are nonsense, or overlap; -EBADF: a lockspace or file is not
 * open, or not for that mode; -EOWNERDEAD: the process that made the holder has
 * ended; -EOPNOTSUPP: sluice_item_fcntl() or sluice_item_flock() with
 * SLUICE_LOCK_ASYNC, or the latter to convert from PR or UP to PW or EX;
 * -ESTALE: with one of these: the lease ran out, or another thread let it go,
 * while it waited for a program that knows no other locks; or the file server
 * has lost what the holder had of the file, and it is revoked; nothing was
 * taken, try again;
 * -E2BIG; -ENOMEM; -EDQUOT; -ECHILD; and what the file system says.
 */
SLUICE_MUST_CHECK
int sluice_holder_lock(struct sluice_holder *holder, struct sluice_item *items,
		       size_t count, size_t size,
		       const struct sluice_lock_options *options,
		       uint32_t *index);

/**
 * sluice_holder_unlock() - let items go
 * @holder: as made
 * @items: as they were taken, or other ranges; @mode is not looked at
 * @count: 1 to SLUICE_ITEMS_MAX
 * @size: sizeof(*@items)
 *
 * What it does not have of them is left aside. Never waits but for a file server
 * (sluice_item_fcntl(), sluice_item_flock()), until a signal comes.
 *
 * Return: 0; -ESTALE: they are let go, but a file server had lost some of them
 * before, and the event that says so has not been read; -EINVAL, -EBADF: items
 * are nonsense; -ENOMEM, -EDQUOT: a range cannot be split, nothing is changed;
 * -E2BIG: items this library does not know; -ECHILD.
 */
int sluice_holder_unlock(struct sluice_holder *holder,
			 const struct sluice_item *items, size_t count,
			 size_t size);

/**
 * sluice_holder_downgrade() - weaken items
 * @holder: as made
 * @items: @mode says what is left of each; SLUICE_UNLOCKED lets it go
 * @count: 1 to SLUICE_ITEMS_MAX
 * @size: sizeof(*@items)
 *
 * Only acts on what the holder has. Waits as sluice_holder_unlock() does.
 *
 * Return: 0; -EINVAL: one is not weaker than what the holder has there, or two
 * overlap that are of different modes, nothing is changed; or as sluice_holder_unlock().
 */
int sluice_holder_downgrade(struct sluice_holder *holder,
			    const struct sluice_item *items, size_t count,
			    size_t size);

/**
 * sluice_holder_unlock_all() - let everything go
 * @holder: as made
 *
 * A request that waits goes on waiting.
 *
 * Return: 0; -ESTALE: as sluice_holder_unlock(); -ECHILD.
 */
int sluice_holder_unlock_all(struct sluice_holder *holder);

/**
 * sluice_holder_abandon() - let everything go as an owner that died
 * @holder: as made
 *
 * For who cannot keep its locks and has left something half done: what it has
 * CW, PW or EX is marked, so that whoever gets it next is told. The holder can
 * go on. A request that waits goes on waiting.
 *
 * Return: 0; -ESTALE: as sluice_holder_unlock(); -ECHILD.
 */
int sluice_holder_abandon(struct sluice_holder *holder);

/**
 * sluice_holder_cancel() - end a request that waits
 * @holder: as made
 *
 * It ends with -ECANCELED: the call of another thread, or by an event.
 *
 * Return: 0; -ENOENT: none waits (any more); -ECHILD.
 */
int sluice_holder_cancel(struct sluice_holder *holder);

/**
 * sluice_holder_next_event() - what a holder is told
 * @holder: as made
 * @event: filled in; its members @items, @count and @entry_size are of no use
 * @size: sizeof(*@event)
 * @items: of the asynchronous request: SLUICE_EVENT_DONE sets @token and
 *	@status; look at the latter for SLUICE_OWNER_DIED. NULL if there is none
 * @count: as it was given
 * @item_size: sizeof(*@items)
 *
 * SLUICE_EVENT_REVOKED: what is described is not held any more: its lease ran
 * out if @event's @error is 0; if that is EIO a file server has lost the lock, and
 * others may have had it since. Call until -EAGAIN.
 *
 * Return: 0; -EAGAIN: there is none; -EINTR; -EINVAL: @count or @item_size
 * cannot be; -EFAULT; -ECHILD.
 */
int sluice_holder_next_event(struct sluice_holder *holder,
			     struct sluice_lock_event *event, size_t size,
			     struct sluice_item *items, size_t count,
			     size_t item_size);

/**
 * sluice_holder_renew() - count leases from now
 * @holder: as made
 * @items: that it has; @lease says how long. What has been taken as one is
 *	renewed as one
 * @count: 1 to SLUICE_ITEMS_MAX
 * @size: sizeof(*@items)
 *
 * Return: 0; -ESTALE: some of it has been taken back, nothing is renewed;
 * -EINVAL; -EBADF; -E2BIG; -ENOMEM; -ECHILD.
 */
int sluice_holder_renew(struct sluice_holder *holder,
			const struct sluice_item *items, size_t count,
			size_t size);

/**
 * sluice_holder_recover() - say what has become of data whose owner died
 * @holder: has all of @items CW, PW or EX
 * @items: @mode is not looked at
 * @count: 1 to SLUICE_ITEMS_MAX
 * @size: sizeof(*@items)
 * @what: SLUICE_RECOVER_CONSISTENT: it is in order again, and the mark is taken
 *	away; SLUICE_RECOVER_LOST: it cannot be, and every request gets
 *	-ENOTRECOVERABLE from now on
 *
 * Return: 0; -EPERM: it does not have all of it CW, PW or EX; -EDQUOT: also if
 * what is still marked would be left in too many pieces, as it is not of larger
 * ranges; -EINVAL; -EBADF; -E2BIG; -ENOMEM; -ECHILD.
 */
int sluice_holder_recover(struct sluice_holder *holder,
			  const struct sluice_item *items, size_t count,
			  size_t size, uint32_t what);

/**
 * sluice_holder_value_get() - read a resource's value block
 * @holder: has some of the resource CR or stronger
 * @item: of the resource; range and mode are not looked at
 * @value: out: SLUICE_VALUE_SIZE bytes, zero at first
 *
 * Return: 0; greater than 0: read, but some of the resource has these @status
 * bits: SLUICE_OWNER_DIED, SLUICE_UNRECOVERABLE; -EPERM: the holder does not
 * have it; -EINVAL; -EBADF; -ECHILD.
 */
int sluice_holder_value_get(struct sluice_holder *holder,
			    const struct sluice_item *item, void *value);

/**
 * sluice_holder_value_set() - set a resource's value block
 * @holder: has some of the resource PW or EX
 * @item: of the resource; range and mode are not looked at
 * @value: SLUICE_VALUE_SIZE bytes
 *
 * Return: 0; -EPERM: the holder does not have it; -EINVAL; -EBADF; -ENOMEM;
 * -ECHILD.
 */
int sluice_holder_value_set(struct sluice_holder *holder,
			    const struct sluice_item *item, const void *value);

/* One call each ------------------------------------------------------------- */

/**
 * sluice_lock() - take a resource by its name
 * @lockspace: as opened
 * @name: 1 to SLUICE_KEY_MAX bytes
 * @mode: SLUICE_PR to share it, SLUICE_EX to have it alone, or another
 * @deadline: until when to wait
 *
 * The holder is the calling thread's own, so that threads keep each other
 * out: it is made when a thread makes one of these calls for the first time,
 * and is the only thing that the library keeps by itself. A thread that ends
 * while it has something CW, PW or EX is an owner that died, as is a process;
 * what it has in other modes is free without a trace. In a child of fork() a
 * thread has a new holder, which has nothing.
 *
 * What the thread has already is converted to @mode: taking twice needs to be
 * unlocked once.
 *
 * Return: 0: taken; SLUICE_OWNER_DIED, which is greater than 0: taken, but
 * what it protects may be half written; -EDEADLK: it would have waited for
 * ever, unlock something and try again; -EAGAIN, -ETIMEDOUT, -EINTR: not taken;
 * -ENOTRECOVERABLE: it was declared so; -EACCES: no right to that mode; -EBUSY:
 * an asynchronous request of sluice_thread_holder() waits, or its event has not
 * been read; -EINVAL; -EDQUOT; -ENOMEM; -EMFILE, -ENFILE: no holder can be made;
 * and as sluice_holder_open().
 */
SLUICE_MUST_CHECK
int sluice_lock(const struct sluice_lockspace *lockspace, const char *name,
		enum sluice_mode mode, int64_t deadline);

/**
 * sluice_trylock() - take a resource by its name, without waiting
 * @lockspace: as opened
 * @name: 1 to SLUICE_KEY_MAX bytes
 * @mode: as of sluice_lock()
 *
 * Return: as sluice_lock(), but for -EDEADLK, -ETIMEDOUT and -EINTR.
 */
SLUICE_MUST_CHECK
int sluice_trylock(const struct sluice_lockspace *lockspace, const char *name,
		   enum sluice_mode mode);

/**
 * sluice_unlock() - let go of what sluice_lock() took
 * @lockspace: as opened
 * @name: as it was taken
 *
 * In the thread that took it. What the thread does not have is left aside.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int sluice_unlock(const struct sluice_lockspace *lockspace, const char *name);

/**
 * sluice_consistent() - what the dead owner left is in order again
 * @lockspace: as opened
 * @name: that the thread has CW, PW or EX
 *
 * Return: 0; -EPERM: the thread does not have it so; -EINVAL; -EDQUOT; -ENOMEM.
 */
int sluice_consistent(const struct sluice_lockspace *lockspace,
		      const char *name);

/**
 * sluice_file_lock() - sluice_lock() of a file
 * @lockspace: as opened; users of different lockspaces do not meet
 * @fd: open for reading to share, for writing to take CW, UP, PW or EX
 * @mode: as of sluice_lock()
 * @deadline: until when to wait
 *
 * It is the file that is taken and not the descriptor: closing that does not
 * unlock.
 *
 * Return: as sluice_lock(); -EBADF: @fd is not open, or not for that.
 */
SLUICE_MUST_CHECK
int sluice_file_lock(const struct sluice_lockspace *lockspace, int fd,
		     enum sluice_mode mode, int64_t deadline);

/**
 * sluice_file_trylock() - sluice_trylock() of a file
 * @lockspace: as opened
 * @fd: as of sluice_file_lock()
 * @mode: as of sluice_lock()
 *
 * Return: as sluice_file_lock(), but for -EDEADLK, -ETIMEDOUT and -EINTR.
 */
SLUICE_MUST_CHECK
int sluice_file_trylock(const struct sluice_lockspace *lockspace, int fd,
			enum sluice_mode mode);

/**
 * sluice_file_unlock() - sluice_unlock() of a file
 * @lockspace: as opened
 * @fd: of the same file
 *
 * Return: as sluice_unlock(); -EBADF.
 */
int sluice_file_unlock(const struct sluice_lockspace *lockspace, int fd);

/**
 * sluice_file_consistent() - sluice_consistent() of a file
 * @lockspace: as opened
 * @fd: of the same file
 *
 * Return: as sluice_consistent(); -EBADF.
 */
int sluice_file_consistent(const struct sluice_lockspace *lockspace, int fd);

/**
 * sluice_thread_holder() - the calling thread's own holder
 * @holder: out; for this thread, and as long as it runs
 *
 * For what the calls above do not offer: ranges, several at once, events.
 *
 * Return: 0; or as sluice_holder_open().
 */
int sluice_thread_holder(struct sluice_holder **holder);

/* Memory behind a lock ------------------------------------------------------ */

/**
 * struct sluice_block_options - how to open a block
 * @size: of this structure
 * @flags: SLUICE_OPEN_CREATE, SLUICE_OPEN_EXCL
 * @access: SLUICE_READ, and SLUICE_WRITE to map it for writing
 * @bytes: it has if it is made
 * @limit: bytes it may grow to if it is made; 0: @bytes
 */
struct sluice_block_options {
	size_t size;
	uint32_t flags;
	uint32_t access;
	uint64_t bytes;
	uint64_t limit;
};

#define SLUICE_BLOCK_OPTIONS_INIT {					\
	.size = sizeof(struct sluice_block_options),			\
	.flags = 0,							\
	.access = SLUICE_READ | SLUICE_WRITE,				\
}

/**
 * sluice_block_open() - map the memory behind a resource, or make it
 * @holder: with whose locks it can be touched; may be closed afterwards, but
 *	then nothing can be
 * @lockspace: of the resource; may be closed afterwards
 * @name: of the resource, 1 to SLUICE_KEY_MAX bytes
 * @options: NULL opens an existing one for reading and writing
 * @block: out
 *
 * Pages can be read while the holder has all their bytes in any mode but NL,
 * and written while it has them CW, PW or EX; whoever touches others gets
 * SIGBUS. Letting go takes the pages out of the mapping. A block lives as long
 * as its lockspace.
 *
 * What the process has no room for is not made. But if there is room and mapping
 * it fails all the same, be it that a mapping is one more than the user's quota
 * of locks, then what was made stays: whoever opens the name next finds it, and
 * sluice_block_created() does not say that it is new.
 *
 * Return: 0; -ENOENT: there is none; -EEXIST: SLUICE_OPEN_EXCL and there is
 * one; -EACCES: the lockspace was not opened with SLUICE_WRITE, which making
 * one takes, and mapping it for writing; -EINVAL; -ENAMETOOLONG; -E2BIG;
 * -EDQUOT: beyond the user's quota; -EBUSY: the resource has a lock word, see
 * sluice_lockspace_trust(); -EOPNOTSUPP: the module does
 * not have blocks; -EMFILE, -ENFILE, -ENOMEM; -ECHILD.
 */
int sluice_block_open(struct sluice_holder *holder,
		      const struct sluice_lockspace *lockspace,
		      const char *name,
		      const struct sluice_block_options *options,
		      struct sluice_block **block);

/**
 * sluice_block_close() - unmap it
 * @block: NULL is allowed
 *
 * What is in it stays. No other thread may be using @block.
 */
void sluice_block_close(struct sluice_block *block);

/**
 * sluice_block_address() - where it is mapped
 * @block: as opened
 *
 * The address does not change when it grows. May be called from any thread.
 *
 * Return: of its first byte, sluice_block_limit() bytes are mapped there; NULL
 * in a child of fork(), which has no mapping.
 */
void *sluice_block_address(const struct sluice_block *block);

/**
 * sluice_block_limit() - how large it may become
 * @block: as opened
 *
 * May be called from any thread. Return: bytes.
 */
uint64_t sluice_block_limit(const struct sluice_block *block);

/**
 * sluice_block_created() - was it made by this very open?
 * @block: as opened
 *
 * Return: true if it was.
 */
bool sluice_block_created(const struct sluice_block *block);

/**
 * sluice_block_stat() - how large it is, and how much of it is used
 * @block: as opened
 * @stat: filled in
 * @size: sizeof(*@stat)
 *
 * May be called from any thread.
 *
 * Return: 0; -ECHILD.
 */
int sluice_block_stat(const struct sluice_block *block,
		      struct sluice_block_size *stat, size_t size);

/**
 * sluice_block_resize() - grow or shrink it
 * @block: as opened, by a holder that has all of the resource PW or EX
 * @bytes: that it shall have, 1 to sluice_block_limit()
 *
 * What is beyond is gone, and zero if it grows again. May be called from any
 * thread.
 *
 * Return: 0; -EPERM: the holder does not have it so; -EACCES: the lockspace was
 * not opened with SLUICE_WRITE; -EFBIG: beyond the limit; -EINVAL: 0 bytes;
 * -EDQUOT; -ECHILD.
 */
int sluice_block_resize(struct sluice_block *block, uint64_t bytes);

/**
 * sluice_block_free_range() - give the memory of a range back
 * @block: as opened, by a holder that has the range CW, PW or EX
 * @start: first byte
 * @end: last byte
 *
 * Whole pages in the range are zero afterwards. May be called from any thread.
 *
 * Return: 0; -EPERM: the holder does not have it so; -EACCES: the lockspace was
 * not opened with SLUICE_WRITE; -EINVAL; -ECHILD.
 */
int sluice_block_free_range(struct sluice_block *block, uint64_t start,
			    uint64_t end);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* SLUICE_LOCK_H */
