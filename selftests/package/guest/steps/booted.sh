#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The guest is a Debian in good health. TAP.
. ./steps/common.sh

kernel_of_metapackage() {
	dpkg -s linux-image-amd64 | grep -q "^Depends: linux-image-$(uname -r) "
}

systemctl is-system-running --wait >out
[ "$(cat out)" = running ] || { systemctl --failed >>out; false; }
ok "systemd says that the system is running"

kernel_of_metapackage
ok "the kernel is that of linux-image-amd64"

finish
