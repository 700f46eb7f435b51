// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registries: what there is in each network namespace, for whoever tells of it.
 *
 * Channels, lockspaces and holders are in the registry of the namespace they
 * were made in, named or not, from when they are ready until they are freed.
 * An entry holds no reference, neither to what it is part of nor to the
 * namespace: what is going counts as gone, and when the namespace goes first,
 * nobody is left to be told.
 *
 * Numbers grow, so a tour can be taken up after the last number it saw: it
 * misses nothing that was there all the time, and comes to an end.
 *
 * Locks: registry_lock guards all registries. It is a leaf.
 */
#include <linux/mutex.h>
#include <net/netns/generic.h>

#include "registry.h"

struct registry_net {
	struct net *net;
	struct rb_root trees[SLUICE_REGISTRY_COUNT];
	u64 changes[SLUICE_REGISTRY_COUNT];
};

static unsigned int registry_net_id;
static DEFINE_MUTEX(registry_lock);

static struct sluice_entry *entry_of(struct rb_node *node)
{
	return rb_entry_safe(node, struct sluice_entry, node);
}

static bool entry_before(struct rb_node *a, const struct rb_node *b)
{
	return entry_of(a)->id < rb_entry(b, struct sluice_entry, node)->id;
}

void sluice_registry_add(struct net *net, struct sluice_entry *entry,
			 enum sluice_registry_kind kind, u64 id,
			 struct kref *ref)
{
	struct registry_net *home = net_generic(net, registry_net_id);

	entry->kind = kind;
	entry->id = id;
	entry->ref = ref;
	mutex_lock(&registry_lock);
	WRITE_ONCE(entry->home, home);
	rb_add(&entry->node, &home->trees[kind], entry_before);
	home->changes[kind]++;
	mutex_unlock(&registry_lock);
}

static void entry_remove(struct sluice_entry *entry)
{
	struct registry_net *home = entry->home;

	lockdep_assert_held(&registry_lock);
	rb_erase(&entry->node, &home->trees[entry->kind]);
	home->changes[entry->kind]++;
	WRITE_ONCE(entry->home, NULL);
}

void sluice_registry_remove(struct sluice_entry *entry)
{
	mutex_lock(&registry_lock);
	if (entry->home)
		entry_remove(entry);
	mutex_unlock(&registry_lock);
}

struct sluice_entry *sluice_registry_next(struct net *net,
					  enum sluice_registry_kind kind,
					  u64 id)
{
	struct registry_net *home = net_generic(net, registry_net_id);
	struct sluice_entry *next = NULL;
	struct rb_node *node;

	mutex_lock(&registry_lock);
	node = home->trees[kind].rb_node;
	while (node) {
		if (entry_of(node)->id > id) {
			next = entry_of(node);
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	while (next && !kref_get_unless_zero(next->ref))
		next = entry_of(rb_next(&next->node));
	mutex_unlock(&registry_lock);
	return next;
}

u64 sluice_registry_changes(struct net *net, enum sluice_registry_kind kind)
{
	struct registry_net *home = net_generic(net, registry_net_id);

	return READ_ONCE(home->changes[kind]);
}

void sluice_registry_changed(struct sluice_entry *entry)
{
	mutex_lock(&registry_lock);
	if (entry->home)
		entry->home->changes[entry->kind]++;
	mutex_unlock(&registry_lock);
}

struct net *sluice_registry_net(const struct sluice_entry *entry)
{
	struct net *net = NULL;

	mutex_lock(&registry_lock);
	if (entry->home)
		net = maybe_get_net(entry->home->net);
	mutex_unlock(&registry_lock);
	return net;
}

static int __net_init registry_net_init(struct net *net)
{
	struct registry_net *home = net_generic(net, registry_net_id);
	enum sluice_registry_kind kind;

	home->net = net;
	for (kind = 0; kind < SLUICE_REGISTRY_COUNT; kind++)
		home->trees[kind] = RB_ROOT;
	return 0;
}

static void __net_exit registry_net_exit(struct net *net)
{
	struct registry_net *home = net_generic(net, registry_net_id);
	enum sluice_registry_kind kind;
	struct rb_node *node;

	mutex_lock(&registry_lock);
	for (kind = 0; kind < SLUICE_REGISTRY_COUNT; kind++)
		while ((node = rb_first(&home->trees[kind])))
			entry_remove(entry_of(node));
	mutex_unlock(&registry_lock);
}

static struct pernet_operations registry_net_ops = {
	.init = registry_net_init,
	.exit = registry_net_exit,
	.id = &registry_net_id,
	.size = sizeof(struct registry_net),
};

int sluice_registry_init(void)
{
	return register_pernet_subsys(&registry_net_ops);
}

void sluice_registry_exit(void)
{
	unregister_pernet_subsys(&registry_net_ops);
}
