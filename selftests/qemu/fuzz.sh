#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# fuzz.sh - what "make fuzz" runs: libFuzzer, guided by KCOV, makes up sequences
# of calls of the whole ABI, on a kernel with every checker.
#
#	CALLS	how many; ten million
#	MINUTES	or for how long
#	KERNEL	debug, or another that has KCOV
#
# It leaves in build/fuzz/ what it found worth keeping: corpus/, libFuzzer's own,
# which the next run goes on with; kept.txt, the same, in the format of
# selftests/fuzz/corpus.txt, without what reaches no place of its own; and
# report.txt. The first complaint of the kernel, or program that does not end,
# ends the run, and fails it: "finding" has the program, and in any case it
# is the last one in the console.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUN=$BUILD_DIR/fuzz
CALLS=${CALLS:-} MINUTES=${MINUTES:-} KERNEL=${KERNEL:-debug}
OPTIONS="-rss_limit_mb=0 -timeout=300 -max_len=1536 -len_control=0 -detect_leaks=0"

# What the guest does where corpus/ is. What was kept is run once more, from the
# shortest on, and what is first anywhere is written down. An object must be some
# seconds old to be called leaked, and be found so by two scans.
guest_command() {
	cat <<-END
		kmemleak=/sys/kernel/debug/kmemleak
		echo clear >\$kmemleak
		export FUZZ_JOURNAL=/dev/ttyS0
		FUZZ_TALLY=/dev/shm/tally FUZZ_CALLS=$CALLS FUZZ_UNPACK=corpus \\
			/root/fuzzer $OPTIONS -max_total_time=$((MINUTES * 60)) corpus >finding 2>log
		status=\$?
		cp /dev/shm/tally tally
		[ \$status = 0 ] || exit \$status
		FUZZ_TALLY=/dev/shm/kept FUZZ_KEEP=kept.txt \\
			/root/fuzzer $OPTIONS -runs=0 corpus >>finding 2>>log || exit
		sleep 6
		echo scan >\$kmemleak
		sleep 1
		echo scan >\$kmemleak
		! grep '' \$kmemleak >>finding || exit 1
		rmmod sluice
	END
}

# What is to come back is in /out.
in_guest() {
	guest_command >"$RUN/command"
	tar -C "$RUN" -cf "$RUN/corpus.tar" corpus
	OBJECTS=$RUN/kmod-$KERNEL
	MODULE=$(BUILD_DIR=$RUN "$QEMU_DIR/module.sh" "$KERNEL" KCOV_INSTRUMENT=y SLUICE_KUNIT=n) || return
	"$QEMU_DIR/guest.sh" run --kernel "$KERNEL" --module "$MODULE" \
		--timeout "${TIMEOUT:-36000}" --out "$RUN" --results "$RUN/guest.tap" \
		--file "$RUN/fuzzer" --file "$RUN/corpus.tar" --file "$RUN/command" \
		'cd /out && tar -xf /root/corpus.tar && sh /root/command'
}

report() {
	"$RUN/fuzz" -t "$RUN/tally" |
		python3 "$QEMU_DIR/fuzz_report.py" "$MODULE" "$OBJECTS" "$1" |
		tee "$RUN/report.txt"
}

main() {
	local begin rc=0 kselftest
	[[ -n $CALLS || -n $MINUTES ]] || CALLS=10000000
	[[ ${CALLS:-1} =~ ^[1-9][0-9]*$ && ${MINUTES:-1} =~ ^[1-9][0-9]*$ ]] ||
		die "CALLS and MINUTES are numbers"
	KERNEL=$(canonical_key "$KERNEL")
	is_debug_key "$KERNEL" || die "there is no KCOV in $KERNEL"
	CALLS=${CALLS:-0} MINUTES=${MINUTES:-0}
	mkdir -p "$RUN/corpus"
	rm -f "$RUN"/{finding,kept.txt,tally,log,report.txt}
	kselftest=$("$QEMU_DIR/kernel.sh" kselftest)
	make -s -C "$TOP_DIR/selftests" "OUT=$RUN" "KSELFTEST=$kselftest" "$RUN/fuzz" "$RUN/fuzzer"
	begin=$(date +%s)
	in_guest || rc=$?
	[[ ! -s $RUN/tally ]] || report $(($(date +%s) - begin))
	((rc == 0)) && return
	cat "$RUN/finding" >&2 2>/dev/null || true
	die "the fuzzer did not come to its end: see finding, log and console in $RUN"
}

main "$@"
