/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls there are, and what their arguments look like.
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "program.h"

/* What a descriptor is, as far as one can tell without having made it. */
enum kind {
	NOTHING		= 0,
	CHANNEL		= 1 << 0,
	PUBLISHER	= 1 << 1,
	SUBSCRIBER	= 1 << 2,
	FEED		= 1 << 3,
	LOCKSPACE	= 1 << 4,
	HOLDER		= 1 << 5,
	BLOCK		= 1 << 6,
	SOCKET		= 1 << 7,
	PLAIN		= 1 << 8,	/* file, eventfd, ... */
	DEVICE		= 1 << 9,
	MAPPING		= 1 << 10,
	IN_FLIGHT	= 1 << 11,	/* sent to another process */
	NETLINK		= 1 << 12,
	ENDPOINT	= PUBLISHER | SUBSCRIBER,
	SLUICE		= CHANNEL | ENDPOINT | FEED | LOCKSPACE | HOLDER | BLOCK,
	ANY		= SLUICE | SOCKET | PLAIN | DEVICE | NETLINK,
};

/* How a parameter becomes a value. Zero is always something sensible. */
enum type {
	BITS,		/* of those in @arg */
	NUMBER,		/* itself */
	PICK,		/* one of picks[@arg] */
	RECENT,		/* one that the kernel told: recent[@arg] */
	TIME,		/* about now */
	SLOT,		/* a descriptor; @arg is what it should be */
	TEXT,		/* a length here, its bytes at @arg */
	POINTER,	/* to the elements */
};

/* Values that the kernel told, and others may need. */
enum recent {
	GENERATION, TOKEN, TAG, OWNER, ROOM, NUMBER_OF, RECENTS,
};

enum picks {
	OPENS, ACCESS, MODES, IDS, PATTERNS, POLICIES, SLOT_COUNTS, FEW, SIZES, ROLES,
	MANY, STRIDES, VICTIMS, LOCKSPACE_FLAGS, WORDS, KINDS, LOCK_MODES, STARTS,
	ENDS, LEASES, PRIORITIES, RECOVERIES, INDEXES, PICKS,
};

#define PICK_MAX	8

extern const __u64 picks[PICKS][PICK_MAX];

/* With SLOT: each element has the next one. */
#define MANY_SLOTS	(1 << 15)

struct field {
	unsigned short offset;
	unsigned char size;
	unsigned char type;
	unsigned int arg;
};

struct thread;

/**
 * struct call - a call
 * @name: in text
 * @cmd: of an ioctl, else 0
 * @size: of its argument
 * @fields: of its argument
 * @n: how many
 * @element: fields of an element of the array it points to
 * @n_element: how many
 * @stride: bytes of an element
 * @takes: enum kind: what @fd should be
 * @gives: enum kind: what it makes; of JOIN it depends
 * @rare: it costs much, or ends the process
 * @params: how many it looks at, if it is no ioctl
 * @done: an ioctl has succeeded: remember what it told
 * @run: what is no ioctl
 */
struct call {
	const char *name;
	unsigned int cmd;
	unsigned short size;
	const struct field *fields;
	unsigned short n;
	const struct field *element;
	unsigned short n_element;
	unsigned short stride;
	unsigned short takes;
	unsigned short gives;
	bool rare;
	unsigned char params;
	void (*done)(struct thread *t, const struct step *s, const void *arg, int ret);
	long (*run)(struct thread *t, const struct step *s);
};

extern const struct call calls[];
extern const unsigned int n_calls;

static inline const struct call *step_call(const struct step *s)
{
	return &calls[s->call % n_calls];
}

/* What @s makes, if all goes well. */
unsigned int step_gives(const struct step *s);
unsigned int call_params(const struct call *c);

#endif /* FUZZ_CALLS_H */
