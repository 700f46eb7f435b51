// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A subscriber against a publisher that writes whatever it likes into its ring.
 * Whatever comes, no byte outside of the pool may be read, what an honest
 * publisher sends arrives, and everything held can be released.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fuzz.h"
#include "ring/atomic.h"

#define BATCH	4

/**
 * struct scene - one run
 * @fake: the channel
 * @hostile: whose ring is scribbled on
 * @honest: the other publisher
 * @sub: under test
 * @held: messages it holds
 * @count: how many
 * @sent: by the honest one
 * @got: of those
 */
struct scene {
	struct fake *fake;
	struct fake_publisher *hostile;
	struct fake_publisher *honest;
	struct fake_subscriber *sub;
	struct sluice_message held[FAKE_HELD];
	uint32_t count;
	uint64_t sent;
	uint64_t got;
};

static void scene_make(struct scene *scene, struct input *input)
{
	struct sluice_config config = { .slots = 4, .pool_limit = 16384 };
	uint8_t how = input_byte(input);

	config.pattern = how & 1 ? SLUICE_QUEUE : SLUICE_BROADCAST;
	config.policy = 1 + (how >> 1) % 3;
	config.history = config.pattern == SLUICE_QUEUE ? 0 : how >> 6;
	memset(scene, 0, sizeof(*scene));
	scene->fake = fake_new(&config);
	scene->hostile = fake_publish(scene->fake);
	scene->honest = fake_publish(scene->fake);
	if (how & 8)
		input_copy(input, scene->hostile->lane.ring.base,
			   scene->hostile->lane.ring.size);
	scene->sub = fake_subscribe(scene->fake, 0, how & 16);
	scene->sub->reader.prefetch = 1 + (how >> 5) % 3;
}

/* Eight bytes anywhere in the ring, or a sequence that may pass for true. */
static void scribble(struct scene *scene, struct input *input)
{
	struct sl_lane_view *lane = &scene->hostile->lane;
	uint32_t word = input_byte(input) % (lane->ring.size / 8);
	uint64_t value;

	input_copy(input, &value, sizeof(value));
	sl_store_release((uint64_t *)lane->ring.base + word, value);
}

static void almost_publish(struct scene *scene, struct input *input)
{
	uint64_t position = input_byte(input) % 16;
	struct sluice_slot *slot = sl_slot(&scene->hostile->lane, position);

	slot->offset = input_byte(input) * 17;
	slot->length = input_byte(input) * 16;
	slot->segment = input_byte(input) % 4;
	slot->type = input_byte(input);
	slot->flags = input_byte(input) == 255;
	slot->fds = input_byte(input) % 20;
	sl_store_release(&slot->seq, SLUICE_SEQ(position) |
			 (input_byte(input) > 200));
}

static void check_message(struct scene *scene,
			  const struct sluice_message *message)
{
	volatile unsigned char sum = 0;
	const unsigned char *bytes = message->data;

	for (size_t i = 0; i < message->length; i++)
		sum += bytes[i];
	if (message->generation != scene->honest->writer.generation)
		return;
	if (message->length != 8 || bytes[0] != (message->type & 0xff))
		abort();
	if (message->position < scene->got &&
	    !(message->flags & SLUICE_MESSAGE_REDELIVERED))
		abort();
	scene->got = message->position + 1;
}

static void receive(struct scene *scene, struct input *input)
{
	uint32_t want = 1 + input_byte(input) % BATCH;
	ssize_t n;

	if (scene->count + want > FAKE_HELD)
		return;
	n = sl_reader_receive(&scene->sub->reader, scene->held + scene->count,
			      want);
	for (ssize_t i = 0; i < n; i++)
		check_message(scene, &scene->held[scene->count++]);
}

static void release(struct scene *scene, struct input *input)
{
	uint32_t i = input_byte(input);
	int err;

	if (!scene->count)
		return;
	i %= scene->count;
	if (scene->fake->config.pattern == SLUICE_QUEUE && i & 1)
		err = sl_reader_reject(&scene->sub->reader, &scene->held[i]);
	else
		err = sl_reader_release(&scene->sub->reader, &scene->held[i],
					1);
	if (err && !(err == -ECONNABORTED && scene->sub->reader.evicted))
		abort();
	scene->held[i] = scene->held[--scene->count];
}

static void send(struct scene *scene)
{
	struct sluice_loan loan;

	if (sl_writer_loan(&scene->honest->writer, 8, &loan))
		return;
	memset(loan.data, scene->sent & 0xff, 8);
	loan.type = scene->sent++;
	if (sl_writer_publish(&scene->honest->writer, &loan, 1) != 1)
		abort();
}

static void look_around(struct scene *scene)
{
	struct sluice_subscriber_stats stats;
	struct sluice_event event;

	sl_reader_next_event(&scene->sub->reader, &event);
	sl_reader_stats(&scene->sub->reader, &stats);
	sl_reader_sleep(&scene->sub->reader);
	sl_reader_awake(&scene->sub->reader);
}

static void step(struct scene *scene, struct input *input, bool *left)
{
	switch (input_byte(input) % 8) {
	case 0:
		scribble(scene, input);
		break;
	case 1:
		almost_publish(scene, input);
		break;
	case 2:
	case 3:
		receive(scene, input);
		break;
	case 4:
		release(scene, input);
		break;
	case 5:
		send(scene);
		break;
	case 6:
		look_around(scene);
		break;
	case 7:
		if (!*left && input_byte(input) > 250) {
			fake_publisher_leave(scene->hostile,
					     SLUICE_LEFT_KILLED);
			*left = true;
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	struct scene scene;
	bool left = false;

	scene_make(&scene, &input);
	while (input.size)
		step(&scene, &input, &left);
	while (scene.count)
		release(&scene, &input);
	if (scene.sub->reader.helds)
		abort();
	fake_free(scene.fake);
	return 0;
}
