/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The demo: one publisher hands a file to three readers, over Sluice and over
 * what there is else.
 *
 * main.c	tells the story and judges
 * job.c	one job: processes, a kill, measurements
 * roles.c	what publisher, hasher, compressor and writer do
 * over_sluice.c, over_stream.c	ways to hand chunks over
 * check.c	whether what came out is what went in
 */
#ifndef SLUICE_DEMO_H
#define SLUICE_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sluice/sluice.h>

#define CHUNK		(256 * 1024)
#define READERS		3
#define DIGEST_SIZE	32

enum role { HASHER, COMPRESSOR, WRITER, PUBLISHER, ROLES };

/* Ways to hand over --------------------------------------------------------- */

/**
 * struct chunk - a piece of the file in a reader's hands
 * @data: its bytes
 * @length: how many
 * @position: which piece, from 0
 * @message: over Sluice: what it came in
 */
struct chunk {
	const void *data;
	size_t length;
	uint64_t position;
	struct sluice_message message;
};

struct way;

/**
 * struct way_ops - one way to hand chunks from a publisher to readers
 * @name: for the table
 * @make: in the parent, before the processes are made
 * @free: in the parent, when they are made
 * @join_publisher: in the publisher
 * @room: where to write the next chunk, CHUNK bytes
 * @send: the chunk that was written there
 * @finish: there are no more
 * @join_reader: in a reader
 * @next: wait for a chunk; false at the end
 * @release: be done with it
 *
 * A failure ends the process with a message. Each operation adds to
 * way->copied the bytes it has copied.
 */
struct way_ops {
	const char *name;
	struct way *(*make)(void);
	void (*free)(struct way *way);
	void (*join_publisher)(struct way *way);
	void *(*room)(struct way *way);
	void (*send)(struct way *way, size_t length);
	void (*finish)(struct way *way);
	void (*join_reader)(struct way *way, enum role reader);
	bool (*next)(struct way *way, struct chunk *chunk);
	void (*release)(struct way *way, struct chunk *chunk);
};

struct way {
	const struct way_ops *ops;
	uint64_t copied;
};

extern const struct way_ops over_sluice, over_pipes, over_sockets;

#define CHANNEL_NAME "demo"

/* Roles --------------------------------------------------------------------- */

/**
 * struct report - what a process tells its parent, in shared memory
 * @ready: it has joined
 * @bytes: of the file it is done with
 * @copied: bytes its way of handing over copied, as counted at each call
 * @syscall_bytes: bytes it moved by read() and write(), as the kernel counts
 * @file_bytes: of those, bytes of files it read or wrote itself
 * @digest: hasher: of all it got
 * @resumed: restarted writer: chunks that were written already
 * @first: restarted writer: first chunk that history had
 * @lost: restarted writer: chunks that neither it nor history had
 * @caught_up: restarted writer: chunks that came from history
 * @mapping: where the first chunk lies, a line of /proc/self/maps
 */
struct report {
	atomic_bool ready;
	atomic_ullong bytes;
	uint64_t copied;
	uint64_t syscall_bytes;
	uint64_t file_bytes;
	uint8_t digest[DIGEST_SIZE];
	uint64_t resumed;
	uint64_t first;
	uint64_t lost;
	uint64_t caught_up;
	char mapping[128];
};

/**
 * struct job - one run
 * @ops: the way
 * @input: path of the file
 * @size: of it
 * @copy: path for the writer
 * @compressed: path for the compressor
 * @idle: readers only look at one byte of each page
 * @kill_writer: kill it midway, and start it again
 * @reports: of the processes, in shared memory
 * @go: in shared memory: the publisher may start
 * @wall: out: seconds
 * @cpu: out: seconds of all processes, in user space and in the kernel
 * @copied: out: bytes that handing over copied
 */
struct job {
	const struct way_ops *ops;
	const char *input;
	uint64_t size;
	const char *copy;
	const char *compressed;
	bool idle;
	bool kill_writer;
	struct report *reports;
	atomic_bool *go;
	double wall;
	double cpu;
	uint64_t copied;
};

const char *role_name(enum role role);

/* The whole life of a process of a job. @restarted: the writer's second one. */
_Noreturn void play(const struct job *job, struct way *way, enum role role,
		    bool restarted);

/* Jobs ---------------------------------------------------------------------- */

/* Return: true if every process did its part; what went wrong has been said. */
bool run_job(struct job *job);

/* Checks -------------------------------------------------------------------- */

bool digest_of_file(const char *path, uint8_t *digest);
bool digest_of_compressed(const char *path, uint8_t *digest);
bool same_file(const char *path, const char *other);
bool same_when_decompressed(const char *path, const char *other);

/* Telling ------------------------------------------------------------------- */

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A line about how far things are; the next one takes its place. */
void show_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void clear_progress(void);
double seconds(void);
ssize_t read_whole(int fd, void *buf, size_t size);
void write_whole(int fd, const void *buf, size_t size, const char *what);

#endif
