"""Answers that gateways keep together, with a real Redis or Valkey server."""

import collections
import concurrent.futures
import itertools
import pathlib
import signal
import socket

import pytest

from support import promtext
from support.gateway import Gateway
from support.ports import free_port
from support.until import until
from support.upstream import FACTOR, TIMEOUT, Reply, Upstream

SECRET = "a secret that all gateways have, of 32 characters or more"
ROOM = {"id": "1", "name": "the first"}
HOUR = {"rooms.get": {"cache": "1h"}, "rooms.list": {"cache": "1h"}}
PATIENCE = f"{int(min(2 * FACTOR, 10) * 1000)}ms"
LONG = "1h"
"""A time until the next check or for a lease that does not pass in a test."""


@pytest.fixture
def upstream():
    with Upstream() as server:
        server.default = Reply(ROOM)
        yield server


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        yield threads


@pytest.fixture
def make(tmp_path, upstream):
    """Starts gateways that differ in nothing but their directories."""
    made = []

    def start(count, url, routes=None, start=True, auth=None, api=None, maximum="16m", **shared):
        new = []
        for _ in range(count):
            home = tmp_path / f"gateway{len(made)}"
            config = {"upstreams": {"api": {"url": upstream.url, "retries": 0, **(api or {})}},
                      "state_directory": str(home / "state"), "auth": auth or {},
                      "cache": {"max": maximum, "shared": {"url": url, "secret": SECRET, "timeout": PATIENCE, **shared}}}
            gateway = Gateway(home, config, {"rooms": {"routes": routes or HOUR}})
            home.mkdir()
            made.append(gateway)
            new.append(gateway.start() if start else gateway)
        return new

    yield start
    for gateway in made:
        gateway.stop()


def metrics(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())


def counted(gateway, name):
    return metrics(gateway)[f"greenroom_upstream_cache_{name}_total", "upstream", "api"]


def is_reached(gateway):
    return metrics(gateway)["greenroom_shared_cache_reached"] == 1


def keys(redis, kind):
    """The keys of the cache in the server, without those of probes."""
    return [key for key in redis.command("KEYS", f"greenroom:{kind}:*")
            if not key.endswith(":65536") and not key.endswith(":" + "0" * 32)]


def kept(redis, count=1):
    """Waits until the server has so many answers."""
    until(lambda: len(keys(redis, "answer")) == count and not keys(redis, "lease"), "the server does not get the answers")


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
    # Its own copy from then on.
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
    """By the access key: a new secret of the same account changes no answer."""
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


# --- one call for all ---

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
    dead, other = make(2, redis.url, lease="500ms")
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
    assert sum(counted(gateway, "shared_waits") for gateway in gateways[1:]) <= 1, "the marker may not be there yet"


def test_a_client_that_leaves_ends_the_lease(make, redis, upstream, release, pool):
    one, other = make(2, redis.url, lease="1m")
    upstream.will(Reply.hang())
    with socket.create_connection(("127.0.0.1", one.port)) as client:
        client.sendall(b"GET /rooms/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        upstream.wait_requests(1)
        waiting = pool.submit(other.get, "/rooms/1")
        until(lambda: counted(other, "shared_waits") == 1)
    assert waiting.result(TIMEOUT).json == ROOM


def test_without_single_flight_answers_are_shared_and_calls_are_not(make, redis, upstream, release, pool):
    gateways = make(2, redis.url, api={"single_flight": False}, lease="1m")
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(gateway.get, "/rooms/1") for gateway in gateways]
    upstream.wait_requests(2)
    release.set()
    assert {client.result().status for client in clients} == {200}
    kept(redis)


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
    # From then on no gateway serves the old one again.
    assert all(gateway.get(path).json["name"] == "renamed"
               for gateway, path in itertools.product(gateways * 3, ("/rooms/1", "/rooms")))


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
    # A call that begins after a write waits for none that began before it.
    assert other.get("/rooms/1").json["name"] == "renamed"
    release.set()
    assert before.result().json == ROOM
    for gateway in (one, other, one, other):
        until(lambda: gateway.get("/rooms/1").json["name"] == "renamed")


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
    # One call fetches it, whichever gateway it is; all others get what is there.
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


# --- the server is away, or lies ---

def test_a_server_that_is_killed_and_comes_back(make, redis, upstream):
    one, other = make(2, redis.url, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    redis.kill()
    for gateway in (one, other):
        until(lambda: not is_reached(gateway))
        gateway.wait_log("the server of the shared cache cannot be used")
    # As without a shared cache.
    upstream.forget()
    assert one.get("/rooms/1").header("Age") is not None
    assert [other.get("/rooms/1").header("Age") is None for _ in range(2)] == [True, False]
    assert len(upstream.requests) == 1
    assert one.admin("/readyz").status == 200
    assert "this gateway's alone" in one.run("status").stdout
    # What is written meanwhile is told to the server when it is back.
    other.post("/rooms/1", {"name": "renamed"})
    upstream.default = Reply({"id": "1", "name": "renamed"})
    redis.start()
    for gateway in (one, other):
        until(lambda: is_reached(gateway))
        until(lambda: gateway.get("/rooms/1").json["name"] == "renamed")
    assert "shared with other gateways" in one.run("status").stdout
    one.wait_log_count("the server of the shared cache is reached", 2)
    assert one.log.count("the server of the shared cache cannot be used") == 1, "one line for each change"


def test_a_server_that_is_killed_while_one_waits_for_another(make, redis, upstream, release, pool):
    one, other = make(2, redis.url, lease="1m")
    upstream.default = Reply.held(release, ROOM)
    clients = [pool.submit(one.get, "/rooms/1")]
    upstream.wait_requests(1)
    clients.append(pool.submit(other.get, "/rooms/1"))
    until(lambda: counted(other, "shared_waits") == 1)
    redis.kill()
    upstream.wait_requests(2)
    release.set()
    assert [client.result(TIMEOUT).json for client in clients] == [ROOM, ROOM]


def test_a_write_that_could_not_be_told_is_told_later(make, redis, upstream):
    one, = make(1, redis.url, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    before = {key: redis.command("GET", key) for key in keys(redis, "path")}
    redis.signal(signal.SIGSTOP)
    assert one.post("/rooms/1", {"name": "renamed"}).status == 200, "the write does not wait for long"
    until(lambda: not is_reached(one))
    redis.signal(signal.SIGCONT)
    until(lambda: is_reached(one))
    changed = [key for key, value in before.items() if redis.command("GET", key) != value]
    assert changed, "the generation is still that from before the write"


def test_a_server_that_is_silent_holds_no_request(make, redis, upstream, pool):
    one, = make(1, redis.url, timeout="100ms")
    redis.signal(signal.SIGSTOP)
    answers = list(pool.map(lambda number: one.get(f"/rooms/{number}").status, range(16)))
    assert answers == [200] * 16
    until(lambda: not is_reached(one))
    redis.signal(signal.SIGCONT)
    until(lambda: is_reached(one))


@pytest.mark.parametrize("forge", [
    lambda redis, key, other: redis.command("HSET", key, "value", "{}"),
    lambda redis, key, other: redis.command("HSET", key, "value", ""),
    lambda redis, key, other: redis.command("HSET", key, "value", "x" * 100000),
    lambda redis, key, other: redis.command("HDEL", key, "value"),
    lambda redis, key, other: redis.command("HSET", key, "gen", "none"),
    lambda redis, key, other: redis.command("HSET", key, "stale", "soon"),
    lambda redis, key, other: redis.command("PERSIST", key),
    lambda redis, key, other: redis.command("SET", key, "text"),
    lambda redis, key, other: (redis.command("DEL", key), redis.command("LPUSH", key, "text")),
    lambda redis, key, other: (redis.command("DEL", key), redis.command("COPY", other, key)),
    lambda redis, key, other: [redis.command("SET", path, "none") for path in keys(redis, "path")],
    lambda redis, key, other: [redis.command("SET", path, "9" * 400) for path in keys(redis, "path")],
    lambda redis, key, other: [(redis.command("DEL", path), redis.command("LPUSH", path, "x"))
                               for path in keys(redis, "path")],
    lambda redis, key, other: redis.command("LPUSH", key.replace("answer", "lease"), "x"),
], ids=["json", "empty", "large", "no value", "gen", "stale", "for ever", "text", "list", "of another", "path text",
        "path number", "path list", "lease list"])
def test_values_that_no_gateway_has_made_are_no_answers(make, redis, upstream, forge):
    one, other = make(2, redis.url)
    one.get("/rooms/1")
    kept(redis)
    key, = keys(redis, "answer")
    upstream.default = Reply({"id": "2"})
    one.get("/rooms/2")
    kept(redis, 2)
    second, = [name for name in keys(redis, "answer") if name != key]
    upstream.default = Reply(ROOM)
    forge(redis, key, second)
    answer = other.get("/rooms/1")
    assert (answer.status, answer.json) == (200, ROOM), "and never that of another target"
    assert is_reached(other), "the server is used on"
    assert other.get("/rooms/1").json == ROOM
    until(lambda: redis.command("TYPE", key) == "hash")


def test_a_forged_value_is_counted_and_replaced(make, redis, upstream):
    one, other, third = make(3, redis.url)
    one.get("/rooms/1")
    kept(redis)
    key, = keys(redis, "answer")
    redis.command("HSET", key, "value", "y" * 200)
    assert other.get("/rooms/1").header("Age") is None
    assert counted(other, "shared_refused") == 1
    until(lambda: redis.command("HGET", key, "value") != "y" * 200)
    assert third.get("/rooms/1").header("Cache-Status").endswith("detail=shared")


@pytest.mark.parametrize("user", ["~greenroom:* +eval +evalsha", "~other:* +@all"], ids=["commands", "keys"])
def test_a_user_without_the_rights_is_seen_at_once(make, redis, upstream, user):
    redis.command("ACL", "SETUSER", "cache", "on", ">password", *user.split())
    one, = make(1, redis.url.replace("redis://", "redis://cache:password@"))
    assert not is_reached(one)
    one.wait_log("the server of the shared cache cannot be used")
    assert one.get("/rooms/1").status == 200


def test_the_rights_that_suffice(make, redis, upstream):
    redis.command("ACL", "SETUSER", "cache", "on", ">password", "~greenroom:*", "+eval", "+evalsha", "+get", "+set", "+del",
                  "+hmget", "+hset", "+pexpire", "+pttl", "+select")
    one, other = make(2, redis.url.replace("redis://", "redis://cache:password@"))
    assert is_reached(one)
    one.get("/rooms/1")
    kept(redis)
    one.post("/rooms/1", {"name": "x"})
    one.get("/rooms/1")
    kept(redis)
    assert other.get("/rooms/1").header("Age") is not None


# --- what is stored, and what is loaded ---

def test_nothing_can_be_read_in_the_server_and_everything_expires(make, redis, upstream):
    one, = make(1, redis.url)
    upstream.default = Reply({"id": "1", "name": "a name that is private"})
    one.get("/rooms/visible?limit=1")
    kept(redis)
    one.post("/rooms/visible", {"name": "x"})
    for key in redis.command("KEYS", "*"):
        content = redis.command("HGETALL", key) if redis.command("TYPE", key) == "hash" else [redis.command("GET", key)]
        for text in (key, *(content or [])):
            assert "private" not in text and "visible" not in text and SECRET not in text
        assert redis.command("PTTL", key) != -1, f"{key} stays for ever"


def test_scripts_that_the_server_has_forgotten_are_sent_again(make, redis, upstream):
    one, other = make(2, redis.url)
    one.get("/rooms/1")
    kept(redis)
    redis.command("SCRIPT", "FLUSH")
    other.get("/rooms/1")
    one.post("/rooms/1", {"name": "x"})
    until(lambda: other.get("/rooms/2").status == 200 and len(keys(redis, "answer")) >= 1)
    assert is_reached(one) and is_reached(other)


def test_a_reload_goes_on_with_what_is_shared(make, redis, upstream):
    one, = make(1, redis.url)
    one.get("/rooms/1")
    kept(redis)
    one.process.send_signal(signal.SIGHUP)
    until(lambda: metrics(one)["greenroom_config_generation"] == 2)
    assert one.get("/rooms/1").header("Cache-Status").endswith("detail=shared")
    assert len(upstream.requests) == 1


def test_the_library_is_loaded_only_when_answers_are_shared(make, redis, upstream):
    def maps(gateway):
        return pathlib.Path(f"/proc/{gateway.process.pid}/maps").read_text()

    with_cache, = make(1, redis.url)
    no_route, = make(1, redis.url, routes={"rooms.get": {"timeout": "5s"}})
    no_memory, = make(1, redis.url, maximum=0)
    assert "libhiredis" in maps(with_cache)
    for gateway in (no_route, no_memory):
        assert "libhiredis" not in maps(gateway)
        assert "shared_cache_reached" not in gateway.admin("/metrics").body.decode()


def test_check_wants_a_long_secret_and_shows_none(make):
    url = f"redis://:password-of-the-url@127.0.0.1:{free_port()}"
    gateway, = make(1, url, start=False)
    gateway.write()
    assert gateway.run("check").returncode == 0, "the server need not be there"
    shown = gateway.run("config", "show")
    assert SECRET not in shown.stdout and "password-of-the-url" not in shown.stdout
    shared = gateway.config["cache"]["shared"]
    shared["secret"] = "too short"
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "cache.shared.secret: expected at least 32" in done.stderr
    del shared["secret"]
    gateway.write()
    done = gateway.run("check")
    assert done.returncode == 3 and "cache.shared: no \"secret\"" in done.stderr
