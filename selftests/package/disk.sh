# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# disk.sh - the disks of the guest: a Debian with the kernel that its metapackage
# stands for, and one with what a run brings along.
#
# Sourced, after chroot.sh.

GUEST_FILES=$TOP_DIR/selftests/package/guest
SYSTEM_FILES+=("${BASH_SOURCE[0]}" "$GUEST_FILES/sluice-guest.service")

# What the guest has before Sluice comes: what apt would fetch with it, too, for
# it has no network. The -dev packages bring the libraries.
guest_packages() {
	echo systemd-sysv udev kmod adduser initramfs-tools linux-image-amd64 linux-headers-amd64
	echo dkms gcc libc6-dev make binutils pkg-config cmake bash-completion busybox
	build_dependencies | grep '^lib.*-dev$'
}

# configure_guest ROOT - the unit in it runs what the other disk has.
configure_guest() {
	local root=$1 units=$1/etc/systemd/system
	as_root install -D -m 644 -t "$units" "$GUEST_FILES/sluice-guest.service"
	as_root mkdir -p "$units/multi-user.target.wants"
	as_root ln -s ../sluice-guest.service "$units/multi-user.target.wants/"
	echo guest | as_root tee "$root/etc/hostname" >/dev/null
	echo LABEL=guest / ext4 defaults 0 1 | as_root tee "$root/etc/fstab" >/dev/null
	as_root rm -f "$root/etc/resolv.conf" "$root/etc/machine-id"
	as_root touch "$root/etc/machine-id"
}

# make_guest_disk DIRECTORY PACKAGE... - disk, vmlinuz and initrd.
make_guest_disk() {
	local dir=$1
	shift
	as_root mkdir "$dir/root"
	bootstrap "$dir/root" "$@" || return
	configure_guest "$dir/root" || return
	as_root sh -c "cp '$dir'/root/boot/vmlinuz-* '$dir/vmlinuz' &&
		cp '$dir'/root/boot/initrd.img-* '$dir/initrd' && chmod 644 '$dir/initrd'" || return
	directory_disk "$dir/root" "$dir/disk" guest 4096 || return
	as_root rm -rf --one-file-system "$dir/root"
}

# directory_disk DIRECTORY FILE LABEL MEGABYTES
directory_disk() {
	truncate -s "$4M" "$2"
	as_root mke2fs -q -t ext4 -L "$3" -d "$1" -E root_owner=0:0 "$2" >&2
}

guest_disk() {
	local -a packages
	mapfile -t packages < <(guest_packages | tr ' ' '\n')
	cached guest make_guest_disk "${packages[@]}"
}
