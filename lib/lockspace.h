/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lockspaces. */
#ifndef SLUICE_LOCKSPACE_H
#define SLUICE_LOCKSPACE_H

#include <sluice/sluice.h>

struct sl_words;

/**
 * struct sluice_lockspace - a lockspace that is open
 * @fd: of it
 * @created: by this very open
 * @config: as it was made
 * @words: its lock words, once it is trusted; otherwise NULL
 */
struct sluice_lockspace {
	int fd;
	bool created;
	struct sluice_lockspace_config config;
	struct sl_words *words;
};

#endif /* SLUICE_LOCKSPACE_H */
