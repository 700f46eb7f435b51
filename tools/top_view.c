// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What sluice top shows: a table for each kind of things, sorted and filtered.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "top.h"

/* Cells --------------------------------------------------------------------- */

static void put_text(struct top_cell *cell, const char *text)
{
	snprintf(cell->text, sizeof(cell->text), "%s", text);
}

/* Five digits, or three and a unit: 99999, 100k, 1.23M. */
static void put_count(struct top_cell *cell, double count)
{
	static const char units[] = " kMGTPE";
	double value = count;
	int unit = 0;

	cell->number = count;
	if (count < 99999.5) {
		snprintf(cell->text, sizeof(cell->text), "%.0f", count);
		return;
	}
	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	snprintf(cell->text, sizeof(cell->text), "%.*f%c",
		 value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
}

static void put_rate(struct top_cell *cell, double rate)
{
	put_count(cell, rate);
	if (isnan(rate))
		put_text(cell, "-");
	else if (rate && rate < 99.95)
		snprintf(cell->text, sizeof(cell->text), "%.1f", rate);
}

static void put_bytes(struct top_cell *cell, double bytes)
{
	cell->number = bytes;
	if (isnan(bytes))
		put_text(cell, "-");
	else
		format_size(bytes, cell->text);
}

static void put_number(struct top_cell *cell, uint64_t number)
{
	cell->number = number;
	snprintf(cell->text, sizeof(cell->text), "%llu",
		 (unsigned long long)number);
}

/* How long it is so, or nothing. */
static void put_since(struct top_cell *cell, uint64_t since)
{
	cell->number = since ? now() - (int64_t)since : 0;
	if (since)
		age_text(since, cell->text);
	else
		put_text(cell, "");
}

/* Channels ------------------------------------------------------------------ */

enum {
	C_NAME, C_PATTERN, C_PUBLISHERS, C_SUBSCRIBERS, C_MESSAGES, C_BYTES,
	C_TOTAL, C_LAG, C_HELD, C_LOST, C_LOST_RATE, C_BLOCKED, C_ASLEEP, C_POOL,
	C_COLUMNS
};

static const struct column channel_columns[C_COLUMNS] = {
	[C_NAME] = { .title = "CHANNEL", .least = 10, .wide = 10 },
	[C_PATTERN] = { .title = "PATTERN", .wide = 9, .rank = 9 },
	[C_PUBLISHERS] = { .title = "PUBS", .right = true, .rank = 3 },
	[C_SUBSCRIBERS] = { .title = "SUBS", .right = true, .rank = 4 },
	[C_MESSAGES] = { .title = "MSG/S", .right = true, .wide = 5 },
	[C_BYTES] = { .title = "BYTES/S", .right = true, .wide = 7, .rank = 1 },
	[C_TOTAL] = { .title = "MESSAGES", .right = true, .wide = 8, .rank = 10 },
	[C_LAG] = { .title = "LAG", .right = true, .wide = 5, .rank = 2 },
	[C_HELD] = { .title = "HELD", .right = true, .rank = 7 },
	[C_LOST] = { .title = "LOST", .right = true, .wide = 5, .rank = 8 },
	[C_LOST_RATE] = { .title = "LOST/S", .right = true, .rank = 5 },
	[C_BLOCKED] = { .title = "BLOCKED", .right = true, .rank = 6 },
	[C_ASLEEP] = { .title = "ASLEEP", .right = true, .rank = 11 },
	[C_POOL] = { .title = "POOL", .right = true, .wide = 5, .rank = 12 },
};

static void fill_channel(const void *item, struct top_cell *cells)
{
	const struct top_channel *channel = item;
	const struct sluice_monitor_channel *seen = &channel->seen;

	name_of(seen->object.name, seen->object.id, cells[C_NAME].text);
	put_text(&cells[C_PATTERN], pattern_name(seen->pattern));
	put_number(&cells[C_PUBLISHERS], seen->publishers);
	put_number(&cells[C_SUBSCRIBERS], seen->subscribers);
	put_rate(&cells[C_MESSAGES], channel->messages);
	put_bytes(&cells[C_BYTES], channel->bytes);
	put_count(&cells[C_TOTAL], seen->messages);
	put_count(&cells[C_LAG], channel->lag);
	put_count(&cells[C_HELD], channel->held);
	put_count(&cells[C_LOST], channel->lost);
	put_rate(&cells[C_LOST_RATE], channel->lost_rate);
	put_number(&cells[C_BLOCKED], channel->blocked);
	put_number(&cells[C_ASLEEP], channel->asleep);
	put_bytes(&cells[C_POOL], seen->bytes);
}

static const struct top_view channels = {
	"channels", TOP_CHANNELS, channel_columns, C_COLUMNS, C_MESSAGES,
	fill_channel,
};

/* Publishers and subscribers ------------------------------------------------ */

enum {
	E_CHANNEL, E_ROLE, E_PID, E_UID, E_STATE, E_MESSAGES, E_BYTES, E_TOTAL,
	E_LAG, E_HELD, E_LOST, E_LOST_RATE, E_SLEEPS, E_COMMAND, E_COLUMNS
};

static const struct column endpoint_columns[E_COLUMNS] = {
	[E_CHANNEL] = { .title = "CHANNEL", .least = 10, .wide = 10 },
	[E_ROLE] = { .title = "ROLE" },
	[E_PID] = { .title = "PID", .right = true, .wide = 5, .rank = 2 },
	[E_UID] = { .title = "UID", .right = true, .rank = 9 },
	[E_STATE] = { .title = "STATE", .wide = 6, .rank = 8 },
	[E_MESSAGES] = { .title = "MSG/S", .right = true, .wide = 5 },
	[E_BYTES] = { .title = "BYTES/S", .right = true, .wide = 7, .rank = 1 },
	[E_TOTAL] = { .title = "MESSAGES", .right = true, .wide = 8, .rank = 10 },
	[E_LAG] = { .title = "LAG", .right = true, .wide = 5, .rank = 3 },
	[E_HELD] = { .title = "HELD", .right = true, .rank = 7 },
	[E_LOST] = { .title = "LOST", .right = true, .wide = 5, .rank = 11 },
	[E_LOST_RATE] = { .title = "LOST/S", .right = true, .rank = 6 },
	[E_SLEEPS] = { .title = "SLEEPS", .right = true, .rank = 5 },
	[E_COMMAND] = { .title = "COMMAND", .least = 7, .wide = 7, .rank = 4 },
};

static void fill_endpoint(const void *item, struct top_cell *cells)
{
	const struct top_endpoint *endpoint = item;
	const struct sluice_monitor_endpoint *seen = &endpoint->seen;
	bool publisher = seen->role == SLUICE_PUBLISHER;

	name_of(seen->name, seen->channel, cells[E_CHANNEL].text);
	put_text(&cells[E_ROLE], publisher ? "pub" : "sub");
	put_number(&cells[E_PID], seen->process.pid);
	put_number(&cells[E_UID], seen->process.uid);
	put_text(&cells[E_STATE], seen->state == SLUICE_LEFT ?
		 reason_name(seen->reason) : state_name(seen->state));
	put_rate(&cells[E_MESSAGES], endpoint->messages);
	put_bytes(&cells[E_BYTES], endpoint->bytes);
	put_count(&cells[E_TOTAL], seen->messages);
	put_count(&cells[E_LAG], seen->lag);
	put_count(&cells[E_HELD], seen->held);
	put_count(&cells[E_LOST], seen->lost);
	put_rate(&cells[E_LOST_RATE], endpoint->lost);
	put_since(&cells[E_SLEEPS], seen->sleeping);
	command_of(&seen->process, cells[E_COMMAND].text);
	/* A publisher has none of these. */
	for (int i = E_LAG; publisher && i <= E_LOST_RATE; i++)
		put_text(&cells[i], "");
}

static const struct top_view endpoints = {
	"endpoints", TOP_ENDPOINTS, endpoint_columns, E_COLUMNS, E_MESSAGES,
	fill_endpoint,
};

/* Lockspaces ---------------------------------------------------------------- */

enum {
	L_NAME, L_RESOURCES, L_HELD, L_WAITING, L_GRANTED, L_BLOCKED, L_TOTAL,
	L_DEADLOCKS, L_DIED, L_COLUMNS
};

static const struct column lockspace_columns[L_COLUMNS] = {
	[L_NAME] = { .title = "LOCKSPACE", .least = 10, .wide = 10 },
	[L_RESOURCES] = { .title = "RESOURCES", .right = true, .rank = 5 },
	[L_HELD] = { .title = "HELD", .right = true, .wide = 5, .rank = 1 },
	[L_WAITING] = { .title = "WAITING", .right = true },
	[L_GRANTED] = { .title = "GRANT/S", .right = true, .rank = 2 },
	[L_BLOCKED] = { .title = "BLOCK/S", .right = true, .rank = 3 },
	[L_TOTAL] = { .title = "GRANTED", .right = true, .rank = 7 },
	[L_DEADLOCKS] = { .title = "DEADLOCKS", .right = true, .rank = 4 },
	[L_DIED] = { .title = "DIED", .right = true, .rank = 6 },
};

static void fill_lockspace(const void *item, struct top_cell *cells)
{
	const struct top_lockspace *space = item;
	const struct sluice_monitor_lockspace *seen = &space->seen;

	name_of(seen->object.name, seen->object.id, cells[L_NAME].text);
	put_count(&cells[L_RESOURCES], seen->resources);
	put_count(&cells[L_HELD], seen->grants);
	put_count(&cells[L_WAITING], seen->waiting);
	put_rate(&cells[L_GRANTED], space->granted);
	put_rate(&cells[L_BLOCKED], space->blocked);
	put_count(&cells[L_TOTAL], seen->granted);
	put_count(&cells[L_DEADLOCKS], seen->deadlocks);
	put_count(&cells[L_DIED], seen->died);
}

static const struct top_view lockspaces = {
	"lockspaces", TOP_LOCKSPACES, lockspace_columns, L_COLUMNS, L_WAITING,
	fill_lockspace,
};

/* Who waits for what -------------------------------------------------------- */

enum {
	W_RESOURCE, W_RANGE, W_MODE, W_PID, W_COMMAND, W_SINCE, W_PRIORITY,
	W_BLOCKERS, W_LOCKSPACE, W_COLUMNS
};

static const struct column wait_columns[W_COLUMNS] = {
	[W_RESOURCE] = { .title = "RESOURCE", .least = 10, .wide = 10 },
	[W_RANGE] = { .title = "RANGE", .optional = true, .rank = 5 },
	[W_MODE] = { .title = "MODE", .rank = 3 },
	[W_PID] = { .title = "PID", .right = true, .wide = 5 },
	[W_COMMAND] = { .title = "COMMAND", .least = 7, .wide = 7, .rank = 2 },
	[W_SINCE] = { .title = "SINCE", .right = true, .wide = 5, .rank = 1 },
	[W_PRIORITY] = { .title = "PRIO", .right = true, .rank = 6 },
	[W_BLOCKERS] = { .title = "BLOCKERS", .least = 12, .wide = 12, .rank = 4 },
	[W_LOCKSPACE] = { .title = "LOCKSPACE", .least = 9, .rank = 7 },
};

/* Whole ones, as many as there is room for. */
static void put_blockers(struct top_cell *cell,
			 const struct sluice_monitor_wait *seen)
{
	char command[PRINTABLE_NAME_SIZE], one[PRINTABLE_NAME_SIZE + 32];
	size_t len = 0, add;
	uint32_t i;

	for (i = 0; i < seen->blocker_count; i++) {
		add = snprintf(one, sizeof(one), "%s%s(%u)", i ? " " : "",
			       command_of(&seen->blockers[i].process, command),
			       seen->blockers[i].process.pid);
		if (len + add + sizeof(" ...") > sizeof(cell->text))
			break;
		memcpy(cell->text + len, one, add);
		len += add;
	}
	strcpy(cell->text + len,
	       seen->more || i < seen->blocker_count ? " ..." : "");
}

static void fill_wait(const void *item, struct top_cell *cells)
{
	const struct sluice_monitor_wait *seen = item;

	key_of(&seen->place, cells[W_RESOURCE].text);
	range_text(seen->start, seen->end, cells[W_RANGE].text);
	put_text(&cells[W_MODE], mode_name(seen->mode));
	put_number(&cells[W_PID], seen->process.pid);
	command_of(&seen->process, cells[W_COMMAND].text);
	put_since(&cells[W_SINCE], seen->since);
	cells[W_PRIORITY].number = seen->priority;
	snprintf(cells[W_PRIORITY].text, TOP_CELL_SIZE, "%d", seen->priority);
	put_blockers(&cells[W_BLOCKERS], seen);
	name_of(seen->place.name, seen->place.lockspace, cells[W_LOCKSPACE].text);
}

static const struct top_view waits = {
	"waits", TOP_WAITS, wait_columns, W_COLUMNS, W_SINCE, fill_wait,
};

/* Quotas -------------------------------------------------------------------- */

enum { Q_UID, Q_USERNS, Q_OF, Q_USED, Q_LIMIT, Q_PERCENT, Q_COLUMNS };

static const struct column quota_columns[Q_COLUMNS] = {
	[Q_UID] = { .title = "UID", .right = true, .wide = 5 },
	[Q_USERNS] = { .title = "USERNS", .right = true, .wide = 10, .rank = 3 },
	[Q_OF] = { .title = "OF", .wide = 10 },
	[Q_USED] = { .title = "USED", .right = true, .wide = 6, .rank = 2 },
	[Q_LIMIT] = { .title = "LIMIT", .right = true, .wide = 6, .rank = 1 },
	[Q_PERCENT] = { .title = "%", .right = true, .wide = 3 },
};

static void fill_quota(const void *item, struct top_cell *cells)
{
	const struct sluice_monitor_quota *seen = item;
	bool bytes = seen->limited == SLUICE_NL_LIMITED_BYTES;
	void (*put)(struct top_cell *cell, double value) =
		bytes ? put_bytes : put_count;

	put_number(&cells[Q_UID], seen->uid);
	put_number(&cells[Q_USERNS], seen->userns);
	put_text(&cells[Q_OF], limited_name(seen->limited));
	put(&cells[Q_USED], seen->used);
	put(&cells[Q_LIMIT], seen->limit);
	put_count(&cells[Q_PERCENT], quota_percent(seen));
}

static const struct top_view quotas = {
	"quotas", TOP_QUOTAS, quota_columns, Q_COLUMNS, Q_PERCENT, fill_quota,
};

const struct top_view *const top_views[TOP_VIEWS] = {
	&channels, &endpoints, &lockspaces, &waits, &quotas,
};

/* Choosing ------------------------------------------------------------------ */

int top_column(const struct top_view *view, const char *title)
{
	size_t len = strlen(title);
	int found = -1;

	for (int i = 0; i < view->count; i++) {
		if (strncasecmp(view->columns[i].title, title, len))
			continue;
		if (found < 0 || !view->columns[i].title[len])
			found = i;
	}
	return len ? found : -1;
}

static bool has_text(const struct top_view *view, const struct top_cell *cells,
		     const char *text)
{
	for (int i = 0; i < view->count; i++)
		if (strcasestr(cells[i].text, text))
			return true;
	return false;
}

/**
 * struct sorted - a thing among those that are sorted
 * @item: itself
 * @number: to sort by, if @text is NULL
 * @text: to sort by
 * @at: where it was: those that are equal stay in their order
 * @sign: -1 to turn the order round
 */
struct sorted {
	const void *item;
	double number;
	char *text;
	size_t at;
	int sign;
};

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int order = x->text ? strcmp(x->text, y->text) :
		    (x->number < y->number) - (x->number > y->number);

	if (order)
		return order * x->sign;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* What is not known counts as less than nothing. */
static int sorted_fill(struct sorted *sorted, const struct top_view *view,
		       const struct top_order *order,
		       const struct top_cell *cells)
{
	const struct top_cell *cell = &cells[order->sort];

	sorted->sign = order->reverse ? -1 : 1;
	sorted->number = isnan(cell->number) ? -1 : cell->number;
	if (view->columns[order->sort].right)
		return 0;
	sorted->text = strdup(cell->text);
	return sorted->text ? 0 : -ENOMEM;
}

static int rows_fill(struct top_rows *rows, struct sorted *sorted, size_t count)
{
	rows->items = calloc(count + 1, sizeof(*rows->items));
	if (!rows->items)
		return -ENOMEM;
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++)
		rows->items[i] = sorted[i].item;
	rows->count = count;
	return 0;
}

int top_rows_choose(struct top_rows *rows, const struct top_view *view,
		    const struct top_sample *sample,
		    const struct top_order *order, const char *filter)
{
	const struct top_list *list = &sample->lists[view->kind];
	struct sorted *sorted = calloc(list->count + 1, sizeof(*sorted));
	struct top_cell cells[TOP_COLUMNS_MAX];
	size_t count = 0;
	int ret = sorted ? 0 : -ENOMEM;

	memset(rows, 0, sizeof(*rows));
	for (size_t i = 0; !ret && i < list->count; i++) {
		view->fill(top_item(list, i), cells);
		if (!has_text(view, cells, filter))
			continue;
		sorted[count].item = top_item(list, i);
		sorted[count].at = i;
		ret = sorted_fill(&sorted[count++], view, order, cells);
	}
	if (!ret)
		ret = rows_fill(rows, sorted, count);
	while (count)
		free(sorted[--count].text);
	free(sorted);
	return ret;
}

void top_rows_free(struct top_rows *rows)
{
	free(rows->items);
	memset(rows, 0, sizeof(*rows));
}

struct table *top_table(const struct top_view *view, const struct top_rows *rows,
			size_t first, size_t count)
{
	struct table *table = table_new(view->columns, view->count);
	struct top_cell cells[TOP_COLUMNS_MAX];
	const char *texts[TOP_COLUMNS_MAX];

	for (int i = 0; i < view->count; i++)
		texts[i] = cells[i].text;
	for (size_t i = first; table && i < rows->count && i - first < count; i++) {
		view->fill(rows->items[i], cells);
		if (!table_add(table, texts))
			continue;
		table_free(table);
		table = NULL;
	}
	return table;
}

char *top_summary(const struct top_sample *sample, char *buf)
{
	const struct top_list *channel = &sample->lists[TOP_CHANNELS];
	struct top_cell messages, bytes;
	double sum = 0, sum_bytes = 0;

	for (size_t i = 0; i < channel->count; i++) {
		const struct top_channel *seen = top_item(channel, i);

		sum += isnan(seen->messages) ? 0 : seen->messages;
		sum_bytes += isnan(seen->bytes) ? 0 : seen->bytes;
	}
	put_rate(&messages, sample->since ? sum : NAN);
	put_bytes(&bytes, sample->since ? sum_bytes : NAN);
	snprintf(buf, TOP_SUMMARY_SIZE,
		 "%zu channels, %s msg/s, %s/s; %zu endpoints; %zu lockspaces, %zu waits",
		 channel->count, messages.text, bytes.text,
		 sample->lists[TOP_ENDPOINTS].count,
		 sample->lists[TOP_LOCKSPACES].count,
		 sample->lists[TOP_WAITS].count);
	return buf;
}

char *top_clock(const struct top_sample *sample, char *buf)
{
	time_t seconds = wall_time(top_time(sample)) / NSEC_PER_SEC;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(buf, TOP_CLOCK_SIZE, "%H:%M:%S", &tm);
	return buf;
}
