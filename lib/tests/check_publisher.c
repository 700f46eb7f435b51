// SPDX-License-Identifier: LGPL-2.1-or-later
/* Publishers on a kernel whose memory is a file: what may fail between two calls. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "endpoint.h"
#include "fake_locks.h"
#include "suites.h"

#define UNIT		65536	/* whole pages, however large they are */
#define SEGMENTS	4

/* Where things are in the file. */
enum { MEMBERS, LANE, POOL };

static struct sluice_publisher *publisher;
static int segments;
static bool mapped[SEGMENTS];
static int attach_error;
static bool no_memory;

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size)
{
	return no_memory ? NULL : __real_realloc(memory, size);
}

static int do_join(struct sluice_join *join)
{
	int fd = memfd_create("channel", MFD_CLOEXEC);

	join->generation = 1;
	join->config = (struct sluice_config){
		.pattern = SLUICE_BROADCAST, .policy = SLUICE_BLOCK,
		.slots = 256, .publishers = 1, .subscribers = 1, .held = 1,
		.pool = UNIT, .pool_limit = SEGMENTS * UNIT,
	};
	join->members = (struct sluice_members_layout){
		.offset = MEMBERS * UNIT, .size = UNIT,
		.publishers_offset = 1024, .subscribers_offset = 2048,
		.member_size = 1024,
	};
	join->lane = (struct sluice_lane_layout){
		.offset = LANE * UNIT, .size = UNIT, .slots_offset = 1024,
		.slot_size = sizeof(struct sluice_slot), .slots = 256,
		.segments = 1,
	};
	segments = 1;
	return ftruncate(fd, (POOL + SEGMENTS) * UNIT) ? -EIO : fd;
}

/* It is mapped for writing right after, and that can be done only once. */
static int do_segment(struct sluice_segment *segment)
{
	uint32_t i = segment->segment;

	if (i >= (uint32_t)segments)
		return -ENOENT;
	if (mapped[i])
		return -EBUSY;
	mapped[i] = true;
	segment->offset = (POOL + i) * UNIT;
	segment->size = UNIT;
	return 0;
}

static int do_other(unsigned long request, void *argument)
{
	switch (request) {
	case SLUICE_IOC_OPEN:
		return memfd_create("channel", MFD_CLOEXEC);
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
		return attach_error;
	default:
		return -ENOTTY;
	}
}

static void setup(void)
{
	struct sluice_channel *channel;

	fake_locks_reset();
	fake_locks.other = do_other;
	memset(mapped, 0, sizeof(mapped));
	ck_assert_int_eq(sluice_channel_open("x", NULL, &channel), 0);
	ck_assert_int_eq(sluice_publisher_join(channel, NULL, &publisher), 0);
	sluice_channel_close(channel);
}

static void teardown(void)
{
	sluice_publisher_close(publisher);
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

Suite *suite_publisher(void)
{
	Suite *suite = suite_create("publisher");
	TCase *tc = tcase_create("publisher");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, growth_without_memory);
	tcase_add_test(tc, closed_without_memory);
	tcase_add_test(tc, why_it_could_not_be_mapped);
	suite_add_tcase(suite, tc);
	return suite;
}
