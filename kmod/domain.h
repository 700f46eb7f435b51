/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DOMAIN_H
#define SLUICE_DOMAIN_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

/**
 * struct sluice_later - what is not to be done while a domain is locked
 * @next: that was put off before
 * @fn: does it, and frees this
 *
 * To be had before there is no way back: a part of what it is done to.
 */
struct sluice_later {
	struct sluice_later *next;
	void (*fn)(struct sluice_later *later);
};

/**
 * struct sluice_alarm - what is to be done with a domain locked, at some time
 * @timer: when
 * @waiting: it is time; in sluice_domain.due
 * @domain: has become part of the one to be locked; whoever has this keeps that
 * @ring: does some of it, with the domain locked; returns whether there is more.
 *	What that puts off (sluice_domain_later()) it sees to itself.
 */
struct sluice_alarm {
	struct delayed_work timer;
	struct list_head waiting;
	struct sluice_domain *domain;
	bool (*ring)(struct sluice_alarm *alarm);
};

/**
 * struct sluice_domain - lockspaces and holders that may wait for each other
 * @ref: of lockspaces and holders that began here, and of domains joined to it
 * @lock: guards all of them, while @forward is NULL
 * @id: lock order between two domains
 * @forward: the domain this one was joined to; set once, under both locks
 * @weight: domains joined to it, and itself
 * @later: put off until @lock is not held; NULL when it is not
 * @due_lock: guards @due, and alarms' @waiting there; a leaf
 * @due: alarms that ring before @lock is given up; none, if @forward
 * @poke: has them ring, if nobody locks it
 */
struct sluice_domain {
	struct kref ref;
	struct mutex lock;
	u64 id;
	struct sluice_domain *forward;
	unsigned int weight;
	struct sluice_later *later;
	spinlock_t due_lock;
	struct list_head due;
	struct work_struct poke;
};

int sluice_domains_init(void);
/* Waits for all that was queued. */
void sluice_domains_exit(void);

struct sluice_domain *sluice_domain_new(void);
void sluice_domain_put(struct sluice_domain *domain);

/**
 * sluice_domain_lock - lock what a domain has become part of
 * @domain: the one a lockspace or holder began in
 *
 * Return: the domain that was locked, to be unlocked.
 */
struct sluice_domain *sluice_domain_lock(struct sluice_domain *domain);

/*
 * For who only looks, and may have to wait for strangers. Return: NULL if he is
 * killed meanwhile, and nothing is locked.
 */
struct sluice_domain *sluice_domain_lock_killable(struct sluice_domain *domain);

/* Do what was put off; nothing may be locked. */
void sluice_domain_catch_up(struct sluice_later *later);

/* Return: what was put off, which the caller sees to. @domain is locked. */
static inline struct sluice_later *sluice_domain_take_later(struct sluice_domain *domain)
{
	struct sluice_later *later = domain->later;

	domain->later = NULL;
	return later;
}

/* Whoever unlocks does what was put off, and before it some of what is due. */
void sluice_domain_unlock(struct sluice_domain *domain);

/* Return: the domain that @domain has become part of, if it is not joined now. */
static inline struct sluice_domain *sluice_domain_root(struct sluice_domain *domain)
{
	struct sluice_domain *forward;

	/* Pairs with the release in sluice_domain_join(). */
	while ((forward = smp_load_acquire(&domain->forward)))
		domain = forward;
	return domain;
}

void sluice_domain_join_roots(struct sluice_domain *a, struct sluice_domain *b);

/* From now on, locking @a or @b locks both. */
static inline void sluice_domain_join(struct sluice_domain *a,
				      struct sluice_domain *b)
{
	a = sluice_domain_root(a);
	b = sluice_domain_root(b);
	if (a != b)
		sluice_domain_join_roots(a, b);
}

/* For lockdep: is the domain that @domain has become part of locked? */
static inline void sluice_domain_assert(struct sluice_domain *domain)
{
	if (IS_ENABLED(CONFIG_LOCKDEP))
		lockdep_assert_held(&sluice_domain_root(domain)->lock);
}

/**
 * sluice_domain_later - put off what may take long until nobody waits for it
 * @domain: has become part of one that is locked
 * @later: what to do when that is unlocked
 */
void sluice_domain_later(struct sluice_domain *domain,
			 struct sluice_later *later);

void sluice_alarm_init(struct sluice_alarm *alarm, struct sluice_domain *domain,
		       bool (*ring)(struct sluice_alarm *alarm));

/**
 * sluice_alarm_set - be sure that it rings, then or before
 * @alarm: which; its domain is locked
 * @expires: in ns, CLOCK_MONOTONIC
 *
 * No worker waits for the domain: if somebody has it, it is he who has it ring.
 */
void sluice_alarm_set(struct sluice_alarm *alarm, u64 expires);

/*
 * It does not ring when this returns, nor later. Nobody sets it any more, and it
 * does not do so itself. Locks its domain.
 */
void sluice_alarm_cancel(struct sluice_alarm *alarm);

#endif
