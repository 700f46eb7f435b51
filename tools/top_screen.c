// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * sluice top on a terminal.
 */
#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "top.h"
#include "top_terminal.h"

#define KEY_ESCAPE	27
#define KEY_CONTROL_L	12
#define LINE_CHARS	512

/**
 * struct screen - what is on it
 * @top: what the user wants
 * @monitor: that is asked, NULL while there is none
 * @sample: what is shown
 * @shown: there is one
 * @error: why there is none, or no new one
 * @next: when to look again
 * @paused: not at all
 * @help: the keys are shown instead
 * @first: row at the top
 * @rows: that there are
 * @prompt: what @input is for: '/' a filter, 's' a column, 0 nothing
 * @input: what the user has typed
 * @notice: what is wrong with it
 * @end: the user has enough
 */
struct screen {
	struct top *top;
	struct sluice_monitor *monitor;
	struct top_sample sample;
	bool shown;
	int error;
	int64_t next;
	bool paused;
	bool help;
	size_t first;
	size_t rows;
	char prompt;
	char input[sizeof(((struct top *)0)->filter)];
	char notice[128];
	bool end;
};

static const struct top_view *view_of(const struct screen *screen)
{
	return top_views[screen->top->view];
}

static struct top_order *order_of(struct screen *screen)
{
	return &screen->top->order[screen->top->view];
}

/* Samples ------------------------------------------------------------------- */

static void forget(struct screen *screen)
{
	if (screen->shown)
		top_sample_free(&screen->sample);
	screen->shown = false;
}

/* The module may be unloaded and loaded again meanwhile. */
static void reopen(struct screen *screen)
{
	sluice_monitor_close(screen->monitor);
	screen->monitor = NULL;
	screen->error = sluice_monitor_open(&screen->monitor);
}

static void look_again(struct screen *screen)
{
	struct top_sample sample;

	screen->next = now() + screen->top->delay;
	if (screen->error || !screen->monitor)
		reopen(screen);
	if (!screen->error)
		screen->error = top_sample_take(&sample, screen->shown ?
						&screen->sample : NULL,
						screen->monitor);
	forget(screen);
	if (screen->error)
		return;
	screen->sample = sample;
	screen->shown = true;
}

/* Drawing ------------------------------------------------------------------- */

/* As many columns as there are; what the terminal cannot show is a '?'. */
static void put_line(int row, const char *text)
{
	size_t len = strlen(text), used, chars = 0;
	wchar_t line[LINE_CHARS], c;
	mbstate_t state = { 0 };
	int columns = 0;

	while (len && chars < LINE_CHARS) {
		used = mbrtowc(&c, text, len, &state);
		if (used == (size_t)-1 || used == (size_t)-2) {
			memset(&state, 0, sizeof(state));
			used = 1;
			c = L'?';
		}
		if (wcwidth(c) < 0)
			c = L'?';
		columns += wcwidth(c);
		if (columns > COLS)
			break;
		line[chars++] = c;
		text += used;
		len -= used;
	}
	if (row < LINES)
		mvaddnwstr(row, 0, line, chars);
}

static void put_state(struct screen *screen, int row)
{
	const struct top_order *order = order_of(screen);
	const struct top *top = screen->top;
	char text[LINE_CHARS];
	int len;

	len = snprintf(text, sizeof(text), "%s%s by %s%s", screen->paused ?
		       "PAUSED: " : "", view_of(screen)->name,
		       view_of(screen)->columns[order->sort].title,
		       order->reverse ? ", reversed" : "");
	if (*top->filter)
		len += snprintf(text + len, sizeof(text) - len, ", with '%s'",
				top->filter);
	snprintf(text + len, sizeof(text) - len, ", every %g s",
		 top->delay / 1e9);
	put_line(row, text);
}

static void put_trouble(const struct screen *screen, int row)
{
	char text[128];

	if (screen->error == -ENODEV)
		put_line(row, "the kernel module is not loaded: waiting for it");
	else if (screen->error) {
		snprintf(text, sizeof(text), "cannot ask the kernel: %s",
			 strerror(-screen->error));
		put_line(row, text);
	} else if (screen->shown && screen->sample.interrupted) {
		put_line(row, TOP_INTERRUPTED);
	}
}

/* The heading of the column that is sorted by. */
static void mark_sorted(const char *heading, int row, const char *title)
{
	size_t len = strlen(title);
	const char *at = heading;

	while ((at = strstr(at, title))) {
		if ((at == heading || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			break;
		at++;
	}
	if (at && at - heading < COLS)
		mvchgat(row, at - heading, len, A_REVERSE | A_UNDERLINE | A_BOLD,
			0, NULL);
}

static void put_table_lines(struct screen *screen, char *text, int row)
{
	char *line, *state = NULL, blank[COLS + 1];
	bool heading = true;

	for (line = strtok_r(text, "\n", &state); line;
	     line = strtok_r(NULL, "\n", &state)) {
		if (heading) {
			attron(A_REVERSE);
			memset(blank, ' ', COLS);
			blank[COLS] = '\0';
			put_line(row, blank);
			put_line(row, line);
			attroff(A_REVERSE);
			mark_sorted(line, row, view_of(screen)->columns[
				    order_of(screen)->sort].title);
		} else {
			put_line(row, line);
		}
		heading = false;
		row++;
	}
}

static int put_rows(struct screen *screen, const struct top_rows *rows, int row,
		    size_t room)
{
	struct table *table;
	char *text = NULL;
	size_t size;
	FILE *stream;

	screen->rows = rows->count;
	if (screen->first + room > rows->count)
		screen->first = rows->count > room ? rows->count - room : 0;
	table = top_table(view_of(screen), rows, screen->first, room);
	stream = table ? open_memstream(&text, &size) : NULL;
	if (stream) {
		table_write(table, stream, COLS, true);
		if (fclose(stream))
			stream = NULL;
	}
	if (stream)
		put_table_lines(screen, text, row);
	free(text);
	table_free(table);
	return stream ? 0 : -ENOMEM;
}

static void put_table(struct screen *screen, int row, int room)
{
	struct top_rows rows;
	int error = top_rows_choose(&rows, view_of(screen), &screen->sample,
				    order_of(screen), screen->top->filter);

	if (!error)
		error = put_rows(screen, &rows, row, room > 0 ? room : 0);
	top_rows_free(&rows);
	if (error)
		put_line(row, "no memory for a table");
}

static void put_help(void)
{
	static const char *const lines[] = {
		"1 to 5, Tab        channels, endpoints, lockspaces, waits, quotas",
		"s                  sort by a column: how its title begins",
		"< > left right     sort by the column before or after",
		"r                  turn the order round",
		"/                  only what has a text in its line; nothing for all",
		"up down PgUp PgDn  other rows; Home, End",
		"+ -                look less often, more often",
		"p space            pause, go on",
		"h ?                this, or back",
		"q                  end",
		"",
		"Rates are of the time between two looks. '-' is not known yet.",
		"LAG, HELD, LOST and MESSAGES are what the processes say themselves.",
		"BLOCKED: publishers that sleep, as a subscriber leaves no room.",
		"ASLEEP, SLEEPS: nothing is there to read. BLOCKERS: who has it.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		put_line(i, lines[i]);
}

static void put_last_line(const struct screen *screen)
{
	char text[LINE_CHARS];

	if (screen->prompt)
		snprintf(text, sizeof(text), "%s: %s", screen->prompt == '/' ?
			 "only with" : "sort by", screen->input);
	else if (*screen->notice)
		snprintf(text, sizeof(text), "%s", screen->notice);
	else
		snprintf(text, sizeof(text), "q end  h help  1-5 view  s sort  r reverse  / filter  p pause  +- delay");
	move(LINES - 1, 0);
	clrtoeol();
	put_line(LINES - 1, text);
	curs_set(screen->prompt != 0);
}

/* A screen of few lines has more of the table, and less about it. */
static void draw_sample(struct screen *screen)
{
	char text[TOP_SUMMARY_SIZE + TOP_CLOCK_SIZE + 2], clock[TOP_CLOCK_SIZE],
	     summary[TOP_SUMMARY_SIZE];
	int row = 0;

	if (LINES > 7 && screen->shown) {
		snprintf(text, sizeof(text), "%s  %s",
			 top_clock(&screen->sample, clock),
			 top_summary(&screen->sample, summary));
		put_line(row++, text);
	}
	if (LINES > 5)
		put_state(screen, row++);
	put_trouble(screen, row++);
	if (screen->shown)
		put_table(screen, row, LINES - row - 2);
}

static void draw(struct screen *screen)
{
	erase();
	if (screen->help)
		put_help();
	else
		draw_sample(screen);
	put_last_line(screen);
	refresh();
}

/* Keys ---------------------------------------------------------------------- */

static void show_view(struct screen *screen, int view)
{
	screen->top->view = (view + TOP_VIEWS) % TOP_VIEWS;
	screen->first = 0;
}

static void sort_beside(struct screen *screen, int step)
{
	int count = view_of(screen)->count;

	order_of(screen)->sort = (order_of(screen)->sort + step + count) % count;
}

static void change_delay(struct screen *screen, bool longer)
{
	static const int64_t tenths[] = {
		1, 2, 5, 10, 20, 50, 100, 300, 600, 1800, 6000, 18000, 36000,
	};
	const int count = sizeof(tenths) / sizeof(*tenths);
	int64_t is = screen->top->delay / (NSEC_PER_SEC / 10), next = is;

	for (int i = 0; i < count; i++) {
		if (!longer && tenths[i] < is)
			next = tenths[i];
		if (longer && tenths[count - 1 - i] > is)
			next = tenths[count - 1 - i];
	}
	screen->top->delay = next * (NSEC_PER_SEC / 10);
	screen->next = now() + screen->top->delay;
}

static void begin_prompt(struct screen *screen, char prompt)
{
	screen->prompt = prompt;
	strcpy(screen->input, prompt == '/' ? screen->top->filter : "");
}

static void end_prompt(struct screen *screen)
{
	int column;

	if (screen->prompt == '/') {
		strcpy(screen->top->filter, screen->input);
		screen->first = 0;
	} else if (*screen->input) {
		column = top_column(view_of(screen), screen->input);
		if (column >= 0)
			order_of(screen)->sort = column;
		else
			snprintf(screen->notice, sizeof(screen->notice),
				 "there is no column '%s'", screen->input);
	}
	screen->prompt = 0;
}

/* A whole character, of however many bytes. */
static void rub_out(char *input)
{
	size_t len = strlen(input);

	while (len && (input[--len] & 0xc0) == 0x80)
		continue;
	input[len] = '\0';
}

static void type(struct screen *screen, int key)
{
	size_t len = strlen(screen->input);

	switch (key) {
	case '\n':
	case '\r':
	case KEY_ENTER:
		end_prompt(screen);
		break;
	case KEY_ESCAPE:
		screen->prompt = 0;
		break;
	case KEY_BACKSPACE:
	case '\b':
	case 0x7f:
		rub_out(screen->input);
		break;
	default:
		if (key < ' ' || key > 0xff || len + 1 >= sizeof(screen->input))
			break;
		screen->input[len] = key;
		screen->input[len + 1] = '\0';
	}
}

/* The last rows are never above the top; draw() sees to that. */
static void scroll_by(struct screen *screen, long step)
{
	if (step < 0 && screen->first < (size_t)-step)
		screen->first = 0;
	else
		screen->first += step;
}

static bool move_key(struct screen *screen, int key)
{
	switch (key) {
	case KEY_UP:
		scroll_by(screen, -1);
		return true;
	case KEY_DOWN:
		scroll_by(screen, 1);
		return true;
	case KEY_PPAGE:
		scroll_by(screen, -LINES / 2);
		return true;
	case KEY_NPAGE:
		scroll_by(screen, LINES / 2);
		return true;
	case KEY_HOME:
		screen->first = 0;
		return true;
	case KEY_END:
		screen->first = screen->rows;
		return true;
	default:
		return false;
	}
}

static bool view_key(struct screen *screen, int key)
{
	switch (key) {
	case '1' ... '0' + TOP_VIEWS:
		show_view(screen, key - '1');
		return true;
	case '\t':
		show_view(screen, screen->top->view + 1);
		return true;
	case KEY_BTAB:
		show_view(screen, screen->top->view - 1);
		return true;
	case '<':
	case KEY_LEFT:
		sort_beside(screen, -1);
		return true;
	case '>':
	case KEY_RIGHT:
		sort_beside(screen, 1);
		return true;
	case 'r':
		order_of(screen)->reverse = !order_of(screen)->reverse;
		return true;
	case 's':
	case '/':
		begin_prompt(screen, key);
		return true;
	default:
		return false;
	}
}

static void other_key(struct screen *screen, int key)
{
	switch (key) {
	case 'q':
		screen->end = true;
		break;
	case 'h':
	case '?':
		screen->help = true;
		break;
	case 'p':
	case ' ':
		screen->paused = !screen->paused;
		break;
	case '+':
	case '-':
		change_delay(screen, key == '+');
		break;
	case KEY_CONTROL_L:
		clearok(stdscr, true);
		break;
	}
}

static void handle_key(struct screen *screen, int key)
{
	*screen->notice = '\0';
	if (key == KEY_RESIZE)
		return;
	if (screen->prompt) {
		type(screen, key);
		return;
	}
	if (screen->help) {
		screen->help = false;
		screen->end = key == 'q';
		return;
	}
	if (!move_key(screen, key) && !view_key(screen, key))
		other_key(screen, key);
}

/* Wait ---------------------------------------------------------------------- */

/* Until there is a key, or it is time to look. Return: is the terminal there? */
static bool wait_for_key(const struct screen *screen)
{
	struct pollfd terminal = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t left = screen->next - now();
	int timeout = left > 0 ? left / 1000000 + 1 : 0;

	if (screen->paused)
		timeout = -1;
	return poll(&terminal, 1, timeout) <= 0 || terminal.revents == POLLIN;
}

static void run(struct screen *screen)
{
	bool there = true;
	int key;

	while (there && !screen->end && !caught_signal()) {
		if (!screen->paused && screen->next <= now())
			look_again(screen);
		draw(screen);
		there = wait_for_key(screen);
		while (there && !screen->end && (key = getch()) != ERR)
			handle_key(screen, key);
	}
}

int top_screen(struct top *top, struct sluice_monitor **monitor)
{
	struct screen screen = { .top = top, .monitor = *monitor };
	const char *type = getenv("TERM");
	struct termios before;
	SCREEN *terminal;

	tcgetattr(STDIN_FILENO, &before);
	/* Not more of it: JSON and tables have points in numbers. */
	setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		complain(NULL, 0, "cannot use a terminal of type '%s': use --batch",
			 type ? type : "");
		return STATUS_FAILURE;
	}
	terminal_keep(&before);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, true);
	nodelay(stdscr, true);
	set_escdelay(25);
	run(&screen);
	endwin();
	terminal_forget();
	delscreen(terminal);
	forget(&screen);
	*monitor = screen.monitor;
	return STATUS_OK;
}
