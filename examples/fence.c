// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * fence - who was stopped for too long, and has lost its lock, must not write
 * over what came after it: the store takes nothing with an older token. The
 * lock's value block hands the number of the last entry from owner to owner.
 * Both live as long as somebody has the lockspace open, as the store should.
 *
 *	fence STORE TEXT	adds an entry
 *	fence STORE TEXT 3	thinks for three seconds before; the lease is one
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>
#include <sluice/sluice.h>

/* What a store must do, wherever it is: compare and write in one. */
static int store(const char *path, uint64_t token, uint64_t number, const char *text)
{
	uint64_t newest = 0;
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), ret = 0;

	if (file < 0 || flock(file, LOCK_EX))
		return -errno;
	if (pread(file, &newest, sizeof(newest), 0) < 0)
		ret = -errno;
	else if (token < newest)
		ret = -ESTALE;
	else if (pwrite(file, &token, sizeof(token), 0) != sizeof(token) ||
		 lseek(file, 0, SEEK_END) < 0 ||
		 dprintf(file, "\n%" PRIu64 ": %s", number, text) < 0)
		ret = -errno;
	close(file);
	return ret;
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	union { uint64_t number; char bytes[SLUICE_VALUE_SIZE]; } value;
	struct sluice_holder *holder;
	struct sluice_item item;
	int ret;

	if (argc < 3)
		error(2, 0, "usage: fence STORE TEXT [SECONDS]");
	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open("stores", &options, &lockspace);
	if (!ret)
		ret = sluice_holder_open(NULL, &holder);
	if (ret)
		error(1, -ret, "cannot open the lockspace");
	item = sluice_item_name(lockspace, "store", SLUICE_EX);
	item = sluice_item_lease(item, 1000000000);
	ret = sluice_holder_lock(holder, &item, 1, sizeof(item), NULL, NULL);
	if (ret >= 0)
		ret = sluice_holder_value_get(holder, &item, value.bytes);
	if (ret < 0)
		error(1, -ret, "cannot lock the store");
	value.number++;
	ret = sluice_holder_value_set(holder, &item, value.bytes);
	printf("token %" PRIu64 ", entry %" PRIu64 "\n", (uint64_t)item.token, value.number);
	fflush(stdout);
	if (argc > 3)
		sleep(atoi(argv[3]));
	if (!ret)
		ret = store(argv[1], item.token, value.number, argv[2]);
	if (ret)
		error(1, -ret, "not stored");
	/* An entry is whole or not there: nothing to repair after a death. */
	sluice_holder_recover(holder, &item, 1, sizeof(item), SLUICE_RECOVER_CONSISTENT);
	sluice_holder_close(holder);
	return 0;
}
