/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DUMP_LOCK_H
#define SLUICE_DUMP_LOCK_H

#include "dump.h"

extern const struct sluice_dump_type sluice_dump_lockspaces;
extern const struct sluice_dump_type sluice_dump_resources;
extern const struct sluice_dump_type sluice_dump_locks;
extern const struct sluice_dump_type sluice_dump_waits;

#endif
