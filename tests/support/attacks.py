"""What tests of attacks share: the gateway that is attacked, its upstream, and their exchanges as bytes."""

import json
import re
import socket

import pytest

from support.gateway import Gateway
from support.upstream import TIMEOUT, Reply, Upstream

ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True}
GET = b"GET /rooms/66f1c0a2b4d93e5a7c118e01 HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        running.default = Reply(ROOM)
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    config = {
        "server": {"workers": 64, "header_timeout": "1s", "body_timeout": "1s", "keep_alive_timeout": "2s"},
        "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "an app secret for tests"}},
        "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms", "timeout": "2s", "retries": 0,
                              "answer_max": "1m", "breaker": {"enabled": False}}},
    }
    with Gateway(tmp_path_factory.mktemp("gateway"), config, {"rooms": {}, "templates": {}}) as running:
        yield running


def exchange(gateway, data, wait=TIMEOUT):
    """Sends bytes, closes its side for writing, and returns everything received."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=wait) as sock:
        try:
            sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all of it was sent
        return read_to_end(sock)


def read_to_end(sock):
    data = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionResetError:
            return data
        if not more:
            return data
        data += more


def answers_of(data):
    """[(status, parsed body)] of consecutive answers; fails on other bytes."""
    answers = []
    while data:
        head, separator, rest = data.partition(b"\r\n\r\n")
        assert separator, data
        lines = head.decode("ascii").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [A-Za-z' -]+", lines[0]), lines[0]
        fields = [line.split(": ", 1) for line in lines[1:]]
        lengths = [value for name, value in fields if name.lower() == "content-length"]
        assert len(lengths) <= 1, head
        length = int(lengths[0]) if lengths else 0
        assert len(rest) >= length, data
        answers.append((int(lines[0][9:12]), json.loads(rest[:length]) if length else None))
        data = rest[length:]
    return answers


def alive(gateway):
    assert gateway.process.poll() is None, gateway.log
    return gateway.get("/healthz").status == 200
