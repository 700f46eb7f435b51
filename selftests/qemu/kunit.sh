#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# kunit.sh - what "make kunit" runs: the module's unit tests at the machine's own
# speed, in User Mode Linux, where millions of random graphs take minutes.
#
#	SCALE	how many times as much as in make check; 100
#	SEED	of what is random; 0 is that of make check
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUN=$BUILD_DIR/kunit

main() {
	rm -rf "$RUN"
	mkdir -p "$RUN"
	echo 'cat /sys/kernel/debug/kunit/*/results && rmmod sluice' >"$RUN/command"
	SLUICE_KUNIT=y TIMEOUT=7200 "$QEMU_DIR/uml.sh" "$RUN" \
		kunit_scale="${SCALE:-100}" kunit_seed="${SEED:-0}" ||
		die "the unit tests did not come to an end: see $RUN/console"
	cat "$RUN/stdout"
	grep -q '^ok ' "$RUN/stdout" || die "no unit test ran"
	! grep -q '^ *not ok ' "$RUN/stdout" || die "unit tests failed"
}

main "$@"
