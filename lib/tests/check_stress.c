// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads for processes: every pattern and policy at full speed. A message is
 * filled with one number, so that a byte written too early or too late
 * shows; the fake kernel's sleeps end with an error if a wake-up is lost.
 */
#include <sched.h>
#include <stdlib.h>

#include "ring/atomic.h"
#include "suites.h"

#ifdef SL_TSAN
#define MESSAGES	6000
#else
#define MESSAGES	40000
#endif

#define THREADS_MAX	6

/* What a thread has to do and what came of it. */
struct worker {
	pthread_t thread;
	struct fake *fake;
	struct fake_publisher *pub;
	struct fake_subscriber *sub;
	uint32_t messages;
	uint32_t holds;
	unsigned int seed;
	uint64_t got;
	uint64_t lost;
	uint64_t sum;
	int result;
};

static size_t some_length(unsigned int *seed)
{
	static const size_t lengths[] = { 0, 1, 8, 64, 65, 200, 700, 1500 };

	return lengths[rand_r(seed) % 8];
}

/* A million interleavings are worth more than one repeated. */
static void dither(unsigned int *seed)
{
	switch (rand_r(seed) % 64) {
	case 0:
		sched_yield();
		break;
	case 1:
		for (int i = 0; i < 200; i++)
			sl_relax();
		break;
	}
}

static void *publisher_run(void *data)
{
	struct worker *worker = data;
	struct sluice_loan loan;

	for (uint32_t i = 0; i < worker->messages; i++) {
		size_t length = some_length(&worker->seed);

		worker->result = fake_loan(worker->pub, length, &loan);
		if (worker->result)
			return NULL;
		if (length)
			memset(loan.data, i & 0xff, length);
		loan.type = i;
		if (sl_writer_publish(&worker->pub->writer, &loan, 1) != 1) {
			worker->result = -EIO;
			return NULL;
		}
		dither(&worker->seed);
	}
	fake_publisher_leave(worker->pub, SLUICE_LEFT_EXITED);
	return NULL;
}

static bool intact(const struct sluice_message *message)
{
	const unsigned char *bytes = message->data;

	for (size_t i = 0; i < message->length; i++)
		if (bytes[i] != (message->type & 0xff))
			return false;
	return true;
}

/* Look at what is held once more, and let it go in a random order. */
static int let_go(struct worker *worker, struct sluice_message *held,
		  uint32_t *count)
{
	while (*count) {
		uint32_t i = rand_r(&worker->seed) % *count;
		bool good = intact(&held[i]);
		int err = sl_reader_release(&worker->sub->reader, &held[i], 1);

		if (err)
			return err;
		if (!good)
			return -EILSEQ;
		held[i] = held[--*count];
	}
	return 0;
}

static int account(struct worker *worker, const struct sluice_message *message,
		   uint64_t *next)
{
	bool queue = worker->fake->config.pattern == SLUICE_QUEUE;
	uint64_t *expected = &next[message->publisher];

	if (message->type != message->position || !intact(message))
		return -EILSEQ;
	if (!queue && message->position != *expected + message->lost)
		return -ERANGE;
	*expected = message->position + 1;
	worker->got++;
	worker->lost += message->lost;
	worker->sum += message->position;
	return 0;
}

static void *subscriber_run(void *data)
{
	struct worker *worker = data;
	struct sluice_message held[FAKE_HELD];
	uint64_t next[FAKE_PLACES] = { 0 };
	uint32_t count = 0;
	ssize_t n;

	for (;;) {
		uint32_t want = 1 + rand_r(&worker->seed) % 3;

		if (want > worker->holds - count)
			want = worker->holds - count;
		n = sl_reader_receive(&worker->sub->reader, held + count,
				      want);
		/* Who holds and waits may wait for itself. */
		if (n == -EAGAIN) {
			n = let_go(worker, held, &count);
			if (!n)
				n = fake_receive(worker->sub, held, want);
		}
		if (n < 0)
			break;
		for (ssize_t i = 0; i < n && !worker->result; i++)
			worker->result = account(worker, &held[count + i],
						 next);
		count += n;
		if (count == worker->holds || !(rand_r(&worker->seed) % 3))
			n = let_go(worker, held, &count);
		if (n < 0 || worker->result)
			break;
		dither(&worker->seed);
	}
	if (!worker->result && n != -EPIPE)
		worker->result = n;
	if (!worker->result)
		worker->result = let_go(worker, held, &count);
	fake_subscriber_leave(worker->sub, SLUICE_LEFT_EXITED);
	return NULL;
}

/**
 * run() - so many publishers and subscribers until all is read
 * @config: of the channel
 * @pubs: publishers; they are the first workers
 * @subs: subscribers
 * @workers: out: what came of each
 */
static void run(const struct sluice_config *config, int pubs, int subs,
		struct worker *workers)
{
	struct fake *fake = fake_new(config);

	memset(workers, 0, THREADS_MAX * sizeof(*workers));
	for (int i = 0; i < pubs + subs; i++) {
		workers[i].fake = fake;
		workers[i].seed = i + 1;
		workers[i].messages = MESSAGES;
		workers[i].holds = fake->config.held;
	}
	for (int i = pubs; i < pubs + subs; i++)
		workers[i].sub = fake_subscribe(fake, 0, 0);
	for (int i = 0; i < pubs; i++)
		workers[i].pub = fake_publish(fake);
	for (int i = 0; i < pubs + subs; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL,
						i < pubs ? publisher_run :
						subscriber_run, &workers[i]),
				 0);
	for (int i = 0; i < pubs + subs; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_int_eq(workers[i].result, 0);
	}
	for (int i = pubs; i < pubs + subs; i++)
		workers[i].lost = workers[i].sub->reader.stats.lost;
	fake_free(fake);
}

START_TEST(block_loses_nothing)
{
	struct sluice_config config = { .slots = 16, .pool = 8192 };
	struct worker workers[THREADS_MAX];

	run(&config, 1, 1, workers);
	ck_assert_uint_eq(workers[1].got, MESSAGES);
	ck_assert_uint_eq(workers[1].lost, 0);
	run(&config, 3, 3, workers);
	for (int i = 3; i < 6; i++) {
		ck_assert_uint_eq(workers[i].got, 3 * MESSAGES);
		ck_assert_uint_eq(workers[i].lost, 0);
	}
}
END_TEST

START_TEST(tiny_ring)
{
	struct sluice_config config = { .slots = 1, .pool = 4096, .held = 2 };
	struct worker workers[THREADS_MAX];

	run(&config, 2, 2, workers);
	for (int i = 2; i < 4; i++)
		ck_assert_uint_eq(workers[i].got, 2 * MESSAGES);
}
END_TEST

START_TEST(drop_oldest_counts_all)
{
	struct sluice_config config = {
		.policy = SLUICE_DROP_OLDEST, .slots = 16, .pool = 65536,
	};
	struct worker workers[THREADS_MAX];

	run(&config, 2, 3, workers);
	for (int i = 2; i < 5; i++)
		ck_assert_uint_eq(workers[i].got + workers[i].lost,
				  2 * MESSAGES);
}
END_TEST

START_TEST(queue_delivers_each_once)
{
	struct sluice_config config = {
		.pattern = SLUICE_QUEUE, .slots = 16, .pool = 8192,
	};
	struct worker workers[THREADS_MAX];
	uint64_t got = 0, sum = 0;

	run(&config, 2, 3, workers);
	for (int i = 2; i < 5; i++) {
		got += workers[i].got;
		sum += workers[i].sum;
	}
	ck_assert_uint_eq(got, 2 * MESSAGES);
	ck_assert_uint_eq(sum, (uint64_t)MESSAGES * (MESSAGES - 1));
}
END_TEST

/*
 * Subscribers come, read a little of what is kept for them, and go, while
 * publishers reclaim: what they receive is intact, in order, without a gap that
 * is not told.
 */
static void *visitor_run(void *data)
{
	struct worker *worker = data;
	struct sluice_message message;

	for (int visit = 0; visit < MESSAGES / 100 && !worker->result;
	     visit++) {
		struct fake_subscriber *sub = fake_subscribe(worker->fake, 0,
							     0);
		uint64_t next[FAKE_PLACES] = { 0 };

		for (int n = 0; n < 6 && !worker->result; n++) {
			ssize_t got = sl_reader_receive(&sub->reader, &message,
							1);

			if (got == -EAGAIN || got == -EPIPE)
				break;
			if (got != 1 || !intact(&message) ||
			    message.type != message.position ||
			    (next[message.publisher] && message.position !=
			     next[message.publisher] + message.lost))
				worker->result = -EILSEQ;
			next[message.publisher] = message.position + 1;
			sl_reader_release(&sub->reader, &message, 1);
			worker->got++;
		}
		fake_subscriber_dismiss(sub);
		dither(&worker->seed);
	}
	return NULL;
}

START_TEST(visitors)
{
	struct sluice_config config = { .slots = 16, .history = 5 };
	struct worker workers[4] = { 0 };
	struct fake *fake;

	/* Room for the history, or so little that it has to go. */
	config.pool = _i ? 4096 : 32768;
	fake = fake_new(&config);

	for (int i = 0; i < 4; i++) {
		workers[i].fake = fake;
		workers[i].seed = i + 1;
		workers[i].messages = 2 * MESSAGES;
	}
	workers[0].pub = fake_publish(fake);
	workers[1].pub = fake_publish(fake);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL,
						i < 2 ? publisher_run :
						visitor_run, &workers[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(workers[i].thread, NULL);
		ck_assert_int_eq(workers[i].result, 0);
	}
	ck_assert_uint_gt(workers[2].got + workers[3].got, 0);
	fake_free(fake);
}
END_TEST

Suite *suite_stress(void)
{
	Suite *suite = suite_create("stress");
	TCase *tc = tcase_create("stress");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, block_loses_nothing);
	tcase_add_test(tc, tiny_ring);
	tcase_add_test(tc, drop_oldest_counts_all);
	tcase_add_test(tc, queue_delivers_each_once);
	tcase_add_loop_test(tc, visitors, 0, 2);
	suite_add_tcase(suite, tc);
	return suite;
}
