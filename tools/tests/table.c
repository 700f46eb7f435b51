// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A table whose second column may be cut down to 6, and whose third is left out
 * if it is empty: with an argument it is not.
 */
#include <stdio.h>

#include "lock.h"

static const struct column columns[] = {
	{ .title = "ID", .right = true },
	{ .title = "NAME", .least = 6 },
	{ .title = "NOTE", .optional = true },
	{ .title = "LAST" },
};

int main(int argc, char **argv)
{
	const char *rows[][4] = {
		{ "1", "short", "", "x" },
		{ "1234", "as long as this", argc > 1 ? argv[1] : "", "y" },
		{ "12", "größer geht's nimmer", "", "" },
	};
	struct table *table = table_new(columns, 4);

	for (int i = 0; i < 3; i++)
		if (table_add(table, rows[i]))
			return 1;
	table_print(table, true);
	table_free(table);
	return 0;
}
