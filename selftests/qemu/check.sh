#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# check.sh [KERNEL]... - everything that "make check" does, or with T=name that
# one selftest only.  Ends with the line "N passed, N failed, N skipped" and
# fails if anything did.  Each suite leaves TAP in build/results/.
#
# The selftests must have been built (the Makefile does).
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RESULTS=$BUILD_DIR/results
T=${T:-}

# --- suites that run on this machine -----------------------------------------

# check_to_tap SUITE STATUS <LOG - results of Check programs: one by one if they
# were verbose, else as many as they counted.  Anything else that made the suite
# fail, as a sanitizer or a compiler does, is one more failure.
check_to_tap() {
	awk -v suite="$1" -v status="$2" '
	function result(bad, name) {
		printf "%sok %d - %s: %s\n", bad ? "not " : "", ++n, suite, name
		failed += bad
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
	info "== $name: unit tests"
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
	for part in lib tools; do
		[[ -e $TOP_DIR/$part/Makefile ]] || continue
		has_target "$TOP_DIR/$part" check || continue
		host_suite "$part" make -C "$TOP_DIR/$part" check "OUT=$BUILD_DIR/$part"
	done
}

# --- suites that run in a guest ----------------------------------------------

# selftest_names - the programs their Makefile builds, and the scripts.
selftest_names() {
	local script
	make -s --no-print-directory -C "$TOP_DIR/selftests" list KSELFTEST=. \
		"LIBSLUICE=$BUILD_DIR/lib" | tr ' ' '\n' | grep . | sort
	for script in "$TOP_DIR"/selftests/*.sh; do
		[[ ! -x $script ]] || basename "$script"
	done
}

# chosen_tests - those, or the one that was asked for, its 32-bit twin included.
chosen_tests() {
	local all
	all=$(selftest_names)
	if [[ -z $T ]]; then
		echo "$all"
	else
		grep -xE "(compat32_)?$T(\.sh)?" <<<"$all" ||
			die "no such selftest: T=$T; there are: ${all//$'\n'/ }"
	fi
}

guest_suite() {
	local key=$1 rc=0
	local -a tests
	mapfile -t tests < <(chosen_tests)
	# So that a harness that breaks cannot look like one without failures.
	rm -f "$RESULTS/$key.tap"
	info "== $key: ${#tests[@]} selftests in a guest"
	"$QEMU_DIR/guest.sh" check --kernel "$key" "${tests[@]}" || rc=$?
	[[ -s $RESULTS/$key.tap ]] ||
		echo "not ok 1 - $key: no results (exit status $rc)" | tee "$RESULTS/$key.tap"
}

# The debug kernel is built first, when nothing else wants the machine.
prepare_kernels() {
	local key
	for key in "$@"; do
		"$QEMU_DIR/kernel.sh" dir "$key" >/dev/null
	done
}

# --- summary -----------------------------------------------------------------

summary() {
	local passed failed skipped
	failed=$(cat "$RESULTS"/*.tap | grep -c '^not ok' || true)
	skipped=$(cat "$RESULTS"/*.tap | grep -c '^ok .*# SKIP' || true)
	passed=$(($(cat "$RESULTS"/*.tap | grep -c '^ok' || true) - skipped))
	if ((failed)); then
		echo
		echo "failed:"
		grep -H '^not ok' "$RESULTS"/*.tap |
			sed "s|^$RESULTS/||; s|\.tap:not ok [0-9]* -|:|; s|^|  |"
	fi
	echo
	if ((skipped)); then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	((failed == 0 && passed > 0))
}

main() {
	local key
	local -a kernels=()
	for key in "$@"; do
		kernels+=("$(canonical_key "$key")")
	done
	[[ -z $T ]] || chosen_tests >/dev/null
	mkdir -p "$RESULTS"
	rm -f "$RESULTS"/*.{tap,log,console}
	prepare_kernels "${kernels[@]}"
	if [[ -z $T ]]; then
		host_suites
		"$QEMU_DIR/selfcheck.sh" "${kernels[@]}"
	fi
	for key in "${kernels[@]}"; do
		guest_suite "$key"
	done
	summary
}

main "$@"
