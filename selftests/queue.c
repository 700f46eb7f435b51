// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: each message to exactly one subscriber, whatever becomes of those
 * who claim.
 */
#include "traffic.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/stat.h>

static struct sluice_config config(__u32 policy)
{
	struct sluice_config cfg = {
		.pattern = SLUICE_QUEUE, .policy = policy,
		.slots = 16, .held = 4, .pool = 1 << 16,
	};

	return cfg;
}

static bool put(struct pub *p, __u64 n)
{
	return !pub_send(p, &n, sizeof(n), n, in_ms(0));
}

static __u64 done(const struct pub *p)
{
	return load_acquire(&table_at(&p->table, SLUICE_PUBLISHER, p->j.index)->done);
}

FIXTURE(queue) {
	int ch;
	struct pub p;
	struct sub a, b;
};

FIXTURE_SETUP(queue)
{
	struct sluice_config cfg = config(SLUICE_BLOCK);

	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	pub_join(&self->p, self->ch);
	sub_join_full(&self->a, self->ch, SLUICE_JOIN_STAY, 0);
	sub_join_full(&self->b, self->ch, SLUICE_JOIN_STAY, 0);
}

FIXTURE_TEARDOWN(queue)
{
	if (self->a.fd >= 0)
		sub_close(&self->a);
	sub_close(&self->b);
	if (self->p.fd >= 0)
		pub_close(&self->p);
	close(self->ch);
}

TEST_F(queue, one_each)
{
	struct msg a, b, none;

	ASSERT_TRUE(put(&self->p, 0));
	ASSERT_TRUE(put(&self->p, 1));
	ASSERT_EQ(1, sub_try(&self->a, &a));
	ASSERT_EQ(1, sub_try(&self->b, &b));
	EXPECT_EQ(0, number(&a));
	EXPECT_EQ(1, number(&b));
	EXPECT_EQ(0, a.claim_flags | b.claim_flags);
	EXPECT_EQ(0, sub_try(&self->a, &none));
	EXPECT_EQ(0, sub_try(&self->b, &none));
}

/* Room comes back with acknowledgements, in order of position. */
TEST_F(queue, acknowledged_is_reclaimed)
{
	struct msg m[4];
	int i;

	for (i = 0; i < 16; i++)
		ASSERT_TRUE(put(&self->p, i));
	EXPECT_FALSE(put(&self->p, 16));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, sub_try(&self->a, &m[i]));
	EXPECT_FALSE(put(&self->p, 16)) TH_LOG("over a claimed message");
	sub_release(&self->a, &m[1]);
	EXPECT_FALSE(put(&self->p, 16)) TH_LOG("the oldest is still held");
	EXPECT_EQ(0, done(&self->p));
	sub_release(&self->a, &m[0]);
	EXPECT_TRUE(put(&self->p, 16));
	EXPECT_EQ(2, done(&self->p));
	EXPECT_TRUE(put(&self->p, 17));
	EXPECT_FALSE(put(&self->p, 18));
}

TEST_F(queue, holds_all_it_may)
{
	struct msg m[5];
	int i;

	for (i = 0; i < 6; i++)
		ASSERT_TRUE(put(&self->p, i));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(1, sub_try(&self->a, &m[i]));
	EXPECT_EQ(-ENOBUFS, sub_try(&self->a, &m[4]));
	sub_release(&self->a, &m[2]);
	ASSERT_EQ(1, sub_try(&self->a, &m[4]));
	EXPECT_EQ(4, number(&m[4]));
	EXPECT_EQ(m[2].pin, m[4].pin);
	EXPECT_NE(m[2].tag, m[4].tag);
}

TEST_F(queue, claims_in_batches)
{
	struct sluice_claim c[9] = { };
	struct sluice_claims cs = { .claims = (uintptr_t)c, .count = 9 };
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(put(&self->p, i));
	ASSERT_EQ(0, call(self->a.fd, SLUICE_IOC_CLAIM, &cs));
	ASSERT_EQ(3, cs.count);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i, c[i].position);
		EXPECT_EQ(self->p.j.generation, c[i].generation);
		EXPECT_EQ(self->p.j.index, c[i].lane);
		EXPECT_EQ(0, c[i].flags | c[i].resv);
		store_release(&self->a.pins[c[i].pin], c[i].tag);	/* R3 */
	}
	ASSERT_TRUE(put(&self->p, 3));
	cs.count = 9;
	ASSERT_EQ(0, call(self->a.fd, SLUICE_IOC_CLAIM, &cs));
	ASSERT_EQ(1, cs.count);
	EXPECT_EQ(3, c[0].position);
	EXPECT_EQ(3, done(&self->p)) TH_LOG("CLAIM reads the pins first");
}

/* A rejected message goes to another, first of all. */
TEST_F(queue, rejected_goes_to_another)
{
	struct msg m, again;

	ASSERT_TRUE(put(&self->p, 0));
	ASSERT_TRUE(put(&self->p, 1));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	sub_release_how(&self->a, &m, SLUICE_ACK_REJECT);
	ASSERT_EQ(1, sub_try(&self->a, &again))
		TH_LOG("a claim takes notice of the rejection");
	ASSERT_EQ(1, sub_try(&self->b, &m));
	EXPECT_EQ(1, number(&again) + number(&m));
	EXPECT_EQ(SLUICE_CLAIM_REDELIVERED, again.claim_flags | m.claim_flags);
	EXPECT_EQ(SLUICE_CLAIM_REDELIVERED,
		  number(&m) ? again.claim_flags : m.claim_flags);
}

/* A sleeper is woken for what another rejected. */
TEST_F(queue, rejected_wakes)
{
	struct sluice_claim c;
	struct sluice_claims cs = { .claims = (uintptr_t)&c, .count = 1 };
	struct msg m;
	pid_t pid;

	ASSERT_TRUE(put(&self->p, 7));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	pid = child();
	if (!pid) {
		struct sub s;

		sub_join_full(&s, self->ch, SLUICE_JOIN_STAY, 0);
		check(sub_recv(&s, &m, in_ms(20000)) == 1);
		check(number(&m) == 7);
		check(m.claim_flags == SLUICE_CLAIM_REDELIVERED);
		_exit(0);
	}
	ASSERT_TRUE(until(sleeps(pid)));
	sub_release_how(&self->a, &m, SLUICE_ACK_REJECT);
	/* Take notice; the subscriber asleep may be quicker than this claim. */
	if (!call(self->a.fd, SLUICE_IOC_CLAIM, &cs))
		store_release(&self->a.pins[c.pin], c.tag | SLUICE_ACK_REJECT);
	call(self->a.fd, SLUICE_IOC_WAKE, &(struct sluice_wake){ });
	EXPECT_EQ(0, reap(pid));
}

/* Claimed, not acknowledged, and dead: to another, marked, in order. */
TEST_F(queue, death_redelivers)
{
	struct step ready = step_make();
	struct msg m;
	pid_t pid;
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_TRUE(put(&self->p, i));
	pid = child();
	if (!pid) {
		struct msg m[4];
		struct sub s;

		sub_join(&s, self->ch);
		for (i = 0; i < 4; i++)
			check(sub_try(&s, &m[i]) == 1);
		sub_release(&s, &m[1]);
		step_say(&ready);
		pause();
	}
	step_hear(&ready);
	ASSERT_EQ(1, sub_try(&self->a, &m));
	EXPECT_EQ(4, number(&m)) TH_LOG("the others are claimed");
	sub_release(&self->a, &m);
	EXPECT_EQ(0, sub_try(&self->a, &m));
	kill_and_reap(pid);
	for (i = 0; i < 4; i++) {
		if (i == 1)
			continue;	/* acknowledged before the death */
		ASSERT_EQ(1, sub_recv(&self->b, &m, in_ms(9000)));
		EXPECT_EQ(i, number(&m));
		EXPECT_EQ(SLUICE_CLAIM_REDELIVERED, m.claim_flags);
		sub_release(&self->b, &m);
	}
	EXPECT_EQ(0, sub_try(&self->b, &m));
	/* ARM reads the pins: all is acknowledged. */
	must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
	EXPECT_EQ(5, done(&self->p));
}

/* What another will get again is its memory's last reference. */
TEST_F(queue, redelivered_after_publisher_left)
{
	struct msg m;

	ASSERT_TRUE(put(&self->p, 9));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	pub_close(&self->p);
	EXPECT_EQ(1, stat_of(self->ch).left);
	sub_close(&self->a);
	ASSERT_EQ(1, sub_try(&self->b, &m));
	EXPECT_EQ(9, number(&m));
	EXPECT_EQ(SLUICE_CLAIM_REDELIVERED, m.claim_flags);
	sub_release(&self->b, &m);
	EXPECT_EQ(0, sub_try(&self->b, &m));
	EXPECT_EQ(0, stat_of(self->ch).left);
}

/* Without a descriptor, but with its ring still mapped, one publishes no more. */
/* Nobody is left, but what another has claimed may come back. */
TEST_F(queue, waits_for_what_others_have)
{
	struct sub c;
	struct msg m, back;

	sub_join(&c, self->ch);
	ASSERT_TRUE(put(&self->p, 7));
	ASSERT_TRUE(put(&self->p, 8));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	ASSERT_EQ(1, sub_try(&self->b, &back));
	pub_close(&self->p);
	sub_look(&c);
	EXPECT_EQ(-ETIMEDOUT, wait_until(c.fd, in_ms(50), 0));
	EXPECT_EQ(0, events_of(c.fd, POLLIN));
	sub_release(&self->b, &back);
	sub_close(&self->a);
	EXPECT_EQ(0, wait_until(c.fd, in_ms(9000), 0));
	sub_look(&c);
	ASSERT_EQ(1, sub_try(&c, &m));
	EXPECT_EQ(7, number(&m));
	/* Nobody but itself has any. */
	EXPECT_EQ(-EPIPE, wait_until(c.fd, in_ms(9000), 0));
	EXPECT_TRUE(events_of(c.fd, POLLIN) & POLLHUP);
	sub_release(&c, &m);
	sub_look(&c);
	EXPECT_EQ(-EPIPE, wait_until(c.fd, in_ms(9000), 0));
	EXPECT_EQ(0, stat_of(self->ch).left);
	sub_close(&c);
}

/* Until the end, as WAIT tells it. */
static void *wait_for_the_end(void *arg)
{
	struct sub *s = arg;
	long ret;

	do {
		ret = wait_until(s->fd, in_ms(9000), 0);
		sub_look(s);
	} while (!ret);
	return (void *)ret;
}

/* The last acknowledgement of another wakes who can only wait for that. */
TEST_F(queue, last_acknowledgement_wakes)
{
	pthread_t thread;
	struct msg m;
	struct sub c;
	void *ret;

	sub_join(&c, self->ch);
	ASSERT_TRUE(put(&self->p, 7));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	pub_close(&self->p);
	sub_look(&c);
	check(!pthread_create(&thread, NULL, wait_for_the_end, &c));
	sleep_us(50000);
	sub_release(&self->a, &m);
	check(!pthread_join(thread, &ret));
	EXPECT_EQ(-EPIPE, (long)ret);
	sub_close(&c);
}

/* Those who are woken and claim nothing keep nobody's message. */
#define LAZY	16

static int threads_of(pid_t pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	must(stat(path, &st));
	return st.st_nlink - 2;
}

static void *wait_and_claim_nothing(void *arg)
{
	int fd = *(int *)arg;

	while (!wait_until(fd, in_ms(9000), 0))
		sleep_us(9000000);
	return NULL;
}

static void *wait_and_claim(void *arg)
{
	struct sub *s = arg;
	struct msg m;
	long ret = wait_until(s->fd, in_ms(9000), 0);

	return (void *)(ret ?: sub_try(s, &m));
}

TEST_F(queue, woken_and_claims_nothing)
{
	pthread_t lazy[LAZY], honest;
	__s64 start;
	void *ret;
	pid_t pid;
	int i;

	sub_look(&self->a);
	sub_look(&self->b);
	pid = child();
	if (!pid) {
		for (i = 0; i < LAZY; i++)
			check(!pthread_create(&lazy[i], NULL,
					      wait_and_claim_nothing, &self->a.fd));
		pause();
	}
	EXPECT_TRUE(until(threads_of(pid) == LAZY + 1));
	sleep_us(200000);
	check(!pthread_create(&honest, NULL, wait_and_claim, &self->b));
	sleep_us(200000);
	for (i = 0; i < LAZY; i++)
		ASSERT_TRUE(put(&self->p, i));
	EXPECT_FALSE(put(&self->p, i));
	must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
	start = now_ns();
	check(!pthread_join(honest, &ret));
	EXPECT_EQ(1, (long)ret);
	EXPECT_GT(5 * NSEC_PER_SEC, now_ns() - start) TH_LOG("its deadline woke it");
	kill_and_reap(pid);
}

TEST_F(queue, mapping_publishes_nothing)
{
	unsigned int received = 0;
	struct msg m;
	__u64 i;

	ASSERT_TRUE(put(&self->p, 7));
	must(close(self->p.fd));
	self->p.fd = -1;
	for (i = 1; i < 100; i++) {
		*pub_slot(&self->p, i) = *pub_slot(&self->p, 0);
		store_release(&pub_slot(&self->p, i)->seq, SLUICE_SEQ(i));
		if (sub_try(&self->a, &m) == 1) {
			sub_release(&self->a, &m);
			received++;
		}
	}
	EXPECT_EQ(self->p.j.lane.slots, received);
	EXPECT_EQ(0, stat_of(self->ch).left);
	EXPECT_EQ(0, sub_try(&self->a, &m));
}

/* Tags that were never given out acknowledge nothing. */
TEST_F(queue, forged_tags)
{
	struct msg m;
	__u64 seed = 3;
	int i, k;

	ASSERT_TRUE(put(&self->p, 1));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	for (i = 0; i < 200; i++) {
		for (k = 0; k < self->b.j.cursor.pins; k++)
			store_release(&self->b.pins[k], i ? random_next(&seed) : m.tag);
		for (k = 0; k < self->a.j.cursor.pins; k++)
			if (k != m.pin)
				store_release(&self->a.pins[k], m.tag);
		store_release(&self->a.pins[m.pin], m.tag + 1 + i);
		must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
		ASSERT_EQ(0, done(&self->p)) TH_LOG("round %d", i);
	}
	store_release(&self->a.pins[m.pin], m.tag);
	must(call(self->p.fd, SLUICE_IOC_ARM, NULL));
	EXPECT_EQ(1, done(&self->p));
}

/* Drop: the oldest, and only what nobody has claimed. */
TEST(drop_takes_the_oldest)
{
	struct sluice_config cfg = config(SLUICE_DROP_OLDEST);
	int ch = make_channel(NULL, &cfg), i;
	struct sluice_drop d = { .count = 2 };
	struct pub p;
	struct sub s;
	struct msg m;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&s, ch);
	for (i = 0; i < 6; i++)
		ASSERT_TRUE(put(&p, i));
	ASSERT_EQ(1, sub_try(&s, &m));
	EXPECT_EQ(0, number(&m));
	ASSERT_EQ(0, call(p.fd, SLUICE_IOC_DROP, &d));
	EXPECT_EQ(0, d.count) TH_LOG("0 is claimed: no room is to be had");
	sub_release(&s, &m);
	must(call(p.fd, SLUICE_IOC_ARM, NULL));
	d.count = 2;
	ASSERT_EQ(0, call(p.fd, SLUICE_IOC_DROP, &d));
	EXPECT_EQ(2, d.count);
	EXPECT_EQ(3, done(&p));
	ASSERT_EQ(1, sub_try(&s, &m));
	EXPECT_EQ(3, number(&m)) TH_LOG("1 and 2 are dropped");
	sub_close(&s);
	d.count = 99;
	ASSERT_EQ(0, call(p.fd, SLUICE_IOC_DROP, &d));
	EXPECT_EQ(3, d.count) TH_LOG("what came back from a claim, too");
	EXPECT_EQ(6, done(&p));
}

/* A publisher that drops is never in want of room. */
TEST(drop_never_waits)
{
	struct sluice_config cfg = config(SLUICE_DROP_OLDEST);
	int ch = make_channel(NULL, &cfg), i;
	struct pub p;
	struct sub s;
	struct msg m;
	__u64 last = 0;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&s, ch);
	for (i = 1; i <= 200; i++)
		ASSERT_TRUE(put(&p, i));
	while (sub_try(&s, &m) == 1) {
		EXPECT_LT(last, number(&m));
		last = number(&m);
		sub_release(&s, &m);
	}
	EXPECT_EQ(200, last);
}

static int evict_claimant(struct pub *p)
{
	struct sluice_evict e = { .index = SLUICE_EVICT_CLAIMANT };

	return call(p->fd, SLUICE_IOC_EVICT, &e);
}

/* Who sits on the oldest message can be evicted; it goes to another. */
TEST(evict_the_claimant)
{
	struct sluice_config cfg = config(SLUICE_EVICT);
	struct sluice_peer peer;
	int ch = make_channel(NULL, &cfg);
	struct sub a, b;
	struct pub p;
	struct msg m, n;

	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	sub_join(&a, ch);
	sub_join(&b, ch);
	EXPECT_EQ(-ENOENT, evict_claimant(&p));
	ASSERT_TRUE(put(&p, 0));
	ASSERT_TRUE(put(&p, 1));
	EXPECT_EQ(-ENOENT, evict_claimant(&p)) TH_LOG("nobody has claimed it");
	ASSERT_EQ(1, sub_try(&a, &m));
	ASSERT_EQ(1, sub_try(&b, &n));
	EXPECT_EQ(0, evict_claimant(&p));
	EXPECT_EQ(-ECONNABORTED, wait_until(a.fd, 0, 0));
	ASSERT_EQ(0, peer_of(ch, SLUICE_SUBSCRIBER, a.j.index, &peer));
	EXPECT_EQ(SLUICE_EVICTED, peer.state);
	EXPECT_EQ(SLUICE_LEFT_EVICTED, peer.reason);
	EXPECT_EQ(1, stat_of(ch).subscribers) TH_LOG("the other stays");
	ASSERT_EQ(1, sub_try(&b, &m));
	EXPECT_EQ(0, number(&m));
	EXPECT_EQ(SLUICE_CLAIM_REDELIVERED, m.claim_flags);
	/* Acknowledged, though the kernel has not looked yet: not its turn. */
	sub_release(&b, &m);
	sub_release(&b, &n);
	EXPECT_EQ(-ENOENT, evict_claimant(&p));
	EXPECT_EQ(2, done(&p));
}

/* Does the place of who had the message before say that he is evicted? */
static void claim_and_look(int ch, const __u32 *owner, struct step *go,
			   struct step *done)
{
	struct sluice_member m;
	struct msg got;
	struct sub s;

	sub_join(&s, ch);
	for (;;) {
		step_hear(go);
		while (sub_try(&s, &got) != 1)
			;
		do {
			m = table_read(&s.table, SLUICE_SUBSCRIBER, load(owner));
		} while (!m.generation);
		check(m.state == SLUICE_EVICTED);
		sub_release(&s, &got);
		step_say(done);
	}
}

/*
 * Who is evicted may read what another has acknowledged, and a publisher written
 * again: his place says so before anybody can have his claims.
 */
TEST(evicted_before_claims_go)
{
	struct sluice_config cfg = config(SLUICE_EVICT);
	struct step go = step_make(), done = step_make();
	unsigned long rounds = scaled(200, 30);
	__u32 *owner = shared(sizeof(*owner));
	struct pub p;
	pid_t child;
	int ch, i;

	/* Many, as each is looked at after the claims have gone. */
	cfg.publishers = 500;
	ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, ch);
	pub_join(&p, ch);
	for (i = 1; i < 500; i++)
		ASSERT_LE(0, join_role(ch, SLUICE_PUBLISHER));
	child = child();
	if (!child)
		claim_and_look(ch, owner, &go, &done);
	while (rounds--) {
		struct sub a;
		struct msg m;

		sub_join(&a, ch);
		ASSERT_TRUE(put(&p, rounds));
		ASSERT_EQ(1, sub_try(&a, &m));
		store(owner, a.j.index);
		step_say(&go);
		sleep_us(500);
		ASSERT_EQ(0, evict_claimant(&p));
		step_hear(&done);
		sub_close(&a);
	}
	kill_and_reap(child);
}

TEST_F(queue, evict_needs_its_policy)
{
	struct msg m;

	ASSERT_TRUE(put(&self->p, 0));
	ASSERT_EQ(1, sub_try(&self->a, &m));
	EXPECT_EQ(-EPERM, evict_claimant(&self->p));
	EXPECT_EQ(2, stat_of(self->ch).subscribers);
}

static void poll_for_one(int ch, struct step *ready, struct step *done)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = must(epoll_create1(EPOLL_CLOEXEC));
	struct sub s;
	struct msg m;

	sub_join(&s, ch);
	must(epoll_ctl(epoll, EPOLL_CTL_ADD, s.fd, &event));
	step_say(ready);
	do {
		check(epoll_wait(epoll, &event, 1, -1) == 1);
	} while (sub_try(&s, &m) != 1);
	step_say(done);
	pause();
}

/*
 * Two messages before whoever was woken for the first has looked. He is busy with
 * it from then on, so the other one has to be woken.
 */
TEST(exclusive_pollers)
{
	const struct sched_param now = { .sched_priority = 1 };
	struct sluice_config cfg = config(SLUICE_BLOCK);
	struct step done = step_make();
	int ch = make_channel(NULL, &cfg), i;
	pid_t pids[2];
	cpu_set_t one;
	struct pub p;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	pub_join(&p, ch);
	for (i = 0; i < 2; i++) {
		struct step ready = step_make();

		pids[i] = child();
		if (!pids[i])
			poll_for_one(ch, &ready, &done);
		step_hear(&ready);
		while (!sleeps(pids[i]))
			sleep_us(1000);
	}
	if (sched_setscheduler(0, SCHED_FIFO, &now))
		SKIP(return, "needs the right to go first");
	ASSERT_TRUE(put(&p, 0));
	ASSERT_TRUE(put(&p, 1));
	for (i = 0; i < 2; i++)
		step_hear(&done);
	for (i = 0; i < 2; i++)
		kill_and_reap(pids[i]);
}

/*
 * A publisher who is done writes one more message in the moment in which he loses
 * his place. What is acknowledged of that is nobody else's, who has it next.
 */
static struct {
	__u64 *seq;
	int subscriber;
	struct sluice_claim claim;
	unsigned int delay;
	__u32 go, over;
	bool claimed;
} late;

static void *publish_late(void *unused)
{
	struct sluice_claims cs = {
		.claims = (uintptr_t)&late.claim, .count = 1,
	};
	volatile unsigned int i;

	for (;;) {
		while (!load(&late.go))
			if (load(&late.over))
				return unused;
		for (i = 0; i < late.delay; i++)
			;
		store_release(late.seq, SLUICE_SEQ(0));
		late.claimed = !call(late.subscriber, SLUICE_IOC_CLAIM, &cs);
		store_release(&late.go, 0);
	}
}

/* Return: the place of the publisher, who is gone. */
static __u32 leave_late(int ch)
{
	struct sluice_join j;
	int fd = must(join_full(ch, SLUICE_PUBLISHER, 0, 0, &j));
	unsigned char *ring = map_area(fd, j.lane.offset, j.lane.size,
				       PROT_READ | PROT_WRITE);

	late.seq = &((struct sluice_slot *)(ring + j.lane.slots_offset))->seq;
	store_release(&late.go, 1);
	must(close(fd));
	while (load_acquire(&late.go))
		;
	unmap(ring, j.lane.size);
	return j.index;
}

TEST(claimed_when_the_place_is_lost)
{
	struct sluice_config cfg = config(SLUICE_BLOCK);
	unsigned long rounds = scaled(1000, 100), lost = 0, i;
	const struct sluice_member *entry;
	__u64 seed = seeded(40);
	pthread_t thread;
	struct msg none;
	struct sub s;
	int ch, next;
	__u32 place;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two processors");
	cfg.subscribers = 1024;
	ch = must(make_channel(NULL, &cfg));
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	late.subscriber = s.fd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, publish_late, NULL));
	for (i = 0; i < rounds; i++) {
		place = leave_late(ch);
		/* Too early, or too late: the right moment is in between. */
		if (!late.claimed) {
			late.delay -= late.delay ? random_next(&seed) % late.delay / 8 : 0;
			continue;
		}
		late.delay += random_next(&seed) % (late.delay / 8 + 16);
		entry = table_at(&s.table, SLUICE_PUBLISHER, place);
		next = -1;
		if (load(&entry->state) == SLUICE_FREE) {
			next = must(join_role(ch, SLUICE_PUBLISHER));
			lost++;
		}
		store_release(&s.pins[late.claim.pin], late.claim.tag);
		ASSERT_EQ(0, sub_try(&s, &none));
		if (next < 0)
			continue;
		ASSERT_EQ(0, load(&entry->done)) TH_LOG("round %lu", i);
		close(next);
	}
	figure(lost, "messages claimed of one who lost his place meanwhile");
	store_release(&late.over, 1);
	pthread_join(thread, NULL);
	sub_close(&s);
	close(ch);
}

/* One byte for each message of each publisher counts its deliveries. */
#define PUBS	3
#define SUBS	4

static unsigned char *tally_at(unsigned char *t, unsigned long per, __u64 n)
{
	return t + (n >> 32) * per + (n & 0xffffffff);
}

static void consume(int ch, unsigned char *tally, unsigned long per,
		    unsigned long *total, bool careless)
{
	struct msg m;
	struct sub s;
	__u64 seed = getpid(), n;

	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	for (;;) {
		must(sub_recv(&s, &m, in_ms(120000)));
		memcpy(&n, m.data, sizeof(n));
		check((n >> 32) < PUBS && (n & 0xffffffff) < per);
		if (careless && random_next(&seed) % 64 == 0)
			raise(SIGKILL);	/* with m, and perhaps others */
		if (random_next(&seed) % 32 == 0) {
			sub_release_how(&s, &m, SLUICE_ACK_REJECT);
			continue;
		}
		/* Counted before it is acknowledged, and nothing in between. */
		__atomic_add_fetch(tally_at(tally, per, n), 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(total, 1, __ATOMIC_SEQ_CST);
		sub_release(&s, &m);
	}
}

static void produce(int ch, __u64 who, unsigned long per)
{
	unsigned long i;
	struct pub p;

	pub_join(&p, ch);
	for (i = 0; i < per; i++) {
		__u64 n = who << 32 | i;

		must(pub_send(&p, &n, sizeof(n), 0, in_ms(120000)));
	}
	pub_close(&p);
}

/*
 * Publishers, consumers that reject at random, and consumers that die at random
 * with messages claimed: nothing is lost, nothing delivered twice. (Those that
 * die do so before they count.)
 */
TEST(exactly_once)
{
	struct sluice_config cfg = config(SLUICE_BLOCK);
	unsigned long per = scaled(4000, 300), *total = shared(4096), deaths = 0;
	unsigned char *tally = shared(PUBS * per);
	pid_t pub[PUBS], sub[SUBS];
	int ch = make_channel(NULL, &cfg), i, status;
	__s64 end = in_ms(250000);

	ASSERT_LE(0, ch);
	for (i = 0; i < SUBS; i++) {
		sub[i] = child();
		if (!sub[i])
			consume(ch, tally, per, total, i & 1);
	}
	for (i = 0; i < PUBS; i++) {
		pub[i] = child();
		if (!pub[i]) {
			produce(ch, i, per);
			_exit(0);
		}
	}
	while (load(total) < PUBS * per && now_ns() < end) {
		for (i = 0; i < SUBS; i++) {
			if (waitpid(sub[i], &status, WNOHANG) != sub[i])
				continue;
			ASSERT_TRUE(WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL);
			deaths++;
			sub[i] = child();
			if (!sub[i])
				consume(ch, tally, per, total, true);
		}
		sleep_us(500);
	}
	EXPECT_EQ(PUBS * per, load(total));
	for (i = 0; i < PUBS; i++)
		EXPECT_EQ(0, reap(pub[i]));
	sleep_us(20000);	/* would anything come twice? */
	EXPECT_EQ(PUBS * per, load(total));
	for (i = 0; i < PUBS * per; i++)
		ASSERT_EQ(1, tally[i]) TH_LOG("message %d", i);
	figure(PUBS * per, "queued messages, each once");
	figure(deaths, "processes killed");
	EXPECT_LT(0, deaths) TH_LOG("nobody died: nothing was tried");
	for (i = 0; i < SUBS; i++)
		kill_and_reap(sub[i]);
	EXPECT_TRUE(until(stat_of(ch).left == 0));
	EXPECT_EQ(0, stat_of(ch).pool);
}

TEST_HARNESS_MAIN
