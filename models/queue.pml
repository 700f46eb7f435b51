/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Queues: who gets which message, and who gets it again. The bookkeeping of
 * kmod/claim.c, the claims and acknowledgements of kmod/subscriber.c, the
 * settling of kmod/feed.c, and sleeping in turn (a wake-up for each message).
 *
 * All bookkeeping is under claims_lock, so each piece of it is one step, and
 * memory is strong here; how acknowledgements become room is in room.pml.
 *
 * A publisher sends MESSAGES through a ring of SLOTS. Two consumers claim up to
 * BATCH at once; the second may be a FEED. Each message is delivered, and then
 * acknowledged or rejected. Anybody may be killed at any step, DEATHS of them;
 * EVICTS consumers are evicted, DROPS messages given up, REJECTS refused, FAULTS
 * claims unreadable to the caller, TIMEOUTS sleeps end early.
 *
 * Shown: nothing is lost as long as a consumer lives (an invalid end state
 * otherwise); nothing is delivered twice unless marked as redelivered; nothing
 * that was acknowledged is delivered again; nothing is finished that was not
 * acknowledged or given up.
 */
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef SLOTS
#define SLOTS	2
#endif
#ifndef BATCH
#define BATCH	2
#endif
#ifndef FEED
#define FEED	0
#endif
#ifndef DEATHS
#define DEATHS	1
#endif
#ifndef EVICTS
#define EVICTS	0
#endif
#ifndef DROPS
#define DROPS	0
#endif
#ifndef REJECTS
#define REJECTS	0
#endif
#ifndef FAULTS
#define FAULTS	0
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif

/* What may be switched off. */
#ifndef RETURN
#define RETURN	1	/* who leaves returns what it has claimed */
#endif
#ifndef MARK
#define MARK	1	/* and it is marked */
#endif
#ifndef REAP
#define REAP	1	/* its acknowledgements are read before */
#endif
#ifndef TAG
#define TAG	1	/* only the tag of this claim acknowledges it */
#endif
#ifndef STATE
#define STATE	1	/* who has left cannot claim any more */
#endif
#ifndef SETTLE_TAG
#define SETTLE_TAG 1	/* a feed settles only what is still its own */
#endif
#ifndef SETTLE_MAYBE
#define SETTLE_MAYBE 1	/* a feed marks what it has begun to send */
#endif
#ifndef REJECT_WAKES
#define REJECT_WAKES 1	/* what is rejected wakes another */
#endif
#ifndef LEAVE_WAKES
#define LEAVE_WAKES 1	/* what is returned by who leaves wakes all */
#endif
#ifndef PASS_ON
#define PASS_ON	1	/* who gives up waiting passes its wake-up on */
#endif
#ifndef LOOK
#define LOOK	1	/* look after getting into the queue */
#endif
#ifndef BOUND
#define BOUND	1	/* no more claims than slots */
#endif

#define PINS	BATCH
#define PIN(c, i) ((c) * PINS + (i))
#define BIT(p)	((p) % SLOTS)
#define NOBODY	255
#define REJECT	128

/* code: kmod/claim.h sluice_claims_lane */
byte done;
byte next;
bool finished[SLOTS];
bool returned[SLOTS];
bool marked[SLOTS];
byte returned_count;

/* code: kmod/subscriber.h sluice_claimed */
byte position[2 * PINS];
byte tag[2 * PINS];
byte last_tag[2];
byte pins[2 * PINS];	/* what the consumer has stored there */
bool here[2];
bool asleep[2];
bool kicked;		/* the feed's work is queued */

byte head;		/* published */
bool publisher_over;
byte deaths, evicts, drops, rejects, faults, timeouts;

/* What no program knows. */
bool seen[MESSAGES];
bool acked[MESSAGES];
bool dropped[MESSAGES];

hidden byte i_;
hidden byte p_;

#define PUBLISHED	(next < head)
#define CLAIMABLE	(returned_count || (PUBLISHED && next - done < SLOTS))

#define STEP(step) \
	atomic { \
		if \
		:: true \
		:: deaths < DEATHS -> deaths++; goto died \
		fi; \
		step \
	}

/* All is acknowledged, or given up, and nothing will follow. */
bool complete;
inline look_complete()
{
	complete = publisher_over;
	for (i_ : 0 .. MESSAGES - 1) {
		complete = complete &&
			(i_ >= head || acked[i_] || dropped[i_])
	}
	i_ = 0
}

/* code: kmod/claim.c sluice_claims_finish() */
inline sluice_claims_finish(p)
{
	assert(acked[p] || dropped[p]);
	finished[BIT(p)] = true;
	marked[BIT(p)] = false;
	do
	:: done < next && finished[BIT(done)] ->
		finished[BIT(done)] = false;
		done++
	:: else -> break
	od
}

/* code: kmod/claim.c sluice_claims_return() */
inline sluice_claims_return(p, mark)
{
	assert(!returned[BIT(p)]);
	returned[BIT(p)] = true;
	if
	:: mark -> marked[BIT(p)] = true
	:: else
	fi;
	returned_count++
}

/* code: kmod/claim.c sluice_claims_take() claims_first_returned() */
inline sluice_claims_take(c, i)
{
	if
	:: returned_count ->
		p_ = done;
		do
		:: !returned[BIT(p_)] -> p_++
		:: else -> break
		od;
		returned[BIT(p_)] = false;
		returned_count--
	:: else ->
		p_ = next;
		next++
	fi;
	assert(next - done <= SLOTS);
	last_tag[c]++;
	position[PIN(c, i)] = p_;
	tag[PIN(c, i)] = last_tag[c]
}

/* code: kmod/subscriber.c claimed_end() claimed_finish() claimed_return() */
inline claimed_finish(c, i)
{
	sluice_claims_finish(position[PIN(c, i)]);
	tag[PIN(c, i)] = 0
}

inline claimed_return(c, i, mark)
{
	sluice_claims_return(position[PIN(c, i)], mark);
	tag[PIN(c, i)] = 0
}

/* code: kmod/subscriber.c reap_locked() */
inline reap_locked(c)
{
	p_ = 0;
	i_ = 0;
	do
	:: i_ < PINS ->
		if
		:: !tag[PIN(c, i_)] || !pins[PIN(c, i_)]
		:: else ->
			if
			:: pins[PIN(c, i_)] == tag[PIN(c, i_)] ||
			   (!TAG && pins[PIN(c, i_)] < REJECT) ->
				claimed_finish(c, i_)
			:: pins[PIN(c, i_)] == tag[PIN(c, i_)] + REJECT ->
				claimed_return(c, i_, true);
				p_++
			:: else
			fi
		fi;
		i_++
	:: else -> break
	od;
	i_ = 0
}

/* As many as there are messages, whoever they may be; and a feed always. */
inline sluice_subscriber_wake(count)
{
	if
	:: FEED -> kicked = true
	:: else
	fi;
	i_ = count;
	do
	:: i_ && asleep[0] -> asleep[0] = false; i_--
	:: i_ && asleep[1] -> asleep[1] = false; i_--
	:: !i_ || (!asleep[0] && !asleep[1]) -> break
	od;
	i_ = 0
}

/* code: kmod/subscriber.c subscriber_reap() reaped() */
inline subscriber_reap(c)
{
	atomic {
		reap_locked(c);
		if
		:: p_ && REJECT_WAKES -> sluice_subscriber_wake(p_)
		:: else
		fi;
		p_ = 0
	}
}

/*
 * code: kmod/endpoint.c sluice_endpoint_leave()
 * code: kmod/subscriber.c sluice_subscriber_left() leave_claims()
 */
inline sluice_endpoint_leave(c)
{
	atomic {
		here[c] = false;
		if
		:: REAP -> reap_locked(c)
		:: else
		fi;
		i_ = 0;
		do
		:: i_ < PINS ->
			if
			:: tag[PIN(c, i_)] && RETURN -> claimed_return(c, i_, MARK)
			:: else
			fi;
			i_++
		:: else -> break
		od;
		i_ = 0;
		p_ = 0
	}
	/* code: kmod/table.c sluice_table_changed() */
	if
	:: LEAVE_WAKES -> atomic { sluice_subscriber_wake(2) }
	:: else
	fi
}

/* The application gets it. */
inline deliver(p, redelivered)
{
	assert(!acked[p]);
	assert(!dropped[p]);
	assert(!seen[p] || redelivered);
	seen[p] = true
}

/* code: kmod/subscriber.c claim() claim_locked() claim_lane() unclaim() */
inline claim(c)
{
	atomic {
		reap_locked(c);
		if
		:: p_ && REJECT_WAKES -> sluice_subscriber_wake(p_)
		:: else
		fi;
		p_ = 0;
		n = 0;
		do
		:: n < BATCH && (here[c] || !STATE) && !tag[PIN(c, n)] &&
		   (returned_count || (PUBLISHED &&
				       (!BOUND || next - done < SLOTS))) ->
			sluice_claims_take(c, n);
			again[n] = marked[BIT(p_)];
			mine[n] = tag[PIN(c, n)];
			what[n] = p_;
			n++
		:: else -> break
		od;
		p_ = 0
	}
	if
	:: n && faults < FAULTS ->
		atomic {
			faults++;
			k = 0;
			do
			:: k < n ->
				if
				:: tag[PIN(c, k)] == mine[k] ->
					claimed_return(c, k, false)
				:: else
				fi;
				k++
			:: else -> break
			od;
			sluice_subscriber_wake(n);
			n = 0;
			k = 0
		}
	:: true
	fi
}

/* Acknowledge, or reject: a store to the pin. code: lib/ring/reader.c let_go() */
inline let_go(c)
{
	if
	:: true ->
		STEP(pins[PIN(c, k)] = mine[k];
		     if :: tag[PIN(c, k)] == mine[k] -> acked[what[k]] = true;
		     look_complete() :: else fi);
		/* It looks whether the publisher waits, which may be. */
		if
		:: subscriber_reap(c)
		:: true
		fi
	:: rejects < REJECTS ->
		rejects++;
		STEP(pins[PIN(c, k)] = mine[k] + REJECT);
		/* code: lib/ring/reader.c sl_reader_reject() */
		subscriber_reap(c)
	fi
}

/* code: kmod/endpoint.c endpoint_sleep() */
inline endpoint_sleep(c)
{
	late = false;
	do
	:: true ->
		asleep[c] = true;
		if
		:: (LOOK && CLAIMABLE) || !here[c] -> break
		:: else
		fi;
		atomic {
			if
			:: true
			:: deaths < DEATHS -> deaths++; late = true; killed = true
			:: timeouts < TIMEOUTS -> timeouts++; late = true
			fi
		}
		if
		:: late -> break
		:: !late && !asleep[c]
		:: !late && complete -> break
		fi
	od;
	asleep[c] = false;
	/* code: kmod/endpoint.c sleep_over() */
	if
	:: late && PASS_ON && !CLAIMABLE -> atomic { sluice_subscriber_wake(1) }
	:: else
	fi
}

/* code: lib/ring/queue.c sl_queue_receive() claim_deliver() */
proctype consumer(byte me)
{
	byte n, k;
	byte mine[BATCH], what[BATCH];
	bool again[BATCH];
	bool late, killed;

	do
	:: complete || !here[me] -> break
	:: else ->
		claim(me);
		if
		:: n ->
			k = 0;
			do
			:: k < n && here[me] ->
				STEP(if :: tag[PIN(me, k)] == mine[k] ->
				     deliver(what[k], again[k]) :: else fi);
				let_go(me);
				k++
			:: else -> break
			od;
			atomic {
				for (i_ : 0 .. BATCH - 1) {
					mine[i_] = 0; what[i_] = 0;
					again[i_] = false
				}
				i_ = 0; k = 0; n = 0
			}
		:: else ->
			endpoint_sleep(me);
			if
			:: killed -> goto died
			:: else
			fi
		fi
	od;
	goto end;
died:
	asleep[me] = false;
	if
	:: here[me] -> sluice_endpoint_leave(me)
	:: else
	fi;
end:
	skip
}

/* code: kmod/subscriber.c sluice_subscriber_settle() */
inline sluice_subscriber_settle(c, how)
{
	atomic {
		if
		:: tag[PIN(c, 0)] != mine[0] && SETTLE_TAG
		:: else ->
			if
			:: how == 0 ->
				acked[what[0]] = true;
				look_complete();
				claimed_finish(c, 0)
			:: else ->
				claimed_return(c, 0, how == 2 && SETTLE_MAYBE);
				sluice_subscriber_wake(1)
			fi
		fi
	}
}

/*
 * A feed: claims one, sends it in two pieces, settles it. Its process may die,
 * or the socket fail, between any two steps: that ends it.
 * code: kmod/feed.c feed_turn() message_take() feed_send() feed_idle() feed_end()
 */
proctype feed(byte me)
{
	byte n, k;
	byte mine[BATCH], what[BATCH], sent;
	bool again[BATCH];

	do
	:: complete || !here[me] -> break
	:: else ->
		STEP(skip);
		/* code: kmod/subscriber.c sluice_subscriber_take() */
		atomic {
			n = 0;
			if
			:: (here[me] || !STATE) && CLAIMABLE ->
				sluice_claims_take(me, 0);
				again[0] = marked[BIT(p_)];
				mine[0] = tag[PIN(me, 0)];
				what[0] = p_;
				n = 1
			:: else
			fi;
			p_ = 0
		}
		if
		:: n ->
			STEP(skip);
			if
			:: !here[me] -> goto died
			:: else
			fi;
			atomic {
				if
				:: tag[PIN(me, 0)] == mine[0] ->
					deliver(what[0], again[0])
				:: else
				fi;
				sent = 1
			}
			STEP(skip);
			sent = 2;
			sluice_subscriber_settle(me, 0);
			n = 0;
			sent = 0
		:: else ->
			/* Queued while it runs, it runs again. */
			if
			:: kicked -> kicked = false
			:: complete -> break
			fi
		fi
	od;
	goto end;
died:
	if
	:: n && !sent -> sluice_subscriber_settle(me, 1)
	:: n && sent -> sluice_subscriber_settle(me, 2)
	:: else
	fi;
	if
	:: here[me] -> sluice_endpoint_leave(me)
	:: else
	fi;
end:
	skip
}

/* code: kmod/publisher.c publisher_evict() laggard_find() */
inline publisher_evict()
{
	if
	:: tag[0] && position[0] == done && here[0] -> sluice_endpoint_leave(0)
	:: tag[PINS] && position[PINS] == done && here[1] ->
		sluice_endpoint_leave(1)
	:: else
	fi
}

/* code: kmod/claim.c sluice_claims_drop() */
inline sluice_claims_drop()
{
	atomic {
		if
		:: returned[BIT(done)] ->
			returned[BIT(done)] = false;
			returned_count--;
			dropped[done] = true;
			sluice_claims_finish(done)
		:: !returned[BIT(done)] && PUBLISHED && next == done ->
			next++;
			dropped[done] = true;
			sluice_claims_finish(done)
		:: else
		fi;
		look_complete()
	}
}

proctype publisher()
{
	do
	:: head < MESSAGES && head - done < SLOTS ->
		STEP(head++);
		STEP(atomic { sluice_subscriber_wake(1) })
	:: head == MESSAGES -> break
	:: head - done >= SLOTS ->
		/* Wants room: reads what is acknowledged, see room.pml. */
		if
		:: (tag[0] && pins[0] == tag[0]) ||
		   (tag[1] && pins[1] == tag[1] && PINS > 1) -> subscriber_reap(0)
		:: (tag[PINS] && pins[PINS] == tag[PINS]) ||
		   (tag[2 * PINS - 1] && pins[2 * PINS - 1] == tag[2 * PINS - 1]) ->
			subscriber_reap(1)
		:: head - done < SLOTS
		:: evicts < EVICTS -> evicts++; publisher_evict()
		:: drops < DROPS -> drops++; sluice_claims_drop()
		:: !here[0] && !here[1] -> break
		fi
	od;
died:
	atomic {
		publisher_over = true;
		look_complete()
	}
	/* Those that left wait for nothing; the others are told. */
	atomic { sluice_subscriber_wake(2) }
}

init {
	atomic {
		here[0] = true;
		here[1] = true;
		run publisher();
		run consumer(0);
		if
		:: FEED -> run feed(1)
		:: else -> run consumer(1)
		fi
	}
}
