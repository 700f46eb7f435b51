// SPDX-License-Identifier: GPL-2.0-only
/*
 * How ioctls come in and replies go out: structures grow at their end, so
 * calls are told apart by type and number alone and the size is the caller's.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "call.h"
#include "compat.h"

static const struct sluice_ioctl *call_find(const struct sluice_ioctl *table,
					    size_t count, unsigned int cmd)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!((table[i].cmd ^ cmd) & ~IOCSIZE_MASK))
			return &table[i];
	return NULL;
}

int sluice_call_reply(struct sluice_call *call)
{
	if (call->replied)
		return 0;
	if (copy_to_user(call->user, &call->arg, call->size))
		return -EFAULT;
	call->replied = true;
	return 0;
}

#define WORDS_MAX	64	/* bytes */

static int call_copy(struct sluice_call *call, size_t ksize)
{
	if (call->size == ksize && ksize <= WORDS_MAX &&
	    ksize % sizeof(u64) == 0)
		return sluice_call_words(&call->arg, call->user, ksize);
	return copy_struct_from_user(&call->arg, ksize, call->user, call->size);
}

long sluice_call_run(const struct sluice_ioctl *table, size_t count,
		     struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct sluice_ioctl *ioctl = call_find(table, count, cmd);
	struct sluice_call call sluice_unset;
	size_t ksize;
	long ret;

	if (!ioctl)
		return -ENOTTY;
	call.file = file;
	call.user = (void __user *)arg;
	call.size = _IOC_SIZE(cmd);
	call.replied = ioctl->silent;
	ksize = _IOC_SIZE(ioctl->cmd);
	if (ksize) {
		ret = call_copy(&call, ksize);
		if (ret)
			return ret;
	}
	call.size = min(call.size, ksize);
	ret = ioctl->run(&call);
	if (ret >= 0 && sluice_call_reply(&call))
		return -EFAULT;
	return ret;
}

int sluice_call_entry(u64 to, u32 index, u32 stride, const void *from,
		      size_t size)
{
	void __user *entry = u64_to_user_ptr(to + (u64)index * stride);
	size_t n = min_t(size_t, size, stride);

	if (copy_to_user(entry, from, n) || clear_user(entry + n, stride - n))
		return -EFAULT;
	return 0;
}

long sluice_call_fd(struct sluice_call *call, struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0 && sluice_call_reply(call)) {
		put_unused_fd(fd);
		fd = -EFAULT;
	}
	if (fd < 0)
		fput(file);
	else
		fd_install(fd, file);
	return fd;
}
