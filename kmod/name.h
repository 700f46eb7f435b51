/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_NAME_H
#define SLUICE_NAME_H

#include <linux/rbtree.h>
#include <linux/sluice.h>
#include <net/net_namespace.h>

struct sluice_object;

/* Names of different kinds do not meet. */
enum sluice_names {
	SLUICE_NAMES_CHANNELS,
	SLUICE_NAMES_LOCKSPACES,
	SLUICE_NAMES_COUNT,
};

/**
 * struct sluice_name - the name of a channel or lockspace
 * @node: in the namespace's tree, if @home
 * @home: the network namespace's names, NULL if it has no name there
 * @len: bytes
 * @bytes: zero beyond @len
 */
struct sluice_name {
	struct rb_node node;
	struct rb_root *home;
	u32 len;
	u8 bytes[SLUICE_NAME_MAX];
};

int sluice_names_init(void);
void sluice_names_exit(void);

/* Return: whether @bytes can be a name. */
bool sluice_name_valid(const u8 *bytes, u32 len);

/* Return: the object of that name, in use, or NULL. */
struct sluice_object *sluice_name_find(struct net *net, enum sluice_names kind,
				       const u8 *bytes, u32 len);

/* Return: the first object whose name is beyond @bytes, in use, or NULL. */
struct sluice_object *sluice_name_next(struct net *net, enum sluice_names kind,
				       const u8 *bytes, u32 len);

/* Return: 0, or -EEXIST if a living object has that name. */
int sluice_name_add(struct net *net, struct sluice_object *object);
void sluice_name_remove(struct sluice_object *object);

#endif
