#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a command on a terminal, and write down what it shows when.

record.py CAST COMMAND...

CAST is in asciinema's format, version 2: a header, and a line for each output.
Ends with the status of the command.
"""
import codecs
import fcntl
import json
import os
import pty
import struct
import sys
import termios
import time

COLUMNS, ROWS = 108, 30


def record(cast, command):
    """Returns how the command ended."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    child, terminal = pty.fork()
    if not child:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    print(json.dumps({"version": 2, "width": COLUMNS, "height": ROWS}), file=cast)
    begin = time.monotonic()
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:     # the last one has closed the terminal
            data = b""
        if not data:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = decoder.decode(data)
        print(json.dumps([round(time.monotonic() - begin, 3), "o", text]), file=cast, flush=True)
        sys.stdout.write(text)
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: record.py CAST COMMAND...")
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        sys.exit(record(out, sys.argv[2:]))
