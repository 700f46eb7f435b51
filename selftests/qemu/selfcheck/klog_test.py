#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Of which data races does klog.py complain?

The reports are real ones, cut down to their traces.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import klog     # noqa: E402

IOCTL = ("sluice_call_run+0x126/0x3d0 [sluice]", "endpoint_ioctl+0x88/0xe0 [sluice]",
         "__x64_sys_ioctl+0xba/0xe0")
EXIT = ("exit_mmap+0x207/0x700", "mmput+0xbc/0x1f0", "do_exit+0x469/0x1340")
WAKE = ("try_to_wake_up+0x349/0x5e0", "default_wake_function+0x19/0x30",
        "__wake_up_common+0x71/0x90", "__wake_up+0x36/0x60",
        "sluice_subscriber_wake+0x8b/0xa0 [sluice]") + IOCTL


def report(*sides):
    lines = ["=" * 66, f"BUG: KCSAN: data-race in {sides[0][0].split('+')[0]}", ""]
    for cpu, frames in enumerate(sides):
        lines += [f"read to 0xffff88807c928108 of 4 bytes by task 4{cpu} on cpu {cpu}:",
                  *(" " + frame for frame in frames), ""]
    lines += ["Reported by Kernel Concurrency Sanitizer on:",
              "CPU: 0 UID: 0 PID: 40 Comm: storm Tainted: G  O  N  7.2.13", "=" * 66]
    return [f"[  111.{number:06}] {line}" for number, line in enumerate(lines)]


CASES = [
    ("two accesses of the module", True, (IOCTL, IOCTL)),
    ("one, and one of the kernel", True, (IOCTL, EXIT)),
    ("one of unknown origin", True, (IOCTL,)),
    ("a list of the module's", True, (("__list_add_valid+0x1/0x2",) + IOCTL, EXIT)),
    ("both in calls of the module's", True,
     (("posix_lock_inode+0x1/0x2",) + IOCTL, ("locks_delete_block+0x1/0x2",) + IOCTL)),
    ("the kernel with itself", False, (EXIT, EXIT)),
    ("the kernel with itself, called by the module", False,
     (("lru_activate+0x55a/0x710",) + EXIT,
      ("shmem_get_folio_gfp+0x14a/0x9c0",
       "shmem_read_mapping_page_gfp+0x5f/0xd0") + IOCTL)),
    ("a hash table of the module's", True,
     (("rhashtable_insert_slow+0xd5/0x8f0",) + IOCTL, EXIT)),
    ("a hash table of the module's that grows", False,
     (("rht_deferred_worker+0x1ee/0x820", "process_one_work+0x38f/0x810"),
      ("rhashtable_insert_slow+0xd5/0x8f0",) + IOCTL)),
    ("two who spin for a mutex of the module's", False,
     (("osq_lock+0x105/0x290", "mutex_lock+0x94/0xb0") + IOCTL,
      ("osq_unlock+0x11b/0x1a0", "mutex_lock+0x94/0xb0") + IOCTL)),
    ("two of the scheduler's, called by the module", False,
     (("ttwu_queue+0x1/0x2",) + WAKE, WAKE)),
]


def main():
    failed = 0
    for name, expected, sides in CASES:
        noise = ["[  110.000000] storm (457): drop_caches: 2"]
        complained = bool(klog.complaints(noise + report(*sides) + noise))
        if complained != expected:
            print(f"{name}: {'a' if complained else 'no'} complaint")
            failed += 1
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
