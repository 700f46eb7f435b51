# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Judge what the guest's "check" script reports.

Every test becomes one or several results: those of its TAP output if it
prints any, else one by its exit status; and one more, a failure, for each of:
a kernel log with complaints, an exit status or a plan that does not agree with
the TAP, a test cut off by its timeout, a guest that died.
"""
import re

import klog

MARK = "@@sluice "
SKIPPED = 4             # kselftest's exit status for "cannot run here"
GRACE = 90              # seconds a guest may be late beyond a test's timeout

RESULT = re.compile(r"^(\s*)(not )?ok\b\s*(\d*)\s*-?\s*([^#]*)(#.*)?$")
PLAN = re.compile(r"^(\s*)1\.\.(\d+)")


def tap_results(lines):
    """Yield (outcome, name, indent is root) for the leaves of nested TAP.

    A result that sums up deeper ones is a leaf only if it alone failed.
    """
    deeper = []                     # (indent, failed) since the last shallower
    for line in lines:
        m = RESULT.match(line)
        if not m:
            continue
        indent, bad, name = len(m[1].expandtabs()), bool(m[2]), m[4].strip()
        directive = (m[5] or "").upper()
        children = [failed for depth, failed in deeper if depth > indent]
        deeper = [d for d in deeper if d[0] <= indent] + [(indent, bad)]
        if children and (not bad or any(children)):
            continue
        if re.match(r"#\s*SKIP", directive):
            yield "skip", name
        elif bad and not re.match(r"#\s*(TODO|XFAIL)", directive):
            yield "fail", name
        else:
            yield "pass", name


def plan_error(lines):
    """Root plans promise root results; of KUnit each suite has its own."""
    plans = [int(m[2]) for m in map(PLAN.match, lines) if m and not m[1]]
    count = sum(1 for m in map(RESULT.match, lines) if m and not m[1])
    if plans and sum(plans) != count:
        return f"planned {sum(plans)} results, gave {count}"
    return None


class Judge:
    def __init__(self, show, tap):
        self.show, self.tap = show, tap     # print functions
        self.results = []                   # (outcome, name)
        self.test = None                    # name, while one runs
        self.lines, self.log, self.in_log = [], [], False
        self.status = None
        self.complete = False
        self.patience = 180                 # seconds until the next report

    # -- input ---------------------------------------------------------------

    def feed(self, line):
        if line.startswith(MARK):
            word, *args = line[len(MARK):].split()
            getattr(self, "on_" + word)(*args)
        elif self.in_log:
            self.log.append(line)
        elif self.test:
            self.lines.append(line)

    def on_begin(self, name, seconds):
        self.test, self.lines, self.status = name, [], None
        self.patience = int(seconds) + GRACE

    def on_end(self, status):
        self.status = int(status)

    def on_log(self):
        self.in_log, self.log = True, []

    def on_endlog(self):
        self.in_log = False
        self.conclude()
        self.test, self.patience = None, GRACE

    def on_verdict(self, _word):
        self.complete = True

    # -- judgement -----------------------------------------------------------

    def conclude(self):
        lines = self.lines
        while lines and not lines[-1].strip():
            lines.pop()
        found = list(tap_results(lines))
        bad = [name for outcome, name in found if outcome == "fail"]
        results = [(outcome, f"{self.test}: {name}") for outcome, name in found]
        results += self.by_status(bool(found), bool(bad))
        error = plan_error(lines)
        if error and self.status == 0:
            results.append(("fail", f"{self.test}: {error}"))
        complaints = klog.complaints(self.log)
        if complaints:
            results.append(("fail", f"{self.test}: the kernel complained"))
        self.record(results, lines, complaints)

    def by_status(self, has_tap, has_failure):
        if self.status == 0:
            return [] if has_tap else [("pass", self.test)]
        if self.status == SKIPPED:
            return [] if has_tap else [("skip", self.test)]
        if self.status == 137:
            return [("fail", f"{self.test}: killed (timeout?)")]
        if has_failure:
            return []
        return [("fail", f"{self.test}: exit status {self.status}")]

    def record(self, results, lines, complaints):
        self.results += results
        for outcome, name in results:
            bad = "not " if outcome == "fail" else ""
            skip = " # SKIP" if outcome == "skip" else ""
            self.tap(f"{bad}ok {len(self.results)} - {name}{skip}")
        for line in lines + complaints:
            self.tap("# " + line)
        failed = any(outcome == "fail" for outcome, _ in results)
        self.show(f"{'FAIL' if failed else 'ok  '}  {self.test}"
                  f"  ({len(results)} result{'s' * (len(results) != 1)})")
        if failed:
            for outcome, name in results:
                if outcome == "fail":
                    self.show(f"      failed: {name}")
            for line in complaints:
                self.show("      kernel: " + line)
            for line in lines[-60:]:
                self.show("      | " + line)

    def died(self, why, console):
        """The guest ended, or was ended, before its verdict."""
        name = self.test or "guest"
        self.test = name
        log = klog.complaints(console) or console[-40:]
        self.record([("fail", f"{name}: {why}")], self.lines, log)

    def count(self, outcome):
        return sum(1 for o, _ in self.results if o == outcome)
