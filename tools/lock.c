// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice lock - run a command that has resources or files to itself, or shared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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
	KEY_FCNTL,
	KEY_FLOCK,
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
	{ "fcntl", KEY_FCNTL, NULL, 0,
	  "take the kernel's own lock on files, too: for programs that use fcntl()" },
	{ "flock", KEY_FLOCK, NULL, 0,
	  "likewise, for programs that use flock(), as flock(1) does" },
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

/* What the kernel's own locks can be. */
static void check_backing(const struct argp_state *state, const struct lock *lock)
{
	bool whole = !lock->start && lock->end == SLUICE_END, files = false;

	if (!lock->backing)
		return;
	for (unsigned int i = 0; i < lock->count; i++)
		files |= lock->is_file[i];
	if (!files)
		argp_error(state, "--fcntl and --flock need --file");
	if (lock->mode < SLUICE_PR)
		argp_error(state, "--fcntl and --flock need mode pr, up, pw or ex");
	if (lock->backing & SLUICE_ITEM_FLOCK && !whole)
		argp_error(state, "--flock is for whole files");
}

static void check_arguments(const struct argp_state *state, const struct lock *lock)
{
	if (!lock->count)
		argp_error(state, "the name of a resource, or --file, is needed");
	if (!lock->command)
		argp_error(state, "a command is needed, after --");
	if (lock->consistent && !is_owners(lock->mode))
		argp_error(state, "--consistent needs an exclusive mode");
	check_backing(state, lock);
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
	case KEY_FCNTL:
		lock->backing |= SLUICE_ITEM_FCNTL;
		return 0;
	case KEY_FLOCK:
		lock->backing |= SLUICE_ITEM_FLOCK;
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

static void hear(void *data)
{
	tell_losses(data);
}

/* Return: whether it was all held until now. */
static bool unlock(struct lock *lock)
{
	if (sluice_holder_unlock_all(lock->holder) == -ESTALE)
		tell_losses(lock);
	return !lock->lost;
}

/* The command is the owner: if a signal kills it an owner has died. */
static int run(struct lock *lock)
{
	struct watch watch = {
		.fd = sluice_holder_fd(lock->holder),
		.tell = hear,
		.data = lock,
	};
	int sig, status;

	set_environment(lock);
	status = run_under_lock(lock->command, &sig, &watch);
	if (status >= 0 && WIFSIGNALED(status)) {
		sluice_holder_abandon(lock->holder);
		if (WTERMSIG(status) == sig && sig != SIGQUIT)
			die_by(sig);
		return 128 + WTERMSIG(status);
	}
	if (status < 0)
		status = LOCK_FAILURE;
	else
		status = WEXITSTATUS(status);
	if (!status && lock->consistent && !lock->lost)
		status = declare_consistent(lock);
	if (!unlock(lock) && !status)
		status = LOCK_FAILURE;
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
	status = take_items(lock);
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
