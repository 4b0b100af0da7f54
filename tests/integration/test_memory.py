"""The memory of the process while it parses many expensive bodies at the same time, and afterwards.

The numbers are those of the kernel for the process, not the metrics of the gateway."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import threading
import time

import pytest

from support.gateway import Gateway
from support.upstream import TIMEOUT, Reply, Upstream

pytestmark = pytest.mark.skipif(bool(os.environ.get("GR_SANITIZE")), reason="sanitizers keep memory that was freed")

KIB = 1024
MIB = 1024 * 1024
BODY = MIB - 4096


def shapes(size):
    """For each kind of value, a body that has as many of them as fit into so many bytes."""
    def many(unit):
        return b'{"x":[' + b",".join([unit] * (size // (len(unit) + 1))) + b"]}"

    return {
        "objects": many(b"{}"),
        "arrays": many(b"[]"),
        "numbers": many(b"1"),
        "fractions": many(b"1e1"),
        "texts": many(b'""'),
        "members": b"{" + b",".join(b'"%x":0' % i for i in range(size // 10)) + b"}",
        "one member each": many(b'{"":0}'),
        "rooms": many(b'{"id":"66f1c0a2b4d93e5a7c118e01","name":"algebra","enabled":true}'),
        "one long text": b'{"x":"' + b"a" * size + b'"}',
        "escapes": b'{"x":"' + rb"\u00e4" * (size // 6) + b'"}',
        "deep": many(b"[" * 60 + b"]" * 60),
    }


def status_kib(gateway, field):
    """A line of /proc/PID/status: VmRSS, VmHWM."""
    text = pathlib.Path(f"/proc/{gateway.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(field + ":"))


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    directory = tmp_path_factory.mktemp("gateway")
    config = {
        "server": {"body_timeout": "60s"},
        "state_directory": str(directory / "state"),
        "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
        "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms"}},
    }
    with Gateway(directory, config, plugins={"rooms": {}, "polls": {}}) as running:
        for _ in range(4):
            running.post("/rooms", {"name": "a"})
        yield running


class Watch:
    """Measures how much the memory of the process grows, in KiB."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.before = status_kib(gateway, "VmRSS")
        pathlib.Path(f"/proc/{gateway.process.pid}/clear_refs").write_text("5")

    @property
    def now(self):
        return status_kib(self.gateway, "VmRSS") - self.before

    @property
    def peak(self):
        return status_kib(self.gateway, "VmHWM") - self.before

    def wait_back(self, within):
        deadline = time.monotonic() + TIMEOUT
        while self.now > within:
            assert time.monotonic() < deadline, f"{self.now} KiB are left"
            time.sleep(0.02)


def post(gateway, body):
    """Returns the status. The time-out is longer than that of the harness, because parsing is slow on a busy machine."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT * 6)
    try:
        connection.request("POST", "/rooms", body=body, headers={"Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def send(gateway, upstream, body, count):
    """Sends the body count times at once, and lets the upstream answer when it has all requests. Returns the watch, the growth
    of the memory at the time when the upstream had them, and the statuses."""
    release = threading.Event()
    upstream.default = Reply.held(release, {"id": "1"})
    seen = len(upstream.requests)
    watch = Watch(gateway)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        try:
            calls = [pool.submit(post, gateway, body) for _ in range(count)]
            deadline = time.monotonic() + TIMEOUT * 6
            while len(upstream.requests) - seen + sum(call.done() for call in calls) < count:
                assert time.monotonic() < deadline, f"{len(upstream.requests) - seen} have come"
                time.sleep(0.02)
            held = watch.now
        finally:
            release.set()
        return watch, held, {call.result() for call in calls}


# Texts whose trees do not fit into the memory of a request (32 MiB).
TOO_MANY = ("objects", "arrays", "texts", "one member each", "deep")


@pytest.mark.parametrize("shape", shapes(0))
def test_24_bodies_of_a_mebibyte(gateway, upstream, shape):
    body = shapes(BODY)[shape]
    assert 0.9 * BODY < len(body) < MIB
    watch, held, statuses = send(gateway, upstream, body, 24)
    assert statuses == ({413} if shape in TOO_MANY else {200})
    # At most two bodies are trees at a time, of up to 32 MiB each; the others take the memory of their bytes.
    assert watch.peak < 160 * KIB, f"{watch.peak} KiB at the most"
    assert held < 72 * KIB, f"{held} KiB while the upstream worked"
    watch.wait_back(60 * KIB)


def test_256_bodies_whose_trees_are_large(gateway, upstream):
    """Their trees together would take 700 MiB."""
    body = shapes(100 * KIB)["numbers"]
    watch, held, statuses = send(gateway, upstream, body, 256)
    assert statuses == {200}
    assert watch.peak < 160 * KIB, f"{watch.peak} KiB at the most"
    assert held < 96 * KIB, f"{held} KiB while the upstream worked"
    watch.wait_back(60 * KIB)


def test_a_body_that_is_refused_gives_its_room_back(gateway, upstream):
    """The tree of the body is large, and its last byte is wrong."""
    body = shapes(BODY)["numbers"][:-1] + b"!}"
    for _ in range(6):
        assert gateway.post("/rooms", body).status == 400
    assert gateway.post("/rooms", shapes(BODY)["numbers"]).status == 200


def results(gateway):
    return gateway.get("/polls/p1/sessions/s1/results")


@pytest.mark.parametrize("other", [{"session_id": "s2", "x": [{}] * 8}, {"x": {"session_id": "s1"}}, {}, [], 1, "s1"],
                         ids=str)
def test_a_filtered_answer_of_four_mebibytes(gateway, upstream, other):
    text = json.dumps(other).encode()
    wanted = b'{ "session_id":"s1", "n": 1 }'
    count = (4 * MIB - 4096) // (len(text) + 1)
    answer = b'{"limit":1, "results": [%s,%s,\n%s], "last" : "x"}' % (
        b",".join([text] * (count // 2)), wanted, b",".join([text] * (count // 2)))
    upstream.default = Reply(answer)
    watch = Watch(gateway)
    reply = results(gateway)
    assert reply.body == b'{"limit":1, "results": [%s], "last" : "x"}' % wanted
    assert watch.peak < 40 * KIB, f"{watch.peak} KiB at the most"
    watch.wait_back(20 * KIB)


@pytest.mark.parametrize("shape", ["objects", "numbers"])
def test_an_element_that_is_too_large_to_look_at(gateway, upstream, shape):
    upstream.default = Reply(b'{"results": [' + shapes(4 * MIB - 4096)[shape] + b"]}")
    watch = Watch(gateway)
    assert results(gateway).status == 502
    assert watch.peak < 40 * KIB, f"{watch.peak} KiB at the most"
