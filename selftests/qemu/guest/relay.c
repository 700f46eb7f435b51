// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * relay - process 1 of a test guest: runs one command and carries what it
 * writes to the host over a virtio port, in frames, so that the host can tell
 * the streams apart, knows where each ends, and can tell a finished run from
 * one that was cut short.
 *
 *	relay PORT COMMAND [ARG]...
 *
 * A frame is a type byte, a 32-bit little-endian length, and that many bytes.
 *
 *	1, 2	the command's standard output and error
 *	3	what it wrote to descriptor 3: the kernel log, for the host's judge
 *	4	a tar archive of /out, if the command left anything there
 *	5	the command's exit status, 4 bytes: the last frame
 *
 * The guest resets after the host has acknowledged the last frame with a byte.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum frame { FRAME_TAR = 4, FRAME_STATUS = 5 };

#define STREAMS 3
#define DRAIN_READS 64
#define ACK_TIMEOUT_MS 10000

static int port;

static void die(const char *what)
{
	perror(what);
	/* No last frame: the host reports a guest that died. */
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void write_all(const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(port, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("relay: write to the host");
		p += n;
		len -= n;
	}
}

static void send_frame(uint8_t type, const void *data, uint32_t len)
{
	uint8_t head[5] = { type, len, len >> 8, len >> 16, len >> 24 };

	write_all(head, sizeof(head));
	write_all(data, len);
}

/* Returns what read() did: 0 at the end of the stream. */
static ssize_t carry(uint8_t type, int fd)
{
	static char buf[32768];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_frame(type, buf, n);
	return n;
}

/*
 * Start a command whose descriptors 1 to n are the pipes that come back in
 * fds, nonblocking on our side.
 */
static pid_t start(char **argv, int *fds, int n)
{
	int ends[STREAMS][2];
	pid_t pid;

	for (int i = 0; i < n; i++) {
		if (pipe2(ends[i], O_CLOEXEC) < 0)
			die("relay: pipe");
		/* Keep the ends clear of the numbers they are to be copied to. */
		ends[i][1] = fcntl(ends[i][1], F_DUPFD_CLOEXEC, 10);
		fcntl(ends[i][0], F_SETFL, O_NONBLOCK);
		fds[i] = ends[i][0];
	}
	pid = fork();
	if (pid < 0)
		die("relay: fork");
	if (pid == 0) {
		sigset_t none;

		/* A shell waits with the mask it inherits. */
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		for (int i = 0; i < n; i++)
			dup2(ends[i][1], i + 1);
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	for (int i = 0; i < n; i++)
		close(ends[i][1]);
	return pid;
}

/* Reap whatever has died; true when that included pid. */
static int reap(pid_t pid, int *status)
{
	int st, found = 0;
	pid_t p;

	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p == pid) {
			*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
			found = 1;
		}
	}
	return found;
}

static void on_child(int sig)
{
	(void)sig;	/* only there to interrupt ppoll() */
}

/*
 * Carry the streams until the command ends.  Its children may keep the pipes
 * open for ever, so its death ends the run, not the end of the streams.
 */
static int pump(pid_t pid, int *fds, int n, uint8_t first_type)
{
	struct pollfd pfd[STREAMS];
	sigset_t unblocked;
	int status = 0, done = 0;

	sigemptyset(&unblocked);
	for (int i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	while (!done) {
		if (!reap(pid, &status))
			ppoll(pfd, n, NULL, &unblocked);
		else
			done = 1;
		for (int i = 0; i < n; i++) {
			/*
			 * After its death nothing may stay behind in the
			 * pipes, yet a child that never stops writing must
			 * not keep us.
			 */
			int reads = done ? DRAIN_READS : 1;
			ssize_t got = 1;

			while (pfd[i].fd >= 0 && got > 0 && reads--)
				got = carry(first_type + i, pfd[i].fd);
			if (got == 0)
				pfd[i].fd = -1;
		}
	}
	return status;
}

static int empty(const char *path)
{
	DIR *dir = opendir(path);
	int entries = 0;

	if (!dir)
		return 1;
	while (readdir(dir))
		entries++;
	closedir(dir);
	return entries <= 2;
}

static void send_files(void)
{
	char *tar[] = { "tar", "-C", "/out", "-cf", "-", ".", NULL };
	int fd;

	if (!empty("/out"))
		pump(start(tar, &fd, 1), &fd, 1, FRAME_TAR);
}

static void finish(int status)
{
	uint8_t st[4] = { status, status >> 8, status >> 16, status >> 24 };
	struct pollfd pfd = { .fd = port, .events = POLLIN };

	send_frame(FRAME_STATUS, st, sizeof(st));
	poll(&pfd, 1, ACK_TIMEOUT_MS);
	reboot(RB_AUTOBOOT);
}

/* User Mode Linux has none of virtio, but a serial line. */
static void open_port(const char *path)
{
	struct termios raw;

	port = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (port < 0)
		die(path);
	if (tcgetattr(port, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(port, TCSANOW, &raw);
	}
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_child };
	sigset_t child;
	int fds[STREAMS];

	if (argc < 3) {
		fprintf(stderr, "usage: relay PORT COMMAND [ARG]...\n");
		return 2;
	}
	open_port(argv[1]);
	/* Blocked except in ppoll(), so that no death goes unnoticed. */
	sigaction(SIGCHLD, &sa, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);

	int status = pump(start(argv + 2, fds, STREAMS), fds, STREAMS, 1);

	send_files();
	finish(status);
	return 0;
}
