/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * Weak memory for the models: what C11 lets a load see.
 *
 * This is the view machine of J. Kang, C.-K. Hur, O. Lahav, V. Garg and
 * D. Dreyer, "A promising semantics for relaxed-memory concurrency", POPL 2017,
 * without promises. Each location keeps the values that were stored to it, in
 * order. Each thread has a view: of each location, the oldest value that it may
 * still see. A load picks any value that is not older than the view. A release
 * store carries the thread's view with it, and an acquire load that picks it
 * takes that over. A full fence exchanges views with all full fences before it.
 * So it shows more than store buffers do: also stores that overtake stores, and
 * loads that overtake loads. That a load overtakes a store behind it is left
 * out; where it matters, which is for payloads, look() and scribble() demand that
 * the one happens before the other, as C11 does of plain memory.
 *
 * In Sluice each location is written by one thread, under a lock, or by atomic
 * operations alone, so that a store always comes after all others.
 *
 * The includer says how many THREADS and locations (LOCS) there are, and how
 * many values of one can be of interest at once (DEPTH): more than that fails an
 * assertion, nothing is lost silently. LOCKS and READERS are optional.
 */

#ifndef LOCKS
#define LOCKS	1
#endif
#ifndef DEATHS
#define DEATHS	1
#endif

#define VALUE(l, i)	((l) * DEPTH + (i))
#define CARRIED(l, i, k) (((l) * DEPTH + (i)) * LOCS + (k))
#define VIEW(t, l)	((t) * LOCS + (l))
#define NEWER(a, b)	(((a) < (b)) -> (b) : (a))
#define LESS(a, b)	(((a) > (b)) -> (a) - (b) : 0)

byte newest[LOCS];
byte values[LOCS * DEPTH];
byte carried[LOCS * DEPTH * LOCS];	/* who acquires it has this view */
byte view[THREADS * LOCS];
byte heard[THREADS * LOCS];		/* what an acquire fence adds to it */
byte told[THREADS * LOCS];		/* what a relaxed store carries */
byte fenced[LOCS];			/* by all full fences so far */
byte unlocked[LOCKS * LOCS];		/* by whoever had the lock last */
bool over[THREADS];			/* the thread has ended */
byte deaths;

/* Scratch for steps that nobody can interrupt; no part of the state. */
hidden byte k_;
hidden byte j_;
hidden byte low_;

/*
 * Forget values that nobody can see any more, so that histories which differ
 * only in their past are one.
 */
inline forget(l)
{
	low_ = newest[l];
	for (k_ : 0 .. THREADS - 1) {
		low_ = ((!over[k_] && view[VIEW(k_, l)] < low_) ->
			view[VIEW(k_, l)] : low_);
	}
	if
	:: low_ ->
		newest[l] = newest[l] - low_;
		for (j_ : 0 .. DEPTH - 1) {
			if
			:: j_ + low_ < DEPTH ->
				values[VALUE(l, j_)] =
					values[VALUE(l, j_ + low_)];
				for (k_ : 0 .. LOCS - 1) {
					carried[CARRIED(l, j_, k_)] =
					    carried[CARRIED(l, j_ + low_, k_)]
				}
			:: else ->
				values[VALUE(l, j_)] = 0;
				for (k_ : 0 .. LOCS - 1) {
					carried[CARRIED(l, j_, k_)] = 0
				}
			fi
		}
		for (j_ : 0 .. LOCS * DEPTH - 1) {
			carried[j_ * LOCS + l] =
				LESS(carried[j_ * LOCS + l], low_)
		}
		for (k_ : 0 .. THREADS - 1) {
			view[VIEW(k_, l)] = LESS(view[VIEW(k_, l)], low_);
			heard[VIEW(k_, l)] = LESS(heard[VIEW(k_, l)], low_);
			told[VIEW(k_, l)] = LESS(told[VIEW(k_, l)], low_)
		}
		for (k_ : 0 .. LOCKS - 1) {
			unlocked[VIEW(k_, l)] =
				LESS(unlocked[VIEW(k_, l)], low_)
		}
		fenced[l] = LESS(fenced[l], low_)
	:: else
	fi;
	k_ = 0
}

/* A store; @release or not. */
inline store(t, l, value, release)
{
	d_step {
		newest[l]++;
		assert(newest[l] < DEPTH);
		view[VIEW(t, l)] = newest[l];
		heard[VIEW(t, l)] = newest[l];
		values[VALUE(l, newest[l])] = value;
		for (k_ : 0 .. LOCS - 1) {
			carried[CARRIED(l, newest[l], k_)] =
				(release -> view[VIEW(t, k_)] :
					    told[VIEW(t, k_)])
		}
		carried[CARRIED(l, newest[l], l)] = newest[l];
		forget(l)
	}
}

/* The value at @at of the history is what the thread sees. */
inline see(t, l, into, acquire)
{
	into = values[VALUE(l, at)];
	view[VIEW(t, l)] = at;
	for (k_ : 0 .. LOCS - 1) {
		heard[VIEW(t, k_)] = NEWER(heard[VIEW(t, k_)],
					   carried[CARRIED(l, at, k_)]);
		if
		:: acquire ->
			view[VIEW(t, k_)] = NEWER(view[VIEW(t, k_)],
						carried[CARRIED(l, at, k_)])
		:: else
		fi
	}
}

/* A load; @acquire or not. The process has a byte @at, which is 0. */
inline load(t, l, into, acquire)
{
	atomic {
		at = view[VIEW(t, l)];
		do
		:: at < newest[l] -> at++
		:: break
		od;
		skip;
		d_step {
			see(t, l, into, acquire);
			forget(l);
			at = 0
		}
	}
}

/* An atomic operation that orders nothing: it sees the newest value. */
inline change(t, l, into, value)
{
	d_step {
		into = values[VALUE(l, newest[l])];
		low_ = newest[l];
		newest[l]++;
		assert(newest[l] < DEPTH);
		values[VALUE(l, newest[l])] = value;
		for (k_ : 0 .. LOCS - 1) {
			heard[VIEW(t, k_)] = NEWER(heard[VIEW(t, k_)],
						carried[CARRIED(l, low_, k_)]);
			carried[CARRIED(l, newest[l], k_)] =
				NEWER(carried[CARRIED(l, low_, k_)],
				      told[VIEW(t, k_)])
		}
		carried[CARRIED(l, newest[l], l)] = newest[l];
		view[VIEW(t, l)] = newest[l];
		heard[VIEW(t, l)] = newest[l];
		forget(l)
	}
}

inline full_fence(t, on)
{
	d_step {
		k_ = 0;
		if
		:: on ->
			for (k_ : 0 .. LOCS - 1) {
				fenced[k_] = NEWER(fenced[k_],
						   heard[VIEW(t, k_)]);
				view[VIEW(t, k_)] = fenced[k_];
				heard[VIEW(t, k_)] = fenced[k_];
				told[VIEW(t, k_)] = fenced[k_]
			}
		:: else
		fi;
		k_ = 0
	}
}

inline acquire_fence(t, on)
{
	d_step {
		k_ = 0;
		if
		:: on ->
			for (k_ : 0 .. LOCS - 1) {
				view[VIEW(t, k_)] = heard[VIEW(t, k_)]
			}
		:: else
		fi;
		k_ = 0
	}
}

inline release_fence(t, on)
{
	d_step {
		k_ = 0;
		if
		:: on ->
			for (k_ : 0 .. LOCS - 1) {
				told[VIEW(t, k_)] = view[VIEW(t, k_)]
			}
		:: else
		fi;
		k_ = 0
	}
}

/* Within d_step: all that is done under lock @n in one go begins, or ends. */
inline lock(t, n)
{
	for (k_ : 0 .. LOCS - 1) {
		view[VIEW(t, k_)] = NEWER(view[VIEW(t, k_)],
					  unlocked[VIEW(n, k_)]);
		heard[VIEW(t, k_)] = NEWER(heard[VIEW(t, k_)],
					   view[VIEW(t, k_)])
	}
	k_ = 0
}

inline unlock(t, n)
{
	for (k_ : 0 .. LOCS - 1) {
		unlocked[VIEW(n, k_)] = view[VIEW(t, k_)]
	}
	k_ = 0
}

/* The thread does nothing more: what it has not seen, it never will. */
inline end_thread(t)
{
	d_step {
		over[t] = true;
		for (k_ : 0 .. LOCS - 1) {
			view[VIEW(t, k_)] = 0;
			heard[VIEW(t, k_)] = 0;
			told[VIEW(t, k_)] = 0
		}
		k_ = 0
	}
}

/*
 * A step of a program. SIGKILL may come before each; then the kernel's part
 * of the death is at the label "died". The kernel's own steps are none of these:
 * who is killed within a system call finishes it, or leaves where it sleeps.
 */
#define STEP(step) \
	atomic { \
		if \
		:: true \
		:: deaths < DEATHS -> deaths++; goto died \
		fi; \
		step \
	}

/*
 * Who is about to sleep may be killed there. That is decided before, or nobody
 * would ever seem to sleep for good.
 */
#define MAY_BE_KILLED \
	atomic { \
		if \
		:: true \
		:: deaths < DEATHS -> deaths++; killed = true \
		fi \
	}
