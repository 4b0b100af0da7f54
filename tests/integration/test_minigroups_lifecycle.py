"""The life of a minigroup: every status, every message in every status, repeated and out of order."""

import json
import uuid

import pytest

from support import minigroups as mg
from support.minigroups_fixtures import BASE, clean  # noqa: F401 (fixtures)
from support.minigroups_life import HOST, STEPS, Life, gateway, life  # noqa: F401 (fixtures)


# --- all steps ---


def test_the_whole_walk(gateway, services, life):
    group, room = life.group, life.group["event_room_id"]
    assert life.status() == "real-time"

    life.close()
    assert life.read()["status"] == "closed" and "on_demand" not in life.read()
    (stop,) = services.told(group)
    assert stop.json == {"id": group["id"], "scope": group["scope"], "tags": {"lesson": 42}}
    assert stop.headers["Gateway-Label"] == "minigroup.stop" and stop.headers["Gateway-Type"] == "event"
    assert stop.headers["Gateway-Agent-Id"] == "greenroom." + mg.SERVICES["dispatcher"]
    assert mg.claims_in(stop.headers["Authorization"])["sub"] == "dispatcher"

    pupil = mg.stream(f"web.{mg.PUPIL}")
    life.upload([life.rtc, pupil])
    answer = life.read()
    assert answer["status"] == "finished" and answer["real_time"]["rtc_id"] == life.rtc["id"]
    tasks = services.take("tq")
    assert {seen.path for seen in tasks} == {
        f"/api/v1/audiences/{mg.AUDIENCE}/tasks/convert-mjr-dumps-to-stream-{group['scope']}-{rtc['id']}"
        f"/classrooms/{group['id']}"
        for rtc in (life.rtc, pupil)
    }
    assert tasks[0].json == {
        "audience": mg.AUDIENCE,
        "priority": "normal",
        "template": "convert-mjr-dumps-to-stream",
        "tags": {"lesson": 42, "conference_room_id": group["conference_room_id"]},
        "bindings": {
            "mjr_dumps_uris": life.rtc["mjr_dumps_uris"],
            "stream_uri": life.rtc["uri"],
            "stream_id": life.rtc["id"],
            "to": "yandex",
        },
    }

    services.events["host"] = [{"occurred_at": 5, "data": {"agent_id": HOST}}, {"occurred_at": 6, "data": {}}]
    life.convert()
    assert services.take("event", "POST", ".*/adjust") == []  # not all are converted yet
    life.convert(pupil, "1772442010123,60.0")
    (adjust,) = services.take("event", "POST", ".*/adjust")
    assert adjust.path == f"/api/v1/rooms/{room}/adjust"
    assert adjust.json == {
        "started_at": 1772442007123,
        "segments": [[0, 1500000], [1800000, 3000500]],
        "offset": 4000,
    }
    (hosts,) = services.take("event", "GET", ".*/events")
    assert hosts.path == f"/api/v1/rooms/{room}/events" and hosts.query == "type=host&limit=100"

    services.forget()
    original, modified = life.adjusted["original_room_id"], life.adjusted["modified_room_id"]
    second = 10**9
    services.events["pin"] = [
        {"occurred_at": 10 * second, "data": {"agent_id": HOST}},
        {"occurred_at": 20 * second, "data": {"agent_id": None}},
    ]
    started = 1772442007123
    services.snapshots = [
        {"id": "1", "rtc_id": life.rtc["id"], "send_video": False, "send_audio": None, "created_at": started + 1000},
        {"id": "2", "rtc_id": life.rtc["id"], "send_video": True, "send_audio": None, "created_at": started + 3000},
    ]
    life.adjust()
    answer = life.read()
    assert answer["status"] == "adjusted"
    assert answer["on_demand"] == [
        {"version": "original", "event_room_id": original, "stream_id": life.rtc["id"], "tags": {"lesson": 42}}
    ]
    assert services.take("event", "POST", f"/api/v1/rooms/{modified}/dump_events")[0].body == b""
    assert services.take("event", "GET", f"/api/v1/rooms/{modified}")
    pins = services.take("event", "GET", ".*/events")[1:]
    assert [seen.query for seen in pins] == [
        "type=pin&limit=100",
        f"type=pin&limit=100&last_occurred_at={20 * second}",
    ]
    assert services.take("conference", "GET", f".*/{group['conference_room_id']}/configs/writer/snapshot")
    (task,) = services.take("tq")
    assert task.path.endswith(f"/tasks/transcode-minigroup-to-hls-{group['scope']}/classrooms/{group['id']}")
    assert task.json["template"] == "transcode-minigroup-to-hls" and task.json["priority"] == "normal"
    assert task.json["bindings"] == {
        "host_stream_id": life.rtc["id"],
        "to": "yandex",
        "preroll": "s3://films/preroll",
        "watermark": "s3://films/watermark",
        "streams": [
            {
                "id": life.rtc["id"],
                "uri": life.rtc["uri"],
                "offset": 0,
                "segments": [[0, 1500000], [1800000, 3000500]],
                "modified_segments": [[0, 1400000]],
                "pin_segments": [[6000, 16000]],
                "video_mute_segments": [[1000, 3000]],
                "audio_mute_segments": [],
            },
            {
                "id": pupil["id"],
                "uri": pupil["uri"],
                "offset": 3000,
                "segments": [[0, 60000]],
                "modified_segments": [[0, 60000]],
                "pin_segments": [],
                "video_mute_segments": [],
                "audio_mute_segments": [],
            },
        ],
    }

    life.dump()
    gateway.refuse(404, "recording_not_found", "GET", f"{BASE}/{group['id']}/download")
    life.transcode()
    answer = life.read()
    assert answer["status"] == "transcoded" and "position" not in answer
    assert answer["on_demand"][1] == {
        "version": "modified",
        "event_room_id": modified,
        "stream_id": life.rtc["id"],
        "tags": {"lesson": 42},
        "room_events_uri": f"s3://dump/{modified}.json",
    }
    ready = services.told(group)[-1]
    assert ready.headers["Gateway-Label"] == "minigroup.ready"
    assert ready.json == {
        "id": group["id"],
        "scope": group["scope"],
        "tags": {"lesson": 42},
        "status": "success",
        "stream_duration": 3001,
    }
    assert gateway.ask("GET", f"{BASE}/{group['id']}/download") == {
        "url": f"https://storage.example.com/api/v2/backends/yandex/sets/ms.webinar.{mg.AUDIENCE}::{group['scope']}"
        "/objects/mp4"
    }
    gateway.ask("POST", f"{BASE}/{group['id']}/timestamps", {"position": 90000}, 201)
    assert life.read()["position"] == 86400
    assert "position" not in gateway.read(group, who=mg.PUPIL)
    row = gateway.ask("PUT", f"{BASE}/{group['id']}", {"reserve": 1})
    assert (row["original_event_room_id"], row["modified_event_room_id"]) == (original, modified)


def test_download_urls_are_encoded(gateway, services):
    group = gateway.create(scope=f"ä b/{uuid.uuid4()}")
    life = Life.__new__(Life)
    life.gateway, life.services, life.group = gateway, services, group
    life.rtc, life.adjusted = mg.stream(), mg.adjusted(group)
    life.to("transcoded")
    url = gateway.ask("GET", f"{BASE}/{group['id']}/download")["url"]
    assert f"::%C3%A4%20b%2F{group['scope'][4:]}/objects" in url


# --- every message in every status ---


# For each message, from the statuses real-time, closed, finished, adjusted and transcoded: the next status, or 422.
CELLS = {
    "close": ["closed", "closed", "finished", "adjusted", "transcoded"],
    "upload": ["finished", "finished", "finished", "adjusted", "transcoded"],
    "convert": ["real-time", "closed", "finished", "adjusted", "transcoded"],
    "adjust": [422, 422, "adjusted", "adjusted", "transcoded"],
    "dump": ["real-time", "closed", "finished", "adjusted", "transcoded"],
    "transcode": [422, 422, "transcoded", "transcoded", "transcoded"],
}


@pytest.mark.parametrize("status", STEPS)
@pytest.mark.parametrize("message", CELLS)
def test_cells(gateway, services, life, message, status):
    life.to(status)
    if (message, status) == ("adjust", "finished"):
        life.convert()
    expected = CELLS[message][STEPS.index(status)]
    getattr(life, message)(status=422 if expected == 422 else 200)
    assert life.status() == (status if expected == 422 else expected)


@pytest.mark.parametrize("message", CELLS)
def test_repeats_ask_for_nothing(gateway, services, life, message):
    """A message that was handled is answered the same way again, and no service is called."""
    life.to({"close": "closed", "upload": "finished"}.get(message, "transcoded" if message == "transcode" else "adjusted"))
    services.forget()
    before = life.read()
    getattr(life, message)()
    assert life.read() == before
    assert services.take("tq") == [] and services.take("event") == [] and services.take("conference") == []


# --- edition, restart ---


def test_an_edition_replaces_the_modified_room(gateway, services, life):
    life.to("transcoded")
    edition = {
        "status": "success",
        "source_room_id": life.adjusted["original_room_id"],
        "committed_room_id": str(uuid.uuid4()),
        "modified_segments": [[0, 5]],
    }
    gateway.tell("edition.commit", edition, "event")
    assert life.read()["on_demand"][1]["event_room_id"] == edition["committed_room_id"]
    (task,) = services.take("tq")
    assert task.json["bindings"]["streams"][0]["modified_segments"] == []
    gateway.tell("edition.commit", edition, "event")
    assert len(services.take("tq")) == 1
    services.forget()
    life.transcode()
    services.told(life.group)  # the class can be watched again
    gateway.tell("edition.commit", {**edition, "source_room_id": str(uuid.uuid4())}, "event", status=422)


def test_restart_repeats_the_transcoding(gateway, services, life):
    path = f"/api/v1/transcoding/minigroup/{life.group['id']}/restart"
    gateway.refuse(500, "internal_failure", "POST", path)
    life.to("adjusted")
    gateway.ask("POST", path, {"priority": "high"})
    (task,) = services.take("tq")
    assert task.json["priority"] == "high" and task.json["template"] == "transcode-minigroup-to-hls"
    gateway.refuse(400, "invalid_payload", "POST", path, {"priority": "urgent"})


# --- recreated ---


def test_recreate_forgets_the_old_life(gateway, services, life):
    life.to("transcoded")
    gateway.ask("POST", f"{BASE}/{life.group['id']}/timestamps", {"position": 5}, 201)
    old = life.group
    life.group = gateway.ask("POST", f"{BASE}/{old['id']}/recreate", {})
    answer = life.read()
    assert answer["status"] == "real-time" and "on_demand" not in answer and answer["timed_out"] is False
    assert "rtc_id" not in answer["real_time"] and life.group["room_events_uri"] is None
    gateway.refuse(404, "recording_not_found", "GET", f"{BASE}/{old['id']}/download")
    # messages about the old rooms come too late and change nothing
    gateway.tell("room.upload", {"id": old["conference_room_id"], "rtcs": [mg.stream()]})
    gateway.tell("room.close", {"id": old["conference_room_id"]}, status=422)
    assert life.status() == "real-time"
    life.rtc, life.adjusted = mg.stream(), mg.adjusted(life.group)
    life.to("transcoded")
    assert life.read()["position"] == 5  # kept
    assert json.dumps(life.read()).count(life.rtc["id"]) == 3
