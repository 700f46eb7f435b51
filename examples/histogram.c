// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * histogram - memory that several processes share, and that only who has its
 * lock can touch: a forgotten lock is a fault, not a wrong number some day.
 *
 *	histogram <file & histogram <other	count bytes into one table
 *	histogram forget			touches it without the lock
 *
 * The table is there as long as one of them runs.
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

static void count_input(uint64_t *table)
{
	unsigned char buffer[4096];
	ssize_t length = read(STDIN_FILENO, buffer, sizeof(buffer));

	for (ssize_t i = 0; i < length; i++)
		table[buffer[i]]++;
}

static void fault(int signal)
{
	(void)signal;
	if (write(STDERR_FILENO, "touched without the lock\n", 25) != 25)
		_exit(2);
	_exit(1);
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_block_options block_options = SLUICE_BLOCK_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	struct sluice_holder *holder;
	struct sluice_block *block;
	uint64_t *table;
	int ret;

	options.flags = block_options.flags = SLUICE_OPEN_CREATE;
	block_options.bytes = 256 * sizeof(*table);
	ret = sluice_lockspace_open("histogram", &options, &lockspace) ?:
	      sluice_thread_holder(&holder) ?:
	      sluice_block_open(holder, lockspace, "bytes", &block_options, &block);
	if (ret)
		error(1, -ret, "cannot open the table");
	table = sluice_block_address(block);
	if (argc > 1 && !strcmp(argv[1], "forget")) {
		signal(SIGBUS, fault);
		count_input(table);
	}
	ret = sluice_lock(lockspace, "bytes", SLUICE_EX, SLUICE_NO_DEADLINE);
	if (ret < 0)
		error(1, -ret, "cannot lock the table");
	if (ret & SLUICE_OWNER_DIED) {		/* who knows what it had counted */
		memset(table, 0, block_options.bytes);
		ret = sluice_consistent(lockspace, "bytes");
	}
	count_input(table);
	for (int byte = 0; byte < 256; byte++)
		if (table[byte])
			printf("0x%02x %" PRIu64 "\n", byte, table[byte]);
	ret = ret ?: sluice_unlock(lockspace, "bytes");
	fflush(stdout);
	while (getchar() != EOF)	/* the table goes with the last of us */
		;
	return ret != 0;
}
