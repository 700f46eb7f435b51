// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arbitration at the limit of a memory cgroup: who asks pays, who asks for more
 * than his group has is killed, or told, with nothing half done; who only waits
 * for the same lockspace does not notice, and to let go takes no memory.
 */
#define CGROUPS		"/tmp/sluice-lock-cgroups"

#include "lock.h"
#include "memcg.h"
#include "shared.h"

/* Little more than what a process needs to live. */
#define ALLOWED		"4194304"

/* More locks, and more holders, than there is memory for in that. */
#define PLENTY		20000

FIXTURE(memcg) {
	bool mounted;
	int space;
	int h;		/* has "held" */
};

FIXTURE_SETUP(memcg)
{
	struct rlimit many = { 2 * PLENTY, 2 * PLENTY };

	device();
	self->mounted = memcg_mount("locker", "bystander");
	if (!self->mounted)
		SKIP(return, "no memory controller of cgroup v2 (errno %d)", errno);
	must(setrlimit(RLIMIT_NOFILE, &many));
	self->space = must(make_lockspace(NULL, 0));
	self->h = must(make_holder(NULL));
	must(take(self->h, whole(self->space, "held", SLUICE_EX)));
}

FIXTURE_TEARDOWN_PARENT(memcg)
{
	if (self->mounted)
		memcg_unmount("locker", "bystander");
}

/* In reach of all, because whoever has no memory cannot have a pipe either. */
struct news {
	unsigned long turns;	/* of the bystanders */
	int stop, step;
	int ret[4];
	struct sluice_lockspace_stat before, after;
};

/* A lock for each number; shared ones leave no mark when who has them dies. */
static int lock_number(int h, int space, int n, __u32 mode)
{
	char key[16];

	snprintf(key, sizeof(key), "%d", n);
	return try(h, whole(space, key, mode));
}

static pid_t start_bystander(int space, struct news *news)
{
	pid_t pid = child();
	int h;

	if (pid)
		return pid;
	memcg_enter("bystander");
	h = must(make_holder(NULL));
	while (!load(&news->stop)) {
		must(take(h, whole(space, "theirs", SLUICE_EX)));
		__atomic_add_fetch(&news->turns, 1, __ATOMIC_RELAXED);
		must(unlock(h, whole(space, "theirs", SLUICE_UNLOCKED)));
	}
	_exit(0);
}

static bool go_on(struct news *news)
{
	unsigned long seen = load(&news->turns);

	return until(load(&news->turns) > seen + 100);
}

static pid_t start_locker(void (*locker)(int space, struct news *news), int space,
			  struct news *news)
{
	pid_t pid = child();

	if (pid)
		return pid;
	memcg_enter("locker");
	locker(space, news);
	_exit(0);
}

/*
 * What becomes of @victim, in a group that is allowed little, beside two others
 * who take turns.
 */
static int fate_of(void (*victim)(int space, struct news *news), int space)
{
	struct news *news = shared(sizeof(*news));
	pid_t by[2];
	int fate, i;

	memcg_limit("locker", ALLOWED);
	for (i = 0; i < 2; i++)
		by[i] = start_bystander(space, news);
	check(go_on(news));
	fate = reap_slowly(start_locker(victim, space, news));
	check(go_on(news));
	store(&news->stop, 1);
	for (i = 0; i < 2; i++)
		check(!reap(by[i]));
	return fate;
}

/* Of who has died, all is gone, and his memory. */
static bool nothing_left(int space)
{
	struct sluice_lockspace_stat st = lockspace_stat(space);

	return st.grants == 1 && st.resources == 1 && !st.waiting &&
		memcg_current("locker") < atoll(ALLOWED) / 2;
}

static void lock_much(int space, struct news *news)
{
	int h = must(make_holder(NULL)), n;

	(void)news;
	for (n = 0; n < PLENTY; n++)
		must(lock_number(h, space, n, SLUICE_PR));
}

TEST_F(memcg, killed_while_locking)
{
	EXPECT_EQ(-SIGKILL, fate_of(lock_much, self->space));
	EXPECT_EQ(1, memcg_value("locker", "memory.events", "oom_kill"));
	EXPECT_EQ(0, memcg_value("bystander", "memory.events", "oom_kill"));
	EXPECT_TRUE(until(nothing_left(self->space)));
}

static void wait_much(int space, struct news *news)
{
	int n;

	(void)news;
	for (n = 0; n < PLENTY; n++)
		check(ask(must(make_holder(NULL)), whole(space, "held", SLUICE_EX)) ==
		      -EINPROGRESS);
}

TEST_F(memcg, killed_while_waiting)
{
	EXPECT_EQ(-SIGKILL, fate_of(wait_much, self->space));
	EXPECT_EQ(1, memcg_value("locker", "memory.events", "oom_kill"));
	EXPECT_EQ(0, memcg_value("bystander", "memory.events", "oom_kill"));
	EXPECT_TRUE(until(nothing_left(self->space)));
}

/*
 * Whom the kernel must not kill is told; he keeps what he has, and can let go.
 * What he has is counted where the bystanders take no turns.
 * For a page of his own there is no room then, either.
 */
static void lock_and_live(int space, struct news *news)
{
	int h = must(make_holder(NULL)), n = 0;
	int own = must(make_lockspace(NULL, 0));

	memcg_be_spared();
	must(mlockall(MCL_CURRENT));
	must(take(h, whole(space, "both", SLUICE_PR)));
	must(take(h, range(own, "divided", SLUICE_PR, 0, 999)));
	do {
		news->before = lockspace_stat(own);
		news->ret[0] = lock_number(h, own, n++, SLUICE_PR);
	} while (!news->ret[0] && n < PLENTY);
	news->after = lockspace_stat(own);
	check(news->ret[0] == -ENOMEM);
	check(news->after.grants == news->before.grants);
	check(news->after.resources == news->before.resources);
	check(!news->after.waiting);
	/* To let go of some of it, in the middle, may take memory. */
	news->ret[1] = unlock(h, range(own, "divided", SLUICE_UNLOCKED, 10, 19));
	news->after = lockspace_stat(own);
	check(!news->ret[1] || news->ret[1] == -ENOMEM);
	check(news->after.grants == news->before.grants + !news->ret[1]);
	must(unlock(h, whole(own, "0", SLUICE_UNLOCKED)));
	must(unlock_all(h));
	check(!lockspace_stat(own).grants);
	check(until(!lock_number(h, own, n, SLUICE_PR)));
}

TEST_F(memcg, told_while_locking)
{
	EXPECT_EQ(0, fate_of(lock_and_live, self->space));
	EXPECT_EQ(0, memcg_value("locker", "memory.events", "oom_kill"));
	EXPECT_TRUE(until(nothing_left(self->space)));
}

/*
 * Without any memory at all, what was asked for before is granted, as whoever
 * had it lets go: that is neither's to pay then.
 */
static int ask_for_more(int space, int h, struct news *news)
{
	struct sluice_item items[] = {
		whole(space, "one", SLUICE_EX), whole(space, "two", SLUICE_EX),
	};
	int tries;

	/* A page that was charged before may have room for one or two. */
	for (tries = 0; tries < 64; tries++) {
		news->ret[1] = make_holder(NULL);
		news->ret[2] = make_lockspace(NULL, 0);
		news->ret[3] = lock_items(h, items, ARRAY(items), SLUICE_LOCK_TRY);
		if (news->ret[1] == -ENOMEM && news->ret[2] == -ENOMEM &&
		    news->ret[3] == -ENOMEM)
			return 0;
		if (!news->ret[3])
			must(unlock_all(h));
	}
	return -1;
}

static void await_step(struct news *news, int step)
{
	while (load_acquire(&news->step) != step)
		sched_yield();
}

static void wait_with_nothing(int space, struct news *news)
{
	int waiter = must(make_holder(NULL)), h = must(make_holder(NULL));

	memcg_be_spared();
	check(ask(waiter, whole(space, "held", SLUICE_EX)) == -EINPROGRESS);
	must(mlockall(MCL_CURRENT));
	store_release(&news->step, 1);
	await_step(news, 2);
	check(!ask_for_more(space, h, news));
	store_release(&news->step, 3);
	await_step(news, 4);
	news->ret[0] = outcome(waiter);
	must(unlock_all(waiter));
	store_release(&news->step, 5);
	await_step(news, 6);
	must(lock_number(h, space, 1, SLUICE_EX));
	must(unlock_all(h));
}

TEST_F(memcg, granted_without_any)
{
	struct news *news = shared(sizeof(*news));
	pid_t pid = start_locker(wait_with_nothing, self->space, news);
	struct sluice_item held = whole(self->space, "held", SLUICE_EX);

	ASSERT_TRUE(until(load_acquire(&news->step) == 1));
	memcg_limit("locker", "0");
	store_release(&news->step, 2);
	ASSERT_TRUE(until(load_acquire(&news->step) == 3))
		TH_LOG("told %d, %d, %d", news->ret[1], news->ret[2], news->ret[3]);
	ASSERT_EQ(0, unlock_all(self->h));
	store_release(&news->step, 4);
	EXPECT_TRUE(until(load_acquire(&news->step) == 5));
	EXPECT_EQ(0, news->ret[0]);
	EXPECT_EQ(0, take(self->h, held));
	memcg_limit("locker", "max");
	store_release(&news->step, 6);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(until(nothing_left(self->space)));
}

/* Who asks pays, not who made the lockspace, and not who else uses it. */
#define SOME		2000

static void lock_some(int space, struct news *news)
{
	int h = must(make_holder(NULL)), n;

	for (n = 0; n < SOME; n++)
		must(lock_number(h, space, n, SLUICE_PR));
	store_release(&news->step, 1);
	await_step(news, 2);
	must(unlock_all(h));
	store_release(&news->step, 3);
	await_step(news, 4);
}

TEST_F(memcg, locker_pays)
{
	struct news *news = shared(sizeof(*news));
	pid_t by = start_bystander(self->space, news), pid;
	long long bystander;

	ASSERT_TRUE(go_on(news));
	bystander = memcg_current("bystander");
	pid = start_locker(lock_some, self->space, news);
	ASSERT_TRUE(until(load_acquire(&news->step) == 1));
	EXPECT_LT(SOME * 512LL, memcg_current("locker"));
	EXPECT_GT(SOME * 128LL, memcg_current("bystander") - bystander);
	store_release(&news->step, 2);
	ASSERT_TRUE(until(load_acquire(&news->step) == 3));
	EXPECT_TRUE(until(memcg_current("locker") < SOME * 512LL))
		TH_LOG("%lld not given back", memcg_current("locker"));
	store_release(&news->step, 4);
	EXPECT_EQ(0, reap(pid));
	store(&news->stop, 1);
	EXPECT_EQ(0, reap(by));
	EXPECT_TRUE(until(nothing_left(self->space)));
}

/*
 * What there is to tell of what was taken back is paid for by whose it was, also
 * of parts that were split off, and of leases that came later. It is more than
 * what processors have charged ahead.
 */
#define PARTS		20000

static void split_some(int h, int space, __u64 lease)
{
	struct sluice_item all = range(space, "parts", SLUICE_PR, 0, 2 * PARTS);
	struct sluice_item gaps[SLUICE_ITEMS_MAX];
	int n = 0, i;

	all.lease = lease;
	must(take(h, all));
	while (n < PARTS) {
		for (i = 0; i < SLUICE_ITEMS_MAX && n < PARTS; i++, n++)
			gaps[i] = range(space, "parts", SLUICE_UNLOCKED,
					2 * n + 1, 2 * n + 1);
		must(act_on(h, SLUICE_IOC_UNLOCK, gaps, i, 0));
	}
}

static void lose_parts(int h, int space)
{
	struct sluice_item parts[SLUICE_ITEMS_MAX];
	int n = 0, i;

	while (n < PARTS) {
		for (i = 0; i < SLUICE_ITEMS_MAX && n < PARTS; i++, n++) {
			parts[i] = range(space, "parts", SLUICE_PR, 2 * n, 2 * n);
			parts[i].lease = NSEC_PER_MSEC;
		}
		must(act_on(h, SLUICE_IOC_RENEW, parts, i, 0));
	}
}

static void lose_some(int space, struct news *news)
{
	int own = must(make_lockspace(NULL, 0)), h = must(make_holder(NULL));
	struct sluice_lock_event ev;
	long long before, after;
	int n = 0;

	(void)space;
	before = memcg_current("locker");
	split_some(h, own, news->step * 3600 * NSEC_PER_SEC);
	lose_parts(h, own);
	check(until(lockspace_stat(own).grants == 1));
	after = memcg_current("locker");
	check(after - before > PARTS * 80LL);
	while (!event_now(h, &ev))
		n += ev.type == SLUICE_EVENT_REVOKED;
	check(n == PARTS);
	check(until(memcg_current("locker") - before < PARTS * 40LL));
}

TEST_F(memcg, who_lost_pays)
{
	struct news *news = shared(sizeof(*news));

	/* Without a lease at first, then with one from the start. */
	for (news->step = 0; news->step < 2; news->step++)
		EXPECT_EQ(0, reap_slowly(start_locker(lose_some, self->space,
						      news)));
}

TEST_HARNESS_MAIN
