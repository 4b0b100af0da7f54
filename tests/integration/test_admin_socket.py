"""The admin socket: greenroom status, health, reload."""

import http.client
import json
import os
import re
import socket
import stat
import threading
import time

import pytest

from support.gateway import Gateway
from support.upstream import TIMEOUT, Reply, Upstream

RELOADS = int(os.environ.get("GR_TEST_RELOADS", "12"))


@pytest.fixture
def gateway(tmp_path):
    with Upstream() as upstream:
        config = {"upstreams": {"api": {"url": upstream.url}}, "state_directory": str(tmp_path / "state")}
        with Gateway(tmp_path, config, {"rooms": {}}) as gateway:
            gateway.upstream = upstream
            yield gateway


def change(gateway, text):
    (gateway.directory / "plugins.d" / "rooms.json").write_text(text)


def the_socket(gateway):
    return next((gateway.directory / "state").glob("admin-*.sock"))


def test_status(gateway):
    done = gateway.run("status", "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["pid"] == gateway.process.pid
    assert status["listen"] == [f"http://127.0.0.1:{gateway.port}"]
    assert status["reload"] == {"generation": 1, "failed": False, "at_ms": 0}
    assert [(group["name"], group["state"]) for group in status["groups"]] == [("rooms", "ok")]
    assert status["upstreams"] == [{"name": "api", "state": "unused"}]
    assert gateway.get("/rooms/1").status == 200
    assert json.loads(gateway.run("status", "--json").stdout)["upstreams"] == [{"name": "api", "state": "ok"}]
    text = gateway.run("status").stdout
    assert f"process {gateway.process.pid}, up " in text and "groups     rooms, " in text


def test_health(gateway):
    assert (gateway.run("health").stdout, gateway.run("health").returncode) == ("ok\n", 0)
    gateway.upstream.stop()
    assert gateway.get("/rooms/1").status == 502
    done = gateway.run("health")
    assert (done.stdout, done.returncode) == ("upstream api: failing\n", 1)


def test_reload_says_what_changed_or_why_nothing_did(gateway):
    change(gateway, '{"library": "rooms.so", "enabled": false}')
    done = gateway.run("reload")
    assert done.returncode == 0
    assert done.stdout.startswith("reloaded: generation 2, 0 groups, ")
    assert done.stdout.endswith("\nno longer served: rooms\n")
    assert gateway.get("/rooms/1").status == 404

    change(gateway, '{"library": "rooms.so",\n "enabld": true}')
    done = gateway.run("reload")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f'{gateway.directory}/plugins.d/rooms.json:2:2: enabld: unknown key, did you mean "enabled"?\n'
        "greenroom: the new config does not work; the gateway goes on with the old one\n")
    answer = json.loads(gateway.run("reload", "--json").stdout)
    assert answer["ok"] is False and len(answer["problems"]) == 1
    reload = json.loads(gateway.run("status", "--json").stdout)["reload"]
    assert (reload["generation"], reload["failed"]) == (2, True)

    change(gateway, '{"library": "rooms.so"}')
    assert gateway.run("reload").stdout.endswith("\nnow served: rooms\n")
    assert gateway.get("/rooms/1").status == 200


def test_a_gateway_is_found_whose_config_was_broken_meanwhile(gateway):
    """By the variable that the unit of systemd sets."""
    (gateway.directory / "greenroom.json").write_text('{"server": {}\n "log": {}}')
    assert gateway.run("status").stderr.endswith("; the config has mistakes, see greenroom check\n")
    gateway.env["STATE_DIRECTORY"] = str(gateway.directory / "state")
    done = gateway.run("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{gateway.directory}/greenroom.json:2:6: expected ',' or '}}' after the value before\n"
        "greenroom: the new config does not work; the gateway goes on with the old one\n")
    assert gateway.run("status").returncode == 0


def test_reload_names_each_value_that_changed(gateway):
    assert gateway.run("reload").stdout.splitlines()[1:] == ["no value of the config changed"]
    change(gateway, '{"library": "rooms.so",\n "calls_max": 7,\n "routes": {"rooms.get": {"cache": "5s"}}}')
    changed = json.loads(gateway.run("reload", "--json").stdout)["changed"]
    file = f"{gateway.directory}/plugins.d/rooms.json"
    told = {one["path"]: one for one in changed}
    assert told["calls_max"] == {"file": file, "path": "calls_max", "before": None, "after": 7, "at": f"{file}:2:2"}
    assert told["routes.rooms.get.cache"]["after"] == "5s" and "before" not in told["routes.rooms.get.cache"]
    assert not [path for path in told if not path.startswith("routes.rooms.get.") and path != "calls_max"]
    change(gateway, '{"library": "rooms.so",\n "calls_max": 8,\n "routes": {"rooms.get": {"cache": "5s"}}}')
    assert f"{file}:2:2: calls_max: 7 is now 8\n" in gateway.run("reload").stdout


def test_reloads_under_load_fail_no_request(gateway):
    """Clients on kept connections: their requests begin, wait for the upstream and end during reloads. scripts/soak does
    this for longer."""
    failures, served, stop = [], [0], threading.Event()
    gateway.upstream.default = Reply({"id": "1"}, delay=0.01)

    def load(number):
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=TIMEOUT)
        while not stop.is_set():
            try:
                connection.request("GET", f"/rooms/{number}")
                answer = connection.getresponse()
                answer.read()
            except OSError as error:
                failures.append(error)
                return
            served[0] += 1
            if answer.status != 200:
                failures.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(RELOADS):
            change(gateway, '{"library": "rooms.so", "calls_max": %d}' % (100 + number % 2))
            done = gateway.run("reload")
            assert done.returncode == 0 and f"generation {number + 2}," in done.stdout, done.stdout + done.stderr
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"\n{RELOADS} reloads, {served[0]} requests, {len(failures)} failed")
    assert failures == [] and served[0] >= RELOADS


def test_a_new_secret_is_a_change_and_is_not_shown(gateway):
    def write(secret):
        config = json.loads((gateway.directory / "greenroom.json").read_text())
        config["credentials"] = {"k": {"kind": "bearer", "secret": secret}}
        (gateway.directory / "greenroom.json").write_text(json.dumps(config))
        return gateway.run("reload").stdout

    write("the-first-secret")
    said = write("another-secret")
    assert 'credentials.k.secret: "********" is now "********"\n' in said
    assert "another" not in said and "first" not in said


def metric(gateway, name):
    return float(re.search(rf"^greenroom_{name} (\S+)$", gateway.admin("/metrics").body.decode(), re.M)[1])


def test_metrics_tell_how_reloads_went(gateway):
    assert (metric(gateway, "config_generation"), metric(gateway, "config_last_reload_successful")) == (1, 1)
    began = metric(gateway, "config_last_reload_success_timestamp_seconds")
    assert abs(began - time.time()) < 600
    change(gateway, "{")
    assert gateway.run("reload").returncode == 1
    assert (metric(gateway, "config_generation"), metric(gateway, "config_last_reload_successful")) == (1, 0)
    assert metric(gateway, "config_last_reload_success_timestamp_seconds") == began
    change(gateway, "{}")
    assert gateway.run("reload").returncode == 0
    assert (metric(gateway, "config_generation"), metric(gateway, "config_last_reload_successful")) == (2, 1)
    assert metric(gateway, "config_last_reload_success_timestamp_seconds") > began


def test_status_tells_the_rates_of_the_last_minute(gateway):
    for _ in range(5):
        assert gateway.get("/rooms/1").status == 200
    assert gateway.get("/nowhere").status == 404
    gateway.wait_log_count('"message":"request"', 6)  # logged after it was counted
    rates = json.loads(gateway.run("status", "--json").stdout)["rates"]
    over_s = rates["over_ms"] / 1000
    assert 0 < over_s < 70
    assert round(rates["requests_per_s"] * over_s) == 6 and round(rates["refused_per_s"] * over_s) == 1
    assert round(rates["upstream_per_s"] * over_s) == 5 and rates["failed_per_s"] == 0 and rates["mean_ms"] > 0
    assert " requests a second, " in gateway.run("status").stdout


def test_without_a_gateway(gateway):
    gateway.stop()
    assert not list((gateway.directory / "state").glob("admin-*"))
    for command in ("status", "health", "reload"):
        done = gateway.run(command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"greenroom: {gateway.directory}: no gateway runs with this config (")


def test_the_socket_is_the_owners_alone(gateway):
    assert stat.S_IMODE(the_socket(gateway).stat().st_mode) == 0o600


def test_what_a_killed_gateway_leaves_is_in_nobodys_way(gateway):
    gateway.process.kill()
    gateway.process.wait()
    assert the_socket(gateway)
    gateway.start()
    assert gateway.run("health").returncode == 0


def test_two_gateways_with_one_state_directory(gateway, tmp_path):
    other = Gateway(tmp_path / "other", {"state_directory": str(tmp_path / "state")}, {})
    with other:
        for one in (gateway, other):
            assert json.loads(one.run("status", "--json").stdout)["pid"] == one.process.pid


@pytest.mark.parametrize("sent", [b"", b"\n", b"nonsense\n", b"x" * 1000, b"status"])
def test_clients_that_make_no_sense(gateway, sent):
    """Their connections are closed without an answer, and the next client gets its answer."""
    directory = os.open(gateway.directory / "state", os.O_PATH)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"/proc/self/fd/{directory}/{the_socket(gateway).name}")
        asked = threading.Thread(target=gateway.run, args=("health",))
        client.sendall(sent)
        asked.start()
        try:
            assert client.recv(100) == b""
        except ConnectionResetError:
            pass
        asked.join()
    os.close(directory)
    assert gateway.run("health").stdout == "ok\n"
