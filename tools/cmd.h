/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands of sluice(1) share.
 */
#ifndef SLUICE_CMD_H
#define SLUICE_CMD_H

#include <argp.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sluice/sluice.h>

/* Exit codes, as sluice(1) documents them. */
enum status {
	STATUS_OK	= 0,
	STATUS_FAILURE	= 1,
	STATUS_USAGE	= 2,
	STATUS_LOST	= 3,	/* sub: some messages were lost */
	STATUS_TIMEOUT	= 4,
};

#define NSEC_PER_SEC 1000000000LL

int pub_main(int argc, char **argv);
int sub_main(int argc, char **argv);
int attach_main(int argc, char **argv);
int ls_main(int argc, char **argv);
int stat_main(int argc, char **argv);
int lock_main(int argc, char **argv);
int locks_main(int argc, char **argv);
int deadlocks_main(int argc, char **argv);
int monitor_main(int argc, char **argv);
int graph_main(int argc, char **argv);
int quota_main(int argc, char **argv);
int exporter_main(int argc, char **argv);
int top_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

/* complain.c: messages for people ------------------------------------------ */

/**
 * complain() - write "sluice: NAME: what: error" to standard error
 * @name: of a channel or file, or NULL
 * @error: a negative errno value, or 0 for none
 * @format: what went wrong
 */
void complain(const char *name, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Say what is wrong with the device. Return: false if nothing is. */
bool complain_device(void);

/**
 * complain_open() - say why a channel or the device cannot be opened
 * @name: of the channel, or NULL
 * @error: a negative errno value of libsluice
 * @may_create: whether the caller asked for it to be made
 *
 * Tells a module that is not loaded from a channel that does not exist.
 */
void complain_open(const char *name, int error, bool may_create);

/**
 * printable_name() - a channel's name as people and JSON can bear it
 * @name: any bytes
 * @len: how many
 * @buf: at least PRINTABLE_NAME_SIZE bytes
 *
 * UTF-8 stays, other bytes and backslashes become \xNN. Return: @buf.
 */
char *printable_name(const uint8_t *name, size_t len, char *buf);
#define PRINTABLE_NAME_SIZE (4 * SLUICE_NAME_MAX + 1)

const char *pattern_name(uint32_t pattern);
const char *policy_name(uint32_t policy);
const char *state_name(uint32_t state);
const char *reason_name(uint32_t reason);

/**
 * text_width() - columns on a terminal, if every character takes one
 * @text: as printable_name() makes it
 *
 * Return: how many.
 */
int text_width(const char *text);

/**
 * format_size() - bytes as people read them: 512B, 1.5M
 * @bytes: how many
 * @buf: where to, FORMAT_SIZE bytes
 *
 * Return: @buf.
 */
char *format_size(uint64_t bytes, char *buf);
#define FORMAT_SIZE 16

/* parse.c: the command line --------------------------------------------------- */

/* How argp tells the version, and ends; what was written must get out. */
void program_begin(void);

/* Values; each ends the program if it is none. */
uint64_t parse_size(const struct argp_state *state, const char *what,
		    const char *arg);
uint64_t parse_number(const struct argp_state *state, const char *what,
		      const char *arg, uint64_t min, uint64_t max);
int64_t parse_seconds(const struct argp_state *state, const char *what,
		      const char *arg);
uint32_t parse_permissions(const struct argp_state *state, const char *what,
			   const char *arg);
uint32_t parse_group(const struct argp_state *state, const char *what,
		     const char *arg);
uint32_t parse_policy(const struct argp_state *state, const char *arg);
/* Bytes of a length prefix: 1, 2, 4 or 8; NULL is 4. */
unsigned int parse_prefix(const struct argp_state *state, const char *arg);

/* channel.c: opening, with the options that make one ------------------------- */

/**
 * struct channel_arguments - what the user said of the channel
 * @name: of the channel
 * @options: for sluice_channel_open()
 * @given: a bit for each configuration option that was given
 */
struct channel_arguments {
	char *name;
	struct sluice_channel_options options;
	uint32_t given;
};

/* The bit of --policy, which a subscriber may have of its own. */
#define CHANNEL_GIVEN_POLICY 0x2

/* The options for making a channel; its input is a struct channel_arguments. */
extern const struct argp channel_argp;

/**
 * open_channel() - open or make it, or say why not
 * @args: with the name set
 * @channel: out
 *
 * An existing channel must be as the options given say.
 *
 * Return: STATUS_OK or STATUS_FAILURE.
 */
int open_channel(struct channel_arguments *args,
		 struct sluice_channel **channel);

/**
 * take_name() - the NAME argument of a subcommand
 * @state: of the parser
 * @arg: as given
 *
 * Return: @arg; ends the program if no channel can be called so.
 */
char *take_name(const struct argp_state *state, char *arg);

/* signals.c ------------------------------------------------------------------- */

/**
 * catch_signals() - let SIGINT, SIGTERM and SIGHUP end the program in order
 *
 * Afterwards blocking calls give EINTR when such a signal comes, again and
 * again until the program ends: a call that is entered just after the signal
 * is interrupted, too.
 */
void catch_signals(void);

/**
 * undo_at_once() - what to do when a second signal ends the program at once
 * @undo: is called by a signal's handler; NULL for nothing
 */
void undo_at_once(void (*undo)(void));

/* The signal that came, or 0. */
int caught_signal(void);

/* End by the signal that came, if one did, so that a shell sees it. */
void die_by_signal(void);

/* End by that signal. */
void die_by(int sig);

/* progress.c ------------------------------------------------------------------ */

/**
 * struct progress - one line on standard error, drawn over and over
 * @enabled: whether to draw at all
 * @total: bytes expected, 0 if unknown
 * @start: CLOCK_MONOTONIC nanoseconds
 * @drawn: when it was drawn last, 0 if never
 */
struct progress {
	bool enabled;
	uint64_t total;
	int64_t start;
	int64_t drawn;
};

void progress_start(struct progress *progress, bool enabled, uint64_t total);
void progress_update(struct progress *progress, uint64_t bytes);
void progress_end(struct progress *progress, uint64_t bytes);
/* Remove the line, to write something else there. */
void progress_clear(struct progress *progress);

/* io.c ------------------------------------------------------------------------ */

int64_t now(void);

/**
 * read_full() - read until a buffer is full or the stream ends
 * @fd: to read from
 * @buf: where to
 * @size: bytes wanted
 *
 * Return: bytes read, less than @size only at the end; or a negative errno
 * value, -EINTR only for a signal that ends the program.
 */
ssize_t read_full(int fd, void *buf, size_t size);

struct iovec;
/* Write all; @iov is spoilt. Return: 0 or a negative errno value. */
int write_full(int fd, struct iovec *iov, int count);

void put_length(uint8_t *buf, unsigned int width, uint64_t length);
uint64_t get_length(const uint8_t *buf, unsigned int width);

/* json.c ---------------------------------------------------------------------- */

void json_add_number(struct json_object *object, const char *key,
		     uint64_t value);
void json_add_string(struct json_object *object, const char *key,
		     const char *value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_seconds(struct json_object *object, const char *key,
		      int64_t nanoseconds);
struct json_object *json_of_channel(const struct sluice_stat *stat);
/* Write it to a stream, and free it. Return: STATUS_OK or STATUS_FAILURE. */
int json_write(struct json_object *object, FILE *stream);
/* Likewise, all in one line. */
int json_write_line(struct json_object *object, FILE *stream);

#endif
