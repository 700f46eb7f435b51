#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# guest.sh - boot a kernel with the module loaded and
#
#	guest.sh run [OPTION]... COMMAND	run a shell command; its output and
#						exit status are ours
#	guest.sh shell [OPTION]...		give the terminal a shell
#	guest.sh check [OPTION]... TEST...	run selftests (used by check.sh)
#
# Options:
#	--kernel KEY	6.1 (default), 6.1-rt, 6.1-arm64, 6.12, 7.2 or debug,
#			7.2-gcov, 7.2-kcsan, 7.2-kmsan, uml, uml-debug, uml-up-debug
#	--file FILE	copy a file into the guest's working directory /root
#	--out DIR	bring back what the command leaves in /out
#	--disk FILE	attach as a read-only disk: /dev/disk (and /dev/vda)
#	--scratch SIZE	attach an empty disk of that size: /dev/scratch
#	--mem MB	memory; 1024, debug kernels 2048, kmsan 4096
#	--accel NAME	kvm or tcg, instead of the best there is; or icount: one
#			emulated processor, whose time is the instructions that it
#			has executed, one each nanosecond
#	--timeout SEC	kill the guest after that time; 600
#	--env NAME=VALUE	set in the guest's environment
#	--module FILE	this sluice.ko, instead of building it; "none" for none
#	--tests DIR	with check: where the tests are, instead of build/selftests
#	--seconds SEC	with check: what each test may take, whatever it says itself
#	--results FILE	with check: where to write TAP
#
# KERNEL, FILES (several), OUT, DISK, SCRATCH, MEM, TIMEOUT, SLUICE_SCALE and, for
# COMMAND, RUN may also come from the environment, as they do from make.
#
# Programs that COMMAND names are brought along with their shared libraries:
# by path, from build/, or, unless busybox has one of the name, from the host.
#
# Exit status: the command's; 124 after a timeout; 125 when the guest gave no
# verdict, or the command succeeded but the kernel complained.
set -euo pipefail
# shellcheck source=selftests/qemu/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=selftests/qemu/machine.sh
. "$QEMU_DIR/machine.sh"
# shellcheck source=selftests/qemu/image.sh
. "$QEMU_DIR/image.sh"

KERNEL=${KERNEL:-6.1} MEM=${MEM:-} TIMEOUT=${TIMEOUT:-600} OUT=${OUT:-}
DISK=${DISK:-} SCRATCH=${SCRATCH:-} MODULE="" RESULTS="" SECONDS_EACH=""
SLUICE_SCALE=${SLUICE_SCALE:-} ACCEL=""
TESTS_DIR=""
ENVIRONMENT=()
read -ra COPIES <<<"${FILES:-}"

# --- QEMU --------------------------------------------------------------------

# How many times slower than on Debian's own kernel things are, for tests to
# divide their iterations by, unless the user says how long they shall be.
time_scale() {
	if [[ -n $SLUICE_SCALE ]]; then
		echo "$SLUICE_SCALE"
	elif is_debug_key "$KERNEL"; then
		is_emulated && echo 20 || echo 5
	else
		echo 1
	fi
}

# test_seconds SECONDS - what a test may take, that needs SECONDS on 6.1: more with
# checkers, and in User Mode Linux if it is a script, all system calls.
test_seconds() {
	local slow=1
	! is_debug_key "$KERNEL" && ! is_uml_key "$KERNEL" || slow=4
	awk -v seconds="$1" -v slow="$slow" -v scale="$(time_scale)" \
		'BEGIN { printf "%d\n", seconds * slow / (scale < 1 ? scale : 1) }'
}

# slab_debug=F: besides checking, it takes away the allocator's arrays of cached
# objects, in which kmemleak would find a pointer to what was just leaked.
debug_parameters() { ! is_debug_key "$KERNEL" || echo slab_debug=F; }

qemu_disks() {
	[[ -z $DISK ]] || machine_disk disk "$(realpath "$DISK")" format=raw,readonly=on
	if [[ -n $SCRATCH ]]; then
		truncate -s "$SCRATCH" "$WORK/scratch" || die "bad SCRATCH size: $SCRATCH"
		machine_disk scratch "$WORK/scratch" format=raw,cache=unsafe
	fi
}

# qemu_command INITRD CONSOLE PARAMETER... - one word a line.
qemu_command() {
	local initrd=$1 console=$2
	shift 2
	# shellcheck disable=SC2046  # one or none
	set -- $(debug_parameters) "$@"
	if is_uml_key "$KERNEL"; then
		# The second serial line is what a port of virtio is elsewhere: see guest.py.
		machine_uml "$MEM"
		printf '%s\n' "initrd=$initrd" sluice.port=/dev/ttyS1 panic=-1 oops=panic \
			hung_task_panic=1 loglevel=8 "$@"
		return
	fi
	machine "$console" "$MEM"
	printf '%s\n' -kernel "$KERNEL_DIR/vmlinuz" -initrd "$initrd" \
		-append "$(machine_command_line "$@")"
	qemu_disks
}

# --- what goes into the guest --------------------------------------------------

build_module() {
	local kunit=""
	case $MODULE in
	none) MODULE="" ;;
	"")
		if [[ -e $TOP_DIR/Kbuild ]]; then
			! is_uml_key "$KERNEL" || kunit=SLUICE_KUNIT=y
			MODULE=$(MODULE_COPY=$WORK/sluice.ko "$QEMU_DIR/module.sh" "$KERNEL" $kunit)
		else
			warn "there is no module in this tree; the guest has none"
		fi
		;;
	esac
}

guest_environment() {
	local setting
	echo "export SLUICE_KERNEL=$KERNEL SLUICE_SCALE=$(time_scale)"
	for setting in "${ENVIRONMENT[@]}"; do
		printf 'export %s=%q\n' "${setting%%=*}" "${setting#*=}"
	done
}

stage_guest() {
	image_begin "$STAGE" "$KERNEL_DIR"
	[[ -z $MODULE ]] || install -m 644 "$MODULE" "$STAGE/sluice/sluice.ko"
	image_add_own "$STAGE"
	guest_environment >"$STAGE/sluice/environment"
	local file
	for file in "${COPIES[@]}"; do
		[[ -f $file ]] || die "no such file: $file"
		image_add_program "$STAGE" "$file" "/root/$(basename "$file")"
	done
}

# The words of a shell command that could name programs.
command_words() {
	tr -s " \t\n;|&()<>\"'\`\$={}" '\n' <<<"$1" | sort -u
}

stage_command() {
	local word
	printf '%s\n' "$1" >"$STAGE/sluice/command"
	while read -r word; do
		[[ -n $word ]] && stage_word "$word"
	done < <(command_words "$1")
}

stage_word() {
	local word=$1 built
	local -a places=("$BUILD_DIR"/{tools,examples,selftests,bench})
	# Of another machine's programs there are the selftests.
	! is_foreign_key "$KERNEL" || places=("$TESTS_DIR")
	if [[ $word == /* ]]; then
		[[ ! -f $word || ! -x $word ]] || image_add_program "$STAGE" "$word" "$word"
	elif [[ $word == */* ]]; then
		built=$word
		[[ $word != build/selftests/* ]] || built=$TESTS_DIR/${word#build/selftests/}
		[[ ! -f $built || ! -x $built ]] || image_add_program "$STAGE" "$built" "/root/$word"
	elif [[ $word =~ ^[A-Za-z0-9_][A-Za-z0-9_.+-]*$ && ! -e $STAGE/usr/local/bin/$word ]]; then
		for built in "${places[@]/%//$word}"; do
			[[ -f $built && -x $built ]] || continue
			image_add_program "$STAGE" "$built" "/usr/local/bin/$word"
			return
		done
		image_add_command "$STAGE" "$word"
	fi
}

# settings NAME FILE - each "NAME: value" in a comment of a test's source.
settings() {
	sed -nE "s|^[[:space:]]*[/*#]+[[:space:]]*$1:[[:space:]]*([^*]*[^*[:space:]]).*|\1|p" "$2"
}

setting() { settings "$@" | head -n 1; }

# test_source FILE - where a test's settings are written.
test_source() {
	local name=${1##*/} source
	source=$TOP_DIR/selftests/${name#compat32_}.c
	if [[ $name != *.sh && -f $source ]]; then echo "$source"; else echo "$1"; fi
}

stage_tests() {
	local name file source seconds word
	local -a modules
	: >"$STAGE/sluice/tests"
	install -m 644 "$TOP_DIR/selftests/tap.sh" "$STAGE/selftests/"
	for name in "$@"; do
		file=$TESTS_DIR/$name
		[[ $name != *.sh || -e $file ]] || file=$TOP_DIR/selftests/$name
		[[ -x $file ]] || die "no such selftest: $name (looked in $TESTS_DIR)"
		image_add_program "$STAGE" "$file" "/selftests/$name"
		source=$(test_source "$file")
		seconds=$(setting timeout "$source")
		echo "$name ${SECONDS_EACH:-$(test_seconds "${seconds:-120}")}" >>"$STAGE/sluice/tests"
		for word in $(settings needs "$source"); do
			stage_word "$word"
		done
		read -ra modules < <(setting modules "$source") || true
		image_modules "$STAGE" "$KERNEL_DIR" "${modules[@]}"
	done
}

# --- modes -------------------------------------------------------------------

prepare() {
	KERNEL=$(canonical_key "$KERNEL")
	: "${TESTS_DIR:=$(tests_dir "$KERNEL")}"
	[[ -z $DISK || -r $DISK ]] || die "cannot read the disk file $DISK"
	[[ $SLUICE_SCALE =~ ^([0-9]*\.?[0-9]*[1-9][0-9]*)?$ ]] ||
		die "SLUICE_SCALE is to be a number above 0, not '$SLUICE_SCALE'"
	if [[ -z $MEM ]]; then
		case $KERNEL in
		*-kmsan) MEM=4096 ;;	# of which two thirds say what was written
		*) is_debug_key "$KERNEL" && MEM=2048 || MEM=1024 ;;
		esac
	fi
	command -v busybox >/dev/null || die "there is no busybox (try: make packages)"
	mkdir -p "$BUILD_DIR"
	need_space "${TMPDIR:-/tmp}" 300 "a guest's image"
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/sluice-guest.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	STAGE=$WORK/root
	! is_foreign_key "$KERNEL" || "$QEMU_DIR/packages.sh" "${KERNEL##*-}"
	KERNEL_DIR=$("$QEMU_DIR/kernel.sh" dir "$KERNEL")
	local program
	program=$(machine_program)
	command -v "$program" >/dev/null || die "there is no $program (try: make packages)"
	build_module
	stage_guest
}

guest() {
	local mode=$1 results=${RESULTS:-$BUILD_DIR/results/$KERNEL.tap}
	local console=${results%.tap}.$1.console
	local -a qemu options
	mkdir -p "${results%/*}"
	image_finish "$STAGE" "$WORK/initrd"
	mapfile -t qemu < <(qemu_command "$WORK/initrd" "$WORK/console" "sluice.mode=$mode")
	options=(--mode "$mode" --name "$KERNEL" --console "$WORK/console" \
		--timeout "$TIMEOUT" --results "$results")
	[[ -z $OUT ]] || options+=(--out "$OUT")
	! is_uml_key "$KERNEL" || options+=(--uml)
	local rc=0
	python3 "$QEMU_DIR/guest.py" "${options[@]}" -- "${qemu[@]}" || rc=$?
	cp "$WORK/console" "$console" 2>/dev/null || true
	return $rc
}

run_mode() {
	local command=${1:-${RUN:-}}
	[[ -n $command && $# -le 1 ]] ||
		die "say what to run, quoted: make guest RUN='command', or guest.sh run 'command'"
	prepare
	! is_foreign_key "$KERNEL" || "$QEMU_DIR/foreign.sh" "$KERNEL"
	stage_command "$command"
	guest run
}

check_mode() {
	prepare
	stage_tests "$@"
	guest check
}

shell_mode() {
	[[ -t 0 && -t 1 ]] || die "a shell needs a terminal"
	prepare
	local rows cols rc=0
	local -a qemu
	read -r rows cols < <(stty size)
	image_finish "$STAGE" "$WORK/initrd"
	mapfile -t qemu < <(qemu_command "$WORK/initrd" "$BUILD_DIR/shell.console" \
		sluice.mode=shell "sluice.rows=$rows" "sluice.cols=$cols" "sluice.term=${TERM:-linux}")
	"${qemu[@]}" -chardev stdio,id=terminal,signal=off -serial chardev:terminal || rc=$?
	stty sane
	return $rc
}

parse_options() {
	while (($#)); do
		case $1 in
		--) shift; break ;;
		--*) (($# >= 2)) || die "$1 needs a value" ;;&
		--kernel) KERNEL=$2 ;;
		--file) COPIES+=("$2") ;;
		--out) OUT=$2 ;;
		--disk) DISK=$2 ;;
		--scratch) SCRATCH=$2 ;;
		--mem) MEM=$2 ;;
		--accel) ACCEL=$2 ;;
		--timeout) TIMEOUT=$2 ;;
		--env) ENVIRONMENT+=("$2") ;;
		--module) MODULE=$2 ;;
		--tests) TESTS_DIR=$2 ;;
		--seconds) SECONDS_EACH=$2 ;;
		--results) RESULTS=$2 ;;
		--*) die "no such option: $1" ;;
		*) break ;;
		esac
		shift 2
	done
	ARGUMENTS=("$@")
}

main() {
	local mode=${1:-}
	shift || true
	case $mode in
	run | shell | check) ;;
	*) die "usage: guest.sh run|shell|check [OPTION]... [COMMAND|TEST...]" ;;
	esac
	parse_options "$@"
	"${mode}_mode" "${ARGUMENTS[@]}"
}

main "$@"
