/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subscriber's side of the protocol in doc/memory-model.md. It makes no system
 * calls; what needs one goes through struct sl_reader_ops.
 */
#ifndef SLUICE_RING_READER_H
#define SLUICE_RING_READER_H

#include <sluice/sluice.h>

#include "roster.h"
#include "view.h"

/**
 * struct sl_reader_ops - what the surroundings do for a reader
 * @attach: fill in a view of a publisher's lane; -ESTALE or -ENOENT: it is
 *	gone. The view's bounds are true
 * @segment: map one more pool segment, the view's next; -EPROTO: there is no
 *	such one
 * @unmap: the view is not used any more
 * @detach: SLUICE_IOC_DETACH
 * @wake: SLUICE_IOC_WAKE
 * @claim: SLUICE_IOC_CLAIM; returns how many
 *
 * All return 0 or a negative errno value unless said otherwise.
 */
struct sl_reader_ops {
	int (*attach)(void *context, uint32_t index, uint64_t generation,
		      struct sl_lane_view *view);
	int (*segment)(void *context, uint32_t index, uint64_t generation,
		       struct sl_lane_view *view);
	void (*unmap)(void *context, struct sl_lane_view *view);
	void (*detach)(void *context, uint32_t index, uint64_t generation);
	void (*wake)(void *context, uint32_t index);
	int (*claim)(void *context, struct sluice_claim *claims,
		     uint32_t count);
};

/**
 * struct sl_lane - a publisher that is read, or of which messages are held
 * @view: its memory
 * @index: its place
 * @who: its identity
 * @sender: what messages say of it, in two words
 * @armed: of its entry in the member table
 * @cursor: where it is shown how far it is read
 * @pin: what holds position 0 of it
 * @last: address of the last message's bytes
 * @expected: a guess at the next one's
 * @position: next to be received
 * @shown: what cursor.lanes[].head holds
 * @joined: what was published when this subscriber joined
 * @lost: messages lost since the last one received
 * @held: messages of it that are held
 * @rest: once it has left: how many more there can have been
 * @left: nothing more will be published
 * @gone: the kernel does not keep it any more
 * @ended: not read any more; kept only for what is held
 * @detached: not attached any more
 * @dirty: head has moved since the last full fence
 */
struct sl_lane {
	struct sl_lane_view view;
	uint32_t index;
	struct sl_who who;
	uint64_t sender[2];
	const __u32 *armed;
	struct sluice_cursor_lane *cursor;
	uint64_t pin;
	uintptr_t last;
	uintptr_t expected;
	uint64_t position;
	uint64_t shown;
	uint64_t joined;
	uint64_t lost;
	uint32_t held;
	uint32_t rest;
	bool left;
	bool gone;
	bool ended;
	bool detached;
	bool dirty;
};

/**
 * struct sl_held - a message that the application has
 * @lane: where it is, NULL while the entry is free
 * @serial: of the last use of the entry
 * @token: of its first descriptor
 * @tag: queue: acknowledges it
 * @nfds: how many descriptors
 * @next: free ones: the next one
 */
struct sl_held {
	struct sl_lane *lane;
	uint64_t serial;
	uint64_t token;
	uint64_t tag;
	uint32_t nfds;
	uint32_t next;
};

/**
 * struct sl_place - what the subscriber knows of a place for a publisher
 * @lane: being read, or NULL
 * @finished: generation that will not be read again
 * @corrupt: generation that lied
 */
struct sl_place {
	struct sl_lane *lane;
	uint64_t finished;
	uint64_t corrupt;
};

/**
 * struct sl_reader - a subscriber
 * @cursor: its memory
 * @members: the kernel's table
 * @ops: what the surroundings do
 * @context: for them
 * @config: the channel's
 * @policy: how publishers treat this one
 * @flags: SLUICE_JOIN_*
 * @index: its place
 * @generation: which one it is
 * @prefetch: queue: claims at once
 * @places: one for each place for a publisher
 * @active: lanes being read
 * @actives: how many
 * @sole: the only one, if its publisher waits for this subscriber and there is
 *	nothing else to be seen to
 * @turn: whose turn it is
 * @held: one for each pin
 * @held_free: broadcast: the first free one
 * @helds: how many are used
 * @serial: of the last message held
 * @claims: queue: taken and not yet received
 * @claims_first: the first one
 * @claims_end: after the last one
 * @seq: the table's sequence when @places was brought up to date
 * @again: @places is not: somebody has the place of one who was still read
 * @trouble: why not all lanes could be mapped, 0 if they could
 * @lies: publishers found lying that the caller has not been told of
 * @seen: there has been a publisher
 * @evicted: this subscriber is
 * @evicted_told: and the user has the event
 * @roster: events
 * @bytes: of all messages received
 * @stats: counters
 */
struct sl_reader {
	struct sl_cursor_view cursor;
	const struct sl_members_view *members;
	const struct sl_reader_ops *ops;
	void *context;
	struct sluice_config config;
	uint32_t policy;
	uint32_t flags;
	uint32_t index;
	uint64_t generation;
	uint32_t prefetch;
	struct sl_place *places;
	struct sl_lane **active;
	uint32_t actives;
	struct sl_lane *sole;
	uint32_t turn;
	struct sl_held *held;
	uint32_t held_free;
	uint32_t helds;
	uint64_t serial;
	struct sluice_claim *claims;
	uint32_t claims_first;
	uint32_t claims_end;
	uint64_t seq;
	bool again;
	int trouble;
	uint32_t lies;
	bool seen;
	bool evicted;
	bool evicted_told;
	struct sl_roster roster;
	uint64_t bytes;
	struct sluice_subscriber_stats stats;
};

/**
 * struct sl_reader_setup - what a reader is made of
 * @cursor: its memory
 * @members: outlives the reader
 * @ops: what the surroundings do
 * @context: for them
 * @config: the channel's, valid
 * @policy: how publishers treat this one, not 0
 * @flags: SLUICE_JOIN_*
 * @index: its place
 * @generation: which one it is
 * @prefetch: queue: claims at once, not 0
 */
struct sl_reader_setup {
	struct sl_cursor_view cursor;
	const struct sl_members_view *members;
	const struct sl_reader_ops *ops;
	void *context;
	struct sluice_config config;
	uint32_t policy;
	uint32_t flags;
	uint32_t index;
	uint64_t generation;
	uint32_t prefetch;
};

int sl_reader_init(struct sl_reader *reader,
		   const struct sl_reader_setup *setup);
void sl_reader_deinit(struct sl_reader *reader);

/* Begin and end lanes as the table says: 0 or a negative errno value. */
int sl_reader_update(struct sl_reader *reader);

/* Is it evicted, as its own entry says now? Then what it reads may be anything. */
bool sl_reader_evicted(struct sl_reader *reader);

/* As sluice_subscriber_receive_batch() with deadline 0. */
ssize_t sl_reader_receive(struct sl_reader *reader,
			  struct sluice_message *messages, size_t count);

/* As sluice_subscriber_release_batch(). */
int sl_reader_release(struct sl_reader *reader,
		      struct sluice_message *messages, size_t count);

/* As sluice_subscriber_reject(). */
int sl_reader_reject(struct sl_reader *reader, struct sluice_message *message);

/* What is known of a held message, or NULL. */
struct sl_held *sl_reader_find(const struct sl_reader *reader,
				     const struct sluice_message *message);

/* Who sent a message. */
void sl_message_sender(const struct sluice_message *message,
		       struct sluice_identity *identity);

/* Queue: something that changes when something is published, or the table does. */
uint64_t sl_reader_heads(const struct sl_reader *reader);

/*
 * cursor.member_seen is what the user has been told of, so that poll() reports
 * events until they are fetched; but while it sleeps, what the reader
 * knows of, so that the sleep ends when it has to look.
 */
void sl_reader_sleep(struct sl_reader *reader);
void sl_reader_awake(struct sl_reader *reader);

/* As sluice_subscriber_next_event(), and keeps cursor.member_seen. */
int sl_reader_next_event(struct sl_reader *reader, struct sluice_event *event);

/* Current counters. */
void sl_reader_stats(const struct sl_reader *reader,
		     struct sluice_subscriber_stats *stats);

/*
 * Between reader.c, lane.c and queue.c.
 */

enum sl_look {
	SL_LOOK_READY,	/* the slot is copied */
	SL_LOOK_EMPTY,	/* not yet published */
	SL_LOOK_BUSY,	/* the publisher overtakes: try again */
	SL_LOOK_LIE,
};

/* Copy the slot at the lane's position, after those that are gone. */
enum sl_look sl_lane_look(struct sl_reader *reader, struct sl_lane *lane,
			  struct sluice_slot *slot);

/**
 * sl_lane_check() - may this slot be used?
 * @reader: whose
 * @lane: the slot is of
 * @slot: the copy
 *
 * Return: 0; -EPROTO: it is a lie; -ESTALE: it was given up, with its publisher's
 * place; or another error, that may be gone next time.
 */
int sl_lane_check(struct sl_reader *reader, struct sl_lane *lane,
		  const struct sluice_slot *slot);

/* Attach the publisher at a place, and begin to read it. */
int sl_lane_begin(struct sl_reader *reader, uint32_t index,
		  const struct sl_who *who);

/* The publisher has left: nothing more will be published. */
void sl_lane_left(struct sl_lane *lane);

/* The publisher has left and all is read. */
void sl_lane_end(struct sl_reader *reader, struct sl_lane *lane);

/* The publisher's place was needed, and what was left with it. */
void sl_lane_lost(struct sl_reader *reader, struct sl_lane *lane);

/* The publisher lied: leave it aside. */
void sl_lane_corrupt(struct sl_reader *reader, struct sl_lane *lane);

/* Unmap it; nothing refers to it any more. */
void sl_lane_free(struct sl_reader *reader, struct sl_lane *lane);

/* It is not read any more: be done with it if nothing of it is held either. */
void sl_lane_unused(struct sl_reader *reader, struct sl_lane *lane);

/* Wake the publishers that may wait for what was shown since the last fence. */
void sl_reader_flush(struct sl_reader *reader);

/**
 * sl_message_fill() - what a message says, from the copy of its slot
 * @reader: that receives it
 * @lane: it is of
 * @position: of the message
 * @slot: checked
 * @entry: that holds it
 * @message: out
 */
void sl_message_fill(struct sl_reader *reader, struct sl_lane *lane,
		     uint64_t position, const struct sluice_slot *slot,
		     struct sl_held *entry, struct sluice_message *message);

/*
 * sl_reader_receive() of a queue: how many, 0 if none, or an error. With 0, the
 * lanes of those are ended that left and are finished.
 */
ssize_t sl_queue_receive(struct sl_reader *reader,
			 struct sluice_message *messages, size_t count);

#endif /* SLUICE_RING_READER_H */
