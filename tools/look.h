/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands that look from outside share.
 */
#ifndef SLUICE_LOOK_H
#define SLUICE_LOOK_H

#include <sluice/monitor.h>

#include "lock.h"

/* Open a monitor, or say why not. Return: NULL then. */
struct sluice_monitor *open_monitor(void);

/* Say why it does not tell; what was not one moment is told as a warning. */
int complain_monitor(int error);

const char *limited_name(uint32_t limited);

#endif
