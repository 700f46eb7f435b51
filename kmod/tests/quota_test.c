// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: accounts, with a user namespace made by hand below the initial one.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <linux/version.h>

#include "../quota.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define NS_REF(ns)	(&(ns)->ns.__ns_ref)
#else
#define NS_REF(ns)	(&(ns)->ns.count)
#endif

#define ALICE	KUIDT_INIT(4000001)
#define BOB	KUIDT_INIT(4000002)
#define SUBUID	KUIDT_INIT(4100000)

static void quota_limit(struct kunit *test)
{
	struct sluice_user *alice = sluice_user_get(&init_user_ns, ALICE);
	u64 limit = sluice_user_limit(SLUICE_RES_CHANNELS);

	KUNIT_ASSERT_FALSE(test, IS_ERR(alice));
	KUNIT_EXPECT_EQ(test, 0, sluice_charge(alice, SLUICE_RES_CHANNELS,
					       limit));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			sluice_charge(alice, SLUICE_RES_CHANNELS, 1));
	KUNIT_EXPECT_EQ(test, limit,
			sluice_charged(alice, SLUICE_RES_CHANNELS));
	KUNIT_EXPECT_EQ(test, 0, sluice_charge(alice, SLUICE_RES_FDS, 1));
	KUNIT_EXPECT_EQ(test, -ETOOMANYREFS,
			sluice_charge(alice, SLUICE_RES_FDS,
				      sluice_user_limit(SLUICE_RES_FDS)));
	sluice_uncharge(alice, SLUICE_RES_FDS, 1);
	sluice_uncharge(alice, SLUICE_RES_CHANNELS, limit);
	KUNIT_EXPECT_EQ(test, 0ULL,
			sluice_charged(alice, SLUICE_RES_CHANNELS));
	sluice_user_put(alice);
}

/* A charge so large that adding it would wrap is refused like any other. */
static void quota_wrap(struct kunit *test)
{
	struct sluice_user *alice = sluice_user_get(&init_user_ns, ALICE);

	KUNIT_ASSERT_FALSE(test, IS_ERR(alice));
	KUNIT_EXPECT_EQ(test, 0, sluice_charge(alice, SLUICE_RES_BYTES, 4096));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			sluice_charge(alice, SLUICE_RES_BYTES, U64_MAX));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			sluice_charge(alice, SLUICE_RES_BYTES, U64_MAX - 4095));
	KUNIT_EXPECT_EQ(test, 4096ULL, sluice_charged(alice, SLUICE_RES_BYTES));
	sluice_uncharge(alice, SLUICE_RES_BYTES, 4096);
	sluice_user_put(alice);
}

static void quota_same_account(struct kunit *test)
{
	struct sluice_user *a = sluice_user_get(&init_user_ns, ALICE);
	struct sluice_user *b = sluice_user_get(&init_user_ns, ALICE);
	struct sluice_user *c = sluice_user_get(&init_user_ns, BOB);

	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_PTR_NE(test, a, c);
	KUNIT_EXPECT_PTR_EQ(test, a, sluice_user_hold(a));
	sluice_user_put(a);
	sluice_user_put(a);
	sluice_user_put(b);
	sluice_user_put(c);
}

/* Users of a namespace count against its owner, each one and all together. */
static void quota_namespace(struct kunit *test)
{
	u64 limit = sluice_user_limit(SLUICE_RES_ENDPOINTS);
	struct sluice_user *alice, *first, *second;
	struct user_namespace *ns;

	ns = kunit_kzalloc(test, sizeof(*ns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ns);
	ns->parent = &init_user_ns;
	ns->owner = ALICE;
	/* One reference is ours and never put, so nothing frees it. */
	refcount_set(NS_REF(ns), 1);
	alice = sluice_user_get(&init_user_ns, ALICE);
	first = sluice_user_get(ns, SUBUID);
	second = sluice_user_get(ns, BOB);
	KUNIT_EXPECT_PTR_NE(test, first, second);
	KUNIT_EXPECT_EQ(test, 0, sluice_charge(first, SLUICE_RES_ENDPOINTS,
					       limit - 1));
	KUNIT_EXPECT_EQ(test, limit - 1,
			sluice_charged(alice, SLUICE_RES_ENDPOINTS));
	KUNIT_EXPECT_EQ(test, 0, sluice_charge(second, SLUICE_RES_ENDPOINTS, 1));
	KUNIT_EXPECT_EQ(test, -EDQUOT,
			sluice_charge(second, SLUICE_RES_ENDPOINTS, 1));
	KUNIT_EXPECT_EQ(test, 1ULL,
			sluice_charged(second, SLUICE_RES_ENDPOINTS));
	sluice_uncharge(first, SLUICE_RES_ENDPOINTS, limit - 1);
	sluice_uncharge(second, SLUICE_RES_ENDPOINTS, 1);
	KUNIT_EXPECT_EQ(test, 0ULL,
			sluice_charged(alice, SLUICE_RES_ENDPOINTS));
	sluice_user_put(first);
	sluice_user_put(second);
	sluice_user_put(alice);
}

static struct kunit_case quota_cases[] = {
	KUNIT_CASE(quota_limit),
	KUNIT_CASE(quota_wrap),
	KUNIT_CASE(quota_same_account),
	KUNIT_CASE(quota_namespace),
	{}
};

static struct kunit_suite quota_suite = {
	.name = "sluice_quota",
	.test_cases = quota_cases,
};

kunit_test_suite(quota_suite);
