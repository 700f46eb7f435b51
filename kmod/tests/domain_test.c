// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: domains, against a list of who has been joined with whom. That what is
 * put is freed is seen by the references of those that are left, and by
 * kmemleak.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/log2.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "../domain.h"

#define DOMAINS		96
#define SEEDS		4
#define THREADS		4
#define TURNS		2000

struct domain_fixture {
	struct sluice_domain *domains[DOMAINS];
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
	KUNIT_ASSERT_EQ(test, (u32)THREADS, joiners_run(f, joiners));
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
