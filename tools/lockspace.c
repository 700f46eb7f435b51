// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opening lockspaces: one for taking locks, or those that can be looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lock.h"

char *default_lockspace(char *buf)
{
	snprintf(buf, DEFAULT_LOCKSPACE_SIZE, "user-%u", geteuid());
	return buf;
}

char *take_lockspace(const struct argp_state *state, char *arg)
{
	size_t len = strlen(arg);

	if (!len || len > SLUICE_NAME_MAX)
		argp_error(state, "a lockspace's name has 1 to %d bytes",
			   SLUICE_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)arg[i] < 0x20 || arg[i] == 0x7f)
			argp_error(state, "a lockspace's name has no control characters");
	}
	return arg;
}

void complain_lockspace(const char *name, int error)
{
	if (complain_device())
		return;
	switch (error) {
	case -EOPNOTSUPP:
		complain(NULL, 0, "the kernel module is too old: it has no locks");
		break;
	case -ENOENT:
		complain(name, 0, "no such lockspace: nobody has it open");
		break;
	case -EDQUOT:
		complain(name, error, "cannot make more lockspaces");
		break;
	default:
		complain(name, error, "cannot open lockspace");
	}
}

/*
 * Names are free to all: who made what is called like the user's own might
 * mean to keep the user waiting.
 */
static int check_owner(const char *name, struct sluice_lockspace *lockspace)
{
	struct sluice_lockspace_stat stat;
	int error = sluice_lockspace_stat(lockspace, &stat, sizeof(stat));

	if (error) {
		complain(name, error, "cannot look at the lockspace");
	} else if (stat.uid != geteuid() && stat.uid != 0) {
		complain(name, 0, "this lockspace is user %u's: name another with --lockspace",
			 stat.uid);
		error = -EPERM;
	}
	return error;
}

int open_own_lockspace(const char *name,
		       const struct sluice_lockspace_options *options,
		       struct sluice_lockspace **lockspace)
{
	char buf[DEFAULT_LOCKSPACE_SIZE];
	const char *wanted = name ? name : default_lockspace(buf);
	int error = sluice_lockspace_open(wanted, options, lockspace);

	if (error) {
		complain_lockspace(wanted, error);
		return error;
	}
	error = name ? 0 : check_owner(wanted, *lockspace);
	if (error)
		sluice_lockspace_close(*lockspace);
	return error;
}

/* Looking ------------------------------------------------------------------- */

/* Any right will do; but one is needed, and users may have only the other. */
static int open_any(const char *name, struct sluice_lockspace **lockspace)
{
	struct sluice_lockspace_options how = SLUICE_LOCKSPACE_OPTIONS_INIT;
	int error;

	how.access = SLUICE_READ;
	error = sluice_lockspace_open(name, &how, lockspace);
	if (error == -EACCES) {
		how.access = SLUICE_WRITE;
		error = sluice_lockspace_open(name, &how, lockspace);
	}
	return error;
}

static int look_at_one(const char *name,
		       int (*visit)(struct sluice_lockspace *lockspace,
				    const struct sluice_lockspace_stat *stat,
				    void *data), void *data)
{
	struct sluice_lockspace *lockspace;
	struct sluice_lockspace_stat stat;
	int error = open_any(name, &lockspace);

	if (error)
		return error;
	error = sluice_lockspace_stat(lockspace, &stat, sizeof(stat));
	if (!error)
		error = visit(lockspace, &stat, data);
	sluice_lockspace_close(lockspace);
	return error;
}

/* Names, as they were when they were listed. */
struct names {
	char (*name)[SLUICE_NAME_MAX + 1];
	size_t count;
};

static int collect_name(const struct sluice_lockspace_stat *stat, void *data)
{
	struct names *names = data;

	if (!(names->count & (names->count - 1))) {
		size_t room = names->count ? 2 * names->count : 1;
		void *more = reallocarray(names->name, room, sizeof(*names->name));

		if (!more)
			return -ENOMEM;
		names->name = more;
	}
	memcpy(names->name[names->count], stat->name, stat->name_len);
	names->name[names->count++][stat->name_len] = '\0';
	return 0;
}

static int look_at_all(int (*visit)(struct sluice_lockspace *lockspace,
				    const struct sluice_lockspace_stat *stat,
				    void *data), void *data)
{
	struct names names = { 0 };
	int error = sluice_lockspace_list(collect_name, &names);

	for (size_t i = 0; !error && i < names.count; i++) {
		error = look_at_one(names.name[i], visit, data);
		/* It went meanwhile, or its permissions are not ours. */
		if (error == -ENOENT || error == -EACCES)
			error = 0;
	}
	free(names.name);
	return error;
}

int look_at_lockspaces(const char *name,
		       int (*visit)(struct sluice_lockspace *lockspace,
				    const struct sluice_lockspace_stat *stat,
				    void *data), void *data)
{
	int error = name ? look_at_one(name, visit, data) :
			   look_at_all(visit, data);

	if (!error)
		return STATUS_OK;
	complain_lockspace(name, error);
	return STATUS_FAILURE;
}
