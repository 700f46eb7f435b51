#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# packages.sh SET... - install the Debian packages that a task needs, if any is
# missing.  Sets: build (library and command), guest (boot a kernel), kernel
# (build one), test (unit tests, 32-bit programs), manual, film (of the demo),
# coverage, fuzz (libFuzzer), models (spin), strict (other compilers and checkers), clang, arm64
# (that machine), package (a Debian to build packages in and to install them on),
# bench (peers).
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/archive.sh
. "$QEMU_DIR/archive.sh"

# gcc-multilib, but for its link to headers, which excludes compilers for other
# machines.
multilib() {
	local package
	package=$(apt-cache depends gcc-multilib 2>/dev/null | grep -oE 'gcc-[0-9]+-multilib' | head -n 1 || true)
	echo "${package:-gcc-multilib}"
}

packages_of() {
	case $1 in
	build) echo gcc make libc6-dev pkg-config libjson-c-dev libncurses-dev libnl-genl-3-dev libmicrohttpd-dev libzstd-dev libssl-dev ;;
	guest) echo qemu-system-x86 busybox-static kmod cpio rsync python3 gcc libc6-dev ;;
	kernel) echo gcc make flex bison bc libelf-dev libssl-dev kmod cpio rsync xz-utils zstd ;;
	test) echo check mandoc cmake "$(multilib)" tmux python3-prometheus-client python3-yaml ;;
	manual) echo lowdown mandoc python3 make ;;
	film) echo util-linux python3 python3-pyte ;;
	coverage) echo gcovr ;;
	models) echo spin gcc libc6-dev ;;
	clang) echo "$CLANG" ;;
	strict) echo "$CLANG" sparse coccinelle ocaml ;;
	arm64) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm ;;
	fuzz) echo clang libclang-rt-dev g++ binutils python3 ;;
	package) echo debootstrap debian-archive-keyring e2fsprogs qemu-utils dpkg-dev util-linux ;;
	bench)
		echo gnuplot-nox python3 busybox-static util-linux
		echo iceoryx libiceoryx-binding-c-dev libzmq3-dev libnng-dev
		;;
	*) die "no such set of packages: $1" ;;
	esac
}

reason() {
	case $1 in
	build) echo "to compile the library and the command" ;;
	guest) echo "to boot a kernel with the module in an emulator" ;;
	kernel) echo "to unpack kernels and build one with debugging checks" ;;
	test) echo "to build the tests" ;;
	manual) echo "to make the manual" ;;
	film) echo "to film the demo" ;;
	coverage) echo "to report coverage" ;;
	arm64) echo "to build for 64-bit ARM, and to boot it in an emulator" ;;
	clang) echo "to build a kernel that looks for memory that was never written" ;;
	strict) echo "to look for warnings" ;;
	fuzz) echo "to build the fuzzer" ;;
	models) echo "to check the models of the protocols" ;;
	package) echo "to make a Debian system, and packages in it" ;;
	bench) echo "to measure others and to plot" ;;
	esac
}

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

install_packages() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "$@" >/dev/null </dev/null
}

# A machine that cannot have the 32-bit compiler goes without 32-bit tests, and
# who is not in this Debian is not measured: the report says so.
optional() { [[ $1 =~ ^(gcc-.*multilib|gnuplot-nox|iceoryx|lib(iceoryx|zmq|nng).*)$ ]]; }

ensure() {
	local package
	local -a missing=()
	for package in $(packages_of "$1"); do
		installed "$package" || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	info "installing Debian packages $(reason "$1"): ${missing[*]}"
	install_packages "${missing[@]}" 2>/dev/null && return
	# Old package lists are the usual reason.
	as_root apt-get update -qq >/dev/null 2>&1 || warn "apt-get update failed: is there a network?"
	for package in "${missing[@]}"; do
		install_packages "$package" && continue
		optional "$package" || die "cannot install $package (message above)"
		warn "cannot install $package: going on without it"
	done
}

command -v dpkg-query >/dev/null || die "this needs Debian (or a system with its packages)"
for set in "$@"; do
	ensure "$set"
done
