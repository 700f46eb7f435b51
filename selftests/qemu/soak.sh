#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# soak.sh KERNEL - everything at once in one guest, for MINUTES; SEED=n as another
# run did.  Ends with what it added up to, and with the verdict of a check.
set -euo pipefail
# shellcheck disable=SC2034  # suites.sh puts the results there
T=soak
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"

# What is begun ends, however late: that much more, in seconds.
GRACE=1800

main() {
	local key minutes=${MINUTES:-2} seed=${SEED:-$RANDOM} rc=0
	local -a options
	[[ $minutes =~ ^[1-9][0-9]*$ ]] || die "MINUTES is to be a whole number above 0, not '$minutes'"
	[[ $seed =~ ^[0-9]+$ ]] || die "SEED is to be a number, not '$seed'"
	key=$(canonical_key "$1")
	begin_results
	prepare_kernels "$key"
	info "== $key: $minutes minutes of everything at once"
	options=(--kernel "$key" --tests "$TOP_DIR/selftests/soak" --results "$RESULTS/$key.tap"
		--seconds $((minutes * 60 + GRACE)) --env "SOAK_MINUTES=$minutes"
		--env "SOAK_SEED=$seed")
	"$QEMU_DIR/guest.sh" check "${options[@]}" soak.sh || rc=$?
	sed -n 's/^# # \(total: \|.*SEED\)/  \1/p' "$RESULTS/$key.tap"
	summary && ((rc == 0))
}

main "$@"
