// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who gets which messages: broadcast, order, history, what happens when a
 * subscriber lags, sizes, growth, limits. Queues are in queue.c.
 */
#include "traffic.h"

static struct sluice_config config(__u32 pattern, __u32 policy)
{
	struct sluice_config cfg = {
		.pattern = pattern, .policy = policy,
		.slots = 16, .held = 8, .pool = 1 << 16,
	};

	return cfg;
}

/* What number() reads. */
static bool put(struct pub *p, __u64 n)
{
	return pub_try(p, &n, sizeof(n), (__u32)n);
}

/* Receives one and lets it go; -1 if there was none. */
static long long get(struct sub *s)
{
	struct msg m;
	__u64 n;

	if (!sub_try(s, &m))
		return -1;
	n = number(&m);
	sub_release(s, &m);
	return n;
}

/*
 * Broadcast.
 */
TEST(everybody_gets_everything)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int ch = make_channel(NULL, &cfg), i, k;
	struct pub p[3];
	struct sub s[3];

	ASSERT_LE(0, ch);
	for (i = 0; i < 3; i++) {
		pub_join(&p[i], ch);
		sub_join_full(&s[i], ch, SLUICE_JOIN_STAY, 0);
	}
	for (k = 0; k < 10; k++)
		for (i = 0; i < 3; i++)
			ASSERT_TRUE(put(&p[i], i * 100 + k));
	for (i = 0; i < 3; i++) {
		int next[3] = { }, got;

		for (k = 0; k < 30; k++) {
			got = get(&s[i]);
			ASSERT_LE(0, got);
			EXPECT_EQ(next[got / 100]++, got % 100)
				TH_LOG("out of order");
		}
		EXPECT_EQ(-1, get(&s[i]));
	}
	EXPECT_EQ(30, stat_of(ch).messages);
}

/* Held messages keep their memory, in whatever order they are let go. */
TEST(held_in_any_order)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int ch = make_channel(NULL, &cfg), i, round;
	__u64 seed = 42, n = 0;
	struct pub p;
	struct sub s;
	struct msg m[8];

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&s, ch);
	for (round = 0; round < scaled(200, 20); round++) {
		int order[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

		for (i = 0; i < 8; i++) {
			ASSERT_TRUE(put(&p, n + i));
			ASSERT_EQ(1, sub_try(&s, &m[i]));
		}
		for (i = 7; i > 0; i--) {
			int k = random_next(&seed) % (i + 1), t = order[i];

			order[i] = order[k];
			order[k] = t;
		}
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(n + order[i], number(&m[order[i]]));
			sub_release(&s, &m[order[i]]);
		}
		n += 8;
	}
}

/* All it may hold, and not one more, until it lets one go. */
TEST(held_at_most)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;
	struct msg m[8], more;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&s, ch);
	for (i = 0; i < 9; i++)
		ASSERT_TRUE(put(&p, i));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(1, sub_try(&s, &m[i]));
	EXPECT_EQ(-ENOBUFS, sub_try(&s, &more));
	sub_release(&s, &m[3]);
	ASSERT_EQ(1, sub_try(&s, &more));
	EXPECT_EQ(8, number(&more));
}

/* A publisher with no subscriber has all the room in the world. */
TEST(nobody_listens)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(put(&p, i));
	sub_join(&s, ch);
	EXPECT_EQ(-1, get(&s)) TH_LOG("what was before it joined, without history");
	ASSERT_TRUE(put(&p, 100));
	EXPECT_EQ(100, get(&s));
	EXPECT_EQ(0, s.lost);
}

/* Block: room for what one has not read is nobody's. */
TEST(block_is_full)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s, fast;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&s, ch);
	sub_join(&fast, ch);
	for (i = 0; i < 16; i++) {
		ASSERT_TRUE(put(&p, i));
		EXPECT_EQ(i, get(&fast));
	}
	EXPECT_FALSE(put(&p, 16)) TH_LOG("over an unread message");
	EXPECT_EQ(-ETIMEDOUT, pub_send(&p, "x", 1, 0, in_ms(30)));
	EXPECT_EQ(0, get(&s));
	EXPECT_TRUE(put(&p, 16));
	for (i = 1; i < 17; i++)
		EXPECT_EQ(i, get(&s));
	EXPECT_EQ(0, s.lost + fast.lost);
}

/* Who joined but has not begun holds everything back. */
TEST(block_from_join_on)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	int ch = make_channel(NULL, &cfg), sub, i;
	struct pub p;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub = join_role(ch, SLUICE_SUBSCRIBER);
	ASSERT_LE(0, sub);
	for (i = 0; i < 16; i++)
		ASSERT_TRUE(put(&p, i));
	EXPECT_FALSE(put(&p, 16));
	close(sub);
	EXPECT_TRUE(put(&p, 16)) TH_LOG("one that left holds nothing back");
}

/* Drop: the publisher never waits, the subscriber knows how much it lost. */
TEST(drop_counts)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_DROP_OLDEST);
	int ch = make_channel(NULL, &cfg), i;
	long long got, next = 0;
	struct pub p;
	struct sub s;

	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pub_join(&p, ch);
	for (i = 0; i < 100; i++)
		ASSERT_TRUE(put(&p, i));
	while ((got = get(&s)) >= 0) {
		EXPECT_LE(next, got);
		next = got + 1;
	}
	EXPECT_EQ(100, next) TH_LOG("the newest must be there");
	EXPECT_EQ(100, s.lost + s.received);
	EXPECT_LE(100 - 16, s.lost);
	EXPECT_LT(0, s.received);
}

/* What it holds is not overwritten, however far the publisher goes. */
TEST(drop_spares_the_held)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_DROP_OLDEST);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;
	struct msg m[3];

	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pub_join_blocks(&p, ch, 2048);	/* 32 blocks for 16 slots */
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(put(&p, i));
		ASSERT_EQ(1, sub_try(&s, &m[i]));
	}
	for (i = 3; i < 1000; i++)
		ASSERT_TRUE(put(&p, i));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i, number(&m[i]));
		sub_release(&s, &m[i]);
	}
	while (get(&s) >= 0)
		;
	EXPECT_EQ(1000, s.lost + s.received);
	EXPECT_EQ(3, p.n_aside);
	pub_look_aside(&p);
	EXPECT_EQ(0, p.n_aside);
}

/* Evict: who lags is detached, told, and nobody else notices. */
TEST(evict_detaches)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_EVICT);
	int ch = make_channel(NULL, &cfg), i;
	struct sluice_peer peer;
	struct sub slow, fast;
	struct pub p;
	struct msg m;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&slow, ch);
	sub_join(&fast, ch);
	ASSERT_TRUE(put(&p, 0));
	ASSERT_EQ(1, sub_try(&slow, &m));
	EXPECT_EQ(0, get(&fast));
	for (i = 1; i < 40; i++) {
		ASSERT_TRUE(put(&p, i));
		EXPECT_EQ(i, get(&fast));
	}
	EXPECT_EQ(1, p.evicted);
	EXPECT_EQ(1, stat_of(ch).subscribers);
	EXPECT_EQ(-ECONNABORTED, wait_until(slow.fd, in_ms(20000), 0));
	EXPECT_TRUE(events_of(slow.fd, POLLIN) & POLLHUP);
	ASSERT_EQ(0, peer_of(ch, SLUICE_SUBSCRIBER, slow.j.index, &peer));
	EXPECT_EQ(SLUICE_EVICTED, peer.state);
	EXPECT_EQ(SLUICE_LEFT_EVICTED, peer.reason);
	EXPECT_EQ(0, fast.lost);
	close(slow.fd);
	EXPECT_EQ(-ENOENT, peer_of(ch, SLUICE_SUBSCRIBER, slow.j.index, &peer));
}

/* In a channel that blocks, one may ask to be treated otherwise. */
TEST(policy_of_one)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	int ch = make_channel(NULL, &cfg), i;
	struct sub all, some, gone;
	struct pub p;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&all, ch);
	sub_join_full(&some, ch, 0, SLUICE_DROP_OLDEST);
	sub_join_full(&gone, ch, 0, SLUICE_EVICT);
	EXPECT_EQ(SLUICE_DROP_OLDEST,
		  table_read(&p.table, SLUICE_SUBSCRIBER, some.j.index).policy);
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(put(&p, i));
		EXPECT_EQ(i, get(&all));
	}
	EXPECT_EQ(0, all.lost);
	EXPECT_LT(0, get(&some));
	EXPECT_LE(50 - 16, some.lost);
	EXPECT_EQ(-ECONNABORTED, wait_until(gone.fd, 0, 0));
}

/*
 * Joining late.
 */
TEST(joiner_misses_nothing_after)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(put(&p, i));
	sub_join(&s, ch);
	/* The publisher, which has not looked at the table since, is full now. */
	for (i = 20; i < 36; i++)
		ASSERT_TRUE(put(&p, i));
	EXPECT_FALSE(put(&p, 36));
	for (i = 20; i < 36; i++)
		EXPECT_EQ(i, get(&s));
	EXPECT_EQ(-1, get(&s));
	EXPECT_EQ(0, s.lost);
}

/* Nor what is published between JOIN and its first look at the lane. */
TEST(joiner_misses_nothing_before_it_looks)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	int ch = make_channel(NULL, &cfg), i;
	struct sub s = { };
	struct pub p;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(put(&p, i));
	s.fd = join_full(ch, SLUICE_SUBSCRIBER, 0, 0, &s.j);
	ASSERT_LE(0, s.fd);
	s.j.policy = SLUICE_BLOCK;
	/* Not more than there is room for: until it looks, it holds all back. */
	for (i = 20; i < 23; i++)
		ASSERT_TRUE(put(&p, i));
	sub_map(&s);
	sub_look(&s);
	for (i = 20; i < 23; i++)
		EXPECT_EQ(i, get(&s));
	EXPECT_EQ(-1, get(&s));
	EXPECT_EQ(0, s.lost);
}

FIXTURE(history) {
	int ch;
	struct pub p;
};

FIXTURE_VARIANT(history) {
	__u32 history, published;
};

FIXTURE_VARIANT_ADD(history, none_published) { 4, 0 };
FIXTURE_VARIANT_ADD(history, fewer) { 4, 3 };
FIXTURE_VARIANT_ADD(history, as_many) { 4, 4 };
FIXTURE_VARIANT_ADD(history, more) { 4, 9 };
FIXTURE_VARIANT_ADD(history, ring_full) { 4, 16 };
FIXTURE_VARIANT_ADD(history, wrapped) { 4, 70 };
FIXTURE_VARIANT_ADD(history, at_most) { 15, 100 };

FIXTURE_SETUP(history)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int i;

	cfg.history = variant->history;
	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	pub_join_blocks(&self->p, self->ch, 1024);
	for (i = 0; i < variant->published; i++)
		ASSERT_TRUE(put(&self->p, i));
}

FIXTURE_TEARDOWN(history)
{
	if (self->p.fd >= 0)
		pub_close(&self->p);
	close(self->ch);
}

static __u32 first_of(const FIXTURE_VARIANT(history) *v)
{
	return v->published > v->history ? v->published - v->history : 0;
}

TEST_F(history, last_n_first)
{
	struct sub s;
	__u32 i;

	sub_join_full(&s, self->ch, SLUICE_JOIN_STAY, 0);
	ASSERT_TRUE(put(&self->p, variant->published));
	for (i = first_of(variant); i <= variant->published; i++)
		EXPECT_EQ(i, get(&s));
	EXPECT_EQ(-1, get(&s));
	EXPECT_EQ(0, s.lost);
}

/* Who joins after the publisher left gets it too. */
TEST_F(history, of_one_that_left)
{
	struct sub s;
	__u32 i;

	pub_close(&self->p);
	self->p.fd = -1;
	sub_join_full(&s, self->ch, SLUICE_JOIN_STAY, 0);
	for (i = first_of(variant); i < variant->published; i++)
		EXPECT_EQ(i, get(&s));
	EXPECT_EQ(-1, get(&s));
}

/* A joiner after the publisher: all of it, from the first on. */
TEST(joined_before_gets_all)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;

	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pub_join(&p, ch);
	for (i = 0; i < 16; i++)
		ASSERT_TRUE(put(&p, i));
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i, get(&s));
}

/* History gives way to publishers that want a place. */
TEST(history_gives_up_its_place)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, 0);
	struct pub p;
	struct sub s;
	int ch, i;

	cfg.history = 2;
	cfg.publishers = 2;
	ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, ch);
	for (i = 0; i < 6; i++) {
		pub_join(&p, ch);
		ASSERT_TRUE(put(&p, i));
		pub_close(&p);
		EXPECT_EQ(i ? 2 : 1, stat_of(ch).left);
	}
	EXPECT_EQ(6, stat_of(ch).messages);
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	i = get(&s);
	EXPECT_EQ(4 + 5, i + get(&s)) TH_LOG("the oldest go first");
	EXPECT_EQ(-1, get(&s));
}

/*
 * Sizes.
 */
FIXTURE(sizes) {
	int ch;
	struct pub p;
	struct sub s;
};

FIXTURE_VARIANT(sizes) {
	__u32 pattern;
};

FIXTURE_VARIANT_ADD(sizes, broadcast) { SLUICE_BROADCAST };
FIXTURE_VARIANT_ADD(sizes, queue) { SLUICE_QUEUE };

FIXTURE_SETUP(sizes)
{
	struct sluice_config cfg = config(variant->pattern, 0);

	cfg.pool = 3 << 16;
	cfg.pool_limit = 4 << 20;
	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	pub_join_blocks(&self->p, self->ch, 3 << 16);
	sub_join(&self->s, self->ch);
}

FIXTURE_TEARDOWN(sizes)
{
	sub_close(&self->s);
	pub_close(&self->p);
	close(self->ch);
}

TEST_F(sizes, from_nothing_to_all)
{
	static const size_t sizes[] = {
		0, 1, 7, 8, 63, 64, 4095, 4096, 4097, 65535, 65536, 3 << 16
	};
	static unsigned char buf[3 << 16];
	struct msg m;
	size_t i;

	for (i = 0; i < ARRAY(sizes); i++) {
		fill(buf, sizes[i], i + 1);
		ASSERT_EQ(0, pub_send(&self->p, buf, sizes[i], i, in_ms(9000)))
			TH_LOG("%zu bytes", sizes[i]);
		ASSERT_EQ(1, sub_try(&self->s, &m));
		EXPECT_EQ(sizes[i], m.length);
		EXPECT_EQ(i, m.type);
		EXPECT_TRUE(filled(m.data, m.length, i + 1))
			TH_LOG("%zu bytes", sizes[i]);
		sub_release(&self->s, &m);
	}
}

static void grow_and_map(struct pub *p, __u64 want, struct sluice_segment *seg,
			 unsigned char **at)
{
	*seg = (struct sluice_segment){ .size = want };
	must(call(p->fd, SLUICE_IOC_GROW, seg));
	*at = map_area(p->fd, seg->offset, seg->size, PROT_READ | PROT_WRITE);
}

/* A slot by hand: the payload is in a segment of its own. */
static void publish_in(struct pub *p, __u32 segment, __u64 length)
{
	struct sluice_slot *slot = pub_slot(p, p->head);

	store(&slot->offset, 0);
	store(&slot->length, length);
	store(&slot->segment, segment);
	store(&slot->type, segment);
	store(&slot->flags, 0);
	store_release(&slot->seq, SLUICE_SEQ(p->head));		/* R1 */
	p->head++;
	store(&p->lane->head, p->head);
}

TEST_F(sizes, pool_grows)
{
	struct sluice_segment seg;
	unsigned char *at;
	struct msg m;
	__u32 i;

	for (i = 1; i < SLUICE_SEGMENTS_MAX; i++) {
		__u64 want = 5000 * i;

		grow_and_map(&self->p, want, &seg, &at);
		EXPECT_EQ(i, seg.segment);
		EXPECT_LE(want, seg.size);
		EXPECT_EQ(0, seg.size % sysconf(_SC_PAGESIZE));
		EXPECT_EQ(self->p.j.generation, seg.generation);
		fill(at, seg.size, i);
		publish_in(&self->p, i, seg.size);
		ASSERT_EQ(1, sub_try(&self->s, &m));
		EXPECT_EQ(seg.size, m.length);
		EXPECT_TRUE(filled(m.data, m.length, i));
		sub_release(&self->s, &m);
	}
	seg = (struct sluice_segment){ .size = 4096 };
	EXPECT_EQ(-ENOSPC, call(self->p.fd, SLUICE_IOC_GROW, &seg))
		TH_LOG("more segments than there can be");
}

TEST_F(sizes, growth_ends_at_the_limit)
{
	__u64 limit = 4 << 20, first = 3 << 16;
	struct sluice_segment seg = { .size = limit - first + 1 };
	struct sluice_peer peer;

	EXPECT_EQ(-ENOSPC, call(self->p.fd, SLUICE_IOC_GROW, &seg));
	seg = (struct sluice_segment){ .size = limit - first };
	EXPECT_EQ(0, call(self->p.fd, SLUICE_IOC_GROW, &seg));
	seg = (struct sluice_segment){ .size = 1 };
	EXPECT_EQ(-ENOSPC, call(self->p.fd, SLUICE_IOC_GROW, &seg));
	EXPECT_EQ(limit, stat_of(self->ch).pool);
	ASSERT_EQ(0, peer_of(self->ch, SLUICE_PUBLISHER, 0, &peer));
	EXPECT_EQ(limit, peer.pool);
}

/* An odd size is rounded up to whole pages. */
TEST(pool_of_odd_size)
{
	struct sluice_config cfg = { .pool = 5001 };
	int ch = make_channel(NULL, &cfg);
	struct pub p;

	ASSERT_LE(0, ch);
	pub_join_blocks(&p, ch, 1024);
	EXPECT_EQ(8192, p.pool_size);
	EXPECT_EQ(8192, p.j.config.pool);
}

/* The smallest of everything works. */
TEST(smallest)
{
	struct sluice_config cfg = {
		.slots = 1, .publishers = 1, .subscribers = 1, .held = 1,
		.pool = 1,
	};
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;

	ASSERT_LE(0, ch);
	pub_join_blocks(&p, ch, 64);
	sub_join(&s, ch);
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(put(&p, i));
		EXPECT_FALSE(put(&p, i));
		EXPECT_EQ(i, get(&s));
	}
}

/* What the members say of themselves is what is told of them. */
TEST(peers_and_stat)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_DROP_OLDEST);
	int ch = make_channel(NULL, &cfg), i;
	struct sluice_peer peer;
	struct pub p;
	struct sub s;
	struct msg m;

	ASSERT_LE(0, ch);
	sub_join(&s, ch);
	pub_join_blocks(&p, ch, 1024);
	sub_look(&s);
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(put(&p, i));
	ASSERT_EQ(1, sub_try(&s, &m));
	EXPECT_EQ(1, get(&s));
	EXPECT_EQ(10, stat_of(ch).messages);
	EXPECT_EQ(1 << 16, stat_of(ch).pool);
	ASSERT_EQ(0, peer_of(ch, SLUICE_PUBLISHER, 0, &peer));
	EXPECT_EQ(10, peer.head);
	EXPECT_EQ(SLUICE_ACTIVE, peer.state);
	ASSERT_EQ(0, peer_of(s.fd, SLUICE_SUBSCRIBER, 0, &peer));
	EXPECT_EQ(2, peer.head);
	EXPECT_EQ(8, peer.lag);
	EXPECT_EQ(1, peer.held);
	EXPECT_EQ(0, peer.lost);
	EXPECT_EQ(SLUICE_DROP_OLDEST, peer.policy);
	EXPECT_EQ(0, strcmp("patterns", (char *)peer.comm) *
		     strcmp("compat32_patter", (char *)peer.comm));
	EXPECT_GE(now_ns(), peer.joined);
	for (i = 10; i < 60; i++)
		ASSERT_TRUE(put(&p, i));
	while (get(&s) >= 0)
		;
	ASSERT_EQ(0, peer_of(ch, SLUICE_SUBSCRIBER, 0, &peer));
	EXPECT_EQ(s.lost, peer.lost);
	EXPECT_EQ(60, peer.lost + peer.head);
	EXPECT_EQ(0, peer.lag);
}

/* Both ends in motion, in two processes, in little rings. */
TEST(stream_in_order)
{
	struct sluice_config cfg = config(SLUICE_BROADCAST, SLUICE_BLOCK);
	unsigned long n = scaled(20000, 2000), i;
	int ch = make_channel(NULL, &cfg);
	struct step ready = step_make();
	struct msg m;
	struct sub s;
	pid_t pid;

	ASSERT_LE(0, ch);
	pid = child();
	if (!pid) {
		struct pub p;

		step_hear(&ready);
		pub_join(&p, ch);
		for (i = 0; i < n; i++) {
			__u64 v = i;

			must(pub_send(&p, &v, sizeof(v), v, in_ms(60000)));
		}
		_exit(0);
	}
	sub_join(&s, ch);
	step_say(&ready);
	for (i = 0; i < n; i++) {
		ASSERT_EQ(1, sub_recv(&s, &m, in_ms(60000)));
		ASSERT_EQ(i, number(&m));
		sub_release(&s, &m);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-EPIPE, sub_recv(&s, &m, in_ms(60000)));
	EXPECT_EQ(0, s.lost);
}

TEST_HARNESS_MAIN
