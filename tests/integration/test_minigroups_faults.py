"""Minigroups when something fails: each step of each operation, the outbox, races, restarts."""

import json
import signal
import threading
import time
import urllib.parse
import uuid

import pytest
from support import minigroups as mg
from support.until import until

BASE = "/api/v1/minigroups"


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    gateway = mg.Gateway(directory, services, mg.store_url(directory))
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
def clean(services):
    services.mend()
    services.forget()
    services.delay = 0
    services.events, services.snapshots = {}, []


def at_once(count, work):
    """Runs work(i) on that many threads at the same moment; the results in order."""
    gate, results = threading.Barrier(count), [None] * count

    def run(i):
        gate.wait(mg.LIMIT)
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(mg.LIMIT)
    return results


def new_class(**more):
    return {"scope": f"scope-{uuid.uuid4()}", "audience": mg.AUDIENCE, "host": mg.TEACHER, **more}


# --- create and recreate, one room failing ---

BAD_ANSWERS = [(500, {}), (404, {}), (None, None), (200, {}), (200, b"not json"), (201, {"id": "not-a-uuid"})]


@pytest.mark.parametrize("status, answer", BAD_ANSWERS)
@pytest.mark.parametrize("bad, good", [("event", "conference"), ("conference", "event")])
def test_the_other_room_is_closed_again(gateway, services, bad, good, status, answer):
    body = new_class()
    services.fail(bad, "POST", "/api/v1/rooms", status, answer)
    problem = gateway.refuse(500, "mqtt_request_failed", "POST", BASE, body)
    assert problem["detail"] == f"Request to {bad}"
    (closed,) = services.wait(good, "PATCH", "/api/v1/rooms/.*")
    start, end = closed.json["time"]
    assert start < end <= time.time() + 2
    assert services.take(bad, "PATCH") == [] and services.take("event", "POST", ".*/locked_types") == []
    # nothing remains: the scope is free
    path = f"/api/v1/audiences/{mg.AUDIENCE}/minigroups/{body['scope']}"
    gateway.refuse(404, "class_not_found", "GET", path)
    services.mend()
    assert gateway.ask("POST", BASE, body, 201)["scope"] == body["scope"]


def test_both_rooms_failing(gateway, services):
    for service in ("event", "conference"):
        services.fail(service, "POST", "/api/v1/rooms", 503)
    problem = gateway.refuse(500, "mqtt_request_failed", "POST", BASE, new_class())
    assert problem["detail"] == "Request to event"
    assert services.take(None, "PATCH") == []


def test_a_room_is_closed_however_long_it_takes(gateway, services):
    services.fail("conference", "POST", "/api/v1/rooms", 500)
    services.fail("event", "PATCH", ".*", 503, times=1)
    gateway.refuse(500, "mqtt_request_failed", "POST", BASE, new_class())
    services.wait("event", "PATCH", ".*", 1)
    until(lambda: any("which has no class" in line for line in gateway.log), "the failure is logged")
    services.wait("event", "PATCH", ".*", 2)  # the second attempt, some seconds later


def test_locks_are_made_up_for(gateway, services):
    services.fail("event", "POST", ".*/locked_types", 500, times=1)
    group = gateway.create()
    first, second = services.wait("event", "POST", f".*/{group['event_room_id']}/locked_types", 2)
    assert first.json == second.json and first.path == second.path


@pytest.mark.parametrize("bad", ["event", "conference"])
def test_recreate_keeps_the_old_rooms(gateway, services, bad):
    group = gateway.create(time=[100, 4000000000])
    services.forget()
    services.fail(bad, "POST", "/api/v1/rooms", 500)
    gateway.refuse(500, "mqtt_request_failed", "POST", f"{BASE}/{group['id']}/recreate", {})
    services.mend()
    services.wait({"event": "conference", "conference": "event"}[bad], "PATCH", ".*")
    answer = gateway.ask("PUT", f"{BASE}/{group['id']}", {"reserve": 1})
    assert {key: answer[key] for key in ("event_room_id", "conference_room_id", "time")} == {
        key: group[key] for key in ("event_room_id", "conference_room_id", "time")
    }


# --- update ---


@pytest.mark.parametrize("bad", ["event", "conference"])
@pytest.mark.parametrize("status", [404, 500, None])
def test_update_leaves_the_row_alone(gateway, services, bad, status):
    group = gateway.create(time=[100, 4000000000], reserve=3)
    services.forget()
    services.fail(bad, "PATCH", ".*", status)
    body = {"time": [100, 200], "reserve": 9, "host": "a.b.c"}
    problem = gateway.refuse(500, "mqtt_request_failed", "PUT", f"{BASE}/{group['id']}", body)
    assert problem["detail"] == "Services requests"
    if bad == "event":
        assert services.take("conference") == []
    services.mend()
    answer = gateway.ask("PUT", f"{BASE}/{group['id']}", {"reserve": 4})
    assert answer["time"] == group["time"] and answer["host"] == mg.TEACHER


# --- messages, a service failing at each step ---


def stage(gateway, services, to):
    """Makes a class in the state before the failing step, and returns the class and its stream."""
    group, rtc = gateway.create(), mg.stream()
    gateway.tell("room.upload", {"id": group["conference_room_id"], "rtcs": [rtc]})
    if to == "adjusting":
        gateway.tell("task.complete", mg.converted(group, rtc), "tq")
    services.forget()
    return group, rtc


@pytest.mark.parametrize("step", ["host", "adjust"])
@pytest.mark.parametrize("status", [500, None])
def test_adjusting_can_be_asked_for_again(gateway, services, step, status):
    group, rtc = stage(gateway, services, "finished")
    method, path = ("GET", ".*/events") if step == "host" else ("POST", ".*/adjust")
    services.fail("event", method, path, status)
    answer = gateway.tell("task.complete", mg.converted(group, rtc), "tq", status=422)
    assert answer["type"] == "transcoding_flow_failed"
    assert gateway.read(group)["status"] == "finished"
    services.mend()
    services.forget()
    gateway.tell("task.complete", mg.converted(group, rtc), "tq")
    assert len(services.take("event", "POST", ".*/adjust")) == 1


STEPS = {
    "room": ("event", "GET", "/api/v1/rooms/[^/]+"),
    "dump": ("event", "POST", ".*/dump_events"),
    "snapshots": ("conference", "GET", ".*/snapshot"),
    "task": ("tq", "POST", ".*"),
}


@pytest.mark.parametrize("status, answer", [(500, {}), (None, None)])
@pytest.mark.parametrize("step", STEPS)
def test_transcoding_can_be_asked_for_again(gateway, services, step, status, answer):
    group, _ = stage(gateway, services, "adjusting")
    payload = mg.adjusted(group)
    services.fail(*STEPS[step], status, answer)
    assert gateway.tell("room.adjust", payload, "event", status=422)["type"] == "transcoding_flow_failed"
    assert gateway.read(group)["status"] == "adjusted"
    services.mend()
    services.forget()
    if status:  # the sender repeats it, or an operator restarts it
        gateway.tell("room.adjust", payload, "event")
    else:
        gateway.ask("POST", f"/api/v1/transcoding/minigroup/{group['id']}/restart", {})
    assert len(services.take("tq")) == 1
    gateway.tell("room.adjust", payload, "event")
    assert len(services.take("tq")) == 1


def test_the_host_unknown_to_the_event_service(gateway, services):
    group, _ = stage(gateway, services, "adjusting")
    services.fail("event", "GET", ".*/events", 500)
    gateway.tell("room.adjust", mg.adjusted(group), "event", status=422)
    assert gateway.read(group)["status"] == "finished"


def test_convert_tasks_reach_a_queue_that_was_away(gateway, services):
    services.fail("tq", "POST", ".*", None, times=1)
    group, rtc = stage(gateway, services, "finished")
    (task,) = services.wait("tq", "POST", f".*{group['scope']}-{rtc['id']}.*")
    assert task.json["bindings"]["stream_id"] == rtc["id"]


# --- notifications ---


def test_notifications_are_sent_until_they_arrive(gateway, services):
    group = gateway.create()
    services.fail("tenant", "POST", "/events", 500, times=1)
    gateway.tell("room.close", {"id": group["conference_room_id"]})
    first, second = services.told(group, 2)
    assert first.json == second.json


def test_notifications_survive_a_kill(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, mg.store_url(tmp_path))
    group = gateway.create()
    services.fail("tenant", "POST", "/events", 503)
    gateway.tell("room.close", {"id": group["conference_room_id"]})
    # Killed during the attempt, it would wait for the end of the lease.
    until(lambda: "failed and will be tried again" in "".join(gateway.log), "the attempt has failed")
    gateway.stop(signal.SIGKILL)
    services.mend()
    services.forget()
    gateway.start()
    services.told(group)
    assert gateway.read(group)["status"] == "closed"
    assert gateway.stop() == 0


def test_an_audience_without_a_url_is_not_notified(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, mg.store_url(tmp_path), notify=[])
    group = gateway.create()
    gateway.tell("room.close", {"id": group["conference_room_id"]})
    assert gateway.read(group)["status"] == "closed"
    assert gateway.stop() == 0 and services.take("tenant") == []


def test_without_a_queue_messages_still_drive(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, mg.store_url(tmp_path), tq={"url": ""})
    group, rtc = gateway.create(), mg.stream()
    gateway.tell("room.upload", {"id": group["conference_room_id"], "rtcs": [rtc]})
    gateway.tell("task.complete", mg.converted(group, rtc), "tq")
    gateway.tell("room.adjust", mg.adjusted(group), "event")
    gateway.tell("task.complete", mg.transcoded(group), "tq")
    assert gateway.read(group)["status"] == "transcoded" and services.take("tq") == []
    assert gateway.stop() == 0


# --- races ---


def test_rival_creates_give_one_success(gateway, services):
    body = new_class()
    answers = at_once(50, lambda i: gateway.call("POST", BASE, {**body, "tags": {"n": i}}))
    won = [answer for status, answer, _ in answers if status == 201]
    lost = {(status, answer["type"]) for status, answer, _ in answers if status != 201}
    assert len(won) == 1 and lost == {(422, "class_already_established")}
    read = gateway.ask("PUT", f"{BASE}/{won[0]['id']}", {"reserve": 1})
    assert read["tags"] == won[0]["tags"] and read["event_room_id"] == won[0]["event_room_id"]
    assert len(services.take("event", "POST", "/api/v1/rooms")) == 1  # in one process the other requests wait


def test_two_gateways_on_one_store(gateway, services, tmp_path):
    """Two processes create the same scope. One row is made, and the rooms of the other process are closed."""
    store = json.loads((gateway.config / "greenroom.json").read_text())["store"]
    other = mg.Gateway(tmp_path, services, store)
    services.delay = both = threading.Event()
    body = new_class()

    def create_or_answer(i):
        if i < 2:
            return (gateway, other)[i].call("POST", BASE, body)
        services.wait("event", "POST", "/api/v1/rooms", 2)
        both.set()
        return None

    answers = at_once(3, create_or_answer)[:2]
    services.delay = 0
    assert sorted(status for status, _, _ in answers) == [201, 422]
    made = {
        seen.service: seen for seen in services.wait("event", "PATCH", ".*") + services.wait("conference", "PATCH", ".*")
    }
    winner = next(answer for status, answer, _ in answers if status == 201)
    assert winner["event_room_id"] not in made["event"].path
    assert winner["conference_room_id"] not in made["conference"].path
    assert other.read(winner)["class_id"] == winner["id"]
    assert other.stop() == 0


def test_parallel_writes_of_different_properties_lose_none(gateway):
    group = gateway.create(properties={"kept": True})
    path = f"{BASE}/{group['id']}/properties/"
    answers = at_once(50, lambda i: gateway.call("PUT", f"{path}key{i}", i)[0])
    assert answers == [200] * 50
    everything = gateway.ask("PUT", path + "last", 1)
    assert everything == {"kept": True, "last": 1, **{f"key{i}": i for i in range(50)}}


def test_parallel_writes_of_account_properties_lose_none(gateway):
    who = f"u{uuid.uuid4()}.usr.example.org"
    answers = at_once(30, lambda i: gateway.call("PUT", f"/api/v1/account/properties/key{i}", i, who=who)[0])
    assert answers == [200] * 30
    assert len(gateway.ask("PUT", "/api/v1/account/properties/last", 1, who=who)) == 31


def test_streams_converted_at_once_ask_to_adjust_once(gateway, services):
    group = gateway.create()
    rtcs = [mg.stream(f"web.s-{i}.usr.example.org") for i in range(9)] + [mg.stream()]
    gateway.tell("room.upload", {"id": group["conference_room_id"], "rtcs": rtcs})
    at_once(10, lambda i: gateway.tell("task.complete", mg.converted(group, rtcs[i]), "tq"))
    assert len(services.take("event", "POST", ".*/adjust")) == 1


def test_closed_ten_times_at_once_is_told_once(gateway, services):
    group = gateway.create()
    at_once(10, lambda i: gateway.tell("room.close", {"id": group["conference_room_id"]}))
    marker = gateway.create()
    gateway.tell("room.close", {"id": marker["conference_room_id"]})
    services.told(marker)
    assert len(services.told(group)) == 1


def test_parallel_recreates_leave_one_pair_of_rooms(gateway, services):
    group = gateway.create()
    answers = at_once(5, lambda i: gateway.call("POST", f"{BASE}/{group['id']}/recreate", {})[0])
    assert answers == [200] * 5
    last = gateway.read(group)["real_time"]
    assert last["event_room_id"] != group["event_room_id"]


# --- independent calls ---


def test_create_calls_both_services_side_by_side(gateway, services):
    services.delay = both = threading.Event()

    def create_or_answer(i):
        if i == 0:
            return gateway.create()
        for service in ("event", "conference"):  # neither is answered before both have come
            services.wait(service, "POST", "/api/v1/rooms")
        return both.set()

    assert at_once(2, create_or_answer)[0]["id"]


def test_a_slow_authorizer_is_asked_once_while_its_answer_is_fresh(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, mg.store_url(tmp_path), authz_cache="5m")
    group = gateway.create(audience="asks.example.org")
    services.forget()
    for _ in range(3):
        gateway.read(group)
    assert len(services.take("authz")) == 1
    gateway.read(group, who=mg.PUPIL)  # another account is another question
    gateway.call("PUT", f"{BASE}/{group['id']}", {"reserve": 1})  # and so is another action
    assert len(services.take("authz")) == 3
    assert gateway.stop() == 0


def test_a_secret_is_made_and_kept(services, tmp_path):
    gateway = mg.Gateway(tmp_path, services, mg.store_url(tmp_path), secret="")
    path = tmp_path / "minigroups.secret"
    first = path.read_text().removesuffix("\n")
    assert len(first) == 64 and path.stat().st_mode & 0o777 == 0o600
    bearer = {"Authorization": "Bearer " + mg.token(mg.ADMIN, secret=first)}
    gateway.ask("POST", BASE, new_class(), 201, who=None, headers=bearer)
    assert first not in "".join(gateway.log)
    gateway.stop()
    gateway.start()
    assert path.read_text().removesuffix("\n") == first
    gateway.stop()


def test_nothing_internal_leaks(gateway, services):
    services.fail("conference", "POST", "/api/v1/rooms", 500, {"detail": "secret-stack-trace"})
    problem = gateway.refuse(500, "mqtt_request_failed", "POST", BASE, new_class())
    text = json.dumps(problem)
    assert "secret-stack-trace" not in text and urllib.parse.urlsplit(services.url).netloc not in text


def test_a_rival_does_not_wait_for_ever(services, tmp_path):
    """The first create waits for the event service longer than another create of the same scope waits for it."""
    gateway = mg.Gateway(tmp_path, services, event={"url": services.url + "/event", "timeout": "60s"})
    body, done, release = new_class(), [], threading.Event()
    try:
        services.fail("event", "POST", "/api/v1/rooms", 201, {"id": str(uuid.uuid4())}, delay=release)
        first = threading.Thread(target=lambda: done.append(gateway.call("POST", BASE, body)[0]))
        first.start()
        services.wait("event", "POST", "/api/v1/rooms")
        status, answer, _ = gateway.call("POST", BASE, body)
        assert (status, done) == (503, []) and "another request" in answer["detail"]
        release.set()
        first.join(mg.LIMIT)
        assert done == [201]
    finally:
        gateway.stop()
