"""Idempotency-Key: a repeated request gets the first answer, on every gateway with the same store."""

import http.client
import json
import signal

import pytest

from support import hms
from support.idempotency import (  # noqa: F401 (fixtures)
    CREATED, ROOM, keyed, make, new_key, replayed, sent, store, upstream)
from support.until import until
from support.upstream import TIMEOUT, Reply

ROOM_ID = "66f1c0a2b4d93e5a7c118e01"


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


# --- documents, settings ---


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
