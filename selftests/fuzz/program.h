/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs: what the fuzzer makes up, and what is kept. A program is a list of
 * steps; a step is one call by one actor, with bytes from which calls.c makes
 * the arguments. Any bytes are a program, so that everything can be mutated.
 *
 * As text a step is a line,
 *
 *	ACTOR[&] CALL FD OUT [@WHERE] [~VARIANT] PARAMETER...
 *
 * all numbers, trailing zeros left out; a program ends with an empty line, and
 * what is behind a # is comment.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <linux/types.h>

#define PROCESSES	3
#define THREADS		2	/* of each process */
#define ACTORS		(PROCESSES * THREADS)
#define SLOTS		32	/* file descriptors of a process */
#define MAPPINGS	16	/* of a process */

#define STEPS_MAX	64
#define PARAMS		18

#define STEP_ASYNC	0x80	/* in @actor: the next actor does not wait */

/**
 * struct step - one call
 * @actor: who
 * @call: which
 * @fd: on which of the process's descriptors, or mappings
 * @out: where what it makes is kept
 * @where: the pointers: the argument's, and in the upper half what it points to
 * @variant: of the ioctl's number, in the lower three bits; in the others which
 *	allocation or copy fails that the kernel makes for it, counted from 1
 * @param: what calls.c makes the argument from
 */
struct step {
	__u8 actor;
	__u8 call;
	__u8 fd;
	__u8 out;
	__u8 where;
	__u8 variant;
	__u8 param[PARAMS];
};

struct program {
	size_t n;
	struct step step[STEPS_MAX];
};

static inline unsigned int step_actor(const struct step *s)
{
	return (s->actor & ~STEP_ASYNC) % ACTORS;
}

static inline unsigned int step_failing(const struct step *s)
{
	return s->variant >> 3;
}

static inline unsigned int step_process(const struct step *s)
{
	return step_actor(s) / THREADS;
}

void program_from_bytes(struct program *p, const void *data, size_t size);

/* The next program of a text, or NULL at its end, or if it is no program. */
const char *program_from_text(struct program *p, const char *text);
void program_print(const struct program *p, FILE *to);

/* What is kept in the repository, zero-terminated. */
extern const char corpus_text[];

#endif /* FUZZ_PROGRAM_H */
