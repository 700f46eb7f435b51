/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Publishers by hand. One cuts its pool into equal blocks, one for each
 * message, so that an allocator is not what is tested here.
 */
#ifndef SELFTESTS_PUBLISH_H
#define SELFTESTS_PUBLISH_H

#include "shared.h"

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

#endif /* SELFTESTS_PUBLISH_H */
