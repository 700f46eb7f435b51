// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice lock - run a command that has resources or files to itself, or shared.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"

enum {
	KEY_SHARED = 's',
	KEY_EXCLUSIVE = 'x',
	KEY_FILE = 'f',
	KEY_LOCKSPACE = 'l',
	KEY_TIMEOUT = 'w',
	KEY_NONBLOCK = 'n',
	KEY_CONFLICT = 'E',
	KEY_PRIORITY = 'p',
	KEY_RANGE = 'r',
	KEY_VERBOSE = 'v',
	KEY_MODE = 0x200,
	KEY_ANY,
	KEY_CONSISTENT,
	KEY_REPAIR,
	KEY_LOCKSPACE_MODE,
	KEY_LOCKSPACE_GROUP,
};

static const struct argp_option options[] = {
	{ "shared", KEY_SHARED, NULL, 0, "together with others that share it" },
	{ "exclusive", KEY_EXCLUSIVE, NULL, 0, "alone (default)" },
	{ "mode", KEY_MODE, "MODE", 0,
	  "nl, cr, cw, pr (--shared), up, pw or ex (--exclusive)" },
	{ "file", KEY_FILE, "FILE", 0,
	  "lock this file or directory; made if there is none" },
	{ "range", KEY_RANGE, "START-[END]", 0, "only these bytes, both included" },
	{ "any", KEY_ANY, NULL, 0, "the first that is free instead of all" },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0, "give up after so long" },
	{ "wait", 0, NULL, OPTION_ALIAS, NULL },
	{ "nonblock", KEY_NONBLOCK, NULL, 0, "give up at once" },
	{ "nb", 0, NULL, OPTION_ALIAS, NULL },
	{ "conflict-exit-code", KEY_CONFLICT, "N", 0,
	  "exit status after giving up (default 1)" },
	{ "priority", KEY_PRIORITY, "N", 0,
	  "-127 to 127: higher ones go first (default 0)" },
	{ "consistent", KEY_CONSISTENT, NULL, 0,
	  "if an owner had died: declare it in order after the command succeeded" },
	{ "repair", KEY_REPAIR, NULL, 0, "even if it was declared unrecoverable" },
	{ "verbose", KEY_VERBOSE, NULL, 0, "tell who has it, and how long it took" },
	{ NULL, 0, NULL, 0, "The lockspace, by default the user's own:", 5 },
	{ "lockspace", KEY_LOCKSPACE, "NAME", 0, "made if there is none" },
	{ "lockspace-mode", KEY_LOCKSPACE_MODE, "MODE", 0,
	  "permission bits if it is made: r to share, w to lock exclusively (default 0600)" },
	{ "lockspace-group", KEY_LOCKSPACE_GROUP, "GROUP", 0,
	  "name or number of its group if it is made" },
	{ 0 }
};

/**
 * struct lock - one run
 * @space: name of the lockspace, or NULL
 * @space_options: how to make it
 * @how: for the request
 * @timeout: nanoseconds, negative for none
 * @mode: enum sluice_mode
 * @start: of the range
 * @end: of the range
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
 */
struct lock {
	char *space;
	struct sluice_lockspace_options space_options;
	struct sluice_lock_options how;
	int64_t timeout;
	uint32_t mode;
	uint64_t start, end;
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
};

static bool is_exclusive(uint32_t mode)
{
	return mode == SLUICE_CW || mode >= SLUICE_UP;
}

/* Those who hold it when they end have died; the others leave no trace. */
static bool is_owners(uint32_t mode)
{
	return mode == SLUICE_CW || mode >= SLUICE_PW;
}

/* The command line ---------------------------------------------------------- */

static void parse_range(struct argp_state *state, struct lock *lock, char *arg)
{
	char *dash = strchr(arg, '-');

	if (!dash)
		argp_error(state, "--range: must be START-END or START-, not '%s'", arg);
	*dash = '\0';
	lock->start = parse_size(state, "--range", arg);
	lock->end = dash[1] ? parse_size(state, "--range", dash + 1) : SLUICE_END;
	if (lock->end < lock->start)
		argp_error(state, "--range: the end is before the start");
}

static int parse_priority(const struct argp_state *state, const char *arg)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (end == arg || *end || n < -SLUICE_PRIORITY_MAX || n > SLUICE_PRIORITY_MAX)
		argp_error(state, "--priority: must be %d to %d, not '%s'",
			   -SLUICE_PRIORITY_MAX, SLUICE_PRIORITY_MAX, arg);
	return n;
}

static void add_name(struct argp_state *state, struct lock *lock, char *name,
		     bool is_file)
{
	size_t len = strlen(name);

	if (lock->count == SLUICE_ITEMS_MAX)
		argp_error(state, "no more than %d at once", SLUICE_ITEMS_MAX);
	if (!is_file && (!len || len > SLUICE_KEY_MAX))
		argp_error(state, "a resource's name has 1 to %d bytes",
			   SLUICE_KEY_MAX);
	lock->names[lock->count] = name;
	lock->is_file[lock->count++] = is_file;
}

static void parse_argument(struct lock *lock, char *arg, struct argp_state *state)
{
	if (!state->quoted || state->next <= state->quoted) {
		add_name(state, lock, arg, false);
		return;
	}
	lock->command = state->argv + state->next - 1;
	state->next = state->argc;
}

static void check_arguments(const struct argp_state *state, const struct lock *lock)
{
	if (!lock->count)
		argp_error(state, "the name of a resource, or --file, is needed");
	if (!lock->command)
		argp_error(state, "a command is needed, after --");
	if (lock->consistent && !is_owners(lock->mode))
		argp_error(state, "--consistent needs an exclusive mode");
}

static error_t parse_lockspace(int key, char *arg, struct argp_state *state)
{
	struct lock *lock = state->input;

	switch (key) {
	case KEY_LOCKSPACE:
		lock->space = take_lockspace(state, arg);
		return 0;
	case KEY_LOCKSPACE_MODE:
		lock->space_options.mode =
			parse_permissions(state, "--lockspace-mode", arg);
		return 0;
	case KEY_LOCKSPACE_GROUP:
		lock->space_options.gid =
			parse_group(state, "--lockspace-group", arg);
		return 0;
	case ARGP_KEY_ARG:
		parse_argument(lock, arg, state);
		return 0;
	case ARGP_KEY_END:
		check_arguments(state, lock);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_patience(int key, char *arg, struct argp_state *state)
{
	struct lock *lock = state->input;

	switch (key) {
	case KEY_TIMEOUT:
		lock->timeout = parse_seconds(state, "--timeout", arg);
		return 0;
	case KEY_NONBLOCK:
		lock->timeout = 0;
		return 0;
	case KEY_CONFLICT:
		lock->conflict = parse_number(state, "--conflict-exit-code", arg, 0, 255);
		return 0;
	case KEY_PRIORITY:
		lock->how.priority = parse_priority(state, arg);
		return 0;
	case KEY_ANY:
		lock->how.flags |= SLUICE_LOCK_ANY;
		return 0;
	default:
		return parse_lockspace(key, arg, state);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct lock *lock = state->input;

	switch (key) {
	case KEY_SHARED:
		lock->mode = SLUICE_PR;
		return 0;
	case KEY_EXCLUSIVE:
		lock->mode = SLUICE_EX;
		return 0;
	case KEY_MODE:
		lock->mode = parse_lock_mode(state, arg);
		return 0;
	case KEY_FILE:
		add_name(state, lock, arg, true);
		return 0;
	case KEY_RANGE:
		parse_range(state, lock, arg);
		return 0;
	case KEY_CONSISTENT:
		lock->consistent = true;
		return 0;
	case KEY_REPAIR:
		lock->repair = true;
		return 0;
	case KEY_VERBOSE:
		lock->verbose = true;
		return 0;
	default:
		return parse_patience(key, arg, state);
	}
}

/* Taking -------------------------------------------------------------------- */

/* As flock(1): a file that is not there is made. A fifo must not block us. */
static int open_file(const char *path, uint32_t mode)
{
	int flags = (is_exclusive(mode) ? O_RDWR : O_RDONLY) | O_NOCTTY |
		    O_NONBLOCK | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT)
		fd = open(path, flags | O_CREAT, 0666);
	if (fd < 0 && errno == EISDIR)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		complain(path, -errno, is_exclusive(mode) ?
			 "cannot open for writing, as an exclusive lock needs" :
			 "cannot open");
	return fd;
}

static int build_item(struct lock *lock, unsigned int i)
{
	struct sluice_item *item = &lock->items[i];
	int fd;

	if (lock->is_file[i]) {
		fd = open_file(lock->names[i], lock->mode);
		if (fd < 0)
			return -1;
		*item = sluice_item_file(lock->lockspace, fd, lock->mode);
	} else {
		*item = sluice_item_name(lock->lockspace, lock->names[i], lock->mode);
	}
	*item = sluice_item_range(*item, lock->start, lock->end);
	if (lock->repair)
		*item = sluice_item_repair(*item);
	return 0;
}

/* The one name to put before a message, NULL if there are several. */
static const char *only_name(const struct lock *lock)
{
	return lock->count == 1 ? lock->names[0] : NULL;
}

static void complain_lock(const struct lock *lock, int error)
{
	const char *name = only_name(lock);

	switch (error) {
	case -EDEADLK:
		complain(name, 0, "deadlock: others wait for each other and for this; see 'sluice deadlocks'");
		break;
	case -ENOTRECOVERABLE:
		complain(name, 0, "declared unrecoverable after an owner died (--repair locks it all the same)");
		break;
	case -EACCES:
		complain(name, 0, "the lockspace does not permit mode %s",
			 mode_name(lock->mode));
		break;
	case -EINVAL:
		complain(name, 0, "cannot lock: is something named twice?");
		break;
	default:
		complain(name, error, "cannot lock");
	}
}

static bool is_item(const struct sluice_item *item,
		    const struct sluice_lock_entry *entry)
{
	struct sluice_file_key file;
	struct stat st;

	if (entry->kind != item->kind || entry->start > item->end ||
	    entry->end < item->start)
		return false;
	if (item->kind == SLUICE_KIND_NAME)
		return entry->key_len == item->key_len &&
		       !memcmp(entry->key, item->key, item->key_len);
	memcpy(&file, entry->key, sizeof(file));
	return !fstat(item->fd, &st) && st.st_ino == file.ino &&
	       major(st.st_dev) == file.major && minor(st.st_dev) == file.minor;
}

static int tell_owner(const struct sluice_lock_entry *entry, void *data)
{
	const struct lock *lock = data;
	char comm[COMM_TEXT_SIZE], age[AGE_TEXT_SIZE];

	if (entry->state != SLUICE_LOCK_HELD || entry->mode == SLUICE_NL)
		return 0;
	for (unsigned int i = 0; i < lock->count; i++) {
		if (is_item(&lock->items[i], entry))
			complain(lock->names[i], 0, "process %d (%s) has had it %s for %s",
				 entry->pid, comm_text(entry->comm, comm),
				 mode_name(entry->mode), age_text(entry->since, age));
	}
	return 0;
}

static int give_up(const struct lock *lock)
{
	if (lock->verbose) {
		complain(only_name(lock), 0, lock->timeout ? "timed out" : "not free");
		sluice_lockspace_locks(lock->lockspace, tell_owner, (void *)lock);
	}
	return lock->conflict;
}

static bool is_taken(const struct lock *lock, unsigned int i)
{
	return !(lock->how.flags & SLUICE_LOCK_ANY) || i == lock->index;
}

static void tell_deaths(const struct lock *lock)
{
	for (unsigned int i = 0; i < lock->count; i++) {
		if (!is_taken(lock, i))
			continue;
		if (lock->items[i].status & SLUICE_UNRECOVERABLE)
			complain(lock->names[i], 0, "locked though it was declared unrecoverable");
		else if (lock->items[i].status & SLUICE_OWNER_DIED)
			complain(lock->names[i], 0, lock->consistent ?
				 "an owner died: what it protects may be half written" :
				 "an owner died: what it protects may be half written (--consistent declares it in order)");
	}
}

/* Return: 0, or the exit status. */
static int take(struct lock *lock)
{
	int64_t start = now();
	int ret;

	lock->how.deadline = lock->timeout < 0 ? SLUICE_NO_DEADLINE :
			     lock->timeout ? sluice_deadline_after(lock->timeout) : 0;
	do {
		ret = sluice_holder_lock(lock->holder, lock->items, lock->count,
					 sizeof(*lock->items), &lock->how, &lock->index);
	} while (ret == -EINTR && !caught_signal());
	if (ret == -EAGAIN || ret == -ETIMEDOUT)
		return give_up(lock);
	if (ret == -EINTR)
		return LOCK_FAILURE;
	if (ret < 0) {
		complain_lock(lock, ret);
		return LOCK_FAILURE;
	}
	if (lock->verbose)
		complain(only_name(lock), 0, "locked after %.6f seconds",
			 (now() - start) / 1e9);
	tell_deaths(lock);
	return 0;
}

/* Running ------------------------------------------------------------------- */

static void set_environment(const struct lock *lock)
{
	char buf[DEFAULT_LOCKSPACE_SIZE], text[24];
	uint64_t token = 0;
	uint32_t status = 0;

	for (unsigned int i = 0; i < lock->count; i++) {
		if (!is_taken(lock, i))
			continue;
		/* Whoever has any of them later has a greater one than this. */
		if (lock->items[i].token > token)
			token = lock->items[i].token;
		status |= lock->items[i].status;
	}
	snprintf(text, sizeof(text), "%llu", (unsigned long long)token);
	if (token)
		setenv("SLUICE_TOKEN", text, 1);
	else
		unsetenv("SLUICE_TOKEN");
	setenv("SLUICE_OWNER_DIED", status ? "1" : "0", 1);
	setenv("SLUICE_LOCKSPACE", lock->space ? lock->space : default_lockspace(buf), 1);
	if (lock->count == 1 || lock->how.flags & SLUICE_LOCK_ANY)
		setenv("SLUICE_RESOURCE", lock->names[lock->index], 1);
	else
		unsetenv("SLUICE_RESOURCE");
}

static int declare_consistent(struct lock *lock)
{
	for (unsigned int i = 0; i < lock->count; i++) {
		int error;

		if (!is_taken(lock, i) || !lock->items[i].status)
			continue;
		error = sluice_holder_recover(lock->holder, &lock->items[i], 1,
					      sizeof(*lock->items),
					      SLUICE_RECOVER_CONSISTENT);
		if (error) {
			complain(lock->names[i], error, "cannot declare it consistent");
			return LOCK_FAILURE;
		}
	}
	return STATUS_OK;
}

/*
 * The command is the owner: if a signal kills it nothing is unlocked here, and
 * the kernel takes that for the owner's death when this process ends.
 */
static int run(struct lock *lock)
{
	int sig, status;

	set_environment(lock);
	status = run_under_lock(lock->command, &sig);
	if (status >= 0 && WIFSIGNALED(status)) {
		if (WTERMSIG(status) == sig && sig != SIGQUIT)
			die_by(sig);
		return 128 + WTERMSIG(status);
	}
	if (status < 0)
		status = LOCK_FAILURE;
	else
		status = WEXITSTATUS(status);
	if (!status && lock->consistent)
		status = declare_consistent(lock);
	sluice_holder_close(lock->holder);
	die_by_signal();
	return status;
}

/*
 * Made under the name of the command: whoever has to wait wants to know for
 * what, and all who lock with this program are called the same.
 */
static int make_holder(struct lock *lock)
{
	const char *slash = strrchr(lock->command[0], '/');
	char own[16];
	int error;

	prctl(PR_GET_NAME, own);
	prctl(PR_SET_NAME, slash ? slash + 1 : lock->command[0]);
	error = sluice_holder_open(NULL, &lock->holder);
	prctl(PR_SET_NAME, own);
	if (error)
		complain(NULL, error, "cannot make a holder of locks");
	return error;
}

static int lock_and_run(struct lock *lock)
{
	int status;

	lock->space_options.flags = SLUICE_OPEN_CREATE;
	lock->space_options.access = is_exclusive(lock->mode) ? SLUICE_WRITE :
								 SLUICE_READ;
	if (open_own_lockspace(lock->space, &lock->space_options, &lock->lockspace))
		return LOCK_FAILURE;
	if (make_holder(lock))
		return LOCK_FAILURE;
	for (unsigned int i = 0; i < lock->count; i++) {
		if (build_item(lock, i))
			return LOCK_FAILURE;
	}
	status = take(lock);
	die_by_signal();
	return status ? status : run(lock);
}

int lock_main(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "[RESOURCE...] -- COMMAND [ARGUMENT...]",
		"Run COMMAND while the RESOURCEs, and files, of a lockspace are locked.\v"
		"The exit status is that of COMMAND, or 128 and the number of the signal that killed it."
		" 1: given up; 125: another failure; 126, 127: COMMAND cannot be run.",
		NULL, NULL, NULL,
	};
	struct lock lock = {
		.space_options = SLUICE_LOCKSPACE_OPTIONS_INIT,
		.how = SLUICE_LOCK_OPTIONS_INIT,
		.timeout = -1,
		.mode = SLUICE_EX,
		.end = SLUICE_END,
		.conflict = LOCK_CONFLICT,
	};

	/* In order, or what comes before -- could not be told from the command. */
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &lock);
	catch_signals();
	return lock_and_run(&lock);
}
