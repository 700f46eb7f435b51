// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One job: make the processes, watch them, kill one of them if asked to, and
 * add up what they cost.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

#define TICK_NS		5000000
#define STALLED_S	120
/* How far the others shall get while the writer is dead. */
#define ABSENCE		(32 * CHUNK)

/**
 * struct watch - a job while it runs
 * @job: what is run
 * @way: its connections
 * @pids: of the processes, 0 if there is none
 * @killed_at: bytes the writer had when it was killed, 0 if it was not
 * @restarted: it is back
 * @failed: a process ended otherwise than it should
 * @seen: bytes of all when somebody moved last
 * @moved: when that was
 */
struct watch {
	struct job *job;
	struct way *way;
	pid_t pids[ROLES];
	uint64_t killed_at;
	bool restarted;
	bool failed;
	uint64_t seen;
	double moved;
};

static uint64_t done(const struct watch *watch, enum role role)
{
	return atomic_load(&watch->job->reports[role].bytes);
}

static void start(struct watch *watch, enum role role, bool restarted)
{
	pid_t pid;

	/* What is buffered would be written twice. */
	fflush(NULL);
	atomic_store(&watch->job->reports[role].ready, false);
	pid = fork();
	if (pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (pid == 0)
		play(watch->job, watch->way, role, restarted);
	watch->pids[role] = pid;
}

static void tick(void)
{
	const struct timespec time = { .tv_nsec = TICK_NS };

	nanosleep(&time, NULL);
}

static void add_cpu(struct watch *watch, const struct rusage *usage)
{
	watch->job->cpu += usage->ru_utime.tv_sec + usage->ru_utime.tv_usec / 1e6 +
			   usage->ru_stime.tv_sec + usage->ru_stime.tv_usec / 1e6;
}

static void ended(struct watch *watch, enum role role, int status)
{
	watch->pids[role] = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (role == WRITER && watch->killed_at && !watch->restarted &&
	    WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	watch->failed = true;
	clear_progress();
	if (WIFSIGNALED(status))
		fprintf(stderr, "demo: the %s died: %s\n", role_name(role),
			strsignal(WTERMSIG(status)));
}

/* Return: how many processes run. */
static int reap(struct watch *watch)
{
	int running = 0;

	for (enum role role = 0; role < ROLES; role++) {
		struct rusage usage;
		int status;

		if (!watch->pids[role])
			continue;
		if (wait4(watch->pids[role], &status, WNOHANG, &usage) != watch->pids[role]) {
			running++;
			continue;
		}
		add_cpu(watch, &usage);
		ended(watch, role, status);
	}
	return running;
}

static void kill_all(struct watch *watch)
{
	for (enum role role = 0; role < ROLES; role++) {
		if (watch->pids[role])
			kill(watch->pids[role], SIGKILL);
	}
}

/* Until it has joined: else it might miss the beginning. */
static void wait_ready(struct watch *watch, enum role role)
{
	while (!atomic_load(&watch->job->reports[role].ready) && !watch->failed) {
		reap(watch);
		tick();
	}
}

static void check_stall(struct watch *watch)
{
	uint64_t sum = 0;

	for (enum role role = 0; role < ROLES; role++)
		sum += done(watch, role);
	if (sum != watch->seen || !watch->moved) {
		watch->seen = sum;
		watch->moved = seconds();
	} else if (seconds() - watch->moved > STALLED_S) {
		clear_progress();
		fprintf(stderr, "demo: nothing moved for %d seconds\n", STALLED_S);
		watch->failed = true;
	}
}

/* A third of the way the writer is killed, wherever it is; then it comes back. */
static void kill_and_restart(struct watch *watch)
{
	const struct job *job = watch->job;

	if (!watch->killed_at && done(watch, WRITER) > job->size / 3 &&
	    watch->pids[WRITER]) {
		kill(watch->pids[WRITER], SIGKILL);
		watch->killed_at = done(watch, WRITER);
		clear_progress();
		printf("   %5.1f MiB written: the writer gets SIGKILL\n",
		       watch->killed_at / 1048576.0);
		fflush(stdout);
	}
	if (watch->killed_at && !watch->restarted && !watch->pids[WRITER] &&
	    (done(watch, HASHER) > watch->killed_at + ABSENCE ||
	     done(watch, HASHER) >= job->size || !watch->pids[PUBLISHER])) {
		clear_progress();
		printf("   %5.1f MiB hashed meanwhile: a new writer starts\n",
		       done(watch, HASHER) / 1048576.0);
		watch->restarted = true;
		start(watch, WRITER, true);
	}
}

/* Dead, and to come back. */
static bool is_absent(const struct watch *watch)
{
	return watch->killed_at && !watch->restarted && !watch->failed;
}

static void watch_job(struct watch *watch)
{
	const struct job *job = watch->job;
	double percent = 100.0 / job->size;

	while (reap(watch) || is_absent(watch)) {
		check_stall(watch);
		if (watch->failed)
			kill_all(watch);
		else if (job->kill_writer)
			kill_and_restart(watch);
		show_progress("   %-12s  published %3.0f%%  hashed %3.0f%%  compressed %3.0f%%  written %3.0f%%",
			      job->ops->name, done(watch, PUBLISHER) * percent,
			      done(watch, HASHER) * percent,
			      done(watch, COMPRESSOR) * percent,
			      done(watch, WRITER) * percent);
		tick();
	}
	clear_progress();
}

/* What handing over copied, by the kernel's books and by our own. */
static bool add_copied(struct job *job)
{
	uint64_t counted = 0;

	job->copied = 0;
	for (enum role role = 0; role < ROLES; role++) {
		const struct report *report = &job->reports[role];

		job->copied += report->syscall_bytes - report->file_bytes;
		counted += report->copied;
	}
	if (job->copied == counted)
		return true;
	fprintf(stderr, "demo: %s: the kernel says %llu bytes were copied, we counted %llu\n",
		job->ops->name, (unsigned long long)job->copied,
		(unsigned long long)counted);
	return false;
}

static void prepare(struct watch *watch)
{
	struct job *job = watch->job;

	memset(job->reports, 0, ROLES * sizeof(*job->reports));
	atomic_store(job->go, false);
	watch->way = job->ops->make();
	/* Readers end when no publisher is left, so that one comes first. */
	start(watch, PUBLISHER, false);
	wait_ready(watch, PUBLISHER);
	for (enum role role = 0; role < READERS; role++) {
		start(watch, role, false);
		wait_ready(watch, role);
	}
}

bool run_job(struct job *job)
{
	struct watch watch = { .job = job };
	struct way *way;
	double began;

	job->cpu = 0;
	prepare(&watch);
	way = watch.way;
	/* With our ends of the pipes open nobody would see the end. */
	if (!job->kill_writer) {
		way->ops->free(way);
		way = NULL;
	}
	began = seconds();
	atomic_store(job->go, true);
	if (watch.failed)
		kill_all(&watch);
	watch_job(&watch);
	job->wall = seconds() - began;
	if (way)
		way->ops->free(way);
	if (watch.failed)
		return false;
	if (job->kill_writer) {
		if (!watch.killed_at)
			printf("   the file is too short: the writer was done before it could be killed\n");
		return true;
	}
	return add_copied(job);
}
