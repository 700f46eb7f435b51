#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# A later version comes, and nobody uses the module: it is replaced. TAP.
. ./steps/common.sh

old=$(version first) new=$(version second)
upgrade_to "$new"
says "" sh -c "dkms status | grep sluice/$old; ls -d /usr/src/sluice-$old 2>/dev/null"
ok "nothing is left of the old one"
loaded_is "$new"
ok "the new module has taken the old one's place"
until_true device_is_ours && device_is_ours
ok "/dev/sluice is as it was"
echo x | as alice sluice pub --history 1 again >out 2>err
ok "alice uses it"
says "$(getent group sluice)" echo "sluice:x:$(stat -c %g /dev/sluice):alice"
ok "alice is still a member of the group"

finish
