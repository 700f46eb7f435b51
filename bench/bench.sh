#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# bench.sh - what "make bench" runs: measure in guests, and report.
#
#	T=regex		only those measures (sluice-bench -l names them)
#	QUICK=1		few repetitions of short runs: for development
#	KERNEL=key	in QEMU; 6.1
#
# What runs in user space is measured in User Mode Linux, where user code and
# shared memory are the machine's own, and what enters the kernel in an emulated
# machine; with KVM, all of it in one virtual machine. A third guest counts
# instructions.
#
# sluice-bench and libsluice must have been built (the Makefile does).
set -euo pipefail
BENCH_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=selftests/qemu/common.sh
. "$BENCH_DIR/../selftests/qemu/common.sh"

OUT=$BUILD_DIR/bench
T=${T:-.*} QUICK=${QUICK:-} KERNEL=${KERNEL:-6.1}
DAEMON=$(command -v iox-roudi || true)

# Which guest measures what; a name may be in both.
NATIVE=(roundtrip_busy handoff stream sizes fanout frames funnel lock_free deadlock)
ENTERING=(roundtrip_sleep frames funnel lock_free lock_handoff lock_contended
	deadlock lifecycle idle_memory scale)
COUNTED=(paths)

# chosen NAME... - those that T wants, as one regular expression.
chosen() { printf '%s\n' "$@" | sort -u | { grep -xE -- "$T" || true; } | paste -sd '|'; }

# arguments GUEST MEASURES
arguments() { echo "-g $1 ${QUICK:+-q} -m '$2' -o"; }

# in_uml MEASURES
in_uml() {
	local run=$OUT/uml
	rm -rf "$run"
	mkdir -p "$run"
	# Below the build directory, because the guest has a /tmp of its own.
	cp "$BENCH_DIR"/guest/{measure,iceoryx.toml} "$run/"
	cat >"$run/command" <<-END
		export LD_LIBRARY_PATH=/run/build/lib PATH=/run/build/bench:\$PATH
		cd /run/build/bench/uml
		sh ./measure '$DAEMON' sluice-bench $(arguments uml "$1") raw.json
	END
	"$QEMU_DIR/uml.sh" "$run"
}

# in_qemu NAME ACCEL MEASURES
in_qemu() {
	local name=$1 accel=$2
	rm -rf "${OUT:?}/$name"
	info "== $name: $KERNEL"
	"$QEMU_DIR/guest.sh" run --kernel "$KERNEL" --accel "$accel" --mem 2560 \
		--timeout 1800 --out "$OUT/$name" --results "$OUT/$name.tap" \
		--file "$BENCH_DIR/guest/measure" --file "$BENCH_DIR/guest/iceoryx.toml" \
		"sh measure '$([[ $accel != kvm ]] || echo "$DAEMON")' sluice-bench $(arguments "$name" "$3") /out/raw.json"
}

# measure COMMAND... MEASURES - unless there are none.
measure() { [[ -z ${!#} ]] || "$@" || FAILED=y; }

main() {
	local native entering counted
	FAILED=""
	rm -rf "$OUT"/{uml,qemu,kvm,icount}
	native=$(chosen "${NATIVE[@]}") entering=$(chosen "${ENTERING[@]}")
	counted=$(chosen "${COUNTED[@]}")
	[[ -n $native$entering$counted ]] || die "no such measure: T=$T"
	if [[ $(best_accelerator) == kvm ]]; then
		measure in_qemu kvm kvm "$(chosen "${NATIVE[@]}" "${ENTERING[@]}")"
	else
		if "$QEMU_DIR/kernel.sh" dir uml >/dev/null; then
			measure in_uml "$native"
		else
			warn "no User Mode Linux: what runs in user space is emulated, too"
			entering=$(chosen "${NATIVE[@]}" "${ENTERING[@]}")
		fi
		measure in_qemu qemu tcg "$entering"
	fi
	measure in_qemu icount icount "$counted"
	info
	python3 "$BENCH_DIR/report.py" "$OUT" "$OUT"/*/raw.json || FAILED=y
	info "$OUT/results.json and $OUT/report.html have it all"
	[[ -z $FAILED ]] || die "something could not be measured (messages above)"
}

main "$@"
