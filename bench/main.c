// SPDX-License-Identifier: GPL-2.0-only
/*
 * sluice-bench - measure Sluice and others side by side.
 *
 *	sluice-bench [-q] [-r REPS] [-m REGEX] [-p REGEX] [-g GUEST] [-o FILE]
 *	sluice-bench -l		list measures and peers
 *
 * Writes one JSON object a line: a figure of one peer in one repetition, or
 * who is missing. report.py makes results of them.
 */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

struct bench_run bench_run = { .reps = 5, .scale = 1 };

static struct bench_link *links;
static struct bench_lock *locks;
static struct bench_measure *measures;
static const struct bench_measure *current;
static unsigned int current_rep;
static const char *guest = "here";
static regex_t peers_wanted;
static FILE *out;
static double ns_per_tick;

/* --- who there is ------------------------------------------------------------ */

/* Constructors run in the order of linking: keep them sorted by name. */
#define SORTED_ADD(list, item)						\
	do {								\
		__typeof__(list) *place = &(list);			\
									\
		while (*place && strcmp((*place)->name, (item)->name) < 0) \
			place = &(*place)->next;			\
		(item)->next = *place;					\
		*place = (item);					\
	} while (0)

void bench_link_add(struct bench_link *link)
{
	SORTED_ADD(links, link);
}

void bench_lock_add(struct bench_lock *lock)
{
	SORTED_ADD(locks, lock);
}

void bench_measure_add(struct bench_measure *measure)
{
	SORTED_ADD(measures, measure);
}

struct bench_link *bench_links(void)
{
	return links;
}

struct bench_lock *bench_locks(void)
{
	return locks;
}

struct bench_link *bench_link_find(const char *name)
{
	struct bench_link *link = links;

	while (link && strcmp(link->name, name))
		link = link->next;
	return link;
}

struct bench_lock *bench_lock_find(const char *name)
{
	struct bench_lock *lock = locks;

	while (lock && strcmp(lock->name, name))
		lock = lock->next;
	return lock;
}

bool bench_wanted(const char *peer, const char *(*missing)(void))
{
	const char *why;

	if (regexec(&peers_wanted, peer, 0, NULL, 0))
		return false;
	why = missing ? missing() : NULL;
	if (why && !current_rep)
		fprintf(out, "{\"guest\":\"%s\",\"measure\":\"%s\",\"peer\":\"%s\",\"missing\":\"%s\"}\n",
			guest, current->name, peer, why);
	return !why;
}

/* --- time ---------------------------------------------------------------------- */

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e9 + now.tv_nsec;
}

/* Reading both clocks takes time too: of some tries the shortest is meant. */
static double both_clocks(uint64_t *ticks)
{
	uint64_t best = UINT64_MAX;
	double ns = 0;

	for (int i = 0; i < 20; i++) {
		uint64_t before = bench_ticks();
		double now = monotonic();
		uint64_t after = bench_ticks();

		if (after - before < best) {
			best = after - before;
			*ticks = before + best / 2;
			ns = now;
		}
	}
	return ns;
}

void bench_clock_init(void)
{
	struct timespec pause = { .tv_nsec = 200000000 };
	uint64_t from, to;
	double start, end;

	start = both_clocks(&from);
	nanosleep(&pause, NULL);
	end = both_clocks(&to);
	ns_per_tick = (end - start) / (double)(to - from);
}

double bench_ns(uint64_t ticks)
{
	return ticks * ns_per_tick;
}

static int compare_ticks(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t bench_median(uint64_t *ticks, size_t count)
{
	qsort(ticks, count, sizeof(*ticks), compare_ticks);
	return count ? ticks[count / 2] : 0;
}

/* --- what comes out -------------------------------------------------------------- */

static void emit_percentiles(const uint64_t *samples, size_t count)
{
	static const double points[] = { 1, 10, 25, 50, 75, 90, 95, 99, 99.9 };
	uint64_t *sorted = malloc(count * sizeof(*sorted));

	memcpy(sorted, samples, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_ticks);
	fputs(",\"percentiles\":{", out);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		fprintf(out, "%s\"%g\":%.1f", i ? "," : "", points[i],
			bench_ns(sorted[(size_t)(points[i] / 100 * (count - 1))]));
	fputc('}', out);
	free(sorted);
}

static void emit_head(const char *peer, const char *key, uint64_t param)
{
	fprintf(out, "{\"guest\":\"%s\",\"measure\":\"%s\",\"peer\":\"%s\",\"key\":\"%s\",\"param\":%llu,\"rep\":%u",
		guest, current->name, peer, key ? key : "",
		(unsigned long long)param, current_rep);
}

void bench_emit(const struct bench_record *record)
{
	emit_head(record->peer, record->key, record->param);
	fprintf(out, ",\"value\":%.6g,\"unit\":\"%s\"", record->value,
		record->unit);
	if (record->sampled)
		emit_percentiles(record->samples, record->sampled);
	fputs("}\n", out);
	fflush(out);
}

void bench_emit_failure(const char *peer, const char *key, uint64_t param,
			const char *why)
{
	emit_head(peer, key, param);
	fputs(",\"failed\":\"", out);
	for (; *why; why++)
		fputc(*why == '"' || *why == '\\' || *why < ' ' ? '\'' : *why,
		      out);
	fputs("\"}\n", out);
	fflush(out);
	fprintf(stderr, "%s: %s: no figure: %s\n", current->name, peer,
		crew_failure());
}

/* --- the command --------------------------------------------------------------------- */

static void list(void)
{
	puts("measures:");
	for (struct bench_measure *m = measures; m; m = m->next)
		printf("  %-20s %s\n", m->name, m->title);
	puts("ways to move messages:");
	for (struct bench_link *l = links; l; l = l->next)
		printf("  %-20s %s\n", l->name, l->title);
	puts("ways to exclude others:");
	for (struct bench_lock *l = locks; l; l = l->next)
		printf("  %-20s %s\n", l->name, l->title);
}

static void measure_all(regex_t *wanted)
{
	for (struct bench_measure *m = measures; m; m = m->next) {
		double start = monotonic();

		if (regexec(wanted, m->name, 0, NULL, 0))
			continue;
		current = m;
		for (current_rep = 0; current_rep < bench_run.reps;
		     current_rep++)
			m->run(current_rep);
		fprintf(stderr, "  %s: %s: %.1f s\n", guest, m->name,
			(monotonic() - start) / 1e9);
	}
}

static void compile(regex_t *regex, const char *text)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "^(%s)$", text);
	if (regcomp(regex, whole, REG_EXTENDED | REG_NOSUB))
		bench_die("not a regular expression: %s", text);
}

int main(int argc, char **argv)
{
	const char *wanted = ".*", *peers = ".*";
	regex_t regex;
	int option;

	out = stdout;
	while ((option = getopt(argc, argv, "qlr:s:m:p:g:o:")) != -1) {
		switch (option) {
		case 'q': bench_run.quick = true; break;
		case 'l': list(); return 0;
		case 'r': bench_run.reps = atoi(optarg); break;
		case 's': bench_run.scale = atoi(optarg); break;
		case 'm': wanted = optarg; break;
		case 'p': peers = optarg; break;
		case 'g': guest = optarg; break;
		case 'o':
			out = fopen(optarg, "a");
			if (!out)
				bench_die("%s: %s", optarg, strerror(errno));
			break;
		default: return 2;
		}
	}
	if (bench_run.quick) {
		bench_run.reps = 3;
		bench_run.scale *= 2;
	}
	compile(&regex, wanted);
	compile(&peers_wanted, peers);
	bench_clock_init();
	measure_all(&regex);
	if (fflush(out) || ferror(out))
		bench_die("cannot write the results");
	return 0;
}
