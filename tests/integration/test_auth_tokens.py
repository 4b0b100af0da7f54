"""Authentication by tokens: valid and invalid in every way, and the key sets that check them."""

import json
import re
import signal
import ssl
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from support.auth import bearer, greenroom, new_key, wait_for_key
from support.auth import make, upstream  # noqa: F401 (fixtures)
from support.certificates import Authority
from support.gateway import Gateway
from support.tokens import Key, claims, encode, jwks
from support.upstream import Reply, Upstream


@pytest.fixture(scope="module")
def keys():
    return {"rsa": Key.rsa("rsa-1"), "ec": Key.ec("ec-1"), "new": Key.ec("ec-2"),
            "hs": Key.secret("hs-1", b"a secret of the tests, 32 bytes or more")}


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
    """A token that is signed with HS256 and the public part of an RSA key."""
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
    """One gateway for all tests of invalid tokens, which can run in any order."""
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
    # The key determines the algorithm, whatever the source of the key.
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
    # Only the values of the mapping count, not the text of the claim and not another claim.
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
    # Without the claim, the token would not be bound to any room.
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
