#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# run.sh [MODEL]... - check what the file "runs" lists, of all models or of
# these. Prints TAP: how many states there were, and how deep they go.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

SECONDS_MAX=${SECONDS_MAX:-300}
MEMORY_MAX=1900		# MB
DEPTH_MAX=1000000

# Where spin looks for included files is where it runs.
translate() {
	local model=$1 quick=0
	# A fault is soon found; compiling would take longer.
	[[ $expected != fails ]] || quick=1
	shift
	cp "$HERE"/*.pml "$WORK"
	(cd "$WORK" && spin -a "$@" "$model.pml") >"$WORK/log" 2>&1 &&
		gcc "-O$((1 - quick))" -w -DSAFETY -DCOLLAPSE -DVECTORSZ=4096 \
			-DMEMLIM=$MEMORY_MAX -o "$WORK/pan" "$WORK/pan.c" \
			>>"$WORK/log" 2>&1
}

search() {
	(cd "$WORK" && timeout -s KILL "$SECONDS_MAX" ./pan -n "-m$DEPTH_MAX") \
		>"$WORK/log" 2>&1
}

# outcome - "holds" only if every state was seen, "fails" only for what the
# models demand: what they themselves are too small for is neither.
outcome() {
	if grep -Eq 'out of memory|MEMLIM bound|max search depth too small|^pan:1: assertion violated \(newest' "$WORK/log"; then
		echo incomplete
	elif grep -Eq '^pan:1: (assertion violated|invalid end state)' "$WORK/log"; then
		echo fails
	elif grep -q 'errors: 0$' "$WORK/log"; then
		echo holds
	else
		echo incomplete
	fi
}

size() {
	awk '/depth reached/ { sub(/,/, "", $6); depth = $6 }
	     /states, stored/ { states = $1 }
	     END { printf "%d states, depth %d", states, depth }' "$WORK/log"
}

check() {
	local expected=$1 model=$2 got=incomplete verdict="ok" start=$SECONDS
	shift 2
	translate "$model" "$@" && { search || true; got=$(outcome); }
	[[ $got == "$expected" ]] || verdict="not ok"
	echo "$verdict $((++number)) - $model${*:+ $*}: $got, $(size), $((SECONDS - start)) s"
	[[ $verdict == ok ]] && return
	failed=1
	sed 's/^/# /' "$WORK/log" | head -n 20
}

number=0
failed=0
command -v spin >/dev/null || { echo "error: spin is not installed" >&2; exit 1; }
while read -r expected model flags; do
	[[ -n $expected && $expected != \#* ]] || continue
	(($#)) && [[ " $* " != *" $model "* ]] && continue
	# shellcheck disable=SC2086  # several words
	check "$expected" "$model" $flags
done <"$HERE/runs"
echo "1..$number"
exit $failed
