/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_OBJECT_H
#define SLUICE_OBJECT_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/sluice.h>
#include <linux/sluice_netlink.h>
#include <linux/uidgid.h>

#include "call.h"
#include "name.h"
#include "registry.h"
#include "tunables.h"

struct pid_namespace;
struct sluice_object;
struct sluice_user;

/* What SLUICE_IOC_STAT and the like fill in. */
union sluice_object_stat {
	struct sluice_stat channel;
	struct sluice_lockspace_stat lockspace;
};

/**
 * struct sluice_object_type - channels or lockspaces
 * @names: their names are apart
 * @registry: so are their numbers
 * @made: told when there is one
 * @gone: and when not any more
 * @res: what one counts as
 * @file: name of its descriptors
 * @fops: of its descriptors, whose private_data is a struct sluice_object_file
 * @check: the caller's configuration, defaults filled in
 * @make: a new one, configured as checked; its object is initialised
 * @config: tell the caller its configuration
 * @ref: what its memory lives by
 * @unused: the last descriptor is gone
 * @stat: fill in; return 0, or -EINTR if the caller is killed
 * @stat_size: bytes that fills in
 * @stat_size_1: and those of its first edition
 */
struct sluice_object_type {
	enum sluice_names names;
	enum sluice_registry_kind registry;
	enum sluice_nl_event made;
	enum sluice_nl_event gone;
	enum sluice_res res;
	const char *file;
	const struct file_operations *fops;
	int (*check)(struct sluice_call *call);
	struct sluice_object *(*make)(const struct sluice_call *call);
	void (*config)(const struct sluice_object *object,
		       struct sluice_call *call);
	struct kref *(*ref)(struct sluice_object *object);
	void (*unused)(struct sluice_object *object);
	int (*stat)(struct sluice_object *object,
		    union sluice_object_stat *stat);
	u32 stat_size;
	u32 stat_size_1;
};

/**
 * struct sluice_object - what has a name, an owner and permissions
 * @type: what it is
 * @files: descriptors of it, and of what was made from it: while there is one
 *	it can be found and used
 * @id: unique among its type
 * @created: monotonic nanoseconds
 * @name: see name.c
 * @entry: see registry.c
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @user_ns: of the maker: capabilities count there, ids are written as seen there
 * @pid_ns: of the maker
 * @user: charged for it, or NULL once nobody is
 */
struct sluice_object {
	const struct sluice_object_type *type;
	atomic_t files;
	u64 id;
	u64 created;
	struct sluice_name name;
	struct sluice_entry entry;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	struct user_namespace *user_ns;
	struct pid_namespace *pid_ns;
	struct sluice_user *user;
};

/**
 * struct sluice_rights - whom an object lets, for when it may be gone
 * @uid: owner
 * @gid: group
 * @mode: permission bits
 * @user_ns: capabilities count there; reference
 */
struct sluice_rights {
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	struct user_namespace *user_ns;
};

/**
 * struct sluice_object_file - a descriptor of an object
 * @object: what it refers to
 * @access: SLUICE_READ, SLUICE_WRITE
 */
struct sluice_object_file {
	struct sluice_object *object;
	u32 access;
};

/**
 * sluice_object_init - set up a new object, used once, and charge the caller
 * @object: zeroed
 * @type: what it is
 * @open: name, mode and owner
 *
 * Return: 0; -EDQUOT, -EPERM, -EINVAL, -ENOMEM, and there is nothing to undo.
 */
int sluice_object_init(struct sluice_object *object,
		       const struct sluice_object_type *type,
		       const struct sluice_open *open);
void sluice_object_exit(struct sluice_object *object);

/* What is left of it is none of its maker's any more. Nobody uses it. */
void sluice_object_uncharge(struct sluice_object *object);

/* Use it like a file does. Return: false if the last one has gone. */
static inline bool sluice_object_use(struct sluice_object *object)
{
	return atomic_inc_not_zero(&object->files);
}

void sluice_object_unuse(struct sluice_object *object);

/* Return: whether the caller may open it, for reading or for writing. */
bool sluice_object_visible(struct sluice_object *object);

/* The same of an object as it was when they were got. */
void sluice_rights_get(struct sluice_rights *rights,
		       const struct sluice_object *object);
void sluice_rights_put(struct sluice_rights *rights);
bool sluice_rights_visible(const struct sluice_rights *rights);

/* Of SLUICE_IOC_OPEN and the like, on the device. */
long sluice_object_open(struct sluice_call *call,
			const struct sluice_object_type *type);
long sluice_object_list(struct sluice_call *call,
			const struct sluice_object_type *type);

/* Of descriptors of objects. */
long sluice_object_stat(struct sluice_call *call);
long sluice_object_restrict(struct sluice_call *call);
int sluice_object_release(struct inode *inode, struct file *file);

#endif
