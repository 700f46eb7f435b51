// SPDX-License-Identifier: LGPL-2.1-or-later
/* Reading the kernel's member table. */
#include <errno.h>
#include <string.h>

#include "atomic.h"
#include "view.h"

/* A change takes the kernel some ten stores, unless it is interrupted there. */
#define READS_MAX	1000

static bool read_once(const struct sluice_member *member, struct sl_who *who)
{
	who->generation = sl_load_acquire(&member->generation);
	who->state = sl_load_relaxed(&member->state);
	who->reason = sl_load_relaxed(&member->reason);
	who->pid = sl_load_relaxed(&member->pid);
	who->uid = sl_load_relaxed(&member->uid);
	who->gid = sl_load_relaxed(&member->gid);
	who->policy = sl_load_relaxed(&member->policy);
	sl_acquire_fence();
	if (sl_load_relaxed(&member->generation) != who->generation)
		return false;
	return who->generation || who->state == SLUICE_FREE;
}

int sl_member_read(const struct sl_members_view *view, enum sluice_role role,
		   uint32_t index, struct sl_who *who)
{
	const struct sluice_member *member = sl_member(view, role, index);

	for (int i = 0; i < READS_MAX; i++) {
		if (read_once(member, who))
			return 0;
		sl_relax();
	}
	memset(who, 0, sizeof(*who));
	return -EAGAIN;
}
