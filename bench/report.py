#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make results of what sluice-bench measured.

    report.py DIR FILE...       FILE: JSON lines, as sluice-bench writes them

Leaves in DIR results.json, one object for each row of goals.py, report.html with
plots (if there is gnuplot), and prints the table. Fails if a run failed.
"""
import collections
import html
import json
import os
import shutil
import statistics
import sys

import goals
import plots


class Figures:
    """What was measured: repetitions of (guest, measure, key, param, peer)."""

    def __init__(self, files):
        self.values = collections.defaultdict(dict)
        self.units, self.percentiles = {}, {}
        self.missing, self.failed = {}, []
        for name in files:
            with open(name) as lines:
                for line in lines:
                    self.take(json.loads(line))

    def take(self, record):
        where = record["guest"], record["measure"]
        if "missing" in record:
            self.missing[where + (record["peer"],)] = record["missing"]
            return
        figure = where + (record["key"], record["param"], record["peer"])
        if "failed" in record:
            self.failed.append((figure, record["failed"]))
            return
        self.values[figure][record["rep"]] = record["value"]
        self.units[figure] = record["unit"]
        if "percentiles" in record:
            self.percentiles.setdefault(figure, []).append(record["percentiles"])

    def get(self, guest, measure, key, param, peer):
        return self.values.get((guest, measure, key, param, peer), {})

    def peers(self, guest, measure, key, param):
        return sorted(f[4] for f in self.values
                      if f[:4] == (guest, measure, key, param))

    def params(self, guest, measure, key, peer):
        return sorted(f[3] for f in self.values
                      if f[:3] == (guest, measure, key) and f[4] == peer)


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def spread(values):
    """Half of the values are between these two."""
    values = sorted(values)
    if not values:
        return None
    low, high = (len(values) - 1) / 4, 3 * (len(values) - 1) / 4
    return [values[round(low)], values[round(high)]]


def ratios(ours, theirs):
    """Of each repetition by itself: what disturbed one disturbed both."""
    return [ours[rep] / theirs[rep] for rep in ours
            if rep in theirs and theirs[rep]]


def result(figures, row, absent):
    ours = figures.get(row.guest, row.measure, row.key, row.param, row.subject)
    out = {
        "name": row.name, "title": row.title, "guest": row.guest,
        "value": median(ours.values()),
        "unit": figures.units.get((row.guest, row.measure, row.key, row.param,
                                   row.subject)),
        "spread": spread(ours.values()), "repetitions": len(ours),
        "against": None, "against_value": None,
        "ratio": None, "ratio_spread": None,
        "goal": row.goal, "sense": row.sense if row.goal is not None else None,
        "met": None, "note": None,
    }
    number = out["value"]
    if row.against:
        peer, key, param = row.against
        theirs = figures.get(row.guest, row.measure, key, param, peer)
        each = ratios(ours, theirs)
        out["against"] = peer if peer != row.subject else f"{peer}, {param}"
        out["against_value"] = median(theirs.values())
        out["ratio"] = number = median(each)
        out["ratio_spread"] = spread(each)
        if not theirs:
            out["note"] = note(figures, row, peer, absent)
    if not ours:
        out["note"] = note(figures, row, row.subject, absent)
    out["met"] = row.met(number)
    return out


def note(figures, row, peer, absent):
    for figure, why in figures.failed:
        if figure[:2] == (row.guest, row.measure) and figure[4] == peer:
            return f"{peer} failed: {why}"
    if (row.guest, row.measure, peer) in figures.missing:
        return f"{peer} is missing: {figures.missing[row.guest, row.measure, peer]}"
    if peer in absent:
        return f"{peer} is missing: built without {absent[peer]}"
    return "not measured in this run"


def number_text(value):
    if value is None:
        return "-"
    if value >= 1e5 or (value and value < 1e-3):
        return f"{value:.2e}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def goal_text(out):
    if out["goal"] is None:
        return ""
    return f"{'<=' if out['sense'] == goals.AT_MOST else '>='} {out['goal']:.3g}"


def verdict_text(out):
    if out["met"] is None:
        return out["note"] or ""
    return "met" if out["met"] else "MISSED"


HEAD = ("measure", "guest", "value", "unit", "against", "ratio", "goal", "")


def cells(out):
    return (out["title"], out["guest"], number_text(out["value"]),
            out["unit"] or "", number_text(out["against_value"]),
            number_text(out["ratio"]), goal_text(out), verdict_text(out))


def print_table(results):
    rows = [HEAD] + [cells(out) for out in results]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD) - 1)]
    for row in rows:
        line = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
        line += [row[2].rjust(widths[2]), row[3].ljust(widths[3])]
        line += [row[i].rjust(widths[i]) for i in (4, 5)]
        line += [row[6].ljust(widths[6]), row[7]]
        print("  ".join(line).rstrip())


STYLE = """body { font: 15px sans-serif; margin: 2em; max-width: 75em }
td, th { padding: .15em .7em; text-align: left; border-bottom: 1px solid #ddd }
td.n { text-align: right; font-variant-numeric: tabular-nums }
.met { color: #070 } .MISSED { color: #b00; font-weight: bold }
img { max-width: 100% }"""


def html_table(results):
    yield "<table><tr>" + "".join(f"<th>{h}" for h in HEAD) + "</tr>"
    for out in results:
        row = [html.escape(cell) for cell in cells(out)]
        kind = row[7] if row[7] in ("met", "MISSED") else ""
        yield ("<tr>" + f"<td>{row[0]}<td>{row[1]}<td class=n>{row[2]}<td>{row[3]}"
               f"<td class=n>{row[4]}<td class=n>{row[5]}<td>{row[6]}"
               f"<td class='{kind}'>{row[7]}</tr>")
    yield "</table>"


def write_html(directory, results, figures, pictures):
    lines = ["<!DOCTYPE html><meta charset=utf-8><title>Sluice, measured</title>",
             f"<style>{STYLE}</style><h1>Sluice, measured</h1>",
             "<p>Every ratio is of figures measured in turns in one guest; value and ratio "
             "are medians. Times of different guests, and of other machines, cannot be "
             "compared. uml: user code and shared memory at the machine's own speed, system "
             "calls dear. qemu: an emulated processor (or a virtual one, where there is "
             "KVM). icount: its instructions, counted.</p>"]
    lines += html_table(results)
    if figures.missing:
        lines.append("<h2>Missing</h2><ul>")
        lines += [f"<li>{g}: {m}: {p}: {html.escape(why)}"
                  for (g, m, p), why in sorted(figures.missing.items())]
        lines.append("</ul>")
    for name, title in pictures:
        lines.append(f"<h2>{html.escape(title)}</h2><img src='{name}' alt=''>")
    with open(os.path.join(directory, "report.html"), "w") as out:
        out.write("\n".join(lines) + "\n")


def read_absent(directory):
    try:
        with open(os.path.join(directory, "absent")) as lines:
            return dict(line.strip().split(" ", 1) for line in lines)
    except FileNotFoundError:
        return {}


def effective_guests(figures):
    """With KVM one guest measures all; without User Mode Linux, QEMU does."""
    guests = {figure[0] for figure in figures.values}
    for row in goals.ROWS:
        if "kvm" in guests and row.guest != goals.COUNTED:
            row.guest = "kvm"
        elif row.guest == goals.NATIVE and goals.NATIVE not in guests:
            row.guest = goals.KERNEL


def main():
    directory, files = sys.argv[1], sys.argv[2:]
    figures, absent = Figures(files), read_absent(directory)
    effective_guests(figures)
    results = [result(figures, row, absent) for row in goals.ROWS]
    with open(os.path.join(directory, "results.json"), "w") as out:
        json.dump(results, out, indent=1)
        out.write("\n")
    pictures = []
    if shutil.which("gnuplot"):
        pictures = plots.draw(directory, figures)
    write_html(directory, results, figures, pictures)
    print_table([out for out in results if out["value"] is not None or
                 out["goal"] is not None])
    for figure, why in figures.failed:
        print("no figure:", *figure, why, file=sys.stderr)
    decided = [out["met"] for out in results if out["met"] is not None]
    print(f"\n{sum(decided)} goals met, {len(decided) - sum(decided)} missed, "
          f"{sum(out['goal'] is not None and out['met'] is None for out in results)}"
          " not measured")
    sys.exit(bool(figures.failed))


if __name__ == "__main__":
    main()
