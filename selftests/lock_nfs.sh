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
# timeout: 120
#
# shellcheck disable=SC2086,SC2317

if ! { modprobe nfsd && modprobe nfsv4 && modprobe veth; } 2>/dev/null; then
	echo "1..0 # SKIP this kernel has no NFS server and client"
	exit 4
fi

WORK=$(mktemp -d /tmp/lock_nfs.XXXXXX)
cd "$WORK" || exit 1
count=0 failed=0

# ok NAME - judges the command before it.
ok() {
	status=$?
	count=$((count + 1))
	if [ $status = 0 ]; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		for file in out err /proc/locks; do
			head -c 2000 $file 2>/dev/null | sed "s/[^ -~]/?/g; s|^|# $file: |"
		done
		failed=$((failed + 1))
	fi
	rm -f out err
}

sluice() { timeout -s KILL 30 sluice "$@"; }

# until_true COMMAND... - within twenty seconds: a client whose connection is
# lost takes its time.
until_true() {
	tries=400
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

start_server() { echo 2 >$NFSD/threads && answers; }
stop_server() { echo 0 >$NFSD/threads; }
end_grace() { echo Y >$NFSD/v4_end_grace; }

# client DIRECTORY SERVER CLIENT [COMMAND...] - mounted by the command.
client() {
	directory=$1 server=$2 address=$3
	shift 3
	"$@" mount -i -t nfs4 -o "vers=4.2,port=2049,addr=$server,clientaddr=$address" "$server:/" "$directory"
}

# another_client - with a name of its own, or the server would take it for the
# first after a restart.
another_client() {
	unshare -n -u sleep 1000 & namespace=$!
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
# Where the server remembers its clients, without which none may reclaim.
mkdir -p /var/lib/nfs/v4recovery
mount -t tmpfs tmpfs served && echo data >served/file && mount -t nfsd nfsd $NFSD &&
	echo 10 >$NFSD/nfsv4leasetime && echo 10 >$NFSD/nfsv4gracetime && echo "-2 -3" >$NFSD/versions &&
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
gets() { timeout -s KILL 30 perl fcntl.pl "$1" "${2:-write}" "${3:-0}" 2>>err; }

# stranger NAME FILE - has it locked until release; its pid is in $holder.
stranger() {
	mkfifo end.$1
	perl fcntl.pl $2 write 0 $1 end.$1 & holder=$!
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
		awk -v from="$gone" '{ exit !($1 - from >= 0.5 && $1 - from < 5) }' /proc/uptime
	ok "$place: a program keeps us out, and we wait until the deadline"
	sluice lock --timeout 20 --fcntl -f one/file -- sh -c 'echo >got' 2>err & waiter=$!
	sleep 0.5
	[ ! -e got ] && release theirs $theirs && wait $waiter && [ -e got ]
	ok "$place: ...or until it lets go"
	rm -f got
done

hold mine --file two/file; mine=$holder
sluice lock --timeout 20 --fcntl -f one/file -- sh -c 'echo >got' 2>err & waiter=$!
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
# of the same process go on. Sluice's descriptor is its own, so a holder of
# Sluice's is not told today.

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

hold mine --file one/file; mine=$holder
forget
stranger theirs two/file; theirs=$holder
stat -f one >/dev/null && kill -0 $mine && release mine $mine && is_locked WRITE && exits 1 gets served/file
ok "who lost a lock, and releases it, takes nothing from who has it now"
exits 1 sluice lock -n --fcntl -f one/file -- touch ran && [ ! -e ran ]
ok "...is kept out by who has it"
release theirs $theirs
hold mine --file one/file; mine=$holder
is_locked WRITE && exits 1 gets two/file && exits 1 gets served/file && release mine $mine && gets two/file
ok "...and can lock it again"

# --- the end -------------------------------------------------------------------

umount one && umount two && kill $namespace && stop_server && umount $NFSD && until_true umount served
ok "nothing is left"

echo "1..$count"
cd / && rm -rf "$WORK"
exit $((failed > 0))
