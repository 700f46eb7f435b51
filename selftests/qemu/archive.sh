# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# archive.sh - packages of other Debian suites, without touching the machine's
# own apt configuration.
#
# The address comes from the machine's own sources, as apt itself understands
# them, so a mirror or a proxy that the administrator chose is used here too,
# and both source formats work.  Third-party archives are told apart by the
# label in their signed Release file.
#
# Sourced, after common.sh.

# archive_uri LABEL - the machine's source for that part of Debian's archive.
archive_uri() {
	# shellcheck disable=SC2016	# apt expands these, not the shell
	apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		awk -v want="$1" '$1 == want { print $2; exit }'
}

# as_root COMMAND...
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "need root for: $*  (not root, and there is no sudo)"
	fi
}

# require_archive_uri - a fresh container has sources but no lists yet.
require_archive_uri() {
	# shellcheck disable=SC2016	# apt expands these, not the shell
	local uri
	uri=$(archive_uri Debian)
	if [[ -z $uri ]]; then
		as_root apt-get update -qq >&2 || die "apt-get update failed: is there a network?"
		uri=$(archive_uri Debian)
	fi
	[[ -n $uri ]] || die "found no Debian archive among this machine's apt sources"
	echo "$uri"
}

# A suite's name may end in an architecture.
archive_architecture() { if [[ $1 == *-arm64 ]]; then echo arm64; else echo amd64; fi; }

archive_sources() {
	local suite=${1%-arm64} keyring=/usr/share/keyrings/debian-archive-keyring.gpg opts="" uri security
	[[ -r $keyring ]] && opts="[signed-by=$keyring] "
	uri=$(require_archive_uri)
	echo "deb $opts$uri $suite main"
	# Stable suites get their kernels from the security archive first.
	if [[ $suite != sid && $suite != *-backports ]]; then
		security=$(archive_uri Debian-Security)
		[[ -z $security ]] || echo "deb $opts$security $suite-security main"
	fi
}

# archive_apt SUITE TOOL ARGS... - run an apt tool on a private state.
archive_apt() {
	local state=$CACHE_DIR/apt/$1 tool=$2 architecture
	architecture=$(archive_architecture "$1")
	shift 2
	"$tool" -qq \
		-o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$state/lists" \
		-o Dir::Cache="$state/cache" \
		-o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
		-o APT::Sandbox::User="" \
		-o Acquire::Languages=none \
		-o Acquire::Retries=1 -o APT::Update::Error-Mode=any \
		-o Acquire::Check-Valid-Until=false \
		"$@"
}

# archive_update SUITE
archive_update() {
	local state=$CACHE_DIR/apt/$1
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	archive_sources "$1" >"$state/sources.list.new" || return
	mv "$state/sources.list.new" "$state/sources.list"
	info "reading the package lists of Debian $1"
	archive_apt "$1" apt-get update >&2
}

# archive_depends SUITE METAPACKAGE - "package version" of the real package
# which the newest version of a metapackage stands for.
archive_depends() {
	local real version
	real=$(archive_apt "$1" apt-cache --no-all-versions show "$2" |
		sed -n 's/^Depends: *\([^ ,]*\).*/\1/p' | head -n 1)
	[[ -n $real ]] || return 1
	version=$(archive_version "$1" "$real")
	[[ -n $version ]] || return 1
	echo "$real $version"
}

archive_version() {
	archive_apt "$1" apt-cache --no-all-versions show "$2" |
		sed -n 's/^Version: //p' | head -n 1
}

# archive_unpack SUITE DESTINATION PACKAGE[=VERSION]...
archive_unpack() {
	local suite=$1 dest=$2 tmp deb
	shift 2
	tmp=$(mktemp -d "$CACHE_DIR/download.XXXXXX")
	info "downloading $*"
	if ! (cd "$tmp" && archive_apt "$suite" apt-get download "$@" >&2); then
		rm -rf "$tmp"
		return 1
	fi
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$dest" || return
	done
	rm -rf "$tmp"
}
