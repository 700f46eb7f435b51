#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""Run one guest: start QEMU, read the frames that guest/relay.c sends, stop it.

In mode "run" the command's output goes to our standard output and error and its
exit status is ours.  In mode "check" the judge reads the output; the status is
0 if nothing failed, 1 otherwise.  125 means that the guest gave no verdict or
its kernel complained, 124 that it took too long.
"""
import argparse
import ctypes
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import klog
from judge import Judge

STDOUT, STDERR, KLOG, TAR, STATUS = 1, 2, 3, 4, 5
TIMED_OUT, NO_VERDICT = 124, 125
BOOTS, BOOT_PATIENCE = 3, 60
PR_SET_PDEATHSIG = 1


class NoVerdict(Exception):
    """Says how the guest ended without one, and the status to exit with."""

    def __init__(self, why, status=NO_VERDICT):
        super().__init__(why)
        self.why, self.status = why, status


def qemu_port(fd):
    return [
        "-device", "virtio-serial-pci,max_ports=2",
        "-chardev", f"socket,id=relay,fd={fd}",
        "-device", "virtserialport,chardev=relay,name=sluice,nr=1",
    ]


def uml_port(fd):
    return [f"ssl1=fd:{fd}"]


class Guest:
    def __init__(self, argv, port, console):
        ours, theirs = socket.socketpair()
        argv = argv + port(theirs.fileno())
        # QEMU must not outlive us, however we end.
        libc = ctypes.CDLL(None)
        self.qemu = subprocess.Popen(
            argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=console, stderr=console,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        theirs.close()
        self.socket, self.buffer = ours, bytearray()

    def died_booting(self):
        """Is it gone before it said anything? False if it does not say soon."""
        if not select.select([self.socket], [], [], BOOT_PATIENCE)[0]:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except ConnectionResetError:
            return True

    def frames(self, deadline):
        """Yield (type, payload); deadline() is asked before every wait."""
        while True:
            while (frame := self.take_frame()) is not None:
                yield frame
            left = deadline() - time.monotonic()
            ready = select.select([self.socket], [], [], max(left, 0))[0]
            if not ready:
                raise NoVerdict("took too long", TIMED_OUT)
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                raise NoVerdict("the guest died without a verdict")
            self.buffer += data

    def take_frame(self):
        if len(self.buffer) < 5:
            return None
        kind, size = struct.unpack_from("<BI", self.buffer)
        if len(self.buffer) < 5 + size:
            return None
        payload = bytes(self.buffer[5:5 + size])
        del self.buffer[:5 + size]
        return kind, payload

    def acknowledge(self):
        try:
            self.socket.send(b"\n")
            self.qemu.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            pass

    def stop(self):
        self.qemu.kill()
        self.qemu.wait()


class Files:
    """/out of the guest, unpacked while it arrives."""

    def __init__(self, directory):
        self.directory, self.tar = directory, None

    def feed(self, data):
        if not self.directory:
            return
        if not self.tar:
            os.makedirs(self.directory, exist_ok=True)
            self.tar = subprocess.Popen(
                ["tar", "-xf", "-", "--no-same-owner", "-C", self.directory],
                stdin=subprocess.PIPE)
        self.tar.stdin.write(data)

    def close(self):
        if self.tar:
            self.tar.stdin.close()
            if self.tar.wait():
                raise NoVerdict("could not unpack what the guest left in /out")


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def console_lines(path):
    try:
        with open(path, errors="replace") as console:
            text = console.read()
    except FileNotFoundError:
        return []
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|\r", "", text)
    return text.splitlines()


def run_command(guest, files, options):
    end = time.monotonic() + options.timeout
    log = bytearray()
    for kind, data in guest.frames(lambda: end):
        if kind in (STDOUT, STDERR):
            write_all(kind, data)
        elif kind == KLOG:
            log += data
        elif kind == TAR:
            files.feed(data)
        elif kind == STATUS:
            files.close()
            return verdict_of_command(struct.unpack("<i", data)[0], log)
    return NO_VERDICT


def verdict_of_command(status, log):
    complaints = klog.complaints(log.decode(errors="replace").splitlines())
    if complaints:
        print("guest: the kernel complained:", *complaints,
              sep="\n  ", file=sys.stderr)
    return status or (NO_VERDICT if complaints else 0)


class Lines:
    def __init__(self, take):
        self.take, self.rest = take, b""

    def feed(self, data):
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            self.take(line.decode(errors="replace").rstrip("\r"))


def run_check(guest, files, options):
    os.makedirs(os.path.dirname(options.results), exist_ok=True)
    with open(options.results, "w") as tap:
        judge = Judge(lambda s: print(s, flush=True),
                      lambda s: print(s, file=tap, flush=True))
        try:
            judge_frames(guest, files, judge, options)
            if not judge.complete:
                raise NoVerdict("the checks ended without a verdict")
        except NoVerdict as e:
            judge.died(e.why, console_lines(options.console))
        print(f"1..{len(judge.results)}", file=tap)
    print(f"{options.name}: {judge.count('pass')} passed,"
          f" {judge.count('fail')} failed, {judge.count('skip')} skipped")
    return 1 if judge.count("fail") else 0


def judge_frames(guest, files, judge, options):
    report = [time.monotonic()]     # when the judge last heard of a step
    last = [None]

    def take(line):
        judge.feed(line)
        state = (judge.test, judge.status, judge.in_log)
        if state != last[0]:
            last[0], report[0] = state, time.monotonic()

    lines = Lines(take)
    for kind, data in guest.frames(lambda: report[0] + judge.patience):
        if kind == STDOUT:
            lines.feed(data)
        elif kind == TAR:
            files.feed(data)
        elif kind == STATUS:
            files.close()
            return


def start(options):
    if options.uml:
        return Guest(options.qemu, uml_port, open(options.console, "wb"))
    return Guest(options.qemu, qemu_port, None)


def boot(options):
    """Start it, again if it dies before it is asked to do anything.

    Kernels change their code while they boot, and an emulated processor may
    meet the breakpoint that guards it where the kernel expects none any more.
    The checks say that they begin before they load the module.
    """
    for _ in range(BOOTS - 1):
        guest = start(options)
        if options.mode != "check" or not guest.died_booting():
            return guest
        guest.stop()
        print("guest: it died while it booted; its console ended:",
              *console_lines(options.console)[-20:], sep="\n  ",
              file=sys.stderr)
    return start(options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("run", "check"), required=True)
    parser.add_argument("--name", default="guest")
    parser.add_argument("--console", required=True)
    parser.add_argument("--timeout", type=float, default=600)
    parser.add_argument("--results")
    parser.add_argument("--out")
    parser.add_argument("--uml", action="store_true")
    parser.add_argument("qemu", nargs="+")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    guest = boot(options)
    files = Files(options.out)
    work = run_check if options.mode == "check" else run_command
    try:
        status = work(guest, files, options)
        guest.acknowledge()
    except NoVerdict as e:
        print(f"guest: {e.why}; its console ended:", file=sys.stderr)
        lines = console_lines(options.console)
        print(*(klog.complaints(lines) or lines[-40:]),
              sep="\n  ", file=sys.stderr)
        status = e.status
    except BrokenPipeError:
        status = 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    finally:
        guest.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
