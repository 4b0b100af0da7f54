"""Authentication: API keys and tokens, valid and invalid in every way."""

import json
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from support.certificates import Authority
from support.gateway import BINARY, Gateway
from support.tokens import Key, claims, encode, jwks
from support.until import until
from support.upstream import TIMEOUT, Reply, Upstream

SECRET = "app-secret-of-the-tests-0123456789abcdef"
PLUGINS = ("rooms", "token", "templates", "room_codes", "analytics")


@pytest.fixture(scope="module")
def keys():
    return {"rsa": Key.rsa("rsa-1"), "ec": Key.ec("ec-1"), "new": Key.ec("ec-2"),
            "hs": Key.secret("hs-1", b"a secret of the tests, 32 bytes or more")}


@pytest.fixture
def upstream():
    with Upstream() as server:
        yield server


@pytest.fixture
def make(tmp_path, upstream):
    """make(auth, server={…}) is a running gateway; stopped at the end."""
    made = []

    def start(auth, **more):
        config = {
            "credentials": {"100ms": {"access_key": "access", "secret": SECRET}},
            "upstreams": {"api": {"url": f"http://127.0.0.1:{upstream.port}/v2", "credential": "100ms"},
                          "auth": {"url": f"http://127.0.0.1:{upstream.port}/v2"}},
            "state_directory": str(tmp_path / "state"),
            "auth": auth,
            **more,
        }
        gateway = Gateway(tmp_path / "etc", config, {name: {} for name in PLUGINS})
        made.append(gateway)
        gateway.start()
        return gateway

    yield start
    for gateway in made:
        gateway.stop()


def greenroom(gateway, *words, status=0):
    done = subprocess.run([BINARY, "-c", str(gateway.directory), *words], capture_output=True, text=True,
                          timeout=TIMEOUT * 2)
    assert done.returncode == status, done.stderr
    return done


def new_key(gateway, name, *words):
    return greenroom(gateway, "keys", "add", name, *words).stdout.strip()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def wait_for_key(gateway, key):
    until(lambda: gateway.get("/rooms/r1", headers=bearer(key)).status != 401)


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
    # A wrong credential differs from none.
    assert gateway.get("/rooms", headers=bearer("gr_x")).status == 401
    # So does one of a kind that no provider takes: it is a wrong one, not a missing one.
    refused = gateway.get("/rooms", headers=bearer("e30.e30.x"))
    assert refused.status == 401 and 'error="invalid_token"' in refused.header("WWW-Authenticate")
    # And one of another scheme.
    for credential in ("Basic YTpi", "Bearer", "Digest username=a"):
        assert gateway.get("/rooms", headers={"Authorization": credential}).status == 401, credential


@pytest.mark.parametrize("length", [1, 31, 63, 64])
def test_a_secret_that_can_be_guessed_is_told(tmp_path, length):
    """Shorter than the digest of the algorithm, wherever the config has it."""
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
        line = f"{place}: a secret of {length} bytes can be guessed; {alg} needs at least {wanted} (RFC 7518, section 3.2)"
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
    assert time.monotonic() - before < TIMEOUT / 4
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
    # The last of two equal members is what a service may look at.
    twice = b'{"roomId":"r1","role":"guest","role":"host"}'
    assert gateway.post("/token", twice, headers=bearer(key)).status == 400


def test_a_bound_key_reads_the_codes_of_its_role_only(guest):
    gateway, key = guest
    wait_for_key(gateway, key)
    assert gateway.get("/room-codes/r1?role=guest", headers=bearer(key)).status == 200
    for path in ("/room-codes/r1", "/room-codes/r1?role=host", "/room-codes/r2?role=guest", "/rooms/r1"):
        assert gateway.get(path, headers=bearer(key)).status == 403, path
    # A code gives a token of its role.
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
    # What no request of the route can make right is told so.
    assert "templates.list does not name one" in gateway.get("/templates", headers=bearer(key)).json["message"]
    # A room by its name, in the body of a route that makes rooms.
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


# --- tokens ---


@pytest.fixture
def issuer(keys):
    """Publishes a key set; .keys may change."""
    with Upstream() as server:
        server.publish = lambda *list_: server.on("GET", "/keys", Reply(jwks(*list_)))
        server.publish(keys["rsa"], keys["ec"])
        server.settings = {"issuer": "https://issuer.test", "audience": "greenroom",
                           "jwks_url": f"http://127.0.0.1:{server.port}/keys"}
        yield server


@pytest.fixture
def gateway(make, issuer):
    return make({"jwt": {"main": issuer.settings}})


def test_tokens_of_the_published_keys_are_good(gateway, keys, issuer):
    for name in ("rsa", "ec"):
        assert gateway.get("/rooms", headers=bearer(keys[name].token(claims()))).status == 200
    assert gateway.post("/rooms", {}, headers=bearer(keys["ec"].token(claims()))).status == 403
    assert gateway.post("/rooms", {}, headers=bearer(keys["ec"].token(claims(scope="a rooms:write b")))).status == 200
    assert gateway.post("/rooms", {}, headers=bearer(keys["ec"].token(claims(scope=["rooms:write"])))).status == 200
    assert len(issuer.requests) == 1, "the key set is fetched once"
    assert '"caller":"alice"' in gateway.log.replace(" ", "")


def swapped(token, **over):
    head, body, signature = token.split(".")
    return ".".join(over.get(part, value) for part, value in (("head", head), ("body", body), ("signature", signature)))


def confused(key, secret):
    """Signed HS256 with the public part of an RSA key."""
    return Key.secret(key.kid, secret).token(claims())


WRONG = {
    "alg none": lambda k: f'{encode({"alg": "none", "typ": "JWT", "kid": "rsa-1"})}.{encode(claims())}.',
    "alg None": lambda k: f'{encode({"alg": "None", "typ": "JWT", "kid": "rsa-1"})}.{encode(claims())}.AAAA',
    "alg none, signed": lambda k: k["rsa"].token(claims(), alg="none"),
    "alg missing": lambda k: k["rsa"].token(claims(), alg=None),
    "HS256 with the RSA key as PEM": lambda k: confused(k["rsa"], k["rsa"].pem),
    "HS256 with the RSA key as PEM, no newline": lambda k: confused(k["rsa"], k["rsa"].pem.strip()),
    "HS256 with the JWK's modulus": lambda k: confused(k["rsa"], k["rsa"].jwk["n"].encode()),
    "HS256 with an empty secret": lambda k: confused(k["rsa"], b""),
    "HS256 with the EC key": lambda k: confused(k["ec"], k["ec"].pem),
    "RS512 of an RS256 key": lambda k: Key("rsa-1", "RS512", k["rsa"].private).token(claims()),
    "ES256 under the kid of the RSA key": lambda k: k["ec"].token(claims(), kid="rsa-1"),
    "kid missing": lambda k: k["rsa"].token(claims(), kid=None),
    "kid unknown": lambda k: k["rsa"].token(claims(), kid="rsa-9"),
    "kid a path": lambda k: k["rsa"].token(claims(), kid="../../../dev/null"),
    "kid a number": lambda k: k["rsa"].token(claims(), kid=1),
    "another key of the same kid": lambda k: Key("rsa-1", "RS256", rsa.generate_private_key(65537, 2048)).token(claims()),
    "a key of its own in the header": lambda k: Key.ec("ec-1").token(claims(), jwk=Key.ec("ec-1").jwk),
    "jku": lambda k: Key.ec("ec-1").token(claims(), jku="http://127.0.0.1:1/keys"),
    "crit": lambda k: k["rsa"].token(claims(), crit=["exp"]),
    "expired": lambda k: k["rsa"].token(claims(exp=int(time.time()) - 60)),
    "exp missing": lambda k: k["rsa"].token(claims(exp=None)),
    "exp a text": lambda k: k["rsa"].token(claims(exp="9999999999")),
    "exp huge": lambda k: k["rsa"].token(claims(exp=10**30)),
    "not yet": lambda k: k["rsa"].token(claims(nbf=int(time.time()) + 120)),
    "made in the future": lambda k: k["rsa"].token(claims(iat=int(time.time()) + 120)),
    "another audience": lambda k: k["rsa"].token(claims(aud="other")),
    "other audiences": lambda k: k["rsa"].token(claims(aud=["other", "greenroom2"])),
    "no audience": lambda k: k["rsa"].token(claims(aud=None)),
    "another issuer": lambda k: k["rsa"].token(claims(iss="https://evil.test")),
    "no issuer": lambda k: k["rsa"].token(claims(iss=None)),
    "no subject": lambda k: k["rsa"].token(claims(sub=None)),
    "subject a number": lambda k: k["rsa"].token(claims(sub=5)),
    "scope a number": lambda k: k["rsa"].token(claims(scope=5)),
    "scope escalated": lambda k: swapped(k["rsa"].token(claims()), body=encode(claims(scope="*"))),
    "claims of another token": lambda k: swapped(k["rsa"].token(claims()), body=k["rsa"].token(claims(sub="b")).split(".")[1]),
    "signature cut": lambda k: k["rsa"].token(claims())[:-4],
    "signature empty": lambda k: swapped(k["rsa"].token(claims()), signature=""),
    "signature of zeros": lambda k: swapped(k["ec"].token(claims()), signature=encode(b"\0" * 64)),
    "signature padded": lambda k: k["rsa"].token(claims()) + "==",
    "two parts": lambda k: ".".join(k["rsa"].token(claims()).split(".")[:2]),
    "five parts": lambda k: "a.b.c.d.e",
    "no base64": lambda k: "!.!.!",
    "deep claims": lambda k: swapped(k["rsa"].token(claims()), body=encode(b"[" * 3000)),
    "deep header": lambda k: swapped(k["rsa"].token(claims()), head=encode(b'{"alg":' * 1500)),
    "claims twice": lambda k: swapped(k["rsa"].token(claims()), body=encode(b'{"sub":"a","sub":"b"}')),
    "very long": lambda k: k["rsa"].token(claims(more="x" * 9000)),
}


@pytest.fixture(scope="module")
def standing(tmp_path_factory, keys):
    """One gateway for all invalid tokens, in any order."""
    with Upstream() as api, Upstream() as issuer:
        issuer.on("GET", "/keys", Reply(jwks(keys["rsa"], keys["ec"])))
        config = {
            "upstreams": {"api": {"url": f"http://127.0.0.1:{api.port}/v2"}},
            "state_directory": str(tmp_path_factory.mktemp("state")),
            "auth": {"jwt": {"main": {"issuer": "https://issuer.test", "audience": "greenroom",
                                      "jwks_url": f"http://127.0.0.1:{issuer.port}/keys"}},
                     "throttle": {"failures": 0}},
        }
        with Gateway(tmp_path_factory.mktemp("etc"), config, {"rooms": {}}) as gateway:
            gateway.issuer, gateway.api = issuer, api
            yield gateway


@pytest.mark.parametrize("name", WRONG)
def test_a_token_that_must_not_hold(standing, keys, name):
    refused = standing.get("/rooms", headers=bearer(WRONG[name](keys)))
    assert refused.status == 401, refused
    assert 'error="invalid_token"' in refused.header("WWW-Authenticate")
    assert standing.get("/rooms", headers=bearer(keys["rsa"].token(claims()))).status == 200
    assert len(standing.issuer.requests) <= 1, "an unknown kid fetched again"


def test_leeway(make, issuer, keys):
    gateway = make({"jwt": {"main": {**issuer.settings, "leeway": "1m"}}})
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims(exp=int(time.time()) - 20)))).status == 200
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims(nbf=int(time.time()) + 20)))).status == 200
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims(exp=int(time.time()) - 90)))).status == 401


def test_an_unknown_kid_fetches_once_in_30_seconds(gateway, issuer, keys):
    issuer.publish(keys["rsa"])
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims()))).status == 200
    issuer.publish(keys["rsa"], keys["new"])
    threads = [threading.Thread(target=gateway.get, args=("/rooms",), kwargs={"headers": bearer(keys["new"].token(claims()))})
               for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(issuer.requests) == 1


def test_a_reload_does_not_fetch_again(gateway, issuer, keys):
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims()))).status == 200
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_log(r"the old config's last request has ended")
    assert gateway.get("/rooms", headers=bearer(keys["rsa"].token(claims()))).status == 200
    assert len(issuer.requests) == 1


BAD_SETS = {
    "an error": Reply(status=500),
    "nothing": Reply.close(),
    "no JSON": Reply("<html>"),
    "deep": Reply.deep(100000),
    "large": Reply.huge(2 << 20),
    "a redirect": Reply(status=302, headers=[("Location", "http://127.0.0.1:1/")]),
    "no keys": Reply({"keys": []}),
    "no list": Reply({"keys": {}}),
    "a private key": Reply({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}]}),
    "a small RSA key": Reply({"keys": [Key.rsa("rsa-1", bits=1024).jwk]}),
    "65 keys": Reply({"keys": [Key.ec(str(i)).jwk for i in range(65)]}),
    "a secret": Reply({"keys": [Key.secret("hs-1", b"a secret of the tests, 32 bytes or more").jwk]}),
}


@pytest.mark.parametrize("name", BAD_SETS)
def test_a_key_set_that_cannot_be_used(make, keys, issuer, name):
    issuer.on("GET", "/keys", BAD_SETS[name])
    gateway = make({"jwt": {"main": issuer.settings}})
    for key in (keys["rsa"], keys["hs"]):
        answer = gateway.get("/rooms", headers=bearer(key.token(claims())))
        assert answer.status == 503 and answer.header("Retry-After")
    assert gateway.get("/readyz").status == 200, "the issuer's trouble is not the gateway's"


def test_keys_from_files(make, tmp_path, keys):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "rsa.pem").write_bytes(keys["rsa"].pem)
    (tmp_path / "etc" / "set.json").write_text(json.dumps(jwks(keys["ec"], keys["hs"])))
    gateway = make({"jwt": {"files": {"keys": [{"kid": "rsa-1", "alg": "RS256", "file": "rsa.pem"}]},
                            "set": {"jwks_file": "set.json"}}})
    for name in ("rsa", "ec", "hs"):
        assert gateway.get("/rooms", headers=bearer(keys[name].token(claims()))).status == 200, name
    # The key fixes the algorithm, wherever the key comes from.
    assert gateway.get("/rooms", headers=bearer(confused(keys["rsa"], keys["rsa"].pem))).status == 401


def test_check_reads_the_keys(make, tmp_path, keys):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "bad.pem").write_text("no key")
    for provider, message in (
            ({"keys": [{"alg": "RS256", "file": "bad.pem"}]},
             r": auth\.jwt\.x\.keys\[0\]\.file: '.*/bad\.pem': neither PEM nor DER"),
            ({"keys": [{"alg": "RS256", "file": "gone.pem"}]},
             r": auth\.jwt\.x\.keys\[0\]\.file: '.*/gone\.pem': No such file"),
            ({"keys": [{"alg": "HS256", "secret": "-----BEGIN PUBLIC KEY-----"}]},
             r": auth\.jwt\.x\.keys\[0\]\.secret: a PEM key"),
            ({"jwks_file": "bad.pem"}, r": auth\.jwt\.x\.jwks_file: '.*/bad\.pem': syntax error"),
            ({}, r": auth\.jwt\.x: no keys")):
        gateway = Gateway(tmp_path / "etc", {"auth": {"jwt": {"x": provider}}}, {})
        gateway.write()
        said = greenroom(gateway, "check", status=3).stderr
        assert re.match(rf"{re.escape(str(tmp_path))}/etc/greenroom\.json:1:\d+{message}", said), said


def test_claims_map_to_scopes(make, keys, issuer):
    gateway = make({"jwt": {"main": {**issuer.settings, "scope_claim": "realm_access.roles",
                                     "scopes": {"room admin": ["rooms:*"], "viewer": ["rooms:read"]}}}})

    def status(method, **over):
        token = keys["rsa"].token(claims(**over))
        return gateway.request(method, "/rooms", body={} if method == "POST" else None, headers=bearer(token)).status

    assert status("POST", realm_access={"roles": ["room admin"]}) == 200
    assert status("POST", realm_access={"roles": ["viewer"]}) == 403
    assert status("GET", realm_access={"roles": ["viewer", "other"]}) == 200
    # Only mapped values count: not the claim's text, not another claim.
    assert status("GET", realm_access={"roles": ["rooms:*", "*"]}) == 403
    assert status("GET", scope="rooms:*") == 403


def test_claims_bind_to_rooms(make, keys, issuer):
    gateway = make({"jwt": {"main": {**issuer.settings, "rooms_claim": "rooms"}}})

    def status(path, **over):
        return gateway.get(path, headers=bearer(keys["rsa"].token(claims(**over)))).status

    assert status("/rooms/r1", rooms=["r1", "r2"]) == 200
    assert status("/rooms/r3", rooms=["r1", "r2"]) == 403
    assert status("/rooms/r1", rooms="r1") == 200
    assert status("/rooms/r1", rooms=[]) == 403
    assert status("/rooms", rooms="r1") == 403
    assert status("/rooms", rooms="*") == 200
    # A token without the claim would be bound to nothing.
    assert status("/rooms/r1") == 401


def test_other_claims_bind_to_roles_and_name_the_caller(make, keys, issuer):
    gateway = make({"jwt": {"main": {**issuer.settings, "roles_claim": "app.roles", "subject_claim": "app.user"}}})

    def mint(role, app):
        headers = bearer(keys["rsa"].token(claims(scope="tokens:write", app=app)))
        return gateway.post("/token", {"roomId": "r1", "role": role}, headers=headers).status

    assert mint("guest", {"roles": ["guest"], "user": "marit"}) == 201
    assert mint("host", {"roles": ["guest"], "user": "marit"}) == 403
    assert mint("guest", {"roles": ["guest"]}) == 401
    assert gateway.find(r'"(?:caller|client)":"([^"]*marit)"')


def test_keys_are_fetched_from_an_issuer_with_an_authority_of_its_own(make, keys, tmp_path):
    authority = Authority(tmp_path / "pki")
    certificate, key = authority.issue("issuer")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Upstream(tls=context) as server:
        server.on("GET", "/keys", Reply(jwks(keys["ec"])))
        settings = {"issuer": "https://issuer.test", "audience": "greenroom", "jwks_url": f"{server.url}/keys"}
        token = bearer(keys["ec"].token(claims()))
        trusting = make({"jwt": {"main": {**settings, "jwks_ca_file": str(authority.file), "jwks_refresh": "30s"}}})
        assert trusting.get("/rooms", headers=token).status == 200
        trusting.stop()
        assert make({"jwt": {"main": settings}}).get("/rooms", headers=token).status == 503


def test_providers_are_tried_in_order(make, keys, issuer):
    gateway = make({"keys": {}, "jwt": {"a": {"keys": [{"kid": "hs-1", "alg": "HS256", "secret": keys["hs"].private.decode()}]},
                                        "main": issuer.settings}})
    key = new_key(gateway, "app", "--scope", "rooms:read")
    wait_for_key(gateway, key)
    for token in (key, keys["hs"].token(claims()), keys["rsa"].token(claims())):
        assert gateway.get("/rooms", headers=bearer(token)).status == 200


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
