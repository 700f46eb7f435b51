/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_ITEM_H
#define SLUICE_ITEM_H

#include "request.h"

/* What a call wants its items for. */
enum sluice_purpose {
	SLUICE_TO_CHANGE,	/* what the holder has */
	SLUICE_TO_LOCK,		/* takes rights to lockspaces and files */
	SLUICE_TO_LOCK_LATER,	/* and the wants outlive the call */
};

/**
 * struct sluice_wants - the items of one call
 * @user: struct sluice_item[@count]
 * @stride: bytes from one to the next
 * @count: of them
 * @backed: some of them with the kernel's own lock
 * @later: the request has them now, and an event will tell its end
 * @wants: what they name
 * @one: if it is one and does not outlive the call
 */
struct sluice_wants {
	u64 user;
	u32 stride;
	u32 count;
	bool backed;
	bool later;
	struct sluice_want *wants;
	struct sluice_want one;
};

/**
 * sluice_wants_get - copy the items of a call in, and find what they name
 * @items: filled in; sluice_wants_free() if this returns 0
 * @holder: called on; the lockspaces' domains are joined to its
 * @user: as called
 * @count: as called
 * @entry_size: as called
 * @purpose: what for
 *
 * Return: 0; -EINVAL, -EFAULT, -EBADF, -EACCES, -ENOMEM, or what is wrong with
 * a file.
 */
int sluice_wants_get(struct sluice_wants *items, struct sluice_holder *holder,
		     u64 user, u32 count, u32 entry_size,
		     enum sluice_purpose purpose);
void sluice_wants_free(struct sluice_wants *items);

/* Do no two overlap? @alike: those that are of one mode may. */
bool sluice_wants_apart(const struct sluice_wants *items, bool alike);

/* Are they of one resource? */
bool sluice_wants_same(const struct sluice_want *a, const struct sluice_want *b);

/**
 * sluice_wants_unite - make one of those that overlap
 * @items: to change what the holder has; those that overlap are alike to the call
 *
 * Else whoever names a million ranges in each of his items would have them all
 * gone through once for each. What is apart is gone through once anyway.
 */
void sluice_wants_unite(struct sluice_wants *items);

/**
 * sluice_wants_tell - write to the caller's items what was granted
 * @request: granted
 * @user: struct sluice_item[@count]
 * @count: of them
 * @stride: bytes from one to the next
 *
 * Return: 0 or -EFAULT.
 */
int sluice_wants_tell(const struct sluice_request *request, u64 user, u32 count,
		      u32 stride);

/*
 * Have the kernel's own locks follow what the holder has of the items now: of
 * whatever it has without them it may have had with them.
 */
void sluice_wants_follow(struct sluice_holder *holder,
			 const struct sluice_wants *items);

/* Likewise once they were tried; @kept: and what was granted is the holder's. */
void sluice_wants_settle(struct sluice_holder *holder,
			 const struct sluice_wants *items, bool kept);

/* Return: 0 and the key of a resource as the ABI names it; -EINVAL, -EBADF. */
int sluice_key_find(struct sluice_key *key, u32 kind, const u8 *bytes, u32 len,
		    int fd);

#endif
