// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice - channels and locks for people and shell scripts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const struct command {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "pub", pub_main },
	{ "sub", sub_main },
	{ "attach", attach_main },
	{ "ls", ls_main },
	{ "stat", stat_main },
	{ "lock", lock_main },
	{ "locks", locks_main },
	{ "deadlocks", deadlocks_main },
	{ "monitor", monitor_main },
	{ "graph", graph_main },
	{ "quota", quota_main },
	{ "exporter", exporter_main },
	{ "top", top_main },
	{ "doctor", doctor_main },
};

static const char doc[] =
	"Move messages through channels, lock resources, and look at both.\v"
	"Commands:\n"
	"  pub NAME [FILE...]        publish lines, blocks or files\n"
	"  sub NAME [-- COMMAND...]  write messages to standard output,\n"
	"                            or run a command for each\n"
	"  attach NAME HOST:PORT     write messages to a connection, each whole\n"
	"  ls                        list channels, or lockspaces\n"
	"  stat NAME                 show a channel and who is in it\n"
	"  lock RESOURCE -- COMMAND  run a command that has a resource, or file,\n"
	"                            to itself\n"
	"  locks [LOCKSPACE]         show who has what, and who waits\n"
	"  deadlocks [LOCKSPACE]     tell of the last ones\n"
	"  monitor [GROUP...]        tell what happens\n"
	"  graph                     show who publishes to whom, and who waits for whom\n"
	"  quota                     show what users have of what they may have\n"
	"  exporter                  tell Prometheus of all that\n"
	"  top                       show what goes on, and how fast\n"
	"  doctor [CHANNEL]          tell why things do not work, and what to do\n"
	"\n"
	"'sluice COMMAND --help' tells more of a command. See also sluice(1).";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct command **command = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
			if (!strcmp(arg, commands[i].name))
				*command = &commands[i];
		}
		if (!*command)
			argp_error(state, "no such command: '%s'", arg);
		/* What follows is the command's own. */
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a command is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse, .args_doc = "COMMAND [ARGUMENT...]", .doc = doc,
	};
	const struct command *command = NULL;
	char name[32];
	int first = 1;

	program_begin();
	while (first < argc && argv[first][0] == '-')
		first++;
	argp_parse(&argp, first < argc ? first + 1 : argc, argv, ARGP_IN_ORDER,
		   NULL, &command);
	snprintf(name, sizeof(name), "sluice %s", command->name);
	argv[first] = name;
	return command->main(argc - first, argv + first);
}
