#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# The packages are removed while a program uses the module. It keeps it; all the
# rest goes. TAP.
. ./steps/common.sh

subscriber=

start_subscriber
ok "alice waits for messages"
apt_do remove sluice-dkms
ok "apt removes the module's package"
apt_said "the module is in use, by process $subscriber (sluice);"
ok "apt's output names who uses it"
subscriber_gets "after the removal"
ok "alice still gets messages"
says "" sh -c "dkms status | grep sluice; find /lib/modules -name 'sluice*'"
ok "the module is gone from the disk"
end_subscriber
ok "alice ends"

# So that there is something to purge. Nothing is to be compiled for that: a file
# tells DKMS so, and there is no module for the kernel then.
use_version "$(version third)"
touch /etc/dkms/no-autoinstall
apt_do install sluice-dkms
ok "apt installs it again, where DKMS may not build"
rm /etc/dkms/no-autoinstall
apt_said "there is no module for the kernel that runs, $(uname -r)"
ok "apt's output says that there is no module"
loaded_is "$(version third)"
ok "the one in memory is left alone"

finish
