/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Places for arguments: memory that is good, half missing, read-only, or slow
 * to come, and looking at any address without dying of it.
 */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGE		4096UL
#define ARENA_GOOD	4	/* pages */

/**
 * struct arena - pages of all sorts, with nothing between them
 * @good: ARENA_GOOD pages, and none behind
 * @slow: a page that comes when it is asked for, and none behind; before it an
 *	ordinary one
 * @source: what comes into it
 * @fixed: a page that cannot be written
 * @alias: the same one, where it can
 */
struct arena {
	unsigned char *good, *slow, *source, *fixed, *alias;
};

/* A process's userfaultfd. */
struct slow {
	int fd;			/* -1: there is none */
	struct arena *arena[4];
	unsigned int n;
};

/* Where an argument lies: the low four bits of struct step's @where. */
enum where {
	WHERE_GOOD		= 0,
	WHERE_HALF		= 2,	/* the rest is not mapped */
	WHERE_SLOW		= 3,
	WHERE_HALF_SLOW		= 4,
	WHERE_SLOW_HALF		= 5,	/* slow, and the rest is not mapped */
	WHERE_FIXED		= 6,
	WHERE_NULL		= 7,
	WHERE_NOWHERE		= 8,
	WHERE_KERNEL		= 9,
	WHERE_MAPPING		= 10,	/* in what the process has mapped */
};

/* Catch what an access to memory may raise, in this process. */
void memory_catch(void);

/* memcpy(), unless it faults: whether it was done. */
bool copy_safely(void *to, const void *from, size_t n);

void arena_make(struct arena *a);
void slow_make(struct slow *slow);		/* before any right is given up */
void slow_add(struct slow *slow, struct arena *a);
void slow_serve(struct slow *slow);

/* Puts @n bytes of @data at @where: the address. @mapped is for WHERE_MAPPING. */
void *arena_put(struct arena *a, unsigned int where, const void *data, size_t n,
		void *mapped);

#endif /* FUZZ_MEMORY_H */
