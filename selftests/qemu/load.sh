#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# load.sh load FILE | unload - the module in the running kernel, with words for
# what usually goes wrong.
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

load() {
	local wanted
	! loaded || die "sluice is loaded already (make unload)"
	wanted=$(modinfo -F vermagic "$1" | cut -d ' ' -f 1)
	[[ $wanted == "$(uname -r)" ]] ||
		die "the module was built for $wanted, this is $(uname -r)"
	as_root insmod "$1" || die "the kernel refused it; the reason is at the end of dmesg"
	echo "loaded: $(ls -l /dev/sluice)"
}

unload() {
	loaded || die "sluice is not loaded"
	as_root rmmod sluice || die "still in use; see who: fuser -v /dev/sluice"
	echo "unloaded"
}

require_modules
case ${1:-} in
load) load "${2:?which module?}" ;;
unload) unload ;;
*) die "usage: load.sh load FILE | unload" ;;
esac
