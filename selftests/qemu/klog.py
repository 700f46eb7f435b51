# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Find, in a piece of kernel log, what a healthy kernel does not say."""
import re

COMPLAINT = re.compile(r"""
    \bBUG:
  | \bWARNING:
  | \bOops\b
  | KASAN: | KFENCE: | KCSAN: | KMSAN: | UBSAN:
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
# this module had a part is a complaint: it made one of the two accesses, if only
# by a function that works on what its caller has; or both were made in calls of
# its own, which it might have to keep apart. That it need not where these were
# in the middle of something that guards its data itself, whoever calls it; nor
# where a hash table is being grown, by a work that all of its functions bear.
RACE, RULER, OURS = "BUG: KCSAN:", "=" * 40, "[sluice]"
ACCESS = re.compile(r"\bto 0x[0-9a-f]+ of \d+ bytes by (task|interrupt)\b")
FRAME = re.compile(r"^(?:\[[^]]*\])?\s+([\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+(.*)")
CALLERS_DATA = re.compile(r"""
    _*( mem(cpy|move|set|cmp)\w* | str\w+ | find_\w+ | bitmap_\w+ | copy_\w+_user
      | rb_\w+ | list_\w+ | plist_\w+ | interval_tree_\w+ | rht_\w+ | rhashtable_\w+
      | xa_\w+ | xas_\w+ | idr_\w+ | ida_\w+ | jhash\w* | refcount_\w+
      )(\.\w+)*""", re.VERBOSE)
GUARDS_ITSELF = re.compile(r"""
    _*( osq_\w+ | try_to_wake_up | schedule\w* | preempt_schedule\w* | hrtimer_\w+
      | k[vmz]*alloc\w* | kmem_cache_\w+ | k[v]?free\w* | alloc_pages\w* | call_rcu\w*
      | synchronize_\w+ | mod_delayed_work\w* | queue_\w*work\w* | shmem_\w+
      | path_put | fput | init_file | get_unused_fd_flags | fd_install | vfs_\w+ | zap_\w+
      | unmap_mapping_\w+ | vm_insert_\w+ | vmf_insert_\w+ | netlink_\w+ | skb_\w+
      | alloc_skb | unix_\w+ | sock_\w+ | smp_call_function\w* | membarrier\w*
      )(\.\w+)*""", re.VERBOSE)


def accesses(report):
    """Of each access the frames: [(function, whether it is the module's)]."""
    found = []
    for line in report:
        frame = FRAME.match(line)
        if ACCESS.search(line):
            found.append([])
        elif frame and found:
            found[-1].append((frame[1], OURS in frame[2]))
    return [frames for frames in found if frames]


def made_by_us(frames):
    for function, ours in frames:
        if ours or not CALLERS_DATA.fullmatch(function):
            return ours
    return False


def called_by_us(frames):
    for function, ours in frames:
        if ours or GUARDS_ITSELF.fullmatch(function):
            return ours
    return False


def in_growing_table(sides):
    functions = [side[0][0] for side in sides]
    return "rht_deferred_worker" in functions and \
        all(re.fullmatch(r"(rht|rhashtable)_\w+", f) for f in functions)


def is_ours(report):
    sides = accesses(report)
    if in_growing_table(sides):
        return False
    return not sides or any(map(made_by_us, sides)) or \
        all(map(called_by_us, sides))


def without_races_of_others(lines):
    report = []
    for line in lines:
        if report or RACE in line:
            report.append(line)
            if RULER not in line:
                continue
            if is_ours(report):
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
