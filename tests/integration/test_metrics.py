"""The metrics: their format, and that each one counts correctly."""

import os
import socket
import threading
import time

import pytest

from support import promtext
from support.gateway import Gateway
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream):
    running = []

    def starter(plugins=None, **server):
        config = {
            "server": server,
            "credentials": {"100ms": {"kind": "100ms", "access_key": "key", "secret": "a secret"}},
            "upstreams": {"api": {"url": upstream.url, "credential": "100ms", "retries": 0}},
        }
        running.append(Gateway(tmp_path, config, plugins=plugins or {"rooms": {}}))
        return running[-1].start()

    yield starter
    for gateway in running:
        gateway.stop()


@pytest.fixture
def gateway(start):
    return start()


def metrics(gateway):
    answer = gateway.admin("/metrics")
    assert answer.status == 200
    assert answer.header("Content-Type").startswith("text/plain; version=0.0.4")
    return promtext.parse(answer.body.decode())


def wait_metric(gateway, value, *which):
    until(lambda: metrics(gateway)[which] == value, f"{which} is {value}")


def raw(gateway, data):
    """The answer to exactly these bytes, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", gateway.port), TIMEOUT) as client:
        client.sendall(data)
        answer = b""
        while more := client.recv(65536):
            answer += more
        return answer


def test_requests_are_counted_by_operation_and_status(gateway, upstream):
    upstream.will(Reply(), Reply(status=404), Reply.short())
    for status in (200, 404, 502):
        assert gateway.get("/rooms/1").status == status
    assert gateway.get("/nowhere").status == 404
    gateway.settle()
    now = metrics(gateway)
    for status in ("200", "404", "502"):
        assert now["greenroom_requests_total", "operation", "rooms.get", "group", "rooms", "status", status] == 1
    assert now["greenroom_request_duration_seconds_count", "operation", "rooms.get"] == 3
    assert now["greenroom_request_duration_seconds_bucket", "operation", "rooms.get", "le", "+Inf"] == 3
    # an unused operation has no histogram yet
    assert "rooms.list" not in now.labels("greenroom_request_duration_seconds_count", "operation")


def test_calls_to_upstreams_are_counted_by_outcome(gateway, upstream):
    upstream.will(Reply(), Reply(), Reply(status=404), Reply(status=500), Reply.short())
    for _ in range(5):
        gateway.get("/rooms/1")
    now = metrics(gateway)
    for outcome, count in (("2xx", 2), ("4xx", 1), ("5xx", 1), ("upstream_broken", 1)):
        assert now["greenroom_upstream_calls_total", "upstream", "api", "outcome", outcome] == count
    assert now["greenroom_upstream_duration_seconds_count", "upstream", "api"] == 5
    assert now["greenroom_upstream_token_renewals_total", "upstream", "api"] == 1
    assert now["greenroom_upstream_retries_total", "upstream", "api"] == 0
    assert now["greenroom_upstream_breaker_state", "upstream", "api"] == 0


def test_a_renewed_token_is_counted(gateway, upstream):
    upstream.will(Reply.unauthorized())
    assert gateway.get("/rooms/1").status == 200
    assert metrics(gateway)["greenroom_upstream_token_renewals_total", "upstream", "api"] == 2


def test_workers_and_requests_in_flight_are_seen(gateway, upstream):
    release = threading.Event()
    upstream.default = Reply.held(release)
    quiet = metrics(gateway)
    assert quiet["greenroom_workers", "listener", "main"] == 64
    assert quiet["greenroom_workers", "listener", "admin"] == 4
    assert quiet["greenroom_listener_requests", "listener", "main"] == 0
    wait_metric(gateway, 1, "greenroom_listener_requests", "listener", "admin")
    clients = [threading.Thread(target=gateway.get, args=(f"/rooms/{n}",)) for n in range(3)]
    for client in clients:
        client.start()
    wait_metric(gateway, 3, "greenroom_listener_requests", "listener", "main")
    wait_metric(gateway, 3, "greenroom_upstream_calls_in_flight", "upstream", "api")
    wait_metric(gateway, 3, "greenroom_calls_waiting", "for", "upstream")
    # And the request for the metrics; the one before it ends a moment after its answer.
    wait_metric(gateway, 4, "greenroom_requests_in_flight")
    busy = metrics(gateway)
    assert busy["greenroom_listener_connections", "listener", "main"] == 3
    assert busy["greenroom_group_requests_in_flight", "group", "rooms"] == 3
    release.set()
    for client in clients:
        client.join()
    wait_metric(gateway, 0, "greenroom_listener_requests", "listener", "main")


def test_refusals_are_counted_by_reason(start):
    gateway = start(body_max="1k", body_timeout="1s", header_timeout="1s")
    assert set(metrics(gateway).labels("greenroom_rejected_total", "reason")) >= {
        "framing", "workers", "draining", "no_route", "unauthorized", "scope", "rate", "concurrency", "body", "slow",
        "group", "invalid"}
    gateway.get("/nowhere")
    gateway.post("/rooms", b"{")
    gateway.post("/rooms", {"name": "x" * 2000})
    raw(gateway, b"GET /rooms/1 HTTP/1.1\r\n\r\n")
    raw(gateway, b"POST /rooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    raw(gateway, b"GET /rooms/1 HT")
    for reason, count in (("no_route", 1), ("invalid", 1), ("body", 1), ("framing", 1), ("slow", 2)):
        wait_metric(gateway, count, "greenroom_rejected_total", "reason", reason)
    # an incomplete head matches no route
    wait_metric(gateway, 1, "greenroom_requests_total", "operation", "none", "status", "408")


def test_the_process_and_the_build_are_described(gateway):
    now = metrics(gateway)
    assert now["greenroom_build_info"] == 1
    assert now.labels("greenroom_build_info", "abi") and now.labels("greenroom_build_info", "version")
    assert now.labels("greenroom_build_info", "civetweb") <= {"1.15", "1.16"}
    assert 1 << 20 < now["process_resident_memory_bytes"]
    assert now["process_resident_memory_bytes"] <= now["process_virtual_memory_bytes"]
    assert abs(now["process_start_time_seconds"] - time.time()) < 3600
    assert now["process_open_fds"] == pytest.approx(len(os.listdir(f"/proc/{gateway.process.pid}/fd")), abs=3)
    assert now["process_threads"] > 64
    assert now["process_cpu_seconds_total"] >= 0


def test_metrics_of_a_plugin_are_shown(tmp_path, upstream):
    config = {"upstreams": {"api": {"url": upstream.url}}}
    with Gateway(tmp_path, config, plugins={"hello": {}}) as gateway:
        assert gateway.get("/hello/ada").status == 200
        assert [key for key in metrics(gateway) if key[0].startswith("greenroom_hello_")]


def test_metrics_survive_a_reload(gateway, upstream):
    gateway.get("/rooms/1")
    gateway.process.send_signal(1)
    gateway.wait_log("reloaded")
    gateway.get("/rooms/1")
    counted = ("greenroom_requests_total", "operation", "rooms.get", "status", "200")
    deadline = time.monotonic() + TIMEOUT
    while metrics(gateway)[counted] != 2:  # counted after the answer was sent
        assert time.monotonic() < deadline


def test_only_the_admin_listener_shows_them(gateway):
    assert gateway.get("/metrics").status == 404
