# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=sh disable=SC2034
#
# common.sh - what the steps share. Sourced, from the directory above. Users: alice
# is a member of the group sluice, bob is not.

INPUTS=$PWD
PERSISTENT=/var/lib/sluice-test	# what one step tells another
. "$INPUTS/tap.sh"
patience=30
mkdir -p $PERSISTENT
MODULE=/sys/module/sluice

# as USER COMMAND... - as after a login, but with our environment.
as() {
	user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --init-groups -- env HOME="/home/$user" "$@"
}

# version first, second or third - of the packages that there are.
version() { cat "$INPUTS/versions/$1"; }

# use_version VERSION - apt knows that one, and none of the others.
use_version() {
	echo "deb [trusted=yes] file:$INPUTS/packages/$1 ./" >/etc/apt/sources.list
	rm -f /etc/apt/sources.list.d/*
	apt-get -qq update
}

apt_do() {
	DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 "$@" \
		>"$PERSISTENT/apt.log" 2>&1 || { cp $PERSISTENT/apt.log out; return 1; }
}

# apt_said TEXT - the last time.
apt_said() { grep -qF -- "$1" $PERSISTENT/apt.log || { cp $PERSISTENT/apt.log out; return 1; }; }

says() {
	wanted=$1
	shift
	said=$("$@" 2>&1)
	[ "$said" = "$wanted" ] || { echo "'$said', not '$wanted'" >err; return 1; }
}

refused() {
	! "$@" >out 2>err && grep -q 'ermission denied' err
}

# Built for this kernel, by DKMS, and signed with its key.
dkms_has() {
	dkms status >out
	grep -q "^sluice/$1, $(uname -r), x86_64: installed" out &&
		[ "$(modinfo -F version sluice)" = "$1" ] && [ -n "$(modinfo -F signer sluice)" ]
}

# upgrade_to VERSION - with the results that there are of each upgrade.
upgrade_to() {
	use_version "$1"
	ok "apt reads the archive"
	apt_do dist-upgrade
	ok "apt upgrades the packages"
	dkms_has "$1"
	ok "the new module is installed for this kernel"
	until_true told "sluice_exporter_build_info\\{version=\"$1\"\\} 1"
	ok "the service has been restarted: it is the new one"
}

loaded_is() { says "$1" cat $MODULE/version; }
device_is_ours() { says "660 root sluice" stat -c '%a %U %G' /dev/sluice; }
no_module() { [ ! -e $MODULE ] && [ ! -e /dev/sluice ]; }
no_failed_unit() { says "" systemctl --failed --no-legend --plain; }

# What the exporter tells, in the file "metrics".
scrape() { busybox wget -q -O metrics http://127.0.0.1:17584/metrics 2>/dev/null; }
# told SAMPLE - now. What belongs to a channel has more labels than are asked for.
told() { scrape && grep -qE "^$1\$" metrics; }
service_runs() { says active systemctl is-active sluice-exporter; }

# Alice's subscriber of the channel "kept", and where it writes what it gets.
start_subscriber() {
	: >$PERSISTENT/kept
	: >$PERSISTENT/pid
	chown alice $PERSISTENT/pid
	# shellcheck disable=SC2016	# the inner shell's
	as alice sh -c 'echo $$ >'$PERSISTENT'/pid; exec sluice sub --create --stay kept' \
		>>$PERSISTENT/kept 2>&1 &
	until_true as alice sluice stat kept && subscriber=$(cat $PERSISTENT/pid)
}

# It gets what the command of today publishes.
subscriber_gets() {
	echo "$1" | as alice sluice pub kept >out 2>err && until_true grep -qx "$1" $PERSISTENT/kept
}

end_subscriber() {
	kill "$subscriber"
	wait
	until_true says 0 cat $MODULE/refcnt
}
