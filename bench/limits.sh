#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# limits.sh - has a path become longer?  Part of "make check": counts the
# instructions of some in a guest, and prints TAP.
set -euo pipefail
BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=selftests/qemu/common.sh
. "$BENCH_DIR/../selftests/qemu/common.sh"

out=$(mktemp -d "${TMPDIR:-/tmp}/sluice-limits.XXXXXX")
trap 'rm -rf "$out"' EXIT
"$QEMU_DIR/guest.sh" run --kernel 6.1 --accel icount --timeout 300 --out "$out" \
	--results "$BUILD_DIR/bench/limits.tap" 'sluice-bench -r 2 -m paths -o /out/raw.json' >&2
python3 "$BENCH_DIR/limits.py" "$out/raw.json"
