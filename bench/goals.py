# SPDX-License-Identifier: GPL-2.0-only
"""What is claimed: one row for each, in the order of the report.

A row compares figures of two peers that were measured in turns, in one run of
one guest. "sense" says whether the ratio is to be at most or at least the goal;
a row without a goal is there to be read.

Goals are what was set out to be reached before anything was measured. They do
not change with what is measured.
"""

NATIVE, KERNEL, COUNTED = "uml", "qemu", "icount"
AT_MOST, AT_LEAST = "at most", "at least"


class Row:
    """name: in results.json
    figure: (measure, key, param), of the subject
    against: a peer with the same figure, or (peer, key, param) of another
    goal: of the ratio value / against, or of the value if against is None
    """

    def __init__(self, name, title, guest, figure, goal=None, sense=AT_MOST,
                 against=None, subject="sluice"):
        self.name, self.title, self.guest = name, title, guest
        self.measure, self.key, self.param = figure
        self.subject, self.goal, self.sense = subject, goal, sense
        if isinstance(against, str):
            against = (against, self.key, self.param)
        self.against = against

    def met(self, number):
        if self.goal is None or number is None:
            return None
        if self.sense == AT_MOST:
            return number <= self.goal
        return number >= self.goal


def _roundtrips():
    figure = ("roundtrip_busy", "", 64)
    yield Row("roundtrip_busy", "64 B round trip, both busy, against a raw cache line",
              NATIVE, figure, 1.5, against="line")
    yield Row("roundtrip_busy_ring", "the same, against a raw ring",
              NATIVE, figure, against="ring")
    yield Row("roundtrip_busy_iceoryx", "the same, against iceoryx",
              NATIVE, figure, 1 / 5, against="iceoryx")
    for size in SIZES[1:]:
        yield Row(f"handoff_{size}", f"hand-off of {bytes_text(size)}, against 64 B",
                  NATIVE, ("handoff", "", size), 1.1, against=("sluice", "", 64))
    figure = ("stream", "single", 1)
    yield Row("stream", "one-way stream of 64 B, against a raw ring",
              NATIVE, figure, 0.8, AT_LEAST, "ring")
    yield Row("stream_slots", "the same, against a raw ring of slots, payload apart",
              NATIVE, figure, None, AT_LEAST, "slots")
    yield Row("stream_iceoryx", "the same, against iceoryx",
              NATIVE, figure, None, AT_LEAST, "iceoryx")
    yield Row("stream_batched", "the same in batches of 32, against a raw ring",
              NATIVE, ("stream", "batched", 32), 1.0, AT_LEAST, "ring")
    yield Row("stream_batched_slots", "the same, against a raw ring of slots, payload apart",
              NATIVE, ("stream", "batched", 32), None, AT_LEAST, "slots")


def _sleepers():
    figure = ("roundtrip_sleep", "", 64)
    yield Row("roundtrip_sleep", "64 B round trip, both asleep, against a futex",
              KERNEL, figure, 1.15, against="futex")
    for peer in ("pipe", "eventfd", "unix_stream", "unix_seqpacket", "unix_dgram", "mq"):
        yield Row(f"roundtrip_sleep_{peer}", f"the same, against {peer}",
                  KERNEL, figure, 1.0, against=peer)
    for peer in ("zmq", "nng"):
        yield Row(f"roundtrip_sleep_{peer}", f"the same, against {peer}",
                  KERNEL, figure, against=peer)


def _many():
    for count in (2, 4, 8, 16, 32, 64):
        yield Row(f"fanout_{count}",
                  f"publish to {count} busy subscribers, against 1",
                  NATIVE, ("fanout", "", count), 1.1, against=("sluice", "", 1))
    for guest in (KERNEL, NATIVE):
        yield Row(f"frames_handed_{guest}",
                  "1 MiB frames to 3, handed over, processor time, against unix sockets",
                  guest, ("frames", "handed", 1 << 20), 1 / 50,
                  against="unix_stream")
        yield Row(f"frames_used_{guest}",
                  "the same, written and read, against unix sockets",
                  guest, ("frames", "used", 1 << 20), 1 / 2.5,
                  against="unix_stream")
        yield Row(f"frames_memory_{guest}",
                  "the same, against plain memory traffic",
                  guest, ("frames", "used", 1 << 20), 1.1, against="memory")
    for guest in (KERNEL, NATIVE):
        for peer in ("mq", "unix_dgram"):
            yield Row(f"funnel_{peer}_{guest}",
                      f"16 publishers to a queue consumer, 64 B, against {peer}",
                      guest, ("funnel", "", 16), 10, AT_LEAST, peer)


def _locks():
    figure = ("lock_free", "", 0)
    yield Row("lock_trusted", "uncontended lock+unlock, trusted, against a swap pair",
              NATIVE, figure, 3, against="swap", subject="sluice_trusted")
    yield Row("lock_trusted_ofd", "the same, against fcntl()",
              NATIVE, figure, 1 / 20, against="ofd", subject="sluice_trusted")
    yield Row("lock_strict", "uncontended lock+unlock, strict, against fcntl()",
              KERNEL, figure, 0.6, against="ofd")
    for peer in ("flock", "sysv"):
        yield Row(f"lock_strict_{peer}", f"the same, against {peer}",
                  KERNEL, figure, against=peer)
    for count in (2, 8):
        yield Row(f"lock_handoff_{count}",
                  f"contended hand-off, {count} processes, against a robust mutex",
                  KERNEL, ("lock_handoff", "", count), 1.1, against="mutex")
        yield Row(f"lock_share_{count}",
                  f"the least share of {count} that fight for it (1: all the same)",
                  KERNEL, ("lock_contended", "share", count), 0.8, AT_LEAST)
        yield Row(f"lock_contended_{count}",
                  f"the time of each when {count} fight, against a robust mutex",
                  KERNEL, ("lock_contended", "time", count), against="mutex")


def _kernel():
    for length in (10, 1000):
        yield Row(f"deadlock_chain_{length}",
                  f"block at the end of a chain of {length}, against no chain",
                  KERNEL, ("deadlock", "chain", length),
                  1.2 if length == 10 else None, against=("sluice", "chain", 1))
    yield Row("deadlock_linear", "each further holder of the chain: 1,000 against 100",
              KERNEL, ("deadlock", "each", 1000), 1.2,
              against=("sluice", "each", 100))
    yield Row("deadlock_graph", "block before a graph of 10,000, ms",
              NATIVE, ("deadlock", "graph", 10000), 1.0)
    yield Row("lifecycle", "create, join, destroy, against socketpair, memfd, 2 mmap",
              KERNEL, ("lifecycle", "", 0), 1.5, against="socketpair")
    yield Row("idle_memory", "kernel memory of an idle channel with 1+1, beyond its ring, KiB",
              KERNEL, ("idle_memory", "beyond", 0), 12)
    for key, title in (("publish", "publish and receive"), ("open", "open by name"),
                       ("lifecycle", "create, join, destroy")):
        yield Row(f"scale_channels_{key}", f"{title}: 10,000 channels alive, against 10",
                  KERNEL, ("scale", f"channels_{key}", 10000), 1.2,
                  against=("sluice", f"channels_{key}", 10))
    yield Row("scale_resources", "lock and unlock: 100,000 resources alive, against 10",
              KERNEL, ("scale", "resources", 100000), 1.2,
              against=("sluice", "resources", 10))


def _counted():
    for key, title, against in (
            ("wake", "publish that wakes", None),
            ("lock", "strict lock and unlock", "ofd"),
            ("claim", "claim from a queue", None),
            ("join", "join and leave", None),
            ("lifecycle", "create, join, destroy", "socketpair")):
        yield Row(f"instructions_{key}", f"{title}: instructions, user and kernel",
                  COUNTED, ("paths", key, 0), against=against)


SIZES = [64 << 4 * i for i in range(6)]


def bytes_text(size):
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"


ROWS = [row for part in (_roundtrips, _sleepers, _many, _locks, _kernel, _counted)
        for row in part()]
