/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SLUICE_CALL_H
#define SLUICE_CALL_H

#include <linux/fs.h>
#include <linux/uaccess.h>
#include <linux/sluice.h>

/**
 * struct sluice_call - one ioctl on its way
 * @file: it was made on
 * @user: the caller's structure
 * @size: bytes of it, from the ioctl number
 * @replied: the reply has been copied out
 * @arg: the structure, as this module has it
 */
struct sluice_call {
	struct file *file;
	void __user *user;
	size_t size;
	bool replied;
	union {
		struct sluice_info info;
		struct sluice_open open;
		struct sluice_list list;
		struct sluice_stat stat;
		struct sluice_peer peer;
		struct sluice_restrict restrict_;
		struct sluice_join join;
		struct sluice_attach attach;
		struct sluice_detach detach;
		struct sluice_segment segment;
		struct sluice_wait wait;
		struct sluice_wake wake;
		struct sluice_evict evict;
		struct sluice_drop drop;
		struct sluice_fds fds;
		struct sluice_claims claims;
		struct sluice_fd_take fd_take;
		struct sluice_feed_open feed;
		struct sluice_feed_stat feed_stat;
		struct sluice_feed_stop feed_stop;
		struct sluice_lockspace_open lockspace;
		struct sluice_lockspace_stat lockspace_stat;
		struct sluice_holder_new holder;
		struct sluice_lock lock;
		struct sluice_items items;
		struct sluice_value value;
		struct sluice_lock_event event;
		struct sluice_locks locks;
		struct sluice_deadlock deadlock;
		struct sluice_block_open block;
		struct sluice_block_size block_size;
		struct sluice_block_free block_free;
		struct sluice_word_open word;
	} arg;
};

/**
 * struct sluice_ioctl - an entry of an ioctl table
 * @cmd: the number, with the size of the structure as this module has it
 * @run: what it does; its reply is copied out when it returns 0 or more
 * @silent: there is nothing to tell, and no reply
 */
struct sluice_ioctl {
	unsigned int cmd;
	long (*run)(struct sluice_call *call);
	bool silent;
};

/**
 * sluice_call_run - find an ioctl in a table, and run it
 * @table: the calls this kind of file knows
 * @count: how many
 * @file: the file
 * @cmd: number as called; its size may differ from the table's
 * @arg: the caller's structure
 *
 * Return: what the call returned; -ENOTTY if it is not in the table, -E2BIG or
 * -EINVAL for a structure that does not fit, -EFAULT.
 */
long sluice_call_run(const struct sluice_ioctl *table, size_t count,
		     struct file *file, unsigned int cmd, unsigned long arg);

/*
 * For calls that must not commit before the caller has the reply: copies it
 * out now. Not under a lock that a page fault may take.
 */
int sluice_call_reply(struct sluice_call *call);

/**
 * sluice_call_words - copy a few words from the caller
 * @to: kernel's
 * @from: the caller's
 * @size: bytes, a multiple of 8
 *
 * Cheaper than copy_from_user() as long as it is some dozen bytes.
 *
 * Return: 0 or -EFAULT.
 */
static inline int sluice_call_words(void *to, const void __user *from,
				    size_t size)
{
	const u64 __user *user = from;
	u64 *word = to;
	size_t i;

	might_fault();
	if (!user_read_access_begin(from, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_get_user(word[i], &user[i], fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/**
 * sluice_call_stride - how far a caller's array entries are apart
 * @entry_size: what it said
 * @first: size of the structure in the ABI's first edition
 *
 * Return: bytes, or 0 if that cannot be.
 */
static inline u32 sluice_call_stride(u32 entry_size, u32 first)
{
	if (!entry_size)
		return first;
	return entry_size >= first && entry_size <= PAGE_SIZE ? entry_size : 0;
}

/**
 * sluice_call_entry - copy one array entry to the caller
 * @to: the array
 * @index: which
 * @stride: bytes from one to the next
 * @from: the kernel's structure
 * @size: bytes of it
 */
int sluice_call_entry(u64 to, u32 index, u32 stride, const void *from,
		      size_t size);

/**
 * sluice_call_fd - reply, and give the caller a descriptor
 * @call: the call
 * @file: consumed, also on failure
 *
 * Return: the descriptor, or a negative error and nothing is open.
 */
long sluice_call_fd(struct sluice_call *call, struct file *file);

#endif
