// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of a deadlock afterwards: who waited for what that whom had.
 */
#include "lock.h"

#define KEPT	16	/* of a lockspace's last deadlocks */
#define ROOM	2048

struct story {
	struct sluice_deadlock d;
	struct sluice_waits *w;
};

/* The first one after number @after, as far as there is room for it. */
static int read_back(int space, __u64 after, struct story *s, __u32 room)
{
	memset(&s->d, 0, sizeof(s->d));
	s->w = s->w ?: calloc(ROOM, sizeof(*s->w));
	s->d.after = after;
	s->d.waits = (uintptr_t)s->w;
	s->d.count = room;
	s->d.entry_size = sizeof(*s->w);
	return call(space, SLUICE_IOC_DEADLOCK, &s->d);
}

static unsigned long index_of(const struct crew *c, __u64 id)
{
	unsigned long i;

	for (i = 0; i < c->n && c->id[i] != id; i++)
		;
	check(i < c->n);
	return i;
}

/* One step of a ring: holder i wants what i + 1 has. */
static void check_step(const struct crew *c, const struct sluice_waits *w,
		       unsigned long victim)
{
	unsigned long i = index_of(c, w->holder);
	struct sluice_item next = own(c, (i + 1) % c->n, SLUICE_EX);
	char comm[16] = { };

	prctl(PR_GET_NAME, comm);
	check(w->mode == SLUICE_EX && w->blocked_by == SLUICE_EX);
	check(w->flags == (i == victim ? SLUICE_WAITS_VICTIM : 0));
	check(w->lockspace == lockspace_stat(next.lockspace).id);
	check(w->start == 0 && w->end == SLUICE_END);
	check(w->kind == SLUICE_KIND_NAME && w->key_len == next.key_len);
	check(!memcmp(w->key, next.key, sizeof(w->key)));
	check(w->pid == getpid() && w->tid == gettid() && w->uid == geteuid());
	check(!memcmp(w->comm, comm, sizeof(comm)));
	check(w->since && w->since <= now_ns());
}

static void check_ring(const struct crew *c, const struct story *s,
		       unsigned long victim)
{
	__u32 k;

	check(s->d.length == c->n);
	for (k = 0; k < s->d.count; k++) {
		check_step(c, &s->w[k], victim);
		if (k + 1 < s->d.count)
			check(index_of(c, s->w[k + 1].holder) ==
			      (index_of(c, s->w[k].holder) + 1) % c->n);
	}
}

FIXTURE(cycle) {
	struct crew c;
	struct story s;
};

FIXTURE_VARIANT(cycle) {
	unsigned long n;
	int spaces;
	__u32 victim;
};

FIXTURE_VARIANT_ADD(cycle, of_2) { 2, 1, SLUICE_VICTIM_REQUESTER };
FIXTURE_VARIANT_ADD(cycle, of_6_in_2_spaces) { 6, 2, SLUICE_VICTIM_REQUESTER };
FIXTURE_VARIANT_ADD(cycle, of_8_youngest) { 8, 1, SLUICE_VICTIM_YOUNGEST };

FIXTURE_SETUP(cycle)
{
	device();
	prctl(PR_SET_NAME, "cycle test");
	crew_make(&self->c, variant->n, variant->spaces, variant->victim);
}

FIXTURE_TEARDOWN(cycle)
{
	crew_close(&self->c);
}

TEST_F(cycle, nothing_to_tell)
{
	chain(&self->c, self->c.n - 1);
	EXPECT_EQ(-ENOENT, read_back(self->c.space[0], 0, &self->s, ROOM));
	EXPECT_EQ(-ENOENT, read_back(self->c.space[0], 77, &self->s, ROOM));
}

TEST_F(cycle, is_told)
{
	struct crew *c = &self->c;
	struct story *s = &self->s;
	__s64 before, after;

	chain(c, c->n - 1);
	before = now_ns();
	ask(c->h[c->n - 1], own(c, 0, SLUICE_EX));
	after = now_ns();
	ASSERT_EQ(0, read_back(c->space[0], 0, s, ROOM));
	EXPECT_EQ(c->n, s->d.count);
	EXPECT_LE(before, s->d.when);
	EXPECT_GE(after, s->d.when);
	check_ring(c, s, c->n - 1);
	EXPECT_EQ(-ENOENT, read_back(c->space[0], s->d.id, s, ROOM));
	EXPECT_EQ(1, lockspace_stat(c->space[0]).deadlocks);
}

/* It is a memory: what happens to those in it does not change it. */
TEST_F(cycle, outlives_its_holders)
{
	struct crew *c = &self->c;
	struct story *s = &self->s;
	unsigned long i;

	chain(c, c->n - 1);
	ask(c->h[c->n - 1], own(c, 0, SLUICE_EX));
	for (i = 0; i < c->n; i++)
		close(c->h[i]);
	for (i = 0; i < c->n; i++)
		c->h[i] = make_holder(NULL);
	ASSERT_EQ(0, read_back(c->space[0], 0, s, ROOM));
	EXPECT_EQ(c->n, s->d.count);
	check_ring(c, s, c->n - 1);
}

/* Room for less than there is: told how long it is, and as much as fits. */
TEST_F(cycle, told_in_part)
{
	struct crew *c = &self->c;
	struct story *s = &self->s;

	chain(c, c->n - 1);
	ask(c->h[c->n - 1], own(c, 0, SLUICE_EX));
	ASSERT_EQ(0, read_back(c->space[0], 0, s, 1));
	EXPECT_EQ(1, s->d.count);
	EXPECT_EQ(0, s->w[1].holder);
	check_ring(c, s, c->n - 1);
	s->w[0].holder = 0;
	ASSERT_EQ(0, read_back(c->space[0], 0, s, 0));
	EXPECT_EQ(0, s->d.count);
	EXPECT_EQ(c->n, s->d.length);
	EXPECT_EQ(0, s->w[0].holder);
}

/* The last ones are kept, in their order. */
TEST(the_last_ones)
{
	struct story s = { };
	__u64 after = 0, last = 0;
	struct crew c;
	int i, n;

	crew_make(&c, 2, 1, 0);
	chain(&c, 1);
	for (i = 0; i < KEPT + 4; i++)
		ASSERT_EQ(-EDEADLK, take(c.h[1], own(&c, 0, SLUICE_EX)));
	EXPECT_EQ(KEPT + 4, lockspace_stat(c.space[0]).deadlocks);
	for (n = 0; !read_back(c.space[0], after, &s, ROOM); n++) {
		check_ring(&c, &s, 1);
		EXPECT_LT(after, s.d.id);
		EXPECT_LE(last, s.d.when);
		after = s.d.id;
		last = s.d.when;
	}
	EXPECT_EQ(KEPT, n);
	crew_close(&c);
}

/* A long one is kept in part, around what closed it; its length is right. */
TEST(a_long_one)
{
	struct story s = { };
	struct crew c;
	__u32 k;

	crew_make(&c, 1000, 1, 0);
	chain(&c, 999);
	ASSERT_EQ(-EDEADLK, take(c.h[999], own(&c, 0, SLUICE_EX)));
	ASSERT_EQ(0, read_back(c.space[0], 0, &s, ROOM));
	EXPECT_LT(1, s.d.count);
	check_ring(&c, &s, 999);
	for (k = 0; k < s.d.count && !(s.w[k].flags & SLUICE_WAITS_VICTIM); k++)
		;
	EXPECT_GT(s.d.count, k) TH_LOG("the victim should be told");
	crew_close(&c);
}

/* Modes, ranges and conversions as they were. */
TEST(modes_and_ranges)
{
	struct story s = { };
	struct cast c;
	int first;

	cast_make(&c, 2);
	ASSERT_EQ(0, take(c.h[0], range(c.space, "r", SLUICE_PR, 0, 99)));
	ASSERT_EQ(0, take(c.h[1], range(c.space, "r", SLUICE_CR, 50, 149)));
	ASSERT_EQ(0, take(c.h[1], range(c.space, "r", SLUICE_PR, 150, 159)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[0], range(c.space, "r", SLUICE_PW, 155, 300)));
	EXPECT_EQ(-EDEADLK, take(c.h[1], range(c.space, "r", SLUICE_CW, 40, 60)));
	ASSERT_EQ(0, read_back(c.space, 0, &s, ROOM));
	ASSERT_EQ(2, s.d.count);
	first = s.w[0].holder != c.id[0];
	EXPECT_EQ(c.id[0], s.w[first].holder);
	EXPECT_EQ(SLUICE_PW, s.w[first].mode);
	EXPECT_EQ(155, s.w[first].start);
	EXPECT_EQ(300, s.w[first].end);
	EXPECT_EQ(SLUICE_PR, s.w[first].blocked_by);
	EXPECT_EQ(0, s.w[first].flags);
	EXPECT_EQ(c.id[1], s.w[!first].holder);
	EXPECT_EQ(SLUICE_CW, s.w[!first].mode);
	EXPECT_EQ(40, s.w[!first].start);
	EXPECT_EQ(60, s.w[!first].end);
	EXPECT_EQ(SLUICE_PR, s.w[!first].blocked_by);
	EXPECT_EQ(SLUICE_WAITS_VICTIM, s.w[!first].flags);
	cast_close(&c);
}

/* Another process, by its name and number. */
TEST(who_it_was)
{
	struct story s = { };
	struct cast c;
	pid_t pid;
	int k;

	cast_make(&c, 1);
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_EX)));
	pid = child();
	if (!pid) {
		int h;

		prctl(PR_SET_NAME, "the other one");
		h = must(make_holder(NULL));
		must(take(h, whole(c.space, "b", SLUICE_EX)));
		take(h, whole(c.space, "a", SLUICE_EX));
		_exit(0);
	}
	ASSERT_TRUE(until(waiting_in(c.space) == 1));
	EXPECT_EQ(-EDEADLK, take(c.h[0], whole(c.space, "b", SLUICE_EX)));
	kill_and_reap(pid);
	ASSERT_EQ(0, read_back(c.space, 0, &s, ROOM));
	ASSERT_EQ(2, s.d.count);
	k = s.w[0].pid != pid;
	EXPECT_EQ(pid, s.w[k].pid);
	EXPECT_EQ(pid, s.w[k].tid);
	EXPECT_STREQ("the other one", (char *)s.w[k].comm);
	EXPECT_EQ(getpid(), s.w[!k].pid);
	EXPECT_EQ(c.id[0], s.w[!k].holder);
	cast_close(&c);
}

TEST_HARNESS_MAIN
