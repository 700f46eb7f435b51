/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the subcommands for locks share.
 */
#ifndef SLUICE_LOCK_CMD_H
#define SLUICE_LOCK_CMD_H

#include <stdio.h>

#include "cmd.h"

/* Exit codes of sluice lock besides those of its command, as env(1) has them. */
enum lock_status {
	LOCK_CONFLICT	= 1,	/* unless --conflict-exit-code */
	LOCK_FAILURE	= 125,
	LOCK_NO_EXEC	= 126,	/* the command cannot be run */
	LOCK_NO_COMMAND	= 127,	/* there is no such command */
};

/* lockspace.c ----------------------------------------------------------------- */

/* What sluice lock uses if it is told nothing: the user's own. */
#define DEFAULT_LOCKSPACE_SIZE 24
char *default_lockspace(char *buf);

/**
 * open_own_lockspace() - open or make a lockspace for taking locks
 * @name: of the lockspace, or NULL for the user's own
 * @options: how to make it
 * @lockspace: out
 *
 * Return: 0, or a negative errno value after telling why.
 */
int open_own_lockspace(const char *name,
		       const struct sluice_lockspace_options *options,
		       struct sluice_lockspace **lockspace);

/* The NAME argument; ends the program if no lockspace can be called so. */
char *take_lockspace(const struct argp_state *state, char *arg);

/**
 * look_at_lockspaces() - visit one lockspace, or all that may be opened
 * @name: of the one, or NULL for all
 * @visit: called with each; a negative errno value ends it
 * @data: handed to @visit
 *
 * Return: STATUS_OK or STATUS_FAILURE, after telling why.
 */
int look_at_lockspaces(const char *name,
		       int (*visit)(struct sluice_lockspace *lockspace,
				    const struct sluice_lockspace_stat *stat,
				    void *data), void *data);

/* Say why lockspaces cannot be opened. */
void complain_lockspace(const char *name, int error);

/* spaces.c: list them. Return: STATUS_OK or STATUS_FAILURE. */
int ls_lockspaces(bool json, bool headings);

/* resource.c ------------------------------------------------------------------ */

const char *mode_name(uint32_t mode);
/* enum sluice_mode by its name, in any case; ends the program if it is none. */
uint32_t parse_lock_mode(const struct argp_state *state, const char *arg);

/**
 * resource_text() - a resource as people can bear it
 * @kind: enum sluice_kind
 * @key: of the resource
 * @len: bytes there
 * @pid: of a process that may have the file open, 0 for none
 * @buf: RESOURCE_TEXT_SIZE bytes
 *
 * Return: @buf: a name, or a file's path, or its numbers if nobody who may be
 * asked has it open.
 */
char *resource_text(uint32_t kind, const uint8_t *key, uint32_t len, int pid,
		    char *buf);
#define RESOURCE_TEXT_SIZE (4 * 4096 + 1)

/* Likewise for JSON. */
struct json_object *json_of_resource(uint32_t kind, const uint8_t *key,
				     uint32_t len, int pid);

/* "0-99", "100-", or "" for the whole. Return: @buf. */
char *range_text(uint64_t start, uint64_t end, char *buf);
#define RANGE_TEXT_SIZE 48
void json_add_range(struct json_object *object, uint64_t start, uint64_t end);

/* How long ago, as short as people want it: 3.2s, 17m. Return: @buf. */
char *age_text(uint64_t since, char *buf);
#define AGE_TEXT_SIZE 24

/* A command's name, of 16 bytes at most. Return: @buf. */
char *comm_text(const uint8_t *comm, char *buf);
#define COMM_TEXT_SIZE PRINTABLE_NAME_SIZE

/* lock.c, take.c -------------------------------------------------------------- */

/**
 * struct lock - one run
 * @space: name of the lockspace, or NULL
 * @space_options: how to make it
 * @how: for the request
 * @timeout: nanoseconds, negative for none
 * @mode: enum sluice_mode
 * @start: of the range
 * @end: of the range
 * @backing: SLUICE_ITEM_FCNTL, SLUICE_ITEM_FLOCK of files
 * @conflict: exit status after giving up
 * @verbose: tell more
 * @consistent: declare it so
 * @repair: take it even if unrecoverable
 * @names: of resources and files
 * @is_file: which they are
 * @count: how many
 * @command: and its arguments
 * @lockspace: that is open
 * @holder: that takes them
 * @items: what is taken
 * @index: with --any which
 * @lost: a file server has lost some of it
 */
struct lock {
	char *space;
	struct sluice_lockspace_options space_options;
	struct sluice_lock_options how;
	int64_t timeout;
	uint32_t mode;
	uint64_t start, end;
	uint32_t backing;
	int conflict;
	bool verbose, consistent, repair;
	char *names[SLUICE_ITEMS_MAX];
	bool is_file[SLUICE_ITEMS_MAX];
	unsigned int count;
	char **command;
	struct sluice_lockspace *lockspace;
	struct sluice_holder *holder;
	struct sluice_item items[SLUICE_ITEMS_MAX];
	uint32_t index;
	bool lost;
};

/* Does it take the right to write? */
static inline bool is_exclusive(uint32_t mode)
{
	return mode == SLUICE_CW || mode >= SLUICE_UP;
}

/* Build the item of that index. Return: 0, or -1 after telling why not. */
int build_item(struct lock *lock, unsigned int i);
/* Take them. Return: 0, or the exit status after telling why not. */
int take_items(struct lock *lock);
/* Read what the holder is told; say what a file server has lost. */
void tell_losses(struct lock *lock);
/* With --any only one is. */
bool is_taken(const struct lock *lock, unsigned int i);

/* run.c ----------------------------------------------------------------------- */

/**
 * struct watch - what to look at besides a command
 * @fd: of which poll() says POLLPRI
 * @tell: called then; afterwards it does not any more
 * @data: handed to @tell
 */
struct watch {
	int fd;
	void (*tell)(void *data);
	void *data;
};

/**
 * run_under_lock() - run a command until it ends
 * @command: and its arguments
 * @sig: out: a signal that came for this process meanwhile, or 0
 * @watch: to look at meanwhile
 *
 * Signals that another process sends are handed on; those of the terminal get
 * to the command anyway. If this process is killed, so is the command.
 *
 * Return: as waitpid() gives it; or -1: it cannot be started at all.
 */
int run_under_lock(char **command, int *sig, const struct watch *watch);

/* table.c --------------------------------------------------------------------- */

/**
 * struct column - of a table
 * @title: its heading
 * @right: flush right
 * @least: columns it may be cut down to when the terminal is narrow; 0: never
 * @optional: left out when it is empty in each row
 * @rank: if that is still too wide, the column of the highest rank is left out
 *	first; 0: never
 * @wide: columns that it takes at least, so that it keeps its place
 */
struct column {
	const char *title;
	bool right;
	int least;
	bool optional;
	int rank;
	int wide;
};

struct table;

struct table *table_new(const struct column *columns, int count);
/* Add a row of as many texts, which are copied. Return: 0 or -ENOMEM. */
int table_add(struct table *table, const char *const *texts);
/* Write it no wider than so many columns; 0 is as wide as it needs. */
void table_write(const struct table *table, FILE *out, int columns,
		 bool headings);
/* To standard output, no wider than that if it is a terminal. */
void table_print(const struct table *table, bool headings);
void table_free(struct table *table);

#endif /* SLUICE_LOCK_CMD_H */
