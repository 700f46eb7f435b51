#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# apt installs the packages; from then on Sluice can be used. TAP.
. ./steps/common.sh

# Every file there is, but what the kernel makes; to compare with at the end.
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \) -prune \
	-o -print | sort >/root/files-before

group_is_empty() { getent group sluice | grep -qE '^sluice:[^:]*:[0-9]+:$'; }

completes() {
	bash -c '. /usr/share/bash-completion/bash_completion
		_completion_loader sluice; COMP_WORDS=(sluice qu) COMP_CWORD=1
		_sluice; echo "${COMPREPLY[*]}"'
}

adduser --quiet --disabled-password --gecos "" alice
adduser --quiet --disabled-password --gecos "" bob
use_version "$(version first)"
ok "apt reads the archive"

begin=$(date +%s)
apt_do install sluice-tools sluice-dkms libsluice-dev sluice-doc
ok "apt installs the packages, and DKMS builds the module"
echo "# it took $(($(date +%s) - begin)) s"

version=$(version first)
dkms_has "$version"
ok "the module is installed and signed for this kernel"
loaded_is "$version"
ok "it is loaded"
until_true device_is_ours && device_is_ours
ok "/dev/sluice is for root and the group sluice, and nobody else"
group_is_empty
ok "the group has no members"
says "sluice $version" sluice --version
ok "the command runs"
says "quota" completes
ok "bash completes it"
says "" dpkg --verify sluice-dkms sluice-tools libsluice-dev libsluice1 libsluice-monitor1 sluice-doc
ok "every file is as the package has it"
no_failed_unit
ok "no unit has failed"

finish
