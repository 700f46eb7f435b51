/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Reclaim: doc/memory-model.md, "Reclaim", and what "Receive" and "Joining" have
 * to do with it. Hazard pointers.
 *
 * A publisher sends MESSAGES through a ring of SLOTS and a pool of one buffer
 * more, so that it is always out of room. The last HISTORY are kept for who joins,
 * as long as there is other room. A subscriber holds one message at a
 * time. It was there before, or (JOINS=1) joins at some time.
 * BLOCK=0: what it has not read may be dropped. BLOCK=1: it may not. Either of them may
 * be killed at any step. LAGS=1: somebody else, whose messages may be dropped, reads
 * nothing, so that nothing is passed by everybody.
 *
 * Shown: who reads a slot gets the descriptor of that very message; who reads a
 * payload gets that message's, and nobody writes there as long as it is held,
 * nor before the read of it is over, in the sense of C11; who blocks counts
 * nothing as lost: it gets all that was published after JOIN returned.
 */
#ifndef BLOCK
#define BLOCK	0
#endif
#ifndef JOINS
#define JOINS	0
#endif
#ifndef HISTORY
#define HISTORY	0
#endif
#ifndef LAGS
#define LAGS	0
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
#ifndef SCAN_LAST
#define SCAN_LAST 1	/* and does so after it has looked at the heads */
#endif
#ifndef DROP
#define DROP	1	/* the publisher marks what not everybody has passed */
#endif
#ifndef BEGUN
#define BEGUN	1	/* and knows that who has not begun has passed nothing */
#endif
#ifndef KEEP
#define KEEP	1	/* history is nothing that everybody has passed */
#endif
#ifndef LOOK_FIRST
#define LOOK_FIRST 1	/* the publisher looks at the table before it chooses */
#endif
#ifndef LOOK_TABLE
#define LOOK_TABLE 1	/* and after F5 */
#endif
#ifndef CHOOSE_AGAIN
#define CHOOSE_AGAIN 1	/* and what it chose by an older table is not safe */
#endif
#ifndef REUSE_MARK
#define REUSE_MARK 1	/* what is marked is not used again */
#endif
#ifndef PIN_FIRST
#define PIN_FIRST 1	/* pin before showing the head */
#endif
#ifndef J_LAST
#define J_LAST	1	/* JOIN looks after F6 at what was published */
#endif
#ifndef LANE_TAIL
#define LANE_TAIL 1	/* who joins leaves out what lane.tail says is gone */
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
#define TAIL		(PIN + 5)		/* lane.tail */
#define READ		(PIN + 6)		/* counts the subscriber's reads */
#define LOCS		(PIN + 7)
#ifndef DEPTH
#define DEPTH		10
#endif

#include "memory.pml"

#define SLUICE_SEQ(p)	(((p) + 1) * 2)
#define MIN(a, b)	((a) < (b) -> (a) : (b))
#define MAX(a, b)	((a) > (b) -> (a) : (b))
#define BEFORE_HISTORY(p) ((p) > HISTORY -> (p) - HISTORY : 0)

/* Who is in the table: nobody before JOIN, the subscriber, nobody after it left. */
#define KNOWN(seq)	((seq) == JOINS)
byte table_seq;

/* What no program knows. */
byte published;
byte last_read[BUFFERS];	/* READ when a payload was read last */
bool over_all;			/* the publisher is done, or dead */

/* The publisher's records. */
byte buffer_of[MESSAGES];

/* Some message is set aside. */
#if SLOTS == 1
#define ASIDES	(aside[0] || aside[1])
#else
#define ASIDES	(aside[0] || aside[1] || aside[2])
#endif

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
	STEP(load(PUBLISHER, TABLE, x, 1); seen = x; known = KNOWN(x); x = 0)
}

/*
 * How far may it go, and has everybody passed that?
 * code: lib/ring/room.c limits_find() peer_head()
 */
inline limits_find()
{
	all = head;
	passed = true;
	if
	:: known ->
		STEP(load(PUBLISHER, GENERATION, x, A2));
		if
		:: !x && BLOCK -> all = tail
		:: !x && !BLOCK ->
			passed = !BEGUN;
			STEP(load(PUBLISHER, HEAD, x, 1));
			all = MIN(x, all);
			all = MAX(all, tail)
		:: x ->
			STEP(load(PUBLISHER, HEAD, x, A2));
			all = MIN(x, all);
			all = MAX(all, tail)
		fi;
		x = 0
	:: else
	fi
}

/*
 * What everybody has passed, all of it; or else the oldest, be it history or not.
 * code: lib/ring/room.c take_consumed() take_unread() take_history() before_history()
 */
inline choose()
{
	if
	:: !unread && LAGS -> limit = tail
	:: !unread && !LAGS ->
		limit = MIN(all, (KEEP -> BEFORE_HISTORY(head) : head))
	:: unread ->
		limit = (BLOCK -> all : head);
		limit = MIN(limit, tail + 1);
		passed = false
	fi;
	limit = MAX(limit, tail);
	all = 0
}

/* code: lib/ring/room.c candidates_drop() */
inline candidates_drop()
{
	p = tail;
	do
	:: DROP && !passed && p < limit ->
		STEP(store(PUBLISHER, SEQ(p), SLUICE_SEQ(p) + 1, 0));
		p++
	:: else -> break
	od;
	p = 0
}

/* code: lib/ring/room.c candidates_restore() */
inline candidates_restore()
{
	p = limit;
	do
	:: !passed && p > tail ->
		p--;
		STEP(store(PUBLISHER, SEQ(p), SLUICE_SEQ(p), 1))
	:: else -> break
	od;
	p = 0
}

inline scan()
{
	if
	:: known && SCAN -> STEP(load(PUBLISHER, PIN, pin, A3))
	:: else -> pin = 0
	fi
}

/* code: lib/ring/room.c pins_mark() pin_mark() asides_sweep() */
inline pins_mark()
{
	if
	:: SCAN_LAST -> scan()
	:: else
	fi;
	atomic {
		do
		:: p < BUFFERS ->
			if
			:: aside[p] && aside[p] != pin ->
				aside[p] = 0;
				used[p] = false;
				unread = false
			:: else
			fi;
			p++
		:: else -> break
		od;
		p = 0;
		if
		:: pin > tail && pin <= limit -> marked = pin
		:: else
		fi;
		pin = 0
	}
}

/* Who has joined by then need not look below. */
inline make_safe()
{
	if
	:: limit > tail ->
		safe = limit;
		unread = false;
		if
		:: JOINS -> STEP(store(PUBLISHER, TAIL, safe, 1))
		:: else
		fi
	:: else
	fi
}

/*
 * Nothing becomes free here: it is safe, and is used again as room is wanted.
 * code: lib/ring/room.c reclaim() sl_writer_make_room()
 */
inline reclaim()
{
	if
	:: LOOK_FIRST -> peers_update()
	:: else
	fi;
	if
	:: !SCAN_LAST -> scan()
	:: else
	fi;
	limits_find();
	choose();
	if
	:: limit == tail && (unread || !ASIDES) -> unread = !unread
	:: else ->
		candidates_drop();
		STEP(full_fence(PUBLISHER, F5));
		STEP(load(PUBLISHER, TABLE, x, 1);
		     changed = LOOK_TABLE && x != seen; x = 0);
		if
		:: changed && CHOOSE_AGAIN -> candidates_restore()
		:: else
		fi;
		if
		:: changed -> peers_update()
		:: else
		fi;
		if
		:: !changed || !CHOOSE_AGAIN -> pins_mark(); make_safe()
		:: else
		fi;
		changed = false
	fi;
	passed = false;
	limit = 0
}

/*
 * Memory for the next message: from the pool, or that of the oldest which is safe,
 * or the oldest goes to the pool, or aside.
 * code: lib/ring/writer.c sl_writer_take()
 * code: lib/ring/writer.h sl_writer_reuse()
 * code: lib/ring/room.c sl_writer_retire()
 */
inline take()
{
	do
	:: buffer < BUFFERS && used[buffer] -> buffer++
	:: else -> break
	od;
	if
	:: head - tail == SLOTS -> buffer = BUFFERS
	:: else
	fi;
	if
	:: buffer < BUFFERS -> used[buffer] = true
	:: tail < safe && (marked != tail + 1 || !REUSE_MARK) ->
		buffer = buffer_of[tail];
		tail++
	:: buffer == BUFFERS && tail < safe ->
		if
		:: marked == tail + 1 ->
			aside[buffer_of[tail]] = marked;
			marked = 0
		:: else -> used[buffer_of[tail]] = false
		fi;
		tail++
	:: buffer == BUFFERS && tail == safe -> wants = true
	fi
}

/* code: lib/ring/writer.c publish_one() sl_writer_publish() */
proctype publisher()
{
	byte at, x, p, head, tail, safe, limit, all, buffer, seen, pin, marked;
	bool known, passed, unread, changed, wants;
	bool used[BUFFERS];
	byte aside[BUFFERS];

	known = !JOINS;
	do
	:: head < MESSAGES ->
		atomic { take() }
		if
		:: wants ->
			wants = false;
			buffer = 0;
			reclaim()
		:: !wants && buffer == BUFFERS -> buffer = 0
		:: else ->
			buffer_of[head] = buffer;
			STEP(scribble(buffer, head));
			STEP(store(PUBLISHER, FIELDS(head), head * 4 + buffer, 0));
			buffer = 0;
			STEP(store(PUBLISHER, SEQ(head), SLUICE_SEQ(head), R1);
			     head++; published = head);
			if
			:: JOINS -> STEP(store(PUBLISHER, LANE, head, 0))
			:: else
			fi;
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
	assert(!BLOCK || p < joined)
}

/*
 * code: kmod/endpoint.c endpoint_enter_table()
 * code: kmod/subscriber.c sluice_subscriber_note_heads()
 */
inline join()
{
	if
	:: !J_LAST -> load(SUBSCRIBER, LANE, joined, 0)
	:: else
	fi;
	sluice_table_changed(SUBSCRIBER);
	if
	:: J_LAST -> load(SUBSCRIBER, LANE, joined, 0)
	:: else
	fi;
	store(SUBSCRIBER, HEAD, joined, 0)
}

/* code: lib/ring/lane.c lane_start() lane_add() */
inline begin()
{
	STEP(load(SUBSCRIBER, TAIL, x, 1));
	position = BEFORE_HISTORY(joined);
	if
	:: LANE_TAIL && x > position -> position = MIN(x, joined)
	:: else
	fi;
	x = 0;
	STEP(store(SUBSCRIBER, HEAD, position, 0));
	STEP(store(SUBSCRIBER, GENERATION, 1, R4))
}

/* Held: read it, and let it go. code: lib/ring/reader.c let_go() sole_let_go() */
inline use()
{
	STEP(look(where, position));
	STEP(store(SUBSCRIBER, PIN, 0, R3))
}

inline lane_show()
{
	STEP(store(SUBSCRIBER, HEAD, position + 1, R2));
	shown = true
}

/*
 * Who blocks has no second look at seq. Who does not shows its head before F3 if it
 * finds nothing more, and after it if it stopped for another reason.
 *
 * code: lib/ring/lane.c sl_lane_look() lane_skip()
 * code: lib/ring/slot.h sl_slot_copy()
 * code: lib/ring/reader.c sole_take() lane_take() lane_hold() lane_show() lane_advance() confirm()
 */
proctype subscriber()
{
	byte at, x, y, position, where, joined;
	bool shown;

	if
	:: JOINS -> join(); begin()
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
		if
		:: !BLOCK ->
			STEP(acquire_fence(SUBSCRIBER, A1_FENCE));
			STEP(load(SUBSCRIBER, SEQ(position), y, 0));
			if
			:: x != y -> goto next
			:: else
			fi;
			y = 0
		:: else
		fi;
		assert(where / 4 == position);
		where = where % 4;
		if
		:: !PIN_FIRST -> lane_show()
		:: else
		fi;
		STEP(store(SUBSCRIBER, PIN, position + 1, R_PIN));
		if
		:: !BLOCK && !shown -> lane_show()
		:: true
		fi;
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
		:: !shown -> lane_show()
		:: else
		fi;
		use();
		position++;
next:
		x = 0;
		y = 0;
		where = 0;
		shown = false
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
