# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2086
#
# tap.sh - what suites in shell share: results as TAP, patience, a directory of
# their own, in which they are once they have sourced this. They end with
# "finish".

WORK=$(mktemp -d "/tmp/$(basename "$0" .sh).XXXXXX")
cd "$WORK" || exit 1
count=0 failed=0

# A kernel with every checker is slower, by so much; $limit seconds are for what
# takes no time unless it hangs, $patience seconds for what is to come about.
scale=$(awk 'BEGIN { s = ENVIRON["SLUICE_SCALE"]; print (s > 1 ? int(s) : 1) }')
if [ "$scale" -gt 1 ]; then
	limit=120 patience=150
else
	limit=30 patience=30
fi

# Files that ok shows if it is not, and those that it removes then and otherwise.
shown="out err" removed="out err"

# ok NAME - judges the command before it.
ok() {
	status=$?
	count=$((count + 1))
	if [ $status = 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		for file in $shown; do
			head -c 2000 "$file" 2>/dev/null |
				awk -v file="$file" '{ gsub(/[^ -~]/, "?"); print "# " file ": " $0 }'
		done
		failed=$((failed + 1))
	fi
	rm -f $removed
}

# until_true COMMAND... - as soon as it is.
until_true() {
	tries=$((patience * 20))
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# exits STATUS COMMAND...
exits() {
	wanted=$1
	shift
	"$@"
	status=$?
	[ $status = "$wanted" ] || { echo "exit status $status, not $wanted" >>err; return 1; }
}

finish() {
	cd / && rm -rf "$WORK"
	echo "1..$count"
	exit $((failed > 0))
}
