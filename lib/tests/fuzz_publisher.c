// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A publisher against a subscriber that writes whatever it likes into its cursor,
 * with an innocent third one that holds messages: what that one holds must stay
 * as it is, and it must get all that it is promised.
 */
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fuzz.h"
#include "ring/atomic.h"

/**
 * struct scene - one run
 * @fake: the channel
 * @pub: under test
 * @hostile: whose cursor is scribbled on
 * @innocent: the other subscriber
 * @held: messages that one holds
 * @count: how many
 * @loans: outstanding
 * @lent: how many
 * @sent: messages
 * @got: next one that the innocent one must get
 */
struct scene {
	struct fake *fake;
	struct fake_publisher *pub;
	struct fake_subscriber *hostile;
	struct fake_subscriber *innocent;
	struct sluice_message held[FAKE_HELD];
	uint32_t count;
	struct sluice_loan loans[8];
	uint32_t lent;
	uint64_t sent;
	uint64_t got;
};

static void scene_make(struct scene *scene, struct input *input)
{
	struct sluice_config config = { .slots = 8, .pool_limit = 16384 };
	uint8_t how = input_byte(input);

	config.policy = 1 + how % 3;
	config.history = (how >> 2) % 8;
	config.pattern = how & 32 ? SLUICE_QUEUE : SLUICE_BROADCAST;
	if (config.pattern == SLUICE_QUEUE)
		config.history = 0;
	memset(scene, 0, sizeof(*scene));
	scene->fake = fake_new(&config);
	scene->pub = fake_publish(scene->fake);
	scene->hostile = fake_subscribe(scene->fake, 0, 0);
	scene->innocent = fake_subscribe(scene->fake, 0, 0);
}

static void scribble(struct scene *scene, struct input *input)
{
	struct sl_area *area = &scene->hostile->cursor.area;
	uint32_t word = input_byte(input) % (area->size / 8);
	uint64_t value;

	input_copy(input, &value, sizeof(value));
	sl_store_release((uint64_t *)area->base + word, value);
}

/* Something that may pass for true. */
static void almost_read(struct scene *scene, struct input *input)
{
	struct sl_cursor_view *cursor = &scene->hostile->cursor;
	uint64_t back = input_byte(input) % 20;
	uint64_t position = scene->pub->writer.head + 2 - back;
	uint32_t pin = input_byte(input) % (cursor->pins + 1);

	if (pin == cursor->pins)
		sl_store_release(&sl_cursor_lane(cursor, 0)->head, position);
	else
		sl_store_release(sl_pin(cursor, pin), SLUICE_PIN(0, position));
}

static void lend(struct scene *scene, struct input *input)
{
	uint64_t length = input_byte(input) * (1 + input_byte(input) % 64);
	uint64_t room;
	int err;

	if (scene->lent == 8)
		return;
	if (input_byte(input) & 1)
		err = sl_writer_loan_or_arm(&scene->pub->writer, length,
					    &scene->loans[scene->lent], &room);
	else
		err = sl_writer_loan(&scene->pub->writer, length,
				     &scene->loans[scene->lent]);
	if (err)
		return;
	/* Whoever still holds this memory will see it. */
	if (length)
		memset(scene->loans[scene->lent].data, 0xee, length);
	scene->lent++;
}

static void publish(struct scene *scene, struct input *input)
{
	uint32_t i = input_byte(input);
	struct sluice_loan *loan;
	int fd = 1;

	if (!scene->lent)
		return;
	i %= scene->lent;
	loan = &scene->loans[i];
	if (input_byte(input) & 1)
		loan->length /= 2;
	loan->nfds = input_byte(input) > 200;
	loan->fds = &fd;
	loan->type = scene->sent & 0x7f;
	if (loan->length)
		memset(loan->data, loan->type, loan->length);
	if (sl_writer_publish(&scene->pub->writer, loan, 1) != 1)
		abort();
	scene->sent++;
	scene->loans[i] = scene->loans[--scene->lent];
}

static void check_held(const struct scene *scene)
{
	for (uint32_t i = 0; i < scene->count; i++) {
		const struct sluice_message *message = &scene->held[i];
		const unsigned char *bytes = message->data;

		for (size_t n = 0; n < message->length; n++)
			if (bytes[n] != message->type)
				abort();
	}
}

static void receive(struct scene *scene)
{
	struct sluice_message *message = &scene->held[scene->count];

	if (scene->count == FAKE_HELD ||
	    sl_reader_receive(&scene->innocent->reader, message, 1) != 1)
		return;
	if (message->position < scene->got)
		abort();
	if (scene->fake->config.pattern == SLUICE_BROADCAST &&
	    message->position != scene->got + message->lost)
		abort();
	if (scene->fake->config.policy == SLUICE_BLOCK && message->lost)
		abort();
	scene->got = message->position + 1;
	scene->count++;
}

static void release(struct scene *scene, struct input *input)
{
	uint32_t i = input_byte(input);

	if (!scene->count)
		return;
	i %= scene->count;
	if (sl_reader_release(&scene->innocent->reader, &scene->held[i], 1) &&
	    !scene->innocent->reader.evicted)
		abort();
	scene->held[i] = scene->held[--scene->count];
}

static void look_around(struct scene *scene)
{
	struct sluice_publisher_stats stats;
	struct sluice_event event;

	sl_writer_next_event(&scene->pub->writer, &event);
	sl_writer_stats(&scene->pub->writer, &stats);
	if (stats.pool_used > stats.pool || stats.aside > 8)
		abort();
}

static void step(struct scene *scene, struct input *input)
{
	switch (input_byte(input) % 8) {
	case 0:
		scribble(scene, input);
		break;
	case 1:
		almost_read(scene, input);
		break;
	case 2:
		lend(scene, input);
		break;
	case 3:
	case 4:
		publish(scene, input);
		break;
	case 5:
		receive(scene);
		break;
	case 6:
		release(scene, input);
		break;
	case 7:
		look_around(scene);
		break;
	}
	/* One that was evicted was promised nothing. */
	if (sl_member(&scene->fake->members, SLUICE_SUBSCRIBER, 1)->state ==
	    SLUICE_ACTIVE)
		check_held(scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct scene scene;

	scene_make(&scene, &input);
	while (input.size)
		step(&scene, &input);
	fake_free(scene.fake);
	return 0;
}
