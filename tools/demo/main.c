// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice-demo FILE DIRECTORY - hand FILE to three readers at once without
 * copying it, kill one of them midway, see that nothing is missing; then do the
 * same over pipes and unix sockets, and tell what each costs. DIRECTORY is for
 * what the readers write.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "demo.h"

/* Telling ------------------------------------------------------------------- */

static bool on_terminal;
static bool drawn;

void die(const char *format, ...)
{
	va_list args;

	clear_progress();
	fputs("demo: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

/* On a terminal one line is drawn again and again, elsewhere a few are written. */
void show_progress(const char *format, ...)
{
	static double last;
	va_list args;

	/* What is over sooner needs none. */
	if (!last)
		last = seconds();
	if (seconds() - last < (on_terminal ? 0.2 : 10))
		return;
	last = seconds();
	if (on_terminal)
		fputc('\r', stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fputs(on_terminal ? "\033[K" : "\n", stdout);
	fflush(stdout);
	drawn = on_terminal;
}

void clear_progress(void)
{
	if (drawn)
		fputs("\r\033[K", stdout);
	drawn = false;
	fflush(stdout);
}

static void heading(const char *text)
{
	printf("\n%s\n\n", text);
	fflush(stdout);
}

double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

ssize_t read_whole(int fd, void *buf, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, (char *)buf + have, size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += n;
	}
	return have;
}

void write_whole(int fd, const void *buf, size_t size, const char *what)
{
	while (size) {
		ssize_t n = write(fd, buf, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("%s: cannot write: %s", what, strerror(errno));
		buf = (const char *)buf + n;
		size -= n;
	}
}

/* The story ----------------------------------------------------------------- */

struct demo {
	const char *file;
	char copy[4096];
	char compressed[4096];
	uint64_t size;
	uint8_t digest[DIGEST_SIZE];
	struct report *reports;
	atomic_bool *go;
	bool good;
};

static struct job new_job(const struct demo *demo, const struct way_ops *ops)
{
	return (struct job) {
		.ops = ops, .input = demo->file, .size = demo->size,
		.copy = demo->copy, .compressed = demo->compressed,
		.reports = demo->reports, .go = demo->go,
	};
}

static void print_digest(const uint8_t *digest)
{
	for (int i = 0; i < DIGEST_SIZE; i++)
		printf("%02x", digest[i]);
}

static void judge(struct demo *demo, const char *what, bool known,
		  const uint8_t *digest)
{
	bool equal = known && !memcmp(digest, demo->digest, DIGEST_SIZE);

	printf("   %-24s ", what);
	if (known)
		print_digest(digest);
	printf("%s\n", equal ? "" : known ? "  DIFFERENT" : "broken");
	fflush(stdout);
	demo->good &= equal;
}

static void tell_mappings(const struct demo *demo)
{
	printf("\n   The publisher reads the file into memory that it maps for writing; the readers\n"
	       "   have the same memory (the same inode) in their address space, read-only:\n\n");
	for (int i = 0; i < ROLES; i++) {
		enum role role = (PUBLISHER + i) % ROLES;

		printf("   %-11s %s\n", role_name(role), demo->reports[role].mapping);
	}
}

static void tell_comeback(const struct demo *demo)
{
	const struct report *report = &demo->reports[WRITER];
	double mib = CHUNK / 1048576.0;

	printf("\n   The new writer found %.2f MiB in the file. The channel's history began at\n"
	       "   %.2f MiB, so ", report->resumed * mib, report->first * mib);
	if (report->lost)
		printf("%.2f MiB were lost for it (chunks %llu to %llu): it knows exactly\n"
		       "   which, and read them from the file itself. ", report->lost * mib,
		       (unsigned long long)report->resumed,
		       (unsigned long long)(report->resumed + report->lost - 1));
	else
		printf("nothing was lost: ");
	printf("%.2f MiB that were\n   sent before it was there came from history.\n",
	       report->caught_up * mib);
}

static void tell_digests(struct demo *demo)
{
	uint8_t digest[DIGEST_SIZE];
	bool known;

	printf("\n   SHA-256\n");
	judge(demo, "of the file", true, demo->digest);
	judge(demo, "by the hasher", true, demo->reports[HASHER].digest);
	known = digest_of_file(demo->copy, digest);
	judge(demo, "of what was written", known, digest);
	known = digest_of_compressed(demo->compressed, digest);
	judge(demo, "of it, decompressed", known, digest);
}

static void clean_up(const struct demo *demo)
{
	unlink(demo->copy);
	unlink(demo->compressed);
	/* What is left to be written must not burden the next one. */
	sync();
}

static void tell_story(struct demo *demo)
{
	struct job job = new_job(demo, &over_sluice);

	heading("1. One file, three readers, no copy");
	printf("   One process publishes the file in chunks of %d KiB. At once, three others hash\n"
	       "   it (SHA-256), compress it (zstd), and write it to another file.\n\n",
	       CHUNK / 1024);
	job.kill_writer = true;
	demo->good &= run_job(&job);
	if (demo->good) {
		printf("   done in %.1f s\n", job.wall);
		if (demo->reports[WRITER].resumed)
			tell_comeback(demo);
		tell_mappings(demo);
		tell_digests(demo);
	}
	clean_up(demo);
}

/* Below this, ratios say nothing. */
#define SMALL (32 << 20)

/* The comparison ------------------------------------------------------------ */

static void check_outputs(struct demo *demo, const struct job *job)
{
	bool good = !memcmp(job->reports[HASHER].digest, demo->digest, DIGEST_SIZE) &&
		    same_file(demo->copy, demo->file) &&
		    same_when_decompressed(demo->compressed, demo->file);

	if (!good)
		fprintf(stderr, "demo: %s: what came out is not what went in\n",
			job->ops->name);
	demo->good &= good;
}

static void compare(struct demo *demo, bool idle)
{
	static const struct way_ops *const ways[] = {
		&over_sluice, &over_pipes, &over_sockets,
	};
	struct job jobs[sizeof(ways) / sizeof(*ways)];

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways) && demo->good; i++) {
		jobs[i] = new_job(demo, ways[i]);
		jobs[i].idle = idle;
		demo->good &= run_job(&jobs[i]);
		if (!demo->good)
			return;
		if (!idle)
			check_outputs(demo, &jobs[i]);
		clean_up(demo);
	}
	if (!demo->good)
		return;
	printf("   %-14s %10s %10s %16s\n", "", "wall, s", "CPU, s", "copied, MiB");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		printf("   %-14s %10.2f %10.2f %16.1f\n", ways[i]->name, jobs[i].wall,
		       jobs[i].cpu, jobs[i].copied / 1048576.0);
	if (demo->size < SMALL)
		printf("\n   The file is small: most of this is what making processes costs.\n");
	else
		printf("\n   Over pipes it took %.1f times the CPU time of Sluice, over unix sockets %.1f times.\n",
		       jobs[1].cpu / jobs[0].cpu, jobs[2].cpu / jobs[0].cpu);
	fflush(stdout);
}

static void tell_comparison(struct demo *demo)
{
	heading("2. The same job over Sluice, pipes and unix sockets");
	printf("   CPU is that of all four processes, in user space and in the kernel. Copied is\n"
	       "   what handing over moved through read() and write(), by the kernel's count.\n\n");
	compare(demo, false);
	if (!demo->good)
		return;
	heading("3. Handing over alone");
	printf("   Hashing and compressing cost the same everywhere and hide the difference. Now\n"
	       "   the readers only look at one byte of every page they get.\n\n");
	compare(demo, true);
}

/* Once more ----------------------------------------------------------------- */

static int count_channel(const struct sluice_stat *stat, void *data)
{
	(void)stat;
	++*(unsigned int *)data;
	return 0;
}

static void check_kernel(struct demo *demo)
{
	unsigned int count = 0;
	int error = sluice_channel_list(count_channel, &count);

	heading("4. What is left in the kernel");
	if (error)
		die("cannot list channels: %s", strerror(-error));
	printf("   channels: %u\n", count);
	demo->good &= !count;
}

static void prepare(struct demo *demo, const char *directory)
{
	struct statvfs fs;
	struct stat st;
	uint64_t room;

	if (stat(demo->file, &st) < 0)
		die("%s: %s", demo->file, strerror(errno));
	if (!S_ISREG(st.st_mode) || !st.st_size)
		die("%s: not a file with anything in it", demo->file);
	demo->size = st.st_size;
	if (statvfs(directory, &fs) < 0)
		die("%s: %s", directory, strerror(errno));
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* A copy, and one that may not have become smaller. */
	if (room < 2 * demo->size + demo->size / 8)
		die("%s: no space: the demo writes %.0f MiB there, %.0f MiB are free",
		    directory, 2.125 * demo->size / 1048576, room / 1048576.0);
	snprintf(demo->copy, sizeof(demo->copy), "%s/demo.copy", directory);
	snprintf(demo->compressed, sizeof(demo->compressed), "%s/demo.zst", directory);
	demo->reports = mmap(NULL, ROLES * sizeof(struct report) + sizeof(atomic_bool),
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (demo->reports == MAP_FAILED)
		die("no memory");
	demo->go = (atomic_bool *)(demo->reports + ROLES);
}

int main(int argc, char **argv)
{
	struct demo demo = { .good = true };
	struct sluice_info info;
	int error;

	if (argc != 3) {
		fprintf(stderr, "usage: sluice-demo FILE DIRECTORY\n");
		return 2;
	}
	demo.file = argv[1];
	on_terminal = isatty(STDOUT_FILENO) || getenv("SLUICE_DEMO_TERMINAL");
	error = sluice_query_info(&info, sizeof(info));
	if (error)
		die("/dev/sluice: %s", strerror(-error));
	prepare(&demo, argv[2]);
	/* Also puts the file into the page cache, for all ways alike. */
	if (!digest_of_file(demo.file, demo.digest))
		die("libcrypto has no SHA-256");
	tell_story(&demo);
	if (demo.good)
		tell_comparison(&demo);
	if (demo.good)
		check_kernel(&demo);
	return !demo.good;
}
