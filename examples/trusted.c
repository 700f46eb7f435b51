// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * trusted - locks that nobody else wants cost no system call, in a lockspace
 * whose users trust each other.
 *
 *	trusted 2 100000	two threads count to 200000 with one lock
 *
 * Whoever may take exclusively there can make others lose what they have.
 */
#include <error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sluice/sluice.h>

static struct sluice_lockspace *lockspace;
static unsigned long counter, rounds;

static void *count(void *unused)
{
	int ret = 0;

	for (unsigned long i = 0; i < rounds && ret >= 0; i++) {
		ret = sluice_lock(lockspace, "counter", SLUICE_EX, SLUICE_NO_DEADLINE);
		if (ret < 0)
			break;
		counter++;
		ret = sluice_unlock(lockspace, "counter");
	}
	if (ret < 0)
		error(1, -ret, "cannot count");
	return unused;
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace_stat stat;
	pthread_t threads[64];
	int wanted, ret;

	if (argc != 3 || (wanted = atoi(argv[1])) < 1 || wanted > 64)
		error(2, 0, "usage: trusted THREADS ROUNDS");
	rounds = strtoul(argv[2], NULL, 10);
	options.config.flags = SLUICE_LOCKSPACE_TRUSTED;
	ret = sluice_lockspace_open_anonymous(&options, &lockspace);
	if (!ret)
		ret = sluice_lockspace_trust(lockspace);	/* -EOPNOTSUPP: too old */
	if (ret)
		error(1, -ret, "cannot make the lockspace");
	for (int i = 0; i < wanted; i++)
		if ((ret = pthread_create(&threads[i], NULL, count, NULL)))
			error(1, ret, "cannot make a thread");
	for (int i = 0; i < wanted; i++)
		pthread_join(threads[i], NULL);
	ret = sluice_lockspace_stat(lockspace, &stat, sizeof(stat));
	if (ret)
		error(1, -ret, "cannot ask");
	printf("counted to %lu, asked the kernel for %llu locks\n", counter,
	       (unsigned long long)stat.granted);
	sluice_lockspace_close(lockspace);
	return 0;
}
