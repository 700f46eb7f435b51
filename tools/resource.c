// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Resources, modes and holders as people read them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lock.h"

static const char *const modes[] = {
	[SLUICE_UNLOCKED] = "-", [SLUICE_NL] = "NL", [SLUICE_CR] = "CR",
	[SLUICE_CW] = "CW", [SLUICE_PR] = "PR", [SLUICE_UP] = "UP",
	[SLUICE_PW] = "PW", [SLUICE_EX] = "EX",
};

const char *mode_name(uint32_t mode)
{
	return mode <= SLUICE_EX ? modes[mode] : "unknown";
}

uint32_t parse_lock_mode(const struct argp_state *state, const char *arg)
{
	for (uint32_t mode = SLUICE_NL; mode <= SLUICE_EX; mode++) {
		if (!strcasecmp(arg, modes[mode]))
			return mode;
	}
	argp_error(state, "--mode: must be nl, cr, cw, pr, up, pw or ex, not '%s'",
		   arg);
	return 0;
}

/* Files --------------------------------------------------------------------- */

static struct sluice_file_key file_key(const uint8_t *key, uint32_t len)
{
	struct sluice_file_key file = { 0 };

	memcpy(&file, key, len < sizeof(file) ? len : sizeof(file));
	return file;
}

/*
 * What else a stranger has open is nobody's business, and may be on a server that
 * does not answer: it is not asked.
 */
static bool is_file(const char *path, const struct sluice_file_key *file)
{
	struct statx st;

	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) &&
	       st.stx_ino == file->ino && st.stx_dev_major == file->major &&
	       st.stx_dev_minor == file->minor;
}

/*
 * An inode has no name of its own. But who locks a file has it open, more often
 * than not, and /proc tells by which path. Return: its length, or 0.
 */
static ssize_t find_path(const struct sluice_file_key *file, int pid, char *path,
			 size_t size)
{
	char name[64 + sizeof(((struct dirent *)NULL)->d_name)];
	struct dirent *entry;
	ssize_t len = 0;
	DIR *dir;

	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	dir = pid > 0 ? opendir(name) : NULL;
	if (!dir)
		return 0;
	while (len <= 0 && (entry = readdir(dir))) {
		snprintf(name, sizeof(name), "/proc/%d/fd/%s", pid, entry->d_name);
		if (entry->d_name[0] != '.' && is_file(name, file))
			len = readlink(name, path, size);
	}
	closedir(dir);
	return len > 0 ? len : 0;
}

/* As printable_name(), of any length. */
static void printable_path(const char *path, size_t len, char *buf)
{
	size_t part;

	for (size_t i = 0; i < len; i += part) {
		part = len - i < SLUICE_NAME_MAX ? len - i : SLUICE_NAME_MAX;
		/* Not within a character, if it is text. */
		while (i + part < len && part > SLUICE_NAME_MAX - 4 &&
		       (path[i + part] & 0xc0) == 0x80)
			part--;
		printable_name((const uint8_t *)path + i, part, buf);
		buf += strlen(buf);
	}
}

static void file_text(const uint8_t *key, uint32_t len, int pid, char *buf)
{
	struct sluice_file_key file = file_key(key, len);
	char path[4096];
	ssize_t n = find_path(&file, pid, path, sizeof(path));

	if (n)
		printable_path(path, n, buf);
	else
		sprintf(buf, "file %u:%u:%llu", file.major, file.minor,
			(unsigned long long)file.ino);
}

char *resource_text(uint32_t kind, const uint8_t *key, uint32_t len, int pid,
		    char *buf)
{
	if (kind == SLUICE_KIND_FILE)
		file_text(key, len, pid, buf);
	else
		printable_name(key, len, buf);
	return buf;
}

struct json_object *json_of_resource(uint32_t kind, const uint8_t *key,
				     uint32_t len, int pid)
{
	struct json_object *object = json_object_new_object();
	struct sluice_file_key file = file_key(key, len);
	char text[RESOURCE_TEXT_SIZE], path[4096];
	ssize_t n;

	if (kind != SLUICE_KIND_FILE) {
		json_add_string(object, "name", printable_name(key, len, text));
		return object;
	}
	json_add_number(object, "major", file.major);
	json_add_number(object, "minor", file.minor);
	json_add_number(object, "inode", file.ino);
	json_add_number(object, "generation", file.generation);
	n = find_path(&file, pid, path, sizeof(path));
	if (n) {
		printable_path(path, n, text);
		json_add_string(object, "path", text);
	}
	return object;
}

/* Ranges, times, commands ---------------------------------------------------- */

char *range_text(uint64_t start, uint64_t end, char *buf)
{
	if (!start && end == SLUICE_END)
		*buf = '\0';
	else if (end == SLUICE_END)
		sprintf(buf, "%" PRIu64 "-", start);
	else
		sprintf(buf, "%" PRIu64 "-%" PRIu64, start, end);
	return buf;
}

void json_add_range(struct json_object *object, uint64_t start, uint64_t end)
{
	json_add_number(object, "start", start);
	if (end != SLUICE_END)
		json_add_number(object, "end", end);
	else
		json_object_object_add(object, "end", NULL);
}

char *age_text(uint64_t since, char *buf)
{
	double seconds = (now() - (int64_t)since) / 1e9;

	if (seconds < 99.95)
		snprintf(buf, AGE_TEXT_SIZE, "%.1fs", seconds);
	else if (seconds < 99.5 * 60)
		snprintf(buf, AGE_TEXT_SIZE, "%.0fm", seconds / 60);
	else if (seconds < 99.5 * 3600)
		snprintf(buf, AGE_TEXT_SIZE, "%.0fh", seconds / 3600);
	else
		snprintf(buf, AGE_TEXT_SIZE, "%.0fd", seconds / 86400);
	return buf;
}

char *comm_text(const uint8_t *comm, char *buf)
{
	return printable_name(comm, strnlen((const char *)comm, 16), buf);
}
