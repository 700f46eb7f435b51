#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# matrix.sh KERNEL... - for each kernel: does the module build without a word, from
# every compiler and checker, and do the selftests pass?  Ends with a table and
# the usual summary.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

# strict WHAT - a kernel's key, or the source.
strict() {
	local tap=$RESULTS/$1-strict.tap
	info "== $1: does it build, and read, without a word?"
	"$QEMU_DIR/strict.sh" "$1" >"$tap" || echo "not ok - the checks broke off" >>"$tap"
	cat "$tap"
}

# verdict KEY CHECK - for the table.
verdict() {
	case $(grep -F -- "- $2" "$RESULTS/$1-strict.tap") in
	"not ok"*) echo FAILS ;;
	*"# SKIP"*) echo - ;;
	ok*) echo clean ;;
	*) echo FAILS ;;
	esac
}

# count KEY-GLOB PATTERN
count() { grep -cE "$2" "$RESULTS/$1.tap" 2>/dev/null || true; }

row() { printf '%-10s %-28s %-6s %-6s %-6s %7s %7s %8s %7s\n' "$@"; }

table() {
	local key skipped release
	echo
	row kernel release gcc clang sparse passed failed skipped seconds
	for key in "$@"; do
		release=$(cat "$("$QEMU_DIR/kernel.sh" dir "$key")/release")
		skipped=$(count "$key" '^ok .*# SKIP')
		row "$key" "$release" "$(verdict "$key" gcc)" "$(verdict "$key" clang)" \
			"$(verdict "$key" sparse)" $(($(count "$key" '^ok') - skipped)) \
			"$(count "$key" '^not ok')" "$skipped" "${SECONDS_OF[$key]}"
	done
	echo "coccinelle: $(verdict source coccinelle)"
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
	strict source
	for key in "${kernels[@]}"; do
		start=$SECONDS
		strict "$key"
		guest_suite "$key"
		SECONDS_OF[$key]=$((SECONDS - start))
	done
	table "${kernels[@]}"
	summary
}

main "$@"
