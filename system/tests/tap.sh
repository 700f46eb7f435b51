# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# tap.sh - results of commands as TAP. Sourced.

TAP_COUNT=0 TAP_FAILED=0

# ok NAME COMMAND... - what it says is only worth showing when it failed.
ok() {
	local name=$1 said
	shift
	TAP_COUNT=$((TAP_COUNT + 1))
	if said=$("$@" 2>&1); then
		echo "ok $TAP_COUNT - $name"
	else
		echo "not ok $TAP_COUNT - $name"
		sed 's/^/# /' <<<"$said"
		TAP_FAILED=$((TAP_FAILED + 1))
	fi
}

# skip NAME WHY
skip() {
	TAP_COUNT=$((TAP_COUNT + 1))
	echo "ok $TAP_COUNT - $1 # SKIP $2"
}

fails() { ! "$@"; }

conclude() {
	echo "1..$TAP_COUNT"
	((TAP_FAILED == 0))
}
