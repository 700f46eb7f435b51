/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel does, in plain memory: member table, lanes, cursors, queue
 * claims, sleeping and waking. It lets the ring code run natively, with threads
 * for processes, under any sanitizer.
 *
 * It is written from doc/memory-model.md and not from the module, so that a
 * misunderstanding on either side shows.
 */
#ifndef SLUICE_TESTS_FAKE_H
#define SLUICE_TESTS_FAKE_H

#include <pthread.h>

#include "ring/reader.h"
#include "ring/writer.h"

#define FAKE_PLACES	8
#define FAKE_HELD	32

struct fake;

/**
 * struct fake_publisher - a publisher's memory, and the kernel's knowledge of it
 * @fake: of which channel
 * @lane: ring and segments
 * @room: signalled with member.room
 * @no_segments: pretend that mapping a segment fails with this error
 * @left: bytes of a segment that growing adds first, whatever comes of the rest
 * @mapping: called when a subscriber maps a segment, in the middle of receiving
 * @fds: descriptors in flight
 * @token: of the next one
 * @next: queue: first position not claimed
 * @finished: queue: acknowledged, by slot
 * @returned: queue: to be claimed again, by slot
 * @writer: the code under test
 */
struct fake_publisher {
	struct fake *fake;
	struct sl_lane_view lane;
	pthread_cond_t room;
	int no_segments;
	uint64_t left;
	void (*mapping)(void);
	int fds;
	uint64_t token;
	uint64_t next;
	bool *finished;
	bool *returned;
	struct sl_writer writer;
};

/* One claim of a subscriber. */
struct fake_claim {
	uint64_t tag;
	uint64_t position;
	uint32_t lane;
};

/**
 * struct fake_subscriber - a subscriber's memory, likewise
 * @fake: of which channel
 * @cursor: its memory
 * @claims: queue: by pin
 * @no_attach: pretend that attaching fails with this error
 * @detached: generations it has detached, by place
 * @detaching: called when it detaches one, in the middle of receiving
 * @reader: the code under test
 * @next: the next of those dismissed
 */
struct fake_subscriber {
	struct fake *fake;
	struct sl_cursor_view cursor;
	struct fake_claim claims[FAKE_HELD];
	int no_attach;
	uint64_t detached[FAKE_PLACES];
	void (*detaching)(void);
	struct sl_reader reader;
	struct fake_subscriber *next;
};

/**
 * struct fake - a channel
 * @config: what it was made with
 * @members: the table
 * @lock: of everything the kernel would lock
 * @readers: signalled by WAKE and changes
 * @generation: the last one given
 * @tag: the last one given
 * @publishers: by place
 * @subscribers: by place
 * @dismissed: memory of those that left, to be freed at the end
 * @fail_attach: what no_attach of new subscribers is
 * @arms: calls of ARM
 * @wakes: calls of WAKE by publishers
 * @room_wakes: calls of WAKE by subscribers
 * @evictions: calls of EVICT that did
 */
struct fake {
	struct sluice_config config;
	struct sl_members_view members;
	pthread_mutex_t lock;
	pthread_cond_t readers;
	uint64_t generation;
	uint64_t tag;
	struct fake_publisher *publishers[FAKE_PLACES];
	struct fake_subscriber *subscribers[FAKE_PLACES];
	struct fake_subscriber *dismissed;
	int fail_attach;
	int arms;
	int wakes;
	int room_wakes;
	int evictions;
};

/* Zeros in @config take small defaults. */
struct fake *fake_new(const struct sluice_config *config);
void fake_free(struct fake *fake);

struct fake_publisher *fake_publish(struct fake *fake);
struct fake_subscriber *fake_subscribe(struct fake *fake, uint32_t policy,
				       uint32_t flags);

/* The endpoint leaves; what the others have mapped stays until fake_free(). */
void fake_publisher_leave(struct fake_publisher *publisher,
			  enum sluice_reason reason);
void fake_subscriber_leave(struct fake_subscriber *subscriber,
			   enum sluice_reason reason);

/* Its place is free at once, as when nobody has anything of it to read. */
void fake_publisher_vanish(struct fake_publisher *publisher);

/* It leaves, and its memory goes once no publisher looks at it any more. */
void fake_subscriber_dismiss(struct fake_subscriber *subscriber);

/* Put a place into the state in which the kernel is just changing it. */
void fake_in_motion(struct fake *fake, enum sluice_role role, uint32_t index,
		    bool begin);

/**
 * fake_wait_message() - SLUICE_IOC_WAIT of a subscriber
 * @subscriber: whose
 *
 * Return: 0; -EPIPE; -ETIMEDOUT after ten seconds: a wake-up was lost.
 */
int fake_wait_message(struct fake_subscriber *subscriber);

/* SLUICE_IOC_WAIT of a publisher: 0 or -ETIMEDOUT. */
int fake_wait_room(struct fake_publisher *publisher, uint64_t room);

/* Blocking forms as the library has them, over the above. */
int fake_loan(struct fake_publisher *publisher, uint64_t length,
	      struct sluice_loan *loan);
ssize_t fake_receive(struct fake_subscriber *subscriber,
		     struct sluice_message *messages, size_t count);

#endif /* SLUICE_TESTS_FAKE_H */
