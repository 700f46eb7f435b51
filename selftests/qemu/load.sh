#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# load.sh possible | load FILE | unload - the module in the running kernel, with
# words for what usually goes wrong.
# load.sh install FILE [DESTDIR] - to where modprobe of its kernel finds it.
# load.sh host - make the group, and udev apply its rules, which are installed.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/archive.sh
. "$QEMU_DIR/archive.sh"

loaded() { grep -q '^sluice ' /proc/modules 2>/dev/null; }

require_modules() {
	[[ -e /proc/modules ]] ||
		die "this kernel cannot load modules; try it in a guest: make shell"
}

possible() {
	require_modules
	! loaded || die "sluice is loaded already (make unload)"
}

# release_of FILE - of the kernel that it was built for. Asking the build tree
# (make kernelrelease) gives another answer with Debian's headers.
release_of() { modinfo -F vermagic "$1" | cut -d ' ' -f 1; }

load() {
	local wanted
	possible
	wanted=$(release_of "$1")
	[[ $wanted == "$(uname -r)" ]] ||
		die "the module was built for $wanted, this is $(uname -r)"
	as_root insmod "$1" || die "the kernel refused it; the reason is at the end of dmesg"
	echo "loaded: $(ls -l /dev/sluice)"
}

unload() {
	require_modules
	loaded || die "sluice is not loaded"
	as_root rmmod sluice || die "still in use; see who: fuser -v /dev/sluice"
	echo "unloaded"
}

install_module() {
	local release file
	release=$(release_of "$1")
	[[ -n $release ]] || die "cannot tell which kernel $1 is for"
	file=${2:-}/lib/modules/$release/updates/sluice.ko
	install -D -m 644 "$1" "$file"
	[[ -n ${2:-} ]] || depmod -a "$release"
	echo "installed: $file"
}

setup_host() {
	getent group sluice >/dev/null || groupadd --system sluice
	[[ -S /run/udev/control ]] || return 0
	udevadm control --reload
	udevadm trigger --subsystem-match=misc --sysname-match=sluice
}

case ${1:-} in
possible) possible ;;
load) load "${2:?which module?}" ;;
unload) unload ;;
install) install_module "${2:?which module?}" "${3:-}" ;;
host) setup_host ;;
*) die "usage: load.sh possible | load FILE | unload | install FILE [DESTDIR] | host" ;;
esac
