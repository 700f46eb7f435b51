#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# kernel.sh - kernels to test on, in a cache.
#
#	kernel.sh dir KEY	make the kernel available and print its directory
#	kernel.sh kdir KEY	...and print the directory to build modules against
#	kernel.sh source	print the directory of the newest kernel's source
#	kernel.sh tarball	print the newest linux-source tarball
#	kernel.sh kselftest	print the directory with kselftest_harness.h
#
# A kernel's directory holds vmlinuz (uml: linux, a program), kdir (to build
# modules against), release (what uname -r will say), version (Debian's) and
# lib/modules.
#
# Keys: 6.1 and 6.1-rt are Debian 12's cloud and real-time kernels, 6.12 the
# cloud kernel of its backports, 7.2 (alias debug) is built here from the
# newest linux-source with the checkers of config/debug.config, 7.2-gcov the
# same for coverage, 7.2-kcsan with the detector of data races, 7.2-kmsan with that
# of memory that was never written, uml is User Mode Linux of the same source, which
# runs user code at the machine's own speed, uml-debug the same with checkers, and
# uml-up-debug that for one processor.
# 6.1-arm64 is Debian 12's cloud kernel for 64-bit ARM, with some programs for
# that machine in userland.  Exact versions are looked up through Debian's
# metapackages, once a week; without a network the last ones known are used.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/archive.sh
. "$QEMU_DIR/archive.sh"

SOURCE_SUITE=sid
FALLBACK_SUITE=bookworm-backports

LOOKUP_DAYS=7

# resolve SUITE METAPACKAGE - "package version", from a recent lookup, or else
# from an older one when the archive cannot be reached.
resolve() {
	local known=$CACHE_DIR/resolved/$1/$2
	mkdir -p "${known%/*}"
	if ! is_fresh "$known" $LOOKUP_DAYS && ! resolve_online "$1" "$2" "$known"; then
		warn "cannot look up $2 of Debian $1 (no network?)"
		# Not again at every command of a day without network.
		touch -c -d "$((LOOKUP_DAYS - 1)) days ago" "$known"
	fi
	[[ -s $known ]] || return 1
	cat "$known"
}

resolve_online() {
	local lists=$CACHE_DIR/apt/$1/updated
	if ! is_fresh "$lists" $LOOKUP_DAYS; then
		archive_update "$1" || return
		touch "$lists"
	fi
	archive_depends "$1" "$2" >"$3.new" || return
	mv "$3.new" "$3"
}

# looked_up SUITE COMMAND... - what a lookup named may have been replaced in the
# archive since, so a failure is worth a fresh lookup.
looked_up() {
	local suite=$1
	shift
	"$@" "$suite" && return
	is_fresh "$CACHE_DIR/apt/$suite/updated" $LOOKUP_DAYS || return
	rm -rf "$CACHE_DIR/apt/$suite/updated" "$CACHE_DIR/resolved/$suite"
	"$@" "$suite"
}

# --- Debian's own kernels ----------------------------------------------------

prebuilt_suite() {
	case $1 in
	6.1 | 6.1-rt) echo bookworm ;;
	6.1-arm64) echo bookworm-arm64 ;;
	6.12) echo bookworm-backports ;;
	esac
}

prebuilt_flavour() {
	case $1 in
	*-rt) echo rt-amd64 ;;
	*-arm64) echo cloud-arm64 ;;
	*) echo cloud-amd64 ;;
	esac
}

prebuilt_dir() {
	local suite
	suite=$(prebuilt_suite "$1")
	looked_up "$suite" prebuilt_latest "$1" ||
		die "cannot get the $1 kernel from Debian $suite: is there a network?"
}

prebuilt_latest() {
	local key=$1 suite=$2 flavour image headers dir
	flavour=$(prebuilt_flavour "$key")
	image=$(resolve "$suite" "linux-image-$flavour") || return
	headers=$(resolve "$suite" "linux-headers-$flavour") || return
	dir=$CACHE_DIR/kernel/$key-${image#* }
	[[ -d $dir ]] || prebuilt_fetch "$suite" "$image" "$headers" "$dir" || return
	echo "$dir"
}

# The headers package names the others that it needs by exact version, except
# kbuild in 6.1, which has one package for the whole series.
header_closure() {
	local suite=$1 headers=$2 package
	echo "$headers"
	archive_apt "$suite" apt-cache --no-all-versions show "$headers" |
		sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n' |
		grep -oE 'linux-(headers|kbuild)-[^ ]+' | while read -r package; do
		echo "$package"
	done
}

# foreign_parts SUITE DIR KBUILD - kbuild's programs run here, whatever machine the
# kernel is for; a guest needs programs for that machine, and libraries to link
# its tests with.
foreign_parts() {
	archive_unpack "$1" "$2/userland" busybox-static libnl-3-dev libnl-genl-3-dev || return
	resolve "${1%-arm64}" linux-headers-cloud-amd64 >/dev/null || return
	archive_unpack "${1%-arm64}" "$2" "$3"
}

prebuilt_fetch() {
	local suite=$1 image=$2 headers=$3 dir=$4 tmp release
	local -a packages
	need_space "$CACHE_DIR" 1500 "unpacking a kernel"
	tmp=$(mktemp -d "$CACHE_DIR/kernel.XXXXXX")
	mapfile -t packages < <(header_closure "$suite" "${headers% *}")
	archive_unpack "$suite" "$tmp" "${image% *}=${image#* }" "${packages[@]}" ||
		{ rm -rf "$tmp"; return 1; }
	[[ $suite != *-arm64 ]] ||
		foreign_parts "$suite" "$tmp" "$(printf '%s\n' "${packages[@]}" | grep kbuild)" ||
		{ rm -rf "$tmp"; return 1; }
	release=${image% *}
	release=${release#linux-image-}
	mv "$tmp/boot/vmlinuz-$release" "$tmp/vmlinuz"
	mv "$tmp/boot/System.map-$release" "$tmp/System.map"
	rm -rf "${tmp:?}/boot" "${tmp:?}/usr/share"
	# Written for /usr/src: say where they are now, whatever the cache's path.
	sed -i "s|^include /usr/src/|include \$(dir \$(realpath \$(lastword \$(MAKEFILE_LIST))))../|" \
		"$tmp/usr/src/linux-headers-$release/Makefile"
	# It only makes kbuild ask for pahole, to add type data nobody reads here.
	rm -f "$tmp/usr/src/linux-headers-$release/vmlinux"
	ln -s "usr/src/linux-headers-$release" "$tmp/kdir"
	ln -sfn ../../../kdir "$tmp/lib/modules/$release/build"
	echo "$release" >"$tmp/release"
	echo "${image#* }" >"$tmp/version"
	depmod -b "$tmp" "$release" || { rm -rf "$tmp"; return 1; }
	mkdir -p "${dir%/*}"
	publish_dir "$tmp" "$dir"
}

# --- kernels built here ------------------------------------------------------

# source_dir SUITE - unpacked, with the tarball beside it.
source_dir() { looked_up "$1" source_latest; }

source_latest() {
	local package dir tmp
	package=$(resolve "$1" linux-source) || return
	dir=$CACHE_DIR/source/${package#* }
	[[ -d $dir ]] || with_lock source source_fetch "$1" "$package" "$dir" || return
	echo "$dir"
}

source_fetch() {
	local suite=$1 package=$2 dir=$3 tmp
	[[ ! -d $dir ]] || return 0	# another run was quicker
	need_space "$CACHE_DIR" 5000 "unpacking the kernel source"
	tmp=$(mktemp -d "$CACHE_DIR/source.XXXXXX")
	archive_unpack "$suite" "$tmp" "${package/ /=}" || { rm -rf "$tmp"; return 1; }
	mv "$tmp"/usr/src/linux-source-*.tar.* "$tmp/"
	rm -rf "${tmp:?}/usr"
	mkdir "$tmp/linux"
	info "unpacking the kernel source"
	tar -C "$tmp/linux" --strip-components=1 -xf "$tmp"/linux-source-*.tar.* || return
	mkdir -p "${dir%/*}"
	publish_dir "$tmp" "$dir"
}

config_fragments() {
	case $1 in
	uml*) echo "$QEMU_DIR/config/uml.config" ;;
	*) echo "$QEMU_DIR/config/debug.config" ;;
	esac
	case $1 in
	*-gcov | *-kcsan | *-kmsan) echo "$QEMU_DIR/config/${1##*-}.config" ;;
	uml-up-debug) printf '%s\n' "$QEMU_DIR"/config/uml-{debug,up-debug}.config ;;
	uml-*) echo "$QEMU_DIR/config/$1.config" ;;
	esac
}

# kbuild_args KEY - what make needs to be told for it, one argument a line.
kbuild_args() {
	toolchain "$1"
	is_uml_key "$1" || return 0
	echo "CFLAGS_tlb.o=-include $QEMU_DIR/config/uml-tlb.h"
	! is_debug_key "$1" ||
		echo "CFLAGS_stacktrace.o=-include $QEMU_DIR/config/uml-stacktrace.h"
}

# kernel_image KEY - what is built, and under which name it is kept.
kernel_image() {
	case $1 in
	uml*) echo vmlinux vmlinux linux ;;
	*) echo bzImage arch/x86/boot/bzImage vmlinuz ;;
	esac
}

# What the result depends on besides the source: configuration and compiler.
config_hash() {
	local -a fragments
	mapfile -t fragments < <(config_fragments "$1")
	{
		cat "${fragments[@]}"
		kbuild_args "$1" | sed -n 's/.*-include //p' | xargs -r cat
		gcc --version | head -n 1
		! is_clang_key "$1" || $CLANG --version | head -n 1
	} | sha256sum | cut -c 1-12
}

# built_dir KEY SUITE - built in its final place, because kbuild's trees know
# their own path; "complete" is written last and alone makes it an entry.
built_dir() {
	local key=$1 source dir
	source=$(source_dir "$2") || return
	dir=$CACHE_DIR/kernel/$key-${source##*/}-$(config_hash "$key")
	[[ -e $dir/complete ]] || build_kernel "$key" "$source/linux" "$dir" || return
	echo "$dir"
}

build_kernel() {
	local key=$1 source=$2 dir=$3 log=$3/build.log target image name
	local -a fragments args
	mapfile -t fragments < <(config_fragments "$key")
	mapfile -t args < <(kbuild_args "$key")
	read -r target image name < <(kernel_image "$key")
	need_space "$CACHE_DIR" 4000 "building the $key kernel"
	info "building the $key kernel (some minutes, once); log: $log"
	mkdir -p "$dir/kdir"
	if ! configure_kernel "$source" "$dir/kdir" "${fragments[@]}" >"$log" 2>&1 ||
		! check_config "$dir/kdir/.config" "${fragments[@]}" ||
		! make -C "$source" O="$dir/kdir" -j"$JOBS" "${args[@]}" "$target" modules >>"$log" 2>&1; then
		warn "the $key kernel did not build; the log ends:"
		tail -n 20 "$log" >&2
		return 1
	fi
	cp "$dir/kdir/$image" "$dir/$name"
	cp "$dir/kdir/include/config/kernel.release" "$dir/release"
	mkdir -p "$dir/lib/modules/$(cat "$dir/release")"
	basename "${source%/linux}" >"$dir/version"
	touch "$dir/complete"
}

configure_kernel() {
	local source=$1 out=$2
	shift 2
	make -C "$source" O="$out" "${args[@]}" tinyconfig
	# Later lines win; what is said twice is said on purpose.
	KCONFIG_CONFIG="$out/.config" "$source/scripts/kconfig/merge_config.sh" \
		-m -O "$out" "$out/.config" "$@"
	make -C "$source" O="$out" "${args[@]}" olddefconfig
}

# Options come and go with the kernel's age: one that did not take is told, but
# without these the debug kernel would pass what it is there to find, and two
# programs in User Mode Linux would not run at the same time.
ESSENTIAL='SMP|KASAN|UBSAN|PROVE_LOCKING|PROVE_RCU|DEBUG_ATOMIC_SLEEP|DEBUG_OBJECTS|DEBUG_KMEMLEAK|KUNIT|MODULE_UNLOAD|GCOV_KERNEL|KCOV|KCSAN|KCSAN_STRICT|KCSAN_WEAK_MEMORY|KMSAN|INIT_STACK_NONE'

check_config() {
	local config=$1 line rc=0
	shift
	while read -r line; do
		grep -qxF "$line" "$config" && continue
		warn "the kernel's configuration did not take $line"
		! grep -qE "^CONFIG_($ESSENTIAL)=" <<<"$line" || rc=1
	done < <(wanted_options "$@")
	return $rc
}

# wanted_options FRAGMENT... - what is still wanted after the last fragment; an
# option that is not set takes along those named after it.
wanted_options() {
	awk -F= '/^CONFIG_/ { want[$1] = $0 }
		/^# CONFIG_.* is not set/ {
			split($0, word, " ")
			for (option in want)
				if (index(option "_", word[2] "_") == 1)
					delete want[option]
		}
		END { for (option in want) print want[option] }' "$@"
}

newest_dir() {
	built_dir "$1" "$SOURCE_SUITE" && return
	warn "********************************************************************"
	warn "the newest kernel cannot be had or built here; the $1 kernel is"
	warn "built from the older source of $FALLBACK_SUITE instead"
	warn "********************************************************************"
	built_dir "$1" "$FALLBACK_SUITE" ||
		die "cannot build the $1 kernel (messages above)"
}

# --- entry points ------------------------------------------------------------

kernel_dir() {
	# Whoever wants the kernel wants its compiler, if only for the module.
	! is_clang_key "$1" || "$QEMU_DIR/packages.sh" clang
	case $1 in
	7.2* | uml*) newest_dir "$1" ;;
	*) prebuilt_dir "$1" ;;
	esac
}

any_source() { source_dir "$SOURCE_SUITE" || source_dir "$FALLBACK_SUITE"; }

# Old versions would pile up.  What is used is touched, a kernel with the source
# its build tree points to.
prune_cache() {
	local used=$1 source
	source=$CACHE_DIR/source/$(cat "$used/version")
	touch -c "$used" "$source"
	find "$CACHE_DIR/kernel" "$CACHE_DIR/source" "$CACHE_DIR" -mindepth 1 -maxdepth 1 \
		\( -path "$CACHE_DIR/kernel/*" -o -path "$CACHE_DIR/source/*" -o \
		-name 'kernel.*' -o -name 'source.*' -o -name 'download.*' \) \
		-type d -mtime +30 -exec rm -rf {} + 2>/dev/null || true
}

main() {
	local what=${1:-} key dir
	mkdir -p "$CACHE_DIR"
	case $what in
	dir | kdir)
		key=$(canonical_key "${2:?which kernel?}")
		dir=$(with_lock "kernel-$key" kernel_dir "$key")
		prune_cache "$dir"
		if [[ $what == dir ]]; then echo "$dir"; else echo "$dir/kdir"; fi
		;;
	source | tarball | kselftest)
		dir=$(any_source) ||
			die "cannot get linux-source from Debian: is there a network?"
		touch -c "$dir"
		case $what in
		source) echo "$dir/linux" ;;
		tarball) echo "$dir"/linux-source-*.tar.* ;;
		kselftest) echo "$dir/linux/tools/testing/selftests" ;;
		esac
		;;
	*) die "usage: kernel.sh dir|kdir KEY | source | tarball | kselftest" ;;
	esac
}

main "$@"
