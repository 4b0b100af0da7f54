"""What tests of isolated groups share: gateways with such a group, its process, and its metrics."""

import os
import re
import signal
import time

import pytest

from support.gateway import Gateway
from support.until import until
from support.upstream import Upstream

PLUGINS = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins")
LIBRARY = os.path.join(PLUGINS, "isolated.so")
SANITIZED = bool(os.environ.get("GR_SANITIZE"))
SECRET = "a-secret-of-the-isolated-group"
LISTED = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture(scope="module")
def upstream():
    with Upstream() as running:
        yield running


@pytest.fixture
def start(tmp_path, upstream):
    """start(process={…}, …): a gateway with an isolated group and with hello, which is not isolated."""
    started = []

    def begin(process=None, isolation="process", config=None, env=None, group=None, place="", **settings):
        group = {"library": LIBRARY, "isolation": isolation, "process": process or {},
                 "config": {"secret": SECRET, **(config or {})}, **(group or {})}
        home = tmp_path / place
        home.mkdir(exist_ok=True)
        whole = {
            "upstreams": {"api": {"url": f"http://127.0.0.1:{upstream.port}", "retries": 0}},
            "store": f"sqlite:{home}/store.db",
            "state_directory": str(home / "state"),
            **settings,
        }
        # hello stays in the gateway, also in runs that isolate all other groups.
        gateway = Gateway(home, whole, {"isolated": group, "hello": {"isolation": "none"}}, env=env)
        started.append(gateway)
        return gateway

    upstream.requests.clear()
    yield begin
    for gateway in started:
        gateway.stop()


@pytest.fixture
def gateway(start):
    return start().start()


def pid_of(gateway):
    return gateway.get("/isolated/pid").json["pid"]


def alive(pid):
    """True when the process exists and is not a zombie."""
    try:
        return open(f"/proc/{pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_back(gateway, gone):
    """Waits until a process other than that one answers, and returns how long it took."""
    began = time.monotonic()

    def is_back():
        answer = gateway.get("/isolated/pid")
        return answer.status == 200 and answer.json["pid"] != gone

    until(is_back, "the group answers again")
    return time.monotonic() - began


def metric(gateway, name, labels=""):
    text = gateway.admin("/metrics").body.decode()
    found = re.search(rf"^greenroom_{name}{re.escape(labels)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def ends(gateway, cause):
    return metric(gateway, "group_process_ends_total", f'{{group="isolated",cause="{cause}"}}')


def until_crashed(gateway, times):
    """Kills the process so often that the gateway pauses before the next start, and returns when the gateway reports that."""
    for number in range(times):
        pid = [0]

        def is_up():
            answer = gateway.get("/isolated/pid")
            pid[0] = answer.json.get("pid", 0)
            return answer.status == 200

        until(is_up, "the group is up")
        os.kill(pid[0], signal.SIGKILL)
        gateway.wait_log_count(r"the process of the group ended by SIGKILL", number + 1)
