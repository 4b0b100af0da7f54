"""The export of spans to an OpenTelemetry collector. A collector that fails does not affect requests."""

import contextlib
import json
import os
import signal
import threading
import time

import pytest

from support import promtext
from support.collector import CLIENT, INTERNAL, SERVER, WAIT, Collector
from support.gateway import Gateway
from support.until import FACTOR, until
from support.upstream import Reply, Upstream

TESTS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
SERVICES = os.path.join(TESTS, "services.so")
PROBE = os.path.join(TESTS, "probe.so")
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SECRET = "a-marked-secret"
HOOK = {"config": {"hook-url": "http://127.0.0.1:1/hook"}}


@pytest.fixture
def upstream():
    with Upstream() as running:
        running.default = Reply({"id": "66f1c0a2b4d93e5a7c118e01", "name": "algebra", "enabled": True})
        yield running


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream, collector):
    """Starts a gateway that exports to the collector; keywords are settings of "traces"."""
    with contextlib.ExitStack() as stack:
        def starter(plugins=None, server=None, api=None, env=None, **traces):
            config = {
                "state_directory": str(tmp_path / "state"),
                "store": f"sqlite:{tmp_path}/store.db",
                "server": server or {},
                "upstreams": {"api": {"url": upstream.url + "/v2", **(api or {})}},
                "traces": {"url": collector.url, "delay": "20ms", **traces},
            }
            return stack.enter_context(Gateway(tmp_path, config, plugins or {"rooms": {}}, env=env))

        yield starter


def counted(gateway, outcome):
    return promtext.parse(gateway.admin("/metrics").body.decode())["greenroom_trace_spans_total", "outcome", outcome]


def access_line(gateway, route):
    lines = [json.loads(line) for line in gateway.log.splitlines()]
    return next(line for line in lines if line.get("route") == route)


def context(flags="01", trace=TRACE):
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}"}


# --- what is recorded ---

def test_a_request_and_its_upstream_call(start, upstream, collector):
    gateway = start(resource="deployment.environment.name=a%20test,service.version=9")
    answer = gateway.get("/rooms/66f1c0a2b4d93e5a7c118e01?limit=1", headers={"X-Request-Id": "one"})
    assert answer.status == 200
    server, = collector.wait_spans(1, greenroom__request_id="one")
    client, = [span for span in collector.wait_trace(server.trace_id, 2) if span.kind == CLIENT]
    assert server.kind == SERVER and server.parent_id is None and not server.failed
    assert server.name == "GET /rooms/{roomId}"
    assert server.attributes == {
        "http.request.method": "GET", "http.route": "/rooms/{roomId}", "url.scheme": "http",
        "network.protocol.version": "1.1", "http.response.status_code": 200, "greenroom.request_id": "one",
        "greenroom.operation": "rooms.get", "greenroom.group": "rooms"}
    assert client.parent_id == server.id and client.name.startswith("GET /rooms/{")
    assert server.start <= client.start <= client.end <= server.end
    assert client.attributes == {
        "http.request.method": "GET", "server.address": "127.0.0.1", "server.port": upstream.port,
        "url.template": client.name[4:], "greenroom.upstream": "api", "http.response.status_code": 200}
    assert upstream.requests[0].header("traceparent") == f"00-{server.trace_id}-{client.id}-01"
    assert abs(server.start / 1e9 - time.time()) < 60 * FACTOR
    assert server.resource["service.name"] == "greenroom" and server.resource["service.version"] == "9"
    assert server.resource["deployment.environment.name"] == "a test"


def test_each_attempt_is_a_span_of_its_own(start, upstream, collector):
    gateway = start(api={"retries": 3})
    upstream.will(Reply.close(), Reply({"code": 503}, 503, headers=[("Retry-After", "0")]))
    assert gateway.get("/rooms/1", headers=context()).status == 200
    spans = collector.wait_trace(TRACE, 4)
    server = next(span for span in spans if span.kind == SERVER)
    attempts = [span for span in spans if span.kind == CLIENT]
    assert [span["http.request.resend_count"] for span in attempts] == [None, 1, 2]
    assert [span["error.type"] for span in attempts] == ["upstream_broken", "503", None]
    assert [span["http.response.status_code"] for span in attempts] == [None, 503, 200]
    assert {span.parent_id for span in attempts} == {server.id}
    seen = [request.header("traceparent").split("-")[2] for request in upstream.requests]
    assert seen == [span.id for span in attempts]


def test_calls_at_the_same_time_are_spans_of_their_own(start, upstream, collector):
    gateway = start(plugins={"services": {"library": SERVICES, **HOOK}})
    assert gateway.get("/services/both", headers=context()).status == 200
    spans = collector.wait_trace(TRACE, 3)
    assert len([span for span in spans if span.kind == CLIENT and span.name == "GET"]) == 2
    assert SECRET not in str([request.body for request in collector.upstream.requests])


def test_a_failure_is_told(start, upstream, collector):
    gateway = start(api={"retries": 0})
    upstream.default = Reply.close()
    assert gateway.get("/rooms/1", headers=context()).status == 502
    server, client = collector.wait_trace(TRACE, 2)
    assert server.failed and server["error.type"] and server["http.response.status_code"] == 502
    assert client.failed and client["error.type"] == "upstream_broken"
    upstream.default = Reply({"code": 404, "message": "none"}, 404)
    other = "1" + TRACE[1:]
    assert gateway.get("/rooms/1", headers=context(trace=other)).status == 404
    server, client = collector.wait_trace(other, 2)
    assert not server.failed and client.failed and client["error.type"] == "404"


def test_statements_of_the_store(start, collector):
    gateway = start(plugins={"services": {"library": SERVICES, **HOOK}})
    assert gateway.post("/services/store", headers=context()).status == 200
    server, insert, delete = collector.wait_trace(TRACE, 3)
    assert [insert.name, delete.name] == ["INSERT services_t", "DELETE services_t"]
    assert insert.kind == CLIENT and insert.parent_id == delete.parent_id == server.id
    assert insert.attributes == {"db.system.name": "sqlite", "db.operation.name": "INSERT",
                                 "db.collection.name": "services_t"}


def test_statements_of_a_transaction_are_below_it(start, collector):
    gateway = start(plugins={"services": {"library": SERVICES, **HOOK}})
    assert gateway.post("/services/transaction", headers=context()).status == 200
    server, transaction, insert, delete = collector.wait_trace(TRACE, 4)
    assert transaction.name == "transaction" and transaction.kind == INTERNAL
    assert transaction.parent_id == server.id
    assert insert.parent_id == delete.parent_id == transaction.id


def test_a_run_of_a_timer_is_a_trace(start, collector):
    gateway = start(plugins={"probe": {"library": PROBE, "isolation": "none"}}, server={"trace": "pass"})
    gateway.post("/probe/wake", headers=context("00"))
    span, = collector.wait_spans(1, greenroom__group="probe")
    assert span.name == "timer tick" and span.kind == INTERNAL and span.parent_id is None
    gateway.wait_log("probe ticks")
    line = next(json.loads(line) for line in gateway.log.splitlines() if "probe ticks" in line)
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.id)


def test_the_wait_for_a_worker_is_a_span(start, collector):
    gateway = start(plugins={"probe": {"library": PROBE, "isolation": "none"}}, server={"workers": 1}, queue=65536)

    def look():
        clients = [threading.Thread(target=gateway.get, args=("/probe/wait/30",)) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return [span for span in collector.spans if span.name == WAIT]

    wait = until(look, "no request waited")[0]
    server, = collector.wait_trace(wait.trace_id, 1)
    assert wait.parent_id == server.id and wait.kind == INTERNAL and not wait.attributes
    assert server.start == wait.start and wait.end <= server.end


def test_what_happens_in_the_process_of_a_group(start, collector, upstream):
    gateway = start(plugins={"services": {"library": SERVICES, "isolation": "process", **HOOK}})
    assert gateway.post("/services/transaction", headers=context()).status == 200
    server, transaction, insert, delete = collector.wait_trace(TRACE, 4)
    assert server.kind == SERVER and transaction.parent_id == server.id and insert.parent_id == transaction.id
    assert gateway.get("/services/both", headers=context(trace="1" + TRACE[1:])).status == 200
    assert len([span for span in collector.wait_trace("1" + TRACE[1:], 3) if span.kind == CLIENT]) == 2


def test_probes_and_pages_are_not_recorded(start, collector):
    gateway = start()
    for path in ("/healthz", "/readyz"):
        assert gateway.get(path, headers=context()).status == 200
    assert gateway.admin("/metrics").status == 200
    assert gateway.get("/nowhere", headers={"X-Request-Id": "last"}).status == 404
    last, = collector.wait_spans(1, greenroom__request_id="last")
    assert last.name == "GET" and last["http.route"] is None
    gateway.stop()
    assert [span.id for span in collector.spans if span.name != WAIT] == [last.id]


def test_methods_without_meaning_have_one_name(start, collector):
    gateway = start()
    gateway.request("BREW", "/rooms/1")
    span, = collector.wait_spans(1, http__request__method="_OTHER")
    assert span.name == "HTTP" and span["http.response.status_code"] == 400 and not span.failed


def test_no_secret_leaves_the_house(start, collector, upstream):
    gateway = start(plugins={"probe": {"library": PROBE, "isolation": "none"}, "rooms": {}},
                    headers=f"api-key={SECRET}", api={"url": f"{upstream.url}/{SECRET}"})
    gateway.get(f"/probe/secret/{SECRET}?q={SECRET}", headers={"Authorization": f"Bearer {SECRET}", **context()})
    gateway.post("/probe/echo", SECRET.encode(), headers={"Cookie": SECRET, **context()})
    gateway.get(f"/rooms/{SECRET}?x={SECRET}", headers=context())
    collector.wait_trace(TRACE, 4)
    assert [request.header("api-key") for request in collector.upstream.requests][0] == SECRET
    assert SECRET not in str([request.body for request in collector.upstream.requests])
    for path in ("/metrics", "/status.json", "/readyz"):
        assert SECRET not in gateway.admin(path).body.decode()


# --- which traces are recorded ---

def test_callers_decide_for_their_traces(start, collector, upstream):
    gateway = start(ratio=0)
    gateway.get("/rooms/1", headers={**context("00"), "X-Request-Id": "not"})
    gateway.get("/rooms/1", headers={"X-Request-Id": "neither"})
    gateway.get("/rooms/1", headers={**context("01"), "tracestate": "vendor=1"})
    server, client = collector.wait_trace(TRACE, 2)
    assert server.parent_id == PARENT and server.state == client.state == "vendor=1"
    gateway.stop()
    assert {span.trace_id for span in collector.spans} == {TRACE}
    headers = [request.header("traceparent") for request in upstream.requests]
    assert [header[-2:] for header in headers] == ["00", "00", "01"]
    assert upstream.requests[2].header("tracestate") == "vendor=1"


def test_the_ratio_decides_for_all_where_callers_may_not(start, collector, upstream):
    gateway = start(ratio="0.25", sampler="traceidratio")
    rarely, often = TRACE[:18] + "bfffffffffffff", TRACE[:18] + "c0000000000000"
    gateway.get("/rooms/1", headers=context("01", rarely))
    gateway.get("/rooms/2", headers=context("00", often))
    collector.wait_trace(often, 2)
    gateway.stop()
    assert {span.trace_id for span in collector.spans} == {often}
    assert [request.header("traceparent")[-2:] for request in upstream.requests] == ["00", "01"]


def test_the_ratio_holds_over_many_requests(start, collector):
    gateway = start(ratio=0.2, plugins={"hello": {}})
    for _ in range(400):
        gateway.get("/hello/ada")
    gateway.stop()
    assert 40 <= len([span for span in collector.spans if span.kind == SERVER]) <= 130


def test_lines_of_the_log_carry_the_ids(start, collector):
    gateway = start()
    gateway.get("/rooms/1", headers=context())
    server, _ = collector.wait_trace(TRACE, 2)
    line = access_line(gateway, "rooms.get")
    assert (line["trace_id"], line["span_id"], line["parent_id"]) == (TRACE, server.id, PARENT)


# --- the exporter ---

def test_spans_gather_and_are_sent_at_the_stop(start, collector):
    gateway = start(delay="60s", batch=512)
    for _ in range(20):
        gateway.get("/rooms/1")
    assert not collector.upstream.requests
    gateway.stop()
    assert len([span for span in collector.spans if span.name != WAIT]) == 40 and len(collector.upstream.requests) == 1


def test_a_full_batch_does_not_wait(start, collector):
    gateway = start(delay="60s", batch=4)
    for _ in range(6):
        gateway.get("/rooms/1")
    until(lambda: len(collector.spans) >= 4)


def test_a_reload_takes_the_spans_of_the_old_config_along(start, collector):
    gateway = start(delay="60s")
    gateway.get("/rooms/1", headers=context())
    del gateway.config["traces"]["url"]
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    collector.wait_trace(TRACE, 2)
    gateway.wait_log("the old config's last request has ended")
    gateway.get("/rooms/1", headers=context(trace="1" + TRACE[1:]))
    gateway.stop()
    assert {span.trace_id for span in collector.spans} == {TRACE}


def answered(gateway, count):
    """Sends requests, which are answered although the collector fails."""
    for _ in range(count):
        assert gateway.get("/rooms/1").status == 200


def exports_ended(gateway):
    return sum(counted(gateway, outcome) for outcome in ("exported", "rejected", "failed"))


def test_a_collector_that_hangs_costs_no_request_anything(start, collector):
    gateway = start(queue=8, batch=2, timeout="60s")
    collector.upstream.default = Reply.hang()
    answered(gateway, 50)
    assert exports_ended(gateway) == 0, "no request waited for the end of an export"
    until(lambda: counted(gateway, "dropped") > 0)
    now = promtext.parse(gateway.admin("/metrics").body.decode())
    assert now["greenroom_trace_spans_waiting"] <= 8
    assert now["greenroom_trace_spans_total", "outcome", "dropped"] >= 80
    began = time.monotonic()
    gateway.stop()
    assert time.monotonic() - began < 55, "a stop does not wait for the time-out of an export"


def test_a_slow_collector_delays_no_request(start, collector, release):
    gateway = start(batch=2, queue=16, timeout="60s")
    collector.upstream.default = Reply.held(release, {})
    answered(gateway, 30)
    assert exports_ended(gateway) == 0, "all were answered before the collector"
    release.set()
    until(lambda: counted(gateway, "exported") > 0)
    assert counted(gateway, "dropped") > 0


@pytest.mark.parametrize("status", [400, 401, 500])
def test_spans_that_a_collector_refuses_are_counted(start, collector, status):
    gateway = start(headers=f"authorization=Bearer%20{SECRET}")
    collector.upstream.default = Reply({}, status)
    answered(gateway, 3)
    until(lambda: counted(gateway, "failed") >= 6)
    assert counted(gateway, "exported") == 0
    gateway.wait_log(f'the collector answered with an error status","number":{status}')
    assert SECRET not in gateway.log
    assert collector.upstream.requests[0].header("authorization") == f"Bearer {SECRET}"
    assert gateway.get("/readyz").status == 200


def test_a_collector_that_is_gone_is_found_again(start, collector):
    gateway = start(timeout="200ms")
    collector.upstream.down()
    answered(gateway, 5)
    until(lambda: counted(gateway, "failed") >= 10)
    assert gateway.get("/readyz").status == 200
    collector.upstream.up()
    until(lambda: gateway.get("/rooms/1").status == 200 and counted(gateway, "exported") > 0)
    assert collector.spans


def test_an_answer_that_takes_only_a_part_is_read(start, collector):
    gateway = start(delay="60s")
    collector.upstream.default = Reply({"partialSuccess": {"rejectedSpans": "3", "errorMessage": "no"}})
    for _ in range(4):
        gateway.get("/rooms/1")
    gateway.settle()  # all spans have ended
    gateway.config["traces"]["delay"] = "20ms"
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: counted(gateway, "rejected") == 3)
    assert counted(gateway, "exported") == len(collector.spans) - 3
    gateway.wait_log("the collector rejected spans")


# --- Server-Timing ---

def timing(answer):
    """The Server-Timing of an answer as {"own": ms, …}."""
    parts = [part.strip().split(";dur=") for part in answer.header("Server-Timing").split(",")]
    return {name: float(ms) for name, ms in parts}


def test_clients_are_told_where_the_time_went_when_asked_for(start, upstream):
    gateway = start(server={"server_timing": True}, url=None)
    upstream.default = Reply({"id": "1"}, delay=0.2)
    told = timing(gateway.get("/rooms/1"))
    assert list(told) == ["own", "waiting", "upstream"]
    assert 200 <= told["upstream"] < 20_000 * FACTOR and told["own"] >= 0 and told["waiting"] >= 0
    assert timing(gateway.get("/nowhere"))["upstream"] == 0


def test_nothing_is_told_by_default(start):
    assert start(url=None).get("/rooms/1").header("Server-Timing") is None


# --- the config ---

@pytest.mark.parametrize("name,value,message", [
    ("url", "ftp://127.0.0.1/v1", "an http or https URL"),
    ("url", "http://user@127.0.0.1/", "an http or https URL"),
    ("ratio", 1.5, "a number from 0 to 1"),
    ("ratio", "half", "a number from 0 to 1"),
    ("ratio", True, "a number from 0 to 1"),
    ("sampler", "always", "parentbased_traceidratio"),
    ("resource", "no pair", "a list such as"),
    ("resource", "a b=c", "a list such as"),
    ("headers", "x=%zz", "a list such as"),
    ("queue", 0, "an integer from 1"),
    ("delay", "1ms", "10ms"),
])
def test_a_wrong_setting_is_named(tmp_path, collector, name, value, message):
    gateway = Gateway(tmp_path, {"traces": {"url": collector.url, name: value}}, {})
    gateway.write()
    checked = gateway.run("check")
    assert checked.returncode != 0
    assert f"traces.{name}" in checked.stderr and message in checked.stderr, checked.stderr


def test_the_variables_of_opentelemetry_name_the_resource(start, collector):
    gateway = start(env={"OTEL_SERVICE_NAME": "front", "OTEL_RESOURCE_ATTRIBUTES": "host.name=a,service.name=other"})
    gateway.get("/rooms/1", headers=context())
    resource = collector.wait_trace(TRACE, 2)[0].resource
    assert resource["service.name"] == "front" and resource["host.name"] == "a"
