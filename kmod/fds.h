/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_FDS_H
#define SLUICE_FDS_H

#include <linux/types.h>
#include <linux/xarray.h>

#include "deferred.h"

struct file;
struct sluice_user;

/**
 * struct sluice_fds_lane - files a publisher sends along with its messages
 * @files: by token
 * @last: token given out last
 * @count: files held
 * @user: charged for them
 * @deferred: lets go of all, when the publisher is gone
 */
struct sluice_fds_lane {
	struct xarray files;
	u64 last;
	u32 count;
	struct sluice_user *user;
	struct sluice_deferred deferred;
};

/* Return: a lane, or NULL: -ENOMEM. */
struct sluice_fds_lane *sluice_fds_new(struct sluice_user *user);

/**
 * sluice_fds_free - be done with a lane
 * @lane: may be NULL
 * @own: the caller is the publisher's process, which closes its files itself;
 *	for another they are closed soon afterwards, and uncharged then
 */
void sluice_fds_free(struct sluice_fds_lane *lane, bool own);

/**
 * sluice_fds_attach - hold files for a message
 * @lane: the publisher's
 * @fds: of the caller
 * @count: how many
 * @token: out: the first one's
 *
 * Attach and release of one lane are the caller's to serialise.
 *
 * Return: 0, or an error and nothing is held: -EBADF, -ELOOP, -ETOOMANYREFS,
 * -ENOMEM.
 */
int sluice_fds_attach(struct sluice_fds_lane *lane, const s32 *fds, u32 count,
		      u64 *token);

/* Return: how many of @count tokens from @token on were held, and are no more. */
u32 sluice_fds_release(struct sluice_fds_lane *lane, u64 token, u32 count);

/* Return: the file with a reference, or NULL. */
struct file *sluice_fds_get(struct sluice_fds_lane *lane, u64 token);

#endif
