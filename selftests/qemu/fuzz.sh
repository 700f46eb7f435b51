#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# fuzz.sh - what "make fuzz" runs: libFuzzer, guided by KCOV, makes up sequences
# of calls of the whole ABI, on a kernel with every checker.
#
#	CALLS	how many; ten million
#	MINUTES	or for how long
#	KERNEL	uml-debug, which runs user code at the machine's own speed; debug
#
# It leaves in build/fuzz/ what it found worth keeping: corpus/, libFuzzer's own,
# which the next run goes on with; kept.txt, what of it reaches places that
# selftests/fuzz/corpus.txt does not, in the same format; and report.txt. The first
# complaint of the kernel, or program that does not end, ends the run, and fails it:
# "finding" has the program, and in any case it is one of the last in the journals,
# or in the console.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUN=$BUILD_DIR/fuzz
CALLS=${CALLS:-} MINUTES=${MINUTES:-} KERNEL=${KERNEL:-uml-debug}
FUZZERS=4
OPTIONS="-rss_limit_mb=0 -timeout=300 -max_len=1536 -len_control=0 -detect_leaks=0 -reload=60 -report_slow_units=300"

# guest_command JOURNAL - what the guest does where corpus/ is. Several fuzzers, as
# most of a program's time is waiting, each with names of its own. What was kept is
# run once more, after what is in the repository, from the shortest on, and what is
# first anywhere is written down.
# An object must be some seconds old to be called leaked, and be found so by two
# scans.
guest_command() {
	cat <<-END
		kmemleak=/sys/kernel/debug/kmemleak
		echo clear >\$kmemleak
		export FUZZ_JOURNAL=$1 FUZZ_TALLY=/dev/shm/tally FUZZ_CALLS=$CALLS FUZZ_UNPACK=corpus
		fuzzers= begin=\$(date +%s)
		for i in \$(seq $FUZZERS); do
			unshare -n sh -c 'ip link set lo up; exec "\$@"' sh \\
				/root/fuzzer $OPTIONS -max_total_time=$((MINUTES * 60)) corpus \\
				>>finding 2>log\$i &
			fuzzers="\$fuzzers \$!"
			[ $1 = /dev/ttyS0 ] || export FUZZ_JOURNAL=$1\$((i + 1))
			unset FUZZ_UNPACK
		done
		status=0
		for fuzzer in \$fuzzers; do
			wait \$fuzzer || status=\$?
		done
		echo \$((\$(date +%s) - begin)) >seconds
		cp /dev/shm/tally tally
		[ \$status = 0 ] || exit \$status
		export FUZZ_TALLY=/dev/shm/kept FUZZ_CALLS=0
		mkdir /tmp/known
		FUZZ_UNPACK=/tmp/known /root/fuzzer $OPTIONS -runs=0 /tmp/known >>finding 2>>log1 || exit
		FUZZ_KEEP=kept.txt /root/fuzzer $OPTIONS -runs=0 corpus >>finding 2>>log1 || exit
		sleep 6
		echo scan >\$kmemleak
		sleep 1
		echo scan >\$kmemleak
		! grep '' \$kmemleak >>finding || exit 1
		rmmod sluice
	END
}

build_module() {
	OBJECTS=$RUN/kmod-$KERNEL
	MODULE=$(BUILD_DIR=$RUN "$QEMU_DIR/module.sh" "$KERNEL" KCOV_INSTRUMENT=y SLUICE_KUNIT=n "$@")
}

# in_guest COMMAND [OPTION]...
in_guest() {
	local command=$1
	shift
	"$QEMU_DIR/guest.sh" run --kernel "$KERNEL" --module "$MODULE" \
		--timeout "${TIMEOUT:-36000}" --results "$RUN/guest.tap" \
		--file "$RUN/fuzzer" --file "$RUN/command" "$@" "$command"
}

# What is to come back is in /out.
in_qemu() {
	guest_command /dev/ttyS0 >"$RUN/command"
	tar -C "$RUN" -cf "$RUN/corpus.tar" corpus
	build_module || return
	in_guest 'cd /out && tar -xf /root/corpus.tar && sh /root/command' \
		--out "$RUN" --file "$RUN/corpus.tar"
}

# The guest works in our directory. Its modules call what is far away by an address
# in a register, which does not show where: hence the smaller model, in a
# guest that is small enough for it.
in_uml() {
	guest_command journal >"$RUN/command"
	build_module "KCFLAGS=-Werror -mcmodel=small -fPIE -include linux/hidden.h" || return
	in_guest "mkdir /host && mount -t hostfs -o '$RUN' none /host && cd /host && sh /root/command" \
		--mem 1024
}

report() {
	"$RUN/fuzz" -t "$RUN/tally" |
		python3 "$QEMU_DIR/fuzz_report.py" "$MODULE" "$OBJECTS" "$(cat "$RUN/seconds")" |
		tee "$RUN/report.txt"
}

main() {
	local rc=0 kselftest
	[[ -n $CALLS || -n $MINUTES ]] || CALLS=10000000
	[[ ${CALLS:-1} =~ ^[1-9][0-9]*$ && ${MINUTES:-1} =~ ^[1-9][0-9]*$ ]] ||
		die "CALLS and MINUTES are numbers"
	KERNEL=$(canonical_key "$KERNEL")
	is_debug_key "$KERNEL" || die "there is no KCOV in $KERNEL"
	CALLS=${CALLS:-0} MINUTES=${MINUTES:-0}
	mkdir -p "$RUN/corpus"
	rm -f "$RUN"/{finding,kept.txt,tally,seconds,log*,report.txt,journal*}
	kselftest=$("$QEMU_DIR/kernel.sh" kselftest)
	make -s -C "$TOP_DIR/selftests" "OUT=$RUN" "KSELFTEST=$kselftest" "$RUN/fuzz" "$RUN/fuzzer"
	if is_uml_key "$KERNEL"; then
		in_uml || rc=$?
	else
		in_qemu || rc=$?
	fi
	[[ ! -s $RUN/tally ]] || report
	((rc == 0)) && return
	cat "$RUN/finding" >&2 2>/dev/null || true
	die "the fuzzer did not come to its end: see finding, logs, journals and console in $RUN"
}

main "$@"
