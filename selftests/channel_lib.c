// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels as programs use them: through libsluice. The protocol by hand is
 * tested elsewhere; here is what the library adds, and that it and the module
 * agree.
 */
#include "util.h"

#include <sluice/sluice.h>
#include <sys/epoll.h>

/*
 * What the library is about to map, by mmap() of its own: the linker sees to that.
 */
static void (*before_mmap)(void);
static int mmap_error;

void *__real_mmap64(void *at, size_t size, int prot, int flags, int fd,
		    off64_t offset);
void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
		    off64_t offset);

void *__wrap_mmap64(void *at, size_t size, int prot, int flags, int fd,
		    off64_t offset)
{
	if (before_mmap)
		before_mmap();
	if (mmap_error) {
		errno = mmap_error;
		mmap_error = 0;
		return MAP_FAILED;
	}
	return __real_mmap64(at, size, prot, flags, fd, offset);
}

static struct sluice_channel *channel_with(const struct sluice_config *config)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;

	if (config)
		options.config = *config;
	must(sluice_channel_open_anonymous(&options, &channel));
	return channel;
}

static struct sluice_publisher *publisher_of(struct sluice_channel *channel)
{
	struct sluice_publisher *publisher;

	must(sluice_publisher_join(channel, NULL, &publisher));
	return publisher;
}

static struct sluice_subscriber *subscriber_with(struct sluice_channel *channel,
						 __u32 policy, __u32 flags)
{
	struct sluice_subscriber_options options =
		SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_subscriber *subscriber;

	options.policy = policy;
	options.flags = flags;
	must(sluice_subscriber_join(channel, &options, &subscriber));
	return subscriber;
}

static struct sluice_subscriber *subscriber_of(struct sluice_channel *channel)
{
	return subscriber_with(channel, 0, 0);
}

/* A message that repeats a number. */
static int put_long(struct sluice_publisher *publisher, __u32 number,
		    size_t length, __s64 deadline)
{
	struct sluice_loan loan;
	int err = sluice_publisher_loan(publisher, length, &loan, deadline);

	if (err)
		return err;
	memset(loan.data, number, length);
	loan.type = number;
	return sluice_publisher_publish(publisher, &loan);
}

static int put(struct sluice_publisher *publisher, __u32 number)
{
	return put_long(publisher, number, 64, 0);
}

static bool intact(const struct sluice_message *message)
{
	const __u8 *bytes = message->data;

	for (size_t i = 0; i < message->length; i++)
		if (bytes[i] != (message->type & 0xff))
			return false;
	return true;
}

/* The number of the next message, or an error. */
static int take(struct sluice_subscriber *subscriber, __s64 deadline)
{
	struct sluice_message message;
	int err = sluice_subscriber_receive(subscriber, &message, deadline);
	int number = message.type;

	if (err)
		return err;
	check(intact(&message));
	must(sluice_subscriber_release(subscriber, &message));
	return number;
}

static int take_now(struct sluice_subscriber *subscriber)
{
	return take(subscriber, 0);
}

/* Open, list, stat, pass, restrict, close. */

static int find_name(const struct sluice_stat *stat, void *data)
{
	return stat->name_len == strlen(data) &&
		!memcmp(stat->name, data, stat->name_len);
}

TEST(channels)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel, *other;
	struct sluice_stat stat;
	struct sluice_info info;
	char *name = "channel_lib";

	EXPECT_EQ(0, sluice_query_info(&info, sizeof(info)));
	EXPECT_EQ(SLUICE_ABI_MAJOR, info.abi_major);
	EXPECT_LT(0, info.slots_max);
	EXPECT_EQ(-ENOENT, sluice_channel_open(name, NULL, &channel));
	options.flags = SLUICE_OPEN_CREATE;
	options.config.slots = 32;
	ASSERT_EQ(0, sluice_channel_open(name, &options, &channel));
	EXPECT_TRUE(sluice_channel_created(channel));
	EXPECT_EQ(32, sluice_channel_config(channel)->slots);
	EXPECT_EQ(1, sluice_channel_list(find_name, name));
	EXPECT_EQ(0, sluice_channel_list(find_name, "no such one"));
	ASSERT_EQ(0, sluice_channel_open(name, NULL, &other));
	EXPECT_FALSE(sluice_channel_created(other));
	EXPECT_EQ(32, sluice_channel_config(other)->slots);
	memset(&stat, 0xff, sizeof(stat));
	EXPECT_EQ(0, sluice_channel_stat(other, &stat, sizeof(stat)));
	EXPECT_EQ(strlen(name), stat.name_len);
	EXPECT_EQ(0, stat.publishers);
	EXPECT_EQ(0, sluice_channel_stat(other, &stat, 8));
	sluice_channel_close(other);
	options.flags |= SLUICE_OPEN_EXCL;
	EXPECT_EQ(-EEXIST, sluice_channel_open(name, &options, &other));
	sluice_channel_close(channel);
	EXPECT_EQ(-ENOENT, sluice_channel_open(name, NULL, &channel));
}

TEST(restricted_and_passed)
{
	struct sluice_channel *channel = channel_with(NULL), *reader;
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;
	int pair[2], fd;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_EQ(-EINVAL, sluice_channel_restrict(channel, 0));
	fd = sluice_channel_restrict(channel, SLUICE_READ);
	ASSERT_LE(0, fd);
	send_fd(pair[0], fd);
	close(fd);
	fd = recv_fd(pair[1]);
	ASSERT_EQ(0, fcntl(fd, F_SETFD, 0));
	ASSERT_EQ(0, sluice_channel_from_fd(fd, &reader));
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(-EACCES, sluice_channel_restrict(reader, SLUICE_WRITE));
	EXPECT_EQ(-EACCES, sluice_publisher_join(reader, NULL, &publisher));
	subscriber = subscriber_of(reader);
	publisher = publisher_of(channel);
	EXPECT_EQ(0, put(publisher, 7));
	EXPECT_EQ(7, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(-EINVAL,
		  sluice_channel_from_fd(sluice_publisher_fd(publisher),
					 &reader));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(reader);
	sluice_channel_close(channel);
}

static int count_peer(const struct sluice_peer *peer, void *data)
{
	*(int *)data += peer->state == SLUICE_ACTIVE;
	return 0;
}

TEST(peers)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_publisher *publishers[3];
	struct sluice_peer peer;
	int count = 0;

	for (int i = 0; i < 3; i++)
		publishers[i] = publisher_of(channel);
	EXPECT_EQ(0, sluice_channel_peers(channel, SLUICE_PUBLISHER, count_peer,
					  &count));
	EXPECT_EQ(3, count);
	EXPECT_EQ(0, sluice_channel_peers(channel, SLUICE_SUBSCRIBER,
					  count_peer, &count));
	EXPECT_EQ(3, count);
	EXPECT_EQ(0, sluice_channel_peer(channel, SLUICE_PUBLISHER,
			sluice_publisher_index(publishers[1]),
			sluice_publisher_generation(publishers[1]),
			&peer, sizeof(peer)));
	EXPECT_EQ(getpid(), peer.pid);
	EXPECT_EQ(-ESTALE, sluice_channel_peer(channel, SLUICE_PUBLISHER, 0,
					       1ULL << 40, &peer,
					       sizeof(peer)));
	EXPECT_EQ(-ENOENT, sluice_channel_peer(channel, SLUICE_SUBSCRIBER, 0, 0,
					       &peer, sizeof(peer)));
	for (int i = 0; i < 3; i++)
		sluice_publisher_close(publishers[i]);
	sluice_channel_close(channel);
}

/* Round trips between processes, blocking on both sides. */

static void echo(struct sluice_channel *there, struct sluice_channel *back,
		 struct step *joined, unsigned long count)
{
	struct sluice_subscriber *subscriber = subscriber_of(there);
	struct sluice_publisher *publisher = publisher_of(back);

	step_say(joined);
	for (unsigned long i = 0; i < count; i++)
		must(put_long(publisher,
			      must(take(subscriber, SLUICE_NO_DEADLINE)),
			      i % 500 + 1, SLUICE_NO_DEADLINE));
	sluice_subscriber_close(subscriber);
	sluice_publisher_close(publisher);
	_exit(0);
}

TEST(round_trips)
{
	struct sluice_channel *there = channel_with(NULL);
	struct sluice_channel *back = channel_with(NULL);
	unsigned long count = scaled(20000, 1000);
	struct sluice_subscriber *subscriber = subscriber_of(back);
	struct sluice_publisher *publisher = publisher_of(there);
	struct step joined = step_make();
	pid_t pid = child();

	if (!pid)
		echo(there, back, &joined, count);
	step_hear(&joined);
	for (unsigned long i = 0; i < count; i++) {
		ASSERT_EQ(0, put_long(publisher, i & 0x7fffffff, i % 300 + 1,
				      in_ms(PATIENCE_MS)));
		ASSERT_EQ(i, take(subscriber, in_ms(2 * PATIENCE_MS)));
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(-EPIPE, take(subscriber, in_ms(PATIENCE_MS)));
	sluice_subscriber_close(subscriber);
	sluice_publisher_close(publisher);
	sluice_channel_close(there);
	sluice_channel_close(back);
}

/* A stream of all sizes through a pool that grows while it runs. */
TEST(stream_with_growth)
{
	struct sluice_config config = { .pool = 1 << 14, .pool_limit = 1 << 18 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher;
	struct sluice_publisher_stats stats;
	int count = scaled(5000, 500);
	struct sluice_loan loan;
	__u64 seed = 1;
	pid_t pid = child();

	if (!pid) {
		publisher = publisher_of(channel);
		for (int i = 0; i < count; i++)
			must(put_long(publisher, i,
				      random_next(&seed) % 50000,
				      SLUICE_NO_DEADLINE));
		must(sluice_publisher_stats(publisher, &stats, sizeof(stats)));
		check(stats.segments > 1 && stats.published == count);
		check(sluice_publisher_try_loan(publisher, (1 << 18) + 1,
						&loan) == -EMSGSIZE);
		sluice_publisher_close(publisher);
		_exit(0);
	}
	for (int i = 0; i < count; i++)
		ASSERT_EQ(i, take(subscriber, in_ms(2 * PATIENCE_MS)));
	EXPECT_EQ(-EPIPE, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, reap(pid));
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(explicit_growth)
{
	struct sluice_publisher_options options = SLUICE_PUBLISHER_OPTIONS_INIT;
	struct sluice_config config = { .pool = 4096, .pool_limit = 4 << 12 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher;
	struct sluice_loan loan;

	options.flags = SLUICE_PUBLISHER_NO_GROW;
	ASSERT_EQ(0, sluice_publisher_join(channel, &options, &publisher));
	EXPECT_EQ(-EMSGSIZE, sluice_publisher_try_loan(publisher, 8192, &loan));
	EXPECT_EQ(-EINVAL, sluice_publisher_grow(publisher, 0));
	EXPECT_EQ(-ENOSPC, sluice_publisher_grow(publisher, 4 << 12));
	EXPECT_EQ(0, sluice_publisher_grow(publisher, 8000));
	EXPECT_EQ(0, sluice_publisher_try_loan(publisher, 8192, &loan));
	EXPECT_EQ(0, sluice_publisher_discard(publisher, &loan));
	sluice_publisher_close(publisher);
	options.flags = 1 << 31;
	EXPECT_EQ(-EINVAL, sluice_publisher_join(channel, &options,
						 &publisher));
	sluice_channel_close(channel);
}

TEST(batches)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_message messages[16];
	struct sluice_loan loans[8];
	__u32 next = 0;

	for (int round = 0; round < 200; round++) {
		ASSERT_EQ(8, sluice_publisher_loan_batch(publisher, 32, loans,
							 8, 0));
		for (int i = 0; i < 8; i++)
			loans[i].type = 8 * round + i;
		ASSERT_EQ(8, sluice_publisher_publish_batch(publisher, loans,
							    8));
		ASSERT_EQ(8, sluice_subscriber_receive_batch(subscriber,
							     messages, 16, 0));
		for (int i = 0; i < 8; i++)
			ASSERT_EQ(next++, messages[i].type);
		ASSERT_EQ(0, sluice_subscriber_release_batch(subscriber,
							     messages, 8));
	}
	EXPECT_EQ(-EINVAL, sluice_subscriber_receive_batch(subscriber, messages,
							   0, 0));
	EXPECT_EQ(-EINVAL, sluice_publisher_loan_batch(publisher, 1, loans, 0,
						       0));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(sent_by_copy)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_message message;
	static char big[(1 << 20) + 1];

	EXPECT_EQ(0, sluice_publisher_send(publisher, "hello", 6, 77, 0));
	EXPECT_EQ(0, sluice_publisher_send(publisher, NULL, 0, 78, 0));
	EXPECT_EQ(-EMSGSIZE, sluice_publisher_send(publisher, big, sizeof(big),
						   0, 0));
	ASSERT_EQ(0, sluice_subscriber_try_receive(subscriber, &message));
	EXPECT_EQ(77, message.type);
	EXPECT_EQ(6, message.length);
	EXPECT_STREQ("hello", message.data);
	EXPECT_EQ(0, sluice_subscriber_release(subscriber, &message));
	EXPECT_EQ(-EINVAL, sluice_subscriber_release(subscriber, &message));
	ASSERT_EQ(0, sluice_subscriber_try_receive(subscriber, &message));
	EXPECT_EQ(78, message.type);
	EXPECT_EQ(0, message.length);
	EXPECT_EQ(0, sluice_subscriber_release(subscriber, &message));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* Policies. */

TEST(block)
{
	struct sluice_config config = { .slots = 4 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	pid_t pid;

	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, put(publisher, i));
	EXPECT_EQ(-EAGAIN, put(publisher, 4));
	EXPECT_EQ(-ETIMEDOUT, put_long(publisher, 4, 64, in_ms(50)));
	pid = child();
	if (!pid) {
		/* The endpoint is not the child's, the channel is. */
		check(put(publisher, 4) == -ECHILD);
		check(take_now(subscriber) == -ECHILD);
		sluice_publisher_close(publisher);
		sluice_subscriber_close(subscriber);
		_exit(0);
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, take_now(subscriber));
	EXPECT_EQ(0, put(publisher, 4));
	for (int i = 1; i < 5; i++)
		EXPECT_EQ(i, take_now(subscriber));
	EXPECT_EQ(-EAGAIN, take_now(subscriber));
	EXPECT_EQ(-ETIMEDOUT, take(subscriber, in_ms(50)));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* Blocked in the kernel, and woken by a release elsewhere. */
TEST(block_until_released)
{
	struct sluice_config config = { .pool = 4096 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher;
	struct sluice_message message;
	pid_t pid = child();

	if (!pid) {
		publisher = publisher_of(channel);
		must(put_long(publisher, 1, 4096, 0));
		must(put_long(publisher, 2, 4096, in_ms(6 * PATIENCE_MS)));
		_exit(0);
	}
	ASSERT_EQ(0, sluice_subscriber_receive(subscriber, &message,
					       in_ms(PATIENCE_MS)));
	EXPECT_TRUE(until(sleeps(pid)));
	EXPECT_EQ(1, message.type);
	EXPECT_TRUE(intact(&message));
	EXPECT_EQ(0, sluice_subscriber_release(subscriber, &message));
	EXPECT_EQ(2, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, reap(pid));
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(drop_oldest)
{
	struct sluice_config config = { .slots = 8,
					.policy = SLUICE_DROP_OLDEST };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber_stats stats;
	struct sluice_message message, held;
	__u64 lost = 0, got = 1;

	EXPECT_EQ(0, put(publisher, 200));
	ASSERT_EQ(0, sluice_subscriber_try_receive(subscriber, &held));
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, put(publisher, i));
	EXPECT_TRUE(intact(&held));
	while (!sluice_subscriber_try_receive(subscriber, &message)) {
		lost += message.lost;
		got++;
		EXPECT_EQ(message.position, message.type + 1);
		EXPECT_EQ(0, sluice_subscriber_release(subscriber, &message));
	}
	EXPECT_EQ(101, got + lost);
	EXPECT_LT(80, lost);
	EXPECT_EQ(0, sluice_subscriber_stats(subscriber, &stats,
					     sizeof(stats)));
	EXPECT_EQ(lost, stats.lost);
	EXPECT_EQ(got, stats.received);
	EXPECT_EQ(1, stats.held);
	EXPECT_EQ(0, sluice_subscriber_release(subscriber, &held));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

static struct sluice_publisher *leaving_publisher;
static struct sluice_subscriber *leaving_subscriber;
static int mappings_before;

static void leave_before_mmap(void)
{
	if (mappings_before--)
		return;
	before_mmap = NULL;
	sluice_publisher_close(leaving_publisher);
	sluice_subscriber_close(leaving_subscriber);
	leaving_publisher = NULL;
	leaving_subscriber = NULL;
}

/* Who goes just before it would have been mapped is nobody's trouble. */
TEST(peer_leaves_before_it_is_mapped)
{
	struct sluice_config config = { .slots = 4 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;

	leaving_publisher = publisher_of(channel);
	mappings_before = 2;	/* the members, and its own cursor */
	before_mmap = leave_before_mmap;
	ASSERT_EQ(0, sluice_subscriber_join(channel, NULL, &subscriber));
	EXPECT_EQ(NULL, leaving_publisher);

	publisher = publisher_of(channel);
	leaving_subscriber = subscriber_of(channel);
	mappings_before = 1;	/* the other one's cursor, when room is looked for */
	before_mmap = leave_before_mmap;
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(0, put(publisher, i));
		EXPECT_EQ(i, take_now(subscriber));
	}
	EXPECT_EQ(NULL, leaving_subscriber);
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* What could not be mapped before is not all that is wanted now. */
TEST(grows_after_a_failure)
{
	struct sluice_config config = { .pool = 4096, .pool_limit = 1ULL << 40 };
	struct sluice_publisher_options options = SLUICE_PUBLISHER_OPTIONS_INIT;
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher;

	options.flags = SLUICE_PUBLISHER_NO_GROW;
	ASSERT_EQ(0, sluice_publisher_join(channel, &options, &publisher));
	mmap_error = ENOMEM;
	EXPECT_EQ(-ENOMEM, sluice_publisher_grow(publisher, 8192));
	EXPECT_EQ(0, sluice_publisher_grow(publisher, 1 << 20));
	EXPECT_EQ(0, put_long(publisher, 1, 1 << 20, 0));
	EXPECT_EQ(1, take_now(subscriber));
	EXPECT_EQ(-ENOSPC, sluice_publisher_grow(publisher, 200ULL << 30));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(evict)
{
	struct sluice_config config = { .slots = 8, .policy = SLUICE_EVICT };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *slow = subscriber_of(channel);
	struct sluice_subscriber *quick = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *never;
	struct sluice_message held;
	struct sluice_event event;

	EXPECT_EQ(-EPERM, sluice_subscriber_join(channel,
		&(struct sluice_subscriber_options){
			.size = sizeof(struct sluice_subscriber_options),
			.policy = SLUICE_BLOCK }, &never));
	EXPECT_EQ(0, put(publisher, 0));
	EXPECT_EQ(0, take_now(quick));
	ASSERT_EQ(0, sluice_subscriber_try_receive(slow, &held));
	for (int i = 1; i < 40; i++) {
		EXPECT_EQ(0, put(publisher, i));
		EXPECT_EQ(i, take_now(quick));
	}
	EXPECT_EQ(-ECONNABORTED, sluice_subscriber_release(slow, &held));
	EXPECT_EQ(-ECONNABORTED, take_now(slow));
	EXPECT_EQ(-ECONNABORTED, take(slow, in_ms(PATIENCE_MS)));
	EXPECT_EQ(POLLHUP, events_of(sluice_subscriber_fd(slow), POLLIN) &
		  POLLHUP);
	EXPECT_EQ(0, sluice_subscriber_next_event(slow, &event,
						  sizeof(event)));
	EXPECT_EQ(SLUICE_EVENT_EVICTED, event.type);
	do {
		ASSERT_EQ(0, sluice_publisher_next_event(publisher, &event,
							 sizeof(event)));
	} while (event.type != SLUICE_EVENT_LEFT);
	EXPECT_EQ(sluice_subscriber_generation(slow), event.generation);
	EXPECT_EQ(SLUICE_LEFT_EVICTED, event.reason);
	sluice_publisher_close(publisher);
	sluice_subscriber_close(slow);
	sluice_subscriber_close(quick);
	sluice_channel_close(channel);
}

TEST(history)
{
	struct sluice_config config = { .slots = 16, .history = 4 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *late;

	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, put(publisher, i));
	late = subscriber_of(channel);
	EXPECT_EQ(0, put(publisher, 100));
	for (int i = 96; i <= 100; i++)
		EXPECT_EQ(i, take_now(late));
	EXPECT_EQ(-EAGAIN, take_now(late));
	sluice_publisher_close(publisher);
	EXPECT_EQ(-EPIPE, take_now(late));
	sluice_subscriber_close(late);
	/* It left, and what it kept for those to come is still there. */
	late = subscriber_of(channel);
	for (int i = 97; i <= 100; i++)
		EXPECT_EQ(i, take_now(late));
	EXPECT_EQ(-EPIPE, take_now(late));
	sluice_subscriber_close(late);
	sluice_channel_close(channel);
}

/* Queues. */

static void claim_and_die(struct sluice_channel *channel, struct step *step)
{
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_message message[2];

	must(sluice_subscriber_receive(subscriber, &message[0],
				       in_ms(PATIENCE_MS)));
	must(sluice_subscriber_receive(subscriber, &message[1],
				       in_ms(PATIENCE_MS)));
	check(message[0].type == 0 && message[1].type == 1);
	must(sluice_subscriber_release(subscriber, &message[0]));
	step_say(step);
	pause();
}

TEST(queue_redelivers)
{
	struct sluice_config config = { .pattern = SLUICE_QUEUE };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *survivor;
	struct step step = step_make();
	struct sluice_message message;
	pid_t pid;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, put(publisher, i));
	pid = child();
	if (!pid)
		claim_and_die(channel, &step);
	step_hear(&step);
	survivor = subscriber_of(channel);
	EXPECT_EQ(2, take_now(survivor));
	kill_and_reap(pid);
	ASSERT_EQ(0, sluice_subscriber_receive(survivor, &message,
					       in_ms(PATIENCE_MS)));
	EXPECT_EQ(1, message.type);
	EXPECT_EQ(SLUICE_MESSAGE_REDELIVERED, message.flags);
	EXPECT_EQ(0, sluice_subscriber_reject(survivor, &message));
	EXPECT_EQ(1, take_now(survivor));
	EXPECT_EQ(3, take_now(survivor));
	EXPECT_EQ(-EAGAIN, take_now(survivor));
	EXPECT_EQ(-ETIMEDOUT, take(survivor, in_ms(30)));
	sluice_publisher_close(publisher);
	EXPECT_EQ(-EPIPE, take(survivor, in_ms(PATIENCE_MS)));
	sluice_subscriber_close(survivor);
	sluice_channel_close(channel);
}

static void consume(struct sluice_channel *channel, unsigned char *seen,
		    int prefetch)
{
	struct sluice_subscriber_options options =
		SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_subscriber *subscriber;
	int number;

	options.prefetch = prefetch;
	must(sluice_subscriber_join(channel, &options, &subscriber));
	for (;;) {
		number = take(subscriber, SLUICE_NO_DEADLINE);
		if (number < 0)
			break;
		__atomic_add_fetch(&seen[number], 1, __ATOMIC_RELAXED);
	}
	check(number == -EPIPE);
	_exit(0);
}

TEST(queue_delivers_each_once)
{
	struct sluice_config config = { .pattern = SLUICE_QUEUE, .slots = 16 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	int count = scaled(20000, 1000);
	unsigned char *seen = shared(count);
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		pids[i] = child();
		if (!pids[i])
			consume(channel, seen, 1 + 3 * i);
	}
	for (int i = 0; i < count; i++)
		ASSERT_EQ(0, put_long(publisher, i, 100,
				      in_ms(4 * PATIENCE_MS)));
	sluice_publisher_close(publisher);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, reap(pids[i]));
	for (int i = 0; i < count; i++)
		ASSERT_EQ(1, seen[i]);
	sluice_channel_close(channel);
}

TEST(queue_drops_oldest)
{
	struct sluice_config config = { .pattern = SLUICE_QUEUE, .slots = 8,
					.policy = SLUICE_DROP_OLDEST };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher_stats stats;
	int first, count = 1;

	for (int i = 0; i < 50; i++)
		ASSERT_EQ(0, put(publisher, i));
	first = take_now(subscriber);
	EXPECT_LE(42, first);
	while (take_now(subscriber) == first + count)
		count++;
	EXPECT_EQ(50, first + count);
	EXPECT_EQ(0, sluice_publisher_stats(publisher, &stats, sizeof(stats)));
	EXPECT_EQ(first, stats.dropped);
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* The consumer that holds everything up goes; another gets what it had. */
TEST(queue_evicts)
{
	struct sluice_config config = { .pattern = SLUICE_QUEUE, .slots = 4,
					.policy = SLUICE_EVICT };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *stuck = subscriber_of(channel);
	struct sluice_subscriber *other = subscriber_of(channel);
	struct sluice_message message;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, put(publisher, i));
	ASSERT_EQ(0, sluice_subscriber_try_receive(stuck, &message));
	for (int i = 1; i < 4; i++)
		EXPECT_EQ(i, take_now(other));
	EXPECT_EQ(-EAGAIN, put(publisher, 4));
	EXPECT_EQ(-ECONNABORTED, take_now(stuck));
	EXPECT_EQ(0, take_now(other));
	EXPECT_EQ(0, put_long(publisher, 4, 64, in_ms(PATIENCE_MS)));
	EXPECT_EQ(4, take_now(other));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(stuck);
	sluice_subscriber_close(other);
	sluice_channel_close(channel);
}

/* File descriptors, and who sent them. */

TEST(descriptors)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher;
	struct sluice_identity identity;
	struct sluice_message message;
	struct sluice_loan loan;
	struct sluice_peer peer;
	int ends[2], fd, bad = -1;
	pid_t pid = child();
	char text[8] = "";

	if (!pid) {
		publisher = publisher_of(channel);
		must(pipe(ends));
		must(sluice_publisher_try_loan(publisher, 0, &loan));
		loan.nfds = 1;
		loan.fds = &bad;
		check(sluice_publisher_publish(publisher, &loan) == -EBADF);
		bad = sluice_channel_fd(channel);
		check(sluice_publisher_publish(publisher, &loan) == -ELOOP);
		loan.nfds = 2;
		loan.fds = ends;
		must(sluice_publisher_publish(publisher, &loan));
		check(read(ends[0], text, 5) == 5 && !strcmp(text, "hello"));
		_exit(0);
	}
	ASSERT_EQ(0, sluice_subscriber_receive(subscriber, &message,
					       in_ms(PATIENCE_MS)));
	EXPECT_EQ(2, message.nfds);
	EXPECT_EQ(0, sluice_subscriber_sender(subscriber, &message, &identity,
					      sizeof(identity)));
	EXPECT_EQ(pid, identity.pid);
	EXPECT_EQ(geteuid(), identity.uid);
	EXPECT_EQ(0, sluice_subscriber_peer(subscriber, &message, &peer,
					    sizeof(peer)));
	EXPECT_EQ(pid, peer.pid);
	fd = sluice_subscriber_receive_fd(subscriber, &message, 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(5, write(fd, "hello", 5));
	EXPECT_EQ(0, reap(pid));
	/* The sender is gone, the message is not. */
	EXPECT_EQ(-EPIPE, take(subscriber, in_ms(PATIENCE_MS)));
	close(fd);
	fd = sluice_subscriber_receive_fd(subscriber, &message, 0);
	EXPECT_LE(0, fd);
	close(fd);
	EXPECT_EQ(-EINVAL, sluice_subscriber_receive_fd(subscriber, &message,
							2));
	EXPECT_EQ(0, sluice_subscriber_release(subscriber, &message));
	EXPECT_EQ(-EINVAL, sluice_subscriber_receive_fd(subscriber, &message,
							0));
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(descriptors_are_let_go)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_stat stat;
	struct sluice_loan loan;
	int ends[2];
	char byte;

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(0, sluice_publisher_try_loan(publisher, 1, &loan));
	loan.nfds = 1;
	loan.fds = &ends[1];
	ASSERT_EQ(0, sluice_publisher_publish(publisher, &loan));
	close(ends[1]);
	EXPECT_EQ(0, sluice_channel_stat(channel, &stat, sizeof(stat)));
	EXPECT_EQ(1, stat.fds);
	EXPECT_EQ(0, take_now(subscriber));
	for (int i = 0; i < 600; i++) {
		EXPECT_EQ(0, put(publisher, i));
		EXPECT_EQ(i, take_now(subscriber));
	}
	EXPECT_EQ(0, sluice_channel_stat(channel, &stat, sizeof(stat)));
	EXPECT_EQ(0, stat.fds);
	EXPECT_EQ(0, read(ends[0], &byte, 1));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* Death and events. */

TEST(killed_with_messages_unread)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher;
	struct step step = step_make();
	struct sluice_event event;
	pid_t pid = child();

	if (!pid) {
		publisher = publisher_of(channel);
		for (int i = 0; i < 20; i++)
			must(put_long(publisher, i, 5000, 0));
		step_say(&step);
		pause();
	}
	step_hear(&step);
	EXPECT_EQ(0, take_now(subscriber));
	kill_and_reap(pid);
	for (int i = 1; i < 20; i++)
		EXPECT_EQ(i, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(-EPIPE, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(0, sluice_subscriber_next_event(subscriber, &event,
						  sizeof(event)));
	EXPECT_EQ(SLUICE_EVENT_JOINED, event.type);
	EXPECT_EQ(pid, event.pid);
	EXPECT_EQ(0, sluice_subscriber_next_event(subscriber, &event,
						  sizeof(event)));
	EXPECT_EQ(SLUICE_EVENT_LEFT, event.type);
	EXPECT_EQ(SLUICE_LEFT_KILLED, event.reason);
	EXPECT_EQ(0, sluice_subscriber_next_event(subscriber, &event,
						  sizeof(event)));
	EXPECT_EQ(SLUICE_EVENT_ENDED, event.type);
	EXPECT_EQ(0, event.lost);
	EXPECT_EQ(-EAGAIN, sluice_subscriber_next_event(subscriber, &event,
							sizeof(event)));
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST(staying)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *stays = subscriber_with(channel, 0,
							  SLUICE_JOIN_STAY);
	struct sluice_subscriber *leaves = subscriber_of(channel);
	struct sluice_publisher *publisher;

	EXPECT_EQ(-ETIMEDOUT, take(leaves, in_ms(30)));
	publisher = publisher_of(channel);
	EXPECT_EQ(0, put(publisher, 1));
	sluice_publisher_close(publisher);
	EXPECT_EQ(1, take_now(stays));
	EXPECT_EQ(-ETIMEDOUT, take(stays, in_ms(30)));
	EXPECT_EQ(0, events_of(sluice_subscriber_fd(stays), POLLIN));
	EXPECT_EQ(1, take_now(leaves));
	EXPECT_EQ(-EPIPE, take_now(leaves));
	EXPECT_EQ(POLLHUP, events_of(sluice_subscriber_fd(leaves), POLLIN));
	sluice_subscriber_close(stays);
	sluice_subscriber_close(leaves);
	sluice_channel_close(channel);
}

static struct sluice_publisher *
publisher_with(struct sluice_channel *channel, uint32_t flags)
{
	struct sluice_publisher_options options =
		SLUICE_PUBLISHER_OPTIONS_INIT;
	struct sluice_publisher *publisher;

	options.flags = flags;
	must(sluice_publisher_join(channel, &options, &publisher));
	return publisher;
}

TEST(staying_publishers)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_publisher *stays =
		publisher_with(channel, SLUICE_PUBLISHER_STAY);
	struct sluice_publisher *leaves = publisher_with(channel, 0);
	struct sluice_subscriber *subscriber;

	EXPECT_EQ(0, events_of(sluice_publisher_fd(leaves), POLLIN));
	sluice_subscriber_close(subscriber_of(channel));
	EXPECT_EQ(POLLHUP, events_of(sluice_publisher_fd(leaves), POLLIN));
	EXPECT_EQ(0, events_of(sluice_publisher_fd(stays), POLLIN));
	EXPECT_EQ(0, put(stays, 1));
	subscriber = subscriber_of(channel);
	EXPECT_EQ(0, events_of(sluice_publisher_fd(leaves), POLLIN));
	EXPECT_EQ(0, put(stays, 2));
	EXPECT_EQ(2, take_now(subscriber));
	sluice_subscriber_close(subscriber);
	sluice_publisher_close(stays);
	sluice_publisher_close(leaves);
	sluice_channel_close(channel);
}

/* Event loops. */

TEST(poll_tells)
{
	struct sluice_config config = { .slots = 2 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	int in = sluice_subscriber_fd(subscriber);
	int out = sluice_publisher_fd(publisher);
	struct sluice_event event;

	EXPECT_EQ(POLLPRI, events_of(in, POLLIN | POLLPRI));
	EXPECT_EQ(0, sluice_subscriber_next_event(subscriber, &event,
						  sizeof(event)));
	EXPECT_EQ(POLLPRI, events_of(in, POLLIN | POLLPRI));
	EXPECT_EQ(-EAGAIN, sluice_subscriber_next_event(subscriber, &event,
							sizeof(event)));
	EXPECT_EQ(0, events_of(in, POLLIN | POLLPRI));
	EXPECT_EQ(0, put(publisher, 0));
	EXPECT_EQ(POLLIN, events_of(in, POLLIN | POLLPRI));
	EXPECT_EQ(POLLOUT, events_of(out, POLLOUT));
	EXPECT_EQ(0, put(publisher, 1));
	EXPECT_EQ(-EAGAIN, put(publisher, 2));
	EXPECT_EQ(0, events_of(out, POLLOUT));
	EXPECT_EQ(0, take_now(subscriber));
	EXPECT_EQ(POLLOUT, events_of(out, POLLOUT));
	EXPECT_EQ(0, put(publisher, 2));
	EXPECT_EQ(1, take_now(subscriber));
	EXPECT_EQ(2, take_now(subscriber));
	EXPECT_EQ(0, events_of(in, POLLIN));
	sluice_publisher_close(publisher);
	EXPECT_EQ(POLLHUP, events_of(in, POLLIN) & POLLHUP);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* A publisher that comes, and one message at a time, all edge-triggered. */
static void trickle(struct sluice_channel *channel, int count)
{
	struct sluice_publisher *publisher = publisher_of(channel);

	for (int i = 0; i < count; i++) {
		must(put_long(publisher, i, 64, SLUICE_NO_DEADLINE));
		if (i % 7 == 0)
			sleep_us(100);
	}
	sluice_publisher_close(publisher);
	_exit(0);
}

TEST(epoll_edges)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int count = scaled(5000, 500), next = 0, number = 0;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	pid_t pid;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD,
			       sluice_subscriber_fd(subscriber), &event));
	pid = child();
	if (!pid)
		trickle(channel, count);
	while (number != -EPIPE) {
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 2 * PATIENCE_MS));
		while ((number = take_now(subscriber)) >= 0)
			ASSERT_EQ(next++, number);
	}
	EXPECT_EQ(count, next);
	EXPECT_EQ(0, reap(pid));
	close(epoll);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

/* The other side: a publisher that waits for room in epoll. */
/*
 * One leaves, and another has his place before the subscriber looks: the edge
 * that tells of his message is the last one.
 */
TEST(epoll_edge_of_a_place_taken_again)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = must(epoll_create1(EPOLL_CLOEXEC));

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, sluice_subscriber_fd(subscriber),
		       &event));
	ASSERT_EQ(0, put(publisher, 1));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS));
	ASSERT_EQ(1, take(subscriber, 0));
	ASSERT_EQ(-EAGAIN, take(subscriber, 0));
	sluice_publisher_close(publisher);
	publisher = publisher_of(channel);
	ASSERT_EQ(0, sluice_publisher_index(publisher));
	ASSERT_EQ(0, put(publisher, 2));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, PATIENCE_MS));
	EXPECT_EQ(2, take(subscriber, 0));
	EXPECT_EQ(-EAGAIN, take(subscriber, 0));
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
	close(epoll);
}

TEST(epoll_for_room)
{
	struct sluice_config config = { .slots = 4 };
	struct sluice_channel *channel = channel_with(&config);
	struct sluice_publisher *publisher = publisher_of(channel);
	struct sluice_subscriber *subscriber;
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int count = scaled(5000, 500), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct step joined = step_make();
	pid_t pid = child();

	if (!pid) {
		subscriber = subscriber_of(channel);
		step_say(&joined);
		for (int i = 0; i < count; i++)
			check(take(subscriber, SLUICE_NO_DEADLINE) == i);
		_exit(0);
	}
	step_hear(&joined);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD,
			       sluice_publisher_fd(publisher), &event));
	for (int i = 0; i < count;) {
		int err = put(publisher, i);

		if (!err) {
			i++;
			continue;
		}
		ASSERT_EQ(-EAGAIN, err);
		ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 2 * PATIENCE_MS));
	}
	EXPECT_EQ(0, reap(pid));
	close(epoll);
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/* Signals. */

static void nothing(int signal)
{
	(void)signal;
}

TEST(interrupted)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber;
	struct sluice_publisher *publisher;
	struct sigaction action = { .sa_handler = nothing };
	pid_t pid = child();

	if (!pid) {
		subscriber = subscriber_of(channel);
		must(sigaction(SIGUSR1, &action, NULL));
		action.sa_flags = SA_RESTART;
		must(sigaction(SIGUSR2, &action, NULL));
		check(take(subscriber, SLUICE_NO_DEADLINE) == -EINTR);
		check(take(subscriber, SLUICE_NO_DEADLINE) == 9);
		_exit(0);
	}
	ASSERT_TRUE(until(sleeps(pid)));
	kill(pid, SIGUSR1);
	sleep_us(20000);
	ASSERT_TRUE(until(sleeps(pid)));
	kill(pid, SIGUSR2);
	sleep_us(20000);
	ASSERT_TRUE(until(sleeps(pid)));
	publisher = publisher_of(channel);
	EXPECT_EQ(0, put(publisher, 9));
	EXPECT_EQ(0, reap(pid));
	sluice_publisher_close(publisher);
	sluice_channel_close(channel);
}

/* The one who lies is named, the others go on: with real mappings. */
TEST(a_liar_is_left_aside)
{
	struct sluice_channel *channel = channel_with(NULL);
	struct sluice_subscriber *subscriber = subscriber_of(channel);
	struct sluice_publisher *honest = publisher_of(channel);
	struct sluice_join join = { .role = SLUICE_PUBLISHER };
	struct sluice_event event;
	struct sluice_slot *slot;
	int liar;
	void *ring;

	liar = call(sluice_channel_fd(channel), SLUICE_IOC_JOIN, &join);
	ASSERT_LE(0, liar);
	ring = mmap(NULL, join.lane.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    liar, join.lane.offset);
	ASSERT_NE(MAP_FAILED, ring);
	slot = ring + join.lane.slots_offset;
	slot->length = 1ULL << 40;
	__atomic_store_n(&slot->seq, SLUICE_SEQ(0), __ATOMIC_RELEASE);
	EXPECT_EQ(0, put(honest, 1));
	EXPECT_EQ(1, take_now(subscriber));
	EXPECT_EQ(-EPROTO, take(subscriber, in_ms(PATIENCE_MS)));
	EXPECT_EQ(-ETIMEDOUT, take(subscriber, in_ms(30)));
	EXPECT_EQ(0, events_of(sluice_subscriber_fd(subscriber), POLLIN));
	EXPECT_EQ(0, put(honest, 2));
	EXPECT_EQ(2, take_now(subscriber));
	do {
		ASSERT_EQ(0, sluice_subscriber_next_event(subscriber, &event,
							  sizeof(event)));
	} while (event.type != SLUICE_EVENT_CORRUPT);
	EXPECT_EQ(join.generation, event.generation);
	EXPECT_EQ(getpid(), event.pid);
	munmap(ring, join.lane.size);
	close(liar);
	sluice_publisher_close(honest);
	sluice_subscriber_close(subscriber);
	sluice_channel_close(channel);
}

TEST_HARNESS_MAIN
