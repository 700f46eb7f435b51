// SPDX-License-Identifier: GPL-2.0-only
/*
 * Byte ranges: they split, merge and change as people know it from fcntl(),
 * with more modes; then random ones against a map of every byte.
 */
#include "lock.h"

#define KEY	"range"

/*
 * What a holder has, as a string: a letter for each of the first bytes, '.'
 * for none, and after a '|' one for the last byte there is.
 */
#define SHOWN	16

static const char letter[MODES + 1] = ".nrwpuWx";

struct picture {
	char text[SHOWN + 3];
};

static struct picture picture_of(int space, __u64 holder)
{
	struct picture p;
	int i;

	for (i = 0; i < SHOWN; i++)
		p.text[i] = letter[mode_at(space, holder, KEY, i)];
	p.text[SHOWN] = '|';
	p.text[SHOWN + 1] = letter[mode_at(space, holder, KEY, SLUICE_END)];
	p.text[SHOWN + 2] = 0;
	return p;
}

FIXTURE(range) {
	struct cast c;
};

FIXTURE_SETUP(range)
{
	cast_make(&self->c, 4);
}

FIXTURE_TEARDOWN(range)
{
	int i;

	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	EXPECT_EQ(0, lockspace_stat(self->c.space).grants);
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define R(mode, s, e)	range(self->c.space, KEY, SLUICE_##mode, s, e)
#define SEE(want, i)	EXPECT_STREQ(want, picture_of(self->c.space, \
						      self->c.id[i]).text)
#define HELD(i)		held_by(self->c.space, self->c.id[i])

TEST_F(range, ends_are_inclusive)
{
	ASSERT_EQ(0, try(A, R(EX, 4, 7)));
	SEE("....xxxx........|.", 0);
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 7, 9)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 0, 4)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 5, 5)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 0, SLUICE_END)));
	EXPECT_EQ(0, try(B, R(EX, 8, 9)));
	EXPECT_EQ(0, try(B, R(EX, 0, 3)));
	SEE("xxxx....xx......|.", 1);
}

TEST_F(range, one_byte)
{
	EXPECT_EQ(0, try(A, R(EX, 5, 5)));
	EXPECT_EQ(0, try(B, R(EX, 4, 4)));
	EXPECT_EQ(0, try(C, R(EX, 6, 6)));
	EXPECT_EQ(-EAGAIN, try(B, R(PR, 5, 5)));
	SEE(".....x..........|.", 0);
}

TEST_F(range, to_the_end)
{
	ASSERT_EQ(0, try(A, R(EX, 10, SLUICE_END)));
	SEE("..........xxxxxx|x", 0);
	EXPECT_EQ(-EAGAIN, try(B, R(PR, SLUICE_END, SLUICE_END)));
	EXPECT_EQ(-EAGAIN, try(B, R(PR, 1ULL << 63, 1ULL << 63)));
	EXPECT_EQ(0, try(B, R(PR, 0, 9)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 1ULL << 40, SLUICE_END)));
	EXPECT_EQ(0, try(B, R(EX, 1ULL << 40, SLUICE_END)));
	SEE("..........xxxxxx|.", 0);
	SEE("pppppppppp......|x", 1);
}

TEST_F(range, last_byte_of_all)
{
	ASSERT_EQ(0, try(A, R(EX, SLUICE_END, SLUICE_END)));
	EXPECT_EQ(0, try(B, R(EX, 0, SLUICE_END - 1)));
	EXPECT_EQ(-EAGAIN, try(B, R(EX, 0, SLUICE_END)));
	SEE("................|x", 0);
	SEE("xxxxxxxxxxxxxxxx|.", 1);
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, try(B, R(EX, SLUICE_END, SLUICE_END)));
	SEE("xxxxxxxxxxxxxxxx|x", 1);
}

/* What is adjacent and alike is one; tokens do not keep readers apart. */
TEST_F(range, adjacent_ones_merge)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 3)));
	ASSERT_EQ(0, try(A, R(PR, 8, 11)));
	EXPECT_EQ(2, HELD(0));
	ASSERT_EQ(0, try(A, R(PR, 4, 7)));
	EXPECT_EQ(1, HELD(0));
	SEE("pppppppppppp....|.", 0);
}

TEST_F(range, overlapping_ones_merge)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 5)));
	ASSERT_EQ(0, try(A, R(PR, 3, 9)));
	EXPECT_EQ(1, HELD(0));
	SEE("pppppppppp......|.", 0);
	ASSERT_EQ(0, try(A, R(EX, 0, SLUICE_END)));
	EXPECT_EQ(1, HELD(0));
	SEE("xxxxxxxxxxxxxxxx|x", 0);
}

TEST_F(range, unlock_in_the_middle)
{
	ASSERT_EQ(0, try(A, R(EX, 2, 13)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 6, 9)));
	SEE("..xxxx....xxxx..|.", 0);
	EXPECT_EQ(2, HELD(0));
	EXPECT_EQ(0, try(B, R(EX, 6, 9)));
	EXPECT_EQ(-EAGAIN, try(C, R(PR, 5, 5)));
	EXPECT_EQ(-EAGAIN, try(C, R(PR, 10, 10)));
}

TEST_F(range, unlock_of_ends)
{
	ASSERT_EQ(0, try(A, R(PR, 4, 11)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, 5)));
	SEE("......pppppp....|.", 0);
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 10, SLUICE_END)));
	SEE("......pppp......|.", 0);
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 6, 9)));
	EXPECT_EQ(0, HELD(0));
}

TEST_F(range, unlock_over_several)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 2)));
	ASSERT_EQ(0, try(A, R(EX, 4, 6)));
	ASSERT_EQ(0, try(A, R(CR, 8, 10)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 1, 8)));
	SEE("p........rr.....|.", 0);
	EXPECT_EQ(0, unlock(A, R(UNLOCKED, 2, 8)));
	SEE("p........rr.....|.", 0);
}

/* A lock in another mode replaces, where they overlap. */
TEST_F(range, replaced_in_the_middle)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 11)));
	ASSERT_EQ(0, try(A, R(EX, 4, 7)));
	SEE("ppppxxxxpppp....|.", 0);
	EXPECT_EQ(3, HELD(0));
	EXPECT_EQ(0, try(B, R(PR, 0, 3)));
	EXPECT_EQ(-EAGAIN, try(B, R(PR, 4, 4)));
	EXPECT_EQ(0, try(B, R(PR, 8, 11)));
	ASSERT_EQ(0, try(A, R(PR, 4, 7)));
	EXPECT_EQ(1, HELD(0)) TH_LOG("all alike again");
	SEE("pppppppppppp....|.", 0);
}

TEST_F(range, replaced_at_the_edges)
{
	ASSERT_EQ(0, try(A, R(EX, 4, 11)));
	ASSERT_EQ(0, try(A, R(PR, 0, 5)));
	SEE("ppppppxxxxxx....|.", 0);
	ASSERT_EQ(0, try(A, R(CW, 10, 13)));
	SEE("ppppppxxxxwwww..|.", 0);
	ASSERT_EQ(0, try(A, R(NL, 5, 10)));
	SEE("pppppnnnnnnwww..|.", 0);
}

TEST_F(range, replaces_several)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 1)));
	ASSERT_EQ(0, try(A, R(EX, 3, 4)));
	ASSERT_EQ(0, try(A, R(CW, 6, 7)));
	ASSERT_EQ(0, try(A, R(PW, 1, 6)));
	SEE("pWWWWWWw........|.", 0);
	EXPECT_EQ(3, HELD(0));
}

TEST_F(range, weakened_in_the_middle)
{
	ASSERT_EQ(0, try(A, R(EX, 0, 11)));
	ASSERT_EQ(0, unlock(A, R(PR, 4, 7)));
	SEE("xxxxppppxxxx....|.", 0);
	EXPECT_EQ(0, try(B, R(PR, 4, 7)));
	EXPECT_EQ(-EAGAIN, try(B, R(PR, 3, 3)));
	/* Somewhere it would be stronger: nothing is changed anywhere. */
	EXPECT_EQ(-EINVAL, unlock(A, R(UP, 0, 11)));
	SEE("xxxxppppxxxx....|.", 0);
	EXPECT_EQ(0, unlock(A, R(CR, 0, SLUICE_END)));
	SEE("rrrrrrrrrrrr....|.", 0);
}

/* UNLOCK of several items is one, too: the second is refused, so is the first. */
TEST_F(range, unlock_of_items_is_atomic)
{
	struct sluice_item i[2];

	ASSERT_EQ(0, try(A, R(EX, 0, 3)));
	ASSERT_EQ(0, try(A, R(PR, 8, 11)));
	i[0] = R(UNLOCKED, 0, 3);
	i[1] = R(EX, 8, 11);
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("xxxx....pppp....|.", 0);
	i[1].mode = SLUICE_UNLOCKED;
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	EXPECT_EQ(0, HELD(0));
}

/* One item leaves what the next one's range has: that stays another's. */
TEST_F(range, unlock_of_items_side_by_side)
{
	struct sluice_item i[2] = { R(PR, 0, 5), R(CR, 6, 11) };

	ASSERT_EQ(0, try(A, R(EX, 0, 5)));
	ASSERT_EQ(0, try(A, R(PR, 6, 11)));
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("pppppprrrrrr....|.", 0);
	EXPECT_EQ(2, HELD(0));
	ASSERT_EQ(0, try(A, R(EX, 0, 3)));
	ASSERT_EQ(0, try(A, R(PR, 4, 15)));
	i[0] = R(PR, 0, 3);
	i[1] = R(UNLOCKED, 4, 7);
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("pppp....pppppppp|.", 0);
	i[0] = R(CR, 8, 11);
	i[1] = R(CR, 12, 15);
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("pppp....rrrrrrrr|.", 0);
	EXPECT_EQ(2, HELD(0)) TH_LOG("alike, so they are one");
}

/* What UNLOCK leaves of a byte must not depend on which item comes first. */
TEST_F(range, unlock_of_items_that_overlap)
{
	struct sluice_item i[2] = { R(PR, 0, 15), R(EX, 4, 7) }, swapped[2];

	swapped[0] = i[1];
	swapped[1] = i[0];
	ASSERT_EQ(0, try(A, R(EX, 0, 15)));
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("xxxxxxxxxxxxxxxx|.", 0);
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, swapped, 2, 0));
	i[1].mode = SLUICE_UNLOCKED;
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, i, 2, 0));
	SEE("xxxxxxxxxxxxxxxx|.", 0);
	EXPECT_EQ(1, HELD(0));
}

/* In one mode they may: those of a request for any may, and are let go alike. */
TEST_F(range, unlock_of_alike_items_that_overlap)
{
	struct sluice_item i[3] = { R(PR, 4, 7), R(PR, 6, 11), R(PR, 5, 5) };

	ASSERT_EQ(0, try(A, R(EX, 0, 15)));
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 3, 0));
	SEE("xxxxppppppppxxxx|.", 0);
	i[0] = R(UNLOCKED, 2, 9);
	i[1] = R(UNLOCKED, 8, 12);
	i[2] = R(UNLOCKED, 2, 9);
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, i, 3, 0));
	SEE("xx...........xxx|.", 0);
	EXPECT_EQ(2, HELD(0));
}

/* Others hold the neighbours, and are neither in the way nor harmed. */
TEST_F(range, upgrade_between_neighbours)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 15)));
	ASSERT_EQ(0, try(B, R(PR, 0, 4)));
	ASSERT_EQ(0, try(C, R(PR, 9, 15)));
	EXPECT_EQ(0, try(A, R(EX, 5, 8)));
	SEE("pppppxxxxppppppp|.", 0);
	EXPECT_EQ(-EAGAIN, try(A, R(EX, 4, 8)));
	EXPECT_EQ(-EAGAIN, try(A, R(EX, 5, 9)));
	SEE("pppppxxxxppppppp|.", 0);
	SEE("ppppp...........|.", 1);
	SEE(".........ppppppp|.", 2);
}

/* A conversion waits only for those who share the bytes, and then is whole. */
TEST_F(range, upgrade_waits_for_overlap_only)
{
	ASSERT_EQ(0, try(A, R(PR, 0, 15)));
	ASSERT_EQ(0, try(B, R(PR, 7, 7)));
	ASSERT_EQ(0, try(C, R(PR, 12, 15)));
	ASSERT_EQ(-EINPROGRESS, ask(A, R(EX, 4, 11)));
	SEE("pppppppppppppppp|.", 0);
	EXPECT_EQ(0, unlock(B, R(UNLOCKED, 0, 6)));
	EXPECT_FALSE(is_done(A));
	EXPECT_EQ(0, unlock(B, R(UNLOCKED, 7, 7)));
	EXPECT_EQ(0, outcome(A));
	SEE("ppppxxxxxxxxpppp|.", 0);
}

/* A request for bytes that are partly one's own, partly new, partly taken. */
TEST_F(range, partly_owned)
{
	ASSERT_EQ(0, try(A, R(EX, 4, 7)));
	ASSERT_EQ(0, try(B, R(EX, 10, 10)));
	EXPECT_EQ(-EAGAIN, try(A, R(EX, 0, 10)));
	SEE("....xxxx........|.", 0);
	EXPECT_EQ(0, try(A, R(EX, 0, 9)));
	SEE("xxxxxxxxxx......|.", 0);
	EXPECT_EQ(1, HELD(0));
}

/* What is unlocked in part lets in whom it was in the way of, no others. */
TEST_F(range, partial_unlock_wakes_whom_it_lets)
{
	ASSERT_EQ(0, try(A, R(EX, 0, 15)));
	ASSERT_EQ(-EINPROGRESS, ask(B, R(EX, 2, 3)));
	ASSERT_EQ(-EINPROGRESS, ask(C, R(EX, 3, 8)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 4, 8)));
	EXPECT_FALSE(is_done(B));
	EXPECT_FALSE(is_done(C));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, 3)));
	EXPECT_EQ(0, outcome(B));
	EXPECT_FALSE(is_done(C)) TH_LOG("byte 3 is B's now");
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, outcome(C));
	SEE(".........xxxxxxx|.", 0);
	SEE("...xxxxxx.......|.", 2);
}

/* Items of one request on one resource, side by side. */
TEST_F(range, several_of_one_resource)
{
	struct sluice_item i[3] = { R(EX, 0, 3), R(PR, 4, 7), R(CW, 12, SLUICE_END) };

	ASSERT_EQ(0, lock_items(A, i, 3, SLUICE_LOCK_TRY));
	SEE("xxxxpppp....wwww|w", 0);
	EXPECT_LT(0, i[0].token);
	ASSERT_EQ(0, try(B, R(PR, 6, 7)));
	i[0] = R(PR, 0, 3);
	i[1] = R(EX, 4, 7);
	EXPECT_EQ(-EAGAIN, lock_items(A, i, 2, SLUICE_LOCK_TRY));
	SEE("xxxxpppp....wwww|w", 0);
}

/* Many small ones: each is found, and unlocking by halves leaves the rest. */
TEST_F(range, many_small_ones)
{
	unsigned long n = scaled(2000, 300), i;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, try(A, R(EX, 3 * i, 3 * i + 1)));
	EXPECT_EQ(n, lockspace_stat(self->c.space).grants);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(-EAGAIN, try(B, R(PR, 3 * i + 1, 3 * i + 1)));
		EXPECT_EQ(0, try(B, R(PR, 3 * i + 2, 3 * i + 2)));
	}
	for (i = 0; i < n; i += 2)
		ASSERT_EQ(0, unlock(A, R(UNLOCKED, 3 * i, 3 * i)));
	EXPECT_EQ(2 * n, lockspace_stat(self->c.space).grants);
	EXPECT_EQ(0, try(C, R(EX, 0, 0)));
	EXPECT_EQ(-EAGAIN, try(C, R(EX, 1, 1)));
	EXPECT_EQ(-EAGAIN, try(C, R(EX, 3, 3)));
	ASSERT_EQ(0, unlock(A, R(UNLOCKED, 0, SLUICE_END)));
	EXPECT_EQ(0, HELD(0));
}

/*
 * Random ones, and what must come of them. @mode[h][k][b] is what holder h has
 * of byte b of key k; the last byte stands for all that follow.
 */
#define HOLDERS	5
#define KEYS	2
#define BYTES	40
#define TAIL	(BYTES - 1)

struct oracle {
	__u8 mode[HOLDERS][KEYS][BYTES];
	__u64 seed;
	__u64 token;		/* the last one given */
};

static const char *const key_name[KEYS] = { KEY, "another" };

static unsigned int below(struct oracle *o, unsigned int n)
{
	return (random_next(&o->seed) >> 33) % n;
}

static struct sluice_item random_item(struct oracle *o, int space, __u32 least)
{
	unsigned int a = below(o, BYTES), b = below(o, BYTES), t;

	if (a > b) {
		t = a;
		a = b;
		b = t;
	}
	if (below(o, 3))
		b = a + below(o, b - a + 1);
	return range(space, key_name[below(o, KEYS)],
		     least + below(o, MODES - least), a,
		     b == TAIL ? SLUICE_END : b);
}

static int key_of(const struct sluice_item *i)
{
	return i->key_len != strlen(KEY);
}

static unsigned int last_of(const struct sluice_item *i)
{
	return i->end == SLUICE_END ? TAIL : i->end;
}

static bool can_have(const struct oracle *o, int h, const struct sluice_item *i)
{
	unsigned int b;
	int other;

	for (other = 0; other < HOLDERS; other++)
		for (b = i->start; other != h && b <= last_of(i); b++)
			if (!goes_with(o->mode[other][key_of(i)][b], i->mode))
				return false;
	return true;
}

static bool can_weaken(const struct oracle *o, int h, const struct sluice_item *i)
{
	unsigned int b;

	for (b = i->start; b <= last_of(i); b++) {
		__u32 has = o->mode[h][key_of(i)][b];

		if (has && !may_weaken(has, i->mode))
			return false;
	}
	return true;
}

static void give(struct oracle *o, int h, const struct sluice_item *i, bool all)
{
	__u8 *m = o->mode[h][key_of(i)];
	unsigned int b;

	for (b = i->start; b <= last_of(i); b++)
		if (all || m[b])
			m[b] = i->mode;
}

static bool apart(const struct sluice_item *a, const struct sluice_item *b)
{
	return key_of(a) != key_of(b) || a->end < b->start || b->end < a->start;
}

/* Up to three items that do not overlap, all or any of them. */
static void random_lock(struct oracle *o, struct cast *c, int h)
{
	struct sluice_item i[3];
	struct sluice_lock l = {
		.flags = SLUICE_LOCK_TRY | (below(o, 3) ? 0 : SLUICE_LOCK_ANY),
	};
	int n = 1, k, want = 0, first = -1, ret;

	i[0] = random_item(o, c->space, SLUICE_NL);
	while (n < 3 && !below(o, 3)) {
		i[n] = random_item(o, c->space, SLUICE_NL);
		for (k = 0; k < n && apart(&i[k], &i[n]); k++)
			;
		n += k == n || l.flags & SLUICE_LOCK_ANY;
	}
	for (k = 0; k < n; k++)
		if (!can_have(o, h, &i[k]))
			want = -EAGAIN;
		else if (first < 0)
			first = k;
	if (l.flags & SLUICE_LOCK_ANY)
		want = first < 0 ? -EAGAIN : 0;
	ret = lock_full(c->h[h], &l, i, n);
	if (ret != want)
		fail("holder %d: %d instead of %d", h, ret, want);
	for (k = 0; !ret && k < n; k++) {
		if (l.flags & SLUICE_LOCK_ANY && k != first)
			continue;
		give(o, h, &i[k], true);
		if (!has_token(i[k].mode))
			continue;
		check(i[k].token > o->token || n > 1);
		o->token = i[k].token > o->token ? i[k].token : o->token;
	}
	check(ret || !(l.flags & SLUICE_LOCK_ANY) || l.index == first);
}

/* The next item may be right behind this one, of the same key. */
static struct sluice_item random_beside(struct oracle *o, int space,
					const struct sluice_item *before)
{
	struct sluice_item i = random_item(o, space, SLUICE_UNLOCKED);

	if (last_of(before) == TAIL || !below(o, 3))
		return i;
	memcpy(i.key, before->key, sizeof(i.key));
	i.key_len = before->key_len;
	i.start = before->end + 1;
	if (i.end < i.start)
		i.end = i.start == TAIL ? SLUICE_END : i.start;
	return i;
}

/* Up to three items that do not overlap, of which each may be another mode. */
static void random_unlock(struct oracle *o, struct cast *c, int h)
{
	struct sluice_item i[3];
	int n = 0, k, want = 0, ret;

	do {
		i[n] = n ? random_beside(o, c->space, &i[n - 1]) :
			random_item(o, c->space, SLUICE_UNLOCKED);
		if (below(o, 2))
			i[n].mode = SLUICE_UNLOCKED;
		for (k = 0; k < n && apart(&i[k], &i[n]); k++)
			;
		n += k == n;
	} while (n < 3 && below(o, 2));
	for (k = 0; k < n; k++)
		if (!can_weaken(o, h, &i[k]))
			want = -EINVAL;
	ret = act_on(c->h[h], SLUICE_IOC_UNLOCK, i, n, 0);
	if (ret != want)
		fail("holder %d, [%llu, %llu] to %u: %d instead of %d", h,
		     i[0].start, i[0].end, i[0].mode, ret, want);
	for (k = 0; !ret && k < n; k++)
		give(o, h, &i[k], false);
}

static int holder_index(const struct cast *c, __u64 id)
{
	int h;

	for (h = 0; h < HOLDERS; h++)
		if (c->id[h] == id)
			return h;
	fail("a holder that is none of ours: %llu", id);
}

/* Draws what LOCKS tells into @seen; no byte twice, entries in their order. */
static void draw(const struct cast *c, const struct sluice_lock_entry *e,
		 struct oracle *seen)
{
	int k = e->key_len != strlen(KEY), h = holder_index(c, e->holder);
	unsigned int b, last = e->end == SLUICE_END ? TAIL : e->end;

	check(e->state == SLUICE_LOCK_HELD);
	check(e->key_len == strlen(key_name[k]));
	check(!memcmp(e->key, key_name[k], e->key_len));
	check(e->start <= last && last <= TAIL);
	check(e->pid == getpid() && e->expires == 0);
	check(!has_token(e->mode) || e->token);
	for (b = e->start; b <= last; b++) {
		check(!seen->mode[h][k][b]);
		seen->mode[h][k][b] = e->mode;
	}
}

static void compare(const struct oracle *o, const struct cast *c)
{
	static struct sluice_lock_entry e[ENTRIES_MAX];
	size_t n = locks_of(c->space, e, ENTRIES_MAX), i;
	struct oracle seen = { };

	check(n == lockspace_stat(c->space).grants);
	for (i = 0; i < n; i++)
		draw(c, &e[i], &seen);
	check(!memcmp(seen.mode, o->mode, sizeof(seen.mode)));
}

static void random_steps(struct cast *c, __u64 seed, unsigned long steps)
{
	struct oracle o = { .seed = seed };
	unsigned long i;

	for (i = 0; i < steps; i++) {
		int h = below(&o, HOLDERS);

		switch (below(&o, 16)) {
		case 0:
			check(!unlock_all(c->h[h]));
			memset(o.mode[h], 0, sizeof(o.mode[h]));
			break;
		case 1 ... 6:
			random_unlock(&o, c, h);
			break;
		default:
			random_lock(&o, c, h);
		}
		if (i % 4 == 0)
			compare(&o, c);
	}
}

TEST(random_against_a_map)
{
	unsigned long steps = scaled(40000, 1500);
	__u64 seed;

	for (seed = 1; seed <= 4; seed++) {
		struct cast c;

		cast_make(&c, HOLDERS);
		random_steps(&c, seed * 7919, steps / 4);
		EXPECT_EQ(0, waiting_in(c.space));
		cast_close(&c);
	}
}

/*
 * Items that overlap.
 */

/* The best of some. */
static __s64 cost_of(int h, unsigned long cmd, __u32 flags,
		     struct sluice_item *items, __u32 count)
{
	__s64 best = INT64_MAX, took;
	int i;

	for (i = 0; i < 5; i++) {
		took = now_ns();
		must(act_on(h, cmd, items, count, flags));
		took = now_ns() - took;
		best = took < best ? took : best;
	}
	return best;
}

/* Many items, that are one in another, cost as one: not each for itself. */
#define COST_RATIO	12

static void check_cost(int h, unsigned long cmd, __u32 flags,
		       struct sluice_item all)
{
	struct sluice_item item[SLUICE_ITEMS_MAX];
	__s64 one, many;
	int i;

	for (i = 0; i < SLUICE_ITEMS_MAX; i++) {
		item[i] = all;
		item[i].start += i;
		item[i].end -= i;
		if (cmd == SLUICE_IOC_RENEW)
			item[i].lease = (i + 1) * 3600 * NSEC_PER_SEC;
	}
	cost_of(h, cmd, flags, item, 1);
	one = cost_of(h, cmd, flags, item, 1);
	many = cost_of(h, cmd, flags, item, SLUICE_ITEMS_MAX);
	figure(100 * many / one, "hundredths of what one item takes");
	check(many < COST_RATIO * one);
}

TEST_F(range, items_that_overlap_cost_as_one)
{
	unsigned long n = scaled(20000, 4000);

	take_bytes_apart(A, self->c.space, KEY, n);
	ASSERT_EQ(n, lockspace_stat(self->c.space).grants);
	check_cost(A, SLUICE_IOC_UNLOCK, 0, R(EX, 0, n - 1));
	ASSERT_EQ(n, lockspace_stat(self->c.space).grants);
	check_cost(A, SLUICE_IOC_RECOVER, SLUICE_RECOVER_CONSISTENT,
		   R(EX, 0, n - 1));
	check_cost(A, SLUICE_IOC_RENEW, 0, R(EX, 0, n - 1));
	EXPECT_EQ(n, lockspace_stat(self->c.space).grants);
}

/* Who has the value of what he has many ranges of is not looked for in them. */
TEST_F(range, value_of_many_ranges)
{
	unsigned long n = scaled(20000, 4000), i;
	struct sluice_item part[SLUICE_ITEMS_MAX];
	__s64 best[2] = { INT64_MAX, INT64_MAX }, took;
	struct sluice_value v;
	int k;

	for (i = 0; i < n; i += k) {
		for (k = 0; k < SLUICE_ITEMS_MAX && i + k < n; k++)
			part[k] = R(NL, 2 * (i + k), 2 * (i + k));
		ASSERT_EQ(0, lock_items(A, part, k, 0));
	}
	ASSERT_EQ(0, try(B, R(NL, 0, 0)));
	for (i = 0; i < 40; i++) {
		v = (struct sluice_value){ };
		took = now_ns();
		ASSERT_EQ(-EPERM, value_of(self->c.h[i % 2], R(NL, 0, 0), 0, &v));
		took = now_ns() - took;
		best[i % 2] = took < best[i % 2] ? took : best[i % 2];
	}
	figure(100 * best[0] / best[1], "hundredths of what one range takes");
	EXPECT_LT(best[0], COST_RATIO * best[1]);
	ASSERT_EQ(0, try(A, R(CR, 2 * n, 2 * n)));
	EXPECT_EQ(0, value_of(A, R(NL, 0, 0), 0, &v));
	EXPECT_EQ(-EPERM, value_of(A, R(NL, 0, 0), SLUICE_VALUE_SET, &v));
	ASSERT_EQ(0, try(A, R(PW, n, n)));
	EXPECT_EQ(0, value_of(A, R(NL, 0, 0), SLUICE_VALUE_SET, &v));
}

TEST_F(range, items_that_overlap_unlocked)
{
	struct sluice_item chain[] = {
		R(UNLOCKED, 1, 2), R(UNLOCKED, 5, 6), R(PR, 9, 10), R(PR, 11, 12),
		R(UNLOCKED, 3, 5), R(UNLOCKED, 2, 3), R(PR, 10, 11),
	};

	ASSERT_EQ(0, try(A, R(EX, 0, 15)));
	ASSERT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, chain, 7, 0));
	SEE("x......xxpppp" "xxx|.", 0);
	EXPECT_EQ(4, HELD(0));
	/* Of different modes they may not overlap, also through others. */
	chain[5] = R(NL, 2, 3);
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, chain, 7, 0));
}

/* In hours from now, rounded; 0 for none. */
static int lease_at(int space, __u64 byte)
{
	static struct sluice_lock_entry e[ENTRIES_MAX];
	size_t n = locks_of(space, e, ENTRIES_MAX), i;

	for (i = 0; i < n; i++)
		if (e[i].start <= byte && byte <= e[i].end)
			return e[i].expires ? (e[i].expires - now_ns()) /
				(3600.0 * NSEC_PER_SEC) + 0.5 : 0;
	return -1;
}

/* Of several that name a grant the last one counts. */
TEST_F(range, items_that_overlap_renewed)
{
	struct sluice_item item[] = {
		R(EX, 0, 7), R(EX, 3, 5), R(EX, 4, 6), R(EX, 20, 22),
		R(EX, 29, 29), R(EX, 0, 1), R(EX, 24, 26),
	};
	static const int hours[] = { 10, 0, 20, 1, 3, 30, 2 };
	static const int want[8] = { 30, 30, 10, 0, 20, 20, 20, 10 };
	int i;

	take_bytes_apart(A, self->c.space, KEY, 8);
	ASSERT_EQ(0, try(A, R(EX, 20, 29)));
	for (i = 0; i < 7; i++)
		item[i].lease = hours[i] * 3600 * NSEC_PER_SEC;
	ASSERT_EQ(0, act_on(A, SLUICE_IOC_RENEW, item, 7, 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(want[i], lease_at(self->c.space, i));
	EXPECT_EQ(2, lease_at(self->c.space, 20));
	/* And each of them has to be had. */
	item[0].end = 8;
	EXPECT_EQ(-ESTALE, act_on(A, SLUICE_IOC_RENEW, item, 7, 0));
	EXPECT_EQ(30, lease_at(self->c.space, 0));
}

TEST_F(range, items_that_overlap_recovered)
{
	struct sluice_item item[] = {
		R(NL, 0, 3), R(EX, 8, 9), R(PR, 2, 5), R(UNLOCKED, 0, 3),
	};

	ASSERT_EQ(0, try(A, R(EX, 0, 9)));
	ASSERT_EQ(0, act_on(A, SLUICE_IOC_RECOVER, item, 4,
			    SLUICE_RECOVER_LOST));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-ENOTRECOVERABLE, try(B, R(PR, 0, 0)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(B, R(PR, 5, 5)));
	EXPECT_EQ(0, try(B, R(PR, 6, 7)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(B, R(PR, 8, 8)));
}

TEST_HARNESS_MAIN
