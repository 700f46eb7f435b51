/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_LOCK_H
#define SLUICE_LOCK_H

#include "call.h"

struct sluice_holder;
struct sluice_wants;

/* SLUICE_IOC_LOCK and SLUICE_IOC_CANCEL. */
long sluice_lock_lock(struct sluice_call *call);
long sluice_lock_cancel(struct sluice_call *call);

/* Free what is left of a holder's last request, which waits no more. */
void sluice_lock_forget(struct sluice_holder *holder);

/* The same in two steps: sluice_wants_free() with no domain locked. */
void sluice_lock_detach(struct sluice_holder *holder,
			struct sluice_wants *items);

#endif
