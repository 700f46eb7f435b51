#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# A later version comes while a program uses the module: it goes on, and the
# next boot, or whoever says so, brings the new one. TAP.
. ./steps/common.sh

old=$(version second) new=$(version third)
start_subscriber
ok "alice waits for messages"
upgrade_to "$new"
loaded_is "$old"
ok "the old one still runs"
apt_said "the module is in use: version $old goes on"
ok "apt's output says so"
says "sluice $new" sluice --version
ok "the command is the new one"
subscriber_gets "after the upgrade"
ok "alice gets a message from the new command through the old module"
end_subscriber
ok "alice ends"
modprobe -r sluice && modprobe sluice && loaded_is "$new"
ok "now the new module can be loaded, as apt's output says"
no_failed_unit
ok "no unit has failed"

finish
