"""Idempotency-Key: requests in progress, and those that were not carried out or may have been."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import threading

import pytest

from support.clocks import faketime, wrong_by
from support.idempotency import (  # noqa: F401 (fixtures)
    CREATED, ROOM, keyed, make, new_key, replayed, sent, store, upstream)
from support.promtext import parse
from support.stores import control
from support.until import until
from support.upstream import TIMEOUT, Reply


class Running:
    """A request that waits for its answer on a thread."""

    def __init__(self, gateway, key, path="/rooms", body=None):
        self.answer = None

        def run():
            try:
                self.answer = gateway.post(path, ROOM if body is None else body, **keyed(key))
            except (OSError, http.client.HTTPException):
                pass  # its gateway was killed

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def end(self):
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive()
        return self.answer


def held(upstream, gateway, key):
    """Sends a first request that has reached the upstream, which answers when the returned event is set."""
    go = threading.Event()
    upstream.on("POST", "/v2/rooms", Reply.held(go, CREATED))
    running = Running(gateway, key)
    upstream.wait(lambda it: sent(it) == 1)
    return running, go


# --- while the first request is served ---


def test_a_request_in_progress_is_not_repeated(make, upstream):
    one, two = make(), make()
    key = new_key()
    running, go = held(upstream, one, key)
    for gateway in (one, two):
        answer = gateway.post("/rooms", ROOM, **keyed(key))
        assert answer.status == 409 and int(answer.header("Retry-After")) >= 1, answer
    assert two.post("/rooms", {"name": "other"}, **keyed(key)).status == 422
    go.set()
    assert running.end().json == CREATED
    again = two.post("/rooms", ROOM, **keyed(key))
    assert replayed(again) and again.json == CREATED
    assert sent(upstream) == 1


def test_of_many_at_once_one_is_carried_out(make, upstream):
    gateways, key = [make(), make()], new_key()
    go = threading.Event()
    upstream.on("POST", "/v2/rooms", Reply.held(go, CREATED))
    running = [Running(gateways[i % 2], key) for i in range(12)]
    upstream.wait(lambda it: sent(it) == 1)
    until(lambda: sum(not one.thread.is_alive() for one in running) == 11)
    go.set()
    answers = [one.end() for one in running]
    assert sorted(answer.status for answer in answers) == [200] + [409] * 11
    assert sent(upstream) == 1


def leave(gateway, upstream, request):
    """Sends a request, resets the connection when the upstream has got it, and returns what the upstream got."""
    seen = len(upstream.requests)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT) as client:
        client.sendall(request)
        upstream.wait_requests(seen + 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return upstream.requests[seen]


def creation(head=b""):
    body = json.dumps(ROOM).encode()
    return (b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body))


def test_a_client_that_comes_back_gets_the_answer(make, upstream):
    gateway, key = make(), new_key()
    go = threading.Event()
    upstream.on("POST", "/v2/rooms", Reply.held(go, CREATED))
    upstream.on("GET", "/v2/rooms/1", Reply.held(go, CREATED))
    with_key = leave(gateway, upstream, creation(b'Idempotency-Key: "%s"\r\n' % key.encode()))
    without = leave(gateway, upstream, creation())
    # A read that others may share checks at intervals whether its client is still there. The call with the key must not.
    read = leave(gateway, upstream, b"GET /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    upstream.wait(lambda it: without.abandoned and read.abandoned)
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == 409
    go.set()
    again = until(lambda: (lambda it: it if it.status != 409 else None)(gateway.post("/rooms", ROOM, **keyed(key))))
    assert replayed(again) and again.json == CREATED
    assert sent(upstream) == 2 and with_key.abandoned is None


# --- when it was not carried out, or may have been ---


def test_a_request_that_reached_no_upstream_can_be_repeated(make, upstream):
    gateway, key = make(), new_key()
    gateway.post("/rooms", ROOM)  # has the token
    upstream.down()
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == 502
    upstream.up()
    answer = gateway.post("/rooms", ROOM, **keyed(key))
    assert answer.status == 200 and not replayed(answer)


@pytest.mark.parametrize("status", [401, 429, 503])
def test_an_upstream_that_says_it_did_nothing_can_be_asked_again(make, upstream, status):
    gateway, key = make(), new_key()
    upstream.on("POST", "/v2/rooms", Reply({"code": status, "message": "later"}, status, [("Retry-After", "1")]))
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == status
    upstream.on("POST", "/v2/rooms", Reply(CREATED))
    answer = gateway.post("/rooms", ROOM, **keyed(key))
    assert answer.status == 200 and not replayed(answer)


@pytest.mark.parametrize("reply, status", [(Reply.reset(), 502), (Reply.short(), 502), (Reply.garbage(), 502)])
def test_an_upstream_that_may_have_acted_is_not_asked_again(make, upstream, reply, status):
    gateway, key = make(), new_key()
    upstream.on("POST", "/v2/rooms", reply)
    first = gateway.post("/rooms", ROOM, **keyed(key))
    upstream.on("POST", "/v2/rooms", Reply(CREATED))
    again = gateway.post("/rooms", ROOM, **keyed(key))
    assert first.status == again.status == status and replayed(again)
    assert sent(upstream) == 1


def test_a_late_upstream_is_not_asked_again(make, upstream):
    api = {"url": upstream.url + "/v2", "credential": "100ms", "timeout": "1s"}
    gateway, key = make(upstreams={"api": api, "auth": {"url": upstream.url}}), new_key()
    upstream.on("POST", "/v2/rooms", Reply.hang())
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == 504
    again = gateway.post("/rooms", ROOM, **keyed(key))
    assert again.status == 504 and replayed(again) and sent(upstream) == 1


def test_after_the_death_of_a_gateway_the_outcome_is_unknown(make, upstream):
    one, two = make(), make()
    key = new_key()
    running, go = held(upstream, one, key)
    one.process.send_signal(signal.SIGKILL)
    one.process.wait(TIMEOUT)
    one.process = None
    assert running.end() is None
    assert two.post("/rooms", ROOM, **keyed(key)).status == 409
    unknown = until(lambda: (lambda it: it if it.status != 409 else None)(two.post("/rooms", ROOM, **keyed(key))))
    assert unknown.status == 504 and "outcome is not known" in unknown.json["message"], unknown
    assert not replayed(unknown)
    go.set()
    assert two.post("/rooms", ROOM, **keyed(key)).status == 504
    assert two.post("/rooms", {"name": "other"}, **keyed(key)).status == 422
    assert sent(upstream) == 1
    two.wait_log("a gateway ended while it served requests with an Idempotency-Key")


def test_a_gateway_that_was_stopped_for_a_while_ends_its_request(make, upstream):
    one, two = make(), make()
    key = new_key()
    running, go = held(upstream, one, key)
    one.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: two.post("/rooms", ROOM, **keyed(key)).status == 504)
    finally:
        one.process.send_signal(signal.SIGCONT)
    go.set()
    assert running.end().json == CREATED
    again = two.post("/rooms", ROOM, **keyed(key))
    assert replayed(again) and again.json == CREATED and sent(upstream) == 1


def test_a_gateway_that_gives_its_last_requests_up_says_so(make, upstream):
    one = make(server={"drain_timeout": "100ms"})
    two = make()
    key = new_key()
    running, _ = held(upstream, one, key)
    one.stop()
    told = running.end()
    assert told is None or told.status == 503  # the gateway ends soon after, so its answer may be lost
    answer = two.post("/rooms", ROOM, **keyed(key))
    assert answer.status == 504 and sent(upstream) == 1


# --- reload, faults of the store ---


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="a file has the clock of its machine")
@pytest.mark.skipif(not faketime(), reason="libfaketime is not installed, or cannot be used with a sanitizer")
def test_a_clock_that_is_hours_wrong_ends_no_record(make, upstream):
    """It ends neither the records of other gateways nor its own before their time."""
    right, early, late = make(), make(env=wrong_by(-7200)), make(env=wrong_by(7200))
    for first in (right, early, late):
        key = new_key()
        assert not replayed(first.post("/rooms", ROOM, **keyed(key)))
        for second in (right, early, late):
            answer = second.post("/rooms", ROOM, **keyed(key))
            assert answer.status == 200 and replayed(answer)
    assert sent(upstream) == 3


def test_records_outlive_a_reload(make, upstream):
    gateway, key = make(), new_key()
    before = new_key()
    assert gateway.post("/rooms", ROOM, **keyed(before)).status == 200
    upstream.forget()
    running, go = held(upstream, gateway, key)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded:")
    assert replayed(gateway.post("/rooms", ROOM, **keyed(before)))
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == 409
    go.set()
    assert running.end().status == 200
    gateway.wait_log("the old config's last request has ended")
    assert replayed(gateway.post("/rooms", ROOM, **keyed(key))) and sent(upstream) == 1


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="only a server can be away")
def test_without_the_store_the_upstream_is_not_asked(make, upstream):
    gateway, key, open_key = make(), new_key(), new_key()
    running, go = held(upstream, gateway, open_key)
    control("halt")
    try:
        answer = gateway.post("/rooms", ROOM, **keyed(key))
        assert answer.status == 503 and answer.header("Retry-After"), answer
        assert gateway.post("/rooms", ROOM, **keyed(open_key)).status == 503
        go.set()
        assert running.end().json == CREATED  # the caller gets the answer, which is not in the record yet
        assert sent(upstream) == 1
    finally:
        control("resume")
    until(lambda: gateway.post("/rooms", ROOM, **keyed(key)).status == 200)
    again = until(lambda: (lambda it: it if it.status != 409 else None)(gateway.post("/rooms", ROOM, **keyed(open_key))))
    assert again.status == 200 and again.json == CREATED and replayed(again), again
    assert sent(upstream) == 2


def test_what_became_of_requests_is_counted(make, upstream):
    gateway, key = make(), new_key()
    for _ in range(3):
        gateway.post("/rooms", ROOM, **keyed(key))
    gateway.post("/rooms", {"name": "other"}, **keyed(key))
    page = gateway.admin("/metrics").body.decode()
    counts = dict(re.findall(r'greenroom_idempotency_requests_total\{result="(\w+)"\} (\d+)', page))
    assert counts == {"first": "1", "replayed": "2", "reused": "1"}, counts
    parse(page)
