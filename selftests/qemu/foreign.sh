#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# foreign.sh KEY - build the libraries and the selftests for a kernel of another
# machine, in a directory of their own. Static programs only: the libraries that
# a guest would need are not in it.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

main() {
	local key kernel userland out
	key=$(canonical_key "${1:?which kernel?}")
	kernel=$("$QEMU_DIR/kernel.sh" dir "$key")
	userland=$kernel/userland out=$(dirname "$(tests_dir "$key")")
	mkdir -p "$out"
	# What says where libraries are shall not name this machine's.
	export PKG_CONFIG_SYSROOT_DIR=$userland AR=${CROSS}ar
	# Some packages still have theirs in /lib, which is /usr/lib where they are installed.
	export CC="${CROSS}gcc -L$userland/lib/${CROSS%-}"
	PKG_CONFIG_LIBDIR=$(printf '%s:' "$userland"/usr/lib/*/pkgconfig)
	export PKG_CONFIG_LIBDIR
	make -s -C "$TOP_DIR/lib" OUT="$out/lib" "$out/lib/libsluice.a"
	make -s -C "$TOP_DIR/monitor" OUT="$out/monitor" "$out/monitor/libsluice-monitor.a"
	make -s -C "$TOP_DIR/selftests" OUT="$out/selftests" LIBSLUICE="$out/lib" \
		LIBMONITOR="$out/monitor" KSELFTEST="$("$QEMU_DIR/kernel.sh" kselftest)" all
}

main "$@"
