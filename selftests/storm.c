// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of SIGKILLs: publishers and subscribers killed at random instants
 * while they join, publish, receive, wait and claim; a publisher and a
 * subscriber that are spared go on undisturbed, and at the end objects, memory
 * and descriptors are back where they were.
 *
 * The variants together make 1,000 kills at a SLUICE_SCALE of 1.
 *
 * timeout: 180
 */
#include "traffic.h"

#define NAME		"storm"
#define WORKERS		6

/* What the machine has of us, as it can be seen from outside. */
struct usage {
	long areas, shmem_kb, files, module;
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

static struct usage usage_now(void)
{
	struct usage u = {
		.areas = count_lines("/proc/vmallocinfo", "sluice_"),
		.shmem_kb = meminfo_kb("Shmem:"),
		.files = read_number("/proc/sys/fs/file-nr", -1),
		.module = read_number("/sys/module/sluice/refcnt", -1),
	};

	return u;
}

/* file-nr is a per-CPU counter: it is only exact within batches. */
static bool usage_is_back(const struct usage *before)
{
	struct usage u = usage_now();

	return u.areas <= before->areas && u.module == before->module &&
		u.shmem_kb <= before->shmem_kb + 64 &&
		u.files <= before->files + 256;
}

FIXTURE(storm) {
	int ch;
	struct usage before;
	unsigned long *progress;	/* of the spared ones */
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
	self->before = usage_now();
	self->progress = shared(4096);
	self->ch = make_channel(NAME, &cfg);
	ASSERT_LE(0, self->ch);
}

FIXTURE_TEARDOWN(storm)
{
	close(self->ch);
}

#define LENGTH	200

/* Messages say whose they are and which, and every byte follows from that. */
static void publish_for_ever(int ch, unsigned long *progress)
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
		if (progress)
			__atomic_add_fetch(progress, 1, __ATOMIC_RELAXED);
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

static void receive_for_ever(int ch, unsigned long *progress, bool spared,
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
		if (!queue)
			in_order(&expect[m.lane], &m, s.j.policy != SLUICE_BLOCK);
		sub_release(&s, &m);
		if (spared)
			__atomic_add_fetch(progress, 1, __ATOMIC_RELAXED);
	}
}

static pid_t start(FIXTURE_DATA(storm) *self, bool reads, bool spared, bool queue)
{
	pid_t pid = child();

	if (pid)
		return pid;
	setpriority(PRIO_PROCESS, 0, 0);
	if (reads)
		receive_for_ever(self->ch, &self->progress[0], spared, queue);
	else
		publish_for_ever(self->ch, spared ? &self->progress[8] : NULL);
	return 0;
}

TEST_F(storm, kills)
{
	unsigned long kills = scaled(variant->kills, 30), i, was[2];
	bool queue = variant->pattern == SLUICE_QUEUE;
	__u64 seed = 20;
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
		must(kill(self->worker[k], SIGKILL));
		ASSERT_EQ(-SIGKILL, reap_slowly(self->worker[k]))
			TH_LOG("a worker found fault after %lu kills", i);
		self->worker[k] = start(self, self->reads[k], false, queue);
		for (int n = 0; n < 2; n++)
			ASSERT_EQ(0, waitpid(self->spared[n], &status, WNOHANG))
				TH_LOG("a spared one ended after %lu kills", i);
	}
	/* The spared ones still move. */
	was[0] = load(&self->progress[0]);
	was[1] = load(&self->progress[8]);
	EXPECT_TRUE(until(load(&self->progress[0]) > was[0]));
	EXPECT_TRUE(until(load(&self->progress[8]) > was[1]));
	for (k = 0; k < WORKERS; k++)
		kill_and_reap(self->worker[k]);
	kill_and_reap(self->spared[0]);
	kill_and_reap(self->spared[1]);
	EXPECT_TRUE(until(stat_of(self->ch).publishers == 0));
	EXPECT_TRUE(until(stat_of(self->ch).subscribers == 0));
	close(self->ch);
	self->ch = -1;
	EXPECT_FALSE(name_listed(NAME));
	EXPECT_TRUE(until(usage_is_back(&self->before))) {
		struct usage u = usage_now();

		TH_LOG("areas %ld -> %ld, shmem %ld -> %ld kB, files %ld -> %ld, module %ld -> %ld",
		       self->before.areas, u.areas, self->before.shmem_kb,
		       u.shmem_kb, self->before.files, u.files,
		       self->before.module, u.module);
	}
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
	struct usage before;
	__u64 seed = 21;
	pid_t pid[3] = { };

	device();
	before = usage_now();
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
	EXPECT_TRUE(until(usage_is_back(&before))) {
		struct usage u = usage_now();

		TH_LOG("areas %ld -> %ld, module %ld -> %ld", before.areas,
		       u.areas, before.module, u.module);
	}
}

TEST_HARNESS_MAIN
