/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two memory cgroups (v2), made for a test. CGROUPS is where its suite mounts
 * them, so that another one beside it does not.
 */
#ifndef SELFTESTS_MEMCG_H
#define SELFTESTS_MEMCG_H

#include "util.h"

static inline bool memcg_make(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	return !mkdir(path, 0755) || errno == EEXIST;
}

/* Return: whether there are memory cgroups to be had, with errno. */
static inline bool memcg_mount(const char *one, const char *other)
{
	int fd;

	if (geteuid())
		return false;
	mkdir(CGROUPS, 0755);
	if (mount("none", CGROUPS, "cgroup2", 0, NULL))
		return false;
	fd = open(CGROUPS "/cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "+memory", 7) != 7) {
		umount(CGROUPS);
		return false;
	}
	close(fd);
	return memcg_make(one) && memcg_make(other);
}

static inline void memcg_remove(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s", name);
	until(!rmdir(path));
}

static inline void memcg_unmount(const char *one, const char *other)
{
	memcg_remove(one);
	memcg_remove(other);
	umount(CGROUPS);
	rmdir(CGROUPS);
}

static inline void memcg_enter(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s/cgroup.procs", name);
	write_file(path, "0");
}

static inline void memcg_limit(const char *name, const char *max)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s/memory.max", name);
	write_file(path, max);
}

static inline long long memcg_current(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), CGROUPS "/%s/memory.current", name);
	return read_number(path, -1);
}

/* The value of @key in @file, of lines with a key and a value each. */
static inline long long memcg_value(const char *name, const char *file,
				    const char *key)
{
	char path[96], line[128];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), CGROUPS "/%s/%s", name, file);
	f = fopen(path, "re");
	check(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ')
			value = atoll(line + strlen(key));
	fclose(f);
	return value;
}

static inline long long memcg_stat(const char *name, const char *key)
{
	return memcg_value(name, "memory.stat", key);
}

/* Who has it in its group killed when there is no memory: somebody else. */
static inline void memcg_be_spared(void)
{
	write_file("/proc/self/oom_score_adj", "-1000");
}

#endif /* SELFTESTS_MEMCG_H */
