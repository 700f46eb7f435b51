// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histories: many processes do random things to a few resources, are killed,
 * stopped and continued, and each writes down when it called and when the call
 * returned. Afterwards it is looked up whether all that could be.
 *
 * A grant is certainly there from the return of LOCK to the next call that
 * could take it away, or to the moment before its holder was killed: whatever
 * overlaps by these times did overlap.
 *
 * timeout: 180
 */
#include "lock.h"

#define WORKERS		6
#define KEYS		3
#define BYTES		8
#define OPS_MAX		30000		/* of each worker */
#define ITEMS_EACH	2

enum op_kind { OP_LOCK, OP_UNLOCK, OP_UNLOCK_ALL, OP_KILLED };

struct op_item {
	__u8 key, start, end, mode;
	__u64 token;
};

struct op {
	__s64 call, ret;		/* ret 0: did not return */
	__u8 kind, n, any;
	__u32 index;
	int result;
	struct op_item item[ITEMS_EACH];
};

/* What one worker, and those that came after it, wrote down. */
struct log {
	__u32 n;
	__u32 starved;			/* waited for longer than anyone should */
	struct op op[OPS_MAX];
};

struct history {
	bool stop;
	struct log log[WORKERS];
};

/*
 * Workers.
 */
struct worker {
	int space, h;
	__u64 seed;
	struct log *log;
	struct history *all;
};

static unsigned int below(struct worker *w, unsigned int n)
{
	return (random_next(&w->seed) >> 33) % n;
}

static struct sluice_item item_of(int space, const struct op_item *i)
{
	char key[2] = { 'a' + i->key, 0 };

	return range(space, key, i->mode, i->start,
		     i->end == BYTES - 1 ? SLUICE_END : i->end);
}

/* Reads are more common, as they are in life. */
static __u32 random_mode(struct worker *w)
{
	static const __u32 modes[] = {
		SLUICE_PR, SLUICE_PR, SLUICE_PR, SLUICE_EX, SLUICE_EX,
		SLUICE_UP, SLUICE_PW, SLUICE_CW, SLUICE_CR, SLUICE_NL,
	};

	return modes[below(w, ARRAY(modes))];
}

static void random_range(struct worker *w, struct op_item *i)
{
	unsigned int a = below(w, BYTES), b = below(w, BYTES);

	i->key = below(w, KEYS);
	i->start = a < b ? a : b;
	i->end = a < b ? b : a;
	if (!below(w, 4)) {
		i->start = 0;
		i->end = BYTES - 1;
	}
}

static bool meet(const struct op_item *a, const struct op_item *b)
{
	return a->key == b->key && a->start <= b->end && b->start <= a->end;
}

/* The next entry of the log; it counts from its call on. */
static struct op *op_begin(struct worker *w, enum op_kind kind)
{
	struct op *op = &w->log->op[w->log->n];

	memset(op, 0, sizeof(*op));
	op->kind = kind;
	return op;
}

static void op_call(struct worker *w, struct op *op)
{
	op->call = now_ns();
	__atomic_store_n(&w->log->n, w->log->n + 1, __ATOMIC_RELEASE);
}

static void op_return(struct op *op, int result)
{
	op->result = result;
	__atomic_store_n(&op->ret, now_ns(), __ATOMIC_RELEASE);
}

/* Asks, looks after it for a while, gives up. */
static int lock_async(struct worker *w, struct sluice_lock *l,
		      struct sluice_item *items, __u32 n)
{
	struct sluice_lock_event ev;
	int ret;

	l->flags |= SLUICE_LOCK_ASYNC;
	l->deadline = SLUICE_NO_DEADLINE;
	ret = lock_full(w->h, l, items, n);
	if (ret != -EINPROGRESS)
		return ret;
	if (!events_within(w->h, POLLIN, below(w, 4)))
		cancel(w->h);
	do {
		must(event_with(w->h, &ev, items, n));
	} while (ev.type != SLUICE_EVENT_DONE);
	l->index = ev.index;
	return -(int)ev.error;
}

static int lock_somehow(struct worker *w, struct sluice_lock *l,
			struct sluice_item *items, __u32 n)
{
	int ret;

	l->priority = below(w, 8) ? 0 : (int)below(w, 5) - 2;
	switch (below(w, 5)) {
	case 0:
		l->flags |= SLUICE_LOCK_TRY;
		return lock_full(w->h, l, items, n);
	case 1:
		l->deadline = now_ns() + below(w, 3000000);
		return lock_full(w->h, l, items, n);
	case 2:
		return lock_async(w, l, items, n);
	}
	l->deadline = in_ms(LOCK_PATIENCE_MS);
	ret = lock_full(w->h, l, items, n);
	w->log->starved += ret == -ETIMEDOUT;
	return ret;
}

static int do_lock(struct worker *w)
{
	struct op *op = op_begin(w, OP_LOCK);
	struct sluice_item items[ITEMS_EACH];
	struct sluice_lock l = { };
	int ret, i;

	op->n = 1 + !below(w, 3);
	op->any = op->n > 1 && below(w, 2);
	for (i = 0; i < op->n; i++) {
		random_range(w, &op->item[i]);
		op->item[i].mode = random_mode(w);
	}
	if (op->n > 1 && !op->any && meet(&op->item[0], &op->item[1]))
		op->n = 1;
	for (i = 0; i < op->n; i++)
		items[i] = item_of(w->space, &op->item[i]);
	l.flags = op->any ? SLUICE_LOCK_ANY : 0;
	op_call(w, op);
	ret = lock_somehow(w, &l, items, op->n);
	op->index = l.index;
	for (i = 0; i < op->n; i++)
		op->item[i].token = items[i].token;
	op_return(op, ret);
	return ret;
}

static void do_unlock(struct worker *w)
{
	struct op *op = op_begin(w, OP_UNLOCK);

	op->n = 1;
	random_range(w, &op->item[0]);
	if (!below(w, 3))
		op->item[0].mode = random_mode(w);
	op_call(w, op);
	op_return(op, unlock(w->h, item_of(w->space, &op->item[0])));
}

static void do_unlock_all(struct worker *w)
{
	struct op *op = op_begin(w, OP_UNLOCK_ALL);

	op_call(w, op);
	op_return(op, unlock_all(w->h));
}

/* For one more step, and for the end. */
static bool has_room(const struct worker *w)
{
	return w->log->n + 4 < OPS_MAX;
}

static void work(struct worker *w)
{
	if (!has_room(w))
		_exit(0);
	w->h = must(make_holder(NULL));
	while (!__atomic_load_n(&w->all->stop, __ATOMIC_RELAXED) && has_room(w)) {
		switch (below(w, 8)) {
		case 0 ... 3:
			switch (do_lock(w)) {
			case -EDEADLK:
			case -ETIMEDOUT:
				do_unlock_all(w);
				break;
			case 0:
			case -EAGAIN:
			case -ECANCELED:
				break;
			default:
				fail("LOCK: errno %d", -w->log->op[w->log->n - 1].result);
			}
			break;
		case 4 ... 5:
			do_unlock(w);
			break;
		case 6:
			do_unlock_all(w);
			break;
		default:
			sleep_us(below(w, 300));
		}
	}
	do_unlock_all(w);
	_exit(0);
}

/*
 * What is looked up: intervals in which a byte certainly was had, and tokens.
 */
struct interval {
	__s64 from, to;
	__u32 mode;
	int worker;
};

struct intervals {
	struct interval *v;
	size_t n, room;
};

static void interval_add(struct intervals *s, struct interval i)
{
	if (i.from >= i.to || i.mode <= SLUICE_NL)
		return;
	if (s->n == s->room) {
		s->room = s->room * 2 + 64;
		s->v = realloc(s->v, s->room * sizeof(*s->v));
		check(s->v);
	}
	s->v[s->n++] = i;
}

static int by_from(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

/* How many pairs of different workers overlap that do not go together. */
static unsigned long conflicts(struct intervals *s)
{
	struct interval last[WORKERS][MODES] = { };
	unsigned long found = 0;
	size_t i;
	int w;
	__u32 m;

	qsort(s->v, s->n, sizeof(*s->v), by_from);
	for (i = 0; i < s->n; i++) {
		const struct interval *v = &s->v[i];

		for (w = 0; w < WORKERS; w++)
			for (m = SLUICE_CR; m < MODES; m++)
				if (w != v->worker && last[w][m].to > v->from &&
				    !goes_with(m, v->mode))
					found++;
		last[v->worker][v->mode] = *v;
	}
	return found;
}

/* One byte as one worker's log goes: what it is, and since when for certain. */
struct byte_state {
	__u32 mode;
	__s64 since;
};

static void byte_set(struct intervals *s, struct byte_state *b, int worker,
		     __s64 until, __u32 mode, __s64 since)
{
	interval_add(s, (struct interval){ b->since, until, b->mode, worker });
	b->mode = mode;
	b->since = since;
}

static bool covers(const struct op *op, __u32 i, int key, int byte)
{
	return op->item[i].key == key && op->item[i].start <= byte &&
		byte <= op->item[i].end;
}

/* What @op did to a byte. */
static void byte_apply(struct intervals *s, struct byte_state *b, int worker,
		       const struct op *op, int key, int byte)
{
	__u32 i;

	if (op->kind == OP_UNLOCK_ALL || op->kind == OP_KILLED)
		return byte_set(s, b, worker, op->call, 0, 0);
	for (i = 0; i < op->n; i++) {
		if (!covers(op, i, key, byte))
			continue;
		if (!op->ret)		/* nobody knows: no longer certain */
			byte_set(s, b, worker, op->call, 0, 0);
		else if (!op->result && (!op->any || op->index == i) &&
			 (op->kind == OP_LOCK || b->mode))
			byte_set(s, b, worker, op->call, op->item[i].mode, op->ret);
	}
}

static unsigned long conflicts_of_byte(const struct history *h, int key, int byte)
{
	struct intervals s = { };
	unsigned long found;
	int w;
	__u32 i;

	for (w = 0; w < WORKERS; w++) {
		struct byte_state b = { };

		for (i = 0; i < h->log[w].n; i++)
			byte_apply(&s, &b, w, &h->log[w].op[i], key, byte);
		byte_set(&s, &b, w, SLUICE_NO_DEADLINE, 0, 0);
	}
	found = conflicts(&s);
	free(s.v);
	return found;
}

static unsigned long all_conflicts(const struct history *h)
{
	unsigned long found = 0;
	int key, byte;

	for (key = 0; key < KEYS; key++)
		for (byte = 0; byte < BYTES; byte++)
			found += conflicts_of_byte(h, key, byte);
	return found;
}

struct token {
	__s64 call, ret;
	__u64 token;
};

static int by_call(const void *a, const void *b)
{
	const struct token *x = a, *y = b;

	return (x->call > y->call) - (x->call < y->call);
}

static int by_ret(const void *a, const void *b)
{
	const struct token *x = a, *y = b;

	return (x->ret > y->ret) - (x->ret < y->ret);
}

static size_t tokens_of(const struct history *h, struct token *t)
{
	size_t n = 0;
	__u32 i, k;
	int w;

	for (w = 0; w < WORKERS; w++)
		for (i = 0; i < h->log[w].n; i++) {
			const struct op *op = &h->log[w].op[i];

			if (op->kind != OP_LOCK || !op->ret || op->result)
				continue;
			for (k = 0; k < op->n; k++)
				if (has_token(op->item[k].mode) &&
				    (!op->any || op->index == k))
					t[n++] = (struct token){
						op->call, op->ret,
						op->item[k].token,
					};
		}
	return n;
}

/* Grants asked for after another had been told, whose token is not greater. */
static unsigned long token_faults(const struct history *h)
{
	size_t room = (size_t)WORKERS * OPS_MAX * ITEMS_EACH;
	struct token *calls = calloc(room, sizeof(*calls)), *rets;
	size_t n = tokens_of(h, calls), i, done = 0;
	unsigned long found = 0;
	__u64 most = 0;

	rets = calloc(n + 1, sizeof(*rets));
	memcpy(rets, calls, n * sizeof(*rets));
	qsort(calls, n, sizeof(*calls), by_call);
	qsort(rets, n, sizeof(*rets), by_ret);
	for (i = 0; i < n; i++) {
		for (; done < n && rets[done].ret < calls[i].call; done++)
			if (rets[done].token > most)
				most = rets[done].token;
		found += calls[i].token <= most;
	}
	free(calls);
	free(rets);
	return found;
}

/*
 * The checker sees what it is there for.
 */
static void tell(struct history *h, int w, enum op_kind kind, __s64 call, __s64 ret,
		 struct op_item item)
{
	h->log[w].op[h->log[w].n++] = (struct op){
		.call = call, .ret = ret, .kind = kind, .n = 1, .item = { item },
	};
}

#define ITEM(start, end, mode, token)	\
	((struct op_item){ 0, start, end, SLUICE_##mode, token })

TEST(checker_sees_overlaps)
{
	struct history *h = shared(sizeof(*h));

	tell(h, 0, OP_LOCK, 10, 20, ITEM(0, 3, EX, 1));
	tell(h, 1, OP_LOCK, 5, 40, ITEM(3, 5, PR, 0));
	tell(h, 0, OP_UNLOCK, 39, 50, ITEM(0, 7, UNLOCKED, 0));
	EXPECT_EQ(0, all_conflicts(h)) TH_LOG("it may have been in between");
	tell(h, 2, OP_LOCK, 41, 60, ITEM(0, 3, PR, 0));
	EXPECT_EQ(0, all_conflicts(h)) TH_LOG("two that share");
	tell(h, 2, OP_UNLOCK, 70, 71, ITEM(0, 2, UNLOCKED, 0));
	tell(h, 3, OP_LOCK, 60, 65, ITEM(2, 2, CW, 0));
	EXPECT_EQ(1, all_conflicts(h)) TH_LOG("from 65 to 70");
	tell(h, 2, OP_KILLED, 90, 0, ITEM(0, 0, UNLOCKED, 0));
	tell(h, 3, OP_LOCK, 66, 89, ITEM(3, 3, PW, 2));
	EXPECT_EQ(3, all_conflicts(h)) TH_LOG("with 1 and 2");
	tell(h, 4, OP_LOCK, 66, 91, ITEM(4, 4, EX, 3));
	EXPECT_EQ(4, all_conflicts(h)) TH_LOG("and 4 with 1");
}

TEST(checker_sees_tokens)
{
	struct history *h = shared(sizeof(*h));

	tell(h, 0, OP_LOCK, 10, 20, ITEM(0, 3, EX, 7));
	tell(h, 1, OP_LOCK, 15, 30, ITEM(5, 5, UP, 6));
	tell(h, 2, OP_LOCK, 31, 40, ITEM(5, 5, PR, 0));
	EXPECT_EQ(0, token_faults(h));
	tell(h, 2, OP_LOCK, 31, 40, ITEM(5, 5, PW, 7));
	EXPECT_EQ(1, token_faults(h)) TH_LOG("twice the same");
	tell(h, 3, OP_LOCK, 41, 50, ITEM(5, 5, EX, 5));
	EXPECT_EQ(2, token_faults(h));
}

/*
 * The run.
 */
FIXTURE(history) {
	int space;
	struct history *all;
	pid_t pid[WORKERS];
	__u64 seed;
	unsigned long kills, stops;
};

FIXTURE_VARIANT(history) {
	bool kill, stop;
	__u64 seed;
	__u32 victim;
};

FIXTURE_VARIANT_ADD(history, undisturbed) { false, false, 1, SLUICE_VICTIM_REQUESTER };
FIXTURE_VARIANT_ADD(history, stopped) { false, true, 2, SLUICE_VICTIM_YOUNGEST };
FIXTURE_VARIANT_ADD(history, killed) { true, false, 3, SLUICE_VICTIM_REQUESTER };
FIXTURE_VARIANT_ADD(history, killed_and_stopped) { true, true, 4, SLUICE_VICTIM_PRIORITY };

static void worker_start(FIXTURE_DATA(history) *self, int i)
{
	struct worker w = {
		.space = self->space, .seed = random_next(&self->seed),
		.log = &self->all->log[i], .all = self->all,
	};

	self->pid[i] = child();
	if (!self->pid[i])
		work(&w);
}

FIXTURE_SETUP(history)
{
	int i;

	device();
	self->seed = seeded(variant->seed);
	self->space = make_lockspace(NULL, variant->victim);
	ASSERT_LE(0, self->space);
	self->all = shared(sizeof(*self->all));
	for (i = 0; i < WORKERS; i++)
		worker_start(self, i);
}

FIXTURE_TEARDOWN(history)
{
	munmap(self->all, sizeof(*self->all));
	close(self->space);
}

/* Killed; what it had, it had at least until just before. */
static void worker_kill(FIXTURE_DATA(history) *self, int i)
{
	struct log *log = &self->all->log[i];
	struct op killed = { .kind = OP_KILLED, .call = now_ns() };

	kill_and_reap(self->pid[i]);
	if (log->n < OPS_MAX)
		log->op[log->n++] = killed;
	worker_start(self, i);
}

static void disturb(FIXTURE_DATA(history) *self, bool kills, bool stops)
{
	int i = (random_next(&self->seed) >> 33) % WORKERS;

	sleep_us(random_next(&self->seed) % 8000);
	if (stops && random_next(&self->seed) & 1 << 20) {
		kill(self->pid[i], SIGSTOP);
		sleep_us(random_next(&self->seed) % 20000);
		kill(self->pid[i], SIGCONT);
		self->stops++;
	} else if (kills) {
		worker_kill(self, i);
		self->kills++;
	}
}

/* Everyone ends: whoever waits gets what it waits for, now that others let go. */
static bool all_end(FIXTURE_DATA(history) *self)
{
	bool ok = true;
	int i;

	__atomic_store_n(&self->all->stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < WORKERS; i++) {
		kill(self->pid[i], SIGCONT);
		if (reap(self->pid[i])) {
			fprintf(stderr, "# worker %d\n", i);
			ok = false;
		}
	}
	return ok;
}

/* What nobody has and nobody doubts is forgotten. */
static void back_to_the_start(int space)
{
	int h = must(make_holder(NULL)), key;

	for (key = 0; key < KEYS; key++) {
		struct sluice_item i = whole(space, (char []){ 'a' + key, 0 },
					     SLUICE_EX);

		must(try(h, i));
		must(recover(h, i, SLUICE_RECOVER_CONSISTENT));
	}
	must(unlock_all(h));
	check(lockspace_stat(space).resources == 0);
	check(count_state(space, 0, SLUICE_LOCK_DIED) == 0);
	close(h);
}

static unsigned long grants_of(const struct history *h)
{
	unsigned long grants = 0;
	int w;
	__u32 i;

	for (w = 0; w < WORKERS; w++)
		for (i = 0; i < h->log[w].n; i++) {
			const struct op *op = &h->log[w].op[i];

			grants += op->kind == OP_LOCK && op->ret && !op->result;
		}
	return grants;
}

TEST_F(history, could_have_been)
{
	__s64 end = in_ms(4000);
	struct history *h = self->all;
	unsigned long ops = 0, starved = 0;
	int i;

	while (now_ns() < end)
		disturb(self, variant->kill, variant->stop);
	EXPECT_TRUE(all_end(self)) TH_LOG("somebody did not end");
	for (i = 0; i < WORKERS; i++) {
		ops += h->log[i].n;
		starved += h->log[i].starved;
	}
	figure(ops, "operations on locks");
	figure(grants_of(h), "grants checked against all others");
	figure(self->kills, "processes killed");
	figure(self->stops, "processes suspended");
	EXPECT_LT(100, ops);
	EXPECT_EQ(0, starved);
	EXPECT_EQ(0, all_conflicts(h));
	EXPECT_EQ(0, token_faults(h));
	EXPECT_TRUE(until(!lockspace_stat(self->space).grants));
	EXPECT_EQ(0, waiting_in(self->space));
	back_to_the_start(self->space);
}

TEST_HARNESS_MAIN
