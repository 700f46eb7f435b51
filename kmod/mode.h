/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which modes go together: the six of the VMS and DLM lock managers (see
 * "Programming Locking Applications", IBM 2001, or fs/dlm/lock.c), and UP, the
 * update mode of databases (Gray and Reuter, Transaction Processing, 7.8.2).
 */
#ifndef SLUICE_MODE_H
#define SLUICE_MODE_H

#include <linux/bits.h>
#include <linux/sluice.h>

#define SLUICE_MODES		(SLUICE_EX + 1)

/* Of each mode, the set of modes that it keeps others from having. */
static const u8 sluice_mode_conflicts[SLUICE_MODES] = {
	[SLUICE_CR] = BIT(SLUICE_EX),
	[SLUICE_CW] = BIT(SLUICE_PR) | BIT(SLUICE_UP) | BIT(SLUICE_PW) |
		      BIT(SLUICE_EX),
	[SLUICE_PR] = BIT(SLUICE_CW) | BIT(SLUICE_PW) | BIT(SLUICE_EX),
	[SLUICE_UP] = BIT(SLUICE_CW) | BIT(SLUICE_UP) | BIT(SLUICE_PW) |
		      BIT(SLUICE_EX),
	[SLUICE_PW] = BIT(SLUICE_CW) | BIT(SLUICE_PR) | BIT(SLUICE_UP) |
		      BIT(SLUICE_PW) | BIT(SLUICE_EX),
	[SLUICE_EX] = BIT(SLUICE_CR) | BIT(SLUICE_CW) | BIT(SLUICE_PR) |
		      BIT(SLUICE_UP) | BIT(SLUICE_PW) | BIT(SLUICE_EX),
};

static inline bool sluice_mode_conflict(u8 a, u8 b)
{
	return sluice_mode_conflicts[a] & BIT(b);
}

/* Whoever goes with @a goes with @b, too. */
static inline bool sluice_mode_covers(u8 a, u8 b)
{
	return !(sluice_mode_conflicts[b] & ~sluice_mode_conflicts[a]);
}

/* One holder at a time, who gets a token. */
static inline bool sluice_mode_exclusive(u8 mode)
{
	return sluice_mode_conflict(mode, mode);
}

/* Its holder may leave the data half changed. */
static inline bool sluice_mode_writes(u8 mode)
{
	return mode == SLUICE_CW || mode == SLUICE_PW || mode == SLUICE_EX;
}

/* The right to a lockspace that it takes. */
static inline u32 sluice_mode_access(u8 mode)
{
	return sluice_mode_writes(mode) || mode == SLUICE_UP ? SLUICE_WRITE :
							       SLUICE_READ;
}

#endif
