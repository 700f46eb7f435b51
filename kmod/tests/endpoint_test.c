// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the member table: places, generations, what its readers see, and
 * that leaving gives everything back.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/user_namespace.h>

#include "../channel.h"
#include "../endpoint.h"
#include "../publisher.h"
#include "../subscriber.h"
#include "../table.h"

#define PLACES	3

struct member_fixture {
	struct sluice_channel *channel;
	struct file *files[2 * PLACES];
};

static struct file *join(struct sluice_channel *channel, u32 role)
{
	return role == SLUICE_PUBLISHER ?
		sluice_publisher_file(channel, 0) :
		sluice_subscriber_file(channel, 0, channel->config.policy);
}

static struct sluice_endpoint *endpoint(struct file *file)
{
	return file->private_data;
}

/* The file's release runs from a work queue: leave now, as it would. */
static void close_now(struct member_fixture *f, u32 i)
{
	sluice_endpoint_leave(endpoint(f->files[i]), SLUICE_LEFT_CLOSED);
	fput(f->files[i]);
	f->files[i] = NULL;
}

static int member_init(struct kunit *test)
{
	struct sluice_open open = {
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
		.config = {
			.pattern = SLUICE_BROADCAST,
			.policy = SLUICE_BLOCK,
			.slots = 4,
			.publishers = PLACES,
			.subscribers = PLACES,
			.held = 4,
			.pool = PAGE_SIZE,
			.pool_limit = PAGE_SIZE,
		},
	};
	struct member_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->channel = sluice_channel_new(&open, &open.config);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->channel));
	test->priv = f;
	return 0;
}

static void member_exit(struct kunit *test)
{
	struct member_fixture *f = test->priv;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(f->files); i++)
		if (f->files[i])
			close_now(f, i);
	sluice_object_unuse(&f->channel->object);
}

static void member_places(struct kunit *test)
{
	struct member_fixture *f = test->priv;
	struct sluice_channel *channel = f->channel;
	u64 generation = 0;
	u32 i, role;

	for (i = 0; i < 2 * PLACES; i++) {
		role = i & 1 ? SLUICE_PUBLISHER : SLUICE_SUBSCRIBER;
		f->files[i] = join(channel, role);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->files[i]));
		KUNIT_EXPECT_EQ(test, i / 2, endpoint(f->files[i])->index);
		KUNIT_EXPECT_GT(test, endpoint(f->files[i])->generation,
				generation);
		generation = endpoint(f->files[i])->generation;
	}
	KUNIT_EXPECT_EQ(test, (u64)2 * PLACES, channel->table->seq);
	KUNIT_EXPECT_EQ(test, (u32)PLACES, channel->table->publishers);
	KUNIT_EXPECT_EQ(test, (u32)PLACES, channel->table->subscribers);
	for (role = SLUICE_PUBLISHER; role <= SLUICE_SUBSCRIBER; role++)
		KUNIT_EXPECT_PTR_EQ(test, ERR_PTR(-EUSERS), (void *)join(channel, role));
	KUNIT_EXPECT_EQ(test, (u64)2 * PLACES, channel->table->seq);
}

static void member_reuse(struct kunit *test)
{
	struct member_fixture *f = test->priv;
	struct sluice_channel *channel = f->channel;
	struct sluice_member *entry;
	u64 generation;
	u32 i;

	for (i = 0; i < PLACES; i++) {
		f->files[i] = join(channel, SLUICE_SUBSCRIBER);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->files[i]));
	}
	entry = sluice_table_entry(endpoint(f->files[1]));
	generation = entry->generation;
	KUNIT_EXPECT_EQ(test, (u32)SLUICE_ACTIVE, entry->state);
	close_now(f, 1);
	KUNIT_EXPECT_EQ(test, generation, entry->generation);
	KUNIT_EXPECT_EQ(test, (u32)SLUICE_FREE, entry->state);
	KUNIT_EXPECT_EQ(test, (u32)SLUICE_LEFT_CLOSED, entry->reason);
	KUNIT_EXPECT_EQ(test, (u32)PLACES - 1, channel->table->subscribers);
	f->files[1] = join(channel, SLUICE_SUBSCRIBER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->files[1]));
	KUNIT_EXPECT_EQ(test, 1U, endpoint(f->files[1])->index);
	KUNIT_EXPECT_GT(test, entry->generation, generation + 1);
}

/* Unread messages keep a left publisher's place; abandoning the lot frees it. */
static void member_left(struct kunit *test)
{
	struct member_fixture *f = test->priv;
	struct sluice_channel *channel = f->channel;
	struct sluice_publisher *pub;

	f->files[0] = join(channel, SLUICE_SUBSCRIBER);
	f->files[1] = join(channel, SLUICE_PUBLISHER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->files[1]));
	pub = sluice_publisher(endpoint(f->files[1]));
	pub->slots[0].seq = SLUICE_SEQ(0);
	pub->lane->head = 1;
	close_now(f, 1);
	KUNIT_EXPECT_EQ(test, 1U, channel->left_count);
	KUNIT_EXPECT_EQ(test, 0U, channel->publisher_count);
	KUNIT_EXPECT_EQ(test, (u32)SLUICE_LEFT,
			sluice_table_entry(&pub->ep)->state);
	KUNIT_EXPECT_EQ(test, (u32)SLUICE_LEFT_CLOSED,
			sluice_table_entry(&pub->ep)->reason);
	close_now(f, 0);
	KUNIT_EXPECT_EQ(test, 0U, channel->left_count);
	KUNIT_EXPECT_EQ(test, 1ULL, channel->past_messages);
}

static struct kunit_case member_cases[] = {
	KUNIT_CASE(member_places),
	KUNIT_CASE(member_reuse),
	KUNIT_CASE(member_left),
	{}
};

static struct kunit_suite member_suite = {
	.name = "sluice_member",
	.init = member_init,
	.exit = member_exit,
	.test_cases = member_cases,
};

kunit_test_suite(member_suite);
