"""Clients of HTTPS listeners that are slow, cut records anywhere, or break the framing."""

import json
import random
import re
import socket
import struct
import threading
import time

import pytest

from support.https import Https, authority, https, read_all, server_files, status_of, trusting  # noqa: F401 (fixtures)
from support.upstream import TIMEOUT


def test_stalled_handshakes_do_not_hold_workers(tmp_path, authority, server_files):
    """There are more silent or stalled clients than workers."""
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    with Https(tmp_path, server_files, workers=8, header_timeout="2s") as gateway:
        stalled = []
        for turn in range(16):
            sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT)
            if turn % 2:
                sock.sendall(hello)
            stalled.append(sock)
        begun = time.monotonic()
        assert status_of(gateway.ask(trusting(authority))) == 200
        assert time.monotonic() - begun < TIMEOUT
        for sock in stalled:
            sock.settimeout(TIMEOUT)
            assert sock.recv(1) == b"" or True
            sock.close()
        gateway.wait_log("the TLS handshake did not end")


def test_trickled_handshake_ends(tmp_path, authority, server_files):
    with Https(tmp_path, server_files, workers=4, header_timeout="1s") as gateway:
        sock = socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT)
        begun = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500):
                sock.sendall(bytes([byte]))
                time.sleep(0.02)
        assert time.monotonic() - begun < TIMEOUT


def test_silent_after_the_handshake(https, authority):
    with https.connect(trusting(authority)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        begun = time.monotonic()
        data = read_all(connection)
    assert status_of(data) == 408
    assert time.monotonic() - begun < TIMEOUT


def test_trickled_body(https, authority):
    with https.connect(trusting(authority)) as connection:
        connection.sendall(b"POST /rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 1000\r\n\r\n")
        begun = time.monotonic()
        connection.settimeout(0.1)
        data = b""
        try:
            while not data and time.monotonic() - begun < TIMEOUT:
                connection.sendall(b" ")
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - begun < TIMEOUT
    assert data == b"" or status_of(data) == 408


def test_big_body_in_many_records(https, authority):
    body = json.dumps({"name": "big", "description": "x" * 300000}).encode()
    head = ("POST /rooms HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n").encode()
    https.upstream.forget()
    assert status_of(https.ask(trusting(authority), head + body)) in (200, 400)


def test_record_per_byte(https, authority):
    with https.connect(trusting(authority)) as connection:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert status_of(read_all(connection)) == 200


def test_requests_that_are_cut_anywhere_into_records(https, authority):
    """Each request is answered, whichever records and packets have its bytes and those of the requests beside it."""
    cuts = random.Random(7)
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: %s\r\n\r\n"
    with https.connect(trusting(authority)) as connection:
        for _ in range(100):
            count = cuts.randint(1, 5)
            bytes_left = b"".join(head % (b"y" * cuts.choice((0, 10, 900, 4000, 7000))) for _ in range(count))
            while bytes_left:
                step = cuts.choice((1, 30, 500, 4095, 4096, 16384, 60000))
                connection.sendall(bytes_left[:step])
                bytes_left = bytes_left[step:]
            answered = b""
            while answered.count(b'"status"') < count:
                got = connection.recv(65536)
                assert got, "the connection was closed"
                answered += got
            assert answered.count(b"HTTP/1.1 200 ") == count


FRAMING = [
    ("both lengths", b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400),
    ("two lengths", b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}  ", 400),
    ("bare line feeds", b"GET /healthz HTTP/1.1\nHost: x\n\n", 400),
    ("folded header", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 400),
    ("two empty lines in front", b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("one empty line in front", b"\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200),
    ("blank before the colon", b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    ("no host", b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("too many headers", b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 70 + b"\r\n", 431),
    ("head too large", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 431),
    ("target too long", b"GET /" + b"y" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("garbage", b"\x00\x01\x02\x03\r\n\r\n", 400),
]


@pytest.mark.parametrize("what, data, status", FRAMING, ids=[row[0] for row in FRAMING])
def test_framing_holds_under_tls(https, authority, what, data, status):
    calls = len(https.upstream.requests)
    answer = https.ask(trusting(authority), data)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1, "the rest was taken for another request"
    assert len(https.upstream.requests) == calls


def test_framing_of_a_second_request_in_the_same_record(https, authority):
    """The check must read the second head, and not the first one again."""
    good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    bad = b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"
    answer = https.ask(trusting(authority), good + bad + good)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", answer) == [b"200", b"400"]


def test_client_that_resets(https, authority):
    for _ in range(20):
        connection = https.connect(trusting(authority))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert status_of(https.ask(trusting(authority))) == 200


def test_many_at_once(tmp_path, authority, server_files):
    with Https(tmp_path, server_files, header_timeout="1m") as gateway:
        results = []

        def one():
            results.append(status_of(gateway.ask(trusting(authority))))

        threads = [threading.Thread(target=one) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [200] * 50
