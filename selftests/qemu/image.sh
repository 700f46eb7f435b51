# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
# shellcheck shell=bash
#
# image.sh - put together the initramfs of a guest, file by file, in a staging
# directory.
#
# Sourced, after common.sh. KERNEL is the kernel's key: no program of this machine
# goes where it does not run.

# image_begin STAGE KERNEL_DIR - the small Linux system.
image_begin() {
	local stage=$1 dir
	mkdir -p "$stage"/{usr/{bin,sbin,lib,lib32,lib64,local/bin},dev,proc,sys,tmp,run,root,etc,out,sluice,selftests,home,var/tmp}
	for dir in bin sbin lib lib32 lib64; do
		ln -sfn "usr/$dir" "$stage/$dir"
	done
	chmod 1777 "$stage/tmp" "$stage/var/tmp"
	dir=$2/userland/bin/busybox
	[[ -e $dir ]] || dir=$(command -v busybox)
	install -m 755 "$dir" "$stage/usr/bin/busybox"
	busybox --list | while read -r dir; do
		[[ $dir == busybox ]] || ln -sfn busybox "$stage/usr/bin/$dir"
	done
	install -m 755 "$QEMU_DIR"/guest/{run,check,shell} "$stage/sluice/"
	install -m 644 "$QEMU_DIR/guest/report.sh" "$stage/sluice/"
	install -m 755 "$QEMU_DIR/guest/init" "$stage/init"
	install -m 755 "$(relay_program)" "$stage/sluice/relay"
	ln -sfn /proc/mounts "$stage/etc/mtab"
	image_users "$stage"
	image_terminals "$stage"
	image_drivers "$stage" "$2"
}

relay_program() {
	local program=$BUILD_DIR/harness/relay source=$QEMU_DIR/guest/relay.c tmp
	local cc=${CC:-gcc}
	if is_foreign_key "${KERNEL:-}"; then
		program+=-$KERNEL cc=${CROSS}gcc
	fi
	if [[ ! $program -nt $source ]]; then
		mkdir -p "${program%/*}"
		tmp=$(mktemp "$program.XXXXXX")
		$cc -std=gnu11 -static -O2 -Wall -Wextra -Werror -o "$tmp" "$source" >&2
		mv "$tmp" "$program"
	fi
	echo "$program"
}

# Some of everything that permissions are tested with.
image_users() {
	local user id
	: >"$1/etc/shells"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
	printf '%s\n' root:x:0: media:x:2000:alice,bob >"$1/etc/group"
	id=1000
	for user in alice bob carol; do
		echo "$user:x:$id:$id:$user:/home/$user:/bin/sh" >>"$1/etc/passwd"
		echo "$user:x:$id:" >>"$1/etc/group"
		install -d -m 755 "$1/home/$user"
		((EUID != 0)) || chown "$id:$id" "$1/home/$user"
		id=$((id + 1))
	done
	echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>"$1/etc/passwd"
	echo 'nogroup:x:65534:' >>"$1/etc/group"
}

# What programs that draw need to know: the usual terminals, and characters.
image_terminals() {
	local type
	mkdir -p "$1/usr/lib/locale"
	[[ ! -d /usr/lib/locale/C.utf8 ]] || cp -r /usr/lib/locale/C.utf8 "$1/usr/lib/locale/"
	for type in linux vt100 vt220 screen screen-256color tmux tmux-256color xterm xterm-256color; do
		type=/lib/terminfo/${type:0:1}/$type
		[[ ! -e $type ]] || install -D -m 644 "$type" "$1$type"
	done
}

# The virtio drivers, where they are modules, in an order that insmod can take.
image_drivers() {
	local stage=$1 kernel=$2 release driver module
	release=$(cat "$kernel/release")
	: >"$stage/sluice/drivers"
	[[ -e $kernel/lib/modules/$release/modules.dep ]] || return 0
	for driver in virtio_pci virtio_console virtio_blk; do
		modprobe -d "$kernel" -S "$release" --show-depends "$driver"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
		install -D -m 644 "$module" "$stage/sluice/modules/${module##*/}"
		echo "/sluice/modules/${module##*/}" >>"$stage/sluice/drivers"
	done
}

# image_modules STAGE KERNEL_DIR NAME... - those that the kernel has, with what
# they need, for modprobe.
image_modules() {
	local stage=$1 kernel=$2 release name module
	shift 2
	release=$(cat "$kernel/release")
	[[ $# -gt 0 && -e $kernel/lib/modules/$release/modules.dep ]] || return 0
	mkdir -p "$stage/lib/modules/$release"	# all may be built in
	for name; do
		modprobe -d "$kernel" -S "$release" --show-depends "$name" 2>/dev/null || true
	done | awk '$1 == "insmod" { print $2 }' | while read -r module; do
		install -D -m 644 "$module" "$stage/lib/${module#"$kernel/lib/"}"
	done
	cp "$kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$stage/lib/modules/$release/"
	depmod -b "$stage" "$release"
}

# image_library_path - where programs of this tree find their libraries.
image_library_path() { echo "$BUILD_DIR/lib:$BUILD_DIR/monitor"; }

# image_add_program STAGE HOST_FILE GUEST_PATH - with the shared libraries and
# the interpreter that it names.  Libraries keep their place, except our own,
# which goes where the guest's loader looks.
image_add_program() {
	local stage=$1 file=$2 path=$3 interpreter library
	[[ ! -e $stage$path || -L $stage$path ]] || return 0
	rm -f "$stage$path"
	install -D -m "$(stat -Lc %a "$file")" "$file" "$stage$path"
	if [[ $(head -c 2 "$file" | tr -d '\0') == '#!' ]]; then
		interpreter=$(head -n 1 "$file" | sed -E 's|^#! *||; s|^/usr/bin/env +||; s| .*||')
		interpreter=${interpreter##*/}
		[[ -n $interpreter ]] && image_add_command "$stage" "$interpreter"
		return 0
	fi
	! is_foreign_key "${KERNEL:-}" || return 0
	while read -r library; do
		image_add_library "$stage" "$library"
	done < <(image_libraries "$file")
}

# Nothing for a static program, a 32-bit one without its loader, a data file.
image_libraries() {
	LD_LIBRARY_PATH=$(image_library_path) ldd "$1" 2>/dev/null |
		grep -oE '/[^ ]+' || true
}

image_add_library() {
	local stage=$1 library=$2 path=$2
	[[ $library != "$BUILD_DIR"/* ]] || path=/usr/lib/${library##*/}
	[[ -e $stage$path ]] || install -D -m 755 "$library" "$stage$path"
}

# image_add_command STAGE NAME - by name: what busybox has is there already.
image_add_command() {
	local stage=$1 name=$2 file
	! is_foreign_key "${KERNEL:-}" || return 0
	[[ $name != bash ]] && [[ -e $stage/usr/bin/$name || -L $stage/usr/bin/$name ]] && return 0
	file=$(type -P -- "$name") || return 0
	image_add_program "$stage" "$file" "/usr/bin/$name"
}

# image_add_own STAGE - libsluice, and the commands of this tree, if built.
image_add_own() {
	local stage=$1 file
	! is_foreign_key "${KERNEL:-}" || return 0
	for file in "$BUILD_DIR"/lib/libsluice.so* "$BUILD_DIR"/monitor/libsluice-monitor.so*; do
		[[ ! -e $file ]] || cp -d "$file" "$stage/usr/lib/"
	done
	for file in "$BUILD_DIR"/tools/*; do
		[[ -f $file && -x $file && $file != *.so* ]] || continue
		image_add_program "$stage" "$file" "/usr/local/bin/${file##*/}"
	done
}

# image_finish STAGE FILE - root owns what was staged by an ordinary user, but
# ids set on purpose (homes) are kept when we may set them.
image_finish() {
	local -a owner=()
	((EUID == 0)) || owner=(-R 0:0)
	(cd "$1" && find . -print0 | cpio --null --quiet -o -H newc "${owner[@]}") >"$2"
}
