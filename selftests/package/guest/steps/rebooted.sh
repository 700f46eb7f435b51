#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# After a boot all is as it was. TAP.
. ./steps/common.sh

loaded_is "$(version third)"
ok "the module was loaded at boot"
device_is_ours
ok "/dev/sluice is for root and the group sluice, and nobody else"
as alice sluice ls >out 2>err
ok "alice uses it"
refused as bob sluice ls
ok "bob does not"
until_true scrape && service_runs && told "sluice_up 1"
ok "the service was started at boot"

finish
