"""rig: streams and destinations, on both stores."""

import re
import uuid

from support.rig import (BROKEN_BODY, CREDENTIALS, IN_USE, MEDIA_TYPE, METHOD, NO_TOKEN, NOT_FOUND, bearer, error,
                         invalid, missing, payload)
from support.rig import database, postgres, rig, start_rig  # noqa: F401 (fixtures)

FIELDS = {"id", "streamKey", "destinations", "provisionStatus", "isStreaming", "isActive"}
KEY = re.compile(r"[A-Za-z0-9_-]{22}")


def test_the_documented_examples(rig):
    user = rig.user()
    stream = payload(user.post("/streams/"), "New stream created")
    assert set(stream) == FIELDS and KEY.fullmatch(stream["streamKey"])
    assert str(uuid.UUID(stream["id"], version=4)) == stream["id"]
    assert stream["destinations"] is None and stream["provisionStatus"] is None
    assert stream["isStreaming"] is False and stream["isActive"] is True
    assert payload(user.get("/streams/"), "Stream list for user") == [stream]
    assert payload(user.get(f"/streams/{stream['id']}"), "Stream detail") == stream
    made = payload(user.post(f"/streams/{stream['id']}/destination",
                             {"service": "Twitch", "streamKey": "live_31_kexample"}), "Stream destination added")
    assert made == {"id": made["id"], "service": "Twitch", "streamKey": "live_31_kexample",
                    "rtmpUrl": "rtmp://live.twitch.tv/app/live_31_kexample", "isActive": True}
    assert isinstance(made["id"], int) and made["id"] >= 1
    assert payload(user.get(f"/streams/{stream['id']}"), "Stream detail") == {**stream, "destinations": [made]}
    assert payload(user.get("/streams/"), "Stream list for user") == [stream]
    change = payload(user.post(f"/streams/{stream['id']}/changeKey"), "New stream key")
    assert set(change) == {"key", "streamID"} and change["streamID"] == stream["id"]
    assert KEY.fullmatch(change["key"]) and change["key"] != stream["streamKey"]
    detail = payload(user.get(f"/streams/{stream['id']}"), "Stream detail")
    assert detail["streamKey"] == change["key"] and detail["destinations"] == [made]


def test_lists(rig):
    user = rig.user()
    assert payload(user.get("/streams"), "Stream list for user") == []
    made = [user.stream() for _ in range(5)]
    user.post(f"/streams/{made[0]['id']}/changeKey")
    assert [one["id"] for one in user.get("/streams").json["payload"]] == [one["id"] for one in made]
    first = [user.destination(made[0], key=f"key{i}") for i in range(5)]
    assert user.get(f"/streams/{made[0]['id']}").json["payload"]["destinations"] == first
    assert user.get(f"/streams/{made[1]['id']}").json["payload"]["destinations"] is None


def test_spellings_of_an_id(rig):
    user = rig.user()
    stream = user.stream()
    plain = stream["id"].replace("-", "")
    for spelling in (stream["id"].upper(), plain, plain.upper(), stream["id"] + "/"):
        assert user.get(f"/streams/{spelling}").json["payload"]["id"] == stream["id"], spelling


def test_nobody_learns_of_a_stream_of_another(rig):
    user, other = rig.user(), rig.user()
    stream = user.stream()
    destination = user.destination(stream)
    for id in (stream["id"], str(uuid.uuid4()), "nothing", "5", "x" * 36, stream["id"] + "0", "-" * 32):
        path = f"/streams/{id}"
        assert error(other.get(path)) == NOT_FOUND, id
        assert error(other.post(path + "/destination", b"not json")) == NOT_FOUND
        assert error(other.post(path + "/changeKey")) == NOT_FOUND
        assert error(other.request("PATCH", path, b"{}")) == NOT_FOUND
        assert error(other.request("DELETE", path)) == NOT_FOUND
        assert error(other.request("PATCH", f"{path}/destination/{destination['id']}", b"{}")) == NOT_FOUND
        assert error(other.request("DELETE", f"{path}/destination/{destination['id']}")) == NOT_FOUND
    assert payload(other.get("/streams"), "Stream list for user") == []
    assert user.get(f"/streams/{stream['id']}").json["payload"]["destinations"] == [destination]


def test_order_of_checks(rig):
    user, other = rig.user(), rig.user()
    stream = other.stream()
    path = f"/streams/{stream['id']}/destination"
    text = {"Content-Type": "text/plain"}
    assert error(rig.request("PUT", path, headers=text)) == METHOD
    assert error(rig.post(path, b"x", headers=text)) == MEDIA_TYPE
    assert error(rig.post(path, b"x")) == NO_TOKEN
    assert error(rig.post(path, b"x", headers=bearer("a.b.c"))) == CREDENTIALS
    assert error(user.post(path, b"x")) == NOT_FOUND
    assert error(other.post(path, b"x")) == BROKEN_BODY
    assert error(other.post(path, {"service": ""})) == missing("StreamKey")
    assert error(other.post(path, {"service": "", "streamKey": ";"})) == invalid(
        Service="zero value", StreamKey="invalid characters")
    assert error(other.post(path, {"service": "nothing", "streamKey": "key"}))[1] == 1006
    assert error(rig.get("/streams/a/b/c")) == NOT_FOUND
    assert error(rig.get(f"/streams/{stream['id']}/changekey")) == NOT_FOUND


def test_routes_without_fields_ignore_the_body(rig):
    user = rig.user()
    for body in (b"", b"{}", b"not json", b"[1,"):
        stream = payload(user.post("/streams/", body), "New stream created")
        assert user.post(f"/streams/{stream['id']}/changeKey", body).status == 200


def test_head_and_options(rig):
    user = rig.user()
    answer = user.request("HEAD", "/streams")
    assert answer.status == 200 and answer.body == b""


# --- destinations ---


def test_services(rig):
    user = rig.user()
    stream = user.stream()
    path = f"/streams/{stream['id']}/destination"
    made = user.destination(stream, "YouTube", "abcd-efgh")
    assert made["rtmpUrl"] == "rtmp://a.rtmp.youtube.com/live2/abcd-efgh"
    for service in ("youtube", "Facebook", "twitch", " Twitch", "__proto__"):
        assert error(user.post(path, {"service": service, "streamKey": "key"})) == (
            400, 1006, "Unable to add destination to stream", None), service
    # The same values again make another destination.
    assert user.destination(stream, "YouTube", "abcd-efgh")["id"] > made["id"]


def test_a_service_more_is_data(database, start_rig):
    services = {"Own": {"servers": [{"name": "here", "url": "rtmp://media.example/app"}]}}
    rig = start_rig(database, {"streams": {"services": services}})
    user = rig.user()
    stream = user.stream()
    assert user.destination(stream, "Own", "key")["rtmpUrl"] == "rtmp://media.example/app/key"
    rig.stop()
    # When the service is gone from the config, its destinations cannot be used.
    user.rig = rig = start_rig(database)
    kept = user.get(f"/streams/{stream['id']}").json["payload"]["destinations"]
    assert [(one["rtmpUrl"], one["isActive"]) for one in kept] == [(None, False)]


def test_keys_that_could_break_a_config(rig, database):
    user = rig.user()
    stream = user.stream()
    path = f"/streams/{stream['id']}/destination"
    for text in (";", "a b", "a;b", "a{b", "a}b", 'a"b', "a'b", "a#b", "a$b", "a\\b", "a\nb", "a\tb", "é", "a/b", "`"):
        assert error(user.post(path, {"service": "Twitch", "streamKey": text}))[3] == {
            "StreamKey": ["invalid characters"]}, text
    assert error(user.post(path, {"service": "Twitch", "streamKey": "k" * 513})) == invalid(
        StreamKey="greater than max")
    good = "aZ09._~?=&%+:@-"
    assert user.destination(stream, key=good)["rtmpUrl"].endswith("/" + good)
    assert user.destination(stream, key="k" * 512)["streamKey"] == "k" * 512
    # An unsafe value that came into the store in another way is in no URL.
    made = user.destination(stream)
    database.query(f"UPDATE rig_destinations SET stream_key = 'a;exec x' WHERE id = {made['id']}")
    shown = user.get(f"/streams/{stream['id']}").json["payload"]["destinations"][-1]
    assert shown == {**made, "streamKey": "a;exec x", "rtmpUrl": None, "isActive": False}
    answer = rig.get(f"/agents/config/{stream['streamKey']}", headers=bearer(rig.agent()))
    assert answer.json["payload"][-1]["rtmpUrl"] is None


def test_changing_and_removing_a_destination(rig):
    user = rig.user()
    stream = user.stream()
    made = user.destination(stream)
    path = f"/streams/{stream['id']}/destination/{made['id']}"
    off = payload(user.request("PATCH", path, {"isActive": False}), "Stream destination updated")
    assert off == {**made, "isActive": False}
    other = payload(user.request("PATCH", path, {"streamKey": "other"}), "Stream destination updated")
    assert other == {**off, "streamKey": "other", "rtmpUrl": "rtmp://live.twitch.tv/app/other"}
    both = payload(user.request("PATCH", path, {"streamKey": "third", "isActive": True}), "Stream destination updated")
    assert both["isActive"] is True and both["streamKey"] == "third"
    assert error(user.request("PATCH", path, {"isActive": "no"})) == invalid(IsActive="wrong type")
    assert error(user.request("PATCH", path, {"streamKey": ";"})) == invalid(StreamKey="invalid characters")
    assert error(user.request("PATCH", path, {}))[:2] == (400, 1004)
    assert payload(user.request("DELETE", path), "Stream destination removed") is None
    assert error(user.request("DELETE", path)) == NOT_FOUND
    assert error(user.request("PATCH", path, {"isActive": True})) == NOT_FOUND
    # The number of a deleted row is not used again.
    assert user.destination(stream)["id"] > made["id"]
    for id in ("0", "-1", "x", "1.0", "99999999999999999999"):
        assert error(user.request("DELETE", f"/streams/{stream['id']}/destination/{id}")) == NOT_FOUND, id
    second = user.stream()
    mine = user.destination(stream)
    assert error(user.request("DELETE", f"/streams/{second['id']}/destination/{mine['id']}")) == NOT_FOUND


# --- streams on and off ---


def test_switching_a_stream(rig):
    user = rig.user()
    stream = user.stream()
    config = f"/agents/config/{stream['streamKey']}"
    off = payload(user.request("PATCH", f"/streams/{stream['id']}", {"isActive": False}), "Stream updated")
    assert off == {**stream, "isActive": False}
    assert error(rig.get(config, headers=bearer(rig.agent()))) == NOT_FOUND
    assert user.request("PATCH", f"/streams/{stream['id']}", {"isActive": True}).status == 200
    assert rig.get(config, headers=bearer(rig.agent())).status == 200
    assert error(user.request("PATCH", f"/streams/{stream['id']}", {})) == missing("IsActive")
    assert error(user.request("PATCH", f"/streams/{stream['id']}", {"isActive": 1})) == invalid(IsActive="wrong type")


def test_removing_a_stream(rig, database):
    user = rig.user()
    stream = user.stream()
    user.destination(stream)
    rig.notify("on_publish", stream["streamKey"])
    assert error(user.request("DELETE", f"/streams/{stream['id']}")) == IN_USE
    rig.notify("on_publish_done", stream["streamKey"])
    assert payload(user.request("DELETE", f"/streams/{stream['id']}"), "Stream removed") is None
    assert error(user.request("DELETE", f"/streams/{stream['id']}")) == NOT_FOUND
    assert error(rig.get(f"/agents/config/{stream['streamKey']}", headers=bearer(rig.agent()))) == NOT_FOUND
    assert database.query("SELECT count(*) FROM rig_destinations") == "0"


def test_an_old_key_stops_working_at_once(rig):
    user = rig.user()
    stream = user.stream()
    user.post(f"/streams/{stream['id']}/changeKey")
    assert error(rig.get(f"/agents/config/{stream['streamKey']}", headers=bearer(rig.agent()))) == NOT_FOUND
    assert error(rig.notify("on_publish", stream["streamKey"])) == NOT_FOUND


def test_quotas(database, start_rig):
    rig = start_rig(database, {"streams": {"max_streams_per_user": 2, "max_destinations_per_stream": 3}})
    user = rig.user()
    stream, _ = user.stream(), user.stream()
    assert error(user.post("/streams/")) == (400, 1006, "Unable to create resource", {"limit": 2})
    for _ in range(3):
        user.destination(stream)
    answer = user.post(f"/streams/{stream['id']}/destination", {"service": "Twitch", "streamKey": "key"})
    assert error(answer) == (400, 1006, "Unable to create resource", {"limit": 3})


def test_a_deactivated_user(rig):
    user = rig.user()
    stream = user.stream()
    config = f"/agents/config/{stream['streamKey']}"
    rig.command("rig", "users", "deactivate", user.name)
    assert error(user.get("/streams")) == CREDENTIALS
    answer = rig.post("/accounts/auth/local", {"username": user.name, "password": user.password})
    assert error(answer) == CREDENTIALS
    assert error(rig.get(config, headers=bearer(rig.agent()))) == NOT_FOUND
    assert error(rig.notify("on_publish", stream["streamKey"])) == NOT_FOUND
    rig.command("rig", "users", "activate", user.name)
    assert error(user.get("/streams")) == CREDENTIALS  # older tokens are no longer valid
    user.token = user.login()
    assert user.get("/streams").status == 200
