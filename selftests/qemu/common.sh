# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# common.sh - what every script of the guest harness shares: where things are,
# how to speak to the user, and how to put something in the cache safely.
#
# Sourced, never run.

# shellcheck disable=SC2034  # these are for the scripts that source this file
QEMU_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP_DIR=$(cd "$QEMU_DIR/../.." && pwd)
BUILD_DIR=${BUILD_DIR:-$TOP_DIR/build}
CACHE_DIR=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sluice
JOBS=${JOBS:-$(nproc)}
# Where ordinary users' shells do not look for depmod, modprobe and modinfo.
PATH=$PATH:/usr/sbin:/sbin

info() { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# canonical_key KEY - "debug" is the everyday name of the newest kernel, built
# by ourselves with every checker on; its key is the series it began with.
canonical_key() {
	case $1 in
	6.1 | 6.1-rt | 6.1-arm64 | 6.12 | 7.2 | 7.2-gcov | 7.2-kcsan | 7.2-kmsan | uml | \
		uml-debug | uml-up-debug) echo "$1" ;;
	debug) echo 7.2 ;;
	debug-gcov | gcov) echo 7.2-gcov ;;
	kcsan | kmsan) echo "7.2-$1" ;;
	arm64) echo 6.1-arm64 ;;
	*) die "no such kernel: '$1' (there are 6.1, 6.1-rt, 6.1-arm64 alias arm64, 6.12,
7.2 alias debug, 7.2-gcov, 7.2-kcsan alias kcsan, 7.2-kmsan alias kmsan, uml, uml-debug,
uml-up-debug)" ;;
	esac
}

# is_debug_key KEY - it has checkers, and is slow.
is_debug_key() { [[ $1 == 7.2* || $1 == *-debug ]]; }

# is_foreign_key KEY - its programs do not run here. CROSS is what begins the names
# of the tools that make them.
is_foreign_key() { [[ $1 == *-arm64 ]]; }
CROSS=aarch64-linux-gnu-

# is_uml_key KEY - the kernel is a program of this machine, and so are its guest's.
is_uml_key() { [[ $1 == uml* ]]; }

# is_clang_key KEY - the kernel, and so the module for it, is built by CLANG.
is_clang_key() { [[ $1 == *-kmsan ]]; }
CLANG=clang-19

# toolchain KEY - the machine that make is to build for, and the compiler.
toolchain() {
	! is_foreign_key "$1" ||
		printf '%s\n' "ARCH=${1##*-}" "CROSS_COMPILE=$CROSS" "CC=${CROSS}gcc"
	! is_uml_key "$1" || echo ARCH=um
	! is_clang_key "$1" || echo "CC=$CLANG"
}

# tests_dir KEY - where the selftests for it are built.
tests_dir() {
	if is_foreign_key "$1"; then echo "$BUILD_DIR/${1##*-}/selftests"; else echo "$BUILD_DIR/selftests"; fi
}

# best_accelerator - a /dev/kvm that can be opened says nothing: under some
# hypervisors the guest hangs.  The processor must have the feature.
best_accelerator() {
	if grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && [[ -w /dev/kvm ]]; then
		echo kvm
	else
		echo tcg
	fi
}

# need_space DIR MEGABYTES WHAT - say so before a build dies halfway.
need_space() {
	local have
	mkdir -p "$1"
	have=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
	((have >= $2)) || die "$3 needs $2 MB in $1, only $have MB are free"
}

# with_lock NAME COMMAND... - one process at a time, over all runs of this user.
# The lock goes when the last holder of the descriptor does, so a killed run
# leaves nothing to clean up; children must not inherit it, hence the subshell
# and the close.
with_lock() {
	local name=$1 fd
	shift
	mkdir -p "$CACHE_DIR/locks"
	exec {fd}>"$CACHE_DIR/locks/$name"
	if ! flock -n "$fd"; then
		info "waiting for another run that is preparing $name"
		flock "$fd"
	fi
	local rc=0
	"$@" || rc=$?
	exec {fd}>&-
	return $rc
}

# publish_dir TEMP FINAL - a cache entry appears whole or not at all.
publish_dir() {
	if [[ -e $2 ]]; then
		rm -rf -- "$1"
	else
		mv -T -- "$1" "$2"
	fi
}

# is_fresh FILE DAYS
is_fresh() { [[ -n $(find "$1" -maxdepth 0 -mtime "-$2" 2>/dev/null) ]]; }
