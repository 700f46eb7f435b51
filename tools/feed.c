// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cutting files into messages. Blocks, frames and whole files are read straight
 * into the publisher's loaned memory; lines are not, because nobody knows how
 * long a line is before it was read.
 *
 * A message never spans two files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pub.h"

#define BUFFER_SIZE	(256 * 1024)
#define BATCH		64

static int complain_loan(const struct pub *pub, size_t length, int error)
{
	const char *name = pub->channel.name;

	progress_clear((struct progress *)&pub->bar);
	switch (error) {
	case -EINTR:
		return STATUS_OK;
	case -EMSGSIZE:
		complain(name, 0, "a message of %zu bytes does not fit the channel's pool (see --pool-limit)",
			 length);
		return STATUS_FAILURE;
	case -ETIMEDOUT:
	case -EAGAIN:
		complain(name, 0, "timed out: a subscriber does not keep up");
		return STATUS_TIMEOUT;
	case -EDQUOT:
		complain(name, error, "the pool cannot grow");
		return STATUS_FAILURE;
	default:
		complain(name, error, "cannot publish");
		return STATUS_FAILURE;
	}
}

static int loan(struct pub *pub, size_t length, struct sluice_loan *loan)
{
	int64_t deadline = pub_deadline(pub);
	int error;

	do {
		error = sluice_publisher_loan(pub->publisher, length, loan, deadline);
	} while (error == -EINTR && !caught_signal());
	loan->type = pub->type;
	return error ? complain_loan(pub, length, error) : STATUS_OK;
}

/* Publish, unless a signal came instead of the loan. */
static int publish(struct pub *pub, struct sluice_loan *loan, size_t length)
{
	int error;

	loan->length = length;
	error = sluice_publisher_publish(pub->publisher, loan);
	if (error)
		return complain_loan(pub, length, error);
	pub->messages++;
	pub->bytes += length;
	progress_update(&pub->bar, pub->bytes);
	return STATUS_OK;
}

static int complain_read(struct pub *pub, const char *name, ssize_t error)
{
	if (error == -EINTR)
		return STATUS_OK;
	progress_clear(&pub->bar);
	complain(name, error, "cannot read");
	return STATUS_FAILURE;
}

/* Blocks -------------------------------------------------------------------- */

static int feed_blocks(struct pub *pub, int fd, const char *name)
{
	struct sluice_loan room;
	ssize_t n;
	int status;

	do {
		status = loan(pub, pub->block, &room);
		if (status || caught_signal())
			return status;
		n = read_full(fd, room.data, pub->block);
		if (n <= 0) {
			sluice_publisher_discard(pub->publisher, &room);
			return n ? complain_read(pub, name, n) : STATUS_OK;
		}
		status = publish(pub, &room, n);
	} while (!status && (size_t)n == pub->block && !caught_signal());
	return status;
}

/* Frames -------------------------------------------------------------------- */

/**
 * struct frames - a stream of length-prefixed messages
 * @fd: to read from
 * @head: the next frame's length
 * @have: bytes of it that are read
 */
struct frames {
	int fd;
	uint8_t head[8];
	size_t have;
};

/*
 * One call reads the rest of a message and the head of the next one. Return:
 * bytes of the message, less than its length at the end of the stream.
 */
static ssize_t read_body(struct frames *frames, unsigned int width, void *data,
			 size_t length)
{
	size_t done = 0;

	frames->have = 0;
	while (done < length) {
		struct iovec iov[] = {
			{ (char *)data + done, length - done },
			{ frames->head, width },
		};
		ssize_t n = readv(frames->fd, iov, 2);

		if (n == 0)
			break;
		if (n > 0)
			done += n;
		else if (errno != EINTR || caught_signal())
			return -errno;
	}
	if (done > length) {
		frames->have = done - length;
		done = length;
	}
	return done;
}

static int truncated(struct pub *pub, const char *name)
{
	progress_clear(&pub->bar);
	complain(name, 0, "ends within a message");
	return STATUS_FAILURE;
}

static int feed_body(struct pub *pub, struct frames *frames, const char *name,
		     uint64_t length)
{
	struct sluice_loan room;
	ssize_t n;
	int status;

	/* No size_t can hold more, so no pool can. */
	if (length > SIZE_MAX)
		return complain_loan(pub, SIZE_MAX, -EMSGSIZE);
	status = loan(pub, length, &room);
	if (status || caught_signal())
		return status;
	n = read_body(frames, pub->width, room.data, length);
	if (n == (ssize_t)length)
		return publish(pub, &room, length);
	sluice_publisher_discard(pub->publisher, &room);
	return n < 0 ? complain_read(pub, name, n) : truncated(pub, name);
}

static int feed_frames(struct pub *pub, int fd, const char *name)
{
	struct frames frames = { .fd = fd };
	int status = STATUS_OK;

	while (!status && !caught_signal()) {
		ssize_t n = read_full(fd, frames.head + frames.have,
				      pub->width - frames.have);

		if (n < 0)
			return complain_read(pub, name, n);
		frames.have += n;
		if (!frames.have)
			return STATUS_OK;
		if (frames.have < pub->width)
			return truncated(pub, name);
		status = feed_body(pub, &frames, name,
				   get_length(frames.head, pub->width));
	}
	return status;
}

/* Lines --------------------------------------------------------------------- */

/**
 * struct lines - a stream of lines
 * @pub: where they go
 * @buf: what is read
 * @size: of it
 * @used: bytes in it
 * @scanned: bytes known to hold no end of a line
 * @loans: written, to be published together
 * @count: of them
 */
struct lines {
	struct pub *pub;
	char *buf;
	size_t size;
	size_t used;
	size_t scanned;
	struct sluice_loan loans[BATCH];
	size_t count;
};

static int flush_lines(struct lines *lines)
{
	struct pub *pub = lines->pub;
	size_t count = lines->count, bytes = 0;
	ssize_t n;

	if (!count)
		return STATUS_OK;
	for (size_t i = 0; i < count; i++)
		bytes += lines->loans[i].length;
	lines->count = 0;
	n = sluice_publisher_publish_batch(pub->publisher, lines->loans, count);
	if (n != (ssize_t)count)
		return complain_loan(pub, bytes, n < 0 ? n : -EIO);
	pub->messages += count;
	pub->bytes += bytes;
	progress_update(&pub->bar, pub->bytes);
	return STATUS_OK;
}

static int add_line(struct lines *lines, const char *line, size_t length)
{
	struct pub *pub = lines->pub;
	struct sluice_loan *room;
	int status = STATUS_OK, error;

	if (lines->count == BATCH)
		status = flush_lines(lines);
	if (status)
		return status;
	error = sluice_publisher_try_loan(pub->publisher, length,
					  &lines->loans[lines->count]);
	/* Subscribers cannot make room for what they have not been given. */
	if (error) {
		status = flush_lines(lines);
		if (!status)
			status = loan(pub, length, &lines->loans[0]);
		if (status || caught_signal())
			return status;
	}
	room = &lines->loans[lines->count++];
	room->type = pub->type;
	if (length)
		memcpy(room->data, line, length);
	return STATUS_OK;
}

/* Publish the lines that are complete, and keep the rest. */
static int cut_lines(struct lines *lines)
{
	char delimiter = lines->pub->framing == FRAMING_NUL ? '\0' : '\n';
	size_t start = 0;
	int status = STATUS_OK;
	char *end;

	while (!status && !caught_signal()) {
		end = memchr(lines->buf + lines->scanned, delimiter,
			     lines->used - lines->scanned);
		if (!end)
			break;
		status = add_line(lines, lines->buf + start,
				  end - lines->buf - start);
		start = lines->scanned = end + 1 - lines->buf;
	}
	memmove(lines->buf, lines->buf + start, lines->used - start);
	lines->used -= start;
	lines->scanned = lines->used;
	return status ? status : flush_lines(lines);
}

static int make_room(struct lines *lines)
{
	uint64_t most = lines->pub->channel.options.config.pool_limit;
	char *buf;

	if (lines->used < lines->size)
		return STATUS_OK;
	/* An endless line must not eat all memory. */
	if (lines->used > most)
		return complain_loan(lines->pub, lines->used, -EMSGSIZE);
	buf = realloc(lines->buf, lines->size * 2);
	if (!buf)
		return complain_loan(lines->pub, lines->used, -ENOMEM);
	lines->buf = buf;
	lines->size *= 2;
	return STATUS_OK;
}

static int read_lines(struct lines *lines, int fd, const char *name)
{
	int status = STATUS_OK;

	while (!status && !caught_signal()) {
		ssize_t n;

		status = make_room(lines);
		if (status)
			break;
		n = read(fd, lines->buf + lines->used, lines->size - lines->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return complain_read(lines->pub, name, -errno);
		lines->used += n;
		status = cut_lines(lines);
		if (n == 0)
			break;
	}
	if (status || caught_signal() || !lines->used)
		return status;
	/* The last line may lack its end. */
	status = add_line(lines, lines->buf, lines->used);
	return status ? status : flush_lines(lines);
}

static int feed_lines(struct pub *pub, int fd, const char *name)
{
	struct lines *lines = calloc(1, sizeof(*lines));
	int status;

	if (lines)
		lines->buf = malloc(BUFFER_SIZE);
	if (!lines || !lines->buf) {
		free(lines);
		return complain_read(pub, name, -ENOMEM);
	}
	lines->pub = pub;
	lines->size = BUFFER_SIZE;
	status = read_lines(lines, fd, name);
	free(lines->buf);
	free(lines);
	return status;
}

/* Whole files --------------------------------------------------------------- */

static int feed_file(struct pub *pub, int fd, const char *name, size_t size)
{
	struct sluice_loan room;
	ssize_t n;
	int status = loan(pub, size, &room);

	if (status || caught_signal())
		return status;
	n = read_full(fd, room.data, size);
	if (n < 0) {
		sluice_publisher_discard(pub->publisher, &room);
		return complain_read(pub, name, n);
	}
	return publish(pub, &room, n);
}

/* Read all of a stream whose length is not known. Return: bytes or -errno. */
static ssize_t slurp(const struct pub *pub, int fd, char **buf)
{
	uint64_t most = pub->channel.options.config.pool_limit;
	size_t size = BUFFER_SIZE, used = 0;
	ssize_t n;

	*buf = malloc(size);
	while (*buf) {
		n = read_full(fd, *buf + used, size - used);
		if (n < 0)
			return n;
		used += n;
		if (used < size)
			return used;
		if (used > most)
			return -EMSGSIZE;
		char *more = realloc(*buf, size *= 2);

		if (!more)
			break;
		*buf = more;
	}
	return -ENOMEM;
}

static int feed_stream(struct pub *pub, int fd, const char *name)
{
	struct sluice_loan room;
	char *buf = NULL;
	ssize_t n = slurp(pub, fd, &buf);
	int status;

	if (n == -EMSGSIZE)
		status = complain_loan(pub, pub->channel.options.config.pool_limit + 1, n);
	else if (n < 0)
		status = complain_read(pub, name, n);
	else
		status = loan(pub, n, &room);
	if (!status && n >= 0 && !caught_signal()) {
		if (n)
			memcpy(room.data, buf, n);
		status = publish(pub, &room, n);
	}
	free(buf);
	return status;
}

int feed(struct pub *pub, int fd, const char *name)
{
	struct stat st;

	switch (pub->framing) {
	case FRAMING_BLOCKS:
		return feed_blocks(pub, fd, name);
	case FRAMING_FRAMED:
		return feed_frames(pub, fd, name);
	case FRAMING_WHOLE:
		/* Files of /proc say 0 and have more. */
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
		    lseek(fd, 0, SEEK_CUR) == 0)
			return feed_file(pub, fd, name, st.st_size);
		return feed_stream(pub, fd, name);
	default:
		return feed_lines(pub, fd, name);
	}
}
