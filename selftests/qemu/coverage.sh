#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# coverage.sh - which lines of the module do the selftests and KUnit reach, and
# which of the library its unit tests and those selftests that use it?  Says what
# is missing where a share is below its goal.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

KEY=7.2-gcov
LIBRARY_KEY=6.1
MODULE_GOAL=85
LIBRARY_GOAL=90
DIR=$BUILD_DIR/coverage

# report NAME GOAL SOURCE_ROOT FILTER OBJECTS
report() {
	local name=$1 goal=$2 root=$3 filter=$4 objects=$5 share
	gcovr --root "$root" --filter "$filter" --object-directory "$objects" \
		--gcov-ignore-parse-errors --exclude '.*/tests/.*' \
		--txt "$DIR/$name.txt" --json-summary "$DIR/$name.json" "$objects" >&2 ||
		die "gcovr cannot read the counters"
	share=$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["line_percent"])' "$DIR/$name.json")
	echo
	echo "$name: $share % of lines (goal $goal %); by file: build/coverage/$name.txt"
	awk -v share="$share" -v goal="$goal" 'BEGIN { exit !(share < goal) }' || return 0
	echo "not reached:"
	cat "$DIR/$name.txt"
	return 1
}

# failures TAP - a share is worth little when tests did not come to their end.
failures() {
	grep -q '^not ok' "$1" || return
	echo "but selftests failed:"
	grep '^not ok' "$1"
}

# bring_counters OUT OBJECTS - from where the guest left them to the objects they
# belong to; they are named after the path that these were built at.
bring_counters() {
	local counters=$1$2
	[[ -d $counters ]] || die "the guest brought back no counters"
	cp -r "$counters/." "$2/"
}

module_coverage() {
	local objects=$BUILD_DIR/kmod-$KEY data=$DIR/guest
	rm -rf "$data"
	find "$objects" -name '*.gcda' -delete 2>/dev/null || true
	T="" OUT=$data guest_suite "$KEY"
	bring_counters "$data/sys/kernel/debug/gcov" "$objects"
	report module "$MODULE_GOAL" "$objects" "$objects/kmod/" "$objects" &&
		! failures "$RESULTS/$KEY.tap"
}

# logged NAME COMMAND...
logged() {
	local log=$DIR/$1.log
	shift
	"$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "failed: $*"; }
}

# What needs the module is counted in a guest, in programs that have the
# library in them. They are not static: what counts refers to some of libc's
# functions only weakly, and finds them missing.
library_in_guest() {
	local objects=$1 programs=$DIR/selftests data=$DIR/library-guest
	local -a names
	read -ra names < <(make -s --no-print-directory -C "$TOP_DIR/selftests" \
		list-lib KSELFTEST=. "LIBSLUICE=$objects")
	rm -rf "$data" "$programs"
	mkdir -p "$programs"
	gcc -O2 -c "$QEMU_DIR/coverage/exit.c" -o "$DIR/exit.o"
	logged selftests make -C "$TOP_DIR/selftests" "OUT=$programs" "LIBSLUICE=$objects" \
		"KSELFTEST=$("$QEMU_DIR/kernel.sh" kselftest)" \
		CFLAGS="-O2 -g --coverage -Wl,--wrap=_exit $DIR/exit.o" STATIC= \
		"${names[@]/#/$programs/}"
	info "== library: ${names[*]} in a guest"
	"$QEMU_DIR/guest.sh" check --kernel "$LIBRARY_KEY" --tests "$programs" \
		--env GCOV_PREFIX=/out --out "$data" --results "$DIR/library.tap" \
		"${names[@]}" || true
	bring_counters "$data" "$objects"
}

library_coverage() {
	local objects=$DIR/lib
	rm -rf "$objects"
	info "== library: unit tests"
	logged lib make -C "$TOP_DIR/lib" COVERAGE=1 "OUT=$objects" all "$objects/check-plain"
	logged unit "$objects/check-plain"
	library_in_guest "$objects"
	report library "$LIBRARY_GOAL" "$TOP_DIR/lib" "$TOP_DIR/lib/" "$objects" &&
		! failures "$DIR/library.tap"
}

rc=0
mkdir -p "$DIR" "$RESULTS"
prepare_kernels "$KEY" "$LIBRARY_KEY"
library_coverage || rc=1
module_coverage || rc=1
exit $rc
