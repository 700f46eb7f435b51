#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# test.sh - build the packages, and have a real Debian in a guest install, use,
# upgrade and purge them. Ends as check.sh does; TAP is in build/results/package.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../qemu/common.sh"
# shellcheck source=selftests/qemu/archive.sh
. "$QEMU_DIR/archive.sh"
# shellcheck source=selftests/qemu/machine.sh
. "$QEMU_DIR/machine.sh"
# shellcheck source=selftests/qemu/image.sh
. "$QEMU_DIR/image.sh"
T=package
# shellcheck source=selftests/qemu/suites.sh
. "$QEMU_DIR/suites.sh"
# shellcheck source=selftests/package/control.sh
. "$TOP_DIR/selftests/package/control.sh"
# shellcheck source=selftests/package/chroot.sh
. "$TOP_DIR/selftests/package/chroot.sh"
# shellcheck source=selftests/package/disk.sh
. "$TOP_DIR/selftests/package/disk.sh"

MEM=${MEM:-1536}

# add_archive DIRECTORY - what apt wants to see of the packages in it.
add_archive() {
	(cd "$1" && dpkg-scanpackages --multiversion . 2>/dev/null >Packages)
}

# What a run brings along: packages of all versions, the steps, the relay.
stage_inputs() {
	local stage=$1 version
	mkdir -p "$stage"/{packages,versions}
	for version in "${!VERSIONS[@]}"; do
		echo "${VERSIONS[$version]}" >"$stage/versions/$version"
		mkdir "$stage/packages/${VERSIONS[$version]}"
		cp "$BUILD_DIR/package/${VERSIONS[$version]}"/*.deb "$stage/packages/${VERSIONS[$version]}/"
		rm -f "$stage/packages/${VERSIONS[$version]}"/*-dbgsym_*
		add_archive "$stage/packages/${VERSIONS[$version]}"
	done
	cp -r "$GUEST_FILES"/{check,steps} "$QEMU_DIR/guest/report.sh" "$TOP_DIR/selftests/tap.sh" "$stage/"
	mkdir "$stage/consumer"
	cp -r "$TOP_DIR"/system/tests/{consumer,consumer.sh,tap.sh} "$stage/consumer/"
	install -m 755 "$(relay_program)" "$stage/relay"
}

# boot NAME - what the first boot leaves on the disk, the second finds.
boot() {
	local console=$WORK/$1.console rc=0
	local -a qemu
	mapfile -t qemu < <(
		machine "$console" "$MEM"
		machine_disk guest "$WORK/disk" format=qcow2,cache=unsafe
		machine_disk inputs "$WORK/inputs" format=raw,readonly=on
		printf '%s\n' -kernel "$DISK/vmlinuz" -initrd "$DISK/initrd" -append \
			"$(machine_command_line root=LABEL=guest rw "sluice.boot=$1")"
	)
	info "== package: the $1 boot"
	python3 "$QEMU_DIR/guest.py" --mode check --name "package ($1 boot)" --console "$console" \
		--results "$RESULTS/$1.tap" -- "${qemu[@]}" || rc=$?
	cp "$console" "$RESULTS/" 2>/dev/null || true
	return $rc
}

main() {
	declare -gA VERSIONS=([first]=$(tree_version) [second]=$(later_version 1) [third]=$(later_version 2))
	"$QEMU_DIR/packages.sh" guest package
	begin_results
	"$TOP_DIR/selftests/package/build.sh" "${VERSIONS[first]}" "${VERSIONS[second]}" "${VERSIONS[third]}"
	DISK=$(with_lock package-disk guest_disk)
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/sluice-package.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	need_space "$WORK" 2000 "the guest's disk"
	stage_inputs "$WORK/stage"
	directory_disk "$WORK/stage" "$WORK/inputs" inputs 64
	qemu-img create -q -f qcow2 -b "$DISK/disk" -F raw "$WORK/disk"
	# The second boot needs what the first one left.
	boot first && boot second || true
	summary
}

main "$@"
