/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Lock words of trusted lockspaces: doc/memory-model.md, "Lock words".
 *
 * HOLDERS lock and unlock one resource, ROUNDS times each, by its word or, in
 * whatever round they like, by a call. Any of them may be killed at any step, and
 * what it died with is repaired by the next one that has it. LOOKS=1: somebody
 * lists who has what, meanwhile.
 *
 * Shown: no two have it at once; who has it sees all that was written under it
 * before, and is told if that was left half done; nobody sleeps for ever (an
 * invalid end state otherwise).
 *
 * Whom the kernel serves first does not matter here, only that it does. What it
 * does with the domain locked is one step after the other, between which words
 * can change.
 */
#ifndef HOLDERS
#define HOLDERS	2
#endif
#ifndef ROUNDS
#define ROUNDS	2
#endif
#ifndef LOOKS
#define LOOKS	0
#endif

/* The labels of doc/memory-model.md; 0 takes one away. */
#ifndef W1
#define W1	1	/* a holder lets go by the word */
#endif
#ifndef W1_YIELD
#define W1_YIELD 1	/* the kernel lets go of the word */
#endif
#ifndef W2
#define W2	1	/* a holder takes the word */
#endif
#ifndef W2_TAKE
#define W2_TAKE	1	/* the kernel takes the word */
#endif
/* Orders and steps that are no fences. */
#ifndef STAND_IN
#define STAND_IN 1	/* whom the word named gets a grant */
#endif
#ifndef ONE_STEP
#define ONE_STEP 1	/* the kernel reads and takes the word in one step */
#endif
#ifndef CALLS
#define CALLS	1	/* who finds another number at unlock calls */
#endif
#ifndef GATHERS
#define GATHERS	1	/* what the dead had by the word is looked for */
#endif
#ifndef MARKS
#define MARKS	1	/* and marked */
#endif
#ifndef YIELDS_LATE
#define YIELDS_LATE 1	/* not while there is a grant, a want or a mark */
#endif
#ifndef STRANGERS
#define STRANGERS 1	/* an unknown number is one that died */
#endif

#define THREADS	(HOLDERS + 1)
#define OTHER	HOLDERS		/* who lists */
#define WORD	0
#define DATA	1
#define LOCS	2
#ifndef DEPTH
#define DEPTH	8
#endif
#define LOCKS	1

#define FREE	0
#define KERNEL	(HOLDERS + 1)	/* a holder's own number is its index + 1 */

#include "memory.pml"

#define SEES_ALL(t)	(LESS(newest[DATA], view[VIEW(t, DATA)]) == 0)

bool domain_locked;
byte granted;			/* who has it by the kernel's books, or FREE */
bool waits[HOLDERS];
bool party[HOLDERS];
bool mark;
byte having;			/* who has it really */
bool half;			/* what it protects is half written */

inline lock_domain(t)
{
	atomic {
		!domain_locked -> domain_locked = true;
		d_step { lock(t, 0) }
	}
}

inline unlock_domain(t)
{
	d_step {
		unlock(t, 0);
		domain_locked = false
	}
}

/*
 * Of the word: @from becomes @to, with all that is ordered by it, and @x is what
 * was there.
 */
inline exchange(t, from, to, release, acquire)
{
	atomic {
		x = values[VALUE(WORD, newest[WORD])];
		if
		:: x == from ->
			release_fence(t, release);
			change(t, WORD, x, to);
			acquire_fence(t, acquire)
		:: else
		fi
	}
}

inline somebody_waits(into)
{
	into = 0;
	for (k_ : 0 .. HOLDERS - 1) {
		into = into || waits[k_]
	}
	k_ = 0
}

/* code: kmod/word.c word_said() stand_in_for() resource_idle() */
inline word_said(t, owner)
{
	d_step {
		somebody_waits(w);
		if
		:: owner != FREE && owner != KERNEL && STAND_IN && !w &&
		   !mark && !granted ->
			if
			:: party[owner - 1] -> granted = owner
			:: !party[owner - 1] && STRANGERS -> mark = true
			:: else
			fi
		:: else
		fi;
		w = 0
	}
}

/* code: kmod/word.c sluice_word_take() */
inline sluice_word_take(t)
{
	if
	:: ONE_STEP ->
		atomic {
			full_fence(t, W2_TAKE);
			change(t, WORD, x, KERNEL);
			full_fence(t, W2_TAKE)
		}
	:: else ->
		load(t, WORD, x, 1);
		store(t, WORD, KERNEL, 1)
	fi;
	word_said(t, x);
	x = 0
}

/* code: kmod/word.c sluice_word_look() */
inline sluice_word_look(t)
{
	load(t, WORD, was, 0);
	if
	:: was != FREE && was != KERNEL ->
		exchange(t, was, KERNEL, 1, 1);
		if
		:: x == was -> word_said(t, was)
		:: else
		fi
	:: else
	fi;
	x = 0;
	was = 0
}

/* code: kmod/word.c sluice_word_yield() */
inline sluice_word_yield(t)
{
	d_step { somebody_waits(w) }
	if
	:: (!granted && !w && !mark) || !YIELDS_LATE ->
		w = 0;
		load(t, WORD, x, 0);
		if
		:: x == KERNEL -> store(t, WORD, FREE, W1_YIELD)
		:: else
		fi;
		x = 0
	:: else -> w = 0
	fi
}

/* code: kmod/request.c sluice_request_pass_dirty() */
inline sluice_request_pass(t)
{
	atomic {
		somebody_waits(w);
		if
		:: w && !granted ->
			do
			:: !waits[who] -> who++
			:: else -> break
			od;
			waits[who] = false;
			granted = who + 1;
			who = 0
		:: else
		fi;
		w = 0
	}
	sluice_word_yield(t)
}

/* code: kmod/lock.c lock_start() lock_sleep() lock_awake() */
inline call_lock(me)
{
	lock_domain(me);
	sluice_word_take(me);
	if
	:: !granted || granted == me + 1 -> granted = me + 1
	:: else -> waits[me] = true
	fi;
	unlock_domain(me);
	if
	:: waits[me] ->
		MAY_BE_KILLED;
		if
		:: killed -> goto died
		:: !killed && !waits[me]
		fi
	:: else
	fi;
	lock_domain(me);
	told_mark = mark;
	unlock_domain(me)
}

/* code: kmod/held.c sluice_held_unlock() */
inline call_unlock(me)
{
	lock_domain(me);
	sluice_word_look(me);
	if
	:: granted == me + 1 -> granted = FREE; sluice_request_pass(me)
	:: else
	fi;
	unlock_domain(me)
}

/* code: kmod/held.c sluice_held_recover() */
inline call_recover(me)
{
	lock_domain(me);
	mark = false;
	unlock_domain(me)
}

/* What the lock is for: nobody else is there, and all is as it was left. */
inline critical(me)
{
	STEP(
		assert(!having);
		having = me + 1;
		assert(SEES_ALL(me));
		assert(!half || told_mark)
	);
	if
	:: told_mark -> half = false; told_mark = false; call_recover(me)
	:: else
	fi;
	STEP(
		half = true;
		store(me, DATA, 0, 0)
	);
	STEP(
		half = false;
		having = 0
	)
}

/* code: lib/lock.c word_lock() word_unlock() */
proctype holder(byte me)
{
	byte at, x, was, who, n;
	bool w, killed, told_mark;

	do
	:: n < ROUNDS ->
		n++;
		x = KERNEL;
		if
		:: true
		:: STEP(exchange(me, FREE, me + 1, 0, W2))
		fi;
		if
		:: x == FREE
		:: else -> x = 0; call_lock(me)
		fi;
		x = 0;
		critical(me);
		STEP(exchange(me, me + 1, FREE, W1, 0));
		if
		:: x != me + 1 && CALLS -> x = 0; call_unlock(me)
		:: else
		fi;
		x = 0
	:: else -> break
	od;
	goto end;
died:
	/* code: kmod/holder.c holder_die() sluice_holder_leave() */
	atomic {
		x = 0;
		told_mark = false;
		having = (having == me + 1 -> 0 : having)
	}
	lock_domain(me);
	waits[me] = false;
	unlock_domain(me);
	/* code: kmod/word.c sluice_words_gather() party_gather() */
	lock_domain(me);
	if
	:: GATHERS -> sluice_word_look(me)
	:: else
	fi;
	party[me] = false;
	unlock_domain(me);
	lock_domain(me);
	if
	:: granted == me + 1 ->
		granted = FREE;
		mark = mark || MARKS;
		sluice_request_pass(me)
	:: else -> sluice_word_yield(me)
	fi;
	unlock_domain(me);
end:
	end_thread(me)
}

/* code: kmod/inspect.c list_space() */
proctype lister()
{
	byte at, x, was;
	bool w;

	lock_domain(OTHER);
	sluice_word_look(OTHER);
	unlock_domain(OTHER);
	end_thread(OTHER)
}

init {
	byte i;

	atomic {
		for (i : 0 .. HOLDERS - 1) {
			party[i] = true;
			run holder(i)
		}
		if
		:: LOOKS -> run lister()
		:: else -> over[OTHER] = true
		fi
	}
	_nr_pr == 1
}
