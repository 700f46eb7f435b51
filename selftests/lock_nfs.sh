#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Files on NFS, from the kernel's own server in this guest: locks taken with
# --fcntl are the server's, and other clients and programs of the server meet
# them. There are two clients, one by the loopback, one in a network namespace
# of its own. TAP.
#
# needs: sluice perl
# modules: nfsd nfsv4 veth
# timeout: 240
#
# shellcheck disable=SC2086,SC2317

# has_drivers - as modules, or built in.
has_drivers() {
	for module in nfsd nfsv4 veth; do
		modprobe $module
	done
	grep -qw nfsd /proc/filesystems && grep -qw nfs4 /proc/filesystems &&
		ip link add probe type veth && ip link delete probe
}
if ! has_drivers 2>/dev/null; then
	echo "1..0 # SKIP this kernel has no NFS server and client"
	exit 4
fi

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
shown="out err /proc/locks"

# Leases are so much longer on a slow kernel that those who are alive do not miss
# the end of one.
if [ "$scale" -gt 1 ]; then
	soon=20 lease=20
else
	soon=5 lease=10
fi
sluice() { timeout -s KILL $limit sluice "$@"; }

# hold NAME ARGUMENT... - something locked until release; its pid is in $holder.
hold() {
	name=$1
	shift
	mkfifo end.$name
	command sluice lock --fcntl "$@" -- sh -c "echo \$\$ >$name; read -r x <end.$name" 2>err.$name & holder=$!
	until_true test -s $name
}

# release NAME PID - what hold or stranger has.
release() {
	echo >end.$1
	wait $2
	status=$?
	rm -f end.$1 $1
	return $status
}

# --- the server and its clients ------------------------------------------------

SERVED=$WORK/served
NFSD=/proc/fs/nfsd
FOREVER=2147483647

# What mountd would answer when the server asks who may have what.
answers() {
	for client in 127.0.0.1 10.9.0.2; do
		echo "nfsd $client $FOREVER clients"
	done >/proc/net/rpc/auth.unix.ip/channel
	# For ports of ordinary users, root as root, without looking at
	# directories above, with a number of its own.
	echo "clients $SERVED $FOREVER $((0x2 + 0x400 + 0x2000)) 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
	printf 'clients 1 \\x00000000 %s %s\n' $FOREVER $SERVED >/proc/net/rpc/nfsd.fh/channel
}

# Newer kernels open no port by themselves.
start_server() { echo "tcp 2049" >$NFSD/portlist && echo 2 >$NFSD/threads && answers; }
stop_server() { echo 0 >$NFSD/threads; }
end_grace() { echo Y >$NFSD/v4_end_grace; }

# client DIRECTORY SERVER CLIENT [COMMAND...] - mounted by the command.
client() {
	directory=$1 server=$2 address=$3
	shift 3
	"$@" mount -i -t nfs4 -o "vers=${VERSION:-4.2},port=2049,addr=$server,clientaddr=$address" "$server:/" "$directory"
}

# another_client - with a name of its own, or the server would take it for the
# first after a restart.
another_client() {
	unshare -n -u sleep 100000 & namespace=$!
	inside="nsenter -t $namespace -n -u"
	until_true sh -c "[ \$(readlink /proc/$namespace/ns/uts) != \$(readlink /proc/self/ns/uts) ]"
	# busybox cannot name the other end: the kernel calls it veth0.
	ip link add name here type veth && ip link set dev veth0 netns $namespace &&
		ip addr add 10.9.0.1/24 dev here && ip link set here up &&
		$inside hostname another && $inside ip addr add 10.9.0.2/24 dev veth0 &&
		$inside ip link set veth0 up || return
	client two 10.9.0.1 10.9.0.2 $inside
}

mkdir served one two
# With a delegation, a client would keep locks to itself, and the server have
# nothing to answer.
echo 0 >/proc/sys/fs/leases-enable
# Where the server remembers its clients, without which none may reclaim.
mkdir -p /var/lib/nfs/v4recovery
mount -t tmpfs tmpfs served && echo data >served/file && mount -t nfsd nfsd $NFSD &&
	echo $lease >$NFSD/nfsv4leasetime && echo $lease >$NFSD/nfsv4gracetime && echo "-2 -3" >$NFSD/versions &&
	start_server && end_grace && client one 127.0.0.1 127.0.0.1 && another_client &&
	grep -qx data one/file && grep -qx data two/file &&
	[ "$(cat $NFSD/clients/*/info | grep -cE '^name: .* (guest|another)"')" = 2 ]
ok "a server and two clients"
[ $failed = 0 ] || { echo "1..$count"; exit 1; }

# --- strangers -----------------------------------------------------------------

# FILE TYPE START [MARK END] - try the lock of fcntl(); if there is a MARK, make
# it and keep the lock until END can be read.
cat >fcntl.pl <<'PERL'
my ($file, $type, $start, $mark, $end) = @ARGV;
open my $f, $type eq "read" ? "<" : "+<", $file or die "$file: $!\n";
my $lock = pack "ssx4qqlx4", $type eq "read" ? 0 : 1, 0, $start, 0, 0;
fcntl $f, 6, $lock or exit 1;
if ($mark) {
	open my $m, ">", $mark or die "$mark: $!\n";
	print $m "$$\n";
	close $m;
	open my $e, "<", $end or die "$end: $!\n";
	<$e>;
}
PERL
gets() { timeout -s KILL $limit perl fcntl.pl "$1" "${2:-write}" "${3:-0}" 2>>err; }

# stranger NAME FILE [START] - has it locked until release; its pid is in $holder.
stranger() {
	mkfifo end.$1
	perl fcntl.pl $2 write ${3:-0} $1 end.$1 & holder=$!
	until_true test -s $1
}

device=$(printf '00:%02x' "$(stat -c %d served/file)")
inode=$(stat -c %i served/file)
# is_locked WRITE|READ - on the server.
is_locked() { grep -qE "^[0-9]+: POSIX +ADVISORY +$1 [0-9]+ $device:$inode " /proc/locks; }

gets served/file && gets one/file && gets two/file
ok "whoever is alone gets it"

# --- keeping out ---------------------------------------------------------------

hold mine --file one/file; mine=$holder
is_locked WRITE && exits 1 gets served/file && exits 1 gets two/file && exits 1 gets one/file
ok "an exclusive lock keeps out programs of the server and of either client"
exits 1 sluice lock -n --fcntl --file two/file -- touch ran && [ ! -e ran ]
ok "...and Sluice on the other client"
release mine $mine && ! is_locked WRITE && gets served/file && gets two/file
ok "...until it is released"

hold mine --shared --file one/file; mine=$holder
is_locked READ && gets served/file read && gets two/file read && exits 1 gets served/file && exits 1 gets two/file &&
	sluice lock -n --shared --fcntl --file two/file -- true && exits 1 sluice lock -n --fcntl --file two/file -- true
ok "a shared lock keeps out writers only"
release mine $mine

hold mine --range 0-99 --file one/file; mine=$holder
gets two/file write 100 && exits 1 gets two/file write 99 && gets served/file write 100 && exits 1 gets served/file write 99
ok "a range keeps out of the range only"
release mine $mine

for place in served two; do
	stranger theirs $place/file; theirs=$holder
	exits 1 sluice lock -n --fcntl -f one/file -- touch ran && sluice lock -n -f one/file -- true &&
		gone=$(cut -d' ' -f1 /proc/uptime) && exits 1 sluice lock --timeout 0.5 --fcntl -f one/file -- touch ran && [ ! -e ran ] &&
		awk -v from="$gone" -v soon=$soon '{ exit !($1 - from >= 0.5 && $1 - from < soon) }' /proc/uptime
	ok "$place: a program keeps us out, and we wait until the deadline"
	sluice lock --timeout $limit --fcntl -f one/file -- sh -c 'echo >got' 2>err & waiter=$!
	sleep 0.5
	[ ! -e got ] && release theirs $theirs && wait $waiter && [ -e got ]
	ok "$place: ...or until it lets go"
	rm -f got
done

hold mine --file two/file; mine=$holder
sluice lock --timeout $limit --fcntl -f one/file -- sh -c 'echo >got' 2>err & waiter=$!
sleep 0.5
[ ! -e got ] && release mine $mine && wait $waiter && [ -e got ]
ok "Sluice on one client waits for Sluice on the other"

hold mine --file one/file; mine=$holder
kill -KILL $mine
{ wait $mine; } 2>/dev/null
until_true gets two/file && ! is_locked WRITE
ok "a killed holder's lock is gone from the server"
rm -f mine end.mine

# --- a server that starts anew -------------------------------------------------

# A client notices when it next has something to ask.
hold mine --file one/file; mine=$holder
stop_server && ! is_locked WRITE && start_server && stat -f one >/dev/null && until_true is_locked WRITE
ok "a lock is reclaimed from a server that started anew"
end_grace && exits 1 gets two/file && exits 1 gets served/file && kill -0 $mine
ok "...and keeps others out as before"
release mine $mine && until_true gets two/file && gets served/file
ok "...until it is released"

# --- a server that forgot ------------------------------------------------------
#
# What the kernel tells then: a client learns of it when it next asks the server
# for something, two thirds of a lease later at most. It goes on showing the lock
# in /proc/locks and to F_GETLK of others. Only what is read and written through
# the descriptor that the lock was taken with fails, with EIO; other descriptors
# of the same process go on. Sluice's descriptor is its own, and it asks.

# As when the first client was not heard of for longer than a lease.
forget() {
	for directory in "$NFSD"/clients/*; do
		! grep -q '^name: .* guest"' "$directory/info" || echo expire >"$directory/ctl"
	done
}

# FILE END - take a lock, and tell before and after END can be read what the
# kernel says of it to who took it, and through another descriptor to another:
# whether another has it (F_OFD_GETLK), and whether the server goes along with
# it: it is asked every time for data (SEEK_DATA) where there is none (ENXIO).
cat >lost.pl <<'PERL'
my ($file, $end) = @ARGV;
$| = 1;
open my $holder, "+<", $file or die "$file: $!\n";
open my $other, "+<", $file or die "$file: $!\n";
my $lock = pack "ssx4qqlx4", 1, 0, 0, 0, 0;
my $set = $lock;
fcntl $holder, 37, $set or die "lock: $!\n";
sub told {
	my ($name, $descriptor) = @_;
	my $test = $lock;
	fcntl $descriptor, 36, $test or die "test: $!\n";
	my $kind = (unpack "s", $test)[0] == 2 ? "free" : "locked";
	my $seek = defined sysseek($descriptor, 1 << 40, 3) ? "data" : $! == 6 ? "goes along" : $! == 5 ? "EIO" : $!;
	print "$name: $kind, $seek\n";
}
sub all_told { told("$_[0], holder", $holder); told("$_[0], other", $other); }
all_told("had");
open my $e, "<", $end or die "$end: $!\n";
<$e>;
all_told("lost");
PERL

cat >told.expected <<'END'
had, holder: free, goes along
had, other: locked, goes along
lost, holder: free, EIO
lost, other: locked, goes along
END
mkfifo end.lost
perl lost.pl one/file end.lost >out 2>err & pid=$!
until_true grep -q "had, other" out && is_locked WRITE && forget && ! is_locked WRITE &&
	echo >end.lost && wait $pid && cmp out told.expected
ok "of a lost lock only the descriptor tells that it was taken with"

check_every() { echo $1 >/sys/module/sluice/parameters/file_check; }
NEVER=86400 SOON=1
# calls DIRECTORY NAME - how many a client has made.
calls() { awk -v at=" on $WORK/$1 " -v name="$2:" '/^device/ { on = index($0, at) } on && $1 == name { print $2 }' /proc/self/mountstats; }
more_calls() { [ "$(calls $1 $2)" -ge $3 ]; }
LOST="lost: the file server has forgotten this lock"

# Marks live as long as their lockspace.
mkfifo end.stay
command sluice lock --mode nl stay -- sh -c "echo >stay; read -r x <end.stay" & stay=$!
until_true test -s stay

check_every $SOON
hold mine --file one/file; mine=$holder
looks=$(calls one SEEK)
until_true more_calls one SEEK $((looks + 3)) && kill -0 $mine && ! [ -s err.mine ] && is_locked WRITE && exits 1 gets two/file && release mine $mine
ok "a lock that is not lost is looked at, and nothing is said"

hold mine --file one/file; mine=$holder
forget
stranger theirs two/file; theirs=$holder
until_true grep -q "^sluice: one/file: $LOST" err.mine && kill -0 $mine
ok "who lost a lock is told, though it asks for nothing"
exits 1 sluice lock -n --fcntl -f one/file -- touch ran && [ ! -e ran ]
ok "...its grant is taken back, and the next one meets who has the lock now"
release mine $mine; [ $? = 125 ] && [ "$(grep -c lost err.mine)" = 1 ] && is_locked WRITE && exits 1 gets served/file
ok "...and by releasing it takes nothing from who has it now"
release theirs $theirs
sluice lock --fcntl -f one/file -- sh -c 'echo $SLUICE_OWNER_DIED >died' 2>err && grep -qx 1 died && grep -q "an owner died" err
ok "...the next one is told that it may be half written"
sluice lock --consistent --fcntl -f one/file -- true 2>/dev/null && sluice lock --fcntl -f one/file -- sh -c 'echo $SLUICE_OWNER_DIED >died' && grep -qx 0 died
ok "...until that is repaired"

hold mine --shared --file one/file; mine=$holder
forget
until_true grep -q "^sluice: one/file: $LOST" err.mine; release mine $mine; [ $? = 125 ] &&
	sluice lock --fcntl -f one/file -- sh -c 'echo $SLUICE_OWNER_DIED >died' && grep -qx 0 died
ok "a reader that lost its lock is told, and leaves no mark"

check_every $NEVER
hold mine --file one/file; mine=$holder
forget
release mine $mine; [ $? = 125 ] && grep -q "$LOST" err.mine
ok "who releases a lost lock is told then at the latest"
sluice lock --consistent --fcntl -f one/file -- true 2>/dev/null
hold mine --file one/file; mine=$holder
is_locked WRITE && exits 1 gets two/file && exits 1 gets served/file && release mine $mine && gets two/file
ok "...and can lock it again"

# A server that does not know that it was so before the restart takes no claims.
check_every $SOON
hold mine --file one/file; mine=$holder
stop_server && rm -rf /var/lib/nfs/v4recovery/* && start_server && end_grace
until_true grep -q "^sluice: one/file: $LOST" err.mine; release mine $mine; [ $? = 125 ]
ok "a server that started anew and takes no claims has lost it"
sluice lock --consistent --fcntl -f one/file -- true 2>/dev/null

# NFSv4.1 cannot seek: a byte is read past all caches.
mkdir old && VERSION=4.1 client old 127.0.0.1 127.0.0.1 &&
	hold mine --file old/file && mine=$holder && looks=$(calls old READ) &&
	until_true more_calls old READ $((looks + 3)) && kill -0 $mine && ! [ -s err.mine ] && is_locked WRITE && forget &&
	until_true grep -q "^sluice: old/file: $LOST" err.mine; release mine $mine; [ $? = 125 ]
ok "NFSv4.1: who lost a lock is told, and nobody else"
sluice lock --consistent --fcntl -f old/file -- true 2>/dev/null
umount old

# --- call by call --------------------------------------------------------------

# FILE - open it, and do with a holder of one's own what is read line by line,
# and tell what came of it: lock MODE [MILLISECONDS [START END]], unlock, event.
# 0 milliseconds are for ever.
cat >holder.pl <<'PERL'
my ($file) = @ARGV;
$| = 1;
sub number { my ($nr, $size) = @_; return 3 << 30 | $size << 16 | 0xB5 << 8 | $nr; }
open my $device, "+<", "/dev/sluice" or die "/dev/sluice: $!\n";
sub make {
	my $fd = ioctl $device, $_[0], $_[1] or die "ioctl: $!\n";
	open my $made, "+<&=", $fd or die "$fd: $!\n";
	return $made;
}
my $name = "user-0";
my $space = pack "L8 a64 L2 Q3", 1, 3, length $name, 0600, ~0 & 0xffffffff, ~0 & 0xffffffff, 0, 0, $name, 0, 0, 0, 0, 0;
$space = make(number(0x83, 128), $space);
my $holder = pack "L2 Q", 0, 0, 0;
$holder = make(number(0x85, 16), $holder);
open my $f, "+<", $file or die "$file: $!\n";
sub item {
	my ($mode, $first, $last) = @_;
	return pack "l L3 Q4 L l L2 a64", fileno $space, 2, $mode, 2, $first // 0, $last // ~0, 0, 0, 0, fileno $f, 0, 0, "";
}
sub deadline {
	open my $u, "<", "/proc/uptime" or die "uptime: $!\n";
	return int((split " ", <$u>)[0] * 1e9) + $_[0] * 1000000;
}
print "ready\n";
while (<STDIN>) {
	chomp;
	my ($do, $mode, $ms, $first, $last) = split / /;
	my ($item, $arg) = item($mode // 0, $first, $last);
	if ($do eq "lock") {
		$arg = pack "Q L3 l q L2", unpack("Q", pack "P", $item), 1, 128, 0, 0, $ms ? deadline($ms) : 0x7fffffffffffffff, 0, 0;
		my $got = ioctl $holder, number(0xE0, 40), $arg;
		print "lock $mode: ", $got ? "status " . unpack("x48 L", $item) : $! + 0, "\n";
	} elsif ($do eq "unlock") {
		$item = item(0);
		$arg = pack "Q L4", unpack("Q", pack "P", $item), 1, 128, 0, 0;
		print "unlock: ", ioctl($holder, number(0xE1, 24), $arg) ? "done" : $! + 0, "\n";
	} elsif ($do eq "event") {
		$arg = pack "L4 Q L2 Q4 L2 a64", (0) x 13, "";
		print "event: ", ioctl($holder, number(0xE3, 136), $arg) ? join(" ", unpack "L4", $arg) : $! + 0, "\n";
	}
}
PERL
# One is that which keeps the lockspace.
grants_are() { sluice ls --lockspaces --json | grep -qE "\"held\": ?$1,"; }
ESTALE=116 ETIMEDOUT=110 EAGAIN=11 REVOKED=3 EIO=5 PR=4 EX=7

# holder NAME FILE - one that asks NAME what to do, by do_it; its pid is in $holder.
holder() {
	mkfifo do.$1
	perl holder.pl $2 <do.$1 >did.$1 2>err.$1 & holder=$!
	exec 3>do.$1
	until_true grep -qx ready did.$1 || cat err.$1 >>err
}
do_it() { kill -0 $caller && echo "$1" >&3; }
# did NAME LINE... - the last ones, in this order.
did() {
	from=$1
	shift
	printf '%s\n' "$@" >expected
	until_true sh -c "tail -n $# did.$from | cmp -s - expected" || { cat did.$from >err; return 1; }
}
dismiss() {
	exec 3>&-
	wait $2
	status=$?
	rm -f do.$1 did.$1
	return $status
}

check_every $NEVER
holder calls one/file; caller=$holder
do_it "lock $EX"; do_it "lock $EX"; do_it "unlock"; do_it "event"
did calls "lock $EX: status 0" "lock $EX: status 0" "unlock: done" "event: $EAGAIN"
ok "a lock is taken, again, and released, and all is well"
do_it "lock $EX" && did calls "lock $EX: status 0" && forget && do_it "unlock" && do_it "event" && do_it "unlock" &&
	did calls "unlock: $ESTALE" "event: $REVOKED $EIO 0 $EX" "unlock: done"
ok "UNLOCK of a lost lock says so, and an event does"
do_it "lock $EX" && did calls "lock $EX: status 1" && forget && do_it "lock $EX" && do_it "event" && do_it "event" && do_it "lock $EX" &&
	did calls "lock $EX: $ESTALE" "event: $REVOKED $EIO 0 $EX" "event: $EAGAIN" "lock $EX: status 1" && is_locked WRITE
ok "...who locks it again is refused once, and then has it"
do_it "lock $PR" && did calls "lock $PR: status 1" && forget && do_it "lock $EX" && do_it "event" && do_it "unlock" &&
	did calls "lock $EX: $ESTALE" "event: $REVOKED $EIO 0 $PR" "unlock: done" && ! is_locked READ && ! is_locked WRITE
ok "...so is who converts it"

# The byte that it waits for is had by another client, and goes by with the rest.
check_every $SOON
stranger theirs two/file 20; theirs=$holder
do_it "lock $EX 0 0 9" && did calls "lock $EX: status 1" && do_it "lock $EX 0 20 29" && until_true grep -qx "sluice-waits:	1" /proc/$caller/fdinfo/* && forget &&
	do_it "event" && did calls "lock $EX: $ESTALE" "event: $REVOKED $EIO 0 $EX"
ok "who waits for a stranger and meanwhile loses what it had is told"
release theirs $theirs
# Of what it had in hand meanwhile it may be told as well.
do_it "event" && do_it "unlock" && did calls "unlock: done"
check_every $NEVER

# --- a server that does not answer ---------------------------------------------

# The answer comes while it does not, however slow this machine is.
stop_server && do_it "lock $EX 1000" && did calls "lock $EX: $ETIMEDOUT"
ok "a deadline is kept while the server does not answer"
locks=$(calls one LOCK) unlocks=$(calls one LOCKU)
do_it "lock $EX 300" && did calls "lock $EX: $ETIMEDOUT"
ok "...also by the next request, which finds the last one still on its way"
start_server && end_grace && until_true more_calls one LOCKU $((unlocks + 1)) && more_calls one LOCK $((locks + 1)) &&
	kill -0 $caller && until_true gets two/file
ok "...what the server grants later is given back"
do_it "lock $EX" && did calls "lock $EX: status 1" && is_locked WRITE && exits 1 gets two/file && do_it "unlock" && did calls "unlock: done"
ok "...and can be had again"

# Its own descriptor of the file is then closed by the kernel, which takes the
# server; but it has let go of everything else.
stop_server && do_it "lock $EX" && until_true grep -qx "sluice-waits:	1" /proc/$caller/fdinfo/* && kill -KILL $caller &&
	until_true sh -c "! cat /proc/$caller/fdinfo/*" && until_true grants_are 1
ok "who is killed while the server does not answer is gone at once"
start_server && end_grace && ! dismiss calls $caller 2>/dev/null && until_true gets two/file && until_true gets one/file && ! is_locked WRITE
ok "...and leaves no lock"

echo >end.stay; wait $stay

# --- the end -------------------------------------------------------------------

echo 1 >/proc/sys/fs/leases-enable
until_true umount one && until_true umount two && kill $namespace && stop_server && umount $NFSD && until_true umount served
ok "nothing is left"

finish
