"""Answers of upstreams that are kept: what is kept, for whom, how long, and after its time."""

import subprocess
import time

import pytest

from support.forwarding import LIMITS, ROOM, metrics, pool, start, upstream, wait_waiting  # noqa: F401 (fixtures)
from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT, Reply


def new_key(gateway, name):
    """Adds an API key and returns the headers of its caller."""
    words = [BINARY, "-c", str(gateway.directory), "keys", "add", name, "--scope", "rooms:*"]
    key = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT * 2, check=True).stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    until(lambda: gateway.post("/rooms", {"name": "a"}, headers=headers).status == 200)
    return headers


# --- cache ---


CACHED = {"rooms": {"routes": {"rooms.get": {"cache": "1h"}, "rooms.list": {"cache": "1h"}}}}


def test_an_answer_is_kept_where_the_operator_wants_it(start, upstream):
    gateway = start(plugins=CACHED)
    upstream.default = Reply(ROOM, headers=LIMITS)
    first = gateway.get("/rooms/1")
    second = gateway.get("/rooms/1")
    assert (second.status, second.body) == (first.status, first.body)
    assert first.header("Age") is None and int(second.header("Age")) >= 0
    # the remaining rate differs between calls, so it is not kept
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
    """Starts a gateway that has kept an answer of /rooms/1, and waits until the answer has expired."""
    gateway = start(plugins={"rooms": {"routes": {"rooms.get": {"cache": {"ttl": "50ms", **times}}}}}, retries=0)
    first = gateway.get("/rooms/1")
    assert (first.json, first.header("Cache-Status")) == (ROOM, "greenroom; fwd=miss; stored")
    hit = gateway.get("/rooms/1")
    assert hit.header("Cache-Status").startswith("greenroom; ")
    time.sleep(0.06)  # the ttl has to pass, and nothing else shows that it has
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
