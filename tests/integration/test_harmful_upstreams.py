"""Upstreams that hang, send wrong lengths, too much data or unrequested answers: the client gets one correct answer."""

import time

import pytest

from support.attacks import GET, ROOM, answers_of, exchange
from support.attacks import gateway, upstream  # noqa: F401 (fixtures)
from support.upstream import FACTOR, Reply, Upstream


def harmful(name, reply, statuses):
    return pytest.param(reply, statuses, id=name)


@pytest.mark.parametrize("reply, statuses", [
    harmful("hangs", Reply.hang, (504,)),
    harmful("closes", Reply.close, (200, 502)),  # a GET on a kept connection is tried again on a new one
    harmful("resets", Reply.reset, (200, 502)),
    harmful("lies about its length", Reply.short, (502,)),
    harmful("100 MB announced", lambda: Reply.huge(100 * 1024 * 1024), (502,)),
    harmful("100 MB in chunks", lambda: Reply.huge(100 * 1024 * 1024, chunked=True), (502,)),
    harmful("brackets", lambda: Reply.deep(1000), (200, 502)),  # not parsed
    harmful("no HTTP", Reply.garbage, (502,)),
    harmful("endless header", lambda: Reply.raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 4000000), (502,)),
    harmful("100,000 headers", lambda: Reply.raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100000 + b"\r\n"), (502,)),
    harmful("informs without end", lambda: Reply.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 50000), (502, 504)),
    harmful("status 999", lambda: Reply({}, status=999), (502,)),
    harmful("status 99", lambda: Reply.raw(b"HTTP/1.1 99 X\r\nContent-Length: 2\r\n\r\n{}"), (502,)),
    harmful("switches protocols", lambda: Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), (502, 504)),
    harmful("two lengths", lambda: Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                                             b"Content-Length: 5\r\n\r\n{}abc"), (200, 502)),
])
def test_harmful_upstream(gateway, upstream, reply, statuses):
    before = len(upstream.requests)
    upstream.will(reply())
    begun = time.monotonic()
    answer = gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01")
    assert answer.status in statuses, answer
    assert len(answer.body) < 10000
    assert time.monotonic() - begun < 8 * FACTOR
    assert len(upstream.requests) - before in ((1, 2) if 200 in statuses else (1,))
    assert gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01").json == ROOM


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(gateway, upstream, status):
    with Upstream() as other:
        upstream.will(Reply({}, status, [("Location", f"{other.url}/v2/rooms/1")]))
        answer = gateway.get("/rooms/1")
        assert answer.status in (status, 502)
        assert answer.header("Location") is None
        assert other.requests == [] and other.connections == 0


def test_response_splitting(gateway, upstream):
    upstream.will(Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: a\rSet-Cookie: b=c\r\n"
                            b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    data = exchange(gateway, GET + b"\r\n" + GET + b"Connection: close\r\n\r\n")
    answers = answers_of(data)
    assert len(answers) == 2 and b"evil" not in data and b"Set-Cookie" not in data


@pytest.mark.parametrize("name, value", [
    ("Set-Cookie", "session=1"), ("Access-Control-Allow-Origin", "*"), ("Server", "evil"), ("Connection", "close"),
    ("Transfer-Encoding", "identity"), ("Strict-Transport-Security", "max-age=0"), ("Refresh", "0; url=http://evil"),
    ("Clear-Site-Data", '"*"'), ("Alt-Svc", 'h3=":443"'), ("WWW-Authenticate", "Basic"), ("Link", "<http://evil>"),
])
def test_headers_of_the_upstream_end_here(gateway, upstream, name, value):
    upstream.will(Reply(ROOM, headers=[(name, value)]))
    answer = gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01")
    assert answer.status in (200, 502, 504)
    assert answer.header(name) != value


def test_upstream_speaks_after_the_answer(gateway, upstream):
    """Unrequested bytes on a kept connection are not the answer to the next caller."""
    reply = Reply(ROOM)
    reply.bytes += b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"id\":\"of-other\"}"
    upstream.will(reply)
    gateway.get("/rooms/1")
    assert gateway.get("/rooms/2").json == ROOM
