# SPDX-License-Identifier: GPL-2.0-only
"""Plots of what was measured, by gnuplot, as SVG."""
import math
import statistics
import subprocess

import goals

STYLE = """set terminal svg size 900,480 font 'sans-serif,13' background '#ffffff'
set key outside right
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror
"""


def gnuplot(directory, name, settings, series):
    """series: [(title, [(x, y), ...])]; what has no points is left out."""
    series = [(title, points) for title, points in series if points]
    if not series:
        return False
    script = STYLE + settings + f"set output '{name}'\n"
    for i, (_, points) in enumerate(series):
        script += f"$data{i} << END\n"
        script += "".join(f"{x} {y}\n" for x, y in points) + "END\n"
    script += "plot " + ", ".join(
        f"$data{i} using 1:2 with linespoints lw 2 pt 7 ps 0.5 title '{title}'"
        for i, (title, _) in enumerate(series)) + "\n"
    done = subprocess.run(["gnuplot"], input=script, text=True, cwd=directory)
    return done.returncode == 0


def median_percentiles(runs):
    return [(float(point), statistics.median(run[point] for run in runs))
            for point in runs[0]]


def latency(figures, guest, measure, key, param):
    for peer in figures.peers(guest, measure, key, param):
        runs = figures.percentiles.get((guest, measure, key, param, peer))
        if runs:
            # 99.9 % is as far from 99 % as that is from 90 %.
            yield peer.replace("_", " "), [
                (-math.log10(1 - point / 100), value)
                for point, value in median_percentiles(runs)]



def by_param(figures, guest, measure, key, scale=lambda param, value: value):
    peers = sorted({f[4] for f in figures.values if f[:3] == (guest, measure, key)})
    for peer in peers:
        yield peer.replace("_", " "), [
            (param, scale(param, statistics.median(
                figures.get(guest, measure, key, param, peer).values())))
            for param in figures.params(guest, measure, key, peer)]


PERCENTILES = """set xtics ('1 %%' 0.0044, '50 %%' 0.301, '90 %%' 1, '99 %%' 2, '99.9 %%' 3)
set xrange [0:3.1]
set logscale y
set xlabel 'round trips that took no longer'
set ylabel 'ns'
"""


def draw(directory, figures):
    """Return [(file, title)] of those drawn."""
    native, kernel = goals.NATIVE, goals.KERNEL
    wanted = [
        ("latency-busy.svg", "Round trip of 64 B, both busy", PERCENTILES,
         latency(figures, native, "roundtrip_busy", "", 64)),
        ("latency-sleep.svg", "Round trip of 64 B, both asleep", PERCENTILES,
         latency(figures, kernel, "roundtrip_sleep", "", 64)),
        ("handoff.svg", "Round trip of a payload that is handed over",
         "set logscale x 2\nset yrange [0:*]\nset xlabel 'bytes'\nset ylabel 'ns'\n",
         by_param(figures, native, "handoff", "")),
        ("throughput.svg", "One way, written and read, by size",
         "set logscale xy\nset xlabel 'bytes'\nset ylabel 'MB/s'\n",
         by_param(figures, native, "sizes", "",
                  lambda size, rate: size * rate)),
        ("subscribers.svg", "Publishing, by number of busy subscribers",
         "set logscale x 2\nset yrange [0:*]\nset xlabel 'subscribers'\n"
         "set ylabel 'ns for the publisher'\n",
         by_param(figures, native, "fanout", "")),
        ("objects.svg", "Operations, by number of objects alive",
         "set logscale xy\nset xlabel 'alive'\nset ylabel 'ns'\n",
         [(f"{title}", points)
          for key, title in (("channels_publish", "publish and receive"),
                             ("channels_open", "open by name"),
                             ("channels_lifecycle", "create, join, destroy"),
                             ("resources", "lock and unlock"))
          for _, points in by_param(figures, kernel, "scale", key)]),
        ("deadlock.svg", "Blocking, by length of the chain behind",
         "set logscale xy\nset xlabel 'holders in the chain'\nset ylabel 'ns'\n",
         by_param(figures, kernel, "deadlock", "chain")),
    ]
    return [(name, title) for name, title, settings, series in wanted
            if gnuplot(directory, name, settings, list(series))]
