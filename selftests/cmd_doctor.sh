#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sluice doctor: each thing that can be wrong is made so, and found. TAP.
#
# needs: sluice
# timeout: 300
#
# shellcheck disable=SC2086,SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
chmod 755 .
parameters=/sys/module/sluice/parameters

# doctor STATUS ARGUMENT... - what it finds is in out.
doctor() { wanted=$1; shift; exits $wanted sluice doctor "$@" >out 2>err; }
# finds LEVEL CHECK TEXT, and perhaps what is to be done.
finds() {
	grep -A 1 -E "^$1 +$2 +.*$3" out >hit && { [ -z "$4" ] || grep -qE "^ +what to do: .*$4" hit; }
}
as() { user=$1; shift; su -s /bin/sh $user -c "$*" >out 2>err; }

# --- all is well ----------------------------------------------------------------

doctor 0 && ! grep -qvE '^ok ' out && finds ok module loaded && finds ok version "1\.[0-9]+ of the protocol, this library 1\." &&
	finds ok features "all that this program knows" && finds ok network "the machine's first" && finds ok netlink "" && finds ok quota ""
ok "nothing is wrong"
sluice doctor --json >out 2>err && tr -d ' \n' <out | grep -qE '^\{"worst":"ok","checks":\[\{"check":"kernel","level":"ok","found":"Linux.*"\}\]\}$' &&
	! grep -q advice out
ok "--json"

# --- who may --------------------------------------------------------------------

chmod 0600 /dev/sluice
as alice sluice doctor
[ $? = 1 ] && finds problem device "alice may not open /dev/sluice: mode 0600, owner 0, group root" "60-sluice.rules" && ! grep -q version out
ok "a device of root's alone"
chgrp media /dev/sluice && chmod 0660 /dev/sluice
as alice sluice doctor && finds ok device "mode 0660"
ok "a device of a group that one is in"
as carol sluice doctor
[ $? = 1 ] && finds problem device "carol may not open .*mode 0660, owner 0, group media" "adduser carol media, and log in again"
ok "...or is not"
mkfifo go
as carol 'read -r x <go; sluice doctor' & early=$!
sleep 0.5
cp /etc/group groups
sed -i 's/^media:.*/&,carol/' /etc/group
echo >go
exits 1 wait $early && finds problem device "carol may not open" "log in again: carol is in group media by now"
ok "...or was not yet when one logged in"
cat groups >/etc/group
as carol sluice doctor --json
tr -d ' \n' <out | grep -qE '"check":"device","level":"problem","found":"carolmaynotopen[^"]*","advice":"addusercarolmedia'
ok "--json: what to do"
chgrp root /dev/sluice && chmod 0666 /dev/sluice
as carol sluice doctor && finds ok device ""
ok "a device that all may open"
chmod 0600 /dev/sluice

mv /dev/sluice /dev/aside
doctor 1 && finds problem device "there is no /dev/sluice, although the module is loaded" "mount devtmpfs"
ok "no device, although the module is there"
ln -s /dev/null /dev/sluice
doctor 1 && finds problem device "something else" "make it anew"
ok "another device of that name"
rm /dev/sluice && mv /dev/aside /dev/sluice && doctor 0
ok "the device is back"

# --- where ----------------------------------------------------------------------

exits 3 unshare -n sluice doctor >out 2>err && finds warning network "process 1 is in net" "--network host"
ok "another network namespace"
exits 3 unshare -U -r sluice doctor >out 2>err && finds warning users "in a user namespace" "owners and groups"
ok "another user namespace"

# --- how much -------------------------------------------------------------------

for i in 1 2 3 4; do sluice sub --create --stay one >/dev/null & done
until_true eval 'sluice stat --json one | grep -qE "\"subscribers\": *4,"'
before=$(cat $parameters/user_endpoints)
echo 5 >$parameters/user_endpoints
doctor 3 && finds warning quota "user 0 has 4 of 5 endpoints$" "echo 10 >$parameters/user_endpoints"
ok "near a limit"
echo 4 >$parameters/user_endpoints
doctor 1 && finds problem quota "user 0 has 4 of 4 endpoints: more are refused" "echo 8 >"
ok "at a limit"
echo "$before" >$parameters/user_endpoints
sh -c 'ulimit -n 64; exec sluice doctor' >out 2>err
[ $? = 3 ] && finds warning limits "64 files may be open" "LimitNOFILE"
ok "few open files"
sh -c 'ulimit -v 1000000; exec sluice doctor' >out 2>err
[ $? = 3 ] && finds warning limits "limited to 1024000000 bytes" "ulimit -v unlimited"
ok "little address space"
tight=/sys/fs/cgroup/tight
mkdir -p $tight/inner && echo +memory >$tight/cgroup.subtree_control
sh -c "echo \$\$ >$tight/inner/cgroup.procs; head -c 40000000 /dev/zero >fill; echo 47000000 >$tight/memory.max; exec sluice doctor" >out 2>err
[ $? = 3 ] && finds warning memory "cgroup /tight has [34][0-9.]+M of 44.8M" "MemoryMax="
ok "a memory cgroup, above one's own, that is nearly full"
rm -f fill
rmdir $tight/inner $tight

# --- a channel ------------------------------------------------------------------

doctor 1 nothing && finds problem channel "there is no 'nothing'; there are: one" "--create"
ok "a channel that nobody has open"
doctor 0 one && finds ok channel "'one' can be opened to subscribe and to publish: broadcast, block" && finds ok places "0 of 16 for publishers, 4 of 16" &&
	finds ok traffic "no publisher waits"
ok "a channel that can be used"
chmod 0666 /dev/sluice
as alice sluice doctor one
[ $? = 1 ] && finds problem channel "'one' is there, but its owner" "--mode 0660"
ok "a channel of another's"
sluice sub --create --stay --mode 0644 --subscribers 1 narrow >/dev/null &
until_true sluice stat narrow
as alice sluice doctor narrow
[ $? = 1 ] && finds warning channel "'narrow' can be opened to subscribe only: owner 0, group 0, mode 0644" "--mode 0660" &&
	finds problem places "all 1 places for subscribers are taken" "--subscribers"
ok "a channel that may only be read, and has no place"
chmod 0600 /dev/sluice
sluice sub --create stuck -- sleep 1000 & reader=$!
until_true sluice stat stuck
seq 1 1000 | sluice pub stuck & writer=$!
waits() { sluice doctor stuck >out 2>err; finds warning traffic "publisher $writer has waited for room for [0-9.]+s: subscriber $reader has [0-9]+ messages to read, and holds 1" "why sluice \($reader\)"; }
until_true waits
ok "a subscriber that does not read"
kill $(pidof sluice)
kill $(pidof sleep)
wait

# --- no module ------------------------------------------------------------------

release=$(uname -r)
this=$(echo "$release" | sed 's/[.+]/\\&/g')	# as a pattern
until_true rmmod sluice
doctor 1 && finds problem module "not loaded, and not installed for $this" "package sluice-dkms" && finds problem device "there is no /dev/sluice$" "load the module" &&
	! grep -qE 'version|netlink|quota' out
ok "a module that is not installed"
exits 1 sluice ls 2>err && grep -q "sluice doctor" err
ok "other commands say who knows more"
mkdir -p /lib/modules/5.99-other && echo "updates/dkms/sluice.ko.xz:" >/lib/modules/5.99-other/modules.dep
doctor 1 && finds problem module "installed for 5.99-other, but not for $this, which runs" "(reboot: the files|dkms autoinstall)"
ok "...that is installed for another kernel"
mkdir -p /lib/modules/$release/extra
printf '%s\n' "kernel/sluicegate.ko:" "extra/sluice.ko: kernel/x.ko" >/lib/modules/$release/modules.dep
cp /sluice/sluice.ko /lib/modules/$release/extra/
doctor 1 && finds problem module "not loaded; it is installed: /lib/modules/$this/extra/sluice.ko$" "modprobe sluice"
ok "...that is installed, and not loaded"
enforce=/sys/module/module/parameters/sig_enforce
echo Y >yes
if [ -e $enforce ] && mount --bind yes $enforce; then
	doctor 1 && finds problem module "extra/sluice.ko is not signed, and the kernel was told" "mokutil --import"
	ok "...that would have to be signed"
	printf '~Module signature appended~\n' >>/lib/modules/$release/extra/sluice.ko
	doctor 1 && finds problem module "not loaded; it is installed: .*signed modules only" "its key must be enrolled"
	ok "...that is signed"
	umount $enforce
else
	true
	ok "...that would have to be signed # SKIP this kernel knows no signatures"
fi
if [ -d /sys/kernel/security ] && mount -t tmpfs tmpfs /sys/kernel/security; then
	cp /sluice/sluice.ko /lib/modules/$release/extra/
	echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown
	doctor 1 && finds problem module "is not signed, and the kernel is locked down" "mokutil --import"
	ok "...in a kernel that is locked down"
	echo '[none] integrity confidentiality' >/sys/kernel/security/lockdown
	doctor 1 && finds problem module "extra/sluice.ko$" "modprobe sluice; what"
	ok "...or could be, and is not"
	umount /sys/kernel/security
else
	true
	ok "...in a kernel that is locked down # SKIP this kernel has no lockdown"
fi
echo 1 >one
mount --bind one /proc/sys/kernel/modules_disabled
doctor 1 && finds problem module "forbidden until the next boot" "before kernel.modules_disabled"
ok "modules may not be loaded any more"
umount /proc/sys/kernel/modules_disabled
rm -r /lib/modules/5.99-other /lib/modules/$release/extra /lib/modules/$release/modules.dep
rmdir /lib/modules/$release 2>/dev/null
insmod /sluice/sluice.ko && chmod 0600 /dev/sluice && doctor 0
ok "the module is there again"

finish
