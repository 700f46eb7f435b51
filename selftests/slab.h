/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many objects of each kind the kernel's allocator has given out: what leaks
 * a little with each of many deaths shows there, whatever it is.
 */
#ifndef SELFTESTS_SLAB_H
#define SELFTESTS_SLAB_H

#include "util.h"

#include <glob.h>

struct slabs {
	int n;
	struct slab {
		char name[48];
		long objects;
		long together;	/* in one slab */
	} slab[512];
};

/* What processors keep for later counts as given out, until it is let go. */
static inline void slabs_settle(void)
{
	glob_t g;
	size_t i;

	write_file("/proc/sys/vm/drop_caches", "2");
	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &g))
		return;
	for (i = 0; i < g.gl_pathc; i++)
		write_file(g.gl_pathv[i], "1");
	globfree(&g);
}

static inline void slabs_read(struct slabs *s)
{
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512];

	slabs_settle();
	s->n = 0;
	check(f);
	while (fgets(line, sizeof(line), f) && s->n < ARRAY(s->slab)) {
		struct slab *slab = &s->slab[s->n];

		s->n += sscanf(line, "%47s %ld %*d %*d %ld", slab->name,
			       &slab->objects, &slab->together) == 3;
	}
	fclose(f);
	check(s->n > 0 && s->n < ARRAY(s->slab));
}

/* What the module's objects are, and what they could keep by referring to it. */
static inline bool slab_matters(const struct slab *s)
{
	static const char *const begins[] = {
		"kmalloc-", "shmem_inode_cache", "sock_inode_cache", "task_struct",
		"mm_struct", "pid", "cred_jar",
	};
	size_t i;

	for (i = 0; i < ARRAY(begins); i++)
		if (!strncmp(s->name, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/*
 * A kind of which there are more than @margin more than before, or NULL. A slab
 * that a processor has taken counts as given out whole: that may be two for each.
 */
static inline const struct slab *slabs_grown(const struct slabs *before,
					     const struct slabs *now, long margin)
{
	long slabs = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	int i, k;

	for (i = 0; i < now->n; i++) {
		long had = 0;

		if (!slab_matters(&now->slab[i]))
			continue;
		for (k = 0; k < before->n; k++)
			if (!strcmp(before->slab[k].name, now->slab[i].name))
				had = before->slab[k].objects;
		if (now->slab[i].objects >
		    had + margin + slabs * now->slab[i].together)
			return &now->slab[i];
	}
	return NULL;
}

#endif /* SELFTESTS_SLAB_H */
