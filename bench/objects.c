// SPDX-License-Identifier: GPL-2.0-only
/*
 * What objects cost: to make and to be rid of, in kernel memory while nothing
 * happens, and when there are thousands of others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/sluice.h>

#include "bench.h"

#define POOL	(64u << 10)
#define LITTLE	(4u << 10)	/* of each of thousands */
#define SLOTS	16u

static const char *missing(void)
{
	struct sluice_info info;

	return sluice_query_info(&info, sizeof(info)) ?
		"the module is not loaded" : NULL;
}

/* A channel with a publisher and a subscriber, as small as they are useful. */
struct pair {
	struct sluice_channel *channel;
	struct sluice_publisher *publisher;
	struct sluice_subscriber *subscriber;
};

static void pair_open(struct pair *pair, const char *name, uint64_t pool)
{
	struct sluice_channel_options options = SLUICE_CHANNEL_OPTIONS_INIT;

	options.flags = SLUICE_OPEN_CREATE | SLUICE_OPEN_EXCL;
	options.config.slots = SLOTS;
	options.config.pool = pool;
	options.config.publishers = options.config.subscribers = 1;
	if (name) {
		bench_try(sluice_channel_open(name, &options, &pair->channel));
	} else {
		options.flags = 0;
		bench_try(sluice_channel_open_anonymous(&options,
							&pair->channel));
	}
	bench_try(sluice_publisher_join(pair->channel, NULL,
					&pair->publisher));
	bench_try(sluice_subscriber_join(pair->channel, NULL,
					 &pair->subscriber));
}

static void pair_close(struct pair *pair)
{
	sluice_publisher_close(pair->publisher);
	sluice_subscriber_close(pair->subscriber);
	sluice_channel_close(pair->channel);
}

static void pair_pass(struct pair *pair, uint64_t sequence)
{
	struct sluice_message message;
	struct sluice_loan loan;

	bench_try(sluice_publisher_loan(pair->publisher, 64, &loan, 0));
	payload_write(loan.data, 64, sequence);
	bench_try(sluice_publisher_publish(pair->publisher, &loan));
	bench_try(sluice_subscriber_receive(pair->subscriber, &message, 0));
	bench_check(payload_is(message.data, 64, sequence));
	bench_try(sluice_subscriber_release(pair->subscriber, &message));
}

/* --- life --------------------------------------------------------------------- */

static void sluice_life(void)
{
	struct pair pair;

	pair_open(&pair, NULL, POOL);
	pair_close(&pair);
}

/* What a program makes without Sluice, for memory to hand over in. */
static void socketpair_life(void)
{
	void *writable, *readable;
	int ends[2], memory;

	bench_try(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
	memory = bench_try(memfd_create("bench", MFD_CLOEXEC));
	bench_try(ftruncate(memory, POOL));
	writable = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_SHARED, memory,
			0);
	readable = mmap(NULL, POOL, PROT_READ, MAP_SHARED, memory, 0);
	bench_check(writable != MAP_FAILED && readable != MAP_FAILED);
	munmap(writable, POOL);
	munmap(readable, POOL);
	close(memory);
	close(ends[0]);
	close(ends[1]);
}

typedef void life_fn(void);

static void live(struct crew *crew, unsigned int self, void *data)
{
	life_fn *const *life = data;
	uint64_t times[BLOCKS];
	unsigned int count = 32 / bench_run.scale;

	(void)self;
	for (unsigned int i = 0; i < count * 4; i++)
		(*life)();
	for (unsigned int i = 0; i < BLOCKS; i++) {
		uint64_t start = bench_ticks();

		for (unsigned int k = 0; k < count; k++)
			(*life)();
		times[i] = bench_ticks() - start;
	}
	crew->value[0] = bench_ns(bench_median(times, BLOCKS)) / count;
}

static void life_run(const char *peer, life_fn *life)
{
	const struct crew *crew = crew_run(1, CREW_APART, live, &life);

	if (crew)
		bench_emit(&(struct bench_record){
			.peer = peer, .value = crew->value[0], .unit = "ns" });
	else
		bench_emit_failure(peer, NULL, 0, crew_failure());
}

static void lifecycle_run(unsigned int rep)
{
	(void)rep;
	if (bench_wanted("sluice", missing))
		life_run("sluice", sluice_life);
	if (bench_wanted("socketpair", NULL))
		life_run("socketpair", socketpair_life);
}

static struct bench_measure lifecycle = {
	.name = "lifecycle",
	.title = "create, join and destroy",
	.run = lifecycle_run,
};
BENCH_MEASURE(lifecycle);

/* --- memory --------------------------------------------------------------------- */

#define IDLE		512u
#define CGROUP		"/sys/fs/cgroup/sluice-bench"

static void cgroup_enter(void)
{
	int fd;

	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		bench_die("%s: %s", CGROUP, strerror(errno));
	fd = bench_try(open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC));
	bench_try(write(fd, "0", 1));
	close(fd);
}

/* Bytes of one kind that the group is charged for. */
static double charged(const char *kind)
{
	FILE *stat = fopen(CGROUP "/memory.stat", "re");
	unsigned long long bytes, found = 0;
	char name[64];

	bench_check(stat);
	while (fscanf(stat, "%63s %llu", name, &bytes) == 2)
		if (!strcmp(name, kind))
			found = bytes;
	fclose(stat);
	return found;
}

/* What a kernel counts together, others count apart. */
static double kernel_charged(void)
{
	double all = charged("kernel");

	return all ? all : charged("slab") + charged("kernel_stack") +
		charged("pagetables") + charged("percpu") + charged("vmalloc");
}

enum { MEMORY_ALL, MEMORY_TABLES };

static void idle(struct crew *crew, unsigned int self, void *data)
{
	static struct pair pairs[2 * IDLE];
	double all, tables;

	(void)self;
	(void)data;
	cgroup_enter();
	/* The first ones pay for tables that are there for all. */
	for (unsigned int i = 0; i < IDLE; i++)
		pair_open(&pairs[i], NULL, POOL);
	all = kernel_charged();
	tables = charged("pagetables");
	for (unsigned int i = IDLE; i < 2 * IDLE; i++)
		pair_open(&pairs[i], NULL, POOL);
	crew->value[MEMORY_ALL] = (kernel_charged() - all) / IDLE;
	crew->value[MEMORY_TABLES] = (charged("pagetables") - tables) / IDLE;
}

/* The pages of the lane. Those of cursor and members count as overhead. */
static double ring_bytes(void)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t lane = sizeof(struct sluice_lane) +
		SLOTS * sizeof(struct sluice_slot);

	return (lane + page - 1) / page * page;
}

static void idle_emit(const char *key, double bytes)
{
	bench_emit(&(struct bench_record){
		.peer = "sluice", .key = key, .value = bytes / 1024,
		.unit = "KiB" });
}

static void memory_run(unsigned int rep)
{
	const struct crew *crew;

	(void)rep;
	if (!bench_wanted("sluice", missing))
		return;
	crew = crew_run(1, CREW_APART, idle, NULL);
	rmdir(CGROUP);
	if (!crew) {
		bench_emit_failure("sluice", "all", 0, crew_failure());
		return;
	}
	idle_emit("all", crew->value[MEMORY_ALL]);
	idle_emit("tables", crew->value[MEMORY_TABLES]);
	idle_emit("beyond", crew->value[MEMORY_ALL] - ring_bytes());
}

static struct bench_measure memory = {
	.name = "idle_memory",
	.title = "kernel memory of an idle channel with a publisher and a subscriber",
	.run = memory_run,
};
BENCH_MEASURE(memory);

/* --- thousands of others ----------------------------------------------------------- */

#define TIMED	200u

/* Median of single times, since some of these are once for all. */
static double timed(void (*step)(void *data, unsigned int i), void *data)
{
	static uint64_t times[TIMED];

	for (unsigned int i = 0; i < TIMED; i++) {
		uint64_t start = bench_ticks();

		step(data, i);
		times[i] = bench_ticks() - start;
	}
	return bench_ns(bench_median(times, TIMED));
}

static void step_pass(void *data, unsigned int i)
{
	pair_pass(data, (i + 1) * 16);
}

static void step_life(void *data, unsigned int i)
{
	(void)data;
	(void)i;
	sluice_life();
}

static void step_open(void *data, unsigned int i)
{
	struct sluice_channel *channel;
	char name[32];

	snprintf(name, sizeof(name), "bench-%u",
		 (i * 7919) % *(unsigned int *)data);
	bench_try(sluice_channel_open(name, NULL, &channel));
	sluice_channel_close(channel);
}

enum { SCALE_PUBLISH, SCALE_OPEN, SCALE_LIFE, SCALES };
static const char *const scale_keys[] = {
	"channels_publish", "channels_open", "channels_lifecycle",
};

static void many_channels(struct crew *crew, unsigned int self, void *data)
{
	unsigned int alive = *(unsigned int *)data;
	struct pair *pairs = calloc(alive, sizeof(*pairs));
	char name[32];

	(void)self;
	for (unsigned int i = 0; i < alive; i++) {
		snprintf(name, sizeof(name), "bench-%u", i);
		pair_open(&pairs[i], name, LITTLE);
	}
	crew->value[SCALE_PUBLISH] = timed(step_pass, &pairs[alive / 2]);
	crew->value[SCALE_OPEN] = timed(step_open, &alive);
	crew->value[SCALE_LIFE] = timed(step_life, NULL);
}

static void channels_run(unsigned int alive)
{
	const struct crew *crew = crew_run(1, CREW_APART, many_channels,
					   &alive);

	if (!crew)
		bench_emit_failure("sluice", "channels", alive,
				   crew_failure());
	for (unsigned int i = 0; crew && i < SCALES; i++)
		bench_emit(&(struct bench_record){
			.peer = "sluice", .key = scale_keys[i],
			.param = alive, .value = crew->value[i],
			.unit = "ns" });
}

struct taken {
	struct sluice_holder *holder;
	struct sluice_item item;
};

static void step_lock(void *data, unsigned int i)
{
	struct taken *taken = data;

	(void)i;
	bench_try(sluice_holder_lock(taken->holder, &taken->item, 1,
				     sizeof(taken->item), NULL, NULL));
	bench_try(sluice_holder_unlock(taken->holder, &taken->item, 1,
				       sizeof(taken->item)));
}

static void many_resources(struct crew *crew, unsigned int self, void *data)
{
	unsigned int alive = *(unsigned int *)data;
	struct sluice_lockspace *lockspace;
	struct sluice_holder *owner;
	struct taken taken;
	char name[32];

	(void)self;
	bench_try(sluice_lockspace_open_anonymous(NULL, &lockspace));
	bench_try(sluice_holder_open(NULL, &owner));
	for (unsigned int i = 0; i < alive; i++) {
		struct sluice_item item;

		snprintf(name, sizeof(name), "r%u", i);
		item = sluice_item_name(lockspace, name, SLUICE_EX);
		bench_try(sluice_holder_lock(owner, &item, 1, sizeof(item),
					     NULL, NULL));
	}
	bench_try(sluice_holder_open(NULL, &taken.holder));
	taken.item = sluice_item_name(lockspace, "mine", SLUICE_EX);
	crew->value[0] = timed(step_lock, &taken);
}

static void resources_run(unsigned int alive)
{
	const struct crew *crew = crew_run(1, CREW_APART, many_resources,
					   &alive);

	if (crew)
		bench_emit(&(struct bench_record){
			.peer = "sluice", .key = "resources", .param = alive,
			.value = crew->value[0], .unit = "ns" });
	else
		bench_emit_failure("sluice", "resources", alive,
				   crew_failure());
}

static void scale_run(unsigned int rep)
{
	(void)rep;
	if (!bench_wanted("sluice", missing))
		return;
	for (unsigned int alive = 10; alive <= 10000; alive *= 10)
		channels_run(alive);
	for (unsigned int alive = 10; alive <= 100000; alive *= 10)
		resources_run(alive);
}

static struct bench_measure scale = {
	.name = "scale",
	.title = "operations while thousands of other objects are alive",
	.run = scale_run,
};
BENCH_MEASURE(scale);
