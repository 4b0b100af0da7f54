"""The server of a shared cache: away, silent, with wrong values or rights; what is stored in it."""

import pathlib
import signal
import time

import pytest

from support.ports import free_port
from support.shared_cache import (  # noqa: F401 (fixtures)
    RENAMED, ROOM, SECRET, counted, kept, keys, make, metrics, pool, upstream, waiting)
from support.until import until
from support.upstream import TIMEOUT, Reply


def is_reached(gateway):
    return metrics(gateway)["greenroom_shared_cache_reached"] == 1


# --- the server is away, or has wrong values ---


def test_a_server_that_is_killed_and_comes_back(make, redis, upstream):
    one, other = make(2, redis.url, recheck="10ms")
    one.get("/rooms/1")
    kept(redis)
    redis.kill()
    for gateway in (one, other):
        until(lambda: not is_reached(gateway))
        gateway.wait_log("the server of the shared cache cannot be used")
    # Each gateway works as without a shared cache.
    upstream.forget()
    assert one.get("/rooms/1").header("Age") is not None
    assert [other.get("/rooms/1").header("Age") is None for _ in range(2)] == [True, False]
    assert len(upstream.requests) == 1
    assert one.admin("/readyz").status == 200
    assert "this gateway's alone" in one.run("status").stdout
    # A write that happens meanwhile is told to the server when it is back.
    other.post("/rooms/1", {"name": "renamed"})
    upstream.default = Reply({"id": "1", "name": "renamed"})
    redis.start()
    for gateway in (one, other):
        until(lambda: is_reached(gateway))
        until(lambda: gateway.get("/rooms/1").json["name"] == "renamed")
    assert "shared with other gateways" in one.run("status").stdout
    one.wait_log_count("the server of the shared cache is reached", 2)
    assert one.log.count("the server of the shared cache cannot be used") == 1, "one line for each change"


def test_a_lost_server_is_tried_with_pauses_that_grow(make, redis, upstream):
    one, = make(1, redis.url)
    failures = "greenroom_shared_cache_failures_total"
    before = metrics(one)[failures]
    begun = time.monotonic()
    redis.kill()
    one.get("/rooms/1")  # the loss is known then
    until(lambda: metrics(one)[failures] >= before + 5)
    # At least half of 0.1, 0.2, 0.4 and 0.8 s: only too many attempts are too early.
    assert time.monotonic() - begun > 0.75


def test_a_question_after_a_write_finds_nothing_older_though_the_server_was_slow(make, redis, upstream, pool):
    one, other = make(2, redis.url, lease="1m", timeout="10s")
    other.get("/rooms/1")
    kept(redis)
    upstream.default = Reply(RENAMED)
    redis.signal(signal.SIGSTOP)
    calls = []
    for method, path in ((one.get, "/rooms/2"), (one.post, "/rooms/1"), (one.get, "/rooms/1")):
        calls.append(pool.submit(method, path, *([{"name": "renamed"}] if method == one.post else [])))
        until(lambda: waiting(one) == len(calls))
    redis.signal(signal.SIGCONT)
    assert [call.result(TIMEOUT).status for call in calls] == [200, 200, 200]
    assert calls[2].result().json == RENAMED


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
    assert changed, "the server still has the generation from before the write"


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
    assert (answer.status, answer.json) == (200, ROOM), "not the answer of another target"
    assert is_reached(other), "the server is still used"
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
        assert redis.command("PTTL", key) != -1, f"{key} never expires"


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
