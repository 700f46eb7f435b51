#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# check.sh OUT - is the manual whole, and does its check see what is wrong? The
# manual is made in OUT. TAP.
set -u
OUT=$1
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=system/tests/tap.sh
. "$TOP/system/tests/tap.sh"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

built() { python3 "$TOP/doc/manual/build.py" "$OUT"; }

# Every function, command and page of this directory has its place.
has_all() {
	local path name
	for path in "$TOP"/*/man/*.[1-9]; do
		name=${path##*/}
		[[ -s $OUT/$name.html ]] || { echo "no page of $name"; return 1; }
	done
	for path in "$TOP"/doc/*.md; do
		name=$(basename "$path" .md)
		[[ -s $OUT/$name.html ]] || { echo "no page of $name.md"; return 1; }
	done
}

# links_are_wrong TEXT SED-SCRIPT - a fault of that kind is seen.
links_are_wrong() {
	local text=$1 script=$2
	rm -rf "$WORK/manual"
	cp -r "$OUT" "$WORK/manual"
	sed -i "$script" "$WORK/manual/locks.html"
	python3 "$TOP/doc/manual/links.py" "$WORK/manual" >"$WORK/said" && return 1
	grep -qF "$text" "$WORK/said"
}

nobody_links() {
	rm -rf "$WORK/manual"
	cp -r "$OUT" "$WORK/manual"
	cp "$WORK/manual/locks.html" "$WORK/manual/alone.html"
	python3 "$TOP/doc/manual/links.py" "$WORK/manual" | grep -qx "alone.html: nothing links to it"
}

film_in_order() {
	python3 -c 'import sys, xml.dom.minidom as dom; dom.parse(sys.argv[1])' "$TOP/doc/demo.svg" || return
	(($(stat -c %s "$TOP/doc/demo.svg") < 200000)) || { echo "too large"; return 1; }
	# What is not hidden at first is what stays.
	grep -v 'visibility="hidden"' "$TOP/doc/demo.svg" | grep -q "DEMO PASSED"
}

# Progress is thinned, pauses are cut, and the last states stay.
film_of_little() {
	{
		echo '{"version": 2, "width": 40, "height": 5}'
		local at
		for at in $(seq 100); do
			printf '[%d.5, "o", "\\r%d %%"]\n' "$at" "$at"
		done
		printf '%s\n' '[900, "o", "\r\n\u001b[31m<done>\u001b[0m\r\n"]'
	} >"$WORK/cast"
	/usr/bin/python3 "$TOP/tools/film/render.py" "$WORK/cast" "make it" "$WORK/svg" || return
	(($(grep -c ' %</text>' "$WORK/svg") <= 9)) &&
		grep -v 'visibility="hidden"' "$WORK/svg" | grep -q '>100 %<' &&
		grep -v 'visibility="hidden"' "$WORK/svg" | grep -q 'fill="#ff7b72">&lt;done&gt;<' &&
		grep -q 'dur="[89]\.' "$WORK/svg"
}

ok "the manual: every link leads somewhere" built
ok "every manual page and every text is in it" has_all
ok "a link to a page that is not there is seen" \
	links_are_wrong "no such file: nowhere.html" 's/href="abi.html"/href="nowhere.html"/'
ok "a link to an anchor that is not there is seen" \
	links_are_wrong "no such anchor: abi.html#nowhere" 's/href="abi.html"/href="abi.html#nowhere"/'
ok "an id that is there twice is seen" links_are_wrong "is there twice" 's/ id="[^"]*"/ id="same"/g'
ok "a page that nobody links to is seen" nobody_links

ok "the film of the demo is XML, small, and ends well" film_in_order
if /usr/bin/python3 -c 'import pyte' 2>/dev/null; then
	ok "a film is drawn from what a terminal has shown" film_of_little
else
	skip "a film is drawn from what a terminal has shown" "no python3-pyte"
fi
conclude
