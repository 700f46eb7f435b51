// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From attributes to structures, a kind after the other.
 */
#include <string.h>

#include "dump.h"

#define NUMBER(which)	attribute_number(a, SLUICE_NL_A_##which)
#define FLAG(which)	attribute_flag(a, SLUICE_NL_A_##which)

static void see_object(struct sluice_monitor_object *object, int id,
		       const struct attributes *a)
{
	object->id = attribute_number(a, id);
	attribute_text(a, SLUICE_NL_A_NAME, object->name, sizeof(object->name));
	object->uid = NUMBER(UID);
	object->gid = NUMBER(GID);
	object->mode = NUMBER(MODE);
	object->created = NUMBER(CREATED);
}

static void see_process(struct sluice_monitor_process *process,
			const struct attributes *a)
{
	process->pid = NUMBER(PID);
	process->tid = NUMBER(TID);
	process->uid = NUMBER(UID);
	attribute_text(a, SLUICE_NL_A_COMM, process->comm,
		       sizeof(process->comm));
}

static void see_place(struct sluice_monitor_place *place,
		      const struct attributes *a)
{
	const struct nlattr *key = a->at[SLUICE_NL_A_KEY];

	place->lockspace = NUMBER(LOCKSPACE);
	attribute_text(a, SLUICE_NL_A_NAME, place->name, sizeof(place->name));
	place->resource = NUMBER(RESOURCE);
	place->kind = NUMBER(KIND);
	if (key && nla_len(key) <= SLUICE_KEY_MAX) {
		place->key_len = nla_len(key);
		memcpy(place->key, nla_data(key), place->key_len);
	}
	place->file.major = NUMBER(FILE_MAJOR);
	place->file.minor = NUMBER(FILE_MINOR);
	place->file.ino = NUMBER(FILE_INO);
	place->file.generation = NUMBER(FILE_GENERATION);
}

static void channel_from(struct sluice_monitor_channel *seen,
			 const struct attributes *a)
{
	see_object(&seen->object, SLUICE_NL_A_CHANNEL, a);
	seen->pattern = NUMBER(PATTERN);
	seen->policy = NUMBER(POLICY);
	seen->slots = NUMBER(SLOTS);
	seen->publishers_max = NUMBER(PUBLISHERS_MAX);
	seen->subscribers_max = NUMBER(SUBSCRIBERS_MAX);
	seen->held_max = NUMBER(HELD_MAX);
	seen->history = NUMBER(HISTORY);
	seen->publishers = NUMBER(PUBLISHERS);
	seen->subscribers = NUMBER(SUBSCRIBERS);
	seen->left = NUMBER(LEFT);
	seen->messages = NUMBER(MESSAGES);
	seen->bytes = NUMBER(BYTES);
	seen->fds = NUMBER(FDS);
	seen->payload = NUMBER(PAYLOAD);
}

static void endpoint_from(struct sluice_monitor_endpoint *seen,
			  const struct attributes *a)
{
	seen->channel = NUMBER(CHANNEL);
	attribute_text(a, SLUICE_NL_A_NAME, seen->name, sizeof(seen->name));
	see_process(&seen->process, a);
	seen->role = NUMBER(ROLE);
	seen->index = NUMBER(INDEX);
	seen->generation = NUMBER(GENERATION);
	seen->state = NUMBER(STATE);
	seen->reason = NUMBER(REASON);
	seen->joined = NUMBER(CREATED);
	seen->sleeping = NUMBER(SLEEPING);
	seen->messages = NUMBER(MESSAGES);
	seen->bytes = NUMBER(BYTES);
	seen->fds = NUMBER(FDS);
	seen->policy = NUMBER(POLICY);
	seen->lost = NUMBER(LOST);
	seen->held = NUMBER(HELD);
	seen->lag = NUMBER(LAG);
	seen->payload = NUMBER(PAYLOAD);
}

static void lockspace_from(struct sluice_monitor_lockspace *seen,
			   const struct attributes *a)
{
	see_object(&seen->object, SLUICE_NL_A_LOCKSPACE, a);
	seen->victim = NUMBER(VICTIM);
	seen->resources = NUMBER(RESOURCES);
	seen->grants = NUMBER(GRANTS);
	seen->waiting = NUMBER(WAITING);
	seen->granted = NUMBER(GRANTED);
	seen->blocked = NUMBER(BLOCKED);
	seen->deadlocks = NUMBER(DEADLOCKS);
	seen->died = NUMBER(DIED);
	seen->token = NUMBER(TOKEN);
	seen->closed = FLAG(CLOSED);
}

static void resource_from(struct sluice_monitor_resource *seen,
			  const struct attributes *a)
{
	see_place(&seen->place, a);
	seen->grants = NUMBER(GRANTS);
	seen->waiting = NUMBER(WAITING);
	seen->died = NUMBER(DIED);
	seen->mode = NUMBER(LOCK_MODE);
}

static void lock_from(struct sluice_monitor_lock *seen,
		      const struct attributes *a)
{
	see_place(&seen->place, a);
	seen->state = NUMBER(LOCK_STATE);
	seen->mode = NUMBER(LOCK_MODE);
	seen->start = NUMBER(START);
	seen->end = NUMBER(END);
	seen->since = NUMBER(SINCE);
	seen->token = NUMBER(TOKEN);
	seen->expires = NUMBER(EXPIRES);
	seen->holder = NUMBER(HOLDER);
	see_process(&seen->process, a);
}

static void blocker_from(struct sluice_monitor_blocker *seen,
			 const struct attributes *a)
{
	seen->holder = NUMBER(HOLDER);
	see_process(&seen->process, a);
	seen->mode = NUMBER(LOCK_MODE);
	seen->queued = FLAG(QUEUED);
}

static void see_blockers(struct sluice_monitor_wait *seen,
			 const struct attributes *a)
{
	struct nlattr *at;
	struct attributes in;
	int left;

	nla_for_each_attr(at, a->first, a->len, left) {
		if (nla_type(at) != SLUICE_NL_A_BLOCKER)
			continue;
		if (seen->blocker_count == SLUICE_MONITOR_BLOCKERS_MAX ||
		    nla_parse_nested(in.at, SLUICE_NL_A_MAX, at, NULL)) {
			seen->more = true;
			break;
		}
		blocker_from(&seen->blockers[seen->blocker_count++], &in);
	}
}

static void wait_from(struct sluice_monitor_wait *seen,
		      const struct attributes *a)
{
	see_place(&seen->place, a);
	seen->mode = NUMBER(LOCK_MODE);
	seen->start = NUMBER(START);
	seen->end = NUMBER(END);
	seen->since = NUMBER(SINCE);
	seen->priority = (int32_t)NUMBER(PRIORITY);
	seen->any = FLAG(ANY);
	seen->holder = NUMBER(HOLDER);
	see_process(&seen->process, a);
	seen->more = FLAG(MORE);
	seen->found = NUMBER(BLOCKERS);
	see_blockers(seen, a);
}

static void holder_from(struct sluice_monitor_holder *seen,
			const struct attributes *a)
{
	seen->id = NUMBER(HOLDER);
	see_process(&seen->process, a);
	seen->grants = NUMBER(GRANTS);
	seen->waiting = NUMBER(WAITING);
	seen->since = NUMBER(SINCE);
	seen->any = FLAG(ANY);
	seen->dead = FLAG(DEAD);
}

static void quota_from(struct sluice_monitor_quota *seen,
		       const struct attributes *a)
{
	seen->uid = NUMBER(UID);
	seen->userns = NUMBER(USERNS);
	seen->limited = NUMBER(LIMITED);
	seen->used = NUMBER(USED);
	seen->limit = NUMBER(LIMIT);
}

/* The function of the interface for a kind, and the step to it from a message. */
#define DEFINE_SNAPSHOT(one, all, cmd)					\
struct one##_teller {							\
	int (*see)(const struct sluice_monitor_##one *seen, void *arg);	\
	void *arg;							\
};									\
									\
static int one##_tell(const struct attributes *a, void *arg)		\
{									\
	const struct one##_teller *teller = arg;			\
	struct sluice_monitor_##one seen;				\
									\
	memset(&seen, 0, sizeof(seen));					\
	one##_from(&seen, a);						\
	return teller->see(&seen, teller->arg);				\
}									\
									\
PUBLIC int sluice_monitor_##all(struct sluice_monitor *monitor,		\
		const struct sluice_monitor_filter *filter,		\
		int (*see)(const struct sluice_monitor_##one *seen,	\
			   void *arg),					\
		void *arg)						\
{									\
	struct one##_teller teller = { see, arg };			\
									\
	return dump(monitor, cmd, filter, one##_tell, &teller);		\
}

DEFINE_SNAPSHOT(channel, channels, SLUICE_NL_CHANNELS)
DEFINE_SNAPSHOT(endpoint, endpoints, SLUICE_NL_ENDPOINTS)
DEFINE_SNAPSHOT(lockspace, lockspaces, SLUICE_NL_LOCKSPACES)
DEFINE_SNAPSHOT(resource, resources, SLUICE_NL_RESOURCES)
DEFINE_SNAPSHOT(lock, locks, SLUICE_NL_LOCKS)
DEFINE_SNAPSHOT(wait, waits, SLUICE_NL_WAITS)
DEFINE_SNAPSHOT(holder, holders, SLUICE_NL_HOLDERS)
DEFINE_SNAPSHOT(quota, quotas, SLUICE_NL_QUOTAS)
