#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# matrix.sh KERNEL... - for each kernel: does the module build without a word at
# W=1, and do the selftests pass?  Ends with a table and the usual summary.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

# strict_build KEY - any output is a warning, and a warning is a failure.
strict_build() {
	local key=$1 log=$RESULTS/$1-w1.log bad="not "
	BUILD_DIR=$BUILD_DIR/w1 "$QEMU_DIR/module.sh" "$key" W=1 >"$log" 2>&1 && bad=""
	[[ -z $bad ]] || cat "$log"
	echo "${bad}ok 1 - builds with W=1" >"$RESULTS/$key-w1.tap"
}

# count KEY-GLOB PATTERN
count() { grep -cE "$2" "$RESULTS/$1.tap" 2>/dev/null || true; }

row() { printf '%-10s %-28s %-8s %7s %7s %8s %7s\n' "$@"; }

table() {
	local key skipped built release
	echo
	row kernel release "W=1" passed failed skipped seconds
	for key in "$@"; do
		release=$(cat "$("$QEMU_DIR/kernel.sh" dir "$key")/release")
		skipped=$(count "$key" '^ok .*# SKIP')
		built=$(grep -q '^ok' "$RESULTS/$key-w1.tap" && echo clean || echo FAILS)
		row "$key" "$release" "$built" $(($(count "$key" '^ok') - skipped)) \
			"$(count "$key" '^not ok')" "$skipped" "${SECONDS_OF[$key]}"
	done
}

declare -A SECONDS_OF

main() {
	local key start
	local -a kernels=()
	for key in "$@"; do
		kernels+=("$(canonical_key "$key")")
	done
	begin_results
	prepare_kernels "${kernels[@]}"
	for key in "${kernels[@]}"; do
		start=$SECONDS
		info "== $key: building with W=1"
		strict_build "$key"
		guest_suite "$key"
		SECONDS_OF[$key]=$((SECONDS - start))
	done
	table "${kernels[@]}"
	summary
}

main "$@"
