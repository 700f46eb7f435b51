// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one call can cost others: whoever looks at much while a lock is held keeps
 * all waiting who need it. So each scenario builds something of few objects and
 * of FACTOR times as many, and times the one call that has to do with all of
 * them. It may take FACTOR times as long, and STEEP times that for what caches
 * and trees add; anything that is done to all of them for each of them takes
 * FACTOR times FACTOR times as long.
 *
 * Meanwhile a bystander goes on with something else that needs the same lock:
 * what it had to wait for at most is held against the same bound, and another.
 *
 * Where a call names several items, there are more of these, too, with more
 * objects.
 *
 * A busy machine makes single measurements much longer: so of many objects the
 * shortest of several counts, and what looks bad is measured again. Of few objects
 * it is the median: in so short a time it may be that just once nobody was met.
 *
 * timeout: 900
 */
#include "netlink.h"
#include "publish.h"

#define FACTOR		8
#define STEEP		3
#define ROUNDS		(slowness() > 1 ? 1 : 2)
#define ROUNDS_MAX	12
#define HOPELESS	4	/* when it is still twice too much, it stays so */

/* Below this nothing is too much: differences would be of the machine's doing. */
#define FLOOR_NS	(2 * NSEC_PER_MSEC * (slowness() > 1 ? 10 : 1))
#define WAIT_FLOOR_NS	(20 * NSEC_PER_MSEC * (slowness() > 1 ? 10 : 1))

/* And this always is, whatever the state, as there may be much more of it. */
#define WAIT_MAX_NS	(400 * NSEC_PER_MSEC * (slowness() > 1 ? 10 : 1))

/*
 * Somebody else, who asks for something, again and again.
 */
struct bystander {
	pid_t pid;
	int space;		/* of the same domain, with nothing in it */
	int sock;		/* to send it a channel to look at instead */
	struct bystander_log {
		bool watch, watching;
		unsigned long rounds;
		__s64 worst;
	} *log;
};

static void bystander_round(struct bystander_log *log, int h, struct sluice_item item,
			    int channel)
{
	__s64 start = now_ns(), took;

	if (channel >= 0) {
		stat_of(channel);
	} else {
		must(try(h, item));
		item.mode = SLUICE_UNLOCKED;
		must(unlock(h, item));
	}
	took = now_ns() - start;
	log->worst = took > log->worst ? took : log->worst;
	store(&log->rounds, log->rounds + 1);
}

static void bystander_run(struct bystander *b, int sock)
{
	struct sluice_item item = whole(b->space, "unrelated", SLUICE_EX);
	int h = must(make_holder(NULL)), channel = -1;

	for (;;) {
		while (!load_acquire(&b->log->watch)) {
			store_release(&b->log->watching, false);
			if (!events_of(sock, POLLIN)) {
				sleep_us(200);
				continue;
			}
			if (channel >= 0)
				close(channel);
			channel = recv_fd(sock);
		}
		store_release(&b->log->watching, true);
		bystander_round(b->log, h, item, channel);
	}
}

static void bystander_start(struct bystander *b)
{
	int sock[2];

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock));
	b->space = must(make_lockspace(NULL, 0));
	b->log = shared(4096);
	b->sock = sock[0];
	b->pid = child();
	if (!b->pid)
		bystander_run(b, sock[1]);
	close(sock[1]);
}

static void bystander_watch(struct bystander *b)
{
	unsigned long rounds;

	b->log->worst = 0;
	store_release(&b->log->watch, true);
	while (!load_acquire(&b->log->watching))
		sleep_us(50);
	rounds = load(&b->log->rounds);
	while (load(&b->log->rounds) - rounds < 3)
		sleep_us(50);
	/* What it waited for until now was its own beginning. */
	b->log->worst = 0;
}

static __s64 bystander_unwatch(struct bystander *b)
{
	store_release(&b->log->watch, false);
	while (load_acquire(&b->log->watching))
		sleep_us(50);
	return b->log->worst;
}

/*
 * What is built.
 */
struct stage {
	unsigned long n;	/* objects */
	unsigned long most;	/* of them, in the other measurement if not in this one */
	struct bystander *b;
	int space, h[4];
	int *fds, count;	/* others, closed from the last to the first */
	int channel;
	struct sluice_item items[SLUICE_ITEMS_MAX];
	int item_count;
	unsigned char *map;
	size_t map_size;
	__s64 took;		/* 0: what the caller's thread was busy */
};

static int hold(struct stage *s, int fd)
{
	s->fds = realloc(s->fds, (s->count + 1) * sizeof(*s->fds));
	return s->fds[s->count++] = must(fd);
}

static void drop(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* Whoever has locks in two lockspaces makes them one domain. */
static void link_spaces(struct stage *s, int space)
{
	must(take(s->h[3], whole(space, "link", SLUICE_NL)));
	must(take(s->h[3], whole(s->b->space, "link", SLUICE_NL)));
}

static void stage_begin(struct stage *s)
{
	struct rlimit lim = { 16384, 16384 };
	int i;

	must(setrlimit(RLIMIT_NOFILE, &lim));
	for (i = 0; i < ARRAY(s->h); i++)
		s->h[i] = must(make_holder(NULL));
	s->space = must(make_lockspace(NULL, 0));
	s->channel = -1;
	link_spaces(s, s->space);
	must(take(s->h[0], whole(s->space, "link", SLUICE_NL)));
}

static void stage_end(struct stage *s)
{
	int i;

	for (i = 0; i < ARRAY(s->h); i++)
		if (s->h[i] >= 0)
			close(s->h[i]);
	while (s->count)
		if (s->fds[--s->count] >= 0)
			close(s->fds[s->count]);
	free(s->fds);
	if (s->channel >= 0)
		close(s->channel);
	if (s->space >= 0)
		close(s->space);
}

/* As many items as there may be in one call, when there are most objects. */
static int items_for(const struct stage *s)
{
	unsigned long n = s->n * SLUICE_ITEMS_MAX / s->most;

	return n < 1 ? 1 : n > SLUICE_ITEMS_MAX ? SLUICE_ITEMS_MAX : n;
}

static void one_item(struct stage *s, struct sluice_item item)
{
	s->items[0] = item;
	s->item_count = 1;
}

/* They overlap, and all of them all that is held. */
static void many_items(struct stage *s, struct sluice_item item)
{
	int i;

	s->item_count = items_for(s);
	for (i = 0; i < s->item_count; i++)
		s->items[i] = item;
}

/*
 * Ranges of one holder. Every second one is of another mode: they may touch, and
 * stay apart.
 */
static void take_ranges(int h, struct sluice_item item, unsigned long n, __u64 apart,
			__u32 even, __u32 odd)
{
	struct sluice_item items[SLUICE_ITEMS_MAX];
	unsigned long i;
	int k;

	for (i = 0; i < n; i += k) {
		for (k = 0; k < ARRAY(items) && i + k < n; k++) {
			items[k] = item;
			items[k].start = (i + k) * apart;
			items[k].end = items[k].start + (apart > 2 ? apart - 1 : 0);
			items[k].mode = (i + k) & 1 ? odd : even;
		}
		must(lock_items(h, items, k, 0));
	}
}

static struct sluice_item what(const struct stage *s, __u32 mode)
{
	return whole(s->space, "x", mode);
}

static struct sluice_item nth(const struct stage *s, unsigned long i, __u32 mode)
{
	char key[32];

	snprintf(key, sizeof(key), "number %lu", i);
	return whole(s->space, key, mode);
}

static void build_ranges(struct stage *s)
{
	take_ranges(s->h[0], what(s, 0), s->n, 2, SLUICE_EX, SLUICE_EX);
}

static void build_touching(struct stage *s)
{
	take_ranges(s->h[0], what(s, 0), s->n, 1, SLUICE_EX, SLUICE_PW);
}

static void build_names(struct stage *s)
{
	struct sluice_item items[SLUICE_ITEMS_MAX];
	unsigned long i;
	int k;

	for (i = 0; i < s->n; i += k) {
		for (k = 0; k < ARRAY(items) && i + k < s->n; k++)
			items[k] = nth(s, i + k, SLUICE_EX);
		must(lock_items(s->h[0], items, k, 0));
	}
}

static void all_but_end(struct stage *s, __u32 mode, bool many)
{
	struct sluice_item item = what(s, mode);

	item.end = 4 * s->n;
	if (many)
		many_items(s, item);
	else
		one_item(s, item);
}

static void ranges_one(struct stage *s)
{
	build_ranges(s);
	all_but_end(s, SLUICE_UNLOCKED, false);
}

static void ranges_many(struct stage *s)
{
	build_ranges(s);
	all_but_end(s, SLUICE_UNLOCKED, true);
}

static void downgrade_one(struct stage *s)
{
	build_ranges(s);
	all_but_end(s, SLUICE_NL, false);
}

static void downgrade_many(struct stage *s)
{
	build_touching(s);
	all_but_end(s, SLUICE_NL, true);
}

static void do_unlock(struct stage *s)
{
	must(act_on(s->h[0], SLUICE_IOC_UNLOCK, s->items, s->item_count, 0));
}

static void do_unlock_all(struct stage *s)
{
	must(unlock_all(s->h[0]));
}

static void do_close(struct stage *s)
{
	drop(&s->h[0]);
}

/* RENEW wants all of the range to be held. */
static void lease_all(struct stage *s, bool many)
{
	struct sluice_item item = what(s, 0);

	build_touching(s);
	item.end = s->n - 1;
	item.lease = 3600 * NSEC_PER_SEC;
	if (many)
		many_items(s, item);
	else
		one_item(s, item);
}

static void renew_one(struct stage *s)
{
	lease_all(s, false);
}

static void renew_many(struct stage *s)
{
	lease_all(s, true);
}

static void do_renew(struct stage *s)
{
	must(act_on(s->h[0], SLUICE_IOC_RENEW, s->items, s->item_count, 0));
}

/* A number of marks, of which there are some hundred at most. */
static void marks(struct stage *s, unsigned long n)
{
	take_ranges(s->h[1], what(s, 0), n, 2, SLUICE_EX, SLUICE_EX);
	drop(&s->h[1]);
}

static void recover_ranges(struct stage *s)
{
	struct sluice_item item = what(s, 0);

	build_touching(s);
	item.end = s->n - 1;
	many_items(s, item);
}

static void recover_marks(struct stage *s)
{
	marks(s, s->n);
	must(take(s->h[0], what(s, SLUICE_EX)));
	many_items(s, what(s, 0));
}

static void do_recover(struct stage *s)
{
	must(act_on(s->h[0], SLUICE_IOC_RECOVER, s->items, s->item_count,
		    SLUICE_RECOVER_CONSISTENT));
}

static void do_lose(struct stage *s)
{
	must(act_on(s->h[0], SLUICE_IOC_RECOVER, s->items, s->item_count,
		    SLUICE_RECOVER_LOST));
}

/* Of all that it has there is nothing that lets it read. */
static void value_ranges(struct stage *s)
{
	take_ranges(s->h[0], what(s, 0), s->n, 2, SLUICE_NL, SLUICE_NL);
}

static void do_value(struct stage *s)
{
	struct sluice_value v = { };

	check(value_of(s->h[0], what(s, 0), 0, &v) == -EPERM);
}

/* All leases of a holder end at once. */
static void revoked(struct stage *s)
{
	lease_all(s, false);
	s->items[0].lease = 1;
	do_renew(s);
	check(until(lockspace_stat(s->space).grants <= 2));
}

static void do_events(struct stage *s)
{
	struct sluice_lock_event ev;
	unsigned long n = 0;

	while (!event_now(s->h[0], &ev))
		n += ev.type == SLUICE_EVENT_REVOKED;
	check(n == s->n);
}

static void do_leases_end(struct stage *s)
{
	__s64 start = now_ns();

	s->items[0].lease = 1;
	do_renew(s);
	while (lockspace_stat(s->space).grants > 2)
		sleep_us(500);
	s->took = now_ns() - start;
}

/* Resources that nobody has, but that remember something. */
static void remembered(struct stage *s)
{
	struct sluice_value v = { .value = { 1 } };
	struct sluice_item item;
	unsigned long i;

	for (i = 0; i < s->n; i++) {
		item = nth(s, i, SLUICE_EX);
		must(take(s->h[0], item));
		must(value_of(s->h[0], item, SLUICE_VALUE_SET, &v));
		item.mode = SLUICE_UNLOCKED;
		must(unlock(s->h[0], item));
	}
}

static void do_close_space(struct stage *s)
{
	drop(&s->space);
}

/*
 * Many holders, of which each waits.
 */
static int waits_for(struct stage *s, struct sluice_item item)
{
	int h = hold(s, make_holder(NULL));

	check(ask(h, item) == -EINPROGRESS);
	return h;
}

static void readers_behind_writer(struct stage *s)
{
	unsigned long i;

	must(take(s->h[0], what(s, SLUICE_EX)));
	for (i = 0; i < s->n; i++)
		waits_for(s, what(s, SLUICE_PR));
}

/* And one more, who wants to write. */
static void readers_and_writer(struct stage *s)
{
	readers_behind_writer(s);
	check(ask(s->h[1], what(s, SLUICE_EX)) == -EINPROGRESS);
}

static void do_cancel_reader(struct stage *s)
{
	must(cancel(s->fds[s->count / 2]));
}

static void do_cancel_writer(struct stage *s)
{
	must(cancel(s->h[1]));
}

static void do_close_reader(struct stage *s)
{
	drop(&s->fds[s->count / 2]);
}

static void do_try(struct stage *s)
{
	check(try(s->h[2], what(s, SLUICE_PR)) == -EAGAIN);
}

static void do_ask(struct stage *s)
{
	check(ask(s->h[2], what(s, SLUICE_PR)) == -EINPROGRESS);
}

static void do_ask_first(struct stage *s)
{
	check(ask_urgently(s->h[2], what(s, SLUICE_PR), 1) == -EINPROGRESS);
}

/* One that waits for a moment only gives up. */
static void do_deadline(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_CW);

	check(lock_until(s->h[2], &item, 1, 0, now_ns() + 20 * NSEC_PER_MSEC) ==
	      -ETIMEDOUT);
}

/* Readers hold something else, which another wants. */
static void readers_who_hold(struct stage *s)
{
	unsigned long i;
	int h;

	must(take(s->h[0], what(s, SLUICE_EX)));
	for (i = 0; i < s->n; i++) {
		h = hold(s, make_holder(NULL));
		must(take(h, nth(s, 0, SLUICE_PR)));
		check(ask(h, what(s, SLUICE_PR)) == -EINPROGRESS);
	}
	check(ask(s->h[1], what(s, SLUICE_EX)) == -EINPROGRESS);
	/* Of who has nothing nobody has to ask whether he is in a ring. */
	must(take(s->h[2], nth(s, 1, SLUICE_EX)));
}

static void do_ask_other(struct stage *s)
{
	check(ask(s->h[2], nth(s, 0, SLUICE_EX)) == -EINPROGRESS);
}

/* What nobody can have before the first one lets go. */
static void wants_of_ranges(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_EX);
	unsigned long i;

	must(take(s->h[0], item));
	for (i = 0; i < s->n; i++) {
		item.start = item.end = 2 * i;
		waits_for(s, item);
	}
	item.mode = SLUICE_UNLOCKED;
	item.start = item.end = SLUICE_END;
	one_item(s, item);
}

/* Few, of several ranges each, of which nobody has any but the last. */
static void wants_of_many_ranges(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_EX), items[SLUICE_ITEMS_MAX];
	int i, k, n = items_for(s);

	item.start = SLUICE_END - 1;
	must(take(s->h[0], item));
	for (i = 0; i < 16; i++) {
		for (k = 0; k < n; k++) {
			items[k] = item;
			items[k].start = items[k].end = 2 * (i * SLUICE_ITEMS_MAX + k);
		}
		items[n - 1].start = items[n - 1].end = SLUICE_END;
		check(lock_items(hold(s, make_holder(NULL)), items, n,
				 SLUICE_LOCK_ASYNC) == -EINPROGRESS);
	}
	item.mode = SLUICE_UNLOCKED;
	item.end = item.start;
	one_item(s, item);
}

/* Much is held that is in nobody's way, and before what is. */
static void wants_and_grants(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_CW);
	unsigned long i;

	take_ranges(s->h[1], item, s->n, 2, SLUICE_CR, SLUICE_CR);
	item.start = SLUICE_END - 1;
	must(take(s->h[0], item));
	for (i = 0; i < s->n; i++)
		waits_for(s, what(s, SLUICE_PR));
	item.mode = SLUICE_UNLOCKED;
	item.end = item.start;
	one_item(s, item);
}

/* Of what the caller has much itself, and another a little. */
static void choices_of_own(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_EX);

	build_ranges(s);
	item.start = SLUICE_END;
	must(take(s->h[1], item));
	many_items(s, what(s, SLUICE_EX));
}

static void do_try_any(struct stage *s)
{
	check(lock_items(s->h[0], s->items, s->item_count,
			 SLUICE_LOCK_ANY | SLUICE_LOCK_TRY) == -EAGAIN);
}

static void do_try_own(struct stage *s)
{
	check(try(s->h[0], what(s, SLUICE_EX)) == -EAGAIN);
}

static void wants_of_all(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_UNLOCKED);
	unsigned long i;

	must(take(s->h[0], what(s, SLUICE_EX)));
	for (i = 0; i < s->n; i++)
		waits_for(s, what(s, SLUICE_EX));
	item.start = SLUICE_END;
	one_item(s, item);
}

/* They are told that it is lost. */
static void wants_of_lost(struct stage *s)
{
	wants_of_all(s);
	one_item(s, what(s, 0));
}

/* They hold it, and are told that another wants it. */
static void readers(struct stage *s)
{
	unsigned long i;

	for (i = 0; i < s->n; i++)
		must(take(hold(s, make_holder(NULL)), what(s, SLUICE_PR)));
	must(take(s->h[1], nth(s, 1, SLUICE_EX)));
}

static void do_ask_readers(struct stage *s)
{
	check(ask(s->h[1], what(s, SLUICE_EX)) == -EINPROGRESS);
}

static void readers_asked(struct stage *s)
{
	readers(s);
	do_ask_readers(s);
}

static void wants_and_marks(struct stage *s)
{
	marks(s, 200);
	wants_of_all(s);
}

/* Who has some of it is let past those who wait for what he has: many, of many. */
static void converters(struct stage *s)
{
	unsigned long i;

	must(take(s->h[0], what(s, SLUICE_CW)));
	for (i = 0; i < s->n; i++)
		must(take(hold(s, make_holder(NULL)), what(s, SLUICE_CR)));
	for (i = 0; i < s->n; i++)
		waits_for(s, what(s, SLUICE_EX));
	for (i = 0; i < s->n; i++)
		check(ask(s->fds[i], what(s, SLUICE_PR)) == -EINPROGRESS);
}

static void do_cancel_converter(struct stage *s)
{
	must(cancel(s->fds[s->n / 2]));
}

/* Any of several, each of which the first one has. */
static void choices(struct stage *s)
{
	struct sluice_item items[16];
	const int n = ARRAY(items);
	unsigned long i;
	int k;

	for (k = 0; k < n; k++) {
		items[k] = nth(s, k, SLUICE_EX);
		must(take(s->h[0], items[k]));
		items[k].mode = SLUICE_PR;
	}
	for (i = 0; i < s->n; i++)
		check(lock_items(hold(s, make_holder(NULL)), items, n,
				 SLUICE_LOCK_ANY | SLUICE_LOCK_ASYNC) == -EINPROGRESS);
	one_item(s, nth(s, 0, SLUICE_UNLOCKED));
}

/* Each waits for the next one, and the last one is to wait for the first. */
static void ring(struct stage *s)
{
	unsigned long i;

	for (i = 0; i < s->n; i++)
		must(take(hold(s, make_holder(NULL)), nth(s, i, SLUICE_EX)));
	for (i = 0; i + 1 < s->n; i++)
		check(ask(s->fds[i], nth(s, i + 1, SLUICE_EX)) == -EINPROGRESS);
}

static void do_close_ring(struct stage *s)
{
	check(take(s->fds[s->n - 1], nth(s, 0, SLUICE_EX)) == -EDEADLK);
}

/* One request closes a ring with each, and each of them is to fail. */
static void rings(struct stage *s)
{
	unsigned long i;
	int h;

	drop(&s->space);
	s->space = must(make_lockspace(NULL, SLUICE_VICTIM_YOUNGEST));
	link_spaces(s, s->space);
	must(take(s->h[0], what(s, SLUICE_EX)));
	for (i = 0; i < s->n; i++) {
		h = hold(s, make_holder(NULL));
		must(take(h, nth(s, 0, SLUICE_PR)));
		check(ask(h, what(s, SLUICE_PR)) == -EINPROGRESS);
	}
}

static void do_close_rings(struct stage *s)
{
	check(take(s->h[0], nth(s, 0, SLUICE_EX)) == -EDEADLK);
}

/* What was the way out of a ring for each of them is lost. */
static void ways_out(struct stage *s)
{
	struct sluice_item items[2];
	unsigned long i;
	int h;

	must(take(s->h[0], nth(s, 0, SLUICE_EX)));
	must(take(s->h[1], nth(s, 1, SLUICE_EX)));
	for (i = 0; i < s->n; i++)
		must(take(hold(s, make_holder(NULL)), nth(s, 2, SLUICE_PR)));
	items[0] = nth(s, 0, SLUICE_PR);
	items[1] = nth(s, 1, SLUICE_PR);
	for (i = 0; i < s->n; i++) {
		h = s->fds[i];
		check(lock_items(h, items, 2, SLUICE_LOCK_ANY | SLUICE_LOCK_ASYNC) ==
		      -EINPROGRESS);
	}
	check(ask(s->h[1], nth(s, 2, SLUICE_EX)) == -EINPROGRESS);
	one_item(s, nth(s, 0, 0));
}

/* The last ones of a long list. */
static void listed(struct stage *s)
{
	build_ranges(s);
}

static void do_list(struct stage *s)
{
	static struct sluice_lock_entry e[16];
	struct sluice_locks l = {
		.entries = (uintptr_t)e, .count = ARRAY(e), .entry_size = sizeof(*e),
		.after = 2, .skip = s->n - ARRAY(e),
	};

	must(call(s->space, SLUICE_IOC_LOCKS, &l));
	check(l.count == ARRAY(e));
}

/*
 * Blocks.
 */
static void block_of(struct stage *s, unsigned long pages, unsigned long maps)
{
	long page = sysconf(_SC_PAGESIZE);
	int view = hold(s, make_block(s->h[0], s->space, "x", pages * page));
	unsigned long i;
	unsigned char *p;

	for (i = 0; i < maps; i++) {
		p = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_SHARED, view, 0);
		check(p != MAP_FAILED);
		s->map = p;
	}
}

static void block_ranges(struct stage *s)
{
	unsigned long maps = s->n / 4;

	block_of(s, s->n, maps);
	take_ranges(s->h[0], what(s, 0), s->n, sysconf(_SC_PAGESIZE), SLUICE_EX,
		    SLUICE_PW);
	memset(s->map, 1, s->n * sysconf(_SC_PAGESIZE));
	one_item(s, what(s, SLUICE_UNLOCKED));
}

/* Far from each other: what lies between may be others'. */
static void block_sparse(struct stage *s)
{
	struct sluice_item item = what(s, SLUICE_EX);
	long page = sysconf(_SC_PAGESIZE);
	unsigned long i;

	block_of(s, 8 * s->n, s->n / 4);
	for (i = 0; i < s->n; i++) {
		item.start = 8 * i * page;
		item.end = item.start + page - 1;
		must(take(s->h[0], item));
		store((volatile unsigned char *)s->map + item.start, 1);
	}
}

static void block_ranges_many(struct stage *s)
{
	block_ranges(s);
	many_items(s, what(s, SLUICE_NL));
}

static void block_mapped(struct stage *s)
{
	unsigned long i;
	long page = sysconf(_SC_PAGESIZE);
	int view = hold(s, make_block(s->h[0], s->space, "x", page));

	must(take(s->h[0], what(s, SLUICE_EX)));
	for (i = 0; i < s->n; i++) {
		s->map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, view, 0);
		check(s->map != MAP_FAILED);
		load((volatile unsigned char *)s->map);
	}
}

static void do_store(struct stage *s)
{
	store((volatile unsigned char *)s->map, 1);
}

/*
 * The kernel's own locks.
 */
static void files(struct stage *s)
{
	struct sluice_item item;
	unsigned long i;

	for (i = 0; i < s->n; i++) {
		item = file_item(s->space, hold(s, memfd_create("file", MFD_CLOEXEC)),
				 SLUICE_EX);
		item.flags = SLUICE_ITEM_FCNTL;
		must(take(s->h[0], item));
		item.flags = 0;
		item.mode = SLUICE_UNLOCKED;
		if (i < ARRAY(s->items))
			s->items[i] = item;
	}
	s->item_count = items_for(s);
}

static void file_ranges(struct stage *s)
{
	struct sluice_item item;

	item = file_item(s->space, hold(s, memfd_create("file", MFD_CLOEXEC)), 0);
	item.flags = SLUICE_ITEM_FCNTL;
	take_ranges(s->h[0], item, s->n, 2, SLUICE_EX, SLUICE_EX);
	item.flags = 0;
	one_item(s, item);
}

/*
 * Words.
 */
static void words(struct stage *s)
{
	struct sluice_word_open w = { };
	unsigned long i;
	int space;

	for (i = 0; i < s->n; i++) {
		space = hold(s, make_trusted(1));
		must(word_full(s->h[0], &w, space, "x"));
	}
}

static void words_of_one(struct stage *s)
{
	struct sluice_word_open w = { };
	struct sluice_word *word;
	unsigned long i;
	int space;

	space = hold(s, make_trusted(s->n));
	for (i = 0; i < s->n; i++) {
		struct sluice_item item = nth(s, i, 0);

		item.key[item.key_len] = 0;
		must(word_full(s->h[0], &w, space, (char *)item.key));
		word = s->map ? (void *)(s->map + w.offset) : NULL;
		if (!word) {
			s->map = map_area(space, 0, w.size, PROT_READ | PROT_WRITE);
			word = (void *)(s->map + w.offset);
		}
		store(&word->owner, w.owner);
	}
}

/*
 * Channels.
 */
static void channel_of(struct stage *s, struct sluice_config config)
{
	config.slots = config.slots ?: 2;
	config.pool = 4096;
	s->channel = must(make_channel(NULL, &config));
	send_fd(s->b->sock, s->channel);
}

static void publish(int fd, const struct sluice_join *j, __u64 n)
{
	unsigned char *ring = map_area(fd, j->lane.offset, j->lane.size,
				       PROT_READ | PROT_WRITE);
	struct sluice_slot *slot;
	__u64 i;

	for (i = 0; i < n; i++) {
		slot = (void *)(ring + j->lane.slots_offset + i * j->lane.slot_size);
		store_release(&slot->seq, SLUICE_SEQ(i));
	}
	store(&((struct sluice_lane *)ring)->head, n);
	/* It stays mapped: who does not map it any more has left. */
}

static int publisher(struct stage *s, __u64 n)
{
	struct sluice_join j;
	int fd = must(join_full(s->channel, SLUICE_PUBLISHER, 0, 0, &j));

	if (n)
		publish(fd, &j, n);
	return fd;
}

static void subscribers(struct stage *s, unsigned long n)
{
	while (n--)
		hold(s, join_role(s->channel, SLUICE_SUBSCRIBER));
}

static void publisher_of_many(struct stage *s)
{
	struct sluice_config config = { .subscribers = s->n, .held = 64 };

	channel_of(s, config);
	subscribers(s, s->n);
	drop(&s->h[0]);
	s->h[0] = publisher(s, 1);
}

static void left_publishers(struct stage *s, unsigned long pubs, unsigned long subs,
			    unsigned long places)
{
	struct sluice_config config = {
		.publishers = pubs, .subscribers = places, .held = 1,
	};
	int *fd = calloc(pubs, sizeof(*fd));
	unsigned long i;

	channel_of(s, config);
	for (i = 0; i < pubs; i++)
		fd[i] = publisher(s, 1);
	subscribers(s, subs);
	for (i = 0; i < pubs; i++)
		close(fd[i]);
	free(fd);
	check(stat_of(s->channel).left == pubs);
}

static void left_many(struct stage *s)
{
	left_publishers(s, s->most / 2, s->n, s->n);
}

static void left_for_one(struct stage *s)
{
	left_publishers(s, s->n, 1, s->most);
}

static void do_join(struct stage *s)
{
	struct sluice_join j;
	int fd = join_full(s->channel, SLUICE_PUBLISHER, 0, 0, &j);

	check(fd == -EUSERS);
}

static void do_close_last(struct stage *s)
{
	drop(&s->fds[s->count - 1]);
}

static void claimed(struct stage *s)
{
	struct sluice_config config = {
		.pattern = SLUICE_QUEUE, .slots = 1024, .held = 1024,
	};
	struct sluice_claim *claims = calloc(s->n, sizeof(*claims));
	struct sluice_claims c = {
		.claims = (uintptr_t)claims, .count = s->n, .entry_size = sizeof(*claims),
	};

	channel_of(s, config);
	hold(s, publisher(s, s->n));
	hold(s, join_role(s->channel, SLUICE_SUBSCRIBER));
	must(call(s->fds[s->count - 1], SLUICE_IOC_CLAIM, &c));
	check(c.count == s->n);
	free(claims);
}

static void queue_of_many(struct stage *s)
{
	struct sluice_config config = {
		.pattern = SLUICE_QUEUE, .subscribers = s->n, .held = 1024,
		.policy = SLUICE_EVICT,
	};

	channel_of(s, config);
	subscribers(s, s->n);
	drop(&s->h[0]);
	s->h[0] = publisher(s, 0);
}

static void do_evict(struct stage *s)
{
	struct sluice_evict e = { .index = SLUICE_EVICT_CLAIMANT };

	check(call(s->h[0], SLUICE_IOC_EVICT, &e) == -ENOENT);
}

static void do_arm(struct stage *s)
{
	must(call(s->h[0], SLUICE_IOC_ARM, NULL));
}

static void fds_in_lane(struct stage *s)
{
	struct sluice_config config = { };
	int list[SLUICE_FDS_MAX];
	struct sluice_fds f = { .fds = (uintptr_t)list, .count = ARRAY(list) };
	unsigned long i;

	for (i = 0; i < ARRAY(list); i++)
		list[i] = hold(s, open("/dev/null", O_RDONLY));
	channel_of(s, config);
	drop(&s->h[0]);
	s->h[0] = publisher(s, 0);
	for (i = 0; i < s->n; i += ARRAY(list)) {
		f.token = 0;
		must(call(s->h[0], SLUICE_IOC_FDS_ATTACH, &f));
	}
}

static void channels(struct stage *s)
{
	struct sluice_config config = { .slots = 2, .publishers = 1, .subscribers = 1 };
	unsigned long i;
	char name[32];

	for (i = 0; i < s->n; i++) {
		snprintf(name, sizeof(name), "cost %lu", i);
		hold(s, make_channel(name, &config));
	}
}

static void do_ls(struct stage *s)
{
	check(count_names() >= s->n);
}

/*
 * Dumps, in parts: where one went on must not take a walk.
 */
static void holders(struct stage *s)
{
	unsigned long i;

	for (i = 0; i < s->n; i++)
		hold(s, make_holder(NULL));
}

static void dumped(struct stage *s, int cmd)
{
	struct tale tale = dump_all(cmd);

	check(tale.n >= s->n);
	tale_free(&tale);
}

static void do_dump_locks(struct stage *s)
{
	dumped(s, SLUICE_NL_LOCKS);
}

static void do_dump_waits(struct stage *s)
{
	dumped(s, SLUICE_NL_WAITS);
}

static void do_dump_holders(struct stage *s)
{
	dumped(s, SLUICE_NL_HOLDERS);
}

static void do_dump_channels(struct stage *s)
{
	dumped(s, SLUICE_NL_CHANNELS);
}

static void do_dump_endpoints(struct stage *s)
{
	dumped(s, SLUICE_NL_ENDPOINTS);
}

/*
 * Measuring.
 */
FIXTURE(cost) {
	struct bystander b;
	unsigned long most;
};

FIXTURE_VARIANT(cost) {
	unsigned long n;	/* objects, at most */
	void (*build)(struct stage *s);
	void (*call)(struct stage *s);
	unsigned long least;	/* objects, however slow the machine is */
};

#define LEAST	160

#define COST(name, n, build, call)					\
	FIXTURE_VARIANT_ADD(cost, name) { n, build, call }

/* Of no more than so many rings each is broken by itself. */
#define TURNS	64
#define COST_TURNS(name, n, build, call)				\
	FIXTURE_VARIANT_ADD(cost, name) { n, build, call, .least = FACTOR * (TURNS + 8) }

COST(unlock_of_all, 4000, ranges_one, do_unlock);
COST(unlock_by_items, 4000, ranges_many, do_unlock);
COST(downgrade_of_all, 4000, downgrade_one, do_unlock);
COST(downgrade_by_items, 4000, downgrade_many, do_unlock);
COST(unlock_everything, 4000, build_names, do_unlock_all);
COST(renew_of_all, 4000, renew_one, do_renew);
COST(renew_by_items, 4000, renew_many, do_renew);
COST(recover_by_items, 4000, recover_ranges, do_recover);
COST(recover_of_marks, 250, recover_marks, do_recover);
COST(lose_by_items, 4000, recover_ranges, do_lose);
COST(value, 4000, value_ranges, do_value);
COST(leases_end, 4000, renew_one, do_leases_end);
COST(events, 4000, revoked, do_events);
COST(death_unread, 4000, revoked, do_close);
COST(death_with_ranges, 4000, build_ranges, do_close);
COST(death_with_names, 4000, build_names, do_close);
COST(lockspace_closed, 2000, remembered, do_close_space);
COST(listing, 4000, listed, do_list);
COST(readers_let_in, 2000, readers_behind_writer, do_unlock_all);
COST(reader_joins, 2000, readers_and_writer, do_ask);
COST(reader_joins_in_front, 2000, readers_and_writer, do_ask_first);
COST(reader_tries, 2000, readers_and_writer, do_try);
COST(reader_gives_up, 2000, readers_and_writer, do_cancel_reader);
COST(reader_dies, 2000, readers_and_writer, do_close_reader);
COST(writer_gives_up, 2000, readers_and_writer, do_cancel_writer);
COST(deadline, 2000, readers_and_writer, do_deadline);
COST(wants_of_ranges_unlock, 1000, wants_of_ranges, do_unlock);
COST(wants_of_ranges_try, 1000, wants_of_ranges, do_try);
COST(wants_of_many_ranges_unlock, 512, wants_of_many_ranges, do_unlock);
COST(wants_and_grants_unlock, 1000, wants_and_grants, do_unlock);
COST(own_tried, 4000, choices_of_own, do_try_own);
COST(own_tried_by_items, 4000, choices_of_own, do_try_any);
COST(wants_of_all_unlock, 2000, wants_of_all, do_unlock);
COST(wants_of_lost, 2000, wants_of_lost, do_lose);
COST(readers_are_asked, 2000, readers, do_ask_readers);
COST(reader_leaves_others, 2000, readers_asked, do_close_reader);
COST(wants_and_marks_unlock, 2000, wants_and_marks, do_unlock);
COST(converter_gives_up, 1000, converters, do_cancel_converter);
COST(converters_let_in, 1000, converters, do_unlock_all);
COST(choices_unlock, 1000, choices, do_unlock);
COST(choices_of_dead, 1000, choices, do_close);
COST(ring_closed, 2000, ring, do_close_ring);
COST_TURNS(rings_closed, 1000, rings, do_close_rings);
COST(readers_searched, 1000, readers_who_hold, do_ask_other);
COST_TURNS(ways_out_lost, 1000, ways_out, do_lose);
COST(block_unlock, 800, block_ranges, do_unlock);
COST(block_downgrade_by_items, 400, block_ranges_many, do_unlock);
COST(block_death, 800, block_ranges, do_close);
COST(block_death_sparse, 800, block_sparse, do_close);
COST(block_unlock_all_sparse, 800, block_sparse, do_unlock_all);
COST(block_store, 2000, block_mapped, do_store);
COST(files_unlock, 1000, files, do_unlock);
COST(files_unlock_all, 1000, files, do_unlock_all);
COST(files_death, 1000, files, do_close);
COST(file_ranges_unlock, 2000, file_ranges, do_unlock);
COST(file_ranges_death, 2000, file_ranges, do_close);
COST(words_unlock_all, 2000, words, do_unlock_all);
COST(words_death, 2000, words, do_close);
COST(words_of_one_unlock_all, 2000, words_of_one, do_unlock_all);
COST(words_of_one_death, 2000, words_of_one, do_close);
COST(publisher_leaves_many, 1024, publisher_of_many, do_close);
COST(join_where_many_left, 1024, left_many, do_join);
COST(subscriber_leaves_last, 1024, left_for_one, do_close_last);
COST(subscriber_dies_with_claims, 1024, claimed, do_close_last);
COST(evict_whoever_claimed, 1024, queue_of_many, do_evict);
COST(arm, 1024, queue_of_many, do_arm);
COST(queue_publisher_leaves, 1024, queue_of_many, do_close);
COST(fds_closed, 1536, fds_in_lane, do_close);
COST(channels_listed, 2000, channels, do_ls);
COST(ranges_dumped, 4000, build_ranges, do_dump_locks);
COST(names_dumped, 4000, build_names, do_dump_locks);
COST(waits_dumped, 2000, readers_and_writer, do_dump_waits);
COST(holders_dumped, 2000, holders, do_dump_holders);
COST(channels_dumped, 2000, channels, do_dump_channels);
COST(endpoints_dumped, 1024, publisher_of_many, do_dump_endpoints);

struct cost {
	__s64 time, wait;
};

static __s64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* What a thread was busy some kernels count in ticks. */
static clockid_t busy_clock(void)
{
	__s64 start = clock_ns(CLOCK_THREAD_CPUTIME_ID), next;

	do
		next = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (next == start);
	return next - start < NSEC_PER_MSEC ? CLOCK_THREAD_CPUTIME_ID :
					      CLOCK_MONOTONIC;
}

static struct cost cost_once(FIXTURE_DATA(cost) *self, const FIXTURE_VARIANT(cost) *v,
			     unsigned long n)
{
	struct stage s = { .n = n, .most = self->most, .b = &self->b };
	clockid_t clock = busy_clock();
	struct cost cost;
	__s64 start;

	stage_begin(&s);
	v->build(&s);
	bystander_watch(s.b);
	start = clock_ns(clock);
	v->call(&s);
	cost.time = clock_ns(clock) - start;
	if (s.took)
		cost.time = s.took;
	cost.wait = bystander_unwatch(s.b);
	stage_end(&s);
	return cost;
}

/* In a process of its own, so that nothing of it is left. */
static struct cost cost_measure(FIXTURE_DATA(cost) *self, const FIXTURE_VARIANT(cost) *v,
				unsigned long n)
{
	static struct cost *said;
	pid_t pid;

	said = said ?: shared(4096);
	pid = child();
	if (!pid) {
		*said = cost_once(self, v, n);
		_exit(0);
	}
	check(reap_slowly(pid) == 0);
	return *said;
}

struct costs {
	__s64 times[ROUNDS_MAX], waits[ROUNDS_MAX];
	int count;
};

static void keep_sorted(__s64 *list, int count, __s64 ns)
{
	for (; count && list[count - 1] > ns; count--)
		list[count] = list[count - 1];
	list[count] = ns;
}

static void costs_add(struct costs *costs, struct cost cost)
{
	keep_sorted(costs->times, costs->count, cost.time);
	keep_sorted(costs->waits, costs->count, cost.wait);
	costs->count++;
}

/* Of all rounds, the one in that place. */
static struct cost costs_at(const struct costs *costs, int at)
{
	return (struct cost){ costs->times[at], costs->waits[at] };
}

static bool steep(__s64 few, __s64 many, __s64 floor)
{
	return many > STEEP * FACTOR * few + floor;
}

/* Of few objects it may have been elsewhere all the time. */
static __s64 wait_of_few(const struct cost *few)
{
	return few->wait > few->time ? few->wait : few->time;
}

/* Whether anything is @times too much. */
static bool too_much(const struct cost *few, const struct cost *many, int times)
{
	return steep(times * few->time, many->time, times * FLOOR_NS) ||
		steep(times * wait_of_few(few), many->wait, times * WAIT_FLOOR_NS) ||
		many->wait > times * WAIT_MAX_NS;
}

static bool look_again(const struct cost *few, const struct cost *many, int round)
{
	if (round < ROUNDS)
		return true;
	if (round == ROUNDS_MAX || !too_much(few, many, 1))
		return false;
	if (round >= HOPELESS && too_much(few, many, 2))
		return false;
	/* Who disturbs may go away. */
	sleep_us(100000);
	return true;
}

FIXTURE_SETUP(cost)
{
	device();
	self->most = scaled(variant->n, variant->least ?: LEAST);
	/* Some are as many as there may be. */
	self->most = self->most < variant->n ? self->most : variant->n;
	self->most -= self->most % FACTOR;
	bystander_start(&self->b);
}

FIXTURE_TEARDOWN(cost)
{
	kill_and_reap(self->b.pid);
}

TEST_F(cost, grows_with_what_there_is)
{
	struct costs of_few = { }, of_many = { };
	struct cost few, many;

	do {
		costs_add(&of_few, cost_measure(self, variant, self->most / FACTOR));
		costs_add(&of_many, cost_measure(self, variant, self->most));
		few = costs_at(&of_few, of_few.count / 2);
		many = costs_at(&of_many, 0);
	} while (look_again(&few, &many, of_few.count));
	printf("# %lu: %.3f ms, %lu: %.3f ms, x %.1f; bystander: %.3f ms, %.3f ms\n",
	       self->most / FACTOR, few.time / 1e6, self->most, many.time / 1e6,
	       (double)many.time / few.time, few.wait / 1e6, many.wait / 1e6);
	EXPECT_FALSE(steep(few.time, many.time, FLOOR_NS));
	EXPECT_FALSE(steep(wait_of_few(&few), many.wait, WAIT_FLOOR_NS));
	EXPECT_GT(WAIT_MAX_NS, many.wait);
}

TEST_HARNESS_MAIN
