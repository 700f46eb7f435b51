// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: grants, against a map that says of every byte who has it in which
 * mode. The bytes are those where ranges begin and end: the first ones, the last
 * ones, and all between as one.
 */
#include <kunit/test.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "scene.h"

unsigned int sluice_kunit_scale = 1;
module_param_named(kunit_scale, sluice_kunit_scale, uint, 0644);
MODULE_PARM_DESC(kunit_scale, "how many times as much the KUnit suites do");

unsigned int sluice_kunit_seed;
module_param_named(kunit_seed, sluice_kunit_seed, uint, 0644);
MODULE_PARM_DESC(kunit_seed, "where the KUnit suites' random numbers begin");

#define HEAD		64
#define TAIL		7
#define CELLS		(HEAD + 1 + TAIL)
#define HOLDERS		4
#define RESOURCES	3
#define FRESH		8
#define ROUNDS		16
#define TURNS		600

/* What one holder has of one byte. */
struct cell {
	u8 mode;
	u64 expires;
};

/* A grant that was published and is fresh. */
struct fresh {
	struct sluice_grant *grant;
	u32 holder;
	u32 resource;
	u32 from;
	u32 to;
	struct cell cell;
};

struct grant_fixture {
	struct sluice_lockspace *space;
	struct sluice_resource *resources[RESOURCES];
	struct sluice_holder *holders[HOLDERS];
	struct cell map[HOLDERS][RESOURCES][CELLS];
	struct fresh fresh[FRESH];
	struct sluice_grant *spares[SLUICE_SPARES];
	struct rnd_state rnd;
};

/* A step on a holder, a resource, and the cells from @from to @to. */
struct step {
	struct sluice_holder *holder;
	struct sluice_resource *resource;
	struct cell *map;
	u32 h;
	u32 r;
	u32 from;
	u32 to;
	u64 start;
	u64 last;
	struct cell cell;
};

static u64 cell_start(u32 cell)
{
	return cell <= HEAD ? cell : SLUICE_END - (CELLS - 1 - cell);
}

static u64 cell_last(u32 cell)
{
	return cell == HEAD ? SLUICE_END - TAIL : cell_start(cell);
}

static void grants_make(struct kunit *test, struct grant_fixture *f)
{
	struct sluice_resource *spare;
	struct sluice_domain *domain;
	struct sluice_key key;
	u32 i;

	for (i = 0; i < HOLDERS; i++) {
		f->holders[i] = scene_holder(f->space);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->holders[i]));
	}
	for (i = 0; i < RESOURCES; i++) {
		spare = sluice_resource_new();
		KUNIT_ASSERT_NOT_NULL(test, spare);
		scene_key(&key, i);
		domain = sluice_domain_lock(f->space->domain);
		f->resources[i] = sluice_resource_add(f->space, &key, NULL,
						      f->holders[0]->user,
						      &spare);
		sluice_domain_unlock(domain);
		KUNIT_ASSERT_FALSE(test, IS_ERR(f->resources[i]));
	}
}

static int grant_init(struct kunit *test)
{
	struct grant_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->space = scene_space(SLUICE_VICTIM_REQUESTER);
	KUNIT_ASSERT_FALSE(test, IS_ERR(f->space));
	grants_make(test, f);
	return 0;
}

static void grant_exit(struct kunit *test)
{
	struct grant_fixture *f = test->priv;
	u32 i;

	if (!f || IS_ERR_OR_NULL(f->space))
		return;
	for (i = 0; i < HOLDERS; i++)
		if (!IS_ERR_OR_NULL(f->holders[i]))
			sluice_holder_end(f->holders[i]);
	for (i = 0; i < SLUICE_SPARES; i++)
		sluice_grant_free(f->spares[i]);
	sluice_object_unuse(&f->space->object);
}

/*
 * Does what is there agree with the map?
 */
static bool cell_alike(const struct cell *a, const struct cell *b)
{
	return a->mode == b->mode && (!a->mode || a->expires == b->expires);
}

/* What is said at once to be in the way of others, or not. */
static const char *check_blocks(struct grant_fixture *f, u32 h, u32 r)
{
	const struct cell *map = f->map[h][r];
	u32 at = scene_pick(&f->rnd, CELLS), i;
	u32 end = at + scene_pick(&f->rnd, CELLS - at);
	u8 mode = scene_mode(&f->rnd);
	bool blocks = false;

	for (i = at; i <= end; i++)
		blocks |= map[i].mode &&
			sluice_mode_conflict(map[i].mode, mode);
	return sluice_grant_blocks(f->holders[h], f->resources[r], mode,
				   cell_start(at), cell_last(end)) == blocks ?
		NULL : "what blocks others is not what is had";
}

/* A holder's own: each grant as long as can be, and one where one is due. */
static const char *check_own(struct grant_fixture *f, u32 h, u32 r)
{
	const struct cell *map = f->map[h][r];
	struct sluice_grant *grant;
	u32 at, end;

	grant = sluice_grant_own(f->holders[h], f->resources[r], 0, SLUICE_END);
	for (at = 0; at < CELLS; at = end) {
		end = at + 1;
		while (end < CELLS && cell_alike(&map[at], &map[end]))
			end++;
		if (!map[at].mode)
			continue;
		if (!grant)
			return "a grant is missing";
		if (grant->start != cell_start(at) ||
		    grant->last != cell_last(end - 1))
			return "a grant has the wrong range";
		if (grant->mode != map[at].mode ||
		    grant->expires != map[at].expires)
			return "a grant has the wrong mode or lease";
		if (grant->holder != f->holders[h] || grant->fresh)
			return "a grant has the wrong holder";
		if (RB_EMPTY_NODE(&grant->leased) != !grant->expires)
			return "a lease is not listed, or none is";
		grant = sluice_grant_own_next(grant, SLUICE_END);
	}
	return grant ? "a grant too many" : check_blocks(f, h, r);
}

static u32 map_count(const struct cell *map)
{
	u32 count = 0, at;

	for (at = 0; at < CELLS; at++)
		count += map[at].mode &&
			!(at && cell_alike(&map[at - 1], &map[at]));
	return count;
}

static u32 fresh_count(const struct grant_fixture *f, u32 r)
{
	u32 count = 0, i;

	for (i = 0; i < FRESH; i++)
		count += f->fresh[i].grant && f->fresh[i].resource == r;
	return count;
}

/* What stands in somebody's way, one by one. */
static const char *check_conflicts(struct grant_fixture *f, u32 r)
{
	struct sluice_resource *resource = f->resources[r];
	u32 at = scene_pick(&f->rnd, CELLS);
	u64 start = cell_start(at);
	u64 last = cell_last(at + scene_pick(&f->rnd, CELLS - at));
	struct sluice_holder *holder =
		f->holders[scene_pick(&f->rnd, HOLDERS)];
	struct sluice_grant *grant, *found = NULL;
	u8 mode = scene_mode(&f->rnd);

	for (grant = sluice_grant_any(resource, NULL); grant;
	     grant = sluice_grant_any(resource, grant)) {
		if (grant->holder == holder || grant->start > last ||
		    grant->last < start ||
		    !sluice_mode_conflict(grant->mode, mode))
			continue;
		found = sluice_grant_conflict(resource, holder, mode, start,
					      last, found);
		if (found != grant)
			return "not what stands in the way is found";
	}
	return sluice_grant_conflict(resource, holder, mode, start, last,
				     found) ?
		"more is found in the way than there is" : NULL;
}

/* Everybody's of a resource, and how they are counted. */
static const char *check_resource(struct grant_fixture *f, u32 r, u64 *total)
{
	struct sluice_resource *resource = f->resources[r];
	u32 held[SLUICE_MODES] = {}, modes = 0, count = 0, want, h;
	struct sluice_grant *grant;
	u64 start = 0;

	for (grant = sluice_grant_any(resource, NULL); grant;
	     grant = sluice_grant_any(resource, grant)) {
		if (grant->start < start)
			return "grants are out of order";
		start = grant->start;
		held[grant->mode]++;
		modes |= BIT(grant->mode);
		count++;
	}
	if (memcmp(held, resource->held, sizeof(held)) ||
	    modes != resource->held_modes)
		return "grants by mode are miscounted";
	want = fresh_count(f, r);
	for (h = 0; h < HOLDERS; h++)
		want += map_count(f->map[h][r]);
	*total += count;
	return count == want ? check_conflicts(f, r) :
			       "the interval tree is not the holders'";
}

static const char *check_all(struct grant_fixture *f)
{
	const char *why = NULL;
	u64 total = 0, own;
	u32 h, r;

	for (h = 0; h < HOLDERS && !why; h++) {
		own = 0;
		for (r = 0; r < RESOURCES && !why; r++) {
			own += map_count(f->map[h][r]);
			why = check_own(f, h, r);
		}
		if (!why && own != f->holders[h]->held_count)
			why = "held_count is wrong";
	}
	for (r = 0; r < RESOURCES && !why; r++)
		why = check_resource(f, r, &total);
	if (!why && total != f->space->grants)
		why = "the lockspace's grants are miscounted";
	return why;
}

/*
 * Steps, in the map and for real.
 */
static void map_fill(struct step *step, bool keep_expires)
{
	u32 at;

	for (at = step->from; at <= step->to; at++) {
		if (keep_expires && !step->map[at].mode)
			continue;
		step->map[at].mode = step->cell.mode;
		if (!keep_expires)
			step->map[at].expires = step->cell.expires;
	}
}

static bool map_differs(const struct step *step)
{
	bool differs = false;
	u32 at;

	for (at = step->from; at <= step->to; at++)
		differs |= step->map[at].mode &&
			step->map[at].mode != step->cell.mode;
	return differs;
}

static u32 spares_left(const struct grant_fixture *f)
{
	u32 left = 0, i;

	for (i = 0; i < SLUICE_SPARES; i++)
		left += !!f->spares[i];
	return left;
}

static const char *spares_fill(struct grant_fixture *f)
{
	u32 i;

	for (i = 0; i < SLUICE_SPARES; i++) {
		if (!f->spares[i])
			f->spares[i] = sluice_grant_new(f->holders[i]->user);
		if (IS_ERR(f->spares[i])) {
			f->spares[i] = NULL;
			return "there is no memory";
		}
	}
	return NULL;
}

static const char *step_set(struct grant_fixture *f, struct step *step)
{
	bool differs = map_differs(step);
	u32 needs;

	needs = sluice_grant_set_needs(step->holder, step->resource,
				       step->start, step->last,
				       step->cell.mode);
	if (sluice_grant_set(step->holder, step->resource, step->start,
			     step->last, step->cell.mode, f->spares) != differs)
		return "set() says the wrong thing";
	if (SLUICE_SPARES - spares_left(f) != needs)
		return "set_needs() said the wrong thing";
	map_fill(step, true);
	return NULL;
}

/* Of one request, and so of one holder, fresh grants are apart. */
static struct fresh *fresh_place(struct grant_fixture *f,
				 const struct step *step)
{
	struct fresh *place = NULL;
	u32 i;

	for (i = 0; i < FRESH; i++) {
		if (!f->fresh[i].grant)
			place = &f->fresh[i];
		else if (f->fresh[i].holder == step->h &&
			 f->fresh[i].resource == step->r &&
			 sluice_ranges_overlap(f->fresh[i].from,
					       f->fresh[i].to, step->from,
					       step->to))
			return NULL;
	}
	return place;
}

static bool map_touches(const struct step *step)
{
	u32 from = step->from ? step->from - 1 : 0;
	u32 to = min(step->to + 1, CELLS - 1U);
	bool touches = false;
	u32 at;

	for (at = from; at <= to; at++)
		touches |= step->map[at].mode;
	return touches;
}

static const char *step_publish(struct grant_fixture *f, struct step *step)
{
	struct fresh *place = fresh_place(f, step);
	bool touches = map_touches(step);
	struct sluice_grant *grant;

	if (!place || !step->cell.mode)
		return NULL;
	grant = f->spares[0];
	f->spares[0] = NULL;
	grant->resource = step->resource;
	grant->holder = step->holder;
	grant->start = step->start;
	grant->last = step->last;
	grant->mode = step->cell.mode;
	grant->expires = step->cell.expires;
	sluice_grant_publish(grant);
	if (grant->fresh != touches)
		return "publish() is wrong about what is fresh";
	if (!touches)
		map_fill(step, false);
	else
		*place = (struct fresh) { grant, step->h, step->r, step->from,
					  step->to, step->cell };
	return NULL;
}

static const char *step_end(struct grant_fixture *f, struct step *step,
			    bool settle)
{
	struct fresh *fresh = &f->fresh[scene_pick(&f->rnd, FRESH)];

	if (!fresh->grant)
		return NULL;
	step->map = f->map[fresh->holder][fresh->resource];
	step->from = fresh->from;
	step->to = fresh->to;
	step->cell = fresh->cell;
	if (settle) {
		sluice_grant_settle(fresh->grant, f->spares);
		map_fill(step, false);
	} else {
		sluice_grant_withdraw(fresh->grant);
		sluice_grant_free(fresh->grant);
	}
	fresh->grant = NULL;
	return NULL;
}

/*
 * Questions.
 */
static bool cell_in_the_way(struct grant_fixture *f, const struct step *step,
			    u32 at)
{
	bool in_the_way = false;
	struct fresh *fresh;
	u32 h, i;

	for (h = 0; h < HOLDERS; h++)
		in_the_way |= h != step->h &&
			sluice_mode_conflict(f->map[h][step->r][at].mode,
					     step->cell.mode);
	for (i = 0; i < FRESH; i++) {
		fresh = &f->fresh[i];
		in_the_way |= fresh->grant && fresh->holder != step->h &&
			fresh->resource == step->r && fresh->from <= at &&
			fresh->to >= at &&
			sluice_mode_conflict(fresh->cell.mode, step->cell.mode);
	}
	return in_the_way;
}

static struct sluice_grant *next_conflict(const struct step *step,
					  struct sluice_grant *after)
{
	return sluice_grant_conflict(step->resource, step->holder,
				     step->cell.mode, step->start, step->last,
				     after);
}

/* All that stands in the way, one after the other, and nothing else. */
static const char *ask_conflict(struct grant_fixture *f, struct step *step)
{
	struct sluice_grant *grant;
	bool seen[CELLS] = {};
	u32 at;

	for (grant = next_conflict(step, NULL); grant;
	     grant = next_conflict(step, grant)) {
		if (grant->holder == step->holder ||
		    !sluice_mode_conflict(grant->mode, step->cell.mode) ||
		    !sluice_ranges_overlap(grant->start, grant->last,
					   step->start, step->last))
			return "conflict() found what is not in the way";
		for (at = 0; at < CELLS; at++)
			seen[at] |= cell_start(at) >= grant->start &&
				cell_last(at) <= grant->last;
	}
	for (at = step->from; at <= step->to; at++)
		if (seen[at] != cell_in_the_way(f, step, at))
			return "conflict() missed what is in the way";
	return NULL;
}

/* Of its own, only what it knows of counts. */
static const char *ask_blocks(struct grant_fixture *f, struct step *step)
{
	bool blocks = false;
	u32 at;

	for (at = step->from; at <= step->to; at++)
		blocks |= sluice_mode_conflict(step->map[at].mode,
					       step->cell.mode);
	return sluice_grant_blocks(step->holder, step->resource,
				   step->cell.mode, step->start,
				   step->last) == blocks ?
		NULL : "blocks() says the wrong thing";
}

static const char *ask_own(struct grant_fixture *f, struct step *step)
{
	struct sluice_grant *grant;
	bool seen[CELLS] = {};
	u32 at;

	for (grant = sluice_grant_own(step->holder, step->resource,
				      step->start, step->last);
	     grant; grant = sluice_grant_own_next(grant, step->last)) {
		if (!sluice_ranges_overlap(grant->start, grant->last,
					   step->start, step->last))
			return "own() found what is outside";
		for (at = 0; at < CELLS; at++)
			seen[at] |= cell_start(at) >= grant->start &&
				cell_last(at) <= grant->last;
	}
	for (at = step->from; at <= step->to; at++)
		if (seen[at] != !!step->map[at].mode)
			return "own() missed something";
	return NULL;
}

/*
 * Short ranges and long ones, and the ends more often than chance would have.
 */
static void step_choose(struct grant_fixture *f, struct step *step)
{
	struct rnd_state *rnd = &f->rnd;
	u32 length = 1 + scene_pick(rnd, 1 + scene_pick(rnd, CELLS));

	step->h = scene_pick(rnd, HOLDERS);
	step->r = scene_pick(rnd, RESOURCES);
	step->from = scene_pick(rnd, CELLS);
	if (!scene_pick(rnd, 8))
		step->from = scene_pick(rnd, 2) ? 0 : HEAD;
	step->to = min(step->from + length - 1, CELLS - 1U);
	step->start = cell_start(step->from);
	step->last = cell_last(step->to);
	step->holder = f->holders[step->h];
	step->resource = f->resources[step->r];
	step->map = f->map[step->h][step->r];
	/* Few modes make many that are alike. */
	step->cell.mode = scene_pick(rnd, 4) ? SLUICE_CR : scene_mode(rnd);
	step->cell.expires = scene_pick(rnd, 8) ? 0 : S64_MAX;
}

static const char *step_do(struct grant_fixture *f)
{
	struct step step;

	step_choose(f, &step);
	switch (scene_pick(&f->rnd, 16)) {
	case 0 ... 2:
		step.cell.mode = SLUICE_UNLOCKED;
		return step_set(f, &step);
	case 3 ... 5:
		return step_set(f, &step);
	case 6 ... 9:
		return step_publish(f, &step);
	case 10 ... 11:
		return step_end(f, &step, true);
	case 12:
		return step_end(f, &step, false);
	case 13:
		return ask_conflict(f, &step);
	case 14:
		return ask_blocks(f, &step);
	default:
		return ask_own(f, &step);
	}
}

static void fresh_withdraw(struct grant_fixture *f)
{
	u32 i;

	for (i = 0; i < FRESH; i++) {
		if (!f->fresh[i].grant)
			continue;
		sluice_grant_withdraw(f->fresh[i].grant);
		sluice_grant_free(f->fresh[i].grant);
		f->fresh[i].grant = NULL;
	}
}

/* Let go of everything, as a dying holder does but without a mark. */
static const char *round_end(struct grant_fixture *f)
{
	u32 h, r;

	fresh_withdraw(f);
	for (h = 0; h < HOLDERS; h++)
		for (r = 0; r < RESOURCES; r++)
			sluice_grant_set(f->holders[h], f->resources[r], 0,
					 SLUICE_END, SLUICE_UNLOCKED,
					 f->spares);
	memset(f->map, 0, sizeof(f->map));
	return check_all(f);
}

static void grant_random(struct kunit *test)
{
	struct grant_fixture *f = test->priv;
	u32 round, turn, rounds = ROUNDS * sluice_kunit_scale;
	struct sluice_domain *domain;
	const char *why = NULL;

	for (round = 0; round < rounds && !why; round++) {
		scene_seed(&f->rnd, round);
		for (turn = 0; turn < TURNS && !why; turn++) {
			why = spares_fill(f);
			domain = sluice_domain_lock(f->space->domain);
			why = why ?: step_do(f);
			why = why ?: check_all(f);
			if (why)
				fresh_withdraw(f);
			sluice_domain_unlock(domain);
			if (why)
				KUNIT_FAIL(test, "round %u turn %u: %s", round,
					   turn, why);
		}
		domain = sluice_domain_lock(f->space->domain);
		why = why ?: round_end(f);
		sluice_domain_unlock(domain);
		cond_resched();
	}
}

static struct kunit_case grant_cases[] = {
	KUNIT_CASE_SLOW(grant_random),
	{}
};

static struct kunit_suite grant_suite = {
	.name = "sluice_grant",
	.init = grant_init,
	.exit = grant_exit,
	.test_cases = grant_cases,
};

kunit_test_suite(grant_suite);
