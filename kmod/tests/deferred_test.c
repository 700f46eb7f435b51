// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what is deferred, for one whose own never ends and for others.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "../deferred.h"
#include "../quota.h"

#define MALLORY	KUIDT_INIT(4000011)
#define ALICE	KUIDT_INIT(4000012)
#define PATIENCE	(60 * HZ)

struct errand {
	struct sluice_deferred deferred;
	struct completion *gate;	/* it waits for that; or NULL */
	struct completion done;
	atomic_t runs;
};

static void errand_run(struct sluice_deferred *deferred)
{
	struct errand *errand = container_of(deferred, struct errand, deferred);

	if (errand->gate)
		wait_for_completion(errand->gate);
	atomic_inc(&errand->runs);
	complete(&errand->done);
}

static void errand_init(struct errand *errand, struct sluice_user *user,
			struct completion *gate)
{
	sluice_defer_init(&errand->deferred, user, errand_run);
	init_completion(&errand->done);
	errand->gate = gate;
}

static bool errand_done(struct errand *errand)
{
	return wait_for_completion_timeout(&errand->done, PATIENCE);
}

/* All of one user's sleep, and there are more of them than workers. */
static void deferred_share(struct kunit *test)
{
	struct sluice_user *mallory = sluice_user_get(&init_user_ns, MALLORY);
	struct sluice_user *alice = sluice_user_get(&init_user_ns, ALICE);
	u32 i, n = WQ_MAX_ACTIVE + 1;
	struct errand *stuck, *other;
	struct completion gate;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mallory) || IS_ERR(alice));
	stuck = kunit_kcalloc(test, n + 1, sizeof(*stuck), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, stuck);
	other = &stuck[n];
	init_completion(&gate);
	for (i = 0; i < n; i++) {
		errand_init(&stuck[i], mallory, &gate);
		sluice_defer(&stuck[i].deferred);
	}
	errand_init(other, alice, NULL);
	sluice_defer(&other->deferred);
	KUNIT_EXPECT_TRUE_MSG(test, errand_done(other), "behind another's");
	complete_all(&gate);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE(test, errand_done(&stuck[i]));
	for (i = 0; i < n; i++)
		sluice_defer_cancel(&stuck[i].deferred);
	sluice_defer_cancel(&other->deferred);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&stuck[i].runs));
	sluice_user_put(mallory);
	sluice_user_put(alice);
}

/* Cancelled: while it waits for a worker, or runs, or as it has been queued. */
static void deferred_cancel(struct kunit *test)
{
	struct sluice_user *mallory = sluice_user_get(&init_user_ns, MALLORY);
	u32 i, n = WQ_MAX_ACTIVE;
	struct completion gate;
	struct errand *some;

	KUNIT_ASSERT_FALSE(test, IS_ERR(mallory));
	some = kunit_kcalloc(test, n, sizeof(*some), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, some);
	init_completion(&gate);
	for (i = 0; i < n; i++) {
		errand_init(&some[i], mallory, &gate);
		sluice_defer(&some[i].deferred);
	}
	/* The last ones have no worker yet, and never get one. */
	for (i = n / 2; i < n; i++)
		sluice_defer_cancel(&some[i].deferred);
	complete_all(&gate);
	for (i = 0; i < n / 2; i++)
		KUNIT_EXPECT_TRUE(test, errand_done(&some[i]));
	for (i = 0; i < n; i++) {
		sluice_defer(&some[i].deferred);
		sluice_defer_cancel(&some[i].deferred);
		KUNIT_EXPECT_GE(test, 2, atomic_read(&some[i].runs));
	}
	for (i = n / 2; i < n; i++)
		KUNIT_EXPECT_GE(test, 1, atomic_read(&some[i].runs));
	/* Nobody's share was lost by it. */
	errand_init(&some[0], mallory, NULL);
	sluice_defer(&some[0].deferred);
	KUNIT_EXPECT_TRUE(test, errand_done(&some[0]));
	sluice_defer_cancel(&some[0].deferred);
	sluice_user_put(mallory);
}

/* Queued again while it runs, it runs again. */
static void deferred_again(struct kunit *test)
{
	struct sluice_user *alice = sluice_user_get(&init_user_ns, ALICE);
	struct completion gate;
	struct errand *errand;

	KUNIT_ASSERT_FALSE(test, IS_ERR(alice));
	errand = kunit_kzalloc(test, sizeof(*errand), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, errand);
	init_completion(&gate);
	errand_init(errand, alice, &gate);
	sluice_defer(&errand->deferred);
	while (work_pending(&errand->deferred.work))
		cond_resched();
	sluice_defer(&errand->deferred);
	complete_all(&gate);
	KUNIT_EXPECT_TRUE(test, errand_done(errand));
	KUNIT_EXPECT_TRUE(test, errand_done(errand));
	sluice_defer_cancel(&errand->deferred);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&errand->runs));
	sluice_user_put(alice);
}

static struct kunit_case deferred_cases[] = {
	KUNIT_CASE(deferred_share),
	KUNIT_CASE(deferred_cancel),
	KUNIT_CASE(deferred_again),
	{ }
};

static struct kunit_suite deferred_suite = {
	.name = "sluice_deferred",
	.test_cases = deferred_cases,
};
kunit_test_suite(deferred_suite);
