// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the processes of a job do.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "demo.h"

#define LEVEL 1

const char *role_name(enum role role)
{
	static const char *const names[] = {
		"hasher", "compressor", "writer", "publisher",
	};

	return names[role];
}

/* One process: @job and @way with what it keeps while it runs. */
struct actor {
	const struct job *job;
	struct way *way;
	struct report *report;
	EVP_MD_CTX *digest;
	ZSTD_CCtx *zstd;
	char *out;		/* of the compressor */
	int fd;			/* file read or written */
	uint64_t written;	/* chunks the writer has */
};

/*
 * What this process has moved by read() and write(), by the kernel's books.
 * Looking there is reading, too, and is left out.
 */
static uint64_t kernel_count(void)
{
	static uint64_t looked;
	unsigned long long rchar, wchar;
	int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0)
		text[n] = '\0';
	if (n <= 0 || sscanf(text, "rchar: %llu wchar: %llu", &rchar, &wchar) != 2)
		die("cannot read /proc/self/io, which counts what is copied");
	close(fd);
	rchar -= looked;
	looked += n;
	return rchar + wchar;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/* The line of /proc/self/maps that tells whose memory a chunk is in. */
static void find_mapping(struct report *report, const void *data)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    (unsigned long)data >= from && (unsigned long)data < to) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(report->mapping, sizeof(report->mapping), "%.127s", line);
		}
	}
	if (maps)
		fclose(maps);
}

/* Publisher ----------------------------------------------------------------- */

static void publish_file(struct actor *actor)
{
	const struct way_ops *ops = actor->way->ops;
	ssize_t n;

	for (;;) {
		/* Where the readers will find it. */
		void *room = ops->room(actor->way);

		if (actor->job->kill_writer && !actor->report->mapping[0])
			find_mapping(actor->report, room);
		n = read_whole(actor->fd, room, CHUNK);
		if (n < 0)
			die("%s: %s", actor->job->input, strerror(errno));
		if (n == 0)
			break;
		ops->send(actor->way, n);
		actor->report->file_bytes += n;
		atomic_fetch_add(&actor->report->bytes, n);
	}
	ops->finish(actor->way);
}

/* Hasher -------------------------------------------------------------------- */

static void hash_chunk(struct actor *actor, const struct chunk *chunk)
{
	if (!EVP_DigestUpdate(actor->digest, chunk->data, chunk->length))
		die("hasher: libcrypto refuses");
}

static void hash_end(struct actor *actor)
{
	if (!EVP_DigestFinal_ex(actor->digest, actor->report->digest, NULL))
		die("hasher: libcrypto refuses");
}

/* Compressor ---------------------------------------------------------------- */

static void compress_some(struct actor *actor, const void *data, size_t length,
			  ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { data, length, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { actor->out, ZSTD_CStreamOutSize(), 0 };

		left = ZSTD_compressStream2(actor->zstd, &out, &in, end);
		if (ZSTD_isError(left))
			die("compressor: %s", ZSTD_getErrorName(left));
		write_whole(actor->fd, actor->out, out.pos, actor->job->compressed);
		actor->report->file_bytes += out.pos;
	} while (end == ZSTD_e_end ? left : in.pos < in.size);
}

/* Writer -------------------------------------------------------------------- */

/* What the file does not have and nobody will send again: read it at the source. */
static void fetch_lost(struct actor *actor, uint64_t from, uint64_t to)
{
	int fd = open_file(actor->job->input, O_RDONLY);
	char *buf = malloc(CHUNK);

	if (!buf)
		die("no memory");
	for (uint64_t i = from; i < to; i++) {
		ssize_t n = pread(fd, buf, CHUNK, i * CHUNK);

		if (n <= 0 || pwrite(actor->fd, buf, n, i * CHUNK) != n)
			die("writer: cannot fetch what was lost: %s", strerror(errno));
		actor->report->file_bytes += 2 * n;
	}
	free(buf);
	close(fd);
}

static void write_chunk(struct actor *actor, const struct chunk *chunk)
{
	struct report *report = actor->report;
	off_t offset = chunk->position * CHUNK;

	if (chunk->position < actor->written)
		return;
	if (chunk->position > actor->written) {
		report->lost = chunk->position - actor->written;
		fetch_lost(actor, actor->written, chunk->position);
	}
	for (size_t done = 0; done < chunk->length;) {
		ssize_t n = pwrite(actor->fd, (const char *)chunk->data + done,
				   chunk->length - done, offset + done);

		if (n < 0)
			die("%s: %s", actor->job->copy, strerror(errno));
		done += n;
	}
	report->file_bytes += chunk->length;
	actor->written = chunk->position + 1;
}

/*
 * What the killed one had written is in the file; a chunk of which only a part
 * got there is written again.
 */
static void resume_writing(struct actor *actor)
{
	struct stat st;

	if (fstat(actor->fd, &st) < 0)
		die("%s: %s", actor->job->copy, strerror(errno));
	actor->written = st.st_size / CHUNK;
	actor->report->resumed = actor->written;
	atomic_store(&actor->report->bytes, actor->written * CHUNK);
}

/* Readers ------------------------------------------------------------------- */

/*
 * Instead of work: one byte of each page, so that the page must be there.
 * volatile, because nobody uses the result.
 */
static void look_at_chunk(const struct chunk *chunk)
{
	const volatile char *data = chunk->data;

	for (size_t i = 0; i < chunk->length; i += 4096)
		(void)data[i];
}

static void read_chunk(struct actor *actor, enum role role,
		       const struct chunk *chunk)
{
	if (actor->job->idle)
		look_at_chunk(chunk);
	else if (role == HASHER)
		hash_chunk(actor, chunk);
	else if (role == COMPRESSOR)
		compress_some(actor, chunk->data, chunk->length, ZSTD_e_continue);
	else
		write_chunk(actor, chunk);
}

static void read_all(struct actor *actor, enum role role, bool restarted)
{
	const struct way_ops *ops = actor->way->ops;
	struct report *report = actor->report;
	uint64_t count = 0, behind = 0;
	struct chunk chunk;

	while (ops->next(actor->way, &chunk)) {
		if (count++ == 0) {
			report->first = chunk.position;
			if (actor->job->kill_writer)
				find_mapping(report, chunk.data);
			/* What was sent before now is what it missed. */
			behind = (atomic_load(&actor->job->reports[PUBLISHER].bytes) +
				  CHUNK - 1) / CHUNK;
		}
		if (restarted && chunk.position >= actor->written &&
		    chunk.position < behind)
			report->caught_up++;
		read_chunk(actor, role, &chunk);
		atomic_store(&report->bytes, chunk.position * CHUNK + chunk.length);
		ops->release(actor->way, &chunk);
	}
}

static void prepare_reader(struct actor *actor, enum role role, bool restarted)
{
	const struct job *job = actor->job;

	if (job->idle)
		return;
	switch (role) {
	case HASHER:
		actor->digest = EVP_MD_CTX_new();
		if (!actor->digest ||
		    !EVP_DigestInit_ex(actor->digest, EVP_sha256(), NULL))
			die("hasher: libcrypto has no SHA-256");
		break;
	case COMPRESSOR:
		actor->zstd = ZSTD_createCCtx();
		actor->out = malloc(ZSTD_CStreamOutSize());
		if (!actor->zstd || !actor->out)
			die("no memory");
		ZSTD_CCtx_setParameter(actor->zstd, ZSTD_c_compressionLevel, LEVEL);
		actor->fd = open_file(job->compressed, O_WRONLY | O_CREAT | O_TRUNC);
		break;
	default:
		actor->fd = open_file(job->copy, O_WRONLY | O_CREAT |
				      (restarted ? 0 : O_TRUNC));
		if (restarted)
			resume_writing(actor);
	}
}

static void finish_reader(struct actor *actor, enum role role)
{
	if (actor->job->idle)
		return;
	if (role == HASHER)
		hash_end(actor);
	else if (role == COMPRESSOR)
		compress_some(actor, NULL, 0, ZSTD_e_end);
	if (role != HASHER && close(actor->fd) < 0)
		die("%s: cannot write: %s", role_name(role), strerror(errno));
}

static void wait_to_go(const struct job *job)
{
	const struct timespec moment = { .tv_nsec = 500000 };

	while (!atomic_load(job->go))
		nanosleep(&moment, NULL);
}

void play(const struct job *job, struct way *way, enum role role, bool restarted)
{
	struct actor actor = {
		.job = job, .way = way, .report = &job->reports[role],
	};
	struct report *report = actor.report;
	uint64_t before;

	prctl(PR_SET_NAME, role_name(role));
	if (role == PUBLISHER) {
		actor.fd = open_file(job->input, O_RDONLY);
		way->ops->join_publisher(way);
	} else {
		prepare_reader(&actor, role, restarted);
		way->ops->join_reader(way, role);
	}
	before = kernel_count();
	atomic_store(&report->ready, true);
	if (role == PUBLISHER) {
		wait_to_go(job);
		publish_file(&actor);
	} else {
		read_all(&actor, role, restarted);
		finish_reader(&actor, role);
	}
	report->syscall_bytes = kernel_count() - before;
	report->copied = way->copied;
	_exit(0);
}
