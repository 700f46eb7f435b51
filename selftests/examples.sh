#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The programs of examples/, used as their first comments say. TAP.
#
# needs: sluice broadcast workers latest lossy batch descriptors frames eventloop pick records lease journal histogram fence funnel trusted lookout
# timeout: 240
#
# shellcheck disable=SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
# What programs have written is looked at more than once.
removed="" shown="out err one two all other"

# within COMMAND... - it is killed if it hangs.
within() { timeout -s KILL "$limit" "$@"; }
# subscribed CHANNEL NUMBER
subscribed() { until_true eval "sluice stat --json $1 | grep -q '\"subscribers\": *$2,'"; }
as() { user=$1; shift; su -s /bin/sh "$user" -c "$*"; }
is_waiting() { until_true eval "sluice locks | grep -q waiting"; }

# --- channels -----------------------------------------------------------------

within broadcast subscribe load >one & one=$!
within broadcast subscribe load >two & two=$!
subscribed load 2
within broadcast publish load 3 & publisher=$!
wait $publisher && wait $one && wait $two
ok "broadcast: all end when the publisher has"
[ "$(grep -cE '^[012]: load [0-9.]+, from process [0-9]+ of user 0$' one)" = 3 ] && cmp one two
ok "broadcast: each subscriber gets every sample, and hears who sent it"

within workers work jobs >one & one=$!
within workers work jobs >two & two=$!
subscribed jobs 2
# The first that gets it writes who it is, and is killed in the middle of it.
cat >list <<'END'
test -e victim || { echo $PPID >victim; sleep 600; }
test -e tried || { touch tried; false; }
true
END
within workers put jobs <list & publisher=$!
until_true test -s victim
kill -KILL "$(cat victim)"
wait $publisher
ok "workers: all jobs are done, though a worker was killed"
[ "$(cat one two | grep -c '^test -e victim.*: status 0, again$')" = 1 ]
ok "workers: its job was another's, who was told so"
[ "$(cat one two | grep -c '^test -e tried.*: status 256$')" = 1 ] &&
	[ "$(cat one two | grep -c '^test -e tried.*: status 0, again$')" = 1 ]
ok "workers: what failed was tried once more"
[ "$(cat one two | grep -c '^true: status 0$')" = 1 ]
ok "workers: each job is one worker's"
kill $one $two 2>/dev/null

seq 20 | within latest publish settings >out & publisher=$!
until_true grep -q published out
within latest show settings >late && seq 13 20 | cmp - late
ok "latest: who comes late gets the last eight"
kill $publisher

within lossy watch ticker 2000 >out & watcher=$!
subscribed ticker 1
within lossy publish ticker 2000
ok "lossy: the publisher waits for nobody"
wait $watcher && awk -F '[ ,]+' '/^lost/ { told += $2 }
	/^received/ { ok = $2 + $4 == 2000 && $4 > 0 && told > 0 && told <= $4 } END { exit !ok }' out
ok "lossy: what was not received is told as lost"

within batch sum numbers >out & watcher=$!
subscribed numbers 1
within batch publish numbers 10000 && wait $watcher &&
	awk -F '[ ,]+' '{ exit !($1 == 10000 && $3 < 10000 && $6 == 50005000) }' out
ok "batch: all numbers, with fewer calls"

echo only for root >secret && chmod 600 secret && chmod 711 .
as alice "cat $WORK/secret" 2>/dev/null
[ $? = 1 ]
ok "descriptors: a file that alice cannot read"
chmod 666 /dev/sluice
as alice "timeout -s KILL $limit descriptors receive inbox" >out & reader=$!
subscribed inbox 1
within descriptors send inbox secret && wait $reader && printf 'secret:\nonly for root\n' | cmp - out
ok "descriptors: she reads it with what she is sent"

within frames watch lens >out & watcher=$!
subscribed lens 1
within frames shoot lens 12 && wait $watcher && [ "$(grep -c ': 86400 pixels changed' out)" = 11 ]
ok "frames: pictures of 2 MB, two held at once"

eventloop news weather >out & watcher=$!
subscribed news 1 && subscribed weather 1
echo rain | sluice pub weather && echo late | sluice pub news && echo sun | sluice pub weather
until_true grep -qx "weather: sun" out && grep -qx "weather: rain" out && grep -qx "news: late" out
ok "eventloop: messages of all channels"
kill $watcher && wait $watcher
ok "eventloop: a signal ends it"

mkfifo hold
nc -l -p 7100 >log & server=$!
ip link set lo up
until_true eval "netstat -lnt | grep -q :7100"
within funnel 127.0.0.1 7100 4 200 && wait $server
ok "funnel: four writers, one connection"
sort log >sorted
for writer in 0 1 2 3; do
	seq 0 199 | sed "s/^/writer $writer: line /"
done | sort | cmp - sorted
ok "funnel: every line is whole, and there once"

# --- locks --------------------------------------------------------------------

# keep FILE COMMAND... - until let_go, with its output in FILE.  Its input ends
# when nobody has the other end, so what is started meanwhile must not have it.
keep() {
	file=$1
	shift
	rm -f "$file"
	"$@" <hold >"$file" & kept=$!
	exec 7<>hold
	until_true test -s "$file"
}
let_go() { exec 7>&-; wait $kept; }
# apart COMMAND... - in the background: 7>&- behind a function would only put it by.
apart() { exec 7>&-; within "$@"; }

keep out pick any scanner0 scanner1
within pick any scanner0 scanner1 </dev/null >other && grep -qx "has scanner0" out &&
	grep -qx "has scanner1" other
ok "pick any: what is free"
apart pick all scanner1 scanner0 </dev/null >all & both=$!
is_waiting && [ ! -s all ] && let_go && wait $both &&
	printf 'has scanner1\nhas scanner0\n' | cmp - all
ok "pick all: both, when both are free"

record() { dd if=table bs=64 skip=1 count=1 2>/dev/null | tr -d '\0'; }
keep out records fcntl table 1
within records set table 2 elsewhere
ok "records: other bytes are free"
apart records set table 1 changed & setter=$!
until_true grep -q -e '->' /proc/locks && [ -z "$(record)" ] && let_go && wait $setter &&
	[ "$(record)" = changed ]
ok "records: waits for who has only fcntl()"

lease anna >out & anna=$!
until_true grep -qx "anna leads" out
lease berta >>out & berta=$!
until_true grep -qx "berta leads" out && grep -qx "anna gives way" out
ok "lease: who learns that another waits gives way"
until_true eval "[ \$(grep -c '^anna leads' out) = 2 ]"
ok "lease: and comes back"
# Whoever leads gives way in between: it is stopped until it had the lease.
leads() { sluice locks cluster | grep held | grep -qw "$1"; }
dies() {
	until_true leads $anna
	kill -STOP $anna
	leads $anna && until_true grep -qx "berta leads: the last one died" out && return
	kill -CONT $anna
	return 1
}
until_true dies
ok "lease: who is stopped is taken for dead"
kill -CONT $anna
until_true grep -qx "anna was too slow" out
ok "lease: and knows it when it goes on"
kill $anna $berta

echo first | within journal book
keep started sh -c 'echo; exec journal book'
victim=$kept
printf 'half an ent' >&7
until_true grep -q 'half an ent' book
echo second | apart journal book >out & writer=$!
is_waiting
kill -KILL $victim
wait $writer && grep -qx 'repaired: 11 bytes were not whole' out
ok "journal: the next one is told, and repairs"
let_go
[ "$(tail -c +9 book)" = "$(printf 'first\nsecond')" ]
ok "journal: nothing but whole entries"

keep out histogram
printf 'abba' >&7
until_true grep -qx '0x61 2' out
ok "histogram: counted"
printf 'cab' | within histogram >other && printf '0x61 3\n0x62 3\n0x63 1\n' | cmp - other
ok "histogram: two processes, one table"
printf 'x' | within histogram forget 2>err
[ $? = 1 ] && grep -qx "touched without the lock" err
ok "histogram: not without the lock"
let_go

# As long as somebody has the lockspace open, tokens only grow.
sluice lock --lockspace stores --mode nl keep -- sleep 1000 & keeper=$!
until_true eval "sluice locks stores | grep -q keep"
rm -f two
within fence store early >one
within fence store late 3 >two 2>err & slow=$!
until_true test -s two
within fence store between >three
ok "fence: who comes after a lease has run out stores"
wait $slow
[ $? = 1 ] && grep -q "not stored: Stale file handle" err
ok "fence: who was too slow does not"
tail -n 2 store >out && printf '1: early\n3: between' | cmp - out
ok "fence: entries have the numbers that owners handed on"

kill $keeper

within trusted 1 5000 >out && grep -qE '^counted to 5000, asked the kernel for [0-9] locks$' out
ok "trusted: alone, the kernel is not asked"
within trusted 2 5000 >out && grep -q '^counted to 10000,' out
ok "trusted: two threads, one lock"

# --- looking ------------------------------------------------------------------

sluice sub --create slow -- sleep 600 & sub=$!
subscribed slow 1
seq 40 | sluice pub slow & pub=$!
keep held pick all scanner0
apart pick all scanner0 </dev/null >other & waiter=$!
is_waiting
until_true eval "sluice stat --json slow | grep -q '\"lag\": *[1-9]'"
lookout 5 >out 7>&- & watcher=$!
until_true grep -qE "^slow: sluice \(process [0-9]+\) has [0-9]+ messages to read$" out
ok "lookout: a subscriber that lags"
until_true grep -qE "^devices: process [0-9]+ waits for process [0-9]+$" out
ok "lookout: who waits for whom"
old=$(cat /sys/module/sluice/parameters/user_channels)
echo 0 >/sys/module/sluice/parameters/user_channels
sluice sub --create refused >/dev/null 2>&1
echo "$old" >/sys/module/sluice/parameters/user_channels
until_true grep -qx "user 0 reached a limit of 0" out
ok "lookout: what happens then"
let_go
wait $waiter
kill $sub $pub $watcher 2>/dev/null

finish
