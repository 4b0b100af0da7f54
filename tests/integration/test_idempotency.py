"""Idempotency-Key: a request that is sent again is carried out once, on every gateway with the same store."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import threading
import uuid

import pytest

from support import hms
from support import minigroups as mg
from support.clocks import faketime, wrong_by
from support.gateway import Gateway
from support.promtext import parse
from support.rig import Rig
from support.stores import Store, control
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

GROUPS = ("rooms", "stream_keys", "room_codes")
KEPT = {group: {"idempotency": "1h"} for group in GROUPS}
ROOM = {"name": "standup"}
CREATED = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "standup"}
ROOM_ID = "66f1c0a2b4d93e5a7c118e01"


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        upstream.on("POST", "/v2/rooms", Reply(CREATED, headers=[("X-Request-Id", "of-the-upstream")]))
        yield upstream


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def make(tmp_path, upstream, store):
    """make(…) starts a gateway; all of a test share the store."""
    started = []

    def start(plugins=None, env=None, **config):
        directory = tmp_path / f"gateway{len(started)}"
        directory.mkdir()
        gateway = hms.gateway_for(directory, upstream.url + "/v2", GROUPS, KEPT if plugins is None else plugins,
                                  **{"store": store.url, **config})
        gateway.env |= env or {}
        started.append(gateway)
        return gateway.start()

    yield start
    for gateway in started:
        gateway.stop()
        assert "Sanitizer" not in gateway.log, gateway.log


def keyed(key, **more):
    return {"headers": {"Idempotency-Key": f'"{key}"', **more}}


def new_key():
    return str(uuid.uuid4())


def replayed(answer):
    return answer.header("Idempotent-Replayed") == "true"


def sent(upstream, path="/v2/rooms"):
    """How often the upstream was asked to create."""
    return sum(1 for request in upstream.requests if request.method == "POST" and request.path == path)


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
    """A first request which the upstream has got, and does not answer before the event is set."""
    go = threading.Event()
    upstream.on("POST", "/v2/rooms", Reply.held(go, CREATED))
    running = Running(gateway, key)
    upstream.wait(lambda it: sent(it) == 1)
    return running, go


# --- the same request ---


def test_a_repeated_request_gets_the_first_answer_on_every_gateway(make, upstream):
    one, two = make(), make()
    key = new_key()
    first = one.post("/rooms", ROOM, **keyed(key))
    assert first.status == 200 and first.json == CREATED and not replayed(first)
    for gateway in (one, two, one):
        again = gateway.post("/rooms", ROOM, **keyed(key))
        assert replayed(again) and (again.status, again.body) == (first.status, first.body)
        assert again.header("Content-Type") == first.header("Content-Type")
        assert again.header("X-Request-Id") != first.header("X-Request-Id")
    assert sent(upstream) == 1


def test_the_quotes_may_be_left_out(make, upstream):
    gateway, key = make(), new_key()
    gateway.post("/rooms", ROOM, **keyed(key))
    assert replayed(gateway.post("/rooms", ROOM, headers={"Idempotency-Key": key}))
    assert sent(upstream) == 1


def test_headers_of_the_moment_do_not_come_again(make, upstream):
    gateway, key = make(), new_key()
    upstream.on("POST", "/v2/rooms", Reply(CREATED, 201, headers=[("X-RateLimit-Remaining", "3")]))
    first = gateway.post("/rooms", ROOM, **keyed(key))
    again = gateway.post("/rooms", ROOM, **keyed(key))
    assert first.header("X-RateLimit-Remaining") == "3"
    assert replayed(again) and again.status == 201 and again.header("X-RateLimit-Remaining") is None


def test_an_error_of_the_upstream_is_an_answer(make, upstream):
    gateway = make()
    for status in (400, 404, 500):
        key = new_key()
        upstream.forget()
        upstream.on("POST", "/v2/rooms", Reply({"code": status, "message": "no"}, status))
        first = gateway.post("/rooms", ROOM, **keyed(key))
        again = gateway.post("/rooms", ROOM, **keyed(key))
        assert first.status == again.status == status and replayed(again) and again.body == first.body
        assert sent(upstream) == 1


def test_without_a_key_or_without_the_setting_nothing_changes(make, upstream):
    gateway, off = make(), make(plugins={})
    for _ in range(2):
        assert not replayed(gateway.post("/rooms", ROOM))
        assert not replayed(off.post("/rooms", ROOM, **keyed("k")))
    assert sent(upstream) == 4


def test_a_route_that_creates_nothing_takes_no_key(make, upstream):
    gateway = make()
    for _ in range(2):
        assert not replayed(gateway.post(f"/rooms/{ROOM_ID}", ROOM, **keyed("k")))
    assert sent(upstream, f"/v2/rooms/{ROOM_ID}") == 2


# --- another request ---


def test_a_key_stands_for_one_request(make, upstream):
    one, two = make(), make()
    key = new_key()
    one.post("/rooms", ROOM, **keyed(key))
    for path, body in (("/rooms", {"name": "other"}), ("/rooms?a=1", ROOM)):
        answer = two.post(path, body, **keyed(key))
        assert answer.status == 422 and "another request" in answer.json["message"], answer
        assert not replayed(answer)
    assert sent(upstream) == 1
    assert replayed(two.post("/rooms", ROOM, **keyed(key)))


def test_what_the_path_names_is_part_of_the_request(make, upstream):
    gateway, key = make(), new_key()
    other = ROOM_ID[:-1] + "2"
    assert gateway.post(f"/stream-keys/{ROOM_ID}", **keyed(key)).status == 200
    assert gateway.post(f"/stream-keys/{other}", **keyed(key)).status == 422
    assert replayed(gateway.post(f"/stream-keys/room/{ROOM_ID}", **keyed(key)))  # the same by its other path
    assert len(upstream.requests) == 1


def test_operations_do_not_share_keys(make, upstream):
    gateway, key = make(), new_key()
    assert not replayed(gateway.post(f"/stream-keys/{ROOM_ID}", **keyed(key)))
    assert not replayed(gateway.post(f"/room-codes/{ROOM_ID}", **keyed(key)))
    assert len(upstream.requests) == 2


def test_callers_do_not_share_keys(make, upstream):
    gateway = make(auth={"keys": {}})
    secrets = [gateway.run("keys", "add", name, "--scope", "*").stdout.strip() for name in ("ann", "bob")]
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log("reloaded:")
    for secret in secrets:
        answer = gateway.post("/rooms", ROOM, **keyed("k", **{"X-API-Key": secret}))
        assert answer.status == 200 and not replayed(answer)
    for secret in secrets:
        assert replayed(gateway.post("/rooms", ROOM, **keyed("k", **{"X-API-Key": secret})))
    assert sent(upstream) == 2


@pytest.mark.parametrize("value", ["", '""', '"open', "two words", "a,b", '"' + "k" * 256 + '"'])
def test_a_bad_key_is_refused(make, upstream, value):
    answer = make().post("/rooms", ROOM, headers={"Idempotency-Key": value})
    assert answer.status == 400 and "Idempotency-Key" in answer.json["message"], answer
    assert sent(upstream) == 0


def test_two_keys_are_refused(make, upstream):
    gateway = make()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT)
    body = json.dumps(ROOM).encode()
    connection.putrequest("POST", "/rooms")
    for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                        ("Idempotency-Key", '"a"'), ("Idempotency-Key", '"a"')):
        connection.putheader(name, value)
    connection.endheaders(body)
    assert connection.getresponse().status == 400 and sent(upstream) == 0
    connection.close()


def test_a_refused_request_uses_no_key_up(make, upstream):
    gateway, key = make(), new_key()
    assert gateway.post("/rooms", {"name": 7}, **keyed(key)).status == 400
    assert not replayed(gateway.post("/rooms", ROOM, **keyed(key)))
    assert sent(upstream) == 1


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
    """Sends a request and resets the connection once the upstream has got it. What the upstream has got."""
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
    # A read that others may share looks for its client at intervals, as the call with the key does if it looks at all.
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


@pytest.mark.parametrize("status", [429, 503])
def test_an_upstream_that_has_no_time_can_be_asked_again(make, upstream, status):
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
    api = {"url": upstream.url + "/v2", "credential": "100ms", "timeout": "300ms"}
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
    assert told is None or told.status == 503  # the gateway ends soon after, so its word may come too late
    answer = two.post("/rooms", ROOM, **keyed(key))
    assert answer.status == 504 and sent(upstream) == 1


# --- groups with handlers and data of their own ---


@pytest.fixture
def rig(tmp_path, store):
    directory = tmp_path / "rig"
    directory.mkdir()
    rig = Rig(directory, store)
    for members in rig.plugins.values():
        members["idempotency"] = "1h"
    del rig.plugins["agents"]["idempotency"]  # creates nothing
    rig.start()
    yield rig
    rig.stop()


def test_a_handler_runs_once(rig, store):
    user, key = rig.user(), new_key()
    first = user.request("POST", "/streams", **keyed(key))
    again = user.request("POST", "/streams", **keyed(key))
    assert first.status == 200 and not replayed(first), first
    assert replayed(again) and again.json == first.json
    assert store.sql("SELECT count(*) FROM rig_streams") == [("1",)]


def test_accounts_of_a_group_do_not_share_keys(rig, store):
    key = new_key()
    made = [user.request("POST", "/streams", **keyed(key)) for user in (rig.user(), rig.user())]
    assert not any(replayed(answer) for answer in made)
    assert store.sql("SELECT count(*) FROM rig_streams") == [("2",)]


def test_unknown_clients_do_not_meet_by_a_key(rig):
    """Of an open route: another request with the key is of another client, which learns nothing."""
    def create(name):
        body = {"username": name, "password": "correct horse", "email": f"{name}@studio.example"}
        return rig.post("/accounts", body, **keyed("1"))

    first, other, again = create("ann"), create("bob"), create("ann")
    assert first.status == other.status == 200 and not replayed(other), other
    assert replayed(again) and again.json == first.json


def test_a_refusal_of_the_group_is_in_its_format(rig):
    user, key = rig.user(), new_key()
    user.request("POST", "/streams", **keyed(key))
    user.request("POST", "/accounts/invite", {"email": "a@studio.example"}, **keyed(key))
    answer = user.request("POST", "/accounts/invite", {"email": "b@studio.example"}, **keyed(key))
    assert answer.status == 422 and set(answer.json) == {"message", "errorCode", "details"}, answer


def test_a_minigroup_is_created_once(services, tmp_path, store):
    services.forget()
    gateway = Gateway(tmp_path, {"store": store.url, "state_directory": str(tmp_path)},
                      {"minigroups": {"config": mg.options(services), "idempotency": "1h"}})
    body = {"scope": f"scope-{uuid.uuid4()}", "audience": mg.AUDIENCE, "host": mg.TEACHER}
    more = keyed(new_key(), Authorization="Bearer " + mg.token(mg.ADMIN))
    with gateway:
        first = gateway.post("/api/v1/minigroups", body, **more)
        again = gateway.post("/api/v1/minigroups", body, **more)
        assert first.status == 201 and replayed(again) and (again.status, again.json) == (201, first.json), again
        assert len(services.take("event", "POST", "/api/v1/rooms")) == 1
        reused = gateway.post("/api/v1/minigroups", {**body, "scope": "other"}, **more)
        assert reused.status == 422 and reused.json["type"] and reused.json["status"] == 422, reused


# --- bounds ---


def test_a_large_answer_is_not_kept(make, upstream):
    gateway = make({"rooms": {"idempotency": {"keep": "1h", "answer_max": "1k"}}})
    upstream.on("POST", "/v2/rooms", Reply({"id": "x" * 2000}))
    key = new_key()
    assert gateway.post("/rooms", ROOM, **keyed(key)).status == 200
    again = gateway.post("/rooms", ROOM, **keyed(key))
    assert again.status == 504 and "too large to be kept" in again.json["message"], again
    assert sent(upstream) == 1


def test_the_number_of_records_is_limited(make, upstream):
    gateway = make({"rooms": {"idempotency": {"keep": "1h", "records_max": 2}}})
    assert [gateway.post("/rooms", ROOM, **keyed(f"k{i}")).status for i in range(3)] == [200, 200, 503]
    assert gateway.post("/rooms", ROOM).status == 200
    assert sent(upstream) == 3


def test_a_key_can_be_used_again_after_its_time(make, upstream):
    gateway, key = make({"rooms": {"idempotency": "1s"}}), new_key()
    assert not replayed(gateway.post("/rooms", ROOM, **keyed(key)))
    until(lambda: not replayed(gateway.post("/rooms", ROOM, **keyed(key))))
    assert sent(upstream) == 2


# --- reload, faults of the store, documents ---


@pytest.mark.skipif("GR_TEST_POSTGRES" not in os.environ, reason="a file has the clock of its machine")
@pytest.mark.skipif(not faketime(), reason="libfaketime is not installed, or cannot be used with a sanitizer")
def test_a_clock_that_is_hours_wrong_ends_no_record(make, upstream):
    """Neither those of others, nor its own too early."""
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
        assert running.end().json == CREATED  # its caller has the answer, and the record has not
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


def test_the_document_has_the_header_and_its_answers(make):
    gateway = make({"rooms": {"idempotency": "1h"}})
    paths = gateway.admin("/openapi.json").json["paths"]
    create, update, off = paths["/rooms"]["post"], paths["/rooms/{roomId}"]["post"], paths["/stream-keys/{roomId}"]["post"]

    def takes(operation):
        return any(one["name"] == "Idempotency-Key" and one["in"] == "header" for one in operation["parameters"])

    assert takes(create) and not takes(update) and not takes(off)
    assert {"409", "422", "504"} <= set(create["responses"])
    assert "409" not in update["responses"] and "422" not in off["responses"]
    assert "Idempotent-Replayed" in create["responses"]["200"]["headers"]
    assert "Idempotent-Replayed" not in update["responses"]["200"]["headers"]


@pytest.mark.parametrize("group, store_url, said", [
    ("rooms", None, 'the config names no "store"'),
    ("rooms", "sqlite::memory:", "name a file"),
    ("sessions", "sqlite:x.db", "no route of this group takes an Idempotency-Key"),
])
def test_a_config_that_cannot_work_is_refused(tmp_path, upstream, group, store_url, said):
    gateway = hms.gateway_for(tmp_path, upstream.url, (group,), {group: {"idempotency": "1h"}})
    gateway.config["store"] = store_url
    gateway.write()
    done = gateway.run("check")
    assert done.returncode != 0 and f"{group}.json: idempotency: " in done.stderr and said in done.stderr, done.stderr


@pytest.mark.parametrize("value, said", [
    ("0s", "idempotency.keep"), (True, "idempotency"), ({}, "idempotency.keep"), ({"keep": "1h", "kept": 1}, "kept"),
])
def test_a_wrong_setting_is_named(tmp_path, upstream, value, said):
    gateway = hms.gateway_for(tmp_path, upstream.url, ("rooms",), {"rooms": {"idempotency": value}})
    gateway.write()
    done = gateway.run("check")
    assert done.returncode != 0 and said in done.stderr, done.stderr
