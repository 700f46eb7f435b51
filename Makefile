# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#
# Sluice. "make help" lists what can be made. GNU make.
#
# The parts have Makefiles of their own, which are told where to put things:
# lib/, monitor/, tools/, system/, doc/, examples/, selftests/. Kbuild is the module's, read by the kernel's build
# system. selftests/qemu/ boots kernels.

BUILD		:= $(CURDIR)/build
QEMU		:= $(CURDIR)/selftests/qemu
PREFIX		?= /usr/local
DESTDIR		?=
KDIR		?= /lib/modules/$(shell uname -r)/build
MODULE		:= $(BUILD)/module/sluice.ko

# A package's own check may name one kernel; everything else takes both.
CHECK_KERNELS	:= 6.1 debug
MATRIX_KERNELS	:= 6.1 6.1-rt arm64 6.12 debug kcsan uml

export BUILD_DIR := $(BUILD)

# What may be given on the command line goes to the scripts by value, so that
# no quote or dollar in it is read a second time, by make neither.
SETTINGS	:= T RUN FILES OUT DISK SCRATCH MEM TIMEOUT KERNEL INPUT THOROUGH SLUICE_SCALE QUICK SCALE SEED MODEL CALLS MINUTES
$(foreach name,$(SETTINGS),$(if $(filter command,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))))
export $(SETTINGS)

part = $(if $(wildcard $(1)/Makefile),$(MAKE) -C $(1) OUT=$(BUILD)/$(1) PREFIX=$(PREFIX) $(2),@echo "there is no $(1)/Makefile")

.PHONY: all help
all: module-if-possible lib tools	## the module, the library and the command (default)

help:					## this text
	@echo 'make [TARGET] [VARIABLE=value]...'
	@echo
	@sed -nE 's/^([a-z_-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo
	@echo 'KERNEL is 6.1, 6.1-rt, 6.12, debug (the newest, built here with every checker), kcsan (that'
	@echo 'one looks for data races), kmsan (for memory that nobody wrote), arm64 (6.1), or uml,'
	@echo 'uml-debug and uml-up-debug (the newest, as a program).'
	@echo 'SLUICE_SCALE=0.1 makes stress tests ten times as long.'

# --- building ------------------------------------------------------------------

.PHONY: module module-if-possible lib monitor tools examples manual selftests
module:					## sluice.ko for the running kernel, or for KDIR=
	@[ -e '$(KDIR)/Makefile' ] || { echo 'error: no kernel build tree at $(KDIR); name one with KDIR='; exit 1; }
	@$(QEMU)/module.sh --kdir '$(KDIR)'

# A machine without kernel headers can still build what runs in user space.
module-if-possible:
	@if [ -e '$(KDIR)/Makefile' ]; then \
		$(QEMU)/module.sh --kdir '$(KDIR)'; \
	elif [ '$(origin KDIR)' = 'command line' ]; then \
		echo 'error: no kernel build tree at $(KDIR)'; exit 1; \
	else \
		echo 'no kernel build tree at $(KDIR): not building the module.'; \
		echo 'Name one with KDIR=, or use "make check" and "make shell", which bring kernels of their own.'; \
	fi

lib:					## libsluice
	$(call part,lib,all)

monitor:				## libsluice-monitor
	$(call part,monitor,all)

tools: lib monitor			## the sluice command
	$(call part,tools,all)

# With nothing but what is installed, as whoever copies one does.
examples: lib monitor			## programs of 30 to 80 lines, one for each pattern
	@$(MAKE) -s -C lib install OUT=$(BUILD)/lib PREFIX=$(BUILD)/stage DESTDIR=
	@$(MAKE) -s -C monitor install OUT=$(BUILD)/monitor PREFIX=$(BUILD)/stage DESTDIR=
	@PKG_CONFIG_PATH=$(BUILD)/stage/lib/pkgconfig $(MAKE) -s -B -C examples OUT=$(BUILD)/examples

manual:					## build/manual/index.html, for a browser
	@$(QEMU)/packages.sh manual
	$(call part,doc,all OUT=$(BUILD)/manual)

selftests: lib monitor
	$(call part,selftests,all LIBSLUICE=$(BUILD)/lib LIBMONITOR=$(BUILD)/monitor KSELFTEST=$$($(QEMU)/kernel.sh kselftest))

# --- installing and loading ----------------------------------------------------

.PHONY: install host_install install-manual modules_install load unload clean
install: lib monitor tools		## libraries, headers and command under PREFIX (and DESTDIR)
	$(call part,lib,install DESTDIR=$(DESTDIR))
	$(call part,monitor,install DESTDIR=$(DESTDIR))
	$(call part,tools,install DESTDIR=$(DESTDIR))
	@[ -n '$(DESTDIR)' ] || [ "$$(id -u)" != 0 ] || ldconfig

host_install:				## group, udev rule and loading at boot, for whoever has the module
	$(call part,system,install DESTDIR=$(DESTDIR))
	@[ -n '$(DESTDIR)' ] || $(QEMU)/load.sh host

install-manual:				## the HTML manual and the examples under PREFIX (and DESTDIR)
	@$(QEMU)/packages.sh manual
	$(call part,doc,install OUT=$(BUILD)/manual DESTDIR=$(DESTDIR))

modules_install: module host_install	## the module, for modprobe, and what host_install does
	@$(QEMU)/load.sh install $(MODULE) '$(DESTDIR)'

load:					## load the module into the running kernel
	@$(QEMU)/load.sh possible
	@$(MAKE) --no-print-directory module
	@$(QEMU)/load.sh load $(MODULE)

unload:					## and take it out again
	@$(QEMU)/load.sh unload

clean:					## remove build/ (downloads and kernels stay in the cache)
	rm -rf build

# --- checking --------------------------------------------------------------------

.PHONY: check soak matrix tsan harness-check kunit fuzz models coverage packages check-programs
packages:				## install the Debian packages that building and checking need
	@$(QEMU)/packages.sh build guest kernel test manual

# Sub-makes run one after the other on purpose: the library before its users.
check-programs: packages
	@$(MAKE) --no-print-directory tools examples selftests bench-program

# One test is for working on it: one kernel will do.
check: check-programs			## everything; T=name one selftest; KERNEL=key one kernel
	@$(QEMU)/check.sh $(or $(KERNEL),$(if $(T),6.1,$(CHECK_KERNELS)))

soak: check-programs			## everything at once, for MINUTES=n (2); KERNEL=key another kernel; SEED=n
	@$(QEMU)/soak.sh $(or $(KERNEL),debug)

matrix: check-programs			## on all kernels: warnings of gcc, clang, sparse and coccinelle; the selftests
	@$(QEMU)/packages.sh strict
	@$(QEMU)/matrix.sh $(or $(KERNEL),$(MATRIX_KERNELS))

tsan:					## the library's unit tests with ThreadSanitizer; in "check", too
	@$(QEMU)/packages.sh build test
	$(call part,lib,tsan)

harness-check: packages			## does the harness see every kind of deliberate fault?
	@THOROUGH=y $(QEMU)/selfcheck.sh $(or $(KERNEL),$(CHECK_KERNELS))

kunit: packages				## the module's unit tests at full speed, SCALE=100 times as many; SEED=n others
	@$(QEMU)/kunit.sh

fuzz: packages				## make up calls, guided by coverage: CALLS=n or MINUTES=n, ten million calls
	@$(QEMU)/packages.sh fuzz
	@$(QEMU)/fuzz.sh

models:					## check the protocols' models with spin; MODEL=name one of them
	@$(QEMU)/packages.sh models
	$(call part,models,all)

coverage: check-programs		## lines of the module and the library that the tests reach
	@$(QEMU)/packages.sh coverage
	@$(QEMU)/coverage.sh

# --- packages ----------------------------------------------------------------------

.PHONY: package package-test
package:				## Debian packages, source and binary, into build/package/
	@$(QEMU)/packages.sh package
	@selftests/package/build.sh

package-test:				## and a Debian in a guest installs, uses, upgrades and purges them
	@selftests/package/test.sh

# --- measuring -------------------------------------------------------------------

.PHONY: bench bench-program
bench-program: lib
	$(call part,bench,all LIBSLUICE=$(BUILD)/lib)

bench: packages				## Sluice and others side by side; T=regex some measures; QUICK=1 roughly
	@$(QEMU)/packages.sh bench
	@$(MAKE) --no-print-directory bench-program
	@bench/bench.sh

# --- using it in a guest ---------------------------------------------------------

.PHONY: guest shell demo film
guest: packages				## RUN='command' [FILES='a b'] [OUT=dir] [DISK=file] [SCRATCH=size] [MEM=MB] in a fresh guest
	@$(MAKE) --no-print-directory tools >&2
	@$(QEMU)/guest.sh run

shell: packages				## a shell in a guest with the module loaded
	@$(MAKE) --no-print-directory tools
	@$(QEMU)/guest.sh shell

demo: packages				## data moving without a copy, and what other ways cost
	@$(MAKE) --no-print-directory tools
	@tools/demo.sh

film: packages				## record the demo: doc/demo.svg, which the README shows
	@$(QEMU)/packages.sh film
	@tools/film/film.sh
