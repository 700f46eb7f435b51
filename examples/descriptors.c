// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * descriptors - open files travel with messages, also to who may not open them.
 *
 *	descriptors receive inbox &		as another user, for example
 *	descriptors send inbox /etc/shadow	ends when it was received
 */
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sluice/sluice.h>

static int send_file(struct sluice_channel *channel, const char *path)
{
	struct sluice_publisher *publisher;
	struct sluice_loan loan;
	int ret, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = sluice_publisher_join(channel, NULL, &publisher) ?:
	      sluice_publisher_loan(publisher, strlen(path), &loan, SLUICE_NO_DEADLINE);
	if (ret)
		return ret;
	memcpy(loan.data, path, strlen(path));
	loan.fds = &fd;
	loan.nfds = 1;
	ret = sluice_publisher_publish(publisher, &loan);
	return ret ?: sluice_publisher_flush(publisher, SLUICE_NO_DEADLINE);
}

static void show(int fd)
{
	char buffer[65536];
	ssize_t length;

	while ((length = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, length, stdout);
	if (length < 0 || fflush(stdout))
		error(1, errno, "cannot copy what was received");
}

static int receive(struct sluice_channel *channel)
{
	struct sluice_subscriber *subscriber;
	struct sluice_message message;
	int fd, ret = sluice_subscriber_join(channel, NULL, &subscriber);

	ret = ret ?: sluice_subscriber_receive(subscriber, &message, SLUICE_NO_DEADLINE);
	if (ret)
		return ret;
	printf("%.*s:\n", (int)message.length, (const char *)message.data);
	fd = sluice_subscriber_receive_fd(subscriber, &message, 0);
	if (fd < 0)
		return fd;
	show(fd);
	return sluice_subscriber_release(subscriber, &message);
}

int main(int argc, char **argv)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;
	int ret;

	if (argc < 3)
		error(2, 0, "usage: descriptors receive NAME | send NAME FILE");
	options.flags = SLUICE_OPEN_CREATE;
	options.mode = 0666;
	options.config.pattern = SLUICE_QUEUE;
	ret = sluice_channel_open(argv[2], &options, &channel);
	if (!ret)
		ret = argc > 3 ? send_file(channel, argv[3]) : receive(channel);
	if (ret)
		error(1, -ret, "%s", argv[2]);
	return 0;
}
