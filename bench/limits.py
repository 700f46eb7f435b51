#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Do paths take more instructions than they may?  TAP.

    limits.py FILE      JSON lines of sluice-bench -m paths, of a processor
                        whose clock counts instructions

The counts are the same in every run of the same programs (joining, which maps
memory, within some hundreds). Compilers and kernels of other versions differ a
little, so a limit leaves a fifth of room: it is there to see a path that has become longer,
not to praise one that is short. Lower it when a path has become shorter.
"""
import json
import sys

LIMITS = {
    "pass": ("publish and receive, nobody asleep", 580),
    "wake": ("publish, and wake who polls", 1500),
    "claim": ("receive from a queue", 3350),
    "join": ("join and leave", 82000),
    "lock": ("lock and unlock", 5200),
}


def main():
    counted = {}
    with open(sys.argv[1]) as lines:
        for line in lines:
            record = json.loads(line)
            if record["peer"] == "sluice" and "value" in record:
                value = record["value"]
                counted[record["key"]] = min(value, counted.get(record["key"], value))
    failed = False
    print(f"1..{len(LIMITS)}")
    for number, (key, (title, limit)) in enumerate(LIMITS.items(), 1):
        value = counted.get(key)
        good = value is not None and value <= limit
        failed |= not good
        text = "not counted" if value is None else f"{value:.0f} instructions, at most {limit}"
        print(f"{'' if good else 'not '}ok {number} - {title}: {text}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
