# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=sh
#
# report.sh - how a guest's "check" speaks to the host's judge: lines that begin
# with @@sluice, between whatever the tests print. Sourced.

say() { printf '\n@@sluice %s\n' "$*"; }

kernel_log() {
	say log
	dmesg -c
	say endlog
}

# Where everybody is, in the kernel's log: of what hangs there it is all that is left.
show_all_in() {
	sleep "$1"
	echo t >/proc/sysrq-trigger
}

# timed NAME SECONDS COMMAND... - the kernel's log of its time is to follow. What
# watches over it is gone with the rest when strays are killed.
timed() {
	say begin "$1" "$2"
	[ ! -w /proc/sysrq-trigger ] || show_all_in $(($2 - 2)) &
	(
		seconds=$2
		shift 2
		exec timeout -s KILL "$seconds" "$@"
	)
	say end $?
}
