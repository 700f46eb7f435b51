#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sluice monitor, graph and quota as people use them. TAP.
#
# needs: sluice
# timeout: 240
#
# shellcheck disable=SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
# What was told is looked at more than once.
removed=""

# watching FILE ARGUMENT... - starts it, and waits until it hears: until a
# channel that comes and goes is told.
watching() {
	file=$1
	shift
	sluice monitor "$@" >"$file" 2>err &
	watcher=$!
	until_true heard_of "$file"
}
heard_of() {
	sluice sub --create probe </dev/null >/dev/null 2>&1 &
	prober=$!
	sleep 0.1
	kill $prober
	wait $prober
	grep -q probe "$1"
}

# --- monitor ------------------------------------------------------------------

watching out
sluice sub --create news >/dev/null &
reader=$!
until_true grep -q "joined channel=[0-9]* name=news subscriber=0" out
ok "who joins is told, with name and place"
grep -qE "^[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3} joined .* name=news .* pid=$reader command=sluice$" out
ok "with time and process"
kill -KILL $reader
wait $reader 2>/dev/null
until_true grep -q "left .* name=news .*reason=killed\|left channel=[0-9]* subscriber=0 .*reason=killed" out
ok "who is killed is told so"
until_true grep -qE "channel-gone channel=[0-9]+$" out
ok "a channel that is gone"
kill -TERM $watcher
wait $watcher
[ $? = 143 ]
ok "a signal ends it"

watching out --json
sluice lock job -- true
until_true grep -q '"event":"lockspace-made","time":[0-9.]*}$' out
ok "JSON, an object a line"
[ -s out ] && ! grep -qvE '^\{.*\}$' out
ok "and nothing else"
kill $watcher
wait $watcher

sluice monitor --count 1 pressure >out 2>err &
watcher=$!
old=$(cat /sys/module/sluice/parameters/user_channels)
# It may not listen yet: again and again.
over_limit() {
	echo 0 >/sys/module/sluice/parameters/user_channels
	sluice sub --create refused >/dev/null 2>&1
	echo "$old" >/sys/module/sluice/parameters/user_channels
	grep -q "quota uid=0 of=channels asked=1 limit=0" out
}
until_true over_limit
ok "a limit that was reached"
wait $watcher
ok "--count ends it"
[ "$(wc -l <out)" = 1 ]
ok "after so many lines"

# Anybody may call a process so that a terminal obeys, or that reads as a line.
named=$(printf 'e\033[1m\nx\377')
ln -s "$(command -v sluice)" "$named"
# named_told OUTPUT ARGUMENT... - whether it is told as OUTPUT, and nothing but text.
named_told() {
	wanted=$1
	shift
	watching out "$@"
	"./$named" sub --create theirs >/dev/null &
	reader=$!
	until_true grep -qF "$wanted" out
	told=$?
	kill $watcher $reader
	wait $watcher $reader 2>/dev/null
	[ $told = 0 ] && [ -z "$(tr -d '\n -~' <out)" ]
}
named_told ' command=e\x1b[1m\x0ax\xff'
ok "a process whose name is no text"
named_told '"command":"e\\x1b[1m\\x0ax\\xff"' --json
ok "and in JSON"

# --- quota --------------------------------------------------------------------

sluice sub --create counted >/dev/null &
reader=$!
counted() { sluice quota --uid 0 | grep -qE "^ *0 +[0-9]+ +channels +1 +$old +0$"; }
until_true counted
ok "quota: what is used"
sluice quota --json --uid 0 | tr -d ' \n' | grep -q '"of":"endpoints","used":1,'
ok "quota --json"
sluice quota --all --noheadings --uid 0 >out 2>err && [ "$(wc -l <out)" = 8 ]
ok "quota --all: each limit"
sluice quota --uid 4711 --noheadings >out 2>err && [ ! -s out ]
ok "quota of nobody"
kill $reader
wait $reader 2>/dev/null

# --- graph --------------------------------------------------------------------

sluice sub --create "a \"b" >/dev/null &
reader=$!
until_true sluice stat 'a "b'
sleep 1000 | sluice pub 'a "b' &
sluice lock job -- sleep 1000 &
holder=$!
until_true eval 'sluice lock --nonblock --conflict-exit-code 9 job -- true; [ $? = 9 ]'
sluice lock job -- true &
waiter=$!
drawn() { sluice graph >out 2>err && grep -q "waits for" out && grep -q "(.*) -> a" out; }
until_true drawn
ok "graph: publishers, and waits"
grep -qx "a \"b -> sluice ($reader)" out
ok "graph: a subscriber"
grep -qE "^[a-z]+ \($waiter\) waits for job, EX: [a-z]+ \($holder\)$" out
ok "graph: who waits for whom"
sluice graph --dot >out 2>err && grep -q '^digraph sluice {$' out && grep -qxF '}' out
ok "graph --dot"
grep -qF 'label="a \"b\nbroadcast"' out && grep -qE "p$waiter -> p$holder \[style=dashed, color=red, label=\"job EX\"\];" out
ok "graph --dot: labels, and red arrows"
sluice graph --json | tr -d ' \n' >out && grep -q '"waits":\[{.*"resource":"job","mode":"EX".*"blockers":\[{' out
ok "graph --json"
PATH=/nowhere /usr/local/bin/sluice graph --svg >out 2>err
[ $? = 1 ] && grep -q graphviz err
ok "graph --svg without graphviz says so"
kill $reader $holder $waiter

finish
