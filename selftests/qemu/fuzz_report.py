#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""What a run of the fuzzer did.

    fuzz -t TALLY | report.py SLUICE.KO OBJECTS SECONDS

KCOV's places in the module are the calls of __sanitizer_cov_trace_pc in it. What
is only run when the module is loaded or unloaded has sections of its own, and
is not counted.
"""
import bisect
import glob
import os
import subprocess
import sys

TRACE = "__sanitizer_cov_trace_pc"
CALL_LENGTH = 4     # from the relocation to the address behind the call


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], check=True,
                          capture_output=True, text=True).stdout.splitlines()


def sections(module):
    """name -> number"""
    names = {}
    for line in readelf("-S", module):
        words = line.replace("[ ", "[").split()
        if words and words[0].startswith("[") and words[0][1:-1].isdigit():
            names[words[1]] = words[0][1:-1]
    return names


def places(module):
    found, here = set(), False
    for line in readelf("-r", module):
        if line.startswith("Relocation section"):
            here = "'.rela.text'" in line
        elif here and TRACE in line:
            found.add(int(line.split()[0], 16) + CALL_LENGTH)
    return found


def global_functions(objects):
    """name -> source"""
    where = {}
    for path in glob.glob(os.path.join(objects, "kmod", "*.o")):
        source = os.path.basename(path)[:-1] + "c"
        for line in readelf("-s", path):
            words = line.split()
            if len(words) == 8 and words[3] == "FUNC" and words[4] == "GLOBAL":
                where[words[7]] = source
    return where


def functions(module, objects):
    """[(address, source)], sorted. Local ones follow the name of their file."""
    text = sections(module)[".text"]
    known, found, source = global_functions(objects), [], "?"
    for line in readelf("-s", module):
        words = line.split()
        if len(words) < 8:
            continue
        if words[3] == "FILE":
            source = words[7]
        elif words[3] == "FUNC" and words[6] == text:
            address = int(words[1], 16)
            found.append((address, source if words[4] == "LOCAL"
                          else known.get(words[7], "?")))
    return sorted(found)


def by_source(addresses, table):
    starts, count = [start for start, _ in table], {}
    for address in addresses:
        source = table[bisect.bisect_right(starts, address) - 1][1]
        count[source] = count.get(source, 0) + 1
    return count


def tell_coverage(module, objects, reached):
    there = places(module)
    table = functions(module, objects)
    all_of, some_of = by_source(there, table), by_source(reached & there, table)
    print(f"\n{'source':<20}{'places':>8}{'reached':>9}")
    for source in sorted(all_of):
        some = some_of.get(source, 0)
        print(f"{source:<20}{all_of[source]:>8}{some:>9}"
              f"{100 * some // all_of[source]:>5} %")
    n = len(reached & there)
    print(f"{'all':<20}{len(there):>8}{n:>9}{100 * n / len(there):>7.1f} %")


def main():
    module, objects, seconds = sys.argv[1], sys.argv[2], max(float(sys.argv[3]), 1)
    calls, reached, programs = [], set(), 0
    for line in sys.stdin:
        name, *numbers = line.split()
        if name == "at":
            reached.add(int(numbers[0]))
        elif name == "programs":
            programs = int(numbers[0])
        else:
            calls.append((name, *map(int, numbers)))
    made = sum(call[1] for call in calls)
    print(f"{'call':<20}{'made':>12}{'succeeded':>12}")
    for name, n, well in calls:
        print(f"{name:<20}{n:>12}{well:>12}")
    tell_coverage(module, objects, reached)
    print(f"\n{made} calls in {programs} programs, {seconds:.0f} s: "
          f"{made / seconds:.0f} calls/s")


if __name__ == "__main__":
    main()
