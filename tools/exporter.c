// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice exporter - runs sluice-exporter, which lies beside this program.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#define PROGRAM "sluice-exporter"

int exporter_main(int argc, char **argv)
{
	char path[PATH_MAX + sizeof(PROGRAM)];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
	char *slash;

	(void)argc;
	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, PROGRAM);
	/* Not found there, nor on a system without /proc. */
	if (!slash || access(path, X_OK))
		execvp(PROGRAM, argv);
	else
		execv(path, argv);
	complain(NULL, -errno, "cannot run " PROGRAM);
	return STATUS_FAILURE;
}
