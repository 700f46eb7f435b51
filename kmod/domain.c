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
 * Locks: two domains' locks nest by id. Outermost of all locks but the
 * mmap_lock of a page fault's; so user memory is touched under one only where a
 * page fault is not handled, but fails.
 */
#include <linux/atomic.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "domain.h"

static atomic64_t domain_ids;

struct sluice_domain *sluice_domain_new(void)
{
	struct sluice_domain *domain;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL_ACCOUNT);
	if (!domain)
		return NULL;
	kref_init(&domain->ref);
	mutex_init(&domain->lock);
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

/* Return: whether they are joined; if not, another was quicker. */
static bool domain_try_join(struct sluice_domain *a, struct sluice_domain *b)
{
	struct sluice_domain *heavy, *light;
	bool roots;

	if (a->id > b->id)
		swap(a, b);
	mutex_lock(&a->lock);
	mutex_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
	roots = !a->forward && !b->forward;
	if (roots) {
		heavy = a->weight >= b->weight ? a : b;
		light = heavy == a ? b : a;
		heavy->weight += light->weight;
		kref_get(&heavy->ref);
		/* Pairs with the acquire in sluice_domain_root(). */
		smp_store_release(&light->forward, heavy);
	}
	mutex_unlock(&b->lock);
	mutex_unlock(&a->lock);
	return roots;
}

void sluice_domain_join_roots(struct sluice_domain *a, struct sluice_domain *b)
{
	while (a != b && !domain_try_join(a, b)) {
		a = sluice_domain_root(a);
		b = sluice_domain_root(b);
	}
}
