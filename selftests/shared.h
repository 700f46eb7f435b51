/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both sides of the data path need: loads and stores, mappings, the member
 * table.
 */
#ifndef SELFTESTS_SHARED_H
#define SELFTESTS_SHARED_H

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

#endif /* SELFTESTS_SHARED_H */
