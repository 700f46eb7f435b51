/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sluice top: samples (top_sample.c), what of them is shown and in which order
 * (top_view.c), as JSON (top_json.c), on a terminal (top_screen.c); top.c has
 * the command line.
 */
#ifndef SLUICE_TOP_H
#define SLUICE_TOP_H

#include "look.h"

/*
 * Rates are per second, and NAN if they are not known: of what was there before,
 * but is not in the sample before, or has counted backwards.
 */

/**
 * struct top_channel - a channel, and its publishers and subscribers together
 * @seen: itself
 * @messages: rate
 * @bytes: rate
 * @lag: of the subscriber that has most to read
 * @held: messages
 * @lost: messages
 * @lost_rate: of those, 0 if nobody could be compared
 * @blocked: publishers that sleep: they have no room
 * @asleep: subscribers that sleep: they have nothing to read
 */
struct top_channel {
	struct sluice_monitor_channel seen;
	double messages;
	double bytes;
	uint64_t lag;
	uint64_t held;
	uint64_t lost;
	double lost_rate;
	uint32_t blocked;
	uint32_t asleep;
};

/**
 * struct top_endpoint - a publisher or subscriber
 * @seen: itself
 * @messages: rate
 * @bytes: rate
 * @lost: rate
 */
struct top_endpoint {
	struct sluice_monitor_endpoint seen;
	double messages;
	double bytes;
	double lost;
};

/**
 * struct top_lockspace - a lockspace
 * @seen: itself
 * @granted: rate
 * @blocked: rate
 */
struct top_lockspace {
	struct sluice_monitor_lockspace seen;
	double granted;
	double blocked;
};

/**
 * struct top_list - things of one kind
 * @items: one after the other, in the order of their numbers
 * @count: how many
 * @size: bytes of each
 * @at: when they were asked for, CLOCK_MONOTONIC nanoseconds
 */
struct top_list {
	char *items;
	size_t count;
	size_t size;
	int64_t at;
};

enum top_kind {
	TOP_CHANNELS, TOP_ENDPOINTS, TOP_LOCKSPACES, TOP_WAITS, TOP_QUOTAS,
	TOP_KINDS
};

/**
 * struct top_sample - what there is
 * @lists: struct top_channel, top_endpoint, top_lockspace, sluice_monitor_wait,
 *	sluice_monitor_quota
 * @since: time of the sample before, 0 if there is none
 * @interrupted: things came and went while they were told
 */
struct top_sample {
	struct top_list lists[TOP_KINDS];
	int64_t since;
	bool interrupted;
};

static inline const void *top_item(const struct top_list *list, size_t i)
{
	return list->items + i * list->size;
}

static inline int64_t top_time(const struct top_sample *sample)
{
	return sample->lists[TOP_CHANNELS].at;
}

/**
 * top_sample_take() - look again
 * @sample: out
 * @before: the sample to compare with, or NULL
 * @monitor: to ask
 *
 * Return: 0, or a negative errno value; then @sample is empty.
 */
int top_sample_take(struct top_sample *sample, const struct top_sample *before,
		    struct sluice_monitor *monitor);
void top_sample_free(struct top_sample *sample);

/* top_view.c ------------------------------------------------------------------ */

#define TOP_COLUMNS_MAX	16
/* A name, or several processes. */
#define TOP_CELL_SIZE	(PRINTABLE_NAME_SIZE + 40)

/**
 * struct top_cell - what a table has in one place
 * @text: as it is written
 * @number: what is sorted by, of columns that are flush right
 */
struct top_cell {
	char text[TOP_CELL_SIZE];
	double number;
};

/**
 * struct top_view - a table of things of one kind
 * @name: what the user calls it
 * @kind: of what
 * @columns: what is told of each
 * @count: columns
 * @sort: column to sort by, unless the user wants another
 * @fill: tell it, column by column
 */
struct top_view {
	const char *name;
	enum top_kind kind;
	const struct column *columns;
	int count;
	int sort;
	void (*fill)(const void *item, struct top_cell *cells);
};

enum { TOP_VIEWS = TOP_KINDS };
extern const struct top_view *const top_views[TOP_VIEWS];

/**
 * struct top_order - how one view is shown
 * @sort: column
 * @reverse: smallest numbers first, or texts from the end
 */
struct top_order {
	int sort;
	bool reverse;
};

/**
 * struct top_rows - the things of a view that are shown
 * @items: in their order
 * @count: how many
 */
struct top_rows {
	const void **items;
	size_t count;
};

/* A column by its title, or its beginning, in any case. Return: -1 if none. */
int top_column(const struct top_view *view, const char *title);

/**
 * top_rows_choose() - what is shown, in which order
 * @rows: out
 * @view: of what
 * @sample: of which things
 * @order: how to sort
 * @filter: text, in any case, that one of their cells has; empty for all
 *
 * Return: 0 or -ENOMEM.
 */
int top_rows_choose(struct top_rows *rows, const struct top_view *view,
		    const struct top_sample *sample,
		    const struct top_order *order, const char *filter);
void top_rows_free(struct top_rows *rows);

/* Some of them as a table. Return: NULL without memory. */
struct table *top_table(const struct top_view *view, const struct top_rows *rows,
			size_t first, size_t count);

/* One line about all; @buf has TOP_SUMMARY_SIZE bytes. Return: @buf. */
char *top_summary(const struct top_sample *sample, char *buf);
#define TOP_SUMMARY_SIZE (3 * TOP_CELL_SIZE)

/* When, by the clock on the wall; @buf has TOP_CLOCK_SIZE bytes. Return: @buf. */
char *top_clock(const struct top_sample *sample, char *buf);
#define TOP_CLOCK_SIZE 16

/* What is said of a sample that was. */
#define TOP_INTERRUPTED \
	"things came and went while they were told: this is not one moment"

/* top_json.c, top_screen.c ------------------------------------------------------ */

#define TOP_DELAY_MIN	(NSEC_PER_SEC / 10)
#define TOP_DELAY_MAX	(3600 * NSEC_PER_SEC)

/**
 * struct top - what the user wants
 * @delay: nanoseconds from sample to sample
 * @view: that is shown
 * @order: of each view
 * @filter: text that all that is shown has
 */
struct top {
	int64_t delay;
	int view;
	struct top_order order[TOP_VIEWS];
	char filter[64];
};

/* A line of all things that the filter lets through. Return: a status. */
int top_write_json(const struct top *top, const struct top_sample *sample);

/**
 * top_screen() - show it until the user, or a signal, ends it
 * @top: what is wanted at first
 * @monitor: to ask; it may be another one afterwards, or NULL
 *
 * Return: a status.
 */
int top_screen(struct top *top, struct sluice_monitor **monitor);

#endif
