#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The sluice command as people use it: pipelines, files, commands, signals. TAP.
#
# needs: sluice hello
# timeout: 240
#
# shellcheck disable=SC2016,SC2086,SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
shown="out err summary" removed=$shown
sluice() { timeout -s KILL "$limit" sluice "$@"; }

# has FIELD VALUE <JSON - as "sluice stat --json" and the summaries write it.
has() { grep -qE "\"$1\": *\"?$2\"?,?$"; }
members() { command sluice stat --json "$1" 2>/dev/null | has "$2" "$3"; }

# --- framings ----------------------------------------------------------------

# through INPUT "PUB OPTIONS" "SUB OPTIONS" - from a file to out.
through() {
	sluice sub --create $3 way >out 2>err &
	sluice pub --wait 1 $2 way <"$1" 2>>err && wait $!
}

printf 'one\n\nthree\nlast' >lines
printf 'one\n\nthree\nlast\n' >lines.expected
through lines "" "" && cmp out lines.expected
ok "lines, an empty one and one without an end"

printf 'one\0\0two\nlines\0' >nul
through nul --null --null && cmp out nul
ok "zero-terminated"

through lines "" --null && tr '\0' '\n' <out | cmp - lines.expected
ok "lines in, zero-terminated out"

head -c 3000000 /dev/urandom >random
through random "--block 64K" --raw && cmp out random
ok "blocks"

through random "--block 1000003" "--framed=8" && [ "$(stat -c %s out)" = $((3000000 + 3 * 8)) ]
ok "blocks whose last one is shorter are as many frames"

for width in 1 2 4 8; do
	through random "--block 255" "--framed=$width" && mv out framed &&
		through framed "--framed=$width" --raw && cmp out random
	ok "frames with a length of $width bytes"
done

head -c 10 framed >broken
exits 1 sluice pub --framed=8 way <broken 2>err && grep -q "ends within a message" err
ok "a cut frame is an error"

exits 1 sluice sub --create --framed=1 way >out 2>err &
sluice pub --wait 1 --block 256 way <random 2>/dev/null
wait $! && grep -q "too long for --framed=1" err
ok "a message too long for its prefix is an error"

: >empty
sluice sub --create --pool 8M --framed way >out 2>err &
sluice pub --wait 1 --pool 8M --whole way lines empty random - <nul && wait $! &&
	[ "$(stat -c %s out)" = $(($(cat lines empty random nul | wc -c) + 4 * 4)) ]
ok "whole files, an empty one and standard input"

seq 1 $((200000 / scale)) >numbers
through numbers "" "" && cmp out numbers
ok "many lines"

sluice sub --create way >out 2>err &
exits 1 sluice pub --wait 1 way lines ./no-such-file nul 2>err && wait $! &&
	grep -q "no-such-file: cannot open: No such file" err && [ "$(wc -l <out)" -ge 5 ]
ok "a file that cannot be read makes it fail, but the others are sent"

exits 1 sluice pub --block 2M --pool 1M way <random 2>err && grep -q "does not fit" err
ok "a message beyond the pool is an error"

# --- patterns ----------------------------------------------------------------

sluice sub --create way >out1 & first=$!
sluice sub --create way >out2 & second=$!
sluice pub --wait 2 way <numbers && wait $first && wait $second &&
	cmp out1 numbers && cmp out2 numbers
ok "broadcast: both have everything"

for i in 1 2 3; do
	sluice sub --create --pattern queue way >"out$i" &
	eval "pid$i=\$!"
done
# shellcheck disable=SC2154	# eval
sluice pub --wait 3 --pattern queue way <numbers && wait $pid1 && wait $pid2 && wait $pid3 &&
	cat out1 out2 out3 | sort -n | cmp - numbers
ok "queue: each message went to one"

mkfifo input
sluice pub --history 5 way <input & pid=$!
exec 5>input
seq 1 20 >&5
until_true members way messages 20
sluice sub --count 5 way >out 2>err && seq 16 20 | cmp - out
ok "history: a late one gets the last five"
exec 5>&-
wait $pid
ok "...and the publisher ends well"

# --- commands ----------------------------------------------------------------

sluice sub --create way -- sh -c 'echo "$(cat):$SLUICE_PID:$SLUICE_UID:$SLUICE_TYPE:$SLUICE_POSITION:$SLUICE_LENGTH:$SLUICE_LOST:$SLUICE_REDELIVERED:$SLUICE_CHANNEL"' >out 2>err & pid=$!
sh -c 'echo $$ >publisher; exec sluice pub --wait 1 --type 7 way' <lines && wait $pid &&
	grep -qx "one:$(cat publisher):0:7:0:3:0:0:way" out && grep -qx "last:.*:3:4:0:0:way" out
ok "a command knows its message and who sent it"

sluice sub --create --pool 4M way -- true >out 2>err & pid=$!
sluice pub --wait 1 --block 1M --pool 4M way <random && wait $pid
ok "a command need not read its message"

sluice sub --create way -- sh -c '! grep -q three' >out 2>err & pid=$!
sluice pub --wait 1 way <lines && exits 1 wait $pid
ok "broadcast: a command that fails makes it fail"

sluice sub --create way -- ./no-such-command >out 2>err & pid=$!
sluice pub --wait 1 --timeout 5 way <lines >/dev/null 2>&1
exits 1 wait $pid && grep -q "no-such-command: cannot run: No such file" err
ok "a command that cannot be run is an error"

sluice sub --create --pattern queue way -- sh -c 'read -r x; [ "$x" != three ] || [ "$SLUICE_REDELIVERED" = 1 ] || exit 1; echo "$x" >>out' 2>err & pid=$!
sluice pub --wait 1 --pattern queue way <lines
exits 1 wait $pid && sort out >sorted && sort lines.expected | cmp - sorted
ok "queue: what failed comes again, marked"

sluice sub --create --pattern queue --on-failure accept way -- false 2>err & pid=$!
sluice pub --wait 1 --pattern queue --timeout 10 way <lines && exits 1 wait $pid
ok "queue: --on-failure=accept does not"

sluice sub --create --pattern queue --on-failure stop way -- false 2>err & pid=$!
sluice pub --wait 1 --pattern queue way <lines & publisher=$!
exits 1 wait $pid && sluice sub way >out && wait $publisher && sort out >sorted && sort lines.expected | cmp - sorted
ok "queue: --on-failure=stop leaves everything to another"

sluice pub --pattern queue way <lines & publisher=$!
until_true members way messages 4
command sluice sub way -- sh -c 'echo $$ >worker; exec sleep 1000' & pid=$!
until_true test -s worker
kill -KILL $pid
kill "$(cat worker)"
sluice sub way -- sh -c 'echo "$SLUICE_REDELIVERED $(cat)"' >out 2>err && wait $publisher &&
	grep -qx "1 one" out && grep -qx "0 last" out && [ "$(wc -l <out)" = 4 ]
ok "queue: what a killed one had goes to another, marked"
wait $pid 2>/dev/null

# --- waiting, ending ---------------------------------------------------------

seq 1 10 >ten
sluice sub --create --count 3 way >out 2>err & pid=$!
sluice pub --wait 1 way <ten && wait $pid && seq 1 3 | cmp - out
ok "--count"

exits 4 sluice sub --create --timeout 0.2 way >out 2>err && grep -q "way: timed out" err
ok "sub --timeout"

exits 4 sluice pub --wait 1 --timeout 0.2 way <ten 2>err && grep -q "0 of 1 subscribers" err
ok "pub --timeout, waiting for subscribers"

command sluice sub --create --slots 4 way -- sleep 1000 & pid=$!
exits 4 sluice pub --wait 1 --timeout 0.5 --slots 4 way <ten 2>err && grep -q "does not keep up" err
ok "pub --timeout, waiting for room"
kill $pid
wait $pid 2>/dev/null

sluice pub --pattern queue way <ten & pid=$!
until_true members way messages 10
sleep 0.3
kill -0 $pid && sluice sub way >out && wait $pid && sort -n out | cmp - ten
ok "queue: the publisher lingers until everything is taken"

for history in 0 8; do
	sluice sub --create --history $history way -- sh -c 'sleep 0.2; cat >>out; echo >>out' 2>err & pid=$!
	sluice pub --wait 1 --history $history --linger way <lines && cmp out lines.expected
	ok "broadcast: --linger until everything is read, history $history"
	wait $pid
done

exits 4 sluice pub --pattern queue --timeout 0.3 way <ten 2>err && grep -q "not everything was read" err
ok "queue: it lingers as long as --timeout"

sluice pub --pattern queue --no-linger way <ten 2>err
ok "queue: --no-linger"

command sluice sub --create --stay way >out 2>err & pid=$!
sluice pub --wait 1 way <ten && until_true cmp out ten && kill -0 $pid &&
	sluice pub way <ten && until_true sh -c '[ "$(wc -l <out)" = 20 ]' && kill $pid
exits 143 wait $pid
ok "--stay goes on, and SIGTERM kills"

command sluice sub --create --json way 2>summary >out & pid=$!
until_true members way pattern broadcast
kill -HUP $pid
exits 129 wait $pid && has signal 1 <summary
ok "SIGHUP: the summary, then death by the signal"

mkfifo killed
command sluice pub --history 9 way <killed & publisher=$!
exec 5>killed
cat ten >&5
until_true members way messages 10
kill -KILL $publisher
command sluice sub --create --stay --timeout 1 way >out 2>/dev/null
exec 5>&-
wait $publisher 2>/dev/null
[ ! -s out ]
ok "a killed publisher takes its channel along"

command sluice sub --create --verbose way >out 2>err & pid=$!
command sluice pub --wait 1 way <killed & publisher=$!
exec 5>killed
cat ten >&5
until_true members way messages 10
kill -KILL $publisher
wait $pid && cmp out ten && grep -q "publisher $publisher left (killed)" err
ok "what a killed publisher sent is read, and its end told"
exec 5>&-
wait $publisher 2>/dev/null

exits 130 timeout -s INT 1 sluice sub --create way >out 2>err
ok "SIGINT kills sub"

sleep 2 | exits 130 timeout -s INT 1 sluice pub way >out 2>err
ok "SIGINT kills pub"

command sluice sub --create --stay way -- sh -c 'echo $$ >worker; exec sleep 1000' & pid=$!
rm -f worker
echo one | sluice pub --wait 1 way
until_true test -s worker
kill $pid
exits 143 wait $pid && ! kill -0 "$(cat worker)" 2>/dev/null
ok "SIGTERM ends the command, too"

(command sluice sub --create --stay way; echo $? >status) 2>err | head -n 1 >out & pid=$!
mkfifo idle
command sluice pub --wait 1 way <idle & publisher=$!
exec 5>idle
echo one >&5
wait $pid
until_true test -s status && grep -qx 141 status && grep -qx one out
ok "SIGPIPE: it dies when its reader is gone, though no message comes"
exec 5>&-
wait $publisher

(trap '' PIPE; exits 1 sluice sub --create way 2>err) | : & pid=$!
sluice pub --wait 1 way <numbers 2>/dev/null
wait $pid
until_true grep -q "standard output: cannot write" err
ok "with SIGPIPE ignored it is an error"

sluice sub --create way >/dev/full 2>err & pid=$!
sluice pub --wait 1 way <ten
exits 1 wait $pid && grep -q "No space left" err
ok "output that cannot be written is an error"

# --- policies ----------------------------------------------------------------

# lagging POLICY - a subscriber that has got one message is stopped, and many
# follow; its output is in got and told, the publisher's in err.
mkfifo lines.in
lagging() {
	command sluice sub --create --policy $1 --slots 16 --json way >got 2>told & pid=$!
	sluice pub --wait 1 --policy $1 --slots 16 way <lines.in 2>err & publisher=$!
	exec 5>lines.in
	echo 0 >&5
	until_true members way received 1 || return
	kill -STOP $pid
	cat numbers >&5
	exec 5>&-
	wait $publisher || return
	kill -CONT $pid
	exits $2 wait $pid
}

lagging drop-oldest 3 && grep -q "messages were dropped" err
ok "drop-oldest: the publisher tells that it dropped"
grep -q "^sluice: way: lost [0-9]* messages" told &&
	lost=$(sed -n 's/.*"lost": *\([0-9]*\).*/\1/p' told) && [ $(($(wc -l <got) + lost)) = $(($(wc -l <numbers) + 1)) ]
ok "drop-oldest: what is lost is told, and nothing else is"

lagging evict 1 && grep -q "1 subscribers were evicted" err && grep -q "evicted" told
ok "evict: both are told"

command sluice sub --create way >out 2>err & pid=$!
until_true members way policy block
exits 1 sluice pub --slots 8 way <ten 2>err && grep -q "exists with --slots 256, not 8" err
ok "options that an existing channel does not fulfil are an error"
exits 1 sluice pub --exclusive way <ten 2>err && grep -q "File exists" err
ok "--exclusive"
sluice pub way <ten
wait $pid

# --- looking -----------------------------------------------------------------

sluice ls >out && [ ! -s out ] && sluice ls --json | tr -d ' \n' | grep -qx '{"channels":\[\]}'
ok "ls of nothing"

exits 1 sluice stat nothing 2>err && grep -qx "sluice: nothing: no such channel" err
ok "stat of nothing"

exits 1 sluice sub nothing 2>err && grep -q "no such channel (--create makes it)" err
ok "sub of nothing"

command sluice sub --create --mode 0640 --group media 'nämé x' >out 2>err & pid=$!
until_true members 'nämé x' mode 0640
rm -f idle
mkfifo idle
command sluice pub --wait 1 'nämé x' <idle & publisher=$!
exec 5>idle
cat ten >&5
until_true members 'nämé x' messages 10
sluice ls | tail -n 1 >out.ls; cp out.ls out
grep -qE '^nämé x +broadcast +block +1 +1 +10 +1.0M +0640 +0:2000$' out.ls
ok "ls"
sluice stat 'nämé x' >out && grep -qE "^ +0 +$publisher +0:0 +active +10 +1.0M .* sluice$" out &&
	grep -qE "^ +0 +$pid +0:0 +active +10 +0 +0 +0 +block .* sluice$" out
ok "stat"
sluice ls --json >out && has name 'nämé x' <out && has mode 0640 <out && has gid 2000 <out && has messages 10 <out
ok "ls --json"
sluice stat --json 'nämé x' >out && has pid $publisher <out && has pid $pid <out && has received 10 <out && has lag 0 <out
ok "stat --json"
exits 1 su -s /bin/sh carol -c "sluice sub 'nämé x'" 2>err && grep -q "Permission denied" err
ok "who may not subscribe is told so"
[ -z "$(su -s /bin/sh carol -c 'sluice ls')" ]
ok "...and does not see it"
[ -n "$(su -s /bin/sh alice -c 'sluice ls')" ]
ok "...but the group does"
exec 5>&-
wait $pid $publisher

command sluice sub --create "$(printf 'bad\\\377')" & pid=$!
until_true sh -c '[ -n "$(sluice ls)" ]'
sluice ls -n | grep -q '^bad\\x5c\\xff ' && sluice ls --json | grep -qF '"bad\\x5c\\xff"'
ok "bytes of a name that are no text"
kill $pid
wait $pid 2>/dev/null

sluice sub --create way >out 2>err & pid=$!
sluice pub --wait 1 --json way <ten >summary && has messages 10 <summary && has bytes 11 <summary && has status 0 <summary
ok "pub --json"
wait $pid

sluice sub --create --raw way >out 2>err & pid=$!
{ cat random; sleep 1; cat lines; } | sluice pub --wait 1 --progress --block 1000 way 2>summary &&
	wait $pid && cat random lines | cmp - out && grep -qE '2\.9M .*/s' summary
ok "--progress"

hello >out 2>err && grep -qx "hello, world" out
ok "the README's program"

# --- attach ------------------------------------------------------------------

# serve PORT - one connection, into out; $server is whom to wait for.
serve() {
	nc -l -p "$1" >out & server=$!
	until_true sh -c "netstat -ltn | grep -q ':$1 '"
}

serve 7001
command sluice attach --create --stay --json log 127.0.0.1:7001 2>summary & pid=$!
until_true members log subscribers 1
for i in 1 2 3 4 5 6 7 8; do
	sed "s/^/$i /" lines.expected | sluice pub --pattern queue log & writers="$writers $!"
done
wait $writers && until_true sh -c '[ $(wc -l <out) = 32 ]' && kill -TERM $pid
exits 143 wait $pid && wait $server &&
	[ "$(sort out)" = "$(for i in 1 2 3 4 5 6 7 8; do sed "s/^/$i /" lines.expected; done | sort)" ] &&
	has messages 32 <summary && has cut false <summary
ok "eight writers into one connection, as lines"

serve 7002
sluice attach --create --length log 127.0.0.1:7002 2>err & pid=$!
until_true members log subscribers 1
sluice pub --pattern queue --block 100000 log <random && wait $pid && wait $server &&
	[ "$(head -c 4 out | od -An -tx1 | tr -d ' ')" = 000186a0 ] &&
	[ "$(wc -c <out)" = $(($(wc -c <random) + 4 * (($(wc -c <random) + 99999) / 100000))) ]
ok "...after their lengths"

serve 7003
command sluice attach --create --stay --raw log 127.0.0.1:7003 2>err & pid=$!
until_true members log subscribers 1
sluice pub --pattern queue log <ten && until_true grep -q 10 out && kill -TERM $pid
exits 143 wait $pid && wait $server && [ "$(cat out)" = "$(tr -d '\n' <ten)" ]
ok "...raw, until a signal"

serve 7004
command sluice attach --create --stay log 127.0.0.1:7004 2>err & pid=$!
until_true members log subscribers 1
exits 1 sluice attach --pattern broadcast log 127.0.0.1:7004 2>>err
kill -KILL $server
# It might still read, for all TCP knows, until it is written to.
sluice pub --pattern queue log <ten && until_true sh -c "! kill -0 $pid" || kill $pid
exits 1 wait $pid && grep -q "127.0.0.1:7004: the connection ended: " err
ok "the peer dies"

exits 1 sluice attach --create log 127.0.0.1:7005 2>err && grep -q "7005: cannot connect: Connection refused" err &&
	exits 1 sluice attach --create log /nowhere 2>err && grep -q "/nowhere: cannot connect: No such file" err &&
	exits 1 sluice attach --create log nowhere 2>err && grep -q "neither HOST:PORT" err &&
	exits 1 sluice attach --create log fd:0 <lines 2>err && grep -q "fd:0: not a TCP connection" err
ok "what cannot be connected"

[ -z "$(sluice ls)" ]
ok "nothing is left"

finish
