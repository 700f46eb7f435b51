// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * pick - any one of several resources, whichever is free first, or all of them
 * at once, without an order that everybody would have to keep to.
 *
 *	pick any scanner0 scanner1	says which one it has got
 *	pick all disk1 disk2		has both or waits for both
 *
 * What it has, it has until its standard input ends.
 */
#include <errno.h>
#include <error.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sluice/sluice.h>

static struct sluice_lockspace *open_lockspace(const char *name)
{
	struct sluice_lockspace_options options = SLUICE_LOCKSPACE_OPTIONS_INIT;
	struct sluice_lockspace *lockspace;
	int ret;

	options.flags = SLUICE_OPEN_CREATE;
	ret = sluice_lockspace_open(name, &options, &lockspace);
	if (ret)
		error(1, -ret, "%s", name);
	return lockspace;
}

int main(int argc, char **argv)
{
	struct sluice_lock_options options = SLUICE_LOCK_OPTIONS_INIT;
	struct sluice_item items[SLUICE_ITEMS_MAX];
	struct sluice_lockspace *lockspace;
	struct sluice_holder *holder;
	uint32_t picked = 0, count = argc - 2;
	int any, ret;

	if (argc < 3 || count > SLUICE_ITEMS_MAX)
		error(2, 0, "usage: pick any|all RESOURCE...");
	any = !strcmp(argv[1], "any");
	lockspace = open_lockspace("devices");
	ret = sluice_holder_open(NULL, &holder);
	if (ret)
		error(1, -ret, "cannot make a holder");
	for (uint32_t i = 0; i < count; i++)
		items[i] = sluice_item_name(lockspace, argv[i + 2], SLUICE_EX);
	options.flags = any ? SLUICE_LOCK_ANY : 0;
	ret = sluice_holder_lock(holder, items, count, sizeof(*items), &options, &picked);
	if (ret < 0)
		error(1, -ret, "not taken");
	for (uint32_t i = any ? picked : 0; i < (any ? picked + 1 : count); i++)
		printf("has %s%s\n", argv[i + 2],
		       items[i].status & SLUICE_OWNER_DIED ? ", whose owner died" : "");
	fflush(stdout);
	while (getchar() != EOF)
		;
	if (ret & SLUICE_OWNER_DIED)	/* a device has no state to repair */
		ret = sluice_holder_recover(holder, any ? &items[picked] : items,
					    any ? 1 : count, sizeof(*items),
					    SLUICE_RECOVER_CONSISTENT);
	sluice_holder_close(holder);
	sluice_lockspace_close(lockspace);
	return ret < 0;
}
