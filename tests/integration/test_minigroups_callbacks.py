"""Messages of the services about a minigroup: who may send them, what they must contain, what follows."""

import time
import uuid

import pytest

from support import minigroups as mg
from support.minigroups_fixtures import BASE, clean  # noqa: F401 (fixtures)
from support.minigroups_life import HOST, Life, gateway, life  # noqa: F401 (fixtures)


# --- room.close ---


def test_close_ends_the_class_once(gateway, services, life):
    before = int(time.time())
    gateway.tell("room.close", {"id": life.group["conference_room_id"], "timed_out": True, "time": "ignored"})
    row = gateway.ask("PUT", f"{BASE}/{life.group['id']}", {"reserve": 1})
    assert row["timed_out"] is True and row["time"][0] is None and abs(row["time"][1] - before) < mg.LIMIT
    gateway.tell("room.close", {"id": life.group["conference_room_id"]})  # delivered twice
    assert life.read()["timed_out"] is True
    gateway.tell("room.close", {"id": life.group["event_room_id"]}, "event")
    life.upload()
    assert len(services.told(life.group)) == 1


@pytest.mark.parametrize("times, expected", [([100, 200], [100, 200]), ([4000000000, 4000000001], None), ([100, None], 100)])
def test_close_takes_the_earlier_end(gateway, services, times, expected):
    group = gateway.create(time=times)
    gateway.tell("room.close", {"id": group["conference_room_id"]})
    start, end = gateway.ask("PUT", f"{BASE}/{group['id']}", {"reserve": 1})["time"]
    if expected == [100, 200]:
        assert [start, end] == expected
    elif expected is None:  # the class would have started later
        assert start == end and abs(end - time.time()) < mg.LIMIT
    else:
        assert start == expected and abs(end - time.time()) < mg.LIMIT


def test_the_source_says_whose_room_it_is(gateway, life):
    conference, event = life.group["conference_room_id"], life.group["event_room_id"]
    gateway.tell("room.close", {"id": event}, "conference", status=422)
    gateway.tell("room.close", {"id": conference}, "event", status=422)
    # the agent id that a bridge passes on takes precedence over the account of the bridge
    agent = {"Gateway-Agent-Id": "alpha." + mg.SERVICES["event"]}
    gateway.tell("room.close", {"id": conference}, "conference", status=422, **agent)
    assert life.status() == "real-time"
    gateway.tell("room.close", {"id": event}, "tq")  # the sender is neither service, so both kinds of rooms are searched
    assert life.status() == "closed"


# --- the callback route ---


def test_who_may_report(gateway, life):
    path, payload = f"/api/v1/audiences/{mg.AUDIENCE}/events", {"id": life.group["conference_room_id"]}
    headers = {"Gateway-Label": "room.close"}
    gateway.refuse(401, "no_authentication_token", "POST", path, payload, who=None, headers=headers)
    for who in (mg.ADMIN, mg.SERVICES["dispatcher"], "conference.usr.example.org"):
        gateway.refuse(403, "access_denied", "POST", path, payload, who=who, headers=headers)
    # an issuer of users cannot sign a label that looks like a service
    for sub in ("conference.svc.example.org:x", "conference.svc.example.org", "conference:svc"):
        posing = {**headers, "Authorization": "Bearer " + mg.token(mg.ADMIN, sub=sub)}
        gateway.refuse(401, "invalid_authentication", "POST", path, payload, who=None, headers=posing)
    assert life.status() == "real-time"
    # a bridge's audience names the tenant, too
    gateway.ask("POST", path + "?label=room.close", payload, who=f"{mg.SERVICES['conference']}:{mg.AUDIENCE}")
    assert life.status() == "closed"


def test_messages_of_another_audience(gateway, life):
    rtcs = [life.rtc]
    for label, payload, sender in (
        ("room.close", {"id": life.group["conference_room_id"]}, "conference"),
        ("room.upload", {"id": life.group["conference_room_id"], "rtcs": rtcs}, "conference"),
        ("task.complete", mg.converted(life.group, life.rtc), "tq"),
        ("room.adjust", life.adjusted, "event"),
    ):
        answer = gateway.tell(label, payload, sender, audience="other.example.org", status=422)
        assert answer["type"] == "audience_does_not_match"
    assert life.status() == "real-time"


@pytest.mark.parametrize("label", ["", "room.open", "ROOM.CLOSE", "room.close.x"])
def test_other_labels_mean_nothing(gateway, life, label):
    gateway.tell(label, {"id": life.group["conference_room_id"]}, status=200)
    assert life.status() == "real-time"


UNREADABLE = [
    ("room.close", {}),
    ("room.close", {"id": 7}),
    ("room.close", {"id": "x", "timed_out": "no"}),
    ("room.upload", {"id": "x"}),
    ("room.upload", {"id": "x", "rtcs": {}}),
    ("room.upload", {"id": "x", "rtcs": [{"id": "y"}]}),
    ("room.adjust", {}),
    ("room.adjust", {"room_id": "x", "status": "maybe"}),
    ("room.adjust", {"room_id": "x", "status": "success"}),
    ("room.adjust", {"room_id": "x", "status": "success", "original_room_id": "a", "modified_room_id": "b",
                     "modified_segments": [], "cut_original_segments": [[2, 1]]}),
    ("room.dump_events", {"status": "success"}),
    ("room.dump_events", {"status": "success", "result": {"room_id": "x"}}),
    ("task.complete", {"status": "success"}),
    ("task.complete", {"tags": {}, "status": "success"}),
    ("task.complete", {"tags": {}, "status": "maybe"}),
    ("edition.commit", {}),
    ("edition.commit", {"status": "success"}),
]


@pytest.mark.parametrize("label, payload", UNREADABLE)
def test_unreadable_payloads(gateway, label, payload):
    assert gateway.tell(label, payload, status=400)["type"] == "invalid_payload"


@pytest.mark.parametrize(
    "label, payload, kind",
    [
        ("room.close", {"id": str(uuid.uuid4())}, "class_closing_failed"),
        ("room.adjust", mg.adjusted({"event_room_id": str(uuid.uuid4())}), "transcoding_flow_failed"),
        ("room.adjust", {"room_id": "x", "status": "error", "error": {}}, "transcoding_flow_failed"),
        ("room.dump_events", {"status": "error", "result": {"error": {}}}, "transcoding_flow_failed"),
        ("task.complete", {"tags": {}, "status": "success", "template": "x"}, "transcoding_flow_failed"),
        ("edition.commit", {"status": "error", "error": {}}, "edition_flow_failed"),
        ("edition.commit", {"status": "failure", "error": {}}, "edition_flow_failed"),
        ("room.adjust", {"room_id": "x", "status": "failure"}, "transcoding_flow_failed"),
        ("room.dump_events", {"status": "failure", "result": {}}, "transcoding_flow_failed"),
        (
            "edition.commit",
            {"status": "success", "source_room_id": "x", "committed_room_id": "y", "modified_segments": []},
            "edition_flow_failed",
        ),
    ],
)
def test_messages_that_fail(gateway, label, payload, kind):
    assert gateway.tell(label, payload, status=422)["type"] == kind


def test_messages_about_forgotten_rooms(gateway, life):
    gone = {**life.group, "conference_room_id": str(uuid.uuid4())}
    gateway.tell("room.upload", {"id": gone["conference_room_id"], "rtcs": [life.rtc]})
    gateway.tell("task.complete", mg.converted(gone, life.rtc), "tq")
    gateway.tell("room.dump_events", mg.dumped(str(uuid.uuid4())), "event")


# --- room.upload ---


def test_uploads_that_are_no_use(gateway, services, life):
    good = life.rtc
    for rtcs in (
        [],
        [{**good, "status": "missing", "mjr_dumps_uris": None}],
        [good, {**mg.stream(f"web.{mg.PUPIL}"), "status": "missing"}],
        [{**good, "mjr_dumps_uris": None}],
        [{**good, "mjr_dumps_uris": []}],
        [{**good, "id": "x"}],
    ):
        life.upload(rtcs, status=422)
    assert life.status() == "real-time" and services.take("tq") == []


def test_a_repeated_upload_resets_nothing(gateway, services, life):
    life.to("adjusted")
    life.upload()
    assert life.status() == "adjusted" and services.take("tq") == []
    newer = mg.stream()  # the same author sent another stream
    life.upload([newer])
    assert life.status() == "finished" and life.read()["real_time"]["rtc_id"] == newer["id"]
    assert len(services.take("tq")) == 1


def test_streams_of_one_author_collapse_into_the_last(gateway, services, life):
    last = mg.stream()
    life.upload([life.rtc, last])
    assert life.read()["real_time"]["rtc_id"] == last["id"]


def test_streams_may_come_converted(gateway, services, life):
    services.events["host"] = [{"occurred_at": 1, "data": {"agent_id": HOST}}]
    rtc = mg.stream(started_at=1772442007123, segments=[[0, 1000]], mjr_dumps_uris=None)
    life.upload([rtc])
    assert services.take("tq") == []
    (adjust,) = services.take("event", "POST", ".*/adjust")
    assert adjust.json["segments"] == [[0, 1000]]
    life.adjust()
    assert life.status() == "adjusted"


# --- task.complete ---


def test_unreadable_segments_drop_the_stream(gateway, services, life):
    pupil = mg.stream(f"web.{mg.PUPIL}")
    life.upload([life.rtc, pupil])
    life.convert(pupil, "garbage")
    life.convert(life.rtc, "1772442007123,10.0\n")  # a trailing line feed is tolerated
    (adjust,) = services.take("event", "POST", ".*/adjust")
    assert adjust.json["segments"] == [[0, 10000]]
    life.adjust()
    assert len(services.take("tq")[-1].json["bindings"]["streams"]) == 1


def test_failed_tasks_change_nothing(gateway, services, life):
    life.to("finished")
    for template in ("convert-mjr-dumps-to-stream", "transcode-minigroup-to-hls"):
        payload = {**mg.converted(life.group, life.rtc), "status": "failure", "template": template, "error": "x"}
        gateway.tell("task.complete", payload, "tq")
    assert life.status() == "finished" and services.take("event") == []
    payload = mg.transcoded(life.group, template="transcode-stream-to-hls")
    assert gateway.tell("task.complete", payload, "tq", status=422)["type"] == "transcoding_flow_failed"
    for duration in ("", "x", "-1", "nan", "inf", "1e99"):
        gateway.tell("task.complete", mg.transcoded(life.group, recording_duration=duration), "tq", status=400)
    assert life.status() == "finished"


def test_without_a_host_it_stays_finished(gateway, services):
    life = Life(gateway, services)
    services.events["host"] = [{"occurred_at": 1, "data": {"agent_id": "web.someone.usr.example.org"}}]
    life.upload()
    life.convert()
    assert services.take("event", "POST", ".*/adjust") == [] and life.status() == "finished"
    # with a host, the next message continues the work
    services.events["host"] = [{"occurred_at": 1, "data": {"agent_id": HOST}}]
    life.convert()
    assert len(services.take("event", "POST", ".*/adjust")) == 1


def test_the_hosts_account_is_the_fallback(gateway, services, life):
    life.upload()
    life.convert()  # without an event of type host, the host of the row counts, which is an account id
    assert len(services.take("event", "POST", ".*/adjust")) == 1


def test_adjusting_is_asked_for_once(gateway, services, life):
    life.upload()
    for _ in range(3):
        life.convert()
    assert len(services.take("event", "POST", ".*/adjust")) == 1
