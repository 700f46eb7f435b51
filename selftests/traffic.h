/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path by hand: publishers and subscribers that follow
 * doc/memory-model.md word for word, and nothing more. The labels R1, A1, F1
 * are the ones used there.
 *
 * A publisher cuts its pool into equal blocks, one for each message, so that
 * an allocator is not what is tested here.
 */
#ifndef SELFTESTS_TRAFFIC_H
#define SELFTESTS_TRAFFIC_H

#include "util.h"

#define load(p)			__atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p)		__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)		__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define full_fence()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define acquire_fence()		__atomic_thread_fence(__ATOMIC_ACQUIRE)

static inline void *map_area(int fd, __u64 offset, __u64 size, int prot)
{
	void *p = mmap(NULL, size, prot, MAP_SHARED, fd, offset);

	if (p == MAP_FAILED)
		fail("mmap offset %#llx size %#llx prot %d: errno %d",
		     (unsigned long long)offset, (unsigned long long)size, prot,
		     errno);
	return p;
}

static inline void unmap(const void *p, __u64 size)
{
	if (p)
		must(munmap((void *)p, size));
}

/*
 * The member table. Publishers and subscribers look at it alike.
 */
struct table {
	const unsigned char *page;
	struct sluice_members_layout l;
};

static inline void table_map(struct table *t, int fd, const struct sluice_join *j)
{
	t->l = j->members;
	t->page = map_area(fd, t->l.offset, t->l.size, PROT_READ);
}

static inline const struct sluice_members *table_head(const struct table *t)
{
	return (const void *)t->page;
}

static inline const struct sluice_member *table_at(const struct table *t,
						   __u32 role, __u32 i)
{
	__u32 first = role == SLUICE_PUBLISHER ? t->l.publishers_offset :
						 t->l.subscribers_offset;

	return (const void *)(t->page + first + i * t->l.member_size);
}

/* A consistent copy; generation 0 if there was none to be had now. */
static inline struct sluice_member table_read(const struct table *t, __u32 role,
					      __u32 i)
{
	const struct sluice_member *m = table_at(t, role, i);
	struct sluice_member copy;
	__u64 generation = load_acquire(&m->generation);

	copy.state = load(&m->state);
	copy.reason = load(&m->reason);
	copy.pid = load(&m->pid);
	copy.uid = load(&m->uid);
	copy.gid = load(&m->gid);
	copy.policy = load(&m->policy);
	acquire_fence();
	copy.generation = load(&m->generation) == generation ? generation : 0;
	if (!copy.generation)
		copy.state = SLUICE_FREE;
	return copy;
}

/*
 * Publishers.
 */
struct pub_peer {
	__u64 generation;
	const unsigned char *cursor;
	struct sluice_cursor_layout l;
	__u32 policy;
};

struct pub {
	int fd;
	struct sluice_join j;
	struct table table;
	unsigned char *ring;
	struct sluice_lane *lane;
	unsigned char *pool;
	__u64 pool_size;
	__u64 block;		/* bytes of one */
	__u32 *free;		/* stack of free blocks */
	__u32 n_free;
	__u32 *used;		/* by slot: its message's block */
	__u64 *aside;		/* pin of one that was pinned when reclaimed */
	__u32 *aside_block;
	__u32 n_aside;
	__u64 head, tail;
	struct pub_peer *peers;
	__u64 evicted;
};

static inline struct sluice_slot *pub_slot(const struct pub *p, __u64 position)
{
	__u64 i = position & (p->j.lane.slots - 1);

	return (void *)(p->ring + p->j.lane.slots_offset +
			i * p->j.lane.slot_size);
}

static inline void pub_blocks(struct pub *p, __u64 block)
{
	__u32 n, i;

	p->block = block ?: p->pool_size / p->j.lane.slots & ~63ULL;
	n = p->pool_size / p->block;
	p->free = calloc(n, sizeof(*p->free));
	p->aside = calloc(n, sizeof(*p->aside));
	p->aside_block = calloc(n, sizeof(*p->aside_block));
	p->used = calloc(p->j.lane.slots, sizeof(*p->used));
	for (i = 0; i < n; i++)
		p->free[p->n_free++] = n - 1 - i;
}

/* @block 0 cuts the pool into as many blocks as there are slots. */
static inline void pub_map(struct pub *p, __u64 block)
{
	struct sluice_segment seg = {
		.index = p->j.index,
		.generation = p->j.generation,
	};

	table_map(&p->table, p->fd, &p->j);
	p->ring = map_area(p->fd, p->j.lane.offset, p->j.lane.size,
			   PROT_READ | PROT_WRITE);
	p->lane = (void *)p->ring;
	must(call(p->fd, SLUICE_IOC_SEGMENT, &seg));
	p->pool_size = seg.size;
	p->pool = map_area(p->fd, seg.offset, seg.size, PROT_READ | PROT_WRITE);
	p->peers = calloc(p->j.config.subscribers, sizeof(*p->peers));
	pub_blocks(p, block);
}

static inline void pub_join_blocks(struct pub *p, int channel, __u64 block)
{
	memset(p, 0, sizeof(*p));
	p->fd = must(join_full(channel, SLUICE_PUBLISHER, 0, 0, &p->j));
	pub_map(p, block);
}

static inline void pub_join(struct pub *p, int channel)
{
	pub_join_blocks(p, channel, 0);
}

static inline void pub_close(struct pub *p)
{
	__u32 i;

	for (i = 0; i < p->j.config.subscribers; i++)
		unmap(p->peers[i].cursor, p->peers[i].l.size);
	unmap(p->pool, p->pool_size);
	unmap(p->ring, p->j.lane.size);
	unmap(p->table.page, p->table.l.size);
	close(p->fd);
	free(p->peers);
	free(p->free);
	free(p->aside);
	free(p->aside_block);
	free(p->used);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

static inline void pub_forget(struct pub *p, __u32 i)
{
	struct pub_peer *peer = &p->peers[i];
	struct sluice_detach d = { .index = i, .generation = peer->generation };

	if (!peer->generation)
		return;
	unmap(peer->cursor, peer->l.size);
	call(p->fd, SLUICE_IOC_DETACH, &d);
	memset(peer, 0, sizeof(*peer));
}

static inline void pub_meet(struct pub *p, __u32 i, const struct sluice_member *m)
{
	struct sluice_attach a = { .index = i, .generation = m->generation };
	struct pub_peer *peer = &p->peers[i];

	if (call(p->fd, SLUICE_IOC_ATTACH, &a))
		return;		/* gone again: the table has changed again */
	peer->l = a.cursor;
	peer->policy = m->policy;
	peer->cursor = mmap(NULL, a.cursor.size, PROT_READ, MAP_SHARED, p->fd,
			    a.cursor.offset);
	if (peer->cursor == MAP_FAILED) {
		peer->cursor = NULL;
		return;
	}
	peer->generation = m->generation;
}

/* Brings what is known of the subscribers up to date. */
static inline void pub_look(struct pub *p)
{
	__u32 i;

	for (i = 0; i < p->j.config.subscribers; i++) {
		struct sluice_member m = table_read(&p->table, SLUICE_SUBSCRIBER, i);

		if (m.state != SLUICE_ACTIVE)
			m.generation = 0;
		if (m.generation == p->peers[i].generation)
			continue;
		pub_forget(p, i);
		if (m.generation)
			pub_meet(p, i, &m);
	}
}

/* How far subscriber @i has read this lane; 0 if it has not begun it. */
static inline __u64 pub_peer_head(const struct pub *p, __u32 i)
{
	const struct pub_peer *peer = &p->peers[i];
	const struct sluice_cursor_lane *l = (const void *)
		(peer->cursor + peer->l.lanes_offset);

	l += p->j.index;
	if (load_acquire(&l->generation) != p->j.generation)	/* A2 */
		return 0;
	return load_acquire(&l->head);				/* A2 */
}

/* The first position that a subscriber whom it must not lose still wants. */
static inline __u64 pub_consumed(const struct pub *p)
{
	__u64 end = p->head;
	__u32 i;

	for (i = 0; i < p->j.config.subscribers; i++) {
		__u64 head;

		if (!p->peers[i].generation || p->peers[i].policy != SLUICE_BLOCK)
			continue;
		head = pub_peer_head(p, i);
		if (head < end)
			end = head;
	}
	return end;
}

/* Detaches who would otherwise lose messages before @end. */
static inline void pub_evict(struct pub *p, __u64 end)
{
	__u32 i;

	for (i = 0; i < p->j.config.subscribers; i++) {
		struct sluice_evict e = {
			.index = i,
			.generation = p->peers[i].generation,
		};

		if (!e.generation || p->peers[i].policy != SLUICE_EVICT ||
		    pub_peer_head(p, i) >= end)
			continue;
		if (!call(p->fd, SLUICE_IOC_EVICT, &e))
			p->evicted++;
	}
}

static inline bool pub_pinned(const struct pub *p, __u64 pin)
{
	__u32 i, k;

	for (i = 0; i < p->j.config.subscribers; i++) {
		const struct pub_peer *peer = &p->peers[i];
		const __u64 *pins = (const void *)(peer->cursor + peer->l.pins_offset);

		if (!peer->generation)
			continue;
		for (k = 0; k < peer->l.pins; k++)
			if (load_acquire(&pins[k]) == pin)	/* A3 */
				return true;
	}
	return false;
}

static inline void pub_free_or_aside(struct pub *p, __u64 position)
{
	__u64 pin = SLUICE_PIN(p->j.index, position);
	__u32 block = p->used[position & (p->j.lane.slots - 1)];

	if (!pub_pinned(p, pin)) {
		p->free[p->n_free++] = block;
		return;
	}
	p->aside[p->n_aside] = pin;
	p->aside_block[p->n_aside++] = block;
}

static inline void pub_look_aside(struct pub *p)
{
	__u32 i = 0;

	while (i < p->n_aside) {
		if (pub_pinned(p, p->aside[i])) {
			i++;
			continue;
		}
		p->free[p->n_free++] = p->aside_block[i];
		p->n_aside--;
		p->aside[i] = p->aside[p->n_aside];
		p->aside_block[i] = p->aside_block[p->n_aside];
	}
}

/* Steps 2 to 5 of the memory model's Reclaim; false if the table changed. */
static inline bool pub_drop_until(struct pub *p, __u64 end, __u64 seq)
{
	const struct sluice_members *m = table_head(&p->table);
	__u64 q;

	for (q = p->tail; q < end; q++)
		store(&pub_slot(p, q)->seq, SLUICE_SEQ(q) | SLUICE_SEQ_DROPPED);
	full_fence();						/* F5 */
	if (load(&m->seq) != seq) {
		while (q-- > p->tail)
			store_release(&pub_slot(p, q)->seq, SLUICE_SEQ(q));
		return false;
	}
	for (q = p->tail; q < end; q++)
		pub_free_or_aside(p, q);
	p->tail = end;
	store(&p->lane->tail, end);
	return true;
}

static inline bool pub_reclaim_broadcast(struct pub *p, __u64 keep, __u64 want)
{
	const struct sluice_members *m = table_head(&p->table);
	__u64 seq, end;

	pub_look_aside(p);
	do {
		seq = load_acquire(&m->seq);
		pub_look(p);
		end = pub_consumed(p);
		if (end + keep > p->head)
			end = p->head > keep ? p->head - keep : 0;
		if (end > p->tail + want)
			end = p->tail + want;
		if (end <= p->tail)
			return false;
		pub_evict(p, end);
	} while (load_acquire(&m->seq) != seq || !pub_drop_until(p, end, seq));
	return true;
}

static inline void pub_reclaim_queue(struct pub *p)
{
	const struct sluice_member *me;
	__u64 done;

	me = table_at(&p->table, SLUICE_PUBLISHER, p->j.index);
	done = load_acquire(&me->done);
	for (; p->tail < done; p->tail++)
		p->free[p->n_free++] = p->used[p->tail & (p->j.lane.slots - 1)];
	store(&p->lane->tail, p->tail);
}

static inline bool pub_has_room(const struct pub *p)
{
	return p->n_free && p->head - p->tail < p->j.lane.slots;
}

static inline bool pub_room(struct pub *p)
{
	if (pub_has_room(p))
		return true;
	if (p->j.config.pattern == SLUICE_QUEUE) {
		pub_reclaim_queue(p);
		if (!pub_has_room(p) &&
		    p->j.config.policy == SLUICE_DROP_OLDEST) {
			struct sluice_drop d = { .count = 1 };

			call(p->fd, SLUICE_IOC_DROP, &d);
			pub_reclaim_queue(p);
		}
		return pub_has_room(p);
	}
	pub_look_aside(p);
	while (!pub_has_room(p) &&
	       (pub_reclaim_broadcast(p, p->j.config.history, 8) ||
		pub_reclaim_broadcast(p, 0, 8)))
		;
	return pub_has_room(p);
}

/* Publishes what is in the block that @pub_room said is there. */
static inline void pub_commit(struct pub *p, __u32 block, __u64 length, __u32 type)
{
	struct sluice_slot *slot = pub_slot(p, p->head);

	store(&slot->offset, block * p->block);
	store(&slot->length, length);
	store(&slot->segment, 0);
	store(&slot->type, type);
	store(&slot->flags, 0);
	p->used[p->head & (p->j.lane.slots - 1)] = block;
	store_release(&slot->seq, SLUICE_SEQ(p->head));		/* R1 */
	p->head++;
	store(&p->lane->head, p->head);
	full_fence();						/* F1 */
	if (load(&table_head(&p->table)->armed))
		must(wake(p->fd, 0, 1));
}

/* Publishes, if there is room. */
static inline bool pub_try(struct pub *p, const void *data, __u64 length,
			   __u32 type)
{
	__u32 block;

	check(length <= p->block);
	if (!pub_room(p))
		return false;
	block = p->free[--p->n_free];
	memcpy(p->pool + block * p->block, data, length);
	pub_commit(p, block, length, type);
	return true;
}

/* One turn of the memory model's eventcount; 0, or the error of WAIT. */
static inline int pub_sleep(struct pub *p, __s64 deadline)
{
	const struct sluice_member *me =
		table_at(&p->table, SLUICE_PUBLISHER, p->j.index);
	__u64 room = load_acquire(&me->room);

	if (load(&me->armed))
		full_fence();					/* F7 */
	else
		must(call(p->fd, SLUICE_IOC_ARM, NULL));	/* F7 */
	if (pub_room(p))
		return 0;
	store(&p->lane->room_seen, room);
	return wait_until(p->fd, deadline, room);
}

/* Publishes, or returns -ETIMEDOUT or -EINTR. */
static inline int pub_send(struct pub *p, const void *data, __u64 length,
			   __u32 type, __s64 deadline)
{
	int ret = 0;

	while (!pub_try(p, data, length, type)) {
		ret = pub_sleep(p, deadline);
		if (ret)
			return ret;
	}
	store(&p->lane->room_seen, 0);
	return 0;
}

/*
 * Subscribers.
 */
struct sub_lane {
	__u64 generation;
	__u64 head;
	__u64 begun;		/* lane.head when it was begun: losses count from here */
	const unsigned char *ring;
	struct sluice_lane_layout l;
	const unsigned char *seg[SLUICE_SEGMENTS_MAX];
	__u64 seg_size[SLUICE_SEGMENTS_MAX];
};

struct sub {
	int fd;
	struct sluice_join j;
	struct table table;
	struct sluice_cursor *cursor;
	struct sluice_cursor_lane *lanes;
	__u64 *pins;
	struct sub_lane *in;
	__u64 *ended;		/* by place: the generation last read to its end */
	__u64 seen;		/* member_seen */
	__u32 next;		/* lane to look at first */
	__u64 lost, received;
};

struct msg {
	__u32 lane;
	__u32 pin;
	__u64 generation;
	__u64 position;
	__u64 tag;		/* queue */
	__u32 claim_flags;	/* queue */
	const unsigned char *data;
	__u64 length;
	__u32 type;
	__u32 fds;
	__u64 token;
};

static inline void sub_map(struct sub *s)
{
	unsigned char *p;

	table_map(&s->table, s->fd, &s->j);
	p = map_area(s->fd, s->j.cursor.offset, s->j.cursor.size,
		     PROT_READ | PROT_WRITE);
	s->cursor = (void *)p;
	s->lanes = (void *)(p + s->j.cursor.lanes_offset);
	s->pins = (void *)(p + s->j.cursor.pins_offset);
	s->in = calloc(s->j.config.publishers, sizeof(*s->in));
	s->ended = calloc(s->j.config.publishers, sizeof(*s->ended));
}

static inline void sub_unmap_lane(struct sub_lane *in)
{
	unsigned int i;

	unmap(in->ring, in->l.size);
	for (i = 0; i < SLUICE_SEGMENTS_MAX; i++)
		unmap(in->seg[i], in->seg_size[i]);
	memset(in, 0, sizeof(*in));
}

static inline void sub_close(struct sub *s)
{
	__u32 i;

	for (i = 0; i < s->j.config.publishers; i++)
		sub_unmap_lane(&s->in[i]);
	unmap(s->cursor, s->j.cursor.size);
	unmap(s->table.page, s->table.l.size);
	close(s->fd);
	free(s->in);
	free(s->ended);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

static inline const struct sluice_slot *sub_slot(const struct sub_lane *in,
						 __u64 position)
{
	__u64 i = position & (in->l.slots - 1);

	return (const void *)(in->ring + in->l.slots_offset +
			      i * in->l.slot_size);
}

static inline __u64 sub_first(const struct sub *s, struct sub_lane *in)
{
	const struct sluice_lane *lane = (const void *)in->ring;
	__u64 head, tail, back;

	if (in->generation > s->j.generation)
		return 0;
	in->begun = head = load(&lane->head);
	tail = load(&lane->tail);
	back = s->j.config.history < in->l.slots ? s->j.config.history : in->l.slots;
	head = head > back ? head - back : 0;
	return head > tail ? head : tail;
}

static inline int sub_map_lane(struct sub *s, __u32 i, __u64 generation)
{
	struct sluice_attach a = { .index = i, .generation = generation };
	struct sub_lane *in = &s->in[i];
	int ret = call(s->fd, SLUICE_IOC_ATTACH, &a);

	if (ret)
		return ret;
	memset(in, 0, sizeof(*in));
	in->generation = a.generation;
	in->l = a.lane;
	in->ring = mmap(NULL, a.lane.size, PROT_READ, MAP_SHARED, s->fd,
			a.lane.offset);
	if (in->ring != MAP_FAILED)
		return 0;
	memset(in, 0, sizeof(*in));	/* kept as history only, and gone */
	return -errno;
}

static inline void sub_begin(struct sub *s, __u32 i, __u64 generation)
{
	struct sub_lane *in = &s->in[i];

	if (sub_map_lane(s, i, generation))
		return;
	in->head = sub_first(s, in);
	store(&s->lanes[i].head, in->head);
	store_release(&s->lanes[i].generation, generation);	/* R4 */
}

static inline void sub_end(struct sub *s, __u32 i)
{
	struct sluice_detach d = {
		.index = i,
		.generation = s->in[i].generation,
	};

	int ret;

	s->ended[i] = s->in[i].generation;
	store_release(&s->lanes[i].generation, 0);
	sub_unmap_lane(&s->in[i]);
	/* One that was read to its end when its publisher left is gone already. */
	ret = call(s->fd, SLUICE_IOC_DETACH, &d);
	check(!ret || ret == -ESTALE);
}

/* Takes notice of the member table: begins new lanes. */
static inline void sub_look(struct sub *s)
{
	__u64 seq = load_acquire(&table_head(&s->table)->seq);
	__u32 i;

	if (seq == s->seen)
		return;
	for (i = 0; i < s->j.config.publishers; i++) {
		struct sluice_member m = table_read(&s->table, SLUICE_PUBLISHER, i);

		if (m.state == SLUICE_FREE || m.generation == s->ended[i] ||
		    m.generation == s->in[i].generation)
			continue;
		if (s->in[i].generation)
			sub_end(s, i);
		sub_begin(s, i, m.generation);
	}
	s->seen = seq;
	store(&s->cursor->member_seen, seq);
}

static inline void sub_join_full(struct sub *s, int channel, __u32 flags,
				 __u32 policy)
{
	memset(s, 0, sizeof(*s));
	s->fd = must(join_full(channel, SLUICE_SUBSCRIBER, flags, policy, &s->j));
	s->j.policy = policy ?: s->j.config.policy;
	sub_map(s);
	sub_look(s);
}

static inline void sub_join(struct sub *s, int channel)
{
	sub_join_full(s, channel, 0, 0);
}

/* Up to @to all is gone; what was before it began is nobody's loss. */
static inline void sub_count_lost(struct sub *s, struct sub_lane *in, __u64 to)
{
	__u64 from = in->head > in->begun ? in->head : in->begun;

	if (to > from)
		s->lost += to - from;
	store(&s->cursor->lost, s->lost);
}

static inline const unsigned char *sub_segment(struct sub *s, __u32 lane,
					       __u32 segment)
{
	struct sub_lane *in = &s->in[lane];
	struct sluice_segment seg = {
		.index = lane,
		.segment = segment,
		.generation = in->generation,
	};

	check(segment < SLUICE_SEGMENTS_MAX);
	if (!in->seg[segment]) {
		must(call(s->fd, SLUICE_IOC_SEGMENT, &seg));
		in->seg_size[segment] = seg.size;
		in->seg[segment] = map_area(s->fd, seg.offset, seg.size, PROT_READ);
	}
	return in->seg[segment];
}

/* Copies the slot of @position; false if it changed meanwhile. */
static inline bool sub_copy(const struct sub_lane *in, __u64 position, __u64 seq,
			    struct sluice_slot *copy)
{
	const struct sluice_slot *slot = sub_slot(in, position);

	copy->offset = load(&slot->offset);
	copy->length = load(&slot->length);
	copy->segment = load(&slot->segment);
	copy->type = load(&slot->type);
	copy->flags = load(&slot->flags);
	copy->fds = load(&slot->fds);
	copy->token = load(&slot->token);
	acquire_fence();
	return load(&slot->seq) == seq;
}

static inline void sub_fill(struct sub *s, __u32 lane, __u64 position,
			    const struct sluice_slot *copy, struct msg *m)
{
	struct sub_lane *in = &s->in[lane];

	m->lane = lane;
	m->generation = in->generation;
	m->position = position;
	m->length = copy->length;
	m->type = copy->type;
	m->fds = copy->fds;
	m->token = copy->token;
	m->data = sub_segment(s, lane, copy->segment) + copy->offset;
	check(!copy->flags);
	check(copy->offset + copy->length <= in->seg_size[copy->segment]);
}

static inline int sub_free_pin(const struct sub *s)
{
	__u32 i;

	for (i = 0; i < s->j.cursor.pins; i++)
		if (!load(&s->pins[i]))
			return i;
	return -1;
}

static inline void sub_skip(struct sub *s, __u32 lane, __u64 to, bool lost)
{
	struct sub_lane *in = &s->in[lane];

	if (lost)
		sub_count_lost(s, in, to);
	in->head = to;
	store_release(&s->lanes[lane].head, to);
}

/* Pins @position, which was seen to be there; false if it was lost after all. */
static inline bool sub_pin(struct sub *s, __u32 lane, __u64 position, __u32 pin)
{
	store(&s->pins[pin], SLUICE_PIN(lane, position));
	if (s->j.policy == SLUICE_BLOCK)
		return true;
	full_fence();						/* F3 */
	if (load(&sub_slot(&s->in[lane], position)->seq) == SLUICE_SEQ(position))
		return true;
	store(&s->pins[pin], 0);
	return false;
}

/* One lane: 1 received, 0 nothing there, -EAGAIN look again, -ENOBUFS. */
static inline int sub_try_lane(struct sub *s, __u32 lane, struct msg *m)
{
	struct sub_lane *in = &s->in[lane];
	__u64 p = in->head, seq;
	struct sluice_slot copy;
	int pin = sub_free_pin(s);

	seq = load_acquire(&sub_slot(in, p)->seq);		/* A1 */
	if (seq < SLUICE_SEQ(p))
		return 0;
	if (seq > (SLUICE_SEQ(p) | SLUICE_SEQ_DROPPED)) {
		sub_skip(s, lane, (seq >> 1) - in->l.slots, true);
		return -EAGAIN;
	}
	if (pin < 0)
		return -ENOBUFS;
	if (seq & SLUICE_SEQ_DROPPED) {
		sub_skip(s, lane, p + 1, true);
		return -EAGAIN;
	}
	if (!sub_copy(in, p, seq, &copy) || !sub_pin(s, lane, p, pin))
		return -EAGAIN;
	sub_fill(s, lane, p, &copy, m);
	m->pin = pin;
	sub_skip(s, lane, p + 1, false);			/* R2 */
	return 1;
}

/* Lets go of a lane whose publisher left and that is empty. */
static inline void sub_check_end(struct sub *s, __u32 lane)
{
	struct sub_lane *in = &s->in[lane];
	struct sluice_member m = table_read(&s->table, SLUICE_PUBLISHER, lane);

	if (m.state == SLUICE_ACTIVE && m.generation == in->generation)
		return;
	if (load_acquire(&sub_slot(in, in->head)->seq) >= SLUICE_SEQ(in->head))
		return;
	sub_end(s, lane);
}

static inline void sub_count(struct sub *s, int held)
{
	if (held > 0)
		store(&s->cursor->received, ++s->received);
	store(&s->cursor->held, s->cursor->held + held);
}

static inline int sub_try_broadcast(struct sub *s, struct msg *m)
{
	__u32 n = s->j.config.publishers, i, lane;
	int ret;

	for (i = 0; i < n; i++) {
		lane = (s->next + i) % n;
		if (!s->in[lane].generation)
			continue;
		do {
			ret = sub_try_lane(s, lane, m);
		} while (ret == -EAGAIN);
		if (ret > 0) {
			s->next = lane + 1;
			sub_count(s, 1);
		}
		if (ret)
			return ret;
		sub_check_end(s, lane);
	}
	return 0;
}

/* 1 and a message, 0 if there is none, or the error of CLAIM. */
static inline int sub_try_queue(struct sub *s, struct msg *m)
{
	struct sluice_claim c = { };
	struct sluice_claims cs = { .claims = (uintptr_t)&c, .count = 1 };
	int ret = call(s->fd, SLUICE_IOC_CLAIM, &cs);
	struct sluice_slot copy;

	if (ret == -EAGAIN)
		return 0;
	if (ret < 0)
		return ret;
	check(cs.count == 1);
	if (s->in[c.lane].generation != c.generation) {
		sub_unmap_lane(&s->in[c.lane]);
		must(sub_map_lane(s, c.lane, c.generation));
	}
	check(sub_copy(&s->in[c.lane], c.position, SLUICE_SEQ(c.position), &copy));
	sub_fill(s, c.lane, c.position, &copy, m);
	m->pin = c.pin;
	m->tag = c.tag;
	m->claim_flags = c.flags;
	sub_count(s, 1);
	return 1;
}

static inline int sub_try(struct sub *s, struct msg *m)
{
	memset(m, 0, sizeof(*m));
	sub_look(s);
	if (s->j.config.pattern == SLUICE_QUEUE)
		return sub_try_queue(s, m);
	return sub_try_broadcast(s, m);
}

/* Receives (1), or returns the error of WAIT; -EPIPE: no publisher is left. */
static inline int sub_recv(struct sub *s, struct msg *m, __s64 deadline)
{
	int ret;

	while (!(ret = sub_try(s, m))) {
		ret = wait_until(s->fd, deadline, 0);
		if (ret < 0)
			return ret;
	}
	return ret;
}

static inline void sub_wake_publisher(struct sub *s, __u32 lane)
{
	full_fence();						/* F4 */
	if (load(&table_at(&s->table, SLUICE_PUBLISHER, lane)->armed))
		must(wake(s->fd, lane, 0));
}

/* Broadcast: unpins. Queue: acknowledges, with @tag_flags rejects. */
static inline void sub_release_how(struct sub *s, const struct msg *m,
				   __u64 tag_flags)
{
	__u64 pin = 0;

	if (s->j.config.pattern == SLUICE_QUEUE)
		pin = m->tag | tag_flags;
	store_release(&s->pins[m->pin], pin);			/* R3 */
	sub_count(s, -1);
	sub_wake_publisher(s, m->lane);
}

static inline void sub_release(struct sub *s, const struct msg *m)
{
	sub_release_how(s, m, 0);
}

/*
 * Payload that tells what it is: every byte follows from @seed.
 */
static inline void fill(void *buf, size_t len, __u64 seed)
{
	unsigned char *p = buf;
	__u64 x = 0;
	size_t i;

	for (i = 0; i < len; i++, x >>= 8) {
		if (i % 8 == 0)
			x = random_next(&seed);
		p[i] = x;
	}
}

static inline bool filled(const void *buf, size_t len, __u64 seed)
{
	const unsigned char *p = buf;
	__u64 x = 0;
	size_t i;

	for (i = 0; i < len; i++, x >>= 8) {
		if (i % 8 == 0)
			x = random_next(&seed);
		if (p[i] != (unsigned char)x)
			return false;
	}
	return true;
}

#endif /* SELFTESTS_TRAFFIC_H */
