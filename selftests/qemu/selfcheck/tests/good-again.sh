#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# No TAP at all, and a child left behind.
sleep 1000 &
exit 0
