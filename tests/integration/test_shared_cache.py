"""Answers that gateways share in a real Redis or Valkey server: which, for whom, how long, and what writes do."""

import collections
import concurrent.futures
import itertools
import pathlib
import signal
import time

import pytest

from support.shared_cache import (  # noqa: F401 (fixtures)
    RENAMED, ROOM, counted, kept, keys, make, metrics, pool, upstream, waiting)
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply

LONG = "1h"
"""For a recheck or a lease that must not end during a test."""


# --- answers ---


def test_an_answer_is_kept_for_all(make, redis, upstream):
    one, other = make(2, redis.url)
    first = one.get("/rooms/1")
    assert first.header("Age") is None and first.header("Cache-Status") == "greenroom; fwd=miss; stored"
    kept(redis)
    second = other.get("/rooms/1")
    assert (second.status, second.json) == (200, ROOM)
    assert second.header("Content-Type") == first.header("Content-Type")
    assert int(second.header("Age")) >= 0
    assert second.header("Cache-Status").startswith("greenroom; hit; ttl=3")
    assert second.header("Cache-Status").endswith("; detail=shared")
    # From now on the other gateway serves its own copy.
    assert "shared" not in other.get("/rooms/1").header("Cache-Status")
    assert upstream.lines == ["GET /rooms/1"]
    assert [counted(other, name) for name in ("shared_hits", "hits", "misses", "shared_away")] == [1, 1, 0, 0]
    assert [counted(one, name) for name in ("shared_hits", "hits", "misses")] == [0, 0, 1]


def test_age_counts_from_the_upstream_and_the_time_to_live_is_its_own(make, redis, upstream):
    one, other = make(2, redis.url)
    upstream.default = Reply(ROOM, headers=[("Age", "100"), ("Cache-Control", "max-age=130")])
    one.get("/rooms/1")
    kept(redis)
    second = other.get("/rooms/1")
    assert 100 <= int(second.header("Age")) < 130
    assert 0 <= int(second.header("Cache-Status").split("ttl=")[1].split(";")[0]) <= 30


def test_the_time_that_an_answer_was_kept_counts_for_a_gateway_that_finds_it(make, redis):
    one, other = make(2, redis.url, recheck=LONG)
    one.get("/rooms/1")
    kept(redis)
    until(lambda: int(one.get("/rooms/1").header("Age")) >= 2)
    assert int(other.get("/rooms/1").header("Age")) >= 1


def test_what_must_not_be_kept_is_not(make, redis, upstream):
    one, other = make(2, redis.url)
    for number, reply in enumerate((Reply(ROOM, headers=[("Cache-Control", "no-store")]), Reply({"code": 404}, 404),
                                    Reply(ROOM, headers=[("Set-Cookie", "a=b")]))):
        upstream.forget()
        upstream.default = reply
        answers = [gateway.get(f"/rooms/{number}") for gateway in (one, other)]
        assert len(upstream.requests) == 2, [(answer.status, answer.headers) for answer in answers]
    assert keys(redis, "answer") == []


def test_queries_are_kept_apart(make, redis, upstream):
    one, other = make(2, redis.url)
    for target in ("/rooms", "/rooms?limit=10", "/rooms?limit=11"):
        one.get(target)
    kept(redis, 3)
    upstream.forget()
    for target in ("/rooms?limit=10", "/rooms", "/rooms?limit=12"):
        other.get(target)
    assert upstream.lines == ["GET /rooms?limit=12"]


def test_callers_never_get_what_was_made_for_another(make, redis, upstream):
    one, other = make(2, redis.url, start=False, auth={"keys": {}})
    callers = {}
    one.write()
    other.write()
    for name in ("ada", "bob"):
        callers[name] = {"X-API-Key": one.run("keys", "add", name, "--scope", "*").stdout.strip()}
    (other.directory / "state").mkdir(exist_ok=True)
    source = next(pathlib.Path(one.config["state_directory"]).rglob("keys.json"))
    target = pathlib.Path(other.config["state_directory"]) / source.relative_to(one.config["state_directory"])
    target.write_bytes(source.read_bytes())
    target.chmod(0o600)
    one.start()
    other.start()
    for name, count in (("ada", 1), ("bob", 2)):
        upstream.default = Reply({"id": name})
        assert one.get("/rooms/1", headers=callers[name]).json == {"id": name}
        kept(redis, count)
    upstream.down()
    for name in ("bob", "ada"):
        assert other.get("/rooms/1", headers=callers[name]).json == {"id": name}


@pytest.mark.parametrize("change", [
    {"api": {"credential": "first"}}, {"secret": "another secret of the same deployment, of 32 or more"},
], ids=["account", "secret"])
def test_what_differs_is_kept_apart(make, redis, upstream, change):
    one, = make(1, redis.url)
    other, = make(1, redis.url, start=False, **change)
    other.config["credentials"] = {"first": {"kind": "bearer", "secret": "a-token"}}
    other.start()
    one.get("/rooms/1")
    kept(redis)
    assert other.get("/rooms/1").header("Age") is None
    assert len(upstream.requests) == 2


def test_accounts_of_one_upstream_are_kept_apart(make, redis, upstream):
    """The access key names the account, so gateways with different secrets of one account share answers."""
    gateways = make(3, redis.url, start=False, api={"credential": "hms"})
    for gateway, account in zip(gateways, ("one", "one", "other")):
        gateway.config["credentials"] = {"hms": {"kind": "100ms", "access_key": account, "secret": f"the secret of {gateway.directory}"}}
        gateway.start()
    assert gateways[0].get("/rooms/1").header("Age") is None
    kept(redis)
    assert gateways[1].get("/rooms/1").header("Age") is not None
    assert gateways[2].get("/rooms/1").header("Age") is None
    assert len(upstream.requests) == 2


def test_a_large_answer_is_kept_by_each(make, redis, upstream):
    one, other = make(2, redis.url, answer_max="4k")
    upstream.default = Reply({"id": "x" * 5000})
    for gateway in (one, other):
        assert gateway.get("/rooms/1").header("Age") is None
        assert gateway.get("/rooms/1").header("Age") is not None
    upstream.default = Reply({"id": "x" * 3000})
    one.get("/rooms/2")
    kept(redis)
    assert other.get("/rooms/2").header("Age") is not None


# --- writes ---


def test_a_write_through_any_gateway_is_seen_by_all_after_the_recheck(make, redis, upstream):
    gateways = make(3, redis.url, recheck="100ms")
    for gateway in gateways:
        for path in ("/rooms/1", "/rooms"):
            gateway.get(path)
            until(lambda: keys(redis, "answer"))
    upstream.default = Reply({"id": "1", "name": "renamed"})
    assert gateways[0].post("/rooms/1", {"name": "renamed"}).status == 200
    assert gateways[0].get("/rooms/1").json["name"] == "renamed", "at once on the gateway of the write"
    for gateway, path in itertools.product(gateways, ("/rooms/1", "/rooms")):
        until(lambda: gateway.get(path).json["name"] == "renamed", "the write is not seen")
    # Once the new answer was seen, no gateway serves the old one again.
    assert all(gateway.get(path).json["name"] == "renamed"
               for gateway, path in itertools.product(gateways * 3, ("/rooms/1", "/rooms")))


def test_a_write_is_answered_once_the_server_knows_it(make, redis, upstream, pool):
    one, = make(1, redis.url, timeout="10s")
    one.get("/rooms/1")
    kept(redis)
    before = {key: redis.command("GET", key) for key in keys(redis, "path")}
    redis.signal(signal.SIGSTOP)
    write = pool.submit(one.post, "/rooms/1", {"name": "renamed"})
    until(lambda: waiting(one) == 1)
    assert not write.done()
    redis.signal(signal.SIGCONT)
    assert write.result(TIMEOUT).status == 200
    assert [key for key, value in before.items() if redis.command("GET", key) != value]


def test_a_copy_is_served_for_the_time_of_the_recheck(make, redis, upstream):
    one, other = make(2, redis.url, recheck=LONG)
    other.get("/rooms/1")
    kept(redis)
    other.get("/rooms/1")
    upstream.default = Reply({"id": "1", "name": "renamed"})
    one.post("/rooms/1", {"name": "renamed"})
    assert other.get("/rooms/1").json == ROOM, "recheck is the bound, and it is long here"
    third, = make(1, redis.url, recheck=LONG)
    assert third.get("/rooms/1").json["name"] == "renamed", "the shared answer is gone at once"


def test_what_was_asked_before_a_write_is_not_kept(make, redis, upstream, release, pool):
    one, other = make(2, redis.url, lease="1m", recheck="10ms")
    upstream.will(Reply.held(release, ROOM))
    before = pool.submit(one.get, "/rooms/1")
    upstream.wait_requests(1)
    upstream.default = Reply({"id": "1", "name": "renamed"})
    other.post("/rooms/1", {"name": "renamed"})
    # A call that begins after a write does not wait for a call that began before it.
    assert other.get("/rooms/1").json["name"] == "renamed"
    release.set()
    assert before.result().json == ROOM
    for gateway in (one, other, one, other):
        until(lambda: gateway.get("/rooms/1").json["name"] == "renamed")


def test_an_answer_from_before_a_write_replaces_none_from_after_it(make, redis, upstream, release, pool):
    one, other, third = make(3, redis.url, lease="1m", recheck=LONG)
    upstream.will(Reply.held(release, ROOM))
    before = pool.submit(one.get, "/rooms/1")
    upstream.wait_requests(1)
    upstream.default = Reply(RENAMED)
    other.post("/rooms/1", {"name": "renamed"})
    assert other.get("/rooms/1").json == RENAMED
    kept(redis)
    release.set()
    assert before.result().json == ROOM
    one.get("/rooms/2")  # what it has handed on before has reached the server then
    upstream.forget()
    assert third.get("/rooms/1").json == RENAMED
    assert not upstream.requests


def test_the_time_until_the_next_check_begins_before_the_question(make, redis, upstream, release, pool):
    recheck = 2 * FACTOR
    one, other = make(2, redis.url, lease="1m", recheck=f"{int(recheck * 1000)}ms")
    upstream.will(Reply.held(release, ROOM))
    before = pool.submit(one.get, "/rooms/1")
    upstream.wait_requests(1)
    asked = time.monotonic()
    upstream.default = Reply(RENAMED)
    other.post("/rooms/1", {"name": "renamed"})
    until(lambda: time.monotonic() > asked + recheck)
    release.set()
    assert before.result().json == ROOM
    assert one.get("/rooms/1").json == RENAMED, "the old answer is served for the time of two checks"


def test_a_copy_that_is_right_is_not_sent_again(make, redis, upstream):
    one, other = make(2, redis.url, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    redis.command("DEL", *keys(redis, "answer"))
    before = counted(one, "hits")
    asked = metrics(one)["greenroom_shared_cache_questions_total"]
    until(lambda: one.get("/rooms/1").header("Age") is not None
          and metrics(one)["greenroom_shared_cache_questions_total"] > asked)
    assert counted(one, "hits") > before and len(upstream.requests) == 1


def test_a_generation_that_the_server_has_lost_is_no_old_answer(make, redis, upstream):
    one, other = make(2, redis.url, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    redis.command("DEL", *keys(redis, "path"))
    upstream.default = Reply({"id": "1", "name": "renamed"})
    assert other.get("/rooms/1").json["name"] == "renamed"


# --- late answers ---


def test_a_late_answer_is_served_while_one_gateway_fetches_a_new_one(make, redis, upstream, release, pool):
    routes = {"rooms.get": {"cache": {"ttl": "100ms", "stale_while_revalidate": "1h"}}}
    one, other = make(2, redis.url, routes, recheck="10ms", lease="1m")
    one.get("/rooms/1")
    kept(redis)
    key, = keys(redis, "answer")
    until(lambda: redis.command("PTTL", key) <= 3600 * 1000, "the answer does not get late")
    upstream.default = Reply.held(release, {"id": "1", "name": "new"})
    # One call of one gateway fetches a new answer; all others get the old one meanwhile.
    clients = [pool.submit(gateway.get, "/rooms/1") for gateway in (one, other) * 3]
    upstream.wait_requests(2)
    done = concurrent.futures.wait(clients, TIMEOUT, concurrent.futures.FIRST_COMPLETED).done
    assert done and all(client.result().json == ROOM for client in done)
    more = [pool.submit(gateway.get, "/rooms/1") for gateway in (one, other) * 3]
    assert all(client.result(TIMEOUT).json == ROOM for client in more)
    assert len(upstream.requests) == 2
    release.set()
    names = collections.Counter(client.result().json["name"] for client in clients)
    assert names["new"] >= 1
    until(lambda: other.get("/rooms/1").json["name"] == "new" and one.get("/rooms/1").json["name"] == "new")


def test_a_late_answer_is_served_by_a_gateway_that_had_none_while_the_upstream_fails(make, redis, upstream):
    routes = {"rooms.get": {"cache": {"ttl": "50ms", "stale_if_error": "1h"}}}
    one, other = make(2, redis.url, routes)
    one.get("/rooms/1")
    kept(redis)
    upstream.default = Reply({"code": 500}, 500)
    until(lambda: counted(other, "stale") == 1 or other.get("/rooms/1").json != ROOM)
    answer = other.get("/rooms/1")
    assert answer.json == ROOM and "ttl=-" in answer.header("Cache-Status")


def test_no_late_answer_from_before_a_write(make, redis, upstream):
    routes = {"rooms.get": {"cache": {"ttl": "50ms", "stale_if_error": "1h", "stale_while_revalidate": "1h"}}}
    one, other = make(2, redis.url, routes, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    other.get("/rooms/1")
    other.post("/rooms/1", {"name": "renamed"})
    upstream.default = Reply({"code": 500}, 500)
    for gateway in (one, other):
        until(lambda: gateway.get("/rooms/1").status == 500, "an answer from before the write is served")
