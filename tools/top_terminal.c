// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The terminal as it was before sluice top, for a signal that ends it at once.
 * Its handler cannot ask curses, so what curses would write is kept beforehand.
 */
#include <curses.h>
#include <poll.h>
#include <stddef.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "cmd.h"
#include "top_terminal.h"

static struct termios settings;
static char farewell[256];
static size_t length;

static int keep(int c)
{
	if (length < sizeof(farewell))
		farewell[length++] = c;
	return c;
}

/* A terminal that takes nothing gets its settings back. */
static void give_back(void)
{
	struct pollfd terminal = { .fd = STDOUT_FILENO, .events = POLLOUT };

	tcsetattr(STDIN_FILENO, TCSANOW, &settings);
	if (poll(&terminal, 1, 0) == 1 &&
	    write(STDOUT_FILENO, farewell, length) < 0)
		return;
}

void terminal_keep(const struct termios *before)
{
	const char *const ends[] = {
		exit_attribute_mode, keypad_local, exit_ca_mode, cursor_normal,
	};

	settings = *before;
	length = 0;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (ends[i])
			tputs(ends[i], 1, keep);
	undo_at_once(give_back);
}

void terminal_forget(void)
{
	undo_at_once(NULL);
}
