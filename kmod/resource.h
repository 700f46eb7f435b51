/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_RESOURCE_H
#define SLUICE_RESOURCE_H

#include <linux/list.h>
#include <linux/math.h>
#include <linux/path.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/sluice.h>

#include "domain.h"
#include "mode.h"

struct sluice_block;
struct sluice_grant;
struct sluice_lockspace;
struct sluice_user;
struct sluice_word;

/**
 * struct sluice_key - what tells a resource from the others of its lockspace
 * @words: all that follows, as it is compared
 * @kind: enum sluice_kind
 * @len: bytes
 * @bytes: a name, or a struct sluice_file_key; zero beyond @len
 */
struct sluice_key {
	union {
		u64 words[DIV_ROUND_UP(2 + SLUICE_KEY_MAX, sizeof(u64))];
		struct {
			u8 kind;
			u8 len;
			u8 bytes[SLUICE_KEY_MAX];
		};
	};
};

static inline bool sluice_key_same(const struct sluice_key *a,
				   const struct sluice_key *b)
{
	u32 i, words = DIV_ROUND_UP(2 + a->len, sizeof(u64));

	if (a->words[0] != b->words[0])
		return false;
	for (i = 1; i < words; i++)
		if (a->words[i] != b->words[i])
			return false;
	return true;
}

/**
 * struct sluice_pin - a file whose inode is to stay
 * @later: where the last reference goes with a domain locked
 * @refs: of a want, and of resources
 * @path: of the file, reference
 */
struct sluice_pin {
	struct sluice_later later;
	refcount_t refs;
	struct path path;
};

/* Return: a pin, or NULL. */
struct sluice_pin *sluice_pin_new(const struct path *path);

/* With no domain locked: who is the last may have to wait for a file system. */
void sluice_pin_put(struct sluice_pin *pin);

/**
 * struct sluice_resource - what is held and waited for; the domain's lock
 * @node: in the lockspace's table
 * @by_number: in the lockspace's tree, even while it is idle
 * @idle: on the lockspace's list of those that nobody needs
 * @space: the lockspace
 * @user: charged for it, unless it is idle: then who was the last; reference
 * @key: see there
 * @number: growing in the lockspace
 * @pin: of a file, so that its inode stays while somebody has or wants it
 * @grants: interval tree of struct sluice_grant
 * @held: grants in each mode
 * @held_modes: those of which there are some
 * @published: grants that came, or whose holders may have to be told anew
 * @waiters: struct sluice_want that are queued, the first to be served first;
 *	those of one request are together
 * @places: them, as a tree
 * @waiting: wants of each mode
 * @waiting_modes: those of which there are some
 * @converters: wants that may go on when one ahead cannot
 * @died: struct sluice_grant whose holders died with it, by serial
 * @died_count: of them
 * @value: the value block
 * @has_value: it is not zero
 * @block: the memory behind it, or NULL
 * @word: its lock word, see word.c, or NULL
 * @stand_in: a grant for whoever has it by its word, unless it is in use
 * @dirty: on a list of resources whose waiters may go on now
 */
struct sluice_resource {
	struct rhash_head node;
	struct rb_node by_number;
	struct list_head idle;
	struct sluice_lockspace *space;
	struct sluice_user *user;
	struct sluice_key key;
	u64 number;
	struct sluice_pin *pin;
	struct rb_root_cached grants;
	u32 held[SLUICE_MODES];
	u32 held_modes;
	u64 published;
	struct list_head waiters;
	struct rb_root places;
	u32 waiting[SLUICE_MODES];
	u32 waiting_modes;
	u32 converters;
	struct list_head died;
	u32 died_count;
	u8 value[SLUICE_VALUE_SIZE];
	bool has_value;
	struct sluice_block *block;
	struct sluice_word *word;
	struct sluice_grant *stand_in;
	struct list_head dirty;
};

int sluice_resources_init(struct sluice_lockspace *space);
void sluice_resources_exit(struct sluice_lockspace *space);

/**
 * sluice_resources_forget - forget resources that nobody has or wants
 * @space: closed, so that no others come
 * @number: where to go on, 0 at first
 *
 * There may be very many, so the caller lets the lock go in between.
 *
 * Return: whether there may be more.
 */
bool sluice_resources_forget(struct sluice_lockspace *space, u64 *number);

/* Return: memory for a resource, or NULL. */
struct sluice_resource *sluice_resource_new(void);
void sluice_resource_free(struct sluice_resource *resource);

/* Return: the resource of that key, or NULL. */
struct sluice_resource *sluice_resource_find(struct sluice_lockspace *space,
					     const struct sluice_key *key);

/* Return: the first one that is not idle, from that number on, or NULL. */
struct sluice_resource *sluice_resource_from(struct sluice_lockspace *space,
					     u64 number);

/**
 * sluice_resource_add - find a resource, or put a new one in its place
 * @space: the lockspace
 * @key: of the resource
 * @pin: of its file, or NULL
 * @user: charged for it, if there was none
 * @spare: becomes the resource and is set to NULL, if there is no memory of it;
 *	NULL if that was not to be had
 *
 * Return: the resource, to be settled if it is not used; ERR_PTR(-EDQUOT),
 * ERR_PTR(-ENOMEM), or ERR_PTR(-EBADF) if the lockspace is closed, by another
 * thread, since this call found it.
 */
struct sluice_resource *sluice_resource_add(struct sluice_lockspace *space,
					    const struct sluice_key *key,
					    struct sluice_pin *pin,
					    struct sluice_user *user,
					    struct sluice_resource **spare);

/* Revoke what was disowned of its block; remove it if nothing needs it. */
void sluice_resource_settle(struct sluice_resource *resource);

/* Let the waiters of @resource be looked at when @dirty is worked off. */
static inline void sluice_resource_dirty(struct sluice_resource *resource,
					 struct list_head *dirty)
{
	if (list_empty(&resource->dirty))
		list_add_tail(&resource->dirty, dirty);
}

/**
 * sluice_resource_mark - remember that a range was left by who died
 * @resource: it is of
 * @grant: no longer held; consumed
 * @lost: declared unrecoverable, rather
 */
void sluice_resource_mark(struct sluice_resource *resource,
			  struct sluice_grant *grant, bool lost);

/**
 * sluice_resource_may_unmark - is there room for the marks that this leaves?
 * @resource: it is of
 * @start: first byte
 * @last: last byte
 * @cuts: marks that become two by what the caller is going to do before, 0 at
 *	first; those of this range are added
 *
 * Return: false if there were too many. Where none becomes two there is room.
 */
bool sluice_resource_may_unmark(const struct sluice_resource *resource,
				u64 start, u64 last, u32 *cuts);

/**
 * sluice_resource_unmark - forget that
 * @resource: it is of
 * @start: first byte
 * @last: last byte
 * @spares: become what is left behind the range of a mark that was also left
 *	before it: one for each kind
 *
 * Return: whether any of it was declared unrecoverable.
 */
bool sluice_resource_unmark(struct sluice_resource *resource, u64 start,
			    u64 last, struct sluice_grant **spares);

/* Return: SLUICE_OWNER_DIED and SLUICE_UNRECOVERABLE, as it is of the range. */
u32 sluice_resource_status(const struct sluice_resource *resource, u64 start,
			   u64 last);

#endif
