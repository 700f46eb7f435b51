#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Everything at once: suites that stress, side by side, again and again with other
# random numbers, while all there is is listed and watched; until SOAK_MINUTES are
# over. Then there must be as much of everything as there was. TAP.
#
# The same SOAK_SEED makes the same random numbers, though not who runs when.
#
# needs: sluice storm hostile lock_history lock_trusted lock_death lock_block
# needs: feed queue handoff patterns fds netlink quota lifecycle fuzz
#
# shellcheck disable=SC2034,SC2086,SC2317

# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"

seconds() { cut -d. -f1 /proc/uptime; }
end=$(($(seconds) + SOAK_MINUTES * 60))
time_left() { [ "$(seconds)" -lt $end ]; }
echo "# $SOAK_MINUTES minutes, SEED=$SOAK_SEED"

export SLUICE_COMPANY=1 SLUICE_SEED

# The names in a network namespace are its own, and so are its listings.
alone() { unshare -n sh -c 'ip link set lo up && exec "$@"' sh "$@"; }

# suite NAME - one run of it. What looks at the whole machine is left out.
suite() {
	case $1 in
	storm) storm ;;
	hostile) hostile ;;
	lock_history) lock_history -f history ;;
	lock_trusted) lock_trusted -t storm -t scribblers ;;
	lock_death) lock_death -t at_random_instants -t random_marks ;;
	lock_block) lock_block -t race -t no_update_is_lost -t given_back_in_use -t cut_off_in_use ;;
	feed) feed -t storm -t many_writers_some_killed -t backpressure ;;
	queue) queue -t exactly_once -t forged_tags -t death_redelivers ;;
	handoff) handoff ;;
	patterns) patterns -t stream_in_order -t held_in_any_order ;;
	fds) fds -t races -t none_left_behind ;;
	lifecycle) lifecycle -t join_races -t name_races ;;
	dumps) alone netlink -f churn ;;
	quota) quota -f memcg ;;
	fuzz) fuzz ;;
	listings) listings ;;
	esac
}

# All that shows what there is; none of it may fail, or hang.
listings() {
	n=0
	for what in ls "ls --json" "ls --lockspaces" locks "locks --json" deadlocks graph quota "quota --json" \
		"top --json --count 2 --delay 0.5"; do
		timeout -s KILL 300 sluice $what || { echo "not ok - sluice $what: $?"; return 1; }
		n=$((n + 1))
	done
	timeout 10 sluice monitor >events || [ $? = 143 ] || return 1
	echo "# figure: $n listings"
	echo "# figure: $(wc -l <events) events heard"
	echo "ok - listings"
}

# once NAME RUN - a run that fails leaves its log.
once() {
	SLUICE_SEED=$((SOAK_SEED + $2))
	suite $1 >$1.log 2>&1
	status=$?
	sed -n 's/^# figure: //p' $1.log >>$1.figures
	echo $2 >$1.runs
	[ $status != 4 ] || return 0
	if [ $status != 0 ] || ! grep -q '^ok' $1.log; then
		{ echo "run $2: exit status $status"; cat $1.log; } >>$1.failed
	fi
}

# lane NAME... - one after the other, round and round.
lane() {
	run=1
	while time_left; do
		for name; do
			! time_left || once $name $run
		done
		run=$((run + 1))
	done
}

# What the kernel's allocator has given out, after it let go what it keeps for
# later: of such objects as the module's are, how many.
objects() {
	echo 2 >/proc/sys/vm/drop_caches
	for cache in /sys/kernel/slab/kmalloc-*/shrink; do
		echo 1 >$cache
	done
	awk '/^kmalloc-/ { print $1, $2 }' /proc/slabinfo
}

# What users have of it, and what there is of the module.
state() {
	sluice ls
	sluice ls --lockspaces
	sluice quota
	cat /sys/module/sluice/refcnt
	grep -c sluice_ /proc/vmallocinfo
}

files() { cut -f1 /proc/sys/fs/file-nr; }

as_before() {
	state >state.now
	cmp -s state.before state.now
}

# Some come and go with whatever else the kernel does.
no_more_objects() {
	objects >objects.now
	awk 'NR == FNR { had[$1] = $2; next }
		$2 > had[$1] + 200 { print $1 ": " had[$1] " -> " $2; bad = 1 }
		END { exit bad }' objects.before objects.now >objects.grown
}

# judge NAME - how all of its runs went.
judge() {
	runs=$(cat $1.runs 2>/dev/null || echo 0)
	if [ $runs = 0 ]; then
		count=$((count + 1))
		echo "ok $count - $1 # SKIP the time was over before its turn"
		return
	fi
	shown=$1.failed
	[ ! -s $1.failed ]
	ok "$1: $runs runs"
}

state >state.before
objects >objects.before
had_files=$(files)

lane storm & lane hostile & lane lock_history lock_death & lane lock_trusted lock_block &
lane handoff queue feed & lane quota lifecycle dumps & lane patterns fds fuzz & lane listings &
wait

removed=""
for name in storm hostile lock_history lock_death lock_trusted lock_block handoff queue feed dumps quota \
	lifecycle patterns fds fuzz listings; do
	judge $name
done
shown="state.before state.now"
until_true as_before
ok "channels, endpoints, lockspaces, quotas and the module's references are as before"
shown=objects.grown
until_true no_more_objects
ok "no more kernel objects than before"
[ "$(files)" -le $((had_files + 256)) ]
ok "no more open files than before"
cat ./*.figures | awk '{ n = $1; $1 = ""; sum[$0] += n } END { for (what in sum) print "# total:", sum[what] what }' | sort
finish
