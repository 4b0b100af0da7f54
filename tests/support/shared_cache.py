"""Gateways that share the answers of an upstream in a Redis or Valkey server."""

import concurrent.futures

import pytest

from support import promtext
from support.several import several
from support.until import until
from support.upstream import FACTOR, Reply, Upstream

SECRET = "a secret that all gateways have, of 32 characters or more"
ROOM = {"id": "1", "name": "the first"}
RENAMED = {"id": "1", "name": "renamed"}
HOUR = {"rooms.get": {"cache": "1h"}, "rooms.list": {"cache": "1h"}}
PATIENCE = f"{int(min(2 * FACTOR, 10) * 1000)}ms"


@pytest.fixture
def upstream():
    with Upstream() as server:
        server.default = Reply(ROOM)
        yield server


@pytest.fixture
def pool():
    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        yield threads


@pytest.fixture
def make(tmp_path, upstream):
    """make(count, url, …) starts gateways that differ only in their directories."""
    with several(tmp_path) as begin:
        def start(count, url, routes=None, start=True, auth=None, api=None, maximum="16m", **shared):
            config = {"upstreams": {"api": {"url": upstream.url, "retries": 0, **(api or {})}}, "auth": auth or {},
                      "cache": {"max": maximum, "shared": {"url": url, "secret": SECRET, "timeout": PATIENCE, **shared}}}
            return begin(count, config, {"rooms": {"routes": routes or HOUR}}, start)

        yield start


def metrics(gateway):
    return promtext.parse(gateway.admin("/metrics").body.decode())


def waiting(gateway):
    """The number of calls that wait for the server."""
    return metrics(gateway)["greenroom_calls_waiting", "for", "cache"]


def counted(gateway, name):
    return metrics(gateway)[f"greenroom_upstream_cache_{name}_total", "upstream", "api"]


def keys(redis, kind):
    """The keys of the cache in the server, without those of probes."""
    return [key for key in redis.command("KEYS", f"greenroom:{kind}:*")
            if not key.endswith(":65536") and not key.endswith(":" + "0" * 32)]


def kept(redis, count=1):
    """Waits until the server has so many answers and no lease."""
    until(lambda: len(keys(redis, "answer")) == count and not keys(redis, "lease"), "the server does not get the answers")
