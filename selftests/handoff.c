// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hunt for lost wake-ups: messages handed from process to process with
 * random pauses on both sides, in rings so small that publishers wait for room
 * as often as subscribers wait for messages, and every way of waiting.
 *
 * Whoever waits longer than PATIENCE_MS for something that the other side did
 * long ago has lost a wake-up. The variants together make 16,000 hand-offs;
 * SLUICE_SCALE=0.016 makes a million.
 *
 * timeout: 300
 */
#include "traffic.h"

#include <sys/epoll.h>

enum how { BY_WAIT, BY_POLL, BY_EPOLL_EDGE };

FIXTURE(handoff) {
	int ch;
	unsigned long *progress;
};

FIXTURE_VARIANT(handoff) {
	__u32 pattern, policy, slots;
	int pubs, subs;
	enum how how;
	unsigned long count;
};

#define VARIANT(name, ...)	FIXTURE_VARIANT_ADD(handoff, name) { __VA_ARGS__ }

VARIANT(wait, SLUICE_BROADCAST, SLUICE_BLOCK, 2, 1, 1, BY_WAIT, 4800);
VARIANT(wait_tiny, SLUICE_BROADCAST, SLUICE_BLOCK, 1, 1, 1, BY_WAIT, 1600);
VARIANT(wait_many, SLUICE_BROADCAST, SLUICE_BLOCK, 2, 2, 3, BY_WAIT, 1600);
VARIANT(poll, SLUICE_BROADCAST, SLUICE_BLOCK, 2, 1, 1, BY_POLL, 1600);
VARIANT(epoll_edge, SLUICE_BROADCAST, SLUICE_BLOCK, 2, 1, 1, BY_EPOLL_EDGE, 1600);
VARIANT(queue, SLUICE_QUEUE, SLUICE_BLOCK, 2, 1, 1, BY_WAIT, 1600);
VARIANT(queue_many, SLUICE_QUEUE, SLUICE_BLOCK, 4, 2, 3, BY_WAIT, 1600);
VARIANT(queue_epoll_edge, SLUICE_QUEUE, SLUICE_BLOCK, 2, 2, 2, BY_EPOLL_EDGE, 1600);

FIXTURE_SETUP(handoff)
{
	struct sluice_config cfg = {
		.pattern = variant->pattern, .policy = variant->policy,
		.slots = variant->slots, .pool = 1 << 14,
	};

	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	self->progress = shared(4096);
}

FIXTURE_TEARDOWN(handoff)
{
	close(self->ch);
}

/* Mostly nothing, often a little, sometimes long enough for a deep sleep. */
static void pause_randomly(__u64 *seed)
{
	__u64 r = random_next(seed);
	volatile unsigned int spin;

	switch (r >> 60) {
	case 0:
		sched_yield();
		break;
	case 1:
		if (!(r >> 54 & 63))
			sleep_us(r % 300);
		break;
	case 2 ... 8:
		spin = r % 2000;
		while (spin)
			spin--;
		break;
	}
}

struct waiter {
	enum how how;
	int fd;
	int epoll;
	short events;
};

static void waiter_init(struct waiter *w, enum how how, int fd, short events)
{
	struct epoll_event ev = { .events = events | EPOLLET };

	*w = (struct waiter){ how, fd, -1, events };
	if (how != BY_EPOLL_EDGE)
		return;
	w->epoll = must(epoll_create1(EPOLL_CLOEXEC));
	must(epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev));
}

/* One wait, of PATIENCE_MS at most. 0 if woken, or a negative error. */
static int waiter_wait(struct waiter *w, __u64 room)
{
	struct epoll_event ev;

	switch (w->how) {
	case BY_POLL:
		return events_within(w->fd, w->events, PATIENCE_MS) ? 0 :
								      -ETIMEDOUT;
	case BY_EPOLL_EDGE:
		return must(epoll_wait(w->epoll, &ev, 1, PATIENCE_MS)) ? 0 :
									 -ETIMEDOUT;
	default:
		return wait_until(w->fd, in_ms(PATIENCE_MS), room);
	}
}

static void publish(struct pub *p, struct waiter *w, __u64 n)
{
	const struct sluice_member *me =
		table_at(&p->table, SLUICE_PUBLISHER, p->j.index);
	__u64 room;

	while (!pub_try(p, &n, sizeof(n), 0)) {
		room = load_acquire(&me->room);
		if (load(&me->armed))
			full_fence();				/* F7 */
		else
			must(call(p->fd, SLUICE_IOC_ARM, NULL));
		if (pub_room(p))
			continue;
		store(&p->lane->room_seen, room);
		if (waiter_wait(w, room) == -ETIMEDOUT)
			fail("publisher waited in vain; room now: %d",
			     pub_room(p));
	}
	store(&p->lane->room_seen, 0);
}

static void publisher(int ch, enum how how, unsigned long count, __u64 seed)
{
	struct waiter w;
	struct pub p;
	__u64 i;

	pub_join(&p, ch);
	waiter_init(&w, how, p.fd, POLLOUT);
	for (i = 0; i < count; i++) {
		pause_randomly(&seed);
		publish(&p, &w, i);
	}
	_exit(0);
}

static void subscriber(int ch, enum how how, struct step *ready,
		       unsigned long *received, __u64 seed)
{
	struct waiter w;
	struct sub s;
	struct msg m;

	sub_join(&s, ch);
	waiter_init(&w, how, s.fd, POLLIN | POLLPRI | POLLHUP);
	step_say(ready);
	for (;;) {
		int ret = sub_try(&s, &m);

		if (ret > 0) {
			pause_randomly(&seed);
			sub_release(&s, &m);
			__atomic_add_fetch(received, 1, __ATOMIC_RELAXED);
			continue;
		}
		must(ret);
		if (how != BY_WAIT && events_of(s.fd, POLLIN | POLLPRI) == POLLHUP)
			_exit(0);
		ret = waiter_wait(&w, 0);
		if (ret == -EPIPE)
			_exit(0);
		if (ret == -ETIMEDOUT)
			fail("subscriber waited in vain; a message now: %d",
			     sub_try(&s, &m));
	}
}

TEST_F_TIMEOUT(handoff, nothing_is_lost, TEST_TIMEOUT_SCALED)
{
	unsigned long each = scaled(variant->count, 400) / variant->pubs;
	unsigned long want = each * variant->pubs, got = 0;
	int subs = variant->subs, pubs = variant->pubs, i;
	struct step ready = step_make();
	pid_t pid[8];
	int stays;

	for (i = 0; i < subs; i++) {
		pid[pubs + i] = child();
		if (!pid[pubs + i])
			subscriber(self->ch, variant->how, &ready,
				   &self->progress[i * 8], i + 1);
		step_hear(&ready);
	}
	/* So that nobody thinks all have left when the first one has. */
	stays = must(join_role(self->ch, SLUICE_PUBLISHER));
	for (i = 0; i < pubs; i++) {
		pid[i] = child();
		if (!pid[i])
			publisher(self->ch, variant->how, each, 100 + i);
	}
	for (i = 0; i < pubs + subs; i++) {
		EXPECT_EQ(0, reap_slowly(pid[i])) TH_LOG("process %d", i);
		if (i == pubs - 1)
			close(stays);
	}
	for (i = 0; i < subs; i++)
		got += self->progress[i * 8];
	if (variant->pattern == SLUICE_BROADCAST)
		want *= subs;
	EXPECT_EQ(want, got);
}

TEST_HARNESS_MAIN
