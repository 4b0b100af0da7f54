"""The sandbox behaves as 100ms is documented."""

import http.server
import json
import re
import threading
import time
import urllib.error
import urllib.request

import pytest

from support.sandbox import LIMIT, Sandbox, claims, jwt
from support.until import until

HEX24 = re.compile(r"^[0-9a-f]{24}$")


class Receiver:
    """Receives webhooks; answers the statuses configured for a type of event, then 200."""

    def __init__(self):
        self.seen = []
        self.statuses = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                event = json.loads(body)
                outer.seen.append((self.path, dict(self.headers), event, body))
                statuses = outer.statuses.get(event["type"])
                self.send_response(statuses.pop(0) if statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, room):
        """Those of a room: others may arrive late, from tests before."""
        return [one for one in list(self.seen) if one[2]["data"].get("room_id") == room["id"]]

    def types(self, room=None):
        return [event["type"] for _, _, event, _ in (self.of(room) if room else list(self.seen))]


@pytest.fixture(scope="module")
def receiver():
    taker = Receiver()
    yield taker
    taker.server.shutdown()
    taker.server.server_close()


@pytest.fixture(scope="module")
def running(tmp_path_factory, receiver):
    box = Sandbox(
        tmp_path_factory.mktemp("sandbox"),
        {
            "webhook_url": receiver.url + "/hook?from=sandbox",
            "webhook_headers": {"x-hook-key": "key of the hook"},
            "webhook_secret": "signing key",
            "speed": 20,
        },
    )
    yield box
    box.stop()


@pytest.fixture
def box(running):
    running.ok("POST", "/sandbox/reset", status=204)
    return running


# --- tokens ---


@pytest.mark.parametrize(
    "token, message",
    [
        ("", "Authentication error"),
        ("nonsense", "Token validation error"),
        (jwt(claims(), secret="another secret, which is long enough"), "Token validation error"),
        (jwt(claims(access_key="somebody else")), "Token validation error"),
        (jwt(claims(lifetime=-60)), "Token validation error"),
        (jwt(claims(kind="app", room_id="r", role="host")), "Token validation error"),
        (jwt(claims(version=1)), "Token validation error"),
        (jwt(claims(nbf=int(time.time()) + 3600)), "Token validation error"),
        (jwt({k: v for k, v in claims().items() if k != "exp"}), "Token validation error"),
        (jwt(claims(), header={"alg": "none", "typ": "JWT"}), "Token validation error"),
    ],
    ids=["none", "garbled", "key", "access_key", "expired", "app", "version", "nbf", "no exp", "alg none"],
)
def test_refuses_a_token_that_is_not_a_good_management_token(box, token, message):
    assert box.fails("GET", "/rooms", token=token) == (401, message)


def test_a_time_in_a_token_may_have_a_fraction(box):
    now = time.time()
    assert box.call("GET", "/rooms", token=jwt(claims(exp=now + 600.75, iat=now - 10.5))).status == 200
    assert box.fails("GET", "/rooms", token=jwt(claims(exp=now - 1.75))) == (401, "Token validation error")


# --- templates ---


def test_has_a_default_template_with_host_and_guest(box):
    (template,) = box.get("/templates")["data"]
    assert sorted(template["roles"]) == ["guest", "host"]
    assert HEX24.match(template["id"]) and template["_id"] == template["id"]


def test_completes_a_template_with_the_documented_defaults(box):
    role = box.post("/templates", {"name": "plain", "roles": {"only": {}}})["roles"]["only"]
    assert role["name"] == "only"
    assert role["publishParams"]["audio"] == {"bitRate": 32, "codec": "opus"}
    assert role["publishParams"]["video"]["frameRate"] == 25
    assert role["subscribeParams"]["subscribeDegradation"]["packetLossThreshold"] == 50
    granted = {name for name, value in role["permissions"].items() if value}
    assert granted == {"browserRecording", "rtmpStreaming", "hlsStreaming"}
    assert role["maxPeerCount"] == 0


def test_a_template_read_changed_and_written_back_keeps_every_member(box):
    sent = {
        "name": "kept",
        "roles": {"teacher": {"permissions": {"hlsStreaming": True}, "own": [1, {"x": None}]}},
        "settings": {"region": "eu", "retry": {"times": 3}, "extra": ""},
        "destinations": {"hlsDestinations": {"default": {"name": "default", "role": "viewer", "n": 0}}},
        "plugins": {"whiteboard": {"permissions": {"admin": ["teacher"]}}},
        "unknown": {"deep": [False, 0, "", [], None]},
    }
    made = box.post("/templates", sent)
    read = box.get(f"/templates/{made['id']}")
    assert read == made
    read["roles"]["teacher"]["permissions"]["hlsStreaming"] = False
    written = box.post(f"/templates/{made['id']}", read)
    again = box.get(f"/templates/{made['id']}")
    for answer in (written, again):
        assert {**answer, "updatedAt": ""} == {**read, "updatedAt": ""}
    assert again["unknown"] == sent["unknown"]


def test_takes_the_templates_that_the_service_takes(box):
    """A portrait camera, a list of transcriptions among the plugins, storage of the kind r2."""
    portrait = {"bitRate": 700, "codec": "vp8", "frameRate": 25, "width": 720, "height": 1280}
    upload = {"type": "r2", "location": "bucket", "prefix": "p", "credentials": {"key": "k", "secretKey": "s"}}
    sent = {
        "name": "taken",
        "roles": {"host": {"publishParams": {"video": portrait}}},
        "plugins": {"transcriptions": [{"role": "host", "mode": "caption"}]},
        "settings": {"recording": {"enabled": True, "upload": upload}},
    }
    made = box.post("/templates", sent)
    assert made["roles"]["host"]["publishParams"]["video"] == portrait
    assert made["plugins"] == sent["plugins"] and made["settings"]["recording"]["upload"] == upload
    assert box.post(f"/templates/{made['id']}", made)["roles"] == made["roles"]


def test_a_template_of_an_existing_name_is_overwritten(box):
    first = box.post("/templates", {"name": "same", "roles": {"a": {}}, "plugins": {"p": 1}})
    second = box.post("/templates", {"name": "same", "roles": {"b": {}}})
    assert second["id"] == first["id"] and list(second["roles"]) == ["b"]
    assert "plugins" not in second
    other = box.post("/templates", {"name": "other"})
    other["name"] = "same"
    assert box.fails("POST", f"/templates/{other['id']}", other) == (400, "overwrite error")


def test_roles_are_renamed_overwritten_and_deleted(box):
    template = box.post("/templates", {"name": "roles", "roles": {"a": {}, "b": {}}})
    path = f"/templates/{template['id']}/roles"
    before = box.get(f"{path}/a")
    renamed = box.post(f"{path}/a", {"name": "c", "priority": 3})
    assert renamed["priority"] == 3 and renamed["role_id"] == before["role_id"]
    assert box.fails("GET", f"{path}/a")[0] == 404
    assert box.get(f"{path}/c")["name"] == "c"
    assert box.fails("POST", f"{path}/c", {"name": "b"}) == (400, "overwrite error")
    box.ok("DELETE", f"{path}/c", status=204)
    assert box.fails("DELETE", f"{path}/c") == (404, "role does not exist")


def test_settings_and_destinations_are_parts_of_the_template(box):
    template = box.post("/templates", {"name": "parts"})
    path = f"/templates/{template['id']}"
    settings = box.get(f"{path}/settings")
    settings.update(region="us", retry={"kept": True})
    assert box.post(f"{path}/settings", settings) == settings
    destinations = {"rtmpDestinations": {"d": {"name": "d", "rtmpUrls": []}}, "more": None}
    assert box.post(f"{path}/destinations", destinations) == destinations
    whole = box.get(path)
    assert whole["settings"] == settings and whole["destinations"] == destinations
    assert box.fails("POST", f"{path}/settings", {"region": "mars"})[0] == 400


def test_recording_configuration_is_an_array_without_false_flags(box):
    template = box.post("/templates", {"name": "rec"})
    path = f"/templates/{template['id']}/recordings"
    assert box.get(path) == []
    config = {"name": "default", "role": "host", "trackRecording": {"enabled": False},
              "streamRecording": {"enabled": True}}
    assert box.post(path, [config]) == [
        {"name": "default", "role": "host", "trackRecording": {}, "streamRecording": {"enabled": True}}
    ]
    assert box.fails("POST", path, [])[0] == 400
    assert box.fails("POST", path, [config, config])[0] == 400
    assert box.fails("POST", path, [{**config, "role": "nobody"}])[0] == 400


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
    box.advance(5)
    assert box.call("GET", f"/active-rooms/{room['id']}").status == 200
    box.advance(2)  # 120 s pass in 6 at the speed of 20
    assert box.call("GET", f"/active-rooms/{room['id']}").status == 404


# --- recordings and streams ---

STREAMS = {
    "recordings": {},
    "external-streams": {"rtmp_urls": ["rtmps://live.example.org/app/k"], "recording": True},
    "live-streams": {"recording": {"hls_vod": True}},
}


@pytest.mark.parametrize("kind", STREAMS)
def test_a_job_goes_through_its_states(box, kind):
    room = box.room(name="job")
    box.join(room)
    job = box.post(f"/{kind}/room/{room['id']}/start", STREAMS[kind])
    path = f"/{kind}/{job['id']}"
    assert job["status"] == "starting" and job["started_at"] is None and job["recording_assets"] is None
    box.advance(0.1)
    assert box.get(path)["status"] == "running"
    assert box.get(f"/{kind}?status=running&room_id={room['id']}")["data"][0]["id"] == job["id"]
    box.advance(3)
    stopped = box.post(f"{path}/stop")
    assert stopped["status"] == "stopping" and stopped["stopped_at"] is None
    box.advance(0.05)
    assert box.get(path)["status"] == "post_processing"
    box.advance(0.2)
    done = box.get(path)
    assert done["status"] == "completed" and done["stopped_at"]
    assets = box.get(f"/recording-assets?room_id={room['id']}")["data"]
    assert assets and all(asset["job_id"] == job["id"] for asset in assets)
    assert [a["id"] for a in done["recording_assets"]] == [a["id"] for a in assets]
    assert assets[0]["duration"] >= 60


@pytest.mark.parametrize("kind", STREAMS)
def test_one_job_of_a_kind_runs_in_a_room_and_one_stop_ends_it(box, kind):
    room = box.room(name="jobs")
    path = f"/{kind}/room/{room['id']}"
    none = (404, "hls not running" if kind == "live-streams" else "beam not found")
    assert box.fails("POST", f"{path}/stop") == none
    job = box.post(f"{path}/start", STREAMS[kind])
    assert box.fails("POST", f"{path}/start", STREAMS[kind]) == (409, "beam already started")
    answer = box.post(f"{path}/stop")
    assert [one["id"] for one in answer["data"]] == [job["id"]]
    assert (answer["limit"], answer["last"], answer["data"][0]["status"]) == (1, job["id"], "stopping")
    assert box.call("POST", f"{path}/stop").json == {"code": none[0], "message": none[1]}
    assert box.fails("POST", f"/{kind}/{job['id']}/stop") == none
    again = box.post(f"{path}/start", STREAMS[kind])
    listed = box.get(f"/{kind}?room_id={room['id']}")
    assert [one["id"] for one in listed["data"]] == [again["id"], job["id"]], "newest first"


@pytest.mark.parametrize("kind", STREAMS)
def test_a_start_wants_a_known_room_and_a_body(box, kind):
    room = box.room(name="start")
    path = f"/{kind}/room/{room['id']}/start"
    forbidden = (403, "user does not have required permission")
    for unknown in ("00000000000", "1"):
        assert box.fails("POST", f"/{kind}/room/{unknown}/start", STREAMS[kind]) == forbidden
    assert box.fails("POST", path, b"") == (400, "request body must not be empty")
    assert box.fails("POST", path, {**STREAMS[kind], "meeting_url": ""}) == (400, "invalid input")
    broken = b'{"meeting_url": "https://meet.example.org" ,}'
    assert box.fails("POST", path, broken) == (
        400, "request body contains badly-formed JSON (at position 45)")
    assert box.get(f"/{kind}")["data"] == []


def test_recordings_pause_resume_and_fail(box):
    room = box.room(name="pause")
    job = box.post(f"/recordings/room/{room['id']}/start", {})
    box.advance(0.2)
    assert box.post(f"/recordings/room/{room['id']}/pause")["status"] == "running"
    assert box.post(f"/recordings/room/{room['id']}/resume")["status"] == "running"
    box.post(f"/sandbox/jobs/{job['id']}/fail", {"reason": "disk"})
    assert box.get(f"/recordings/{job['id']}")["status"] == "failed"
    assert box.fails("POST", f"/recordings/room/{room['id']}/pause")[0] == 404


def test_live_streams_take_metadata_while_they_run(box):
    room = box.room(name="meta")
    stream = box.post(f"/live-streams/room/{room['id']}/start", {})
    path = f"/live-streams/{stream['id']}"
    assert stream["playback"]["url"].endswith(".m3u8")
    metadata = {"payload": "x", "duration": 2}
    assert box.post(f"{path}/timed-metadata", metadata)["id"] == stream["id"]
    assert box.fails("POST", f"{path}/timed-metadata", {"payload": "x" * 101, "duration": 2})[0] == 400
    assert box.post(f"{path}/pause-recording")["id"] == stream["id"]
    box.post(f"{path}/stop")
    for action in ("stop", "pause-recording", "resume-recording"):
        assert box.fails("POST", f"{path}/{action}") == (404, "hls not running")
    assert box.fails("POST", f"{path}/timed-metadata", metadata) == (404, "hls not running")


def test_a_recording_stops_by_itself_in_an_empty_room(box):
    room = box.room(name="alone")
    peer = box.join(room)
    job = box.post(f"/recordings/room/{room['id']}/start", {})
    box.advance(1)
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
    assert box.get(f"/sessions/{job['session_id']}")["active"] is True
    box.advance(16)  # five minutes at the speed of 20
    assert box.get(f"/recordings/{job['id']}")["status"] == "completed"
    assert box.get(f"/sessions/{job['session_id']}")["active"] is False


def test_the_template_says_how_recordings_begin_and_end(box):
    template = box.post("/templates", {
        "name": "auto",
        "roles": {"host": {}},
        "destinations": {"transcriptions": {"t": {"name": "t", "role": "host", "modes": ["recorded"]}}},
    })
    box.post(f"/templates/{template['id']}/recordings", [
        {"name": "rec", "role": "host", "maxDuration": 600,
         "compositeRecording": {"browserComposite": {"autoStart": True, "autoStopTimeout": 60}}}])
    room = box.room(name="auto", template_id=template["id"])
    box.join(room)
    box.join(room)
    (job,) = box.get(f"/recordings?room_id={room['id']}")["data"]
    assert job["destination"] == "rec" and job["asset_types"] == ["room-composite", "chat", "transcript"]
    box.advance(29)
    assert box.get(f"/recordings/{job['id']}")["status"] == "running"
    box.advance(2)
    assert box.get(f"/recordings/{job['id']}")["status"] == "completed"
    assert len(box.get(f"/active-rooms/{room['id']}/peers")["peers"]) == 2
    off = box.post(f"/recordings/room/{room['id']}/start", {"transcription": {"enabled": False}})
    assert off["asset_types"] == ["room-composite", "chat"]


def test_external_streams_want_one_to_five_urls(box):
    room = box.room(name="ext")
    path = f"/external-streams/room/{room['id']}/start"
    assert box.fails("POST", path, {}) == (400, "Invalid body param: rtmp_urls")
    assert box.fails("POST", path, {"rtmp_urls": ["rtmp://x"] * 6})[0] == 400
    assert box.post(path, {"rtmp_urls": ["rtmp://x"] * 5})["resolution"] == {"width": 1280, "height": 720}


def test_presigned_urls_can_be_fetched_until_they_expire(box):
    room = box.room(name="asset")
    job = box.post(f"/recordings/room/{room['id']}/start", {"transcription": {"enabled": True}})
    box.advance(1)
    box.post(f"/recordings/{job['id']}/stop")
    box.advance(1)
    types = [asset["type"] for asset in box.get(f"/recordings/{job['id']}")["recording_assets"]]
    assert types == ["room-composite", "chat", "transcript"]
    asset = box.get("/recording-assets?type=room-composite")["data"][0]
    assert box.get(f"/recording-assets/{asset['id']}") == asset
    grant = box.get(f"/recording-assets/{asset['id']}/presigned-url?presign_duration=60")
    assert grant["expiry"] == 60 and asset["path"].endswith(grant["path"])
    with urllib.request.urlopen(grant["url"], timeout=LIMIT) as reply:
        content = reply.read()
        assert reply.headers["Content-Type"] == "video/mp4"
    assert len(content) == asset["size"] and b"ftyp" in content[:16]
    box.advance(61)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(grant["url"], timeout=LIMIT)
    assert refused.value.code == 403
    refused.value.close()


# --- polls ---

QUIZ = {
    "title": "Quiz",
    "type": "quiz",
    "start": "manual",
    "questions": [
        {"text": "2+2", "weight": 2, "type": "single-choice", "answer": {"options": [1]},
         "options": [{"text": "4"}, {"text": "5"}]},
        {"text": "word", "type": "short-answer", "once": True,
         "answer": {"text": "Yes", "trim": True, "case": False}, "options": []},
        {"text": "third", "skippable": True},
    ],
}


def test_polls_are_kept_and_rewritten(box):
    poll = box.post("/polls", QUIZ)
    assert [q["index"] for q in poll["questions"]] == [1, 2, 3]
    assert [o["index"] for o in poll["questions"][0]["options"]] == [1, 2]
    assert (poll["mode"], poll["anonymous"], poll["duration"]) == ("userid", False, 0)
    path = f"/polls/{poll['id']}"
    assert box.get(path) == poll
    assert box.post(f"{path}/questions/1/options/2", {"text": "five", "weight": 1}) == {
        "index": 2, "text": "five", "weight": 1}
    assert box.post(f"{path}/questions/2", {"text": "other"})["index"] == 2
    box.ok("DELETE", f"{path}/questions/1/options/1", status=204)
    assert box.get(path)["questions"][0]["options"] == [{"index": 1, "text": "five", "weight": 1}]
    box.ok("DELETE", f"{path}/questions/1", status=204)
    assert [(q["index"], q["text"]) for q in box.get(path)["questions"]] == [(1, "other"), (2, "third")]
    assert box.fails("DELETE", f"{path}/questions/9")[0] == 404
    assert box.post(path, {"title": "new"})["questions"] == []


def test_responses_make_results(box):
    poll = box.post("/polls", QUIZ)
    room = box.room(name="poll", polls=[poll["id"]])
    one = box.join(room, user_id="u1")
    box.join(room, user_id="u2")
    path = f"/polls/{poll['id']}"
    answer = f"/sandbox{path}/responses"
    assert box.get(f"{path}/sessions")["responses"] == []  # it starts manually
    base = {"room_id": room["id"]}
    first = box.post(answer, {**base, "question": 1, "peer_id": one["id"], "options": [2], "duration": 3})
    second = box.post(answer, {**base, "question": 1, "peer_id": one["id"], "options": [1]})
    assert first["update"] is False and second["update"] is True
    assert second["original_response"] == first["id"]
    box.post(answer, {**base, "question": 2, "user_id": "u2", "text": " yes "})
    assert box.fails("POST", answer, {**base, "question": 2, "user_id": "u2", "text": "no"})[0] == 400
    assert box.fails("POST", answer, {**base, "question": 1, "user_id": "u2", "skipped": True})[0] == 400
    box.post(answer, {**base, "question": 3, "user_id": "u2", "skipped": True})

    results = box.get(f"{path}/results")["results"]
    assert [(r["question"], r["user_id"], r["score"]) for r in results] == [
        (1, "u1", 2), (2, "u2", 1), (3, "u2", 0)]
    assert box.get(f"{path}/results/{results[0]['id']}") == results[0]
    assert len(box.get(f"{path}/results?question=1")["results"]) == 1
    responses = box.get(f"{path}/responses")["responses"]
    assert [r["id"] for r in responses][0] == second["id"] and len(responses) == 3
    everything = box.get(f"{path}/responses?all=true")["responses"]
    assert [r["id"] for r in everything][:2] == [first["id"], second["id"]]
    assert box.get(f"{path}/responses/{second['id']}") == second
    (run,) = box.get(f"{path}/sessions")["responses"]
    assert (run["total_responses"], run["unique_participants"]) == (4, 2)
    assert box.get(f"{path}/sessions/{run['session_id']}")["responses"] == [run]
    assert box.get(f"{path}/sessions/nothing")["responses"] == []
    page = box.get(f"{path}/results?limit=2")
    assert len(box.get(f"{path}/results?limit=2&start={page['last']}")["results"]) == 1


def test_an_automatic_poll_runs_with_the_session(box):
    poll = box.post("/polls", {"title": "auto", "duration": 100, "questions": [{"text": "?"}]})
    room = box.room(name="auto", polls=[poll["id"]])
    box.join(room)
    (run,) = box.get(f"/polls/{poll['id']}/sessions")["responses"]
    assert run["stopped_at"] == "0001-01-01T00:00:00Z"
    box.advance(6)
    (run,) = box.get(f"/polls/{poll['id']}/sessions")["responses"]
    assert run["stopped_at"] > run["started_at"]


# --- analytics ---


def test_what_happens_leaves_analytics_events(box):
    room = box.room(name="events")
    peer = box.join(room, user_id="u", name="N")
    base = f"/analytics/events?room_id={room['id']}"
    added = box.get(f"{base}&type=track.add.success")
    assert added["total"] == 2 and added["next"] == ""
    data = added["events"][0]["data"]
    assert (data["peer_id"], data["user_id"], data["room_name"]) == (peer["id"], "u", "events")
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
    both = box.get(f"{base}&type=track.add.success&type=track.remove.success&peer_id={peer['id']}")
    assert both["total"] == 4
    assert box.get(f"{base}&error=true")["total"] == 0
    assert box.fails("GET", "/analytics/events") == (400, "Invalid query param: room_id")
    assert box.fails("GET", f"{base}&type=nothing")[0] == 400


def test_events_are_paged_over_a_snapshot(box):
    room = box.room(name="pages")
    for _ in range(3):
        box.join(room)
    base = f"/analytics/events?room_id={room['id']}&limit=4"
    first = box.get(base)
    assert first["total"] == 6 and first["next"]
    box.join(room)
    second = box.get(f"{base}&start={first['next']}")
    assert len(second["events"]) == 2 and second["total"] == 6 and second["next"] == ""
    assert not {e["id"] for e in first["events"]} & {e["id"] for e in second["events"]}
    assert box.fails("GET", f"{base}&start=nonsense")[0] == 400
    box.advance(86401)
    assert box.fails("GET", f"{base}&start={first['next']}")[0] == 400


def test_peer_statistics_come_after_the_session(box):
    room = box.room(name="stats")
    peer = box.join(room)
    box.join(room, "guest")
    session = box.get(f"/active-rooms/{room['id']}")["session"]["id"]
    query = f"/analytics/peer-stats?peer_id={peer['id']}&session_id={session}"
    assert box.get(query)["publisher"] == {"video": [], "audio": []}
    box.advance(25)
    box.post(f"/active-rooms/{room['id']}/end-room", {})
    stats = box.get(query)
    (video,) = stats["publisher"]["video"]
    series = video["time_series"]
    assert len(series["timestamps"]) == 3 == len(series["fps"]) == len(series["rtt_ms"])
    assert len(stats["subscriber"]["audio"]) == 1
    assert box.get(query) == stats


# --- stream keys, SIP ---


def test_one_stream_key_works_at_a_time(box):
    room = box.room(name="keys")
    path = f"/stream-keys/room/{room['id']}"
    assert box.fails("GET", path) == (404, "No active key found")
    key = box.post(path)
    assert box.get(path) == {"data": [key], "last": key["id"]}
    assert box.fails("POST", path) == (400, "Active key already exists")
    assert box.ok("POST", f"{path}/disable", status=201) == {"message": "key disabled successfully"}
    assert box.fails("POST", f"{path}/disable") == (404, "Key not found")
    assert box.post(path)["key"] != key["key"]
    box.post(f"/rooms/{room['id']}", {"enabled": False})
    assert box.fails("GET", path) == (403, "Room is disabled")
    assert box.fails("GET", "/stream-keys/room/none") == (404, "Room not found")


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


# --- webhooks ---


def test_webhooks_are_delivered_signed_and_in_order(box, receiver):
    import hashlib
    import hmac

    receiver.seen.clear()
    room = box.room(name="hooks")
    peer = box.join(room, user_id="u", metadata="m")
    box.ok("DELETE", f"/sandbox/rooms/{room['id']}/peers/{peer['id']}", status=204)
    wanted = ["session.open.success", "peer.join.success", "peer.leave.success", "session.close.success"]
    until(lambda: len(receiver.of(room)) >= 4, "webhooks")
    assert receiver.types(room) == wanted
    path, headers, event, body = receiver.of(room)[1]
    headers = {name.lower(): value for name, value in headers.items()}
    assert path == "/hook?from=sandbox" and headers["x-hook-key"] == "key of the hook"
    sign = hmac.new(b"signing key", body, hashlib.sha256).hexdigest()
    assert headers["x-100ms-signature"] == sign
    assert event["version"] == "2.0" and event["data"]["user_data"] == "m"
    assert event["data"]["room_id"] == room["id"] and event["data"]["peer_id"] == peer["id"]


def test_a_failed_webhook_is_retried_then_kept_and_replayed(box, receiver):
    receiver.seen.clear()
    receiver.statuses["session.open.success"] = [500, 204, 404, 503]  # only 200 counts
    room = box.room(name="retry", webhook={"url": receiver.url + "/room", "headers": {"x-room": "1"}})
    box.join(room)
    until(lambda: len(receiver.of(room)) == 5, "tries")

    def history(query=""):
        return box.get(f"/analytics/webhooks?room_id={room['id']}{query}")

    until(lambda: history()["summary"]["total_events"] == 2, "history")
    assert len({event["id"] for _, _, event, _ in receiver.of(room)}) == 2
    (failed,) = history("&status=failed")["events"]
    assert failed["event_name"] == "reporter.webhook.delivery.failed"
    assert failed["payload"]["original_event_name"] == "session.open.success"
    assert failed["payload"]["error_reason"] == "status 503"
    assert history("&event_names=peer.join.success")["pagination"]["total_items"] == 1
    assert box.fails("GET", "/analytics/webhooks?start_time=2020-01-01T00:00:00Z") == (
        400, "start_time must be within the last 30 days")

    receiver.seen.clear()
    replay = box.post("/analytics/webhooks/replay", {"room_id": room["id"]})
    assert replay["status"] == "started"
    path = f"/analytics/webhooks/replay/{replay['workflow_id']}"
    until(lambda: box.get(path)["status"] == "completed", "replay")
    ((where, headers, event, _),) = receiver.of(room)
    assert where == "/room" and event["is_replay"] is True and event["id"] == failed["event_id"]
    assert box.get(path)["result"]["completed"] == 1
    assert history("&status=failed")["events"] == []
    assert box.fails("GET", "/analytics/webhooks/replay/none") == (404, "workflow not found")


def test_a_receiver_that_is_no_target_gets_nothing(box):
    room = box.room(name="far", webhook={"url": "http://hooks.example.org/x"})
    box.join(room)
    events = until(
        lambda: box.get(f"/analytics/webhooks?room_id={room['id']}&status=failed")["events"],
        "failure",
    )
    assert "not in webhook_targets" in events[0]["payload"]["error_reason"]


def test_a_completed_recording_tells_by_webhook(box, receiver):
    room = box.room(name="told")
    box.join(room)
    job = box.post(f"/recordings/room/{room['id']}/start", {})
    box.advance(1)
    box.post(f"/recordings/{job['id']}/stop")
    box.advance(1)
    until(lambda: "beam.recording.success" in receiver.types(room), "success")
    types = receiver.types(room)
    assert types.index("beam.started.success") < types.index("beam.stopped.success")
    stopped = receiver.of(room)[types.index("beam.stopped.success")][2]["data"]
    assert stopped["reason"] == "client request" and stopped["recording_enabled"] is True
    data = receiver.of(room)[types.index("beam.recording.success")][2]["data"]
    assert data["beam_id"] == job["id"] and data["recording_path"].startswith("s3://")
    with urllib.request.urlopen(data["recording_presigned_url"], timeout=LIMIT) as reply:
        assert len(reply.read()) == data["size"]
    assert box.get(f"/analytics/events?room_id={room['id']}&beam_id={job['id']}")["total"] == 1


# --- faults ---


def test_the_next_calls_can_be_told_to_fail(box):
    box.post("/sandbox/faults", {"count": 2, "method": "GET", "path": "/rooms*", "status": 503})
    assert box.call("POST", "/rooms", {}).status == 200
    assert box.fails("GET", "/rooms")[0] == 503
    assert box.fails("GET", "/rooms/x")[0] == 503
    assert box.call("GET", "/rooms").status == 200
    box.post("/sandbox/faults", {"skip": 1, "status": 429, "retry_after": 7})
    assert box.call("GET", "/rooms").status == 200
    answer = box.call("GET", "/rooms")
    assert answer.status == 429 and answer.headers["Retry-After"] == "7"
    box.post("/sandbox/faults", {"count": -1, "status": 500, "body": {"own": [1]}})
    for _ in range(3):
        assert box.call("GET", "/rooms").json == {"own": [1]}
    box.ok("DELETE", "/sandbox/faults", status=204)
    assert box.call("GET", "/rooms").status == 200
    assert box.fails("POST", "/sandbox/faults", {"stauts": 500})[0] == 400


def test_one_call_can_ask_for_its_own_fault(box):
    began = time.monotonic()
    answer = box.call("GET", "/rooms", headers={"X-Sandbox-Fault": "delay=300;status=502"})
    assert answer.status == 502 and time.monotonic() - began >= 0.3
    assert box.fails("GET", "/rooms", headers={"X-Sandbox-Fault": "nonsense=1"})[0] == 400
    raw = {"raw": "[[[[", "status": 200}
    box.post("/sandbox/faults", raw)
    with pytest.raises(json.JSONDecodeError):
        box.call("GET", "/rooms")


def test_answers_can_be_dropped_and_truncated_after_the_work(box):
    import http.client

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        box.call("POST", "/rooms", {"name": "dropped"}, headers={"X-Sandbox-Fault": "drop"})
    assert len(box.get("/rooms?name=dropped")["data"]) == 1
    with pytest.raises((http.client.IncompleteRead, http.client.HTTPException, ConnectionError)):
        box.call("GET", "/rooms", headers={"X-Sandbox-Fault": "truncate=230"})
    assert box.call("GET", "/rooms").status == 200


def test_calls_above_the_rate_are_told_when_to_come_again(tmp_path):
    box = Sandbox(tmp_path, {"calls_per_second": 2})
    try:
        answers = [box.call("GET", "/rooms") for _ in range(8)]
        late = [answer for answer in answers if answer.status == 429]
        assert answers[0].status == answers[1].status == 200 and late
        assert late[0].headers["Retry-After"] == "1"
        assert late[0].json == {"code": 429, "message": "rate limit exceeded, retry after 1 seconds"}
        assert box.call("GET", "/sandbox/stats").status == 200, "the routes for tests are not counted"
        until(lambda: box.call("GET", "/rooms").status == 200, "the next second")
    finally:
        box.stop()


def test_a_rule_can_meet_one_call_of_several(box):
    box.post("/sandbox/faults", {"count": -1, "every": 3, "status": 429, "retry_after": 2})
    statuses = [box.call("GET", "/rooms").status for _ in range(7)]
    assert statuses == [200, 200, 429, 200, 200, 429, 200]


# --- web pages ---


def test_a_web_page_exchanges_codes_but_does_not_reach_the_routes_for_tests(box):
    room = box.room(name="page")
    code = box.post(f"/room-codes/room/{room['id']}/role/guest")["code"]
    page = {"Origin": "https://app.example.org"}
    ask = {**page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = box.call("OPTIONS", "/token", token="", headers=ask)
    assert preflight.status == 200 and preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    answer = box.call("POST", "/token", {"code": code}, token="", headers=page)
    assert answer.status == 200 and answer.headers["Access-Control-Allow-Origin"] == "*"
    refused = box.call("POST", "/sandbox/reset", token="", headers=page)
    assert refused.status == 403 and box.get(f"/rooms/{room['id']}") == room


# --- state ---


def test_state_survives_a_restart_and_seeds_are_planted(tmp_path):
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({
        "templates": [{"id": "template-1", "name": "school", "roles": {"teacher": {}, "learner": {}}}],
        "polls": [{"id": "poll-1", "title": "p", "start": "auto"}],
        "rooms": [{"id": "room-1", "name": "algebra", "template": "school", "polls": ["poll-1"],
                   "codes": {"learner": "abc-defg-hij"}, "peers": [{"role": "teacher", "name": "T"}]}],
    }))
    box = Sandbox(tmp_path / "etc", {"state_file": str(tmp_path / "state.json"), "seed_file": str(seed)})
    room = box.get("/rooms/room-1")
    assert room["template_id"] == "template-1"
    assert len(box.get("/active-rooms/room-1/peers")["peers"]) == 1
    assert box.post("/token", {"code": "abc-defg-hij"}, token="")["token"]
    job = box.post("/recordings/room/room-1/start", {})
    box.room(name="later")
    before = box.get("/sandbox/state")
    box.stop()
    box.start()
    try:
        after = box.get("/sandbox/state")
        for part in ("rooms", "templates", "codes", "sessions", "polls", "poll_sessions"):
            assert after[part] == before[part]
        box.advance(3)
        assert box.get(f"/recordings/{job['id']}")["status"] == "running"
        box.ok("POST", "/sandbox/reset", status=204)
        assert box.get("/rooms")["data"] == []
        box.ok("POST", "/sandbox/seed", {"state": before}, status=204)
        assert box.get("/rooms/room-1") == room
        assert box.fails("POST", "/sandbox/seed", {"rooms": [{"codes": {"nobody": "a"}}]})[0] == 400
    finally:
        box.stop()


def test_calls_are_counted(box):
    box.get("/rooms")
    box.get("/rooms")
    assert box.get("/sandbox/stats")["calls"]["sandbox.rooms.list"] == 2


def test_many_clients_at_once_see_one_state(box):
    errors = []

    def work(number):
        try:
            for step in range(10):
                room = box.room(name=f"r{number}-{step}")
                box.join(room)
                box.post(f"/recordings/room/{room['id']}/start", {})
                box.get("/rooms?limit=100")
                box.post(f"/active-rooms/{room['id']}/end-room", {})
        except Exception as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT * 3)
    assert not errors
    assert len(box.get("/rooms?limit=100")["data"]) == 80
