// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of SIGKILLs, and SIGSTOPs: publishers and subscribers killed at random
 * instants while they join, publish, receive, wait and claim, holders and waiters while
 * they ask, wait, have, repair and let go; those that are spared go on
 * undisturbed, and at the end objects, memory and descriptors are back where they
 * were.
 *
 * It makes 1,600 kills at a SLUICE_SCALE of 1, and ten times as many at 0.1.
 *
 * timeout: 300
 */
#include "lock.h"
#include "slab.h"
#include "traffic.h"

#define NAME		"storm"
#define WORKERS		6

/* What the machine has of us, as it can be seen from outside. */
struct usage {
	long areas, shmem_kb, files, module;
	struct slabs slabs;
};

static long count_lines(const char *path, const char *word)
{
	FILE *f = fopen(path, "re");
	char line[512];
	long n = 0;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		n += !!strstr(line, word);
	fclose(f);
	return n;
}

static long meminfo_kb(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kb = -1;

	check(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key), NULL, 10);
	fclose(f);
	return kb;
}

static void usage_read(struct usage *u)
{
	u->areas = count_lines("/proc/vmallocinfo", "sluice_");
	u->shmem_kb = meminfo_kb("Shmem:");
	u->files = read_number("/proc/sys/fs/file-nr", -1);
	u->module = read_number("/sys/module/sluice/refcnt", -1);
	slabs_read(&u->slabs);
}

/*
 * file-nr is a per-CPU counter: it is only exact within batches. Of kernel
 * objects, there are always some that come and go: what each death left behind
 * would be more.
 */
static bool back(const struct usage *before, const struct usage *now,
		 unsigned long kills, bool tell)
{
	const struct slab *grown = slabs_grown(&before->slabs, &now->slabs,
					       64 + kills / 10);

	if (tell)
		printf("# areas %ld -> %ld, shmem %ld -> %ld kB, files %ld -> %ld, module %ld -> %ld, %s\n",
		       before->areas, now->areas, before->shmem_kb,
		       now->shmem_kb, before->files, now->files,
		       before->module, now->module,
		       grown ? grown->name : "no kind of objects grown");
	return now->areas <= before->areas && now->module == before->module &&
		now->shmem_kb <= before->shmem_kb + 64 &&
		now->files <= before->files + 256 && !grown;
}

/* Whether all that the machine had is there again, soon after @kills. */
static bool usage_is_back(const struct usage *before, unsigned long kills)
{
	static struct usage now;
	bool ok;

	if (in_company())
		return true;
	ok = until((usage_read(&now), back(before, &now, kills, false)));
	back(before, &now, kills, true);
	return ok;
}

/* For all to see. */
struct tally {
	unsigned long received, sent;	/* by those that are spared */
	unsigned long examined;
};

FIXTURE(storm) {
	int ch;
	struct usage before;
	struct tally *tally;
	pid_t spared[2];
	pid_t worker[WORKERS];
	bool reads[WORKERS];
};

FIXTURE_VARIANT(storm) {
	__u32 pattern, policy, history;
	unsigned long kills;
};

#define VARIANT(name, ...)	FIXTURE_VARIANT_ADD(storm, name) { __VA_ARGS__ }

VARIANT(block, SLUICE_BROADCAST, SLUICE_BLOCK, 0, 400);
VARIANT(history, SLUICE_BROADCAST, SLUICE_BLOCK, 4, 100);
VARIANT(drop, SLUICE_BROADCAST, SLUICE_DROP_OLDEST, 0, 100);
VARIANT(queue, SLUICE_QUEUE, SLUICE_BLOCK, 0, 400);

FIXTURE_SETUP(storm)
{
	struct sluice_config cfg = {
		.pattern = variant->pattern, .policy = variant->policy,
		.history = variant->history, .slots = 8, .pool = 1 << 14,
		.publishers = 32,
	};

	device();
	usage_read(&self->before);
	self->tally = shared(sizeof(*self->tally));
	self->ch = make_channel(NAME, &cfg);
	ASSERT_LE(0, self->ch);
}

FIXTURE_TEARDOWN(storm)
{
	close(self->ch);
}

#define LENGTH	200

/* Messages say whose they are and which, and every byte follows from that. */
static void publish_for_ever(int ch, struct tally *tally, bool spared)
{
	unsigned char buf[LENGTH];
	struct pub p;
	int ret;

	memset(&p, 0, sizeof(p));
	do {
		p.fd = join_full(ch, SLUICE_PUBLISHER, 0, 0, &p.j);
	} while (p.fd == -EUSERS && !usleep(1000));
	must(p.fd);
	pub_map(&p, 0);
	for (;;) {
		__u64 n[2] = { p.j.generation, p.head };

		memcpy(buf, n, sizeof(n));
		fill(buf + sizeof(n), LENGTH - sizeof(n), n[0] << 32 | n[1]);
		ret = pub_send(&p, buf, LENGTH, 0, in_ms(4 * PATIENCE_MS));
		if (ret)
			fail("publisher: %d", ret);
		if (spared)
			__atomic_add_fetch(&tally->sent, 1, __ATOMIC_RELAXED);
		else if (p.head % 8 == 0)
			usleep(200);
	}
}

static void examine(const struct msg *m)
{
	__u64 n[2];

	check(m->length == LENGTH);
	memcpy(n, m->data, sizeof(n));
	check(n[0] == m->generation && n[1] == m->position);
	check(filled(m->data + sizeof(n), LENGTH - sizeof(n), n[0] << 32 | n[1]));
}

struct expect {
	__u64 generation, position;
};

/* Of one publisher, in one's own time, each position once and in order. */
static void in_order(struct expect *e, const struct msg *m, bool may_lose)
{
	if (m->generation < e->generation ||
	    (m->generation == e->generation &&
	     (m->position < e->position ||
	      (m->position > e->position && !may_lose))))
		fail("lane %u: message %llu of %llu after %llu of %llu", m->lane,
		     m->position, m->generation, e->position - 1, e->generation);
	e->generation = m->generation;
	e->position = m->position + 1;
}

static void receive_for_ever(int ch, struct tally *tally, bool spared,
			     bool queue)
{
	struct expect expect[64] = { };
	struct msg m;
	struct sub s;
	int ret;

	memset(&s, 0, sizeof(s));
	sub_join_full(&s, ch, SLUICE_JOIN_STAY, 0);
	for (;;) {
		ret = sub_recv(&s, &m, in_ms(4 * PATIENCE_MS));
		if (ret < 0)
			fail("subscriber: %d", ret);
		examine(&m);
		__atomic_add_fetch(&tally->examined, 1, __ATOMIC_RELAXED);
		if (!queue)
			in_order(&expect[m.lane], &m, s.j.policy != SLUICE_BLOCK);
		sub_release(&s, &m);
		if (spared)
			__atomic_add_fetch(&tally->received, 1, __ATOMIC_RELAXED);
	}
}

static pid_t start(FIXTURE_DATA(storm) *self, bool reads, bool spared, bool queue)
{
	pid_t pid = child();

	if (pid)
		return pid;
	setpriority(PRIO_PROCESS, 0, 0);
	if (reads)
		receive_for_ever(self->ch, self->tally, spared, queue);
	else
		publish_for_ever(self->ch, self->tally, spared);
	return 0;
}

/* Where it is, now and then after it has been suspended there for a while. */
static void strike(pid_t pid, __u64 *seed, unsigned long *stops)
{
	if (random_next(seed) % 4 == 0) {
		must(kill(pid, SIGSTOP));
		sleep_us(random_next(seed) % 5000);
		++*stops;
		if (random_next(seed) % 2) {
			must(kill(pid, SIGCONT));
			sleep_us(random_next(seed) % 1000);
		}
	}
	must(kill(pid, SIGKILL));
}

TEST_F_TIMEOUT(storm, kills, TEST_TIMEOUT_SCALED)
{
	unsigned long kills = scaled(variant->kills, 30), i, of[2] = { }, stops = 0;
	struct tally was;
	bool queue = variant->pattern == SLUICE_QUEUE;
	__u64 seed = seeded(20);
	int k, status;

	/* Who kills must run when it likes, not when eight busy others let it. */
	setpriority(PRIO_PROCESS, 0, -20);
	for (k = 0; k < 2; k++)
		self->spared[k] = start(self, k, true, queue);
	for (k = 0; k < WORKERS; k++) {
		self->reads[k] = k & 1;
		self->worker[k] = start(self, k & 1, false, queue);
	}
	for (i = 0; i < kills; i++) {
		k = random_next(&seed) % WORKERS;
		sleep_us(random_next(&seed) % 4000);
		strike(self->worker[k], &seed, &stops);
		ASSERT_EQ(-SIGKILL, reap_slowly(self->worker[k]))
			TH_LOG("a worker found fault after %lu kills", i);
		of[self->reads[k]]++;
		self->worker[k] = start(self, self->reads[k], false, queue);
		for (int n = 0; n < 2; n++)
			ASSERT_EQ(0, waitpid(self->spared[n], &status, WNOHANG))
				TH_LOG("a spared one ended after %lu kills", i);
	}
	/* The spared ones still move. */
	was = *self->tally;
	EXPECT_TRUE(until(load(&self->tally->received) > was.received));
	EXPECT_TRUE(until(load(&self->tally->sent) > was.sent));
	figure(of[0], "publishers killed");
	figure(of[1], "subscribers killed");
	figure(stops, "processes suspended");
	figure(load(&self->tally->examined), "messages examined byte by byte");
	for (k = 0; k < WORKERS; k++)
		kill_and_reap(self->worker[k]);
	kill_and_reap(self->spared[0]);
	kill_and_reap(self->spared[1]);
	EXPECT_TRUE(until(stat_of(self->ch).publishers == 0));
	EXPECT_TRUE(until(stat_of(self->ch).subscribers == 0));
	close(self->ch);
	self->ch = -1;
	EXPECT_FALSE(name_listed(NAME));
	EXPECT_TRUE(usage_is_back(&self->before, kills));
}

/* Killed while it makes, opens, joins, maps, attaches: every step of a life. */
static void live_fast(void)
{
	for (;;) {
		struct sluice_open o = {
			.flags = SLUICE_OPEN_CREATE, .access = RW, .mode = 0600,
			.uid = SLUICE_ID_DEFAULT, .gid = SLUICE_ID_DEFAULT,
			.config = { .slots = 8, .pool = 1 << 14 },
		};
		int ch = must(open_full(&o, NAME));
		struct sub s;
		struct pub p;
		struct msg m;

		sub_join_full(&s, ch, 0, SLUICE_DROP_OLDEST);
		memset(&p, 0, sizeof(p));
		p.fd = join_full(ch, SLUICE_PUBLISHER, 0, 0, &p.j);
		if (p.fd >= 0) {
			pub_map(&p, 0);
			pub_send(&p, "x", 1, 0, in_ms(1));
			if (sub_try(&s, &m) > 0)
				sub_release(&s, &m);
			pub_close(&p);
		}
		sub_close(&s);
		close(ch);
	}
}

TEST(kills_at_birth)
{
	unsigned long kills = scaled(200, 30), i;
	static struct usage before;
	__u64 seed = seeded(21);
	pid_t pid[3] = { };

	device();
	usage_read(&before);
	for (i = 0; i < kills; i++) {
		pid_t *p = &pid[i % ARRAY(pid)];

		if (*p)
			kill_and_reap(*p);
		*p = child();
		if (!*p)
			live_fast();
		sleep_us(random_next(&seed) % 3000);
	}
	for (i = 0; i < ARRAY(pid); i++)
		kill_and_reap(pid[i]);
	EXPECT_FALSE(name_listed(NAME));
	figure(kills, "processes killed at birth");
	EXPECT_TRUE(usage_is_back(&before, kills));
}

/*
 * Holders and waiters.
 */
#define RESOURCE	"x"

enum phase { ELSEWHERE, WAITS, HAS, PHASES };

/* What the lock protects: two that are alike, unless somebody died between. */
struct stake {
	__u64 a, b, token;
	unsigned long taken, repaired, broken;
	enum phase phase[WORKERS + 1];	/* the last is spared */
	unsigned long spared;
};

/* Sleeps in the call, or polls until the request is done. */
static void wait_for(int h, struct sluice_item *item, bool async)
{
	struct sluice_lock l = {
		.flags = async ? SLUICE_LOCK_ASYNC : 0,
		.deadline = async ? SLUICE_NO_DEADLINE : in_ms(LOCK_PATIENCE_MS),
	};
	struct sluice_lock_event ev;
	int ret = lock_full(h, &l, item, 1);

	if (ret != -EINPROGRESS) {
		must(ret);
		return;
	}
	check(events_within(h, POLLIN, LOCK_PATIENCE_MS) & POLLIN);
	must(event_with(h, &ev, item, 1));
	check(ev.type == SLUICE_EVENT_DONE && !ev.error);
}

static void use(struct stake *s, const struct sluice_item *item, unsigned int us)
{
	if (s->a != s->b || item->token <= s->token)
		__atomic_add_fetch(&s->broken, 1, __ATOMIC_RELAXED);
	store(&s->token, item->token);
	store(&s->a, s->a + 1);
	sleep_us(us);
	store(&s->b, s->b + 1);
	store(&s->taken, s->taken + 1);
}

static void lock_for_ever(int space, struct stake *s, int me, __u64 seed)
{
	int h = must(make_holder(NULL));

	for (;;) {
		struct sluice_item item = whole(space, RESOURCE, SLUICE_EX);

		store(&s->phase[me], WAITS);
		wait_for(h, &item, random_next(&seed) % 2);
		store(&s->phase[me], HAS);
		if (item.status & SLUICE_OWNER_DIED) {
			store(&s->b, s->a);
			store(&s->repaired, s->repaired + 1);
			must(recover(h, item, SLUICE_RECOVER_CONSISTENT));
		}
		use(s, &item, random_next(&seed) % 400);
		if (me == WORKERS)
			store(&s->spared, s->spared + 1);
		store(&s->phase[me], ELSEWHERE);
		must(unlock(h, whole(space, RESOURCE, SLUICE_UNLOCKED)));
		sleep_us(random_next(&seed) % 400);
	}
}

static pid_t start_locker(int space, struct stake *s, int me, __u64 seed)
{
	pid_t pid = child();

	if (pid)
		return pid;
	setpriority(PRIO_PROCESS, 0, 0);
	lock_for_ever(space, s, me, seed);
	return 0;
}

FIXTURE(locks) {
	struct usage before;
	struct stake *stake;
	int space;
	pid_t pid[WORKERS + 1];
	__u64 seed;
};

FIXTURE_SETUP(locks)
{
	int i;

	device();
	usage_read(&self->before);
	self->seed = seeded(22);
	self->stake = shared(sizeof(*self->stake));
	self->space = make_lockspace(NULL, 0);
	ASSERT_LE(0, self->space);
	for (i = 0; i <= WORKERS; i++)
		self->pid[i] = start_locker(self->space, self->stake, i,
					    random_next(&self->seed));
}

FIXTURE_TEARDOWN(locks)
{
	close(self->space);
}

TEST_F_TIMEOUT(locks, kills, TEST_TIMEOUT_SCALED)
{
	unsigned long kills = scaled(400, 60), i, of[PHASES] = { }, stops = 0;
	struct stake *s = self->stake;
	int h, k, status;

	setpriority(PRIO_PROCESS, 0, -20);
	for (i = 0; i < kills; i++) {
		k = random_next(&self->seed) % WORKERS;
		sleep_us(random_next(&self->seed) % 4000);
		strike(self->pid[k], &self->seed, &stops);
		ASSERT_EQ(-SIGKILL, reap_slowly(self->pid[k]))
			TH_LOG("a worker found fault after %lu kills", i);
		of[load(&s->phase[k])]++;
		store(&s->phase[k], ELSEWHERE);
		self->pid[k] = start_locker(self->space, s, k,
					    random_next(&self->seed));
		ASSERT_EQ(0, waitpid(self->pid[WORKERS], &status, WNOHANG))
			TH_LOG("the spared one ended after %lu kills", i);
	}
	i = load(&s->spared);
	EXPECT_TRUE(until(load(&s->spared) > i));
	for (k = 0; k <= WORKERS; k++)
		kill_and_reap(self->pid[k]);
	figure(of[HAS], "holders killed");
	figure(of[WAITS], "waiters killed");
	figure(of[ELSEWHERE], "lockers killed in between");
	figure(stops, "processes suspended");
	figure(s->taken, "locks checked");
	figure(s->repaired, "owners' deaths repaired");
	EXPECT_EQ(0, s->broken);
	EXPECT_LT(0, of[HAS]);
	EXPECT_LT(0, of[WAITS]);
	EXPECT_LE(s->repaired, of[HAS] + of[WAITS] + of[ELSEWHERE]);
	EXPECT_LT(0, s->repaired);
	h = must(make_holder(NULL));
	EXPECT_EQ(0, take(h, whole(self->space, RESOURCE, SLUICE_EX)));
	close(h);
	EXPECT_TRUE(until(!lockspace_stat(self->space).grants));
	EXPECT_EQ(0, waiting_in(self->space));
	close(self->space);
	self->space = -1;
	EXPECT_TRUE(usage_is_back(&self->before, kills));
}

TEST_HARNESS_MAIN
