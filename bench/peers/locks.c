// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other ways to exclude: open-file-description locks and flock() of a file, a
 * robust mutex and a compare-and-swap pair in shared memory, a System V
 * semaphore that is undone at exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <unistd.h>

#include "../bench.h"

/* --- locks of a file ----------------------------------------------------------------- */

struct file {
	char path[32];
	int fd;
};

static void *file_open(void)
{
	struct file *file = calloc(1, sizeof(*file));

	strcpy(file->path, "/tmp/sluice-bench-XXXXXX");
	file->fd = bench_try(mkstemp(file->path));
	return file;
}

/* Each process needs an open file of its own to be kept out. */
static void file_join(void *data)
{
	struct file *file = data;

	file->fd = bench_try(open(file->path, O_RDWR | O_CLOEXEC));
}

static void file_close(void *data)
{
	struct file *file = data;

	unlink(file->path);
	close(file->fd);
	free(file);
}

static void ofd_set(const struct file *file, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	bench_try(fcntl(file->fd, F_OFD_SETLKW, &lock));
}

static void ofd_lock(void *data)
{
	ofd_set(data, F_WRLCK);
}

static void ofd_unlock(void *data)
{
	ofd_set(data, F_UNLCK);
}

static void flock_lock(void *data)
{
	bench_try(flock(((struct file *)data)->fd, LOCK_EX));
}

static void flock_unlock(void *data)
{
	bench_try(flock(((struct file *)data)->fd, LOCK_UN));
}

static struct bench_lock ofd = {
	.name = "ofd",
	.title = "fcntl(), by open file description",
	.can = LOCK_WAITS,
	.open = file_open,
	.join = file_join,
	.lock = ofd_lock,
	.unlock = ofd_unlock,
	.close = file_close,
};
BENCH_LOCK(ofd);

static struct bench_lock flock_peer = {
	.name = "flock",
	.title = "flock()",
	.can = LOCK_WAITS,
	.open = file_open,
	.join = file_join,
	.lock = flock_lock,
	.unlock = flock_unlock,
	.close = file_close,
};
BENCH_LOCK(flock_peer);

/* --- locks in shared memory ------------------------------------------------------------ */

static void *mutex_open(void)
{
	pthread_mutex_t *mutex = bench_shared(4096);
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	bench_check(!pthread_mutex_init(mutex, &attr));
	return mutex;
}

static void join(void *lock)
{
	(void)lock;
}

static void mutex_lock(void *mutex)
{
	bench_check(!pthread_mutex_lock(mutex));
}

static void mutex_unlock(void *mutex)
{
	bench_check(!pthread_mutex_unlock(mutex));
}

static void memory_close(void *memory)
{
	munmap(memory, 4096);
}

static struct bench_lock robust = {
	.name = "mutex",
	.title = "robust mutex shared by processes",
	.can = LOCK_WAITS,
	.open = mutex_open,
	.join = join,
	.lock = mutex_lock,
	.unlock = mutex_unlock,
	.close = memory_close,
};
BENCH_LOCK(robust);

static void *word_open(void)
{
	return bench_shared(4096);
}

static void word_swap(uint64_t *word, uint64_t from, uint64_t to)
{
	bench_check(__atomic_compare_exchange_n(word, &from, to, false,
						__ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED));
}

static void word_lock(void *word)
{
	word_swap(word, 0, 1);
}

static void word_unlock(void *word)
{
	word_swap(word, 1, 0);
}

static struct bench_lock swap = {
	.name = "swap",
	.title = "pair of atomic compare-and-swaps",
	.open = word_open,
	.join = join,
	.lock = word_lock,
	.unlock = word_unlock,
	.close = memory_close,
};
BENCH_LOCK(swap);

/* --- System V ------------------------------------------------------------------------------ */

static void *sem_make(void)
{
	int *id = malloc(sizeof(*id));

	*id = bench_try(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600));
	bench_try(semctl(*id, 0, SETVAL, 1));
	return id;
}

static void sem_add(const int *id, short value)
{
	struct sembuf op = { .sem_op = value, .sem_flg = SEM_UNDO };

	bench_try(semop(*id, &op, 1));
}

static void sem_lock(void *id)
{
	sem_add(id, -1);
}

static void sem_unlock(void *id)
{
	sem_add(id, 1);
}

static void sem_gone(void *id)
{
	semctl(*(int *)id, 0, IPC_RMID);
	free(id);
}

static struct bench_lock sysv = {
	.name = "sysv",
	.title = "System V semaphore, with undo",
	.can = LOCK_WAITS,
	.open = sem_make,
	.join = join,
	.lock = sem_lock,
	.unlock = sem_unlock,
	.close = sem_gone,
};
BENCH_LOCK(sysv);
