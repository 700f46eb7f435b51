/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arbitration by hand: the calls of lockspaces and holders, who has and who
 * waits for what, and threads that wait in a call.
 */
#ifndef SELFTESTS_LOCK_H
#define SELFTESTS_LOCK_H

#include <pthread.h>

#include "util.h"

#define MODES			(SLUICE_EX + 1)		/* UNLOCKED is one */

/* A request that should be granted, and is not, fails instead of hanging. */
#define LOCK_PATIENCE_MS	(3 * PATIENCE_MS)

/* Whether what one has in one mode goes with what another has in the other. */
static inline bool goes_with(__u32 a, __u32 b)
{
	static const char *const table[MODES] = {
		[SLUICE_UNLOCKED] = "11111111",
		[SLUICE_NL]	  = "11111111",
		[SLUICE_CR]	  = "11111110",
		[SLUICE_CW]	  = "11110000",
		[SLUICE_PR]	  = "11101100",
		[SLUICE_UP]	  = "11101000",
		[SLUICE_PW]	  = "11100000",
		[SLUICE_EX]	  = "11000000",
	};

	return table[a][b] == '1';
}

/* Whether UNLOCK may leave mode @b to who has @a. */
static inline bool may_weaken(__u32 a, __u32 b)
{
	static const char *const table[MODES] = {
		[SLUICE_UNLOCKED] = "10000000",
		[SLUICE_NL]	  = "11000000",
		[SLUICE_CR]	  = "11100000",
		[SLUICE_CW]	  = "11110000",
		[SLUICE_PR]	  = "11101000",
		[SLUICE_UP]	  = "11101100",
		[SLUICE_PW]	  = "11111110",
		[SLUICE_EX]	  = "11111111",
	};

	return table[a][b] == '1';
}

static inline bool has_token(__u32 mode)
{
	return mode >= SLUICE_UP;
}

/* Whose death in this mode leaves a mark. */
static inline bool leaves_mark(__u32 mode)
{
	return mode == SLUICE_CW || mode >= SLUICE_PW;
}

/*
 * Lockspaces and holders. All calls return a value or -errno.
 */

static inline int lockspace_full(struct sluice_lockspace_open *o,
				 const char *name)
{
	if (name) {
		o->name_len = strlen(name);
		memcpy(o->name, name, o->name_len);
	}
	return call(device(), SLUICE_IOC_LOCKSPACE, o);
}

/* Makes, or fails if @name exists; NULL makes an anonymous one. */
static inline int make_lockspace_as(const char *name,
				    struct sluice_lockspace_config config)
{
	struct sluice_lockspace_open o = {
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.access = RW,
		.mode = 0600,
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
		.config = config,
	};

	return lockspace_full(&o, name);
}

static inline int make_lockspace(const char *name, __u32 victim)
{
	struct sluice_lockspace_config config = { .victim = victim };

	return make_lockspace_as(name, config);
}

/* With room for so many words. */
static inline int make_trusted(__u32 words)
{
	struct sluice_lockspace_config config = {
		.flags = SLUICE_LOCKSPACE_TRUSTED, .words = words,
	};

	return make_lockspace_as(NULL, config);
}

static inline int word_full(int h, struct sluice_word_open *w, int space,
			    const char *key)
{
	w->lockspace = space;
	w->key_len = strlen(key);
	memcpy(w->key, key, w->key_len);
	return call(h, SLUICE_IOC_WORD, w);
}

static inline int open_lockspace(const char *name, __u32 access)
{
	struct sluice_lockspace_open o = {
		.access = access,
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
	};

	return lockspace_full(&o, name);
}

static inline int make_holder(__u64 *id)
{
	struct sluice_holder_new h = { };
	int fd = call(device(), SLUICE_IOC_HOLDER, &h);

	if (id)
		*id = h.id;
	return fd;
}

/* Memory behind a name; fails if there is some. */
static inline int make_block(int h, int space, const char *key, __u64 size)
{
	struct sluice_block_open b = {
		.lockspace = space,
		.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL,
		.key_len = strlen(key),
		.size = size,
	};

	memcpy(b.key, key, b.key_len);
	return call(h, SLUICE_IOC_BLOCK, &b);
}

/* Those of one test: a lockspace and holders. */
#define CAST_MAX	16

struct cast {
	int space;
	int n;
	int h[CAST_MAX];
	__u64 id[CAST_MAX];
};

static inline void cast_make(struct cast *c, int n)
{
	int i;

	c->space = must(make_lockspace(NULL, 0));
	c->n = n;
	for (i = 0; i < n; i++)
		c->h[i] = must(make_holder(&c->id[i]));
}

static inline void cast_close(struct cast *c)
{
	int i;

	for (i = 0; i < c->n; i++)
		if (c->h[i] >= 0)
			close(c->h[i]);
	close(c->space);
}

/*
 * Items.
 */

static inline struct sluice_item range(int space, const char *key, __u32 mode,
				       __u64 start, __u64 end)
{
	struct sluice_item i = {
		.lockspace = space,
		.kind = SLUICE_KIND_NAME,
		.mode = mode,
		.start = start,
		.end = end,
		.key_len = strlen(key),
	};

	memcpy(i.key, key, i.key_len);
	return i;
}

static inline struct sluice_item whole(int space, const char *key, __u32 mode)
{
	return range(space, key, mode, 0, SLUICE_END);
}

static inline struct sluice_item file_item(int space, int fd, __u32 mode)
{
	struct sluice_item i = {
		.lockspace = space,
		.kind = SLUICE_KIND_FILE,
		.mode = mode,
		.fd = fd,
		.end = SLUICE_END,
	};

	return i;
}

/*
 * Requests.
 */

static inline int lock_full(int h, struct sluice_lock *l,
			    struct sluice_item *items, __u32 count)
{
	l->items = (uintptr_t)items;
	l->count = count;
	l->entry_size = sizeof(*items);
	return call(h, SLUICE_IOC_LOCK, l);
}

static inline int lock_until(int h, struct sluice_item *items, __u32 count,
			     __u32 flags, __s64 deadline)
{
	struct sluice_lock l = { .flags = flags, .deadline = deadline };

	return lock_full(h, &l, items, count);
}

/* With ASYNC for ever, else as long as anybody should have to wait. */
static inline int lock_items(int h, struct sluice_item *items, __u32 count,
			     __u32 flags)
{
	return lock_until(h, items, count, flags,
			  flags & SLUICE_LOCK_ASYNC ? SLUICE_NO_DEADLINE :
			  in_ms(LOCK_PATIENCE_MS));
}

/* One item: wait for it; try; ask for it and go on. */
static inline int take(int h, struct sluice_item i)
{
	return lock_items(h, &i, 1, 0);
}

static inline int try(int h, struct sluice_item i)
{
	return lock_items(h, &i, 1, SLUICE_LOCK_TRY);
}

static inline int ask(int h, struct sluice_item i)
{
	return lock_items(h, &i, 1, SLUICE_LOCK_ASYNC);
}

static inline int ask_urgently(int h, struct sluice_item i, __s32 priority)
{
	struct sluice_lock l = {
		.flags = SLUICE_LOCK_ASYNC,
		.priority = priority,
		.deadline = SLUICE_NO_DEADLINE,
	};

	return lock_full(h, &l, &i, 1);
}

/* EX, each of its own: every second one has a lease, so that they stay apart. */
static inline void take_bytes_apart(int h, int space, const char *key,
				    unsigned long n)
{
	struct sluice_item item[SLUICE_ITEMS_MAX];
	unsigned long i;
	int k;

	for (i = 0; i < n; i += k) {
		for (k = 0; k < SLUICE_ITEMS_MAX && i + k < n; k++) {
			item[k] = range(space, key, SLUICE_EX, i + k, i + k);
			item[k].lease = k % 2 * 3600 * NSEC_PER_SEC;
		}
		must(lock_items(h, item, k, 0));
	}
}

static inline int act_on(int h, unsigned long cmd, struct sluice_item *items,
			 __u32 count, __u32 flags)
{
	struct sluice_items a = {
		.items = (uintptr_t)items,
		.count = count,
		.entry_size = sizeof(*items),
		.flags = flags,
	};

	return call(h, cmd, &a);
}

static inline int unlock(int h, struct sluice_item i)
{
	return act_on(h, SLUICE_IOC_UNLOCK, &i, 1, 0);
}

static inline int unlock_all(int h)
{
	return act_on(h, SLUICE_IOC_UNLOCK, NULL, 0, SLUICE_UNLOCK_ALL);
}

static inline int renew(int h, struct sluice_item i)
{
	return act_on(h, SLUICE_IOC_RENEW, &i, 1, 0);
}

static inline int recover(int h, struct sluice_item i, __u32 how)
{
	return act_on(h, SLUICE_IOC_RECOVER, &i, 1, how);
}

static inline int cancel(int h)
{
	return call(h, SLUICE_IOC_CANCEL, NULL);
}

static inline int value_of(int h, struct sluice_item i, __u32 flags,
			   struct sluice_value *v)
{
	v->flags = flags;
	v->lockspace = i.lockspace;
	v->kind = i.kind;
	v->fd = i.fd;
	v->key_len = i.key_len;
	memcpy(v->key, i.key, sizeof(v->key));
	return call(h, SLUICE_IOC_VALUE, v);
}

/*
 * Events.
 */

/* The next one, with the results of @items; -EAGAIN if there is none. */
static inline int event_with(int h, struct sluice_lock_event *ev,
			     struct sluice_item *items, __u32 count)
{
	memset(ev, 0, sizeof(*ev));
	ev->items = (uintptr_t)items;
	ev->count = count;
	ev->entry_size = items ? sizeof(*items) : 0;
	return call(h, SLUICE_IOC_EVENT, ev);
}

static inline int event_now(int h, struct sluice_lock_event *ev)
{
	return event_with(h, ev, NULL, 0);
}

/* The next one of @type, which is awaited; others are thrown away. */
static inline int event_of(int h, __u32 type, struct sluice_lock_event *ev)
{
	short events = type == SLUICE_EVENT_DONE ? POLLIN : POLLPRI;
	int ret;

	do {
		ret = event_now(h, ev);
		if (ret == -EAGAIN) {
			if (!events_within(h, events, LOCK_PATIENCE_MS))
				return -ETIME;
			ret = event_now(h, ev);
		}
	} while (!ret && ev->type != type);
	return ret;
}

/* What became of the asynchronous request; -ETIME if it is not done. */
static inline int outcome(int h)
{
	struct sluice_lock_event ev;
	int ret = event_of(h, SLUICE_EVENT_DONE, &ev);

	return ret ?: -(int)ev.error;
}

static inline bool is_done(int h)
{
	return events_of(h, POLLIN) & POLLIN;
}

/*
 * What is held and waited for.
 */

static inline struct sluice_lockspace_stat lockspace_stat(int space)
{
	struct sluice_lockspace_stat st = { };

	must(call(space, SLUICE_IOC_LOCKSPACE_STAT, &st));
	return st;
}

static inline __u64 waiting_in(int space)
{
	return lockspace_stat(space).waiting;
}

/* All of a lockspace, as far as there is room: how many. */
static inline size_t locks_of(int space, struct sluice_lock_entry *e, size_t max)
{
	struct sluice_locks l = { .entry_size = sizeof(*e) };
	size_t n = 0;

	do {
		l.entries = (uintptr_t)(e + n);
		l.count = max - n;
		must(call(space, SLUICE_IOC_LOCKS, &l));
		n += l.count;
	} while (l.count && n < max);
	return n;
}

#define ENTRIES_MAX	1024

/* How many entries of @holder (0: of anybody) are in @state. */
static inline int count_state(int space, __u64 holder, __u32 state)
{
	static __thread struct sluice_lock_entry e[ENTRIES_MAX];
	size_t n = locks_of(space, e, ENTRIES_MAX), i;
	int found = 0;

	for (i = 0; i < n; i++)
		found += e[i].state == state && (!holder || e[i].holder == holder);
	return found;
}

static inline int held_by(int space, __u64 holder)
{
	return count_state(space, holder, SLUICE_LOCK_HELD);
}

static inline int awaited_by(int space, __u64 holder)
{
	return count_state(space, holder, SLUICE_LOCK_WAITING);
}

/* The mode in which @holder has byte @at of the resource named @key. */
static inline __u32 mode_at(int space, __u64 holder, const char *key, __u64 at)
{
	static __thread struct sluice_lock_entry e[ENTRIES_MAX];
	size_t n = locks_of(space, e, ENTRIES_MAX), i;

	for (i = 0; i < n; i++)
		if (e[i].state == SLUICE_LOCK_HELD && e[i].holder == holder &&
		    e[i].start <= at && at <= e[i].end &&
		    e[i].key_len == strlen(key) &&
		    !memcmp(e[i].key, key, e[i].key_len))
			return e[i].mode;
	return SLUICE_UNLOCKED;
}

/*
 * Threads that wait in a call.
 */
struct waiter {
	pthread_t thread;
	int h;
	struct sluice_lock l;
	struct sluice_item items[4];
	int ret;
};

static inline void *waiter_run(void *arg)
{
	struct waiter *w = arg;

	w->ret = lock_full(w->h, &w->l, w->items, w->l.count);
	return NULL;
}

/* The caller has filled in the rest; a count of 0 is one item. */
static inline void waiter_start(struct waiter *w, int h)
{
	w->h = h;
	w->l.count = w->l.count ?: 1;
	w->l.deadline = w->l.deadline ?: in_ms(LOCK_PATIENCE_MS);
	check(!pthread_create(&w->thread, NULL, waiter_run, w));
}

static inline int waiter_end(struct waiter *w)
{
	check(!pthread_join(w->thread, NULL));
	return w->ret;
}

/* One that waits for @i, and is seen waiting. */
static inline struct waiter *waiter_for(int h, struct sluice_item i)
{
	struct waiter *w = calloc(1, sizeof(*w));
	__u64 before = waiting_in(i.lockspace);

	w->items[0] = i;
	waiter_start(w, h);
	check(until(waiting_in(i.lockspace) == before + 1));
	return w;
}

/*
 * Many holders, each with a resource of its own, in up to four lockspaces.
 */
struct crew {
	unsigned long n;
	int *h;
	__u64 *id;
	int space[4];
	int spaces;
};

static inline void crew_make(struct crew *c, unsigned long n, int spaces, __u32 victim)
{
	struct rlimit lim = { n + 256, n + 256 };
	unsigned long i;

	must(setrlimit(RLIMIT_NOFILE, &lim));
	c->n = n;
	c->h = calloc(n, sizeof(*c->h));
	c->id = calloc(n, sizeof(*c->id));
	c->spaces = spaces;
	for (i = 0; i < spaces; i++)
		c->space[i] = must(make_lockspace(NULL, victim));
	for (i = 0; i < n; i++)
		c->h[i] = must(make_holder(&c->id[i]));
}

static inline void crew_close(struct crew *c)
{
	unsigned long i;

	for (i = 0; i < c->n; i++)
		close(c->h[i]);
	for (i = 0; i < c->spaces; i++)
		close(c->space[i]);
	free(c->h);
	free(c->id);
}

/* Resource @i of the crew's. */
static inline struct sluice_item own(const struct crew *c, unsigned long i, __u32 mode)
{
	char key[32];

	snprintf(key, sizeof(key), "ring %lu", i);
	return whole(c->space[i % c->spaces], key, mode);
}

/* Everyone has its own; @upto of them wait for the next one's. */
static inline void chain(struct crew *c, unsigned long upto)
{
	unsigned long i;

	for (i = 0; i < c->n; i++)
		check(!take(c->h[i], own(c, i, SLUICE_EX)));
	for (i = 0; i < upto; i++)
		check(ask(c->h[i], own(c, (i + 1) % c->n, SLUICE_EX)) ==
		      -EINPROGRESS);
}

static inline __u64 waiting_of(const struct crew *c)
{
	__u64 n = 0;
	int i;

	for (i = 0; i < c->spaces; i++)
		n += waiting_in(c->space[i]);
	return n;
}

/* From the last one back, each gets what it waits for and lets go. */
static inline void unwind(struct crew *c)
{
	unsigned long i;

	check(!unlock_all(c->h[c->n - 1]));
	for (i = c->n - 1; i-- > 0;) {
		check(!outcome(c->h[i]));
		check(!unlock_all(c->h[i]));
	}
	check(!waiting_of(c));
}

#endif /* SELFTESTS_LOCK_H */
