// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: deadlocks, against an oracle that knows nothing but the definition.
 *
 * deadlock_graphs: states are drawn at random and laid out by hand, for they
 * must be as bad as can be, which nobody who asks properly would come to.
 * deadlock_walk: holders ask, and let go, at random; each time somebody has to
 * wait, the oracle says before what must come of it.
 *
 * See scene.h for how to run more of them.
 */
#include <kunit/test.h>
#include <linux/slab.h>

#include "../deadlock.h"
#include "../queue.h"
#include "../request.h"
#include "crowd.h"
#include "oracle.h"
#include "scene.h"

#define GRAPHS		20000
#define SPACES		3
#define RESOURCES	6
#define HOLDERS		10
#define WANTS		4	/* of one request */

struct graph_fixture {
	struct sluice_lockspace *spaces[SPACES];
	struct sluice_resource *resources[RESOURCES];
	struct sluice_holder *holders[HOLDERS];
	struct oracle oracle;
	struct sluice_grant grants[ORACLE_GRANTS];
	struct sluice_want wants[HOLDERS][WANTS];
	u32 holder_count;
	u32 resource_count;
	u32 requests;
	u32 stuck;
	struct rnd_state rnd;
};

static void graph_resources(struct kunit *test, struct graph_fixture *f)
{
	struct sluice_resource *spare;
	struct sluice_domain *domain;
	struct sluice_key key;
	u32 i;

	for (i = 0; i < RESOURCES; i++) {
		spare = sluice_resource_new();
		KUNIT_ASSERT_NOT_NULL(test, spare);
		scene_key(&key, i);
		domain = sluice_domain_lock(f->spaces[0]->domain);
		f->resources[i] = sluice_resource_add(f->spaces[i % SPACES],
						      &key, NULL,
						      f->holders[0]->user,
						      &spare);
		sluice_domain_unlock(domain);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->resources[i]));
	}
}

static void graph_make(struct kunit *test, struct graph_fixture *f)
{
	u32 i;

	for (i = 0; i < SPACES; i++) {
		f->spaces[i] = scene_space(SLUICE_VICTIM_REQUESTER);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->spaces[i]));
		sluice_domain_join(f->spaces[0]->domain, f->spaces[i]->domain);
	}
	for (i = 0; i < HOLDERS; i++) {
		f->holders[i] = scene_holder(f->spaces[0]);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->holders[i]));
	}
	graph_resources(test, f);
}

static void graph_free(struct graph_fixture *f)
{
	u32 i;

	for (i = 0; i < HOLDERS; i++)
		if (!IS_ERR_OR_NULL(f->holders[i]))
			sluice_holder_end(f->holders[i]);
	for (i = 0; i < SPACES; i++)
		if (!IS_ERR_OR_NULL(f->spaces[i]))
			sluice_object_unuse(&f->spaces[i]->object);
}

/*
 * Drawing a state.
 */
static void draw_range(struct graph_fixture *f, struct oracle_range *range)
{
	static const struct {
		u64 start;
		u64 last;
	} ranges[] = {
		{ 0, SLUICE_END },
		{ 0, SLUICE_END },
		{ 0, 9 },
		{ 20, 29 },
		{ 5, 24 },
		{ 40, SLUICE_END },
	};
	u32 i = scene_pick(&f->rnd, ARRAY_SIZE(ranges));

	memset(range, 0, sizeof(*range));
	range->resource = scene_pick(&f->rnd, f->resource_count);
	range->start = ranges[i].start;
	range->last = ranges[i].last;
	range->mode = scene_pick(&f->rnd, 3) ? scene_mode(&f->rnd) :
		scene_pick(&f->rnd, 2) ? SLUICE_PR : SLUICE_EX;
}

/* Return: whether it is such that it could be there. */
static bool grant_fits(const struct oracle *o, const struct oracle_range *range)
{
	const struct oracle_range *other;
	u32 i;

	for (i = 0; i < o->grants; i++) {
		other = &o->grant[i];
		if (other->holder == range->holder ?
		    other->resource == range->resource &&
		    other->start <= range->last && range->start <= other->last :
		    oracle_against(other, range))
			return false;
	}
	return true;
}

static void draw_grants(struct graph_fixture *f)
{
	struct oracle *o = &f->oracle;
	struct oracle_range *range;
	u32 i, tries = f->holder_count + scene_pick(&f->rnd,
						    2 * f->holder_count);

	o->grants = 0;
	for (i = 0; i < tries; i++) {
		range = &o->grant[o->grants];
		draw_range(f, range);
		range->holder = scene_pick(&f->rnd, f->holder_count);
		o->grants += grant_fits(o, range);
	}
}

/* All of what one asks for must be apart, any of it need not. */
static bool want_fits(const struct oracle *o, const struct oracle_range *range)
{
	const struct oracle_range *other;
	u32 i;

	for (i = 0; i < o->wants; i++) {
		other = &o->want[i];
		if (other->holder == range->holder &&
		    other->resource == range->resource &&
		    other->start <= range->last && range->start <= other->last)
			return o->any & BIT(range->holder);
	}
	return true;
}

static void draw_request(struct graph_fixture *f, u32 holder)
{
	struct oracle *o = &f->oracle;
	u32 i, count = 1 + scene_pick(&f->rnd, WANTS), item = 0;
	bool jumps = !scene_pick(&f->rnd, 16);
	struct oracle_range *range;

	o->waits |= BIT(holder);
	if (!scene_pick(&f->rnd, 3))
		o->any |= BIT(holder);
	for (i = 0; i < count; i++) {
		range = &o->want[o->wants];
		draw_range(f, range);
		range->holder = holder;
		range->jumps = jumps && scene_pick(&f->rnd, 2);
		if (!want_fits(o, range))
			continue;
		range->item = item++;
		o->wants++;
	}
}

/* Wants of a request are not side by side in the queues. */
static void shuffle_wants(struct graph_fixture *f)
{
	struct oracle *o = &f->oracle;
	u32 i, other;

	for (i = o->wants; i > 1; i--) {
		other = scene_pick(&f->rnd, i);
		swap(o->want[i - 1], o->want[other]);
	}
}

static void draw(struct graph_fixture *f)
{
	struct oracle *o = &f->oracle;
	u32 h;

	f->holder_count = 2 + scene_pick(&f->rnd, 2 + scene_pick(&f->rnd, 8));
	f->resource_count = 1 + scene_pick(&f->rnd, RESOURCES);
	o->waits = 0;
	o->any = 0;
	o->wants = 0;
	draw_grants(f);
	for (h = 0; h < f->holder_count; h++)
		if (scene_pick(&f->rnd, 12))
			draw_request(f, h);
	shuffle_wants(f);
}

/*
 * Laying it out.
 */
static void lay_grants(struct graph_fixture *f)
{
	const struct oracle_range *range;
	struct sluice_grant *grant;
	u32 i;

	for (i = 0; i < f->oracle.grants; i++) {
		range = &f->oracle.grant[i];
		grant = &f->grants[i];
		memset(grant, 0, sizeof(*grant));
		RB_CLEAR_NODE(&grant->held);
		INIT_LIST_HEAD(&grant->news);
		RB_CLEAR_NODE(&grant->leased);
		grant->resource = f->resources[range->resource];
		grant->holder = f->holders[range->holder];
		grant->start = range->start;
		grant->last = range->last;
		grant->mode = range->mode;
		sluice_grant_publish(grant);
	}
}

static void lay_want(struct graph_fixture *f, const struct oracle_range *range)
{
	struct sluice_resource *resource = f->resources[range->resource];
	struct sluice_holder *holder = f->holders[range->holder];
	struct sluice_want *want = &f->wants[range->holder][range->item];

	memset(want, 0, sizeof(*want));
	want->holder = holder;
	want->space = resource->space;
	want->resource = resource;
	want->key = resource->key;
	want->start = range->start;
	want->last = range->last;
	want->mode = range->mode;
	want->jumps = range->jumps;
	want->converter = want->jumps ||
		sluice_grant_own(holder, resource, 0, SLUICE_END);
	INIT_LIST_HEAD(&want->watch);
	sluice_queue_add(want, resource->waiters.prev);
	resource->converters += want->converter;
	holder->request.count = max(holder->request.count, range->item + 1);
}

static void lay_out(struct graph_fixture *f)
{
	const struct oracle *o = &f->oracle;
	struct sluice_request *request;
	u32 i;

	lay_grants(f);
	for (i = 0; i < f->holder_count; i++) {
		request = &f->holders[i]->request;
		request->wants = f->wants[i];
		request->count = 0;
		request->flags = o->any & BIT(i) ? SLUICE_LOCK_ANY : 0;
		request->state = o->waits & BIT(i) ? SLUICE_REQUEST_WAITING :
						     SLUICE_REQUEST_IDLE;
	}
	for (i = 0; i < o->wants; i++)
		lay_want(f, &o->want[i]);
}

static void clear_away(struct graph_fixture *f)
{
	struct sluice_resource *resource;
	struct sluice_request *request;
	u32 i;

	for (i = 0; i < f->oracle.grants; i++)
		sluice_grant_withdraw(&f->grants[i]);
	for (i = 0; i < HOLDERS; i++) {
		request = &f->holders[i]->request;
		request->wants = NULL;
		request->count = 0;
		request->state = SLUICE_REQUEST_IDLE;
	}
	for (i = 0; i < RESOURCES; i++) {
		resource = f->resources[i];
		INIT_LIST_HEAD(&resource->waiters);
		resource->places = RB_ROOT;
		memset(resource->waiting, 0, sizeof(resource->waiting));
		resource->waiting_modes = 0;
		resource->converters = 0;
	}
}

/* Return: the set of holders on which the module and the oracle differ. */
static u32 graph_compare(struct graph_fixture *f)
{
	u32 stuck = oracle_stuck(&f->oracle, false), wrong = 0, h;

	for (h = 0; h < f->holder_count; h++) {
		if (!(f->oracle.waits & BIT(h)))
			continue;
		f->requests++;
		f->stuck += !!(stuck & BIT(h));
		if (sluice_deadlock_stuck(&f->holders[h]->request) !=
		    !!(stuck & BIT(h)))
			wrong |= BIT(h);
	}
	return wrong;
}

static u32 graphs_run(struct graph_fixture *f, u32 count, u32 *number)
{
	struct sluice_domain *domain;
	u32 wrong = 0;

	for (*number = 0; *number < count; ++*number) {
		scene_seed(&f->rnd, *number);
		draw(f);
		domain = sluice_domain_lock(f->spaces[0]->domain);
		lay_out(f);
		wrong = graph_compare(f);
		clear_away(f);
		sluice_domain_unlock(domain);
		if (wrong)
			break;
		cond_resched();
	}
	return wrong;
}

static void deadlock_graphs(struct kunit *test)
{
	u32 count = GRAPHS * sluice_kunit_scale, number, wrong;
	struct graph_fixture *f;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	graph_make(test, f);
	wrong = graphs_run(f, count, &number);
	if (wrong) {
		KUNIT_FAIL(test, "graph %u: wrong about %#x", number, wrong);
		oracle_show(test, &f->oracle);
	}
	kunit_info(test, "%u graphs, %u waiting, %u of them for ever\n",
		   number, f->requests, f->stuck);
	KUNIT_EXPECT_GT(test, f->stuck, f->requests / 8);
	KUNIT_EXPECT_LT(test, f->stuck, f->requests / 8 * 7);
	graph_free(f);
}

/*
 * The walk.
 */
#define WALKERS		8
#define WALK_RESOURCES	5
#define WALKS		12
#define STEPS		400

/**
 * struct walk - a walk, and what was the case before a step
 * @crowd: who walks
 * @before: the step, with the asker's request queued
 * @after: the step
 * @cycles: deadlocks of each lockspace before
 * @asker: whose request it is
 * @asks: steps that asked
 * @deadlocks: steps that were deadlocks
 * @queues: steps that would have been if queues were not ours to change
 */
struct walk {
	struct crowd crowd;
	struct oracle before;
	struct oracle after;
	u64 cycles[CROWD_SPACES];
	u32 asker;
	u32 asks;
	u32 deadlocks;
	u32 queues;
};

static bool walk_failed(struct walk *walk, u32 h)
{
	struct sluice_request *request = &walk->crowd.holders[h]->request;

	return walk->before.waits & BIT(h) && request->error == -EDEADLK &&
		!sluice_request_waits(request);
}

static u32 walk_victims(struct walk *walk)
{
	u32 set = 0, h;

	for (h = 0; h < WALKERS; h++)
		if (walk_failed(walk, h))
			set |= BIT(h);
	return set;
}

static u32 walker(struct walk *walk, u64 id)
{
	u32 h;

	for (h = 0; h < WALKERS; h++)
		if (walk->crowd.holders[h]->id == id)
			break;
	return h;
}

static bool step_is_of(const struct sluice_cycle_step *step,
		       const struct oracle_range *want)
{
	struct sluice_key key;

	scene_key(&key, want->resource);
	return want->mode == step->mode && want->start == step->start &&
		want->last == step->last &&
		!memcmp(&key, &step->key, sizeof(key));
}

/* Did the one wait for what the next one had? */
static bool step_is_real(struct walk *walk,
			 const struct sluice_cycle_step *step,
			 const struct sluice_cycle_step *next)
{
	u32 from = walker(walk, step->holder), to = walker(walk, next->holder);
	const struct oracle *o = &walk->before;
	u32 i, j;

	for (i = 0; i < o->wants; i++) {
		if (o->want[i].holder != from || !step_is_of(step, &o->want[i]))
			continue;
		for (j = 0; j < o->grants; j++)
			if (o->grant[j].holder == to &&
			    o->grant[j].mode == step->blocked_by &&
			    oracle_against(&o->grant[j], &o->want[i]))
				return true;
	}
	return false;
}

static s32 walker_priority(struct walk *walk, u32 h)
{
	return walk->crowd.holders[h]->request.priority;
}

/* Is the victim of the cycle the right one? */
static bool victim_is_right(struct walk *walk, const struct sluice_cycle *cycle,
			    u32 policy, u32 at)
{
	const struct sluice_cycle_step *victim = &cycle->steps[at];
	const struct sluice_cycle_step *other;
	bool right = true;
	u32 i;

	for (i = 0; i < cycle->kept; i++) {
		other = &cycle->steps[i];
		if (policy == SLUICE_VICTIM_YOUNGEST)
			right &= other->holder <= victim->holder;
		else if (policy == SLUICE_VICTIM_PRIORITY)
			right &= walker_priority(walk, walker(walk,
							      other->holder)) >=
				walker_priority(walk, walker(walk,
							     victim->holder));
		else
			right &= at == 0;
	}
	return right;
}

static const char *check_cycle(struct walk *walk,
			       const struct sluice_cycle *cycle, u32 policy)
{
	const struct sluice_cycle_step *step;
	u32 i, seen = 0, victim, victims = 0;

	if (cycle->kept != cycle->length || cycle->length < 2)
		return "a cycle has an odd length";
	if (walker(walk, cycle->steps[0].holder) != walk->asker)
		return "a cycle does not begin with who closed it";
	for (i = 0; i < cycle->length; i++) {
		step = &cycle->steps[i];
		if (seen & BIT(walker(walk, step->holder)))
			return "a cycle meets a holder twice";
		seen |= BIT(walker(walk, step->holder));
		if (!step_is_real(walk, step,
				  &cycle->steps[(i + 1) % cycle->length]))
			return "a step of a cycle is none";
		if (!(step->flags & SLUICE_WAITS_VICTIM))
			continue;
		victims++;
		victim = i;
	}
	if (victims != 1)
		return "a cycle has not got one victim";
	if (!walk_failed(walk, walker(walk, cycle->steps[victim].holder)))
		return "a victim did not fail";
	return victim_is_right(walk, cycle, policy, victim) ?
		NULL : "it is the wrong victim";
}

/* As many cycles are new as holders failed, and each is one. */
static const char *check_cycles(struct walk *walk)
{
	u32 victims = hweight32(walk_victims(walk)), i;
	struct sluice_lockspace *space;
	struct sluice_cycle *cycle;
	const char *why = NULL;

	for (i = 0; i < CROWD_SPACES; i++) {
		space = walk->crowd.spaces[i];
		list_for_each_entry(cycle, &space->deadlocks, link) {
			if (cycle->number <= walk->cycles[i])
				continue;
			victims--;
			why = why ?: check_cycle(walk, cycle,
						 space->config.victim);
		}
		walk->cycles[i] = space->deadlock_numbers;
	}
	return why ?: victims ? "not every deadlock was written down" : NULL;
}

/* Return: what a holder has, all in one number. */
static u64 has_sum(const struct oracle *o, u32 holder)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < o->grants; i++)
		if (o->grant[i].holder == holder)
			sum += (o->grant[i].start * 31 + o->grant[i].last) * 31 +
				o->grant[i].resource * 7 + o->grant[i].mode;
	return sum;
}

static const char *check_victims(struct walk *walk, u32 held)
{
	u32 victims = walk_victims(walk), h;

	if (victims & ~held)
		return "EDEADLK without a deadlock";
	if (held & BIT(walk->asker) && !victims)
		return "a deadlock, and nobody failed";
	for (h = 0; h < WALKERS; h++)
		if (victims & BIT(h) &&
		    has_sum(&walk->before, h) != has_sum(&walk->after, h))
			return "EDEADLK took something away";
	return NULL;
}

static u32 jumps(const struct oracle *o)
{
	u32 count = 0, i;

	for (i = 0; i < o->wants; i++)
		count += o->want[i].jumps;
	return count;
}

/* Who did not have to wait got it; who had to did so unless it was for ever. */
static const char *check_asked(struct walk *walk, bool served, u32 stuck,
			       u32 held, int ret)
{
	struct sluice_request *request =
		&walk->crowd.holders[walk->asker]->request;

	if (served)
		return ret || request->state != SLUICE_REQUEST_GRANTED ?
			"it was not granted" : NULL;
	if (request->flags & SLUICE_LOCK_TRY)
		return ret == -EAGAIN ? NULL : "a try was not refused";
	if (request->flags & SLUICE_LOCK_ASYNC && ret != -EINPROGRESS)
		return "who shall get an event was not told so";
	if (stuck & BIT(walk->asker))
		return NULL;
	if (!sluice_request_waits(request) || ret != -EINPROGRESS)
		return "it does not wait";
	return jumps(&walk->after) > jumps(&walk->before) ?
		"a queue was jumped without need" : NULL;
}

static const char *check_asking(struct walk *walk, int ret)
{
	struct oracle *before = &walk->before;
	u32 stuck = oracle_stuck(before, false);
	u32 held = oracle_stuck(before, true);
	bool served = oracle_idle(before) & BIT(walk->asker);
	struct sluice_domain *domain;
	const char *why = NULL;

	if (walk->crowd.holders[walk->asker]->request.flags & SLUICE_LOCK_TRY) {
		stuck = 0;
		held = 0;
	}
	domain = crowd_lock(&walk->crowd);
	if (!crowd_write(&walk->crowd, &walk->after))
		why = "there is no room to write it down";
	else if (oracle_stuck(&walk->after, false))
		why = "somebody waits for ever";
	why = why ?: check_asked(walk, served, stuck, held, ret);
	why = why ?: check_victims(walk, held);
	why = why ?: check_cycles(walk);
	sluice_domain_unlock(domain);
	walk->asks++;
	walk->deadlocks += !!(held & BIT(walk->asker));
	walk->queues += !!(stuck & ~held & BIT(walk->asker));
	return why;
}

static const char *walk_ask(struct walk *walk, u32 h)
{
	struct crowd *crowd = &walk->crowd;
	struct sluice_domain *domain;
	struct crowd_ask ask;
	bool room;

	crowd_ask_random(crowd, &ask, 3);
	if (!scene_pick(&crowd->rnd, 16))
		ask.flags |= SLUICE_LOCK_TRY;
	domain = crowd_lock(crowd);
	room = crowd_write(crowd, &walk->before);
	sluice_domain_unlock(domain);
	if (!room)
		return "there is no room to write it down";
	if (oracle_stuck(&walk->before, false))
		return "somebody has come to wait for ever";
	crowd_suppose(&walk->before, h, &ask);
	walk->asker = h;
	return check_asking(walk, crowd_start(crowd, h, &ask));
}

static const char *walk_step(struct walk *walk)
{
	struct crowd *crowd = &walk->crowd;
	struct oracle_range some = { .last = SLUICE_END };
	u32 act = scene_pick(&crowd->rnd, 16);
	u32 h = crowd_somebody(crowd);

	if (crowd_waits(crowd, h)) {
		if (!act)
			crowd_cancel(crowd, h);
	} else if (crowd_busy(crowd, h)) {
		crowd_hear(crowd, h, act);
	} else if (act == 0) {
		crowd_unlock_all(crowd, h);
	} else if (act < 4) {
		some.resource = scene_pick(&crowd->rnd, crowd->resources);
		some.mode = act == 1 ? SLUICE_CR : SLUICE_UNLOCKED;
		crowd_unlock(crowd, h, &some);
	} else {
		return walk_ask(walk, h);
	}
	return NULL;
}

static const char *walk_run(struct kunit *test, struct walk *walk, u32 number)
{
	const char *why = NULL;
	u32 step;

	memset(walk->cycles, 0, sizeof(walk->cycles));
	scene_seed(&walk->crowd.rnd, number);
	if (crowd_init(&walk->crowd, WALKERS, WALK_RESOURCES, number % 4))
		why = "there is no memory";
	for (step = 0; step < STEPS && !why; step++) {
		why = walk_step(walk);
		cond_resched();
	}
	if (why)
		KUNIT_FAIL(test, "walk %u step %u: %s", number, step, why);
	if (why)
		oracle_show(test, &walk->before);
	crowd_exit(&walk->crowd);
	return why;
}

static void deadlock_walk(struct kunit *test)
{
	u32 number, walks = WALKS * sluice_kunit_scale;
	struct walk *walk;

	walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, walk);
	for (number = 0; number < walks; number++)
		if (walk_run(test, walk, number))
			return;
	kunit_info(test, "%u requests, %u deadlocks, %u by queues alone\n",
		   walk->asks, walk->deadlocks, walk->queues);
	KUNIT_EXPECT_GT(test, walk->deadlocks, walk->asks / 100);
	KUNIT_EXPECT_GT(test, walk->queues, 0U);
}

/*
 * Rings: each has one, and wants the next one's.
 */
struct ring {
	u32 count;
	u32 policy;
	u32 closer;
	u32 lowest;
};

static void ring_ask(struct kunit *test, struct crowd *crowd,
		     const struct ring *ring, u32 h, u32 resource, int expect)
{
	struct crowd_ask ask = {
		.flags = SLUICE_LOCK_ASYNC,
		.priority = h == ring->lowest ? -1 : 0,
		.count = 1,
		.item[0] = {
			.resource = resource,
			.mode = SLUICE_EX,
			.last = SLUICE_END,
		},
	};

	KUNIT_EXPECT_EQ(test, expect, crowd_start(crowd, h, &ask));
}

static u32 ring_victim(const struct ring *ring)
{
	switch (ring->policy) {
	case SLUICE_VICTIM_YOUNGEST:
		return ring->count - 1;
	case SLUICE_VICTIM_PRIORITY:
		return ring->lowest;
	default:
		return ring->closer;
	}
}

static void ring_close(struct kunit *test, struct crowd *crowd,
		       const struct ring *ring)
{
	u32 i, h;

	for (h = 0; h < ring->count; h++) {
		ring_ask(test, crowd, ring, h, h, 0);
		crowd_hear(crowd, h, true);
	}
	for (i = 1; i <= ring->count; i++) {
		h = (ring->closer + i) % ring->count;
		KUNIT_EXPECT_EQ(test, 0ULL, crowd->spaces[0]->deadlock_numbers +
				crowd->spaces[1]->deadlock_numbers +
				crowd->spaces[2]->deadlock_numbers);
		ring_ask(test, crowd, ring, h, (h + 1) % ring->count,
			 -EINPROGRESS);
	}
}

static void ring_cycle(struct kunit *test, struct crowd *crowd,
		       const struct ring *ring)
{
	struct sluice_lockspace *space =
		crowd_space(crowd, (ring->closer + 1) % ring->count);
	struct sluice_cycle *cycle;
	u32 i, h;

	KUNIT_ASSERT_EQ(test, 1U, space->deadlocks_kept);
	cycle = list_first_entry(&space->deadlocks, struct sluice_cycle, link);
	KUNIT_EXPECT_EQ(test, ring->count, cycle->length);
	KUNIT_ASSERT_EQ(test, min(ring->count, 64U), cycle->kept);
	for (i = 0; i < cycle->kept; i++) {
		h = (ring->closer + i) % ring->count;
		KUNIT_EXPECT_EQ(test, crowd->holders[h]->id,
				cycle->steps[i].holder);
		KUNIT_EXPECT_EQ(test, h == ring_victim(ring) ?
				SLUICE_WAITS_VICTIM : 0, cycle->steps[i].flags);
	}
}

/* Once the victim lets go, the others get what they want one by one. */
static void ring_open(struct kunit *test, struct crowd *crowd,
		      const struct ring *ring)
{
	u32 victim = ring_victim(ring), h, i;

	KUNIT_EXPECT_EQ(test, -EDEADLK, crowd->holders[victim]->request.error);
	for (i = 0; i < ring->count; i++) {
		h = (victim + ring->count - i) % ring->count;
		if (crowd_waits(crowd, h)) {
			KUNIT_FAIL(test, "%u of %u still waits", h,
				   ring->count);
			return;
		}
		if (i)
			KUNIT_EXPECT_EQ(test, 0,
					crowd->holders[h]->request.error);
		crowd_hear(crowd, h, true);
		KUNIT_EXPECT_EQ(test, i ? 2ULL : 1ULL,
				crowd->holders[h]->held_count);
		sluice_holder_end(crowd->holders[h]);
		crowd->holders[h] = NULL;
	}
}

static void ring_run(struct kunit *test, u32 count, u32 policy)
{
	struct ring ring = {
		.count = count,
		.policy = policy,
		.closer = count / 2,
		.lowest = count / 3,
	};
	struct crowd crowd = {};
	u32 i;

	if (crowd_init(&crowd, count, count, policy)) {
		KUNIT_FAIL(test, "there is no memory");
	} else {
		ring_close(test, &crowd, &ring);
		ring_cycle(test, &crowd, &ring);
		ring_open(test, &crowd, &ring);
		for (i = 0; i < CROWD_SPACES; i++)
			KUNIT_EXPECT_EQ(test, 0ULL, crowd.spaces[i]->grants);
	}
	crowd_exit(&crowd);
}

static void deadlock_rings(struct kunit *test)
{
	static const u32 counts[] = { 2, 13, 16, 65, 100 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(counts); i++)
		ring_run(test, counts[i], SLUICE_VICTIM_REQUESTER);
	for (i = 0; i < ARRAY_SIZE(counts) - 2; i++) {
		ring_run(test, counts[i], SLUICE_VICTIM_YOUNGEST);
		ring_run(test, counts[i], SLUICE_VICTIM_PRIORITY);
	}
	ring_run(test, 1000, SLUICE_VICTIM_REQUESTER);
}

static struct kunit_case deadlock_cases[] = {
	KUNIT_CASE_SLOW(deadlock_graphs),
	KUNIT_CASE_SLOW(deadlock_walk),
	KUNIT_CASE_SLOW(deadlock_rings),
	{}
};

static struct kunit_suite deadlock_suite = {
	.name = "sluice_deadlock",
	.test_cases = deadlock_cases,
};

kunit_test_suite(deadlock_suite);
