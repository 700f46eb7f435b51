/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_EVENT_H
#define SLUICE_EVENT_H

#include "call.h"

/* SLUICE_IOC_EVENT. */
long sluice_event_next(struct sluice_call *call);

#endif
