// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large frames from one process to three, and the processor time that all of
 * them together need for it. They share one CPU and sleep when there is nothing
 * to do, so somebody always works, and the time that passes is the time that is
 * worked: no kernel need count it, which some do by the tick.
 */
#include "bench.h"

#define FRAME		(1u << 20)
#define RECEIVERS	3u
#define STAMP		64u
#define WARM		16u

/**
 * struct show - one run
 * @peer: the way of moving messages
 * @link: what they go through
 * @stamp: bytes that are written and read of each frame
 * @frames: how many
 */
struct show {
	const struct bench_link *peer;
	void *link;
	size_t stamp;
	unsigned int frames;
};

static void show_send(const struct show *show, unsigned int from,
		      unsigned int count, size_t stamp)
{
	for (unsigned int i = from; i < from + count; i++) {
		void *room = show->peer->room(show->link, FRAME);

		payload_write(room, stamp, i * 16ull);
		show->peer->push(show->link, room, FRAME);
		show->peer->flush(show->link);
	}
}

static void show_receive(const struct show *show, unsigned int from,
			 unsigned int count, size_t stamp)
{
	for (unsigned int i = from; i < from + count; i++) {
		const void *data = show->peer->receive(show->link, FRAME);

		bench_check(payload_is(data, stamp, i * 16ull));
		show->peer->release(show->link);
	}
}

static void watch(struct crew *crew, unsigned int self, void *data)
{
	const struct show *show = data;
	void (*part)(const struct show *show, unsigned int from,
		     unsigned int count, size_t stamp) =
		self ? show_receive : show_send;
	uint64_t start;

	if (self)
		show->peer->join_receiver(show->link, self - 1);
	crew_meet(crew);
	if (!self)
		show->peer->join_sender(show->link, 0);
	crew_meet(crew);
	part(show, 0, WARM, FRAME);
	crew_meet(crew);
	start = bench_ticks();
	part(show, WARM, show->frames, show->stamp);
	crew_meet(crew);
	crew->value[self] = bench_ns(bench_ticks() - start);
}

static void show_run(const struct bench_link *peer, const char *key,
		     size_t stamp, unsigned int frames)
{
	struct bench_shape shape = { .size = FRAME, .senders = 1,
				     .receivers = RECEIVERS, .depth = 8,
				     .batch = 1, .sleep = true };
	struct show show = { .peer = peer, .stamp = stamp };
	const struct crew *crew;

	if (!bench_wanted(peer->name, peer->missing))
		return;
	/* Plain memory goes by whole turns of its frames. */
	show.frames = frames / bench_run.scale / 8 * 8;
	show.link = peer->open(&shape);
	crew = crew_run(1 + RECEIVERS, CREW_TOGETHER, watch, &show);
	if (crew)
		bench_emit(&(struct bench_record){
			.peer = peer->name, .key = key, .param = FRAME,
			.value = crew->value[0] / show.frames / FRAME,
			.unit = "CPU s/GB" });
	else
		bench_emit_failure(peer->name, key, FRAME, crew_failure());
	peer->close(show.link);
}

static void frames_run(unsigned int rep)
{
	(void)rep;
	for (struct bench_link *peer = bench_links(); peer; peer = peer->next) {
		if (!(peer->can & LINK_FANOUT) ||
		    (peer->size_max && peer->size_max < FRAME))
			continue;
		show_run(peer, "handed", STAMP,
			 peer->can & LINK_IN_PLACE ? 3200 : 48);
		show_run(peer, "used", FRAME, 48);
	}
}

static struct bench_measure frames = {
	.name = "frames",
	.title = "1 MiB frames to 3 subscribers: processor time",
	.run = frames_run,
};
BENCH_MEASURE(frames);
