"""Identical requests at the same time become one call of the upstream."""

import socket

from support.forwarding import (  # noqa: F401 (fixtures)
    LIMITS, ROOM, access_lines, metrics, pool, start, upstream, wait_waiting)
from support.until import until
from support.upstream import TIMEOUT, Reply


def test_identical_gets_make_one_call(start, upstream, release, pool):
    gateway = start()
    upstream.default = Reply.held(release, ROOM, headers=LIMITS)
    clients = [pool.submit(gateway.get, "/rooms/1") for _ in range(20)]
    wait_waiting(gateway, 20)
    release.set()
    for client in clients:
        answer = client.result()
        assert (answer.status, answer.json) == (200, ROOM)
        assert answer.header("X-RateLimit-Remaining") == "9"
    assert len(upstream.requests) == 1
    assert metrics(gateway)["greenroom_upstream_single_flight_total", "upstream", "api"] == 19
    gateway.stop()
    sources = [line["answer_from"] for line in access_lines(gateway) if line["route"] == "rooms.get"]
    assert sorted(sources) == [""] + ["other_call"] * 19


def test_ids_of_those_who_shared_stay_their_own(start, upstream, release, pool):
    gateway = start()
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1", headers={"X-Request-Id": f"id-{n}"}) for n in range(5)]
    wait_waiting(gateway, 5)
    release.set()
    assert sorted(client.result().header("X-Request-Id") for client in clients) == [f"id-{n}" for n in range(5)]


def test_other_questions_make_calls_of_their_own(start, upstream, release, pool):
    gateway = start()
    upstream.default = Reply.held(release, ROOM)
    targets = ["/rooms/1", "/rooms/2", "/rooms?limit=10", "/rooms?limit=11", "/rooms"]
    clients = [pool.submit(gateway.get, target) for target in targets]
    upstream.wait_requests(len(targets))
    release.set()
    assert {client.result().status for client in clients} == {200}
    assert sorted(upstream.lines) == sorted(f"GET /v2{target}" for target in targets)


def test_posts_are_never_shared(start, upstream, release, pool):
    gateway = start()
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.post, "/rooms", {"name": "a"}) for _ in range(4)]
    upstream.wait_requests(4)
    release.set()
    assert {client.result().status for client in clients} == {200}


def test_who_wrote_reads_what_was_written(start, upstream, release, pool):
    gateway = start()
    upstream.will(Reply.held(release, {"name": "old"}))
    before = pool.submit(gateway.get, "/rooms/1")
    upstream.wait_requests(1)
    assert gateway.post("/rooms/1", {"name": "new"}).status == 200
    upstream.will(Reply({"name": "new"}))
    assert gateway.get("/rooms/1").json == {"name": "new"}
    release.set()
    assert before.result().json == {"name": "old"}


def test_a_failure_is_shared_and_made_once(start, upstream, release, pool):
    gateway = start(retries=0)
    reply = Reply.close()
    reply.until = release
    upstream.default = reply
    clients = [pool.submit(gateway.get, "/rooms/1") for _ in range(10)]
    wait_waiting(gateway, 10)
    release.set()
    assert [client.result().status for client in clients] == [502] * 10
    assert len(upstream.requests) == 1


def test_a_leader_that_leaves_does_not_take_the_others_along(start, upstream, release, pool):
    gateway = start()
    upstream.default = Reply.held(release, ROOM)
    upstream.default.drip = (2, 0.02)  # longer than the gateway needs to notice that a client has left
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as leader:
        leader.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        upstream.wait_requests(1)
        other = pool.submit(gateway.get, "/rooms/1")
        wait_waiting(gateway, 2)
    late = pool.submit(gateway.get, "/rooms/1")
    wait_waiting(gateway, 3)
    release.set()
    assert other.result().json == ROOM and late.result().json == ROOM
    assert len(upstream.requests) == 1 and upstream.requests[0].abandoned is None


def test_when_all_have_left_the_call_is_given_up(start, upstream):
    gateway = start()
    upstream.default = Reply.hang()
    clients = [socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) for _ in range(3)]
    for client in clients:
        client.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_waiting(gateway, 3)
    for client in clients:
        client.close()
    upstream.wait(lambda up: all(request.abandoned for request in up.requests))
    wait_waiting(gateway, 0)
    until(lambda: metrics(gateway)["greenroom_upstream_cancelled_total", "upstream", "api"] == 3, "all three are counted")


def test_single_flight_can_be_switched_off(start, upstream, release, pool):
    gateway = start(single_flight=False)
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for _ in range(4)]
    upstream.wait_requests(4)
    release.set()
    assert {client.result().status for client in clients} == {200}
