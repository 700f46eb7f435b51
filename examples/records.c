// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * records - some bytes of a file, which programs that know only fcntl() are
 * kept out of, and waited for, too.
 *
 *	records set FILE 3 TEXT		writes record 3
 *	records fcntl FILE 3		locks record 3 as an older program does,
 *					until its standard input ends
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

#define SIZE 64

static int set(int file, off_t start, const char *text)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	struct sluice_holder *holder;
	struct sluice_item item;
	char record[SIZE] = "";
	int ret;

	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open("records", &options, &lockspace) ?:
	      sluice_holder_open(NULL, &holder);
	if (ret)
		return ret;
	item = sluice_item_file(lockspace, file, SLUICE_EX);
	item = sluice_item_fcntl(sluice_item_range(item, start, start + SIZE - 1));
	ret = sluice_holder_lock(holder, &item, 1, sizeof(item), NULL, NULL);
	if (ret < 0)
		return ret;
	/* All of it is written, so what an owner that died left is no matter. */
	memcpy(record, text, strnlen(text, SIZE - 1));
	if (pwrite(file, record, SIZE, start) != SIZE)
		return -errno;		/* the mark stays: it is half written */
	if (ret & SLUICE_OWNER_DIED)
		ret = sluice_holder_recover(holder, &item, 1, sizeof(item),
					    SLUICE_RECOVER_CONSISTENT);
	sluice_holder_close(holder);
	return ret;
}

static int lock_the_old_way(int file, off_t start)
{
	struct flock lock = { .l_type = F_WRLCK, .l_start = start, .l_len = SIZE };

	if (fcntl(file, F_SETLKW, &lock))
		return -errno;
	puts("locked");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

int main(int argc, char **argv)
{
	off_t start;
	int file, ret;

	if (argc < 4 || (argc < 5 && strcmp(argv[1], "fcntl")))
		error(2, 0, "usage: records set FILE RECORD TEXT | fcntl FILE RECORD");
	start = strtol(argv[3], NULL, 10) * SIZE;
	file = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		error(1, errno, "%s", argv[2]);
	ret = argc > 4 ? set(file, start, argv[4]) : lock_the_old_way(file, start);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
