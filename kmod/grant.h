/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_GRANT_H
#define SLUICE_GRANT_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "resource.h"

struct sluice_holder;
struct sluice_user;

/**
 * struct sluice_revoked - a grant that was taken back, to be told
 * @news: on the holder's list
 * @space: id of the lockspace
 * @start: first byte
 * @last: last byte
 * @token: it had
 * @error: 0 if its lease ran out, or an errno
 * @mode: it had
 * @key: of the resource
 */
struct sluice_revoked {
	struct list_head news;
	u64 space;
	u64 start;
	u64 last;
	u64 token;
	int error;
	u8 mode;
	struct sluice_key key;
};

/**
 * struct sluice_grant - a range that a holder has in one mode; the domain's lock
 * @rb: in the resource's interval tree
 * @below_last: the last byte of those below it there, and its own
 * @start: first byte
 * @last: last byte
 * @resource: it is of
 * @holder: has it; NULL if it is a mark that the holder died with it
 * @user: charged for it
 * @held: in the holder's tree, unless @fresh
 * @held_modes: of those below it there, and its own
 * @news: on the holder's list of notices, or the resource's of marks
 * @leased: in the holder's tree of leases
 * @since: monotonic nanoseconds
 * @expires: monotonic nanoseconds, 0 for never
 * @token: of an exclusive one
 * @notice: number of the notice, while there is one
 * @serial: growing in the lockspace, new with each change of what it is
 * @revoked: what will be told when it is taken back; of each that may be
 * @mode: enum sluice_mode
 * @below: BIT() of the modes of those below it in the interval tree, and its own;
 *	and whether they are several holders', see grant.c
 * @wanted: the strongest mode others were seen waiting for, since it is what it
 *	is
 * @backed: SLUICE_ITEM_FCNTL, SLUICE_ITEM_FLOCK: what goes with it
 * @fresh: beside what the holder had there, until the caller knows of it
 * @lost: of a mark: declared unrecoverable
 * @stands_in: it belongs to the resource's word, see word.c
 */
struct sluice_grant {
	struct rb_node rb;
	u64 below_last;
	u64 start;
	u64 last;
	struct sluice_resource *resource;
	struct sluice_holder *holder;
	struct sluice_user *user;
	struct rb_node held;
	struct list_head news;
	struct rb_node leased;
	u64 since;
	u64 expires;
	u64 token;
	u64 notice;
	u64 serial;
	struct sluice_revoked *revoked;
	u8 mode;
	u8 held_modes;
	u8 below;
	u8 wanted;
	u8 backed;
	bool fresh;
	bool lost;
	bool stands_in;
};

/* May it be taken from its holder? */
static inline bool sluice_grant_revocable(const struct sluice_grant *grant)
{
	return grant->expires || grant->backed;
}

static inline bool sluice_ranges_overlap(u64 start, u64 last, u64 start2,
					 u64 last2)
{
	return start <= last2 && start2 <= last;
}

/**
 * sluice_grant_new - memory for a grant
 * @user: charged for it
 *
 * Return: the grant, or ERR_PTR(-EDQUOT) or ERR_PTR(-ENOMEM).
 */
struct sluice_grant *sluice_grant_new(struct sluice_user *user);
void sluice_grant_free(struct sluice_grant *grant);

/* The same for one of several spares: one that may be taken back, too. */
struct sluice_grant *sluice_spare_new(struct sluice_user *user);

/* Nobody will be told of its end. */
void sluice_grant_unmind(struct sluice_grant *grant);

/* Nobody's, and of nothing, but for who is charged for it. */
void sluice_grant_reset(struct sluice_grant *grant);
/* The same, with memory that the holder keeps for the next one. */
struct sluice_grant *sluice_grant_take(struct sluice_holder *holder);
void sluice_grant_keep(struct sluice_holder *holder,
		       struct sluice_grant *grant);

/* Let go of that memory. */
void sluice_grant_forget(struct sluice_holder *holder);

/* Let others see a grant whose range, mode and holder are set. */
void sluice_grant_publish(struct sluice_grant *grant);

/* Take a grant from whoever has it; the caller frees it or makes it a mark. */
void sluice_grant_withdraw(struct sluice_grant *grant);

/**
 * sluice_grant_lease - let a grant end at some time, or never
 * @grant: in its holder's tree
 * @expires: monotonic nanoseconds, 0 for never
 */
void sluice_grant_lease(struct sluice_grant *grant, u64 expires);

/* Return: which of a holder's leases ends first, or NULL. */
struct sluice_grant *sluice_grant_leased(const struct sluice_holder *holder);

/* Return: the only grant of a resource, or NULL if there is none or more. */
struct sluice_grant *sluice_grant_only(const struct sluice_resource *resource);

/**
 * sluice_grant_conflict - what stands in the way of a mode
 * @resource: that is wanted
 * @holder: who wants it, whose own grants do not matter
 * @mode: wanted
 * @start: first byte
 * @last: last byte
 * @after: go on after this one; NULL for the first
 *
 * Return: a grant, or NULL.
 */
struct sluice_grant *sluice_grant_conflict(const struct sluice_resource *resource,
					   const struct sluice_holder *holder,
					   u8 mode, u64 start, u64 last,
					   struct sluice_grant *after);

/* The first grant of anybody, or the one after that. */
struct sluice_grant *sluice_grant_any(const struct sluice_resource *resource,
				      struct sluice_grant *after);

/**
 * sluice_grant_after - go on through the grants of a resource
 * @resource: they are of
 * @start: of the one before
 * @serial: of the one before
 *
 * Return: the first one beyond that, by start and serial, or NULL.
 */
struct sluice_grant *sluice_grant_after(const struct sluice_resource *resource,
					u64 start, u64 serial);

/* In order of their starts: a holder's own grants of a resource, in a range. */
struct sluice_grant *sluice_grant_own(const struct sluice_holder *holder,
				      const struct sluice_resource *resource,
				      u64 start, u64 last);
struct sluice_grant *sluice_grant_own_next(struct sluice_grant *grant, u64 last);

/* Has @holder anything in [start, last] that keeps others from @mode? */
bool sluice_grant_blocks(const struct sluice_holder *holder,
			 const struct sluice_resource *resource, u8 mode,
			 u64 start, u64 last);

/* Return: BIT() of each mode in which @holder has some of it. */
u8 sluice_grant_modes(const struct sluice_holder *holder,
		      const struct sluice_resource *resource);

/* Has @holder all of [start, last], in modes that @fits, if not NULL? */
bool sluice_grant_covers(const struct sluice_holder *holder,
			 const struct sluice_resource *resource, u64 start,
			 u64 last, bool (*fits)(u8 mode));

/**
 * sluice_grant_set - change what a holder has of a range
 * @holder: the holder
 * @resource: the resource
 * @start: first byte
 * @last: last byte
 * @mode: that is left, or SLUICE_UNLOCKED
 * @spares: grants to use where one becomes several, SLUICE_SPARES of them; NULL
 *	where used
 *
 * Return: whether anything changed.
 */
bool sluice_grant_set(struct sluice_holder *holder,
		      struct sluice_resource *resource, u64 start, u64 last,
		      u8 mode, struct sluice_grant **spares);

/* The same, but what is alike now and touches stays two: see below. */
bool sluice_grant_set_apart(struct sluice_holder *holder,
			    struct sluice_resource *resource, u64 start,
			    u64 last, u8 mode, struct sluice_grant **spares);

/* What touches a range that has changed may be alike now: make it one. */
void sluice_grant_join(struct sluice_holder *holder,
		       struct sluice_resource *resource, u64 start, u64 last);

/* Two ends of a grant; or of two kinds of marks one, and a new mark. */
#define SLUICE_SPARES	3

/* Return: one of @spares, which has it no more. */
struct sluice_grant *sluice_spare_take(struct sluice_grant **spares);

/*
 * Return: how many spares sluice_grant_set() would use. That holds for each of
 * several ranges that are apart as long as none of them was joined to others.
 */
u32 sluice_grant_set_needs(const struct sluice_holder *holder,
			   const struct sluice_resource *resource, u64 start,
			   u64 last, u8 mode);

/* Make a fresh grant its holder's own, in place of what was there. */
void sluice_grant_settle(struct sluice_grant *grant,
			 struct sluice_grant **spares);

#endif
