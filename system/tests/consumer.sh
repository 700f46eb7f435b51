#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# consumer.sh OUT - build a program of somebody else with the libraries that
# pkg-config and CMake find, in every way, and run it. TAP. PKG_CONFIG_PATH,
# CMAKE_PREFIX_PATH and LD_LIBRARY_PATH say where, if not where Debian has them;
# EXPECT is what the program shall say of the module, if that is known.
set -u
OUT=$1
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/consumer" && pwd)
EXPECT=${EXPECT:-}
# shellcheck source=system/tests/tap.sh
. "$SOURCE/../tap.sh"

# with_pkg_config NAME PACKAGE [FLAG...] - needs no path of its own in between.
with_pkg_config() {
	local name=$1 package=$2
	shift 2
	# shellcheck disable=SC2046	# they are words
	${CC:-cc} -Wall -Werror "$@" "$SOURCE/consumer.c" -o "$OUT/$name" \
		$(pkg-config --cflags --libs "${PKG_FLAGS[@]}" $package)
}

# works PROGRAM - it runs, with the version that pkg-config promised.
works() {
	local said wanted
	wanted="libsluice $(pkg-config --modversion sluice): $EXPECT"
	said=$("$1") && [[ $said == "$wanted"* ]] || {
		echo "it said '$said', not '$wanted'"
		return 1
	}
}

# links PROGRAM LIBRARY - and no other of ours.
links() {
	local ours
	[[ -x $1 ]] || return
	ours=$(readelf -d "$1" | grep -oE 'libsluice[a-z-]*\.so\.[0-9]+' | sort | xargs)
	[[ $ours == "$2" ]] || {
		echo "linked with '$ours', not '$2'"
		return 1
	}
}

# judged NAME PROGRAM LIBRARY COMMAND...
judged() {
	local name=$1 program=$OUT/$2 library=$3
	shift 3
	rm -f "$program"
	ok "$name builds" "$@"
	ok "$name is linked as it should be" links "$program" "$library"
	ok "$name runs" works "$program"
}

configure() { cmake -S "$SOURCE" -B "$OUT/cmake" "$@"; }
cmake_builds() { cmake --build "$OUT/cmake" --target "$1"; }

both="libsluice-monitor.so.1 libsluice.so.1"
version=$(pkg-config --modversion sluice)
mkdir -p "$OUT" && rm -rf "$OUT/cmake" || exit 1

PKG_FLAGS=()
judged "pkg-config: the library" plain libsluice.so.1 with_pkg_config plain sluice
judged "pkg-config: libsluice-monitor" monitor "$both" \
	with_pkg_config monitor "sluice-monitor sluice" -DMONITOR
PKG_FLAGS=(--static)
judged "pkg-config: all static" static "" with_pkg_config static sluice -static
judged "pkg-config: all static, libsluice-monitor" static_monitor "" \
	with_pkg_config static_monitor "sluice-monitor sluice" -DMONITOR -static

ok "CMake finds it" configure -DWANTED="$version"
judged "CMake: the library" cmake/consumer_sluice libsluice.so.1 cmake_builds consumer_sluice
judged "CMake: the static library" cmake/consumer_sluice_static "" cmake_builds consumer_sluice_static
judged "CMake: libsluice-monitor" cmake/consumer_monitor "$both" cmake_builds consumer_monitor
judged "CMake: libsluice-monitor, static" cmake/consumer_monitor_static "" cmake_builds consumer_monitor_static
ok "CMake takes no later version" fails configure -DWANTED=0.999
ok "CMake takes no other series" fails configure -DWANTED=0.0.1
conclude
