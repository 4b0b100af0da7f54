"""A gateway in front of a scripted upstream, once with each transport."""

import json

import pytest

from support.gateway import Gateway
from support.upstream import Reply, Upstream

SECRET = "an app secret for tests"
ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True}


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture(params=["http1", "curl"])
def start(tmp_path, upstream, request):
    """Starts a gateway that calls the upstream with this transport; keywords are settings of the upstream."""
    running = []

    def starter(url=None, **settings):
        one = {"url": url or upstream.url + "/v2", "credential": "100ms", "transport": request.param, **settings}
        config = {
            "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": SECRET}},
            "upstreams": {"api": one},
        }
        running.append(Gateway(tmp_path, config, plugins={"rooms": {}}))
        running[-1].start()
        return running[-1]

    starter.transport = request.param
    yield starter
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(start):
    return start()


def error_of(answer, status):
    """The parsed body of an error answer, after its shape was checked."""
    assert answer.status == status, answer.body
    assert answer.header("Content-Type").startswith("application/json")
    body = json.loads(answer.body)
    assert body["code"] == status
    assert body["message"]
    return body


def alive(gateway, upstream):
    """Checks that the gateway still works."""
    upstream.forget()
    upstream.default = Reply(ROOM)
    assert gateway.get("/rooms/1").status == 200
