"""greenroom explain: how a request would be handled, without handling it."""

import json

import pytest

from support.gateway import Gateway
from support.upstream import Upstream


@pytest.fixture
def gateway(tmp_path):
    with Upstream() as upstream:
        config = {"upstreams": {"api": {"url": f"{upstream.url}/v2", "timeout": "7s"}},
                  "state_directory": str(tmp_path / "state"), "auth": {"keys": {}},
                  "limits": {"caller": {"rate": "1/h", "burst": 5}}}
        rooms = {"prefix": "/v1", "routes": {"rooms.get": {"cache": "5s"}}}
        with Gateway(tmp_path, config, {"rooms": rooms}) as gateway:
            gateway.upstream = upstream
            gateway.key = gateway.run("keys", "add", "backend", "--scope", "rooms:read").stdout.strip()
            yield gateway


def explained(gateway, *words, status=0):
    done = gateway.run("explain", "--json", *words)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def bearer(gateway):
    return {"Authorization": f"Bearer {gateway.key}"}


def test_a_request_that_passes(gateway):
    told = explained(gateway, "GET", "/v1/rooms/6b0?x=a%20b", "--key", gateway.key)
    assert told["passes"] is True and told["refusals"] == []
    assert (told["route"]["id"], told["route"]["group"], told["params"]) == ("rooms.get", "rooms", {"roomId": "6b0"})
    assert told["route"]["library"].endswith("/rooms.so")
    line = (gateway.directory / "plugins.d" / "rooms.json").read_text()
    assert told["overrides"].startswith(f"{gateway.directory}/plugins.d/rooms.json:") and '"rooms.get"' in line
    assert (told["caller"]["id"], told["caller"]["scopes"]) == ("backend", ["rooms:read"])
    assert told["scope"] == {"wanted": "rooms:read", "held": True}
    upstream = told["upstream"]
    assert upstream["url"] == f"{gateway.upstream.url}/v2/rooms/6b0?x=a%20b"
    assert (upstream["method"], upstream["timeout_ms"], upstream["cache_ms"]) == ("GET", 7000, 5000)


def test_a_body_that_is_wrong_as_a_whole(gateway):
    done = gateway.run("explain", "POST", "/v1/rooms", "-d", "[]", "--offline")
    assert "\n           body: expected an object\n" in done.stdout, done.stdout


@pytest.mark.parametrize("method, meant", [("get", "GET"), ("Patch", "PATCH"), ("GTE", "GET")])
def test_a_method_is_in_upper_case(gateway, method, meant):
    done = gateway.run("explain", method, "/v1/rooms/6b0")
    assert done.returncode == 1 and "route      none; the path has GET, HEAD, " in done.stdout, done.stdout
    assert done.stderr == f"greenroom: '{method}' is not a method (they are in upper case), did you mean '{meant}'?\n"
    assert gateway.run("explain", "HEAD", "/v1/rooms/6b0", "--key", gateway.key).stderr == ""


def test_the_upstream_gets_what_was_told_and_nothing_before(gateway):
    told = explained(gateway, "GET", "/v1/rooms/6b0", "--key", gateway.key)
    assert gateway.upstream.requests == []
    assert gateway.get("/v1/rooms/6b0", headers=bearer(gateway)).status == 200
    assert told["upstream"]["url"].endswith(gateway.upstream.requests[0].path)


def test_asking_takes_nothing_of_a_limit_and_serving_does(gateway):
    for _ in range(3):
        [limit] = explained(gateway, "GET", "/v1/rooms/6b0", "--key", gateway.key)["limits"]
        assert (limit["of"], limit["burst"], limit["left"]) == ("caller", 5, 5)
    assert gateway.get("/v1/rooms/6b0", headers=bearer(gateway)).status == 200
    [limit] = explained(gateway, "GET", "/v1/rooms/6b0", "--key", gateway.key)["limits"]
    assert limit["left"] == 4


def test_every_limit_of_a_request_is_told(tmp_path):
    limits = {"caller": {"rate": "1/h", "burst": 2}, "address": {"rate": "1/h", "burst": 3},
              "scopes": {"rooms:read": {"rate": "1/h", "burst": 4}}, "routes": {"rooms.get": {"rate": "1/h", "burst": 5}}}
    config = {"upstreams": {"api": {"url": "http://127.0.0.1:1"}}, "limits": limits, "state_directory": str(tmp_path / "state")}
    with Gateway(tmp_path, config, {"rooms": {}}) as gateway:
        told = explained(gateway, "GET", "/rooms/6b0")["limits"]
        assert {limit["of"]: limit["burst"] for limit in told} == {"address": 3, "caller": 2, "scope": 4, "operation": 5}


@pytest.mark.parametrize(
    "words,refusals",
    [
        (["GET", "/v1/nowhere"], [("route", 404)]),
        (["PUT", "/v1/rooms"], [("route", 405)]),
        (["GET", "/v1/rooms/6b0"], [("authenticate", 401)]),
        (["GET", "/v1/rooms/6b0", "--key", "gr_nonsense"], [("authenticate", 401)]),
        (["POST", "/v1/rooms", "-d", '{"size": "many"}', "--key", "KEY"], [("scope", 403), ("parse", 400)]),
        (["POST", "/v1/rooms", "-d", "{", "--key", "KEY"], [("scope", 403), ("parse", 400)]),
        (["GET", "/v1/rooms?limit=none", "--key", "KEY"], [("params", 400)]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
def test_the_first_refusal_is_what_a_client_gets(gateway, words, refusals):
    words = [gateway.key if word == "KEY" else word for word in words]
    told = explained(gateway, *words, status=1)
    assert [(one["step"], one["status"]) for one in told["refusals"]] == refusals
    headers = {"Authorization": f"Bearer {words[-1]}"} if "--key" in words else {}
    body = words[words.index("-d") + 1] if "-d" in words else None
    answer = gateway.request(words[0], words[1], body, {**headers, "Content-Type": "application/json"})
    assert answer.status == refusals[0][1]


def test_what_is_wrong_with_a_body_is_said_by_member(gateway):
    done = gateway.run("explain", "POST", "/v1/rooms", "-d", '{"size": "many"}', "--key", gateway.key)
    assert done.returncode == 1
    assert "body size: expected an integer from 0 to 20000\n" in done.stdout
    assert "answer     403: the scope rooms:write is missing\n" in done.stdout


def test_without_a_gateway_the_config_is_asked(gateway):
    gateway.stop()
    told = explained(gateway, "GET", "/v1/rooms/6b0", "--key", gateway.key)
    assert told["passes"] is True and "left" not in told["limits"][0]
    done = gateway.run("explain", "GET", "/v1/rooms/6b0", "--key", gateway.key)
    assert "no gateway runs with this config" in done.stderr and gateway.key not in done.stdout + done.stderr


def test_a_path_has_to_be_one(gateway):
    done = gateway.run("explain", "GET", "rooms")
    assert done.returncode == 2 and done.stderr.startswith("greenroom: explain: expected a path such as /rooms, without the address\n")
