/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Sleeping for messages: doc/memory-model.md, "Sleeping: subscribers".
 *
 * Publishers publish MESSAGES each. One subscriber sleeps in WAIT, another in
 * edge-triggered epoll. Anybody may be killed at any step.
 *
 * Shown: nobody sleeps for ever while there is something to receive (an invalid
 * end state otherwise); what was published before a death is received; no
 * sleeper is counted when all is over.
 */
#ifndef PUBLISHERS
#define PUBLISHERS 1
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
/* 1: the one in WAIT alone; 2: the one in epoll alone; 3: both */
#ifndef SUBSCRIBERS
#define SUBSCRIBERS 3
#endif

/* The labels of doc/memory-model.md; 0 takes one away. */
#ifndef F1
#define F1	1
#endif
#ifndef F2
#define F2	1	/* in WAIT */
#endif
#ifndef F2_POLL
#define F2_POLL	1	/* in ->poll */
#endif
#ifndef F6
#define F6	1
#endif
#ifndef R1
#define R1	1
#endif
#ifndef A1
#define A1	1
#endif
#ifndef E3
#define E3	1
#endif
#ifndef A_SEQ
#define A_SEQ	1	/* the reader's acquire that pairs with E3 */
#endif
#ifndef F_WAKE
#define F_WAKE	1	/* the full fence in WAKE */
#endif
/* Orders and steps that are no fences. */
#ifndef LOOK
#define LOOK	1	/* look again after arming */
#endif
#ifndef QUEUE_FIRST
#define QUEUE_FIRST 1	/* be in the queue before arming */
#endif
#ifndef ARM_FIRST
#define ARM_FIRST 1	/* arm before looking */
#endif
#ifndef CLEAR_FIRST
#define CLEAR_FIRST 1	/* clear the poll bit before waking */
#endif
#ifndef CLEARED
#define CLEARED	254	/* what WAKE leaves of armed: all but the poll bit */
#endif
#ifndef LEAVE_WAKES
#define LEAVE_WAKES 1	/* a change of the table wakes */
#endif
#ifndef UNCOUNT
#define UNCOUNT	1	/* who is killed in its sleep is not counted any more */
#endif

#define THREADS	(PUBLISHERS + 2)
#define WAITER	PUBLISHERS
#define POLLER	(PUBLISHERS + 1)

/* slot.seq: there is one for each message, as in a ring that is long enough */
#define SEQ(p, n)	((p) * MESSAGES + (n))
#define ARMED		(PUBLISHERS * MESSAGES)		/* members.armed */
#define LEFT(p)		(ARMED + 1 + (p))		/* member.state */
#define TABLE		(ARMED + 1 + PUBLISHERS)	/* members.seq */
#define LOCS		(TABLE + 1)
#ifndef DEPTH
#define DEPTH		6
#endif

#define READERS		0	/* the lock of channel->readers */
#define CHANNEL		1	/* channel->lock */
#define LOCKS		2

#include "memory.pml"

/* What the kernel has under its locks. */
bool waiter_queued;
bool waiter_asleep;
bool poller_queued;
bool poller_ready;
bool changing;		/* channel->lock is taken */
byte table_seq;

/* What no program knows. */
byte published[PUBLISHERS];
byte finished;		/* subscribers that have all, or are dead */

/* __wake_up(&channel->readers): under the queue's lock. */
inline wake_queue(t)
{
	d_step {
		lock(t, READERS);
		if
		:: waiter_queued ->
			waiter_queued = false;
			waiter_asleep = false
		:: else
		fi;
		if
		:: poller_queued -> poller_ready = true
		:: else
		fi;
		unlock(t, READERS)
	}
}

/* armed is a sleeper count in the upper bits, and the poll bit. */
inline armed_add(t, n)
{
	change(t, ARMED, x, x + n)
}

/* code: kmod/subscriber.c sluice_subscriber_wake() */
inline sluice_subscriber_wake(t)
{
	if
	:: !CLEAR_FIRST -> wake_queue(t)
	:: else
	fi;
	change(t, ARMED, x, x & CLEARED);
	full_fence(t, F_WAKE);
	if
	:: CLEAR_FIRST -> wake_queue(t)
	:: else
	fi
}

/* code: kmod/table.c sluice_table_changed() */
inline sluice_table_changed(t)
{
	atomic {
		table_seq++;
		store(t, TABLE, table_seq, E3)
	}
	full_fence(t, F6);
	if
	:: LEAVE_WAKES -> wake_queue(t)
	:: else
	fi
}

inline channel_lock(t)
{
	atomic {
		!changing -> changing = true;
		d_step { lock(t, CHANNEL) }
	}
}

inline channel_unlock(t)
{
	d_step {
		unlock(t, CHANNEL);
		changing = false
	}
}

/* code: kmod/endpoint.c sluice_endpoint_leave() */
/* code: kmod/publisher.c sluice_publisher_left() */
inline publisher_leave(t)
{
	channel_lock(t);
	store(t, LEFT(t), 1, 0);
	sluice_table_changed(t);
	channel_unlock(t)
}

inline subscriber_leave(t)
{
	channel_lock(t);
	sluice_table_changed(t);
	channel_unlock(t)
}

/* code: lib/ring/writer.c sl_writer_publish() */
proctype publisher(byte me)
{
	byte at, x, n;

	do
	:: n < MESSAGES ->
		STEP(store(me, SEQ(me, n), 1, R1); published[me]++; n++);
		STEP(full_fence(me, F1));
		STEP(load(me, ARMED, x, 0));
		if
		:: x -> x = 0; sluice_subscriber_wake(me)
		:: else
		fi;
		x = 0
	:: else -> break
	od;
	goto end;
died:
	x = 0;
	publisher_leave(me);
end:
	end_thread(me)
}

/*
 * code: lib/ring/reader.c sl_reader_update() place_update() lane_take()
 * code: lib/ring/lane.c sl_lane_look()
 */
inline receive(t)
{
	STEP(load(t, TABLE, x, A_SEQ));
	if
	:: x != seen ->
		seen = x;
		p = 0;
		do
		:: p < PUBLISHERS ->
			STEP(load(t, LEFT(p), x, 0); left[p] = x; p++)
		:: else -> break
		od
	:: else
	fi;
	p = 0;
	do
	:: p == PUBLISHERS -> break
	:: p < PUBLISHERS && (ended[p] || position[p] == MESSAGES) -> p++
	:: p < PUBLISHERS && !ended[p] && position[p] < MESSAGES ->
		STEP(load(t, SEQ(p, position[p]), x, A1));
		if
		:: x -> position[p]++
		:: !x && left[p] ->
			assert(position[p] == published[p]);
			ended[p] = true
		:: else -> p++
		fi
	od;
	x = 0;
	p = 0;
	all = true;
	do
	:: p < PUBLISHERS ->
		all = all && (ended[p] || position[p] == MESSAGES);
		p++
	:: else -> break
	od;
	p = 0
}

/* code: kmod/subscriber.c subscriber_readable() subscriber_notices() */
inline look(t)
{
	load(t, TABLE, x, 0);
	ready = (x != seen);
	do
	:: !ready && p < PUBLISHERS ->
		if
		:: !ended[p] && position[p] < MESSAGES ->
			load(t, SEQ(p, position[p]), x, A1);
			ready = (x != 0)
		:: else
		fi;
		p++
	:: else -> break
	od;
	x = 0;
	p = 0
}

/* prepare_to_wait(): in the queue first, then not running. */
inline prepare_to_wait(t)
{
	d_step {
		lock(t, READERS);
		waiter_queued = true;
		waiter_asleep = true;
		unlock(t, READERS)
	}
}

inline finish_wait(t)
{
	d_step {
		lock(t, READERS);
		waiter_queued = false;
		waiter_asleep = false;
		unlock(t, READERS)
	}
}

/* code: kmod/endpoint.c endpoint_sleep() sleep_over() */
inline endpoint_sleep(t)
{
	killed = false;
	do
	:: true ->
		ready = false;
		if
		:: !ARM_FIRST -> look(t)
		:: else
		fi;
		if
		:: QUEUE_FIRST -> prepare_to_wait(t)
		:: else
		fi;
		if
		:: !counted -> counted = true; armed_add(t, 2)
		:: else
		fi;
		if
		:: !QUEUE_FIRST -> prepare_to_wait(t)
		:: else
		fi;
		full_fence(t, F2);
		if
		:: ARM_FIRST && LOOK -> look(t)
		:: else
		fi;
		if
		:: ready -> break
		:: else
		fi;
		MAY_BE_KILLED;
		if
		:: killed -> break
		:: !killed && !waiter_asleep
		fi
	od;
	finish_wait(t);
	if
	:: UNCOUNT || !killed -> armed_add(t, 254)
	:: else
	fi;
	counted = false;
	ready = false;
	x = 0
}

/* code: lib/subscriber.c receive_wait() */
proctype waiter()
{
	byte at, x, p, seen;
	byte position[PUBLISHERS];
	bool left[PUBLISHERS];
	bool ended[PUBLISHERS];
	bool all, ready, counted, killed;

	do
	:: true ->
		receive(WAITER);
		if
		:: all -> break
		:: else
		fi;
		endpoint_sleep(WAITER);
		if
		:: killed -> goto died
		:: else
		fi
	od;
	goto end;
died:
	x = 0;
	subscriber_leave(WAITER);
end:
	finished++;
	end_thread(WAITER)
}

/* code: kmod/subscriber.c sluice_subscriber_poll() */
inline sluice_subscriber_poll(t)
{
	ready = false;
	if
	:: !ARM_FIRST -> look(t)
	:: else
	fi;
	if
	:: !QUEUE_FIRST || poller_queued
	:: else ->
		d_step {
			lock(t, READERS);
			poller_queued = true;
			unlock(t, READERS)
		}
	fi;
	change(t, ARMED, x, x | 1);
	x = 0;
	if
	:: poller_queued
	:: else ->
		d_step {
			lock(t, READERS);
			poller_queued = true;
			unlock(t, READERS)
		}
	fi;
	full_fence(t, F2_POLL);
	if
	:: ARM_FIRST && LOOK -> look(t)
	:: else
	fi
}

/*
 * EPOLLET: ->poll is called once when it is added, then once for each wake-up;
 * an event is reported if ->poll says so, and the program then receives until
 * there is nothing.
 */
proctype poller()
{
	byte at, x, p, seen;
	byte position[PUBLISHERS];
	bool left[PUBLISHERS];
	bool ended[PUBLISHERS];
	bool all, ready, killed;

	do
	:: true ->
		sluice_subscriber_poll(POLLER);
		if
		:: ready -> receive(POLLER)
		:: else
		fi;
		ready = false;
		if
		:: all -> break
		:: else
		fi;
		MAY_BE_KILLED;
		if
		:: killed -> goto died
		:: !killed && poller_ready -> poller_ready = false
		fi;
		/* Out of the queue's lock, as the callback was under it. */
		d_step { lock(POLLER, READERS); unlock(POLLER, READERS) }
	od;
	goto end;
died:
	x = 0;
	d_step {
		lock(POLLER, READERS);
		poller_queued = false;
		poller_ready = false;
		unlock(POLLER, READERS)
	}
	subscriber_leave(POLLER);
end:
	finished++;
	end_thread(POLLER)
}

init {
	byte i;

	atomic {
		for (i : 0 .. PUBLISHERS - 1) {
			run publisher(i)
		}
		if
		:: SUBSCRIBERS & 1 -> run waiter()
		:: else -> over[WAITER] = true
		fi;
		if
		:: SUBSCRIBERS & 2 -> run poller()
		:: else -> over[POLLER] = true
		fi
	}
	_nr_pr == 1;
	assert(values[VALUE(ARMED, newest[ARMED])] < 2)
}
