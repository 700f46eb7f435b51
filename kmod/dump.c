// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dumps: how what there is is told over netlink.
 *
 * A dump is a tour of a registry in the order of numbers, and of each entry's
 * parts in an order that those keep while they live; between two messages only
 * numbers are kept. So whatever is there from beginning to end is told, and what
 * comes meanwhile comes behind, or not at all. If anything was added, removed
 * or changed between two messages, the rest of the dump is marked as interrupted
 * (NLM_F_DUMP_INTR): no one moment was like that.
 *
 * What may be seen is decided by the credentials with which the socket was
 * opened, as with any descriptor: who reads from it later sees no more, and
 * lends nobody his own.
 *
 * A message is filled with an entry's lock held. It takes a hundred parts or so,
 * and those that a filter leaves out are counted, too: after SLUICE_DUMP_BUDGET
 * of them the lock is let go for a moment.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include <net/sock.h>

#include "compat.h"
#include "dump.h"
#include "netlink.h"
#include "object.h"
#include "resource.h"

const struct nla_policy sluice_dump_policy[SLUICE_NL_A_FILTER_MAX + 1] = {
	[SLUICE_NL_A_CHANNEL]	= { .type = NLA_U64 },
	[SLUICE_NL_A_LOCKSPACE]	= { .type = NLA_U64 },
	[SLUICE_NL_A_NAME]	= { .type = NLA_NUL_STRING,
				    .len = SLUICE_NAME_MAX },
	[SLUICE_NL_A_UID]	= { .type = NLA_U32 },
	[SLUICE_NL_A_PID]	= { .type = NLA_U32 },
	[SLUICE_NL_A_ROLE]	= { .type = NLA_U32 },
	[SLUICE_NL_A_RESOURCE]	= { .type = NLA_U64 },
	[SLUICE_NL_A_HOLDER]	= { .type = NLA_U64 },
};

/*
 * What is asked for.
 */
static void filter_u64(struct sluice_dump *dump, struct nlattr **attrs, int attr,
		       u64 *value)
{
	if (dump->given & BIT_ULL(attr))
		*value = nla_get_u64(attrs[attr]);
}

static void filter_u32(struct sluice_dump *dump, struct nlattr **attrs, int attr,
		       u32 *value)
{
	if (dump->given & BIT_ULL(attr))
		*value = nla_get_u32(attrs[attr]);
}

static int dump_filters(struct sluice_dump *dump, struct nlattr **attrs)
{
	u32 i, uid = 0;

	for (i = 0; attrs && i <= SLUICE_NL_A_FILTER_MAX; i++)
		if (attrs[i] && i > SLUICE_NL_A_PAD)
			dump->given |= BIT_ULL(i);
	/* What is known, but not of these, would be left out of them all. */
	if (dump->given & ~dump->type->filters)
		return -EINVAL;
	filter_u64(dump, attrs, SLUICE_NL_A_CHANNEL, &dump->channel);
	filter_u64(dump, attrs, SLUICE_NL_A_LOCKSPACE, &dump->lockspace);
	filter_u64(dump, attrs, SLUICE_NL_A_RESOURCE, &dump->resource);
	filter_u64(dump, attrs, SLUICE_NL_A_HOLDER, &dump->holder);
	filter_u32(dump, attrs, SLUICE_NL_A_PID, &dump->pid);
	filter_u32(dump, attrs, SLUICE_NL_A_ROLE, &dump->role);
	filter_u32(dump, attrs, SLUICE_NL_A_UID, &uid);
	if (sluice_dump_asks(dump, SLUICE_DUMP_FILTER(NAME))) {
		dump->name_len = nla_len(attrs[SLUICE_NL_A_NAME]) - 1;
		memcpy(dump->name, nla_data(attrs[SLUICE_NL_A_NAME]),
		       dump->name_len);
	}
	dump->uid = make_kuid(dump->cred->user_ns, uid);
	return 0;
}

static const struct cred *socket_cred(const struct sk_buff *skb)
{
	struct socket *socket = NETLINK_CB(skb).sk->sk_socket;

	return get_cred(socket && socket->file ? socket->file->f_cred :
						 current_cred());
}

int sluice_dump_start(struct netlink_callback *cb)
{
	struct sluice_dump *dump;
	int ret;

	dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);
	if (!dump)
		return -ENOMEM;
	dump->type = sluice_netlink_dump_type(cb);
	dump->net = sock_net(cb->skb->sk);
	dump->cred = socket_cred(cb->skb);
	dump->pid_ns = get_pid_ns(task_active_pid_ns(current));
	ret = dump_filters(dump, sluice_dump_attrs(cb));
	cb->args[0] = (long)dump;
	if (ret)
		sluice_dump_done(cb);
	return ret;
}

int sluice_dump_done(struct netlink_callback *cb)
{
	struct sluice_dump *dump = (void *)cb->args[0];

	put_pid_ns(dump->pid_ns);
	put_cred(dump->cred);
	kfree(dump);
	cb->args[0] = 0;
	return 0;
}

bool sluice_dump_wants_pid(const struct sluice_dump *dump, struct pid *pid)
{
	return !sluice_dump_asks(dump, SLUICE_DUMP_FILTER(PID)) ||
		pid_nr_ns(pid, dump->pid_ns) == dump->pid;
}

bool sluice_dump_wants_uid(const struct sluice_dump *dump, kuid_t uid)
{
	return !sluice_dump_asks(dump, SLUICE_DUMP_FILTER(UID)) ||
		uid_eq(uid, dump->uid);
}

bool sluice_dump_wants_name(const struct sluice_dump *dump,
			    const struct sluice_object *object)
{
	return !sluice_dump_asks(dump, SLUICE_DUMP_FILTER(NAME)) ||
		(object->name.len == dump->name_len &&
		 !memcmp(object->name.bytes, dump->name, dump->name_len));
}

/*
 * The tour.
 */
void sluice_dump_disturb(struct sluice_dump *dump)
{
	dump->disturbed++;
	dump->cb->seq++;
}

void *sluice_dump_begin(struct sluice_dump *dump)
{
	struct netlink_callback *cb = dump->cb;
	void *head = genlmsg_put(dump->skb, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, &sluice_netlink_family,
				 NLM_F_MULTI, dump->type->cmd);

	if (head)
		genl_dump_check_consistent(cb, head);
	return head;
}

int sluice_dump_end(struct sluice_dump *dump, void *head, int full)
{
	if (full) {
		genlmsg_cancel(dump->skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, head);
	return 0;
}

/* Who knows the number need not go past the others. */
static u64 dump_only(const struct sluice_dump *dump)
{
	switch (dump->type->kind) {
	case SLUICE_REGISTRY_CHANNELS:
		return dump->channel;
	case SLUICE_REGISTRY_LOCKSPACES:
		return dump->lockspace;
	default:
		return dump->type->cmd == SLUICE_NL_HOLDERS ? dump->holder : 0;
	}
}

static struct sluice_entry *dump_next(struct sluice_dump *dump)
{
	u64 only = dump_only(dump), from = dump->id;
	struct sluice_entry *entry;

	if (only && from >= only)
		return NULL;
	if (only)
		from = only - 1;
	entry = sluice_registry_next(dump->net, dump->type->kind, from);
	if (entry && only && entry->id != only) {
		dump->type->put(entry);
		entry = NULL;
	}
	return entry;
}

static int dump_entry(struct sluice_dump *dump, struct sluice_entry *entry)
{
	int ret;

	do {
		ret = dump->type->tell(dump, entry);
		cond_resched();
		if (fatal_signal_pending(current))
			ret = -EINTR;
	} while (ret == -EAGAIN);
	return ret;
}

static int dump_tour(struct sluice_dump *dump)
{
	struct sluice_entry *entry;
	int ret = 0;

	while (!ret && (entry = dump_next(dump))) {
		if (dump->inside != entry->id)
			memset(&dump->cursor, 0, sizeof(dump->cursor));
		dump->inside = entry->id;
		ret = dump_entry(dump, entry);
		if (!ret)
			dump->id = entry->id;
		dump->type->put(entry);
	}
	return ret;
}

int sluice_dump_run(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sluice_dump *dump = (void *)cb->args[0];
	const struct cred *old = override_creds(dump->cred);
	int ret;

	dump->cb = cb;
	dump->skb = skb;
	/* 0 would be: not known. */
	cb->seq = dump->disturbed + 1 + (dump->type->changes ?
		dump->type->changes() :
		sluice_registry_changes(dump->net, dump->type->kind));
	ret = dump->type->tour ? dump->type->tour(dump) : dump_tour(dump);
	revert_creds(old);
	if (ret == -EMSGSIZE && skb->len)
		ret = 0;
	return ret ?: skb->len;
}

/*
 * Attributes.
 */
int sluice_put_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, SLUICE_NL_A_PAD);
}

int sluice_put_flag(struct sk_buff *skb, int attr, bool value)
{
	return value ? nla_put_flag(skb, attr) : 0;
}

int sluice_put_text(struct sk_buff *skb, int attr, const void *text, u32 len)
{
	struct nlattr *nla = nla_reserve(skb, attr, len + 1);

	if (!nla)
		return -EMSGSIZE;
	memcpy(nla_data(nla), text, len);
	((char *)nla_data(nla))[len] = 0;
	return 0;
}

static int put_file(struct sk_buff *skb, const struct sluice_key *key)
{
	struct sluice_file_key file;

	memcpy(&file, key->bytes, sizeof(file));
	return nla_put_u32(skb, SLUICE_NL_A_FILE_MAJOR, file.major) ||
		nla_put_u32(skb, SLUICE_NL_A_FILE_MINOR, file.minor) ||
		sluice_put_u64(skb, SLUICE_NL_A_FILE_INO, file.ino) ||
		nla_put_u32(skb, SLUICE_NL_A_FILE_GENERATION, file.generation);
}

int sluice_put_key(struct sk_buff *skb, const struct sluice_key *key)
{
	return nla_put_u32(skb, SLUICE_NL_A_KIND, key->kind) ||
		(key->kind == SLUICE_KIND_FILE ? put_file(skb, key) :
		 nla_put(skb, SLUICE_NL_A_KEY, key->len, key->bytes));
}

int sluice_put_process(struct sluice_dump *dump, struct pid *pid, kuid_t uid,
		       const char *comm)
{
	return nla_put_u32(dump->skb, SLUICE_NL_A_PID,
			   pid_nr_ns(pid, dump->pid_ns)) ||
		nla_put_u32(dump->skb, SLUICE_NL_A_UID,
			    from_kuid_munged(dump->cred->user_ns, uid)) ||
		sluice_put_text(dump->skb, SLUICE_NL_A_COMM, comm,
				strnlen(comm, TASK_COMM_LEN));
}

int sluice_put_object(struct sluice_dump *dump, int id_attr,
		      const struct sluice_object *object)
{
	struct user_namespace *ns = dump->cred->user_ns;
	struct sk_buff *skb = dump->skb;

	return sluice_put_u64(skb, id_attr, object->id) ||
		(object->name.len &&
		 sluice_put_text(skb, SLUICE_NL_A_NAME, object->name.bytes,
				 object->name.len)) ||
		nla_put_u32(skb, SLUICE_NL_A_UID,
			    from_kuid_munged(ns, object->uid)) ||
		nla_put_u32(skb, SLUICE_NL_A_GID,
			    from_kgid_munged(ns, object->gid)) ||
		nla_put_u32(skb, SLUICE_NL_A_MODE, object->mode) ||
		sluice_put_u64(skb, SLUICE_NL_A_CREATED, object->created);
}
