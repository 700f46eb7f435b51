/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sluice-bench: what everything in this directory shares.
 *
 * A *peer* is one way of moving messages (struct bench_link) or of keeping
 * others out (struct bench_lock), Sluice being one of them. A *measure* drives
 * any of them through the same steps, with the same payload and checks. So a
 * new peer is one file in peers/, and nothing else changes: see peers/README.md.
 *
 * A measure forks its processes anew for every repetition and takes the peers
 * in turn, so that what else the machine does hits all of them alike. A run in
 * which anybody received something wrong gives no figure.
 */
#ifndef SLUICE_BENCH_H
#define SLUICE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Time -------------------------------------------------------------------- */

/*
 * The processor's own clock where there is one that a program can read: in User
 * Mode Linux, clock_gettime() is a system call, and a dear one.
 */
static inline uint64_t bench_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r" (ticks));
	return ticks;
#else
#error "no clock that a program can read is known here"
#endif
}

void bench_clock_init(void);
double bench_ns(uint64_t ticks);

/*
 * Long series are timed in so many blocks, and the median block counts: a
 * moment in which the machine did something else spoils one of them, not all.
 */
#define BLOCKS	64u

/* The median of some times, which are sorted by that. */
uint64_t bench_median(uint64_t *ticks, size_t count);

static inline void bench_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("yield" : : : "memory");
#endif
}

/* Payload ----------------------------------------------------------------- */

/* Every word says which message it is of, and where in it. */
static inline void payload_write(void *room, size_t size, uint64_t sequence)
{
	uint64_t *words = room;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = sequence + i;
}

static inline bool payload_is(const void *data, size_t size, uint64_t sequence)
{
	const uint64_t *words = data;
	uint64_t wrong = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		wrong |= words[i] ^ (sequence + i);
	return !wrong;
}

/* Peers that move messages --------------------------------------------------- */

/* What a link can do; a measure leaves those out that cannot do what it needs. */
#define LINK_BUSY	0x01	/* wait for messages without a system call */
#define LINK_SLEEP	0x02	/* wait in the kernel, at once */
#define LINK_STREAM	0x04	/* have many messages in flight */
#define LINK_FANOUT	0x08	/* several receivers get every message */
#define LINK_FUNNEL	0x10	/* several senders to one receiver */
#define LINK_IN_PLACE	0x20	/* the receiver reads what the sender wrote: no copy */
#define LINK_BARE	0x40	/* carries no payload: a limit, not a way */

/**
 * struct bench_shape - what a link is to carry
 * @size: bytes of the longest message, a multiple of 8
 * @senders: how many processes send
 * @receivers: how many receive each message
 * @depth: messages that must fit without a receiver's help
 * @batch: messages between two calls of flush()
 * @sleep: who waits sleeps at once, instead of looking again and again
 * @queue: there is more than one sender, and one receiver takes each message
 */
struct bench_shape {
	size_t size;
	unsigned int senders;
	unsigned int receivers;
	unsigned int depth;
	unsigned int batch;
	bool sleep;
	bool queue;
};

/**
 * struct bench_link - a way from senders to receivers
 * @name: in results and on the command line
 * @title: for people
 * @can: LINK_*
 * @size_max: longest message, 0: any
 * @missing: NULL, or returns why it cannot be had here, NULL if it can
 * @open: make one, before the processes are forked; may keep a @shape
 * @join_sender: called in each sender's process, with its index
 * @join_receiver: called in each receiver's process, with its index
 * @room: where to write the next message to
 * @push: it is written; it need not move before flush()
 * @flush: it must move now
 * @receive: the next message; waits for it as the shape says
 * @release: the message is read; a batch's may be released together
 * @close: in the parent, when all its processes have ended
 *
 * Whatever fails ends the process with bench_die().
 */
struct bench_link {
	const char *name;
	const char *title;
	unsigned int can;
	size_t size_max;
	const char *(*missing)(void);
	void *(*open)(const struct bench_shape *shape);
	void (*join_sender)(void *link, unsigned int index);
	void (*join_receiver)(void *link, unsigned int index);
	void *(*room)(void *link, size_t size);
	void (*push)(void *link, void *room, size_t size);
	void (*flush)(void *link);
	const void *(*receive)(void *link, size_t size);
	void (*release)(void *link);
	void (*close)(void *link);
	struct bench_link *next;
};

/* Peers that keep others out --------------------------------------------------- */

#define LOCK_WAITS	0x1	/* who wants it sleeps until it has it */

/**
 * struct bench_lock - a way to exclude others
 * @name: in results and on the command line
 * @title: for people
 * @can: LOCK_*
 * @missing: as of struct bench_link
 * @open: make one, before the processes are forked
 * @join: called in each process
 * @lock: wait for it, and have it alone
 * @unlock: let it go
 * @close: in the parent, at the end
 */
struct bench_lock {
	const char *name;
	const char *title;
	unsigned int can;
	const char *(*missing)(void);
	void *(*open)(void);
	void (*join)(void *lock);
	void (*lock)(void *lock);
	void (*unlock)(void *lock);
	void (*close)(void *lock);
	struct bench_lock *next;
};

void bench_link_add(struct bench_link *link);
void bench_lock_add(struct bench_lock *lock);
struct bench_link *bench_links(void);
struct bench_lock *bench_locks(void);
struct bench_link *bench_link_find(const char *name);
struct bench_lock *bench_lock_find(const char *name);

#define BENCH_LINK(variable)						\
	static __attribute__((constructor)) void variable##_add(void)	\
	{								\
		bench_link_add(&variable);				\
	}
#define BENCH_LOCK(variable)						\
	static __attribute__((constructor)) void variable##_add(void)	\
	{								\
		bench_lock_add(&variable);				\
	}

/* Processes ----------------------------------------------------------------- */

#define CREW_MAX	128
#define CREW_SAMPLES	(1 << 15)

/**
 * struct crew - processes that measure something together
 * @count: of them
 * @value: what each came to; a measure says what that is
 * @word: for the measure's own use, zero at first
 * @samples: single times, in ticks
 * @sampled: how many
 */
struct crew {
	unsigned int count;
	unsigned int arrived;
	unsigned int phase;
	char failure[200];
	double value[CREW_MAX];
	_Alignas(64) uint64_t word[8];
	_Alignas(64) uint64_t sampled;
	uint64_t samples[CREW_SAMPLES];
};

typedef void crew_fn(struct crew *crew, unsigned int index, void *data);

/* Process 0 on one CPU and all others on another, or everybody on the same. */
enum crew_place { CREW_APART, CREW_TOGETHER, CREW_SPREAD };

/**
 * crew_run() - fork, pin and run processes
 * @count: of them
 * @place: on which CPUs
 * @fn: what each does
 * @data: handed to @fn
 *
 * Return: what they left, valid until the next call, or NULL if one of them
 * failed; then crew_failure() tells why.
 */
struct crew *crew_run(unsigned int count, enum crew_place place,
			    crew_fn *fn, void *data);
const char *crew_failure(void);

/* Wait until all processes of the crew are here. */
void crew_meet(struct crew *crew);

/* End this process, and with it the run, saying why. Before a run: everything. */
__attribute__((noreturn, format(printf, 1, 2)))
void bench_die(const char *format, ...);

#define bench_check(condition)						\
	do {								\
		if (__builtin_expect(!(condition), 0))			\
			bench_die("%s:%d: not so: %s", __FILE__,	\
				  __LINE__, #condition);		\
	} while (0)

/* The call's value, which is not to be negative: a system call's, or -errno. */
long bench_sys(long value, const char *what);
#define bench_try(call)		bench_sys((long)(call), #call)

/* MAP_SHARED memory, all of it touched. */
void *bench_shared(size_t size);

/* Measures ------------------------------------------------------------------- */

/**
 * struct bench_run - how the whole program was asked to run
 * @reps: repetitions
 * @scale: everything's length is divided by it
 * @quick: for development: figures are rough
 */
struct bench_run {
	unsigned int reps;
	unsigned int scale;
	bool quick;
};

extern struct bench_run bench_run;

/**
 * struct bench_measure - something to measure
 * @name: what the command line selects
 * @title: for people
 * @run: measures it once, with everybody in turn: repetition @rep
 */
struct bench_measure {
	const char *name;
	const char *title;
	void (*run)(unsigned int rep);
	struct bench_measure *next;
};

void bench_measure_add(struct bench_measure *measure);

#define BENCH_MEASURE(variable)						\
	static __attribute__((constructor)) void variable##_add(void)	\
	{								\
		bench_measure_add(&variable);				\
	}

/**
 * struct bench_record - one figure of one repetition
 * @peer: of whom
 * @key: which of the measure's figures, or NULL
 * @param: a number that it depends on: bytes, subscribers, objects
 * @value: the figure
 * @unit: its unit
 * @samples: single times in ticks, for percentiles, or NULL
 * @sampled: how many
 */
struct bench_record {
	const char *peer;
	const char *key;
	uint64_t param;
	double value;
	const char *unit;
	const uint64_t *samples;
	size_t sampled;
};

void bench_emit(const struct bench_record *record);

/* The run of a peer that gave no figure, and why. */
void bench_emit_failure(const char *peer, const char *key, uint64_t param,
			const char *why);

/* Is that peer to be measured: asked for, and to be had? */
bool bench_wanted(const char *peer, const char *(*missing)(void));

#endif /* SLUICE_BENCH_H */
