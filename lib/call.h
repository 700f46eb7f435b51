/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that return a negative errno value, and structures that grow. */
#ifndef SLUICE_CALL_H
#define SLUICE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_DEVICE	"/dev/sluice"

int sl_call(int fd, unsigned long request, void *argument);

/**
 * sl_call_sized() - an ioctl whose structure has the size that the caller knows
 * @fd: on which
 * @request: as the library knows it
 * @argument: in and out
 * @size: bytes there
 *
 * Return: as sl_call(); -EINVAL: no structure has that size.
 */
int sl_call_sized(int fd, unsigned long request, void *argument, size_t size);

/**
 * sl_map() - map shared memory
 * @fd: of what
 * @offset: in there
 * @size: bytes
 * @write: for writing, too
 * @base: out
 *
 * Return: 0 or an error, but never -EAGAIN: that is what mmap() calls it if no
 * more may be locked in memory, and says that there is no message elsewhere.
 */
int sl_map(int fd, uint64_t offset, size_t size, bool write, void **base);

/**
 * sl_device_open() - open the device, if its ABI is this library's
 * @features: SLUICE_FEATURE_* bits that it must have
 *
 * Return: a descriptor, or an error; -EOPNOTSUPP: a feature is missing.
 */
int sl_device_open(uint64_t features);

/**
 * sl_abi_check() - is the module's ABI this library's?
 *
 * For descriptors that came from elsewhere: where there is no device to ask,
 * the descriptor has to do.
 *
 * Return: 0, or -EPROTONOSUPPORT.
 */
int sl_abi_check(void);

/* What the library has taken over is close-on-exec as what it opens itself. */
void sl_close_on_exec(int fd);

/**
 * sl_options_take() - copy an options structure that may be older or newer
 * @known: in: the defaults; out: what is given
 * @size: of @known
 * @options: begins with its size_t size; or NULL
 *
 * Return: 0; -EINVAL: too small; -E2BIG: the part that is not known is not zero.
 */
int sl_options_take(void *known, size_t size, const void *options);

/* Fill in a structure of the caller's that may be older or newer. */
void sl_result_give(void *result, size_t size, const void *known,
		    size_t known_size);

#endif /* SLUICE_CALL_H */
