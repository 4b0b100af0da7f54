"""callbacks.async: messages are answered when they are stored, and handled in order."""


import threading

import pytest
from support import minigroups as mg
from support.stores import Store
from support.until import until

TRUSTED = [mg.SERVICES[name] for name in ("conference", "event", "tq")]


@pytest.fixture(scope="module")
def gateway(services, tmp_path_factory):
    directory = tmp_path_factory.mktemp("minigroups")
    callbacks = {"trusted": TRUSTED, "async": True}
    gateway = mg.Gateway(directory, services, mg.store_url(directory), callbacks=callbacks)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(autouse=True)
def clean(services):
    services.mend()
    services.forget()


def tell(gateway, *message, **more):
    assert gateway.tell(*message, status=202, **more) == {}


def close_and_upload(gateway, group, rtc):
    tell(gateway, "room.close", {"id": group["conference_room_id"]})
    tell(gateway, "room.upload", {"id": group["conference_room_id"], "rtcs": [rtc]})
    tell(gateway, "task.complete", mg.converted(group, rtc), "tq")


def wait_status(gateway, group, status):
    until(lambda: gateway.read(group)["status"] == status, status)


def test_a_whole_life_reported_at_once_is_lived_in_order(gateway, services):
    groups = [gateway.create() for _ in range(3)]
    for group in groups:
        close_and_upload(gateway, group, mg.stream())
        tell(gateway, "room.adjust", mg.adjusted(group), "event")
        tell(gateway, "task.complete", mg.transcoded(group), "tq")
    for group in groups:
        wait_status(gateway, group, "transcoded")
        labels = [seen.headers["Gateway-Label"] for seen in services.told(group, 2)]
        assert sorted(labels) == ["minigroup.ready", "minigroup.stop"]


def test_a_message_that_fails_is_tried_again_and_the_later_ones_of_its_class_wait(gateway, services):
    group, other = gateway.create(), gateway.create()
    close_and_upload(gateway, group, mg.stream())
    services.wait("event", "POST", f".*/{group['event_room_id']}/adjust")
    adjusted = mg.adjusted(group)
    services.fail("event", "GET", f".*/{adjusted['modified_room_id']}/events", 500)
    tell(gateway, "room.adjust", adjusted, "event")
    tell(gateway, "task.complete", mg.transcoded(group), "tq")
    close_and_upload(gateway, other, mg.stream())
    wait_status(gateway, other, "finished")
    assert gateway.read(group)["status"] == "finished", "transcoded overtook adjusted"
    services.mend()
    wait_status(gateway, group, "transcoded")
    asked = services.take("event", "GET", f".*/{adjusted['modified_room_id']}/events")
    assert len(asked) >= 2, "the second attempt"


def test_what_cannot_be_read_is_refused_at_once(gateway):
    group = gateway.create()
    gateway.tell("room.close", {"id": 1}, status=400)
    gateway.tell("room.close", {"id": group["conference_room_id"]}, sender=mg.TEACHER, status=403)
    assert gateway.tell("room.enter", {}, status=200) == {}


def test_kept_messages_outlive_the_program(gateway, services):
    group = gateway.create()
    close_and_upload(gateway, group, mg.stream())
    services.wait("event", "POST", f".*/{group['event_room_id']}/adjust")
    services.fail("event", "GET", ".*/events", 500, times=1)
    tell(gateway, "room.adjust", mg.adjusted(group), "event")
    tell(gateway, "task.complete", mg.transcoded(group), "tq")
    services.wait("event", "GET", ".*/events")
    assert gateway.stop() == 0
    gateway.start()
    wait_status(gateway, group, "transcoded")


def test_a_gateway_that_has_lost_its_lease_requests_no_second_transcoding(services, tmp_path):
    store = Store(tmp_path)
    gateway = mg.Gateway(tmp_path, services, store.url, callbacks={"trusted": TRUSTED, "async": True})
    try:
        group = gateway.create()
        close_and_upload(gateway, group, mg.stream())
        wait_status(gateway, group, "finished")
        services.wait("event", "POST", f".*/{group['event_room_id']}/adjust")
        goes_on = threading.Event()
        services.fail("conference", "GET", ".*/snapshot", 200, [], times=1, delay=goes_on)
        services.forget()
        tell(gateway, "room.adjust", mg.adjusted(group), "event")
        services.wait("conference", "GET", ".*/snapshot")
        store.sql("UPDATE minigroups_inbox SET due_ms = due_ms + 1")  # as another gateway does when it has ended
        goes_on.set()
        until(lambda: "another gateway handles the message" in "".join(gateway.log))
        assert not services.take("tq")
        store.sql("UPDATE minigroups_inbox SET due_ms = 1")  # that one has died
        services.wait("tq", "POST", ".*")
        until(lambda: store.sql("SELECT count(*) FROM minigroups_inbox") == [("0",)])
        assert len(services.take("tq")) == 1
    finally:
        assert gateway.stop() == 0
