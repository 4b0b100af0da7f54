"""/status.json, which the page reads: its content, its bounded size, and that no page has a secret."""

import json
import os
import signal
import threading
import time

import pytest
from support.certificates import Authority
from support.collector import Collector
from support.gateway import Gateway
from support.until import FACTOR, until
from support.upstream import Reply, Upstream

TESTS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
PROBE = {"library": os.path.join(TESTS, "probe.so"), "isolation": "none"}
MANY = {"library": os.path.join(TESTS, "many.so"), "isolation": "none"}
SECRET = "marked-secret-0123456789-0123456789"


@pytest.fixture
def upstream():
    with Upstream() as running:
        yield running


def status(gateway):
    return gateway.admin("/status.json").json


def test_two_hundred_operations_are_a_bounded_answer(tmp_path):
    with Gateway(tmp_path, {}, {"many": MANY}) as gateway:
        for n in range(100, 300):
            assert gateway.get(f"/many/{n}").status == 200
        began = time.monotonic()
        answer = until(lambda: (lambda one: one if len(one.json["operations"]) >= 200 else None)(gateway.admin("/status.json")))
        took = time.monotonic() - began
        found = {one["name"] for one in answer.json["operations"]}
        assert {f"many.n{n}" for n in range(100, 300)} <= found
        # the size with all points of ten minutes, each with up to six digits
        points = 2 * 60 * 7 * 200
        assert len(answer.body) + points < 320 * 1024 and took < 10 * FACTOR


def test_the_time_of_an_operation_is_split(tmp_path, upstream):
    upstream.default = Reply(delay=0.05)
    settings = {"server": {"workers": 1}, "upstreams": {"api": {"url": upstream.url}}}
    with Gateway(tmp_path, settings, {"rooms": {}, "probe": PROBE}) as gateway:
        assert gateway.get("/rooms/1").status == 200

        def times():
            clients = [threading.Thread(target=gateway.get, args=("/probe/wait/20",)) for _ in range(4)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            found = {one["name"]: one for one in status(gateway)["operations"]}
            return found if found.get("probe.wait", {}).get("waited_ms", 0) > 1 else None

        found = until(times, "no request waited for the only worker")
        wait, forward = found["probe.wait"], found["rooms.get"]
        assert wait["mean_ms"] >= 20 and wait["upstream_ms"] == 0
        assert forward["mean_ms"] >= forward["upstream_ms"] >= 45
        assert 'greenroom_request_wait_seconds_total{operation="probe.wait"}' in gateway.admin("/metrics").body.decode()


def test_errors_are_listed_with_their_ids_the_newest_first(tmp_path, upstream):
    upstream.default = Reply.close()
    with Gateway(tmp_path, {"upstreams": {"api": {"url": upstream.url, "retries": 0}}}, {"rooms": {}}) as gateway:
        for n in range(40):
            gateway.get("/rooms/1", headers={"X-Request-Id": f"failed-{n}"})
            # An error is listed after its answer was sent, by another worker than the next one.
            until(lambda: [error["request_id"] for error in status(gateway)["errors"]][:1] == [f"failed-{n}"])
        errors = status(gateway)["errors"]
        assert len(errors) == 32
        assert errors[0]["operation"] == "rooms.get" and errors[0]["group"] == "rooms" and errors[0]["error"]
        assert errors[0]["status"] in (502, 503) and errors[-1]["request_id"] == "failed-8"


def test_reloads_are_listed_and_a_failed_one_is_told(tmp_path):
    with Gateway(tmp_path, {}, {"hello": {}}) as gateway:
        before = status(gateway)
        assert before["generation"] == 1 and not before["reload_failed"] and len(before["configs"]) == 1
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_log("reloaded:")
        gateway.config["server"]["workers"] = "many"
        gateway.write()
        gateway.process.send_signal(signal.SIGHUP)
        now = until(lambda: (lambda one: one if one["reload_failed"] else None)(status(gateway)))
        assert [(one["generation"], one["failed"]) for one in now["configs"]] == [(2, True), (2, False), (1, False)]


def test_the_end_of_the_certificate(tmp_path):
    certificate, key = Authority(tmp_path / "ca").issue("localhost")
    tls = {"certificate": str(certificate), "key": str(key)}
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    with Gateway(tmp_path, {"server": {"listen": listen, "tls": tls}}, {}) as gateway:
        left_ms = status(gateway)["certificate_end_ms"] - time.time() * 1000
        assert 19 * 86400000 < left_ms < 21 * 86400000


def test_deliveries_and_those_given_up(tmp_path, upstream):
    upstream.default = Reply({}, 500)
    target = {"name": "app", "url": f"{upstream.url}/hook"}
    config = {"secret": SECRET, "forward_to": [target], "attempts_max": 1}
    with Gateway(tmp_path, {"store": f"sqlite:{tmp_path}/store.db", "state_directory": str(tmp_path)},
                 {"webhooks": {"config": config}}) as gateway:
        event = {"version": "2.0", "id": "1", "type": "session.open.success", "timestamp": "2026-01-01T00:00:00Z",
                 "account_id": "a", "app_id": "b", "data": {"room_id": "r1", "session_id": "s1"}}
        posted = gateway.post("/webhooks", event, headers={"X-Webhook-Secret": SECRET})
        assert posted.status < 300, posted
        found = until(lambda: [one for one in status(gateway)["metrics"] if one["name"] == "delivered_total"])
        assert {"group": "webhooks", "name": "delivered_total", "label": "given_up", "value": 1} in found, found


def test_no_page_has_a_secret(tmp_path, upstream):
    """The config has secrets in every kind of key: in itself, in a separate file and in the environment."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    with Collector() as collector:
        config = {
            "store": {"file": str(tmp_path / "store-url")},
            "state_directory": str(tmp_path / "state"),
            "docs": {"public": True},
            "credentials": {
                "100ms": {"kind": "100ms", "access_key": SECRET, "secret": {"file": str(tmp_path / "secret")}},
                "bearer": {"kind": "bearer", "secret": "${MARKED}"}},
            "auth": {"jwt": {"own": {"keys": [{"alg": "HS256", "secret": SECRET}]}}, "none": {}},
            "upstreams": {"api": {"url": f"{upstream.url}/v2", "credential": "100ms", "retries": 0},
                          "auth": {"url": upstream.url, "credential": "bearer"}},
            "traces": {"url": collector.url, "delay": "20ms", "headers": f"api-key={SECRET}"},
            "log": {"level": "debug", "buffer": 0},
        }
        (tmp_path / "store-url").write_text(f"sqlite:{tmp_path}/{SECRET}.db")
        plugins = {"rooms": {}, "token": {}, "webhooks": {"config": {"secret": SECRET}}, "hello": {}}
        with Gateway(tmp_path, config, plugins, env={"MARKED": SECRET}) as gateway:
            upstream.default = Reply.close()
            assert gateway.get("/rooms/1").status == 502
            gateway.get("/hello/a", headers={"Authorization": f"Bearer {SECRET}", "Cookie": f"a={SECRET}"})
            gateway.post("/token", {"roomId": "66f1c0a2b4d93e5a7c118e01", "role": "host", "userId": "ada"})
            gateway.post("/webhooks", {"id": "1"}, headers={"X-Webhook-Secret": SECRET})
            gateway.get(f"/rooms/1?key={SECRET}")
            collector.wait_spans(2, greenroom__group="rooms")
            for path in ("/status", "/status.json", "/docs", "/openapi.json", "/metrics", "/readyz", "/healthz"):
                answer = gateway.admin(path)
                assert answer.body and SECRET not in answer.body.decode(), path
                assert SECRET not in str(answer.headers), path
            for words in (["status", "--json"], ["config", "show", "--origin"], ["explain", "GET", "/rooms/1"],
                          ["routes"], ["openapi"]):
                told = gateway.run(*words)
                assert told.stdout and SECRET not in told.stdout + told.stderr, words
        assert SECRET not in gateway.log
        bodies = [request.body.decode() for request in collector.upstream.requests]
        assert bodies and SECRET not in "".join(bodies)
        assert json.loads(bodies[0])["resourceSpans"]
