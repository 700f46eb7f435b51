/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The terminal as it was before sluice top. It has a header of its own, as
 * curses gives many common words a meaning.
 */
#ifndef SLUICE_TOP_TERMINAL_H
#define SLUICE_TOP_TERMINAL_H

#include <termios.h>

/**
 * terminal_keep() - a signal that ends the program at once leaves it as it was
 * @before: its settings before curses came
 *
 * To be called when curses knows the terminal.
 */
void terminal_keep(const struct termios *before);

/* It is as it was. */
void terminal_forget(void);

#endif
