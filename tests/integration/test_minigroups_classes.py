"""Minigroups are created, updated and recreated: answers, defaults, bounds, calls of the services."""

import json
import subprocess
import time
import uuid

import pytest

from support import minigroups as mg
from support.minigroups_fixtures import BASE, UUID, by_scope, clean, gateway  # noqa: F401 (fixtures)


# --- create ---


def test_create_answers_the_row_and_makes_both_rooms(gateway, services):
    now = int(time.time())
    body = {
        "scope": f"algebra/{uuid.uuid4()}",
        "time": [now + 100, now + 3700],
        "tags": {"lesson": 42},
        "properties": {"is_adult": False},
        "reserve": 12,
        "locked_questions": False,
    }
    answer = gateway.create(**body)
    event, conference = services.take("event", "POST", "/api/v1/rooms")[0], services.take("conference")[0]
    lock = services.take("event", "POST", ".*/locked_types")[0]

    assert UUID.fullmatch(answer["id"]) and answer["class_id"] == answer["id"]
    assert {key: answer[key] for key in ("scope", "time", "tags", "properties", "reserve")} == {
        key: body[key] for key in ("scope", "time", "tags", "properties", "reserve")
    }
    assert answer["audience"] == mg.AUDIENCE and answer["host"] == mg.TEACHER
    assert answer["preserve_history"] is True and answer["timed_out"] is False and answer["room_events_uri"] is None
    assert abs(answer["created_at"] - now) < mg.LIMIT and answer["status"] == "real-time"
    assert answer["real_time"] == {
        "event_room_id": answer["event_room_id"],
        "conference_room_id": answer["conference_room_id"],
        "host": mg.TEACHER,
    }
    assert answer["turn_host"] in ("turn1.example.org:3478", "turn2")
    for absent in ("original_event_room_id", "modified_event_room_id", "original_class_id", "content_id", "on_demand"):
        assert absent not in answer

    assert abs(event.json["time"][0] - now) < mg.LIMIT and event.json.pop("time")[1] is None
    assert event.json == {
        "audience": mg.AUDIENCE,
        "preserve_history": True,
        "tags": {"lesson": 42},
        "classroom_id": answer["id"],
        "kind": "Minigroup",
    }
    assert conference.json == {
        "audience": mg.AUDIENCE,
        "time": [now + 100, None],
        "rtc_sharing_policy": "owned",
        "reserve": 12,
        "tags": {"lesson": 42},
        "classroom_id": answer["id"],
    }
    assert lock.json == {
        "locked_types": {"message": True, "reaction": True, "question": False, "question_reaction": False}
    }
    assert answer["event_room_id"] in lock.path


def test_services_are_called_with_our_own_token(gateway, services):
    gateway.create()
    for seen in services.take():
        claims = mg.claims_in(seen.headers["Authorization"])
        assert (claims["iss"], claims["aud"], claims["sub"]) == ("svc.example.org", "svc.example.org", "dispatcher")
        assert 60 < claims["exp"] - time.time() <= 3600
        assert seen.headers["X-Agent-Label"] == "greenroom"
        assert seen.headers["Content-Type"] == "application/json"


def test_create_with_defaults(gateway, services):
    answer = gateway.create()
    assert answer["time"] == [None, None] and answer["properties"] == {} and answer["reserve"] is None
    assert "tags" not in answer
    assert services.take("event", "POST", ".*/locked_types")[0].json["locked_types"] == {
        "message": True,
        "reaction": True,
        "question": True,
        "question_reaction": True,
    }
    event, conference = services.take("event", "POST", "/api/v1/rooms")[0], services.take("conference")[0]
    assert "tags" not in event.json and "tags" not in conference.json and "reserve" not in conference.json
    assert conference.json["time"][1] is None and abs(conference.json["time"][0] - time.time()) < mg.LIMIT


def test_a_host_is_required_where_the_config_says_so(gateway, services, tmp_path):
    assert gateway.create(host=None)["host"] is None
    strict = mg.Gateway(tmp_path, services, host_required=True)
    try:
        services.forget()
        problem = strict.refuse(400, "invalid_payload", "POST", BASE, {"scope": "x", "audience": mg.AUDIENCE})
        assert "host" in problem["detail"] and services.take() == []
    finally:
        strict.stop()


def test_nothing_is_locked_when_both_locks_are_off(gateway, services):
    gateway.create(locked_chat=False, locked_questions=False)
    assert services.take("event", "POST", ".*/locked_types") == []


@pytest.mark.parametrize(
    "change",
    [
        {"scope": None},
        {"scope": ""},
        {"scope": 7},
        {"audience": 7},
        {"host": "nodot"},
        {"host": 5},
        {"time": []},
        {"time": [1]},
        {"time": [1, 2, 3]},
        {"time": [1.0, 2]},
        {"time": ["1", None]},
        {"time": [2, 2]},
        {"time": [3, 2]},
        {"time": [-1, None]},
        {"time": [None, 253402300800]},
        {"time": {"start": 1}},
        {"tags": 7},
        {"tags": []},
        {"properties": []},
        {"reserve": -1},
        {"reserve": 2147483648},
        {"reserve": 1.0},
        {"reserve": "1"},
        {"locked_chat": 1},
        {"locked_questions": "true"},
    ],
    ids=json.dumps,
)
def test_create_refuses(gateway, services, change):
    body = {"scope": "x", "audience": mg.AUDIENCE, "host": mg.TEACHER, **change}
    body = {key: value for key, value in body.items() if value is not None}
    problem = gateway.refuse(400, "invalid_payload", "POST", BASE, body)
    assert next(iter(change)) in problem["detail"]
    assert services.take() == []


@pytest.mark.parametrize("name", ["scope", "audience", "properties", "locked_chat", "locked_questions"])
def test_null_is_wrong_for(gateway, name):
    body = {"scope": "x", "audience": mg.AUDIENCE, "host": mg.TEACHER, name: None}
    gateway.refuse(400, "invalid_payload", "POST", BASE, body)


def test_null_counts_as_absent_elsewhere(gateway):
    scope = f"scope-{uuid.uuid4()}"
    body = {"scope": scope, "audience": mg.AUDIENCE, "host": mg.TEACHER, "time": None, "tags": None, "reserve": None}
    assert gateway.ask("POST", BASE, body, 201)["time"] == [None, None]


@pytest.mark.parametrize(
    "raw, kind",
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"scope":"a","scope":"b","audience":"c","host":"a.b"}', "application/json"),
        (b'{"scope":"a"}', "text/plain"),
        (b"", "application/json"),
    ],
)
def test_bodies_that_are_not_our_json(gateway, raw, kind):
    gateway.refuse(400, "invalid_payload", "POST", BASE, raw=raw, headers={"Content-Type": kind})


def test_json_may_be_called_something_more_special(gateway):
    body = {"scope": f"scope-{uuid.uuid4()}", "audience": mg.AUDIENCE, "host": mg.TEACHER, "unknown": 1}
    headers = {"Content-Type": "Application/vnd.x+JSON; charset=utf-8"}
    gateway.ask("POST", BASE, body, 201, headers=headers)


def test_a_scope_is_created_once(gateway, services):
    first = gateway.create()
    services.forget()
    problem = gateway.refuse(
        422,
        "class_already_established",
        "POST",
        BASE,
        {"scope": first["scope"], "audience": mg.AUDIENCE, "host": mg.TEACHER, "tags": {"other": 1}},
    )
    assert "detail" not in problem
    assert services.take() == []
    assert "tags" not in gateway.ask("PUT", f"{BASE}/{first['id']}", {"reserve": 1})


# --- update ---


def test_update_sends_each_service_its_part(gateway, services):
    minigroup = gateway.create(properties={"a": 1})
    services.forget()
    host = f"web.{mg.TEACHER}"
    body = {"time": [100, 200], "reserve": 7, "host": host}
    answer = gateway.ask("PUT", f"{BASE}/{minigroup['id']}", body)
    event, conference = services.take()
    assert (event.service, event.method, event.path) == ("event", "PATCH", f"/api/v1/rooms/{minigroup['event_room_id']}")
    assert abs(event.json["time"][0] - time.time()) < mg.LIMIT and event.json["time"][1] is None
    assert conference.path == f"/api/v1/rooms/{minigroup['conference_room_id']}" and conference.json == body
    assert {key: answer[key] for key in body} == body and answer["id"] == minigroup["id"]
    assert answer["properties"] == {"a": 1}  # not erased
    assert answer["status"] == "closed" and answer["real_time"]["host"] == host


def test_update_of_one_member_leaves_the_rest(gateway, services):
    minigroup = gateway.create(time=[100, 4000000000], reserve=3)
    services.forget()
    answer = gateway.ask("PUT", by_scope(minigroup), {"reserve": 4, "time": None})
    assert [seen.json for seen in services.take()] == [{"reserve": 4}]
    assert answer["id"] == minigroup["scope"] and answer["status"] == "real-time" and "on_demand" not in answer
    row = gateway.ask("PUT", f"{BASE}/{minigroup['id']}", {"host": "a.b.c"})
    assert row["reserve"] == 4 and row["time"] == [100, 4000000000] and row["host"] == "a.b.c"


def test_an_open_start_is_sent_as_now(gateway, services):
    minigroup = gateway.create()
    services.forget()
    answer = gateway.ask("PUT", f"{BASE}/{minigroup['id']}", {"time": [None, 4000000000]})
    (conference,) = services.take("conference")
    assert abs(conference.json["time"][0] - time.time()) < mg.LIMIT and conference.json["time"][1] == 4000000000
    assert answer["time"] == [None, 4000000000]


@pytest.mark.parametrize(
    "body", [{}, {"time": None}, {"other": 1}, {"host": "a.b"}, {"host": "a..b"}, {"reserve": -1}, {"time": [2, 1]}]
)
def test_update_refuses(gateway, services, body):
    gateway.refuse(400, "invalid_payload", "PUT", f"{BASE}/{uuid.uuid4()}", body)
    gateway.refuse(400, "invalid_payload", "PUT", f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/x", body)
    assert services.take() == []


def test_the_end_may_have_passed(gateway):
    minigroup = gateway.create(time=[None, 1000])
    assert minigroup["status"] == "closed" and gateway.read(minigroup)["status"] == "closed"


# --- recreate ---


def test_recreate_starts_a_new_life(gateway, services):
    minigroup = gateway.create(time=[100, 4000000000], tags={"x": 1}, properties={"a": 1}, reserve=3)
    services.forget()
    answer = gateway.ask("POST", f"{BASE}/{minigroup['id']}/recreate", None)
    assert answer["time"] == [None, None]  # closed with the old generation
    for kept in ("id", "scope", "tags", "properties", "reserve", "host", "created_at"):
        assert answer[kept] == minigroup[kept]
    for renewed in ("event_room_id", "conference_room_id"):
        assert answer[renewed] != minigroup[renewed]
    rooms = services.take(None, "POST", "/api/v1/rooms")
    assert {seen.service for seen in rooms} == {"event", "conference"}
    assert all(seen.json["classroom_id"] == minigroup["id"] and seen.json["tags"] == {"x": 1} for seen in rooms)
    assert services.take("event", "POST", ".*/locked_types")
    answer = gateway.ask(
        "POST", f"{BASE}/{minigroup['id']}/recreate", {"time": [5, 6], "locked_chat": False, "locked_questions": False}
    )
    assert answer["time"] == [5, 6]
    gateway.refuse(400, "invalid_payload", "POST", f"{BASE}/{minigroup['id']}/recreate", {"time": [6, 5]})


# --- services that the config lacks ---


def test_a_missing_upstream_is_found_by_check(services, tmp_path):
    whole = mg.options(services)
    for change in ({"event": None}, {"conference": None}, {"event": {"url": ""}}, {"tq": {"url": "ftp://x"}}):
        directory = tmp_path / uuid.uuid4().hex
        (directory / "plugins.d").mkdir(parents=True)
        (directory / "greenroom.json").write_text(json.dumps({"plugins": {"directory": mg.PLUGINS}}))
        config = {key: value for key, value in {**whole, **change}.items() if value is not None}
        plugin = {"library": "minigroups.so", "enabled": True, "config": config}
        (directory / "plugins.d" / "minigroups.json").write_text(json.dumps(plugin))
        done = subprocess.run(
            [mg.BINARY, "-c", str(directory), "check"], capture_output=True, text=True, timeout=mg.LIMIT
        )
        assert done.returncode == 3 and f"config.{next(iter(change))}" in done.stdout + done.stderr
