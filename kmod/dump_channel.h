/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DUMP_CHANNEL_H
#define SLUICE_DUMP_CHANNEL_H

#include "dump.h"

extern const struct sluice_dump_type sluice_dump_channels;
extern const struct sluice_dump_type sluice_dump_endpoints;

#endif
