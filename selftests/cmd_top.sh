#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sluice top: tables, JSON, and on a terminal, which is tmux's. TAP.
#
# needs: sluice tmux nc
# timeout: 600
#
# shellcheck disable=SC2086,SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
shown="out err screen" removed="err screen"
export LC_ALL=C.UTF-8

# of NAME FIELD <LINE - of a channel, or a lockspace, in a line of JSON.
of() { grep -oE "\{\"id\":[0-9]+,\"name\":\"$1\"[^}]*\}" | sed -nE "s/.*\"$2\":(\"[^\"]*\"|[^,}]*).*/\1/p"; }
# one KEY <LINE - of the object itself.
one() { sed -nE "s/^\{.*\"$1\":([^,}]*),.*/\1/p"; }
# near A B PERCENT - are they?
near() { awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a > b ? a - b : b - a; exit !(a != "" && b > 0 && d <= b * p / 100) }'; }
json() { timeout -s KILL $limit sluice top --json "$@"; }
has() { json --count 1 --delay 0.1 2>/dev/null | of "$1" "$2" | grep -qx "$3"; }

# --- traffic --------------------------------------------------------------------

# Always 1000 messages of 4 bytes and a while without.
sluice sub --create --raw news >/dev/null 2>&1 & reader=$!
until_true sluice stat news
{ while seq 1000 1999; do sleep 0.2; done; } 2>/dev/null | sluice pub news 2>/dev/null & writer=$!
# One who reads nothing.
sluice sub --create --policy drop-oldest slow -- sleep 1000 & sleeper=$!
until_true sluice stat slow
seq 1000 1999 | sluice pub --policy drop-oldest slow 2>/dev/null
sluice lock job -- sleep 1000 & owner=$!
until_true eval 'sluice locks | grep -q job'
sluice lock job -- true & waiter=$!

# --- JSON -----------------------------------------------------------------------

until_true has news publishers 1
json --count 3 --delay 1 >out 2>err && [ "$(wc -l <out)" = 3 ] && ! grep -qvE '^\{.*\}$' out && [ ! -s err ]
ok "--json: an object a line"
second=$(sed -n 2p out) third=$(sed -n 3p out)
passed=$(echo "$third" | one interval)
told=$(($(echo "$third" | of news messages) - $(echo "$second" | of news messages)))
near "$(echo "$third" | of news messages_rate)" "$(awk "BEGIN { print $told / $passed }")" 1
ok "messages a second: what was counted, in the time that passed"
near "$passed" 1 50 && [ $told -gt 0 ]
ok "...which is about as long as was asked for"
near "$(echo "$third" | of news bytes_rate)" "$(echo "$third" | of news messages_rate | awk '{ print 4 * $1 }')" 5
ok "bytes a second are 4 for each message"
before=$(sluice stat --json news | sed -n 's/.*"messages": *\([0-9]*\),$/\1/p')
json --count 1 --delay 0.1 >out 2>err
after=$(sluice stat --json news | sed -n 's/.*"messages": *\([0-9]*\),$/\1/p')
seen=$(of news messages <out)
[ "$seen" -ge "$before" ] && [ "$seen" -le "$after" ]
ok "messages: as sluice stat tells"
[ "$(of slow messages <out)" = 1000 ] && [ "$(of slow bytes <out)" = 4000 ] && [ "$(of slow messages_rate <out)" = 0.000 ]
ok "a publisher that has left is counted, and does nothing"
[ "$(of slow lag <out)" -gt 200 ] && [ $(($(of slow lag <out) + $(of slow lost <out))) = 999 ] && [ "$(of slow held <out)" = 1 ]
ok "who reads nothing lags"
grep -qE '"role":"subscriber",.*"pid":'$sleeper',"uid":0,"command":"sluice"\},"state":"active","messages":1,"messages_rate":0.000,"bytes":4,' out
ok "what a subscriber received"
grep -qE "\"resource\":\"job\",\"mode\":\"EX\",.*\"pid\":$waiter,.*\"blockers\":\[\{[^]]*\"pid\":$owner,.*\"since\":[0-9]+\.[0-9]+," out
ok "who waits, for whom, since when"
[ "$(of user-0 waiting <out)" = 1 ] && [ "$(of user-0 granted <out)" = 1 ]
ok "a lockspace"
grep -q '"interrupted":false' out
ok "nothing came or went meanwhile"

json --count 1 --delay 2 >out 2>err & watcher=$!
sleep 0.5
sluice sub --create --stay --raw fresh >/dev/null 2>&1 & late=$!
until_true sluice stat fresh
seq 1000 1099 | sluice pub --block 100 fresh
wait $watcher
near "$(of fresh messages_rate <out)" "$(of fresh messages <out | awk -v s="$(one interval <out)" '{ print $1 / s }')" 1 &&
	[ "$(of fresh bytes <out)" = 500 ]
ok "what was made since has counted from nothing"
kill $late
wait $late

json --count 1 --delay 0.1 --filter SLO >out 2>err && [ -n "$(of slow id <out)" ] && [ -z "$(of news id <out)" ]
ok "--filter, in any case"

# --- tables ---------------------------------------------------------------------

sluice top --batch --count 2 --delay 0.3 >out 2>err && [ "$(grep -c '^CHANNEL .* MSG/S  BYTES/S ' out)" = 2 ] &&
	[ "$(grep -cE '^news +broadcast +1 +1 +[0-9.k]+ +[0-9.]+[BK] ' out)" = 2 ]
ok "--batch"
sluice top --batch --count 1 --delay 0.3 --sort lag >out 2>err && [ "$(awk '/^[ns]/ { printf "%s ", $1 }' out)" = "slow news " ] &&
	sluice top --batch --count 1 --delay 0.3 --sort lag --reverse >out 2>err && [ "$(awk '/^[ns]/ { printf "%s ", $1 }' out)" = "news slow " ]
ok "--sort and --reverse"
sluice top --batch --count 1 --delay 0.1 --view endpoints --filter slow >out 2>err &&
	grep -qE "^slow +sub +$sleeper +0 +active +0 +0B +1 +[0-9]+ +1 " out && ! grep -q ^news out
ok "--view endpoints, and --filter"
sluice top --batch --count 1 --delay 0.1 --view waits >out 2>err && grep -qE "^job +EX +$waiter +true +[0-9.]+s +0 +[a-z]+\($owner\) +user-0$" out
ok "--view waits"
sluice top --batch --count 1 --delay 0.1 --view lockspaces >out 2>err && grep -qE "^user-0 +1 +1 +1 +0 +0 +1 +0 +0$" out
ok "--view lockspaces"
sluice top --batch --count 1 --delay 0.1 --view quotas >out 2>err && grep -qE "^ +0 +[0-9]+ +channels +2 +[0-9]+ +0$" out
ok "--view quotas"
exits 2 sluice top </dev/null >out 2>err && grep -q "there is no terminal" err
ok "without a terminal it says what to do"
sluice top --batch --delay 0.1 >/dev/full 2>err
[ $? = 1 ] && grep -q "No space left" err
ok "output that cannot be written ends it"
sluice top --json >out 2>err & watcher=$!
sleep 0.5
kill $watcher
exits 143 wait $watcher
ok "a signal ends it"

nc -l -p 7002 >sink & sink=$!
until_true sh -c 'netstat -ltn | grep -q :7002'
sluice attach --create --stay log 127.0.0.1:7002 & feeder=$!
until_true sluice stat log
seq 1000 1099 | sluice pub --pattern queue log
fed() { json --count 1 --delay 0.1 2>/dev/null | grep -qE '"name":"log","role":"subscriber",.*"messages":100,"messages_rate":[0-9.]+,"bytes":400,'; }
until_true fed
ok "what the kernel writes into a connection"
kill $feeder
wait $feeder $sink

# --- a terminal -----------------------------------------------------------------

# begin COLUMNS LINES ARGUMENT... - in a terminal of that size; its pid is in pid,
# how it ended in status; the terminal's settings in before and after.
begin() {
	columns=$1 lines=$2
	shift 2
	rm -f pid status before after
	tmux -u -f /dev/null new-session -d -x $columns -y $lines \
		"trap : INT; cd $WORK; stty -g >before; sh -c 'echo \$\$ >pid; exec sluice top --delay 0.3 $*'; echo \$? >status; stty -g >after; sleep 1000"
	until_true test -s pid
}
keys() { tmux send-keys "$@"; }
capture() { tmux capture-pane -p >screen; }
look() { capture && grep -qE -- "$1" screen; }
shows() { until_true look "$1"; }
misses() { until_true eval 'capture && ! grep -qE -- "$1" screen'; }
alive() { kill -0 "$(cat pid)"; }
end() { tmux kill-server; }
# ended STATUS - and the terminal is as it was, with nothing of it left.
ended() {
	until_true test -s after && [ "$(cat status)" = "$1" ] && cmp before after && misses 'CHANNEL|MSG/S'
}
order() { capture && [ "$(awk '/^(news|slow)/ { printf "%s ", $1 }' screen)" = "$1" ]; }

begin 80 24
shows '^CHANNEL .*MSG/S +BYTES/S +LAG' && shows '^news +1 +1 +[0-9.k]+ ' && shows '^[0-9:]{8}  2 channels, '
ok "a terminal of 80 columns"
capture && ! grep -qE '.{81}' screen && shows '^q end .*delay$'
ok "...with the keys in the last line"
keys s l a g Enter && shows '^channels by LAG, every' && until_true order "slow news "
ok "s: sort by a column"
keys r && shows 'by LAG, reversed' && until_true order "news slow "
ok "r: the other way round"
keys '<' && shows 'channels by MESSAGES, reversed' && keys '>' && shows 'channels by LAG, reversed' && keys r
ok "< and >: the column beside it"
keys s q x Enter && shows "there is no column 'qx'" && alive
ok "a column that there is not"
keys / S L O Enter && shows "with 'SLO'" && misses '^news' && shows '^slow'
ok "/: only what has a text"
keys / BSpace BSpace BSpace Enter && shows '^news'
ok "...and all again"
keys / z z Escape && shows '^news' && ! look "with 'zz'"
ok "...or not after all"
keys 2 && shows "^endpoints by MSG/S" && shows "^slow +sub +$sleeper "
ok "2: endpoints"
keys 3 && shows "^lockspaces by WAITING" && shows "^user-0 +1 +1 +1 "
ok "3: lockspaces"
keys Tab && shows "^waits by SINCE" && shows "^job +EX +$waiter +true +[0-9.]+[sm] +0 +[a-z]+\($owner\)"
ok "Tab: who waits"
keys 5 && shows "^quotas by %" && shows " channels +2 +16384 +0$"
ok "5: quotas"
keys h && shows "^h \?  +this, or back" && keys h && shows "^quotas by %"
ok "h: help, and back"
keys 1 + && shows 'every 0.5 s' && keys - - && shows 'every 0.1 s' && keys - && sleep 0.3 && shows 'every 0.1 s'
ok "+ and -: less often, more often"
keys p && shows '^PAUSED' && capture && cp screen frozen && sleep 1 && capture && cmp screen frozen && keys p && misses '^PAUSED'
ok "p: pause"
tmux resize-window -x 20 -y 5 && shows '^news ' && alive && capture && ! grep -qE '.{21}' screen && [ "$(wc -l <screen)" = 5 ]
ok "a terminal that becomes 20 x 5"
tmux resize-window -x 1 -y 1 && sleep 0.5 && keys 2 && sleep 0.5 && alive
ok "...1 x 1"
tmux resize-window -x 300 -y 60 && keys 1 && shows '^CHANNEL +PATTERN .*MESSAGES .*POOL$' && alive
ok "...300 x 60"
tmux resize-window -x 80 -y 24
keys q && ended 0
ok "q: the end, and the terminal is as it was"
end

begin 20 5
shows '^news ' && keys h && shows '^1 to 5' && keys q && ended 0
ok "a terminal of 20 x 5 from the beginning"
end
begin 80 24
shows '^news ' && kill "$(cat pid)" && ended 143
ok "SIGTERM: the terminal is as it was"
end
begin 80 24
shows '^news ' && keys C-c && ended 130
ok "^C: likewise"
end
begin 80 24
shows '^news ' && keys / a C-c && ended 130
ok "...while something is typed"
end
# What is pending when it goes on comes before anything else is done.
begin 80 24
shows '^news ' && kill -STOP "$(cat pid)" && kill -TERM "$(cat pid)" && kill -INT "$(cat pid)" && kill -CONT "$(cat pid)" &&
	ended 130
ok "two signals, of which the second ends it at once: likewise"
end
begin 80 24 --view endpoints --sort pid --filter news
shows "^endpoints by PID, with 'news'" && misses '^slow'
ok "options say what is shown at first"
end
begin 80 6
for i in 1 2 3 4 5 6 7 8; do sluice sub --create "many$i" >/dev/null 2>&1 & done
# One that came later would move those below it.
until_true eval '[ "$(sluice ls | grep -c many)" = 8 ]'
shows '^channels' && keys s c h Enter && shows '^many1 ' && keys End && shows '^slow ' && misses '^many1 ' && keys Home && shows '^many1 ' && misses '^slow '
ok "more rows than there is room for"
end
tmux -u -f /dev/null new-session -d "cd $WORK; TERM=no-such sluice top 2>err; echo \$? >status; sleep 1000"
until_true test -s status
[ "$(cat status)" = 1 ] && grep -q "cannot use a terminal of type 'no-such'" err
ok "a terminal that nobody knows"
end

# --- without the module ---------------------------------------------------------

kill $writer $reader $sleeper $owner $waiter
kill $(pidof sluice)
wait 2>/dev/null
sluice top --batch --delay 0.3 >out 2>err & watcher=$!
until_true grep -q channels out
begin 80 24
shows '0 channels'
until_true rmmod sluice
exits 1 wait $watcher && grep -q "the kernel module is not loaded" err
ok "--batch when the module is unloaded"
shows "^the kernel module is not loaded: waiting for it" && alive
ok "a terminal when the module is unloaded"
exits 1 sluice top --batch 2>err && grep -q "the kernel module is not loaded" err
ok "without the module"
insmod /sluice/sluice.ko && shows '0 channels' && ! look "not loaded" && keys q && ended 0
ok "it goes on when the module is there again"
end

finish
