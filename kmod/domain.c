// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: how much one lock guards.
 *
 * Deadlocks are found over all that a holder has and waits for, so everything
 * that can be connected by waiting must stand still while one looks. One lock
 * for all would let anybody's waiting slow down everybody. So every lockspace
 * and every holder begins as a domain of its own, and the first request of a
 * holder in a lockspace joins the two: those who never meet never share a lock.
 * Domains are never divided.
 *
 * This is the disjoint-set forest of Galler and Fischer (1964), joined by
 * weight, so that a path is at most as long as the logarithm of its domains.
 * A domain that was joined to another lives on, forwarding, as long as somebody
 * who began in it does: nobody's pointer ever changes.
 *
 * What comes due in a domain, as a lease does, must not wait for it: whoever keeps
 * very many of his own domains busy would have all workers asleep, and what is
 * due elsewhere would be late. So who has the lock does it before he gives it up,
 * as in flat combining (Hendler et al., 2010). A worker only tries the lock.
 *
 * Nothing is lost: a worker puts the alarm into the list, and then tries. If that
 * fails, somebody has the lock, or is about to, and looks into the list after he
 * has given it up. Both look with due_lock held. If the worker's turn was first,
 * the other finds the alarm; else he had given up the lock when the worker tried.
 *
 * Locks: two domains' locks nest by id. Outermost of all locks but the
 * mmap_lock of a page fault's; so user memory is touched under one only where a
 * page fault is not handled, but fails. due_lock is a leaf; two of them nest as
 * their domains are joined.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "domain.h"

/* Nothing in here waits for a domain, or for a file system. */
static struct workqueue_struct *workers;
static atomic64_t domain_ids;

int sluice_domains_init(void)
{
	workers = alloc_workqueue("sluice", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return workers ? 0 : -ENOMEM;
}

void sluice_domains_exit(void)
{
	destroy_workqueue(workers);
}

/* Somebody else may have it: then it is he who sees to what is due. */
static void domain_try(struct sluice_domain *domain)
{
	domain = sluice_domain_root(domain);
	if (mutex_trylock(&domain->lock))
		sluice_domain_unlock(domain);
}

static void domain_poke(struct work_struct *work)
{
	struct sluice_domain *domain =
		container_of(work, struct sluice_domain, poke);

	domain_try(domain);
	sluice_domain_put(domain);
}

struct sluice_domain *sluice_domain_new(void)
{
	struct sluice_domain *domain;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain)
		return NULL;
	kref_init(&domain->ref);
	mutex_init(&domain->lock);
	spin_lock_init(&domain->due_lock);
	INIT_LIST_HEAD(&domain->due);
	INIT_WORK(&domain->poke, domain_poke);
	domain->id = atomic64_inc_return(&domain_ids);
	domain->weight = 1;
	return domain;
}

static void domain_release(struct kref *ref)
{
	/* Left to sluice_domain_put(), which must not recurse. */
}

void sluice_domain_put(struct sluice_domain *domain)
{
	struct sluice_domain *forward;

	while (domain && kref_put(&domain->ref, domain_release)) {
		forward = domain->forward;
		mutex_destroy(&domain->lock);
		kfree(domain);
		domain = forward;
	}
}

struct sluice_domain *sluice_domain_lock(struct sluice_domain *domain)
{
	for (;;) {
		domain = sluice_domain_root(domain);
		mutex_lock(&domain->lock);
		if (!domain->forward)
			return domain;
		mutex_unlock(&domain->lock);
	}
}

/* To be called when @domain has been unlocked, or not locked: see at the top. */
static void domain_look(struct sluice_domain *domain)
{
	bool due;

	spin_lock(&domain->due_lock);
	due = !list_empty(&domain->due);
	spin_unlock(&domain->due_lock);
	if (likely(!due))
		return;
	kref_get(&domain->ref);
	if (!queue_work(workers, &domain->poke))
		sluice_domain_put(domain);
}

struct sluice_domain *sluice_domain_lock_killable(struct sluice_domain *domain)
{
	for (;;) {
		domain = sluice_domain_root(domain);
		if (mutex_lock_killable(&domain->lock)) {
			/* With PREEMPT_RT a waiter is enough for a trylock to fail. */
			domain_look(domain);
			return NULL;
		}
		if (!domain->forward)
			return domain;
		mutex_unlock(&domain->lock);
	}
}

static void alarm_wait(struct sluice_alarm *alarm)
{
	struct sluice_domain *domain = alarm->domain;
	bool root;

	do {
		domain = sluice_domain_root(domain);
		spin_lock(&domain->due_lock);
		root = !domain->forward;
		if (root && list_empty(&alarm->waiting))
			list_add_tail(&alarm->waiting, &domain->due);
		spin_unlock(&domain->due_lock);
	} while (!root);
}

/* One only: who has the lock shall not have to work for others for long. */
static void domain_ring(struct sluice_domain *domain)
{
	struct sluice_alarm *alarm;

	lockdep_assert_held(&domain->lock);
	spin_lock(&domain->due_lock);
	alarm = list_first_entry_or_null(&domain->due, struct sluice_alarm,
					 waiting);
	if (alarm)
		list_del_init(&alarm->waiting);
	spin_unlock(&domain->due_lock);
	if (alarm && alarm->ring(alarm))
		alarm_wait(alarm);
}

void sluice_domain_unlock(struct sluice_domain *domain)
{
	struct sluice_later *later = sluice_domain_take_later(domain);

	/* What comes right now is for whoever looks. */
	if (unlikely(data_race(!list_empty(&domain->due))))
		domain_ring(domain);
	mutex_unlock(&domain->lock);
	domain_look(domain);
	if (unlikely(later))
		sluice_domain_catch_up(later);
}

void sluice_domain_later(struct sluice_domain *domain,
			 struct sluice_later *later)
{
	sluice_domain_assert(domain);
	domain = sluice_domain_root(domain);
	later->next = domain->later;
	domain->later = later;
}

void sluice_domain_catch_up(struct sluice_later *later)
{
	struct sluice_later *next;

	for (; later; later = next) {
		next = later->next;
		later->fn(later);
		cond_resched();
	}
}

static void domain_forward(struct sluice_domain *light,
			   struct sluice_domain *heavy)
{
	heavy->weight += light->weight;
	kref_get(&heavy->ref);
	spin_lock(&light->due_lock);
	spin_lock_nested(&heavy->due_lock, SINGLE_DEPTH_NESTING);
	list_splice_tail_init(&light->due, &heavy->due);
	/* Pairs with the acquire in sluice_domain_root(). */
	smp_store_release(&light->forward, heavy);
	spin_unlock(&heavy->due_lock);
	spin_unlock(&light->due_lock);
}

/* Return: whether they are joined; if not, another was quicker. */
static bool domain_try_join(struct sluice_domain *a, struct sluice_domain *b)
{
	bool roots;

	if (a->id > b->id)
		swap(a, b);
	mutex_lock(&a->lock);
	mutex_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
	roots = !a->forward && !b->forward;
	if (roots && a->weight >= b->weight)
		domain_forward(b, a);
	else if (roots)
		domain_forward(a, b);
	mutex_unlock(&b->lock);
	mutex_unlock(&a->lock);
	domain_look(a);
	domain_look(b);
	return roots;
}

void sluice_domain_join_roots(struct sluice_domain *a, struct sluice_domain *b)
{
	while (a != b && !domain_try_join(a, b)) {
		a = sluice_domain_root(a);
		b = sluice_domain_root(b);
	}
}

/*
 * Alarms.
 */
static void alarm_expired(struct work_struct *work)
{
	struct sluice_alarm *alarm = container_of(to_delayed_work(work),
						  struct sluice_alarm, timer);

	alarm_wait(alarm);
	domain_try(alarm->domain);
}

void sluice_alarm_init(struct sluice_alarm *alarm, struct sluice_domain *domain,
		       bool (*ring)(struct sluice_alarm *alarm))
{
	INIT_DELAYED_WORK(&alarm->timer, alarm_expired);
	INIT_LIST_HEAD(&alarm->waiting);
	alarm->domain = domain;
	alarm->ring = ring;
}

void sluice_alarm_set(struct sluice_alarm *alarm, u64 expires)
{
	s64 ns = max_t(s64, expires - ktime_get_ns(), 0);
	unsigned long delay = nsecs_to_jiffies64(min_t(s64, ns, NSEC_PER_SEC *
						       86400ULL)) + 1;

	sluice_domain_assert(alarm->domain);
	/* Never at once, without the timer: when it will ring is read from that. */
	if (delayed_work_pending(&alarm->timer) &&
	    time_before_eq(alarm->timer.timer.expires, jiffies + delay))
		return;
	mod_delayed_work(workers, &alarm->timer, delay);
}

void sluice_alarm_cancel(struct sluice_alarm *alarm)
{
	struct sluice_domain *domain;

	cancel_delayed_work_sync(&alarm->timer);
	domain = sluice_domain_lock(alarm->domain);
	spin_lock(&domain->due_lock);
	list_del_init(&alarm->waiting);
	spin_unlock(&domain->due_lock);
	sluice_domain_unlock(domain);
}
