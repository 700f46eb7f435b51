#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check.sh OUT - are the examples of settings complete and right? Does "make
# install" leave in OUT/installed what a host needs? TAP.
set -u
OUT=$(mkdir -p "$1" && cd "$1" && pwd)
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=system/tests/tap.sh
. "$TOP/system/tests/tap.sh"

# The module's parameters and their defaults, as numbers.
parameters() {
	local name value
	sed -nE 's/^static unsigned (int|long) ([a-z_]+)( = ([^;]*))?;$/\2 \4/p' \
		"$TOP/kmod/tunables.c" | while read -r name value; do
		echo "$name=$((${value//[UL]/}))"
	done | sort
}

examples() {
	sed -nE 's/^#?options sluice //p' "$TOP/system/examples/modprobe.conf" | sort
}

count_of_parameters() {
	(($(grep -c '^module_param(' "$TOP/kmod/tunables.c") == $(parameters | wc -l)))
}

names_in_manual() {
	diff <(parameters | sed 's/=.*//') \
		<(sed -n 's/^\.It Va //p' "$TOP/system/man/sluice.4" | sort)
}

manual_in_order() { mandoc -T lint -W warning "$TOP/system/man/sluice.4"; }

same_settings() { diff <(parameters) <(examples); }

install_everything() {
	rm -rf "$PREFIX"
	env -u MAKEFLAGS make -s -C "$TOP" install host_install PREFIX="$PREFIX" DESTDIR=/
}

installed() {
	local file
	for file; do
		[[ -s $PREFIX/$file ]] || { echo "no $file"; return 1; }
	done
}

ok "the check knows every parameter of the module" count_of_parameters
ok "modprobe.conf has them all, with their defaults" same_settings
ok "sluice(4) has them all" names_in_manual
ok "sluice(4): lint" manual_in_order

PREFIX=$OUT/installed
ok "make install host_install" install_everything
ok "what a host needs is there" installed lib/udev/rules.d/60-sluice.rules \
	lib/sysusers.d/sluice.conf lib/modules-load.d/sluice.conf \
	share/doc/sluice/examples/{modprobe,sysctl}.conf share/man/man4/sluice.4

conclude
