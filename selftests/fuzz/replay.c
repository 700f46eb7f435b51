// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: what the fuzzer found worth keeping is run once more, on any kernel.
 * What it did to the kernel is in the kernel's log.
 *
 * timeout: 300
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/sluice.h>

#include "calls.h"
#include "run.h"

/* Every ioctl of the header, which the Makefile looks up. */
static const struct {
	const char *name;
	unsigned int cmd;
} abi[] = {
#define IOCTL(name) { #name, name },
#include "fuzz_ioctls.h"
#undef IOCTL
};

#define ABI	(sizeof(abi) / sizeof(abi[0]))

static unsigned int results, failures;

static void result(bool good, const char *what)
{
	printf("%sok %u %s\n", good ? "" : "not ", ++results, what);
	fflush(stdout);
	failures += !good;
}

static bool described(unsigned int cmd)
{
	unsigned int i;

	for (i = 0; i < n_calls; i++)
		if (calls[i].cmd == cmd)
			return true;
	printf("# nobody described ioctl %#x\n", cmd);
	return false;
}

static bool all_described(void)
{
	unsigned int i, missing = 0;

	for (i = 0; i < ABI; i++)
		missing += !described(abi[i].cmd);
	return ABI && !missing;
}

/* What is no ioctl may need luck, or never return when it succeeds. */
static bool all_succeed(const struct tally *tally)
{
	unsigned int i;

	for (i = 0; i < n_calls; i++)
		if (calls[i].cmd && !tally->well[i])
			return false;
	return true;
}

static void tell_failed(const struct tally *tally)
{
	unsigned int i;

	for (i = 0; i < n_calls; i++)
		if (!tally->well[i])
			printf("# %s: made %llu times, never with success\n",
			       calls[i].name, tally->made[i]);
}

static bool replay(const char *text)
{
	struct program p;

	while (*text && (text = program_from_text(&p, text))) {
		if (run_program(&p) >= 0)
			continue;
		printf("# this one hangs:\n");
		program_print(&p, stdout);
		return false;
	}
	return text != NULL;
}

/* fuzz FILE: a program that was found, and what each of its steps returns. */
static int replay_file(const char *path)
{
	static char text[1 << 20];
	FILE *f = fopen(path, "r");

	if (!f || !fread(text, 1, sizeof(text) - 1, f)) {
		perror(path);
		return 1;
	}
	return !replay(text);
}

static bool tally_add(struct tally *sum, const char *path)
{
	static struct tally tally;
	FILE *f = fopen(path, "r");
	unsigned int i;

	if (!f || fread(&tally, sizeof(tally), 1, f) != 1)
		return false;
	fclose(f);
	sum->programs += tally.programs;
	for (i = 0; i < n_calls; i++) {
		sum->made[i] += tally.made[i];
		sum->well[i] += tally.well[i];
	}
	for (i = 0; i < COVER_TEXT; i++)
		sum->reached[i] |= tally.reached[i];
	return true;
}

/* fuzz -t TALLY...: what fuzzers have done, call by call. */
static int tell_tallies(char **path)
{
	static struct tally sum;
	unsigned int i;

	for (; *path; path++) {
		if (!tally_add(&sum, *path)) {
			perror(*path);
			return 1;
		}
	}
	for (i = 0; i < n_calls; i++)
		printf("%s %llu %llu\n", calls[i].name, sum.made[i], sum.well[i]);
	printf("programs %llu %llu\n", sum.programs, sum.programs);
	for (i = 0; i < COVER_TEXT; i++)
		if (sum.reached[i])
			printf("at %u\n", i);
	return 0;
}

int main(int argc, char **argv)
{
	struct tally *tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 made = 0;
	unsigned int i;
	bool ends;

	if (argc >= 3 && !strcmp(argv[1], "-t"))
		return tell_tallies(argv + 2);
	run_patience_ms = 1000;	/* in an emulator, with every checker */
	if (argc == 2) {
		run_verbose = true;
		run_start(tally, NULL);
		return replay_file(argv[1]);
	}
	printf("TAP version 13\n1..4\n");
	fflush(stdout);
	run_start(tally, NULL);
	result(all_described(), "every ioctl is described");
	ends = replay(corpus_text);
	/* A busy machine may have had no time for what is last in a program. */
	if (ends && !all_succeed(tally)) {
		run_patience_ms *= 4;
		ends = replay(corpus_text);
	}
	result(ends, "every program ends");
	result(!run_crashes, "no process crashes");
	if (run_crashes)
		printf("# %u crashed, the last by signal %d\n", run_crashes, run_crash_signal);
	for (i = 0; i < n_calls; i++)
		made += tally->made[i];
	printf("# %llu programs, %llu calls\n", tally->programs, made);
	tell_failed(tally);
	/* Among others there is not the time for what waits, or is waited for. */
	if (getenv("SLUICE_COMPANY"))
		puts("ok 4 every ioctl is made with success # SKIP in company");
	else
		result(all_succeed(tally), "every ioctl is made with success");
	return failures ? 1 : 0;
}
