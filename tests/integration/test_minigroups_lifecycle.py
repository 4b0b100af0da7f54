"""The life of a minigroup: every status, every message in every status, repeated and out of order."""

import json
import time
import uuid

import pytest
from support import minigroups as mg

BASE = "/api/v1/minigroups"


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    audiences = [
        {
            "audience": mg.AUDIENCE,
            "preroll_offset": 4000,
            "to": "yandex",
            "preroll": "s3://films/preroll",
            "watermark": "s3://films/watermark",
        }
    ]
    gateway = mg.Gateway(directory, services, mg.store_url(directory), audiences=audiences)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
def clean(services):
    services.mend()
    services.forget()
    services.events, services.snapshots = {}, []


HOST = f"web.{mg.TEACHER}"
STEPS = ["real-time", "closed", "finished", "adjusted", "transcoded"]


class Life:
    """A minigroup and its status; each step is one message."""

    def __init__(self, gateway, services):
        self.gateway, self.services = gateway, services
        self.group = gateway.create(tags={"lesson": 42})
        self.rtc = mg.stream()
        self.adjusted = mg.adjusted(self.group)

    def close(self, **more):
        self.gateway.tell("room.close", {"id": self.group["conference_room_id"]}, **more)

    def upload(self, rtcs=None, **more):
        rtcs = [self.rtc] if rtcs is None else rtcs
        self.gateway.tell("room.upload", {"id": self.group["conference_room_id"], "rtcs": rtcs}, **more)

    def convert(self, rtc=None, segments="1772442007123,1500.0\n1772443807123,1200.5", **more):
        self.gateway.tell("task.complete", mg.converted(self.group, rtc or self.rtc, segments), "tq", **more)

    def adjust(self, payload=None, **more):
        self.gateway.tell("room.adjust", payload or self.adjusted, "event", **more)

    def dump(self, **more):
        self.gateway.tell("room.dump_events", mg.dumped(self.adjusted["modified_room_id"]), "event", **more)

    def transcode(self, **more):
        self.gateway.tell("task.complete", mg.transcoded(self.group), "tq", **more)

    def to(self, status):
        """Steps until the status is reached."""
        goal = STEPS.index(status)
        if goal >= 1:
            self.close()
        if goal >= 2:
            self.upload()
        if goal >= 3:
            self.convert()
            self.adjust()
        if goal >= 4:
            self.dump()
            self.transcode()
        assert self.read()["status"] == status
        self.services.forget()
        return self

    def read(self):
        return self.gateway.read(self.group)

    def status(self):
        return self.read()["status"]


@pytest.fixture
def life(gateway, services):
    return Life(gateway, services)


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
    elif expected is None:  # it would have started later
        assert start == end and abs(end - time.time()) < mg.LIMIT
    else:
        assert start == expected and abs(end - time.time()) < mg.LIMIT


def test_the_source_says_whose_room_it_is(gateway, life):
    conference, event = life.group["conference_room_id"], life.group["event_room_id"]
    gateway.tell("room.close", {"id": event}, "conference", status=422)
    gateway.tell("room.close", {"id": conference}, "event", status=422)
    # the agent id that a bridge passes on wins over the bridge's own account
    agent = {"Gateway-Agent-Id": "alpha." + mg.SERVICES["event"]}
    gateway.tell("room.close", {"id": conference}, "conference", status=422, **agent)
    assert life.status() == "real-time"
    gateway.tell("room.close", {"id": event}, "tq")  # neither: both kinds of rooms are searched
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


# --- every message in every status ---

# real-time, closed, finished, adjusted, transcoded: the status afterwards, or 422
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
    # the host becomes known: the next report goes on
    services.events["host"] = [{"occurred_at": 1, "data": {"agent_id": HOST}}]
    life.convert()
    assert len(services.take("event", "POST", ".*/adjust")) == 1


def test_the_hosts_account_is_the_fallback(gateway, services, life):
    life.upload()
    life.convert()  # no event of type host: the row's host, an account id, is compared
    assert len(services.take("event", "POST", ".*/adjust")) == 1


def test_adjusting_is_asked_for_once(gateway, services, life):
    life.upload()
    for _ in range(3):
        life.convert()
    assert len(services.take("event", "POST", ".*/adjust")) == 1


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
    services.told(life.group)  # watched again
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
    # late messages of the old generation find nothing
    gateway.tell("room.upload", {"id": old["conference_room_id"], "rtcs": [mg.stream()]})
    gateway.tell("room.close", {"id": old["conference_room_id"]}, status=422)
    assert life.status() == "real-time"
    life.rtc, life.adjusted = mg.stream(), mg.adjusted(life.group)
    life.to("transcoded")
    assert life.read()["position"] == 5  # kept
    assert json.dumps(life.read()).count(life.rtc["id"]) == 3
