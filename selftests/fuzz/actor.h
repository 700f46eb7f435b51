/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Actors: the threads of several processes that run a program's steps.
 */
#ifndef FUZZ_ACTOR_H
#define FUZZ_ACTOR_H

#include <setjmp.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"
#include "memory.h"

#define RECENT_MAX	8

/*
 * Where programs map, and nobody else: the heap of a static program may begin
 * anywhere in the gigabyte that follows its code. One of 32 bits has it in 32 MiB.
 */
#if __SIZEOF_POINTER__ > 4
#define WINDOW		((unsigned char *)0x2000000000)
#else
#define WINDOW		((unsigned char *)0x20000000)
#endif
#define WINDOW_SIZE	(512UL << 20)

/* Something that can be mapped, as the kernel said. */
struct area {
	__u64 offset;
	__u64 size;
	__u32 slots_offset, slot_size, slots;	/* of a lane */
	__u32 lanes_offset, lanes;		/* of a cursor */
	__u32 pins_offset, pins;
};

struct mapping {
	unsigned char *at;
	size_t size;
	struct area area;
};

/**
 * struct told - what the kernel told anybody, in this program
 * @pid: of the processes
 * @recent: the latest first
 * @area: likewise
 */
struct told {
	pid_t pid[PROCESSES];
	__u64 recent[RECENTS][RECENT_MAX];
	struct area area[RECENT_MAX];
};

/* One process of the fuzzer: what its threads share. */
struct process {
	unsigned int id;
	int fd[SLOTS];
	struct mapping map[MAPPINGS];
	size_t window;		/* bytes of it that were given */
	int inbox, outbox[PROCESSES];
	int first_fd;		/* everything from here on is the program's */
	pid_t child[4];
	struct slow slow;
};

/* One of its threads. */
struct thread {
	struct process *process;
	unsigned int actor;
	struct told *told;
	struct arena arena[2];	/* of the argument, of what it points to */
	int nth_fd;		/* where the kernel is told what shall fail */
	int kcov_fd;
	unsigned long *kcov;	/* NULL: nobody counts */
	int steps_left;		/* of a child, before it ends; else -1 */
};

void told_value(struct thread *t, enum recent which, __u64 value);
void told_area(struct thread *t, const struct area *area);

/* The number that descriptor @slot has in this process. */
static inline int thread_fd(struct thread *t, unsigned int slot)
{
	return t->process->fd[slot % SLOTS];
}

static inline void thread_keep(struct thread *t, unsigned int slot, int fd)
{
	if (fd >= t->process->first_fd && slot % SLOTS)
		t->process->fd[slot % SLOTS] = fd;
}

/* Calls of calls.c that are made of others: plain.c. */
long run_device(struct thread *t, const struct step *s);
long run_mmap(struct thread *t, const struct step *s);
long run_munmap(struct thread *t, const struct step *s);
long run_mremap(struct thread *t, const struct step *s);
long run_mprotect(struct thread *t, const struct step *s);
long run_madvise(struct thread *t, const struct step *s);
long run_remap(struct thread *t, const struct step *s);
long run_publish(struct thread *t, const struct step *s);
long run_begin(struct thread *t, const struct step *s);
long run_pin(struct thread *t, const struct step *s);
long run_word(struct thread *t, const struct step *s);
long run_poke(struct thread *t, const struct step *s);
long run_peek(struct thread *t, const struct step *s);
long run_fork(struct thread *t, const struct step *s);
long run_exec(struct thread *t, const struct step *s);
long run_kill(struct thread *t, const struct step *s);
long run_send(struct thread *t, const struct step *s);
long run_receive(struct thread *t, const struct step *s);
long run_close(struct thread *t, const struct step *s);
long run_dup(struct thread *t, const struct step *s);
long run_poll(struct thread *t, const struct step *s);
long run_epoll(struct thread *t, const struct step *s);
long run_read(struct thread *t, const struct step *s);
long run_write(struct thread *t, const struct step *s);
long run_fdinfo(struct thread *t, const struct step *s);
long run_flags(struct thread *t, const struct step *s);
long run_sockets(struct thread *t, const struct step *s);
long run_tcp(struct thread *t, const struct step *s);
long run_file(struct thread *t, const struct step *s);
long run_eventfd(struct thread *t, const struct step *s);
long run_flock(struct thread *t, const struct step *s);
long run_sleep(struct thread *t, const struct step *s);

/* netlink.c */
void netlink_learn(void);
long run_netlink(struct thread *t, const struct step *s);
long run_dump(struct thread *t, const struct step *s);

/* ioctl.c */
long run_ioctl(struct thread *t, const struct step *s);

#endif /* FUZZ_ACTOR_H */
