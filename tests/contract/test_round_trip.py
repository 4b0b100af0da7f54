"""The gateway accepts the objects of 100ms's answers as bodies. A caller that reads an object, changes one member and writes
the object back is not refused because of the members that it did not change."""

import copy
import json
import random

import pytest
from contract import cases, rig

ROOM = "/rooms/66f1c0a2b4d93e5a7c118e01"
TEMPLATE = "/templates/66f1bfe7b4d93e5a7c118d9a"
POLL = "/polls/66f0aa93c1e4b82d7f5506b2"
CHANGES = 150  # tried with each object

# The members and the types of their values are those of public records of live answers. The values are made up.
ROLE = {
    "name": "guest",
    "publishParams": {
        "allowed": ["audio", "video", "screen"],
        "audio": {"bitRate": 32, "codec": "opus"},
        "video": {"bitRate": 850, "codec": "vp8", "frameRate": 30, "width": 720, "height": 1280},
        "screen": {"codec": "vp8", "frameRate": 10, "width": 1920, "height": 1080},
        "videoSimulcastLayers": {},
        "screenSimulcastLayers": {},
        "simulcast": {"video": {"layers": [
            {"rid": "f", "scaleResolutionDownBy": 1, "maxBitrate": 2500, "maxFramerate": 60},
            {"rid": "f", "scaleResolutionDownBy": 0.5, "maxBitrate": 0, "maxFramerate": 0},
        ]}, "screen": {}},
    },
    "subscribeParams": {"subscribeToRoles": ["host"], "maxSubsBitRate": 3200,
                        "subscribeDegradation": {"packetLossThreshold": 0, "degradeGracePeriodSeconds": 0}},
    "permissions": {"endRoom": None, "sendRoomState": False, "rtmpStreaming": True},
    "priority": 0,
    "maxPeerCount": -2,
}
SETTINGS = {
    "region": "",
    "subscribeDegradation": {},
    "recording": {"enabled": False, "upload": {
        "type": "r2", "location": "lessons", "accountId": "a-1", "options": {"region": ""}, "credentials": {}}},
    "roomState": {"messageInterval": 7, "sendPeerList": False, "stopRoomStateOnJoin": True, "enabled": False},
    "retry": {},
}
DESTINATIONS = {
    "browserRecordings": {"composite": {"name": "composite", "width": 0}},
    "rtmpDestinations": {"a": {"name": "a", "width": 1080, "height": 1920, "rtmpUrls": ["x"] * 5}},
    "hlsDestinations": {"b": {"name": "b", "playlistType": "", "numPlaylistSegments": 0, "layers": [
        {"width": 2560, "height": 1440, "videoBitrate": None}, {"width": 101, "height": 55}]}},
    "transcriptions": {"c": {"name": "c", "modes": ["live", "replay"], "outputModes": ["vtt"],
                             "summary": {"enabled": True, "temperature": 2, "sections": [{"title": ""}] * 9}}},
}
PLUGINS = {"whiteboard": {"permissions": {"admin": None}},
           "transcriptions": [{"permissions": {"admin": ["host"]}, "mode": "caption"}], "noiseCancellation": {}}
RECORDINGS = [{"name": "default", "role": "recorder", "maxDuration": 0, "thumbnails": {"enabled": False, "offsets": None},
               "compositeRecording": {"browserComposite": {"width": 1280, "height": 720}, "customComposite": None}}]
OBJECTS = {
    "template": (TEMPLATE, {
        "id": "66f1bfe7b4d93e5a7c118d9a", "_id": "66f1bfe7b4d93e5a7c118d9a", "name": "Marit's lessons (2)",
        "default": False, "customer": "65aa10c4d7e2f90b3c4d5e6f", "roles": {"guest": ROLE, "host": {}},
        "settings": SETTINGS, "destinations": DESTINATIONS, "plugins": PLUGINS,
        "createdAt": "2025-03-04T17:02:11.48Z", "updatedAt": "0001-01-01T00:00:00Z"}),
    "template of that name": ("/templates", {"name": "Marit's lessons (2)", "roles": {"guest": ROLE},
                                             "settings": SETTINGS, "destinations": DESTINATIONS, "plugins": PLUGINS}),
    "role": (TEMPLATE + "/roles/guest", ROLE),
    "settings": (TEMPLATE + "/settings", SETTINGS),
    "destinations": (TEMPLATE + "/destinations", DESTINATIONS),
    "recordings": (TEMPLATE + "/recordings", RECORDINGS),
    "room": (ROOM, {
        "id": "66f1c0a2b4d93e5a7c118e01", "name": "Algebra, Tuesday", "enabled": True, "description": None,
        "customer": "65aa10c4d7e2f90b3c4d5e6f", "app_id": "", "recording_source_template": True,
        "recording_info": {"enabled": False, "upload_info": {"type": "", "location": "", "credentials": {"key": "k"}}},
        "template": "lessons", "template_id": "66f1bfe7b4d93e5a7c118d9a", "region": "ap", "large_room": False,
        "size": 5000, "max_duration_seconds": 0, "polls": None, "webhook": {"url": None, "headers": None},
        "created_at": "2025-03-04T17:02:11.48Z", "updated_at": "0001-01-01T00:00:00Z", "key": ""}),
    "poll": (POLL, {"id": "66f0aa93c1e4b82d7f5506b2", "title": "", "mode": "username", "type": "survey", "duration": None,
                    "questions": [{"index": 0, "type": "single-choice", "answer": {"options": None}, "options": [
                        {"index": 0, "text": "", "weight": 0.5, "voters": []}], "responses": []}]}),
}
# Values of every type. Any of them may stand in any place, since the gateway does not know all that 100ms may answer.
VALUES = [None, True, 0, -1, 7, 0.5, 1e300, "", "else", "20XX", [], [None], {}, {"future": []}]
# A template that is written without these members would lose them, so the gateway requires them.
KEPT = {"template": {("roles",), ("settings",)}}
# The gateway checks the type of these members, which are objects and texts, but not what is inside of them.
TYPED = {"name", "roles", "settings", "destinations", "plugins"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with rig.Gateway(tmp_path_factory.mktemp("all"), ["templates", "rooms", "polls"]) as gateway:
        yield gateway


def paths(value, at=()):
    """Yields the path of every value inside of a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    for step, child in inner:
        yield at + (step,)
        yield from paths(child, at + (step,))


def changed(value, path, new):
    whole = copy.deepcopy(value)
    holder = whole
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = new
    return whole


def goes_back(gateway, path, body):
    recorder = gateway.recorders["api"]
    recorder.reset()
    answer = gateway.send("POST", path, body)
    assert answer.status == 200, (answer, body)
    [call] = recorder.received
    assert call.target == "/v2" + path and call.body == body


@pytest.mark.parametrize("name", OBJECTS)
def test_what_was_read_is_written_back(gateway, name):
    path, value = OBJECTS[name]
    body = json.dumps(value, ensure_ascii=False, indent=1).encode()
    gateway.recorders["api"].says(200, body)
    if name != "template of that name":
        answer = gateway.send("GET", path)
        assert answer.status == 200 and answer.body == body
    goes_back(gateway, path, body)


@pytest.mark.parametrize("name", OBJECTS)
def test_nothing_in_it_is_refused(gateway, name):
    path, value = OBJECTS[name]
    random.seed(name)
    places = [place for place in paths(value)
              if place not in KEPT.get(name, ()) and not ("template" in name and place[-1:] == place and place[0] in TYPED)]
    for _ in range(CHANGES):
        body = cases.to_bytes(changed(value, random.choice(places), random.choice(VALUES)))
        goes_back(gateway, path, body)


def test_what_would_blank_a_template_is_refused(gateway):
    path, value = OBJECTS["template"]
    recorder = gateway.recorders["api"]
    for member in ("roles", "settings"):
        for body in ({k: v for k, v in value.items() if k != member}, {**value, member: None}, {**value, member: []}):
            recorder.reset()
            answer = gateway.send("POST", path, cases.to_bytes(body))
            assert answer.status == 400 and answer.json()["details"][0].startswith(member + ": "), answer
            assert recorder.received == []
