"""The sandbox: recordings, live streams, external streams, stream keys."""

import urllib.error
import urllib.request

import pytest

from support.sandbox import LIMIT, Sandbox
from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)


# --- recordings and streams ---

STREAMS = {
    "recordings": {},
    "external-streams": {"rtmp_urls": ["rtmps://live.example.org/app/k"], "recording": True},
    "live-streams": {"recording": {"hls_vod": True}},
}


@pytest.fixture(scope="module")
def real_time(tmp_path_factory):
    """A sandbox in which the states of a job last for seconds, so that none is over before the test looks."""
    box = Sandbox(tmp_path_factory.mktemp("real-time"), {"speed": 1})
    yield box
    box.stop()


@pytest.mark.parametrize("kind", STREAMS)
def test_a_job_goes_through_its_states(real_time, kind):
    box = real_time
    box.ok("POST", "/sandbox/reset", status=204)
    room = box.room(name="job")
    box.join(room)
    job = box.post(f"/{kind}/room/{room['id']}/start", STREAMS[kind])
    path = f"/{kind}/{job['id']}"
    assert job["status"] == "starting" and job["started_at"] is None and job["recording_assets"] is None
    box.advance(2)
    assert box.get(path)["status"] == "running"
    assert box.get(f"/{kind}?status=running&room_id={room['id']}")["data"][0]["id"] == job["id"]
    box.advance(60)
    stopped = box.post(f"{path}/stop")
    assert stopped["status"] == "stopping" and stopped["stopped_at"] is None
    box.advance(1)
    assert box.get(path)["status"] == "post_processing"
    box.advance(3)
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
    box.advance(25)
    assert box.get(f"/recordings/{job['id']}")["status"] == "running"
    box.advance(6)
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


# --- stream keys ---


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
