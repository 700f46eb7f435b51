// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feeds: what a queue's publishers say goes into a stream socket in whole
 * messages, whoever dies, and however slow the peer is.
 *
 * timeout: 300
 */
#include "sockets.h"
#include "traffic.h"
#include "users.h"

#include <dirent.h>
#include <pthread.h>
#include <sluice/sluice.h>

#define MB		(1 << 20)

/* What our messages begin with; the rest follows from @writer and @number. */
struct head {
	__u32 writer;
	__u32 number;
	__u64 length;
};

static __u64 seed_of(const struct head *head)
{
	return ((__u64)head->writer << 32 | head->number) + 1;
}

static struct sluice_channel *queue_full(__u32 policy, __u64 pool, __u32 slots)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;

	options.config.pattern = SLUICE_QUEUE;
	options.config.policy = policy;
	options.config.pool = pool;
	options.config.slots = slots;
	must(sluice_channel_open_anonymous(&options, &channel));
	return channel;
}

static struct sluice_channel *queue(void)
{
	return queue_full(SLUICE_BLOCK, 4 * MB, 64);
}

static struct sluice_publisher *publisher_of(struct sluice_channel *channel)
{
	struct sluice_publisher *publisher;

	must(sluice_publisher_join(channel, NULL, &publisher));
	return publisher;
}

static struct sluice_feed *feed_flags(struct sluice_channel *channel, int sock,
				      __u32 flags)
{
	struct sluice_feed_options options = SLUICE_FEED_OPTIONS_INIT;
	struct sluice_feed *feed;

	options.flags = flags;
	must(sluice_feed_attach(channel, sock, &options, &feed));
	return feed;
}

static struct sluice_feed *feed_of(struct sluice_channel *channel, int sock)
{
	return feed_flags(channel, sock, SLUICE_FEED_STAY);
}

static int attach(struct sluice_channel *channel, int sock)
{
	struct sluice_feed *feed;
	int err = sluice_feed_attach(channel, sock, NULL, &feed);

	if (!err)
		sluice_feed_close(feed);
	return err;
}

static struct sluice_feed_stat feed_stat(struct sluice_feed *feed)
{
	struct sluice_feed_stat stat;

	must(sluice_feed_stat(feed, &stat, sizeof(stat)));
	return stat;
}

/* Written in @pieces, so that there is time to be killed in between. */
static int put_pieces(struct sluice_publisher *publisher, __u32 writer,
		      __u32 number, size_t length, int pieces, __s64 deadline)
{
	struct head head = { writer, number, length };
	size_t piece = length / pieces + 1, at, n;
	struct sluice_loan loan;
	static char body[4 * MB];
	int err;

	memcpy(body, &head, sizeof(head));
	fill(body + sizeof(head), length - sizeof(head), seed_of(&head));
	err = sluice_publisher_loan(publisher, length, &loan, deadline);
	if (err)
		return err;
	for (at = 0; at < length; at += n) {
		n = piece < length - at ? piece : length - at;
		memcpy((char *)loan.data + at, body + at, n);
		if (pieces > 1)
			sched_yield();
	}
	return sluice_publisher_publish(publisher, &loan);
}

static int put(struct sluice_publisher *publisher, __u32 number, size_t length)
{
	return put_pieces(publisher, 0, number, length, 1, 0);
}

/* The other side. Return: bytes read; less than @length at the end. */
static size_t read_bytes(int sock, void *buf, size_t length)
{
	size_t have = 0;

	while (have < length) {
		ssize_t n;

		if (!(events_within(sock, POLLIN, 12 * PATIENCE_MS) & POLLIN))
			fail("nothing to read after %zu of %zu", have, length);
		n = read(sock, (char *)buf + have, length - have);
		if (n <= 0)
			break;
		have += n;
	}
	return have;
}

/* Return: 1: one is there, whole; 0: the end, between two; -1: the end within. */
static int read_one(int sock, struct head *head)
{
	static char body[4 * MB];
	size_t n = read_bytes(sock, head, sizeof(*head));

	if (!n)
		return 0;
	if (n < sizeof(*head))
		return -1;
	check(head->length >= sizeof(*head) && head->length <= sizeof(body));
	n = read_bytes(sock, body, head->length - sizeof(*head));
	if (!filled(body, n, seed_of(head)))
		fail("message %u of %u is torn", head->number, head->writer);
	return n == head->length - sizeof(*head) ? 1 : -1;
}

static int number_of_next(int sock)
{
	struct head head;

	return read_one(sock, &head) == 1 ? (int)head.number : -1;
}

static bool quiet(int sock)
{
	return !(events_of(sock, POLLIN) & POLLIN);
}

/* Both kinds of socket; ours is pair[0]. */
FIXTURE(feed) {
	int pair[2];
	struct sluice_channel *channel;
};

FIXTURE_VARIANT(feed) {
	bool tcp;
};

FIXTURE_VARIANT_ADD(feed, unix_stream) { .tcp = false };
FIXTURE_VARIANT_ADD(feed, tcp) { .tcp = true };

FIXTURE_SETUP(feed)
{
	if (variant->tcp)
		tcp_pair(self->pair);
	else
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				self->pair));
	self->channel = queue();
}

FIXTURE_TEARDOWN(feed)
{
	sluice_channel_close(self->channel);
	close(self->pair[0]);
	close(self->pair[1]);
}

TEST_F(feed, messages_in_order)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);
	struct sluice_feed_stat stat;
	struct sluice_stat st = { };
	__u64 bytes = 0;
	int i;

	EXPECT_EQ(0, events_of(sluice_feed_fd(feed), POLLIN | POLLOUT));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, put(publisher, i, 100 + 77 * i));
		bytes += 100 + 77 * i;
	}
	for (i = 0; i < 50; i++)
		ASSERT_EQ(i, number_of_next(self->pair[1]));
	EXPECT_EQ(0, sluice_publisher_flush(publisher, in_ms(PATIENCE_MS)));
	stat = feed_stat(feed);
	EXPECT_EQ(SLUICE_FEED_ACTIVE, stat.state);
	EXPECT_EQ(50, stat.messages);
	EXPECT_EQ(bytes, stat.bytes);
	EXPECT_EQ(0, stat.refused | stat.error | stat.length | stat.sent);
	EXPECT_EQ(SLUICE_FEED_STAY, stat.flags);
	must(sluice_channel_stat(self->channel, &st, sizeof(st)));
	EXPECT_EQ(1, st.subscribers);
	sluice_feed_close(feed);
	must(sluice_channel_stat(self->channel, &st, sizeof(st)));
	EXPECT_EQ(0, st.subscribers);
	sluice_publisher_close(publisher);
}

/* One that sleeps is woken by the next message, each time. */
TEST_F(feed, wakes_for_each)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);
	int i, n = scaled(5000, 300);

	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, put(publisher, i, 64));
		ASSERT_EQ(i, number_of_next(self->pair[1]));
	}
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* With lengths, any bytes at all are framed; none are a message, too. */
TEST_F(feed, lengths)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed =
		feed_flags(self->channel, self->pair[0],
			   SLUICE_FEED_STAY | SLUICE_FEED_LENGTH);
	static const size_t lengths[] = { 5, 0, 70000, 0, 1 };
	static char body[70000];
	size_t i;

	for (i = 0; i < ARRAY(lengths); i++) {
		fill(body, lengths[i], i + 1);
		ASSERT_EQ(0, sluice_publisher_send(publisher, body, lengths[i],
						   0, 0));
	}
	for (i = 0; i < ARRAY(lengths); i++) {
		__be32 length;

		ASSERT_EQ(4, read_bytes(self->pair[1], &length, 4));
		ASSERT_EQ(lengths[i], ntohl(length));
		ASSERT_EQ(lengths[i],
			  read_bytes(self->pair[1], body, lengths[i]));
		EXPECT_TRUE(filled(body, lengths[i], i + 1));
	}
	EXPECT_EQ(0, sluice_publisher_flush(publisher, in_ms(PATIENCE_MS)));
	EXPECT_EQ(70026, feed_stat(feed).bytes);
	EXPECT_EQ(5, feed_stat(feed).messages);
	EXPECT_TRUE(quiet(self->pair[1]));
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

TEST_F(feed, lines)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed =
		feed_flags(self->channel, self->pair[0],
			   SLUICE_FEED_STAY | SLUICE_FEED_LINES);
	char text[12] = "";

	ASSERT_EQ(0, sluice_publisher_send(publisher, "one", 3, 0, 0));
	ASSERT_EQ(0, sluice_publisher_send(publisher, NULL, 0, 0, 0));
	ASSERT_EQ(0, sluice_publisher_send(publisher, "three", 5, 0, 0));
	ASSERT_EQ(11, read_bytes(self->pair[1], text, 11));
	EXPECT_EQ(0, strcmp("one\n\nthree\n", text));
	EXPECT_EQ(0, sluice_publisher_flush(publisher, in_ms(PATIENCE_MS)));
	EXPECT_EQ(11, feed_stat(feed).bytes);
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* A message of a pool segment that came later. */
TEST_F(feed, grown_pool)
{
	struct sluice_channel *channel;
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_publisher *publisher;
	struct sluice_feed *feed;

	options.config.pattern = SLUICE_QUEUE;
	options.config.pool = 1 << 16;
	options.config.pool_limit = 4 * MB;
	must(sluice_channel_open_anonymous(&options, &channel));
	feed = feed_of(channel, self->pair[0]);
	publisher = publisher_of(channel);
	ASSERT_EQ(0, put(publisher, 1, 1000));
	ASSERT_EQ(0, put(publisher, 2, 2 * MB));
	EXPECT_EQ(1, number_of_next(self->pair[1]));
	EXPECT_EQ(2, number_of_next(self->pair[1]));
	EXPECT_EQ(0, feed_stat(feed).refused);
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/*
 * Eight writers, a megabyte in pieces, a slow reader, and half of the writers
 * killed in whatever they are doing: the stream is whole messages, of each
 * writer in order, and of those who lived all.
 */
#define WRITERS	8

static void write_many(struct sluice_channel *channel, __u32 writer, int count)
{
	struct sluice_publisher *publisher = publisher_of(channel);
	__u64 seed = writer + 1;
	int i;

	for (i = 0; i < count; i++) {
		size_t length = i % 4 ? sizeof(struct head) +
			random_next(&seed) % (64 << 10) : MB;

		must(put_pieces(publisher, writer, i, length, 16,
				SLUICE_NO_DEADLINE));
	}
	must(sluice_publisher_flush(publisher, SLUICE_NO_DEADLINE));
	_exit(0);
}

TEST_F_TIMEOUT(feed, many_writers_some_killed, TEST_TIMEOUT_SCALED)
{
	int i, got, total = 0, count = scaled(40, 8);
	__u32 next[WRITERS] = { };
	pid_t pids[WRITERS], closer;
	struct sluice_feed *feed;
	struct pollfd ended;
	struct head head;
	__u64 seed = seeded(7);

	small_buffers(self->pair);
	feed = feed_flags(self->channel, self->pair[0], 0);
	ended = (struct pollfd) { sluice_feed_fd(feed), POLLIN, 0 };
	for (i = 0; i < WRITERS; i++) {
		pids[i] = child();
		if (!pids[i])
			write_many(self->channel, i, i % 2 ? 1 << 20 : count);
	}
	closer = child();
	if (!closer) {
		must(poll(&ended, 1, -1));
		_exit(shutdown(self->pair[0], SHUT_WR));
	}
	while ((got = read_one(self->pair[1], &head)) == 1) {
		ASSERT_LT(head.writer, WRITERS);
		ASSERT_EQ(next[head.writer], head.number)
			TH_LOG("of writer %u", head.writer);
		next[head.writer]++;
		sleep_us(random_next(&seed) % 2000);
		/* Those of odd number would write for ever. */
		i = ++total / 4;
		if (total % 4 == 0 && i < WRITERS && i % 2)
			kill_and_reap(pids[i]);
	}
	EXPECT_EQ(0, reap(closer));
	ASSERT_LE(0, got) TH_LOG("it ended in the middle of a message");
	for (i = 0; i < WRITERS; i += 2) {
		EXPECT_EQ(0, reap(pids[i]));
		EXPECT_EQ(count, next[i]) TH_LOG("writer %d", i);
	}
	EXPECT_EQ(0, sluice_feed_wait(feed, in_ms(PATIENCE_MS)));
	EXPECT_EQ(SLUICE_FEED_FINISHED, feed_stat(feed).state);
	EXPECT_EQ(total, feed_stat(feed).messages);
	figure(total, "messages read from sockets");
	EXPECT_EQ(0, feed_stat(feed).flags & SLUICE_FEED_CUT);
	sluice_feed_close(feed);
}

/* Who does not read holds up the publishers, and nothing is lost. */
TEST_F(feed, backpressure)
{
	struct sluice_channel *channel = queue_full(SLUICE_BLOCK, MB, 16);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_feed *feed;
	int n = 0, i;

	small_buffers(self->pair);
	feed = feed_of(channel, self->pair[0]);
	while (!put_pieces(publisher, 0, n, 100000, 1, in_ms(200)))
		ASSERT_GT(100, ++n);
	EXPECT_LT(8, n);
	EXPECT_EQ(-ETIMEDOUT, sluice_publisher_flush(publisher, in_ms(100)));
	EXPECT_EQ(-EAGAIN, sluice_publisher_flush(publisher, 0));
	EXPECT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
	EXPECT_LT(0, feed_stat(feed).sent) TH_LOG("in the middle of one");
	EXPECT_EQ(100000, feed_stat(feed).length);
	for (i = 0; i < n; i++)
		ASSERT_EQ(i, number_of_next(self->pair[1]));
	EXPECT_EQ(0, sluice_publisher_flush(publisher, in_ms(PATIENCE_MS)));
	EXPECT_EQ(n, feed_stat(feed).messages);
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/*
 * Endings.
 */

/* Fills the socket until a message is stuck in it; returns its number. */
static int stick(struct sluice_publisher *publisher, struct sluice_feed *feed)
{
	int n = 0;

	do {
		check(n < 30);
		must(put(publisher, n++, 100000));
		check(until(feed_stat(feed).sent ||
			    feed_stat(feed).messages == n));
	} while (!feed_stat(feed).sent);
	return n - 1;
}

/* What the queue has for the next consumer. */
static int take(struct sluice_channel *channel, __u32 *flags)
{
	struct sluice_subscriber_options options =
		SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_subscriber *subscriber;
	struct sluice_message message;
	struct head head;
	int err;

	options.flags = SLUICE_JOIN_STAY;
	must(sluice_subscriber_join(channel, &options, &subscriber));
	err = sluice_subscriber_receive(subscriber, &message, in_ms(PATIENCE_MS));
	if (!err) {
		memcpy(&head, message.data, sizeof(head));
		*flags = message.flags;
		must(sluice_subscriber_release(subscriber, &message));
	}
	sluice_subscriber_close(subscriber);
	return err ? err : (int)head.number;
}

/* The peer goes in mid-message: an error, and the message is for another. */
TEST_F(feed, peer_goes)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed;
	__u32 flags;
	int n, err;

	small_buffers(self->pair);
	feed = feed_of(self->channel, self->pair[0]);
	n = stick(publisher, feed);
	close(self->pair[1]);
	err = sluice_feed_wait(feed, in_ms(PATIENCE_MS));
	EXPECT_TRUE(err == -EPIPE || err == -ECONNRESET) TH_LOG("%d", err);
	EXPECT_EQ(-err, feed_stat(feed).error);
	EXPECT_EQ(SLUICE_FEED_FAILED, feed_stat(feed).state);
	EXPECT_TRUE(feed_stat(feed).flags & SLUICE_FEED_CUT);
	EXPECT_EQ(POLLIN | POLLHUP | POLLERR,
		  events_of(sluice_feed_fd(feed), POLLIN));
	EXPECT_EQ(n, take(self->channel, &flags));
	EXPECT_EQ(SLUICE_MESSAGE_REDELIVERED, flags);
	EXPECT_EQ(err, sluice_feed_stop(feed, 0, in_ms(0)));
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
	self->pair[1] = -1;
}

/* It goes while nothing is to be sent: known at once, nothing claimed. */
TEST_F(feed, peer_goes_in_silence)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);
	struct linger reset = { .l_onoff = 1 };
	__u32 flags;
	int err;

	ASSERT_EQ(0, put(publisher, 0, 100));
	ASSERT_EQ(0, number_of_next(self->pair[1]));
	if (variant->tcp)
		must(setsockopt(self->pair[1], SOL_SOCKET, SO_LINGER, &reset,
				sizeof(reset)));
	close(self->pair[1]);
	self->pair[1] = -1;
	err = sluice_feed_wait(feed, in_ms(PATIENCE_MS));
	EXPECT_EQ(variant->tcp ? -ECONNRESET : -EPIPE, err);
	EXPECT_FALSE(feed_stat(feed).flags & SLUICE_FEED_CUT);
	ASSERT_EQ(0, put(publisher, 1, 100));
	EXPECT_EQ(1, take(self->channel, &flags));
	EXPECT_EQ(0, flags) TH_LOG("nobody has seen that one");
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* Who only has nothing more to say may go on listening. */
TEST_F(feed, peer_half_closes)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);

	must(shutdown(self->pair[1], SHUT_WR));
	ASSERT_EQ(0, put(publisher, 3, 100));
	EXPECT_EQ(3, number_of_next(self->pair[1]));
	EXPECT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* Attaches, and waits to be killed. */
static pid_t attacher(struct sluice_channel *channel, int sock,
		      struct step *attached, struct step *stuck)
{
	pid_t pid = child();
	struct sluice_feed *feed;

	if (pid)
		return pid;
	feed = feed_of(channel, sock);
	step_say(attached);
	if (stuck) {
		while (!feed_stat(feed).sent)
			sleep_us(500);
		step_say(stuck);
	}
	for (;;)
		pause();
}

/*
 * Killed in mid-message, who attached it leaves a stream that ends there, and
 * that nobody can write behind; the message goes elsewhere, whole.
 */
TEST_F(feed, killed_within_a_message)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct step attached = step_make(), stuck = step_make();
	struct head head;
	int i, got, n = 0;
	__u32 flags;
	pid_t pid;

	small_buffers(self->pair);
	pid = attacher(self->channel, self->pair[0], &attached, &stuck);
	step_hear(&attached);
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, put(publisher, i, 100000));
	step_hear(&stuck);
	kill_and_reap(pid);
	EXPECT_EQ(-1, send(self->pair[0], "x", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(-EPIPE, attach(self->channel, self->pair[0]));
	while ((got = read_one(self->pair[1], &head)) == 1)
		ASSERT_EQ(n++, head.number);
	EXPECT_EQ(-1, got) TH_LOG("cut, and then closed");
	EXPECT_EQ(n, take(self->channel, &flags));
	EXPECT_EQ(SLUICE_MESSAGE_REDELIVERED, flags);
	sluice_publisher_close(publisher);
}

/* Killed between two, it leaves a stream that another goes on with. */
TEST_F(feed, killed_between_messages)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct step attached = step_make();
	struct sluice_feed *feed;
	int round;
	pid_t pid;

	for (round = 0; round < 5; round++) {
		pid = attacher(self->channel, self->pair[0], &attached, NULL);
		step_hear(&attached);
		EXPECT_EQ(-EBUSY, attach(self->channel, self->pair[0]));
		ASSERT_EQ(0, put(publisher, 2 * round, 5000));
		if (round)
			ASSERT_EQ(2 * round - 1, number_of_next(self->pair[1]));
		ASSERT_EQ(2 * round, number_of_next(self->pair[1]));
		/* It is out, but is it acknowledged? */
		must(sluice_publisher_flush(publisher, in_ms(PATIENCE_MS)));
		kill_and_reap(pid);
		ASSERT_EQ(0, put(publisher, 2 * round + 1, 5000));
	}
	feed = feed_of(self->channel, self->pair[0]);
	EXPECT_EQ(9, number_of_next(self->pair[1]));
	EXPECT_TRUE(quiet(self->pair[1]));
	sluice_feed_close(feed);
	EXPECT_EQ(1, write(self->pair[0], "x", 1));
	sluice_publisher_close(publisher);
}

/* Stopped, the socket is ours again, behind a whole message. */
TEST_F(feed, stop)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed;
	struct head head;
	int i, n = 0, got;
	pid_t reader;

	small_buffers(self->pair);
	feed = feed_of(self->channel, self->pair[0]);
	EXPECT_EQ(-ETIMEDOUT, sluice_feed_wait(feed, in_ms(20)));
	EXPECT_EQ(-EINVAL, sluice_feed_stop(feed, 2, in_ms(20)));
	stick(publisher, feed);
	EXPECT_EQ(-ETIMEDOUT, sluice_feed_stop(feed, 0, in_ms(20)));
	EXPECT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, put(publisher, 100, 64));
	reader = child();
	if (!reader) {
		while ((got = read_one(self->pair[1], &head)) == 1 &&
		       head.number < 1000)
			n++;
		_exit(got == 1 && head.number == 1000 ? n : 0);
	}
	EXPECT_EQ(0, sluice_feed_stop(feed, 0, in_ms(PATIENCE_MS)));
	EXPECT_EQ(SLUICE_FEED_STOPPED, feed_stat(feed).state);
	EXPECT_FALSE(feed_stat(feed).flags & SLUICE_FEED_CUT);
	EXPECT_EQ(0, sluice_feed_wait(feed, in_ms(0)));
	head = (struct head) { 0, 1000, sizeof(head) };
	EXPECT_EQ(sizeof(head), write(self->pair[0], &head, sizeof(head)));
	n = feed_stat(feed).messages;
	EXPECT_EQ(n, reap(reader)) TH_LOG("what was sent, arrived");
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* Asked to stop, one that has nothing to do stops at once. */
TEST_F(feed, stop_idle)
{
	struct sluice_feed *feed;
	int i;

	for (i = 0; i < 20; i++) {
		feed = feed_of(self->channel, self->pair[0]);
		EXPECT_EQ(0, sluice_feed_stop(feed, 0, 0));
		EXPECT_EQ(SLUICE_FEED_STOPPED, feed_stat(feed).state);
		sluice_feed_close(feed);
	}
}

/* Told that it goes on, it goes on. */
TEST_F(feed, stop_too_late)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);
	int i, ret, n = scaled(2000, 100);

	for (i = 0; i < n; i++) {
		ASSERT_EQ(0, put(publisher, i, 3000));
		ret = sluice_feed_stop(feed, SLUICE_FEED_DRAIN * (i % 2), 0);
		if (ret) {
			ASSERT_EQ(-ETIMEDOUT, ret);
			ASSERT_EQ(i, number_of_next(self->pair[1]));
			ASSERT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
			continue;
		}
		ASSERT_EQ(SLUICE_FEED_STOPPED, feed_stat(feed).state);
		sluice_feed_close(feed);
		feed = feed_of(self->channel, self->pair[0]);
		ASSERT_EQ(i, number_of_next(self->pair[1]));
	}
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

TEST_F(feed, drain)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feed = feed_of(self->channel, self->pair[0]);
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, put(publisher, i, 300));
	EXPECT_EQ(0, sluice_feed_stop(feed, SLUICE_FEED_DRAIN,
				      in_ms(PATIENCE_MS)));
	EXPECT_EQ(20, feed_stat(feed).messages);
	EXPECT_EQ(0, sluice_publisher_flush(publisher, 0));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(i, number_of_next(self->pair[1]));
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* The end of all publishers is the end, but for who stays. */
TEST_F(feed, finishes)
{
	struct sluice_feed *feed = feed_flags(self->channel, self->pair[0], 0);
	struct sluice_publisher *publisher;

	EXPECT_EQ(-ETIMEDOUT, sluice_feed_wait(feed, in_ms(20)))
		TH_LOG("none has come yet");
	publisher = publisher_of(self->channel);
	ASSERT_EQ(0, put(publisher, 5, 1000));
	sluice_publisher_close(publisher);
	EXPECT_EQ(0, sluice_feed_wait(feed, in_ms(PATIENCE_MS)));
	EXPECT_EQ(SLUICE_FEED_FINISHED, feed_stat(feed).state);
	EXPECT_EQ(5, number_of_next(self->pair[1]));
	EXPECT_EQ(POLLIN | POLLHUP, events_of(sluice_feed_fd(feed), POLLIN));
	sluice_feed_close(feed);

	feed = feed_of(self->channel, self->pair[0]);
	publisher = publisher_of(self->channel);
	sluice_publisher_close(publisher);
	EXPECT_EQ(-ETIMEDOUT, sluice_feed_wait(feed, in_ms(50)));
	sluice_feed_close(feed);
}

/*
 * Closed as soon as the other side has all of a message: that is whole, however
 * much the feed had yet to do about it.
 */
TEST_F(feed, closed_behind_a_message)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	int i, fd, size = 8 * MB;
	struct sluice_feed_stat stat;
	struct sluice_feed *feed;
	static char body[MB];
	ssize_t n;
	size_t have;

	must(setsockopt(self->pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size,
			sizeof(size)));
	for (i = 0; i < 200; i++) {
		feed = feed_of(self->channel, self->pair[0]);
		fd = must(dup(sluice_feed_fd(feed)));
		/* As much as a feed writes in one turn. */
		ASSERT_EQ(0, put(publisher, i, sizeof(body)));
		for (have = 0; have < sizeof(body);) {
			n = recv(self->pair[1], body + have,
				 sizeof(body) - have, MSG_DONTWAIT);
			have += n > 0 ? n : 0;
		}
		sluice_feed_close(feed);
		stat = (struct sluice_feed_stat) { };
		must(call(fd, SLUICE_IOC_FEED_STAT, &stat));
		close(fd);
		ASSERT_FALSE(stat.flags & SLUICE_FEED_CUT) TH_LOG("round %d", i);
		ASSERT_EQ(1, stat.messages);
	}
	sluice_publisher_close(publisher);
}

/* A slow socket of a channel that evicts. */
TEST_F(feed, evicted)
{
	struct sluice_channel *channel = queue_full(SLUICE_EVICT, MB, 16);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_feed *feed;
	int n = 0;

	small_buffers(self->pair);
	feed = feed_of(channel, self->pair[0]);
	while (!feed_stat(feed).error && n < 100)
		put_pieces(publisher, 0, n++, 100000, 1, in_ms(50));
	EXPECT_EQ(-ECONNABORTED, sluice_feed_wait(feed, in_ms(PATIENCE_MS)));
	EXPECT_EQ(SLUICE_FEED_FAILED, feed_stat(feed).state);
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/* Two sockets share a queue: each message into one of them. */
TEST_F(feed, two_of_one_queue)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed *feeds[2];
	int other[2], i, got = 0, ends[2];
	bool seen[400] = { };
	struct head head;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other));
	feeds[0] = feed_of(self->channel, self->pair[0]);
	feeds[1] = feed_of(self->channel, other[0]);
	ends[0] = self->pair[1];
	ends[1] = other[1];
	for (i = 0; i < 400; i++) {
		while (put(publisher, i, 3000))
			for (int e = 0; e < 2; e++)
				while (!quiet(ends[e])) {
					ASSERT_EQ(1, read_one(ends[e], &head));
					ASSERT_FALSE(seen[head.number]);
					seen[head.number] = true;
					got++;
				}
	}
	while (got < 400) {
		struct pollfd p[2] = { { ends[0], POLLIN, 0 },
				       { ends[1], POLLIN, 0 } };

		ASSERT_LT(0, poll(p, 2, PATIENCE_MS));
		for (int e = 0; e < 2; e++) {
			if (!(p[e].revents & POLLIN))
				continue;
			ASSERT_EQ(1, read_one(ends[e], &head));
			ASSERT_FALSE(seen[head.number]);
			seen[head.number] = true;
			got++;
		}
	}
	EXPECT_EQ(400, feed_stat(feeds[0]).messages +
		  feed_stat(feeds[1]).messages);
	for (i = 0; i < 2; i++)
		sluice_feed_close(feeds[i]);
	sluice_publisher_close(publisher);
	close(other[0]);
	close(other[1]);
}

/*
 * Without memory a message waits; it is neither lost nor torn. Only those of the
 * kernel's threads that may be the feed's shall want for it.
 */
#define FAILSLAB(name)	"/sys/kernel/debug/failslab/" name

static void starve_workers(const char *yes)
{
	char path[300], comm[16];
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	ssize_t n;
	int fd;

	check(proc);
	while ((entry = readdir(proc))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, comm, sizeof(comm));
		close(fd);
		if (n < 9 || memcmp(comm, "kworker/u", 9))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail",
			 entry->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, yes, 1) != 1)
			check(errno == ESRCH);
		close(fd);
	}
	closedir(proc);
}

TEST_F(feed, memory_is_short)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct step go = step_make();
	struct sluice_feed *feed;
	int i, n = 40;
	pid_t pid;

	small_buffers(self->pair);
	feed = feed_of(self->channel, self->pair[0]);
	if (access(FAILSLAB("probability"), W_OK))
		SKIP(goto out, "the kernel cannot inject faults");
	write_file(FAILSLAB("verbose"), "0");
	write_file(FAILSLAB("ignore-gfp-wait"), "N");
	write_file(FAILSLAB("task-filter"), "Y");
	write_file(FAILSLAB("times"), "1000000");
	pid = child();
	if (!pid) {
		step_hear(&go);
		for (i = 0; i < n; i++)
			check(number_of_next(self->pair[1]) == i);
		_exit(0);
	}
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, put(publisher, i, 90000));
	starve_workers("1");
	write_file(FAILSLAB("probability"), "20");
	step_say(&go);
	until(feed_stat(feed).messages == n);
	write_file(FAILSLAB("probability"), "0");
	starve_workers("0");
	write_file(FAILSLAB("task-filter"), "N");
	EXPECT_GT(1000000, read_number(FAILSLAB("times"), 1000000))
		TH_LOG("nothing failed");
	EXPECT_EQ(n, feed_stat(feed).messages);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
out:
	sluice_feed_close(feed);
	sluice_publisher_close(publisher);
}

/* Attached, closed, killed, reset at any instant: nothing is torn or left. */
TEST_F_TIMEOUT(feed, storm, TEST_TIMEOUT_SCALED)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	int round, rounds = scaled(300, 20), number = 0;
	__u64 seed = seeded(11);

	for (round = 0; round < rounds; round++) {
		int pair[2], got, queued = random_next(&seed) % 8;
		struct head head;
		pid_t pid;

		if (variant->tcp)
			tcp_pair(pair);
		else
			must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
					pair));
		small_buffers(pair);
		while (queued-- && !put(publisher, number, 1 +
				sizeof(head) + random_next(&seed) % 50000))
			number++;
		pid = child();
		if (!pid) {
			struct sluice_feed *feed;

			/* It may be too late for that already. */
			sluice_feed_attach(self->channel, pair[0], NULL, &feed);
			close(pair[0]);
			close(pair[1]);
			for (;;)
				pause();
		}
		close(pair[0]);
		sleep_us(random_next(&seed) % 3000);
		if (round % 3 == 0)
			shutdown(pair[1], SHUT_RDWR);
		else if (round % 3 == 1)
			kill(pid, SIGKILL);
		sleep_us(random_next(&seed) % 3000);
		kill(pid, SIGKILL);
		do {
			got = read_one(pair[1], &head);
		} while (got == 1);
		EXPECT_EQ(-SIGKILL, reap(pid));
		close(pair[1]);
	}
	figure(rounds, "feeds attached and killed");
	sluice_publisher_close(publisher);
}

/*
 * What is not for everybody.
 */
static int attach_to(int channel, struct sluice_feed_open feed)
{
	int fd = call(channel, SLUICE_IOC_FEED, &feed);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

TEST_F(feed, refused)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	int fd = sluice_channel_fd(self->channel), other[2], null, writer;
	struct sluice_channel *broadcast;
	struct sluice_feed *feed;

	EXPECT_EQ(-EBADF, attach(self->channel, -1));
	null = must(open("/dev/null", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(-ENOTSOCK, attach(self->channel, null));
	EXPECT_EQ(-ENOTSOCK, attach(self->channel, fd));
	close(null);
	must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, other));
	EXPECT_EQ(-EPROTONOSUPPORT, attach(self->channel, other[0]));
	close(other[0]);
	close(other[1]);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, other));
	EXPECT_EQ(-EPROTONOSUPPORT, attach(self->channel, other[0]));
	close(other[0]);
	close(other[1]);
	other[0] = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	EXPECT_EQ(-EPROTONOSUPPORT, attach(self->channel, other[0]));
	close(other[0]);
	other[0] = must(socket(variant->tcp ? AF_INET : AF_UNIX,
			       SOCK_STREAM | SOCK_CLOEXEC, 0));
	EXPECT_EQ(-ENOTCONN, attach(self->channel, other[0]));
	close(other[0]);

	EXPECT_EQ(-EINVAL, attach_to(fd, (struct sluice_feed_open) {
			.socket = self->pair[0], .flags = 8 }));
	EXPECT_EQ(-EINVAL, attach_to(fd, (struct sluice_feed_open) {
			.socket = self->pair[0],
			.flags = SLUICE_FEED_LENGTH | SLUICE_FEED_LINES }));
	EXPECT_EQ(-EINVAL, attach_to(fd, (struct sluice_feed_open) {
			.socket = self->pair[0], .flags = SLUICE_FEED_CUT }));
	EXPECT_EQ(-EINVAL, attach_to(fd, (struct sluice_feed_open) {
			.socket = self->pair[0], .resv = 1 }));
	EXPECT_EQ(-EINVAL, attach_to(fd, (struct sluice_feed_open) {
			.socket = self->pair[0], .policy = 4 }));
	options.flags = SLUICE_OPEN_CREATE;
	must(sluice_channel_open_anonymous(&options, &broadcast));
	EXPECT_EQ(-EINVAL, attach(broadcast, self->pair[0]));
	sluice_channel_close(broadcast);
	writer = must(sluice_channel_restrict(self->channel, SLUICE_WRITE));
	EXPECT_EQ(-EACCES, attach_to(writer, (struct sluice_feed_open) {
			.socket = self->pair[0] }));
	close(writer);

	feed = feed_of(self->channel, self->pair[0]);
	EXPECT_EQ(-EBUSY, attach(self->channel, self->pair[0]));
	sluice_feed_close(feed);
	EXPECT_EQ(0, attach(self->channel, self->pair[0]));
	must(shutdown(self->pair[0], SHUT_WR));
	EXPECT_EQ(-EPIPE, attach(self->channel, self->pair[0]));
}

/* A reply that cannot be written: no descriptor, no feed, nothing sent. */
TEST_F(feed, reply_fails)
{
	struct sluice_publisher *publisher = publisher_of(self->channel);
	struct sluice_feed_open *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, put(publisher, 1, 100));
	page->socket = self->pair[0];
	must(mprotect(page, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, call(sluice_channel_fd(self->channel),
				SLUICE_IOC_FEED, page));
	EXPECT_EQ(0, events_within(self->pair[1], POLLIN, 50));
	EXPECT_EQ(0, attach(self->channel, self->pair[0]));
	sluice_publisher_close(publisher);
}

/* It ends with the process that made it, whoever else has a descriptor. */
TEST_F(feed, ends_with_its_maker)
{
	struct step attached = step_make(), forked = step_make();
	struct sluice_feed *feed;
	struct pollfd p;
	pid_t pid;
	int fd;

	feed = feed_of(self->channel, self->pair[0]);
	fd = sluice_feed_fd(feed);
	pid = child();
	if (!pid) {
		/* Closing a copy ends nothing. */
		sluice_feed_close(feed);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(SLUICE_FEED_ACTIVE, feed_stat(feed).state);
	fd = must(dup(fd));
	sluice_feed_close(feed);
	EXPECT_EQ(POLLIN | POLLHUP, events_of(fd, POLLIN));
	EXPECT_EQ(0, attach(self->channel, self->pair[0]));
	close(fd);

	pid = child();
	if (!pid) {
		int pair[2];

		must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		feed = feed_of(self->channel, self->pair[0]);
		if (!child_of(getpid())) {
			p = (struct pollfd) { sluice_feed_fd(feed), POLLIN, 0 };
			prctl(PR_SET_PDEATHSIG, 0);
			step_say(&forked);
			must(poll(&p, 1, -1));
			check(p.revents == (POLLIN | POLLHUP));
			step_say(&attached);
			_exit(0);
		}
		step_hear(&forked);
		kill(getpid(), SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, reap(pid));
	step_hear(&attached);
	EXPECT_EQ(0, attach(self->channel, self->pair[0]));
}

/*
 * A feed's descriptor in the queue of its own socket, and nowhere else: a cycle
 * that nobody could break, if it kept the feed alive. (That the module can be
 * unloaded afterwards is what the harness sees to.)
 */
TEST(cycle)
{
	struct sluice_channel *channel = queue();
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_feed *feed;
	struct sluice_stat st;
	int pair[2], fd;
	char c;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	feed = feed_of(channel, pair[0]);
	/* Received by nobody, it lies in the queue of the socket that is fed. */
	send_fd(pair[1], sluice_feed_fd(feed));
	fd = sluice_feed_fd(feed);
	EXPECT_EQ(-ELOOP, ({
		struct sluice_loan loan;
		int err;

		must(sluice_publisher_loan(publisher, 1, &loan, 0));
		loan.nfds = 1;
		loan.fds = &fd;
		err = sluice_publisher_publish(publisher, &loan);
		must(sluice_publisher_discard(publisher, &loan));
		err;
	}));
	sluice_feed_close(feed);
	close(pair[0]);
	EXPECT_EQ(-1, read(pair[1], &c, 1));
	EXPECT_EQ(ECONNRESET, errno) TH_LOG("it is gone, with what it had");
	st = stat_of(sluice_channel_fd(channel));
	EXPECT_EQ(0, st.subscribers);
	close(pair[1]);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/*
 * A feed that has the last of a socket lets go of it without waiting as
 * SO_LINGER says, and without letting others wait.
 */
TEST(linger)
{
	struct linger linger = { 1, 3600 };
	struct sluice_publisher *publisher;
	struct sluice_channel *channel;
	struct sluice_feed *feed[2];
	int pair[2][2], i, size = 8 * MB;

	tcp_pair(pair[0]);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[1]));
	small_buffers((int [2]) { pair[0][1], pair[1][1] });
	must(setsockopt(pair[0][0], SOL_SOCKET, SO_LINGER, &linger,
			sizeof(linger)));
	for (i = 0; i < 2; i++) {
		channel = queue();
		must(setsockopt(pair[i][0], SOL_SOCKET, SO_SNDBUFFORCE, &size,
				sizeof(size)));
		feed[i] = feed_flags(channel, pair[i][0], 0);
		close(pair[i][0]);
		publisher = publisher_of(channel);
		/* More than the other side's buffer, less than ours. */
		ASSERT_EQ(0, put(publisher, i, 100000));
		sluice_publisher_close(publisher);
		EXPECT_EQ(0, sluice_feed_wait(feed[i], in_ms(PATIENCE_MS)));
		EXPECT_EQ(SLUICE_FEED_FINISHED, feed_stat(feed[i]).state);
		sluice_channel_close(channel);
	}
	EXPECT_EQ(1, number_of_next(pair[1][1]));
	EXPECT_TRUE(events_within(pair[1][1], POLLIN, PATIENCE_MS) & POLLHUP);
	sluice_feed_close(feed[1]);
	sluice_feed_close(feed[0]);
	/* All that was written still arrives, and then the end. */
	EXPECT_EQ(0, number_of_next(pair[0][1]));
	EXPECT_EQ(-1, number_of_next(pair[0][1]));
	close(pair[0][1]);
	close(pair[1][1]);
}

/* A publisher says something with @fd, which is closed, and dies. */
static void say_and_die(struct sluice_channel *channel, int fd)
{
	pid_t pid = child();

	if (!pid) {
		struct sluice_publisher *publisher = publisher_of(channel);
		struct sluice_loan loan;

		must(sluice_publisher_loan(publisher, 1, &loan, 0));
		loan.nfds = 1;
		loan.fds = &fd;
		must(sluice_publisher_publish(publisher, &loan));
		kill(getpid(), SIGKILL);
	}
	close(fd);
	check(reap(pid) == -SIGKILL);
}

/*
 * A feed lets go of a socket that lingers, of a publisher that died: that keeps
 * nobody else's files open.
 */
TEST(lingers_for_nobody)
{
	int pair[2], out[2][2], pipes[2], i;
	struct sluice_channel *channel[2];
	struct sluice_feed *feed[2];
	char c;

	lingering_pair(pair);
	must(pipe2(pipes, O_CLOEXEC));
	for (i = 0; i < 2; i++) {
		channel[i] = queue();
		say_and_die(channel[i], i ? pipes[1] : pair[0]);
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out[i]));
		feed[i] = feed_of(channel[i], out[i][0]);
		EXPECT_EQ(1, read_bytes(out[i][1], &c, 1));
		EXPECT_TRUE(until(!stat_of(sluice_channel_fd(channel[i])).left));
	}
	EXPECT_TRUE(events_within(pipes[0], POLLIN, PATIENCE_MS) & POLLHUP)
		TH_LOG("who reads from the pipe does not see its end");
	for (i = 0; i < 2; i++) {
		sluice_feed_close(feed[i]);
		sluice_channel_close(channel[i]);
		close(out[i][0]);
		close(out[i][1]);
	}
	close(pair[1]);
	close(pipes[0]);
}

struct closing {
	int sock;
	__s64 after;
	bool go;
};

static void *close_soon(void *arg)
{
	struct closing *closing = arg;
	__s64 then;

	while (!__atomic_load_n(&closing->go, __ATOMIC_ACQUIRE))
		;
	then = now_ns() + closing->after;
	while (now_ns() < then)
		;
	close(closing->sock);
	return NULL;
}

/* Return: how long closing the feed took. */
static __s64 close_both(__u64 *random)
{
	struct sluice_channel *channel = queue_full(SLUICE_BLOCK, MB, 4);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct closing closing = {
		.after = random_next(random) % 1000 << random_next(random) % 10,
	};
	int pair[2], size = 8 * MB;
	struct sluice_feed *feed;
	pthread_t thread;
	__s64 begin;

	tcp_pair(pair);
	small_buffers((int [2]) { pair[1], pair[1] });
	must(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size,
			sizeof(size)));
	set_linger(pair[0]);
	feed = feed_flags(channel, pair[0], 0);
	check(!put(publisher, 0, 200000));
	check(until(feed_stat(feed).messages == 1));
	closing.sock = pair[0];
	check(!pthread_create(&thread, NULL, close_soon, &closing));
	__atomic_store_n(&closing.go, true, __ATOMIC_RELEASE);
	sluice_publisher_close(publisher);
	must(sluice_feed_wait(feed, in_ms(PATIENCE_MS)));
	begin = now_ns();
	sluice_feed_close(feed);
	begin = now_ns() - begin;
	/* If the thread has the last of it, it waits for this. */
	close(pair[1]);
	check(!pthread_join(thread, NULL));
	sluice_channel_close(channel);
	return begin;
}

/*
 * Whether a feed that ends or another thread has the last of a socket that
 * lingers, is anybody's guess; closing the feed does not take long.
 */
TEST(linger_race)
{
	unsigned long rounds = scaled(1000, 50), i;
	__u64 random = seeded(1);

	for (i = 0; i < rounds; i++)
		ASSERT_GT(PATIENCE_MS * NSEC_PER_MSEC, close_both(&random))
			TH_LOG("round %lu", i);
}

/* What the kernel has read for itself is known: the liar is out. */
TEST(liar)
{
	struct sluice_channel *channel = queue();
	struct sluice_publisher *honest = publisher_of(channel);
	struct sluice_feed_stat stat;
	struct sluice_feed *feed;
	__u64 lies[][4] = {
		/* offset, length, segment, flags */
		{ 0, 4 * MB + 1, 0, 0 },
		{ 4 * MB, 1, 0, 0 },
		{ -1, 2, 0, 0 },
		{ 0, -1, 0, 0 },
		{ 0, 1, 1, 0 },
		{ 0, 1, -1U, 0 },
		{ 0, 1, 0, 1 },
	};
	int pair[2], i;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	feed = feed_of(channel, pair[0]);
	for (i = 0; i < ARRAY(lies); i++) {
		struct sluice_slot *slot;
		struct pub p;

		pub_join(&p, sluice_channel_fd(channel));
		slot = pub_slot(&p, 0);
		slot->offset = lies[i][0];
		slot->length = lies[i][1];
		slot->segment = lies[i][2];
		slot->flags = lies[i][3];
		store_release(&slot->seq, SLUICE_SEQ(0));	/* R1 */
		wake(p.fd, 0, 1);
		EXPECT_TRUE(until(feed_stat(feed).refused == i + 1))
			TH_LOG("lie %d", i);
		EXPECT_EQ(-ESHUTDOWN, call(p.fd, SLUICE_IOC_ARM, NULL));
		ASSERT_EQ(0, put(honest, i, 5000));
		EXPECT_EQ(i, number_of_next(pair[1]));
		pub_close(&p);
	}
	stat = feed_stat(feed);
	EXPECT_EQ(SLUICE_FEED_ACTIVE, stat.state);
	EXPECT_EQ(ARRAY(lies), stat.messages);
	sluice_feed_close(feed);
	close(pair[0]);
	close(pair[1]);
	sluice_publisher_close(honest);
	sluice_channel_close(channel);
}

/* It is written in the name of who attached it, not of the kernel. */
TEST(credentials)
{
	struct sluice_channel *channel = queue();
	struct sluice_publisher *publisher = publisher_of(channel);
	char control[CMSG_SPACE(sizeof(struct ucred))], c;
	struct step attached = step_make();
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct ucred cred = { };
	int pair[2], one = 1;
	pid_t pid;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	must(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	pid = user(STRANGER);
	if (!pid) {
		feed_of(channel, pair[0]);
		step_say(&attached);
		for (;;)
			pause();
	}
	step_hear(&attached);
	ASSERT_EQ(0, put(publisher, 0, 100));
	ASSERT_EQ(1, recvmsg(pair[1], &msg, 0));
	ASSERT_NE(NULL, CMSG_FIRSTHDR(&msg));
	memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(cred));
	EXPECT_EQ(STRANGER, cred.uid);
	EXPECT_EQ(STRANGER, cred.gid);
	kill_and_reap(pid);
	close(pair[0]);
	close(pair[1]);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

TEST_HARNESS_MAIN
