// SPDX-License-Identifier: LGPL-2.1-or-later
/* System calls that return a negative errno value, and structures that grow. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sluice.h>

#include "call.h"

int sl_call(int fd, unsigned long request, void *argument)
{
	int ret = ioctl(fd, request, argument);

	return ret < 0 ? -errno : ret;
}

int sl_call_sized(int fd, unsigned long request, void *argument, size_t size)
{
	if (!size || size > _IOC_SIZEMASK)
		return -EINVAL;
	return sl_call(fd, _IOC(_IOC_DIR(request), _IOC_TYPE(request),
				_IOC_NR(request), size), argument);
}

int sl_map(int fd, uint64_t offset, size_t size, bool write, void **base)
{
	int prot = write ? PROT_READ | PROT_WRITE : PROT_READ;
	void *map = mmap(NULL, size, prot, MAP_SHARED, fd, offset);

	if (map == MAP_FAILED)
		return errno == EAGAIN ? -ENOMEM : -errno;
	*base = map;
	return 0;
}

int sl_device_open(uint64_t features)
{
	struct sluice_info info = { 0 };
	int fd, err;

	fd = open(SL_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = sl_call(fd, SLUICE_IOC_INFO, &info);
	if (!err && info.abi_major != SLUICE_ABI_MAJOR)
		err = -EPROTONOSUPPORT;
	else if (!err && (info.features & features) != features)
		err = -EOPNOTSUPP;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int sl_abi_check(void)
{
	int fd = sl_device_open(0);

	if (fd >= 0)
		close(fd);
	return fd == -EPROTONOSUPPORT ? fd : 0;
}

void sl_close_on_exec(int fd)
{
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int sl_options_take(void *known, size_t size, const void *options)
{
	const unsigned char *bytes = options;
	size_t given;

	if (!options)
		return 0;
	memcpy(&given, options, sizeof(given));
	if (given < sizeof(given))
		return -EINVAL;
	for (size_t i = size; i < given; i++)
		if (bytes[i])
			return -E2BIG;
	memcpy(known, options, given < size ? given : size);
	return 0;
}

void sl_result_give(void *result, size_t size, const void *known,
		    size_t known_size)
{
	memset(result, 0, size);
	memcpy(result, known, size < known_size ? size : known_size);
}
