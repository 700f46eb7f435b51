// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The command line: what is the same for all programs, and values.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"

static void print_version(FILE *stream, struct argp_state *state)
{
	(void)state;
	fprintf(stream, "sluice %s\n", sluice_version());
}

/* Buffered output that cannot be written must not look like success. */
static void flush_stdout(void)
{
	if (fflush(stdout) == EOF) {
		perror("sluice: standard output");
		_Exit(STATUS_FAILURE);
	}
}

void program_begin(void)
{
	argp_program_version_hook = print_version;
	argp_err_exit_status = STATUS_USAGE;
	atexit(flush_stdout);
}

static uint64_t parse_digits(const struct argp_state *state, const char *what,
			     const char *arg, char **end)
{
	uint64_t value;

	errno = 0;
	/* strtoull() would take a minus sign. */
	if (!isdigit((unsigned char)*arg))
		argp_error(state, "%s: not a number: '%s'", what, arg);
	value = strtoull(arg, end, 0);
	if (errno)
		argp_error(state, "%s: too large: '%s'", what, arg);
	return value;
}

/* K, KiB, M, MiB... are powers of 1024, kB, MB... of 1000, as util-linux has it. */
uint64_t parse_size(const struct argp_state *state, const char *what,
		    const char *arg)
{
	static const char units[] = "KMGT";
	char *end, *unit;
	uint64_t value = parse_digits(state, what, arg, &end), base = 1024;

	if (!*end || !strcasecmp(end, "B"))
		return value;
	unit = strchr(units, toupper((unsigned char)*end));
	if (unit && !strcasecmp(end + 1, "B"))
		base = 1000;
	else if (!unit || (end[1] && strcasecmp(end + 1, "iB")))
		argp_error(state, "%s: not a size: '%s'", what, arg);
	for (const char *u = units; u <= unit; u++) {
		if (__builtin_mul_overflow(value, base, &value))
			argp_error(state, "%s: too large: '%s'", what, arg);
	}
	return value;
}

uint64_t parse_number(const struct argp_state *state, const char *what,
		      const char *arg, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t value = parse_digits(state, what, arg, &end);

	if (*end)
		argp_error(state, "%s: not a number: '%s'", what, arg);
	if (value < min || value > max)
		argp_error(state, "%s: must be %llu to %llu, not %s", what,
			   (unsigned long long)min, (unsigned long long)max, arg);
	return value;
}

int64_t parse_seconds(const struct argp_state *state, const char *what,
		      const char *arg)
{
	char *end;
	double seconds = strtod(arg, &end);

	if (end == arg || *end || !isfinite(seconds) || seconds < 0)
		argp_error(state, "%s: not a number of seconds: '%s'", what, arg);
	/* Beyond some centuries a deadline would not fit 64 bits. */
	if (seconds > 4e9)
		seconds = 4e9;
	return seconds * NSEC_PER_SEC;
}

uint32_t parse_policy(const struct argp_state *state, const char *arg)
{
	for (uint32_t policy = SLUICE_BLOCK; policy <= SLUICE_EVICT; policy++) {
		if (!strcmp(arg, policy_name(policy)))
			return policy;
	}
	argp_error(state, "--policy: must be block, drop-oldest or evict, not '%s'",
		   arg);
	return 0;
}

unsigned int parse_prefix(const struct argp_state *state, const char *arg)
{
	unsigned int width = 4;

	if (arg)
		width = parse_number(state, "--framed", arg, 1, 8);
	if (width & (width - 1))
		argp_error(state, "--framed: must be 1, 2, 4 or 8, not %s", arg);
	return width;
}

uint32_t parse_permissions(const struct argp_state *state, const char *what,
			   const char *arg)
{
	char *end;
	unsigned long mode = strtoul(arg, &end, 8);

	if (*arg < '0' || *arg > '7' || *end || mode & ~0666UL)
		argp_error(state, "%s: must be octal, at most 0666, not '%s'", what,
			   arg);
	return mode;
}

uint32_t parse_group(const struct argp_state *state, const char *what,
		     const char *arg)
{
	const struct group *gr = getgrnam(arg);

	if (gr)
		return gr->gr_gid;
	if (*arg < '0' || *arg > '9')
		argp_error(state, "%s: no such group: '%s'", what, arg);
	return parse_number(state, what, arg, 0, SLUICE_ID_DEFAULT - 1);
}
