"""What a running gateway tells and does for those who may ask: greenroom status, health, reload."""

import json
import os
import socket
import stat
import threading

import pytest

from support.gateway import Gateway
from support.upstream import Upstream


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
    """They are let go without an answer, and the next one gets his."""
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
