// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: modes, against the matrix as people draw it and against definitions
 * that do not look at the module's table.
 */
#include <kunit/test.h>

#include "../mode.h"

/* By enum sluice_mode, x where two holders cannot have both at once. */
static const char *const matrix[SLUICE_MODES] = {
	/*		  - NL CR CW PR UP PW EX */
	[SLUICE_UNLOCKED] = "........",
	[SLUICE_NL] =	    "........",
	[SLUICE_CR] =	    ".......x",
	[SLUICE_CW] =	    "....xxxx",
	[SLUICE_PR] =	    "...x..xx",
	[SLUICE_UP] =	    "...x.xxx",
	[SLUICE_PW] =	    "...xxxxx",
	[SLUICE_EX] =	    "..xxxxxx",
};

/* From a mode to those that are next below it. */
static const struct {
	u8 strong;
	u8 weak;
} below[] = {
	{ SLUICE_NL, SLUICE_UNLOCKED },
	{ SLUICE_UNLOCKED, SLUICE_NL },	/* to others they are the same */
	{ SLUICE_CR, SLUICE_NL },
	{ SLUICE_CW, SLUICE_CR },
	{ SLUICE_PR, SLUICE_CR },
	{ SLUICE_UP, SLUICE_PR },
	{ SLUICE_PW, SLUICE_CW },
	{ SLUICE_PW, SLUICE_UP },
	{ SLUICE_EX, SLUICE_PW },
};

static bool drawn(u8 a, u8 b)
{
	return matrix[a][b] == 'x';
}

/* Those @mode is at least as strong as, by following @below. */
static u32 modes_below(u8 mode)
{
	u32 set = BIT(mode), before;
	u32 i;

	do {
		before = set;
		for (i = 0; i < ARRAY_SIZE(below); i++)
			if (set & BIT(below[i].strong))
				set |= BIT(below[i].weak);
	} while (set != before);
	return set;
}

static void mode_matrix(struct kunit *test)
{
	u8 a, b;

	for (a = 0; a < SLUICE_MODES; a++) {
		for (b = 0; b < SLUICE_MODES; b++) {
			KUNIT_EXPECT_EQ_MSG(test, drawn(a, b),
					    sluice_mode_conflict(a, b),
					    "modes %u and %u", a, b);
			KUNIT_EXPECT_EQ_MSG(test, sluice_mode_conflict(b, a),
					    sluice_mode_conflict(a, b),
					    "modes %u and %u", a, b);
		}
	}
}

static void mode_covers(struct kunit *test)
{
	bool covers;
	u8 a, b, c;

	for (a = 0; a < SLUICE_MODES; a++) {
		for (b = 0; b < SLUICE_MODES; b++) {
			covers = true;
			for (c = 0; c < SLUICE_MODES; c++)
				covers &= drawn(a, c) || !drawn(b, c);
			KUNIT_EXPECT_EQ_MSG(test, covers,
					    sluice_mode_covers(a, b),
					    "modes %u and %u", a, b);
			KUNIT_EXPECT_EQ_MSG(test, covers,
					    !!(modes_below(a) & BIT(b)),
					    "modes %u and %u", a, b);
		}
	}
}

static void mode_kinds(struct kunit *test)
{
	u32 exclusive = BIT(SLUICE_UP) | BIT(SLUICE_PW) | BIT(SLUICE_EX);
	u32 writes = BIT(SLUICE_CW) | BIT(SLUICE_PW) | BIT(SLUICE_EX);
	u8 mode;

	for (mode = SLUICE_NL; mode < SLUICE_MODES; mode++) {
		KUNIT_EXPECT_EQ(test, !!(exclusive & BIT(mode)),
				sluice_mode_exclusive(mode));
		KUNIT_EXPECT_EQ(test, !!(writes & BIT(mode)),
				sluice_mode_writes(mode));
		KUNIT_EXPECT_EQ(test, (exclusive | writes) & BIT(mode) ?
				SLUICE_WRITE : SLUICE_READ,
				sluice_mode_access(mode));
	}
}

static struct kunit_case mode_cases[] = {
	KUNIT_CASE(mode_matrix),
	KUNIT_CASE(mode_covers),
	KUNIT_CASE(mode_kinds),
	{}
};

static struct kunit_suite mode_suite = {
	.name = "sluice_mode",
	.test_cases = mode_cases,
};

kunit_test_suite(mode_suite);
