"""The alert rules and the dashboard in etc: promtool takes them, each alert fires by its fault, every metric exists."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support.certificates import Authority
from support.hms import gateway_for
from support.upstream import TIMEOUT

SOURCE = pathlib.Path(os.environ["GR_SOURCE_DIR"])
RULES = SOURCE / "etc" / "prometheus" / "rules.yml"
DASHBOARD = SOURCE / "etc" / "grafana" / "greenroom.json"
TESTS = pathlib.Path(__file__).parent / "alerts" / "rules_test.yml"


def promtool(*words, cwd=None):
    """Of Debian's package prometheus, which no script here installs: it would start a server on port 9090."""
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
    assert len(alerts) == 8
    for alert in alerts:
        assert re.search(rf"alertname: {alert}\n\s+eval_time: \S+\n\s+exp_alerts:\n", TESTS.read_text()), alert


def metrics_in(text):
    names = set(re.findall(r"\b((?:greenroom|process)_[a-z0-9_]+)\b", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) if "duration" in name else name for name in names}


def test_every_metric_that_they_read_exists(tmp_path):
    """In a gateway that forwarded a request to an upstream that is not there, and speaks HTTPS."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("localhost")
    listen = [{"address": "127.0.0.1:0"}, {"address": "127.0.0.1:0", "tls": True}]
    with gateway_for(tmp_path / "gateway", "http://127.0.0.1:9/v2", groups=("rooms",),
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
