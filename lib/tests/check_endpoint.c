// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Publishers and subscribers on a kernel whose memory is a file: what may fail
 * between two calls, and how long they take.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"
#include "endpoint.h"
#include "fake_locks.h"
#include "suites.h"

#define UNIT		65536	/* whole pages, however large they are */
#define SEGMENTS	4
#define PUBLISHERS	1024	/* in the member table */
#define SUBSCRIBERS	2048
#define SPIN		1000000000	/* longer than any test takes */

/* Where things are in the file. */
enum { MEMBERS, LANE, CURSOR, POOL };

static struct sluice_publisher *publisher;
static struct sluice_subscriber *subscriber;
static uint32_t pattern;
static int segments;
static bool mapped[SEGMENTS];
static int attach_error;
static uint64_t waits;
static int feed_peer;
static int feed_error;
static uint64_t seq, last_seq;
static int file;
static int mappings_left = -1;
static int mapping_error = EAGAIN;
static bool no_memory;
static uint32_t join_flags;
static bool knows_restrict;

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size)
{
	return no_memory ? NULL : __real_realloc(memory, size);
}

/* -EAGAIN if no more may be locked: to whom MCL_FUTURE locks all. */
void *__real_mmap(void *address, size_t length, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd,
		  off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd,
		    off_t offset);

void *__wrap_mmap(void *address, size_t length, int prot, int flags, int fd,
		  off_t offset)
{
	if (flags & MAP_SHARED && !mappings_left--) {
		errno = mapping_error;
		return MAP_FAILED;
	}
	return __real_mmap(address, length, prot, flags, fd, offset);
}

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd,
		    off_t offset)
{
	return __wrap_mmap(address, length, prot, flags, fd, offset);
}

static struct sluice_lane_layout lane_layout(void)
{
	return (struct sluice_lane_layout){
		.offset = LANE * UNIT, .size = UNIT, .slots_offset = 1024,
		.slot_size = sizeof(struct sluice_slot), .slots = 256,
		.segments = 1,
	};
}

static void file_write(const void *bytes, size_t size, size_t offset)
{
	ck_assert_int_eq(pwrite(file, bytes, size, offset), size);
}

static void table_changed(void)
{
	seq++;
	file_write(&seq, sizeof(seq), MEMBERS * UNIT +
		   offsetof(struct sluice_members, seq));
}

/* A subscriber finds itself and a publisher there. */
static int do_join(struct sluice_join *join)
{
	struct sluice_member member = {
		.generation = 1,
		.state = join->role == SLUICE_SUBSCRIBER ? SLUICE_ACTIVE :
							   SLUICE_FREE,
	};
	int fd = memfd_create("channel", MFD_CLOEXEC);

	file = fd;
	join_flags = join->flags;
	join->generation = 1;
	join->config = (struct sluice_config){
		.pattern = pattern, .policy = SLUICE_BLOCK,
		.slots = 256, .publishers = 1, .subscribers = 1, .held = 1,
		.pool = UNIT, .pool_limit = SEGMENTS * UNIT,
	};
	join->members = (struct sluice_members_layout){
		.offset = MEMBERS * UNIT, .size = UNIT,
		.publishers_offset = PUBLISHERS,
		.subscribers_offset = SUBSCRIBERS,
		.member_size = 1024,
	};
	join->lane = lane_layout();
	join->cursor = (struct sluice_cursor_layout){
		.offset = CURSOR * UNIT, .size = UNIT,
		.lanes_offset = 1024, .lanes = 1,
		.pins_offset = 2048, .pins = 1,
	};
	join->policy = SLUICE_BLOCK;
	segments = 1;
	if (ftruncate(fd, (POOL + SEGMENTS) * UNIT))
		return -EIO;
	file_write(&member, sizeof(member), MEMBERS * UNIT + PUBLISHERS);
	file_write(&member, sizeof(member), MEMBERS * UNIT + SUBSCRIBERS);
	table_changed();
	return fd;
}

/* It is mapped for writing right after, and that can be done only once. */
static int do_segment(struct sluice_segment *segment)
{
	uint32_t i = segment->segment;

	if (i >= (uint32_t)segments)
		return -ENOENT;
	if (mapped[i])
		return -EBUSY;
	mapped[i] = mappings_left != 0;
	segment->offset = (POOL + i) * UNIT;
	segment->size = UNIT;
	return 0;
}

/* What is compared has always moved; who does not mind for ever is stopped. */
static int do_wait(void)
{
	return ++waits < 1000000 ? 0 : -EINTR;
}

/* Nothing, but meanwhile the table has changed; until that comes to an end. */
static int do_claim(void)
{
	if (seq == last_seq)
		return -ESHUTDOWN;
	table_changed();
	return -EAGAIN;
}

/* It says that it has ended when its peer is closed. */
static int do_feed(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	feed_peer = fds[1];
	return fds[0];
}

static int do_attach(struct sluice_attach *call)
{
	call->lane = lane_layout();
	call->lane.segments = 0;
	return attach_error;
}

static int do_other(unsigned long request, void *argument)
{
	switch (request) {
	case SLUICE_IOC_OPEN:
		return memfd_create("channel", MFD_CLOEXEC);
	case SLUICE_IOC_STAT:
		return 0;
	case SLUICE_IOC_RESTRICT:
		return knows_restrict ? -EINVAL : -ENOTTY;
	case SLUICE_IOC_JOIN:
		return do_join(argument);
	case SLUICE_IOC_SEGMENT:
		return do_segment(argument);
	case SLUICE_IOC_ARM:
		return 0;
	case SLUICE_IOC_GROW:
		segments++;
		return 0;
	case SLUICE_IOC_ATTACH:
		return do_attach(argument);
	case SLUICE_IOC_CLAIM:
		return do_claim();
	case SLUICE_IOC_DETACH:
		return 0;
	case SLUICE_IOC_FEED:
		return do_feed();
	case SLUICE_IOC_FEED_STOP:
		return -ETIMEDOUT;
	case SLUICE_IOC_WAIT:
		return feed_error ? feed_error : do_wait();
	default:
		return -ENOTTY;
	}
}

static int join_publisher_with(const struct sluice_publisher_options *options)
{
	struct sluice_channel *channel;
	int err;

	memset(mapped, 0, sizeof(mapped));
	ck_assert_int_eq(sluice_channel_open("x", NULL, &channel), 0);
	err = sluice_publisher_join(channel, options, &publisher);
	sluice_channel_close(channel);
	return err;
}

static int join_publisher(void)
{
	return join_publisher_with(NULL);
}

static int join_subscriber(void)
{
	struct sluice_subscriber_options options =
		SLUICE_SUBSCRIBER_OPTIONS_INIT;
	struct sluice_channel *channel;
	int err;

	options.spin = SPIN;
	ck_assert_int_eq(sluice_channel_open("x", NULL, &channel), 0);
	err = sluice_subscriber_join(channel, &options, &subscriber);
	sluice_channel_close(channel);
	return err;
}

static void setup_with(uint32_t wanted)
{
	fake_locks_reset();
	fake_locks.other = do_other;
	pattern = wanted;
	attach_error = 0;
	mappings_left = -1;
	mapping_error = EAGAIN;
	waits = 0;
	ck_assert_int_eq(join_publisher(), 0);
	ck_assert_int_eq(join_subscriber(), 0);
	last_seq = seq;
}

static void setup(void)
{
	setup_with(SLUICE_BROADCAST);
}

static void setup_queue(void)
{
	setup_with(SLUICE_QUEUE);
}

static void teardown(void)
{
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	fake_locks_off();
}

/* Until there is no memory for another header, and then some. */
static void use_up_headers(void)
{
	struct sluice_loan loan;

	no_memory = true;
	while (segments == 1)
		if (sluice_publisher_try_loan(publisher, 1, &loan))
			break;
	no_memory = false;
	ck_assert_int_eq(segments, 2);
}

START_TEST(growth_without_memory)
{
	struct sluice_publisher_stats stats;
	struct sluice_loan loan;

	use_up_headers();
	ck_assert_int_eq(sluice_publisher_try_loan(publisher, UNIT, &loan), 0);
	ck_assert_int_eq(sluice_publisher_stats(publisher, &stats,
						sizeof(stats)), 0);
	ck_assert_int_eq(segments, 2);
	ck_assert_uint_eq(stats.segments, 2);
	ck_assert_int_eq(sluice_publisher_grow(publisher, UNIT), 0);
}
END_TEST

START_TEST(flags_of_a_publisher)
{
	struct sluice_publisher_options options =
		SLUICE_PUBLISHER_OPTIONS_INIT;

	sluice_publisher_close(publisher);
	publisher = NULL;
	options.flags = SLUICE_PUBLISHER_NO_GROW;
	ck_assert_int_eq(join_publisher_with(&options), 0);
	ck_assert_uint_eq(join_flags, 0);
	sluice_publisher_close(publisher);
	publisher = NULL;
	options.flags |= SLUICE_PUBLISHER_STAY;
	ck_assert_int_eq(join_publisher_with(&options), 0);
	ck_assert_uint_eq(join_flags, SLUICE_JOIN_STAY);
	sluice_publisher_close(publisher);
	publisher = NULL;
	options.flags = 4;
	ck_assert_int_eq(join_publisher_with(&options), -EINVAL);
}
END_TEST

static int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		n += !!strstr(line, "memfd:channel");
	fclose(maps);
	return n;
}

START_TEST(closed_without_memory)
{
	ck_assert_int_gt(mappings(), 0);
	use_up_headers();
	sluice_publisher_close(publisher);
	publisher = NULL;
	sluice_subscriber_close(subscriber);
	subscriber = NULL;
	ck_assert_int_eq(mappings(), 0);
}
END_TEST

START_TEST(why_it_could_not_be_mapped)
{
	static const int errors[] = { -ESTALE, -ENOENT, -ESHUTDOWN,
				      -ECONNABORTED };
	struct sl_endpoint endpoint = { .fd = sluice_publisher_fd(publisher) };
	struct sluice_attach call = { 0 };

	attach_error = 0;
	ck_assert_int_eq(sl_endpoint_gone(&endpoint, &call, -EINVAL), -EINVAL);
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		attach_error = errors[i];
		ck_assert_int_eq(sl_endpoint_gone(&endpoint, &call, -EINVAL),
				 errors[i]);
		ck_assert_int_eq(sl_endpoint_gone(&endpoint, &call, -ENOMEM),
				 -ENOMEM);
		ck_assert_int_eq(sl_endpoint_gone(&endpoint, &call, 0), 0);
	}
}
END_TEST

/* However often there is a reason to look again. */
START_TEST(loan_until_the_deadline)
{
	struct sluice_loan loan;
	int64_t deadline;

	while (!sluice_publisher_try_loan(publisher, 0, &loan))
		;
	deadline = sluice_deadline_after(1000000);
	ck_assert_int_eq(sluice_publisher_loan(publisher, 0, &loan, deadline),
			 -ETIMEDOUT);
	ck_assert_int_ge(sl_now(), deadline);
	ck_assert_uint_gt(waits, 0);
}
END_TEST

START_TEST(receive_until_the_deadline)
{
	int64_t deadline = sluice_deadline_after(1000000);
	struct sluice_message message;

	ck_assert_int_eq(sluice_subscriber_receive(subscriber, &message,
						   deadline), -ETIMEDOUT);
	ck_assert_int_ge(sl_now(), deadline);
	ck_assert_uint_gt(waits, 0);
}
END_TEST

START_TEST(flush_until_the_deadline)
{
	int64_t deadline = sluice_deadline_after(1000000);

	ck_assert_int_eq(sluice_publisher_send(publisher, NULL, 0, 0, 0), 0);
	ck_assert_int_eq(sluice_publisher_flush(publisher, deadline),
			 -ETIMEDOUT);
	ck_assert_int_ge(sl_now(), deadline);
	ck_assert_uint_gt(waits, 0);
}
END_TEST

/* That is no -EAGAIN: there would be no message, or no room. */
START_TEST(mapping_would_lock_too_much)
{
	struct sluice_loan loan;
	int i;

	mappings_left = 0;
	ck_assert_int_eq(sluice_publisher_loan(publisher, 2 * UNIT, &loan, 0),
			 -ENOMEM);
	mappings_left = 0;
	ck_assert_int_eq(sluice_publisher_grow(publisher, UNIT), -ENOMEM);
	teardown();
	setup();
	sluice_publisher_close(publisher);
	sluice_subscriber_close(subscriber);
	for (i = 0; i < 3; i++) {
		mappings_left = i;
		ck_assert_int_eq(join_publisher(), -ENOMEM);
	}
	mappings_left = -1;
	ck_assert_int_eq(join_publisher(), 0);
	for (i = 0; i < 3; i++) {
		mappings_left = i;
		ck_assert_int_eq(join_subscriber(), -ENOMEM);
	}
	mappings_left = -1;
	ck_assert_int_eq(join_subscriber(), 0);
}
END_TEST

START_TEST(evicted_before_it_began)
{
	mapping_error = ESHUTDOWN;
	sluice_subscriber_close(subscriber);
	subscriber = NULL;
	for (int i = 0; i < 2; i++) {
		mappings_left = i;
		ck_assert_int_eq(join_subscriber(), -ECONNABORTED);
	}
	mappings_left = -1;
	ck_assert_int_eq(join_subscriber(), 0);
}
END_TEST

/* What happens between the last try and the first look is seen, too. */
START_TEST(spin_sees_the_table)
{
	struct sluice_subscriber_stats stats;
	struct sluice_message message;
	cpu_set_t cpus;

	/* Who has but one does not spin. */
	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2)
		return;
	last_seq = seq + 4;
	ck_assert_int_eq(sluice_subscriber_receive(subscriber, &message,
						   SLUICE_NO_DEADLINE),
			 -ESHUTDOWN);
	ck_assert_int_eq(sluice_subscriber_stats(subscriber, &stats,
						 sizeof(stats)), 0);
	ck_assert_uint_eq(stats.waits, 0);
}
END_TEST

START_TEST(channel_of_a_descriptor)
{
	int fd = memfd_create("channel", 0);
	struct sluice_channel *channel;

	knows_restrict = false;
	ck_assert_int_eq(sluice_channel_from_fd(fd, &channel), -EINVAL);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	knows_restrict = true;
	ck_assert_int_eq(sluice_channel_from_fd(fd, &channel), 0);
	ck_assert_int_eq(sluice_channel_fd(channel), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	sluice_channel_close(channel);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

/* A connection's time that is up is not the caller's. */
START_TEST(feed_timed_out)
{
	struct sluice_channel *channel;
	struct sluice_feed *feed;

	ck_assert_int_eq(sluice_channel_open("x", NULL, &channel), 0);
	ck_assert_int_eq(sluice_feed_attach(channel, 0, NULL, &feed), 0);
	sluice_channel_close(channel);
	feed_error = -ETIMEDOUT;
	ck_assert_int_eq(sluice_feed_wait(feed, 0), -ETIMEDOUT);
	ck_assert_int_eq(sluice_feed_stop(feed, 0, 0), -ETIMEDOUT);
	close(feed_peer);
	ck_assert_int_eq(sluice_feed_wait(feed, 0), -ECONNRESET);
	ck_assert_int_eq(sluice_feed_stop(feed, 0, 0), -ECONNRESET);
	feed_error = -EPIPE;
	ck_assert_int_eq(sluice_feed_stop(feed, 0, 0), -EPIPE);
	feed_error = 0;
	ck_assert_int_eq(sluice_feed_stop(feed, 0, 0), 0);
	sluice_feed_close(feed);
}
END_TEST

Suite *suite_endpoint(void)
{
	Suite *suite = suite_create("endpoint");
	TCase *tc = tcase_create("broadcast"), *queue = tcase_create("queue");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, channel_of_a_descriptor);
	tcase_add_test(tc, flags_of_a_publisher);
	tcase_add_test(tc, growth_without_memory);
	tcase_add_test(tc, closed_without_memory);
	tcase_add_test(tc, why_it_could_not_be_mapped);
	tcase_add_test(tc, loan_until_the_deadline);
	tcase_add_test(tc, receive_until_the_deadline);
	tcase_add_test(tc, mapping_would_lock_too_much);
	tcase_add_test(tc, evicted_before_it_began);
	suite_add_tcase(suite, tc);
	tcase_set_timeout(queue, 30);
	tcase_add_checked_fixture(queue, setup_queue, teardown);
	tcase_add_test(queue, flush_until_the_deadline);
	tcase_add_test(queue, spin_sees_the_table);
	tcase_add_test(queue, feed_timed_out);
	suite_add_tcase(suite, queue);
	return suite;
}
