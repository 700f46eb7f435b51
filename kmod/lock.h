/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_LOCK_H
#define SLUICE_LOCK_H

#include <linux/types.h>

#include "call.h"

struct sluice_holder;

/* What can be called on a holder. */
extern const struct sluice_ioctl sluice_lock_ioctls[];
extern const size_t sluice_lock_ioctl_count;

/* Free what is left of a holder's last request, which waits no more. */
void sluice_lock_forget(struct sluice_holder *holder);

#endif
