"""Gateways that share their limits in a Redis or Valkey server."""

import http.client
import itertools
import threading

import pytest

from support import promtext
from support.several import several
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

PASSWORD = "shared-limits-password-0123456789"


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def make(tmp_path, upstream):
    """make(count, limits, url, …) starts gateways that differ only in their directories."""
    with several(tmp_path) as begin:
        def start(count, limits, url, start=True, auth=None, **shared):
            config = {"upstreams": {"api": {"url": upstream.url, "retries": 0, "connections_max": 64}}, "auth": auth or {},
                      "limits": {**limits, "shared": {"url": url, **shared}}}
            return begin(count, config, {"rooms": {}}, start)

        yield start


def told(gateway, name):
    return promtext.parse(gateway.admin("/metrics").body.decode())[f"greenroom_shared_limits_{name}"]


def is_reached(gateway):
    return told(gateway, "reached") == 1


def statuses(gateways, count):
    """Sends requests to the gateways in turn, and returns the statuses of the answers."""
    return [gateways[i % len(gateways)].get("/rooms").status for i in range(count)]


class Load:
    """Clients that send requests as fast as they are answered. Counts what passes and what does not."""

    def __init__(self, ports):
        self.passed = 0
        """The number of requests that were answered with 200."""
        self.others = {}
        """The numbers of other answers, by status."""
        self.refused = dict.fromkeys(ports, 0)
        """The numbers of other answers, by port."""
        self._end = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(port,)) for port in ports]
        for thread in self._threads:
            thread.start()

    def _run(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT * 2)
        number = 0
        while not self._end.is_set():
            number += 1
            connection.request("GET", f"/rooms/{id(connection)}-{number}")
            response = connection.getresponse()
            response.read()
            with self._lock:
                if response.status == 200:
                    self.passed += 1
                else:
                    self.others[response.status] = self.others.get(response.status, 0) + 1
                    self.refused[port] += 1
            self._end.wait(0.002)  # leaves the gateways some time of the processor
        connection.close()

    def wait_refused(self, count=20):
        """Waits until each gateway has refused so many more requests."""
        before = dict(self.refused)
        until(lambda: all(self.refused[port] >= before[port] + count for port in before), "a gateway does not refuse")

    def wait_passed(self, count):
        """Waits until so many requests have passed since the start."""
        until(lambda: self.passed >= count, f"fewer than {count} requests pass")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._end.set()
        for thread in self._threads:
            thread.join()


class Slow:
    """Requests that stay in progress until end()."""

    numbers = itertools.count()

    def __init__(self, upstream, gateway, count):
        self.upstream = upstream
        self.statuses = []
        self.paths = [f"/rooms/slow{next(Slow.numbers)}" for _ in range(count)]
        for path in self.paths:
            upstream.on("GET", path, Reply.hang())
        self.threads = [threading.Thread(target=self._run, args=(gateway, path)) for path in self.paths]
        for thread in self.threads:
            thread.start()
        until(lambda: len([r for r in upstream.requests if r.path in self.paths]) >= count)

    def _run(self, gateway, path):
        try:
            self.statuses.append(gateway.get(path).status)
        except (OSError, http.client.HTTPException):
            self.statuses.append(None)

    def end(self):
        self.upstream.cut()
        for thread in self.threads:
            thread.join()
