/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: every step that enters the kernel to wait, to wake, to come or
 * to go. Fields are what people know things by: numbers and names, processes in
 * the initial pid namespace, users in the initial user namespace, nanoseconds;
 * never an address of the kernel's. Strings are terminated, and have dots for
 * what cannot be printed.
 *
 * Each is called with the lock held that guards what it is given, as said.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sluice

#if !defined(SLUICE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SLUICE_TRACE_H

#include <linux/sched.h>
#include <linux/sluice.h>
#include <linux/tracepoint.h>
#include <linux/uidgid.h>

struct sluice_endpoint;
struct sluice_grant;
struct sluice_holder;
struct sluice_key;
struct sluice_lockspace;
struct sluice_object;
struct sluice_publisher;
struct sluice_request;
struct sluice_subscriber;
struct sluice_want;

/* Sizes are told to user space as they are written here, so as one number. */
#define SLUICE_TRACE_NAME	65
#define SLUICE_TRACE_KEY	65
#define SLUICE_TRACE_COMM	16

void sluice_trace_name(char *to, const struct sluice_object *object);
void sluice_trace_key(char *to, const struct sluice_key *key);
u64 sluice_trace_blocker(const struct sluice_want *want);

TRACE_DEFINE_ENUM(SLUICE_PUBLISHER);
TRACE_DEFINE_ENUM(SLUICE_SUBSCRIBER);
TRACE_DEFINE_ENUM(SLUICE_LEFT_CLOSED);
TRACE_DEFINE_ENUM(SLUICE_LEFT_EXITED);
TRACE_DEFINE_ENUM(SLUICE_LEFT_KILLED);
TRACE_DEFINE_ENUM(SLUICE_LEFT_EVICTED);
TRACE_DEFINE_ENUM(SLUICE_NL);
TRACE_DEFINE_ENUM(SLUICE_CR);
TRACE_DEFINE_ENUM(SLUICE_CW);
TRACE_DEFINE_ENUM(SLUICE_PR);
TRACE_DEFINE_ENUM(SLUICE_UP);
TRACE_DEFINE_ENUM(SLUICE_PW);
TRACE_DEFINE_ENUM(SLUICE_EX);
TRACE_DEFINE_ENUM(SLUICE_RES_CHANNELS);
TRACE_DEFINE_ENUM(SLUICE_RES_ENDPOINTS);
TRACE_DEFINE_ENUM(SLUICE_RES_BYTES);
TRACE_DEFINE_ENUM(SLUICE_RES_FDS);
TRACE_DEFINE_ENUM(SLUICE_RES_LOCKSPACES);
TRACE_DEFINE_ENUM(SLUICE_RES_HOLDERS);
TRACE_DEFINE_ENUM(SLUICE_RES_RESOURCES);
TRACE_DEFINE_ENUM(SLUICE_RES_LOCKS);

#define sluice_show_role(role)						\
	__print_symbolic(role,						\
		{ SLUICE_PUBLISHER, "publisher" },			\
		{ SLUICE_SUBSCRIBER, "subscriber" })

#define sluice_show_reason(reason)					\
	__print_symbolic(reason,					\
		{ SLUICE_LEFT_CLOSED, "closed" },			\
		{ SLUICE_LEFT_EXITED, "exited" },			\
		{ SLUICE_LEFT_KILLED, "killed" },			\
		{ SLUICE_LEFT_EVICTED, "evicted" })

#define sluice_show_mode(mode)						\
	__print_symbolic(mode,						\
		{ SLUICE_NL, "NL" }, { SLUICE_CR, "CR" },		\
		{ SLUICE_CW, "CW" }, { SLUICE_PR, "PR" },		\
		{ SLUICE_UP, "UP" }, { SLUICE_PW, "PW" },		\
		{ SLUICE_EX, "EX" })

#define sluice_show_res(res)						\
	__print_symbolic(res,						\
		{ SLUICE_RES_CHANNELS, "channels" },			\
		{ SLUICE_RES_ENDPOINTS, "endpoints" },			\
		{ SLUICE_RES_BYTES, "bytes" },				\
		{ SLUICE_RES_FDS, "fds" },				\
		{ SLUICE_RES_LOCKSPACES, "lockspaces" },		\
		{ SLUICE_RES_HOLDERS, "holders" },			\
		{ SLUICE_RES_RESOURCES, "resources" },			\
		{ SLUICE_RES_LOCKS, "locks" })

/*
 * Endpoints.
 */
#define SLUICE_TP_ENDPOINT						\
	__field(u64, channel)						\
	__field(u64, generation)					\
	__field(u32, role)						\
	__field(u32, index)						\
	__array(char, name, SLUICE_TRACE_NAME)

#define SLUICE_TP_ENDPOINT_ASSIGN(ep)					\
	__entry->channel = (ep)->channel->object.id;			\
	__entry->generation = (ep)->generation;				\
	__entry->role = (ep)->role;					\
	__entry->index = (ep)->index;					\
	sluice_trace_name(__entry->name, &(ep)->channel->object)

#define SLUICE_TP_ENDPOINT_FORMAT					\
	"channel=%llu name=%s %s=%u generation=%llu"

#define SLUICE_TP_ENDPOINT_VALUES					\
	__entry->channel, __entry->name,				\
	sluice_show_role(__entry->role), __entry->index,		\
	__entry->generation

/* A place was taken. channel->lock. */
TRACE_EVENT(sluice_join,
	TP_PROTO(const struct sluice_endpoint *ep),
	TP_ARGS(ep),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u32, uid)
		__field(s32, pid)
		__array(char, process, SLUICE_TRACE_COMM)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->uid = from_kuid(&init_user_ns, ep->uid);
		__entry->pid = pid_nr(ep->pid);
		memcpy(__entry->process, ep->comm, SLUICE_TRACE_COMM);
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " pid=%d uid=%u process=%s",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->pid, __entry->uid,
		  __entry->process)
);

/* It is active no more. channel->lock. */
TRACE_EVENT(sluice_leave,
	TP_PROTO(const struct sluice_endpoint *ep),
	TP_ARGS(ep),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u32, reason)
		__field(s32, pid)
		__field(u64, stayed)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->reason = ep->reason;
		__entry->pid = pid_nr(ep->pid);
		__entry->stayed = ktime_get_ns() - ep->joined;
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " pid=%d reason=%s stayed=%llu",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->pid,
		  sluice_show_reason(__entry->reason), __entry->stayed)
);

/* The caller goes to sleep: a subscriber for messages, a publisher for room. */
TRACE_EVENT(sluice_sleep,
	TP_PROTO(const struct sluice_endpoint *ep, s64 timeout),
	TP_ARGS(ep, timeout),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(s64, timeout)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->timeout = timeout;
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " timeout=%lld",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->timeout)
);

/* And is awake again, with nanoseconds that passed, and 0 or an error. */
TRACE_EVENT(sluice_wake,
	TP_PROTO(const struct sluice_endpoint *ep, u64 waited, int error),
	TP_ARGS(ep, waited, error),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u64, waited)
		__field(int, error)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->waited = waited;
		__entry->error = error;
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " waited=%llu error=%d",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->waited, __entry->error)
);

/* A publisher wakes subscribers; of a queue as many as @count. */
TRACE_EVENT(sluice_publish_wake,
	TP_PROTO(const struct sluice_endpoint *ep, u32 count),
	TP_ARGS(ep, count),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u32, count)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->count = count;
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " count=%u",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->count)
);

/* A subscriber wakes the publisher at place @publisher: there may be room. */
TRACE_EVENT(sluice_room_wake,
	TP_PROTO(const struct sluice_endpoint *ep, u32 publisher),
	TP_ARGS(ep, publisher),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u32, publisher)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(ep);
		__entry->publisher = publisher;
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " publisher=%u",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->publisher)
);

/* A subscriber is detached, by the caller, who has no room. channel->lock. */
TRACE_EVENT(sluice_evict,
	TP_PROTO(struct sluice_subscriber *sub),
	TP_ARGS(sub),
	TP_STRUCT__entry(
		SLUICE_TP_ENDPOINT
		__field(u64, lag)
		__field(s32, pid)
		__array(char, process, SLUICE_TRACE_COMM)
	),
	TP_fast_assign(
		SLUICE_TP_ENDPOINT_ASSIGN(&sub->ep);
		__entry->lag = sluice_subscriber_lag(sub);
		__entry->pid = pid_nr(sub->ep.pid);
		memcpy(__entry->process, sub->ep.comm, SLUICE_TRACE_COMM);
	),
	TP_printk(SLUICE_TP_ENDPOINT_FORMAT " pid=%d process=%s lag=%llu",
		  SLUICE_TP_ENDPOINT_VALUES, __entry->pid, __entry->process,
		  __entry->lag)
);

/*
 * Accounts. @asked more than @used of @limit was refused.
 */
TRACE_EVENT(sluice_quota,
	TP_PROTO(kuid_t uid, u32 res, u64 asked, u64 used, u64 limit),
	TP_ARGS(uid, res, asked, used, limit),
	TP_STRUCT__entry(
		__field(u64, asked)
		__field(u64, used)
		__field(u64, limit)
		__field(u32, uid)
		__field(u32, resource)
	),
	TP_fast_assign(
		__entry->asked = asked;
		__entry->used = used;
		__entry->limit = limit;
		__entry->uid = from_kuid(&init_user_ns, uid);
		__entry->resource = res;
	),
	TP_printk("uid=%u resource=%s asked=%llu used=%llu limit=%llu",
		  __entry->uid, sluice_show_res(__entry->resource),
		  __entry->asked, __entry->used, __entry->limit)
);

/*
 * Locks. All with the domain's lock.
 */
#define SLUICE_TP_LOCK							\
	__field(u64, lockspace)						\
	__field(u64, holder)						\
	__field(u64, start)						\
	__field(u64, end)						\
	__field(u32, mode)						\
	__field(s32, tid)						\
	__array(char, name, SLUICE_TRACE_NAME)				\
	__array(char, key, SLUICE_TRACE_KEY)				\
	__array(char, process, SLUICE_TRACE_COMM)

#define SLUICE_TP_LOCK_ASSIGN(space, by, res_key, held)			\
	__entry->lockspace = (space)->object.id;			\
	__entry->holder = (by)->id;					\
	__entry->start = (held)->start;					\
	__entry->end = (held)->last;					\
	__entry->mode = (held)->mode;					\
	__entry->tid = pid_nr((by)->tid);				\
	sluice_trace_name(__entry->name, &(space)->object);		\
	sluice_trace_key(__entry->key, res_key);			\
	memcpy(__entry->process, (by)->comm, SLUICE_TRACE_COMM)

#define SLUICE_TP_LOCK_FORMAT						\
	"lockspace=%llu name=%s holder=%llu tid=%d process=%s key=%s mode=%s start=%llu end=%llu"

#define SLUICE_TP_LOCK_VALUES						\
	__entry->lockspace, __entry->name, __entry->holder,		\
	__entry->tid, __entry->process, __entry->key,			\
	sluice_show_mode(__entry->mode), __entry->start, __entry->end

/* An item of a request begins to wait; @blocker stands in its way, 0: none. */
TRACE_EVENT(sluice_lock_wait,
	TP_PROTO(const struct sluice_want *want, u64 blocker),
	TP_ARGS(want, blocker),
	TP_STRUCT__entry(
		SLUICE_TP_LOCK
		__field(u64, blocker)
		__field(s32, priority)
	),
	TP_fast_assign(
		SLUICE_TP_LOCK_ASSIGN(want->space, want->holder, &want->key,
				      want);
		__entry->blocker = blocker;
		__entry->priority = want->holder->request.priority;
	),
	TP_printk(SLUICE_TP_LOCK_FORMAT " priority=%d blocker=%llu",
		  SLUICE_TP_LOCK_VALUES, __entry->priority, __entry->blocker)
);

/* One is granted, after @waited nanoseconds. */
TRACE_EVENT(sluice_lock_grant,
	TP_PROTO(const struct sluice_want *want, u64 waited),
	TP_ARGS(want, waited),
	TP_STRUCT__entry(
		SLUICE_TP_LOCK
		__field(u64, token)
		__field(u64, waited)
		__field(u32, status)
	),
	TP_fast_assign(
		SLUICE_TP_LOCK_ASSIGN(want->space, want->holder, &want->key,
				      want);
		__entry->token = want->token;
		__entry->waited = waited;
		__entry->status = want->status;
	),
	TP_printk(SLUICE_TP_LOCK_FORMAT " token=%llu waited=%llu%s",
		  SLUICE_TP_LOCK_VALUES, __entry->token, __entry->waited,
		  __entry->status ? " owner-died" : "")
);

/* A request that waited ends with @error; told with its first item. */
TRACE_EVENT(sluice_lock_fail,
	TP_PROTO(const struct sluice_request *request, int error),
	TP_ARGS(request, error),
	TP_STRUCT__entry(
		SLUICE_TP_LOCK
		__field(u64, waited)
		__field(u32, items)
		__field(int, error)
	),
	TP_fast_assign(
		SLUICE_TP_LOCK_ASSIGN(request->wants->space,
				      request->wants->holder,
				      &request->wants->key, request->wants);
		__entry->waited = ktime_get_ns() - request->since;
		__entry->items = request->count;
		__entry->error = error;
	),
	TP_printk(SLUICE_TP_LOCK_FORMAT " items=%u waited=%llu error=%d",
		  SLUICE_TP_LOCK_VALUES, __entry->items, __entry->waited,
		  __entry->error)
);

/* What @want's holder waited for, as step @step of a deadlock. */
TRACE_EVENT(sluice_deadlock_step,
	TP_PROTO(const struct sluice_lockspace *space, u32 step,
		 const struct sluice_want *want),
	TP_ARGS(space, step, want),
	TP_STRUCT__entry(
		SLUICE_TP_LOCK
		__field(u64, found_in)
		__field(u64, number)
		__field(u32, step)
	),
	TP_fast_assign(
		SLUICE_TP_LOCK_ASSIGN(want->space, want->holder, &want->key,
				      want);
		__entry->found_in = space->object.id;
		__entry->number = space->deadlock_numbers;
		__entry->step = step;
	),
	TP_printk(SLUICE_TP_LOCK_FORMAT " found_in=%llu deadlock=%llu step=%u",
		  SLUICE_TP_LOCK_VALUES, __entry->found_in, __entry->number,
		  __entry->step)
);

/* A deadlock of @length holders, of whom @victim fails. */
TRACE_EVENT(sluice_deadlock,
	TP_PROTO(const struct sluice_lockspace *space, u32 length,
		 const struct sluice_holder *victim),
	TP_ARGS(space, length, victim),
	TP_STRUCT__entry(
		__field(u64, lockspace)
		__field(u64, number)
		__field(u64, victim)
		__field(u32, length)
		__field(s32, tid)
		__array(char, name, SLUICE_TRACE_NAME)
		__array(char, process, SLUICE_TRACE_COMM)
	),
	TP_fast_assign(
		__entry->lockspace = space->object.id;
		__entry->number = space->deadlock_numbers;
		__entry->victim = victim->id;
		__entry->length = length;
		__entry->tid = pid_nr(victim->tid);
		sluice_trace_name(__entry->name, &space->object);
		memcpy(__entry->process, victim->comm, SLUICE_TRACE_COMM);
	),
	TP_printk("lockspace=%llu name=%s deadlock=%llu length=%u victim=%llu tid=%d process=%s",
		  __entry->lockspace, __entry->name, __entry->number,
		  __entry->length, __entry->victim, __entry->tid,
		  __entry->process)
);

/* Who had it for writing died, or its lease ran out. */
TRACE_EVENT(sluice_owner_died,
	TP_PROTO(const struct sluice_grant *grant,
		 const struct sluice_holder *holder),
	TP_ARGS(grant, holder),
	TP_STRUCT__entry(
		SLUICE_TP_LOCK
		__field(u64, token)
		__field(u64, held)
	),
	TP_fast_assign(
		SLUICE_TP_LOCK_ASSIGN(grant->resource->space, holder,
				      &grant->resource->key, grant);
		__entry->token = grant->token;
		__entry->held = ktime_get_ns() - grant->since;
	),
	TP_printk(SLUICE_TP_LOCK_FORMAT " token=%llu held=%llu",
		  SLUICE_TP_LOCK_VALUES, __entry->token, __entry->held)
);

#endif /* SLUICE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
