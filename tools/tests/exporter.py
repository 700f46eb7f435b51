#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What sluice-exporter says, over a monitor that is made up. TAP.

    exporter.py PROGRAM TOOLS

PROGRAM is it, with tests/fake_monitor.c; TOOLS is the directory tools/. What it
writes is read by the parsers of Debian's python3-prometheus-client.
"""
import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.parse

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

PROGRAM, TOOLS = sys.argv[1:]
OPENMETRICS = "application/openmetrics-text"
# What a scrape says of itself changes from one to the next.
OF_ITSELF = ("sluice_exporter_scrapes_total", "sluice_exporter_scrape_duration_seconds")
AGES = re.compile(r"_(sleeping|wait)_seconds$")

results = []


def result(good, name, *details):
    results.append(bool(good))
    print(f"{'' if good else 'not '}ok {len(results)} - exporter: {name}")
    if not good:
        for detail in details:
            print(f"# {detail}")


class Exporter:
    """The program, running; where it listens is in url."""

    def __init__(self, fake, *arguments):
        environment = {**os.environ, "FAKE_MONITOR": fake}
        if "--listen" not in arguments:
            arguments = ("--listen", "127.0.0.1:0", *arguments)
        self.process = subprocess.Popen([PROGRAM, *arguments], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.url = urllib.parse.urlsplit(self.process.stdout.readline().strip())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, sig=signal.SIGTERM):
        """Its exit status, negative if a signal ended it."""
        self.process.send_signal(sig)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def connect(self):
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=30)

    def ask(self, path="/metrics", method="GET", headers=None, body=None):
        connection = self.connect()
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response, text

    def samples(self):
        return samples_of(read_text(self.ask()[1]))


def samples_of(families):
    """{(name, labels...): value}; a series that is there twice is an error."""
    found = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            if key in found:
                raise ValueError(f"twice: {key}")
            found[key] = sample.value
    return found


def steady(samples):
    """Without what differs from one scrape to the next; ages are whole seconds."""
    return {key: int(value) if AGES.search(key[0]) else float(value)
            for key, value in samples.items() if key[0] not in OF_ITSELF}


NAME = "a\"b\\x5cc\\xff größe"
CHANNEL = {"channel": NAME, "id": "7"}
EXPECTED = [
    ("sluice_up", {}, 1),
    ("sluice_channels", {}, 2),
    ("sluice_channel_info", {**CHANNEL, "pattern": "queue", "policy": "drop-oldest", "uid": "1000",
                             "gid": "2000", "mode": "0640"}, 1),
    ("sluice_channel_messages_total", CHANNEL, 2.0 ** 64),
    ("sluice_channel_payload_bytes_total", CHANNEL, 1 << 40),
    ("sluice_channel_pool_bytes", CHANNEL, 1 << 20),
    ("sluice_channel_fds", CHANNEL, 4),
    ("sluice_channel_publishers", CHANNEL, 1),
    ("sluice_channel_publishers_limit", CHANNEL, 3),
    ("sluice_channel_left_publishers", CHANNEL, 1),
    ("sluice_channel_subscribers", CHANNEL, 2),
    ("sluice_channel_subscribers_limit", CHANNEL, 5),
    ("sluice_channel_slots", CHANNEL, 64),
    ("sluice_channel_history_messages", CHANNEL, 2),
    ("sluice_channel_held_limit", CHANNEL, 9),
    ("sluice_channel_lag_messages", CHANNEL, 30),
    ("sluice_channel_lost_messages", CHANNEL, 2),
    ("sluice_channel_held_messages", CHANNEL, 4),
    ("sluice_channel_sleeping_publishers", CHANNEL, 1),
    ("sluice_channel_sleeping_subscribers", CHANNEL, 1),
    ("sluice_channel_evicted_subscribers", CHANNEL, 1),
    ("sluice_channel_lag_messages", {"channel": "", "id": "8"}, 0),
    ("sluice_publisher_active", {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 1),
    ("sluice_publisher_messages_total",
     {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 12),
    ("sluice_publisher_payload_bytes_total",
     {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 1234),
    ("sluice_publisher_pool_bytes",
     {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 1 << 19),
    ("sluice_publisher_fds", {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 3),
    ("sluice_publisher_sleeping_seconds",
     {**CHANNEL, "generation": "1", "pid": "41", "command": "sh\"\\x5c"}, 100),
    ("sluice_subscriber_active", {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 1),
    ("sluice_subscriber_active", {**CHANNEL, "generation": "3", "pid": "42", "command": "reader"}, 0),
    ("sluice_subscriber_messages_total",
     {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 10),
    ("sluice_subscriber_payload_bytes_total",
     {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 1030),
    ("sluice_subscriber_lost_messages_total",
     {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 1),
    ("sluice_subscriber_lag_messages",
     {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 30),
    ("sluice_subscriber_held_messages",
     {**CHANNEL, "generation": "2", "pid": "42", "command": "reader"}, 2),
    ("sluice_subscriber_sleeping_seconds",
     {**CHANNEL, "generation": "3", "pid": "42", "command": "reader"}, 0),
    ("sluice_lockspaces", {}, 1),
    *((f"sluice_lockspace_{what}", {"lockspace": "jobs", "id": "3"}, value) for what, value in (
        ("resources", 11), ("locks", 12), ("waiting", 13), ("granted_total", 14),
        ("blocked_total", 15), ("deadlocks_total", 16), ("owners_died_total", 17),
        ("tokens_total", 18), ("closed", 1))),
    ("sluice_holders", {}, 3),
    ("sluice_holders_waiting", {}, 2),
    ("sluice_holders_longest_wait_seconds", {}, 50),
    *((what, {"uid": "1000", "userns": "4026531837", "of": of}, value)
      for of in ("channels", "endpoints", "bytes", "fds", "lockspaces", "holders", "resources", "locks")
      for what, value in (("sluice_quota_used", 5), ("sluice_quota_limit", 100))),
    *(("sluice_exporter_omitted", {"of": of}, 0)
      for of in ("channels", "endpoints", "lockspaces", "quotas")),
    ("sluice_exporter_errors_total", {"question": "open"}, 0),
    ("sluice_exporter_interrupted_total", {"question": "quotas"}, 0),
]


def check_values(exporter):
    got = steady(exporter.samples())
    wrong = [f"{name} {labels}: {got.get((name, *sorted(labels.items())))}, not {value}"
             for name, labels, value in EXPECTED
             if got.get((name, *sorted(labels.items()))) != value]
    result(not wrong, "what the kernel says is what is told", *wrong)
    names = {key[0] for key in got}
    missing = names - {name for name, *_ in EXPECTED} - {"sluice_exporter_build_info"}
    result(not missing, "each metric is looked at", missing)
    return names | set(OF_ITSELF)


def check_formats(exporter):
    response, text = exporter.ask()
    result(response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8",
           "the type of the text format", response.headers)
    accept = f"{OPENMETRICS};version=1.0.0,{OPENMETRICS};version=0.0.1;q=0.75,text/plain;q=0.5"
    response, opened = exporter.ask(headers={"Accept": accept})
    result(response.headers["Content-Type"] == f"{OPENMETRICS}; version=1.0.0; charset=utf-8",
           "the type of OpenMetrics", response.headers)
    result(steady(samples_of(read_text(text))) == steady(samples_of(read_open(opened))),
           "both formats say the same")
    families = list(read_text(text))
    bad = [f.name for f in families if not re.fullmatch("sluice(_[a-z]+)+", f.name) or
           not f.documentation.endswith(".") or f.type not in ("counter", "gauge")]
    result(families and not bad, "each has a good name, a type and help", bad)
    response, _ = exporter.ask(headers={"Accept": "text/html"})
    result(response.headers["Content-Type"].startswith("text/plain; version=0.0.4"),
           "a browser gets text")


def check_http(exporter):
    response, text = exporter.ask("/")
    result(response.status == 200 and 'href="/metrics"' in text, "a page for people")
    response, _ = exporter.ask("/metrics?x=1")
    result(response.status == 200, "parameters are ignored")
    response, text = exporter.ask("/metrics", "HEAD")
    result(response.status == 200 and not text and int(response.headers["Content-Length"]) > 1000,
           "HEAD has no body")
    result(exporter.ask("/metric")[0].status == 404, "elsewhere there is nothing")
    for method in "POST", "PUT", "DELETE", "OPTIONS", "BREW":
        response, _ = exporter.ask("/metrics", method, body="x" * 100000)
        result(response.status == 405 and response.headers["Allow"] == "GET, HEAD", f"{method} is refused")
    response, _ = exporter.ask("/metrics", body="x" * 100000)
    result(response.status == 200, "the body of a GET is ignored")
    connection = exporter.connect()
    for _ in range(3):
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        response.read()
    result(response.status == 200 and not response.will_close, "a connection serves many scrapes")
    connection.close()
    garbage = socket.create_connection((exporter.url.hostname, exporter.url.port), timeout=30)
    garbage.sendall(b"\x00\xff garbage\r\n\r\n")
    garbage.close()
    result(exporter.ask()[0].status == 200, "garbage harms nobody")


def check_crowd():
    with Exporter("many", "--limit", "3000") as exporter:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            texts = list(pool.map(lambda _: exporter.ask()[1], range(50)))
        good = {len(samples_of(read_text(text))) for text in texts[::10]}
        result(len(good) == 1 and all(text.startswith("# HELP") for text in texts),
               "fifty at once are all told", good)
        # Who never finishes to ask, and who never reads.
        slow = []
        for request in (b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20) * 30:
            slow.append(socket.create_connection((exporter.url.hostname, exporter.url.port)))
            slow[-1].sendall(request)
        result(exporter.ask()[0].status == 200, "slow clients keep nobody waiting")
        result(exporter.end() == -signal.SIGTERM, "nor the end")


def check_limit():
    with Exporter("many", "--limit", "10", "--no-endpoints") as exporter:
        samples = exporter.samples()
        told = [key for key in samples if key[0] == "sluice_channel_messages_total"]
        result(len(told) == 10, "--limit is kept", len(told))
        result(samples[("sluice_channels",)] == 3001, "all are counted")
        result(samples[("sluice_exporter_omitted", ("of", "channels"))] == 2991, "so are those left out")
        result(not any(key[0].startswith(("sluice_publisher", "sluice_subscriber")) for key in samples),
               "--no-endpoints: none has series of its own")
        key = ("sluice_channel_lag_messages", ("channel", NAME), ("id", "7"))
        result(samples[key] == 30, "their channels have what they sum up to")
    with Exporter("few", "--limit", "0") as exporter:
        samples = exporter.samples()
        result(samples[("sluice_exporter_omitted", ("of", "endpoints"))] == 3 and
               not any("id" in dict(key[1:]) for key in samples), "a limit of none")


def check_trouble():
    with Exporter("absent") as exporter:
        samples = exporter.samples()
        result(samples[("sluice_up",)] == 0 and not any(key[0].startswith("sluice_channel") for key in samples),
               "no module is told, and nothing made up")
        result(samples[("sluice_exporter_errors_total", ("question", "open"))] == 0, "...and is no error")
    with Exporter("leaving") as exporter:
        samples = exporter.samples()
        result(samples[("sluice_up",)] == 0 and ("sluice_lockspaces",) not in samples,
               "a module that goes meanwhile")
    with Exporter("busy") as exporter:
        exporter.ask()
        samples = exporter.samples()
        result(samples[("sluice_up",)] == 1 and samples[("sluice_channels",)] == 2 and
               samples[("sluice_exporter_interrupted_total", ("question", "channels"))] == 2,
               "what is not of one moment is told, and that it is not")
        result(("sluice_lockspaces",) not in samples and
               samples[("sluice_exporter_errors_total", ("question", "lockspaces"))] == 2,
               "what cannot be had is left out, and counted")


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], text=True, capture_output=True, timeout=30, check=False)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def check_program():
    with Exporter("few") as exporter:
        done = run("--listen", exporter.url.netloc)
        result(done.returncode == 1 and "cannot listen on 127.0.0.1" in done.stderr and
               "Address already in use" in done.stderr, "an address that is taken", done)
    if has_ipv6():
        with Exporter("few", "--listen", "[::1]:0") as exporter:
            result(exporter.url.hostname == "::1" and exporter.ask()[0].status == 200, "IPv6", exporter.url)
    else:
        result(True, "IPv6 # SKIP there is none here")
    done = run("--listen", "2001:db8::1")
    result(done.returncode == 1 and "cannot listen on 2001:db8::1, port 17584:" in done.stderr,
           "an address of IPv6 and the default port", done)
    with Exporter("few", "--listen", "localhost:0") as exporter:
        result(exporter.ask()[0].status == 200, "a name", exporter.url)
    for where in "[::1", "[::1]x", "[]:1", ":17584", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536":
        done = run("--listen", where)
        result(done.returncode == 2 and "--listen" in done.stderr, f"wrong: --listen {where}", done)
    done = run("--listen", "192.0.2.1:0")
    result(done.returncode == 1 and "cannot listen on 192.0.2.1" in done.stderr, "somebody else's address", done)
    done = run("--listen", "no.such.host.invalid")
    result(done.returncode == 1 and "no address to listen on" in done.stderr, "no address", done)
    for sig in signal.SIGTERM, signal.SIGINT:
        with Exporter("few") as exporter:
            exporter.ask()
            result(exporter.end(sig) == -sig, f"{sig.name} ends it")


def expressions(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("expr", "query", "definition") and isinstance(value, str):
                yield value
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def check_words(names):
    """The dashboard and the documentation name metrics that there are."""
    with open(f"{TOOLS}/grafana/sluice.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    used = set(re.findall(r"\bsluice_[a-z_]+", " ".join(expressions(dashboard))))
    result(used and used <= names, "the dashboard asks for what there is", used - names)
    ids = [panel["id"] for panel in dashboard["panels"]]
    result(len(ids) == len(set(ids)), "panels have numbers of their own")
    with open(f"{TOOLS}/../doc/exporter.md", encoding="utf-8") as file:
        told = set(re.findall(r"`(sluice_[a-z_]+)`", file.read()))
    result(told == names, "doc/exporter.md tells of each, and of no other", told ^ names)


def main():
    with Exporter("few") as exporter:
        names = check_values(exporter)
        check_formats(exporter)
        check_http(exporter)
    check_words(names)
    check_limit()
    check_crowd()
    check_trouble()
    check_program()
    print(f"1..{len(results)}")
    return not all(results)


sys.exit(main())
