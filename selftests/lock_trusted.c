// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trusted lockspaces: who locks by writing a word, and who by a call, keep each
 * other out; the kernel finds out who has what when it has to, repairs what the
 * dead left, and takes no harm from those who write what they should not.
 *
 * timeout: 300
 */
#include "lock.h"
#include "shared.h"

#define WORDS	8

struct words {
	int space;
	unsigned char *map;
	__u64 size;
};

/* The word of @key, which @h may write from now on. */
static __u64 *word(struct words *words, int h, const char *key)
{
	struct sluice_word_open w = { };

	must(word_full(h, &w, words->space, key));
	if (!words->map) {
		words->size = w.size;
		words->map = map_area(words->space, 0, w.size,
				      PROT_READ | PROT_WRITE);
	}
	check(w.size == words->size && w.offset < w.size);
	return (__u64 *)(words->map + w.offset);
}

static bool fast_lock(__u64 *w, __u64 id)
{
	__u64 owner = SLUICE_WORD_FREE;

	return __atomic_compare_exchange_n(w, &owner, id, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool fast_unlock(__u64 *w, __u64 id)
{
	return __atomic_compare_exchange_n(w, &id, SLUICE_WORD_FREE, false,
					   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

static __u64 owner_of(__u64 *w)
{
	return __atomic_load_n(w, __ATOMIC_ACQUIRE);
}

FIXTURE(trusted) {
	struct cast c;
	struct words words;
	__u64 *x, *y;
};

FIXTURE_SETUP(trusted)
{
	int i;

	cast_make(&self->c, 4);
	close(self->c.space);
	self->c.space = must(make_trusted(WORDS));
	self->words.space = self->c.space;
	for (i = 0; i < self->c.n; i++) {
		self->x = word(&self->words, self->c.h[i], "x");
		self->y = word(&self->words, self->c.h[i], "y");
	}
}

FIXTURE_TEARDOWN(trusted)
{
	if (self->words.map)
		unmap(self->words.map, self->words.size);
	cast_close(&self->c);
}

#define A		(self->c.h[0])
#define B		(self->c.h[1])
#define C		(self->c.h[2])
#define IDA		(self->c.id[0])
#define IDB		(self->c.id[1])
#define SPACE		(self->c.space)
#define X(mode)		whole(SPACE, "x", SLUICE_##mode)
#define Y(mode)		whole(SPACE, "y", SLUICE_##mode)
#define XR(mode, s, e)	range(SPACE, "x", SLUICE_##mode, s, e)

/*
 * Getting a word.
 */
TEST(refused)
{
	int space = must(make_trusted(WORDS)), plain = must(make_lockspace(NULL, 0));
	int h = must(make_holder(NULL)), weak;
	struct sluice_restrict r = { .access = SLUICE_READ };
	struct sluice_word_open w = { };
	long size = sysconf(_SC_PAGESIZE);

	weak = must(call(space, SLUICE_IOC_RESTRICT, &r));
	EXPECT_EQ(-EINVAL, make_trusted(SLUICE_WORDS_MAX + 1));
	EXPECT_EQ(-EOPNOTSUPP, word_full(h, &w, plain, "x"));
	EXPECT_EQ(-EACCES, word_full(h, &w, weak, "x"));
	EXPECT_EQ(-EBADF, word_full(h, &w, -1, "x"));
	EXPECT_EQ(-EINVAL, word_full(h, &w, h, "x"));
	EXPECT_EQ(-EINVAL, word_full(h, &w, space, ""));
	w.key_len = SLUICE_KEY_MAX + 1;
	w.lockspace = space;
	EXPECT_EQ(-EINVAL, call(h, SLUICE_IOC_WORD, &w));
	w.flags = 1;
	EXPECT_EQ(-EINVAL, word_full(h, &w, space, "x"));
	w.flags = 0;
	w.resv = 1;
	EXPECT_EQ(-EINVAL, word_full(h, &w, space, "x"));
	w.resv = 0;
	EXPECT_EQ(0, word_full(h, &w, space, "x"));
	EXPECT_EQ(size, w.size);

	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_READ, MAP_SHARED, plain, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_READ, MAP_SHARED, weak, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_READ, MAP_PRIVATE, space, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * size, PROT_READ, MAP_SHARED, space, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_READ, MAP_SHARED, space, size));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, size, PROT_EXEC, MAP_SHARED, space, 0));
	EXPECT_NE(0, errno);
	close(h);
	close(weak);
	close(plain);
	close(space);
}

TEST(as_many_as_there_may_be)
{
	struct words words = { .space = must(make_trusted(WORDS)) };
	struct sluice_word_open w = { };
	__u64 id, other, *at[WORDS];
	int h = must(make_holder(&id)), h2 = must(make_holder(&other)), i, j;
	char key[] = "0";

	for (i = 0; i < WORDS; i++) {
		key[0] = '0' + i;
		at[i] = word(&words, h, key);
		EXPECT_EQ(at[i], word(&words, h2, key));
		EXPECT_EQ(SLUICE_WORD_FREE, owner_of(at[i]));
		for (j = 0; j < i; j++)
			EXPECT_LE(64, labs((char *)at[i] - (char *)at[j]));
	}
	must(word_full(h2, &w, words.space, "0"));
	EXPECT_EQ(other, w.owner);
	EXPECT_EQ(-ENOSPC, word_full(h, &w, words.space, "more"));
	EXPECT_EQ(WORDS, lockspace_stat(words.space).resources);
	EXPECT_EQ(0, take(h, whole(words.space, "more", SLUICE_EX)));
	EXPECT_EQ(-EAGAIN, try(h2, whole(words.space, "more", SLUICE_PR)));
	EXPECT_EQ(0, unlock_all(h));
	EXPECT_EQ(WORDS, lockspace_stat(words.space).resources);
	close(h);
	close(h2);
	unmap(words.map, words.size);
	close(words.space);
}

TEST_F(trusted, not_with_a_block)
{
	struct sluice_word_open w = { };
	int block;

	EXPECT_EQ(-EBUSY, make_block(A, SPACE, "x", 4096));
	block = make_block(A, SPACE, "block", 4096);
	ASSERT_LE(0, block);
	EXPECT_EQ(-EBUSY, word_full(A, &w, SPACE, "block"));
	close(block);
}

/* One that is had when its word is made is not free. */
TEST_F(trusted, made_while_it_is_had)
{
	__u64 *z;

	ASSERT_EQ(0, take(B, whole(SPACE, "z", SLUICE_PR)));
	z = word(&self->words, A, "z");
	EXPECT_FALSE(fast_lock(z, IDA));
	EXPECT_EQ(0, unlock_all(B));
	EXPECT_TRUE(fast_lock(z, IDA));
}

/*
 * By word and by call.
 */
TEST_F(trusted, keeps_others_out)
{
	__u64 granted = lockspace_stat(SPACE).granted;
	__u32 mode;

	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_TRUE(fast_unlock(self->x, IDA));
	EXPECT_EQ(granted, lockspace_stat(SPACE).granted);
	for (mode = SLUICE_NL; mode < MODES; mode++) {
		struct sluice_item i = whole(SPACE, "x", mode);

		ASSERT_TRUE(fast_lock(self->x, IDA));
		EXPECT_FALSE(fast_lock(self->x, IDB));
		EXPECT_EQ(goes_with(SLUICE_EX, mode) ? 0 : -EAGAIN, try(B, i));
		EXPECT_EQ(SLUICE_WORD_KERNEL, owner_of(self->x));
		EXPECT_FALSE(fast_unlock(self->x, IDA));
		EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
		EXPECT_EQ(0, try(B, i));
		EXPECT_FALSE(fast_lock(self->x, IDA));
		EXPECT_EQ(goes_with(mode, SLUICE_PR) ? 0 : -EAGAIN,
			  try(A, X(PR)));
		EXPECT_EQ(0, unlock_all(A));
		EXPECT_EQ(0, unlock_all(B));
		EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	}
}

TEST_F(trusted, somebody_waits)
{
	struct waiter *w;

	ASSERT_TRUE(fast_lock(self->x, IDA));
	w = waiter_for(B, X(EX));
	EXPECT_FALSE(fast_unlock(self->x, IDA));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDB, "x", 0));
	EXPECT_EQ(0, unlock_all(B));
	EXPECT_TRUE(fast_lock(self->x, IDA));
}

TEST_F(trusted, waits_in_vain)
{
	struct sluice_item i = X(EX);

	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(-ETIMEDOUT, lock_until(B, &i, 1, 0, in_ms(50)));
	ASSERT_EQ(-EINPROGRESS, ask(B, X(PR)));
	EXPECT_EQ(0, cancel(B));
	EXPECT_EQ(-ECANCELED, outcome(B));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
}

/* One queues behind another: nobody gets it past them. */
TEST_F(trusted, first_come_first_served)
{
	struct waiter *b, *c;

	ASSERT_TRUE(fast_lock(self->x, IDA));
	b = waiter_for(B, X(EX));
	c = waiter_for(C, X(EX));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_FALSE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, waiter_end(b));
	EXPECT_EQ(0, unlock_all(B));
	EXPECT_FALSE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, waiter_end(c));
	EXPECT_EQ(0, unlock_all(C));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
}

TEST_F(trusted, deadlock)
{
	struct sluice_waits waits[4] = { };
	struct sluice_deadlock d = {
		.waits = (uintptr_t)waits, .count = 4,
		.entry_size = sizeof(waits[0]),
	};
	struct waiter *w;

	ASSERT_TRUE(fast_lock(self->x, IDA));
	ASSERT_TRUE(fast_lock(self->y, IDB));
	w = waiter_for(A, Y(EX));
	EXPECT_EQ(-EDEADLK, take(B, X(EX)));
	ASSERT_EQ(0, call(SPACE, SLUICE_IOC_DEADLOCK, &d));
	EXPECT_EQ(2, d.length);
	EXPECT_EQ(IDA + IDB, waits[0].holder + waits[1].holder);
	EXPECT_EQ(SLUICE_EX, waits[0].blocked_by);
	EXPECT_EQ(0, unlock(B, Y(UNLOCKED)));
	EXPECT_EQ(0, waiter_end(w));
}

TEST_F(trusted, all_and_any)
{
	struct sluice_item both[] = { X(EX), Y(EX) };
	struct waiter *w = calloc(1, sizeof(*w));

	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, lock_items(B, both, 2, SLUICE_LOCK_ANY | SLUICE_LOCK_TRY));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDB, "y", 0));
	EXPECT_EQ(0, unlock_all(B));
	memcpy(w->items, both, sizeof(both));
	w->l.count = 2;
	waiter_start(w, B);
	EXPECT_TRUE(until(waiting_in(SPACE) == 2));
	EXPECT_EQ(SLUICE_UNLOCKED, mode_at(SPACE, IDB, "y", 0));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(2, held_by(SPACE, IDB));
}

TEST_F(trusted, conversions_and_ranges)
{
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, take(A, X(PR)));
	EXPECT_EQ(0, try(B, X(PR)));
	EXPECT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, unlock(A, XR(UNLOCKED, 100, 199)));
	EXPECT_EQ(0, try(B, XR(EX, 100, 199)));
	EXPECT_EQ(-EAGAIN, try(C, XR(PR, 99, 99)));
	EXPECT_EQ(-EAGAIN, try(C, XR(PR, 200, 200)));
	EXPECT_EQ(0, unlock(B, XR(UNLOCKED, 0, SLUICE_END)));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, unlock(A, X(PW)));
	EXPECT_EQ(0, try(B, X(CR)));
}

/* A part of what a holder has by the word alone. */
TEST_F(trusted, a_range_within)
{
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, take(A, XR(PR, 10, 20)));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDA, "x", 9));
	EXPECT_EQ(SLUICE_PR, mode_at(SPACE, IDA, "x", 10));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDA, "x", 21));
	EXPECT_EQ(0, try(B, XR(PR, 10, 20)));
	EXPECT_EQ(-EAGAIN, try(B, XR(PR, 9, 20)));
	EXPECT_EQ(0, unlock_all(B));
	EXPECT_EQ(0, unlock(A, XR(UNLOCKED, 10, 20)));
	EXPECT_EQ(0, try(B, XR(EX, 10, 20)));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(0, try(B, X(EX)));
}

TEST_F(trusted, contention_is_told)
{
	struct sluice_lock_event ev;

	ASSERT_TRUE(fast_lock(self->x, IDA));
	ASSERT_EQ(-EINPROGRESS, ask(B, X(PR)));
	EXPECT_EQ(0, event_of(A, SLUICE_EVENT_CONTENDED, &ev));
	EXPECT_EQ(SLUICE_PR, ev.mode);
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(0, outcome(B));
}

TEST_F(trusted, tokens_and_values)
{
	struct sluice_value v = { .value = "of the dog" };
	struct sluice_item i = X(EX);
	__u64 token = 0;
	int n;

	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, lock_items(B, &i, 1, 0));
		EXPECT_LT(token, i.token);
		token = i.token;
		EXPECT_EQ(0, unlock_all(B));
		ASSERT_TRUE(fast_lock(self->x, IDA));
		EXPECT_EQ(-EAGAIN, try(B, X(EX)));
		EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	}
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, value_of(A, X(EX), SLUICE_VALUE_SET, &v));
	EXPECT_EQ(-EPERM, value_of(B, X(EX), 0, &v));
	EXPECT_EQ(0, renew(A, X(EX)));
	EXPECT_EQ(0, recover(A, X(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	EXPECT_EQ(0, take(B, X(PR)));
	memset(&v, 0, sizeof(v));
	EXPECT_EQ(0, value_of(B, X(EX), 0, &v));
	EXPECT_STREQ("of the dog", (char *)v.value);
}

TEST_F(trusted, can_be_seen)
{
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDA, "x", 0));
	EXPECT_EQ(SLUICE_UNLOCKED, mode_at(SPACE, IDA, "y", 0));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->y));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
}

/* To let go of what one does not have takes nobody's word. */
TEST_F(trusted, unlocked_without_being_had)
{
	EXPECT_EQ(0, unlock(B, X(UNLOCKED)));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, unlock(B, X(UNLOCKED)));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDA, "x", 0));
}

/*
 * Those who die.
 */
TEST_F(trusted, owner_dies)
{
	struct step step = step_make();
	struct sluice_item i = X(EX);
	struct waiter *w;
	pid_t pid = child();

	if (!pid) {
		__u64 id;
		int h = must(make_holder(&id));

		check(fast_lock(word(&self->words, h, "x"), id));
		check(fast_lock(word(&self->words, h, "y"), id));
		step_say(&step);
		for (;;)
			pause();
	}
	step_hear(&step);
	w = waiter_for(B, Y(EX));
	kill_and_reap(pid);
	EXPECT_EQ(0, waiter_end(w));
	EXPECT_EQ(SLUICE_OWNER_DIED, w->items[0].status);
	EXPECT_EQ(2, count_state(SPACE, 0, SLUICE_LOCK_DIED));
	EXPECT_FALSE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, lock_items(A, &i, 1, 0));
	EXPECT_EQ(SLUICE_OWNER_DIED, i.status);
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_FALSE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, take(A, X(EX)));
	EXPECT_EQ(0, recover(A, X(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(2, lockspace_stat(SPACE).died);
}

TEST_F(trusted, leaves_everything)
{
	ASSERT_TRUE(fast_lock(self->x, IDA));
	ASSERT_TRUE(fast_lock(self->y, IDA));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->y));
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
	ASSERT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, act_on(A, SLUICE_IOC_UNLOCK, NULL, 0,
			    SLUICE_UNLOCK_ALL | SLUICE_UNLOCK_DIED));
	EXPECT_EQ(1, lockspace_stat(SPACE).died);
	EXPECT_EQ(0, take(A, X(EX)));
	EXPECT_EQ(0, recover(A, X(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, unlock_all(A));
	ASSERT_TRUE(fast_lock(self->x, IDA));
	close(A);
	A = -1;
	EXPECT_EQ(2, lockspace_stat(SPACE).died);
	EXPECT_FALSE(fast_lock(self->x, IDB));
}

/* The holder goes after its lockspace, or before. */
TEST(lockspace_goes_first)
{
	struct words words = { .space = must(make_trusted(WORDS)) };
	__u64 id;
	int h = must(make_holder(&id));

	check(fast_lock(word(&words, h, "x"), id));
	unmap(words.map, words.size);
	close(words.space);
	EXPECT_EQ(0, unlock_all(h));
	close(h);
}

/* A mapping keeps it, too: what is in there is not forgotten. */
TEST_F(trusted, mapping_keeps_it)
{
	ASSERT_TRUE(fast_lock(self->x, IDA));
	close(SPACE);
	EXPECT_FALSE(fast_lock(self->x, IDB));
	EXPECT_EQ(0, unlock_all(A));
	EXPECT_TRUE(fast_lock(self->x, IDB));
	SPACE = -1;
}

TEST_F(trusted, in_many_lockspaces)
{
	struct words words[20] = { };
	__u64 *w[ARRAY(words)], id;
	int h = must(make_holder(&id)), i;

	for (i = 0; i < ARRAY(words); i++) {
		words[i].space = must(make_trusted(WORDS));
		w[i] = word(&words[i], h, "w");
		EXPECT_TRUE(fast_lock(w[i], id));
	}
	EXPECT_EQ(0, unlock_all(h));
	for (i = 0; i < ARRAY(words); i++) {
		EXPECT_TRUE(fast_lock(w[i], id));
		if (i % 2) {
			unmap(words[i].map, words[i].size);
			close(words[i].space);
		}
	}
	close(h);
	for (i = 0; i < ARRAY(words); i += 2) {
		EXPECT_EQ(1, lockspace_stat(words[i].space).died);
		unmap(words[i].map, words[i].size);
		close(words[i].space);
	}
}

/*
 * Those who write what they should not.
 */
TEST_F(trusted, strange_numbers)
{
	__u64 id, numbers[] = { ~0ULL - 1, 1ULL << 63, 0 };
	int stranger = must(make_holder(&id)), n;
	struct sluice_item i;

	numbers[2] = id;
	for (n = 0; n < ARRAY(numbers); n++) {
		__atomic_store_n(self->x, numbers[n], __ATOMIC_RELEASE);
		i = X(EX);
		ASSERT_EQ(0, lock_items(A, &i, 1, SLUICE_LOCK_TRY));
		EXPECT_EQ(SLUICE_OWNER_DIED, i.status);
		EXPECT_EQ(0, recover(A, X(EX), SLUICE_RECOVER_CONSISTENT));
		EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
		EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	}
	EXPECT_EQ(0, held_by(SPACE, id));
	close(stranger);
}

TEST_F(trusted, what_the_kernel_knows_counts)
{
	ASSERT_EQ(0, take(B, X(EX)));
	__atomic_store_n(self->x, SLUICE_WORD_FREE, __ATOMIC_RELEASE);
	EXPECT_TRUE(fast_lock(self->x, IDA));
	EXPECT_EQ(-EAGAIN, try(C, X(PR)));
	EXPECT_EQ(SLUICE_EX, mode_at(SPACE, IDB, "x", 0));
	EXPECT_EQ(SLUICE_UNLOCKED, mode_at(SPACE, IDA, "x", 0));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_EQ(0, unlock(B, X(UNLOCKED)));
	EXPECT_EQ(0, try(C, X(EX)));
	EXPECT_EQ(0, unlock_all(C));
	EXPECT_EQ(SLUICE_WORD_FREE, owner_of(self->x));
	/* Taken away from everybody: the next one who asks sets it right. */
	__atomic_store_n(self->x, SLUICE_WORD_KERNEL, __ATOMIC_RELEASE);
	EXPECT_FALSE(fast_lock(self->x, IDA));
	EXPECT_EQ(0, take(A, X(EX)));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_TRUE(fast_lock(self->x, IDA));
}

static void scribble(struct words *words, const __u64 *ids, int n, __u64 seed)
{
	__u64 *w = (__u64 *)words->map, value;

	for (;;) {
		value = random_next(&seed);
		switch (value % 4) {
		case 0:
			value = SLUICE_WORD_FREE;
			break;
		case 1:
			value = SLUICE_WORD_KERNEL;
			break;
		case 2:
			value = ids[(value >> 32) % n];
			break;
		}
		__atomic_store_n(w + random_next(&seed) % (words->size / 8),
				 value, __ATOMIC_RELAXED);
	}
}

/* Asks for all kinds of things; nothing is promised but an answer. */
static void act(int h, int space, __u64 *seed)
{
	__u64 r = random_next(seed);
	struct sluice_item i[2] = {
		range(space, r & 1 ? "x" : "y", 1 + (r >> 8) % SLUICE_EX,
		      (r >> 16) % 8, 8 + (r >> 24) % 8),
		whole(space, r & 1 ? "y" : "x", 1 + (r >> 32) % SLUICE_EX),
	};
	__u32 flags = (r >> 40) % 4 ? SLUICE_LOCK_TRY : 0;

	lock_until(h, i, 1 + (r >> 48) % 2, flags, in_ms(1));
	if ((r >> 52) % 3)
		return;
	i[0].mode = SLUICE_UNLOCKED;
	act_on(h, (r >> 56) % 2 ? SLUICE_IOC_UNLOCK : SLUICE_IOC_RECOVER, i, 1,
	       (r >> 56) % 2 ? 0 : SLUICE_RECOVER_CONSISTENT);
}

TEST_F(trusted, scribblers)
{
	unsigned long n, rounds = scaled(20000, 1000);
	struct sluice_item bystander = { };
	int other = must(make_lockspace(NULL, 0));
	pid_t pid[2];
	__u64 seed = seeded(1);
	int i;

	bystander = whole(other, "x", SLUICE_EX);
	for (i = 0; i < ARRAY(pid); i++) {
		pid[i] = child();
		if (!pid[i])
			scribble(&self->words, self->c.id, self->c.n, seeded(i + 7));
	}
	for (n = 0; n < rounds; n++) {
		act(self->c.h[n % 3], SPACE, &seed);
		if (!(n % 16))
			unlock_all(self->c.h[random_next(&seed) % 3]);
		if (!(n % 64)) {
			held_by(SPACE, 0);
			ASSERT_EQ(0, try(self->c.h[3], bystander));
			ASSERT_EQ(0, unlock_all(self->c.h[3]));
		}
	}
	for (i = 0; i < ARRAY(pid); i++)
		kill_and_reap(pid[i]);
	/* A word may say that any of them has it. */
	for (i = 0; i < self->c.n; i++)
		EXPECT_EQ(0, unlock_all(self->c.h[i]));
	for (i = 0; i < 2; i++) {
		struct sluice_item it = i ? Y(EX) : X(EX);

		EXPECT_EQ(0, take(A, it));
		EXPECT_EQ(0, recover(A, it, SLUICE_RECOVER_CONSISTENT));
		EXPECT_EQ(0, unlock_all(A));
		EXPECT_EQ(SLUICE_WORD_FREE, owner_of(i ? self->y : self->x));
	}
	EXPECT_EQ(0, lockspace_stat(SPACE).grants);
	close(other);
}

/*
 * Everybody at once.
 */

/* What the lock protects: two that are alike, unless somebody died between. */
struct pair {
	__u64 a, b;
	__u64 fast, slow, repaired;
	__u64 broken;
};

/* Mostly nobody has it, as it is where words are worth it. */
static void work(struct words *words, struct pair *pair, __u64 seed)
{
	__u64 id, *w;
	int h = must(make_holder(&id)), i;
	struct sluice_item item;

	w = word(words, h, "x");
	for (;;) {
		sleep_us(random_next(&seed) % 2000);
		bool fast = random_next(&seed) % 8 && fast_lock(w, id);

		item = whole(words->space, "x", SLUICE_EX);
		if (!fast)
			check(!lock_items(h, &item, 1, 0));
		if (fast)
			pair->fast++;
		else
			pair->slow++;
		if (item.status & SLUICE_OWNER_DIED) {
			pair->b = pair->a;
			pair->repaired++;
			check(!recover(h, item, SLUICE_RECOVER_CONSISTENT));
		}
		if (pair->a != pair->b)
			__atomic_add_fetch(&pair->broken, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&pair->a, pair->a + 1, __ATOMIC_RELAXED);
		for (i = random_next(&seed) % 200; i; i--)
			__asm__ __volatile__("");
		__atomic_store_n(&pair->b, pair->b + 1, __ATOMIC_RELAXED);
		item.mode = SLUICE_UNLOCKED;
		if (!fast_unlock(w, id))
			check(!unlock(h, item));
	}
}

TEST_F(trusted, storm)
{
	unsigned long kills = scaled(300, 30), n;
	struct pair *pair = shared(sizeof(*pair));
	pid_t pid[4];
	__u64 seed = seeded(3);
	int i;

	for (i = 0; i < ARRAY(pid); i++) {
		pid[i] = child();
		if (!pid[i])
			work(&self->words, pair, seeded(i + 1));
	}
	for (n = 0; n < kills; n++) {
		i = random_next(&seed) % ARRAY(pid);
		sleep_us(random_next(&seed) % 10000);
		kill_and_reap(pid[i]);
		pid[i] = child();
		if (!pid[i])
			work(&self->words, pair, seeded(n + 100));
	}
	for (i = 0; i < ARRAY(pid); i++)
		kill_and_reap(pid[i]);
	TH_LOG("%llu by word, %llu by call, %llu repaired",
	       (unsigned long long)pair->fast, (unsigned long long)pair->slow,
	       (unsigned long long)pair->repaired);
	figure(kills, "processes killed");
	figure(pair->fast + pair->slow, "trusted locks checked");
	EXPECT_EQ(0, pair->broken);
	EXPECT_LT(kills, pair->fast);
	EXPECT_LT(0, pair->slow);
	EXPECT_EQ(0, take(A, X(EX)));
	EXPECT_EQ(0, recover(A, X(EX), SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, unlock(A, X(UNLOCKED)));
	EXPECT_TRUE(fast_lock(self->x, IDA));
}

/* A child has its parent's mapping, and needs a holder of its own. */
TEST_F(trusted, child)
{
	pid_t pid;

	ASSERT_TRUE(fast_lock(self->y, IDA));
	pid = child();
	if (!pid) {
		__u64 id;
		int h = must(make_holder(&id));

		check(word(&self->words, h, "x") == self->x);
		check(fast_lock(self->x, id));
		check(!fast_lock(self->y, id));
		check(fast_unlock(self->x, id));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(fast_unlock(self->y, IDA));
	EXPECT_EQ(0, lockspace_stat(SPACE).died);
}

TEST_HARNESS_MAIN
