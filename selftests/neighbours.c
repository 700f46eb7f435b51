// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the innocent feel of hostile neighbours: how long a message there and
 * back, or a lock and its unlock, takes beside one that does nothing but count,
 * and beside one that misbehaves, by turns. The neighbour has a processor of its
 * own, so that time is not what it takes from them.
 *
 * SLUICE_MEASURE=n takes n samples in each turn, and judges them; else it is only
 * seen whether they go on, because figures from a machine that does other things,
 * too, say little.
 *
 * timeout: 300
 */
#include "lock.h"
#include "traffic.h"
#include "users.h"

#define TURNS		6	/* of each neighbour, one after the other */
#define BLOCK		64	/* far more in a pool than anyone may hold */
#define WORST		2.0	/* times as long as beside the harmless one */
#define INNOCENTS_CPU	0
#define NEIGHBOURS_CPU	1

/* Where the innocent ones are, or some place of the neighbour's own. */
struct place {
	int ch, space;
};

struct neighbour {
	struct place place;
	unsigned long *acts;
	__u64 seed;
};

static void did(struct neighbour *n)
{
	__atomic_add_fetch(n->acts, 1, __ATOMIC_RELAXED);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

/*
 * Neighbours.
 */
static void counts(struct neighbour *n)
{
	for (;;)
		did(n);
}

static void never_reads(struct neighbour *n)
{
	int i;

	for (i = 0; i < 8; i++)
		must(join_role(n->place.ch, SLUICE_SUBSCRIBER));
	counts(n);
}

static void never_releases(struct neighbour *n)
{
	struct sub s = { };
	struct msg m;

	sub_join(&s, n->place.ch);
	for (;;) {
		sub_try(&s, &m);
		did(n);
	}
}

static void joins_and_leaves(struct neighbour *n)
{
	for (;;) {
		must(close(must(join_role(n->place.ch, SLUICE_SUBSCRIBER))));
		did(n);
	}
}

static void scribbles(struct neighbour *n)
{
	struct sluice_join j;
	int fd = must(join_full(n->place.ch, SLUICE_SUBSCRIBER, 0, 0, &j));
	__u64 *cursor = map_area(fd, j.cursor.offset, j.cursor.size,
				 PROT_READ | PROT_WRITE);

	for (;;) {
		store(&cursor[random_next(&n->seed) % (j.cursor.size / 8)],
		      random_next(&n->seed) >> random_next(&n->seed) % 64);
		did(n);
	}
}

static void floods_wakeups(struct neighbour *n)
{
	int pub = must(join_role(n->place.ch, SLUICE_PUBLISHER));
	int sub = must(join_role(n->place.ch, SLUICE_SUBSCRIBER));

	for (;;) {
		wake(pub, 0, 1 << 20);
		wake(sub, 0, 0);
		did(n);
	}
}

static void floods_messages(struct neighbour *n)
{
	char bytes[256] = "";
	struct pub p;

	pub_join(&p, n->place.ch);
	for (;;) {
		must(pub_send(&p, bytes, sizeof(bytes), 0, in_ms(PATIENCE_MS)));
		did(n);
	}
}

/* One that is stopped wherever it is, and goes on, and is stopped. */
static void stops(struct neighbour *n)
{
	pid_t pid = child();

	if (!pid)
		joins_and_leaves(n);
	for (;;) {
		must(kill(pid, SIGSTOP));
		sleep_us(random_next(&n->seed) % 500);
		must(kill(pid, SIGCONT));
		sleep_us(random_next(&n->seed) % 500);
	}
}

static void exhausts_quota(struct neighbour *n)
{
	struct sluice_config cfg = { .slots = 16, .pool = 1 << 14 };
	struct rlimit lim = { 20000, 20000 };
	static int fd[20000];
	int i, k;

	must(setrlimit(RLIMIT_NOFILE, &lim));
	become(STRANGER, STRANGER, NULL, 0);
	for (;;) {
		for (i = 0; i < ARRAY(fd); i++) {
			fd[i] = make_channel(NULL, &cfg);
			if (fd[i] < 0)
				break;
			did(n);
		}
		for (k = 0; k < i; k++) {
			close(fd[k]);
			did(n);
		}
	}
}

static void floods_locks(struct neighbour *n)
{
	struct sluice_item item = whole(n->place.space, "other", SLUICE_EX);
	int h = must(make_holder(NULL));

	for (;;) {
		must(take(h, item));
		must(unlock_all(h));
		did(n);
	}
}

/* Many wait for one thing, give up, and wait again. */
static void queues_up(struct neighbour *n)
{
	struct sluice_item item = whole(n->place.space, "other", SLUICE_EX);
	int h[64], i;

	for (i = 0; i < ARRAY(h); i++)
		h[i] = must(make_holder(NULL));
	must(take(h[0], item));
	for (;;) {
		for (i = 1; i < ARRAY(h); i++)
			check(ask(h[i], item) == -EINPROGRESS);
		for (i = 1; i < ARRAY(h); i++) {
			must(cancel(h[i]));
			check(outcome(h[i]) == -ECANCELED);
			did(n);
		}
	}
}

/* What is asked for would close a ring, which is found each time. */
static void closes_rings(struct neighbour *n)
{
	struct crew c;

	crew_make(&c, 256, 1, 0);
	close(c.space[0]);
	c.space[0] = n->place.space;
	chain(&c, c.n - 1);
	for (;;) {
		check(lock_until(c.h[c.n - 1], (struct sluice_item []){
			own(&c, 0, SLUICE_EX) }, 1, 0, in_ms(PATIENCE_MS)) == -EDEADLK);
		did(n);
	}
}

static void takes_many_ranges(struct neighbour *n)
{
	int h = must(make_holder(NULL)), i;

	for (;;) {
		for (i = 0; i < 500; i++) {
			must(take(h, range(n->place.space, "other", SLUICE_EX,
					   2 * i, 2 * i)));
			did(n);
		}
		must(unlock_all(h));
	}
}

/*
 * The innocent ones.
 */
static void answer(struct place *place, int back)
{
	struct sub s = { };
	struct msg m;
	struct pub p;

	run_on(INNOCENTS_CPU);
	pub_join_blocks(&p, back, BLOCK);
	sub_join(&s, place->ch);
	for (;;) {
		must(sub_recv(&s, &m, SLUICE_NO_DEADLINE));
		must(pub_send(&p, m.data, m.length, 0, in_ms(PATIENCE_MS)));
		sub_release(&s, &m);
	}
}

FIXTURE(neighbours) {
	struct place innocent, away;
	int back;
	struct pub p;
	struct sub s;
	int h;
	pid_t other;
	unsigned long *acts;
};

FIXTURE_VARIANT(neighbours) {
	const char *name;
	void (*acts)(struct neighbour *n);
	bool locks, near;
};

#define VARIANT(name, ...) \
	FIXTURE_VARIANT_ADD(neighbours, name) { #name, __VA_ARGS__ }

VARIANT(never_reads_here, never_reads, false, true);
VARIANT(never_releases_here, never_releases, false, true);
VARIANT(scribbles_here, scribbles, false, true);
VARIANT(joins_and_leaves, joins_and_leaves, false, false);
VARIANT(joins_and_leaves_here, joins_and_leaves, false, true);
VARIANT(floods_wakeups, floods_wakeups, false, false);
VARIANT(floods_wakeups_here, floods_wakeups, false, true);
VARIANT(floods_messages, floods_messages, false, false);
VARIANT(stops, stops, false, false);
VARIANT(stops_here, stops, false, true);
VARIANT(exhausts_quota, exhausts_quota, false, false);
VARIANT(locks_beside_messages, floods_locks, false, false);
VARIANT(floods_locks, floods_locks, true, false);
VARIANT(floods_locks_here, floods_locks, true, true);
VARIANT(queues_up, queues_up, true, false);
VARIANT(queues_up_here, queues_up, true, true);
VARIANT(closes_rings, closes_rings, true, false);
VARIANT(closes_rings_here, closes_rings, true, true);
VARIANT(takes_many_ranges, takes_many_ranges, true, false);
VARIANT(takes_many_ranges_here, takes_many_ranges, true, true);
VARIANT(messages_beside_locks, joins_and_leaves, true, false);

FIXTURE_SETUP(neighbours)
{
	struct sluice_config cfg = {
		.policy = SLUICE_DROP_OLDEST, .slots = 16, .pool = 1 << 16,
		.subscribers = 32,
	};

	if (sysconf(_SC_NPROCESSORS_ONLN) <= NEIGHBOURS_CPU)
		SKIP(return, "the neighbour needs a processor of its own");
	run_on(INNOCENTS_CPU);
	self->innocent.ch = must(make_channel(NULL, &cfg));
	self->away.ch = must(make_channel(NULL, &cfg));
	self->back = must(make_channel(NULL, &cfg));
	self->innocent.space = must(make_lockspace(NULL, 0));
	self->away.space = must(make_lockspace(NULL, 0));
	self->h = must(make_holder(NULL));
	self->acts = shared(sizeof(*self->acts));
	self->other = child();
	if (!self->other)
		answer(&self->innocent, self->back);
	sub_join(&self->s, self->back);
	pub_join_blocks(&self->p, self->innocent.ch, BLOCK);
	ASSERT_TRUE(until(stat_of(self->innocent.ch).subscribers == 1));
}

FIXTURE_TEARDOWN(neighbours)
{
	if (self->other)
		kill_and_reap(self->other);
}

static void there_and_back(FIXTURE_DATA(neighbours) *self)
{
	struct msg m;

	must(pub_send(&self->p, "x", 1, 0, in_ms(PATIENCE_MS)));
	must(sub_recv(&self->s, &m, in_ms(PATIENCE_MS)));
	sub_release(&self->s, &m);
}

static void lock_and_unlock(FIXTURE_DATA(neighbours) *self)
{
	must(take(self->h, whole(self->innocent.space, "mine", SLUICE_EX)));
	must(unlock_all(self->h));
}

struct times {
	__s64 *ns;
	size_t n;
};

static int by_length(const void *a, const void *b)
{
	const __s64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static __s64 part(struct times *t, double part)
{
	qsort(t->ns, t->n, sizeof(*t->ns), by_length);
	return t->ns[(size_t)(part * (t->n - 1))];
}

static void measure(FIXTURE_DATA(neighbours) *self, bool locks, struct times *t,
		    size_t n)
{
	__s64 start;

	while (n--) {
		start = now_ns();
		if (locks)
			lock_and_unlock(self);
		else
			there_and_back(self);
		t->ns[t->n++] = now_ns() - start;
	}
}

/*
 * What is measured while the neighbour does nothing, because whatever emulates its
 * processor did not get to run, does not count.
 */
static void measure_together(FIXTURE_DATA(neighbours) *self, bool locks,
			     struct times *t, size_t each)
{
	size_t first, end = t->n + each, batch = locks ? 100 : 10;
	__s64 patience = in_ms(20 * PATIENCE_MS);
	unsigned long acted;

	while (t->n < end) {
		check(now_ns() < patience);
		acted = load(self->acts);
		first = t->n;
		measure(self, locks, t, batch < end - first ? batch : end - first);
		if (load(self->acts) == acted)
			t->n = first;
	}
}

/* A turn beside such a neighbour. Return: how often it acts in a second. */
static double beside(FIXTURE_DATA(neighbours) *self,
		     void (*acts)(struct neighbour *n), bool near,
		     bool locks, struct times *t, size_t each)
{
	struct neighbour n = {
		.place = near ? self->innocent : self->away,
		.acts = self->acts, .seed = seeded(t->n + 1),
	};
	unsigned long acted;
	double seconds;
	__s64 start;
	pid_t pid;

	*self->acts = 0;
	pid = child();
	if (!pid) {
		run_on(NEIGHBOURS_CPU);
		acts(&n);
	}
	check(until(load(self->acts) > 0));
	acted = load(self->acts);
	start = now_ns();
	measure_together(self, locks, t, each);
	acted = load(self->acts) - acted;
	seconds = (now_ns() - start) / 1e9;
	must(kill(pid, SIGKILL));
	check(reap_slowly(pid) == -SIGKILL);
	return acted / seconds;
}

static struct times times_make(size_t n)
{
	struct times t = { .ns = calloc(n, sizeof(*t.ns)) };

	check(t.ns);
	return t;
}

TEST_F(neighbours, innocents_go_on)
{
	long measured = environment_number("SLUICE_MEASURE");
	size_t each = measured > 0 ? measured : scaled(100, 20);
	struct times harmless = times_make(TURNS * each);
	struct times hostile = times_make(TURNS * each);
	double acts = 0, factor;
	int i;

	for (i = 0; i < TURNS; i++) {
		beside(self, counts, false, variant->locks, &harmless, each);
		acts += beside(self, variant->acts, variant->near,
			       variant->locks, &hostile, each);
	}
	factor = (double)part(&hostile, 0.5) / part(&harmless, 0.5);
	printf("# %s: median %.1f -> %.1f us, %.2f times; p99 %.0f -> %.0f us; %.0f acts/s\n",
	       variant->name, part(&harmless, 0.5) / 1e3,
	       part(&hostile, 0.5) / 1e3, factor, part(&harmless, 0.99) / 1e3,
	       part(&hostile, 0.99) / 1e3, acts / TURNS);
	if (measured > 0)
		EXPECT_LE(factor, WORST);
	free(harmless.ns);
	free(hostile.ns);
}

TEST_HARNESS_MAIN
