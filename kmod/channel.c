// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: making, finding, permission, and telling about them.
 *
 * A channel can be used as long as there is a descriptor of it or of one of its
 * endpoints. With the last of them goes its name, and what publishers left
 * behind: nobody could attach that any more. The object itself goes with the
 * last endpoint that a mapping or a claim still refers to.
 *
 * Locks, outermost first: mmap_lock (in ->mmap and vm_ops->close);
 * channel->lock; channel->claims_lock; publisher->room_lock (spin) and the
 * wait queues' own. Never is user memory touched under any of them.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/pid_namespace.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "area.h"
#include "channel.h"
#include "endpoint.h"
#include "publisher.h"
#include "quota.h"
#include "subscriber.h"
#include "table.h"

static atomic64_t channel_ids;

/**
 * struct channel_file - a descriptor of a channel
 * @channel: what it refers to
 * @access: SLUICE_READ, SLUICE_WRITE
 */
struct channel_file {
	struct sluice_channel *channel;
	u32 access;
};

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
	if (channel->map_file)
		fput(channel->map_file);
	sluice_area_put(channel->area);
	kvfree(channel->publishers);
	kvfree(channel->subscribers);
	sluice_uncharge(channel->user, SLUICE_RES_CHANNELS, 1);
	sluice_user_put(channel->user);
	put_user_ns(channel->user_ns);
	put_pid_ns(channel->pid_ns);
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

void sluice_channel_unuse(struct sluice_channel *channel)
{
	if (!atomic_dec_and_test(&channel->files))
		return;
	sluice_name_remove(channel);
	sluice_publisher_abandon_all(channel);
	sluice_channel_put(channel);
}

static bool config_value(u32 *value, u32 fallback, u32 max)
{
	if (!*value)
		*value = min(fallback, max);
	return *value <= max;
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

/* Only what chown() would let one do. */
static int channel_owner(struct sluice_channel *channel,
			 const struct sluice_open *open)
{
	bool may_chown = ns_capable(channel->user_ns, CAP_CHOWN);

	channel->uid = current_euid();
	channel->gid = current_egid();
	if (open->uid != SLUICE_ID_DEFAULT) {
		channel->uid = make_kuid(current_user_ns(), open->uid);
		if (!uid_valid(channel->uid))
			return -EINVAL;
		if (!uid_eq(channel->uid, current_euid()) && !may_chown)
			return -EPERM;
	}
	if (open->gid != SLUICE_ID_DEFAULT) {
		channel->gid = make_kgid(current_user_ns(), open->gid);
		if (!gid_valid(channel->gid))
			return -EINVAL;
		if (!in_egroup_p(channel->gid) && !may_chown)
			return -EPERM;
	}
	return 0;
}

static struct sluice_channel *channel_alloc(const struct sluice_config *config)
{
	struct sluice_channel *channel;

	channel = kzalloc(sizeof(*channel), GFP_KERNEL_ACCOUNT);
	if (!channel)
		return NULL;
	kref_init(&channel->ref);
	atomic_set(&channel->files, 1);
	mutex_init(&channel->lock);
	mutex_init(&channel->claims_lock);
	init_waitqueue_head(&channel->readers);
	channel->id = atomic64_inc_return(&channel_ids);
	channel->created = ktime_get_ns();
	channel->config = *config;
	channel->user_ns = get_user_ns(current_user_ns());
	channel->pid_ns = get_pid_ns(task_active_pid_ns(current));
	return channel;
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
	channel->area = sluice_area_new(channel->user, size);
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
	struct sluice_user *user;
	int ret;

	user = sluice_user_get(current_user_ns(), current_uid());
	if (IS_ERR(user))
		return ERR_CAST(user);
	ret = sluice_charge(user, SLUICE_RES_CHANNELS, 1);
	if (ret)
		goto put_user;
	channel = channel_alloc(config);
	if (!channel) {
		ret = -ENOMEM;
		goto uncharge;
	}
	channel->user = user;
	channel->mode = open->mode;
	channel->name.len = open->name_len;
	memcpy(channel->name.bytes, open->name, open->name_len);
	ret = channel_owner(channel, open);
	if (!ret)
		ret = channel_memory(channel);
	if (ret) {
		channel_free(channel);
		return ERR_PTR(ret);
	}
	return channel;
uncharge:
	sluice_uncharge(user, SLUICE_RES_CHANNELS, 1);
put_user:
	sluice_user_put(user);
	return ERR_PTR(ret);
}

static bool channel_permits(struct sluice_channel *channel, u32 access)
{
	umode_t mode = channel->mode;
	umode_t want = (access & SLUICE_READ ? 4 : 0) |
		(access & SLUICE_WRITE ? 2 : 0);

	if (uid_eq(current_euid(), channel->uid))
		mode >>= 6;
	else if (in_egroup_p(channel->gid))
		mode >>= 3;
	return !(want & ~mode) ||
		ns_capable(channel->user_ns, CAP_IPC_OWNER);
}

static struct file *channel_file(struct sluice_channel *channel, u32 access)
{
	struct channel_file *chf;
	struct file *file;

	chf = kmalloc(sizeof(*chf), GFP_KERNEL_ACCOUNT);
	if (!chf)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&channel->files);
	chf->channel = channel;
	chf->access = access;
	file = anon_inode_getfile("[sluice-channel]", &channel_fops, chf,
				  O_RDWR);
	if (IS_ERR(file)) {
		kfree(chf);
		sluice_channel_unuse(channel);
	}
	return file;
}

static int open_check(const struct sluice_open *open)
{
	bool create = open->flags & SLUICE_OPEN_CREATE;

	if (open->flags & ~(SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL) ||
	    open->resv || open->mode & ~0666 ||
	    !open->access || open->access & ~(SLUICE_READ | SLUICE_WRITE))
		return -EINVAL;
	if (open->flags & SLUICE_OPEN_EXCL && !create)
		return -EINVAL;
	if (!open->name_len)
		return create ? 0 : -EINVAL;
	if (open->name_len > SLUICE_NAME_MAX)
		return -ENAMETOOLONG;
	return sluice_name_valid(open->name, open->name_len) ? 0 : -EINVAL;
}

/*
 * Find the channel, or make it; another may do either at the same time. The
 * caller has its use of it.
 */
static struct sluice_channel *channel_find_or_new(struct sluice_open *open)
{
	struct net *net = current->nsproxy->net_ns;
	struct sluice_config config = open->config;
	struct sluice_channel *channel;
	int ret;

	ret = open->flags & SLUICE_OPEN_CREATE ? config_check(&config) : 0;
	if (ret)
		return ERR_PTR(ret);
	for (;;) {
		channel = open->name_len ? sluice_name_find(net, open->name,
							    open->name_len) :
					   NULL;
		if (channel && open->flags & SLUICE_OPEN_EXCL) {
			sluice_channel_unuse(channel);
			return ERR_PTR(-EEXIST);
		}
		if (channel)
			return channel;
		if (!(open->flags & SLUICE_OPEN_CREATE))
			return ERR_PTR(-ENOENT);
		channel = sluice_channel_new(open, &config);
		if (IS_ERR(channel))
			return channel;
		open->created = 1;
		if (!open->name_len || !sluice_name_add(net, channel))
			return channel;
		open->created = 0;
		sluice_channel_unuse(channel);
		if (signal_pending(current))
			return ERR_PTR(-ERESTARTSYS);
	}
}

long sluice_channel_open(struct sluice_call *call)
{
	struct sluice_open *open = &call->arg.open;
	struct sluice_channel *channel;
	struct file *file;
	int ret = open_check(open);

	if (ret)
		return ret;
	open->created = 0;
	channel = channel_find_or_new(open);
	if (IS_ERR(channel))
		return PTR_ERR(channel);
	if (!open->created && !channel_permits(channel, open->access)) {
		sluice_channel_unuse(channel);
		return -EACCES;
	}
	open->config = channel->config;
	file = channel_file(channel, open->access);
	sluice_channel_unuse(channel);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return sluice_call_fd(call, file);
}

static long list_one(struct sluice_list *list, struct sluice_channel *channel,
		     u32 stride, u32 written)
{
	struct sluice_stat stat;

	if (!channel_permits(channel, SLUICE_READ) &&
	    !channel_permits(channel, SLUICE_WRITE))
		return 0;
	list->after_len = channel->name.len;
	memcpy(list->after, channel->name.bytes, SLUICE_NAME_MAX);
	sluice_channel_stat(channel, &stat);
	return sluice_call_entry(list->entries, written, stride, &stat,
				 sizeof(stat)) ?: 1;
}

long sluice_channel_list(struct sluice_call *call)
{
	struct net *net = current->nsproxy->net_ns;
	struct sluice_list *list = &call->arg.list;
	struct sluice_channel *channel;
	u32 stride = sluice_call_stride(list->entry_size, SLUICE_STAT_SIZE_1);
	struct sluice_name seen = {};
	u32 written = 0;
	long ret;

	BUILD_BUG_ON(sizeof(struct sluice_stat) < SLUICE_STAT_SIZE_1);
	if (!list->count || list->after_len > SLUICE_NAME_MAX || !stride ||
	    list->resv)
		return -EINVAL;
	/* The caller is not told of names it may not see, so not list->after. */
	seen.len = list->after_len;
	memcpy(seen.bytes, list->after, SLUICE_NAME_MAX);
	while (written < list->count) {
		channel = sluice_name_next(net, seen.bytes, seen.len);
		if (!channel)
			break;
		seen.len = channel->name.len;
		memcpy(seen.bytes, channel->name.bytes, SLUICE_NAME_MAX);
		ret = list_one(list, channel, stride, written);
		sluice_channel_unuse(channel);
		if (ret < 0)
			return ret;
		written += ret;
		if (signal_pending(current) && !written)
			return -ERESTARTSYS;
		cond_resched();
	}
	list->count = written;
	return 0;
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
		*fds += READ_ONCE(pub->fds.count);
	}
	return messages;
}

void sluice_channel_stat(struct sluice_channel *channel,
			 struct sluice_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->id = channel->id;
	stat->created = channel->created;
	stat->uid = from_kuid_munged(current_user_ns(), channel->uid);
	stat->gid = from_kgid_munged(current_user_ns(), channel->gid);
	stat->mode = channel->mode;
	stat->name_len = channel->name.len;
	memcpy(stat->name, channel->name.bytes, SLUICE_NAME_MAX);
	stat->config = channel->config;
	mutex_lock(&channel->lock);
	stat->publishers = channel->publisher_count;
	stat->subscribers = channel->subscriber_count;
	stat->left = channel->left_count;
	stat->messages = channel_messages(channel, &stat->pool, &stat->fds);
	mutex_unlock(&channel->lock);
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
	ep = sluice_table_at(channel, peer->role, peer->index);
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

static long channel_stat(struct sluice_call *call)
{
	struct channel_file *chf = call->file->private_data;

	sluice_channel_stat(chf->channel, &call->arg.stat);
	return 0;
}

static long channel_peer(struct sluice_call *call)
{
	struct channel_file *chf = call->file->private_data;

	return sluice_channel_peer(chf->channel, &call->arg.peer);
}

static long channel_restrict(struct sluice_call *call)
{
	struct channel_file *chf = call->file->private_data;
	u32 access = call->arg.restrict_.access;
	struct file *file;

	if (call->arg.restrict_.resv || !access)
		return -EINVAL;
	if (access & ~chf->access)
		return access & ~(SLUICE_READ | SLUICE_WRITE) ? -EINVAL :
								-EACCES;
	file = channel_file(chf->channel, access);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return sluice_call_fd(call, file);
}

static long channel_join(struct sluice_call *call)
{
	struct channel_file *chf = call->file->private_data;
	struct sluice_join *join = &call->arg.join;

	if (join->flags & ~SLUICE_JOIN_STAY)
		return -EINVAL;
	switch (join->role) {
	case SLUICE_PUBLISHER:
		if (!(chf->access & SLUICE_WRITE))
			return -EACCES;
		return sluice_publisher_join(call, chf->channel);
	case SLUICE_SUBSCRIBER:
		if (!(chf->access & SLUICE_READ))
			return -EACCES;
		return sluice_subscriber_join(call, chf->channel);
	default:
		return -EINVAL;
	}
}

static const struct sluice_ioctl channel_ioctls[] = {
	{ SLUICE_IOC_STAT, channel_stat },
	{ SLUICE_IOC_PEER, channel_peer },
	{ SLUICE_IOC_RESTRICT, channel_restrict },
	{ SLUICE_IOC_JOIN, channel_join },
};

static long channel_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return sluice_call_run(channel_ioctls, ARRAY_SIZE(channel_ioctls),
			       file, cmd, arg);
}

static int channel_release(struct inode *inode, struct file *file)
{
	struct channel_file *chf = file->private_data;

	sluice_channel_unuse(chf->channel);
	kfree(chf);
	return 0;
}

static const struct file_operations channel_fops = {
	.owner = THIS_MODULE,
	.release = channel_release,
	.unlocked_ioctl = channel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};
