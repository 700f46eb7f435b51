// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of channels and lockspaces, scoped to the network namespace as abstract
 * unix sockets are. A name holds no reference to its object: it goes when the
 * object does, and one that is going counts as gone. When the namespace goes
 * first, its objects live on without a name.
 *
 * The names of a namespace are a tree in byte order, so that a listing can be
 * taken up again after the last name it saw, whatever came and went meanwhile.
 *
 * Locks: names_lock guards all trees. It is a leaf.
 */
#include <linux/mutex.h>
#include <net/netns/generic.h>

#include "name.h"
#include "object.h"

struct names_net {
	struct rb_root roots[SLUICE_NAMES_COUNT];
};

static unsigned int names_net_id;
static DEFINE_MUTEX(names_lock);

static struct rb_root *names_of(struct net *net, enum sluice_names kind)
{
	struct names_net *names = net_generic(net, names_net_id);

	return &names->roots[kind];
}

static int names_compare(const u8 *a, u32 alen, const u8 *b, u32 blen)
{
	int diff = memcmp(a, b, min(alen, blen));

	return diff ?: (int)alen - (int)blen;
}

static struct sluice_object *names_object(struct rb_node *node)
{
	return rb_entry(node, struct sluice_object, name.node);
}

bool sluice_name_valid(const u8 *bytes, u32 len)
{
	u32 i;

	if (!len || len > SLUICE_NAME_MAX)
		return false;
	for (i = 0; i < len; i++)
		if (bytes[i] < 0x20 || bytes[i] == 0x7f)
			return false;
	return true;
}

struct sluice_object *sluice_name_find(struct net *net, enum sluice_names kind,
				       const u8 *bytes, u32 len)
{
	struct sluice_object *found = NULL, *object;
	struct rb_node *node;
	int diff;

	mutex_lock(&names_lock);
	node = names_of(net, kind)->rb_node;
	while (node && !found) {
		object = names_object(node);
		diff = names_compare(bytes, len, object->name.bytes,
				     object->name.len);
		if (!diff)
			found = object;
		node = diff < 0 ? node->rb_left : node->rb_right;
	}
	if (found && !sluice_object_use(found))
		found = NULL;
	mutex_unlock(&names_lock);
	return found;
}

struct sluice_object *sluice_name_next(struct net *net, enum sluice_names kind,
				       const u8 *bytes, u32 len)
{
	struct sluice_object *found = NULL, *object;
	struct rb_node *node, *next = NULL;

	mutex_lock(&names_lock);
	node = names_of(net, kind)->rb_node;
	while (node) {
		object = names_object(node);
		if (names_compare(bytes, len, object->name.bytes,
				  object->name.len) < 0) {
			next = node;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	for (; next && !found; next = rb_next(next))
		if (sluice_object_use(names_object(next)))
			found = names_object(next);
	mutex_unlock(&names_lock);
	return found;
}

static void name_unlink(struct sluice_name *name)
{
	lockdep_assert_held(&names_lock);
	if (name->home)
		rb_erase(&name->node, name->home);
	name->home = NULL;
}

int sluice_name_add(struct net *net, struct sluice_object *object)
{
	struct sluice_name *name = &object->name;
	struct rb_root *home = names_of(net, object->type->names);
	struct sluice_object *other;
	struct rb_node **link, *parent;
	int diff;

	mutex_lock(&names_lock);
again:
	parent = NULL;
	for (link = &home->rb_node; *link;
	     link = diff < 0 ? &parent->rb_left : &parent->rb_right) {
		parent = *link;
		other = names_object(parent);
		diff = names_compare(name->bytes, name->len, other->name.bytes,
				     other->name.len);
		if (diff)
			continue;
		if (atomic_read(&other->files)) {
			mutex_unlock(&names_lock);
			return -EEXIST;
		}
		name_unlink(&other->name);
		goto again;
	}
	rb_link_node(&name->node, parent, link);
	rb_insert_color(&name->node, home);
	name->home = home;
	mutex_unlock(&names_lock);
	return 0;
}

void sluice_name_remove(struct sluice_object *object)
{
	mutex_lock(&names_lock);
	name_unlink(&object->name);
	mutex_unlock(&names_lock);
}

static int __net_init names_net_init(struct net *net)
{
	enum sluice_names kind;

	for (kind = 0; kind < SLUICE_NAMES_COUNT; kind++)
		*names_of(net, kind) = RB_ROOT;
	return 0;
}

static void __net_exit names_net_exit(struct net *net)
{
	enum sluice_names kind;
	struct rb_node *node;

	mutex_lock(&names_lock);
	for (kind = 0; kind < SLUICE_NAMES_COUNT; kind++)
		while ((node = rb_first(names_of(net, kind))))
			name_unlink(&names_object(node)->name);
	mutex_unlock(&names_lock);
}

static struct pernet_operations names_net_ops = {
	.init = names_net_init,
	.exit = names_net_exit,
	.id = &names_net_id,
	.size = sizeof(struct names_net),
};

int sluice_names_init(void)
{
	return register_pernet_subsys(&names_net_ops);
}

void sluice_names_exit(void)
{
	unregister_pernet_subsys(&names_net_ops);
}
