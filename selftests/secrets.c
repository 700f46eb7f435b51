// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel must not tell: what was in memory before, where its own
 * things are, what somebody else was called.
 */
#include "lock.h"
#include "publish.h"
#include "receive.h"

#include <dirent.h>
#define DIRT	(32UL << 20)
#define BLOCK	(1UL << 20)

/* Pages that were full of something are free, and will be used again. */
static void dirty_memory(void)
{
	pid_t pid = child();

	if (!pid) {
		unsigned char *p = mmap(NULL, DIRT, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		check(p != MAP_FAILED);
		memset(p, 0xa5, DIRT);
		_exit(0);
	}
	check(!reap(pid));
}

/* Where the first byte that is not zero is, or @size. */
static __u64 first_said(const void *memory, __u64 from, __u64 size)
{
	const unsigned char *p = memory;

	while (from < size && !p[from])
		from++;
	return from;
}

#define SAYS_NOTHING(memory, from, size)				\
	EXPECT_EQ((__u64)(size), first_said(memory, from, size))

FIXTURE(secrets) {
	int ch;
	struct pub pub;
	struct sub sub;
	struct cast cast;
};

FIXTURE_SETUP(secrets)
{
	struct sluice_config config = { .publishers = 3, .subscribers = 3 };

	dirty_memory();
	self->ch = make_channel(NULL, &config);
	ASSERT_LE(0, self->ch);
	pub_join(&self->pub, self->ch);
	sub_join(&self->sub, self->ch);
	cast_make(&self->cast, 2);
}

FIXTURE_TEARDOWN(secrets)
{
	cast_close(&self->cast);
	sub_close(&self->sub);
	pub_close(&self->pub);
	close(self->ch);
}

TEST_F(secrets, new_memory_is_empty)
{
	const struct sluice_join *p = &self->pub.j, *s = &self->sub.j;
	const struct sluice_members_layout *m = &p->members;
	const unsigned char *members = self->pub.table.page;
	struct sluice_block_free all = { .end = BLOCK - 1 };
	struct sluice_item item = whole(self->cast.space, "x", SLUICE_EX);
	void *bytes;
	int fd, i;

	SAYS_NOTHING(self->pub.ring, sizeof(struct sluice_lane), p->lane.size);
	SAYS_NOTHING(self->pub.pool, 0, self->pub.pool_size);
	/* The head says what is taken notice of; the first place is taken. */
	SAYS_NOTHING(self->sub.cursor, sizeof(struct sluice_cursor),
		     s->cursor.lanes_offset);
	SAYS_NOTHING(self->sub.cursor, s->cursor.lanes_offset +
		     sizeof(struct sluice_cursor_lane), s->cursor.size);
	SAYS_NOTHING(members, sizeof(struct sluice_members),
		     m->publishers_offset);
	for (i = 1; i < 3; i++) {
		SAYS_NOTHING(members, m->publishers_offset + i * m->member_size,
			     m->publishers_offset + (i + 1) * m->member_size);
		SAYS_NOTHING(members, m->subscribers_offset + i * m->member_size,
			     m->subscribers_offset + (i + 1) * m->member_size);
	}
	SAYS_NOTHING(members, m->subscribers_offset + 3 * m->member_size,
		     m->size);

	fd = make_block(self->cast.h[0], self->cast.space, "x", BLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, take(self->cast.h[0], item));
	bytes = map_area(fd, 0, BLOCK, PROT_READ | PROT_WRITE);
	SAYS_NOTHING(bytes, 0, BLOCK);
	/* What was written, given back and touched again, likewise. */
	memset(bytes, 0xa5, BLOCK);
	ASSERT_EQ(0, call(fd, SLUICE_IOC_BLOCK_FREE, &all));
	SAYS_NOTHING(bytes, 0, BLOCK);
	munmap(bytes, BLOCK);
	close(fd);
}

/* A long name does not shine through a short one that came after it. */
TEST_F(secrets, names_end_where_they_end)
{
	struct sluice_lock_entry e[4] = { };
	struct sluice_peer peer;
	size_t n, i;

	must(prctl(PR_SET_NAME, "longlonglonglon"));
	EXPECT_EQ(0, take(self->cast.h[0],
			  whole(self->cast.space, "long-long-key", SLUICE_EX)));
	must(prctl(PR_SET_NAME, "x"));
	close(self->cast.h[0]);
	self->cast.h[0] = must(make_holder(NULL));
	EXPECT_EQ(0, take(self->cast.h[0],
			  whole(self->cast.space, "k", SLUICE_EX)));
	must(join_role(self->ch, SLUICE_SUBSCRIBER));
	EXPECT_EQ(0, peer_of(self->ch, SLUICE_SUBSCRIBER, 1, &peer));
	EXPECT_STREQ("x", (char *)peer.comm);
	SAYS_NOTHING(peer.comm, 1, sizeof(peer.comm));
	/* The mark of the first, and what the second one has. */
	n = locks_of(self->cast.space, e, ARRAY(e));
	EXPECT_EQ(2, n);
	for (i = 0; i < n; i++) {
		SAYS_NOTHING(e[i].comm, strnlen((char *)e[i].comm, 16), 16);
		SAYS_NOTHING(e[i].key, e[i].key_len, sizeof(e[i].key));
	}
	EXPECT_STREQ("x", (char *)e[n - 1].comm);
}

/* Kernel addresses of x86-64 and arm64; small negative numbers are none. */
static bool is_address(__u64 word)
{
	return word >= 0xffff000000000000ULL && word < 0xffffffffff000000ULL;
}

static bool has_address(const void *memory, size_t size)
{
	__u64 word;
	size_t i;

	for (i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
		memcpy(&word, (const char *)memory + i, sizeof(word));
		if (is_address(word))
			return true;
	}
	return false;
}

/* In text, as printf's %lx writes one: sixteen digits, no more. */
static bool tells_address(const char *text)
{
	size_t digits;

	for (; *text; text += digits ?: 1) {
		digits = strspn(text, "0123456789abcdefABCDEF");
		if (digits == 16 && is_address(strtoull(text, NULL, 16)))
			return true;
	}
	return false;
}

static const char *text_of(const char *path)
{
	static char text[1 << 16];
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));
	ssize_t n, size = 0;

	while ((n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += n;
	text[size] = 0;
	close(fd);
	return text;
}

TEST(an_address_would_be_seen)
{
	__u64 words[2] = { 0, 0xffff888012345678ULL };

	EXPECT_TRUE(has_address(words, sizeof(words)));
	EXPECT_TRUE(tells_address("at 0xffffffffa0123456."));
	words[1] = SLUICE_END;
	EXPECT_FALSE(has_address(words, sizeof(words)));
	EXPECT_FALSE(tells_address("ffff ffffffffffffffff 12ffffffffa01234567"));
}

TEST_F(secrets, no_address_in_texts)
{
	char path[300], target[300];
	struct dirent *entry;
	int looked_at = 0;
	DIR *dir;
	ssize_t n;

	ASSERT_EQ(0, take(self->cast.h[0],
			  whole(self->cast.space, "x", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS,
		  ask(self->cast.h[1], whole(self->cast.space, "x", SLUICE_EX)));
	EXPECT_FALSE(tells_address(text_of("/proc/self/maps")));
	dir = opendir("/proc/self/fd");
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = 0;
		looked_at += !!strstr(target, "sluice");
		EXPECT_FALSE(tells_address(target)) TH_LOG("%s", target);
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s",
			 entry->d_name);
		EXPECT_FALSE(tells_address(text_of(path))) TH_LOG("%s", target);
	}
	closedir(dir);
	/* The device, the channel, two endpoints, the lockspace, two holders. */
	EXPECT_LE(7, looked_at);
}

TEST_F(secrets, no_address_in_answers)
{
	struct sluice_lock_entry entries[4];
	struct sluice_lockspace_stat space;
	struct sluice_lock_event event;
	struct sluice_stat channel;
	struct sluice_peer peer;
	int i;

	pub_send(&self->pub, "hello", 5, 0, in_ms(PATIENCE_MS));
	ASSERT_EQ(0, take(self->cast.h[0],
			  whole(self->cast.space, "x", SLUICE_EX)));
	ASSERT_EQ(-EINPROGRESS,
		  ask(self->cast.h[1], whole(self->cast.space, "x", SLUICE_EX)));
	channel = stat_of(self->ch);
	EXPECT_FALSE(has_address(&channel, sizeof(channel)));
	space = lockspace_stat(self->cast.space);
	EXPECT_FALSE(has_address(&space, sizeof(space)));
	for (i = SLUICE_PUBLISHER; i <= SLUICE_SUBSCRIBER; i++) {
		ASSERT_EQ(0, peer_of(self->ch, i, 0, &peer));
		EXPECT_FALSE(has_address(&peer, sizeof(peer)));
	}
	memset(entries, 0, sizeof(entries));
	EXPECT_EQ(2, locks_of(self->cast.space, entries, 4));
	EXPECT_FALSE(has_address(entries, sizeof(entries)));
	ASSERT_EQ(0, unlock_all(self->cast.h[0]));
	ASSERT_EQ(0, event_of(self->cast.h[1], SLUICE_EVENT_DONE, &event));
	EXPECT_FALSE(has_address(&event, sizeof(event)));
	EXPECT_FALSE(has_address(&self->pub.j, sizeof(self->pub.j)));
	EXPECT_FALSE(has_address(&self->sub.j, sizeof(self->sub.j)));
	EXPECT_FALSE(has_address(self->pub.table.page, self->pub.table.l.size));
	EXPECT_FALSE(has_address(self->pub.ring, self->pub.j.lane.size));
	EXPECT_FALSE(has_address(self->sub.cursor, self->sub.j.cursor.size));
}

TEST_HARNESS_MAIN
