#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# timeout: 10
# No fault: a shell's wait needs the signals of its children.
grep -q '^SigBlk:[[:space:]]*0*$' /proc/self/status || exit 1
sleep 1 &
wait $!
