/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_DUMP_HOLDER_H
#define SLUICE_DUMP_HOLDER_H

#include "dump.h"
#include "tunables.h"

extern const struct sluice_dump_type sluice_dump_holders;
extern const struct sluice_dump_type sluice_dump_quotas;

/* Return: enum sluice_nl_limited. */
u32 sluice_limited(enum sluice_res res);

#endif
