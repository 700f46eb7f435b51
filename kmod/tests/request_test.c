// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: requests. Holders ask, convert, let go, cancel and die at random. After
 * each step all that must always be true is looked at by brute force: who has
 * what, byte by byte; that nobody waits who need not, and nobody was served who
 * should have; that everything is counted, and gone at the end.
 *
 * See scene.h for how to run more of it.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/slab.h>

#include "../quota.h"
#include "crowd.h"
#include "oracle.h"
#include "scene.h"

#define HOLDERS		9
#define RESOURCES	4
#define CELLS		96	/* bytes; the last one is all that follow, too */
#define ROUNDS		14
#define STEPS		300

/**
 * struct requests - a round, and what is known of it
 * @crowd: who asks
 * @map: what each holder has of each byte
 * @found: that, as it is there
 * @marks: status of each byte
 * @asked: when the request of each was made, by counting
 * @clock: counts them
 * @tokens: the last one of each lockspace
 * @before: the step, with the asker's request queued
 * @after: the step
 * @pushed: a want has been passed as often as can be
 * @served: requests granted after waiting
 * @steps: of all rounds
 */
struct requests {
	struct crowd crowd;
	u8 map[HOLDERS][RESOURCES][CELLS];
	u8 found[HOLDERS][RESOURCES][CELLS];
	u8 marks[RESOURCES][CELLS];
	u64 asked[HOLDERS];
	u64 clock;
	u64 tokens[CROWD_SPACES];
	struct oracle before;
	struct oracle after;
	bool pushed;
	u32 served;
	u32 steps;
};

static u32 cell_of(u64 byte)
{
	return min_t(u64, byte, CELLS - 1);
}

static struct sluice_request *request_of(struct requests *rq, u32 h)
{
	return &rq->crowd.holders[h]->request;
}

/* Which resource is it of, by number? */
static u32 want_number(const struct sluice_want *want)
{
	u32 number;

	memcpy(&number, want->key.bytes, sizeof(number));
	return number;
}

static void map_fill(struct requests *rq, u32 h, const struct sluice_want *want,
		     u8 mode)
{
	u8 *map = rq->map[h][want_number(want)];
	u32 at;

	for (at = cell_of(want->start); at <= cell_of(want->last); at++)
		map[at] = mode;
}

static bool want_granted(const struct sluice_request *request, u32 i)
{
	return request->state == SLUICE_REQUEST_GRANTED &&
		(!sluice_request_any(request) || i == request->index);
}

/*
 * What is there now.
 */
static const char *check_apart(const struct oracle *o)
{
	const struct oracle_range *a, *b;
	u32 i, j;

	for (i = 0; i < o->grants; i++) {
		for (j = 0; j < i; j++) {
			a = &o->grant[i];
			b = &o->grant[j];
			if (a->holder != b->holder && oracle_against(a, b))
				return "two have what only one can have";
		}
	}
	return NULL;
}

static const char *check_waiting(const struct oracle *o)
{
	if (oracle_idle(o))
		return "somebody waits who need not";
	return oracle_stuck(o, false) ? "somebody waits for ever" : NULL;
}

/* Nobody's want is between those of another's request. */
static const char *check_together(const struct oracle *o)
{
	const struct oracle_range *ahead, *want, *next;
	bool begun;
	u32 i, j;

	for (i = 0; i < o->wants; i++) {
		want = &o->want[i];
		next = NULL;
		begun = false;
		for (j = 0; j < i; j++) {
			ahead = &o->want[j];
			if (ahead->resource != want->resource)
				continue;
			next = ahead;
			begun |= ahead->holder == want->holder;
		}
		if (begun && next->holder != want->holder)
			return "wants of one request are apart";
	}
	return NULL;
}

/* Whoever is ahead came first, or comes first. */
static const char *check_order(struct requests *rq, const struct oracle *o)
{
	const struct oracle_range *ahead, *want;
	u32 i, j;

	for (i = 0; i < o->wants; i++) {
		want = &o->want[i];
		/* Of the last one that passed it all wants did. */
		if (want->passed >= CROWD_PASSED_MAX + CROWD_ITEMS)
			return "a want was passed too often";
		rq->pushed |= want->passed >= CROWD_PASSED_MAX;
		for (j = 0; j < i; j++) {
			ahead = &o->want[j];
			if (ahead->resource != want->resource ||
			    ahead->holder == want->holder)
				continue;
			if (rq->asked[ahead->holder] > rq->asked[want->holder] ?
			    ahead->priority <= want->priority :
			    ahead->priority < want->priority && !rq->pushed)
				return "a queue is out of order";
		}
	}
	return NULL;
}

/* What a holder has is what it was given and did not give back. */
static const char *check_map(struct requests *rq, const struct oracle *o)
{
	const struct oracle_range *grant;
	u32 i, at;
	u8 *found;

	memset(rq->found, 0, sizeof(rq->found));
	for (i = 0; i < o->grants; i++) {
		grant = &o->grant[i];
		if (grant->fresh)
			continue;
		found = rq->found[grant->holder][grant->resource];
		for (at = cell_of(grant->start); at <= cell_of(grant->last);
		     at++) {
			if (found[at])
				return "a holder has a byte twice";
			found[at] = grant->mode;
		}
	}
	return memcmp(rq->found, rq->map, sizeof(rq->map)) ?
		"a holder has not got what it should have" : NULL;
}

static const char *check_counts(struct requests *rq, const struct oracle *o)
{
	u64 grants = 0, waiting = 0, held = 0;
	u32 i, own = 0;

	for (i = 0; i < CROWD_SPACES; i++) {
		grants += rq->crowd.spaces[i]->grants;
		waiting += rq->crowd.spaces[i]->waiting;
	}
	for (i = 0; i < HOLDERS; i++)
		held += rq->crowd.holders[i]->held_count;
	for (i = 0; i < o->grants; i++)
		own += !o->grant[i].fresh;
	if (grants != o->grants || waiting != o->wants || held != own)
		return "grants or wants are miscounted";
	return NULL;
}

static const char *check_queue(const struct sluice_resource *resource)
{
	u32 waiting[SLUICE_MODES] = {}, modes = 0, converters = 0;
	struct sluice_want *want;

	list_for_each_entry(want, &resource->waiters, queued) {
		waiting[want->mode]++;
		modes |= BIT(want->mode);
		converters += want->converter;
		if (!want->converter &&
		    sluice_grant_own(want->holder, resource, 0, SLUICE_END))
			return "a converter was not taken for one";
	}
	if (memcmp(waiting, resource->waiting, sizeof(waiting)) ||
	    modes != resource->waiting_modes ||
	    converters != resource->converters)
		return "a queue is miscounted";
	return NULL;
}

/* There are the resources that somebody needs, and no others. */
static const char *check_resources(struct requests *rq)
{
	struct sluice_resource *resource;
	struct sluice_lockspace *space;
	const char *why = NULL;
	u32 i, count;
	u64 number;

	for (i = 0; i < CROWD_SPACES; i++) {
		space = rq->crowd.spaces[i];
		count = 0;
		for (number = 0; (resource = sluice_resource_from(space, number));
		     number = resource->number + 1) {
			count++;
			why = why ?: check_queue(resource);
			if (!sluice_grant_any(resource, NULL) &&
			    list_empty(&resource->waiters) &&
			    list_empty(&resource->died))
				return "a resource stays that nobody needs";
			if (!list_empty(&resource->dirty))
				return "a resource was left dirty";
		}
		if (count != space->resource_count)
			return "resources are miscounted";
	}
	return why;
}

/* What is lost is lost, whoever dies with it afterwards. */
static bool status_is(u32 status, u32 expected)
{
	if (expected & SLUICE_UNRECOVERABLE)
		return status & SLUICE_UNRECOVERABLE;
	return status == expected;
}

static const char *check_marks(struct requests *rq)
{
	struct sluice_resource *resource;
	u32 r = rq->steps % RESOURCES, at, status;

	resource = crowd_resource(&rq->crowd, r);
	for (at = 0; at < CELLS; at++) {
		status = resource ? sluice_resource_status(resource, at, at) : 0;
		if (!status_is(status, rq->marks[r][at]))
			return "a mark is missing or wrong";
	}
	return NULL;
}

/* Nobody waits for what nobody shall have. */
static const char *check_lost(struct requests *rq, const struct oracle *o)
{
	u32 can = 0, cannot = 0, i;

	for (i = 0; i < o->wants; i++) {
		if (o->want[i].lost)
			cannot |= BIT(o->want[i].holder);
		else
			can |= BIT(o->want[i].holder);
	}
	return (cannot & ~o->any) | (cannot & ~can) ?
		"somebody waits for what is lost" : NULL;
}

/*
 * What has become of those who waited before the step.
 */
/* Of one who still waits. */
static bool want_is_lost(struct requests *rq, const struct oracle_range *want)
{
	struct sluice_request *request = request_of(rq, want->holder);

	return sluice_want_lost(&request->wants[want->item]);
}

/* Was one left behind who was ahead, and wants what was granted? */
static const char *check_passed(struct requests *rq, u32 at)
{
	const struct oracle_range *want = &rq->before.want[at], *ahead;
	u32 i;

	if (request_of(rq, want->holder)->wants[want->item].jumps)
		return NULL;
	for (i = 0; i < at; i++) {
		ahead = &rq->before.want[i];
		if (ahead->holder != want->holder &&
		    rq->after.waits & BIT(ahead->holder) &&
		    oracle_against(ahead, want) && !want_is_lost(rq, ahead) &&
		    !oracle_exempt(&rq->before, want, ahead))
			return "one who came later went first";
	}
	return NULL;
}

static u32 status_of(struct requests *rq, u32 r, u8 mode, u64 start, u64 last)
{
	u32 status = 0, at;

	for (at = cell_of(start); at <= cell_of(last) && mode != SLUICE_NL;
	     at++)
		status |= rq->marks[r][at];
	return status;
}

static const char *check_granted(struct requests *rq, u32 h,
				 const struct sluice_want *want)
{
	u32 space = want_number(want) % CROWD_SPACES;

	if (!status_is(want->status, status_of(rq, want_number(want), want->mode,
					       want->start, want->last)))
		return "a grant tells the wrong status";
	if (!sluice_mode_exclusive(want->mode))
		return want->token ? "a token for a mode without" : NULL;
	if (want->token <= rq->tokens[space] ||
	    want->token > rq->crowd.spaces[space]->token)
		return "a token did not grow";
	return NULL;
}

/* A grant beside what its holder has is not among that until it is told. */
static bool want_fresh(const struct sluice_want *want)
{
	return want->granted && want->grant;
}

static const char *look_at_granted(struct requests *rq, u32 h)
{
	struct sluice_request *request = request_of(rq, h);
	const char *why = NULL;
	u32 i;

	rq->served++;
	for (i = 0; i < rq->before.wants && !why; i++)
		if (rq->before.want[i].holder == h &&
		    want_granted(request, rq->before.want[i].item))
			why = check_passed(rq, i);
	for (i = 0; i < request->count && !why; i++) {
		if (!want_granted(request, i))
			continue;
		why = check_granted(rq, h, &request->wants[i]);
		if (!want_fresh(&request->wants[i]))
			map_fill(rq, h, &request->wants[i],
				 request->wants[i].mode);
	}
	return why;
}

static const char *look(struct requests *rq)
{
	const char *why = NULL;
	u32 h, i;

	if (!crowd_write(&rq->crowd, &rq->after))
		return "there is no room to write it down";
	for (h = 0; h < HOLDERS && !why; h++)
		if (rq->before.waits & ~rq->after.waits & BIT(h) &&
		    request_of(rq, h)->state == SLUICE_REQUEST_GRANTED)
			why = look_at_granted(rq, h);
	for (i = 0; i < CROWD_SPACES; i++)
		rq->tokens[i] = rq->crowd.spaces[i]->token;
	why = why ?: check_apart(&rq->after);
	why = why ?: check_waiting(&rq->after);
	why = why ?: check_order(rq, &rq->after);
	why = why ?: check_together(&rq->after);
	why = why ?: check_map(rq, &rq->after);
	why = why ?: check_counts(rq, &rq->after);
	why = why ?: check_resources(rq);
	why = why ?: check_lost(rq, &rq->after);
	return why ?: check_marks(rq);
}

/*
 * Steps.
 */
static const char *do_ask(struct requests *rq, u32 h)
{
	struct oracle_range *want;
	struct crowd_ask ask;
	u32 i;

	crowd_ask_random(&rq->crowd, &ask, CROWD_ITEMS);
	if (!scene_pick(&rq->crowd.rnd, 16))
		ask.flags |= SLUICE_LOCK_TRY;
	rq->asked[h] = ++rq->clock;
	crowd_suppose(&rq->before, h, &ask);
	for (i = 0; i < rq->before.wants; i++) {
		want = &rq->before.want[i];
		want->lost = status_of(rq, want->resource, want->mode,
				       want->start, want->last) &
			SLUICE_UNRECOVERABLE;
	}
	if (crowd_start(&rq->crowd, h, &ask) == -ENOMEM)
		return "there is no memory";
	return NULL;
}

/* What the caller is told of stays, what he cannot be told of goes. */
static void do_hear(struct requests *rq, u32 h, bool keep)
{
	struct sluice_request *request = request_of(rq, h);
	struct sluice_want *want;
	u32 i;

	for (i = 0; i < request->count; i++) {
		want = &request->wants[i];
		if (!want->granted)
			continue;
		if (keep && want_fresh(want))
			map_fill(rq, h, want, want->mode);
		else if (!keep && !want_fresh(want))
			map_fill(rq, h, want, SLUICE_UNLOCKED);
	}
	crowd_hear(&rq->crowd, h, keep);
}

static void do_unlock(struct requests *rq, u32 h)
{
	struct rnd_state *rnd = &rq->crowd.rnd;
	struct oracle_range to = {
		.resource = scene_pick(rnd, RESOURCES),
		.mode = scene_pick(rnd, 2) ? SLUICE_UNLOCKED : scene_mode(rnd),
		.start = scene_pick(rnd, 2) ? 0 : scene_pick(rnd, 60),
		.last = SLUICE_END,
	};
	u8 *map = rq->map[h][to.resource];
	u32 at;

	if (scene_pick(rnd, 2))
		to.last = to.start + scene_pick(rnd, 30);
	crowd_unlock(&rq->crowd, h, &to);
	for (at = cell_of(to.start); at <= cell_of(to.last); at++)
		if (map[at] && !sluice_mode_covers(map[at], to.mode))
			return;
	for (at = cell_of(to.start); at <= cell_of(to.last); at++)
		if (map[at])
			map[at] = to.mode;
}

/* What it was not told of it never had. */
static const char *do_die(struct requests *rq, u32 h)
{
	struct sluice_request *request = request_of(rq, h);
	u32 i, r, at;

	for (i = 0; i < request->count; i++)
		if (request->wants[i].granted && !want_fresh(&request->wants[i]))
			map_fill(rq, h, &request->wants[i], SLUICE_UNLOCKED);
	for (r = 0; r < RESOURCES; r++)
		for (at = 0; at < CELLS; at++)
			if (rq->map[h][r][at] &&
			    sluice_mode_writes(rq->map[h][r][at]))
				rq->marks[r][at] |= SLUICE_OWNER_DIED;
	memset(rq->map[h], 0, sizeof(rq->map[h]));
	rq->before.waits &= ~BIT(h);
	return crowd_die(&rq->crowd, h) ? NULL : "there is no memory";
}

/* As SLUICE_RECOVER_LOST does, or SLUICE_RECOVER_CONSISTENT. */
static void recover(struct sluice_resource *resource, u64 start, u64 last,
		    bool lost, struct sluice_grant **spares)
{
	bool found = sluice_resource_unmark(resource, start, last, spares);
	struct sluice_grant *mark;
	LIST_HEAD(dirty);
	u32 turns = 0;

	mark = lost ? sluice_spare_take(spares) : NULL;
	if (mark) {
		mark->start = start;
		mark->last = last;
		mark->resource = resource;
		sluice_resource_mark(resource, mark, true);
	}
	sluice_resource_dirty(resource, &dirty);
	sluice_request_pass(&dirty);
	if (lost || found)
		sluice_deadlock_lost(resource, found && !lost, &turns);
}

/* Return: whether there is such a resource. */
static bool crowd_recover(struct crowd *crowd, u32 r, u64 start, u64 last,
			  bool lost)
{
	struct sluice_grant *spares[SLUICE_SPARES];
	struct sluice_resource *resource;
	struct sluice_domain *domain;
	bool ready;

	ready = crowd_spares(crowd->holders[0], spares);
	domain = crowd_lock(crowd);
	resource = crowd_resource(crowd, r);
	/* Whoever recovers something has it, so it stays. */
	ready = ready && resource && sluice_grant_any(resource, NULL);
	if (ready)
		recover(resource, start, last, lost, spares);
	sluice_domain_unlock(domain);
	crowd_spares_free(spares);
	return ready;
}

static void do_recover(struct requests *rq)
{
	struct rnd_state *rnd = &rq->crowd.rnd;
	u64 start = scene_pick(rnd, 60);
	u64 last = scene_pick(rnd, 2) ? SLUICE_END : start + 20;
	u32 r = scene_pick(rnd, RESOURCES), at;
	bool lost = !scene_pick(rnd, 4);

	if (lost)
		last = start + scene_pick(rnd, 20);
	else if (scene_pick(rnd, 2))
		start = 0;
	if (!crowd_recover(&rq->crowd, r, start, last, lost))
		return;
	for (at = cell_of(start); at <= cell_of(last); at++)
		rq->marks[r][at] = lost ? SLUICE_UNRECOVERABLE : 0;
}

static const char *do_something(struct requests *rq)
{
	struct rnd_state *rnd = &rq->crowd.rnd;
	u32 act = scene_pick(rnd, 32), h = crowd_somebody(&rq->crowd);

	if (act == 0)
		return do_die(rq, h);
	if (act == 1)
		do_recover(rq);
	else if (act < 6)
		do_unlock(rq, h);
	else if (crowd_waits(&rq->crowd, h))
		crowd_cancel(&rq->crowd, h);
	else if (crowd_busy(&rq->crowd, h))
		do_hear(rq, h, act != 6);
	else
		return do_ask(rq, h);
	return NULL;
}

static const char *round_step(struct requests *rq)
{
	struct sluice_domain *domain = crowd_lock(&rq->crowd);
	bool room = crowd_write(&rq->crowd, &rq->before);
	const char *why;

	sluice_domain_unlock(domain);
	if (!room)
		return "there is no room to write it down";
	why = do_something(rq);
	if (why)
		return why;
	domain = crowd_lock(&rq->crowd);
	why = look(rq);
	sluice_domain_unlock(domain);
	rq->steps++;
	return why;
}

/* Those who end properly leave nothing, except what others died with. */
static const char *round_end(struct requests *rq)
{
	u32 h, i;

	for (h = 0; h < HOLDERS; h++) {
		crowd_cancel(&rq->crowd, h);
		if (crowd_busy(&rq->crowd, h))
			crowd_hear(&rq->crowd, h, true);
		crowd_unlock_all(&rq->crowd, h);
	}
	/* Those who were granted something by that. */
	for (h = 0; h < HOLDERS; h++) {
		if (crowd_busy(&rq->crowd, h))
			crowd_hear(&rq->crowd, h, true);
		crowd_unlock_all(&rq->crowd, h);
	}
	for (i = 0; i < CROWD_SPACES; i++)
		if (rq->crowd.spaces[i]->grants || rq->crowd.spaces[i]->waiting)
			return "something is left at the end";
	return NULL;
}

static const char *round_run(struct requests *rq, u32 number, u32 *step)
{
	const char *why = NULL;

	memset(rq->map, 0, sizeof(rq->map));
	memset(rq->marks, 0, sizeof(rq->marks));
	memset(rq->tokens, 0, sizeof(rq->tokens));
	rq->pushed = false;
	scene_seed(&rq->crowd.rnd, number);
	if (crowd_init(&rq->crowd, HOLDERS, RESOURCES, number % 4))
		why = "there is no memory";
	for (*step = 0; *step < STEPS && !why; ++*step) {
		why = round_step(rq);
		cond_resched();
	}
	why = why ?: round_end(rq);
	crowd_exit(&rq->crowd);
	return why;
}

static void request_walk(struct kunit *test)
{
	u32 number, step, rounds = ROUNDS * sluice_kunit_scale;
	u64 locks, resources, holders;
	struct sluice_user *user;
	struct requests *rq;
	const char *why;

	rq = kunit_kzalloc(test, sizeof(*rq), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rq);
	user = sluice_user_get(current_user_ns(), current_uid());
	KUNIT_ASSERT_FALSE(test, IS_ERR(user));
	locks = sluice_charged(user, SLUICE_RES_LOCKS);
	resources = sluice_charged(user, SLUICE_RES_RESOURCES);
	holders = sluice_charged(user, SLUICE_RES_HOLDERS);
	for (number = 0; number < rounds; number++) {
		why = round_run(rq, number, &step);
		if (!why)
			continue;
		KUNIT_FAIL(test, "round %u step %u: %s", number, step, why);
		oracle_show(test, &rq->before);
		kunit_err(test, "and then:\n");
		oracle_show(test, &rq->after);
		break;
	}
	kunit_info(test, "%u steps, %u requests granted\n", rq->steps,
		   rq->served);
	KUNIT_EXPECT_EQ(test, locks, sluice_charged(user, SLUICE_RES_LOCKS));
	KUNIT_EXPECT_EQ(test, resources,
			sluice_charged(user, SLUICE_RES_RESOURCES));
	KUNIT_EXPECT_EQ(test, holders,
			sluice_charged(user, SLUICE_RES_HOLDERS));
	sluice_user_put(user);
}

/*
 * Fairness, one case at a time.
 */
static int request_init(struct kunit *test)
{
	struct crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	test->priv = crowd;
	KUNIT_ASSERT_EQ(test, 0, crowd_init(crowd, 6, 4,
					    SLUICE_VICTIM_REQUESTER));
	return 0;
}

static void request_exit(struct kunit *test)
{
	if (test->priv)
		crowd_exit(test->priv);
}

static int ask(struct crowd *crowd, u32 h, u32 resource, u8 mode, s32 priority)
{
	struct crowd_ask one = {
		.flags = SLUICE_LOCK_ASYNC,
		.priority = priority,
		.count = 1,
		.item[0] = {
			.resource = resource,
			.mode = mode,
			.last = SLUICE_END,
		},
	};
	int ret = crowd_start(crowd, h, &one);

	if (ret != -EINPROGRESS)
		crowd_hear(crowd, h, true);
	return ret;
}

/* Has its request come to an end, a good one? */
static bool got(struct crowd *crowd, u32 h)
{
	struct sluice_request *request = &crowd->holders[h]->request;
	bool granted = request->state == SLUICE_REQUEST_GRANTED;

	if (granted)
		crowd_hear(crowd, h, true);
	return granted;
}

/* Readers who come after a writer wait; who reads already reads on. */
static void request_writer(struct kunit *test)
{
	enum { READER, WRITER, LATE };
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, READER, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask(crowd, WRITER, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, LATE, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, READER, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, READER, 0, SLUICE_UP, 0));
	crowd_unlock_all(crowd, READER);
	KUNIT_EXPECT_TRUE(test, got(crowd, WRITER));
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, LATE));
	crowd_unlock_all(crowd, WRITER);
	KUNIT_EXPECT_TRUE(test, got(crowd, LATE));
}

/* A conversion goes ahead of those who wait for what it converts. */
static void request_convert(struct kunit *test)
{
	enum { ONE, OTHER, WRITER };
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, ONE, 0, SLUICE_UP, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, OTHER, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask(crowd, WRITER, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, ONE, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, 1ULL, crowd->holders[ONE]->held_count);
	crowd_unlock_all(crowd, OTHER);
	KUNIT_EXPECT_TRUE(test, got(crowd, ONE));
	KUNIT_EXPECT_EQ(test, 1ULL, crowd->holders[ONE]->held_count);
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, WRITER));
	crowd_unlock_all(crowd, ONE);
	KUNIT_EXPECT_TRUE(test, got(crowd, WRITER));
}

/* Two who read and both want to write: one is told, and keeps reading. */
static void request_upgrades(struct kunit *test)
{
	enum { ONE, OTHER };
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, ONE, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, OTHER, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, ONE, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, OTHER, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EDEADLK, crowd->holders[OTHER]->request.error);
	crowd_hear(crowd, OTHER, true);
	KUNIT_EXPECT_EQ(test, 1ULL, crowd->holders[OTHER]->held_count);
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, ONE));
	crowd_unlock_all(crowd, OTHER);
	KUNIT_EXPECT_TRUE(test, got(crowd, ONE));
}

/* Only the queue closes the circle: it is jumped, and nobody fails. */
static void request_queue_cycle(struct kunit *test)
{
	enum { READER, WRITER, LATE };
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, READER, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, LATE, 1, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask(crowd, WRITER, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, LATE, 0, SLUICE_PR, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask(crowd, READER, 1, SLUICE_PR, 0));
	KUNIT_EXPECT_TRUE(test, got(crowd, LATE));
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, READER));
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, WRITER));
	crowd_unlock_all(crowd, LATE);
	KUNIT_EXPECT_TRUE(test, got(crowd, READER));
	crowd_unlock_all(crowd, READER);
	KUNIT_EXPECT_TRUE(test, got(crowd, WRITER));
}

/* However many come with a higher priority, one that waits has its turn. */
static void request_bypass(struct kunit *test)
{
	enum { POOR, RICH, RICHER };
	struct crowd *crowd = test->priv;
	u32 has = RICH, next = RICHER, passed = 0;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, has, 0, SLUICE_EX, 5));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, POOR, 0, SLUICE_EX, -5));
	while (passed <= 2 * CROWD_PASSED_MAX) {
		KUNIT_EXPECT_EQ(test, -EINPROGRESS,
				ask(crowd, next, 0, SLUICE_EX, 5));
		crowd_unlock_all(crowd, has);
		if (got(crowd, POOR))
			break;
		KUNIT_EXPECT_TRUE(test, got(crowd, next));
		swap(has, next);
		passed++;
	}
	KUNIT_EXPECT_EQ(test, (u32)CROWD_PASSED_MAX, passed);
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, next));
	crowd_unlock_all(crowd, POOR);
	KUNIT_EXPECT_TRUE(test, got(crowd, next));
}

static int ask_two(struct crowd *crowd, u32 h, u32 flags,
		   struct oracle_range one, struct oracle_range other)
{
	struct crowd_ask two = {
		.flags = SLUICE_LOCK_ASYNC | flags,
		.count = 2,
		.item = { one, other },
	};

	return crowd_start(crowd, h, &two);
}

/* Who may pass one more passes it with all he wants. */
static void request_together(struct kunit *test)
{
	enum { POOR, RICH, RICHER };
	struct crowd *crowd = test->priv;
	struct crowd_ask two = {
		.flags = SLUICE_LOCK_ASYNC,
		.priority = 5,
		.count = 2,
		.item = {
			{ .mode = SLUICE_EX, .last = 9 },
			{ .mode = SLUICE_EX, .start = 20, .last = 29 },
		},
	};
	u32 has = RICH, next = RICHER, passed;
	struct sluice_want *wants;

	KUNIT_EXPECT_EQ(test, 0, ask(crowd, has, 0, SLUICE_EX, 5));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, POOR, 0, SLUICE_EX, -5));
	for (passed = 0; passed + 1 < CROWD_PASSED_MAX; passed++) {
		KUNIT_EXPECT_EQ(test, -EINPROGRESS,
				ask(crowd, next, 0, SLUICE_EX, 5));
		crowd_unlock_all(crowd, has);
		KUNIT_EXPECT_TRUE(test, got(crowd, next));
		swap(has, next);
	}
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, crowd_start(crowd, next, &two));
	wants = crowd->holders[next]->request.wants;
	KUNIT_EXPECT_PTR_EQ(test, &wants[1], list_next_entry(&wants[0], queued));
	crowd_unlock_all(crowd, has);
	KUNIT_EXPECT_TRUE(test, got(crowd, next));
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, POOR));
	crowd_unlock_all(crowd, next);
	KUNIT_EXPECT_TRUE(test, got(crowd, POOR));
}

static int ask_range(struct crowd *crowd, u32 h, u64 start, u64 last, u8 mode)
{
	struct crowd_ask one = {
		.flags = SLUICE_LOCK_ASYNC,
		.count = 1,
		.item[0] = { .mode = mode, .start = start, .last = last },
	};
	int ret = crowd_start(crowd, h, &one);

	if (ret != -EINPROGRESS)
		crowd_hear(crowd, h, true);
	return ret;
}

/*
 * Who blocks one ahead of him need not queue behind that one. When he lets go of
 * what blocks it, he has to, and that must not close a circle for ever.
 */
static void request_unlock_waiting(struct kunit *test)
{
	enum { WAITER, AHEAD, THIRD, BUSY };
	struct oracle_range head = { .last = 9 };
	struct crowd *crowd = test->priv;

	KUNIT_EXPECT_EQ(test, 0, ask_range(crowd, WAITER, 0, 9, SLUICE_EX));
	KUNIT_EXPECT_EQ(test, 0, ask_range(crowd, BUSY, 20, 29, SLUICE_EX));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, WAITER, 2, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, THIRD, 1, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, THIRD, 2, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask_two(crowd, AHEAD, 0,
				(struct oracle_range) {
					.mode = SLUICE_PR,
					.last = 29,
				},
				(struct oracle_range) {
					.resource = 1,
					.mode = SLUICE_EX,
					.last = SLUICE_END,
				}));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask_range(crowd, WAITER, 20, 29, SLUICE_EX));
	crowd_unlock(crowd, WAITER, &head);
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, WAITER));
	crowd_unlock_all(crowd, BUSY);
	KUNIT_EXPECT_TRUE(test, got(crowd, WAITER));
	crowd_unlock_all(crowd, WAITER);
	KUNIT_EXPECT_TRUE(test, got(crowd, THIRD));
	crowd_unlock_all(crowd, THIRD);
	KUNIT_EXPECT_TRUE(test, got(crowd, AHEAD));
}

/*
 * A choice less can be a deadlock. Those in it pay for it, and not one who only
 * waits for them.
 */
static void request_lost_choice(struct kunit *test)
{
	enum { LOSER, BESIDE, ONE, OTHER };
	struct oracle_range first = { .mode = SLUICE_EX, .last = SLUICE_END };
	struct oracle_range second = first, third = first;
	struct crowd *crowd = test->priv;
	struct sluice_request *request = &crowd->holders[ONE]->request;

	second.resource = 1;
	third.resource = 2;
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, LOSER, 0, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, ONE, 1, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, ONE, 3, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, 0, ask(crowd, OTHER, 2, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS, ask(crowd, OTHER, 3, SLUICE_EX, 0));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask_two(crowd, BESIDE, SLUICE_LOCK_ANY, first, second));
	KUNIT_EXPECT_EQ(test, -EINPROGRESS,
			ask_two(crowd, ONE, SLUICE_LOCK_ANY, first, third));
	KUNIT_EXPECT_TRUE(test, crowd_recover(crowd, 0, 0, SLUICE_END, true));
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, BESIDE));
	KUNIT_EXPECT_FALSE(test, crowd_waits(crowd, ONE));
	KUNIT_EXPECT_EQ(test, -EDEADLK, request->error);
	KUNIT_EXPECT_TRUE(test, crowd_waits(crowd, OTHER));
}

static struct kunit_case request_cases[] = {
	KUNIT_CASE_SLOW(request_walk),
	KUNIT_CASE(request_writer),
	KUNIT_CASE(request_convert),
	KUNIT_CASE(request_upgrades),
	KUNIT_CASE(request_queue_cycle),
	KUNIT_CASE(request_bypass),
	KUNIT_CASE(request_together),
	KUNIT_CASE(request_unlock_waiting),
	KUNIT_CASE(request_lost_choice),
	{}
};

static struct kunit_suite request_suite = {
	.name = "sluice_request",
	.init = request_init,
	.exit = request_exit,
	.test_cases = request_cases,
};

kunit_test_suite(request_suite);
