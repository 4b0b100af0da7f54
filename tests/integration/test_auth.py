"""Authentication without a credential and by API keys: valid and invalid in every way."""

import json
import re
import subprocess
import threading
import time
import urllib.parse

import pytest

from support.auth import bearer, greenroom, new_key, wait_for_key
from support.auth import make, upstream  # noqa: F401 (fixtures)
from support.gateway import BINARY, Gateway
from support.until import until
from support.upstream import TIMEOUT


# --- auth.none, no credentials ---


def test_without_providers_everybody_may_do_everything(make, upstream):
    gateway = make({})
    assert gateway.get("/rooms").status == 200
    assert gateway.get("/rooms", headers=bearer("whatever")).status == 200
    assert gateway.find(r"(no provider under)")


def test_none_gives_its_scopes_to_callers_without_a_credential(make):
    gateway = make({"keys": {}, "none": {"scopes": ["rooms:read"]}})
    assert gateway.get("/rooms").status == 200
    refused = gateway.post("/rooms", {})
    assert refused.status == 403 and "rooms:write" in refused.json["message"]
    # The answer to a wrong credential differs from the answer to none.
    assert gateway.get("/rooms", headers=bearer("gr_x")).status == 401
    # A credential of a kind that no provider accepts counts as wrong, not as missing.
    refused = gateway.get("/rooms", headers=bearer("e30.e30.x"))
    assert refused.status == 401 and 'error="invalid_token"' in refused.header("WWW-Authenticate")
    # So does one of another scheme.
    for credential in ("Basic YTpi", "Bearer", "Digest username=a"):
        assert gateway.get("/rooms", headers={"Authorization": credential}).status == 401, credential


@pytest.mark.parametrize("length", [1, 31, 63, 64])
def test_a_secret_that_can_be_guessed_is_told(tmp_path, length):
    """A secret that is shorter than the digest of its algorithm, in every place of the config that has secrets."""
    secret = "s" * length
    service = {"url": "http://127.0.0.1:1"}
    gateway = Gateway(
        tmp_path,
        {"auth": {"jwt": {"main": {"keys": [{"alg": "HS512", "secret": secret}]}}}, "store": "sqlite:test.db",
         "state_directory": str(tmp_path / "state")},
        {"minigroups": {"config": {
            "account": "mini.svc.example", "secret": secret, "event": service, "conference": service, "tq": service,
            "authn": [{"issuer": "iam", "audience": ["usr.example"], "key": secret}], "authz": [],
            "callbacks": {"trusted": ["conference.svc.example"]}, "storage_url": "http://127.0.0.1:1"}}})
    with gateway:
        told = gateway.log
    for place, alg, wanted in (("auth.jwt.main: key 0", "HS512", 64), ("authn of 'iam'", "HS256", 32),
                               ("secret", "HS256", 32)):
        line = f"{place}: a secret of {length} byte{'s' * (length > 1)} can be guessed; {alg} needs at least {wanted} (RFC 7518, section 3.2)"
        assert (line in told) == (length < wanted), told


def test_health_needs_no_credential(make):
    gateway = make({"keys": {}})
    assert gateway.get("/healthz").status == 200
    assert gateway.admin("/metrics").status == 200


@pytest.mark.parametrize("auth", [{}, {"throttle": {"failures": 5}}, {"none": {}}, {"keys": {}, "none": {}}])
def test_a_listener_that_others_reach_wants_a_provider(tmp_path, auth):
    gateway = Gateway(tmp_path, {"server": {"listen": "0.0.0.0:0"}, "auth": auth}, {})
    gateway.write()
    assert "can be reached from other machines" in greenroom(gateway, "check", status=3).stderr


# --- API keys ---


def test_a_key_is_printed_once_and_kept_as_a_hash(make, tmp_path, upstream):
    gateway = make({"keys": {}})
    refused = gateway.get("/rooms")
    assert refused.status == 401 and refused.header("WWW-Authenticate") == 'Bearer realm="greenroom"'
    assert refused.json["code"] == 401
    key = new_key(gateway, "app", "--scope", "rooms:*", "--expires", "90d")
    assert re.fullmatch(r"gr_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", key)
    file = tmp_path / "state" / "keys.json"
    assert key not in file.read_text() and key.split("_", 2)[2] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    wait_for_key(gateway, key)
    assert gateway.get("/rooms", headers=bearer(key)).status == 200
    assert gateway.get("/rooms", headers={"X-API-Key": key}).status == 200
    assert gateway.post("/rooms", {}, headers=bearer(key)).status == 200
    assert all(request.token != key for request in upstream.requests), "the key went to the upstream"
    listed = json.loads(greenroom(gateway, "keys", "list", "--json").stdout)
    assert [(k["name"], k["state"], k["scopes"]) for k in listed] == [("app", "works", ["rooms:*"])]
    assert key not in greenroom(gateway, "keys", "list").stdout
    assert key not in gateway.log


def test_a_scope_that_is_missing_is_named(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "reader", "--scope", "rooms:read")
    wait_for_key(gateway, key)
    refused = gateway.post("/rooms", {}, headers=bearer(key))
    assert refused.status == 403 and "rooms:write" in refused.json["message"]
    assert 'error="insufficient_scope"' in refused.header("WWW-Authenticate")
    assert 'scope="rooms:write"' in refused.header("WWW-Authenticate")
    assert gateway.post("/token", {"roomId": "r", "role": "host"}, headers=bearer(key)).status == 403


def test_scopes_with_stars(make):
    gateway = make({"keys": {}})
    everything, reading = (new_key(gateway, name, "--scope", scope) for name, scope in (("all", "*"), ("look", "*:read")))
    wait_for_key(gateway, reading)
    assert gateway.post("/rooms", {}, headers=bearer(everything)).status == 200
    assert gateway.get("/templates", headers=bearer(reading)).status == 200
    assert gateway.post("/rooms", {}, headers=bearer(reading)).status == 403


def test_revoked_while_running(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "app", "--scope", "*")
    wait_for_key(gateway, key)
    before = time.monotonic()
    greenroom(gateway, "keys", "revoke", "app")
    until(lambda: gateway.get("/rooms", headers=bearer(key)).status == 401)
    assert time.monotonic() - before < TIMEOUT / 2
    refused = gateway.get("/rooms", headers=bearer(key))
    assert "revoked" in refused.json["message"]
    assert 'error="invalid_token"' in refused.header("WWW-Authenticate")
    greenroom(gateway, "keys", "revoke", "app", status=1)


def test_expired_key(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "brief", "--scope", "*", "--expires", "1s")
    until(lambda: "expired" in gateway.get("/rooms", headers=bearer(key)).json.get("message", ""))
    assert gateway.get("/rooms", headers=bearer(key)).status == 401


def test_rotation_keeps_the_old_key_for_a_while(make):
    gateway = make({"keys": {}})
    old = new_key(gateway, "app", "--scope", "rooms:read")
    new = greenroom(gateway, "keys", "rotate", "app", "--keep", "1h").stdout.strip()
    wait_for_key(gateway, new)
    assert new != old
    assert gateway.get("/rooms", headers=bearer(old)).status == 200
    assert gateway.post("/rooms", {}, headers=bearer(new)).status == 403


@pytest.mark.parametrize("change", [
    lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"),
    lambda key: key + "A",
    lambda key: key[:-1],
    lambda key: "gr_" + "0" * 12 + key[15:],
    lambda key: key.replace("gr_", "GR_"),
    lambda key: "gr_",
    lambda key: "gr_" + "a" * 5000,
    lambda key: key[:20] + "\x01" + key[21:],
])
def test_a_key_that_is_nearly_right(make, change):
    gateway = make({"keys": {}})
    key = new_key(gateway, "app", "--scope", "*")
    wait_for_key(gateway, key)
    assert gateway.get("/rooms", headers=bearer(change(key))).status in (400, 401)


def test_one_credential_shown_one_way(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "app", "--scope", "*")
    wait_for_key(gateway, key)
    assert gateway.get("/rooms", headers={**bearer(key), "X-API-Key": key}).status == 401
    assert gateway.get("/rooms", headers={"Authorization": f"Basic {key}"}).status == 401
    assert gateway.get("/rooms", headers={"Authorization": key}).status == 401
    assert gateway.get(f"/rooms?api_key={key}").status == 401
    assert gateway.get("/rooms", headers={"Authorization": f"bEARER  {key}"}).status == 200


def test_last_use_is_kept_over_a_restart(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "app", "--scope", "*")
    wait_for_key(gateway, key)
    gateway.stop()
    (listed,) = json.loads(greenroom(gateway, "keys", "list", "--json").stdout)
    assert listed["used"]
    gateway = make({"keys": {}})
    assert gateway.get("/rooms", headers=bearer(key)).status == 200


def test_a_broken_file_of_keys_stops_the_start_but_not_a_running_gateway(make, tmp_path):
    gateway = make({"keys": {}})
    key = new_key(gateway, "app", "--scope", "*")
    wait_for_key(gateway, key)
    file = tmp_path / "state" / "keys.json"
    file.write_text("{")
    deadline = time.monotonic() + TIMEOUT
    while "cannot be read" not in gateway.log:
        assert gateway.get("/rooms", headers=bearer(key)).status == 200
        assert time.monotonic() < deadline
    assert gateway.get("/rooms", headers=bearer(key)).status == 200
    assert f": auth.keys.file: '{file}': " in greenroom(gateway, "check", status=3).stderr
    file.write_text('{"version": 1, "keys": []}')
    file.chmod(0o666)
    assert "users other than its owner can write it" in greenroom(gateway, "check", status=3).stderr


def test_keys_made_at_the_same_time_are_all_kept(make):
    gateway = make({"keys": {}})
    made = []
    threads = [threading.Thread(target=lambda i=i: made.append(new_key(gateway, f"k{i}", "--scope", "*")))
               for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
    assert len(json.loads(greenroom(gateway, "keys", "list", "--json").stdout)) == 8


@pytest.mark.parametrize("words", [
    ["add", "x"], ["add", "x", "--scope", "rooms"], ["add", "x y", "--scope", "*"], ["add"], ["revoke"], ["sing"],
    ["add", "x", "--scope", "*", "--expires", "soon"], ["add", "x", "--scope"],
])
def test_keys_that_cannot_be_made(make, words):
    gateway = make({"keys": {}})
    done = subprocess.run([BINARY, "-c", str(gateway.directory), "keys", *words], capture_output=True, text=True)
    assert done.returncode in (1, 2) and done.stderr and not done.stdout


@pytest.mark.parametrize("scopes, doubted", [
    (["rooms:write", "rooms:*", "*"], []), (["romms:write"], ["romms:write"]), (["rooms:write", "rooms:paint", "plls:*"], ["rooms:paint", "plls:*"]),
])
def test_a_scope_that_no_route_wants_is_doubted(make, scopes, doubted):
    gateway = make({"keys": {}})
    words = [word for scope in scopes for word in ("--scope", scope)]
    done = subprocess.run([BINARY, "-c", str(gateway.directory), "keys", "add", "x", *words], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("gr_")
    assert re.findall(r'no route that is served needs the scope "(.*?)"', done.stderr) == doubted


# --- bindings ---


@pytest.fixture
def guest(make):
    gateway = make({"keys": {}})
    key = new_key(gateway, "guest", "--scope", "*", "--room", "r1", "--role", "guest")
    return gateway, key


def test_a_bound_key_mints_tokens_for_its_room_and_role_only(guest):
    gateway, key = guest
    until(lambda: gateway.post("/token", {"roomId": "r1", "role": "guest"}, headers=bearer(key)).status == 201)
    for room, role in (("r1", "host"), ("r2", "guest"), ("r1 ", "guest"), ("r1", "Guest")):
        refused = gateway.post("/token", {"roomId": room, "role": role}, headers=bearer(key))
        assert refused.status == 403, (room, role)
    # Of two equal members, a service may use the last.
    twice = b'{"roomId":"r1","role":"guest","role":"host"}'
    assert gateway.post("/token", twice, headers=bearer(key)).status == 400


def test_a_bound_key_reads_the_codes_of_its_role_only(guest):
    gateway, key = guest
    wait_for_key(gateway, key)
    assert gateway.get("/room-codes/r1?role=guest", headers=bearer(key)).status == 200
    for path in ("/room-codes/r1", "/room-codes/r1?role=host", "/room-codes/r2?role=guest", "/rooms/r1"):
        assert gateway.get(path, headers=bearer(key)).status == 403, path
    # A code can be exchanged for a token with the role of the code.
    assert gateway.post("/room-codes/code/abc-defg-hij", {}, headers=bearer(key)).status == 403


def test_a_bound_key_calls_nothing_that_is_not_about_its_room(make, upstream):
    gateway = make({"keys": {}})
    key = new_key(gateway, "one-room", "--scope", "*", "--room", "r1", "--room", "r2")
    wait_for_key(gateway, key)
    allowed = ["/rooms/r1", "/rooms/r2", "/room-codes/room/r1"]
    for path in allowed:
        assert gateway.get(path, headers=bearer(key)).status == 200, path
    for path in ("/rooms", "/rooms/r3", "/rooms/r1%2F..%2Fr3", "/templates", "/room-codes/room/r3",
                 "/rooms?name=r3", "/rooms/R1"):
        assert gateway.get(path, headers=bearer(key)).status in (400, 403), path
    # No request of this route can satisfy the binding, and the message says so.
    assert "templates.list does not name one" in gateway.get("/templates", headers=bearer(key)).json["message"]
    # The room is named in the body of a route that makes rooms.
    assert gateway.post("/rooms", {"name": "r3"}, headers=bearer(key)).status == 403
    assert {request.path for request in upstream.requests} == {f"/v2{path}" for path in allowed}


@pytest.mark.parametrize("name", ["Room_ID", "ROOM_ID", "roomId", "roomid", "room-id", "room_id[]", "room_id[0]"])
def test_no_other_spelling_of_a_bound_name_gets_past(make, upstream, name):
    gateway = make({"keys": {}})
    key = new_key(gateway, "one-room", "--scope", "*", "--room", "r1")
    wait_for_key(gateway, key)
    query = urllib.parse.quote(name)
    refused = gateway.get(f"/analytics/webhooks?room_id=r1&{query}=r2", headers=bearer(key))
    assert refused.status == 403 and "room_id" in refused.json["message"]
    assert gateway.get("/analytics/webhooks?room_id=r1&type=r2", headers=bearer(key)).status == 200
    assert [request.target for request in upstream.requests if "analytics" in request.target] == [
        "/v2/analytics/webhooks?room_id=r1&type=r2"]


def test_a_filter_that_binds_must_be_there(make, upstream):
    gateway = make({"keys": {}})
    key = new_key(gateway, "one-room", "--scope", "*", "--room", "r1")
    wait_for_key(gateway, key)
    path = "/analytics/webhooks"
    assert gateway.get(path, headers=bearer(key)).status == 403
    assert gateway.get(f"{path}?room_id=", headers=bearer(key)).status in (400, 403)
    assert gateway.get(f"{path}?Room_id=r1", headers=bearer(key)).status == 403
    assert gateway.get(f"{path}?room_id=r2", headers=bearer(key)).status == 403
    assert gateway.get(f"{path}?room_id=r1&room_id=r2", headers=bearer(key)).status in (400, 403)
    assert gateway.get(f"{path}?room_id=r1", headers=bearer(key)).status == 200
    assert [r.target for r in upstream.requests if "analytics" in r.target] == [f"/v2{path}?room_id=r1"]


# --- guessing ---


def test_an_address_that_guesses_is_told_to_wait(make):
    gateway = make({"keys": {}, "throttle": {"failures": 5, "window": "10m"}})
    key = new_key(gateway, "app", "--scope", "*")
    wait = []
    for _ in range(5 + 200):
        answer = gateway.get("/rooms", headers=bearer("gr_" + "0" * 12 + "_" + "A" * 43))
        wait.append(answer.status)
        if answer.status == 429:
            break
    assert wait == [401] * 5 + [429]
    assert 1 <= int(answer.header("Retry-After")) <= 600
    # The address may be a proxy of many clients: a valid key is still accepted.
    until(lambda: gateway.get("/rooms", headers=bearer(key)).status == 200)
    assert len(re.findall("credential refused", gateway.log)) == 5


def test_routes_tell_who_may_call(make):
    gateway = make({"keys": {}})
    table = greenroom(gateway, "routes").stdout
    assert re.search(r"/rooms +rooms\.list +rooms:read", table)
    assert re.search(r"/healthz +health\.live +\(open\)", table)
