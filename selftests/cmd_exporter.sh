#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sluice exporter: what it says of real channels, locks and limits is what the
# other commands say. How it says it is looked at in tools/tests/exporter.py. TAP.
#
# needs: sluice sluice-exporter
# timeout: 240
#
# shellcheck disable=SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
# What was told is looked at more than once.
removed=""
PORT=17584

# What is told now, in the file "out".
scrape() { wget -q -O out "http://127.0.0.1:$PORT/metrics"; }

# told SAMPLE VALUE - now, of what has no special characters.
told() { scrape && grep -qxF "$1 $2" out; }

exporter() {
	sluice exporter "$@" >where 2>err &
	exporter=$!
	until_true scrape
}

# json COMMAND... - one value a line.
json() { sluice "$@" --json | tr -d ' \n' | tr ',{}[]' '\n'; }

# field KEY COMMAND... - the first one of that name.
field() {
	key=$1
	shift
	json "$@" | sed -n "s/^\"$key\"://p" | head -n 1
}

exporter
ok "it serves"
grep -qx "http://127.0.0.1:$PORT/metrics" where
ok "where it says, and on the loopback"
told sluice_up 1
ok "the module is there"
sluice exporter >out 2>err
[ $? = 1 ] && grep -q "cannot listen on 127.0.0.1, port $PORT: Address already in use" err
ok "an address that is taken"

# --- channels -----------------------------------------------------------------

mkfifo input
sluice pub --wait 2 --slots 64 news <input &
publisher=$!
sluice sub --slots 64 --create news >received &
reader=$!
sluice sub --slots 64 --create --policy drop-oldest news -- \
	sh -c 'until [ -e go ]; do sleep 0.1; done' &
slow=$!
exec 5>input
seq 1 1000 >&5
id=$(field id stat news)
channel="{channel=\"news\",id=\"$id\"}"
until_true told "sluice_channel_messages_total$channel" 1000
ok "messages, of a channel by name and number"
# What seq wrote, without the ends of lines.
until_true told "sluice_channel_payload_bytes_total$channel" "$(seq 1 1000 | tr -d '\n' | wc -c)"
ok "their bytes"
[ "$(field messages stat news)" = 1000 ]
ok "as stat --json has it"

# The slow one sees what it has lost. Nobody moves then: each number of one
# command is one of the other's.
members() { json stat news | sed -n '/^"members":/,$p' >stat; }
touch go
until_true eval 'members && grep -q "^\"lost\":[1-9]" stat && ! grep -q "^\"lag\":[1-9]" stat'
agree() {
	scrape && members || return
	while IFS== read -r key metric; do
		for value in $(sed -n "s/^\"$key\"://p" stat | sort -u); do
			grep -E "^sluice_$metric\{channel=\"news\",id=\"$id\",generation=.*\} $value\$" out >/dev/null ||
				{ echo "$key: no sluice_$metric is $value" >>err; return 1; }
		done
	done <<-END
		published=publisher_messages_total
		received=subscriber_messages_total
		lag=subscriber_lag_messages
		lost=subscriber_lost_messages_total
		held=subscriber_held_messages
	END
}
until_true agree
ok "each endpoint: published, received, lag, lost, held"
grep -q "^sluice_publisher_active{channel=\"news\",id=\"$id\",generation=\"[0-9]*\",pid=\"$publisher\",command=\"sluice\"} 1$" out
ok "with process and command"
lost=$(sed -n 's/^"lost"://p' stat | awk '{ sum += $1 } END { print sum }')
[ "$lost" -gt 0 ] && grep -qxF "sluice_channel_lost_messages$channel $lost" out
ok "what a channel has lost is the sum"
for pair in slots=slots pool=pool_bytes publishers=publishers subscribers=subscribers fds=fds; do
	grep -qxF "sluice_channel_${pair#*=}$channel $(field "${pair%=*}" stat news)" out
	ok "${pair%=*} of the channel"
done
grep -qxF "sluice_channels $(sluice ls --noheadings | wc -l)" out
ok "how many channels"
exec 5>&-
wait $publisher $reader $slow

# Nobody reads, so the publisher waits for room.
sluice sub --slots 64 --create full -- sleep 1000 &
reader=$!
seq 1 1000 | sluice pub --wait 1 --slots 64 full &
publisher=$!
asleep() {
	scrape && grep -q "^sluice_publisher_sleeping_seconds{channel=\"full\",.* [0-9.]*[1-9]" out &&
		grep -q '^sluice_channel_sleeping_publishers{channel="full",id="[0-9]*"} 1$' out &&
		grep -q '^sluice_channel_lag_messages{channel="full",id="[0-9]*"} 6[0-9]$' out
}
until_true asleep
ok "who sleeps for how long, and how far the slowest lags"
kill $publisher $reader
wait $publisher $reader 2>/dev/null

# --- names --------------------------------------------------------------------

name=$(printf 'a"b\\c\377 gr\303\266\303\237e')
sluice sub --create "$name" >/dev/null &
reader=$!
until_true sluice stat "$name"
scrape
grep -qF "$(printf 'sluice_channel_subscribers{channel="a\\"b\\\\x5cc\\\\xff gr\303\266\303\237e",id="')" out
ok "any byte of a name is escaped, and UTF-8 left"
kill $reader
wait $reader

# --- locks --------------------------------------------------------------------

sluice lock --lockspace jobs one -- sleep 1000 &
holder=$!
until_true eval 'sluice lock --lockspace jobs --nonblock --conflict-exit-code 9 one -- true; [ $? = 9 ]'
sluice lock --lockspace jobs one -- true &
waiter=$!
# Lockspaces and holders are not looked at in the same moment.
until_true eval 'scrape && grep -q "^sluice_lockspace_waiting{lockspace=\"jobs\",id=\"[0-9]*\"} 1$" out &&
	grep -qx "sluice_holders_waiting 1" out'
ok "what is waited for"
id=$(json ls --lockspaces | grep -A 1 '^"name":"jobs"$' | sed -n 's/^"id"://p')
for pair in resources=resources held=locks waiting=waiting granted=granted_total blocked=blocked_total \
	deadlocks=deadlocks_total died=owners_died_total token=tokens_total; do
	value=$(json ls --lockspaces | grep -A 12 '^"name":"jobs"$' | sed -n "s/^\"${pair%=*}\"://p")
	[ -n "$value" ] && grep -qxF "sluice_lockspace_${pair#*=}{lockspace=\"jobs\",id=\"$id\"} $value" out
	ok "${pair%=*} of the lockspace"
done
grep -qE "^sluice_holders_longest_wait_seconds [0-9.]*[1-9]" out
ok "how long the longest wait lasts"
kill -KILL $holder
wait $waiter
until_true eval 'scrape && ! grep -q "^sluice_lockspace.*jobs" out'
ok "a lockspace that is gone is not told any more"
told sluice_holders_waiting 0
ok "nor anybody who waits"

# --- limits -------------------------------------------------------------------

sluice sub --create counted >/dev/null &
reader=$!
until_true sluice stat counted
scrape
for of in channels endpoints bytes; do
	used=$(sluice quota --noheadings --uid 0 | awk -v of=$of '$3 == of { print $4 }')
	limit=$(sluice quota --noheadings --uid 0 | awk -v of=$of '$3 == of { print $5 }')
	[ -n "$used" ] && grep -qE "^sluice_quota_used\{uid=\"0\",userns=\"[0-9]+\",of=\"$of\"\} $used$" out &&
		grep -qE "^sluice_quota_limit\{uid=\"0\",userns=\"[0-9]+\",of=\"$of\"\} $limit$" out
	ok "limits: $of"
done
kill $exporter
wait $exporter
[ $? = 143 ]
ok "a signal ends it"

# --- who sees what ------------------------------------------------------------

PORT=17585
su nobody -c "exec sluice exporter --listen 127.0.0.1:$PORT" >where 2>err &
nobody=$!
until_true scrape
told sluice_up 1 && grep -qx "sluice_channels 0" out && ! grep -q 'uid="0"' out
ok "who may see nothing is told nothing"
kill $nobody $reader
wait $nobody $reader
PORT=17584

# --- trouble ------------------------------------------------------------------

# Things come and go all the time: it is told, and that it is not one moment.
exporter --limit 50
churn() { while :; do sluice sub --create "churn$1" --timeout 0 >/dev/null 2>&1; done; }
churn 1 & churner1=$!
churn 2 & churner2=$!
scrapes=0
for _ in $(seq 50); do
	wget -q -O "many.$_" "http://127.0.0.1:$PORT/metrics" &
	scrapes="$scrapes $!"
done
good=0
for pid in ${scrapes#0}; do
	wait "$pid" && good=$((good + 1))
done
[ $good = 50 ] && [ "$(grep -lx 'sluice_up 1' many.* | wc -l)" = 50 ]
ok "fifty scrapes at once, while things come and go"
! cat many.* | grep -q '^sluice_exporter_errors_total.*[1-9]$'
ok "none of them failed"
kill $churner1 $churner2
wait $churner1 $churner2 2>/dev/null

until_true rmmod sluice
ok "it keeps no hold of the module"
told sluice_up 0 && ! grep -q '^sluice_channel' out
ok "no module is told"
insmod /sluice/sluice.ko
until_true told sluice_up 1
ok "it comes back"
kill $exporter
finish
