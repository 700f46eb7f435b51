/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_INSPECT_H
#define SLUICE_INSPECT_H

#include "call.h"

/* SLUICE_IOC_LOCKS and SLUICE_IOC_DEADLOCK, on a lockspace. */
long sluice_inspect_locks(struct sluice_call *call);
long sluice_inspect_deadlock(struct sluice_call *call);

#endif
