// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The device: is it there, may we open it, do we speak the same language?
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "doctor.h"

#define DEVICE	"/dev/sluice"
#define NUMBER	"/sys/class/misc/sluice/dev"

static const char *user_name(char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(geteuid());

	if (pw)
		snprintf(buf, size, "%s", pw->pw_name);
	else
		snprintf(buf, size, "user %u", geteuid());
	return buf;
}

static const char *group_name(gid_t gid, char *buf, size_t size)
{
	const struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(buf, size, "%s", gr->gr_name);
	else
		snprintf(buf, size, "%u", gid);
	return buf;
}

/* Is this process in the group? */
static bool in_group(gid_t gid)
{
	int count = getgroups(0, NULL);
	gid_t *groups = count > 0 ? calloc(count, sizeof(*groups)) : NULL;
	bool is = gid == getegid();

	if (groups)
		count = getgroups(count, groups);
	for (int i = 0; groups && i < count; i++)
		is |= groups[i] == gid;
	free(groups);
	return is;
}

/* Would it be, if its user logged in now? */
static bool would_be_in_group(gid_t gid)
{
	const struct passwd *pw = getpwuid(geteuid());
	gid_t few[1], *groups;
	bool is = false;
	int count = 1;

	if (!pw)
		return false;
	getgrouplist(pw->pw_name, pw->pw_gid, few, &count);
	groups = calloc(count, sizeof(*groups));
	if (groups && getgrouplist(pw->pw_name, pw->pw_gid, groups, &count) < 0)
		count = 0;
	for (int i = 0; groups && i < count; i++)
		is |= groups[i] == gid;
	free(groups);
	return is;
}

/* By owner and mode; who else is asked (ACLs, cgroups) shows when it is opened. */
static void tell_permission(struct doctor *doctor, const struct stat *st)
{
	char user[256], group[256], advice[FOUND_SIZE];
	bool for_group = (st->st_mode & 060) == 060;

	user_name(user, sizeof(user));
	group_name(st->st_gid, group, sizeof(group));
	if (for_group && in_group(st->st_gid))
		snprintf(advice, sizeof(advice),
			 "its mode lets the group in, so something else forbids it: see getfacl " DEVICE " and the security module's log");
	else if (for_group && st->st_gid && would_be_in_group(st->st_gid))
		snprintf(advice, sizeof(advice),
			 "log in again: %s is in group %s by now, but was not when this login began",
			 user, group);
	else if (for_group && st->st_gid)
		snprintf(advice, sizeof(advice),
			 "adduser %s %s, and log in again", user, group);
	else
		snprintf(advice, sizeof(advice),
			 "give it a group and mode 0660 by a udev rule, as the package sluice-dkms does: 60-sluice.rules");
	found(doctor, LEVEL_PROBLEM, "device", advice,
	      "%s may not open " DEVICE ": mode %04o, owner %u, group %s", user,
	      (unsigned int)st->st_mode & 07777, st->st_uid, group);
}

static void tell_open_error(struct doctor *doctor, int error,
			    const struct stat *st)
{
	char advice[FOUND_SIZE];

	switch (error) {
	case -EACCES:
		tell_permission(doctor, st);
		break;
	case -EPERM:
		snprintf(advice, sizeof(advice),
			 "in a container, let it use the device: --device " DEVICE ", or DeviceAllow=char-misc rw; its number is %u:%u",
			 major(st->st_rdev), minor(st->st_rdev));
		found(doctor, LEVEL_PROBLEM, "device", advice,
		      "opening " DEVICE " is forbidden, though not by its mode");
		break;
	case -ENXIO:
	case -ENODEV:
		found(doctor, LEVEL_PROBLEM, "device", doctor->module ?
		      "remove " DEVICE ", and make it anew: udevadm trigger -s misc" :
		      "load the module",
		      "nobody is behind " DEVICE);
		break;
	default:
		found(doctor, LEVEL_PROBLEM, "device", "see dmesg",
		      "cannot open " DEVICE ": %s", strerror(-error));
	}
}

/* A node that was left behind, or brought along, is another device's. */
static bool is_right_device(const struct stat *st)
{
	unsigned int device_major, device_minor;
	char line[32];

	first_line(NUMBER, line, sizeof(line));
	if (sscanf(line, "%u:%u", &device_major, &device_minor) != 2)
		return true;
	return st->st_rdev == makedev(device_major, device_minor);
}

void check_device(struct doctor *doctor)
{
	struct stat st;
	int fd;

	if (stat(DEVICE, &st)) {
		found(doctor, LEVEL_PROBLEM, "device", doctor->module ?
		      "mount devtmpfs at /dev; in a container, hand the device in: --device " DEVICE :
		      "load the module, which makes it",
		      "there is no " DEVICE "%s", doctor->module ?
		      ", although the module is loaded" : "");
		return;
	}
	if (!S_ISCHR(st.st_mode) || !is_right_device(&st)) {
		found(doctor, LEVEL_PROBLEM, "device",
		      "remove it, and make it anew: udevadm trigger -s misc",
		      DEVICE " is something else: not the device of the module");
		return;
	}
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		tell_open_error(doctor, -errno, &st);
		return;
	}
	close(fd);
	doctor->usable = true;
	found(doctor, LEVEL_OK, "device", NULL, DEVICE " can be opened: mode %04o",
	      (unsigned int)st.st_mode & 07777);
}

static void tell_features(struct doctor *doctor, uint64_t features)
{
	static const struct {
		uint64_t bit;
		const char *what;
	} known[] = {
		{ SLUICE_FEATURE_LOCKS, "locks" },
		{ SLUICE_FEATURE_BACKED, "locks of fcntl() and flock()" },
		{ SLUICE_FEATURE_BLOCKS, "memory behind locks" },
		{ SLUICE_FEATURE_FEEDS, "feeds of sockets" },
		{ SLUICE_FEATURE_TRUSTED, "trusted lockspaces" },
	};
	char text[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!(features & known[i].bit))
			len += snprintf(text + len, sizeof(text) - len, "%s%s",
					len ? ", " : "", known[i].what);
	if (len)
		found(doctor, LEVEL_WARNING, "features", "update the module",
		      "the module has no %s", text);
	else
		found(doctor, LEVEL_OK, "features", NULL,
		      "the module has all that this program knows");
}

void check_abi(struct doctor *doctor)
{
	struct sluice_info info = { 0 };
	int error = sluice_query_info(&info, sizeof(info));

	if (error && error != -EPROTONOSUPPORT) {
		doctor->usable = false;
		found(doctor, LEVEL_PROBLEM, "version",
		      "make sure that " DEVICE " is the module's: see dmesg",
		      "the module does not say which it is: %s",
		      strerror(-error));
		return;
	}
	if (error) {
		doctor->usable = false;
		found(doctor, LEVEL_PROBLEM, "version",
		      info.abi_major > SLUICE_ABI_MAJOR ?
		      "update the library and the programs that have it in them" :
		      "update the module, unload the old one and load it: modprobe -r sluice, modprobe sluice",
		      "the module speaks version %u.%u of the protocol, this library %u.%u: they cannot work together",
		      info.abi_major, info.abi_minor, SLUICE_ABI_MAJOR,
		      SLUICE_ABI_MINOR);
		return;
	}
	if (info.abi_minor < SLUICE_ABI_MINOR)
		found(doctor, LEVEL_WARNING, "version",
		      "update the module, unload the old one and load it: what came since is not there",
		      "the module speaks version %u.%u of the protocol, this library %u.%u",
		      info.abi_major, info.abi_minor, SLUICE_ABI_MAJOR,
		      SLUICE_ABI_MINOR);
	else
		found(doctor, LEVEL_OK, "version", NULL,
		      "the module speaks version %u.%u of the protocol, this library %u.%u",
		      info.abi_major, info.abi_minor, SLUICE_ABI_MAJOR,
		      SLUICE_ABI_MINOR);
	tell_features(doctor, info.features);
}
