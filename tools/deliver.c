// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handing messages on: to standard output, or to a command for each.
 *
 * In a queue a message is acknowledged after it was written or its command
 * succeeded, and not before: what this process had when it dies goes to
 * another.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sub.h"

void die_by_pipe(void)
{
	raise(SIGPIPE);
}

static int complain_release(const struct sub *sub, int error)
{
	if (!error)
		return STATUS_OK;
	if (error == -ECONNABORTED)
		complain(sub->channel.name, 0, "evicted while a message was read: the last output may be wrong");
	else
		complain(sub->channel.name, error, "cannot release");
	return STATUS_FAILURE;
}

static int reject(struct sub *sub, struct sluice_message *messages, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = sluice_subscriber_reject(sub->subscriber, &messages[i]);
	return complain_release(sub, error);
}

/* Standard output ----------------------------------------------------------- */

static int fill_iov(const struct sub *sub, const struct sluice_message *message,
		    uint8_t *head, struct iovec *iov)
{
	static const char *const ends[] = { "\n", "" };
	int n = 0;

	if (sub->form == FORM_FRAMED) {
		put_length(head, sub->width, message->length);
		iov[n++] = (struct iovec) { head, sub->width };
	}
	iov[n++] = (struct iovec) { (void *)message->data, message->length };
	if (sub->form == FORM_LINES || sub->form == FORM_NUL)
		iov[n++] = (struct iovec) { (void *)ends[sub->form], 1 };
	return n;
}

static bool fits_prefix(const struct sub *sub, const struct sluice_message *message)
{
	return sub->form != FORM_FRAMED || sub->width == 8 ||
	       (uint64_t)message->length >> (8 * sub->width) == 0;
}

static int write_messages(struct sub *sub, const struct sluice_message *messages,
			  size_t count)
{
	uint8_t heads[SUB_BATCH][8];
	struct iovec iov[2 * SUB_BATCH];
	int n = 0, error;

	for (size_t i = 0; i < count; i++) {
		if (!fits_prefix(sub, &messages[i])) {
			complain(sub->channel.name, 0, "a message of %zu bytes is too long for --framed=%u",
				 messages[i].length, sub->width);
			return STATUS_FAILURE;
		}
		n += fill_iov(sub, &messages[i], heads[i], iov + n);
	}
	error = write_full(STDOUT_FILENO, iov, n);
	if (!error || error == -EINTR)
		return STATUS_OK;
	progress_clear(&sub->bar);
	complain("standard output", error, "cannot write");
	return STATUS_FAILURE;
}

static int deliver_output(struct sub *sub, struct sluice_message *messages,
			  size_t count)
{
	int status = write_messages(sub, messages, count);

	if ((status || caught_signal()) && sub->queue) {
		reject(sub, messages, count);
		return status;
	}
	if (status)
		return status;
	return complain_release(sub, sluice_subscriber_release_batch(sub->subscriber,
								     messages, count));
}

/* A command ----------------------------------------------------------------- */

static void set_number(const char *name, unsigned long long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", value);
	setenv(name, text, 1);
}

/* The sender as this process' own namespaces see it. */
static void set_sender(const struct sub *sub, const struct sluice_message *message)
{
	struct sluice_peer peer;

	if (sluice_subscriber_peer(sub->subscriber, message, &peer, sizeof(peer))) {
		unsetenv("SLUICE_PID");
		unsetenv("SLUICE_UID");
		unsetenv("SLUICE_GID");
		return;
	}
	set_number("SLUICE_PID", peer.pid);
	set_number("SLUICE_UID", peer.uid);
	set_number("SLUICE_GID", peer.gid);
}

static void set_environment(const struct sub *sub,
			    const struct sluice_message *message)
{
	set_sender(sub, message);
	setenv("SLUICE_CHANNEL", sub->channel.name, 1);
	set_number("SLUICE_PUBLISHER", message->generation);
	set_number("SLUICE_POSITION", message->position);
	set_number("SLUICE_TYPE", message->type);
	set_number("SLUICE_LENGTH", message->length);
	set_number("SLUICE_LOST", message->lost);
	set_number("SLUICE_REDELIVERED",
		   !!(message->flags & SLUICE_MESSAGE_REDELIVERED));
}

/*
 * A command that does not read its input must not keep us from going on, and
 * one that seeks may: so its input is a file, not a pipe.
 */
static int make_input(const struct sluice_message *message)
{
	struct iovec iov = { (void *)message->data, message->length };
	int fd = memfd_create("message", MFD_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = write_full(fd, &iov, 1);
	if (!error && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

static int spawn(char **command, int input, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	error = posix_spawnp(pid, command[0], &actions, NULL, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

/* Wait for it; a signal that ends us ends it first. */
static int wait_for(pid_t pid)
{
	bool told = false;
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
		if (caught_signal() && !told) {
			kill(pid, caught_signal());
			told = true;
		}
	}
	return status;
}

/* Return: 0, 1 if the command failed, or a negative errno value. */
static int run_command(struct sub *sub, const struct sluice_message *message)
{
	int input = make_input(message), error;
	pid_t pid;

	if (input < 0)
		return input;
	set_environment(sub, message);
	error = spawn(sub->command, input, &pid);
	close(input);
	if (error)
		return error;
	return wait_for(pid) != 0;
}

/* A message that always fails must not keep a CPU busy. */
static void pause_after_failure(unsigned int row)
{
	struct timespec pause = { .tv_nsec = 1000000L << (row < 9 ? row : 9) };

	if (row > 1)
		nanosleep(&pause, NULL);
}

static int after_failure(struct sub *sub, struct sluice_message *message)
{
	enum on_failure what = sub->on_failure;
	int status;

	sub->failed++;
	sub->row++;
	if (what == FAILURE_DEFAULT)
		what = sub->queue ? FAILURE_REJECT : FAILURE_ACCEPT;
	if (sub->queue && (what != FAILURE_ACCEPT || caught_signal()))
		status = reject(sub, message, 1);
	else
		status = complain_release(sub,
				sluice_subscriber_release(sub->subscriber, message));
	if (what == FAILURE_REJECT && !caught_signal())
		pause_after_failure(sub->row);
	return what == FAILURE_STOP ? STATUS_FAILURE : status;
}

static int deliver_command(struct sub *sub, struct sluice_message *message)
{
	int result = run_command(sub, message);

	if (result > 0)
		return after_failure(sub, message);
	if (result == 0) {
		sub->row = 0;
		return complain_release(sub,
				sluice_subscriber_release(sub->subscriber, message));
	}
	/* Not the message's fault: the next one would fare no better. */
	progress_clear(&sub->bar);
	complain(sub->command[0], result, "cannot run");
	if (sub->queue)
		reject(sub, message, 1);
	return STATUS_FAILURE;
}

int deliver(struct sub *sub, struct sluice_message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		sub->taken++;
		sub->bytes += messages[i].length;
		sub->redelivered += !!(messages[i].flags & SLUICE_MESSAGE_REDELIVERED);
	}
	if (sub->command)
		return deliver_command(sub, messages);
	return deliver_output(sub, messages, count);
}
