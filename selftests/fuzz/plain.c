// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done to descriptors, mappings and processes besides ioctls. Each
 * returns something negative if it failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sluice.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"

static struct mapping *mapping_of(struct thread *t, const struct step *s)
{
	return &t->process->map[s->fd % MAPPINGS];
}

/*
 * Mappings.
 */
static const int protections[] = {
	PROT_READ | PROT_WRITE, PROT_READ, PROT_WRITE, PROT_READ | PROT_EXEC, PROT_NONE,
	PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ, PROT_READ | PROT_WRITE,
};

static const int sharings[] = {
	MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED,
	MAP_SHARED_VALIDATE, MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_PRIVATE,
};

/* How much more or less than what the kernel said. */
static const long amounts[] = { 0, PAGE, -(long)PAGE, 1, -1, 1 << 20, 0, 0 };

/*
 * A place for @size bytes where only the program's mappings are, so that they are
 * all gone when that is unmapped, and nothing else is.
 */
static void *window_place(struct process *p, size_t size)
{
	size_t used = (size + 2 * PAGE) & ~(PAGE - 1);
	size_t at = __atomic_fetch_add(&p->window, used, __ATOMIC_RELAXED);

	return at + used <= WINDOW_SIZE ? WINDOW + at : NULL;
}

long run_mmap(struct thread *t, const struct step *s)
{
	const struct area *area = &t->told->area[s->param[0] % RECENT_MAX];
	struct mapping *m = &t->process->map[s->out % MAPPINGS];
	size_t size = area->size + amounts[s->param[3] % 8];
	void *at;

	/* A tebibyte may be had, and its page tables would be, too. */
	if (!size || size > 1 << 24)
		size = PAGE;
	at = window_place(t->process, size);
	if (at)
		at = mmap(at, size, protections[s->param[1] % 8],
			  sharings[s->param[2] % 8] | MAP_FIXED, thread_fd(t, s->fd),
			  area->offset + amounts[s->param[4] % 8]);
	if (!at || at == MAP_FAILED)
		return -errno;
	m->at = at;
	m->size = size;
	m->area = *area;
	return 0;
}

/* All of it, its first half, the second, a page. */
static void part_of(const struct mapping *m, unsigned int which, unsigned char **at,
		    size_t *size)
{
	size_t half = (m->size / 2 + PAGE - 1) & ~(PAGE - 1);

	*at = which % 4 == 2 ? m->at + half : m->at;
	*size = which % 4 == 0 ? m->size : which % 4 == 3 ? PAGE : half;
}

long run_munmap(struct thread *t, const struct step *s)
{
	const struct mapping *m = mapping_of(t, s);
	unsigned char *at;
	size_t size;

	part_of(m, s->param[0], &at, &size);
	return m->at ? munmap(at, size) : -1;
}

long run_mremap(struct thread *t, const struct step *s)
{
	struct mapping *m = mapping_of(t, s);
	size_t old = m->size, size = m->size;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	void *at;

	if (!m->at)
		return -1;
	switch (s->param[0] % 5) {
	case 0:
		size *= 2;
		break;
	case 1:
		size = PAGE;
		break;
	case 2:
		flags |= MREMAP_DONTUNMAP;
		break;
	case 3:
		flags = 0;
		size += PAGE;
		break;
	case 4:		/* another mapping of the same */
		old = 0;
		break;
	}
	at = window_place(t->process, size);
	at = at ? mremap(m->at, old, size, flags, at) : MAP_FAILED;
	if (at == MAP_FAILED)
		return -errno;
	m->at = at;
	m->size = size;
	return 0;
}

long run_mprotect(struct thread *t, const struct step *s)
{
	const struct mapping *m = mapping_of(t, s);

	return m->at ? mprotect(m->at, m->size, protections[s->param[0] % 8]) : -1;
}

long run_madvise(struct thread *t, const struct step *s)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DOFORK, MADV_REMOVE, MADV_WILLNEED, MADV_MERGEABLE,
		MADV_HUGEPAGE, MADV_FREE, MADV_DONTFORK, MADV_COLD, MADV_PAGEOUT,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WIPEONFORK,
	};
	const struct mapping *m = mapping_of(t, s);

	return m->at ? madvise(m->at, m->size,
			       advice[s->param[0] % (sizeof(advice) / sizeof(*advice))]) : -1;
}

long run_remap(struct thread *t, const struct step *s)
{
	const struct mapping *m = mapping_of(t, s);

	return m->at ? syscall(SYS_remap_file_pages, m->at, PAGE, 0, s->param[0] % 4, 0) : -1;
}

/*
 * What processes write there.
 */
static bool store(struct mapping *m, size_t offset, __u64 value)
{
	return m->at && offset + sizeof(value) <= m->size &&
		copy_safely(m->at + offset, &value, sizeof(value));
}

static __u64 load(struct mapping *m, size_t offset)
{
	__u64 value = 0;

	if (m->at && offset + sizeof(value) <= m->size)
		copy_safely(&value, m->at + offset, sizeof(value));
	return value;
}

static const __u64 lengths[] = { 0, 64, 4096, 4097, 1, ~0ULL, 1ULL << 32, 300 };

/* A message in a ring, nearly as doc/memory-model.md says. */
long run_publish(struct thread *t, const struct step *s)
{
	struct mapping *m = mapping_of(t, s);
	const struct area *a = &m->area;
	__u64 head = load(m, offsetof(struct sluice_lane, head)) + s->param[6] % 16;
	struct sluice_slot slot = {
		.length = lengths[s->param[0] % 8],
		.offset = lengths[s->param[1] % 8],
		.segment = s->param[2],
		.fds = s->param[3],
		.token = t->told->recent[TOKEN][s->param[4] % RECENT_MAX],
		.flags = s->param[5] & 1,
	};
	size_t at;

	if (!a->slots)
		return -1;
	slot.seq = SLUICE_SEQ(head) | (s->param[5] >> 1 & 1);
	at = a->slots_offset + (head & (a->slots - 1)) * a->slot_size;
	if (!m->at || at + sizeof(slot) > m->size ||
	    !copy_safely(m->at + at + sizeof(__u64), (char *)&slot + sizeof(__u64),
			 sizeof(slot) - sizeof(__u64)))
		return -1;
	return store(m, at, slot.seq) &&
		store(m, offsetof(struct sluice_lane, head), head + 1) ? 0 : -1;
}

/* Of a cursor: begin a lane, or say how far it is read. */
long run_begin(struct thread *t, const struct step *s)
{
	struct mapping *m = mapping_of(t, s);
	size_t at = m->area.lanes_offset + s->param[0] * sizeof(struct sluice_cursor_lane);
	__u64 generation = s->param[1] == 255 ? 0 :
		t->told->recent[GENERATION][s->param[1] % RECENT_MAX];

	if (!m->area.lanes)
		return -1;
	return store(m, at + offsetof(struct sluice_cursor_lane, head), s->param[2]) &&
		store(m, at + offsetof(struct sluice_cursor_lane, generation), generation) ?
		0 : -1;
}

/* Of a cursor: acknowledge a claim, or pin a message. */
long run_pin(struct thread *t, const struct step *s)
{
	__u64 tag = t->told->recent[TAG][s->param[2] % RECENT_MAX];
	struct mapping *m = mapping_of(t, s);
	__u64 values[] = {
		tag, tag | SLUICE_ACK_REJECT, SLUICE_PIN(s->param[2], s->param[3]), 0,
		tag + 1, ~0ULL,
	};

	if (!m->area.pins)
		return -1;
	return store(m, m->area.pins_offset + s->param[0] * sizeof(__u64),
		     values[s->param[1] % 6]) ? 0 : -1;
}

/* Of lock words: take, let go, or spoil. */
long run_word(struct thread *t, const struct step *s)
{
	struct mapping *m = mapping_of(t, s);
	size_t at = s->param[0] * sizeof(struct sluice_word);
	__u64 owner = t->told->recent[OWNER][s->param[2] % RECENT_MAX];
	__u64 now = load(m, at);

	switch (s->param[1] % 4) {
	case 0:
		return now == SLUICE_WORD_FREE && store(m, at, owner) ? 0 : -1;
	case 1:
		return now == owner && store(m, at, SLUICE_WORD_FREE) ? 0 : -1;
	case 2:
		return store(m, at, owner) ? 0 : -1;
	default:
		return store(m, at, s->param[3] & 1 ? SLUICE_WORD_KERNEL : s->param[3]) ? 0 : -1;
	}
}

/* Anything anywhere. */
long run_poke(struct thread *t, const struct step *s)
{
	static const __u64 values[] = { 0, ~0ULL, 1, 2, 1ULL << 63, 1ULL << 48, 3, 0x100000001 };
	struct mapping *m = mapping_of(t, s);
	size_t words = m->size / sizeof(__u64);
	__u64 value = s->param[3] ? t->told->recent[s->param[3] % RECENTS][0] :
		values[s->param[2] % 8];

	if (!words)
		return -1;
	return store(m, (s->param[0] | s->param[1] << 8) % words * sizeof(__u64), value) ?
		0 : -1;
}

/* As the kernel tells how much room there is, here too. */
long run_peek(struct thread *t, const struct step *s)
{
	struct mapping *m = mapping_of(t, s);
	size_t words = m->size / sizeof(__u64);
	__u64 value;

	if (!words)
		return -1;
	value = load(m, (s->param[0] | s->param[1] << 8) % words * sizeof(__u64));
	told_value(t, ROOM, value);
	return 0;
}

/*
 * Processes.
 */

/* The child goes on with the steps of this actor, as many as it is told. */
long run_fork(struct thread *t, const struct step *s)
{
	pid_t parent = getpid(), pid;
	unsigned int i;

	for (i = 0; i < 4 && t->process->child[i]; i++)
		;
	if (i == 4 || t->steps_left >= 0)
		return -1;
	pid = fork();
	if (pid > 0)
		t->process->child[i] = pid;
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (s->param[1] % 4 == 1)
		execl("/bin/true", "true", NULL);
	t->steps_left = s->param[0] % 8;
	return 0;
}

long run_exec(struct thread *t, const struct step *s)
{
	return execl("/bin/true", "true", NULL);
}

long run_kill(struct thread *t, const struct step *s)
{
	static const int signals[] = { SIGKILL, SIGUSR1, SIGKILL, SIGSEGV };
	pid_t pid = t->told->pid[s->param[0] % PROCESSES];

	return pid > 0 ? kill(pid, signals[s->param[1] % 4]) : -1;
}

long run_sleep(struct thread *t, const struct step *s)
{
	return usleep(s->param[0] % 4 * 500);
}

/*
 * Descriptors.
 */
long run_device(struct thread *t, const struct step *s)
{
	int fd = open("/dev/sluice", (s->param[0] & 1 ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	thread_keep(t, s->out, fd);
	return fd;
}

long run_close(struct thread *t, const struct step *s)
{
	int fd = thread_fd(t, s->fd);

	return fd >= t->process->first_fd ? close(fd) : -1;
}

long run_dup(struct thread *t, const struct step *s)
{
	int old = thread_fd(t, s->fd), onto = thread_fd(t, s->out), fd;

	if (s->param[0] & 1 && onto >= t->process->first_fd)
		fd = dup2(old, onto);
	else
		fd = fcntl(old, s->param[0] & 2 ? F_DUPFD : F_DUPFD_CLOEXEC, 0);
	thread_keep(t, s->out, fd);
	return fd;
}

long run_send(struct thread *t, const struct step *s)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = thread_fd(t, s->fd);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(t->process->outbox[s->param[0] % PROCESSES], &m, MSG_DONTWAIT);
}

long run_receive(struct thread *t, const struct step *s)
{
	char control[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(t->process->inbox, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	thread_keep(t, s->out, fd);
	return fd;
}

long run_poll(struct thread *t, const struct step *s)
{
	static const short events[] = {
		POLLIN, POLLOUT, POLLIN | POLLOUT | POLLPRI, POLLPRI, 0, POLLIN, POLLRDHUP, -1,
	};
	struct pollfd p = {
		.fd = thread_fd(t, s->fd), .events = events[s->param[0] % 8],
	};

	return poll(&p, 1, s->param[1] % 4);
}

long run_epoll(struct thread *t, const struct step *s)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLPRI };
	int fd = epoll_create1(EPOLL_CLOEXEC), ret;

	if (s->param[0] & 1)
		e.events |= EPOLLET;
	if (s->param[0] & 2)
		e.events |= EPOLLONESHOT;
	ret = epoll_ctl(fd, EPOLL_CTL_ADD, thread_fd(t, s->fd), &e);
	if (!ret)
		ret = epoll_wait(fd, &e, 1, s->param[1] % 4);
	if (s->param[2] & 1)	/* it stays, and the descriptor goes first or last */
		thread_keep(t, s->out, fd);
	else
		close(fd);
	return ret;
}

long run_read(struct thread *t, const struct step *s)
{
	char buf[256];
	int fd = thread_fd(t, s->fd);

	if (s->param[0] & 1)
		return recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	return fd >= t->process->first_fd ? read(fd, t->arena[0].good, PAGE) : -1;
}

long run_write(struct thread *t, const struct step *s)
{
	int fd = thread_fd(t, s->fd);

	if (s->param[0] & 1)
		return send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return fd >= t->process->first_fd ? write(fd, t->arena[0].good, 8) : -1;
}

long run_fdinfo(struct thread *t, const struct step *s)
{
	char path[64], buf[512];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", thread_fd(t, s->fd));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	n = read(fd, buf, sizeof(buf));
	close(fd);
	return n;
}

long run_flags(struct thread *t, const struct step *s)
{
	int fd = thread_fd(t, s->fd);

	if (fd < t->process->first_fd)
		return -1;
	switch (s->param[0] % 4) {
	case 0:
		return fcntl(fd, F_SETFL, O_NONBLOCK);
	case 1:
		return fcntl(fd, F_SETFL, 0);
	case 2:
		return fcntl(fd, F_SETFD, 0);
	default:
		return fsync(fd);
	}
}

static long keep_both(struct thread *t, const struct step *s, int first, int second)
{
	int small = 4096;

	/* A feed's socket shall fill up. */
	if (s->param[0] & 1)
		setsockopt(first, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	fcntl(second, F_SETFL, O_NONBLOCK);
	thread_keep(t, s->out, first);
	thread_keep(t, s->out + 1, second);
	return 0;
}

long run_sockets(struct thread *t, const struct step *s)
{
	int type = s->param[0] & 2 ? SOCK_SEQPACKET : SOCK_STREAM, fd[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd))
		return -errno;
	return keep_both(t, s, fd[0], fd[1]);
}

/* The listener stays until the program ends. */
long run_tcp(struct thread *t, const struct step *s)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int type = SOCK_STREAM | SOCK_CLOEXEC;
	int listener = socket(AF_INET, type | SOCK_NONBLOCK, 0);
	int fd = socket(AF_INET, type, 0);
	socklen_t len = sizeof(to);

	if (bind(listener, (void *)&to, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&to, &len) || connect(fd, (void *)&to, len))
		return -errno;
	return keep_both(t, s, fd, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

long run_file(struct thread *t, const struct step *s)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY, O_DIRECTORY };
	bool directory = s->param[0] % 4 == 3;
	int fd = open(directory ? "/tmp" : s->param[0] & 4 ? "/tmp/fuzz.b" : "/tmp/fuzz.a",
		      flags[s->param[0] % 4] | O_CLOEXEC | (directory ? 0 : O_CREAT), 0666);

	thread_keep(t, s->out, fd);
	return fd;
}

long run_eventfd(struct thread *t, const struct step *s)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	thread_keep(t, s->out, fd);
	return fd;
}

long run_flock(struct thread *t, const struct step *s)
{
	static const int flocks[] = { LOCK_SH, LOCK_EX, LOCK_UN, LOCK_UN };
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK, F_UNLCK };
	struct flock range = { .l_type = types[s->param[0] % 4] };
	int fd = thread_fd(t, s->fd);

	if (s->param[0] & 4)
		return fcntl(fd, s->param[0] & 8 ? F_SETLK : F_OFD_SETLK, &range);
	return flock(fd, flocks[s->param[0] % 4] | LOCK_NB);
}
