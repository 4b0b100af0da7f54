"""The sandbox: rooms, room codes, sessions with their peers, SIP calls."""

import re

import pytest

from support.sandbox import claims, jwt
from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)


# --- rooms ---


def test_a_room_of_an_existing_name_is_updated(box):
    first = box.room(name="Algebra.7", description="one")
    second = box.room(name="ALGEBRA.7", size=12)
    assert second["id"] == first["id"] and second["description"] == "one" and second["size"] == 12
    assert box.room()["id"] != box.room()["id"]


@pytest.mark.parametrize(
    "body, message",
    [
        ({"name": "no spaces"}, "Invalid body param: name"),
        ({"template": "x"}, "Invalid body param: template"),
        ({"template_id": "x"}, "template not found"),
        ({"region": "mars"}, "region not supported"),
        ({"max_duration_seconds": 119}, "Invalid body param: max_duration_seconds"),
        ({"max_duration_seconds": 43201}, "Invalid body param: max_duration_seconds"),
        ({"size": 2501}, "Invalid body param"),
        ({"size": 20001, "large_room": True}, "Invalid body param"),
        ({"recording_info": {"upload_info": {"type": "s3"}}}, "Bucket location is missing"),
        ({"recording_info": {"upload_info": {"type": "x", "location": "b"}}}, "Invalid upload configuration"),
    ],
)
def test_refuses_a_wrong_room(box, body, message):
    assert box.fails("POST", "/rooms", body) == (400, message)
    assert box.get("/rooms")["data"] == []


def test_room_recording_settings_detach_it_from_the_template(box):
    room = box.room(name="rec")
    assert room["recording_info"] is None and "recording_source_template" not in room
    room = box.post(f"/rooms/{room['id']}", {"recording_info": {"enabled": True}})
    assert room["recording_source_template"] is False and room["recording_info"] == {"enabled": True}


def test_a_room_is_in_the_region_of_its_template(box):
    template = box.post("/templates", {"name": "eu", "settings": {"region": "eu"}})
    assert box.room(name="one", template_id=template["id"])["region"] == "eu"
    assert box.room(name="two", template_id=template["id"], region="in")["region"] == "in"
    assert box.room(name="three")["region"] == "auto"


def test_lists_are_filtered_and_paged_from_the_newest(box):
    made = [box.room(name=f"room-{i}")["id"] for i in range(23)]
    box.post(f"/rooms/{made[3]}", {"enabled": False})
    seen, start = [], ""
    while True:
        page = box.get("/rooms?limit=10" + (f"&start={start}" if start else ""))
        assert page["limit"] == 10
        seen += [room["id"] for room in page["data"]]
        start = page["last"]
        if len(page["data"]) < 10:
            break
    assert seen == made[::-1]
    assert [r["id"] for r in box.get("/rooms?enabled=false")["data"]] == [made[3]]
    assert [r["id"] for r in box.get("/rooms?name=ROOM-5")["data"]] == [made[5]]
    middle = box.get(f"/rooms/{made[11]}")["created_at"]
    before = box.get(f"/rooms?limit=100&before={middle}")["data"]
    after = box.get(f"/rooms?limit=100&after={middle}")["data"]
    assert made[11] in [r["id"] for r in before] and made[11] in [r["id"] for r in after]
    assert box.get("/rooms?template_id=nothing")["data"] == []
    assert box.fails("GET", "/rooms?limit=101")[0] == 400
    assert box.fails("GET", "/rooms?limit=9")[0] == 400
    assert box.fails("GET", "/rooms?start=nowhere")[0] == 400


def test_an_unknown_room_is_404(box):
    assert box.fails("GET", "/rooms/66f1c0a2b4d93e5a7c118e01")[0] == 404


# --- codes ---


def test_codes_are_made_per_role_and_exchanged(box):
    room = box.room(name="codes")
    path = f"/room-codes/room/{room['id']}"
    codes = box.post(path)["data"]
    assert sorted(code["role"] for code in codes) == ["guest", "host"]
    assert all(re.match(r"^[a-z]{3}-[a-z]{4}-[a-z]{3}$", code["code"]) for code in codes)
    assert box.post(path)["data"] == codes, "asked again, it answers the codes that exist"
    one = box.post(f"{path}/role/guest")
    assert box.fails("POST", f"{path}/role/nobody") == (404, "Role not found")
    assert len(box.get(f"{path}?role=guest")["data"]) == 2
    assert box.fails("GET", f"{path}?role=nobody") == (404, "Role not found")

    token = box.post("/token", {"code": one["code"], "user_id": "u1"}, token="")["token"]
    peer = box.post(f"/sandbox/rooms/{room['id']}/peers", {"token": token, "name": "Ama"})
    assert (peer["role"], peer["user_id"], peer["name"]) == ("guest", "u1", "Ama")

    off = box.post("/room-codes/code", {"code": one["code"], "enabled": False})
    assert off["enabled"] is False
    assert box.fails("POST", "/token", {"code": one["code"]}, token="")[0] == 404
    assert [c["code"] for c in box.get(f"{path}?enabled=false")["data"]] == [one["code"]]
    assert box.fails("POST", "/room-codes/code", {"code": one["code"], "enabled": True, "x": 1}) == (
        400, "Invalid body parameter")
    assert box.fails("POST", "/room-codes/code", {"code": one["code"], "enabled": "no"}) == (
        400, "Invalid body parameter")
    assert box.fails("POST", "/room-codes/code", {"code": "nope", "enabled": True}) == (404, "Code not found")


def test_a_code_whose_role_is_gone_cannot_be_enabled(box):
    template = box.post("/templates", {"name": "t", "roles": {"a": {}, "b": {}}})
    room = box.room(name="r", template_id=template["id"])
    code = box.post(f"/room-codes/room/{room['id']}/role/a")["code"]
    box.post("/room-codes/code", {"code": code, "enabled": False})
    box.ok("DELETE", f"/templates/{template['id']}/roles/a", status=204)
    assert box.fails("POST", "/room-codes/code", {"code": code, "enabled": True}) == (
        403, "Code can not be enabled")


def test_codes_asked_for_again_follow_the_roles(box):
    template = box.post("/templates", {"name": "t", "roles": {"a": {}, "b": {}}})
    room = box.room(name="r", template_id=template["id"])
    path = f"/room-codes/room/{room['id']}"
    first = {code["role"]: code["code"] for code in box.post(path)["data"]}
    box.ok("DELETE", f"/templates/{template['id']}/roles/a", status=204)
    box.post(f"/templates/{template['id']}/roles/c", {})
    second = {code["role"]: code["code"] for code in box.post(path)["data"]}
    assert sorted(second) == ["b", "c"] and second["b"] == first["b"]
    states = {code["code"]: code["enabled"] for code in box.get(path)["data"]}
    assert states == {first["a"]: False, first["b"]: True, second["c"]: True}


def test_a_room_has_at_most_100_codes_and_none_while_disabled(box):
    room = box.room(name="many")
    path = f"/room-codes/room/{room['id']}"
    for _ in range(99):
        box.post(f"{path}/role/host")
    assert len(box.post(path)["data"]) == 100, "the one for guests is the last"
    assert box.fails("POST", f"{path}/role/host")[0] == 400
    box.post(f"/rooms/{room['id']}", {"enabled": False})
    assert box.fails("GET", path) == (403, "Room is disabled")


# --- sessions and active rooms ---


def test_peers_join_and_leave_and_the_session_ends_with_the_last(box):
    room = box.room(name="live")
    assert box.fails("GET", f"/active-rooms/{room['id']}")[0] == 404
    host = box.join(room, "host", name="Kofi", user_id="k", metadata='{"seat":1}')
    guest = box.join(room, "guest", name="Ama", user_id="a")
    active = box.get(f"/active-rooms/{room['id']}")
    assert sorted(active["session"]["peers"]) == sorted([host["id"], guest["id"]])
    peers = box.get(f"/active-rooms/{room['id']}/peers?role=host")["peers"]
    assert list(peers) == [host["id"]] and "tracks" not in peers[host["id"]]
    assert box.get(f"/active-rooms/{room['id']}/peers?user_id=nobody") == {"peers": {}}
    full = box.get(f"/active-rooms/{room['id']}/peers/{host['id']}")
    assert {t["type"] for t in full["tracks"].values()} == {"audio", "video"}
    assert full["metadata"] == '{"seat":1}'

    changed = box.post(f"/active-rooms/{room['id']}/peers/{guest['id']}", {"name": "B", "role": "host"})
    assert (changed["name"], changed["role"]) == ("B", "host")
    assert box.fails("POST", f"/active-rooms/{room['id']}/peers/{guest['id']}", {"role": "no"})[0] == 400

    message = {"message": "hello", "role": "host"}
    assert box.post(f"/active-rooms/{room['id']}/send-message", message) == {"message": "message sent"}
    assert box.fails("POST", f"/active-rooms/{room['id']}/remove-peers", {"reason": "x"})[0] == 400
    box.post(f"/active-rooms/{room['id']}/remove-peers", {"peer_id": guest["id"], "reason": "bye"})
    session = active["session"]["id"]
    assert box.get(f"/sessions/{session}")["active"] is True
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{host['id']}", status=204)
    ended = box.get(f"/sessions/{session}")
    assert ended["active"] is False and len(ended["peers"]) == 2
    assert all("left_at" in peer for peer in ended["peers"].values())
    assert ended["_id"] == session and ended["ended_at"] >= ended["created_at"]
    assert all(peer["user"] == peer["user_id"] for peer in ended["peers"].values())
    assert box.get(f"/sessions?active=false&room_id={room['id']}")["data"][0]["id"] == session
    assert not [name for name in ended if name.startswith(".")]


def test_end_room_with_lock_disables_it(box):
    room = box.room(name="ending")
    assert box.fails("POST", f"/active-rooms/{room['id']}/end-room", {}) == (404, "session not found")
    box.join(room)
    assert box.post(f"/active-rooms/{room['id']}/end-room", {"lock": True}) == {"message": "session is ending"}
    assert box.get(f"/rooms/{room['id']}")["enabled"] is False
    assert box.fails("POST", f"/sandbox/rooms/{room['id']}/peers", {"role": "host"}) == (403, "Room is disabled")


def test_joining_obeys_role_room_and_token(box):
    template = box.post("/templates", {"name": "lim", "roles": {"a": {"maxPeerCount": 1}, "b": {"maxPeerCount": -1}}})
    room = box.room(name="lim", template_id=template["id"])
    path = f"/sandbox/rooms/{room['id']}/peers"
    box.join(room, "a")
    assert box.fails("POST", path, {"role": "a"})[0] == 403
    assert box.fails("POST", path, {"role": "b"})[0] == 403
    assert box.fails("POST", path, {"role": "c"}) == (404, "Role not found")
    token = jwt(claims("app", room_id="other", role="a"))
    assert box.fails("POST", path, {"token": token})[0] == 403
    assert box.fails("POST", path, {"token": jwt(claims())})[0] == 401


def test_a_session_ends_after_its_longest_duration(box):
    room = box.room(name="short", max_duration_seconds=120)
    box.join(room)
    box.advance(3)
    assert box.call("GET", f"/active-rooms/{room['id']}").status == 200
    box.advance(4)  # 120 s pass in 6 at the speed of 20
    assert box.call("GET", f"/active-rooms/{room['id']}").status == 404


# --- SIP ---


def test_sip_calls_join_and_tones_want_an_app_token(box):
    room = box.room(name="sip")
    code = box.post(f"/room-codes/room/{room['id']}/role/guest")["code"]
    trunk = {"username": "u", "password": "p", "address": "sip.example.org", "from": "+1"}
    trunk_id = box.post("/sip/outbound/trunks", trunk)["id"]
    assert box.post(f"/sip/outbound/trunks/{trunk_id}", {"from": "+2"}) == {"id": trunk_id}
    call = {"to": "+3", "room_code": code, "trunk_id": trunk_id}
    assert box.post("/sip/outbound/call", call)["id"]
    for member in call:
        rest = {name: value for name, value in call.items() if name != member}
        assert box.fails("POST", "/sip/outbound/call", rest) == (400, f"{member} is mandatory")
    assert box.fails("POST", "/sip/outbound/call", {**call, "headers": {"X": "a\r\nb"}})[0] == 400
    (peer,) = box.get(f"/active-rooms/{room['id']}/peers")["peers"].values()
    assert (peer["name"], peer["role"]) == ("+3", "guest")

    app = jwt(claims("app", room_id=room["id"], role="guest"))
    assert box.post("/sip/dtmf", {"digits": ["1", "#", "a"]}, token=app) == {}
    assert box.fails("POST", "/sip/dtmf", {"digits": ["1"]})[0] == 401
    assert box.fails("POST", "/sip/dtmf", {"digits": ["x"]}, token=app) == (400, "invalid digit")
    assert box.fails("POST", "/sip/dtmf", {}, token=app) == (400, "digits are mandatory")
