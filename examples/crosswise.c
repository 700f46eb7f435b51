// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * crosswise LOCKSPACE - two threads that move something back and forth, and
 * lock the two ends in opposite order. That ends in a deadlock sooner or later,
 * here at once; whose request would close the ring is told so and starts over.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sluice/sluice.h>

static struct sluice_lockspace *lockspace;
static pthread_barrier_t both_have_one;
static int deadlocks;

static int lock_both(const char *first, const char *second, int try)
{
	int ret = sluice_lock(lockspace, first, SLUICE_EX, SLUICE_NO_DEADLINE);

	if (ret < 0)
		return ret;
	if (!try)
		pthread_barrier_wait(&both_have_one);
	ret = sluice_lock(lockspace, second, SLUICE_EX, SLUICE_NO_DEADLINE);
	if (ret < 0)
		sluice_unlock(lockspace, first);
	return ret;
}

static void *move(void *order)
{
	const char *const *names = order;
	int try = 0, ret;

	while ((ret = lock_both(names[0], names[1], try)) == -EDEADLK) {
		__atomic_add_fetch(&deadlocks, 1, __ATOMIC_RELAXED);
		try++;
	}
	if (ret < 0)
		return (void *)strerror(-ret);
	/* Here something would be moved. */
	sluice_unlock(lockspace, names[0]);
	sluice_unlock(lockspace, names[1]);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	const char *orders[2][2] = { { "left", "right" }, { "right", "left" } };
	pthread_t threads[2];
	void *error[2];
	int ret;

	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open(argc > 1 ? argv[1] : "crosswise", &options,
				    &lockspace);
	if (ret) {
		fprintf(stderr, "crosswise: %s\n", strerror(-ret));
		return 1;
	}
	pthread_barrier_init(&both_have_one, NULL, 2);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, move, orders[i]))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], &error[i]);
	for (int i = 0; i < 2; i++)
		if (error[i])
			fprintf(stderr, "crosswise: %s\n", (char *)error[i]);
	printf("both moved, after %d deadlock\n", deadlocks);
	sluice_lockspace_close(lockspace);
	return error[0] || error[1];
}
