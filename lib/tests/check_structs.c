// SPDX-License-Identifier: LGPL-2.1-or-later
/* Structures that grow, layouts that are checked, and what needs no kernel. */
#include <fcntl.h>
#include <unistd.h>

#include "area.h"
#include "call.h"
#include "suites.h"

struct newer {
	struct sluice_publisher_options known;
	uint64_t unknown;
};

START_TEST(options_of_other_sizes)
{
	const struct sluice_publisher_options fallback =
		SLUICE_PUBLISHER_OPTIONS_INIT;
	struct sluice_publisher_options known = fallback;
	struct newer newer = { .known = { .size = sizeof(newer), .flags = 1 } };
	size_t size = sizeof(size_t) - 1;

	ck_assert_int_eq(sl_options_take(&known, sizeof(known), NULL), 0);
	ck_assert_mem_eq(&known, &fallback, sizeof(known));
	ck_assert_int_eq(sl_options_take(&known, sizeof(known), &newer), 0);
	ck_assert_uint_eq(known.flags, 1);
	ck_assert_uint_eq(known.spin, 0);
	newer.unknown = 1ULL << 63;
	ck_assert_int_eq(sl_options_take(&known, sizeof(known), &newer),
			 -E2BIG);
	known = fallback;
	newer.known.size = offsetof(struct sluice_publisher_options, spin);
	ck_assert_int_eq(sl_options_take(&known, sizeof(known), &newer), 0);
	ck_assert_uint_eq(known.flags, 1);
	ck_assert_uint_eq(known.spin, SLUICE_SPIN_DEFAULT);
	ck_assert_int_eq(sl_options_take(&known, sizeof(known), &size),
			 -EINVAL);
}
END_TEST

START_TEST(results_of_other_sizes)
{
	uint32_t known[2] = { 1, 2 }, result[4] = { 9, 9, 9, 9 };

	sl_result_give(result, 4, known, sizeof(known));
	ck_assert_uint_eq(result[0], 1);
	ck_assert_uint_eq(result[1], 9);
	sl_result_give(result, 12, known, sizeof(known));
	ck_assert_uint_eq(result[1], 2);
	ck_assert_uint_eq(result[2], 0);
	ck_assert_uint_eq(result[3], 9);
}
END_TEST

START_TEST(deadlines)
{
	int64_t now = sluice_deadline_after(0);

	ck_assert_int_gt(now, 0);
	ck_assert_int_ge(sluice_deadline_after(INT64_MIN), now);
	ck_assert_int_le(sluice_deadline_after(-1), now + 1000000000);
	ck_assert_int_ge(sluice_deadline_after(5), now + 5);
	ck_assert_int_eq(sluice_deadline_after(INT64_MAX), SLUICE_NO_DEADLINE);
	ck_assert_int_eq(sluice_deadline_after(SLUICE_NO_DEADLINE - 1),
			 SLUICE_NO_DEADLINE);
}
END_TEST

START_TEST(arguments)
{
	char long_name[SLUICE_NAME_MAX + 2];
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;
	struct sluice_channel *channel;

	memset(long_name, 'x', sizeof(long_name));
	long_name[SLUICE_NAME_MAX + 1] = 0;
	ck_assert_int_eq(sluice_channel_open(NULL, NULL, &channel), -EINVAL);
	ck_assert_int_eq(sluice_channel_open("", NULL, &channel), -EINVAL);
	ck_assert_int_eq(sluice_channel_open(long_name, NULL, &channel),
			 -ENAMETOOLONG);
	options.resv = 1;
	ck_assert_int_eq(sluice_channel_open("x", &options, &channel),
			 -EINVAL);
	options.size = 1;
	ck_assert_int_eq(sluice_channel_open("x", &options, &channel),
			 -EINVAL);
	sluice_channel_close(NULL);
	sluice_publisher_close(NULL);
	sluice_subscriber_close(NULL);
	ck_assert_str_eq(sluice_version(), SLUICE_VERSION);
}
END_TEST

/* Any file that is not Sluice's: its ioctls are nobody's. */
START_TEST(foreign_descriptors)
{
	struct sluice_channel *channel;
	int fd = open("/dev/null", O_RDWR);

	ck_assert_int_eq(sluice_channel_from_fd(fd, &channel), -ENOTTY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(fd);
	ck_assert_int_eq(sluice_channel_from_fd(fd, &channel), -EBADF);
	ck_assert_int_eq(sl_call_sized(fd, SLUICE_IOC_STAT, NULL, 0), -EINVAL);
	ck_assert_int_eq(sl_call_sized(fd, SLUICE_IOC_STAT, NULL, 1 << 20),
			 -EINVAL);
}
END_TEST

/*
 * A layout that does not add up is refused before anything is mapped: the
 * descriptor is none, so that a mapping would fail with another error.
 */
static const struct sluice_lane_layout lane_good = {
	.size = 4096, .slots_offset = 128, .slot_size = 64, .slots = 32,
};

START_TEST(lane_layouts)
{
	struct sluice_lane_layout bad[7];
	struct sl_lane_view view;

	for (int i = 0; i < 7; i++)
		bad[i] = lane_good;
	bad[0].slots = 0;
	bad[1].slots = 31;
	bad[2].slots = 64;
	bad[3].slot_size = 56;
	bad[4].slot_size = 68;
	bad[5].slots_offset = 64;
	bad[6].slots_offset = 1U << 31;
	for (int i = 0; i < 7; i++)
		ck_assert_int_eq(sl_lane_map(-1, &bad[i], true, &view),
				 -EPROTO);
	ck_assert_int_eq(sl_lane_map(-1, &lane_good, true, &view), -EBADF);
}
END_TEST

static const struct sluice_cursor_layout cursor_good = {
	.size = 4096, .lanes_offset = 64, .lanes = 4, .pins_offset = 128,
	.pins = 16,
};

START_TEST(cursor_layouts)
{
	struct sluice_cursor_layout bad[6];
	struct sl_cursor_view view;

	for (int i = 0; i < 6; i++)
		bad[i] = cursor_good;
	bad[0].lanes = 0;
	bad[1].lanes = 1 << 20;
	bad[2].pins = 0;
	bad[3].pins = UINT32_MAX;
	bad[4].lanes_offset = 0;
	bad[5].pins_offset = 100;
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(sl_cursor_map(-1, &bad[i], true, &view),
				 -EPROTO);
	ck_assert_int_eq(sl_cursor_map(-1, &cursor_good, true, &view), -EBADF);
}
END_TEST

START_TEST(members_layouts)
{
	const struct sluice_members_layout good = {
		.size = 4096, .publishers_offset = 128,
		.subscribers_offset = 1152, .member_size = 64,
	};
	const struct sluice_config config = { .publishers = 16,
					      .subscribers = 16 };
	struct sluice_members_layout bad[4];
	struct sl_members_view view;

	for (int i = 0; i < 4; i++)
		bad[i] = good;
	bad[0].member_size = 32;
	bad[1].publishers_offset = 0;
	bad[2].subscribers_offset = 4090;
	bad[3].size = 1160;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(sl_members_map(-1, &bad[i], &config, &view),
				 -EPROTO);
	ck_assert_int_eq(sl_members_map(-1, &good, &config, &view), -EBADF);
}
END_TEST

START_TEST(areas)
{
	struct sl_area area = { 0 };

	sl_area_unmap(&area);
	ck_assert_int_eq(sl_area_map(-1, 0, 0, false, &area), -ENOMEM);
	ck_assert_int_eq(sl_area_map(-1, 0, UINT64_MAX, false, &area), -ENOMEM);
	ck_assert_ptr_null(area.base);
}
END_TEST

Suite *suite_structs(void)
{
	Suite *suite = suite_create("structs");
	TCase *tc = tcase_create("structs");

	tcase_add_test(tc, options_of_other_sizes);
	tcase_add_test(tc, results_of_other_sizes);
	tcase_add_test(tc, deadlines);
	tcase_add_test(tc, arguments);
	tcase_add_test(tc, foreign_descriptors);
	tcase_add_test(tc, lane_layouts);
	tcase_add_test(tc, cursor_layouts);
	tcase_add_test(tc, members_layouts);
	tcase_add_test(tc, areas);
	suite_add_tcase(suite, tc);
	return suite;
}
