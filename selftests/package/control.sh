# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# control.sh - what the tree says of its packages. Sourced, after common.sh.

tree_version() { sed -n '1s/.*(\(.*\)).*/\1/p' "$TOP_DIR/debian/changelog"; }

# later_version N - what the Nth release after this one could be called.
later_version() {
	local version
	version=$(tree_version)
	echo "${version%.*}.$((${version##*.} + $1))"
}

# What debian/control wants, as apt takes it on a command line.
build_dependencies() {
	sed -n '/^Build-Depends/,/^Standards-Version:/ { s/^ \([a-z0-9.+-]*\).*/\1/p }' "$TOP_DIR/debian/control" |
		sed 's/^debhelper-compat$/debhelper/'
}
