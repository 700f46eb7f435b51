// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: domains, against a list of who has been joined with whom. That what is
 * put is freed is seen by the references of those that are left, and by
 * kmemleak.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../domain.h"

#define DOMAINS		96
#define SEEDS		4
#define THREADS		4
#define TURNS		2000
#define PATIENCE	(60 * HZ)

/* One that is to ring some times. */
struct clock {
	struct sluice_alarm alarm;
	struct task_struct *by;
	struct completion rung;
	u32 due, unlocked;
};

struct domain_fixture {
	struct sluice_domain *domains[DOMAINS];
	struct clock clocks[DOMAINS];
	u32 label[DOMAINS];
	u64 count[DOMAINS];
	struct rnd_state rnd;
};

static int domain_init(struct kunit *test)
{
	struct domain_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	return 0;
}

static void domains_make(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	u32 i;

	for (i = 0; i < DOMAINS; i++) {
		f->domains[i] = sluice_domain_new();
		KUNIT_ASSERT_NOT_NULL(test, f->domains[i]);
		f->label[i] = i;
	}
}

static void domain_exit(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	u32 i;

	for (i = 0; f && i < DOMAINS; i++)
		sluice_domain_put(f->domains[i]);
}

static u32 pick(struct rnd_state *rnd, u32 below)
{
	return prandom_u32_state(rnd) % below;
}

static struct sluice_domain *root_of(struct sluice_domain *domain)
{
	struct sluice_domain *root = sluice_domain_lock(domain);

	sluice_domain_assert(domain);
	sluice_domain_unlock(root);
	return root;
}

static void join(struct domain_fixture *f, u32 a, u32 b)
{
	u32 from = f->label[b], i;

	sluice_domain_join(f->domains[a], f->domains[b]);
	for (i = 0; i < DOMAINS; i++)
		if (f->label[i] == from)
			f->label[i] = f->label[a];
}

static u32 steps_to_root(struct sluice_domain *domain)
{
	u32 steps = 0;

	for (; domain->forward; domain = domain->forward)
		steps++;
	return steps;
}

static void check_one(struct kunit *test, struct domain_fixture *f, u32 at)
{
	struct sluice_domain *root = root_of(f->domains[at]);
	u32 members = 0, forwarding = 0, i;

	for (i = 0; i < DOMAINS; i++) {
		KUNIT_ASSERT_EQ(test, f->label[i] == f->label[at],
				root_of(f->domains[i]) == root);
		members += f->label[i] == f->label[at];
		forwarding += f->domains[i]->forward == f->domains[at];
	}
	KUNIT_ASSERT_EQ(test, members, root->weight);
	KUNIT_ASSERT_LE(test, steps_to_root(f->domains[at]),
			(u32)ilog2(members));
	KUNIT_ASSERT_EQ(test, 1 + forwarding,
			kref_read(&f->domains[at]->ref));
}

/* Put all but one root: what they held of it must be gone. */
static void check_put(struct kunit *test, struct domain_fixture *f)
{
	struct sluice_domain *root = root_of(f->domains[0]);
	u32 at, i, left = DOMAINS;

	while (left > 1) {
		at = pick(&f->rnd, DOMAINS);
		for (i = 0; i < DOMAINS; i++, at = (at + 1) % DOMAINS)
			if (f->domains[at] && f->domains[at] != root)
				break;
		sluice_domain_put(f->domains[at]);
		f->domains[at] = NULL;
		left--;
	}
	KUNIT_ASSERT_EQ(test, 1U, kref_read(&root->ref));
	KUNIT_ASSERT_NULL(test, root->forward);
	KUNIT_ASSERT_EQ(test, (u32)DOMAINS, root->weight);
	for (i = 0; i < DOMAINS; i++)
		f->domains[i] = NULL;
	sluice_domain_put(root);
}

static void domain_random(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	u32 seed, turn, i;

	for (seed = 0; seed < SEEDS; seed++) {
		prandom_seed_state(&f->rnd, seed);
		domains_make(test);
		for (turn = 0; turn < DOMAINS; turn++) {
			join(f, pick(&f->rnd, DOMAINS), pick(&f->rnd, DOMAINS));
			check_one(test, f, pick(&f->rnd, DOMAINS));
		}
		for (i = 1; i < DOMAINS; i++)
			join(f, i, i - 1);
		check_one(test, f, pick(&f->rnd, DOMAINS));
		check_put(test, f);
	}
}

/* A domain that only forwards goes with the last one who began there. */
static void domain_outlived(struct kunit *test)
{
	struct sluice_domain *a = sluice_domain_new();
	struct sluice_domain *b = sluice_domain_new();
	struct sluice_domain *light, *root;

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	sluice_domain_join(a, b);
	root = root_of(a);
	light = root == a ? b : a;
	KUNIT_EXPECT_PTR_EQ(test, root, light->forward);
	sluice_domain_put(root);
	KUNIT_EXPECT_PTR_EQ(test, root, root_of(light));
	KUNIT_EXPECT_EQ(test, 1U, kref_read(&root->ref));
	sluice_domain_put(light);
}

static bool clock_ring(struct sluice_alarm *alarm)
{
	struct clock *clock = container_of(alarm, struct clock, alarm);
	struct sluice_domain *root = sluice_domain_root(alarm->domain);

	sluice_domain_assert(alarm->domain);
	clock->unlocked += !mutex_is_locked(&root->lock);
	clock->by = current;
	if (clock->due && --clock->due)
		return true;
	complete(&clock->rung);
	return false;
}

static void clock_init(struct clock *clock, struct sluice_domain *domain)
{
	sluice_alarm_init(&clock->alarm, domain, clock_ring);
	init_completion(&clock->rung);
}

/* Due @times times from now on. The domain's lock. */
static void clock_set(struct clock *clock, u32 times)
{
	clock->due = times;
	sluice_alarm_set(&clock->alarm, 0);
}

static bool clock_rings(struct clock *clock)
{
	return wait_for_completion_timeout(&clock->rung, PATIENCE);
}

/* Return: whether it is for who has the domain now. */
static bool clock_waits(struct clock *clock)
{
	unsigned long end = jiffies + PATIENCE;

	while (list_empty_careful(&clock->alarm.waiting))
		if (time_after(jiffies, end))
			return false;
		else
			msleep(1);
	return true;
}

/* Who has the domain has its alarms ring; if nobody has it, a worker does. */
static void domain_alarm(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	struct clock *one = &f->clocks[0], *other = &f->clocks[1];
	struct sluice_domain *domain;

	domains_make(test);
	sluice_domain_join(f->domains[0], f->domains[1]);
	clock_init(one, f->domains[0]);
	clock_init(other, f->domains[1]);
	domain = sluice_domain_lock(f->domains[0]);
	clock_set(one, 1);
	KUNIT_EXPECT_TRUE(test, clock_waits(one));
	KUNIT_EXPECT_EQ(test, 1U, one->due);
	sluice_domain_unlock(domain);
	KUNIT_EXPECT_EQ(test, 0U, one->due);
	KUNIT_EXPECT_PTR_EQ(test, current, one->by);
	/* The second is one too many for who unlocks. */
	domain = sluice_domain_lock(f->domains[0]);
	clock_set(one, 2);
	clock_set(other, 3);
	KUNIT_EXPECT_TRUE(test, clock_waits(one) && clock_waits(other));
	sluice_domain_unlock(domain);
	KUNIT_EXPECT_TRUE(test, clock_rings(one) && clock_rings(one));
	KUNIT_EXPECT_TRUE(test, clock_rings(other));
	KUNIT_EXPECT_PTR_NE(test, current, other->by);
	KUNIT_EXPECT_EQ(test, 0U, one->unlocked + other->unlocked);
	sluice_alarm_cancel(&one->alarm);
	sluice_alarm_cancel(&other->alarm);
}

/* Cancelled while it waits for who has the domain. */
static void domain_alarm_cancel(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	struct clock *clock = &f->clocks[0];
	struct sluice_domain *domain;

	domains_make(test);
	clock_init(clock, f->domains[0]);
	domain = sluice_domain_lock(f->domains[0]);
	clock_set(clock, 1);
	KUNIT_EXPECT_TRUE(test, clock_waits(clock));
	/* As it is, without the alarm that sluice_domain_unlock() has ring. */
	mutex_unlock(&domain->lock);
	clock->by = NULL;
	sluice_alarm_cancel(&clock->alarm);
	KUNIT_EXPECT_TRUE(test, list_empty(&clock->alarm.waiting));
	KUNIT_EXPECT_PTR_EQ(test, NULL, clock->by);
	KUNIT_EXPECT_EQ(test, 1U, clock->due);
	domain = sluice_domain_lock(f->domains[0]);
	sluice_domain_unlock(domain);
	KUNIT_EXPECT_PTR_EQ(test, NULL, clock->by);
}

/* More alarms than there can be workers, all of one domain that is busy. */
static void domain_busy(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	u32 i, n = WQ_MAX_ACTIVE + 1, rung;
	struct sluice_domain *domain;
	struct clock *clocks;

	clocks = kunit_kcalloc(test, n + 1, sizeof(*clocks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, clocks);
	domains_make(test);
	clock_init(&clocks[n], f->domains[1]);
	domain = sluice_domain_lock(f->domains[0]);
	for (i = 0; i < n; i++) {
		clock_init(&clocks[i], f->domains[0]);
		clock_set(&clocks[i], 1);
	}
	KUNIT_EXPECT_TRUE(test, clock_waits(&clocks[n - 1]));
	/* Nothing has joined the two: the order of their numbers it is. */
	mutex_lock_nested(&f->domains[1]->lock, SINGLE_DEPTH_NESTING);
	sluice_alarm_set(&clocks[n].alarm, 0);
	sluice_domain_unlock(f->domains[1]);
	KUNIT_EXPECT_TRUE_MSG(test, clock_rings(&clocks[n]),
			      "behind another domain's");
	sluice_domain_unlock(domain);
	for (rung = 0; rung < n && clock_rings(&clocks[rung]); rung++)
		;
	KUNIT_EXPECT_EQ(test, n, rung);
	for (i = 0; i <= n; i++)
		sluice_alarm_cancel(&clocks[i].alarm);
}

struct joiner {
	struct domain_fixture *f;
	struct task_struct *task;
	struct rnd_state rnd;
	struct completion done;
};

/* The counts are guarded by nothing but the domains. */
static int joiner_run(void *data)
{
	struct joiner *joiner = data;
	struct domain_fixture *f = joiner->f;
	struct sluice_domain *domain;
	u32 turn, a, b;

	for (turn = 0; turn < TURNS; turn++) {
		a = pick(&joiner->rnd, DOMAINS);
		b = pick(&joiner->rnd, DOMAINS);
		if (turn % 16 == 0)
			sluice_domain_join(f->domains[a], f->domains[b]);
		domain = sluice_domain_lock(f->domains[a]);
		f->count[a]++;
		if (turn % 8 == 0)
			clock_set(&f->clocks[a], 1 + turn % 3);
		if (turn % 4 == 0)
			cond_resched();
		sluice_domain_unlock(domain);
	}
	complete(&joiner->done);
	/* It must not be in here any more when the module goes. */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Return: threads that ran. */
static u32 joiners_run(struct domain_fixture *f, struct joiner *joiners)
{
	u32 i, started = 0;

	for (i = 0; i < THREADS; i++) {
		joiners[i].f = f;
		prandom_seed_state(&joiners[i].rnd, i);
		init_completion(&joiners[i].done);
		joiners[i].task = kthread_run(joiner_run, &joiners[i],
					      "joiner/%u", i);
		if (IS_ERR(joiners[i].task))
			break;
		started++;
	}
	for (i = 0; i < started; i++) {
		wait_for_completion(&joiners[i].done);
		kthread_stop(joiners[i].task);
	}
	return started;
}

static void domain_threads(struct kunit *test)
{
	struct domain_fixture *f = test->priv;
	struct joiner *joiners;
	u64 total = 0;
	u32 i;

	joiners = kunit_kcalloc(test, THREADS, sizeof(*joiners), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, joiners);
	domains_make(test);
	for (i = 0; i < DOMAINS; i++)
		clock_init(&f->clocks[i], f->domains[i]);
	KUNIT_ASSERT_EQ(test, (u32)THREADS, joiners_run(f, joiners));
	for (i = 0; i < DOMAINS; i++) {
		/* Whatever it was that it was set last, it rang after that. */
		while (READ_ONCE(f->clocks[i].due) &&
		       clock_rings(&f->clocks[i]))
			;
		KUNIT_EXPECT_EQ_MSG(test, 0U, f->clocks[i].due, "forgotten");
		sluice_alarm_cancel(&f->clocks[i].alarm);
		KUNIT_EXPECT_EQ(test, 0U, f->clocks[i].unlocked);
	}
	for (i = 0; i < DOMAINS; i++) {
		total += f->count[i];
		sluice_domain_join(f->domains[0], f->domains[i]);
	}
	KUNIT_EXPECT_EQ(test, (u64)THREADS * TURNS, total);
	prandom_seed_state(&f->rnd, 0);
	check_put(test, f);
}

static struct kunit_case domain_cases[] = {
	KUNIT_CASE(domain_random),
	KUNIT_CASE(domain_outlived),
	KUNIT_CASE(domain_alarm),
	KUNIT_CASE(domain_alarm_cancel),
	KUNIT_CASE(domain_busy),
	KUNIT_CASE(domain_threads),
	{}
};

static struct kunit_suite domain_suite = {
	.name = "sluice_domain",
	.init = domain_init,
	.exit = domain_exit,
	.test_cases = domain_cases,
};

kunit_test_suite(domain_suite);
