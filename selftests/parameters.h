/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Module parameters, set for one test. A fixture holds the structure, and sets
 * them back in FIXTURE_TEARDOWN_PARENT, which runs even if the test crashed.
 */
#ifndef SELFTESTS_PARAMETERS_H
#define SELFTESTS_PARAMETERS_H

#include "util.h"

#define PARAMETERS	"/sys/module/sluice/parameters/"

struct parameters {
	struct parameter {
		const char *name;
		char old[32];
	} set[4];
	int n;
};

static inline void parameter_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, PARAMETERS "%s", name);
}

static inline void parameter_set(struct parameters *ps, const char *name,
				 long long value)
{
	struct parameter *p = &ps->set[ps->n];
	char path[96], text[32];

	parameter_path(path, sizeof(path), name);
	p->name = name;
	snprintf(p->old, sizeof(p->old), "%lld", read_number(path, 0));
	ps->n++;
	snprintf(text, sizeof(text), "%lld", value);
	write_file(path, text);
}

static inline void parameters_restore(struct parameters *ps)
{
	char path[96];

	while (ps->n-- > 0) {
		parameter_path(path, sizeof(path), ps->set[ps->n].name);
		write_file(path, ps->set[ps->n].old);
	}
}

#endif /* SELFTESTS_PARAMETERS_H */
