// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests: who gets what, and when.
 *
 * Each item of a request is a want, queued at its resource. A want has to wait
 * for whoever holds a range it overlaps in a mode that does not go with its
 * own, and for whoever is ahead of it in the queue and wants that: first come,
 * first served. The queue is in the order of priority; but one that has been
 * passed PASSED_MAX times is passed no more, so none starves. Those of a request
 * stay together there. A want does not wait for one ahead that waits for what its
 * own holder has: that would be for ever. So conversions go first, and a reader
 * who reads again goes on. Where that is so by way of others, deadlock.c lets
 * somebody jump the queue.
 *
 * A request for all is granted when none of its wants has to wait, a request
 * for any when one has not. That is looked at when it is made, and whenever
 * something it may wait for has gone: the resource becomes dirty, and
 * sluice_request_pass() looks at its queue from the front.
 *
 * Granting has two steps. sluice_request_grant() adds what was wanted to what
 * the holder had; sluice_request_finish() drops what it replaces once the
 * caller has been told, or else the new grant. Nobody else gets in between.
 * Where there is nothing to drop, sluice_request_accept() is enough, and needs
 * no lock: so who was woken need not wait for who woke him.
 *
 * Locks: the domain's, see domain.c, in every function here but what accepts.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/interval_tree_generic.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "backing.h"
#include "deadlock.h"
#include "domain.h"
#include "holder.h"
#include "lockspace.h"
#include "queue.h"
#include "request.h"
#include "trace.h"
#include "word.h"

#define PASSED_MAX	64
#define NOTICED_MAX	256	/* of what stands in the way of a want, in one look */

struct sluice_holder *sluice_request_holder(struct sluice_request *request)
{
	return container_of(request, struct sluice_holder, request);
}

static void request_assert(struct sluice_request *request)
{
	sluice_domain_assert(sluice_request_holder(request)->domain);
}

/*
 * Memory of a want, got and given back without the lock.
 */
static int want_prepare_grant(struct sluice_want *want)
{
	struct sluice_holder *holder = want->holder;

	if (!want->grant)
		want->grant = sluice_grant_take(holder);
	if (IS_ERR(want->grant))
		return PTR_ERR(want->grant);
	if ((want->lease || want->backed) && !want->grant->revoked) {
		want->grant->revoked = kzalloc(sizeof(*want->grant->revoked),
					       GFP_KERNEL_ACCOUNT);
		if (!want->grant->revoked)
			return -ENOMEM;
	}
	/*
	 * A range that the holder has may become two; later it has no more, but
	 * for what it has by a word.
	 */
	if ((READ_ONCE(holder->held_count) || want->space->words) &&
	    !want->spares[0] && (want->start || want->last != SLUICE_END))
		want->spares[0] = sluice_spare_new(holder->user);
	return PTR_ERR_OR_ZERO(want->spares[0]);
}

static struct sluice_resource *want_prepare_resource(struct sluice_holder *holder)
{
	struct sluice_resource *spare = holder->spare_resource;

	holder->spare_resource = NULL;
	return spare ?: sluice_resource_new();
}

int sluice_want_prepare(struct sluice_want *want)
{
	INIT_LIST_HEAD(&want->queued);
	INIT_LIST_HEAD(&want->watch);
	want->jumps = false;
	want->noticed = 0;
	want->passed = 0;
	if (!want->spare)
		want->spare = want_prepare_resource(want->holder);
	return want_prepare_grant(want);
}

void sluice_want_release(struct sluice_want *want)
{
	struct sluice_holder *holder = want->holder;
	u32 i;

	if (want->spare && !holder->spare_resource)
		swap(want->spare, holder->spare_resource);
	if (want->spare)
		sluice_resource_free(want->spare);
	if (want->grant)
		sluice_grant_keep(holder, want->grant);
	for (i = 0; i < SLUICE_SPARES; i++)
		if (want->spares[i])
			sluice_grant_free(want->spares[i]);
	if (want->backing)
		sluice_backing_put(want);
	if (want->pin)
		sluice_pin_put(want->pin);
	if (want->space)
		sluice_lockspace_put(want->space);
}

/*
 * Queues.
 */
static bool wants_conflict(const struct sluice_want *a,
			   const struct sluice_want *b)
{
	return sluice_mode_conflict(a->mode, b->mode) &&
		sluice_ranges_overlap(a->start, a->last, b->start, b->last);
}

static s32 want_priority(const struct sluice_want *want)
{
	return want->holder->request.priority;
}

static struct sluice_want *listed_want(struct rb_node *node)
{
	return rb_entry(node, struct sluice_want, listed);
}

static bool listed_before(struct rb_node *a, const struct rb_node *b)
{
	return listed_want(a)->serial <
		rb_entry(b, struct sluice_want, listed)->serial;
}

struct sluice_want *sluice_want_after(const struct sluice_lockspace *space,
				      u64 serial)
{
	struct rb_node *node = space->wants.rb_node;
	struct sluice_want *next = NULL;

	sluice_domain_assert(space->domain);
	while (node) {
		if (listed_want(node)->serial > serial) {
			next = listed_want(node);
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return next;
}

/* @follows: another of its request, which is queued already. */
static void want_enqueue(struct sluice_want *want, bool follows)
{
	struct sluice_resource *resource = want->resource;
	struct sluice_want *ahead;

	list_for_each_entry_reverse(ahead, &resource->waiters, queued) {
		if (follows ? ahead->holder == want->holder :
		    want_priority(ahead) >= want_priority(want) ||
		    ahead->passed >= PASSED_MAX)
			break;
		ahead->passed += wants_conflict(ahead, want);
		cond_resched();
	}
	sluice_queue_add(want, &ahead->queued);
	want->converter = sluice_grant_own(want->holder, resource, 0,
					   SLUICE_END);
	resource->converters += want->converter;
	resource->space->waiting++;
	want->serial = ++resource->space->changes;
	rb_add(&want->listed, &resource->space->wants, listed_before);
}

static void want_dequeue(struct sluice_want *want)
{
	struct sluice_resource *resource = want->resource;

	if (list_empty(&want->queued))
		return;
	sluice_queue_remove(want);
	resource->converters -= want->converter;
	resource->space->waiting--;
	resource->space->changes++;
	rb_erase(&want->listed, &resource->space->wants);
	want->resource = NULL;
}

/* It is wanted no more: others may go on. */
static void want_leave(struct sluice_want *want, struct list_head *dirty)
{
	if (list_empty(&want->queued))
		return;
	sluice_resource_dirty(want->resource, dirty);
	want_dequeue(want);
}

static void request_leave(struct sluice_request *request,
			  struct list_head *dirty)
{
	u32 i;

	for (i = 0; i < request->count; i++)
		want_leave(&request->wants[i], dirty);
}

static int want_find(struct sluice_want *want)
{
	struct sluice_resource *resource;

	resource = sluice_resource_add(want->space, &want->key, want->pin,
				       want->holder->user, &want->spare);
	if (IS_ERR(resource))
		return PTR_ERR(resource);
	want->resource = resource;
	sluice_word_take(resource);
	return 0;
}

/* Does any before the @i-th want the same? */
static bool request_follows(const struct sluice_request *request, u32 i)
{
	u32 j;

	for (j = 0; j < i; j++)
		if (request->wants[j].resource == request->wants[i].resource)
			return true;
	return false;
}

static int request_queue(struct sluice_request *request)
{
	int ret = 0;
	u32 i;

	for (i = 0; i < request->count && !ret; i++) {
		ret = want_find(&request->wants[i]);
		if (!ret)
			want_enqueue(&request->wants[i],
				     request_follows(request, i));
	}
	return ret;
}

/* Who is refused at once has passed nobody. */
static void want_unpass(struct sluice_want *want)
{
	struct sluice_want *behind = want;

	if (list_empty(&want->queued))
		return;
	list_for_each_entry_continue(behind, &want->resource->waiters, queued) {
		/* It may have jumped some that it had not passed. */
		if (behind->passed && behind->holder != want->holder)
			behind->passed -= wants_conflict(behind, want);
		cond_resched();
	}
}

/*
 * Who stands in the way.
 */
void sluice_want_rewind(struct sluice_want *want)
{
	want->ahead = want;
	want->standing = NULL;
	want->queue_seen = want->jumps || !(want->resource->waiting_modes &
					    sluice_mode_conflicts[want->mode]);
	want->clear = false;
}

bool sluice_want_stands_ahead(const struct sluice_want *ahead,
			      const struct sluice_want *want)
{
	if (want->jumps || ahead->holder == want->holder ||
	    !wants_conflict(ahead, want) || sluice_want_lost(ahead))
		return false;
	return !want->converter ||
		!sluice_grant_blocks(want->holder, want->resource, ahead->mode,
				     ahead->start, ahead->last);
}

/* Does @ahead have to wait for whoever @want has to wait for? */
static bool want_waits_for_more(const struct sluice_want *ahead,
				const struct sluice_want *want)
{
	return !ahead->converter && !want->converter &&
		!sluice_request_any(&ahead->holder->request) &&
		sluice_mode_covers(ahead->mode, want->mode) &&
		ahead->start <= want->start && ahead->last >= want->last;
}

static struct sluice_holder *
blocker_ahead(struct sluice_want *want,
	      bool (*live)(struct sluice_holder *holder, u64 arg), u64 arg)
{
	u8 modes = sluice_mode_conflicts[want->mode];
	struct sluice_want *ahead = want->ahead;

	if (ahead == want)
		ahead = sluice_queue_ahead(want, modes);
	for (; ahead; ahead = sluice_queue_ahead(ahead, modes)) {
		cond_resched();
		if (!sluice_want_stands_ahead(ahead, want))
			continue;
		if (!live || !live(ahead->holder, arg)) {
			want->ahead = ahead;
			return ahead->holder;
		}
		if (want_waits_for_more(ahead, want)) {
			want->clear = true;
			return NULL;
		}
	}
	want->queue_seen = true;
	return NULL;
}

static struct sluice_holder *
blocker_holding(struct sluice_want *want,
		bool (*live)(struct sluice_holder *holder, u64 arg), u64 arg)
{
	struct sluice_grant *grant = want->standing;

	if (!grant)
		grant = sluice_grant_conflict(want->resource, want->holder,
					      want->mode, want->start,
					      want->last, NULL);
	while (grant && live && live(grant->holder, arg))
		grant = sluice_grant_conflict(want->resource, want->holder,
					      want->mode, want->start,
					      want->last, grant);
	want->standing = grant;
	want->clear = !grant;
	return grant ? grant->holder : NULL;
}

struct sluice_holder *
sluice_want_blocker(struct sluice_want *want,
		    bool (*live)(struct sluice_holder *holder, u64 arg),
		    u64 arg)
{
	struct sluice_holder *holder = NULL;

	if (!want->clear && !want->queue_seen)
		holder = blocker_ahead(want, live, arg);
	if (!holder && !want->clear)
		holder = blocker_holding(want, live, arg);
	return holder;
}

struct sluice_holder *sluice_want_sole_blocker(const struct sluice_want *want)
{
	const struct sluice_grant *grant = sluice_grant_only(want->resource);

	if (!grant || !list_is_first(&want->queued, &want->resource->waiters) ||
	    sluice_want_lost(want) || grant->holder == want->holder ||
	    !sluice_mode_conflict(grant->mode, want->mode) ||
	    !sluice_ranges_overlap(grant->start, grant->last, want->start,
				   want->last))
		return NULL;
	return grant->holder;
}

bool sluice_want_lost(const struct sluice_want *want)
{
	return !list_empty(&want->resource->died) && !want->repair &&
		want->mode != SLUICE_NL &&
		sluice_resource_status(want->resource, want->start,
				       want->last) & SLUICE_UNRECOVERABLE;
}

/* It cannot be granted however long it waits. */
static bool request_lost(const struct sluice_request *request)
{
	bool any = sluice_request_any(request);
	u32 i;

	for (i = 0; i < request->count; i++)
		if (sluice_want_lost(&request->wants[i]) != any)
			return !any;
	return any;
}

/**
 * struct pass - a look at a resource's queue, from the front
 * @resource: it is of
 * @number: on the requests it has left waiting
 * @plain: of their wants, so far, one for all of the resource in each mode: where
 *	that stands in the way, so do the others
 * @ahead: the others of their wants, as an interval tree for each mode
 * @stopped: modes in which nobody behind them can go on
 *
 * What stands ahead of many would else be looked for in all of the queue by each.
 */
struct pass {
	struct sluice_resource *resource;
	u64 number;
	struct sluice_want *plain[SLUICE_MODES];
	struct rb_root_cached ahead[SLUICE_MODES];
	u32 stopped;
};

/* Numbers of one are another's by no chance. */
static atomic64_t passes;

#define WANT_START(want)	((want)->start)
#define WANT_LAST(want)		((want)->last)

INTERVAL_TREE_DEFINE(struct sluice_want, stays, u64, stays_last, WANT_START,
		     WANT_LAST, static __maybe_unused, pass)

static void pass_leave(struct pass *pass, struct sluice_want *want)
{
	bool plain = !want->start && want->last == SLUICE_END;

	want->holder->request.pass = pass->number;
	if (plain)
		pass->stopped |= sluice_mode_conflicts[want->mode];
	if (sluice_want_lost(want))
		return;
	if (plain)
		pass->plain[want->mode] = want;
	else
		pass_insert(want, &pass->ahead[want->mode]);
}

/*
 * Does anybody stand ahead of @want? Where @pass is, that are those it left: none
 * of the same request is among them.
 */
static bool pass_blocks(struct pass *pass, struct sluice_want *want)
{
	unsigned long modes = sluice_mode_conflicts[want->mode];
	struct sluice_want *ahead;
	u32 mode;

	for_each_set_bit(mode, &modes, SLUICE_MODES) {
		ahead = pass->plain[mode];
		if (ahead && sluice_want_stands_ahead(ahead, want))
			return true;
		for (ahead = pass_iter_first(&pass->ahead[mode], want->start,
					     want->last);
		     ahead; ahead = pass_iter_next(ahead, want->start,
						   want->last)) {
			if (sluice_want_stands_ahead(ahead, want))
				return true;
			cond_resched();
		}
	}
	return false;
}

/* @pass: has come to @want's request; or NULL. */
static bool want_blocked(struct sluice_want *want, struct pass *pass)
{
	sluice_want_rewind(want);
	if (want->strange || sluice_want_lost(want))
		return true;
	if (pass && pass->resource == want->resource && !want->queue_seen) {
		if (pass_blocks(pass, want))
			return true;
		want->queue_seen = true;
	}
	return sluice_want_blocker(want, NULL, 0);
}

static bool request_grantable(struct sluice_request *request,
			      struct pass *pass, u32 *index)
{
	bool any = sluice_request_any(request), blocked;
	u32 i;

	for (i = 0; i < request->count; i++) {
		blocked = want_blocked(&request->wants[i], pass);
		*index = i;
		if (blocked != any)
			return any;
	}
	return !any;
}

void sluice_want_jump(struct sluice_want *want, struct list_head *dirty)
{
	request_assert(&want->holder->request);
	want->jumps = true;
	want->resource->converters += !want->converter;
	want->converter = true;
	sluice_resource_dirty(want->resource, dirty);
}

/*
 * Tell those who have what is wanted, each once, that somebody waits for it. Of
 * very many the first ones, and the next ones when some of these have gone: it
 * cannot be had before.
 */
static void want_notice(struct sluice_want *want)
{
	struct sluice_grant *grant = want->standing;
	struct sluice_holder *holder;
	u32 n = 0;

	if (!grant || want->noticed == want->resource->published)
		return;
	want->noticed = want->resource->published;
	for (; grant; grant = sluice_grant_conflict(want->resource, want->holder,
						    want->mode, want->start,
						    want->last, grant)) {
		if (n++ == NOTICED_MAX) {
			want->noticed = 0;
			break;
		}
		holder = grant->holder;
		if (sluice_mode_covers(grant->wanted, want->mode))
			continue;
		grant->wanted = want->mode;
		/* Its holder is told once he knows that he has it. */
		if (grant->fresh)
			continue;
		grant->notice = ++holder->notice_numbers;
		if (list_empty(&grant->news))
			list_add_tail(&grant->news, &holder->notices);
		sluice_holder_tell(holder, SLUICE_NEWS_NOTICE);
	}
}

/* Right after request_grantable() said no, and where it ended. */
static void request_notice(struct sluice_request *request, u32 index)
{
	u32 i;

	if (!sluice_request_any(request))
		return want_notice(&request->wants[index]);
	for (i = 0; i < request->count; i++)
		want_notice(&request->wants[i]);
}

/*
 * Granting.
 */
static void want_grant(struct sluice_want *want, u64 now)
{
	struct sluice_resource *resource = want->resource;
	struct sluice_grant *grant = want->grant;
	struct sluice_lockspace *space = resource->space;

	want_dequeue(want);
	grant->resource = resource;
	grant->holder = want->holder;
	grant->mode = want->mode;
	grant->start = want->start;
	grant->last = want->last;
	grant->since = now;
	grant->backed = want->backed;
	grant->expires = want->lease ? now + want->lease : 0;
	grant->token = sluice_mode_exclusive(want->mode) ? ++space->token : 0;
	want->token = grant->token;
	want->status = want->mode == SLUICE_NL || list_empty(&resource->died) ?
		0 : sluice_resource_status(resource, want->start, want->last);
	want->granted = true;
	space->granted++;
	trace_sluice_lock_grant(want, sluice_request_waits(&want->holder->request) ?
				now - want->holder->request.since : 0);
	sluice_grant_publish(grant);
	if (!grant->fresh)
		want->grant = NULL;
}

static void want_settle(struct sluice_want *want, bool keep,
			struct list_head *dirty)
{
	struct sluice_grant *grant = want->grant;
	struct sluice_resource *resource;

	if (!want->granted)
		return;
	want->granted = false;
	if (grant) {
		resource = grant->resource;
		want->grant = NULL;
		if (keep) {
			sluice_grant_settle(grant, want->spares);
		} else {
			sluice_grant_withdraw(grant);
			sluice_grant_keep(want->holder, grant);
		}
		sluice_resource_dirty(resource, dirty);
	} else if (!keep) {
		/* There was nothing before; another thread may have let it go. */
		resource = sluice_resource_find(want->space, &want->key);
		if (resource && sluice_grant_set(want->holder, resource,
						 want->start, want->last,
						 SLUICE_UNLOCKED, want->spares))
			sluice_resource_dirty(resource, dirty);
	}
}

static void request_settle(struct sluice_request *request, bool keep,
			   struct list_head *dirty)
{
	u32 i;

	for (i = 0; i < request->count; i++)
		want_settle(&request->wants[i], keep, dirty);
}

static void request_end(struct sluice_request *request, u32 state, int error)
{
	struct sluice_holder *holder = sluice_request_holder(request);
	bool waited = sluice_request_waits(request);

	request->error = error;
	/* Pairs with the acquire in sluice_request_acceptable(). */
	smp_store_release(&request->state, state);
	if (!waited)
		return;
	if (request->flags & SLUICE_LOCK_ASYNC)
		sluice_holder_tell(holder, SLUICE_NEWS_DONE);
	else
		wake_up(&holder->wait);
}

void sluice_request_grant(struct sluice_request *request, u32 index,
			  struct list_head *dirty)
{
	bool waited = sluice_request_waits(request);
	u64 now = ktime_get_ns();
	u32 i;

	request_assert(request);
	for (i = 0; i < request->count; i++) {
		if (sluice_request_any(request) && i != index)
			want_leave(&request->wants[i], dirty);
		else
			want_grant(&request->wants[i], now);
	}
	request->index = index;
	/* Nobody waits for the answer in a call, who could fail to get it. */
	if (waited && request->flags & SLUICE_LOCK_ASYNC)
		request_settle(request, true, dirty);
	request_end(request, SLUICE_REQUEST_GRANTED, 0);
}

void sluice_request_fail(struct sluice_request *request, int error,
			 struct list_head *dirty)
{
	request_assert(request);
	trace_sluice_lock_fail(request, error);
	request_leave(request, dirty);
	request_end(request, SLUICE_REQUEST_FAILED, error);
}

/* Where a look at the queue goes on when all wants of @want's request left. */
static struct list_head *place_before(struct sluice_want *want)
{
	struct list_head *place = want->queued.prev;

	while (place != &want->resource->waiters &&
	       list_entry(place, struct sluice_want, queued)->holder ==
	       want->holder)
		place = place->prev;
	return place;
}

/*
 * Look at the queue from the front. It is over early when those who are still
 * waiting keep all others from going on, unless some of them need not queue, or
 * have to be told that it is lost. All wants of a request are looked at with the
 * first one: nobody else's is between them, and whoever is granted something
 * makes room for nobody. What does, makes the resource dirty again.
 */
static void resource_pass(struct sluice_resource *resource,
			  struct list_head *dirty)
{
	struct pass pass = { .resource = resource };
	struct sluice_request *request;
	struct list_head *before;
	struct sluice_want *want;
	u32 index;

	if (list_empty(&resource->waiters))
		return;
	pass.number = atomic64_inc_return(&passes);
	want = list_first_entry(&resource->waiters, struct sluice_want, queued);
	while (&want->queued != &resource->waiters) {
		if (!resource->converters && list_empty(&resource->died) &&
		    !(resource->waiting_modes & ~pass.stopped))
			break;
		request = &want->holder->request;
		before = place_before(want);
		if (request->pass == pass.number) {
			pass_leave(&pass, want);
			before = &want->queued;
		} else if (request_lost(request)) {
			sluice_request_fail(request, -ENOTRECOVERABLE, dirty);
		} else if (request_grantable(request, &pass, &index)) {
			sluice_request_grant(request, index, dirty);
		} else {
			request_notice(request, index);
			pass_leave(&pass, want);
			before = &want->queued;
		}
		want = list_entry(before->next, struct sluice_want, queued);
		cond_resched();
	}
}

void sluice_request_pass_dirty(struct list_head *dirty)
{
	struct sluice_resource *resource;

	while (!list_empty(dirty)) {
		resource = list_first_entry(dirty, struct sluice_resource,
					    dirty);
		list_del_init(&resource->dirty);
		resource_pass(resource, dirty);
		sluice_resource_settle(resource);
	}
}

/* It cannot be granted now; @index is where that was seen. */
static int request_wait(struct sluice_request *request, u32 index)
{
	u64 now = ktime_get_ns();
	u32 i;

	if (request->flags & SLUICE_LOCK_TRY)
		return -EAGAIN;
	if (request->deadline <= (s64)now)
		return -ETIMEDOUT;
	request->since = now;
	WRITE_ONCE(request->state, SLUICE_REQUEST_WAITING);
	for (i = 0; i < request->count; i++) {
		request->wants[i].resource->space->blocked++;
		trace_sluice_lock_wait(&request->wants[i], i > index ? 0 :
				       sluice_trace_blocker(&request->wants[i]));
	}
	request_notice(request, index);
	if (request->flags & SLUICE_LOCK_ASYNC &&
	    request->deadline != SLUICE_NO_DEADLINE)
		sluice_alarm_set(&sluice_request_holder(request)->alarm,
				 request->deadline);
	sluice_deadlock_resolve(request);
	/* Who asked for an event gets one, however soon. */
	return request->flags & SLUICE_LOCK_ASYNC ||
		sluice_request_waits(request) ? -EINPROGRESS : request->error;
}

/*
 * What nobody has, nobody waits for, and nobody left behind is granted without
 * a place in its queue. Return: 0, -EAGAIN to go and queue, or an error.
 */
static int request_take(struct sluice_request *request,
			struct list_head *dirty)
{
	struct sluice_want *want = request->wants;
	struct sluice_resource *resource;
	int ret;

	if (request->count > 1 || want->strange)
		return -EAGAIN;
	ret = want_find(want);
	if (ret)
		return ret;
	resource = want->resource;
	if (resource->held_modes || resource->waiting_modes ||
	    !list_empty(&resource->died))
		return -EAGAIN;
	sluice_request_grant(request, 0, dirty);
	return 0;
}

/*
 * What was wanted and let go of with the domain locked all the time, or given to
 * who began with nothing: nobody was kept from anything by it, so nobody goes on.
 */
static void resources_settle(struct list_head *dirty)
{
	struct sluice_resource *resource;

	while (!list_empty(dirty)) {
		resource = list_first_entry(dirty, struct sluice_resource,
					    dirty);
		list_del_init(&resource->dirty);
		sluice_resource_settle(resource);
	}
}

int sluice_request_start(struct sluice_request *request)
{
	LIST_HEAD(dirty);
	u32 index, i;
	int ret;

	request_assert(request);
	ret = request_take(request, &dirty);
	if (ret != -EAGAIN)
		return ret;
	ret = request_queue(request);
	if (!ret && request_lost(request))
		ret = -ENOTRECOVERABLE;
	if (!ret && request_grantable(request, NULL, &index))
		sluice_request_grant(request, index, &dirty);
	else if (!ret)
		ret = request_wait(request, index);
	for (i = 0; i < request->count && ret && ret != -EINPROGRESS; i++)
		want_unpass(&request->wants[i]);
	if (ret && ret != -EINPROGRESS)
		request_leave(request, &dirty);
	resources_settle(&dirty);
	return ret;
}

void sluice_request_finish(struct sluice_request *request, bool keep)
{
	LIST_HEAD(dirty);

	request_assert(request);
	if (request->state == SLUICE_REQUEST_GRANTED)
		request_settle(request, keep, &dirty);
	WRITE_ONCE(request->state, SLUICE_REQUEST_IDLE);
	sluice_request_pass(&dirty);
}

bool sluice_request_acceptable(const struct sluice_request *request)
{
	const struct sluice_want *want;
	u32 i;

	if (smp_load_acquire(&request->state) != SLUICE_REQUEST_GRANTED)
		return false;
	for (i = 0; i < request->count; i++) {
		want = &request->wants[i];
		/* It replaces something: that has to be dropped. */
		if (want->granted && want->grant)
			return false;
	}
	return true;
}

bool sluice_request_accept(struct sluice_request *request)
{
	return cmpxchg(&request->state, SLUICE_REQUEST_GRANTED,
		       SLUICE_REQUEST_IDLE) == SLUICE_REQUEST_GRANTED;
}

void sluice_request_refuse(struct sluice_request *request, int error)
{
	LIST_HEAD(dirty);

	request_assert(request);
	if (cmpxchg(&request->state, SLUICE_REQUEST_GRANTED,
		    SLUICE_REQUEST_FAILED) != SLUICE_REQUEST_GRANTED)
		return;
	request->error = error;
	request_settle(request, false, &dirty);
	sluice_request_pass(&dirty);
}
