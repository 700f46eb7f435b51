#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check.sh OUT - what can be checked of the command without the module: usage,
# messages, man pages, the README's example. OUT is where it was built. TAP.
set -u
OUT=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
SLUICE=$OUT/sluice
MANDOC=${MANDOC:-mandoc}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
count=0 failed=0

# result STATUS NAME - and show what the last command said if it is bad.
result() {
	count=$((count + 1))
	if (($1 == 0)); then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		sed 's/^/# /' "$WORK/out" "$WORK/err" 2>/dev/null
		failed=$((failed + 1))
	fi
}

# run STATUS ARGUMENT... - true if the command ends so.
run() {
	local wanted=$1 rc=0
	shift
	"$SLUICE" "$@" </dev/null >"$WORK/out" 2>"$WORK/err" || rc=$?
	((rc == wanted))
}

help_of() {
	run 0 $1 --help && grep -q "^Usage: sluice $1" "$WORK/out" && [[ ! -s $WORK/err ]]
	result $? "sluice $1 --help"
}

# usage TEXT ARGUMENT... - a wrong command line is told so, and ends with 2.
usage() {
	local text=$1
	shift
	run 2 "$@" && grep -qF -- "$text" "$WORK/err" && [[ ! -s $WORK/out ]]
	result $? "wrong: sluice $*"
}

check_usage() {
	local command
	for command in "" $(commands); do
		help_of "$command"
	done
	run 0 --version && grep -qxE 'sluice [0-9]+\.[0-9]+\.[0-9]+' "$WORK/out"
	result $? "sluice --version"
	usage "a command is needed"
	usage "no such command: 'puv'" puv
	usage "unrecognized option" --foo
	usage "unrecognized option" pub --foo x
	usage "no such group of events: 'foo'" monitor foo
	usage "name of a channel is needed" pub
	usage "name of a channel is needed" sub --stay
	usage "name of a channel is needed" stat
	usage "one channel at a time" stat a b
	usage "what to connect to" attach x
	usage "what is 'b:2'?" attach x a:1 b:2
	usage "only one of" attach --raw --length x a:1
	usage "1 to 64 bytes" pub ""
	usage "1 to 64 bytes" sub "$(printf '%065d' 0)"
	usage "no control characters" sub $'a\tb'
	usage "--block: must not be 0" pub --block 0 x
	usage "--block: not a size: '3Q'" pub --block 3Q x
	usage "--block: not a number: '-1'" pub --block=-1 x
	usage "--pool: too large" pub --pool 99999999T x
	usage "--pool: too large" pub --pool 99999999999999999999 x
	usage "--framed: must be 1, 2, 4 or 8" pub --framed=3 x
	usage "--framed: must be 1 to 8" sub --framed=9 x
	usage "only one of" pub --null --whole x
	usage "only one of" sub --null --raw x
	usage "--pattern: must be" pub --pattern ring x
	usage "--policy: must be" pub --policy drop x
	usage "--slots: must be a power of two" pub --slots 100 x
	usage "--mode: must be octal" pub --mode 0777 x
	usage "--mode: must be octal" pub --mode rw x
	usage "--owner: no such user" pub --owner no-such-user x
	usage "--group: no such group" pub --group no-such-group x
	usage "--timeout: not a number" sub --timeout soon x
	usage "--timeout: not a number" sub --timeout=-1 x
	usage "--count: must be 1" sub --count 0 x
	usage "A command comes after --" sub x cat
	usage "--on-failure needs a command" sub --on-failure stop x
	usage "--on-failure: must be" sub --on-failure retry x -- true
	usage "a command gets the bare message" sub --raw x -- true
	usage "a command is needed, after --" lock a
	usage "a command is needed, after --" lock a --
	usage "--file, is needed" lock -- true
	usage "1 to 64 bytes" lock "" -- true
	usage "1 to 64 bytes" lock "$(printf '%065d' 0)" -- true
	usage "1 to 64 bytes" lock --lockspace "" a -- true
	usage "no control characters" lock --lockspace $'a\tb' a -- true
	usage "no more than 64" lock $(seq 65) -- true
	usage "--mode: must be nl, cr" lock --mode 7 a -- true
	usage "--consistent needs" lock --shared --consistent a -- true
	usage "--consistent needs" lock --mode up --consistent a -- true
	usage "--fcntl and --flock need --file" lock --fcntl a -- true
	usage "need mode pr" lock --flock --mode cw --file /tmp/a -- true
	usage "--flock is for whole files" lock --flock --range 1- --file /tmp/a -- true
	usage "--range: must be" lock --range 5 a -- true
	usage "--range: not a number" lock --range=-5 a -- true
	usage "--range: not a number" lock --range 5-x a -- true
	usage "the end is before" lock --range 5-4 a -- true
	usage "--priority: must be" lock --priority 128 a -- true
	usage "--priority: must be" lock --priority=-128 a -- true
	usage "--priority: must be" lock --priority high a -- true
	usage "--timeout: not a number" lock --timeout soon a -- true
	usage "--conflict-exit-code: must be" lock -E 256 a -- true
	usage "--lockspace-mode: must be octal" lock --lockspace-mode 0777 a -- true
	usage "--lockspace-group: no such group" lock --lockspace-group no-such-group a -- true
	usage "one lockspace at a time" locks a b
	usage "one lockspace at a time" deadlocks a b
	usage "1 to 64 bytes" locks ""
	usage "one channel at a time" doctor a b
	usage "1 to 64 bytes" doctor ""
	usage "--view: must be channels, endpoints" top --view all
	usage "--sort: waits have no column 'lag'" top --view waits --sort lag
	usage "--delay: must be 0.1 to 3600" top --delay 0.01
	usage "--delay: must be 0.1 to 3600" top --delay 3601
	usage "--count: must be 1" top --batch --count 0
	usage "--count needs --batch" top --count 3
	usage "--filter: no more than 63 bytes" top --filter "$(printf '%064d' 0)"
	usage "--listen: an address is needed" exporter --listen :1
	usage "--limit: not a number" exporter --limit many
}

check_full_device() {
	local rc=0
	"$SLUICE" --help >/dev/full 2>"$WORK/err" || rc=$?
	((rc == 1))
	result $? "output that cannot be written is a failure"
}

check_no_device() {
	local command
	if [[ -e /dev/sluice ]]; then
		result 0 "without the module # SKIP there is one here"
		return
	fi
	for command in "pub x" "sub x" "attach x a:1" ls "stat x" "ls -l" locks "locks x" deadlocks "top -b"; do
		run 1 $command && grep -q "kernel module is not loaded" "$WORK/err"
		result $? "without the module: sluice $command"
	done
	run 125 lock x -- touch "$WORK/ran" && grep -q "kernel module is not loaded" "$WORK/err" &&
		[[ ! -e $WORK/ran ]]
	result $? "without the module: sluice lock does not run the command"
}

# Every command that there is, as the program itself knows them.
commands() { sed -nE 's/^\t\{ "([a-z]+)", [a-z]+_main \},$/\1/p' main.c; }

# other MAJOR MINOR FEATURES STATUS ARGUMENT... - with a module of that kind.
other() {
	local module="$1 $2 $3" status=$4
	shift 4
	LD_PRELOAD=$OUT/other-module.so OTHER_MODULE=$module run "$status" "$@"
}

check_other_module() {
	local major minor ours
	if [[ -e /dev/sluice ]]; then
		result 0 "another module # SKIP there is one here"
		return
	fi
	major=$(sed -n 's/^#define SLUICE_ABI_MAJOR[[:space:]]*//p' ../uapi/linux/sluice.h)
	minor=$(sed -n 's/^#define SLUICE_ABI_MINOR[[:space:]]*//p' ../uapi/linux/sluice.h)
	ours="of the protocol, this library $major.$minor"
	other $((major + 1)) 7 ff 1 ls && grep -qx "sluice: the module speaks version $((major + 1)) of the protocol, this program $major" "$WORK/err" &&
		grep -qx 'sluice: what to do: sluice doctor' "$WORK/err"
	result $? "a module of another major version is refused, and it is told why"
	other $((major + 1)) 7 ff 125 lock x -- touch "$WORK/ran" && [[ ! -e $WORK/ran ]] && grep -q "speaks version $((major + 1))" "$WORK/err"
	result $? "...also by sluice lock"
	other $((major + 1)) 7 ff 1 doctor x &&
		grep -A 1 -E "^problem  version    the module speaks version $((major + 1))\.7 $ours: they cannot" "$WORK/out" |
		grep -q "what to do: update the library" && ! grep -qE '^[a-z]+ +(features|channel)' "$WORK/out"
	result $? "...and sluice doctor says which is too old: the library"
	other $((major - 1)) 9 ff 1 doctor &&
		grep -A 1 -E "^problem  version    the module speaks version $((major - 1))\.9 $ours" "$WORK/out" |
		grep -q "what to do: update the module"
	result $? "...or the module"
	other "$major" $((minor - 1)) ff 1 doctor &&
		grep -A 1 -E "^warning  version    the module speaks version $major\.$((minor - 1)) $ours$" "$WORK/out" |
		grep -q "what came since is not there"
	result $? "a module of an older minor version"
	other "$major" $((minor + 1)) 3 1 doctor && grep -qE "^ok       version    the module speaks version $major\.$((minor + 1)) $ours$" "$WORK/out" &&
		grep -A 1 -E '^warning  features   the module has no memory behind locks, feeds of sockets, trusted lockspaces$' "$WORK/out" |
		grep -q "update the module"
	result $? "a module without some features"
}

# Each long option that --help tells is in the manual, and the other way round.
options_of_help() {
	"$SLUICE" "$1" --help | grep -oE -- '--[a-z-]+' | sort -u |
		grep -vxE -- '--(help|usage|version)'
}

options_of_manual() {
	grep -E '^\.It Fl' "$1" | grep -oE -- 'Fl (. , )?-[a-z-]+|, -[a-z-]+|Fl -[a-z-]+' |
		grep -oE -- '-[a-z][a-z-]+' | sed 's/^/-/' | sort -u
}

check_manuals() {
	local page command
	for page in man/*.1; do
		# The others are not installed yet.
		"$MANDOC" -Tlint "$page" 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db' >"$WORK/out"
		[[ ! -s $WORK/out ]]
		result $? "$page: lint"
	done
	for command in pub sub attach; do
		# Channel options are told in one of them.
		comm -23 <(options_of_help $command) \
			<(sort -u <(options_of_manual man/sluice-pub.1) <(options_of_manual man/sluice-$command.1)) >"$WORK/out"
		comm -13 <(options_of_help $command) <(options_of_manual man/sluice-$command.1) >"$WORK/err"
		[[ ! -s $WORK/out && ! -s $WORK/err ]]
		result $? "sluice-$command.1 and --help tell the same options"
	done
	for command in $(commands); do
		case $command in
		pub | sub | attach) continue ;;
		esac
		diff <(options_of_help $command) <(options_of_manual man/sluice-$command.1) >"$WORK/out" 2>&1
		result $? "sluice-$command.1 and --help tell the same options"
		grep -qE "^\.Xr sluice-$command 1( ,)?$" man/sluice.1
		result $? "sluice.1 names sluice-$command.1"
	done
}

# The fenced C program of the README.
check_readme() {
	awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' ../README.md >"$WORK/readme.c"
	diff ../examples/hello.c "$WORK/readme.c" >"$WORK/out"
	result $? "the README's program is examples/hello.c"
}

# on_terminal COLUMNS [ARGUMENT] - the table on a terminal so wide.
on_terminal() {
	script -qec "stty cols $1; '$OUT/test-table' ${2:-}" /dev/null </dev/null 2>"$WORK/err" |
		tr -d '\r' >"$WORK/out"
}

check_table() {
	"$OUT/test-table" >"$WORK/out"
	printf '%s\n' '  ID  NAME                  LAST' '   1  short                 x' \
		'1234  as long as this       y' "  12  größer geht's nimmer  " |
		diff - "$WORK/out"
	result $? "a table that is no terminal's is as wide as it needs"
	"$OUT/test-table" note >"$WORK/out" && grep -qx '1234  as long as this       note  y' "$WORK/out"
	result $? "a table with a column that is not always empty"
	if ! command -v script >/dev/null; then
		result 0 "a table on a terminal # SKIP no script(1)"
		return
	fi
	on_terminal 22 && printf '%s\n' '  ID  NAME        LAST' '   1  short       x' \
		'1234  as long a+  y' '  12  größer ge+  ' | diff - "$WORK/out"
	result $? "a table on a terminal is cut, at whole characters"
	on_terminal 5 && grep -qx '1234  as lo+  y' "$WORK/out"
	result $? "...but not to nothing"
}

# Those of test-top, one by one.
check_samples() {
	local status name
	"$OUT/test-top" >"$WORK/samples"
	result $? "samples"
	while read -r status name; do
		[[ $status == ok ]]
		result $? "samples: ${name#* - }"
	done < <(grep -E '^(not )?ok' "$WORK/samples" | sed 's/^not ok/not-ok/')
}

check_usage
check_table
check_samples
check_full_device
check_no_device
check_other_module
check_manuals
check_readme
echo "1..$count"
exit $((failed > 0))
