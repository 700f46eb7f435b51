// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps of holders, and of what users have of what they may have. Both are told
 * to who they are of, and to who has CAP_IPC_OWNER in the user namespace.
 *
 * Locks: the domain's, see domain.c.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/ns_common.h>
#include <linux/pid.h>
#include <linux/user_namespace.h>

#include "domain.h"
#include "dump_holder.h"
#include "holder.h"
#include "quota.h"

static struct sluice_holder *holder_of(struct sluice_entry *entry)
{
	return container_of(entry, struct sluice_holder, entry);
}

static void holder_put(struct sluice_entry *entry)
{
	sluice_holder_put(holder_of(entry));
}

static bool holder_visible(const struct sluice_holder *holder)
{
	return uid_eq(current_euid(), holder->uid) ||
		ns_capable(sluice_user_ns(holder->user), CAP_IPC_OWNER);
}

/* The domain's lock. */
static int put_request(struct sk_buff *skb, const struct sluice_holder *holder)
{
	const struct sluice_request *request = &holder->request;
	bool waits = sluice_request_waits(request);

	sluice_domain_assert(holder->domain);
	return sluice_put_u64(skb, SLUICE_NL_A_GRANTS, holder->held_count) ||
		sluice_put_u64(skb, SLUICE_NL_A_WAITING,
			       waits ? request->count : 0) ||
		(waits && sluice_put_u64(skb, SLUICE_NL_A_SINCE,
					 request->since)) ||
		sluice_put_flag(skb, SLUICE_NL_A_ANY,
				waits && sluice_request_any(request)) ||
		sluice_put_flag(skb, SLUICE_NL_A_DEAD, holder->dead);
}

static int put_holder(struct sluice_dump *dump,
		      const struct sluice_holder *holder)
{
	void *head = sluice_dump_begin(dump);

	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		sluice_put_u64(dump->skb, SLUICE_NL_A_HOLDER, holder->id) ||
		nla_put_u32(dump->skb, SLUICE_NL_A_TID,
			    pid_nr_ns(holder->tid, dump->pid_ns)) ||
		sluice_put_process(dump, holder->tgid, holder->uid,
				   holder->comm) ||
		put_request(dump->skb, holder));
}

static int holder_tell(struct sluice_dump *dump, struct sluice_entry *entry)
{
	struct sluice_holder *holder = holder_of(entry);
	struct sluice_domain *domain;
	int ret;

	if (!sluice_dump_wants_uid(dump, holder->uid) ||
	    !sluice_dump_wants_pid(dump, holder->tgid) ||
	    !holder_visible(holder))
		return 0;
	domain = sluice_domain_lock_killable(holder->domain);
	if (!domain)
		return -EINTR;
	ret = put_holder(dump, holder);
	sluice_domain_unlock(domain);
	return ret;
}

const struct sluice_dump_type sluice_dump_holders = {
	.cmd = SLUICE_NL_HOLDERS,
	.kind = SLUICE_REGISTRY_HOLDERS,
	.filters = SLUICE_DUMP_FILTER(HOLDER) | SLUICE_DUMP_FILTER(UID) |
		   SLUICE_DUMP_FILTER(PID),
	.put = holder_put,
	.tell = holder_tell,
};

/*
 * Quotas: a message for each limit of each user. The cursor is the limit.
 */
u32 sluice_limited(enum sluice_res res)
{
	static const u8 limited[SLUICE_RES_COUNT] = {
		[SLUICE_RES_CHANNELS]	= SLUICE_NL_LIMITED_CHANNELS,
		[SLUICE_RES_ENDPOINTS]	= SLUICE_NL_LIMITED_ENDPOINTS,
		[SLUICE_RES_BYTES]	= SLUICE_NL_LIMITED_BYTES,
		[SLUICE_RES_FDS]	= SLUICE_NL_LIMITED_FDS,
		[SLUICE_RES_LOCKSPACES]	= SLUICE_NL_LIMITED_LOCKSPACES,
		[SLUICE_RES_HOLDERS]	= SLUICE_NL_LIMITED_HOLDERS,
		[SLUICE_RES_RESOURCES]	= SLUICE_NL_LIMITED_RESOURCES,
		[SLUICE_RES_LOCKS]	= SLUICE_NL_LIMITED_LOCKS,
	};

	return limited[res];
}

static bool user_visible(struct sluice_user *user)
{
	return (sluice_user_ns(user) == current_user_ns() &&
		uid_eq(sluice_user_uid(user), current_uid())) ||
		ns_capable(sluice_user_ns(user), CAP_IPC_OWNER);
}

static int limit_tell(struct sluice_dump *dump, struct sluice_user *user,
		      enum sluice_res res)
{
	struct sk_buff *skb = dump->skb;
	void *head = sluice_dump_begin(dump);

	if (!head)
		return -EMSGSIZE;
	return sluice_dump_end(dump, head,
		nla_put_u32(skb, SLUICE_NL_A_UID,
			    from_kuid_munged(dump->cred->user_ns,
					     sluice_user_uid(user))) ||
		nla_put_u32(skb, SLUICE_NL_A_USERNS,
			    sluice_user_ns(user)->ns.inum) ||
		nla_put_u32(skb, SLUICE_NL_A_LIMITED, sluice_limited(res)) ||
		sluice_put_u64(skb, SLUICE_NL_A_USED,
			       sluice_charged(user, res)) ||
		sluice_put_u64(skb, SLUICE_NL_A_LIMIT, sluice_user_limit(res)));
}

static int user_tell(struct sluice_dump *dump, struct sluice_user *user)
{
	int ret = 0;

	if (!sluice_dump_wants_uid(dump, sluice_user_uid(user)) ||
	    !user_visible(user))
		return 0;
	while (!ret && dump->cursor.at < SLUICE_RES_COUNT) {
		ret = limit_tell(dump, user, dump->cursor.at);
		if (!ret)
			dump->cursor.at++;
	}
	return ret;
}

static int users_tour(struct sluice_dump *dump)
{
	struct sluice_user *user;
	int ret = 0;

	while (!ret && (user = sluice_user_next(dump->id))) {
		if (dump->inside != sluice_user_number(user))
			dump->cursor.at = 0;
		dump->inside = sluice_user_number(user);
		ret = user_tell(dump, user);
		if (!ret)
			dump->id = dump->inside;
		sluice_user_put(user);
		cond_resched();
		if (fatal_signal_pending(current))
			ret = -EINTR;
	}
	return ret;
}

const struct sluice_dump_type sluice_dump_quotas = {
	.cmd = SLUICE_NL_QUOTAS,
	.filters = SLUICE_DUMP_FILTER(UID),
	.tour = users_tour,
	.changes = sluice_user_changes,
};
