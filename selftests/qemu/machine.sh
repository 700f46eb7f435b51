# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# machine.sh - the emulated machine that every guest runs on, as QEMU's command
# line, one word a line; or User Mode Linux, which needs no machine.
#
# Sourced, after common.sh. KERNEL is the kernel's key, KERNEL_DIR its directory.
# ACCEL may name an accelerator: kvm, tcg or icount.

# Some versions of QEMU emulate cmpxchg16b wrongly now and then, which recent
# kernels use for every allocation if they may.  With five-level page tables
# (la57), 7.2 takes what it knows of the CPU away for a moment while it boots, and
# KASAN takes an interrupt's memory in that moment for wild.
accelerator() {
	case ${ACCEL:-$(best_accelerator)} in
	kvm) printf '%s\n' -accel kvm -cpu host -smp 2 ;;
	tcg) printf '%s\n' -accel tcg,thread=multi -cpu "max,-cx16,-la57" -smp 2 ;;
	icount)
		printf '%s\n' -accel tcg,thread=single -icount shift=0,sleep=off \
			-cpu "max,-cx16,-la57" -smp 1
		;;
	*) die "no such accelerator: $ACCEL" ;;
	esac
}

is_emulated() {
	! is_uml_key "${KERNEL:-}" || return 1
	is_foreign_key "${KERNEL:-}" || [[ ${ACCEL:-$(best_accelerator)} != kvm ]]
}

machine_program() {
	if is_uml_key "${KERNEL:-}"; then
		echo "$KERNEL_DIR/linux"
	elif is_foreign_key "${KERNEL:-}"; then
		echo qemu-system-aarch64
	else
		echo qemu-system-x86_64
	fi
}

# machine_uml MEGABYTES - its console is its standard output.
machine_uml() {
	machine_program
	printf '%s\n' "mem=$1M" ncpus=2 seccomp=on noreboot con=null con0=null,fd:1
}

# machine CONSOLE MEGABYTES - without a kernel and disks.  The older pc machine
# computes its interrupt routing in a loop of ACPI code, which takes the debug
# kernel half a minute to interpret; q35 has it in a table.
machine() {
	machine_program
	if is_foreign_key "${KERNEL:-}"; then
		# Signing pointers as real processors do takes most of the emulator's time.
		printf '%s\n' -M virt -accel tcg,thread=multi \
			-cpu max,pauth-impdef=on -smp 2
	else
		accelerator
		printf '%s\n' -M q35
	fi
	printf '%s\n' -m "$2" -display none -monitor none -no-reboot \
		-nodefaults -serial "file:$1"
}

# machine_disk NAME FILE OPTIONS - /dev/disk/by-id/virtio-NAME.
machine_disk() {
	printf '%s\n' -drive "file=$2,id=$1,if=none,$3" \
		-device "virtio-blk-pci,drive=$1,serial=$1"
}

# machine_command_line PARAMETER... - of the kernel: whatever goes wrong in it
# ends the guest.
machine_command_line() {
	local console=ttyS0
	! is_foreign_key "${KERNEL:-}" || console=ttyAMA0
	echo "console=$console loglevel=8 panic=-1 oops=panic softlockup_panic=1" \
		"hung_task_panic=1 watchdog_thresh=30 no_timer_check mitigations=off" \
		"audit=0 $*"
}
