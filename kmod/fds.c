// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files on their way from a publisher to whoever receives the message.
 *
 * A file that can itself hold files could come to hold, directly or not, the
 * lane it travels in; nobody could then close either. Those that can are
 * sluice's own, unix sockets (SCM_RIGHTS) and io_uring instances (registered
 * files); unlike net/unix/garbage.c, which searches for cycles, all of them
 * are refused.
 *
 * A publisher that is gone leaves files in messages that are due. Whoever is
 * done with the last of these is somebody else, and does not close the files of
 * a stranger: that is deferred, lane by lane.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "channel.h"
#include "endpoint.h"
#include "fds.h"
#include "feed.h"
#include "quota.h"
#include "release.h"

static bool fds_is_unix_socket(struct file *file)
{
	struct socket *sock = sock_from_file(file);

	return sock && sock->sk && sock->sk->sk_family == AF_UNIX;
}

/*
 * io_is_uring_fops() is not exported to modules. The name is the kernel's, on
 * the anonymous inode; no other file can have it there.
 */
static bool fds_is_io_uring(struct file *file)
{
	return !S_ISREG(file_inode(file)->i_mode) &&
	       !S_ISSOCK(file_inode(file)->i_mode) &&
	       !strcmp(file->f_path.dentry->d_sb->s_type->name,
		       "anon_inodefs") &&
	       !strcmp(file->f_path.dentry->d_name.name, "[io_uring]");
}

static bool fds_may_loop(struct file *file)
{
	return sluice_is_channel(file) || sluice_is_endpoint(file) ||
	       sluice_is_feed(file) || fds_is_unix_socket(file) || fds_is_io_uring(file);
}

static void lane_forget(struct sluice_fds_lane *lane)
{
	xa_destroy(&lane->files);
	sluice_user_put(lane->user);
	kfree(lane);
}

static void lane_release(struct sluice_deferred *deferred)
{
	struct sluice_fds_lane *lane =
		container_of(deferred, struct sluice_fds_lane, deferred);
	unsigned long token;
	struct file *file;

	xa_for_each(&lane->files, token, file) {
		sluice_release(file);
		/* Not before: who has files that take long has no others. */
		sluice_uncharge(lane->user, SLUICE_RES_FDS, 1);
		cond_resched();
	}
	lane_forget(lane);
}

struct sluice_fds_lane *sluice_fds_new(struct sluice_user *user)
{
	struct sluice_fds_lane *lane;

	lane = kzalloc(sizeof(*lane), GFP_KERNEL_ACCOUNT);
	if (!lane)
		return NULL;
	xa_init_flags(&lane->files, XA_FLAGS_ACCOUNT);
	lane->user = sluice_user_hold(user);
	sluice_defer_init(&lane->deferred, lane->user, lane_release);
	return lane;
}

static void lane_put_files(struct sluice_fds_lane *lane)
{
	unsigned long token;
	struct file *file;

	xa_for_each(&lane->files, token, file) {
		fput(file);
		cond_resched();
	}
	sluice_uncharge(lane->user, SLUICE_RES_FDS, lane->count);
}

void sluice_fds_free(struct sluice_fds_lane *lane, bool own)
{
	if (!lane)
		return;
	if (lane->count && !own) {
		sluice_defer(&lane->deferred);
		return;
	}
	lane_put_files(lane);
	lane_forget(lane);
}

static int fds_attach_one(struct sluice_fds_lane *lane, s32 fd)
{
	struct file *file = fget(fd);
	int ret;

	if (!file)
		return -EBADF;
	if (fds_may_loop(file))
		ret = -ELOOP;
	else
		ret = xa_err(xa_store(&lane->files, lane->last + 1, file,
				      GFP_KERNEL_ACCOUNT));
	if (ret) {
		fput(file);
		return ret;
	}
	lane->last++;
	return 0;
}

int sluice_fds_attach(struct sluice_fds_lane *lane, const s32 *fds, u32 count,
		      u64 *token)
{
	u64 first = lane->last + 1;
	u32 i;
	int ret;

	ret = sluice_charge(lane->user, SLUICE_RES_FDS, count);
	if (ret)
		return ret;
	for (i = 0; i < count; i++) {
		ret = fds_attach_one(lane, fds[i]);
		if (ret)
			break;
	}
	WRITE_ONCE(lane->count, lane->count + i);
	if (ret) {
		sluice_uncharge(lane->user, SLUICE_RES_FDS, count - i);
		sluice_fds_release(lane, first, i);
		return ret;
	}
	*token = first;
	return 0;
}

u32 sluice_fds_release(struct sluice_fds_lane *lane, u64 token, u32 count)
{
	struct file *file;
	u32 i, released = 0;

	for (i = 0; i < count; i++) {
		file = xa_erase(&lane->files, token + i);
		if (!file)
			continue;
		fput(file);
		released++;
	}
	WRITE_ONCE(lane->count, lane->count - released);
	sluice_uncharge(lane->user, SLUICE_RES_FDS, released);
	return released;
}

struct file *sluice_fds_get(struct sluice_fds_lane *lane, u64 token)
{
	struct file *file;

	/* A file that was erased may be freed: hold off erasure meanwhile. */
	xa_lock(&lane->files);
	file = xa_load(&lane->files, token);
	if (file)
		get_file(file);
	xa_unlock(&lane->files);
	return file;
}
