#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo inside its guest: /dev/disk is the file, padded to whole sectors,
# /dev/scratch is room. DEMO_NAME, DEMO_SIZE and DEMO_NOTE come from demo.sh.

fail() {
	echo
	echo "DEMO FAILED: $*"
	exit 1
}

mke2fs -q -b 4096 -m 0 /dev/scratch >/dev/null 2>&1 ||
	mke2fs -b 4096 /dev/scratch >/dev/null || fail "no file system for what is written"
mkdir -p /scratch
mount -t ext2 /dev/scratch /scratch || fail "cannot mount it"
mkdir /scratch/out

echo
echo "Sluice demo: $DEMO_NAME, $((DEMO_SIZE / 1048576)) MiB"
echo "Linux $(uname -r), $(nproc) CPUs${DEMO_NOTE:+; $DEMO_NOTE}"
head -c "$DEMO_SIZE" /dev/disk >"/scratch/$DEMO_NAME" || fail "cannot copy the file into the guest"

sluice-demo "/scratch/$DEMO_NAME" /scratch/out || fail "see above"

left=$(sluice ls) || fail "sluice ls does not work"
[ -z "$left" ] || fail "channels are left: $left"
rmmod sluice || fail "the module is still in use"
[ ! -e /dev/sluice ] || fail "/dev/sluice is still there"
echo "   the module could be unloaded: nothing held it"
echo
echo "DEMO PASSED: every byte arrived, handing over copied none, and nothing is left behind"
