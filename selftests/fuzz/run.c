// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes and threads that run programs. The fuzzer's own process hands steps
 * in order to the threads, each its next ones at a time, and waits for them,
 * unless a step says not to. Whoever does not come back is interrupted, then
 * killed; if that does not help either, the program hangs the kernel.
 *
 * Each thread collects what KCOV saw of it. What the kernel does for nobody in
 * particular, in workqueues and for processes that have ended, is not seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/kcov.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actor.h"
#include "run.h"

#define KCOV_WORDS	(64 << 10)

/* When somebody does not come back: milliseconds without a step; KILL_MS after patience. */
#define LOOK_MS		5
#define KILL_MS		3000
#define HANG_MS		90000

/* What the fuzzer's process tells a thread, and hears of it. */
struct order {
	__u32 given, done;	/* counts; equal if there is nothing to do */
	__u32 first, n;		/* steps; none: clean up */
	__u32 steps;		/* done, ever */
	pid_t tid;
};

/* Shared by all. */
struct stage {
	struct program program;
	struct told told;
	struct order order[ACTORS];
	__u32 fresh;		/* places nobody had been to */
};

bool run_verbose;
unsigned int run_crashes;
int run_crash_signal;
long run_patience_ms = 30;

static struct stage *stage;
static struct tally *tally;
static __u8 *edges;
static unsigned long text;	/* where the module is */
static int box[PROCESSES][2];
static pid_t pids[PROCESSES];
static struct process self;
static struct thread threads[THREADS];
/* Its threads have opened what they need; it is what it is to be. */
static pthread_barrier_t opened, settled;

static void futex_wait(__u32 *word, __u32 value, long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, ms ? &ts : NULL, NULL, 0);
}

static void futex_wake(__u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void told_value(struct thread *t, enum recent which, __u64 value)
{
	__u64 *recent = t->told->recent[which];

	memmove(recent + 1, recent, (RECENT_MAX - 1) * sizeof(*recent));
	*recent = value;
}

void told_area(struct thread *t, const struct area *area)
{
	struct area *recent = t->told->area;

	memmove(recent + 1, recent, (RECENT_MAX - 1) * sizeof(*recent));
	*recent = *area;
}

/*
 * Coverage.
 */
static void kcov_open(struct thread *t)
{
	t->kcov_fd = edges ? open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC) : -1;
	if (t->kcov_fd < 0 || ioctl(t->kcov_fd, KCOV_INIT_TRACE, KCOV_WORDS))
		return;
	t->kcov = mmap(NULL, KCOV_WORDS * sizeof(*t->kcov), PROT_READ | PROT_WRITE,
		       MAP_SHARED, t->kcov_fd, 0);
	if (t->kcov == MAP_FAILED)
		t->kcov = NULL;
}

/* From one place to the next is what is counted, as paths tell more. */
static void kcov_collect(unsigned long *area)
{
	unsigned long n, i, before = 0;

	n = __atomic_load_n(area, __ATOMIC_RELAXED);
	for (i = 1; i <= n; i++) {
		unsigned long at = area[i] - text;
		__u32 edge = ((at ^ before * 31) * 0x9e3779b1u) >> 16;

		if (at >= COVER_TEXT)
			continue;
		before = at;
		if (edges[edge % COVER_EDGES] != 255)
			edges[edge % COVER_EDGES]++;
		if (!tally->reached[at]) {
			tally->reached[at] = 1;
			__atomic_add_fetch(&stage->fresh, 1, __ATOMIC_RELAXED);
		}
	}
	__atomic_store_n(area, 0, __ATOMIC_RELAXED);
}

static unsigned long module_text(void)
{
	char line[32] = "";
	int fd = open("/sys/module/sluice/sections/.text", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0)
		return 0;
	close(fd);
	return strtoul(line, NULL, 16);
}

/*
 * What fails. A kernel that cannot inject anything has no such files.
 */
static void injection_set(const char *kind, const char *setting, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		perror(path);
	close(fd);
}

/* Without a word, and also what may wait for memory. */
static void injection_set_up(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy", "fail_futex",
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		injection_set(kinds[i], "verbose", "0");
		if (i < 2)
			injection_set(kinds[i], "ignore-gfp-wait", "N");
	}
	injection_set("fail_page_alloc", "min-order", "0");
}

/* The order to fail nothing more may itself be what fails. A child has none. */
static void fail_nth(struct thread *t, unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth);

	if (t->nth_fd < 0 || t->steps_left >= 0)
		return;
	while (pwrite(t->nth_fd, text, n, 0) != n && !nth)
		;
}

/*
 * Threads.
 */
static void step_tell(struct thread *t, const struct step *s, long ret)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "# %zu: %u %s: %ld\n", s - stage->program.step,
			 t->actor, step_call(s)->name, ret);

	if (write(STDOUT_FILENO, line, n) != n)
		_exit(1);
}

static void one_step(struct thread *t, const struct step *s)
{
	unsigned int call = s->call % n_calls;
	long ret;

	__atomic_add_fetch(&tally->made[call], 1, __ATOMIC_RELAXED);
	if (step_failing(s))
		fail_nth(t, step_failing(s));
	ret = step_call(s)->run(t, s);
	if (step_failing(s))
		fail_nth(t, 0);
	if (run_verbose)
		step_tell(t, s, ret);
	if (ret >= 0)
		__atomic_add_fetch(&tally->well[call], 1, __ATOMIC_RELAXED);
	if (t->steps_left >= 0 && !t->steps_left--)
		_exit(0);
}

static void clean_up(struct process *p)
{
	struct thread *t = &threads[0];
	const struct step s = { };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (!p->child[i])
			continue;
		kill(p->child[i], SIGKILL);
		waitpid(p->child[i], NULL, 0);
		p->child[i] = 0;
	}
	while (run_receive(t, &s) >= 0)
		;
	munmap(WINDOW, WINDOW_SIZE);
	memset(p->map, 0, sizeof(p->map));
	p->window = 0;
	close_range(p->first_fd, ~0U, 0);
	for (i = 1; i < SLOTS; i++)
		p->fd[i] = -1;
}

static void obey(struct thread *t, struct order *o)
{
	__u32 i;

	for (i = o->first; i < o->first + o->n; i++) {
		one_step(t, &stage->program.step[i]);
		__atomic_add_fetch(&o->steps, 1, __ATOMIC_RELAXED);
	}
	if (t->steps_left >= 0)
		_exit(0);
	if (!o->n)
		clean_up(t->process);
	if (t->kcov)
		kcov_collect(t->kcov);
}

static void *thread_run(void *arg)
{
	struct thread *t = arg;
	struct order *o = &stage->order[t->actor];

	if (t->kcov && ioctl(t->kcov_fd, KCOV_ENABLE, KCOV_TRACE_PC))
		t->kcov = NULL;
	o->tid = gettid();
	for (;;) {
		__u32 given = __atomic_load_n(&o->given, __ATOMIC_ACQUIRE);

		if (given == o->done) {
			futex_wait(&o->given, given, 0);
			continue;
		}
		obey(t, o);
		__atomic_store_n(&o->done, given, __ATOMIC_RELEASE);
		futex_wake(&o->done);
	}
	return NULL;
}

static void fail_open(struct thread *t)
{
	t->nth_fd = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	pthread_barrier_wait(&opened);
}

static void *thread_begin(void *arg)
{
	fail_open(arg);
	pthread_barrier_wait(&settled);
	return thread_run(arg);
}

static void *serve(void *arg)
{
	slow_serve(&self.slow);
	return NULL;
}

static void on_interrupt(int signal)
{
}

static void signals(void)
{
	struct sigaction act = { .sa_handler = on_interrupt };
	int i;

	for (i = 1; i < SIGRTMIN; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &act, NULL);
	memory_catch();
}

/* One process is not root's. */
static void give_up_rights(void)
{
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

/*
 * Descriptors of its own come first, so that it knows the program's. Another
 * process may already send it signals: @mask lets them in once they are handled.
 */
static void process_run(unsigned int id, pid_t parent, const sigset_t *mask)
{
	pthread_t thread;
	unsigned int i;

	signals();
	sigprocmask(SIG_SETMASK, mask, NULL);
	memset(&self, 0, sizeof(self));
	self.id = id;
	self.inbox = box[id][0];
	for (i = 0; i < PROCESSES; i++)
		self.outbox[i] = box[i][1];
	for (i = 1; i < SLOTS; i++)
		self.fd[i] = -1;
	self.fd[0] = open("/dev/sluice", O_RDWR | O_CLOEXEC);
	slow_make(&self.slow);
	for (i = 0; i < THREADS; i++) {
		struct thread *t = &threads[i];

		t->process = &self;
		t->actor = id * THREADS + i;
		t->told = &stage->told;
		t->steps_left = -1;
		arena_make(&t->arena[0]);
		arena_make(&t->arena[1]);
		slow_add(&self.slow, &t->arena[0]);
		slow_add(&self.slow, &t->arena[1]);
		kcov_open(t);
	}
	pthread_barrier_init(&opened, NULL, THREADS);
	pthread_barrier_init(&settled, NULL, THREADS);
	pthread_create(&thread, NULL, serve, NULL);
	for (i = 1; i < THREADS; i++)
		pthread_create(&thread, NULL, thread_begin, &threads[i]);
	fail_open(&threads[0]);
	self.first_fd = dup(self.fd[0]);
	close(self.first_fd);
	if (id == PROCESSES - 1)
		give_up_rights();
	pthread_barrier_wait(&settled);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	thread_run(&threads[0]);
}

/*
 * The fuzzer's own process.
 */
static void spawn(unsigned int id)
{
	pid_t parent = getpid();
	sigset_t all, mask;
	unsigned int i;

	for (i = id * THREADS; i < (id + 1) * THREADS; i++)
		stage->order[i] = (struct order){ };
	fflush(NULL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pids[id] = fork();
	if (!pids[id])
		process_run(id, parent, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (pids[id] < 0) {
		perror("fork");
		abort();
	}
	stage->told.pid[id] = pids[id];
}

static bool gone(unsigned int id)
{
	int status;

	if (pids[id] > 0 && waitpid(pids[id], &status, WNOHANG) == pids[id]) {
		/* The number may be somebody else's from now on. */
		pids[id] = stage->told.pid[id] = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
			run_crashes++;
			run_crash_signal = WTERMSIG(status);
		}
	}
	return !pids[id];
}

/* Until @actor has done what it was told, or is dead; false: it hangs. */
static bool settle(unsigned int actor)
{
	struct order *o = &stage->order[actor];
	unsigned int id = actor / THREADS;
	__u32 done, steps = o->steps;
	long begin = now_ms(), passed;
	bool killed = false;

	while ((done = __atomic_load_n(&o->done, __ATOMIC_ACQUIRE)) != o->given) {
		futex_wait(&o->done, done, LOOK_MS);
		if (o->done != done)
			continue;
		if (gone(id))
			return true;
		if (o->steps != steps) {
			steps = o->steps;
			begin = now_ms();
		}
		passed = now_ms() - begin;
		if (passed > HANG_MS)
			return false;
		if (passed > run_patience_ms + KILL_MS && !killed) {
			killed = true;
			kill(pids[id], SIGKILL);
		} else if (passed > run_patience_ms && o->tid) {
			syscall(SYS_tgkill, pids[id], o->tid, SIGUSR1);
		}
	}
	return true;
}

static void give(unsigned int actor, __u32 first, __u32 n)
{
	struct order *o = &stage->order[actor];

	if (gone(actor / THREADS))
		return;
	o->first = first;
	o->n = n;
	__atomic_add_fetch(&o->given, 1, __ATOMIC_RELEASE);
	futex_wake(&o->given);
}

static bool settle_all(void)
{
	unsigned int i;

	for (i = 0; i < ACTORS; i++)
		if (pids[i / THREADS] && !settle(i))
			return false;
	return true;
}

static bool clean_all(unsigned int used)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		if (!(used & 1 << i) || gone(i))
			continue;
		give(i * THREADS, 0, 0);
		if (!settle(i * THREADS))
			return false;
	}
	return true;
}

/* The steps from @i on that go to the same actor in one order. */
static __u32 same_actor(const struct program *p, __u32 i)
{
	__u32 n = 1;

	while (i + n < p->n && !(p->step[i + n - 1].actor & STEP_ASYNC) &&
	       step_actor(&p->step[i + n]) == step_actor(&p->step[i]))
		n++;
	return n;
}

static bool play(const struct program *p)
{
	__u32 i, n;

	for (i = 0; i < p->n; i += n) {
		unsigned int actor = step_actor(&p->step[i]);

		n = same_actor(p, i);
		if (!settle(actor))
			return false;
		give(actor, i, n);
		if (!(p->step[i + n - 1].actor & STEP_ASYNC) && !settle(actor))
			return false;
	}
	return settle_all();
}

int run_program(const struct program *p)
{
	unsigned int used = 0, i;

	for (i = 0; i < p->n; i++)
		used |= 1 << step_process(&p->step[i]);
	stage->program = *p;
	memset(stage->told.recent, 0, sizeof(stage->told.recent));
	memset(stage->told.area, 0, sizeof(stage->told.area));
	stage->fresh = 0;
	for (i = 0; i < PROCESSES; i++)
		if (used & 1 << i && gone(i))
			spawn(i);
	if (!play(p) || !clean_all(used))
		return -1;
	__atomic_add_fetch(&tally->programs, 1, __ATOMIC_RELAXED);
	return stage->fresh;
}

void run_start(struct tally *shared, __u8 *counters)
{
	struct rlimit files = { 256, 256 }, core = { };
	unsigned int i;

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_CORE, &core);
	tally = shared;
	edges = counters;
	injection_set_up();
	netlink_learn();
	text = module_text();
	if (!text)
		edges = NULL;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		abort();
	for (i = 0; i < PROCESSES; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, box[i]))
			abort();
	for (i = 0; i < PROCESSES; i++)
		spawn(i);
}
