"""greenroom call: runs an operation by its id in the running gateway. greenroom routes lists the operations."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from support.gateway import BINARY, Gateway
from support.upstream import TIMEOUT, Reply, Upstream


@pytest.fixture
def gateway(tmp_path):
    with Upstream() as upstream:
        config = {"upstreams": {"api": {"url": f"{upstream.url}/v2"}}, "state_directory": str(tmp_path / "state")}
        with Gateway(tmp_path, config, {"rooms": {"prefix": "/v1"}, "token": {}}) as gateway:
            gateway.upstream = upstream
            yield gateway


def test_parameters_of_path_query_and_body_find_their_places(gateway):
    gateway.upstream.will(Reply({"id": "6b0"}))
    done = gateway.run("call", "rooms.get", "roomId=6b0")
    assert (done.returncode, json.loads(done.stdout), done.stderr) == (0, {"id": "6b0"}, "")
    assert gateway.upstream.requests[-1].line == "GET /v2/rooms/6b0"
    assert gateway.run("call", "rooms.list", "limit=5", "name=x&y").returncode == 0
    target = gateway.upstream.requests[-1].line.split()[1]
    assert target in ("/v2/rooms?name=x%26y&limit=5", "/v2/rooms?limit=5&name=x%26y")
    assert gateway.run("call", "rooms.create", "name=12", "size=20", "-d", '{"description": "d"}').returncode == 0
    assert json.loads(gateway.upstream.requests[-1].body) == {"description": "d", "name": "12", "size": 20}


def test_an_answer_that_is_no_success(gateway):
    gateway.upstream.will(Reply({"code": 404, "message": "room not found"}, 404))
    done = gateway.run("call", "rooms.get", "roomId=1")
    assert done.returncode == 1 and done.stderr.startswith("HTTP 404 Not Found\n")
    assert json.loads(done.stdout)["message"] == "room not found"


@pytest.mark.parametrize(
    "words,line",
    [
        (["roms.get"], "no operation is called 'roms.get', did you mean 'rooms.get'?"),
        (["rooms.get"], "rooms.get needs roomId=VALUE; see greenroom call --names rooms.get"),
        (["rooms.create", "nam=x"], "rooms.create takes no nam, did you mean name?"),
        (["rooms.create", "-d", "{"], "-d: not JSON, at character 1"),
        (["rooms.create", "-d", "[]", "name=x"], "-d: expected a JSON object, to which name can be added"),
        (["rooms.list", "-H", "nonsense"], "-H: expected 'NAME: VALUE', found 'nonsense'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_wrongly_is_not_sent(gateway, words, line):
    done = gateway.run("call", *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"greenroom: {line}\n")
    assert gateway.upstream.requests == []


def test_a_credential_goes_along_and_is_not_shown(tmp_path):
    config = {"state_directory": str(tmp_path / "state"), "auth": {"keys": {}},
              "upstreams": {"api": {"url": "http://127.0.0.1:1"}}}
    with Gateway(tmp_path, config, {"rooms": {}}) as gateway:
        key = gateway.run("keys", "add", "backend", "--scope", "rooms:write").stdout.strip()
        assert "HTTP 401 Unauthorized" in gateway.run("call", "rooms.list").stderr
        done = gateway.run("call", "rooms.list", "--key", key)
        assert "HTTP 403 Forbidden" in done.stderr and "rooms:read" in done.stdout and key not in done.stdout + done.stderr


def test_without_a_gateway(gateway):
    gateway.stop()
    done = gateway.run("call", "rooms.list")
    assert done.returncode == 1 and "no gateway runs with this config" in done.stderr
    assert gateway.run("call", "rooms.list", "--url", "http://127.0.0.1:1").returncode == 1


# --- list of operations ---


def listed(gateway, *words):
    return [row["id"] for row in json.loads(gateway.run("routes", "--json", *words).stdout)]


def test_routes_are_filtered(gateway):
    every = listed(gateway)
    assert {"token.create", "rooms.get"} < set(every)
    assert listed(gateway, "--group", "token") == [one for one in every if one.startswith("token.")]
    assert "rooms.create" in listed(gateway, "--method", "post") and "rooms.get" not in listed(gateway, "--method", "post")
    assert set(listed(gateway, "--scope", "rooms:read")) == {"rooms.get", "rooms.list"}
    assert listed(gateway, "TOKEN.create") == ["token.create"]
    assert listed(gateway, "--group", "rooms", "token.create") == []


@pytest.mark.parametrize("words,said", [
    (["--group", "room"], "no group that is served is called 'room', did you mean 'rooms'?"),
    (["--group", "nothing"], "no group that is served is called 'nothing'"),
    (["--group", "rooms", "token.create"], "no route that is served matches"),
])
def test_a_filter_that_no_route_passes_is_told(gateway, words, said):
    done = gateway.run("routes", *words)
    assert (done.returncode, done.stderr) == (1, f"greenroom: {said}\n")


@pytest.mark.parametrize("width", [60, 100])
def test_routes_fit_a_terminal(gateway, width):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    with subprocess.Popen([BINARY, "-c", str(gateway.directory), "routes", "--group", "rooms"], stdout=slave) as process:
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 4096):
                shown += piece
        except OSError:  # a pseudo-terminal
            pass
        assert process.wait(TIMEOUT) == 0
    os.close(master)
    lines = shown.decode().splitlines()
    whole = gateway.run("routes", "--group", "rooms").stdout.splitlines()
    column = whole[0].index("SUMMARY")
    assert len(lines) == len(whole) and all(len(line) <= max(width, column + 12) for line in lines)
    assert any(line.endswith("…") for line in lines) and max(map(len, whole)) > width


def test_it_lists_what_an_operation_takes(gateway):
    done = gateway.run("call", "--names", "rooms.create")
    rows = [line.split(None, 4) for line in done.stdout.splitlines()]
    assert (done.returncode, rows[0]) == (0, ["NAME", "IN", "NEEDED", "VALUES", "SUMMARY"])
    by_name = {row[0]: row[1:4] for row in rows[1:]}
    assert by_name["name"] == ["body", "-", "-"] and by_name["large_room"] == ["body", "-", "true|false"]
    assert by_name["region"][2].split("|") == ["eu", "in", "us", "auto"]
    assert gateway.run("call", "--names", "rooms.get").stdout.splitlines()[1].split()[:4] == ["roomId", "path", "yes", "-"]
    assert re.search(r"^limit +query ", gateway.run("call", "--names", "rooms.list").stdout, re.M)
