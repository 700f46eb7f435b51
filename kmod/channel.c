// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: making them, and telling about them.
 *
 * A channel can be used as long as there is a descriptor of it or of one of its
 * endpoints. With the last of them goes its name, and what publishers left
 * behind: nobody could attach that any more. Its maker pays no longer then. The
 * object itself goes with the last endpoint that a mapping or a claim still
 * refers to; each is charged for as such, and keeps the member table.
 *
 * Locks, outermost first: mmap_lock (in ->mmap and vm_ops->close);
 * channel->lock; channel->claims_lock; publisher->room_lock (spin) and the
 * wait queues' own. Never is user memory touched under any of them.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "area.h"
#include "channel.h"
#include "endpoint.h"
#include "feed.h"
#include "publisher.h"
#include "quota.h"
#include "subscriber.h"
#include "table.h"

static const struct file_operations channel_fops;

/* Keeps the module loaded while memory of it is mapped, and does no more. */
static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
};

bool sluice_is_channel(struct file *file)
{
	return file->f_op == &channel_fops;
}

static void channel_free(struct sluice_channel *channel)
{
	sluice_registry_remove(&channel->object.entry);
	if (channel->map_file)
		fput(channel->map_file);
	sluice_area_put(channel->area);
	kvfree(channel->publishers);
	kvfree(channel->subscribers);
	sluice_object_exit(&channel->object);
	mutex_destroy(&channel->lock);
	mutex_destroy(&channel->claims_lock);
	kfree(channel);
}

static void channel_release_ref(struct kref *ref)
{
	channel_free(container_of(ref, struct sluice_channel, ref));
}

void sluice_channel_put(struct sluice_channel *channel)
{
	kref_put(&channel->ref, channel_release_ref);
}

static void channel_unused(struct sluice_object *object)
{
	struct sluice_channel *channel = sluice_channel_of(object);

	sluice_publisher_abandon_all(channel);
	/* Who still maps its memory keeps that, and the maker cannot help it. */
	sluice_object_uncharge(object);
	sluice_area_disown(channel->area);
	sluice_channel_put(channel);
}

/* A limit may be 0: then there is no such channel. */
static bool config_value(u32 *value, u32 fallback, u32 max)
{
	if (!*value)
		*value = min(fallback, max);
	return *value && *value <= max;
}

static int config_check(struct sluice_config *config)
{
	config->pattern = config->pattern ?: SLUICE_BROADCAST;
	config->policy = config->policy ?: SLUICE_BLOCK;
	config->pool = config->pool ?: 1 << 20;
	if (config->flags || config->pattern > SLUICE_QUEUE ||
	    config->policy > SLUICE_EVICT)
		return -EINVAL;
	if (!config_value(&config->slots, 256, sluice_slots_max()) ||
	    !config_value(&config->publishers, 16, sluice_publishers_max()) ||
	    !config_value(&config->subscribers, 16, sluice_subscribers_max()) ||
	    !config_value(&config->held, 16, sluice_held_max()) ||
	    config->pool > sluice_pool_max())
		return -EINVAL;
	config->pool = PAGE_ALIGN(config->pool);
	config->pool_limit = PAGE_ALIGN(config->pool_limit) ?: config->pool;
	if (config->pool_limit < config->pool ||
	    config->pool_limit > sluice_pool_max())
		return -EINVAL;
	if (!is_power_of_2(config->slots) || config->history >= config->slots ||
	    (config->pattern == SLUICE_QUEUE && config->history))
		return -EINVAL;
	return 0;
}

static int channel_memory(struct sluice_channel *channel)
{
	struct sluice_config *config = &channel->config;
	size_t size = sizeof(struct sluice_members) +
		sizeof(struct sluice_member) *
		(config->publishers + config->subscribers);

	channel->publishers = kvcalloc(config->publishers, sizeof(void *),
				       GFP_KERNEL_ACCOUNT);
	channel->subscribers = kvcalloc(config->subscribers, sizeof(void *),
					GFP_KERNEL_ACCOUNT);
	if (!channel->publishers || !channel->subscribers)
		return -ENOMEM;
	channel->area = sluice_area_new(channel->object.user, size);
	if (IS_ERR(channel->area)) {
		int ret = PTR_ERR(channel->area);

		channel->area = NULL;
		return ret;
	}
	channel->table = channel->area->kaddr;
	channel->map_file = anon_inode_getfile("[sluice-memory]", &memory_fops,
					       NULL, O_RDWR);
	if (IS_ERR(channel->map_file)) {
		int ret = PTR_ERR(channel->map_file);

		channel->map_file = NULL;
		return ret;
	}
	return 0;
}

struct sluice_channel *sluice_channel_new(const struct sluice_open *open,
					  const struct sluice_config *config)
{
	struct sluice_channel *channel;
	int ret;

	channel = kzalloc(sizeof(*channel), GFP_KERNEL_ACCOUNT);
	if (!channel)
		return ERR_PTR(-ENOMEM);
	ret = sluice_object_init(&channel->object, &sluice_channel_type, open);
	if (ret) {
		kfree(channel);
		return ERR_PTR(ret);
	}
	kref_init(&channel->ref);
	mutex_init(&channel->lock);
	mutex_init(&channel->claims_lock);
	init_waitqueue_head(&channel->readers);
	channel->config = *config;
	ret = channel_memory(channel);
	if (ret) {
		channel_free(channel);
		return ERR_PTR(ret);
	}
	return channel;
}

static u64 channel_messages(struct sluice_channel *channel, u64 *pool, u32 *fds)
{
	u64 messages = channel->past_messages;
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (!pub)
			continue;
		messages += READ_ONCE(pub->lane->head);
		*pool += pub->pool;
		*fds += READ_ONCE(pub->fds->count);
	}
	return messages;
}

int sluice_channel_stat(struct sluice_object *object,
			union sluice_object_stat *to)
{
	struct sluice_channel *channel = sluice_channel_of(object);
	struct sluice_stat *stat = &to->channel;

	memset(stat, 0, sizeof(*stat));
	stat->id = object->id;
	stat->created = object->created;
	stat->uid = from_kuid_munged(current_user_ns(), object->uid);
	stat->gid = from_kgid_munged(current_user_ns(), object->gid);
	stat->mode = object->mode;
	stat->name_len = object->name.len;
	memcpy(stat->name, object->name.bytes, SLUICE_NAME_MAX);
	stat->config = channel->config;
	if (mutex_lock_killable(&channel->lock))
		return -EINTR;
	stat->publishers = channel->publisher_count;
	stat->subscribers = channel->subscriber_count;
	stat->left = channel->left_count;
	stat->messages = channel_messages(channel, &stat->pool, &stat->fds);
	mutex_unlock(&channel->lock);
	return 0;
}

int sluice_channel_payload(struct sluice_channel *channel, u64 *payload)
{
	struct sluice_publisher *pub;
	u32 i;

	if (mutex_lock_killable(&channel->lock))
		return -EINTR;
	*payload = channel->past_payload;
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			*payload += READ_ONCE(pub->lane->bytes);
	}
	mutex_unlock(&channel->lock);
	return 0;
}

static struct sluice_endpoint *peer_find(struct sluice_channel *channel,
					 const struct sluice_peer *peer)
{
	struct sluice_endpoint *ep;

	lockdep_assert_held(&channel->lock);
	if (peer->role != SLUICE_PUBLISHER && peer->role != SLUICE_SUBSCRIBER)
		return ERR_PTR(-EINVAL);
	if (peer->index >= sluice_table_places(channel, peer->role))
		return ERR_PTR(-EINVAL);
	ep = sluice_table_at(channel, peer->role,
			     sluice_table_index(channel, peer->role,
						peer->index));
	if (!ep)
		return ERR_PTR(peer->generation ? -ESTALE : -ENOENT);
	if (peer->generation && peer->generation != ep->generation)
		return ERR_PTR(-ESTALE);
	return ep;
}

long sluice_channel_peer(struct sluice_channel *channel,
			 struct sluice_peer *peer)
{
	struct sluice_endpoint *ep;

	mutex_lock(&channel->lock);
	ep = peer_find(channel, peer);
	if (!IS_ERR(ep))
		sluice_endpoint_tell(ep, peer);
	mutex_unlock(&channel->lock);
	return PTR_ERR_OR_ZERO(ep);
}

static struct sluice_channel *channel_of_file(struct file *file)
{
	struct sluice_object_file *of = file->private_data;

	return sluice_channel_of(of->object);
}

static long channel_peer(struct sluice_call *call)
{
	return sluice_channel_peer(channel_of_file(call->file),
				   &call->arg.peer);
}

static long channel_join(struct sluice_call *call)
{
	struct sluice_object_file *of = call->file->private_data;
	struct sluice_channel *channel = sluice_channel_of(of->object);
	struct sluice_join *join = &call->arg.join;

	if (join->flags & ~SLUICE_JOIN_STAY)
		return -EINVAL;
	switch (join->role) {
	case SLUICE_PUBLISHER:
		if (!(of->access & SLUICE_WRITE))
			return -EACCES;
		return sluice_publisher_join(call, channel);
	case SLUICE_SUBSCRIBER:
		if (!(of->access & SLUICE_READ))
			return -EACCES;
		return sluice_subscriber_join(call, channel);
	default:
		return -EINVAL;
	}
}

static long channel_feed(struct sluice_call *call)
{
	struct sluice_object_file *of = call->file->private_data;

	if (!(of->access & SLUICE_READ))
		return -EACCES;
	return sluice_feed_open(call, sluice_channel_of(of->object));
}

static const struct sluice_ioctl channel_ioctls[] = {
	{ SLUICE_IOC_STAT, sluice_object_stat },
	{ SLUICE_IOC_PEER, channel_peer },
	{ SLUICE_IOC_RESTRICT, sluice_object_restrict },
	{ SLUICE_IOC_JOIN, channel_join },
	{ SLUICE_IOC_FEED, channel_feed },
};

static long channel_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return sluice_call_run(channel_ioctls, ARRAY_SIZE(channel_ioctls),
			       file, cmd, arg);
}

static const struct file_operations channel_fops = {
	.owner = THIS_MODULE,
	.release = sluice_object_release,
	.unlocked_ioctl = channel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static int channel_check(struct sluice_call *call)
{
	return config_check(&call->arg.open.config);
}

static struct sluice_object *channel_make(const struct sluice_call *call)
{
	const struct sluice_open *open = &call->arg.open;
	struct sluice_channel *channel;

	channel = sluice_channel_new(open, &open->config);
	return IS_ERR(channel) ? ERR_CAST(channel) : &channel->object;
}

static struct kref *channel_ref(struct sluice_object *object)
{
	return &sluice_channel_of(object)->ref;
}

static void channel_config(const struct sluice_object *object,
			   struct sluice_call *call)
{
	call->arg.open.config =
		container_of(object, struct sluice_channel, object)->config;
}

const struct sluice_object_type sluice_channel_type = {
	.names = SLUICE_NAMES_CHANNELS,
	.registry = SLUICE_REGISTRY_CHANNELS,
	.made = SLUICE_NL_EVENT_CHANNEL_MADE,
	.gone = SLUICE_NL_EVENT_CHANNEL_GONE,
	.res = SLUICE_RES_CHANNELS,
	.file = "[sluice-channel]",
	.fops = &channel_fops,
	.check = channel_check,
	.make = channel_make,
	.config = channel_config,
	.ref = channel_ref,
	.unused = channel_unused,
	.stat = sluice_channel_stat,
	.stat_size = sizeof(struct sluice_stat),
	.stat_size_1 = SLUICE_STAT_SIZE_1,
};
