#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# coverage.sh - which lines of the module do the selftests and KUnit reach, and
# which of the library its unit tests?  Says what is missing where a share is
# below its goal.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

KEY=7.2-gcov
MODULE_GOAL=85
LIBRARY_GOAL=90
DIR=$BUILD_DIR/coverage

# report NAME GOAL SOURCE_ROOT FILTER OBJECTS
report() {
	local name=$1 goal=$2 root=$3 filter=$4 objects=$5 share
	gcovr --root "$root" --filter "$filter" --object-directory "$objects" \
		--gcov-ignore-parse-errors --exclude '.*/tests/.*' \
		--txt "$DIR/$name.txt" --json-summary "$DIR/$name.json" "$objects" >&2
	share=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["line_percent"])' "$DIR/$name.json")
	echo
	echo "$name: $share % of lines (goal $goal %); by file: build/coverage/$name.txt"
	awk -v share="$share" -v goal="$goal" 'BEGIN { exit !(share < goal) }' || return 0
	echo "not reached:"
	cat "$DIR/$name.txt"
	return 1
}

module_coverage() {
	local objects=$BUILD_DIR/kmod-$KEY data=$DIR/guest gcda
	rm -rf "$data"
	find "$objects" -name '*.gcda' -delete 2>/dev/null || true
	T="" OUT=$data guest_suite "$KEY"
	# The kernel files the counters under the path that the object was built at.
	gcda=$data/sys/kernel/debug/gcov$objects
	[[ -d $gcda ]] || die "the guest brought back no counters"
	cp -r "$gcda/." "$objects/"
	report module "$MODULE_GOAL" "$objects" "$objects/kmod/" "$objects"
}

library_coverage() {
	local objects=$DIR/lib
	rm -rf "$objects"
	make -C "$TOP_DIR/lib" check "OUT=$objects" CFLAGS="-O0 -g --coverage" \
		LDFLAGS=--coverage >"$DIR/lib.log" 2>&1 ||
		{ tail -n 30 "$DIR/lib.log" >&2; die "the library's tests fail"; }
	report library "$LIBRARY_GOAL" "$TOP_DIR/lib" "$TOP_DIR/lib/" "$objects"
}

rc=0
mkdir -p "$DIR" "$RESULTS"
prepare_kernels "$KEY"
library_coverage || rc=1
module_coverage || rc=1
exit $rc
