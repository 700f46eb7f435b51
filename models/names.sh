#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# names.sh - do the models speak of the code that there is? Prints TAP.
#
# What a model says after "code:" is there, in that file. Each fence and each
# pairing that a model can leave out (F1, R2, ...) is one of doc/memory-model.md and
# of the code's comments; each one there is in a model, or README.md says why not.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/.." && pwd)
DOC=$TOP/doc/memory-model.md
LABEL='[AEFRW][0-9]'
number=0
failed=0

result() {
	local verdict="not ok"
	if "${@:2}"; then
		verdict="ok"
	else
		failed=1
	fi
	echo "$verdict $((++number)) - $1"
}

# The lines of the models: "FILE name name() name()".
references() {
	grep -ho 'code: .*' "$HERE"/*.pml | sed 's/^code: //; s/ *\*\/.*$//'
}

is_there() { grep -qE "(^|[^a-z_0-9])${2%()}([^a-z_0-9]|$)" "$TOP/$1" 2>/dev/null; }

# defined FILE NAME() - not merely called there: the name is at a line's start,
# after a type, or is a macro.
defined() {
	grep -qE "^([a-z_].*[ *])?${2%()}\(|^#define ${2%()}\(" "$TOP/$1" 2>/dev/null
}

check_reference() {
	local file=$1 name
	shift
	for name in "$@"; do
		if [[ $name == *"()" ]]; then
			result "$file defines $name" defined "$file" "$name"
		else
			result "$file has $name" is_there "$file" "$name"
		fi
	done
}

labels() { grep -hoE "\<$LABEL\>" "$@" | sort -u; }
modelled() { grep -hE '^#ifndef' "$HERE"/*.pml | grep -oE "\<$LABEL\>" | sort -u; }
explained() { sed -n '/^## Not modelled/,/^## /p' "$HERE/README.md" | grep -oE "\<$LABEL\>" | sort -u; }
has_line() { grep -qx "$1" <<<"$2"; }

check_labels() {
	local doc model explanation code label
	doc=$(labels "$DOC")
	model=$(modelled)
	explanation=$(explained)
	code=$(labels "$TOP"/lib/ring/*.[ch] "$TOP"/kmod/*.[ch])
	for label in $model; do
		result "$label of a model is in doc/memory-model.md" has_line "$label" "$doc"
		result "$label of a model is in the code" has_line "$label" "$code"
	done
	for label in $doc; do
		result "$label of doc/memory-model.md is modelled, or it says why not" \
			has_line "$label" "$model"$'\n'"$explanation"
	done
}

while read -r file names; do
	# shellcheck disable=SC2086  # several words
	check_reference "$file" $names
done < <(references | sort -u)
((number > 20)) || { echo "not ok - the models name hardly anything"; exit 1; }
check_labels
echo "1..$number"
exit $failed
