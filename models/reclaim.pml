/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Reclaim: doc/memory-model.md, "Reclaim", and what "Receive" and "Joining" have
 * to do with it. Hazard pointers.
 *
 * A publisher sends MESSAGES through a ring of SLOTS and a pool of one buffer
 * more, so that it is always out of room. A subscriber holds one message at a
 * time. It was there before, or (JOINS=1) joins at some time and wants history.
 * BLOCK=0: what it has not read may be dropped. BLOCK=1: it may not. Either of them may
 * be killed at any step.
 *
 * Shown: who reads a slot gets the descriptor of that very message; who reads a
 * payload gets that message's, and nobody writes there as long as it is held,
 * nor before the read of it is over, in the sense of C11; who blocks loses
 * nothing that was published after JOIN returned.
 */
#ifndef BLOCK
#define BLOCK	0
#endif
#ifndef JOINS
#define JOINS	0
#endif
#ifndef SLOTS
#define SLOTS	1
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif

/* The labels of doc/memory-model.md; 0 takes one away. */
#ifndef F1
#define F1	1
#endif
#ifndef R1
#define R1	1
#endif
#ifndef A1
#define A1	1
#endif
#ifndef A1_FENCE
#define A1_FENCE 1	/* between the copy of a slot and the second look at seq */
#endif
#ifndef R_PIN
#define R_PIN	1	/* the pin is stored with release */
#endif
#ifndef F3
#define F3	1
#endif
#ifndef R2
#define R2	1
#endif
#ifndef A2
#define A2	1
#endif
#ifndef R3
#define R3	1
#endif
#ifndef A3
#define A3	1
#endif
#ifndef R4
#define R4	1
#endif
#ifndef F5
#define F5	1
#endif
#ifndef F6
#define F6	1
#endif
/* Steps that are no fences. */
#ifndef LOOK
#define LOOK	1	/* the subscriber looks at seq again after pinning */
#endif
#ifndef SCAN
#define SCAN	1	/* the publisher looks at the pins */
#endif
#ifndef DROP
#define DROP	1	/* the publisher marks what it wants to reuse */
#endif
#ifndef LOOK_TABLE
#define LOOK_TABLE 1	/* the publisher looks at the table again */
#endif
#ifndef PIN_FIRST
#define PIN_FIRST 1	/* pin before showing the head */
#endif

#define THREADS	2
#define PUBLISHER 0
#define SUBSCRIBER 1
#define BUFFERS	(SLOTS + 1)

#define SEQ(p)		((p) % SLOTS)		/* slot.seq */
#define FIELDS(p)	(SLOTS + (p) % SLOTS)	/* slot.offset and the rest */
#define BUFFER(b)	(2 * SLOTS + (b))	/* payloads */
#define PIN		(2 * SLOTS + BUFFERS)
#define HEAD		(PIN + 1)		/* cursor lane's head */
#define GENERATION	(PIN + 2)		/* cursor lane's generation */
#define TABLE		(PIN + 3)		/* members.seq */
#define LANE		(PIN + 4)		/* lane.head */
#define READ		(PIN + 5)		/* counts the subscriber's reads */
#define LOCS		(PIN + 6)
#ifndef DEPTH
#define DEPTH		10
#endif

#include "memory.pml"

#define SLUICE_SEQ(p)	(((p) + 1) * 2)

/* Who is in the table: nobody before JOIN, the subscriber, nobody after it left. */
#define KNOWN(seq)	((seq) == JOINS)
byte table_seq;

/* What no program knows. */
byte published;
byte at_join;			/* what was published when JOIN returned */
byte buffer_of[MESSAGES];
byte last_read[BUFFERS];	/* READ when a payload was read last */
bool over_all;			/* the publisher is done, or dead */

/* Plain memory: a read must not race with a write, and gets what it is of. */
inline look(b, p)
{
	d_step {
		assert(view[VIEW(SUBSCRIBER, BUFFER(b))] ==
		       newest[BUFFER(b)]);
		assert(values[VALUE(BUFFER(b), newest[BUFFER(b)])] == p + 1);
		newest[READ]++;
		view[VIEW(SUBSCRIBER, READ)] = newest[READ];
		heard[VIEW(SUBSCRIBER, READ)] = newest[READ];
		last_read[b] = newest[READ]
	}
}

/* A write must come after the reads that were before. */
inline scribble(b, p)
{
	assert(view[VIEW(PUBLISHER, READ)] >= last_read[b]);
	store(PUBLISHER, BUFFER(b), p + 1, 0)
}

/* code: kmod/table.c sluice_table_changed() */
inline sluice_table_changed(t)
{
	atomic {
		table_seq++;
		store(t, TABLE, table_seq, 1)
	}
	full_fence(t, F6)
}

/* code: lib/ring/room.c peers_update() */
inline peers_update()
{
	STEP(load(PUBLISHER, TABLE, x, 1); if :: x != seen -> seen = x;
	     known = KNOWN(x) :: else fi; x = 0)
}

/* How far may it go? code: lib/ring/room.c limits_find() peer_head() */
inline limits_find()
{
	limit = head;
	if
	:: known && BLOCK ->
		STEP(load(PUBLISHER, GENERATION, x, A2));
		if
		:: !x -> limit = tail
		:: else ->
			STEP(load(PUBLISHER, HEAD, x, A2));
			limit = (x < limit -> x : limit);
			limit = (limit < tail -> tail : limit)
		fi;
		x = 0
	:: else
	fi;
	/* One, or all at once. */
	if
	:: limit > tail + 1 -> limit = tail + 1
	:: true
	fi
}

/* code: lib/ring/room.c candidates_restore() */
inline candidates_restore()
{
	p = limit;
	do
	:: p > tail ->
		p--;
		STEP(store(PUBLISHER, SEQ(p), SLUICE_SEQ(p), 1))
	:: else -> break
	od
}

/* code: lib/ring/room.c pins_mark() asides_sweep() candidates_drop() */
inline candidates_take()
{
	if
	:: known && SCAN -> STEP(load(PUBLISHER, PIN, x, A3))
	:: else -> x = 0
	fi;
	atomic {
		p = 0;
		do
		:: p < BUFFERS ->
			if
			:: aside[p] && aside[p] != x ->
				aside[p] = 0;
				used[p] = false
			:: else
			fi;
			p++
		:: else -> break
		od;
		do
		:: tail < limit ->
			if
			:: x == tail + 1 -> aside[buffer_of[tail]] = x
			:: else -> used[buffer_of[tail]] = false
			fi;
			tail++
		:: else -> break
		od;
		x = 0;
		p = 0
	}
}

/* code: lib/ring/room.c reclaim() */
inline reclaim()
{
	peers_update();
	limits_find();
	p = tail;
	do
	:: p < limit ->
		if
		:: DROP -> STEP(store(PUBLISHER, SEQ(p), SLUICE_SEQ(p) + 1, 0))
		:: else
		fi;
		p++
	:: else -> break
	od;
	STEP(full_fence(PUBLISHER, F5));
	STEP(load(PUBLISHER, TABLE, x, 1));
	if
	:: LOOK_TABLE && x != seen -> x = 0; candidates_restore()
	:: else -> x = 0; candidates_take()
	fi;
	p = 0;
	limit = 0
}

/* code: lib/ring/writer.c sl_writer_take() */
inline take()
{
	buffer = 0;
	do
	:: buffer < BUFFERS && used[buffer] -> buffer++
	:: else -> break
	od
}

/* code: lib/ring/writer.c publish_one() */
proctype publisher()
{
	byte at, x, p, head, tail, limit, buffer, seen, known;
	bool used[BUFFERS];
	byte aside[BUFFERS];

	known = !JOINS;
	do
	:: head < MESSAGES ->
		atomic { take() }
		if
		:: buffer == BUFFERS || head - tail == SLOTS ->
			buffer = 0;
			reclaim()
		:: else ->
			used[buffer] = true;
			buffer_of[head] = buffer;
			STEP(scribble(buffer, head));
			STEP(store(PUBLISHER, FIELDS(head), head * 4 + buffer, 0));
			buffer = 0;
			STEP(store(PUBLISHER, SEQ(head), SLUICE_SEQ(head), R1);
			     head++; published = head);
			STEP(store(PUBLISHER, LANE, head, 0));
			/* Who joined before this message is seen from here on. */
			STEP(full_fence(PUBLISHER, F1))
		fi
	:: else -> break
	od;
died:
	over_all = true;
	end_thread(PUBLISHER)
}

inline lose(p)
{
	assert(!BLOCK || p < at_join)
}

/*
 * code: kmod/endpoint.c endpoint_enter_table()
 * code: kmod/subscriber.c sluice_subscriber_note_heads()
 * code: lib/ring/lane.c lane_start() lane_add()
 */
inline join()
{
	load(SUBSCRIBER, LANE, x, 0);
	store(SUBSCRIBER, HEAD, x, 0);
	sluice_table_changed(SUBSCRIBER);
	at_join = published;
	position = (x > SLOTS -> x - SLOTS : 0);
	x = 0;
	STEP(store(SUBSCRIBER, HEAD, position, 0));
	STEP(store(SUBSCRIBER, GENERATION, 1, R4))
}

/* Held: read it, and let it go. code: lib/ring/reader.c let_go() */
inline use()
{
	STEP(look(where, position));
	STEP(store(SUBSCRIBER, PIN, 0, R3))
}

/* code: lib/ring/lane.c sl_lane_look() lane_skip() */
/* code: lib/ring/slot.h sl_slot_copy() */
/* code: lib/ring/reader.c lane_hold() confirm() show() */
proctype subscriber()
{
	byte at, x, y, position, where;

	if
	:: JOINS -> join()
	:: else
	fi;
	do
	:: position < MESSAGES ->
		if
		:: published > position
		:: published <= position && over_all -> break
		fi;
		STEP(load(SUBSCRIBER, SEQ(position), x, A1));
		if
		:: x < SLUICE_SEQ(position) -> goto next
		:: x == SLUICE_SEQ(position) + 1 ->
			lose(position);
			position++;
			goto next
		:: x > SLUICE_SEQ(position) + 1 ->
			do
			:: position < (x / 2) - SLOTS ->
				lose(position);
				position++
			:: else -> break
			od;
			goto next
		:: x == SLUICE_SEQ(position)
		fi;
		STEP(load(SUBSCRIBER, FIELDS(position), where, 0));
		STEP(acquire_fence(SUBSCRIBER, A1_FENCE));
		STEP(load(SUBSCRIBER, SEQ(position), y, 0));
		if
		:: x != y -> goto next
		:: else
		fi;
		y = 0;
		assert(where / 4 == position);
		where = where % 4;
		if
		:: !PIN_FIRST -> STEP(store(SUBSCRIBER, HEAD, position + 1, R2))
		:: else
		fi;
		STEP(store(SUBSCRIBER, PIN, position + 1, R_PIN));
		if
		:: !BLOCK && LOOK ->
			STEP(full_fence(SUBSCRIBER, F3));
			STEP(load(SUBSCRIBER, SEQ(position), y, 1));
			if
			:: x != y ->
				STEP(store(SUBSCRIBER, PIN, 0, 1));
				lose(position);
				position++;
				goto next
			:: else
			fi
		:: else
		fi;
		if
		:: PIN_FIRST -> STEP(store(SUBSCRIBER, HEAD, position + 1, R2))
		:: else
		fi;
		use();
		position++;
next:
		x = 0;
		y = 0;
		where = 0
	:: else -> break
	od;
died:
	/* code: kmod/endpoint.c sluice_endpoint_leave() */
	sluice_table_changed(SUBSCRIBER);
	end_thread(SUBSCRIBER)
}

init {
	atomic {
		values[VALUE(GENERATION, 0)] = !JOINS;
		run publisher();
		run subscriber()
	}
}
