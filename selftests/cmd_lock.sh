#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sluice lock, locks and deadlocks as people use them. TAP.
#
# needs: sluice crosswise script flock
# timeout: 240
#
# shellcheck disable=SC2016,SC2086,SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
sluice() { timeout -s KILL "$limit" sluice "$@"; }

# is STATE MODE RESOURCE - there is such a line in "sluice locks".
is() { command sluice locks | awk -v r="$3" -v s="$1" -v m="$2" '$2 == r && $3 == s && $4 == m { n = 1 } END { exit !n }'; }
as() { user=$1; shift; su -s /bin/sh "$user" -c "$*"; }

# hold FILE ARGUMENT... - something locked until release; its pid is in $holder.
hold() {
	rm -f "$1"
	mkfifo end.$1
	name=$1
	shift
	command sluice lock "$@" -- sh -c 'echo $$ >'$name'; read -r x <end.'$name 2>err.$name & holder=$!
	until_true test -s $name
}

# release FILE PID
release() {
	echo >end.$1
	wait $2
	status=$?
	rm -f end.$1 $1
	return $status
}

# What is remembered of owners that died goes with the last who has it open.
command sluice lock --mode nl keep -- sleep 1000 & keeper=$!
until_true is held NL keep
ok "a lockspace stays while something is locked in it"

# --- running a command -------------------------------------------------------

sluice lock a -- echo hello world >out && grep -qx 'hello world' out
ok "a command is run"

exits 7 sluice lock a -- sh -c 'exit 7'
ok "its exit status is passed on"

echo input | sluice lock a -- cat >out && grep -qx input out
ok "it has standard input and output"

exits 137 sluice lock -s a -- sh -c 'kill -KILL $$'
ok "a signal that kills it is told as a shell does"

exits 127 sluice lock a -- ./no-such-command 2>err && grep -q "no-such-command: cannot run: No such file" err
ok "no such command"

: >not-executable
exits 126 sluice lock a -- ./not-executable 2>err && grep -q "cannot run: Permission denied" err
ok "a command that cannot be run"

sluice lock a -- sh -c 'echo "$SLUICE_LOCKSPACE:$SLUICE_RESOURCE:$SLUICE_OWNER_DIED:$SLUICE_TOKEN"' >out 2>err &&
	grep -qE '^user-0:a:0:[1-9][0-9]*$' out
ok "the command knows what it has"

first=$(sluice lock a -- sh -c 'echo $SLUICE_TOKEN')
second=$(sluice lock --mode up a -- sh -c 'echo $SLUICE_TOKEN')
[ "$second" -gt "$first" ] && [ -z "$(sluice lock -s a -- sh -c 'echo $SLUICE_TOKEN')" ]
ok "tokens grow, and those who share have none"

sluice lock a -- sh -c 'ls /proc/self/fd | wc -l' >with && ls /proc/self/fd | wc -l >without && cmp with without
ok "the command inherits no descriptor"

sluice locks >out && ! grep -q " a " out
ok "afterwards nothing is locked"

# --- keeping out -------------------------------------------------------------

hold one a; one=$holder
exits 1 sluice lock --nonblock a -- touch ran 2>err && [ ! -e ran ] && [ ! -s err ]
ok "--nonblock gives up at once, in silence"

exits 1 sluice lock --timeout 0.2 a -- touch ran 2>err && [ ! -e ran ] && [ ! -s err ]
ok "--timeout gives up in time"

exits 75 sluice lock -n -E 75 a -- touch ran
ok "--conflict-exit-code"

exits 1 sluice lock -nv a -- touch ran 2>err && grep -qx "sluice: a: not free" err &&
	grep -qE "^sluice: a: process $one \(sh\) has had it EX for [0-9.]+s$" err
ok "--verbose tells who has it"

exits 1 sluice lock -n -s a -- touch ran && sluice lock -n b -- true && sluice lock -n --lockspace other a -- true
ok "exclusive keeps out who shares, but not who wants something else"

command sluice lock a -- sh -c 'echo second >>order' & second=$!
until_true is waiting EX a
command sluice lock a -- sh -c 'echo third >>order' & third=$!
until_true sh -c '[ "$(sluice locks | grep -c " waiting ")" = 2 ]'
command sluice lock --priority 5 a -- sh -c 'echo first >>order' & prior=$!
until_true sh -c '[ "$(sluice locks | grep -c " waiting ")" = 3 ]'
sluice locks >out && grep -qE "^user-0 +a +held +EX +$one +0 +[0-9.]+s +sh$" out &&
	grep -qE "^user-0 +a +waiting +EX +$second +0 +[0-9.]+s +sh$" out
ok "locks: who has it, who waits"
sluice locks --json >out && tr -d ' \n' <out | grep -q '"resource":{"name":"a"},"start":0,"end":null,"state":"held","mode":"EX",' &&
	grep -qE '"priority": ?5' out && grep -qE "\"pid\": ?$prior" out
ok "locks --json"
release one $one && wait $second && wait $third && wait $prior && printf 'first\nsecond\nthird\n' | cmp - order
ok "one after the other, those of a higher priority first"

hold one -s a; one=$holder
hold two --shared a; two=$holder
exits 1 sluice lock -n a -- touch ran && sluice lock -n --mode cr a -- true && exits 1 sluice lock -n --mode=CW a -- touch ran
ok "shared goes with shared, and with modes that go with it"
release one $one && release two $two
ok "...and both end well"

hold one --range 0-99 a; one=$holder
hold two -r 200- a; two=$holder
sluice lock -n -r 100-199 a -- true && exits 1 sluice lock -n -r 99-100 a -- touch ran && exits 1 sluice lock -n -r 1M-2M a -- touch ran
ok "--range"
sluice locks >out && grep -qE "^LOCKSPACE +RESOURCE +RANGE +STATE" out && grep -qE "^user-0 +a +0-99 +held" out &&
	grep -qE "^user-0 +a +200- +held" out
ok "locks: ranges"
release one $one && release two $two

hold one a; one=$holder
exits 1 sluice lock -n b a c -- touch ran && sluice lock --any b a c -- sh -c 'echo $SLUICE_RESOURCE' >out && grep -qx b out &&
	sluice lock -n --any a c -- sh -c 'echo $SLUICE_RESOURCE' >out && grep -qx c out
ok "all of several, or any"
sluice lock -n b c -- sh -c 'sluice locks | grep -c " held  *EX "; echo "[$SLUICE_RESOURCE]"' >out && grep -qx 3 out && grep -qx '\[\]' out
ok "all at once"
exits 125 sluice lock b b -- touch ran 2>err && grep -q "named twice" err
ok "nothing twice"
release one $one

# --- files -------------------------------------------------------------------

: >file
ln file link
mkdir dir
hold one --file file; one=$holder
exits 1 sluice lock -n -f link -- touch ran && exits 1 sluice lock -nsf "$WORK/dir/../file" -- touch ran &&
	sluice lock -n file -- true && sluice lock -n -f one -- true
ok "a file is one by any path, and no name"
sluice locks >out && grep -qE "^user-0 +$WORK/(file|link) +held +EX +$one " out
ok "locks: the path of a file"
sluice locks --json >out && grep -qE "\"inode\": ?$(stat -c %i file)" out && grep -q "\"path\": *\"$WORK/" out
ok "locks --json: a file"
release one $one

sluice lock -f new-file -- test -e new-file && [ "$(stat -c %s new-file)" = 0 ]
ok "a file that is not there is made"

hold one --file dir; one=$holder
exits 1 sluice lock -nf dir/. -- touch ran
ok "a directory"
release one $one

exits 125 sluice lock -f no/such/file -- touch ran 2>err && grep -q "no/such/file: cannot open.*: No such file" err
ok "a file that cannot be made"

cp file public
chmod 644 public
chmod 755 "$WORK"
exits 125 as alice "sluice lock -n -f $WORK/public -- touch $WORK/ran" 2>err &&
	grep -q "cannot open for writing, as an exclusive lock needs: Permission denied" err &&
	as alice "sluice lock -n --shared -f $WORK/public -- true"
ok "who may only read a file may share it"

mkfifo fifo
sluice lock -n -s -f fifo -- true && sluice lock -n -f fifo -- true
ok "a fifo blocks nobody"

for kind in fcntl flock; do
	hold one --$kind --file file; one=$holder
	[ $kind = flock ] && { exits 1 flock -n file touch ran; status=$?; }
	[ $kind = fcntl ] && { grep -qE " (OFDLCK|POSIX) +ADVISORY +WRITE .*:$(stat -c %i file) " /proc/locks; status=$?; }
	[ $status = 0 ] && exits 1 sluice lock -n --file file -- touch ran
	ok "--$kind takes the kernel's own lock, too"
	release one $one
done
mkfifo flock.end
flock file sh -c 'echo >flocked; read -r x <flock.end' & pid=$!
until_true test -e flocked
exits 1 sluice lock -n --flock -f file -- touch ran && sluice lock -n -f file -- true &&
	exits 1 sluice lock --timeout 0.2 --flock -f file -- touch ran
ok "flock(1) keeps --flock out"
command sluice lock --flock -f file -- touch had & waiter=$!
sleep 0.3
[ ! -e had ] && echo >flock.end && wait $pid && wait $waiter && [ -e had ]
ok "...until it ends"

[ ! -e ran ]
ok "none of those that were not to be run was"

# --- owners that die ---------------------------------------------------------

hold one a; one=$holder
kill -KILL $one
wait $one 2>/dev/null
until_true sh -c '! kill -0 '"$(cat one)"
ok "killed, it takes its command along"
rm -f end.one
sluice lock a -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 1 out &&
	grep -q "sluice: a: an owner died: what it protects may be half written (--consistent" err
ok "the next one is told"
sluice locks >out && grep -qE "^user-0 +a +died " out
ok "locks: died"
exits 3 sluice lock --consistent a -- sh -c 'exit 3' 2>err && sluice lock a -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 1 out
ok "a command that fails does not make it consistent"
sluice lock --consistent a -- true 2>err && sluice lock a -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 0 out && [ ! -s err ]
ok "--consistent, and a command that succeeds does"

exits 137 sluice lock a -- sh -c 'kill -KILL $$' && sluice lock --consistent a -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 1 out
ok "a command that is killed is an owner that died"

exits 3 sluice lock a -- sh -c 'exit 3' && sluice lock a -- sh -c 'echo $SLUICE_OWNER_DIED' >out && grep -qx 0 out
ok "one that fails is not"

exits 137 sluice lock -s a -- sh -c 'kill -KILL $$' && sluice lock a -- sh -c 'echo $SLUICE_OWNER_DIED' >out && grep -qx 0 out
ok "nor is one that shared"

exits 137 sluice lock c -- sh -c 'kill -KILL $$'
sluice lock --any c d -- sh -c 'echo $SLUICE_OWNER_DIED:$SLUICE_RESOURCE' >out 2>err && grep -qx 1:c out && sluice lock d -- true 2>err &&
	sluice lock --consistent c d -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 1 out && ! grep -q "sluice: d:" err &&
	sluice lock c -- sh -c 'echo $SLUICE_OWNER_DIED' >out && grep -qx 0 out
ok "of several it is told which"

# --- signals -----------------------------------------------------------------

for signal in TERM:143 HUP:129; do
	hold one a; one=$holder
	command sluice lock a -- touch ran & waiter=$!
	until_true is waiting EX a
	kill -${signal%:*} $waiter
	exits ${signal#*:} wait $waiter && kill -0 $one && is held EX a && ! is waiting EX a
	ok "SIG${signal%:*} while it waits"
	release one $one
done
hold one a; one=$holder
exits 130 timeout -s INT 1 sluice lock a -- touch ran && is held EX a && ! is waiting EX a
ok "SIGINT while it waits"
release one $one
[ ! -e ran ] && sluice lock -n a -- true
ok "nothing was run, and nothing is left locked"

exits 130 timeout -s INT 1 sluice lock a -- sleep 1000
ok "SIGINT: the command and it die of it"
sluice lock --consistent a -- sh -c 'echo $SLUICE_OWNER_DIED' >out 2>err && grep -qx 1 out
ok "...so its owner died"

command sluice lock a -- sh -c 'trap "echo told >told; exit 5" TERM; echo >ready; while :; do sleep 0.05; done' & pid=$!
until_true test -e ready
kill -TERM $pid
exits 5 wait $pid && grep -qx told told && sluice lock -n a -- sh -c 'echo $SLUICE_OWNER_DIED' >out && grep -qx 0 out
ok "SIGTERM is handed on, and a command that ends in order is no death"

# The terminal sends it to the command, too: handed on it would come twice.
{ until_true test -e typing; printf '\003'; sleep 1; } |
	exits 6 script -qec "sluice lock a -- sh -c 'trap \"echo >>hits\" INT; echo >typing; while [ ! -e hits ]; do sleep 0.05; done; sleep 0.3; exit 6'" /dev/null >out 2>err &&
	[ "$(wc -l <hits)" = 1 ] && sluice lock -n a -- true
ok "control-C gets to the command once, and it ends as that does"

# --- lockspaces --------------------------------------------------------------

sluice lock --lockspace shop --lockspace-mode 0640 --lockspace-group media x -- sh -c '
	sluice ls -l >list; sluice ls -l --json >list.json
	su -s /bin/sh alice -c "sluice lock -n --lockspace shop --shared y -- true"; echo $?
	su -s /bin/sh alice -c "sluice lock -n --lockspace shop y -- true"; echo $?
	su -s /bin/sh carol -c "sluice lock -n --lockspace shop -s y -- true"; echo $?
	for user in alice carol; do su -s /bin/sh $user -c "sluice locks -n shop" 2>&1; done' >out 2>err
printf '0\n125\n125\n' >expected
head -n 3 out | cmp - expected && grep -qx "sluice: shop: cannot open lockspace: Permission denied" out &&
	[ "$(grep -c "Permission denied" err)" = 2 ] && [ "$(grep -c "^x  *held" out)" = 1 ]
ok "who may share, who may lock, who may look"
grep -qE '^shop +requester +1 +1 +0 +1 +0 +0 +0640 +0:2000$' list && grep -qE '"mode": ?"0640"' list.json && cp list out
ok "ls --lockspaces"

as bob "sluice lock --lockspace user-1000 --lockspace-mode 0666 a -- sleep 1000" & bob=$!
until_true sh -c 'sluice ls -ln | grep -q "^user-1000 "'
exits 125 as alice "sluice lock -n b -- true" 2>err && grep -q "user-1000: this lockspace is user 1001's: name another" err
ok "a lockspace that somebody else calls like one's own"
kill "$(sluice locks -n user-1000 | awk '{ print $4 }')"
wait $bob

exits 1 sluice locks nothing 2>err && grep -qx "sluice: nothing: no such lockspace: nobody has it open" err &&
	exits 1 sluice deadlocks nothing 2>err && grep -q "no such lockspace" err
ok "no such lockspace"

sluice deadlocks >out && [ ! -s out ] && sluice deadlocks --json | tr -d ' \n' | grep -qx '{"deadlocks":\[\]}'
ok "no deadlock so far"

command sluice lock --lockspace other --mode nl keep -- sleep 1000 & pid=$!
until_true is held NL keep && until_true sh -c 'sluice ls -ln | grep -q "^other "'
crosswise other >out && grep -qx "both moved, after 1 deadlock" out
ok "two threads that lock crosswise"
thread='process [0-9]+ \(crosswise\)(, thread [0-9]+,)?'
sluice deadlocks >out && [ "$(wc -l <out)" = 3 ] &&
	grep -qE "^Deadlock 1 in lockspace 'other', [0-9.]+s ago: 2 waited for each other$" out &&
	grep -qE "^  $thread had waited [0-9.]+ s for '(left|right)' in mode EX, which $thread has in mode EX$" out &&
	grep -qE "^  $thread asked for '(left|right)' in mode EX, which $thread has in mode EX, and got EDEADLK$" out
ok "deadlocks"
sluice deadlocks --json other | tr -d ' \n' >out && grep -q '"length":2,"cycle":\[{.*"resource":{"name":"left"}.*"resource":{"name":"right"}\|"length":2,"cycle":\[{.*"right".*"left"' out &&
	[ "$(grep -o '"victim":true' out | wc -l)" = 1 ]
ok "deadlocks --json"
kill $pid
exits 143 wait $pid

sluice lock "$(printf 'bad\\\377')" -- sluice locks >out && grep -qF 'bad\x5c\xff' out
ok "bytes of a name that are no text"

[ "$(sluice locks -n | wc -l)" = 1 ]
ok "nothing but what keeps the lockspace is left"
kill $keeper
exits 143 wait $keeper
until_true sh -c '[ -z "$(sluice ls -l)" ]' && [ -z "$(sluice locks)" ]
ok "...and with it goes the lockspace"

finish
