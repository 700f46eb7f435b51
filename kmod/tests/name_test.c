// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the tree of names, with objects that are nothing but a name.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "../name.h"
#include "../object.h"

#define NAMES	200

static const struct sluice_object_type named_type = {
	.names = SLUICE_NAMES_CHANNELS,
};

static struct sluice_object *named(struct kunit *test, const char *name)
{
	struct sluice_object *object;

	object = kunit_kzalloc(test, sizeof(*object), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	object->type = &named_type;
	atomic_set(&object->files, 1);
	object->name.len = strlen(name);
	memcpy(object->name.bytes, name, object->name.len);
	return object;
}

static struct sluice_object *find(const char *name)
{
	return sluice_name_find(&init_net, SLUICE_NAMES_CHANNELS,
				(const u8 *)name, strlen(name));
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
	struct sluice_object *a = named(test, "kunit/a");
	struct sluice_object *b = named(test, "kunit/a");

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
	KUNIT_EXPECT_NULL(test, sluice_name_find(&init_net,
						 SLUICE_NAMES_LOCKSPACES,
						 "kunit/a", 7));
	sluice_name_remove(b);
}

/* One that is going is as good as gone, and harmless when it does go. */
static void name_dying(struct kunit *test)
{
	struct sluice_object *old = named(test, "kunit/dying");
	struct sluice_object *new = named(test, "kunit/dying");

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
	struct sluice_object **objects, *at;
	struct sluice_name seen = { .len = 5, .bytes = "kunit" };
	char name[16];
	u32 i, n = 0;

	objects = kunit_kcalloc(test, NAMES, sizeof(*objects), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, objects);
	for (i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "kunit%03u", i * 77 % NAMES);
		objects[i] = named(test, name);
		KUNIT_EXPECT_EQ(test, 0,
				sluice_name_add(&init_net, objects[i]));
	}
	while ((at = sluice_name_next(&init_net, SLUICE_NAMES_CHANNELS,
				      seen.bytes, seen.len))) {
		snprintf(name, sizeof(name), "kunit%03u", n);
		if (at->name.len != 8 || memcmp(at->name.bytes, name, 8))
			break;
		seen = at->name;
		n++;
	}
	KUNIT_EXPECT_EQ(test, NAMES, n);
	for (i = 0; i < NAMES; i++)
		sluice_name_remove(objects[i]);
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
