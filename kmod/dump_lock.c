// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps of lockspaces, and of what is in them: resources, what is held of them,
 * who waits for whom.
 *
 * Resources are told by their numbers. The marks of one come first, by serial,
 * then its grants, by start and serial: that is how they lie in their tree.
 * Wants are told by serial. What changes gets a new serial, so it may be told
 * twice, as it was and as it is; it is not left out.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/pid.h>

#include "domain.h"
#include "dump_lock.h"
#include "grant.h"
#include "holder.h"
#include "lockspace.h"
#include "queue.h"
#include "request.h"
#include "word.h"

#define BLOCKERS_MAX	16	/* that are told of one want */

static struct sluice_lockspace *space_of(struct sluice_entry *entry)
{
	return container_of(entry, struct sluice_lockspace, object.entry);
}

static void space_put(struct sluice_entry *entry)
{
	sluice_lockspace_put(space_of(entry));
}

static bool space_wanted(struct sluice_dump *dump,
			 struct sluice_lockspace *space)
{
	return sluice_dump_wants_name(dump, &space->object) &&
		sluice_object_visible(&space->object);
}

/*
 * Lockspaces.
 */
static int put_space_stat(struct sk_buff *skb,
			  const struct sluice_lockspace_stat *stat)
{
	return nla_put_u32(skb, SLUICE_NL_A_VICTIM, stat->config.victim) ||
		sluice_put_u64(skb, SLUICE_NL_A_RESOURCES, stat->resources) ||
		sluice_put_u64(skb, SLUICE_NL_A_GRANTS, stat->grants) ||
		sluice_put_u64(skb, SLUICE_NL_A_WAITING, stat->waiting) ||
		sluice_put_u64(skb, SLUICE_NL_A_GRANTED, stat->granted) ||
		sluice_put_u64(skb, SLUICE_NL_A_BLOCKED, stat->blocked) ||
		sluice_put_u64(skb, SLUICE_NL_A_DEADLOCKS, stat->deadlocks) ||
		sluice_put_u64(skb, SLUICE_NL_A_DIED, stat->died) ||
		sluice_put_u64(skb, SLUICE_NL_A_TOKEN, stat->token);
}

static int space_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_lockspace *space = space_of(entry);
	struct sluice_object *object = &space->object;
	union sluice_object_stat stat;
	void *head;

	if (!space_wanted(dump, space) ||
	    !sluice_dump_wants_uid(dump, object->uid))
		return 0;
	if (object->type->stat(object, &stat))
		return -EINTR;
	head = sluice_dump_begin(dump);
	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		sluice_put_object(dump, SLUICE_NL_A_LOCKSPACE, object) ||
		put_space_stat(dump->skb, &stat.lockspace) ||
		sluice_put_flag(dump->skb, SLUICE_NL_A_CLOSED,
				!atomic_read(&object->files)));
}

const struct sluice_dump_type sluice_dump_lockspaces = {
	.cmd = SLUICE_NL_LOCKSPACES,
	.kind = SLUICE_REGISTRY_LOCKSPACES,
	.filters = SLUICE_DUMP_FILTER(LOCKSPACE) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(UID),
	.put = space_put,
	.tell = space_tell,
};

/*
 * A lockspace is a moment as long as its lock is held; if it changed since the
 * last part was told, the dump says so. Return: NULL if who reads is killed.
 */
static struct sluice_domain *space_enter(struct sluice_dump *dump,
					 struct sluice_lockspace *space)
{
	struct sluice_domain *domain = sluice_domain_lock_killable(space->domain);

	if (!domain)
		return NULL;
	if (dump->cursor.begun && dump->cursor.changes != space->changes)
		sluice_dump_disturb(dump);
	dump->cursor.begun = true;
	dump->cursor.changes = space->changes;
	return domain;
}

/* What comes next, or what was told in part. */
static struct sluice_resource *resource_next(struct sluice_dump *dump,
					     struct sluice_lockspace *space)
{
	return sluice_resource_from(space,
				    dump->cursor.at + dump->cursor.done);
}

static void resource_enter(struct sluice_dump *dump,
			   const struct sluice_resource *resource)
{
	if (resource->number == dump->cursor.at)
		return;
	dump->cursor.at = resource->number;
	dump->cursor.done = false;
	dump->cursor.marks_done = false;
	dump->cursor.start = 0;
	dump->cursor.serial = 0;
}

static int space_resources(struct sluice_dump *dump,
			   struct sluice_lockspace *space,
			   int (*tell)(struct sluice_dump *dump,
				       struct sluice_resource *resource,
				       u32 *budget))
{
	struct sluice_domain *domain = space_enter(dump, space);
	u32 budget = SLUICE_DUMP_BUDGET;
	struct sluice_resource *resource;
	int ret = 0;

	if (!domain)
		return -EINTR;
	while (!ret && (resource = resource_next(dump, space))) {
		resource_enter(dump, resource);
		sluice_word_look(resource);
		if (!sluice_dump_asks(dump, SLUICE_DUMP_FILTER(RESOURCE)) ||
		    resource->number == dump->resource)
			ret = tell(dump, resource, &budget);
		dump->cursor.done = !ret;
		if (!ret && !budget--)
			ret = -EAGAIN;
	}
	/* To see what a word says changes nothing. */
	dump->cursor.changes = space->changes;
	sluice_domain_unlock(domain);
	return ret;
}

/*
 * Resources.
 */
static int put_place(struct sk_buff *skb, const struct sluice_lockspace *space,
		     u64 resource, const struct sluice_key *key)
{
	return sluice_put_u64(skb, SLUICE_NL_A_LOCKSPACE, space->object.id) ||
		(space->object.name.len &&
		 sluice_put_text(skb, SLUICE_NL_A_NAME,
				 space->object.name.bytes,
				 space->object.name.len)) ||
		sluice_put_u64(skb, SLUICE_NL_A_RESOURCE, resource) ||
		sluice_put_key(skb, key);
}

static u32 modes_sum(const u32 *modes)
{
	u32 i, sum = 0;

	for (i = 0; i < SLUICE_MODES; i++)
		sum += modes[i];
	return sum;
}

static u8 mode_strongest(u32 modes)
{
	return modes ? fls(modes) - 1 : SLUICE_UNLOCKED;
}

static int resource_tell(struct sluice_dump *dump,
			 struct sluice_resource *resource, u32 *budget)
{
	struct sk_buff *skb = dump->skb;
	void *head = sluice_dump_begin(dump);

	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		put_place(skb, resource->space, resource->number,
			  &resource->key) ||
		sluice_put_u64(skb, SLUICE_NL_A_GRANTS,
			       modes_sum(resource->held)) ||
		sluice_put_u64(skb, SLUICE_NL_A_WAITING,
			       modes_sum(resource->waiting)) ||
		sluice_put_u64(skb, SLUICE_NL_A_DIED, resource->died_count) ||
		nla_put_u32(skb, SLUICE_NL_A_LOCK_MODE,
			    mode_strongest(resource->held_modes)));
}

static int resources_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_lockspace *space = space_of(entry);

	return space_wanted(dump, space) ?
		space_resources(dump, space, resource_tell) : 0;
}

const struct sluice_dump_type sluice_dump_resources = {
	.cmd = SLUICE_NL_RESOURCES,
	.kind = SLUICE_REGISTRY_LOCKSPACES,
	.filters = SLUICE_DUMP_FILTER(LOCKSPACE) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(RESOURCE),
	.put = space_put,
	.tell = resources_tell,
};

/*
 * Who it is that holds or waits.
 */
static bool holder_wanted(struct sluice_dump *dump,
			  const struct sluice_holder *holder)
{
	if (!holder)	/* a mark: nobody's */
		return !sluice_dump_asks(dump, SLUICE_DUMP_FILTER(HOLDER) |
					       SLUICE_DUMP_FILTER(UID) |
					       SLUICE_DUMP_FILTER(PID));
	return (!sluice_dump_asks(dump, SLUICE_DUMP_FILTER(HOLDER)) ||
		holder->id == dump->holder) &&
		sluice_dump_wants_uid(dump, holder->uid) &&
		sluice_dump_wants_pid(dump, holder->tgid);
}

static int put_holder(struct sluice_dump *dump,
		      const struct sluice_holder *holder)
{
	return sluice_put_u64(dump->skb, SLUICE_NL_A_HOLDER, holder->id) ||
		nla_put_u32(dump->skb, SLUICE_NL_A_TID,
			    pid_nr_ns(holder->tid, dump->pid_ns)) ||
		sluice_put_process(dump, holder->tgid, holder->uid,
				   holder->comm);
}

static int put_range(struct sk_buff *skb, u8 mode, u64 start, u64 last, u64 since)
{
	return nla_put_u32(skb, SLUICE_NL_A_LOCK_MODE, mode) ||
		sluice_put_u64(skb, SLUICE_NL_A_START, start) ||
		sluice_put_u64(skb, SLUICE_NL_A_END, last) ||
		sluice_put_u64(skb, SLUICE_NL_A_SINCE, since);
}

/*
 * Locks.
 */
static u32 grant_state(const struct sluice_grant *grant)
{
	if (grant->holder)
		return SLUICE_LOCK_HELD;
	return grant->lost ? SLUICE_LOCK_LOST : SLUICE_LOCK_DIED;
}

static int put_grant(struct sluice_dump *dump, const struct sluice_grant *grant)
{
	struct sk_buff *skb = dump->skb;

	return sluice_put_u64(skb, SLUICE_NL_A_TOKEN, grant->token) ||
		(grant->expires && sluice_put_u64(skb, SLUICE_NL_A_EXPIRES,
						  grant->expires)) ||
		put_holder(dump, grant->holder);
}

static int grant_tell(struct sluice_dump *dump,
		      const struct sluice_resource *resource,
		      const struct sluice_grant *grant)
{
	struct sk_buff *skb = dump->skb;
	void *head;

	if (!holder_wanted(dump, grant->holder))
		return 0;
	head = sluice_dump_begin(dump);
	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		put_place(skb, resource->space, resource->number,
			  &resource->key) ||
		nla_put_u32(skb, SLUICE_NL_A_LOCK_STATE, grant_state(grant)) ||
		put_range(skb, grant->mode, grant->start, grant->last,
			  grant->since) ||
		(grant->holder && put_grant(dump, grant)));
}

static int marks_tell(struct sluice_dump *dump,
		      const struct sluice_resource *resource, u32 *budget)
{
	const struct sluice_grant *mark;
	int ret;

	if (dump->cursor.marks_done)
		return 0;
	list_for_each_entry(mark, &resource->died, news) {
		if (mark->serial <= dump->cursor.serial)
			continue;
		if (!*budget)
			return -EAGAIN;
		--*budget;
		ret = grant_tell(dump, resource, mark);
		if (ret)
			return ret;
		dump->cursor.serial = mark->serial;
	}
	dump->cursor.marks_done = true;
	dump->cursor.serial = 0;
	return 0;
}

static int resource_locks(struct sluice_dump *dump,
			  struct sluice_resource *resource, u32 *budget)
{
	int ret = marks_tell(dump, resource, budget);
	struct sluice_grant *grant;

	while (!ret) {
		grant = sluice_grant_after(resource, dump->cursor.start,
					   dump->cursor.serial);
		if (!grant)
			break;
		if (!*budget)
			return -EAGAIN;
		--*budget;
		ret = grant_tell(dump, resource, grant);
		if (!ret) {
			dump->cursor.start = grant->start;
			dump->cursor.serial = grant->serial;
		}
	}
	return ret;
}

static int locks_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_lockspace *space = space_of(entry);

	return space_wanted(dump, space) ?
		space_resources(dump, space, resource_locks) : 0;
}

const struct sluice_dump_type sluice_dump_locks = {
	.cmd = SLUICE_NL_LOCKS,
	.kind = SLUICE_REGISTRY_LOCKSPACES,
	.filters = SLUICE_DUMP_FILTER(LOCKSPACE) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(RESOURCE) | SLUICE_DUMP_FILTER(HOLDER) |
		   SLUICE_DUMP_FILTER(UID) | SLUICE_DUMP_FILTER(PID),
	.put = space_put,
	.tell = locks_tell,
};

/*
 * Waits.
 */
static int put_blocker(struct sluice_dump *dump,
		       const struct sluice_holder *holder, u8 mode, bool queued)
{
	struct nlattr *nest = nla_nest_start(dump->skb, SLUICE_NL_A_BLOCKER);

	if (!nest)
		return -EMSGSIZE;
	if (put_holder(dump, holder) ||
	    nla_put_u32(dump->skb, SLUICE_NL_A_LOCK_MODE, mode) ||
	    sluice_put_flag(dump->skb, SLUICE_NL_A_QUEUED, queued))
		return -EMSGSIZE;
	nla_nest_end(dump->skb, nest);
	return 0;
}

/**
 * struct blockers - who stands in the way of a want
 * @count: those that were found
 * @budget: so many more may be looked at
 */
struct blockers {
	u32 count;
	u32 budget;
};

/* One more was found; only the first ones are told. */
static int blocker_tell(struct sluice_dump *dump, struct blockers *blockers,
			const struct sluice_holder *holder, u8 mode, bool queued)
{
	return blockers->count++ < BLOCKERS_MAX ?
		put_blocker(dump, holder, mode, queued) : 0;
}

/* Those who hold it. Return: 0, or -ENOSPC if not all were looked at. */
static int put_holding(struct sluice_dump *dump, const struct sluice_want *want,
		       struct blockers *blockers)
{
	struct sluice_grant *grant = NULL;

	while ((grant = sluice_grant_conflict(want->resource, want->holder,
					      want->mode, want->start,
					      want->last, grant))) {
		if (!blockers->budget)
			return -ENOSPC;
		blockers->budget--;
		if (blocker_tell(dump, blockers, grant->holder, grant->mode,
				 false))
			return -EMSGSIZE;
		cond_resched();
	}
	return 0;
}

/* Those who are ahead, likewise. */
static int put_ahead(struct sluice_dump *dump, struct sluice_want *want,
		     struct blockers *blockers)
{
	u8 modes = sluice_mode_conflicts[want->mode];
	struct sluice_want *ahead = want;

	while ((ahead = sluice_queue_ahead(ahead, modes))) {
		if (!blockers->budget)
			return -ENOSPC;
		blockers->budget--;
		if (sluice_want_stands_ahead(ahead, want) &&
		    blocker_tell(dump, blockers, ahead->holder, ahead->mode,
				 true))
			return -EMSGSIZE;
		/* To look at one may be to look at all that a holder has. */
		cond_resched();
	}
	return 0;
}

static int put_blockers(struct sluice_dump *dump, struct sluice_want *want)
{
	struct blockers blockers = { .budget = SLUICE_DUMP_BUDGET };
	int ret = put_holding(dump, want, &blockers) ?:
		put_ahead(dump, want, &blockers);

	if (ret == -EMSGSIZE)
		return ret;
	return nla_put_u32(dump->skb, SLUICE_NL_A_BLOCKERS, blockers.count) ||
		sluice_put_flag(dump->skb, SLUICE_NL_A_MORE,
				ret || blockers.count > BLOCKERS_MAX);
}

static int want_tell(struct sluice_dump *dump, struct sluice_want *want)
{
	const struct sluice_request *request = &want->holder->request;
	struct sk_buff *skb = dump->skb;
	void *head;

	if (!holder_wanted(dump, want->holder) ||
	    (sluice_dump_asks(dump, SLUICE_DUMP_FILTER(RESOURCE)) &&
	     want->resource->number != dump->resource))
		return 0;
	head = sluice_dump_begin(dump);
	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		put_place(skb, want->space, want->resource->number,
			  &want->key) ||
		nla_put_u32(skb, SLUICE_NL_A_LOCK_STATE, SLUICE_LOCK_WAITING) ||
		put_range(skb, want->mode, want->start, want->last,
			  request->since) ||
		nla_put_s32(skb, SLUICE_NL_A_PRIORITY, request->priority) ||
		sluice_put_flag(skb, SLUICE_NL_A_ANY,
				sluice_request_any(request)) ||
		put_holder(dump, want->holder) || put_blockers(dump, want));
}

static int waits_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_lockspace *space = space_of(entry);
	u32 budget = SLUICE_DUMP_BUDGET;
	struct sluice_domain *domain;
	struct sluice_want *want;
	int ret = 0;

	if (!space_wanted(dump, space))
		return 0;
	domain = space_enter(dump, space);
	if (!domain)
		return -EINTR;
	while (!ret && (want = sluice_want_after(space, dump->cursor.at))) {
		ret = want_tell(dump, want);
		if (!ret)
			dump->cursor.at = want->serial;
		if (!ret && !--budget)
			ret = -EAGAIN;
	}
	sluice_domain_unlock(domain);
	return ret;
}

const struct sluice_dump_type sluice_dump_waits = {
	.cmd = SLUICE_NL_WAITS,
	.kind = SLUICE_REGISTRY_LOCKSPACES,
	.filters = SLUICE_DUMP_FILTER(LOCKSPACE) | SLUICE_DUMP_FILTER(NAME) |
		   SLUICE_DUMP_FILTER(RESOURCE) | SLUICE_DUMP_FILTER(HOLDER) |
		   SLUICE_DUMP_FILTER(UID) | SLUICE_DUMP_FILTER(PID),
	.put = space_put,
	.tell = waits_tell,
};
