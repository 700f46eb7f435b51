// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call again and again, with the first, second, third... allocation or
 * copy in it failing, until none fails any more: each time it says so, or does
 * without, and what there was before is there afterwards. Then at random: any
 * number of steps of a call, and of its undoing; and processes of whose whole
 * life each step may fail, which are killed somewhere in it, beside some that
 * must not notice.
 *
 * Needs a kernel with fault injection; elsewhere it is skipped.
 *
 * timeout: 300
 */
#include "inject.h"
#include "lock.h"
#include "slab.h"
#include "traffic.h"

#include <sys/mman.h>

#define STEPS_MAX	3000

/* Where the calls are made, and what they leave behind. */
struct stage {
	int space, other;		/* lockspaces */
	int h, h2;			/* holders */
	int channel, publisher, subscriber;
	int queue, pair[2];
	int common;			/* a channel of others, too */
	int file;
	int fd;				/* of the last call that made one */
	struct sluice_join joined;
};

/* What a call that fails must leave as it was; compared as bytes. */
struct shape {
	__u64 resources, grants, waiting;
	__u64 publishers, subscribers, in_flight;
	__u64 pool;
	__u64 fds;
};

static int count_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct shape shape_of(const struct stage *s)
{
	struct sluice_lockspace_stat a = lockspace_stat(s->space);
	struct sluice_lockspace_stat b = lockspace_stat(s->other);
	struct sluice_stat c = stat_of(s->channel);
	struct sluice_stat q = stat_of(s->queue);

	return (struct shape){
		.resources = a.resources + b.resources,
		.grants = a.grants + b.grants,
		.waiting = a.waiting + b.waiting,
		.publishers = c.publishers,
		.subscribers = c.subscribers + q.subscribers,
		.in_flight = c.fds,
		.pool = c.pool,
		.fds = count_fds(),
	};
}

/*
 * The calls. Each has its undoing, after which all is as it was before.
 */
struct call {
	const char *name;
	int (*run)(struct stage *s);
	void (*undo)(struct stage *s);
	bool needs_nothing;	/* and copies by words, which cannot be failed */
};

static void undo_nothing(struct stage *s)
{
	(void)s;
}

static void undo_fd(struct stage *s)
{
	close(s->fd);
	s->fd = -1;
}

static void undo_locks(struct stage *s)
{
	must(unlock_all(s->h2));
}

static int run_lockspace(struct stage *s)
{
	return s->fd = make_lockspace("failslab", 0);
}

static int run_holder(struct stage *s)
{
	return s->fd = make_holder(NULL);
}

static int run_restrict(struct stage *s)
{
	struct sluice_restrict r = { .access = SLUICE_READ };

	return s->fd = call(s->space, SLUICE_IOC_RESTRICT, &r);
}

static int run_lock(struct stage *s)
{
	return try(s->h2, whole(s->space, "new", SLUICE_EX));
}

static int run_lock_all(struct stage *s)
{
	struct sluice_item items[] = {
		whole(s->space, "one", SLUICE_EX), whole(s->other, "two", SLUICE_PR),
		range(s->space, "three", SLUICE_PW, 10, 20),
	};

	return lock_items(s->h2, items, ARRAY(items), 0);
}

static int run_lock_any(struct stage *s)
{
	struct sluice_item items[] = {
		whole(s->space, "held", SLUICE_EX), whole(s->other, "two", SLUICE_PR),
	};

	return lock_items(s->h2, items, ARRAY(items), SLUICE_LOCK_ANY);
}

/* In the middle of what @h has: what is left of that becomes two. */
static int run_convert(struct stage *s)
{
	return try(s->h, range(s->space, "held", SLUICE_PR, 100, 200));
}

static void undo_convert(struct stage *s)
{
	must(try(s->h, whole(s->space, "held", SLUICE_EX)));
}

static int run_wait(struct stage *s)
{
	int ret = ask(s->h2, whole(s->space, "held", SLUICE_EX));

	return ret == -EINPROGRESS ? 0 : ret;
}

static void undo_wait(struct stage *s)
{
	must(cancel(s->h2));
	check(outcome(s->h2) == -ECANCELED);
}

static int run_unlock(struct stage *s)
{
	return unlock(s->h, range(s->space, "held", SLUICE_UNLOCKED, 100, 200));
}

static int run_weaken(struct stage *s)
{
	return unlock(s->h, range(s->space, "held", SLUICE_CR, 100, 200));
}

static int run_recover(struct stage *s)
{
	return recover(s->h, range(s->space, "held", 0, 100, 200),
		       SLUICE_RECOVER_LOST);
}

static void undo_recover(struct stage *s)
{
	must(recover(s->h, whole(s->space, "held", 0), SLUICE_RECOVER_CONSISTENT));
}

static int run_renew(struct stage *s)
{
	return renew(s->h, whole(s->space, "held", 0));
}

static int run_value(struct stage *s)
{
	struct sluice_value v = { };

	return value_of(s->h, whole(s->space, "held", 0), 0, &v);
}

static int run_lease(struct stage *s)
{
	struct sluice_item i = whole(s->space, "leased", SLUICE_EX);

	i.lease = 3600LL * 1000 * 1000 * 1000;
	return try(s->h2, i);
}

static int run_file(struct stage *s)
{
	struct sluice_item i = file_item(s->space, s->file, SLUICE_EX);

	i.flags = SLUICE_ITEM_FCNTL | SLUICE_ITEM_FLOCK;
	return try(s->h2, i);
}

/* By a holder that has nothing to do with the lockspace yet. */
static int run_file_first(struct stage *s)
{
	struct sluice_item i = file_item(s->space, s->file, SLUICE_PR);
	int h = make_holder(NULL), ret;

	if (h < 0)
		return h;
	i.flags = SLUICE_ITEM_FCNTL | SLUICE_ITEM_FLOCK;
	ret = try(h, i);
	if (ret)
		close(h);
	else
		s->fd = h;
	return ret;
}

static int run_locks(struct stage *s)
{
	struct sluice_lock_entry e[4];
	struct sluice_locks l = {
		.entries = (uintptr_t)e, .count = ARRAY(e), .entry_size = sizeof(*e),
	};

	return call(s->space, SLUICE_IOC_LOCKS, &l);
}

static int run_deadlock(struct stage *s)
{
	struct sluice_deadlock d = { };
	int ret = call(s->space, SLUICE_IOC_DEADLOCK, &d);

	return ret == -ENOENT ? 0 : ret;
}

static int run_block(struct stage *s)
{
	struct sluice_block_open b = {
		.lockspace = s->space, .key_len = 5, .key = "block",
	};

	return s->fd = call(s->h2, SLUICE_IOC_BLOCK, &b);
}

/* A word stays with its lockspace, so each gets one of its own. */
static int run_word(struct stage *s)
{
	struct sluice_word_open w = { };
	int space = make_trusted(1), ret;

	if (space < 0)
		return space;
	ret = word_full(s->h2, &w, space, "word");
	if (ret)
		close(space);
	else
		s->fd = space;
	return ret;
}

static int run_channel(struct stage *s)
{
	return s->fd = make_channel("failslab", NULL);
}

static int run_join_publisher(struct stage *s)
{
	return s->fd = join_role(s->channel, SLUICE_PUBLISHER);
}

static int run_join_subscriber(struct stage *s)
{
	return s->fd = join_role(s->channel, SLUICE_SUBSCRIBER);
}

static int run_feed(struct stage *s)
{
	struct sluice_feed_open f = { .socket = s->pair[0] };

	return s->fd = call(s->queue, SLUICE_IOC_FEED, &f);
}

static int run_attach(struct stage *s)
{
	struct sluice_attach a = { .index = s->joined.index };

	return call(s->subscriber, SLUICE_IOC_ATTACH, &a);
}

static void undo_attach(struct stage *s)
{
	struct sluice_detach d = {
		.index = s->joined.index, .generation = s->joined.generation,
	};

	must(call(s->subscriber, SLUICE_IOC_DETACH, &d));
}

static int run_fds_attach(struct stage *s)
{
	__s32 fds[2] = { s->file, s->file };
	struct sluice_fds f = { .fds = (uintptr_t)fds, .count = 2 };
	int ret = call(s->publisher, SLUICE_IOC_FDS_ATTACH, &f);

	s->fd = ret ? -1 : (int)f.token;
	return ret;
}

static void undo_fds_attach(struct stage *s)
{
	struct sluice_fds f = { .token = s->fd, .count = 2 };

	must(call(s->publisher, SLUICE_IOC_FDS_RELEASE, &f));
	s->fd = -1;
}

static const struct call calls[] = {
	{ "LOCKSPACE", run_lockspace, undo_fd },
	{ "HOLDER", run_holder, undo_fd },
	{ "RESTRICT", run_restrict, undo_fd },
	{ "LOCK", run_lock, undo_locks },
	{ "LOCK all", run_lock_all, undo_locks },
	{ "LOCK any", run_lock_any, undo_locks },
	{ "LOCK to convert", run_convert, undo_convert },
	{ "LOCK and wait", run_wait, undo_wait },
	{ "LOCK with a lease", run_lease, undo_locks },
	{ "LOCK a file", run_file, undo_locks },
	{ "LOCK a file first", run_file_first, undo_fd },
	{ "UNLOCK", run_unlock, undo_convert },
	{ "UNLOCK to weaken", run_weaken, undo_convert },
	{ "RECOVER", run_recover, undo_recover },
	{ "RENEW", run_renew, undo_nothing, .needs_nothing = true },
	{ "VALUE", run_value, undo_nothing },
	{ "LOCKS", run_locks, undo_nothing },
	{ "DEADLOCK", run_deadlock, undo_nothing },
	{ "BLOCK", run_block, undo_fd },
	{ "WORD", run_word, undo_fd },
	{ "OPEN", run_channel, undo_fd },
	{ "JOIN to publish", run_join_publisher, undo_fd },
	{ "JOIN to subscribe", run_join_subscriber, undo_fd },
	{ "FEED", run_feed, undo_fd },
	{ "ATTACH", run_attach, undo_attach },
	{ "FDS_ATTACH", run_fds_attach, undo_fds_attach },
};

FIXTURE(failslab) {
	struct stage s;
};

FIXTURE_SETUP(failslab)
{
	struct sluice_config queue = { .pattern = SLUICE_QUEUE };
	struct sluice_config common = { .policy = SLUICE_DROP_OLDEST };
	struct stage *s = &self->s;
	int fd;

	if (!injection_set_up())
		SKIP(return, "the kernel cannot inject faults");
	s->space = must(make_lockspace(NULL, 0));
	s->other = must(make_lockspace(NULL, 0));
	s->h = must(make_holder(NULL));
	s->h2 = must(make_holder(NULL));
	s->channel = must(make_channel(NULL, NULL));
	s->publisher = must(join_full(s->channel, SLUICE_PUBLISHER, 0, 0,
				      &s->joined));
	s->subscriber = must(join_role(s->channel, SLUICE_SUBSCRIBER));
	s->queue = must(make_channel(NULL, &queue));
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s->pair));
	s->common = must(make_channel(NULL, &common));
	s->file = must(open("/tmp/failslab", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	s->fd = -1;
	must(take(s->h, whole(s->space, "held", SLUICE_EX)));
	fd = must(make_block(s->h, s->space, "block", 4096));
	close(fd);
}

FIXTURE_TEARDOWN_PARENT(failslab)
{
	unlink("/tmp/failslab");
	inject_chance(0);
}

/* ENOLCK is what the kernel's own locks say when there is no memory. */
static bool is_failure(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -ENOLCK;
}

/* Return: how many steps of the call were made to fail, or -1. */
static int sweep(struct __test_metadata *_metadata, struct stage *s,
		 const struct call *c)
{
	struct shape before = shape_of(s), after;
	unsigned int nth, failed = 0;
	bool fired;
	int ret;

	for (nth = 1; nth < STEPS_MAX; nth++) {
		arm(nth);
		ret = c->run(s);
		fired = disarm();
		failed += ret < 0;
		if (ret >= 0)
			c->undo(s);
		else
			EXPECT_TRUE(fired && is_failure(ret))
				TH_LOG("%s, step %u: %d", c->name, nth, ret);
		after = shape_of(s);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)))
			TH_LOG("%s, step %u (%d) leaves something", c->name, nth,
			       ret);
		if (!fired)
			return failed;
	}
	return -1;
}

TEST_F(failslab, each_step_of_each_call)
{
	size_t i;
	int failed;

	for (i = 0; i < ARRAY(calls); i++) {
		/* The second time holders have kept some of what it takes. */
		failed = sweep(_metadata, &self->s, &calls[i]);
		EXPECT_LE(0, failed);
		failed += sweep(_metadata, &self->s, &calls[i]);
		EXPECT_LE(!calls[i].needs_nothing, failed)
			TH_LOG("%s: %d", calls[i].name, failed);
		TH_LOG("%s: %d steps failed", calls[i].name, failed);
	}
}

/*
 * At random.
 */
#define ROUND	50	/* calls with the same chance */

/* What was made is closed without luck, too: that cannot fail. */
static int run_unlucky(struct stage *s, const struct call *c)
{
	int ret;

	unlucky(true);
	ret = c->run(s);
	if (ret >= 0 && c->undo == undo_fd) {
		undo_fd(s);
		unlucky(false);
		return ret;
	}
	unlucky(false);
	if (ret >= 0)
		c->undo(s);
	return ret;
}

TEST_F(failslab, calls_at_random)
{
	static const unsigned int chances[] = { 1, 5, 20, 50 };
	unsigned long rounds = scaled(200, 20), calls_made = 0, failed = 0, i;
	struct shape before = shape_of(&self->s), after;
	__u64 seed = seeded(30);

	for (i = 0; i < rounds * ROUND; i++) {
		const struct call *c = &calls[random_next(&seed) % ARRAY(calls)];
		int ret;

		if (i % ROUND == 0)
			inject_chance(chances[i / ROUND % ARRAY(chances)]);
		ret = run_unlucky(&self->s, c);
		calls_made++;
		failed += ret < 0;
		ASSERT_TRUE(ret >= 0 || is_failure(ret))
			TH_LOG("%s: %d, in call %lu", c->name, ret, i);
		after = shape_of(&self->s);
		ASSERT_EQ(0, memcmp(&before, &after, sizeof(before)))
			TH_LOG("%s (%d) leaves something, in call %lu", c->name,
			       ret, i);
	}
	figure(calls_made, "calls with steps that failed at random");
	figure(failed, "of them that said so");
	EXPECT_LT(calls_made / 20, failed);
	EXPECT_GT(calls_made, failed);
}

#define UNLUCKY	4
#define LENGTH	200

/* What the unlucky ones have tried, and the others, who must not notice, done. */
struct tally {
	unsigned long tried, refused;
	unsigned long locked, sent, received;
};

/* What one may hear besides, of a lockspace and a channel that others use. */
static bool is_answer(int ret)
{
	static const int answers[] = {
		-EAGAIN, -EDEADLK, -EBUSY, -EUSERS, -EEXIST, -ENOENT, -ESTALE,
		-EPERM, -EINPROGRESS, -EDQUOT, -ENOSPC,
	};
	size_t i;

	for (i = 0; i < ARRAY(answers); i++)
		if (ret == answers[i])
			return true;
	return is_failure(ret);
}

static void live_badly(struct stage s, struct tally *t, __u64 seed)
{
	int fds[8], ret, *fd;
	const struct call *c;

	memset(fds, -1, sizeof(fds));
	s.h = must(make_holder(NULL));
	s.h2 = must(make_holder(NULL));
	s.channel = s.common;
	s.publisher = must(join_full(s.channel, SLUICE_PUBLISHER, 0, 0, &s.joined));
	s.subscriber = must(join_role(s.channel, SLUICE_SUBSCRIBER));
	unlucky(true);
	for (;;) {
		c = &calls[random_next(&seed) % ARRAY(calls)];
		s.fd = -1;
		ret = c->run(&s);
		__atomic_add_fetch(&t->tried, 1, __ATOMIC_RELAXED);
		if (is_failure(ret))
			__atomic_add_fetch(&t->refused, 1, __ATOMIC_RELAXED);
		if (ret < 0 && !is_answer(ret)) {
			unlucky(false);
			fail("%s: %d", c->name, ret);
		}
		if (c->undo == undo_fd && ret >= 0) {
			fd = &fds[random_next(&seed) % ARRAY(fds)];
			close(*fd);
			*fd = s.fd;
		}
		if (random_next(&seed) % 4 == 0)
			unlock_all(s.h2);
		if (random_next(&seed) % 4 == 0)
			cancel(s.h2);
	}
}

static pid_t start_unlucky(const struct stage *s, struct tally *t, __u64 seed)
{
	pid_t pid = child();

	if (pid)
		return pid;
	must(unlucky_fd = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC));
	live_badly(*s, t, seed);
	return 0;
}

static void lock_for_ever(const struct stage *s, struct tally *t)
{
	int h = must(make_holder(NULL));

	for (;;) {
		must(take(h, whole(s->space, "theirs", SLUICE_EX)));
		must(unlock(h, whole(s->space, "theirs", SLUICE_UNLOCKED)));
		store(&t->locked, t->locked + 1);
	}
}

static void publish_for_ever(const struct stage *s, struct tally *t)
{
	unsigned char buf[LENGTH];
	struct pub p;

	pub_join(&p, s->common);
	for (;;) {
		fill(buf, LENGTH, p.head);
		must(pub_send(&p, buf, LENGTH, 0, in_ms(4 * PATIENCE_MS)));
		store(&t->sent, t->sent + 1);
		sleep_us(500);
	}
}

static void receive_for_ever(const struct stage *s, struct tally *t)
{
	struct msg m;
	struct sub sub;

	sub_join_full(&sub, s->common, SLUICE_JOIN_STAY, 0);
	for (;;) {
		check(sub_recv(&sub, &m, in_ms(4 * PATIENCE_MS)) > 0);
		check(m.length == LENGTH && filled(m.data, LENGTH, m.position));
		sub_release(&sub, &m);
		store(&t->received, t->received + 1);
	}
}

static bool others_go_on(struct tally *t)
{
	struct tally was = *t;

	return until(load(&t->locked) > was.locked && load(&t->sent) > was.sent &&
		     load(&t->received) > was.received);
}

/* But for the marks that the dead leave. */
static bool is_back(const struct stage *s, const struct shape *before)
{
	struct shape now = shape_of(s);
	struct sluice_stat common = stat_of(s->common);

	now.resources = before->resources;
	return !memcmp(before, &now, sizeof(now)) && !common.publishers &&
		!common.subscribers;
}

TEST_F(failslab, lives_at_random)
{
	void (*const lives[])(const struct stage *s, struct tally *t) = {
		lock_for_ever, publish_for_ever, receive_for_ever,
	};
	static struct slabs slabs_before, slabs_now;
	struct stage *s = &self->s;
	struct tally *t = shared(sizeof(*t));
	unsigned long kills = scaled(600, 40), i;
	struct shape before;
	pid_t other[ARRAY(lives)], pid[UNLUCKY];
	const struct slab *grown;
	__u64 seed = seeded(31);
	int k, n, status;

	before = shape_of(s);
	slabs_read(&slabs_before);
	for (k = 0; k < ARRAY(lives); k++) {
		other[k] = child();
		if (!other[k])
			lives[k](s, t);
	}
	ASSERT_TRUE(others_go_on(t));
	for (k = 0; k < UNLUCKY; k++)
		pid[k] = start_unlucky(s, t, random_next(&seed));
	for (i = 0; i < kills; i++) {
		inject_chance(1 + random_next(&seed) % 20);
		sleep_us(random_next(&seed) % 50000);
		k = random_next(&seed) % UNLUCKY;
		must(kill(pid[k], SIGKILL));
		ASSERT_EQ(-SIGKILL, reap_slowly(pid[k]))
			TH_LOG("one found fault after %lu kills", i);
		pid[k] = start_unlucky(s, t, random_next(&seed));
		for (n = 0; n < ARRAY(lives); n++)
			ASSERT_EQ(0, waitpid(other[n], &status, WNOHANG))
				TH_LOG("number %d noticed, after %lu kills", n, i);
	}
	EXPECT_TRUE(others_go_on(t));
	for (k = 0; k < UNLUCKY; k++)
		kill_and_reap(pid[k]);
	for (k = 0; k < ARRAY(lives); k++)
		kill_and_reap(other[k]);
	figure(kills, "processes killed in which any step failed at random");
	figure(t->tried, "calls of theirs");
	figure(t->refused, "of them that said so");
	EXPECT_LT(kills, t->refused);
	EXPECT_GT(t->tried, t->refused);
	EXPECT_TRUE(until(is_back(s, &before)));
	EXPECT_TRUE(until((slabs_read(&slabs_now),
			   !(grown = slabs_grown(&slabs_before, &slabs_now,
						 64 + kills / 10)))))
		TH_LOG("more %s than before", grown ? grown->name : "");
}

TEST_HARNESS_MAIN
