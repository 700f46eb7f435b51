// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps of channels, and of their publishers and subscribers.
 *
 * Lock order: see channel.c.
 */
#include <linux/cred.h>
#include <linux/pid.h>

#include "channel.h"
#include "dump_channel.h"
#include "endpoint.h"
#include "publisher.h"
#include "subscriber.h"
#include "table.h"

static struct sluice_channel *channel_of(struct sluice_entry *entry)
{
	return container_of(entry, struct sluice_channel, object.entry);
}

static void channel_put(struct sluice_entry *entry)
{
	sluice_channel_put(channel_of(entry));
}

/* Can the caller open it, or could, and does he want it? */
static bool channel_wanted(struct sluice_dump *dump,
			   struct sluice_channel *channel)
{
	return atomic_read(&channel->object.files) &&
		sluice_dump_wants_name(dump, &channel->object) &&
		sluice_object_visible(&channel->object);
}

static int put_config(struct sk_buff *skb, const struct sluice_config *config)
{
	return nla_put_u32(skb, SLUICE_NL_A_PATTERN, config->pattern) ||
		nla_put_u32(skb, SLUICE_NL_A_POLICY, config->policy) ||
		nla_put_u32(skb, SLUICE_NL_A_SLOTS, config->slots) ||
		nla_put_u32(skb, SLUICE_NL_A_PUBLISHERS_MAX,
			    config->publishers) ||
		nla_put_u32(skb, SLUICE_NL_A_SUBSCRIBERS_MAX,
			    config->subscribers) ||
		nla_put_u32(skb, SLUICE_NL_A_HELD_MAX, config->held) ||
		nla_put_u32(skb, SLUICE_NL_A_HISTORY, config->history);
}

static int put_channel_stat(struct sk_buff *skb, const struct sluice_stat *stat)
{
	return nla_put_u32(skb, SLUICE_NL_A_PUBLISHERS, stat->publishers) ||
		nla_put_u32(skb, SLUICE_NL_A_SUBSCRIBERS, stat->subscribers) ||
		nla_put_u32(skb, SLUICE_NL_A_LEFT, stat->left) ||
		sluice_put_u64(skb, SLUICE_NL_A_MESSAGES, stat->messages) ||
		sluice_put_u64(skb, SLUICE_NL_A_BYTES, stat->pool) ||
		nla_put_u32(skb, SLUICE_NL_A_FDS, stat->fds);
}

static int channel_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_channel *channel = channel_of(entry);
	struct sluice_object *object = &channel->object;
	union sluice_object_stat stat;
	u64 payload;
	void *head;

	if (!channel_wanted(dump, channel) ||
	    !sluice_dump_wants_uid(dump, object->uid))
		return 0;
	if (sluice_channel_stat(object, &stat) ||
	    sluice_channel_payload(channel, &payload))
		return -EINTR;
	head = sluice_dump_begin(dump);
	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		sluice_put_object(dump, SLUICE_NL_A_CHANNEL, object) ||
		put_config(dump->skb, &channel->config) ||
		put_channel_stat(dump->skb, &stat.channel) ||
		sluice_put_u64(dump->skb, SLUICE_NL_A_PAYLOAD, payload));
}

const struct sluice_dump_type sluice_dump_channels = {
	.cmd = SLUICE_NL_CHANNELS,
	.kind = SLUICE_REGISTRY_CHANNELS,
	.filters = SLUICE_DUMP_FILTER(CHANNEL) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(UID),
	.put = channel_put,
	.tell = channel_tell,
};

/*
 * Endpoints. The cursor is a place, publishers' first, and counts from 1.
 */
static bool endpoint_wanted(struct sluice_dump *dump,
			    const struct sluice_endpoint *ep)
{
	if (sluice_dump_asks(dump, SLUICE_DUMP_FILTER(ROLE)) &&
	    ep->role != dump->role)
		return false;
	return sluice_dump_wants_uid(dump, ep->uid) &&
		sluice_dump_wants_pid(dump, ep->pid);
}

static int put_endpoint(struct sk_buff *skb, struct sluice_endpoint *ep)
{
	u64 asleep = READ_ONCE(ep->asleep);

	return nla_put_u32(skb, SLUICE_NL_A_ROLE, ep->role) ||
		nla_put_u32(skb, SLUICE_NL_A_INDEX, ep->index) ||
		sluice_put_u64(skb, SLUICE_NL_A_GENERATION, ep->generation) ||
		nla_put_u32(skb, SLUICE_NL_A_STATE, ep->state) ||
		(ep->state != SLUICE_ACTIVE &&
		 nla_put_u32(skb, SLUICE_NL_A_REASON, ep->reason)) ||
		sluice_put_u64(skb, SLUICE_NL_A_CREATED, ep->joined) ||
		(asleep && sluice_put_u64(skb, SLUICE_NL_A_SLEEPING, asleep));
}

static int put_publisher(struct sk_buff *skb, struct sluice_publisher *pub)
{
	return sluice_put_u64(skb, SLUICE_NL_A_MESSAGES,
			      READ_ONCE(pub->lane->head)) ||
		sluice_put_u64(skb, SLUICE_NL_A_PAYLOAD,
			       READ_ONCE(pub->lane->bytes)) ||
		sluice_put_u64(skb, SLUICE_NL_A_BYTES, pub->pool) ||
		nla_put_u32(skb, SLUICE_NL_A_FDS, READ_ONCE(pub->fds->count));
}

static int put_subscriber(struct sk_buff *skb, struct sluice_subscriber *sub)
{
	return nla_put_u32(skb, SLUICE_NL_A_POLICY, sub->policy) ||
		sluice_put_u64(skb, SLUICE_NL_A_MESSAGES,
			       READ_ONCE(sub->cursor->received)) ||
		sluice_put_u64(skb, SLUICE_NL_A_PAYLOAD,
			       READ_ONCE(sub->cursor->bytes)) ||
		sluice_put_u64(skb, SLUICE_NL_A_LOST,
			       READ_ONCE(sub->cursor->lost)) ||
		nla_put_u32(skb, SLUICE_NL_A_HELD,
			    READ_ONCE(sub->cursor->held)) ||
		sluice_put_u64(skb, SLUICE_NL_A_LAG,
			       sluice_subscriber_lag(sub));
}

static int endpoint_tell(struct sluice_dump *dump, struct sluice_endpoint *ep)
{
	struct sluice_object *object = &ep->channel->object;
	struct sk_buff *skb = dump->skb;
	void *head = sluice_dump_begin(dump);

	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		sluice_put_u64(skb, SLUICE_NL_A_CHANNEL, object->id) ||
		(object->name.len &&
		 sluice_put_text(skb, SLUICE_NL_A_NAME, object->name.bytes,
				 object->name.len)) ||
		sluice_put_process(dump, ep->pid, ep->uid, ep->comm) ||
		put_endpoint(skb, ep) ||
		(ep->role == SLUICE_PUBLISHER ?
		 put_publisher(skb, sluice_publisher(ep)) :
		 put_subscriber(skb, sluice_subscriber(ep))));
}

static struct sluice_endpoint *endpoint_at(struct sluice_channel *channel, u32 at)
{
	u32 publishers = channel->config.publishers;

	return at < publishers ?
		sluice_table_at(channel, SLUICE_PUBLISHER, at) :
		sluice_table_at(channel, SLUICE_SUBSCRIBER, at - publishers);
}

static int endpoints_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_channel *channel = channel_of(entry);
	u32 places = channel->config.publishers + channel->config.subscribers;
	struct sluice_endpoint *ep;
	int ret = 0;
	u32 n = 0;

	if (!channel_wanted(dump, channel))
		return 0;
	if (mutex_lock_killable(&channel->lock))
		return -EINTR;
	while (!ret && dump->cursor.at < places) {
		ep = endpoint_at(channel, dump->cursor.at);
		if (ep && endpoint_wanted(dump, ep))
			ret = endpoint_tell(dump, ep);
		if (!ret)
			dump->cursor.at++;
		if (!ret && ++n == SLUICE_DUMP_BUDGET)
			ret = -EAGAIN;
	}
	mutex_unlock(&channel->lock);
	return ret;
}

const struct sluice_dump_type sluice_dump_endpoints = {
	.cmd = SLUICE_NL_ENDPOINTS,
	.kind = SLUICE_REGISTRY_CHANNELS,
	.filters = SLUICE_DUMP_FILTER(CHANNEL) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(ROLE) | SLUICE_DUMP_FILTER(UID) |
		   SLUICE_DUMP_FILTER(PID),
	.put = channel_put,
	.tell = endpoints_tell,
};
