// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deadlocks: does a request wait for ever?
 *
 * Not so if its holder is live. Who does not wait is live: he may let go of
 * what he has. Who waits for all becomes live when nobody who stands in the way
 * of any of his wants is not; who waits for any, when that is so of one. That
 * is the reduction of a general resource graph (Holt, Some Deadlock Properties
 * of Computer Systems, 1972; the AND-OR model of Knapp, Deadlock Detection in
 * Distributed Databases, 1987): a cycle is neither necessary nor sufficient
 * where there is a choice. Those ahead in a queue stand in the way like those
 * who hold something.
 *
 * Before a request begins to wait there is no deadlock, so one that comes with
 * it makes its holder wait for ever: it is enough to ask about him. As in SAT
 * solvers' watched literals (Moskewicz et al., Chaff, 2001), each want watches
 * one who is not known to be live and stands in its way. When he turns out to
 * be, the want looks on from there; when there is nobody else, it is clear. So
 * everybody who stands in somebody's way is looked at once at most, only those
 * are looked at who matter, and one who is live is mostly found at once. What
 * is not live when nothing is left to look at is deadlocked.
 *
 * Queues are ours to change, though. Who would not be stuck if nobody had to
 * queue shall not fail: somebody in the cycle is let past those ahead of him,
 * who cannot go on anyway.
 *
 * One request may close a ring with each of many. They are broken one by one,
 * but not for ever, as the domain is locked meanwhile: in the end whoever was
 * asked about fails himself, or all that matter for him jump their queues.
 *
 * All of it is in the structures themselves: nothing is allocated to look.
 *
 * Locks: the domain's, see domain.c, in every function here.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "deadlock.h"
#include "domain.h"
#include "holder.h"
#include "lockspace.h"
#include "notify.h"
#include "quota.h"
#include "request.h"
#include "trace.h"

#define CYCLES_KEPT	16	/* of a lockspace */
#define STEPS_KEPT	64	/* of a cycle */
#define CHAIN_MAX	64	/* of those who wait for one each */
#define TURNS_MAX	64	/* to break deadlocks one by one, in one call */

/* Marks of one look are another's by no chance. */
static atomic64_t graph_marks;

/**
 * struct graph - one look
 * @mark: on all requests that are part of it
 * @held_only: as if nobody had to queue
 * @nodes: those requests, the ones that are asked about first
 * @asked: so many are
 * @todo: those to be looked at (again)
 */
struct graph {
	u64 mark;
	bool held_only;
	struct list_head nodes;
	u32 asked;
	struct list_head todo;
};

/**
 * struct question - who is asked about
 * @request: it
 * @resource: or, if that is NULL, all that wait for this one and have a choice
 * @all: or have none
 */
struct question {
	struct sluice_request *request;
	struct sluice_resource *resource;
	bool all;
};

static bool node_live(struct sluice_holder *holder, u64 mark)
{
	struct sluice_request *request = &holder->request;

	return !sluice_request_waits(request) ||
		(request->mark == mark && request->live);
}

static void graph_add(struct graph *graph, struct sluice_request *request)
{
	u32 i;

	if (request->mark == graph->mark)
		return;
	request->mark = graph->mark;
	request->live = false;
	request->next = 0;
	INIT_LIST_HEAD(&request->watchers);
	list_add_tail(&request->node, &graph->nodes);
	list_add_tail(&request->todo, &graph->todo);
	for (i = 0; i < request->count; i++) {
		sluice_want_rewind(&request->wants[i]);
		request->wants[i].queue_seen |= graph->held_only;
		request->wants[i].watched = NULL;
	}
}

/* Return: whether it can be had and nobody stands in the way who is not live. */
static bool want_look(struct graph *graph, struct sluice_want *want)
{
	if (want->watched || sluice_want_lost(want))
		return false;
	want->watched = sluice_want_blocker(want, node_live, graph->mark);
	if (!want->watched)
		return true;
	graph_add(graph, &want->watched->request);
	list_add_tail(&want->watch, &want->watched->request.watchers);
	return false;
}

static bool request_look(struct graph *graph, struct sluice_request *request)
{
	u32 i;

	if (!sluice_request_any(request)) {
		while (request->next < request->count &&
		       want_look(graph, &request->wants[request->next]))
			request->next++;
		return request->next == request->count;
	}
	for (i = 0; i < request->count; i++)
		if (want_look(graph, &request->wants[i]))
			return true;
	return false;
}

static void graph_set_live(struct graph *graph, struct sluice_request *request)
{
	struct sluice_want *want, *next;
	struct sluice_request *watcher;

	request->live = true;
	list_for_each_entry_safe(want, next, &request->watchers, watch) {
		list_del_init(&want->watch);
		want->watched = NULL;
		watcher = &want->holder->request;
		if (!watcher->live && list_empty(&watcher->todo))
			list_add_tail(&watcher->todo, &graph->todo);
	}
}

static void graph_ask(struct graph *graph, struct sluice_request *request)
{
	if (request->mark == graph->mark)
		return;
	graph_add(graph, request);
	graph->asked++;
}

static void graph_begin(struct graph *graph, const struct question *question,
			bool held_only)
{
	struct sluice_request *request = question->request;
	struct sluice_want *want;

	graph->held_only = held_only;
	graph->mark = atomic64_inc_return(&graph_marks);
	graph->asked = 0;
	INIT_LIST_HEAD(&graph->nodes);
	INIT_LIST_HEAD(&graph->todo);
	if (request && sluice_request_waits(request))
		graph_ask(graph, request);
	if (request)
		return;
	list_for_each_entry(want, &question->resource->waiters, queued) {
		if (question->all || sluice_request_any(&want->holder->request))
			graph_ask(graph, &want->holder->request);
		cond_resched();
	}
}

/* Return: the first one asked about that waits for ever, or NULL. */
static struct sluice_request *graph_first(const struct graph *graph)
{
	struct sluice_request *request;
	u32 i = 0;

	list_for_each_entry(request, &graph->nodes, node) {
		if (i++ == graph->asked)
			break;
		if (!request->live)
			return request;
	}
	return NULL;
}

/* The same, and with it all that are not live wait for ever. */
static struct sluice_request *graph_stuck(struct graph *graph,
					  const struct question *question,
					  bool held_only)
{
	const struct sluice_request *only = question->request;
	struct sluice_request *request;

	graph_begin(graph, question, held_only);
	while (!list_empty(&graph->todo) && !(only && only->live)) {
		request = list_first_entry(&graph->todo, struct sluice_request,
					   todo);
		list_del_init(&request->todo);
		if (!request->live && request_look(graph, request))
			graph_set_live(graph, request);
		cond_resched();
	}
	return graph_first(graph);
}

/*
 * Most others wait for one, who waits for one, and so on, and the last does not
 * wait: all of them are live, which takes no marks to see. What is no such chain,
 * or goes round, is left to the graph.
 */
static bool chain_live(const struct sluice_request *request)
{
	const struct sluice_holder *holder;
	u32 i;

	for (i = 0; i < CHAIN_MAX && request->count == 1; i++) {
		holder = sluice_want_sole_blocker(&request->wants[0]);
		if (!holder)
			return false;
		request = &holder->request;
		if (!sluice_request_waits(request))
			return true;
	}
	return false;
}

bool sluice_deadlock_stuck(struct sluice_request *request)
{
	struct question question = { .request = request };
	struct graph graph;

	sluice_domain_assert(sluice_request_holder(request)->domain);
	return !chain_live(request) && graph_stuck(&graph, &question, false);
}

/*
 * The shortest cycle through @root, by breadth first; @via leads back. There is
 * one if it was @root's beginning to wait that made the deadlock.
 */
static struct sluice_want *cycle_find(struct graph *graph,
				      struct sluice_request *root)
{
	struct sluice_request *request, *next;
	struct sluice_want *want;
	LIST_HEAD(todo);
	u32 i;

	list_for_each_entry(request, &graph->nodes, node)
		request->via = NULL;
	list_add(&root->todo, &todo);
	while (!list_empty(&todo)) {
		request = list_first_entry(&todo, struct sluice_request, todo);
		list_del_init(&request->todo);
		for (i = 0; i < request->count; i++) {
			want = &request->wants[i];
			if (!want->watched)
				continue;
			next = &want->watched->request;
			if (next == root) {
				while (!list_empty(&todo))
					list_del_init(todo.next);
				return want;
			}
			if (next->via)
				continue;
			next->via = want;
			list_add_tail(&next->todo, &todo);
		}
		cond_resched();
	}
	return NULL;
}

static struct sluice_want *cycle_before(struct sluice_want *want)
{
	return want->holder->request.via;
}

/* Is @a to fail rather than @b? */
static bool victim_rather(u32 policy, struct sluice_request *a,
			  struct sluice_request *b)
{
	switch (policy) {
	case SLUICE_VICTIM_YOUNGEST:
		return sluice_request_holder(a)->id >
			sluice_request_holder(b)->id;
	case SLUICE_VICTIM_PRIORITY:
		return a->priority < b->priority;
	default:
		return false;
	}
}

/* @last is the want of the cycle that waits for @root; the first is @root's. */
static struct sluice_request *victim_choose(u32 policy,
					    struct sluice_request *root,
					    struct sluice_want *last)
{
	struct sluice_request *victim = root;

	for (; last; last = cycle_before(last))
		if (victim_rather(policy, &last->holder->request, victim))
			victim = &last->holder->request;
	return victim;
}

static void step_write(struct sluice_cycle_step *step,
		       const struct sluice_lockspace *keeper,
		       struct sluice_want *want, struct sluice_request *victim)
{
	const struct sluice_object *object = &want->space->object;
	struct sluice_holder *holder = want->holder;

	step->holder = holder->id;
	step->since = holder->request.since;
	step->start = want->start;
	step->last = want->last;
	step->space = object->id;
	sluice_rights_get(&step->rights, object);
	step->elsewhere = READ_ONCE(object->entry.home) !=
		READ_ONCE(keeper->object.entry.home);
	step->mode = want->mode;
	step->blocked_by = want->standing->mode;
	step->flags = &holder->request == victim ? SLUICE_WAITS_VICTIM : 0;
	step->tgid = get_pid(holder->tgid);
	step->tid = get_pid(holder->tid);
	step->uid = holder->uid;
	step->key = want->key;
	memcpy(step->comm, holder->comm, sizeof(step->comm));
}

/* Each step is one of the locks of who made the lockspace. */
static struct sluice_cycle *cycle_new(struct sluice_lockspace *space, u32 kept)
{
	struct sluice_user *user = space->object.user;
	struct sluice_cycle *cycle;

	/* Closed, it has no user, and nobody can ask. */
	if (space->closed || sluice_charge(user, SLUICE_RES_LOCKS, kept))
		return NULL;
	/* Others wait for the domain's lock, and should not for memory. */
	cycle = kzalloc(struct_size(cycle, steps, kept),
			GFP_NOWAIT | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!cycle)
		sluice_uncharge(user, SLUICE_RES_LOCKS, kept);
	return cycle;
}

static void cycle_free(struct sluice_lockspace *space, struct sluice_cycle *cycle)
{
	u32 i;

	sluice_uncharge(space->object.user, SLUICE_RES_LOCKS, cycle->kept);
	for (i = 0; i < cycle->kept; i++) {
		put_pid(cycle->steps[i].tgid);
		put_pid(cycle->steps[i].tid);
		sluice_rights_put(&cycle->steps[i].rights);
	}
	kfree(cycle);
}

static void cycle_keep(struct sluice_lockspace *space,
		       struct sluice_cycle *cycle)
{
	struct sluice_cycle *oldest;

	list_add_tail(&cycle->link, &space->deadlocks);
	if (++space->deadlocks_kept <= CYCLES_KEPT)
		return;
	oldest = list_first_entry(&space->deadlocks, struct sluice_cycle, link);
	list_del(&oldest->link);
	space->deadlocks_kept--;
	cycle_free(space, oldest);
}

static void cycle_trace(struct sluice_lockspace *space,
			struct sluice_want *last, u32 length)
{
	struct sluice_want *want;

	for (want = last; want; want = cycle_before(want))
		trace_sluice_deadlock_step(space, --length, want);
}

/* Without memory, or a quota for it, it is only counted. */
static void cycle_record(struct sluice_lockspace *space,
			 struct sluice_want *last,
			 struct sluice_request *victim)
{
	struct sluice_cycle *cycle;
	struct sluice_want *want;
	u32 length = 0, at, kept;

	space->deadlock_numbers++;
	for (want = last; want; want = cycle_before(want))
		length++;
	trace_sluice_deadlock(space, length, sluice_request_holder(victim));
	sluice_notify_deadlock(space, length, sluice_request_holder(victim));
	if (trace_sluice_deadlock_step_enabled())
		cycle_trace(space, last, length);
	kept = min_t(u32, length, STEPS_KEPT);
	cycle = cycle_new(space, kept);
	if (!cycle)
		return;
	cycle->number = space->deadlock_numbers;
	cycle->when = ktime_get_ns();
	cycle->length = length;
	cycle->kept = kept;
	at = length;
	for (want = last; want; want = cycle_before(want))
		if (--at < kept)
			step_write(&cycle->steps[at], space, want, victim);
	cycle_keep(space, cycle);
}

void sluice_deadlocks_forget(struct sluice_lockspace *space)
{
	struct sluice_cycle *cycle, *next;

	sluice_domain_assert(space->domain);
	list_for_each_entry_safe(cycle, next, &space->deadlocks, link) {
		list_del(&cycle->link);
		cycle_free(space, cycle);
	}
	space->deadlocks_kept = 0;
}

static struct sluice_request *request_next(struct sluice_request *request)
{
	u32 i = 0;

	while (!request->wants[i].watched)
		i++;
	return &request->wants[i].watched->request;
}

/*
 * One that is on a cycle: who is not live watches one who is not live, so after
 * as many steps as there are requests one goes round.
 */
static struct sluice_request *cycle_member(struct graph *graph,
					   struct sluice_request *request)
{
	struct sluice_request *each;

	list_for_each_entry(each, &graph->nodes, node) {
		request = request_next(request);
		cond_resched();
	}
	return request;
}

/* Return: who shall fail: @victim, if it is not NULL. */
static struct sluice_request *graph_victim(struct graph *graph,
					   struct sluice_request *root,
					   struct sluice_request *victim)
{
	struct sluice_want *last = cycle_find(graph, root), *first;
	struct sluice_lockspace *space;

	/* Who lost a choice may wait for others, and they for each other. */
	if (!last) {
		root = cycle_member(graph, root);
		last = cycle_find(graph, root);
	}
	for (first = last; cycle_before(first); first = cycle_before(first))
		;
	space = first->space;
	if (!victim)
		victim = victim_choose(space->config.victim, root, last);
	cycle_record(space, last, victim);
	return victim;
}

/* A want that only watches one ahead of it, of the cycle if it has any. */
static struct sluice_want *graph_queued(struct graph *graph,
					struct sluice_request *root)
{
	struct sluice_request *request;
	struct sluice_want *want;
	u32 i;

	for (want = cycle_find(graph, root); want; want = cycle_before(want))
		if (!want->standing)
			return want;
	list_for_each_entry(request, &graph->nodes, node) {
		for (i = 0; i < request->count; i++) {
			want = &request->wants[i];
			if (!request->live && want->watched && !want->standing)
				return want;
		}
		cond_resched();
	}
	return NULL;
}

/*
 * Nobody waits for a holder that has nothing and is the last in its queues. Most
 * who have to wait are, and then the length of a queue does not matter.
 */
static bool request_alone(struct sluice_request *request)
{
	struct sluice_want *want;
	u32 i;

	if (sluice_request_holder(request)->held_count)
		return false;
	for (i = 0; i < request->count; i++) {
		want = &request->wants[i];
		if (!list_is_last(&want->queued, &want->resource->waiters))
			return false;
	}
	return true;
}

/* Somebody waits no more, or queues no more, so that @stuck may be so no more. */
static void break_one(struct graph *graph, struct sluice_request *stuck)
{
	struct question question = { .request = stuck };
	struct sluice_want *want = NULL;
	LIST_HEAD(dirty);

	if (!graph_stuck(graph, &question, true)) {
		graph_stuck(graph, &question, false);
		want = graph_queued(graph, stuck);
	}
	if (want)
		sluice_want_jump(want, &dirty);
	else
		sluice_request_fail(graph_victim(graph, stuck, NULL), -EDEADLK,
				    &dirty);
	sluice_request_pass(&dirty);
}

/* Those asked about who are deadlocked fail. The first one's cycle is kept. */
static void fail_all(struct graph *graph, const struct question *question)
{
	struct sluice_request *request = graph_stuck(graph, question, true);
	u32 i = 0;
	LIST_HEAD(dirty);

	if (!request)
		return;
	graph_victim(graph, request, request);
	list_for_each_entry(request, &graph->nodes, node) {
		if (i++ == graph->asked)
			break;
		if (!request->live)
			sluice_request_fail(request, -EDEADLK, &dirty);
		cond_resched();
	}
	sluice_request_pass(&dirty);
}

/*
 * If only queues are to blame, all jump them who make the others live, seen as if
 * there were none: then that is how it is.
 */
static void jump_all(struct graph *graph, const struct question *question)
{
	struct sluice_request *request;
	LIST_HEAD(dirty);
	u32 i;

	if (!graph_stuck(graph, question, false))
		return;
	graph_stuck(graph, question, true);
	list_for_each_entry(request, &graph->nodes, node) {
		for (i = 0; i < request->count && request->live; i++)
			sluice_want_jump(&request->wants[i], &dirty);
		cond_resched();
	}
	sluice_request_pass(&dirty);
}

static void break_asked(const struct question *question, u32 *turns)
{
	struct sluice_request *stuck;
	struct graph graph;

	/* Each turn somebody waits no more, or queues no more. */
	while ((stuck = graph_stuck(&graph, question, false))) {
		/* Who is killed may end his own request, but not those of others. */
		if ((*turns)++ < TURNS_MAX &&
		    !(question->request && fatal_signal_pending(current))) {
			break_one(&graph, stuck);
			continue;
		}
		fail_all(&graph, question);
		jump_all(&graph, question);
		return;
	}
}

void sluice_deadlock_resolve(struct sluice_request *request)
{
	struct question question = { .request = request };
	u32 turns = 0;

	sluice_domain_assert(sluice_request_holder(request)->domain);
	if (sluice_request_waits(request) && !request_alone(request) &&
	    !chain_live(request))
		break_asked(&question, &turns);
}

void sluice_deadlock_lost(struct sluice_resource *resource, bool found,
			  u32 *turns)
{
	struct question question = { .resource = resource, .all = found };

	sluice_domain_assert(resource->space->domain);
	/*
	 * Who is stuck need not be part of a deadlock: another resource that was
	 * lost at the same time may have made that one.
	 */
	break_asked(&question, turns);
}
