"""The sandbox: templates, their roles, settings and recording configurations."""

import re

from support.sandbox_fixtures import box, receiver, running  # noqa: F401 (fixtures)

HEX24 = re.compile(r"^[0-9a-f]{24}$")


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
    """Video in portrait format, a list of transcriptions among the plugins, and storage of the type r2."""
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
