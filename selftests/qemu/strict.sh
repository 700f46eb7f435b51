#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# strict.sh KEY		does the module build for that kernel without a word: by
#			gcc with W=1, by clang with W=1, and read by sparse?
# strict.sh source	do the kernel's own scripts for coccinelle find anything?
#
# Prints TAP. What was said instead of nothing is in build/results/, and shown.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

COUNT=0

# result NAME LOG COMMAND... - any output is a warning, and a warning is a failure.
result() {
	local name=$1 log=$RESULTS/$2.log bad=""
	shift 2
	"$@" >"$log" 2>&1 && [[ ! -s $log ]] || bad="not "
	[[ -z $bad ]] || cat "$log" >&2
	COUNT=$((COUNT + 1))
	echo "${bad}ok $COUNT - $name"
}

skip() {
	COUNT=$((COUNT + 1))
	echo "ok $COUNT - $1 # SKIP $2"
}

# module COMPILER KEY VARIABLE=VALUE... - the path that it prints is no warning.
module() {
	local compiler=$1 key=$2
	shift 2
	BUILD_DIR=$BUILD_DIR/$compiler "$QEMU_DIR/module.sh" "$key" W=1 "$@" >/dev/null
}

# clang_settings KEY - these kernels were configured for gcc. What Kconfig would have
# answered differently is said here, so that kbuild gives clang its own options.
clang_settings() {
	local wno=""
	! is_clang_key "$1" || return 0
	# 6.1's own sunrpc/xdr.h asks whether 32 bits hold more than 62 can.
	[[ $1 != 6.1* ]] || wno=" -Wno-tautological-constant-out-of-range-compare"
	printf '%s\n' CC=$CLANG CONFIG_CC_IS_GCC= CONFIG_CC_IS_CLANG=y CONFIG_GCC_VERSION=0 \
		CONFIG_CLANG_VERSION="$($CLANG -dumpversion | awk -F. '{ print $1 * 10000 + $2 * 100 + $3 }')" \
		CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough \
		CONFIG_FTRACE_MCOUNT_USE_CC= CONFIG_KASAN_STACK= \
		CONFIG_UBSAN_BOUNDS_STRICT= CONFIG_UBSAN_ARRAY_BOUNDS=y \
		"KCFLAGS=-Werror -include $QEMU_DIR/config/clang.h$wno"
}

# The settings above are those of Debian's x86 kernels, and of the debug kernel; a
# kernel that clang has built needs none.
clang_builds() { is_clang_key "$1" || [[ $1 =~ ^(6\.1|6\.1-rt|6\.12|7\.2)$ ]]; }

# Debian 12's sparse cannot read the newest headers, and kbuild does not let it.
sparse_reads() { [[ $1 == 6.* ]]; }

strict_builds() {
	local key=$1
	local -a clang
	if is_clang_key "$key"; then
		skip "gcc" "this kernel is built by clang"
	else
		result "gcc, W=1" "$key-gcc" module gcc "$key"
	fi
	if clang_builds "$key"; then
		mapfile -t clang < <(clang_settings "$key")
		result "clang, W=1" "$key-clang" module clang "$key" "${clang[@]}"
	else
		skip "clang" "the same source as for another kernel"
	fi
	if sparse_reads "$key"; then
		result "sparse" "$key-sparse" module gcc "$key" C=2 CF=-Wsparse-error
	else
		skip "sparse" "it cannot read this kernel's headers"
	fi
}

# The scripts come with the source of the newest kernel. What they find is on
# standard output; how they were called, and what they could not parse, is not.
coccinelle() {
	local tree=$BUILD_DIR/coccinelle kdir
	kdir=$("$QEMU_DIR/kernel.sh" kdir debug)
	rm -rf "$tree"
	mkdir -p "$tree"
	cp -r "$TOP_DIR"/{Kbuild,kmod,uapi} "$tree/"
	make -s -C "$kdir" coccicheck MODE=report "M=$tree" "J=$JOBS" \
		DEBUG_FILE="$tree/calls" >"$tree/findings" ||
		{ cat "$tree/calls"; return 1; }
	grep -vE '^$|^Please check for false|^When using "patch"|: Skipping |^Skipping |^You have coccinelle|^This SmPL patch requires' \
		"$tree/findings" || true
}

main() {
	mkdir -p "$RESULTS"
	case ${1:?which kernel?} in
	source) result coccinelle coccinelle coccinelle ;;
	*) strict_builds "$(canonical_key "$1")" ;;
	esac
}

main "$@"
