/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_REGISTRY_H
#define SLUICE_REGISTRY_H

#include <linux/kref.h>
#include <linux/rbtree.h>
#include <net/net_namespace.h>

struct registry_net;

/* What is told of, each kind by numbers of its own. */
enum sluice_registry_kind {
	SLUICE_REGISTRY_CHANNELS,
	SLUICE_REGISTRY_LOCKSPACES,
	SLUICE_REGISTRY_HOLDERS,
	SLUICE_REGISTRY_COUNT,
};

/**
 * struct sluice_entry - something that is in a registry
 * @node: in the tree, if @home
 * @home: the network namespace's registry; NULL if it is in none, or that has
 *	gone
 * @kind: of it
 * @id: number
 * @ref: of what this is part of
 */
struct sluice_entry {
	struct rb_node node;
	struct registry_net *home;
	enum sluice_registry_kind kind;
	u64 id;
	struct kref *ref;
};

int sluice_registry_init(void);
void sluice_registry_exit(void);

/**
 * sluice_registry_add - let something be found
 * @net: where
 * @entry: zeroed
 * @kind: of it
 * @id: greater than 0, and its own among its kind
 * @ref: of what this is part of, which removes it before it is freed
 */
void sluice_registry_add(struct net *net, struct sluice_entry *entry,
			 enum sluice_registry_kind kind, u64 id,
			 struct kref *ref);

/* If it is in one. */
void sluice_registry_remove(struct sluice_entry *entry);

/* Return: the first one beyond @id, whose reference is the caller's, or NULL. */
struct sluice_entry *sluice_registry_next(struct net *net,
					  enum sluice_registry_kind kind,
					  u64 id);

/* Return: a number that changes when something is added or removed. */
u64 sluice_registry_changes(struct net *net, enum sluice_registry_kind kind);

/* Something of it has changed that is told along. */
void sluice_registry_changed(struct sluice_entry *entry);

/* Return: the namespace it is in, whose reference is the caller's, or NULL. */
struct net *sluice_registry_net(const struct sluice_entry *entry);

#endif
