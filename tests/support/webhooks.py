"""What tests of the group webhooks share: a gateway with the group, a target, events, and their deliveries."""

import base64
import uuid

import pytest

from support.gateway import Gateway
from support.stores import Store
from support.upstream import Upstream

SECRET = "the secret of the hook"
KEY = "the key of the signature"
GIVEN = {"X-Webhook-Secret": SECRET}
OLD, NEW = (b"k" * 24, b"\x00\xffn" * 21)
"""Keys of signatures: the shortest that is allowed, and one of 63 bytes."""


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def start(tmp_path, store):
    """start(**options): a gateway with the group; those still running are stopped at the end."""
    running = []

    def begin(auth=None, env=None, **options):
        directory = tmp_path / f"gateway-{len(running)}"
        directory.mkdir()
        options.setdefault("secret", SECRET)
        config = {name: value for name, value in options.items() if value is not None}
        gateway = Gateway(directory, {"store": store.url, "state_directory": str(directory), "auth": auth or {}},
                          {"webhooks": {"config": config}})
        gateway.env |= env or {}
        gateway.start()
        running.append(gateway)
        return gateway

    yield begin
    for gateway in running:
        gateway.stop()


@pytest.fixture
def target():
    with Upstream() as upstream:
        yield upstream


def to(target, name="app", path="/hook", **more):
    return {"name": name, "url": target.url + path, **more}


def event(**members):
    return {"version": "2.0", "id": str(uuid.uuid4()), "account_id": "acc", "app_id": "app",
            "timestamp": "2025-03-04T17:10:11.123456Z", "type": "session.open.success",
            "data": {"room_id": "r1", "session_id": "s1"}, **members}


def give(gateway, body, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()} or GIVEN
    return gateway.post("/webhooks", body, headers=headers)


def taken(gateway, body, **headers):
    answer = give(gateway, body, **headers)
    assert answer.status == 200 and answer.json == {}, answer
    return body


def events(gateway, query=""):
    answer = gateway.get("/webhooks/events" + query)
    assert answer.status == 200, answer
    return answer.json


def ids(gateway, query=""):
    return [one["id"] for one in events(gateway, query)["data"]]


def pending(store):
    return store.sql("SELECT target, attempts FROM webhook_delivery WHERE done_ms IS NULL AND due_ms IS NOT NULL")


def sent_ids(target, path="/hook"):
    return [request.json["id"] for request in list(target.requests) if request.path == path]


def whsec(key):
    """The key as it stands in a config."""
    return "whsec_" + base64.b64encode(key).decode()


def in_room(room, number):
    return event(id=f"{room}-{number}", data={"room_id": room})


def delivered(request):
    """The id of the event of a delivery."""
    return request.json["id"]
