#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# check.sh [KERNEL]... - everything that "make check" does, or with T=name that
# one selftest only; T=instructions is the limits of bench/.  Ends with the line "N passed, N failed, N skipped" and
# fails if anything did.  Each suite leaves TAP in build/results/.
#
# The selftests must have been built (the Makefile does).
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

# check_to_tap SUITE STATUS <LOG - results of programs that print TAP, and of
# Check programs: one by one if they were verbose, else as many as they counted.
# Anything else that made the suite fail, as a sanitizer or a compiler does, is
# one more failure.
check_to_tap() {
	awk -v suite="$1" -v status="$2" '
	function result(bad, name) {
		printf "%sok %d - %s: %s\n", bad ? "not " : "", ++n, suite, name
		failed += bad
	}
	/^(not )?ok [0-9]+/ {
		bad = /^not /
		sub(/^(not )?ok [0-9]+[ -]*/, "")
		result(bad, $0)
	}
	match($0, /^[^:]+:[0-9]+:[PFE]:/) {
		split($0, f, ":")
		named[program++] = f[3] != "P"; name[program - 1] = f[4] " " f[5]
	}
	/^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
		gsub(/[^0-9 ]/, "")
		split($0, c, " ")
		if (program == c[2]) {
			for (i = 0; i < program; i++)
				result(named[i], name[i])
		} else {
			for (i = 0; i < c[2]; i++)
				result(i < c[3] + c[4], "check " i + 1)
		}
		program = 0
	}
	END {
		if (status != 0 && !failed)
			result(1, "exit status " status)
		else if (!n)
			result(0, "make check")
	}'
}

# host_suite NAME COMMAND...
host_suite() {
	local name=$1 log=$RESULTS/$1.log rc=0
	shift
	info "== $name"
	CK_VERBOSITY=verbose "$@" >"$log" 2>&1 || rc=$?
	check_to_tap "$name" "$rc" <"$log" >"$RESULTS/$name.tap"
	if grep -q '^not ok' "$RESULTS/$name.tap"; then
		tail -n 60 "$log"
		grep '^not ok' "$RESULTS/$name.tap"
	else
		echo "ok    $name  ($(grep -c '^ok' "$RESULTS/$name.tap") results)"
	fi
}

has_target() { make -C "$1" -n "$2" >/dev/null 2>&1; }

host_suites() {
	local part
	for part in lib monitor tools system doc models; do
		[[ -e $TOP_DIR/$part/Makefile ]] || continue
		has_target "$TOP_DIR/$part" check || continue
		host_suite "$part" make -C "$TOP_DIR/$part" check "OUT=$BUILD_DIR/$part"
	done
}

main() {
	local key
	local -a kernels=()
	for key in "$@"; do
		kernels+=("$(canonical_key "$key")")
	done
	[[ -z $T || $T == instructions ]] || chosen_tests >/dev/null
	begin_results
	prepare_kernels "${kernels[@]}"
	if [[ -z $T ]]; then
		host_suites
		"$QEMU_DIR/selfcheck.sh" "${kernels[@]}"
	fi
	if [[ -z $T || $T == instructions ]]; then
		host_suite instructions "$TOP_DIR/bench/limits.sh"
	fi
	[[ $T != instructions ]] || kernels=()
	for key in "${kernels[@]}"; do
		guest_suite "$key"
	done
	summary
}

main "$@"
