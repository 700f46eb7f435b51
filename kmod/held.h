/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_HELD_H
#define SLUICE_HELD_H

#include "call.h"

/* SLUICE_IOC_UNLOCK, SLUICE_IOC_RENEW, SLUICE_IOC_RECOVER, SLUICE_IOC_VALUE. */
long sluice_held_unlock(struct sluice_call *call);
long sluice_held_renew(struct sluice_call *call);
long sluice_held_recover(struct sluice_call *call);
long sluice_held_value(struct sluice_call *call);

#endif
