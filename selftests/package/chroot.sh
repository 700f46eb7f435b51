# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# chroot.sh - Debian systems of our own in directories: to build packages in,
# and to make a guest's disk of. They are made once and kept in the cache, as
# are the packages they are made of.
#
# Sourced, after common.sh and archive.sh.

# shellcheck disable=SC2034	# for the scripts that source this file
SUITE=bookworm
PACKAGE_CACHE=$CACHE_DIR/package
ROOT_DAYS=30		# later, its packages are too old

# in_root ROOT COMMAND... - with file systems that go when the command has ended,
# however it ends, and nothing of our environment but the way out.
in_root() {
	local root=$1
	shift
	# shellcheck disable=SC2016	# the inner shell's
	as_root unshare --mount --propagation private sh -c \
		'mount -t proc proc "$1/proc" &&
		 mount -t devpts -o newinstance,ptmxmode=666 devpts "$1/dev/pts" &&
		 mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm" &&
		 exec chroot "$@"' sh "$root" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "http_proxy=${http_proxy:-}" \
		"https_proxy=${https_proxy:-}" "no_proxy=${no_proxy:-}" "$@" </dev/null
}

in_root_apt() {
	local root=$1
	shift
	in_root "$root" apt-get -qq -y --no-install-recommends \
		-o APT::Keep-Downloaded-Packages=true -o Dpkg::Use-Pty=0 \
		-o Acquire::Retries=3 -o Acquire::Check-Valid-Until=false "$@"
}

# The proxy that the machine's own apt was told to use.
apt_proxy() {
	local PROXY=""
	eval "$(apt-config shell PROXY Acquire::http::Proxy)"
	[[ -z $PROXY ]] || echo "Acquire::http::Proxy \"$PROXY\";"
}

# bootstrap ROOT PACKAGE...
bootstrap() {
	local root=$1 debs=$PACKAGE_CACHE/debs uri
	shift
	uri=$(require_archive_uri)
	mkdir -p "$debs"
	as_root debootstrap --variant=minbase --include=ca-certificates \
		--cache-dir="$debs" "$SUITE" "$root" "$uri" >&2
	archive_sources "$SUITE" | as_root tee "$root/etc/apt/sources.list" >/dev/null
	apt_proxy | as_root tee "$root/etc/apt/apt.conf.d/90proxy" >/dev/null
	echo force-unsafe-io | as_root tee "$root/etc/dpkg/dpkg.cfg.d/unsafe-io" >/dev/null
	as_root cp -a "$debs/." "$root/var/cache/apt/archives/"
	in_root_apt "$root" update >&2
	in_root_apt "$root" install "$@" >&2
	as_root find "$root/var/cache/apt/archives" -name '*.deb' -exec mv -f -t "$debs" {} +
}

# Files that say what a system shall be.
SYSTEM_FILES=("${BASH_SOURCE[0]}")

# system_key ARGUMENT... - what is made of the same, by the same, is the same.
system_key() {
	{ printf '%s\n' "$@" && cat "${SYSTEM_FILES[@]}"; } | sha256sum | head -c 12
}

# forget_old NAME KEEP - entries of that name, but the one that is good.
forget_old() {
	local entry
	for entry in "$PACKAGE_CACHE/$1"-*; do
		[[ ! -e $entry || $entry == "$2" ]] || as_root rm -rf --one-file-system "$entry"
	done
}

# cached NAME MAKE ARGUMENT... - the directory that "MAKE DIRECTORY ARGUMENT..."
# fills, unless there is one already that is not too old.
cached() {
	local name=$1 make=$2 entry
	shift 2
	entry=$PACKAGE_CACHE/$name-$(system_key "$@")
	mkdir -p "$PACKAGE_CACHE"
	[[ -e $entry ]] && ! is_fresh "$entry" "$ROOT_DAYS" && as_root rm -rf --one-file-system "$entry"
	if [[ ! -e $entry ]]; then
		need_space "$PACKAGE_CACHE" 6000 "a Debian system"
		info "making a Debian $SUITE in the cache ($name)"
		mkdir -p "$PACKAGE_CACHE"
		as_root rm -rf --one-file-system "$entry.new"
		mkdir "$entry.new"
		"$make" "$entry.new" "$@" || return
		# debootstrap leaves the directory the age of a package.
		as_root touch "$entry.new"
		mv -T "$entry.new" "$entry"
	fi
	forget_old "$name" "$entry"
	echo "$entry"
}
