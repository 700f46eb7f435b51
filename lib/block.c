// SPDX-License-Identifier: LGPL-2.1-or-later
/* Blocks: memory that only the holder of its lock can touch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "alive.h"
#include "block.h"
#include "call.h"
#include "holder.h"

/*
 * Nothing takes a block away again: one for which there is no room here is not
 * to be made. Return: 0, or -ENOMEM.
 */
static int room_check(const struct sluice_block_open *call)
{
	uint64_t bytes = call->limit ? call->limit : call->size;
	void *base;

	if (!(call->flags & SLUICE_OPEN_CREATE) || !bytes)
		return 0;
	if (bytes > SIZE_MAX / 2)
		return -ENOMEM;
	base = mmap(NULL, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	munmap(base, bytes);
	return 0;
}

static int block_map(struct sluice_block *block, uint32_t access)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	if (block->limit > SIZE_MAX / 2)
		return -ENOMEM;
	block->length = (block->limit + page - 1) / page * page;
	return sl_map(block->fd, 0, block->length, access & SLUICE_WRITE,
		      &block->base);
}

static int block_open(struct sluice_block *block,
		      const struct sluice_holder *holder,
		      struct sluice_block_open *call, uint32_t access)
{
	int err = room_check(call);

	if (err)
		return err;
	block->alive = sl_alive_number();
	if (!block->alive)
		return -ENOMEM;
	block->fd = sl_holder_call(holder, SLUICE_IOC_BLOCK, call);
	if (block->fd < 0)
		return block->fd == -ENOTTY ? -EOPNOTSUPP : block->fd;
	block->created = call->created;
	block->limit = call->limit;
	err = block_map(block, access);
	if (err)
		close(block->fd);
	return err;
}

static int call_fill(struct sluice_block_open *call, const char *name,
		     const struct sluice_block_options *options,
		     uint32_t *access)
{
	struct sluice_block_options known = SLUICE_BLOCK_OPTIONS_INIT;
	size_t length = strlen(name);
	int err;

	err = sl_options_take(&known, sizeof(known), options);
	if (err)
		return err;
	if (!length || known.access & ~(SLUICE_READ | SLUICE_WRITE) ||
	    !(known.access & SLUICE_READ))
		return -EINVAL;
	if (length > SLUICE_KEY_MAX)
		return -ENAMETOOLONG;
	call->flags = known.flags;
	call->size = known.bytes;
	call->limit = known.limit;
	call->key_len = length;
	memcpy(call->key, name, length);
	*access = known.access;
	return 0;
}

int sluice_block_open(struct sluice_holder *holder,
		      const struct sluice_lockspace *lockspace,
		      const char *name,
		      const struct sluice_block_options *options,
		      struct sluice_block **out)
{
	struct sluice_block_open call = { 0 };
	struct sluice_block *block;
	uint32_t access;
	int err;

	err = call_fill(&call, name, options, &access);
	if (err)
		return err;
	call.lockspace = sluice_lockspace_fd(lockspace);
	block = calloc(1, sizeof(*block));
	if (!block)
		return -ENOMEM;
	err = block_open(block, holder, &call, access);
	if (err)
		free(block);
	else
		*out = block;
	return err;
}

void sluice_block_close(struct sluice_block *block)
{
	if (!block)
		return;
	if (sl_alive(block->alive))
		munmap(block->base, block->length);
	close(block->fd);
	free(block);
}

void *sluice_block_address(const struct sluice_block *block)
{
	return sl_alive(block->alive) ? block->base : NULL;
}

uint64_t sluice_block_limit(const struct sluice_block *block)
{
	return block->limit;
}

bool sluice_block_created(const struct sluice_block *block)
{
	return block->created;
}

static int block_call(const struct sluice_block *block, unsigned long request,
		      void *argument)
{
	if (!sl_alive(block->alive))
		return -ECHILD;
	return sl_call(block->fd, request, argument);
}

int sluice_block_stat(const struct sluice_block *block,
		      struct sluice_block_size *stat, size_t size)
{
	struct sluice_block_size known = { 0 };
	int err = block_call(block, SLUICE_IOC_BLOCK_SIZE, &known);

	if (!err)
		sl_result_give(stat, size, &known, sizeof(known));
	return err;
}

int sluice_block_resize(struct sluice_block *block, uint64_t bytes)
{
	struct sluice_block_size call = { .size = bytes };

	/* The kernel takes that for a question. */
	if (!bytes)
		return -EINVAL;
	return block_call(block, SLUICE_IOC_BLOCK_SIZE, &call);
}

int sluice_block_free_range(struct sluice_block *block, uint64_t start,
			    uint64_t end)
{
	struct sluice_block_free call = { .start = start, .end = end };

	return block_call(block, SLUICE_IOC_BLOCK_FREE, &call);
}
