// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hostile peers: a publisher and a subscriber that scribble over everything
 * they may write and make every call with arguments of their own, while an
 * innocent pair on the same channel, which uses the library as everybody does,
 * goes on undisturbed and the kernel stays clean.
 *
 * Where publishers wait for subscribers, as in this queue, a subscriber may let
 * them wait: there the innocent ones must go on once it is gone, and have
 * what it had claimed.
 *
 * timeout: 300
 */
#include <sys/eventfd.h>

#include "util.h"

#include <sluice/sluice.h>

#define LENGTH	300

/* What each hostile one does at least before it is killed. */
#define ACTS	40

/* What the innocent ones have done, for all to see. */
struct progress {
	unsigned long sent, received, foreign, lies;
	__u64 generation;
};

FIXTURE(hostile) {
	int ch;
	struct progress *progress;
	int acts[2];	/* eventfds that count what the hostile ones have done */
	pid_t sender, receiver;
};

FIXTURE_VARIANT(hostile) {
	__u32 pattern, policy;
};

FIXTURE_VARIANT_ADD(hostile, broadcast) { SLUICE_BROADCAST, SLUICE_DROP_OLDEST };
FIXTURE_VARIANT_ADD(hostile, queue) { SLUICE_QUEUE, SLUICE_BLOCK };

FIXTURE_SETUP(hostile)
{
	struct sluice_config cfg = {
		.pattern = variant->pattern, .policy = variant->policy,
		.slots = 32, .pool = 1 << 16, .pool_limit = 1 << 18,
	};

	self->ch = make_channel(NULL, &cfg);
	ASSERT_LE(0, self->ch);
	self->progress = shared(sizeof(*self->progress));
	self->acts[0] = must(eventfd(0, EFD_NONBLOCK));
	self->acts[1] = must(eventfd(0, EFD_NONBLOCK));
}

FIXTURE_TEARDOWN(hostile)
{
	close(self->acts[0]);
	close(self->acts[1]);
	close(self->ch);
}

static __u64 load_generation(struct progress *p)
{
	return __atomic_load_n(&p->generation, __ATOMIC_ACQUIRE);
}

static struct sluice_channel *channel_of(int fd)
{
	struct sluice_channel *channel;

	must(sluice_channel_from_fd(must(dup(fd)), &channel));
	return channel;
}

/*
 * The innocent ones.
 */
static void byte_pattern(unsigned char *p, __u64 n)
{
	__u64 seed = n + 1;
	size_t i;

	memcpy(p, &n, sizeof(n));
	for (i = sizeof(n); i < LENGTH; i++)
		p[i] = random_next(&seed);
}

static void send_for_ever(int ch, struct progress *progress)
{
	struct sluice_publisher *pub;
	struct sluice_loan loan;
	__u64 n;

	must(sluice_publisher_join(channel_of(ch), NULL, &pub));
	__atomic_store_n(&progress->generation, sluice_publisher_generation(pub),
			 __ATOMIC_RELEASE);
	for (n = 0;; n++) {
		must(sluice_publisher_loan(pub, LENGTH, &loan, in_ms(20000)));
		byte_pattern(loan.data, n);
		must(sluice_publisher_publish(pub, &loan));
		__atomic_add_fetch(&progress->sent, 1, __ATOMIC_RELAXED);
		if (n % 64 == 0)
			sleep_us(300);
	}
}

static unsigned int sum(const struct sluice_message *m)
{
	const volatile unsigned char *p = m->data;
	unsigned int s = 0;
	size_t i;

	for (i = 0; i < m->length; i++)
		s += p[i];
	return s;
}

static void examine(const struct sluice_message *m, __u64 *next, bool queue)
{
	unsigned char want[LENGTH];

	check(m->length == LENGTH);
	byte_pattern(want, m->position);
	check(!memcmp(want, m->data, LENGTH));
	if (queue)
		return;
	/* What is missing has been counted. */
	check(m->position == *next + m->lost);
	*next = m->position + 1;
}

static void receive_for_ever(int ch, struct progress *progress, bool queue)
{
	struct sluice_subscriber_options o = SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_subscriber *sub;
	struct sluice_message m;
	__u64 next = 0;
	int ret;

	o.flags = SLUICE_JOIN_STAY;
	must(sluice_subscriber_join(channel_of(ch), &o, &sub));
	__atomic_store_n(&progress->received, 1, __ATOMIC_RELEASE);
	for (;;) {
		ret = sluice_subscriber_receive(sub, &m, in_ms(20000));
		if (ret == -EPROTO) {
			__atomic_add_fetch(&progress->lies, 1, __ATOMIC_RELAXED);
			continue;
		}
		must(ret);
		if (m.generation == load_generation(progress)) {
			examine(&m, &next, queue);
			__atomic_add_fetch(&progress->received, 1, __ATOMIC_RELAXED);
		} else {
			sum(&m);
			__atomic_add_fetch(&progress->foreign, 1, __ATOMIC_RELAXED);
		}
		must(sluice_subscriber_release(sub, &m));
	}
}

/*
 * The hostile ones.
 */
struct prey {
	unsigned char *area;
	size_t size;
};

static __u64 interesting(__u64 *seed, const struct prey *prey)
{
	__u64 r = random_next(seed), small = random_next(seed) % 200;

	switch (r % 12) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return SLUICE_SEQ(small);
	case 3:
		return SLUICE_SEQ(small) | SLUICE_SEQ_DROPPED;
	case 4:
		return SLUICE_PIN(r % 20, small);
	case 5:
		return small;
	case 6:
		return 1ULL << (r >> 8) % 64;
	case 7:
		return (1ULL << (r >> 8) % 64) - 1;
	case 8:
		return prey->size - 8 + small % 16;
	case 9:
		return (__u64)small << 32 | small;
	case 10:
		return small | SLUICE_ACK_REJECT;
	default:
		return r;
	}
}

static void scribble(const struct prey *prey, __u64 *seed)
{
	size_t words = prey->size / 8, i;
	__u64 *area = (void *)prey->area;

	switch (random_next(seed) % 4) {
	case 0:
		for (i = 0; i < words; i++)
			__atomic_store_n(&area[i], random_next(seed), __ATOMIC_RELAXED);
		break;
	case 1:
		for (i = 0; i < words; i++)
			__atomic_store_n(&area[i], interesting(seed, prey),
					 __ATOMIC_RELAXED);
		break;
	default:
		for (i = 0; i < 64; i++)
			__atomic_store_n(&area[random_next(seed) % words],
					 interesting(seed, prey), __ATOMIC_RELAXED);
	}
}

/*
 * Plausible lies: slots in order, most of what they say nearly right, a few at a
 * time so that somebody has the time to believe them; now and then a leap.
 */
static void publish_lies(const struct sluice_join *j, unsigned char *ring,
			 __u64 pool, __u64 *head, __u64 *seed)
{
	struct sluice_slot *slots = (void *)(ring + j->lane.slots_offset);
	__u64 end;

	if (random_next(seed) % 8 == 0)
		*head += random_next(seed) % 100;
	for (end = *head + 1 + random_next(seed) % 8; *head < end; ++*head) {
		struct sluice_slot *s = &slots[*head & (j->lane.slots - 1)];
		__u64 r = random_next(seed);

		s->offset = r % 8 ? r % pool : pool - r % 300;
		s->length = r % 16 ? r % 600 : ~0ULL - r % 1000;
		s->segment = r % 5 ? 0 : r >> 16;
		s->flags = r % 7 ? 0 : r >> 32;
		s->fds = r % 9 ? 0 : r >> 40;
		s->token = r % 50;
		__atomic_store_n(&s->seq, SLUICE_SEQ(*head), __ATOMIC_RELEASE);
	}
}

static const unsigned int calls[] = {
	SLUICE_IOC_STAT, SLUICE_IOC_PEER, SLUICE_IOC_ATTACH, SLUICE_IOC_DETACH,
	SLUICE_IOC_SEGMENT, SLUICE_IOC_WAIT, SLUICE_IOC_WAKE, SLUICE_IOC_GROW,
	SLUICE_IOC_ARM, SLUICE_IOC_DROP, SLUICE_IOC_FDS_ATTACH,
	SLUICE_IOC_FDS_RELEASE, SLUICE_IOC_CLAIM, SLUICE_IOC_FD_TAKE,
};

/* Any call with any argument; of WAIT only such as come back. */
static void call_anything(int fd, const struct prey *prey, __u64 *seed)
{
	unsigned int cmd = calls[random_next(seed) % ARRAY(calls)];
	union {
		__u64 word[64];
		struct sluice_wait wait;
	} arg;
	size_t i;
	int ret;

	for (i = 0; i < ARRAY(arg.word); i++)
		arg.word[i] = random_next(seed) % 3 ? 0 : interesting(seed, prey);
	if (random_next(seed) % 4 == 0)
		arg.word[0] = (uintptr_t)prey->area;
	if (cmd == SLUICE_IOC_WAIT)
		arg.wait.deadline = random_next(seed) % 2 ? in_ms(1) : -1;
	ret = ioctl(fd, cmd, &arg);
	if (cmd == SLUICE_IOC_FD_TAKE && ret > 2)
		close(ret);
}

/*
 * Whoever makes any call has the kernel write its answers to any place in his
 * memory: none of that may be what others count in, or the test's own.
 */
static void share_nothing(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512], mode[5];

	check(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, mode) == 3 &&
		    mode[3] == 's')
			must(munmap((void *)start, end - start));
	fclose(maps);
}

/*
 * Nothing is next to it: what CLAIM writes there may be more than it has room for,
 * and behind it would be what he needs to go on.
 */
static void *map_own(int fd, __u64 offset, __u64 size)
{
	const size_t gap = 1 << 20;
	char *p = mmap(NULL, size + 2 * gap, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED);
	check(mmap(p + gap, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   fd, offset) != MAP_FAILED);
	return p + gap;
}

static void hostile_publisher(int ch, __u64 seed, int acts)
{
	struct sluice_segment seg = { };
	struct prey ring, pool;
	struct sluice_join j;
	__u64 head = 0;
	int fd;

	do {
		fd = join_full(ch, SLUICE_PUBLISHER, 0, 0, &j);
	} while (fd == -EUSERS && !usleep(1000));
	must(fd);
	ring = (struct prey){ map_own(fd, j.lane.offset, j.lane.size), j.lane.size };
	seg.index = j.index;
	seg.generation = j.generation;
	must(call(fd, SLUICE_IOC_SEGMENT, &seg));
	pool = (struct prey){ map_own(fd, seg.offset, seg.size), seg.size };
	for (;;) {
		publish_lies(&j, ring.area, pool.size, &head, &seed);
		wake(fd, 0, random_next(&seed));
		scribble(&pool, &seed);
		if (random_next(&seed) % 4 == 0)
			scribble(&ring, &seed);
		call_anything(fd, &ring, &seed);
		must(eventfd_write(acts, 1));
		usleep(random_next(&seed) % 500);
	}
}

static void hostile_subscriber(int ch, __u64 seed, int acts)
{
	struct sluice_join j;
	struct prey cursor;
	int fd;

	fd = must(join_full(ch, SLUICE_SUBSCRIBER, 0, 0, &j));
	cursor = (struct prey){ map_own(fd, j.cursor.offset, j.cursor.size),
				j.cursor.size };
	for (;;) {
		scribble(&cursor, &seed);
		call_anything(fd, &cursor, &seed);
		wake(fd, random_next(&seed) % 16, 0);
		must(eventfd_write(acts, 1));
		usleep(random_next(&seed) % 300);
	}
}

static pid_t start_hostile(FIXTURE_DATA(hostile) *self, bool publisher,
			   __u64 seed)
{
	pid_t pid = child();
	int ch, acts;

	if (pid)
		return pid;
	/* They lie in what is shared, too. */
	ch = self->ch;
	acts = self->acts[publisher];
	share_nothing();
	if (publisher)
		hostile_publisher(ch, seed, acts);
	hostile_subscriber(ch, seed, acts);
	return 0;
}

static void start_innocent(FIXTURE_DATA(hostile) *self, bool queue)
{
	self->receiver = child();
	if (!self->receiver)
		receive_for_ever(self->ch, self->progress, queue);
	check(until(__atomic_load_n(&self->progress->received, __ATOMIC_ACQUIRE)));
	self->sender = child();
	if (!self->sender)
		send_for_ever(self->ch, self->progress);
	check(until(__atomic_load_n(&self->progress->received, __ATOMIC_ACQUIRE) > 10));
}

static unsigned long now_at(unsigned long *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static bool both_move(struct progress *p)
{
	unsigned long sent = now_at(&p->sent), received = now_at(&p->received);

	return until(now_at(&p->sent) > sent) &&
		until(now_at(&p->received) > received);
}

/* Whether there are @least of them, with what has been done since the last look. */
static bool have_acted(int acts, unsigned long *sum, unsigned long least)
{
	eventfd_t n;

	if (!eventfd_read(acts, &n))
		*sum += n;
	return *sum >= least;
}

TEST_F(hostile, innocent_go_on)
{
	bool queue = variant->pattern == SLUICE_QUEUE;
	unsigned long rounds = scaled(60, 6), acts = 0, done[2], i;
	struct progress *p = self->progress;
	pid_t bad[2];
	int k, status;

	start_innocent(self, queue);
	for (i = 0; i < rounds || (!now_at(&p->lies) && i < 10 * rounds); i++) {
		for (k = 0; k < 2; k++) {
			done[k] = 0;
			bad[k] = start_hostile(self, k, seeded(100 * i + k + 1));
		}
		for (k = 0; k < 2; k++)
			EXPECT_TRUE(until(have_acted(self->acts[k], &done[k], ACTS)));
		if (!queue)
			EXPECT_TRUE(both_move(p))
				TH_LOG("disturbed in round %lu", i);
		for (k = 0; k < 2; k++) {
			must(kill(bad[k], SIGKILL));
			ASSERT_EQ(-SIGKILL, reap(bad[k]))
				TH_LOG("a hostile one failed in round %lu", i);
			have_acted(self->acts[k], &done[k], 0);
			acts += done[k];
		}
		EXPECT_TRUE(both_move(p)) TH_LOG("harmed in round %lu", i);
		ASSERT_EQ(0, waitpid(self->sender, &status, WNOHANG))
			TH_LOG("the sender fell in round %lu", i);
		ASSERT_EQ(0, waitpid(self->receiver, &status, WNOHANG))
			TH_LOG("the receiver fell in round %lu", i);
	}
	TH_LOG("%lu sent, %lu received, %lu foreign, %lu liars found", p->sent,
	       p->received, p->foreign, p->lies);
	figure(p->received, "messages verified beside hostile peers");
	figure(p->lies, "lies of publishers found out");
	figure(acts, "rounds of scribbling and calls");
	EXPECT_LT(0, p->lies) TH_LOG("nobody was caught lying: nothing was tried");
	kill_and_reap(self->sender);
	kill_and_reap(self->receiver);
	EXPECT_TRUE(until(stat_of(self->ch).subscribers == 0));
	EXPECT_EQ(0, stat_of(self->ch).publishers);
}

TEST_HARNESS_MAIN
