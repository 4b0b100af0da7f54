"""A minigroup's whole life with the local event and conference services of the sandbox."""

import json
import subprocess
import urllib.request
import uuid

import pytest
from support import minigroups as mg
from support.ports import hold_port

BASE = "/api/v1/minigroups"
HOST = f"web.{mg.TEACHER}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A gateway and a sandbox configured for each other, on a port that is held for the gateway."""
    directory = tmp_path_factory.mktemp("sandbox")
    services = mg.Services()
    (directory / "gw").mkdir()
    (directory / "sb").mkdir()
    port, held = hold_port()
    shared = {"secret": mg.SECRET, "gateway": {"url": f"http://127.0.0.1:{port}"}, "trusted": [mg.SERVICES["dispatcher"]]}
    plugins = {f"sandbox_{name}": {"account": mg.SERVICES[name], **shared} for name in ("event", "conference")}
    sandbox = mg.Gateway(directory / "sb", services, plugins=plugins)
    config = {name: {"url": f"{sandbox.url}/{name}"} for name in ("event", "conference")}
    gateway = mg.Gateway(
        directory / "gw",
        services,
        server={"listen": f"127.0.0.1:{port}"},
        tq={"url": sandbox.url + "/conference"},
        storage_url=sandbox.url + "/conference",
        **config,
    )
    yield gateway, sandbox
    assert gateway.stop() == 0 and sandbox.stop() == 0
    held.close()
    services.close()


def drive(sandbox, service, room, what, body=None, status=200):
    return sandbox.ask("POST", f"/{service}/sandbox/rooms/{room}/{what}", body, status, who=None)


def test_from_create_to_download(pair):
    gateway, sandbox = pair
    group = gateway.create(tags={"lesson": 42})
    path, event, conference = f"{BASE}/{group['id']}", group["event_room_id"], group["conference_room_id"]
    assert gateway.read(group)["status"] == "real-time"
    gateway.ask("POST", path + "/events", {"type": "host", "data": {"agent_id": HOST}}, 201)
    gateway.ask("POST", path + "/whiteboard", None, 201)

    (told,) = drive(sandbox, "conference", conference, "close", {})
    assert (told["label"], told["status"], told["answer"]) == ("room.close", 200, {})
    assert gateway.read(group)["status"] == "closed"
    (told,) = drive(sandbox, "conference", conference, "upload", {"created_by": [HOST, f"web.{mg.PUPIL}"]})
    assert told["status"] == 200 and gateway.read(group)["status"] == "finished"
    assert [told["status"] for told in drive(sandbox, "conference", conference, "convert")] == [200, 200]
    told = drive(sandbox, "event", event, "adjust")
    assert [(one["label"], one["status"]) for one in told] == [("room.adjust", 200), ("room.dump_events", 200)]
    assert gateway.read(group)["status"] == "adjusted"
    (told,) = drive(sandbox, "conference", conference, "transcode")
    assert told["status"] == 200
    gateway.ask("POST", path + "/timestamps", {"position": 30}, 201)

    answer = gateway.read(group)
    assert answer["status"] == "transcoded" and answer["position"] == 30
    original, modified = answer["on_demand"]
    assert modified["room_events_uri"].endswith(modified["event_room_id"] + ".json")
    with urllib.request.urlopen(gateway.ask("GET", path + "/download")["url"], timeout=mg.LIMIT) as film:
        assert film.status == 200 and film.headers["Content-Type"] == "video/mp4"


def test_steps_that_were_not_asked_for(pair):
    gateway, sandbox = pair
    group = gateway.create()
    assert drive(sandbox, "event", group["event_room_id"], "adjust", status=409)["type"] == "nothing_to_adjust"
    for what in ("convert", "transcode"):
        assert drive(sandbox, "conference", group["conference_room_id"], what, status=409)["type"] == "nothing_to_do"
    drive(sandbox, "conference", group["conference_room_id"], "upload", {}, 400)
    for service, what in (("event", "adjust"), ("conference", "close"), ("conference", "convert")):
        assert drive(sandbox, service, uuid.uuid4(), what, status=404)["type"] == "room_not_found"


def test_closed_rooms_refuse(pair):
    gateway, sandbox = pair
    group = gateway.create()
    path = f"{BASE}/{group['id']}"
    gateway.ask("PUT", path, {"time": [100, 200]})  # an end in the past closes the conference room
    gateway.refuse(500, "mqtt_request_failed", "PUT", path, {"time": [100, 4000000000]})
    gateway.ask("PUT", path, {"reserve": 2})
    for service, kind in (("event", "event"), ("conference", "conference")):
        room = sandbox.ask("GET", f"/{service}/api/v1/rooms/{group[kind + '_room_id']}", who=mg.SERVICES["dispatcher"])
        assert room["classroom_id"] == group["id"]
    assert room["reserve"] == 2 and room["time"] == [100, 200]


def test_only_the_trusted_service_may_call(pair):
    gateway, sandbox = pair
    for service in ("event", "conference"):
        path = f"/{service}/api/v1/rooms/{gateway.create()[service + '_room_id']}"
        sandbox.ask("GET", path, who=mg.SERVICES["dispatcher"])
        assert sandbox.ask("GET", path, status=401, who=None)["type"] == "no_authentication_token"
        assert sandbox.ask("GET", path, status=403, who=mg.ADMIN)["type"] == "access_denied"
        headers = {"Authorization": "Bearer " + mg.token(mg.SERVICES["dispatcher"], secret="another" * 7)}
        assert sandbox.ask("GET", path, status=401, who=None, headers=headers)["type"] == "invalid_authentication"


def test_the_token_command(pair):
    gateway, _ = pair
    done = subprocess.run(
        [mg.BINARY, "-c", str(gateway.config), "minigroups", "token", mg.ADMIN],
        capture_output=True, text=True, timeout=mg.LIMIT,
    )
    assert done.returncode == 0, done.stderr
    gateway.ask(
        "POST",
        BASE,
        {"scope": f"scope-{uuid.uuid4()}", "audience": mg.AUDIENCE, "host": mg.TEACHER},
        201,
        who=None,
        headers={"Authorization": "Bearer " + done.stdout.strip()},
    )
    for words in ([], ["nodot"], ["a.other.org"]):
        done = subprocess.run(
            [mg.BINARY, "-c", str(gateway.config), "minigroups", "token", *words],
            capture_output=True, text=True, timeout=mg.LIMIT,
        )
        assert done.returncode != 0 and done.stdout == "" and done.stderr


def test_events_are_kept_and_paged(pair):
    gateway, sandbox = pair
    group = gateway.create()
    for i in range(3):
        gateway.ask("POST", f"{BASE}/{group['id']}/events", {"type": "pin", "data": i}, 201)
    gateway.ask("POST", f"{BASE}/{group['id']}/events", {"type": "pin", "data": 9, "is_persistent": False}, 201)
    path = f"/event/api/v1/rooms/{group['event_room_id']}/events?type=pin"
    events = sandbox.ask("GET", path, who=mg.SERVICES["dispatcher"])
    assert [event["data"] for event in events] == [0, 1, 2]
    assert events[0]["created_by"] == "greenroom." + mg.SERVICES["dispatcher"]
    rest = sandbox.ask("GET", f"{path}&last_occurred_at={events[0]['occurred_at']}", who=mg.SERVICES["dispatcher"])
    assert [event["data"] for event in rest] == [1, 2]
    big = json.dumps({"type": "a", "data": "x" * 110000}).encode()
    gateway.refuse(400, "invalid_payload", "POST", f"{BASE}/{group['id']}/events", raw=big)
