// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: what happens, announced in the network namespace where it does.
 *
 * Whoever is in the namespace may listen. So an event names channels, lockspaces
 * and holders by number alone; who may see them gets the rest by a dump. Only a
 * limit that was reached is told with its user.
 *
 * An event that finds no memory, or a listener whose buffer is full, is lost, and
 * the listener is told so: ENOBUFS. Whoever caused it never waits for that.
 *
 * Locks: none of its own; registry_lock.
 */
#include <linux/ktime.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/user_namespace.h>

#include "dump.h"
#include "dump_holder.h"
#include "holder.h"
#include "lockspace.h"
#include "netlink.h"
#include "notify.h"
#include "publisher.h"
#include "quota.h"
#include "resource.h"
#include "subscriber.h"

/* More often is not told that the same publisher waits. */
#define LAG_PERIOD	NSEC_PER_SEC

/* The largest event has a dozen attributes. */
#define EVENT_ROOM	256

/**
 * struct notice - an event on its way
 * @net: where, reference
 * @group: to whom
 * @skb: NULL if it is not to be told, or cannot be
 * @head: of the message
 * @full: an attribute had no room
 */
struct notice {
	struct net *net;
	enum sluice_netlink_group group;
	struct sk_buff *skb;
	void *head;
	int full;
};

static enum sluice_netlink_group event_group(enum sluice_nl_event event)
{
	if (event < SLUICE_NL_EVENT_DEADLOCK)
		return SLUICE_GROUP_LIFECYCLE;
	return event < SLUICE_NL_EVENT_QUOTA ? SLUICE_GROUP_DEADLOCK :
					       SLUICE_GROUP_PRESSURE;
}

static void notice_lost(struct notice *notice)
{
	genl_set_err(&sluice_netlink_family, notice->net, 0, notice->group,
		     -ENOBUFS);
}

static void notice_put(struct notice *notice, int attr, u64 value)
{
	notice->full |= sluice_put_u64(notice->skb, attr, value);
}

static void notice_put_u32(struct notice *notice, int attr, u32 value)
{
	notice->full |= nla_put_u32(notice->skb, attr, value);
}

/* Return: whether to go on; @net is consumed if not, and by notice_end(). */
static bool notice_begin(struct notice *notice, struct net *net,
			 enum sluice_nl_event event)
{
	*notice = (struct notice) { .net = net, .group = event_group(event) };
	if (!net)
		return false;
	if (!genl_has_listeners(&sluice_netlink_family, net, notice->group))
		goto put;
	notice->skb = genlmsg_new(EVENT_ROOM, GFP_KERNEL | __GFP_NOWARN);
	if (!notice->skb)
		goto lost;
	notice->head = genlmsg_put(notice->skb, 0, 0, &sluice_netlink_family, 0,
				   SLUICE_NL_EVENT);
	notice_put_u32(notice, SLUICE_NL_A_EVENT, event);
	notice_put(notice, SLUICE_NL_A_TIME, ktime_get_ns());
	return true;
lost:
	notice_lost(notice);
put:
	put_net(net);
	return false;
}

/* Without waiting for listeners that do not keep up. */
static void notice_end(struct notice *notice)
{
	if (WARN_ON_ONCE(notice->full)) {
		nlmsg_free(notice->skb);
		notice_lost(notice);
	} else {
		genlmsg_end(notice->skb, notice->head);
		genlmsg_multicast_netns(&sluice_netlink_family, notice->net,
					notice->skb, 0, notice->group,
					GFP_NOWAIT | __GFP_NOWARN);
	}
	put_net(notice->net);
}

static int object_attr(const struct sluice_object *object)
{
	return object->entry.kind == SLUICE_REGISTRY_CHANNELS ?
		SLUICE_NL_A_CHANNEL : SLUICE_NL_A_LOCKSPACE;
}

static bool notice_begin_object(struct notice *notice,
				const struct sluice_object *object,
				enum sluice_nl_event event)
{
	if (!notice_begin(notice, sluice_registry_net(&object->entry), event))
		return false;
	notice_put(notice, object_attr(object), object->id);
	return true;
}

static bool notice_begin_endpoint(struct notice *notice,
				  const struct sluice_endpoint *ep,
				  enum sluice_nl_event event)
{
	if (!notice_begin_object(notice, &ep->channel->object, event))
		return false;
	notice_put_u32(notice, SLUICE_NL_A_ROLE, ep->role);
	notice_put_u32(notice, SLUICE_NL_A_INDEX, ep->index);
	notice_put(notice, SLUICE_NL_A_GENERATION, ep->generation);
	return true;
}

void sluice_notify_object(const struct sluice_object *object,
			  enum sluice_nl_event event)
{
	struct notice notice;

	if (notice_begin_object(&notice, object, event))
		notice_end(&notice);
}

void sluice_notify_endpoint(const struct sluice_endpoint *ep,
			    enum sluice_nl_event event)
{
	struct notice notice;

	if (!notice_begin_endpoint(&notice, ep, event))
		return;
	if (event != SLUICE_NL_EVENT_JOINED)
		notice_put_u32(&notice, SLUICE_NL_A_REASON, ep->reason);
	notice_end(&notice);
}

static u64 channel_lag(struct sluice_channel *channel)
{
	struct sluice_subscriber *sub;
	u64 lag = 0;
	u32 i;

	mutex_lock(&channel->lock);
	for (i = 0; i < channel->config.subscribers; i++) {
		sub = sluice_deref(channel, channel->subscribers[i]);
		if (sub && sub->ep.state == SLUICE_ACTIVE)
			lag = max(lag, sluice_subscriber_lag(sub));
	}
	mutex_unlock(&channel->lock);
	return lag;
}

void sluice_notify_lag(struct sluice_publisher *pub)
{
	u64 now = ktime_get_ns(), told = READ_ONCE(pub->lag_told);
	struct notice notice;

	if (told && now - told < LAG_PERIOD)
		return;
	if (!notice_begin_endpoint(&notice, &pub->ep, SLUICE_NL_EVENT_LAG))
		return;
	WRITE_ONCE(pub->lag_told, now);
	notice_put(&notice, SLUICE_NL_A_LAG, channel_lag(pub->ep.channel));
	notice_end(&notice);
}

void sluice_notify_dropped(struct sluice_publisher *pub, u32 count)
{
	struct notice notice;

	if (!count || !notice_begin_endpoint(&notice, &pub->ep,
					     SLUICE_NL_EVENT_DROPPED))
		return;
	notice_put(&notice, SLUICE_NL_A_COUNT, count);
	notice_end(&notice);
}

void sluice_notify_died(const struct sluice_resource *resource,
			const struct sluice_holder *holder)
{
	struct notice notice;

	if (!notice_begin_object(&notice, &resource->space->object,
				 SLUICE_NL_EVENT_OWNER_DIED))
		return;
	notice_put(&notice, SLUICE_NL_A_RESOURCE, resource->number);
	notice_put(&notice, SLUICE_NL_A_HOLDER, holder->id);
	notice_end(&notice);
}

void sluice_notify_deadlock(const struct sluice_lockspace *space, u32 length,
			    const struct sluice_holder *victim)
{
	struct notice notice;

	if (!notice_begin_object(&notice, &space->object,
				 SLUICE_NL_EVENT_DEADLOCK))
		return;
	notice_put(&notice, SLUICE_NL_A_DEADLOCKS, space->deadlock_numbers);
	notice_put_u32(&notice, SLUICE_NL_A_LENGTH, length);
	notice_put(&notice, SLUICE_NL_A_HOLDER, victim->id);
	notice_end(&notice);
}

void sluice_notify_quota(const struct sluice_user *user, enum sluice_res res,
			 u64 n)
{
	struct nsproxy *here = current->nsproxy;
	struct notice notice;

	if (!here || !notice_begin(&notice, get_net(here->net_ns),
				   SLUICE_NL_EVENT_QUOTA))
		return;
	notice_put_u32(&notice, SLUICE_NL_A_UID,
		       from_kuid_munged(notice.net->user_ns,
					sluice_user_uid(user)));
	notice_put_u32(&notice, SLUICE_NL_A_USERNS,
		       sluice_user_ns(user)->ns.inum);
	notice_put_u32(&notice, SLUICE_NL_A_LIMITED, sluice_limited(res));
	notice_put(&notice, SLUICE_NL_A_ASKED, n);
	notice_put(&notice, SLUICE_NL_A_LIMIT, sluice_user_limit(res));
	notice_end(&notice);
}
