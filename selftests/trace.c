// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints, as perf and trace-cmd read them: every step leaves its line, with
 * what happened in it, and nothing of the kernel's addresses.
 */
#include "lock.h"
#include "parameters.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/sysmacros.h>

#define TRACING	"/sys/kernel/tracing"
#define EVENTS	TRACING "/events/sluice"

/* A buffer of our own, so that nobody else's tracing is in the way. */
#define INSTANCE TRACING "/instances/sluice-selftest"

static char *read_all(const char *path)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n;

	while ((n = must(read(fd, text + size, room - size - 1)))) {
		size += n;
		if (room - size < 4096)
			text = realloc(text, room *= 2);
	}
	close(fd);
	text[size] = 0;
	return text;
}

/* Whether @line has the word @word. */
static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	const char *at;

	for (at = line; (at = strstr(at, word)); at += len)
		if ((at == line || at[-1] == ' ') &&
		    (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* "name=value", in a buffer that lasts for one statement. */
static const char *field(const char *fmt, ...)
{
	static char bufs[8][128];
	static unsigned int next;
	char *buf = bufs[next++ % ARRAY(bufs)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(bufs[0]), fmt, args);
	va_end(args);
	return buf;
}

/* The first line of @event that has all the words, or NULL. */
static char *traced(const char *event, ...)
{
	char *text = read_all(INSTANCE "/trace"), *line, *rest = text;
	const char *word;
	bool found = false;
	va_list words;
	char title[64];

	snprintf(title, sizeof(title), "%s:", event);
	while (!found && (line = strsep(&rest, "\n"))) {
		if (!has_word(line, title))
			continue;
		found = true;
		va_start(words, event);
		while (found && (word = va_arg(words, const char *)))
			found = has_word(line, word);
		va_end(words);
	}
	return found ? line : NULL;
}

static long long number_in(const char *line, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(line, key);
	check(at);
	return strtoll(at + strlen(key), NULL, 10);
}

static void forget_traced(void)
{
	close(must(open(INSTANCE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC)));
}

FIXTURE(trace) {
	struct parameters ps;
	bool made;
};

FIXTURE_SETUP(trace)
{
	if (access(EVENTS "/enable", W_OK))
		SKIP(return, "the kernel has no event tracing");
	must(mkdir(INSTANCE, 0700));
	self->made = true;
	write_file(INSTANCE "/events/sluice/enable", "1");
}

FIXTURE_TEARDOWN_PARENT(trace)
{
	if (self->made)
		rmdir(INSTANCE);
	parameters_restore(&self->ps);
}

/* The fields are numbers and strings, for whoever reads the binary records. */
TEST_F(trace, formats)
{
	struct dirent *entry;
	char *text, *line;
	DIR *dir = opendir(EVENTS);
	int events = 0;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "sluice_", 7))
			continue;
		events++;
		text = read_all(field(EVENTS "/%s/format", entry->d_name));
		EXPECT_EQ(NULL, strstr(text, "%p"));
		while ((line = strsep(&text, "\n"))) {
			if (!strstr(line, "field:"))
				continue;
			EXPECT_EQ(NULL, strchr(line, '*')) TH_LOG("%s", line);
		}
	}
	EXPECT_LE(13, events);
}

/*
 * The bpftrace scripts: every field that a probe names is in its event's
 * format. The assembler brings their text along.
 */
#define SCRIPT(name)							\
	asm(".section .rodata\n" #name ": .incbin \"../tools/bpftrace/sluice-" \
	    #name ".bt\"\n.byte 0\n.previous\n");			\
	extern const char name[]

SCRIPT(wakers);
SCRIPT(lockwaits);

/* The word of letters, digits and underscores that begins at @text. */
static const char *word_at(const char *text)
{
	return field("%.*s", (int)strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789"),
		     text);
}

static char *format_of(const char *event)
{
	const char *path = field(EVENTS "/%s/format", event);

	return access(path, R_OK) ? NULL : read_all(path);
}

/* Whether all probes of @probe, a list of tracepoints, have @name. */
static bool probes_have(const char *probe, const char *end, const char *name)
{
	const char *event, *format, *mark = "tracepoint:sluice:";

	while ((probe = strstr(probe, mark)) && probe < end) {
		probe += strlen(mark);
		event = word_at(probe);
		format = format_of(event);
		if (!format || (!strstr(format, field(" %s;", name)) &&
				!strstr(format, field(" %s[", name)))) {
			fprintf(stderr, "# %s has no %s\n", event, name);
			return false;
		}
	}
	return true;
}

/* How many fields the script uses, or -1 if one is not there. */
static int fields_used(const char *script)
{
	const char *probe = script, *at = script, *body;
	int used = 0;

	while ((at = strstr(at, "args->"))) {
		/* The probes stand between the end of the last body and here. */
		for (body = at; body > script && strncmp(body, "\n}", 2); body--)
			;
		probe = body;
		at += strlen("args->");
		used++;
		if (!probes_have(probe, at, word_at(at)))
			return -1;
	}
	return used;
}

TEST_F(trace, scripts)
{
	EXPECT_LT(5, fields_used(wakers));
	EXPECT_LT(5, fields_used(lockwaits));
	EXPECT_EQ(-1, fields_used("tracepoint:sluice:sluice_wake\n{\n\tfoo(args->foo);\n}\n"));
	EXPECT_EQ(-1, fields_used("tracepoint:sluice:sluice_nap\n{\n\tfoo(args->name);\n}\n"));
}

TEST_F(trace, join_and_leave)
{
	int channel = must(make_channel("traced", NULL));
	__u64 id = stat_of(channel).id;
	struct sluice_join j;
	pid_t pid;
	char *line;
	int pub;

	pub = must(join_full(channel, SLUICE_PUBLISHER, 0, 0, &j));
	line = traced("sluice_join", field("channel=%llu", id), "name=traced",
		      "publisher=0", field("generation=%llu", j.generation),
		      field("pid=%d", getpid()), "uid=0", "process=trace", NULL);
	ASSERT_NE(NULL, line);
	close(pub);
	line = traced("sluice_leave", field("channel=%llu", id), "publisher=0",
		      field("generation=%llu", j.generation), "reason=closed",
		      NULL);
	ASSERT_NE(NULL, line);
	EXPECT_LT(0, number_in(line, "stayed"));

	pid = child();
	if (!pid) {
		must(join_role(channel, SLUICE_SUBSCRIBER));
		raise(SIGKILL);
	}
	EXPECT_EQ(-SIGKILL, reap(pid));
	EXPECT_NE(NULL, traced("sluice_leave", field("channel=%llu", id),
			       "subscriber=0", field("pid=%d", pid),
			       "reason=killed", NULL));
}

/* How often it was woken: waiting for the next one times out. */
static __u64 room_of(int pub)
{
	__u64 room = 1;

	while (wait_until(pub, in_ms(20), room) != -ETIMEDOUT)
		room++;
	return room;
}

TEST_F(trace, sleep_and_wake)
{
	int channel = must(make_channel("sleepy", NULL));
	__u64 id = stat_of(channel).id, room;
	int pub = must(join_role(channel, SLUICE_PUBLISHER));
	int sub = must(join_role(channel, SLUICE_SUBSCRIBER));
	pid_t pid;
	char *line;

	room = room_of(pub);
	line = traced("sluice_wake", field("channel=%llu", id), "name=sleepy",
		      "publisher=0", field("error=%d", -ETIMEDOUT), NULL);
	ASSERT_NE(NULL, line);
	EXPECT_LE(10000000, number_in(line, "waited")) TH_LOG("%s", line);

	forget_traced();
	pid = child();
	if (!pid)
		_exit(-wait_until(pub, SLUICE_NO_DEADLINE, room));
	ASSERT_TRUE(until(traced("sluice_sleep", field("channel=%llu", id),
				 "publisher=0", "timeout=-1", NULL)));
	ASSERT_EQ(NULL, traced("sluice_wake", NULL));
	ASSERT_EQ(0, wake(sub, 0, 0));
	EXPECT_EQ(0, reap(pid));
	EXPECT_NE(NULL, traced("sluice_room_wake", field("channel=%llu", id),
			       "subscriber=0", "publisher=0", NULL));
	EXPECT_NE(NULL, traced("sluice_wake", field("channel=%llu", id),
			       "publisher=0", "error=0", NULL));

	ASSERT_EQ(0, wake(pub, 0, 3));
	EXPECT_NE(NULL, traced("sluice_publish_wake", field("channel=%llu", id),
			       "publisher=0", "count=3", NULL));
}

TEST_F(trace, evicted)
{
	struct sluice_config cfg = { .policy = SLUICE_EVICT };
	int channel = must(make_channel("crowded", &cfg));
	int pub = must(join_role(channel, SLUICE_PUBLISHER));
	struct sluice_evict evict = { };
	struct sluice_join j;

	must(join_full(channel, SLUICE_SUBSCRIBER, 0, 0, &j));
	evict.generation = j.generation;
	ASSERT_EQ(0, call(pub, SLUICE_IOC_EVICT, &evict));
	EXPECT_NE(NULL, traced("sluice_evict", "name=crowded", "subscriber=0",
			       field("generation=%llu", j.generation),
			       field("pid=%d", getpid()), "lag=0", NULL));
	EXPECT_NE(NULL, traced("sluice_leave", "name=crowded", "subscriber=0",
			       "reason=evicted", NULL));
}

TEST_F(trace, refused_by_quota)
{
	parameter_set(&self->ps, "user_channels", 1);
	must(make_channel(NULL, NULL));
	EXPECT_EQ(NULL, traced("sluice_quota", NULL));
	EXPECT_EQ(-EDQUOT, make_channel(NULL, NULL));
	EXPECT_NE(NULL, traced("sluice_quota", "uid=0", "resource=channels",
			       "asked=1", "used=1", "limit=1", NULL));
}

TEST_F(trace, lock_wait_and_grant)
{
	struct cast c;
	char *line;

	cast_make(&c, 2);
	ASSERT_EQ(0, take(c.h[0], range(c.space, "one", SLUICE_PR, 10, 19)));
	line = traced("sluice_lock_grant", field("holder=%llu", c.id[0]),
		      field("tid=%d", gettid()), "process=trace", "key=one",
		      "mode=PR", "start=10", "end=19", "waited=0", NULL);
	ASSERT_NE(NULL, line);
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], whole(c.space, "one", SLUICE_EX)));
	EXPECT_NE(NULL, traced("sluice_lock_wait", field("holder=%llu", c.id[1]),
			       "key=one", "mode=EX", "start=0",
			       field("end=%llu", SLUICE_END), "priority=0",
			       field("blocker=%llu", c.id[0]), NULL));
	ASSERT_EQ(0, unlock_all(c.h[0]));
	line = traced("sluice_lock_grant", field("holder=%llu", c.id[1]),
		      "key=one", "mode=EX", "token=1", NULL);
	ASSERT_NE(NULL, line);
	EXPECT_LT(0, number_in(line, "waited"));
}

/* Behind somebody in the queue who waits himself. */
TEST_F(trace, lock_wait_in_a_queue)
{
	struct cast c;

	cast_make(&c, 3);
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "q", SLUICE_PR)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[1], whole(c.space, "q", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[2], whole(c.space, "q", SLUICE_PR)));
	EXPECT_NE(NULL, traced("sluice_lock_wait", field("holder=%llu", c.id[2]),
			       "mode=PR", field("blocker=%llu", c.id[1]), NULL));
}

TEST_F(trace, lock_fail)
{
	struct sluice_item items[2];
	struct cast c;
	char *line;

	cast_make(&c, 2);
	items[0] = whole(c.space, "a", SLUICE_EX);
	items[1] = whole(c.space, "b", SLUICE_PR);
	ASSERT_EQ(0, take(c.h[0], items[0]));
	EXPECT_EQ(-ETIMEDOUT, lock_until(c.h[1], items, 2, 0, in_ms(20)));
	line = traced("sluice_lock_fail", field("holder=%llu", c.id[1]), "key=a",
		      "mode=EX", "items=2", field("error=%d", -ETIMEDOUT), NULL);
	ASSERT_NE(NULL, line);
	EXPECT_LE(10000000, number_in(line, "waited"));
}

TEST_F(trace, deadlock)
{
	__u64 space;
	struct cast c;

	cast_make(&c, 2);
	space = lockspace_stat(c.space).id;
	ASSERT_EQ(0, take(c.h[0], whole(c.space, "a", SLUICE_EX)));
	ASSERT_EQ(0, take(c.h[1], whole(c.space, "b", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS, ask(c.h[0], whole(c.space, "b", SLUICE_EX)));
	ASSERT_EQ(-EDEADLK, take(c.h[1], whole(c.space, "a", SLUICE_EX)));
	EXPECT_NE(NULL, traced("sluice_deadlock", field("lockspace=%llu", space),
			       "deadlock=1", "length=2",
			       field("victim=%llu", c.id[1]),
			       field("tid=%d", gettid()), NULL));
	EXPECT_NE(NULL, traced("sluice_deadlock_step", "deadlock=1", "step=0",
			       field("holder=%llu", c.id[1]), "key=a", "mode=EX",
			       NULL));
	EXPECT_NE(NULL, traced("sluice_deadlock_step", "deadlock=1", "step=1",
			       field("holder=%llu", c.id[0]), "key=b", "mode=EX",
			       NULL));
	EXPECT_NE(NULL, traced("sluice_lock_fail", field("holder=%llu", c.id[1]),
			       field("error=%d", -EDEADLK), NULL));
}

TEST_F(trace, owner_died)
{
	struct cast c;
	char *line;

	cast_make(&c, 2);
	ASSERT_EQ(0, take(c.h[0], range(c.space, "left", SLUICE_EX, 5, 6)));
	close(c.h[0]);
	line = traced("sluice_owner_died", field("holder=%llu", c.id[0]),
		      "key=left", "mode=EX", "start=5", "end=6", "token=1", NULL);
	ASSERT_NE(NULL, line);
	EXPECT_LT(0, number_in(line, "held"));
	ASSERT_LT(0, take(c.h[1], whole(c.space, "left", SLUICE_PR)) + 1);
	EXPECT_NE(NULL, traced("sluice_lock_grant", field("holder=%llu", c.id[1]),
			       "key=left", "owner-died", NULL));
}

TEST_F(trace, keys)
{
	int fd = must(open("/tmp/trace-key", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	struct sluice_item i;
	struct stat st;
	struct cast c;

	cast_make(&c, 1);
	i = whole(c.space, "a b%n", SLUICE_EX);
	i.key[5] = 0;
	i.key[6] = 0xff;
	i.key_len = 7;
	ASSERT_EQ(0, take(c.h[0], i));
	EXPECT_NE(NULL, traced("sluice_lock_grant", "key=a.b%n..", NULL));
	memset(i.key, 'k', SLUICE_KEY_MAX);
	i.key_len = SLUICE_KEY_MAX;
	ASSERT_EQ(0, take(c.h[0], i));
	EXPECT_NE(NULL, traced("sluice_lock_grant",
			       field("key=%.*s", SLUICE_KEY_MAX, i.key), NULL));
	must(fstat(fd, &st));
	ASSERT_EQ(0, take(c.h[0], file_item(c.space, fd, SLUICE_EX)));
	EXPECT_NE(NULL, traced("sluice_lock_grant",
			       field("key=file:%u:%u:%llu", major(st.st_dev),
				     minor(st.st_dev),
				     (unsigned long long)st.st_ino), NULL));
	unlink("/tmp/trace-key");
}

TEST_HARNESS_MAIN
