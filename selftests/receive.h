/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Subscribers by hand, broadcast and queue.
 */
#ifndef SELFTESTS_RECEIVE_H
#define SELFTESTS_RECEIVE_H

#include "shared.h"

struct sub_lane {
	__u64 generation;
	__u64 head;
	__u64 begun;		/* J of the memory model: losses count from here */
	bool kept;		/* its publisher had left before: history, if at all */
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

static inline __u64 sub_first(const struct sub *s, __u32 i, struct sub_lane *in)
{
	const struct sluice_lane *lane = (const void *)in->ring;
	__u64 head, tail, back = s->j.config.history;

	if (in->generation > s->j.generation)
		return 0;
	/* J: JOIN left here what was published by then. */
	in->begun = head = load(&s->lanes[i].head);
	tail = load(&lane->tail);
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

static inline void sub_wake_publisher(struct sub *s, __u32 lane)
{
	full_fence();						/* F4 */
	if (load(&table_at(&s->table, SLUICE_PUBLISHER, lane)->armed))
		must(wake(s->fd, lane, 0));
}

static inline void sub_begin(struct sub *s, __u32 i,
			     const struct sluice_member *m)
{
	struct sub_lane *in = &s->in[i];

	if (sub_map_lane(s, i, m->generation))
		return;
	in->kept = m->state == SLUICE_LEFT;
	in->head = sub_first(s, i, in);
	store(&s->lanes[i].head, in->head);
	store_release(&s->lanes[i].generation, m->generation);	/* R4 */
	sub_wake_publisher(s, i);
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
		sub_begin(s, i, &m);
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

/* NULL if it was only history, and has given up its place to another. */
static inline const unsigned char *sub_segment(struct sub *s, __u32 lane,
					       __u32 segment)
{
	struct sub_lane *in = &s->in[lane];
	struct sluice_segment seg = {
		.index = lane,
		.segment = segment,
		.generation = in->generation,
	};
	void *p;
	int ret;

	check(segment < SLUICE_SEGMENTS_MAX);
	if (!in->seg[segment]) {
		ret = call(s->fd, SLUICE_IOC_SEGMENT, &seg);
		if (ret == -ESTALE && in->kept)
			return NULL;
		must(ret);
		p = mmap(NULL, seg.size, PROT_READ, MAP_SHARED, s->fd, seg.offset);
		if (p == MAP_FAILED && in->kept)
			return NULL;
		check(p != MAP_FAILED);
		in->seg_size[segment] = seg.size;
		in->seg[segment] = p;
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
	store_release(&s->pins[pin], 0);
	sub_wake_publisher(s, lane);
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
	if (!sub_copy(in, p, seq, &copy))
		return -EAGAIN;
	if (!sub_segment(s, lane, copy.segment)) {
		sub_end(s, lane);
		return 0;
	}
	if (!sub_pin(s, lane, p, pin))
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
		if (s->in[lane].generation)
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

/* A message that is an 8-byte number, of that type. */
static inline __u64 number(const struct msg *m)
{
	__u64 n;

	check(m->length == sizeof(n));
	memcpy(&n, m->data, sizeof(n));
	check(m->type == (__u32)n);
	return n;
}

#endif /* SELFTESTS_RECEIVE_H */
