// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * journal - the simple calls, and an owner that dies: who has the lock next is
 * told that the file may be half written, and repairs it.
 *
 *	journal FILE <entry	adds what it reads; kill it before that ends
 *
 * The file begins with how many bytes of it are whole.
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

static uint64_t whole(int file)
{
	uint64_t bytes;

	return pread(file, &bytes, sizeof(bytes), 0) == sizeof(bytes) ? bytes : sizeof(bytes);
}

static void append(int file)
{
	uint64_t bytes = whole(file);
	char buffer[4096];
	ssize_t length;

	while ((length = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		if (pwrite(file, buffer, length, bytes) != length)
			error(1, errno, "cannot write");
		bytes += length;
	}
	/* What was written counts from here on. */
	if (length < 0 || pwrite(file, &bytes, sizeof(bytes), 0) != sizeof(bytes))
		error(1, errno, "cannot finish");
}

static void repair(int file)
{
	off_t end = lseek(file, 0, SEEK_END);
	uint64_t bytes = whole(file);

	if (end > (off_t)bytes && ftruncate(file, bytes))
		error(1, errno, "cannot repair");
	printf("repaired: %jd bytes were not whole\n", (intmax_t)(end - (off_t)bytes));
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	int file, ret;

	if (argc != 2)
		error(2, 0, "usage: journal FILE");
	file = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		error(1, errno, "%s", argv[1]);
	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open("journals", &options, &lockspace);
	if (!ret)
		ret = sluice_file_lock(lockspace, file, SLUICE_EX, SLUICE_NO_DEADLINE);
	if (ret < 0)
		error(1, -ret, "cannot lock %s", argv[1]);
	if (ret & SLUICE_OWNER_DIED) {
		repair(file);
		ret = sluice_file_consistent(lockspace, file);
		if (ret)
			error(1, -ret, "cannot say that it is repaired");
	}
	append(file);
	ret = sluice_file_unlock(lockspace, file);
	sluice_lockspace_close(lockspace);
	return ret != 0;
}
