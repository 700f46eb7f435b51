// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners that die: what they had is free again, and whoever gets it is told,
 * until somebody says that it is in order, or never will be.
 */
#include "lock.h"

#define KEY	"death"

FIXTURE(death) {
	struct cast c;
};

FIXTURE_SETUP(death)
{
	cast_make(&self->c, 4);
}

FIXTURE_TEARDOWN(death)
{
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define SPACE		(self->c.space)
#define I(mode)		whole(SPACE, KEY, SLUICE_##mode)
#define R(mode, s, e)	range(SPACE, KEY, SLUICE_##mode, s, e)
#define GRANTS		lockspace_stat(SPACE).grants
#define HELD(i)		held_by(SPACE, self->c.id[i])

/* A child that has @i, and stays. */
static pid_t owner(struct sluice_item i)
{
	__u64 before = lockspace_stat(i.lockspace).grants;
	pid_t pid = child();

	if (!pid) {
		must(take(must(make_holder(NULL)), i));
		for (;;)
			pause();
	}
	check(until(lockspace_stat(i.lockspace).grants == before + 1));
	return pid;
}

/* One that had it and was killed. */
static void owner_dies(struct sluice_item i)
{
	__u64 before = lockspace_stat(i.lockspace).grants;

	kill_and_reap(owner(i));
	check(until(lockspace_stat(i.lockspace).grants == before));
}

/* The status of a grant, which is given back; or the error. */
static int status_of(int h, struct sluice_item i)
{
	struct sluice_item none = i;
	int ret = lock_items(h, &i, 1, SLUICE_LOCK_TRY);

	none.mode = SLUICE_UNLOCKED;
	if (ret)
		return ret;
	must(unlock(h, none));
	return i.status;
}

/*
 * Marks.
 */
TEST_F(death, mark_by_mode)
{
	__u32 had, wants;
	__u64 died = 0;

	for (had = SLUICE_NL; had < MODES; had++) {
		char key[2] = { '0' + had, 0 };

		owner_dies(whole(SPACE, key, had));
		died += leaves_mark(had);
		EXPECT_EQ(died, lockspace_stat(SPACE).died) TH_LOG("mode %u", had);
		for (wants = SLUICE_NL; wants < MODES; wants++)
			EXPECT_EQ(leaves_mark(had) && wants != SLUICE_NL ?
				  SLUICE_OWNER_DIED : 0,
				  status_of(A, whole(SPACE, key, wants)))
				TH_LOG("had %u, wants %u", had, wants);
	}
}

TEST_F(death, until_it_is_consistent)
{
	owner_dies(I(EX));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(PR)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(B, I(EX))) TH_LOG("for all");
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(B, I(EX))) TH_LOG("again");
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT))
		TH_LOG("once more is no mistake");
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, status_of(A, I(EX)));
	EXPECT_EQ(0, status_of(B, I(PR)));
	owner_dies(I(PW));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(PR))) TH_LOG("another death");
}

TEST_F(death, who_may_recover)
{
	__u32 mode;

	owner_dies(I(EX));
	EXPECT_GT(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
	for (mode = SLUICE_NL; mode < MODES; mode++) {
		bool may = leaves_mark(mode);
		int ret;

		ASSERT_EQ(0, take(A, whole(SPACE, KEY, mode)));
		ret = recover(A, I(EX), SLUICE_RECOVER_CONSISTENT);
		EXPECT_EQ(may, !ret) TH_LOG("mode %u: %d", mode, ret);
		ASSERT_EQ(0, unlock_all(A));
		EXPECT_EQ(may ? 0 : SLUICE_OWNER_DIED, status_of(B, I(PR)));
		owner_dies(I(EX));
	}
	ASSERT_EQ(0, take(A, R(EX, 0, 99)));
	EXPECT_GT(0, recover(A, R(EX, 0, 100), SLUICE_RECOVER_CONSISTENT))
		TH_LOG("of the whole range");
	EXPECT_EQ(0, recover(A, R(EX, 0, 99), SLUICE_RECOVER_CONSISTENT));
}

TEST_F(death, of_a_range)
{
	struct sluice_lock_entry e[8];

	owner_dies(R(EX, 10, 99));
	EXPECT_EQ(0, status_of(A, R(EX, 0, 9)));
	EXPECT_EQ(0, status_of(A, R(EX, 100, SLUICE_END)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(PR, 99, 200)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(CR)));
	ASSERT_EQ(0, take(A, R(EX, 50, 60)));
	EXPECT_EQ(0, recover(A, R(EX, 50, 60), SLUICE_RECOVER_CONSISTENT));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, status_of(A, R(EX, 50, 60)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(EX, 49, 60)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(EX, 60, 61)));
	ASSERT_EQ(2, locks_of(SPACE, e, ARRAY(e)));
	EXPECT_EQ(SLUICE_LOCK_DIED, e[0].state);
	EXPECT_EQ(10, e[0].start);
	EXPECT_EQ(49, e[0].end);
	EXPECT_EQ(SLUICE_LOCK_DIED, e[1].state);
	EXPECT_EQ(61, e[1].start);
	EXPECT_EQ(99, e[1].end);
}

/* Each range as it was had: what was only read is not in doubt. */
TEST_F(death, of_one_with_several_modes)
{
	struct sluice_item i[3] = { R(EX, 0, 9), R(PR, 10, 19), R(CW, 20, 29) };
	pid_t pid = child();

	if (!pid) {
		must(lock_items(must(make_holder(NULL)), i, 3, 0));
		for (;;)
			pause();
	}
	ASSERT_TRUE(until(GRANTS == 3));
	kill_and_reap(pid);
	ASSERT_TRUE(until(GRANTS == 0));
	EXPECT_EQ(2, lockspace_stat(SPACE).died) TH_LOG("ranges");
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(PR, 9, 9)));
	EXPECT_EQ(0, status_of(A, R(EX, 10, 19)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(PR, 20, 20)));
}

/* Who waited is told with the grant. */
TEST_F(death, told_to_who_waits)
{
	struct sluice_item got = { };
	struct sluice_lock_event ev;
	struct waiter *w;
	pid_t pid = owner(I(EX));

	ASSERT_EQ(-EINPROGRESS, ask(A, I(PR)));
	w = waiter_for(B, I(PR));
	ASSERT_EQ(-EINPROGRESS, ask(C, I(EX)));
	kill_and_reap(pid);
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(SLUICE_OWNER_DIED, w->items[0].status);
	ASSERT_TRUE(events_within(A, POLLIN, LOCK_PATIENCE_MS));
	EXPECT_EQ(0, event_with(A, &ev, &got, 1));
	EXPECT_EQ(0, ev.error);
	EXPECT_EQ(SLUICE_OWNER_DIED, got.status);
	ASSERT_EQ(0, unlock_all(A));
	ASSERT_EQ(0, unlock_all(B));
	got.status = 0;
	EXPECT_EQ(0, event_with(C, &ev, &got, 1));
	EXPECT_EQ(SLUICE_OWNER_DIED, got.status);
	EXPECT_EQ(0, recover(C, I(EX), SLUICE_RECOVER_CONSISTENT));
}

/* A program that ends in order leaves no doubt. */
TEST_F(death, unlock_before_close_is_no_death)
{
	int h = make_holder(NULL);

	ASSERT_EQ(0, take(h, I(EX)));
	ASSERT_EQ(0, unlock_all(h));
	close(h);
	EXPECT_EQ(0, status_of(A, I(EX)));
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
	h = make_holder(NULL);
	ASSERT_EQ(0, take(h, I(EX)));
	close(h);
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(EX)));
	EXPECT_EQ(1, lockspace_stat(SPACE).died);
}

/* One may say so oneself, and goes on. */
TEST_F(death, of_ones_own_accord)
{
	struct sluice_item i[3] = { R(EX, 0, 9), R(PR, 10, 19), R(CW, 20, 29) };

	ASSERT_EQ(0, lock_items(A, i, 3, 0));
	ASSERT_EQ(-EINPROGRESS, ask(B, R(PR, 0, 0)));
	EXPECT_EQ(-EINVAL, act_on(A, SLUICE_IOC_UNLOCK, i, 3, SLUICE_UNLOCK_DIED));
	EXPECT_EQ(3, GRANTS);
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, NULL, 0, SLUICE_UNLOCK_ALL |
			    SLUICE_UNLOCK_DIED));
	EXPECT_EQ(0, HELD(0));
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(2, lockspace_stat(SPACE).died);
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(PR, 9, 9)));
	EXPECT_EQ(0, status_of(A, R(EX, 10, 19)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(EX, 29, 29)));
}

/*
 * Beyond repair.
 */
TEST_F(death, lost)
{
	struct sluice_item repair = I(EX);

	repair.flags = SLUICE_ITEM_REPAIR;
	owner_dies(I(EX));
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(PR)));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_LOST));
	EXPECT_EQ(-ENOTRECOVERABLE, outcome(B)) TH_LOG("who waits is told");
	EXPECT_EQ(1, HELD(0)) TH_LOG("who has it has it");
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, I(EX)));
	EXPECT_EQ(-ENOTRECOVERABLE, take(B, I(CR)));
	EXPECT_EQ(-ENOTRECOVERABLE, ask(B, I(PR)));
	EXPECT_EQ(0, try(B, I(NL)));
	ASSERT_EQ(0, unlock_all(B));
	ASSERT_EQ(0, lock_items(C, &repair, 1, 0));
	EXPECT_TRUE(repair.status & SLUICE_UNRECOVERABLE);
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, I(PR)));
	EXPECT_EQ(0, recover(C, I(EX), SLUICE_RECOVER_CONSISTENT));
	ASSERT_EQ(0, unlock_all(C));
	EXPECT_EQ(0, status_of(A, I(EX)));
}

TEST_F(death, lost_to_a_sleeper)
{
	struct waiter *w;

	ASSERT_EQ(0, take(A, I(EX)));
	w = waiter_for(B, I(EX));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_LOST))
		TH_LOG("whoever has it may say so, whether an owner died or not");
	EXPECT_EQ(-ENOTRECOVERABLE, waiter_end(w));
	EXPECT_EQ(0, HELD(1));
}

TEST_F(death, lost_range)
{
	struct sluice_item i[2] = { R(EX, 0, 9), R(EX, 30, 30) };
	struct sluice_lock l = { .flags = SLUICE_LOCK_ANY | SLUICE_LOCK_TRY };

	ASSERT_EQ(0, take(A, R(EX, 20, 39)));
	ASSERT_EQ(0, recover(A, R(EX, 25, 34), SLUICE_RECOVER_LOST));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, status_of(A, R(EX, 0, 24)));
	EXPECT_EQ(0, status_of(A, R(EX, 35, SLUICE_END)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, R(PR, 24, 25)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, R(PR, 34, 40)));
	EXPECT_EQ(-ENOTRECOVERABLE, lock_items(A, i, 2, SLUICE_LOCK_TRY));
	EXPECT_EQ(0, GRANTS) TH_LOG("of all items none is taken");
	EXPECT_EQ(0, lock_full(A, &l, i, 2)) TH_LOG("of any there is one");
	EXPECT_EQ(0, l.index);
}

/* What is lost is lost by range, whatever dies around it or over it. */
TEST_F(death, lost_within_died)
{
	struct sluice_item repair = R(EX, 0, 30);
	int h = make_holder(NULL);

	repair.flags = SLUICE_ITEM_REPAIR;
	ASSERT_EQ(0, take(h, R(EX, 0, 30)));
	ASSERT_EQ(0, recover(h, R(EX, 0, 9), SLUICE_RECOVER_LOST));
	close(h);
	ASSERT_TRUE(until(GRANTS == 0));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, R(PR, 9, 10)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, R(PR, 10, 30)));
	h = make_holder(NULL);
	ASSERT_EQ(0, take(h, repair));
	ASSERT_EQ(0, recover(h, R(EX, 0, 30), SLUICE_RECOVER_LOST));
	close(h);
	ASSERT_TRUE(until(GRANTS == 0));
	ASSERT_EQ(0, take(A, repair));
	EXPECT_EQ(0, recover(A, R(EX, 10, 20), SLUICE_RECOVER_CONSISTENT));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, status_of(A, R(PR, 10, 20)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, R(PR, 9, 10)));
	EXPECT_EQ(-ENOTRECOVERABLE, try(A, R(PR, 20, 21)));
}

/* Random marks against a map of every byte. */
#define MARKED	32

static bool any_of(const bool *map, __u32 from, __u32 to)
{
	for (; from <= to; from++)
		if (map[from])
			return true;
	return false;
}

static void set_all(bool *map, __u32 from, __u32 to, bool value)
{
	for (; from <= to; from++)
		map[from] = value;
}

static void random_mark(struct sluice_item i, __u32 what, bool *died, bool *lost)
{
	int h = must(make_holder(NULL));

	i.flags = SLUICE_ITEM_REPAIR;
	must(lock_items(h, &i, 1, SLUICE_LOCK_TRY));
	check(!!(i.status & SLUICE_UNRECOVERABLE) == any_of(lost, i.start, i.end));
	if (what == SLUICE_RECOVER_CONSISTENT) {
		set_all(died, i.start, i.end, false);
		set_all(lost, i.start, i.end, false);
	} else if (what == SLUICE_RECOVER_LOST) {
		set_all(lost, i.start, i.end, true);
	} else {
		set_all(died, i.start, i.end, true);
	}
	if (what) {
		must(recover(h, i, what));
		must(unlock_all(h));
	}
	close(h);
}

TEST_F(death, random_marks)
{
	unsigned long rounds = scaled(1500, 200), n;
	bool died[MARKED] = { }, lost[MARKED] = { };
	__u64 seed = 4711, r;

	for (n = 0; n < rounds; n++) {
		__u32 a, b;

		r = random_next(&seed) >> 16;
		a = r % MARKED;
		b = a + (r >> 8) % (MARKED - a);
		random_mark(R(EX, a, b), (r >> 16) % 3, died, lost);
		r = random_next(&seed) >> 16;
		a = r % MARKED;
		b = a + (r >> 8) % (MARKED - a);
		ASSERT_EQ(any_of(lost, a, b) ? -ENOTRECOVERABLE :
			  any_of(died, a, b) ? SLUICE_OWNER_DIED : 0,
			  status_of(A, R(CR, a, b)))
			TH_LOG("round %lu, [%u, %u]", n, a, b);
	}
}

/* Marks do not become many by taking away what lies between them. */
#define MARKS_MOST	600
#define HOLES		10000

static int marks_in(int space, struct sluice_lock_entry *e, unsigned long room)
{
	int i, n = locks_of(space, e, room), marks = 0;

	for (i = 0; i < n; i++)
		marks += e[i].state == SLUICE_LOCK_DIED;
	return marks;
}

static int recover_many(int h, struct sluice_item *items, __u32 n)
{
	return act_on(h, SLUICE_IOC_RECOVER, items, n, SLUICE_RECOVER_CONSISTENT);
}

static void leave_all(int h, struct sluice_item i)
{
	must(take(h, i));
	must(act_on(h, SLUICE_IOC_UNLOCK, NULL, 0,
		    SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED));
	must(take(h, i));
}

TEST_F(death, marks_are_bounded)
{
	static struct sluice_lock_entry e[1000];
	struct sluice_item i[SLUICE_ITEMS_MAX];
	unsigned long at = 2 * HOLES, refused = 0, done = 0;
	__u64 seed = 12;
	__u32 n, k;
	int marks, ret;

	leave_all(A, I(EX));
	while (at > 2 * SLUICE_ITEMS_MAX) {
		n = 1 + random_next(&seed) % SLUICE_ITEMS_MAX;
		for (k = 0; k < n; k++, at -= 2)
			i[k] = R(EX, at, at);
		ret = recover_many(A, i, n);
		ASSERT_TRUE(!ret || ret == -EDQUOT) TH_LOG("%d", ret);
		refused += !!ret;
		done += ret ? 0 : n;
	}
	marks = marks_in(SPACE, e, ARRAY(e));
	figure(marks, "marks");
	EXPECT_LT(200, done);
	EXPECT_LT(0, refused);
	EXPECT_GT(MARKS_MOST, marks);
	EXPECT_EQ(done + 1, marks) TH_LOG("of what is refused nothing is done");

	/* What makes no more of them is not refused. */
	EXPECT_EQ(0, recover(A, R(EX, 0, 9), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(marks, marks_in(SPACE, e, ARRAY(e)));
	EXPECT_EQ(0, recover(A, R(EX, 0, 2 * HOLES - 500),
			     SLUICE_RECOVER_CONSISTENT));
	EXPECT_GT(marks, marks_in(SPACE, e, ARRAY(e)));
	EXPECT_EQ(0, recover(A, R(EX, 3 * HOLES, 3 * HOLES),
			     SLUICE_RECOVER_CONSISTENT)) TH_LOG("room again");
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, marks_in(SPACE, e, ARRAY(e)));
}

/* Nor by declaring it lost; other resources have their own. */
TEST_F(death, lost_marks_are_bounded)
{
	static struct sluice_lock_entry e[2000];
	unsigned long n, all;
	int ret = 0;

	leave_all(A, I(EX));
	for (n = 0; n < HOLES / 4; n++) {
		ret = recover(A, R(EX, 4 * n + 2, 4 * n + 2),
			      n % 2 ? SLUICE_RECOVER_LOST :
				      SLUICE_RECOVER_CONSISTENT);
		ASSERT_TRUE(!ret || ret == -EDQUOT) TH_LOG("%d", ret);
	}
	all = locks_of(SPACE, e, ARRAY(e));
	EXPECT_GT(MARKS_MOST, all);
	leave_all(B, whole(SPACE, "other", SLUICE_EX));
	EXPECT_EQ(0, recover(B, range(SPACE, "other", SLUICE_EX, 5, 5),
			     SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
}

/*
 * The value block.
 */
TEST_F(death, value)
{
	struct sluice_value v = { }, zero = { };

	EXPECT_GT(0, value_of(A, I(EX), 0, &v)) TH_LOG("nothing is held");
	ASSERT_EQ(0, take(A, I(EX)));
	memset(v.value, 0xee, sizeof(v.value));
	EXPECT_EQ(0, value_of(A, I(EX), 0, &v));
	EXPECT_EQ(0, memcmp(v.value, zero.value, sizeof(v.value)));
	strcpy((char *)v.value, "last written block 4711");
	EXPECT_EQ(0, value_of(A, I(EX), SLUICE_VALUE_SET, &v));
	ASSERT_EQ(0, unlock_all(A));
	memset(v.value, 0, sizeof(v.value));
	ASSERT_EQ(0, take(B, R(CR, 5, 5)));
	EXPECT_EQ(0, value_of(B, I(EX), 0, &v));
	EXPECT_STREQ("last written block 4711", (char *)v.value);
	EXPECT_EQ(0, v.status);
}

TEST_F(death, value_by_mode)
{
	struct sluice_value v = { .value = "x" };
	__u32 mode;

	for (mode = SLUICE_NL; mode < MODES; mode++) {
		bool sets = mode >= SLUICE_PW;

		ASSERT_EQ(0, take(A, R(NL, 0, 0)));
		ASSERT_EQ(0, take(A, range(SPACE, KEY, mode, 3, 3)));
		EXPECT_EQ(mode >= SLUICE_CR, !value_of(A, I(EX), 0, &v))
			TH_LOG("get, mode %u", mode);
		EXPECT_EQ(sets, !value_of(A, I(EX), SLUICE_VALUE_SET, &v))
			TH_LOG("set, mode %u", mode);
		ASSERT_EQ(0, unlock_all(A));
	}
}

TEST_F(death, value_outlives_its_writer)
{
	struct sluice_value v = { .value = "written by the dead" };
	pid_t pid = child();

	if (!pid) {
		int h = must(make_holder(NULL));

		must(take(h, I(EX)));
		must(value_of(h, I(EX), SLUICE_VALUE_SET, &v));
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, reap(pid));
	ASSERT_TRUE(until(GRANTS == 0));
	ASSERT_EQ(0, take(A, I(EX)));
	memset(&v, 0, sizeof(v));
	EXPECT_EQ(0, value_of(A, I(EX), 0, &v));
	EXPECT_STREQ("written by the dead", (char *)v.value);
	EXPECT_EQ(SLUICE_OWNER_DIED, v.status);
	ASSERT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, value_of(A, I(EX), 0, &v));
	EXPECT_EQ(0, v.status);
}

/*
 * Tokens.
 */
static __u64 token_of(int h, struct sluice_item i)
{
	must(lock_items(h, &i, 1, 0));
	check(i.token);
	return i.token;
}

TEST_F(death, tokens_only_grow)
{
	struct sluice_item ex = I(EX);
	__u64 last = 0, token;
	int round, h;

	for (round = 0; round < 20; round++) {
		token = token_of(A, ex);
		EXPECT_LT(last, token);
		last = token;
		switch (round % 4) {
		case 0:
			ASSERT_EQ(0, unlock_all(A));
			break;
		case 1:			/* dies with it */
			close(A);
			A = make_holder(NULL);
			break;
		case 2:			/* a process comes and dies between */
			ASSERT_EQ(0, unlock_all(A));
			owner_dies(ex);
			break;
		case 3:			/* weakened and strengthened */
			ASSERT_EQ(0, unlock(A, I(PR)));
			break;
		}
	}
	/* Others' tokens are of the same sequence. */
	h = make_holder(NULL);
	EXPECT_LT(last, token_of(h, whole(SPACE, "other", SLUICE_PW)));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_LT(last + 1, token_of(A, ex));
}

/*
 * Whose descriptor it is.
 */
TEST_F(death, dup_keeps)
{
	int other = dup(A);

	ASSERT_EQ(0, take(A, I(EX)));
	close(A);
	A = -1;
	EXPECT_EQ(1, GRANTS);
	EXPECT_EQ(0, unlock(other, I(PR)));
	close(dup(other));
	EXPECT_EQ(1, GRANTS);
	close(other);
	EXPECT_TRUE(until(GRANTS == 0));
	EXPECT_EQ(0, status_of(B, I(EX))) TH_LOG("it only read");
}

/* The heir of a dead holder is told so, and that it has nothing. */
static void heir_calls(int h, struct sluice_item i)
{
	struct sluice_lock_event ev;
	struct sluice_value v;

	while (lockspace_stat(i.lockspace).grants)
		sleep_us(1000);
	check(take(h, i) == -EOWNERDEAD);
	check(try(h, i) == -EOWNERDEAD);
	check(ask(h, i) == -EOWNERDEAD);
	check(!unlock_all(h));
	check(renew(h, i) < 0);
	check(recover(h, i, SLUICE_RECOVER_CONSISTENT) < 0);
	check(value_of(h, i, 0, &v) < 0);
	check(event_now(h, &ev) == -EAGAIN);
	check(cancel(h) == -ENOENT);
	check(events_of(h, POLLIN) & POLLHUP);
}

struct heir {
	pid_t pid;
	bool done;
};

static void die_with_heir(struct sluice_item i, struct heir *heir,
			  struct step *taken)
{
	int h = must(make_holder(NULL));

	must(take(h, i));
	if (!must(fork())) {
		heir->pid = getpid();
		step_say(taken);
		heir_calls(h, i);
		heir->done = true;
	}
	for (;;)
		pause();
}

TEST_F(death, inherited_does_not_keep)
{
	struct heir *heir = shared(sizeof(*heir));
	struct step taken = step_make();
	pid_t pid = child();

	if (!pid)
		die_with_heir(I(EX), heir, &taken);
	step_hear(&taken);
	kill_and_reap(pid);
	EXPECT_TRUE(until(GRANTS == 0)) TH_LOG("its maker has ended");
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(EX)));
	EXPECT_TRUE(until(heir->done)) TH_LOG("the heir should be told");
	EXPECT_EQ(0, GRANTS) TH_LOG("and get nothing");
	kill(heir->pid, SIGKILL);
}

TEST_F(death, heir_that_dies_takes_nothing)
{
	pid_t pid;

	ASSERT_EQ(0, take(A, I(EX)));
	pid = child();
	if (!pid) {
		check(!take(A, I(EX)));
		close(A);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(1, HELD(0));
	pid = child();
	if (!pid)
		for (;;)
			pause();
	kill_and_reap(pid);
	EXPECT_EQ(1, HELD(0));
}

/* A thread that made one may end; the process is what counts. */
static void *make_and_take(void *item)
{
	int h = must(make_holder(NULL));

	must(take(h, *(struct sluice_item *)item));
	return (void *)(intptr_t)h;
}

TEST_F(death, end_of_a_thread_is_none)
{
	struct sluice_item i = I(EX);
	pthread_t thread;
	void *h;

	check(!pthread_create(&thread, NULL, make_and_take, &i));
	check(!pthread_join(thread, &h));
	EXPECT_EQ(1, GRANTS);
	EXPECT_EQ(-EAGAIN, try(A, i));
	EXPECT_EQ(0, unlock_all((intptr_t)h));
}

/* Close-on-exec as it is made; without, the program that follows has it. */
TEST_F(death, exec)
{
	int keep;

	for (keep = 0; keep < 2; keep++) {
		pid_t pid = child();

		if (!pid) {
			int h = must(make_holder(NULL));

			check(fcntl(h, F_GETFD) == FD_CLOEXEC);
			must(fcntl(h, F_SETFD, keep ? 0 : FD_CLOEXEC));
			must(take(h, I(EX)));
			execlp("sleep", "sleep", "1000", NULL);
			_exit(1);
		}
		if (keep) {
			char path[32], comm[16] = "";

			snprintf(path, sizeof(path), "/proc/%d/comm", pid);
			while (strncmp(comm, "sleep", 5)) {
				int fd = must(open(path, O_RDONLY | O_CLOEXEC));

				must(read(fd, comm, sizeof(comm)));
				close(fd);
				sleep_us(1000);
			}
			EXPECT_EQ(1, GRANTS);
			EXPECT_EQ(-EAGAIN, try(A, I(PR)));
		}
		if (!keep)
			EXPECT_TRUE(until(lockspace_stat(SPACE).died == 1));
		kill_and_reap(pid);
		EXPECT_TRUE(until(GRANTS == 0));
		EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(EX)));
		EXPECT_EQ(keep + 1, lockspace_stat(SPACE).died);
	}
}

/* Sent to another: it may act for the maker, as long as that lives. */
TEST_F(death, sent_to_another)
{
	int socks[2], h = make_holder(NULL);
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, take(h, I(EX)));
	send_fd(socks[0], h);
	close(h);
	EXPECT_EQ(1, GRANTS) TH_LOG("in flight");
	pid = child();
	if (!pid) {
		int got = recv_fd(socks[1]);

		check(!unlock(got, I(PR)));
		check(!take(got, I(EX)));
		close(got);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(until(GRANTS == 0)) TH_LOG("it was the last one");
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(EX)));
}

TEST_F(death, lost_in_flight)
{
	int socks[2], h = make_holder(NULL);

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks));
	ASSERT_EQ(0, take(h, I(EX)));
	send_fd(socks[0], h);
	close(h);
	close(socks[0]);
	close(socks[1]);
	EXPECT_TRUE(until(GRANTS == 0));
}

/*
 * Those that die waiting.
 */
static pid_t dying_waiter(struct sluice_item *items, __u32 n, __u32 flags)
{
	int space = items[0].lockspace;
	__u64 before = waiting_in(space);
	pid_t pid = child();

	if (!pid)
		_exit(-lock_until(must(make_holder(NULL)), items, n, flags,
				  SLUICE_NO_DEADLINE));
	check(until(waiting_in(space) == before + n));
	return pid;
}

TEST_F(death, of_a_waiter)
{
	struct sluice_item i = I(EX);
	pid_t pid;

	ASSERT_EQ(0, take(A, I(PR)));
	pid = dying_waiter(&i, 1, 0);
	ASSERT_EQ(-EINPROGRESS, ask(B, I(PR)));
	EXPECT_FALSE(is_done(B));
	kill_and_reap(pid);
	EXPECT_EQ(0, outcome(B)) TH_LOG("who was behind goes on");
	EXPECT_EQ(0, waiting_in(SPACE));
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
}

TEST_F(death, of_a_waiter_for_all)
{
	struct sluice_item i[3] = { I(EX), whole(SPACE, "b", SLUICE_EX),
				    whole(SPACE, "c", SLUICE_EX) };
	pid_t pid;

	ASSERT_EQ(0, take(A, I(PR)));
	pid = dying_waiter(i, 3, 0);
	ASSERT_EQ(-EINPROGRESS, ask(B, i[1]));
	kill_and_reap(pid);
	EXPECT_EQ(0, outcome(B));
	EXPECT_EQ(0, status_of(C, i[2]));
	EXPECT_EQ(0, waiting_in(SPACE));
	pid = dying_waiter(i, 2, SLUICE_LOCK_ANY);
	kill_and_reap(pid);
	EXPECT_EQ(0, waiting_in(SPACE));
	ASSERT_EQ(0, unlock_all(A));
	ASSERT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, GRANTS);
}

/* An asynchronous one dies with its holder, and not before. */
TEST_F(death, of_an_asynchronous_waiter)
{
	ASSERT_EQ(0, take(A, I(EX)));
	ASSERT_EQ(0, take(B, whole(SPACE, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(B, I(EX)));
	ASSERT_EQ(-EINPROGRESS, ask(C, whole(SPACE, "b", SLUICE_PR)));
	close(B);
	B = -1;
	EXPECT_EQ(0, outcome(C));
	EXPECT_EQ(0, waiting_in(SPACE));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(1, GRANTS);
}

/* Killed at random instants of taking and leaving: nothing is left behind. */
static void take_and_leave(int space, __u64 seed)
{
	int h = must(make_holder(NULL));

	for (;;) {
		__u64 r = random_next(&seed);
		struct sluice_item i[2] = {
			range(space, KEY, 1 + r % SLUICE_EX, r >> 8 & 7,
			      8 + (r >> 16 & 7)),
			whole(space, "b", 1 + (r >> 24) % SLUICE_EX),
		};

		lock_until(h, i, 1 + (r >> 32 & 1), r >> 40 & SLUICE_LOCK_ANY,
			   in_ms(2));
		if (r >> 48 & 1)
			unlock_all(h);
	}
}

TEST_F(death, at_random_instants)
{
	unsigned long rounds = scaled(300, 40), n;
	__u64 seed = seeded(77);
	pid_t pid[3] = { };
	int k;

	for (n = 0; n < rounds; n++) {
		k = n % 3;
		if (pid[k])
			kill_and_reap(pid[k]);
		pid[k] = child();
		if (!pid[k])
			take_and_leave(SPACE, seeded(n));
		sleep_us(random_next(&seed) % 3000);
	}
	for (k = 0; k < 3; k++)
		kill_and_reap(pid[k]);
	figure(rounds, "processes killed");
	EXPECT_TRUE(until(GRANTS == 0 && !waiting_in(SPACE)));
	EXPECT_EQ(SLUICE_OWNER_DIED, status_of(A, I(EX)));
	ASSERT_EQ(0, take(A, I(EX)));
	EXPECT_EQ(0, recover(A, I(EX), SLUICE_RECOVER_CONSISTENT));
	ASSERT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, status_of(B, I(EX)));
}

TEST_HARNESS_MAIN
