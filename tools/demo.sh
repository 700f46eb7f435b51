#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# demo.sh - what "make demo" runs: boot a guest with the module, and let
# sluice-demo hand a file to three readers there. INPUT names the file; without
# it, the tarball of the kernel source is taken, which the build needs anyway.
#
# sluice-demo and libsluice must have been built (the Makefile does).
set -euo pipefail
QEMU_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../selftests/qemu" && pwd)
# shellcheck source=selftests/qemu/common.sh
. "$QEMU_SCRIPTS/common.sh"

MIB=$((1 << 20))

choose_input() {
	local input=${INPUT:-}
	if [[ -z $input ]]; then
		info "no INPUT given: taking the kernel's source (fetched once, kept in ${CACHE_DIR/#$HOME/\~})"
		input=$("$QEMU_SCRIPTS/kernel.sh" tarball) ||
			die "cannot get it; name a file of your own: make demo INPUT=file"
	fi
	[[ -e $input ]] || die "INPUT: no such file: $input"
	[[ -f $input ]] || die "INPUT: not a regular file: $input"
	[[ -r $input ]] || die "INPUT: cannot read $input"
	[[ -s $input ]] || die "INPUT: nothing in it: $input"
	# One line, because it goes to the guest in its environment.
	[[ $input != *$'\n'* ]] || die "INPUT: a newline in the name of the file"
	realpath -- "$input"
}

main() {
	local input size scratch note=""
	input=$(choose_input)
	size=$(stat -c %s -- "$input")
	# The file itself, a copy, a compressed copy, and the file system.
	scratch=$(((size * 34 / 10 / MIB + 64) * MIB))
	need_space "${TMPDIR:-/tmp}" $((scratch / MIB + 300)) "the demo"
	grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && [[ -w /dev/kvm ]] ||
		note="an emulated machine: all of this is many times slower than on a real one, in the same way"
	local -a terminal=()
	[[ ! -t 1 ]] || terminal=(--env SLUICE_DEMO_TERMINAL=1)
	info "booting a guest"
	# A slow emulator moves some MiB a second, a dozen times.
	"$QEMU_SCRIPTS/guest.sh" run --kernel "${KERNEL:-6.1}" --mem "${MEM:-1536}" \
		--disk "$input" --scratch "$scratch" \
		--timeout "${TIMEOUT:-$((900 + size / MIB * 10))}" \
		--env "DEMO_NAME=$(basename -- "$input")" --env "DEMO_SIZE=$size" \
		--env "DEMO_NOTE=$note" "${terminal[@]}" \
		--file "$TOP_DIR/tools/demo/guest.sh" 'sh guest.sh'
}

main "$@"
