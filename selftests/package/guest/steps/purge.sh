#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The packages are purged, and nothing is left. TAP.
. ./steps/common.sh

# What others keep of their own accord: apt and dpkg, whose backups are made after
# midnight, systemd, logs, home directories, the group and its users, DKMS's key
# and the test's own files.
others() {
	grep -vE '^/(var/(backups|log|cache|tmp|lib/(apt|dpkg|systemd|sluice-test|dkms/mok\.(key|pub)))|home|root)(/|$)' |
		grep -vE '^/etc/(apt/.*|(passwd|group|g?shadow|subuid|subgid)-?|\.pwd\.lock)$' |
		grep -vE '^/var/(mail|spool)(/|$)|/__pycache__(/|$)'
}

find_left() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune \
		-o -print | sort | comm -13 /root/files-before - | others
}

apt_do purge 'sluice-*' 'libsluice*'
ok "apt purges all packages"
says inactive systemctl is-active sluice-exporter && ! scrape
ok "the service has ended"
no_module
ok "the module has left the memory, and there is no device"
says "" sh -c "dkms status; ls -d /var/lib/dkms/sluice /usr/src/sluice-* 2>/dev/null"
ok "DKMS knows nothing of it"
says "" sh -c "find /lib/modules -name 'sluice*'"
ok "no kernel has it"
says "" sh -c "dpkg -l '*sluice*' 2>/dev/null | grep -v '^un' | grep sluice"
ok "dpkg has forgotten the packages"
says "" find_left
ok "no file is left"
getent group sluice >out
ok "the group stays: its number must not be another's"
no_failed_unit
ok "no unit has failed"

finish
