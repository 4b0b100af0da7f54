"""The alert rules and the dashboard in etc: promtool accepts them, each alert fires for its fault, every metric exists."""

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest
from support import promtext
from support.certificates import Authority
from support.gateway import Gateway
from support.hms import gateway_for
from support.redis import Redis
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

SOURCE = pathlib.Path(os.environ["GR_SOURCE_DIR"])
RULES = SOURCE / "etc" / "prometheus" / "rules.yml"
DASHBOARD = SOURCE / "etc" / "grafana" / "greenroom.json"
TESTS = pathlib.Path(__file__).parent / "alerts" / "rules_test.yml"


def promtool(*words, cwd=None):
    """promtool, from Debian's package prometheus. No script installs the package, because it would start a server on port
    9090."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return subprocess.run(["promtool", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=TIMEOUT * 6)


def test_promtool_takes_the_rules():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_by_its_fault(tmp_path):
    shutil.copy(RULES, tmp_path)
    shutil.copy(TESTS, tmp_path)
    done = promtool("test", "rules", TESTS.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_never_fires_would_be_seen(tmp_path):
    broken = RULES.read_text().replace("== 0\n        for: 5m", "== 2\n        for: 5m")
    assert broken != RULES.read_text()
    (tmp_path / "rules.yml").write_text(broken)
    shutil.copy(TESTS, tmp_path)
    assert promtool("test", "rules", TESTS.name, cwd=tmp_path).returncode != 0


def test_every_alert_is_tried():
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    assert len(alerts) == 11
    for alert in alerts:
        assert re.search(rf"alertname: {alert}\n\s+eval_time: \S+\n\s+exp_alerts:\n", TESTS.read_text()), alert


def metrics_in(text):
    names = set(re.findall(r"\b((?:greenroom|process)_[a-z0-9_]+)\b", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) if "duration" in name else name for name in names}


def test_every_metric_that_they_read_exists(tmp_path):
    """The gateway has a listener for HTTPS, and forwards a request to an upstream that is not there."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    cached = {"rooms": {"routes": {"rooms.get": {"cache": "1m"}}}}
    with gateway_for(tmp_path / "gateway", "http://127.0.0.1:9/v2", groups=(), plugins=cached,
                     cache={"shared": {"url": "redis://127.0.0.1:9", "secret": "s" * 32}},
                     traces={"url": "http://127.0.0.1:9/v1/traces"},
                     limits={"shared": {"url": "redis://127.0.0.1:9"}},
                     server={"listen": listen, "tls": {"certificate": str(certificate), "key": str(key)}}) as gateway:
        assert gateway.get("/rooms").status == 502
        present = set(re.findall(r"^# TYPE (\S+) ", gateway.admin("/metrics").body.decode(), re.M))
    for file in (RULES, DASHBOARD):
        wanted = metrics_in(file.read_text())
        assert len(wanted) > 7 and wanted <= present, wanted - present


def test_the_dashboard_is_whole():
    dashboard = json.loads(DASHBOARD.read_text())
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in dashboard["panels"]]
    assert len(places) == len(set(places)) > 10
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        for target in panel["targets"]:
            assert "$instance" in target["expr"], panel["title"]


# --- each alert, by the fault that it is for: what a real gateway tells before and after goes to promtool ---

UP = ("up", frozenset())


def told(gateway):
    """The metrics that Prometheus would read now."""
    try:
        return {**promtext.parse(gateway.admin("/metrics").body.decode()), UP: 1}
    except OSError:
        return {UP: 0}


def fired(tmp_path, alert, before, after, grows):
    """Checks that the alert fires in the hour after the fault, and not in the ten minutes before it. grows: the change that the
    fault made is repeated every minute; otherwise it happens once."""
    rule = RULES.read_text().partition(f"- alert: {alert}\n")[2].partition("- alert:")[0] + RULES.read_text().partition("- alert:")[0]
    series = []
    for name, labels in sorted(before.keys() | after.keys(), key=str):
        if not re.search(rf"\b{name}\b", rule):
            continue
        first, last = before.get((name, labels), 0), after.get((name, labels), 0)
        if name.endswith("_timestamp_seconds"):  # the time of promtool begins at 0
            first, last = first - time.time(), last - time.time()
        text = ", ".join(f'{key}="{value}"' for key, value in sorted({*labels, ("job", "greenroom"), ("instance", "a")}))
        values = f"{first}+{last - first}x100" if grows else f"{last}x100"
        series.append({"series": f"{name}{{{text}}}", "values": f"{first}x10 {values}"})
    assert series, alert

    def expects(at, count):
        return {"expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)', "eval_time": at,
                "exp_samples": [{"labels": "{}", "value": count}]}

    test = {"rule_files": [RULES.name], "evaluation_interval": "1m", "tests": [
        {"interval": "1m", "input_series": series, "promql_expr_test": [expects("9m", 0), expects("90m", 1)]}]}
    directory = tmp_path / alert
    directory.mkdir()
    shutil.copy(RULES, directory)
    (directory / "test.yml").write_text(json.dumps(test))  # every JSON text is also YAML
    done = promtool("test", "rules", "test.yml", cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr + (directory / "test.yml").read_text()


@pytest.fixture
def upstream():
    with Upstream() as running:
        running.default = Reply({"id": "1", "name": "algebra", "enabled": True})
        yield running


@pytest.fixture
def gateway(tmp_path, upstream):
    """A gateway whose config the test changes before it calls start()."""
    made = Gateway(tmp_path / "gateway", {"upstreams": {"api": {"url": upstream.url, "retries": 0}}}, {"rooms": {}})
    made.directory.mkdir()
    yield made
    made.stop()


def many(gateway, count):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda n: gateway.get(f"/rooms/{n}").status, range(count)))


def faulty(gateway, sign, fault):
    """The metrics before a fault and after it, as soon as the sign of the fault is in them."""
    before = told(gateway)
    fault()
    return before, until(lambda: (lambda now: now if sign(promtext.Metrics(now)) else None)(told(gateway)), "no sign of the fault")


def test_requests_that_fail(tmp_path, gateway, upstream):
    gateway.config["upstreams"]["api"]["breaker"] = {"enabled": False}
    gateway.start()
    upstream.default = Reply.close()
    seen = faulty(gateway, lambda now: now["greenroom_requests_total", "status", "502"] >= 10, lambda: many(gateway, 10))
    fired(tmp_path, "GreenroomErrorRate", *seen, grows=True)


def test_requests_that_take_long(tmp_path, gateway, upstream):
    gateway.start()
    upstream.default = Reply({"id": "1"}, delay=3)
    seen = faulty(gateway, lambda now: now["greenroom_requests_total", "status", "200"] >= 8, lambda: many(gateway, 8))
    fired(tmp_path, "GreenroomSlow", *seen, grows=True)


def test_a_breaker_that_opens(tmp_path, gateway, upstream):
    gateway.config["upstreams"]["api"]["breaker"] = {"min_calls": 5, "open": "1h"}
    gateway.start()
    upstream.default = Reply.close()
    seen = faulty(gateway, lambda now: now["greenroom_upstream_breaker_state"] == 1, lambda: many(gateway, 10))
    fired(tmp_path, "GreenroomBreakerOpen", *seen, grows=False)


def reload(gateway):
    gateway.write()
    gateway.process.send_signal(signal.SIGHUP)


def test_a_reload_that_fails(tmp_path, gateway):
    gateway.start()
    gateway.config["server"]["workers"] = "many"
    seen = faulty(gateway, lambda now: now["greenroom_config_last_reload_successful"] == 0, lambda: reload(gateway))
    fired(tmp_path, "GreenroomReloadFailed", *seen, grows=False)


def test_a_certificate_that_ends(tmp_path, gateway):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("localhost")
    gateway.config["server"]["listen"].append({"address": "127.0.0.1:0", "tls": True})
    gateway.config["server"]["tls"] = {"certificate": str(certificate), "key": str(key)}
    gateway.start()
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=10)

    def sign(now):
        return now["greenroom_tls_certificate_end_timestamp_seconds"] < time.time() + 11 * 86400

    seen = faulty(gateway, sign, lambda: authority.issue("localhost", not_after=end.strftime("%Y%m%d%H%M%SZ")))
    fired(tmp_path, "GreenroomCertificateEnds", *seen, grows=False)


def test_requests_that_pile_up(tmp_path, gateway, upstream):
    gateway.config["upstreams"]["api"]["requests_max"] = 8
    gateway.start()
    upstream.default = Reply.hang()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        seen = faulty(gateway, lambda now: now["greenroom_upstream_requests_waiting"] == 6,
                      lambda: [pool.submit(gateway.get, f"/rooms/{n}") for n in range(6)])
        upstream.cut()
        upstream.default = Reply.close()
    fired(tmp_path, "GreenroomQueueGrows", *seen, grows=True)


def test_lines_of_the_log_that_are_lost(tmp_path, gateway):
    gateway.start()
    gateway.config["log"]["file"] = "/dev/full"

    def fault():
        reload(gateway)
        until(lambda: gateway.get("/rooms/1") and told(gateway)["greenroom_log_lines_lost_total", frozenset()] > 0)

    seen = faulty(gateway, lambda now: now["greenroom_log_lines_lost_total"] > 0, fault)
    fired(tmp_path, "GreenroomLogLinesLost", *seen, grows=True)


def test_spans_that_are_lost(tmp_path, gateway):
    with Upstream() as collector:
        gateway.config["traces"] = {"url": collector.url + "/v1/traces", "delay": "20ms"}
        gateway.start()
        collector.default = Reply({}, 400)
        seen = faulty(gateway, lambda now: now["greenroom_trace_spans_total", "outcome", "failed"] > 0,
                      lambda: many(gateway, 3))
    fired(tmp_path, "GreenroomSpansLost", *seen, grows=True)


def test_a_server_of_shared_limits_that_is_gone(tmp_path, gateway):
    with Redis(tmp_path) as redis:
        gateway.config["limits"] = {"caller": {"rate": "100/s"}, "shared": {"url": redis.url}}
        gateway.start()
        seen = faulty(gateway, lambda now: now["greenroom_shared_limits_reached"] == 0, redis.kill)
    fired(tmp_path, "GreenroomLimitsNotShared", *seen, grows=False)


def test_a_server_of_the_shared_cache_that_is_gone(tmp_path, gateway):
    with Redis(tmp_path) as redis:
        gateway.config["cache"] = {"shared": {"url": redis.url, "secret": "s" * 32}}
        gateway.plugins["rooms"] = {"routes": {"rooms.get": {"cache": "1m"}}}
        gateway.start()
        seen = faulty(gateway, lambda now: now["greenroom_shared_cache_reached"] == 0, redis.kill)
    fired(tmp_path, "GreenroomCacheNotShared", *seen, grows=False)


def test_a_gateway_that_is_gone(tmp_path, gateway):
    gateway.start()
    seen = faulty(gateway, lambda now: now["up"] == 0, gateway.stop)
    fired(tmp_path, "GreenroomDown", *seen, grows=False)
