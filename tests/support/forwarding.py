"""A gateway in front of a scripted upstream, many clients, and waits until the calls are under way."""

import concurrent.futures
import contextlib
import json

import pytest

from support import promtext
from support.gateway import Gateway
from support.until import until
from support.upstream import Upstream

ROOM = {"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True}
LIMITS = [("X-RateLimit-Remaining", "9")]


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream):
    """Starts a gateway; keywords other than plugins, server, auth and cache are settings of its upstreams."""
    with contextlib.ExitStack() as stack:
        def starter(plugins=None, server=None, auth=None, cache=None, **settings):
            config = {
                "auth": auth or {},
                "state_directory": str(tmp_path / "state"),
                "server": server or {},
                "cache": cache or {},
                "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
                "upstreams": {"api": {"url": upstream.url + "/v2", "credential": "100ms", **settings},
                              "auth": {"url": upstream.url + "/auth", **settings}},
            }
            return stack.enter_context(Gateway(tmp_path, config, plugins=plugins or {"rooms": {}}))

        yield starter


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(64) as executor:
        yield executor


def metrics(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())


def wait_waiting(gateway, count):
    """Returns when so many requests wait for the upstream."""
    until(lambda: metrics(gateway)["greenroom_upstream_requests_waiting", "upstream", "api"] == count)


def access_lines(gateway):
    lines = [json.loads(line) for line in gateway.log.splitlines()]
    return [line for line in lines if line["message"] == "request"]
