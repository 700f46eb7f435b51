// SPDX-License-Identifier: GPL-2.0-only
/*
 * What publishers and subscribers have in common: joining and leaving, the
 * member table, attaching peers, mapping, sleeping.
 *
 * An endpoint is active from SLUICE_IOC_JOIN until it leaves, by release of its
 * file or the end of the mapping that binds it to a process. It stays in the
 * table for as long as others need its memory (a publisher's unread messages)
 * or itself must be told (an evicted subscriber), and is freed with the last
 * reference.
 *
 * The member table is written under channel->lock alone, except for the two
 * words of an entry that belong to publisher->room_lock. Its readers check an
 * entry's generation before and after. Counting @seq up comes last (release),
 * followed by a full fence: F6 in doc/memory-model.md.
 *
 * Lock order: see channel.c.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "area.h"
#include "endpoint.h"
#include "map.h"
#include "publisher.h"
#include "quota.h"
#include "subscriber.h"

/*
 * What an mmap offset means: kind, place and segment, in units of pages, in
 * few enough bits for mmap2() of 32-bit callers.
 */
enum map_kind {
	MAP_MEMBERS = 1,
	MAP_OWN,
	MAP_PEER,
	MAP_OWN_SEGMENT,
	MAP_PEER_SEGMENT,
};

static u64 map_offset(enum map_kind kind, u32 index, u32 segment)
{
	return ((u64)kind << 24 | index << 8 | segment) << PAGE_SHIFT;
}

static const struct file_operations endpoint_fops;

bool sluice_is_endpoint(struct file *file)
{
	return file->f_op == &endpoint_fops;
}

u32 sluice_endpoint_other(u32 role)
{
	return role == SLUICE_PUBLISHER ? SLUICE_SUBSCRIBER : SLUICE_PUBLISHER;
}

u32 sluice_endpoint_places(const struct sluice_channel *channel, u32 role)
{
	return role == SLUICE_PUBLISHER ? channel->config.publishers :
					  channel->config.subscribers;
}

struct sluice_endpoint *sluice_endpoint_at(struct sluice_channel *channel,
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

void sluice_endpoint_set_at(struct sluice_channel *channel, u32 role,
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

struct sluice_endpoint *sluice_endpoint_get(struct sluice_endpoint *ep)
{
	kref_get(&ep->ref);
	return ep;
}

static void endpoint_free(struct kref *ref)
{
	struct sluice_endpoint *ep =
		container_of(ref, struct sluice_endpoint, ref);

	if (ep->role == SLUICE_PUBLISHER)
		sluice_publisher_free(sluice_publisher(ep));
	else
		sluice_subscriber_free(sluice_subscriber(ep));
	sluice_area_disown(ep->area);
	put_pid(ep->pid);
	kvfree(ep->peers);
	if (ep->user) {
		sluice_uncharge(ep->user, SLUICE_RES_ENDPOINTS, 1);
		sluice_user_put(ep->user);
	}
	sluice_channel_put(ep->channel);
	kfree_rcu(ep, rcu);
}

void sluice_endpoint_put(struct sluice_endpoint *ep)
{
	if (ep)
		kref_put(&ep->ref, endpoint_free);
}

static void endpoint_identify(struct sluice_endpoint *ep)
{
	put_pid(ep->pid);
	ep->pid = get_pid(task_tgid(current));
	ep->uid = current_euid();
	ep->gid = current_egid();
	get_task_comm(ep->comm, current);
}

int sluice_endpoint_init(struct sluice_endpoint *ep,
			 struct sluice_channel *channel, u32 role, u32 flags)
{
	u32 places = sluice_endpoint_places(channel,
					    sluice_endpoint_other(role));
	struct sluice_user *user;
	int ret;

	kref_init(&ep->ref);
	ep->channel = sluice_channel_get(channel);
	ep->role = role;
	ep->flags = flags;
	ep->joined = ktime_get_ns();
	endpoint_identify(ep);
	user = sluice_user_get(current_user_ns(), current_uid());
	if (IS_ERR(user))
		return PTR_ERR(user);
	ret = sluice_charge(user, SLUICE_RES_ENDPOINTS, 1);
	if (ret) {
		sluice_user_put(user);
		return ret;
	}
	ep->user = user;
	ep->peers = kvcalloc(places, sizeof(*ep->peers), GFP_KERNEL_ACCOUNT);
	return ep->peers ? 0 : -ENOMEM;
}

/*
 * The member table. E1: generation 0, then the rest. E2: the rest, then the
 * generation, release; both pair with the reader's acquire of generation
 * before it copies an entry, and the acquire fence before it looks again.
 */
struct sluice_member *sluice_endpoint_entry(const struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	struct sluice_member *entries = (void *)(channel->table + 1);

	if (ep->role == SLUICE_SUBSCRIBER)
		entries += channel->config.publishers;
	return entries + ep->index;
}

void sluice_endpoint_write_entry(struct sluice_endpoint *ep)
{
	struct sluice_member *entry = sluice_endpoint_entry(ep);
	struct sluice_channel *channel = ep->channel;

	lockdep_assert_held(&channel->lock);
	WRITE_ONCE(entry->generation, 0);
	smp_wmb();	/* E1 */
	WRITE_ONCE(entry->state, ep->state);
	WRITE_ONCE(entry->reason, ep->reason);
	WRITE_ONCE(entry->pid, pid_nr_ns(ep->pid, channel->pid_ns));
	WRITE_ONCE(entry->uid, from_kuid_munged(channel->user_ns, ep->uid));
	WRITE_ONCE(entry->gid, from_kgid_munged(channel->user_ns, ep->gid));
	if (ep->role == SLUICE_SUBSCRIBER)
		WRITE_ONCE(entry->policy, sluice_subscriber(ep)->policy);
	smp_store_release(&entry->generation, ep->generation);	/* E2 */
}

/* The place is free; who had it last, and how that ended, can still be read. */
static void entry_clear(struct sluice_endpoint *ep)
{
	struct sluice_member *entry = sluice_endpoint_entry(ep);

	lockdep_assert_held(&ep->channel->lock);
	WRITE_ONCE(entry->generation, 0);
	smp_wmb();	/* E1 */
	memset(entry, 0, sizeof(*entry));
	WRITE_ONCE(entry->reason, ep->reason);
	smp_store_release(&entry->generation, ep->generation);	/* E2 */
}

void sluice_endpoint_changed(struct sluice_channel *channel)
{
	struct sluice_members *table = channel->table;
	struct sluice_publisher *pub;
	u32 i;

	lockdep_assert_held(&channel->lock);
	WRITE_ONCE(table->publishers, channel->publisher_count);
	WRITE_ONCE(table->subscribers, channel->subscriber_count);
	/* E3: entries before seq; pairs with the acquire of who reads seq. */
	smp_store_release(&table->seq, ++channel->seq);
	smp_mb();	/* F6, pairs with a publisher's F5 */
	wake_up_interruptible_all(&channel->readers);
	for (i = 0; i < channel->config.publishers; i++) {
		pub = sluice_deref(channel, channel->publishers[i]);
		if (pub)
			sluice_publisher_wake_room(pub);
	}
}

bool sluice_endpoint_alone(const struct sluice_endpoint *ep)
{
	const struct sluice_channel *channel = ep->channel;
	bool pub = ep->role == SLUICE_PUBLISHER;
	u32 peers = pub ? READ_ONCE(channel->subscriber_count) :
			  READ_ONCE(channel->publisher_count);
	u64 last = pub ? READ_ONCE(channel->last_subscriber) :
			 READ_ONCE(channel->last_publisher);

	return !(ep->flags & SLUICE_JOIN_STAY) && !peers &&
		(ep->had_peer || last > ep->generation);
}

/*
 * Joining.
 */
static int place_find(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	u32 i, places = sluice_endpoint_places(channel, ep->role);

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < places; i++)
		if (!sluice_endpoint_at(channel, ep->role, i))
			return i;
	return ep->role == SLUICE_PUBLISHER ?
		sluice_publisher_evict_history(channel) : -1;
}

static int endpoint_enter_table(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	int index;

	mutex_lock(&channel->lock);
	index = place_find(ep);
	if (index < 0) {
		mutex_unlock(&channel->lock);
		return -EUSERS;
	}
	ep->index = index;
	ep->generation = ++channel->generation;
	ep->state = SLUICE_ACTIVE;
	if (ep->role == SLUICE_PUBLISHER) {
		ep->had_peer = channel->subscriber_count;
		channel->publisher_count++;
		channel->last_publisher = ep->generation;
		sluice_endpoint_entry(ep)->room = sluice_publisher(ep)->room;
		sluice_subscriber_place_taken(channel, index);
	} else {
		ep->had_peer = channel->publisher_count || channel->left_count;
		channel->subscriber_count++;
		channel->last_subscriber = ep->generation;
		sluice_subscriber_note_heads(sluice_subscriber(ep));
	}
	sluice_endpoint_write_entry(ep);
	sluice_endpoint_set_at(channel, ep->role, index,
			       sluice_endpoint_get(ep));
	sluice_endpoint_changed(channel);
	mutex_unlock(&channel->lock);
	return 0;
}

struct file *sluice_endpoint_enter(struct sluice_endpoint *ep)
{
	const char *name = ep->role == SLUICE_PUBLISHER ?
		"[sluice-publisher]" : "[sluice-subscriber]";
	struct file *file;
	int ret;

	atomic_inc(&ep->channel->files);
	file = anon_inode_getfile(name, &endpoint_fops, ep, O_RDWR);
	if (IS_ERR(file)) {
		sluice_channel_unuse(ep->channel);
		sluice_endpoint_put(ep);
		return file;
	}
	ret = endpoint_enter_table(ep);
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	return file;
}

void sluice_endpoint_fill_join(struct sluice_endpoint *ep,
			       struct sluice_join *join)
{
	struct sluice_channel *channel = ep->channel;
	u64 own = map_offset(MAP_OWN, 0, 0);

	memset(join, 0, sizeof(*join));
	join->role = ep->role;
	join->flags = ep->flags;
	join->index = ep->index;
	join->generation = ep->generation;
	join->config = channel->config;
	join->members.offset = map_offset(MAP_MEMBERS, 0, 0);
	join->members.size = channel->area->size;
	join->members.member_size = sizeof(struct sluice_member);
	join->members.publishers_offset = sizeof(struct sluice_members);
	join->members.subscribers_offset = sizeof(struct sluice_members) +
		channel->config.publishers * sizeof(struct sluice_member);
	if (ep->role == SLUICE_PUBLISHER) {
		sluice_publisher_layout(sluice_publisher(ep), &join->lane, own);
	} else {
		join->policy = sluice_subscriber(ep)->policy;
		sluice_subscriber_layout(sluice_subscriber(ep), &join->cursor,
					 own);
	}
}

u64 sluice_endpoint_segment_offset(const struct sluice_endpoint *ep,
				   u32 segment)
{
	return map_offset(MAP_OWN_SEGMENT, ep->index, segment);
}

/*
 * Leaving.
 */
static u32 leave_reason(void)
{
	if (current->flags & PF_KTHREAD)
		return SLUICE_LEFT_EXITED;
	if (!(current->flags & PF_EXITING))
		return SLUICE_LEFT_CLOSED;
	return current->signal->group_exit_code & 0x7f ? SLUICE_LEFT_KILLED :
							 SLUICE_LEFT_EXITED;
}

static void peers_drop(struct sluice_endpoint *ep)
{
	u32 other = sluice_endpoint_other(ep->role), i;

	lockdep_assert_held(&ep->channel->lock);
	for (i = 0; i < sluice_endpoint_places(ep->channel, other); i++) {
		sluice_endpoint_put(ep->peers[i]);
		ep->peers[i] = NULL;
	}
}

void sluice_endpoint_vacate(struct sluice_endpoint *ep)
{
	struct sluice_channel *channel = ep->channel;
	u32 other = sluice_endpoint_other(ep->role), i;
	struct sluice_endpoint *peer;

	lockdep_assert_held(&channel->lock);
	for (i = 0; i < sluice_endpoint_places(channel, other); i++) {
		peer = sluice_endpoint_at(channel, other, i);
		if (!peer || peer->peers[ep->index] != ep)
			continue;
		peer->peers[ep->index] = NULL;
		sluice_endpoint_put(ep);
	}
	sluice_endpoint_set_at(channel, ep->role, ep->index, NULL);
	entry_clear(ep);
	sluice_endpoint_put(ep);
}

void sluice_endpoint_leave(struct sluice_endpoint *ep, u32 reason)
{
	struct sluice_channel *channel = ep->channel;

	mutex_lock(&channel->lock);
	if (ep->state == SLUICE_ACTIVE) {
		ep->reason = reason ?: leave_reason();
		if (ep->role == SLUICE_PUBLISHER)
			sluice_publisher_left(sluice_publisher(ep));
		else
			sluice_subscriber_left(sluice_subscriber(ep));
		peers_drop(ep);
		sluice_endpoint_changed(channel);
	}
	mutex_unlock(&channel->lock);
}

void sluice_endpoint_unmapped(struct sluice_endpoint *ep)
{
	sluice_endpoint_leave(ep, 0);
}

static int endpoint_release(struct inode *inode, struct file *file)
{
	struct sluice_endpoint *ep = file->private_data;
	struct sluice_channel *channel = ep->channel;

	if (ep->generation) {
		sluice_endpoint_leave(ep, 0);
		mutex_lock(&channel->lock);
		if (ep->state == SLUICE_EVICTED) {
			WRITE_ONCE(ep->state, SLUICE_FREE);
			sluice_endpoint_vacate(ep);
			sluice_endpoint_changed(channel);
		}
		mutex_unlock(&channel->lock);
	}
	sluice_channel_unuse(channel);
	sluice_endpoint_put(ep);
	return 0;
}

/*
 * Attaching, and mapping what was attached.
 */
struct sluice_endpoint *sluice_endpoint_peer(struct sluice_endpoint *ep,
					     u32 index, u64 generation)
{
	u32 other = sluice_endpoint_other(ep->role);
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (index >= sluice_endpoint_places(ep->channel, other))
		return NULL;
	peer = ep->peers[index];
	return peer && peer->generation == generation ? peer : NULL;
}

static long attach_locked(struct sluice_endpoint *ep,
			  struct sluice_attach *attach)
{
	u32 other = sluice_endpoint_other(ep->role);
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (attach->index >= sluice_endpoint_places(ep->channel, other))
		return -EINVAL;
	/* An endpoint that left holds on to nobody's memory. */
	if (ep->state != SLUICE_ACTIVE)
		return ep->state == SLUICE_EVICTED ? -ECONNABORTED : -ESHUTDOWN;
	peer = sluice_endpoint_at(ep->channel, other, attach->index);
	if (!peer || peer->state == SLUICE_EVICTED)
		return attach->generation ? -ESTALE : -ENOENT;
	if (attach->generation && attach->generation != peer->generation)
		return -ESTALE;
	if (ep->peers[attach->index] != peer) {
		sluice_endpoint_put(ep->peers[attach->index]);
		ep->peers[attach->index] = sluice_endpoint_get(peer);
	}
	attach->generation = peer->generation;
	if (other == SLUICE_PUBLISHER)
		sluice_publisher_layout(sluice_publisher(peer), &attach->lane,
					map_offset(MAP_PEER, peer->index, 0));
	else
		sluice_subscriber_layout(sluice_subscriber(peer),
					 &attach->cursor,
					 map_offset(MAP_PEER, peer->index, 0));
	return 0;
}

static long endpoint_attach(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_attach *attach = &call->arg.attach;
	long ret;

	if (attach->resv)
		return -EINVAL;
	memset(&attach->lane, 0, sizeof(attach->lane));
	memset(&attach->cursor, 0, sizeof(attach->cursor));
	mutex_lock(&ep->channel->lock);
	ret = attach_locked(ep, attach);
	mutex_unlock(&ep->channel->lock);
	return ret;
}

static long endpoint_detach(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_channel *channel = ep->channel;
	struct sluice_detach *detach = &call->arg.detach;
	u32 other = sluice_endpoint_other(ep->role);
	struct sluice_endpoint *peer;
	long ret = -ESTALE;

	if (detach->resv ||
	    detach->index >= sluice_endpoint_places(channel, other))
		return -EINVAL;
	mutex_lock(&channel->lock);
	peer = sluice_endpoint_peer(ep, detach->index, detach->generation);
	if (peer) {
		ep->peers[detach->index] = NULL;
		sluice_endpoint_put(peer);
		ret = 0;
	}
	peer = sluice_endpoint_at(channel, other, detach->index);
	if (peer && peer->generation == detach->generation) {
		if (ep->role == SLUICE_SUBSCRIBER)
			sluice_subscriber_detached(sluice_subscriber(ep),
						   sluice_publisher(peer));
		ret = 0;
	}
	mutex_unlock(&channel->lock);
	return ret;
}

static struct sluice_publisher *segment_publisher(struct sluice_endpoint *ep,
						  struct sluice_segment *segment)
{
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	if (ep->role == SLUICE_PUBLISHER)
		return segment->index == ep->index &&
			segment->generation == ep->generation ?
			sluice_publisher(ep) : NULL;
	peer = sluice_endpoint_peer(ep, segment->index, segment->generation);
	return peer ? sluice_publisher(peer) : NULL;
}

static long endpoint_segment(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;
	struct sluice_segment *segment = &call->arg.segment;
	struct sluice_publisher *pub;
	long ret = 0;

	mutex_lock(&ep->channel->lock);
	pub = segment_publisher(ep, segment);
	if (!pub) {
		ret = -ESTALE;
	} else if (segment->segment >= pub->segment_count) {
		ret = -ENOENT;
	} else {
		segment->offset = ep->role == SLUICE_PUBLISHER ?
			sluice_endpoint_segment_offset(ep, segment->segment) :
			map_offset(MAP_PEER_SEGMENT, segment->index,
				   segment->segment);
		segment->size = pub->segments[segment->segment]->size;
	}
	mutex_unlock(&ep->channel->lock);
	return ret;
}

static struct sluice_endpoint *map_peer(struct sluice_endpoint *ep, u32 index)
{
	u32 other = sluice_endpoint_other(ep->role);

	lockdep_assert_held(&ep->channel->lock);
	return index < sluice_endpoint_places(ep->channel, other) ?
		ep->peers[index] : NULL;
}

static struct sluice_area *map_segment(struct sluice_endpoint *ep, u32 segment)
{
	if (!ep || ep->role != SLUICE_PUBLISHER ||
	    segment >= sluice_publisher(ep)->segment_count)
		return NULL;
	return sluice_publisher(ep)->segments[segment];
}

static struct sluice_area *map_area(struct sluice_endpoint *ep, u64 pgoff)
{
	u32 segment = pgoff & 0xff, index = pgoff >> 8 & 0xffff;
	struct sluice_endpoint *peer;

	lockdep_assert_held(&ep->channel->lock);
	switch (pgoff >> 24) {
	case MAP_MEMBERS:
		return index || segment ? NULL : ep->channel->area;
	case MAP_OWN:
		return index || segment ? NULL : ep->area;
	case MAP_PEER:
		peer = map_peer(ep, index);
		return segment || !peer ? NULL : peer->area;
	case MAP_OWN_SEGMENT:
		return index == ep->index ? map_segment(ep, segment) : NULL;
	case MAP_PEER_SEGMENT:
		return map_segment(map_peer(ep, index), segment);
	default:
		return NULL;
	}
}

/* The ring or cursor is mapped: the endpoint is this process's from now on. */
static void endpoint_bind(struct sluice_endpoint *ep, struct mm_struct *mm)
{
	lockdep_assert_held(&ep->channel->lock);
	ep->mm = mm;
	if (ep->pid == task_tgid(current))
		return;
	endpoint_identify(ep);
	sluice_endpoint_write_entry(ep);
	sluice_endpoint_changed(ep->channel);
}

static int endpoint_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sluice_endpoint *ep = file->private_data;
	struct sluice_channel *channel = ep->channel;
	u32 kind = vma->vm_pgoff >> 24;
	bool own = kind == MAP_OWN || kind == MAP_OWN_SEGMENT;
	struct sluice_area *area;
	int ret;

	mutex_lock(&channel->lock);
	area = map_area(ep, vma->vm_pgoff);
	if (!area)
		ret = -EINVAL;
	else if (ep->state != SLUICE_ACTIVE)
		ret = -ESHUTDOWN;
	else
		ret = sluice_map(vma, area, channel->map_file,
				 own ? ep : NULL, kind == MAP_OWN);
	if (!ret && (kind == MAP_PEER || kind == MAP_PEER_SEGMENT))
		sluice_area_inherit(area, ep->user);
	if (!ret && vma->vm_flags & VM_WRITE && kind == MAP_OWN)
		endpoint_bind(ep, vma->vm_mm);
	mutex_unlock(&channel->lock);
	return ret;
}

/*
 * Sleeping. The order is F2 of doc/memory-model.md: into the queue, arm, full
 * fence, look. schedule() comes only if the look found nothing, and whoever
 * makes @ready true after that finds the sleeper in the queue.
 */
static wait_queue_head_t *endpoint_queue(struct sluice_endpoint *ep)
{
	return ep->role == SLUICE_PUBLISHER ?
		&sluice_publisher(ep)->room_wait : &ep->channel->readers;
}

static bool sleep_over(struct sluice_endpoint *ep,
		       bool (*ready)(struct sluice_endpoint *ep, u64 arg),
		       u64 arg)
{
	bool over;

	rcu_read_lock();
	over = READ_ONCE(ep->state) != SLUICE_ACTIVE || ready(ep, arg);
	rcu_read_unlock();
	return over;
}

long sluice_endpoint_sleep(struct sluice_endpoint *ep, s64 deadline,
			   bool (*ready)(struct sluice_endpoint *ep, u64 arg),
			   u64 arg)
{
	atomic_t *armed = (atomic_t *)&ep->channel->table->armed;
	bool reader = ep->role == SLUICE_SUBSCRIBER;
	bool exclusive = reader && sluice_is_queue(ep->channel);
	wait_queue_head_t *queue = endpoint_queue(ep);
	ktime_t expires = deadline, *timeout = &expires;
	bool counted = false;
	DEFINE_WAIT(wait);
	long ret = 0;

	if (deadline == SLUICE_NO_DEADLINE)
		timeout = NULL;
	for (;;) {
		if (exclusive)
			prepare_to_wait_exclusive(queue, &wait,
						  TASK_INTERRUPTIBLE);
		else
			prepare_to_wait(queue, &wait, TASK_INTERRUPTIBLE);
		if (reader && !counted) {
			atomic_add(2, armed);
			counted = true;
		}
		smp_mb();	/* F2, pairs with a publisher's F1 */
		if (sleep_over(ep, ready, arg))
			break;
		ret = signal_pending(current) ? -ERESTARTSYS : ret;
		if (ret)
			break;
		if (!schedule_hrtimeout_range(timeout, current->timer_slack_ns,
					      HRTIMER_MODE_ABS))
			ret = -ETIMEDOUT;
	}
	finish_wait(queue, &wait);
	if (counted)
		atomic_sub(2, armed);
	if (sleep_over(ep, ready, arg))
		return 0;
	/* It may have been woken for a message that it now leaves to others. */
	if (exclusive)
		wake_up_interruptible(queue);
	return ret;
}

/*
 * Telling.
 */
void sluice_endpoint_tell(struct sluice_endpoint *ep, struct sluice_peer *peer)
{
	struct sluice_publisher *pub;
	struct sluice_subscriber *sub;

	lockdep_assert_held(&ep->channel->lock);
	memset(peer, 0, sizeof(*peer));
	peer->role = ep->role;
	peer->index = ep->index;
	peer->generation = ep->generation;
	peer->state = ep->state;
	peer->reason = ep->reason;
	peer->pid = pid_vnr(ep->pid);
	peer->uid = from_kuid_munged(current_user_ns(), ep->uid);
	peer->gid = from_kgid_munged(current_user_ns(), ep->gid);
	peer->joined = ep->joined;
	BUILD_BUG_ON(sizeof(peer->comm) != sizeof(ep->comm));
	memcpy(peer->comm, ep->comm, sizeof(peer->comm));
	if (ep->role == SLUICE_PUBLISHER) {
		pub = sluice_publisher(ep);
		peer->head = READ_ONCE(pub->lane->head);
		peer->pool = pub->pool;
		peer->fds = READ_ONCE(pub->fds.count);
	} else {
		sub = sluice_subscriber(ep);
		peer->policy = sub->policy;
		peer->head = READ_ONCE(sub->cursor->received);
		peer->lost = READ_ONCE(sub->cursor->lost);
		peer->held = READ_ONCE(sub->cursor->held);
		peer->lag = sluice_subscriber_lag(sub);
	}
}

static long endpoint_stat(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;

	sluice_channel_stat(ep->channel, &call->arg.stat);
	return 0;
}

static long endpoint_peer(struct sluice_call *call)
{
	struct sluice_endpoint *ep = call->file->private_data;

	return sluice_channel_peer(ep->channel, &call->arg.peer);
}

static const struct sluice_ioctl endpoint_ioctls[] = {
	{ SLUICE_IOC_STAT, endpoint_stat },
	{ SLUICE_IOC_PEER, endpoint_peer },
	{ SLUICE_IOC_ATTACH, endpoint_attach },
	{ SLUICE_IOC_DETACH, endpoint_detach },
	{ SLUICE_IOC_SEGMENT, endpoint_segment },
};

static long endpoint_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	struct sluice_endpoint *ep = file->private_data;
	long ret;

	ret = sluice_call_run(endpoint_ioctls, ARRAY_SIZE(endpoint_ioctls),
			      file, cmd, arg);
	if (ret != -ENOTTY)
		return ret;
	return ep->role == SLUICE_PUBLISHER ?
		sluice_call_run(sluice_publisher_ioctls,
				sluice_publisher_ioctl_count, file, cmd, arg) :
		sluice_call_run(sluice_subscriber_ioctls,
				sluice_subscriber_ioctl_count, file, cmd, arg);
}

static __poll_t endpoint_poll(struct file *file, poll_table *pt)
{
	struct sluice_endpoint *ep = file->private_data;

	return ep->role == SLUICE_PUBLISHER ?
		sluice_publisher_poll(sluice_publisher(ep), file, pt) :
		sluice_subscriber_poll(sluice_subscriber(ep), file, pt);
}

static void endpoint_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sluice_endpoint *ep = file->private_data;

	seq_printf(m, "sluice-channel:\t%llu\n", ep->channel->id);
	seq_printf(m, "sluice-role:\t%s\n",
		   ep->role == SLUICE_PUBLISHER ? "publisher" : "subscriber");
	seq_printf(m, "sluice-index:\t%u\n", ep->index);
	seq_printf(m, "sluice-generation:\t%llu\n", ep->generation);
	seq_printf(m, "sluice-state:\t%u\n", READ_ONCE(ep->state));
}

static const struct file_operations endpoint_fops = {
	.owner = THIS_MODULE,
	.release = endpoint_release,
	.poll = endpoint_poll,
	.unlocked_ioctl = endpoint_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = endpoint_mmap,
	.show_fdinfo = endpoint_show_fdinfo,
	.llseek = noop_llseek,
};
