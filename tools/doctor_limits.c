// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where we are, and how much we may have: namespaces, netlink, quotas, limits of
 * the process and of its memory cgroup.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "doctor.h"

/* Percent of a limit from which it is worth a word. */
#define NEAR	80

/* The numbers of the first namespaces are fixed: PROC_USER_INIT_INO and so on. */
#define FIRST_USER_NAMESPACE	"user:[4026531837]"
#define FIRST_PID_NAMESPACE	"pid:[4026531836]"

static bool read_namespace(const char *path, char *buf, size_t size)
{
	ssize_t len = readlink(path, buf, size - 1);

	buf[len > 0 ? len : 0] = '\0';
	return len > 0;
}

/*
 * The network namespace is compared with that of process 1, which only tells
 * something if that is the machine's, and if we may ask.
 */
static void check_network_namespace(struct doctor *doctor)
{
	char own[64], pids[64], init[64];

	read_namespace("/proc/self/ns/net", own, sizeof(own));
	read_namespace("/proc/self/ns/pid", pids, sizeof(pids));
	if (!read_namespace("/proc/1/ns/net", init, sizeof(init)))
		found(doctor, LEVEL_OK, "network", NULL,
		      "names are those of %s; only root can tell whether that is the machine's first",
		      own);
	else if (strcmp(own, init))
		found(doctor, LEVEL_WARNING, "network",
		      "run the programs in one network namespace (--network host), or hand on descriptors over a unix socket",
		      "names are those of %s, and process 1 is in %s: they do not see each other's channels",
		      own, init);
	else if (strcmp(pids, FIRST_PID_NAMESPACE))
		found(doctor, LEVEL_OK, "network", NULL,
		      "names are those of %s, as those of process 1 of this container",
		      own);
	else
		found(doctor, LEVEL_OK, "network", NULL,
		      "names are those of %s, the machine's first", own);
}

void check_namespaces(struct doctor *doctor)
{
	char user[64];

	check_network_namespace(doctor);
	if (!read_namespace("/proc/self/ns/user", user, sizeof(user)))
		return;
	if (strcmp(user, FIRST_USER_NAMESPACE))
		found(doctor, LEVEL_WARNING, "users",
		      "name owners and groups that exist outside, too, or open the mode of channels",
		      "in a user namespace, %s: users have other numbers outside, and quotas are those of each namespace",
		      user);
	else
		found(doctor, LEVEL_OK, "users", NULL,
		      "in the machine's first user namespace");
}

void check_netlink(struct doctor *doctor)
{
	int error = sluice_monitor_open(&doctor->monitor);
	const char *advice = "update the module";

	if (!error) {
		found(doctor, LEVEL_OK, "netlink", NULL,
		      "the module can be asked what there is");
		return;
	}
	doctor->monitor = NULL;
	if (error != -ENODEV)
		advice = "let the program use netlink: RestrictAddressFamilies=AF_NETLINK, the container's seccomp filter";
	found(doctor, LEVEL_WARNING, "netlink", advice,
	      "the module cannot be asked what there is (top, monitor, graph, quota): %s",
	      error == -ENODEV ? "it has no netlink family" : strerror(-error));
}

/* What is found of quotas. */
struct quotas {
	struct doctor *doctor;
	unsigned int told;
};

static int see_quota(const struct sluice_monitor_quota *quota, void *arg)
{
	const char *name = limited_name(quota->limited);
	bool full = quota->used >= quota->limit;
	struct quotas *quotas = arg;
	char advice[FOUND_SIZE];

	if (!quota->used && quota->limit)
		return 0;
	if (quota_percent(quota) < NEAR)
		return 0;
	quotas->told++;
	snprintf(advice, sizeof(advice),
		 "let go of some (sluice quota, sluice top), or, as root: echo %llu >/sys/module/sluice/parameters/user_%s",
		 2 * (unsigned long long)(quota->limit ? quota->limit : 1), name);
	found(quotas->doctor, full ? LEVEL_PROBLEM : LEVEL_WARNING, "quota",
	      advice, "user %u has %llu of %llu %s%s", quota->uid,
	      (unsigned long long)quota->used, (unsigned long long)quota->limit,
	      name, full ? ": more are refused" : "");
	return 0;
}

void check_quotas(struct doctor *doctor)
{
	struct quotas quotas = { .doctor = doctor };
	int error = sluice_monitor_quotas(doctor->monitor, NULL, see_quota,
					  &quotas);

	if (error < 0)
		found(doctor, LEVEL_WARNING, "quota", "see dmesg",
		      "the module does not tell: %s", strerror(-error));
	else if (!quotas.told)
		found(doctor, LEVEL_OK, "quota", NULL,
		      "no user that may be seen has %d %% of a limit", NEAR);
}

/* Each channel, publisher, subscriber, lockspace and holder is a descriptor. */
#define FEW_FILES	256

void check_limits(struct doctor *doctor)
{
	struct rlimit files, memory;

	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_AS, &memory);
	if (files.rlim_cur < FEW_FILES)
		found(doctor, LEVEL_WARNING, "limits",
		      "raise it: ulimit -n, LimitNOFILE=",
		      "%llu files may be open: each channel, publisher, subscriber, lockspace and holder is one",
		      (unsigned long long)files.rlim_cur);
	if (memory.rlim_cur != RLIM_INFINITY)
		found(doctor, LEVEL_WARNING, "limits",
		      "remove it (ulimit -v unlimited), and limit the memory cgroup instead",
		      "address space is limited to %llu bytes, and a subscriber maps the pools of all publishers",
		      (unsigned long long)memory.rlim_cur);
	if (files.rlim_cur >= FEW_FILES && memory.rlim_cur == RLIM_INFINITY)
		found(doctor, LEVEL_OK, "limits", NULL, "of the process are wide");
}

/* Memory cgroups -------------------------------------------------------------- */

#define CGROUPS	"/sys/fs/cgroup"

/* Of version 2, whose line begins with "0::". Return: false if there is none. */
static bool own_cgroup(char *path, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[4096];
	bool is_there = false;

	while (file && !is_there && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4))
			continue;
		snprintf(path, size, "%s", line + 3);
		is_there = true;
	}
	if (file)
		fclose(file);
	return is_there;
}

/* Return: false if it is not limited. */
static bool read_memory(const char *group, const char *what, uint64_t *value)
{
	char path[8192], line[32], *end;

	snprintf(path, sizeof(path), CGROUPS "%s/memory.%s", group, what);
	first_line(path, line, sizeof(line));
	*value = strtoull(line, &end, 10);
	return end != line && !*end;
}

static bool tell_cgroup(struct doctor *doctor, const char *group)
{
	char is[FORMAT_SIZE], most[FORMAT_SIZE];
	uint64_t current, max;

	if (!read_memory(group, "max", &max) ||
	    !read_memory(group, "current", &current) ||
	    current < max / 100 * NEAR)
		return false;
	found(doctor, LEVEL_WARNING, "memory",
	      "raise it: MemoryMax= of the unit, memory.max of the cgroup",
	      "cgroup %s has %s of %s: pools count to who made them, and without memory joining and publishing fail",
	      group, format_size(current, is), format_size(max, most));
	return true;
}

/* A limit binds all below it. */
void check_memory(struct doctor *doctor)
{
	char group[4096], *slash;
	bool told = false;

	if (!own_cgroup(group, sizeof(group)))
		return;
	while (*group && strcmp(group, "/")) {
		told |= tell_cgroup(doctor, group);
		slash = strrchr(group, '/');
		*slash = '\0';
	}
	if (!told)
		found(doctor, LEVEL_OK, "memory", NULL,
		      "the memory cgroup leaves room");
}
