#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# uml.sh RUN [PARAMETER...] - load the module in User Mode Linux, which runs at
# the machine's own speed on the machine's own root, read only, so that every
# program that is installed here is there; and run the script RUN/command.
#
# RUN is a directory in the build directory. There it leaves stdout, stderr,
# the kernel's log, the console and the exit status, which is also ours; a log
# with complaints is a failure. The parameters are the module's.
#
#	SLUICE_KUNIT=y	with its unit tests, which run when it is loaded
#	TIMEOUT		seconds, 1800
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/machine.sh
. "$QEMU_DIR/machine.sh"

KERNEL=uml

# What the kernel's log must not say.
complaints() {
	PYTHONPATH=$QEMU_DIR python3 -c 'import klog, sys
print(*klog.complaints(sys.stdin.read().splitlines()), sep="\n")'
}

main() {
	local run=${1:?which directory?} status
	local -a machine
	shift
	KERNEL_DIR=$("$QEMU_DIR/kernel.sh" dir "$KERNEL")
	mapfile -t machine < <(machine_uml 2048)
	MODULE_COPY=$run/sluice.ko "$QEMU_DIR/module.sh" "$KERNEL" \
		${SLUICE_KUNIT:+SLUICE_KUNIT=y} >/dev/null
	echo "$*" >"$run/parameters"
	info "== $KERNEL: $(cat "$KERNEL_DIR/release")"
	: >"$run/stderr"
	timeout -k 5 "${TIMEOUT:-1800}" "${machine[@]}" root=/dev/root rootfstype=hostfs \
		rootflags=/ ro init="$QEMU_DIR/guest/uml-init" UML_BUILD="$BUILD_DIR" \
		UML_RUN="${run#"$BUILD_DIR"/}" </dev/null >"$run/console" 2>&1 &
	# shellcheck disable=SC2064  # the number as it is now
	trap "kill $! 2>/dev/null || true" EXIT
	tail --pid=$! -s 0.5 -f "$run/stderr" >&2
	wait $! || true
	status=$(cat "$run/status" 2>/dev/null) || status=125
	if ((status == 125)); then
		tail -n 20 "$run/console" >&2
	elif complaints <"$run/log" | grep . >&2; then
		status=1
	fi
	exit "$status"
}

main "$@"
