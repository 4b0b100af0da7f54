"""Gateways with one store that keep the outcome of requests with an Idempotency-Key."""

import uuid

import pytest

from support import hms
from support.stores import Store
from support.upstream import Reply, Upstream

GROUPS = ("rooms", "stream_keys", "room_codes")
KEPT = {group: {"idempotency": "1h"} for group in GROUPS}
ROOM = {"name": "standup"}
CREATED = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "standup"}


@pytest.fixture
def upstream():
    with Upstream() as upstream:
        upstream.on("POST", "/v2/rooms", Reply(CREATED, headers=[("X-Request-Id", "of-the-upstream")]))
        yield upstream


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def make(tmp_path, upstream, store):
    """make(…) starts a gateway; all gateways of a test share the store."""
    started = []

    def start(plugins=None, env=None, **config):
        directory = tmp_path / f"gateway{len(started)}"
        directory.mkdir()
        gateway = hms.gateway_for(directory, upstream.url + "/v2", GROUPS, KEPT if plugins is None else plugins,
                                  **{"store": store.url, **config})
        gateway.env |= env or {}
        started.append(gateway)
        return gateway.start()

    yield start
    for gateway in started:
        gateway.stop()
        assert "Sanitizer" not in gateway.log, gateway.log


def keyed(key, **more):
    return {"headers": {"Idempotency-Key": f'"{key}"', **more}}


def new_key():
    return str(uuid.uuid4())


def replayed(answer):
    return answer.header("Idempotent-Replayed") == "true"


def sent(upstream, path="/v2/rooms"):
    """How many requests to create something the upstream got."""
    return sum(1 for request in upstream.requests if request.method == "POST" and request.path == path)
