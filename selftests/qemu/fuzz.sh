#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# fuzz.sh - what "make fuzz" runs: libFuzzer, guided by KCOV, makes up sequences
# of calls of the whole ABI, on a kernel with every checker.
#
#	CALLS	how many; ten million
#	MINUTES	or for how long
#	KERNEL	uml-up-debug, of which there is a guest for each processor; uml-debug,
#		one guest with two; debug, in an emulator
#
# It leaves in build/fuzz/ what it found worth keeping: corpus/, libFuzzer's own,
# which the next run goes on with; kept.txt, what of it reaches places that
# selftests/fuzz/corpus.txt does not, in the same format; and report.txt. The first
# complaint of the kernel, or program that does not end, ends the run, and fails it:
# guest*/finding has the program, and in any case it is one of the last in the
# journals, or in the console. So does, but without failing it, a file named "stop".
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

RUN=$BUILD_DIR/fuzz
CALLS=${CALLS:-} MINUTES=${MINUTES:-} KERNEL=${KERNEL:-uml-up-debug}
FUZZERS=4
GUEST_MEM=1024
OPTIONS="-rss_limit_mb=0 -timeout=300 -max_len=1536 -len_control=0 -detect_leaks=0 -reload=60 -report_slow_units=300"

# guest_command JOURNAL - what a guest does in a directory of its own, beside corpus/.
# Several fuzzers, as most of a program's time is waiting, each with names of its own.
# What was kept is run once more, after what is in the repository, from the shortest
# on, and what is first anywhere is written down; one guest does it for all.
# An object must be some seconds old to be called leaked, and be found so by two
# scans.
guest_command() {
	cat <<-END
		kmemleak=/sys/kernel/debug/kmemleak
		echo 1 >/sys/kernel/tracing/events/sluice/enable
		echo clear >\$kmemleak
		export FUZZ_JOURNAL=$1 FUZZ_TALLY=/dev/shm/tally FUZZ_CALLS=$(((CALLS + GUESTS - 1) / GUESTS))
		export FUZZ_UNPACK=../corpus FUZZ_STOP=../stop
		fuzzers= begin=\$(date +%s)
		for i in \$(seq $FUZZERS); do
			{
				unshare -n sh -c 'ip link set lo up; exec "\$@"' sh /root/fuzzer \\
					$OPTIONS -max_total_time=$((MINUTES * 60)) ../corpus \\
					>>finding 2>log\$i || { touch ../stop; exit 1; }
			} &
			fuzzers="\$fuzzers \$!"
			[ $1 = /dev/ttyS0 ] || export FUZZ_JOURNAL=$1\$((i + 1))
			unset FUZZ_UNPACK
		done
		status=0
		for fuzzer in \$fuzzers; do
			wait \$fuzzer || status=1
		done
		echo \$((\$(date +%s) - begin)) >seconds
		cp /dev/shm/tally tally
		[ \$status = 0 ] || exit \$status
		unset FUZZ_STOP
		export FUZZ_TALLY=/dev/shm/kept FUZZ_CALLS=0
		if [ "\${PWD##*/}" = guest1 ]; then
			mkdir /tmp/known
			FUZZ_UNPACK=/tmp/known /root/fuzzer $OPTIONS -runs=0 /tmp/known \\
				>>finding 2>>log1 || exit
			FUZZ_KEEP=../kept.txt /root/fuzzer $OPTIONS -runs=0 ../corpus \\
				>>finding 2>>log1 || exit
		fi
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

# in_guest DIRECTORY COMMAND [OPTION]...
in_guest() {
	local directory=$1 command=$2
	shift 2
	"$QEMU_DIR/guest.sh" run --kernel "$KERNEL" --module "$MODULE" \
		--timeout "${TIMEOUT:-36000}" --results "$directory/guest.tap" \
		--file "$RUN/fuzzer" --file "$RUN/command" "$@" "$command"
}

# What is to come back is in /out.
in_qemu() {
	guest_command /dev/ttyS0 >"$RUN/command"
	tar -C "$RUN" -cf "$RUN/corpus.tar" corpus guest1
	build_module || return
	in_guest "$RUN/guest1" \
		'cd /out && tar -xf /root/corpus.tar && cd guest1 && sh /root/command' \
		--out "$RUN" --file "$RUN/corpus.tar"
}

# The guests work in our directory. Their modules call what is far away by an address
# in a register, which does not show where: hence the smaller model, in guests
# that are small enough for it.
in_uml() {
	local i rc=0
	guest_command journal >"$RUN/command"
	build_module "KCFLAGS=-Werror -mcmodel=small -fPIE -include linux/hidden.h" || return
	for ((i = 1; i <= GUESTS; i++)); do
		in_guest "$RUN/guest$i" "mkdir /host && mount -t hostfs -o '$RUN' none /host &&
			cd /host/guest$i && sh /root/command" --mem $GUEST_MEM &
	done
	for ((i = 1; i <= GUESTS; i++)); do
		wait -n || {
			rc=$?
			touch "$RUN/stop"
		}
	done
	return $rc
}

# uml_guests - as many as there are jobs to be at once, if there is the memory.
uml_guests() {
	awk -v most="$JOBS" -v each="$GUEST_MEM" '/^MemAvailable:/ {
			n = int($2 / 1024 / each)
			print n < 1 ? 1 : n < most ? n : most
		}' /proc/meminfo
}

report() {
	"$RUN/fuzz" -t "$RUN"/guest*/tally |
		python3 "$QEMU_DIR/fuzz_report.py" "$MODULE" "$OBJECTS" \
			"$(sort -n "$RUN"/guest*/seconds | tail -n 1)" |
		tee "$RUN/report.txt"
}

main() {
	local rc=0 kselftest i
	[[ -n $CALLS || -n $MINUTES ]] || CALLS=10000000
	[[ ${CALLS:-1} =~ ^[1-9][0-9]*$ && ${MINUTES:-1} =~ ^[1-9][0-9]*$ ]] ||
		die "CALLS and MINUTES are numbers"
	KERNEL=$(canonical_key "$KERNEL")
	is_debug_key "$KERNEL" || die "there is no KCOV in $KERNEL"
	GUESTS=1
	[[ $KERNEL != uml-up-* ]] || GUESTS=$(uml_guests)
	CALLS=${CALLS:-0} MINUTES=${MINUTES:-0}
	rm -rf "$RUN"/{guest*,kept.txt,report.txt,stop}
	mkdir -p "$RUN/corpus"
	for ((i = 1; i <= GUESTS; i++)); do
		mkdir "$RUN/guest$i"
	done
	kselftest=$("$QEMU_DIR/kernel.sh" kselftest)
	make -s -C "$TOP_DIR/selftests" "OUT=$RUN" "KSELFTEST=$kselftest" "$RUN/fuzz" "$RUN/fuzzer"
	if is_uml_key "$KERNEL"; then
		in_uml || rc=$?
	else
		in_qemu || rc=$?
	fi
	! compgen -G "$RUN/guest*/tally" >/dev/null || report
	((rc == 0)) && return
	cat "$RUN"/guest*/finding >&2 2>/dev/null || true
	die "the fuzzer did not come to its end: see finding, logs, journals and console in $RUN/guest*"
}

main "$@"
