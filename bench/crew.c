// SPDX-License-Identifier: GPL-2.0-only
/* Processes that measure something together: forked, pinned, joined again. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PATIENCE	60	/* seconds until a run is given up */

static struct crew *crew;		/* the same in all processes */
static bool member;

void bench_die(const char *format, ...)
{
	char *text = crew ? crew->failure : NULL;
	char own[sizeof(crew->failure)];
	va_list args;

	va_start(args, format);
	vsnprintf(own, sizeof(own), format, args);
	va_end(args);
	if (!member) {
		fprintf(stderr, "sluice-bench: %s\n", own);
		exit(1);
	}
	if (!text[0])
		memcpy(text, own, sizeof(own));
	_exit(1);
}

long bench_sys(long value, const char *what)
{
	if (value == -1 && errno)
		bench_die("%s: %s", what, strerror(errno));
	if (value < 0)
		bench_die("%s: %s", what, strerror(-value));
	return value;
}

void *bench_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		bench_die("mmap: %s", strerror(errno));
	memset(memory, 0, size);
	return memory;
}

void crew_meet(struct crew *all)
{
	unsigned int phase = __atomic_load_n(&all->phase, __ATOMIC_ACQUIRE);

	if (__atomic_add_fetch(&all->arrived, 1, __ATOMIC_ACQ_REL) ==
	    all->count) {
		all->arrived = 0;
		__atomic_store_n(&all->phase, phase + 1, __ATOMIC_RELEASE);
		return;
	}
	while (__atomic_load_n(&all->phase, __ATOMIC_ACQUIRE) == phase)
		sched_yield();
}

static void pin(unsigned int index, enum crew_place place)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;
	long cpu = 0;

	if (place == CREW_APART)
		cpu = index ? 1 % cpus : 0;
	else if (place == CREW_SPREAD)
		cpu = index % cpus;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	bench_try(sched_setaffinity(0, sizeof(set), &set));
}

static pid_t start(unsigned int index, enum crew_place place, crew_fn *fn,
		   void *data)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	member = true;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(PATIENCE);
	pin(index, place);
	fn(crew, index, data);
	/* Without a word to atexit(): peers' threads may be anywhere. */
	_exit(0);
}

static void describe(int status)
{
	if (crew->failure[0])
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		strcpy(crew->failure, "took too long");
	else
		snprintf(crew->failure, sizeof(crew->failure),
			 "a process ended with status %#x", status);
}

/* When one fails the others would wait for it. */
static bool wait_all(pid_t *pids, unsigned int count)
{
	unsigned int left = count;
	bool good = true;
	int status;

	while (left) {
		pid_t pid = waitpid(-1, &status, 0);

		for (unsigned int i = 0; i < count; i++) {
			if (pids[i] != pid)
				continue;
			pids[i] = 0;
			left--;
			if (!status || !good)
				continue;
			good = false;
			describe(status);
			for (unsigned int k = 0; k < count; k++)
				if (pids[k])
					kill(pids[k], SIGKILL);
		}
	}
	return good;
}

struct crew *crew_run(unsigned int count, enum crew_place place,
			    crew_fn *fn, void *data)
{
	pid_t pids[CREW_MAX];

	if (!crew)
		crew = bench_shared(sizeof(*crew));
	memset(crew, 0, sizeof(*crew));
	crew->count = count;
	fflush(NULL);
	for (unsigned int i = 0; i < count; i++)
		pids[i] = bench_try(start(i, place, fn, data));
	return wait_all(pids, count) ? crew : NULL;
}

const char *crew_failure(void)
{
	return crew->failure;
}
