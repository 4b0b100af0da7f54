"""Listeners behind a proxy that speaks the PROXY protocol: which client address limits, log and routes use."""

import contextlib
import json
import socket
import sqlite3
import ssl
import struct

import pytest

from support.certificates import Authority
from support.gateway import Gateway
from support.rig import OPTIONS
from support.until import until
from support.upstream import TIMEOUT

MARK = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n%s\r\n"


def line(words):
    return b"PROXY " + words + b"\r\n"


def binary(client, command=0x21, family=None, fields=b"", rest=None):
    v6 = ":" in client
    kind = socket.AF_INET6 if v6 else socket.AF_INET
    addresses = socket.inet_pton(kind, client) + socket.inet_pton(kind, "::1" if v6 else "127.0.0.1")
    data = addresses + struct.pack(">HH", 56324, 443) + fields if rest is None else rest
    return MARK + bytes([command, family or (0x21 if v6 else 0x11)]) + struct.pack(">H", len(data)) + data


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        running = {}

        def starter(proxies=("127.0.0.1",), groups=None, tls=None, **more):
            key = repr((proxies, groups, tls, more))
            if key not in running:
                directory = tmp_path_factory.mktemp("gateway")
                config = {
                    "server": {"listen": [{"address": "127.0.0.1:0", "proxy_protocol": True, "tls": bool(tls)}],
                               "trusted_proxies": list(proxies), "header_timeout": "2s", **({"tls": tls} if tls else {})},
                    "state_directory": str(directory / "state"),
                    **more,
                }
                running[key] = stack.enter_context(Gateway(directory, config, groups or {}))
            return running[key]

        yield starter


def ask(gateway, first, request=GET % b"", pieces=0):
    """Returns the bytes of the answer. pieces: sends so many bytes at a time, each time in a separate packet."""
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = first + request
        for at in range(0, len(data), pieces or len(data)):
            with contextlib.suppress(ConnectionError):
                connection.sendall(data[at:at + (pieces or len(data))])
        answer = b""
        with contextlib.suppress(ConnectionError):
            while True:
                more = connection.recv(65536)
                if not more:
                    break
                answer += more
        return answer


def peers(gateway):
    lines = [json.loads(text) for text in gateway.log.splitlines() if text.startswith("{")]
    return [entry["peer"] for entry in lines if entry["message"] == "request"]


def peer_of(gateway, *words, **more):
    """Sends one request and returns the client in its line of the access log."""
    before = len(peers(gateway))
    assert ask(gateway, *words, **more).startswith(b"HTTP/1.1 200 ")
    until(lambda: len(peers(gateway)) > before, "no line of the request")
    return peers(gateway)[before]


GOOD = [
    (line(b"TCP4 192.0.2.1 198.51.100.1 56324 443"), "192.0.2.1"),
    (line(b"TCP4 255.255.255.255 255.255.255.255 65535 65535"), "255.255.255.255"),
    (line(b"TCP6 2001:db8::1 ::1 0 1"), "2001:db8::1"),
    (line(b"TCP6 " + b":".join([b"ffff"] * 8) + b" " + b":".join([b"ffff"] * 8) + b" 65535 65535"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    (line(b"UNKNOWN"), "127.0.0.1"),
    (line(b"UNKNOWN what ever follows"), "127.0.0.1"),
    (binary("192.0.2.1"), "192.0.2.1"),
    (binary("2001:db8::1"), "2001:db8::1"),
    (binary("192.0.2.1", fields=b"\x03\x00\x04abcd" + b"\x04\x00\xc8" + b"x" * 200), "192.0.2.1"),
    (binary("192.0.2.1", command=0x20), "127.0.0.1"),
    (binary("192.0.2.1", command=0x20, rest=b""), "127.0.0.1"),
    (binary("192.0.2.1", family=0x31), "127.0.0.1"),
]


@pytest.mark.parametrize("pieces", [0, 1, 7])
@pytest.mark.parametrize("first, client", GOOD, ids=[str(i) for i in range(len(GOOD))])
def test_the_client_is_whom_the_proxy_names(start, first, client, pieces):
    assert peer_of(start(), first, pieces=pieces) == client


@pytest.mark.parametrize("first", [
    b"", b"PROXY", line(b"TCP4"), line(b"TCP4 192.0.2.1"), line(b"TCP4 192.0.2.1 198.51.100.1 1"),
    line(b"TCP4 192.0.2.1 198.51.100.1 1 2 3"), line(b"TCP4 192.0.2.1 198.51.100.1 1 65536"),
    line(b"TCP4 192.0.2.1 198.51.100.1 01 2"), line(b"TCP4 192.0.2.1 198.51.100.1 1 "),
    line(b"TCP4 192.0.2.1  198.51.100.1 1 2"), line(b"TCP4 2001:db8::1 ::1 1 2"), line(b"TCP6 192.0.2.1 ::1 1 2"),
    line(b"TCP4 192.0.2.256 198.51.100.1 1 2"), line(b"UDP4 192.0.2.1 198.51.100.1 1 2"), line(b"tcp4 192.0.2.1 1.1.1.1 1 2"),
    line(b"UNKNOWNS"), b"PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n", b"proxy UNKNOWN\r\n", b"PROXY  UNKNOWN\r\n",
    b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n", b" " + line(b"UNKNOWN"),
    binary("192.0.2.1", command=0x11), binary("192.0.2.1", command=0x22), binary("192.0.2.1", rest=b"12345678901"),
    binary("2001:db8::1", rest=b"x" * 35), binary("192.0.2.1", fields=b"x" * 600), MARK[:-1] + b"\r" + binary("192.0.2.1")[12:],
], ids=lambda first: repr(first[:40]))
def test_a_connection_that_begins_otherwise_is_closed(start, first):
    gateway = start()
    before = len(peers(gateway))
    assert ask(gateway, first) == b""
    assert len(peers(gateway)) == before
    assert peer_of(gateway, line(b"UNKNOWN")) == "127.0.0.1"


def test_a_header_that_does_not_end_is_not_waited_for_without_limit(start):
    with socket.create_connection(("127.0.0.1", start().port), TIMEOUT) as connection:
        connection.sendall(b"PROXY TCP4 192.0.2.1 ")
        assert connection.recv(1) == b""
    start().wait_log("no header of the PROXY protocol came")


def test_one_header_serves_the_whole_connection(start):
    gateway = start()
    before = len(peers(gateway))
    kept = GET.replace(b"Connection: close\r\n", b"") % b""
    ask(gateway, line(b"TCP4 192.0.2.1 198.51.100.1 1 2"), kept + kept + GET % b"")
    until(lambda: len(peers(gateway)) == before + 3, "not three requests")
    assert peers(gateway)[before:] == ["192.0.2.1"] * 3


def test_one_that_is_not_trusted_speaks_for_itself(start):
    assert peer_of(start(("10.0.0.0/8",)), line(b"TCP4 10.0.0.1 198.51.100.1 1 2")) == "127.0.0.1"


def test_a_trusted_proxy_behind_the_first_is_asked_as_well(start):
    gateway = start(("127.0.0.1", "192.0.2.0/24"))
    forwarded = GET % b"X-Forwarded-For: 203.0.113.5, 203.0.113.9\r\n"
    assert peer_of(gateway, line(b"TCP4 192.0.2.1 198.51.100.1 1 2"), forwarded) == "203.0.113.9"
    assert peer_of(gateway, line(b"TCP4 198.51.100.7 198.51.100.1 1 2"), forwarded) == "198.51.100.7"


# --- what goes by the client ---


def test_limits_are_those_of_the_client(start):
    gateway = start(limits={"address": {"rate": "2/m"}})
    one, other = (line(b"TCP4 192.0.2.%d 198.51.100.1 1 2" % last) for last in (1, 2))
    request = GET.replace(b"/healthz", b"/nowhere") % b""
    statuses = [ask(gateway, first, request)[9:12] for first in (one, one, one, other)]
    assert statuses == [b"404", b"404", b"429", b"404"]


def test_guesses_are_counted_for_the_client(start):
    gateway = start(auth={"keys": {}, "throttle": {"failures": 2}}, groups={"rooms": {}},
                    upstreams={"api": {"url": "http://127.0.0.1:1"}})
    one, other = (line(b"TCP4 192.0.2.%d 198.51.100.1 1 2" % last) for last in (1, 2))
    guess = GET.replace(b"/healthz", b"/rooms") % b"Authorization: Bearer gr_x\r\n"
    statuses = [ask(gateway, first, guess)[9:12] for first in (one, one, one, other)]
    assert statuses == [b"401", b"401", b"429", b"401"]


def test_an_audit_names_the_client(start):
    gateway = start(groups={"accounts": {"config": OPTIONS["accounts"]}}, store="sqlite:audit.db")
    body = b'{"username": "nobody", "password": "wrong horse"}'
    login = (b"POST /accounts/auth/local HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\nContent-Length: %d\r\n"
             b"Content-Type: application/json\r\n\r\n%s" % (len(body), body))
    assert ask(gateway, line(b"TCP4 192.0.2.7 198.51.100.1 1 2"), login).startswith(b"HTTP/1.1 401 ")
    with contextlib.closing(sqlite3.connect(gateway.directory / "state" / "audit.db")) as store:
        until(lambda: store.execute("SELECT address, outcome FROM rig_audit").fetchall() == [("192.0.2.7", "refused")],
              "no row of the client")


@pytest.mark.parametrize("first, client", GOOD[:1] + GOOD[6:7], ids=["v1", "v2"])
def test_the_header_comes_before_the_handshake_of_tls(start, tmp_path, first, client):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    gateway = start(tls={"certificate": str(certificate), "key": str(key)})
    before = len(peers(gateway))
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as connection:
        connection.sendall(first)
        with ssl.create_default_context(cafile=authority.file).wrap_socket(connection, server_hostname="localhost") as secure:
            secure.sendall(GET % b"")
            assert secure.recv(65536).startswith(b"HTTP/1.1 200 ")
    until(lambda: len(peers(gateway)) > before, "no line of the request")
    assert peers(gateway)[before] == client


def test_a_handshake_without_the_header_is_not_answered(start, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server")
    gateway = start(tls={"certificate": str(certificate), "key": str(key)})
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as connection:
        with pytest.raises(OSError):
            ssl.create_default_context(cafile=authority.file).wrap_socket(connection, server_hostname="localhost")
