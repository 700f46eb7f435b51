# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Find, in a piece of kernel log, what a healthy kernel does not say."""
import re

COMPLAINT = re.compile(r"""
    \bBUG:
  | \bWARNING:
  | \bOops\b
  | KASAN: | KFENCE: | KCSAN: | UBSAN:
  | possible\ (circular|recursive|irq\ lock|deadlock)
  | inconsistent\ lock\ state | Invalid\ wait\ context
  | DEBUG_LOCKS_WARN | bad\ unlock\ balance
  | (lock|mutex|locks?)\ .*\ still\ held | held\ lock\ freed
  | suspicious\ RCU
  | trying\ to\ register\ non-static\ key
  | INFO:\ (task|rcu|possible|lockdep)
  | rcu:\ INFO | rcu_\w+\ (self-)?detected\ stall
  | scheduling\ while\ atomic | sleeping\ function\ called | atomic\ context
  | refcount_t: | ODEBUG: | list_(add|del)\ corruption
  | unreferenced\ object | kmemleak:\ \d+\ new\ suspected
  | soft\ lockup | hard\ LOCKUP | workqueue\ lockup
  | general\ protection | Unable\ to\ handle | NULL\ pointer
  | Kernel\ panic | Bad\ page | bad\ page
  | usercopy: | detected\ buffer\ overflow | stack-out-of-bounds
  | Modules?\ .*\ still\ in\ use
""", re.VERBOSE)

# Fault injection tells what it does with a trace; that is no complaint.
HARMLESS = re.compile(r"FAULT_INJECTION|page allocation failure|oom-kill")

CONTEXT = 45    # lines after a complaint: a trace, or most of one

# The kernel races with itself, too. Of a race that is told, only one in which
# this module had a part is a complaint.
RACE, RULER, OURS = "BUG: KCSAN:", "=" * 40, "[sluice]"


def without_races_of_others(lines):
    report = []
    for line in lines:
        if report or RACE in line:
            report.append(line)
            if RULER not in line:
                continue
            if any(OURS in told for told in report):
                yield from report
            report = []
        else:
            yield line
    yield from report


def complaints(lines):
    """The lines worth showing: each complaint with what follows it."""
    shown, left = [], 0
    for line in without_races_of_others(lines):
        if COMPLAINT.search(line) and not HARMLESS.search(line):
            left = CONTEXT
        if left:
            shown.append(line)
            left -= 1
        if "end trace" in line:
            left = 0
    return shown
