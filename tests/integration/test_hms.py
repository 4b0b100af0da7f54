"""The 100ms groups together: each can be disabled alone, and bytes are passed on unchanged."""

import copy
import json
import re

import pytest
from support.hms import GROUPS, gateway_for
from support.upstream import Reply, Upstream

TEMPLATE = "66f1bfe7b4d93e5a7c118d9a"
ODD = ' { "b":1.50,\t"a" : 1e3 ,"\\u00e9\\/": "\\ud83d\\ude00", "z":-0, "big":9007199254740993 } '
NO_PATH = {"code": 404, "message": "no such path"}


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, upstream):
    with gateway_for(tmp_path_factory.mktemp("gateway"), upstream.url + "/v2") as running:
        yield running


@pytest.fixture
def fresh(upstream):
    upstream.forget()
    return upstream


# --- each group alone ---


def routes_of(gateway):
    done = gateway.run("routes", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ask(gateway, route):
    """Calls the route. When it exists, its checks let the call through or answer 400."""
    path = re.sub(r"\{\w+\}", "1", route["path"])
    return gateway.request(route["method"], path, b"{}" if route["method"] != "GET" else None)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_that_is_switched_off_is_gone_and_the_others_stay(group, tmp_path, upstream, gateway):
    everything = routes_of(gateway)
    gone = [route for route in everything if route["group"] == group]
    assert gone
    with gateway_for(tmp_path, upstream.url + "/v2", plugins={group: {"enabled": False}}) as without:
        assert routes_of(without) == [route for route in everything if route["group"] != group]
        for route in gone:
            answer = ask(without, route)
            assert answer.status == 404 and answer.json == NO_PATH, f"{route['method']} {route['path']}: {answer}"
            assert ask(gateway, route).json != NO_PATH
        for other in GROUPS:
            route = next(route for route in everything if route["group"] == other)
            assert other == group or ask(without, route).status in (200, 201, 400, 401), route


# --- bytes unchanged ---


def test_a_large_list_passes_without_being_printed_again(gateway, fresh):
    rows = (",\r\n".join([ODD] * 20000)).encode()
    body = b'{"limit":100 , "data":[' + rows[:1 << 20].rsplit(b",\r\n", 1)[0] + b'],\n\n"last":""}\n'
    assert len(body) > 1_000_000
    fresh.on("GET", "/v2/rooms", Reply(body))
    answer = gateway.get("/rooms?limit=100")
    assert answer.status == 200 and answer.body == body


def test_an_answer_in_which_nothing_changes_is_not_parsed(gateway, fresh):
    for body in (b'{"a":1,"a":2}', b"[" * 3000 + b"]" * 3000, b'{"broken": ', b"\xff\xfe not JSON"):
        fresh.on("GET", "/v2/rooms/r1", Reply(body))
        answer = gateway.get("/rooms/r1")
        assert answer.status == 200 and answer.body == body


def test_a_large_template_passes_without_being_printed_again(gateway, fresh):
    roles = ",\n ".join(f'"role-{n}":{{"name":"role-{n}", "priority": {n % 5 + 1},"x":{ODD}}}' for n in range(2000))
    body = ('{ "name" : "large","roles":{ ' + roles + '}, "settings":{"region":"in" },  "default":false, "unknown":[1.50,null ] }').encode()
    assert len(body) > 200_000
    fresh.on("POST", f"/v2/templates/{TEMPLATE}", lambda request: Reply(request.body))
    answer = gateway.post(f"/templates/{TEMPLATE}", body)
    assert answer.status == 200 and answer.body == body
    assert fresh.requests[-1].body == body


# --- read, change, write ---


def test_a_template_keeps_every_member_when_one_permission_changes(box, tmp_path):
    with gateway_for(tmp_path / "gateway", box.url) as gateway:
        made = gateway.post("/templates", {
            "name": "rmw",
            "plugins": {"whiteboard": {"permissions": {"admin": ["host"]}}},
            "from_the_future": {"kept": [1, None, False, ""]},
            "roles": {"host": {
                "name": "host",
                "maxPeerCount": 0,
                "permissions": {"hlsStreaming": True, "changeRole": True, "newPermission": True},
                "publishParams": {"allowed": ["audio", "video"], "newCodec": {"bitRate": 7}},
            }},
            "settings": {"region": "in", "retry": {"times": 2}},
            "destinations": {"hlsDestinations": {"d1": {"name": "d1", "role": "host", "newFlag": False}}},
        })
        assert made.status == 200, made
        before = gateway.get(f"/templates/{made.json['id']}").json
        assert before["roles"]["host"]["permissions"]["hlsStreaming"] is True
        changed = copy.deepcopy(before)
        changed["roles"]["host"]["permissions"]["hlsStreaming"] = False
        answer = gateway.post(f"/templates/{made.json['id']}", changed)
        assert answer.status == 200, answer
        after = gateway.get(f"/templates/{made.json['id']}").json
        for member in ("updatedAt", "updated_at"):
            for one in (changed, after):
                one.pop(member, None)
        assert after == changed
        assert after["from_the_future"] == {"kept": [1, None, False, ""]}
        assert after["roles"]["host"]["publishParams"]["newCodec"] == {"bitRate": 7}
        assert after["destinations"]["hlsDestinations"]["d1"]["newFlag"] is False


def test_a_join_token_of_the_gateway_opens_the_sandbox(box, tmp_path):
    with gateway_for(tmp_path / "gateway", box.url) as gateway:
        room = gateway.post("/rooms", {"name": "door"}).json
        token = gateway.post("/token", {"roomId": room["id"], "role": "host", "userId": "ada"}).json["token"]
        peer = box.post(f"/sandbox/rooms/{room['id']}/peers", {"token": token})
        assert peer["user_id"] == "ada"
        assert gateway.get(f"/active-rooms/{room['id']}/peers/{peer['id']}").json["role"] == "host"
        code = next(one for one in gateway.post(f"/room-codes/{room['id']}").json["data"] if one["role"] == "guest")
        token = gateway.post(f"/room-codes/code/{code['code']}").json["token"]
        assert box.post(f"/sandbox/rooms/{room['id']}/peers", {"token": token})["role"] == "guest"
