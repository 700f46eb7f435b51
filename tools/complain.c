// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages for people.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"

void complain(const char *name, int error, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	flockfile(stderr);
	fputs("sluice: ", stderr);
	if (name) {
		char buf[PRINTABLE_NAME_SIZE];
		size_t len = strlen(name);

		/* A file's name may be longer than a channel's. */
		if (len <= SLUICE_NAME_MAX)
			name = printable_name((const uint8_t *)name, len, buf);
		fprintf(stderr, "%s: ", name);
	}
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(-error));
	fputc('\n', stderr);
	funlockfile(stderr);
}

bool complain_device(void)
{
	struct sluice_info info;
	int error = sluice_query_info(&info, sizeof(info));
	struct utsname host;

	if (!error)
		return false;
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		uname(&host);
		complain(NULL, 0, "there is no /dev/sluice: the kernel module is not loaded");
		complain(NULL, 0, "try: modprobe sluice (it must be installed for kernel %s)",
			 host.release);
		break;
	case -EACCES:
	case -EPERM:
		complain("/dev/sluice", error, "cannot open");
		complain(NULL, 0, "see its owner and mode: ls -l /dev/sluice");
		break;
	case -EPROTONOSUPPORT:
		complain(NULL, 0, "the module speaks version %u of the protocol, this program %u",
			 info.abi_major, SLUICE_ABI_MAJOR);
		break;
	default:
		complain("/dev/sluice", error, "cannot use");
	}
	complain(NULL, 0, "what to do: sluice doctor");
	return true;
}

void complain_open(const char *name, int error, bool may_create)
{
	if (complain_device())
		return;
	switch (error) {
	case -ENOENT:
		complain(name, 0, may_create ? "no such channel" :
			 "no such channel (--create makes it)");
		break;
	case -EDQUOT:
		complain(name, error, "cannot make more channels");
		break;
	default:
		complain(name, error, "cannot open channel");
	}
}

/*
 * Bytes of the UTF-8 sequence at the start of a string, 0 if there is none.
 * Shortest forms only, no surrogates, nothing beyond U+10FFFF (RFC 3629), and
 * none of the C1 control characters, which a terminal may obey.
 */
static size_t utf8_length(const uint8_t *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 :
		      s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
	uint32_t code;

	if (want == 1)
		return s[0] >= 0x20 && s[0] != 0x7f && s[0] != '\\';
	if (!want || want > len)
		return 0;
	code = s[0] & (0x7f >> want);
	for (size_t i = 1; i < want; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[want] || code < 0xa0 || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return want;
}

char *printable_name(const uint8_t *name, size_t len, char *buf)
{
	char *to = buf;
	size_t i = 0;

	if (len > SLUICE_NAME_MAX)
		len = SLUICE_NAME_MAX;
	while (i < len) {
		size_t n = utf8_length(name + i, len - i);

		if (n) {
			memcpy(to, name + i, n);
			to += n;
			i += n;
		} else {
			to += sprintf(to, "\\x%02x", name[i++]);
		}
	}
	*to = '\0';
	return buf;
}

int text_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

const char *pattern_name(uint32_t pattern)
{
	switch (pattern) {
	case SLUICE_BROADCAST:
		return "broadcast";
	case SLUICE_QUEUE:
		return "queue";
	default:
		return "unknown";
	}
}

const char *policy_name(uint32_t policy)
{
	switch (policy) {
	case SLUICE_BLOCK:
		return "block";
	case SLUICE_DROP_OLDEST:
		return "drop-oldest";
	case SLUICE_EVICT:
		return "evict";
	default:
		return "unknown";
	}
}

const char *state_name(uint32_t state)
{
	switch (state) {
	case SLUICE_FREE:
		return "free";
	case SLUICE_ACTIVE:
		return "active";
	case SLUICE_LEFT:
		return "left";
	case SLUICE_EVICTED:
		return "evicted";
	default:
		return "unknown";
	}
}

const char *reason_name(uint32_t reason)
{
	switch (reason) {
	case SLUICE_LEFT_CLOSED:
		return "closed";
	case SLUICE_LEFT_EXITED:
		return "exited";
	case SLUICE_LEFT_KILLED:
		return "killed";
	case SLUICE_LEFT_EVICTED:
		return "evicted";
	default:
		return "unknown";
	}
}

char *format_size(uint64_t bytes, char *buf)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	while (value >= 1024 && units[unit + 1]) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, FORMAT_SIZE, unit && value < 99.95 ? "%.1f%c" : "%.0f%c",
		 value, units[unit]);
	return buf;
}
