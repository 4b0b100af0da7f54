"""What holds for every route: it has a contract case, for example, and an id in its path cannot leave its segment."""

import json
import re
import subprocess

import pytest
from contract import cases, rig

IDS = {
    "roomId": "66f1c0a2b4d93e5a7c118e01",
    "questionId": "2",
    "optionId": "3",
    "code": "qzt-mwvk-prd",
}
# Put into a URL after decoding, these would lead to another path, cut the path off or extend it.
UNSAFE = ["%2e%2e", "..", ".", "%2e", "a%2Fb", "a%5Cb", "a%3Fb%3D1", "a%23b", "a%00b", "a%0d%0aX", "%ff",
          "a%20b", "%", "a%2", "a" * 201, "%25"]
# A role may have any name, so the gateway encodes it again. Only these names cannot be one segment of a path.
UNSAFE_ROLES = ["%2e%2e", "..", ".", "%2e", "a%00b", "a%0d%0aX", "%ff", "%", "a" * 257]
# The operations that do no harm when they are executed twice, as 100ms says or as follows from what it says. Stopping is
# not among them: the second stop is answered 404, which would tell the caller that nothing was running.
REPEATABLE = {
    "rooms.enable", "rooms.disable", "room_codes.update", "room_codes.token", "active_rooms.end_room",
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with rig.Gateway(tmp_path_factory.mktemp("all"), cases.groups()) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def routes(gateway):
    done = subprocess.run(
        [rig.BINARY, "-c", str(gateway.directory), "routes", "--json"],
        capture_output=True, text=True, timeout=rig.LIMIT, check=True,
    )
    return [route for route in json.loads(done.stdout) if route["group"] in cases.groups()]


def first_case(route):
    """Returns the first case of the route in which the upstream is called."""
    return next(case for case in cases.load(route["group"]) if case.route == route["id"]
                and case.upstream and case.upstream.get("receives"))


def test_every_route_has_a_case(routes):
    known = {route["id"] for route in routes}
    covered = {case.route for group in cases.groups() for case in cases.load(group)}
    assert known - covered == set(), "write a case for these"
    assert covered - known == set(), "these cases are about no route"


def test_every_path_and_alias_is_sent(routes):
    sent = [(case.method, case.target.partition("?")[0])
            for group in cases.groups() for case in cases.load(group)]
    for route in routes:
        for path in filter(None, [route["path"], route.get("alias")]):
            shape = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
            assert any(method == route["method"] and shape.fullmatch(target)
                       for method, target in sent), f"no case sends {route['method']} {path}"


def test_every_forward_is_expected(routes):
    """The path that a row names for the upstream is the path in the first case of the route."""
    for route in routes:
        if "forward" not in route:
            continue
        case = first_case(route)
        target = case.upstream["receives"].split(" ", 1)[1].partition("?")[0]
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route["forward"]["path"]), target)
        assert case.upstream.get("at", "api") == route["forward"]["upstream"]


def test_a_method_that_a_path_lacks_is_405_with_allow(routes, gateway):
    by_path = {}
    for route in routes:
        for path in filter(None, [route["path"], route.get("alias")]):
            by_path.setdefault(re.sub(r"\{\w+\}", "1", path), set()).add(route["method"])
    for path, methods in by_path.items():
        answer = gateway.send("PUT", path, b"{}")
        assert answer.status == 405, f"PUT {path}: {answer}"
        allowed = {word.strip() for word in answer.headers["Allow"].split(",")}
        assert methods <= allowed, f"{path}: {allowed}"
        assert answer.json()["code"] == 405


def test_an_unsafe_id_reaches_no_upstream(routes, gateway):
    wrong = []
    for route in routes:
        for name in re.findall(r"\{(\w+)\}", route["path"]):
            for value in UNSAFE_ROLES if name in ("role", "roleName") else UNSAFE:
                path = re.sub(r"\{(\w+)\}", lambda m: value if m.group(1) == name
                              else IDS.get(m.group(1), IDS["roomId"]), route["path"])
                answer = gateway.send(route["method"], path, b"{}" if route["method"] != "GET" else None)
                calls = sum(len(recorder.received) for recorder in gateway.recorders.values())
                if calls or answer.status not in (400, 404, 405, 414):
                    wrong.append(f"{route['method']} {path}: {answer.status}, {calls} calls")
    assert wrong == []


def test_ids_need_not_be_24_hex(routes, gateway):
    for value in ("room-123", "66f2e2229b07c35d2a6f45234", "A1", "a.b_c:d-e", "x" * 128):
        answer = gateway.send("GET", f"/rooms/{value}")
        assert answer.status == 200, answer
        [call] = gateway.recorders["api"].received
        assert call.target == "/v2/rooms/" + value.replace(":", "%3A")


def test_only_what_does_no_harm_twice_is_repeated(routes, tmp_path):
    """An upstream that closes the connection without an answer may have executed the call."""
    often = {"retries": 1, "retry_percent": 100, "breaker": {"enabled": False}}
    api = {"credential": "100ms", **often}
    auth = often
    with rig.Gateway(tmp_path, cases.groups(), {"upstreams": {"api": api, "auth": auth}}) as gateway:
        for recorder in gateway.recorders.values():
            recorder.drops = True
        for route in routes:
            if "forward" not in route or route["method"] == "GET":
                continue
            case = first_case(route)
            answer = gateway.send(case.method, case.target, case.body)
            received = gateway.recorders[case.upstream.get("at", "api")].received
            assert answer.status == 502, f"{case}: {answer}"
            assert len(received) == (2 if route["id"] in REPEATABLE else 1), case
        gateway.send("GET", "/rooms")
        assert len(gateway.recorders["api"].received) == 2


def test_an_operator_can_switch_a_mapping(tmp_path):
    """Where 100ms does not document a mapping, the config can change it: to another path or upstream, or to no filter."""
    switched = {
        "polls": {"polls.session_results": {
            "path": "/polls/{pollId}/sessions/{sessionId}/results", "select": None}},
        "stream_keys": {"stream_keys.get": {"path": "/stream-keys/{roomId}"}},
        "room_codes": {"room_codes.token": {"upstream": "api", "path": "/codes/{code}/token"}},
    }
    with rig.Gateway(tmp_path, list(switched), routes=switched) as gateway:
        for method, target, received in (
            ("GET", "/polls/p/sessions/s/results", "/v2/polls/p/sessions/s/results"),
            ("GET", "/stream-keys/r", "/v2/stream-keys/r"),
            ("POST", "/room-codes/code/a-b-c", "/v2/codes/a-b-c/token"),
        ):
            answer = gateway.send(method, target)
            assert answer.status == 200 and answer.body == cases.ANSWER, answer
            [call] = gateway.recorders["api"].received
            assert call.target == received


def test_a_group_that_is_off_is_gone(tmp_path):
    with rig.Gateway(tmp_path, ["rooms"]) as gateway:
        assert gateway.send("GET", "/polls/p").status == 404
        assert gateway.send("GET", "/rooms/r").status == 200
