#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# module.sh KEY [MAKE-VARIABLE=VALUE]...
# module.sh --kdir DIR [MAKE-VARIABLE=VALUE]...
#
# Build the module for one of the harness's kernels, or for any kernel's build
# tree, and print the path of sluice.ko.
#
# 6.1's kbuild writes its objects beside the sources, so each kernel has its own
# mirror of them under build/, in which only what changed is built again.
# MODULE_SRC names another tree to build than this one, MODULE_COPY a file to
# copy the result to before another run may change it.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mirror() {
	local source=$1 dest=$2 part
	mkdir -p "$dest"
	cp -u "$source/Kbuild" "$dest/"
	for part in kmod uapi; do
		[[ -d $source/$part ]] || continue
		# Removes what was removed, but leaves kbuild its objects.
		rsync -a --delete --include='*/' --include='*.[chS]' --include='Kbuild*' \
			--exclude='*' "$source/$part/" "$dest/$part/"
	done
}

# compiler KDIR - Debian's headers ask for the compiler of their release, which
# a newer one need not have.
compiler() {
	local wanted
	wanted=$(sed -n 's/^CC = .*\(gcc-[0-9]*\)$/\1/p' "$1/.kernelvariables" 2>/dev/null || true)
	[[ -z $wanted ]] || command -v "$wanted" >/dev/null || echo CC=gcc
}

# build KDIR DEST ARGUMENT... - two runs must not meet in one tree, and what one
# of them takes away must not be half of what the other is writing.
build() {
	local kdir=$1 dest=$2 log=$2/build.log
	shift 2
	mirror "${MODULE_SRC:-$TOP_DIR}" "$dest"
	if ! make -s -C "$kdir" M="$dest" -j"$JOBS" "$@" modules >"$log" 2>&1; then
		cat "$log" >&2
		die "the module does not build against $kdir"
	fi
	grep -vE 'Skipping BTF|compiler differs|The kernel was built by|You are using:' "$log" >&2 || true
	[[ -z ${MODULE_COPY:-} ]] || cp "$dest/sluice.ko" "$MODULE_COPY"
	echo "${MODULE_COPY:-$dest/sluice.ko}"
}

main() {
	local key=${1:?which kernel?} kdir dest
	local -a args=(KCFLAGS=-Werror)
	if [[ $key == --kdir ]]; then
		kdir=$(realpath "${2:?which directory?}") key=""
		dest=$BUILD_DIR/module
		shift 2
	else
		key=$(canonical_key "$key")
		kdir=$("$QEMU_DIR/kernel.sh" kdir "$key")
		dest=$BUILD_DIR/kmod-$key
		shift
	fi
	mapfile -t -O "${#args[@]}" args < <(compiler "$kdir" && toolchain "$key")
	! is_debug_key "$key" || args+=(SLUICE_KUNIT=y)
	[[ $key != *-gcov ]] || args+=(GCOV_PROFILE=y)
	args+=("$@")	# the last one counts
	with_lock "module${dest//\//-}" build "$kdir" "$dest" "${args[@]}"
}

main "$@"
