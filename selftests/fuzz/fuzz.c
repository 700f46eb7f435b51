// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's side: programs are its inputs, KCOV's edges its counters. It keeps
 * what is new and chooses what to change; how to change a program is told here.
 *
 * Environment:
 *
 *	FUZZ_JOURNAL	a terminal, or a file of the host, that gets each program
 *			before it is run, so that it is known if it is the
 *			kernel's end
 *	FUZZ_TALLY	a file that several fuzzers share
 *	FUZZ_CALLS	after how many calls of all of them to end
 *	FUZZ_STOP	a file that, as soon as there is one, ends it, too
 *	FUZZ_UNPACK	a directory to put what is in the repository
 *	FUZZ_KEEP	a file for programs that were first anywhere, as text
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"
#include "run.h"

#define PAGE_SIZE	4096
#define JOURNAL_MAX	(64 << 10)

/* libFuzzer looks for what is in a section of this name. */
__attribute__((section("__libfuzzer_extra_counters"), aligned(PAGE_SIZE)))
static __u8 counters[COVER_EDGES];

static struct tally *tally;
static __u64 calls_wanted;
static const char *stop;
static FILE *journal, *keep;
static int kernel_log;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void share_counters(void)
{
	if (mmap(counters, sizeof(counters), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		die("fuzz: counters");
}

static void share_tally(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*tally)))
		die(path);
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (tally == MAP_FAILED)
		die(path);
	close(fd);
}

static void unpack_corpus(const char *directory)
{
	const char *text = corpus_text;
	struct program p;
	char path[256];
	unsigned int i;

	for (i = 0; *text && (text = program_from_text(&p, text)); i++) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/kept-%04u", directory, i);
		f = fopen(path, "w");
		if (!f || fwrite(p.step, sizeof(*p.step), p.n, f) != p.n || fclose(f))
			die(path);
	}
	if (!text)
		exit(1);
}

static FILE *file_named_by(const char *variable, const char *mode)
{
	const char *path = getenv(variable);
	FILE *f = path ? fopen(path, mode) : NULL;

	if (path && !f)
		die(path);
	return f;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *path = getenv("FUZZ_TALLY"), *n = getenv("FUZZ_CALLS");

	if (getenv("FUZZ_UNPACK"))
		unpack_corpus(getenv("FUZZ_UNPACK"));
	journal = file_named_by("FUZZ_JOURNAL", "w");
	keep = file_named_by("FUZZ_KEEP", "a");
	calls_wanted = n ? strtoull(n, NULL, 0) : 0;
	stop = getenv("FUZZ_STOP");
	share_counters();
	share_tally(path ? path : "/dev/shm/fuzz");
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	lseek(kernel_log, 0, SEEK_END);
	run_start(tally, counters);
	return 0;
}

static __u64 calls_made(void)
{
	__u64 n = 0;
	unsigned int i;

	for (i = 0; i < n_calls; i++)
		n += __atomic_load_n(&tally->made[i], __ATOMIC_RELAXED);
	return n;
}

static void say(FILE *f, const char *what, const struct program *p)
{
	fprintf(f, "%s", what);
	program_print(p, f);
	fflush(f);
}

/* A file would grow for ever: there are its end, and what was before that. */
static void journal_turn(void)
{
	const char *path = getenv("FUZZ_JOURNAL");
	char before[256];

	if (ftell(journal) < JOURNAL_MAX)
		return;
	snprintf(before, sizeof(before), "%s.before", path);
	rename(path, before);
	journal = freopen(path, "w", journal);
	if (!journal)
		die(path);
}

/* Whether the kernel complained since the last look. */
static bool complaint(void)
{
	static const char *const words[] = {
		"WARNING", "BUG:", "KASAN", "UBSAN", "INFO: ", "memory leak", "refcount_t",
	};
	bool found = false;
	char line[2048];
	unsigned int i;
	ssize_t n;

	while ((n = read(kernel_log, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		if (n <= 0)
			continue;
		line[n] = 0;
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			found |= strstr(line, words[i]) != NULL;
		errno = 0;
	}
	return found;
}

/* A program that is worth a look ends the run. */
static void finding(const char *what, const struct program *p)
{
	say(stdout, what, p);
	_exit(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct program p;
	int fresh;

	program_from_bytes(&p, data, size);
	if (!p.n)
		return 0;
	if (journal) {
		journal_turn();
		say(journal, "", &p);
	}
	fresh = run_program(&p);
	if (fresh < 0)
		finding("# this one hangs\n", &p);
	if (complaint())
		finding("# the kernel complained of this one\n", &p);
	if (fresh && keep)
		say(keep, "", &p);
	if ((calls_wanted && calls_made() >= calls_wanted) || (stop && !access(stop, F_OK)))
		_exit(0);
	return 0;
}

/*
 * Mutation.
 */
static __u64 state;

static unsigned int below(unsigned int n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 16) % n;
}

/* What the descriptors and mappings of a process are, before step @end. */
static void kinds_before(const struct program *p, unsigned int end, unsigned int process,
			 unsigned int *fd, unsigned int *mapping)
{
	unsigned int sent = ANY, i;

	memset(fd, 0, SLOTS * sizeof(*fd));
	memset(mapping, 0, MAPPINGS * sizeof(*mapping));
	fd[0] = DEVICE;
	for (i = 0; i < end; i++) {
		const struct step *s = &p->step[i];
		unsigned int gives = step_gives(s);

		if (!strcmp(step_call(s)->name, "send")) {
			sent = fd[s->fd % SLOTS];
			continue;
		}
		if (step_process(s) != process || gives == NOTHING)
			continue;
		if (gives == IN_FLIGHT)
			gives = sent;
		if (gives == MAPPING)
			mapping[s->out % MAPPINGS] = MAPPING;
		else if (s->out % SLOTS)
			fd[s->out % SLOTS] = gives;
		if (gives == SOCKET && s->out % SLOTS < SLOTS - 1)
			fd[s->out + 1] = gives;
	}
}

/* One of those of a sort, or -1. */
static int one_of(const unsigned int *kind, unsigned int n, unsigned int wanted)
{
	unsigned int at = below(n), i;

	for (i = 0; i < n; i++, at = (at + 1) % n)
		if (kind[at] & wanted)
			return at;
	return -1;
}

static __u8 some_parameter(void)
{
	switch (below(16)) {
	case 0:
		return below(256);
	case 1 ... 5:
		return below(8);
	case 6:
		return below(16);
	default:
		return 0;
	}
}

/* Some parameters say which descriptor: nearly always a good one. */
static void choose_descriptors(struct step *s, const unsigned int *fd)
{
	const struct call *c = step_call(s);
	unsigned int i;

	for (i = 0; c->cmd && i < call_params(c); i++) {
		const struct field *f = i < c->n ? &c->fields[i] : &c->element[i - c->n];
		int slot;

		if (f->type != SLOT || !below(16))
			continue;
		slot = one_of(fd, SLOTS, f->arg);
		if (slot >= 0)
			s->param[i] = slot;
	}
}

static void new_step(struct program *p, unsigned int at, struct step *s)
{
	unsigned int fd[SLOTS], mapping[MAPPINGS], tries, i;
	int slot = -1;

	memset(s, 0, sizeof(*s));
	s->actor = at && below(2) ? p->step[at - 1].actor & ~STEP_ASYNC : below(ACTORS);
	if (!below(8))
		s->actor |= STEP_ASYNC;
	kinds_before(p, at, step_process(s), fd, mapping);
	for (tries = 0; tries < 12 && slot < 0; tries++) {
		const struct call *c;

		s->call = below(n_calls);
		c = step_call(s);
		if (c->rare && below(8))
			continue;
		if (c->takes == NOTHING)
			slot = 0;
		else if (c->takes == MAPPING)
			slot = one_of(mapping, MAPPINGS, MAPPING);
		else
			slot = one_of(fd, SLOTS, c->takes);
	}
	s->fd = slot >= 0 ? slot : below(16);
	s->out = 1 + below(10);
	if (!below(12))
		s->where = below(12);
	if (!below(12))
		s->where |= below(12) << 4;
	if (!below(40))
		s->variant = below(8);
	if (!below(20))
		s->variant |= (1 + below(31)) << 3;
	for (i = 0; i < call_params(step_call(s)); i++)
		s->param[i] = some_parameter();
	choose_descriptors(s, fd);
}

static void insert(struct program *p, unsigned int at, const struct step *s, unsigned int n)
{
	if (p->n + n > STEPS_MAX)
		n = STEPS_MAX - p->n;
	memmove(&p->step[at + n], &p->step[at], (p->n - at) * sizeof(*s));
	memcpy(&p->step[at], s, n * sizeof(*s));
	p->n += n;
}

static void cut(struct program *p, unsigned int at, unsigned int n)
{
	if (n > p->n - at)
		n = p->n - at;
	memmove(&p->step[at], &p->step[at + n], (p->n - at - n) * sizeof(p->step[0]));
	p->n -= n;
}

static void change_step(struct step *s)
{
	unsigned int n = call_params(step_call(s));

	switch (below(10)) {
	case 0:
		s->actor = below(ACTORS) | (s->actor & STEP_ASYNC);
		break;
	case 1:
		s->actor ^= STEP_ASYNC;
		break;
	case 2:
		s->fd = below(16);
		break;
	case 3:
		s->where = below(2) ? 0 : below(12) | below(12) << 4;
		break;
	case 4:
		s->variant = below(3) ? 0 : below(8);
		if (below(2))
			s->variant |= below(32) << 3;
		break;
	default:
		if (n)
			s->param[below(n)] = below(3) ? below(16) : below(256);
	}
}

static void mutate(struct program *p)
{
	unsigned int at = below(p->n + 1);
	struct step s[8];

	if (!p->n || !below(3)) {
		new_step(p, at, &s[0]);
		insert(p, at, s, 1);
		return;
	}
	at = below(p->n);
	switch (below(8)) {
	case 0:
		if (p->n > 1)
			cut(p, at, 1 + (below(4) ? 0 : below(6)));
		break;
	case 1: {	/* the same again, perhaps by another */
		unsigned int n = 1 + below(4);

		if (n > p->n - at)
			n = p->n - at;
		memcpy(s, &p->step[at], n * sizeof(*s));
		if (below(2))
			s[0].actor = below(ACTORS);
		insert(p, below(p->n + 1), s, n);
		break;
	}
	case 2:		/* two change places */
		s[0] = p->step[at];
		p->step[at] = p->step[p->n / 2];
		p->step[p->n / 2] = s[0];
		break;
	default:
		change_step(&p->step[at]);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	unsigned int rounds;
	struct program p;

	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	program_from_bytes(&p, data, size);
	for (rounds = 1 + below(4); rounds; rounds--)
		mutate(&p);
	if (p.n > max / sizeof(struct step))
		p.n = max / sizeof(struct step);
	memcpy(data, p.step, p.n * sizeof(struct step));
	return p.n * sizeof(struct step);
}

/* The beginning of one and the end of another, or one after the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b,
				 size_t b_size, uint8_t *out, size_t max,
				 unsigned int seed)
{
	struct program p, q;
	unsigned int from;

	state = seed * 0x9e3779b97f4a7c15ULL + 1;
	program_from_bytes(&p, a, a_size);
	program_from_bytes(&q, b, b_size);
	if (below(2) && p.n)
		p.n = 1 + below(p.n);
	from = below(2) && q.n ? below(q.n) : 0;
	insert(&p, below(2) ? p.n : below(p.n + 1), &q.step[from], q.n - from);
	if (p.n > max / sizeof(struct step))
		p.n = max / sizeof(struct step);
	memcpy(out, p.step, p.n * sizeof(struct step));
	return p.n * sizeof(struct step);
}
