# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# suites.sh - running the selftests in guests, and adding up what suites left in
# build/results/ as TAP.
#
# Sourced, after common.sh.

T=${T:-}
# A run of one test, in between, leaves the results of the whole alone.
RESULTS=$BUILD_DIR/results${T:+/$T}

begin_results() {
	mkdir -p "$RESULTS"
	rm -f "$RESULTS"/*.{tap,log,console}
}

# selftest_names [KEY] - the programs their Makefile builds, and the scripts, but
# not those whose programs do not run there.
selftest_names() {
	local script
	if [[ -n ${1:-} ]] && is_foreign_key "$1"; then
		find "$(tests_dir "$1")" -type f -perm -u=x -printf '%f\n' | sort
		return
	fi
	make -s --no-print-directory -C "$TOP_DIR/selftests" list KSELFTEST=. \
		"LIBSLUICE=$BUILD_DIR/lib" | tr ' ' '\n' | grep . | sort |
		{ if is_uml_key "${1:-}"; then grep -v '^compat32_'; else cat; fi; }
	for script in "$TOP_DIR"/selftests/*.sh; do
		[[ ! -x $script ]] || basename "$script"
	done
}

# chosen_tests [KEY] - those, or the one that was asked for, its 32-bit twin included.
chosen_tests() {
	local all
	all=$(selftest_names "$@")
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
	! is_foreign_key "$key" || "$QEMU_DIR/foreign.sh" "$key"
	mapfile -t tests < <(chosen_tests "$key")
	rm -f "$RESULTS/$key.tap"
	info "== $key: ${#tests[@]} selftests in a guest"
	"$QEMU_DIR/guest.sh" check --kernel "$key" --results "$RESULTS/$key.tap" "${tests[@]}" || rc=$?
	# A harness that breaks off shall not look like one without failures.
	if [[ ! -s $RESULTS/$key.tap ]] || { ((rc)) && ! grep -q '^not ok' "$RESULTS/$key.tap"; }; then
		echo "not ok 1 - $key: broke off (exit status $rc)" | tee -a "$RESULTS/$key.tap"
	fi
}

# The debug kernel is built first, when nothing else wants the machine.
prepare_kernels() {
	local key
	for key in "$@"; do
		! is_foreign_key "$key" || "$QEMU_DIR/packages.sh" "${key##*-}"
		"$QEMU_DIR/kernel.sh" dir "$key" >/dev/null
	done
}

summary() {
	local passed failed skipped
	failed=$(cat "$RESULTS"/*.tap | grep -c '^not ok' || true)
	skipped=$(cat "$RESULTS"/*.tap | grep -c '^ok .*# SKIP' || true)
	passed=$(($(cat "$RESULTS"/*.tap | grep -c '^ok' || true) - skipped))
	if ((failed)); then
		echo
		echo "failed:"
		(cd "$RESULTS" && grep -H '^not ok' ./*.tap) |
			sed 's|^\./||; s|\.tap:not ok [0-9]* -|:|; s|^|  |'
	fi
	echo
	if ((skipped)); then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	((failed == 0 && passed > 0))
}
