// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the tree of names, with channels that are nothing but a name.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "../channel.h"
#include "../name.h"

#define NAMES	200

static struct sluice_channel *named(struct kunit *test, const char *name)
{
	struct sluice_channel *channel;

	channel = kunit_kzalloc(test, sizeof(*channel), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, channel);
	kref_init(&channel->ref);
	atomic_set(&channel->files, 1);
	channel->name.len = strlen(name);
	memcpy(channel->name.bytes, name, channel->name.len);
	return channel;
}

static struct sluice_channel *find(const char *name)
{
	return sluice_name_find(&init_net, (const u8 *)name, strlen(name));
}

static void name_valid(struct kunit *test)
{
	u8 longest[SLUICE_NAME_MAX + 1];

	memset(longest, 'x', sizeof(longest));
	KUNIT_EXPECT_TRUE(test, sluice_name_valid(longest, SLUICE_NAME_MAX));
	KUNIT_EXPECT_FALSE(test,
			   sluice_name_valid(longest, SLUICE_NAME_MAX + 1));
	KUNIT_EXPECT_FALSE(test, sluice_name_valid("", 0));
	KUNIT_EXPECT_FALSE(test, sluice_name_valid("a\0b", 3));
	KUNIT_EXPECT_FALSE(test, sluice_name_valid("a\nb", 3));
	KUNIT_EXPECT_FALSE(test, sluice_name_valid("\x7f", 1));
	KUNIT_EXPECT_FALSE(test, sluice_name_valid("\x1b[2J", 4));
	KUNIT_EXPECT_TRUE(test, sluice_name_valid("/a b/\xc3\xa9", 7));
}

static void name_add_find(struct kunit *test)
{
	struct sluice_channel *a = named(test, "kunit/a");
	struct sluice_channel *b = named(test, "kunit/a");

	KUNIT_EXPECT_NULL(test, find("kunit/a"));
	KUNIT_EXPECT_EQ(test, 0, sluice_name_add(&init_net, a));
	KUNIT_EXPECT_EQ(test, -EEXIST, sluice_name_add(&init_net, b));
	KUNIT_EXPECT_PTR_EQ(test, a, find("kunit/a"));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&a->files));
	KUNIT_EXPECT_NULL(test, find("kunit/"));
	KUNIT_EXPECT_NULL(test, find("kunit/ab"));
	sluice_name_remove(a);
	sluice_name_remove(a);
	KUNIT_EXPECT_NULL(test, find("kunit/a"));
	KUNIT_EXPECT_EQ(test, 0, sluice_name_add(&init_net, b));
	sluice_name_remove(b);
}

/* One that is going is as good as gone, and harmless when it does go. */
static void name_dying(struct kunit *test)
{
	struct sluice_channel *old = named(test, "kunit/dying");
	struct sluice_channel *new = named(test, "kunit/dying");

	KUNIT_EXPECT_EQ(test, 0, sluice_name_add(&init_net, old));
	atomic_set(&old->files, 0);
	KUNIT_EXPECT_NULL(test, find("kunit/dying"));
	KUNIT_EXPECT_EQ(test, 0, sluice_name_add(&init_net, new));
	sluice_name_remove(old);
	KUNIT_EXPECT_PTR_EQ(test, new, find("kunit/dying"));
	sluice_name_remove(new);
}

/* Whatever the order of coming, a listing is sorted and complete. */
static void name_order(struct kunit *test)
{
	struct sluice_channel **channels, *at;
	struct sluice_name seen = { .len = 5, .bytes = "kunit" };
	char name[16];
	u32 i, n = 0;

	channels = kunit_kcalloc(test, NAMES, sizeof(*channels), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, channels);
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "kunit%03u", i * 77 % NAMES);
		channels[i] = named(test, name);
		KUNIT_EXPECT_EQ(test, 0,
				sluice_name_add(&init_net, channels[i]));
	}
	while ((at = sluice_name_next(&init_net, seen.bytes, seen.len))) {
		snprintf(name, sizeof(name), "kunit%03u", n);
		if (at->name.len != 8 || memcmp(at->name.bytes, name, 8))
			break;
		seen = at->name;
		n++;
	}
	KUNIT_EXPECT_EQ(test, NAMES, n);
	for (i = 0; i < NAMES; i++)
		sluice_name_remove(channels[i]);
	KUNIT_EXPECT_NULL(test, find("kunit000"));
}

static struct kunit_case name_cases[] = {
	KUNIT_CASE(name_valid),
	KUNIT_CASE(name_add_find),
	KUNIT_CASE(name_dying),
	KUNIT_CASE(name_order),
	{}
};

static struct kunit_suite name_suite = {
	.name = "sluice_name",
	.test_cases = name_cases,
};

kunit_test_suite(name_suite);
