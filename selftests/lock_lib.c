// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks as programs use them: through libsluice. What the module grants to
 * whom is tested elsewhere; here is what the library adds, and that it and the
 * module agree.
 */
#include "util.h"

#include <pthread.h>
#include <sluice/sluice.h>

static struct sluice_lockspace *space_new(void)
{
	struct sluice_lockspace *space;

	must(sluice_lockspace_open_anonymous(NULL, &space));
	return space;
}

static struct sluice_holder *holder_new(void)
{
	struct sluice_holder *holder;

	must(sluice_holder_open(NULL, &holder));
	return holder;
}

/* One item, no waiting. */
static int try_one(struct sluice_holder *holder, struct sluice_item item)
{
	struct sluice_lock_options options = SLUICE_LOCK_OPTIONS_INIT;

	options.deadline = 0;
	return sluice_holder_lock(holder, &item, 1, sizeof(item), &options,
				  NULL);
}

static int try_name(struct sluice_holder *holder,
		    struct sluice_lockspace *space, const char *name,
		    enum sluice_mode mode)
{
	return try_one(holder, sluice_item_name(space, name, mode));
}

static struct sluice_lockspace_stat space_stat(struct sluice_lockspace *space)
{
	struct sluice_lockspace_stat stat;

	must(sluice_lockspace_stat(space, &stat, sizeof(stat)));
	return stat;
}

/* Whether so many items wait, within PATIENCE_MS. */
static bool waiting(struct sluice_lockspace *space, unsigned int count)
{
	return until(space_stat(space).waiting == count);
}

/* A thread that does one thing and says how it went. */

struct job {
	pthread_t thread;
	int (*work)(struct job *job);
	struct sluice_lockspace *space;
	struct sluice_holder *holder;
	const char *name;
	enum sluice_mode mode;
	__s64 deadline;
	int ret;
};

static void *job_run(void *data)
{
	struct job *job = data;

	job->ret = job->work(job);
	return NULL;
}

static void job_start(struct job *job)
{
	check(!pthread_create(&job->thread, NULL, job_run, job));
}

static int job_end(struct job *job)
{
	check(!pthread_join(job->thread, NULL));
	return job->ret;
}

static int job_do(struct job *job)
{
	job_start(job);
	return job_end(job);
}

static int lock_and_unlock(struct job *job)
{
	int ret = sluice_lock(job->space, job->name, job->mode, job->deadline);

	if (ret >= 0)
		must(sluice_unlock(job->space, job->name));
	return ret;
}

static int lock_and_end(struct job *job)
{
	return sluice_lock(job->space, job->name, job->mode, job->deadline);
}

/* What another thread gets that wants this at once. */
static int other_gets(struct sluice_lockspace *space, const char *name,
		      enum sluice_mode mode)
{
	struct job job = {
		.work = lock_and_unlock,
		.space = space,
		.name = name,
		.mode = mode,
	};

	return job_do(&job);
}

/* Lockspaces: open, list, stat, pass, restrict, close. */

static int find_name(const struct sluice_lockspace_stat *stat, void *data)
{
	return stat->name_len == strlen(data) &&
		!memcmp(stat->name, data, stat->name_len);
}

TEST(lockspaces)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *space, *other;
	struct sluice_lockspace_stat stat;
	char *name = "lock_lib";

	EXPECT_EQ(-ENOENT, sluice_lockspace_open(name, NULL, &space));
	options.flags = SLUICE_OPEN_CREATE;
	options.config.victim = SLUICE_VICTIM_YOUNGEST;
	ASSERT_EQ(0, sluice_lockspace_open(name, &options, &space));
	EXPECT_TRUE(sluice_lockspace_created(space));
	EXPECT_EQ(1, sluice_lockspace_list(find_name, name));
	EXPECT_EQ(0, sluice_lockspace_list(find_name, "no such one"));
	ASSERT_EQ(0, sluice_lockspace_open(name, NULL, &other));
	EXPECT_FALSE(sluice_lockspace_created(other));
	EXPECT_EQ(SLUICE_VICTIM_YOUNGEST,
		  sluice_lockspace_config(other)->victim);
	memset(&stat, 0xff, sizeof(stat));
	EXPECT_EQ(0, sluice_lockspace_stat(other, &stat, sizeof(stat)));
	EXPECT_EQ(strlen(name), stat.name_len);
	EXPECT_EQ(0, stat.grants);
	EXPECT_EQ(0, sluice_lockspace_stat(other, &stat, 8));
	sluice_lockspace_close(other);
	options.flags |= SLUICE_OPEN_EXCL;
	EXPECT_EQ(-EEXIST, sluice_lockspace_open(name, &options, &other));
	sluice_lockspace_close(space);
	EXPECT_EQ(-ENOENT, sluice_lockspace_open(name, NULL, &space));
}

TEST(restricted_and_passed)
{
	struct sluice_lockspace *space = space_new(), *reader;
	struct sluice_holder *holder = holder_new();
	int pair[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = sluice_lockspace_restrict(space, SLUICE_READ);
	ASSERT_LE(0, fd);
	send_fd(pair[0], fd);
	close(fd);
	fd = recv_fd(pair[1]);
	ASSERT_EQ(0, fcntl(fd, F_SETFD, 0));
	ASSERT_EQ(0, sluice_lockspace_from_fd(fd, &reader));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(-EACCES, sluice_lockspace_restrict(reader, SLUICE_WRITE));
	EXPECT_EQ(0, try_name(holder, reader, "a", SLUICE_PR));
	EXPECT_EQ(-EACCES, try_name(holder, reader, "a", SLUICE_EX));
	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	EXPECT_EQ(-ENOTTY, sluice_lockspace_from_fd(sluice_holder_fd(holder),
						    &reader));
	EXPECT_EQ(-ENOTTY, sluice_lockspace_from_fd(pair[0], &reader));
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

TEST(not_a_channel)
{
	struct sluice_lockspace *space = space_new(), *none;
	struct sluice_channel *channel, *other;

	ASSERT_EQ(0, sluice_channel_open_anonymous(NULL, &channel));
	EXPECT_EQ(-ENOTTY, sluice_channel_from_fd(sluice_lockspace_fd(space),
						  &other));
	EXPECT_EQ(-ENOTTY, sluice_lockspace_from_fd(sluice_channel_fd(channel),
						    &none));
	sluice_channel_close(channel);
	sluice_lockspace_close(space);
}

/* One call each. */

TEST(threads_keep_each_other_out)
{
	struct sluice_lockspace *space = space_new();
	__s64 before;

	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, sluice_lock(space, "a", SLUICE_EX, SLUICE_NO_DEADLINE));
	EXPECT_EQ(0, sluice_lock(space, "a", SLUICE_EX, SLUICE_NO_DEADLINE));
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_PR));
	EXPECT_EQ(0, other_gets(space, "b", SLUICE_EX));
	EXPECT_EQ(0, sluice_lock(space, "a", SLUICE_PR, 0));
	EXPECT_EQ(0, other_gets(space, "a", SLUICE_PR));
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_EX));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, other_gets(space, "a", SLUICE_EX));
	EXPECT_EQ(-EINVAL, sluice_trylock(space, "", SLUICE_EX));
	EXPECT_EQ(-EINVAL, sluice_trylock(space, "a", 99));
	EXPECT_EQ(0, space_stat(space).grants);
	EXPECT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	struct job job = {
		.work = lock_and_unlock, .space = space, .name = "a",
		.mode = SLUICE_EX, .deadline = in_ms(100),
	};
	before = now_ns();
	EXPECT_EQ(-ETIMEDOUT, job_do(&job));
	EXPECT_LE(90 * NSEC_PER_MSEC, now_ns() - before);
	job.deadline = in_ms(PATIENCE_MS);
	job_start(&job);
	EXPECT_TRUE(waiting(space, 1));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, job_end(&job));
	sluice_lockspace_close(space);
}

static int file_gets(struct job *job)
{
	int fd = open(job->name, O_RDWR | O_CLOEXEC), ret;

	check(fd >= 0);
	ret = sluice_file_trylock(job->space, fd, job->mode);
	if (ret >= 0)
		must(sluice_file_unlock(job->space, fd));
	close(fd);
	return ret;
}

TEST(files)
{
	struct sluice_lockspace *space = space_new();
	struct job job = {
		.work = file_gets, .space = space, .name = "/tmp/lock_lib.link",
		.mode = SLUICE_EX,
	};
	int fd = open("/tmp/lock_lib.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int again = open("/tmp/lock_lib.file", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, again);
	unlink(job.name);
	ASSERT_EQ(0, link("/tmp/lock_lib.file", job.name));
	EXPECT_EQ(-EBADF, sluice_file_trylock(space, again, SLUICE_EX));
	EXPECT_EQ(-EBADF, sluice_file_trylock(space, -1, SLUICE_EX));
	EXPECT_EQ(0, sluice_file_lock(space, fd, SLUICE_EX, in_ms(100)));
	close(fd);
	EXPECT_EQ(-EAGAIN, job_do(&job));
	EXPECT_EQ(-EPERM, sluice_consistent(space, "other"));
	EXPECT_EQ(0, sluice_file_consistent(space, again));
	EXPECT_EQ(0, sluice_file_lock(space, again, SLUICE_PR, 0));
	job.mode = SLUICE_PR;
	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(0, sluice_file_unlock(space, again));
	job.mode = SLUICE_EX;
	EXPECT_EQ(0, job_do(&job));
	close(again);
	unlink(job.name);
	unlink("/tmp/lock_lib.file");
	sluice_lockspace_close(space);
}

/* The very items that were taken may be handed to every other call. */
TEST(with_the_kernels_own_locks)
{
	struct flock strangers = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new();
	int fd = open("/tmp/lock_lib.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct sluice_item item;

	ASSERT_LE(0, fd);
	item = sluice_item_lease(sluice_item_fcntl(sluice_item_file(space, fd,
						   SLUICE_EX)), NSEC_PER_SEC);
	EXPECT_EQ(0, fcntl(fd, F_OFD_SETLK, &strangers));
	EXPECT_EQ(-EAGAIN, try_one(holder, item));
	strangers.l_type = F_UNLCK;
	EXPECT_EQ(0, fcntl(fd, F_OFD_SETLK, &strangers));
	strangers.l_type = F_WRLCK;
	EXPECT_EQ(0, try_one(holder, item));
	EXPECT_EQ(-1, fcntl(fd, F_OFD_SETLK, &strangers));
	item.lease = 0;
	EXPECT_EQ(0, sluice_holder_renew(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(0, sluice_holder_recover(holder, &item, 1, sizeof(item),
					   SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, sluice_holder_downgrade(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(-1, fcntl(fd, F_OFD_SETLK, &strangers));
	EXPECT_EQ(0, sluice_holder_unlock(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(0, fcntl(fd, F_OFD_SETLK, &strangers));
	close(fd);
	unlink("/tmp/lock_lib.file");
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

/* Owners that die, and those that do not. */

TEST(a_thread_that_ends_has_died)
{
	struct sluice_lockspace *space = space_new();
	struct job job = {
		.work = lock_and_end, .space = space, .name = "a",
		.mode = SLUICE_EX,
	};

	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_lock(space, "a", SLUICE_PR,
						 in_ms(PATIENCE_MS)));
	EXPECT_EQ(-EPERM, sluice_consistent(space, "a"));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_trylock(space, "a", SLUICE_EX));
	EXPECT_EQ(0, sluice_consistent(space, "a"));
	EXPECT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	job.mode = SLUICE_PR;
	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(0, sluice_lock(space, "a", SLUICE_EX, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(1, space_stat(space).died);
	sluice_lockspace_close(space);
}

static int close_own(struct job *job)
{
	struct sluice_holder *own;

	must(sluice_trylock(job->space, job->name, SLUICE_EX));
	must(sluice_thread_holder(&own));
	sluice_holder_close(own);
	return try_name(own, job->space, "another", SLUICE_PR);
}

TEST(a_clean_end_is_no_death)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *next = holder_new();
	struct job job = { .work = close_own, .space = space, .name = "b" };

	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	EXPECT_EQ(-EAGAIN, try_name(next, space, "a", SLUICE_EX));
	sluice_holder_close(holder);
	EXPECT_EQ(0, try_name(next, space, "a", SLUICE_EX));
	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(0, try_name(next, space, "b", SLUICE_EX));
	sluice_holder_close(next);
	EXPECT_EQ(0, space_stat(space).died);
	EXPECT_EQ(0, space_stat(space).grants);
	sluice_lockspace_close(space);
}

TEST(a_process_that_ends_has_died)
{
	struct sluice_lockspace *space = space_new();
	struct step step = step_make();
	pid_t pid = child();

	if (!pid) {
		must(sluice_lock(space, "a", SLUICE_EX, SLUICE_NO_DEADLINE));
		must(sluice_lock(space, "b", SLUICE_PR, SLUICE_NO_DEADLINE));
		step_say(&step);
		pause();
	}
	step_hear(&step);
	EXPECT_EQ(-EAGAIN, sluice_trylock(space, "a", SLUICE_EX));
	kill_and_reap(pid);
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_lock(space, "a", SLUICE_EX,
						 in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, sluice_lock(space, "b", SLUICE_EX, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, sluice_unlock(space, "b"));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	pid = child();
	if (!pid) {
		/* By exit(), too, and the mark is still there. */
		check(sluice_trylock(space, "a", SLUICE_EX) ==
		      SLUICE_OWNER_DIED);
		must(sluice_trylock(space, "b", SLUICE_CW));
		exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_lock(space, "b", SLUICE_PR,
						 in_ms(PATIENCE_MS)));
	sluice_lockspace_close(space);
}

TEST(unrecoverable)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *other = holder_new();
	struct sluice_item item = sluice_item_name(space, "a", SLUICE_EX);

	EXPECT_EQ(-EPERM, sluice_holder_recover(holder, &item, 1, sizeof(item),
						SLUICE_RECOVER_LOST));
	EXPECT_EQ(0, try_one(holder, item));
	EXPECT_EQ(0, sluice_holder_recover(holder, &item, 1, sizeof(item),
					   SLUICE_RECOVER_LOST));
	EXPECT_EQ(0, sluice_holder_unlock(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(-ENOTRECOVERABLE, try_one(other, item));
	item = sluice_item_repair(item);
	EXPECT_LT(0, try_one(other, item) & SLUICE_UNRECOVERABLE);
	EXPECT_EQ(0, sluice_holder_recover(other, &item, 1, sizeof(item),
					   SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(0, sluice_holder_unlock(other, &item, 1, sizeof(item)));
	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	sluice_holder_close(holder);
	sluice_holder_close(other);
	sluice_lockspace_close(space);
}

/* Trusted lockspaces. */

static struct sluice_lockspace *trusted_new(uint32_t words)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *space;

	options.config.flags = SLUICE_LOCKSPACE_TRUSTED;
	options.config.words = words;
	must(sluice_lockspace_open_anonymous(&options, &space));
	must(sluice_lockspace_trust(space));
	return space;
}

static int lock_often(struct job *job)
{
	int i;

	for (i = 0; i < 1000; i++) {
		must(sluice_lock(job->space, job->name, job->mode,
				 job->deadline));
		must(sluice_lock(job->space, job->name, job->mode,
				 job->deadline));
		must(sluice_unlock(job->space, job->name));
	}
	return 0;
}

TEST(only_what_was_made_so_is_trusted)
{
	struct sluice_lockspace *space = space_new();

	EXPECT_EQ(-EOPNOTSUPP, sluice_lockspace_trust(space));
	sluice_lockspace_close(space);
	space = trusted_new(0);
	EXPECT_EQ(0, sluice_lockspace_trust(space));
	EXPECT_EQ(SLUICE_WORDS_DEFAULT, sluice_lockspace_config(space)->words);
	sluice_lockspace_close(space);
}

/* The statistics are the kernel's: what it is not asked it does not count. */
TEST(trusted_without_the_kernel)
{
	struct sluice_lockspace *space = trusted_new(0);
	struct job job = {
		.work = lock_often, .space = space, .name = "a",
		.mode = SLUICE_EX, .deadline = SLUICE_NO_DEADLINE,
	};

	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(0, space_stat(space).granted);
	job.mode = SLUICE_PW;
	EXPECT_EQ(0, job_do(&job));
	EXPECT_EQ(2000, space_stat(space).granted);
	EXPECT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	EXPECT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	EXPECT_EQ(2000, space_stat(space).granted);
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_EX));
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_CR));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, other_gets(space, "a", SLUICE_CR));
	EXPECT_EQ(0, space_stat(space).grants);
	sluice_lockspace_close(space);
}

TEST(trusted_beyond_its_words)
{
	struct sluice_lockspace *space = trusted_new(2);
	char name[] = "0", longest[SLUICE_KEY_MAX + 2];
	int round;

	for (round = 0; round < 3; round++) {
		for (name[0] = '0'; name[0] < '6'; name[0]++) {
			EXPECT_EQ(0, sluice_trylock(space, name, SLUICE_EX));
			EXPECT_EQ(-EAGAIN, other_gets(space, name, SLUICE_EX));
			EXPECT_EQ(0, sluice_unlock(space, name));
			EXPECT_EQ(0, other_gets(space, name, SLUICE_EX));
		}
	}
	EXPECT_EQ(2, space_stat(space).resources);
	memset(longest, 'x', sizeof(longest));
	longest[SLUICE_KEY_MAX + 1] = 0;
	EXPECT_EQ(-EINVAL, sluice_trylock(space, longest, SLUICE_EX));
	EXPECT_EQ(-EINVAL, sluice_trylock(space, "", SLUICE_EX));
	longest[SLUICE_KEY_MAX] = 0;
	EXPECT_EQ(0, sluice_trylock(space, longest, SLUICE_EX));
	EXPECT_EQ(-EAGAIN, other_gets(space, longest, SLUICE_PR));
	sluice_lockspace_close(space);
}

/* A thread that ends, and one that goes on in many lockspaces. */
TEST(trusted_thread_ends)
{
	struct sluice_lockspace *space[8];
	struct job job = {
		.work = lock_and_end, .name = "a", .mode = SLUICE_EX,
	};
	int i, round;

	for (i = 0; i < ARRAY(space); i++) {
		job.space = space[i] = trusted_new(4);
		EXPECT_EQ(0, job_do(&job));
		EXPECT_EQ(SLUICE_OWNER_DIED,
			  sluice_lock(space[i], "a", SLUICE_EX,
				      in_ms(PATIENCE_MS)));
		EXPECT_EQ(0, sluice_consistent(space[i], "a"));
		EXPECT_EQ(0, sluice_unlock(space[i], "a"));
	}
	for (round = 0; round < 3; round++)
		for (i = 0; i < ARRAY(space); i++)
			EXPECT_EQ(0, sluice_trylock(space[i], round & 1 ? "b" :
						    "a", SLUICE_EX));
	for (i = 0; i < ARRAY(space); i++) {
		EXPECT_EQ(1, space_stat(space[i]).granted);
		sluice_lockspace_close(space[i]);
	}
}

/* Words of a lockspace that was closed are not taken for those of another. */
TEST(trusted_one_after_the_other)
{
	struct sluice_lockspace *space;
	int i;

	for (i = 0; i < 20; i++) {
		space = trusted_new(1);
		ASSERT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
		ASSERT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_EX));
		if (i & 1)
			ASSERT_EQ(0, sluice_unlock(space, "a"));
		sluice_lockspace_close(space);
	}
}

TEST(trusted_child)
{
	struct sluice_lockspace *space = trusted_new(0);
	pid_t pid;

	ASSERT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	pid = child();
	if (!pid) {
		must(sluice_unlock(space, "a"));
		check(sluice_trylock(space, "a", SLUICE_EX) == -EAGAIN);
		must(sluice_trylock(space, "b", SLUICE_EX));
		must(sluice_unlock(space, "b"));
		must(sluice_trylock(space, "c", SLUICE_EX));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_trylock(space, "c", SLUICE_EX));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, other_gets(space, "a", SLUICE_EX));
	sluice_lockspace_close(space);
}

/* fork() */

static void all_refuse(struct sluice_holder *holder,
		       struct sluice_lockspace *space)
{
	struct sluice_item item = sluice_item_name(space, "a", SLUICE_EX);
	struct sluice_lock_event event;
	char value[SLUICE_VALUE_SIZE];

	check(try_one(holder, item) == -ECHILD);
	check(sluice_holder_unlock(holder, &item, 1, sizeof(item)) == -ECHILD);
	check(sluice_holder_downgrade(holder, &item, 1, sizeof(item)) ==
	      -ECHILD);
	check(sluice_holder_unlock_all(holder) == -ECHILD);
	check(sluice_holder_abandon(holder) == -ECHILD);
	check(sluice_holder_cancel(holder) == -ECHILD);
	check(sluice_holder_renew(holder, &item, 1, sizeof(item)) == -ECHILD);
	check(sluice_holder_recover(holder, &item, 1, sizeof(item), 1) ==
	      -ECHILD);
	check(sluice_holder_value_get(holder, &item, value) == -ECHILD);
	check(sluice_holder_next_event(holder, &event, sizeof(event), NULL, 0,
				       0) == -ECHILD);
	sluice_holder_close(holder);
}

TEST(a_child_has_nothing_of_its_parents)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *own, *childs;
	pid_t pid;

	ASSERT_EQ(0, sluice_thread_holder(&own));
	ASSERT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	ASSERT_EQ(0, sluice_trylock(space, "own", SLUICE_EX));
	pid = child();
	if (!pid) {
		all_refuse(holder, space);
		check(try_name(own, space, "x", SLUICE_EX) == -ECHILD);
		must(sluice_unlock(space, "own"));
		check(sluice_trylock(space, "own", SLUICE_PR) == -EAGAIN);
		check(sluice_trylock(space, "a", SLUICE_PR) == -EAGAIN);
		must(sluice_thread_holder(&childs));
		must(sluice_trylock(space, "childs", SLUICE_EX));
		must(sluice_unlock(space, "childs"));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-EAGAIN, other_gets(space, "own", SLUICE_PR));
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_PR));
	EXPECT_EQ(0, sluice_unlock(space, "own"));
	EXPECT_EQ(0, space_stat(space).died);
	sluice_holder_close(holder);
	EXPECT_EQ(0, other_gets(space, "a", SLUICE_PR));
	sluice_lockspace_close(space);
}

struct fork_and_end {
	struct step *locked;
	struct step *leaked;
	struct sluice_lockspace *space;
};

static void *lock_and_be_told(void *data)
{
	struct fork_and_end *arg = data;

	must(sluice_trylock(arg->space, "a", SLUICE_EX));
	step_say(arg->locked);
	step_hear(arg->leaked);
	return NULL;
}

/* A child that never heard of it does not keep what its parent had. */
TEST(a_leaked_descriptor_keeps_nothing)
{
	struct sluice_lockspace *space = space_new();
	struct step step = step_make(), end = step_make();
	pid_t pid = child();

	if (!pid) {
		must(sluice_trylock(space, "a", SLUICE_EX));
		if (!must(fork())) {
			step_say(&step);
			step_hear(&end);
			_exit(0);
		}
		pause();
	}
	step_hear(&step);
	kill_and_reap(pid);
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_lock(space, "a", SLUICE_EX,
						 in_ms(PATIENCE_MS)));
	step_say(&end);
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	sluice_lockspace_close(space);
}

/* Nor does it hide that a thread has ended. */
TEST(a_leaked_descriptor_hides_no_death)
{
	struct sluice_lockspace *space = space_new();
	struct step step = step_make(), leak = step_make(), end = step_make();
	struct fork_and_end arg = { &step, &leak, space };
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, pthread_create(&thread, NULL, lock_and_be_told, &arg));
	step_hear(&step);
	pid = child();
	if (!pid) {
		step_hear(&end);
		_exit(0);
	}
	step_say(&leak);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_lock(space, "a", SLUICE_EX,
						 in_ms(PATIENCE_MS)));
	step_say(&end);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	sluice_lockspace_close(space);
}

TEST(abandoned)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *next = holder_new();

	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	EXPECT_EQ(0, try_name(holder, space, "b", SLUICE_PR));
	EXPECT_EQ(0, sluice_holder_abandon(holder));
	EXPECT_EQ(SLUICE_OWNER_DIED, try_name(next, space, "a", SLUICE_PR));
	EXPECT_EQ(0, try_name(next, space, "b", SLUICE_EX));
	EXPECT_EQ(0, try_name(holder, space, "c", SLUICE_EX));
	sluice_holder_close(holder);
	sluice_holder_close(next);
	EXPECT_EQ(1, space_stat(space).died);
	sluice_lockspace_close(space);
}

/* Several at once. */

TEST(all_and_any)
{
	struct sluice_lock_options any = SLUICE_LOCK_OPTIONS_INIT;
	struct sluice_lockspace *space = space_new(), *other = space_new();
	struct sluice_holder *holder = holder_new(), *rival = holder_new();
	struct sluice_item items[] = {
		sluice_item_name(space, "a", SLUICE_EX),
		sluice_item_name(other, "a", SLUICE_EX),
		sluice_item_bytes(space, "a\0b", 3, SLUICE_PR),
	};
	uint32_t index = 99;

	any.deadline = 0;
	EXPECT_EQ(0, try_one(rival, items[1]));
	EXPECT_EQ(-EAGAIN, sluice_holder_lock(holder, items, 3, sizeof(*items),
					      &any, NULL));
	EXPECT_EQ(0, space_stat(space).grants);
	any.flags = SLUICE_LOCK_ANY;
	EXPECT_EQ(0, sluice_holder_lock(holder, &items[1], 2, sizeof(*items),
					&any, &index));
	EXPECT_EQ(1, index);
	/* As they were taken: the mode in them must not keep them locked. */
	EXPECT_EQ(0, sluice_holder_unlock(rival, items, 3, sizeof(*items)));
	EXPECT_EQ(0, space_stat(other).grants);
	EXPECT_EQ(0, sluice_holder_lock(holder, items, 3, sizeof(*items), NULL,
					&index));
	EXPECT_LT(0, items[0].token);
	EXPECT_LT(0, items[1].token);
	EXPECT_EQ(0, items[2].token);
	EXPECT_EQ(-EAGAIN, try_one(rival, items[0]));
	items[0].mode = SLUICE_PR;
	EXPECT_EQ(0, sluice_holder_downgrade(holder, items, 1, sizeof(*items)));
	EXPECT_EQ(0, try_one(rival, items[0]));
	items[0].mode = SLUICE_EX;
	EXPECT_EQ(-EINVAL, sluice_holder_downgrade(holder, items, 1,
						   sizeof(*items)));
	EXPECT_EQ(0, sluice_holder_unlock_all(holder));
	EXPECT_EQ(1, space_stat(space).grants);
	EXPECT_EQ(0, space_stat(other).grants);
	sluice_holder_close(rival);
	sluice_holder_close(holder);
	sluice_lockspace_close(other);
	sluice_lockspace_close(space);
}

/* Which of many died is told by the items; that one did, by the value. */
TEST(one_of_several_owners_died)
{
	struct sluice_lock_options any = SLUICE_LOCK_OPTIONS_INIT;
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new();
	struct sluice_item items[] = {
		sluice_item_name(space, "a", SLUICE_EX),
		sluice_item_name(space, "b", SLUICE_EX),
	};
	struct job job = {
		.work = lock_and_end, .space = space, .name = "b",
		.mode = SLUICE_PW,
	};

	EXPECT_EQ(0, job_do(&job));
	ASSERT_TRUE(until(space_stat(space).died));
	EXPECT_EQ(SLUICE_OWNER_DIED, sluice_holder_lock(holder, items, 2,
							sizeof(*items), NULL,
							NULL));
	EXPECT_EQ(0, items[0].status);
	EXPECT_EQ(SLUICE_OWNER_DIED, items[1].status);
	EXPECT_EQ(0, sluice_holder_unlock_all(holder));
	any.flags = SLUICE_LOCK_ANY;
	items[1].status = SLUICE_OWNER_DIED;
	EXPECT_EQ(0, sluice_holder_lock(holder, items, 2, sizeof(*items), &any,
					NULL));
	EXPECT_EQ(0, sluice_holder_recover(holder, items, 1, sizeof(*items),
					   SLUICE_RECOVER_CONSISTENT));
	EXPECT_EQ(-EPERM, sluice_holder_recover(holder, items, 2,
						sizeof(*items),
						SLUICE_RECOVER_CONSISTENT));
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

TEST(values)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *other = holder_new();
	struct sluice_item item = sluice_item_name(space, "a", SLUICE_EX);
	char value[SLUICE_VALUE_SIZE] = "hello", got[SLUICE_VALUE_SIZE];

	EXPECT_EQ(-EPERM, sluice_holder_value_get(holder, &item, got));
	EXPECT_EQ(0, try_one(holder, item));
	EXPECT_EQ(0, sluice_holder_value_get(holder, &item, got));
	EXPECT_EQ(0, got[0]);
	EXPECT_EQ(0, sluice_holder_value_set(holder, &item, value));
	EXPECT_EQ(0, sluice_holder_unlock(holder, &item, 1, sizeof(item)));
	item.mode = SLUICE_PR;
	EXPECT_EQ(0, try_one(other, item));
	EXPECT_EQ(0, sluice_holder_value_get(other, &item, got));
	EXPECT_EQ(0, memcmp(got, value, sizeof(got)));
	EXPECT_EQ(-EPERM, sluice_holder_value_set(other, &item, value));
	sluice_holder_close(holder);
	sluice_holder_close(other);
	sluice_lockspace_close(space);
}

/* Memory behind a lock. */

static struct sluice_block *block_open(struct sluice_holder *holder,
				       struct sluice_lockspace *space,
				       uint32_t access)
{
	struct sluice_block_options options = SLUICE_BLOCK_OPTIONS_INIT;
	struct sluice_block *block;

	options.flags = SLUICE_OPEN_CREATE;
	options.access = access;
	options.bytes = 3 << 12;
	options.limit = 5 << 12;
	must(sluice_block_open(holder, space, "a", &options, &block));
	return block;
}

/* How a process fares that locks in a mode and then touches. */
static int touches(struct sluice_lockspace *space, enum sluice_mode mode,
		   size_t at, bool write)
{
	volatile char *bytes;
	struct sluice_holder *own;
	pid_t pid = child();

	if (!pid) {
		must(sluice_thread_holder(&own));
		bytes = sluice_block_address(block_open(own, space, RW));
		if (mode)
			must(sluice_trylock(space, "a", mode));
		if (write)
			bytes[at] = 7;
		else if (bytes[at] != 7)
			_exit(1);
		sluice_holder_close(own);
		_exit(0);
	}
	return reap(pid);
}

TEST(blocks)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new();
	struct sluice_item item = sluice_item_name(space, "a", SLUICE_EX);
	struct sluice_block *block;
	struct sluice_block_size stat;
	volatile char *bytes;
	pid_t pid;

	EXPECT_EQ(-ENOENT, sluice_block_open(holder, space, "a", NULL, &block));
	block = block_open(holder, space, RW);
	EXPECT_TRUE(sluice_block_created(block));
	EXPECT_EQ(5 << 12, sluice_block_limit(block));
	EXPECT_EQ(0, touches(space, SLUICE_EX, 4096, true));
	EXPECT_EQ(0, touches(space, SLUICE_PR, 4096, false));
	EXPECT_EQ(-SIGBUS, touches(space, SLUICE_PR, 4096, true));
	EXPECT_EQ(-SIGBUS, touches(space, SLUICE_UNLOCKED, 4096, false));
	EXPECT_EQ(-SIGBUS, touches(space, SLUICE_EX, 3 << 12, true));
	EXPECT_EQ(-EPERM, sluice_block_resize(block, 4 << 12));
	/* The one that touched what is beyond the end. */
	EXPECT_EQ(SLUICE_OWNER_DIED, try_one(holder, item));
	EXPECT_EQ(-EFBIG, sluice_block_resize(block, 6 << 12));
	EXPECT_EQ(0, sluice_block_resize(block, 4 << 12));
	bytes = sluice_block_address(block);
	EXPECT_EQ(7, bytes[4096]);
	bytes[3 << 12] = 7;
	EXPECT_EQ(0, sluice_block_free_range(block, 4096, 8191));
	EXPECT_EQ(0, bytes[4096]);
	ASSERT_EQ(0, sluice_block_stat(block, &stat, sizeof(stat)));
	EXPECT_EQ(4 << 12, stat.size);
	EXPECT_EQ(2 << 12, stat.used);
	pid = child();
	if (!pid) {
		check(!sluice_block_address(block));
		check(sluice_block_resize(block, 4096) == -ECHILD);
		sluice_block_close(block);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(7, bytes[3 << 12]);
	EXPECT_EQ(0, sluice_holder_unlock(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(0, touches(space, SLUICE_PR, 3 << 12, false));
	sluice_block_close(block);
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

TEST(a_block_of_a_reader)
{
	struct sluice_lockspace *space = space_new(), *reader;
	struct sluice_block_options options = SLUICE_BLOCK_OPTIONS_INIT;
	struct sluice_holder *holder = holder_new();
	struct sluice_block *block, *view;

	ASSERT_EQ(0, sluice_lockspace_from_fd(
			  sluice_lockspace_restrict(space, SLUICE_READ),
			  &reader));
	block = block_open(holder, space, RW);
	EXPECT_EQ(-EACCES, sluice_block_open(holder, reader, "a", NULL, &view));
	options.access = SLUICE_READ;
	ASSERT_EQ(0, sluice_block_open(holder, reader, "a", &options, &view));
	EXPECT_FALSE(sluice_block_created(view));
	EXPECT_EQ(0, try_name(holder, reader, "a", SLUICE_PR));
	EXPECT_EQ(0, *(volatile char *)sluice_block_address(view));
	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	EXPECT_EQ(-EACCES, sluice_block_resize(view, 4096));
	EXPECT_EQ(-EACCES, sluice_block_free_range(view, 0, 4095));
	sluice_block_close(view);
	sluice_block_close(block);
	sluice_holder_close(holder);
	sluice_lockspace_close(reader);
	sluice_lockspace_close(space);
}

/* What there is no room for is not made. */
TEST(a_block_that_cannot_be_mapped)
{
	struct sluice_block_options options = SLUICE_BLOCK_OPTIONS_INIT;
	struct rlimit little = { .rlim_cur = 48 << 20, .rlim_max = 48 << 20 };
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new();
	struct sluice_block *block;
	pid_t pid = child();

	options.flags = SLUICE_OPEN_CREATE;
	options.bytes = 1 << 12;
	options.limit = 64 << 20;
	if (!pid) {
		holder = holder_new();
		must(setrlimit(RLIMIT_AS, &little));
		check(sluice_block_open(holder, space, "a", &options,
					&block) == -ENOMEM);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-ENOENT, sluice_block_open(holder, space, "a", NULL, &block));
	ASSERT_EQ(0, sluice_block_open(holder, space, "a", &options, &block));
	EXPECT_TRUE(sluice_block_created(block));
	sluice_block_close(block);
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

/* Events. */

static int next_event(struct sluice_holder *holder,
		      struct sluice_lock_event *event, struct sluice_item *items,
		      size_t count)
{
	memset(event, 0xff, sizeof(*event));
	return sluice_holder_next_event(holder, event, sizeof(*event), items,
					count, sizeof(*items));
}

TEST(contention_and_completion)
{
	struct sluice_lock_options async = SLUICE_LOCK_OPTIONS_INIT;
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *rival = holder_new();
	struct sluice_item item = sluice_item_name(space, "a", SLUICE_EX);
	struct sluice_lock_event event;

	async.flags = SLUICE_LOCK_ASYNC;
	EXPECT_EQ(0, try_one(holder, item));
	EXPECT_EQ(-EAGAIN, next_event(holder, &event, NULL, 0));
	ASSERT_EQ(-EINPROGRESS, sluice_holder_lock(rival, &item, 1,
						   sizeof(item), &async, NULL));
	EXPECT_EQ(-EBUSY, try_name(rival, space, "b", SLUICE_PR));
	EXPECT_EQ(POLLPRI, events_of(sluice_holder_fd(holder),
				     POLLIN | POLLPRI));
	ASSERT_EQ(0, next_event(holder, &event, NULL, 0));
	EXPECT_EQ(SLUICE_EVENT_CONTENDED, event.type);
	EXPECT_EQ(SLUICE_EX, event.mode);
	EXPECT_EQ('a', event.key[0]);
	EXPECT_EQ(0, events_of(sluice_holder_fd(rival), POLLIN | POLLPRI));
	EXPECT_EQ(0, sluice_holder_unlock(holder, &item, 1, sizeof(item)));
	EXPECT_EQ(POLLIN, events_within(sluice_holder_fd(rival),
					POLLIN | POLLPRI, PATIENCE_MS));
	item.token = 0;
	item.status = 99;
	ASSERT_EQ(0, next_event(rival, &event, &item, 1));
	EXPECT_EQ(SLUICE_EVENT_DONE, event.type);
	EXPECT_EQ(0, event.error);
	EXPECT_LT(0, item.token);
	EXPECT_EQ(0, item.status);
	EXPECT_EQ(-EAGAIN, next_event(rival, &event, NULL, 0));
	ASSERT_EQ(-EINPROGRESS, sluice_holder_lock(holder, &item, 1,
						   sizeof(item), &async, NULL));
	EXPECT_EQ(0, sluice_holder_cancel(holder));
	EXPECT_EQ(-ENOENT, sluice_holder_cancel(holder));
	ASSERT_EQ(0, next_event(holder, &event, NULL, 0));
	EXPECT_EQ(ECANCELED, event.error);
	async.deadline = 0;
	EXPECT_EQ(-EAGAIN, sluice_holder_lock(holder, &item, 1, sizeof(item),
					      &async, NULL));
	EXPECT_EQ(-EAGAIN, next_event(holder, &event, NULL, 0));
	sluice_holder_close(rival);
	/* Closed while it waits, or just when it is granted. */
	EXPECT_EQ(0, try_one(holder, item));
	rival = holder_new();
	async.deadline = SLUICE_NO_DEADLINE;
	ASSERT_EQ(-EINPROGRESS, sluice_holder_lock(rival, &item, 1,
						   sizeof(item), &async, NULL));
	EXPECT_EQ(0, sluice_holder_unlock_all(holder));
	sluice_holder_close(rival);
	EXPECT_EQ(0, space_stat(space).died);
	EXPECT_EQ(0, space_stat(space).grants);
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

static int wait_with_holder(struct job *job)
{
	struct sluice_item item = sluice_item_name(job->space, job->name,
						   job->mode);

	return sluice_holder_lock(job->holder, &item, 1, sizeof(item), NULL,
				  NULL);
}

TEST(cancelled_by_another_thread)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *rival = holder_new();
	struct job job = {
		.work = wait_with_holder, .space = space, .holder = rival,
		.name = "a", .mode = SLUICE_PR,
	};

	EXPECT_EQ(0, try_name(holder, space, "a", SLUICE_EX));
	EXPECT_EQ(0, try_name(rival, space, "b", SLUICE_EX));
	job_start(&job);
	ASSERT_TRUE(waiting(space, 1));
	EXPECT_EQ(-EBUSY, try_name(rival, space, "c", SLUICE_PR));
	EXPECT_EQ(0, sluice_holder_cancel(rival));
	EXPECT_EQ(-ECANCELED, job_end(&job));
	EXPECT_EQ(2, space_stat(space).grants);
	sluice_holder_close(holder);
	sluice_holder_close(rival);
	sluice_lockspace_close(space);
}

TEST(leases)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *next = holder_new();
	struct sluice_item item = sluice_item_lease(
		sluice_item_range(sluice_item_name(space, "a", SLUICE_EX),
				  10, 19), 200 * NSEC_PER_MSEC);
	struct sluice_lock_event event;
	struct sluice_lock_options wait = SLUICE_LOCK_OPTIONS_INIT;

	EXPECT_EQ(0, try_one(holder, item));
	item.lease = 50 * NSEC_PER_MSEC;
	EXPECT_EQ(0, sluice_holder_renew(holder, &item, 1, sizeof(item)));
	wait.deadline = in_ms(PATIENCE_MS);
	EXPECT_EQ(SLUICE_OWNER_DIED,
		  sluice_holder_lock(next, &item, 1, sizeof(item), &wait,
				     NULL));
	EXPECT_EQ(POLLPRI, events_within(sluice_holder_fd(holder),
					 POLLIN | POLLPRI, PATIENCE_MS));
	ASSERT_EQ(0, next_event(holder, &event, NULL, 0));
	EXPECT_EQ(SLUICE_EVENT_REVOKED, event.type);
	EXPECT_EQ(SLUICE_EX, event.mode);
	EXPECT_EQ(10, event.start);
	EXPECT_EQ(19, event.end);
	EXPECT_EQ(-ESTALE, sluice_holder_renew(holder, &item, 1, sizeof(item)));
	sluice_holder_close(next);
	sluice_holder_close(holder);
	sluice_lockspace_close(space);
}

/* Deadlock, and how it is told. */

static int lock_and_keep(struct job *job)
{
	int ret = sluice_lock(job->space, job->name, job->mode, job->deadline);
	struct sluice_holder *own;

	must(sluice_thread_holder(&own));
	must(sluice_holder_unlock_all(own));
	return ret;
}

static int lock_crosswise(struct job *job)
{
	must(sluice_lock(job->space, "b", SLUICE_EX, SLUICE_NO_DEADLINE));
	return lock_and_keep(job);
}

struct cycle {
	unsigned int deadlocks;
	unsigned int victims;
	uint32_t length;
	char keys[8];
};

static int keep_cycle(const struct sluice_deadlock *deadlock,
		      const struct sluice_waits *const *waits, void *data)
{
	struct cycle *cycle = data;

	cycle->deadlocks++;
	cycle->length = deadlock->length;
	check(deadlock->count == deadlock->length && deadlock->count < 8);
	for (uint32_t i = 0; i < deadlock->count; i++) {
		cycle->victims += !!(waits[i]->flags & SLUICE_WAITS_VICTIM);
		cycle->keys[i] = waits[i]->key[0];
		check(waits[i]->pid == getpid());
		check(waits[i]->mode == SLUICE_EX);
		check(waits[i]->blocked_by == SLUICE_EX);
	}
	return 0;
}

TEST(deadlock)
{
	struct sluice_lockspace *space = space_new();
	struct cycle cycle = { 0 };
	struct job job = {
		.work = lock_crosswise, .space = space, .name = "a",
		.mode = SLUICE_EX, .deadline = SLUICE_NO_DEADLINE,
	};

	EXPECT_EQ(0, sluice_lockspace_deadlocks(space, keep_cycle, &cycle));
	EXPECT_EQ(0, cycle.deadlocks);
	ASSERT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	job_start(&job);
	ASSERT_TRUE(waiting(space, 1));
	EXPECT_EQ(-EDEADLK, sluice_lock(space, "b", SLUICE_EX,
					SLUICE_NO_DEADLINE));
	EXPECT_EQ(0, sluice_lockspace_deadlocks(space, keep_cycle, &cycle));
	EXPECT_EQ(1, cycle.deadlocks);
	EXPECT_EQ(1, cycle.victims);
	EXPECT_EQ(2, cycle.length);
	EXPECT_NE(cycle.keys[0], cycle.keys[1]);
	/* Nothing was lost. */
	EXPECT_EQ(-EAGAIN, other_gets(space, "a", SLUICE_PR));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, job_end(&job));
	sluice_lockspace_close(space);
}

/* Walking over more than is fetched at once. */

struct walk {
	unsigned int held;
	unsigned int waiting;
	__u64 resource;
	__u64 start;
};

static int walk_entry(const struct sluice_lock_entry *entry, void *data)
{
	struct walk *walk = data;

	check(entry->pid == getpid() && entry->uid == getuid());
	if (entry->state == SLUICE_LOCK_WAITING) {
		walk->waiting++;
		return 0;
	}
	check(entry->state == SLUICE_LOCK_HELD && entry->mode == SLUICE_EX);
	check(entry->resource >= walk->resource);
	check(entry->resource > walk->resource || !walk->held ||
	      entry->start > walk->start);
	walk->resource = entry->resource;
	walk->start = entry->start;
	walk->held++;
	return 0;
}

static void take_ranges(struct sluice_holder *holder,
			struct sluice_lockspace *space, const char *name,
			unsigned int first)
{
	struct sluice_item items[SLUICE_ITEMS_MAX];

	for (unsigned int i = 0; i < SLUICE_ITEMS_MAX; i++)
		items[i] = sluice_item_range(
			sluice_item_name(space, name, SLUICE_EX),
			10 * (first + i), 10 * (first + i) + 4);
	must(sluice_holder_lock(holder, items, SLUICE_ITEMS_MAX,
				sizeof(*items), NULL, NULL));
}

TEST(walking)
{
	struct sluice_lockspace *space = space_new();
	struct sluice_holder *holder = holder_new(), *rival = holder_new();
	struct job job = {
		.work = wait_with_holder, .space = space, .holder = rival,
		.name = "many", .mode = SLUICE_PR,
	};
	struct walk walk = { 0 };

	EXPECT_EQ(0, sluice_lockspace_locks(space, walk_entry, &walk));
	EXPECT_EQ(0, walk.held + walk.waiting);
	for (int i = 0; i < 10; i++)
		take_ranges(holder, space, "many", SLUICE_ITEMS_MAX * i);
	take_ranges(holder, space, "few", 0);
	job_start(&job);
	ASSERT_TRUE(waiting(space, 1));
	EXPECT_EQ(0, sluice_lockspace_locks(space, walk_entry, &walk));
	EXPECT_EQ(11 * SLUICE_ITEMS_MAX, walk.held);
	EXPECT_EQ(1, walk.waiting);
	EXPECT_EQ(0, sluice_holder_unlock_all(holder));
	EXPECT_EQ(0, job_end(&job));
	sluice_holder_close(holder);
	sluice_holder_close(rival);
	sluice_lockspace_close(space);
}

/* Permissions and signals. */

TEST(other_users)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *space;
	pid_t pid;

	options.flags = SLUICE_OPEN_CREATE;
	options.mode = 0604;
	ASSERT_EQ(0, sluice_lockspace_open("lock_lib", &options, &space));
	pid = child();
	if (!pid) {
		become(1002, 1002, NULL, 0);
		check(sluice_lockspace_open("lock_lib", NULL, &space) ==
		      -EACCES);
		options.flags = 0;
		options.access = SLUICE_READ;
		must(sluice_lockspace_open("lock_lib", &options, &space));
		check(sluice_lock(space, "a", SLUICE_EX, 0) == -EACCES);
		must(sluice_lock(space, "a", SLUICE_PR, 0));
		must(sluice_unlock(space, "a"));
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	sluice_lockspace_close(space);
}

static void nothing(int signal)
{
	(void)signal;
}

TEST(interrupted)
{
	struct sluice_lockspace *space = space_new();
	struct sigaction action = { .sa_handler = nothing };
	pid_t pid;

	ASSERT_EQ(0, sluice_trylock(space, "a", SLUICE_EX));
	pid = child();
	if (!pid) {
		must(sigaction(SIGUSR1, &action, NULL));
		action.sa_flags = SA_RESTART;
		must(sigaction(SIGUSR2, &action, NULL));
		check(sluice_lock(space, "a", SLUICE_EX,
				  SLUICE_NO_DEADLINE) == -EINTR);
		must(sluice_lock(space, "a", SLUICE_EX, SLUICE_NO_DEADLINE));
		must(sluice_unlock(space, "a"));
		_exit(0);
	}
	ASSERT_TRUE(waiting(space, 1));
	ASSERT_TRUE(until(sleeps(pid)));
	kill(pid, SIGUSR1);
	sleep_us(20000);
	ASSERT_TRUE(waiting(space, 1));
	ASSERT_TRUE(until(sleeps(pid)));
	kill(pid, SIGUSR2);
	sleep_us(20000);
	ASSERT_TRUE(waiting(space, 1));
	EXPECT_EQ(0, sluice_unlock(space, "a"));
	EXPECT_EQ(0, reap(pid));
	sluice_lockspace_close(space);
}

/* Many threads that count: none is lost, and each has its turn. */

#define COUNTERS	4

static struct {
	struct sluice_lockspace *space;
	unsigned long rounds;
	unsigned long value;
} counter;

static int count_up(struct job *job)
{
	for (unsigned long i = 0; i < counter.rounds; i++) {
		must(sluice_lock(job->space, "counter", SLUICE_EX,
				 SLUICE_NO_DEADLINE));
		*(volatile unsigned long *)&counter.value += 1;
		must(sluice_unlock(job->space, "counter"));
	}
	return 0;
}

TEST(counting)
{
	struct job jobs[COUNTERS];

	counter.space = space_new();
	counter.rounds = scaled(5000, 200);
	for (int i = 0; i < COUNTERS; i++) {
		jobs[i] = (struct job){
			.work = count_up, .space = counter.space,
		};
		job_start(&jobs[i]);
	}
	for (int i = 0; i < COUNTERS; i++)
		EXPECT_EQ(0, job_end(&jobs[i]));
	EXPECT_EQ(COUNTERS * counter.rounds, counter.value);
	EXPECT_EQ(0, space_stat(counter.space).grants);
	sluice_lockspace_close(counter.space);
}

TEST_HARNESS_MAIN
