/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of arbitration have in common. They run random operations,
 * the same ones each time, and as many as are done in some seconds on a kernel
 * with all checkers in an emulator. For more, or others, in a guest:
 *
 *	echo 0 >/proc/sys/kernel/hung_task_timeout_secs
 *	echo 50 >/sys/module/sluice/parameters/kunit_scale
 *	echo 12345 >/sys/module/sluice/parameters/kunit_seed
 *	echo >/sys/kernel/debug/kunit/sluice_deadlock/run
 *	cat /sys/kernel/debug/kunit/sluice_deadlock/results
 *
 * or, when loading: insmod sluice.ko kunit_scale=50 kunit_seed=12345. At a
 * scale of 50 that is a million graphs. The kernel gives a test some minutes;
 * /sys/module/kunit/parameters/timeout, in seconds, changes that.
 *
 * What goes wrong is returned as a text, for an assertion would end the thread
 * with a domain locked.
 */
#ifndef SLUICE_TESTS_SCENE_H
#define SLUICE_TESTS_SCENE_H

#include <kunit/test.h>
#include <linux/err.h>
#include <linux/prandom.h>

#include "../domain.h"
#include "../grant.h"
#include "../holder.h"
#include "../lockspace.h"
#include "../resource.h"

/* Module parameters, in grant_test.c. */
extern unsigned int sluice_kunit_scale;
extern unsigned int sluice_kunit_seed;

static inline void scene_seed(struct rnd_state *rnd, u32 number)
{
	prandom_seed_state(rnd, (u64)sluice_kunit_seed << 32 | number);
}

static inline u32 scene_pick(struct rnd_state *rnd, u32 below)
{
	return prandom_u32_state(rnd) % below;
}

static inline u8 scene_mode(struct rnd_state *rnd)
{
	return SLUICE_NL + scene_pick(rnd, SLUICE_EX);
}

static inline struct sluice_lockspace *scene_space(u32 victim)
{
	struct sluice_open open = {
		.uid = SLUICE_ID_DEFAULT,
		.gid = SLUICE_ID_DEFAULT,
	};
	struct sluice_lockspace_config config = { .victim = victim };

	return sluice_lockspace_new(&open, &config);
}

static inline void scene_key(struct sluice_key *key, u32 number)
{
	memset(key, 0, sizeof(*key));
	key->kind = SLUICE_KIND_NAME;
	key->len = sizeof(number);
	memcpy(key->bytes, &number, sizeof(number));
}

/* A holder that may ask for things of @space. */
static inline struct sluice_holder *scene_holder(struct sluice_lockspace *space)
{
	struct sluice_holder *holder = sluice_holder_new();

	if (!IS_ERR(holder))
		sluice_domain_join(holder->domain, space->domain);
	return holder;
}

#endif
