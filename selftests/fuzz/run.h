/* SPDX-License-Identifier: GPL-2.0-only */
/* Running programs. */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include "program.h"

#define COVER_EDGES	(1 << 16)
#define COVER_TEXT	(1 << 22)	/* bytes of the module's code */

/**
 * struct tally - what has been done, by all fuzzers that share it
 * @programs: run
 * @made: calls, of each sort
 * @well: those that did not fail
 * @reached: for each address of the module's code, whether it was
 */
struct tally {
	__u64 programs;
	__u64 made[256];
	__u64 well[256];
	__u8 reached[COVER_TEXT];
};

/**
 * run_start - make the processes
 * @tally: shared memory
 * @edges: shared memory for COVER_EDGES counters, or NULL
 *
 * Coverage is counted if the kernel has KCOV and @edges is not NULL.
 */
void run_start(struct tally *tally, __u8 *edges);

/* Print what each step returns. */
extern bool run_verbose;

/* How many processes have been killed by a signal that nobody sent. */
extern unsigned int run_crashes;
/* And by which, the last of them. */
extern int run_crash_signal;

/* After how long a step is interrupted. */
extern long run_patience_ms;

/* How many places of the module @p was the first to reach; -1: it hangs. */
int run_program(const struct program *p);

#endif /* FUZZ_RUN_H */
