/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_CHANNEL_H
#define SLUICE_CHANNEL_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/sluice.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "call.h"
#include "object.h"

struct sluice_area;
struct sluice_publisher;
struct sluice_subscriber;

/**
 * struct sluice_channel - a place where messages move
 * @ref: one for all files together, one for each endpoint
 * @object: name, owner, permission; in use: descriptors of the channel and of
 *	its endpoints
 * @config: fixed, checked
 * @map_file: stands behind mappings of kernel pages
 * @area: of @table
 * @table: the member table, read by every endpoint
 * @lock: guards everything below but what says otherwise
 * @generation: given to the last endpoint that joined
 * @seq: changes of the table; read without the lock
 * @publishers: by place, active or left. RCU to read; changed under @lock and
 *	@claims_lock
 * @subscribers: by place, active or evicted; likewise
 * @publisher_count: active; read without the lock, as are those up to
 *	@last_subscriber
 * @subscriber_count: active
 * @left_count: publishers that left and are kept
 * @last_publisher: generation of the one that joined last
 * @last_subscriber: likewise
 * @past_messages: published by those that are gone
 * @past_payload: bytes of these
 * @readers: subscribers that sleep
 * @claims_lock: of a queue, inside @lock: guards all claims
 * @claims_turn: place the next claim looks at first
 * @claimed_count: neither acknowledged nor returned; read without the lock
 */
struct sluice_channel {
	struct kref ref;
	struct sluice_object object;
	struct sluice_config config;
	struct file *map_file;
	struct sluice_area *area;
	struct sluice_members *table;

	struct mutex lock;
	u64 generation;
	u64 seq;
	struct sluice_publisher __rcu **publishers;
	struct sluice_subscriber __rcu **subscribers;
	u32 publisher_count;
	u32 subscriber_count;
	u32 left_count;
	u64 last_publisher;
	u64 last_subscriber;
	u64 past_messages;
	u64 past_payload;
	wait_queue_head_t readers;
	struct mutex claims_lock;
	u32 claims_turn;
	u32 claimed_count;
};

#define sluice_deref(channel, p) \
	rcu_dereference_check(p, lockdep_is_held(&(channel)->lock) || \
			      lockdep_is_held(&(channel)->claims_lock))

static inline struct sluice_channel *
sluice_channel_get(struct sluice_channel *channel)
{
	kref_get(&channel->ref);
	return channel;
}

/**
 * sluice_channel_new - a channel that nobody can find yet
 * @open: its name, mode and owner
 * @config: checked
 *
 * Return: the channel, used by the caller, or an ERR_PTR.
 */
struct sluice_channel *sluice_channel_new(const struct sluice_open *open,
					  const struct sluice_config *config);

void sluice_channel_put(struct sluice_channel *channel);

static inline struct sluice_channel *
sluice_channel_of(struct sluice_object *object)
{
	return container_of(object, struct sluice_channel, object);
}

extern const struct sluice_object_type sluice_channel_type;

bool sluice_is_channel(struct file *file);

/*
 * Bytes of messages published since it was made, as the publishers say. Return:
 * 0, or -EINTR if the caller is killed.
 */
int sluice_channel_payload(struct sluice_channel *channel, u64 *payload);

/* SLUICE_IOC_STAT and SLUICE_IOC_PEER, for channel.c and endpoint.c. */
int sluice_channel_stat(struct sluice_object *object,
			union sluice_object_stat *stat);
long sluice_channel_peer(struct sluice_channel *channel,
			 struct sluice_peer *peer);

static inline bool sluice_is_queue(const struct sluice_channel *channel)
{
	return channel->config.pattern == SLUICE_QUEUE;
}

#endif
