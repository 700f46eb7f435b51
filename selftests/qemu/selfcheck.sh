#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# selfcheck.sh KERNEL... - does the harness see what it is there to see?
#
# Boots a module that is faulty on purpose (selfcheck/), lets tests set off one
# fault each, and expects that the harness blames exactly those.  Which faults a
# kernel can notice depends on its checkers.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FAULTY=$QEMU_DIR/selfcheck
WORK_DIR=$BUILD_DIR/harness
TAP=$BUILD_DIR/results/harness.tap
COUNT=0

result() {
	local bad=$1 name=$2
	COUNT=$((COUNT + 1))
	echo "${bad}ok $COUNT - harness: $name" >>"$TAP"
	[[ -z $bad ]] || echo "FAIL  harness: $name"
}

show_log() {
	grep -v 'kernel: ' "$1" | tail -n 40 | sed 's/^/      | /'
	echo "      the whole of it: $1"
}

# expect KEY RUN PATTERN - the verdict of a run has such a line.
expect() {
	if grep -qE "$3" "$WORK_DIR/$1.$2.tap"; then
		result "" "$1: $2: $3"
	else
		result "not " "$1: $2: expected $3"
		show_log "$WORK_DIR/$1.$2.log"
	fi
}

# faulty_run KEY RUN TEST...
faulty_run() {
	local key=$1 run=$2 test rc=0
	local -a tests=()
	shift 2
	for test in "$@"; do
		tests+=("$test.sh")
	done
	"$QEMU_DIR/guest.sh" check --kernel "$key" --module "$MODULE" \
		--tests "$FAULTY/tests" --results "$WORK_DIR/$key.$run.tap" \
		"${tests[@]}" >"$WORK_DIR/$key.$run.log" 2>&1 || rc=$?
	# Every run holds a fault, so success is the one wrong answer.
	if ((rc == 1)); then
		result "" "$key: $run: reported as failed"
	else
		result "not " "$key: $run: exit status $rc"
		show_log "$WORK_DIR/$key.$run.log"
	fi
}

# What any kernel shows.
common_faults() {
	local key=$1
	faulty_run "$key" faults good wait skip failing plan crash hang warn good-again
	expect "$key" faults '^ok [0-9]+ - good\.sh: one$'
	expect "$key" faults '^ok [0-9]+ - wait\.sh$'
	expect "$key" faults '^ok [0-9]+ - skip\.sh # SKIP$'
	expect "$key" faults '^not ok [0-9]+ - failing\.sh: two$'
	expect "$key" faults '^not ok [0-9]+ - plan\.sh: planned 3 results, gave 2$'
	expect "$key" faults '^not ok [0-9]+ - crash\.sh: exit status 139$'
	expect "$key" faults '^not ok [0-9]+ - hang\.sh: killed'
	expect "$key" faults '^not ok [0-9]+ - warn\.sh: the kernel complained$'
	expect "$key" faults '^ok [0-9]+ - good-again\.sh$'
	expect "$key" faults '^ok [0-9]+ - module:unload-again$'
	expect "$key" faults '^not ok [0-9]+ - kernel:untainted'
	faulty_run "$key" oops good oops good-again
	expect "$key" oops '^ok [0-9]+ - good\.sh: two$'
	expect "$key" oops '^not ok [0-9]+ - oops\.sh: the guest died without a verdict$'
	expect "$key" oops '^# .*(NULL pointer dereference|Kernel mode fault at addr 0x0)'
	faulty_run "$key" reset good reset
	expect "$key" reset '^not ok [0-9]+ - reset\.sh: the guest died without a verdict$'
	faulty_run "$key" pin pin
	expect "$key" pin '^not ok [0-9]+ - module:unload: exit status 1$'
}

# What needs the debug kernel's checkers.  Lockdep stops at the first report of
# whatever kind, so its own fault comes first; KASAN stops after its own.
debug_faults() {
	local key=$1
	faulty_run "$key" checkers good lock leak atomic shift stale
	expect "$key" checkers '^ok [0-9]+ - good\.sh: one$'
	expect "$key" checkers '^not ok [0-9]+ - kunit: fault_fails$'
	expect "$key" checkers '^ok [0-9]+ - kunit: fault_passes$'
	expect "$key" checkers '^not ok [0-9]+ - atomic\.sh: the kernel complained$'
	expect "$key" checkers '^not ok [0-9]+ - shift\.sh: the kernel complained$'
	expect "$key" checkers '^not ok [0-9]+ - stale\.sh: the kernel complained$'
	expect "$key" checkers '^not ok [0-9]+ - lock\.sh: the kernel complained$'
	expect "$key" checkers '^# .*UBSAN: shift-out-of-bounds'
	expect "$key" checkers '^# .*KASAN: slab-use-after-free'
	expect "$key" checkers '^# .*possible circular locking'
	expect "$key" checkers '^# .*scheduling while atomic'
	expect "$key" checkers '^not ok [0-9]+ - module:leaks-loaded'
	expect "$key" checkers '^# unreferenced object'
}

# What only the detector of data races sees, and what it has to see besides, for
# it lacks the other checkers.
race_faults() {
	local key=$1
	faulty_run "$key" races good race good-again
	expect "$key" races '^ok [0-9]+ - good\.sh: two$'
	expect "$key" races '^not ok [0-9]+ - kunit: fault_fails$'
	expect "$key" races '^not ok [0-9]+ - race\.sh: the kernel complained$'
	expect "$key" races '^# .*BUG: KCSAN: data-race in race_once'
	expect "$key" races '^ok [0-9]+ - good-again\.sh$'
}

# What only the detector of memory that was never written sees, likewise.
unwritten_faults() {
	local key=$1
	faulty_run "$key" unwritten good unwritten secret good-again
	expect "$key" unwritten '^ok [0-9]+ - good\.sh: two$'
	expect "$key" unwritten '^not ok [0-9]+ - kunit: fault_fails$'
	expect "$key" unwritten '^not ok [0-9]+ - unwritten\.sh: the kernel complained$'
	expect "$key" unwritten '^not ok [0-9]+ - secret\.sh: the kernel complained$'
	expect "$key" unwritten '^# .*BUG: KMSAN: uninit-value in fault_unwritten'
	expect "$key" unwritten '^# .*BUG: KMSAN: kernel-infoleak'
	expect "$key" unwritten '^ok [0-9]+ - good-again\.sh$'
}

# The hardest to see: a guest whose processors stopped.  It costs the harness's
# whole patience, so only "make harness-check" asks for it.
frozen_guest() {
	faulty_run "$1" freeze freeze
	expect "$1" freeze '^not ok [0-9]+ - freeze\.sh: (took too long|the guest died)'
}

main() {
	local key
	mkdir -p "$WORK_DIR" "${TAP%/*}"
	: >"$TAP"
	if "$FAULTY/klog_test.py" >&2; then
		result "" "whose data race it is"
	else
		result "not " "whose data race it is"
	fi
	for key in "$@"; do
		key=$(canonical_key "$key")
		info "== $key: does the harness see deliberate faults?"
		MODULE=$(MODULE_SRC=$FAULTY BUILD_DIR=$WORK_DIR "$QEMU_DIR/module.sh" "$key")
		if [[ $key == *-kcsan ]]; then
			race_faults "$key"
			[[ -z ${THOROUGH:-} ]] || common_faults "$key"
		elif [[ $key == *-kmsan ]]; then
			unwritten_faults "$key"
			[[ -z ${THOROUGH:-} ]] || common_faults "$key"
		elif is_debug_key "$key"; then
			debug_faults "$key"
			[[ -z ${THOROUGH:-} ]] || common_faults "$key"
		else
			common_faults "$key"
			[[ -z ${THOROUGH:-} ]] || frozen_guest "$key"
		fi
	done
	echo "$([[ $(grep -c '^not ok' "$TAP") == 0 ]] && echo 'ok  ' || echo FAIL)  harness  ($COUNT results)"
	! grep -q '^not ok' "$TAP"
}

main "$@"
