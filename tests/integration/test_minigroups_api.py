"""Every route of the minigroups group: answers, defaults, bounds, errors, calls of the services."""

import json
import re
import subprocess
import time
import uuid

import pytest
from support import minigroups as mg

BASE = "/api/v1/minigroups"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    gateway = mg.Gateway(directory, services, mg.store_url(directory), turn_hosts=["turn1.example.org:3478", "turn2"])
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
def clean(services):
    services.mend()
    services.forget()
    services.events, services.snapshots = {}, []


def by_scope(minigroup):
    return f"/api/v1/audiences/{minigroup['audience']}/minigroups/{minigroup['scope']}"


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


# --- callers ---


@pytest.mark.parametrize(
    "bearer",
    [
        "x",
        "a.b.c",
        mg.token(mg.ADMIN, secret="another-secret-another-secret-another"),
        mg.token(mg.ADMIN, exp=int(time.time()) - 1),
        mg.token(mg.ADMIN, exp=None),
        mg.token(mg.ADMIN, nbf=int(time.time()) + 1000),
        mg.token(mg.ADMIN, sub="admin.usr"),
        mg.token(mg.ADMIN, sub="admin:x"),
        mg.token(mg.ADMIN, iss="iam.other.org"),
        mg.token(mg.ADMIN, aud="usr.other.org"),
        mg.token(mg.ADMIN, aud=["usr.example.org"]),
        mg.token(mg.ADMIN, sub=None),
        mg.token(mg.ADMIN, iss="svc.example.org"),
        mg.token(mg.ADMIN, header={"alg": "none"}),
        mg.token(mg.ADMIN, header={"alg": "HS512"}),
        mg.token(mg.ADMIN).rsplit(".", 1)[0] + ".",
    ],
)
def test_bad_tokens(gateway, bearer):
    headers = {"Authorization": "Bearer " + bearer}
    problem = gateway.refuse(401, "invalid_authentication", "GET", f"{BASE}/{uuid.uuid4()}", who=None, headers=headers)
    assert problem["detail"]


def test_guesses_of_tokens_are_throttled(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, auth={"throttle": {"failures": 3}})
    try:
        path, guess = f"{BASE}/{uuid.uuid4()}", {"Authorization": "Bearer " + mg.token(mg.ADMIN, secret="guessed")}
        statuses = [gateway.call("GET", path, headers=guess)[0] for _ in range(5)]
        assert statuses == [401] * 3 + [429] * 2
    finally:
        assert gateway.stop() == 0


def test_good_tokens(gateway):
    path = f"{BASE}/{gateway.create()['id']}"
    bearer = mg.token(mg.ADMIN, header={"alg": "HS256", "kid": "some"})
    gateway.ask("GET", path, who=None, headers={"Authorization": "bearer " + bearer})
    gateway.ask("GET", f"{path}?access_token={bearer}", who=None)
    # the header wins, and another scheme is not a token
    good = mg.token(mg.ADMIN)
    for header in ("Bearer x", "Basic " + good):
        problem = ("GET", f"{path}?access_token={good}")
        gateway.refuse(401, "invalid_authentication", *problem, who=None, headers={"Authorization": header})


def test_an_issuer_whose_tokens_never_end(services, tmp_path):
    """The original's services sign tokens without exp, and do not look at nbf."""
    whole = mg.options(services)
    for issuer in whole["authn"]:
        issuer.update(exp_required=False, nbf_checked=False)
    gateway = mg.Gateway(tmp_path, services, authn=whole["authn"])
    try:
        path = f"{BASE}/{gateway.create()['id']}"
        for bearer in (mg.token(mg.ADMIN, exp=None), mg.token(mg.ADMIN, nbf=int(time.time()) + 1000)):
            gateway.ask("GET", path, who=None, headers={"Authorization": "Bearer " + bearer})
    finally:
        gateway.stop()


def test_order_of_checks(gateway, services):
    missing = f"{BASE}/{uuid.uuid4()}"
    gateway.refuse(400, "invalid_parameter", "GET", f"{BASE}/not-a-uuid", who=None)
    gateway.refuse(401, "no_authentication_token", "PUT", missing, {"bad": 1}, who=None)
    gateway.refuse(400, "invalid_payload", "PUT", missing, {"reserve": "x"})
    gateway.refuse(400, "invalid_query_string", "GET", missing + "?class_keys=a")
    gateway.refuse(404, "class_not_found", "PUT", missing, {"reserve": 1}, who=mg.PUPIL)
    gateway.refuse(403, "access_denied", "PUT", f"{BASE}/{gateway.create()['id']}", {"reserve": 1}, who=mg.PUPIL)


def test_unknown_paths_and_methods(gateway):
    gateway.refuse(404, "not_found", "GET", BASE + "/a/b/c/d")
    status, _, headers = gateway.call("DELETE", f"{BASE}/{uuid.uuid4()}")
    assert status == 405 and {"GET", "PUT"} <= {word.strip() for word in headers["Allow"].split(",")}


BODY_MAX = 2 * 1024 * 1024


def test_bodies_of_two_mebibytes_are_taken_and_no_larger_ones(gateway):
    minigroup = gateway.create()
    path = f"{BASE}/{minigroup['id']}"
    for method, route, body, _ in routes_of(minigroup):
        if body is not None:
            gateway.refuse(413, "payload_too_large", method, route, raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "POST", BASE, raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "POST", f"/api/v1/audiences/{mg.AUDIENCE}/events", raw=b" " * (BODY_MAX + 1))
    gateway.refuse(413, "payload_too_large", "PUT", "/api/v1/account/properties/a", raw=b" " * (BODY_MAX + 1))
    assert gateway.call("PUT", path + "/properties/large", raw=b'"' + b"x" * (BODY_MAX - 2) + b'"')[0] == 200
    assert len(gateway.ask("GET", path + "/properties/large")) == BODY_MAX - 2


# --- rights ---


def routes_of(minigroup):
    path = f"{BASE}/{minigroup['id']}"
    return [
        ("GET", path, None, "read"),
        ("GET", by_scope(minigroup), None, "read"),
        ("PUT", path, {"reserve": 1}, "update"),
        ("PUT", by_scope(minigroup), {"reserve": 1}, "update"),
        ("POST", path + "/recreate", {}, "update"),
        ("GET", path + "/download", None, "download"),
        ("POST", path + "/events", {"type": "a", "data": 1}, "update"),
        ("POST", path + "/timestamps", {"position": 1}, "read"),
        ("GET", path + "/properties/a", None, "read"),
        ("PUT", path + "/properties/a", 1, "update"),
        ("POST", path + "/whiteboard", None, "update"),
        ("POST", f"/api/v1/transcoding/minigroup/{minigroup['id']}/restart", {}, "update"),
    ]


def test_each_route_asks_the_authorizer(gateway, services):
    minigroup = gateway.create(audience="asks.example.org")
    asked = services.take("authz")[0]
    assert asked.path == "/ask" and asked.json == {
        "subject": {"namespace": "usr.example.org", "value": "admin"},
        "object": {"namespace": mg.SERVICES["dispatcher"], "value": ["classrooms"]},
        "action": "create",
    }
    claims = mg.claims_in(asked.headers["Authorization"])
    assert claims["aud"] == "svc.example.org:asks.example.org" and claims["sub"] == "dispatcher"
    services.fail("authz", "POST", "/ask", 200, [])
    for method, path, body, action in routes_of(minigroup):
        services.forget()
        problem = gateway.refuse(403, "access_denied", method, path, body)
        assert mg.ADMIN in problem["detail"] and minigroup["id"] in problem["detail"]
        (asked,) = services.take()
        assert asked.json["object"]["value"] == ["classrooms", minigroup["id"]] and asked.json["action"] == action


def test_an_authorizer_that_does_not_answer(gateway, services):
    path = f"{BASE}/{gateway.create(audience='asks.example.org')['id']}"
    for status, answer in ((500, {}), (None, None), (200, b"oops"), (200, {"ok": 1}), (200, ["read", 1])):
        services.mend()
        services.forget()
        services.fail("authz", "POST", "/ask", status, answer)
        gateway.refuse(422, "authorization_failed", "GET", path)
        assert len(services.take("authz")) == 3  # max_retries
    services.mend()
    services.fail("authz", "POST", "/ask", 500, [], times=2)  # no answer, twice
    services.rules[0][4] = b"no"
    gateway.ask("GET", path)
    services.mend()
    services.fail("authz", "POST", "/ask", 503, ["read"])  # the status is not checked
    gateway.ask("GET", path)


def test_other_kinds_of_rights(gateway):
    open_one = gateway.create(audience="open.example.org")
    gateway.ask("PUT", f"{BASE}/{open_one['id']}", {"reserve": 1}, who=mg.PUPIL)
    gateway.create(audience="trusts.example.org")
    body = {"scope": "x", "audience": "trusts.example.org", "host": mg.TEACHER}
    gateway.refuse(403, "access_denied", "POST", BASE, body, who=mg.PUPIL)
    gateway.refuse(403, "access_denied", "POST", BASE, {**body, "audience": "unknown.example.org"})


def test_a_scope_of_another_tenant_is_neither_there_nor_absent(gateway):
    there = gateway.create()["scope"]
    absent, shapes = f"absent-{uuid.uuid4()}", set()
    for scope in (there, absent):
        path = f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/{scope}"
        problems = [
            gateway.refuse(403, "access_denied", "PUT", path, {"reserve": 1}, who=mg.PUPIL) for _ in range(2)
        ]
        assert problems[0] == problems[1]
        text = json.dumps(problems[0])
        shapes.add(re.sub("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "ID", text))
    assert len(shapes) == 1
    gateway.refuse(404, "class_not_found", "PUT", path, {"reserve": 1})


# --- read ---


def test_read_by_id_and_by_scope(gateway):
    minigroup = gateway.create(properties={"a": 1, "b": [None]}, tags={"x": 1})
    answer = gateway.read(minigroup)
    assert answer.pop("turn_host")
    assert answer == {
        "class_id": minigroup["id"],
        "id": minigroup["scope"],
        "real_time": minigroup["real_time"],
        "status": "real-time",
        "timed_out": False,
        "content_id": minigroup["id"],
        "properties": {},
        "account_properties": {},
    }
    again = gateway.ask("GET", by_scope(minigroup), who=mg.PUPIL)
    again.pop("turn_host")
    assert again == answer
    assert gateway.ask("GET", f"{BASE}/{minigroup['id'].upper()}")["class_id"] == minigroup["id"]
    assert gateway.call("HEAD", f"{BASE}/{minigroup['id']}")[:2] == (200, b"")
    gateway.refuse(404, "class_not_found", "GET", f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/nope")


def test_turn_hosts_vary(gateway):
    minigroup = gateway.create()
    assert {gateway.read(minigroup)["turn_host"] for _ in range(64)} == {"turn1.example.org:3478", "turn2"}


@pytest.mark.parametrize(
    "query, expected",
    [
        ("class_keys[]=a&class_keys[]=b", {"a": 1, "b": [None]}),
        ("class_keys[1]=a&class_keys[7]=c+d", {"a": 1, "c d": 2}),
        ("class_keys%5B%5D=a", {"a": 1}),
        ("class_keys[]=zz&class_keys[]=a&class_keys[]=a", {"a": 1}),
        ("class_keys=", {}),
        ("class_keys", {}),
        ("class_keys[]=", {}),
        ("class_keys[]=c%20d&other=1", {"c d": 2}),
    ],
)
def test_class_keys(gateway, query, expected):
    minigroup = gateway.create(properties={"a": 1, "b": [None], "c d": 2})
    assert gateway.read(minigroup, "?" + query)["properties"] == expected


@pytest.mark.parametrize("name", ["class_keys", "account_keys"])
@pytest.mark.parametrize(
    "query",
    ["{}=a", "{0}=a&{0}=b", "{0}[]=a&{0}[0]=b", "{}[x]=a", "{0}[0]=a&{0}[0]=b", "{}[]=%ff"],
)
def test_bad_keys(gateway, name, query):
    path = f"{BASE}/{uuid.uuid4()}?" + query.format(name)
    status, answer, _ = gateway.call("GET", path)
    assert status == 400 and answer["type"] == "invalid_query_string", answer


def test_properties_of_an_account_have_a_limit_in_all(gateway):
    path, who = "/api/v1/account/properties/", "s-9.usr.example.org"
    for name in "abc":
        gateway.ask("PUT", path + name, "x" * 20000, who=who)
    gateway.refuse(413, "payload_too_large", "PUT", path + "d", "x" * 20000, who=who)
    gateway.refuse(404, "account_property_not_found", "GET", path + "d", who=who)
    gateway.ask("PUT", path + "a", 1, who=who)
    gateway.ask("PUT", path + "d", "x" * 20000, who=who)


def test_account_properties(gateway):
    who, minigroup = f"u{uuid.uuid4()}.usr.example.org", gateway.create()
    path = "/api/v1/account/properties/"
    gateway.refuse(404, "account_not_found", "GET", path + "onboarding", who=who)
    assert gateway.ask("PUT", path + "onboarding", True, who=who) == {"onboarding": True}
    assert gateway.ask("PUT", path + "other", None, raw=b"null", who=who) == {"onboarding": True, "other": None}
    assert gateway.ask("GET", path + "onboarding", who=who) is True
    gateway.refuse(404, "account_property_not_found", "GET", path + "nope", who=who)
    query = "?account_keys[]=onboarding&account_keys[]=nope"
    assert gateway.read(minigroup, query, who=who)["account_properties"] == {"onboarding": True}
    assert gateway.read(minigroup, query)["account_properties"] == {}


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


# --- events, whiteboard ---


def test_events_go_to_the_class_room(gateway, services):
    minigroup = gateway.create()
    services.forget()
    event = {"type": "host", "data": None, "label": "l", "is_claim": True, "unknown": {"x": 1}}
    path = f"{BASE}/{minigroup['id']}/events"
    assert gateway.ask("POST", path, {**event, "room_id": str(uuid.uuid4())}, 201) == {}
    (seen,) = services.take()
    assert seen.path == f"/api/v1/rooms/{minigroup['event_room_id']}/events" and seen.json == event


@pytest.mark.parametrize("body", [{}, {"type": "a"}, {"type": "", "data": 1}, {"type": 1, "data": 1}, {"data": 1}, []])
def test_events_are_checked(gateway, services, body):
    minigroup = gateway.create()
    services.forget()
    gateway.refuse(400, "invalid_payload", "POST", f"{BASE}/{minigroup['id']}/events", body)
    assert services.take() == []


def test_refused_and_lost_events_differ(gateway, services):
    path = f"{BASE}/{gateway.create()['id']}/events"
    services.fail("event", "POST", ".*/events", 404, {"type": "room_closed"})
    gateway.refuse(400, "invalid_payload", "POST", path, {"type": "a", "data": 1})
    services.mend()
    services.fail("event", "POST", ".*/events", None)
    status, answer, _ = gateway.call("POST", path, {"type": "a", "data": 1})
    assert status == 502 and answer["type"] == "event_service_unreachable"


def test_a_whiteboard_is_two_events(gateway, services):
    minigroup = gateway.create()
    services.forget()
    assert gateway.ask("POST", f"{BASE}/{minigroup['id']}/whiteboard", None, 201) == {}
    document, page = (seen.json for seen in services.take("event", "POST", ".*/events"))
    label = document.pop("label")
    assert UUID.fullmatch(label)
    assert document == {
        "type": "document",
        "set": "document",
        "data": {"title": "whiteboard", "page": 1, "published": True, "url": "about:whiteboard"},
    }
    assert page == {
        "type": "document_page",
        "set": f"document_page_{label}",
        "label": f"document_page_{label}_1",
        "data": {"page": 1, "title": ""},
    }


@pytest.mark.parametrize("good", [0, 1])
def test_a_whiteboard_that_fails(gateway, services, good):
    path = f"{BASE}/{gateway.create()['id']}/whiteboard"
    services.forget()
    services.fail("event", "POST", ".*/events", 500)
    if good:
        services.fail("event", "POST", ".*/events", 201, {}, times=1)
    gateway.refuse(422, "creation_whiteboard_failed", "POST", path)
    assert len(services.take("event")) == good + 1


# --- positions ---


@pytest.mark.parametrize("position", [-1, 1.0, "1", None, [], True])
def test_positions_are_checked(gateway, position):
    path = f"{BASE}/{gateway.create()['id']}/timestamps"
    gateway.refuse(400, "invalid_payload", "POST", path, {"position": position})


def test_positions_are_saved_by_anybody_who_reads(gateway):
    path = f"{BASE}/{gateway.create()['id']}/timestamps"
    for position in (0, 7, 86401, 2**62):
        assert gateway.ask("POST", path, {"position": position}, 201, who=mg.PUPIL) == {}
    gateway.refuse(400, "invalid_payload", "POST", path, {})
    gateway.refuse(404, "class_not_found", "POST", f"{BASE}/{uuid.uuid4()}/timestamps", {"position": 1})


# --- properties ---


@pytest.mark.parametrize("value", [True, None, 0, "", [], {}, {"a": [1, None]}, "Grüße", 1.5])
def test_properties_hold_any_json(gateway, value):
    minigroup = gateway.create(properties={"kept": 1})
    path = f"{BASE}/{minigroup['id']}/properties/"
    raw = json.dumps(value).encode()
    assert gateway.ask("PUT", path + "a%2Fb%20c", raw=raw) == {"kept": 1, "a/b c": value}
    assert gateway.ask("GET", path + "a%2Fb%20c") == value
    assert gateway.ask("PUT", path + "kept", 2) == {"kept": 2, "a/b c": value}


def test_properties_are_checked(gateway):
    path = f"{BASE}/{gateway.create()['id']}/properties/x"
    gateway.refuse(404, "class_property_not_found", "GET", path)
    for raw in (b"", b"{", b"1 2"):
        gateway.refuse(400, "invalid_payload", "PUT", path, raw=raw)
    gateway.refuse(400, "invalid_payload", "PUT", path, raw=b"1", headers={"Content-Type": "text/plain"})


# --- download ---


def test_nothing_to_download_without_recordings(gateway):
    gateway.refuse(404, "recording_not_found", "GET", f"{BASE}/{gateway.create()['id']}/download")


# --- the browser ---


def test_every_origin_may_call(gateway):
    path = f"{BASE}/{gateway.create()['id']}"
    assert gateway.call("GET", path, headers={"Origin": "https://x.org"})[2]["Access-Control-Allow-Origin"] == "*"
    headers = {
        "Origin": "https://x.org",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,ulms-scope,x-agent-label",
    }
    status, _, answer = gateway.call("OPTIONS", path, who=None, headers=headers)
    assert status == 200 and answer["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == headers["Access-Control-Request-Headers"]


# --- keys ---


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory, timeout=mg.LIMIT)

    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.sec1")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "ec.sec1", "-out", "ec.pem")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", "ec.sec1", "-outform", "DER", "-out", "ec.der")
    openssl("ec", "-in", "ec.pem", "-pubout", "-out", "ec.pub.pem")
    openssl("ec", "-in", "ec.pem", "-pubout", "-outform", "DER", "-out", "ec.pub.der")
    (directory / "ec.point").write_bytes((directory / "ec.pub.der").read_bytes()[-65:])
    return directory


def es256(directory, claims):
    body = mg.b64(json.dumps({"alg": "ES256"}).encode()) + "." + mg.b64(json.dumps(claims).encode())
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", str(directory / "ec.pem")],
        input=body.encode(), check=True, capture_output=True, timeout=mg.LIMIT,
    )
    der, numbers, at = done.stdout, [], 2
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + length], "big").to_bytes(32, "big"))
        at += 2 + length
    return body + "." + mg.b64(b"".join(numbers))


@pytest.mark.parametrize("form", ["ec.pub.pem", "ec.pub.der", "ec.point"])
def test_public_keys_in_three_forms(services, tmp_path, keys, form):
    authn = [
        {
            "issuer": "iam.example.org",
            "audience": ["usr.example.org"],
            "algorithm": "ES256",
            "key_file": str(keys / form),
        }
    ]
    gateway = mg.Gateway(tmp_path, services, authn=authn)
    try:
        good = es256(keys, mg.claims_of(mg.ADMIN))
        path = f"{BASE}/{uuid.uuid4()}"
        gateway.refuse(404, "class_not_found", "GET", path, who=None, headers={"Authorization": "Bearer " + good})
        # the algorithm is the issuer's, not the token's choice
        for bad in (mg.token(mg.ADMIN), good[:-4] + "AAAA"):
            headers = {"Authorization": "Bearer " + bad}
            gateway.refuse(401, "invalid_authentication", "GET", path, who=None, headers=headers)
    finally:
        gateway.stop()


def test_our_own_tokens_by_es256(services, tmp_path, keys):
    gateway = mg.Gateway(
        tmp_path, services, id_token_algorithm="ES256", id_token_key_file=str(keys / "ec.der")
    )
    try:
        gateway.create(host=None)
        bearer = services.take("conference")[0].headers["Authorization"].split()[1]
        head, body, signature = bearer.split(".")
        assert json.loads(mg.base64.urlsafe_b64decode(head + "=="))["alg"] == "ES256" and len(signature) == 86
    finally:
        gateway.stop()


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
