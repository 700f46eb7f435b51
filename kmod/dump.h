/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DUMP_H
#define SLUICE_DUMP_H

#include <linux/sluice.h>
#include <linux/sluice_netlink.h>
#include <linux/uidgid.h>
#include <net/genetlink.h>

#include "registry.h"
#include "resource.h"

struct pid;
struct sluice_dump;
struct sluice_object;

/**
 * struct sluice_dump_type - one of the requests
 * @cmd: enum sluice_nl_cmd
 * @kind: registry that is gone through
 * @filters: SLUICE_DUMP_FILTER() of attributes that can be asked for
 * @tour: instead of @kind, @put and @tell: tell of all beyond @id
 * @changes: with that: a number that changes when something comes or goes
 * @put: put the reference of an entry
 * @tell: tell of an entry from @cursor on. Return: 0 if nothing is left of it;
 *	-EMSGSIZE when the message is full, -EAGAIN after enough work under a
 *	lock, and @cursor says where to go on
 */
struct sluice_dump_type {
	u8 cmd;
	enum sluice_registry_kind kind;
	u64 filters;
	int (*tour)(struct sluice_dump *dump);
	u64 (*changes)(void);
	void (*put)(struct sluice_entry *entry);
	int (*tell)(struct sluice_dump *dump, struct sluice_entry *entry);
};

#define SLUICE_DUMP_FILTER(attr)	BIT_ULL(SLUICE_NL_A_##attr)

/* How many are looked at with a lock held once. */
#define SLUICE_DUMP_BUDGET	1024

/**
 * struct sluice_dump - one dump on its way
 * @type: of the request
 * @cb: netlink's state
 * @skb: the message that is filled
 * @net: network namespace that is told of
 * @cred: who opened the socket
 * @pid_ns: of who asked
 * @given: SLUICE_DUMP_FILTER() of those that were
 * @channel: filter
 * @lockspace: filter
 * @resource: filter
 * @holder: filter
 * @uid: filter
 * @pid: filter
 * @role: filter
 * @name: filter
 * @name_len: bytes of it
 * @id: the last entry that is done
 * @inside: the one that is being told
 * @cursor: in that, zeroed before its first part is told
 * @cursor.begun: some of it was told
 * @cursor.at: the part that was told last: place, number of a resource, serial
 *	of a want
 * @cursor.done: all of that was
 * @cursor.marks_done: all marks of it were told
 * @cursor.start: of its grant that was told last
 * @cursor.serial: of its mark or grant that was told last
 * @cursor.changes: of the entry, when it was last looked at
 * @disturbed: how often something changed that had been told in part
 */
struct sluice_dump {
	const struct sluice_dump_type *type;
	struct netlink_callback *cb;
	struct sk_buff *skb;
	struct net *net;
	const struct cred *cred;
	struct pid_namespace *pid_ns;

	u64 given;
	u64 channel;
	u64 lockspace;
	u64 resource;
	u64 holder;
	kuid_t uid;
	u32 pid;
	u32 role;
	u8 name[SLUICE_NAME_MAX];
	u32 name_len;

	u64 id;
	u64 inside;
	struct {
		bool begun;
		bool done;
		bool marks_done;
		u64 at;
		u64 start;
		u64 serial;
		u64 changes;
	} cursor;
	u32 disturbed;
};

/* The callbacks of struct genl_ops, for all types. */
int sluice_dump_start(struct netlink_callback *cb);
int sluice_dump_run(struct sk_buff *skb, struct netlink_callback *cb);
int sluice_dump_done(struct netlink_callback *cb);

extern const struct nla_policy sluice_dump_policy[SLUICE_NL_A_FILTER_MAX + 1];

/* Note that what is being told in parts has changed. */
void sluice_dump_disturb(struct sluice_dump *dump);

/* Begin a message: NULL if there is no room. */
void *sluice_dump_begin(struct sluice_dump *dump);

/* End it. Return: @full, and then it is as if it had not begun, or 0. */
int sluice_dump_end(struct sluice_dump *dump, void *head, int full);

static inline bool sluice_dump_asks(const struct sluice_dump *dump, u64 filter)
{
	return dump->given & filter;
}

/* Are those as the filters want them, if there are any? */
bool sluice_dump_wants_pid(const struct sluice_dump *dump, struct pid *pid);
bool sluice_dump_wants_uid(const struct sluice_dump *dump, kuid_t uid);
bool sluice_dump_wants_name(const struct sluice_dump *dump,
			    const struct sluice_object *object);

/*
 * Attributes. Each returns 0 or -EMSGSIZE; they can be or'ed.
 */
int sluice_put_u64(struct sk_buff *skb, int attr, u64 value);
int sluice_put_flag(struct sk_buff *skb, int attr, bool value);
int sluice_put_text(struct sk_buff *skb, int attr, const void *text, u32 len);
int sluice_put_key(struct sk_buff *skb, const struct sluice_key *key);

/* Process, command and user; @pid may be NULL. */
int sluice_put_process(struct sluice_dump *dump, struct pid *pid, kuid_t uid,
		       const char *comm);
int sluice_put_object(struct sluice_dump *dump, int id_attr,
		      const struct sluice_object *object);

#endif
