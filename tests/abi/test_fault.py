"""A plugin that crashes the gateway is named in the last line of the log."""

import json
import os
import re
import signal
import subprocess

import pytest

from support.gateway import Gateway, BINARY

LIBRARY = os.path.join(os.environ["GR_BUILD_DIR"], "tests", "plugins", "fault.so")

pytestmark = pytest.mark.skipif(bool(os.environ.get("GR_SANITIZE")), reason="sanitizers report faults by themselves")


def gateway_that_faults(tmp_path, where):
    plugin = {"library": LIBRARY, "config": {"where": where}}
    return Gateway(tmp_path, {"state_directory": str(tmp_path / "state")}, {"fault": plugin})


def report(log):
    lines = [json.loads(line) for line in log.splitlines() if '"at":' in line]
    assert len(lines) == 1, log
    return lines[0]


def build_id():
    notes = subprocess.run(["readelf", "-n", LIBRARY], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


def ended(gateway, number):
    """Waits until the gateway ends by that signal, and returns the line of the log that reports it."""
    process, gateway.process = gateway.process, None
    assert process.wait(60) == -number, gateway.log
    gateway.wait_log(r'"at":')
    return report(gateway.log)


@pytest.mark.parametrize(
    "how,number",
    [("null", signal.SIGSEGV), ("stack", signal.SIGSEGV), ("abort", signal.SIGABRT), ("kill", signal.SIGFPE)],
)
def test_a_fault_in_a_handler_names_plugin_operation_and_request(tmp_path, how, number):
    gateway = gateway_that_faults(tmp_path, "handler").start()
    with pytest.raises(OSError):
        gateway.get(f"/fault/{how}", headers={"X-Request-Id": "the-last-one"})
    told = ended(gateway, number)
    assert told["plugin"] == "fault"
    assert told["version"] == "7.8.9"
    assert told["build_id"] == build_id()
    assert told["operation"] == "fault.cause"
    assert told["request_id"] == "the-last-one"
    assert number.name in told["message"]
    if how in ("null", "stack"):
        file, offset = told["at"].split("+")
        assert file == "fault.so"
        where = subprocess.run(["addr2line", "-f", "-e", LIBRARY, offset], capture_output=True, text=True, check=True)
        assert re.match(r"write_through_null|fault|recurse", where.stdout), where.stdout
    if how == "null":
        assert told["address"] == "0x0"


def test_a_fault_in_a_timer_names_it(tmp_path):
    gateway = gateway_that_faults(tmp_path, "timer")
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGSEGV
    told = report(done.stderr)
    assert (told["plugin"], told["operation"]) == ("fault", "timer tick")
    assert told["request_id"]


def test_a_fault_in_init_names_the_plugin(tmp_path):
    gateway = gateway_that_faults(tmp_path, "init")
    gateway.write()
    done = subprocess.run([BINARY, "-c", str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGSEGV
    told = report(done.stderr)
    assert (told["plugin"], told["operation"], told["version"]) == ("fault", "init", "7.8.9")
