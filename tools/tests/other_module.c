// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * For LD_PRELOAD: there is a module, whose versions and features are in OTHER_MODULE,
 * as "MAJOR MINOR FEATURES". Nothing but this can be asked of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/sluice.h>

#define DEVICE	"/dev/sluice"
/* Any character device will do. */
#define OTHER	"/dev/null"

static const char *redirect(const char *path)
{
	return strcmp(path, DEVICE) ? path : OTHER;
}

int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	return syscall(SYS_openat, AT_FDCWD, redirect(path), flags, mode);
}

int open(const char *path, int flags, ...)
	__attribute__((alias("open64")));

int stat64(const char *path, struct stat64 *st)
{
	return fstatat64(AT_FDCWD, redirect(path), st, 0);
}

int ioctl(int fd, unsigned long request, ...)
{
	struct sluice_info *info;
	unsigned long long features;
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request != SLUICE_IOC_INFO)
		return syscall(SYS_ioctl, fd, request, arg);
	info = arg;
	memset(info, 0, sizeof(*info));
	if (sscanf(getenv("OTHER_MODULE"), "%u %u %llx", &info->abi_major,
		   &info->abi_minor, &features) != 3) {
		errno = EINVAL;
		return -1;
	}
	info->features = features;
	return 0;
}
