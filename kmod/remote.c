// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks of a file server, which may take minutes to answer, or forget them.
 *
 * Of each file a work of its own asks the server, one thing after the other and
 * with nothing locked. Whoever waits for it may leave: LOCK at its deadline, and
 * what it gets later is given back, as the work then has the server follow what
 * the holder has.
 *
 * A server that has not heard of its client for a lease's time, or could not be
 * told of its locks after it started anew, gives them to others. The client
 * finds out when it next speaks to the server, and tells nobody: it goes on
 * answering from its own list, and only what is read and written through the
 * file that the lock was taken with fails, with EIO. So the work asks for
 * something through that file which the client cannot know by itself: data
 * beyond its end (NFSv4.2), or a byte of it past all caches (NFSv4.0, 4.1). Of
 * NFSv3, whose protocol is another for locks, nothing is told.
 *
 * What was had with a lost lock is revoked, and the file closed: the client
 * never forgets that the locks of this open file were lost.
 *
 * The client looks at current_cred() here and there, and finds the locks of an
 * open file only if current->files has none on it. Both are as they must be in
 * the work, and may not be in the caller.
 *
 * Locks: holder->backing_lock, with nothing of the file system's inside of it.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/nfs_fs.h>
#include <linux/path.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "backing.h"
#include "compat.h"
#include "holder.h"
#include "lockspace.h"
#include "remote.h"
#include "request.h"
#include "tunables.h"

/* In @state: the job that is being done. */
#define DOING(job)	((job) << 16)

/**
 * struct sluice_remote - the locks of one file; holder->backing_lock
 * @ref: of the work, and of those who wait for it
 * @holder: whose; reference
 * @backing: has them; NULL at the end
 * @path: of the file; reference
 * @cred: of who opened it, reference
 * @flags: it was opened with
 * @work: does what there is to do
 * @state: SLUICE_REMOTE_* to do, and DOING() one; read without the lock
 * @done: whoever waits for a change of @state
 * @lock: of a TRY
 * @result: likewise
 * @locked: there may be a lock; the work's
 * @lost: it was found that locks were lost; to be told
 * @told: it was, and the file is of no use
 * @checked: jiffies
 */
struct sluice_remote {
	struct kref ref;
	struct sluice_holder *holder;
	struct sluice_backing *backing;
	struct path path;
	const struct cred *cred;
	int flags;
	struct delayed_work work;
	u32 state;
	wait_queue_head_t done;
	struct sluice_kernel_lock lock;
	int result;
	bool locked;
	bool lost;
	bool told;
	unsigned long checked;
};

/* Apart from others: as many as servers do not answer may sleep in here. */
static struct workqueue_struct *remotes;

int sluice_remotes_init(void)
{
	remotes = alloc_workqueue("sluice_remote", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return remotes ? 0 : -ENOMEM;
}

void sluice_remotes_exit(void)
{
	destroy_workqueue(remotes);
}

bool sluice_remote_serves(const struct file *file)
{
	return file_inode(file)->i_sb->s_magic == NFS_SUPER_MAGIC &&
		file->f_op->lock;
}

/*
 * Asking.
 */
static bool server_seeks(struct inode *inode)
{
#ifdef NFS_CAP_SEEK
	return NFS_SERVER(inode)->caps & NFS_CAP_SEEK;
#else
	return false;
#endif
}

static ssize_t read_uncached(struct file *file)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct iov_iter iter;
	struct kiocb kiocb;
	struct bio_vec bvec;
	ssize_t ret;

	if (!page)
		return -ENOMEM;
	bvec_set_page(&bvec, page, 1, 0);
	iov_iter_bvec(&iter, ITER_DEST, &bvec, 1, 1);
	init_sync_kiocb(&kiocb, file);
	kiocb.ki_flags |= IOCB_DIRECT;
	kiocb.ki_pos = 0;
	ret = file->f_op->read_iter(&kiocb, &iter);
	put_page(page);
	return ret;
}

/* The server lets those read who have a lock, or tells what became of it. */
static bool file_lost(struct file *file)
{
	struct inode *inode = file_inode(file);
	loff_t ret = 0;

	if (!(file->f_mode & FMODE_READ) || NFS_PROTO(inode)->version < 4)
		return false;
	if (server_seeks(inode))
		ret = vfs_llseek(file, OFFSET_MAX, SEEK_DATA);
	/* A server that cannot seek is found out by asking it to. */
	if (!server_seeks(inode) && S_ISREG(inode->i_mode))
		ret = read_uncached(file);
	return ret == -EIO || ret == -ESTALE || ret == -EBADF;
}

/*
 * The work.
 */
static unsigned long check_interval(void)
{
	return sluice_file_check() * HZ;
}

static bool check_due(const struct sluice_remote *remote)
{
	unsigned long interval = check_interval();

	return interval && remote->locked &&
		time_after_eq(jiffies, remote->checked + interval);
}

static void file_close(struct sluice_remote *remote)
{
	struct sluice_backing *backing = remote->backing;

	/* Not by fput(): it would be closed by a work that all share. */
	if (backing->file)
		__fput_sync(backing->file);
	backing->file = NULL;
	backing->flags = 0;
	WRITE_ONCE(backing->flock, F_UNLCK);
	remote->locked = false;
}

static bool job_check(struct sluice_remote *remote)
{
	bool lost = remote->locked && check_interval() &&
		file_lost(remote->backing->file);

	remote->checked = jiffies;
	return lost;
}

/* Return: 0, or why not; -ESTALE if what there was before was @lost. */
static int job_try(struct sluice_remote *remote, bool *lost)
{
	struct sluice_backing *backing = remote->backing;
	struct file *file = backing->file;
	int ret;

	if (!file)
		file = sluice_backing_open(&remote->path, remote->flags,
					   remote->cred);
	if (IS_ERR(file))
		return PTR_ERR(file);
	backing->file = file;
	ret = sluice_backing_lock(backing, &remote->lock);
	/*
	 * After a loss the client asks for what it has no more as if it were
	 * new, and may even get it.
	 */
	*lost = job_check(remote);
	if (*lost)
		return -ESTALE;
	if (!ret)
		remote->locked = true;
	return ret;
}

static void job_end(struct sluice_remote *remote)
{
	file_close(remote);
	path_put(&remote->path);
	sluice_lockspace_put(remote->backing->space);
}

/* What is there to do? It is being done as soon as this returns. */
static u32 remote_next(struct sluice_remote *remote)
{
	struct sluice_backing *backing = remote->backing;
	u32 todo = remote->state & (DOING(1) - 1), job;

	if (check_due(remote))
		todo |= SLUICE_REMOTE_CHECK;
	if (remote->told)
		job = SLUICE_REMOTE_CLOSE;
	else if (backing->trying)
		job = todo & SLUICE_REMOTE_TRY;
	else
		job = todo & -todo;
	if (!job && !backing->trying && !sluice_backing_needed(backing)) {
		job = SLUICE_REMOTE_END;
		backing->ending = true;
	}
	WRITE_ONCE(remote->state, (todo & ~job) | DOING(job));
	wake_up_all(&remote->done);
	return job;
}

/* No lock is being tried: what was found is told, and grants are followed. */
static void remote_catch_up(struct sluice_remote *remote)
{
	struct sluice_backing *backing = remote->backing;

	if (remote->lost) {
		sluice_backing_lose(backing);
		remote->lost = false;
		remote->told = true;
	}
	if (backing->behind)
		WRITE_ONCE(remote->state,
			   remote->state | SLUICE_REMOTE_FOLLOW);
}

static void remote_did(struct sluice_remote *remote, u32 job, int result,
		       bool lost)
{
	if (job == SLUICE_REMOTE_TRY)
		remote->result = result;
	if (job == SLUICE_REMOTE_CLOSE)
		remote->told = false;
	remote->lost |= lost;
	if (!remote->backing->trying)
		remote_catch_up(remote);
}

static void remote_do(struct sluice_remote *remote, u32 job)
{
	struct sluice_backing *backing = remote->backing;
	struct mutex *lock = &remote->holder->backing_lock;
	u64 start = backing->behind_start, last = backing->behind_last;
	bool lost = false;
	int result = 0;

	if (job == SLUICE_REMOTE_FOLLOW)
		backing->behind = false;
	mutex_unlock(lock);
	if (job == SLUICE_REMOTE_TRY)
		result = job_try(remote, &lost);
	else if (job == SLUICE_REMOTE_FOLLOW && backing->file)
		sluice_backing_follow(backing, start, last);
	else if (job == SLUICE_REMOTE_CHECK)
		lost = job_check(remote);
	else if (job == SLUICE_REMOTE_CLOSE)
		file_close(remote);
	else if (job == SLUICE_REMOTE_END)
		job_end(remote);
	mutex_lock(lock);
	if (job != SLUICE_REMOTE_END)
		remote_did(remote, job, result, lost);
}

/* Nobody finds it any more. */
static void remote_end(struct sluice_remote *remote)
{
	list_del(&remote->backing->link);
	kfree(remote->backing);
	remote->backing = NULL;
	/* Whoever asked for this work did so before it was ending. */
	cancel_delayed_work(&remote->work);
	WRITE_ONCE(remote->state, 0);
	wake_up_all(&remote->done);
}

static void remote_rest(struct sluice_remote *remote)
{
	unsigned long interval = check_interval();
	long left = remote->checked + interval - jiffies;

	/* While a lock is tried, there will be more to do. */
	if (interval && remote->locked && !remote->backing->trying)
		queue_delayed_work(remotes, &remote->work, max(left, 1L));
}

static void remote_work(struct work_struct *work)
{
	struct sluice_remote *remote =
		container_of(to_delayed_work(work), struct sluice_remote, work);
	struct mutex *lock = &remote->holder->backing_lock;
	const struct cred *old = override_creds(remote->cred);
	u32 job;

	mutex_lock(lock);
	do {
		job = remote_next(remote);
		if (job)
			remote_do(remote, job);
	} while (job && job != SLUICE_REMOTE_END);
	if (job)
		remote_end(remote);
	else
		remote_rest(remote);
	mutex_unlock(lock);
	revert_creds(old);
	if (job)
		sluice_remote_put(remote);
}

/*
 * Coming and going. A work that waits for a server keeps the module.
 */
struct sluice_remote *sluice_remote_new(struct sluice_backing *backing,
					struct file *file)
{
	struct sluice_remote *remote;

	remote = kzalloc(sizeof(*remote), GFP_KERNEL_ACCOUNT);
	if (!remote)
		return ERR_PTR(-ENOMEM);
	__module_get(THIS_MODULE);
	kref_init(&remote->ref);
	remote->holder = sluice_holder_get(backing->holder);
	remote->backing = backing;
	remote->path = file->f_path;
	path_get(&remote->path);
	remote->cred = get_cred(file->f_cred);
	remote->flags = file->f_flags;
	INIT_DELAYED_WORK(&remote->work, remote_work);
	init_waitqueue_head(&remote->done);
	return remote;
}

static void remote_free(struct kref *ref)
{
	struct sluice_remote *remote =
		container_of(ref, struct sluice_remote, ref);

	put_cred(remote->cred);
	sluice_holder_put(remote->holder);
	kfree(remote);
	module_put(THIS_MODULE);
}

struct sluice_remote *sluice_remote_get(struct sluice_remote *remote)
{
	kref_get(&remote->ref);
	return remote;
}

void sluice_remote_put(struct sluice_remote *remote)
{
	kref_put(&remote->ref, remote_free);
}

/*
 * Those who want something.
 */
static void remote_ask(struct sluice_remote *remote, u32 jobs)
{
	lockdep_assert_held(&remote->holder->backing_lock);
	WRITE_ONCE(remote->state, remote->state | jobs);
	mod_delayed_work(remotes, &remote->work, 0);
}

void sluice_remote_settle(struct sluice_remote *remote)
{
	if (remote->backing->ending)
		return;
	remote_catch_up(remote);
	remote_ask(remote, 0);
}

void sluice_remote_check(struct sluice_remote *remote)
{
	remote_ask(remote, SLUICE_REMOTE_CHECK);
}

bool sluice_remote_busy(const struct sluice_remote *remote, u32 jobs)
{
	return READ_ONCE(remote->state) & (jobs | DOING(jobs));
}

bool sluice_remote_wait(struct sluice_remote *remote, u32 jobs, s64 deadline)
{
	ktime_t left;

	if (deadline == SLUICE_NO_DEADLINE)
		return wait_event_interruptible(remote->done,
						!sluice_remote_busy(remote, jobs));
	left = sluice_time_left(deadline);
	return left <= 0 ||
		wait_event_interruptible_hrtimeout(remote->done,
						   !sluice_remote_busy(remote, jobs),
						   left);
}

/* As long as LOCK may wait. */
static int tried_wait(struct sluice_remote *remote, s64 deadline)
{
	int why = 0;

	while (sluice_remote_busy(remote, SLUICE_REMOTE_TRY) &&
	       !sluice_wait_over(remote->holder, deadline, &why))
		wait_event_interruptible_hrtimeout(
			remote->done,
			!sluice_remote_busy(remote, SLUICE_REMOTE_TRY),
			clamp_t(s64, sluice_time_left(deadline), 1,
				SLUICE_WAIT_SLICE));
	return why;
}

int sluice_remote_try(struct sluice_want *want,
		      const struct sluice_kernel_lock *lock, s64 deadline)
{
	struct sluice_remote *remote = want->backing->remote;
	struct mutex *backing_lock = &remote->holder->backing_lock;
	/* What was asked for last time, by who had no time, comes first. */
	int ret = tried_wait(remote, deadline);

	if (ret)
		return ret;
	mutex_lock(backing_lock);
	remote->backing->trying = true;
	/* While it waited for a stranger, what it had in hand was taken back. */
	if (remote->backing->losses != want->losses) {
		mutex_unlock(backing_lock);
		return -ESTALE;
	}
	remote->lock = *lock;
	remote_ask(remote, SLUICE_REMOTE_TRY);
	mutex_unlock(backing_lock);
	ret = tried_wait(remote, deadline);
	mutex_lock(backing_lock);
	if (!ret)
		ret = remote->result;
	else
		WRITE_ONCE(remote->state, remote->state & ~SLUICE_REMOTE_TRY);
	mutex_unlock(backing_lock);
	return ret;
}
