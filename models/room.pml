/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Sleeping for room: doc/memory-model.md, "Sleeping: publishers", an eventcount.
 *
 * A publisher with room for one message publishes MESSAGES, and waits for room
 * before each but the first, in WAIT or (POLL=1) in edge-triggered epoll.
 * Subscribers receive and release. Any of them may be killed at any step; who
 * died is not waited for.
 *
 * QUEUE=1: what gives room is member.done, which the kernel writes when it reads
 * the subscribers' pins: in ARM, in WAKE, and whenever else it likes, as in a
 * CLAIM or when a feed settles (KERNEL=1), without a fence, under claims_lock.
 *
 * JOINS=1: subscribers join when they like, and begin behind what was published by
 * then. Until they begin they hold back everything.
 *
 * Shown: the publisher does not sleep for ever while there is room (an invalid
 * end state otherwise).
 */
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 1
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef POLL
#define POLL	0
#endif
#ifndef QUEUE
#define QUEUE	0
#endif
#ifndef KERNEL
#define KERNEL	0
#endif
#ifndef JOINS
#define JOINS	0
#endif

/* The labels of doc/memory-model.md; 0 takes one away. */
#ifndef F2
#define F2	1
#endif
#ifndef F4
#define F4	1
#endif
#ifndef F7
#define F7	1	/* in ARM, by the kernel */
#endif
#ifndef F7_USER
#define F7_USER	1	/* by a publisher that is armed already */
#endif
#ifndef R2
#define R2	1	/* or R3 */
#endif
#ifndef A2
#define A2	1	/* or A3 */
#endif
#ifndef R_ROOM
#define R_ROOM	1	/* the kernel stores room after armed */
#endif
#ifndef A_ROOM
#define A_ROOM	1	/* the publisher loads room before armed */
#endif
/* Orders and steps that are no fences. */
#ifndef LOOK
#define LOOK	1	/* look again after arming */
#endif
#ifndef ROOM_FIRST
#define ROOM_FIRST 1	/* read the count before looking again */
#endif
#ifndef COUNT
#define COUNT	1	/* WAKE counts room up */
#endif
#ifndef DISARM
#define DISARM	1	/* WAKE clears armed */
#endif
#ifndef LEAVE_WAKES
#define LEAVE_WAKES 1	/* a change of the table counts room up and wakes */
#endif
#ifndef BEGIN_WAKES
#define BEGIN_WAKES 1	/* JOINS: who begins checks, with nothing to release */
#endif
#ifndef FLUSH
#define FLUSH	1	/* the check that was put off is made before sleeping */
#endif
#ifndef REAP
#define REAP	1	/* QUEUE: ARM reads the pins */
#endif

#define THREADS	(SUBSCRIBERS + 2)
#define PUBLISHER SUBSCRIBERS
#define OTHER	(SUBSCRIBERS + 1)	/* whoever else is in the kernel */

#define HEAD(s)		(s)			/* cursor: head, pin, or tag */
#define ARMED		SUBSCRIBERS		/* member.armed */
#define ROOM		(SUBSCRIBERS + 1)	/* member.room */
#define TABLE		(SUBSCRIBERS + 2)	/* members.seq */
#define DONE		(SUBSCRIBERS + 3)	/* member.done */
#define LOCS		(SUBSCRIBERS + 4)
#ifndef DEPTH
#define DEPTH		8
#endif

#define ROOM_LOCK	0
#define ROOM_WAIT	1
#define CLAIMS		2
#define LOCKS		3

#include "memory.pml"

byte room;		/* pub->room, under room_lock */
bool queued;		/* the publisher is in pub->room_wait */
bool asleep;		/* WAIT */
bool ready;		/* epoll */
byte table_seq;
bool joined[SUBSCRIBERS];
bool gone[SUBSCRIBERS];
byte reaped[SUBSCRIBERS];
byte published;
bool finished;		/* the publisher has published all, or is dead */

inline wake_queue(t)
{
	d_step {
		lock(t, ROOM_WAIT);
		if
		:: queued -> asleep = false; ready = true
		:: else
		fi;
		unlock(t, ROOM_WAIT)
	}
}

/* code: kmod/publisher.c sluice_publisher_wake_room() */
inline sluice_publisher_wake_room(t)
{
	atomic {
		d_step { lock(t, ROOM_LOCK) }
		room = room + COUNT;
		if
		:: DISARM -> store(t, ARMED, 0, 0)
		:: else
		fi;
		store(t, ROOM, room, R_ROOM);
		d_step { unlock(t, ROOM_LOCK) }
	}
	wake_queue(t)
}

/* code: kmod/subscriber.c reap_locked() claimed_finish() */
inline reap(t, s)
{
	d_step { lock(t, CLAIMS) }
	load(t, HEAD(s), x, 1);
	if
	:: x > reaped[s] ->
		reaped[s] = x;
		x = 0;
		store(t, DONE, reaped[0], 1);
		load(t, ARMED, x, 0);
		if
		:: x -> x = 0; sluice_publisher_wake_room(t)
		:: else
		fi
	:: else
	fi;
	x = 0;
	d_step { unlock(t, CLAIMS) }
}

bool claims_locked;

/* code: kmod/subscriber.c subscriber_reap() sluice_subscriber_reap_all() */
inline subscriber_reap(t, s)
{
	atomic { !claims_locked -> claims_locked = true }
	reap(t, s);
	claims_locked = false
}

/* code: kmod/subscriber.c subscriber_wake() */
inline subscriber_wake(t, s)
{
	if
	:: QUEUE -> subscriber_reap(t, s)
	:: else
	fi;
	sluice_publisher_wake_room(t)
}

/* code: lib/ring/reader.c sl_reader_flush() let_all_go() wake_if_armed() */
inline check_armed(t)
{
	STEP(full_fence(t, F4));
	STEP(load(t, ARMED, x, 0));
	if
	:: x -> x = 0; subscriber_wake(t, t)
	:: else
	fi;
	x = 0
}

/* code: kmod/endpoint.c endpoint_enter_table() */
inline join_and_begin(t)
{
	atomic {
		joined[t] = true;
		table_seq++;
		store(t, TABLE, table_seq, 1)
	}
	full_fence(t, 1);
	sluice_publisher_wake_room(t);
	n = published;
	/* code: lib/ring/lane.c lane_add() */
	STEP(store(t, HEAD(t), n, R2));
	if
	:: BEGIN_WAKES -> check_armed(t)
	:: else
	fi
}

/*
 * It may check at once, or put it off until it has nothing to do; then it
 * sleeps, which is until there is another message.
 * code: lib/ring/reader.c let_go() nothing()
 */
proctype subscriber(byte me)
{
	byte at, x, n;
	bool dirty;

	if
	:: JOINS -> join_and_begin(me)
	:: else
	fi;
	do
	:: n < MESSAGES ->
		if
		:: published == n ->
			if
			:: dirty && FLUSH -> dirty = false; check_armed(me)
			:: else
			fi;
			if
			:: published > n
			:: finished -> goto end
			fi
		:: published > n
		fi;
		n++;
		STEP(store(me, HEAD(me), n, R2));
		if
		:: check_armed(me)
		:: !QUEUE -> dirty = true
		fi
	:: else -> break
	od;
	if
	:: dirty && FLUSH -> check_armed(me)
	:: else
	fi;
	goto end;
died:
	x = 0;
	/* code: kmod/endpoint.c sluice_endpoint_leave() */
	if
	:: QUEUE -> subscriber_reap(me, me)
	:: else
	fi;
	atomic {
		gone[me] = true;
		table_seq++;
		store(me, TABLE, table_seq, 1)
	}
	full_fence(me, 1);
	if
	:: LEAVE_WAKES -> sluice_publisher_wake_room(me)
	:: else
	fi;
end:
	end_thread(me)
}

/* The kernel may read the pins at any time, on behalf of anybody. */
proctype kernel()
{
	byte at, x;

	do
	:: reaped[0] < MESSAGES && !gone[0] && !finished ->
		subscriber_reap(OTHER, 0)
	:: else -> break
	od;
	end_thread(OTHER)
}

/*
 * Is there room, and if so is it safe to use?
 * code: lib/ring/room.c take_consumed() take_finished()
 */
inline try_loan()
{
	have = true;
	STEP(load(PUBLISHER, TABLE, x, 1));
	if
	:: x != seen ->
		seen = x;
		x = 0;
		do
		:: x < SUBSCRIBERS ->
			ignored[x] = gone[x] || !joined[x];
			x++
		:: else -> break
		od
	:: else
	fi;
	x = 0;
	s = 0;
	if
	:: QUEUE ->
		STEP(load(PUBLISHER, DONE, x, 1));
		have = (x >= n || ignored[0])
	:: else ->
		do
		:: s < SUBSCRIBERS ->
			if
			:: !ignored[s] ->
				STEP(load(PUBLISHER, HEAD(s), x, A2));
				have = have && x >= n
			:: else
			fi;
			s++
		:: else -> break
		od
	fi;
	x = 0;
	s = 0
}

/* code: kmod/publisher.c publisher_arm() */
inline publisher_arm()
{
	atomic {
		d_step { lock(PUBLISHER, ROOM_LOCK) }
		store(PUBLISHER, ARMED, 1, 0);
		d_step { unlock(PUBLISHER, ROOM_LOCK) }
	}
	full_fence(PUBLISHER, F7);
	if
	:: QUEUE && REAP -> subscriber_reap(PUBLISHER, 0)
	:: else
	fi
}

/* code: lib/ring/writer.c room_arm() sl_writer_loan_or_arm() */
inline sl_writer_loan_or_arm()
{
	if
	:: ROOM_FIRST -> STEP(load(PUBLISHER, ROOM, r, A_ROOM))
	:: else
	fi;
	STEP(load(PUBLISHER, ARMED, x, 0));
	if
	:: !x -> publisher_arm()
	:: else -> x = 0; STEP(full_fence(PUBLISHER, F7_USER))
	fi;
	if
	:: LOOK -> try_loan()
	:: else
	fi;
	if
	:: !ROOM_FIRST -> STEP(load(PUBLISHER, ROOM, r, A_ROOM))
	:: else
	fi
}

/* code: kmod/publisher.c publisher_wait() */
inline publisher_wait()
{
	do
	:: true ->
		d_step {
			lock(PUBLISHER, ROOM_WAIT);
			queued = true;
			asleep = true;
			unlock(PUBLISHER, ROOM_WAIT)
		}
		full_fence(PUBLISHER, F2);
		/* code: kmod/publisher.c room_differs() */
		load(PUBLISHER, ROOM, x, 0);
		if
		:: x != r -> break
		:: else
		fi;
		x = 0;
		MAY_BE_KILLED;
		if
		:: killed -> break
		:: !killed && !asleep
		fi
	od;
	x = 0;
	d_step {
		lock(PUBLISHER, ROOM_WAIT);
		queued = false;
		asleep = false;
		ready = false;
		unlock(PUBLISHER, ROOM_WAIT)
	}
}

/*
 * Edge-triggered: woken, ->poll looks whether room_seen is the count still.
 * code: kmod/publisher.c sluice_publisher_poll()
 */
inline publisher_poll()
{
	do
	:: true ->
		MAY_BE_KILLED;
		if
		:: killed -> break
		:: !killed && ready -> ready = false
		fi;
		d_step {
			lock(PUBLISHER, ROOM_WAIT);
			unlock(PUBLISHER, ROOM_WAIT)
		}
		full_fence(PUBLISHER, F2);
		load(PUBLISHER, ROOM, x, 0);
		if
		:: x != r -> break
		:: else
		fi;
		x = 0
	od;
	x = 0
}

/* code: lib/publisher.c loan_wait() */
proctype publisher()
{
	byte at, x, s, n, seen, r;
	bool ignored[SUBSCRIBERS];
	bool have, killed;

	for (x : 0 .. SUBSCRIBERS - 1) {
		ignored[x] = JOINS
	}
	x = 0;
	do
	:: n < MESSAGES ->
		try_loan();
		do
		:: have -> break
		:: else ->
			sl_writer_loan_or_arm();
			if
			:: have -> break
			:: else
			fi;
			if
			:: POLL -> publisher_poll()
			:: else -> publisher_wait()
			fi;
			if
			:: killed -> goto died
			:: else
			fi;
			try_loan()
		od;
		have = false;
		n++;
		published = n
	:: else -> break
	od;
died:
	finished = true;
	end_thread(PUBLISHER)
}

init {
	byte i;

	atomic {
		/* The kernel's room and the page's begin at 1; 0 is as good. */
		queued = POLL;
		for (i : 0 .. SUBSCRIBERS - 1) {
			joined[i] = !JOINS;
			run subscriber(i)
		}
		if
		:: KERNEL -> run kernel()
		:: else -> over[OTHER] = true
		fi;
		run publisher()
	}
	_nr_pr == 1
}
