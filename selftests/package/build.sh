#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# build.sh [VERSION]... - build the source and binary packages of this tree in a
# clean Debian, and have lintian look at them, into build/package/VERSION. A
# VERSION other than the tree's is there for upgrades to be tested: its package
# is built for that version, and nobody checks it.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu/common.sh"
# shellcheck source=selftests/qemu/archive.sh
. "$QEMU_DIR/archive.sh"
# shellcheck source=selftests/package/control.sh
. "$TOP_DIR/selftests/package/control.sh"
# shellcheck source=selftests/package/chroot.sh
. "$TOP_DIR/selftests/package/chroot.sh"

# What a release would have, that is, no file that git ignores; each with a zero
# byte behind it.
tree_files() {
	cd "$TOP_DIR"
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -print0
	fi | while IFS= read -r -d '' file; do
		[[ ! -e $file ]] || printf '%s\0' "$file"
	done
}

# export_tree DIRECTORY
export_tree() { (cd "$TOP_DIR" && tree_files | tar -c --null -T - -f -) | tar -x -C "$1"; }

# up_to_date VERSION - no file is younger than its packages.
up_to_date() {
	[[ -e $BUILD_DIR/package/$1.built ]] &&
		! (tree_files | (cd "$TOP_DIR" && find -files0-from - -newer "$BUILD_DIR/package/$1.built")) |
		grep -q .
}

# set_version DIRECTORY VERSION - everywhere, as the next release will.
set_version() {
	local dir=$1 old new=$2
	old=$(tree_version)
	sed -i "s/MODULE_VERSION(\"$old\")/MODULE_VERSION(\"$new\")/" "$dir/kmod/main.c"
	sed -i "s/^\(VERSION.*:= \)$old$/\1$new/" "$dir"/{lib,monitor}/Makefile
	{
		printf 'sluice (%s) unstable; urgency=medium\n\n' "$new"
		printf '  * To test upgrades with.\n\n'
		sed -n '/^ -- /{p;q}' "$TOP_DIR/debian/changelog"
		echo
		cat "$TOP_DIR/debian/changelog"
	} >"$dir/debian/changelog"
}

# The tree's own version is tested and checked, source and all.
build_in() {
	local root=$1 dir=$2 version=$3
	local -a options=(-us -uc)
	if [[ $version == "$(tree_version)" ]]; then
		in_root "$root" sh -c "cd '$dir/sluice' && dpkg-buildpackage ${options[*]}" || return
		in_root "$root" sh -c "cd '$dir' && lintian --allow-root -I --pedantic \
			--fail-on error,warning,info,pedantic *.changes"
	else
		in_root "$root" sh -c "cd '$dir/sluice' &&
			DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage ${options[*]} -b"
	fi
}

# collect FROM TO - the files are the user's, not root's.
collect() {
	mkdir -p "$2"
	rm -f "$2"/*
	as_root find "$1" -maxdepth 1 -type f -exec cp -t "$2" {} +
	[[ -O $2/. ]] && as_root chown -R "$(id -u):$(id -g)" "$2"
}

build_version() {
	local root=$1 version=$2 out=$BUILD_DIR/package/$2 dir rc=0
	! up_to_date "$version" || return 0
	dir=$(as_root mktemp -d "$root/build.XXXXXX")
	as_root chmod 755 "$dir"
	mkdir -p "$out"
	touch "$out.begun"
	TREE=$(mktemp -d "${TMPDIR:-/tmp}/sluice-tree.XXXXXX")
	trap 'rm -rf "$TREE"' EXIT
	export_tree "$TREE"
	[[ $version == "$(tree_version)" ]] || set_version "$TREE" "$version"
	as_root cp -r "$TREE" "$dir/sluice"
	as_root chown -R 0:0 "$dir/sluice"
	rm -rf "$TREE"
	info "building the packages of version $version"
	build_in "$root" "/${dir##*/}" "$version" >"$out.log" 2>&1 || rc=$?
	((rc != 0)) || collect "$dir" "$out"
	as_root rm -rf --one-file-system "$dir"
	if ((rc != 0)); then
		tail -n 60 "$out.log" >&2
		die "the packages of version $version are not as they should be; all of it is in $out.log"
	fi
	mv "$out.begun" "$out.built"
	info "built: $out"
}

build_all() {
	local root version
	local -a needs
	mapfile -t needs < <(build_dependencies)
	root=$(cached build bootstrap build-essential lintian "${needs[@]}")
	for version; do
		build_version "$root" "$version"
	done
}

(($#)) || set -- "$(tree_version)"
mkdir -p "$BUILD_DIR/package"
with_lock package-build build_all "$@"
