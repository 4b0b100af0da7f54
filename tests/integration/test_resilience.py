"""Slow, failing and unreachable upstreams: retries, limits of calls, the circuit breaker, timeouts."""

import socket

import pytest

from support.forwarding import LIMITS, ROOM, metrics, pool, start, upstream, wait_waiting  # noqa: F401 (fixtures)
from support.until import until
from support.upstream import TIMEOUT, Reply


def wait_served(gateway, count):
    """Waits until so many requests are in handlers."""
    until(lambda: metrics(gateway)["greenroom_group_requests_in_flight"] == count)


# --- retries ---


def test_retries_have_a_budget(start, upstream):
    gateway = start(retries=2, retry_percent=0, breaker={"enabled": False})
    upstream.default = Reply.close()
    for n in range(15):
        assert gateway.get(f"/rooms/{n}").status == 502
    assert len(upstream.requests) == 15 + 10  # ten within ten seconds are always allowed
    now = metrics(gateway)
    assert now["greenroom_upstream_retries_total", "upstream", "api"] == 10
    assert now["greenroom_upstream_retries_denied_total", "upstream", "api"] >= 10


@pytest.mark.parametrize("status", [429, 503])
def test_a_short_wait_that_an_upstream_asks_for_is_waited(start, upstream, status):
    gateway = start()
    upstream.will(Reply({"code": status}, status, headers=[("Retry-After", "1")]), Reply(ROOM))
    assert gateway.get("/rooms/1").json == ROOM
    first, second = upstream.requests
    assert second.time - first.time >= 0.99


def test_a_long_wait_is_the_callers(start, upstream):
    gateway = start()
    upstream.will(Reply({"code": 503}, 503, headers=[("Retry-After", "3")]))
    answer = gateway.get("/rooms/1")
    assert (answer.status, answer.header("Retry-After")) == (503, "3")
    assert len(upstream.requests) == 1


def test_a_wait_without_a_time_is_the_callers(start, upstream):
    gateway = start()
    upstream.will(Reply({"code": 503}, 503), Reply({"code": 503}, 503, headers=[
        ("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")]))
    assert [gateway.get("/rooms/1").status for _ in range(2)] == [503, 503]
    assert len(upstream.requests) == 2


def test_a_post_is_not_repeated_after_a_503(start, upstream):
    gateway = start()
    upstream.will(Reply({"code": 503}, 503, headers=[("Retry-After", "0")]))
    assert gateway.post("/rooms", {"name": "a"}).status == 503
    assert len(upstream.requests) == 1


# --- other callers during slow calls ---


def test_more_clients_than_workers_wait_for_a_slow_upstream(start, upstream, release):
    """With default settings none is refused, because a request that waits holds no worker."""
    gateway = start()
    upstream.default = Reply.held(release, ROOM)
    clients = [socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) for _ in range(400)]
    for number, client in enumerate(clients):
        client.sendall(b"GET /rooms/%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    upstream.wait_requests(len(clients))
    assert gateway.get("/healthz").status == 200
    release.set()
    for client in clients:
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        client.close()


def test_a_slow_upstream_cannot_take_all_workers(start, upstream, release, pool):
    gateway = start(plugins={"rooms": {"calls_max": 8}}, server={"requests_max": 8})
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(6)]
    wait_waiting(gateway, 6)
    answer = gateway.get("/rooms/7")
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    assert gateway.get("/healthz").status == 200
    assert len(upstream.wait_requests(6)) == 6
    release.set()
    assert {client.result().status for client in clients} == {200}
    assert gateway.get("/rooms/7").status == 200


def test_those_who_wait_for_anothers_answer_take_room_as_well(start, upstream, release, pool):
    gateway = start(plugins={"rooms": {"calls_max": 8}}, server={"requests_max": 8}, requests_max=2)
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for _ in range(2)]
    wait_waiting(gateway, 2)
    assert gateway.get("/rooms/1").status == 503
    release.set()
    assert {client.result().status for client in clients} == {200}


def test_a_group_cannot_take_all_workers(start, upstream, release, pool):
    gateway = start(plugins={"rooms": {"calls_max": 2}, "polls": {}})
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(2)]
    wait_served(gateway, 2)
    answer = gateway.get("/rooms/3")
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    other = pool.submit(gateway.get, "/polls/1")
    upstream.wait_requests(3)
    assert metrics(gateway)["greenroom_rejected_total", "reason", "group"] == 1
    release.set()
    assert {client.result().status for client in [*clients, other]} == {200}
    assert gateway.get("/rooms/3").status == 200


def test_a_groups_default_share_leaves_workers(start, upstream, release, pool):
    gateway = start(server={"requests_max": 8}, requests_max=100)
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, f"/rooms/{n}") for n in range(6)]
    wait_served(gateway, 6)
    assert gateway.get("/rooms/7").status == 503
    assert gateway.get("/healthz").status == 200
    release.set()
    assert {client.result().status for client in clients} == {200}


# --- an unreachable upstream ---


QUICK = {"min_calls": 5, "open": "300ms"}


def test_a_dead_upstream_is_answered_for_without_a_call(start, upstream, pool):
    gateway = start(breaker={"min_calls": 5, "open": "10m"})
    upstream.default = Reply(ROOM)
    assert gateway.get("/rooms/0").status == 200
    upstream.down()
    until(lambda: gateway.get("/rooms/1").status == 503)
    before = metrics(gateway)
    assert before["greenroom_upstream_breaker_state", "upstream", "api"] == 1
    assert before["greenroom_upstream_breaker_opened_total", "upstream", "api"] == 1
    upstream.up()
    answers = list(pool.map(lambda number: gateway.get(f"/rooms/{number}"), range(200)))
    assert {answer.status for answer in answers} == {503}
    now = metrics(gateway)
    refused = "greenroom_upstream_refused_total", "upstream", "api"
    assert now[refused] - before[refused] == 200
    assert now["greenroom_upstream_requests_waiting", "upstream", "api"] == 0
    assert len(upstream.requests) == 1, "it is not called, although it could answer again"


def test_a_dead_upstream_that_comes_back_is_taken_up_again(start, upstream):
    gateway = start(breaker=QUICK)
    upstream.default = Reply(ROOM)
    upstream.down()
    until(lambda: gateway.get("/rooms/1").status == 503)
    upstream.up()
    until(lambda: gateway.get("/rooms/1").status == 200)
    assert metrics(gateway)["greenroom_upstream_breaker_state", "upstream", "api"] == 0


def test_an_upstream_that_hangs_gets_few_probes_and_comes_back(start, upstream):
    gateway = start(breaker=QUICK, timeout="200ms", retries=0)
    upstream.default = Reply.hang()
    until(lambda: gateway.get("/rooms/1").status == 503)
    before = len(upstream.requests)
    refused = [gateway.get("/rooms/1").status for _ in range(50)].count(503)
    assert refused >= 25 and len(upstream.requests) - before <= 50 - refused
    upstream.default = Reply(ROOM)
    until(lambda: gateway.get("/rooms/1").status == 200, limit=TIMEOUT / 2)


def test_answers_of_4xx_do_not_open_it(start, upstream):
    gateway = start(breaker={"min_calls": 1, "error_percent": 1})
    upstream.default = Reply({"code": 404}, 404)
    assert [gateway.get(f"/rooms/{n}").status for n in range(10)] == [404] * 10
    upstream.default = Reply.too_many()
    assert [gateway.get(f"/rooms/{n}").status for n in range(10)] == [429] * 10
    assert metrics(gateway)["greenroom_upstream_breaker_state", "upstream", "api"] == 0


def readiness(gateway):
    answer = gateway.admin("/readyz")
    return answer.status, {(check["kind"], check["name"]): check for check in answer.json["checks"]}


def test_readyz_names_the_trouble_and_finds_out_by_itself_that_it_is_over(start, upstream):
    gateway = start(breaker=QUICK, retries=0)
    status, checks = readiness(gateway)
    assert status == 200 and checks["upstream", "api"]["status"] == "ok"
    upstream.down()
    until(lambda: gateway.get("/rooms/1").status == 503)
    status, checks = readiness(gateway)
    assert status == 503
    assert checks["upstream", "api"]["status"] == "failing" and checks["upstream", "api"]["reason"]
    assert checks["upstream", "auth"]["status"] == "ok"
    assert gateway.get("/healthz").status == 200
    upstream.forget()
    upstream.default = Reply({"code": 404}, 404)
    upstream.up()
    until(lambda: readiness(gateway)[0] == 200)
    assert {request.line for request in upstream.requests} == {"GET /v2/"}
    assert upstream.requests[0].token is None
    assert metrics(gateway)["greenroom_upstream_breaker_state", "upstream", "api"] == 0


def test_a_healthy_upstream_is_not_asked_by_readyz(start, upstream):
    gateway = start()
    assert gateway.get("/rooms/1").status == 200
    for _ in range(3):
        assert readiness(gateway)[0] == 200
    assert len(upstream.requests) == 1


# --- time ---


def test_a_routes_time_counts_for_a_relayed_call(start, upstream):
    """room_codes.token is a handler, not a row: the time-outs in the config apply to it too."""
    routes = {"room_codes.token": {"timeout": "1s"}}
    gateway = start(plugins={"room_codes": {"routes": routes}}, timeout="60s")
    upstream.default = Reply.hang()
    assert gateway.post("/room-codes/code/a-b-c", {}).status == 504
    upstream.wait(lambda up: up.requests and up.requests[0].abandoned)


def test_a_routes_longer_time_counts_for_a_relayed_call(start, upstream):
    routes = {"room_codes.token": {"timeout": "60s"}}
    gateway = start(plugins={"room_codes": {"routes": routes}}, timeout="100ms")
    upstream.default = Reply({"token": "t"}, delay=0.5, headers=[*LIMITS, ("Set-Cookie", "a=b")])
    answer = gateway.post("/room-codes/code/a-b-c", {})
    assert (answer.status, answer.json) == (200, {"token": "t"})
    assert answer.header("X-RateLimit-Remaining") == "9" and answer.header("Set-Cookie") is None


def test_retries_end_with_the_time_of_the_route(start, upstream):
    gateway = start(plugins={"rooms": {"routes": {"rooms.get": {"timeout": "2s"}}}}, timeout="60s", retries=10)
    upstream.default = Reply({"code": 503}, 503, headers=[("Retry-After", "3")])
    assert gateway.get("/rooms/1").status == 503
    assert len(upstream.requests) == 1
