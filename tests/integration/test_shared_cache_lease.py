"""With a shared cache, one gateway of several asks the upstream, and the others wait for its answer."""

import socket

import pytest

from support.shared_cache import ROOM, counted, kept, keys, make, pool, upstream  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply


def test_one_call_for_all_that_ask_at_the_same_time(make, redis, upstream, release, pool):
    gateways = make(3, redis.url, lease="1m")
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for gateway in gateways * 5]
    upstream.wait_requests(1)
    until(lambda: sum(counted(gateway, "shared_waits") for gateway in gateways) == 2)
    release.set()
    answers = [client.result() for client in clients]
    assert {answer.status for answer in answers} == {200} and all(answer.json == ROOM for answer in answers)
    assert upstream.lines == ["GET /rooms/1"]
    assert not keys(redis, "lease")


def test_a_gateway_that_is_killed_costs_its_lease_at_most(make, redis, upstream, release, pool):
    dead, other = make(2, redis.url, lease="2s")
    upstream.will(Reply.hang())
    lost = pool.submit(dead.get, "/rooms/1")
    upstream.wait_requests(1)
    client = pool.submit(other.get, "/rooms/1")
    until(lambda: counted(other, "shared_waits") == 1)
    dead.process.kill()
    dead.process.wait(TIMEOUT)
    dead.process = None
    assert client.result(TIMEOUT).json == ROOM
    assert len(upstream.requests) == 2
    assert lost.exception(TIMEOUT) is not None
    kept(redis)


def test_an_upstream_that_is_slower_than_the_lease_is_asked_by_each(make, redis, upstream, release, pool):
    gateways = make(3, redis.url, lease="50ms")
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for gateway in gateways * 4]
    upstream.wait_requests(3)
    release.set()
    assert {client.result().status for client in clients} == {200}
    assert len(upstream.requests) == 3


def test_the_wait_leaves_half_of_the_time_for_a_call(make, redis, upstream, release, pool):
    seconds = 2 * FACTOR
    routes = {"rooms.get": {"cache": "1h", "timeout": f"{int(seconds * 1000)}ms"}}
    one, other = make(2, redis.url, routes, lease="1m")
    upstream.will(Reply.held(release, ROOM))
    first = pool.submit(one.get, "/rooms/1")
    upstream.wait_requests(1)
    assert other.get("/rooms/1").json == ROOM
    release.set()
    first.result()


@pytest.mark.parametrize("reply", [Reply({"code": 404}, 404), Reply(ROOM, headers=[("Cache-Control", "no-store")])],
                         ids=["404", "no-store"])
def test_an_answer_that_is_of_no_use_to_others_does_not_make_them_wait(make, redis, upstream, reply):
    gateways = make(3, redis.url, lease="1m")
    upstream.default = reply
    for gateway in gateways:
        assert gateway.get("/rooms/1").status in (200, 404)
    assert len(upstream.requests) == 3
    assert sum(counted(gateway, "shared_waits") for gateway in gateways[1:]) <= 1, "at most one gateway comes before the mark is there"


def test_a_client_that_leaves_ends_the_lease(make, redis, upstream, release, pool):
    one, other = make(2, redis.url, lease="1m")
    upstream.will(Reply.hang())
    with socket.create_connection(("127.0.0.1", one.port)) as client:
        client.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        upstream.wait_requests(1)
        waiting = pool.submit(other.get, "/rooms/1")
        until(lambda: counted(other, "shared_waits") == 1)
    assert waiting.result(TIMEOUT).json == ROOM


def test_a_gateway_that_is_late_ends_no_lease_of_another(make, redis, upstream, release, pool):
    one, = make(1, redis.url, lease="1m")
    upstream.will(Reply.held(release, {"code": 404}, status=404))
    client = pool.submit(one.get, "/rooms/1")
    upstream.wait_requests(1)
    lease, = keys(redis, "lease")
    other = redis.command("GET", lease).split()[0] + " another-gateway"
    redis.command("SET", lease, other, "PX", 60000)
    release.set()
    assert client.result().status == 404
    one.get("/rooms/2")  # what it has said before has reached the server then
    assert redis.command("GET", lease) == other


def test_without_single_flight_answers_are_shared_and_calls_are_not(make, redis, upstream, release, pool):
    gateways = make(2, redis.url, api={"single_flight": False}, lease="1m")
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for gateway in gateways]
    upstream.wait_requests(2)
    release.set()
    assert {client.result().status for client in clients} == {200}
    kept(redis)
