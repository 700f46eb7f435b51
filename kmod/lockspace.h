/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_LOCKSPACE_H
#define SLUICE_LOCKSPACE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/rhashtable-types.h>
#include <linux/sluice.h>

#include "object.h"

struct sluice_domain;
struct sluice_resource;
struct sluice_words;

/**
 * struct sluice_lockspace - a set of resources
 * @ref: one for all descriptors together, one for each resource, and of
 *	requests being made
 * @object: name, owner, permission
 * @config: fixed, checked
 * @domain: where it began; the lock guards all that follows
 * @closed: nobody has a descriptor, so nothing is remembered
 * @by_key: resources
 * @recent: the resource that was looked for last, or NULL
 * @by_number: resources, the idle ones, too
 * @resource_count: of those that are not
 * @idle: resources that nobody needs, see resource.c
 * @idle_count: of them
 * @resource_numbers: the last one given
 * @token: the last one given
 * @changes: of what is held, waited for and remembered: serials of those
 * @wants: that are queued, by serial
 * @grants: held
 * @waiting: wants that are queued
 * @granted: ever
 * @blocked: wants that had to wait, ever
 * @died: owners that died, ever
 * @deadlocks: the last ones, see deadlock.c
 * @deadlocks_kept: of them
 * @deadlock_numbers: the last one given
 * @words: see word.c, or NULL
 */
struct sluice_lockspace {
	struct kref ref;
	struct sluice_object object;
	struct sluice_lockspace_config config;
	struct sluice_domain *domain;
	bool closed;
	struct rhashtable by_key;
	struct sluice_resource *recent;
	struct rb_root by_number;
	u64 resource_count;
	struct list_head idle;
	u32 idle_count;
	u64 resource_numbers;
	u64 token;
	u64 changes;
	struct rb_root wants;
	u64 grants;
	u64 waiting;
	u64 granted;
	u64 blocked;
	u64 died;
	struct list_head deadlocks;
	u32 deadlocks_kept;
	u64 deadlock_numbers;
	struct sluice_words *words;
};

extern const struct sluice_object_type sluice_lockspace_type;

static inline struct sluice_lockspace *
sluice_lockspace_of(struct sluice_object *object)
{
	return container_of(object, struct sluice_lockspace, object);
}

/**
 * sluice_lockspace_new - a lockspace that nobody can find yet
 * @open: its name, mode and owner
 * @config: checked
 *
 * Return: the lockspace, used by the caller, or an ERR_PTR.
 */
struct sluice_lockspace *
sluice_lockspace_new(const struct sluice_open *open,
		     const struct sluice_lockspace_config *config);

/**
 * sluice_lockspace_fget - a lockspace by its descriptor
 * @fd: of the caller
 * @access: out: rights the descriptor has
 *
 * Return: a reference, or ERR_PTR(-EBADF) or ERR_PTR(-EINVAL).
 */
struct sluice_lockspace *sluice_lockspace_fget(int fd, u32 *access);

static inline struct sluice_lockspace *
sluice_lockspace_get(struct sluice_lockspace *space)
{
	kref_get(&space->ref);
	return space;
}

void sluice_lockspace_put(struct sluice_lockspace *space);

#endif
