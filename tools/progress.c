// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A progress bar: how much, how fast, how long still.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cmd.h"

#define REDRAW_NS	(NSEC_PER_SEC / 5)
/* A transfer that is over sooner does not need one. */
#define FIRST_NS	(NSEC_PER_SEC / 2)
#define BAR_MAX		40

void progress_start(struct progress *progress, bool enabled, uint64_t total)
{
	*progress = (struct progress) {
		.enabled = enabled,
		.total = total,
		.start = now(),
	};
}

static int terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return 80;
	return size.ws_col;
}

static void draw_bar(double part)
{
	char bar[BAR_MAX + 1];
	int width = terminal_width() - 45, filled;

	if (width > BAR_MAX)
		width = BAR_MAX;
	if (width < 5)
		return;
	filled = part * width;
	memset(bar, '=', filled);
	memset(bar + filled, ' ', width - filled);
	bar[width] = '\0';
	fprintf(stderr, "[%s] ", bar);
}

static void draw(struct progress *progress, uint64_t bytes, int64_t time)
{
	double seconds = (time - progress->start) / 1e9;
	double rate = seconds > 0 ? bytes / seconds : 0;
	char done[FORMAT_SIZE], speed[FORMAT_SIZE];

	fputc('\r', stderr);
	if (progress->total) {
		/* A file may have grown meanwhile. */
		double part = bytes >= progress->total ? 1 :
			      (double)bytes / progress->total;

		draw_bar(part);
		fprintf(stderr, "%3d%% ", (int)(part * 100));
	}
	fprintf(stderr, "%6s %6s/s %4.0fs", format_size(bytes, done),
		format_size(rate, speed), seconds);
	if (progress->total > bytes && rate > 0)
		fprintf(stderr, ", %.0fs left", (progress->total - bytes) / rate);
	fputs("\033[K", stderr);
	fflush(stderr);
	progress->drawn = time;
}

void progress_update(struct progress *progress, uint64_t bytes)
{
	int64_t time, due;

	if (!progress->enabled)
		return;
	time = now();
	due = progress->drawn ? progress->drawn + REDRAW_NS :
				progress->start + FIRST_NS;
	if (time >= due)
		draw(progress, bytes, time);
}

void progress_end(struct progress *progress, uint64_t bytes)
{
	if (!progress->drawn)
		return;
	draw(progress, bytes, now());
	fputc('\n', stderr);
	progress->drawn = 0;
}

void progress_clear(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
