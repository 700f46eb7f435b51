// SPDX-License-Identifier: GPL-2.0-only
/*
 * 64 publishers with 64 subscribers in one channel, all in processes of their
 * own, and every message counted.
 */
#include "traffic.h"

#define MANY	64

FIXTURE(many) {
	int ch;
	unsigned int *count;	/* by subscriber */
	unsigned char *seen;	/* queue: by publisher and number */
	unsigned long each;
};

FIXTURE_VARIANT(many) {
	__u32 pattern;
	unsigned long each;
};

FIXTURE_VARIANT_ADD(many, broadcast) { SLUICE_BROADCAST, 30 };
FIXTURE_VARIANT_ADD(many, queue) { SLUICE_QUEUE, 200 };

FIXTURE_SETUP(many)
{
	struct sluice_config cfg = {
		.pattern = variant->pattern, .slots = 16, .held = 4,
		.publishers = MANY, .subscribers = MANY, .pool = 1 << 14,
	};

	self->each = scaled(variant->each, 5);
	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	self->count = shared(MANY * sizeof(*self->count));
	self->seen = shared(MANY * self->each);
}

FIXTURE_TEARDOWN(many)
{
	close(self->ch);
}

static void publisher(FIXTURE_DATA(many) *self, __u32 who)
{
	struct pub p;
	__u32 i;

	pub_join(&p, self->ch);
	for (i = 0; i < self->each; i++) {
		__u32 n[2] = { who, i };

		must(pub_send(&p, n, sizeof(n), 0, in_ms(250000)));
	}
	pub_close(&p);
	_exit(0);
}

static void subscriber(FIXTURE_DATA(many) *self, __u32 me, bool queue)
{
	__u32 next[MANY] = { }, n[2];
	struct msg m;
	struct sub s;
	int ret;

	sub_join(&s, self->ch);
	__atomic_add_fetch(&self->count[me], 1, __ATOMIC_RELEASE);
	while ((ret = sub_recv(&s, &m, in_ms(250000))) > 0) {
		check(m.length == sizeof(n));
		memcpy(n, m.data, sizeof(n));
		check(n[0] < MANY && n[1] < self->each);
		if (queue)
			__atomic_add_fetch(&self->seen[n[0] * self->each + n[1]],
					   1, __ATOMIC_RELAXED);
		else
			check(next[n[0]]++ == n[1]);
		sub_release(&s, &m);
		__atomic_add_fetch(&self->count[me], 1, __ATOMIC_RELAXED);
	}
	check(ret == -EPIPE);
	check(!s.lost);
	_exit(0);
}

TEST_F(many, all_counted)
{
	bool queue = variant->pattern == SLUICE_QUEUE;
	unsigned long total = 0, i;
	pid_t pub[MANY], sub[MANY];
	int stays = must(join_role(self->ch, SLUICE_PUBLISHER));

	for (i = 0; i < MANY; i++) {
		sub[i] = child();
		if (!sub[i]) {
			close(stays);
			subscriber(self, i, queue);
		}
	}
	for (i = 0; i < MANY; i++)
		while (!load_acquire(&self->count[i]))
			sleep_us(1000);
	EXPECT_EQ(-EUSERS, join_role(self->ch, SLUICE_SUBSCRIBER));
	for (i = 0; i < MANY; i++) {
		/* The place that kept them waiting is the last one's. */
		if (i == MANY - 1)
			close(stays);
		pub[i] = child();
		if (!pub[i]) {
			close(stays);
			publisher(self, i);
		}
	}
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(0, reap_slowly(pub[i])) TH_LOG("publisher %lu", i);
	for (i = 0; i < MANY; i++)
		EXPECT_EQ(0, reap_slowly(sub[i])) TH_LOG("subscriber %lu", i);
	for (i = 0; i < MANY; i++)
		total += self->count[i] - 1;
	EXPECT_EQ(MANY * self->each * (queue ? 1 : MANY), total);
	for (i = 0; queue && i < MANY * self->each; i++)
		ASSERT_EQ(1, self->seen[i]);
	EXPECT_EQ(MANY * self->each, stat_of(self->ch).messages);
	EXPECT_EQ(0, stat_of(self->ch).left);
}

TEST_HARNESS_MAIN
