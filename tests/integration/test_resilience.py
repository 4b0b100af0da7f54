"""Slow, failing and unreachable upstreams, and many callers with the same request."""

import concurrent.futures
import contextlib
import json
import socket
import subprocess
import time

import pytest

from support import promtext
from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True}
LIMITS = [("X-RateLimit-Remaining", "9")]


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream):
    """Starts a gateway; keywords are settings of the upstream "api", and plugins, server, cache."""
    with contextlib.ExitStack() as stack:
        def starter(plugins=None, server=None, auth=None, cache=None, **settings):
            config = {
                "auth": auth or {},
                "state_directory": str(tmp_path / "state"),
                "server": server or {},
                "cache": cache or {},
                "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
                "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms", **settings},
                              "auth": {"url": upstream.url + "/auth", **settings}},
            }
            return stack.enter_context(Gateway(tmp_path, config, plugins=plugins or {"rooms": {}}))

        yield starter


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(64) as executor:
        yield executor


def metrics(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())


def wait_waiting(gateway, count):
    """Until so many workers wait for the upstream."""
    until(lambda: metrics(gateway)["greenroom_upstream_requests_waiting", "upstream", "api"] == count)


def wait_served(gateway, count):
    """Until so many requests are in handlers."""
    until(lambda: metrics(gateway)["greenroom_group_requests_in_flight"] == count)


def new_key(gateway, name):
    """The headers of a separate caller."""
    words = [BINARY, "-c", str(gateway.directory), "keys", "add", name, "--scope", "rooms:*"]
    key = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT * 2, check=True).stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    until(lambda: gateway.post("/rooms", {"name": "a"}, headers=headers).status == 200)
    return headers


def access_lines(gateway):
    lines = [json.loads(line) for line in gateway.log.splitlines()]
    return [line for line in lines if line["message"] == "request"]


# --- single-flight ---


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
    upstream.default.drip = (2, 0.02)  # longer than noticing takes
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
    assert metrics(gateway)["greenroom_upstream_cancelled_total", "upstream", "api"] == 3


def test_single_flight_can_be_switched_off(start, upstream, release, pool):
    gateway = start(single_flight=False)
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for _ in range(4)]
    upstream.wait_requests(4)
    release.set()
    assert {client.result().status for client in clients} == {200}


# --- cache ---

CACHED = {"rooms": {"routes": {"rooms.get": {"cache": "1h"}, "rooms.list": {"cache": "1h"}}}}


def test_an_answer_is_kept_where_the_operator_wants_it(start, upstream):
    gateway = start(plugins=CACHED)
    upstream.default = Reply(ROOM, headers=LIMITS)
    first = gateway.get("/rooms/1")
    second = gateway.get("/rooms/1")
    assert (second.status, second.body) == (first.status, first.body)
    assert first.header("Age") is None and int(second.header("Age")) >= 0
    # the rate is different each time
    assert first.header("X-RateLimit-Remaining") == "9" and second.header("X-RateLimit-Remaining") is None
    assert second.header("Content-Type") == first.header("Content-Type")
    assert upstream.lines == ["GET /v2/rooms/1"]
    assert gateway.get("/rooms/2").header("Age") is None
    now = metrics(gateway)
    assert now["greenroom_upstream_cache_hits_total", "upstream", "api"] == 1
    assert now["greenroom_upstream_cache_misses_total", "upstream", "api"] == 2
    assert now["greenroom_cache_bytes"] > 0


def test_queries_are_kept_apart(start, upstream):
    gateway = start(plugins=CACHED)
    for target in ("/rooms", "/rooms?limit=10", "/rooms?limit=11", "/rooms?limit=10"):
        assert gateway.get(target).status == 200
    assert upstream.lines == ["GET /v2/rooms", "GET /v2/rooms?limit=10", "GET /v2/rooms?limit=11"]


def test_nothing_is_kept_unless_asked_for(start, upstream):
    gateway = start()
    for _ in range(3):
        assert gateway.get("/rooms/1").header("Age") is None
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("reply", [
    Reply(ROOM, headers=[("Cache-Control", "no-store")]),
    Reply(ROOM, headers=[("Cache-Control", "max-age=60, private")]),
    Reply(ROOM, headers=[("Cache-Control", "max-age=0")]),
    Reply(ROOM, headers=[("Set-Cookie", "a=b")]),
    Reply(ROOM, headers=[("Vary", "*")]),
    Reply(ROOM, headers=[("Cache-Control", "no-store\x00")]),
    Reply({"code": 404}, 404),
    Reply(ROOM, 201),
    Reply("<p>", content_type="text/html"),
], ids=["no-store", "private", "max-age", "cookie", "vary", "unreadable", "404", "201", "html"])
def test_what_must_not_be_kept_is_not(start, upstream, reply):
    gateway = start(plugins=CACHED)
    upstream.default = reply
    for _ in range(2):
        gateway.get("/rooms/1")
    assert len(upstream.requests) == 2


def test_a_kept_answer_gets_old(start, upstream):
    gateway = start(plugins={"rooms": {"routes": {"rooms.get": {"cache": "200ms"}}}})
    gateway.get("/rooms/1")
    until(lambda: gateway.get("/rooms/1").header("Age") is None)
    assert len(upstream.requests) >= 2


def test_a_write_drops_what_is_kept(start, upstream):
    gateway = start(plugins=CACHED)
    for target in ("/rooms/1", "/rooms"):
        gateway.get(target)
    gateway.post("/rooms/1", {"name": "new"})
    for target in ("/rooms/1", "/rooms"):
        assert gateway.get(target).header("Age") is None
    assert len(upstream.requests) == 5


def test_a_cache_of_no_size_keeps_nothing(start, upstream):
    gateway = start(plugins=CACHED, cache={"max": 0})
    for _ in range(2):
        assert gateway.get("/rooms/1").status == 200
    assert len(upstream.requests) == 2


def test_a_kept_answer_serves_while_the_upstream_is_gone(start, upstream):
    gateway = start(plugins=CACHED)
    upstream.default = Reply(ROOM)
    gateway.get("/rooms/1")
    upstream.down()
    assert gateway.get("/rooms/1").json == ROOM
    assert gateway.get("/rooms/2").status == 502


def test_callers_never_see_what_was_made_for_another(start, upstream, release, pool):
    gateway = start(plugins=CACHED, auth={"keys": {}})
    ada, bob = new_key(gateway, "ada"), new_key(gateway, "bob")
    upstream.forget()
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1", headers=caller) for caller in (ada, ada, bob)]
    wait_waiting(gateway, 3)
    assert len(upstream.wait_requests(2)) == 2
    release.set()
    assert {client.result().status for client in clients} == {200}
    upstream.forget()
    assert gateway.get("/rooms/2", headers=ada).header("Age") is None
    assert gateway.get("/rooms/2", headers=bob).header("Age") is None
    assert gateway.get("/rooms/2", headers=ada).header("Age") is not None
    assert gateway.get("/rooms/2").status == 401
    assert len(upstream.requests) == 2


# --- answers after their time ---


def late(start, **times):
    """A gateway that holds an answer of /rooms/1 whose time has passed."""
    gateway = start(plugins={"rooms": {"routes": {"rooms.get": {"cache": {"ttl": "50ms", **times}}}}}, retries=0)
    first = gateway.get("/rooms/1")
    assert (first.json, first.header("Cache-Status")) == (ROOM, "greenroom; fwd=miss; stored")
    hit = gateway.get("/rooms/1")
    assert hit.header("Cache-Status").startswith("greenroom; ")
    time.sleep(0.06)  # the time that the test is about
    return gateway


def test_a_late_answer_is_better_than_an_error(start, upstream):
    upstream.default = Reply(ROOM)
    gateway = late(start, stale_if_error="1h")
    for trouble in (Reply.close(), Reply({"code": 500}, 500, headers=[("Retry-After", "9")]), Reply({}, 503)):
        upstream.default = trouble
        answer = gateway.get("/rooms/1")
        assert (answer.status, answer.json) == (200, ROOM)
        assert answer.header("Cache-Status").startswith("greenroom; hit; ttl=-")
        assert int(answer.header("Age")) >= 0 and answer.header("Retry-After") is None
    assert gateway.get("/rooms/2").status == 503
    upstream.down()
    assert gateway.get("/rooms/1").json == ROOM
    upstream.up()
    upstream.default = Reply({"code": 404}, 404)
    answer = gateway.get("/rooms/1")
    assert (answer.status, answer.header("Cache-Status")) == (404, "greenroom; fwd=stale")
    upstream.default = Reply({**ROOM, "name": "new"})
    assert gateway.get("/rooms/1").json["name"] == "new"
    assert metrics(gateway)["greenroom_upstream_cache_stale_total", "upstream", "api"] == 4


def test_without_the_word_an_error_is_an_error(start, upstream):
    upstream.default = Reply(ROOM)
    gateway = late(start)
    upstream.default = Reply({"code": 500}, 500)
    assert gateway.get("/rooms/1").status == 500


def test_what_the_upstream_wants_checked_is_not_served_late(start, upstream):
    upstream.default = Reply(ROOM, headers=[("Cache-Control", "max-age=60, must-revalidate")])
    gateway = late(start, stale_if_error="1h", stale_while_revalidate="1h")
    upstream.default = Reply({"code": 500}, 500)
    assert gateway.get("/rooms/1").status == 500


def test_one_call_fetches_it_again_while_the_others_are_served(start, upstream, release, pool):
    upstream.default = Reply(ROOM)
    gateway = late(start, stale_while_revalidate="1h")
    upstream.forget()
    upstream.default = Reply.held(release, {**ROOM, "name": "new"})
    first = pool.submit(gateway.get, "/rooms/1")
    upstream.wait_requests(1)
    for _ in range(5):
        answer = gateway.get("/rooms/1")
        assert answer.json == ROOM and answer.header("Cache-Status").startswith("greenroom; hit; ttl=-")
    release.set()
    assert first.result().header("Cache-Status") == "greenroom; fwd=stale; stored"
    assert gateway.get("/rooms/1").json["name"] == "new"
    assert len(upstream.requests) <= 2


@pytest.mark.parametrize(("cache", "message"), [
    ("soon", "cache.ttl: expected"), ({"tll": "2s"}, "did you mean \"ttl\"?"), ({"ttl": "2s", "stale_if_error": -1},
                                                                            "stale_if_error: expected"),
])
def test_times_that_make_no_sense(tmp_path, cache, message):
    gateway = Gateway(tmp_path, {}, {"rooms": {"routes": {"rooms.get": {"cache": cache}}}})
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(gateway.directory), "check"], capture_output=True, text=True)
    assert done.returncode == 3 and message in done.stderr


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
    """On default settings, and none is refused: a request that waits holds no worker."""
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


def test_a_dead_upstream_is_answered_for_at_once_and_taken_up_again(start, upstream, pool):
    gateway = start(breaker=QUICK)
    upstream.default = Reply(ROOM)
    assert gateway.get("/rooms/0").status == 200
    upstream.down()
    until(lambda: gateway.get("/rooms/1").status == 503)

    def timed(n):
        began = time.monotonic()
        status = gateway.get(f"/rooms/{n}").status
        return status, time.monotonic() - began

    answers = list(pool.map(timed, range(200)))
    assert {status for status, _ in answers} <= {502, 503}
    times = sorted(seconds for _, seconds in answers)
    assert times[len(times) // 2] < TIMEOUT / 20, times
    now = metrics(gateway)
    assert now["greenroom_upstream_breaker_state", "upstream", "api"] in (1, 2)
    assert now["greenroom_upstream_breaker_opened_total", "upstream", "api"] >= 1
    assert now["greenroom_upstream_refused_total", "upstream", "api"] >= 100
    assert now["greenroom_upstream_requests_waiting", "upstream", "api"] == 0
    upstream.up()
    until(lambda: gateway.get("/rooms/1").status == 200, limit=TIMEOUT / 2)
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
    upstream.up()
    upstream.forget()
    upstream.default = Reply({"code": 404}, 404)
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
    """room_codes.token is a handler, not a row: the operator's time-outs apply there too."""
    routes = {"room_codes.token": {"timeout": "300ms"}}
    gateway = start(plugins={"room_codes": {"routes": routes}}, timeout="60s")
    upstream.default = Reply.hang()
    assert gateway.post("/room-codes/code/a-b-c", {}).status == 504
    upstream.wait(lambda up: up.requests[0].abandoned)


def test_a_routes_longer_time_counts_for_a_relayed_call(start, upstream):
    routes = {"room_codes.token": {"timeout": "60s"}}
    gateway = start(plugins={"room_codes": {"routes": routes}}, timeout="100ms")
    upstream.default = Reply({"token": "t"}, delay=0.5, headers=[*LIMITS, ("Set-Cookie", "a=b")])
    answer = gateway.post("/room-codes/code/a-b-c", {})
    assert (answer.status, answer.json) == (200, {"token": "t"})
    assert answer.header("X-RateLimit-Remaining") == "9" and answer.header("Set-Cookie") is None


def test_retries_end_with_the_time_of_the_route(start, upstream):
    gateway = start(plugins={"rooms": {"routes": {"rooms.get": {"timeout": "700ms"}}}}, timeout="60s", retries=10)
    upstream.default = Reply({"code": 503}, 503, headers=[("Retry-After", "1")])
    assert gateway.get("/rooms/1").status == 503
    assert len(upstream.requests) == 1


# --- traces ---

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize("flags,passed", [("01", "01"), ("00", "00"), ("03", "01")])
def test_a_trace_goes_on_with_spans_of_its_own(start, upstream, flags, passed):
    gateway = start()
    spans = set()
    for n in range(2):
        gateway.get(f"/rooms/{n}", headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}", "tracestate": "a=1,b=2"})
        seen = upstream.requests[n]
        version, trace, span, sampled = seen.header("traceparent").split("-")
        assert (version, trace, sampled) == ("00", TRACE, passed)
        assert seen.header("tracestate") == "a=1,b=2"
        spans.add(span)
    assert len(spans | {PARENT}) == 3
    gateway.stop()
    lines = [line for line in access_lines(gateway) if line["route"] == "rooms.get"]
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["parent_id"] for line in lines} == {PARENT}
    assert {line["span_id"] for line in lines} == spans


def test_a_trace_that_is_none_is_dropped(start, upstream):
    gateway = start()
    for header in ("00-xyz", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"):
        gateway.get("/rooms/1", headers={"traceparent": header, "tracestate": "a=1"})
    for request in upstream.requests:
        assert request.header("traceparent") is None and request.header("tracestate") is None
    gateway.stop()
    assert "trace_id" not in gateway.log


def test_traces_begin_here_when_configured(start, upstream):
    gateway = start(server={"trace": "generate"})
    for n in range(2):
        gateway.get(f"/rooms/{n}")
    gateway.get("/rooms/2", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    own = [request.header("traceparent").split("-") for request in upstream.requests[:2]]
    assert own[0][1] != own[1][1] and {parts[3] for parts in own} == {"01"}
    assert upstream.requests[2].header("traceparent").split("-")[1::2] == [TRACE, "00"]
