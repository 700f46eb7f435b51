// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tables that fit the terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lock.h"

#define GAP 2

/**
 * struct table - rows of texts
 * @columns: what they are
 * @count: how many
 * @rows: how many
 * @texts: row by row
 */
struct table {
	const struct column *columns;
	int count;
	size_t rows;
	char **texts;
};

struct table *table_new(const struct column *columns, int count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->count = count;
	return table;
}

static const char *text_at(const struct table *table, size_t row, int column)
{
	return table->texts[row * table->count + column];
}

int table_add(struct table *table, const char *const *texts)
{
	char **row;

	/* Doubled when the count is a power of two, 0 included. */
	if (!(table->rows & (table->rows - 1))) {
		size_t room = table->rows ? 2 * table->rows : 1;
		void *more = reallocarray(table->texts, room * table->count,
					  sizeof(*table->texts));

		if (!more)
			return -ENOMEM;
		table->texts = more;
	}
	row = &table->texts[table->rows * table->count];
	memset(row, 0, table->count * sizeof(*row));
	table->rows++;
	for (int i = 0; i < table->count; i++) {
		row[i] = strdup(texts[i]);
		if (!row[i])
			return -ENOMEM;
	}
	return 0;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->rows * table->count; i++)
		free(table->texts[i]);
	free(table->texts);
	free(table);
}

/* 0 leaves the column out. */
static int natural_width(const struct table *table, int column, bool headings)
{
	int width = 0;

	for (size_t row = 0; row < table->rows; row++) {
		int w = text_width(text_at(table, row, column));

		if (w > width)
			width = w;
	}
	if (!width && table->columns[column].optional)
		return 0;
	if (headings && text_width(table->columns[column].title) > width)
		width = text_width(table->columns[column].title);
	if (width < table->columns[column].wide)
		width = table->columns[column].wide;
	return width ? width : 1;
}

/* Columns of the terminal, 0 if it is none. */
static int terminal_columns(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return 0;
	return size.ws_col;
}

static int total_width(const struct table *table, const int *widths)
{
	int total = -GAP;

	for (int i = 0; i < table->count; i++)
		total += widths[i] ? widths[i] + GAP : 0;
	return total;
}

/* Return: how much too wide it still is. */
static int cut_down(const struct table *table, int *widths, int over)
{
	for (int i = 0; i < table->count && over > 0; i++) {
		int least = table->columns[i].least, less;

		if (!least || widths[i] <= least)
			continue;
		less = widths[i] - least < over ? widths[i] - least : over;
		widths[i] -= less;
		over -= less;
	}
	return over;
}

/* The column that can best be done without, or -1. */
static int least_needed(const struct table *table, const int *widths)
{
	int found = -1, rank = 0;

	for (int i = 0; i < table->count; i++) {
		if (!widths[i] || table->columns[i].rank <= rank)
			continue;
		found = i;
		rank = table->columns[i].rank;
	}
	return found;
}

static void fit(const struct table *table, int *widths, int columns,
		bool headings)
{
	int natural[table->count], over, least;

	for (int i = 0; i < table->count; i++)
		natural[i] = natural_width(table, i, headings);
	for (;;) {
		memcpy(widths, natural, sizeof(natural));
		over = columns ? total_width(table, widths) - columns : 0;
		if (over > 0)
			over = cut_down(table, widths, over);
		least = over > 0 ? least_needed(table, widths) : -1;
		if (least < 0)
			return;
		natural[least] = 0;
	}
}

/* Bytes of the first @width characters. */
static int bytes_of(const char *text, int width)
{
	const char *end = text;

	while (*end) {
		if ((*end & 0xc0) != 0x80 && width-- == 0)
			break;
		end++;
	}
	return end - text;
}

static void print_cell(FILE *out, const char *text, int width, bool right,
		       bool last)
{
	int has = text_width(text), pad = width - has;

	if (has > width) {
		fprintf(out, "%.*s+", bytes_of(text, width - 1), text);
		return;
	}
	if (right)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
}

static void print_line(FILE *out, const struct table *table, const int *widths,
		       const char *const *texts)
{
	int last = table->count - 1;

	while (last > 0 && !widths[last])
		last--;
	for (int i = 0; i <= last; i++) {
		if (!widths[i])
			continue;
		print_cell(out, texts[i], widths[i], table->columns[i].right,
			   i == last);
		if (i < last)
			fprintf(out, "%*s", GAP, "");
	}
	putc('\n', out);
}

void table_write(const struct table *table, FILE *out, int columns,
		 bool headings)
{
	const char *titles[table->count];
	int widths[table->count];

	for (int i = 0; i < table->count; i++)
		titles[i] = table->columns[i].title;
	fit(table, widths, columns, headings);
	if (headings)
		print_line(out, table, widths, titles);
	for (size_t row = 0; row < table->rows; row++)
		print_line(out, table, widths,
			   (const char *const *)&table->texts[row * table->count]);
}

void table_print(const struct table *table, bool headings)
{
	if (table->rows)
		table_write(table, stdout, terminal_columns(), headings);
}
