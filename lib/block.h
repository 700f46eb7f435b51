/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocks. */
#ifndef SLUICE_BLOCK_H
#define SLUICE_BLOCK_H

#include <sluice/sluice.h>

/**
 * struct sluice_block - one holder's view of a block
 * @fd: of it
 * @created: by this very open
 * @limit: bytes it may grow to
 * @base: where it is mapped, as far as it may grow
 * @length: bytes mapped
 * @alive: see alive.h; a child of fork() has no mapping
 */
struct sluice_block {
	int fd;
	bool created;
	uint64_t limit;
	void *base;
	size_t length;
	uint32_t alive;
};

#endif /* SLUICE_BLOCK_H */
