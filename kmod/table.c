// SPDX-License-Identifier: GPL-2.0-only
/*
 * The member table: who has which place, for the kernel and, in the page that
 * every endpoint maps, for the processes.
 *
 * The page is written under channel->lock alone, except for the words of a
 * publisher's entry that belong to publisher->room_lock (armed, room) and to
 * channel->claims_lock (done).
 *
 * E1: generation 0, then the rest of an entry. E2: the rest, then the
 * generation, release; both pair with the reader's acquire of generation
 * before it copies the entry, and the acquire fence before it looks again.
 * Counting @seq up comes last (E3, release), followed by a full fence: F6 in
 * doc/memory-model.md.
 *
 * Lock order: see channel.c.
 */
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/user_namespace.h>

#include "area.h"
#include "publisher.h"
#include "subscriber.h"
#include "table.h"

u32 sluice_table_other(u32 role)
{
	return role == SLUICE_PUBLISHER ? SLUICE_SUBSCRIBER : SLUICE_PUBLISHER;
}

u32 sluice_table_places(const struct sluice_channel *channel, u32 role)
{
	return role == SLUICE_PUBLISHER ? channel->config.publishers :
					  channel->config.subscribers;
}

u32 sluice_table_index(const struct sluice_channel *channel, u32 role,
		       u32 index)
{
	return array_index_nospec(index, sluice_table_places(channel, role));
}

int sluice_table_free(struct sluice_channel *channel, u32 role)
{
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < sluice_table_places(channel, role); i++)
		if (!sluice_table_at(channel, role, i))
			return i;
	return -1;
}

struct sluice_endpoint *sluice_table_at(struct sluice_channel *channel,
					   u32 role, u32 index)
{
	struct sluice_publisher *pub;
	struct sluice_subscriber *sub;

	if (role == SLUICE_PUBLISHER) {
		pub = sluice_deref(channel, channel->publishers[index]);
		return pub ? &pub->ep : NULL;
	}
	sub = sluice_deref(channel, channel->subscribers[index]);
	return sub ? &sub->ep : NULL;
}

void sluice_table_set(struct sluice_channel *channel, u32 role,
			    u32 index, struct sluice_endpoint *ep)
{
	lockdep_assert_held(&channel->lock);
	mutex_lock(&channel->claims_lock);
	if (role == SLUICE_PUBLISHER)
		rcu_assign_pointer(channel->publishers[index],
				   ep ? sluice_publisher(ep) : NULL);
	else
		rcu_assign_pointer(channel->subscribers[index],
				   ep ? sluice_subscriber(ep) : NULL);
	mutex_unlock(&channel->claims_lock);
}

struct sluice_member *sluice_table_entry(const struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	struct sluice_member *entries = (void *)(channel->table + 1);

	if (ep->role == SLUICE_SUBSCRIBER)
		entries += channel->config.publishers;
	return entries + ep->index;
}

void sluice_table_write(struct sluice_endpoint *ep)
{
	struct sluice_member *entry = sluice_table_entry(ep);
	struct sluice_object *maker = &ep->channel->object;

	lockdep_assert_held(&ep->channel->lock);
	WRITE_ONCE(entry->generation, 0);
	smp_wmb();	/* E1 */
	WRITE_ONCE(entry->state, ep->state);
	WRITE_ONCE(entry->reason, ep->reason);
	WRITE_ONCE(entry->pid, pid_nr_ns(ep->pid, maker->pid_ns));
	WRITE_ONCE(entry->uid, from_kuid_munged(maker->user_ns, ep->uid));
	WRITE_ONCE(entry->gid, from_kgid_munged(maker->user_ns, ep->gid));
	if (ep->role == SLUICE_SUBSCRIBER)
		WRITE_ONCE(entry->policy, sluice_subscriber(ep)->policy);
	smp_store_release(&entry->generation, ep->generation);	/* E2 */
}

/* The place is free; who had it last, and how that ended, can still be read. */
static void entry_clear(struct sluice_endpoint *ep)
{
	struct sluice_member *entry = sluice_table_entry(ep);

	lockdep_assert_held(&ep->channel->lock);
	WRITE_ONCE(entry->generation, 0);
	smp_wmb();	/* E1 */
	memset(entry, 0, sizeof(*entry));
	WRITE_ONCE(entry->reason, ep->reason);
	smp_store_release(&entry->generation, ep->generation);	/* E2 */
}

void sluice_table_changed(struct sluice_channel *channel)
{
	struct sluice_members *table = channel->table;
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	sluice_registry_changed(&channel->object.entry);
	WRITE_ONCE(table->publishers, channel->publisher_count);
	WRITE_ONCE(table->subscribers, channel->subscriber_count);
	WRITE_ONCE(channel->seq, channel->seq + 1);
	/* E3: entries before seq; pairs with the acquire of who reads seq. */
	smp_store_release(&table->seq, channel->seq);
	smp_mb();	/* F6, pairs with a publisher's F5 */
	wake_up_interruptible_all(&channel->readers);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			sluice_publisher_wake_room(pub);
	}
}

void sluice_table_vacate(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	u32 other = sluice_table_other(ep->role), i;
	struct sluice_endpoint *peer;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < sluice_table_places(channel, other); i++) {
		peer = sluice_table_at(channel, other, i);
		if (!peer || peer->peers[ep->index] != ep)
			continue;
		peer->peers[ep->index] = NULL;
		sluice_endpoint_put(ep);
	}
	sluice_table_set(channel, ep->role, ep->index, NULL);
	entry_clear(ep);
	sluice_endpoint_put(ep);
}
