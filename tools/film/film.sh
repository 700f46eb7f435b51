#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# film.sh - what "make film" runs: record "make demo" as it goes on a terminal, and
# draw it. The record stays in build/film/demo.cast, for asciinema, too.
set -euo pipefail
FILM=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$FILM/../.." && pwd)
CAST=${BUILD_DIR:-$TOP/build}/film/demo.cast

mkdir -p "${CAST%/*}"
# The demo's make is nobody's sub-make, and the film shows nothing of ours. pyte is
# a package of the system's own python3.
env -u MAKEFLAGS -u MAKELEVEL /usr/bin/python3 "$FILM/record.py" "$CAST" \
	make -s --no-print-directory -C "$TOP" demo
/usr/bin/python3 "$FILM/render.py" "$CAST" "make demo" "$TOP/doc/demo.svg"
