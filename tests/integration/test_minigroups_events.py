"""Minigroups: events and whiteboards."""

import uuid

import pytest

from support.minigroups_fixtures import BASE, UUID, clean, gateway  # noqa: F401 (fixtures)


def test_events_go_to_the_class_room(gateway, services):
    minigroup = gateway.create()
    services.forget()
    event = {"type": "host", "data": None, "label": "l", "is_claim": True, "unknown": {"x": 1}}
    path = f"{BASE}/{minigroup['id']}/events"
    assert gateway.ask("POST", path, {**event, "room_id": str(uuid.uuid4())}, 201) == {}
    (seen,) = services.take()
    assert seen.path == f"/api/v1/rooms/{minigroup['event_room_id']}/events" and seen.json == event


@pytest.mark.parametrize("body", [{}, {"type": "a"}, {"type": "", "data": 1}, {"type": 1, "data": 1}, {"data": 1}, []])
def test_events_are_checked(gateway, services, body):
    minigroup = gateway.create()
    services.forget()
    gateway.refuse(400, "invalid_payload", "POST", f"{BASE}/{minigroup['id']}/events", body)
    assert services.take() == []


def test_refused_and_lost_events_differ(gateway, services):
    path = f"{BASE}/{gateway.create()['id']}/events"
    services.fail("event", "POST", ".*/events", 404, {"type": "room_closed"})
    gateway.refuse(400, "invalid_payload", "POST", path, {"type": "a", "data": 1})
    services.mend()
    services.fail("event", "POST", ".*/events", None)
    status, answer, _ = gateway.call("POST", path, {"type": "a", "data": 1})
    assert status == 502 and answer["type"] == "event_service_unreachable"


def test_a_whiteboard_is_two_events(gateway, services):
    minigroup = gateway.create()
    services.forget()
    assert gateway.ask("POST", f"{BASE}/{minigroup['id']}/whiteboard", None, 201) == {}
    document, page = (seen.json for seen in services.take("event", "POST", ".*/events"))
    label = document.pop("label")
    assert UUID.fullmatch(label)
    assert document == {
        "type": "document",
        "set": "document",
        "data": {"title": "whiteboard", "page": 1, "published": True, "url": "about:whiteboard"},
    }
    assert page == {
        "type": "document_page",
        "set": f"document_page_{label}",
        "label": f"document_page_{label}_1",
        "data": {"page": 1, "title": ""},
    }


@pytest.mark.parametrize("good", [0, 1])
def test_a_whiteboard_that_fails(gateway, services, good):
    path = f"{BASE}/{gateway.create()['id']}/whiteboard"
    services.forget()
    services.fail("event", "POST", ".*/events", 500)
    if good:
        services.fail("event", "POST", ".*/events", 201, {}, times=1)
    gateway.refuse(422, "creation_whiteboard_failed", "POST", path)
    assert len(services.take("event")) == good + 1
