"""Rate limits and limits of concurrent requests."""

import http.client
import json
import subprocess
import threading

import pytest

from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

SECRET = "app-secret-of-the-tests-0123456789abcdef"


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def make(tmp_path, upstream):
    made = []

    def start(limits, auth=None):
        config = {
            "credentials": {"100ms": {"access_key": "access", "secret": SECRET}},
            "upstreams": {"api": {"url": f"http://127.0.0.1:{upstream.port}", "credential": "100ms"}},
            "state_directory": str(tmp_path / "state"),
            "limits": limits,
            "auth": auth or {},
        }
        gateway = Gateway(tmp_path / "etc", config, {"rooms": {}, "token": {}})
        made.append(gateway)
        gateway.write()
        return gateway

    yield start
    for gateway in made:
        gateway.stop()


def new_key(gateway, name):
    return {"X-API-Key": subprocess.run([BINARY, "-c", str(gateway.directory), "keys", "add", name, "--scope", "*"],
                                        capture_output=True, text=True, check=True).stdout.strip()}


class Slow:
    """Requests that stay in progress until end(). They differ from each other, because equal ones would share a call."""

    def __init__(self, gateway, upstream, count, headers=None):
        paths = [f"/rooms/slow{i}" for i in range(count)]
        self.release = threading.Event()
        for path in paths:
            upstream.on("GET", path, Reply.held(self.release, {}))
        self.statuses = []
        self.threads = [threading.Thread(target=self._run, args=(gateway, path, headers)) for path in paths]
        for thread in self.threads:
            thread.start()
        until(lambda: len([r for r in upstream.requests if r.path in paths]) >= count)

    def _run(self, gateway, path, headers):
        self.statuses.append(gateway.get(path, headers=headers).status)

    def end(self):
        self.release.set()
        for thread in self.threads:
            thread.join()
        return self.statuses


def rejected(gateway, reason):
    for line in gateway.admin("/metrics").body.decode().splitlines():
        if line.startswith(f'greenroom_rejected_total{{reason="{reason}"}}'):
            return int(line.split()[-1])
    raise AssertionError(reason)


def test_nothing_is_limited_by_default(make):
    gateway = make({}).start()
    answer = gateway.get("/rooms")
    assert answer.status == 200 and answer.header("RateLimit-Limit") is None


def test_a_caller_that_asks_too_often(make):
    gateway = make({"caller": {"rate": "3/m"}}, {"keys": {}})
    one, other = new_key(gateway, "one"), new_key(gateway, "other")
    gateway.start()
    answers = [gateway.get("/rooms", headers=one) for _ in range(4)]
    assert [a.status for a in answers] == [200, 200, 200, 429]
    assert [a.header("RateLimit-Remaining") for a in answers] == ["2", "1", "0", "0"]
    assert all(a.header("RateLimit-Limit") == "3" for a in answers)
    assert 1 <= int(answers[3].header("Retry-After")) <= 20
    assert 40 <= int(answers[3].header("RateLimit-Reset")) <= 60
    assert answers[3].json["code"] == 429
    assert gateway.get("/rooms", headers=other).status == 200
    assert rejected(gateway, "rate") == 1


def test_tokens_come_back(make):
    gateway = make({"caller": {"rate": "5/s", "burst": 1}}).start()
    # A token comes back every 200 ms, so that on a busy machine the second request may come too late to be refused.
    until(lambda: gateway.get("/rooms").status == 429)
    until(lambda: gateway.get("/rooms").status == 200)


def test_scopes_and_routes_have_buckets_of_their_own(make):
    gateway = make({"caller": {"rate": "100/m"}, "scopes": {"tokens:write": {"rate": "2/m"}},
                    "routes": {"rooms.list": {"rate": "1/m"}}}).start()
    body = {"roomId": "r", "role": "guest"}
    assert [gateway.post("/token", body).status for _ in range(3)] == [201, 201, 429]
    listed = gateway.get("/rooms")
    assert listed.status == 200 and listed.header("RateLimit-Limit") == "1"
    assert gateway.get("/rooms").status == 429
    one = gateway.get("/rooms/r1")
    assert one.status == 200 and one.header("RateLimit-Limit") == "100"


def test_an_address_that_asks_too_often_is_refused_before_its_key_is_looked_at(make):
    gateway = make({"address": {"rate": "2/m"}}, {"keys": {}})
    key = new_key(gateway, "one")
    gateway.start()
    assert gateway.get("/rooms").status == 401
    assert gateway.get("/nowhere").status == 404
    for headers in ({}, key):
        refused = gateway.get("/rooms", headers=headers)
        assert refused.status == 429 and int(refused.header("Retry-After")) >= 1
    assert gateway.get("/healthz").status == 200, "probes get through"
    assert gateway.admin("/readyz").status == 200


def test_a_proxy_names_the_client_in_the_header_of_the_config(make):
    gateway = make({"address": {"rate": "2/m"}})
    gateway.config["server"].update(trusted_proxies=["127.0.0.1"], proxy_header="Forwarded")
    gateway.start()
    for header, statuses in (({"Forwarded": "for=203.0.113.5"}, [200, 200, 429]),
                             ({"Forwarded": "for=203.0.113.6"}, [200, 200, 429]),
                             ({"X-Forwarded-For": "203.0.113.7"}, [200, 200, 429]),
                             ({"X-Forwarded-For": "203.0.113.8"}, [429])):
        assert [gateway.get("/rooms", headers=header).status for _ in statuses] == statuses, header


def test_the_upstreams_own_rate_headers_do_not_come_twice(make, upstream):
    upstream.on("GET", "/rooms", Reply({}, headers=[("RateLimit-Limit", "7"), ("X-RateLimit-Limit", "8")]))
    gateway = make({"caller": {"rate": "100/m"}}).start()
    answer = gateway.get("/rooms")
    assert answer.header("RateLimit-Limit") == "100" and answer.header("X-RateLimit-Limit") == "8"


def test_concurrent_requests_of_a_caller(make, upstream):
    gateway = make({"caller": {"concurrent": 2}}, {"keys": {}})
    one, other = new_key(gateway, "one"), new_key(gateway, "other")
    gateway.start()
    slow = Slow(gateway, upstream, 2, one)
    refused = gateway.get("/rooms", headers=one)
    assert refused.status == 429 and refused.header("Retry-After") == "1"
    assert gateway.get("/rooms", headers=other).status == 200
    assert slow.end() == [200, 200]
    assert gateway.get("/rooms", headers=one).status == 200, "the requests that have ended still count"
    assert rejected(gateway, "concurrency") == 1


def test_concurrent_requests_of_an_address(make, upstream):
    gateway = make({"address": {"concurrent": 1}}).start()
    slow = Slow(gateway, upstream, 1)
    assert gateway.get("/rooms").status == 429
    assert slow.end() == [200]
    assert gateway.get("/rooms").status == 200


def test_too_many_in_flight_are_answered_at_once(make, upstream):
    gateway = make({"in_flight": 3}).start()
    slow = Slow(gateway, upstream, 3)
    refused = gateway.get("/rooms")
    assert refused.status == 503 and refused.header("Retry-After"), "it waits for the others"
    assert gateway.get("/healthz").status == 200
    assert slow.end() == [200, 200, 200]
    assert gateway.get("/rooms").status == 200
    assert rejected(gateway, "concurrency") == 1


def test_a_client_that_leaves_is_no_longer_counted(make, upstream):
    gateway = make({"caller": {"concurrent": 1}, "in_flight": 1}).start()
    upstream.on("GET", "/rooms/slow", Reply.hang())
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT)
    connection.request("GET", "/rooms/slow")
    until(lambda: upstream.requests)
    assert gateway.get("/rooms").status == 503
    connection.close()
    until(lambda: gateway.get("/rooms").status == 200)


@pytest.mark.parametrize("limits", [
    {"caller": {"rate": "0/s"}}, {"caller": {"rate": "1/d"}}, {"caller": {"rate": 5}},
    {"scopes": {"tokens:write": {"concurrent": 1, "rate": "1/s"}}}, {"in_flight": -1}, {"callers": {}},
])
def test_limits_that_make_no_sense(tmp_path, limits):
    gateway = Gateway(tmp_path, {"limits": limits}, {})
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(gateway.directory), "check"], capture_output=True, text=True)
    assert done.returncode == 3 and "limits." in done.stderr, json.dumps(limits)
