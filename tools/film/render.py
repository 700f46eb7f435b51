#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make an animated SVG of what was recorded.

render.py CAST COMMAND SVG

COMMAND is what was typed. The terminal is python3-pyte's; what it shows is drawn
as text: each line of it is there from when it appears until it changes. Nobody
wants to wait as long as the machine did, and nobody reads as fast as it writes:
what is new stays as long as reading it takes, and of a line that is drawn again
and again, as progress is, a few states are shown.
"""
import json
import sys
import xml.dom.minidom
from html import escape

import pyte

# Seconds.
FLEETING = 0.09     # what changes sooner is not shown by itself
GLANCE = 0.2        # for a state of a line that is drawn again
LOOK, LINE = 0.5, 0.2   # for anything else, and for each new line of it
LONGEST = 3.5
AT_END = 6

PROGRESS = 8        # states of a line that is drawn again

WIDTH, HEIGHT, BASE, MARGIN = 8.4, 19, 14, 14   # of a character; of the frame
COLOURS = {"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff",
           "magenta": "#d2a8ff", "cyan": "#76e3ea", "white": "#f0f6fc"}


def spans(row, columns):
    """A line as [(column, text, colour, bold)], without what is empty."""
    found = []
    for column in range(columns):
        cell = row[column]
        look = (COLOURS.get(cell.fg, ""), cell.bold)
        if found and found[-1][2:] == look:
            found[-1] = (found[-1][0], found[-1][1] + cell.data, *look)
        else:
            found.append((column, cell.data, *look))
    trimmed = [(column, text.rstrip(), *look) for column, text, *look in found]
    return tuple(span for span in trimmed if span[1])


def screens(lines, command):
    """(time, lines of the screen) whenever they have changed."""
    header = json.loads(lines[0])
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    stream.feed(f"$ {command}\r\n")
    before = None
    for line in lines[1:]:
        time, kind, text = json.loads(line)
        if kind != "o":
            continue
        stream.feed(text)
        now = tuple(spans(screen.buffer[row], header["width"]) for row in range(header["height"]))
        if now != before:
            yield time, now
        before = now


def in_place(before, after):
    """Is it the same screen but for one line that was there before?"""
    rows = [row for row, line in enumerate(before) if line != after[row]]
    return len(rows) == 1 and before[rows[0]] and after[rows[0]]


def reading(before, after):
    """How long it takes to read what is new, wherever it has scrolled to."""
    if before and in_place(before, after):
        return GLANCE
    new = sum(bool(line) and line not in (before or ()) for line in after)
    return min(LOOK + LINE * new, LONGEST)


def thin(frames):
    """Some states of each line that is drawn in place, the last one among them."""
    runs = []
    for frame in frames:
        if runs and in_place(runs[-1][-1][1], frame[1]):
            runs[-1].append(frame)
        else:
            runs.append([frame])
    for run in runs:
        step = max(1, -(-len(run) // PROGRESS))
        yield from (frame for at, frame in enumerate(run)
                    if at % step == 0 or at == len(run) - 1)


def shown(frames):
    """[(begin, screen)] with times of the film, and how long it takes."""
    frames = list(thin(frames))
    film, now = [], 0.0
    for (time, screen), following in zip(frames, frames[1:] + [None]):
        if following and following[0] - time < FLEETING:
            continue
        before = film[-1][1] if film else None
        film.append((now, screen))
        now += reading(before, screen) if following else AT_END
    return film, now


def appearances(film, end):
    """(row, line, from, to), as long as a line does not change."""
    for row in range(len(film[0][1])):
        begin = 0
        for at in range(1, len(film) + 1):
            if at < len(film) and film[at][1][row] == film[begin][1][row]:
                continue
            line = film[begin][1][row]
            if line:
                yield row, line, film[begin][0], film[at][0] if at < len(film) else end
            begin = at


def animation(start, stop, end):
    """None if it is there all the time."""
    times, values = [0.0], ["visible" if start == 0 else "hidden"]
    if start > 0:
        times.append(start / end)
        values.append("visible")
    if stop < end:
        times.append(stop / end)
        values.append("hidden")
    if len(times) == 1:
        return ""
    return (f'<animate attributeName="visibility" calcMode="discrete" dur="{end:.2f}s" '
            f'repeatCount="indefinite" keyTimes="{";".join(f"{t:.5g}" for t in times)}" '
            f'values="{";".join(values)}"/>')


def draw_line(row, line, start, stop, end):
    """Who does not animate shows the end."""
    hidden = "" if stop == end else ' visibility="hidden"'
    texts = []
    for column, text, colour, bold in line:
        look = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
        texts.append(f'<text x="{MARGIN + column * WIDTH:.1f}" y="{MARGIN + row * HEIGHT + BASE}" '
                     f'textLength="{len(text) * WIDTH:.1f}"{look}>{escape(text)}</text>')
    return f"<g{hidden}>{animation(start, stop, end)}{''.join(texts)}</g>"


def draw(film, end, columns, command):
    rows = max(row for _, screen in film for row, line in enumerate(screen) if line) + 1
    width, height = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->"
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
           f'width="{width:.0f}" height="{height}" role="img">')
    yield f"<title>{escape(command)}</title>"
    yield ("<style>text { white-space: pre; font: 14px ui-monospace, Menlo, Consolas, "
           "'DejaVu Sans Mono', monospace; fill: #d6dde4; }</style>")
    # A frame of its own, so that it can be read on any page.
    yield (f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#12181f" '
           'stroke="#4a5663"/>')
    for row, line, start, stop in appearances(film, end):
        yield draw_line(row, line, start, stop, end)
    yield "</svg>"


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: render.py CAST COMMAND SVG")
    with open(sys.argv[1], encoding="utf-8") as cast:
        lines = cast.read().splitlines()
    film, end = shown(screens(lines, sys.argv[2]))
    if not film:
        sys.exit(f"{sys.argv[1]}: nothing was shown")
    text = "\n".join(draw(film, end, json.loads(lines[0])["width"], sys.argv[2])) + "\n"
    xml.dom.minidom.parseString(text)
    with open(sys.argv[3], "w", encoding="utf-8") as svg:
        svg.write(text)
    print(f"{sys.argv[3]}: {end:.0f} s, {len(film)} pictures, {len(text.encode()) // 1000} kB")


if __name__ == "__main__":
    main()
