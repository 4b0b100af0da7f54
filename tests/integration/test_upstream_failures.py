"""What callers see of an upstream that closes, hangs or sends answers that cannot be used."""

import json
import socket
import time

import pytest

from support.transports import ROOM, alive, error_of, gateway, start, upstream  # noqa: F401 (fixtures)
from support.upstream import TIMEOUT, Reply


# --- an upstream that closes ---


@pytest.mark.parametrize("reply", [Reply.close(), Reply.reset()], ids=["closes", "resets"])
def test_a_post_without_an_answer_was_sent_exactly_once(gateway, upstream, reply):
    upstream.will(reply)
    error_of(gateway.post("/rooms", body=b'{"name":"a"}'), 502)
    assert upstream.lines == ["POST /v2/rooms"]
    alive(gateway, upstream)


@pytest.mark.parametrize("body", [b'{"name":"a"}', None], ids=["with a body", "without a body"])
def test_a_post_on_a_kept_connection_that_dies_was_sent_exactly_once(gateway, upstream, body):
    """libcurl repeats such requests by itself, which the gateway prevents."""
    for _ in range(5):
        upstream.forget()
        upstream.will(Reply(ROOM), Reply.close())
        assert gateway.get("/rooms/1").status == 200
        error_of(gateway.post("/rooms", body=body), 502)
        assert upstream.lines == ["GET /v2/rooms/1", "POST /v2/rooms"]


def test_a_post_after_the_upstream_closed_a_kept_connection_arrives(gateway, upstream):
    """The test repeats this, because the connection may end in the same millisecond in which the answer came."""
    for _ in range(100):
        upstream.forget()
        upstream.will(Reply.last(ROOM))
        assert gateway.get("/rooms/1").status == 200
        upstream.wait(lambda up: not up.open)
        assert gateway.post("/rooms", body=b'{"name":"a"}').status == 200
        assert upstream.lines == ["GET /v2/rooms/1", "POST /v2/rooms"]


def test_a_get_without_an_answer_is_tried_again(gateway, upstream):
    upstream.will(Reply.close(), Reply.reset())
    assert gateway.get("/rooms/1").status == 200
    assert upstream.lines == ["GET /v2/rooms/1"] * 3


def test_tries_of_a_get_end(gateway, upstream):
    upstream.default = Reply.close()
    error_of(gateway.get("/rooms/1"), 502)
    assert upstream.lines == ["GET /v2/rooms/1"] * 3


def test_an_upstream_that_is_down_is_502_and_comes_back(start, upstream):
    gateway = start(breaker={"enabled": False})
    upstream.down()
    began = time.monotonic()
    error_of(gateway.get("/rooms/1"), 502)
    error_of(gateway.post("/rooms", body=b'{"name":"a"}'), 502)
    assert time.monotonic() - began < TIMEOUT / 2
    upstream.up()
    assert gateway.get("/rooms/1").status == 200
    assert gateway.post("/rooms", body=b'{"name":"a"}').status == 200


def test_an_upstream_that_takes_no_connection_is_given_up_in_time(start):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        gateway = start(url=f"http://127.0.0.1:{address[1]}", connect_timeout="200ms", timeout="1h", retries=0)
        assert gateway.get("/rooms/1").status in (502, 504)
        for one in waiting:
            one.close()


def test_a_slow_upstream_is_504_in_time(start, upstream):
    gateway = start(timeout="1s")
    upstream.will(Reply.hang(), Reply.hang())
    for call in (lambda: gateway.get("/rooms/1"), lambda: gateway.post("/rooms", body=b'{"name":"a"}')):
        began = time.monotonic()
        error_of(call(), 504)
        assert 0.9 < time.monotonic() - began < TIMEOUT / 2
    assert len(upstream.requests) == 2, "a request that the upstream may have handled is not sent again"
    alive(gateway, upstream)


def test_an_answer_that_drips_is_504_in_time(start, upstream):
    gateway = start(timeout="1s")
    reply = Reply(ROOM)
    reply.drip = (1, 0.05)
    upstream.will(reply)
    began = time.monotonic()
    error_of(gateway.get("/rooms/1"), 504)
    assert time.monotonic() - began < TIMEOUT / 2
    alive(gateway, upstream)


# --- unusable answers ---


@pytest.mark.parametrize("reply", [
    Reply.short(),
    Reply.short(announced=10**15),
    Reply.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"),
    Reply.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    Reply.raw(b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n"),
    Reply.garbage(),
    Reply.garbage(b"{}\n"),
    Reply.huge(3_000_000),
    Reply.huge(3_000_000, chunked=True),
    Reply.raw(b"HTTP/1.1 200 OK\r\n" + b"X-Flood: 0123456789abcdef\r\n" * 20_000 + b"\r\n"),
], ids=["short body", "absurd length", "short chunk", "broken chunk", "unasked encoding", "switching protocols",
        "no status", "odd status", "garbage", "bare JSON", "over the limit", "over the limit in chunks",
        "endless headers"])
def test_an_unusable_answer_is_502(start, upstream, reply):
    gateway = start(answer_max="1m", timeout="5s")
    upstream.will(reply)
    body = error_of(gateway.get("/rooms/1"), 502)
    assert "curl" not in str(body).lower() and str(upstream.port) not in str(body), "the answer reveals internals"
    assert len(upstream.requests) == 1
    alive(gateway, upstream)


@pytest.mark.parametrize("start", ["http1"], indirect=True)
@pytest.mark.parametrize("data", [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    b"HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX-A: b\x00c\r\nContent-Length: 2\r\n\r\n{}",
], ids=["cut head", "endless length", "two lengths", "length and chunks", "bare LF", "folded header", "NUL"])
def test_an_answer_that_lies_about_its_end_is_502(start, upstream, data):
    """The transport of the gateway does not guess the end of an answer; see also tests/unit/http1_examples.c."""
    gateway = start(timeout="20s")
    upstream.will(Reply.raw(data))
    error_of(gateway.get("/rooms/1"), 502)
    assert len(upstream.requests) == 1
    alive(gateway, upstream)


def test_a_switch_of_protocols_is_502_at_once(start, upstream):
    gateway = start(timeout="20s")
    upstream.will(Reply.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
                            then=None))
    began = time.monotonic()
    error_of(gateway.get("/rooms/1"), 502)
    assert time.monotonic() - began < TIMEOUT


def test_a_connection_rests_no_longer_than_its_server_says(start, upstream):
    """Otherwise the gateway would send a POST while the server closes the connection."""
    gateway = start()
    upstream.default = Reply(ROOM, headers=[("Keep-Alive", "timeout=0")])
    for n in range(3):
        assert gateway.get(f"/rooms/{n}").status == 200
    assert len({request.connection for request in upstream.requests}) == (3 if start.transport == "http1" else 1)


def test_a_large_answer_within_the_limit_passes(start, upstream):
    gateway = start(answer_max="4m")
    upstream.will(Reply.huge(3_000_000), Reply.huge(3_000_000, chunked=True))
    for _ in range(2):
        answer = gateway.get("/rooms/1")
        assert (answer.status, len(answer.body)) == (200, 3_000_000)


@pytest.mark.parametrize("reply", [Reply.deep(100_000), Reply(b"{broken"), Reply(b"\xff\xfe\x00")],
                         ids=["deep", "broken", "binary"])
def test_json_that_nothing_has_to_read_passes_unread(gateway, upstream, reply):
    upstream.will(reply)
    answer = gateway.get("/rooms/1")
    assert answer.status == 200
    assert answer.body == reply.bytes.partition(b"\r\n\r\n")[2]
    alive(gateway, upstream)


def test_control_characters_in_headers_do_not_split_the_answer(gateway, upstream):
    upstream.will(Reply.raw(b"HTTP/1.1 429 No\r\nRetry-After: 1\rSet-Cookie: evil=1\r\nX-RateLimit-A: a\x00b\r\n"
                            b"X-RateLimit-B: good\r\nContent-Type: text/html\x01\r\nContent-Length: 2\r\n\r\n{}"))
    answer = gateway.get("/rooms/1")
    assert answer.status in (429, 502)
    assert answer.header("Set-Cookie") is None
    assert "evil" not in str(answer.headers)
    alive(gateway, upstream)


def test_bytes_after_an_answer_never_answer_another_caller(gateway, upstream):
    good = Reply(ROOM).bytes
    evil = Reply({"evil": True}).bytes
    upstream.will(Reply.raw(good + evil, then=None))
    assert json.loads(gateway.get("/rooms/1").body) == ROOM
    upstream.default = Reply(ROOM)
    for n in range(5):
        assert json.loads(gateway.get(f"/rooms/{n}").body) == ROOM
    late = Reply.raw(good + evil, then=None)
    late.drip = (len(good), 0.02)
    upstream.will(late)
    assert json.loads(gateway.get("/rooms/1").body) == ROOM
    upstream.wait(lambda up: up.requests[-1].answered)
    for n in range(5):
        assert json.loads(gateway.get(f"/rooms/{n}").body) == ROOM
