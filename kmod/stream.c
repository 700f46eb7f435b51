// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stream sockets, and writing to them without ever waiting.
 *
 * What is written is sent, and paid for, by whoever opened the stream: a unix
 * socket's peer sees their user and group (but a process of the kernel's).
 *
 * Locks: streams_lock, innermost, around the table alone.
 */
#include <linux/bvec.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/memcontrol.h>
#include <linux/net.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp_states.h>

#include "area.h"
#include "release.h"
#include "stream.h"

/* In one go: pages that are pinned together. */
#define STREAM_PAGES	16

static DEFINE_SPINLOCK(streams_lock);
static DEFINE_HASHTABLE(streams, 8);

/* Two that write to one socket would tear each other's messages. */
static int stream_enter(struct sluice_stream *stream)
{
	unsigned long key = (unsigned long)stream->sock;
	struct sluice_stream *other;
	int ret = 0;

	spin_lock(&streams_lock);
	hash_for_each_possible(streams, other, link, key)
		if (other->sock == stream->sock)
			ret = -EBUSY;
	if (!ret)
		hash_add(streams, &stream->link, key);
	spin_unlock(&streams_lock);
	return ret;
}

static void stream_leave(struct sluice_stream *stream)
{
	spin_lock(&streams_lock);
	hash_del(&stream->link);
	spin_unlock(&streams_lock);
}

static int socket_check(const struct sock *sk)
{
	bool inet = sk->sk_family == AF_INET || sk->sk_family == AF_INET6;
	int state = READ_ONCE(sk->sk_state);

	if (sk->sk_type != SOCK_STREAM ||
	    !(sk->sk_family == AF_UNIX ||
	      (inet && sk->sk_protocol == IPPROTO_TCP)))
		return -EPROTONOSUPPORT;
	if (READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN)
		return -EPIPE;
	/* A peer that has shut down its own side may still read. */
	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT ?
		0 : -ENOTCONN;
}

int sluice_stream_open(struct sluice_stream *stream, int fd)
{
	struct file *file = fget(fd);
	int ret = -ENOTSOCK;

	if (!file)
		return -EBADF;
	stream->sock = sock_from_file(file);
	if (stream->sock)
		ret = socket_check(stream->sock->sk);
	if (!ret)
		ret = stream_enter(stream);
	if (ret) {
		fput(file);
		return ret;
	}
	stream->file = file;
	stream->cred = get_current_cred();
	stream->memcg = get_mem_cgroup_from_mm(current->mm);
	return 0;
}

struct file *sluice_stream_close(struct sluice_stream *stream, bool cut)
{
	struct file *file = stream->file;

	if (!file)
		return NULL;
	if (cut)
		kernel_sock_shutdown(stream->sock, SHUT_RDWR);
	stream_leave(stream);
	stream->file = NULL;
	put_cred(stream->cred);
	mem_cgroup_put(stream->memcg);
	return file;
}

void sluice_stream_put(struct file *file)
{
	if (current->flags & PF_KTHREAD)
		sluice_release(file);
	else
		fput(file);
}

static ssize_t stream_send(struct sluice_stream *stream, struct msghdr *msg)
{
	const struct cred *old = override_creds(stream->cred);
	struct mem_cgroup *payer = set_active_memcg(stream->memcg);
	int ret;

	msg->msg_flags |= MSG_DONTWAIT | MSG_NOSIGNAL;
	ret = sock_sendmsg(stream->sock, msg);
	set_active_memcg(payer);
	revert_creds(old);
	/* Nothing and no error, of something: as if there was no room. */
	return ret ?: -EAGAIN;
}

ssize_t sluice_stream_write(struct sluice_stream *stream, const void *data,
			    size_t length, bool more)
{
	struct kvec vec = { .iov_base = (void *)data, .iov_len = length };
	struct msghdr msg = { .msg_flags = more ? MSG_MORE : 0 };

	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, &vec, 1, length);
	return stream_send(stream, &msg);
}

/* Return: how many pages hold the first bytes, or why not even the first. */
static int pages_get(struct sluice_stream *stream, struct sluice_area *area,
		     u64 offset, u64 length, struct bio_vec *vec)
{
	struct mem_cgroup *payer = set_active_memcg(stream->memcg);
	struct page *page;
	u32 in_page, n;
	int err = 0;

	for (n = 0; n < STREAM_PAGES && length; n++) {
		page = sluice_area_page(area, offset >> PAGE_SHIFT);
		if (IS_ERR(page)) {
			err = PTR_ERR(page);
			break;
		}
		in_page = min_t(u64, length, PAGE_SIZE - offset_in_page(offset));
		vec[n] = (struct bio_vec) {
			.bv_page = page,
			.bv_offset = offset_in_page(offset),
			.bv_len = in_page,
		};
		offset += in_page;
		length -= in_page;
	}
	set_active_memcg(payer);
	return n ?: err;
}

ssize_t sluice_stream_write_area(struct sluice_stream *stream,
				 struct sluice_area *area, u64 offset,
				 u64 length, bool more)
{
	struct bio_vec vec[STREAM_PAGES];
	struct msghdr msg = { };
	int i, pages = pages_get(stream, area, offset, length, vec);
	size_t bytes = 0;
	ssize_t ret;

	if (pages < 0)
		return pages;
	for (i = 0; i < pages; i++)
		bytes += vec[i].bv_len;
	if (more || bytes < length)
		msg.msg_flags = MSG_MORE;
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, vec, pages, bytes);
	ret = stream_send(stream, &msg);
	for (i = 0; i < pages; i++)
		put_page(vec[i].bv_page);
	return ret;
}

__poll_t sluice_stream_poll(struct sluice_stream *stream, poll_table *pt)
{
	return vfs_poll(stream->file, pt);
}

int sluice_stream_error(const struct sluice_stream *stream, __poll_t mask)
{
	int error = READ_ONCE(stream->sock->sk->sk_err);

	/* Not EPOLLERR: that also tells of timestamps. */
	if (error)
		return -error;
	return mask & EPOLLHUP ? -EPIPE : 0;
}
